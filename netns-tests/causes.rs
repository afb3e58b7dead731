//! For every fault that can be injected: the state that follows has the same cause in the status, in `why`, in the log, among
//! the events and in the environment of a notify program, and it is the right one.
//!
//! The oracle is the fault itself. Its twin is another fault that leads to the same state.

use crate::ask::{ask, events, status, until_status};
use crate::check::{Check, Needs};
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io;
use vrrpd::lab::{Cut, NodeId};
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
const OWN: usize = 0;
const PEER: usize = 1;

/// What an operator should read.
struct Fault {
    name: &'static str,
    state: &'static str,
    code: &'static str,
    words: &'static [&'static str],
    play: fn(&mut Scene) -> io::Result<()>,
    twin: &'static str,
    /// The state passes: the log, the events and the programs remember it, the status does not. There its name is this one.
    passes: Option<&'static str>,
}

const FAULT: Fault = Fault {
    name: "",
    state: "FAULT",
    code: "tracker-failed",
    words: &[],
    play: script,
    twin: "the plug is pulled",
    passes: None,
};

const FAULTS: &[Fault] = &[
    Fault {
        name: "startup",
        state: "BACKUP",
        code: "startup",
        words: &["the daemon started"],
        play: startup,
        twin: "it was master, and a better one came",
        ..FAULT
    },
    Fault {
        name: "peer-silent",
        state: "MASTER",
        code: "master-down",
        words: &["master 192.0.2.2 fell silent"],
        play: peer_silent,
        twin: "the master releases",
        ..FAULT
    },
    Fault {
        name: "peer-released",
        state: "MASTER",
        code: "master-released",
        words: &["192.0.2.2", "priority 0"],
        play: peer_released,
        twin: "the master crashes",
        ..FAULT
    },
    Fault {
        name: "better-peer",
        state: "BACKUP",
        code: "higher-priority",
        words: &["192.0.2.2 advertises priority 200, higher than ours, 150"],
        play: better_peer,
        twin: "it is drained",
        ..FAULT
    },
    Fault {
        name: "higher-address",
        state: "BACKUP",
        code: "higher-address",
        words: &["192.0.2.2", "same priority 150"],
        play: higher_address,
        twin: "the other one has a better priority",
        ..FAULT
    },
    Fault {
        name: "weight",
        state: "BACKUP",
        code: "higher-priority",
        words: &["ours fell from 150 to 90", "file tf", "/tmp/tf holds -60"],
        play: weight,
        twin: "it is drained",
        ..FAULT
    },
    Fault {
        name: "preempted",
        state: "MASTER",
        code: "preempted",
        words: &["192.0.2.2 has priority 100, lower than ours, 150", "file tf"],
        play: preempted,
        twin: "the worse master releases",
        ..FAULT
    },
    Fault {
        name: "preempted-by-a-start",
        state: "MASTER",
        code: "preempted",
        words: &["192.0.2.2 has priority 100, lower than ours, 150", "the daemon started"],
        play: preempted_by_a_start,
        twin: "the worse master releases",
        ..FAULT
    },
    Fault {
        name: "script",
        words: &["script chk failed", "exited with status 1"],
        play: script,
        ..FAULT
    },
    Fault {
        name: "file",
        words: &["file tf failed", "/tmp/tf holds 7"],
        play: file,
        ..FAULT
    },
    Fault {
        name: "process",
        words: &["process tp failed", "0 /bin/sleep running, at least 1 should"],
        play: process,
        ..FAULT
    },
    Fault {
        name: "fault-gone",
        state: "BACKUP",
        code: "fault-cleared",
        words: &["the last fault has gone: file tf had failed (/tmp/tf holds 7)"],
        play: fault_gone,
        twin: "another fault has gone",
        ..FAULT
    },
    Fault {
        name: "returned",
        state: "MASTER",
        code: "preempted",
        words: &[
            "192.0.2.2 has priority 100",
            "our last fault has gone: interface eth0 was down",
        ],
        play: returned,
        twin: "another fault has gone",
        ..FAULT
    },
    Fault {
        name: "group",
        code: "group",
        words: &["sync group G", "member VI_2", "file tf failed"],
        play: group,
        ..FAULT
    },
    Fault {
        name: "interface",
        code: "interface-down",
        words: &["interface eth0 is down"],
        play: interface,
        twin: "a tracked file says so",
        ..FAULT
    },
    Fault {
        name: "tracked-interface",
        code: "interface-down",
        words: &["interface eth1 is down"],
        play: tracked_interface,
        twin: "the own interface loses its plug",
        ..FAULT
    },
    Fault {
        name: "address",
        code: "no-source-address",
        words: &["interface eth0 has no address to send from"],
        play: address,
        ..FAULT
    },
    Fault {
        name: "drain",
        state: "BACKUP",
        code: "drained",
        words: &["it was drained for maintenance, until `vrrpd resume`"],
        play: drain,
        twin: "its priority falls",
        ..FAULT
    },
    Fault {
        name: "stall",
        state: "BACKUP",
        code: "stalled",
        words: &["the process did not run for"],
        play: stall,
        twin: "it runs, and a better one comes",
        ..FAULT
    },
    Fault {
        name: "reload",
        state: "FAULT",
        code: "reload",
        words: &["the configuration changed"],
        play: reload,
        twin: "the plug is pulled",
        passes: Some("INIT"),
    },
    Fault {
        name: "shutdown",
        state: "STOP",
        code: "shutdown",
        words: &["the daemon stops"],
        play: shutdown,
        twin: "it is reloaded",
        passes: Some("INIT"),
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |fault: &Fault| {
        let (oracle, twin) = ("the fault that was injected", (fault.twin, "the cause"));
        let needs = [Needs::Program(KEEPALIVED)];
        Check::of_one_run(&format!("causes {}", fault.name), oracle, twin, &needs)
    };
    FAULTS.iter().map(check).collect()
}

/// Outside of the instances, and in the first one.
const PLAIN: [&str; 2] = ["", ""];
const FILE: [&str; 2] = ["track_file tf {\n file /tmp/tf\n}\n", "track_file {\n tf\n }"];
const FILE_FAULT: [&str; 2] = [FILE[0], "track_file {\n tf weight 0\n }"];

fn own([blocks, lines]: [&str; 2]) -> String {
    let tell = "notify \"/bin/sh /tmp/told.sh\"\n notify_stop \"/bin/sh /tmp/told.sh\"";
    // An ordinary user's daemon cannot change users, so none is named.
    format!("{blocks}{}", instance(51, 150, &format!("{tell}\n {lines}")))
}

fn instance(vrid: u8, priority: u8, lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n version 3\n advert_int 0.5\n priority {priority}\n virtual_ipaddress {{\n {VIP}/32\n }}\n {lines}\n}}\n"
    )
}

/// Written under another name first: a reader never sees half of it.
const TELL: &str = "env | grep ^VRRPD_ >/tmp/new.$$\nmv /tmp/new.$$ /tmp/told.$VRRPD_STATE\n";

struct Scene {
    stage: Stage,
    fault: &'static Fault,
    spoiled: bool,
    report: Vec<String>,
}

impl Scene {
    fn holds(&mut self, what: &str, good: bool) {
        self.report.push(format!("{what}: {} 1 1", u8::from(good)));
    }

    /// vrrpd, which becomes master, and beside it perhaps a keepalived of this priority.
    fn master(&mut self, lines: [&str; 2], peer: Option<u8>) -> io::Result<()> {
        self.stage.start(OWN, Speaker::Vrrpd, &own(lines))?;
        self.stage.until_held_by("1", 15)?;
        if let Some(priority) = peer {
            self.peer(priority)?;
            self.stage.settled()?;
        }
        Ok(())
    }

    fn peer(&mut self, priority: u8) -> io::Result<()> {
        self.stage.start(PEER, Speaker::Keepalived, &instance(51, priority, ""))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.stage.note(format!("echo {text} >tf"));
        self.stage.write(OWN, "tf", text)
    }

    fn plug(&mut self, up: bool) -> io::Result<()> {
        self.stage.note(format!("the plug is in: {up}"));
        self.stage.lab.set_carrier(NodeId(OWN), up)
    }

    fn ip(&mut self, words: &str) -> io::Result<()> {
        let words: Vec<&str> = ["/sbin/ip"].into_iter().chain(words.split(' ')).collect();
        let run = self.stage.run(OWN, "ip", &words)?;
        self.stage.until("ip ends", 5, |lab| !lab.runs(run))
    }

    /// The twin's fault, or this one.
    fn either(
        &mut self,
        fault: fn(&mut Self) -> io::Result<()>,
        twin: fn(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.spoiled { twin(self) } else { fault(self) }
    }

    /// What a notify program of that state was told: reason, and in words.
    fn environment(&self) -> Option<[String; 2]> {
        let tmp = self.stage.lab.node(NodeId(OWN))?.tmp();
        let text = fs::read_to_string(tmp.join(format!("told.{}", self.fault.state))).ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        Some([value("VRRPD_REASON=")?, value("VRRPD_REASON_TEXT=")?])
    }

    /// The places agree with each other and with the fault.
    fn judge(&mut self) -> io::Result<()> {
        let Fault {
            state,
            code,
            passes,
            words,
            ..
        } = *self.fault;
        let mut text = None;
        if passes.is_none() {
            let is = |status: &Value| {
                let instance = &status["instances"][0];
                instance["state"] == state && instance["reason"] == code
            };
            let shown = until_status(&mut self.stage, OWN, 10, is)?;
            self.holds("the cause in the status", shown);
            if !shown {
                return Ok(());
            }
            let shown = status(&mut self.stage, OWN)?["instances"][0]["reason_text"].clone();
            text = shown.as_str().map(str::to_owned);
            let why = ask(&mut self.stage, OWN, "why VI_1")?.text;
            let said = format!("because {}.", text.as_deref().unwrap_or("?"));
            let why = why.starts_with(&format!("VI_1 is {state} since ")) && why.contains(&said);
            self.holds("the cause in why", why);
        }
        let known = |scene: &Self| {
            let [reason, told] = scene.environment()?;
            (reason == code && text.as_ref().is_none_or(|text| *text == told)).then_some(told)
        };
        let mut told = None;
        for _ in 0..100 {
            told = known(self);
            if told.is_some() {
                break;
            }
            // Nothing tells that a program has written its file.
            self.stage.look_on(Micros::from_millis(100))?;
        }
        self.holds("the cause in the environment", told.is_some());
        let Some(text) = told else { return Ok(()) };
        for word in words {
            self.holds(&format!("the cause has {word}, found {text}"), text.contains(word));
        }
        let state = passes.unwrap_or(state);
        let line = format!("(VI_1) is {state} because {text}");
        let lines = self.stage.lines(OWN, "vrrp", Instant(0));
        self.holds("the cause in the log", lines.iter().any(|said| said.ends_with(&line)));
        if code == "shutdown" {
            // Nobody is left to ask.
            return Ok(());
        }
        let is = |event: &Value| {
            let ends = event["text"].as_str().is_some_and(|told| told.ends_with(&text));
            event["kind"] == "transition" && event["to"] == state && event["code"] == code && ends
        };
        let found = events(&mut self.stage, OWN)?.iter().any(is);
        self.holds("the cause among the events", found);
        Ok(())
    }
}

fn startup(scene: &mut Scene) -> io::Result<()> {
    if scene.spoiled {
        scene.master(PLAIN, None)?;
        return scene.peer(200);
    }
    scene.peer(200)?;
    scene.stage.until_held_by("2", 15)?;
    scene.stage.start(OWN, Speaker::Vrrpd, &own(PLAIN))
}

/// It is the backup of a better one.
fn behind(scene: &mut Scene) -> io::Result<()> {
    scene.peer(200)?;
    scene.stage.until_held_by("2", 15)?;
    scene.stage.start(OWN, Speaker::Vrrpd, &own(PLAIN))?;
    let heard = |status: &Value| !status["instances"][0]["master"].is_null();
    until_status(&mut scene.stage, OWN, 10, heard).map(drop)
}

fn crash(scene: &mut Scene) -> io::Result<()> {
    scene.stage.crash(PEER)
}

fn release(scene: &mut Scene) -> io::Result<()> {
    scene.stage.signal(PEER, Signal::SIGTERM)
}

fn peer_silent(scene: &mut Scene) -> io::Result<()> {
    behind(scene)?;
    scene.either(crash, release)
}

fn peer_released(scene: &mut Scene) -> io::Result<()> {
    behind(scene)?;
    scene.either(release, crash)
}

fn order_drain(scene: &mut Scene) -> io::Result<()> {
    ask(&mut scene.stage, OWN, "drain VI_1").map(drop)
}

fn better_peer(scene: &mut Scene) -> io::Result<()> {
    let peer = scene.spoiled.then_some(100);
    scene.master(PLAIN, peer)?;
    scene.either(|scene| scene.peer(200), order_drain)
}

/// They meet as masters.
fn higher_address(scene: &mut Scene) -> io::Result<()> {
    scene.stage.lab.cut(NodeId(OWN), Cut::Both)?;
    scene.master(PLAIN, None)?;
    scene.peer(if scene.spoiled { 160 } else { 150 })?;
    scene.stage.until_held_by("12", 15)?;
    scene.stage.note("mend the cable");
    scene.stage.lab.heal(NodeId(OWN))
}

fn weight(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE, Some(100))?;
    scene.either(|scene| scene.write("-60"), order_drain)
}

fn drain(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE, Some(100))?;
    scene.either(order_drain, |scene| scene.write("-60"))
}

fn preempted(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE, Some(100))?;
    scene.write("-60")?;
    scene.stage.until_held_by("2", 15)?;
    scene.either(|scene| scene.write("0"), release)
}

fn preempted_by_a_start(scene: &mut Scene) -> io::Result<()> {
    scene.peer(100)?;
    scene.stage.until_held_by("2", 15)?;
    scene.stage.start(OWN, Speaker::Vrrpd, &own(PLAIN))?;
    scene.either(|_| Ok(()), release)
}

fn unplug(scene: &mut Scene) -> io::Result<()> {
    scene.plug(false)
}

fn script(scene: &mut Scene) -> io::Result<()> {
    let check = "vrrp_script chk {\n script \"/usr/bin/test ! -e /tmp/ill\"\n interval 1\n}\n";
    scene.master([check, "track_script {\n chk\n }"], None)?;
    scene.either(|scene| scene.stage.write(OWN, "ill", ""), unplug)
}

fn file(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE_FAULT, None)?;
    scene.either(|scene| scene.write("7"), unplug)
}

fn process(scene: &mut Scene) -> io::Result<()> {
    let blocks = "vrrp_track_process tp {\n process /bin/sleep 54321\n}\n";
    let service = scene.stage.run(OWN, "service", &["/bin/sleep", "54321"])?;
    scene.master([blocks, "track_process {\n tp\n }"], None)?;
    if scene.spoiled {
        return scene.plug(false);
    }
    scene.stage.note("the service dies");
    scene.stage.lab.signal(service, Signal::SIGKILL)
}

/// A fault of this kind comes and goes.
fn interlude(scene: &mut Scene, of_file: bool) -> io::Result<()> {
    let change = |scene: &mut Scene, ill: bool| match (of_file, ill) {
        (true, true) => scene.write("7"),
        (true, false) => scene.write("0"),
        (false, _) => scene.plug(!ill),
    };
    change(scene, true)?;
    let faulty = |status: &Value| status["instances"][0]["state"] == "FAULT";
    until_status(&mut scene.stage, OWN, 10, faulty)?;
    scene.stage.until_held_by("2", 15)?;
    change(scene, false)
}

fn fault_gone(scene: &mut Scene) -> io::Result<()> {
    scene.peer(200)?;
    scene.stage.until_held_by("2", 15)?;
    scene.stage.start(OWN, Speaker::Vrrpd, &own(FILE_FAULT))?;
    interlude(scene, !scene.spoiled)
}

fn returned(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE_FAULT, Some(100))?;
    interlude(scene, scene.spoiled)
}

fn group(scene: &mut Scene) -> io::Result<()> {
    let other = instance(52, 150, FILE_FAULT[1])
        .replace("VI_1", "VI_2")
        .replace(VIP, "192.0.2.101");
    let blocks = format!(
        "{}vrrp_sync_group G {{\n group {{\n VI_1\n VI_2\n }}\n}}\n{other}",
        FILE[0]
    );
    // The first instance of the status is the one that is asked for.
    let text = own(PLAIN);
    let text =
        text.replacen("vrrp_instance", &format!("{}vrrp_instance", FILE[0]), 1) + &blocks.replacen(FILE[0], "", 1);
    scene.stage.start(OWN, Speaker::Vrrpd, &text)?;
    scene.stage.until_held_by("1", 15)?;
    scene.either(|scene| scene.write("7"), unplug)
}

fn interface(scene: &mut Scene) -> io::Result<()> {
    scene.master(FILE_FAULT, None)?;
    scene.either(unplug, |scene| scene.write("7"))
}

fn tracked_interface(scene: &mut Scene) -> io::Result<()> {
    let other = scene.stage.lab.add_bridge()?;
    let address = "198.51.100.1".parse().map_err(io::Error::other)?;
    scene
        .stage
        .lab
        .plug_into(NodeId(OWN), other, "eth1", &[(address, 24)])?;
    scene.master(["", "track_interface {\n eth1\n }"], None)?;
    let link = if scene.spoiled { "eth0" } else { "eth1" };
    scene.stage.note(format!("pull the plug of {link}"));
    scene.stage.lab.set_link_carrier(NodeId(OWN), Some(link), false)
}

fn address(scene: &mut Scene) -> io::Result<()> {
    scene.master(PLAIN, None)?;
    scene.either(|scene| scene.ip("addr del 192.0.2.1/24 dev eth0"), unplug)
}

fn stall(scene: &mut Scene) -> io::Result<()> {
    scene.master(["", "nopreempt\n timer_expired_backup"], Some(100))?;
    if scene.spoiled {
        scene.stage.signal(PEER, Signal::SIGTERM)?;
        let peer = scene.stage.daemon(PEER);
        scene.stage.until("keepalived ends", 10, |lab| !lab.runs(peer))?;
        return scene.peer(200);
    }
    scene.stage.signal_all(OWN, Signal::SIGSTOP)?;
    scene.stage.until_held_by("12", 15)?;
    scene.stage.look_on(Micros::from_secs(1))?;
    scene.stage.signal_all(OWN, Signal::SIGCONT)
}

/// Another VRID is another router.
fn reload(scene: &mut Scene) -> io::Result<()> {
    scene.master(PLAIN, None)?;
    if scene.spoiled {
        return scene.plug(false);
    }
    let other = own(PLAIN).replace("virtual_router_id 51", "virtual_router_id 53");
    scene.stage.write(OWN, "vrrp.conf", &other)?;
    scene.stage.signal(OWN, Signal::SIGHUP)
}

fn shutdown(scene: &mut Scene) -> io::Result<()> {
    scene.master(PLAIN, None)?;
    let signal = if scene.spoiled { Signal::SIGHUP } else { Signal::SIGTERM };
    scene.stage.signal(OWN, signal)
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, spoiled @ ..] = words else {
        return Err(io::Error::other("fault, perhaps spoiled"));
    };
    let fault = FAULTS.iter().find(|fault| fault.name == *name).unwrap();
    let nodes = [node("node1", &["192.0.2.1/24"]), node("node2", &["192.0.2.2/24"])];
    let stage = Stage::new(nodes.into(), VIP.parse().unwrap(), Micros::from_millis(2_800))?;
    let mut scene = Scene {
        stage,
        fault,
        spoiled: !spoiled.is_empty(),
        report: Vec::new(),
    };
    scene.stage.write(OWN, "told.sh", TELL)?;
    scene.stage.write(OWN, "tf", "0")?;
    (fault.play)(&mut scene)?;
    scene.judge()?;
    Ok(scene.report.join("\n"))
}
