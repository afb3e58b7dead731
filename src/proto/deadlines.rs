//! All deadlines of the core in one order: time, then [`Timer`], then owner.
//!
//! Nearly every advert moves a deadline to a later time, so that costs nothing: the queue keeps the earlier time, and the owner
//! is queued again when that time comes to the front ([`Deadlines::settle`]).

use super::timer::Timer;
use crate::model::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who is woken by a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// The instance at this position.
    Instance(usize),
    /// The tracker at this position.
    Tracker(usize),
    /// The announcements that wait for their turn.
    Pacer,
    /// The programs that wait for slower ones.
    Notifier,
    /// Interfaces that are delayed or asked.
    Links,
    /// The core itself.
    Core,
}

/// One next deadline for each owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines {
    queue: BinaryHeap<Reverse<(Instant, Timer, Owner)>>,
    instances: Vec<Slot>,
    trackers: Vec<Slot>,
    pacer: Slot,
    notifier: Slot,
    links: Slot,
    core: Slot,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    next: Option<(Instant, Timer)>,
    /// The owner's only valid entry in the queue; never later than `next`.
    queued: Option<(Instant, Timer)>,
}

impl Deadlines {
    pub(super) fn set(&mut self, owner: Owner, next: Option<(Instant, Timer)>) {
        let slot = self.slot(owner);
        slot.next = next;
        if let Some((at, timer)) = next
            && slot.queued.is_none_or(|queued| (at, timer) < queued)
        {
            slot.queued = next;
            self.queue.push(Reverse((at, timer, owner)));
        }
        self.settle();
        if self.queue.len() > 64 + 2 * (self.instances.len() + self.trackers.len()) {
            self.rebuild();
        }
    }

    /// Deadlines that moved to and fro leave entries behind that nobody wants; a flood of packets must not pile them up.
    fn rebuild(&mut self) {
        let slots = self.slots();
        let mut queue = BinaryHeap::with_capacity(slots.len());
        for (owner, next) in slots {
            self.slot(owner).queued = next;
            queue.extend(next.map(|(at, timer)| Reverse((at, timer, owner))));
        }
        self.queue = queue;
    }

    fn slots(&self) -> Vec<(Owner, Option<(Instant, Timer)>)> {
        let instances = self
            .instances
            .iter()
            .enumerate()
            .map(|(i, slot)| (Owner::Instance(i), slot.next));
        let trackers = self
            .trackers
            .iter()
            .enumerate()
            .map(|(i, slot)| (Owner::Tracker(i), slot.next));
        let own = [
            (Owner::Pacer, self.pacer.next),
            (Owner::Notifier, self.notifier.next),
            (Owner::Links, self.links.next),
            (Owner::Core, self.core.next),
        ];
        instances.chain(trackers).chain(own).collect()
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(Instant, Timer, Owner)> {
        self.queue.peek().map(|Reverse(first)| *first)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Makes sure that the front of the queue is what its owner wants.
    fn settle(&mut self) {
        while let Some(Reverse((at, timer, owner))) = self.queue.peek().copied() {
            let slot = self.slot(owner);
            let valid = slot.queued == Some((at, timer));
            if valid && slot.next == slot.queued {
                return;
            }
            self.queue.pop();
            if valid {
                let slot = self.slot(owner);
                slot.queued = slot.next;
                if let Some((at, timer)) = slot.next {
                    self.queue.push(Reverse((at, timer, owner)));
                }
            }
        }
    }

    fn slot(&mut self, owner: Owner) -> &mut Slot {
        let (slots, index) = match owner {
            Owner::Instance(index) => (&mut self.instances, index),
            Owner::Tracker(index) => (&mut self.trackers, index),
            Owner::Pacer => return &mut self.pacer,
            Owner::Notifier => return &mut self.notifier,
            Owner::Links => return &mut self.links,
            Owner::Core => return &mut self.core,
        };
        if index >= slots.len() {
            slots.resize(index + 1, Slot::default());
        }
        #[expect(clippy::indexing_slicing, reason = "the vector has just been made long enough")]
        &mut slots[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against a map that is searched: the same first deadline after any sequence of changes.
    #[test]
    fn the_first_is_the_smallest_of_all() {
        let (mut deadlines, mut plain) = (Deadlines::default(), BTreeMap::new());
        let mut random = 7u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = |bits: u32, below: u64| usize::try_from((random >> bits) % below).unwrap();
            let owner = match number(20, 8) {
                0 => Owner::Pacer,
                1 => Owner::Core,
                2 | 3 => Owner::Tracker(number(24, 3)),
                _ => Owner::Instance(number(28, 5)),
            };
            let timer = [Timer::Advert, Timer::MasterDown, Timer::Announce][number(36, 3)];
            let next = (number(40, 5) > 0).then_some((Instant(number(44, 50) as u64), timer));
            deadlines.set(owner, next);
            match next {
                Some(next) => plain.insert(owner, next),
                None => plain.remove(&owner),
            };
            let expected = plain.iter().map(|(owner, (at, timer))| (*at, *timer, *owner)).min();
            assert_eq!(deadlines.first(), expected);
        }
        assert!(
            deadlines.queue.len() < 100,
            "{} entries of 10 owners",
            deadlines.queue.len()
        );
    }

    #[test]
    fn adverts_that_move_a_deadline_on_do_not_fill_the_queue() {
        let mut deadlines = Deadlines::default();
        for now in 0..10_000 {
            deadlines.set(Owner::Instance(0), Some((Instant(now + 3_000), Timer::MasterDown)));
            deadlines.set(Owner::Instance(1), Some((Instant(now + 5), Timer::Advert)));
        }
        assert!(deadlines.queue.len() <= 4, "{}", deadlines.queue.len());
    }
}
