//! Files and processes: what they hold and how many run moves the addresses, in time and not before.

use super::{Scenario, expect, expect_masters, instance, node, verdict, world};
use crate::model::{
    Family, Micros, Priority, ProcessId, TrackFile, TrackProcess, TrackedFile, TrackedFileId, TrackedProcess, Weight,
};
use crate::proto::{Event, Observation, ProcessChange, StateName};
use crate::sim::node::{Node, weight};
use crate::sim::observe::holds;
use crate::sim::random::Random;
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "a number in a file counts times its weight, and moves the addresses",
            numbers as fn(Planted) -> _,
        ),
        scenario("a reversed weight 0 makes a fault of 0", reversed_zero),
        scenario(
            "a process that ends counts after its delay, unless it comes back",
            ended,
        ),
        scenario("a delay of a process counts from the first change", first_counts),
        scenario("a process that another one forked counts after its delay", forked),
        scenario("more processes than may run are a fault", too_many),
        scenario("files and processes that flap leave the right master", flapping),
    ]
}

const FILE: TrackedFileId = TrackedFileId(0);
const PROCESS: ProcessId = ProcessId(0);

pub(super) fn with_file(mut node: Node, weight: Weight) -> Node {
    node.model.files = vec![TrackedFile {
        name: "f".into(),
        path: "/f".into(),
        weight,
        init: None,
    }];
    let track = TrackFile { file: FILE, weight };
    node.model
        .instances
        .iter_mut()
        .for_each(|i| i.track_files = vec![track]);
    node
}

/// `haproxy` of weight 0; with delays of 2 s after a fork and 3 s after an end.
pub(super) fn with_process(mut node: Node, quorum: u32, quorum_max: Option<u32>) -> Node {
    node.running = quorum;
    node.model.processes = vec![TrackedProcess {
        name: "p".into(),
        process: "haproxy".into(),
        parameters: Vec::new(),
        param_match: None,
        weight: Weight::ZERO,
        quorum,
        quorum_max,
        fork_delay: Micros::from_secs(2),
        terminate_delay: Micros::from_secs(3),
        full_command: false,
    }];
    let track = TrackProcess {
        process: PROCESS,
        weight: Weight::ZERO,
    };
    let instances = node.model.instances.iter_mut();
    instances.for_each(|i| i.track_processes = vec![track]);
    node
}

/// A better node with trackers and a worse one without.
fn pair(better: impl FnOnce(Node) -> Node, planted: Planted) -> World {
    let better = better(node(instance(Family::Ipv4, 105), 1, None));
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master when all is well");
    w
}

fn process(w: &mut World, index: usize, pid: u32, change: ProcessChange) {
    let process = PROCESS;
    if let Some(node) = w.nodes.get_mut(index) {
        // What the observers tell at a reload.
        node.running = match change {
            ProcessChange::Forked | ProcessChange::Became => node.running + 1,
            ProcessChange::Ended | ProcessChange::Ceased => node.running.saturating_sub(1),
        };
    }
    w.disturb(&format!("process {pid} of {index}: {change:?}"));
    w.tell(index, Event::Observed(Observation::Process { process, pid, change }));
}

fn state(w: &World, index: usize) -> Option<StateName> {
    w.nodes.get(index).and_then(|node| node.seen().state)
}

fn numbers(planted: Planted) -> Result<(), Violation> {
    for (value, reverse) in [(1, false), (1, true), (3, false), (-2, false)] {
        let weight = Weight::new(value, reverse).unwrap_or_default();
        let mut w = pair(|node| with_file(node, weight), planted);
        let sign = if (value < 0) == reverse { -1 } else { 1 };
        // Against the weight: 105 - 6 is less than 100, also times the weight.
        for (number, right) in [(6 * sign, 1), (0, 0), (-6 * sign, 0), (300 * sign, 1), (0, 0)] {
            w.disturb(&format!("the file of 0 holds {number}"));
            w.tell(0, holds(FILE, number));
            w.advance(Micros::from_secs(10));
            expect_masters(&mut w, &[right], &format!("weight {value} reverse {reverse}, {number}"));
            let fault = state(&w, 0) == Some(StateName::Fault);
            expect(
                &mut w,
                fault == (number == 300 * sign),
                &format!("{number}: fault {fault}"),
            );
        }
        verdict(&w)?;
    }
    Ok(())
}

fn reversed_zero(planted: Planted) -> Result<(), Violation> {
    let reversed = Weight::new(0, true).unwrap_or_default();
    let better = with_file(node(instance(Family::Ipv4, 105), 1, None), reversed);
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[1], "0 is a fault");
    w.disturb("the file of 0 holds 1");
    w.tell(0, holds(FILE, 1));
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "1 is none");
    verdict(&w)
}

fn ended(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(|node| with_process(node, 1, None), planted);
    process(&mut w, 0, 0, ProcessChange::Ended);
    w.advance(Micros(2_900_000));
    let still = state(&w, 0) == Some(StateName::Master);
    expect(&mut w, still, "nothing happens within the delay");
    process(&mut w, 0, 1, ProcessChange::Became);
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "it came back in time");
    process(&mut w, 0, 1, ProcessChange::Ended);
    w.advance(Micros(3_100_000));
    let fault = state(&w, 0) == Some(StateName::Fault);
    expect(&mut w, fault, "it did not come back in time");
    w.advance(Micros::from_secs(5));
    expect_masters(&mut w, &[1], "the other node has taken over");
    process(&mut w, 0, 2, ProcessChange::Became);
    let back = state(&w, 0) == Some(StateName::Backup);
    expect(&mut w, back, "exec counts at once");
    w.advance(Micros::from_secs(5));
    expect_masters(&mut w, &[0], "the better node is master again");
    verdict(&w)
}

/// Two have to run: when the second one ends as well, and when a reload comes after which the observers tell everything
/// anew, the time of the first one goes on.
fn first_counts(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(|node| with_process(node, 2, None), planted);
    process(&mut w, 0, 0, ProcessChange::Ended);
    w.advance(Micros::from_secs(2));
    process(&mut w, 0, 1, ProcessChange::Ended);
    w.disturb("reload");
    w.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(106))
    });
    w.advance(Micros::from_millis(900));
    let still = state(&w, 0) == Some(StateName::Master);
    expect(&mut w, still, "nothing happens within the delay");
    w.advance(Micros::from_millis(200));
    let fault = state(&w, 0) == Some(StateName::Fault);
    expect(&mut w, fault, "3 s after the first one ended");
    verdict(&w)
}

fn forked(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(|node| with_process(node, 1, Some(2)), planted);
    process(&mut w, 0, 1, ProcessChange::Forked);
    process(&mut w, 0, 2, ProcessChange::Forked);
    w.advance(Micros(1_900_000));
    let still = state(&w, 0) == Some(StateName::Master);
    expect(&mut w, still, "nothing happens within the delay");
    process(&mut w, 0, 2, ProcessChange::Ended);
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "it ended in time");
    process(&mut w, 0, 2, ProcessChange::Forked);
    w.advance(Micros(2_100_000));
    let fault = state(&w, 0) == Some(StateName::Fault);
    expect(&mut w, fault, "the delay is over");
    verdict(&w)
}

fn too_many(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(|node| with_process(node, 1, Some(1)), planted);
    process(&mut w, 0, 1, ProcessChange::Became);
    w.advance(Micros::from_secs(5));
    expect_masters(&mut w, &[1], "two are one too many");
    process(&mut w, 0, 1, ProcessChange::Ceased);
    w.advance(Micros::from_secs(5));
    expect_masters(&mut w, &[0], "one is right");
    verdict(&w)
}

/// Everything changes at random for two minutes; nobody is master with a fault, and in the end the right one is.
fn flapping(planted: Planted) -> Result<(), Violation> {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let nodes = (1..=3).map(|number| {
            let plain = node(instance(Family::Ipv4, 90 + 10 * number), number, None);
            with_process(with_file(plain, weight(1)), 1, Some(2))
        });
        let mut w = world(nodes.collect(), planted);
        w.advance(Micros::from_secs(12));
        let mut hosts = [Host { number: 0, running: 1 }; 3];
        for _ in 0..120 {
            let index = random.index(hosts.len());
            if let Some(host) = hosts.get_mut(index) {
                flap(&mut w, index, host, &mut random);
            }
            w.advance(Micros(random.between(1_000, 2_000_000)));
            let lies = (0..)
                .zip(&hosts)
                .find(|(i, host)| host.number <= -254 && state(&w, *i) != Some(StateName::Fault));
            let what = format!("{lies:?} is not in fault");
            let good = lies.is_none();
            expect(&mut w, good, &what);
        }
        w.disturb("calm");
        w.advance(Micros::from_secs(12));
        let priorities: Vec<_> = (0..).zip(&hosts).map(|(i, host)| host.priority(100 + 10 * i)).collect();
        let best = priorities.iter().flatten().max();
        let right: Vec<usize> = (0..)
            .zip(&priorities)
            .filter(|(_, p)| p.is_some() && p.as_ref() == best)
            .map(|(i, _)| i)
            .collect();
        // Among equals whoever is master stays.
        if right.len() < 2 {
            expect_masters(&mut w, &right, &format!("seed {seed}: {hosts:?}"));
        }
        verdict(&w)?;
    }
    Ok(())
}

/// What a host is like, as the scenario made it.
#[derive(Debug, Clone, Copy)]
struct Host {
    number: i32,
    running: u32,
}

impl Host {
    /// By plain arithmetic: weight 1, quorum 1 to 2.
    fn priority(self, base: i32) -> Option<i32> {
        let well = (1..=2).contains(&self.running) && self.number > -254;
        well.then(|| (base + self.number).clamp(1, 254))
    }
}

fn flap(w: &mut World, index: usize, host: &mut Host, random: &mut Random) {
    if random.one_in(2) {
        let numbers = [-300, -254, -40, -5, 0, 7, 40, 300];
        host.number = numbers.get(random.index(numbers.len())).copied().unwrap_or(0);
        w.disturb(&format!("the file of {index} holds {}", host.number));
        w.tell(index, holds(FILE, host.number));
    } else if host.running > 0 && random.one_in(2) {
        host.running -= 1;
        let ended = random.one_in(2);
        let change = if ended {
            ProcessChange::Ended
        } else {
            ProcessChange::Ceased
        };
        process(w, index, host.running, change);
    } else if host.running < 4 {
        let forked = random.one_in(2);
        let change = if forked {
            ProcessChange::Forked
        } else {
            ProcessChange::Became
        };
        process(w, index, host.running, change);
        host.running += 1;
    }
}
