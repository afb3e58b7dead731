//! Trackers: all their logic, so that the simulator sees it. Adapters only execute and observe.
//!
//! One notion for every kind: a [`Tracker`] has a name and a condition, and means something for one who tracks it with a weight:
//! an [`Effect`]. Instances and groups see nothing else. Another kind is another file here, another variant of [`Tracker`] and
//! of [`TrackerId`], and a line in [`tracked`]; the compiler lists the rest.

mod drive;
mod file;
mod link;
mod process;
mod script;

pub(super) use file::FileTracker;
pub(super) use link::{LinkTracking, Reported, Ruling};
pub(super) use process::ProcessTracker;
pub(super) use script::ScriptTracker;

use super::action::Action;
use super::mutant::{Mutant, Mutation};
use super::reason::{Reason, TrackerKind};
use super::snapshot::{Contribution, Problem, TrackerSnapshot, TrackerStatus};
use super::timer::Timer;
use crate::model::{Instance, Instant, Model, ProcessId, RunId, ScriptId, TrackedFileId, Weight};
use std::collections::VecDeque;
use std::sync::Arc;

/// Whether something changed that instances need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It came up, or reported for the first time that it is.
    Up,
    /// It went down.
    Down,
    /// Another value.
    Value,
    /// Nothing.
    None,
}

/// What a tracker means for one who tracks it (behaviour §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing is known yet, and without it the instance must not take part.
    Unknown,
    /// This is added to the priority.
    Adds(i32),
    /// It must not take part.
    Fault,
}

/// Which tracker, by its position among its kind in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TrackerId {
    Script(ScriptId),
    File(TrackedFileId),
    Process(ProcessId),
}

/// What an instance tracks, with the weight that it has there.
pub(super) fn tracked(config: &Instance) -> impl Iterator<Item = (TrackerId, Weight)> + '_ {
    let scripts = config
        .track_scripts
        .iter()
        .map(|t| (TrackerId::Script(t.script), t.weight));
    let files = config.track_files.iter().map(|t| (TrackerId::File(t.file), t.weight));
    let processes = config.track_processes.iter();
    let processes = processes.map(|t| (TrackerId::Process(t.process), t.weight));
    scripts.chain(files).chain(processes)
}

/// A tracked thing and what is known of it.
#[derive(Debug, Clone)]
pub(super) enum Tracker {
    Script(ScriptTracker),
    File(FileTracker),
    Process(ProcessTracker),
}

impl Tracker {
    pub(super) const fn kind(&self) -> TrackerKind {
        match self {
            Self::Script(_) => TrackerKind::Script,
            Self::File(_) => TrackerKind::File,
            Self::Process(_) => TrackerKind::Process,
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        match self {
            Self::Script(script) => &script.script.name,
            Self::File(file) => &file.file.name,
            Self::Process(process) => &process.process.name,
        }
    }

    /// What it means under this weight.
    pub(super) fn effect(&self, weight: Weight, mutation: Mutation) -> Effect {
        let weight = if mutation.is(Mutant::ReverseIgnored) {
            Weight::new(weight.value(), false).unwrap_or_default()
        } else {
            weight
        };
        match self {
            // Weighted scripts add nothing before their first result, and hold nobody up.
            Self::Script(script) if script.status == TrackerStatus::Pending && !weight.is_fault() => Effect::Adds(0),
            Self::Script(script) => {
                let kept = script.status == TrackerStatus::Down && mutation.is(Mutant::WeightKept);
                by_condition(if kept { TrackerStatus::Up } else { script.status }, weight)
            }
            Self::File(file) => file.effect(weight, mutation),
            Self::Process(process) => by_condition(process.status, weight),
        }
    }

    /// What there is to say about a failure.
    fn detail(&self, weight: Weight) -> Option<String> {
        match self {
            Self::Script(_) | Self::Process(_) if weight.is_reverse() => Some("it is up and counts reversed".into()),
            Self::Script(script) => script.last_failure.clone(),
            Self::File(file) => Some(file.describe()),
            Self::Process(process) => Some(process.describe()),
        }
    }

    /// Whether its value is there from the start of the daemon: instances wait for it before they take their first state.
    const fn is_there_from_the_start(&self) -> bool {
        match self {
            Self::Script(_) => false,
            Self::File(_) | Self::Process(_) => true,
        }
    }

    fn next_deadline(&self) -> Option<(Instant, Timer)> {
        match self {
            Self::Script(script) => script.next_deadline(),
            Self::File(_) => None,
            Self::Process(process) => process.next_deadline(),
        }
    }

    /// For `status`.
    pub(super) fn snapshot(&self) -> TrackerSnapshot {
        match self {
            Self::Script(script) => script.snapshot(),
            Self::File(file) => file.snapshot(),
            Self::Process(process) => process.snapshot(),
        }
    }

    /// What an operator should look at, whoever tracks it.
    pub(super) fn problem(&self) -> Option<Problem> {
        match self {
            Self::File(file) => file.problem(),
            Self::Process(process) => process.problem(),
            Self::Script(_) => None,
        }
    }

    /// Takes over from the one of a former configuration, if that was the same thing (behaviour §11.4).
    fn inherit(&mut self, old: Self, now: Instant, out: &mut VecDeque<Action>) -> Option<Self> {
        match (self, old) {
            (Self::Script(new), Self::Script(old)) if old.is_same_program(&new.script) => {
                new.inherit(old, now, out);
                None
            }
            (Self::File(new), Self::File(old)) if new.is_same(&old) => {
                new.inherit(old);
                None
            }
            (Self::Process(new), Self::Process(old)) if new.is_same(&old) => {
                new.inherit(old);
                None
            }
            (_, old) => Some(old),
        }
    }
}

/// Up and down under a weight: a positive one counts while it is up, a negative one while it is down, 0 makes it a fault.
fn by_condition(status: TrackerStatus, weight: Weight) -> Effect {
    let up = match status {
        TrackerStatus::Pending => return Effect::Unknown,
        TrackerStatus::Up => true,
        TrackerStatus::Down => false,
    };
    if !weight.is_fault() {
        Effect::Adds(weight.contribution(up))
    } else if up == weight.is_reverse() {
        Effect::Fault
    } else {
        Effect::Adds(0)
    }
}

/// What one tracker means for one instance.
#[derive(Debug)]
pub(super) struct Finding<'t> {
    tracker: &'t Tracker,
    weight: Weight,
    effect: Effect,
}

impl Finding<'_> {
    /// What it adds now.
    pub(super) const fn adds(&self) -> i32 {
        match self.effect {
            Effect::Adds(adds) => adds,
            Effect::Unknown | Effect::Fault => 0,
        }
    }

    /// What is shown of it.
    pub(super) fn contribution(&self) -> Contribution {
        let status = match (self.tracker, self.effect) {
            (Tracker::Script(script), _) => script.status,
            (Tracker::Process(process), _) => process.status,
            (Tracker::File(_), Effect::Unknown) => TrackerStatus::Pending,
            (Tracker::File(_), Effect::Adds(_)) => TrackerStatus::Up,
            (Tracker::File(_), Effect::Fault) => TrackerStatus::Down,
        };
        Contribution {
            kind: self.tracker.kind(),
            name: self.tracker.name().clone(),
            status,
            weight: self.weight.value(),
            adds: self.adds(),
        }
    }

    /// The fault, if it is one.
    pub(super) fn fault(&self) -> Option<Reason> {
        (self.effect == Effect::Fault).then(|| Reason::TrackerFailed {
            kind: self.tracker.kind(),
            name: self.tracker.name().clone(),
            detail: self.tracker.detail(self.weight),
        })
    }

    /// What the instance waits for, if it is this.
    pub(super) fn pending(&self) -> Option<Reason> {
        (self.effect == Effect::Unknown).then(|| Reason::TrackerPending {
            kind: self.tracker.kind(),
            name: self.tracker.name().clone(),
        })
    }

    /// Whether an instance that has not started must not start yet.
    pub(super) fn holds_the_start(&self) -> bool {
        self.effect == Effect::Unknown && self.tracker.is_there_from_the_start()
    }
}

/// Every tracker of the model: the scripts, then the files, then the processes, each kind in the model's order.
#[derive(Debug, Clone, Default)]
pub(super) struct Trackers {
    all: Vec<Tracker>,
    files_from: usize,
    processes_from: usize,
    /// Problems that are told as present.
    raised: Vec<Problem>,
}

impl Trackers {
    /// Nothing is known of any of them.
    pub(super) fn new(model: &Model) -> Self {
        let scripts = model
            .scripts
            .iter()
            .cloned()
            .map(ScriptTracker::new)
            .map(Tracker::Script);
        let files = model.files.iter().cloned().map(FileTracker::new).map(Tracker::File);
        let processes = model.processes.iter().cloned().map(ProcessTracker::new);
        Self {
            all: scripts.chain(files).chain(processes.map(Tracker::Process)).collect(),
            files_from: model.scripts.len(),
            processes_from: model.scripts.len() + model.files.len(),
            raised: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tracker> {
        self.all.iter()
    }

    fn get(&self, id: TrackerId) -> Option<&Tracker> {
        self.all.get(self.position(id)?)
    }

    fn get_mut(&mut self, id: TrackerId) -> Option<&mut Tracker> {
        let position = self.position(id)?;
        self.all.get_mut(position)
    }

    fn position(&self, id: TrackerId) -> Option<usize> {
        let (from, to, number) = match id {
            TrackerId::Script(id) => (0, self.files_from, id.0),
            TrackerId::File(id) => (self.files_from, self.processes_from, id.0),
            TrackerId::Process(id) => (self.processes_from, self.all.len(), id.0),
        };
        let position = from.checked_add(usize::try_from(number).ok()?)?;
        (position < to).then_some(position)
    }

    fn id_at(&self, position: usize) -> Option<TrackerId> {
        let number = |from: usize| u32::try_from(position - from).ok();
        match position {
            _ if position < self.files_from => Some(TrackerId::Script(ScriptId(number(0)?))),
            _ if position < self.processes_from => Some(TrackerId::File(TrackedFileId(number(self.files_from)?))),
            _ if position < self.all.len() => Some(TrackerId::Process(ProcessId(number(self.processes_from)?))),
            _ => None,
        }
    }

    /// The script that this is a run of.
    fn owner_of(&self, run: RunId) -> Option<TrackerId> {
        let owns = |tracker: &Tracker| matches!(tracker, Tracker::Script(script) if script.owns(run));
        self.id_at(self.all.iter().position(owns)?)
    }

    /// What everything that an instance tracks means for it.
    pub(super) fn findings<'t>(
        &'t self,
        config: &'t Instance,
        mutation: Mutation,
    ) -> impl Iterator<Item = Finding<'t>> {
        tracked(config).filter_map(move |(id, weight)| {
            let tracker = self.get(id)?;
            let effect = tracker.effect(weight, mutation);
            Some(Finding {
                tracker,
                weight,
                effect,
            })
        })
    }

    /// The number that a file holds; 0 while nothing is known.
    pub(super) fn value_of_file(&self, name: &str) -> i32 {
        let file = self.all.iter().find_map(|tracker| match tracker {
            Tracker::File(file) if *file.file.name == *name => Some(file),
            Tracker::Script(_) | Tracker::File(_) | Tracker::Process(_) => None,
        });
        file.and_then(FileTracker::value).unwrap_or(0)
    }

    /// The trackers of a new configuration, with what is known of those that stay.
    fn adopt(&mut self, model: &Model, now: Instant, out: &mut VecDeque<Action>) {
        let old = std::mem::replace(self, Self::new(model));
        self.raised = old.raised;
        let mut old: Vec<Option<Tracker>> = old.all.into_iter().map(Some).collect();
        for new in &mut self.all {
            let alike = |old: &Tracker| old.kind() == new.kind() && old.name() == new.name();
            let found = old.iter_mut().find(|old| old.as_ref().is_some_and(alike));
            let mut inherited = false;
            if let Some(found) = found
                && let Some(before) = found.take()
            {
                *found = new.inherit(before, now, out);
                inherited = found.is_none();
            }
            if let Tracker::Script(script) = new
                && !inherited
            {
                script.assume_good();
            }
        }
        for left in old.into_iter().flatten() {
            if let Tracker::Script(mut left) = left {
                left.stop(out);
            }
        }
    }
}
