//! One reload between two configurations that are written out: what it does to each instance, and to the trackers of the host.
//! As in [`super::random_reload`] two cores live through the same, and only one of them is given the new configuration. After it
//! a file changes, a process ends and comes back, and a link goes down and up.

use super::bench::{Bench, PID, link};
use super::{ReloadEffect, TOGETHER, is_same};
use crate::model::{IfIndex, InstanceId, Instant, Micros, Model, ProcessId, TrackedFileId, continued};
use crate::proto::{Event, FileReading, Observation, ProcessChange, TrackerSnapshot};
use crate::sim::Planted;
use std::collections::BTreeMap;
use std::sync::Arc;

/// When the reload is.
const RELOAD: Instant = Instant(13_300_000);
/// How long nothing happens after it.
const CALM: Micros = Micros::from_millis(900);
/// How long it is watched.
const WATCHED: Micros = Micros::from_secs(14);

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadSeen {
    /// To instances that were there before, by their names in the new configuration, in all the time that was watched.
    pub instances: BTreeMap<String, ReloadEffect>,
    /// The strongest effect until something happened on the host: what is used only then has had none.
    pub at_once: ReloadEffect,
    /// To scripts, files, processes and links: they are looked at otherwise, or are in another condition.
    pub trackers: bool,
}

impl ReloadSeen {
    /// The strongest effect on any instance.
    #[must_use]
    pub fn strongest(&self) -> ReloadEffect {
        self.instances.values().copied().max().unwrap_or(ReloadEffect::Nothing)
    }
}

/// Plays it.
#[must_use]
pub fn reload_between(old: &Model, new: &Model, planted: Planted) -> ReloadSeen {
    let begun = Instant(1_000_000);
    let mut twin = Bench::new(old.clone(), planted, begun);
    let mut changed = Bench::new(old.clone(), planted, begun);
    for bench in [&mut twin, &mut changed] {
        run_until(bench, RELOAD);
    }
    let pairs: Vec<(usize, usize)> = (0..)
        .zip(continued(old, new))
        .filter_map(|(to, from)| Some((from?, to)))
        .collect();
    let ids = pairs.iter().filter_map(|(from, to)| {
        let name = Arc::clone(&new.instances.get(*to)?.name);
        Some((name, InstanceId(u32::try_from(*from).ok()?)))
    });
    changed.reload(new.clone(), ids.collect());
    // New observers tell everything again.
    changed.observe();
    let effects = |twin: &Bench, changed: &Bench| {
        let goes_on = pairs.iter().filter_map(|(from, to)| {
            let id = InstanceId(u32::try_from(*from).ok()?);
            let (before, now) = (old.instances.get(*from)?, new.instances.get(*to)?);
            let names = (&*before.name, &*now.name);
            Some((
                now.name.to_string(),
                effect(twin, changed, id, before.hmac.is_some(), names),
            ))
        });
        // Another router of the same name, unless it goes on.
        let known = |name: &str| old.instances.iter().any(|one| &*one.name == name);
        let namesakes = new.instances.iter().filter(|now| known(&now.name));
        let restarted = namesakes.map(|one| (one.name.to_string(), ReloadEffect::Restarted));
        let mut instances: BTreeMap<String, ReloadEffect> = restarted.collect();
        instances.extend(goes_on);
        instances
    };
    for bench in [&mut twin, &mut changed] {
        run_until(bench, RELOAD + CALM);
    }
    let at_once = effects(&twin, &changed).into_values().max();
    for bench in [&mut twin, &mut changed] {
        live_on(bench);
    }
    ReloadSeen {
        instances: effects(&twin, &changed),
        at_once: at_once.unwrap_or(ReloadEffect::Nothing),
        trackers: looked_otherwise(&twin, &changed) || conditions(&twin) != conditions(&changed),
    }
}

/// What happens on the host after the reload.
fn live_on(bench: &mut Bench) {
    let process = ProcessId(0);
    let seen = |change| {
        Event::Observed(Observation::Process {
            process,
            pid: PID,
            change,
        })
    };
    let reading = FileReading::Number(4);
    let file = TrackedFileId(0);
    let eth1 = |running| {
        "eth1"
            .parse()
            .ok()
            .map(|name| Event::Link(link(IfIndex(2), name, running)))
    };
    let events = [
        (1_000_000, Some(Event::Observed(Observation::File { file, reading }))),
        (2_000_000, Some(seen(ProcessChange::Ended))),
        (2_500_000, eth1(false)),
        (3_500_000, Some(seen(ProcessChange::Forked))),
        (6_000_000, eth1(true)),
    ];
    for (after, event) in events {
        run_until(bench, RELOAD + Micros(after));
        if let Some(event) = event {
            bench.hand(event);
        }
    }
    run_until(bench, RELOAD + WATCHED);
}

fn run_until(bench: &mut Bench, end: Instant) {
    while let Some(at) = bench.next().filter(|at| *at <= end) {
        let now = bench.now.max(at);
        bench.step(now);
    }
    bench.step(end);
}

fn effect(twin: &Bench, changed: &Bench, id: InstanceId, signed: bool, (before, now): (&str, &str)) -> ReloadEffect {
    if changed.ended.contains(&id) {
        return ReloadEffect::Restarted;
    }
    let (ours, theirs): (Vec<_>, Vec<_>) = (changed.since(id, RELOAD).collect(), twin.since(id, RELOAD).collect());
    let same = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| is_same(a, b, signed));
    let left = |bench: &Bench, name: &str| {
        let all = bench.instances().into_iter();
        let timer = all.filter(|one| &*one.name == name).filter_map(|one| one.timer).next();
        timer.map_or(0, |timer| timer.remaining.0)
    };
    if same && left(twin, before).abs_diff(left(changed, now)) <= TOGETHER.0 {
        ReloadEffect::Nothing
    } else {
        ReloadEffect::Adjusted
    }
}

/// Whether scripts ran, or links were asked, at other times.
fn looked_otherwise(twin: &Bench, changed: &Bench) -> bool {
    twin.runs != changed.runs || twin.asked != changed.asked
}

/// In which condition every tracker is.
fn conditions(bench: &Bench) -> BTreeMap<Arc<str>, (String, Option<i64>, Option<i32>)> {
    let one = |tracker: &TrackerSnapshot| {
        let condition = (format!("{:?}", tracker.status), tracker.value, tracker.last_exit);
        (Arc::clone(&tracker.name), condition)
    };
    bench.core.snapshot(bench.now).trackers.iter().map(one).collect()
}
