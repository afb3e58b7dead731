//! The part of `keepalived.data` about tracked files and processes.

use super::Source;
use super::data::{Page, reverse};
use crate::model::{
    Instance, InstanceId, ParamMatch, ProcessId, TrackFile, TrackProcess, TrackedFile, TrackedFileId, TrackedProcess,
    Weight,
};
use crate::proto::{TrackerKind, TrackerSnapshot, TrackerStatus};

fn line(name: &str, weight: Weight) -> String {
    format!("{name}, weight {}{}", weight.value(), reverse(weight))
}

fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

/// What an instance tracks itself.
pub(super) fn of_instance(page: &mut Page, source: &Source<'_>, config: &Instance) {
    if !config.track_files.is_empty() {
        page.title("Tracked files :");
        for track in &config.track_files {
            let name = at(&source.model.files, track.file.0).map_or("?", |file| &file.name);
            page.item(line(name, track.weight));
        }
    }
    if !config.track_processes.is_empty() {
        page.title("Tracked processes :");
        for track in &config.track_processes {
            let name = at(&source.model.processes, track.process.0).map_or("?", |process| &process.name);
            page.item(line(name, track.weight));
        }
    }
}

/// The sections.
pub(super) fn sections(page: &mut Page, source: &Source<'_>) {
    if !source.model.files.is_empty() {
        page.section("VRRP Track files");
    }
    for (id, file) in (0..).map(TrackedFileId).zip(&source.model.files) {
        write_file(page, source, id, file);
    }
    if !source.model.processes.is_empty() {
        page.section("VRRP Track processes");
    }
    for (id, process) in (0..).map(ProcessId).zip(&source.model.processes) {
        write_process(page, source, id, process);
    }
}

fn write_file(page: &mut Page, source: &Source<'_>, id: TrackedFileId, file: &TrackedFile) {
    page.head("Track file", &file.name);
    page.entry("File", &file.path);
    let value = source
        .tracker(TrackerKind::File, &file.name)
        .and_then(|tracker| tracker.value);
    page.entry("Status", value.unwrap_or(0));
    page.entry("Weight", format!("{}{}", file.weight.value(), reverse(file.weight)));
    let weight = |tracks: &[TrackFile]| tracks.iter().find(|track| track.file == id).map(|track| track.weight);
    let groups = source.model.groups.iter();
    let groups = groups.filter_map(|group| Some((group.members.as_slice(), weight(&group.track_files)?)));
    let own = |config: &Instance| weight(&config.track_files);
    tracking_instances(page, source, own, groups);
}

fn write_process(page: &mut Page, source: &Source<'_>, id: ProcessId, process: &TrackedProcess) {
    page.head("VRRP Track process", &process.name);
    page.entry("Process", &process.process);
    if !process.parameters.is_empty() {
        page.entry("Parameters", process.parameters.join(" "));
    }
    match process.param_match {
        None => {}
        Some(ParamMatch::Exact) => page.entry("Param match", "exact"),
        Some(ParamMatch::Partial) => page.entry("Param match", "partial"),
        Some(ParamMatch::Initial) => page.entry("Param match", "initial"),
    }
    page.entry("Min processes", process.quorum);
    if let Some(max) = process.quorum_max {
        page.entry("Max processes", max);
    }
    let tracker = source.tracker(TrackerKind::Process, &process.name);
    let count = tracker.and_then(|tracker| tracker.value);
    page.entry("Current processes", count.unwrap_or(0));
    let quorum = tracker.is_some_and(|tracker| tracker.status == TrackerStatus::Up);
    page.entry("Have quorum", quorum);
    page.entry(
        "Weight",
        format!("{}{}", process.weight.value(), reverse(process.weight)),
    );
    for (key, delay) in [
        ("Terminate delay", process.terminate_delay),
        ("Fork delay", process.fork_delay),
    ] {
        page.entry(key, format!("{}s", super::seconds_micros(delay)));
    }
    page.entry("Full command", process.full_command);
    let weight = |tracks: &[TrackProcess]| {
        tracks
            .iter()
            .find(|track| track.process == id)
            .map(|track| track.weight)
    };
    let groups = source.model.groups.iter();
    let groups = groups.filter_map(|group| Some((group.members.as_slice(), weight(&group.track_processes)?)));
    let own = |config: &Instance| weight(&config.track_processes);
    tracking_instances(page, source, own, groups);
}

fn tracking_instances<'m>(
    page: &mut Page,
    source: &Source<'m>,
    own: impl Fn(&Instance) -> Option<Weight>,
    groups: impl Iterator<Item = (&'m [InstanceId], Weight)>,
) {
    page.title("Tracking instances :");
    for config in &source.model.instances {
        if let Some(weight) = own(config) {
            page.item(line(&config.name, weight));
        }
    }
    for (members, weight) in groups {
        for member in members.iter().filter_map(|id| at(&source.model.instances, id.0)) {
            page.item(line(&member.name, weight));
        }
    }
}

impl Source<'_> {
    /// What is known of a tracker.
    pub(super) fn tracker(&self, kind: TrackerKind, name: &str) -> Option<&TrackerSnapshot> {
        let trackers = &self.snapshot.trackers;
        trackers
            .iter()
            .find(|tracker| tracker.kind == kind && *tracker.name == *name)
    }
}
