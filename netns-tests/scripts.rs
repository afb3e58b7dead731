//! The scripts of faults.

use crate::cluster::{Kind, Settings};
use Step::{Change, Crash, Cut as CutOff, Fail, Heal, Mend, Pause, Plug, Reload, Start, StartAll, Stop, Unplug};
use std::fmt;

/// What is done to a node, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(usize),
    StartAll,
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
    /// Other further lines of the instance by SIGHUP.
    Later(usize, &'static str),
    /// Waits for a change that comes by itself.
    Change,
    /// The node is heard, but hears nothing.
    Deafen(usize),
    /// The node's link gets the second address that [`crate::cluster::source`] names, or loses it.
    GiveSource(usize),
    TakeSource(usize),
    /// Whether the second node answers every advert of the first one at once.
    Answers(usize, usize),
    /// Kills the first node and says its last advert to the second one again and again: does that one take over?
    Replay(usize, usize),
    /// Whether the node speaks once more after it has heard a better one.
    LastWord(usize),
    /// Reads the notify FIFO of the node from now on.
    Listen(usize),
    /// What was read.
    Told(usize),
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) priorities: &'static [u8],
    /// The kinds that it is played with; none = those of the comparison.
    pub(crate) kinds: &'static [&'static str],
    /// Further lines of the nodes' `global_defs`.
    pub(crate) global: &'static str,
    /// Further blocks of both.
    pub(crate) blocks: &'static str,
    /// Further lines of the first two nodes' instances.
    pub(crate) lines: [&'static str; 2],
    /// Whether vrrpd's instance names its interface.
    pub(crate) interface: bool,
    /// Only the addresses count: masters of keepalived that drop each other's adverts also silence each other (T1).
    pub(crate) by_address: bool,
    pub(crate) tracker: Option<i16>,
    /// Which node wins is a race, also between two of keepalived; that one of them wins is none.
    pub(crate) either: bool,
    pub(crate) steps: &'static [Step],
    pub(crate) twin: &'static str,
    /// Makes the configuration wrong.
    pub(crate) spoil: fn(&mut [Settings]),
}

/// Two nodes, the second one is better.
pub(crate) const BASE: Scenario = Scenario {
    name: "",
    priorities: &[100, 150],
    kinds: &[],
    global: "",
    blocks: "",
    lines: ["", ""],
    interface: true,
    by_address: false,
    tracker: None,
    either: false,
    steps: &[],
    twin: DEAF,
    spoil: deaf,
};

const DEAF: &str = "the second node has another VRID";

fn deaf(settings: &mut [Settings]) {
    settings[1].vrid = 52;
}

pub(crate) const MEEK: &str = "the second node does not preempt";

pub(crate) fn meek(settings: &mut [Settings]) {
    settings[1].lines = "nopreempt";
}

const UNTRACKED: &str = "the check is not tracked";

fn untracked(settings: &mut [Settings]) {
    for of in settings {
        of.tracker = None;
    }
}

/// For pairs.
pub(crate) const PAIRED: &[Scenario] = &[
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
        steps: &[StartAll],
        twin: "the second node has priority 50",
        spoil: |settings| settings[1].priority = 50,
        ..BASE
    },
    Scenario {
        name: "equal-low-first",
        priorities: &[100, 100],
        steps: &[Start(0), Start(1)],
        twin: "the second node has priority 101",
        spoil: |settings| settings[1].priority = 101,
        ..BASE
    },
    Scenario {
        name: "equal-high-first",
        priorities: &[100, 100],
        steps: &[Start(1), Start(0)],
        twin: "the first node has priority 101",
        spoil: |settings| settings[0].priority = 101,
        ..BASE
    },
    Scenario {
        name: "equal-simultaneous",
        priorities: &[100, 100],
        either: true,
        steps: &[StartAll],
        ..BASE
    },
    // Two masters meet: among equals the higher address wins, whoever has been master for longer.
    Scenario {
        name: "equal-meet",
        priorities: &[100, 100],
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
        lines: ["", "preempt_delay 8"],
        steps: &[Start(0), Start(1), Change],
        twin: "the second node preempts at once",
        spoil: |settings| settings[1].lines = "",
        ..BASE
    },
    Scenario {
        name: "nopreempt",
        lines: ["", "nopreempt"],
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
        priorities: &[100, 105],
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

/// The best of all nodes, which is the last one.
pub(crate) const BEST: usize = usize::MAX;

/// Three nodes, or the first two of them, start at the same time; then something happens to the best one.
const TRIO: Scenario = Scenario {
    priorities: &[100, 150, 200],
    ..BASE
};

/// For clusters of every size.
pub(crate) const COMMON: &[Scenario] = &[
    Scenario {
        name: "take-over-and-hand-back",
        steps: &[StartAll, Stop(BEST), Start(BEST)],
        ..TRIO
    },
    Scenario {
        name: "check-fails",
        tracker: Some(-120),
        steps: &[StartAll, Fail(BEST), Heal(BEST)],
        twin: UNTRACKED,
        spoil: untracked,
        ..TRIO
    },
    Scenario {
        name: "new-priority",
        steps: &[StartAll, Reload(BEST, 50), Reload(BEST, 200)],
        ..TRIO
    },
    Scenario {
        name: "killed",
        steps: &[StartAll, Crash(BEST), Start(BEST)],
        ..TRIO
    },
    Scenario {
        name: "frozen",
        steps: &[StartAll, Pause(BEST)],
        ..TRIO
    },
    Scenario {
        name: "cut-off",
        steps: &[StartAll, CutOff(BEST), Mend(BEST)],
        ..TRIO
    },
];

impl Scenario {
    /// Whether a program is run that wants the real root.
    pub(crate) fn runs_checks(&self) -> bool {
        self.tracker.is_some() || self.blocks.contains("vrrp_script")
    }

    pub(crate) fn is_for(&self, kind: &Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind.name)
    }

    /// What is done, for a reader.
    pub(crate) fn words(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(Step::to_string).collect();
        steps.join(", ")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |node: usize| match node {
            BEST => "the best node".to_owned(),
            node => (node + 1).to_string(),
        };
        match *self {
            Start(node) => write!(f, "start {}", of(node)),
            StartAll => write!(f, "start all"),
            Stop(node) => write!(f, "stop {}", of(node)),
            Crash(node) => write!(f, "kill -9 all processes of {}", of(node)),
            Pause(node) => write!(f, "SIGSTOP {} for 5 s, SIGCONT", of(node)),
            Fail(node) => write!(f, "the check of {} fails", of(node)),
            Heal(node) => write!(f, "it succeeds on {} again", of(node)),
            CutOff(node) => write!(f, "cut {} off", of(node)),
            Mend(node) => write!(f, "mend {}", of(node)),
            Unplug(node) => write!(f, "carrier of {} lost", of(node)),
            Plug(node) => write!(f, "carrier of {} back", of(node)),
            Reload(node, priority) => write!(f, "reload {} with priority {priority}", of(node)),
            Self::Later(node, _) => write!(f, "reload {} with other lines", of(node)),
            Self::Replay(one, other) => write!(
                f,
                "kill {} and repeat its adverts: does {} take over?",
                of(one),
                of(other)
            ),
            Change => write!(f, "wait for what comes by itself"),
            Self::Deafen(node) => write!(f, "{} hears nothing", of(node)),
            Self::GiveSource(node) => write!(f, "give {} another address", of(node)),
            Self::TakeSource(node) => write!(f, "take it from {}", of(node)),
            Self::Answers(one, other) => write!(f, "does {} answer {}?", of(other), of(one)),
            Self::LastWord(node) => write!(f, "does {} have the last word?", of(node)),
            Self::Listen(node) => write!(f, "read the FIFO of {}", of(node)),
            Self::Told(node) => write!(f, "what did the FIFO of {} tell?", of(node)),
        }
    }
}
