//! A model in the form of the corpus's summaries: what keepalived itself understood.

use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr};
use vrrpd::model::*;

/// Names of users and groups by their numbers.
pub(crate) type NameOf<'a> = &'a dyn Fn(u32) -> String;

pub(crate) fn summary(model: &Model, name_of: NameOf<'_>) -> Value {
    json!({
        "global": global(&model.global),
        "instances": model.instances.iter().map(|i| instance(i, model, name_of)).collect::<Vec<_>>(),
        "sync_groups": model.groups.iter().map(|g| group(g, model, name_of)).collect::<Vec<_>>(),
        "scripts": model.scripts.iter().map(|s| script(s, name_of)).collect::<Vec<_>>(),
        "track_files": model.files.iter().filter(|f| is_tracked(f, model)).map(|f| json!({
            "name": *f.name, "file": f.path, "weight": f.weight.value(), "reverse": f.weight.is_reverse(),
        })).collect::<Vec<_>>(),
        "track_processes": model.processes.iter().map(process).collect::<Vec<_>>(),
        "track_bfds": model.bfds.iter().filter(|b| b.for_vrrp).map(|b| json!({
            "name": *b.name, "weight": b.weight.value(), "reverse": b.weight.is_reverse(),
        })).collect::<Vec<_>>(),
        "bfd_instances": model.bfds.iter().filter(|b| b.neighbor.is_some()).map(bfd).collect::<Vec<_>>(),
        "static_addresses": model.static_addresses.iter().map(|a| address(&a.address)).collect::<Vec<_>>(),
        "static_routes": model.static_routes.iter().map(route).collect::<Vec<_>>(),
        "static_rules": model.static_rules.iter().map(rule).collect::<Vec<_>>(),
    })
}

/// Whether an instance or group follows the file; keepalived forgets the others, we keep them for LVS blocks.
fn is_tracked(file: &TrackedFile, model: &Model) -> bool {
    let id = |track: &TrackFile| model.files[track.file.0 as usize].name == file.name;
    model.instances.iter().any(|i| i.track_files.iter().any(id))
        || model.groups.iter().any(|g| g.track_files.iter().any(id))
}

/// Seconds; whole ones as an integer.
fn seconds(time: Micros) -> Value {
    if time.0 % 1_000_000 == 0 {
        json!(time.0 / 1_000_000)
    } else {
        json!(time.0 as f64 / 1e6)
    }
}

fn global(global: &Global) -> Value {
    let default = global.default_interface.as_ref().map_or("eth0", |name| name.as_str());
    let mut value = json!({
        "default_interface": default,
        "dynamic_interfaces": global.dynamic_interfaces,
        "enable_script_security": global.script_security,
        "garp_lower_prio_delay": seconds(global.announce.lower_prio_delay),
        "garp_lower_prio_repeat": global.announce.lower_prio_repeat,
        "garp_master_delay": seconds(global.announce.master_delay),
        "garp_master_refresh": seconds(global.announce.refresh),
        "garp_master_refresh_repeat": global.announce.refresh_repeat,
        "garp_master_repeat": global.announce.master_repeat,
        "vrrp_check_unicast_src": global.check_unicast_src,
        "vrrp_mcast_group4": global.mcast_group4,
        "vrrp_mcast_group6": global.mcast_group6,
        "vrrp_notify_priority_changes": global.notify_priority_changes,
        "vrrp_skip_check_adv_addr": global.skip_check_adv_addr,
        "vrrp_strict": global.strict,
        "vrrp_version": global.vrrp_version.number(),
    });
    if let Some(id) = &global.router_id {
        value["router_id"] = json!(id);
    }
    value
}

fn tracks(
    model: &Model,
    interfaces: &[TrackInterface],
    scripts: &[TrackScript],
    files: &[TrackFile],
    processes: &[TrackProcess],
    bfds: &[TrackBfd],
) -> Map<String, Value> {
    let one =
        |name: &str, weight: Weight| json!({"name": name, "weight": weight.value(), "reverse": weight.is_reverse()});
    let lists = [
        (
            "track_interface",
            interfaces
                .iter()
                .map(|t| one(t.interface.as_str(), t.weight))
                .collect::<Vec<_>>(),
        ),
        (
            "track_script",
            scripts
                .iter()
                .map(|t| one(&model.scripts[t.script.0 as usize].name, t.weight))
                .collect(),
        ),
        (
            "track_file",
            files
                .iter()
                .map(|t| one(&model.files[t.file.0 as usize].name, t.weight))
                .collect(),
        ),
        (
            "track_process",
            processes
                .iter()
                .map(|t| one(&model.processes[t.process.0 as usize].name, t.weight))
                .collect(),
        ),
        (
            "track_bfd",
            bfds.iter()
                .map(|t| one(&model.bfds[t.bfd.0 as usize].name, t.weight))
                .collect(),
        ),
    ];
    lists
        .into_iter()
        .map(|(name, list)| (name.to_owned(), Value::Array(list)))
        .collect()
}

/// keepalived shows the path where a name was searched for.
fn searched(argv: &[String], path: Option<&String>) -> Vec<String> {
    let mut argv = argv.to_vec();
    if let (Some(first), Some(path)) = (argv.first_mut().filter(|first| !first.contains('/')), path) {
        first.clone_from(path);
    }
    argv
}

fn quoted(argv: &[String]) -> String {
    argv.iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn program(program: &Program, name_of: NameOf<'_>) -> Value {
    let user = program.user.unwrap_or(ProgramUser { uid: 0, gid: 0 });
    json!({"command": quoted(&searched(&program.argv, program.path.as_ref())), "user": name_of(user.uid), "group": name_of(user.gid)})
}

fn notify(value: &mut Map<String, Value>, programs: &NotifyPrograms, name_of: NameOf<'_>) {
    for (name, found) in [
        ("notify", &programs.any),
        ("notify_master", &programs.master),
        ("notify_backup", &programs.backup),
        ("notify_fault", &programs.fault),
        ("notify_stop", &programs.stop),
        ("notify_deleted", &programs.deleted_program),
        ("notify_master_rx_lower_pri", &programs.master_rx_lower_pri),
    ] {
        if let Some(found) = found {
            value.insert(name.into(), program(found, name_of));
        }
    }
}

fn instance(i: &Instance, model: &Model, name_of: NameOf<'_>) -> Value {
    let (vmac, ipvlan) = match i.own_link.as_deref() {
        None => (Value::Null, Value::Null),
        Some(OwnLink::Vmac(vmac)) => {
            let mut value = json!({"name": vmac.name, "xmit_base": vmac.xmit_base});
            if let Some(mac) = vmac.mac {
                value["mac"] = json!(mac.to_string());
            }
            (value, Value::Null)
        }
        Some(OwnLink::Ipvlan(ipvlan)) => (Value::Null, json!({"name": ipvlan.name, "type": ipvlan.mode})),
    };
    let mut value = json!({
        "name": *i.name,
        "version": i.version.number(),
        "family": i.family,
        "interface": i.interface,
        "vmac": vmac,
        "ipvlan": ipvlan,
        "sync_group": i.sync_group.map(|id| model.groups[id.0 as usize].name.to_string()),
        "virtual_router_id": i.vrid.get(),
        "priority": i.priority.get(),
        "advert_int_ms": i.advert_interval.duration().as_millis(),
        "state": match i.state { WantedState::Master => "MASTER", WantedState::Backup => "BACKUP" },
        "nopreempt": !i.preempt,
        "preempt_delay": seconds(i.preempt_delay),
        "accept": i.accept,
        "auth_type": match (&i.authentication, &i.hmac) {
            (_, Some(_)) => "hmac",
            (Authentication::None, None) => "none",
            (Authentication::Pass(_), None) => "pass",
            (Authentication::Ah(_), None) => "ah",
        },
        "src_ip": i.source,
        "unicast": i.transport.is_unicast(),
        "vips": i.vips.iter().map(address).collect::<Vec<_>>(),
        "vips_excluded": i.excluded_vips.iter().map(address).collect::<Vec<_>>(),
        "routes": i.routes.iter().map(route).collect::<Vec<_>>(),
        "rules": i.rules.iter().map(rule).collect::<Vec<_>>(),
        "garp_master_delay": seconds(i.announce.master_delay),
        "garp_master_refresh": seconds(i.announce.refresh),
        "garp_master_repeat": i.announce.master_repeat,
        "garp_master_refresh_repeat": i.announce.refresh_repeat,
        "garp_lower_prio_delay": seconds(i.announce.lower_prio_delay),
        "garp_lower_prio_repeat": i.announce.lower_prio_repeat,
        "down_timer_adverts": i.down_timer_adverts.get(),
        "lower_prio_no_advert": i.lower_prio_no_advert,
        "higher_prio_send_advert": i.higher_prio_send_advert,
        "promote_secondaries": i.promote_secondaries,
        "smtp_alert": i.smtp_alert,
        "strict_mode": i.strict,
        "skip_check_adv_addr": i.skip_check_adv_addr,
        "dont_track_primary": i.dont_track_primary,
        "v3_checksum_as_v2": i.v3_checksum_as_v2,
        "debug": i.debug,
    });
    let map = value.as_object_mut().unwrap();
    match &i.transport {
        Transport::Multicast { group } => {
            map.insert("mcast_address".into(), json!(group));
            map.insert("unicast_peers".into(), json!([]));
        }
        Transport::Unicast { peers, ttl, .. } => {
            let default = if i.family == Family::Ipv4 { Some(255) } else { None };
            map.insert("unicast_ttl".into(), json!(ttl.or(default)));
            let peer = |p: &UnicastPeer| json!({"address": p.address, "min_ttl": p.min_ttl, "max_ttl": p.max_ttl});
            map.insert("unicast_peers".into(), peers.iter().map(peer).collect());
        }
    }
    if let Some(vrf) = &i.vrf {
        map.insert("vrf".into(), json!(vrf));
    }
    let (f, p, b) = (&i.track_files, &i.track_processes, &i.track_bfds);
    map.extend(tracks(model, &i.track_interfaces, &i.track_scripts, f, p, b));
    if let Some(programs) = &i.notify {
        notify(map, programs, name_of);
    }
    value
}

fn group(g: &SyncGroup, model: &Model, name_of: NameOf<'_>) -> Value {
    let mut value = json!({
        "name": *g.name,
        "members": g.members.iter().map(|id| model.instances[id.0 as usize].name.to_string()).collect::<Vec<_>>(),
        "tracking_weight": g.tracking_weight,
        "smtp_alert": g.smtp_alert,
    });
    let map = value.as_object_mut().unwrap();
    let (f, p, b) = (&g.track_files, &g.track_processes, &g.track_bfds);
    map.extend(tracks(model, &g.track_interfaces, &g.track_scripts, f, p, b));
    notify(map, &g.notify, name_of);
    value
}

fn script(s: &Script, name_of: NameOf<'_>) -> Value {
    let user = s.user.unwrap_or(ProgramUser { uid: 0, gid: 0 });
    json!({
        "name": *s.name,
        "command": quoted(&searched(&s.argv, s.path.as_ref())),
        "interval": seconds(s.interval),
        "timeout": seconds(s.timeout.unwrap_or(Micros::ZERO)),
        "weight": s.weight.value(),
        "reverse": s.weight.is_reverse(),
        "rise": s.rise,
        "fall": s.fall,
        "insecure": s.insecure,
        // `init_fail` has no effect in keepalived.
        "init_state": "INIT",
        "user": name_of(user.uid),
        "group": name_of(user.gid),
    })
}

fn process(p: &TrackedProcess) -> Value {
    let mut value = json!({
        "name": *p.name,
        "process": p.process,
        "quorum": p.quorum,
        "weight": p.weight.value(),
        "reverse": p.weight.is_reverse(),
        "terminate_delay": seconds(p.terminate_delay),
        "fork_delay": seconds(p.fork_delay),
        "full_command": p.full_command,
    });
    if !p.parameters.is_empty() {
        value["parameters"] = json!(p.parameters.join(" "));
    }
    if let Some(max) = p.quorum_max {
        value["quorum_max"] = json!(max);
    }
    value
}

fn bfd(b: &BfdInstance) -> Value {
    let mut value = json!({
        "name": *b.name,
        "neighbor_ip": b.neighbor,
        "min_rx_us": b.min_rx.0,
        "min_tx_us": b.min_tx.0,
        "idle_tx_us": b.idle_tx.0,
        "multiplier": b.multiplier,
        "ttl": b.ttl,
        "max_hops": b.max_hops.unwrap_or(255),
        "passive": b.passive,
        "vrrp": b.for_vrrp,
        "checker": b.for_checker,
    });
    if let Some(source) = b.source {
        value["source_ip"] = json!(source);
    }
    value
}

fn address(a: &VirtualAddress) -> Value {
    let scope = match a.scope {
        0 => "global".to_owned(),
        200 => "site".into(),
        253 => "link".into(),
        254 => "host".into(),
        255 => "nowhere".into(),
        other => other.to_string(),
    };
    let mut value = json!({
        "address": format!("{}/{}", a.address, a.prefix_len),
        "dev": a.own_link.as_ref().unwrap_or(&a.interface),
        "scope": scope,
    });
    if a.own_link.is_some() {
        value["base"] = json!(a.interface);
    }
    if let Some(broadcast) = a.broadcast {
        value["brd"] = json!(broadcast_of(a, broadcast));
    }
    if let Some(label) = &a.label {
        value["label"] = json!(label);
    }
    if let Some(peer) = a.peer {
        value["address"] = json!(format!("{}/{}", a.address, a.prefix_len));
        value["peer"] = json!(format!("{peer}/{}", a.prefix_len));
    }
    let ipv6 = a.address.is_ipv6();
    let deprecated = match a.preferred_lifetime {
        None => a.prefix_len == 128,
        Some(PreferredLifetime::Forever) => false,
        Some(PreferredLifetime::Seconds(seconds)) => seconds == 0,
    };
    let flags: Vec<_> = [
        (a.use_vmac, "use_vmac"),
        (a.home, "home"),
        (ipv6 && !a.nodad, "-nodad"),
        (a.mngtmpaddr, "mngtmpaddr"),
        (a.noprefixroute, "noprefixroute"),
        (a.autojoin, "autojoin"),
        (ipv6 && deprecated, "deprecated"),
        (a.no_track, "no_track"),
    ]
    .into_iter()
    .filter_map(|(on, flag)| on.then_some(flag))
    .collect();
    if !flags.is_empty() {
        value["flags"] = json!(flags);
    }
    value
}

fn broadcast_of(a: &VirtualAddress, broadcast: Broadcast) -> Ipv4Addr {
    let IpAddr::V4(address) = a.address else { panic!() };
    let bits = u32::from(address);
    let host = if a.prefix_len == 0 {
        u32::MAX
    } else {
        (1u64 << (32 - a.prefix_len)) as u32 - 1
    };
    match broadcast {
        Broadcast::Address(address) => address,
        Broadcast::HostBitsSet => (bits | host).into(),
        Broadcast::HostBitsClear => (bits & !host).into(),
    }
}

fn prefix(p: Prefix) -> String {
    let max = if p.address.is_ipv4() { 32 } else { 128 };
    if p.len == max {
        p.address.to_string()
    } else {
        format!("{}/{}", p.address, p.len)
    }
}

fn any(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "0.0.0.0/0",
        Family::Ipv6 => "::/0",
    }
}

fn inet(address: IpAddr) -> String {
    format!("via {} {address}", if address.is_ipv4() { "inet" } else { "inet6" })
}

/// keepalived's own line of a route.
fn route(r: &Route) -> String {
    let mut words = vec![match r.place {
        RoutePlace::Prepend => "prepend".to_owned(),
        RoutePlace::Add => "add".into(),
        RoutePlace::Append => "append".into(),
    }];
    if r.kind != RouteType::UNICAST {
        let names = [
            "",
            "",
            "local",
            "broadcast",
            "anycast",
            "multicast",
            "blackhole",
            "unreachable",
            "prohibit",
            "throw",
        ];
        words.push(
            names
                .get(usize::from(r.kind.0))
                .map_or_else(|| r.kind.0.to_string(), |name| (*name).to_owned()),
        );
    }
    words.push(r.destination.map_or_else(|| any(r.family).to_owned(), prefix));
    let mut add = |word: &str, value: Option<String>| words.extend(value.map(|value| format!("{word} {value}")));
    add("from", r.from.map(prefix));
    add("tos", r.tos.map(|tos| tos.to_string()));
    add("src", r.prefsrc.map(|a| a.to_string()));
    words.extend(r.via.map(inet));
    let mut add = |word: &str, value: Option<String>| words.extend(value.map(|value| format!("{word} {value}")));
    add("dev", r.interface.as_ref().map(ToString::to_string));
    add("table", r.table.map(|table| table.to_string()));
    // Without `no_track` it is always told; with it only where it is written. Both add the route as keepalived's (18).
    let told = r.protocol != 0 && !(r.no_track && r.protocol == 18);
    add("proto", told.then(|| r.protocol.to_string()));
    add(
        "scope",
        r.scope.filter(|scope| *scope != 0).map(|scope| scope.to_string()),
    );
    add("metric", r.metric.map(|metric| metric.to_string()));
    add(
        "realm",
        r.realms.map(|realms| match realms >> 16 {
            0 => realms.to_string(),
            from => format!("{from}/{}", realms & 0xffff),
        }),
    );
    let metric = |kind: u8| r.metrics.iter().find(|metric| metric.kind == kind);
    let number = |kind: u8| metric(kind).map(|m| format!("{}{}", if m.lock { "lock " } else { "" }, m.value));
    let time =
        |kind: u8, per: u32| metric(kind).map(|m| format!("{}{}ms", if m.lock { "lock " } else { "" }, m.value / per));
    add("rtt", time(4, 8));
    add("rttvar", time(5, 4));
    add("rto_min", time(13, 1));
    add("features", metric(12).map(|_| "ecn".into()));
    for (name, kind) in [
        ("mtu", 2),
        ("window", 3),
        ("ssthresh", 6),
        ("cwnd", 7),
        ("advmss", 8),
        ("reordering", 9),
        ("hoplimit", 10),
        ("initcwnd", 11),
        ("initrwnd", 14),
        ("quickack", 15),
        ("fastopen_no_cookie", 17),
    ] {
        add(name, number(kind));
    }
    add(
        "ttl-propagate",
        r.ttl_propagate.map(|on| if on { "enabled" } else { "disabled" }.into()),
    );
    if r.onlink {
        words.push("onlink".into());
    }
    for hop in &r.next_hops {
        words.push("nexthop".into());
        words.extend(hop.via.map(inet));
        words.extend(hop.interface.as_ref().map(|name| format!("dev {name}")));
        words.extend((hop.weight != 0).then(|| format!("weight {}", hop.weight)));
        words.extend(hop.onlink.then(|| "onlink".to_owned()));
    }
    if r.no_track {
        words.push("no_track".into());
    }
    words.join(" ")
}

/// keepalived's own line of a rule.
fn rule(r: &Rule) -> String {
    let mut words = Vec::new();
    let mut add = |word: &str, value: Option<String>| words.extend(value.map(|value| format!("{word} {value}")));
    add("not", r.invert.then(String::new));
    let from = r.from.map(prefix).or_else(|| r.to.is_none().then(|| "all".into()));
    add("from", from);
    add("to", r.to.map(prefix));
    add("priority", Some(r.preference.to_string()));
    add("tos", Some(format!("0x{:x}", r.tos.unwrap_or(0))));
    add(
        "fwmark",
        r.fwmark.map(|mark| match mark.mask {
            None => format!("0x{:x}", mark.value),
            Some(mask) => format!("0x{:x}/0x{mask:x}", mark.value),
        }),
    );
    add("iif", r.iif.as_ref().map(ToString::to_string));
    add("oif", r.oif.as_ref().map(ToString::to_string));
    add("uidrange", r.uid_range.map(|(from, to)| format!("{from}-{to}")));
    if r.action == RuleAction::L3mdev {
        words.push("l3mdev".into());
    }
    let mut add = |word: &str, value: Option<String>| words.extend(value.map(|value| format!("{word} {value}")));
    add("protocol", Some(r.protocol.to_string()));
    add(
        "realms",
        r.realms.map(|realms| format!("{}/{}", realms >> 16, realms & 0xffff)),
    );
    match r.action {
        RuleAction::Table(table) => add("lookup", Some(table.to_string())),
        RuleAction::L3mdev => add("lookup", Some("0".into())),
        RuleAction::Goto(target) => add("goto", Some(target.to_string())),
        RuleAction::Nop => words.push("nop".into()),
        RuleAction::Blackhole => words.push("blackhole".into()),
        RuleAction::Unreachable => words.push("unreachable".into()),
        RuleAction::Prohibit => words.push("prohibit".into()),
    }
    words.join(" ")
}
