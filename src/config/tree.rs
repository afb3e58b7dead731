//! The shape that every configuration has before it means something.

use super::diagnostic::Position;

/// A keyword with its arguments and, for a block, what stands inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The first word.
    pub(super) key: String,
    /// The other words.
    pub(super) args: Vec<String>,
    /// The line as it was before it was split into words; commands are split by other rules.
    pub(super) raw: String,
    /// Inside of a block.
    pub(super) children: Vec<Self>,
    /// Where.
    pub(super) position: Position,
}

impl Node {
    /// The first argument.
    pub(super) fn first(&self) -> Option<&str> {
        self.args.first().map(String::as_str)
    }

    /// All words of a line of a value block.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str()).chain(self.args.iter().map(String::as_str))
    }
}
