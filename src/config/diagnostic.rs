//! Problems of a configuration, as values with their place.

use serde::{Deserialize, Serialize};
use std::fmt;

/// keepalived's classes of configuration errors in its order; the highest one seen decides the exit status of `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// A file is missing or unreadable.
    FileNotFound,
    /// An interface does not exist.
    BadInterface,
    /// It cannot run.
    Fatal,
    /// The main file's pattern has several matches.
    MultipleFiles,
    /// A keyword that nobody knows.
    UnknownKeyword,
    /// `{` where none belongs.
    UnexpectedOpen,
    /// `{` is missing.
    MissingOpen,
    /// `}` where none belongs.
    UnexpectedClose,
    /// `}` is missing.
    MissingClose,
    /// An odd number of quotes.
    UnmatchedQuote,
    /// Not a number, or out of range.
    InvalidNumber,
    /// Anything else.
    General,
    /// Works, but probably not as meant.
    Warning,
    /// Works, but has a newer form.
    Deprecated,
    /// Scripts run without `enable_script_security`.
    Security,
    /// A keyword without its value: keepalived ends at once.
    MissingParameter,
}

/// A place in a configuration. The text may have come from there through a definition or `~SEQ`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// File as named.
    pub file: std::sync::Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first byte of the line's text, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Its class; `None` for what keepalived only logs.
    pub class: Option<Class>,
    /// Where; `None` for what concerns the whole.
    pub position: Option<Position>,
    /// What, in keepalived's words where it has some.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// The line as keepalived prints it: `(FILE: Line N) message`.
    #[must_use]
    pub fn render_keepalived(&self) -> String {
        match &self.position {
            Some(position) => format!("({}: Line {}) {}", position.file, position.line, self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for Diagnostic {
    /// `file:line:column: message (hint)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}
