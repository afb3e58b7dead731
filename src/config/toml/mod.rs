//! TOML → tree: the same lines that keepalived.conf would have, so that one table reads both languages.
//!
//! `names` has the keys that are not called as the keyword, `duration` lengths of time, `value` turns one value into the
//! words of a line. Tables of the file are blocks; within them order does not matter, as what is referred to is put before
//! what refers to it. Nothing is guessed: a key that nobody knows and a value of the wrong type are errors, and nothing runs.

pub(super) mod duration;
pub(super) mod names;
mod value;

use super::code::Code;
use super::diagnostic::Class;
use super::place::{Place, Reports, columns};
use super::schema::{self, BlockInfo, Row, Shape};
use super::tree::Node;
use names::{negation, toml_name};
use std::ops::Range;
use toml_edit::{Document, Item, Table};

/// Blocks of the top level in the order in which they are read.
const ORDER: [&str; 10] = [
    "global_defs",
    "garp_group",
    "track_group",
    // Lists of the top level.
    "",
    "vrrp_script",
    "track_file",
    "vrrp_track_process",
    "bfd_instance",
    "vrrp_sync_group",
    "vrrp_instance",
];

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Blocks and lines of the top level.
    pub(super) tree: Vec<Node>,
    /// LVS blocks in keepalived's language, and where they stand.
    pub(super) lvs: Option<String>,
    /// `defaults = "keepalived"`.
    pub(super) as_keepalived: bool,
    /// Something is wrong with the file, so that it must not run.
    pub(super) refused: bool,
}

/// Reads a whole file.
pub(super) fn read(text: &str, file: u16, reports: &mut Reports) -> Read {
    let lines = Lines::new(text, file);
    let mut reader = Reader {
        lines,
        reports,
        read: Read::default(),
    };
    match Document::parse(text) {
        Ok(document) => reader.document(document.as_table()),
        Err(error) => {
            let place = reader.lines.place(error.span());
            reader.refuse(place, Code::TomlSyntax, error.message().to_owned());
        }
    }
    reader.read
}

/// Where lines begin, to turn bytes into places.
struct Lines {
    starts: Vec<usize>,
    file: u16,
}

impl Lines {
    fn new(text: &str, file: u16) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { starts, file }
    }

    fn place(&self, span: Option<Range<usize>>) -> Place {
        let Some(span) = span else {
            return Place {
                file: self.file,
                line: 1,
                column: 1,
                ..Place::default()
            };
        };
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let end = self.starts.get(line).copied().unwrap_or(usize::MAX);
        Place {
            file: self.file,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: columns(span.start - start + 1),
            length: columns(span.end.min(end).saturating_sub(span.start)),
            ..Place::default()
        }
    }
}

struct Reader<'a> {
    lines: Lines,
    reports: &'a mut Reports,
    read: Read,
}

impl Reader<'_> {
    /// An error after which nothing runs.
    fn refuse(&mut self, place: Place, code: Code, message: String) -> &mut super::diagnostic::Diagnostic {
        self.read.refused = true;
        self.reports.at(place, code, Class::Fatal, message)
    }

    fn unknown(&mut self, key: &str, place: Place, inside: &str, known: &[&'static str]) {
        let near = schema::nearest_name(key, known.iter().copied()).map(str::to_owned);
        let diagnostic = self.refuse(place, Code::UnknownKeyword, format!("there is no key `{key}` {inside}"));
        diagnostic.hint = near.map(|near| format!("did you mean `{near}`?"));
    }

    fn document(&mut self, root: &Table) {
        let top = schema::top();
        let mut blocks: Vec<(usize, Node)> = Vec::new();
        for (key, item) in root.iter() {
            let place = self.key_place(root, key);
            match key {
                "defaults" => match item.as_str() {
                    Some("keepalived") => self.read.as_keepalived = true,
                    Some("vrrpd") => {}
                    Some(_) | None => {
                        let message = "`defaults` is \"vrrpd\" or \"keepalived\"".to_owned();
                        self.refuse(place, Code::BadValue, message);
                    }
                },
                "lvs" => match item.as_str() {
                    Some(text) => self.read.lvs = Some(text.to_owned()),
                    None => drop(self.refuse(place, Code::BadValue, "`lvs` is a text in keepalived's language".into())),
                },
                "global" => self.global(item, place, &mut blocks),
                _ => {
                    let row = top
                        .rows()
                        .iter()
                        .find(|row| toml_name(row) == key && !matches!(row.shape, Shape::Line | Shape::Lvs));
                    let Some(row) = row.filter(|row| row.name != "global_defs") else {
                        let known: Vec<&str> = top
                            .rows()
                            .iter()
                            .filter(|row| !matches!(row.shape, Shape::Line | Shape::Lvs))
                            .map(|row| toml_name(row))
                            .chain(["global", "defaults", "lvs"])
                            .collect();
                        self.unknown(key, place, "at the top level", &known);
                        continue;
                    };
                    self.top_level(row, item, place, &mut blocks);
                }
            }
        }
        // Stable: within a kind the order of the file stays.
        blocks.sort_by_key(|(order, _)| *order);
        self.read.tree = blocks.into_iter().map(|(_, node)| node).collect();
    }

    fn key_place(&self, table: &Table, key: &str) -> Place {
        let span = table.key(key).and_then(toml_edit::Key::span);
        let header = table.get(key).and_then(Item::span);
        self.lines.place(span.or(header))
    }

    /// Settings of the daemon: those of `global_defs`, and those that stand outside of all blocks in keepalived.conf.
    fn global(&mut self, item: &Item, place: Place, blocks: &mut Vec<(usize, Node)>) {
        let Some(table) = item.as_table_like() else {
            self.refuse(place, Code::BadValue, "`global` is a table".into());
            return;
        };
        let (defs, top) = (schema::block("global_defs"), schema::top());
        let Some(defs) = defs else { return };
        let mut node = self.node("global_defs", &[], place, top);
        node.has_block = true;
        for (key, item) in table.iter() {
            let place = self.like_place(table, key, place);
            let outside = top
                .rows()
                .iter()
                .find(|row| row.shape == Shape::Line && toml_name(row) == key);
            match outside {
                Some(row) => {
                    if let Some(line) = self.line(row, top, item, place) {
                        blocks.extend(line.into_iter().map(|line| (0, line)));
                    }
                }
                None => self.keyed(key, item, place, defs, &mut node.children),
            }
        }
        blocks.push((0, node));
    }

    fn like_place(&self, table: &dyn toml_edit::TableLike, key: &str, or: Place) -> Place {
        let span = table
            .key(key)
            .and_then(toml_edit::Key::span)
            .or_else(|| table.get(key).and_then(Item::span));
        span.map_or(or, |span| self.lines.place(Some(span)))
    }

    /// A block with its names, a block without a name, or a list.
    fn top_level(&mut self, row: &'static Row, item: &Item, place: Place, blocks: &mut Vec<(usize, Node)>) {
        let order = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let top = schema::top();
        let Shape::Block(path) = row.shape else {
            if let Some(lines) = self.line(row, top, item, place) {
                blocks.extend(lines.into_iter().map(|line| (order(""), line)));
            }
            return;
        };
        let Some(info) = schema::block(path) else { return };
        if let Some(tables) = item.as_array_of_tables().filter(|_| row.name == "garp_group") {
            for table in tables {
                let place = table.span().map_or(place, |span| self.lines.place(Some(span)));
                let mut node = self.node(row.name, &[], place, top);
                self.block(table, info, place, &mut node);
                blocks.push((order(row.name), node));
            }
            return;
        }
        let named = item.as_table_like().filter(|_| row.name != "garp_group");
        let Some(named) = named else {
            let key = toml_name(row);
            let form = if row.name == "garp_group" {
                format!("[[{key}]]")
            } else {
                format!("[{key}.NAME]")
            };
            self.refuse(place, Code::BadValue, format!("`{key}` is written as {form}"));
            return;
        };
        for (name, item) in named.iter() {
            let place = self.like_place(named, name, place);
            let Some(table) = item.as_table_like() else {
                let key = toml_name(row);
                self.refuse(
                    place,
                    Code::BadValue,
                    format!("`{key}.{name}` is a table: write it as [{key}.{name}]"),
                );
                continue;
            };
            let mut node = self.node(row.name, &[name], place, top);
            self.block(table, info, place, &mut node);
            blocks.push((order(row.name), node));
        }
    }

    fn block(&mut self, table: &dyn toml_edit::TableLike, info: &'static BlockInfo, place: Place, node: &mut Node) {
        node.has_block = true;
        for (key, item) in table.iter() {
            let place = self.like_place(table, key, place);
            self.keyed(key, item, place, info, &mut node.children);
        }
    }

    /// `key = value` inside of a block.
    fn keyed(&mut self, key: &str, item: &Item, place: Place, info: &'static BlockInfo, into: &mut Vec<Node>) {
        let row = info
            .rows()
            .iter()
            .find(|row| toml_name(row) == key && names::negated(row).is_none());
        let Some(row) = row else {
            let known: Vec<&str> = info
                .rows()
                .iter()
                .filter(|row| names::negated(row).is_none())
                .map(|row| toml_name(row))
                .collect();
            self.unknown(key, place, &format!("in `{}`", info.path), &known);
            return;
        };
        if let Shape::Block(path) = row.shape {
            let (Some(table), Some(inner)) = (item.as_table_like(), schema::block(path)) else {
                self.refuse(place, Code::BadValue, format!("`{key}` is a table"));
                return;
            };
            let mut node = self.node(row.name, &[], place, info);
            self.block(table, inner, place, &mut node);
            into.push(node);
            return;
        }
        if let (Some(word), Some(false)) = (negation(key), item.as_bool()) {
            into.push(self.node(word, &[], place, info));
            return;
        }
        into.extend(self.line(row, info, item, place).into_iter().flatten());
    }

    /// The lines that a value stands for.
    fn line(&mut self, row: &'static Row, info: &'static BlockInfo, item: &Item, place: Place) -> Option<Vec<Node>> {
        let value = item.as_value()?;
        let lines = &self.lines;
        match value::lines(row, value, &|span| lines.place(span)) {
            Ok(written) => {
                let found = info.find(row.name);
                let nodes = written.into_iter().map(|mut node| {
                    node.row = found;
                    if node.place == Place::default() {
                        node.place = place;
                    }
                    if node.has_block {
                        let end = value.span().map(|span| span.end.saturating_sub(1)..span.end);
                        node.end = end.map(|end| lines.place(Some(end)));
                    }
                    node
                });
                Some(nodes.collect())
            }
            Err(wrong) => {
                let place = self.lines.place(value.span());
                let key = toml_name(row);
                let diagnostic = self.refuse(place, Code::BadValue, format!("`{key}`: {}", wrong.what));
                diagnostic.hint = wrong.hint;
                None
            }
        }
    }

    fn node(&self, key: &str, args: &[&str], place: Place, info: &BlockInfo) -> Node {
        let words: Vec<&str> = std::iter::once(key).chain(args.iter().copied()).collect();
        let mut node = Node::from_words(&words, place);
        node.row = info.find(key);
        node
    }
}

/// The words that a value is read as, without the keyword; for the test of the examples.
#[cfg(test)]
pub(super) fn value_words(row: &'static Row, text: &str) -> Result<Vec<String>, String> {
    let value: toml_edit::Value = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let nodes = value::lines(row, &value, &|_| Place::default()).map_err(|wrong| wrong.what)?;
    let words = |node: &Node| -> Vec<String> { node.words().map(str::to_owned).collect() };
    let lines = nodes.iter().flat_map(|node| {
        if node.has_block {
            node.children.iter().flat_map(words).collect::<Vec<_>>()
        } else {
            words(node).into_iter().skip(1).collect()
        }
    });
    Ok(lines.collect())
}
