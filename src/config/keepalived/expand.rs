//! Conditions, definitions, sequences, includes and braces: from files to lines of words (config-language §12).

use super::define::{Definitions, definition, sequence};
use super::words::{find_brace, split, strip_comment};
use crate::config::diagnostic::{Class, Diagnostic, Position};
use crate::config::source::{Host, ReadError, Source};
use std::collections::VecDeque;
use std::sync::Arc;

/// Longest physical line, in bytes.
const MAX_PHYSICAL: usize = 1022;
/// Deepest include.
const MAX_DEPTH: usize = 64;
/// Most lines that a configuration may have after expansion.
const MAX_LINES: usize = 20_000_000;

/// A brace, or the words between braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct TokenLine {
    pub(in crate::config) words: Vec<String>,
    pub(in crate::config) raw: String,
    pub(in crate::config) position: Position,
}

/// Everything that was read.
#[derive(Debug)]
pub(in crate::config) struct Text {
    pub(in crate::config) lines: Vec<TokenLine>,
    pub(in crate::config) files: Vec<String>,
    pub(in crate::config) hash: u64,
    pub(in crate::config) diagnostics: Vec<Diagnostic>,
}

struct Reader<'a> {
    source: &'a dyn Source,
    host: &'a dyn Host,
    config_id: &'a str,
    definitions: Definitions,
    depth: usize,
    text: Text,
    full: bool,
}

enum Work {
    Line(String),
    Set(String, String),
}

pub(in crate::config) fn read(path: &str, source: &dyn Source, host: &dyn Host, config_id: &str) -> Text {
    let text = Text {
        lines: Vec::new(),
        files: Vec::new(),
        hash: 0xcbf2_9ce4_8422_2325,
        diagnostics: Vec::new(),
    };
    let definitions = Definitions::default();
    let mut reader = Reader {
        source,
        host,
        config_id,
        definitions,
        depth: 0,
        text,
        full: false,
    };
    reader.definitions.set("_INSTANCE", config_id);
    let start = Position {
        file: path.into(),
        line: 1,
        column: 1,
    };
    let matches = source.glob(path);
    if matches.is_empty() {
        reader.report(Class::FileNotFound, None, format!("Config files missing '{path}'."));
    }
    for file in &matches {
        reader.file(file, &start, true);
    }
    if let (true, Some(first)) = (matches.len() > 1, matches.first()) {
        let message = format!("WARNING, multiple configuration file matches of {path}, starting with {first}");
        reader.report(Class::MultipleFiles, None, message);
    }
    reader.text
}

impl Reader<'_> {
    fn report(&mut self, class: Class, position: Option<Position>, message: String) {
        self.text.diagnostics.push(Diagnostic {
            class: Some(class),
            position,
            message,
            hint: None,
        });
    }

    fn file(&mut self, path: &str, from: &Position, main: bool) {
        let at = (!main).then(|| from.clone());
        if self.depth >= MAX_DEPTH {
            self.report(
                Class::General,
                at,
                format!("{path} is included more than {MAX_DEPTH} deep; does it include itself?"),
            );
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
                self.report(Class::FileNotFound, at, message);
                return;
            }
        };
        for byte in &bytes {
            self.text.hash = (self.text.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.text.files.push(path.to_owned());
        self.depth += 1;
        self.lines(path, &bytes);
        self.depth -= 1;
    }

    fn lines(&mut self, path: &str, bytes: &[u8]) {
        let file: Arc<str> = path.into();
        let mut open: Option<(String, Vec<String>)> = None;
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
            let indent = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let column = u32::try_from(indent).unwrap_or(u32::MAX).saturating_add(1);
            let position = Position {
                file: Arc::clone(&file),
                line: number,
                column,
            };
            if line.contains(&0) {
                let message = "configuration appears to have embedded NULs - ignoring line".into();
                self.report(Class::General, Some(position), message);
                continue;
            }
            if line.len() > MAX_PHYSICAL {
                let message = format!("line too long - ignoring (at most {MAX_PHYSICAL} bytes)");
                self.report(Class::General, Some(position), message);
                continue;
            }
            let line = String::from_utf8_lossy(line);
            let (text, unterminated) = strip_comment(line.trim_end_matches('\r'));
            if unterminated {
                self.report(
                    Class::General,
                    Some(position.clone()),
                    format!("Unterminated quote '{text}'"),
                );
            }
            if let Some((name, mut parts)) = open.take() {
                match text.strip_suffix('\\') {
                    Some(more) => {
                        parts.push(more.trim_end_matches([' ', '\t']).to_owned());
                        open = Some((name, parts));
                    }
                    None => {
                        parts.push(text);
                        self.definitions.set(&name, &parts.join("\n"));
                    }
                }
                continue;
            }
            if text.is_empty() {
                continue;
            }
            open = self.work(text, &position, path);
        }
        if let Some((name, parts)) = open {
            self.definitions.set(&name, &parts.join("\n"));
        }
    }

    /// Works one line off. What it returns is a definition that goes on in the next line.
    fn work(&mut self, line: String, position: &Position, path: &str) -> Option<(String, Vec<String>)> {
        let mut queue = VecDeque::from([Work::Line(line)]);
        while let Some(work) = queue.pop_front() {
            let line = match work {
                Work::Set(name, value) => {
                    self.definitions.set(&name, &value);
                    continue;
                }
                Work::Line(line) => line,
            };
            let Some(line) = self.condition(&line) else { continue };
            if let Some((name, text)) = definition(line) {
                if let Some(first) = text.strip_suffix('\\') {
                    return Some((name.to_owned(), vec![first.trim_end_matches([' ', '\t']).to_owned()]));
                }
                self.definitions.set(name, text);
                continue;
            }
            if line.starts_with("~SEQ") || line.starts_with("~LST") {
                let line = self.replace(line, position);
                match sequence(&line) {
                    Some(Ok((rounds, text))) => {
                        for round in rounds.into_iter().rev() {
                            queue.push_front(Work::Line(text.clone()));
                            for (name, value) in round {
                                queue.push_front(Work::Set(name, value));
                            }
                        }
                        continue;
                    }
                    Some(Err(message)) => {
                        self.report(Class::General, Some(position.clone()), message);
                        continue;
                    }
                    None => {}
                }
            }
            let replaced = self.replace(line, position);
            if replaced != line {
                let lines: Vec<_> = replaced.split('\n').map(|line| strip_comment(line).0).collect();
                for line in lines.into_iter().rev().filter(|line| !line.is_empty()) {
                    queue.push_front(Work::Line(line));
                }
                // What is left of the references is unknown: the second round changes nothing more.
                continue;
            }
            let line = line.to_owned();
            self.tokens(&line, position, path, &mut queue);
        }
        None
    }

    /// What is left of a line with an `@id` condition; `None` if it does not hold.
    fn condition<'l>(&self, line: &'l str) -> Option<&'l str> {
        let Some(rest) = line.strip_prefix('@') else {
            return Some(line);
        };
        let (negated, rest) = rest.strip_prefix('^').map_or((false, rest), |rest| (true, rest));
        let (id, text) = rest.split_once([' ', '\t'])?;
        let text = text.trim_start_matches([' ', '\t']);
        ((id == self.config_id) != negated && !text.is_empty()).then_some(text)
    }

    fn replace(&mut self, line: &str, position: &Position) -> String {
        let directory = position.file.rsplit_once('/').map_or(".", |(directory, _)| directory);
        self.definitions.set("_PWD", directory);
        let host = self.host;
        match self.definitions.substitute(line, &|name| host.variable(name)) {
            Ok(replaced) => replaced.unwrap_or_else(|| line.to_owned()),
            Err(_) => {
                let message = format!("Parameter substitution on line '{line}' would exceed maximum line length");
                self.report(Class::General, Some(position.clone()), message);
                String::new()
            }
        }
    }

    fn tokens(&mut self, line: &str, position: &Position, path: &str, queue: &mut VecDeque<Work>) {
        if self.include(line, position, path) {
            return;
        }
        let (token, rest) = match find_brace(line) {
            Some(0) => line.split_at(1),
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let rest = rest.trim_matches([' ', '\t']);
        if !rest.is_empty() {
            queue.push_front(Work::Line(rest.to_owned()));
        }
        let (words, closed) = split(token);
        if !closed {
            self.report(
                Class::UnmatchedQuote,
                Some(position.clone()),
                format!("Unmatched quote: '{token}'"),
            );
        }
        if words.is_empty() {
            return;
        }
        if self.text.lines.len() >= MAX_LINES {
            if !std::mem::replace(&mut self.full, true) {
                let message = format!("more than {MAX_LINES} lines after expansion - ignoring the rest");
                self.report(Class::General, Some(position.clone()), message);
            }
            return;
        }
        self.text.lines.push(TokenLine {
            words,
            raw: token.to_owned(),
            position: position.clone(),
        });
    }

    fn include(&mut self, line: &str, position: &Position, path: &str) -> bool {
        let Some((word, pattern)) = line.split_once([' ', '\t']) else {
            return false;
        };
        let Some(kind) = word.strip_prefix("include") else {
            return false;
        };
        if !matches!(kind, "" | "r" | "m" | "w" | "b" | "a") {
            return false;
        }
        let pattern = pattern.trim_start_matches([' ', '\t']);
        let full = match path.rsplit_once('/') {
            Some((directory, _)) if !pattern.starts_with('/') => format!("{directory}/{pattern}"),
            _ => pattern.to_owned(),
        };
        let matches = self.source.glob(&full);
        if matches.is_empty() {
            let wild = pattern.contains(['*', '?', '[', '{']);
            let message = if wild {
                format!("No config files matched '{pattern}'.")
            } else {
                format!("Config files missing '{pattern}'.")
            };
            if !wild || kind == "w" || kind == "a" {
                self.report(Class::FileNotFound, Some(position.clone()), message);
            }
        }
        for file in matches {
            self.file(&file, position, false);
        }
        true
    }
}
