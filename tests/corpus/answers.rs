//! What keepalived says of short texts: every row of `semantic-checks.md`, every keyword with right and wrong values, entries of
//! addresses, routes and rules. Exit status and messages are compared word for word.

use crate::host::Files;
use std::collections::BTreeSet;
use std::path::PathBuf;
use vrrpd::config::{Diagnostic, FileFacts, FileKind, Host, InterfaceFacts, LinkKind, LoadOptions, MemorySource, load};
use vrrpd::model::{IfName, ProgramUser};

/// The machine on which the answers were recorded.
struct Recorded;

const DIRECTORIES: [&str; 8] = ["/", "/bin", "/etc", "/run", "/tmp", "/usr", "/usr/bin", "/var"];
const PROGRAMS: [&str; 7] = [
    "/bin/sh",
    "/usr/bin/true",
    "/usr/bin/false",
    "/usr/bin/test",
    "/usr/bin/logger",
    "/usr/bin/pgrep",
    "/usr/bin/killall",
];

impl Host for Recorded {
    fn node_name(&self) -> String {
        "node1".into()
    }

    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        let name = name.as_str();
        matches!(name, "lo" | "eth0" | "eth1" | "eth2" | "eth3").then(|| InterfaceFacts {
            mtu: 1500,
            loopback: name == "lo",
            multicast: name != "lo",
            ethernet: name != "lo",
            kind: Some(LinkKind::Other),
        })
    }

    fn user(&self, name: &str) -> Option<ProgramUser> {
        match name {
            "root" => Some(ProgramUser { uid: 0, gid: 0 }),
            "nobody" => Some(ProgramUser { uid: 65534, gid: 65534 }),
            _ => None,
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        match name {
            "root" => Some(0),
            "nogroup" => Some(65534),
            _ => None,
        }
    }

    fn file(&self, path: &str) -> Result<FileFacts, String> {
        let kind = match path {
            _ if DIRECTORIES.contains(&path) => FileKind::Directory,
            _ if PROGRAMS.contains(&path) => FileKind::File,
            _ => return Err("No such file or directory".into()),
        };
        Ok(FileFacts {
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
        })
    }

    fn link(&self, _: &str) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "PATH").then(|| "/usr/bin:/bin".into())
    }

    fn cpus(&self) -> u16 {
        2
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            (_, true) => out.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            }),
        }
    }
    out
}

/// The text with the instance that most of them have.
fn whole(text: &str) -> String {
    const BEGIN: &str = "vrrp_instance VI {\n  interface eth0\n  virtual_router_id 5\n";
    const VIPS: &str = "  virtual_ipaddress {\n    10.0.0.50/24\n  }\n";
    let Some(inside) = text.strip_suffix('>') else {
        return text.to_owned();
    };
    if let Some((before, body)) = inside.rsplit_once("<I ") {
        return format!("{before}{BEGIN}{body}\n{VIPS}}}\n");
    }
    let Some((before, body)) = inside.rsplit_once("<J ") else {
        return text.to_owned();
    };
    format!("{before}{BEGIN}{VIPS}{body}\n}}\n")
}

/// `(LINE) message`, without the file.
fn lines(diagnostics: &[Diagnostic]) -> BTreeSet<String> {
    let told = diagnostics.iter().filter(|diagnostic| diagnostic.class.is_some());
    let plain = |line: String| match line.strip_prefix('(').and_then(|rest| rest.split_once(": Line ")) {
        Some((_, rest)) => format!("({rest}"),
        None => line,
    };
    told.flat_map(Diagnostic::keepalived_lines).map(plain).collect()
}

fn options() -> LoadOptions {
    LoadOptions {
        config_id: Some("high".into()),
        test: true,
        ..LoadOptions::default()
    }
}

/// How many rows there are, and those that differ.
fn judge(answers: &str) -> (usize, Vec<String>) {
    let (mut rows, mut wrong) = (0, Vec::new());
    for row in answers.lines().filter(|line| !line.starts_with('#')) {
        let [version, what, exit, text, messages] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("five columns: {row}");
        };
        rows += 1;
        let text = whole(&unescape(text));
        let loaded = load("a.conf", &MemorySource::new("a.conf", &text), &Recorded, &options());
        let theirs: BTreeSet<String> = unescape(messages)
            .split(" | ")
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        let ours = lines(&loaded.diagnostics);
        // A keyword without its value ends keepalived at once; we tell the rest as well.
        let same = if exit == "2" {
            ours.is_superset(&theirs)
        } else {
            ours == theirs
        };
        if !same || loaded.test_status().to_string() != exit {
            wrong.push(format!(
                "{version} {what}: {exit} {theirs:#?} here, we {} {ours:#?}\n{text}",
                loaded.test_status()
            ));
        }
    }
    (rows, wrong)
}

#[test]
fn every_check_has_its_message_and_its_exit_status() {
    let (rows, wrong) = judge(include_str!("answers/checks.tsv"));
    assert!(
        rows > 200 && wrong.is_empty(),
        "{} of {rows}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn right_and_wrong_values_of_every_keyword_are_judged_as_keepalived_judges_them() {
    let (rows, wrong) = judge(include_str!("answers/keywords.tsv"));
    assert!(
        rows > 500 && wrong.is_empty(),
        "{} of {rows}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn entries_of_addresses_routes_and_rules_are_judged_as_keepalived_judges_them() {
    let (rows, wrong) = judge(include_str!("answers/entries.tsv"));
    assert!(
        rows > 200 && wrong.is_empty(),
        "{} of {rows}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Files as operators write them, that nobody had seen when the reader was written: every message of keepalived, and no other.
#[test]
fn files_of_operators_say_what_they_say_to_keepalived() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/corpus/unseen");
    let (mut files, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(&folder).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "messages") {
            continue;
        }
        files += 1;
        let name = path
            .with_extension("conf")
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let said = std::fs::read_to_string(&path).unwrap();
        let (exit, said) = said.split_once('\n').unwrap();
        let theirs: BTreeSet<String> = said.lines().map(str::to_owned).collect();
        let file = format!("tests/corpus/unseen/{name}");
        let loaded = load(&file, &Files { root: root.clone() }, &Recorded, &options());
        let ours = lines(&loaded.diagnostics);
        if ours != theirs || exit != format!("exit {}", loaded.test_status()) {
            wrong.push(format!(
                "{name}: {exit} {theirs:#?} here, we {} {ours:#?}",
                loaded.test_status()
            ));
        }
    }
    assert!(files > 15 && wrong.is_empty(), "{}", wrong.join("\n"));
}
