//! Why an instance is in its state: every transition carries one of these, with the evidence.

use super::action::StateName;
use crate::model::{IfName, Micros, Priority};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The cause of a transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// The daemon started, or the instance is new in the configuration.
    Startup,
    /// An address owner does not wait (RFC 9568 section 6.4.1).
    AddressOwner,
    /// No acceptable advert came for a whole Master_Down_Interval.
    MasterDown {
        /// The master that fell silent, if one was heard.
        master: Option<IpAddr>,
        /// How long ago its last accepted advert was.
        silent_for: Option<Micros>,
    },
    /// The master said with priority 0 that it leaves.
    MasterReleased {
        /// Who left.
        master: IpAddr,
    },
    /// The master's priority was lower than ours, so its adverts were not accepted.
    Preempted {
        /// The worse master.
        master: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// A better advert came while we were master.
    HigherPriority {
        /// Who sent it.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// An advert of the same priority from a higher address came while we were master.
    HigherAddress {
        /// Who sent it.
        from: IpAddr,
        /// The priority of both.
        priority: Priority,
    },
    /// A tracker of weight 0 failed.
    TrackerFailed {
        /// `script`, `file`, ...
        kind: TrackerKind,
        /// Its name.
        name: Arc<str>,
        /// What it reported.
        detail: Option<String>,
    },
    /// A tracker of weight 0 has not reported yet.
    TrackerPending {
        /// Its kind.
        kind: TrackerKind,
        /// Its name.
        name: Arc<str>,
    },
    /// A link that the instance needs is down or missing.
    InterfaceDown {
        /// Which.
        interface: IfName,
        /// Whether it does not exist at all.
        missing: bool,
    },
    /// There is no address to send from.
    NoSourceAddress {
        /// Where one was looked for.
        interface: Option<IfName>,
    },
    /// Another member of the sync group leads, or holds this one back.
    Group {
        /// The group.
        group: Arc<str>,
        /// The member.
        member: Arc<str>,
    },
    /// The last fault has gone.
    FaultCleared,
    /// Somebody deleted a virtual address again and again.
    AddressLost {
        /// Which.
        address: IpAddr,
    },
    /// The process was asleep for longer than the others wait.
    Stalled {
        /// How long.
        gap: Micros,
    },
    /// The configuration asks for something that cannot be; see the log.
    ConfigurationFault {
        /// What.
        detail: String,
    },
    /// The instance was taken out of the configuration, or changed so that it has to start again.
    Reload,
    /// The daemon stops.
    Shutdown,
}

/// Kinds of trackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackerKind {
    /// `vrrp_script`.
    Script,
    /// `track_file`.
    File,
    /// `vrrp_track_process`.
    Process,
    /// `track_interface` and the instance's own interface.
    Interface,
}

impl TrackerKind {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
            Self::Interface => "interface",
        }
    }
}

impl Reason {
    /// A stable word for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::AddressOwner => "address-owner",
            Self::MasterDown { .. } => "master-down",
            Self::MasterReleased { .. } => "master-released",
            Self::Preempted { .. } => "preempted",
            Self::HigherPriority { .. } => "higher-priority",
            Self::HigherAddress { .. } => "higher-address",
            Self::TrackerFailed { .. } => "tracker-failed",
            Self::TrackerPending { .. } => "tracker-pending",
            Self::InterfaceDown { .. } => "interface-down",
            Self::NoSourceAddress { .. } => "no-source-address",
            Self::Group { .. } => "group",
            Self::FaultCleared => "fault-cleared",
            Self::AddressLost { .. } => "address-lost",
            Self::Stalled { .. } => "stalled",
            Self::ConfigurationFault { .. } => "configuration-fault",
            Self::Reload => "reload",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for Reason {
    /// The cause in plain words, without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Startup => f.write_str("the daemon started"),
            Self::AddressOwner => f.write_str("it is the address owner (priority 255)"),
            Self::MasterDown { master: None, .. } => f.write_str("no master was heard"),
            Self::MasterDown {
                master: Some(master),
                silent_for: None,
            } => write!(f, "master {master} fell silent"),
            Self::MasterDown {
                master: Some(master),
                silent_for: Some(silent),
            } => {
                write!(f, "master {master} fell silent: no advert for {silent} s")
            }
            Self::MasterReleased { master } => write!(f, "master {master} gave mastership up (priority 0)"),
            Self::Preempted { master, theirs, ours } => {
                write!(f, "master {master} has priority {theirs}, lower than ours, {ours}")
            }
            Self::HigherPriority { from, theirs, ours } => {
                write!(f, "{from} advertises priority {theirs}, higher than ours, {ours}")
            }
            Self::HigherAddress { from, priority } => {
                write!(
                    f,
                    "{from} advertises the same priority {priority} and has the higher address"
                )
            }
            Self::TrackerFailed { kind, name, detail } => {
                write!(f, "{} {name} failed", kind.as_str())?;
                detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
            }
            Self::TrackerPending { kind, name } => write!(f, "{} {name} has not reported yet", kind.as_str()),
            Self::InterfaceDown {
                interface,
                missing: false,
            } => write!(f, "interface {interface} is down"),
            Self::InterfaceDown {
                interface,
                missing: true,
            } => write!(f, "interface {interface} does not exist"),
            Self::NoSourceAddress {
                interface: Some(interface),
            } => {
                write!(f, "interface {interface} has no address to send from")
            }
            Self::NoSourceAddress { interface: None } => f.write_str("there is no address to send from"),
            Self::Group { group, member } => write!(f, "sync group {group} follows its member {member}"),
            Self::FaultCleared => f.write_str("the last fault has gone"),
            Self::AddressLost { address } => write!(f, "somebody keeps deleting {address}"),
            Self::Stalled { gap } => write!(f, "the process did not run for {gap} s"),
            Self::ConfigurationFault { detail } => write!(f, "the configuration cannot be carried out: {detail}"),
            Self::Reload => f.write_str("the configuration changed"),
            Self::Shutdown => f.write_str("the daemon stops"),
        }
    }
}

/// The last transition of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Before.
    pub from: StateName,
    /// After.
    pub to: StateName,
    /// Why.
    pub reason: Reason,
}
