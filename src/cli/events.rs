//! `vrrpd events`: what happened, and with `-f` what happens.
//!
//! Exit statuses: 0, also when the reader of a pipe has gone; 1 bad options; 3 nobody answers.

use super::output::{length, parse, stderr, try_stdout};
use super::status::NO_DAEMON;
use crate::control::{client, text};
use crate::model::Micros;
use clap::{Command, CommandFactory, Parser};
use std::path::PathBuf;

/// Tell what happened: transitions with their reasons, trackers, problems, reloads, drains.
///
/// The daemon keeps the last 1,024 events, also when its VRRP process dies and is started again.
#[derive(Debug, Parser)]
#[command(name = "vrrpd events", disable_version_flag = true)]
struct EventsOptions {
    /// Only events of this instance, and of none.
    name: Option<String>,
    /// Go on with what happens, until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line, schema 1.
    #[arg(long)]
    json: bool,
    /// Only what is not older than this: 90s, 30m, 1h.
    #[arg(long, value_name = "TIME", value_parser = length)]
    since: Option<Micros>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

pub(super) fn events(words: &[String]) -> u8 {
    let options: EventsOptions = match parse("vrrpd events", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let question = client::EventQuestion {
        since_ms: options.since.map(Micros::as_millis),
        name: options.name,
        follow: options.follow,
    };
    let told = client::find(options.control).and_then(|path| {
        client::events(&path, &question, |line, event| {
            if options.json {
                try_stdout(line)
            } else {
                try_stdout(&text::event(event))
            }
        })
    });
    match told {
        Ok(()) => 0,
        Err(error) => {
            stderr(&format!("vrrpd: {error}\n"));
            NO_DAEMON
        }
    }
}

pub(super) fn command() -> Command {
    EventsOptions::command()
}
