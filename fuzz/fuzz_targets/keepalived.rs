//! Any bytes as a keepalived.conf, with a second file behind the first byte 255: lexer, preprocessor, blocks, resolver, lints.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vrrpd::config::{LoadOptions, MemorySource, NoHost, load};

fuzz_target!(|bytes: &[u8]| {
    let mut files = bytes.splitn(2, |byte| *byte == 255);
    let mut source = MemorySource::new("f.conf", files.next().unwrap_or_default());
    if let Some(second) = files.next() {
        source = source.with("g.conf", second);
    }
    let options = LoadOptions {
        text_limit: Some(1 << 20),
        lint: true,
        ..LoadOptions::default()
    };
    drop(load("f.conf", &source, &NoHost, &options));
});
