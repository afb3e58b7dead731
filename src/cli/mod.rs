//! The command line: one file per subcommand; without one, keepalived's own options (`run`).

mod check;
mod command;
mod completions;
mod convert;
mod events;
mod getopt;
mod lab;
mod maintenance;
mod manual;
mod options;
mod output;
mod problem;
mod reload;
mod render;
mod run;
mod status;

use crate::supervisor::CalledAs;
use clap::Command;

/// One way to call the program.
struct Subcommand {
    name: &'static str,
    /// Gets the words behind the name and returns the exit status.
    run: fn(&[String]) -> u8,
    /// Its options, for completions and the manual.
    command: fn() -> Command,
}

const fn subcommand(name: &'static str, run: fn(&[String]) -> u8, command: fn() -> Command) -> Subcommand {
    Subcommand { name, run, command }
}

/// One line per subcommand.
const SUBCOMMANDS: [Subcommand; 11] = [
    subcommand("status", status::status, status::status_command),
    subcommand("why", status::why, status::why_command),
    subcommand("events", events::events, events::command),
    subcommand("reload", reload::reload, reload::command),
    subcommand("drain", maintenance::drain, maintenance::drain_command),
    subcommand("resume", maintenance::resume, maintenance::resume_command),
    subcommand("check", check::check, check::command),
    subcommand("convert", convert::convert, convert::command),
    subcommand("lab", lab::lab, lab::command),
    subcommand("completions", completions::completions, completions::command),
    subcommand("manual", manual::manual, manual::command),
];

/// Runs the program with this command line, its own name first; the exit status.
#[must_use]
pub fn main(argv: &[String]) -> u8 {
    let word = argv.get(1).map(String::as_str).filter(|word| !word.starts_with('-'));
    let Some(word) = word else { return run::main(argv) };
    if let Some(subcommand) = SUBCOMMANDS.iter().find(|subcommand| subcommand.name == word) {
        return (subcommand.run)(argv.get(2..).unwrap_or_default());
    }
    match CalledAs::from_argv0(argv.first().map_or("vrrpd", String::as_str)) {
        // keepalived mentions words that it does not know and runs.
        CalledAs::Keepalived => run::main(argv),
        CalledAs::Vrrpd => {
            let names: Vec<&str> = SUBCOMMANDS.iter().map(|subcommand| subcommand.name).collect();
            output::stderr(&format!(
                "vrrpd: there is no subcommand `{word}`; there are: {}. `vrrpd --help` shows the options\n",
                names.join(", ")
            ));
            1
        }
    }
}
