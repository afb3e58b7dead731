//! Frames → named fields, by pnet_packet, and the VRRP message by RFC 3768 and RFC 9568: nothing of the daemon's own codec.

use pnet_packet::Packet;
use pnet_packet::arp::ArpPacket;
use pnet_packet::ethernet::{EtherTypes, EthernetPacket};
use pnet_packet::icmpv6::Icmpv6Packet;
use pnet_packet::icmpv6::ndp::NeighborAdvertPacket;
use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::util::{checksum, ipv4_checksum, ipv6_checksum};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const VRRP: IpNextHeaderProtocol = IpNextHeaderProtocol(112);

/// A field's name and value.
pub(crate) type Field = (&'static str, String);

/// Every field of a frame.
pub(crate) fn fields(frame: &[u8]) -> Vec<Field> {
    let ethernet = EthernetPacket::new(frame).unwrap();
    let mut all = vec![
        ("eth.dst", ethernet.get_destination().to_string()),
        ("eth.src", ethernet.get_source().to_string()),
        ("eth.type", ethernet.get_ethertype().to_string()),
    ];
    let payload = ethernet.payload();
    match ethernet.get_ethertype() {
        EtherTypes::Arp => arp(payload, &mut all),
        EtherTypes::Ipv4 => ipv4(payload, &mut all),
        EtherTypes::Ipv6 => ipv6(payload, &mut all),
        other => panic!("a frame of type {other}"),
    }
    all
}

fn arp(bytes: &[u8], all: &mut Vec<Field>) {
    let packet = ArpPacket::new(bytes).unwrap();
    all.extend([
        ("arp.hardware", packet.get_hardware_type().0.to_string()),
        ("arp.protocol", packet.get_protocol_type().to_string()),
        ("arp.hardware_length", packet.get_hw_addr_len().to_string()),
        ("arp.protocol_length", packet.get_proto_addr_len().to_string()),
        ("arp.operation", packet.get_operation().0.to_string()),
        ("arp.sender_mac", packet.get_sender_hw_addr().to_string()),
        ("arp.sender", packet.get_sender_proto_addr().to_string()),
        ("arp.target_mac", packet.get_target_hw_addr().to_string()),
        ("arp.target", packet.get_target_proto_addr().to_string()),
        ("arp.rest", hex(packet.payload())),
    ]);
}

fn ipv4(bytes: &[u8], all: &mut Vec<Field>) {
    let packet = Ipv4Packet::new(bytes).unwrap();
    let header = usize::from(packet.get_header_length()) * 4;
    let total = usize::from(packet.get_total_length());
    all.extend([
        ("ip.version", packet.get_version().to_string()),
        ("ip.header_length", header.to_string()),
        ("ip.dscp", packet.get_dscp().to_string()),
        ("ip.ecn", packet.get_ecn().to_string()),
        ("ip.total_length", total.to_string()),
        ("ip.id", packet.get_identification().to_string()),
        ("ip.flags", packet.get_flags().to_string()),
        ("ip.fragment", packet.get_fragment_offset().to_string()),
        ("ip.ttl", packet.get_ttl().to_string()),
        ("ip.protocol", packet.get_next_level_protocol().0.to_string()),
        (
            "ip.checksum",
            judge(packet.get_checksum() == pnet_packet::ipv4::checksum(&packet)),
        ),
        ("ip.src", packet.get_source().to_string()),
        ("ip.dst", packet.get_destination().to_string()),
        ("ip.options", hex(&bytes[20..header])),
        ("eth.padding", hex(&bytes[total..])),
    ]);
    vrrp(
        &bytes[header..total],
        packet.get_source().into(),
        packet.get_destination().into(),
        all,
    );
}

fn ipv6(bytes: &[u8], all: &mut Vec<Field>) {
    let packet = Ipv6Packet::new(bytes).unwrap();
    let (source, destination) = (packet.get_source(), packet.get_destination());
    all.extend([
        ("ipv6.version", packet.get_version().to_string()),
        ("ipv6.traffic_class", packet.get_traffic_class().to_string()),
        ("ipv6.flow_label", packet.get_flow_label().to_string()),
        ("ipv6.payload_length", packet.get_payload_length().to_string()),
        ("ipv6.next_header", packet.get_next_header().0.to_string()),
        ("ipv6.hop_limit", packet.get_hop_limit().to_string()),
        ("ipv6.src", source.to_string()),
        ("ipv6.dst", destination.to_string()),
    ]);
    if packet.get_next_header() == VRRP {
        return vrrp(packet.payload(), source.into(), destination.into(), all);
    }
    let icmp = Icmpv6Packet::new(packet.payload()).unwrap();
    let right = pnet_packet::icmpv6::checksum(&icmp, &source, &destination);
    let advert = NeighborAdvertPacket::new(packet.payload()).unwrap();
    let options = advert.get_options();
    let options = options
        .iter()
        .map(|option| format!("{}:{}", option.option_type.0, hex(&option.data)));
    all.extend([
        ("icmpv6.type", icmp.get_icmpv6_type().0.to_string()),
        ("icmpv6.code", icmp.get_icmpv6_code().0.to_string()),
        ("icmpv6.checksum", judge(icmp.get_checksum() == right)),
        ("na.flags", format!("{:#010b}", advert.get_flags())),
        ("na.target", advert.get_target_addr().to_string()),
        ("na.options", options.collect::<Vec<_>>().join(",")),
    ]);
}

/// RFC 3768 section 5.3 (with RFC 2338's authentication), RFC 9568 section 5.2.
fn vrrp(message: &[u8], source: IpAddr, destination: IpAddr, all: &mut Vec<Field>) {
    let version = message[0] >> 4;
    let count = usize::from(message[3]);
    let size = if source.is_ipv4() { 4 } else { 16 };
    let (list, rest) = message[8..].split_at(count * size);
    all.extend([
        ("vrrp.version", version.to_string()),
        ("vrrp.type", (message[0] & 15).to_string()),
        ("vrrp.vrid", message[1].to_string()),
        ("vrrp.priority", message[2].to_string()),
        ("vrrp.count", count.to_string()),
    ]);
    if version == 2 {
        all.extend([
            ("vrrp.auth_type", message[4].to_string()),
            ("vrrp.interval", message[5].to_string()),
        ]);
    } else {
        all.extend([
            ("vrrp.reserved", (message[4] >> 4).to_string()),
            (
                "vrrp.max_interval",
                (u16::from(message[4] & 15) << 8 | u16::from(message[5])).to_string(),
            ),
        ]);
    }
    let found = u16::from_be_bytes([message[6], message[7]]);
    let right = match (source, destination) {
        _ if version == 2 => checksum(message, 3),
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_checksum(message, 3, &[], &from, &to, VRRP),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6_checksum(message, 3, &[], &from, &to, VRRP),
        other => panic!("{other:?}"),
    };
    let addresses = list.chunks(size).map(|bytes| match <[u8; 4]>::try_from(bytes) {
        Ok(four) => Ipv4Addr::from(four).to_string(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_string(),
    });
    all.extend([
        ("vrrp.checksum", judge(found == right)),
        ("vrrp.addresses", addresses.collect::<Vec<_>>().join(",")),
        ("vrrp.rest", hex(rest)),
    ]);
}

fn judge(good: bool) -> String {
    if good { "good" } else { "bad" }.to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
