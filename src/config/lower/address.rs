//! One line of `virtual_ipaddress`, `virtual_ipaddress_excluded` or `static_ipaddress` (addresses-routes-rules §1).

use super::Context;
use super::names::{Names, SCOPES};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::place::Place;
use crate::config::schema::{Read, instance, number, strict};
use crate::config::tree::Node;
use crate::model::{Broadcast, Family, IfName, PreferredLifetime, Prefix, TrackGroup, TrackGroupId, VirtualAddress};
use std::net::IpAddr;

/// An address whose interface may still be the instance's.
#[derive(Debug, Clone)]
pub(in crate::config) struct Draft {
    pub(in crate::config) address: VirtualAddress,
    /// `dev`.
    pub(in crate::config) interface: Option<IfName>,
    pub(in crate::config) track_group: Option<TrackGroupId>,
    pub(in crate::config) place: Place,
}

/// `ADDRESS` or `ADDRESS/LEN`; the length of the family when it is not written.
pub(in crate::config) fn prefix(text: &str) -> Option<Prefix> {
    let (address, len) = text
        .split_once('/')
        .map_or((text, None), |(address, len)| (address, Some(len)));
    let address: IpAddr = address.parse().ok()?;
    let max = Family::of(address).max_prefix();
    let len = match len {
        None => max,
        Some(len) => u8::try_from(strict(0, i64::from(max)).exact(len).filter(|_| !len.is_empty())?).ok()?,
    };
    Some(Prefix { address, len })
}

/// One line; `is_static`: of `static_ipaddress`.
pub(in crate::config) fn line(node: &Node, is_static: bool, ctx: &mut Context<'_>) -> Option<Draft> {
    let text = node.key();
    let (host, len) = text
        .split_once('/')
        .map_or((text, None), |(host, len)| (host, Some(len)));
    let Ok(address) = host.parse::<IpAddr>() else {
        let message = format!("VRRP parsed invalid IP {text}. skipping IP...");
        ctx.reports
            .at(node.place_of(0), Code::BadAddress, Class::General, message);
        return None;
    };
    let max = Family::of(address).max_prefix();
    let prefix_len = match (len, prefix(text)) {
        (Some(bad), None) => {
            let message = format!("Invalid address prefix len {bad} for address {text} - using {max}");
            let read = strict(0, i64::from(max)).read(bad, ctx.test);
            let diagnostic = ctx
                .reports
                .at(node.place_of(0), Code::BadAddress, Class::General, message);
            diagnostic.detail = match read {
                Read::Bad(detail) => detail,
                Read::Good(_) | Read::Warned(..) => None,
            };
            max
        }
        (_, prefix) => prefix.map_or(max, |prefix| prefix.len),
    };
    // The name is replaced when the instance's own interface is known.
    let placeholder = "lo".parse().ok()?;
    let mut draft = Draft {
        address: VirtualAddress::plain(address, prefix_len, placeholder),
        interface: None,
        track_group: None,
        place: node.place,
    };
    let mut index = 1;
    while node.word(index).is_some() {
        match option(node, index, is_static, &mut draft, ctx) {
            Some(words) => index += words,
            None => return None,
        }
    }
    finish(node, &mut draft, ctx);
    Some(draft)
}

/// What contradicts itself once all options are known.
fn finish(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let address = &mut draft.address;
    if address.peer.is_none() {
        return;
    }
    if address.broadcast.take().is_some() {
        let message = "Cannot specify broadcast and peer addresses - ignoring broadcast address".into();
        ctx.reports.at(node.place, Code::Conflict, Class::General, message);
    }
    let max = Family::of(address.address).max_prefix();
    if address.prefix_len != max {
        let message = "Cannot specify address prefix when specifying peer address - ignoring".into();
        ctx.reports
            .at(node.place_of(0), Code::Conflict, Class::General, message);
        address.prefix_len = max;
    }
}

/// How many words the option has; `None` if the address is dropped.
fn option(node: &Node, index: usize, is_static: bool, draft: &mut Draft, ctx: &mut Context<'_>) -> Option<usize> {
    let word = node.word(index)?;
    let address = &mut draft.address;
    match word {
        "home" => address.home = true,
        "-nodad" => address.nodad = false,
        "mngtmpaddr" => address.mngtmpaddr = true,
        "noprefixroute" => address.noprefixroute = true,
        "autojoin" => address.autojoin = true,
        "no_track" => address.no_track = true,
        "use_vmac" if !is_static => address.use_vmac = true,
        "dev" | "brd" | "broadcast" | "scope" | "label" | "peer" | "preferred_lft" => {
            return valued(node, index, draft, ctx);
        }
        "track_group" if is_static => {
            if draft.track_group.is_some() {
                let group = node.word(index + 1).unwrap_or_default();
                let message = format!("track_group {group} is a duplicate");
                ctx.reports
                    .at(node.place_of(index), Code::AlreadyDefined, Class::General, message);
                return Some(node.len());
            }
            return value(node, index, ctx).map(|_| {
                draft.track_group = ctx.track_group(node, index + 1);
                2
            });
        }
        other => {
            let message = format!("Unknown configuration entry '{other}' for ip address - ignoring");
            ctx.reports
                .at(node.place_of(index), Code::BadValue, Class::General, message);
        }
    }
    Some(1)
}

/// The word behind an option; told if there is none.
fn value<'n>(node: &'n Node, index: usize, ctx: &mut Context<'_>) -> Option<&'n str> {
    let value = node.word(index + 1);
    if value.is_none() {
        let (word, address) = (node.word(index).unwrap_or_default(), node.key());
        let message = format!("No {word} parameter specified for {address}");
        ctx.reports
            .at(node.place_of(index), Code::MissingParameter, Class::General, message);
    }
    value
}

fn valued(node: &Node, index: usize, draft: &mut Draft, ctx: &mut Context<'_>) -> Option<usize> {
    let word = node.word(index)?;
    let value = value(node, index, ctx)?;
    let place = node.place_of(index + 1);
    let address = &mut draft.address;
    let (ip, ipv6) = (address.address, address.address.is_ipv6());
    match word {
        "dev" => {
            if draft.interface.is_some() {
                let message = format!("Cannot specify ipaddress device more than once for {ip}");
                ctx.reports.at(place, Code::AlreadyDefined, Class::General, message);
                return None;
            }
            let message = format!(
                "WARNING - interface {value} for ip address {} doesn't exist",
                node.key()
            );
            let Ok(name) = value.parse::<IfName>() else {
                ctx.reports.at(place, Code::BadName, Class::General, message);
                return None;
            };
            if ctx.interface(&name).is_none() && !ctx.is_link(&name) {
                ctx.missing_interface(node, index + 1, &name, message);
            }
            draft.interface = Some(name);
        }
        "brd" | "broadcast" => broadcast(value, place, address, ctx)?,
        "scope" => match SCOPES.byte(value, ctx.host) {
            Some(0) => address.scope = 0,
            Some(_) if ipv6 => {
                let message = format!("Cannot specify scope for IPv6 addresses ({ip}) - ignoring scope");
                ctx.reports.at(place, Code::FamilyMismatch, Class::General, message);
            }
            Some(scope) => address.scope = scope,
            None => {
                let message = format!("Invalid scope '{value}' specified for {ip} - ignoring");
                ctx.reports.at(place, Code::BadValue, Class::General, message);
            }
        },
        "label" if value.len() > 15 => {
            let message = format!("Address label {value} is longer than maximum length 15 - removing address");
            ctx.reports.at(place, Code::BadName, Class::General, message);
            return None;
        }
        "label" if ipv6 => {
            let message = format!("Cannot specify label for IPv6 addresses ({ip}) - ignoring label");
            ctx.reports.at(place, Code::FamilyMismatch, Class::General, message);
        }
        "label" => address.label = Some(value.into()),
        "peer" => peer(value, place, address, ctx),
        _ if value == "forever" => address.preferred_lifetime = Some(PreferredLifetime::Forever),
        _ => match ctx.number(number(0, 4_294_967_295).read(value, ctx.test), node, index + 1) {
            Ok(seconds) => {
                address.preferred_lifetime = u32::try_from(seconds).ok().map(PreferredLifetime::Seconds);
            }
            Err(detail) => {
                let message = format!("preferred_lft {value} is invalid");
                ctx.reports.at(place, Code::BadNumber, Class::General, message).detail = detail;
            }
        },
    }
    Some(2)
}

fn peer(value: &str, place: Place, address: &mut VirtualAddress, ctx: &mut Context<'_>) {
    let complaint = match value.parse::<IpAddr>() {
        _ if address.peer.is_some() => format!("Peer {value} - another peer has already been specified"),
        Err(_) => format!("Invalid peer address {value}"),
        Ok(peer) if peer.is_ipv6() != address.address.is_ipv6() => {
            format!("Peer address {value} does not match address family")
        }
        Ok(peer) => return address.peer = Some(peer),
    };
    let unreadable = value.parse::<IpAddr>().is_err() && address.peer.is_none();
    let diagnostic = ctx.reports.at(place, Code::BadAddress, Class::General, complaint);
    diagnostic.detail = unreadable.then(|| format!("VRRP parsed invalid IP {value}. skipping IP..."));
}

/// `None` if the address is dropped.
fn broadcast(value: &str, place: Place, address: &mut VirtualAddress, ctx: &mut Context<'_>) -> Option<()> {
    let ip = address.address;
    if ip.is_ipv6() {
        let message = format!(
            "VRRP is trying to assign a broadcast {value} to the IPv6 address {ip} !!?? WTF... skipping VIP..."
        );
        ctx.reports.at(place, Code::FamilyMismatch, Class::General, message);
        return None;
    }
    address.broadcast = match value {
        "+" | "-" if address.prefix_len > 30 => {
            let message = format!("Address prefix length {} too long for broadcast", address.prefix_len);
            ctx.reports.at(place, Code::BadAddress, Class::General, message);
            None
        }
        "+" => Some(Broadcast::HostBitsSet),
        "-" => Some(Broadcast::HostBitsClear),
        literal => match literal.parse() {
            Ok(literal) => Some(Broadcast::Address(literal)),
            Err(_) => {
                let message = format!("VRRP is trying to assign invalid broadcast {value}. skipping VIP...");
                ctx.reports.at(place, Code::BadAddress, Class::General, message);
                return None;
            }
        },
    };
    Some(())
}

/// A line of `virtual_ipaddress`.
pub(in crate::config) fn vip(node: &Node, draft: &mut instance::Draft, ctx: &mut Context<'_>) {
    let Some(vip) = line(node, false, ctx) else { return };
    let (name, ip) = (&draft.name, vip.address.address);
    let family = Family::of(ip);
    let place = node.place_of(0);
    if *draft.family.get_or_insert(family) != family {
        let message = format!(
            "({name}): address family must match VRRP instance [{}] - ignoring",
            node.key()
        );
        let diagnostic = ctx.reports.at(place, Code::FamilyMismatch, Class::General, message);
        diagnostic.hint = Some(
            "write addresses of the other family into virtual_ipaddress_excluded, or into an instance of their own"
                .into(),
        );
    } else if let Some(first) = draft.vips.iter().find(|other| other.address.address == ip) {
        let related = ctx.reports.related("first written here", first.place);
        let message = format!("({name}): VIP duplicates a VIP {ip} - ignoring");
        ctx.reports
            .at(place, Code::AlreadyDefined, Class::General, message)
            .related
            .push(related);
    } else if draft.excluded.iter().any(|other| is_same(other, &vip)) {
        let message = format!("({name}): VIP duplicates an excluded VIP {ip} - ignoring");
        ctx.reports.at(place, Code::AlreadyDefined, Class::General, message);
    } else {
        draft.vips.push(vip);
    }
}

/// Same address and same interface as written.
fn is_same(one: &Draft, other: &Draft) -> bool {
    one.address.address == other.address.address && one.interface == other.interface
}

/// A line of `virtual_ipaddress_excluded`.
pub(in crate::config) fn excluded(node: &Node, draft: &mut instance::Draft, ctx: &mut Context<'_>) {
    let Some(vip) = line(node, false, ctx) else { return };
    let (name, ip) = (&draft.name, vip.address.address);
    let what = if draft.vips.iter().any(|other| is_same(other, &vip)) {
        "a VIP"
    } else if draft.excluded.iter().any(|other| is_same(other, &vip)) {
        "an excluded VIP"
    } else {
        return draft.excluded.push(vip);
    };
    let message = format!("({name}): Excluded VIP duplicates {what} {ip} - ignoring");
    ctx.reports
        .at(node.place_of(0), Code::AlreadyDefined, Class::General, message);
}

pub(in crate::config) fn print_all(drafts: &[Draft], names: &Names<'_>) -> Vec<String> {
    drafts.iter().map(|draft| print(draft, names)).collect()
}

fn print(draft: &Draft, names: &Names<'_>) -> String {
    let group = draft.track_group.and_then(|id| names.track_group(id));
    print_address(&draft.address, draft.interface.as_ref(), group)
}

/// The line so that it is read again.
pub(in crate::config) fn print_address(
    address: &VirtualAddress,
    interface: Option<&IfName>,
    group: Option<&TrackGroup>,
) -> String {
    let mut words = vec![match address.peer {
        Some(_) => address.address.to_string(),
        None => format!("{}/{}", address.address, address.prefix_len),
    }];
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{word} {value}"));
        }
    };
    add("dev", interface.map(ToString::to_string));
    add(
        "brd",
        address.broadcast.map(|broadcast| match broadcast {
            Broadcast::Address(address) => address.to_string(),
            Broadcast::HostBitsSet => "+".into(),
            Broadcast::HostBitsClear => "-".into(),
        }),
    );
    add("scope", (address.scope != 0).then(|| address.scope.to_string()));
    add(
        "label",
        address.label.as_deref().map(crate::config::schema::global::quoted),
    );
    add("peer", address.peer.map(|peer| peer.to_string()));
    add(
        "preferred_lft",
        address.preferred_lifetime.map(|lifetime| match lifetime {
            PreferredLifetime::Forever => "forever".into(),
            PreferredLifetime::Seconds(seconds) => seconds.to_string(),
        }),
    );
    add(
        "track_group",
        group.map(|group| crate::config::schema::global::quoted(&group.name)),
    );
    for (on, word) in [
        (address.home, "home"),
        (!address.nodad, "-nodad"),
        (address.mngtmpaddr, "mngtmpaddr"),
        (address.noprefixroute, "noprefixroute"),
        (address.autojoin, "autojoin"),
        (address.no_track, "no_track"),
        (address.use_vmac, "use_vmac"),
    ] {
        if on {
            words.push(word.into());
        }
    }
    words.join(" ")
}
