//! `vrrpd check`: what is wrong with a configuration, and with several nodes together.
//!
//! Exit statuses: 0 clean, 1 warnings (with `--strict`), 2 errors, also on the command line, 3 a file cannot be read.

use super::output::{parse, stderr, stdout};
use super::problem::{is_unreadable, messages, spot};
use super::render::{Message, Printer, Spot, Weight};
use crate::config::{self, Code, Diagnostic, LoadOptions, Loaded, NoHost, Source, load};
use crate::model::Model;
use crate::sim::cluster::{self, ClusterNode, ClusterReport, Finding, RouterReport, Row, Severity};
use crate::system::host::{RealHost, RealSource};
use clap::{Command, CommandFactory, Parser, ValueHint};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

const WARNINGS: u8 = 1;
const ERRORS: u8 = 2;
const UNREADABLE: u8 = 3;

/// Say what is wrong with a configuration. Several files are the nodes of one cluster, a file each: then also what they do
/// together, who becomes master, and what every failure does.
#[derive(Debug, Parser)]
#[command(name = "vrrpd check", disable_version_flag = true)]
struct CheckOptions {
    /// Configuration of a node. NAME is what the node is called, and what `@id` lines compare with.
    #[arg(value_name = "[NAME=]FILE", value_hint = ValueHint::FilePath, required_unless_present = "explain")]
    files: Vec<String>,
    /// A document for machines, schema 1.
    #[arg(long)]
    json: bool,
    /// The file is for another machine: do not ask whether interfaces, users and programs exist on this one.
    #[arg(long)]
    elsewhere: bool,
    /// Exit with 1 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Print the model that the file means, as JSON; passwords and keys are not shown.
    #[arg(long, conflicts_with = "json")]
    dump: bool,
    /// Explain a code.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

pub(super) fn check(words: &[String]) -> u8 {
    let options: CheckOptions = match parse("vrrpd check", words) {
        Ok(options) => options,
        Err(0) => return 0,
        Err(_) => return ERRORS,
    };
    if let Some(code) = &options.explain {
        return explain(code);
    }
    let files: Vec<CheckedFile> = options
        .files
        .iter()
        .map(|path| CheckedFile::read(path, options.elsewhere || options.files.len() > 1))
        .collect();
    let cluster = (files.len() > 1).then(|| judge(&files)).flatten();
    if options.dump {
        for file in &files {
            print_problems(file, &mut |text| stderr(text));
            if let Some(model) = &file.loaded.model {
                stdout(&dump(model));
            }
        }
    } else if options.json {
        stdout(&document(&files, cluster.as_ref()));
    } else {
        print(&files, cluster.as_ref());
    }
    status(&files, cluster.as_ref(), options.strict)
}

pub(super) fn command() -> Command {
    CheckOptions::command()
}

fn explain(code: &str) -> u8 {
    let of_cluster = cluster::Code::ALL
        .iter()
        .map(|known| (known.as_str(), known.explanation()));
    let of_file = Code::ALL.iter().map(|known| (known.name(), known.explanation()));
    let mut all = of_file.chain(of_cluster);
    match all.find(|(name, _)| *name == code) {
        Some((name, explanation)) => {
            stdout(&format!("{name}\n\n{explanation}\n"));
            0
        }
        None => {
            stderr(&format!("vrrpd check: there is no code `{code}`\n"));
            ERRORS
        }
    }
}

/// One file, read.
struct CheckedFile {
    path: String,
    /// Of the node, if one was given.
    name: Option<String>,
    loaded: Loaded,
}

impl CheckedFile {
    /// One of several files is for another machine: whether interfaces and programs exist is not asked of this one.
    fn read(word: &str, elsewhere: bool) -> Self {
        let (name, path) = match word.split_once('=') {
            Some((name, path)) if !name.is_empty() && !name.contains('/') => (Some(name.to_owned()), path),
            Some(_) | None => (None, word),
        };
        let options = LoadOptions {
            config_id: name.clone(),
            test: true,
            lint: true,
            ..LoadOptions::default()
        };
        let loaded = if elsewhere {
            load(path, &RealSource, &NoHost, &options)
        } else {
            load(path, &RealSource, &RealHost, &options)
        };
        Self {
            path: path.to_owned(),
            name,
            loaded,
        }
    }

    fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.loaded
            .diagnostics
            .iter()
            .filter(|d| d.severity == config::Severity::Error)
    }

    fn warnings(&self) -> usize {
        let warnings = |d: &&Diagnostic| d.severity == config::Severity::Warning;
        self.loaded.diagnostics.iter().filter(warnings).count()
    }
}

fn judge(files: &[CheckedFile]) -> Option<ClusterReport> {
    let nodes: Option<Vec<ClusterNode>> = files
        .iter()
        .zip(names(files))
        .map(|(file, name)| {
            let model = file.loaded.model.clone()?;
            Some(ClusterNode { name, model })
        })
        .collect();
    Some(cluster::judge(&nodes?))
}

/// What the nodes are called: as given, else by the file, else by its folder, else by the whole path.
fn names(files: &[CheckedFile]) -> Vec<String> {
    type Way = fn(&Path) -> Option<&OsStr>;
    const WAYS: [Way; 3] = [
        |path| path.file_stem(),
        |path| path.parent()?.file_name(),
        |path| Some(path.as_os_str()),
    ];
    let by = |way: Way| -> Vec<String> {
        let name = |file: &CheckedFile| {
            let found = way(Path::new(&file.path)).map(|name| name.to_string_lossy().into_owned());
            file.name.clone().or(found).unwrap_or_default()
        };
        files.iter().map(name).collect()
    };
    let all_differ = |names: &Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let number = |(n, name): (usize, String)| format!("{name}#{n}");
    WAYS.into_iter()
        .map(by)
        .find(all_differ)
        .unwrap_or_else(|| (1..).zip(by(WAYS[2])).map(number).collect())
}

fn status(files: &[CheckedFile], cluster: Option<&ClusterReport>, strict: bool) -> u8 {
    let found = |severity| cluster.is_some_and(|report| report.findings.iter().any(|f| f.severity == severity));
    let errors = files.iter().any(|file| file.errors().next().is_some()) || found(Severity::Error);
    let warnings = files.iter().any(|file| file.warnings() > 0) || found(Severity::Warning);
    match () {
        () if files.iter().any(|file| is_unreadable(&file.loaded)) => UNREADABLE,
        () if errors => ERRORS,
        () if warnings && strict => WARNINGS,
        () => 0,
    }
}

fn document(files: &[CheckedFile], cluster: Option<&ClusterReport>) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|file| json!({ "path": file.path, "diagnostics": file.loaded.diagnostics }))
        .collect();
    let document = json!({ "schema": 1, "files": files, "cluster": cluster });
    // No type of the document can fail to be written.
    format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default())
}

/// The model as JSON.
fn dump(model: &Model) -> String {
    // No type of the model can fail to be written.
    let mut value = serde_json::to_value(model).unwrap_or_default();
    mask(&mut value);
    format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default())
}

/// Hides passwords and keys.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if matches!(name.as_str(), "Pass" | "Ah" | "bytes") && inner.is_array() {
                    *inner = Value::String("********".into());
                } else {
                    mask(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Errors and warnings of a file.
fn print_problems(file: &CheckedFile, out: &mut dyn FnMut(&str)) {
    let read = read_text;
    let mut printer = Printer::new(&read);
    let problems = file.loaded.diagnostics.iter();
    for problem in messages(problems.filter(|problem| problem.severity != config::Severity::Note)) {
        out(&printer.print(&problem));
    }
}

fn read_text(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&RealSource.read(path).ok()?).into_owned())
}

fn print(files: &[CheckedFile], cluster: Option<&ClusterReport>) {
    let read = read_text;
    let mut printer = Printer::new(&read);
    let alone = files.len() == 1;
    for file in files {
        let shown = |problem: &&Diagnostic| alone || problem.severity == config::Severity::Error;
        for problem in messages(file.loaded.diagnostics.iter().filter(shown)) {
            stdout(&printer.print(&problem));
        }
        let count = file.warnings();
        if !alone && count > 0 {
            let (plural, them) = if count == 1 { ("", "it") } else { ("s", "them") };
            let path = &file.path;
            stdout(&format!(
                "{path}: {count} warning{plural} of its own; `vrrpd check {path}` shows {them}\n"
            ));
        }
        if file.loaded.model.is_none() {
            stdout(&format!("{}: cannot run as it is\n", file.path));
        }
    }
    if let Some(report) = cluster {
        report
            .routers
            .iter()
            .for_each(|router| stdout(&format!("\n{}", table(router))));
        for finding in &report.findings {
            stdout(&format!("\n{}", printer.print(&cluster_message(finding, files))));
        }
    }
}

fn cluster_message(finding: &Finding, files: &[CheckedFile]) -> Message {
    let spots = finding.places.iter().filter_map(|place| {
        let places = &files.get(place.node)?.loaded.places;
        // Without the keyword its absence is the mistake: the instance is shown.
        let of = |keyword: &str| places.get(&(place.instance.clone(), keyword.to_owned()));
        of(place.keyword.unwrap_or_default()).or_else(|| of("")).map(spot)
    });
    let mut spots: Vec<Spot> = spots.collect();
    let first = if spots.is_empty() { None } else { Some(spots.remove(0)) };
    Message {
        weight: match finding.severity {
            Severity::Error => Weight::Error,
            Severity::Warning => Weight::Warning,
        },
        code: finding.code.to_string(),
        text: finding.message.clone(),
        at: first,
        related: spots.into_iter().map(|spot| (spot, String::new())).collect(),
        hint: finding.hint.clone(),
    }
}

/// Who of several possible masters it is when they start, or take over, at the same time.
fn at_once(router: &RouterReport) -> String {
    let priority = |node: &String| {
        router
            .all_well
            .iter()
            .find(|start| start.master == *node)
            .map(|start| start.priority)
    };
    match router.at_once.as_slice() {
        [only] => {
            let equal = router
                .all_well
                .iter()
                .all(|start| Some(start.priority) == priority(only));
            let what = if equal { "address" } else { "priority" };
            format!("  note: at the same time, {only} wins, whose {what} is the highest\n")
        }
        _ => {
            "  note: at the same time, the one whose address is the highest wins; the files do not tell it\n".to_owned()
        }
    }
}

/// Who becomes master, and what every single failure of it does.
fn table(router: &RouterReport) -> String {
    let vips: Vec<String> = router.vips.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{}  {} VRID {}  {}  on {}\n",
        router.name,
        router.family,
        router.vrid,
        vips.join(" "),
        router.nodes.join(", ")
    );
    let masters: Vec<String> = router
        .all_well
        .iter()
        .map(|s| format!("{} ({})", s.master, s.priority))
        .collect();
    text.push_str(&match masters.as_slice() {
        [] => "  when all is well, nobody is master\n".to_owned(),
        [only] => format!("  when all is well, {only} is master\n"),
        [rest @ .., last] => format!(
            "  when all is well, {} or {last} is master: whichever starts first\n{}",
            rest.join(", "),
            at_once(router)
        ),
    });
    let stays = |row: &&Row| row.after == [row.before.clone()] && row.failure.node() != row.before;
    let told: Vec<&Row> = router.failures.iter().filter(|row| !stays(row)).collect();
    let width = told.iter().map(|row| row.failure.to_string().len()).max().unwrap_or(0);
    for start in &router.all_well {
        let rows: Vec<&&Row> = told.iter().filter(|row| row.before == start.master).collect();
        if rows.is_empty() {
            continue;
        }
        if masters.len() > 1 {
            text.push_str(&format!("  while {} is master\n", start.master));
        }
        for row in rows {
            text.push_str(&format!("    {:<width$}  {}\n", row.failure.to_string(), row.text));
        }
    }
    if router.failures.iter().any(|row| stays(&row)) {
        text.push_str("    any other single failure leaves the master where it is\n");
    }
    if router.played > 0 {
        let all = if router.complete { "all" } else { "not all" };
        text.push_str(&format!(
            "  {} combinations of failures played, {all} that there are\n",
            router.played
        ));
    }
    text
}
