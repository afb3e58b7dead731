//! Files that are made of the program's own tables are as the program makes them now. `VRRPD_REWRITE=1` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test says by a panic what is wrong")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// File, and the words that print it.
const FILES: [(&str, &[&str]); 3] = [
    ("man/vrrpd.8", &["manual", "vrrpd.8"]),
    ("man/vrrpd.conf.5", &["manual", "vrrpd.conf.5"]),
    ("docs/keywords.md", &["manual", "keywords.md"]),
];

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

/// Bash is asked what it offers: nothing of ours where a file may stand, so that it completes file names itself.
#[test]
fn bash_completes_files_where_a_file_may_stand() {
    let script = printed(&["completions", "bash"]);
    let offered = |words: &[&str]| {
        let line = words.join(" ");
        let (current, previous) = (words[words.len() - 1], words[words.len() - 2]);
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_LINE='{line}'\n_vrrpd vrrpd '{current}' '{previous}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            words.len() - 1
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert!(script.contains("-o default vrrpd"), "files are what bash falls back to");
    for command in ["check", "convert", "lab"] {
        assert_eq!(offered(&["vrrpd", command, ""]), "", "{command}");
        assert_eq!(offered(&["vrrpd", command, "a.conf", ""]), "", "{command}");
    }
    assert!(offered(&["vrrpd", "check", "-"]).contains("--json"));
    assert!(offered(&["vrrpd", "check", "--json", ""]).is_empty());
    assert_eq!(offered(&["vrrpd", "convert", "a.conf", "--to", "t"]), "toml");
    assert!(offered(&["vrrpd", "ch"]).contains("check"));
}

/// The broken examples of docs/diagnostics with what `check` says of them.
const EXAMPLES: [&str; 5] = [
    "brace.conf",
    "words.conf",
    "definitions.conf",
    "weights.conf",
    "vrrpd.toml",
];

fn examples() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut page = String::from(
        "# Five broken configurations, and what vrrpd says of them\n\n\
         The files are in `docs/diagnostics`; the output is real, a test compares it (`VRRPD_REWRITE=1 cargo test --test generated` writes it anew).\n\
         `--elsewhere` says that the files are for another machine. Every code is explained by `vrrpd check --explain CODE`.\n",
    );
    for example in EXAMPLES {
        let file = format!("docs/diagnostics/{example}");
        let text = fs::read_to_string(root.join(&file)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_vrrpd"))
            .current_dir(root)
            .args(["check", "--elsewhere", &file])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let status = output.status.code().unwrap();
        page.push_str(&format!(
            "\n## {example}\n\n```\n{text}```\n\n```\n$ vrrpd check --elsewhere {file}\n{said}$ echo $?\n{status}\n```\n"
        ));
    }
    page
}

#[test]
fn broken_examples_show_what_check_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md");
    let fresh = examples();
    if std::env::var_os("VRRPD_REWRITE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == fresh,
        "docs/diagnostics.md is stale; VRRPD_REWRITE=1"
    );
    // What a stranger needs: the mistake is named, and what was meant.
    for words in [
        "the `}` of this block seems to be missing",
        "did you mean `interval`?",
        "did you mean `rise`?",
        "did you mean `chk_web`?",
        "did you mean `priority`?",
        "repeated here with n=2",
        "cannot change the priority",
    ] {
        assert!(fresh.contains(words), "{words}");
    }
}
