//! Files that are made of the program's own tables are as the program makes them now. `VRRPD_REWRITE=1` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// File, and the words that print it.
const FILES: [(&str, &[&str]); 1] = [("man/vrrpd.8", &["manual", "vrrpd.8"])];

fn printed(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vrrpd")).args(words).output().unwrap();
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn generated_files_are_fresh() {
    for (file, words) in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let fresh = printed(words);
        if std::env::var_os("VRRPD_REWRITE").is_some() {
            fs::write(&path, &fresh).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == fresh,
            "{file} is stale; VRRPD_REWRITE=1 cargo test --test generated"
        );
    }
}

/// Every subcommand and every option stand in the manual and in the completions.
#[test]
fn manual_and_completions_know_the_whole_command_line() {
    let page = printed(&["manual", "vrrpd.8"]);
    let usage = Command::new(env!("CARGO_BIN_EXE_vrrpd"))
        .arg("--help")
        .output()
        .unwrap();
    let usage = String::from_utf8([usage.stdout, usage.stderr].concat()).unwrap();
    let long = |line: &str| {
        line.split_whitespace()
            .find(|word| word.starts_with("--"))
            .map(str::to_owned)
    };
    let options: Vec<String> = usage
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(long)
        .collect();
    assert!(options.len() > 30);
    for option in options {
        let name = option.trim_start_matches('-').split(['=', '[']).next().unwrap();
        assert!(page.contains(&name.replace('-', "\\-")), "{name}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        for word in ["status", "why", "check", "lab", "completions", "explain", "use-file"] {
            assert!(text.contains(word), "{shell} lacks {word}");
        }
    }
}
