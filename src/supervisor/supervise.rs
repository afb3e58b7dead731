//! The event loop of the supervisor: signals, the channel, deadlines; one thread, nothing that waits.
//!
//! `reload` has what happens on SIGHUP, this file everything else.

use super::backoff::Backoff;
use super::client::{Received, Sent, exit};
use super::daemon_process::{DaemonProcess, Recipe};
use super::fifo::Fifo;
use super::guard::Guard;
use super::loader::{Brief, Usable};
use super::memory::Memory;
use super::message::{LoadedConfig, ToDaemon, ToSupervisor};
use super::observer::Observers;
use super::once::{Once, When};
use super::options::RunOptions;
use super::pidfile::{LockError, Paths, PidFile};
use super::program::Programs;
use super::reload::Reload;
use super::run::{Parts, log_stop};
use super::schedule::Schedule;
use super::systemd::ServiceManager;
use crate::model::{Global, Instant, Micros};
use crate::sys::{self, Epoll, Events, Interest, Seqpacket, SignalFd};
use crate::system::clock;
use crate::system::dumpfile::replace;
use crate::system::logsink::Log;
use std::fs::File;
use std::io;

/// How long the daemon may take to stop.
const STOP_LIMIT: Micros = Micros::from_secs(5);
/// How long programs may take to end after SIGTERM when everything else has stopped.
const PROGRAM_LIMIT: Micros = Micros::from_millis(100);
/// Messages handled before signals are looked at again.
const MESSAGES_PER_ROUND: usize = 256;

const SIGNALS: u64 = 0;
const CHANNEL: u64 = 1;

/// What the preparation has made.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) options: RunOptions,
    pub(super) parts: Parts,
    pub(super) log: Log,
    pub(super) signals: SignalFd,
    pub(super) manager: ServiceManager,
    pub(super) home: Option<File>,
    pub(super) programs: Programs,
    pub(super) paths: Paths,
    pub(super) main_file: PidFile,
    pub(super) vrrp_file: PidFile,
    pub(super) usable: Usable,
}

/// What only the supervisor itself may hold; a child closes it at once.
#[derive(Debug)]
pub(super) struct Own {
    epoll: Epoll,
    signals: SignalFd,
    /// The network namespace that we were started in.
    home: Option<File>,
    main_file: PidFile,
    vrrp_file: Option<PidFile>,
}

/// The supervisor at work.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) options: RunOptions,
    pub(super) parts: Parts,
    pub(super) manager: ServiceManager,
    pub(super) programs: Programs,
    /// The configuration in force, for us and for the daemon.
    pub(super) brief: Brief,
    pub(super) config: File,
    /// The settings of the configuration that it was started with.
    pub(super) started_with: Global,
    pub(super) fifos: Vec<Fifo>,
    pub(super) daemon: Option<DaemonProcess>,
    observers: Observers,
    pub(super) reload: Reload,
    pub(super) schedule: Schedule,
    log: Log,
    paths: Paths,
    pub(super) own: Option<Own>,
    guard: Guard,
    watch: Watch,
    backoff: Backoff,
    respawn_at: Option<Instant>,
    stopping: Option<Stopping>,
    exit: Option<i32>,
    /// The process that writes our state file.
    printing: Option<i32>,
    /// The startup or shutdown script.
    pub(super) once: Option<Once>,
    /// What the daemon wants to be kept for its successor.
    memory: Memory,
    /// How the last daemon died.
    death: Option<String>,
}

/// A stop under way.
#[derive(Debug)]
struct Stopping {
    kill_at: Instant,
    status: i32,
}

/// The watch on the daemon's heartbeat.
#[derive(Debug, Default)]
struct Watch {
    count: u64,
    moved_at: Instant,
    looked_at: Instant,
}

impl Supervisor {
    /// Runs the startup script, or starts the daemon at once.
    ///
    /// # Errors
    /// When the kernel refuses what an event loop needs.
    pub(super) fn new(inherited: Inherited) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&inherited.signals, SIGNALS, Interest::Readable)?;
        let Usable { brief, file } = inherited.usable;
        let mut supervisor = Self {
            options: inherited.options,
            parts: inherited.parts,
            manager: inherited.manager,
            programs: inherited.programs,
            started_with: brief.global.clone(),
            brief,
            config: file,
            fifos: Vec::new(),
            daemon: None,
            observers: Observers::default(),
            reload: Reload::default(),
            schedule: Schedule::default(),
            log: inherited.log,
            paths: inherited.paths,
            own: Some(Own {
                epoll,
                signals: inherited.signals,
                home: inherited.home,
                main_file: inherited.main_file,
                vrrp_file: Some(inherited.vrrp_file),
            }),
            guard: Guard::default(),
            watch: Watch::default(),
            backoff: Backoff::default(),
            respawn_at: None,
            stopping: None,
            exit: None,
            printing: None,
            once: None,
            memory: Memory::default(),
            death: None,
        };
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        if let Some(own) = &mut supervisor.own {
            report_pid_file(own.main_file.write(pid));
        }
        supervisor.programs.set_umask(supervisor.umask());
        supervisor
            .programs
            .learn(supervisor.brief.generation, &supervisor.brief.programs);
        if !supervisor.start_once(When::Startup) {
            supervisor.begin();
        }
        Ok(supervisor)
    }

    /// What is done at the start has been done: the daemon follows.
    pub(super) fn begin(&mut self) {
        self.follow_schedule();
        if self.has_work() {
            self.start_daemon();
        } else {
            tracing::info!(
                "Warning - {} has no configuration to run",
                self.options.called_as.product()
            );
            self.remove_vrrp_file();
            self.tell_ready();
        }
    }

    /// Runs until the end; the exit status.
    ///
    /// # Errors
    /// When the kernel refuses what an event loop needs.
    pub(super) fn run(mut self) -> io::Result<i32> {
        let mut events = Events::with_capacity(8);
        while self.exit.is_none() {
            self.wait(&mut events)?;
            for ready in events.iter() {
                match ready.token {
                    SIGNALS => self.read_signals()?,
                    _ => self.read_channel(),
                }
            }
            self.run_deadlines();
        }
        self.clean_up(&mut events)?;
        log_stop(&self.options);
        Ok(self.exit.unwrap_or(exit::OK))
    }

    fn wait(&self, events: &mut Events) -> io::Result<()> {
        let now = clock::now();
        let timeout = self.next_deadline().map(|deadline| deadline.since(now).to_std());
        self.own.as_ref().map_or(Ok(()), |own| own.epoll.wait(events, timeout))
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stop = self.stopping.as_ref().map(|stopping| stopping.kill_at);
        let watched = self.daemon.as_ref().is_some_and(|daemon| daemon.watched);
        let look = watched.then(|| self.watch.looked_at + Micros(self.brief.heartbeat_limit.0 / 4));
        let once = self.once.as_ref().map(|once| once.deadline);
        let others = [
            self.reload.deadline(),
            self.observers.deadline(),
            self.schedule.deadline(),
        ];
        [self.respawn_at, stop, look, once]
            .into_iter()
            .chain(others)
            .flatten()
            .min()
    }

    fn run_deadlines(&mut self) {
        let now = clock::now();
        if self.respawn_at.is_some_and(|at| now >= at) {
            self.respawn_at = None;
            self.start_daemon();
        }
        if let Some(stopping) = &mut self.stopping {
            if now >= stopping.kill_at {
                stopping.kill_at = now + STOP_LIMIT;
                tracing::info!("vrrp process failed to die - forcing termination");
                self.kill_daemon();
            }
        }
        if self.observers.deadline().is_some_and(|at| now >= at) {
            self.observe_again();
        }
        if self.schedule.deadline().is_some_and(|at| now >= at) {
            self.follow_schedule();
        }
        self.reload.run_deadline(now);
        self.run_once_deadline(now);
        self.watch_heartbeat(now);
    }

    // ---- signals ----

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(own) = &self.own {
            let Some(info) = own.signals.read()? else { break };
            self.on_signal(info.signal)?;
        }
        Ok(())
    }

    fn on_signal(&mut self, signal: i32) -> io::Result<()> {
        match signal {
            libc::SIGHUP => self.request_reload(),
            libc::SIGINT if self.options.ignore_sigint => {}
            libc::SIGTERM | libc::SIGINT => self.begin_stop(exit::OK),
            libc::SIGCHLD => self.bury()?,
            libc::SIGUSR1 => {
                self.print_parent();
                self.forward(signal);
            }
            libc::SIGUSR2 => self.forward(signal),
            _ if signal == sys::realtime_max() - 1 || signal == sys::realtime_min() + 2 => self.forward(signal),
            _ => {}
        }
        Ok(())
    }

    /// Writes our own state file, in a process of its own because a file system may hang; one at a time.
    fn print_parent(&mut self) {
        if self.printing.is_some() {
            return;
        }
        tracing::info!("Printing parent data for process({}) on signal", std::process::id());
        let (own, config) = (&mut self.own, &self.config);
        let (options, parent_data) = (&self.options, self.parts.parent_data);
        let started = sys::fork(|| {
            drop(own.take());
            let written = LoadedConfig::read(config).and_then(|loaded| {
                let (path, text) = parent_data(options, &loaded.model);
                replace(&path, text.as_bytes())
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
            });
            written.map_or_else(
                |error| {
                    tracing::warn!("cannot write parent data: {error}");
                    1
                },
                |()| 0,
            )
        });
        match started {
            Ok(pid) => self.printing = Some(pid.as_raw()),
            Err(error) => tracing::warn!("cannot write parent data: {error}"),
        }
    }

    /// Passes a signal on that asks the daemon to write a file. keepalived's tools send it to us.
    fn forward(&self, signal: i32) {
        if let Some(daemon) = self.daemon.as_ref().filter(|daemon| daemon.ready) {
            daemon.signal(signal);
        }
    }

    /// Takes every dead child: the daemon, a reading, programs, and orphans that came to us.
    fn bury(&mut self) -> io::Result<()> {
        while let Some(dead) = sys::next_dead(sys::Which::Any)? {
            if self.programs.owns(dead.pid) {
                let ended = self.programs.ended(dead);
                sys::reap(dead.pid)?;
                if self.once.as_ref().is_some_and(|once| once.pid == dead.pid) {
                    self.on_once_end(dead.end);
                }
                if let Some((run, outcome)) = ended {
                    self.tell(&ToDaemon::Ended { run, outcome });
                }
                continue;
            }
            sys::reap(dead.pid)?;
            if self.printing == Some(dead.pid) {
                self.printing = None;
            }
            if self.observers.died(dead.pid, dead.end) || self.schedule.died(dead.pid) {
                continue;
            }
            if self.daemon.as_ref().is_some_and(|daemon| daemon.pid == dead.pid) {
                self.on_daemon_end(dead.end);
            } else {
                self.read(dead);
            }
        }
        Ok(())
    }

    // ---- the channel ----

    fn read_channel(&mut self) {
        for _ in 0..MESSAGES_PER_ROUND {
            if !self.read_message() {
                break;
            }
        }
        self.flush();
    }

    /// Handles one message; whether there was one.
    fn read_message(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else { return false };
        match daemon.channel.receiver.receive() {
            Ok(Received::Message(message, _)) => {
                self.on_message(message);
                true
            }
            Ok(Received::Nothing) => false,
            Ok(Received::Closed) => {
                // It is dying; the rest follows with its SIGCHLD.
                self.watch_channel(Interest::Nothing);
                false
            }
            Err(error) => {
                tracing::error!("the VRRP process sent what is no message: {error}");
                true
            }
        }
    }

    fn on_message(&mut self, message: ToSupervisor) {
        match message {
            ToSupervisor::Ready => self.on_ready(),
            ToSupervisor::Run { run, program, told } => {
                if let Some(outcome) = self.programs.start(run, program, told.as_deref()) {
                    self.tell(&ToDaemon::Ended { run, outcome });
                }
            }
            ToSupervisor::Kill { run, hard } => self.programs.kill(run, hard),
            ToSupervisor::GuardAdd(addresses) => {
                self.guard.add(addresses);
                if self.guard.refused() == 1 {
                    tracing::error!("more addresses than {} cannot be guarded", super::guard::MAX_GUARDED);
                }
            }
            ToSupervisor::GuardWithdraw(addresses) => self.guard.withdraw(&addresses),
            ToSupervisor::Keep { key, text } => self.memory.keep(key, text),
            ToSupervisor::Happened(line) => self.memory.happened(line),
            ToSupervisor::ReloadRequested => self.request_reload(),
            ToSupervisor::ReloadAsked { ask, dry_run } => self.answer_reload(ask, dry_run),
            ToSupervisor::ReloadDone { generation } => self.on_reload_done(generation),
            ToSupervisor::ReloadFailed { generation, why } => self.on_reload_failed(generation, &why),
            ToSupervisor::StopRequested => self.begin_stop(exit::OK),
            ToSupervisor::Stopped => {}
        }
    }

    fn on_ready(&mut self) {
        if let Some(daemon) = self.daemon.as_mut().filter(|daemon| !daemon.ready) {
            daemon.ready = true;
            tracing::info!("Startup complete");
            self.tell_ready();
        }
    }

    /// Tells the service manager that the configuration is in force.
    pub(super) fn tell_ready(&self) {
        let (instances, path) = (self.brief.instances, &self.options.config);
        self.manager
            .ready(&format!("{instances} instances, configuration {path}"));
    }

    /// Sends the daemon a message, if there is one.
    pub(super) fn tell(&mut self, message: &ToDaemon) {
        let Some(daemon) = &mut self.daemon else { return };
        match daemon.channel.sender.send(message) {
            Ok(Sent::Now) => {}
            Ok(Sent::Later) => self.watch_channel(Interest::Both),
            Err(super::SendError::Closed) => {}
            Err(error) => tracing::error!("a message to the VRRP process is lost: {error}"),
        }
    }

    fn flush(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        if !daemon.channel.sender.is_idle() && matches!(daemon.channel.sender.flush(), Ok(Sent::Now)) {
            self.watch_channel(Interest::Readable);
        }
    }

    fn watch_channel(&self, interest: Interest) {
        if let (Some(own), Some(daemon)) = (&self.own, &self.daemon) {
            let changed = match interest {
                // Epoll would report the hang-up for ever.
                Interest::Nothing => own.epoll.remove(&daemon.channel),
                Interest::Readable | Interest::Writable | Interest::Both => {
                    own.epoll.modify(&daemon.channel, CHANNEL, interest)
                }
            };
            if let Err(error) = changed {
                tracing::debug!("cannot change the watch on the channel: {error}");
            }
        }
    }

    // ---- the daemon ----

    /// Whether the configuration gives the daemon something to do.
    pub(super) fn has_work(&self) -> bool {
        self.options.vrrp && (self.brief.instances > 0 || self.options.all)
    }

    /// Whether a new daemon will be started anyway.
    pub(super) fn start_is_due(&self) -> bool {
        self.respawn_at.is_some() || self.once.is_some()
    }

    /// The umask of files and programs.
    pub(super) fn umask(&self) -> u32 {
        self.options.umask.unwrap_or(self.brief.global.umask)
    }

    /// Makes the FIFOs of the configuration in force, instead of those before, and starts their readers.
    pub(super) fn open_fifos(&mut self) {
        self.programs.end_readers();
        self.fifos.clear();
        self.fifos = self.brief.fifos.iter().filter_map(Fifo::open).collect();
        for spec in &self.brief.fifos {
            if self.fifos.iter().any(|fifo| fifo.kind == spec.kind) {
                self.programs.start_reader(spec);
            }
        }
    }

    /// Starts the observers of the configuration in force, instead of those before; the daemon's end.
    pub(super) fn start_observers(&mut self, write_init_files: bool) -> Option<Seqpacket> {
        let recipe = Recipe {
            options: &self.options,
            brief: &self.brief,
            config: &self.config,
            log: &self.log,
            main: self.parts.daemon,
            former: None,
        };
        let home = self.own.as_mut().and_then(|own| own.home.take());
        let (own, fifos, daemon) = (&mut self.own, &mut self.fifos, &mut self.daemon);
        let observe = self.parts.observe;
        let started = self
            .observers
            .start(&recipe, observe, home.as_ref(), write_init_files, || {
                drop(own.take());
                fifos.drain(..).for_each(Fifo::leave);
                // The daemon must see that the supervisor is gone when it is.
                drop(daemon.take());
            });
        if let Some(own) = &mut self.own {
            own.home = home;
        }
        started
    }

    /// The observers died: the daemon goes on with what it knows until new ones have told it everything.
    pub(super) fn observe_again(&mut self) {
        if self.is_stopping() || self.daemon.is_none() {
            return self.observers.stop();
        }
        let socket = self.start_observers(false);
        let generation = self.brief.generation;
        if let (Some(socket), Some(daemon)) = (socket, &mut self.daemon)
            && let Err(error) = daemon
                .channel
                .sender
                .send_with(&ToDaemon::Observer { generation }, &socket)
        {
            tracing::error!("the VRRP process gets no observers: {error}");
        }
    }

    /// Starts the daemon; a failure counts as its death.
    pub(super) fn start_daemon(&mut self) {
        self.open_fifos();
        let observer = self.start_observers(true);
        // The daemon inherits what we hold, and both outlive the command line's parser by far.
        crate::sys::give_back_memory();
        let own = &mut self.own;
        let recipe = Recipe {
            options: &self.options,
            brief: &self.brief,
            config: &self.config,
            log: &self.log,
            main: self.parts.daemon,
            former: self.death.clone().map(|death| self.memory.former(death)),
        };
        let ends = self.fifos.iter().map(|fifo| Ok((fifo.kind, fifo.file.try_clone()?)));
        let ends = ends.collect::<io::Result<Vec<_>>>().unwrap_or_else(|error| {
            tracing::error!("the VRRP process gets no notify FIFOs: {error}");
            Vec::new()
        });
        let fifos = &mut self.fifos;
        let started = DaemonProcess::start(&recipe, ends, observer, || {
            drop(own.take());
            // A descriptor left open here would keep readers waiting after the FIFO is given up.
            fifos.drain(..).for_each(Fifo::leave);
        });
        let daemon = match started {
            Ok(daemon) => daemon,
            Err(error) => {
                tracing::error!("VRRP child process: fork error({error})");
                self.respawn_at = Some(clock::now() + self.backoff.after(Micros::ZERO));
                return;
            }
        };
        self.death = None;
        tracing::info!("Starting VRRP child process, pid={}", daemon.pid);
        self.write_vrrp_file(daemon.pid);
        if let Some(own) = &self.own {
            if let Err(error) = own.epoll.add(&daemon.channel, CHANNEL, Interest::Readable) {
                tracing::error!("cannot listen to the VRRP process: {error}");
            }
        }
        self.watch = Watch {
            count: 0,
            moved_at: daemon.started,
            looked_at: daemon.started,
        };
        self.daemon = Some(daemon);
    }

    fn kill_daemon(&self) {
        if let Some(daemon) = &self.daemon {
            daemon.kill();
        }
    }

    fn on_daemon_end(&mut self, end: sys::End) {
        // What it said before it died counts, the guard's list above all.
        while self.read_message() {}
        let next_comes = self.stopping.is_none() && self.options.respawn && permanent(end).is_none();
        self.guard_addresses(next_comes);
        let Some(daemon) = self.daemon.take() else { return };
        self.observers.stop();
        if self.stopping.is_none() {
            self.programs.abandon();
        }
        log_end(daemon.pid, end);
        self.death = Some(format!("process {} {}", daemon.pid, describe(end)));
        self.daemon_left_reload();
        if let Some(stopping) = &self.stopping {
            self.exit = Some(stopping.status);
            return;
        }
        if let Some((status, reason)) = permanent(end) {
            tracing::info!("pid {} exited with permanent error {reason}. Terminating", daemon.pid);
            let errno = if status == exit::CONFIG {
                libc::EINVAL
            } else {
                libc::EPERM
            };
            self.manager.failed(errno);
            self.begin_stop(status);
            return;
        }
        if !self.options.respawn {
            tracing::error!(alert = true, "VRRP child process({}) died: Exiting", daemon.pid);
            self.begin_stop(exit::OK);
            return;
        }
        tracing::error!(alert = true, "VRRP child process({}) died: Respawning", daemon.pid);
        let wait = self.backoff.after(clock::now().since(daemon.started));
        let seconds = wait.as_millis() / 1000;
        tracing::error!(
            alert = true,
            "Restart of VRRP process delayed {seconds} seconds to limit respawn rate"
        );
        self.respawn_at = Some(clock::now() + wait);
    }

    /// Removes what the dead daemon has left; static addresses stay for the next one.
    fn guard_addresses(&mut self, next_comes: bool) {
        if self.options.keep_addresses {
            self.guard.clear();
        }
        let stays = if next_comes { self.brief.statics.as_slice() } else { &[] };
        self.guard.clean_up(stays);
    }

    /// Kills a daemon whose engine stands still.
    fn watch_heartbeat(&mut self, now: Instant) {
        let limit = self.brief.heartbeat_limit;
        let Some(daemon) = self.daemon.as_ref().filter(|daemon| daemon.watched) else {
            return;
        };
        let count = daemon.heartbeat.count();
        // If we did not run ourselves, its silence means nothing.
        let we_slept = now.since(self.watch.looked_at) > Micros(limit.0 / 2);
        if count != self.watch.count || we_slept || !daemon.ready {
            self.watch.count = count;
            self.watch.moved_at = now;
        }
        self.watch.looked_at = now;
        if now.since(self.watch.moved_at) >= limit {
            tracing::error!(
                alert = true,
                "VRRP child process({}) stands still: killing it",
                daemon.pid
            );
            self.watch.moved_at = now;
            daemon.kill();
        }
    }

    // ---- the end ----

    /// Whether the stop has begun.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Begins the stop, which ends with this exit status.
    fn begin_stop(&mut self, status: i32) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("Stopping");
        self.manager.stopping();
        if let Some(own) = &self.own {
            own.main_file.announce_cleaning();
            own.vrrp_file.iter().for_each(PidFile::announce_cleaning);
        }
        self.reload.cancel();
        self.schedule.stop();
        self.respawn_at = None;
        self.stopping = Some(Stopping {
            kill_at: clock::now() + STOP_LIMIT,
            status,
        });
        if self.daemon.is_some() {
            self.tell(&ToDaemon::Stop);
        } else {
            self.exit = Some(status);
        }
    }

    /// Ends programs, runs the shutdown script, deletes the pid files.
    fn clean_up(&mut self, events: &mut Events) -> io::Result<()> {
        self.guard_addresses(false);
        // Readers of FIFOs come to the end of what was written; they may see it before they are asked to leave.
        self.fifos.clear();
        self.wait_for_programs(events, Programs::has_readers)?;
        self.programs.kill_all(false);
        self.wait_for_programs(events, |programs| programs.running() > 0)?;
        self.programs.kill_all(true);
        self.remove_vrrp_file();
        self.once = None;
        self.start_once(When::Shutdown);
        while self.once.is_some() {
            self.wait(events)?;
            self.read_signals()?;
            self.run_once_deadline(clock::now());
        }
        if let Some(own) = self.own.take() {
            own.main_file.remove();
        }
        self.paths.remove_directory();
        Ok(())
    }

    /// A moment for programs to end by themselves.
    fn wait_for_programs(&mut self, events: &mut Events, wait: impl Fn(&Programs) -> bool) -> io::Result<()> {
        let give_up = clock::now() + PROGRAM_LIMIT;
        while wait(&self.programs) && clock::now() < give_up {
            if let Some(own) = &self.own {
                own.epoll.wait(events, Some(give_up.since(clock::now()).to_std()))?;
            }
            self.read_signals()?;
        }
        Ok(())
    }

    fn write_vrrp_file(&mut self, pid: i32) {
        let Some(own) = &mut self.own else { return };
        if own.vrrp_file.is_none() {
            match PidFile::lock(&self.paths.vrrp) {
                Ok(file) => own.vrrp_file = Some(file),
                Err(error) => return report_pid_file(Err(error)),
            }
        }
        if let Some(file) = &mut own.vrrp_file {
            report_pid_file(file.write(pid));
        }
    }

    fn remove_vrrp_file(&mut self) {
        if let Some(file) = self.own.as_mut().and_then(|own| own.vrrp_file.take()) {
            file.remove();
        }
    }
}

fn report_pid_file(result: Result<(), LockError>) {
    match result {
        Ok(()) => {}
        Err(LockError::Taken { .. }) => tracing::warn!("somebody else has taken our pid file"),
        Err(LockError::Io(error)) => tracing::warn!("cannot write the pid file: {error}"),
    }
}

/// Exit statuses of the daemon that starting it again would not heal, with keepalived's word.
fn permanent(end: sys::End) -> Option<(i32, &'static str)> {
    match end {
        sys::End::Exited(status @ exit::FATAL) => Some((status, "FATAL")),
        sys::End::Exited(status @ exit::CONFIG) => Some((status, "CONFIG")),
        sys::End::Exited(status @ exit::MISSING_PERMISSION) => Some((status, "missing permission")),
        sys::End::Exited(_) | sys::End::Signaled(_) => None,
    }
}

fn log_end(pid: i32, end: sys::End) {
    if end != sys::End::Exited(0) {
        tracing::info!("pid {pid} {}", describe(end));
    }
}

fn describe(end: sys::End) -> String {
    match end {
        sys::End::Exited(status) => format!("exited with status {status}"),
        sys::End::Signaled(signal) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or("?", nix::sys::signal::Signal::as_str);
            format!("exited due to signal {signal} ({name})")
        }
    }
}
