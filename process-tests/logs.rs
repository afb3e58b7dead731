//! The log: sinks that block, hostile packets.

use crate::rig::{CONF, Daemon, SILENCE, VIP, VRRPD, Wire, forge, has, read_syslog, status, syslog, text_of, until};
use crate::{Case, Needs};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    // In a user namespace the root directory is nobody's, which the check of the script's path complains about.
    let as_root = |name, run| Case {
        needs: Needs::Root,
        ..case(name, run)
    };
    vec![
        case("logs::a_reader_that_does_not_read_delays_nothing", blocked),
        case("logs::a_full_disk_delays_nothing", full_disk),
        as_root("logs::a_start_and_a_stop_read_as_keepalived_s", wording),
        case("logs::hostile_packets_are_one_line_a_cause", hostile),
    ]
}

/// Both logs are sockets or pipes that nobody reads; each reload writes lines to them.
fn blocked() {
    fs::write("/tmp/conf", CONF).unwrap();
    let unread = syslog();
    let mut child = Command::new(VRRPD)
        .args(["-n", "-l", "-D", "-f", "/tmp/conf"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    until("the address is set", || has(VIP));
    let wire = Wire::new();
    let storm = std::thread::spawn(move || {
        for _ in 0..100 {
            crate::rig::signal_to(pid, libc::SIGHUP);
            crate::rig::signal_to(pid, libc::SIGUSR2);
            crate::rig::pause(20);
        }
    });
    // Fill the pipe for certain, whatever the program says: it is ours as well.
    let gap = wire.longest_gap(Duration::from_millis(2500));
    storm.join().unwrap();
    assert!(gap < SILENCE, "{gap:?} without an advert");
    let status = status();
    let lost = status["problems"]
        .as_array()
        .unwrap()
        .iter()
        .any(|problem| problem["code"] == "log-lines-lost");
    assert!(lost, "{}", status["problems"]);
    // Somebody reads again: the loss is told.
    read_syslog(&unread, "log lines were lost here");
    crate::rig::signal_to(pid, libc::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn full_disk() {
    fs::create_dir("/tmp/disk").unwrap();
    let options = Some("size=4k");
    nix::mount::mount(
        Some("tmpfs"),
        "/tmp/disk",
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        options,
    )
    .unwrap();
    fs::write("/tmp/conf", CONF).unwrap();
    let options = ["-n", "-G", "-D", "-g/tmp/disk/log", "-f", "/tmp/conf"];
    let daemon = Daemon::run(VRRPD, "/tmp/node", &options, |_| {});
    until("the address is set", || has(VIP));
    let wire = Wire::new();
    for _ in 0..20 {
        daemon.signal(libc::SIGHUP);
        crate::rig::pause(20);
    }
    let gap = wire.longest_gap(Duration::from_secs(1));
    assert!(gap < SILENCE, "{gap:?} without an advert");
    assert!(text_of("/tmp/disk/log").contains("Entering MASTER STATE"));
    until("the loss is shown", || {
        status()["problems"].to_string().contains("log-lines-lost")
    });
    assert_eq!(daemon.stop(), 0);
}

fn hostile() {
    ip_far();
    let daemon = Daemon::master();
    let wire = Wire::new();
    let storm = std::thread::spawn(|| {
        for _ in 0..50 {
            forge(20, |bytes| bytes[6] ^= 0xff);
            forge(20, |bytes| bytes[0] = 0x21);
            forge(20, |bytes| bytes[0] = 0x37);
            forge(20, |bytes| bytes.truncate(10));
            forge(20, |bytes| bytes[1] = 77);
            crate::rig::pause(20);
        }
    });
    let gap = wire.longest_gap(Duration::from_millis(1500));
    storm.join().unwrap();
    assert!(gap < SILENCE, "{gap:?} without an advert");
    let dropped = status()["instances"][0]["counters"]["dropped"].clone();
    for counter in ["checksum", "version", "type", "length"] {
        assert!(dropped[counter].as_u64().unwrap() >= 500, "{counter}: {dropped}");
    }
    let log = daemon.log();
    for text in [
        "Invalid VRRPv3 checksum",
        "wrong VRRP version",
        "Invalid packet type",
        "too short",
    ] {
        let lines = log.matches(text).count();
        assert_eq!(lines, 1, "{text}:\n{log}");
    }
    assert!(has(VIP) && status()["instances"][0]["state"] == "MASTER");
    assert_eq!(daemon.stop(), 0);
}

/// The forger's address.
fn ip_far() {
    crate::rig::ip("addr add 192.0.2.2/24 dev far0");
    // Both ends of the cable are in one namespace: without this the kernel takes the forger for ourselves.
    for (name, value) in [
        ("eth0/accept_local", "1"),
        ("eth0/rp_filter", "0"),
        ("all/rp_filter", "0"),
    ] {
        fs::write(format!("/proc/sys/net/ipv4/conf/{name}"), value).unwrap();
    }
}

/// Lines of keepalived 2.4.3 that have no counterpart here and the other way round (docs/operations.md says why), and those
/// that name versions and paths. The security warning comes from the process that reads the configuration, earlier than keepalived's.
const LEFT_OUT: [&str; 17] = [
    "Starting Keepalived v",
    "Running on Linux",
    "Command line: ",
    "              '",
    "Opening file ",
    "Configuration file ",
    "NOTICE: setting config option max_auto_priority",
    "Registering ",
    "Script user 'keepalived_script' does not exist",
    "SECURITY VIOLATION",
    "Assigned address ",
    "VRRP sockpool: ",
    "Sending gratuitous ARP on ",
    "Stopped ",
    "CPU usage ",
    "(VI_1) is ",
    "(VI_1) problem ",
];

fn counts(line: &&str) -> bool {
    !LEFT_OUT.iter().any(|start| line.starts_with(start))
}

/// What keepalived wrote in the seed's cluster, alone on its network, when its check fails, and when it is stopped.
fn wording() {
    let samples = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/spec/samples/a2-seed-usr-bin-bash"
    );
    let conf = text_of(&format!("{samples}/node1.keepalived.conf"));
    let command = conf
        .lines()
        .find(|line| line.trim_start().starts_with("script \""))
        .unwrap();
    let conf = conf
        .replace(command, "    script \"/tmp/check.sh\"")
        .replace("interval 2", "interval 1");
    crate::rig::script("/tmp/check.sh", "#!/bin/sh\n[ ! -e /tmp/broken ]\n");
    fs::write("/tmp/conf", conf).unwrap();
    let options = ["-n", "-l", "-G", "-D", "-f", "/tmp/conf"];
    let daemon = Daemon::run(VRRPD, "/tmp/node", &options, crate::rig::called("/usr/sbin/keepalived"));
    daemon.says("Sending/queueing gratuitous ARPs");
    fs::write("/tmp/broken", "").unwrap();
    daemon.says("Changing effective priority from 111 to 100");
    daemon.signal(libc::SIGTERM);
    daemon.says("Stopped Keepalived");
    let log = daemon.log();
    // `Wed Nov 25 13:36:14 2026: TEXT`
    let normal = |line: &str| match line.split_once("pid=") {
        Some((before, _)) => format!("{before}pid=N"),
        None => line.to_owned(),
    };
    let ours: Vec<String> = log.lines().map(|line| &line[26..]).filter(counts).map(normal).collect();

    let sample = text_of(&format!("{samples}/keepalived-2.4.3/node1-syslog.log"));
    let section = |title: &str| -> Vec<String> {
        let begin = sample.find(title).unwrap_or_else(|| panic!("no {title}"));
        let lines = sample[begin..]
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with("####"));
        lines
            .map(|line| line.split_once("]: ").unwrap().1)
            .filter(counts)
            .map(normal)
            .collect()
    };
    let mut expected = section("#### start node1");
    // keepalived removes leftovers twice, and says "Startup complete" between.
    let twice = expected
        .iter()
        .position(|line| line == "(VI_1) removing VIPs.")
        .unwrap();
    expected.remove(twice);
    let complete = expected.iter().position(|line| line == "Startup complete").unwrap();
    let complete = expected.remove(complete);
    let mut ours = ours;
    let position = ours
        .iter()
        .position(|line| *line == complete)
        .expect("Startup complete");
    ours.remove(position);
    expected.extend(section("#### listener on node1 stopped").into_iter().take(3));
    expected.extend(section("#### SIGTERM to node1"));
    assert_eq!(ours, expected);
}
