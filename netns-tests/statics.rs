//! Static addresses on keepalived and on vrrpd, in the same hands: what the kernel has of them after the start, after somebody
//! deleted them, after links went and came, after a reload, the death of the VRRP process and the stop, and which of them were
//! touched. keepalived is the oracle; where vrrpd differs on purpose, [`ON_PURPOSE`] says how.

use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::kernel;
use crate::stage::{KEEPALIVED, Speaker, Stage, lines, node};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use vrrpd::lab::NodeId;
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
const CALM: Micros = Micros::from_millis(2_500);

/// Lines of `static_ipaddress`, each in a subnet of its own, so that none is another one's secondary.
const ENTRIES: &[&str] = &[
    "10.9.1.1/24 dev eth1 brd + label eth1:fix",
    "10.9.2.1/24 dev eth1 scope link noprefixroute",
    "10.9.3.1 peer 10.9.3.2 dev eth1",
    "10.9.4.1/24 dev eth1 no_track",
    "2001:db8:9::1/64 dev eth1 mngtmpaddr",
    "2001:db8:a::1/128 dev eth1 home",
    "2001:db8:b::1/64 dev eth1 -nodad preferred_lft forever",
];
const LATE: &str = "10.9.5.1/24 dev eth2";

/// What differs on purpose (docs/differences.md): step, what, with keepalived, with vrrpd.
const ON_PURPOSE: &[[&str; 4]] = &[
    // keepalived 2.2.7 does not find an address with a peer when it removes it.
    [
        "stopped",
        "kernel",
        "link=3|prefix=32|scope=Universe|address=10.9.3.2|local=10.9.3.1|label=eth1|broadcast=-|flags=AddressFlags(Permanent)|lifetimes=4294967295 4294967295",
        "",
    ],
    [
        "stopped",
        "touched",
        "10.9.1.1 10.9.4.1 10.9.5.1 10.9.6.1 2001:db8:9::1 2001:db8:a::1 2001:db8:b::1",
        "10.9.1.1 10.9.3.1 10.9.4.1 10.9.5.1 10.9.6.1 2001:db8:9::1 2001:db8:a::1 2001:db8:b::1",
    ],
    // Nothing is left behind.
    ["no-successor", "touched", "-", "10.9.1.1"],
    // keepalived does not see what it has set itself.
    ["source", "holder", "-", "1"],
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |name: &str, what: &str, sees: &'static str| Check {
        name: format!("statics::{name}"),
        jobs: vec![format!("statics {name} k"), format!("statics {name} v")],
        judge,
        oracle: "keepalived in the same hands: addresses in the kernel with all attributes",
        twin: Twin {
            what: what.to_owned(),
            sees,
            jobs: vec![format!("statics {name} k"), format!("statics {name} v spoiled")],
        },
        needs: vec![Needs::Root, Needs::Program(KEEPALIVED)],
    };
    vec![
        check("life", "nothing is tracked", "deleted kernel"),
        check("taken-over", "it is deleted by hand", "taken-over touched"),
        check("no-successor", "another process follows", "no-successor touched"),
        check("source", "there are no static addresses", "source holder"),
    ]
}

/// Line by line `STEP WHAT: VALUE`.
fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let [oracle, ours] = seen else {
        return Err("    two runs".into());
    };
    let (theirs, found): (Vec<&str>, Vec<&str>) = (oracle.text.lines().collect(), ours.text.lines().collect());
    let mut wrong = Vec::new();
    if theirs.is_empty() || theirs.len() != found.len() {
        wrong.push(format!("    {} and {} lines", theirs.len(), found.len()));
    }
    for (theirs, found) in theirs.into_iter().zip(found) {
        let (what, value) = theirs.split_once(": ").unwrap_or((theirs, ""));
        let ours = found.strip_prefix(what).and_then(|rest| rest.strip_prefix(": "));
        let explained = ON_PURPOSE
            .iter()
            .find(|[step, which, ..]| format!("{step} {which}") == what);
        let fits = match explained {
            Some([_, _, theirs, expected]) => *theirs == value && ours == Some(expected),
            None => ours == Some(value),
        };
        if !fits {
            wrong.push(format!("    {what}: keepalived {value}, vrrpd {}", ours.unwrap_or("?")));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn configuration(entries: &[String]) -> String {
    format!(
        "global_defs {{\ndynamic_interfaces\n}}\nstatic_ipaddress {{\n{}\n}}\nvrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 3\nadvert_int 0.5\nvirtual_ipaddress {{\n{VIP}/32\n}}\n}}\n",
        entries.join("\n")
    )
}

/// One node, its daemon, and what was seen.
struct Scene {
    stage: Stage,
    speaker: Speaker,
    text: String,
}

impl Scene {
    fn new(speaker: Speaker, own: &[&str]) -> io::Result<Self> {
        let mut stage = Stage::new(vec![node("node1", own)], VIP.parse().unwrap(), CALM)?;
        let other = stage.lab.add_bridge()?;
        stage.lab.plug_into(NodeId(0), other, "eth1", &[])?;
        stage.run(0, "monitor", &["/sbin/ip", "-o", "monitor", "address"])?;
        let text = String::new();
        let mut scene = Self { stage, speaker, text };
        scene.until_monitored()?;
        Ok(scene)
    }

    /// Until the monitor listens: it tells of an address that comes and goes.
    fn until_monitored(&mut self) -> io::Result<()> {
        for _ in 0..50 {
            self.shell("/sbin/ip addr add 10.99.0.1/32 dev lo; /sbin/ip addr del 10.99.0.1/32 dev lo")?;
            let told = |lab: &vrrpd::lab::Lab| !lines(lab, 0, "monitor", Instant(0)).is_empty();
            if self.stage.lab.watch(Micros::from_millis(100), told)? {
                return Ok(());
            }
        }
        Err(io::Error::other("the monitor tells nothing"))
    }

    fn start(&mut self, configuration: &str, options: &[&str]) -> io::Result<()> {
        let own = ["-n", "-l", "-D", "-P", "-p", "/tmp/main.pid", "-r", "/tmp/vrrp.pid"];
        self.stage
            .start_with(0, self.speaker, configuration, &[&own, options].concat())
    }

    fn shell(&mut self, command: &str) -> io::Result<()> {
        self.stage.note(command);
        let run = self.stage.run(0, "sh", &["/bin/sh", "-c", command])?;
        self.stage.until("the command ends", 5, |lab| !lab.runs(run))
    }

    fn until_there(&mut self, addresses: &[&str]) -> io::Result<()> {
        let all: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.stage.until("the addresses are there", 10, |lab| {
            lab.node(NodeId(0))
                .is_some_and(|node| all.iter().all(|one| node.has(*one)))
        })
    }

    fn until_said(&mut self, words: &str, since: Instant, times: usize) -> io::Result<()> {
        self.stage.until(words, 10, |lab| {
            let said = lines(lab, 0, "vrrp", since);
            said.iter().filter(|line| line.contains(words)).count() >= times
        })
    }

    /// What the kernel has of the static addresses, and which were touched since then.
    fn tell(&mut self, step: &str, since: Instant) -> io::Result<()> {
        // What is not to happen has to have the time for it.
        self.stage.look_on(Micros::from_millis(300))?;
        let mut known: Vec<String> = kernel::addresses(&mut self.stage, 0)?;
        known.retain(|line| line.contains("=10.9.") || line.contains("=2001:db8:"));
        let without_protocol = |line: &String| {
            let fields = line.split('|').filter(|field| !field.starts_with("kernel.protocol="));
            fields
                .map(|field| field.trim_start_matches("kernel."))
                .collect::<Vec<_>>()
                .join("|")
        };
        let mut known: Vec<String> = known.iter().map(without_protocol).collect();
        known.sort();
        let changes = self.stage.lines(0, "monitor", since);
        let touched: BTreeSet<&str> = changes
            .iter()
            .filter_map(|line| line.split_once(" inet").and_then(|(_, rest)| rest.split(' ').nth(1)))
            .filter_map(|address| address.split('/').next())
            .filter(|address| address.starts_with("10.9.") || address.starts_with("2001:db8:"))
            .collect();
        let touched: Vec<&str> = touched.into_iter().collect();
        let touched = if touched.is_empty() {
            "-".into()
        } else {
            touched.join(" ")
        };
        self.text.push_str(&format!(
            "{step} kernel: {}\n{step} touched: {touched}\n",
            known.join(" ")
        ));
        Ok(())
    }
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, speaker, spoiled @ ..] = words else {
        return Err(io::Error::other("scenario, speaker, perhaps spoiled"));
    };
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let spoiled = !spoiled.is_empty();
    match *name {
        "life" => life(speaker, spoiled),
        "taken-over" => taken_over(speaker, spoiled),
        "no-successor" => no_successor(speaker, spoiled),
        "source" => source(speaker, spoiled),
        other => Err(io::Error::other(format!("no such scenario: {other}"))),
    }
}

const SET: &[&str] = &[
    "10.9.1.1",
    "10.9.2.1",
    "10.9.3.1",
    "10.9.4.1",
    "2001:db8:9::1",
    "2001:db8:a::1",
    "2001:db8:b::1",
];

fn life(speaker: Speaker, spoiled: bool) -> io::Result<String> {
    let mut scene = Scene::new(speaker, &["192.0.2.1/24"])?;
    let more = if spoiled { " no_track" } else { "" };
    let mut entries: Vec<String> = ENTRIES
        .iter()
        .chain([&LATE])
        .map(|entry| format!("{entry}{more}"))
        .collect();
    let begun = scene.stage.note("begin");
    scene.start(&configuration(&entries), &[])?;
    scene.until_there(SET)?;
    scene.tell("started", begun)?;

    let since = scene.stage.note("somebody deletes them");
    for address in [
        "10.9.1.1/24",
        "10.9.3.1 peer 10.9.3.2",
        "10.9.4.1/24",
        "2001:db8:9::1/64",
        "2001:db8:a::1/128",
    ] {
        scene.shell(&format!("/sbin/ip addr del {address} dev eth1"))?;
    }
    if !spoiled {
        scene.until_said("Restoring deleted static address", since, 4)?;
    }
    scene.tell("deleted", since)?;

    let since = scene.stage.note("the link goes down and comes up");
    scene.shell("/sbin/ip link set eth1 down")?;
    if !spoiled {
        scene.until_said("Restoring deleted static address 2001:db8:", since, 3)?;
    }
    scene.shell("/sbin/ip link set eth1 up")?;
    scene.tell("down-and-up", since)?;

    let since = scene.stage.note("an interface appears");
    let other = scene.stage.lab.add_bridge()?;
    scene.stage.lab.plug_into(NodeId(0), other, "eth2", &[])?;
    scene.until_there(&["10.9.5.1"])?;
    scene.tell("appeared", since)?;

    entries.retain(|entry| !entry.starts_with("10.9.2.1"));
    entries[0] = format!("10.9.1.1/24 dev eth1 brd + label eth1:new{more}");
    entries.push(format!("10.9.6.1/24 dev eth2{more}"));
    scene.stage.write(0, "vrrp.conf", &configuration(&entries))?;
    let since = scene.stage.note("reload");
    scene.stage.signal(0, Signal::SIGHUP)?;
    scene.until_there(&["10.9.1.1", "10.9.6.1"])?;
    let old: IpAddr = "10.9.2.1".parse().unwrap();
    scene.stage.until("the old address is gone", 10, |lab| {
        lab.node(NodeId(0)).is_some_and(|node| !node.has(old))
    })?;
    scene.tell("reloaded", since)?;

    let since = scene.stage.note("the VRRP process dies");
    scene.shell("kill -9 $(cat /tmp/vrrp.pid)")?;
    scene.until_said("Entering BACKUP STATE (init)", since, 1)?;
    scene.until_there(&["10.9.1.1", "10.9.4.1", "10.9.6.1", "2001:db8:b::1"])?;
    scene.tell("killed", since)?;

    let since = scene.stage.note("stop");
    let daemon = scene.stage.daemon(0);
    scene.stage.signal(0, Signal::SIGTERM)?;
    scene.stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    scene.tell("stopped", since)?;
    Ok(scene.text)
}

/// An address that is there already; then the crash of everything, and a stop that leaves virtual addresses.
fn taken_over(speaker: Speaker, spoiled: bool) -> io::Result<String> {
    let mut scene = Scene::new(speaker, &["192.0.2.1/24"])?;
    scene.shell("/sbin/ip addr add 10.9.1.1/24 dev eth1")?;
    scene.stage.until("the monitor has told it", 5, |lab| {
        let told = lines(lab, 0, "monitor", Instant(0));
        told.iter().any(|line| line.contains("10.9.1.1/24"))
    })?;
    let since = scene.stage.note("start");
    let configuration = configuration(&["10.9.1.1/24 dev eth1".into()]);
    scene.start(&configuration, &[])?;
    scene.stage.until_held_by("1", 10)?;
    if spoiled {
        scene.shell("/sbin/ip addr del 10.9.1.1/24 dev eth1")?;
        scene.until_there(&["10.9.1.1"])?;
    }
    scene.tell("taken-over", since)?;
    scene.stage.crash(0)?;
    let daemon = scene.stage.daemon(0);
    scene.stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    let since = scene.stage.note("start with -V");
    scene.start(&configuration, &["-V"])?;
    scene.until_said("Entering MASTER STATE", since, 1)?;
    scene.until_there(&["10.9.1.1", VIP])?;
    let since = scene.stage.note("stop");
    let daemon = scene.stage.daemon(0);
    scene.stage.signal(0, Signal::SIGTERM)?;
    scene.stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    scene.tell("stopped-with-V", since)?;
    scene
        .text
        .push_str(&format!("stopped-with-V holder: {}\n", scene.stage.holders()));
    Ok(scene.text)
}

/// The VRRP process dies, and nobody starts another one.
fn no_successor(speaker: Speaker, spoiled: bool) -> io::Result<String> {
    let mut scene = Scene::new(speaker, &["192.0.2.1/24"])?;
    let options: &[&str] = if spoiled { &[] } else { &["-R"] };
    let configuration = configuration(&["10.9.1.1/24 dev eth1".into()]);
    scene.start(&configuration, options)?;
    scene.stage.until_held_by("1", 10)?;
    scene.until_there(&["10.9.1.1"])?;
    let since = scene.stage.note("the VRRP process dies");
    let daemon = scene.stage.daemon(0);
    scene.shell("kill -9 $(cat /tmp/vrrp.pid)")?;
    if spoiled {
        scene.until_said("Entering BACKUP STATE (init)", since, 1)?;
    } else {
        scene.stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    }
    scene.tell("no-successor", since)?;
    // What is left differs as what was touched.
    let told = scene.text.lines().filter(|line| line.contains("touched"));
    Ok(told.map(|line| format!("{line}\n")).collect())
}

/// The only address of the instance's interface is a static one.
fn source(speaker: Speaker, spoiled: bool) -> io::Result<String> {
    let mut scene = Scene::new(speaker, &[])?;
    let entries = if spoiled {
        vec![]
    } else {
        vec!["192.0.2.1/24 dev eth0".into()]
    };
    scene.start(&configuration(&entries), &[])?;
    // Whoever may take over does so well within this time.
    let vip = VIP.parse().unwrap();
    scene
        .stage
        .lab
        .watch(Micros::from_secs(8), |lab| !lab.holders(vip).is_empty())?;
    let holder = scene.stage.holders();
    scene.text.push_str(&format!("source holder: {holder}\n"));
    Ok(scene.text)
}
