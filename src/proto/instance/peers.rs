//! Who else is heard on this VRID: a bounded table for `status --peers` and `why`.

use crate::model::{AdvertInterval, Instant, Micros, Priority};
use crate::proto::counters::DropReason;
use crate::proto::snapshot::{MasterSnapshot, PeerSnapshot, Verdict};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// At most [`Peers::LIMIT`] senders. Who is heard again and again never makes room for somebody new ([`Worth`]).
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
    /// Since when it has been understood without a break.
    since: Instant,
    /// Whether it was understood again in that time, half an interval later or more: adverts at random come but once.
    settled: bool,
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

/// Who makes room for somebody new: the least first, of equals the one heard longest ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Never understood.
    Stranger,
    /// Heard for a moment, with a priority lower than ours.
    Worse,
    /// Heard for a moment.
    New,
    /// Was heard again and again, and is silent now.
    Silent,
    /// Is heard again and again: it stays.
    Settled,
}

impl Peer {
    fn worth(&self, now: Instant, interval: Micros) -> Worth {
        match (self.accepted, self.settled, self.verdict) {
            (false, ..) => Worth::Stranger,
            (true, true, _) if now.since(self.seen) < interval.times(BREAK) => Worth::Settled,
            (true, true, _) => Worth::Silent,
            (true, false, Verdict::Accepted) => Worth::New,
            (true, false, Verdict::LowerPriority | Verdict::Dropped(_)) => Worth::Worse,
        }
    }

    /// An advert of it that was understood.
    fn understand(&mut self, verdict: Verdict, worse: bool, at: Instant, interval: Micros) {
        if !self.accepted || at.since(self.seen) >= interval.times(BREAK) {
            (self.since, self.settled, self.worse_since) = (at, false, None);
        }
        self.accepted = true;
        self.settled |= at.since(self.since) >= Micros(interval.0 / 2);
        self.worse_since = if worse { self.worse_since.or(Some(at)) } else { None };
        self.verdict = verdict;
    }

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

    /// An advert of this sender. `interval`: how long until the next one, as far as is known.
    pub(in crate::proto) fn note(
        &mut self,
        address: IpAddr,
        priority: Priority,
        verdict: Verdict,
        at: Instant,
        interval: Micros,
    ) {
        let understood = !matches!(verdict, Verdict::Dropped(_));
        let worse = verdict == Verdict::LowerPriority && priority != Priority::RELEASE;
        if let Some(peer) = self.table.iter_mut().find(|peer| peer.address == address) {
            peer.adverts += 1;
            if understood {
                peer.understand(verdict, worse, at, interval);
            }
            if understood || !peer.accepted {
                // What a stranger forges in its name changes nothing that it said itself.
                (peer.priority, peer.verdict, peer.seen) = (priority, verdict, at);
            }
            if let Verdict::Dropped(reason) = verdict {
                peer.refuse(reason, at);
            }
            return;
        }
        if !self.make_room(understood, at, interval) {
            return;
        }
        self.table.push(Peer {
            address,
            priority,
            seen: at,
            adverts: 1,
            accepted: understood,
            verdict,
            since: at,
            settled: false,
            worse_since: worse.then_some(at),
            refused: refused_by(verdict, at),
        });
    }

    /// Whether there is room for somebody new now.
    fn make_room(&mut self, understood: bool, now: Instant, interval: Micros) -> bool {
        if self.table.is_empty() {
            // Most instances hear one other router all their life.
            self.table.reserve_exact(1);
        }
        if self.table.len() < Self::LIMIT {
            return true;
        }
        let worths = self.table.iter().map(|peer| (peer.worth(now, interval), peer.seen));
        let Some((at, (worth, _))) = worths.enumerate().min_by_key(|(_, worth)| *worth) else {
            return false;
        };
        let gives_way = worth == Worth::Stranger || understood && worth < Worth::Settled;
        if gives_way {
            self.table.swap_remove(at);
        }
        gives_way
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

    /// Whether this one is heard again and again.
    pub(in crate::proto) fn is_settled(&self, address: IpAddr) -> bool {
        self.table.iter().any(|peer| peer.settled && peer.address == address)
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
            since: then.before(state.seen_before),
            settled: false,
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

    /// Other senders that advertised as masters within the last `intervals` intervals, more than once, and not only when we
    /// took over.
    pub(in crate::proto) fn recent(
        &self,
        now: Instant,
        master_since: Instant,
        interval: AdvertInterval,
        intervals: u64,
    ) -> Vec<IpAddr> {
        let interval = interval.duration();
        let recent = |peer: &&Peer| {
            let master = peer.accepted && peer.settled && peer.priority != Priority::RELEASE;
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

    const SECOND: Micros = Micros::from_secs(1);

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    /// Each from another address, one every 20 µs.
    fn flood(peers: &mut Peers, verdict: Verdict, count: u32, from: Instant) {
        for i in 0..count {
            let at = from + Micros(u64::from(i) * 20);
            peers.note(address(i), Priority(1), verdict, at, SECOND);
        }
    }

    fn lists(peers: &Peers, address: IpAddr) -> bool {
        let table = peers.snapshot(Instant(0), &[]);
        assert!(table.len() <= Peers::LIMIT);
        table.iter().any(|peer| peer.address == address)
    }

    const FORGED: Verdict = Verdict::Dropped(DropReason::Checksum);

    #[test]
    fn whatever_a_flood_is_made_of_it_does_not_push_the_real_peer_out() {
        let real: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        for verdict in [FORGED, Verdict::LowerPriority, Verdict::Accepted] {
            let mut peers = Peers::default();
            let mut at = Instant(1);
            for _ in 0..3 {
                peers.note(real, Priority(100), Verdict::LowerPriority, at, SECOND);
                at += SECOND;
            }
            flood(&mut peers, verdict, 40_000, at);
            assert!(lists(&peers, real), "{verdict:?}");
            // It is silent now, and who is heard once is still worth less.
            flood(&mut peers, verdict, 40_000, at + Micros::from_secs(3600));
            assert!(lists(&peers, real), "{verdict:?}");
        }
    }

    #[test]
    fn a_new_master_finds_its_place_in_a_flood_of_worse_adverts() {
        let real: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        for verdict in [FORGED, Verdict::LowerPriority] {
            let mut peers = Peers::default();
            flood(&mut peers, verdict, 1_000, Instant(0));
            peers.note(real, Priority(100), Verdict::Accepted, Instant(1_000_000), SECOND);
            flood(&mut peers, verdict, 40_000, Instant(1_000_001));
            assert!(lists(&peers, real), "{verdict:?}");
        }
    }

    #[test]
    fn those_who_have_fallen_silent_make_room() {
        let mut peers = Peers::default();
        let every = |peers: &mut Peers, at: u64| {
            for i in 0..64 {
                peers.note(address(i), Priority(100), Verdict::Accepted, Instant(at), SECOND);
            }
        };
        every(&mut peers, 0);
        every(&mut peers, 1_000_000);
        let note = |peers: &mut Peers, at| peers.note(address(64), Priority(1), Verdict::Accepted, Instant(at), SECOND);
        note(&mut peers, 1_500_000);
        assert!(!lists(&peers, address(64)), "all others are there");
        note(&mut peers, 9_000_000);
        assert!(lists(&peers, address(64)), "all others are gone");
        peers.note(address(65), Priority(1), FORGED, Instant(9_000_001), SECOND);
        assert!(!lists(&peers, address(65)), "a stranger takes nobody's place");
    }

    #[test]
    fn a_worse_master_that_was_silent_meanwhile_is_not_deaf_at_once() {
        let worse: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let mut peers = Peers::default();
        let deaf = |peers: &Peers, at: u64| {
            !peers
                .deaf(Instant(at * 1_000_000), Instant(0), AdvertInterval::DEFAULT)
                .is_empty()
        };
        for second in [1, 3_600, 3_601, 3_602, 3_603, 3_604] {
            let at = Instant(second * 1_000_000);
            peers.note(worse, Priority(50), Verdict::LowerPriority, at, SECOND);
            assert_eq!(deaf(&peers, second), second == 3_604, "{second}");
        }
    }

    #[test]
    fn forgeries_in_the_name_of_a_peer_do_not_change_what_it_said() {
        let real: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let mut peers = Peers::default();
        peers.note(real, Priority(100), Verdict::Accepted, Instant(1_000_000), SECOND);
        for i in 0..100 {
            let at = Instant(2_000_000 + i * 100_000);
            peers.note(real, Priority(200), FORGED, at, SECOND);
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
