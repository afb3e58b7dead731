//! Every captured packet of keepalived and FRR decodes to what an independent decoder (tshark and the `own` fields) said
//! of it, and encodes to the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::too_many_arguments,
    clippy::wildcard_enum_match_arm,
    reason = "a test says by a panic what is wrong"
)]

mod common;

use serde_json::Value;
use std::net::IpAddr;
use vrrpd::model::{Family, MacAddr, Password};
use vrrpd::wire::arp::{ArpPacket, GratuitousArp};
use vrrpd::wire::auth::AhHeader;
use vrrpd::wire::ip::{Ipv4Header, PROTO_AH, PROTO_VRRP};
use vrrpd::wire::ndp::UnsolicitedNa;
use vrrpd::wire::vrrp::{Addresses, Advert, AdvertView, checksum_forms};

/// Keys of a capture: the `key` column of the index.
#[derive(Debug)]
struct Key(String);

impl Key {
    fn of(row: &std::collections::BTreeMap<String, String>) -> Self {
        Self(row["key"].clone())
    }

    /// `auth_pass`.
    fn password(&self) -> Password {
        Password::from_text(&self.0)
    }

    /// The key with this id.
    fn hmac(&self, id: u8) -> Vec<u8> {
        let prefix = format!("{id}=");
        let key = self.0.split(' ').find_map(|key| key.strip_prefix(&prefix)).unwrap();
        match key.split_once(':').unwrap() {
            ("hex", digits) => common::unhex(digits),
            (_, text) => text.as_bytes().to_vec(),
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    adverts: usize,
    arps: usize,
    advertisements: usize,
    ah: usize,
    trailers: usize,
    bfd: usize,
}

#[test]
fn every_capture_decodes_to_what_its_json_says() {
    let mut seen = Seen::default();
    for row in common::table("captures/INDEX.tsv") {
        let key = Key::of(&row);
        let file = row["file"].strip_suffix(".pcap").unwrap().to_owned();
        let decoded: Vec<Value> = serde_json::from_str(&common::text(&format!("captures/{file}.json"))).unwrap();
        let frames = common::frames(&format!("captures/{file}.pcap"));
        assert_eq!(frames.len(), decoded.len(), "{file}");
        for (frame, expected) in frames.iter().zip(&decoded) {
            let what = format!("{file} frame {}", expected["n"]);
            check(&what, frame, expected, &key, &mut seen);
        }
    }
    println!("{seen:?}");
    // Nothing may be passed over in silence: these are the numbers of the set as it lies there.
    assert!(
        seen.adverts > 300 && seen.arps > 100 && seen.advertisements > 50,
        "{seen:?}"
    );
    assert!(seen.ah > 20 && seen.trailers > 50 && seen.bfd > 50, "{seen:?}");
}

fn check(what: &str, frame: &[u8], expected: &Value, key: &Key, seen: &mut Seen) {
    let kind = u16::from_be_bytes([frame[12], frame[13]]);
    match kind {
        0x0806 => {
            seen.arps += 1;
            arp(what, frame, expected);
        }
        0x0800 => ipv4(what, frame, expected, key, seen),
        0x86dd => ipv6(what, frame, expected, key, seen),
        other => panic!("{what}: ethertype {other:04x}"),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn number(value: &Value, key: &str) -> u64 {
    let field = &value[key];
    field.as_u64().unwrap_or_else(|| {
        let text = field.as_str().unwrap_or_else(|| panic!("{key} in {value}"));
        text.strip_prefix("0x")
            .map_or_else(|| text.parse().unwrap(), |hex| u64::from_str_radix(hex, 16).unwrap())
    })
}

fn arp(what: &str, frame: &[u8], expected: &Value) {
    let packet = ArpPacket::parse(frame).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(u64::from(packet.operation), number(expected, "arp.opcode"), "{what}");
    assert_eq!(
        packet.sender_mac.to_string(),
        text(expected, "arp.src.hw_mac"),
        "{what}"
    );
    assert_eq!(
        packet.sender.to_string(),
        text(expected, "arp.src.proto_ipv4"),
        "{what}"
    );
    assert_eq!(
        packet.target_mac.to_string(),
        text(expected, "arp.dst.hw_mac"),
        "{what}"
    );
    assert_eq!(
        packet.target.to_string(),
        text(expected, "arp.dst.proto_ipv4"),
        "{what}"
    );
    let broadcast = packet.target_mac == MacAddr([0xff; 6]);
    if packet.is_gratuitous() && packet.operation == 1 && broadcast {
        let ours = GratuitousArp {
            mac: packet.sender_mac,
            address: packet.sender,
        }
        .emit();
        assert_eq!(ours.as_slice(), &frame[..42], "{what}: ours is byte for byte the same");
    }
}

fn ipv4(what: &str, frame: &[u8], expected: &Value, key: &Key, seen: &mut Seen) {
    let (header, payload) = Ipv4Header::parse(&frame[14..]).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(header.source.to_string(), text(expected, "ip.src"), "{what}");
    assert_eq!(header.destination.to_string(), text(expected, "ip.dst"), "{what}");
    assert_eq!(u64::from(header.ttl), number(expected, "ip.ttl"), "{what}");
    match header.protocol {
        PROTO_VRRP => {
            assert_eq!(u64::from(header.tos), number(expected, "ip.dsfield"), "{what}");
            assert_eq!(u64::from(header.id), number(expected, "ip.id"), "{what}");
            assert_eq!(u64::from(header.total_len), number(expected, "ip.len"), "{what}");
            let (source, destination) = (header.source.into(), header.destination.into());
            let len = usize::from(header.total_len) - header.header_len;
            vrrp(
                what,
                Family::Ipv4,
                &payload[..len],
                source,
                destination,
                expected,
                key,
                seen,
            );
            if header.fragment == 0 && header.header_len == 20 {
                assert_eq!(header.emit(len as u16).as_slice(), &frame[14..34], "{what}: header");
            }
        }
        PROTO_AH => {
            seen.ah += 1;
            let (ah, message) = AhHeader::parse(payload).unwrap();
            assert_eq!(u64::from(ah.sequence), number(expected, "ah.sequence"), "{what}");
            assert_eq!(u64::from(ah.spi), number(expected, "ah.spi"), "{what}");
            assert_eq!(ah.icv.as_slice(), common::unhex(text(expected, "ah.icv")), "{what}");
            assert_eq!(ah.emit().as_slice(), &payload[..24], "{what}: written back");
            let again: AhHeader = serde_json::from_str(&serde_json::to_string(&ah).unwrap()).unwrap();
            assert_eq!(again, ah, "{what}: printed and read back");
            let unicast = !header.destination.is_multicast();
            let sum = ah.sum(key.password(), &frame[14..34], message, unicast);
            assert_eq!(sum, ah.icv, "{what}: the sum with the configured password");
            let (source, destination) = (header.source.into(), header.destination.into());
            vrrp(what, Family::Ipv4, message, source, destination, expected, key, seen);
        }
        17 => seen.bfd += 1,
        other => panic!("{what}: protocol {other}"),
    }
}

fn ipv6(what: &str, frame: &[u8], expected: &Value, key: &Key, seen: &mut Seen) {
    let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
    let (source, destination) = (address(22), address(38));
    let len = usize::from(u16::from_be_bytes([frame[18], frame[19]]));
    match frame[20] {
        PROTO_VRRP => {
            assert_eq!(source.to_string(), text(expected, "ipv6.src"), "{what}");
            assert_eq!(destination.to_string(), text(expected, "ipv6.dst"), "{what}");
            vrrp(
                what,
                Family::Ipv6,
                &frame[54..54 + len],
                source,
                destination,
                expected,
                key,
                seen,
            );
        }
        58 => {
            if let Ok(na) = UnsolicitedNa::parse(frame) {
                let solicited = frame[58] & 0x40 != 0;
                if !solicited && source == IpAddr::V6(na.address) && frame[15] == 0 && frame[16..18] == [0, 0] {
                    seen.advertisements += 1;
                    assert_eq!(na.emit().as_slice(), frame, "{what}: ours is byte for byte the same");
                }
            }
        }
        17 => seen.bfd += 1,
        other => panic!("{what}: next header {other}"),
    }
}

fn vrrp(
    what: &str,
    family: Family,
    message: &[u8],
    source: IpAddr,
    destination: IpAddr,
    expected: &Value,
    key: &Key,
    seen: &mut Seen,
) {
    let own = &expected["own"];
    assert_eq!(message, common::unhex(text(expected, "payload")), "{what}: payload");
    let view = AdvertView::new(family, message).unwrap();
    assert_eq!(u64::from(view.version()), number(own, "version"), "{what}");
    assert_eq!(u64::from(view.vrid()), number(own, "vrid"), "{what}");
    assert_eq!(u64::from(view.priority().get()), number(own, "priority"), "{what}");
    assert_eq!(view.count() as u64, number(own, "count"), "{what}");
    let centiseconds = if view.version() == 2 {
        u64::from(view.interval_seconds()) * 100
    } else {
        view.interval_centiseconds().into()
    };
    assert_eq!(centiseconds, number(own, "interval_cs"), "{what}");
    forms(what, &view, source, destination, own);
    match Advert::parse(family, message, source, destination) {
        Ok(advert) => {
            seen.adverts += 1;
            let addresses: Vec<String> = match &advert.addresses {
                Addresses::Ipv4(list) => list.iter().map(ToString::to_string).collect(),
                Addresses::Ipv6(list) => list.iter().map(ToString::to_string).collect(),
            };
            let list = if family == Family::Ipv4 {
                "vrrp.ip_addr"
            } else {
                "vrrp.ipv6_addr"
            };
            if let Some(list) = expected[list].as_array() {
                let told: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                assert_eq!(addresses, told, "{what}");
            }
            if let Some(data) = own["auth_data"].as_str() {
                assert_eq!(advert.auth_data.map(Vec::from), Some(common::unhex(data)), "{what}");
            }
            assert_eq!(advert.trailer.is_some(), !own["trailer"].is_null(), "{what}");
            if let Some(trailer) = advert.trailer {
                seen.trailers += 1;
                let told = &own["trailer"];
                assert_eq!(u64::from(trailer.key_id), number(told, "key_id"), "{what}");
                assert_eq!(u64::from(trailer.sequence.seconds()), number(told, "sec"), "{what}");
                let sum = trailer.sum(&key.hmac(trailer.key_id), source, view.body());
                assert_eq!(sum, trailer.tag, "{what}: the sum with the configured key");
                assert_ne!(trailer.sum(b"another key", source, view.body()), trailer.tag, "{what}");
            }
            let json = serde_json::to_string(&advert).unwrap();
            let again: Advert = serde_json::from_str(&json).unwrap();
            assert_eq!(again.emit(), message, "{what}: printed, read back, encoded");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// The rules under which the independent decoder found the checksum right are those under which we do.
fn forms(what: &str, view: &AdvertView<'_>, source: IpAddr, destination: IpAddr, own: &Value) {
    let told: Vec<&str> = own["checksum_valid_under"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let forms = checksum_forms(view, source, destination);
    let multicast = destination.is_multicast();
    if source.is_ipv4() {
        assert_eq!(forms.message_only, told.contains(&"message-only"), "{what}: {told:?}");
        assert_eq!(forms.pseudo_header, told.contains(&"pseudo4"), "{what}: {told:?}");
        if !multicast {
            assert_eq!(
                forms.old_unicast,
                told.contains(&"pseudo4-with-224.0.0.18"),
                "{what}: {told:?}"
            );
        }
    } else {
        let right = told.contains(&"pseudo6") || told.contains(&"pseudo6+trailer");
        assert_eq!(forms.pseudo_header, right, "{what}: {told:?}");
    }
}

/// Nothing that a network can bring makes the codec panic.
#[test]
fn mutated_captures_never_panic() {
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let frames: Vec<Vec<u8>> = common::table("captures/INDEX.tsv")
        .iter()
        .flat_map(|row| common::frames(&format!("captures/{}", row["file"])))
        .collect();
    let group = Family::Ipv4.vrrp_group();
    let group6 = Family::Ipv6.vrrp_group();
    for _ in 0..200_000 {
        let mut frame = frames[random() as usize % frames.len()].clone();
        for _ in 0..=random() % 4 {
            let at = random() as usize % frame.len();
            frame[at] = random() as u8;
        }
        frame.truncate(random() as usize % (frame.len() + 1));
        let body = frame.get(34..).unwrap_or_default();
        drop(Advert::parse(Family::Ipv4, body, [192, 0, 2, 1].into(), group));
        drop(Advert::parse(
            Family::Ipv6,
            frame.get(54..).unwrap_or_default(),
            group6,
            group6,
        ));
        assert!(Ipv4Header::parse(frame.get(14..).unwrap_or_default()).is_ok() || frame.len() < 1 << 16);
        let arp = ArpPacket::parse(&frame);
        let na = UnsolicitedNa::parse(&frame);
        assert!(arp.is_err() || na.is_err(), "one frame cannot be both");
    }
}
