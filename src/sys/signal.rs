//! Signals as input of an epoll loop: blocked first, then read from a descriptor. Real-time signals, which `nix` does not
//! know, included.
#![expect(unsafe_code, reason = "sigset_t with real-time signals has no safe builder")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A signalfd, non-blocking and close-on-exec.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

/// One signal read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalInfo {
    /// Its number.
    pub signal: i32,
    /// Who sent it; 0 for the kernel.
    pub sender: u32,
}

/// The smallest real-time signal that the C library leaves free (34 with glibc, 35 with musl).
#[must_use]
pub fn realtime_min() -> i32 {
    libc::SIGRTMIN()
}

/// The largest real-time signal.
#[must_use]
pub fn realtime_max() -> i32 {
    libc::SIGRTMAX()
}

/// Blocks signals in the calling thread, and so in every thread and process that it starts.
///
/// # Errors
/// When a number is no signal.
pub fn block_signals(signals: &[i32]) -> io::Result<()> {
    let set = signal_set(signals)?;
    // SAFETY: `set` is initialised; the old mask is not asked for.
    let error = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if error == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(error))
    }
}

/// Sends any signal, real-time ones included, to one process.
///
/// # Errors
/// When there is no such process, or it may not be signalled, or the number is no signal.
pub fn send_signal(pid: i32, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: kill takes plain numbers.
    if unsafe { libc::kill(pid, signal) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl SignalFd {
    /// Reads these signals, which have to be blocked in every thread.
    ///
    /// # Errors
    /// When a number is no signal, or no descriptors are left.
    pub fn new(signals: &[i32]) -> io::Result<Self> {
        let set = signal_set(signals)?;
        // SAFETY: `set` is initialised; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal, or `None` when none is pending. Equal pending signals below the real-time range come once.
    ///
    /// # Errors
    /// None that a valid descriptor can give.
    pub fn read(&self) -> io::Result<Option<SignalInfo>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer is writable and `size` bytes long.
        let got = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        match usize::try_from(got) {
            Ok(got) if got == size => {
                // SAFETY: the kernel has filled the whole structure, which is plain integers.
                let info = unsafe { info.assume_init() };
                Ok(Some(SignalInfo {
                    signal: i32::try_from(info.ssi_signo).unwrap_or(0),
                    sender: info.ssi_pid,
                }))
            }
            Ok(_) => Err(io::Error::other("a signal descriptor gave half a signal")),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn signal_set(signals: &[i32]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set that it is given.
    let mut set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for &signal in signals {
        // SAFETY: the set is initialised; a number that is no signal is answered with an error.
        if unsafe { libc::sigaddset(&raw mut set, signal) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_real_time_signal_is_read_from_the_descriptor() {
        let signal = realtime_max() - 1;
        block_signals(&[signal]).unwrap();
        let fd = SignalFd::new(&[signal]).unwrap();
        assert_eq!(fd.read().unwrap(), None);
        // To this thread only: the other test threads do not block it.
        // SAFETY: raising a blocked signal only makes it pending.
        unsafe { libc::pthread_kill(libc::pthread_self(), signal) };
        let info = fd.read().unwrap().unwrap();
        assert_eq!((info.signal, info.sender), (signal, std::process::id()));
        assert_eq!(fd.read().unwrap(), None);
    }

    #[test]
    fn a_number_that_is_no_signal_is_refused() {
        assert!(SignalFd::new(&[4711]).is_err());
    }
}
