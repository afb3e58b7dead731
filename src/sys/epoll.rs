//! Level-triggered epoll with nanosecond time-outs. Which descriptors, and what their tokens mean, is the caller's affair.

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// An epoll instance.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// What is to be reported of a descriptor. Errors and hang-ups always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something can be read.
    Readable,
    /// Something can be written.
    Writable,
    /// Either.
    Both,
    /// Only errors and hang-ups.
    Nothing,
}

/// A descriptor that has become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The number given to [`Epoll::add`].
    pub token: u64,
    /// A read would not block. Also true after an error or hang-up, so that the read shows it.
    pub readable: bool,
    /// A write would not block. Also true after an error.
    pub writable: bool,
    /// The other side is gone, or the descriptor has an error.
    pub closed: bool,
}

/// Room for the results of one [`Epoll::wait`]; it is allocated once.
pub struct Events {
    found: Vec<epoll::Event>,
    capacity: usize,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Events {
    /// Room for `capacity` results a call, at least one. More ready descriptors come with the next call.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            found: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// What the last wait found.
    pub fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.found.iter().map(|event| {
            let flags = event.flags;
            let failed = flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
            Ready {
                token: event.data.u64(),
                readable: failed || flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::RDHUP),
                writable: flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::ERR),
                closed: failed || flags.contains(epoll::EventFlags::RDHUP),
            }
        })
    }
}

impl Epoll {
    /// A new instance, close-on-exec.
    ///
    /// # Errors
    /// When the process or the system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Watches a descriptor; `token` names it in the results.
    ///
    /// # Errors
    /// When it is watched already, or cannot be watched (a regular file).
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.0,
            fd,
            epoll::EventData::new_u64(token),
            interest.flags(),
        )?)
    }

    /// Changes what is reported of a descriptor.
    ///
    /// # Errors
    /// When it is not watched.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.0,
            fd,
            epoll::EventData::new_u64(token),
            interest.flags(),
        )?)
    }

    /// Stops watching a descriptor. To be called before it is closed when it has duplicates.
    ///
    /// # Errors
    /// When it is not watched.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Waits until something is ready or `timeout` has passed; `None` waits for ever. An interruption by a signal counts as
    /// a time-out. Needs Linux 5.11 (`epoll_pwait2`); the plain call would round up to milliseconds.
    ///
    /// # Errors
    /// Only for a kernel that lacks the call.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|duration| Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(duration.subsec_nanos()),
        });
        events.found.clear();
        events.found.reserve(events.capacity);
        match epoll::wait(&self.0, spare_capacity(&mut events.found), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Interest {
    const fn flags(self) -> epoll::EventFlags {
        match self {
            Self::Readable => epoll::EventFlags::IN,
            Self::Writable => epoll::EventFlags::OUT,
            Self::Both => epoll::EventFlags::IN.union(epoll::EventFlags::OUT),
            Self::Nothing => epoll::EventFlags::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::EventFd;

    #[test]
    fn a_ready_descriptor_is_reported_by_its_token_until_it_is_drained() {
        let (epoll, event) = (Epoll::new().unwrap(), EventFd::new().unwrap());
        epoll.add(&event, 7, Interest::Readable).unwrap();
        let mut events = Events::with_capacity(4);
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().count(), 0);
        event.notify().unwrap();
        for _ in 0..2 {
            epoll.wait(&mut events, None).unwrap();
            let ready: Vec<Ready> = events.iter().collect();
            assert_eq!(
                ready,
                [Ready {
                    token: 7,
                    readable: true,
                    writable: false,
                    closed: false
                }]
            );
        }
        assert_eq!(event.drain().unwrap(), 1);
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().count(), 0);
    }

    #[test]
    fn a_time_out_below_a_millisecond_is_not_rounded_up() {
        let epoll = Epoll::new().unwrap();
        let mut events = Events::with_capacity(1);
        let clock = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // The best of many: a busy machine may delay any single one.
        let best = (0..50).map(|_| {
            let before = clock();
            epoll.wait(&mut events, Some(Duration::from_micros(100))).unwrap();
            let after = clock();
            (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec
        });
        let best = best.min().unwrap();
        assert!((100_000..900_000).contains(&best), "waited {best} ns");
    }
}
