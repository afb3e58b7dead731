//! What the observers of a virtual host tell of tracked files and processes.

use crate::model::{Model, ProcessId, TrackedFileId};
use crate::proto::{Event, FileReading, Observation, ProcessChange, ProcessWatch};

/// A file holds this number.
pub(super) fn holds(file: TrackedFileId, number: i32) -> Event<'static> {
    let reading = FileReading::Number(number);
    Event::Observed(Observation::File { file, reading })
}

/// All that there is: what each file holds, how many run of each process.
pub(super) fn everything(
    model: &Model,
    number: impl Fn(TrackedFileId) -> i32,
    running: impl Fn(ProcessId) -> u32,
) -> Vec<Event<'static>> {
    let files = (0..).map(TrackedFileId).zip(&model.files);
    let mut events: Vec<_> = files.map(|(file, _)| holds(file, number(file))).collect();
    let watch = ProcessWatch::Connector;
    events.push(Event::Observed(Observation::ProcessesBegin { watch, hidden: false }));
    for (process, _) in (0..).map(ProcessId).zip(&model.processes) {
        let change = ProcessChange::Became;
        let one = |pid| Event::Observed(Observation::Process { process, pid, change });
        events.extend((0..running(process)).map(one));
    }
    events.push(Event::Observed(Observation::ProcessesTold));
    events
}
