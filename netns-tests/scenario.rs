//! Elections under a script of faults: who holds the address after each step.

use crate::cluster::{Cluster, Kind, Settings};
use crate::jobs::Check;
use nix::sys::signal::Signal;
use std::io;
use vrrpd::lab::{Cut, NodeId};
use vrrpd::model::Micros;

/// What is done to a node, 0 or 1.
#[derive(Debug, Clone, Copy)]
enum Step {
    Start(usize),
    Stop(usize),
    Crash(usize),
    Pause(usize),
    Fail(usize),
    Heal(usize),
    Cut(usize),
    Mend(usize),
}

struct Scenario {
    name: &'static str,
    priorities: [u8; 2],
    /// Of the second node.
    nopreempt: bool,
    tracker: bool,
    steps: &'static [Step],
}

use Step::{Crash, Cut as CutOff, Fail, Heal, Mend, Pause, Start, Stop};

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "lower-first",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1)],
    },
    Scenario {
        name: "higher-first",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(1), Start(0)],
    },
    Scenario {
        name: "equal-low-first",
        priorities: [100, 100],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1)],
    },
    Scenario {
        name: "equal-high-first",
        priorities: [100, 100],
        nopreempt: false,
        tracker: false,
        steps: &[Start(1), Start(0)],
    },
    Scenario {
        name: "nopreempt",
        priorities: [100, 150],
        nopreempt: true,
        tracker: false,
        steps: &[Start(0), Start(1), Stop(0), Start(0)],
    },
    Scenario {
        name: "crash",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1), Crash(1), Start(1)],
    },
    Scenario {
        name: "stop",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1), Stop(1), Start(1)],
    },
    Scenario {
        name: "pause",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1), Pause(1)],
    },
    Scenario {
        name: "tracker",
        priorities: [100, 150],
        nopreempt: false,
        tracker: true,
        steps: &[Start(0), Start(1), Fail(1), Heal(1)],
    },
    Scenario {
        name: "partition",
        priorities: [100, 150],
        nopreempt: false,
        tracker: false,
        steps: &[Start(0), Start(1), CutOff(1), Mend(1)],
    },
];

/// The oracle first, then the mixed pairs in both roles, then ours alone.
const PAIRS: [&str; 4] = ["kk", "kv", "vk", "vv"];

pub(crate) fn checks() -> Vec<Check> {
    let check = |(kind, _): (&str, Kind), scenario: &Scenario| Check {
        name: format!("election::{kind}::{}", scenario.name),
        jobs: PAIRS
            .iter()
            .map(|pair| format!("election {kind} {} {pair}", scenario.name))
            .collect(),
        judge: same,
    };
    Kind::ALL
        .into_iter()
        .flat_map(|kind| SCENARIOS.iter().map(move |scenario| check(kind, scenario)))
        .collect()
}

/// All did what the first one did.
pub(crate) fn same(seen: &[&str]) -> Result<(), String> {
    if seen.iter().all(|other| *other == seen[0]) && !seen[0].starts_with("FAILED") {
        return Ok(());
    }
    Err(PAIRS
        .iter()
        .zip(seen)
        .map(|(pair, seen)| format!("    {pair}: {seen}"))
        .collect::<Vec<_>>()
        .join("\n"))
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [kind, name, pair] = words else {
        return Err(io::Error::other("kind, scenario, pair"));
    };
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).unwrap();
    let settings: Vec<Settings> = (0..2)
        .map(|node| Settings {
            priority: scenario.priorities[node],
            nopreempt: scenario.nopreempt && node == 1,
            tracker: scenario.tracker,
        })
        .collect();
    let mut cluster = Cluster::new(Kind::named(kind), pair, &settings)?;
    let mut seen = Vec::new();
    for step in scenario.steps {
        match *step {
            Start(node) => cluster.start(node)?,
            Stop(node) => cluster.signal(node, Signal::SIGTERM)?,
            Crash(node) => {
                cluster.signal_all(node, Signal::SIGSTOP)?;
                cluster.signal_all(node, Signal::SIGKILL)?;
            }
            Pause(node) => {
                cluster.signal_all(node, Signal::SIGSTOP)?;
                // The pause is the fault itself: 5 s, whatever happens meanwhile.
                cluster.lab.watch(Micros::from_secs(5), |_| false)?;
                let vip = cluster.kind.vip();
                let holders: String = cluster
                    .lab
                    .holders(vip)
                    .iter()
                    .map(|id| (id.0 + 1).to_string())
                    .collect();
                seen.push(format!("paused:{holders}"));
                cluster.signal_all(node, Signal::SIGCONT)?;
            }
            Fail(node) => cluster.set_well(node, false)?,
            Heal(node) => cluster.set_well(node, true)?,
            CutOff(node) => cluster.lab.cut(NodeId(node), Cut::Both)?,
            Mend(node) => cluster.lab.heal(NodeId(node))?,
        }
        seen.push(cluster.holders()?);
    }
    Ok(seen.join(" "))
}
