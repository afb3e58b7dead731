//! The core's memory as a value, with deadlines as remaining time: for a respawn, golden tests and the simulator.

use super::Core;
use super::counters::Counters;
use super::instance::State as InstancePhase;
use super::reason::TrackerKind;
use super::snapshot::TrackerStatus;
use super::tracking::Tracker;
use crate::model::{AdvertInterval, Family, IfName, Instant, Micros, Model, Vrid};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What a core remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Layout of this value: 1.
    pub version: u32,
    /// Instances.
    pub instances: Vec<InstanceState>,
    /// Trackers.
    pub trackers: Vec<TrackerState>,
}

/// What is remembered of an instance. It is found again by link, family and VRID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Name, for people.
    pub name: Arc<str>,
    /// VRID.
    pub vrid: Vrid,
    /// Family.
    pub family: Family,
    /// Interface.
    pub interface: Option<IfName>,
    /// State and its main timer.
    pub phase: Phase,
    /// Learned interval of the master.
    pub master_interval: AdvertInterval,
    /// The last master heard.
    pub last_master: Option<IpAddr>,
    /// Counters.
    pub counters: Counters,
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

impl Core {
    /// What this core remembers.
    #[must_use]
    pub fn export(&self, now: Instant) -> State {
        let instances = self.instances.iter().map(|instance| InstanceState {
            name: instance.config.name.clone(),
            vrid: instance.config.vrid,
            family: instance.config.family,
            interface: instance.config.interface.clone(),
            phase: match &instance.state {
                InstancePhase::Init => Phase::Init,
                InstancePhase::Fault => Phase::Fault,
                InstancePhase::Backup(backup) => Phase::Backup {
                    master_down_in: backup.master_down.since(now),
                },
                InstancePhase::Master(master) => Phase::Master {
                    advert_in: master.next_advert.since(now),
                },
            },
            master_interval: instance.master_interval(),
            last_master: instance.last_master(),
            counters: instance.counters.clone(),
        });
        let trackers = self.trackers.iter().map(|tracker| TrackerState {
            kind: tracker.kind(),
            name: tracker.name().clone(),
            status: tracker.snapshot().status,
            value: match tracker {
                Tracker::File(file) => file.value(),
                Tracker::Script(_) | Tracker::Process(_) => None,
            },
        });
        State {
            version: 1,
            instances: instances.collect(),
            trackers: trackers.collect(),
        }
    }

    /// A core that goes on where another one ended: learned intervals, counters and what trackers know are kept.
    ///
    /// Addresses do not outlive a dead daemon, so a former master begins as a backup. What does not fit the model,
    /// and a state of another version, is left out.
    #[must_use]
    pub fn import(model: Model, state: &State, now: Instant) -> Self {
        let mut core = Self::new(model, 0, now);
        if state.version != 1 {
            return core;
        }
        for instance in &mut core.instances {
            let config = &instance.config;
            let found = state.instances.iter().find(|old| {
                old.vrid == config.vrid && old.family == config.family && old.interface == config.interface
            });
            if let Some(old) = found {
                instance.remember(old.master_interval, old.last_master, old.counters.clone());
            }
        }
        core.remember_trackers(&state.trackers);
        core
    }
}
