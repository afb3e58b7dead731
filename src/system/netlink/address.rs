//! Requests for virtual addresses, with keepalived's attributes (behaviour §8.1).

use crate::model::{Family, IfIndex, PreferredLifetime, VirtualAddress};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};

/// IFA_PROTO of addresses that a VRRP daemon has set ("keepalived" in rt_addrprotos).
const PROTOCOL_KEEPALIVED: u8 = 18;

/// RTM_NEWADDR.
#[must_use]
pub fn add_request(vip: &VirtualAddress, link: IfIndex) -> RouteNetlinkMessage {
    let mut message = header(vip, link);
    message.header.scope = AddressScope::from(vip.scope);
    let flags = flags(vip);
    if let Some(lifetime) = preferred_lifetime(vip) {
        let mut info = CacheInfo::default();
        info.ifa_preferred = lifetime;
        info.ifa_valid = u32::MAX;
        message.attributes.push(AddressAttribute::CacheInfo(info));
    }
    message.attributes.push(AddressAttribute::Local(vip.address));
    if let Some(broadcast) = vip.broadcast_address() {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if !flags.is_empty() {
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    if let Some(label) = &vip.label {
        message.attributes.push(AddressAttribute::Label(label.to_string()));
    }
    if let Some(peer) = vip.peer {
        message.attributes.push(AddressAttribute::Address(peer));
    }
    message
        .attributes
        .push(AddressAttribute::Protocol(AddressProtocol::from(PROTOCOL_KEEPALIVED)));
    RouteNetlinkMessage::NewAddress(message)
}

/// RTM_DELADDR.
#[must_use]
pub fn delete_request(vip: &VirtualAddress, link: IfIndex) -> RouteNetlinkMessage {
    let mut message = header(vip, link);
    message.attributes.push(AddressAttribute::Local(vip.address));
    if vip.address.is_ipv4() {
        message
            .attributes
            .push(AddressAttribute::Address(vip.peer.unwrap_or(vip.address)));
    }
    RouteNetlinkMessage::DelAddress(message)
}

fn header(vip: &VirtualAddress, link: IfIndex) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match Family::of(vip.address) {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    };
    message.header.prefix_len = vip.prefix_len;
    message.header.index = link.0;
    message
}

fn flags(vip: &VirtualAddress) -> AddressFlags {
    let mut flags = AddressFlags::empty();
    let ipv6 = vip.address.is_ipv6();
    flags.set(AddressFlags::Nodad, ipv6 && vip.nodad);
    flags.set(AddressFlags::Homeaddress, vip.home);
    flags.set(AddressFlags::Managetempaddr, vip.mngtmpaddr);
    flags.set(AddressFlags::Noprefixroute, vip.noprefixroute);
    flags.set(AddressFlags::Mcautojoin, vip.autojoin);
    flags
}

/// IPv6 only: nothing = for ever. A /128 is deprecated at once, so that it is no source of connections.
fn preferred_lifetime(vip: &VirtualAddress) -> Option<u32> {
    match (vip.address.is_ipv6(), vip.preferred_lifetime) {
        (false, _) | (true, Some(PreferredLifetime::Forever)) => None,
        (true, Some(PreferredLifetime::Seconds(seconds))) => Some(seconds),
        (true, None) => (vip.prefix_len == 128).then_some(0),
    }
}
