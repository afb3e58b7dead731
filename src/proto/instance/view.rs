//! What an instance shows of itself.

use super::{Instance, State};
use crate::model::{Instant, Priority};
use crate::proto::mutant::Mutation;
use crate::proto::reason::TrackerKind;
use crate::proto::snapshot::{
    Contribution, InstanceSnapshot, MasterSnapshot, PrioritySnapshot, Problem, Severity, TimerSnapshot, TrackerStatus,
    VipSnapshot,
};
use crate::proto::tracking::{Finding, Trackers};
use crate::proto::world::World;

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
        let of_interfaces = self.config.track_interfaces.iter().map(|track| {
            let up = world.runs(&track.interface);
            Contribution {
                kind: TrackerKind::Interface,
                name: track.interface.as_str().into(),
                status: if up { TrackerStatus::Up } else { TrackerStatus::Down },
                weight: track.weight.value(),
                adds: track.weight.contribution(up),
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
            master: self.known_master(),
            source: self.source,
            advert_interval: config.advert_interval.duration(),
            master_advert_interval: self.master_interval.duration(),
            master_down_interval: self.master_down_interval(mutation),
            timer: self.next_deadline().map(|(at, timer)| TimerSnapshot {
                timer,
                remaining: at.since(now),
            }),
            preempt: config.preempt,
            vips: self.vips(),
            peers: self.peers.snapshot(now),
            counters: self.counters.clone(),
            last_transition: self.last_transition.clone(),
        }
    }

    fn known_master(&self) -> Option<MasterSnapshot> {
        match &self.state {
            State::Init | State::Fault => None,
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

    fn vips(&self) -> Vec<VipSnapshot> {
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

    /// What an operator should look at.
    pub(in crate::proto) fn problems(&self, now: Instant) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |severity, code: &str, text: String| {
            problems.push(Problem {
                severity,
                code: code.into(),
                instance: Some(self.config.name.clone()),
                text,
            });
        };
        for fault in &self.faults {
            add(Severity::Error, fault.code(), fault.to_string());
        }
        if let Some(master) = self.master() {
            for other in self.peers.recent(now, self.config.advert_interval, 3) {
                add(
                    Severity::Error,
                    "dual-master",
                    format!("{other} advertises as master beside us"),
                );
            }
            for vip in self.vips().iter().filter(|vip| master.complete && !vip.present) {
                let text = format!("{} is not on {} although we are master", vip.address, vip.interface);
                add(Severity::Error, "address-missing", text);
            }
        }
        for (position, claim) in self.master().iter().flat_map(|master| &master.claims) {
            if let Some(vip) = self.addresses.get(*position).filter(|_| claim.persists) {
                let text = format!(
                    "{} claims {} on {} again and again",
                    claim.mac, vip.address, vip.interface
                );
                add(Severity::Error, "foreign-claim", text);
            }
        }
        if let Some(gap) = self.stalled {
            add(
                Severity::Warning,
                "stalled",
                format!("it was asleep for {gap} s as master"),
            );
        }
        if let State::Backup(backup) = &self.state
            && self.counters.near_failovers > 0
            && backup
                .accepted
                .is_some_and(|(_, priority, _)| priority != Priority::RELEASE)
        {
            let text = format!(
                "the master was silent for two intervals {} times",
                self.counters.near_failovers
            );
            add(Severity::Warning, "near-failover", text);
        }
        problems
    }
}
