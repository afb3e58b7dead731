//! Why an instance is in its state: every transition carries one of these, with the evidence.

use super::action::StateName;
use super::counters::DropReason;
use super::snapshot::TrackerStatus;
use crate::model::{IfName, Micros, Priority};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The cause of a transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// The daemon started.
    Startup,
    /// An address owner does not wait (RFC 9568 section 6.4.1).
    AddressOwner,
    /// No acceptable advert came for a whole Master_Down_Interval.
    MasterDown {
        /// The master that fell silent, if one was heard.
        master: Option<IpAddr>,
        /// How long ago its last accepted advert was.
        silent_for: Option<Micros>,
        /// Adverts came from it all the same: why the last one was dropped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped: Option<DropReason>,
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
        /// What made the difference.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        because: Vec<Evidence>,
    },
    /// A better advert came while we were master.
    HigherPriority {
        /// Who sent it.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
        /// What made the difference.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        because: Vec<Evidence>,
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
        /// What stands on it, where it is not the instance's own interface.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needed_by: Option<Arc<str>>,
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
        /// Why that member is as it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<Box<Self>>,
    },
    /// The last fault has gone.
    FaultCleared {
        /// Which it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Box<Self>>,
    },
    /// Somebody deleted a virtual address again and again, or it vanished.
    AddressLost {
        /// Which.
        address: IpAddr,
        /// The kernel took it away by itself.
        #[serde(default)]
        vanished: bool,
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
    /// The process died and was started again: it begins as a backup, because the addresses were removed.
    Respawned,
    /// Somebody drained it for maintenance (`vrrpd drain`).
    Drained {
        /// For how long; `None` = until it is resumed.
        length: Option<Micros>,
    },
    /// It was drained and released, and nobody else took over.
    NotTakenOver,
    /// The instance was taken out of the configuration, is new there, or changed so that it has to start again.
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
    /// What tells a fault from others of the same code.
    #[must_use]
    pub fn subject(&self) -> String {
        if let Self::TrackerFailed { name, .. } | Self::TrackerPending { name, .. } = self {
            return name.to_string();
        }
        if let Self::InterfaceDown { interface, .. } = self {
            return interface.to_string();
        }
        if let Self::Group { member, .. } = self {
            return member.to_string();
        }
        self.to_string()
    }

    /// The cause alone, without what lies behind it.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        if let Self::Preempted { because, .. } | Self::HigherPriority { because, .. } = &mut bare {
            because.clear();
        } else if let Self::Group { because, .. } = &mut bare {
            *because = None;
        } else if let Self::FaultCleared { fault } = &mut bare {
            *fault = None;
        }
        bare
    }

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
            Self::FaultCleared { .. } => "fault-cleared",
            Self::AddressLost { .. } => "address-lost",
            Self::Stalled { .. } => "stalled",
            Self::ConfigurationFault { .. } => "configuration-fault",
            Self::Respawned => "respawned",
            Self::Drained { .. } => "drained",
            Self::NotTakenOver => "not-taken-over",
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
                silent_for,
                dropped,
            } => {
                match silent_for {
                    None => write!(f, "master {master} fell silent"),
                    Some(silent) if dropped.is_none() => {
                        write!(f, "master {master} fell silent: no advert for {}", Span(*silent))
                    }
                    Some(silent) => write!(f, "no valid advert of master {master} for {}", Span(*silent)),
                }?;
                dropped.map_or(Ok(()), |reason| {
                    write!(f, ": those that came were dropped ({})", reason.as_str())
                })
            }
            Self::MasterReleased { master } => write!(f, "master {master} gave mastership up (priority 0)"),
            Self::Preempted {
                master,
                theirs,
                ours,
                because,
            } => {
                write!(f, "master {master} has priority {theirs}, lower than ours, {ours}")?;
                evidence(f, because)
            }
            Self::HigherPriority {
                from,
                theirs,
                ours,
                because,
            } => {
                write!(f, "{from} advertises priority {theirs}, higher than ours, {ours}")?;
                evidence(f, because)
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
                missing,
                needed_by,
            } => {
                let what = if *missing { "does not exist" } else { "is down" };
                write!(f, "interface {interface} {what}")?;
                needed_by.as_ref().map_or(Ok(()), |by| write!(f, " ({by} is on it)"))
            }
            Self::NoSourceAddress {
                interface: Some(interface),
            } => {
                write!(f, "interface {interface} has no address to send from")
            }
            Self::NoSourceAddress { interface: None } => f.write_str("there is no address to send from"),
            Self::Group { group, member, because } => {
                write!(f, "sync group {group} follows its member {member}")?;
                because.as_ref().map_or(Ok(()), |because| write!(f, ": {because}"))
            }
            Self::FaultCleared { fault } => gone(f, "the last", fault.as_deref()),
            Self::AddressLost {
                address,
                vanished: false,
            } => write!(f, "somebody keeps deleting {address}"),
            Self::AddressLost {
                address,
                vanished: true,
            } => write!(f, "the kernel took {address} away"),
            Self::Stalled { gap } => write!(f, "the process did not run for {}", Span(*gap)),
            Self::ConfigurationFault { detail } => write!(f, "the configuration cannot be carried out: {detail}"),
            Self::Respawned => f.write_str("the VRRP process died and was started again"),
            Self::Drained { length: None } => f.write_str("it was drained for maintenance, until `vrrpd resume`"),
            Self::Drained { length: Some(length) } => {
                write!(f, "it was drained for maintenance, for {}", Span(*length))
            }
            Self::NotTakenOver => f.write_str("it was drained and nobody else took over"),
            Self::Reload => f.write_str("the configuration changed"),
            Self::Shutdown => f.write_str("the daemon stops"),
        }
    }
}

fn gone(f: &mut fmt::Formatter<'_>, which: &str, fault: Option<&Reason>) -> fmt::Result {
    write!(f, "{which} fault has gone")?;
    fault.map_or(Ok(()), |fault| write!(f, ": {}", Past(fault)))
}

/// A fault that is none any more, in plain words.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a>(pub &'a Reason);

impl fmt::Display for Past<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Reason::InterfaceDown {
            interface,
            missing,
            needed_by,
        } = self.0
        {
            let how = if *missing { "did not exist" } else { "was down" };
            write!(f, "interface {interface} {how}")?;
            return needed_by.as_ref().map_or(Ok(()), |by| write!(f, " ({by} is on it)"));
        }
        if let Reason::NoSourceAddress { interface } = self.0 {
            return match interface {
                Some(interface) => write!(f, "interface {interface} had no address to send from"),
                None => f.write_str("there was no address to send from"),
            };
        }
        if let Reason::Group { group, member, because } = self.0 {
            write!(f, "sync group {group} followed its member {member}")?;
            return because
                .as_ref()
                .map_or(Ok(()), |because| write!(f, ": {}", Past(because)));
        }
        if let Reason::ConfigurationFault { detail } = self.0 {
            return write!(f, "the configuration could not be carried out: {detail}");
        }
        if let Reason::TrackerFailed { kind, name, detail } = self.0 {
            write!(f, "{} {name} had failed", kind.as_str())?;
            return detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"));
        }
        self.0.fmt(f)
    }
}

/// A length of time for people: `2 h`, `30 min`, `90 s`, `1.500 s`.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Micros);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s")];
        match units.iter().find(|(unit, _)| self.0.0 > 0 && self.0.0 % unit == 0) {
            Some((unit, name)) => write!(f, "{} {name}", self.0.0 / unit),
            None => write!(f, "{}.{:03} s", self.0.0 / 1_000_000, self.0.0 / 1_000 % 1_000),
        }
    }
}

/// What lies behind a comparison of priorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Ours was different before.
    Ours(PriorityChange),
    /// Theirs was different before.
    Theirs {
        /// What it was.
        before: Priority,
    },
    /// We were asleep meanwhile.
    Asleep {
        /// How long.
        gap: Micros,
    },
    /// We could not be master before: a fault that has gone, a start, a sleep.
    Absent(Box<Reason>),
    /// `preempt_delay` was waited for.
    Waited {
        /// How long.
        delay: Micros,
    },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(change) => write!(f, "ours {change}"),
            Self::Theirs { before } => write!(f, "theirs was {before} before"),
            Self::Asleep { gap } => write!(f, "we did not run for {}", Span(*gap)),
            Self::Absent(why) => {
                if let Reason::FaultCleared { fault } = &**why {
                    return gone(f, "our last", fault.as_deref());
                }
                why.fmt(f)
            }
            Self::Waited { delay } => write!(f, "after a preempt_delay of {}", Span(*delay)),
        }
    }
}

fn evidence(f: &mut fmt::Formatter<'_>, of: &[Evidence]) -> fmt::Result {
    of.iter().try_for_each(|one| write!(f, "; {one}"))
}

/// A change of our own effective priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityChange {
    /// Before.
    pub from: Priority,
    /// After.
    pub to: Priority,
    /// Why.
    pub cause: PriorityCause,
}

impl fmt::Display for PriorityChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.to < self.from { "fell" } else { "rose" };
        write!(f, "{how} from {} to {} because {}", self.from, self.to, self.cause)
    }
}

/// Why our own priority changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriorityCause {
    /// A tracker with a weight reported something else.
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
    /// Another configuration is in force.
    Configuration,
    /// Somebody drained it.
    Drained,
    /// Its drain has ended.
    Resumed,
    /// Another address owner does not yield, or has gone.
    OtherOwner,
}

impl fmt::Display for PriorityCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracker {
                kind,
                name,
                status,
                detail,
            } => {
                write!(f, "{} {name} is {}", kind.as_str(), status.as_str())?;
                detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
            }
            Self::Configuration => f.write_str("the configuration changed"),
            Self::Drained => f.write_str("it was drained"),
            Self::Resumed => f.write_str("its drain ended"),
            Self::OtherOwner => f.write_str("there is another address owner"),
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
