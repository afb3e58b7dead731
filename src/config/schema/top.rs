//! The top level: the blocks, and the few keywords outside of all blocks.

use super::keyword::{Block, Keyword, Synonym, Table, Told, flag, time};
use super::value::Time;
use super::{bfd, global, group, instance, script, tracker};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::service::Services;
use crate::config::lower::{Context, address, blocks, route, rule};
use crate::config::tree::Node;
use crate::model::{InterfaceDelay, LinkBeat, LinkBeatMethod, LvsBlock, Micros, Route, Rule};

/// Everything that is written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) global: global::Draft,
    pub(in crate::config) scripts: Vec<script::Draft>,
    pub(in crate::config) files: Vec<tracker::File>,
    pub(in crate::config) processes: Vec<tracker::Process>,
    pub(in crate::config) bfds: Vec<bfd::Draft>,
    pub(in crate::config) instances: Vec<instance::Draft>,
    pub(in crate::config) groups: Vec<group::Draft>,
    pub(in crate::config) track_groups: Vec<group::TrackGroup>,
    pub(in crate::config) garp: group::Garp,
    pub(in crate::config) static_addresses: Vec<address::Draft>,
    pub(in crate::config) static_routes: Vec<Route>,
    pub(in crate::config) static_rules: Vec<Rule>,
    pub(in crate::config) lvs: Vec<LvsBlock>,
    /// The same blocks, as far as they are judged.
    pub(in crate::config) services: Services,
}

impl Block for Draft {
    fn name(&self) -> &'static str {
        ""
    }
}

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "(top)",
    keywords: &[DAEMON, BLOCKS, LISTS],
};

const DAEMON: &[Keyword<Draft>] = &[
    Keyword::<Draft>::flag("linkbeat_use_polling", flag!(global.global.linkbeat_use_polling)).doc(
        "off",
        "Asks the interfaces of all instances for their link again and again.",
    ),
    Keyword::<Draft>::custom("net_namespace", "NAME", "", net_namespace, |d, _| {
        d.global.global.net_namespace.iter().cloned().collect()
    })
    .restart()
    .doc("none", "Runs in this network namespace."),
    Keyword::<Draft>::custom("net_namespace_ipvs", "[NAME]", "", net_namespace_ipvs, |d, _| {
        d.global.global.lvs.net_namespace.iter().cloned().collect()
    })
    .kept()
    .restart()
    .doc("none", "Network namespace of IPVS."),
    Keyword::<Draft>::flag("namespace_with_ipsets", flag!(global.global.namespace_with_ipsets))
        .kept()
        .doc("off", "Allows ipsets in a namespace on kernels before 3.13."),
    Keyword::<Draft>::flag("use_pid_dir", flag!(global.global.paths.use_pid_dir))
        .restart()
        .doc("off", "Pid files stand in /run/keepalived/ instead of /run."),
    Keyword::<Draft>::custom("instance", "NAME", "", instance_name, |d, _| {
        d.global.global.instance_name.iter().cloned().collect()
    })
    .toml("instance_name")
    .restart()
    .doc("none", "Name of this daemon beside others; part of pid files' names."),
    Keyword::<Draft>::time(
        "child_wait_time",
        Time::whole(0, 4_294_967_295),
        time!(global.global.child_wait_time = Micros::from_secs(5)),
    )
    .bad("Invalid child_wait_time {v}")
    .later()
    .nothing()
    .doc("5", "How long the daemon's end is waited for."),
];

fn net_namespace(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let name = &mut draft.global.global.net_namespace;
    once(
        node,
        name,
        "net_namespace",
        "net_namespace name missing - ignoring",
        ctx,
    );
}

fn net_namespace_ipvs(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let name = &mut draft.global.global.lvs.net_namespace;
    match node.first() {
        None if name.is_none() => *name = Some(String::new()),
        _ => once(node, name, "net_namespace_ipvs", "", ctx),
    }
}

fn instance_name(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let global = &mut draft.global.global;
    once(
        node,
        &mut global.instance_name,
        "instance",
        "instance name missing - ignoring",
        ctx,
    );
}

/// A name of which the first one counts.
fn once(node: &Node, target: &mut Option<String>, what: &str, missing: &str, ctx: &mut Context<'_>) {
    match (node.first(), &target) {
        (None, _) => {
            ctx.reports
                .at(node.place, Code::MissingParameter, Class::General, missing.to_owned());
        }
        (Some(name), Some(_)) => {
            let message = format!("Duplicate {what} definition {name} - ignoring");
            ctx.reports
                .at(node.place, Code::AlreadyDefined, Class::General, message);
        }
        (Some(name), None) => *target = Some(name.to_owned()),
    }
}

const BLOCKS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::block("global_defs", "{ ... }", "global_defs", |node, d, ctx| {
        blocks::global_defs(node, &mut d.global, ctx)
    })
    .doc("", "Settings of the daemon, and defaults."),
    Keyword::<Draft>::block("vrrp_script", "NAME { ... }", "vrrp_script", blocks::script)
        .toml("script")
        .doc("", "A program that checks something."),
    Keyword::<Draft>::block("track_file", "NAME { ... }", "track_file", blocks::file)
        .synonyms(&[Synonym {
            name: "vrrp_track_file",
            told: Told::Log("\"vrrp_track_file\" is deprecated, please use \"track_file\""),
        }])
        .doc("", "A file whose number changes priorities."),
    Keyword::<Draft>::block(
        "vrrp_track_process",
        "NAME { ... }",
        "vrrp_track_process",
        blocks::process,
    )
    .toml("process")
    .doc("", "Processes that are counted."),
    Keyword::<Draft>::block("bfd_instance", "NAME { ... }", "bfd_instance", blocks::bfd)
        .toml("bfd")
        .later()
        .doc("", "A BFD session."),
    Keyword::<Draft>::block("vrrp_sync_group", "NAME { ... }", "vrrp_sync_group", blocks::group)
        .toml("sync_group")
        .doc("", "Instances that change state together."),
    Keyword::<Draft>::block("track_group", "NAME { ... }", "track_group", blocks::track_group).doc(
        "",
        "Instances that are in fault while an interface of the static entries that name the group is down.",
    ),
    Keyword::<Draft>::block("garp_group", "{ ... }", "garp_group", blocks::garp_group)
        .later()
        .doc("", "Interfaces that share one pace of announcements."),
    Keyword::<Draft>::block("vrrp_instance", "NAME { ... }", "vrrp_instance", blocks::instance)
        .toml("instance")
        .doc("", "A virtual router."),
    Keyword::<Draft>::lvs("virtual_server", "IP PORT|fwmark N|group NAME { ... }", blocks::lvs)
        .doc("", "A virtual server of LVS."),
    Keyword::<Draft>::lvs("virtual_server_group", "NAME { ... }", blocks::lvs)
        .doc("", "Addresses of a virtual server of LVS."),
    Keyword::<Draft>::lvs("SSL", "{ ... }", blocks::lvs).doc("", "Keys for SSL_GET checkers."),
];

const LISTS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::lines(
        "linkbeat_interfaces",
        "{ IFNAME [MII|ETHTOOL|IOCTL] ... }",
        linkbeat,
        |d, _| d.global.global.linkbeat_interfaces.iter().map(print_linkbeat).collect(),
    )
    .doc("none", "Interfaces that are asked for their link again and again."),
    Keyword::<Draft>::lines(
        "interface_up_down_delays",
        "{ IFNAME DOWN [UP] ... }",
        delays,
        |d, _| {
            let print = |delay: &InterfaceDelay| {
                format!(
                    "{} {} {}",
                    delay.interface,
                    DELAY.print(delay.down),
                    DELAY.print(delay.up)
                )
            };
            d.global.global.interface_delays.iter().map(print).collect()
        },
    )
    .doc(
        "0 0",
        "How long an interface has to be down or up to count as such; seconds, 0..255.",
    ),
    Keyword::<Draft>::lines(
        "static_ipaddress",
        "{ ADDRESS ... }",
        |node, d, ctx| {
            d.static_addresses.extend(address::line(node, true, ctx));
        },
        |d, names| address::print_all(&d.static_addresses, names),
    )
    .doc("none", "Addresses that are set at the start and removed at the stop."),
    Keyword::<Draft>::lines(
        "static_routes",
        "{ ROUTE ... }",
        |node, d, ctx| d.static_routes.extend(route::line(node, true, ctx)),
        |d, names| d.static_routes.iter().map(|route| route::print(route, names)).collect(),
    )
    .interfaces_only()
    .doc("none", "Routes that are set at the start and removed at the stop."),
    Keyword::<Draft>::lines(
        "static_rules",
        "{ RULE ... }",
        |node, d, ctx| d.static_rules.extend(rule::line(node, true, ctx)),
        |d, names| d.static_rules.iter().map(|rule| rule::print(rule, names)).collect(),
    )
    .interfaces_only()
    .doc(
        "none",
        "Policy rules that are set at the start and removed at the stop.",
    ),
];

fn linkbeat(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let text = node.key();
    let interface = text.parse().ok().filter(|name| ctx.interface(name).is_some());
    let Some(interface) = interface else {
        let message = format!("unknown interface {text} specified for linkbeat interface");
        ctx.reports
            .at(node.place_of(0), Code::MissingInterface, Class::Fatal, message);
        return;
    };
    let method = match node.first() {
        None => None,
        Some("MII") => Some(LinkBeatMethod::Mii),
        Some("ETHTOOL") => Some(LinkBeatMethod::Ethtool),
        Some("IOCTL") => Some(LinkBeatMethod::Ioctl),
        Some(other) => {
            let message = format!("extra characters {other} in linkbeat interface");
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
            None
        }
    };
    draft
        .global
        .global
        .linkbeat_interfaces
        .push(LinkBeat { interface, method });
}

fn print_linkbeat(linkbeat: &LinkBeat) -> String {
    let method = linkbeat.method.map_or("", LinkBeatMethod::as_str);
    format!("{} {method}", linkbeat.interface).trim_end().to_owned()
}

const DELAY: Time = Time::seconds(6, 0, 255_000_000);

fn delays(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let text = node.key();
    let interface = text.parse().ok().filter(|name| ctx.interface(name).is_some());
    let Some(interface) = interface else {
        let message = format!("unknown interface {text} specified for up/down delay");
        ctx.reports
            .at(node.place_of(0), Code::MissingInterface, Class::Fatal, message);
        return;
    };
    // keepalived passes over a line without a time.
    let Some(down) = node.first() else { return };
    let mut read = |text: &str, index: usize| match ctx.number(DELAY.read(text, ctx.test), node, index) {
        Ok(time) => Some(time),
        Err(detail) => {
            let message = detail.unwrap_or_else(|| format!("invalid delay '{text}'"));
            ctx.reports
                .at(node.place_of(index), Code::BadNumber, Class::InvalidNumber, message);
            None
        }
    };
    let Some(down) = read(down, 1) else { return };
    let Some(up) = node.word(2).map_or(Some(Micros::ZERO), |text| read(text, 2)) else {
        return;
    };
    let all = &mut draft.global.global.interface_delays;
    all.retain(|delay| delay.interface != interface);
    all.push(InterfaceDelay { interface, down, up });
}
