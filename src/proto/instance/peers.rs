//! Who else is heard on this VRID: a bounded table for `status --peers` and `why`.

use crate::model::{AdvertInterval, Instant, Micros, Priority};
use crate::proto::counters::DropReason;
use crate::proto::snapshot::{MasterSnapshot, PeerSnapshot, Verdict};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// At most [`Peers::LIMIT`] senders; the one heard longest ago among those never accepted makes room first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::proto) struct Peers {
    table: Vec<Peer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Peer {
    address: IpAddr,
    priority: Priority,
    seen: Instant,
    adverts: u64,
    /// Whether it was ever believed. From then on the rest is of adverts that were.
    accepted: bool,
    verdict: Verdict,
    /// Since when it has been advertising less than we do without a break.
    worse_since: Option<Instant>,
    /// When an advert in its name was dropped, and why: the last one, or for a minute one that another cluster would send.
    #[serde(default)]
    refused: Option<(Instant, DropReason)>,
}

/// A peer as a successor of this process knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerState {
    /// Its address.
    #[serde(rename = "a")]
    pub address: IpAddr,
    /// Priority of its last advert.
    #[serde(rename = "p")]
    pub priority: Priority,
    /// How long before the state was taken it was heard.
    #[serde(rename = "s")]
    pub seen_before: Micros,
    /// Adverts from it.
    #[serde(rename = "n")]
    pub adverts: u64,
    /// Whether one of them was valid.
    #[serde(rename = "ok")]
    pub accepted: bool,
    /// What was thought of the last one.
    #[serde(rename = "v")]
    pub verdict: Verdict,
}

/// A break in the adverts of a peer, after which it begins anew.
const BREAK: u64 = 4;

/// For this long a stranger is one, whatever else comes from it.
const STRANGER: Micros = Micros::from_secs(60);

impl Peer {
    fn refuse(&mut self, reason: DropReason, at: Instant) {
        let known = self.refused.is_some_and(|(before, why)| {
            why.is_of_another_cluster() && !reason.is_of_another_cluster() && at.since(before) < STRANGER
        });
        if !known {
            self.refused = Some((at, reason));
        }
    }
}

impl Peers {
    pub(in crate::proto) const LIMIT: usize = 64;

    pub(in crate::proto) fn note(&mut self, address: IpAddr, priority: Priority, verdict: Verdict, at: Instant) {
        let accepted = !matches!(verdict, Verdict::Dropped(_));
        let worse = verdict == Verdict::LowerPriority && priority != Priority::RELEASE;
        if let Some(peer) = self.table.iter_mut().find(|peer| peer.address == address) {
            if accepted || !peer.accepted {
                // What a stranger forges in its name changes nothing that it said itself.
                peer.priority = priority;
                peer.verdict = verdict;
                peer.seen = at;
                peer.worse_since = if worse { peer.worse_since.or(Some(at)) } else { None };
            }
            peer.adverts += 1;
            peer.accepted |= accepted;
            if let Verdict::Dropped(reason) = verdict {
                peer.refuse(reason, at);
            }
            return;
        }
        if self.table.len() >= Self::LIMIT {
            let Some(oldest) = (0..self.table.len()).min_by_key(|i| self.table.get(*i).map(|p| (p.accepted, p.seen)))
            else {
                return;
            };
            // A flood of forged senders must not push a real peer out.
            if self.table.get(oldest).is_some_and(|peer| peer.accepted) && !accepted {
                return;
            }
            self.table.swap_remove(oldest);
        }
        if self.table.is_empty() {
            // Most instances hear one other router all their life.
            self.table.reserve_exact(1);
        }
        self.table.push(Peer {
            address,
            priority,
            seen: at,
            adverts: 1,
            accepted,
            verdict,
            worse_since: worse.then_some(at),
            refused: refused_by(verdict, at),
        });
    }

    /// Who advertised as master within this time; of several the one that the others give way to.
    pub(in crate::proto) fn master(&self, now: Instant, within: Micros) -> Option<MasterSnapshot> {
        let alive = |peer: &&Peer| peer.accepted && peer.priority != Priority::RELEASE && now.since(peer.seen) < within;
        let best = self
            .table
            .iter()
            .filter(alive)
            .max_by_key(|peer| (peer.priority, peer.address))?;
        Some(MasterSnapshot {
            address: best.address,
            priority: best.priority,
        })
    }

    /// Senders that go on as masters although our adverts have been better for a while: they do not hear us. `spoken_since`:
    /// since when we have been sending without a break.
    pub(in crate::proto) fn deaf(&self, now: Instant, spoken_since: Instant, interval: AdvertInterval) -> Vec<IpAddr> {
        let patience = interval.duration().times(BREAK);
        let deaf = |peer: &&Peer| {
            let begun = peer.worse_since.map(|since| since.max(spoken_since));
            let long = begun.is_some_and(|begun| peer.seen.since(begun) >= patience);
            long && now.since(peer.seen) < patience
        };
        self.table.iter().filter(deaf).map(|peer| peer.address).collect()
    }

    /// Senders that use this VRID and were never understood, and what was wrong with their adverts.
    pub(in crate::proto) fn strangers(&self, now: Instant) -> Vec<(IpAddr, DropReason)> {
        let stranger = |peer: &Peer| {
            let (at, reason) = peer.refused.filter(|_| !peer.accepted)?;
            (reason.is_of_another_cluster() && now.since(at) < STRANGER).then_some((peer.address, reason))
        };
        self.table.iter().filter_map(stranger).collect()
    }

    /// Why an advert of this one was dropped, if one was since then.
    pub(in crate::proto) fn refused_since(&self, address: IpAddr, since: Instant) -> Option<DropReason> {
        let peer = self.table.iter().find(|peer| peer.address == address)?;
        peer.refused.filter(|(at, _)| *at > since).map(|(_, reason)| reason)
    }

    /// Whether this one was ever understood.
    pub(in crate::proto) fn has_heard(&self, address: IpAddr) -> bool {
        self.table.iter().any(|peer| peer.accepted && peer.address == address)
    }

    /// Whether anybody was ever understood.
    pub(in crate::proto) fn has_heard_anybody(&self) -> bool {
        self.table.iter().any(|peer| peer.accepted)
    }

    pub(in crate::proto) fn export(&self, now: Instant) -> Vec<PeerState> {
        let state = |peer: &Peer| PeerState {
            address: peer.address,
            priority: peer.priority,
            seen_before: now.since(peer.seen),
            adverts: peer.adverts,
            accepted: peer.accepted,
            verdict: peer.verdict,
        };
        self.table.iter().map(state).collect()
    }

    /// The table that a former process had at `then`.
    pub(in crate::proto) fn import(states: &[PeerState], then: Instant) -> Self {
        let peer = |state: &PeerState| Peer {
            address: state.address,
            priority: state.priority,
            seen: then.before(state.seen_before),
            adverts: state.adverts,
            accepted: state.accepted,
            verdict: state.verdict,
            worse_since: None,
            refused: refused_by(state.verdict, then.before(state.seen_before)),
        };
        Self {
            table: states.iter().take(Self::LIMIT).map(peer).collect(),
        }
    }

    pub(in crate::proto) fn snapshot(&self, now: Instant, deaf: &[IpAddr]) -> Vec<PeerSnapshot> {
        let mut peers: Vec<_> = self
            .table
            .iter()
            .map(|peer| PeerSnapshot {
                address: peer.address,
                priority: peer.priority,
                last_seen: now.since(peer.seen),
                adverts: peer.adverts,
                verdict: peer.verdict,
                one_way: deaf.contains(&peer.address),
            })
            .collect();
        peers.sort_by_key(|peer| peer.address);
        peers
    }

    /// Other senders that advertised as masters within the last `intervals` intervals, and not only when we took over.
    pub(in crate::proto) fn recent(
        &self,
        now: Instant,
        master_since: Instant,
        interval: AdvertInterval,
        intervals: u64,
    ) -> Vec<IpAddr> {
        let interval = interval.duration();
        let recent = |peer: &&Peer| {
            let master = peer.accepted && peer.priority != Priority::RELEASE;
            master && now.since(peer.seen) < interval.times(intervals) && peer.seen.since(master_since) >= interval
        };
        self.table.iter().filter(recent).map(|peer| peer.address).collect()
    }
}

fn refused_by(verdict: Verdict, at: Instant) -> Option<(Instant, DropReason)> {
    match verdict {
        Verdict::Dropped(reason) => Some((at, reason)),
        Verdict::Accepted | Verdict::LowerPriority => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_flood_of_forged_senders_does_not_push_the_real_peer_out() {
        let real: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let mut peers = Peers::default();
        peers.note(real, Priority(100), Verdict::Accepted, Instant(1));
        for i in 0..10_000u32 {
            let forged = Ipv4Addr::from(0x0a00_0000 + i).into();
            peers.note(
                forged,
                Priority(1),
                Verdict::Dropped(DropReason::Checksum),
                Instant(2 + u64::from(i)),
            );
        }
        let table = peers.snapshot(Instant(20_000), &[]);
        assert!(table.iter().any(|peer| peer.address == real));
        assert_eq!(table.len(), Peers::LIMIT);
    }
    #[test]
    fn forgeries_in_the_name_of_a_peer_do_not_change_what_it_said() {
        let real: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let mut peers = Peers::default();
        peers.note(real, Priority(100), Verdict::Accepted, Instant(1_000_000));
        for i in 0..100 {
            let at = Instant(2_000_000 + i * 100_000);
            peers.note(real, Priority(200), Verdict::Dropped(DropReason::Checksum), at);
        }
        let now = Instant(12_000_000);
        let [peer] = &peers.snapshot(now, &[])[..] else {
            panic!("one peer")
        };
        assert_eq!((peer.priority, peer.verdict), (Priority(100), Verdict::Accepted));
        assert_eq!(peer.last_seen, Micros::from_secs(11));
        let recent = peers.recent(now, Instant(0), AdvertInterval::DEFAULT, 3);
        assert!(recent.is_empty(), "no second master is alive");
    }
}
