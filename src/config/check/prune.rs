//! Drops what nobody uses and what cannot be used, and renumbers what is left.

use crate::config::code::Code;
use crate::config::lower::Context;
use crate::model::{Instance, Model, ScriptId, SyncGroup, TrackScript};
use std::collections::{BTreeMap, BTreeSet};

/// The lists of tracked scripts of every instance and group.
fn scripts_of(instances: &mut [Instance], groups: &mut [SyncGroup], change: &mut dyn FnMut(&mut Vec<TrackScript>)) {
    instances
        .iter_mut()
        .for_each(|instance| change(&mut instance.track_scripts));
    groups.iter_mut().for_each(|group| change(&mut group.track_scripts));
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// New positions of those that are kept.
fn renumber(count: usize, kept: impl Fn(usize) -> bool) -> BTreeMap<usize, u32> {
    (0..count).filter(|index| kept(*index)).zip(0..).collect()
}

/// Scripts in `disabled` cannot be used.
pub(super) fn prune(model: &mut Model, disabled: &BTreeSet<usize>, ctx: &mut Context<'_>) {
    let mut used = BTreeSet::new();
    let Model {
        scripts,
        instances,
        groups,
        ..
    } = model;
    scripts_of(instances, groups, &mut |tracks| {
        used.extend(tracks.iter().map(|track| index(track.script.0)))
    });
    for (position, script) in scripts.iter().enumerate() {
        if !used.contains(&position) && !disabled.contains(&position) {
            let message = format!("Warning - script {} is not used", script.name);
            ctx.reports.whole(Code::ScriptUnused, None, message);
        }
    }
    let new = renumber(scripts.len(), |position| {
        used.contains(&position) && !disabled.contains(&position)
    });
    scripts_of(instances, groups, &mut |tracks| {
        tracks.retain_mut(|track| match new.get(&index(track.script.0)) {
            Some(id) => {
                track.script = ScriptId(*id);
                true
            }
            None => false,
        });
    });
    let mut position = 0..;
    scripts.retain(|_| position.next().is_some_and(|position| new.contains_key(&position)));
}
