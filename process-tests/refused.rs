//! Reloads that fail for other reasons than the configuration: descriptors that are used up, a VRRP process that does not read, a
//! reading that dies. A running daemon loses nothing, and says so to whoever asked. The oracle is the kernel and the wire.

use crate::rig::{CONF, Daemon, VIP, Wire, ask, has, pause, signal_to, status, until};
use crate::{Case, Needs};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("refused::a_daemon_that_cannot_take_a_configuration_goes_on", untaken),
        case("refused::a_daemon_that_does_not_read_is_handed_nothing", deaf),
        case("refused::a_supervisor_that_cannot_begin_to_read_says_so", unread),
        case("refused::a_reading_that_dies_changes_nothing", dead),
    ]
}

/// An instance that tracks a file and a script, which are looked at whatever becomes of reloads.
fn tracking(priority: u8) -> String {
    let tracks = "track_file {\n number\n }\n track_script {\n chk\n }\n virtual_ipaddress {";
    let instance = CONF
        .replace("priority 150", &format!("priority {priority}"))
        .replace("virtual_ipaddress {", tracks);
    format!(
        "vrrp_script chk {{\n script \"/usr/bin/test -e /tmp/well\"\n interval 1\n weight 7\n user root\n}}\n\
         track_file number {{\n file /tmp/number\n weight 1\n}}\n{instance}"
    )
}

fn start() -> Daemon {
    fs::write("/tmp/number", "0").unwrap();
    fs::write("/tmp/well", "").unwrap();
    let daemon = Daemon::start(&tracking(100));
    until("the address is set", || has(VIP));
    until("the script counts", || effective() == 107);
    daemon
}

fn effective() -> i64 {
    status()["instances"][0]["priority"]["effective"].as_i64().unwrap()
}

/// Descriptors that a process may have from now on; what it has stays.
fn descriptors(pid: i32, most: Option<u64>) {
    let pid = Pid::from_raw(pid);
    let before = prlimit(
        pid,
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: Some(1 << 20),
        },
    );
    if before.is_err() {
        // Without root the hard limit cannot be raised.
        let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: most,
            maximum: hard,
        };
        prlimit(pid, Resource::Nofile, limit).unwrap();
    }
}

/// Still master with the configuration from before, and everything that is tracked counts.
fn nothing_is_lost(daemon: Daemon, hash: &Value) {
    let now = status();
    assert_eq!(&now["config"]["hash"], hash);
    let problems = now["problems"].as_array().unwrap();
    assert!(
        problems.iter().any(|problem| problem["code"] == "reload-refused"),
        "{now}"
    );
    assert_eq!(now["instances"][0]["counters"]["became_master"], 1, "{now}");
    assert!(has(VIP));
    fs::write("/tmp/number", "5").unwrap();
    until("the file counts", || effective() == 112);
    fs::remove_file("/tmp/well").unwrap();
    until("the script counts", || effective() == 105);
    // The next one is taken.
    let (exit, text, errors) = ask("reload");
    assert_eq!(exit, 0, "{text}{errors}");
    assert_eq!(status()["instances"][0]["priority"]["base"], 110);
    until("everything is tracked as before", || effective() == 115);
    assert_eq!(daemon.stop(), 0);
    assert!(!has(VIP));
}

/// A client whose connection is there already.
struct Client(BufReader<UnixStream>);

impl Client {
    fn new() -> Self {
        let stream = UnixStream::connect("/run/vrrpd/control.sock").unwrap();
        let mut client = Self(BufReader::new(stream));
        client.ask("{\"get\":\"status\"}");
        client
    }

    fn ask(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        answer
    }
}

/// The memory file with the configuration does not get through: the kernel drops a descriptor that there is no room for.
fn untaken() {
    let daemon = start();
    let hash = status()["config"]["hash"].clone();
    let vrrp = daemon.vrrp_pid();
    let mut client = Client::new();
    let wire = Wire::new();
    fs::write("/tmp/conf", tracking(110)).unwrap();
    descriptors(vrrp, Some(3));
    let answer = client.ask("{\"do\":\"reload\"}");
    let why = "the VRRP process cannot take the configuration: it came without its file";
    assert!(answer.contains(why), "{answer}");
    assert!(
        wire.longest_gap(Duration::from_secs(2)) < Duration::from_millis(360),
        "its backups would take over"
    );
    descriptors(vrrp, Some(1_024));
    daemon.says(why);
    daemon.says("The new configuration is not used: the one read before stays in force");
    nothing_is_lost(daemon, &hash);
}

/// Their texts, 32 KiB each at the most, are more than the 2 MiB that a channel takes.
const REFUSALS: usize = 90;

fn deaf() {
    let daemon = start();
    let hash = status()["config"]["hash"].clone();
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    // Refusals fill the way to it: the last of them wait.
    let bad: String = (0..40).map(|at| format!("no_such_keyword_{at:0>700}\n")).collect();
    fs::write("/tmp/conf", format!("{bad}vrrp_instance X {{\n}}\n")).unwrap();
    for times in 1..=REFUSALS {
        daemon.signal(libc::SIGHUP);
        daemon.says_times("The new configuration is not used", times);
    }
    fs::write("/tmp/conf", tracking(110)).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("cannot hand the configuration over: the VRRP process does not read");
    daemon.says_times("The new configuration is not used", REFUSALS + 1);
    signal_to(vrrp, libc::SIGCONT);
    nothing_is_lost(daemon, &hash);
}

fn unread() {
    let daemon = start();
    let hash = status()["config"]["hash"].clone();
    fs::write("/tmp/conf", tracking(110)).unwrap();
    descriptors(daemon.pid(), Some(3));
    for words in ["reload --dry-run", "reload"] {
        let (exit, _, errors) = ask(words);
        assert_eq!(exit, 2, "{errors}");
        assert!(
            errors.contains("cannot start a process that reads the configuration"),
            "{errors}"
        );
    }
    descriptors(daemon.pid(), Some(1_024));
    daemon.says("The new configuration is not used: the one read before stays in force");
    nothing_is_lost(daemon, &hash);
}

/// The process that reads is killed, as when its time is over.
fn dead() {
    let daemon = start();
    let hash = status()["config"]["hash"].clone();
    // Long enough to be caught.
    let comments = "# nothing to see in this line, and in none of those that follow\n".repeat(300_000);
    fs::write("/tmp/conf", format!("{comments}{}", tracking(110))).unwrap();
    let known = children(daemon.pid());
    daemon.signal(libc::SIGHUP);
    let mut reading = None;
    until("somebody reads", || {
        let new = children(daemon.pid()).into_iter().filter(|pid| !known.contains(pid));
        reading = new.into_iter().find(|pid| reads(*pid));
        reading.is_some()
    });
    signal_to(reading.unwrap(), libc::SIGKILL);
    daemon.says("The configuration was not read within 120 s; it is not used");
    daemon.says("The new configuration is not used");
    fs::write("/tmp/conf", tracking(110)).unwrap();
    nothing_is_lost(daemon, &hash);
}

fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Not a check program, which is called otherwise as soon as it runs.
fn reads(pid: i32) -> bool {
    let is_ours = || fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.contains("/tmp/conf"));
    is_ours() && {
        pause(50);
        is_ours()
    }
}
