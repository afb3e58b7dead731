//! Any bytes as TOML: the other front end, resolver, lints.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vrrpd::config::{LoadOptions, MemorySource, NoHost, load};

fuzz_target!(|bytes: &[u8]| {
    let options = LoadOptions {
        text_limit: Some(1 << 20),
        lint: true,
        ..LoadOptions::default()
    };
    drop(load("f.toml", &MemorySource::new("f.toml", bytes), &NoHost, &options));
});
