//! What an instance shows of itself.

use super::{Instance, State};
use crate::model::{Instant, Transport, Weight};
use crate::proto::mutant::Mutation;
use crate::proto::reason::TrackerKind;
use crate::proto::snapshot::{
    Brief, Contribution, Hold, InstanceSnapshot, MasterSnapshot, PrioritySnapshot, TimerSnapshot, TrackerStatus,
    VipSnapshot,
};
use crate::proto::tracking::{Finding, Trackers};
use crate::proto::world::World;
use std::net::IpAddr;

impl Instance {
    /// What each tracker adds to the priority.
    pub(in crate::proto) fn contributions(
        &self,
        world: &World,
        trackers: &Trackers,
        mutation: Mutation,
    ) -> Vec<Contribution> {
        if self.config.is_owner() {
            return Vec::new();
        }
        let found = trackers.findings(&self.config, mutation);
        let found: Vec<_> = found.map(|finding| Finding::contribution(&finding)).collect();
        let listed = self.config.track_interfaces.iter();
        let listed = listed.map(|track| match self.needs(&track.interface) {
            true => (&track.interface, Weight::ZERO),
            false => (&track.interface, track.weight),
        });
        let others = self.needed_elsewhere().into_iter();
        let others = others.filter(|name| {
            !self
                .config
                .track_interfaces
                .iter()
                .any(|track| track.interface == **name)
        });
        let others = others.map(|name| (name, Weight::ZERO));
        let of_interfaces = listed.chain(others).map(|(name, weight)| {
            let up = world.runs(name);
            Contribution {
                kind: TrackerKind::Interface,
                name: name.as_str().into(),
                status: if up { TrackerStatus::Up } else { TrackerStatus::Down },
                weight: weight.value(),
                adds: weight.contribution(up),
            }
        });
        found.into_iter().chain(of_interfaces).collect()
    }

    pub(in crate::proto) fn snapshot(
        &self,
        now: Instant,
        world: &World,
        trackers: &Trackers,
        mutation: Mutation,
    ) -> InstanceSnapshot {
        let config = &self.config;
        InstanceSnapshot {
            name: config.name.clone(),
            interface: config.interface.clone(),
            vrid: config.vrid,
            version: config.version,
            family: config.family,
            state: self.state.name(),
            since: self.since,
            reason: self.reason.clone(),
            faults: self.faults.clone(),
            priority: PrioritySnapshot {
                base: config.priority,
                effective: self.effective,
                contributions: self.contributions(world, trackers, mutation),
            },
            master: self.known_master(now, mutation),
            source: self.source,
            advert_interval: config.advert_interval.duration(),
            master_advert_interval: self.master_interval.duration(),
            master_down_interval: self.master_down_interval(mutation),
            timer: self.state.next_deadline().map(|(at, timer)| TimerSnapshot {
                timer,
                remaining: at.since(now),
            }),
            preempt: config.preempt,
            vips: self.vips(),
            peers: self.peers.snapshot(now, &self.deaf_peers(now)),
            counters: self.counters.clone(),
            last_transition: self.last_transition.clone(),
            last_priority: self.last_priority.as_deref().cloned(),
            drain: self.drain.as_ref().map(|drain| drain.snapshot()),
            holds: self.holds(now),
            silent_peers: self.silent_peers(),
        }
    }

    /// Configured peers that were never heard. A backup is silent, so this may be as it should be.
    pub(super) fn silent_peers(&self) -> Vec<IpAddr> {
        let Transport::Unicast { peers, .. } = &self.config.transport else {
            return Vec::new();
        };
        let addresses = peers.iter().map(|peer| peer.address);
        addresses.filter(|address| !self.peers.has_heard(*address)).collect()
    }

    /// Masters that do not hear us although we are better.
    pub(super) fn deaf_peers(&self, now: Instant) -> Vec<IpAddr> {
        if self.master().is_none() {
            return Vec::new();
        }
        // Nobody heard us while we slept.
        let woke = self.stalled.map_or(self.since, |(_, woke)| woke);
        self.peers.deaf(now, self.since.max(woke), self.config.advert_interval)
    }

    /// What keeps it from taking over although nothing is wrong with it.
    fn holds(&self, now: Instant) -> Vec<Hold> {
        let mut holds = Vec::new();
        match &self.state {
            State::Backup(backup) => {
                let worse = backup.accepted.filter(|(_, theirs, _)| *theirs < self.effective);
                match (backup.preempt_after.filter(|end| *end > now), worse) {
                    (Some(end), _) => holds.push(Hold::PreemptDelay {
                        remaining: end.since(now),
                    }),
                    (None, Some((master, theirs, _))) if !self.config.preempt => {
                        holds.push(Hold::NoPreempt { master, theirs });
                    }
                    (None, _) => {}
                }
                if self.wants_master {
                    holds.push(Hold::Group);
                }
            }
            State::Master(master) => {
                let listens = master.listens_until.filter(|until| *until > now);
                holds.extend(listens.map(|until| Hold::ListensAfterStall {
                    remaining: until.since(now),
                }));
            }
            State::Init | State::Fault => {}
        }
        if self.drain.is_some() {
            holds.push(Hold::Drained);
        }
        holds
    }

    pub(in crate::proto) const fn brief(&self) -> Brief {
        Brief {
            state: self.state.name(),
            priority: self.effective,
            timer: match &self.state {
                State::Init | State::Fault => None,
                State::Backup(backup) => Some(backup.master_down),
                State::Master(master) => Some(master.next_advert),
            },
        }
    }

    fn known_master(&self, now: Instant, mutation: Mutation) -> Option<MasterSnapshot> {
        match &self.state {
            State::Init => None,
            State::Fault => self.peers.master(now, self.master_down_interval(mutation)),
            State::Master(_) => self.source.map(|address| MasterSnapshot {
                address,
                priority: self.effective,
            }),
            State::Backup(backup) => {
                let newest = backup
                    .accepted
                    .into_iter()
                    .chain(backup.discarded)
                    .max_by_key(|(_, _, at)| *at);
                newest.map(|(address, priority, _)| MasterSnapshot { address, priority })
            }
        }
    }

    pub(super) fn vips(&self) -> Vec<VipSnapshot> {
        let advertised = self.config.vips.len();
        let present = |i: usize| {
            self.master()
                .is_some_and(|m| m.present.get(i).copied().unwrap_or(false))
        };
        self.addresses
            .iter()
            .enumerate()
            .map(|(i, vip)| VipSnapshot {
                address: vip.address,
                prefix_len: vip.prefix_len,
                interface: vip.interface.clone(),
                present: present(i),
                excluded: i >= advertised,
            })
            .collect()
    }
}
