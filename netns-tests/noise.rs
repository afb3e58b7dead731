//! A stranger sends invalid adverts for the configured VRID: nobody may be silenced, nobody may take over, the log stays
//! readable, the counters tell. keepalived is the negative twin: any packet for its VRID re-arms its advert timer.

use crate::check::{Check, Needs, Twin, in_range};
use crate::forge::{self, Lan, VRID, Wrong};
use crate::stage::{KEEPALIVED, Speaker, Stage, VRRPD, node};
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

pub(crate) fn checks() -> Vec<Check> {
    let check = |name: String, job: String| Check {
        name,
        jobs: vec![format!("{job} v")],
        judge: in_range,
        oracle: "the master's adverts counted on the wire; addresses in the kernels",
        twin: Twin {
            what: "keepalived, whose advert timer any packet re-arms".into(),
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
        .map(|(name, job)| check(format!("noise::{name}"), job))
        .chain([check("noise::flood".into(), "flood v3".into())])
        .collect()
}

const LANS: [(&str, Lan); 3] = [("v2", Lan::V2), ("v3", Lan::V3), ("v3-ipv6", Lan::V3Ipv6)];

fn word(wrong: Wrong) -> String {
    format!("{wrong:?}").to_lowercase()
}

fn configuration(lan: Lan, priority: u8, interval: &str) -> String {
    let version = lan.version();
    let authentication = match lan {
        Lan::V2 => "authentication {\n auth_type PASS\n auth_pass 1111\n }",
        Lan::V3 | Lan::V3Ipv6 => "",
    };
    let vip = vip(lan);
    let prefix = if vip.is_ipv4() { 24 } else { 64 };
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {VRID}\n version {version}\n priority {priority}\n advert_int {interval}\n {authentication}\n virtual_ipaddress {{\n {vip}/{prefix}\n }}\n}}\n"
    )
}

fn vip(lan: Lan) -> IpAddr {
    match lan {
        Lan::V2 | Lan::V3 => forge::VIP.into(),
        Lan::V3Ipv6 => forge::VIP6.into(),
    }
}

/// Where the stranger's adverts come from; the lab gives every node's link its address by its number.
fn source(lan: Lan) -> IpAddr {
    match lan {
        Lan::V2 | Lan::V3 => address(STRANGER).into(),
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

/// How often an address moved, how many lines were written, what was counted: found, lowest, highest.
fn report(
    stage: &mut Stage,
    speaker: Speaker,
    wrongs: &[Wrong],
    since: vrrpd::model::Instant,
) -> io::Result<Vec<String>> {
    let mut report = Vec::new();
    for (node, appeared) in [(0, true), (1, false)] {
        let moves = stage.moves(node, since, appeared).len();
        report.push(format!("moves on node {}: {moves} 0 0", ["one", "two"][node]));
        // The second burst of announcements may fall into this time.
        let lines = stage.lines(node, "vrrp", since);
        let lines = lines.iter().filter(|line| !line.contains("gratuitous")).count();
        report.push(format!("lines of node {}: {lines} 0 {LINES}", ["one", "two"][node]));
    }
    let said = stage.lines(STRANGER, "stranger", since);
    let sent: u64 = said
        .iter()
        .find_map(|line| line.strip_prefix("sent ")?.parse().ok())
        .unwrap_or(0);
    report.push(format!("sent: {sent} 100 {}", u64::MAX));
    if speaker == Speaker::Vrrpd {
        let each = sent / wrongs.len() as u64;
        for node in [0, 1] {
            for wrong in wrongs {
                let found = dropped(stage, node, wrong.counter())?;
                // Beyond some thousand a second the kernel's buffer may lose some.
                let lowest = if each < 1_000 { each } else { 1_000 };
                report.push(format!("counter {}: {found} {lowest} {}", wrong.counter(), each + 1));
            }
        }
    }
    Ok(report)
}

/// A counter of `vrrpd status --json`, asked inside of the node.
fn dropped(stage: &mut Stage, node: usize, counter: &str) -> io::Result<u64> {
    let since = stage.note("ask for the status");
    let asked = stage.run(node, "status", &[VRRPD, "status", "--json"])?;
    stage.until("the status", 10, |lab| !lab.runs(asked))?;
    // Whatever its last line was, it is read by now or in the next round.
    stage.look_on(Micros::from_millis(60))?;
    let text = stage.lines(node, "status", since).join("\n");
    let status: serde_json::Value = serde_json::from_str(&text)?;
    status["instances"][0]["counters"]["dropped"][counter]
        .as_u64()
        .ok_or_else(|| io::Error::other(format!("no counter {counter} in {text}")))
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [lan, wrong, speaker] = words else {
        return Err(io::Error::other("lan, what is wrong, speaker"));
    };
    let lan = LANS.iter().find(|(name, _)| name == lan).unwrap().1;
    let wrong = *lan.wrongs().iter().find(|known| word(**known) == *wrong).unwrap();
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let mut stage = prepare(lan, speaker, "1")?;
    let since = stage.note("a stranger sends invalid adverts");
    let stranger = stage.lab.start_function(NodeId(STRANGER), "stranger", &move || {
        forge::send(lan, source(lan), &[wrong], 15, TIME)
    })?;
    stage.until("the stranger ends", 20, |lab| !lab.runs(stranger))?;
    let adverts = stage.adverts(1, since, false);
    let in_time = adverts.iter().filter(|at| at.since(since) <= TIME).count();
    let nominal = TIME.0 / 1_000_000;
    let mut report = vec![format!("adverts: {in_time} {} {}", nominal - 1, nominal + 1)];
    report.extend(self::report(&mut stage, speaker, &[wrong], since)?);
    Ok(report.join("\n"))
}

/// The same with everything that can be wrong, as fast as the machine can, up to 50,000 a second.
pub(crate) fn flood(words: &[&str]) -> io::Result<String> {
    let [_, speaker] = words else {
        return Err(io::Error::other("version, speaker"));
    };
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let wrongs = Lan::V3.wrongs();
    let mut stage = prepare(Lan::V3, speaker, "0.1")?;
    stage
        .lab
        .start_function(NodeId(EAR), "ear", &|| forge::hear(address(EAR), address(1)))?;
    let began = stage.note("listen to the master");
    stage.until("the ear hears", 5, |lab| {
        crate::stage::lines(lab, EAR, "ear", began).len() > 2
    })?;
    let since = stage.note("a stranger floods the LAN");
    stage.lab.start_function(NodeId(STRANGER), "stranger", &|| {
        forge::send(Lan::V3, source(Lan::V3), wrongs, 50_000, FLOOD_TIME)
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
    let heard = stage.lines(EAR, "ear", since);
    let times = heard.iter().filter_map(|line| forge::heard(line));
    let in_time = times.filter(|at| *at >= since && at.since(since) <= FLOOD_TIME).count();
    let nominal = FLOOD_TIME.0 / 100_000;
    let mut report = vec![format!("adverts: {in_time} {} {}", nominal - 1, nominal + 1)];
    report.extend(self::report(&mut stage, speaker, wrongs, since)?);
    Ok(report.join("\n"))
}
