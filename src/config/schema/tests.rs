//! The table against the list of keepalived's keywords.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;

/// Rows of `spec/keywords-vrrp.tsv`: block and keyword.
fn yardstick() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/spec/keywords-vrrp.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("block\t"));
    let pair = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        (fields.next().unwrap(), fields.next().unwrap())
    };
    // The deprecated name of a block has a table of its own there.
    rows.map(pair)
        .map(|(block, keyword)| (block.replace("vrrp_track_file", "track_file"), keyword))
        .collect()
}

#[test]
fn every_keyword_of_keepalived_has_a_row() {
    let rows = yardstick();
    assert!(rows.len() > 290, "{}", rows.len());
    let missing: Vec<_> = rows
        .iter()
        .filter(|(path, key)| block(path).and_then(|block| block.find(key)).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Names that only we know: the manual's names of three keywords, which keepalived itself refuses, and LVS blocks.
#[test]
fn no_row_is_made_up() {
    let ours = [
        "state_file_location",
        "stats_file_location",
        "json_file_location",
        "virtual_server",
        "virtual_server_group",
        "SSL",
        "answer_foreign_claims",
        "notify_order_timeout",
        "notify_parallel",
        "vrrp_listen_after_stall",
        "listen_after_stall",
        "heartbeat_guard",
    ];
    let known: BTreeSet<_> = yardstick().into_iter().collect();
    for info in blocks() {
        for name in info.names.keys() {
            let pair = (info.path.to_owned(), (*name).to_owned());
            assert!(known.contains(&pair) || ours.contains(name), "{pair:?}");
        }
    }
}

#[test]
fn every_row_says_what_it_does() {
    for info in blocks() {
        for row in info.rows() {
            assert!(
                !row.doc.is_empty() && row.doc.ends_with(['.', '?']),
                "{}: {}: {:?}",
                info.path,
                row.name,
                row.doc
            );
            let block = matches!(row.value, Value::Block | Value::Lvs);
            assert!(
                block || !row.default.is_empty(),
                "{}: {} has no default",
                info.path,
                row.name
            );
        }
    }
}

#[test]
fn mistyped_words_find_their_keyword() {
    let of = |path: &str, key: &str| block(path).unwrap().nearest(key);
    assert_eq!(of("vrrp_script", "raise"), Some("rise"));
    assert_eq!(of("vrrp_instance", "virtual_ipadress"), Some("virtual_ipaddress"));
    assert_eq!(of("vrrp_instance", "zzzzzz"), None);
}
