//! A random run: a cluster drawn by lot, at least 5 minutes, faults of several kinds; settled and judged between them.

use super::check;
use super::draw;
use super::network::Effects;
use super::node::{Node, well_link};
use super::random::Random;
use super::scenario::forgeries;
use super::world::World;
use super::{Planted, Violation, fault};
use crate::model::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// What a run has gone through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Times that a node became master.
    pub takeovers: u64,
    /// Adverts sent.
    pub adverts: u64,
    /// Steps of a core that were compared with the reference model.
    pub judged: u64,
    /// Simulated time.
    pub simulated: Micros,
    /// Nodes of the cluster.
    pub nodes: usize,
    /// What the cluster was configured as, by [`draw::KINDS`].
    pub drawn: BTreeSet<&'static str>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What became of packets.
    pub effects: Effects,
}

/// Plays one run.
///
/// # Errors
/// What went wrong, with the end of the trace.
pub fn random_run(seed: u64, planted: Planted) -> Result<Report, (Violation, String)> {
    let mut random = Random::new(seed);
    let cluster = draw::cluster(&mut random);
    let mut report = Report {
        drawn: cluster.kinds,
        ..Report::default()
    };
    let nodes = cluster.nodes.into_iter().map(|drawn| {
        let well = well_link(&drawn.model);
        let mut node = Node::new(drawn.model, drawn.addresses);
        node.other_link_up = Some(well);
        node
    });
    let mut world = World::new(nodes.collect(), random.next(), planted);
    report.nodes = world.nodes.len();
    let settle = check::settle_time(&world);
    world.advance(settle);
    check::settled(&mut world);
    let start = world.now;
    let rounds = random.between(4, 6);
    // Different kinds in the first rounds, so that every run has at least three.
    let offset = random.index(fault::KINDS.len());
    let mut round = 0;
    while round < rounds || world.now.since(start) < Micros::from_secs(300) {
        let turn = usize::try_from(round).unwrap_or(0);
        let kind = if round < 4 {
            (turn * 3 + offset) % fault::KINDS.len()
        } else {
            random.index(fault::KINDS.len())
        };
        let kind = fault::KINDS.get(kind).copied().unwrap_or("crash");
        *report.faults.entry(kind).or_insert(0) += 1;
        fault::play(&mut world, kind, &mut random);
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
    report.judged = world.judged;
    report.simulated = world.now.since(start);
    report.effects = world.network.effects;
    Ok(report)
}

/// Time passes while a stranger sends nonsense.
fn noise(world: &mut World, length: Micros, random: &mut Random) {
    let forged = forgeries();
    let step = Micros(random.between(300_000, 900_000));
    let end = world.now + length;
    while world.now < end {
        if let Some(datagram) = forged.get(random.index(forged.len())) {
            world.inject(datagram, false);
        }
        let left = end.since(world.now);
        world.advance(if left < step { left } else { step });
    }
}

/// Lets three nodes with one instance each run undisturbed for this long, everything that judges them switched on.
///
/// # Errors
/// What went wrong, with the end of the trace.
pub fn calm_run(length: Micros) -> Result<Report, (Violation, String)> {
    let node = |number: u8| {
        let config = super::scenario::instance(crate::model::Family::Ipv4, 100 + number);
        super::scenario::node(config, number, None)
    };
    let mut world = World::new((1..=3).map(node).collect(), 1, Planted::nothing());
    let start = world.now;
    world.advance(check::settle_time(&world));
    check::settled(&mut world);
    world.advance(length);
    check::settled(&mut world);
    if let Some(violation) = world.violations.first() {
        return Err((violation.clone(), world.trace()));
    }
    Ok(Report {
        takeovers: world.takeovers,
        adverts: world.adverts,
        judged: world.judged,
        simulated: world.now.since(start),
        nodes: world.nodes.len(),
        ..Report::default()
    })
}
