//! The trackers of a node: which there are, and how its files and processes look when all is well and when they fail.

use crate::model::{IfName, Model, ProcessId, ScriptId, TrackedFileId, Weight};
use crate::proto::{Event, Observation, ProcessChange};
use crate::sim::observe::{everything, holds};
use std::collections::BTreeSet;

/// What a file holds to take a node out that adds its numbers: less than any priority.
const LEAST: i32 = -254;

/// Everything that the instances and groups of a node track.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) scripts: BTreeSet<ScriptId>,
    pub(super) interfaces: BTreeSet<IfName>,
    pub(super) files: BTreeSet<TrackedFileId>,
    pub(super) processes: BTreeSet<ProcessId>,
}

impl Tracked {
    pub(super) fn of(model: &Model) -> Self {
        let mut all = Self::default();
        for instance in &model.instances {
            all.scripts
                .extend(instance.track_scripts.iter().map(|track| track.script));
            all.interfaces
                .extend(instance.track_interfaces.iter().map(|track| track.interface.clone()));
            all.files.extend(instance.track_files.iter().map(|track| track.file));
            all.processes
                .extend(instance.track_processes.iter().map(|track| track.process));
        }
        for group in model.groups.iter().filter(|group| !group.members.is_empty()) {
            all.scripts.extend(group.track_scripts.iter().map(|track| track.script));
            all.interfaces
                .extend(group.track_interfaces.iter().map(|track| track.interface.clone()));
            all.files.extend(group.track_files.iter().map(|track| track.file));
            all.processes
                .extend(group.track_processes.iter().map(|track| track.process));
        }
        all
    }
}

/// What is seen of the files and processes of a node on which nothing is wrong.
pub(super) fn well(model: &Model) -> Vec<Event<'static>> {
    everything(model, |file| well_file(model, file), |process| quorum(model, process).0)
}

/// What a file holds when all is well: 0, or 1 where 0 is a fault.
pub(in crate::sim) fn well_file(model: &Model, file: TrackedFileId) -> i32 {
    i32::from(weight(model, file).is_some_and(|weight| weight.is_fault() && weight.is_reverse()))
}

/// The file speaks against the node: it holds 1 where its weight counts down or it is a fault, else -254.
pub(super) fn file_fails(model: &Model, file: TrackedFileId) -> Event<'static> {
    let number = weight(model, file).map_or(1, |weight| {
        let up = (weight.value() > 0) != weight.is_reverse();
        match (weight.is_fault(), weight.is_reverse()) {
            (true, reverse) => i32::from(!reverse),
            (false, _) if up => LEAST,
            (false, _) => 1,
        }
    });
    holds(file, number)
}

/// All processes end; where none are wanted, one more runs than may.
pub(super) fn process_fails(model: &Model, process: ProcessId) -> Vec<Event<'static>> {
    let (least, most) = quorum(model, process);
    let (pids, change) = match (least, most) {
        (0, None) => (0..0, ProcessChange::Ended),
        (0, Some(most)) => (0..most.saturating_add(1), ProcessChange::Became),
        (least, _) => (0..least, ProcessChange::Ended),
    };
    let one = |pid| Event::Observed(Observation::Process { process, pid, change });
    pids.map(one).collect()
}

/// How many processes there have to be, and how many there may be.
pub(in crate::sim) fn quorum(model: &Model, process: ProcessId) -> (u32, Option<u32>) {
    let index = usize::try_from(process.0).unwrap_or(usize::MAX);
    let process = model.processes.get(index);
    process.map_or((0, None), |process| (process.quorum, process.quorum_max))
}

/// The weight under which a file counts; the first one, where several track it.
fn weight(model: &Model, file: TrackedFileId) -> Option<Weight> {
    let by_instances = model.instances.iter().flat_map(|instance| &instance.track_files);
    let by_groups = model.groups.iter().flat_map(|group| &group.track_files);
    let mut all = by_instances.chain(by_groups);
    all.find(|track| track.file == file).map(|track| track.weight)
}
