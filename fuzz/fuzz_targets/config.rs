//! Any bytes as a configuration: read, written, read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vrrpd::config::{LoadOptions, MemorySource, NoHost, load, print_keepalived};

fuzz_target!(|text: &[u8]| {
    let options = LoadOptions {
        text_limit: Some(1 << 20),
        ..LoadOptions::default()
    };
    let read = |text: &[u8]| load("f.conf", &MemorySource::new("f.conf", text), &NoHost, &options);
    if let Some(model) = read(text).model {
        read(print_keepalived(&model).as_bytes());
    }
});
