//! `reload_time_file` and `reload_repeat`: a reload at a time. keepalived is told the same times as the oracle.

use crate::rig::{CONF, Daemon, KEEPALIVED, PATIENCE, VIP, VRRPD, exists, has, pause, status, text_of, until};
use crate::{Case, Needs};
use std::fs;
use std::time::{Duration, Instant};
use vrrpd::system::clock;

const FILE: &str = "/tmp/times/reload";

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case(
            "scheduled::reloads_come_at_the_times_at_which_keepalived_has_them",
            as_keepalived,
            Needs::Keepalived,
        ),
        case(
            "scheduled::a_file_tells_when_the_configuration_is_read",
            at_its_time,
            Needs::Nothing,
        ),
        case(
            "scheduled::the_watch_follows_the_configuration",
            follows,
            Needs::Nothing,
        ),
    ]
}

fn conf(priority: u8, more: &str) -> String {
    let global = format!("global_defs {{\n    reload_time_file {FILE}\n    {more}\n}}\n");
    format!(
        "{global}{}",
        CONF.replace("priority 150", &format!("priority {priority}"))
    )
}

/// A time of day in UTC, so many seconds from now.
fn time(seconds: i64) -> String {
    let now = i64::try_from(clock::wall().0 / 1_000_000).unwrap();
    let of_day = (now + seconds).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// The same with the day.
fn day(seconds: i64) -> String {
    let at = clock::wall().0 / 1_000_000;
    let at = jiff::Timestamp::from_second(i64::try_from(at).unwrap() + seconds).unwrap();
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn write(text: &str) {
    fs::write(FILE, text).unwrap();
}

/// Lines about reloads, without the time of the line and with every digit as `#`.
fn told(log: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = ["eload", "Invalid"];
        let from = words.iter().filter_map(|word| line.find(word)).min()?;
        let start = line[..from].rfind(": ").map_or(0, |at| at + 2);
        Some(line[start..].replace(|c: char| c.is_ascii_digit(), "#"))
    };
    // The command line names a path. `Reloading` comes from another process: when is chance.
    let lines = log.lines().filter(|line| !line.contains("'-n'"));
    lines.filter_map(line).filter(|line| line != "Reloading").collect()
}

/// Everything that may be written, and what is told of it.
fn story(program: &str, directory: &str, more: &str) -> Vec<String> {
    fs::create_dir_all("/tmp/times").unwrap();
    if exists(FILE) {
        fs::remove_file(FILE).unwrap();
    }
    fs::write("/tmp/conf", conf(150, more)).unwrap();
    let daemon = Daemon::run(program, directory, &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"], |_| {});
    until("the address is set", || has(VIP));
    let say = |lines: usize| {
        let give_up = Instant::now() + PATIENCE;
        while told(&daemon.log()).len() < lines {
            assert!(
                Instant::now() < give_up,
                "{program}: not {lines} lines: {:#?}",
                told(&daemon.log())
            );
            pause(10);
        }
    };
    write("garbage");
    say(2);
    write("2027-02-30 10:00:00");
    say(4);
    write("70-01-01 00:00:00");
    say(6);
    write(&time(3600));
    say(7);
    write(&day(7200));
    say(8);
    write("24:00:00");
    say(11);
    write(&time(3600));
    say(12);
    fs::remove_file(FILE).unwrap();
    say(13);
    write(&day(2));
    daemon.says_times("Reload complete", 1);
    until("the file is gone", || !exists(FILE));
    write(&time(2));
    daemon.says_times("Reload complete", 2);
    // A day that is named comes once, a time of day comes again if that is wanted.
    let lines = told(&daemon.log());
    let kept = exists(FILE);
    assert_eq!(daemon.stop(), 0);
    let mut lines: Vec<String> = lines
        .into_iter()
        .take_while(|line| !line.starts_with("Reload complete"))
        .collect();
    lines.push(format!("kept: {kept}"));
    lines
}

fn as_keepalived() {
    for more in ["", "reload_repeat"] {
        let oracle = story(KEEPALIVED, "/tmp/k", more);
        assert!(oracle.len() > 14, "{oracle:#?}");
        assert_eq!(story(VRRPD, "/tmp/v", more), oracle, "{more}");
        fs::remove_dir_all("/tmp/k").unwrap();
        fs::remove_dir_all("/tmp/v").unwrap();
    }
}

fn at_its_time() {
    fs::create_dir("/tmp/times").unwrap();
    // It is there already at the start.
    write(&time(3));
    let due = Instant::now() + Duration::from_secs(2);
    let daemon = Daemon::start(&conf(150, ""));
    until("the address is set", || has(VIP));
    fs::write("/tmp/conf", conf(160, "")).unwrap();
    daemon.says("Scheduling reload for ");
    daemon.says("Reload complete");
    // The second that is named has begun, and the one before has not been enough.
    assert!(Instant::now() >= due, "too early");
    assert_eq!(status()["instances"][0]["priority"]["base"], 160);
    assert!(!exists(FILE));
    // A directory that goes and comes back, which keepalived does not see any more.
    fs::remove_dir("/tmp/times").unwrap();
    daemon.says("Directory of reload timer file has disappeared");
    fs::create_dir("/tmp/times").unwrap();
    fs::write("/tmp/conf", conf(170, "reload_repeat")).unwrap();
    write(&time(3));
    daemon.says_times("Reload complete", 2);
    assert_eq!(status()["instances"][0]["priority"]["base"], 170);
    // Now with reload_repeat: the file stays, and tomorrow is planned.
    write(&time(2));
    daemon.says_times("Reload complete", 3);
    daemon.says_times("Scheduling reload for ", 4);
    assert_eq!(daemon.log().matches("Reloading ...").count(), 3, "once each");
    assert!(exists(FILE));
    assert_eq!(daemon.stop(), 0);
}

/// The process that watches: by its parent and its command line.
fn watchers(daemon: &Daemon) -> usize {
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    text_of(&children).split_whitespace().count()
}

fn follows() {
    fs::create_dir("/tmp/times").unwrap();
    let daemon = Daemon::master();
    assert_eq!(watchers(&daemon), 1, "the VRRP process alone");
    fs::write("/tmp/conf", conf(150, "")).unwrap();
    daemon.signal(libc::SIGHUP);
    until("one that watches", || watchers(&daemon) == 2);
    write(&time(3600));
    daemon.says("Scheduling reload for ");
    // A reload that changes nothing of it leaves it alone.
    fs::write("/tmp/conf", conf(160, "")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Reload complete", 2);
    assert_eq!(daemon.log().matches("Scheduling").count(), 1);
    // Killed, it is there again and reads the file again.
    let children = text_of(&format!("/proc/{0}/task/{0}/children", daemon.pid()));
    let vrrp = daemon.vrrp_pid().to_string();
    let watcher = children.split_whitespace().find(|pid| *pid != vrrp).unwrap();
    crate::rig::signal_to(watcher.parse().unwrap(), libc::SIGKILL);
    daemon.says_times("Scheduling reload for ", 2);
    // Taken out of the configuration, it ends, and so does the plan.
    write(&time(4));
    daemon.says_times("Reload time updated from ", 1);
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Reload complete", 3);
    until("nobody watches", || watchers(&daemon) == 1);
    pause(5000);
    assert_eq!(daemon.log().matches("Reloading ...").count(), 3);
    assert!(exists(FILE));
    assert_eq!(daemon.stop(), 0);
}
