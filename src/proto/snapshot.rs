//! A read-only view of the core for people and machines. Instants are the core's; whoever prints them adds the wall clock.

use super::action::StateName;
use super::counters::Counters;
use super::event::{Link, ProcessChange, ProcessWatch};
use super::reason::{PriorityChange, Reason, TrackerKind, Transition};
use super::timer::Timer;
use crate::model::{Family, IfName, Instant, Micros, Priority, Version, Vrid};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// The whole core at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: Instant,
    /// Instances in the order of the configuration.
    pub instances: Vec<InstanceSnapshot>,
    /// Sync groups.
    pub groups: Vec<GroupSnapshot>,
    /// Trackers.
    pub trackers: Vec<TrackerSnapshot>,
    /// The host's links, by index.
    pub links: Vec<LinkSnapshot>,
    /// What an operator should look at.
    pub problems: Vec<Problem>,
    /// The addresses of `static_ipaddress`, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_addresses: Vec<VipSnapshot>,
}

/// A link of the host and its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSnapshot {
    /// The link.
    pub link: Link,
    /// Its addresses, in the order in which the kernel told them.
    pub addresses: Vec<IpAddr>,
}

/// One sync group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// Name.
    pub name: Arc<str>,
    /// What its members show together.
    pub state: StateName,
    /// Names of its members.
    pub members: Vec<Arc<str>>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSnapshot {
    /// Name.
    pub name: Arc<str>,
    /// Interface.
    pub interface: Option<IfName>,
    /// VRID.
    pub vrid: Vrid,
    /// Version.
    pub version: Version,
    /// Family.
    pub family: Family,
    /// State.
    pub state: StateName,
    /// Since when.
    pub since: Instant,
    /// Why it is in this state.
    pub reason: Reason,
    /// While in fault: every cause that still holds.
    pub faults: Vec<Reason>,
    /// Priority and where it comes from.
    pub priority: PrioritySnapshot,
    /// The master as far as this node knows: itself, or the sender of the last accepted advert.
    pub master: Option<MasterSnapshot>,
    /// Source address of our adverts.
    pub source: Option<IpAddr>,
    /// Interval of our adverts.
    pub advert_interval: Micros,
    /// Interval of the master's adverts as learned (version 3), else ours.
    pub master_advert_interval: Micros,
    /// Master_Down_Interval in force.
    pub master_down_interval: Micros,
    /// The next deadline of this instance.
    pub timer: Option<TimerSnapshot>,
    /// `preempt`.
    pub preempt: bool,
    /// Virtual addresses.
    pub vips: Vec<VipSnapshot>,
    /// Peers heard.
    pub peers: Vec<PeerSnapshot>,
    /// Counters.
    pub counters: Counters,
    /// The last transition, if there was one.
    pub last_transition: Option<(Instant, Transition)>,
    /// The last change of its effective priority, if there was one.
    pub last_priority: Option<(Instant, PriorityChange)>,
    /// Its drain, if somebody drained it.
    pub drain: Option<DrainSnapshot>,
    /// What keeps it from taking over although it might.
    pub holds: Vec<Hold>,
    /// Configured peers that have never been heard.
    pub silent_peers: Vec<IpAddr>,
}

/// A drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainSnapshot {
    /// Since when.
    pub since: Instant,
    /// When it ends by itself; `None` = when it is resumed.
    pub until: Option<Instant>,
    /// Whether it stays out even when nobody else is master.
    pub force: bool,
}

/// Why an instance does not take over although nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// `preempt_delay` runs against a worse master.
    PreemptDelay {
        /// How long still.
        remaining: Micros,
    },
    /// `nopreempt`, and a worse master lives.
    NoPreempt {
        /// The master.
        master: IpAddr,
        /// Its priority.
        theirs: Priority,
    },
    /// The start is delayed.
    StartupDelay {
        /// How long still.
        remaining: Micros,
    },
    /// It was asleep and listens before it advertises again.
    ListensAfterStall {
        /// How long still.
        remaining: Micros,
    },
    /// Other members of its sync group still hear their masters.
    Group,
    /// Somebody drained it.
    Drained,
}

/// What changes at every step of an instance, without the cost of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// State.
    pub state: StateName,
    /// Effective priority.
    pub priority: Priority,
    /// When a backup takes over, or a master sends its next advert.
    pub timer: Option<Instant>,
}

/// A priority and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrioritySnapshot {
    /// As configured.
    pub base: Priority,
    /// As advertised.
    pub effective: Priority,
    /// What trackers add.
    pub contributions: Vec<Contribution>,
}

/// What one tracker adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Kind of the tracker.
    pub kind: TrackerKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its condition.
    pub status: TrackerStatus,
    /// The weight here.
    pub weight: i16,
    /// What it adds now.
    pub adds: i32,
}

/// Condition of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackerStatus {
    /// Good.
    Up,
    /// Bad.
    Down,
    /// Nothing known yet.
    Pending,
}

impl TrackerStatus {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Pending => "pending",
        }
    }
}

/// A master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterSnapshot {
    /// Its address.
    pub address: IpAddr,
    /// The priority that it advertises.
    pub priority: Priority,
}

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerSnapshot {
    /// Which.
    pub timer: Timer,
    /// How long until then.
    pub remaining: Micros,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipSnapshot {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_len: u8,
    /// Where.
    pub interface: IfName,
    /// Whether it is there by our doing.
    pub present: bool,
    /// Whether it is one of `virtual_ipaddress_excluded`.
    pub excluded: bool,
}

/// Another node that was heard on this VRID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSnapshot {
    /// Its address.
    pub address: IpAddr,
    /// The priority of its last advert.
    pub priority: Priority,
    /// How long ago.
    pub last_seen: Micros,
    /// Adverts from it.
    pub adverts: u64,
    /// What was thought of the last one.
    pub verdict: Verdict,
    /// Whether it goes on as a master although ours are better: it evidently does not hear us.
    pub one_way: bool,
}

/// What was thought of an advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Valid, and the state machine took it.
    Accepted,
    /// Valid, but of lower priority than ours.
    LowerPriority,
    /// Not valid; `dropped` says why.
    Dropped(super::counters::DropReason),
}

/// A tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerSnapshot {
    /// Kind.
    pub kind: TrackerKind,
    /// Name.
    pub name: Arc<str>,
    /// Condition.
    pub status: TrackerStatus,
    /// Exit status of the last run of a script.
    pub last_exit: Option<i32>,
    /// How long the last run took.
    pub last_run: Option<Micros>,
    /// Since when it has this condition.
    pub since: Option<Instant>,
    /// Results in a row: 0 to rise + fall - 1; up means at least rise.
    pub result: u32,
    /// What its program is doing.
    pub activity: Activity,
    /// The number that a file holds, or how many processes run.
    pub value: Option<i64>,
    /// How processes are watched.
    pub watch: Option<ProcessWatch>,
    /// The change of processes that has to last before it counts, while it does.
    #[serde(default)]
    pub delayed: Option<ProcessChange>,
    /// What there is to say about it, in words.
    pub detail: Option<String>,
}

/// What the program of a tracker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// It does not run.
    Idle,
    /// It runs.
    Running,
    /// It was asked to end.
    Terminating,
    /// It was killed and is not gone yet.
    Killing,
}

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Stable word.
    pub code: Cow<'static, str>,
    /// Whose.
    pub instance: Option<Arc<str>>,
    /// What tells it from others of the same code: an address, an interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In words, and what to do.
    pub text: Cow<'static, str>,
}

impl Problem {
    /// Whether this is the same problem, perhaps told in other words.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.code == other.code && self.subject == other.subject
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing has to be done.
    Note,
    /// Somebody should look at it.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
