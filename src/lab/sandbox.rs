//! The way into a world of our own: private user (when needed), mount, net, host name, IPC and process namespaces.
//!
//! Three processes: the caller waits; a keeper makes the namespaces; the worker is process 1 of the new process namespace and
//! does the work. When the caller dies, the kernel kills the keeper, then the worker, and with process 1 everything that ever
//! ran in there; the network namespaces, bridges and mounts go with the last process. No clean-up code has to run.

use crate::sys;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, pipe2};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// How the work in the namespaces ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The work returned this status.
    Exited(u8),
    /// SIGINT, SIGTERM, SIGHUP or SIGQUIT ended it: this one. Everything was gone before the caller got to know.
    Interrupted(i32),
    /// A signal ended it, or the namespaces could not be made; the text was written to stderr.
    Failed,
}

/// Where the lab keeps its files: on a memory file system that only the lab's processes see.
pub(super) const ROOT: &str = "/run/vrrpd-lab";

/// Runs `work` in namespaces of its own and waits for it. Call it before the process has a second thread.
///
/// A signal that asks this process to end, or the terminal's interrupt key, ends everything first; SIGTSTP is not obeyed, for
/// a lab whose clock stands still would measure nonsense.
///
/// Real root keeps its rights; anybody else, and a root that may not make namespaces, becomes root of a user namespace.
///
/// # Errors
/// When there is more than one thread or no process can be made. What fails inside is [`Outcome::Failed`] with the reason
/// on stderr.
pub fn enter(work: impl FnOnce() -> u8) -> io::Result<Outcome> {
    let before = SigSet::thread_get_mask()?;
    let outcome = enter_with_signals_held(work);
    before.thread_set_mask()?;
    outcome
}

/// What ends a lab, and what would only stop its clock (SIGTSTP).
const HELD: [i32; 6] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGCHLD,
];

fn enter_with_signals_held(work: impl FnOnce() -> u8) -> io::Result<Outcome> {
    sys::block_signals(&HELD)?;
    let signals = sys::SignalFd::new(&HELD)?;
    // The worker falls to this process when the keeper is killed, so that its end can be waited for.
    set_child_subreaper(true)?;
    let (alive, hold) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let mine = hold.as_raw_fd();
    let keeper = sys::fork(|| {
        close_in_child(mine);
        complain("make the lab's namespaces", keep(&alive, work))
    })?;
    drop(alive);
    let ended = wait_or_end(keeper, &signals);
    drop(hold);
    set_child_subreaper(false)?;
    ended
}

/// Waits for the keeper; a signal ends it and everything else first.
fn wait_or_end(keeper: Pid, signals: &sys::SignalFd) -> io::Result<Outcome> {
    loop {
        if let Some(ended) = has_ended(keeper)? {
            return Ok(match ended {
                Some(FAILED) | None => Outcome::Failed,
                Some(status) => Outcome::Exited(status),
            });
        }
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(info) = signals.read()? {
            if !matches!(info.signal, libc::SIGCHLD | libc::SIGTSTP) {
                kill(keeper, Signal::SIGKILL)?;
                // The worker's end comes after that of everything in its process namespace.
                while waitpid(None, None) != Err(Errno::ECHILD) {}
                return Ok(Outcome::Interrupted(info.signal));
            }
        }
    }
}

/// The child's copy of the end that only its parent may hold: while somebody has it open, the parent lives.
fn close_in_child(end: RawFd) {
    // The number was taken from a descriptor that is open.
    nix::unistd::close(end).unwrap_or_default();
}

/// The status by which the keeper says that the namespaces could not be made.
const FAILED: u8 = 99;

/// The keeper: makes the namespaces, starts the worker, passes its status on.
fn keep(caller: &OwnedFd, work: impl FnOnce() -> u8) -> io::Result<u8> {
    make_namespaces()?;
    die_with_parent(caller)?;
    let (alive, hold) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let mine = hold.as_raw_fd();
    let worker = sys::fork(|| {
        close_in_child(mine);
        let prepared = die_with_parent(&alive).and_then(|()| private_files());
        complain("prepare the lab's files", prepared.map(|()| work()))
    })?;
    drop(alive);
    let ended = wait_for(worker);
    drop(hold);
    Ok(ended?.unwrap_or(FAILED))
}

/// Leaves the host's namespaces; children are born into the new process namespace.
fn make_namespaces() -> io::Result<()> {
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    let (user, group) = (Uid::effective(), Gid::effective());
    if user.is_root() {
        match unshare(flags) {
            Err(Errno::EPERM) => {}
            other => return other.map_err(|error| context("make namespaces as root", error)),
        }
    }
    unshare(flags | CloneFlags::CLONE_NEWUSER).map_err(|error| {
        context(
            "user namespaces are not to be had here (sysctls user.max_user_namespaces and kernel.unprivileged_userns_clone, \
             or a container forbids them); allow them, or run the lab as root",
            error,
        )
    })?;
    let map = || {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
    };
    map().map_err(|error| {
        context(
            "become root of a user namespace (the kernel may forbid it: for root without CAP_SETFCAP, or by AppArmor)",
            error,
        )
    })
}

/// Asks the kernel for SIGKILL when the parent dies; says so if it has died already.
fn die_with_parent(parent: &OwnedFd) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let mut fds = [PollFd::new(parent.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO)?;
    match fds.iter().any(|fd| fd.any().unwrap_or(false)) {
        true => Err(io::Error::other("whoever started this has died")),
        false => Ok(()),
    }
}

/// Mounts of our own: `/proc` of the new process namespace, and a memory file system on `/run`.
fn private_files() -> io::Result<()> {
    mount_private()?;
    mount_fs("proc", "/proc")?;
    mount_fs("tmpfs", "/run")?;
    std::fs::create_dir_all(ROOT)
}

/// Nothing that is mounted from here on is seen outside.
pub(super) fn mount_private() -> io::Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| context("make the mounts private", error))
}

/// Mounts a file system without a device.
pub(super) fn mount_fs(kind: &str, at: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some(kind), at, Some(kind), flags, None::<&str>)
        .map_err(|error| context(&format!("mount {kind} on {at}"), error))
}

/// Shows `from` at `to` as well, with what is mounted below it.
pub(super) fn mount_bind(from: &Path, to: &Path) -> io::Result<()> {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .map_err(|error| context(&format!("mount {} on {}", from.display(), to.display()), error))
}

/// Waits for a child; its status, or `None` when a signal ended it.
fn wait_for(child: Pid) -> io::Result<Option<u8>> {
    loop {
        if let Some(ended) = ended(waitpid(child, None))? {
            return Ok(ended);
        }
    }
}

/// The same of a child that has ended already.
fn has_ended(child: Pid) -> io::Result<Option<Option<u8>>> {
    ended(waitpid(child, Some(WaitPidFlag::WNOHANG)))
}

fn ended(waited: nix::Result<WaitStatus>) -> io::Result<Option<Option<u8>>> {
    match waited {
        Ok(WaitStatus::Exited(_, status)) => Ok(Some(u8::try_from(status).ok())),
        Ok(WaitStatus::Signaled(..)) => Ok(Some(None)),
        Ok(_) | Err(Errno::EINTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A status, with the reason on stderr when there is none.
fn complain(what: &str, result: io::Result<u8>) -> u8 {
    result.unwrap_or_else(|error| {
        let text = format!("vrrpd lab: cannot {what}: {error}\n");
        // When stderr is closed there is nobody left to tell; the status still says that it failed.
        nix::unistd::write(std::io::stderr(), text.as_bytes()).unwrap_or_default();
        FAILED
    })
}

/// A kernel's refusal with what was tried.
pub(super) fn context(what: &str, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
