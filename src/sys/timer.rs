//! A timer that is on time: a time-out of epoll or poll may be late by a thousandth of its length, a timer descriptor is not.

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A one-shot timer of CLOCK_MONOTONIC; readable from its time on until it is set again or switched off.
#[derive(Debug)]
pub struct Timer(TimerFd);

impl Timer {
    /// A timer that is switched off.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Self(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?))
    }

    /// Sets it to a time of CLOCK_MONOTONIC; one that has passed makes it readable at once.
    ///
    /// # Errors
    /// None that the kernel is known to give.
    pub fn set(&self, at: Duration) -> io::Result<()> {
        // 0 would switch it off.
        let at = TimeSpec::from(at.max(Duration::from_nanos(1)));
        Ok(self
            .0
            .set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?)
    }

    /// Switches it off; it is not readable any more.
    ///
    /// # Errors
    /// None that the kernel is known to give.
    pub fn unset(&self) -> io::Result<()> {
        Ok(self.0.unset()?)
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Epoll, Events, Interest};

    #[test]
    fn it_is_readable_from_its_time_on_until_it_is_set_again() {
        let (timer, epoll) = (Timer::new().unwrap(), Epoll::new().unwrap());
        epoll.add(&timer, 1, Interest::Readable).unwrap();
        let mut events = Events::with_capacity(1);
        let mut ready = |wait: Option<Duration>| {
            epoll.wait(&mut events, wait).unwrap();
            events.iter().count()
        };
        timer.set(Duration::ZERO).unwrap();
        assert_eq!((ready(None), ready(Some(Duration::ZERO))), (1, 1));
        timer.set(Duration::from_secs(1 << 32)).unwrap();
        assert_eq!(ready(Some(Duration::ZERO)), 0);
        timer.set(Duration::ZERO).unwrap();
        timer.unset().unwrap();
        assert_eq!(ready(Some(Duration::ZERO)), 0);
    }
}
