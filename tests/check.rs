//! `vrrpd check` as users call it: whole files in, words and exit statuses out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what is wrong"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(name)
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Standard output and exit status.
fn check(options: &[&str], files: &[PathBuf]) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_vrrpd"))
        .arg("check")
        .args(options)
        .args(files)
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

fn nodes(folder: &Path) -> Vec<PathBuf> {
    let mut files = folders(folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files
}

/// `severity code message` of every finding.
fn findings(files: &[PathBuf]) -> Vec<String> {
    let (text, _) = check(&["--json"], files);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = document["cluster"]["findings"]
        .as_array()
        .expect("a verdict on the cluster")
        .iter();
    found
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap();
            format!("{} {} {}", word("severity"), word("code"), word("message"))
        })
        .collect()
}

/// Every planted mistake is found, and nothing that was not planted.
#[test]
fn planted_mistakes_of_clusters_are_found() {
    let clusters = folders(&folder("cluster/planted"));
    assert!(clusters.len() >= 10);
    for cluster in clusters {
        let found = findings(&nodes(&cluster));
        let expected = fs::read_to_string(cluster.join("expected")).unwrap();
        let mut open: Vec<&String> = found.iter().collect();
        for line in expected.lines() {
            let (head, words) = line.match_indices(' ').nth(1).map(|(at, _)| line.split_at(at)).unwrap();
            let fits = |finding: &&String| finding.starts_with(head) && finding.contains(words.trim());
            match open.iter().position(fits) {
                Some(position) => drop(open.remove(position)),
                None => panic!("{}: nothing says `{line}` in\n{}", cluster.display(), found.join("\n")),
            }
        }
        assert!(open.is_empty(), "{}: not planted: {open:#?}", cluster.display());
        let errors = expected.lines().any(|line| line.starts_with("error"));
        assert_eq!(
            check(&["--strict"], &nodes(&cluster)).1,
            if errors { 2 } else { 1 },
            "{}",
            cluster.display()
        );
    }
}

/// The lint is silent about sound clusters, and plays every combination of failures of them.
#[test]
fn nothing_is_said_about_sound_clusters() {
    let mut clusters = folders(&folder("cluster/sound"));
    clusters.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/seed"));
    assert!(clusters.len() >= 10);
    for cluster in clusters {
        let found = findings(&nodes(&cluster));
        assert!(found.is_empty(), "{}: {found:#?}", cluster.display());
        let (text, status) = check(&[], &nodes(&cluster));
        assert!(text.contains(", all that there are"), "{}: {text}", cluster.display());
        assert_eq!(status, 0, "{}: {text}", cluster.display());
    }
}

/// Of equals the address decides: as the files tell it, or not at all.
#[test]
fn equal_priorities_are_told_with_who_wins() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("equals");
    fs::create_dir_all(&folder).unwrap();
    let told = |sources: [&str; 2]| {
        let node = |(number, source): (usize, &str)| {
            let path = folder.join(format!("node{number}.conf"));
            let text = format!(
                "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\n{source}\nvirtual_ipaddress {{\n192.0.2.9/24\n}}\n}}\n"
            );
            fs::write(&path, text).unwrap();
            path
        };
        let files: Vec<PathBuf> = (1..).zip(sources).map(node).collect();
        let (text, status) = check(&["--strict"], &files);
        assert_eq!((findings(&files), status), (Vec::new(), 0), "{text}");
        text
    };
    let known = told(["mcast_src_ip 192.0.2.2", "mcast_src_ip 192.0.2.1"]);
    assert!(
        known.contains("note: at the same time, node1 wins, whose address is the highest"),
        "{known}"
    );
    let unknown = told(["", ""]);
    assert!(
        unknown.contains("the one whose address is the highest wins; the files do not tell it"),
        "{unknown}"
    );
}

#[test]
fn the_first_users_cluster_is_told_what_a_failed_check_does() {
    let cluster = nodes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/seed"));
    let (text, _) = check(&[], &cluster);
    assert!(
        text.contains("chk_haproxy fails on node1  100 < 111, node2 or node3"),
        "{text}"
    );
}
