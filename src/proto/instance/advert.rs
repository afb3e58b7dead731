//! Is this advert valid for this instance? The checks of behaviour §3.2 in their order, with the choices of `docs/differences.md`.

use super::auth::{Ah, Memory};
use crate::model::{
    Authentication, Family, Instance, Micros, OldUnicastChecksum, Priority, Transport, Version, is_ipv6_link_local,
};
use crate::proto::log_event::{Difference, DropDetail};
use crate::proto::mutant::{Mutant, Mutation};
use crate::wire::auth::{TRAILER_LEN, is_same};
use crate::wire::vrrp::{AdvertView, ChecksumForm, checksum_is};
use std::net::IpAddr;

/// An AH header of 24 bytes in words of four, less two (RFC 2402 section 2.2).
const AH_WORDS: u8 = 4;

/// A datagram whose headers have been read.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto) struct Arrived<'a> {
    pub(in crate::proto) source: IpAddr,
    pub(in crate::proto) destination: IpAddr,
    pub(in crate::proto) ttl: Option<u8>,
    /// IPv4: length that the IP header states, header included.
    pub(in crate::proto) stated_len: Option<usize>,
    /// IPv4: length of the IP header; 0 for IPv6.
    pub(in crate::proto) header_len: usize,
    pub(in crate::proto) ah: Option<Ah<'a>>,
    pub(in crate::proto) view: AdvertView<'a>,
}

/// A valid advert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proto) struct Heard {
    pub(in crate::proto) source: IpAddr,
    pub(in crate::proto) priority: Priority,
    /// Centiseconds.
    pub(in crate::proto) interval_cs: u16,
    pub(in crate::proto) form: ChecksumForm,
    /// What differs from our configuration without making it invalid.
    pub(in crate::proto) differences: Vec<Difference>,
}

/// Judges an advert. `compare_addresses` is off for a known sender when `skip_check_adv_addr` is set.
pub(in crate::proto) fn judge(
    instance: &Instance,
    memory: &mut Memory,
    owner_ignores: bool,
    compare_addresses: bool,
    arrived: &Arrived<'_>,
    wall: Option<Micros>,
    mutation: Mutation,
) -> Result<Heard, DropDetail> {
    let view = &arrived.view;
    check_source(instance, arrived)?;
    check_ah(instance, arrived)?;
    // Before the length, which depends on the version: keepalived counts most wrong versions as wrong lengths.
    if view.version() != instance.version.number() {
        return Err(DropDetail::Version {
            received: view.version(),
            expected: instance.version.number(),
        });
    }
    check_length(arrived, instance.hmac.is_some())?;
    if !instance.transport.is_unicast() && !mutation.is(Mutant::TtlUnchecked) {
        match arrived.ttl {
            Some(received) if received != 255 => return Err(DropDetail::Ttl { received }),
            Some(_) | None => {}
        }
    }
    let skew = match &instance.hmac {
        Some(hmac) => memory.check_hmac(hmac, instance, arrived, wall, mutation)?,
        None => None,
    };
    if instance.version == Version::V2 {
        check_v2(instance, memory, arrived, mutation)?;
    }
    if view.kind() != 1 {
        return Err(DropDetail::Type { received: view.kind() });
    }
    check_total_length(arrived)?;
    let (interval_cs, mut differences) = check_interval(instance, view)?;
    differences.extend(skew);
    let form = check_checksum(instance, arrived, mutation)?;
    if is_multicast(arrived.destination) == instance.transport.is_unicast() {
        return Err(DropDetail::Destination {
            multicast: is_multicast(arrived.destination),
        });
    }
    if owner_ignores {
        return Err(DropDetail::OwnerIgnores);
    }
    check_peer(instance, arrived)?;
    if compare_addresses {
        differences.extend(address_difference(instance, view));
    } else if view.count() != instance.vips.len() {
        differences.push(Difference::AddressCount {
            ours: instance.vips.len(),
            theirs: view.count(),
        });
    }
    Ok(Heard {
        source: arrived.source,
        priority: view.priority(),
        interval_cs,
        form,
        differences,
    })
}

/// keepalived takes any source; a router cannot have these, and RFC 9568 section 5.1.2.1 wants link-local.
fn check_source(instance: &Instance, arrived: &Arrived<'_>) -> Result<(), DropDetail> {
    let impossible = match arrived.source {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.is_loopback(),
        IpAddr::V6(v6) => {
            let not_link_local = !instance.transport.is_unicast() && !is_ipv6_link_local(v6);
            v6.is_unspecified() || v6.is_multicast() || v6.is_loopback() || not_link_local
        }
    };
    if impossible { Err(DropDetail::Source) } else { Ok(()) }
}

fn check_ah(instance: &Instance, arrived: &Arrived<'_>) -> Result<(), DropDetail> {
    match (arrived.ah.is_some(), instance.authentication) {
        (true, Authentication::None | Authentication::Pass(_)) => Err(DropDetail::UnexpectedAh),
        (false, Authentication::Ah(_)) => Err(DropDetail::MissingAh),
        (true, Authentication::Ah(_)) | (false, Authentication::None | Authentication::Pass(_)) => Ok(()),
    }
}

/// keepalived also takes a surplus that looks like Ethernet padding; the kernel has cut real padding off already, so here it is an error.
fn check_length(arrived: &Arrived<'_>, may_be_signed: bool) -> Result<(), DropDetail> {
    let received = arrived.header_len + arrived.view.message().len();
    let expected = arrived.header_len + arrived.view.expected_len();
    if let Some(ah) = arrived.ah.filter(|ah| ah.header.payload_len != AH_WORDS) {
        let received = ah.header.payload_len;
        return Err(DropDetail::AhLength { received });
    }
    if received == expected || may_be_signed && received == expected + TRAILER_LEN {
        Ok(())
    } else {
        Err(DropDetail::Length { received, expected })
    }
}

fn check_total_length(arrived: &Arrived<'_>) -> Result<(), DropDetail> {
    let received = arrived.header_len + arrived.view.message().len();
    match arrived.stated_len {
        Some(stated) if stated != received => Err(DropDetail::TotalLength { stated, received }),
        Some(_) | None => Ok(()),
    }
}

fn check_v2(
    instance: &Instance,
    memory: &mut Memory,
    arrived: &Arrived<'_>,
    mutation: Mutation,
) -> Result<(), DropDetail> {
    let view = &arrived.view;
    let (received, expected) = (view.auth_type(), auth_number(instance.authentication));
    if received > 2 {
        return Err(DropDetail::AuthType { received });
    }
    if received != expected {
        return Err(DropDetail::AuthMismatch { received, expected });
    }
    if let (Authentication::Ah(password), Some(ah)) = (instance.authentication, &arrived.ah) {
        memory.check_ah(ah, password, arrived, instance.transport.is_unicast(), mutation)?;
    }
    if let Authentication::Pass(password) = instance.authentication {
        let same = view.auth_data().is_some_and(|data| is_same(data, password.0));
        if !same && !mutation.is(Mutant::PasswordUnchecked) {
            return Err(DropDetail::Password);
        }
    }
    let (ours_s, theirs_s) = (instance.advert_interval.seconds(), view.interval_seconds());
    if ours_s != u16::from(theirs_s) {
        return Err(DropDetail::Interval { ours_s, theirs_s });
    }
    Ok(())
}

/// The number on the wire.
pub(in crate::proto) const fn auth_number(authentication: Authentication) -> u8 {
    match authentication {
        Authentication::None => 0,
        Authentication::Pass(_) => 1,
        Authentication::Ah(_) => 2,
    }
}

fn check_interval(instance: &Instance, view: &AdvertView<'_>) -> Result<(u16, Vec<Difference>), DropDetail> {
    if instance.version == Version::V2 {
        return Ok((u16::from(view.interval_seconds()) * 100, Vec::new()));
    }
    let (ours_cs, theirs_cs) = (instance.advert_interval.centiseconds(), view.interval_centiseconds());
    if theirs_cs == 0 {
        return Err(DropDetail::ZeroInterval);
    }
    let differs = (ours_cs != theirs_cs).then_some(Difference::Interval { ours_cs, theirs_cs });
    Ok((theirs_cs, differs.into_iter().collect()))
}

/// Version 3 over IPv4 is taken with and without the pseudo-header (RFC 9568 against keepalived's default, DESIGN difference 7).
fn check_checksum(instance: &Instance, arrived: &Arrived<'_>, mutation: Mutation) -> Result<ChecksumForm, DropDetail> {
    // A sum costs time for every advert: the likeliest form first, and no more than are needed.
    let is = |form| checksum_is(form, &arrived.view, arrived.source, arrived.destination);
    let old_allowed = match &instance.transport {
        Transport::Multicast { .. } => false,
        Transport::Unicast { old_checksum, .. } => *old_checksum != OldUnicastChecksum::Never,
    };
    let is_v2_ipv4 = instance.version == Version::V2 && instance.family == Family::Ipv4;
    if !is_v2_ipv4 && is(ChecksumForm::PseudoHeader) {
        return Ok(ChecksumForm::PseudoHeader);
    }
    if instance.family == Family::Ipv4 && is(ChecksumForm::MessageOnly) {
        return Ok(ChecksumForm::MessageOnly);
    }
    let old_possible = old_allowed && instance.version == Version::V3 && instance.family == Family::Ipv4;
    if old_possible && is(ChecksumForm::OldUnicast) {
        return Ok(ChecksumForm::OldUnicast);
    }
    if mutation.is(Mutant::ChecksumUnchecked) {
        return Ok(ChecksumForm::MessageOnly);
    }
    Err(DropDetail::Checksum {
        version: instance.version.number(),
    })
}

fn check_peer(instance: &Instance, arrived: &Arrived<'_>) -> Result<(), DropDetail> {
    let Transport::Unicast {
        peers,
        check_source: true,
        ..
    } = &instance.transport
    else {
        return Ok(());
    };
    let Some(peer) = peers.iter().find(|peer| peer.address == arrived.source) else {
        return Err(DropDetail::NotAPeer);
    };
    match arrived.ttl {
        Some(received) if received < peer.min_ttl || received > peer.max_ttl => Err(DropDetail::PeerTtl {
            received,
            min: peer.min_ttl,
            max: peer.max_ttl,
        }),
        Some(_) | None => Ok(()),
    }
}

fn address_difference(instance: &Instance, view: &AdvertView<'_>) -> Option<Difference> {
    let (ours, theirs) = (instance.vips.len(), view.count());
    if ours != theirs {
        return Some(Difference::AddressCount { ours, theirs });
    }
    // Nearly always the list is the same in the same order: no sorting, no allocation then.
    if view
        .addresses()
        .zip(instance.vips.iter())
        .all(|(theirs, ours)| theirs == ours.address)
    {
        return None;
    }
    let missing = instance
        .vips
        .iter()
        .find(|vip| !view.addresses().any(|theirs| theirs == vip.address))?;
    Some(Difference::AddressMissing {
        vrid: instance.vrid.get(),
        address: missing.address,
    })
}

const fn is_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_multicast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
