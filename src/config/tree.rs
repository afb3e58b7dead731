//! The shape that every configuration has before it means something.

use super::place::Place;
use super::schema::Found;
use std::borrow::Cow;

/// A keyword with its arguments and, for a block, what stands inside.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// The line as it was before it was split into words; commands are split by other rules.
    text: Box<str>,
    /// Where in `text` the words are, without their quotes.
    words: Box<[(u32, u32)]>,
    /// Inside of a block.
    pub(super) children: Vec<Self>,
    /// Where.
    pub(super) place: Place,
    /// Where its block ends.
    pub(super) end: Option<Place>,
    /// Whether braces followed.
    pub(super) has_block: bool,
    /// Nobody knows its keyword; it is only kept.
    pub(super) unknown: bool,
    /// The keyword's row in the table of its block.
    pub(super) row: Option<Found>,
}

impl Node {
    /// A line and the ranges of its words.
    pub(super) fn new(text: &str, words: &[(u32, u32)], place: Place) -> Self {
        Self {
            text: text.into(),
            words: words.into(),
            children: Vec::new(),
            place,
            end: None,
            has_block: false,
            unknown: false,
            row: None,
        }
    }

    /// A line of these words; for text that has been split already.
    #[allow(dead_code, reason = "the entry for the other language's reader")]
    pub(super) fn from_words(words: &[&str], place: Place) -> Self {
        let mut text = String::new();
        let mut ranges = Vec::new();
        for word in words {
            if !text.is_empty() {
                text.push(' ');
            }
            let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            ranges.push((at(text.len()), at(text.len() + word.len())));
            text.push_str(word);
        }
        Self::new(&text, &ranges, place)
    }

    /// Whether something inside is only kept.
    fn has_unknown(&self) -> bool {
        self.children.iter().any(|child| child.unknown || child.has_unknown())
    }

    /// The same without what is only kept.
    pub(super) fn known(&self) -> Cow<'_, Self> {
        if !self.has_unknown() {
            return Cow::Borrowed(self);
        }
        let children = self.children.iter().filter(|child| !child.unknown);
        Cow::Owned(Self {
            children: children.map(|child| child.known().into_owned()).collect(),
            ..self.clone()
        })
    }

    /// The whole line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn range(&self, index: usize) -> Option<(usize, usize)> {
        let (start, end) = *self.words.get(index)?;
        Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
    }

    /// A word by its position; 0 is the keyword.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        let (start, end) = self.range(index)?;
        self.text.get(start..end)
    }

    /// The first word.
    pub(super) fn key(&self) -> &str {
        self.word(0).unwrap_or_default()
    }

    /// The first argument.
    pub(super) fn first(&self) -> Option<&str> {
        self.word(1)
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// All words.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        (0..self.words.len()).filter_map(|index| self.word(index))
    }

    /// All words but the first.
    pub(super) fn args(&self) -> impl Iterator<Item = &str> {
        self.words().skip(1)
    }

    /// All words but the first, as one text.
    pub(super) fn rest(&self) -> String {
        self.args().collect::<Vec<_>>().join(" ")
    }

    /// Where a word stands; the whole line if there is none.
    pub(super) fn place_of(&self, index: usize) -> Place {
        let range = self.range(index);
        range.map_or(self.place, |(start, end)| self.place.part(start, end - start))
    }
}
