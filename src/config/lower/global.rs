//! `global_defs` and the keywords at the top level.

use super::values::{boolean, integer, seconds, small, within};
use super::{Context, Node};
use crate::config::diagnostic::Class;
use crate::model::{DownTimerAdverts, Family, Micros, ProgramUser, Version};
use std::net::IpAddr;

pub(super) fn top_level(node: &Node, ctx: &mut Context<'_>) {
    match node.key.as_str() {
        "global_defs" => node.children.iter().for_each(|child| keyword(child, ctx)),
        "instance" => ctx.global.instance_name = ctx.required(node).map(str::to_owned),
        "net_namespace" => ctx.global.net_namespace = ctx.required(node).map(str::to_owned),
        "use_pid_dir" => ctx.global.paths.use_pid_dir = true,
        _ => {}
    }
}

/// Settings that follow others unless they were written.
pub(super) fn finish(ctx: &mut Context<'_>) {
    if ctx.global.announce.lower_prio_repeat == UNSET_REPEAT {
        ctx.global.announce.lower_prio_repeat = ctx.global.announce.master_repeat;
    }
}

/// Marks `vrrp_garp_lower_prio_repeat` as not written; out of the keyword's range.
pub(super) const UNSET_REPEAT: u32 = u32::MAX;

fn keyword(node: &Node, ctx: &mut Context<'_>) {
    match node.key.as_str() {
        "router_id" => ctx.global.router_id = ctx.required(node).map(str::to_owned),
        "vrrp_version" => match ctx.required(node).and_then(|text| small(text, 2, 3)) {
            Some(2u8) => ctx.global.vrrp_version = Version::V2,
            Some(_) => ctx.global.vrrp_version = Version::V3,
            None => ctx.general(node, format!("Invalid vrrp_version '{}'", node.args.join(" "))),
        },
        "vrrp_strict" => flag(node, ctx, |global, on| global.strict = on),
        "dynamic_interfaces" => ctx.global.dynamic_interfaces = true,
        "enable_script_security" => ctx.global.script_security = true,
        "use_symlink_paths" => flag(node, ctx, |global, on| global.use_symlink_paths = on),
        "script_user" => ctx.global.script_user = program_user(node, ctx),
        "default_interface" => {
            ctx.global.default_interface = ctx.required(node).and_then(|name| name.parse().ok());
        }
        "vrrp_mcast_group4" => group(node, Family::Ipv4, ctx),
        "vrrp_mcast_group6" => group(node, Family::Ipv6, ctx),
        "vrrp_lower_prio_no_advert" => flag(node, ctx, |global, on| global.lower_prio_no_advert = on),
        "vrrp_higher_prio_send_advert" => flag(node, ctx, |global, on| global.higher_prio_send_advert = on),
        "vrrp_skip_check_adv_addr" => flag(node, ctx, |global, on| global.skip_check_adv_addr = on),
        "vrrp_check_unicast_src" => ctx.global.check_unicast_src = true,
        "log_unknown_vrids" => ctx.global.log_unknown_vrids = true,
        "process_names" => ctx.global.process_names = true,
        "vrrp_no_swap" => ctx.global.vrrp.no_swap = true,
        "umask" => match node
            .first()
            .and_then(|text| u32::from_str_radix(text.trim_start_matches("0o"), 8).ok())
        {
            Some(mask) if mask <= 0o777 => ctx.global.umask = mask,
            _ => ctx.general(node, format!("Invalid umask '{}'", node.args.join(" "))),
        },
        "vrrp_priority" => ctx.global.vrrp.nice = node.first().and_then(|text| small(text, -20, 19)),
        "vrrp_rt_priority" => {
            ctx.global.vrrp.rt_priority = node
                .first()
                .and_then(integer)
                .and_then(|n| u8::try_from(n.clamp(1, 99)).ok());
        }
        "reload_check_config" => {
            ctx.global.reload_check_config = Some(node.first().unwrap_or("/dev/null").to_owned());
        }
        "state_dump_file" | "state_file_location" => {
            ctx.global.paths.state_dump_file = node.first().map(str::to_owned);
        }
        "stats_dump_file" | "stats_file_location" => {
            ctx.global.paths.stats_dump_file = node.first().map(str::to_owned);
        }
        "json_dump_file" | "json_file_location" => {
            ctx.global.paths.json_dump_file = node.first().map(str::to_owned);
        }
        "data_use_instance" => flag(node, ctx, |global, on| global.paths.data_use_instance = on),
        key if key.starts_with("vrrp_garp_") || key.starts_with("vrrp_g") || key == "vrrp_min_garp" => {
            announce(node, ctx)
        }
        "vrrp_down_timer_adverts" => {
            match ctx
                .required(node)
                .and_then(|text| small(text, 1, 100))
                .and_then(DownTimerAdverts::new)
            {
                Some(adverts) => ctx.global.down_timer_adverts = adverts,
                None => ctx.general(
                    node,
                    format!("Invalid vrrp_down_timer_adverts '{}'", node.args.join(" ")),
                ),
            }
        }
        // What concerns mail, LVS, SNMP and D-Bus changes nothing for the rest.
        _ => ctx.not_acted_on(node),
    }
}

fn flag(node: &Node, ctx: &mut Context<'_>, set: impl FnOnce(&mut crate::model::Global, bool)) {
    match boolean(node.first()) {
        Some(on) => set(&mut ctx.global, on),
        None => ctx.general(
            node,
            format!("Invalid value '{}' for global {}", node.args.join(" "), node.key),
        ),
    }
}

fn announce(node: &Node, ctx: &mut Context<'_>) {
    let text = node.first().unwrap_or_default();
    let whole = |max| within(text, 0, max).and_then(|n| u64::try_from(n).ok());
    let repeat = || small::<u32>(text, 1, i64::from(u32::MAX - 1));
    let settings = &mut ctx.global.announce;
    let good = match node.key.as_str() {
        "vrrp_garp_master_delay" => whole(4294)
            .map(|s| settings.master_delay = Micros::from_secs(s))
            .is_some(),
        "vrrp_garp_master_repeat" => repeat().map(|n| settings.master_repeat = n).is_some(),
        "vrrp_garp_master_refresh" => whole(4_294_967_295)
            .map(|s| settings.refresh = Micros::from_secs(s))
            .is_some(),
        "vrrp_garp_master_refresh_repeat" => repeat().map(|n| settings.refresh_repeat = n).is_some(),
        "vrrp_garp_lower_prio_delay" => whole(4294)
            .map(|s| settings.lower_prio_delay = Micros::from_secs(s))
            .is_some(),
        "vrrp_garp_lower_prio_repeat" => small(text, 0, i64::from(i32::MAX))
            .map(|n: u32| settings.lower_prio_repeat = n)
            .is_some(),
        "vrrp_garp_interval" => seconds(text, 6).map(|gap| ctx.global.garp_interval = gap).is_some(),
        "vrrp_gna_interval" => seconds(text, 6).map(|gap| ctx.global.gna_interval = gap).is_some(),
        "vrrp_min_garp" => {
            settings.master_repeat = 1;
            settings.master_delay = Micros::ZERO;
            settings.refresh = Micros::ZERO;
            true
        }
        _ => {
            ctx.not_acted_on(node);
            true
        }
    };
    if !good {
        ctx.general(node, format!("{} '{text}' is invalid - ignoring", node.key));
    }
}

fn group(node: &Node, family: Family, ctx: &mut Context<'_>) {
    let address = ctx.required(node).and_then(|text| text.parse::<IpAddr>().ok());
    match address.filter(|a| Family::of(*a) == family && a.is_multicast()) {
        Some(address) if family == Family::Ipv4 => ctx.global.mcast_group4 = address,
        Some(address) => ctx.global.mcast_group6 = address,
        None => ctx.general(
            node,
            format!(
                "Configuration error: {} is not a multicast address",
                node.args.join(" ")
            ),
        ),
    }
}

/// `USER [GROUP]`; without a group the user's own.
pub(super) fn program_user(node: &Node, ctx: &mut Context<'_>) -> Option<ProgramUser> {
    let name = ctx.required(node)?;
    let number = |text: &str| text.parse::<u32>().ok();
    let user = ctx
        .host
        .user(name)
        .or_else(|| number(name).map(|uid| ProgramUser { uid, gid: uid }));
    let group = match node.args.get(1).map(|group| group.trim_start_matches(':')) {
        None => Some(None),
        Some(group) => ctx.host.group(group).or_else(|| number(group)).map(Some),
    };
    let Some((user, group)) = user.zip(group) else {
        ctx.report(
            Class::General,
            &node.position,
            format!("Unable to find user/group '{}'", node.args.join(" ")),
        );
        return None;
    };
    Some(ProgramUser {
        uid: user.uid,
        gid: group.unwrap_or(user.gid),
    })
}
