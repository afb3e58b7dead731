//! `vrrpd completions SHELL`: completions of the command line for a shell.

use super::command;
use super::output::{parse, stdout};
use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;

/// Print completions of the command line for a shell, to be put where that shell looks for them.
#[derive(Debug, Parser)]
#[command(name = "vrrpd completions", disable_version_flag = true)]
struct CompletionsOptions {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(words: &[String]) -> u8 {
    let options: CompletionsOptions = match parse("vrrpd completions", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let mut bytes = Vec::new();
    clap_complete::generate(options.shell, &mut command::whole(), "vrrpd", &mut bytes);
    stdout(&String::from_utf8_lossy(&bytes));
    0
}

pub(super) fn command() -> Command {
    CompletionsOptions::command()
}
