//! `vrrpd status` and `vrrpd why`: what a running daemon says of itself.
//!
//! Exit statuses: 0, or with `--check` 0 all is well, 1 warnings, 2 errors; 1 bad options; 3 nobody answers; 4 no such instance.

use super::output::{parse, stderr, stdout};
use crate::control::client;
use crate::control::{Status, text, why};
use crate::proto::Severity;
use clap::{Command, CommandFactory, Parser};
use std::path::PathBuf;

const NO_DAEMON: u8 = 3;
const NO_INSTANCE: u8 = 4;

/// Show who is master, since when, and why.
#[derive(Debug, Parser)]
#[command(name = "vrrpd status", disable_version_flag = true)]
struct StatusOptions {
    /// Only this instance.
    name: Option<String>,
    /// The whole document, schema 1.
    #[arg(long)]
    json: bool,
    /// Exit with 0 when all is well, 1 on warnings, 2 on errors.
    #[arg(long)]
    check: bool,
    /// The peers heard.
    #[arg(long)]
    peers: bool,
    /// The trackers.
    #[arg(long)]
    trackers: bool,
    /// The counters.
    #[arg(long)]
    stats: bool,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

/// Tell why an instance is in its state.
#[derive(Debug, Parser)]
#[command(name = "vrrpd why", disable_version_flag = true)]
struct WhyOptions {
    /// Only this instance.
    name: Option<String>,
    /// The whole document, schema 1.
    #[arg(long)]
    json: bool,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

fn ask(control: Option<PathBuf>, name: Option<&str>) -> Result<Vec<Status>, u8> {
    let found = client::status(control).map_err(|error| {
        stderr(&format!("vrrpd: {error}\n"));
        NO_DAEMON
    })?;
    let Some(name) = name else { return Ok(found) };
    let found: Vec<Status> = found.into_iter().filter_map(|status| status.only(name)).collect();
    if found.is_empty() {
        stderr(&format!("vrrpd: there is no instance {name}\n"));
        return Err(NO_INSTANCE);
    }
    Ok(found)
}

fn print_json(found: &[Status]) {
    for status in found {
        // No type of the document can fail to be written.
        let text = serde_json::to_string_pretty(status).unwrap_or_default();
        stdout(&format!("{text}\n"));
    }
}

pub(super) fn status(words: &[String]) -> u8 {
    let options: StatusOptions = match parse("vrrpd status", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let found = match ask(options.control, options.name.as_deref()) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if options.json {
        print_json(&found);
    } else {
        for status in &found {
            stdout(&match (options.peers, options.trackers, options.stats) {
                (true, ..) => text::peers(status),
                (_, true, _) => text::trackers(status),
                (.., true) => text::stats(status),
                (false, false, false) => text::overview(status),
            });
        }
    }
    if !options.check {
        return 0;
    }
    let worst = found
        .iter()
        .flat_map(|status| &status.problems)
        .map(|problem| problem.severity)
        .max();
    match worst {
        None => 0,
        Some(Severity::Warning) => 1,
        Some(Severity::Error) => 2,
    }
}

pub(super) fn why(words: &[String]) -> u8 {
    let options: WhyOptions = match parse("vrrpd why", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let found = match ask(options.control, options.name.as_deref()) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if options.json {
        print_json(&found);
    } else {
        found
            .iter()
            .flat_map(|status| &status.instances)
            .for_each(|instance| stdout(&why::story(instance)));
    }
    0
}

pub(super) fn status_command() -> Command {
    StatusOptions::command()
}

pub(super) fn why_command() -> Command {
    WhyOptions::command()
}
