//! `vrrp_script`: schedule, time-out, rise, fall and init_fail (behaviour §5.1).

use super::News;
use crate::model::{Instant, Micros, RunId, Script, ScriptId};
use crate::proto::action::{Action, KillSignal};
use crate::proto::event::RunOutcome;
use crate::proto::log_event::{LogEvent, ScriptLine};
use crate::proto::mutant::{Mutant, Mutation};
use crate::proto::reason::TrackerKind;
use crate::proto::snapshot::{Activity, TrackerSnapshot, TrackerStatus};
use crate::proto::timer::Timer;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// From SIGTERM to SIGKILL, and from SIGKILL to the complaint.
const KILL_GRACE: Micros = Micros::from_secs(2);
/// Between two attempts to kill what does not die.
const KILL_AGAIN: Micros = Micros::from_secs(10);

/// One script and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct ScriptTracker {
    pub(in crate::proto) script: Script,
    pub(in crate::proto) status: TrackerStatus,
    /// 0 to rise + fall - 1; up means at least `rise`.
    result: u32,
    running: Option<Running>,
    next_start: Option<Instant>,
    pub(in crate::proto) last_exit: Option<i32>,
    pub(in crate::proto) last_run: Option<Micros>,
    pub(in crate::proto) since: Option<Instant>,
    /// In words, for `why`.
    pub(in crate::proto) last_failure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    run: RunId,
    started: Instant,
    stage: Stage,
    deadline: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Working,
    Terminated,
    Killed,
}

impl ScriptTracker {
    pub(in crate::proto) fn new(script: Script) -> Self {
        let status = if script.init_fail {
            TrackerStatus::Down
        } else {
            TrackerStatus::Pending
        };
        let result = if script.init_fail {
            0
        } else {
            script.rise.saturating_sub(1)
        };
        Self {
            script,
            status,
            result,
            running: None,
            next_start: None,
            last_exit: None,
            last_run: None,
            since: None,
            last_failure: None,
        }
    }

    /// It came with a reload: it is taken for good until its first result, which decides (behaviour §11.4).
    pub(super) fn assume_good(&mut self) {
        if self.status == TrackerStatus::Pending {
            self.status = TrackerStatus::Up;
            self.result = self.script.rise;
        }
    }

    /// What its program is doing.
    fn activity(&self) -> Activity {
        match self.running.as_ref().map(|running| running.stage) {
            None => Activity::Idle,
            Some(Stage::Working) => Activity::Running,
            Some(Stage::Terminated) => Activity::Terminating,
            Some(Stage::Killed) => Activity::Killing,
        }
    }

    /// The run that has not ended.
    pub(in crate::proto) fn run(&self) -> Option<RunId> {
        self.running.as_ref().map(|running| running.run)
    }

    /// Runs at once, then every interval.
    pub(in crate::proto) fn start(&mut self, now: Instant) {
        self.next_start = Some(now);
    }

    /// Whether this is the same program, so that its condition survives a reload (behaviour §11.4).
    pub(in crate::proto) fn is_same_program(&self, other: &Script) -> bool {
        let mine = &self.script;
        mine.name == other.name && mine.argv == other.argv && mine.path == other.path && mine.user == other.user
    }

    /// Takes over from the same program under a former configuration (behaviour §11.4).
    pub(super) fn inherit(&mut self, old: Self, now: Instant, out: &mut VecDeque<Action>) {
        let script = std::mem::replace(self, old).script;
        // What it adds to a priority, and what it counts as at first, is nothing to the program.
        let mut run_alike = self.script.clone();
        (run_alike.weight, run_alike.init_fail) = (script.weight, script.init_fail);
        if run_alike == script {
            self.script = script;
            self.tell_carried_over(out);
        } else {
            self.adopt(script, out);
            self.start(now);
        }
    }

    /// For `status`.
    pub(super) fn snapshot(&self) -> TrackerSnapshot {
        TrackerSnapshot {
            kind: TrackerKind::Script,
            name: self.script.name.clone(),
            status: self.status,
            last_exit: self.last_exit,
            last_run: self.last_run,
            since: self.since,
            result: self.result,
            activity: self.activity(),
            value: None,
            watch: None,
            delayed: None,
            detail: self.last_failure.clone().filter(|_| self.status == TrackerStatus::Down),
        }
    }

    /// Says that its condition survives a reload, if there is one.
    fn tell_carried_over(&self, out: &mut VecDeque<Action>) {
        let up = match self.status {
            TrackerStatus::Up => true,
            TrackerStatus::Down => false,
            TrackerStatus::Pending => return,
        };
        out.push_back(log(&self.script, ScriptLine::CarriedOver { up }));
    }

    /// Takes new settings of the same program over.
    fn adopt(&mut self, script: Script, out: &mut VecDeque<Action>) {
        self.script = script;
        self.remember(self.status);
        self.tell_carried_over(out);
    }

    /// Goes on with the condition that a former process or configuration knew.
    pub(in crate::proto) fn remember(&mut self, status: TrackerStatus) {
        self.status = status;
        self.result = match status {
            TrackerStatus::Up => self.script.rise + self.script.fall - 1,
            TrackerStatus::Down => 0,
            // The first result decides, however many are needed later.
            TrackerStatus::Pending => self.script.rise.saturating_sub(1),
        };
    }

    pub(in crate::proto) fn owns(&self, run: RunId) -> bool {
        self.running.as_ref().is_some_and(|running| running.run == run)
    }

    pub(in crate::proto) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        let start = self.next_start.map(|at| (at, Timer::ScriptStart));
        let limit = self.running.as_ref().map(|r| (r.deadline, Timer::ScriptTimeout));
        start.into_iter().chain(limit).min()
    }

    /// Ends a run that is in the way of a stop.
    pub(in crate::proto) fn stop(&mut self, out: &mut VecDeque<Action>) {
        self.next_start = None;
        if let Some(running) = &self.running {
            out.push_back(Action::KillScript {
                run: running.run,
                signal: KillSignal::Terminate,
            });
        }
    }

    pub(in crate::proto) fn on_timeout(
        &mut self,
        id: ScriptId,
        now: Instant,
        next_run: &mut u64,
        mutation: Mutation,
        out: &mut VecDeque<Action>,
    ) {
        if let Some(slot) = self.next_start.filter(|slot| *slot <= now) {
            let slot = if mutation.is(Mutant::ScriptSlotDrifts) {
                now
            } else {
                slot
            };
            self.next_start = Some(next_slot(slot, self.script.interval, now));
            match &self.running {
                Some(running) => {
                    let timing_out = running.stage != Stage::Working;
                    out.push_back(log(&self.script, ScriptLine::StillRunning { timing_out }));
                }
                None => {
                    *next_run += 1;
                    let run = RunId(*next_run);
                    let deadline = now + self.script.limit();
                    self.running = Some(Running {
                        run,
                        started: now,
                        stage: Stage::Working,
                        deadline,
                    });
                    out.push_back(Action::RunScript { run, script: id });
                }
            }
        }
        let Some(running) = self.running.as_mut().filter(|r| r.deadline <= now) else {
            return;
        };
        let (stage, signal, wait) = match running.stage {
            Stage::Working => (Stage::Terminated, KillSignal::Terminate, KILL_GRACE),
            Stage::Terminated => (Stage::Killed, KillSignal::Kill, KILL_GRACE),
            Stage::Killed => {
                out.push_back(log(&self.script, ScriptLine::WillNotDie));
                (Stage::Killed, KillSignal::Kill, KILL_AGAIN)
            }
        };
        running.stage = stage;
        running.deadline = now + wait;
        out.push_back(Action::KillScript {
            run: running.run,
            signal,
        });
    }

    pub(in crate::proto) fn on_ended(
        &mut self,
        outcome: RunOutcome,
        now: Instant,
        mutation: Mutation,
        out: &mut VecDeque<Action>,
    ) -> News {
        let Some(running) = self.running.take() else {
            return News::None;
        };
        self.last_run = Some(now.since(running.started));
        let timed_out = running.stage != Stage::Working;
        let (good, line, words) = match outcome {
            RunOutcome::Exited(status) => {
                if self.last_exit.unwrap_or(0) != status {
                    out.push_back(log(&self.script, ScriptLine::NowReturning { status }));
                }
                self.last_exit = Some(status);
                (
                    status == 0,
                    ScriptLine::FailedStatus { status },
                    format!("exited with status {status}"),
                )
            }
            RunOutcome::Signaled(_) if timed_out => (false, ScriptLine::TimedOut, "timed out".into()),
            RunOutcome::Signaled(signal) => (
                false,
                ScriptLine::FailedSignal { signal },
                format!("ended by signal {signal}"),
            ),
            RunOutcome::NotStarted(errno) => (
                false,
                ScriptLine::CouldNotStart { errno },
                format!("could not be started, error {errno}"),
            ),
        };
        if good {
            self.succeed(now, mutation, out)
        } else {
            self.last_failure = Some(words);
            self.fail(line, now, mutation, out)
        }
    }

    fn succeed(&mut self, now: Instant, mutation: Mutation, out: &mut VecDeque<Action>) -> News {
        let (rise, top) = (self.script.rise, self.script.rise + self.script.fall - 1);
        let was_up = self.status == TrackerStatus::Up;
        if self.result + 1 < rise && !mutation.is(Mutant::RiseIgnored) {
            self.result += 1;
            return News::None;
        }
        self.result = top;
        if was_up {
            return News::None;
        }
        self.set(TrackerStatus::Up, now);
        out.push_back(log(&self.script, ScriptLine::Succeeded));
        News::Up
    }

    fn fail(&mut self, line: ScriptLine, now: Instant, mutation: Mutation, out: &mut VecDeque<Action>) -> News {
        let first = self.status == TrackerStatus::Pending;
        if self.result > self.script.rise && !first && !mutation.is(Mutant::FallIgnored) {
            self.result -= 1;
            return News::None;
        }
        self.result = 0;
        if self.status == TrackerStatus::Down {
            return News::None;
        }
        self.set(TrackerStatus::Down, now);
        out.push_back(log(&self.script, line));
        News::Down
    }

    fn set(&mut self, status: TrackerStatus, now: Instant) {
        self.status = status;
        self.since = Some(now);
    }
}

fn log(script: &Script, line: ScriptLine) -> Action {
    Action::Log(LogEvent::Script {
        name: script.name.clone(),
        line,
    })
}

/// The first slot of the grid after `now`: a late wake-up skips what it missed.
fn next_slot(slot: Instant, interval: Micros, now: Instant) -> Instant {
    let interval = interval.0.max(1);
    let missed = now.since(slot).0 / interval;
    slot + Micros(interval.saturating_mul(missed + 1))
}

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for the few actions that it is about"
)]
mod tests {
    use super::*;
    use crate::model::Weight;

    fn tracker(rise: u32, fall: u32, init_fail: bool) -> ScriptTracker {
        ScriptTracker::new(Script {
            name: "chk".into(),
            argv: vec!["/bin/true".into()],
            path: Some("/bin/true".into()),
            user: None,
            interval: Micros::from_secs(2),
            timeout: Some(Micros::from_secs(1)),
            weight: Weight::ZERO,
            rise,
            fall,
            init_fail,
            account: None,
            opens: None,
            insecure: false,
        })
    }

    /// Feeds results (`+` good, `-` bad) and writes the news (`U`, `D` or `.`).
    fn feed(tracker: &mut ScriptTracker, results: &str) -> String {
        let (mut out, mut runs) = (VecDeque::new(), 0);
        let mut now = Instant(0);
        tracker.start(now);
        let mut news = String::new();
        for result in results.chars() {
            tracker.on_timeout(ScriptId(0), now, &mut runs, Mutation::default(), &mut out);
            let status = i32::from(result != '+');
            news.push(
                match tracker.on_ended(RunOutcome::Exited(status), now, Mutation::default(), &mut out) {
                    News::Up => 'U',
                    News::Down => 'D',
                    News::Value | News::None => '.',
                },
            );
            now += Micros::from_secs(2);
        }
        news
    }

    #[test]
    fn results_are_counted_as_the_specification_says() {
        // behaviour §5.1 "Counter": first result decides; then `rise` in a row up, `fall` in a row down; an opposite one resets.
        for (rise, fall, init_fail, results, news) in [
            (1, 1, false, "+-+", "UDU"),
            (3, 2, false, "+", "U"),
            (3, 2, false, "-", "D"),
            (3, 2, false, "-+++", "D..U"),
            (3, 2, false, "-++-+++", "D.....U"),
            (3, 2, false, "+--", "U.D"),
            (1, 3, false, "+--+---", "U.....D"),
            (2, 1, true, "+-++", "...U"),
            (1, 1, true, "+", "U"),
            (1, 1, true, "-", "."),
        ] {
            assert_eq!(
                feed(&mut tracker(rise, fall, init_fail), results),
                news,
                "rise {rise} fall {fall} {results}"
            );
        }
    }

    #[test]
    fn a_script_that_ignores_sigterm_is_killed_and_counts_one_failure() {
        let (mut out, mut runs) = (VecDeque::new(), 0);
        let mut chk = tracker(1, 1, false);
        chk.start(Instant(0));
        let mut seen = Vec::new();
        for second in 0..=5 {
            chk.on_timeout(
                ScriptId(0),
                Instant(second * 1_000_000),
                &mut runs,
                Mutation::default(),
                &mut out,
            );
            seen.extend(out.drain(..).map(|action| match action {
                Action::RunScript { .. } => (second, "run"),
                Action::KillScript {
                    signal: KillSignal::Terminate,
                    ..
                } => (second, "term"),
                Action::KillScript {
                    signal: KillSignal::Kill,
                    ..
                } => (second, "kill"),
                Action::Log(LogEvent::Script {
                    line: ScriptLine::StillRunning { .. },
                    ..
                }) => (second, "skip"),
                Action::Log(LogEvent::Script {
                    line: ScriptLine::WillNotDie,
                    ..
                }) => (second, "complain"),
                other => panic!("{other:?}"),
            }));
        }
        let expected = [
            (0, "run"),
            (1, "term"),
            (2, "skip"),
            (3, "kill"),
            (4, "skip"),
            (5, "complain"),
            (5, "kill"),
        ];
        assert_eq!(seen, expected);
        let ended = chk.on_ended(
            RunOutcome::Signaled(9),
            Instant(5_100_000),
            Mutation::default(),
            &mut out,
        );
        assert_eq!(ended, News::Down);
        assert!(matches!(
            out.pop_front(),
            Some(Action::Log(LogEvent::Script {
                line: ScriptLine::TimedOut,
                ..
            }))
        ));
    }

    #[test]
    fn a_program_that_cannot_be_started_is_a_failure_and_never_a_success() {
        let (mut out, mut runs) = (VecDeque::new(), 0);
        let mut chk = tracker(1, 1, false);
        chk.start(Instant(0));
        chk.on_timeout(ScriptId(0), Instant(0), &mut runs, Mutation::default(), &mut out);
        assert_eq!(
            chk.on_ended(RunOutcome::NotStarted(2), Instant(1), Mutation::default(), &mut out),
            News::Down
        );
    }
}
