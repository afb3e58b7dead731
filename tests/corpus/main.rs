//! Real configurations, judged by keepalived: verdict, exit status, what was understood, and the messages.
//!
//! Every difference stands in `differences.tsv` with its reason and whom it hurts; one that does not fails the test, and so
//! does a file that keepalived loads and we refuse.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a test says by a panic what is wrong"
)]

mod answers;
mod host;
mod summary;

use host::{Environment, Files, Variant};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vrrpd::config::{Class, Diagnostic, LoadOptions, Loaded, MemorySource, load, print_keepalived};
use vrrpd::model::{Model, Program};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus")
}

/// A row of INDEX.tsv.
struct Row {
    file: String,
    /// Of keepalived 2.4.3 in `root` and `bare`.
    exits: [String; 2],
    /// `None`: keepalived dies of the file, which is no verdict.
    loaded: Option<bool>,
}

fn rows() -> Vec<Row> {
    let index = std::fs::read_to_string(corpus().join("INDEX.tsv")).unwrap();
    let mut lines = index.lines();
    let columns: Vec<_> = lines.next().unwrap().split('\t').collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (file, root, bare, loaded) = (at("file"), at("exit_2.4.3_root"), at("exit_2.4.3_bare"), at("loaded"));
    let row = |line: &str| {
        let fields: Vec<_> = line.split('\t').collect();
        Row {
            file: fields[file].to_owned(),
            exits: [fields[root].to_owned(), fields[bare].to_owned()],
            loaded: (!fields[root].starts_with("sig")).then(|| fields[loaded] == "yes"),
        }
    };
    lines.map(row).collect()
}

fn read(file: &str, environment: &Environment) -> Loaded {
    let source = Files { root: corpus() };
    let options = LoadOptions {
        config_id: Some("high".into()),
        test: true,
        ..LoadOptions::default()
    };
    load(file, &source, environment, &options)
}

/// What keepalived understood. Where the interface below a VMAC did not exist when the answer was recorded, its dump names
/// the VMAC itself; the addresses on it name the interface.
fn expected_summary(mut summary: Value) -> Value {
    let instances = summary.get_mut("instances").and_then(Value::as_array_mut);
    for instance in instances.into_iter().flatten() {
        let base = instance["vips"][0]["base"].clone();
        if instance["vmac"]["name"] == instance["interface"] && !base.is_null() {
            instance["interface"] = base;
        }
    }
    summary
}

/// Fields that keepalived leaves out when they have this value.
fn left_out(key: &str) -> Option<Value> {
    match key {
        "strict_mode" | "skip_check_adv_addr" | "dont_track_primary" => Some(Value::Bool(false)),
        "debug" => Some(Value::from(0)),
        _ if key.starts_with("notify") => Some(Value::Null),
        _ => None,
    }
}

/// Paths of fields that differ.
fn compare(path: &str, expected: &Value, ours: &Value, out: &mut Vec<String>) {
    match (expected, ours) {
        (Value::Object(expected), Value::Object(ours)) => {
            let keys: BTreeSet<_> = expected.keys().chain(ours.keys()).collect();
            for key in keys {
                let inner = format!("{path}.{key}");
                match (expected.get(key), ours.get(key)) {
                    (Some(expected), Some(ours)) => compare(&inner, expected, ours, out),
                    (None, Some(ours)) => {
                        let known = left_out(key);
                        // Printed for some kinds of instances only.
                        let partial = matches!(key.as_str(), "v3_checksum_as_v2" | "unicast_ttl" | "mcast_address");
                        if !partial && known.as_ref() != Some(ours) {
                            out.push(format!("{inner}: nothing here, we {ours}"));
                        }
                    }
                    (Some(expected), None) if expected.is_null() => {}
                    (Some(expected), None) => out.push(format!("{inner}: {expected} here, we nothing")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(expected), Value::Array(ours)) => {
            if expected.len() != ours.len() {
                let name = |value: &Value| value.get("name").or(value.get("address")).unwrap_or(value).to_string();
                let names = |list: &[Value]| list.iter().map(name).collect::<BTreeSet<_>>();
                let (theirs, mine) = (names(expected), names(ours));
                let only: Vec<_> = theirs.symmetric_difference(&mine).take(3).cloned().collect();
                out.push(format!(
                    "{path}: {} here, we {}: {}",
                    expected.len(),
                    ours.len(),
                    only.join(" ")
                ));
                return;
            }
            for (index, (expected, ours)) in expected.iter().zip(ours).enumerate() {
                let name = ours
                    .get("name")
                    .and_then(Value::as_str)
                    .map_or_else(|| index.to_string(), str::to_owned);
                compare(&format!("{path}[{name}]"), expected, ours, out);
            }
        }
        (Value::Number(expected), Value::Number(ours)) => {
            if expected.as_f64() != ours.as_f64() {
                out.push(format!("{path}: {expected} here, we {ours}"));
            }
        }
        (Value::String(expected), Value::Null) if expected == "not configured" => {}
        // A name that looks like a number.
        (Value::Number(number), Value::String(text)) if number.to_string() == *text => {}
        // "Any" is written in three ways.
        (Value::String(expected), Value::String(ours)) if any_source(expected) == any_source(ours) => {}
        (expected, ours) => {
            if expected != ours {
                out.push(format!("{path}: {expected} here, we {ours}"));
            }
        }
    }
}

fn any_source(rule: &str) -> &str {
    rule.strip_prefix("from 0.0.0.0/0 ")
        .or(rule.strip_prefix("from all "))
        .unwrap_or(rule)
}

/// A message's line, and its words without those that depend on the file.
type Message = (Option<u32>, String);

fn kind(message: &str) -> String {
    let mut quoted = String::new();
    let mut open = false;
    for c in message.chars() {
        if matches!(c, '\'' | '`' | '"') {
            open = !open;
        } else if !open {
            quoted.push(c);
        }
    }
    let plain = |word: &&str| {
        word.chars()
            .all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | ',' | ':' | '!'))
    };
    quoted
        .split_whitespace()
        .filter(plain)
        .take(7)
        .collect::<Vec<_>>()
        .join(" ")
}

fn message(line: &str) -> Message {
    let Some((place, text)) = line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else {
        return (None, kind(line));
    };
    let number = place
        .strip_prefix("Line ")
        .or_else(|| place.split_once(": Line ").map(|(_, number)| number));
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => (Some(number), kind(text)),
        None => (None, kind(line)),
    }
}

fn expected_messages(file: &str, variant: Variant) -> BTreeSet<Message> {
    let base = corpus().join("expected");
    let own = match variant {
        Variant::Root => base.join(format!("{file}.root.messages")),
        Variant::Bare => base.join(format!("{file}.bare.messages")),
    };
    let text = std::fs::read(own)
        .or_else(|_| std::fs::read(base.join(format!("{file}.messages"))))
        .unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(message).collect()
}

fn our_messages(diagnostics: &[Diagnostic]) -> BTreeSet<Message> {
    let told = diagnostics.iter().filter(|diagnostic| diagnostic.class.is_some());
    told.flat_map(Diagnostic::keepalived_lines)
        .map(|line| message(&line))
        .collect()
}

/// What was found for one file: field and difference.
#[derive(Default)]
struct Findings {
    list: Vec<(String, String)>,
    /// The verdict differs only by what is decided (DESIGN differences 3 and 9): a configuration that names a missing
    /// interface is loaded, and the interface waited for; a missing file is 4.
    by_design: bool,
}

impl Findings {
    fn add(&mut self, field: &str, what: String) {
        self.list.push((field.to_owned(), what));
    }
}

fn judge(row: &Row) -> Findings {
    let mut findings = Findings {
        by_design: true,
        ..Findings::default()
    };
    let list = std::fs::read_to_string(corpus().join("interfaces.txt")).unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(corpus().join(&row.file)).unwrap()).into_owned();
    for (variant, name, exit) in [
        (Variant::Root, "root", &row.exits[0]),
        (Variant::Bare, "bare", &row.exits[1]),
    ] {
        let environment = Environment::new(variant, &list, &text);
        let loaded = read(&row.file, &environment);
        if let Ok(exit) = exit.parse::<u8>() {
            let ours = loaded.test_status();
            let has = |class| loaded.diagnostics.iter().any(|d| d.class == Some(class));
            if exit != ours {
                findings.by_design &= ours == 4 && has(Class::FileNotFound);
                findings.add(&format!("exit.{name}"), format!("{exit} here, we {ours}"));
            }
            let (theirs, mine) = (expected_messages(&row.file, variant), our_messages(&loaded.diagnostics));
            for (line, text) in mine.difference(&theirs) {
                findings.add(&format!("message.{name}"), format!("only ours: {line:?} {text}"));
            }
            for (line, text) in theirs.difference(&mine) {
                findings.add(&format!("missing.{name}"), format!("only theirs: {line:?} {text}"));
            }
        }
        if variant == Variant::Root {
            let ours = loaded.model.is_some();
            if let Some(theirs) = row.loaded.filter(|theirs| *theirs != ours) {
                let waited = |d: &Diagnostic| d.class == Some(Class::BadInterface);
                findings.by_design &= loaded.diagnostics.iter().any(waited);
                findings.add("loaded", format!("{theirs} here, we {ours}"));
            }
            let path = corpus().join(format!("expected/{}.json", row.file));
            let expected: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let expected = expected_summary(expected["summary"].clone());
            if let (Some(model), false) = (&loaded.model, expected.is_null()) {
                let ours = summary::summary(model, &|id| environment.name_of(id));
                let mut out = Vec::new();
                compare("", &expected, &ours, &mut out);
                for difference in out {
                    let (field, what) = difference.split_once(": ").unwrap();
                    findings.add(&format!("model{field}"), what.to_owned());
                }
            }
        }
    }
    findings
}

/// Listed differences: file → fields (a `*` at the end stands for any rest).
fn listed() -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in include_str!("differences.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
    {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields.len(), 4, "file, field, reason, whom it hurts: {line}");
        all.entry(fields[0].to_owned()).or_default().push(fields[1].to_owned());
    }
    all
}

/// Per cent of the files of every folder that have to be equal.
const LEAST: u32 = 98;

/// Files of a folder.
#[derive(Default)]
struct Figures {
    files: u32,
    /// The same exit status of `-t` with and without scripts.
    exits: u32,
    /// Of the others, those that a decision explains (DESIGN difference 9: a missing include is 4).
    exits_decided: u32,
    /// Started or refused as keepalived does.
    starts: u32,
    /// Of the others, those that wait for an interface (DESIGN difference 3), at which keepalived ends.
    waits: u32,
    models: u32,
    messages: u32,
    listed: u32,
}

impl Figures {
    fn count(&mut self, findings: &Findings) {
        let any = |begin: &str| findings.list.iter().any(|(field, _)| field.starts_with(begin));
        let decided = |differs: bool| u32::from(differs && findings.by_design);
        self.files += 1;
        self.exits += u32::from(!any("exit"));
        self.exits_decided += decided(any("exit"));
        self.starts += u32::from(!any("loaded"));
        self.waits += decided(any("loaded"));
        self.models += u32::from(!any("model"));
        self.messages += u32::from(!any("message") && !any("missing"));
    }

    /// What has to reach [`LEAST`]: all of it strictly, but that a file that only waits is no refusal.
    fn judged(&self) -> [(&'static str, u32); 3] {
        [
            ("exit statuses", self.exits),
            ("starts", self.starts + self.waits),
            ("models", self.models),
        ]
    }
}

#[test]
fn real_files_are_understood_as_keepalived_understands_them() {
    let listed = listed();
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let (mut unlisted, mut refused, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut everything = Vec::new();
    for row in rows() {
        let findings = judge(&row);
        let folder = row.file.split('/').next().unwrap().to_owned();
        let figure = figures.entry(folder).or_default();
        figure.count(&findings);
        if row.loaded == Some(true) && findings.list.iter().any(|(field, _)| field == "loaded") {
            refused.push(row.file.clone());
        }
        let known = listed.get(&row.file);
        let mut is_listed = false;
        for (field, what) in findings.list {
            everything.push(format!("{}\t{field}\t{what}", row.file));
            let covers = |pattern: &&String| match pattern.strip_suffix('*') {
                Some(begin) => field.starts_with(begin),
                None => **pattern == field,
            };
            match known.and_then(|patterns| patterns.iter().find(covers)) {
                Some(pattern) => {
                    is_listed = true;
                    used.insert((row.file.clone(), pattern.clone()));
                }
                None => unlisted.push(format!("{}\t{field}\t{what}", row.file)),
            }
        }
        figure.listed += u32::from(is_listed);
    }
    println!("folder       files  exits  decided  starts  waits  models  messages  listed");
    for (folder, f) in &figures {
        println!(
            "{folder:<12}{:>6}{:>7}{:>9}{:>8}{:>7}{:>8}{:>10}{:>8}",
            f.files, f.exits, f.exits_decided, f.starts, f.waits, f.models, f.messages, f.listed
        );
    }
    if let Ok(path) = std::env::var("CORPUS_DIFFERENCES") {
        std::fs::write(path, everything.join("\n") + "\n").unwrap();
    }
    assert!(refused.is_empty(), "keepalived loads these, we do not: {refused:#?}");
    for (folder, f) in &figures {
        for (what, equal) in f.judged() {
            assert!(
                equal * 100 >= f.files * LEAST,
                "{folder}: only {equal} of {} {what} are equal",
                f.files
            );
        }
    }
    assert!(
        unlisted.is_empty(),
        "{} differences that are not listed:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
    let all: BTreeSet<_> = listed
        .iter()
        .flat_map(|(file, fields)| fields.iter().map(move |f| (file.clone(), f.clone())))
        .collect();
    let stale: Vec<_> = all.difference(&used).collect();
    assert!(stale.is_empty(), "listed, but equal by now: {stale:#?}");
}

/// The exit status follows the highest class.
#[test]
fn the_mildest_class_decides() {
    assert!(Class::General > Class::Fatal && Class::Security > Class::Deprecated);
}

/// Files that nobody had seen when the reader was written: verdict, instances, priorities and addresses of Debian's keepalived.
#[test]
fn files_never_seen_mean_what_they_mean_to_keepalived() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let answers = include_str!("unseen/KEEPALIVED.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut wrong = Vec::new();
    for answer in answers {
        let fields: Vec<_> = answer.split('\t').collect();
        let path = format!("tests/corpus/unseen/{}", fields[0]);
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let environment = Environment::new(Variant::Root, "eth0\neth1", &text);
        let options = LoadOptions {
            config_id: Some("high".into()),
            test: true,
            ..LoadOptions::default()
        };
        let loaded = load(&path, &Files { root: root.clone() }, &environment, &options);
        let status = loaded.test_status().to_string();
        if status != fields[1] {
            wrong.push(format!("{}: {} here, we {status}", fields[0], fields[1]));
        }
        let instances = loaded.model.iter().flat_map(|model| &model.instances).map(|instance| {
            let all = instance.vips.iter().chain(&instance.excluded_vips);
            let vips: BTreeSet<_> = all.map(|vip| format!("{}/{}", vip.address, vip.prefix_len)).collect();
            let vips = vips.into_iter().collect::<Vec<_>>().join(" ");
            let (name, vrid, priority) = (&instance.name, instance.vrid.get(), instance.priority.get());
            format!("{name} vrid {vrid} priority {priority}: {vips}")
                .trim_end()
                .to_owned()
        });
        let ours = instances.collect::<Vec<_>>().join(" | ");
        if fields[2] != "-" && fields[2] != ours {
            wrong.push(format!("{}: {} here, we {ours}", fields[0], fields[2]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Writing a model and reading it again gives the same model, for every file of the corpus.
#[test]
fn a_written_model_is_read_back_equal() {
    let list = std::fs::read_to_string(corpus().join("interfaces.txt")).unwrap();
    let (mut models, mut wrong) = (0, Vec::new());
    for row in rows() {
        let text = String::from_utf8_lossy(&std::fs::read(corpus().join(&row.file)).unwrap()).into_owned();
        let environment = Environment::new(Variant::Root, &list, &text);
        let Some(model) = read(&row.file, &environment).model else {
            continue;
        };
        models += 1;
        let printed = print_keepalived(&model);
        let environment = Environment::new(Variant::Root, &list, &printed);
        let source = MemorySource::new("printed", &printed);
        let again = load("printed", &source, &environment, &LoadOptions::default());
        let ids = |model: Option<Model>| model.map(|model| serde_json::to_value(named(model)).unwrap());
        let (mut out, first, second) = (Vec::new(), ids(Some(model)), ids(again.model));
        compare("", &first.unwrap(), &second.unwrap_or(Value::Null), &mut out);
        if !out.is_empty() {
            wrong.push(format!("{}: {}", row.file, out[..out.len().min(3)].join("; ")));
        }
    }
    println!("{models} models, {} not equal", wrong.len());
    assert!(models > 500);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Users have numbers by the order in which they are asked for; only their names count.
fn named(mut model: Model) -> Model {
    let forget = |program: &mut Option<Program>| {
        if let Some(program) = program {
            program.user = None;
        }
    };
    model.global.script_user = None;
    model.scripts.iter_mut().for_each(|script| script.user = None);
    for fifo in [
        &mut model.global.notify_fifo,
        &mut model.global.vrrp_notify_fifo,
        &mut model.global.lvs.notify_fifo,
    ] {
        fifo.user = None;
        forget(&mut fifo.program);
    }
    forget(&mut model.global.startup.program);
    forget(&mut model.global.shutdown.program);
    let instances = model
        .instances
        .iter_mut()
        .filter_map(|instance| instance.notify.as_deref_mut());
    for notify in instances.chain(model.groups.iter_mut().map(|group| &mut group.notify)) {
        for program in [
            &mut notify.master,
            &mut notify.backup,
            &mut notify.fault,
            &mut notify.stop,
            &mut notify.any,
            &mut notify.deleted_program,
            &mut notify.master_rx_lower_pri,
        ] {
            forget(program);
        }
    }
    model
}
