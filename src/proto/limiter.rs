//! Limits on what hostile or broken neighbours can make us log or answer. State of the core, so that the simulator sees it.

use super::counters::DropReason;
use crate::model::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Which line was written already: cause × source, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct OnceTable {
    seen: Vec<(Cause, IpAddr)>,
}

/// Causes of once-only lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cause {
    /// An advert was dropped.
    Dropped(DropReason),
    /// The number of addresses differs.
    AddressCount,
    /// An address is missing.
    AddressMissing,
    /// The interval differs.
    Interval,
    /// The clocks differ.
    ClockSkew,
    /// Another node has our address and priority.
    OwnAddress,
    /// Two address owners.
    TwoOwners,
    /// An advert could not be sent there.
    SendFailed,
}

impl OnceTable {
    /// Sources × causes remembered; what does not fit is counted but not logged.
    pub(super) const LIMIT: usize = 64;

    /// Whether this is the first time. At most [`Self::LIMIT`] pairs are remembered, and for one cause at most 8 sources.
    pub(super) fn first(&mut self, cause: Cause, source: IpAddr) -> bool {
        if self.seen.contains(&(cause, source)) {
            return false;
        }
        let of_cause = self.seen.iter().filter(|(c, _)| *c == cause).count();
        if self.seen.len() >= Self::LIMIT || of_cause >= 8 {
            return false;
        }
        self.seen.push((cause, source));
        true
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }
}

/// A token bucket: how often something may be answered or repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket {
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
    suppressed_since: Instant,
}

impl Bucket {
    const SIZE: u32 = 4;

    pub(super) const fn new(now: Instant) -> Self {
        Self {
            tokens: Self::SIZE,
            refilled: now,
            suppressed: 0,
            suppressed_since: now,
        }
    }

    /// Whether it may be done now; one token comes back every `period`.
    pub(super) fn take(&mut self, now: Instant, period: Micros) -> bool {
        let period = period.0.max(1);
        let gained = now.since(self.refilled).0 / period;
        if gained > 0 {
            self.tokens = u32::try_from(gained)
                .unwrap_or(u32::MAX)
                .saturating_add(self.tokens)
                .min(Self::SIZE);
            self.refilled = now;
        }
        if self.tokens == 0 {
            if self.suppressed == 0 {
                self.suppressed_since = now;
            }
            self.suppressed += 1;
            return false;
        }
        self.tokens -= 1;
        true
    }

    /// How many were refused since the last call, and for how long.
    pub(super) fn take_suppressed(&mut self, now: Instant) -> Option<(u64, Micros)> {
        let count = std::mem::take(&mut self.suppressed);
        (count > 0).then(|| (count, now.since(self.suppressed_since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_lets_a_steady_rate_through_and_stops_a_flood() {
        let period = Micros::from_millis(250);
        let mut bucket = Bucket::new(Instant(0));
        let steady = (1..=100)
            .filter(|i| bucket.take(Instant(i * 1_000_000), period))
            .count();
        assert_eq!(steady, 100);
        let start = Instant(200_000_000);
        let flood = (0..50_000)
            .filter(|i| bucket.take(start + Micros(i * 20), period))
            .count();
        assert!(flood <= 8, "{flood} of 50000 within a second");
        assert!(bucket.take_suppressed(start).is_some_and(|(n, _)| n > 49_000));
    }

    #[test]
    fn once_table_is_bounded_and_leaves_room_for_other_causes() {
        let mut table = OnceTable::default();
        let logged = (0..1000u32)
            .filter(|i| table.first(Cause::Interval, std::net::Ipv4Addr::from(*i).into()))
            .count();
        assert_eq!(logged, 8);
        assert!(table.first(Cause::OwnAddress, std::net::Ipv4Addr::from(1).into()));
        assert!(!table.first(Cause::OwnAddress, std::net::Ipv4Addr::from(1).into()));
    }
}
