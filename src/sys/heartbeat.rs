//! One shared counter: the engine moves it on, the supervisor sees whether it moves.
#![expect(unsafe_code, reason = "memory shared between processes has no safe form")]

use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// A page shared with every process forked after it was made.
#[derive(Debug)]
pub struct Heartbeat {
    counter: NonNull<AtomicU64>,
}

const PAGE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

impl Heartbeat {
    /// A counter at 0.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> io::Result<Self> {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps nothing. It is zeroed and aligned to a
        // page, so it holds a valid AtomicU64, until `drop` unmaps it.
        let page = unsafe { mmap_anonymous(None, PAGE, protection, MapFlags::MAP_SHARED) }?;
        Ok(Self { counter: page.cast() })
    }

    /// Says: I am alive.
    pub fn beat(&self) {
        self.counter().fetch_add(1, Ordering::Relaxed);
    }

    /// How often it was said.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counter().load(Ordering::Relaxed)
    }

    fn counter(&self) -> &AtomicU64 {
        // SAFETY: the mapping lives as long as `self`, and other processes and threads touch it only as an atomic.
        unsafe { self.counter.as_ref() }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this size, and no reference to it outlives `self`. A failure would only
        // leave the page mapped.
        let _unmapped = unsafe { munmap(self.counter.cast(), PAGE.get()) };
    }
}

// SAFETY: the pointer is only used for an atomic that is never moved.
unsafe impl Send for Heartbeat {}
// SAFETY: as above; all access is atomic.
unsafe impl Sync for Heartbeat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_counted() {
        let heart = Heartbeat::new().unwrap();
        heart.beat();
        heart.beat();
        assert_eq!(heart.count(), 2);
    }
}
