//! `auth_hmac` and a clock that is set while a master advertises: which of its adverts a backup believes. The clock of the
//! machine is everybody's, so the master is a program of the test that signs with another time.
//!
//! The backup has the address when it believes no advert for a Master_Down_Interval, and gives it up when it believes one
//! again. A newer keepalived in the backup's place is the oracle where there is one; else it is wire §7 of the specification.

use crate::ask::status;
use crate::check::{Check, Twin, alike};
use crate::forge;
use crate::stage::{Speaker, Stage, lines, newer, node};
use nix::poll::{PollTimeout, poll};
use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::util::ipv4_checksum;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use vrrpd::lab::NodeId;
use vrrpd::model::Micros;
use vrrpd::system::clock;
use vrrpd::wire::auth::{Sequence, Trailer};
use vrrpd::wire::vrrp::sign;

const BACKUP: usize = 0;
const MASTER: usize = 1;
const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// 32 bytes, from 0 on.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const WINDOW: u64 = 30;
/// Between two adverts.
const INTERVAL: Micros = Micros::from_millis(500);
/// Longer than a Master_Down_Interval of 1.8 s, and what a busy machine needs.
const PHASE: Micros = Micros::from_millis(3_500);

/// Where the master's clock is for a while, and whether the backup believes it.
struct Phase {
    /// Seconds ahead of the right time.
    ahead: i64,
    believed: bool,
    /// The counter of what it drops.
    counter: Option<&'static str>,
}

const fn phase(ahead: i64, believed: bool, counter: Option<&'static str>) -> Phase {
    Phase {
        ahead,
        believed,
        counter,
    }
}

/// With `anti_replay time`.
const TIME: &[Phase] = &[
    phase(0, true, None),
    // Within the window, and more than half of it.
    phase(20, true, None),
    phase(100, false, Some("auth_stale")),
    // Older than what was believed before, as a replay is.
    phase(0, false, Some("auth_replay")),
    phase(-100, false, Some("auth_stale")),
    // Beyond all that was believed.
    phase(25, true, None),
];

/// With `anti_replay monotonic` only the order counts: after a step ahead nothing is believed until the clock is there.
const MONOTONIC: &[Phase] = &[
    phase(0, true, None),
    phase(1_000, true, None),
    phase(0, false, Some("auth_replay")),
    phase(1_100, true, None),
];

fn phases(name: &str) -> &'static [Phase] {
    if name == "monotonic" { MONOTONIC } else { TIME }
}

pub(crate) fn checks() -> Vec<Check> {
    let not_set = "the clock is not set";
    let check = |name: &str| {
        let oracle = "wire §7; addresses in the backup's kernel";
        Check::of_one_run(&format!("clocks {name} v"), oracle, (not_set, "phase 3"), &[])
    };
    let beside = |name: &str| Check {
        name: format!("newest::clocks::{name}"),
        jobs: vec![format!("clocks {name} n bare"), format!("clocks {name} v bare")],
        judge: alike,
        oracle: "the newer keepalived as the backup",
        twin: Twin {
            what: not_set.into(),
            sees: "spoiled",
            jobs: vec![format!("clocks {name} n bare"), format!("clocks {name} v bare spoiled")],
        },
        needs: Vec::new(),
    };
    let names = ["time", "monotonic"];
    let beside = names.iter().filter(|_| newer().is_some()).map(|name| beside(name));
    names.iter().map(|name| check(name)).chain(beside).collect()
}

fn configuration(name: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {}\n version 3\n priority 100\n advert_int 0.5\n auth_hmac {{\n key 1 hex:{KEY}\n active_key 1\n mode enforce\n time_window {WINDOW}\n anti_replay {name}\n }}\n virtual_ipaddress {{\n {}/24\n }}\n}}\n",
        forge::VRID,
        forge::VIP
    )
}

/// An advert of priority 150, signed at this time.
fn advert(wall: Micros) -> Vec<u8> {
    let mut message = vec![0x31, forge::VRID, 150, 1, 0, 50, 0, 0];
    message.extend(forge::VIP.octets());
    let sum = ipv4_checksum(&message, 3, &[], &SOURCE, &GROUP, IpNextHeaderProtocol(112));
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    let key: Vec<u8> = (0..32).collect();
    let trailer = Trailer::new(1, Sequence::of_clock(wall));
    sign(&message, trailer, &key, IpAddr::V4(SOURCE), IpAddr::V4(GROUP))
}

/// Advertises through all phases, and says when each is over.
fn master(phases: &[Phase], spoiled: bool) -> u8 {
    match try_master(phases, spoiled) {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            1
        }
    }
}

fn try_master(phases: &[Phase], spoiled: bool) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    socket.bind(&SocketAddr::from((SOURCE, 0)).into())?;
    socket.set_multicast_if_v4(&SOURCE)?;
    socket.set_multicast_ttl_v4(255)?;
    let to = SocketAddr::from((GROUP, 0)).into();
    for (number, phase) in (1..).zip(phases) {
        let ahead = if spoiled { 0 } else { phase.ahead };
        let step = Micros::from_secs(ahead.unsigned_abs());
        let begun = clock::now();
        while clock::now().since(begun) < PHASE {
            let wall = clock::wall();
            let wall = if ahead < 0 {
                wall.saturating_sub(step)
            } else {
                wall + step
            };
            socket.send_to(&advert(wall), &to)?;
            pause()?;
        }
        println!("end of phase {number}");
        // Somebody looks at the backup now.
        pause()?;
    }
    Ok(())
}

fn pause() -> io::Result<()> {
    let interval = PollTimeout::try_from(INTERVAL.as_millis()).map_err(io::Error::other)?;
    poll(&mut [], interval)?;
    Ok(())
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, speaker, rest @ ..] = words else {
        return Err(io::Error::other("anti_replay, speaker, perhaps bare, spoiled"));
    };
    let (spoiled, bare) = (rest.contains(&"spoiled"), rest.contains(&"bare"));
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let nodes = [node("node1", &["192.0.2.1/24"]), node("node2", &["192.0.2.2/24"])];
    let mut stage = Stage::new(nodes.into(), forge::VIP.into(), Micros::from_secs(3))?;
    let phases = phases(name);
    let since = stage.note("a master advertises");
    stage
        .lab
        .start_function(NodeId(MASTER), "master", &move || master(phases, spoiled))?;
    stage.start(BACKUP, speaker, &configuration(name))?;
    let mut report = Vec::new();
    for (number, phase) in (1..).zip(phases) {
        let end = format!("end of phase {number}");
        stage.until(&end, 20, |lab| lines(lab, MASTER, "master", since).contains(&end))?;
        let believed = stage.holders() == "-";
        let ahead = phase.ahead;
        report.push(if bare {
            format!("{ahead} s ahead: believed {believed}")
        } else {
            let (found, right) = (u8::from(believed), u8::from(phase.believed));
            format!("phase {number}, {ahead} s ahead, is believed: {found} {right} {right}")
        });
    }
    if !bare {
        let dropped = status(&mut stage, BACKUP)?["instances"][0]["counters"]["dropped"].clone();
        let mut counters: Vec<&str> = phases.iter().filter_map(|phase| phase.counter).collect();
        counters.sort_unstable();
        counters.dedup();
        for counter in counters {
            let found = dropped[counter].as_u64().unwrap_or(0);
            report.push(format!("dropped as {counter}: {found} 3 20"));
        }
    }
    Ok(report.join("\n"))
}
