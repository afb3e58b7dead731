//! Reload: read, judge, then hand over, all or nothing. A configuration that cannot run changes nothing.

use super::SendError;
use super::client::Sent;
use super::loader::{Loader, Usable, Verdict};
use super::message::ToDaemon;
use super::supervise::Supervisor;
use crate::model::Instant;
use crate::sys;
use nix::sys::stat::{Mode, umask};

/// Bytes of problem texts that the daemon is told; the log has all of them.
const MAX_PROBLEM_BYTES: usize = 32 << 10;

/// How far a reload has come.
#[derive(Debug, Default)]
enum Stage {
    /// None is under way.
    #[default]
    Idle,
    /// The files are being read.
    Reading(Loader),
    /// The daemon has the configuration of this generation and has not finished.
    Applying(u32),
}

/// The reload under way, and whether another one is wanted after it.
#[derive(Debug, Default)]
pub(super) struct Reload {
    stage: Stage,
    queued: bool,
}

impl Reload {
    /// When [`Self::run_deadline`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Reading(loader) => Some(loader.deadline()),
            Stage::Idle | Stage::Applying(_) => None,
        }
    }

    /// Gives a reading up that takes too long.
    pub(super) fn run_deadline(&mut self, now: Instant) {
        if let Stage::Reading(loader) = &mut self.stage {
            if now >= loader.deadline() {
                loader.kill();
                loader.postpone(now);
            }
        }
    }

    /// The verdict, if the dead child was the reading.
    pub(super) fn take_verdict(&mut self, dead: sys::Dead) -> Option<Verdict> {
        match std::mem::take(&mut self.stage) {
            Stage::Reading(loader) if loader.pid == dead.pid => Some(loader.finish(dead.end)),
            other @ (Stage::Idle | Stage::Reading(_) | Stage::Applying(_)) => {
                self.stage = other;
                None
            }
        }
    }

    /// Ends a reading: everything stops.
    pub(super) fn cancel(&mut self) {
        if let Stage::Reading(loader) = std::mem::take(&mut self.stage) {
            loader.kill();
        }
        self.queued = false;
    }

    /// The daemon that was to apply a configuration is dead; the next one starts with it.
    pub(super) fn daemon_died(&mut self) {
        if matches!(self.stage, Stage::Applying(_)) {
            self.stage = Stage::Idle;
        }
    }
}

impl Supervisor {
    /// SIGHUP, or somebody asked the daemon.
    pub(super) fn request_reload(&mut self) {
        if self.is_stopping() {
            return;
        }
        if !matches!(self.reload.stage, Stage::Idle) {
            tracing::info!(detail = true, "Reload already in progress, request queued");
            self.reload.queued = true;
            return;
        }
        tracing::info!("Reloading ...");
        tracing::info!("Opening file '{}'.", self.options.config);
        self.manager.reloading();
        if self.brief.reload.check_log.is_some() {
            tracing::info!(detail = true, "validate conf before Reload");
        }
        let (generation, files) = (self.brief.generation + 1, self.brief.reload.clone());
        match Loader::start(&self.options, generation, self.parts.read, files) {
            Ok(loader) => self.reload.stage = Stage::Reading(loader),
            Err(error) => self.refuse(vec![format!(
                "cannot start a process that reads the configuration: {error}"
            )]),
        }
    }

    /// The new configuration has been read.
    pub(super) fn on_verdict(&mut self, verdict: Verdict) {
        for problem in &verdict.problems {
            tracing::info!("{problem}");
        }
        let mut problems = verdict.problems;
        if let Some(log) = self
            .brief
            .reload
            .check_log
            .as_ref()
            .filter(|_| verdict.test_status != 0)
        {
            let problem = format!("New config failed validation, see {log} for details");
            tracing::info!("{problem}");
            problems.push(problem);
            return self.refuse(problems);
        }
        match verdict.usable {
            Err(_) => self.refuse(problems),
            Ok(usable) => match self.unchangeable(&usable) {
                Some(problem) => {
                    tracing::info!("{problem}");
                    problems.push(problem);
                    self.refuse(problems);
                }
                None => self.put_in_force(usable),
            },
        }
    }

    /// What a reload must not change, in keepalived's words.
    fn unchangeable(&self, new: &Usable) -> Option<String> {
        let product = self.options.called_as.product();
        let namespace_counts = self.options.namespace.is_none();
        if namespace_counts && new.brief.namespace != self.brief.namespace {
            return Some(format!(
                "Cannot change network namespace at a reload - please restart {product}"
            ));
        }
        if new.brief.instance_name != self.brief.instance_name {
            return Some(format!(
                "Cannot change instance name at a reload - please restart {product}"
            ));
        }
        None
    }

    /// Whether the daemon has taken everything that it was told.
    fn daemon_listens(&mut self) -> bool {
        let flushed = self.daemon.as_mut().map(|daemon| daemon.channel.sender.flush());
        flushed.is_none_or(|flushed| matches!(flushed, Ok(Sent::Now)))
    }

    fn put_in_force(&mut self, new: Usable) {
        if !self.daemon_listens() {
            let problem = "cannot hand the configuration over: the VRRP process does not read";
            return self.refuse(vec![problem.to_owned()]);
        }
        tracing::info!("Configuration file {}", self.options.config);
        let generation = new.brief.generation;
        self.programs.learn(generation, &new.brief.programs);
        let old = std::mem::replace(&mut self.brief, new.brief);
        let before = std::mem::replace(&mut self.config, new.file);
        if self.daemon.is_some() {
            self.open_fifos();
            if let Err(error) = self.hand_over(generation) {
                self.config = before;
                self.brief = old;
                // The readers wait at the FIFOs of the configuration that stays.
                self.open_fifos();
                if let Err(error) = self.hand_fifos_over() {
                    tracing::warn!("the VRRP process gets no notify FIFOs: {error}");
                }
                return self.refuse(vec![format!("cannot hand the configuration over: {error}")]);
            }
            self.reload.stage = Stage::Applying(generation);
        }
        let mask = self.umask();
        umask(Mode::from_bits_truncate(mask));
        self.programs.set_umask(mask);
        if self.daemon.is_none() {
            self.finish_reload();
            if self.has_work() && !self.start_is_due() {
                self.start_daemon();
            }
        }
    }

    /// The FIFOs first: the news of the reload itself belong into the new ones.
    fn hand_over(&mut self, generation: u32) -> Result<(), SendError> {
        let observer = self.start_observers(false);
        self.hand_fifos_over()?;
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let sender = &mut daemon.channel.sender;
        sender.send(&ToDaemon::CloseObserver)?;
        if let Some(observer) = observer {
            sender.send_with(&ToDaemon::Observer { generation }, &observer)?;
        }
        sender.send_with(&ToDaemon::Reload { generation }, &self.config)
    }

    fn hand_fifos_over(&mut self) -> Result<(), SendError> {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let sender = &mut daemon.channel.sender;
        sender.send(&ToDaemon::CloseFifos)?;
        for fifo in &self.fifos {
            sender.send_with(&ToDaemon::Fifo(fifo.kind), &fifo.file)?;
        }
        Ok(())
    }

    /// The daemon works with the configuration of this generation.
    pub(super) fn on_reload_done(&mut self, generation: u32) {
        if matches!(self.reload.stage, Stage::Applying(awaited) if awaited == generation) {
            self.reload.stage = Stage::Idle;
            self.finish_reload();
            self.run_queued();
        }
    }

    fn finish_reload(&mut self) {
        // What left with the reload has still something to be told by its own programs.
        self.programs.forget_before(self.brief.generation.saturating_sub(1));
        tracing::info!("Reload complete");
        self.tell_ready();
    }

    /// Nothing changes; everybody who asked is told.
    fn refuse(&mut self, mut problems: Vec<String>) {
        tracing::error!("The new configuration is not used: the one read before stays in force");
        let mut room = MAX_PROBLEM_BYTES;
        problems.retain(|problem| {
            let fits = problem.len() <= room;
            room = room.saturating_sub(problem.len());
            fits
        });
        self.tell(&ToDaemon::ReloadRefused { problems });
        self.tell_ready();
        self.run_queued();
    }

    fn run_queued(&mut self) {
        if std::mem::take(&mut self.reload.queued) {
            tracing::info!(detail = true, "Processing queued reload");
            self.request_reload();
        }
    }
}
