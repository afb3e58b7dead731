//! `vrrp_sync_group`, `track_group`, `garp_group`.

use super::instance::Notify;
use super::keyword::{Block, Keyword, Synonym, Table, Told, boolean, command, flag, time};
use super::value::Time;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Context, Tracks};
use crate::config::place::Place;
use crate::config::tree::Node;
use crate::model::{GarpGroup, IfName};
use std::sync::Arc;

/// A sync group as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) members: Vec<(Arc<str>, Place)>,
    /// `group` is written.
    pub(in crate::config) has_group: bool,
    pub(in crate::config) tracking_weight: bool,
    pub(in crate::config) tracks: Tracks,
    pub(in crate::config) notify: Notify,
    pub(in crate::config) smtp_alert: Option<bool>,
    pub(in crate::config) notify_priority_changes: Option<bool>,
}

impl Block for Draft {
    fn name(&self) -> &str {
        &self.name
    }
}

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "vrrp_sync_group",
    keywords: &[&[
        Keyword::<Draft>::words(
            "group",
            "{ INSTANCE ... }",
            |_, _, _| {},
            |d, _| d.members.iter().map(|(name, _)| super::global::quoted(name)).collect(),
        )
        .doc("none, required", "The members, in any order."),
        Keyword::<Draft>::lines(
            "track_interface",
            "{ IFNAME [weight N [reverse]] ... }",
            |node, d, ctx| {
                let name = d.name.clone();
                d.tracks.interface(node, &name, ctx);
            },
            |d, names| d.tracks.print_interfaces(names),
        )
        .doc("none", "Interfaces tracked for all members; -254..254."),
        Keyword::<Draft>::lines(
            "track_script",
            "{ NAME [weight N [reverse|noreverse]] ... }",
            |node, d, ctx| {
                let name = d.name.clone();
                d.tracks.script(node, &name, ctx);
            },
            |d, names| d.tracks.print_scripts(names),
        )
        .doc("none", "Scripts tracked for all members."),
        Keyword::<Draft>::lines(
            "track_file",
            "{ NAME [weight N [reverse|noreverse]] ... }",
            |node, d, ctx| {
                let name = d.name.clone();
                d.tracks.file(node, &name, ctx);
            },
            |d, names| d.tracks.print_files(names),
        )
        .doc("none", "Files tracked for all members."),
        Keyword::<Draft>::lines(
            "track_process",
            "{ NAME [weight N [reverse|noreverse]] ... }",
            |node, d, ctx| {
                let name = d.name.clone();
                d.tracks.process(node, &name, ctx);
            },
            |d, names| d.tracks.print_processes(names),
        )
        .doc("none", "Processes tracked for all members."),
        Keyword::<Draft>::lines(
            "track_bfd",
            "{ NAME [weight N [reverse|noreverse]] ... }",
            |node, d, ctx| {
                let name = d.name.clone();
                d.tracks.bfd(node, &name, ctx);
            },
            |d, names| d.tracks.print_bfds(names),
        )
        .later()
        .doc("none", "BFD sessions tracked for all members."),
        Keyword::<Draft>::command("notify_backup", command!(notify.backup))
            .first("vrrp group {n}: notify_backup script already specified - ignoring {v}")
            .nothing()
            .doc("none", "Run when the group becomes backup."),
        Keyword::<Draft>::command("notify_master", command!(notify.master))
            .first("vrrp group {n}: notify_master script already specified - ignoring {v}")
            .nothing()
            .doc("none", "Run when the group becomes master."),
        Keyword::<Draft>::command("notify_fault", command!(notify.fault))
            .first("vrrp group {n}: notify_fault script already specified - ignoring {v}")
            .nothing()
            .doc("none", "Run on a fault of the group."),
        Keyword::<Draft>::command("notify_stop", command!(notify.stop))
            .first("vrrp group {n}: notify_stop script already specified - ignoring {v}")
            .nothing()
            .doc("none", "Run at the stop."),
        Keyword::<Draft>::command("notify", command!(notify.any))
            .first("vrrp group {n}: notify script already specified - ignoring {v}")
            .nothing()
            .doc(
                "none",
                "Run at every change; GROUP, name, state and priority are appended.",
            ),
        Keyword::<Draft>::boolean("smtp_alert", boolean!(smtp_alert))
            .bad("Invalid vrrp_group smtp_alert parameter {v}")
            .later()
            .nothing()
            .doc("smtp_alert_vrrp, else smtp_alert, else false", "Mails changes."),
        Keyword::<Draft>::flag("sync_group_tracking_weight", flag!(tracking_weight))
            .synonyms(&[Synonym {
                name: "global_tracking",
                told: Told::Error(
                    Class::Deprecated,
                    "({n}) global_tracking is deprecated. Use track_interface/script/file on the sync group",
                ),
            }])
            .doc("off", "Members may track with weights."),
        Keyword::<Draft>::boolean("notify_priority_changes", boolean!(notify_priority_changes))
            .bad("({n}) Invalid value '{v}' for sync group notify_priority_changes specified")
            .nothing()
            .doc("unset", "Default of the members' notify_priority_changes."),
    ]],
};

/// Members of a `group` block. Whether there was one already: it is told then, and the block is skipped.
pub(in crate::config) fn members(
    block: &Node,
    what: &str,
    name: &str,
    has_group: &mut bool,
    members: &mut Vec<(Arc<str>, Place)>,
    ctx: &mut Context<'_>,
) {
    if std::mem::replace(has_group, true) {
        let message = format!("Group list already specified for sync group {name}");
        ctx.reports
            .at(block.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    for line in &block.children {
        let words = line.words().enumerate();
        members.extend(words.map(|(index, word)| (Arc::from(word), line.place_of(index))));
    }
    if members.is_empty() {
        let message = format!("Warning - {what} {name} has empty group block");
        ctx.reports.at_end(block, Code::SyncGroup, Class::General, message);
    }
}

/// A track group as written.
#[derive(Debug, Default)]
pub(in crate::config) struct TrackGroup {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) members: Vec<(Arc<str>, Place)>,
    pub(in crate::config) has_group: bool,
}

impl Block for TrackGroup {
    fn name(&self) -> &str {
        &self.name
    }
}

pub(in crate::config) const TRACK_GROUP: Table<TrackGroup> = Table {
    path: "track_group",
    keywords: &[&[Keyword::<TrackGroup>::words(
        "group",
        "{ INSTANCE ... }",
        |_, _, _| {},
        |d, _| d.members.iter().map(|(name, _)| super::global::quoted(name)).collect(),
    )
    .doc("none, required", "Instances that follow static entries.")]],
};

/// A `garp_group` as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Garp {
    pub(in crate::config) group: GarpGroup,
    /// Interfaces of the groups before.
    pub(in crate::config) taken: Vec<IfName>,
    /// How many `interfaces` lists there were so far.
    pub(in crate::config) lists: u32,
}

impl Block for Garp {
    fn name(&self) -> &'static str {
        "garp_group"
    }
}

pub(in crate::config) const GARP_GROUP: Table<Garp> = Table {
    path: "garp_group",
    keywords: &[&[
        Keyword::<Garp>::time(
            "garp_interval",
            Time::seconds(6, 0, 4_294_967_295),
            time!(group.garp_interval),
        )
        .bad("garp_group garp_interval '{v}' invalid")
        .later()
        .doc("unset", "Gap between two gratuitous ARPs."),
        Keyword::<Garp>::time(
            "gna_interval",
            Time::seconds(6, 0, 4_294_967_295),
            time!(group.gna_interval),
        )
        .bad("garp_group gna_interval '{v}' invalid")
        .later()
        .doc("unset", "Gap between two unsolicited neighbour advertisements."),
        Keyword::<Garp>::custom(
            "interface",
            "IFNAME",
            "",
            |node, d, ctx| {
                if ctx.required(node, 1).is_some() {
                    garp_interface(node, 1, d, ctx);
                }
            },
            |_, _| Vec::new(),
        )
        .later()
        .doc("none", "Interface of this group."),
        Keyword::<Garp>::words(
            "interfaces",
            "{ IFNAME ... }",
            |node, d, ctx| {
                for index in 0..node.len() {
                    garp_interface(node, index, d, ctx);
                }
            },
            |d, _| d.group.interfaces.iter().map(ToString::to_string).collect(),
        )
        .later()
        .doc("none", "Interfaces that share the gap."),
    ]],
};

fn garp_interface(node: &Node, index: usize, draft: &mut Garp, ctx: &mut Context<'_>) {
    let text = node.word(index).unwrap_or_default();
    let Ok(name) = text.parse::<IfName>() else {
        let message = format!("'{text}' is not an interface name - ignoring");
        ctx.reports
            .at(node.place_of(index), Code::BadName, Class::General, message);
        return;
    };
    let missing = ctx.interface(&name).is_none();
    let known = draft.taken.contains(&name) || draft.group.interfaces.contains(&name);
    // keepalived does not remember an interface that is missing, so it does not notice it twice.
    if missing && (!known || !ctx.dynamic_interfaces) {
        let message = format!("WARNING - interface {name} specified for garp_group doesn't exist");
        ctx.missing_interface(node, index, &name, message);
    } else if known {
        let message = format!("garp_group already specified for {name} - ignoring");
        ctx.reports.end(
            node.place_of(index),
            ctx.told_at,
            Code::AlreadyDefined,
            Class::General,
            message,
        );
    }
    if !known {
        draft.group.interfaces.push(name);
    }
}
