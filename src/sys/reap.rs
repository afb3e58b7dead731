//! Looks at dead children before they are reaped, so that their process group can still be named. `nix` cannot say that a
//! real-time signal ended a process, and `rustix` does not tell which process it was.
#![expect(unsafe_code, reason = "siginfo_t is a C union")]

use std::io;

/// A dead child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dead {
    /// Its process id, still its own.
    pub pid: i32,
    /// How it ended.
    pub end: End,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this status, 0 to 255.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

/// Which children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Any.
    Any,
    /// The one with this process id.
    Pid(i32),
}

/// The next dead child, if there is one. It stays a zombie until [`reap`] is called for it.
///
/// # Errors
/// When there is no such child, dead or alive, for [`Which::Pid`].
pub fn next_dead(which: Which) -> io::Result<Option<Dead>> {
    wait(which, libc::WNOHANG | libc::WNOWAIT)
}

/// Frees a dead child's process id. Does nothing for a living one.
///
/// # Errors
/// When there is no such child.
pub fn reap(pid: i32) -> io::Result<()> {
    wait(Which::Pid(pid), libc::WNOHANG).map(drop)
}

fn wait(which: Which, options: libc::c_int) -> io::Result<Option<Dead>> {
    let (kind, id) = match which {
        Which::Any => (libc::P_ALL, 0),
        Which::Pid(pid) => (libc::P_PID, pid.unsigned_abs()),
    };
    // SAFETY: an all-zero siginfo_t is valid; the kernel leaves it so when no child is dead.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is writable and lives during the call.
    if unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | options) } != 0 {
        let error = io::Error::last_os_error();
        let nobody = error.raw_os_error() == Some(libc::ECHILD) && which == Which::Any;
        return if nobody { Ok(None) } else { Err(error) };
    }
    // SAFETY: waitid has filled the part of the union that belongs to SIGCHLD, or left it zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then_some(Dead {
        pid,
        end: match info.si_code {
            libc::CLD_EXITED => End::Exited(status),
            _ => End::Signaled(status),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Waits without reaping.
    #[expect(clippy::zombie_processes, reason = "`reap` is what is tested")]
    fn dead(line: &str) -> End {
        let child = Command::new("/bin/sh")
            .args(["-c", line])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let seen = wait(Which::Pid(pid), libc::WNOWAIT).unwrap().unwrap();
        assert_eq!(next_dead(Which::Pid(pid)).unwrap(), Some(seen), "looking does not reap");
        reap(pid).unwrap();
        assert!(next_dead(Which::Pid(pid)).is_err());
        seen.end
    }

    #[test]
    fn statuses_and_signals_are_told_apart() {
        assert_eq!(dead("exit 9"), End::Exited(9));
        assert_eq!(dead("kill -9 $$"), End::Signaled(9));
        assert_eq!(dead("kill -36 $$"), End::Signaled(36));
    }
}
