//! Programs that do what no program should: every one is a typed result, none holds anything up.

use crate::rig::{CONF, Daemon, PATIENCE, SILENCE, VIP, Wire, exists, has, script, status, text_of, until};
use crate::{Case, Needs};
use std::fs;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case("misbehaving::checks", checks, Needs::Nothing),
        case("misbehaving::notify_programs", notify, Needs::Nothing),
        case("misbehaving::readers_of_fifos", readers, Needs::Nothing),
    ]
}

/// Name, text, and what a check of it comes to.
const BAD: &[(&str, &str, &str)] = &[
    (
        "hang",
        "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n",
        "VRRP_Script(hang) timed_out",
    ),
    (
        "forks",
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do (sleep 3 &); done\nsetsid sleep 3 &\nexit 7\n",
        "VRRP_Script(forks) failed (exited with status 7)",
    ),
    (
        "closes",
        "#!/bin/sh\nexec <&- >&- 2>&-\nexit 8\n",
        "VRRP_Script(closes) failed (exited with status 8)",
    ),
    (
        "prints",
        "#!/bin/sh\nhead -c 1000000000 /dev/zero\nhead -c 1000000000 /dev/zero >&2\nexit 9\n",
        "VRRP_Script(prints) failed (exited with status 9)",
    ),
    (
        "dies",
        "#!/bin/sh\nkill -SEGV $$\n",
        "VRRP_Script(dies) failed (due to signal 11)",
    ),
    (
        "nobody",
        "#!/no/such/interpreter\n",
        "VRRP_Script(nobody) failed (could not be started: No such file or directory)",
    ),
];

fn write_all() {
    for (name, text, _) in BAD {
        script(&format!("/run/{name}.sh"), text);
    }
}

fn master(conf: &str) -> Daemon {
    let daemon = Daemon::start(conf);
    until("the address is set", || has(VIP));
    daemon
}

fn on_time(daemon: &Daemon) {
    let gap = Wire::new().longest_gap(Duration::from_secs(2));
    assert!(gap < SILENCE, "{gap:?} without an advert\n{}", daemon.log());
}

fn checks() {
    write_all();
    let scripts: String = BAD
        .iter()
        .map(|(name, ..)| {
            format!("vrrp_script {name} {{\nscript /run/{name}.sh\ninterval 2\ntimeout 1\nweight -1\n}}\n")
        })
        .collect();
    let names: String = BAD.iter().map(|(name, ..)| format!("{name}\n")).collect();
    let tracked = format!("    track_script {{\n{names}}}\n    virtual_ipaddress {{");
    let daemon = master(&format!(
        "{scripts}{}",
        CONF.replace("    virtual_ipaddress {", &tracked)
    ));
    on_time(&daemon);
    for (_, _, said) in BAD {
        // What takes long to print is timed out on a busy machine, which is a typed result as well.
        let late = said.split(" failed").next().unwrap().to_owned() + " timed_out";
        let begun = Instant::now();
        let or_late = |log: String| log.contains(said) || said.contains("prints") && log.contains(&late);
        while !or_late(daemon.log()) {
            assert!(begun.elapsed() < PATIENCE, "it does not say {said}\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let status = status();
    let trackers = status["trackers"].as_array().unwrap();
    assert_eq!(trackers.len(), BAD.len());
    for tracker in trackers {
        assert_eq!(tracker["status"], "down", "{tracker}");
    }
    let priority = &status["instances"][0]["priority"];
    assert_eq!(priority["effective"], 150 - BAD.len(), "{priority}");
    on_time(&daemon);
    assert_eq!(daemon.stop(), 0);
    assert!(!has(VIP));
}

fn notify() {
    write_all();
    let mut conf = String::from("global_defs {\nnotify_order_timeout 1\n}\n");
    for (number, (name, ..)) in BAD.iter().enumerate() {
        conf += &format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {}\npriority 150\nversion 3\nadvert_int 0.1\nvirtual_ipaddress {{\n192.0.2.{}/32\n}}\nnotify /run/{name}.sh\nnotify_master /run/{name}.sh\n}}\n",
            51 + number,
            99 - number
        );
    }
    let daemon = master(&conf);
    on_time(&daemon);
    // Two programs a change; each has its result.
    for said in [
        "(hang) notify script has been running for 1.",
        "(forks) notify_master script exited with status 7",
        "(closes) notify_master script exited with status 8",
        "(prints) notify_master script exited with status 9",
        "(dies) notify_master script was ended by signal 11",
        "(nobody) notify_master script could not be started: No such file or directory",
    ] {
        daemon.says(said);
    }
    on_time(&daemon);
    let begun = Instant::now();
    assert_eq!(daemon.stop(), 0);
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "the stop took {:?}",
        begun.elapsed()
    );
    assert!(!has(VIP));
}

fn readers() {
    write_all();
    script("/run/idle.sh", "#!/bin/sh\nexec sleep 1000 <\"$1\"\n");
    let names = BAD.iter().map(|(name, ..)| *name).chain(["idle"]);
    for name in names {
        let daemon = master(&format!(
            "global_defs {{\nvrrp_notify_fifo /run/f\nvrrp_notify_fifo_script /run/{name}.sh\n}}\n{CONF}"
        ));
        match name {
            "hang" | "idle" => assert!(!daemon.log().contains("terminated"), "{}", daemon.log()),
            "nobody" => daemon.says("notify fifo script cannot be started"),
            _ => daemon.says("vrrp notify fifo script terminated"),
        }
        let gap = Wire::new().longest_gap(Duration::from_millis(500));
        assert!(gap < SILENCE, "{name}: {gap:?} without an advert");
        let begun = Instant::now();
        assert_eq!(daemon.stop(), 0, "{name}");
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{name}: {:?}",
            begun.elapsed()
        );
        assert!(!has(VIP) && !exists("/run/f"), "{name}");
        fs::remove_file("/tmp/node/log").unwrap();
    }
    assert!(!exists("/tmp/node/log"), "{}", text_of("/tmp/conf"));
}
