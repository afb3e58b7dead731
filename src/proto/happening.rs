//! What happened, for people who ask later (`vrrpd events`): pushed out as it happens. The driver keeps a bounded ring of it.

use super::action::{GroupChange, StateChange};
use super::event::Culprit;
use super::reason::{PriorityChange, Span, TrackerKind};
use super::snapshot::{Problem, TrackerStatus};
use crate::model::{IfName, Micros};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Happening {
    /// An instance changed its state. Told at once, before the kernel has done what belongs to it.
    Transition(StateChange),
    /// A sync group shows another state.
    Group(GroupChange),
    /// The effective priority of an instance changed.
    Priority {
        /// Whose.
        instance: Arc<str>,
        /// How and why.
        change: PriorityChange,
    },
    /// A tracker changed its condition.
    Tracker {
        /// Its kind.
        kind: TrackerKind,
        /// Its name.
        name: Arc<str>,
        /// Its condition now.
        status: TrackerStatus,
        /// What it reported, while it is bad.
        detail: Option<String>,
    },
    /// Somebody deleted an address of a master.
    AddressStolen {
        /// Whose.
        instance: Arc<str>,
        /// Which.
        address: IpAddr,
        /// Where.
        interface: IfName,
        /// Who.
        culprit: Culprit,
        /// Whether it is put back; else mastership is given up.
        restored: bool,
    },
    /// Somebody deleted a static address, and it is put back.
    StaticRestored {
        /// Which.
        address: IpAddr,
        /// Where.
        interface: IfName,
        /// Who.
        culprit: Culprit,
    },
    /// Something came up that an operator should look at.
    Raised(Problem),
    /// It has gone.
    Cleared(Problem),
    /// Somebody drained an instance.
    Drained {
        /// Which.
        instance: Arc<str>,
        /// For how long; `None` = until it is resumed.
        length: Option<Micros>,
        /// Whether it stays out even when nobody else is master.
        force: bool,
    },
    /// An instance takes part again.
    Resumed {
        /// Which.
        instance: Arc<str>,
        /// Whether its time was over; else somebody resumed it.
        time_over: bool,
    },
    /// Another configuration is in force. Instances, by what became of them.
    Reloaded {
        /// Nothing changed.
        unchanged: usize,
        /// Settings changed, the state stays.
        adjusted: usize,
        /// New ones, and those that had to start again.
        started: usize,
        /// Old ones that went.
        removed: usize,
    },
}

impl Happening {
    /// A stable word for machines.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Transition(_) => "transition",
            Self::Group(_) => "group",
            Self::Priority { .. } => "priority",
            Self::Tracker { .. } => "tracker",
            Self::AddressStolen { .. } => "address-stolen",
            Self::StaticRestored { .. } => "static-restored",
            Self::Raised(_) => "problem-raised",
            Self::Cleared(_) => "problem-cleared",
            Self::Drained { .. } => "drained",
            Self::Resumed { .. } => "resumed",
            Self::Reloaded { .. } => "reloaded",
        }
    }

    /// The instance that it happened to, if it was one.
    #[must_use]
    pub const fn instance(&self) -> Option<&Arc<str>> {
        match self {
            Self::Transition(change) => Some(&change.name),
            Self::Priority { instance, .. }
            | Self::AddressStolen { instance, .. }
            | Self::Drained { instance, .. }
            | Self::Resumed { instance, .. } => Some(instance),
            Self::Raised(problem) | Self::Cleared(problem) => problem.instance.as_ref(),
            Self::Group(_) | Self::Tracker { .. } | Self::StaticRestored { .. } | Self::Reloaded { .. } => None,
        }
    }
}

impl fmt::Display for Happening {
    /// In plain words, without the name of the instance.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(change) => {
                let (from, to) = (change.from.as_str(), change.to.as_str());
                write!(f, "{from} → {to}: {}", change.reason)
            }
            Self::Group(change) => {
                let (from, to) = (change.from.as_str(), change.to.as_str());
                write!(f, "sync group {} {from} → {to}", change.name)
            }
            Self::Priority { change, .. } => change.fmt(f),
            Self::Tracker {
                kind,
                name,
                status,
                detail,
            } => {
                write!(f, "{} {name} is {}", kind.as_str(), status.as_str())?;
                detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
            }
            Self::AddressStolen {
                address,
                interface,
                culprit,
                restored,
                ..
            } => {
                let then = if *restored {
                    "it is put back"
                } else {
                    "mastership is given up"
                };
                write!(f, "{culprit} removed {address} from {interface}: {then}")
            }
            Self::StaticRestored {
                address,
                interface,
                culprit,
            } => write!(
                f,
                "{culprit} removed the static address {address} from {interface}: it is put back"
            ),
            Self::Raised(problem) => write!(f, "{} {}: {}", problem.severity.as_str(), problem.code, problem.text),
            Self::Cleared(problem) => write!(f, "no longer: {}: {}", problem.code, problem.text),
            Self::Drained { length, force, .. } => {
                f.write_str("drained")?;
                if let Some(length) = length {
                    write!(f, " for {}", Span(*length))?;
                }
                f.write_str(if *force { ", it stays out whatever happens" } else { "" })
            }
            Self::Resumed { time_over: true, .. } => f.write_str("takes part again: the time of its drain is over"),
            Self::Resumed { time_over: false, .. } => f.write_str("takes part again"),
            Self::Reloaded {
                unchanged,
                adjusted,
                started,
                removed,
            } => write!(
                f,
                "a new configuration is in force; instances: {unchanged} unchanged, {adjusted} adjusted, {started} started, {removed} removed"
            ),
        }
    }
}
