//! One line of `virtual_ipaddress` or `virtual_ipaddress_excluded` (addresses-routes-rules §1).

use super::values::{integer, small};
use super::{Context, Node};
use crate::model::{Broadcast, Family, IfName, PreferredLifetime, VirtualAddress};
use std::net::IpAddr;

/// An address whose interface may still be the instance's.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) address: VirtualAddress,
    pub(super) interface: Option<IfName>,
}

pub(super) fn line(node: &Node, ctx: &mut Context<'_>) -> Option<Draft> {
    let mut words = node.words();
    let text = words.next()?;
    let (host, prefix) = text
        .split_once('/')
        .map_or((text, None), |(host, prefix)| (host, Some(prefix)));
    let Ok(address) = host.parse::<IpAddr>() else {
        ctx.general(node, format!("VRRP parsed invalid IP {text}. skipping IP..."));
        return None;
    };
    let max = Family::of(address).max_prefix();
    let prefix_len = match prefix.map(|prefix| small(prefix, 0, i64::from(max))) {
        None => max,
        Some(Some(prefix)) => prefix,
        Some(None) => {
            let bad = prefix.unwrap_or_default();
            ctx.general(
                node,
                format!("Invalid address prefix len {bad} for address {host} - using {max}"),
            );
            max
        }
    };
    // The name is replaced when the instance's own interface is known.
    let placeholder = "lo".parse().ok()?;
    let mut draft = Draft {
        address: VirtualAddress::plain(address, prefix_len, placeholder),
        interface: None,
    };
    while let Some(word) = words.next() {
        let keep = option(word, &mut words, &mut draft, node, text, ctx);
        if !keep {
            return None;
        }
    }
    Some(draft)
}

/// Whether the address is kept.
fn option<'w>(
    word: &str,
    words: &mut impl Iterator<Item = &'w str>,
    draft: &mut Draft,
    node: &Node,
    text: &str,
    ctx: &mut Context<'_>,
) -> bool {
    let address = &mut draft.address;
    match word {
        "home" => address.home = true,
        "-nodad" => address.nodad = false,
        "mngtmpaddr" => address.mngtmpaddr = true,
        "noprefixroute" => address.noprefixroute = true,
        "autojoin" => address.autojoin = true,
        "no_track" => address.no_track = true,
        "use_vmac" => ctx.not_acted_on(node),
        "dev" | "brd" | "broadcast" | "scope" | "label" | "peer" | "preferred_lft" => {
            let Some(value) = words.next() else {
                ctx.general(node, format!("No {word} parameter specified for {text}"));
                return false;
            };
            return valued(word, value, draft, node, ctx);
        }
        other => ctx.general(
            node,
            format!("Unknown configuration entry '{other}' for ip address - ignoring"),
        ),
    }
    true
}

fn valued(word: &str, value: &str, draft: &mut Draft, node: &Node, ctx: &mut Context<'_>) -> bool {
    let address = &mut draft.address;
    let ipv6 = address.address.is_ipv6();
    match word {
        "dev" => {
            if draft.interface.is_some() {
                let ip = address.address;
                ctx.general(node, format!("Cannot specify ipaddress device more than once for {ip}"));
                return false;
            }
            draft.interface = ctx.interface(value);
            if draft
                .interface
                .as_ref()
                .is_none_or(|name| ctx.host.interface(name).is_none())
            {
                let ip = address.address;
                ctx.general(
                    node,
                    format!("WARNING - interface {value} for ip address {ip} doesn't exist"),
                );
            }
            draft.interface.is_some()
        }
        "brd" | "broadcast" => broadcast(value, address, node, ctx),
        "scope" => {
            match scope(value) {
                Some(0) => {}
                Some(_) if ipv6 => {
                    let ip = address.address;
                    ctx.general(
                        node,
                        format!("Cannot specify scope for IPv6 addresses ({ip}) - ignoring scope"),
                    );
                }
                Some(scope) => address.scope = scope,
                None => {
                    let ip = address.address;
                    ctx.general(node, format!("Invalid scope '{value}' specified for {ip} - ignoring"));
                }
            }
            true
        }
        "label" if value.len() > 15 => {
            let message = format!("Address label {value} is longer than maximum length 15 - removing address");
            ctx.general(node, message);
            false
        }
        "label" if ipv6 => {
            let ip = address.address;
            ctx.general(
                node,
                format!("Cannot specify label for IPv6 addresses ({ip}) - ignoring label"),
            );
            true
        }
        "label" => {
            address.label = Some(value.into());
            true
        }
        "peer" => {
            match value.parse::<IpAddr>().ok().filter(|peer| peer.is_ipv6() == ipv6) {
                Some(peer) => address.peer = Some(peer),
                None => ctx.general(node, format!("Invalid peer address {value}")),
            }
            true
        }
        _ => {
            match (value, integer(value).and_then(|n| u32::try_from(n).ok())) {
                ("forever", _) => address.preferred_lifetime = Some(PreferredLifetime::Forever),
                (_, Some(seconds)) => address.preferred_lifetime = Some(PreferredLifetime::Seconds(seconds)),
                (_, None) => ctx.general(node, format!("preferred_lft {value} is invalid")),
            }
            true
        }
    }
}

fn broadcast(value: &str, address: &mut VirtualAddress, node: &Node, ctx: &mut Context<'_>) -> bool {
    let ip = address.address;
    if ip.is_ipv6() {
        let message = format!(
            "VRRP is trying to assign a broadcast {value} to the IPv6 address {ip} !!?? WTF... skipping VIP..."
        );
        ctx.general(node, message);
        return false;
    }
    address.broadcast = match value {
        "+" | "-" if address.prefix_len > 30 => {
            ctx.general(
                node,
                format!("Address prefix length {} too long for broadcast", address.prefix_len),
            );
            None
        }
        "+" => Some(Broadcast::HostBitsSet),
        "-" => Some(Broadcast::HostBitsClear),
        literal => match literal.parse() {
            Ok(literal) => Some(Broadcast::Address(literal)),
            Err(_) => {
                ctx.general(
                    node,
                    format!("VRRP is trying to assign invalid broadcast {value}. skipping VIP..."),
                );
                return false;
            }
        },
    };
    true
}

fn scope(text: &str) -> Option<u8> {
    match text {
        "global" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        number => small(number, 0, 255),
    }
}
