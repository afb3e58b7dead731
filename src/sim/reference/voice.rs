//! What a master tells its neighbours, and when (behaviour §7.2, DESIGN differences 1 and 2).

use super::rules::Rules;
use crate::model::MacAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// A claim is answered after this time if we are master still, once in a second, ten times in a row; a minute ends a row.
const HEED: u64 = 100_000;
const PAUSE: u64 = 1_000_000;
const ROW: u32 = 10;
const QUIET: u64 = 60_000_000;

/// Addresses, and how often each is announced.
pub(super) type Burst = (Vec<IpAddr>, u32);

/// What one master knows of its addresses and their neighbours.
#[derive(Debug, Clone, Default)]
pub(super) struct Voice {
    /// Addresses that are there.
    present: BTreeSet<IpAddr>,
    /// All of them were there once.
    complete: bool,
    again_at: Option<u64>,
    /// Whom the second burst is for, if the neighbours know the others.
    newcomers: Option<Vec<IpAddr>>,
    refresh_at: Option<u64>,
    worse_at: Option<u64>,
    claims: BTreeMap<IpAddr, Claim>,
}

#[derive(Debug, Clone, Default)]
struct Claim {
    heard: u64,
    answers: u32,
    answered: Option<u64>,
    answer_at: Option<u64>,
}

impl Voice {
    /// Those of these addresses that are there.
    fn there(&self, of: &[IpAddr]) -> Vec<IpAddr> {
        of.iter()
            .filter(|address| self.present.contains(address))
            .copied()
            .collect()
    }

    /// These are there now. The first time that all are, a second burst and the refreshes follow; an address that was put
    /// back is announced once.
    pub(super) fn present(&mut self, rules: &Rules, first: usize, count: usize, complete: bool, now: u64) -> Burst {
        let again = self.complete;
        let told = rules.addresses.iter().skip(first).take(count);
        let new: Vec<IpAddr> = told
            .filter(|address| self.present.insert(**address) || again)
            .copied()
            .collect();
        self.complete |= complete;
        let says = &rules.says;
        if complete && !again {
            let wanted = says.delay > 0 && self.newcomers != Some(Vec::new());
            self.again_at = wanted.then_some(now + says.delay);
            self.refresh_at = (says.refresh > 0).then_some(now + says.delay + says.refresh);
        }
        (new, says.repeat)
    }

    /// Other addresses by a reload: only new ones are announced, but for a burst that may be under way still. `recent`: it
    /// became master within the last second.
    pub(super) fn exchange(&mut self, old: &[IpAddr], new: &Rules, recent: bool) -> Burst {
        self.present.retain(|address| new.addresses.contains(address));
        self.claims.retain(|address, _| new.addresses.contains(address));
        let announcing = !self.complete || self.again_at.is_some();
        let newcomers = new.addresses.iter().filter(|address| !old.contains(address));
        self.newcomers = (!announcing).then(|| newcomers.copied().collect());
        self.complete = false;
        let again = if announcing && recent {
            self.there(&new.addresses)
        } else {
            Vec::new()
        };
        (again, new.says.repeat)
    }

    pub(super) fn stolen(&mut self, address: IpAddr) {
        self.present.remove(&address);
    }

    /// A worse master was heard, by it or by another member of its group.
    pub(super) fn heard_worse(&mut self, rules: &Rules, now: u64) -> Burst {
        let says = &rules.says;
        if says.worse_repeat == 0 {
            return (Vec::new(), 0);
        }
        if says.worse_delay > 0 {
            self.worse_at = Some(now + says.worse_delay);
        }
        (self.there(&rules.addresses), says.worse_repeat)
    }

    /// Somebody else claims an address.
    pub(super) fn claimed(&mut self, rules: &Rules, address: IpAddr, mac: MacAddr, now: u64) {
        let family = if address.is_ipv4() { 1 } else { 2 };
        let ours = MacAddr([0, 0, 0x5e, 0, family, rules.vrid]);
        if !self.present.contains(&address) || !rules.answers_claims || mac == ours {
            return;
        }
        let claim = self.claims.entry(address).or_insert(Claim {
            heard: now,
            ..Claim::default()
        });
        if now - claim.heard > QUIET {
            claim.answers = 0;
        }
        claim.heard = now;
        if claim.answers >= ROW || claim.answered.is_some_and(|before| now - before < PAUSE) {
            return;
        }
        claim.answers += 1;
        claim.answered = Some(now);
        claim.answer_at.get_or_insert(now + HEED);
    }

    /// When it says something next.
    pub(super) fn due(&self) -> Option<u64> {
        let claims = self.claims.values().filter_map(|claim| claim.answer_at);
        let bursts = [self.again_at, self.refresh_at, self.worse_at];
        bursts.into_iter().flatten().chain(claims).min()
    }

    /// What is due: the second burst, the one about a worse master, the refresh, answers to claims.
    pub(super) fn time(&mut self, rules: &Rules, now: u64) -> Vec<Burst> {
        let (says, there) = (&rules.says, self.there(&rules.addresses));
        let mut bursts = Vec::new();
        if self.again_at.take_if(|at| *at <= now).is_some() {
            let newcomers = self.newcomers.take().map(|new| self.there(&new));
            bursts.push((newcomers.unwrap_or_else(|| there.clone()), says.repeat));
        }
        if self.worse_at.take_if(|at| *at <= now).is_some() {
            bursts.push((there.clone(), says.worse_repeat));
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = Some(now + says.refresh);
            bursts.push((there, says.refresh_repeat));
        }
        for address in &rules.addresses {
            let claim = self.claims.get_mut(address);
            let answers = claim.is_some_and(|claim| claim.answer_at.take_if(|at| *at <= now).is_some());
            if answers && self.present.contains(address) {
                bursts.push((vec![*address], 1));
            }
        }
        bursts
    }
}

/// `garp_interval` and `gna_interval`: one announcement at a time, the others wait in a row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) interval: u64,
    last: Option<u64>,
    /// Router, address, how often still.
    waiting: VecDeque<(usize, IpAddr, u32)>,
}

impl Row {
    pub(super) const fn new(interval: u64) -> Self {
        Self {
            interval,
            last: None,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, router: usize, address: IpAddr, rounds: u32) {
        let known = self
            .waiting
            .iter_mut()
            .find(|(of, one, _)| (*of, *one) == (router, address));
        match known {
            Some((_, _, left)) => *left = rounds.max(*left),
            None => self.waiting.push_back((router, address, rounds)),
        }
    }

    pub(super) fn forget(&mut self, router: usize) {
        self.waiting.retain(|(of, _, _)| *of != router);
    }

    pub(super) fn due(&self) -> Option<u64> {
        let waits = !self.waiting.is_empty();
        waits.then(|| self.last.map_or(0, |last| last + self.interval))
    }

    /// The head speaks and, if it is not done, goes to the tail.
    pub(super) fn time(&mut self, now: u64) -> Option<(usize, IpAddr)> {
        let (router, address, left) = self.waiting.pop_front()?;
        self.last = Some(now);
        if left > 1 {
            self.waiting.push_back((router, address, left - 1));
        }
        Some((router, address))
    }
}
