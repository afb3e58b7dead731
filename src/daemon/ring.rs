//! A bounded ring between two threads: one eventfd wakes the reader, what does not fit is counted.
//!
//! Putting something in does not wake the reader yet: whoever puts in many things wakes it once, behind the last.

use crate::sys::EventFd;
use crossbeam_queue::ArrayQueue;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Both ends share it.
#[derive(Debug)]
pub(super) struct Ring<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    queue: ArrayQueue<T>,
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
        let (queue, wake) = (ArrayQueue::new(capacity), EventFd::new()?);
        Ok(Self {
            shared: Arc::new(Shared {
                queue,
                wake,
                news: AtomicBool::new(false),
                dropped: AtomicU64::new(0),
            }),
        })
    }

    /// Puts a value in; gives it back when there is no room. The reader learns of it by [`Ring::wake_for_news`].
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        self.shared.queue.push(value)?;
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
        self.shared.queue.pop()
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
