//! What a successor of this process should know, on its way to the supervisor: changes at once, counters from time to time.

use super::ring::Ring;
use super::services::Slow;
use crate::model::{Instant, Micros};
use crate::proto::Core;
use crate::system::clock;

/// Every instance is told again within this time.
const PERIOD: Micros = Micros::from_secs(10);
/// Instances told at once.
const BATCH: usize = 32;
/// Shortest time between two batches: thousands of instances take longer than a period.
const PAUSE: Micros = Micros::from_millis(100);

/// Where the round of the counters is.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    next: usize,
    at: Instant,
}

impl Refresh {
    /// Hands over what has changed, and some of the counters when it is time. Nobody is woken for counters: nothing happens
    /// while they stand still.
    pub(super) fn hand_over(&mut self, core: &mut Core, slow: &Ring<Slow>) {
        let now = clock::now();
        for part in core.export_changes(now) {
            slow.push_or_count(Slow::Keep(part));
        }
        if now < self.at {
            return;
        }
        let (parts, next) = core.export_some(self.next, BATCH, now);
        for part in parts {
            slow.push_or_count(Slow::Keep(part));
        }
        let batches = core.model().instances.len().div_ceil(BATCH).max(1);
        let pause = Micros(PERIOD.0 / u64::try_from(batches).unwrap_or(u64::MAX)).max(PAUSE);
        (self.next, self.at) = (next, now + pause);
    }
}
