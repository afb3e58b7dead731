//! `vrrp_instance`: what is written. What follows from it is in `complete`.

use super::address::{self, Draft as AddressDraft};
use super::values::{boolean, integer, seconds, small, within};
use super::{Context, Node};
use crate::config::diagnostic::Class;
use crate::model::{
    AnnounceSettings, DownTimerAdverts, Family, IfName, Micros, OldUnicastChecksum, Priority, TrackInterface,
    TrackScript, UnicastPeer, Version, Vrid, WantedState, Weight,
};
use std::net::IpAddr;

/// An instance as written; `None` = not written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) vrid: Option<Vrid>,
    pub(super) interface: Option<IfName>,
    pub(super) state: Option<WantedState>,
    pub(super) priority: Option<Priority>,
    pub(super) version: Option<Version>,
    pub(super) native_ipv6: bool,
    pub(super) advert_int: Option<Micros>,
    pub(super) auth_type: Option<String>,
    pub(super) auth_pass: Option<String>,
    pub(super) unicast: bool,
    pub(super) unicast_fault_no_peer: bool,
    pub(super) peers: Vec<UnicastPeer>,
    pub(super) unicast_ttl: Option<u8>,
    pub(super) check_unicast_src: bool,
    pub(super) old_checksum: OldUnicastChecksum,
    pub(super) group: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) track_source: bool,
    pub(super) vips: Vec<AddressDraft>,
    pub(super) excluded: Vec<AddressDraft>,
    pub(super) no_vips: bool,
    pub(super) preempt: bool,
    pub(super) preempt_delay: Micros,
    pub(super) accept: Option<bool>,
    pub(super) strict: Option<bool>,
    pub(super) dont_track_primary: bool,
    pub(super) track_scripts: Vec<TrackScript>,
    pub(super) track_interfaces: Vec<TrackInterface>,
    pub(super) skip_check_adv_addr: bool,
    pub(super) v3_checksum_as_v2: bool,
    pub(super) lower_prio_no_advert: Option<bool>,
    pub(super) higher_prio_send_advert: Option<bool>,
    pub(super) owner_ignore_adverts: bool,
    pub(super) promote_secondaries: bool,
    pub(super) down_timer_adverts: DownTimerAdverts,
    pub(super) announce: AnnounceSettings,
}

impl Draft {
    /// The family of the first address that says one.
    pub(super) fn family(&self) -> Option<Family> {
        let vip = self.vips.first().map(|vip| vip.address.address);
        let peer = self.peers.first().map(|peer| peer.address);
        if self.native_ipv6 {
            return Some(Family::Ipv6);
        }
        vip.or(self.source).or(peer).map(Family::of)
    }
}

pub(super) fn block(node: &Node, drafts: &mut Vec<Draft>, ctx: &mut Context<'_>) {
    let [name] = node.args.as_slice() else {
        ctx.general(node, "vrrp_instance must have a name".into());
        return;
    };
    if drafts.iter().any(|draft| draft.name == *name) {
        ctx.general(node, format!("vrrp instance {name} already defined"));
        return;
    }
    let mut draft = Draft {
        name: name.clone(),
        vrid: None,
        interface: None,
        state: None,
        priority: None,
        version: None,
        native_ipv6: false,
        advert_int: None,
        auth_type: None,
        auth_pass: None,
        unicast: false,
        unicast_fault_no_peer: false,
        peers: Vec::new(),
        unicast_ttl: None,
        check_unicast_src: ctx.global.check_unicast_src,
        old_checksum: OldUnicastChecksum::Auto,
        group: None,
        source: None,
        track_source: false,
        vips: Vec::new(),
        excluded: Vec::new(),
        no_vips: false,
        preempt: true,
        preempt_delay: Micros::ZERO,
        accept: None,
        strict: None,
        dont_track_primary: false,
        track_scripts: Vec::new(),
        track_interfaces: Vec::new(),
        skip_check_adv_addr: ctx.global.skip_check_adv_addr,
        v3_checksum_as_v2: false,
        lower_prio_no_advert: None,
        higher_prio_send_advert: None,
        owner_ignore_adverts: false,
        promote_secondaries: false,
        down_timer_adverts: ctx.global.down_timer_adverts,
        announce: ctx.global.announce,
    };
    for child in &node.children {
        router(child, &mut draft, ctx);
    }
    drafts.push(draft);
}

/// Who we are and whom we talk to.
fn router(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let name = draft.name.clone();
    match node.key.as_str() {
        "state" => state(node, draft, ctx),
        "interface" => interface(node, draft, ctx),
        "virtual_router_id" => {
            let Some(text) = ctx.required(node) else { return };
            match small(text, 1, 255).and_then(Vrid::new) {
                Some(vrid) => draft.vrid = Some(vrid),
                None => {
                    let message = format!("({name}): VRID '{text}' not valid - must be between 1 & 255");
                    ctx.general(node, message);
                }
            }
        }
        "priority" => {
            let Some(text) = ctx.required(node) else { return };
            draft.priority = Some(small(text, 1, 255).map_or_else(
                || {
                    let message = format!("({name}) Priority not valid! must be between 1 & 255. Using default 100");
                    ctx.general(node, message);
                    Priority::DEFAULT
                },
                Priority,
            ));
        }
        "version" => match ctx.required(node).and_then(integer) {
            Some(2) => draft.version = Some(Version::V2),
            Some(3) => draft.version = Some(Version::V3),
            _ => ctx.general(node, format!("({name}): Version must be either 2 or 3")),
        },
        "native_ipv6" => draft.native_ipv6 = true,
        "advert_int" => {
            let Some(text) = ctx.required(node) else { return };
            match seconds(text, 6).filter(|t| (10_000..=255_000_000).contains(&t.0)) {
                Some(interval) => draft.advert_int = Some(interval),
                None => {
                    let message = format!("({name}) Advert interval ({text}) not valid! Must be > 0 - ignoring");
                    ctx.general(node, message);
                }
            }
        }
        "authentication" => node.children.iter().for_each(|child| authentication(child, draft, ctx)),
        "mcast_src_ip" => draft.source = address_of(node, &name, ctx),
        "unicast_src_ip" => {
            draft.source = address_of(node, &name, ctx);
            draft.unicast = true;
        }
        "mcast_dst_ip" => draft.group = address_of(node, &name, ctx).filter(IpAddr::is_multicast),
        "track_src_ip" => draft.track_source = true,
        "unicast_peer" => {
            draft.unicast = true;
            node.children.iter().for_each(|child| peer(child, draft, ctx));
        }
        "unicast_ttl" => draft.unicast_ttl = ctx.required(node).and_then(|text| small(text, 0, 255)),
        "unicast_fault_no_peer" => {
            draft.unicast = true;
            draft.unicast_fault_no_peer = true;
        }
        "check_unicast_src" => {
            draft.unicast = true;
            draft.check_unicast_src = true;
        }
        "old_unicast_checksum" => {
            draft.unicast = true;
            let never = node.first() == Some("never");
            draft.old_checksum = if never {
                OldUnicastChecksum::Never
            } else {
                OldUnicastChecksum::Always
            };
        }
        _ => addresses(node, draft, ctx),
    }
}

/// What we hold, and what we look at.
fn addresses(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    match node.key.as_str() {
        "virtual_ipaddress" => node.children.iter().for_each(|child| vip(child, draft, ctx)),
        "virtual_ipaddress_excluded" => node.children.iter().for_each(|child| excluded(child, draft, ctx)),
        "no_virtual_ipaddress" => draft.no_vips = true,
        "track_script" => node.children.iter().for_each(|child| track_script(child, draft, ctx)),
        "track_interface" => node
            .children
            .iter()
            .for_each(|child| track_interface(child, draft, ctx)),
        "dont_track_primary" => draft.dont_track_primary = true,
        "promote_secondaries" => draft.promote_secondaries = true,
        _ => behaviour(node, draft, ctx),
    }
}

/// How we act.
fn behaviour(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let name = draft.name.clone();
    match node.key.as_str() {
        "preempt" => draft.preempt = true,
        "nopreempt" => draft.preempt = false,
        "preempt_delay" => {
            let Some(text) = ctx.required(node) else { return };
            let delay = seconds(text, 6).filter(|delay| *delay <= Micros::from_secs(1000));
            if delay.is_none() {
                ctx.general(
                    node,
                    format!("({name}) Preempt_delay not valid! must be between 0-1000"),
                );
            }
            draft.preempt_delay = delay.unwrap_or(Micros::ZERO);
        }
        "accept" => draft.accept = Some(true),
        "no_accept" => draft.accept = Some(false),
        "strict_mode" => draft.strict = on_off(node, &name, ctx),
        // Any valid value turns it on, as in keepalived.
        "skip_check_adv_addr" => draft.skip_check_adv_addr |= on_off(node, &name, ctx).is_some(),
        "v3_checksum_as_v2" => draft.v3_checksum_as_v2 = on_off(node, &name, ctx).unwrap_or(draft.v3_checksum_as_v2),
        "lower_prio_no_advert" => draft.lower_prio_no_advert = on_off(node, &name, ctx),
        "higher_prio_send_advert" => draft.higher_prio_send_advert = on_off(node, &name, ctx),
        "owner_ignore_adverts" => draft.owner_ignore_adverts = on_off(node, &name, ctx).unwrap_or(false),
        "down_timer_adverts" => {
            match ctx
                .required(node)
                .and_then(|text| small(text, 1, 100))
                .and_then(DownTimerAdverts::new)
            {
                Some(adverts) => draft.down_timer_adverts = adverts,
                None => {
                    let text = node.args.join(" ");
                    ctx.general(node, format!("({name}): Invalid down_timer_adverts [1:100] '{text}'"));
                }
            }
        }
        key if key.starts_with("garp_") => announce(node, draft, ctx),
        "debug" => {}
        _ => ctx.not_acted_on(node),
    }
}

fn on_off(node: &Node, name: &str, ctx: &mut Context<'_>) -> Option<bool> {
    let value = boolean(node.first());
    if value.is_none() {
        ctx.general(
            node,
            format!("({name}) invalid {} {} specified", node.key, node.args.join(" ")),
        );
    }
    value
}

fn state(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node) else { return };
    let name = &draft.name;
    match (text, draft.state) {
        ("MASTER", _) => draft.state = Some(WantedState::Master),
        ("BACKUP", Some(WantedState::Master)) => {
            ctx.general(
                node,
                format!("({name}) state previously set as MASTER - ignoring BACKUP"),
            );
        }
        ("BACKUP", _) => draft.state = Some(WantedState::Backup),
        (other, _) => {
            ctx.general(node, format!("({name}) unknown state '{other}', defaulting to BACKUP"));
            draft.state = Some(WantedState::Backup);
        }
    }
}

fn interface(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node) else { return };
    if text.len() > 15 {
        ctx.general(node, format!("Interface name '{text}' too long - ignoring"));
        return;
    }
    let Some(found) = ctx.interface(text) else { return };
    let name = draft.name.clone();
    match ctx.host.interface(&found) {
        None => ctx.general(
            node,
            format!("WARNING - interface {text} for vrrp_instance {name} doesn't exist"),
        ),
        Some(facts) if facts.loopback => {
            ctx.general(
                node,
                format!("({name}) cannot use a loopback interface ({text}) for vrrp - ignoring"),
            );
            return;
        }
        Some(_) => {}
    }
    draft.interface = Some(found);
}

fn authentication(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node) else { return };
    match node.key.as_str() {
        "auth_type" if text == "PASS" || text == "AH" => draft.auth_type = Some(text.to_owned()),
        "auth_type" => {
            ctx.general(node, format!("({}) unknown authentication type '{text}'", draft.name));
        }
        _ => {
            if text.len() > 8 {
                ctx.general(node, "Truncating auth_pass to 8 characters".into());
            }
            draft.auth_pass = Some(text.to_owned());
        }
    }
}

fn address_of(node: &Node, name: &str, ctx: &mut Context<'_>) -> Option<IpAddr> {
    let text = ctx.required(node)?;
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("Configuration error: VRRP instance[{name}] malformed address[{text}]. Skipping...");
        ctx.general(node, message);
    }
    address
}

fn peer(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let name = draft.name.clone();
    let Ok(address) = node.key.parse::<IpAddr>() else {
        let text = &node.key;
        let message =
            format!("Configuration error: VRRP instance[{name}] malformed unicast peer address[{text}]. Skipping...");
        ctx.general(node, message);
        return;
    };
    if draft.family().is_some_and(|family| family != Family::of(address)) {
        let message = format!(
            "Configuration error: VRRP instance[{name}] and unicast peer address[{address}] MUST be of the same family !!! Skipping..."
        );
        ctx.general(node, message);
        return;
    }
    if draft.peers.iter().any(|peer| peer.address == address) {
        ctx.general(node, format!("({name}) {address} - duplicate unicast_peer"));
        return;
    }
    let mut peer = UnicastPeer {
        address,
        min_ttl: 0,
        max_ttl: 255,
    };
    let mut words = node.args.iter();
    while let Some(word) = words.next() {
        let value = words.next().and_then(|text| small(text, 0, 255));
        match (word.as_str(), value) {
            ("min_ttl", Some(ttl)) => peer.min_ttl = ttl,
            ("max_ttl", Some(ttl)) => peer.max_ttl = ttl,
            (_, _) => {
                ctx.general(node, format!("({name}) {address} - unknown unicast_peer option {word}"));
                break;
            }
        }
        draft.check_unicast_src = true;
    }
    draft.peers.push(peer);
}

fn vip(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(vip) = address::line(node, ctx) else { return };
    let (name, ip) = (draft.name.clone(), vip.address.address);
    if draft.family().is_some_and(|family| family != Family::of(ip)) {
        let message = format!("({name}): address family must match VRRP instance [{ip}] - ignoring");
        ctx.general(node, message);
    } else if draft.vips.iter().any(|other| other.address.address == ip) {
        ctx.general(node, format!("({name}): VIP duplicates a VIP {ip} - ignoring"));
    } else {
        draft.vips.push(vip);
    }
}

fn excluded(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(vip) = address::line(node, ctx) else { return };
    let (name, ip) = (draft.name.clone(), vip.address.address);
    let same = |other: &&AddressDraft| other.address.address == ip && other.interface == vip.interface;
    if draft.vips.iter().any(|other| same(&other)) {
        ctx.general(node, format!("({name}): Excluded VIP duplicates a VIP {ip} - ignoring"));
    } else if draft.excluded.iter().any(|other| same(&other)) {
        ctx.general(
            node,
            format!("({name}): Excluded VIP duplicates an excluded VIP {ip} - ignoring"),
        );
    } else {
        draft.excluded.push(vip);
    }
}

fn track_script(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let (name, script) = (draft.name.clone(), &node.key);
    let Some(id) = ctx.script_id(script) else {
        ctx.general(node, format!("({name}) track script {script} not found, ignoring..."));
        return;
    };
    if draft.track_scripts.iter().any(|track| track.script == id) {
        ctx.general(node, format!("({name}) duplicate track_script {script} - ignoring"));
        return;
    }
    let default = usize::try_from(id.0)
        .ok()
        .and_then(|i| ctx.scripts.get(i))
        .map_or(Weight::ZERO, |s| s.weight);
    if let Some(weight) = track_weight(node, "track script", default, &name, ctx) {
        draft.track_scripts.push(TrackScript { script: id, weight });
    }
}

fn track_interface(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let (name, text) = (draft.name.clone(), &node.key);
    let Some(interface) = ctx.interface(text) else { return };
    if ctx.host.interface(&interface).is_none() {
        ctx.general(node, format!("({name}) tracked interface {text} doesn't exist"));
    }
    if draft.track_interfaces.iter().any(|track| track.interface == interface) {
        ctx.general(node, format!("({name}) duplicate track_interface {text} - ignoring"));
        return;
    }
    if let Some(weight) = track_weight(node, "track_interface", Weight::ZERO, &name, ctx) {
        draft.track_interfaces.push(TrackInterface { interface, weight });
    }
}

/// `[weight N [reverse|noreverse]]`; `None` if the entry is dropped.
fn track_weight(node: &Node, kind: &str, default: Weight, name: &str, ctx: &mut Context<'_>) -> Option<Weight> {
    let key = &node.key;
    let mut args = node.args.iter().map(String::as_str);
    match args.next() {
        None => return Some(default),
        Some("weight") => {}
        Some(other) => {
            ctx.general(node, format!("({name}) unknown {kind} option {other} - ignoring"));
            return None;
        }
    }
    let Some(text) = args.next() else {
        ctx.general(
            node,
            format!("({name}) weight without value specified for {kind} {key} - ignoring"),
        );
        return None;
    };
    let Some(mut value) = within(text, -254, 254).and_then(|value| i16::try_from(value).ok()) else {
        let message = format!("({name}) {kind} {key}: weight must be between [-253..253] inclusive, ignoring...");
        ctx.general(node, message);
        return Some(default);
    };
    if value.abs() == 254 {
        ctx.general(
            node,
            format!("({name}) weight for {key} cannot be +/-254. Setting to +/-253"),
        );
        value = value.signum() * 253;
    }
    let reverse = match args.next() {
        Some("reverse") => true,
        Some("noreverse") => false,
        None => default.is_reverse(),
        Some(other) => {
            ctx.general(
                node,
                format!("({name}) unknown {kind} {key} weight option {other} - ignoring"),
            );
            default.is_reverse()
        }
    };
    Weight::new(value, reverse).ok()
}

fn announce(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node) else { return };
    let whole = |max| within(text, 0, max).and_then(|n| u64::try_from(n).ok());
    let settings = &mut draft.announce;
    let any = i64::from(u32::MAX - 1);
    let good = match node.key.as_str() {
        "garp_master_delay" => whole(4294)
            .map(|s| settings.master_delay = Micros::from_secs(s))
            .is_some(),
        "garp_master_refresh" => whole(4_294_967_295)
            .map(|s| settings.refresh = Micros::from_secs(s))
            .is_some(),
        "garp_master_repeat" => {
            settings.master_repeat = small(text, 1, any).unwrap_or(1);
            within(text, 1, any).is_some()
        }
        "garp_master_refresh_repeat" => {
            settings.refresh_repeat = small(text, 1, any).unwrap_or(1);
            within(text, 1, any).is_some()
        }
        "garp_lower_prio_delay" => whole(4294)
            .map(|s| settings.lower_prio_delay = Micros::from_secs(s))
            .is_some(),
        "garp_lower_prio_repeat" => small(text, 0, i64::from(i32::MAX))
            .map(|n: u32| settings.lower_prio_repeat = n)
            .is_some(),
        _ => {
            ctx.not_acted_on(node);
            true
        }
    };
    if !good {
        let message = format!("({}): {} '{text}' invalid - ignoring", draft.name, node.key);
        ctx.report(Class::General, &node.position, message);
    }
}
