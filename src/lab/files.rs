//! The configurations that a lab is given: read, named after their nodes, and changed so that their checks can be made to
//! fail. The change is verified: the changed text has to mean the same but for the gates.

use super::checks;
use crate::config::{
    Diagnostic, FileFacts, FileKind, Host, InterfaceFacts, LoadOptions, Loaded, ReadError, Source, load,
};
use crate::model::{IfName, Model, ProgramUser};
use crate::system::host::{RealHost, RealSource};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The program that stands before every check, as nodes see it.
pub(super) const GATE: &str = "/run/.lab/gate";

/// What the gate is. While `closed.N` exists the check N fails; else the gate becomes the check.
pub(super) const GATE_SCRIPT: &str = "#!/bin/sh\n[ -e \"/run/.lab/closed.$1\" ] && exit 1\nshift\nexec \"$@\"\n";

/// Where the tracked files are in nodes, each with a number behind it.
pub(super) const NUMBERS: &str = "/run/.lab/file.";

/// A configuration, ready for its node.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The node's name.
    pub(super) name: String,
    /// The file, absolute.
    pub(super) path: PathBuf,
    /// What it means, as written.
    pub(super) model: Model,
    /// Problems that it has, each with its place.
    pub(super) problems: Vec<Diagnostic>,
    /// Every file that was read, as the node is to see it.
    pub(super) texts: Vec<(PathBuf, Vec<u8>)>,
    /// Names of the scripts → number of the gate.
    pub(super) gates: BTreeMap<String, usize>,
    /// Names of the tracked files → their numbers in the node.
    pub(super) files: BTreeMap<String, usize>,
    /// What a person should know, one sentence each.
    pub(super) notes: Vec<String>,
}

/// Names nodes after their files: `NAME=FILE`, else the file's name, else its directory's, else a number.
///
/// # Errors
/// When a name is given twice.
pub(super) fn name_nodes(words: &[String]) -> Result<Vec<(String, String)>, String> {
    let given: Vec<(Option<String>, &str)> = words.iter().map(|word| split_name(word)).collect();
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let directory = |path: &Path| stem(path.canonicalize().ok()?.parent()?);
    let by = |of: &dyn Fn(&Path) -> Option<String>| -> Option<Vec<String>> {
        let names = given
            .iter()
            .map(|(name, path)| name.clone().or_else(|| clean(&of(Path::new(path))?)));
        let names: Vec<String> = names.collect::<Option<_>>()?;
        let different: BTreeSet<&String> = names.iter().collect();
        (different.len() == names.len()).then_some(names)
    };
    let numbered = || {
        let names = given.iter().zip(1..);
        names
            .map(|((name, _), at)| name.clone().unwrap_or_else(|| format!("n{at}")))
            .collect::<Vec<_>>()
    };
    let names = by(&stem).or_else(|| by(&directory)).unwrap_or_else(numbered);
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|other| other == name) {
            return Err(format!("two nodes are called {name}"));
        }
    }
    Ok(names
        .into_iter()
        .zip(given.iter().map(|(_, path)| (*path).to_owned()))
        .collect())
}

fn split_name(word: &str) -> (Option<String>, &str) {
    match word.split_once('=') {
        Some((name, path)) if clean(name).as_deref() == Some(name) => (Some(name.to_owned()), path),
        _ => (None, word),
    }
}

/// A host name: letters, digits and `-`.
fn clean(name: &str) -> Option<String> {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(letter).take(40).collect();
    let name = name.trim_matches('-').to_owned();
    (!name.is_empty() && name != "all").then_some(name)
}

/// Reads a configuration and puts gates before its checks. As an ordinary user every script runs as that user.
///
/// # Errors
/// Every problem of a configuration that cannot run, one line each.
pub(super) fn prepare(name: &str, path: &str, ordinary: bool) -> Result<Prepared, Vec<String>> {
    let absolute = fs::canonicalize(path).map_err(|error| vec![format!("{path}: {error}")])?;
    if absolute.starts_with("/run") || absolute.starts_with("/dev") {
        return Err(vec![format!(
            "{path}: the nodes have a /run and a /dev of their own and cannot see it; copy it elsewhere"
        )]);
    }
    let main = absolute.to_string_lossy().into_owned();
    let host = LabHost(name.to_owned());
    let read = |changed: &BTreeMap<String, Vec<u8>>| {
        let source = Recorder::new(changed);
        let loaded = load(&main, &source, &host, &LoadOptions::default());
        (loaded, source.read.into_inner())
    };
    let (loaded, texts) = read(&BTreeMap::new());
    let Some(model) = loaded.model else {
        let problems = loaded.diagnostics.iter().map(Diagnostic::to_string);
        let general = loaded
            .diagnostics
            .is_empty()
            .then(|| format!("{path}: it cannot be read"));
        return Err(problems.chain(general).collect());
    };
    let mut prepared = Prepared {
        name: name.to_owned(),
        path: absolute.clone(),
        model,
        problems: loaded.diagnostics,
        texts: Vec::new(),
        gates: BTreeMap::new(),
        files: BTreeMap::new(),
        notes: Vec::new(),
    };
    let changed = change(&mut prepared, &texts, ordinary, &|changed| read(changed).0);
    let of_processes = checks::notes(&prepared);
    prepared.notes.extend(of_processes);
    for (path, text) in texts {
        let text = changed.get(&path).unwrap_or(&text).clone();
        let path = fs::canonicalize(&path).unwrap_or_else(|_| PathBuf::from(&path));
        prepared.texts.push((path, text));
    }
    Ok(prepared)
}

type Texts = BTreeMap<String, Vec<u8>>;

/// The changed files; what could not be changed is noted.
fn change(prepared: &mut Prepared, texts: &Texts, ordinary: bool, read: &dyn Fn(&Texts) -> Loaded) -> Texts {
    let mut base = texts.clone();
    let mut wanted = prepared.model.clone();
    if ordinary && needs_rights(&wanted) {
        base = as_one_user(texts);
        wanted.global.script_user = None;
        wanted.global.script_account = None;
        wanted.global.script_security = false;
        for script in &mut wanted.scripts {
            script.user = None;
            script.account = None;
        }
        prepared.notes.push(if read(&base).model.as_ref() == Some(&wanted) {
            "an ordinary user's lab cannot change users: all scripts run as you".into()
        } else {
            base.clone_from(texts);
            wanted = prepared.model.clone();
            "an ordinary user's lab cannot change users: scripts with users of their own will fail".into()
        });
    }
    let read_model = |texts: &Texts| read(texts).model;
    (base, prepared.gates) = SCRIPTS.apply(base, &wanted, &read_model);
    for script in &prepared.model.scripts {
        if !prepared.gates.contains_key(script.name.as_ref()) {
            let name = &script.name;
            prepared.notes.push(format!(
                "{name} cannot be made to fail by the lab: its command line is built in a way that a gate does not fit into"
            ));
        }
    }
    if let Some(gated) = read_model(&base) {
        (base, prepared.files) = FILES.apply(base, &gated, &read_model);
    }
    for file in &prepared.model.files {
        if !prepared.files.contains_key(file.name.as_ref()) {
            let name = &file.name;
            prepared.notes.push(format!(
                "{name} cannot be made to fail by the lab: its path is not written in one plain word"
            ));
        }
    }
    base
}

/// Lines of a keyword that are changed, each with a number of its own.
struct Lines {
    keyword: &'static str,
    /// The line with this number in it; `None` when it is written in a way that no change fits into.
    change: fn(&str, usize, usize) -> Option<String>,
    /// Which names got which number, if the model is the wanted one but for the changes.
    verify: fn(&Model, &Model) -> Option<BTreeMap<String, usize>>,
}

/// The commands of checks, which are run by a gate.
const SCRIPTS: Lines = Lines {
    keyword: "script",
    change: gate_line,
    verify: gates,
};

/// The paths of tracked files, which are moved to where the lab may write.
const FILES: Lines = Lines {
    keyword: "file",
    change: file_line,
    verify: moved_files,
};

impl Lines {
    /// The changed texts, and who has which number.
    fn apply(
        &self,
        base: Texts,
        wanted: &Model,
        read: &dyn Fn(&Texts) -> Option<Model>,
    ) -> (Texts, BTreeMap<String, usize>) {
        let count = base
            .values()
            .map(|text| self.text(text, 0, &|_| false).1)
            .sum::<usize>();
        let verified = |texts: &Texts| (self.verify)(wanted, &read(texts)?);
        // Each alone first: one line that cannot be changed must not hinder the others.
        let good: BTreeSet<usize> = (0..count)
            .filter(|at| verified(&self.texts(&base, &|number| number == *at)).is_some())
            .collect();
        let all = self.texts(&base, &|number| good.contains(&number));
        match verified(&all) {
            Some(numbers) => (all, numbers),
            None => (base, BTreeMap::new()),
        }
    }

    /// All texts, with the lines changed whose numbers are chosen.
    fn texts(&self, texts: &Texts, chosen: &dyn Fn(usize) -> bool) -> Texts {
        let mut number = 0;
        let mut changed = Texts::new();
        for (path, text) in texts {
            let (text, count) = self.text(text, number, chosen);
            number += count;
            changed.insert(path.clone(), text.into_bytes());
        }
        changed
    }

    /// One text, and how many such lines it has. The first one has the number `first`.
    fn text(&self, text: &[u8], first: usize, chosen: &dyn Fn(usize) -> bool) -> (String, usize) {
        let mut count = 0;
        let text = map_lines(text, |line| {
            let Some((_, at)) = keyword(line).filter(|(word, _)| *word == self.keyword) else {
                return line.to_owned();
            };
            let number = first + count;
            count += 1;
            let changed = chosen(number).then(|| (self.change)(line, at, number)).flatten();
            changed.unwrap_or_else(|| line.to_owned())
        });
        (text, count)
    }
}

/// Whether the configuration wants what an ordinary user's lab cannot do.
fn needs_rights(model: &Model) -> bool {
    let other = |user: &ProgramUser| (user.uid, user.gid) != (0, 0);
    model.global.script_security
        || model
            .scripts
            .iter()
            .any(|script| script.user.as_ref().is_some_and(other))
}

/// The same without any other user. Naming the own one would not do: a lab of an ordinary user may not set groups either.
fn as_one_user(texts: &Texts) -> Texts {
    let line = |line: &str| match keyword(line) {
        Some(("script_user" | "enable_script_security" | "user", _)) => String::new(),
        _ => line.to_owned(),
    };
    let changed = texts.iter();
    changed
        .map(|(path, text)| (path.clone(), map_lines(text, line).into_bytes()))
        .collect()
}

fn map_lines(text: &[u8], mut change: impl FnMut(&str) -> String) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<String> = text.split('\n').map(&mut change).collect();
    lines.join("\n")
}

/// The first word of a line and where it begins; a condition (`@node`) before it is passed over.
fn keyword(line: &str) -> Option<(&str, usize)> {
    let blank = |c: char| c == ' ' || c == '\t';
    let mut at = line.len() - line.trim_start_matches(blank).len();
    loop {
        let rest = line.get(at..)?;
        let word = rest.split(blank).next()?;
        if !word.starts_with('@') {
            return Some((word.trim_end_matches('\r'), at));
        }
        let behind = rest.get(word.len()..)?;
        at += word.len() + (behind.len() - behind.trim_start_matches(blank).len());
    }
}

/// A `script` line whose command is run by the gate; `None` when it begins in a way that the gate does not fit into.
fn gate_line(line: &str, keyword_at: usize, number: usize) -> Option<String> {
    let blank = |c: char| c == ' ' || c == '\t';
    let (front, rest) = line.split_at_checked(keyword_at + "script".len())?;
    let command = rest.trim_start_matches(blank);
    if let Some(quote) = command.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return Some(format!("{front} {quote}{GATE} {number} {}", command.get(1..)?));
    }
    let word = command.split(|c: char| blank(c) || c == '\r').next()?;
    let plain = !word.is_empty() && !word.contains(['"', '\'', '\\', '$', '#', '!']);
    plain.then(|| {
        format!(
            "{front} \"{GATE} {number} {word}\"{}",
            command.get(word.len()..).unwrap_or_default()
        )
    })
}

/// A `file` line whose path is the lab's; `None` when the path is not one plain word.
fn file_line(line: &str, keyword_at: usize, number: usize) -> Option<String> {
    let blank = |c: char| c == ' ' || c == '\t';
    let (front, rest) = line.split_at_checked(keyword_at + "file".len())?;
    let path = rest.trim_start_matches(blank);
    let word = path.split(|c: char| blank(c) || c == '\r').next()?;
    let quoted = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    let bare = quoted('"').or_else(|| quoted('\'')).unwrap_or(word);
    let plain = !bare.is_empty() && !bare.contains(['"', '\'', '\\', '$', '#', '!']);
    plain.then(|| {
        format!(
            "{front} {NUMBERS}{number}{}",
            path.get(word.len()..).unwrap_or_default()
        )
    })
}

/// Which files have which number, if the model is `wanted` but for their places.
fn moved_files(wanted: &Model, model: &Model) -> Option<BTreeMap<String, usize>> {
    let mut model = model.clone();
    let mut numbers = BTreeMap::new();
    for (file, original) in model.files.iter_mut().zip(&wanted.files) {
        if let Some(number) = file.path.strip_prefix(NUMBERS) {
            numbers.insert(file.name.to_string(), number.parse().ok()?);
            file.path.clone_from(&original.path);
        }
    }
    (model == *wanted).then_some(numbers)
}

/// Which scripts have which gate, if the model is `wanted` but for gates.
fn gates(wanted: &Model, model: &Model) -> Option<BTreeMap<String, usize>> {
    let mut model = model.clone();
    let mut gates = BTreeMap::new();
    for (script, original) in model.scripts.iter_mut().zip(&wanted.scripts) {
        if let [gate, number, command @ ..] = script.argv.as_slice()
            && gate == GATE
        {
            gates.insert(script.name.to_string(), number.parse().ok()?);
            script.argv = command.to_vec();
            script.path.clone_from(&original.path);
        }
    }
    (model == *wanted).then_some(gates)
}

/// The real files, some of them changed; remembers what was read.
struct Recorder<'a> {
    changed: &'a Texts,
    read: RefCell<Texts>,
}

impl<'a> Recorder<'a> {
    fn new(changed: &'a Texts) -> Self {
        Self {
            changed,
            read: RefCell::default(),
        }
    }
}

impl Source for Recorder<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let text = match self.changed.get(path) {
            Some(text) => text.clone(),
            None => RealSource.read(path)?,
        };
        self.read.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        RealSource.glob(pattern)
    }

    fn absolute(&self, directory: &str) -> String {
        RealSource.absolute(directory)
    }
}

/// This machine with another name, and with every interface that is asked for.
struct LabHost(String);

impl Host for LabHost {
    fn node_name(&self) -> String {
        self.0.clone()
    }

    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        Some(InterfaceFacts {
            mtu: 1500,
            loopback: name.as_str() == "lo",
            multicast: true,
            ethernet: true,
            kind: None,
        })
    }

    fn user(&self, name: &str) -> Option<ProgramUser> {
        RealHost.user(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        RealHost.group(name)
    }

    fn file(&self, path: &str) -> Result<FileFacts, String> {
        let ours = |kind| {
            Ok(FileFacts {
                kind,
                mode: 0o755,
                uid: 0,
                gid: 0,
            })
        };
        match path {
            GATE => ours(FileKind::File),
            "/run" | "/run/.lab" => ours(FileKind::Directory),
            _ => RealHost.file(path),
        }
    }

    fn link(&self, path: &str) -> Option<String> {
        RealHost.link(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        RealHost.variable(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let named = name_nodes(&words)?;
        Ok(named.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn nodes_are_called_as_their_files_or_as_they_are_told_to_be() {
        assert_eq!(names(&["a/node1.conf", "node_2.conf"]).unwrap(), ["node1", "node-2"]);
        assert_eq!(names(&["x=ha.conf", "y=ha.conf"]).unwrap(), ["x", "y"]);
        assert_eq!(names(&["ha.conf", "y=ha.conf", "ha.conf"]).unwrap(), ["n1", "y", "n3"]);
        assert_eq!(
            names(&["conf/seed/node1.conf", "src/main.rs"]).unwrap(),
            ["node1", "main"]
        );
        assert!(names(&["x=a.conf", "x=b.conf"]).is_err());
        let same = [concat!(env!("CARGO_MANIFEST_DIR"), "/src/lab/mod.rs"), "src/sys/mod.rs"];
        assert_eq!(names(&same).unwrap(), ["lab", "sys"]);
    }

    #[test]
    fn a_gate_stands_before_every_command_that_it_fits_into() {
        for (line, gated) in [
            ("  script \"/bin/a 'b c'\"", Some("  script \"GATE 7 /bin/a 'b c'\"")),
            ("script '/bin/a b' user", Some("script 'GATE 7 /bin/a b' user")),
            (
                "\tscript /bin/a nobody # x",
                Some("\tscript \"GATE 7 /bin/a\" nobody # x"),
            ),
            ("@n1 script /bin/a\r", Some("@n1 script \"GATE 7 /bin/a\"\r")),
            ("script $CHECK", None),
            ("script /bin/a\\ b", None),
        ] {
            let (word, at) = keyword(line).unwrap();
            assert_eq!(word, "script", "{line}");
            let wanted = gated.map(|line| line.replace("GATE", GATE));
            assert_eq!(gate_line(line, at, 7), wanted, "{line}");
        }
        assert_eq!(keyword("  track_script {").unwrap().0, "track_script");
    }

    #[test]
    fn the_path_of_a_tracked_file_is_moved_when_it_is_one_plain_word() {
        for (line, moved) in [
            ("  file /var/x", Some("  file NEW7")),
            ("file \"/var/x\" # why", Some("file NEW7 # why")),
            ("@n1 file /var/x\r", Some("@n1 file NEW7\r")),
            ("file $PLACE", None),
            ("file \"/a b\"", None),
            ("file", None),
        ] {
            let (word, at) = keyword(line).unwrap();
            assert_eq!(word, "file", "{line}");
            let wanted = moved.map(|line| line.replace("NEW", NUMBERS));
            assert_eq!(file_line(line, at, 7), wanted, "{line}");
        }
    }

    fn file(text: &str) -> PathBuf {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("files-{}-{}.conf", std::process::id(), text.len()));
        fs::write(&path, text).unwrap();
        path
    }

    const TEXT: &str = "$C=\"/bin/false x\"\nglobal_defs {\n script_user daemon\n}\nvrrp_script a {\n script \"/bin/sh -c 'exit 0'\"\n user nobody\n}\nvrrp_script b {\n script $C\n}\nvrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1\n }\n track_script {\n a\n b\n }\n}\n";

    #[test]
    fn the_changed_text_means_the_same_but_for_the_gates() {
        let path = file(TEXT);
        let prepared = prepare("n1", path.to_str().unwrap(), false).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(prepared.gates, BTreeMap::from([("a".to_owned(), 0)]));
        assert_eq!(prepared.notes.len(), 1);
        assert!(
            prepared.notes[0].starts_with("b cannot be made to fail"),
            "{:?}",
            prepared.notes
        );
        let text = String::from_utf8(prepared.texts[0].1.clone()).unwrap();
        assert_eq!(text, TEXT.replace("\"/bin/sh", "\"/run/.lab/gate 0 /bin/sh"));
    }

    #[test]
    fn tracked_files_are_where_the_lab_may_write_and_processes_are_told_of() {
        let tracked = "track_file f {\n file /var/f\n weight 3\n}\nvrrp_track_process p {\n process haproxy\n}\nvrrp_track_process q {\n process haproxy -f x\n}\n";
        let text = TEXT.replace(
            "track_script {",
            "track_process {\n p\n q\n }\n track_file {\n f\n }\n track_script {",
        );
        let path = file(&format!("{tracked}{text}"));
        let prepared = prepare("n1", path.to_str().unwrap(), false).unwrap();
        fs::remove_file(path).unwrap();
        assert_eq!(prepared.files, BTreeMap::from([("f".to_owned(), 0)]));
        assert_eq!(prepared.gates.len(), 1);
        let text = String::from_utf8(prepared.texts[0].1.clone()).unwrap();
        assert!(text.starts_with("track_file f {\n file /run/.lab/file.0\n"), "{text}");
        let said = prepared.notes.join("\n");
        assert!(said.contains("`mend n1 p` starts a stand-in"), "{said}");
        assert!(said.contains("q looks at its command line"), "{said}");
    }

    #[test]
    fn an_ordinary_users_scripts_run_as_that_user() {
        let path = file(&format!("{TEXT}# ordinary\n"));
        let prepared = prepare("n1", path.to_str().unwrap(), true).unwrap();
        fs::remove_file(path).unwrap();
        let text = String::from_utf8(prepared.texts[0].1.clone()).unwrap();
        assert!(
            !text.contains("user") && !text.contains("nobody") && !text.contains("daemon"),
            "{text}"
        );
        assert!(
            prepared.notes[0].contains("all scripts run as you"),
            "{:?}",
            prepared.notes
        );
        assert_eq!(prepared.gates.len(), 1);
    }

    #[test]
    fn a_configuration_that_cannot_run_says_every_problem() {
        let path = file("vrrp_instance V {\n nonsense\n}\n");
        let problems = prepare("n1", path.to_str().unwrap(), false).unwrap_err();
        fs::remove_file(path).unwrap();
        assert!(!problems.is_empty());
        assert!(prepare("n1", "/nowhere.conf", false).unwrap_err()[0].contains("/nowhere.conf"));
    }

    #[test]
    fn a_gate_that_changes_the_meaning_is_noticed() {
        let wanted = crate::config::load_text(TEXT, &LabHost("n1".into())).model.unwrap();
        assert_eq!(gates(&wanted, &wanted), Some(BTreeMap::new()));
        let mut other = wanted.clone();
        other.scripts[0].argv.push("more".into());
        assert_eq!(gates(&wanted, &other), None);
    }
}
