//! Text → model. Reads `keepalived.conf`; every problem of a file is found in one run and carries its place.
//!
//! Stages: `keepalived` (characters → lines of words → tree), `schema` (which keyword may stand where),
//! `lower` (tree → model, with keepalived's defaults and consequences). Files and the host are seen only through
//! [`Source`] and [`Host`], so that a configuration can be judged without the machine that it is for.

mod check;
mod code;
mod diagnostic;
mod difference;
mod keepalived;
mod keywords;
mod lint;
mod lower;
mod pinpoint;
mod place;
mod print;
mod program;
mod reading;
mod schema;
mod seldom;
mod source;
mod toml;
mod tree;

pub use code::Code;
pub use diagnostic::{Class, Diagnostic, Related, Severity, Span};
pub use difference::{Change, Difference, Fate, Kind, Object, difference, waiting_for_restart};
pub use keywords::{BlockInfo, KeywordInfo, keywords};
pub use print::{print_keepalived, print_toml};
pub use reading::Language;
pub use schema::Reload;
pub use source::{
    FileFacts, FileKind, Host, InterfaceFacts, LinkKind, MemorySource, NoHost, ReadError, Secret, Source,
};
pub use toml::duration::read_duration;

use crate::model::Model;
use std::collections::BTreeMap;

/// What the command line says about reading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// `-i`: the id that `@id` conditions compare with. `None`: the host name up to its first dot.
    pub config_id: Option<String>,
    /// `-t`: a number with something behind it is wrong; a running daemon takes it with a warning, as keepalived.
    pub test: bool,
    /// Also what keepalived does not say: the lints of `vrrpd check`.
    pub lint: bool,
    /// For people who look at the text: what is found out when a whole block was read is told at the keyword that it is about.
    /// The tree is kept for that; with [`Self::lint`] it is anyway.
    pub exact: bool,
    /// How much text there may be after definitions and sequences are expanded, in bytes, a line counting 64 more;
    /// `None`: 256 MiB.
    pub text_limit: Option<u64>,
}

/// Enough for 65,000 instances with all that an instance has.
const TEXT_LIMIT: u64 = 1 << 28;

/// A configuration that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What it means; `None` if it cannot run.
    pub model: Option<Model>,
    /// Every problem, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// What must not be used although it was read: a limit was reached, or an include that has to be there is not.
    pub incomplete: bool,
    /// It was an include.
    pub include_failed: bool,
    /// The worst class when keepalived stops at a missing interface. vrrpd waits for it and goes on checking, but what is
    /// found after that does not count for the exit status of `-t`.
    pub stops_with: Option<Class>,
    /// Files read, the main one first.
    pub files: Vec<String>,
    /// Hex digits that differ when any byte of any file differs.
    pub hash: String,
    /// Where the instances and their keywords stand, by the instance's name and the keyword; the empty keyword is the instance
    /// itself. Only with [`LoadOptions::lint`].
    pub places: BTreeMap<(String, String), Span>,
}

impl Loaded {
    /// Exit status of `-t` (config-language §9, DESIGN difference 9): 0, 4, 5 or 6.
    #[must_use]
    pub fn test_status(&self) -> u8 {
        if self.include_failed {
            return 6;
        }
        let worst = self
            .stops_with
            .or_else(|| self.diagnostics.iter().filter_map(|d| d.class).max());
        worst.map_or(0, |class| match class {
            Class::FileNotFound | Class::BadInterface | Class::Fatal => 4,
            Class::Security => 6,
            Class::MissingParameter => 2,
            Class::MultipleFiles
            | Class::UnknownKeyword
            | Class::UnexpectedOpen
            | Class::MissingOpen
            | Class::UnexpectedClose
            | Class::MissingClose
            | Class::UnmatchedQuote
            | Class::InvalidNumber
            | Class::General
            | Class::Warning
            | Class::Deprecated => 5,
        })
    }

    /// Exit status of a start that cannot go on: 6 without a file, 2 for a configuration that cannot run.
    #[must_use]
    pub fn run_status(&self) -> Option<u8> {
        let no_file = self.files.is_empty() || self.include_failed;
        match (&self.model, no_file) {
            (Some(_), _) => None,
            (None, true) => Some(6),
            (None, false) => Some(2),
        }
    }
}

/// Reads the configuration file `path` with everything that it includes; TOML if its name ends in `.toml`.
#[must_use]
pub fn load(path: &str, source: &dyn Source, host: &dyn Host, options: &LoadOptions) -> Loaded {
    reading::Reading::new(path, source, host, options, options.lint || options.exact).finish(options.lint)
}

/// Reads a configuration and writes it again, in either language: what is written, not what follows from it.
#[must_use]
pub fn convert(
    path: &str,
    source: &dyn Source,
    host: &dyn Host,
    options: &LoadOptions,
    to: Language,
) -> (String, Loaded) {
    let reading = reading::Reading::new(path, source, host, options, true);
    let text = reading.print(source, to);
    (text, reading.finish(options.lint))
}

/// Reads a configuration that is a piece of text.
#[must_use]
pub fn load_text(text: &str, host: &dyn Host) -> Loaded {
    let source = MemorySource::new("text", text);
    load("text", &source, host, &LoadOptions::default())
}

#[cfg(test)]
mod tests;
