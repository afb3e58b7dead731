//! Priorities and weights: what can never change who is master.

use super::Linter;
use crate::config::code::Code;
use crate::model::{Instance, Priority, Weight};

pub(super) fn lint(instance: &Instance, linter: &mut Linter<'_>) {
    without_effect(instance, linter);
    with_nopreempt(instance, linter);
    default_priority(instance, linter);
}

/// The trackers of an instance: list, name, weight.
fn weights(instance: &Instance, linter: &Linter<'_>) -> Vec<(&'static str, String, Weight)> {
    let model = linter.model;
    let scripts = instance.track_scripts.iter().filter_map(|track| {
        let script = model.script(track.script)?;
        Some(("track_script", script.name.to_string(), track.weight))
    });
    let interfaces = instance
        .track_interfaces
        .iter()
        .map(|track| ("track_interface", track.interface.to_string(), track.weight));
    scripts
        .chain(interfaces)
        .filter(|(_, _, weight)| !weight.is_fault())
        .collect()
}

/// Priorities end at 1 and 254, so that a weight at the border moves nothing.
fn without_effect(instance: &Instance, linter: &mut Linter<'_>) {
    let weights = weights(instance, linter);
    let base = i32::from(instance.priority.get());
    let name = &instance.name;
    for (position, (list, tracker, weight)) in weights.iter().enumerate() {
        let others = || {
            weights
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != position)
                .map(|(_, (_, _, weight))| weight)
        };
        let at = |up: bool| {
            let extremes = [
                others()
                    .map(|w| w.contribution(true).max(w.contribution(false)))
                    .sum::<i32>(),
                others()
                    .map(|w| w.contribution(true).min(w.contribution(false)))
                    .sum::<i32>(),
            ];
            extremes.map(|sum| Priority::clamped(base + sum + weight.contribution(up)))
        };
        if at(true) == at(false) {
            let place = linter.entry(instance, list, tracker);
            let message = format!(
                "({name}) the weight {} of {tracker} cannot change the priority {base}",
                weight.value()
            );
            linter.warn(place, Code::WeightWithoutEffect, message).hint =
                Some("priorities with weights stay between 1 and 254; leave room for the weight".into());
        }
    }
}

fn with_nopreempt(instance: &Instance, linter: &mut Linter<'_>) {
    if instance.preempt {
        return;
    }
    let weights = weights(instance, linter);
    let Some((list, tracker, weight)) = weights.first() else {
        return;
    };
    let (place, nopreempt) = (
        linter.entry(instance, list, tracker),
        linter.place(instance, "nopreempt"),
    );
    let related = linter.reports.related("with this", nopreempt);
    let name = &instance.name;
    let message = format!(
        "({name}) with nopreempt the weight {} of {tracker} moves no addresses: this node does not take over from a master whose priority falls",
        weight.value()
    );
    let diagnostic = linter.warn(place, Code::WeightWithNopreempt, message);
    diagnostic.related.push(related);
    diagnostic.hint =
        Some("use weight 0, so that a failure is a fault and the master gives up, or leave nopreempt out".into());
}

/// The usual cause of equal priorities.
fn default_priority(instance: &Instance, linter: &mut Linter<'_>) {
    let block = linter.block("vrrp_instance", &instance.name);
    let written = block.is_some_and(|block| block.children.iter().any(|child| child.key() == "priority"));
    if written || instance.is_owner() {
        return;
    }
    let place = block.map(|block| block.place).unwrap_or_default();
    let name = &instance.name;
    let message = format!(
        "({name}) no priority is written: it is {}, as on every node without one",
        instance.priority
    );
    linter.note(place, Code::EqualPriorities, message).hint =
        Some("among equals the node that starts first is master, or the one with the higher address".into());
}
