//! Out of service on purpose: priority 1 and a hand-over (docs/operations.md, "drain").

use super::router::Drain;
use super::{Deed, Host};

impl Host {
    /// The routers that a name means: a group's members, an instance with its group, all without a name.
    fn meant(&self, name: Option<&str>) -> Vec<usize> {
        let Some(name) = name else {
            return (0..self.routers.len()).collect();
        };
        if let Some(group) = self.group_names.iter().position(|known| known == name) {
            return self.groups[group].clone();
        }
        match self.names.iter().position(|known| known == name) {
            Some(one) => std::iter::once(one).chain(self.others(one)).collect(),
            None => Vec::new(),
        }
    }

    /// A master says good-bye and waits for longer than a backup of priority 1 would: then it is needed still.
    pub(super) fn drain(&mut self, name: Option<&str>, length: Option<u64>, force: bool, now: u64) {
        if !self.started || self.stopping {
            return;
        }
        let until = length.map(|length| now + length);
        let drain = Drain { until, force };
        if name.is_none() {
            self.drained = Some(drain);
        }
        let wall = self.wall_at(now);
        for router in self.meant(name) {
            self.routers[router].drained = Some(drain);
            self.give_priority(router);
            let mut deeds = Vec::new();
            let it = &mut self.routers[router];
            if it.is_master() {
                it.release(wall, &mut deeds);
                it.become_backup(now + it.skew_of(1) + it.rules.interval, "drained", &mut deeds);
            }
            self.did(router, deeds);
        }
    }

    pub(super) fn resume(&mut self, name: Option<&str>) {
        self.drained = None;
        for router in self.meant(name) {
            self.end_drain(router);
        }
    }

    pub(super) fn end_drain(&mut self, router: usize) {
        if self.routers[router].drained.take().is_some() {
            self.give_priority(router);
        }
    }

    /// What a reload has made belongs to a drained node.
    pub(super) fn drain_newcomers(&mut self, now: u64) {
        self.drained
            .take_if(|drain| drain.until.is_some_and(|until| until <= now));
        let drained = self.drained;
        for it in &mut self.routers {
            it.drained = it.drained.or(drained);
        }
    }

    /// The part of a stop, a fault or a hand-over that the neighbours do not see: nothing is announced any more.
    pub(super) fn fall_silent(&mut self, router: usize, deeds: &[Deed]) {
        if deeds.iter().any(|deed| matches!(deed, Deed::Clear(_))) {
            self.rows.iter_mut().for_each(|row| row.forget(router));
        }
    }
}
