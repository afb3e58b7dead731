//! `vrrp_instance`: its links (interface, VMAC, ipvlan, VRF), unicast, and the longer values.

use super::instance::Draft as Instance;
use super::keyword::{Keyword, Told, flag, int};
use super::value::{Read, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context, Names};
use crate::config::source::LinkKind;
use crate::config::tree::Node;
use crate::model::{
    AntiReplay, Family, GarpExtra, HmacKey, HmacMode, IfName, IfNameError, IpvlanMode, MacAddr, OldUnicastChecksum,
    UnicastPeer, is_ipv6_link_local,
};
use std::net::IpAddr;
use std::sync::Arc;

/// `use_vmac` or `use_ipvlan` as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) ipvlan: bool,
    pub(in crate::config) name: Option<IfName>,
    /// Octets as written; with five the VRID follows.
    pub(in crate::config) mac: Option<Mac>,
    pub(in crate::config) netlink_notify: bool,
    pub(in crate::config) group: Option<Box<str>>,
    pub(in crate::config) address: Option<(IpAddr, u8)>,
    pub(in crate::config) mode: IpvlanMode,
}

/// A MAC that lacks its last octet, or a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Mac {
    /// Five octets.
    Prefix([u8; 5]),
    /// Six octets.
    Whole(MacAddr),
}

pub(super) const KEYWORDS: &[Keyword<Instance>] = &[
    Keyword::<Instance>::custom(
        "use_vmac",
        "[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]",
        "name at most 15 characters",
        use_vmac,
        print_vmac,
    )
    .later()
    .restart()
    .doc("off; name vrrp.VRID", "Runs on a macvlan with the virtual MAC address."),
    Keyword::<Instance>::flag("use_vmac_addr", flag!(use_vmac_addr))
        .later()
        .restart()
        .doc(
            "off",
            "Uses VMACs also for addresses on other interfaces or of the other family.",
        ),
    Keyword::<Instance>::flag("vmac_xmit_base", flag!(vmac_xmit_base))
        .later()
        .restart()
        .doc("off", "Sends and receives adverts on the base interface."),
    Keyword::<Instance>::custom(
        "use_ipvlan",
        "[[name] IFNAME] [IP[/LEN]] [bridge|private|vepa] [group GROUP]",
        "name at most 15 characters",
        use_ipvlan,
        print_ipvlan,
    )
    .later()
    .restart()
    .doc("off; bridge", "Runs on an ipvlan."),
    Keyword::<Instance>::lines("unicast_peer", "{ IP [min_ttl N] [max_ttl N] ... }", peer, |d, _| {
        d.peers.iter().map(print_peer).collect()
    })
    .doc("none", "Adverts go to these routers instead of a group; TTLs 0..255."),
    Keyword::<Instance>::flag(
        "unicast_fault_no_peer",
        (
            |d| {
                d.unicast = true;
                d.unicast_fault_no_peer = true;
            },
            |d| d.unicast_fault_no_peer,
        ),
    )
    .doc("off", "Unicast without peers is a fault instead of multicast."),
    Keyword::<Instance>::flag(
        "check_unicast_src",
        (
            |d| {
                d.unicast = true;
                d.check_unicast_src = true;
            },
            |d| d.check_unicast_src,
        ),
    )
    .nothing()
    .doc("vrrp_check_unicast_src", "Only adverts of configured peers count."),
    Keyword::<Instance>::custom(
        "old_unicast_checksum",
        "[never]",
        "",
        old_unicast_checksum,
        |d, _| match d.old_checksum {
            OldUnicastChecksum::Auto => Vec::new(),
            OldUnicastChecksum::Always => vec![String::new()],
            OldUnicastChecksum::Never => vec!["never".into()],
        },
    )
    .doc(
        "found out",
        "Checksum of unicast adverts as keepalived had it before 1.3.6.",
    ),
    Keyword::<Instance>::custom("vrf", "IFNAME", "at most 15 characters", vrf, |d, _| {
        d.vrf.iter().map(ToString::to_string).collect()
    })
    .later()
    .restart()
    .doc("none", "VRF of a unicast instance without interface."),
    Keyword::<Instance>::custom(
        "mcast_src_ip",
        "IP",
        "",
        |node, d, ctx| source(node, d, false, ctx),
        |d, _| {
            d.source
                .iter()
                .filter(|_| !d.unicast_source)
                .map(ToString::to_string)
                .collect()
        },
    )
    .doc("the interface's first address", "Source address of adverts."),
    Keyword::<Instance>::custom(
        "unicast_src_ip",
        "IP",
        "",
        |node, d, ctx| source(node, d, true, ctx),
        |d, _| {
            d.source
                .iter()
                .filter(|_| d.unicast_source)
                .map(ToString::to_string)
                .collect()
        },
    )
    .restart()
    .doc(
        "the interface's first address",
        "The same, and makes the instance unicast.",
    ),
    Keyword::<Instance>::custom("mcast_dst_ip", "IP", "multicast", destination, |d, _| {
        d.group.iter().map(ToString::to_string).collect()
    })
    .restart()
    .doc("vrrp_mcast_group4 or 6", "Where this instance's adverts go."),
    Keyword::<Instance>::flag("track_src_ip", flag!(track_source))
        .doc("off", "Losing the configured source address is a fault."),
    Keyword::<Instance>::int("unicast_ttl", "N", strict(0, 255), int!(unicast_ttl))
        .bad("({n}): TTL '{v}' not valid - must be between 0 & 255")
        .doc("255 (IPv4), the kernel's (IPv6)", "TTL of unicast adverts."),
    Keyword::<Instance>::flag("linkbeat_use_polling", flag!(linkbeat_use_polling))
        .told(Told::Error(
            Class::Deprecated,
            "({n}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block",
        ))
        .doc("off", "Asks the interface for its link again and again."),
];

/// An interface name that can be one.
fn name_of(node: &Node, index: usize, ctx: &mut Context<'_>) -> Option<IfName> {
    let text = ctx.required(node, index)?;
    match text.parse() {
        Ok(name) => Some(name),
        Err(why) => {
            let message = match why {
                IfNameError::TooLong => format!("Interface name '{text}' too long - ignoring"),
                IfNameError::NotAName => format!("'{text}' is not an interface name - ignoring"),
            };
            ctx.reports
                .at(node.place_of(index), Code::BadName, Class::General, message);
            None
        }
    }
}

pub(super) fn interface(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let Some(found) = name_of(node, 1, ctx) else { return };
    let name = &draft.name;
    match ctx.interface(&found) {
        None => {
            let message = format!("WARNING - interface {found} for vrrp_instance {name} doesn't exist");
            ctx.missing_interface(node, 1, &found, message);
        }
        Some(facts) if facts.loopback => {
            let message = format!("({name}) cannot use a loopback interface ({found}) for vrrp - ignoring");
            ctx.reports
                .at(node.place_of(1), Code::LoopbackInterface, Class::General, message);
            return;
        }
        Some(_) => {}
    }
    draft.interface = Some(found);
}

fn vrf(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    let refuse = |ctx: &mut Context<'_>, code: Code, message: String| {
        ctx.reports.at(node.place_of(1), code, Class::General, message);
    };
    if draft.interface.is_some() {
        let message = format!("({name}) Cannot specify VRF interface and interface - ignoring");
        return refuse(ctx, Code::Conflict, message);
    }
    let Ok(found) = text.parse::<IfName>() else {
        let message = format!("({name}) VRF interface name '{text}' too long - ignoring");
        return refuse(ctx, Code::BadName, message);
    };
    if let Some(old) = &draft.vrf {
        let message = format!("({name}) VRF interface already specified as '{old}' - ignoring");
        return refuse(ctx, Code::AlreadyDefined, message);
    }
    match ctx.interface(&found) {
        None => {
            let message = format!("({name}) WARNING - VRF interface {found} doesn't exist");
            ctx.missing_interface(node, 1, &found, message);
        }
        Some(facts) if facts.loopback => {
            let message = format!("({name}) cannot use a loopback interface ({found}) for VRF - ignoring");
            return refuse(ctx, Code::LoopbackInterface, message);
        }
        Some(_) => {}
    }
    draft.vrf = Some(found);
}

/// Five or six octets in hexadecimal with colons.
fn mac(text: &str) -> Option<Vec<u8>> {
    let octet = |part: &str| {
        let good = (1..=2).contains(&part.len());
        good.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    text.split(':')
        .map(octet)
        .collect::<Option<Vec<u8>>>()
        .filter(|octets| matches!(octets.len(), 5 | 6))
}

fn link_name(node: &Node, index: usize, draft: &mut Draft, instance: &Arc<str>, ctx: &mut Context<'_>) {
    let Some(text) = node.word(index) else { return };
    let (code, message) = match text.parse::<IfName>() {
        _ if draft.name.is_some() && draft.ipvlan => {
            let message = format!("({instance}) IPVLAN interface already specified - ignoring '{text}'");
            (Code::AlreadyDefined, message)
        }
        _ if draft.name.is_some() => (Code::AlreadyDefined, "VMAC interface name already specified".to_owned()),
        Ok(name) if !text.contains(':') => {
            let Err(refused) = claim(&name, draft, instance, ctx) else {
                draft.name = Some(name);
                return;
            };
            refused
        }
        _ if draft.ipvlan => {
            let message = format!("({instance}) IPVLAN interface name '{text}' too long - ignoring");
            (Code::BadName, message)
        }
        _ => {
            let message = format!("VMAC interface name '{text}' too long or invalid characters - ignoring");
            (Code::BadName, message)
        }
    };
    ctx.reports.at(node.place_of(index), code, Class::General, message);
}

/// Takes the name of a link, unless another instance has it, or an interface of another kind.
fn claim(name: &IfName, draft: &Draft, instance: &Arc<str>, ctx: &mut Context<'_>) -> Result<(), (Code, String)> {
    let (kind, what, ours) = if draft.ipvlan {
        ("an l2 ipvlan", "ipvlan", LinkKind::Ipvlan)
    } else {
        ("a private macvlan", "vmac", LinkKind::Macvlan)
    };
    let known = ctx.interface(name).and_then(|facts| facts.kind);
    if known.is_some_and(|kind| kind != ours) {
        let message =
            format!("({instance}) interface {name} already exists and is not {kind}; ignoring {what} if_name");
        return Err((Code::Conflict, message));
    }
    match ctx.claim_link(name, instance) {
        None => Ok(()),
        Some(other) => {
            let message = format!("({instance}) VRRP instance {other} is already using {name} - ignoring name");
            Err((Code::AlreadyDefined, message))
        }
    }
}

fn use_vmac(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let instance = draft.name.clone();
    let link = draft.link.get_or_insert_default();
    let mut index = 1;
    while let Some(word) = node.word(index) {
        match word {
            "netlink_notify_msg" => link.netlink_notify = true,
            "name" if node.word(index + 1).is_some() => {
                index += 1;
                link_name(node, index, link, &instance, ctx);
            }
            "group" if node.word(index + 1).is_some() => {
                index += 1;
                link.group = node.word(index).map(Into::into);
            }
            word if word.contains(':') => vmac_mac(node, index, link, ctx),
            _ => link_name(node, index, link, &instance, ctx),
        }
        index += 1;
    }
}

fn vmac_mac(node: &Node, index: usize, link: &mut Draft, ctx: &mut Context<'_>) {
    let text = node.word(index).unwrap_or_default();
    let complaint = match mac(text).as_deref() {
        _ if link.mac.is_some() => format!("VMAC MAC address already specified - ignoring {text}"),
        None => format!("VMAC invalid MAC address {text} - ignored"),
        Some([first, ..]) if first & 1 == 1 => format!("VMAC MAC address is multicast {text} - ignoring"),
        Some([0, 0, 0x5e, 0, 1 | 2, ..]) => {
            format!("VMAC MAC address not allowed to be RFC5798 address ({text}) - ignoring")
        }
        Some(octets) => {
            link.mac = match (<[u8; 6]>::try_from(octets), <[u8; 5]>::try_from(octets)) {
                (Ok(whole), _) => Some(Mac::Whole(MacAddr(whole))),
                (_, Ok(prefix)) => Some(Mac::Prefix(prefix)),
                _ => None,
            };
            return;
        }
    };
    ctx.reports
        .at(node.place_of(index), Code::BadAddress, Class::General, complaint);
}

fn print_vmac(draft: &Instance, _: &Names<'_>) -> Vec<String> {
    let Some(link) = draft.link.as_deref().filter(|link| !link.ipvlan) else {
        return Vec::new();
    };
    let mut words = Vec::new();
    words.extend(link.name.iter().map(ToString::to_string));
    words.extend(link.mac.map(|mac| match mac {
        Mac::Whole(mac) => mac.to_string(),
        Mac::Prefix([a, b, c, d, e]) => format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}"),
    }));
    words.extend(link.netlink_notify.then(|| "netlink_notify_msg".to_owned()));
    words.extend(link.group.iter().map(|group| format!("group {group}")));
    vec![words.join(" ")]
}

fn use_ipvlan(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let instance = draft.name.clone();
    if draft.link.is_some() {
        let message = format!("({instance}) use_ipvlan already specified");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    let mut link = Draft {
        ipvlan: true,
        ..Draft::default()
    };
    let mut index = 1;
    while let Some(word) = node.word(index) {
        match word {
            "bridge" => link.mode = IpvlanMode::Bridge,
            "private" => link.mode = IpvlanMode::Private,
            "vepa" => link.mode = IpvlanMode::Vepa,
            "name" if node.word(index + 1).is_some() => {
                index += 1;
                link_name(node, index, &mut link, &instance, ctx);
            }
            "group" if node.word(index + 1).is_some() => {
                index += 1;
                link.group = node.word(index).map(Into::into);
            }
            word if word.contains('/') || word.parse::<IpAddr>().is_ok() => {
                ipvlan_address(node, index, &mut link, draft, ctx);
            }
            _ => link_name(node, index, &mut link, &instance, ctx),
        }
        index += 1;
    }
    draft.link = Some(Box::new(link));
}

fn ipvlan_address(node: &Node, index: usize, link: &mut Draft, draft: &mut Instance, ctx: &mut Context<'_>) {
    let (text, name) = (node.word(index).unwrap_or_default(), &draft.name);
    let (address, len) = text
        .split_once('/')
        .map_or((text, None), |(address, len)| (address, Some(len)));
    let parsed = address.parse::<IpAddr>().ok().and_then(|address| {
        let max = Family::of(address).max_prefix();
        let len = len.map_or(Some(max), |len| len.parse().ok().filter(|len| *len <= max));
        len.map(|len| (address, len))
    });
    match parsed {
        _ if link.address.is_some() => {
            let message = format!("({name}) ipvlan address already specified - ignoring {text}");
            ctx.reports
                .at(node.place_of(index), Code::AlreadyDefined, Class::General, message);
        }
        None => {
            let message = format!("({name}) ipvlan address {text} is invalid - ignoring");
            ctx.reports
                .at(node.place_of(index), Code::BadAddress, Class::General, message);
        }
        Some((address, len)) => {
            link.address = Some((address, len));
            // It also becomes the source address if none is set.
            draft.source.get_or_insert(address);
            draft.family.get_or_insert(Family::of(address));
        }
    }
}

fn print_ipvlan(draft: &Instance, _: &Names<'_>) -> Vec<String> {
    let Some(link) = draft.link.as_deref().filter(|link| link.ipvlan) else {
        return Vec::new();
    };
    let mut words = Vec::new();
    words.extend(link.name.iter().map(ToString::to_string));
    words.extend(link.address.map(|(address, len)| format!("{address}/{len}")));
    words.extend(match link.mode {
        IpvlanMode::Bridge => None,
        IpvlanMode::Private => Some("private".to_owned()),
        IpvlanMode::Vepa => Some("vepa".to_owned()),
    });
    words.extend(link.group.iter().map(|group| format!("group {group}")));
    vec![words.join(" ")]
}

fn old_unicast_checksum(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    draft.unicast = true;
    match node.first() {
        None => draft.old_checksum = OldUnicastChecksum::Always,
        Some("never") => draft.old_checksum = OldUnicastChecksum::Never,
        Some(other) => {
            let message = format!("({}) Unknown old_unicast_chksum mode {other} - ignoring", draft.name);
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

/// An address that has to be of the instance's family; it says the family if nothing did before. `what` is its name in messages.
fn family_address(
    node: &Node,
    index: usize,
    what: &str,
    draft: &mut Instance,
    ctx: &mut Context<'_>,
) -> Option<IpAddr> {
    let text = ctx.required(node, index)?;
    let name = &draft.name;
    // keepalived passes over a prefix length.
    let host = text.split_once('/').map_or(text, |(host, _)| host);
    let Ok(address) = host.parse::<IpAddr>() else {
        let message =
            format!("Configuration error: VRRP instance[{name}] malformed {what} address[{text}]. Skipping...");
        ctx.reports
            .at(node.place_of(index), Code::BadAddress, Class::General, message);
        return None;
    };
    let family = Family::of(address);
    if *draft.family.get_or_insert(family) != family {
        let message = format!(
            "Configuration error: VRRP instance[{name}] and {what} address[{text}] MUST be of the same family !!! Skipping..."
        );
        ctx.reports
            .at(node.place_of(index), Code::FamilyMismatch, Class::General, message);
        return None;
    }
    Some(address)
}

fn source(node: &Node, draft: &mut Instance, unicast: bool, ctx: &mut Context<'_>) {
    draft.unicast |= unicast;
    if let Some(address) = family_address(node, 1, "src", draft, ctx) {
        draft.source = Some(address);
        draft.unicast_source = unicast;
    }
}

fn destination(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    let refuse = |ctx: &mut Context<'_>, code: Code, message: String| {
        ctx.reports.at(node.place_of(1), code, Class::General, message);
    };
    let Ok(address) = text.parse::<IpAddr>() else {
        let message = format!("({name}) malformed mcast dest address {text}. Skipping...");
        return refuse(ctx, Code::BadAddress, message);
    };
    let family = Family::of(address);
    if *draft.family.get_or_insert(family) != family {
        let message = format!("({name}) mcast dest address {text} MUST match VRRP instance family. Skipping...");
        return refuse(ctx, Code::FamilyMismatch, message);
    }
    let good = match address {
        IpAddr::V4(v4) => v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_multicast() && v6.segments()[0] & 0xf == 2,
    };
    if good {
        draft.group = Some(address);
    } else {
        let what = if address.is_ipv4() {
            "multicast"
        } else {
            "link-local multicast"
        };
        let message = format!("({name}) mcast_dst_ip {address} not {what}. Skipping...");
        refuse(ctx, Code::BadAddress, message);
    }
}

fn peer(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    draft.unicast = true;
    let Some(address) = family_address(node, 0, "unicast peer", draft, ctx) else {
        return;
    };
    let name = draft.name.clone();
    if draft.peers.iter().any(|peer| peer.address == address) {
        let message = format!("({name}) {address} - duplicate unicast_peer");
        ctx.reports
            .at(node.place_of(0), Code::AlreadyDefined, Class::General, message);
        return;
    }
    let mut peer = UnicastPeer {
        address,
        min_ttl: 0,
        max_ttl: 255,
    };
    let mut index = 1;
    while let Some(word) = node.word(index) {
        let complaint = match (word, node.word(index + 1)) {
            ("min_ttl" | "max_ttl", Some(text)) => match strict(0, 255).read(text, true) {
                Read::Good(ttl) => {
                    let ttl = u8::try_from(ttl).unwrap_or(u8::MAX);
                    if word == "min_ttl" {
                        peer.min_ttl = ttl;
                    } else {
                        peer.max_ttl = ttl;
                    }
                    None
                }
                Read::Warned(_, why) => Some((Class::InvalidNumber, why)),
                Read::Bad(why) => Some((Class::InvalidNumber, why.unwrap_or_default())),
            },
            ("min_ttl" | "max_ttl", None) => Some((
                Class::General,
                format!("({name}) {address} - {word} is missing a value"),
            )),
            (other, _) => {
                let message = format!("({name}) {address} - unknown unicast_peer option {other}");
                Some((Class::General, message))
            }
        };
        if let Some((class, complaint)) = complaint {
            ctx.reports.at(node.place_of(index), Code::BadValue, class, complaint);
            break;
        }
        draft.check_unicast_src = true;
        index += 2;
    }
    if peer.min_ttl > peer.max_ttl {
        let (min, max) = (peer.min_ttl, peer.max_ttl);
        let message = format!("({name}) {address} - min_ttl {min} > max_ttl {max} - all packets will be discarded");
        ctx.reports.at(node.place, Code::Conflict, Class::General, message);
    }
    draft.peers.push(peer);
}

fn print_peer(peer: &UnicastPeer) -> String {
    let mut text = peer.address.to_string();
    if peer.min_ttl != 0 {
        text.push_str(&format!(" min_ttl {}", peer.min_ttl));
    }
    if peer.max_ttl != 255 {
        text.push_str(&format!(" max_ttl {}", peer.max_ttl));
    }
    text
}

pub(super) fn print_extra(extra: &GarpExtra) -> Vec<String> {
    let time = super::value::Time::whole(0, 86_400).print(extra.interval);
    match (extra.interval == crate::model::Micros::ZERO, extra.all) {
        (true, false) => Vec::new(),
        (_, true) => vec![format!("all {time}")],
        (_, false) => vec![time],
    }
}

pub(super) fn notify_deleted(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    if draft.notify.deleted {
        let (name, script) = (&draft.name, node.first().unwrap_or_default());
        let message = format!("({name}) notify_deleted already specified - ignoring {script}");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    draft.notify.deleted = true;
    if node.first().is_some() {
        draft.notify.deleted_program = Command::read(node, ctx).map(Box::new);
    }
}

pub(super) fn lvs_sync_daemon_interface(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let message = format!("({}) Please use global lvs_sync_daemon", draft.name);
    ctx.reports
        .at(node.place_of(0), Code::Deprecated, Class::General, message);
    let Some(found) = name_of(node, 1, ctx) else { return };
    if let Some(old) = &draft.lvs_sync_daemon_interface {
        let name = &draft.name;
        let message = format!("({name}) lvs_sync_daemon_interface has already been specified as {old} - ignoring");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    draft.lvs_sync_daemon_interface = Some(found);
}

pub(super) fn hmac_key(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let name = draft.name.clone();
    let (Some(id), Some(value)) = (node.word(1), node.word(2)) else {
        let message = format!("({name}) auth_hmac key needs an id and a value");
        ctx.reports.at(node.place, Code::AuthHmac, Class::General, message);
        return;
    };
    let read = strict(1, 255).read(id, true);
    let Read::Good(number) = read else {
        let message = format!("({name}) auth_hmac key id '{id}' must be between 1 and 255");
        let diagnostic = ctx
            .reports
            .at(node.place_of(1), Code::AuthHmac, Class::General, message);
        if let Read::Bad(why) = read {
            diagnostic.detail = why;
        }
        return;
    };
    let number = u8::try_from(number).unwrap_or_default();
    let keys = &mut draft.hmac.get_or_insert_default().keys;
    if keys.contains_key(&number) {
        let message = format!("({name}) duplicate auth_hmac key id {number}");
        ctx.reports
            .at(node.place_of(1), Code::AlreadyDefined, Class::General, message);
        return;
    }
    let file = value.strip_prefix("file:");
    let content = match file.map(|path| ctx.host.secret(path)) {
        None => Ok(value.as_bytes().to_vec()),
        Some(Ok(secret)) => {
            if secret.readable_by_others {
                let message = format!(
                    "({name}) auth_hmac key file {} can be read by others",
                    file.unwrap_or_default()
                );
                ctx.reports
                    .at(node.place_of(2), Code::SecretReadable, Class::Security, message);
            }
            let end = secret
                .bytes
                .iter()
                .rposition(|b| !matches!(b, b'\r' | b'\n'))
                .map_or(0, |last| last + 1);
            Ok(secret.bytes.get(..end).unwrap_or_default().to_vec())
        }
        Some(Err(why)) => Err(why),
    };
    let bytes = content.and_then(|content| match content.strip_prefix(b"hex:") {
        Some(digits) => unhex(digits).ok_or_else(|| "not hexadecimal".to_owned()),
        None => Ok(content),
    });
    match bytes {
        Ok(bytes) if (32..=64).contains(&bytes.len()) => {
            let file = file.map(str::to_owned);
            keys.insert(number, HmacKey { bytes, file });
        }
        Ok(bytes) => {
            let message = format!(
                "({name}) auth_hmac key {number} length {} not in range [32, 64]",
                bytes.len()
            );
            ctx.reports
                .at(node.place_of(2), Code::AuthHmac, Class::General, message);
        }
        Err(why) => {
            let message = format!("({name}) auth_hmac key {number} cannot be used: {why}");
            ctx.reports
                .at(node.place_of(2), Code::AuthHmac, Class::General, message);
        }
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

pub(super) fn print_hmac_keys(draft: &Instance, _: &Names<'_>) -> Vec<String> {
    let print = |(id, key): (&u8, &HmacKey)| {
        let value = match &key.file {
            Some(path) => format!("file:{path}"),
            None => {
                let digits: String = key.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("hex:{digits}")
            }
        };
        format!("{id} {}", super::global::quoted(&value))
    };
    draft.hmac.iter().flat_map(|hmac| &hmac.keys).map(print).collect()
}

pub(super) fn anti_replay(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let hmac = draft.hmac.get_or_insert_default();
    match text {
        "time" => hmac.anti_replay = AntiReplay::Time,
        "monotonic" => hmac.anti_replay = AntiReplay::Monotonic,
        other => {
            let message = format!(
                "({}) auth_hmac anti_replay '{other}' must be time or monotonic",
                draft.name
            );
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

pub(super) fn hmac_mode(node: &Node, draft: &mut Instance, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let hmac = draft.hmac.get_or_insert_default();
    match text {
        "enforce" => hmac.mode = HmacMode::Enforce,
        "permissive" => hmac.mode = HmacMode::Permissive,
        "receive-only" => hmac.mode = HmacMode::ReceiveOnly,
        other => {
            let name = &draft.name;
            let message = format!("({name}) auth_hmac mode '{other}' must be enforce, permissive or receive-only");
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

/// Whether an address is link-local.
pub(in crate::config) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if is_ipv6_link_local(v6))
}
