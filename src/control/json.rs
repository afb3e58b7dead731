//! The one document of the control socket, schema 1: what `status --json` prints, and what text and reasons are made of.
//!
//! Names and meanings are fixed; fields may be added. A reader ignores what it does not know, and does without what an
//! older daemon does not send (`default`).

use super::server::Report;
use crate::model::{Family, IfName, Micros};
use crate::proto::{
    Contribution, Counters, DropReason, GroupSnapshot, Hold, InstanceSnapshot, PeerSnapshot, Problem, ProcessWatch,
    Reason, Severity, Span, StateName, TrackerKind, TrackerSnapshot, TrackerStatus, Verdict,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::ClockAnchor;

/// Version of the document: counted up only when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the daemon.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// `router_id`, or the host name.
    pub router_id: String,
    /// When this was true.
    pub taken_at: Timestamp,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// Instances in the order of the configuration.
    pub instances: Vec<InstanceStatus>,
    /// Sync groups.
    #[serde(default)]
    pub groups: Vec<GroupStatus>,
    /// Trackers.
    pub trackers: Vec<TrackerStatusLine>,
    /// What an operator should look at.
    pub problems: Vec<ProblemStatus>,
    /// The addresses of `static_ipaddress`, in the order of the configuration.
    #[serde(default)]
    pub static_addresses: Vec<VipStatus>,
}

/// The configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// File as given on the command line.
    pub path: String,
    /// Changes with any byte of any file read.
    pub hash: String,
    /// When it was read.
    pub loaded_at: Timestamp,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Name.
    pub name: String,
    /// Interface; `null` for unicast without one.
    pub interface: Option<String>,
    /// VRID.
    pub vrid: u8,
    /// 2 or 3.
    pub version: u8,
    /// `ipv4` or `ipv6`.
    pub family: Family,
    /// `INIT`, `BACKUP`, `MASTER`, `FAULT`.
    pub state: StateName,
    /// Since when.
    pub since: Timestamp,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words with the evidence.
    #[serde(default)]
    pub reason_text: String,
    /// While in fault: every cause that still holds.
    #[serde(default)]
    pub faults: Vec<FaultStatus>,
    /// Priority and its parts.
    pub priority: PriorityStatus,
    /// The master as far as this node knows.
    pub master: Option<MasterStatus>,
    /// Source address of our adverts.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Interval of our adverts.
    pub advert_interval_ms: u64,
    /// Silence after which a backup takes over.
    pub master_down_interval_ms: u64,
    /// The next deadline.
    pub timer: Option<TimerStatus>,
    /// Whether a better priority takes mastership from a worse master.
    pub preempt: bool,
    /// Virtual addresses.
    pub vips: Vec<VipStatus>,
    /// Other nodes heard.
    pub peers: Vec<PeerStatus>,
    /// Counters since the instance was made.
    pub counters: CounterStatus,
    /// The last transition, if there was one.
    pub last_transition: Option<TransitionStatus>,
    /// The last change of the effective priority, if there was one.
    #[serde(default)]
    pub last_priority: Option<PriorityChangeStatus>,
    /// Its drain, if somebody drained it.
    #[serde(default)]
    pub drain: Option<DrainStatus>,
    /// What keeps it from taking over, or makes it wait, although nothing is wrong with it.
    #[serde(default)]
    pub holds: Vec<FaultStatus>,
    /// Configured peers that have never been heard. Backups are silent.
    #[serde(default)]
    pub silent_peers: Vec<IpAddr>,
    /// The causes of its state, the first cause first, in words: what `vrrpd why` tells.
    #[serde(default)]
    pub chain: Vec<String>,
}

/// A change of the effective priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityChangeStatus {
    /// Before.
    pub from: u8,
    /// After.
    pub to: u8,
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub cause: String,
}

/// A drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStatus {
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself; `null`: when it is resumed.
    pub until: Option<Timestamp>,
    /// Whether it stays out even when nobody else is master.
    pub force: bool,
}

/// A cause of fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// Stable word.
    pub code: String,
    /// In words.
    pub text: String,
}

/// A priority and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityStatus {
    /// As configured.
    pub base: u8,
    /// As advertised.
    pub effective: u8,
    /// What trackers add.
    pub contributions: Vec<ContributionStatus>,
}

/// What one tracker adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionStatus {
    /// Its kind.
    pub tracker: TrackerKind,
    /// Its name.
    pub name: String,
    /// `up`, `down`, `pending`.
    pub status: TrackerStatus,
    /// Weight in this instance.
    pub weight: i16,
    /// What it adds now.
    pub adds: i32,
}

/// A master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterStatus {
    /// Its address.
    pub address: IpAddr,
    /// The priority that it advertises.
    pub priority: u8,
}

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerStatus {
    /// Which.
    pub name: String,
    /// How long until then.
    pub remaining_ms: u64,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipStatus {
    /// `ADDRESS/PREFIX`.
    pub address: String,
    /// Where.
    pub interface: String,
    /// Whether it is there by our doing.
    pub present: bool,
    /// Whether it is one of `virtual_ipaddress_excluded`.
    #[serde(default)]
    pub excluded: bool,
}

/// Another node that was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its address.
    pub address: IpAddr,
    /// Priority of its last advert.
    pub priority: u8,
    /// How long ago that was.
    pub last_seen_ms: u64,
    /// Adverts from it.
    pub adverts: u64,
    /// `accepted`, `lower-priority` or `dropped`.
    pub verdict: String,
    /// Where `dropped`: the counter that moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
    /// Whether it goes on as a master although ours are better: it evidently does not hear us.
    #[serde(default)]
    pub one_way: bool,
}

/// Counters since the instance was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CounterStatus {
    /// Advert cycles sent.
    pub adverts_sent: u64,
    /// Adverts that passed validation.
    pub adverts_received: u64,
    /// Times it became master.
    pub became_master: u64,
    /// Times it left master.
    pub released_master: u64,
    /// Priority 0 adverts heard.
    pub priority_zero_received: u64,
    /// Priority 0 adverts sent.
    pub priority_zero_sent: u64,
    /// Adverts accepted although their addresses differ from ours.
    pub address_list_mismatches: u64,
    /// Version 3 adverts accepted although their interval differs from ours.
    pub interval_mismatches: u64,
    /// Times that a master was silent for more than two and a half intervals and was then heard again.
    pub near_failovers: u64,
    /// Advert slots that a late wake-up skipped.
    pub skipped_slots: u64,
    /// Adverts dropped, by reason; every reason is present.
    pub dropped: BTreeMap<String, u64>,
}

/// The last transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionStatus {
    /// Before.
    pub from: StateName,
    /// After.
    pub to: StateName,
    /// When.
    pub at: Timestamp,
    /// Why, as a stable word.
    pub reason: String,
    /// Why, in words with the evidence.
    pub detail: String,
}

/// A sync group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Name.
    pub name: String,
    /// State.
    pub state: StateName,
    /// Names of its instances.
    pub members: Vec<String>,
}

impl GroupStatus {
    fn of(group: &GroupSnapshot) -> Self {
        Self {
            name: group.name.to_string(),
            state: group.state,
            members: group.members.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerStatusLine {
    /// Its kind.
    pub kind: TrackerKind,
    /// Its name.
    pub name: String,
    /// `up`, `down`, `pending`.
    pub status: TrackerStatus,
    /// Exit status of the last run; `null` before the first, and when a signal ended it.
    pub last_exit: Option<i32>,
    /// How long the last run took.
    pub last_run_ms: Option<u64>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// The number that a file holds, or how many processes run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// How processes are watched: `connector` or `scan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<ProcessWatch>,
    /// What there is to say about it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemStatus {
    /// `note`, `warning` or `error`.
    pub severity: Severity,
    /// Stable word.
    pub code: String,
    /// Whose.
    pub instance: Option<String>,
    /// What tells it from others of the same code: an address, an interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In words, and what to do.
    pub text: String,
}

impl Status {
    /// The document of a report.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let Report { facts, snapshot } = report;
        let clock = facts.clock;
        let mut problems: Vec<_> = snapshot.problems.iter().chain(&facts.problems).map(problem).collect();
        // The worst first.
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        Self {
            schema: SCHEMA,
            version: facts.version.clone(),
            pid: facts.pid,
            router_id: facts.router_id.clone(),
            taken_at: clock.wall_at(snapshot.taken_at),
            config: ConfigStatus {
                path: facts.config_path.clone(),
                hash: facts.config_hash.clone(),
                loaded_at: Timestamp::from_second(facts.config_loaded_at).unwrap_or(Timestamp::UNIX_EPOCH),
            },
            instances: snapshot.instances.iter().map(|i| instance(i, clock)).collect(),
            groups: snapshot.groups.iter().map(GroupStatus::of).collect(),
            trackers: snapshot.trackers.iter().map(|t| tracker(t, clock)).collect(),
            problems,
            static_addresses: snapshot.static_addresses.iter().map(vip).collect(),
        }
    }

    /// The instance of this name.
    #[must_use]
    pub fn instance(&self, name: &str) -> Option<&InstanceStatus> {
        self.instances.iter().find(|instance| instance.name == name)
    }

    /// The document without what does not belong to this instance; `None` when there is no such instance.
    #[must_use]
    pub fn only(mut self, name: &str) -> Option<Self> {
        self.instances.retain(|instance| instance.name == name);
        let instance = self.instances.first()?;
        let uses = |t: &TrackerStatusLine| instance.uses(t.kind, &t.name);
        self.trackers.retain(uses);
        self.problems
            .retain(|p| p.instance.as_deref().is_none_or(|i| i == name));
        self.groups.retain(|g| g.members.iter().any(|m| m == name));
        Some(self)
    }
}

impl InstanceStatus {
    /// Whether the tracker counts here, by its weight or by a fault of its own.
    fn uses(&self, kind: TrackerKind, name: &str) -> bool {
        let listed = |c: &ContributionStatus| c.tracker == kind && c.name == name;
        self.priority.contributions.iter().any(listed)
    }
}

/// One line of JSON.
pub(super) fn line(status: &Status) -> Arc<str> {
    match serde_json::to_string(status) {
        Ok(text) => format!("{text}\n").into(),
        // No type of the document can fail; a client still gets a line.
        Err(e) => format!(
            "{{\"error\":{{\"code\":\"internal\",\"text\":\"{}\"}}}}\n",
            e.classify() as u8
        )
        .into(),
    }
}

fn instance(of: &InstanceSnapshot, clock: ClockAnchor) -> InstanceStatus {
    InstanceStatus {
        name: of.name.to_string(),
        interface: of.interface.as_ref().map(IfName::to_string),
        vrid: of.vrid.get(),
        version: of.version.number(),
        family: of.family,
        state: of.state,
        since: clock.wall_at(of.since),
        reason: of.reason.code().into(),
        reason_text: of.reason.to_string(),
        faults: of.faults.iter().map(fault).collect(),
        priority: PriorityStatus {
            base: of.priority.base.get(),
            effective: of.priority.effective.get(),
            contributions: of.priority.contributions.iter().map(contribution).collect(),
        },
        master: of.master.as_ref().map(|master| MasterStatus {
            address: master.address,
            priority: master.priority.get(),
        }),
        source: of.source,
        advert_interval_ms: of.advert_interval.as_millis(),
        master_down_interval_ms: of.master_down_interval.as_millis(),
        timer: of.timer.as_ref().map(|timer| TimerStatus {
            name: timer.timer.as_str().into(),
            remaining_ms: timer.remaining.as_millis(),
        }),
        preempt: of.preempt,
        vips: of.vips.iter().map(vip).collect(),
        peers: of.peers.iter().map(peer).collect(),
        counters: counters(&of.counters),
        last_transition: of.last_transition.as_ref().map(|(at, transition)| TransitionStatus {
            from: transition.from,
            to: transition.to,
            at: clock.wall_at(*at),
            reason: transition.reason.code().into(),
            detail: transition.reason.to_string(),
        }),
        last_priority: of.last_priority.as_ref().map(|(at, change)| PriorityChangeStatus {
            from: change.from.get(),
            to: change.to.get(),
            at: clock.wall_at(*at),
            cause: change.cause.to_string(),
        }),
        drain: of.drain.as_ref().map(|drain| DrainStatus {
            since: clock.wall_at(drain.since),
            until: drain.until.map(|until| clock.wall_at(until)),
            force: drain.force,
        }),
        holds: of.holds.iter().map(hold).collect(),
        silent_peers: of.silent_peers.clone(),
        chain: super::why::chain(of),
    }
}

fn hold(of: &Hold) -> FaultStatus {
    let (code, text) = match of {
        Hold::PreemptDelay { remaining } => (
            "preempt-delay",
            format!(
                "it waits {} longer before it takes over from the worse master (preempt_delay)",
                Span(*remaining)
            ),
        ),
        Hold::NoPreempt { master, theirs } => (
            "nopreempt",
            format!("it leaves the worse master {master} (priority {theirs}) alone (nopreempt)"),
        ),
        Hold::StartupDelay { remaining } => (
            "startup-delay",
            format!(
                "it neither hears nor sends anything for {} (vrrp_startup_delay)",
                Span(*remaining)
            ),
        ),
        Hold::ListensAfterStall { remaining } => (
            "listens-after-stall",
            format!(
                "it was asleep and listens for {} before it advertises again",
                Span(*remaining)
            ),
        ),
        Hold::Group => (
            "group",
            "its own master is silent, but other members of its sync group still hear theirs".into(),
        ),
        Hold::Drained => (
            "drained",
            "it is drained: every other node goes first, until `vrrpd resume`".into(),
        ),
    };
    FaultStatus {
        code: code.into(),
        text,
    }
}

fn fault(reason: &Reason) -> FaultStatus {
    FaultStatus {
        code: reason.code().into(),
        text: reason.to_string(),
    }
}

fn contribution(of: &Contribution) -> ContributionStatus {
    ContributionStatus {
        tracker: of.kind,
        name: of.name.to_string(),
        status: of.status,
        weight: of.weight,
        adds: of.adds,
    }
}

fn vip(of: &crate::proto::VipSnapshot) -> VipStatus {
    VipStatus {
        address: format!("{}/{}", of.address, of.prefix_len),
        interface: of.interface.to_string(),
        present: of.present,
        excluded: of.excluded,
    }
}

fn peer(of: &PeerSnapshot) -> PeerStatus {
    let (verdict, dropped) = match of.verdict {
        Verdict::Accepted => ("accepted", None),
        Verdict::LowerPriority => ("lower-priority", None),
        Verdict::Dropped(reason) => ("dropped", Some(reason.as_str().into())),
    };
    PeerStatus {
        address: of.address,
        priority: of.priority.get(),
        last_seen_ms: of.last_seen.as_millis(),
        adverts: of.adverts,
        verdict: verdict.into(),
        dropped,
        one_way: of.one_way,
    }
}

fn counters(of: &Counters) -> CounterStatus {
    let dropped = DropReason::ALL
        .iter()
        .map(|reason| (reason.as_str().into(), of.dropped(*reason)));
    CounterStatus {
        adverts_sent: of.adverts_sent,
        adverts_received: of.adverts_received,
        became_master: of.became_master,
        released_master: of.released_master,
        priority_zero_received: of.priority_zero_received,
        priority_zero_sent: of.priority_zero_sent,
        address_list_mismatches: of.address_list_mismatches,
        interval_mismatches: of.interval_mismatches,
        near_failovers: of.near_failovers,
        skipped_slots: of.skipped_slots,
        dropped: dropped.collect(),
    }
}

fn tracker(of: &TrackerSnapshot, clock: ClockAnchor) -> TrackerStatusLine {
    TrackerStatusLine {
        kind: of.kind,
        name: of.name.to_string(),
        status: of.status,
        last_exit: of.last_exit,
        last_run_ms: of.last_run.map(Micros::as_millis),
        since: of.since.map(|since| clock.wall_at(since)),
        value: of.value,
        watch: of.watch,
        detail: of.detail.clone(),
    }
}

fn problem(of: &Problem) -> ProblemStatus {
    ProblemStatus {
        severity: of.severity,
        code: of.code.to_string(),
        instance: of.instance.as_ref().map(ToString::to_string),
        subject: of.subject.clone(),
        text: of.text.to_string(),
    }
}
