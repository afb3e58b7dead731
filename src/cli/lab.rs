//! `vrrpd lab`: a cluster on this machine, with real daemons in throw-away network namespaces.
//!
//! Exit statuses: 0 everything could be done, and everything that was waited for came; 1 something did not, or bad options;
//! 2 the lab cannot be made, or a file cannot be used; 128 and the signal's number when a signal ended it.

use super::output::{parse, stderr, stdout};
use crate::lab::{HELP, HOW_CHECKS_FAIL, Input, Manner, Outcome, cast, duration, enter, play_files, play_seed};
use crate::model::Micros;
use clap::{Command, CommandFactory, Parser, ValueHint};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

const BROKEN: u8 = 1;
const IMPOSSIBLE: u8 = 2;

/// Try a cluster on this machine: one real daemon for each file, each in network namespaces of its own, on bridges. The
/// machine's own network and files are not touched, and nothing is left behind, however the lab ends.
///
/// Without files it plays the first user's three-node cluster and what can happen to it at night.
#[derive(Debug, Parser)]
#[command(name = "vrrpd lab", disable_version_flag = true, after_long_help = after_help())]
struct Options {
    /// Configuration of a node, as `FILE` or `NAME=FILE`. Interfaces and addresses follow from the files.
    #[arg(value_name = "[NAME=]FILE", value_hint = ValueHint::FilePath)]
    files: Vec<String>,
    /// Take commands from this file instead of standard input.
    #[arg(long, value_name = "FILE", requires = "files")]
    script: Option<PathBuf>,
    /// End after this time: 500ms, 30s, 2m, 1h.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, requires = "files")]
    limit: Option<Micros>,
    /// No table and no colours, also on a terminal.
    #[arg(long, requires = "files")]
    plain: bool,
}

fn after_help() -> String {
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    format!(
        "Commands, one a line, `#` begins a comment; NODE is a name or a number, `all` is every node:\n{}\n{}\n\
         Exit statuses:\n  0  everything could be done, and everything that was waited for came\n  \
         1  something did not, or bad options\n  2  the lab cannot be made, or a file cannot be used\n  \
         128+N  ended by signal N (130 = interrupted)\n",
        indented(HELP),
        indented(HOW_CHECKS_FAIL)
    )
}

pub(super) fn lab(words: &[String]) -> u8 {
    let options: Options = match parse("vrrpd lab", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    match if options.files.is_empty() {
        seed()
    } else {
        play(&options)
    } {
        Ok(status) => status,
        Err(text) => {
            stderr(&format!("vrrpd lab: {text}\n"));
            IMPOSSIBLE
        }
    }
}

pub(super) fn command() -> Command {
    Options::command()
}

/// The first user's cluster.
fn seed() -> Result<u8, String> {
    let vrrpd = own_file()?;
    inside(|| play_seed(&vrrpd, &mut stdout))
}

/// The cluster of the user's files.
fn play(options: &Options) -> Result<u8, String> {
    let vrrpd = own_file()?;
    let script = match &options.script {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.map_err(|error| format!("{}: {error}", path.display()))?)
        }
    };
    let cast = cast(&options.files).map_err(|problems| problems.join("\nvrrpd lab: "))?;
    let live = !options.plain && io::stdout().is_terminal();
    let terminal = if script.is_none() && live { Keys::take() } else { None };
    let manner = Manner {
        input: match (script, &terminal) {
            (Some(text), _) => Input::Script(text),
            (None, Some(_)) => Input::Terminal,
            (None, None) => Input::Lines,
        },
        live,
        limit: options.limit,
    };
    let ended = inside(|| play_files(cast, &manner, &vrrpd, &mut stdout));
    if let Some(keys) = terminal {
        keys.give_back();
    }
    ended
}

/// Does the work in the lab's namespaces.
fn inside(work: impl FnOnce() -> io::Result<bool>) -> Result<u8, String> {
    let ended = enter(|| match work() {
        Ok(true) => 0,
        Ok(false) => BROKEN,
        Err(error) => {
            stderr(&format!("vrrpd lab: {error}\n"));
            IMPOSSIBLE
        }
    });
    match ended {
        Ok(Outcome::Exited(status)) => Ok(status),
        Ok(Outcome::Failed) => Ok(IMPOSSIBLE),
        Ok(Outcome::Interrupted(signal)) => {
            stderr(&format!("\nvrrpd lab: ended by signal {signal}; nothing is left\n"));
            Ok(u8::try_from(signal).unwrap_or(0).saturating_add(128))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn own_file() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find this program's own file: {error}"))
}

/// The terminal on standard input, which gives each key at once. The interrupt key stays what it is.
struct Keys(Termios);

impl Keys {
    /// `None` when standard input is no terminal, or another process group's.
    fn take() -> Option<Self> {
        let stdin = io::stdin();
        if tcgetpgrp(&stdin).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut keys = before.clone();
        keys.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSADRAIN, &keys).ok()?;
        Some(Self(before))
    }

    fn give_back(self) {
        // A terminal that has gone away does not mind.
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0).unwrap_or_default();
    }
}
