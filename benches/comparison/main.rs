//! vrrpd beside Debian's keepalived on the same machine at the same time, in throw-away network namespaces.
//!
//! `cargo bench --bench comparison`; `-- --help` says what can be chosen. docs/benchmark.md says what each line means.
//! Everything is seen from outside: times of packets on the cables, the kernel's news of addresses, the scheduler's account
//! of processor time. Needs root and Debian's keepalived.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a measurement that goes wrong ends by a panic that says where; its results are ratios for people"
)]

mod addresses;
mod config;
mod cpu;
mod failover;
mod measure;
mod reference;
mod speaker;
mod table;

use clap::Parser;
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use vrrpd::lab::Outcome;

/// Compares vrrpd with keepalived.
#[derive(Debug, Parser)]
#[command(name = "comparison")]
struct Options {
    /// Only these measurements: failover, addresses, cpu, config
    #[arg(value_parser = ["failover", "addresses", "cpu", "config"])]
    only: Vec<String>,
    /// Everything once and small: does it still run?
    #[arg(long)]
    smoke: bool,
    /// The numbers that the project's targets speak of: 200 fail-overs, 20 take-overs, 60 s
    #[arg(long, conflicts_with = "smoke")]
    full: bool,
    /// Give keepalived the 65,024 instances of its manual, for at most so many minutes
    #[arg(long, value_name = "MINUTES")]
    example: Option<u64>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [config::ONE, words @ ..] = words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        config::one(words).unwrap();
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    if !nix::unistd::Uid::effective().is_root() || !std::path::Path::new(speaker::KEEPALIVED).exists() {
        eprintln!("NOT RUN: it needs root and {}", speaker::KEEPALIVED);
        return ExitCode::FAILURE;
    }
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let amount = |smoke, usual, full| match (options.smoke, options.full) {
        (true, _) => smoke,
        (false, false) => usual,
        (false, true) => full,
    };
    table::head();
    let mut good = true;
    if wanted("failover") {
        let count = amount(2, 40, 200);
        good &= in_lab("failover", || failover::run(count));
    }
    if wanted("addresses") {
        let amount = addresses::Amount {
            addresses: amount(200, 5_000, 5_000),
            takeovers: amount(1, 8, 20),
            stops: amount(1, 2, 5),
        };
        good &= in_lab("addresses", || addresses::run(amount));
    }
    if wanted("cpu") {
        let amount = cpu::Amount {
            per_link: u8::try_from(amount(5, 250, 250)).unwrap(),
            seconds: u64::from(amount(3, 30, 60)),
        };
        good &= in_lab("cpu", || cpu::run(amount));
    }
    if wanted("config") {
        let amount = config::Amount {
            rounds: amount(1, 5, 15),
            example: options.example.map(|minutes| Duration::from_secs(minutes * 60)),
        };
        good &= config::run(amount)
            .inspect_err(|error| eprintln!("config: {error}"))
            .is_ok();
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one measurement in namespaces of its own; whether it came to its end.
fn in_lab(name: &str, measure: impl FnOnce() -> io::Result<()>) -> bool {
    let outcome = vrrpd::lab::enter(|| match measure() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{name}: {error}");
            1
        }
    });
    matches!(outcome, Ok(Outcome::Exited(0)))
}
