//! The same reloads played on keepalived and on vrrpd beside a peer: who is master afterwards, what is released, which addresses
//! come, go and are announced. keepalived is the oracle; where vrrpd differs on purpose, [`ON_PURPOSE`] says how.

use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::stage::{KEEPALIVED, Speaker, Stage, lines, names, node};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use vrrpd::lab::{Happening, Lab, Seen};
use vrrpd::model::{Instant, Micros};

/// The node whose daemon is reloaded, and its peer.
const OURS: usize = 0;
const PEER: usize = 1;
/// Of A, which is changed, of B, which nobody touches, and of C, which comes and goes.
const VIPS: [&str; 3] = ["192.0.2.101", "192.0.2.102", "192.0.2.103"];
/// Longer than a Master_Down_Interval and two runs of the script.
const CALM: Micros = Micros::from_millis(3_200);

/// What differs on purpose (docs/differences.md): role, step, what, with keepalived, with vrrpd; `*`: any.
const ON_PURPOSE: &[[&str; 5]] = &[
    // Only new addresses are announced.
    ["master", "more-addresses", "announced", "101 111", "111"],
    ["master", "other-addresses", "announced", "101 112 113", "112 113"],
    // keepalived leaves the addresses behind when it dies of a bad file; vrrpd goes on.
    ["*", "bad-file", "lives", "no", "yes"],
    ["*", "bad-file", "holders", "*", "*"],
    ["*", "bad-file", "came", "*", "*"],
    ["*", "bad-file", "came at the peer", "*", "*"],
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |role: &str, sees: &'static str| Check {
        name: format!("reload::{role}"),
        jobs: vec![format!("reload k {role}"), format!("reload v {role}")],
        judge,
        oracle: "keepalived under the same reloads: kernels of both nodes, adverts and ARP on the wire",
        twin: Twin {
            what: "vrrpd is restarted instead of reloaded".into(),
            sees,
            jobs: vec![format!("reload k {role}"), format!("reload v {role} restart")],
        },
        needs: vec![Needs::Root, Needs::Program(KEEPALIVED)],
    };
    vec![
        check("master", "nothing-changed released"),
        check("backup", "priority-back released"),
    ]
}

/// Line by line `STEP WHAT: VALUE`.
fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let [oracle, ours] = seen else {
        return Err("    two runs".into());
    };
    let role = oracle.job.split(' ').nth(2).unwrap_or_default();
    let mut wrong = Vec::new();
    let (theirs, found): (Vec<&str>, Vec<&str>) = (oracle.text.lines().collect(), ours.text.lines().collect());
    if theirs.len() < 80 || theirs.len() != found.len() {
        wrong.push(format!("    {} and {} lines", theirs.len(), found.len()));
    }
    for (theirs, found) in theirs.into_iter().zip(found) {
        let Some((what, value)) = theirs.split_once(": ") else {
            wrong.push(format!("    unreadable: {theirs}"));
            continue;
        };
        let ours = found
            .strip_prefix(what)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or("?");
        let is = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let explained = ON_PURPOSE
            .iter()
            .find(|[of, step, which, ..]| is(of, role) && format!("{step} {which}") == what);
        let fits = match explained {
            Some([_, _, _, theirs, expected]) => is(theirs, value) && is(expected, ours),
            None => value == ours,
        };
        if !fits {
            wrong.push(format!("    {what}: keepalived {value}, vrrpd {ours}"));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// What is configured on the node that is reloaded.
#[derive(Clone)]
struct Conf {
    priority: u8,
    interval: &'static str,
    /// `virtual_ipaddress_excluded` of A: the peer would not understand adverts with other addresses.
    excluded: &'static [&'static str],
    interface: &'static str,
    script: Option<&'static str>,
    third: bool,
}

fn instance(
    name: &str,
    vrid: u8,
    priority: u8,
    interface: &str,
    interval: &str,
    addresses: &[&str],
    more: &str,
) -> String {
    let addresses: String = addresses
        .iter()
        .map(|address| format!("{address}/32 dev eth0\n"))
        .collect();
    format!(
        "vrrp_instance {name} {{\ninterface {interface}\nvirtual_router_id {vrid}\npriority {priority}\nversion 3\nadvert_int {interval}\n\
         garp_master_delay 1\n{more}virtual_ipaddress {{\n{addresses}}}\n}}\n"
    )
}

impl Conf {
    fn text(&self, base: u8) -> String {
        let script = |path| format!("vrrp_script chk {{\nscript {path}\ninterval 1\nweight -100\nuser root\n}}\n");
        let mut text = "global_defs {\nenable_script_security\nscript_user root\n}\n".to_owned();
        text.extend(self.script.map(script));
        let mut more = self.script.map_or("", |_| "track_script {\nchk\n}\n").to_owned();
        if !self.excluded.is_empty() {
            let lines: String = self
                .excluded
                .iter()
                .map(|address| format!("{address}/32 dev eth0\n"))
                .collect();
            more.push_str(&format!("virtual_ipaddress_excluded {{\n{lines}}}\n"));
        }
        text.push_str(&instance(
            "A",
            51,
            self.priority,
            self.interface,
            self.interval,
            &[VIPS[0]],
            &more,
        ));
        text.push_str(&instance("B", 52, base, "eth0", "0.5", &[VIPS[1]], ""));
        if self.third {
            text.push_str(&instance("C", 53, base, "eth0", "0.5", &[VIPS[2]], ""));
        }
        text
    }
}

/// Each step changes one thing.
fn steps(master: bool) -> Vec<(&'static str, Conf)> {
    let (base, better, other) = if master { (150, 200, 50) } else { (50, 60, 200) };
    let start = Conf {
        priority: base,
        interval: "0.5",
        excluded: &[],
        interface: "eth0",
        script: None,
        third: false,
    };
    let mut now = start.clone();
    let mut all = vec![("start", start)];
    let mut step = |name, change: fn(&mut Conf, [u8; 3])| {
        change(&mut now, [base, better, other]);
        all.push((name, now.clone()));
    };
    step("nothing-changed", |_, _| {});
    step("new-instance", |conf, _| conf.third = true);
    step("other-priority", |conf, [_, better, _]| conf.priority = better);
    step("priority-of-the-other-side", |conf, [.., other]| conf.priority = other);
    step("priority-back", |conf, [base, ..]| conf.priority = base);
    step("more-addresses", |conf, _| conf.excluded = &["192.0.2.111"]);
    step("other-addresses", |conf, _| {
        conf.excluded = &["192.0.2.112", "192.0.2.113"]
    });
    step("fewer-addresses", |conf, _| conf.excluded = &[]);
    step("other-interval", |conf, _| conf.interval = "0.4");
    step("new-script", |conf, _| conf.script = Some("/bin/false"));
    step("other-script", |conf, _| conf.script = Some("/bin/true"));
    step("no-script", |conf, _| conf.script = None);
    step("other-interface", |conf, _| conf.interface = "eth1");
    step("interface-back", |conf, _| conf.interface = "eth0");
    step("instance-gone", |conf, _| conf.third = false);
    all
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let (speaker, role, restarts) = (Speaker::of(words[0].chars().next().unwrap()), words[1], words.len() > 2);
    let specs = (1..=2).map(|n| node(&format!("n{n}"), &[&format!("192.0.2.{n}/24")]));
    let vip: IpAddr = VIPS[0].parse().unwrap();
    let mut stage = Stage::new(specs.collect(), vip, CALM)?;
    let base = if role == "master" { 150 } else { 50 };
    let peer: String = [("A", 51), ("B", 52), ("C", 53)]
        .into_iter()
        .zip(VIPS)
        .map(|((name, vrid), vip)| instance(name, vrid, 100, "eth0", "0.5", &[vip], ""))
        .collect();
    for words in [
        "link add eth1 link eth0 type macvlan mode bridge",
        "addr add 192.0.2.11/24 dev eth1",
        "link set eth1 up",
    ] {
        let mut all = vec!["/sbin/ip"];
        all.extend(words.split(' '));
        stage.run(OURS, "ip", &all)?;
        stage.until("ip has ended", 5, |lab| {
            lab.moments
                .iter()
                .filter(|m| matches!(&m.what, Happening::Ended(_, name, _) if name == "ip"))
                .count()
                > 0
        })?;
        stage.look_on(Micros::from_millis(300))?;
    }
    stage.start(PEER, Speaker::Keepalived, &peer)?;
    let mut text = String::new();
    for (name, conf) in steps(role == "master") {
        let begun = stage.note(name);
        let conf = conf.text(base);
        if name == "start" {
            stage.start(OURS, speaker, &conf)?;
        } else {
            stage.write(OURS, "vrrp.conf", &conf)?;
            if restarts {
                stage.signal(OURS, Signal::SIGTERM)?;
                stage.look_on(Micros::from_millis(1_500))?;
                stage.start(OURS, speaker, &conf)?;
            } else {
                reload(&mut stage, begun, "Reload complete")?;
            }
        }
        stage.calm(|lab| holders(lab).join(","))?;
        text.push_str(&told(&stage, name, begun));
    }
    let begun = stage.note("bad-file");
    // A VRID that cannot be: what keepalived dies of.
    stage.write(
        OURS,
        "vrrp.conf",
        &format!(
            "{}vrrp_instance D {{\ninterface eth0\n}}\n",
            steps(role == "master")[0].1.text(base)
        ),
    )?;
    stage.signal(OURS, Signal::SIGHUP)?;
    stage.calm(|lab| holders(lab).join(","))?;
    text.push_str(&told(&stage, "bad-file", begun));
    let ended = |moment: &&vrrpd::lab::Moment| {
        moment.at >= begun && matches!(&moment.what, Happening::Ended(on, name, _) if on.0 == OURS && name == "vrrp")
    };
    let lives = !stage.lab.moments.iter().any(|moment| ended(&moment));
    Ok(format!("{text}bad-file lives: {}\n", if lives { "yes" } else { "no" }))
}

fn reload(stage: &mut Stage, begun: Instant, says: &str) -> io::Result<()> {
    stage.signal(OURS, Signal::SIGHUP)?;
    stage.until(says, 10, |lab| {
        lines(lab, OURS, "vrrp", begun).iter().any(|line| line.contains(says))
    })
}

/// Who holds each of the addresses.
fn holders(lab: &Lab) -> Vec<String> {
    VIPS.iter()
        .map(|vip| names(&lab.holders(vip.parse().unwrap())))
        .collect()
}

/// What was seen since then, a line each.
fn told(stage: &Stage, step: &str, since: Instant) -> String {
    let moments = || stage.lab.moments.iter().filter(|moment| moment.at >= since);
    let last = |address: &IpAddr| match address {
        IpAddr::V4(address) if address.octets()[3] > 100 => Some(address.octets()[3]),
        _ => None,
    };
    let set = |numbers: BTreeSet<u8>| {
        let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        if words.is_empty() {
            "-".to_owned()
        } else {
            words.join(" ")
        }
    };
    let came = |node: usize| {
        moments().filter_map(move |moment| match &moment.what {
            Happening::Appeared(on, address) if on.0 == node => last(address),
            _ => None,
        })
    };
    let went = |node: usize| {
        moments().filter_map(move |moment| match &moment.what {
            Happening::Vanished(on, address) if on.0 == node => last(address),
            _ => None,
        })
    };
    // To all: the kernel itself answers the announcement of another node to that node, as long as it has the address.
    let to_all = |bytes: &[u8]| bytes.first().is_some_and(|first| first & 1 == 1);
    let sent = || {
        moments().filter_map(|moment| match &moment.what {
            Happening::Sent(from, frame) if from.0 == OURS && to_all(&frame.bytes) => Some(&frame.seen),
            _ => None,
        })
    };
    let adverts = |released: bool| {
        sent().filter_map(move |seen| match seen {
            Seen::Advert(advert) if (advert.priority == 0) == released => Some(advert),
            _ => None,
        })
    };
    let announced = sent().filter_map(|seen| match seen {
        Seen::Announce { address, .. } => last(address),
        Seen::Advert(_) => None,
    });
    // What the adverts of the one that was changed say in the end.
    let says = adverts(false)
        .rfind(|advert| advert.vrid == 51)
        .map_or("-".to_owned(), |advert| {
            let addresses: Vec<String> = advert.addresses.iter().map(ToString::to_string).collect();
            format!("{} for {}", advert.priority, addresses.join(" "))
        });
    let rows = [
        ("holders", holders(&stage.lab).join(",")),
        ("released", set(adverts(true).map(|advert| advert.vrid).collect())),
        ("came", set(came(OURS).collect())),
        ("went", set(went(OURS).collect())),
        ("announced", set(announced.collect())),
        ("came at the peer", set(came(PEER).collect())),
        ("went at the peer", set(went(PEER).collect())),
        ("says", says),
    ];
    rows.into_iter()
        .map(|(what, value)| format!("{step} {what}: {value}\n"))
        .collect()
}
