//! `vrrpd convert`: a configuration in the other language.
//!
//! Exit statuses: 0 written, 1 written although the configuration has problems, which are told, 2 bad options or it cannot be
//! used at all, 3 it cannot be read.

use super::output::{parse, stderr, stdout};
use super::problem::{is_unreadable, messages};
use super::render::Printer;
use crate::config::{Language, LoadOptions, Severity, Source, convert as convert_config};
use crate::system::host::{RealHost, RealSource};
use clap::{Command, CommandFactory, Parser, ValueEnum, ValueHint};

/// Write a configuration in the other language: keepalived.conf as TOML, TOML as keepalived.conf. It means the same; comments
/// stay where they have a place; definitions, sequences and includes are carried out.
#[derive(Debug, Parser)]
#[command(name = "vrrpd convert", disable_version_flag = true)]
struct ConvertOptions {
    /// The configuration; TOML if its name ends in `.toml`.
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
    /// The language to write; the other one if it is not given.
    #[arg(long, value_name = "LANGUAGE")]
    to: Option<To>,
    /// Id that `@id` lines compare with; the host name up to its first dot if it is not given.
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum To {
    /// TOML.
    Toml,
    /// keepalived.conf.
    Keepalived,
}

pub(super) fn convert(words: &[String]) -> u8 {
    let options: ConvertOptions = match parse("vrrpd convert", words) {
        Ok(options) => options,
        Err(0) => return 0,
        Err(_) => return 2,
    };
    let to = match (options.to, Language::of(&options.file)) {
        (Some(To::Toml), _) | (None, Language::Keepalived) => Language::Toml,
        (Some(To::Keepalived), _) | (None, Language::Toml) => Language::Keepalived,
    };
    let load = LoadOptions {
        config_id: options.config_id,
        ..LoadOptions::default()
    };
    let (text, loaded) = convert_config(&options.file, &RealSource, &RealHost, &load, to);
    let read = |path: &str| Some(String::from_utf8_lossy(&RealSource.read(path).ok()?).into_owned());
    let mut printer = Printer::new(&read);
    let problems = loaded
        .diagnostics
        .iter()
        .filter(|problem| problem.severity != Severity::Note);
    let wrong = problems.clone().any(|problem| problem.severity == Severity::Error);
    for problem in messages(problems) {
        stderr(&printer.print(&problem));
    }
    if is_unreadable(&loaded) {
        return 3;
    }
    if loaded.files.is_empty() || loaded.incomplete {
        return 2;
    }
    stdout(&text);
    u8::from(wrong)
}

pub(super) fn command() -> Command {
    ConvertOptions::command()
}
