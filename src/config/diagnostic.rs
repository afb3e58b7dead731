//! Problems of a configuration, as values with their place.

use super::code::Code;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// keepalived's classes of configuration errors in its order; the highest one seen decides the exit status of `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Scripts run without `enable_script_security`, or a secret can be read by others.
    Security,
    /// A keyword without its value: keepalived ends at once.
    MissingParameter,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// Something that is written does not count, or nothing runs.
    Error,
}

/// A piece of a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// File as named.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first byte, from 1.
    pub column: u32,
    /// How many bytes; 0: not known.
    pub length: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Another place that belongs to a problem, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// What is there: "the block begins here", "first defined here".
    pub message: String,
    /// Where.
    pub span: Span,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Which one; stable, [`Code::explanation`] says more.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// keepalived's class; `None` for what keepalived only logs, or does not say at all.
    pub class: Option<Class>,
    /// Where the text stands that it is about; `None` for what concerns the whole.
    pub span: Option<Span>,
    /// How the text came to be read there, from the text outwards: through a definition, a `~SEQ`, an include.
    pub origin: Vec<Related>,
    /// Where keepalived had read to when it saw it, if that is not where the text stands: the end of a block.
    pub reported_at: Option<Span>,
    /// Found when everything had been read: keepalived tells no line.
    pub after_reading: bool,
    /// What, in keepalived's words where it has some.
    pub message: String,
    /// What is wrong with the number in it; keepalived prints this as a line of its own before.
    pub detail: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// What to do, or what was probably meant.
    pub hint: Option<String>,
    /// The problem that this one probably follows from: braces that make the text around them be read otherwise.
    pub follows: Option<Span>,
    /// The keywords that it is about, in the block at `span`: the first of them is its place, the others belong to it.
    #[serde(skip)]
    pub(super) about: &'static [&'static str],
}

impl Diagnostic {
    /// A problem without a place.
    #[must_use]
    pub const fn new(code: Code, class: Option<Class>, message: String) -> Self {
        let severity = match class {
            None => Severity::Note,
            Some(Class::Warning | Class::Deprecated | Class::Security) => Severity::Warning,
            Some(_) => Severity::Error,
        };
        Self {
            code,
            severity,
            class,
            span: None,
            origin: Vec::new(),
            reported_at: None,
            after_reading: false,
            message,
            detail: None,
            related: Vec::new(),
            hint: None,
            follows: None,
            about: &[],
        }
    }

    /// Says which keywords it is about.
    pub(super) const fn about(&mut self, keywords: &'static [&'static str]) -> &mut Self {
        self.about = keywords;
        self
    }

    /// The file and the line that was being read, as keepalived counts: the line of a use, not of a definition. `None` for what
    /// it finds out later.
    #[must_use]
    pub fn read_at(&self) -> Option<&Span> {
        if self.after_reading {
            return None;
        }
        if self.reported_at.is_some() {
            return self.reported_at.as_ref();
        }
        let used = self.origin.iter().rev().find(|step| step.message != INCLUDED);
        used.map(|step| &step.span).or(self.span.as_ref())
    }

    /// The line as keepalived prints it: `(FILE: Line N) message`.
    #[must_use]
    pub fn render_keepalived(&self) -> String {
        self.with_place(&self.message)
    }

    /// All lines that keepalived prints for it.
    pub fn keepalived_lines(&self) -> impl Iterator<Item = String> {
        let detail = self.detail.as_ref().map(|detail| self.with_place(detail));
        detail.into_iter().chain(std::iter::once(self.render_keepalived()))
    }

    fn with_place(&self, message: &str) -> String {
        match self.read_at() {
            Some(at) => format!("({}: Line {}) {message}", at.file, at.line),
            None => message.to_owned(),
        }
    }
}

/// What a related place at the beginning of a block says.
pub(super) const BLOCK_BEGINS: &str = "in the block that begins here";
/// What an origin by include says.
pub(super) const INCLUDED: &str = "included from here";

impl fmt::Display for Diagnostic {
    /// `file:line:column: message (hint)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            write!(f, "{span}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}
