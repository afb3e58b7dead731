//! All deadlines of the core in one order: time, then [`Timer`], then owner.

use super::timer::Timer;
use crate::model::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Who is woken by a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The instance at this position.
    Instance(usize),
    /// The script at this position.
    Script(usize),
    /// The announcements that wait for their turn.
    Pacer,
    /// The core itself.
    Core,
}

/// One next deadline for each owner.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    order: BTreeSet<(Instant, Timer, Owner)>,
    of: BTreeMap<Owner, (Instant, Timer)>,
}

impl Deadlines {
    pub(super) fn set(&mut self, owner: Owner, next: Option<(Instant, Timer)>) {
        let old = match next {
            Some(next) => self.of.insert(owner, next),
            None => self.of.remove(&owner),
        };
        if old == next {
            return;
        }
        if let Some((at, timer)) = old {
            self.order.remove(&(at, timer, owner));
        }
        if let Some((at, timer)) = next {
            self.order.insert((at, timer, owner));
        }
    }

    pub(super) fn first(&self) -> Option<(Instant, Timer, Owner)> {
        self.order.first().copied()
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.of.clear();
    }
}
