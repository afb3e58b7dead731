//! Who may import whom (docs/architecture.md), the one clock, the one place for `unsafe`, the size of files.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, modules of ours that it may use, outside packages that it may use.
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("model", &[], &["serde"]),
    // serde: the decoded value is printed to JSON and read back. RustCrypto: the sums of AH and auth_hmac.
    ("wire", &["model"], &["hmac", "md5", "serde", "sha2"]),
    // toml_edit: TOML with the places of its values.
    ("config", &["model"], &["serde", "toml_edit"]),
    ("proto", &["model", "wire"], &["serde"]),
    // What std and nix lack: epoll_pwait2, memory files, capabilities.
    ("sys", &[], &["libc", "nix", "rustix"]),
    // serde: what the cluster lint finds is printed as JSON.
    ("sim", &["proto", "model", "wire"], &["serde"]),
    // config: the real host and files stand behind its traits. jiff: the time of syslog lines.
    (
        "system",
        &["model", "wire", "proto", "sys", "config"],
        &[
            "glob",
            "jiff",
            "libc",
            "netlink_packet_core",
            "netlink_packet_route",
            "netlink_sys",
            "nix",
            "rustix",
            "socket2",
            "tracing",
        ],
    ),
    // system: the log sinks, the clock, and netlink for the guard. jiff: the time of reload_time_file.
    (
        "supervisor",
        &["model", "config", "sys", "system"],
        &[
            "jiff",
            "libc",
            "netlink_packet_core",
            "netlink_packet_route",
            "netlink_sys",
            "nix",
            "rustix",
            "serde",
            "serde_json",
            "tracing",
        ],
    ),
    ("notify", &["model"], &["tracing"]),
    // nix: inotify. rustix: pidfd, statfs. serde_json: what is seen is told to another process. supervisor: what it is started with.
    (
        "track",
        &["model", "proto", "sys", "system", "supervisor"],
        &["libc", "nix", "rustix", "serde_json", "tracing"],
    ),
    (
        "control",
        &["model", "proto"],
        &["jiff", "serde", "serde_json", "tokio"],
    ),
    // sim: what a reload means for who is master is played. serde_json: and told.
    (
        "daemon",
        &[
            "model",
            "wire",
            "config",
            "proto",
            "sim",
            "sys",
            "system",
            "control",
            "notify",
            "supervisor",
            "track",
        ],
        &["crossbeam_queue", "libc", "nix", "serde_json", "tokio", "tracing"],
    ),
    // netlink: the lab looks at the kernel with eyes of its own.
    (
        "lab",
        &["daemon", "control", "system", "sys", "config", "model", "wire"],
        &[
            "libc",
            "netlink_packet_core",
            "netlink_packet_route",
            "netlink_sys",
            "nix",
        ],
    ),
    (
        "cli",
        &[
            "config",
            "control",
            "daemon",
            "supervisor",
            "sim",
            "lab",
            "proto",
            "model",
            "system",
            "sys",
            "track",
        ],
        // annotate_snippets: problems as a compiler prints them. clap_complete, clap_mangen, roff: completions and manual.
        &[
            "annotate_snippets",
            "clap",
            "clap_complete",
            "clap_mangen",
            "libc",
            "nix",
            "roff",
            "serde_json",
        ],
    ),
];

/// Packages that the rules speak of.
const PACKAGES: &[&str] = &[
    "annotate_snippets",
    "clap",
    "clap_complete",
    "clap_mangen",
    "crossbeam_queue",
    "glob",
    "hmac",
    "jiff",
    "libc",
    "md5",
    "netlink_packet_core",
    "netlink_packet_route",
    "netlink_sys",
    "nix",
    "pnet_packet",
    "roff",
    "rustix",
    "serde",
    "serde_json",
    "sha2",
    "socket2",
    "tokio",
    "toml_edit",
    "tracing",
];

/// Longest file without its tests, in lines.
const LONGEST: usize = 800;

/// What a file breaks. `name` is its path below `src`.
fn violations(name: &str, text: &str) -> Vec<String> {
    let module = name.split(['/', '.']).next().unwrap_or_default();
    let code: String =
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .fold(String::new(), |mut all, line| {
                all.push_str(line);
                all.push('\n');
                all
            });
    let own = if name.ends_with("tests.rs") {
        ""
    } else {
        code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    };
    let mut broken = Vec::new();
    if let Some((_, ours, outside)) = RULES.iter().find(|(rule, ..)| *rule == module) {
        for used in words_after(own, "crate::") {
            let is_module = RULES.iter().any(|(rule, ..)| *rule == used);
            if is_module && used != module && !ours.contains(&used.as_str()) {
                broken.push(format!("{name}: {module} may not use {used}"));
            }
        }
        for package in PACKAGES {
            let used = own.contains(&format!("{package}::")) && is_path(own, package);
            if used && !outside.contains(package) {
                broken.push(format!("{name}: {module} may not use the package {package}"));
            }
        }
    }
    if module != "sys" && has_word(own, "unsafe") {
        broken.push(format!("{name}: unsafe outside sys"));
    }
    for clock in ["Instant::now", "SystemTime::now"] {
        if name != "system/clock.rs" && code.contains(clock) {
            broken.push(format!("{name}: {clock} beside the one clock"));
        }
    }
    let lines = own.lines().count();
    if !name.ends_with("known.rs") && lines > LONGEST {
        broken.push(format!("{name}: {lines} lines, two ideas in one file?"));
    }
    broken
}

/// Identifiers that follow a prefix.
fn words_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(prefix)
        .skip(1)
        .filter_map(|rest| rest.split(ends).next())
        .map(str::to_owned)
        .collect()
}

/// Whether a package's name begins a path, and is not the end of another word.
fn is_path(text: &str, package: &str) -> bool {
    let path = format!("{package}::");
    text.match_indices(&path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
    })
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_');
        free(text[..at].chars().next_back()) && free(text[at + word.len()..].chars().next())
    })
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(found.len() > 80, "{} files", found.len());
    let broken: Vec<String> = found
        .iter()
        .flat_map(|path| {
            violations(
                &path.strip_prefix(&root).unwrap().to_string_lossy(),
                &fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_folder_has_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders: BTreeSet<String> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let ruled: BTreeSet<String> = RULES.iter().map(|(module, ..)| (*module).to_owned()).collect();
    assert_eq!(folders, ruled);
}

/// The checker sees what it is for.
#[test]
fn planted_violations_are_found() {
    for (name, text) in [
        ("proto/x.rs", "use crate::system::clock;"),
        ("proto/x.rs", "use tokio::net::UdpSocket;"),
        ("config/x.rs", "let x = crate::proto::Core::new();"),
        ("daemon/x.rs", "fn f() { unsafe { g() } }"),
        ("daemon/x.rs", "let now = std::time::Instant::now();"),
        ("wire/x.rs", "use nix::unistd;"),
    ] {
        assert_eq!(violations(name, text).len(), 1, "{name}: {text}");
    }
    assert_eq!(violations("daemon/x.rs", &"let x = 1;\n".repeat(LONGEST + 1)).len(), 1);
    for (name, text) in [
        ("sys/x.rs", "fn f() { unsafe { g() } }"),
        ("proto/x.rs", "// use tokio::net;\nuse crate::wire::vrrp;"),
        ("system/x.rs", "use crate::proto::Event;\nuse nix::unistd;"),
        ("proto/x.rs", "let unsafely = 1;"),
    ] {
        assert_eq!(violations(name, text), Vec::<String>::new(), "{name}: {text}");
    }
}
