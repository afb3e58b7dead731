//! `-t` of 10,000 and 65,024 instances, beside the installed keepalived in one interleaved run: ratios, and peak memory.
//!
//! `cargo bench --bench config [ROUNDS]`; 65,024 instances are only given to keepalived with `--all`: it takes minutes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a measurement needs a clock and says what it saw"
)]

use nix::sys::resource::{UsageWho, getrusage};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn block(name: &str, interface: &str, vrid: &str, address: &str, end: &str) -> String {
    [
        &format!("vrrp_instance {name} {{"),
        &format!("interface {interface}"),
        &format!("virtual_router_id {vrid}"),
        "priority 130",
        "virtual_ipaddress {",
        &format!("{address}/24"),
        "}",
        "}",
    ]
    .join(&format!("{end}\n"))
}

const GLOBAL: &str = "global_defs {\n dynamic_interfaces\n}\n";

fn files(directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut plain = GLOBAL.to_owned();
    for link in 1..=40 {
        for vrid in 1..=250 {
            let name = format!("v{link}.{vrid}");
            let address = format!("10.1.{link}.{vrid}");
            writeln!(
                plain,
                "{}",
                block(&name, &format!("eth{link}"), &vrid.to_string(), &address, "")
            )
            .unwrap();
        }
    }
    let definition = block("v${A}.${B}", "eth${A}", "${B}", "10.1.${A}.${B}", " \\");
    let sequence = format!("{GLOBAL}$V= \\\n{definition}\n~SEQ(A,1,40) ~SEQ(B,1,250) $V\n");
    let definition = block("v${A}.${B}.${C}", "eth${A}.${B}", "${C}", "10.${A}.${B}.${C}", " \\");
    let large = format!("{GLOBAL}$V= \\\n{definition}\n~SEQ(A,0,7) ~SEQ(B,0,31) ~SEQ(C,1,254) $V\n");
    let texts = [
        ("10,000 spelled out", plain),
        ("10,000 by ~SEQ", sequence),
        ("65,024 by ~SEQ", large),
    ];
    let write = |(name, text): (&'static str, String)| {
        let path = directory.join(format!("{}.conf", name.replace([' ', ',', '~'], "")));
        std::fs::write(&path, text).unwrap();
        (name, path)
    };
    texts.into_iter().map(write).collect()
}

/// How long it took; `None` if the program is not there.
fn time(program: &str, file: &Path) -> Option<Duration> {
    let begin = Instant::now();
    let mut command = Command::new(program);
    command
        .args(["-t", "-f"])
        .arg(file)
        .stderr(Stdio::null())
        .stdout(Stdio::null());
    command.status().ok().map(|_| begin.elapsed())
}

/// Peak memory of any child so far, in KiB.
fn peak() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn main() {
    let all = std::env::args().any(|word| word == "--all");
    let rounds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(5);
    let directory = std::env::temp_dir().join(format!("vrrpd-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    println!(
        "{:<20}{:>12}{:>14}{:>10}{:>14}{:>16}",
        "-t of", "vrrpd s", "keepalived s", "ratio", "vrrpd KiB", "either KiB"
    );
    for (name, file) in files(&directory) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        ours.extend(time(env!("CARGO_BIN_EXE_vrrpd"), &file));
        let memory = peak();
        for _ in 0..rounds {
            ours.extend(time(env!("CARGO_BIN_EXE_vrrpd"), &file));
            if all || !name.starts_with("65") {
                theirs.extend(time("keepalived", &file));
            }
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{name:<20}{ours:>12.3}{theirs:>14.3}{:>10.4}{memory:>14}{:>16}",
            ours / theirs,
            peak()
        );
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
