//! The bytes on the wire: one node becomes master, announces, and is stopped; vrrpd sends what keepalived sends.

use crate::cluster::{Cluster, Kind, Settings};
use crate::jobs::Check;
use nix::sys::signal::Signal;
use std::io;
use vrrpd::lab::{Happening, Seen};
use vrrpd::model::Micros;

pub(crate) fn checks() -> Vec<Check> {
    Kind::ALL
        .iter()
        .filter(|(_, kind)| *kind != Kind::Unicast)
        .map(|(name, _)| Check {
            name: format!("wire::{name}"),
            jobs: ["k", "v"]
                .iter()
                .map(|speaker| format!("wire {name} {speaker}"))
                .collect(),
            judge,
        })
        .collect()
}

fn judge(seen: &[&str]) -> Result<(), String> {
    if seen[0] == seen[1] && seen[0].lines().count() > 3 {
        return Ok(());
    }
    Err(format!("    keepalived:\n{}\n    vrrpd:\n{}", seen[0], seen[1]))
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [kind, speaker] = words else {
        return Err(io::Error::other("kind, speaker"));
    };
    let kind = Kind::named(kind);
    let settings = Settings {
        priority: 150,
        nopreempt: false,
        tracker: false,
    };
    let mut cluster = Cluster::new(kind, speaker, &[settings])?;
    cluster.start(0)?;
    let adverts = |lab: &vrrpd::lab::Lab, release: bool| {
        let wanted = |seen: &Seen| matches!(seen, Seen::Advert(advert) if (advert.priority == 0) == release);
        lab.moments
            .iter()
            .filter(|m| matches!(&m.what, Happening::Sent(_, frame) if wanted(&frame.seen)))
            .count()
    };
    cluster
        .lab
        .watch(Micros::from_secs(10), |lab| adverts(lab, false) >= 3)?;
    cluster.signal(0, Signal::SIGTERM)?;
    cluster.lab.watch(Micros::from_secs(5), |lab| adverts(lab, true) >= 1)?;
    let frames = cluster.lab.moments.iter().filter_map(|moment| match &moment.what {
        Happening::Sent(_, frame) => Some(line(kind, &frame.bytes)),
        _ => None,
    });
    Ok(frames.collect::<Vec<_>>().join("\n"))
}

/// A frame as hex digits. The flow label of IPv6 is the kernel's choice and differs with every socket.
fn line(kind: Kind, bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    if kind == Kind::V3Ipv6 && bytes[20] == 112 {
        bytes[15] &= 0xf0;
        bytes[16] = 0;
        bytes[17] = 0;
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
