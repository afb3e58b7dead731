//! The programs, files and processes of this node: what is known goes on as it is, what is new is taken for good.

use crate::model::{Model, ProcessId, ScriptId, TrackedFileId};
use crate::proto::{Event, RunOutcome, Snapshot, TrackerKind, TrackerSnapshot, TrackerStatus};
use crate::sim::cluster::trackers::{quorum, well_file};
use crate::sim::observe::{everything, holds};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the check programs end, by their names.
#[derive(Debug)]
pub(super) struct Checks {
    ends: BTreeMap<Arc<str>, RunOutcome>,
}

impl Checks {
    /// As the last time.
    pub(super) fn of(before: &Snapshot) -> Self {
        let scripts = before.trackers.iter().filter(|one| one.kind == TrackerKind::Script);
        let ends = scripts.map(|one| (Arc::clone(&one.name), last(one)));
        Self { ends: ends.collect() }
    }

    pub(super) fn end_of(&self, name: &str) -> RunOutcome {
        self.ends.get(name).copied().unwrap_or(RunOutcome::Exited(0))
    }

    pub(super) fn end(&self, model: &Model, script: ScriptId) -> RunOutcome {
        model
            .script(script)
            .map_or(RunOutcome::Exited(0), |script| self.end_of(&script.name))
    }
}

/// A run that a signal or the time limit ended has no exit status; its tracker is down, then.
fn last(script: &TrackerSnapshot) -> RunOutcome {
    let failed = i32::from(script.status == TrackerStatus::Down);
    RunOutcome::Exited(script.last_exit.unwrap_or(failed))
}

fn is_known(before: &Snapshot, kind: TrackerKind, name: &str) -> bool {
    before.trackers.iter().any(|old| old.kind == kind && *old.name == *name)
}

/// What the observers of the new configuration tell that is not known already.
pub(super) fn observed(before: &Snapshot, model: &Model) -> Vec<Event<'static>> {
    let files = (0..).map(TrackedFileId).zip(&model.files);
    let new_files = files.filter(|(_, file)| !is_known(before, TrackerKind::File, &file.name));
    let mut events: Vec<_> = new_files.map(|(id, _)| holds(id, well_file(model, id))).collect();
    let is_new = |name: &str| !is_known(before, TrackerKind::Process, name);
    if model.processes.iter().any(|process| is_new(&process.name)) {
        let count = |id: ProcessId| {
            let process = model.processes.get(usize::try_from(id.0).ok()?)?;
            let of_name = |old: &&TrackerSnapshot| old.kind == TrackerKind::Process && old.name == process.name;
            let known = before.trackers.iter().find(of_name)?;
            u32::try_from(known.value?).ok()
        };
        let running = |id| count(id).unwrap_or_else(|| quorum(model, id).0);
        let all = everything(model, |_| 0, running);
        events.extend(all.into_iter().skip(model.files.len()));
    }
    events
}

/// What is assumed of trackers that nothing is known of.
pub(super) fn new_trackers(before: &Snapshot, model: &Model) -> Vec<String> {
    let is_new = |kind, name: &str| !is_known(before, kind, name);
    let scripts = model
        .scripts
        .iter()
        .filter(|one| is_new(TrackerKind::Script, &one.name));
    let scripts = scripts.map(|one| format!("the new script {} succeeds", one.name));
    let files = model.files.iter().filter(|one| is_new(TrackerKind::File, &one.name));
    let files = files.map(|one| format!("the new file {} holds what is good", one.name));
    let processes = model
        .processes
        .iter()
        .filter(|one| is_new(TrackerKind::Process, &one.name));
    let processes = processes.map(|one| format!("as many processes of the new {} run as should", one.name));
    scripts.chain(files).chain(processes).collect()
}
