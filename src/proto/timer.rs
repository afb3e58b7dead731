//! The names of the deadlines. Simultaneous ones run in the order of this enum, then in the order of the instances.

use serde::{Deserialize, Serialize};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// A master's next advert (RFC 9568: Adver_Timer).
    Advert,
    /// A backup takes over (RFC 9568: Active_Down_Timer).
    MasterDown,
    /// Another address owner is asked to yield (behaviour §2.7).
    RogueOwner,
    /// The next burst of announcements.
    Announce,
    /// An interface has been up or down for as long as its delay asks for.
    LinkDelay,
    /// A polled interface is to be asked for its link.
    LinkPoll,
    /// A check script is to be started.
    ScriptStart,
    /// A check script has run for too long.
    ScriptTimeout,
    /// The number of processes has been another for long enough.
    ProcessDelay,
    /// The start has been delayed for long enough.
    StartupDelay,
    /// A notify program has run for too long to be waited for.
    NotifyOrder,
    /// The time of a drain is over.
    DrainEnd,
    /// Problems that fade are looked at again.
    Look,
    /// A stop has taken too long.
    StopLimit,
}

impl Timer {
    /// The word in `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advert => "advert",
            Self::MasterDown => "master-down",
            Self::RogueOwner => "rogue-owner",
            Self::Announce => "announce",
            Self::LinkDelay => "link-delay",
            Self::LinkPoll => "link-poll",
            Self::ScriptStart => "script-start",
            Self::ScriptTimeout => "script-timeout",
            Self::ProcessDelay => "process-delay",
            Self::StartupDelay => "startup-delay",
            Self::NotifyOrder => "notify-order",
            Self::DrainEnd => "drain-end",
            Self::Look => "look",
            Self::StopLimit => "stop-limit",
        }
    }
}
