//! A configuration in the other language means the same: keepalived.conf → TOML → keepalived.conf, for the whole collection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::fs;
use std::path::{Path, PathBuf};
use vrrpd::config::{Language, LoadOptions, Loaded, MemorySource, NoHost, convert, load, print_keepalived, print_toml};
use vrrpd::model::Model;
use vrrpd::system::host::RealSource;

fn options() -> LoadOptions {
    LoadOptions {
        config_id: Some("high".into()),
        ..LoadOptions::default()
    }
}

/// The text in another language and what the original means.
fn other(path: &str, text: &str, to: Language) -> (String, Loaded) {
    let source = MemorySource::new(path, text);
    convert(path, &source, &NoHost, &options(), to)
}

fn meaning(path: &str, text: &str) -> Option<Model> {
    load(path, &MemorySource::new(path, text), &NoHost, &options()).model
}

/// Where two models differ, for a person.
fn difference(one: &Model, other: &Model) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let lines = one.lines().zip(other.lines()).enumerate();
    let differing: Vec<String> = lines
        .filter(|(_, (a, b))| a != b)
        .take(4)
        .map(|(n, (a, b))| format!("{n}: {a} | {b}"))
        .collect();
    differing.join("\n")
}

/// What is lost on the way, if anything.
fn lost(path: &str) -> Result<bool, String> {
    let (toml, first) = convert(path, &RealSource, &NoHost, &options(), Language::Toml);
    let Some(original) = first.model else { return Ok(false) };
    let second = load("x.toml", &MemorySource::new("x.toml", &toml), &NoHost, &options());
    let Some(model) = second.model else {
        let problems: Vec<String> = second.diagnostics.iter().map(ToString::to_string).collect();
        return Err(format!("TOML is refused: {}\n{toml}", problems.join("\n")));
    };
    if model != original {
        return Err(format!("by TOML: {}\n{toml}", difference(&original, &model)));
    }
    for (path, text) in [
        ("x.conf", print_keepalived(&original)),
        ("x.toml", print_toml(&original)),
    ] {
        match meaning(path, &text) {
            Some(model) if model == original => {}
            Some(model) => {
                return Err(format!(
                    "printed from the model: {}\n{text}",
                    difference(&original, &model)
                ));
            }
            None => return Err(format!("printed from the model: nothing\n{text}")),
        }
    }
    let (conf, _) = other("x.toml", &toml, Language::Keepalived);
    match meaning("x.conf", &conf) {
        Some(model) if model == original => {}
        Some(model) => return Err(format!("back from TOML: {}\n{conf}", difference(&original, &model))),
        None => return Err(format!("back from TOML: nothing\n{conf}")),
    }
    let (again, _) = other("x.conf", &conf, Language::Toml);
    let (once_more, _) = other("x.toml", &again, Language::Toml);
    if again == once_more {
        Ok(true)
    } else {
        Err(format!("TOML does not stay the same:\n{again}\n{once_more}"))
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/corpus")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[test]
fn every_file_of_the_collection_keeps_its_meaning_in_toml() {
    let mut failed = Vec::new();
    for folder in ["samples", "maintainer", "wild"] {
        let (mut equal, mut nothing) = (0, 0);
        let all = files(folder);
        for path in &all {
            match lost(&path.to_string_lossy()) {
                Ok(true) => equal += 1,
                Ok(false) => nothing += 1,
                Err(why) => failed.push(format!("{}: {why}", path.display())),
            }
        }
        println!(
            "{folder}: {} files, {equal} keep their meaning, {nothing} cannot run at all",
            all.len()
        );
    }
    for failure in failed.iter() {
        println!("{}\n", failure.lines().take(12).collect::<Vec<_>>().join("\n"));
    }
    assert!(failed.is_empty(), "{} files lose something", failed.len());
}
