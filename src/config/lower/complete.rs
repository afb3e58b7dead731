//! What follows from what is written: defaults, and contradictions resolved as keepalived resolves them (semantic-checks §4, §6).

use super::instance::Draft;
use super::{Context, address};
use crate::config::diagnostic::Class;
use crate::model::{
    AdvertInterval, Authentication, DownTimerAdverts, Family, Instance, Micros, Password, Priority, Transport, Version,
    VirtualAddress, WantedState, is_ipv6_link_local,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[expect(clippy::too_many_lines, reason = "one field after another")]
pub(super) fn complete(draft: Draft, ctx: &mut Context<'_>) -> Option<Instance> {
    let name = draft.name.clone();
    let Some(vrid) = draft.vrid else {
        ctx.check(Class::General, format!("({name}) the virtual router id must be set"));
        ctx.fatal = true;
        return None;
    };
    if draft.interface.is_none() && !draft.unicast {
        ctx.check(Class::General, format!("({name}) Unknown interface!"));
        ctx.fatal = true;
        return None;
    }
    let strict = draft.strict.unwrap_or(ctx.global.strict);
    let family = draft.family().unwrap_or(Family::Ipv4);
    let version = version(&draft, family, strict, ctx);
    let (state, priority) = state_and_priority(&draft, strict, ctx);
    let authentication = authentication(&draft, version, family, strict, ctx);
    let transport = transport(&draft, family, ctx)?;
    let advert_interval = interval(draft.advert_int.unwrap_or(Micros::SECOND), version, &name, ctx);
    let (preempt, preempt_delay) = preemption(&draft, state, priority, strict, ctx);
    let (vips, excluded_vips) = place(&draft, family, version, ctx);
    if vips.is_empty() && !draft.no_vips {
        no_vips(&name, version, ctx)?;
    }
    check_first_ipv6(&vips, &transport, family, &name, ctx);
    let mut announce = draft.announce;
    if strict {
        announce.lower_prio_repeat = 0;
        announce.lower_prio_delay = Micros::ZERO;
    }
    let owner = priority.is_owner();
    let track_interfaces = draft.track_interfaces.into_iter().filter(|track| {
        let own = draft.interface.as_ref() == Some(&track.interface);
        if own {
            let message = format!(
                "({name}) Ignoring track_interface {} since own interface",
                track.interface
            );
            ctx.check(Class::General, message);
        }
        !own
    });
    Some(Instance {
        name: name.as_str().into(),
        vrid,
        family,
        version,
        interface: draft.interface.clone(),
        state,
        priority,
        advert_interval,
        down_timer_adverts: if strict {
            DownTimerAdverts::default()
        } else {
            draft.down_timer_adverts
        },
        authentication,
        transport,
        source: draft.source,
        track_source: draft.track_source && draft.source.is_some(),
        vips,
        excluded_vips,
        preempt,
        preempt_delay,
        accept: draft.accept.unwrap_or(!strict || owner),
        strict,
        dont_track_primary: draft.dont_track_primary,
        track_interfaces: track_interfaces.collect(),
        track_scripts: draft.track_scripts,
        skip_check_adv_addr: draft.skip_check_adv_addr,
        v3_checksum_as_v2: draft.v3_checksum_as_v2,
        lower_prio_no_advert: draft
            .lower_prio_no_advert
            .unwrap_or(strict || ctx.global.lower_prio_no_advert),
        higher_prio_send_advert: draft
            .higher_prio_send_advert
            .unwrap_or(!strict && ctx.global.higher_prio_send_advert),
        owner_ignore_adverts: owner && (draft.owner_ignore_adverts || strict),
        promote_secondaries: draft.promote_secondaries,
        announce,
        hmac: None,
        own_link: None,
        use_vmac_addr: false,
        vrf: None,
        linkbeat_use_polling: false,
        config_fault: None,
        sync_group: None,
        unicast_fault_no_peer: draft.unicast_fault_no_peer,
        no_vips: draft.no_vips,
        routes: Vec::new(),
        rules: Vec::new(),
        timer_expired_backup: None,
        track_files: Vec::new(),
        track_processes: Vec::new(),
        track_bfds: Vec::new(),
        garp_extra: crate::model::GarpExtra::default(),
        notify: None,
        smtp_alert: false,
        notify_priority_changes: false,
        kernel_rx_buf_size: None,
        lvs_sync_daemon_interface: None,
        debug: 0,
        ignore_foreign_claims: false,
        listen_after_stall: false,
    })
}

fn version(draft: &Draft, family: Family, strict: bool, ctx: &mut Context<'_>) -> Version {
    match (family, draft.version) {
        (Family::Ipv6, Some(Version::V2)) if strict => {
            let message = format!(
                "({}) cannot use IPv6 with VRRP version 2; setting version 3",
                draft.name
            );
            ctx.check(Class::General, message);
            Version::V3
        }
        (_, Some(version)) => version,
        (Family::Ipv6, None) => Version::V3,
        (Family::Ipv4, None) => ctx.global.vrrp_version,
    }
}

fn state_and_priority(draft: &Draft, strict: bool, ctx: &mut Context<'_>) -> (WantedState, Priority) {
    let wants_master = draft.state == Some(WantedState::Master);
    let priority = draft.priority.unwrap_or(if wants_master {
        Priority::OWNER
    } else {
        Priority::DEFAULT
    });
    let by_priority = if priority.is_owner() {
        WantedState::Master
    } else {
        WantedState::Backup
    };
    let state = draft.state.unwrap_or(by_priority);
    if strict && state != by_priority {
        ctx.check(
            Class::General,
            format!("({}) State MASTER must match being address owner", draft.name),
        );
        return (by_priority, priority);
    }
    (state, priority)
}

fn authentication(
    draft: &Draft,
    version: Version,
    family: Family,
    strict: bool,
    ctx: &mut Context<'_>,
) -> Authentication {
    let Some(kind) = &draft.auth_type else {
        return Authentication::None;
    };
    let name = &draft.name;
    let password = draft.auth_pass.as_deref().filter(|password| !password.is_empty());
    let complaint = match password {
        _ if strict => "Strict mode does not support authentication. Ignoring.",
        _ if version == Version::V3 => "VRRP version 3 does not support authentication. Ignoring.",
        None => "Authentication specified but no password given. Ignoring",
        Some(_) if kind == "AH" && family == Family::Ipv6 => "Cannot use AH authentication with IPv6. ignoring",
        Some(text) if kind == "AH" => return Authentication::Ah(Password::from_text(text)),
        Some(text) => return Authentication::Pass(Password::from_text(text)),
    };
    ctx.check(Class::General, format!("({name}) {complaint}"));
    Authentication::None
}

fn transport(draft: &Draft, family: Family, ctx: &mut Context<'_>) -> Option<Transport> {
    let name = &draft.name;
    if draft.unicast && draft.peers.is_empty() {
        let message = format!(
            "({name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration."
        );
        ctx.check(Class::Deprecated, message);
    }
    if draft.peers.is_empty() {
        let global = match family {
            Family::Ipv4 => ctx.global.mcast_group4,
            Family::Ipv6 => ctx.global.mcast_group6,
        };
        let group = draft
            .group
            .filter(|group| Family::of(*group) == family)
            .unwrap_or(global);
        return Some(Transport::Multicast { group });
    }
    if draft.interface.is_none() && draft.source.is_none() {
        let message = format!("({name}): Unicast instances must have unicast_src_ip or interface");
        ctx.check(Class::General, message);
        ctx.fatal = true;
        return None;
    }
    Some(Transport::Unicast {
        peers: draft.peers.clone(),
        ttl: draft.unicast_ttl,
        check_source: draft.check_unicast_src,
        old_checksum: draft.old_checksum,
    })
}

/// Version 2 carries whole seconds, version 3 at most 4095 centiseconds.
fn interval(written: Micros, version: Version, name: &str, ctx: &mut Context<'_>) -> AdvertInterval {
    let centiseconds = (written.0 + 5_000) / 10_000;
    let allowed = match version {
        Version::V2 => ((written.0 + 500_000) / 1_000_000).clamp(1, 255) * 100,
        Version::V3 => centiseconds.clamp(1, 4095),
    };
    if allowed * 10_000 != written.0 {
        let what = match version {
            Version::V2 => "VRRPv2 can only have whole seconds",
            Version::V3 => "VRRPv3 has steps of 0.01 up to 40.95 seconds",
        };
        let (whole, rest) = (allowed / 100, allowed % 100);
        ctx.check(
            Class::General,
            format!("({name}) {what}, advert interval set to {whole}.{rest:02} s"),
        );
    }
    u16::try_from(allowed)
        .ok()
        .and_then(AdvertInterval::from_centiseconds)
        .unwrap_or_default()
}

fn preemption(
    draft: &Draft,
    state: WantedState,
    priority: Priority,
    strict: bool,
    ctx: &mut Context<'_>,
) -> (bool, Micros) {
    let (name, mut preempt, mut delay) = (&draft.name, draft.preempt, draft.preempt_delay);
    if !preempt && priority.is_owner() {
        let message = format!("({name}) nopreempt is incompatible with priority 255. resetting nopreempt");
        ctx.check(Class::General, message);
        preempt = true;
    }
    if !preempt && state == WantedState::Master {
        let message = format!("({name}) Warning - nopreempt will not work with initial state MASTER - clearing");
        ctx.check(Class::General, message);
        preempt = true;
    }
    if delay > Micros::ZERO && (state == WantedState::Master || strict || !preempt) {
        let why = if state == WantedState::Master {
            "initial state MASTER"
        } else {
            "nopreempt or strict mode"
        };
        let message = format!("({name}) Warning - preempt delay will not work with {why} - clearing");
        ctx.check(Class::General, message);
        delay = Micros::ZERO;
    }
    (preempt, delay)
}

/// Gives every address its interface, and moves to the excluded ones what does not fit into an advert.
fn place(
    draft: &Draft,
    family: Family,
    version: Version,
    ctx: &mut Context<'_>,
) -> (Vec<VirtualAddress>, Vec<VirtualAddress>) {
    let name = &draft.name;
    let mut placed = |list: &[address::Draft], excluded: &str| -> Vec<VirtualAddress> {
        let mut placed = Vec::new();
        for vip in list {
            let Some(interface) = vip.interface.clone().or_else(|| draft.interface.clone()) else {
                let ip = vip.address.address;
                ctx.check(
                    Class::General,
                    format!("({name}): no interface for {excluded}vip {ip} - removing"),
                );
                continue;
            };
            placed.push(VirtualAddress {
                interface,
                ..vip.address.clone()
            });
        }
        placed
    };
    let mut vips = placed(&draft.vips, "");
    let mut excluded = placed(&draft.excluded, "e");
    let facts = draft
        .interface
        .as_ref()
        .and_then(|interface| ctx.host.interface(interface));
    let mtu = facts.map_or(1500, |facts| facts.mtu);
    // keepalived subtracts the Ethernet header although the MTU does not count it; both ends have to agree on the cut.
    let overhead = 14
        + 8
        + match (family, version) {
            (Family::Ipv4, Version::V2) => 28,
            (Family::Ipv4, Version::V3) => 20,
            (Family::Ipv6, _) => 40,
        };
    let size = if family == Family::Ipv4 { 4 } else { 16 };
    let most = usize::try_from(mtu.saturating_sub(overhead) / size)
        .unwrap_or(255)
        .min(255);
    if vips.len() > most {
        let count = vips.len();
        let message = format!(
            "({name}) Number of VIPs ({count}) exceeds maximum/space available in packet (max {most} addresses) - excess moved to eVIPs"
        );
        ctx.check(Class::General, message);
        excluded.splice(0..0, vips.split_off(most));
    }
    (vips, excluded)
}

/// Version 3 needs an address; version 2 only warns.
fn no_vips(name: &str, version: Version, ctx: &mut Context<'_>) -> Option<()> {
    if version == Version::V2 {
        ctx.check(
            Class::General,
            format!("({name}) No VIP specified; at least one is sensible"),
        );
        return Some(());
    }
    ctx.check(
        Class::General,
        format!("({name}) No VIP specified; at least one is required"),
    );
    ctx.fatal = true;
    None
}

fn check_first_ipv6(vips: &[VirtualAddress], transport: &Transport, family: Family, name: &str, ctx: &mut Context<'_>) {
    let first = vips.first().map(|vip| vip.address);
    let global = matches!(first, Some(IpAddr::V6(v6)) if !is_ipv6_link_local(v6));
    if family == Family::Ipv6 && !transport.is_unicast() && global {
        ctx.note(
            None,
            format!("({name}) the first IPv6 VIP address should be link local"),
        );
    }
}

/// Two instances of one VRID and family on one interface cannot be told apart.
pub(super) fn duplicate_vrids(instances: &[Instance], ctx: &mut Context<'_>) {
    let mut seen = BTreeMap::new();
    for instance in instances.iter().filter(|instance| !instance.transport.is_unicast()) {
        let key = (instance.interface.clone(), instance.family, instance.vrid);
        if let Some(first) = seen.insert(key, &instance.name) {
            let (second, vrid) = (&instance.name, instance.vrid);
            let message = format!("({second}) VRID {vrid} duplicated on the same interface with {first}");
            ctx.check(Class::General, message);
            ctx.fatal = true;
        }
    }
}
