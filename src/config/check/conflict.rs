//! Instances that cannot be told apart (semantic-checks §7).

use super::alike;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::Context;
use crate::model::{ConfigFault, Family, Instance, Micros, Model, Transport};
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
        format!("({name}) duplicate VRID conflict with {first} VRID {vrid}")
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
