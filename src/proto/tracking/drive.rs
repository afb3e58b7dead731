//! How the core works its trackers: starts them, wakes them, tells them what was observed, and lets the instances know.

use super::{FileTracker, News, ProcessTracker, ScriptTracker, Tracker, TrackerId, tracked};
use crate::model::{Instant, Model, RunId, ScriptId};
use crate::proto::action::Action;
use crate::proto::deadlines::Owner;
use crate::proto::event::{Observation, RunOutcome};
use crate::proto::group::Shown;
use crate::proto::happening::Happening;
use crate::proto::instance::Instance;
use crate::proto::log_event::LogEvent;
use crate::proto::mutant::Mutant;
use crate::proto::snapshot::Problem;
use crate::proto::{Core, Life};

impl Core {
    /// Runs what is to be run at once.
    pub(in crate::proto) fn start_trackers(&mut self, now: Instant) {
        for position in 0..self.trackers.len() {
            let idle = match self.trackers.all.get_mut(position) {
                Some(Tracker::Script(script)) if script.next_deadline().is_none() => {
                    script.start(now);
                    true
                }
                Some(Tracker::Script(_) | Tracker::File(_) | Tracker::Process(_)) | None => false,
            };
            if idle {
                self.tracker_timeout(position, now);
            }
        }
    }

    pub(in crate::proto) fn stop_trackers(&mut self) {
        for tracker in &mut self.trackers.all {
            match tracker {
                Tracker::Script(script) => script.stop(&mut self.actions),
                Tracker::Process(process) => process.stop(),
                Tracker::File(_) => {}
            }
        }
        self.arm_trackers();
    }

    pub(in crate::proto) fn adopt_trackers(&mut self, model: &Model, now: Instant) {
        self.trackers.adopt(model, now, &mut self.actions);
        self.look_at_common_problems();
    }

    pub(in crate::proto) fn arm_trackers(&mut self) {
        for position in 0..self.trackers.len() {
            self.arm_tracker(position);
        }
    }

    fn arm_tracker(&mut self, position: usize) {
        let next = self.trackers.all.get(position).and_then(Tracker::next_deadline);
        self.deadlines.set(Owner::Tracker(position), next);
    }

    pub(in crate::proto) fn tracker_timeout(&mut self, position: usize, now: Instant) {
        let news = match self.trackers.all.get_mut(position) {
            Some(Tracker::Script(script)) => {
                if let Ok(id) = u32::try_from(position).map(ScriptId) {
                    script.on_timeout(id, now, &mut self.next_run, self.mutation, &mut self.actions);
                }
                News::None
            }
            Some(Tracker::Process(process)) => process.on_timeout(now, self.mutation, &mut self.actions),
            Some(Tracker::File(_)) | None => News::None,
        };
        self.arm_tracker(position);
        if let Some(id) = self.trackers.id_at(position) {
            self.spread(id, news, now);
        }
    }

    pub(in crate::proto) fn on_script_ended(&mut self, run: RunId, outcome: RunOutcome, now: Instant) {
        if self.notifier.owns(run) {
            return self.on_notify_ended(run, outcome);
        }
        if matches!(self.life, Life::Stopping | Life::Stopped) {
            // The supervisor ends what runs; that is no news about the service.
            return;
        }
        let mutation = self.mutation;
        let Some(id) = self.trackers.owner_of(run) else { return };
        let Some(Tracker::Script(script)) = self.trackers.get_mut(id) else {
            return;
        };
        let news = script.on_ended(outcome, now, mutation, &mut self.actions);
        self.noted(id, news, now);
    }

    /// A file or a process is as it is told.
    pub(in crate::proto) fn on_observed(&mut self, observation: Observation, now: Instant) {
        if matches!(self.life, Life::Stopping | Life::Stopped) {
            return;
        }
        let (mutation, out) = (self.mutation, &mut self.actions);
        let (id, news) = match observation {
            Observation::File { file, reading } => {
                let id = TrackerId::File(file);
                let Some(Tracker::File(file)) = self.trackers.get_mut(id) else {
                    return;
                };
                let news = file.on_reading(reading, now, out);
                self.look_at_common_problems();
                (id, news)
            }
            Observation::Process { process, pid, change } => {
                let id = TrackerId::Process(process);
                let Some(Tracker::Process(process)) = self.trackers.get_mut(id) else {
                    return;
                };
                (id, process.on_change(pid, change, now, mutation, out))
            }
            Observation::ProcessesBegin { watch, hidden } => {
                for tracker in &mut self.trackers.all {
                    if let Tracker::Process(process) = tracker {
                        process.begin(watch, hidden);
                    }
                }
                return self.look_at_common_problems();
            }
            Observation::ProcessesTold => return self.on_processes_told(now),
        };
        self.noted(id, news, now);
    }

    fn on_processes_told(&mut self, now: Instant) {
        for position in 0..self.trackers.len() {
            let Some(Tracker::Process(process)) = self.trackers.all.get_mut(position) else {
                continue;
            };
            let news = process.on_all_told(now, self.mutation, &mut self.actions);
            self.arm_tracker(position);
            if let Some(id) = self.trackers.id_at(position) {
                self.spread(id, news, now);
            }
        }
    }

    fn noted(&mut self, id: TrackerId, news: News, now: Instant) {
        if let Some(position) = self.trackers.position(id) {
            self.arm_tracker(position);
        }
        self.spread(id, news, now);
    }

    /// What an operator should look at that is no instance's alone: trackers and static addresses.
    pub(in crate::proto) fn common_problems(&self) -> Vec<Problem> {
        let of_trackers = self.trackers.iter().filter_map(Tracker::problem);
        of_trackers.chain(self.static_problems()).collect()
    }

    /// Tells which of them have come up and which have gone.
    pub(in crate::proto) fn look_at_common_problems(&mut self) {
        let now = self.common_problems();
        let mut before = std::mem::replace(&mut self.trackers.raised, now.clone());
        let is_in = |list: &[Problem], one: &Problem| list.iter().any(|p| p.is_same(one));
        if self.mutation.is(Mutant::ProblemNeverClears) {
            before.retain(|old| is_in(&now, old));
        }
        let gone = before.iter().filter(|old| !is_in(&now, old)).map(|old| (false, old));
        let come = now.iter().filter(|new| !is_in(&before, new)).map(|new| (true, new));
        for (raised, problem) in gone.chain(come) {
            self.actions.push_back(Action::problem(raised, problem.clone()));
            let problem = problem.clone();
            self.actions
                .push_back(Action::Log(LogEvent::Problem { raised, problem }));
        }
    }

    /// Those who track it look again.
    fn spread(&mut self, id: TrackerId, news: News, now: Instant) {
        if news == News::None {
            return;
        }
        if let Some(position) = self.trackers.position(id) {
            self.changes.trackers.insert(position);
            let told = self
                .trackers
                .all
                .get(position)
                .map(|tracker| Action::Happened(told(tracker).into()));
            self.actions.extend(told);
        }
        if self.life != Life::Running {
            return;
        }
        // Members of a group start together, each knowing of the others.
        let unread = |(index, one): (usize, &Instance)| one.is_unread().then(|| (index, Shown::of(one)));
        let unread: Vec<(usize, Shown)> = self.instances.iter().enumerate().filter_map(unread).collect();
        for (index, _) in &unread {
            self.at_alone(*index, now, Instance::look);
        }
        self.each(now, |instance, ctx| {
            if tracked(&instance.config).any(|(tracked, _)| tracked == id) {
                Instance::reconsider(instance, ctx);
            }
        });
        // A member that tracks nothing itself has waited for those that do.
        for (index, before) in unread {
            self.follow(index, before, now);
        }
    }

    /// The scripts, files and processes that a former process knew something of.
    pub(in crate::proto) fn remember_trackers(&mut self, known: &[crate::proto::TrackerState]) {
        for tracker in &mut self.trackers.all {
            let found = known
                .iter()
                .find(|known| known.kind == tracker.kind() && known.name == *tracker.name());
            let Some(known) = found else { continue };
            match tracker {
                Tracker::Script(script) => ScriptTracker::remember(script, known.status),
                Tracker::File(file) => FileTracker::remember(file, known.value),
                Tracker::Process(process) => ProcessTracker::remember(process, known.status),
            }
        }
    }
}

/// What is told of a tracker that has changed.
fn told(tracker: &Tracker) -> Happening {
    let snapshot = tracker.snapshot();
    Happening::Tracker {
        kind: snapshot.kind,
        name: snapshot.name,
        status: snapshot.status,
        detail: snapshot.detail,
    }
}
