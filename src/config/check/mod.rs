//! Drafts → model: what follows from what is written, in keepalived's order (semantic-checks).
//!
//! `programs` finds the files that are run and judges whether they are safe, `instance` completes one instance after the
//! other, `tracks` drops what an instance cannot track, `group` puts sync groups together, `conflict` compares instances with each other, `prune` drops what nobody uses.

mod conflict;
mod group;
mod instance;
mod link;
mod programs;
mod prune;
mod service;
mod tracks;

use super::code::Code;
use super::diagnostic::{Class, Diagnostic};
use super::lower::Context;
use super::place::Place;
use super::schema::{bfd, global, top, tracker};
use crate::model::{
    BfdInstance, Global, IfName, Instance, Micros, Model, NotifyFifo, OnceProgram, OwnLink, StaticAddress, TrackGroup,
    TrackScript, TrackedFile, TrackedProcess, VirtualAddress,
};
use programs::Programs;

pub(super) use programs::default_user;

/// The model of everything that is written, unless a problem is such that it cannot run.
pub(super) fn finish(draft: top::Draft, ctx: &mut Context<'_>) -> Option<Model> {
    let top::Draft {
        global: mut global_draft,
        scripts,
        files,
        processes,
        bfds,
        mut instances,
        mut groups,
        track_groups,
        garp: _,
        static_addresses,
        static_routes,
        static_rules,
        lvs,
        mut services,
    } = draft;
    let mut model = Model::default();
    let addresses = static_list(static_addresses, &global_draft.global, ctx);
    // Another process of keepalived looks at these, whatever its VRRP side finds.
    service::judge(&mut services, ctx);
    ctx.settle_interfaces();
    let mut programs = Programs::new(&global_draft, !instances.is_empty(), !services.list.is_empty(), ctx);
    let disabled = programs.scripts(scripts, &mut model.scripts, ctx);
    // What is not run is not tracked, and nothing more is said about it.
    let usable = |track: &TrackScript| usize::try_from(track.script.0).is_ok_and(|index| !disabled.contains(&index));
    instances
        .iter_mut()
        .for_each(|instance| instance.tracks.scripts.retain(usable));
    groups.iter_mut().for_each(|group| group.tracks.scripts.retain(usable));
    finish_global(&mut global_draft, &mut programs, ctx);
    model.global = global_draft.global;
    for instance in &instances {
        instance::minimal(instance, ctx);
    }
    let members = group::members(&mut groups, &instances, &mut programs, ctx);
    for (index, draft) in given_up(instances).enumerate() {
        let group = members.of(index);
        let tracking = group.and_then(|id| groups.get(usize::try_from(id.0).ok()?));
        let surroundings = instance::Surroundings {
            group,
            group_weights: tracking.is_none_or(|group| group.tracking_weight),
            group_priority_changes: tracking.and_then(|group| group.notify_priority_changes),
        };
        if let Some(complete) = instance::complete(draft, &surroundings, &model, &mut programs, ctx) {
            model.instances.push(complete);
        }
    }
    services
        .programs
        .iter()
        .for_each(|command| programs.checker(command, ctx));
    programs.report(ctx);
    if ctx.fatal {
        return None;
    }
    conflict::vrids(&mut model, ctx);
    conflict::vmacs(&mut model, ctx);
    conflict::delays(&model, ctx);
    model.files = files.into_iter().map(file).collect();
    model.processes = processes.into_iter().map(process).collect();
    model.bfds = bfds.into_iter().map(bfd).collect();
    group::static_groups(track_groups, &mut model, ctx);
    group::finish(groups, members, &mut model, ctx);
    model.static_addresses = addresses;
    firewall(&model, ctx);
    on_own_links(&mut model);
    model.static_routes = static_routes;
    model.static_rules = static_rules;
    model.lvs = lvs;
    untracked(&mut model, ctx);
    prune::track_groups(&mut model, ctx);
    prune::prune(&mut model, &disabled, ctx);
    (!ctx.fatal).then_some(model)
}

/// The elements in their order; the room of those that were taken is given back on the way, so that a very large
/// configuration is not in memory twice.
fn given_up<T>(mut list: Vec<T>) -> impl Iterator<Item = T> {
    list.reverse();
    std::iter::from_fn(move || {
        if list.len() % 1024 == 0 {
            list.shrink_to_fit();
        }
        list.pop()
    })
}

/// Addresses of `static_ipaddress` with their interfaces.
fn static_list(
    drafts: Vec<super::lower::address::Draft>,
    global: &Global,
    ctx: &mut Context<'_>,
) -> Vec<StaticAddress> {
    let default = global
        .default_interface
        .clone()
        .or_else(|| "eth0".parse::<IfName>().ok());
    let mut list = Vec::new();
    for draft in drafts {
        let written = draft.interface.is_some();
        let Some(interface) = draft.interface.or_else(|| default.clone()) else {
            continue;
        };
        if !written && ctx.interface(&interface).is_none() && !ctx.is_link(&interface) {
            let address = draft.address.shown();
            let message =
                format!("Static address {address} requires either an interface or default interface must exist");
            ctx.missing_default(draft.place, &interface, message);
        }
        list.push(StaticAddress {
            address: VirtualAddress {
                interface,
                ..draft.address
            },
            track_group: draft.track_group,
        });
    }
    list
}

/// Who follows a group and says that its loss does not matter is not followed.
fn untracked(model: &mut Model, ctx: &mut Context<'_>) {
    let addresses = model.static_addresses.iter_mut();
    let addresses = addresses.map(|fixed| ("address", fixed.address.no_track, &mut fixed.track_group));
    let routes = model.static_routes.iter_mut();
    let routes = routes.map(|route| ("route", route.no_track, &mut route.track_group));
    let rules = model.static_rules.iter_mut();
    let rules = rules.map(|rule| ("rule", rule.no_track, &mut rule.track_group));
    for (what, no_track, group) in addresses.chain(routes).chain(rules) {
        if no_track && group.take().is_some() {
            let message = format!("Static {what} has both track_group and no_track set - not tracking");
            ctx.reports.whole(Code::Conflict, None, message);
        }
    }
}

/// Packets to addresses that are not accepted are dropped by a firewall, whether one is written or not.
fn firewall(model: &Model, ctx: &mut Context<'_>) {
    let needs =
        |instance: &Instance| !instance.accept || matches!(instance.own_link.as_deref(), Some(OwnLink::Vmac(_)));
    let written = &model.global.firewall;
    if written.iptables.is_none() && written.nftables.is_none() && model.instances.iter().any(needs) {
        let message = "use_vmac or no_accept/strict specified, but no firewall configured - using nftables".into();
        ctx.reports.whole(Code::OwnLink, None, message);
    }
}

/// A static address may stand on the VMAC of an instance.
fn on_own_links(model: &mut Model) {
    for fixed in &mut model.static_addresses {
        let holder = model
            .instances
            .iter()
            .find(|instance| instance.own_link.is_some() && instance.link() == Some(&fixed.address.interface));
        if let Some(base) = holder.and_then(|instance| instance.interface.clone()) {
            fixed.address.own_link = Some(std::mem::replace(&mut fixed.address.interface, base));
        }
    }
}

fn finish_global(draft: &mut global::Draft, programs: &mut Programs, ctx: &mut Context<'_>) {
    let global = &mut draft.global;
    let announce = &mut global.announce;
    if draft.min_garp {
        if announce.master_repeat == 5 {
            announce.master_repeat = 1;
        }
        if announce.master_delay == Micros::from_secs(5) {
            announce.master_delay = Micros::ZERO;
        }
        if announce.refresh_repeat == 1 && announce.refresh == Micros::ZERO {
            announce.refresh_repeat = 0;
        }
    }
    announce.lower_prio_delay = draft.lower_prio_delay.unwrap_or(announce.master_delay);
    announce.lower_prio_repeat = draft.lower_prio_repeat.unwrap_or(announce.master_repeat);
    if global.firewall.iptables.is_some() && global.firewall.nftables.is_some() {
        global.firewall.iptables = None;
        let message = "Both iptables and nftables have been specified - ignoring iptables".into();
        ctx.reports.whole(Code::Conflict, None, message);
    }
    let once = |target: &mut OnceProgram, command: Option<Box<_>>, programs: &mut Programs, ctx: &mut Context<'_>| {
        target.program = command.and_then(|command| programs.once(*command, ctx));
    };
    once(&mut global.startup, draft.startup.take(), programs, ctx);
    once(&mut global.shutdown, draft.shutdown.take(), programs, ctx);
    for (fifo, command, vrrp, lvs) in [
        (&mut global.notify_fifo, draft.fifo_program.take(), true, true),
        (
            &mut global.vrrp_notify_fifo,
            draft.vrrp_fifo_program.take(),
            true,
            false,
        ),
        (&mut global.lvs.notify_fifo, draft.lvs_fifo_program.take(), false, true),
    ] {
        fifo.program = command.and_then(|command| programs.reader(*command, vrrp, lvs, ctx));
    }
    let common = global.notify_fifo.path.clone();
    for (fifo, what) in [
        (&mut global.vrrp_notify_fifo, "vrrp"),
        (&mut global.lvs.notify_fifo, "checker"),
    ] {
        if common.is_some() && fifo.path == common {
            let path = common.as_deref().unwrap_or_default();
            let message =
                format!("notify FIFO {path} has been specified for global and {what} FIFO - ignoring {what} FIFO");
            ctx.reports.whole(Code::Conflict, None, message);
            *fifo = NotifyFifo::default();
        }
    }
    let mail = &mut global.mail;
    if mail.alert_vrrp.is_none() && mail.alert.is_none() && !mail.to.is_empty() {
        // Nothing is mailed unless somebody asks for it; keepalived does the same.
        mail.alert_vrrp = None;
    }
}

fn file(draft: tracker::File) -> TrackedFile {
    TrackedFile {
        name: draft.name,
        path: draft.path.unwrap_or_default(),
        weight: draft.weight.unwrap_or_default(),
        init: draft.init,
    }
}

fn process(draft: tracker::Process) -> TrackedProcess {
    TrackedProcess {
        name: draft.name,
        process: draft.process.unwrap_or_default(),
        parameters: draft.parameters,
        param_match: draft.param_match,
        weight: draft.weight,
        quorum: draft.quorum.unwrap_or(1),
        quorum_max: draft.quorum_max,
        fork_delay: draft.fork_delay,
        terminate_delay: draft.terminate_delay,
        full_command: draft.full_command,
    }
}

/// A session; one that cannot run is kept without its neighbour, as those who track it see it down.
fn bfd(draft: bfd::Draft) -> BfdInstance {
    let neighbor = draft.neighbor.filter(|_| !draft.failed);
    let mut session = BfdInstance::new(&draft.name, neighbor);
    session.source = draft.source;
    session.min_rx = draft.min_rx.unwrap_or(session.min_rx);
    session.min_tx = draft.min_tx.unwrap_or(session.min_tx);
    session.idle_tx = draft.idle_tx.unwrap_or(session.idle_tx);
    session.multiplier = draft.multiplier.unwrap_or(session.multiplier);
    session.passive = draft.passive;
    session.ttl = draft.ttl.unwrap_or(session.ttl);
    session.max_hops = match draft.max_hops {
        None => Some(0),
        Some(hops) => u8::try_from(hops).ok(),
    };
    session.multihop = draft.multihop;
    session.weight = draft.weight;
    session.for_vrrp = draft.vrrp || !draft.checker;
    session.for_checker = draft.checker || !draft.vrrp;
    session
}

/// A check after the end of the blocks.
fn general<'c>(ctx: &'c mut Context<'_>, place: Place, code: Code, message: String) -> &'c mut Diagnostic {
    ctx.check(place, code, Class::General, message)
}

/// A check that stops everything.
fn fatal<'c>(ctx: &'c mut Context<'_>, place: Place, code: Code, message: String) -> &'c mut Diagnostic {
    ctx.fatal = true;
    ctx.check(place, code, Class::General, message)
}

/// Whether two instances are of one virtual router's kind: family, VRID, and both multicast or both unicast.
fn alike(one: &Instance, other: &Instance) -> bool {
    one.family == other.family && one.vrid == other.vrid && one.transport.is_unicast() == other.transport.is_unicast()
}

/// Track groups keep only members that exist.
fn track_group(draft: super::schema::group::TrackGroup) -> TrackGroup {
    TrackGroup {
        name: draft.name,
        members: Vec::new(),
    }
}
