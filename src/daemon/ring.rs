//! A bounded ring between two threads: one eventfd wakes the reader, what does not fit is counted.
//!
//! Putting something in does not wake the reader yet: whoever puts in many things wakes it once, behind the last.
//! Memory is taken for what waits, a few dozen values at a time, not for what could: that would be more than the rest of a
//! daemon with one instance.

use crate::sys::EventFd;
use crossbeam_queue::SegQueue;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Both ends share it.
#[derive(Debug)]
pub(super) struct Ring<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    queue: SegQueue<T>,
    capacity: usize,
    /// Values that wait, and for a moment those that are refused.
    waiting: AtomicUsize,
    wake: EventFd,
    /// Something was put in since the reader was woken last.
    news: AtomicBool,
    dropped: AtomicU64,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        let wake = EventFd::new()?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue: SegQueue::new(),
                capacity,
                waiting: AtomicUsize::new(0),
                wake,
                news: AtomicBool::new(false),
                dropped: AtomicU64::new(0),
            }),
        })
    }

    /// Puts a value in; gives it back when there is no room. The reader learns of it by [`Ring::wake_for_news`].
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        if self.shared.waiting.fetch_add(1, Ordering::AcqRel) >= self.shared.capacity {
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(value);
        }
        self.shared.queue.push(value);
        self.shared.news.store(true, Ordering::Release);
        Ok(())
    }

    /// Wakes the reader if something was put in since the last time.
    pub(super) fn wake_for_news(&self) {
        if self.shared.news.load(Ordering::Acquire) && self.shared.news.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Puts a value in, or counts that it was lost.
    pub(super) fn push_or_count(&self, value: T) {
        if self.push(value).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakes the reader in any case.
    pub(super) fn wake(&self) {
        // The counter of an eventfd overflows after 2^64 calls that nobody reads.
        if let Err(error) = self.shared.wake.notify() {
            debug_assert!(false, "eventfd: {error}");
        }
    }

    pub(super) fn pop(&self) -> Option<T> {
        let value = self.shared.queue.pop()?;
        self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(value)
    }

    /// To be called by the reader before it takes everything out.
    pub(super) fn drain_wake(&self) {
        if let Err(error) = self.shared.wake.drain() {
            debug_assert!(false, "eventfd: {error}");
        }
    }

    /// How many values were lost since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.shared.dropped.swap(0, Ordering::Relaxed)
    }
}

impl<T> AsFd for Ring<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

impl<T> AsRawFd for Ring<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_gives_back_what_has_no_room_until_something_is_taken_out() {
        let ring = Ring::new(2).unwrap();
        assert_eq!([ring.push(1), ring.push(2), ring.push(3)], [Ok(()), Ok(()), Err(3)]);
        ring.push_or_count(4);
        assert_eq!((ring.pop(), ring.take_dropped()), (Some(1), 1));
        assert_eq!([ring.push(5), ring.push(6)], [Ok(()), Err(6)]);
        assert_eq!([ring.pop(), ring.pop(), ring.pop()], [Some(2), Some(5), None]);
    }
}
