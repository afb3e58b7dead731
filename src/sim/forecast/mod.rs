//! What a reload means for who is master. A copy of the running core lives through the reload on a virtual clock, in the world that
//! it knows: its links, its trackers as they report now, and the routers that it has heard, which go on as they are.
//!
//! `around` makes these other routers up, `host` the programs and files of this node, `play` lets all of them live. What is not known is assumed, and every assumption is told.

mod around;
mod host;
mod play;
mod trial;

pub use trial::{ForecastTrial, random_forecast};

use crate::model::{InstanceId, Instant, Micros, Model, Priority, StateName};
use crate::proto::{Core, Hold, InstanceSnapshot};
use around::Around;
use play::{Deeds, Play};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to be expected of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// How much time was played, in milliseconds.
    pub played_ms: u64,
    /// Whether nothing was changing any more at the end.
    pub settled: bool,
    /// What is assumed of this node.
    pub assumes: Vec<String>,
    /// Every instance of the new configuration in its order, then those that leave.
    pub instances: Vec<Outlook>,
}

/// What is to be expected of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// Its name in the new configuration; in the old one, if it leaves.
    pub name: Arc<str>,
    /// What becomes of it.
    pub verdict: Prospect,
    /// Its state before; `None`: it is new.
    pub from: Option<StateName>,
    /// Its state in the end; `None`: it is gone.
    pub to: Option<StateName>,
    /// Whether it sends a priority 0 advert.
    pub releases: bool,
    /// Whether it sends an advert at once.
    pub tells_at_once: bool,
    /// Its priority in the end.
    pub priority: Option<Priority>,
    /// Its changes of state.
    pub steps: Vec<Step>,
    /// What keeps it from taking over in the end.
    pub waits_for: Vec<String>,
    /// What is assumed of others.
    pub assumes: Vec<String>,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How long after the reload, in milliseconds.
    pub after_ms: u64,
    /// Before.
    pub from: StateName,
    /// From then on.
    pub to: StateName,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words.
    pub detail: String,
}

/// What becomes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prospect {
    /// It is master all the time.
    StaysMaster,
    /// It is master again after another state.
    Interrupts,
    /// It was master, and listens in the end.
    GivesUp,
    /// It becomes master.
    TakesOver,
    /// It listens as before, or begins to.
    StaysBackup,
    /// It might become master, and something keeps it from that.
    Waits,
    /// It cannot take part any more.
    GoesToFault,
    /// It cannot take part, as before.
    StaysInFault,
    /// It is gone.
    Leaves,
}

impl Prospect {
    /// Whether things stay as they are.
    #[must_use]
    pub const fn is_calm(self) -> bool {
        matches!(self, Self::StaysMaster | Self::StaysBackup | Self::StaysInFault)
    }
}

/// Plays a reload of this core at `now`, which is `wall` by the time of day. The work is bounded.
#[must_use]
pub fn foresee(core: Core, model: &Arc<Model>, now: Instant, wall: Micros) -> Forecast {
    let before = core.snapshot(now);
    let names: BTreeMap<InstanceId, InstanceSnapshot> = core.ids().zip(before.instances.iter().cloned()).collect();
    let around = Around::of(&core, &before, now);
    let assumed = around.assumed.clone();
    let mut play = Play::new(core, around, &before, now, wall);
    let settled = play.reload(model);
    let after: Vec<(InstanceId, InstanceSnapshot)> = play.ids().zip(play.snapshot().instances).collect();
    let stay: Vec<InstanceId> = after.iter().map(|(id, _)| *id).collect();
    let mut instances: Vec<Outlook> = Vec::new();
    for (id, one) in &after {
        // Another router under the name of one that was there takes its place for people.
        let of_name = || {
            names
                .iter()
                .find(|(old, was)| was.name == one.name && !stay.contains(old))
        };
        let was = names
            .get(id)
            .map(|was| (*id, was))
            .or_else(|| of_name().map(|(old, was)| (*old, was)));
        let mut deeds = play.deeds(*id);
        if let Some((old, _)) = was.filter(|(old, _)| old != id) {
            deeds = play.deeds(old).then(deeds);
        }
        let mut outlook = outlook(one, was.map(|(_, was)| was), deeds);
        let of_others = was.and_then(|(old, _)| assumed.get(&old)).cloned();
        outlook.assumes = of_others.unwrap_or_else(|| vec![around::NOBODY.to_owned()]);
        instances.push(outlook);
    }
    let told: Vec<Arc<str>> = instances.iter().map(|one| Arc::clone(&one.name)).collect();
    for (id, was) in names
        .iter()
        .filter(|(id, was)| !stay.contains(id) && !told.contains(&was.name))
    {
        instances.push(leaves(was, play.deeds(*id)));
    }
    Forecast {
        played_ms: play.played().as_millis(),
        settled,
        assumes: host::new_trackers(&before, model),
        instances,
    }
}

fn leaves(was: &InstanceSnapshot, deeds: Deeds) -> Outlook {
    Outlook {
        name: Arc::clone(&was.name),
        verdict: Prospect::Leaves,
        from: Some(was.state),
        to: None,
        releases: deeds.released,
        tells_at_once: deeds.told,
        priority: None,
        steps: deeds.steps,
        waits_for: Vec::new(),
        assumes: Vec::new(),
    }
}

fn outlook(now: &InstanceSnapshot, was: Option<&InstanceSnapshot>, deeds: Deeds) -> Outlook {
    let (from, to) = (was.map(|was| was.state), now.state);
    let was_master = from == Some(StateName::Master);
    let mut waits_for: Vec<String> = now.holds.iter().map(hold).collect();
    if to == StateName::Init {
        waits_for.push(now.reason.to_string());
    }
    let verdict = match to {
        StateName::Master if was_master && deeds.steps.is_empty() => Prospect::StaysMaster,
        StateName::Master if was_master => Prospect::Interrupts,
        StateName::Master => Prospect::TakesOver,
        StateName::Backup if was_master => Prospect::GivesUp,
        StateName::Backup if waits_for.is_empty() => Prospect::StaysBackup,
        StateName::Backup | StateName::Init => Prospect::Waits,
        StateName::Fault if from == Some(StateName::Fault) => Prospect::StaysInFault,
        StateName::Fault => Prospect::GoesToFault,
    };
    Outlook {
        name: Arc::clone(&now.name),
        verdict,
        from,
        to: Some(to),
        releases: deeds.released,
        tells_at_once: deeds.told,
        priority: Some(now.priority.effective),
        steps: deeds.steps,
        waits_for,
        assumes: Vec::new(),
    }
}

fn hold(hold: &Hold) -> String {
    let span = |length: &Micros| crate::proto::Span(*length);
    match hold {
        Hold::PreemptDelay { remaining } => format!("preempt_delay, which ends {} later", span(remaining)),
        Hold::NoPreempt { master, theirs } => {
            format!("nopreempt: the master {master} (priority {theirs}) is left alone")
        }
        Hold::StartupDelay { remaining } => format!("the delay after the start, which ends {} later", span(remaining)),
        Hold::ListensAfterStall { remaining } => format!("it was asleep, and listens for another {}", span(remaining)),
        Hold::Group => "the other members of its sync group still hear their masters".to_owned(),
        Hold::Drained => "it is drained".to_owned(),
    }
}

#[cfg(test)]
mod tests;
