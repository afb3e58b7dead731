//! Elections under a script of faults: who holds the address after each step. keepalived is the oracle: a pair of them
//! first, then the mixed pairs in both roles, then vrrpd alone.

use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::seed::needs;
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use std::io;
use std::net::IpAddr;
use vrrpd::lab::{Cut, NodeId};
use vrrpd::model::Micros;

/// How the nodes speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    V2Pass,
    V2Ah,
    V3Ipv4,
    V3Ipv6,
    Unicast,
}

const KINDS: [(&str, Kind); 5] = [
    ("v2-pass", Kind::V2Pass),
    ("v2-ah", Kind::V2Ah),
    ("v3-ipv4", Kind::V3Ipv4),
    ("v3-ipv6", Kind::V3Ipv6),
    ("unicast", Kind::Unicast),
];

impl Kind {
    fn vip(self) -> IpAddr {
        match self {
            Self::V3Ipv6 => "2001:db8:1::100".parse().unwrap(),
            _ => "192.0.2.100".parse().unwrap(),
        }
    }

    fn calm(self) -> Micros {
        match self {
            Self::V2Pass | Self::V2Ah => Micros::from_millis(4_700),
            _ => Micros::from_millis(2_500),
        }
    }
}

/// What differs between nodes.
#[derive(Debug, Clone, Copy)]
struct Settings {
    priority: u8,
    vrid: u8,
    /// Further lines of the instance.
    lines: &'static str,
    /// Weight of the check.
    tracker: Option<i16>,
}

/// What is done to a node, 0 or 1.
#[derive(Debug, Clone, Copy)]
enum Step {
    Start(usize),
    StartBoth,
    Stop(usize),
    Crash(usize),
    Pause(usize),
    Fail(usize),
    Heal(usize),
    Cut(usize),
    Mend(usize),
    /// The node's link loses its carrier.
    Unplug(usize),
    Plug(usize),
    /// A new priority by SIGHUP.
    Reload(usize, u8),
    /// Waits for a change that comes by itself.
    Change,
}

struct Scenario {
    name: &'static str,
    priorities: [u8; 2],
    /// Further lines of the second node's instance.
    lines: &'static str,
    tracker: Option<i16>,
    /// Which node wins is a race, also between two of keepalived; that one of them wins is none.
    either: bool,
    steps: &'static [Step],
    twin: &'static str,
    /// Makes the configuration wrong.
    spoil: fn(&mut [Settings; 2]),
}

use Step::{Change, Crash, Cut as CutOff, Fail, Heal, Mend, Pause, Plug, Reload, Start, StartBoth, Stop, Unplug};

/// Two nodes, the second one is better.
const BASE: Scenario = Scenario {
    name: "",
    priorities: [100, 150],
    lines: "",
    tracker: None,
    either: false,
    steps: &[],
    twin: DEAF,
    spoil: deaf,
};

const DEAF: &str = "the second node has another VRID";

fn deaf(settings: &mut [Settings; 2]) {
    settings[1].vrid = 52;
}

const MEEK: &str = "the second node does not preempt";

fn meek(settings: &mut [Settings; 2]) {
    settings[1].lines = "nopreempt";
}

const UNTRACKED: &str = "the check is not tracked";

fn untracked(settings: &mut [Settings; 2]) {
    for of in settings {
        of.tracker = None;
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "lower-first",
        steps: &[Start(0), Start(1)],
        twin: MEEK,
        spoil: meek,
        ..BASE
    },
    Scenario {
        name: "higher-first",
        steps: &[Start(1), Start(0)],
        twin: "the first node has priority 200",
        spoil: |settings| settings[0].priority = 200,
        ..BASE
    },
    Scenario {
        name: "simultaneous",
        steps: &[StartBoth],
        twin: "the second node has priority 50",
        spoil: |settings| settings[1].priority = 50,
        ..BASE
    },
    Scenario {
        name: "equal-low-first",
        priorities: [100, 100],
        steps: &[Start(0), Start(1)],
        twin: "the second node has priority 101",
        spoil: |settings| settings[1].priority = 101,
        ..BASE
    },
    Scenario {
        name: "equal-high-first",
        priorities: [100, 100],
        steps: &[Start(1), Start(0)],
        twin: "the first node has priority 101",
        spoil: |settings| settings[0].priority = 101,
        ..BASE
    },
    Scenario {
        name: "equal-simultaneous",
        priorities: [100, 100],
        either: true,
        steps: &[StartBoth],
        ..BASE
    },
    // Two masters meet: among equals the higher address wins, whoever has been master for longer.
    Scenario {
        name: "equal-meet",
        priorities: [100, 100],
        steps: &[CutOff(0), Start(0), Start(1), Mend(0)],
        twin: "the first node has priority 101",
        spoil: |settings| settings[0].priority = 101,
        ..BASE
    },
    Scenario {
        name: "preempt",
        steps: &[Start(1), Start(0), Stop(1), Start(1)],
        twin: MEEK,
        spoil: meek,
        ..BASE
    },
    Scenario {
        name: "preempt-delay",
        lines: "preempt_delay 8",
        steps: &[Start(0), Start(1), Change],
        twin: "the second node preempts at once",
        spoil: |settings| settings[1].lines = "",
        ..BASE
    },
    Scenario {
        name: "nopreempt",
        lines: "nopreempt",
        steps: &[Start(0), Start(1), Stop(0), Start(0)],
        twin: "the second node preempts",
        spoil: |settings| settings[1].lines = "",
        ..BASE
    },
    Scenario {
        name: "crash",
        steps: &[Start(0), Start(1), Crash(1), Start(1)],
        twin: MEEK,
        spoil: meek,
        ..BASE
    },
    Scenario {
        name: "stop",
        steps: &[Start(0), Start(1), Stop(1)],
        ..BASE
    },
    Scenario {
        name: "pause",
        steps: &[Start(0), Start(1), Pause(1)],
        ..BASE
    },
    Scenario {
        name: "tracker-negative",
        tracker: Some(-60),
        steps: &[Start(0), Start(1), Fail(1), Heal(1)],
        twin: UNTRACKED,
        spoil: untracked,
        ..BASE
    },
    Scenario {
        name: "tracker-positive",
        priorities: [100, 105],
        tracker: Some(11),
        steps: &[Start(0), Start(1), Fail(1), Heal(1)],
        twin: UNTRACKED,
        spoil: untracked,
        ..BASE
    },
    Scenario {
        name: "tracker-fault",
        tracker: Some(0),
        steps: &[Start(0), Start(1), Fail(1), Heal(1)],
        twin: UNTRACKED,
        spoil: untracked,
        ..BASE
    },
    Scenario {
        name: "partition",
        steps: &[Start(0), Start(1), CutOff(1), Mend(1)],
        ..BASE
    },
    Scenario {
        name: "unplugged",
        steps: &[Start(0), Start(1), Unplug(1), Plug(1)],
        twin: MEEK,
        spoil: meek,
        ..BASE
    },
    Scenario {
        name: "reload",
        steps: &[Start(0), Start(1), Reload(0, 200), Reload(0, 100)],
        ..BASE
    },
];

const PAIRS: [&str; 4] = ["kk", "kv", "vk", "vv"];

pub(crate) fn checks() -> Vec<Check> {
    let check = |kind: &str, scenario: &Scenario| {
        let job = |pair: &str| format!("election {kind} {} {pair}", scenario.name);
        Check {
            name: format!("election::{kind}::{}", scenario.name),
            jobs: PAIRS.iter().map(|pair| job(pair)).collect(),
            judge: same,
            oracle: "two keepalived nodes; addresses in the nodes' kernels",
            twin: Twin {
                what: scenario.twin.to_owned(),
                sees: "spoiled",
                jobs: vec![job("kk"), format!("{} spoiled", job("vv"))],
            },
            needs: match scenario.tracker {
                Some(_) => needs(&[KEEPALIVED]),
                None => vec![Needs::Program(KEEPALIVED)],
            },
        }
    };
    KINDS
        .iter()
        .flat_map(|(kind, _)| SCENARIOS.iter().map(move |scenario| check(kind, scenario)))
        .collect()
}

/// All did what the first one did.
pub(crate) fn same(seen: &[&Outcome]) -> Result<(), String> {
    if seen.iter().all(|other| other.text == seen[0].text) && !seen[0].text.is_empty() {
        return Ok(());
    }
    let lines = seen.iter().map(|of| format!("    {}: {}", of.job, of.text));
    Err(lines.collect::<Vec<_>>().join("\n"))
}

fn address(node: usize) -> String {
    format!("192.0.2.{}", node + 1)
}

/// The configuration of a node; keepalived and vrrpd read the same.
fn configuration(kind: Kind, node: usize, settings: Settings) -> String {
    let (interval, version) = match kind {
        Kind::V2Pass | Kind::V2Ah => ("1", 2),
        _ => ("0.5", 3),
    };
    let extra = match kind {
        Kind::V2Pass => "authentication {\n auth_type PASS\n auth_pass 1111\n }".to_owned(),
        Kind::V2Ah => "authentication {\n auth_type AH\n auth_pass s3cr3tAH\n }".to_owned(),
        Kind::V3Ipv4 | Kind::V3Ipv6 => String::new(),
        Kind::Unicast => {
            let peer = address(1 - node);
            format!("unicast_src_ip {}\n unicast_peer {{\n {peer}\n }}", address(node))
        }
    };
    let vips = match kind {
        Kind::V3Ipv6 => "fe80::100/64\n 2001:db8:1::100/64",
        _ => "192.0.2.100/24",
    };
    let (script, track) = match settings.tracker {
        Some(weight) => (
            format!("vrrp_script chk {{\n script \"/usr/bin/test -e /tmp/well\"\n interval 1\n weight {weight}\n}}\n"),
            "track_script {\n chk\n }",
        ),
        None => (String::new(), ""),
    };
    let Settings {
        priority, vrid, lines, ..
    } = settings;
    format!(
        "global_defs {{\n router_id node\n enable_script_security\n script_user root\n}}\n{script}vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n priority {priority}\n version {version}\n advert_int {interval}\n {lines}\n {extra}\n virtual_ipaddress {{\n {vips}\n }}\n {track}\n}}\n"
    )
}

struct Election {
    stage: Stage,
    kind: Kind,
    speakers: Vec<Speaker>,
    settings: [Settings; 2],
    seen: Vec<String>,
}

impl Election {
    fn start(&mut self, node: usize) -> io::Result<()> {
        let text = configuration(self.kind, node, self.settings[node]);
        self.stage.start(node, self.speakers[node], &text)
    }

    fn step(&mut self, step: Step) -> io::Result<()> {
        self.stage.note(format!("{step:?}"));
        let lab = &mut self.stage.lab;
        match step {
            Start(node) => self.start(node),
            StartBoth => self.start(0).and_then(|()| self.start(1)),
            Stop(node) => self.stage.signal(node, Signal::SIGTERM),
            Crash(node) => self.stage.crash(node),
            Pause(node) => {
                self.stage.signal_all(node, Signal::SIGSTOP)?;
                // The pause is the fault itself: 5 s, whatever happens meanwhile.
                self.stage.look_on(Micros::from_secs(5))?;
                self.seen.push(format!("paused:{}", self.stage.holders()));
                self.stage.signal_all(node, Signal::SIGCONT)
            }
            Fail(node) => self.stage.remove(node, "well"),
            Heal(node) => self.stage.write(node, "well", ""),
            CutOff(node) => lab.cut(NodeId(node), Cut::Both),
            Mend(node) => lab.heal(NodeId(node)),
            Unplug(node) => lab.set_carrier(NodeId(node), false),
            Plug(node) => lab.set_carrier(NodeId(node), true),
            Reload(node, priority) => {
                self.settings[node].priority = priority;
                let text = configuration(self.kind, node, self.settings[node]);
                self.stage.write(node, "vrrp.conf", &text)?;
                self.stage.signal(node, Signal::SIGHUP)
            }
            Change => {
                let (before, vip) = (lab.holders(self.kind.vip()), self.kind.vip());
                lab.watch(Micros::from_secs(15), |lab| lab.holders(vip) != before)
                    .map(drop)
            }
        }
    }
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [kind, name, pair, spoiled @ ..] = words else {
        return Err(io::Error::other("kind, scenario, pair, perhaps spoiled"));
    };
    let kind = KINDS.iter().find(|(known, _)| known == kind).unwrap().1;
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).unwrap();
    let of = |node: usize| Settings {
        priority: scenario.priorities[node],
        vrid: 51,
        lines: if node == 1 { scenario.lines } else { "" },
        tracker: scenario.tracker,
    };
    let mut settings = [of(0), of(1)];
    if !spoiled.is_empty() {
        (scenario.spoil)(&mut settings);
    }
    let specs = (0..2).map(|index| {
        let six = format!("2001:db8:1::{}/64", index + 1);
        node(
            &format!("node{}", index + 1),
            &[&format!("{}/24", address(index)), &six],
        )
    });
    let stage = Stage::new(specs.collect(), kind.vip(), kind.calm())?;
    for index in 0..2 {
        stage.write(index, "well", "")?;
    }
    let mut election = Election {
        stage,
        kind,
        speakers: pair.chars().map(Speaker::of).collect(),
        settings,
        seen: Vec::new(),
    };
    for step in scenario.steps {
        election.step(*step)?;
        let holders = election.stage.settled()?;
        let holders = match (scenario.either, holders.as_str()) {
            (true, "1" | "2") => "one".to_owned(),
            _ => holders,
        };
        election.seen.push(holders);
    }
    Ok(election.seen.join(" "))
}
