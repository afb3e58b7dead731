//! Who is drained when somebody asks for it: an instance with the others of its sync group, or the whole node.

use super::instance::Drain;
use super::mutant::Mutant;
use super::{Core, Life};
use crate::model::{Instant, Micros};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Positions of what has changed since a driver asked last.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) instances: BTreeSet<usize>,
    pub(super) trackers: BTreeSet<usize>,
    pub(super) groups: BTreeSet<usize>,
    pub(super) node: bool,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        let positions = [&self.instances, &self.trackers, &self.groups];
        !self.node && positions.iter().all(|of| of.is_empty())
    }
}

impl Core {
    /// The instances that a name means: it and the others of its sync group, or the members of the group of this name; all
    /// without a name. Empty when there is none.
    #[must_use]
    pub fn meant(&self, name: Option<&str>) -> Vec<Arc<str>> {
        let names = self.targets(name).into_iter().filter_map(|at| self.instances.get(at));
        names.map(|instance| instance.config.name.clone()).collect()
    }

    fn targets(&self, name: Option<&str>) -> Vec<usize> {
        let Some(name) = name else {
            return (0..self.instances.len()).collect();
        };
        if let Some(group) = self.groups.iter().find(|group| *group.name == *name) {
            return group.members.clone();
        }
        let Some(one) = self.instances.iter().position(|i| *i.config.name == *name) else {
            return Vec::new();
        };
        let group = self.group_of(one).and_then(|at| self.groups.get(at));
        match group.filter(|_| !self.mutation.is(Mutant::DrainOfOneMember)) {
            Some(group) => group.members.clone(),
            None => vec![one],
        }
    }

    pub(super) fn drain(&mut self, name: Option<&str>, length: Option<Micros>, force: bool, now: Instant) {
        if self.life != Life::Running {
            return;
        }
        let drain = Drain {
            since: now,
            until: length.map(|length| now + length),
            force,
        };
        if name.is_none() {
            self.node_drain = Some(drain);
            self.changes.node = true;
        }
        // None of them may follow another one meanwhile: each says good-bye for the same reason.
        for index in self.targets(name) {
            self.at_alone(index, now, |instance, ctx| instance.start_drain(drain, ctx));
        }
        self.settle_groups();
    }

    pub(super) fn resume(&mut self, name: Option<&str>, now: Instant) {
        if self.node_drain.take().is_some() {
            self.changes.node = true;
        }
        for index in self.targets(name) {
            self.at(index, now, |instance, ctx| instance.end_drain(false, ctx));
        }
    }

    /// Instances that a reload or a new process has made belong to a drained node, and to a drained group.
    pub(super) fn restore_drains(&mut self) {
        for index in 0..self.instances.len() {
            let group = self.group_of_configuration(index);
            let of_group = group
                .iter()
                .filter_map(|at| self.instances.get(*at)?.drain.as_deref().copied())
                .next();
            let drain = of_group.or(self.node_drain);
            if let Some(instance) = self.instances.get_mut(index).filter(|i| i.drain.is_none()) {
                instance.drain = drain.map(Box::new);
            }
        }
    }

    fn group_of_configuration(&self, index: usize) -> Vec<usize> {
        let group = self.groups.iter().find(|group| group.members.contains(&index));
        group.map(|group| group.members.clone()).unwrap_or_default()
    }

    /// Notes that something changed which a successor should know, and tells problems that follow from it.
    pub(super) fn note_change(&mut self, index: usize) {
        let changed = self
            .instances
            .get_mut(index)
            .is_some_and(|i| std::mem::take(&mut i.changed));
        if changed {
            self.changes.instances.insert(index);
        }
    }

    /// The drain of the whole node ends with its time: later instances are not drained any more.
    pub(super) fn forget_node_drain(&mut self, now: Instant) {
        let over = |drain: &mut Drain| drain.until.is_some_and(|until| until <= now);
        if self.node_drain.take_if(over).is_some() {
            self.changes.node = true;
        }
    }
}
