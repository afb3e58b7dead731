//! The states. Data that belongs to a state lives in its variant, so leaving the state cancels its timers.

use crate::model::{Instant, MacAddr, Micros, Priority, Ticket};
use crate::proto::action::StateName;
use crate::proto::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// State of an instance with its timers (RFC 9568 section 6.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) enum State {
    /// Not started, or first script results are missing, or old addresses are still being removed.
    Init,
    /// Listens.
    Backup(Backup),
    /// Holds the addresses.
    Master(Master),
    /// Cannot take part.
    Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct Backup {
    /// Active_Down_Timer.
    pub(in crate::proto) master_down: Instant,
    /// End of `preempt_delay`, once a worse master was heard.
    pub(in crate::proto) preempt_after: Option<Instant>,
    /// The last accepted advert's sender, priority and time.
    pub(in crate::proto) accepted: Option<(IpAddr, Priority, Instant)>,
    /// The last discarded advert's sender, priority and time.
    pub(in crate::proto) discarded: Option<(IpAddr, Priority, Instant)>,
    /// Who gave mastership up since the last accepted advert.
    pub(in crate::proto) released: Option<IpAddr>,
    /// Since when there is no master that it could replace if it were not drained.
    pub(in crate::proto) nobody_since: Option<Instant>,
}

impl Backup {
    pub(in crate::proto) const fn waiting_until(master_down: Instant) -> Self {
        Self {
            master_down,
            preempt_after: None,
            accepted: None,
            discarded: None,
            released: None,
            nobody_since: None,
        }
    }

    /// Its Master_Down_Interval has changed: the running timer moves by the difference.
    pub(in crate::proto) fn shift(&mut self, before: Micros, after: Micros) {
        let longer = self.master_down + after.saturating_sub(before);
        self.master_down = longer.before(before.saturating_sub(after));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct Master {
    /// Adver_Timer.
    pub(in crate::proto) next_advert: Instant,
    /// When the last advert left, which may have been behind its slot of the grid.
    pub(in crate::proto) advertised: Instant,
    /// The wish that set the addresses.
    pub(in crate::proto) ticket: Ticket,
    /// Which addresses are there, by position in the wish.
    pub(in crate::proto) present: Vec<bool>,
    /// Whether every address of the wish was set or told as failed.
    pub(in crate::proto) complete: bool,
    /// The second burst.
    pub(in crate::proto) second_burst: Option<Instant>,
    /// Positions that the second burst is for; `None`: all of them.
    pub(in crate::proto) newcomers: Option<Vec<usize>>,
    /// The next refresh.
    pub(in crate::proto) refresh: Option<Instant>,
    /// The delayed burst after a worse advert.
    pub(in crate::proto) lower_prio_burst: Option<Instant>,
    /// Until when it listens after a stall before it sends anything.
    pub(in crate::proto) listens_until: Option<Instant>,
    /// Another address owner that should yield.
    pub(in crate::proto) rogue: Option<Box<Rogue>>,
    /// When addresses were stolen lately (DESIGN difference 1).
    pub(in crate::proto) stolen_at: Vec<Instant>,
    /// Other nodes that claim our addresses, by position in the wish (DESIGN difference 2).
    pub(in crate::proto) claims: BTreeMap<usize, Claim>,
    /// When the first of them is answered.
    pub(in crate::proto) claims_answer: Option<Instant>,
}

/// A virtual address that another node claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct Claim {
    /// Who, the last time.
    pub(in crate::proto) mac: MacAddr,
    /// When it was heard last.
    pub(in crate::proto) heard: Instant,
    /// Answers in a row, and when the last one was given.
    pub(in crate::proto) answers: u8,
    pub(in crate::proto) answered: Option<Instant>,
    /// When the next one is due.
    pub(in crate::proto) answer_at: Option<Instant>,
    /// Whether a row of answers did not help. Stays true while we are master.
    pub(in crate::proto) persists: bool,
}

/// Two address owners (behaviour §2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct Rogue {
    pub(in crate::proto) other: IpAddr,
    pub(in crate::proto) interval: Micros,
    /// Own adverts that the other one still gets before it has to be quiet.
    pub(in crate::proto) adverts_left: u8,
    /// Until when it must be quiet.
    pub(in crate::proto) quiet_until: Option<Instant>,
}

impl State {
    pub(in crate::proto) const fn name(&self) -> StateName {
        match self {
            Self::Init => StateName::Init,
            Self::Backup(_) => StateName::Backup,
            Self::Master(_) => StateName::Master,
            Self::Fault => StateName::Fault,
        }
    }

    /// The earliest deadline of the state.
    pub(in crate::proto) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        match self {
            Self::Init | Self::Fault => None,
            Self::Backup(backup) => Some((backup.master_down, Timer::MasterDown)),
            Self::Master(master) => {
                let announce = [
                    master.second_burst,
                    master.refresh,
                    master.lower_prio_burst,
                    master.claims_answer,
                ];
                let announce = announce.into_iter().flatten().map(|at| (at, Timer::Announce));
                let rogue = master
                    .rogue
                    .as_ref()
                    .and_then(|r| r.quiet_until)
                    .map(|at| (at, Timer::RogueOwner));
                announce.chain(rogue).chain([(master.next_advert, Timer::Advert)]).min()
            }
        }
    }
}
