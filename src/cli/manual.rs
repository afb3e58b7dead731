//! `vrrpd manual PAGE`: the manual, made of the same tables as the program.

mod keywords;

use super::command;
use super::output::{parse, stdout};
use clap::{Arg, Command, CommandFactory, Parser, ValueEnum};
use clap_mangen::Man;
use roff::{Roff, bold, italic, roman};
use std::io::{self, Write};

/// Print a page of the manual, for packages: `vrrpd manual vrrpd.8 > vrrpd.8`.
#[derive(Debug, Parser)]
#[command(name = "vrrpd manual", disable_version_flag = true)]
struct ManualOptions {
    /// The page.
    page: Page,
}

/// The pages.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    /// The program.
    #[value(name = "vrrpd.8")]
    Program,
    /// The configuration.
    #[value(name = "vrrpd.conf.5")]
    Configuration,
    /// Every keyword, as Markdown.
    #[value(name = "keywords.md")]
    Keywords,
}

pub(super) fn manual(words: &[String]) -> u8 {
    let options: ManualOptions = match parse("vrrpd manual", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let mut bytes = Vec::new();
    let written = match options.page {
        Page::Program => program(&mut bytes),
        Page::Configuration => keywords::page(&mut bytes),
        Page::Keywords => keywords::markdown(&mut bytes),
    };
    // A Vec takes everything.
    drop(written);
    stdout(&String::from_utf8_lossy(&bytes));
    0
}

pub(super) fn command() -> Command {
    ManualOptions::command()
}

/// The same page comes out whenever it is made. Empty, but a word for roff all the same.
const NO_DATE: &str = "\"\"";

/// vrrpd(8).
fn program(out: &mut dyn Write) -> io::Result<()> {
    let whole = command::whole();
    let man = Man::new(whole.clone())
        .section("8")
        .manual("vrrpd")
        .date(NO_DATE)
        .source("vrrpd");
    man.render_title(out)?;
    man.render_name_section(out)?;
    let mut page = Roff::new();
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold("vrrpd"), roman(" [OPTION...]")]);
    page.control("br", []);
    page.text([bold("vrrpd"), roman(" SUBCOMMAND [OPTION...]")]);
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(
        &mut page,
        &[
            "vrrpd elects a master among several hosts (VRRP, versions 2 and 3, RFC 9568), moves virtual addresses to it, and says why. It reads keepalived.conf as it stands, takes keepalived's options, answers the same signals and writes the same log lines.",
            "Without a subcommand it runs. Called as keepalived (a symbolic link) it takes keepalived's default paths.",
        ],
    );
    page.to_writer(out)?;
    man.render_options_section(out)?;
    let mut page = Roff::new();
    page.control("SH", ["SUBCOMMANDS"]);
    for subcommand in whole.get_subcommands() {
        describe(&mut page, subcommand);
    }
    page.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in STATUSES {
        page.control("TP", []);
        page.text([bold(status)]);
        page.text([roman(meaning)]);
    }
    page.control("SH", ["SIGNALS"]);
    for (signal, meaning) in SIGNALS {
        page.control("TP", []);
        page.text([bold(signal)]);
        page.text([roman(meaning)]);
    }
    page.control("SH", ["FILES"]);
    for (file, meaning) in FILES {
        page.control("TP", []);
        page.text([italic(file)]);
        page.text([roman(meaning)]);
    }
    page.to_writer(out)
}

const STATUSES: [(&str, &str); 6] = [
    ("0", "it ended in order"),
    ("1", "a bad option, or something that starting again would not heal"),
    ("2", "the configuration cannot be run"),
    ("4", "a right is missing"),
    ("6", "there is no configuration file"),
    (
        "with -t",
        "0 no problem, 2 a keyword without its value, 4 fatal, 5 other problems, 6 insecure scripts",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    (
        "HUP",
        "read the configuration again; what is the same goes on undisturbed, and a bad file changes nothing",
    ),
    ("TERM, INT", "hand mastership over, remove the addresses, end"),
];

const FILES: [(&str, &str); 4] = [
    ("/etc/vrrpd/vrrpd.toml", "the configuration, if it exists"),
    ("/etc/vrrpd/vrrpd.conf", "else this one"),
    ("/etc/keepalived/keepalived.conf", "else this one"),
    ("/run/vrrpd/control.sock", "the control socket"),
];

fn paragraphs(page: &mut Roff, texts: &[&str]) {
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            page.control("PP", []);
        }
        page.text([roman(*text)]);
    }
}

/// One subcommand with its options.
fn describe(page: &mut Roff, command: &Command) {
    page.control("SS", [format!("vrrpd {}", command.get_name()).as_str()]);
    let about = command.get_long_about().or_else(|| command.get_about());
    for (position, text) in about
        .map(ToString::to_string)
        .unwrap_or_default()
        .split("\n\n")
        .enumerate()
    {
        if position > 0 {
            page.control("PP", []);
        }
        page.text([roman(text)]);
    }
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        page.control("TP", []);
        page.text([bold(spelled(argument))]);
        let help = argument.get_long_help().or_else(|| argument.get_help());
        page.text([roman(help.map(ToString::to_string).unwrap_or_default())]);
    }
}

/// `-f, --follow`, `--control PATH`, `[NAME]`.
fn spelled(argument: &Arg) -> String {
    let takes = argument.get_action().takes_values();
    let values: Vec<String> = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    let value = if values.is_empty() {
        argument.get_id().to_string().to_uppercase()
    } else {
        values.join(" ")
    };
    if argument.is_positional() {
        return if argument.is_required_set() {
            value
        } else {
            format!("[{value}]")
        };
    }
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let long = argument.get_long().map(|word| format!("--{word}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let names = names.join(", ");
    if takes { format!("{names} {value}") } else { names }
}
