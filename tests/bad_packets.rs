//! Malformed, hostile and borderline adverts (`captures/BAD.tsv`): each gets its verdict, and the counter named there moves
//! by one and no other.
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

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use vrrpd::config::{NoHost, load_text};
use vrrpd::model::{IfIndex, Instant, MacAddr, Micros};
use vrrpd::proto::{Action, Core, Counters, Datagram, DropReason, Event, Link, LinkAddress, Packet};

/// Profiles that remember sequences: their rows come to one receiver in the order of the table.
const STATEFUL: [&str; 6] = ["P2AH", "P3HM", "P2HM", "P6HM", "P3HP", "P3HR"];

/// Rows that leave a choice, or where we decide against the table: what we do, and why.
const DECISIONS: &[(&str, Expect, &str)] = &[
    (
        "count_v2_0",
        Expect::Accept,
        "keepalived itself sends count 0 for an instance without addresses",
    ),
    (
        "count_v3_0",
        Expect::Accept,
        "as count_v2_0; counted as an address list mismatch",
    ),
    ("count_v6_0", Expect::Accept, "as count_v2_0"),
    (
        "tail_v3_2_uncovered",
        Expect::Drop(Some(DropReason::Length)),
        "the kernel cuts real padding off, so this is none",
    ),
    (
        "tail_v3_6_uncovered",
        Expect::Drop(Some(DropReason::Length)),
        "as tail_v3_2_uncovered",
    ),
    (
        "csum_v3_msgonly_to_pseudo",
        Expect::Accept,
        "RFC 9568 section 5.2.8: both forms are taken",
    ),
    (
        "csum_v3_pseudo_to_as_v2",
        Expect::Accept,
        "both forms are taken; garbage is not",
    ),
    (
        "addr_v6_order",
        Expect::Accept,
        "the set is compared, as keepalived does",
    ),
    (
        "src_own_address",
        Expect::Drop(Some(DropReason::OwnAdvert)),
        "looped or spoofed",
    ),
    (
        "ip_bad_header_csum",
        Expect::Accept,
        "the kernel drops it before a socket; it is not summed twice",
    ),
    (
        "ip_fragment",
        Expect::Accept,
        "the kernel gives sockets whole datagrams only",
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Reaches the state machine.
    Accept,
    /// Does not, and this counter moves.
    Drop(Option<DropReason>),
}

fn core(profile: &str) -> Core {
    let loaded = load_text(profile, &NoHost);
    let model = loaded.model.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let mut core = Core::new(model, 0, Instant(0));
    // The year of the captures: what the table calls stale is 15 years old.
    core.handle(Event::WallClock(Micros::from_secs(1_795_415_363)), Instant(0));
    let mac = Some(MacAddr([2, 0, 0x5e, 0x10, 0, 0x0a]));
    let name = "eth0".parse().unwrap();
    let link = Link {
        index: IfIndex(2),
        name,
        running: true,
        mac,
        mtu: 1500,
        loopback: false,
        no_arp: false,
        multicast: true,
        flags: 0,
    };
    core.handle(Event::Link(link), Instant(0));
    for address in ["192.0.2.1", "fe80::a"] {
        let address = LinkAddress {
            index: IfIndex(2),
            address: address.parse().unwrap(),
            prefix_len: 24,
        };
        core.handle(Event::AddressAdded(address), Instant(0));
    }
    core.handle(Event::Start, Instant(1));
    while core.poll_action().is_some() {}
    core
}

fn profiles() -> BTreeMap<String, String> {
    let text = common::text("captures/BAD.md");
    let mut profiles = BTreeMap::new();
    for section in text.split("\n### ").skip(1) {
        let (name, rest) = section.split_once('\n').unwrap();
        let body = rest.split("```").nth(1).unwrap();
        profiles.insert(name.trim().to_owned(), body.to_owned());
    }
    profiles
}

fn packet(row: &BTreeMap<String, String>) -> Datagram<'static> {
    let (header, payload) = (common::unhex(&row["ip_header_hex"]), common::unhex(&row["payload_hex"]));
    if row["ipver"] == "4" {
        // A raw socket gives the datagram cut to its total length; padding behind it is never seen.
        let mut bytes = header;
        bytes.extend(payload);
        let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        bytes.truncate(total.max(20));
        return Datagram::Ipv4(bytes.into());
    }
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&header[at..at + 16]).unwrap());
    Datagram::Ipv6 {
        source: address(8),
        destination: address(24),
        hop_limit: Some(header[7]),
        message: payload.into(),
    }
}

/// What moved: adverts received, and the drop counters that are not 0.
fn verdict(core: &mut Core, datagram: Datagram<'_>) -> (u64, Vec<DropReason>, u64) {
    let (received, dropped, unknown) = counted(core);
    core.handle(
        Event::Packet(Packet {
            interface: Some(IfIndex(2)),
            age: Micros::ZERO,
            datagram,
        }),
        Instant(2),
    );
    while let Some(action) = core.poll_action() {
        assert!(!matches!(action, Action::Stopped));
    }
    let (received_now, dropped_now, unknown_now) = counted(core);
    let moved = DropReason::ALL.into_iter().zip(dropped_now).zip(dropped);
    let reasons = moved
        .filter(|((_, now), before)| now > before)
        .map(|((reason, _), _)| reason);
    (received_now - received, reasons.collect(), unknown_now - unknown)
}

/// Adverts received, drops by reason, unknown VRIDs.
fn counted(core: &Core) -> (u64, Vec<u64>, u64) {
    let snapshot = core.snapshot(Instant(2));
    let counters = &snapshot.instances[0].counters;
    let (stray, unknown) = core.stray();
    let of = |counters: &Counters, reason| counters.dropped(reason);
    let dropped = DropReason::ALL
        .into_iter()
        .map(|reason| of(counters, reason) + of(stray, reason));
    (counters.adverts_received, dropped.collect(), unknown)
}

#[test]
fn every_row_gets_its_verdict_and_its_counter() {
    let profiles = profiles();
    let (mut judged, mut wrong) = (0, Vec::new());
    let mut remembered: BTreeMap<&str, Core> = BTreeMap::new();
    for row in common::table("captures/BAD.tsv") {
        let (id, profile) = (row["id"].as_str(), row["profile"].as_str());
        judged += 1;
        let mut fresh = core(&profiles[profile]);
        let receiver = match STATEFUL.iter().find(|stateful| **stateful == profile) {
            Some(stateful) => remembered.entry(stateful).or_insert(fresh),
            None => &mut fresh,
        };
        let (received, reasons, unknown) = verdict(receiver, packet(&row));
        let got = if received == 1 {
            Expect::Accept
        } else {
            Expect::Drop(reasons.first().copied())
        };
        let decided = DECISIONS
            .iter()
            .find(|(row, ..)| *row == id)
            .map(|(_, expect, _)| *expect);
        let told = match row["verdict"].as_str() {
            "accept" | "warn" | "discard" => Expect::Accept,
            _ => Expect::Drop(None),
        };
        let good = match (decided, told, got) {
            (Some(decided), _, got) => decided == got,
            (None, Expect::Accept, Expect::Accept) => true,
            (None, Expect::Drop(_), Expect::Drop(reason)) => {
                let counter = row["counter_keepalived"].as_str();
                counter == "-"
                    || (counter == "vrid_err" && unknown == 1)
                    || reason.and_then(DropReason::keepalived_counter) == Some(counter)
            }
            (None, ..) => false,
        };
        let one = reasons.len() as u64 + unknown + received == 1;
        if !good || !one {
            wrong.push(format!(
                "{id} ({profile}) {}: {got:?} {reasons:?}; {} [{}] log {}",
                row["verdict"], row["reason"], row["counter_keepalived"], row["keepalived_2.4.3_log"]
            ));
        }
    }
    println!("{judged} rows judged");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(judged, 248);
}

/// The addresses of the table are what the test makes of them.
#[test]
fn a_valid_row_is_accepted_and_the_same_row_with_another_vrid_is_not() {
    let profiles = profiles();
    let rows = common::table("captures/BAD.tsv");
    let row = rows.iter().find(|row| row["id"] == "ok_v2").unwrap();
    let mut core = core(&profiles["P2"]);
    let Datagram::Ipv4(mut bytes) = packet(row) else {
        panic!()
    };
    assert_eq!(
        IpAddr::from([bytes[12], bytes[13], bytes[14], bytes[15]]),
        IpAddr::from([192, 0, 2, 9])
    );
    bytes.to_mut()[21] = 52;
    assert_eq!(verdict(&mut core, Datagram::Ipv4(bytes)), (0, Vec::new(), 1));
}
