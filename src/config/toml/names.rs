//! What keywords are called in TOML where they are not called the same, and the tables that list entries can be written as.

use crate::config::schema::Row;

/// The key of a keyword.
pub(in crate::config) const fn toml_name(row: &Row) -> &'static str {
    if row.toml.is_empty() { row.name } else { row.toml }
}

/// The table that a block of the top level is written as.
pub(in crate::config) const fn section_of(row: &Row) -> &'static str {
    toml_name(row)
}

/// Keywords that say no, and the key whose `false` they are.
const NEGATED: [(&str, &str); 2] = [("nopreempt", "preempt"), ("no_accept", "accept")];

/// The key that is false when this keyword is written.
pub(in crate::config) fn negated(row: &Row) -> Option<&'static str> {
    NEGATED.iter().find(|(word, _)| *word == row.name).map(|(_, key)| *key)
}

/// The keyword that stands for `false` of a key.
pub(in crate::config) fn negation(key: &str) -> Option<&'static str> {
    NEGATED.iter().find(|(_, name)| *name == key).map(|(word, _)| *word)
}

/// A word of an entry that stands alone.
#[derive(Debug)]
pub(in crate::config) struct Flag {
    /// keepalived's word.
    pub(in crate::config) word: &'static str,
    /// The key.
    pub(in crate::config) name: &'static str,
    /// The key's value that the word stands for.
    pub(in crate::config) value: bool,
}

const fn yes(word: &'static str) -> Flag {
    Flag {
        word,
        name: word,
        value: true,
    }
}

/// How the entries of a list can be written as tables.
#[derive(Debug)]
pub(in crate::config) struct Entries {
    /// The key of the first word.
    pub(in crate::config) subject: &'static str,
    /// Words with a value behind them.
    pub(in crate::config) valued: &'static [&'static str],
    /// Words without one.
    pub(in crate::config) flags: &'static [Flag],
}

const WEIGHT: &[&str] = &["weight"];
const REVERSE: &[Flag] = &[
    yes("reverse"),
    Flag {
        word: "noreverse",
        name: "reverse",
        value: false,
    },
];

const TRACKED: Entries = Entries {
    subject: "name",
    valued: WEIGHT,
    flags: REVERSE,
};

const TRACKED_INTERFACE: Entries = Entries {
    subject: "interface",
    valued: WEIGHT,
    flags: REVERSE,
};

const PEER: Entries = Entries {
    subject: "address",
    valued: &["min_ttl", "max_ttl"],
    flags: &[],
};

const ADDRESS: Entries = Entries {
    subject: "address",
    valued: &["dev", "brd", "scope", "label", "peer", "preferred_lft", "track_group"],
    flags: &[
        yes("home"),
        Flag {
            word: "-nodad",
            name: "dad",
            value: true,
        },
        yes("mngtmpaddr"),
        yes("noprefixroute"),
        yes("autojoin"),
        yes("no_track"),
        yes("use_vmac"),
    ],
};

/// How the entries of this list can be written; `None`: as keepalived writes them, or as single words.
pub(in crate::config) fn entries_of(row: &Row) -> Option<&'static Entries> {
    match row.name {
        "track_script" | "track_file" | "track_process" | "track_bfd" => Some(&TRACKED),
        "track_interface" => Some(&TRACKED_INTERFACE),
        "unicast_peer" => Some(&PEER),
        "virtual_ipaddress" | "virtual_ipaddress_excluded" | "static_ipaddress" => Some(&ADDRESS),
        _ => None,
    }
}
