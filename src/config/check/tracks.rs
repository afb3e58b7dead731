//! What an instance cannot track (semantic-checks §6, 69 to 73): its own interface, and with weights nothing, if it is an address
//! owner or in a sync group without weights.

use super::general;
use crate::config::code::Code;
use crate::config::lower::Context;
use crate::config::schema::instance::Draft;
use crate::model::{Model, Weight};

/// Drops what does not count. `group_weights`: its group, if it is in one, allows weights.
pub(super) fn keep_what_counts(
    draft: &mut Draft,
    owner: bool,
    group_weights: bool,
    model: &Model,
    ctx: &mut Context<'_>,
) {
    own_interface(draft, ctx);
    if owner {
        let tell_interface = |interface: &str| format!("ignoring {interface} tracked interface due to address owner");
        without_weights(draft, owner, "address_owner", tell_interface, model, ctx);
    } else if !group_weights {
        let tell_interface =
            |interface: &str| format!("ignoring {interface} tracked interface weight due to SYNC group");
        without_weights(draft, owner, "SYNC group", tell_interface, model, ctx);
    }
}

fn own_interface(draft: &mut Draft, ctx: &mut Context<'_>) {
    let (name, place, interface) = (&draft.name, draft.place, draft.interface.as_ref());
    draft.tracks.interfaces.retain(|track| {
        let own = interface == Some(&track.interface);
        if own {
            let message = format!(
                "({name}) Ignoring track_interface {} since own interface",
                track.interface
            );
            general(ctx, place, Code::OwnInterfaceTracked, message).about(&["track_interface", "interface"]);
        }
        !own
    });
}

/// An owner tracks nothing with a weight; in a group an interface stays, as a cause of a fault.
fn without_weights(
    draft: &mut Draft,
    owner: bool,
    why: &str,
    tell_interface: impl Fn(&str) -> String,
    model: &Model,
    ctx: &mut Context<'_>,
) {
    let (name, place) = (&draft.name, draft.place);
    let mut tell = |about, message: String| {
        general(ctx, place, Code::WeightIgnored, format!("({name}) {message}")).about(about);
    };
    draft.tracks.interfaces.retain_mut(|track| {
        if track.weight.is_fault() {
            return true;
        }
        tell(
            &["track_interface", "priority"],
            tell_interface(track.interface.as_str()),
        );
        track.weight = Weight::ZERO;
        !owner
    });
    draft.tracks.scripts.retain(|track| {
        let keep = track.weight.is_fault();
        if !keep {
            let script = model.script(track.script).map_or("", |script| &script.name);
            let message = format!("ignoring tracked script {script} with weights due to {why}");
            tell(&["track_script", "priority"], message);
        }
        keep
    });
    files_and_bfds(draft, why, ctx);
}

/// A file's default weight 1 becomes 0, other weights drop the entry; processes are not looked at, as in keepalived.
fn files_and_bfds(draft: &mut Draft, why: &str, ctx: &mut Context<'_>) {
    let mut told = Vec::new();
    draft.tracks.files.retain_mut(|track| {
        let file = ctx.files.name(track.file.0);
        match track.weight.value() {
            0 => return true,
            1 => {
                told.push(format!(
                    "ignoring weight from tracked file {file} due to {why}. specify weight 0"
                ));
                track.weight = Weight::ZERO;
                return true;
            }
            weight => told.push(format!(
                "ignoring tracked file {file} with weight {weight} due to {why}"
            )),
        }
        false
    });
    draft.tracks.bfds.retain(|track| {
        let weight = track.weight.value();
        if weight != 0 {
            let bfd = ctx.bfds.name(track.bfd.0);
            told.push(format!("ignoring tracked bfd {bfd} with weight {weight} due to {why}"));
        }
        weight == 0
    });
    let (name, place) = (&draft.name, draft.place);
    for message in told {
        general(ctx, place, Code::WeightIgnored, format!("({name}) {message}"));
    }
}
