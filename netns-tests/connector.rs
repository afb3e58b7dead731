//! Processes as the kernel's proc connector tells them, beside keepalived: the same lines in the same order, and nothing before
//! its delay.
//!
//! The connector answers in the initial process and user namespaces only, so this run has no sandbox but its own mounts and a
//! network namespace that the daemon enters (`-s`). It ends what it starts, by process id.

use crate::check::{Check, Needs, Twin, alike, in_range};
use crate::stage::{KEEPALIVED, Speaker};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DIRECTORY: &str = "/run/tracked";
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nobody becomes master while this is played.
const CONFIGURATION: &str = "\
global_defs {
    process_monitor_rcv_bufs BUFFER
    process_monitor_rcv_bufs_force
}
track_file tf {
    file /run/tracked/tf
}
vrrp_track_process tp {
    process SERVICE
    terminate_delay 1
}
vrrp_track_process tq {
    process SERVICE
    quorum_max 1
    terminate_delay 2
    weight 10
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 60
    virtual_ipaddress {
        192.0.2.100/32
    }
    track_file {
        tf
    }
    track_process {
        tp
        tq
    }
}
";

/// Room for all that a busy machine forks, and for next to nothing.
const ROOMY: &str = "8388608";
const TIGHT: &str = "4096";
/// Programs that are run while nobody reads the news of them: three news each, some hundred bytes in the kernel.
const STORM: usize = 300;

/// Whether the connector can answer here: the numbers are those of the first namespaces of a kernel.
pub(crate) fn is_possible() -> bool {
    let is = |name: &str, number: &str| {
        fs::read_link(format!("/proc/self/ns/{name}")).is_ok_and(|link| link.to_string_lossy().contains(number))
    };
    is("pid", "4026531836") && is("user", "4026531837")
}

pub(crate) fn checks() -> Vec<Check> {
    let job = |words: &str| format!("connector {words}");
    let needs = vec![Needs::Root, Needs::Program(KEEPALIVED), Needs::FirstNamespaces];
    vec![
        Check {
            name: "tracked::connector".into(),
            jobs: vec![job("k"), job("v")],
            judge: alike,
            oracle: "what keepalived logs about the same files and processes",
            twin: Twin {
                what: "another process is tracked".into(),
                sees: "spoiled",
                jobs: vec![job("k"), job("v spoiled")],
            },
            needs: needs.clone(),
        },
        Check {
            name: "tracked::connector-overrun".into(),
            jobs: vec![job("v storm")],
            judge: in_range,
            oracle: "the processes that run",
            twin: Twin {
                what: "the buffer has room for the news".into(),
                sees: "lost news are said",
                jobs: vec![job("v storm roomy")],
            },
            needs,
        },
    ]
}

/// A program that is ended when it is dropped.
struct Running(Child);

impl Running {
    fn start(words: &[&str]) -> io::Result<Self> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(format!("{DIRECTORY}/log"))?;
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn()?))
    }

    fn end(mut self, signal: Signal) -> io::Result<()> {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal)?;
        self.0.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

fn ip(words: &str) -> io::Result<()> {
    let status = Command::new("ip").args(words.split(' ')).status()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other(format!("ip {words}")))
}

fn lines() -> Vec<String> {
    let text = fs::read_to_string(format!("{DIRECTORY}/log")).unwrap_or_default();
    let told = |line: &str| {
        let from = line.find("(VI_1)").or_else(|| line.find("Quorum"))?;
        let line = &line[from..];
        let kept = ["Quorum", " STATE", "tracked file", "effective priority"];
        kept.iter().any(|word| line.contains(word)).then(|| line.to_owned())
    };
    text.lines().filter_map(told).collect()
}

/// Waits for so many lines; how long that took.
#[expect(clippy::disallowed_methods, reason = "a log file tells nobody that it grew")]
fn until(count: usize) -> io::Result<Duration> {
    let begun = Instant::now();
    while lines().len() < count {
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other(format!(
                "waited in vain for line {count}: {:#?}",
                lines()
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(begun.elapsed())
}

/// The namespaces and links of a run, and the program that is tracked.
fn prepare() -> io::Result<String> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none)?;
    fs::create_dir(DIRECTORY)?;
    for words in [
        "netns add tracked",
        "-n tracked link add eth0 type veth peer name far0",
        "-n tracked link set eth0 up",
        "-n tracked link set far0 up",
        "-n tracked addr add 192.0.2.1/24 dev eth0",
    ] {
        ip(words)?;
    }
    // A name of its own: the machine has other processes.
    let service = format!("{DIRECTORY}/svc{}", std::process::id());
    fs::copy("/bin/sleep", &service)?;
    Ok(service)
}

fn set(number: &str) -> io::Result<()> {
    fs::write(format!("{DIRECTORY}/tf"), number)
}

/// A daemon that has said what the file adds.
fn start(speaker: Speaker, tracked: &str, buffer: &str) -> io::Result<Running> {
    let conf = format!("{DIRECTORY}/conf");
    let text = CONFIGURATION.replace("SERVICE", tracked).replace("BUFFER", buffer);
    fs::write(&conf, text)?;
    let program = match speaker {
        Speaker::Keepalived => KEEPALIVED,
        Speaker::Vrrpd => env!("CARGO_BIN_EXE_vrrpd"),
        Speaker::Frr | Speaker::Newer => panic!("no such speaker here: {speaker:?}"),
    };
    set("5\n")?;
    let daemon = Running::start(&[program, "-n", "-l", "-D", "-G", "-P", "-f", &conf, "-s", "tracked"])?;
    // Changing effective priority from 100 to 105.
    until(1)?;
    Ok(daemon)
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [speaker, rest @ ..] = words else {
        return Err(io::Error::other("speaker, perhaps storm or spoiled"));
    };
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let service = prepare()?;
    let name = service.rsplit('/').next().unwrap_or_default();
    if let ["storm", roomy @ ..] = rest {
        let buffer = if roomy.is_empty() { TIGHT } else { ROOMY };
        return storm(start(speaker, name, buffer)?, &service);
    }
    let tracked = if rest.is_empty() { name } else { "other" };
    let daemon = start(speaker, tracked, ROOMY)?;
    let told = if rest.is_empty() {
        steps(&service)?
    } else {
        set("20\n")?;
        until(2)?;
        vec!["spoiled".to_owned()]
    };
    daemon.end(Signal::SIGTERM)?;
    Ok(lines().into_iter().chain(told).collect::<Vec<_>>().join("\n"))
}

/// The daemon and its processes.
fn family(daemon: &Running) -> io::Result<Vec<Pid>> {
    let first = daemon.0.id();
    let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"))?;
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    let all = children.chain([i32::try_from(first).unwrap()]);
    Ok(all.map(Pid::from_raw).collect())
}

/// A process comes while nobody reads the news, behind more of them than there is room for.
fn storm(daemon: Running, service: &str) -> io::Result<String> {
    let all = family(&daemon)?;
    all.iter().try_for_each(|pid| kill(*pid, Signal::SIGSTOP))?;
    for _ in 0..STORM {
        Command::new("/bin/true").status()?;
    }
    let first = Running::start(&[service, "1000"])?;
    all.iter().try_for_each(|pid| kill(*pid, Signal::SIGCONT))?;
    // Quorum gained (tp), BACKUP, quorum gained (tq), priority.
    until(5)?;
    let gained = lines().iter().filter(|line| line.starts_with("Quorum gained")).count();
    first.end(Signal::SIGKILL)?;
    // What comes after it is told by the kernel again.
    until(9)?;
    let lost = lines().iter().filter(|line| line.starts_with("Quorum lost")).count();
    daemon.end(Signal::SIGTERM)?;
    let log = fs::read_to_string(format!("{DIRECTORY}/log"))?;
    let said = log.matches("News of processes were lost").count();
    let grown = log.matches("Setting global_def process_monitor_rcv_bufs to ").count();
    Ok(format!(
        "quorum gained: {gained} 2 2\nquorum lost: {lost} 2 2\nlost news are said: {said} 1 20\nthe buffer grows: {grown} 1 20"
    ))
}

/// What is done; what was too early.
#[expect(
    clippy::disallowed_methods,
    reason = "that nothing comes in a time is what is tested"
)]
fn steps(service: &str) -> io::Result<Vec<String>> {
    let mut early = Vec::new();
    let mut not_before = |what: &str, took: Duration, delay: u64| {
        if took < Duration::from_millis(delay - 50) {
            early.push(format!("early: {what} after {took:?}"));
        }
    };
    set("20\n")?;
    until(2)?;
    set("-254\n")?;
    until(3)?;
    set("7\n")?;
    until(5)?;
    let first = Running::start(&[service, "1000"])?;
    // Quorum gained (tp), BACKUP, quorum gained (tq), priority.
    until(9)?;
    let second = Running::start(&[service, "1000"])?;
    // Quorum lost (tq), priority.
    until(11)?;
    second.end(Signal::SIGKILL)?;
    not_before("quorum_max kept again", until(13)?, 2_000);
    first.end(Signal::SIGKILL)?;
    let first = Running::start(&[service, "1000"])?;
    // Nothing may come of a restart within the delays; the time itself is what is tested.
    std::thread::sleep(Duration::from_millis(2_500));
    first.end(Signal::SIGKILL)?;
    // Quorum lost (tp), FAULT, quorum lost (tq), priority.
    not_before("quorum lost", until(14)?, 1_000);
    until(17)?;
    Ok(early)
}
