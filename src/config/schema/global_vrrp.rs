//! `global_defs`: defaults of instances, announcements, firewall, FIFOs.

use super::global::{Draft, quoted};
use super::keyword::{Keyword, Synonym, Told, boolean, command, flag, int, time, word};
use super::value::{Read, Time, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Context, account, program_user};
use crate::config::tree::Node;
use crate::model::{Family, Micros, NotifyFifo, ReceiveBufferPolicy, Version};
use std::net::IpAddr;

const COUNT: i64 = 4_294_967_295;
/// Longest time of a timer that has microseconds in 32 bits.
const GAP: u64 = 4_294_967_295;

pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::custom(
        "dynamic_interfaces",
        "[allow_if_changes]",
        "",
        dynamic_interfaces,
        |d, _| {
            let word = if d.global.allow_if_changes {
                "allow_if_changes"
            } else {
                ""
            };
            d.global
                .dynamic_interfaces
                .then(|| word.to_owned())
                .into_iter()
                .collect()
        },
    )
    .nothing().doc("off", "Interfaces may appear later."),
    Keyword::<Draft>::custom("default_interface", "IFNAME", "", default_interface, |d, _| {
        d.global.default_interface.iter().map(ToString::to_string).collect()
    })
    .nothing().doc("eth0", "Interface of static addresses without `dev`."),
    Keyword::<Draft>::flag("disable_local_igmp", flag!(global.disable_local_igmp))
        .later()
        .restart()
        .doc("off", "Switches IGMP reports for link-local groups off."),
    Keyword::<Draft>::flag("v3_checksum_as_v2", flag!(global.v3_checksum_as_v2))
        .doc("off", "Default of the instances' v3_checksum_as_v2."),
    Keyword::<Draft>::custom(
        "vrrp_mcast_group4",
        "IP",
        "IPv4 multicast",
        |node, d, ctx| group(node, d, Family::Ipv4, ctx),
        |d, _| {
            let group = d.global.mcast_group4;
            (group != Family::Ipv4.vrrp_group())
                .then(|| group.to_string())
                .into_iter()
                .collect()
        },
    )
    .restart()
    .doc("224.0.0.18", "Where IPv4 adverts go."),
    Keyword::<Draft>::custom(
        "vrrp_mcast_group6",
        "IP",
        "IPv6 multicast",
        |node, d, ctx| group(node, d, Family::Ipv6, ctx),
        |d, _| {
            let group = d.global.mcast_group6;
            (group != Family::Ipv6.vrrp_group())
                .then(|| group.to_string())
                .into_iter()
                .collect()
        },
    )
    .restart()
    .doc("ff02::12", "Where IPv6 adverts go."),
    Keyword::<Draft>::time(
        "vrrp_garp_master_delay",
        Time::whole(0, 4294),
        time!(global.announce.master_delay = Micros::from_secs(5)),
    )
    .bad("{k} '{v}' invalid - ignoring")
    .nothing().doc("5", "Default of garp_master_delay."),
    Keyword::<Draft>::int(
        "vrrp_garp_master_repeat",
        "N",
        number(0, COUNT),
        int!(global.announce.master_repeat = 5),
    )
    .zero("{k} must be greater than 0, setting to 1")
    .bad("{k} '{v}' invalid - ignoring")
    .nothing().doc("5", "Default of garp_master_repeat."),
    Keyword::<Draft>::time(
        "vrrp_garp_master_refresh",
        Time::whole(0, GAP),
        time!(global.announce.refresh = Micros::ZERO),
    )
    .bad_then("Invalid {k} '{v}' - ignoring", |d| {
        d.global.announce.refresh = Micros::ZERO
    })
    .doc("0", "Default of garp_master_refresh."),
    Keyword::<Draft>::int(
        "vrrp_garp_master_refresh_repeat",
        "N",
        number(0, COUNT),
        int!(global.announce.refresh_repeat = 1),
    )
    .zero("{k} must be greater than 0, setting to 1")
    .bad("{k} '{v}' invalid - ignoring")
    .nothing().doc("1", "Default of garp_master_refresh_repeat."),
    Keyword::<Draft>::time(
        "vrrp_garp_lower_prio_delay",
        Time::whole(0, 4294),
        time!(lower_prio_delay),
    )
    .bad("{k} '{v}' invalid - ignoring")
    .nothing().doc("vrrp_garp_master_delay", "Default of garp_lower_prio_delay."),
    Keyword::<Draft>::int(
        "vrrp_garp_lower_prio_repeat",
        "N",
        number(0, 2_147_483_647),
        int!(lower_prio_repeat),
    )
    .bad("Invalid {k} '{v}'")
    .nothing().doc("vrrp_garp_master_repeat", "Default of garp_lower_prio_repeat."),
    Keyword::<Draft>::int(
        "vrrp_down_timer_adverts",
        "N",
        number(1, 100),
        (
            |d, n| {
                d.global.down_timer_adverts = u8::try_from(n)
                    .ok()
                    .and_then(crate::model::DownTimerAdverts::new)
                    .unwrap_or_default()
            },
            |d| Some(i64::from(d.global.down_timer_adverts.get())).filter(|n| *n != 3),
        ),
    )
    .bad("Invalid vrrp_down_timer_adverts [1:100] '{v}'")
    .doc("3", "Default of down_timer_adverts."),
    Keyword::<Draft>::time(
        "vrrp_garp_interval",
        Time::seconds(6, 1, GAP),
        time!(global.garp_interval = Micros::ZERO),
    )
    .bad("{k} '{v}' is invalid")
    .nothing().doc(
        "0",
        "Gap between two gratuitous ARPs on interfaces without a garp_group.",
    ),
    Keyword::<Draft>::time(
        "vrrp_gna_interval",
        Time::seconds(6, 1, GAP),
        time!(global.gna_interval = Micros::ZERO),
    )
    .bad("{k} '{v}' is invalid")
    .nothing().doc("0", "Gap between two unsolicited neighbour advertisements."),
    Keyword::<Draft>::boolean(
        "vrrp_min_garp",
        (|d, on| d.min_garp = on, |d| d.min_garp.then_some(true)),
    )
    .bad("Invalid value for vrrp_min_garp specified")
    .doc(
        "false",
        "Announces once instead of five times and not again, where nothing else is written.",
    ),
    Keyword::<Draft>::custom(
        "vrrp_garp_extra_if",
        "[all] SECS",
        "1..86400",
        |node, d, ctx| {
            extra_interfaces(node, &mut d.global.garp_extra, 1, "", ctx);
        },
        |d, _| super::instance_links::print_extra(&d.global.garp_extra),
    )
    .synonyms(&[Synonym {
        name: "vrrp_vmac_garp_intvl",
        told: Told::Error(
            Class::Deprecated,
            "Keyword \"vrrp_vmac_garp_intvl\" is deprecated - please use \"vrrp_garp_extra_if\"",
        ),
    }])
    .later()
    .doc("0", "Default of garp_extra_if."),
    Keyword::<Draft>::boolean(
        "vrrp_lower_prio_no_advert",
        boolean!(global.lower_prio_no_advert = false),
    )
    .bad("Invalid value for vrrp_lower_prio_no_advert specified")
    .nothing().doc("false", "Default of lower_prio_no_advert."),
    Keyword::<Draft>::boolean(
        "vrrp_higher_prio_send_advert",
        boolean!(global.higher_prio_send_advert = false),
    )
    .bad("Invalid value for vrrp_higher_prio_send_advert specified")
    .nothing().doc("false", "Default of higher_prio_send_advert."),
    Keyword::<Draft>::boolean(
        "vrrp_listen_after_stall",
        boolean!(global.listen_after_stall = false),
    )
    .bad("Invalid value for vrrp_listen_after_stall specified")
    .nothing().doc("false", "Default of listen_after_stall. Not known to keepalived."),
    Keyword::<Draft>::int(
        "vrrp_version",
        "2|3",
        number(2, 3).signed(),
        (
            |d, n| d.global.vrrp_version = if n == 3 { Version::V3 } else { Version::V2 },
            |d| (d.global.vrrp_version == Version::V3).then_some(3),
        ),
    )
    .bad("VRRP Error: Version must be either 2 or 3")
    .doc("2", "Default version of IPv4 instances."),
    Keyword::<Draft>::custom(
        "vrrp_iptables",
        "[INCHAIN [OUTCHAIN]]",
        "at most 27 characters",
        iptables,
        |d, _| {
            d.global
                .firewall
                .iptables
                .iter()
                .map(|(input, output)| format!("{input} {output}").trim_end().to_owned())
                .collect()
        },
    )
    .later()
    .restart()
    .doc(
        "off; without names: INPUT OUTPUT",
        "iptables chains that keep packets from addresses that do not accept them.",
    ),
    Keyword::<Draft>::custom(
        "vrrp_ipsets",
        "[NAME [NAME6 [IF6 [IGMP [MLD [ND]]]]]]",
        "at most 30 characters",
        ipsets,
        |d, _| d.global.firewall.ipsets.iter().map(|names| names.join(" ")).collect(),
    )
    .later()
    .restart()
    .doc("unset; without names: none", "ipsets used with vrrp_iptables."),
    Keyword::<Draft>::custom("nftables", "[TABLE]", "at most 254 characters", nftables, |d, _| {
        d.global.firewall.nftables.iter().cloned().collect()
    })
    .later()
    .restart()
    .doc(
        "keepalived, if one is needed",
        "nftables table that keeps packets from addresses that do not accept them.",
    ),
    Keyword::<Draft>::int(
        "nftables_priority",
        "N",
        strict(-2_147_483_648, 2_147_483_647),
        int!(global.firewall.nftables_priority = -1),
    )
    .bad("invalid nftables chain priority '{v}'")
    .later()
    .restart()
    .doc("-1", "Priority of its chains."),
    Keyword::<Draft>::flag("nftables_ifindex", flag!(global.firewall.nftables_ifindex))
        .later()
        .restart()
        .doc("off", "Names interfaces by number in its sets."),
    Keyword::<Draft>::flag("nftables_counters", flag!(global.firewall.nftables_counters))
        .later()
        .restart()
        .doc("off", "Counts packets in its rules."),
    Keyword::<Draft>::flag("vrrp_check_unicast_src", flag!(global.check_unicast_src))
        .nothing().doc("off", "Default of check_unicast_src."),
    Keyword::<Draft>::boolean("vrrp_skip_check_adv_addr", boolean!(global.skip_check_adv_addr = false))
        .bad("Invalid value '{v}' for global vrrp_check_adv_addr specified")
        .nothing().doc("false", "Default of skip_check_adv_addr."),
    Keyword::<Draft>::boolean("vrrp_strict", boolean!(global.strict = false))
        .bad("Invalid value '{v}' for global vrrp_strict specified")
        .nothing().doc("false", "Default of strict_mode."),
    Keyword::<Draft>::custom(
        "notify_fifo",
        "PATH [USER [GROUP]]",
        "",
        |node, d, ctx| fifo(node, &mut d.global.notify_fifo, ctx),
        |d, _| print_fifo(&d.global.notify_fifo),
    )
    .doc("none", "FIFO that gets a line for every change."),
    Keyword::<Draft>::command("notify_fifo_script", command!(fifo_program))
        .first("notify_fifo_script already specified - ignoring {v}")
        .missing("No notify_fifo_script specified")
        .doc("none", "Reads that FIFO; its path is the last argument."),
    Keyword::<Draft>::custom(
        "vrrp_notify_fifo",
        "PATH [USER [GROUP]]",
        "",
        |node, d, ctx| fifo(node, &mut d.global.vrrp_notify_fifo, ctx),
        |d, _| print_fifo(&d.global.vrrp_notify_fifo),
    )
    .doc("none", "FIFO for instances and groups only."),
    Keyword::<Draft>::command("vrrp_notify_fifo_script", command!(vrrp_fifo_program))
        .first("vrrp_notify_fifo_script already specified - ignoring {v}")
        .missing("No vrrp_notify_fifo_script specified")
        .doc("none", "Reads that FIFO."),
    Keyword::<Draft>::boolean(
        "vrrp_notify_priority_changes",
        boolean!(global.notify_priority_changes = false),
    )
    .bad("Invalid value '{v}' for global vrrp_notify_priority_changes specified")
    .nothing().doc("false", "Default of notify_priority_changes."),
    Keyword::<Draft>::flag("fifo_write_vrrp_states_on_reload", flag!(global.fifo_states_on_reload))
        .nothing()
        .doc("off", "Writes all states to the FIFOs after a reload."),
    Keyword::<Draft>::time(
        "notify_order_timeout",
        Time::seconds(3, 1_000, 86_400_000_000),
        time!(global.notify_order_timeout = Micros::from_secs(5)),
    )
    .bad("{k} '{v}' must be between 0.001 and 86400 - ignoring")
    .nothing()
    .doc(
        "5",
        "How long a notify script is waited for before the next one of the same instance or group starts beside it.",
    ),
    Keyword::<Draft>::flag("notify_parallel", flag!(global.notify_parallel))
        .nothing()
        .doc("off", "No notify script waits for another one, as in keepalived."),
    Keyword::<Draft>::boolean("heartbeat_guard", boolean!(global.heartbeat_guard = false))
        .bad("Invalid value for heartbeat_guard specified")
        .restart()
        .doc(
            "false",
            "A daemon that stands still for the smallest Master_Down_Interval, at least 2 s, is killed, cleaned up after and started again. Not known to keepalived.",
        ),
    Keyword::<Draft>::custom(
        "vrrp_rx_bufs_policy",
        "MTU|ADVERT|BYTES",
        "0..4294967295",
        rx_bufs_policy,
        |d, _| match d.global.receive_buffers.policy {
            ReceiveBufferPolicy::System => Vec::new(),
            ReceiveBufferPolicy::Mtu => vec!["MTU".into()],
            ReceiveBufferPolicy::Advert => vec!["ADVERT".into()],
            ReceiveBufferPolicy::Bytes(bytes) => vec![bytes.to_string()],
        },
    )
    .later()
    .restart()
    .doc("the system's size", "How large receive buffers are."),
    Keyword::<Draft>::int(
        "vrrp_rx_bufs_multiplier",
        "N",
        strict(1, COUNT),
        int!(global.receive_buffers.multiplier = 3),
    )
    .bad("Invalid vrrp_rx_bufs_multiplier {v}")
    .only("Invalid vrrp_rx_bufs_multiplier")
    .later()
    .restart()
    .doc("3", "Multiplier of the policy."),
    Keyword::<Draft>::time(
        "vrrp_startup_delay",
        Time::seconds(6, 1_000, GAP),
        (
            // The larger one counts.
            |d, time| d.global.startup_delay = d.global.startup_delay.max(time),
            |d| Some(d.global.startup_delay).filter(|time| *time != Micros::ZERO),
        ),
    )
    .bad("{k} '{v}' is invalid")
    .nothing().doc("0", "Instances begin this long after the start."),
    Keyword::<Draft>::time(
        "vrrp_delay_after_boot",
        Time::seconds(6, 1_000, GAP),
        (
            |d, time| d.global.delay_after_boot = d.global.delay_after_boot.max(time),
            |d| Some(d.global.delay_after_boot).filter(|time| *time != Micros::ZERO),
        ),
    )
    .bad("{k} '{v}' is invalid")
    .nothing().doc("0", "Instances begin this long after the boot of the machine."),
    Keyword::<Draft>::flag("log_unknown_vrids", flag!(global.log_unknown_vrids))
        .nothing().doc("off", "Logs adverts of VRIDs that are not configured."),
    Keyword::<Draft>::boolean(
        "vrrp_owner_ignore_adverts",
        boolean!(global.owner_ignore_adverts = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .nothing().doc("false", "Default of owner_ignore_adverts."),
    Keyword::<Draft>::word("vmac_prefix", "STRING", word!(global.vmac_prefix))
        .first("vmac prefix has already been specified - ignoring {v}")
        .later()
        .restart()
        .doc("vrrp", "How names of generated VMACs begin."),
    Keyword::<Draft>::word("vmac_addr_prefix", "STRING", word!(global.vmac_addr_prefix))
        .first("vmac_addr prefix has already been specified - ignoring {v}")
        .later()
        .restart()
        .doc("vmac_prefix", "The same for VMACs of addresses on other interfaces."),
];

fn dynamic_interfaces(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    draft.global.dynamic_interfaces = true;
    match node.first() {
        None => {}
        Some("allow_if_changes") => draft.global.allow_if_changes = true,
        Some(other) => {
            let message = format!("Unknown dynamic_interfaces option '{other}'");
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

fn default_interface(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    match node.first().map(str::parse) {
        Some(Ok(name)) => draft.global.default_interface = Some(name),
        _ => {
            let message = "default_interface requires interface name".into();
            ctx.reports.at(node.place, Code::BadName, Class::General, message);
        }
    }
}

fn group(node: &Node, draft: &mut Draft, family: Family, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let key = node.key();
    let complaint = match text.parse::<IpAddr>() {
        Err(_) => format!("Can't parse {key} [{text}]. Skipping"),
        Ok(address) if Family::of(address) != family => {
            format!("{key} [{text}] is not {family}. Skipping")
        }
        Ok(address) if !address.is_multicast() => {
            format!("{key} [{text}] is not multicast. Skipping")
        }
        Ok(IpAddr::V4(address)) => return draft.global.mcast_group4 = address.into(),
        Ok(IpAddr::V6(address)) => {
            draft.global.mcast_group6 = address.into();
            if address.segments()[0] & 0xf != 2 {
                let message = format!("vrrp_mcast_group6 [{text}] should be link-local multicast.");
                ctx.reports
                    .at(node.place_of(1), Code::BadAddress, Class::Warning, message);
            }
            return;
        }
    };
    ctx.reports
        .at(node.place_of(1), Code::BadAddress, Class::General, complaint);
}

/// `[all] SECS` of `garp_extra_if`. `prefix` begins the messages.
pub(super) fn extra_interfaces(
    node: &Node,
    extra: &mut crate::model::GarpExtra,
    min: u64,
    prefix: &str,
    ctx: &mut Context<'_>,
) {
    let time = Time::whole(min, 86_400);
    let (mut all, mut interval) = (false, None);
    for (index, text) in (1..).zip(node.args()) {
        if text == "all" {
            all = true;
            continue;
        }
        match ctx.number(time.read(text, ctx.test), node, index) {
            Ok(time) => interval = Some(time),
            Err(detail) => {
                let message = format!("{prefix}{} '{text}' invalid - ignoring", node.key());
                let diagnostic = ctx
                    .reports
                    .at(node.place_of(index), Code::BadNumber, Class::General, message);
                diagnostic.detail = detail;
                diagnostic.hint = Some(time.hint());
                return;
            }
        }
    }
    match interval {
        Some(interval) => *extra = crate::model::GarpExtra { interval, all },
        None => {
            let message = format!("{prefix}{} specified without time - ignoring", node.key());
            ctx.reports
                .at(node.place, Code::MissingParameter, Class::General, message);
        }
    }
}

fn iptables(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if draft.global.firewall.iptables.is_some() {
        let message = "iptables already specified - ignoring".into();
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    for (index, name) in (1..3).zip(node.args()) {
        if name.is_empty() || name.len() > 27 {
            let message = format!("VRRP Error : iptables {name} name too long - ignored");
            ctx.reports
                .at(node.place_of(index), Code::BadName, Class::General, message);
            return;
        }
    }
    draft.global.firewall.iptables = match (node.word(1), node.word(2)) {
        (Some(input), Some(output)) if input == output => {
            let message = format!("iptables chains must differ, both are {input} - ignoring");
            ctx.reports.at(node.place_of(2), Code::Conflict, None, message);
            None
        }
        (None, _) => Some(("INPUT".into(), "OUTPUT".into())),
        (Some(input), output) => Some((input.into(), output.unwrap_or_default().into())),
    };
}

fn ipsets(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let names: Vec<String> = node.args().take(6).map(str::to_owned).collect();
    let bad = names.iter().enumerate().find(|(index, name)| {
        name.is_empty() || name.len() > 30 || names.iter().take(*index).any(|other| other == *name)
    });
    draft.global.firewall.ipsets = match bad {
        None => Some(names),
        Some((index, name)) => {
            let message = format!("VRRP Error : ipset name {name} is too long or used twice - ignored");
            ctx.reports
                .at(node.place_of(index + 1), Code::BadName, Class::General, message);
            None
        }
    };
}

fn nftables(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let firewall = &mut draft.global.firewall;
    if firewall.nftables.is_some() {
        let message = "nftables already specified - ignoring".into();
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    match node.first() {
        Some(name) if name.is_empty() || name.len() > 254 => {
            let why = if name.is_empty() { "empty" } else { "too long" };
            let message = format!("VRRP Error : nftables chain name {why} - ignored");
            ctx.reports.at(node.place_of(1), Code::BadName, Class::General, message);
        }
        name => firewall.nftables = Some(name.unwrap_or("keepalived").to_owned()),
    }
}

/// `PATH [USER [GROUP]]`; the first one counts.
pub(super) fn fifo(node: &Node, fifo: &mut NotifyFifo, ctx: &mut Context<'_>) {
    let key = node.key();
    let Some(path) = node.first() else {
        let message = format!("No {key} name specified");
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    };
    if fifo.path.is_some() {
        let message = format!("{key} already specified - ignoring {path}");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    let words: Vec<_> = node.args().skip(1).collect();
    if !words.is_empty() {
        match program_user(&words, ctx.host) {
            Some((user, account)) => {
                fifo.user = Some(user);
                fifo.account = Some(account);
            }
            None => {
                let message = format!("Invalid user/group for {key} - ignored");
                ctx.reports.at(node.place_of(2), Code::ScriptUser, None, message);
                return;
            }
        }
    }
    fifo.path = Some(path.to_owned());
}

pub(super) fn print_fifo(fifo: &NotifyFifo) -> Vec<String> {
    let owner = fifo
        .account
        .as_ref()
        .map(|owner| format!(" {}", account(owner)))
        .unwrap_or_default();
    fifo.path
        .iter()
        .map(|path| format!("{}{owner}", quoted(path)))
        .collect()
}

fn rx_bufs_policy(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = node.first() else {
        let message = "vrrp_rx_bufs_policy missing".into();
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    };
    let policy = &mut draft.global.receive_buffers.policy;
    let size = strict(0, COUNT).exact(text).and_then(|size| u32::try_from(size).ok());
    if let Some(bytes) = size {
        *policy = ReceiveBufferPolicy::Bytes(bytes);
        return;
    }
    for (index, word) in (1..).zip(node.args()) {
        let wanted = if word.eq_ignore_ascii_case("MTU") {
            ReceiveBufferPolicy::Mtu
        } else if word.eq_ignore_ascii_case("ADVERT") {
            ReceiveBufferPolicy::Advert
        } else {
            let message = format!("Invalid vrrp_rx_bufs_policy {word}");
            let diagnostic = ctx
                .reports
                .at(node.place_of(index), Code::BadValue, Class::General, message);
            if let (1, Read::Bad(why)) = (index, strict(0, COUNT).read(word, true)) {
                diagnostic.detail = why;
            }
            continue;
        };
        match *policy {
            ReceiveBufferPolicy::System => *policy = wanted,
            held if held == wanted => {}
            ReceiveBufferPolicy::Bytes(_) | ReceiveBufferPolicy::Mtu | ReceiveBufferPolicy::Advert => {
                if wanted == ReceiveBufferPolicy::Mtu && *policy == ReceiveBufferPolicy::Advert {
                    *policy = wanted;
                }
                let message = "vrrp_rx_bufs_policy has two policies, only one of them counts".into();
                ctx.reports
                    .at(node.place_of(index), Code::Conflict, Class::General, message);
            }
        }
    }
}
