//! The part of `keepalived.data` about what is tracked, and by whom: instances, sync groups, scripts, files and processes.

use super::Source;
use super::data::{Page, reverse, yes_no};
use crate::model::{
    Instance, InstanceId, ParamMatch, ProcessId, ScriptId, TrackFile, TrackInterface, TrackProcess, TrackScript,
    TrackedFile, TrackedFileId, TrackedProcess, Weight,
};
use crate::proto::{InstanceSnapshot, ProcessChange, Reason, StateName, TrackerKind, TrackerSnapshot, TrackerStatus};

fn line(name: &str, weight: Weight) -> String {
    format!("{name}, weight {}{}", weight.value(), reverse(weight))
}

pub(super) fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get(usize::try_from(number).ok()?)
}

/// Interfaces and scripts, which have no comma.
fn plain_line(name: &str, weight: Weight) -> String {
    format!("{name} weight {}{}", weight.value(), reverse(weight))
}

/// What somebody tracks, by kinds.
struct Tracked<'m> {
    interfaces: &'m [TrackInterface],
    scripts: &'m [TrackScript],
    files: &'m [TrackFile],
    processes: &'m [TrackProcess],
}

impl Tracked<'_> {
    /// `processes`: keepalived's title of the last list.
    fn write(&self, page: &mut Page, source: &Source<'_>, processes: &str) {
        let model = source.model;
        let interfaces = self.interfaces.iter();
        list(
            page,
            "Tracked interfaces :",
            interfaces.map(|track| plain_line(track.interface.as_str(), track.weight)),
        );
        let scripts = self.scripts.iter().map(|track| {
            let name = at(&model.scripts, track.script.0).map_or("?", |script| &script.name);
            plain_line(name, track.weight)
        });
        list(page, "Tracked scripts :", scripts);
        let files = self.files.iter().map(|track| {
            let name = at(&model.files, track.file.0).map_or("?", |file| &file.name);
            line(name, track.weight)
        });
        list(page, "Tracked files :", files);
        let tracked = self.processes.iter().map(|track| {
            let name = at(&model.processes, track.process.0).map_or("?", |process| &process.name);
            line(name, track.weight)
        });
        list(page, processes, tracked);
    }
}

/// A list with its title; nothing for an empty one.
fn list(page: &mut Page, title: &str, items: impl ExactSizeIterator<Item = String>) {
    if items.len() > 0 {
        page.title(title);
        items.for_each(|item| page.item(item));
    }
}

/// What an instance tracks itself.
pub(super) fn of_instance(page: &mut Page, source: &Source<'_>, config: &Instance) {
    let tracked = Tracked {
        interfaces: &config.track_interfaces,
        scripts: &config.track_scripts,
        files: &config.track_files,
        processes: &config.track_processes,
    };
    tracked.write(page, source, "Tracked processes :");
}

/// The sync groups.
pub(super) fn groups(page: &mut Page, source: &Source<'_>) {
    if !source.model.groups.is_empty() {
        page.section("VRRP Sync groups");
    }
    for (group, shown) in source.model.groups.iter().zip(&source.snapshot.groups) {
        page.line(&format!(" VRRP Sync Group = {}, {}", group.name, shown.state.as_str()));
        let members = source.snapshot.instances.iter();
        let members: Vec<_> = members.filter(|one| shown.members.contains(&one.name)).collect();
        let own_fault = |one: &&&InstanceSnapshot| one.faults.iter().any(|why| !matches!(why, Reason::Group { .. }));
        let waits = |one: &&&InstanceSnapshot| one.state == StateName::Init;
        page.title(&format!(
            "Num member fault {}, num member init {}",
            members.iter().filter(own_fault).count(),
            members.iter().filter(waits).count()
        ));
        page.title("VRRP member instances :");
        shown.members.iter().for_each(|member| page.item(member));
        page.entry("Using smtp notification", yes_no(group.smtp_alert));
        let tracked = Tracked {
            interfaces: &group.track_interfaces,
            scripts: &group.track_scripts,
            files: &group.track_files,
            processes: &group.track_processes,
        };
        // keepalived's word is the singular here.
        tracked.write(page, source, "Tracked process :");
    }
}

/// Who tracks a script.
pub(super) fn instances_of_script(page: &mut Page, source: &Source<'_>, id: ScriptId) {
    let weight = |tracks: &[TrackScript]| tracks.iter().find(|track| track.script == id).map(|track| track.weight);
    let groups = source.model.groups.iter();
    let groups = groups.filter_map(|group| Some((group.members.as_slice(), weight(&group.track_scripts)?)));
    let own = |config: &Instance| weight(&config.track_scripts);
    tracking_instances(page, source, own, groups);
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
    let delayed = tracker.and_then(|tracker| tracker.delayed);
    for (key, change) in [("Fork", ProcessChange::Forked), ("Terminate", ProcessChange::Ended)] {
        let not = if delayed == Some(change) { "" } else { "not " };
        page.title(&format!("{key} delay timer {not}running"));
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

/// Instances that track it themselves, then members of groups that do, unless a weight of 0 of their own counts.
fn tracking_instances<'m>(
    page: &mut Page,
    source: &Source<'m>,
    own: impl Fn(&Instance) -> Option<Weight>,
    groups: impl Iterator<Item = (&'m [InstanceId], Weight)>,
) {
    page.title("Tracking instances :");
    let model = source.model;
    let of_groups: Vec<(&Instance, Weight)> = groups
        .flat_map(|(members, weight)| members.iter().map(move |id| (id, weight)))
        .filter_map(|(id, weight)| Some((at(&model.instances, id.0)?, weight)))
        .filter(|(member, _)| !own(member).is_some_and(Weight::is_fault))
        .collect();
    let in_group = |config: &Instance| of_groups.iter().any(|(member, _)| member.name == config.name);
    let alone = model.instances.iter().filter(|config| !in_group(config));
    let alone = alone.filter_map(|config| Some((config, own(config)?)));
    for (config, weight) in alone.chain(of_groups.iter().copied()) {
        page.item(line(&config.name, weight));
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
