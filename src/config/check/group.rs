//! Sync groups and track groups: members, and what the group tracks for them (semantic-checks §5, §8).

use super::general;
use super::programs::Programs;
use super::track_group;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::Context;
use crate::config::schema::{group, instance};
use crate::model::{GroupId, IfName, InstanceId, Model, NotifyPrograms, SyncGroup, WantedState, Weight};
use std::collections::BTreeMap;

/// Which instances are in which group, and the programs of each group.
pub(super) struct Members {
    of_instance: BTreeMap<usize, GroupId>,
    of_group: Vec<(Vec<InstanceId>, NotifyPrograms)>,
}

impl Members {
    /// The group of an instance.
    pub(super) fn of(&self, instance: usize) -> Option<GroupId> {
        self.of_instance.get(&instance).copied()
    }
}

fn position(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// Finds the members and the programs. Groups without members are dropped; their programs count for the security check.
pub(super) fn members(
    groups: &mut Vec<group::Draft>,
    drafts: &[instance::Draft],
    programs: &mut Programs,
    ctx: &mut Context<'_>,
) -> Members {
    let mut found = Members {
        of_instance: BTreeMap::new(),
        of_group: Vec::new(),
    };
    groups.retain_mut(|group| {
        let notify = programs.notify_all(std::mem::take(&mut group.notify), ctx);
        let id = GroupId(u32::try_from(found.of_group.len()).unwrap_or(u32::MAX));
        let mut members = Vec::new();
        let name = &group.name;
        for (member, place) in &group.members {
            let Some(known) = ctx.instances.get(member) else {
                let message =
                    format!("Virtual router {member} specified in sync group {name} doesn't exist - ignoring");
                general(ctx, *place, Code::SyncGroup, message);
                continue;
            };
            if found.of_instance.contains_key(&position(known.id)) {
                let message =
                    format!("Virtual router {member} cannot exist in more than one sync group; ignoring {name}");
                general(ctx, *place, Code::SyncGroup, message);
                continue;
            }
            found.of_instance.insert(position(known.id), id);
            members.push(InstanceId(known.id));
        }
        let place = group.members.first().map(|(_, place)| *place).unwrap_or_default();
        match members.len() {
            0 => {
                let message =
                    format!("Sync group {name}, no matching virtual router found in group declaration - removing");
                general(ctx, place, Code::SyncGroup, message);
                return false;
            }
            1 => {
                let message =
                    format!("Sync group {name} has only 1 virtual router(s) - this probably isn't what you want");
                general(ctx, place, Code::SyncGroup, message);
            }
            _ => {}
        }
        if mixes_owners(&members, drafts) {
            let message = format!(
                "Sync group {name} has some member(s) as address owner and some not as address owner. This won't work."
            );
            general(ctx, place, Code::SyncGroup, message);
        }
        found.of_group.push((members, notify));
        true
    });
    found
}

/// Whether members that say that they own the addresses come before one that says that it does not.
fn mixes_owners(members: &[InstanceId], drafts: &[instance::Draft]) -> bool {
    let drafts = members.iter().filter_map(|id| drafts.get(position(id.0)));
    let is_owner = |draft: &&instance::Draft| draft.state == Some(WantedState::Master) && draft.priority == Some(255);
    let mut others = drafts.enumerate().skip_while(|(_, draft)| is_owner(draft));
    let first = others.next();
    first.is_some_and(|(owners, draft)| owners > 0 && draft.state == Some(WantedState::Backup))
}

/// The groups of the model, once its instances are complete.
pub(super) fn finish(groups: Vec<group::Draft>, members: Members, model: &mut Model, ctx: &mut Context<'_>) {
    let mail = &model.global.mail;
    let alert = mail.alert_vrrp.or(mail.alert).unwrap_or(false);
    for (draft, (members, notify)) in groups.into_iter().zip(members.of_group) {
        let mut group = SyncGroup {
            name: draft.name,
            members,
            tracking_weight: draft.tracking_weight,
            track_interfaces: draft.tracks.interfaces,
            track_scripts: draft.tracks.scripts,
            track_files: draft.tracks.files,
            track_processes: draft.tracks.processes,
            track_bfds: draft.tracks.bfds,
            notify,
            smtp_alert: draft.smtp_alert.unwrap_or(alert),
            notify_priority_changes: draft.notify_priority_changes,
        };
        states(&group, model);
        owners(&mut group, model, ctx);
        twice(&group, model, ctx);
        model.groups.push(group);
    }
}

/// One member that wants to be master, and not all are owners: all begin as backup.
fn states(group: &SyncGroup, model: &mut Model) {
    let of = |id: &InstanceId| model.instances.get(position(id.0));
    let wants = group
        .members
        .iter()
        .filter_map(of)
        .any(|member| member.state == WantedState::Master);
    let all_own = group
        .members
        .iter()
        .filter_map(of)
        .all(|member| member.priority.is_owner());
    if wants && !all_own {
        for id in &group.members {
            if let Some(member) = model.instances.get_mut(position(id.0)) {
                member.state = WantedState::Backup;
            }
        }
    }
}

/// An owner's priority never changes: weights of the group cannot count.
fn owners(group: &mut SyncGroup, model: &Model, ctx: &mut Context<'_>) {
    let is_owner = |id: &InstanceId| {
        model
            .instances
            .get(position(id.0))
            .is_some_and(|member| member.priority.is_owner())
    };
    if !group.members.iter().any(is_owner) {
        return;
    }
    let name = group.name.clone();
    let mut clear = |weight: &mut Weight, kind: &str, tracked: &str, end: &str| {
        if !weight.is_fault() {
            let message = format!(
                "({name}) Cannot have weighted track {kind} '{tracked}' with member having priority 255 - {end}"
            );
            ctx.reports.whole(Code::WeightIgnored, Class::General, message);
            *weight = Weight::ZERO;
        }
    };
    for track in &mut group.track_interfaces {
        clear(
            &mut track.weight,
            "interface",
            track.interface.as_str(),
            "clearing weight",
        );
    }
    for track in &mut group.track_scripts {
        let script = model
            .scripts
            .get(position(track.script.0))
            .map_or("", |script| &script.name);
        clear(&mut track.weight, "script", script, "clearing weight");
    }
    for track in &mut group.track_files {
        let file = model.files.get(position(track.file.0)).map_or("", |file| &file.name);
        clear(&mut track.weight, "file", file, "setting weight 0");
    }
    for track in &mut group.track_processes {
        let process = model
            .processes
            .get(position(track.process.0))
            .map_or("", |process| &process.name);
        clear(&mut track.weight, "process", process, "setting weight 0");
    }
    for track in &mut group.track_bfds {
        let bfd = model.bfds.get(position(track.bfd.0)).map_or("", |bfd| &bfd.name);
        clear(&mut track.weight, "bfd", bfd, "setting weight 0");
    }
}

/// What a member and its group both track: the group's weight counts for it, unless its own is 0; then its own entry stays.
fn twice(group: &SyncGroup, model: &mut Model, ctx: &mut Context<'_>) {
    let mut told: Vec<(Option<Class>, String)> = Vec::new();
    let (scripts, files, processes, bfds) = (&model.scripts, &model.files, &model.processes, &model.bfds);
    let log = |name: &str, kind: &str, tracked: &str| {
        let message = format!(
            "({name}) {kind} {tracked} is configured on VRRP instance and sync group. Remove vrrp instance config"
        );
        (None, message)
    };
    for id in &group.members {
        let Some(member) = model.instances.get_mut(position(id.0)) else {
            continue;
        };
        let name = member.name.clone();
        // Its own interface is tracked without weight; with that the group's weight does not count for this member.
        let primary = member.interface.as_ref().filter(|_| !member.dont_track_primary);
        if let Some(track) = group
            .track_interfaces
            .iter()
            .find(|track| Some(&track.interface) == primary)
        {
            told.push((Some(Class::General), twice_tracked(&name, &track.interface)));
        }
        member.track_interfaces.retain(|own| {
            let both = group
                .track_interfaces
                .iter()
                .find(|track| track.interface == own.interface);
            both.is_none_or(|_| {
                told.push((Some(Class::General), twice_tracked(&name, &own.interface)));
                own.weight.is_fault()
            })
        });
        member.track_scripts.retain(|own| {
            let both = group.track_scripts.iter().find(|track| track.script == own.script);
            both.is_none_or(|_| {
                let script = scripts.get(position(own.script.0)).map_or("", |script| &script.name);
                told.push(log(&name, "track_script", script));
                own.weight.is_fault()
            })
        });
        member.track_files.retain(|own| {
            let both = group.track_files.iter().find(|track| track.file == own.file);
            both.is_none_or(|_| {
                let file = files.get(position(own.file.0)).map_or("", |file| &file.name);
                told.push(log(&name, "track_file", file));
                own.weight.is_fault()
            })
        });
        member.track_processes.retain(|own| {
            let both = group.track_processes.iter().find(|track| track.process == own.process);
            both.is_none_or(|_| {
                let process = processes
                    .get(position(own.process.0))
                    .map_or("", |process| &process.name);
                told.push(log(&name, "track_process", process));
                own.weight.is_fault()
            })
        });
        member.track_bfds.retain(|own| {
            let both = group.track_bfds.iter().find(|track| track.bfd == own.bfd);
            both.is_none_or(|_| {
                let bfd = bfds.get(position(own.bfd.0)).map_or("", |bfd| &bfd.name);
                told.push(log(&name, "track_bfd", bfd));
                own.weight.is_fault()
            })
        });
    }
    for (class, message) in told {
        ctx.reports.whole(Code::Conflict, class, message);
    }
}

fn twice_tracked(name: &str, interface: &IfName) -> String {
    format!(
        "({name}) track_interface {interface} is configured on VRRP instance and sync group. Remove vrrp instance or sync group config"
    )
}

/// Track groups and their members. Groups without any are dropped; ids of the others change.
pub(super) fn static_groups(drafts: Vec<group::TrackGroup>, model: &mut Model, ctx: &mut Context<'_>) {
    for draft in drafts {
        let mut members = Vec::new();
        let name = draft.name.clone();
        for (member, place) in &draft.members {
            match ctx.instances.get(member) {
                Some(known) => members.push(InstanceId(known.id)),
                None => {
                    let message =
                        format!("vrrp instance {member} specified in track group {name} doesn't exist - ignoring");
                    ctx.check(*place, Code::SyncGroup, None, message);
                }
            }
        }
        if members.is_empty() {
            let message = format!("Static track group {name} has no VRRP instance(s)");
            ctx.reports.whole(Code::SyncGroup, None, message);
        }
        let mut group = track_group(draft);
        group.members = members;
        model.track_groups.push(group);
    }
}
