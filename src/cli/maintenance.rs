//! `vrrpd drain` and `vrrpd resume`: out of service for maintenance, and back.
//!
//! Exit statuses: 0; 1 bad options, or the daemon refuses; 2 nobody else is master; 3 nobody answers; 4 no such instance.

use super::output::{length, parse, pause, stderr, stdout};
use super::status::{NO_DAEMON, NO_INSTANCE};
use crate::control::json::InstanceStatus;
use crate::control::{Order, Status, Verdict, client};
use crate::model::Micros;
use crate::proto::StateName;
use crate::system::clock;
use clap::{Command, CommandFactory, Parser};
use std::fmt;
use std::path::PathBuf;

const NOBODY: u8 = 2;
/// Between two looks at what became of a hand-over.
const LOOK: Micros = Micros::from_millis(100);

/// Hand mastership over and let every other node go first, for maintenance.
///
/// Waits until somebody else has taken over. If nobody does, this node serves on as the last resort, unless --force says
/// that it is to stay out. A sync group is drained as a whole. A drain survives a reload and a restart of the VRRP process,
/// not a stop of the daemon.
#[derive(Debug, Parser)]
#[command(name = "vrrpd drain", disable_version_flag = true)]
struct DrainOptions {
    /// Only this instance with its sync group, or this sync group.
    name: Option<String>,
    /// End by itself after this time: 90s, 30m, 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = length)]
    length: Option<Micros>,
    /// Stay out even when nobody else is master.
    #[arg(long)]
    force: bool,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

/// End a drain: take part again, with the configured priority.
#[derive(Debug, Parser)]
#[command(name = "vrrpd resume", disable_version_flag = true)]
struct ResumeOptions {
    /// Only this instance with its sync group, or this sync group.
    name: Option<String>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

/// Gives an order; the instances that it concerns, and the status before it.
fn give(control: Option<PathBuf>, order: &Order) -> Result<(Vec<String>, Status, PathBuf), u8> {
    let failed = |error: client::AskError| {
        stderr(&format!("vrrpd: {error}\n"));
        NO_DAEMON
    };
    let path = client::find(control).map_err(failed)?;
    let before = client::ask(&path).map_err(failed)?;
    match client::order(&path, order).map_err(failed)? {
        Verdict::Done { instances } => Ok((instances, before, path)),
        Verdict::Error { code, text } => {
            stderr(&format!("vrrpd: {text}\n"));
            Err(if code == "no-such-instance" { NO_INSTANCE } else { 1 })
        }
    }
}

pub(super) fn drain(words: &[String]) -> u8 {
    let options: DrainOptions = match parse("vrrpd drain", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let order = Order::Drain {
        name: options.name,
        for_ms: options.length.map(Micros::as_millis),
        force: options.force,
    };
    let (instances, before, path) = match give(options.control, &order) {
        Ok(given) => given,
        Err(exit) => return exit,
    };
    let begun = clock::now();
    let mut waiting: Vec<&str> = instances.iter().map(String::as_str).collect();
    let mut exit = 0;
    while !waiting.is_empty() {
        pause(LOOK);
        let Ok(now) = client::ask(&path) else {
            stderr("vrrpd: the daemon does not answer any more\n");
            return NO_DAEMON;
        };
        waiting.retain(|name| {
            let (Some(old), Some(new)) = (before.instance(name), now.instance(name)) else {
                return false;
            };
            let since = clock::now().since(begun);
            let patience = since > Micros::from_millis(2 * old.master_down_interval_ms) + LOOK;
            let Some((words, alone)) = outcome(old, new, since, patience) else {
                return true;
            };
            stdout(&format!("{name}: {words}\n"));
            if alone {
                exit = NOBODY;
            }
            false
        });
    }
    exit
}

/// Seconds with one decimal.
struct Tenths(Micros);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis() / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// What became of a drain, and whether nobody else is master; `None` when that is not known yet.
fn outcome(old: &InstanceStatus, new: &InstanceStatus, since: Micros, patience: bool) -> Option<(String, bool)> {
    let seconds = Tenths(since);
    let was_master = old.state == StateName::Master;
    match (new.state, &new.master) {
        (StateName::Master, _) if new.since > old.since && was_master => Some((
            format!(
                "nobody took over within {seconds} s: it is master again, with priority 1. Is another node up? With --force it stays out"
            ),
            true,
        )),
        (StateName::Master, _) if patience => Some(("it is master, because nobody else is".into(), true)),
        (StateName::Master, _) => None,
        (StateName::Backup, Some(master)) if was_master => Some((
            format!(
                "{} took over with priority {} after {seconds} s",
                master.address, master.priority
            ),
            false,
        )),
        (StateName::Backup, Some(master)) => Some((format!("drained; master is {}", master.address), false)),
        (StateName::Backup, None) if patience => Some(("drained, and nobody is master".into(), true)),
        (StateName::Backup, None) => None,
        (state @ (StateName::Init | StateName::Fault), _) => {
            Some((format!("drained; it is in {}", state.as_str()), false))
        }
    }
}

pub(super) fn resume(words: &[String]) -> u8 {
    let options: ResumeOptions = match parse("vrrpd resume", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    match give(options.control, &Order::Resume { name: options.name }) {
        Ok((instances, before, _)) => {
            for name in instances {
                let drained = before.instance(&name).is_some_and(|old| old.drain.is_some());
                let what = if drained { "takes part again" } else { "was not drained" };
                stdout(&format!("{name}: {what}\n"));
            }
            0
        }
        Err(exit) => exit,
    }
}

pub(super) fn drain_command() -> Command {
    DrainOptions::command()
}

pub(super) fn resume_command() -> Command {
    ResumeOptions::command()
}
