//! Quantities with their ranges: a value of one of these types is always valid.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU8;
use std::ops::{Add, AddAssign, Sub};

/// A number was outside the range of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitError {
    /// The number that was refused.
    pub value: i64,
    /// The smallest number allowed.
    pub min: i64,
    /// The largest number allowed.
    pub max: i64,
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is outside {} to {}", self.value, self.min, self.max)
    }
}

impl std::error::Error for UnitError {}

/// Virtual router identifier, 1 to 255 (RFC 9568 section 5.2.3, `virtual_router_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// The VRID with this number; `None` for 0, which the RFC does not allow.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Priority as it stands in an advert, 0 to 255 (RFC 9568 section 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Priority(pub u8);

impl Priority {
    /// 0: the sender gives mastership up.
    pub const RELEASE: Self = Self(0);
    /// The least that an instance may have.
    pub const MIN: Self = Self(1);
    /// The most that an instance may have that is not the address owner.
    pub const MAX: Self = Self(254);
    /// 255: the sender owns the addresses.
    pub const OWNER: Self = Self(255);
    /// `priority` when nothing is configured.
    pub const DEFAULT: Self = Self(100);

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether this is the address owner's priority.
    #[must_use]
    pub const fn is_owner(self) -> bool {
        self.0 == 255
    }

    /// A computed sum brought into the range of a backup router, 1 to 254.
    #[must_use]
    pub fn clamped(sum: i32) -> Self {
        Self(u8::try_from(sum.clamp(1, 254)).unwrap_or(254))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a tracker adds to the priority, -254 to 254, and whether `reverse` was given.
///
/// 0 means that a failure is a fault of the instance instead of a change of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Weight {
    value: i16,
    reverse: bool,
}

impl Weight {
    /// No contribution: failure is a fault.
    pub const ZERO: Self = Self {
        value: 0,
        reverse: false,
    };

    /// A weight.
    ///
    /// # Errors
    /// When `value` is outside -254 to 254.
    pub const fn new(value: i16, reverse: bool) -> Result<Self, UnitError> {
        if value < -254 || value > 254 {
            return Err(UnitError {
                value: value as i64,
                min: -254,
                max: 254,
            });
        }
        Ok(Self { value, reverse })
    }

    /// The number as configured, without `reverse`.
    #[must_use]
    pub const fn value(self) -> i16 {
        self.value
    }

    /// Whether `reverse` was configured.
    #[must_use]
    pub const fn is_reverse(self) -> bool {
        self.reverse
    }

    /// Whether failure of the tracker is a fault.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        self.value == 0
    }

    /// What a tracker in this condition adds to the priority (behaviour §4): a positive weight counts while it is up, a negative one while it is down.
    #[must_use]
    pub fn contribution(self, up: bool) -> i32 {
        let signed = i32::from(self.value) * if self.reverse { -1 } else { 1 };
        if (self.value > 0 && up) || (self.value < 0 && !up) {
            signed
        } else {
            0
        }
    }
}

/// Time between two adverts, in centiseconds; 1 to 25 500 (0.01 s to 255 s, `advert_int`).
///
/// Version 2 carries whole seconds, version 3 at most 4095 centiseconds; the configuration has rounded it by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16")]
pub struct AdvertInterval(u16);

impl TryFrom<u16> for AdvertInterval {
    type Error = &'static str;

    fn try_from(centiseconds: u16) -> Result<Self, Self::Error> {
        Self::from_centiseconds(centiseconds).ok_or("an interval is 1 to 25500 centiseconds")
    }
}

impl AdvertInterval {
    /// One second.
    pub const DEFAULT: Self = Self(100);

    /// An interval of this many centiseconds; `None` outside 1 to 25 500.
    #[must_use]
    pub const fn from_centiseconds(centiseconds: u16) -> Option<Self> {
        if centiseconds == 0 || centiseconds > 25_500 {
            None
        } else {
            Some(Self(centiseconds))
        }
    }

    /// The interval in centiseconds.
    #[must_use]
    pub const fn centiseconds(self) -> u16 {
        self.0
    }

    /// The interval in whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.0 / 100
    }

    /// The interval as a duration.
    #[must_use]
    pub fn duration(self) -> Micros {
        Micros(u64::from(self.0) * 10_000)
    }
}

impl Default for AdvertInterval {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How many intervals without an advert make a master down, 1 to 100 (`down_timer_adverts`, RFC: 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct DownTimerAdverts(u8);

impl TryFrom<u8> for DownTimerAdverts {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("the adverts that may be missing are 1 to 100")
    }
}

impl DownTimerAdverts {
    /// The number; `None` outside 1 to 100.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 || number > 100 {
            None
        } else {
            Some(Self(number))
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for DownTimerAdverts {
    fn default() -> Self {
        Self(3)
    }
}

/// A length of time in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Micros(pub u64);

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One millisecond.
    pub const MILLISECOND: Self = Self(1_000);
    /// One second.
    pub const SECOND: Self = Self(1_000_000);

    /// This many whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// This many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The same length as the standard library's type.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }

    /// `self` times `n`, at most the largest value.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// `self - other`, at least nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Micros {
    /// Seconds with six decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A point in monotonic time: microseconds since an arbitrary start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Instant(pub u64);

impl Instant {
    /// How long `earlier` was before `self`; nothing if it was not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// `self` moved back by `length`, not before the start.
    #[must_use]
    pub const fn before(self, length: Micros) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}

impl Add<Micros> for Instant {
    type Output = Self;
    fn add(self, length: Micros) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl AddAssign<Micros> for Instant {
    fn add_assign(&mut self, length: Micros) {
        *self = *self + length;
    }
}

impl Sub for Instant {
    type Output = Micros;
    fn sub(self, earlier: Self) -> Micros {
        self.since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Micros(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_counts_by_sign_and_condition() {
        // behaviour §4: base + w·m when up and w > 0, or down and w < 0.
        let cases = [
            (11, false, true, 11),
            (11, false, false, 0),
            (-20, false, true, 0),
            (-20, false, false, -20),
            (11, true, true, -11),
            (-20, true, false, 20),
            (0, false, false, 0),
        ];
        for (value, reverse, up, adds) in cases {
            assert_eq!(
                Weight::new(value, reverse).unwrap().contribution(up),
                adds,
                "{value} {reverse} {up}"
            );
        }
        assert!(Weight::new(255, false).is_err());
        assert!(Weight::new(-255, false).is_err());
    }

    #[test]
    fn priority_is_clamped_to_a_backup_routers_range() {
        assert_eq!(Priority::clamped(-5), Priority(1));
        assert_eq!(Priority::clamped(111), Priority(111));
        assert_eq!(Priority::clamped(300), Priority(254));
    }

    #[test]
    fn ranges_are_closed() {
        assert!(Vrid::new(0).is_none());
        assert!(AdvertInterval::from_centiseconds(0).is_none());
        assert!(AdvertInterval::from_centiseconds(25_501).is_none());
        assert_eq!(
            AdvertInterval::from_centiseconds(25_500).map(AdvertInterval::seconds),
            Some(255)
        );
        assert!(DownTimerAdverts::new(0).is_none());
        assert!(DownTimerAdverts::new(101).is_none());
    }
}
