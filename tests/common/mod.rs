//! What several integration tests share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::too_many_arguments,
    clippy::wildcard_enum_match_arm,
    reason = "a test says by a panic what is wrong"
)]

use std::path::PathBuf;

/// A file of the shared facts beside the checkout.
pub(crate) fn shared(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path)
}

/// Its text.
pub(crate) fn text(path: &str) -> String {
    let path = shared(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Bytes written as hex digits; `-` = none.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// A table of tab separated values as rows of (column name → value).
pub(crate) fn table(path: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = text(path);
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<String> = lines.next().unwrap().split('\t').map(str::to_owned).collect();
    let row = |line: &str| names.iter().cloned().zip(line.split('\t').map(str::to_owned)).collect();
    lines.map(row).collect()
}

/// Frames of a classic little-endian pcap file.
pub(crate) fn frames(path: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(shared(path)).unwrap();
    assert_eq!(
        &bytes[..4],
        &[0xd4, 0xc3, 0xb2, 0xa1],
        "{path}: classic pcap, microseconds"
    );
    let mut frames = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        frames.push(bytes[at + 16..at + 16 + len].to_vec());
        at += 16 + len;
    }
    frames
}
