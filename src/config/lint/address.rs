//! Virtual addresses that do not belong where they are put.

use super::Linter;
use crate::config::code::Code;
use crate::model::{Family, Instance, VirtualAddress};
use std::net::IpAddr;

pub(super) fn lint(instance: &Instance, linter: &mut Linter<'_>) {
    for (list, vip) in entries(instance) {
        let own = linter.addresses(&vip.interface);
        let family = Family::of(vip.address);
        let own: Vec<(IpAddr, u8)> = own
            .iter()
            .copied()
            .filter(|(address, _)| Family::of(*address) == family)
            .collect();
        if !is_own(instance, list, vip, &own, linter) {
            outside(instance, list, vip, &own, linter);
        }
    }
    strict(instance, linter);
}

fn entries(instance: &Instance) -> impl Iterator<Item = (&'static str, &VirtualAddress)> {
    let vips = instance.vips.iter().map(|vip| ("virtual_ipaddress", vip));
    vips.chain(
        instance
            .excluded_vips
            .iter()
            .map(|vip| ("virtual_ipaddress_excluded", vip)),
    )
}

/// The place of an address; as written it may have a prefix length.
fn place(instance: &Instance, list: &str, vip: &VirtualAddress, linter: &Linter<'_>) -> super::Place {
    let with_prefix = linter.entry(instance, list, &vip.to_string());
    let without = linter.entry(instance, list, &vip.address.to_string());
    if with_prefix == linter.place(instance, list) {
        without
    } else {
        with_prefix
    }
}

/// An address of this host that no daemon has put there: with another prefix length, or the only one of its interface.
fn is_own(
    instance: &Instance,
    list: &str,
    vip: &VirtualAddress,
    own: &[(IpAddr, u8)],
    linter: &mut Linter<'_>,
) -> bool {
    let Some((_, prefix)) = own.iter().find(|(address, _)| *address == vip.address) else {
        return false;
    };
    if instance.is_owner() || (*prefix == vip.prefix_len && own.len() > 1) {
        return true;
    }
    let place = place(instance, list, vip, linter);
    let (name, address, interface) = (&instance.name, vip.address, &vip.interface);
    let message = format!("({name}) {address} is an address that this host has on {interface} already");
    linter.warn(place, Code::VipIsOwnAddress, message).hint = Some(
        "a virtual address has to be free; on becoming backup vrrpd removes it from the interface. Only an owner (priority 255) has it as its own"
            .into(),
    );
    true
}

/// An address that no neighbour looks for on this link.
fn outside(instance: &Instance, list: &str, vip: &VirtualAddress, own: &[(IpAddr, u8)], linter: &mut Linter<'_>) {
    let inside = |(address, prefix): &(IpAddr, u8)| same_prefix(*address, vip.address, *prefix);
    let link_local = matches!(vip.address, IpAddr::V6(v6) if crate::model::is_ipv6_link_local(v6));
    if own.is_empty() || link_local || own.iter().any(inside) {
        return;
    }
    let place = place(instance, list, vip, linter);
    let subnets: Vec<String> = own
        .iter()
        .map(|(address, prefix)| format!("{address}/{prefix}"))
        .collect();
    let (name, interface) = (&instance.name, &vip.interface);
    let message = format!("({name}) {vip} is in no subnet of {interface} ({})", subnets.join(", "));
    let own_subnet = vip.prefix_len < Family::of(vip.address).max_prefix();
    let (diagnostic, hint) = if own_subnet {
        let hint = "it brings a subnet of its own; the other hosts of the link need a route to it";
        (linter.note(place, Code::VipOutsideSubnets, message), hint)
    } else {
        let hint = "hosts of the link do not look for it here: a mistyped address, or the wrong interface (`dev`)?";
        (linter.warn(place, Code::VipOutsideSubnets, message), hint)
    };
    diagnostic.hint = Some(hint.into());
}

fn same_prefix(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let differs = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differs.leading_zeros() >= u32::from(length) || differs == 0
}

/// Strict mode switches `accept` off.
fn strict(instance: &Instance, linter: &mut Linter<'_>) {
    if !instance.strict || instance.accept || instance.is_owner() {
        return;
    }
    let place = linter.place(instance, "strict_mode");
    let name = &instance.name;
    let message = format!(
        "({name}) in strict mode the master drops packets to its virtual addresses: no ping, no service on them"
    );
    linter.warn(place, Code::StrictBlocksVips, message).hint = Some(
        "leave strict mode (vrrp_strict, strict_mode) out, or use version 3 and write `accept` into the instance"
            .into(),
    );
}
