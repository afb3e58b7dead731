//! Starts the daemon: forks, takes rights away from the child, hands it its end of the channel.

use super::client::{Channel, DaemonMain, DaemonStart, channel};
use super::loader::Brief;
use super::memory::Former;
use super::message::{LoadedConfig, ToDaemon, ToSupervisor};
use super::options::RunOptions;
use super::scheduling::treat_daemon;
use crate::model::{FifoKind, Instant};
use crate::sys::{self, Capability, Heartbeat, Seqpacket};
use crate::system::clock;
use crate::system::logsink::Log;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use std::fs::File;
use std::io;

/// A daemon that runs, or has not been reaped yet.
#[derive(Debug)]
pub(super) struct DaemonProcess {
    pub(super) pid: i32,
    pub(super) channel: Channel<ToDaemon, ToSupervisor>,
    pub(super) heartbeat: Heartbeat,
    /// It moves its heartbeat, and is killed when that stands still.
    pub(super) watched: bool,
    pub(super) started: Instant,
    /// It has said that everything is set up.
    pub(super) ready: bool,
}

/// What the daemon is made from.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) brief: &'a Brief,
    pub(super) config: &'a File,
    pub(super) log: &'a Log,
    pub(super) main: DaemonMain,
    /// What the daemon before it has left.
    pub(super) former: Option<Former>,
}

impl DaemonProcess {
    /// Forks the daemon. `release` is called in the child, to close what belongs to the supervisor alone.
    ///
    /// # Errors
    /// When there is no process, memory or descriptor for it.
    pub(super) fn start(
        recipe: &Recipe<'_>,
        fifos: Vec<(FifoKind, File)>,
        observer: Option<Seqpacket>,
        release: impl FnOnce(),
    ) -> io::Result<Self> {
        let (ours, theirs) = channel()?;
        let heartbeat = Heartbeat::new()?;
        let supervisor = nix::unistd::getpid();
        let mut parts = Some((ours, theirs, heartbeat, (fifos, observer)));
        let pid = sys::fork(|| {
            release();
            let Some((ours, theirs, heartbeat, inputs)) = parts.take() else {
                return 1;
            };
            drop(ours);
            let status = match prepare(recipe, supervisor, theirs, heartbeat, inputs) {
                Ok(start) => (recipe.main)(start),
                Err(error) => {
                    tracing::error!("the VRRP process cannot start: {error}");
                    super::exit::FATAL
                }
            };
            u8::try_from(status).unwrap_or(u8::MAX)
        })?;
        let (channel, _theirs, heartbeat, _inputs) =
            parts.ok_or_else(|| io::Error::other("the daemon's parts are gone"))?;
        Ok(Self {
            pid: pid.as_raw(),
            channel,
            heartbeat,
            watched: recipe.brief.heartbeat_guard,
            started: clock::now(),
            ready: false,
        })
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: i32) {
        if let Err(error) = sys::send_signal(self.pid, signal) {
            tracing::debug!("cannot send signal {signal} to the VRRP process {}: {error}", self.pid);
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        self.signal(libc::SIGKILL);
    }
}

/// In the child.
fn prepare(
    recipe: &Recipe<'_>,
    supervisor: Pid,
    channel: Channel<ToSupervisor, ToDaemon>,
    heartbeat: Heartbeat,
    (fifos, observer): (Vec<(FifoKind, File)>, Option<Seqpacket>),
) -> io::Result<DaemonStart> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    if getppid() != supervisor {
        return Err(io::Error::other("the supervisor died during the start"));
    }
    let (options, brief) = (recipe.options, recipe.brief);
    recipe
        .log
        .rename(&ident(options.called_as.daemon_ident(), options, brief));
    treat_daemon(options, brief);
    raise_descriptor_limit();
    let config = LoadedConfig::read(recipe.config)?;
    confine(options, brief)?;
    Ok(DaemonStart {
        former: recipe.former.clone(),
        fifos,
        observer,
        channel,
        config,
        options: options.clone(),
        heartbeat,
        heartbeat_watched: brief.heartbeat_guard,
        log: recipe.log.clone(),
    })
}

/// The name in syslog: with namespace and instance behind it, as keepalived.
pub(super) fn ident(base: &str, options: &RunOptions, brief: &Brief) -> String {
    let namespace = options.namespace.as_ref().or(brief.global.net_namespace.as_ref());
    let parts = [
        Some(base),
        namespace.map(String::as_str),
        brief.global.instance_name.as_deref(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("_")
}

/// One socket per interface and family adds up.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard.min(1 << 20), hard));
    if let Err(errno) = raised {
        tracing::debug!("cannot raise the limit of open files: {errno}");
    }
}

/// Leaves the daemon only the rights that it works with.
fn confine(options: &RunOptions, brief: &Brief) -> io::Result<()> {
    let mut kept = vec![Capability::NetAdmin, Capability::NetRaw];
    if brief.realtime {
        kept.push(Capability::SysNice);
    }
    if brief.no_swap {
        kept.push(Capability::IpcLock);
    }
    sys::keep_capabilities(&kept)?;
    if options.seccomp {
        if let Err(error) = sys::forbid_exec() {
            tracing::warn!("the VRRP process keeps the right to execute programs: {error}");
        }
    }
    Ok(())
}
