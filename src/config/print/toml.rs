//! Items → TOML.

use super::{Content, Entry, Item, Remarks};
use crate::config::keepalived::{split_command, split_words};
use crate::config::schema::{Read, Repeat, Row, Value};
use crate::config::toml::duration::print_duration;
use crate::config::toml::names::{Entries, entries_of, negated, section_of, toml_name};
use crate::model::LvsBlock;

/// The text of a TOML file with these items. It says that keepalived's defaults hold, so that it means the same.
pub(in crate::config) fn toml(items: &[Item], rest: &[String]) -> String {
    let mut out = Writer::default();
    out.line(&format!("# {}", super::OUR_REMARKS[0]));
    out.line("defaults = \"keepalived\"");
    let lvs: Vec<&LvsBlock> = items
        .iter()
        .filter_map(|item| match &item.content {
            Content::Lvs(block) => Some(block),
            Content::Lines(_) | Content::List(_) | Content::Block { .. } => None,
        })
        .collect();
    out.lvs(&lvs);
    for item in items.iter().filter(|item| matches!(item.content, Content::List(_))) {
        out.keyed(item);
    }
    out.global(items);
    for item in items.iter().filter(|item| item.row.name != "global_defs") {
        if let Content::Block { name, items } = &item.content {
            out.section(item, name.as_deref(), items);
        }
    }
    if !rest.is_empty() {
        out.text.push('\n');
        out.above(rest);
    }
    out.text
}

#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn above(&mut self, comments: &[String]) {
        comments.iter().for_each(|comment| self.line(&format!("# {comment}")));
    }

    /// What stands before the end of a block, and behind it: a table has no end of its own.
    fn last(&mut self, remarks: &Remarks) {
        self.above(&remarks.last);
        self.above(remarks.end.as_slice());
    }

    fn with(&mut self, text: &str, remarks: &Remarks) {
        match &remarks.behind {
            Some(behind) => self.line(&format!("{text}  # {behind}")),
            None => self.line(text),
        }
    }

    /// `global_defs` and what stands outside of all blocks.
    fn global(&mut self, items: &[Item]) {
        let outside = items.iter().filter(|item| matches!(item.content, Content::Lines(_)));
        let block = items.iter().find(|item| item.row.name == "global_defs");
        let inside: &[Item] = match block.map(|item| &item.content) {
            Some(Content::Block { items, .. }) => items,
            _ => &[],
        };
        let outside: Vec<&Item> = outside.collect();
        if outside.is_empty() && inside.is_empty() {
            return;
        }
        self.text.push('\n');
        let remarks = block.map(|item| item.remarks.clone()).unwrap_or_default();
        self.above(&remarks.above);
        self.with("[global]", &remarks);
        outside.into_iter().chain(inside).for_each(|item| self.keyed(item));
        self.last(&remarks);
    }

    fn section(&mut self, item: &Item, name: Option<&str>, items: &[Item]) {
        self.text.push('\n');
        self.above(&item.remarks.above);
        let section = section_of(item.row);
        let header = match name {
            Some(name) => format!("[{section}.{}]", key(name)),
            None => format!("[[{section}]]"),
        };
        self.with(&header, &item.remarks);
        items.iter().for_each(|item| self.keyed(item));
        self.last(&item.remarks);
    }

    /// `key = value`, or a list over several lines.
    fn keyed(&mut self, item: &Item) {
        self.above(&item.remarks.above);
        let name = toml_name(item.row);
        match &item.content {
            Content::Lines(lines) => {
                let (name, value) = match negated(item.row) {
                    Some(positive) => (positive, "false".to_owned()),
                    None => (name, values(item.row, lines)),
                };
                self.with(&format!("{name} = {value}"), &item.remarks);
            }
            Content::List(entries) => self.list(name, item, entries),
            Content::Block { items, .. } => self.inline(name, item, items),
            Content::Lvs(_) => {}
        }
    }

    fn list(&mut self, name: &str, item: &Item, entries: &[Entry]) {
        let value = |entry: &Entry| entry_value(item.row, &entry.text);
        let plain = entries.iter().all(|entry| entry.remarks == Remarks::default()) && item.remarks.last.is_empty();
        if plain && entries.len() < 2 {
            let values: Vec<String> = entries.iter().map(value).collect();
            let remarks = Remarks {
                behind: item.remarks.behind.clone().or(item.remarks.end.clone()),
                ..Remarks::default()
            };
            return self.with(&format!("{name} = [{}]", values.join(", ")), &remarks);
        }
        self.with(&format!("{name} = ["), &item.remarks);
        for entry in entries {
            for comment in &entry.remarks.above {
                self.line(&format!("    # {comment}"));
            }
            self.with(&format!("    {},", value(entry)), &entry.remarks);
        }
        for comment in &item.remarks.last {
            self.line(&format!("    # {comment}"));
        }
        match &item.remarks.end {
            Some(end) => self.line(&format!("]  # {end}")),
            None => self.line("]"),
        }
    }

    /// A block inside of a block.
    fn inline(&mut self, name: &str, item: &Item, items: &[Item]) {
        if !items.is_empty() {
            self.above(item.remarks.behind.as_slice());
        }
        for inner in items {
            self.above(&inner.remarks.above);
            if let Content::Lines(lines) = &inner.content {
                let key = toml_name(inner.row);
                self.with(&format!("{name}.{key} = {}", values(inner.row, lines)), &inner.remarks);
            }
        }
        if items.is_empty() {
            self.with(&format!("{name} = {{}}"), &item.remarks);
        }
        self.last(&item.remarks);
    }

    fn lvs(&mut self, blocks: &[&LvsBlock]) {
        if blocks.is_empty() {
            return;
        }
        let text: String = blocks.iter().map(|block| super::keepalived::lvs(block)).collect();
        self.line(&format!("\n# {}", super::OUR_REMARKS[1]));
        self.line(&format!("lvs = {}", string(&text)));
    }
}

/// A key, quoted where it has to be.
fn key(name: &str) -> String {
    toml_edit::Key::new(name).display_repr().into_owned()
}

fn string(text: &str) -> String {
    toml_edit::Value::from(text).to_string().trim().to_owned()
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// What stands behind the keyword, each time that it is written.
fn values(row: &Row, lines: &[String]) -> String {
    match lines {
        [only] if row.repeat != Repeat::Append => value(row, only),
        several => array(several.iter().map(|line| value(row, line))),
    }
}

fn value(row: &Row, text: &str) -> String {
    match row.value {
        Value::Flag => "true".to_owned(),
        Value::Bool => (text != "false").to_string(),
        _ if text.is_empty() => "true".to_owned(),
        Value::Int(_) => text.to_owned(),
        Value::Time(time) => match time.read(text, true) {
            Read::Good(time) | Read::Warned(time, _) => string(&print_duration(time)),
            Read::Bad(_) => string(text),
        },
        Value::Word => string(split_words(text).first().map_or("", String::as_str)),
        Value::Command => command(row, text),
        Value::Custom(_) if row.args.starts_with("COMMAND") => command(row, text),
        Value::Custom(_) if row.args.starts_with(['N', '2']) && is_number(text) => text.to_owned(),
        Value::Custom(_) => match split_words(text).as_slice() {
            // A single word needs no quotes of its own, unless it would be split without them.
            [only] if !only.contains([' ', '\t', '"']) && !only.is_empty() => string(only),
            _ => string(text),
        },
        Value::Lines | Value::Words | Value::Block | Value::Lvs => string(text),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// The words of a command; with a user as a table.
fn command(row: &Row, text: &str) -> String {
    let Ok((argv, owner)) = split_command(&format!("{} {text}", row.name)) else {
        return string(text);
    };
    let words = match argv.as_slice() {
        [only] if !only.contains([' ', '\t']) => string(only),
        argv => array(argv.iter().map(|word| string(word))),
    };
    match owner.as_slice() {
        [] => words,
        [user] => format!("{{ command = {words}, user = {} }}", string(user)),
        [user, group, ..] => format!(
            "{{ command = {words}, user = {}, group = {} }}",
            string(user),
            string(group)
        ),
    }
}

/// An entry of a list: its subject alone, else a table, else keepalived's own words.
fn entry_value(row: &Row, text: &str) -> String {
    let words = split_words(text);
    match (words.as_slice(), entries_of(row)) {
        ([only], _) => string(only),
        (words, Some(entries)) => table(entries, words).unwrap_or_else(|| string(text)),
        (_, None) => string(text),
    }
}

fn table(entries: &Entries, words: &[String]) -> Option<String> {
    let (subject, rest) = words.split_first()?;
    let mut parts = vec![format!("{} = {}", entries.subject, string(subject))];
    let mut rest = rest.iter().map(String::as_str);
    let mut last = 0;
    while let Some(word) = rest.next() {
        let (position, part) = match entries.valued.iter().position(|name| *name == word) {
            Some(position) => {
                let value = rest.next()?;
                let value = if is_number(value) {
                    value.to_owned()
                } else {
                    string(value)
                };
                (position, format!("{word} = {value}"))
            }
            None => {
                let (position, flag) = entries.flags.iter().enumerate().find(|(_, flag)| flag.word == word)?;
                (
                    entries.valued.len() + position,
                    format!("{} = {}", flag.name, flag.value),
                )
            }
        };
        // The reader writes them in the order of the list; another order stays in words.
        if position < last {
            return None;
        }
        last = position;
        parts.push(part);
    }
    Some(format!("{{ {} }}", parts.join(", ")))
}

/// A line of TOML for a keyword with these arguments.
pub(in crate::config) fn toml_example(row: &Row, args: &str) -> String {
    if let Some(positive) = negated(row) {
        return format!("{positive} = false");
    }
    let value = match row.value {
        Value::Lines => array(std::iter::once(entry_value(row, args))),
        Value::Words => array(split_words(args).iter().map(|word| string(word))),
        Value::Flag
        | Value::Bool
        | Value::Int(_)
        | Value::Time(_)
        | Value::Word
        | Value::Command
        | Value::Block
        | Value::Lvs
        | Value::Custom(_) => values(row, &[args.to_owned()]),
    };
    format!("{} = {value}", toml_name(row))
}
