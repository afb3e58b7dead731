//! Drafts → either language: what is written, in the order and the words of the keyword table.
//!
//! `collect` asks every keyword of the table for its value; `keepalived` and `toml` write the items that come out, and
//! `comments` finds the user's comments and gives them to the items that they stand at. What is not written is not written
//! again, so that defaults stay defaults.

mod collect;
mod comments;
mod drafts;
mod keepalived;
mod toml;

pub(super) use collect::collect;
pub(super) use comments::{Comments, Marks};
pub(super) use keepalived::keepalived;
pub(super) use toml::{toml, toml_example};

use super::schema::Row;
use crate::model::{LvsBlock, Model};

/// The model in keepalived's language. Reading it again gives the same model.
#[must_use]
pub fn print_keepalived(model: &Model) -> String {
    keepalived(&collect(&drafts::of(model)), &[])
}

/// The model in TOML. Reading it again gives the same model.
#[must_use]
pub fn print_toml(model: &Model) -> String {
    toml(&collect(&drafts::of(model)), &[])
}

/// What we write into TOML by ourselves; these are no comments of the user's.
const OUR_REMARKS: [&str; 2] = [
    "What is not written has keepalived's default, not the safer one of this language.",
    "Not handled by vrrpd: kept for keepalived, in its own language.",
];

/// The comments of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Remarks {
    /// On lines of their own, above.
    pub(super) above: Vec<String>,
    /// Behind it.
    pub(super) behind: Option<String>,
    /// Of a block: on lines of their own, before its end.
    pub(super) last: Vec<String>,
    /// Of a block: behind its closing brace.
    pub(super) end: Option<String>,
}

/// Something that is written.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its keyword; `None` for LVS blocks.
    pub(super) row: &'static Row,
    pub(super) content: Content,
    pub(super) remarks: Remarks,
}

/// What stands behind a keyword.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Arguments, for each time that the keyword is written.
    Lines(Vec<String>),
    /// Lines in a block, or words in a block.
    List(Vec<Entry>),
    /// A block of keywords.
    Block {
        /// What stands between keyword and `{`.
        name: Option<String>,
        items: Vec<Item>,
    },
    /// A block of keepalived's LVS side.
    Lvs(LvsBlock),
}

/// A line of a list.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) remarks: Remarks,
}
