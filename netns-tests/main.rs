//! Real kernel, real peers: what two keepalived nodes do under a script of faults, two nodes of which one or both are vrrpd
//! have to do as well.
//!
//! Each run is a process of its own in namespaces of its own; it prints what it saw, and the parent compares. The oracle is
//! keepalived: the sequence of holders of the address, read from the nodes' kernels, and the bytes on the wire.
//! Needs root and Debian's keepalived; what cannot run is printed as NOT RUN and makes root fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test says by a panic what is wrong"
)]

mod cluster;
mod jobs;
mod scenario;
mod wire;

use jobs::Job;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--job") {
        return ExitCode::from(jobs::child(&words[at + 1]));
    }
    let wanted = words
        .iter()
        .find(|word| !word.starts_with('-'))
        .cloned()
        .unwrap_or_default();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let root = nix::unistd::Uid::effective().is_root();
    if !root || !std::path::Path::new(cluster::KEEPALIVED).exists() {
        println!("NOT RUN: all of it needs root and {}", cluster::KEEPALIVED);
        println!("test result: ok. 0 passed; 0 failed; 0 ignored");
        return if root { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let checks: Vec<_> = scenario::checks()
        .into_iter()
        .chain(wire::checks())
        .filter(|c| c.name.contains(&wanted))
        .collect();
    let all: Vec<Job> = checks.iter().flat_map(|check| check.jobs.iter().cloned()).collect();
    let outcomes = jobs::run_all(&all);
    let mut failed = 0;
    for check in &checks {
        let seen: Vec<&str> = check.jobs.iter().map(|job| outcomes[job].as_str()).collect();
        match (check.judge)(&seen) {
            Ok(()) => println!("test {} ... ok", check.name),
            Err(why) => {
                failed += 1;
                println!("test {} ... FAILED\n{why}", check.name);
            }
        }
    }
    // The negative twin: the judge must see a difference where there is one.
    let twin = scenario::same(&["1 2", "1 2", "2 1"]).is_err() && scenario::same(&["1 2", "1 2"]).is_ok();
    failed += usize::from(!twin);
    println!(
        "test result: {}. {} passed; {failed} failed; 0 ignored",
        if failed == 0 { "ok" } else { "FAILED" },
        checks.len() - failed.min(checks.len())
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
