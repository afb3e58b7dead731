//! A stranger records the master's adverts and sends them again and again, also after the master has died. Without `auth_hmac`
//! the backup believes them and waits for ever: that is the twin. keepalived 2.2.7 has no `auth_hmac`.

use crate::check::{Check, Twin, in_range};
use crate::forge;
use crate::stage::{Speaker, Stage, node};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use vrrpd::lab::NodeId;
use vrrpd::model::Micros;
use vrrpd::system::clock;

const STRANGER: usize = 2;
/// Longer than the run. The lab sees every frame, which limits the rate.
const TIME: Micros = Micros::from_secs(60);

pub(crate) fn checks() -> Vec<Check> {
    let check = |rate: u32| Check {
        name: format!("noise::replayed::{rate}"),
        jobs: vec![format!("replay {rate} signed")],
        judge: in_range,
        oracle: "addresses in the kernels; Master_Down_Interval (RFC 9568)",
        twin: Twin {
            what: "without auth_hmac".into(),
            sees: "take-overs",
            jobs: vec![format!("replay {rate} plain")],
        },
        needs: Vec::new(),
    };
    [15, 2_000].map(check).into()
}

fn configuration(priority: u8, signed: bool) -> String {
    let key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let hmac = format!("auth_hmac {{\n key 1 hex:{key}\n active_key 1\n mode enforce\n }}");
    let hmac = if signed { hmac.as_str() } else { "" };
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {}\n version 3\n priority {priority}\n advert_int 0.5\n {hmac}\n virtual_ipaddress {{\n {}/24\n }}\n}}\n",
        forge::VRID,
        forge::VIP
    )
}

/// Records the master's adverts for two seconds, then sends them in turn at this rate.
fn stranger(rate: u64) -> u8 {
    match replay(rate) {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            1
        }
    }
}

fn replay(rate: u64) -> io::Result<()> {
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let ear = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    ear.join_multicast_v4(&group, &Ipv4Addr::new(192, 0, 2, 3))?;
    let mut adverts: Vec<Vec<u8>> = Vec::new();
    let begun = clock::now();
    while clock::now().since(begun) < Micros::from_secs(2) || adverts.is_empty() {
        let mut bytes = [0; 512];
        let length = (&ear).read(&mut bytes)?;
        if bytes[12..16] == [192, 0, 2, 2] {
            adverts.push(bytes[..length].to_vec());
        }
    }
    println!("recorded {}", adverts.len());
    let mouth = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
    mouth.set_multicast_if_v4(&Ipv4Addr::new(192, 0, 2, 3))?;
    let begun = clock::now();
    for (sent, advert) in (0_u64..).zip(adverts.iter().cycle()) {
        while clock::now().since(begun).0 * rate / 1_000_000 < sent {
            nix::poll::poll(&mut [], nix::poll::PollTimeout::from(1_u8))?;
        }
        if clock::now().since(begun) > TIME {
            break;
        }
        mouth.send_to(advert, &SocketAddr::from((group, 0)).into())?;
    }
    Ok(())
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [rate, signed] = words else {
        return Err(io::Error::other("rate, signed or plain"));
    };
    let (rate, signed): (u64, bool) = (rate.parse().unwrap(), *signed == "signed");
    let nodes = (1..=3).map(|number| node(&format!("node{number}"), &[&format!("192.0.2.{number}/24")]));
    let mut stage = Stage::new(nodes.collect(), forge::VIP.into(), Micros::from_secs(3))?;
    stage.start(1, Speaker::Vrrpd, &configuration(150, signed))?;
    stage.until_held_by("2", 15)?;
    stage.start(0, Speaker::Vrrpd, &configuration(100, signed))?;
    stage.settled()?;
    let since = stage.note("a stranger records");
    stage
        .lab
        .start_function(NodeId(STRANGER), "stranger", &move || stranger(rate))?;
    stage.until("it has recorded", 10, |lab| {
        let said = crate::stage::lines(lab, STRANGER, "stranger", since);
        said.iter().any(|line| line.starts_with("recorded"))
    })?;
    // The replays themselves are the fault.
    stage.look_on(Micros::from_secs(3))?;
    let early = stage.moves(0, since, true).len();
    let crashed = stage.note("the master dies");
    stage.crash(1)?;
    let took_over = stage.until_held_by("12", 8).or_else(|_| stage.until_held_by("1", 1));
    // Three intervals, a skew of 156/256 of one, and what a busy machine needs; its address outlives the dead master.
    let took = stage
        .moves(0, crashed, true)
        .first()
        .map_or(u64::MAX, |at| at.since(crashed).0 / 1_000);
    let lines = stage.lines(0, "vrrp", since).len();
    Ok(format!(
        "moves before the crash: {early} 0 0\ntake-overs: {} 1 1\nms until the take-over: {took} 1000 4000\nlines of the backup: {lines} 0 30",
        u8::from(took_over.is_ok())
    ))
}
