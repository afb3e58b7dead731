//! Drops what nobody uses and what cannot be used, and renumbers what is left.

use crate::config::code::Code;
use crate::config::lower::Context;
use crate::model::{Instance, Model, ScriptId, SyncGroup, TrackGroupId, TrackScript};
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

/// Track groups that no instance is left in go; what followed them follows nobody.
pub(super) fn track_groups(model: &mut Model, ctx: &mut Context<'_>) {
    let Model {
        track_groups,
        static_addresses,
        static_routes,
        static_rules,
        ..
    } = model;
    let lives = |position: usize| {
        track_groups
            .get(position)
            .is_some_and(|group| !group.members.is_empty())
    };
    let new = renumber(track_groups.len(), lives);
    let addresses = static_addresses.iter_mut().map(|address| &mut address.track_group);
    let routes = static_routes.iter_mut().map(|route| &mut route.track_group);
    let rules = static_rules.iter_mut().map(|rule| &mut rule.track_group);
    for group in addresses.chain(routes).chain(rules) {
        *group = group.and_then(|id| new.get(&index(id.0)).copied().map(TrackGroupId));
    }
    track_groups.retain(|group| {
        let lives = !group.members.is_empty();
        if !lives {
            let message = format!("Static track group {} init fails - removing", group.name);
            ctx.reports.whole(Code::SyncGroup, None, message);
        }
        lives
    });
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
