//! Conditions, definitions, sequences, includes and braces: from files to lines of words (config-language §12).

use super::blocks::Builder;
use super::define::{Definitions, Part, Problem, Rounds, definition, sequence};
use super::include::IncludeCheck;
use super::words::{find_brace, split, strip_comment};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::place::{Place, Reports, columns};
use crate::config::source::{Host, ReadError, Source};
use crate::config::tree::Node;
use std::rc::Rc;

/// Longest physical line, in bytes.
const MAX_PHYSICAL: usize = 1022;
/// Deepest include.
const MAX_DEPTH: usize = 64;
/// Most lines that may wait while sequences and definitions are expanded.
const MAX_WAITING: usize = 10_000;
/// Most files; one that includes itself several times would be read for ever otherwise.
const MAX_FILES: usize = 10_000;
/// What a line costs of the limit beside its text, in bytes.
const LINE_COST: u64 = 64;

/// What was read, apart from the tree.
#[derive(Debug)]
pub(in crate::config) struct Text {
    pub(in crate::config) files: Vec<String>,
    pub(in crate::config) hash: u64,
    /// A limit was reached or an include that has to be there is not: what was read is not the whole.
    pub(in crate::config) stopped: Option<Stopped>,
}

/// Why a configuration must not be used although it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Stopped {
    /// More text, lines, files or problems than there may be.
    Limit,
    /// An include error that `include_check` or the form of the include makes one.
    Include,
}

pub(super) struct Reader<'a, 'b> {
    pub(super) source: &'a dyn Source,
    host: &'a dyn Host,
    config_id: &'a str,
    definitions: Definitions,
    depth: usize,
    pub(super) text: Text,
    pub(super) reports: &'b mut Reports,
    builder: Builder<'b>,
    pub(super) include_check: IncludeCheck,
    words: Vec<(u32, u32)>,
    budget: u64,
    limit: u64,
}

/// A definition that goes on in the next line.
struct Open {
    name: String,
    parts: Vec<Part>,
}

enum Work {
    Line(Rc<str>, Place),
    Rounds {
        rounds: Rounds,
        text: Rc<str>,
        place: Place,
    },
}

/// How a configuration is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct ReadOptions<'a> {
    /// What `@id` lines compare with.
    pub(in crate::config) config_id: &'a str,
    /// How much text there may be after expansion: bytes, and [`LINE_COST`] for every line.
    pub(in crate::config) text_limit: u64,
}

/// Reads a file with everything that it includes; every block at the top level goes to `sink` as soon as it is complete.
pub(in crate::config) fn read(
    path: &str,
    source: &dyn Source,
    host: &dyn Host,
    options: &ReadOptions<'_>,
    reports: &mut Reports,
    sink: &mut dyn FnMut(Node, &mut Reports),
) -> Text {
    let mut definitions = Definitions::new(host.seed());
    definitions.set("_INSTANCE", vec![(options.config_id.into(), Place::default())]);
    let mut reader = Reader {
        source,
        host,
        config_id: options.config_id,
        definitions,
        depth: 0,
        text: Text {
            files: Vec::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            stopped: None,
        },
        reports,
        builder: Builder::new(sink),
        include_check: IncludeCheck::default(),
        words: Vec::new(),
        budget: options.text_limit,
        limit: options.text_limit,
    };
    let matches = source.glob(path);
    if matches.is_empty() {
        let message = format!("Config files missing '{path}'.");
        reader.reports.whole(Code::FileMissing, Class::FileNotFound, message);
    }
    for file in &matches {
        reader.file(file, None, false);
    }
    if let (true, Some(first)) = (matches.len() > 1, matches.first()) {
        let message = format!("WARNING, multiple configuration file matches of {path}, starting with {first}");
        reader.reports.whole(Code::SeveralFiles, Class::MultipleFiles, message);
    }
    reader.builder.finish(reader.reports);
    reader.text
}

impl Reader<'_, '_> {
    /// Reads one file. `in_force`: that it cannot be read stops everything.
    pub(super) fn file(&mut self, path: &str, from: Option<Place>, in_force: bool) {
        if self.text.files.len() >= MAX_FILES {
            if self.text.stopped.is_none() {
                self.text.stopped = Some(Stopped::Limit);
                let message = format!("more than {MAX_FILES} files; does one include itself? - giving up");
                self.report(from, Code::TooMuchText, Class::General, message);
            }
            return;
        }
        if self.depth >= MAX_DEPTH {
            let message = format!("{path} is included more than {MAX_DEPTH} deep; does it include itself?");
            self.report(from, Code::IncludeTooDeep, Class::General, message);
            return;
        }
        let bytes = match self.source.read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message = match why {
                    ReadError::IsDirectory => format!("Configuration file '{path}' is a directory - skipping"),
                    ReadError::NotPlain => {
                        format!("Configuration file '{path}' is not a regular non-executable file - skipping")
                    }
                    ReadError::Refused(why) => format!("Configuration file '{path}' open problem ({why}) - skipping"),
                };
                self.report(from, Code::FileUnusable, Class::FileNotFound, message);
                if in_force {
                    self.text.stopped = Some(Stopped::Include);
                }
                return;
            }
        };
        for byte in &bytes {
            self.text.hash = (self.text.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.text.files.push(path.to_owned());
        let file = self.reports.add_file(path, from);
        self.depth += 1;
        let check = self.include_check;
        self.lines(path, file, &bytes);
        self.include_check = check;
        self.depth -= 1;
    }

    fn report(&mut self, at: Option<Place>, code: Code, class: Class, message: String) {
        match at {
            Some(place) => self.reports.at(place, code, class, message),
            None => self.reports.whole(code, class, message),
        };
    }

    fn lines(&mut self, path: &str, file: u16, bytes: &[u8]) {
        let mut open: Option<Open> = None;
        for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            if self.text.stopped == Some(Stopped::Limit) {
                return;
            }
            let indent = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let mut place = Place {
                file,
                line: number,
                column: columns(indent).saturating_add(1),
                length: columns(line.len().saturating_sub(indent)),
                exact: true,
                ..Place::default()
            };
            if line.contains(&0) {
                let message = "configuration appears to have embedded NULs - ignoring line".into();
                self.reports.at(place, Code::NulByte, Class::General, message);
                continue;
            }
            if line.len() > MAX_PHYSICAL {
                let message = format!("line too long - ignoring (at most {MAX_PHYSICAL} bytes)");
                self.reports.at(place, Code::LineTooLong, Class::General, message);
                continue;
            }
            let line = String::from_utf8_lossy(line);
            let (text, unterminated) = strip_comment(line.trim_end_matches('\r'));
            place.length = columns(text.len());
            if unterminated {
                let message = format!("Unterminated quote '{text}'");
                self.reports.at(place, Code::UnmatchedQuote, Class::General, message);
            }
            open = match open.take() {
                Some(open) => self.go_on(open, &text, place),
                None if text.is_empty() => None,
                None => self.work(&text, place, path),
            };
        }
        if let Some(Open { name, parts }) = open {
            self.definitions.set(&name, parts);
        }
    }

    /// The next line of a definition.
    fn go_on(&mut self, mut open: Open, text: &str, place: Place) -> Option<Open> {
        self.spend(text.len());
        match text.strip_suffix('\\') {
            Some(more) => {
                open.parts.push((more.trim_end_matches([' ', '\t']).into(), place));
                Some(open)
            }
            None => {
                if !text.is_empty() {
                    open.parts.push((text.into(), place));
                }
                self.definitions.set(&open.name, open.parts);
                None
            }
        }
    }

    /// Whether there is room for a line of this length.
    fn spend(&mut self, length: usize) -> bool {
        let cost = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(LINE_COST);
        self.budget = self.budget.saturating_sub(cost);
        self.budget > 0
    }

    /// Works one line off. What it returns is a definition that goes on in the next line.
    fn work(&mut self, line: &str, place: Place, path: &str) -> Option<Open> {
        let mut stack = vec![Work::Line(line.into(), place)];
        let mut open = None;
        while let Some(work) = stack.pop() {
            let (text, place) = match work {
                Work::Line(text, place) => (text, place),
                Work::Rounds {
                    mut rounds,
                    text,
                    place,
                } => {
                    let Some(round) = rounds.next() else { continue };
                    stack.push(Work::Rounds {
                        rounds,
                        text: Rc::clone(&text),
                        place,
                    });
                    (text, self.begin_round(round, place))
                }
            };
            if !self.spend(text.len()) || stack.len() > MAX_WAITING || self.reports.is_hopeless() {
                let message = format!(
                    "definitions and sequences make more than {} MB of text, or more than {MAX_WAITING} lines that wait, or too many problems - giving up",
                    self.limit >> 20
                );
                if self.text.stopped.replace(Stopped::Limit).is_none() {
                    self.reports.at(place, Code::TooMuchText, Class::General, message);
                }
                return None;
            }
            if let Some(begun) = self.line(&text, place, path, &mut stack) {
                open = Some(begun);
            }
        }
        open
    }

    /// Sets the variables of a round.
    fn begin_round(&mut self, round: Vec<(String, String)>, place: Place) -> Place {
        let mut what = String::from("repeated here with");
        for (name, value) in round {
            what.push(' ');
            what.push_str(&name);
            what.push('=');
            what.push_str(&value);
            self.definitions.set(&name, vec![(value.into(), Place::default())]);
        }
        let via = self.reports.add_origin(&what, place);
        Place {
            via,
            moved: true,
            ..place
        }
    }

    fn line(&mut self, line: &str, place: Place, path: &str, stack: &mut Vec<Work>) -> Option<Open> {
        let (line, place) = self.condition(line, place)?;
        if let Some((name, text)) = definition(line) {
            let at = place.part(line.len() - text.len(), text.len());
            let Some(first) = text.strip_suffix('\\') else {
                self.definitions.set(name, vec![(text.into(), at)]);
                return None;
            };
            return Some(Open {
                name: name.to_owned(),
                parts: vec![(first.trim_end_matches([' ', '\t']).into(), at)],
            });
        }
        if line.starts_with("~SEQ(") || line.starts_with("~SEQx(") || line.starts_with("~LST(") {
            self.sequence(line, place, path, stack);
            return None;
        }
        match self.replace(line, place, path) {
            // What is left of the references is unknown: the second round changes nothing more.
            Some(replaced) => replaced.into_iter().rev().for_each(|work| stack.push(work)),
            None => self.tokens(line, place, path, stack),
        }
        None
    }

    /// What is left of a line with an `@id` condition; `None` if it does not hold.
    fn condition<'l>(&self, line: &'l str, place: Place) -> Option<(&'l str, Place)> {
        let Some(rest) = line.strip_prefix('@') else {
            return Some((line, place));
        };
        let (negated, rest) = rest.strip_prefix('^').map_or((false, rest), |rest| (true, rest));
        let (id, text) = rest.split_once([' ', '\t'])?;
        let text = text.trim_start_matches([' ', '\t']);
        let holds = (id == self.config_id) != negated && !text.is_empty();
        holds.then(|| (text, place.part(line.len() - text.len(), text.len())))
    }

    fn sequence(&mut self, line: &str, place: Place, path: &str, stack: &mut Vec<Work>) {
        let kind = line.get(..4).unwrap_or_default();
        let Some(end) = line.find(')') else {
            let message = format!("{kind} missing terminating ')' '{line}'");
            self.reports.at(place, Code::BadSequence, Class::General, message);
            return;
        };
        let (head, text) = line.split_at(end + 1);
        // Numbers may be definitions.
        let head = match self.substitute(head, place, path) {
            Some(replaced) => replaced.text,
            None => head.to_owned(),
        };
        let text = text.trim_start_matches([' ', '\t']);
        match sequence(&head) {
            Ok(rounds) => stack.push(Work::Rounds {
                rounds,
                text: text.into(),
                place: place.part(line.len() - text.len(), text.len()),
            }),
            Err(message) => {
                let diagnostic = self.reports.at(place, Code::BadSequence, Class::General, message);
                diagnostic.detail = Some(format!("Invalid {kind} specification '{line}'"));
            }
        }
    }

    fn substitute(&mut self, line: &str, place: Place, path: &str) -> Option<super::define::Replaced> {
        let (host, source) = (self.host, self.source);
        let outside = |name: &str, args: &[&str]| match name {
            "_ENV" => args.first().and_then(|name| host.variable(name)),
            "_PWD" => {
                let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let directory = if directory.is_empty() && path.starts_with('/') {
                    "/"
                } else {
                    directory
                };
                Some(source.absolute(directory))
            }
            _ => None,
        };
        match self.definitions.substitute(line, &outside) {
            Ok(replaced) => replaced,
            Err(problem) => {
                let (code, message) = match problem {
                    Problem::TooLong => (
                        Code::EndlessDefinition,
                        format!("Parameter substitution on line '{line}' would exceed maximum line length"),
                    ),
                    Problem::Wrong(message) => (Code::BadValue, message),
                };
                self.reports.at(place, code, Class::General, message);
                Some(super::define::Replaced {
                    text: String::new(),
                    whole: None,
                    parts: Vec::new(),
                    following: Vec::new(),
                })
            }
        }
    }

    /// The lines that come out when definitions are replaced; `None` if there are none to replace.
    fn replace(&mut self, line: &str, place: Place, path: &str) -> Option<Vec<Work>> {
        let replaced = self.substitute(line, place, path)?;
        let mut works = Vec::new();
        let mut push = |text: &str, place: Place| {
            let text = strip_comment(text).0;
            if !text.is_empty() {
                works.push(Work::Line(text.as_ref().into(), place));
            }
        };
        let first = match replaced.whole {
            Some((name, at)) if at.line > 0 => {
                let via = self.reports.add_origin(&format!("`${name}` is used here"), place);
                Place { via, moved: true, ..at }
            }
            _ => Place {
                exact: false,
                via: self.reports.add_parts(&replaced.parts, place),
                ..place
            },
        };
        push(&replaced.text, first);
        // One origin for all lines of a definition.
        let mut origin: Option<(String, u32)> = None;
        for (name, (text, at)) in replaced.following {
            let via = match &origin {
                _ if at.line == 0 => 0,
                Some((known, via)) if *known == name => *via,
                _ if first.moved && origin.is_none() => first.via,
                _ => self.reports.add_origin(&format!("`${name}` is used here"), place),
            };
            origin = Some((name, via));
            push(&text, Place { via, moved: true, ..at });
        }
        Some(works)
    }

    fn tokens(&mut self, line: &str, place: Place, path: &str, stack: &mut Vec<Work>) {
        if self.include(line, place, path) {
            return;
        }
        let (token, rest) = match find_brace(line) {
            Some(0) => line.split_at(1),
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let trimmed = rest.trim_start_matches([' ', '\t']);
        if !trimmed.is_empty() {
            let start = line.len() - trimmed.len();
            let text = trimmed.trim_end_matches([' ', '\t']);
            stack.push(Work::Line(text.into(), place.part(start, text.len())));
        }
        let here = place.part(0, token.trim_end_matches([' ', '\t']).len());
        match token {
            "{" => return self.builder.open(here, self.reports),
            "}" => return self.builder.close(here, self.reports),
            _ => {}
        }
        let mut words = std::mem::take(&mut self.words);
        if !split(token, &mut words) {
            let message = format!("Unmatched quote: '{token}'");
            self.reports
                .at(here, Code::UnmatchedQuote, Class::UnmatchedQuote, message);
        }
        if !words.is_empty() {
            let node = Node::new(token, &words, here);
            if node.key() == "include_check" {
                self.include_check.set(node.args());
            }
            self.builder.line(node, self.reports);
        }
        self.words = words;
    }
}
