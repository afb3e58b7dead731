//! Limits on what hostile or broken neighbours can make us log or answer. State of the core, so that the simulator sees it.

use super::counters::DropReason;
use crate::model::{Instant, Micros};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Which line was written already: cause × source, bounded; and how many may be written now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OnceTable {
    seen: Vec<(Cause, IpAddr)>,
    lines: Bucket,
}

impl Default for OnceTable {
    fn default() -> Self {
        Self {
            seen: Vec::new(),
            lines: Bucket::new(Instant(0)),
        }
    }
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

/// The limits of one instance. They take room only once something odd has been heard: most instances never hear anything odd.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits(Option<Box<Touched>>);

#[derive(Debug, Clone)]
struct Touched {
    once: OnceTable,
    answers: Bucket,
}

impl Limits {
    fn touched(&mut self) -> &mut Touched {
        self.0.get_or_insert_with(|| {
            let touched = Touched {
                once: OnceTable::default(),
                // However old the first advert is that asks for an answer.
                answers: Bucket::new(Instant(0)),
            };
            touched.into()
        })
    }

    /// Whether a cause is to be logged: [`OnceTable::first`].
    pub(super) fn first(&mut self, cause: Cause, source: IpAddr, now: Instant) -> bool {
        self.touched().once.first(cause, source, now)
    }

    /// Causes may be logged again.
    pub(super) fn forget_causes(&mut self) {
        if let Some(touched) = &mut self.0 {
            touched.once.clear();
        }
    }

    /// Adverts out of turn.
    pub(super) fn answers(&mut self) -> &mut Bucket {
        &mut self.touched().answers
    }
}

impl OnceTable {
    /// Sources × causes remembered; what does not fit is counted but not logged.
    pub(super) const LIMIT: usize = 64;
    /// Four lines at once, then one in this time: fewer than ten a minute, whoever makes up how many sources.
    const LINE: Micros = Micros::from_secs(15);

    /// Whether this is the first time, and a line may be written. At most [`Self::LIMIT`] pairs are remembered, and for one
    /// cause at most 8 sources; what may not be written now is not remembered.
    pub(super) fn first(&mut self, cause: Cause, source: IpAddr, now: Instant) -> bool {
        if self.seen.contains(&(cause, source)) {
            return false;
        }
        let of_cause = self.seen.iter().filter(|(c, _)| *c == cause).count();
        if self.seen.len() >= Self::LIMIT || of_cause >= 8 || !self.lines.take(now, Self::LINE) {
            return false;
        }
        self.seen.push((cause, source));
        true
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }
}

/// A token bucket: how often something may be answered or repeated, and so many times at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket<const SIZE: u32 = 4> {
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
    suppressed_since: Instant,
}

impl<const SIZE: u32> Bucket<SIZE> {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            tokens: SIZE,
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
                .min(SIZE);
            self.refilled = now;
        }
        if self.tokens == 0 {
            self.leave_out(now);
            return false;
        }
        self.tokens -= 1;
        true
    }

    /// One that is not even tried.
    pub(super) fn leave_out(&mut self, now: Instant) {
        if self.suppressed == 0 {
            self.suppressed_since = now;
        }
        self.suppressed += 1;
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
        let mut bucket = Bucket::<4>::new(Instant(0));
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
        let source = |i: u32| std::net::Ipv4Addr::from(i).into();
        // One source every 20 s: eight of a cause are enough.
        let logged =
            (0..1000).filter(|i| table.first(Cause::Interval, source(*i), Instant(u64::from(*i) * 20_000_000)));
        assert_eq!(logged.count(), 8);
        let later = Instant(30_000_000_000);
        assert!(table.first(Cause::OwnAddress, source(1), later));
        assert!(!table.first(Cause::OwnAddress, source(1), later));
    }

    #[test]
    fn sources_made_up_by_the_thousand_do_not_fill_a_log() {
        let mut table = OnceTable::default();
        let causes = [
            DropReason::Checksum,
            DropReason::Ttl,
            DropReason::Version,
            DropReason::Length,
            DropReason::Type,
        ];
        let flood = (0..60 * 1000_u32).filter(|i| {
            let cause = Cause::Dropped(causes[*i as usize % causes.len()]);
            let source = std::net::Ipv4Addr::from(i % 500).into();
            // The state changes meanwhile, which forgets what was said.
            if i % 10_000 == 0 {
                table.clear();
            }
            table.first(cause, source, Instant(u64::from(*i) * 1_000))
        });
        let lines = flood.count();
        assert!(lines < 10, "{lines} lines in a minute");
    }
}
