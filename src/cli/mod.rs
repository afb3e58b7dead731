//! The command line: one file per subcommand; without one, keepalived's own options (`run`).

mod check;
mod getopt;
mod lab;
mod options;
mod output;
mod run;
mod status;

use crate::supervisor::CalledAs;

/// A subcommand gets the words behind its name and returns the exit status.
type Subcommand = fn(&[String]) -> u8;

/// One line per subcommand.
const SUBCOMMANDS: [(&str, Subcommand); 4] = [
    ("check", check::check),
    ("lab", lab::lab),
    ("status", status::status),
    ("why", status::why),
];

/// Runs the program with this command line, its own name first; the exit status.
#[must_use]
pub fn main(argv: &[String]) -> u8 {
    let word = argv.get(1).map(String::as_str).filter(|word| !word.starts_with('-'));
    let Some(word) = word else { return run::main(argv) };
    if let Some((_, subcommand)) = SUBCOMMANDS.iter().find(|(name, _)| *name == word) {
        return subcommand(argv.get(2..).unwrap_or_default());
    }
    match CalledAs::from_argv0(argv.first().map_or("vrrpd", String::as_str)) {
        // keepalived mentions words that it does not know and runs.
        CalledAs::Keepalived => run::main(argv),
        CalledAs::Vrrpd => {
            let names: Vec<&str> = SUBCOMMANDS.iter().map(|(name, _)| *name).collect();
            output::stderr(&format!(
                "vrrpd: there is no subcommand `{word}`; there are: {}. `vrrpd --help` shows the options\n",
                names.join(", ")
            ));
            1
        }
    }
}
