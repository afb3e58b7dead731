//! Frames that we make, read by another implementation (pnet_packet).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what is wrong"
)]

use pnet_packet::Packet;
use pnet_packet::arp::{ArpOperations, ArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmpv6::ndp::{NdpOptionTypes, NeighborAdvertPacket};
use pnet_packet::icmpv6::{Icmpv6Packet, Icmpv6Types};
use pnet_packet::ipv4::{Ipv4Packet, checksum};
use pnet_packet::ipv6::Ipv6Packet;
use std::net::{Ipv4Addr, Ipv6Addr};
use vrrpd::model::MacAddr;
use vrrpd::wire::arp::GratuitousArp;
use vrrpd::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use vrrpd::wire::ndp::UnsolicitedNa;

const MAC: MacAddr = MacAddr([2, 0, 0x5e, 0x10, 0, 7]);

#[test]
fn gratuitous_arp_is_a_request_for_its_own_address() {
    let address = Ipv4Addr::new(172, 16, 106, 187);
    let frame = GratuitousArp { mac: MAC, address }.emit();
    let ethernet = EthernetPacket::new(&frame).unwrap();
    assert_eq!(
        (ethernet.get_ethertype(), ethernet.get_source().octets()),
        (EtherTypes::Arp, MAC.0)
    );
    let arp = ArpPacket::new(ethernet.payload()).unwrap();
    assert_eq!(arp.get_operation(), ArpOperations::Request);
    assert_eq!(
        (arp.get_sender_proto_addr(), arp.get_target_proto_addr()),
        (address, address)
    );
    assert_eq!(arp.get_target_hw_addr().octets(), [0xff; 6]);
}

#[test]
fn unsolicited_advertisement_has_a_right_checksum_and_the_override_flag() {
    let address: Ipv6Addr = "2001:db8:1::100".parse().unwrap();
    for router in [false, true] {
        let frame = UnsolicitedNa {
            mac: MAC,
            address,
            router,
        }
        .emit();
        let ip = Ipv6Packet::new(&frame[14..]).unwrap();
        assert_eq!((ip.get_hop_limit(), ip.get_source()), (255, address));
        let icmp = Icmpv6Packet::new(ip.payload()).unwrap();
        assert_eq!(icmp.get_icmpv6_type(), Icmpv6Types::NeighborAdvert);
        let right = pnet_packet::icmpv6::checksum(&icmp, &ip.get_source(), &ip.get_destination());
        assert_eq!(icmp.get_checksum(), right);
        let na = NeighborAdvertPacket::new(ip.payload()).unwrap();
        assert_eq!(na.get_target_addr(), address);
        assert_eq!(na.get_flags(), if router { 0b1010_0000 } else { 0b0010_0000 });
        let options = na.get_options();
        assert_eq!(
            (options[0].option_type, options[0].data.as_slice()),
            (NdpOptionTypes::TargetLLAddr, &MAC.0[..])
        );
    }
}

#[test]
fn ipv4_header_has_a_right_checksum() {
    let header = Ipv4Header {
        tos: TOS_CS6,
        total_len: 0,
        id: 4711,
        fragment: 0,
        ttl: 255,
        protocol: PROTO_VRRP,
        source: Ipv4Addr::new(172, 16, 106, 208),
        destination: Ipv4Addr::new(224, 0, 0, 18),
        header_len: 20,
    };
    let bytes = header.emit(20);
    let packet = Ipv4Packet::new(&bytes).unwrap();
    assert_eq!(packet.get_checksum(), checksum(&packet));
    assert_eq!(
        (packet.get_total_length(), packet.get_ttl(), packet.get_identification()),
        (40, 255, 4711)
    );
}
