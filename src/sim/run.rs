//! A random run: a cluster of 3 to 5 nodes, at least 5 minutes, faults of several kinds; settled and judged between them.

use super::check;
use super::network::Effects;
use super::node::Node;
use super::random::Random;
use super::scenario::{forgeries, grouped, hmac, instance, node};
use super::world::World;
use super::{Planted, Violation};
use crate::model::{AdvertInterval, Authentication, Family, MacAddr, Micros, Password, Priority, Version};
use std::collections::BTreeMap;

/// What a run has gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Times that a node became master.
    pub takeovers: u64,
    /// Adverts sent.
    pub adverts: u64,
    /// Simulated time.
    pub simulated: Micros,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What became of packets.
    pub effects: Effects,
}

/// Kinds of faults. The length is a prime, so that steps of three from any start hit different ones.
const KINDS: [&str; 19] = [
    "crash",
    "reload",
    "reload-same",
    "delay",
    "stop",
    "pause",
    "reordering",
    "link",
    "service",
    "suspend",
    "partition",
    "one-way",
    "clock-step",
    "loss",
    "duplication",
    "respawn",
    "slow-kernel",
    "theft",
    "foreign-claim",
];

/// Plays one run.
///
/// # Errors
/// What went wrong, with the end of the trace.
pub fn random_run(seed: u64, planted: Planted) -> Result<Report, (Violation, String)> {
    let mut random = Random::new(seed);
    let mut world = World::new(cluster(&mut random), random.next(), planted);
    let mut report = Report::default();
    let settle = check::settle_time(&world);
    world.advance(settle);
    check::settled(&mut world);
    let start = world.now;
    let rounds = random.between(4, 6);
    // Different kinds in the first rounds, so that every run has at least three.
    let offset = random.index(KINDS.len());
    let mut round = 0;
    while round < rounds || world.now.since(start) < Micros::from_secs(300) {
        let turn = usize::try_from(round).unwrap_or(0);
        let kind = if round < 4 {
            (turn * 3 + offset) % KINDS.len()
        } else {
            random.index(KINDS.len())
        };
        let kind = KINDS.get(kind).copied().unwrap_or("crash");
        *report.faults.entry(kind).or_insert(0) += 1;
        fault(&mut world, kind, &mut random);
        let settle = check::settle_time(&world);
        noise(&mut world, settle, &mut random);
        check::settled(&mut world);
        noise(&mut world, Micros::from_secs(15), &mut random);
        check::settled(&mut world);
        if let Some(violation) = world.violations.first() {
            return Err((violation.clone(), world.trace()));
        }
        round += 1;
    }
    report.takeovers = world.takeovers;
    report.adverts = world.adverts;
    report.simulated = world.now.since(start);
    report.nodes = world.nodes.len();
    report.effects = world.network.effects;
    Ok(report)
}

fn cluster(random: &mut Random) -> Vec<Node> {
    let count = random.between(3, 5);
    let v3 = random.one_in(2);
    let ipv6 = v3 && random.one_in(2);
    let family = if ipv6 { Family::Ipv6 } else { Family::Ipv4 };
    let equal = random.one_in(4);
    let interval = random.between(1, 2);
    let script = match random.below(5) {
        0 => None,
        1 => Some((11, 1, 1)),
        2 => Some((0, 1, 1)),
        3 => Some((-20, 2, 2)),
        _ => Some((0, 2, 3)),
    };
    let (ah, signed) = (random.one_in(3), random.one_in(3));
    let group = random.one_in(3);
    let mut nodes = Vec::new();
    for number in 1..=count {
        let priority = if equal { 100 } else { random.between(60, 220) };
        let mut config = instance(family, u8::try_from(priority).unwrap_or(100));
        config.preempt = !random.one_in(4);
        if v3 {
            config.version = Version::V3;
            config.authentication = Authentication::None;
            config.hmac = signed.then(|| Box::new(hmac(u8::try_from(number % 2).unwrap_or(0) + 1)));
            let centiseconds = u16::try_from(random.between(30, 120)).unwrap_or(100);
            config.advert_interval = AdvertInterval::from_centiseconds(centiseconds).unwrap_or_default();
        } else {
            if ah {
                config.authentication = Authentication::Ah(Password::from_text("s3cr3tAH"));
            }
            let centiseconds = u16::try_from(interval * 100).unwrap_or(100);
            config.advert_interval = AdvertInterval::from_centiseconds(centiseconds).unwrap_or_default();
        }
        let priority = config.priority.get();
        let node = node(config, u8::try_from(number).unwrap_or(1), script);
        nodes.push(if group { grouped(node, priority) } else { node });
    }
    nodes
}

/// One fault, from its beginning to its end.
fn fault(world: &mut World, kind: &'static str, random: &mut Random) {
    let count = world.nodes.len();
    // Half of the time it hits the master.
    let master = (0..count).find(|i| world.nodes.get(*i).is_some_and(|n| n.core.is_some() && n.is_master()));
    let victim = if random.one_in(2) { master } else { None };
    let victim = victim.unwrap_or_else(|| random.index(count));
    let length = Micros(random.between(200_000, 12_000_000));
    world.disturb(&format!("{kind} of {victim} for {length} s"));
    match kind {
        "crash" | "stop" | "respawn" | "pause" | "suspend" => process_fault(world, kind, victim, length),
        "service" => {
            world.set_service(victim, false);
            world.advance(check::settle_time(world));
            check::settled(world);
            world.disturb("service well");
            world.set_service(victim, true);
        }
        "link" | "slow-kernel" | "clock-step" => host_fault(world, kind, victim, length, random),
        "reload" | "reload-same" => reload(world, kind, victim, random),
        "theft" | "foreign-claim" => stranger(world, kind, victim, random),
        _ => network_fault(world, kind, victim, length, random),
    }
    world.disturb("end of the fault");
}

fn process_fault(world: &mut World, kind: &str, victim: usize, length: Micros) {
    match kind {
        "crash" | "stop" => {
            if kind == "crash" {
                world.crash(victim);
            } else {
                world.stop(victim);
                check_stop(world, victim);
            }
            world.advance(length.times(2) + Micros::SECOND);
            world.boot(victim);
        }
        "respawn" => world.respawn(victim, Micros(length.0 / 8)),
        "suspend" => {
            world.suspend(victim);
            world.advance(length);
            world.disturb("resume");
            world.pause(victim, false);
        }
        _ => {
            world.pause(victim, true);
            world.advance(length);
            world.disturb("continue");
            world.pause(victim, false);
        }
    }
}

fn host_fault(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    match kind {
        "link" => {
            world.set_link(victim, false);
            world.advance(length);
            world.disturb("link up");
            world.set_link(victim, true);
        }
        "clock-step" => {
            // A step while packets wait in the sockets is the worst one: their stamps are of another time.
            world.pause(victim, true);
            world.advance(Micros::from_millis(700));
            // Signed adverts stand a few seconds; everything else does not look at the time of day.
            let signed = world
                .nodes
                .iter()
                .any(|n| n.config().is_some_and(|config| config.hmac.is_some()));
            let reach = if signed { 2 } else { 1_000_000 };
            let step = Micros::from_secs(random.between(1_700_000_000 - reach, 1_700_000_000 + reach));
            world.step_clock(victim, step);
            world.pause(victim, false);
            world.advance(length);
        }
        _ => {
            let slow = Micros(random.between(100_000, 900_000));
            world.nodes.iter_mut().for_each(|node| node.kernel_delay = slow);
            world.set_link(victim, false);
            world.advance(length);
            world.set_link(victim, true);
            // What the slow kernel has begun it ends slowly.
            world.advance(check::settle_time(world));
            world
                .nodes
                .iter_mut()
                .for_each(|node| node.kernel_delay = Micros::MILLISECOND);
        }
    }
}

/// Another priority; or the same configuration again, of which nobody may notice anything.
fn reload(world: &mut World, kind: &str, victim: usize, random: &mut Random) {
    let priority = u8::try_from(random.between(60, 220)).unwrap_or(100);
    let (changes, sent) = (kind == "reload", world.adverts);
    world.reload(victim, |model| {
        for instance in model.instances.iter_mut().filter(|_| changes) {
            instance.priority = Priority(priority);
        }
    });
    if !changes && world.adverts != sent {
        world.violate(format!(
            "node {victim} sent an advert because of a reload that changed nothing"
        ));
    }
    world.advance(check::settle_time(world));
}

/// Somebody on the master's host deletes its addresses, or somebody on the network claims them.
fn stranger(world: &mut World, kind: &str, victim: usize, random: &mut Random) {
    for _ in 0..random.between(1, 4) {
        if kind == "theft" {
            world.steal(victim);
        } else if let Some(address) = world.virtual_address() {
            for index in 0..world.nodes.len() {
                world.claim(index, address, MacAddr([2, 0, 0, 0, 9, 9]));
            }
        }
        world.advance(Micros::from_secs(2));
    }
}

fn network_fault(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    match kind {
        "partition" | "one-way" => {
            for other in (0..world.nodes.len()).filter(|other| *other != victim) {
                world.network.set_cut(victim, other, true);
                world.network.set_cut(other, victim, kind == "partition");
            }
        }
        "loss" => world.network.loss = random.between(50, 600),
        "delay" => world.network.delay = Micros(random.between(30_000, 250_000)),
        "reordering" => world.network.jitter = Micros(random.between(600_000, 1_500_000)),
        _ => {
            world.network.duplication = 500;
            world.network.jitter = Micros::from_millis(30);
        }
    }
    world.advance(length);
    world.network.heal();
    // What is still on its way arrives after the healing.
    world.advance(Micros::from_millis(1_600));
}

/// A master that stops says so.
fn check_stop(world: &mut World, victim: usize) {
    let was_master = world
        .nodes
        .get(victim)
        .is_some_and(|n| n.seen.master_since.is_some() && n.seen.releases == 0 && n.has_vips());
    world.advance(Micros::from_millis(50));
    let released = world.nodes.get(victim).is_some_and(|node| node.seen.releases > 0);
    if was_master && !released {
        world.violate(format!("node {victim} stopped as master and did not release"));
    }
}

/// Time passes while a stranger sends nonsense.
fn noise(world: &mut World, length: Micros, random: &mut Random) {
    let forged = forgeries();
    let step = Micros(random.between(300_000, 900_000));
    let end = world.now + length;
    while world.now < end {
        if let Some(datagram) = forged.get(random.index(forged.len())) {
            world.inject(datagram);
        }
        let left = end.since(world.now);
        world.advance(if left < step { left } else { step });
    }
}
