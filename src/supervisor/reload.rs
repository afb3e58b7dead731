//! Reload: read, judge, then hand over, all or nothing. A configuration that cannot run changes nothing.
//!
//! One reading at a time. What is asked for meanwhile waits, and however often it is asked for, it is done once. Who asked over
//! the control socket gets the verdict on a reading that began after the question.

use super::SendError;
use super::client::Sent;
use super::loader::{Before, Brief, Loader, ReloadFiles, Usable, Verdict};
use super::message::ToDaemon;
use super::report::unchangeable;
use super::supervise::Supervisor;
use crate::model::Instant;
use crate::sys;
use nix::sys::stat::{Mode, umask};
use std::fs::File;

/// Bytes of problem texts that the daemon is told; the log has all of them.
const MAX_PROBLEM_BYTES: usize = 32 << 10;
/// Who may wait for a verdict at one time; the control socket has fewer clients.
const MAX_ASKS: usize = 64;

/// How far a reload has come.
#[derive(Debug, Default)]
enum Stage {
    /// None is under way.
    #[default]
    Idle,
    /// The files are being read.
    Reading(Loader, Purpose),
    /// The daemon has a configuration and has not finished.
    Applying(Box<Applying>),
}

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reload,
    /// Only to tell what a reload would do.
    DryRun,
}

/// A configuration that was handed over.
#[derive(Debug)]
struct Applying {
    generation: u32,
    /// What was in force before, should the daemon not be able to take it.
    before: (Brief, File),
    report: Option<File>,
}

/// The reload under way, and whether another one is wanted after it.
#[derive(Debug, Default)]
pub(super) struct Reload {
    stage: Stage,
    /// Who waits for what is under way.
    asks: Vec<u64>,
    queued: bool,
    /// Who waits for the queued one.
    queued_asks: Vec<u64>,
    /// Who wants to know what a reload would do.
    dry_runs: Vec<u64>,
}

impl Reload {
    /// When [`Self::run_deadline`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Reading(loader, _) => Some(loader.deadline()),
            Stage::Idle | Stage::Applying(_) => None,
        }
    }

    /// Gives a reading up that takes too long.
    pub(super) fn run_deadline(&mut self, now: Instant) {
        if let Stage::Reading(loader, _) = &mut self.stage {
            if now >= loader.deadline() {
                loader.kill();
                loader.postpone(now);
            }
        }
    }

    /// The verdict, if the dead child was the reading, and what the reading was for.
    fn take_verdict(&mut self, dead: sys::Dead) -> Option<(Verdict, Purpose)> {
        match std::mem::take(&mut self.stage) {
            Stage::Reading(loader, purpose) if loader.pid == dead.pid => Some((loader.finish(dead.end), purpose)),
            other @ (Stage::Idle | Stage::Reading(..) | Stage::Applying(_)) => {
                self.stage = other;
                None
            }
        }
    }

    /// Ends a reading: everything stops.
    pub(super) fn cancel(&mut self) {
        if let Stage::Reading(loader, _) = std::mem::take(&mut self.stage) {
            loader.kill();
        }
        self.queued = false;
    }

    fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    fn waiting(&self) -> usize {
        self.asks.len() + self.queued_asks.len() + self.dry_runs.len()
    }
}

impl Supervisor {
    /// SIGHUP, or the time of `reload_time_file`.
    pub(super) fn request_reload(&mut self) {
        if self.is_stopping() {
            return;
        }
        if self.reload.is_idle() {
            return self.begin_reading(Purpose::Reload);
        }
        tracing::info!(detail = true, "Reload already in progress, request queued");
        self.reload.queued = true;
    }

    /// Somebody asked over the control socket.
    pub(super) fn answer_reload(&mut self, ask: u64, dry_run: bool) {
        if self.is_stopping() || self.reload.waiting() >= MAX_ASKS {
            let why = "the daemon stops, or too many wait for a verdict already".to_owned();
            return self.tell_verdict(&[ask], &[why], None);
        }
        match (dry_run, self.reload.is_idle()) {
            (true, _) => {
                self.reload.dry_runs.push(ask);
                self.run_queued();
            }
            (false, true) => {
                self.reload.asks.push(ask);
                self.request_reload();
            }
            (false, false) => {
                self.reload.queued_asks.push(ask);
                self.request_reload();
            }
        }
    }

    fn begin_reading(&mut self, purpose: Purpose) {
        let files = match purpose {
            Purpose::Reload => {
                tracing::info!("Reloading ...");
                tracing::info!("Opening file '{}'.", self.options.config);
                self.manager.reloading();
                if self.brief.reload.check_log.is_some() {
                    tracing::info!(detail = true, "validate conf before Reload");
                }
                self.brief.reload.clone()
            }
            // It leaves no trace.
            Purpose::DryRun => ReloadFiles::default(),
        };
        let before = Before {
            started_with: &self.started_with,
            in_force: Some(&self.config).filter(|_| !self.reload.asks.is_empty()),
        };
        let generation = self.brief.generation + 1;
        match Loader::start(&self.options, generation, self.parts.read, files, Some(before)) {
            Ok(loader) => self.reload.stage = Stage::Reading(loader, purpose),
            Err(error) => {
                let problem = format!("cannot start a process that reads the configuration: {error}");
                match purpose {
                    Purpose::Reload => self.fail(problem, None),
                    Purpose::DryRun => self.finish(&[problem], None),
                }
            }
        }
    }

    /// Whether the dead child was the reading; then it goes on with what was read.
    pub(super) fn read(&mut self, dead: sys::Dead) -> bool {
        let Some((mut verdict, purpose)) = self.reload.take_verdict(dead) else {
            return false;
        };
        let report = verdict.report.take();
        match purpose {
            Purpose::DryRun => {
                let refused = match self.judge(verdict) {
                    Ok(usable) => {
                        self.foresee(&usable);
                        Vec::new()
                    }
                    Err(refused) => refused,
                };
                self.finish(&refused, report);
            }
            Purpose::Reload => {
                for problem in &verdict.problems {
                    tracing::info!("{problem}");
                }
                let (problems, waiting) = (verdict.problems.clone(), verdict.waiting.clone());
                match self.judge(verdict) {
                    Ok(usable) => {
                        for line in waiting {
                            tracing::warn!("{line}");
                        }
                        self.foresee(&usable);
                        self.put_in_force(usable, report);
                    }
                    Err(refused) => {
                        let more = refused.iter().filter(|line| !problems.contains(line));
                        for line in more {
                            tracing::info!("{line}");
                        }
                        self.refuse(refused, report);
                    }
                }
            }
        }
        true
    }

    /// What can be put in force, or every reason against it.
    fn judge(&self, verdict: Verdict) -> Result<Usable, Vec<String>> {
        let mut problems = verdict.problems;
        if let Some(log) = self
            .brief
            .reload
            .check_log
            .as_ref()
            .filter(|_| verdict.test_status != 0)
        {
            problems.push(format!("New config failed validation, see {log} for details"));
            return Err(problems);
        }
        let Ok(usable) = verdict.usable else {
            return Err(problems);
        };
        let fixed = unchangeable(
            &self.brief.global,
            &usable.brief.global,
            self.options.namespace.is_none(),
            self.options.called_as.product(),
        );
        if fixed.is_empty() {
            return Ok(usable);
        }
        problems.extend(fixed);
        Err(problems)
    }

    /// The daemon knows what is to be expected of it. Without that the verdict is told all the same.
    fn foresee(&mut self, usable: &Usable) {
        let asked = !self.reload.asks.is_empty();
        let Some(daemon) = self.daemon.as_mut().filter(|_| asked) else {
            return;
        };
        if let Err(error) = daemon.channel.sender.send_with(&ToDaemon::Foresee, &usable.file) {
            tracing::warn!("the VRRP process is not asked what a reload means: {error}");
        }
    }

    /// Whether the daemon has taken everything that it was told.
    fn daemon_listens(&mut self) -> bool {
        let flushed = self.daemon.as_mut().map(|daemon| daemon.channel.sender.flush());
        flushed.is_none_or(|flushed| matches!(flushed, Ok(Sent::Now)))
    }

    fn put_in_force(&mut self, new: Usable, report: Option<File>) {
        if !self.daemon_listens() {
            let problem = "cannot hand the configuration over: the VRRP process does not read";
            return self.fail(problem.to_owned(), report);
        }
        tracing::info!("Configuration file {}", self.options.config);
        let generation = new.brief.generation;
        self.programs.learn(generation, &new.brief.programs);
        let old = std::mem::replace(&mut self.brief, new.brief);
        let before = std::mem::replace(&mut self.config, new.file);
        let before = (old, before);
        self.follow_schedule();
        if self.daemon.is_none() {
            self.use_umask();
            self.finish_reload(report);
            if self.has_work() && !self.start_is_due() {
                self.start_daemon();
            }
            return;
        }
        self.open_fifos();
        if let Err(error) = self.hand_over(generation) {
            self.go_back(before);
            return self.fail(format!("cannot hand the configuration over: {error}"), report);
        }
        self.use_umask();
        self.reload.stage = Stage::Applying(Box::new(Applying {
            generation,
            before,
            report,
        }));
    }

    /// The configuration before counts again; the daemon has never left it.
    fn go_back(&mut self, (brief, config): (Brief, File)) {
        (self.brief, self.config) = (brief, config);
        self.follow_schedule();
        self.use_umask();
        // The readers wait at the FIFOs of the configuration that stays.
        self.open_fifos();
        if let Err(error) = self.hand_fifos_over() {
            tracing::warn!("the VRRP process gets no notify FIFOs: {error}");
        }
    }

    fn use_umask(&mut self) {
        let mask = self.umask();
        umask(Mode::from_bits_truncate(mask));
        self.programs.set_umask(mask);
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

    /// What is being applied, if it is this one; nothing is any more then.
    fn take_applying(&mut self, generation: u32) -> Option<Box<Applying>> {
        match std::mem::take(&mut self.reload.stage) {
            Stage::Applying(applying) if applying.generation == generation => Some(applying),
            other @ (Stage::Idle | Stage::Reading(..) | Stage::Applying(_)) => {
                self.reload.stage = other;
                None
            }
        }
    }

    /// The daemon works with the configuration of this generation.
    pub(super) fn on_reload_done(&mut self, generation: u32) {
        if let Some(applying) = self.take_applying(generation) {
            self.finish_reload(applying.report);
        }
    }

    /// The daemon cannot work with it.
    pub(super) fn on_reload_failed(&mut self, generation: u32, why: &str) {
        if let Some(applying) = self.take_applying(generation) {
            self.go_back(applying.before);
            self.observe_again();
            let problem = format!("the VRRP process cannot take the configuration: {why}");
            self.fail(problem, applying.report);
        }
    }

    /// The daemon is dead. If it was to apply a configuration, the next one starts with it; nobody waits for an answer any more.
    pub(super) fn daemon_left_reload(&mut self) {
        self.reload.asks.clear();
        self.reload.queued_asks.clear();
        self.reload.dry_runs.clear();
        if matches!(self.reload.stage, Stage::Applying(_)) {
            self.reload.stage = Stage::Idle;
            self.run_queued();
        }
    }

    fn finish_reload(&mut self, report: Option<File>) {
        // What left with the reload has still something to be told by its own programs.
        self.programs.forget_before(self.brief.generation.saturating_sub(1));
        tracing::info!("Reload complete");
        self.tell_ready();
        self.finish(&[], report);
    }

    /// It is not the configuration's fault.
    fn fail(&mut self, problem: String, report: Option<File>) {
        tracing::error!("{problem}");
        self.refuse(vec![problem], report);
    }

    /// Nothing changes; everybody who asked is told.
    fn refuse(&mut self, problems: Vec<String>, report: Option<File>) {
        tracing::error!("The new configuration is not used: the one read before stays in force");
        let problems = bounded(problems);
        self.tell(&ToDaemon::ReloadRefused {
            problems: problems.clone(),
        });
        self.tell_ready();
        self.finish(&problems, report);
    }

    /// Answers who waited, and goes on with what waits.
    fn finish(&mut self, refused: &[String], report: Option<File>) {
        let asks = std::mem::take(&mut self.reload.asks);
        self.tell_verdict(&asks, refused, report.as_ref());
        self.run_queued();
    }

    fn tell_verdict(&mut self, asks: &[u64], refused: &[String], report: Option<&File>) {
        for ask in asks {
            let message = ToDaemon::ReloadVerdict {
                ask: *ask,
                refused: bounded(refused.to_vec()),
            };
            let Some(daemon) = &mut self.daemon else { return };
            let told = report.map(|report| daemon.channel.sender.send_with(&message, report));
            if !matches!(told, Some(Ok(()))) {
                // Without the report rather than not at all.
                self.tell(&message);
            }
        }
    }

    fn run_queued(&mut self) {
        if !self.reload.is_idle() || self.is_stopping() {
            return;
        }
        if std::mem::take(&mut self.reload.queued) {
            tracing::info!(detail = true, "Processing queued reload");
            self.reload.asks = std::mem::take(&mut self.reload.queued_asks);
            self.begin_reading(Purpose::Reload);
        } else if !self.reload.dry_runs.is_empty() {
            self.reload.asks = std::mem::take(&mut self.reload.dry_runs);
            self.begin_reading(Purpose::DryRun);
        }
    }
}

/// As many problems as fit into a message.
fn bounded(mut problems: Vec<String>) -> Vec<String> {
    let mut room = MAX_PROBLEM_BYTES;
    problems.retain(|problem| {
        let fits = problem.len() <= room;
        room = room.saturating_sub(problem.len());
        fits
    });
    problems
}
