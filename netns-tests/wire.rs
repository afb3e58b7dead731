//! What one node sends and does to its kernel from its first advert to its last one, field by field against keepalived.

use crate::check::{Check, Needs, Twin};
use crate::decode;
use crate::differences::{self, Difference};
use crate::jobs::Outcome;
use crate::kernel;
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use std::io;
use vrrpd::lab::{Frame, Happening, Lab, Seen};
use vrrpd::model::{Instant, Micros};

struct Case {
    name: &'static str,
    /// The instance's lines beside its name, interface and VRID.
    lines: &'static str,
    /// The address that shows who is master.
    vip: &'static str,
    /// Interval of the adverts, and from the first burst of announcements to the second one.
    interval_ms: u64,
    second_burst_ms: u64,
    /// Bursts that are waited for.
    bursts: usize,
    /// Frames with adverts that are compared; how many there are in all is a question of the clock.
    adverts: usize,
    /// What the twin has instead of what, and the field that has to be named.
    twin: (&'static str, &'static str, &'static str),
}

/// The oldest form, as the first user has it.
const BASE: Case = Case {
    name: "v2-pass",
    lines: "priority 150\n authentication {\n auth_type PASS\n auth_pass 1111\n }\n virtual_ipaddress {\n 192.0.2.100\n }",
    vip: "192.0.2.100",
    interval_ms: 1_000,
    second_burst_ms: 5_000,
    bursts: 2,
    adverts: 3,
    twin: ("auth_pass 1111", "auth_pass 1112", "vrrp.rest"),
};

const CASES: &[Case] = &[
    BASE,
    Case {
        name: "v2-plain",
        lines: "priority 150\n advert_int 1\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        twin: ("priority 150", "priority 151", "vrrp.priority"),
        ..BASE
    },
    Case {
        name: "v2-20-vips",
        lines: "priority 150\n virtual_ipaddress {\n 192.0.2.100/24\n 192.0.2.120\n 192.0.2.119\n 192.0.2.118\n 192.0.2.117\n 192.0.2.116\n 192.0.2.115\n 192.0.2.114\n 192.0.2.113\n 192.0.2.112\n 192.0.2.111\n 192.0.2.110\n 192.0.2.109\n 192.0.2.108\n 192.0.2.107\n 192.0.2.106\n 192.0.2.105\n 192.0.2.104\n 192.0.2.103\n 192.0.2.102\n }",
        twin: (
            "192.0.2.120\n 192.0.2.119",
            "192.0.2.119\n 192.0.2.120",
            "vrrp.addresses",
        ),
        ..BASE
    },
    Case {
        name: "v3-ipv4",
        lines: "version 3\n priority 150\n advert_int 0.5\n virtual_ipaddress {\n 192.0.2.100/24\n 192.0.2.101/24\n }",
        interval_ms: 500,
        twin: ("advert_int 0.5", "advert_int 0.51", "vrrp.max_interval"),
        ..BASE
    },
    Case {
        name: "v3-ipv6",
        lines: "version 3\n priority 150\n advert_int 0.5\n virtual_ipaddress {\n fe80::100/64\n 2001:db8:1::100/64\n }",
        vip: "2001:db8:1::100",
        interval_ms: 500,
        twin: (
            "2001:db8:1::100/64",
            "2001:db8:1::100/64\n 2001:db8:1::101/64",
            "vrrp.count",
        ),
        ..BASE
    },
    Case {
        name: "unicast-v2",
        lines: "priority 150\n unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.2\n }\n authentication {\n auth_type PASS\n auth_pass 1111\n }\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        twin: ("192.0.2.2", "192.0.2.3", "ip.dst"),
        ..BASE
    },
    Case {
        name: "unicast-v3",
        lines: "version 3\n priority 150\n advert_int 0.5\n unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.2\n 192.0.2.3\n }\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        interval_ms: 500,
        adverts: 6,
        twin: ("192.0.2.2\n 192.0.2.3", "192.0.2.3\n 192.0.2.2", "ip.dst"),
        ..BASE
    },
    Case {
        name: "unicast-ipv6",
        lines: "version 3\n priority 150\n advert_int 0.5\n unicast_src_ip 2001:db8:1::1\n unicast_peer {\n 2001:db8:1::2\n }\n virtual_ipaddress {\n 2001:db8:1::100/64\n }",
        vip: "2001:db8:1::100",
        interval_ms: 500,
        twin: ("2001:db8:1::2", "2001:db8:1::3", "ipv6.dst"),
        ..BASE
    },
    Case {
        name: "excluded",
        lines: "version 3\n priority 150\n advert_int 0.5\n virtual_ipaddress {\n 192.0.2.100/24\n }\n virtual_ipaddress_excluded {\n 192.0.2.120/32\n 2001:db8:1::120/64\n }",
        interval_ms: 500,
        twin: ("192.0.2.120", "192.0.2.121", "arp.sender"),
        ..BASE
    },
    Case {
        name: "vip-options",
        lines: "version 3\n priority 150\n advert_int 0.5\n virtual_ipaddress {\n 192.0.2.100/24 dev eth0 label eth0:vip\n 192.0.2.101/32 scope link\n 192.0.2.102/24 brd +\n 198.51.100.1/24 brd 198.51.100.255 dev eth0 scope global\n 203.0.113.9 noprefixroute\n }",
        interval_ms: 500,
        twin: ("label eth0:vip", "label eth0:pip", "kernel.label"),
        ..BASE
    },
    Case {
        name: "garp-settings",
        lines: "priority 150\n garp_master_delay 4\n garp_master_repeat 3\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        second_burst_ms: 4_000,
        twin: ("garp_master_repeat 3", "garp_master_repeat 4", "frame"),
        ..BASE
    },
    Case {
        name: "garp-once",
        lines: "version 3\n priority 150\n advert_int 0.5\n garp_master_delay 0\n garp_master_repeat 1\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        interval_ms: 500,
        second_burst_ms: 0,
        bursts: 1,
        twin: ("garp_master_repeat 1", "garp_master_repeat 2", "frame"),
        ..BASE
    },
    // Adverts and announcements are due at the same moments here.
    Case {
        name: "garp-refresh",
        lines: "priority 150\n garp_master_delay 1\n garp_master_repeat 3\n garp_master_refresh 2\n garp_master_refresh_repeat 2\n virtual_ipaddress {\n 192.0.2.100/24\n }",
        second_burst_ms: 1_000,
        bursts: 4,
        adverts: 1,
        twin: ("garp_master_refresh_repeat 2", "garp_master_refresh_repeat 1", "frame"),
        ..BASE
    },
];

/// How late a timer may be on a busy machine.
const SLACK_MS: u64 = 500;

pub(crate) fn checks() -> Vec<Check> {
    let check = |case: &Case| {
        let (instead_of, has, sees) = case.twin;
        Check {
            name: format!("wire::{}", case.name),
            jobs: ["k", "v"].map(|speaker| format!("wire {} {speaker}", case.name)).into(),
            judge,
            oracle: "keepalived's frames, decoded by pnet_packet; the kernel's addresses",
            twin: Twin {
                what: format!(
                    "`{}` instead of `{}`",
                    has.replace('\n', ""),
                    instead_of.replace('\n', "")
                ),
                sees,
                jobs: vec![format!("wire {} k", case.name), format!("wire {} v spoiled", case.name)],
            },
            needs: vec![Needs::Program(KEEPALIVED)],
        }
    };
    CASES.iter().map(check).collect()
}

/// Every field is the same but for the known differences; times are in time on both sides.
fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let name = seen[0].job.split(' ').nth(1).unwrap_or_default();
    let known = differences::of(&["wire", name]);
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for outcome in seen {
        wrong.extend(late(outcome));
    }
    let frames = |outcome: &Outcome| -> Vec<String> {
        outcome
            .text
            .lines()
            .filter(|line| !line.starts_with("time "))
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (frames(seen[0]), frames(seen[1]));
    if theirs.len() < 5 {
        wrong.push(format!("keepalived shows {} lines only", theirs.len()));
    }
    if theirs.len() != ours.len() {
        wrong.push(format!(
            "frame: keepalived shows {} lines, vrrpd {}",
            theirs.len(),
            ours.len()
        ));
    }
    for (number, (their, our)) in theirs.iter().zip(&ours).enumerate() {
        for (what, theirs, ours) in different(their, our) {
            match known.iter().find(|row| excuses(row, &what, &theirs, &ours)) {
                Some(row) => used.push(row.what),
                None => wrong.push(format!("line {number}: {what}: keepalived {theirs}, vrrpd {ours}")),
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n"))
}

fn excuses(row: &Difference, what: &str, theirs: &str, ours: &str) -> bool {
    let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    row.what == what && fits(row.keepalived, theirs) && fits(row.vrrpd, ours)
}

/// Fields that differ between two lines of `name=value`, separated by `|`.
fn different(theirs: &str, ours: &str) -> Vec<(String, String, String)> {
    let split = |line: &str| -> Vec<(String, String)> {
        line.split('|')
            .map(|field| field.split_once('=').unwrap_or(("frame", field)))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let (theirs, ours) = (split(theirs), split(ours));
    let names = |fields: &[(String, String)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(&theirs) != names(&ours) {
        return vec![("frame".into(), format!("{theirs:?}"), format!("{ours:?}"))];
    }
    theirs
        .into_iter()
        .zip(ours)
        .filter(|(their, our)| their != our)
        .map(|((name, theirs), (_, ours))| (name, theirs, ours))
        .collect()
}

/// Lines `time NAME MEASURED LOWEST HIGHEST`.
fn late(outcome: &Outcome) -> Vec<String> {
    let bad = |line: &&str| {
        let numbers: Vec<u64> = line
            .split(' ')
            .skip(2)
            .map(|word| word.parse().unwrap_or(u64::MAX))
            .collect();
        !matches!(numbers.as_slice(), [measured, lowest, highest] if (lowest..=highest).contains(&measured))
    };
    let times = outcome.text.lines().filter(|line| line.starts_with("time "));
    times
        .filter(bad)
        .map(|line| format!("{}: {line}", outcome.job))
        .collect()
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, speaker, spoiled @ ..] = words else {
        return Err(io::Error::other("case, speaker, perhaps spoiled"));
    };
    let case = CASES.iter().find(|case| case.name == *name).unwrap();
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let (instead_of, has, _) = case.twin;
    let mut body = case.lines.to_owned();
    if !spoiled.is_empty() {
        assert!(body.contains(instead_of), "{body}");
        body = body.replacen(instead_of, has, 1);
    }
    let configuration = format!(
        "global_defs {{\n router_id node\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n {body}\n}}\n"
    );
    let nodes = (1..=3).map(|number| {
        let six = format!("2001:db8:1::{number}/64");
        node(&format!("node{number}"), &[&format!("192.0.2.{number}/24"), &six])
    });
    let mut stage = Stage::new(nodes.collect(), case.vip.parse().unwrap(), Micros::from_secs(1))?;
    stage.start(0, speaker, &configuration)?;
    stage.until_held_by("1", 15)?;
    stage.until("all announcements", 15, |lab| bursts(lab).len() >= case.bursts)?;
    if case.bursts < 3 {
        // Nothing comes beside them.
        stage.look_on(Micros::from_millis(2_500))?;
    }
    let in_kernel = kernel::addresses(&mut stage, 0)?;
    stage.signal(0, Signal::SIGTERM)?;
    let daemon = stage.daemon(0);
    stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    let mut report = times(&stage.lab, case);
    report.extend(in_kernel);
    report.extend(frames(&stage.lab, case));
    if let [(first, _), _, (refresh, _), ..] = bursts(&stage.lab)[..] {
        let seconds = (refresh.since(first).as_millis() + 500) / 1_000;
        report.push(format!("refresh.seconds_after_first_burst={seconds}"));
    }
    report.push(format!("kernel.left={}", kernel::addresses(&mut stage, 0)?.len()));
    Ok(report.join("\n"))
}

fn sent(lab: &Lab) -> impl Iterator<Item = (Instant, &Frame)> {
    lab.moments.iter().filter_map(|moment| match &moment.what {
        Happening::Sent(_, frame) => Some((moment.at, frame)),
        _ => None,
    })
}

fn is_advert(frame: &Frame) -> bool {
    matches!(frame.seen, Seen::Advert(_))
}

/// Announcements less than half a second apart: first and last of each burst.
fn bursts(lab: &Lab) -> Vec<(Instant, Instant)> {
    let mut bursts: Vec<(Instant, Instant)> = Vec::new();
    for (at, _) in sent(lab).filter(|(_, frame)| !is_advert(frame)) {
        match bursts.last_mut() {
            Some((_, last)) if at.since(*last) < Micros::from_millis(500) => *last = at,
            _ => bursts.push((at, at)),
        }
    }
    bursts
}

fn times(lab: &Lab, case: &Case) -> Vec<String> {
    let mut lines = Vec::new();
    let mut time = |name: &str, from: Instant, to: Instant, nominal: u64| {
        let lowest = nominal.saturating_sub(SLACK_MS.min(nominal / 2));
        let measured = to.since(from).as_millis();
        lines.push(format!("time {name} {measured} {lowest} {}", nominal + SLACK_MS));
    };
    let adverts: Vec<Instant> = sent(lab)
        .filter(|(_, frame)| is_advert(frame))
        .map(|(at, _)| at)
        .collect();
    let bursts = bursts(lab);
    // To two peers one advert is two frames.
    let peers = case.adverts.div_ceil(3);
    for pair in adverts[..4 * peers].windows(peers + 1).step_by(peers) {
        time("between-adverts", pair[0], pair[peers], case.interval_ms);
    }
    time("from-advert-to-announcement", adverts[0], bursts[0].0, 0);
    time("first-burst", bursts[0].0, bursts[0].1, 0);
    if case.second_burst_ms > 0 {
        time("between-bursts", bursts[0].0, bursts[1].0, case.second_burst_ms);
        time("second-burst", bursts[1].0, bursts[1].1, 0);
    }
    lines
}

/// All frames in their order; of the adverts the first ones and those of priority 0.
fn frames(lab: &Lab, case: &Case) -> Vec<String> {
    let mut adverts = 0;
    let mut last_id = None;
    let mut lines = Vec::new();
    for (_, frame) in sent(lab) {
        let mut fields = decode::fields(&frame.bytes);
        if let Seen::Advert(advert) = &frame.seen {
            adverts += 1;
            // How many adverts came before is a question of the clock; the number grows by one with each of them.
            if let Some((_, id)) = fields.iter_mut().find(|(name, _)| *name == "ip.id") {
                let now: u16 = id.parse().unwrap();
                *id = last_id.map_or_else(|| now.to_string(), |last| format!("+{}", now.wrapping_sub(last)));
                last_id = Some(now);
            }
            if adverts > case.adverts && advert.priority != 0 {
                continue;
            }
        }
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
        lines.push(fields.collect::<Vec<_>>().join("|"));
    }
    lines
}
