//! The built program as a user runs it: options, pid files, signals, files, programs, rights, logs. One process a case, each in
//! namespaces of its own with its own `/run`, `/tmp`, `/dev` and syslog, so nothing of the host is touched.
//!
//! The oracle is outside the daemon: the kernel's addresses, a packet socket on the other end of the cable, the processes and
//! files themselves, and where it is comparable Debian's keepalived doing the same. Cases that need real root or keepalived
//! are printed as NOT RUN and make root fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test says by a panic what is wrong, and waits for what the program does"
)]

mod asked;
mod effects;
mod files;
mod kernel;
mod logs;
mod misbehaving;
mod notify;
mod once;
mod operate;
mod outside;
mod programs;
mod refused;
mod reload;
mod rig;
mod scheduled;
mod signals;
mod start;

use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    pub(crate) needs: Needs,
}

/// What a case cannot do without.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Needs {
    Nothing,
    /// Real root: other users and device files.
    Root,
    /// keepalived as the oracle, and root.
    Keepalived,
}

/// Cases at a time.
const AT_ONCE: usize = 6;

fn cases() -> Vec<Case> {
    [
        start::cases(),
        signals::cases(),
        files::cases(),
        kernel::cases(),
        programs::cases(),
        reload::cases(),
        asked::cases(),
        refused::cases(),
        effects::cases(),
        outside::cases(),
        scheduled::cases(),
        logs::cases(),
        notify::cases(),
        operate::cases(),
        once::cases(),
        misbehaving::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--case") {
        let case = cases().into_iter().find(|case| case.name == words[at + 1]).unwrap();
        let entered = vrrpd::lab::enter(move || {
            rig::prepare();
            (case.run)();
            0
        });
        return match entered {
            Ok(vrrpd::lab::Outcome::Exited(0)) => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let wanted = words
        .iter()
        .find(|word| !word.starts_with('-'))
        .cloned()
        .unwrap_or_default();
    let root = nix::unistd::Uid::effective().is_root();
    let keepalived = std::path::Path::new(rig::KEEPALIVED).exists();
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    let mut waiting: Vec<Case> = Vec::new();
    for case in cases().into_iter().filter(|case| case.name.contains(&wanted)).rev() {
        let possible = match case.needs {
            Needs::Nothing => true,
            Needs::Root => root,
            Needs::Keepalived => root && keepalived,
        };
        if possible {
            waiting.push(case);
        } else {
            println!("NOT RUN: {}", case.name);
            left_out += 1;
        }
    }
    let mut running: Vec<(&'static str, Child)> = Vec::new();
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(case) = waiting.pop()
        {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--case", case.name])
                .env("RUST_BACKTRACE", "0")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            running.push((case.name, child));
        }
        let (name, mut child) = running.remove(0);
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        if child.wait().unwrap().success() {
            passed += 1;
            println!("test {name} ... ok");
        } else {
            failed += 1;
            println!("test {name} ... FAILED\n{errors}");
        }
    }
    let bad = failed > 0 || (root && left_out > 0);
    let verdict = if bad { "FAILED" } else { "ok" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; {left_out} ignored");
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
