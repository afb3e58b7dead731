//! What the first user reads in the log when haproxy stops on the master: the lines and their order, as keepalived has them.
//! The user's own files, unchanged; the check runs as root although there is no user `keepalived_script`.

use crate::check::{Check, Twin};
use crate::differences;
use crate::jobs::Outcome;
use crate::seed::{CALM, HAPROXY, NETSTAT, VIP, needs, nodes, start_haproxy};
use crate::stage::{KEEPALIVED, Speaker, Stage};
use nix::sys::signal::Signal;
use std::io;
use vrrpd::lab::Happening;
use vrrpd::model::Instant;

const KILLALL: &str = "/usr/bin/killall";
const PORT: &str = r#""/bin/bash -c 'if [[ $(netstat -nlp | grep 9443) ]]; then exit 0; else exit 1; fi'""#;
const PAIRS: [&str; 4] = ["kk", "vv", "kv", "vk"];

/// The seed's list, for the node on which haproxy stops.
const LEAVES: &[&str] = &[
    "Script `chk_haproxy` now returning 1",
    "VRRP_Script(chk_haproxy) failed (exited with status 1)",
    "(VI_1) Changing effective priority from 111 to 100",
    "(VI_1) Master received advert from 172.16.106.80 with higher priority 111, ours 100",
    "(VI_1) Entering BACKUP STATE",
    "(VI_1) removing VIPs.",
    "Script `chk_haproxy` now returning 0",
    "VRRP_Script(chk_haproxy) succeeded",
    "(VI_1) Changing effective priority from 100 to 111",
];
/// And for the node that takes over.
const TAKES_OVER: &[&str] = &[
    "(VI_1) received lower priority (100) advert from 172.16.106.208 - discarding",
    "(VI_1) Receive advertisement timeout",
    "(VI_1) Entering MASTER STATE",
    "(VI_1) setting VIPs.",
    "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 172.16.106.187",
    "Sending gratuitous ARP on eth0 for 172.16.106.187",
    "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 172.16.106.187",
    "(VI_1) sent 0 priority",
    "(VI_1) removing VIPs.",
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |script: &str, program: &'static str| {
        let job = |pair: &str| format!("log-order {script} {pair}");
        Check {
            name: format!("log-order::{script}"),
            jobs: PAIRS.iter().map(|pair| job(pair)).collect(),
            judge,
            oracle: "keepalived's log of the same test; the seed's list",
            twin: Twin {
                what: "vrrpd runs without -D".into(),
                sees: "not in its place: (VI_1) removing VIPs.",
                jobs: vec![job("kk"), format!("{} spoiled", job("vv"))],
            },
            needs: needs(&[KEEPALIVED, HAPROXY, program]),
        }
    };
    vec![check("port", NETSTAT), check("killall", KILLALL)]
}

fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (node, expected) in [LEAVES, TAKES_OVER].iter().enumerate() {
        let theirs = log(seen[0], node);
        for outcome in seen {
            let log = log(outcome, node);
            if let Some(missing) = first_missing(expected, &log) {
                wrong.push(format!(
                    "    {} node {}: not in its place: {missing}",
                    outcome.job,
                    node + 1
                ));
            }
            let same = log.iter().zip(&theirs).take_while(|(our, their)| our == their).count();
            if same < log.len().max(theirs.len()) {
                let (our, their) = (log.get(same), theirs.get(same));
                wrong.push(format!(
                    "    {} node {} line {same}: {our:?}, with keepalived {their:?}",
                    outcome.job,
                    node + 1
                ));
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The first line that does not follow the one before it.
fn first_missing<'a>(expected: &[&'a str], log: &[&str]) -> Option<&'a str> {
    let mut rest = log.iter();
    expected.iter().find(|line| !rest.any(|found| found == *line)).copied()
}

/// A node's lines without those that one of the two alone writes.
fn log(outcome: &Outcome, node: usize) -> Vec<&str> {
    let pair = outcome.job.split(' ').nth(2).unwrap_or_default();
    let ours = pair.chars().nth(node) == Some('v');
    let known = differences::of(&["log"]);
    let alone = |line: &str| {
        let of_side = |row: &&differences::Difference| (if ours { row.keepalived } else { row.vrrpd }) == "-";
        known.iter().filter(of_side).any(|row| line.starts_with(row.what))
    };
    let prefix = ["1 ", "2 "][node];
    let lines = outcome.text.lines().filter_map(|line| line.strip_prefix(prefix));
    lines.filter(|line| !alone(line)).collect()
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [script, pair, spoiled @ ..] = words else {
        return Err(io::Error::other("script, pair, perhaps spoiled"));
    };
    if nix::unistd::User::from_name("keepalived_script")?.is_some() {
        return Err(io::Error::other(
            "there is a user keepalived_script here: the test would show nothing",
        ));
    }
    let mut stage = Stage::new(nodes(), VIP.into(), CALM)?;
    let speakers: Vec<Speaker> = pair.chars().map(Speaker::of).collect();
    let configurations = [
        include_str!("../conf/seed/node1.conf"),
        include_str!("../conf/seed/node2.conf"),
    ];
    let options: &[&str] = if spoiled.is_empty() {
        &["-n", "-l", "-D", "-G"]
    } else {
        &["-n", "-l", "-G"]
    };
    let first = start_haproxy(&mut stage, 0)?;
    start_haproxy(&mut stage, 1)?;
    // haproxy is ready when it holds the port; the first check may come before.
    for (node, configuration) in configurations.iter().enumerate() {
        let text = match *script {
            "killall" => configuration.replace(PORT, "\"/usr/bin/killall -0 haproxy\""),
            _ => (*configuration).to_owned(),
        };
        assert_eq!(text.contains("killall"), *script == "killall");
        stage.start_with(node, speakers[node], &text, options)?;
        let since = Instant(0);
        stage.until("the check succeeds", 10, |lab| {
            let lines = crate::stage::lines(lab, node, "vrrp", since);
            lines.iter().any(|line| line.contains("from 100 to 111"))
        })?;
        stage.until_held_by("1", 15)?;
    }
    stage.settled()?;
    let since = stage.note("stop haproxy on the first node");
    stage.lab.signal(first, Signal::SIGTERM)?;
    stage.until_held_by("2", 15)?;
    // Until the second burst is out.
    stage.settled()?;
    start_haproxy(&mut stage, 0)?;
    stage.until("the check succeeds again", 10, |lab| {
        let lines = crate::stage::lines(lab, 0, "vrrp", since);
        lines.iter().any(|line| line.contains("from 100 to 111"))
    })?;
    stage.settled()?;
    for node in [0, 1] {
        stage.signal(node, Signal::SIGTERM)?;
        let daemon = stage.daemon(node);
        stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    }
    Ok(report(&stage, since))
}

/// Lines about the instance, its check and its announcements since haproxy was stopped, the node's number before each.
fn report(stage: &Stage, since: Instant) -> String {
    let topics = ["(VI_1)", "VRRP_Script(", "Script `", "gratuitous ARP on"];
    let mut report: Vec<String> = Vec::new();
    for moment in stage.lab.moments.iter().filter(|moment| moment.at >= since) {
        let Happening::Line(node, name, text) = &moment.what else {
            continue;
        };
        if name != "vrrp" || !topics.iter().any(|topic| text.contains(topic)) {
            continue;
        }
        // The date: `Wed Nov 25 13:15:39 2026: `.
        let line = format!("{} {}", node.0 + 1, text.get(26..).unwrap_or(text));
        // How often a worse master is heard is a question of the clock.
        let repeated = line.contains("received lower priority") && report.contains(&line);
        if !repeated {
            report.push(line);
        }
    }
    report.join("\n")
}
