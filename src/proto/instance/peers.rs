//! Who else is heard on this VRID: a bounded table for `status --peers` and `why`.

use crate::model::{AdvertInterval, Instant, Priority};
use crate::proto::snapshot::{PeerSnapshot, Verdict};
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
}

impl Peers {
    pub(in crate::proto) const LIMIT: usize = 64;

    pub(in crate::proto) fn note(&mut self, address: IpAddr, priority: Priority, verdict: Verdict, at: Instant) {
        let accepted = !matches!(verdict, Verdict::Dropped(_));
        if let Some(peer) = self.table.iter_mut().find(|peer| peer.address == address) {
            if accepted || !peer.accepted {
                // What a stranger forges in its name changes nothing that it said itself.
                peer.priority = priority;
                peer.verdict = verdict;
                peer.seen = at;
            }
            peer.adverts += 1;
            peer.accepted |= accepted;
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
        });
    }

    pub(in crate::proto) fn snapshot(&self, now: Instant) -> Vec<PeerSnapshot> {
        let mut peers: Vec<_> = self
            .table
            .iter()
            .map(|peer| PeerSnapshot {
                address: peer.address,
                priority: peer.priority,
                last_seen: now.since(peer.seen),
                adverts: peer.adverts,
                verdict: peer.verdict,
            })
            .collect();
        peers.sort_by_key(|peer| peer.address);
        peers
    }

    /// Other senders that advertised as masters within the last `intervals` intervals.
    pub(in crate::proto) fn recent(&self, now: Instant, interval: AdvertInterval, intervals: u64) -> Vec<IpAddr> {
        let limit = interval.duration().times(intervals);
        let recent = |peer: &&Peer| peer.accepted && peer.priority != Priority::RELEASE && now.since(peer.seen) < limit;
        self.table.iter().filter(recent).map(|peer| peer.address).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Micros;
    use crate::proto::counters::DropReason;
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
        let table = peers.snapshot(Instant(20_000));
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
        let [peer] = &peers.snapshot(now)[..] else {
            panic!("one peer")
        };
        assert_eq!((peer.priority, peer.verdict), (Priority(100), Verdict::Accepted));
        assert_eq!(peer.last_seen, Micros::from_secs(11));
        let recent = peers.recent(now, AdvertInterval::DEFAULT, 3);
        assert!(recent.is_empty(), "no second master is alive");
    }
}
