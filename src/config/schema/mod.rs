//! The keyword table: every keyword of every block, once. The parser, the printer, the documentation and "did you mean"
//! all read it.
//!
//! A keyword is one [`Keyword`] in its block's file: what it is called, what stands behind it, what it means, and how its
//! value gets into the block's draft and out of it again. To add one: add it there, and its field in `model`.

mod keyword;
mod lvs;
mod value;

pub(in crate::config) mod bfd;
pub(in crate::config) mod global;
mod global_lvs;
mod global_process;
mod global_vrrp;
pub(in crate::config) mod group;
pub(in crate::config) mod instance;
pub(in crate::config) mod instance_links;
pub(in crate::config) mod script;
pub(in crate::config) mod top;
pub(in crate::config) mod tracker;

pub(in crate::config) use global::quoted;
pub use keyword::Reload;
pub(in crate::config) use keyword::{Access, Acts, Block, Keyword, Repeat, Row, Shape, Table, Value};
pub(in crate::config) use lvs::{LvsInfo, lvs, lvs_inside};
pub(in crate::config) use value::{Number, Read, Time, c_number, number, strict, truth};

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A keyword of a block, found by its name or a synonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Found {
    row: u16,
    /// Position among the synonyms plus one; 0: the name itself.
    synonym: u16,
}

impl Found {
    /// Position of the keyword in its table.
    pub(in crate::config) fn index(self) -> usize {
        usize::from(self.row)
    }

    /// Position of the synonym that was written, if it was one.
    pub(in crate::config) fn synonym(self) -> Option<usize> {
        usize::from(self.synonym).checked_sub(1)
    }
}

/// What is known of a block, whatever its draft is.
#[derive(Debug)]
pub(in crate::config) struct BlockInfo {
    /// Keywords that lead to it, joined by ` / `; `(top)` for the top level.
    pub(in crate::config) path: &'static str,
    rows: Vec<&'static Row>,
    names: BTreeMap<&'static str, Found>,
}

impl BlockInfo {
    pub(super) fn new<D>(table: &'static Table<D>) -> Self {
        let rows: Vec<_> = table
            .keywords
            .iter()
            .flat_map(|part| part.iter())
            .map(|keyword| &keyword.row)
            .collect();
        let mut names = BTreeMap::new();
        for (index, row) in (0..).zip(&rows) {
            names.insert(row.name, Found { row: index, synonym: 0 });
            for (position, synonym) in (1..).zip(row.synonyms) {
                let found = Found {
                    row: index,
                    synonym: position,
                };
                names.insert(synonym.name, found);
            }
        }
        Self {
            path: table.path,
            rows,
            names,
        }
    }

    /// The keyword with this name.
    pub(in crate::config) fn find(&self, key: &str) -> Option<Found> {
        self.names.get(key).copied()
    }

    /// A row that was found in this block.
    pub(in crate::config) fn row(&self, found: Found) -> &'static Row {
        #[expect(clippy::indexing_slicing, reason = "only `find` makes these")]
        self.rows[found.index()]
    }

    /// All rows, in the order of the table.
    pub(in crate::config) fn rows(&self) -> &[&'static Row] {
        &self.rows
    }

    /// The known keyword that is most like a mistyped one.
    pub(in crate::config) fn nearest(&self, key: &str) -> Option<&'static str> {
        nearest_of(key, self.names.keys().copied())
    }
}

static BLOCKS: LazyLock<Vec<BlockInfo>> = LazyLock::new(|| {
    vec![
        BlockInfo::new(&top::TABLE),
        BlockInfo::new(&global::TABLE),
        BlockInfo::new(&instance::TABLE),
        BlockInfo::new(&instance::AUTHENTICATION),
        BlockInfo::new(&instance::AUTH_HMAC),
        BlockInfo::new(&group::TABLE),
        BlockInfo::new(&group::TRACK_GROUP),
        BlockInfo::new(&group::GARP_GROUP),
        BlockInfo::new(&script::TABLE),
        BlockInfo::new(&tracker::FILE),
        BlockInfo::new(&tracker::PROCESS),
        BlockInfo::new(&bfd::TABLE),
    ]
});

/// All blocks of keywords.
pub(in crate::config) fn blocks() -> &'static [BlockInfo] {
    &BLOCKS
}

/// The block with this path.
pub(in crate::config) fn block(path: &str) -> Option<&'static BlockInfo> {
    BLOCKS.iter().find(|block| block.path == path)
}

/// The top level.
pub(in crate::config) fn top() -> &'static BlockInfo {
    #[expect(clippy::indexing_slicing, reason = "the list above begins with it")]
    &BLOCKS[0]
}

/// Another block in which the keyword is known.
pub(in crate::config) fn elsewhere(path: &str, key: &str) -> Option<&'static str> {
    let others = BLOCKS.iter().filter(|block| block.path != path);
    others
        .filter(|block| block.find(key).is_some())
        .map(|block| block.path)
        .next()
}

/// The name that is most like a mistyped one, if any is near enough.
pub(in crate::config) fn nearest_name<'n>(key: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = 1 + key.len().min(64) / 4;
    let near = names.filter(|name| name.len().abs_diff(key.len()) <= limit);
    let best = near.map(|name| (distance(key, name), name)).min()?;
    (best.0 <= limit && best.0 < best.1.len()).then_some(best.1)
}

/// The word that is most like a mistyped one, if any is near enough.
fn nearest_of(key: &str, words: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest_name(key, words)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let up = *cell;
            let cost = diagonal + usize::from(x != y);
            left = cost.min(up + 1).min(left + 1);
            *cell = left;
            diagonal = up;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
