//! Processor time for adverts, and memory: 1,000 instances at one second, on four links of 250.
//!
//! Everything runs at the same time, so all suffer the same machine: of each daemon one that sends, over cables whose other end
//! nobody listens on, and one that hears a higher router in all its instances. That router is a bare sender; a second one, which
//! sends the same as the sending daemons, is measured beside them.

use crate::measure::{cpu, memory};
use crate::reference::{Advert, send_on_time};
use crate::speaker::{Speaker, lab};
use crate::table::{Row, Target};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;
use vrrpd::lab::{Lab, NodeId, ProgramId};
use vrrpd::model::Micros;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) per_link: u8,
    pub(crate) seconds: u64,
}

const LINKS: u8 = 4;
const NAMES: [&str; 9] = [
    "k-send", "v-send", "bare", "k-hear", "v-hear", "router", "k-one", "v-one", "sink",
];
const BARE: NodeId = NodeId(2);
const ROUTER: NodeId = NodeId(5);
const SINK: NodeId = NodeId(8);
/// Nodes with cables, and who is at the other end.
const CABLES: [(NodeId, NodeId); 7] = [
    (NodeId(0), SINK),
    (NodeId(1), SINK),
    (BARE, SINK),
    (NodeId(3), ROUTER),
    (NodeId(4), ROUTER),
    (NodeId(6), SINK),
    (NodeId(7), SINK),
];
const SECOND: Duration = Duration::from_secs(1);

/// Own end, other end.
fn addresses(node: NodeId, link: u8) -> (Ipv4Addr, Ipv4Addr) {
    let subnet = u8::try_from(node.0).unwrap() * LINKS + link;
    (Ipv4Addr::new(10, 9, subnet, 1), Ipv4Addr::new(10, 9, subnet, 2))
}

fn far_name(node: NodeId, link: u8) -> String {
    format!("n{}l{link}", node.0)
}

fn configuration(links: u8, per_link: u8) -> String {
    let instance = |link: u8, vrid: u8| {
        format!(
            "vrrp_instance I{link}_{vrid} {{\n state BACKUP\n interface eth{link}\n virtual_router_id {vrid}\n priority 100\n version 3\n advert_int 1\n virtual_ipaddress {{\n 10.8.{link}.{vrid}/32\n }}\n}}\n"
        )
    };
    (1..=links)
        .flat_map(|link| (1..=per_link).map(move |vrid| instance(link, vrid)))
        .collect()
}

/// The adverts of a router for all instances of the nodes.
fn frames(links: &[(String, Ipv4Addr)], per_link: u8, priority: u8) -> Vec<(&str, Vec<u8>)> {
    let frame = |link: &Ipv4Addr, number: usize, vrid: u8| Advert {
        source: *link,
        vrid,
        priority,
        interval: SECOND,
        address: Ipv4Addr::new(10, 8, u8::try_from(number % usize::from(LINKS)).unwrap() + 1, vrid).into(),
    };
    links
        .iter()
        .enumerate()
        .flat_map(|(number, (name, source))| {
            (1..=per_link).map(move |vrid| (name.as_str(), frame(source, number, vrid).frame()))
        })
        .collect()
}

/// Adverts that a node has sent and heard so far.
fn packets(lab: &Lab, node: NodeId) -> io::Result<[u64; 2]> {
    let place = lab.node(node).ok_or_else(|| io::Error::other("no such node"))?;
    let mut sums = [0; 2];
    for link in 1..=LINKS {
        let name = format!("eth{link}");
        sums[0] += place.packets_sent(&name)?;
        sums[1] += place.packets_received(&name)?;
    }
    Ok(sums)
}

/// What is measured, in the order of the rows: keepalived and vrrpd sending, hearing, with one instance, and the bare sender.
type Measured = Vec<(NodeId, ProgramId)>;

pub(crate) fn run(amount: Amount) -> io::Result<()> {
    let mut lab = lab(&NAMES, false)?;
    lay_cables(&mut lab)?;
    let measured = start(&mut lab, amount)?;
    settle(&mut lab, amount)?;
    let before = look(&lab, &measured)?;
    lab.watch(Micros::from_secs(amount.seconds), |_| false)?;
    let after = look(&lab, &measured)?;
    let memory = measured.iter().map(|(_, program)| memory(&lab, *program));
    let memory: Vec<u64> = memory.collect::<io::Result<_>>()?;
    report(amount, &before, &after, &memory);
    Ok(())
}

fn lay_cables(lab: &mut Lab) -> io::Result<()> {
    for (node, far) in CABLES {
        for link in 1..=LINKS {
            let (own, other) = addresses(node, link);
            let (own_name, other_name) = (format!("eth{link}"), far_name(node, link));
            lab.connect([(node, &own_name, own.into()), (far, &other_name, other.into())], 24)?;
        }
    }
    Ok(())
}

fn start(lab: &mut Lab, amount: Amount) -> io::Result<Measured> {
    let ends = |node: NodeId| (1..=LINKS).map(move |link| (far_name(node, link), addresses(node, link).1));
    let router: Vec<_> = [NodeId(3), NodeId(4)].into_iter().flat_map(ends).collect();
    let router = frames(&router, amount.per_link, 200);
    lab.start_function(ROUTER, "router", &|| u8::from(send_on_time(SECOND, &router).is_err()))?;
    let own: Vec<_> = (1..=LINKS)
        .map(|link| (format!("eth{link}"), addresses(BARE, link).0))
        .collect();
    let own = frames(&own, amount.per_link, 100);
    let bare = lab.start_function(BARE, "bare", &|| u8::from(send_on_time(SECOND, &own).is_err()))?;
    let many = configuration(LINKS, amount.per_link);
    let one = configuration(1, 1);
    let mut measured = Measured::new();
    for (first, text) in [(0, &many), (3, &many), (6, &one)] {
        for speaker in Speaker::BOTH {
            let node = NodeId(first + speaker.index());
            measured.push((node, speaker.start(lab, node, text)?));
        }
    }
    measured.push((BARE, bare));
    Ok(measured)
}

/// Processor time, nanoseconds, and packets of each so far.
fn look(lab: &Lab, measured: &Measured) -> io::Result<Vec<(u64, [u64; 2])>> {
    measured
        .iter()
        .map(|(node, program)| Ok((cpu(lab, *program)?, packets(lab, *node)?)))
        .collect()
}

fn report(amount: Amount, before: &[(u64, [u64; 2])], after: &[(u64, [u64; 2])], memory: &[u64]) {
    // Milliseconds for 100,000 adverts of a kind: 0 sent, 1 heard.
    let cost = |daemon: usize, kind: usize| {
        let spent = after[daemon].0 - before[daemon].0;
        let count = after[daemon].1[kind] - before[daemon].1[kind];
        (count > 0).then(|| spent as f64 / 1e6 * 100_000.0 / count as f64)
    };
    let row = |work: String, bare, daemon: usize, kind, target| {
        Row {
            work,
            bare,
            keepalived: cost(daemon, kind),
            vrrpd: cost(daemon + 1, kind),
            unit: "CPU ms",
            target,
        }
        .print();
    };
    let instances = u32::from(LINKS) * u32::from(amount.per_link);
    let seconds = amount.seconds;
    row(
        format!("100,000 adverts sent, {instances} instances at 1 s, {seconds} s"),
        cost(6, 0),
        0,
        0,
        Target::TimesKeepalived(0.5),
    );
    row(
        format!("100,000 adverts heard, {instances} instances at 1 s, {seconds} s"),
        None,
        2,
        1,
        Target::TimesKeepalived(1.0),
    );
    row(
        format!("100,000 adverts sent, one instance at 1 s, {seconds} s"),
        None,
        4,
        0,
        Target::TimesKeepalived(1.0),
    );
    for (daemon, instances, role) in [(2, instances, "backups"), (0, instances, "masters"), (4, 1, "master")] {
        Row {
            work: format!("memory of {instances} {role}, after {seconds} s"),
            bare: None,
            keepalived: Some(memory[daemon] as f64),
            vrrpd: Some(memory[daemon + 1] as f64),
            unit: "KiB",
            target: Target::AtMost((1200.0 + 1.36 * f64::from(instances)).round()),
        }
        .print();
    }
}

/// Waits until both senders send for all instances, and what comes with a take-over is over.
fn settle(lab: &mut Lab, amount: Amount) -> io::Result<()> {
    let wanted = u64::from(LINKS) * u64::from(amount.per_link);
    for _ in 0..60 {
        let before = [packets(lab, NodeId(0))?[0], packets(lab, NodeId(1))?[0]];
        lab.watch(Micros::from_secs(2), |_| false)?;
        let after = [packets(lab, NodeId(0))?[0], packets(lab, NodeId(1))?[0]];
        if (0..2).all(|node| after[node] - before[node] >= wanted && after[node] - before[node] <= 3 * wanted) {
            // The second burst of announcements comes 5 s after the first.
            lab.watch(Micros::from_secs(8), |_| false)?;
            lab.moments.clear();
            return Ok(());
        }
    }
    Err(io::Error::other("not all instances became masters"))
}
