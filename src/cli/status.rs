//! `vrrpd status` and `vrrpd why`: what a running daemon says of itself.
//!
//! Exit statuses: 0; 1 bad options; 3 nobody answers; 4 no such instance. With `--check` as monitoring plugins: 0 all is well,
//! 1 warnings, 2 errors, 3 nobody answers or no such instance.

use super::output::{parse, pause, stderr, stdout, try_stdout};
use crate::control::client;
use crate::control::{Status, text, why};
use crate::model::Micros;
use clap::{Command, CommandFactory, Parser};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

pub(super) const NO_DAEMON: u8 = 3;
pub(super) const NO_INSTANCE: u8 = 4;
/// A monitoring plugin that could not find out.
const UNKNOWN: u8 = 3;
/// Between two looks of `--watch`.
const AGAIN: Micros = Micros::SECOND;

/// Show who is master, since when, and why.
#[derive(Debug, Parser)]
#[command(name = "vrrpd status", disable_version_flag = true)]
struct StatusOptions {
    /// Only this instance.
    name: Option<String>,
    /// The whole document, schema 1.
    #[arg(long)]
    json: bool,
    /// Print one line as monitoring plugins do, and exit with 0 when all is well, 1 on warnings, 2 on errors, 3 when
    /// nothing is known.
    #[arg(long, conflicts_with = "watch")]
    check: bool,
    /// Print it again every second, until interrupted.
    #[arg(long)]
    watch: bool,
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

pub(super) fn status(words: &[String]) -> u8 {
    let options: StatusOptions = match parse("vrrpd status", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    if options.check {
        return check(options);
    }
    if options.watch {
        return watch(&options);
    }
    match ask(options.control.clone(), options.name.as_deref()) {
        Ok(found) => {
            stdout(&shown(&options, &found));
            0
        }
        Err(exit) => exit,
    }
}

fn json(found: &[Status]) -> String {
    // No type of the document can fail to be written.
    let text = |status| format!("{}\n", serde_json::to_string_pretty(status).unwrap_or_default());
    found.iter().map(text).collect()
}

/// What the options ask for.
fn shown(options: &StatusOptions, found: &[Status]) -> String {
    if options.json {
        return json(found);
    }
    let text = |status| match (options.peers, options.trackers, options.stats) {
        (true, ..) => text::peers(status),
        (_, true, _) => text::trackers(status),
        (.., true) => text::stats(status),
        (false, false, false) => text::overview(status),
    };
    let text: String = found.iter().map(text).collect();
    if io::stdout().is_terminal() {
        painted(&text)
    } else {
        text
    }
}

/// As a monitoring plugin: everything that it says is on standard output.
fn check(options: StatusOptions) -> u8 {
    let found = client::status(options.control).map(|found| match &options.name {
        None => found,
        Some(name) => found.into_iter().filter_map(|status| status.only(name)).collect(),
    });
    let (line, exit) = match found {
        Err(error) => (format!("VRRP UNKNOWN - {error}\n"), UNKNOWN),
        Ok(found) if found.is_empty() => {
            let name = options.name.unwrap_or_default();
            (format!("VRRP UNKNOWN - there is no instance {name}\n"), UNKNOWN)
        }
        Ok(found) => text::verdict(&found),
    };
    stdout(&line);
    exit
}

/// Again and again: in place on a terminal, one below the other in a pipe.
fn watch(options: &StatusOptions) -> u8 {
    let terminal = io::stdout().is_terminal();
    loop {
        let text = match client::status(options.control.clone()) {
            Err(error) => format!("{error}\n"),
            Ok(found) => {
                let name = options.name.as_deref();
                let found: Vec<Status> = match name {
                    None => found,
                    Some(name) => found.into_iter().filter_map(|status| status.only(name)).collect(),
                };
                shown(options, &found)
            }
        };
        let text = if terminal {
            // To the top, and what is left of the old text is erased line by line: nothing flickers.
            format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"))
        } else if options.json {
            text
        } else {
            format!("{text}\n")
        };
        if !try_stdout(&text) {
            return 0;
        }
        pause(AGAIN);
    }
}

/// Colours for a terminal: states, and how bad problems are.
fn painted(text: &str) -> String {
    let paint = |line: &str| {
        let bad = [("error: ", "31"), ("warning: ", "33"), ("note: ", "2")];
        if let Some((_, colour)) = bad.iter().find(|(word, _)| line.starts_with(word)) {
            return format!("\x1b[{colour}m{line}\x1b[0m\n");
        }
        let states = [(" MASTER ", "32"), (" FAULT ", "31"), (" INIT ", "33")];
        let state = states.iter().find(|(word, _)| line.contains(word));
        let line = state.map_or_else(
            || line.to_owned(),
            |(word, colour)| line.replacen(word, &format!(" \x1b[{colour}m{}\x1b[0m ", word.trim()), 1),
        );
        format!("{line}\n")
    };
    text.lines().map(paint).collect()
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
        stdout(&json(&found));
    } else {
        found.iter().for_each(|status| stdout(&why::stories(status)));
    }
    0
}

pub(super) fn status_command() -> Command {
    StatusOptions::command()
}

pub(super) fn why_command() -> Command {
    WhyOptions::command()
}
