//! `vrrpd reload`: asks the running daemon to read its configuration again, and says what became of it; with `--dry-run` what
//! would become of it.
//!
//! Exit statuses: 0 taken, or it would be; 1 bad options; 2 refused, or it would be; 3 nobody answers; 4 the daemon ended before
//! it answered.

use super::output::{parse, stderr, stdout};
use super::problem::messages;
use super::render::Printer;
use super::status::NO_DAEMON;
use crate::config::{Change, Difference, Fate, Kind, LoadOptions, Loaded, Object, Severity, Source, difference, load};
use crate::control::client;
use crate::model::Micros;
use crate::proto::{Span, StateName};
use crate::sim::{Forecast, Outlook, Prospect, Step};
use crate::supervisor::{ReloadAnswer, ReloadReport, unchangeable};
use crate::system::host::{RealHost, RealSource};
use clap::{Command, CommandFactory, Parser, ValueHint};
use serde_json::{Value, json};
use std::path::PathBuf;

const REFUSED: u8 = 2;
const NO_ANSWER: u8 = 4;
/// Names of one kind that are listed at most.
const NAMES: usize = 12;

/// Let the running daemon read its configuration again, and say what became of it.
///
/// What cannot run is refused whole: nothing changes, and every problem is told. Else every instance, group and tracker is told
/// with its fate (untouched, adjusted, restarted, added, removed), the keywords that have another value, and what that means
/// for who is master.
#[derive(Debug, Parser)]
#[command(name = "vrrpd reload", disable_version_flag = true)]
struct ReloadOptions {
    /// Only say what a reload would do now; nothing is changed.
    #[arg(long)]
    dry_run: bool,
    /// A document for machines, schema 1.
    #[arg(long)]
    json: bool,
    /// The control socket.
    #[arg(long, value_name = "PATH", conflicts_with = "files")]
    control: Option<PathBuf>,
    /// With --dry-run: compare these two files instead of asking a daemon.
    #[arg(value_names = ["OLD", "NEW"], num_args = 2, requires = "dry_run", value_hint = ValueHint::FilePath)]
    files: Vec<String>,
}

pub(super) fn command() -> Command {
    ReloadOptions::command()
}

pub(super) fn reload(words: &[String]) -> u8 {
    let options: ReloadOptions = match parse("vrrpd reload", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let answer = match options.files.as_slice() {
        [old, new] => compare(old, new),
        _ => match ask(options.control, options.dry_run) {
            Ok(answer) => answer,
            Err(exit) => return exit,
        },
    };
    let forecast = answer.forecast.clone();
    let told = Told {
        answer: &answer,
        // Another version of the daemon may write it otherwise; what it did is told all the same.
        forecast: forecast.and_then(|forecast| serde_json::from_value(forecast).ok()),
        dry_run: options.dry_run,
    };
    if options.json {
        // No type of the document can fail to be written.
        let text = serde_json::to_string_pretty(&told.document()).unwrap_or_default();
        stdout(&format!("{text}\n"));
    } else {
        told.print();
    }
    if answer.refused.is_empty() { 0 } else { REFUSED }
}

/// The daemon's answer.
fn ask(control: Option<PathBuf>, dry_run: bool) -> Result<ReloadAnswer, u8> {
    let failed = |error: client::AskError| {
        stderr(&format!("vrrpd: {error}\n"));
        match error {
            client::AskError::NoAnswer(_) => NO_ANSWER,
            client::AskError::NoDaemon(_) | client::AskError::Answer(..) | client::AskError::Several(_) => NO_DAEMON,
        }
    };
    let path = client::find(control).map_err(failed)?;
    let line = client::reload(&path, dry_run).map_err(failed)?;
    match serde_json::from_str(&line) {
        Ok(answer) => Ok(answer),
        Err(_) => Err(failed(client::AskError::Answer(path, line.trim().to_owned()))),
    }
}

/// What a reload from one file to the other would do, without a daemon.
fn compare(old: &str, new: &str) -> ReloadAnswer {
    let options = LoadOptions {
        exact: true,
        ..LoadOptions::default()
    };
    let read = |path: &str| load(path, &RealSource, &RealHost, &options);
    let (before, now) = (read(old), read(new));
    let cannot = |path: &str, loaded: &Loaded| loaded.model.is_none().then(|| format!("{path} cannot run as it is"));
    let mut refused: Vec<String> = cannot(old, &before).into_iter().chain(cannot(new, &now)).collect();
    let mut report = ReloadReport {
        path: new.to_owned(),
        files: now.files,
        hash: now.hash,
        diagnostics: now.diagnostics,
        difference: None,
        waits_for_restart: Vec::new(),
    };
    if before.model.is_none() {
        report.diagnostics.extend(before.diagnostics);
    }
    if let (Some(before), Some(now)) = (&before.model, &now.model) {
        refused.extend(unchangeable(&before.global, &now.global, true, "vrrpd"));
        report.waits_for_restart = crate::config::waiting_for_restart(&before.global, &now.global);
        report.difference = Some(difference(before, now));
    }
    ReloadAnswer {
        refused,
        report: Some(report),
        forecast: None,
    }
}

/// What is to be told.
struct Told<'a> {
    answer: &'a ReloadAnswer,
    /// What is to be expected; `None`: no daemon was asked, or it does not know.
    forecast: Option<Forecast>,
    dry_run: bool,
}

impl Told<'_> {
    fn verdict(&self) -> &'static str {
        match (self.answer.refused.is_empty(), self.dry_run) {
            (true, false) => "taken",
            (true, true) => "would be taken",
            (false, false) => "refused",
            (false, true) => "would be refused",
        }
    }

    fn difference(&self) -> Option<&Difference> {
        self.answer.report.as_ref()?.difference.as_ref()
    }

    /// What is to be expected of an instance.
    fn outlook(&self, object: &Object) -> Option<&Outlook> {
        let forecast = self.forecast.as_ref().filter(|_| object.kind == Kind::Instance)?;
        forecast.instances.iter().find(|one| *one.name == *object.name)
    }

    fn document(&self) -> Value {
        let report = self.answer.report.clone().unwrap_or_default();
        let object = |object: &Object| {
            let mut value = serde_json::to_value(object).unwrap_or_default();
            if let (Value::Object(fields), Some(outlook)) = (&mut value, self.outlook(object)) {
                fields.insert("meaning".into(), meaning(outlook).into());
                fields.insert("forecast".into(), json!(outlook));
            }
            value
        };
        let difference = self.difference();
        json!({
            "schema": 1,
            "verdict": self.verdict(),
            "dry_run": self.dry_run,
            "refused": self.answer.refused,
            "config": { "path": report.path, "files": report.files, "hash": report.hash },
            "diagnostics": report.diagnostics,
            "waits_for_restart": report.waits_for_restart,
            "global": difference.map(|difference| &difference.global),
            "forecast": self.forecast.as_ref().map(|all| {
                json!({ "played_ms": all.played_ms, "settled": all.settled, "assumes": all.assumes })
            }),
            "objects": difference.map(|difference| difference.objects.iter().map(object).collect::<Vec<_>>()),
        })
    }

    fn print(&self) {
        self.print_problems();
        let report = self.answer.report.as_ref();
        let path = report.map_or("the configuration", |report| &report.path);
        if !self.answer.refused.is_empty() {
            let stays = if self.dry_run { "would change" } else { "has changed" };
            stderr(&format!("vrrpd: {path} {}: nothing {stays}\n", self.verdict()));
            return;
        }
        let included = report.map_or(0, |report| report.files.len().saturating_sub(1));
        let more = match included {
            0 => String::new(),
            1 => " with 1 included file".to_owned(),
            more => format!(" with {more} included files"),
        };
        stdout(&format!("{path}{more}: {}\n", self.verdict()));
        if let Some(difference) = self.difference() {
            stdout(&self.text(difference));
        }
        for change in report.iter().flat_map(|report| &report.waits_for_restart) {
            let keyword = &change.keyword;
            stdout(&format!("{keyword} counts only after a restart of the daemon\n"));
        }
    }

    /// What is wrong, with its place, and every other reason of a refusal.
    fn print_problems(&self) {
        let refused = !self.answer.refused.is_empty();
        let read = |path: &str| Some(String::from_utf8_lossy(&RealSource.read(path).ok()?).into_owned());
        let mut printer = Printer::new(&read);
        let diagnostics = self.answer.report.as_ref().map(|report| report.diagnostics.as_slice());
        let diagnostics = diagnostics.unwrap_or_default();
        let shown = diagnostics
            .iter()
            .filter(|one| refused || one.severity != Severity::Note);
        for problem in messages(shown) {
            stderr(&printer.print(&problem));
        }
        let placed: Vec<String> = diagnostics.iter().flat_map(|one| one.keepalived_lines()).collect();
        for reason in self.answer.refused.iter().filter(|reason| !placed.contains(reason)) {
            stderr(&format!("vrrpd: {reason}\n"));
        }
    }

    fn text(&self, difference: &Difference) -> String {
        let objects = &difference.objects;
        let moves = |object: &Object| self.outlook(object).is_some_and(|one| !one.verdict.is_calm());
        let touched = objects
            .iter()
            .filter(|object| object.fate != Fate::Untouched || moves(object));
        let mut text = table(&difference.global);
        for object in touched {
            let [word, _] = object.kind.words();
            text.push_str(&format!("{word} {}: {}", object.name, object.fate.as_str()));
            if let Some(name) = &object.formerly {
                text.push_str(&format!(", it was called {name}"));
            }
            text.push('\n');
            text.push_str(&table(&object.changes));
            if let Some(outlook) = self.outlook(object) {
                text.push_str(&format!("  {}\n", meaning(outlook)));
                let assumed = outlook.assumes.iter().map(|what| format!("    assumed: {what}\n"));
                text.extend(assumed);
            }
        }
        text.push_str(&untouched(objects));
        if let Some(forecast) = &self.forecast {
            let assumed = forecast.assumes.iter().map(|what| format!("assumed: {what}\n"));
            text.extend(assumed);
            if !forecast.settled {
                let seconds = forecast.played_ms / 1_000;
                text.push_str(&format!(
                    "what comes later than {seconds} s after the reload is not foreseen\n"
                ));
            }
        }
        text
    }
}

/// Changed keywords in columns.
fn table(changes: &[Change]) -> String {
    let name = |change: &Change| match change.block.split_once(" / ") {
        Some((_, inner)) => format!("{inner} {}", change.keyword),
        None => change.keyword.clone(),
    };
    let rows: Vec<[String; 3]> = changes
        .iter()
        .map(|change| [name(change), value(change), change.effect.as_str().to_owned()])
        .collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| Some(row.get(column)?.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    rows.iter()
        .map(|[name, value, effect]| format!("  {name:<first$}  {value:<second$}  {effect}\n"))
        .collect()
}

/// Old and new value: one word for another, or what came to a list and what left it.
fn value(change: &Change) -> String {
    let one = |items: &[String]| items.first().map_or("none".to_owned(), |item| item.replace('\n', " "));
    if change.old.len() <= 1 && change.new.len() <= 1 {
        return format!("{} -> {}", one(&change.old), one(&change.new));
    }
    let gone = change
        .old
        .iter()
        .filter(|item| !change.new.contains(item))
        .map(|item| format!("- {item}"));
    let come = change
        .new
        .iter()
        .filter(|item| !change.old.contains(item))
        .map(|item| format!("+ {item}"));
    let words: Vec<String> = gone.chain(come).collect();
    if words.is_empty() {
        return "another order".to_owned();
    }
    words.join(", ")
}

fn untouched(objects: &[Object]) -> String {
    let kinds = [
        Kind::Instance,
        Kind::Group,
        Kind::Script,
        Kind::File,
        Kind::Process,
        Kind::Bfd,
    ];
    let told = kinds.into_iter().filter_map(|kind| {
        let of_kind = objects
            .iter()
            .filter(|object| object.kind == kind && object.fate == Fate::Untouched);
        let names: Vec<&str> = of_kind.map(|object| &*object.name).collect();
        let [one, several] = kind.words();
        let word = if names.len() == 1 { one } else { several };
        let mut list = names.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
        if names.len() > NAMES {
            list.push_str(&format!(" and {} more", names.len() - NAMES));
        }
        (!names.is_empty()).then(|| format!("{} {word} ({list})", names.len()))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return String::new();
    }
    format!("untouched: {}\n", told.join(", "))
}

/// What becomes of an instance, for who is master.
fn meaning(outlook: &Outlook) -> String {
    let why = |step: Option<&Step>| step.map_or(String::new(), |step| format!(": {}", step.detail));
    let when = |step: Option<&Step>| match step.map_or(0, |step| step.after_ms) {
        0 => String::new(),
        ms => format!(" after {}", Span(Micros::from_millis(ms))),
    };
    let release = if outlook.releases { ", with priority 0" } else { "" };
    let left = outlook.steps.iter().find(|step| step.from == StateName::Master);
    let last = outlook.steps.last();
    let priority = outlook
        .priority
        .map_or(String::new(), |priority| format!(" with priority {priority}"));
    let waits = outlook.waits_for.join("; ");
    match outlook.verdict {
        Prospect::StaysMaster if outlook.tells_at_once => {
            format!("it stays MASTER{priority}, and tells the others at once")
        }
        Prospect::StaysMaster => format!("it stays MASTER{priority}"),
        Prospect::Interrupts => {
            let gives_up = format!("it gives mastership up{}{release}{}", when(left), why(left));
            format!("{gives_up}; it is MASTER again{}{}", when(last), why(last))
        }
        Prospect::GivesUp => format!("it gives mastership up{}{release}{}", when(left), why(left)),
        Prospect::TakesOver => format!("it takes over{}{priority}{}", when(last), why(last)),
        Prospect::StaysBackup if outlook.from == Some(StateName::Backup) => format!("it stays BACKUP{priority}"),
        Prospect::StaysBackup => format!("it is BACKUP{priority} then"),
        Prospect::Waits => format!("it waits{priority}: {waits}"),
        Prospect::GoesToFault => format!("it goes to FAULT{}{release}{}", when(last), why(last)),
        Prospect::StaysInFault => "it stays in FAULT".to_owned(),
        Prospect::Leaves if outlook.from == Some(StateName::Master) => {
            format!(
                "it is MASTER and leaves{release}: its addresses are removed, another router takes over if there is one"
            )
        }
        Prospect::Leaves => "it leaves, and nobody else notices".to_owned(),
    }
}

#[cfg(test)]
mod tests;
