//! The only clock: CLOCK_MONOTONIC in microseconds, and the wall clock for people.

use crate::model::{Instant, Micros};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Now, microseconds of CLOCK_MONOTONIC.
#[must_use]
pub fn now() -> Instant {
    Instant(read(ClockId::CLOCK_MONOTONIC).0)
}

/// Now, microseconds of CLOCK_REALTIME since 1970.
#[must_use]
pub fn wall() -> Micros {
    read(ClockId::CLOCK_REALTIME)
}

/// How long this machine has been suspended since it was started: CLOCK_BOOTTIME − CLOCK_MONOTONIC.
#[must_use]
pub fn suspended() -> Micros {
    let monotonic = read(ClockId::CLOCK_MONOTONIC);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(monotonic)
}

/// A clock that exists on every Linux cannot fail to be read; 0 stands for the impossible.
fn read(clock: ClockId) -> Micros {
    clock_gettime(clock).map_or(Micros(0), micros)
}

/// A kernel time as microseconds; 0 when negative.
#[must_use]
pub fn micros(time: TimeSpec) -> Micros {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
    Micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
}
