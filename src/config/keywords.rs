//! What there is to write, for people: every keyword with its values, its default and an example in both languages.

use super::print::toml_example;
use super::schema::{self, Acts, Reload, Repeat, Row, Shape, Value};
use super::toml::names::toml_name;
use crate::model::Micros;

/// The keywords of one block.
#[derive(Debug, Clone)]
pub struct BlockInfo {
    /// Keywords that lead to it in keepalived.conf, joined by ` / `; `(top)` outside of all blocks.
    pub path: &'static str,
    /// The table that it is in TOML.
    pub table: String,
    /// Its keywords in the order of the table.
    pub keywords: Vec<KeywordInfo>,
}

/// One keyword.
#[derive(Debug, Clone)]
pub struct KeywordInfo {
    /// In keepalived.conf.
    pub name: &'static str,
    /// Other names that are taken as well.
    pub synonyms: Vec<&'static str>,
    /// What stands behind it.
    pub args: &'static str,
    /// Which values there are; empty if `args` says it.
    pub range: String,
    /// The default in keepalived.conf.
    pub default: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// A line of keepalived.conf.
    pub example: String,
    /// More lines of it, with the smallest and the greatest value.
    pub more: Vec<String>,
    /// The same in TOML; `None` for blocks and for what stays in keepalived's language.
    pub toml_example: Option<String>,
    /// Whether it may be written several times.
    pub repeats: bool,
    /// What this build does with it.
    pub acts: &'static str,
    /// What a changed value needs at a reload.
    pub reload: Reload,
}

/// All blocks with all keywords.
#[must_use]
pub fn keywords() -> Vec<BlockInfo> {
    schema::blocks().iter().map(block).collect()
}

fn block(info: &'static schema::BlockInfo) -> BlockInfo {
    BlockInfo {
        path: info.path,
        table: table(info.path),
        keywords: info.rows().iter().map(|row| keyword(row)).collect(),
    }
}

/// How a block is called in TOML.
fn table(path: &str) -> String {
    match path {
        "(top)" => "the file itself; single settings in [global]".to_owned(),
        "global_defs" => "[global]".to_owned(),
        "garp_group" => "[[garp_group]]".to_owned(),
        _ => match path.split_once(" / ") {
            Some((_, inner)) => format!("{inner}.KEY in [instance.NAME]"),
            None => {
                let top = schema::top();
                let name = top.find(path).map_or(path, |found| toml_name(top.row(found)));
                format!("[{name}.NAME]")
            }
        },
    }
}

fn keyword(row: &'static Row) -> KeywordInfo {
    let sample = sample(row);
    let braces = |inside: &str| format!("{} {{ {inside} }}", row.name);
    let example = match row.shape {
        Shape::Line => format!("{} {sample}", row.name).trim_end().to_owned(),
        Shape::Values => braces(&sample),
        Shape::Block(_) | Shape::Lvs => format!("{} {}", row.name, row.args),
    };
    KeywordInfo {
        name: row.name,
        synonyms: row.synonyms.iter().map(|synonym| synonym.name).collect(),
        args: row.args,
        range: range(row.value),
        default: row.default,
        meaning: row.doc,
        example,
        more: more(row),
        toml_example: match row.shape {
            Shape::Line | Shape::Values => Some(toml_example(row, &sample)),
            Shape::Block(_) | Shape::Lvs => None,
        },
        repeats: row.repeat == Repeat::Append && row.shape == Shape::Line,
        acts: match row.acts {
            Acts::Yes => "",
            Acts::NotYet => "read and kept; this version does not act on it yet",
            Acts::Interfaces => "their interfaces are followed; this version does not set the entries yet",
            Acts::Kept => "kept for keepalived",
        },
        reload: row.reload,
    }
}

fn range(value: Value) -> String {
    match value {
        Value::Int(number) => number.hint(),
        Value::Time(time) => time.hint(),
        Value::Bool => "true on yes, false off no; nothing = true".to_owned(),
        Value::Custom(range) => range.to_owned(),
        Value::Flag | Value::Word | Value::Command | Value::Lines | Value::Words | Value::Block | Value::Lvs => {
            String::new()
        }
    }
}

/// Samples of arguments that their own words do not give.
const SAMPLES: &[(&str, &str)] = &[
    ("interface_up_down_delays", "eth0 2 1"),
    (
        "key",
        "1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    ),
    ("linkbeat_interfaces", "eth0"),
    ("lvs_timeouts", "tcp 900"),
    ("mcast_dst_ip", "224.0.0.18"),
    ("use_ipvlan", "ipvl0"),
    ("use_vmac", "vrrp.51"),
    ("include_check", "+read"),
    ("vmac_addr_prefix", "00:00:5e:00"),
    ("vrrp_mcast_group4", "224.0.0.18"),
    ("vrrp_mcast_group6", "ff02::12"),
];

/// What an argument's name stands for.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("ADDRESS", "192.0.2.100/24"),
    ("ADDR", "admin@example.org"),
    ("BITS", "S_IRUSR"),
    ("COMMAND", "/usr/local/bin/check"),
    ("CPU", "0"),
    ("DIR", "/run/vrrpd"),
    ("HOST", "mail.example.org"),
    ("ID", "1"),
    ("IFNAME", "eth0"),
    ("INCHAIN", "INPUT"),
    ("INSTANCE", "VI_1"),
    ("IP", "192.0.2.1"),
    ("MTU", "MTU"),
    ("N", "10"),
    ("NAME", "name"),
    ("NUMBER", "027"),
    ("PATH", "/run/vrrpd/file"),
    ("ROUTE", "198.51.100.0/24 via 192.0.2.1"),
    ("RULE", "from 192.0.2.0/24 table 100"),
    ("SCRIPT", "/usr/local/bin/notify"),
    ("SECS", "60"),
    ("STRING", "text"),
    ("TABLE", "vrrpd"),
    ("USER", "nobody"),
    ("VALUE", "0"),
];

/// Arguments that the keyword takes.
fn sample(row: &Row) -> String {
    if let Some((_, sample)) = SAMPLES.iter().find(|(name, _)| *name == row.name) {
        return (*sample).to_owned();
    }
    match row.value {
        Value::Flag => String::new(),
        Value::Bool => "true".to_owned(),
        Value::Int(number) => 10.clamp(number.min, number.max).to_string(),
        Value::Time(time) => {
            let five = Micros::from_secs(5);
            time.print(five.clamp(time.min, time.max))
        }
        Value::Word | Value::Command | Value::Lines | Value::Words | Value::Block | Value::Lvs | Value::Custom(_) => {
            filled(row.args)
        }
    }
}

fn more(row: &Row) -> Vec<String> {
    let values = match row.value {
        Value::Bool => vec!["false".to_owned()],
        Value::Int(number) => vec![number.min.to_string(), number.max.to_string()],
        Value::Time(time) => vec![time.print(time.min), time.print(time.max)],
        Value::Flag
        | Value::Word
        | Value::Command
        | Value::Lines
        | Value::Words
        | Value::Block
        | Value::Lvs
        | Value::Custom(_) => Vec::new(),
    };
    values
        .into_iter()
        .map(|value| format!("{} {value}", row.name))
        .collect()
}

/// The arguments with their names filled in, without what need not be written.
fn filled(args: &str) -> String {
    let mut depth = 0usize;
    let mut needed = String::new();
    for c in args.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '{' | '}' => {}
            c if depth == 0 => needed.push(c),
            _ => {}
        }
    }
    let words = needed.split_whitespace().filter(|word| *word != "...");
    let words = words.map(|word| {
        let first = word.split('|').next().unwrap_or_default();
        let found = PLACEHOLDERS.iter().find(|(name, _)| *name == first);
        found.map_or(first, |(_, sample)| *sample)
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keepalived::split_words;
    use crate::config::toml::names::negated;
    use crate::config::toml::value_words;

    /// An example in TOML says what the example in keepalived.conf says.
    #[test]
    fn examples_of_both_languages_say_the_same() {
        let mut seen = 0;
        for row in schema::blocks().iter().flat_map(|block| block.rows()) {
            if !matches!(row.shape, Shape::Line | Shape::Values) || negated(row).is_some() {
                continue;
            }
            let sample = sample(row);
            let example = toml_example(row, &sample);
            let (_, value) = example.split_once(" = ").unwrap();
            let words = value_words(row, value).unwrap_or_else(|why| panic!("{example}: {why}"));
            assert_eq!(words, split_words(&sample), "{example}");
            seen += 1;
        }
        assert!(seen > 250, "{seen}");
    }

    #[test]
    fn every_keyword_is_explained() {
        for block in keywords() {
            for keyword in &block.keywords {
                assert!(keyword.meaning.len() > 5, "{} {}", block.path, keyword.name);
            }
        }
    }
}
