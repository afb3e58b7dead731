//! What will happen, in the order of its time; at the same moment first what was said first.

use crate::model::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue by time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    waiting: Vec<Option<T>>,
    free: Vec<usize>,
    sequence: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            order: BinaryHeap::new(),
            waiting: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, at: Instant, what: T) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or(self.waiting.len());
        match self.waiting.get_mut(place) {
            Some(slot) => *slot = Some(what),
            None => self.waiting.push(Some(what)),
        }
        self.order.push(Reverse((at, self.sequence, place)));
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The next thing that happens, if that is by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<T> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.waiting.get_mut(place)?.take()
    }
}
