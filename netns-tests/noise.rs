//! A stranger sends adverts for the configured VRID, invalid ones, or valid ones that are worse than everybody's: nobody may be
//! silenced, nobody may take over, the log stays readable, the counters tell, who is really there stays known. keepalived is the
//! negative twin: any packet for its VRID re-arms its advert timer, and each worse advert is answered.

use crate::ask::status;
use crate::check::{Check, Needs, Twin, in_range};
use crate::forge::{self, Lan, VRID, Wrong};
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::poll::{PollTimeout, poll};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use vrrpd::lab::NodeId;
use vrrpd::model::Micros;

const STRANGER: usize = 2;
const EAR: usize = 3;
/// How long the stranger sends.
const TIME: Micros = Micros::from_secs(10);
const FLOOD_TIME: Micros = Micros::from_secs(3);
/// Lines of a daemon about it all.
const LINES: usize = 9;
/// About valid adverts: sixteen at once, then one in six seconds, each with the number of those that were left out.
const WORSE_LINES: usize = 24;

pub(crate) fn checks() -> Vec<Check> {
    let check = |name: String, job: String| Check {
        name,
        jobs: vec![format!("{job} v")],
        judge: in_range,
        oracle: "the master's adverts counted on the wire; addresses in the kernels",
        twin: Twin {
            what: if job.ends_with("worse") {
                "keepalived, which answers each".into()
            } else {
                "keepalived, whose advert timer any packet re-arms".into()
            },
            sees: "adverts:",
            // A kernel that was asked to look at checksums keeps wrong ones from keepalived.
            jobs: vec![format!("{} k", job.replace("ipv6 checksum", "ipv6 ttl"))],
        },
        needs: vec![Needs::Program(KEEPALIVED)],
    };
    let of = |(name, lan): &(&str, Lan)| {
        let job = |wrong: &Wrong| {
            (
                format!("{name}::{}", word(*wrong)),
                format!("noise {name} {}", word(*wrong)),
            )
        };
        lan.wrongs().iter().map(job).collect::<Vec<_>>()
    };
    LANS.iter()
        .flat_map(of)
        .map(|(name, job)| (format!("noise::{name}"), job))
        .chain(MIXED.iter().flat_map(|(name, _)| {
            [
                (format!("noise::{name}::mixed"), format!("noise {name} mixed")),
                (format!("noise::{name}::worse"), format!("noise {name} worse")),
                (format!("noise::flood::{name}"), format!("flood {name} mixed")),
                (format!("noise::flood::{name}::worse"), format!("flood {name} worse")),
            ]
        }))
        .map(|(name, job)| check(name, job))
        .collect()
}

const LANS: [(&str, Lan); 3] = [("v2", Lan::V2), ("v3", Lan::V3), ("v3-ipv6", Lan::V3Ipv6)];
/// Everything mixed, also from made-up addresses.
const MIXED: [(&str, Lan); 3] = [("v2", Lan::V2), ("v3", Lan::V3), ("unicast", Lan::Unicast)];

/// What is wrong with the adverts of a job.
fn wrongs(lan: Lan, name: &str) -> Vec<Wrong> {
    match name {
        "mixed" => mixed(lan),
        "worse" => vec![Wrong::Worse],
        name => lan
            .wrongs()
            .iter()
            .filter(|known| word(**known) == name)
            .copied()
            .collect(),
    }
}

fn mixed(lan: Lan) -> Vec<Wrong> {
    // Unicast adverts may come from afar.
    let own = lan
        .wrongs()
        .iter()
        .filter(|wrong| lan != Lan::Unicast || **wrong != Wrong::Ttl);
    own.chain(&Wrong::OF_STRANGERS).copied().collect()
}

fn lan_named(name: &str) -> Lan {
    LANS.iter().chain(&MIXED).find(|(known, _)| *known == name).unwrap().1
}

fn word(wrong: Wrong) -> String {
    format!("{wrong:?}").to_lowercase()
}

fn configuration(lan: Lan, priority: u8, interval: &str) -> String {
    let version = lan.version();
    let authentication = match lan {
        Lan::V2 => "authentication {\n auth_type PASS\n auth_pass 1111\n }",
        Lan::V3 | Lan::V3Ipv6 | Lan::Unicast => "",
    };
    let unicast = match lan {
        Lan::Unicast if priority == 150 => "unicast_peer {\n 192.0.2.1\n }",
        Lan::Unicast => "unicast_peer {\n 192.0.2.2\n }",
        Lan::V2 | Lan::V3 | Lan::V3Ipv6 => "",
    };
    let vip = vip(lan);
    let prefix = if vip.is_ipv4() { 24 } else { 64 };
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {VRID}\n version {version}\n priority {priority}\n advert_int {interval}\n {authentication}\n {unicast}\n virtual_ipaddress {{\n {vip}/{prefix}\n }}\n}}\n"
    )
}

fn vip(lan: Lan) -> IpAddr {
    match lan {
        Lan::V2 | Lan::V3 | Lan::Unicast => forge::VIP.into(),
        Lan::V3Ipv6 => forge::VIP6.into(),
    }
}

/// Where the stranger's adverts come from; the lab gives every node's link its address by its number.
fn source(lan: Lan) -> IpAddr {
    match lan {
        Lan::V2 | Lan::V3 | Lan::Unicast => address(STRANGER).into(),
        Lan::V3Ipv6 => "fe80::5eff:fe10:3".parse().unwrap(),
    }
}

fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(node + 1).unwrap())
}

/// The second node is master, the first one backup; then a stranger and somebody who listens.
fn prepare(lan: Lan, speaker: Speaker, interval: &str) -> io::Result<Stage> {
    let names = ["node1", "node2", "stranger", "ear"];
    let nodes = names
        .iter()
        .enumerate()
        .map(|(index, name)| node(name, &[&format!("{}/24", address(index))]));
    let mut stage = Stage::new(nodes.collect(), vip(lan), Micros::from_secs(4))?;
    stage.start(1, speaker, &configuration(lan, 150, interval))?;
    stage.until_held_by("2", 15)?;
    stage.start(0, speaker, &configuration(lan, 100, interval))?;
    stage.settled()?;
    Ok(stage)
}

/// How often an address moved, how many lines were written, what was counted, who is known: found, lowest, highest.
fn report(
    stage: &mut Stage,
    speaker: Speaker,
    lan: Lan,
    wrongs: &[Wrong],
    since: vrrpd::model::Instant,
) -> io::Result<Vec<String>> {
    let mut report = Vec::new();
    for (node, appeared) in [(0, true), (1, false)] {
        let moves = stage.moves(node, since, appeared).len();
        report.push(format!("moves on node {}: {moves} 0 0", ["one", "two"][node]));
        let worse = wrongs == [Wrong::Worse];
        let lines = stage.lines(node, "vrrp", since);
        let (announcing, lines): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("gratuitous"));
        let name = ["one", "two"][node];
        let most = if worse { WORSE_LINES } else { LINES };
        report.push(format!("lines of node {name}: {} 0 {most}", lines.len()));
        // The second burst of announcements may fall into this time; answers have theirs.
        let most = if worse { 1 + WORSE_LINES / 2 } else { 1 };
        report.push(format!(
            "lines about announcements: {} 0 {}",
            announcing.len(),
            most * 6
        ));
    }
    let said = stage.lines(STRANGER, "stranger", since);
    let sent: u64 = said
        .iter()
        .find_map(|line| line.strip_prefix("sent ")?.parse().ok())
        .unwrap_or(0);
    report.push(format!("sent: {sent} 100 {}", u64::MAX));
    if speaker == Speaker::Vrrpd {
        let targets = if lan == Lan::Unicast { 2 } else { 1 };
        let each = sent / wrongs.len() as u64 / targets;
        for node in [0, 1] {
            let status = status(stage, node)?;
            report.extend(counted(&status, node, wrongs, each));
            let peers = status["instances"][0]["peers"].as_array().map_or(0, Vec::len);
            report.push(format!("peers: {peers} 0 64"));
            let problems = status["problems"].to_string();
            let blamed = ["dual-master", "one-way"]
                .iter()
                .filter(|code| problems.contains(*code))
                .count();
            report.push(format!("masters that are none: {blamed} 0 0"));
        }
        let status = status(stage, 0)?;
        let peers = status["instances"][0]["peers"].as_array();
        let real = |peer: &&serde_json::Value| peer["address"].as_str() == source_of_master(lan);
        let real = peers.and_then(|peers| peers.iter().find(real));
        let well = real.is_some_and(|peer| peer["priority"] == 150 && peer["verdict"] == "accepted");
        let known = u8::from(well || source_of_master(lan).is_none());
        report.push(format!("the master is known for what it is: {known} 1 1"));
    }
    Ok(report)
}

fn source_of_master(lan: Lan) -> Option<&'static str> {
    (lan != Lan::V3Ipv6).then_some("192.0.2.2")
}

/// What was dropped for each reason; several kinds may have the same.
fn counted(status: &serde_json::Value, node: usize, wrongs: &[Wrong], each: u64) -> Vec<String> {
    let mut counters: Vec<&str> = wrongs.iter().filter_map(|wrong| wrong.counter()).collect();
    counters.sort_unstable();
    counters.dedup();
    let of = |counter: &&str| {
        let found = status["instances"][0]["counters"]["dropped"][*counter]
            .as_u64()
            .unwrap_or(0);
        let kinds = wrongs.iter().filter(|wrong| wrong.counter() == Some(*counter));
        let sent = kinds.clone().count() as u64 * (each + 1);
        // The kernel of the master takes nothing in its own name.
        let arrive = kinds.filter(|wrong| node == 0 || **wrong != Wrong::Name).count() as u64 * each;
        // Beyond some thousand a second the kernel's buffer may lose some.
        format!("counter {counter}: {found} {} {sent}", arrive.min(1_000))
    };
    counters.iter().map(of).collect()
}

/// Resident memory of a node's VRRP process, KiB.
fn memory(stage: &mut Stage, node: usize) -> io::Result<u64> {
    let since = stage.note("look at the memory");
    let words = "read pid </run/vrrp.pid; while read key value unit; do [ $key = VmRSS: ] && echo $value; done </proc/$pid/status";
    let asked = stage.run(node, "memory", &["/bin/sh", "-c", words])?;
    stage.until("the memory", 10, |lab| !lab.runs(asked))?;
    stage.look_on(Micros::from_millis(60))?;
    let lines = stage.lines(node, "memory", since);
    lines
        .first()
        .and_then(|line| line.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no memory in {lines:?}")))
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [lan, wrong, speaker] = words else {
        return Err(io::Error::other("lan, what is wrong, speaker"));
    };
    let lan = lan_named(lan);
    let wrongs = wrongs(lan, wrong);
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let mut stage = prepare(lan, speaker, "1")?;
    let since = stage.note("a stranger sends invalid adverts");
    let kinds = wrongs.clone();
    let stranger = stage.lab.start_function(NodeId(STRANGER), "stranger", &move || {
        forge::send(lan, source(lan), &kinds, 15, TIME)
    })?;
    stage.until("the stranger ends", 20, |lab| !lab.runs(stranger))?;
    let adverts = stage.adverts(1, since, false);
    let in_time = adverts.iter().filter(|at| at.since(since) <= TIME).count();
    let nominal = TIME.0 / 1_000_000;
    let answers = answers(&wrongs, TIME);
    let mut report = vec![format!("adverts: {in_time} {} {}", nominal - 1, nominal + 1 + answers)];
    report.extend(self::report(&mut stage, speaker, lan, &wrongs, since)?);
    Ok(report.join("\n"))
}

/// Worse adverts are answered: four at once, then one in a quarter of a second.
fn answers(wrongs: &[Wrong], time: Micros) -> u64 {
    if wrongs == [Wrong::Worse] {
        4 + time.0 / 250_000
    } else {
        0
    }
}

/// The same as fast as the machine can, up to 50,000 a second.
pub(crate) fn flood(words: &[&str]) -> io::Result<String> {
    let [lan, wrong, speaker] = words else {
        return Err(io::Error::other("lan, what is wrong, speaker"));
    };
    let lan = lan_named(lan);
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let wrongs = wrongs(lan, wrong);
    // What goes from peer to peer can be heard by the peer only.
    let ear = if lan == Lan::Unicast { 0 } else { EAR };
    // Version 2 has whole seconds.
    let (interval, written) = if lan == Lan::V2 { (1_000, "1") } else { (100, "0.1") };
    let mut stage = prepare(lan, speaker, written)?;
    let before = if speaker == Speaker::Vrrpd {
        memory(&mut stage, 0)?
    } else {
        0
    };
    stage
        .lab
        .start_function(NodeId(ear), "ear", &move || forge::hear(address(ear), address(1)))?;
    let began = stage.note("listen to the master");
    stage.until("the ear hears", 5, |lab| {
        crate::stage::lines(lab, ear, "ear", began).len() > 2
    })?;
    let since = stage.note("a stranger floods the LAN");
    let kinds = wrongs.clone();
    stage.lab.start_function(NodeId(STRANGER), "stranger", &move || {
        forge::send(lan, source(lan), &kinds, 50_000, FLOOD_TIME)
    })?;
    // The lab looks at every frame; it has to keep its eyes shut not to take the processors away from the nodes.
    poll(
        &mut [],
        PollTimeout::try_from(i32::try_from(FLOOD_TIME.as_millis()).unwrap() + 200).unwrap(),
    )?;
    stage.until("the stranger ends", 20, |lab| {
        let said = crate::stage::lines(lab, STRANGER, "stranger", since);
        said.iter().any(|line| line.starts_with("sent "))
    })?;
    let heard = stage.lines(ear, "ear", since);
    let times = heard.iter().filter_map(|line| forge::heard(line));
    let in_time = times.filter(|at| *at >= since && at.since(since) <= FLOOD_TIME).count();
    let nominal = FLOOD_TIME.0 / 1_000 / interval;
    let answers = answers(&wrongs, FLOOD_TIME);
    let mut report = vec![format!("adverts: {in_time} {} {}", nominal - 1, nominal + 1 + answers)];
    if speaker == Speaker::Vrrpd {
        let after = memory(&mut stage, 0)?;
        report.push(format!(
            "memory that was added: {} 0 1024",
            after.saturating_sub(before)
        ));
    }
    report.extend(self::report(&mut stage, speaker, lan, &wrongs, since)?);
    Ok(report.join("\n"))
}
