//! Instances that cannot be told apart (semantic-checks §7).

use super::alike;
use crate::config::code::Code;
use crate::config::diagnostic::{Class, Severity};
use crate::config::lower::Context;
use crate::model::{ConfigFault, Family, IfName, Instance, MacAddr, Micros, Model, OwnLink, Transport, VirtualAddress};
use std::collections::BTreeMap;

/// A delay that lasts until the others miss adverts is cut short when it begins (semantic-checks 53, 54).
pub(super) fn delays(model: &Model, ctx: &mut Context<'_>) {
    for instance in &model.instances {
        let mut delays = model.global.interface_delays.iter();
        let Some(delay) = delays.find(|delay| Some(&delay.interface) == instance.interface.as_ref()) else {
            continue;
        };
        let longest = delay.down.max(delay.up);
        let (name, interface) = (&instance.name, &delay.interface);
        let adverts = instance.down_timer_adverts.get();
        let message = if longest > Micros::ZERO && adverts == 1 {
            format!("{name}: cannot use debounce timers with down_timer_adverts = 1 - resetting")
        } else if longest > instance.longest_delay() {
            let fewer = adverts - 1;
            format!("{name}: interface {interface} debounce timer(s) not less that {fewer} * advert_int - resetting")
        } else {
            continue;
        };
        ctx.reports.whole(Code::Conflict, None, message);
    }
}

/// Looks for instances of one family and VRID on one link.
pub(super) fn vrids(model: &mut Model, ctx: &mut Context<'_>) {
    let mut same: BTreeMap<(Family, u8, bool), Vec<usize>> = BTreeMap::new();
    for (index, instance) in model.instances.iter().enumerate() {
        let key = (instance.family, instance.vrid.get(), instance.transport.is_unicast());
        same.entry(key).or_default().push(index);
    }
    let allowed = model.global.dynamic_interfaces && model.global.allow_if_changes;
    let mut faults = Vec::new();
    for candidates in same.values() {
        let mut seen: BTreeMap<_, usize> = BTreeMap::new();
        for (position, index) in candidates.iter().enumerate() {
            let Some(instance) = model.instances.get(*index) else {
                continue;
            };
            let earlier = match &instance.transport {
                // One link and group: the first one is enough.
                Transport::Multicast { group } => {
                    let key = (instance.interface.clone(), *group);
                    let earlier = seen.get(&key).copied();
                    seen.entry(key).or_insert(*index);
                    earlier
                }
                Transport::Unicast { .. } => {
                    let before = candidates.iter().take(position);
                    before.copied().find(|other| {
                        model
                            .instances
                            .get(*other)
                            .is_some_and(|other| shares_peer(instance, other))
                    })
                }
            };
            let Some(other) = earlier.and_then(|earlier| model.instances.get(earlier)) else {
                continue;
            };
            if told(instance, other, allowed, ctx) {
                faults.push(*index);
            }
        }
    }
    for index in faults {
        if let Some(instance) = model.instances.get_mut(index) {
            instance.config_fault = Some(ConfigFault::DuplicateVrid);
        }
    }
}

/// A VMAC that two instances would have to share: its MAC address comes from the VRID, so a link can carry it once. Only members
/// of one sync group are master together; of others the later one stays in fault.
pub(super) fn vmacs(model: &mut Model, ctx: &mut Context<'_>) {
    let mut holders: BTreeMap<Carried, Vec<usize>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, instance) in model.instances.iter().enumerate() {
        for (carried, here) in carried(instance) {
            let earlier = holders.entry(carried).or_default();
            let together = |other: &Instance| other.sync_group.is_some() && other.sync_group == instance.sync_group;
            let before = earlier.iter().filter(|earlier| **earlier != index);
            let other = before
                .filter_map(|earlier| model.instances.get(*earlier))
                .find(|other| !together(other));
            if let Some(other) = other {
                tell_shared(instance, here, other, &carried, ctx);
                faults.push(index);
            }
            earlier.push(index);
        }
    }
    for index in faults {
        if let Some(instance) = model.instances.get_mut(index) {
            instance.config_fault = Some(ConfigFault::SharedVmac);
        }
    }
}

/// A VMAC: the interface below it, and its MAC address.
type Carried<'m> = (&'m IfName, MacAddr);

/// The VMACs of an instance, each with the first address on it; none where it is only the instance's own.
fn carried(instance: &Instance) -> BTreeMap<Carried<'_>, Option<&VirtualAddress>> {
    let mut all = BTreeMap::new();
    let own = match (instance.own_link.as_deref(), &instance.interface) {
        (Some(OwnLink::Vmac(vmac)), Some(interface)) => {
            let mac = vmac
                .mac
                .unwrap_or(MacAddr::virtual_router(instance.family, instance.vrid));
            all.insert((interface, mac), None);
            Some((&vmac.name, mac))
        }
        _ => None,
    };
    let ipvlan = match instance.own_link.as_deref() {
        Some(OwnLink::Ipvlan(ipvlan)) => Some(&ipvlan.name),
        _ => None,
    };
    for address in instance.vips.iter().chain(&instance.excluded_vips) {
        let Some(link) = address.own_link.as_ref().filter(|link| Some(*link) != ipvlan) else {
            continue;
        };
        let mac = match own {
            Some((name, mac)) if name == link => mac,
            _ => MacAddr::virtual_router(Family::of(address.address), instance.vrid),
        };
        all.entry((&address.interface, mac))
            .or_insert(None)
            .get_or_insert(address);
    }
    all
}

/// The words are keepalived's, which names the later instance's address before the earlier one's.
fn tell_shared(
    instance: &Instance,
    here: Option<&VirtualAddress>,
    other: &Instance,
    carried: &Carried<'_>,
    ctx: &mut Context<'_>,
) {
    let there = self::carried(other).get(carried).copied().flatten();
    let (name, first) = (&instance.name, &other.name);
    let message = match (there, here) {
        (Some(there), None) => {
            let there = there.shown();
            format!("({first}) VIP/eVIP {there} uses same VMAC as VRRP instance {name}, disabling {name}")
        }
        (there, here) => {
            let here = here.map(VirtualAddress::shown).unwrap_or_default();
            let whose = there.map(|there| format!(" VIP/eVIP {}", there.shown()));
            let whose = whose.unwrap_or_default();
            format!("({first}) VIP/eVIP {here} uses same VMAC as VRRP instance {name}{whose}, disabling {name}")
        }
    };
    let earlier = ctx.instances.get(first).map(|known| known.place);
    let related = earlier.map(|place| ctx.reports.related("the other instance", place));
    let place = ctx.instances.get(name).map(|known| known.place).unwrap_or_default();
    let diagnostic = ctx.check(place, Code::DuplicateVrid, None, message);
    diagnostic.severity = Severity::Warning;
    diagnostic.related.extend(related);
    diagnostic.hint = Some(format!(
        "{name} stays in fault; use another VRID, or put both into one sync group"
    ));
}

/// Whether two unicast instances would hear each other's peers.
fn shares_peer(one: &Instance, other: &Instance) -> bool {
    let (Transport::Unicast { peers: mine, .. }, Transport::Unicast { peers: theirs, .. }) =
        (&one.transport, &other.transport)
    else {
        return false;
    };
    let same_link = one.interface == other.interface || one.interface.is_none() || other.interface.is_none();
    let same_source = one.source.is_some() && one.source == other.source;
    alike(one, other)
        && same_link
        && same_source
        && mine
            .iter()
            .any(|peer| theirs.iter().any(|other| other.address == peer.address))
}

/// Says it. Whether the later one is in fault instead of everything standing still.
fn told(instance: &Instance, other: &Instance, allowed: bool, ctx: &mut Context<'_>) -> bool {
    let (name, first, vrid) = (&instance.name, &other.name, instance.vrid);
    let version = match instance.family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    let interface = instance.interface.as_ref().map(ToString::to_string).unwrap_or_default();
    let unicast = instance.transport.is_unicast();
    if allowed && !unicast {
        let message =
            format!("({name}) - warning, VRID {vrid} for IPv{version} is currently duplicated on {interface}");
        ctx.reports.whole(Code::DuplicateVrid, None, message);
        return true;
    }
    let message = if unicast {
        format!("({first}) duplicate VRID conflict with {name} VRID {vrid}")
    } else {
        format!("{first} and {name} both use VRID {vrid} with IPv{version} on interface {interface}")
    };
    let place = ctx.instances.get(name).map(|known| known.place);
    let earlier = ctx
        .instances
        .get(first)
        .map(|known| ctx.reports.related("the other instance", known.place));
    let diagnostic = match place {
        Some(place) => ctx.check(place, Code::DuplicateVrid, Class::General, message),
        None => ctx.reports.whole(Code::DuplicateVrid, Class::General, message),
    };
    diagnostic.related.extend(earlier);
    ctx.fatal = true;
    false
}

#[cfg(test)]
mod tests {
    use crate::config::{NoHost, load_text};
    use crate::model::ConfigFault;

    /// What keepalived 2.2.7 and 2.4.3 log of these, and whom they disable.
    #[test]
    fn a_vmac_is_carried_once_by_instances_that_are_not_masters_together() {
        let own = "vrrp_instance B {\ninterface eth1\nvirtual_router_id 10\nuse_vmac\nvirtual_ipaddress {\n10.1.0.51/24\n}\n}\n";
        let of_address = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 10\nvirtual_ipaddress {\n10.1.0.50/24 dev eth1 use_vmac\n}\n}\n";
        let third = of_address
            .replace("A {", "C {")
            .replace("eth0", "eth2")
            .replace(".50", ".52");
        let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
        let shared = "uses same VMAC as VRRP instance";
        for (text, faults, told) in [
            (
                format!("{of_address}{own}"),
                [None, Some(ConfigFault::SharedVmac)],
                format!("(A) VIP/eVIP 10.1.0.51/24 {shared} B VIP/eVIP 10.1.0.50/24, disabling B"),
            ),
            (
                format!("{own}{of_address}"),
                [None, Some(ConfigFault::SharedVmac)],
                format!("(B) VIP/eVIP 10.1.0.50/24 {shared} A VIP/eVIP 10.1.0.51/24, disabling A"),
            ),
            (
                format!("{of_address}{third}"),
                [None, Some(ConfigFault::SharedVmac)],
                format!("(A) VIP/eVIP 10.1.0.52/24 {shared} C VIP/eVIP 10.1.0.50/24, disabling C"),
            ),
            (format!("{group}{of_address}{own}"), [None, None], String::new()),
            (
                format!("{of_address}{}", own.replace("_id 10", "_id 11")),
                [None, None],
                String::new(),
            ),
            (
                format!("{of_address}{}", own.replace("use_vmac\n", "")),
                [None, None],
                String::new(),
            ),
        ] {
            let loaded = load_text(&text, &NoHost);
            let model = loaded.model.as_ref().unwrap();
            assert_eq!(
                model.instances.iter().map(|i| i.config_fault).collect::<Vec<_>>(),
                faults,
                "{text}"
            );
            let mut lines = loaded.diagnostics.iter().filter(|d| d.message.contains(shared));
            assert_eq!(lines.next().map_or("", |d| &d.message), told, "{text}");
            assert_eq!(lines.next(), None);
            assert_eq!(loaded.test_status(), 0, "keepalived only logs it");
        }
    }
}
