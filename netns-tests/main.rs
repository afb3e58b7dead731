//! Real kernel, real peers: what keepalived does under a fault, vrrpd has to do as well, alone and beside it.
//!
//! Each run ([`jobs`]) is a process of its own in namespaces of its own and prints what it saw; a [`check::Check`] judges what
//! its runs printed. The oracle stands outside of the daemon: keepalived under the same faults, the nodes' kernels, the
//! bytes on the wire, a client. Each check has a negative twin: runs with a planted fault, which the judge has to reject.
//! `--list` shows both. `docs/testing.md` says how to run a part.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test says by a panic what is wrong"
)]

mod ask;
mod blind;
mod causes;
mod check;
mod clocks;
mod cluster;
mod connector;
mod crash;
mod decode;
mod differences;
mod drain;
mod election;
mod foresight;
mod forge;
mod frr;
mod interop;
mod jobs;
mod kernel;
mod links;
mod log_order;
mod noise;
mod options;
mod problems;
mod processes;
mod reload;
mod replay;
mod script_user;
mod scripts;
mod seed;
mod stage;
mod statics;
mod story;
mod tracked;
mod wire;

use check::{Check, Needs};
use jobs::{Job, Outcome};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

fn all_checks() -> Vec<Check> {
    [
        election::checks(),
        links::checks(),
        tracked::checks(),
        statics::checks(),
        connector::checks(),
        drain::checks(),
        reload::checks(),
        foresight::checks(),
        crash::checks(),
        wire::checks(),
        seed::checks(),
        log_order::checks(),
        noise::checks(),
        replay::checks(),
        clocks::checks(),
        processes::checks(),
        problems::checks(),
        causes::checks(),
        blind::checks(),
        script_user::checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What no rights give: this machine may be a container.
const FIRST_NAMESPACES: &str = "the kernel's first namespaces";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--job") {
        return ExitCode::from(jobs::child(&words[at + 1]));
    }
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |check: &Check| filters.is_empty() || filters.iter().any(|filter| check.name.contains(*filter));
    let checks: Vec<Check> = all_checks().into_iter().filter(wanted).collect();
    if words.iter().any(|word| word == "--list") {
        for check in &checks {
            println!("{check}");
        }
        return ExitCode::SUCCESS;
    }
    let root = nix::unistd::Uid::effective().is_root();
    let (run, not_run): (Vec<Check>, Vec<Check>) = checks
        .into_iter()
        .partition(|check| missing(&check.needs, root).is_none());
    let (outcomes, mut failed) = judge_all(&run);
    if words.iter().any(|word| word == "--times") {
        for (took, job) in jobs::times(&outcomes) {
            println!("{took} s {job}");
        }
    }
    let table = interop::compare(&outcomes);
    println!(
        "test interop::table ... {}",
        if table.is_ok() { "ok" } else { "FAILED" }
    );
    if let Err(why) = table {
        println!("{why}");
        failed += 1;
    }
    for check in &not_run {
        let why = missing(&check.needs, root).unwrap_or_default();
        println!("test {} ... NOT RUN: needs {why}", check.name);
    }
    println!("NOT RUN: {}", not_run.len());
    let elsewhere = |check: &Check| missing(&check.needs, root) == Some(FIRST_NAMESPACES);
    let good = failed == 0 && (not_run.iter().all(elsewhere) || !root);
    println!(
        "test result: {}. {} passed; {failed} failed; {} ignored",
        if good { "ok" } else { "FAILED" },
        run.len() + 1 - failed,
        not_run.len()
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first thing that a check needs and that is not here.
fn missing(needs: &[Needs], root: bool) -> Option<&'static str> {
    needs.iter().find_map(|need| match need {
        Needs::Root => (!root).then_some("root"),
        Needs::FirstNamespaces => (!connector::is_possible()).then_some(FIRST_NAMESPACES),
        Needs::Program(path) => (!Path::new(path).exists()).then_some(*path),
    })
}

/// Runs what the checks need and judges it; what was seen, and how many failed.
fn judge_all(checks: &[Check]) -> (BTreeMap<Job, Outcome>, usize) {
    let outcomes = jobs::run_all(checks);
    let mut failed = 0;
    for check in checks {
        match check.verdict(&outcomes) {
            Ok(()) => println!("test {} ... ok", check.name),
            Err(why) => {
                failed += 1;
                println!("test {} ... FAILED\n{why}", check.name);
            }
        }
    }
    (outcomes, failed)
}
