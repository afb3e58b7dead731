//! The user's comments: found by line, and given to what stands on the next line or on the same one.

use super::{Content, Entry, Item, Remarks};
use crate::config::schema;
use crate::config::tree::Node;
use std::collections::{BTreeMap, BTreeSet};

/// How a language marks comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Marks {
    /// `#` and `!`, not inside of double quotes.
    Keepalived,
    /// `#`, not inside of double or single quotes.
    Toml,
}

/// File and line.
type Line = (u16, u32);

/// Comments that have not found their place yet.
#[derive(Debug, Default)]
pub(in crate::config) struct Comments {
    by_line: BTreeMap<Line, Remarks>,
    /// Those behind the last line that means something.
    rest: Vec<String>,
}

impl Comments {
    /// The comments of the files that the tree came from. `text` gives the text of a file by its number.
    pub(in crate::config) fn find(tree: &[Node], text: &dyn Fn(u16) -> Option<(String, Marks)>) -> Self {
        let mut files: BTreeMap<u16, Lines> = BTreeMap::new();
        for node in tree {
            collect_lines(node, &mut files);
            if let Some(lines) = files.get_mut(&node.place.file).filter(|_| node.has_block) {
                lines.blocks.insert(node.place.line);
            }
        }
        let mut comments = Self::default();
        for (file, lines) in files {
            let Some((text, marks)) = text(file) else { continue };
            comments.scan(file, &lines, &text, marks);
        }
        comments
    }

    fn scan(&mut self, file: u16, lines: &Lines, text: &str, marks: Marks) {
        let mut waiting: Vec<String> = Vec::new();
        // In TOML what stands directly under the last key of a table, before an empty line, is the end of that table.
        let (mut table, mut adjoins) = (None, false);
        for (number, line) in (1u32..).zip(text.lines()) {
            let comment = split(line, marks).filter(|comment| !super::OUR_REMARKS.contains(comment));
            if lines.used.contains(&number) {
                let remarks = self.by_line.entry((file, number)).or_default();
                remarks.above.append(&mut waiting);
                remarks.behind = comment.map(str::to_owned).or(remarks.behind.take());
                table = table.filter(|_| !lines.blocks.contains(&number)).or(Some(number));
                adjoins = true;
            } else if let Some(begin) = lines.ends.get(&number) {
                let remarks = self.by_line.entry((file, *begin)).or_default();
                remarks.last.append(&mut waiting);
                match (&remarks.end, comment) {
                    (_, None) => {}
                    (None, Some(comment)) => remarks.end = Some(comment.to_owned()),
                    (Some(_), Some(comment)) => remarks.last.push(comment.to_owned()),
                }
            } else if let Some(comment) = comment {
                waiting.push(comment.to_owned());
            } else if line.trim().is_empty() {
                self.end_table(file, table.filter(|_| adjoins), marks, &mut waiting);
                adjoins = false;
            }
        }
        self.end_table(file, table.filter(|_| adjoins), marks, &mut waiting);
        self.rest.append(&mut waiting);
    }

    fn end_table(&mut self, file: u16, table: Option<u32>, marks: Marks, waiting: &mut Vec<String>) {
        if let (Some(table), Marks::Toml) = (table, marks) {
            let remarks = self.by_line.entry((file, table)).or_default();
            remarks.last.append(waiting);
        }
    }

    /// Gives comments to the items that were written at these nodes. What belongs nowhere comes back.
    pub(in crate::config) fn place(mut self, tree: &[Node], items: &mut [Item]) -> Vec<String> {
        let top = schema::top();
        let mut by_name: BTreeMap<(&str, Option<&str>), Vec<&Node>> = BTreeMap::new();
        for node in tree {
            let key = node.row.map_or(node.key(), |found| top.row(found).name);
            let name = node.has_block.then(|| node.first()).flatten();
            by_name.entry((key, name)).or_default().push(node);
        }
        for item in &mut *items {
            let name = match &item.content {
                Content::Block { name, .. } => name.clone(),
                Content::Lines(_) | Content::List(_) | Content::Lvs(_) => None,
            };
            let nodes = by_name.get(&(item.row.name, name.as_deref()));
            self.give(item, nodes.map(Vec::as_slice).unwrap_or_default());
        }
        let mut rest: Vec<String> = Vec::new();
        for remarks in self.by_line.into_values() {
            rest.extend(remarks.above);
            rest.extend(remarks.behind);
            rest.extend(remarks.last);
            rest.extend(remarks.end);
        }
        rest.append(&mut self.rest);
        rest.retain(|comment| !comment.is_empty());
        rest
    }

    /// Comments of the nodes that an item was written at, and of what is inside.
    fn give(&mut self, item: &mut Item, nodes: &[&Node]) {
        for node in nodes {
            let taken = self.take(node);
            add(&mut item.remarks, taken);
        }
        match &mut item.content {
            Content::Lines(_) | Content::Lvs(_) => {}
            Content::List(entries) => {
                let lines: Vec<&Node> = nodes.iter().flat_map(|node| &node.children).collect();
                self.give_entries(entries, &lines);
            }
            Content::Block { items, .. } => {
                for inner in items {
                    let children = nodes.iter().flat_map(|node| &node.children);
                    let found: Vec<&Node> = children.filter(|child| child.key_is(inner.row)).collect();
                    self.give(inner, &found);
                }
            }
        }
    }

    fn give_entries(&mut self, entries: &mut [Entry], lines: &[&Node]) {
        // Lines that were refused have no entry; the others are in the same order.
        let mut lines = lines.iter();
        for entry in entries {
            let first = crate::config::keepalived::split_words(&entry.text)
                .first()
                .cloned()
                .unwrap_or_default();
            let host = |word: &str| word.split('/').next().unwrap_or_default().to_owned();
            let fits = |line: &&&Node| line.words().any(|word| word == first || host(word) == host(&first));
            let mut rest = lines.clone();
            if let Some(line) = rest.find(|line| fits(line)) {
                lines = rest;
                let taken = self.take(line);
                add(&mut entry.remarks, taken);
            }
        }
    }

    fn take(&mut self, node: &Node) -> Remarks {
        // Text from a definition or a sequence stands elsewhere.
        if node.place.moved {
            return Remarks::default();
        }
        self.by_line
            .remove(&(node.place.file, node.place.line))
            .unwrap_or_default()
    }
}

fn add(remarks: &mut Remarks, more: Remarks) {
    remarks.above.extend(more.above);
    match (&mut remarks.behind, more.behind) {
        (behind @ None, more) => *behind = more,
        (Some(_), Some(more)) => remarks.above.push(more),
        (Some(_), None) => {}
    }
    remarks.last.extend(more.last);
    match (&mut remarks.end, more.end) {
        (end @ None, more) => *end = more,
        (Some(_), more) => remarks.last.extend(more),
    }
}

/// The lines of a file that mean something.
#[derive(Debug, Default)]
struct Lines {
    used: BTreeSet<u32>,
    /// Those of `used` at which a block of the top level begins.
    blocks: BTreeSet<u32>,
    /// Where a block ends, and where it begins.
    ends: BTreeMap<u32, u32>,
}

fn collect_lines(node: &Node, files: &mut BTreeMap<u16, Lines>) {
    if !node.place.moved && node.place.line > 0 {
        let lines = files.entry(node.place.file).or_default();
        lines.used.insert(node.place.line);
        let end = node
            .end
            .filter(|end| !end.moved && end.file == node.place.file && end.line > node.place.line);
        if let Some(end) = end {
            // Of blocks that end together the innermost one, which comes last.
            lines.ends.insert(end.line, node.place.line);
        }
    }
    node.children.iter().for_each(|child| collect_lines(child, files));
}

/// The comment of a line without its marks.
fn split(line: &str, marks: Marks) -> Option<&str> {
    let mut quote: Option<char> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', _) => drop(chars.next()),
            ('"', None) => quote = Some('"'),
            ('\'', None) if marks == Marks::Toml => quote = Some('\''),
            (c, Some(open)) if c == open => quote = None,
            ('#', None) => return without_marks(line, at),
            ('!', None) if marks == Marks::Keepalived => return without_marks(line, at),
            (_, _) => {}
        }
    }
    None
}

fn without_marks(line: &str, at: usize) -> Option<&str> {
    line.get(at..)
        .map(|comment| comment.trim_start_matches(['#', '!']).trim())
}

/// Whether a node is written with this keyword, under any of its names.
impl Node {
    fn key_is(&self, row: &crate::config::schema::Row) -> bool {
        self.key() == row.name || row.synonyms.iter().any(|synonym| synonym.name == self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_begin_where_the_language_says() {
        for (line, comment) in [
            ("a # b", Some("b")),
            ("a ! b", Some("b")),
            (
                "! Configuration File for keepalived",
                Some("Configuration File for keepalived"),
            ),
            ("a \"# b\" c", None),
            ("a \"x\" ## b", Some("b")),
        ] {
            assert_eq!(split(line, Marks::Keepalived), comment, "{line}");
        }
        for (line, comment) in [("a = 'x # y' # b", Some("b")), ("a = \"!\"", None), ("! a", None)] {
            assert_eq!(split(line, Marks::Toml), comment, "{line}");
        }
    }
}
