//! `-t` of ordinary and of very large configurations: how long it takes, and how much memory at most.

use crate::speaker::KEEPALIVED;
use crate::table::{Row, Target};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use vrrpd::system::clock;

/// How often, and how long keepalived may work on the example that takes it more than a quarter of an hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) rounds: u32,
    /// `None`: keepalived is not given the example.
    pub(crate) example: Option<Duration>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    millis: f64,
    peak_kib: f64,
    /// It was killed when its time was over, so that both figures would have become greater.
    cut_short: bool,
}

/// What is given to both programs.
struct Case {
    work: &'static str,
    path: PathBuf,
    /// What the time is to be.
    target: Target,
    rounds: u32,
    limit: Option<Duration>,
}

pub(crate) fn run(amount: Amount) -> io::Result<()> {
    let directory = std::env::temp_dir().join(format!("vrrpd-bench-{}", std::process::id()));
    let result = files(&directory, amount).and_then(|cases| cases.iter().try_for_each(compare));
    std::fs::remove_dir_all(&directory)?;
    result
}

fn files(directory: &Path, amount: Amount) -> io::Result<Vec<Case>> {
    // Its tracked files are in a folder, which has to be there.
    std::fs::create_dir_all(directory.join("679/track_files"))?;
    let tenth = Target::TimesKeepalived(0.1);
    let seed = include_str!("../../conf/seed/node1.conf").to_owned();
    let forever = Some(Duration::MAX);
    let cases = [
        (
            "the first user's file",
            seed,
            Target::AtMost(10.0),
            amount.rounds,
            forever,
        ),
        ("10,000 instances", spelled_out(), tenth, amount.rounds, forever),
        ("10,000 instances by ~SEQ", sequence(), tenth, amount.rounds, forever),
        (
            "65,024 by ~SEQ",
            EXAMPLE.into(),
            Target::TimesKeepalived(0.01),
            1,
            amount.example,
        ),
    ];
    let write = |(index, (work, text, target, rounds, limit)): (usize, (_, String, _, _, _))| {
        let path = directory.join(format!("{index}.conf"));
        std::fs::write(&path, text)?;
        Ok(Case {
            work,
            path,
            target,
            rounds,
            limit,
        })
    };
    cases.into_iter().enumerate().map(write).collect()
}

/// Both programs in turn.
fn compare(case: &Case) -> io::Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..case.rounds {
        ours.push(apart(env!("CARGO_BIN_EXE_vrrpd"), &case.path, Duration::MAX)?);
        if let Some(limit) = case.limit {
            theirs.push(apart(KEEPALIVED, &case.path, limit)?);
        }
    }
    let median = |runs: &[Run], of: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let limit = case.limit.unwrap_or_default().as_secs();
    let note = if theirs.iter().any(|run| run.cut_short) {
        format!(", keepalived not finished after {limit} s")
    } else {
        String::new()
    };
    let row = |what: &str, unit, of: fn(&Run) -> f64, target| Row {
        work: format!("-t of {}, {what}{note}", case.work),
        bare: None,
        keepalived: median(&theirs, of),
        vrrpd: median(&ours, of),
        unit,
        target,
    };
    row("time", "ms", |run| run.millis, case.target).print();
    row("peak", "KiB", |run| run.peak_kib, Target::TimesKeepalived(1.0)).print();
    Ok(())
}

/// The word that makes this program measure one run, in a process of its own: the kernel tells the peak of all children.
pub(crate) const ONE: &str = "--one-run";

fn apart(program: &str, file: &Path, limit: Duration) -> io::Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ONE, program]).arg(file).arg(limit.as_secs().to_string());
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = || io::Error::other(format!("{program} -t of {}: {text}", file.display()));
    let words: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [millis, peak_kib, cut_short] = words.as_slice() else {
        return Err(wrong());
    };
    Ok(Run {
        millis: *millis,
        peak_kib: *peak_kib,
        cut_short: *cut_short > 0.0,
    })
}

/// `--one-run PROGRAM FILE SECONDS`: prints milliseconds, KiB at most, and whether it was killed.
pub(crate) fn one(words: &[&str]) -> io::Result<()> {
    let [program, file, limit] = words else {
        return Err(io::Error::other("PROGRAM FILE SECONDS"));
    };
    let limit = Duration::from_secs(limit.parse().map_err(io::Error::other)?);
    let mut command = Command::new(program);
    command
        .args(["-t", "-f", file])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begin = clock::now();
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (ended, end) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        // A channel that is closed says that it has ended.
        let late = end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
        late && kill(pid, Signal::SIGKILL).is_ok()
    });
    child.wait()?;
    let millis = clock::now().since(begin).0 as f64 / 1000.0;
    drop(ended);
    let cut_short = watch.join().is_ok_and(|killed| killed);
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    println!("{millis} {peak} {}", u8::from(cut_short));
    Ok(())
}

const GLOBAL: &str = "global_defs {\n dynamic_interfaces\n}\n";

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

fn spelled_out() -> String {
    let mut text = GLOBAL.to_owned();
    for link in 1..=40 {
        for vrid in 1..=250 {
            let (name, interface) = (format!("v{link}.{vrid}"), format!("eth{link}"));
            let block = block(&name, &interface, &vrid.to_string(), &format!("10.1.{link}.{vrid}"), "");
            writeln!(text, "{block}").unwrap();
        }
    }
    text
}

fn sequence() -> String {
    let definition = block("v${A}.${B}", "eth${A}", "${B}", "10.1.${A}.${B}", " \\");
    format!("{GLOBAL}$V= \\\n{definition}\n~SEQ(A,1,40) ~SEQ(B,1,250) $V\n")
}

/// The example of keepalived.conf(5), with what lets it be read on a machine without its interfaces.
const EXAMPLE: &str = r#"global_defs {
    dynamic_interfaces
}
$VI4= \
track_file offset_instance_4.${IF}.${NUM}.${ID} { \
    file "${_PWD}/679/track_files/4.${IF}.${NUM}.${ID}" \
    weight -100 \
} \
vrrp_instance vrrp4.${IF}.${NUM}.${ID} { \
    interface bond${IF}.${NUM} \
    use_vmac vrrp4.${IF}.${NUM}.${ID} \
    virtual_router_id ${ID} \
    priority 130 \
    virtual_ipaddress { \
        10.${IF}.${NUM}.${ID}/24 \
    } \
    track_file { \
        offset_instance_4.${IF}.${NUM}.${ID} \
    } \
}

~SEQ(IF,0,7) ~SEQ(NUM,0,31) ~SEQ(ID,1,254) $VI4
"#;
