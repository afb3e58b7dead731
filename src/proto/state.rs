//! The core's memory as a value, with deadlines as remaining time: for a respawn, golden tests and the simulator.
//!
//! What goes over to the next process: what an operator has decided (drains) or wants to look at (counters, peers, numbers of
//! transitions), what saves a flap (conditions of trackers, the learned interval), and what keeps adverts authentic. What does
//! not: the state itself. The guard has removed the addresses, others have taken over or are about to, and nothing was heard
//! meanwhile: every instance begins as a backup that listens for a whole Master_Down_Interval.

use super::Core;
use super::counters::Counters;
use super::counters::believable;
use super::instance::{Drain, Instance, Memory, PeerState, State as InstancePhase};
use super::mutant::{Mutant, Mutation};
use super::reason::TrackerKind;
use super::snapshot::TrackerStatus;
use super::tracking::Tracker;
use crate::model::{AdvertInterval, Family, IfName, Instant, Micros, Model, Vrid};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Layout of [`State`].
const VERSION: u32 = 2;

/// What a core remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Layout of this value: 2.
    pub version: u32,
    /// Its parts.
    pub parts: Vec<Remembered>,
}

impl State {
    /// The state that these parts make up.
    #[must_use]
    pub const fn of(parts: Vec<Remembered>) -> Self {
        Self {
            version: VERSION,
            parts,
        }
    }
}

/// One part of the memory. Each is told when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remembered {
    /// An instance.
    #[serde(rename = "i")]
    Instance(Box<InstanceState>),
    /// A tracker.
    #[serde(rename = "t")]
    Tracker(TrackerState),
    /// A sync group: its name and how often it has changed its state.
    #[serde(rename = "g")]
    Group(Arc<str>, u64),
    /// The drain of the whole node.
    #[serde(rename = "n")]
    Node(Option<DrainState>),
}

impl Remembered {
    /// A newer part of the same key replaces this one.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Instance(instance) => {
                let interface = instance.interface.as_ref().map_or("", IfName::as_str);
                format!(
                    "i {interface} {} {}",
                    if instance.family == Family::Ipv4 { 4 } else { 6 },
                    instance.vrid
                )
            }
            Self::Tracker(tracker) => format!("t {} {}", tracker.kind.as_str(), tracker.name),
            Self::Group(name, _) => format!("g {name}"),
            Self::Node(_) => "n".into(),
        }
    }
}

/// What is remembered of an instance. It is found again by link, family and VRID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Name, for people.
    #[serde(rename = "n")]
    pub name: Arc<str>,
    /// VRID.
    #[serde(rename = "v")]
    pub vrid: Vrid,
    /// Family.
    #[serde(rename = "f")]
    pub family: Family,
    /// Interface.
    #[serde(rename = "l")]
    pub interface: Option<IfName>,
    /// When this was true, by the clock that both processes share.
    #[serde(rename = "t")]
    pub taken_at: Instant,
    /// State and its main timer.
    #[serde(rename = "s")]
    pub phase: Phase,
    /// Transitions so far.
    #[serde(rename = "q")]
    pub sequence: u64,
    /// Learned interval of the master.
    #[serde(rename = "i")]
    pub master_interval: AdvertInterval,
    /// The last master heard.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub last_master: Option<IpAddr>,
    /// Counters.
    #[serde(rename = "c")]
    pub counters: Counters,
    /// Peers heard.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerState>,
    /// Its drain.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainState>,
    /// Numbers of authenticated adverts, sent and heard.
    #[serde(rename = "a", default, skip_serializing_if = "Memory::is_empty")]
    pub(super) memory: Memory,
}

/// A drain, by the clock that both processes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainState {
    /// Since when.
    pub since: Instant,
    /// When it ends by itself.
    pub until: Option<Instant>,
    /// Whether the node stays out even when nobody else is master.
    pub force: bool,
}

impl From<Drain> for DrainState {
    fn from(Drain { since, until, force }: Drain) -> Self {
        Self { since, until, force }
    }
}

impl From<DrainState> for Drain {
    fn from(DrainState { since, until, force }: DrainState) -> Self {
        Self { since, until, force }
    }
}

/// State of an instance and what remains of its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not started or waiting.
    Init,
    /// Listening.
    Backup {
        /// Until it takes over.
        master_down_in: Micros,
    },
    /// Holding the addresses.
    Master {
        /// Until the next advert.
        advert_in: Micros,
    },
    /// Out of order.
    Fault,
}

/// What is remembered of a tracker. It is found again by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerState {
    /// Its kind.
    pub kind: TrackerKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its condition.
    pub status: TrackerStatus,
    /// The number that a file holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i32>,
}

impl Instance {
    pub(super) fn export(&self, now: Instant, mutation: Mutation) -> Remembered {
        let drain = self
            .drain
            .as_deref()
            .filter(|_| !mutation.is(Mutant::DrainLostAtRespawn));
        let state = InstanceState {
            name: self.config.name.clone(),
            vrid: self.config.vrid,
            family: self.config.family,
            interface: self.config.interface.clone(),
            taken_at: now,
            phase: match &self.state {
                InstancePhase::Init => Phase::Init,
                InstancePhase::Fault => Phase::Fault,
                InstancePhase::Backup(backup) => Phase::Backup {
                    master_down_in: backup.master_down.since(now),
                },
                InstancePhase::Master(master) => Phase::Master {
                    advert_in: master.next_advert.since(now),
                },
            },
            sequence: self.sequence(),
            master_interval: self.master_interval(),
            last_master: self.last_master(),
            counters: self.counters.clone(),
            peers: self.peers().export(now),
            drain: drain.copied().map(DrainState::from),
            memory: self.memory().clone(),
        };
        Remembered::Instance(state.into())
    }
}

impl Core {
    /// What this core remembers.
    #[must_use]
    pub fn export(&self, now: Instant) -> State {
        let instances = self
            .instances
            .iter()
            .map(|instance| instance.export(now, self.mutation));
        let trackers = (0..self.trackers.len()).filter_map(|at| self.export_tracker(at));
        let groups = self
            .groups
            .iter()
            .map(|g| Remembered::Group(g.name.clone(), g.sequence));
        let node = [Remembered::Node(self.node_drain.map(DrainState::from))];
        State::of(instances.chain(trackers).chain(groups).chain(node).collect())
    }

    /// The parts that have changed since this was asked last.
    pub fn export_changes(&mut self, now: Instant) -> Vec<Remembered> {
        let mut parts = Vec::new();
        if self.changes.is_empty() {
            return parts;
        }
        let changed = std::mem::take(&mut self.changes);
        for index in changed.instances {
            parts.extend(
                self.instances
                    .get(index)
                    .map(|instance| instance.export(now, self.mutation)),
            );
        }
        parts.extend(changed.trackers.into_iter().filter_map(|at| self.export_tracker(at)));
        for index in changed.groups {
            let group = self.groups.get(index);
            parts.extend(group.map(|g| Remembered::Group(g.name.clone(), g.sequence)));
        }
        if changed.node {
            parts.push(Remembered::Node(self.node_drain.map(DrainState::from)));
        }
        parts
    }

    /// Instances from this position on, as many as asked for: their counters change without being told. Also where to go on.
    #[must_use]
    pub fn export_some(&self, from: usize, count: usize, now: Instant) -> (Vec<Remembered>, usize) {
        let some = self.instances.iter().skip(from).take(count);
        let parts: Vec<_> = some.map(|instance| instance.export(now, self.mutation)).collect();
        let next = from + parts.len();
        let next = if next >= self.instances.len() { 0 } else { next };
        (parts, next)
    }

    fn export_tracker(&self, at: usize) -> Option<Remembered> {
        let tracker = self.trackers.iter().nth(at)?;
        Some(Remembered::Tracker(TrackerState {
            kind: tracker.kind(),
            name: tracker.name().clone(),
            status: tracker.snapshot().status,
            value: match tracker {
                Tracker::File(file) => file.value(),
                Tracker::Script(_) | Tracker::Process(_) => None,
            },
        }))
    }

    /// A core that goes on where another one ended, as the head of this module says.
    ///
    /// What does not fit the model, and a state of another version, is left out.
    #[must_use]
    pub fn import(model: impl Into<Arc<Model>>, state: &State, now: Instant) -> Self {
        let mut core = Self::new(model, 0, now);
        for instance in &mut core.instances {
            instance.is_respawned();
        }
        if state.version != VERSION {
            return core;
        }
        for part in &state.parts {
            match part {
                Remembered::Instance(old) => core.remember_instance(old),
                Remembered::Tracker(old) => core.remember_trackers(std::slice::from_ref(old)),
                Remembered::Group(name, sequence) => {
                    let group = core.groups.iter_mut().find(|group| group.name == *name);
                    group
                        .into_iter()
                        .for_each(|group| group.sequence = believable(*sequence));
                }
                Remembered::Node(drain) => core.node_drain = drain.map(Drain::from),
            }
        }
        // One that has ended is no drain of whoever comes now.
        core.forget_node_drain(now);
        core.restore_drains();
        core
    }

    fn remember_instance(&mut self, old: &InstanceState) {
        let same = |instance: &&mut Instance| {
            let config = &instance.config;
            old.vrid == config.vrid && old.family == config.family && old.interface == config.interface
        };
        if let Some(instance) = self.instances.iter_mut().find(same) {
            instance.remember(old);
            instance.drain = old.drain.map(|drain| Box::new(drain.into()));
        }
    }
}
