//! Lines that are right by themselves, in any order and any block: what they mean together. The model that comes out is
//! written in both languages and means the same when it is read again.
//!
//! Two bytes are a line: the block, and which of its lines. A byte 255 begins the next block.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vrrpd::config::{LoadOptions, Loaded, MemorySource, NoHost, keywords, load, print_keepalived, print_toml};

/// Names that definitions and references share.
const NAMES: [&str; 3] = ["A", "B", "C"];

/// Blocks of the top level: the header's keyword, and lines that may stand inside.
static BLOCKS: LazyLock<Vec<(&'static str, Vec<String>)>> = LazyLock::new(|| {
    let blocks = keywords();
    let top = blocks.iter().filter(|block| !block.path.contains([' ', '(']));
    top.map(|block| {
        let mut lines: Vec<String> = block
            .keywords
            .iter()
            .flat_map(|keyword| std::iter::once(keyword.example.clone()).chain(keyword.more.clone()))
            .filter(|line| !line.contains("..."))
            .collect();
        let inner = blocks.iter().filter(|inner| inner.path.starts_with(&format!("{} / ", block.path)));
        for inner in inner {
            let word = inner.path.rsplit(' ').next().unwrap_or_default();
            let all: Vec<String> = inner.keywords.iter().map(|keyword| keyword.example.clone()).collect();
            lines.extend(inner.keywords.iter().map(|keyword| format!("{word} {{\n{}\n}}", keyword.example)));
            lines.push(format!("{word} {{\n{}\n}}", all.join("\n")));
        }
        for name in NAMES {
            lines.extend(
                ["track_script", "track_file", "track_process", "track_bfd", "group"]
                    .map(|list| format!("{list} {{\n{name}\n}}")),
            );
        }
        (block.path, lines)
    })
    .collect()
});

fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (number, part) in bytes.split(|byte| *byte == 255).take(8).enumerate() {
        let Some((first, rest)) = part.split_first() else { continue };
        let (path, lines) = &BLOCKS[usize::from(*first) % BLOCKS.len()];
        let name = if matches!(*path, "global_defs" | "garp_group") { "" } else { NAMES[number % NAMES.len()] };
        text.push_str(&format!("{path} {name} {{\n"));
        for pair in rest.chunks_exact(2).take(40) {
            let index = usize::from(u16::from_be_bytes([pair[0], pair[1]]));
            text.push_str(&lines[index % lines.len()]);
            text.push('\n');
        }
        text.push_str("}\n");
    }
    text
}

fn read(path: &str, text: &str) -> Loaded {
    let options = LoadOptions {
        text_limit: Some(1 << 20),
        lint: true,
        ..LoadOptions::default()
    };
    load(path, &MemorySource::new(path, text), &NoHost, &options)
}

fuzz_target!(|bytes: &[u8]| {
    let text = text(bytes);
    let Some(model) = read("f.conf", &text).model else { return };
    let conf = print_keepalived(&model);
    let toml = print_toml(&model);
    for (path, again) in [("f.conf", &conf), ("f.toml", &toml)] {
        let loaded = read(path, again);
        assert!(
            loaded.model.as_ref() == Some(&model),
            "{text}\nbecame\n{again}\nwhich says {:?}",
            loaded.diagnostics
        );
    }
});
