//! How the kernel treats the calling thread and the memory of its process.
#![expect(
    unsafe_code,
    reason = "neither nix nor rustix has these with the flags that are needed"
)]

use std::io;

/// SCHED_RR with this priority, 1 to 99, for the calling thread. Threads and processes that it starts are treated as others.
///
/// # Errors
/// Without CAP_SYS_NICE, or beyond RLIMIT_RTPRIO.
pub fn become_real_time(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: priority.into(),
    };
    // SAFETY: the parameters live until the call returns, and the kernel only reads them.
    let result =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const parameters) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Keeps in memory what this process touches, now and later.
///
/// # Errors
/// Without CAP_IPC_LOCK, beyond RLIMIT_MEMLOCK.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: takes flags only.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
