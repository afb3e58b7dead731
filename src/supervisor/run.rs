//! From the command line to the event loop: log, rights, configuration, namespace, pid files, the background.

use super::client::{DaemonMain, exit};
use super::daemon_process::ident;
use super::loader::{Brief, Loader, ReadConfig, ReloadFiles, Usable, Verdict};
use super::observer::ObserverMain;
use super::options::RunOptions;
use super::pidfile::{LockError, Paths, PidFile};
use super::program::Programs;
use super::scheduling::name_process;
use super::supervise::{Inherited, Supervisor};
use super::systemd::ServiceManager;
use crate::model::{Micros, Model};
use crate::sys::{self, Capability, SignalFd};
use crate::system::clock;
use crate::system::logsink::{DEV_LOG, Log, LogSettings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How long a supervisor that is cleaning up is waited for.
const CLEANING_WAIT: Micros = Micros::from_secs(5);

/// What `keepalived_parent.data` says under a configuration, and where it lies.
pub type ParentData = fn(&RunOptions, &Model) -> (PathBuf, String);

/// The parts that the supervisor does not contain.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Reads the configuration. Called in a process of its own.
    pub read: ReadConfig,
    /// The daemon. Called in a process of its own.
    pub daemon: DaemonMain,
    /// The observers of files and processes. Called in a process of its own.
    pub observe: ObserverMain,
    /// The path and text of the supervisor's own state file. Called in a process of its own.
    pub parent_data: ParentData,
}

/// Runs the supervisor until the end and returns the exit status of the program ([`exit`]). To be called while the process
/// has one thread. Without [`RunOptions::foreground`] it returns at once, with 0, while a process in the background goes on.
#[must_use]
pub fn run(options: RunOptions, parts: Parts) -> i32 {
    let log = open_log(&options);
    match Start::new(options, parts, log).and_then(Start::run) {
        Ok(status) | Err(Stop::Status(status)) => status,
        Err(Stop::Failed(what)) => {
            tracing::error!("{what}");
            exit::FATAL
        }
    }
}

/// Why there is nothing to run.
#[derive(Debug)]
enum Stop {
    /// Everything is said; exit with this.
    Status(i32),
    /// This has to be said.
    Failed(String),
}

impl Stop {
    fn because(what: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Failed(format!("cannot {what}: {error}"))
    }
}

fn open_log(options: &RunOptions) -> Log {
    let settings = LogSettings {
        syslog: options.syslog.then(|| DEV_LOG.into()),
        facility: options.log_facility,
        console: options.log_console && options.foreground,
        file: options.log_file.clone(),
        detail: options.log_detail,
        ident: options.called_as.ident().to_owned(),
    };
    let (log, error) = match Log::open(settings.clone()) {
        Ok(log) => (log, None),
        Err(error) => {
            let without = LogSettings { file: None, ..settings };
            (Log::open(without).unwrap_or_else(|_| Log::nowhere()), Some(error))
        }
    };
    log.install();
    if let (Some(error), Some(path)) = (error, &options.log_file) {
        tracing::error!("cannot write the log file {}: {error}", path.display());
    }
    log
}

/// Signals that are read, not suffered. Real-time signals are added.
fn signals() -> Vec<i32> {
    let named = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGCHLD,
        libc::SIGPIPE,
    ];
    named
        .into_iter()
        .chain(sys::realtime_min()..=sys::realtime_max())
        .collect()
}

#[derive(Debug)]
struct Start {
    options: RunOptions,
    parts: Parts,
    log: Log,
    signals: SignalFd,
    manager: ServiceManager,
    /// The network namespace that we were started in.
    home: Option<File>,
}

impl Start {
    fn new(mut options: RunOptions, parts: Parts, log: Log) -> Result<Self, Stop> {
        umask(Mode::from_bits_truncate(options.umask.unwrap_or(0o177)));
        sys::block_signals(&signals()).map_err(Stop::because("block signals"))?;
        let signals = SignalFd::new(&signals()).map_err(Stop::because("read signals"))?;
        log_start(&options);
        if options.core_dump {
            allow_core_dumps();
        }
        require_rights()?;
        // A relative path has to keep its meaning in the background, whose directory is the root.
        if let Ok(path) = std::path::absolute(&options.config) {
            options.config = path.to_string_lossy().into_owned();
        }
        Ok(Self {
            options,
            parts,
            log,
            signals,
            manager: ServiceManager::from_environment(),
            // Only the observers of processes need it, and they do without as well.
            home: File::open("/proc/self/ns/net").ok(),
        })
    }

    fn run(self) -> Result<i32, Stop> {
        if let Some(namespace) = &self.options.namespace {
            enter_namespace(namespace).map_err(Stop::because("enter the network namespace"))?;
        }
        let mut usable = self.read()?;
        if let (None, Some(namespace)) = (&self.options.namespace, usable.brief.global.net_namespace.clone()) {
            // The interfaces that the configuration was checked against were those outside.
            enter_namespace(&namespace).map_err(Stop::because("enter the network namespace"))?;
            usable = self.read()?;
        }
        let brief = &usable.brief;
        self.log
            .rename(&ident(self.options.called_as.ident(), &self.options, brief));
        if self.options.umask.is_none() {
            umask(Mode::from_bits_truncate(brief.global.umask));
        }
        warn_of_programs(brief)?;
        let (paths, files) = self.lock_pid_files(brief)?;
        if self.options.foreground {
            return self.supervise(usable, paths, files);
        }
        let log = self.log.clone();
        sys::fork(|| {
            let status = into_background().and_then(|()| self.supervise(usable, paths, files));
            let status = match status {
                Ok(status) | Err(Stop::Status(status)) => status,
                Err(Stop::Failed(what)) => {
                    log.write(crate::system::logsink::Severity::Error, &what);
                    exit::FATAL
                }
            };
            u8::try_from(status).unwrap_or(u8::MAX)
        })
        .map_err(Stop::because("go into the background"))?;
        Ok(exit::OK)
    }

    /// Reads the configuration and logs every problem.
    fn read(&self) -> Result<Usable, Stop> {
        tracing::info!("Opening file '{}'.", self.options.config);
        let loader = Loader::start(&self.options, 1, self.parts.read, ReloadFiles::default(), None)
            .map_err(Stop::because("start a process that reads the configuration"))?;
        let verdict = self.wait_for(loader)?;
        for problem in &verdict.problems {
            tracing::info!("{problem}");
        }
        match verdict.usable {
            Ok(usable) => {
                tracing::info!("Configuration file {}", self.options.config);
                Ok(usable)
            }
            Err(status) => {
                if status == exit::CONFIG {
                    self.manager.failed(libc::EINVAL);
                }
                log_stop(&self.options);
                Err(Stop::Status(status))
            }
        }
    }

    /// Waits for a reading, or for somebody who does not want to wait any longer.
    fn wait_for(&self, loader: Loader) -> Result<Verdict, Stop> {
        let which = sys::Which::Pid(loader.pid);
        loop {
            let dead = sys::next_dead(which).map_err(Stop::because("wait for the reading of the configuration"))?;
            if let Some(dead) = dead {
                sys::reap(dead.pid).map_err(Stop::because("wait for the reading of the configuration"))?;
                return Ok(loader.finish(dead.end));
            }
            let now = clock::now();
            if now >= loader.deadline() {
                loader.kill();
            }
            if self.stop_wanted(loader.deadline().since(now).max(Micros::SECOND))? {
                loader.kill();
                return Err(Stop::Status(exit::OK));
            }
        }
    }

    /// Waits for a signal, at most so long. Whether it was one that asks to stop.
    fn stop_wanted(&self, limit: Micros) -> Result<bool, Stop> {
        let limit = Timespec::try_from(limit.to_std()).unwrap_or_default();
        let mut fds = [PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        poll(&mut fds, Some(&limit))
            .map_err(io::Error::from)
            .map_err(Stop::because("wait for a signal"))?;
        let mut stop = false;
        while let Some(info) = self.signals.read().map_err(Stop::because("read signals"))? {
            stop |= info.signal == libc::SIGTERM || (info.signal == libc::SIGINT && !self.options.ignore_sigint);
        }
        Ok(stop)
    }

    fn lock_pid_files(&self, brief: &Brief) -> Result<(Paths, [PidFile; 2]), Stop> {
        let namespace = self
            .options
            .namespace
            .as_deref()
            .or(brief.global.net_namespace.as_deref());
        let paths = Paths::new(
            &self.options,
            namespace,
            brief.global.instance_name.as_deref(),
            brief.global.paths.use_pid_dir,
        );
        paths
            .make_directory()
            .map_err(Stop::because("make the directory of the pid files"))?;
        let main = self.lock_pid_file(&paths.main)?;
        let vrrp = self.lock_pid_file(&paths.vrrp)?;
        Ok((paths, [main, vrrp]))
    }

    fn lock_pid_file(&self, path: &Path) -> Result<PidFile, Stop> {
        let give_up = clock::now() + CLEANING_WAIT;
        loop {
            match PidFile::lock(path) {
                Ok(file) => return Ok(file),
                Err(LockError::Taken { cleaning: true }) if clock::now() < give_up => {
                    if self.stop_wanted(Micros::from_millis(10))? {
                        return Err(Stop::Status(exit::OK));
                    }
                }
                Err(LockError::Taken { .. }) => {
                    tracing::info!("Another process has pid file {} locked", path.display());
                    tracing::info!("daemon is already running");
                    log_stop(&self.options);
                    return Err(Stop::Status(exit::OK));
                }
                Err(LockError::Io(error)) => {
                    return Err(Stop::Failed(format!(
                        "cannot lock the pid file {}: {error}. Run as root, or name another one with -p and -r",
                        path.display()
                    )));
                }
            }
        }
    }

    fn supervise(self, usable: Usable, paths: Paths, files: [PidFile; 2]) -> Result<i32, Stop> {
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(io::Error::from)
            .map_err(Stop::because("become the parent of orphaned programs"))?;
        drop_rights();
        if let Some(name) = &usable.brief.global.process_name {
            // The VRRP process inherits it.
            name_process(name);
        }
        let [main, vrrp] = files;
        let supervisor = Supervisor::new(Inherited {
            programs: Programs::new().map_err(Stop::because("open /dev/null"))?,
            options: self.options,
            parts: self.parts,
            log: self.log,
            signals: self.signals,
            manager: self.manager,
            home: self.home,
            paths,
            main_file: main,
            vrrp_file: vrrp,
            usable,
        });
        supervisor
            .and_then(Supervisor::run)
            .map_err(Stop::because("supervise the VRRP process"))
    }
}

fn log_start(options: &RunOptions) {
    tracing::info!("Starting {}", options.called_as.banner());
    if let Ok(name) = nix::sys::utsname::uname() {
        tracing::info!(
            "Running on {} {} {}",
            name.sysname().to_string_lossy(),
            name.release().to_string_lossy(),
            name.version().to_string_lossy()
        );
    }
    for line in wrap_command_line(&options.argv) {
        tracing::info!("{line}");
    }
    for option in &options.ignored {
        tracing::warn!("{option} has no effect here");
    }
}

/// The last line of a run.
pub(super) fn log_stop(options: &RunOptions) {
    tracing::info!("Stopped {}", options.called_as.banner());
}

/// The words in quotes, in lines of about 100 characters as keepalived breaks them.
fn wrap_command_line(argv: &[String]) -> Vec<String> {
    const FIRST: &str = "Command line:";
    const WIDTH: usize = 100;
    let mut lines = vec![FIRST.to_owned()];
    for word in argv {
        let word = format!(" '{word}'");
        match lines.last_mut() {
            Some(line) if line.len() + word.len() <= WIDTH || line.trim_end().len() <= FIRST.len() => {
                line.push_str(&word)
            }
            _ => lines.push(format!("{:1$}{word}", "", FIRST.len())),
        }
    }
    lines
}

fn allow_core_dumps() {
    let raised = getrlimit(Resource::RLIMIT_CORE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_CORE, hard, hard));
    if let Err(errno) = raised {
        tracing::warn!("cannot allow core dumps: {errno}");
    }
}

/// Without these two rights there is no VRRP; everything else degrades.
fn require_rights() -> Result<(), Stop> {
    let needed = [
        (Capability::NetAdmin, "addresses cannot be set"),
        (Capability::NetRaw, "adverts can neither be sent nor received"),
    ];
    let mut missing = false;
    for (capability, consequence) in needed {
        if !sys::has_capability(capability).map_err(Stop::because("ask for our capabilities"))? {
            tracing::error!("{capability} is missing: {consequence}. Run as root or grant the capability");
            missing = true;
        }
    }
    if missing {
        return Err(Stop::Status(exit::MISSING_PERMISSION));
    }
    Ok(())
}

/// Programs of other users need rights; without them each run fails, which is said here once with the reason.
fn warn_of_programs(brief: &Brief) -> Result<(), Stop> {
    let may = |capability| sys::has_capability(capability).map_err(Stop::because("ask for our capabilities"));
    let rights = [
        (Capability::SetUid, may(Capability::SetUid)?),
        (Capability::SetGid, may(Capability::SetGid)?),
    ];
    for program in &brief.programs {
        let Some(user) = program.foreign_user() else { continue };
        if let Some((capability, _)) = rights.iter().find(|(_, held)| !held) {
            tracing::error!(
                "{capability} is missing: {} cannot run as user {} group {}",
                program.describe(),
                user.uid,
                user.gid
            );
        }
    }
    Ok(())
}

/// What the supervisor works with for the rest of its life. Programs that run as root get the full set back at `execve`,
/// and must be permitted no more than we are: else they would outlive a killed supervisor.
fn drop_rights() {
    if !nix::unistd::geteuid().is_root() {
        // The capabilities of an ordinary user are inherited by programs only as they are.
        return;
    }
    let kept = [
        Capability::Chown,
        Capability::DacOverride,
        Capability::IpcLock,
        Capability::Kill,
        Capability::NetAdmin,
        Capability::NetRaw,
        Capability::SetGid,
        Capability::SetUid,
        Capability::SysNice,
    ];
    if let Err(error) = sys::use_capabilities(&kept) {
        tracing::warn!("cannot give capabilities up: {error}");
    }
}

/// Enters a named network namespace, as `ip netns` makes them, with this thread.
///
/// # Errors
/// When there is none of this name, or CAP_SYS_ADMIN is missing.
pub fn enter_namespace(name: &str) -> io::Result<()> {
    let path = Path::new("/run/netns").join(name);
    let file = File::open(&path)?;
    Ok(move_into_link_name_space(
        file.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// A session of our own, no directory held busy, no terminal. The starting process has exited.
fn into_background() -> Result<(), Stop> {
    let detach = || -> io::Result<()> {
        nix::unistd::setsid()?;
        std::env::set_current_dir("/")?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&null)?;
        nix::unistd::dup2_stderr(&null)?;
        Ok(())
    };
    detach().map_err(Stop::because("go into the background"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_wrapped_as_keepalived_does_it() {
        // samples/a-seed, node1-syslog.log.
        let words = "/usr/sbin/keepalived -n -l -D -f /tmp/vrrp-sample/keepalived.conf -p \
                     /tmp/vrrp-sample/keepalived.pid -r /tmp/vrrp-sample/vrrp.pid -c /tmp/vrrp-sample/checkers.pid -b \
                     /tmp/vrrp-sample/bfd.pid";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        assert_eq!(
            wrap_command_line(&words),
            [
                "Command line: '/usr/sbin/keepalived' '-n' '-l' '-D' '-f' '/tmp/vrrp-sample/keepalived.conf' '-p'",
                "              '/tmp/vrrp-sample/keepalived.pid' '-r' '/tmp/vrrp-sample/vrrp.pid' '-c'",
                "              '/tmp/vrrp-sample/checkers.pid' '-b' '/tmp/vrrp-sample/bfd.pid'",
            ]
        );
    }
}
