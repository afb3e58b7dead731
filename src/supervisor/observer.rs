//! The process that observes files and processes for the daemon: started with every daemon and every configuration, when there
//! is something to observe.
//!
//! Not in the daemon, which may not read what only root reads; not in the supervisor, which must never hang on a disk.

use super::daemon_process::Recipe;
use super::message::LoadedConfig;
use crate::model::{Instant, Micros, NetlinkBuffer, TrackedFile, TrackedProcess};
use crate::sys::{self, Capability, Seqpacket};
use crate::system::clock;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// How long after its death it is started again.
const PAUSE: Micros = Micros::from_secs(1);

/// What the observers get at their start.
#[derive(Debug)]
pub struct ObserverStart {
    /// `track_file` blocks.
    pub files: Vec<TrackedFile>,
    /// `vrrp_track_process` blocks.
    pub processes: Vec<TrackedProcess>,
    /// `process_monitor_rcv_bufs` and its `_force`.
    pub process_buffer: NetlinkBuffer,
    /// Where to tell what is seen.
    pub socket: Seqpacket,
    /// The daemon starts: `init_file` holds.
    pub write_init_files: bool,
}

/// The main function of the observers: returns the exit status. Called in a process with one thread, in the network namespace
/// that the supervisor was started in.
pub type ObserverMain = fn(ObserverStart) -> i32;

/// The observers' process.
#[derive(Debug, Default)]
pub(super) struct Observers {
    pid: Option<i32>,
    again_at: Option<Instant>,
}

impl Observers {
    /// Starts it, instead of one that runs; the daemon's end. `None`: there is nothing to observe, or it failed.
    pub(super) fn start(
        &mut self,
        recipe: &Recipe<'_>,
        main: ObserverMain,
        home: Option<&File>,
        write_init_files: bool,
        release: impl FnOnce(),
    ) -> Option<Seqpacket> {
        self.stop();
        if !recipe.brief.observes {
            return None;
        }
        match fork(recipe, main, home, write_init_files, release) {
            Ok((pid, socket)) => {
                self.pid = Some(pid);
                Some(socket)
            }
            Err(error) => {
                tracing::error!("files and processes cannot be observed: {error}");
                self.again_at = Some(clock::now() + PAUSE);
                None
            }
        }
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.again_at = None;
        if let Some(pid) = self.pid.take()
            && let Err(error) = sys::send_signal(pid, libc::SIGKILL)
        {
            tracing::debug!("cannot end the observers: {error}");
        }
    }

    /// Whether the dead child was it; then it is started again a little later, should there be a daemon then.
    pub(super) fn died(&mut self, pid: i32, end: sys::End) -> bool {
        let ours = self.pid == Some(pid);
        if ours {
            // Status 0: nobody listens. The daemon is gone, or its end of the socket has never reached it.
            if end != sys::End::Exited(0) {
                tracing::error!("The observers of files and processes died: new ones follow");
            }
            self.pid = None;
            self.again_at = Some(clock::now() + PAUSE);
        }
        ours
    }

    /// When it is to be started again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again_at
    }
}

fn fork(
    recipe: &Recipe<'_>,
    main: ObserverMain,
    home: Option<&File>,
    write_init_files: bool,
    release: impl FnOnce(),
) -> io::Result<(i32, Seqpacket)> {
    let (ours, theirs) = Seqpacket::pair()?;
    let supervisor = nix::unistd::getpid();
    let mut ends = Some((ours, theirs));
    let pid = sys::fork(|| {
        release();
        let Some((ours, theirs)) = ends.take() else { return 1 };
        drop(ours);
        let status = match prepare(recipe, supervisor, home, theirs, write_init_files) {
            Ok(start) => main(start),
            Err(error) => {
                tracing::error!("files and processes cannot be observed: {error}");
                1
            }
        };
        u8::try_from(status).unwrap_or(u8::MAX)
    })?;
    let (ours, _theirs) = ends.ok_or_else(|| io::Error::other("the observers' parts are gone"))?;
    Ok((pid.as_raw(), ours))
}

/// Moves into this network namespace. That is a right which a container may lack and need not have: it is there already.
fn enter(home: &File) -> io::Result<()> {
    let (here, home_is) = (fs::metadata("/proc/self/ns/net")?, home.metadata()?);
    if (here.dev(), here.ino()) == (home_is.dev(), home_is.ino()) {
        return Ok(());
    }
    Ok(move_into_link_name_space(
        home.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// In the child.
fn prepare(
    recipe: &Recipe<'_>,
    supervisor: Pid,
    home: Option<&File>,
    socket: Seqpacket,
    write_init_files: bool,
) -> io::Result<ObserverStart> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != supervisor {
        return Err(io::Error::other("the supervisor died during the start"));
    }
    let ident = recipe.options.called_as.daemon_ident();
    recipe
        .log
        .rename(&super::daemon_process::ident(ident, recipe.options, recipe.brief));
    sys::keep_capabilities(&[
        Capability::SysAdmin,
        Capability::NetAdmin,
        Capability::DacOverride,
        Capability::DacReadSearch,
        Capability::SysPtrace,
    ])?;
    // The kernel tells of processes in the initial network namespace only; from elsewhere they are looked for.
    if let Some(home) = home
        && let Err(error) = enter(home)
    {
        tracing::warn!("the observers stay in the network namespace of the daemon: {error}");
    }
    if recipe.options.seccomp
        && let Err(error) = sys::forbid_exec()
    {
        tracing::warn!("the observers keep the right to execute programs: {error}");
    }
    let LoadedConfig { model, .. } = LoadedConfig::read(recipe.config)?;
    Ok(ObserverStart {
        files: model.files.clone(),
        processes: model.processes.clone(),
        process_buffer: model.global.netlink_buffers.process_monitor,
        socket,
        write_init_files,
    })
}
