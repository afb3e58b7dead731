//! How late is the first advert of the survivor after a crash, beyond Master_Down_Interval.

use crate::measure::{Samples, delays, difference};
use crate::reference::{Advert, send_on_time};
use crate::speaker::{Speaker, lab};
use crate::table::{Row, Target, millis};
use nix::sys::signal::Signal;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use vrrpd::lab::{Happening, Lab, NodeId, ProgramId, Seen};
use vrrpd::model::Micros;

const INTERVAL: Duration = Duration::from_millis(100);
const MASTER: u8 = 200;
const BACKUP: u8 = 100;
/// 3 intervals and the survivor's Skew_Time (RFC 9568 section 6.1), microseconds.
const MASTER_DOWN: u64 = 300_000 + (256 - BACKUP as u64) * 100_000 / 256;
const REFERENCE: NodeId = NodeId(4);
const REFERENCE_VRID: u8 = 255;

/// Two nodes that run the same daemon.
struct Pair {
    speaker: Speaker,
    vrid: u8,
    nodes: [NodeId; 2],
    master: Option<ProgramId>,
}

impl Pair {
    fn start(&self, lab: &mut Lab, which: usize) -> io::Result<ProgramId> {
        let (vrid, priority) = (self.vrid, [MASTER, BACKUP][which]);
        let text = format!(
            "vrrp_instance F {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n priority {priority}\n version 3\n advert_int 0.1\n virtual_ipaddress {{\n 192.0.2.{vrid}/32\n }}\n}}\n"
        );
        self.speaker.start(lab, self.nodes[which], &text)
    }

    /// One crash; by how much the first advert came too late, microseconds.
    fn crash(&mut self, lab: &mut Lab, phase: Micros) -> io::Result<i64> {
        let master = self.master.take().unwrap();
        let steady = |lab: &Lab| {
            let heard = adverts(lab, self.vrid);
            heard.len() >= 4 && heard.iter().rev().take(4).all(|heard| heard.node == self.nodes[0])
        };
        if !lab.watch(Micros::from_secs(20), steady)? {
            return Err(io::Error::other("the better node did not become master"));
        }
        lab.watch(phase, |_| false)?;
        // First they stop, all of them, so that none can say a last word when it sees another one die.
        lab.signal_all(master, Signal::SIGSTOP)?;
        lab.signal_all(master, Signal::SIGKILL)?;
        let taken = |lab: &Lab| {
            adverts(lab, self.vrid)
                .last()
                .is_some_and(|last| last.node == self.nodes[1])
        };
        if !lab.watch(Micros::from_secs(10), taken)? {
            return Err(io::Error::other("nobody took over"));
        }
        let heard = adverts(lab, self.vrid);
        let [.., before, after] = heard.as_slice() else {
            return Err(io::Error::other("too few adverts"));
        };
        if before.node != self.nodes[0] || before.priority != MASTER {
            return Err(io::Error::other("the master did not die silently"));
        }
        Ok(difference(after.at, before.at + MASTER_DOWN))
    }
}

struct Heard {
    at: u64,
    node: NodeId,
    priority: u8,
}

fn adverts(lab: &Lab, vrid: u8) -> Vec<Heard> {
    let of = |moment: &vrrpd::lab::Moment| match &moment.what {
        Happening::Sent(node, frame) => match &frame.seen {
            Seen::Advert(advert) if advert.vrid == vrid => Some(Heard {
                at: moment.at.0,
                node: *node,
                priority: advert.priority,
            }),
            _ => None,
        },
        _ => None,
    };
    lab.moments.iter().filter_map(of).collect()
}

/// Runs so many fail-overs of each daemon, in turn.
pub(crate) fn run(count: u32) -> io::Result<()> {
    let mut lab = lab(&["k1", "k2", "v1", "v2", "reference"], true)?;
    let reference = Advert {
        source: Ipv4Addr::new(192, 0, 2, 5),
        vrid: REFERENCE_VRID,
        priority: BACKUP,
        interval: INTERVAL,
        address: Ipv4Addr::new(192, 0, 2, 255).into(),
    };
    let frames = [("eth0", reference.frame())];
    lab.start_function(REFERENCE, "reference", &|| {
        u8::from(send_on_time(INTERVAL, &frames).is_err())
    })?;
    let mut pairs = Speaker::BOTH.map(|speaker| Pair {
        speaker,
        vrid: 51 + u8::try_from(speaker.index()).unwrap(),
        nodes: [NodeId(speaker.index() * 2), NodeId(speaker.index() * 2 + 1)],
        master: None,
    });
    for pair in &mut pairs {
        pair.start(&mut lab, 1)?;
        pair.master = Some(pair.start(&mut lab, 0)?);
    }
    let (mut late, mut bare) = ([Samples::default(), Samples::default()], Samples::default());
    for round in 0..count {
        for pair in &mut pairs {
            // Another place in the interval each time.
            let phase = Micros(u64::from(round) * 37_000 % 100_000);
            late[pair.speaker.index()].push(pair.crash(&mut lab, phase)?);
            pair.master = Some(pair.start(&mut lab, 0)?);
            let times: Vec<u64> = adverts(&lab, REFERENCE_VRID).iter().map(|heard| heard.at).collect();
            bare.extend(delays(&times, 100_000));
            lab.moments.clear();
        }
    }
    report(count, &late, &bare);
    Ok(())
}

fn report(count: u32, late: &[Samples; 2], bare: &Samples) {
    for (name, per_mille, limit) in [("median", 500, 0.5), ("99th percentile", 990, 2.0)] {
        let of = |samples: &Samples| millis(samples.quantile(per_mille));
        let [keepalived, vrrpd] = late;
        Row {
            work: format!("fail-over late by, {name} of {count}, expected < {limit} ms"),
            bare: of(bare),
            keepalived: of(keepalived),
            vrrpd: of(vrrpd),
            unit: "ms",
            target: Target::TimesKeepalived(1.1),
        }
        .print();
    }
}
