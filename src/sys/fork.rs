//! A safe `fork` for programs that have one thread, and the default signal dispositions for a program about to be run.
//!
//! Decides nothing: who is forked, and into which namespaces, is the caller's business.

#![expect(
    unsafe_code,
    reason = "fork, _exit and signal dispositions have no safe form in the libraries"
)]

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{ForkResult, Pid};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `child` in a new process, which ends with the status that `child` returns (101 when it panics).
///
/// No exit handler runs in the new process, so nothing that the caller has buffered is written twice.
///
/// # Errors
/// When this process has more than one thread: a lock held by another thread would never be released in the child.
/// When `/proc` does not show this process, or the kernel refuses.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|error| io::Error::other(format!("count the threads of this process in /proc/self/task: {error}")))?
        .count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "fork with {threads} threads; only a process with one thread may"
        )));
    }
    // SAFETY: there is no other thread, so no lock can be held in the child by a thread that does not exist there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let status = catch_unwind(AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: _exit takes a plain number and does not return.
            unsafe { libc::_exit(i32::from(status)) }
        }
    }
}

/// Gives a process that is about to run a program what a shell would give it: nothing blocked, `SIGPIPE` not ignored.
///
/// # Errors
/// When the kernel refuses, which it does not for these signals.
pub fn default_signals() -> io::Result<()> {
    // SAFETY: SIG_DFL is no handler function, so nothing of ours can run in signal context.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}
