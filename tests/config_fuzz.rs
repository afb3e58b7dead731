//! The reader of configurations against everything that is no configuration: it ends, without a panic, within its limits.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test says by a panic what is wrong"
)]

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use vrrpd::config::{LoadOptions, Loaded, MemorySource, NoHost, load, print_keepalived};

/// How long one text may take here; debug builds on a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A small generator: the same seed gives the same texts.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn read(text: Vec<u8>) -> Loaded {
    let (send, receive) = mpsc::channel();
    let begin = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    std::thread::spawn(move || {
        let source = MemorySource::new("f.conf", text).with("loop.conf", "include loop.conf\n");
        let options = LoadOptions {
            text_limit: Some(4 << 20),
            ..LoadOptions::default()
        };
        let loaded = load("f.conf", &source, &NoHost, &options);
        // The printer and the reader again see whatever came out.
        if let Some(model) = &loaded.model {
            let source = MemorySource::new("f.conf", print_keepalived(model));
            drop(load("f.conf", &source, &NoHost, &LoadOptions::default()));
        }
        drop(send.send(loaded));
    });
    receive
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|why| panic!("{why:?} on {begin}"))
}

fn says(text: impl Into<Vec<u8>>, what: &str) {
    let loaded = read(text.into());
    let found = loaded
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.message.contains(what));
    let messages: Vec<_> = loaded
        .diagnostics
        .iter()
        .take(3)
        .map(|diagnostic| &diagnostic.message)
        .collect();
    assert!(found, "{what} is not in {messages:?}");
}

#[test]
fn bombs_and_loops_end_with_the_name_of_the_limit() {
    says("$A=$A\nx $A\n", "would exceed maximum line length");
    says("$A=x${A}${A}\ny ${A}\n", "would exceed maximum line length");
    says("~SEQ(i,1,99999999) vrrp_script $i {\n", "more than 1000000 values");
    says("~SEQ(i,1,1000000) ~SEQ(j,1,1000000) x $i\n", "MB of text");
    says("$L=~SEQ(k,1,1000) $L\n$L\n", "would exceed maximum line length");
    says("include loop.conf\n", "does it include itself");
    says("$M=a \\\n$M\n\n$M\n", "MB of text");
    says(b"a\0b\n".as_slice(), "embedded NULs");
    says("x".repeat(10_000_000), "line too long");
    says("vrrp_instance A {\n".repeat(100_000), "Unknown keyword 'vrrp_instance'");
    says("{".repeat(1000), "missing '}'s");
    says(
        "virtual_server 1.1.1.1 80 {\n".to_owned() + &"real_server 1 1 {\n".repeat(100),
        "Unknown keyword",
    );
    says("nonsense\n".repeat(50_000), "more problems are not listed");
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "$X",
    "${X}",
    "$X=",
    "@high",
    "@^high ",
    "~SEQ(i,1,3) ",
    "~LST({a,b},{1,2}) ",
    "include f.conf\n",
    "\n",
    " ",
    "#",
    "!",
    "-1",
    "0",
    "256",
    "4294967296",
    "99999999999999999999",
    "1.5",
    "1e9",
    "fe80::1",
    "10.0.0.1/33",
    "weight",
    "reverse",
    "vrrp_instance A {\n",
    "track_script {\n",
    "virtual_routes {\n",
    "virtual_rules {\n",
    "nexthop via",
    "priority",
    "use_vmac",
    "unicast_peer {\n",
    "auth_hmac {\n",
    "key 1 hex:",
    "\u{7f}",
    "\u{fc}",
    "\r",
    "\t",
];

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(8) {
        let at = random.below(text.len() + 1);
        match random.below(4) {
            0 => {
                let end = (at + random.below(40)).min(text.len());
                text.drain(at..end);
            }
            1 => {
                let word = WORDS[random.below(WORDS.len())];
                text.splice(at..at, word.bytes());
            }
            2 if at < text.len() => text[at] = random.below(256) as u8,
            _ => {
                let end = (at + random.below(200)).min(text.len());
                let copy = text[at..end].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
        }
    }
}

/// Real files with a few bytes changed. More rounds: `FUZZ_ROUNDS`.
#[test]
fn changed_files_are_read_to_the_end() {
    let rounds = std::env::var("FUZZ_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(1);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let mut files: Vec<_> = ["wild", "samples", "maintainer"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(corpus.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() > 500);
    let mut random = Random(0x5eed_c0de);
    for _ in 0..rounds {
        for path in &files {
            let mut text = std::fs::read(path).unwrap();
            text.truncate(20_000);
            mutate(&mut text, &mut random);
            read(text);
        }
    }
}

/// Words in any order.
#[test]
fn words_in_any_order_are_read_to_the_end() {
    let mut random = Random(0xfeed_beef);
    for _ in 0..500 {
        let count = random.below(60);
        let text: String = (0..count)
            .map(|_| WORDS[random.below(WORDS.len())].to_owned() + if random.below(3) > 0 { " " } else { "\n" })
            .collect();
        read(text.into_bytes());
    }
}
