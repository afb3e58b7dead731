//! `vrrp_track_process`: how many processes of a name run, against a quorum (behaviour §5.3).

use super::News;
use crate::model::{Instant, Micros, TrackedProcess};
use crate::proto::action::Action;
use crate::proto::event::{ProcessChange, ProcessWatch};
use crate::proto::log_event::{LogEvent, ProcessLine};
use crate::proto::mutant::{Mutant, Mutation};
use crate::proto::reason::TrackerKind;
use crate::proto::snapshot::{Activity, Problem, Severity, TrackerSnapshot, TrackerStatus};
use crate::proto::timer::Timer;
use std::collections::{BTreeSet, VecDeque};

/// Processes that are told apart, at most: more than any quorum can ask for (65,535).
const MOST: usize = 1 << 16;

/// One tracked process and those of its name that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proto) struct ProcessTracker {
    pub(in crate::proto) process: TrackedProcess,
    pub(in crate::proto) status: TrackerStatus,
    running: BTreeSet<u32>,
    /// Everything that ran at the beginning has been told.
    told: bool,
    /// When a change counts that has to last, and which.
    due: Option<(Instant, ProcessChange)>,
    watch: Option<ProcessWatch>,
    /// `/proc` hides from the observer what others run.
    hidden: bool,
    since: Option<Instant>,
}

impl ProcessTracker {
    pub(in crate::proto) fn new(process: TrackedProcess) -> Self {
        Self {
            process,
            status: TrackerStatus::Pending,
            running: BTreeSet::new(),
            told: false,
            due: None,
            watch: None,
            hidden: false,
            since: None,
        }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.running.len()).unwrap_or(u32::MAX)
    }

    /// Whether as many run as should.
    fn has_quorum(&self, mutation: Mutation) -> bool {
        let enough = self.count() >= self.process.quorum;
        let too_many = self.process.quorum_max.is_some_and(|max| self.count() > max);
        enough && (!too_many || mutation.is(Mutant::QuorumMaxIgnored))
    }

    /// The observer begins anew: what it found before counts no more, the condition stays until it has told everything, and a
    /// change that has to last goes on lasting.
    pub(super) fn begin(&mut self, watch: ProcessWatch, hidden: bool) {
        self.running.clear();
        self.told = false;
        self.watch = Some(watch);
        self.hidden = hidden;
    }

    /// The observer has told everything that runs; nothing of that is a change that would have to last, unless one was known
    /// before.
    pub(super) fn on_all_told(&mut self, now: Instant, mutation: Mutation, out: &mut VecDeque<Action>) -> News {
        self.told = true;
        let changed = self.has_quorum(mutation) != (self.status == TrackerStatus::Up);
        if changed && self.due.is_some() && !mutation.is(Mutant::ProcessDelayForgotten) {
            return News::None;
        }
        self.settle(now, mutation, out)
    }

    pub(super) fn on_change(
        &mut self,
        pid: u32,
        change: ProcessChange,
        now: Instant,
        mutation: Mutation,
        out: &mut VecDeque<Action>,
    ) -> News {
        let from = self.count();
        match change {
            ProcessChange::Forked | ProcessChange::Became if self.running.len() < MOST => {
                self.running.insert(pid);
            }
            ProcessChange::Forked | ProcessChange::Became => {}
            ProcessChange::Ended | ProcessChange::Ceased => {
                self.running.remove(&pid);
            }
        }
        if !self.told || from == self.count() {
            return News::None;
        }
        let quorum = self.has_quorum(mutation);
        if quorum == (self.status == TrackerStatus::Up) {
            // Back within the delay: nothing has happened.
            self.due = None;
            return News::None;
        }
        let delay = match change {
            ProcessChange::Forked => self.process.fork_delay,
            ProcessChange::Ended => self.process.terminate_delay,
            ProcessChange::Became | ProcessChange::Ceased => Micros::ZERO,
        };
        if delay == Micros::ZERO || mutation.is(Mutant::ProcessDelayIgnored) {
            return self.settle(now, mutation, out);
        }
        if mutation.is(Mutant::ProcessDelayRestarts) {
            self.due = None;
        }
        self.due.get_or_insert((now + delay, change));
        News::None
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        self.due.map(|(at, _)| (at, Timer::ProcessDelay))
    }

    pub(super) fn on_timeout(&mut self, now: Instant, mutation: Mutation, out: &mut VecDeque<Action>) -> News {
        if self.due.take_if(|(due, _)| *due <= now).is_some() && self.told {
            self.settle(now, mutation, out)
        } else {
            News::None
        }
    }

    pub(super) fn stop(&mut self) {
        self.due = None;
    }

    /// What runs now counts now.
    fn settle(&mut self, now: Instant, mutation: Mutation, out: &mut VecDeque<Action>) -> News {
        self.due = None;
        let quorum = self.has_quorum(mutation);
        let status = if quorum { TrackerStatus::Up } else { TrackerStatus::Down };
        if status == self.status {
            return News::None;
        }
        if self.status != TrackerStatus::Pending {
            out.push_back(self.log(ProcessLine::Quorum { gained: quorum }));
        }
        self.status = status;
        self.since = Some(now);
        if quorum { News::Up } else { News::Down }
    }

    fn log(&self, line: ProcessLine) -> Action {
        Action::Log(LogEvent::Process {
            name: self.process.name.clone(),
            line,
        })
    }

    /// How many run and how many should, in words.
    pub(super) fn describe(&self) -> String {
        let TrackedProcess { process, quorum, .. } = &self.process;
        let count = self.count();
        match self.process.quorum_max {
            Some(0) => format!("{count} {process} running, none may"),
            Some(max) => format!("{count} {process} running, {quorum} to {max} should"),
            None => format!("{count} {process} running, at least {quorum} should"),
        }
    }

    /// Processes that nobody can count.
    pub(super) fn problem(&self) -> Option<Problem> {
        self.hidden.then(|| Problem {
            severity: Severity::Warning,
            code: "processes-hidden".into(),
            instance: None,
            subject: Some(self.process.name.to_string()),
            text: format!(
                "track_process {}: /proc is mounted with hidepid and CAP_SYS_PTRACE is missing, so only processes of the daemon's own user are seen. Give it the capability, or name its group in the mount option gid",
                self.process.name
            )
            .into(),
        })
    }

    pub(super) fn snapshot(&self) -> TrackerSnapshot {
        TrackerSnapshot {
            kind: TrackerKind::Process,
            name: self.process.name.clone(),
            status: self.status,
            last_exit: None,
            last_run: None,
            since: self.since,
            result: 0,
            activity: Activity::Idle,
            value: self.told.then(|| i64::from(self.count())),
            watch: self.watch,
            delayed: self.due.map(|(_, change)| change),
            detail: self.told.then(|| self.describe()),
        }
    }

    pub(super) fn is_same(&self, old: &Self) -> bool {
        let (new, old) = (&self.process, &old.process);
        new.process == old.process
            && new.parameters == old.parameters
            && new.param_match == old.param_match
            && new.full_command == old.full_command
    }

    /// Its condition stays until everything that runs has been told again.
    pub(super) fn inherit(&mut self, old: Self) {
        self.status = old.status;
        self.since = old.since;
        self.watch = old.watch;
        self.hidden = old.hidden;
        // The observer may go on with what it has told; until it begins anew that stays true.
        self.running = old.running;
        self.told = old.told;
        // A change that has to last goes on lasting.
        self.due = old.due;
    }

    pub(super) fn remember(&mut self, status: TrackerStatus) {
        self.status = status;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weight;

    const SECOND: u64 = 1_000_000;

    fn tracker(quorum: u32, quorum_max: Option<u32>, fork: u64, terminate: u64) -> ProcessTracker {
        ProcessTracker::new(TrackedProcess {
            name: "p".into(),
            process: "haproxy".into(),
            parameters: Vec::new(),
            param_match: None,
            weight: Weight::ZERO,
            quorum,
            quorum_max,
            fork_delay: Micros::from_secs(fork),
            terminate_delay: Micros::from_secs(terminate),
            full_command: false,
        })
    }

    /// `f` a fork, `x` an exec, `e` the end of the newest, `c` its new name, a digit: so many seconds pass.
    /// After each step `U`, `D` or `.` for the news.
    fn play(tracker: &mut ProcessTracker, steps: &str) -> String {
        let (mut out, mut now, mut pid) = (VecDeque::new(), Instant(0), 0);
        let mutation = Mutation::default();
        tracker.begin(ProcessWatch::Connector, false);
        tracker.on_all_told(now, mutation, &mut out);
        let mut told = String::new();
        for step in steps.chars() {
            let change = match step {
                'f' => ProcessChange::Forked,
                'x' => ProcessChange::Became,
                'e' => ProcessChange::Ended,
                'c' => ProcessChange::Ceased,
                _ => {
                    now += Micros::from_secs(u64::from(step.to_digit(10).unwrap()));
                    told.push(letter(tracker.on_timeout(now, mutation, &mut out)));
                    continue;
                }
            };
            if matches!(step, 'f' | 'x') {
                pid += 1;
            }
            told.push(letter(tracker.on_change(pid, change, now, mutation, &mut out)));
            if matches!(step, 'e' | 'c') {
                pid -= 1;
            }
        }
        told
    }

    fn letter(news: News) -> char {
        match news {
            News::Up => 'U',
            News::Down => 'D',
            News::Value | News::None => '.',
        }
    }

    #[test]
    fn the_quorum_and_the_delays_are_kept_as_the_specification_says() {
        // behaviour §5.3: up iff quorum <= count <= quorum_max; fork and exit wait and are cancelled by the opposite, exec and comm act at once.
        for (quorum, max, fork, terminate, steps, news) in [
            (1, None, 0, 0, "xe", "UD"),
            (2, None, 0, 0, "xxe", ".UD"),
            (1, Some(1), 0, 0, "xxe", "UDU"),
            (0, Some(0), 0, 0, "xe", "DU"),
            (1, None, 0, 3, "xe2", "U.."),
            (1, None, 0, 3, "xe3", "U.D"),
            (1, None, 0, 3, "xe2x3", "U...."),
            (1, None, 0, 3, "xe2x1e3", "U.....D"),
            (1, None, 3, 0, "f2", ".."),
            (1, None, 3, 0, "f3", ".U"),
            (1, None, 3, 0, "f2e3", "...."),
            (1, None, 3, 3, "xc", "UD"),
            (1, None, 3, 3, "x", "U"),
        ] {
            let mut tracker = tracker(quorum, max, fork, terminate);
            assert_eq!(
                play(&mut tracker, steps),
                news,
                "{quorum} {max:?} {fork} {terminate} {steps}"
            );
        }
    }

    #[test]
    fn what_was_told_twice_counts_once_and_a_new_beginning_keeps_the_condition() {
        let (mut out, mutation) = (VecDeque::new(), Mutation::default());
        let mut p = tracker(1, Some(1), 0, 0);
        assert_eq!(play(&mut p, "x"), "U");
        assert_eq!(
            p.on_change(1, ProcessChange::Forked, Instant(SECOND), mutation, &mut out),
            News::None
        );
        p.begin(ProcessWatch::Scan, false);
        assert_eq!(p.status, TrackerStatus::Up);
        assert_eq!(
            p.on_change(9, ProcessChange::Became, Instant(SECOND), mutation, &mut out),
            News::None
        );
        assert_eq!(p.on_all_told(Instant(SECOND), mutation, &mut out), News::None);
        p.begin(ProcessWatch::Scan, false);
        assert_eq!(p.on_all_told(Instant(SECOND), mutation, &mut out), News::Down);
    }
}
