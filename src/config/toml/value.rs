//! One TOML value → the lines that keepalived.conf would have for it.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a value is in TOML, it is told in the same words"
)]

use super::duration::read_duration;
use super::names::{Entries, entries_of};
use crate::config::keepalived::{split_words, word_ranges};
use crate::config::lower::print_argv;
use crate::config::place::Place;
use crate::config::schema::{Read, Row, Time, Value};
use crate::config::tree::Node;
use std::ops::Range;
use toml_edit::Value as Toml;

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

fn wrong(what: impl Into<String>) -> Wrong {
    Wrong {
        what: what.into(),
        hint: None,
    }
}

type At<'a> = &'a dyn Fn(Option<Range<usize>>) -> Place;

/// The lines of a keyword with this value. None for `false` of a switch.
pub(super) fn lines(row: &'static Row, value: &Toml, at: At<'_>) -> Result<Vec<Node>, Wrong> {
    match row.value {
        Value::Flag => match value.as_bool() {
            Some(true) => Ok(vec![node(row, &[])]),
            Some(false) => Ok(Vec::new()),
            None => Err(wrong("true or false is expected")),
        },
        Value::Lines | Value::Words => list(row, value, at).map(|node| vec![node]),
        Value::Custom(_) if value.is_array() && !is_command(row) => {
            let values = value.as_array().into_iter().flatten();
            values.map(|value| one(row, value)).collect()
        }
        Value::Bool
        | Value::Int(_)
        | Value::Time(_)
        | Value::Word
        | Value::Command
        | Value::Custom(_)
        | Value::Block
        | Value::Lvs => {
            // A switch that may have a value.
            if value.as_bool() == Some(false) && row.value != Value::Bool {
                return Ok(Vec::new());
            }
            one(row, value).map(|node| vec![node])
        }
    }
}

fn is_command(row: &Row) -> bool {
    row.value == Value::Command || row.args.starts_with("COMMAND")
}

fn one(row: &'static Row, value: &Toml) -> Result<Node, Wrong> {
    match row.value {
        Value::Bool => match value.as_bool() {
            Some(on) => Ok(node(row, &[if on { "true" } else { "false" }])),
            None => Err(wrong("true or false is expected")),
        },
        Value::Int(number) => match value {
            Toml::Integer(integer) => Ok(node(row, &[&integer.value().to_string()])),
            Toml::Boolean(on) if *on.value() && row.missing.is_some() => Ok(node(row, &[])),
            _ => Err(Wrong {
                what: "a number is expected".into(),
                hint: Some(format!("write {}, without quotes", number.hint())),
            }),
        },
        Value::Time(time) => duration(row, time, value),
        Value::Word => match value.as_str() {
            Some(text) => Ok(node(row, &[text])),
            None => Err(wrong("a text in quotes is expected")),
        },
        _ if is_command(row) => command(row, value),
        _ => match value {
            Toml::String(text) => Ok(spelled(row, text.value())),
            Toml::Integer(number) => Ok(node(row, &[&number.value().to_string()])),
            Toml::Boolean(on) if *on.value() => Ok(node(row, &[])),
            _ => Err(wrong(format!("a text is expected: \"{}\"", row.args))),
        },
    }
}

fn node(row: &Row, args: &[&str]) -> Node {
    let words: Vec<&str> = std::iter::once(row.name).chain(args.iter().copied()).collect();
    Node::from_words(&words, Place::default())
}

/// Arguments as keepalived.conf would have them on the line.
fn spelled(row: &Row, text: &str) -> Node {
    line(&format!("{} {text}", row.name), Place::default())
}

fn line(text: &str, place: Place) -> Node {
    Node::new(text, &word_ranges(text), place)
}

fn duration(row: &Row, time: Time, value: &Toml) -> Result<Node, Wrong> {
    let hint = || Some(format!("{}; write it as \"2s\" or \"500ms\"", time.hint()));
    let expected = |what: &str| Wrong {
        what: what.into(),
        hint: hint(),
    };
    let Some(text) = value.as_str() else {
        return Err(expected("a length of time in quotes is expected"));
    };
    let Some(length) = read_duration(text) else {
        return Err(expected("this is no length of time"));
    };
    let printed = time.print(length);
    match time.read(&printed, true) {
        Read::Good(same) | Read::Warned(same, _) if same == length => Ok(node(row, &[&printed])),
        Read::Good(_) | Read::Warned(..) => Err(expected("this is finer than can be kept")),
        Read::Bad(_) => Err(expected("this is too long or too short")),
    }
}

/// `"/bin/true"`, `["/bin/sh", "-c", "…"]`, or `{ command = …, user = "…", group = "…" }`.
fn command(row: &Row, value: &Toml) -> Result<Node, Wrong> {
    const EXPECTED: &str =
        "a program is expected: \"/path\", [\"/path\", \"argument\"], or { command = …, user = \"…\", group = \"…\" }";
    let table = value.as_inline_table();
    let program = match table {
        Some(table) => table.get("command").ok_or_else(|| wrong(EXPECTED))?,
        None => value,
    };
    let argv: Option<Vec<String>> = match program {
        Toml::String(text) => Some(vec![text.value().clone()]),
        Toml::Array(array) => array.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let argv = argv
        .filter(|argv| argv.first().is_some_and(|first| !first.is_empty()))
        .ok_or_else(|| wrong(EXPECTED))?;
    if let Some(nul) = argv.iter().find(|word| word.contains('\0')) {
        return Err(wrong(format!("a NUL byte in {nul:?}")));
    }
    let mut text = format!("{} {}", row.name, print_argv(&argv));
    for (key, word) in table
        .into_iter()
        .flat_map(|table| table.iter())
        .filter(|(key, _)| *key != "command")
    {
        match (key, word.as_str()) {
            ("user" | "group", Some(_)) if row.value == Value::Command => {}
            ("user" | "group", None) => return Err(wrong(format!("`{key}` is a text"))),
            _ => return Err(wrong(format!("there is no key `{key}` of a command"))),
        }
    }
    let owner = |key: &str| table.and_then(|table| table.get(key)).and_then(Toml::as_str);
    match (owner("user"), owner("group")) {
        (None, None) => {}
        (Some(user), None) => text.push_str(&format!(" {user}")),
        (Some(user), Some(group)) => text.push_str(&format!(" {user} {group}")),
        (None, Some(_)) => return Err(wrong("`group` needs `user`")),
    }
    Ok(line(&text, Place::default()))
}

/// A list: one line each, or one word each.
fn list(row: &'static Row, value: &Toml, at: At<'_>) -> Result<Node, Wrong> {
    let Some(array) = value.as_array() else {
        return Err(wrong("a list in [ ] is expected"));
    };
    let mut node = Node::from_words(&[row.name], Place::default());
    node.has_block = true;
    for entry in array {
        let place = at(entry.span());
        let child = match entry {
            Toml::String(text) if row.value == Value::Words => Node::from_words(&[text.value()], place),
            Toml::String(text) => line(text.value(), place),
            Toml::InlineTable(table) => match entries_of(row) {
                Some(entries) => {
                    let words = entry_words(entries, table)?;
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    Node::from_words(&words, place)
                }
                None => return Err(wrong("the entries of this list are texts")),
            },
            _ => return Err(wrong("the entries of a list are texts in quotes, or tables in { }")),
        };
        if child.len() > 0 {
            node.children.push(child);
        }
    }
    Ok(node)
}

/// The words of an entry that is written as a table.
fn entry_words(entries: &Entries, table: &toml_edit::InlineTable) -> Result<Vec<String>, Wrong> {
    let subject = table.get(entries.subject).and_then(Toml::as_str);
    let Some(subject) = subject else {
        return Err(wrong(format!("`{}` is missing in an entry", entries.subject)));
    };
    let mut words = split_words(subject);
    for name in entries.valued {
        match table.get(name) {
            None => {}
            Some(Toml::String(text)) => words.extend([(*name).to_owned(), text.value().clone()]),
            Some(Toml::Integer(number)) => words.extend([(*name).to_owned(), number.value().to_string()]),
            Some(_) => return Err(wrong(format!("`{name}` of an entry is a text or a number"))),
        }
    }
    for flag in entries.flags {
        match table.get(flag.name).map(Toml::as_bool) {
            None => {}
            Some(Some(on)) if on == flag.value => words.push(flag.word.to_owned()),
            Some(Some(_)) => {}
            Some(None) => return Err(wrong(format!("`{}` of an entry is true or false", flag.name))),
        }
    }
    let known = |key: &str| {
        key == entries.subject || entries.valued.contains(&key) || entries.flags.iter().any(|flag| flag.name == key)
    };
    match table.iter().find(|(key, _)| !known(key)) {
        Some((key, _)) => Err(wrong(format!("there is no key `{key}` of an entry"))),
        None => Ok(words),
    }
}
