//! The blocks of the top level: their names, their end, and what is checked there (semantic-checks §0).

use super::{Context, Known, service};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::schema::{bfd, global, group, instance, script, top, tracker};
use crate::config::source::FileKind;
use crate::config::tree::Node;
use crate::model::{LvsBlock, Weight};
use std::sync::Arc;

/// The one name of a block; told and skipped otherwise.
fn only_name(node: &Node, complaint: &str, ctx: &mut Context<'_>) -> Option<Arc<str>> {
    match node.first().filter(|_| node.len() == 2) {
        Some(name) => Some(name.into()),
        None => {
            let diagnostic = ctx
                .reports
                .at(node.place, Code::BadName, Class::General, complaint.to_owned());
            diagnostic.hint = Some("a name with blanks has to be quoted".into());
            None
        }
    }
}

fn already(node: &Node, known: Known, message: String, ctx: &mut Context<'_>) {
    let first = ctx.reports.related("first defined here", known.place);
    let diagnostic = ctx
        .reports
        .at(node.place, Code::AlreadyDefined, Class::General, message);
    diagnostic.related.push(first);
}

fn id(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn known(count: usize, weight: Weight, node: &Node) -> Known {
    Known {
        id: id(count),
        weight,
        place: node.place,
    }
}

pub(in crate::config) fn script(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = ctx.required(node, 1) else { return };
    let mut draft = script::Draft {
        name: name.into(),
        place: node.place,
        end: node.end,
        ..script::Draft::default()
    };
    script::TABLE.read_all(node, &mut draft, ctx);
    if draft.command.is_none() {
        let message = format!("No script set for vrrp_script {name} - removing");
        ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
        return;
    }
    if draft.user_failed {
        return;
    }
    if draft.user.is_none() && ctx.default_user.is_none() {
        ctx.no_default_user(node.place, node.end);
        let message = format!("Unable to set default user for vrrp script {name} - removing");
        ctx.reports.at_end(node, Code::ScriptUser, Class::General, message);
        return;
    }
    ctx.scripts
        .add(&draft.name, known(all.scripts.len(), draft.weight, node));
    all.scripts.push(draft);
}

pub(in crate::config) fn file(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = ctx.required(node, 1) else { return };
    let mut draft = tracker::File {
        name: name.into(),
        ..tracker::File::default()
    };
    tracker::FILE.read_all(node, &mut draft, ctx);
    let Some(path) = &draft.path else {
        let message = format!("No file set for track_file {name} - ignoring");
        ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
        return;
    };
    if let Some((code, message)) = unusable_file(name, path, ctx) {
        ctx.reports.at_end(node, code, Class::General, message);
        return;
    }
    let weight = draft.weight.or_else(|| Weight::new(1, false).ok()).unwrap_or_default();
    draft.weight = Some(weight);
    ctx.files.add(&draft.name, known(all.files.len(), weight, node));
    all.files.push(draft);
}

/// Why a file cannot be followed: its directory has to be there, and it has to be a plain file if it is.
fn unusable_file(name: &str, path: &str, ctx: &Context<'_>) -> Option<(Code, String)> {
    let directory = match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    };
    if let Ok(facts) = ctx.host.file(path) {
        let plain = matches!(facts.kind, FileKind::File | FileKind::Link | FileKind::Unspecified);
        let message = || format!("Cannot initialise track file {name} - it is not a regular file");
        return (!plain).then(|| (Code::IncompleteBlock, message()));
    }
    match ctx.host.file(directory) {
        Ok(_) => None,
        Err(why) => Some((Code::FileMissing, format!("realpath() error 2 ({why}) for {name}"))),
    }
}

pub(in crate::config) fn process(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = ctx.required(node, 1) else { return };
    let mut draft = tracker::Process {
        name: name.into(),
        ..tracker::Process::default()
    };
    tracker::PROCESS.read_all(node, &mut draft, ctx);
    if draft.process.is_none() {
        let message = format!("track process '{name}' process name not specified");
        ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
        return;
    }
    if draft.quorum_max.is_some_and(|max| draft.quorum.unwrap_or(1) > max) {
        let message = "Quorum is greater than quorum_max - ignoring".into();
        ctx.reports.at_end(node, Code::Conflict, Class::General, message);
        draft.quorum = draft.quorum_max;
    }
    ctx.processes
        .add(&draft.name, known(all.processes.len(), draft.weight, node));
    all.processes.push(draft);
}

pub(in crate::config) fn bfd(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = ctx.required(node, 1) else { return };
    if name.len() > 31 {
        let message = format!(
            "Configuration error: BFD instance name {name} too long (maximum length is 31 characters) - ignoring"
        );
        ctx.reports.at(node.place_of(1), Code::BadName, Class::General, message);
        return;
    }
    if let Some(known) = ctx.bfds.get(name) {
        return already(node, known, format!("BFD {name} already specified"), ctx);
    }
    let mut draft = bfd::Draft {
        name: name.into(),
        ..bfd::Draft::default()
    };
    bfd::TABLE.read_all(node, &mut draft, ctx);
    if let Some(message) = unusable_bfd(&draft, all) {
        ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
        draft.failed = true;
    }
    if let (Some(neighbor), Some(hops)) = (draft.neighbor, draft.max_hops) {
        let ttl = draft.ttl.unwrap_or(if neighbor.is_ipv4() { 255 } else { 64 });
        if hops > i16::from(ttl) {
            let message = format!("BFD instance {name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit");
            ctx.reports.at_end(node, Code::Conflict, Class::General, message);
            draft.max_hops = Some(i16::from(ttl));
        }
    }
    // Instances may refer to it even if the session itself is dropped, as in keepalived.
    ctx.bfds.add(&draft.name, known(all.bfds.len(), draft.weight, node));
    all.bfds.push(draft);
}

fn unusable_bfd(draft: &bfd::Draft, all: &top::Draft) -> Option<String> {
    let name = &draft.name;
    if draft.failed {
        return None;
    }
    let Some(neighbor) = draft.neighbor else {
        return Some(format!(
            "Configuration error: BFD instance {name} has no neighbor address set, disabling instance"
        ));
    };
    if let Some(source) = draft.source.filter(|source| source.is_ipv4() != neighbor.is_ipv4()) {
        return Some(format!(
            "Configuration error: BFD instance {name} source address {source} and neighbor address {neighbor} are not of the same family, disabling instance"
        ));
    }
    let same = |other: &&bfd::Draft| {
        !other.failed
            && other.source == draft.source
            && other.neighbor == draft.neighbor
            && other.multihop == draft.multihop
    };
    all.bfds.iter().find(same).map(|_| match draft.source {
        None => format!("Configuration error: BFD instance {name} has duplicate neighbor address {neighbor}, ignoring instance"),
        Some(source) => format!(
            "Configuration error: BFD instance {name} has duplicate source/neighbor address {source}/{neighbor}, ignoring instance"
        ),
    })
}

pub(in crate::config) fn group(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = only_name(node, "vrrp_sync_group must have a name - skipping", ctx) else {
        return;
    };
    if let Some(known) = ctx.groups.get(&name) {
        return already(node, known, format!("vrrp sync group {name} already defined"), ctx);
    }
    let mut draft = group::Draft {
        name: Arc::clone(&name),
        ..group::Draft::default()
    };
    for child in &node.children {
        if child.key() == "group" {
            group::members(
                child,
                "sync group",
                &name,
                &mut draft.has_group,
                &mut draft.members,
                ctx,
            );
        } else {
            group::TABLE.read(child, &mut draft, ctx);
        }
    }
    if draft.members.is_empty() {
        let message = format!("Sync group {name} has no members - removing");
        ctx.reports.at_end(node, Code::SyncGroup, Class::General, message);
        return;
    }
    ctx.groups.add(&name, known(all.groups.len(), Weight::ZERO, node));
    all.groups.push(draft);
}

pub(in crate::config) fn track_group(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = only_name(node, "track_group must have a name - skipping", ctx) else {
        return;
    };
    if let Some(known) = ctx.track_groups.get(&name) {
        return already(node, known, format!("track_group {name} already defined"), ctx);
    }
    let mut draft = group::TrackGroup {
        name: Arc::clone(&name),
        ..group::TrackGroup::default()
    };
    for child in &node.children {
        group::members(
            child,
            "track group",
            &name,
            &mut draft.has_group,
            &mut draft.members,
            ctx,
        );
    }
    if draft.members.is_empty() {
        let message = format!("Static track group {name} has no members - removing");
        ctx.reports.at_end(node, Code::SyncGroup, Class::General, message);
        return;
    }
    ctx.track_groups
        .add(&name, known(all.track_groups.len(), Weight::ZERO, node));
    all.track_groups.push(draft);
}

pub(in crate::config) fn garp_group(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let garp = &mut all.garp;
    garp.group = crate::model::GarpGroup::default();
    for child in &node.children {
        group::GARP_GROUP.read(child, garp, ctx);
        if child.key() == "interfaces" {
            garp.lists += 1;
            if child.children.is_empty() {
                let message = "Warning - empty garp_group interfaces block".into();
                ctx.reports
                    .at_end(child, Code::IncompleteBlock, Class::General, message);
            }
        }
    }
    let group = std::mem::take(&mut garp.group);
    garp.taken.extend(group.interfaces.iter().cloned());
    if group.garp_interval.is_none() && group.gna_interval.is_none() {
        let message = format!("garp group {} does not have any delay set - removing", garp.lists);
        ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
        return;
    }
    all.global.global.garp_groups.push(group);
}

pub(in crate::config) fn instance(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    let Some(name) = only_name(node, "vrrp_instance must have a name", ctx) else {
        return;
    };
    if let Some(known) = ctx.instances.get(&name) {
        return already(node, known, format!("vrrp instance {name} already defined"), ctx);
    }
    let mut draft = instance::Draft {
        name: Arc::clone(&name),
        place: node.place,
        ..instance::Draft::default()
    };
    // An empty list of peers counts too.
    draft.unicast = node.children.iter().any(|child| child.key() == "unicast_peer");
    instance::TABLE.read_all(node, &mut draft, ctx);
    end_of_instance(node, &mut draft, ctx);
    draft.shrink();
    ctx.instances.add(&name, known(all.instances.len(), Weight::ZERO, node));
    all.instances.push(draft);
}

fn end_of_instance(node: &Node, draft: &mut instance::Draft, ctx: &mut Context<'_>) {
    let name = &draft.name;
    if draft.unicast && draft.link.is_some() {
        if draft.interface.is_none() {
            let message = format!("({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac");
            ctx.reports.at_end(node, Code::OwnLink, Class::General, message);
            draft.link = None;
        } else if !draft.vmac_xmit_base && draft.link.as_ref().is_some_and(|link| !link.ipvlan) {
            let message = format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
            ctx.reports.at_end(node, Code::OwnLink, Class::General, message);
            draft.vmac_xmit_base = true;
        }
    }
    if draft.unicast_ttl.is_some() && draft.peers.is_empty() {
        let message = format!("({name}): Cannot use unicast_ttl without unicast peers - resetting");
        ctx.reports.at_end(node, Code::Unicast, Class::General, message);
        draft.unicast_ttl = None;
    }
}

/// LVS blocks are judged, kept as they stand, and told once.
pub(in crate::config) fn lvs(node: &Node, all: &mut top::Draft, ctx: &mut Context<'_>) {
    if all.lvs.is_empty() {
        let message = "LVS blocks are not handled by vrrpd, run `keepalived --check` beside it for these".into();
        ctx.reports.at(node.place, Code::Lvs, None, message);
    }
    service::read(&node.known(), &mut all.services, ctx);
    all.lvs.push(kept(node));
}

fn kept(node: &Node) -> LvsBlock {
    LvsBlock {
        words: node.words().map(str::to_owned).collect(),
        lines: node.has_block.then(|| node.children.iter().map(kept).collect()),
    }
}

/// Empty `notification_email` blocks are told.
pub(in crate::config) fn global_defs(node: &Node, draft: &mut global::Draft, ctx: &mut Context<'_>) {
    for child in &node.children {
        if ctx.in_order && matches!(child.key(), "script_user" | "enable_script_security") {
            draft.settle_users(child.key() == "enable_script_security", ctx.host);
        }
        global::TABLE.read(child, draft, ctx);
        if child.key() == "notification_email" && child.children.is_empty() {
            let message = "Warning - empty notification_email block".into();
            ctx.reports
                .at_end(child, Code::IncompleteBlock, Class::General, message);
        }
    }
}
