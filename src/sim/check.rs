//! The judges. They look from outside: at states as told, packets, and the addresses in the fake kernels.

use super::node::Node;
use super::world::World;
use crate::model::{Instant, Micros, Version};
use crate::proto::{Action, Happening, InstanceLine, LogEvent, StateName};
use std::sync::Arc;

/// What went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at {} s: {}", self.at, self.what)
    }
}

/// Late by this much is still in time: delays of the network and of the fake kernel.
const SLACK: Micros = Micros::from_millis(500);

/// More announcements than this since a take-over are a storm.
const STORM: usize = 200;

/// What has to hold at every moment.
pub(super) fn always(world: &mut World) {
    dual_masters(world);
    for index in 0..world.nodes.len() {
        addresses(world, index);
        announcements(world, index);
        adverts(world, index);
    }
}

/// Two masters that hear each other without loss settle it with the next advert of either.
fn dual_masters(world: &mut World) {
    let window = Micros(world.longest_interval().0) + SLACK;
    for a in 0..world.nodes.len() {
        for b in a + 1..world.nodes.len() {
            let both = |n: &Node| n.runs() && n.is_master() && n.link_up;
            let pair = world.nodes.get(a).zip(world.nodes.get(b));
            let dual = pair.is_some_and(|(a, b)| both(a) && both(b)) && world.network.is_clean_between(a, b);
            let now = world.now;
            if !dual {
                world.dual_since.remove(&(a, b));
                continue;
            }
            let since = *world.dual_since.entry((a, b)).or_insert(now);
            if now.since(since) > window {
                world.violate(format!(
                    "nodes {a} and {b} are both master since {since} s and hear each other"
                ));
            }
        }
    }
}

/// Addresses are there while the node is master, and not otherwise.
fn addresses(world: &mut World, index: usize) {
    let (now, slow) = (world.now, world.slowest_kernel());
    let Some(node) = world.nodes.get_mut(index) else { return };
    if node.paused.is_some() {
        node.seen.vips_without_master = None;
        return;
    }
    if !node.has_vips() || node.is_master() {
        node.seen.vips_without_master = None;
        return;
    }
    let since = *node.seen.vips_without_master.get_or_insert(now);
    if now.since(since) > slow + SLACK {
        world.violate(format!(
            "node {index} holds the addresses without being master since {since} s"
        ));
    }
}

/// A take-over is announced, and once more after 5 s.
fn announcements(world: &mut World, index: usize) {
    let (now, slow) = (world.now, world.slowest_kernel());
    let Some(node) = world.nodes.get(index).filter(|node| node.runs() && node.is_master()) else {
        return;
    };
    let Some(since) = node.seen.master_since.filter(|since| *since >= world.undisturbed) else {
        return;
    };
    let count = |from: Micros, to: Micros| {
        node.seen
            .announced
            .iter()
            .filter(|at| **at >= since + from && **at <= since + to)
            .count()
    };
    // Two bursts, a few refreshes, rows of ten answers: more is a storm.
    if node.seen.announced.len() > STORM {
        world.violate(format!("node {index} has announced {STORM} times since {since} s"));
        return;
    }
    let held = now.since(since);
    if held > slow + SLACK && count(Micros::ZERO, slow + SLACK) == 0 {
        world.violate(format!(
            "node {index} has taken over at {since} s and has not announced it"
        ));
        return;
    }
    let five = Micros::from_secs(5);
    if held > five + slow + SLACK && count(five, five + slow + SLACK) == 0 {
        world.violate(format!(
            "node {index} has not announced its take-over at {since} s a second time"
        ));
    }
}

/// A master advertises at its interval, with its own priority.
fn adverts(world: &mut World, index: usize) {
    let now = world.now;
    let Some(node) = world
        .nodes
        .get(index)
        .filter(|node| node.runs() && node.is_master() && node.link_up)
    else {
        return;
    };
    let Some(config) = node.config() else { return };
    let since = node
        .seen
        .advert_at
        .max(node.seen.master_since)
        .max(Some(world.undisturbed))
        .unwrap_or(now);
    let interval = config.advert_interval.duration();
    if now.since(since) > interval + Micros::from_millis(20) {
        let what = format!("master {index} has sent no advert since {since} s, its interval is {interval} s");
        world.violate(what);
    }
}

/// What has to hold when nothing has happened for long enough.
pub(super) fn settled(world: &mut World) {
    let up: Vec<usize> = (0..world.nodes.len())
        .filter(|i| {
            world
                .nodes
                .get(*i)
                .is_some_and(|n| n.runs() && n.reference_priority().is_some())
        })
        .collect();
    let masters: Vec<usize> = (0..world.nodes.len())
        .filter(|i| world.nodes.get(*i).is_some_and(|n| n.runs() && n.is_master()))
        .collect();
    let [master] = masters.as_slice() else {
        if !up.is_empty() || !masters.is_empty() {
            world.violate(format!("all is well and nodes {masters:?} are master; {up:?} could be"));
        }
        return;
    };
    let priority = |i: usize| world.nodes.get(i).and_then(Node::reference_priority);
    let Some(ours) = priority(*master) else {
        world.violate(format!("node {master} is master although its check fails"));
        return;
    };
    let better = up.iter().find(|i| {
        let preempts = world
            .nodes
            .get(**i)
            .and_then(Node::config)
            .is_some_and(|config| config.preempt);
        preempts && priority(**i).is_some_and(|theirs| theirs > ours)
    });
    if let Some(better) = better {
        world.violate(format!(
            "node {master} with {ours} is master although node {better} has {:?}",
            priority(*better)
        ));
        return;
    }
    let advertised = world
        .nodes
        .get(*master)
        .and_then(|node| node.seen.advertised)
        .map(|p| i32::from(p.get()));
    if advertised != Some(ours) {
        world.violate(format!(
            "master {master} advertises {advertised:?}, it should be {ours}"
        ));
    }
    let holders: Vec<usize> = (0..world.nodes.len())
        .filter(|i| world.nodes.get(*i).is_some_and(|node| node.has_vips()))
        .collect();
    if holders != [*master] {
        world.violate(format!("node {master} is master, the addresses are on {holders:?}"));
    }
    in_step(world);
    for index in up.iter().filter(|i| *i != master) {
        if world.nodes.get(*index).and_then(Node::state) != Some(StateName::Backup) {
            world.violate(format!("node {index} should be backup"));
        }
    }
}

/// All instances of a node form one sync group, if there are several.
fn in_step(world: &mut World) {
    let states = |node: &Node| -> Vec<Option<StateName>> {
        let core = node.core.as_ref();
        (0..node.model.instances.len())
            .map(|at| core.and_then(|core| core.state(at)))
            .collect()
    };
    let apart = world
        .nodes
        .iter()
        .map(states)
        .find(|states| states.iter().any(|state| Some(state) != states.first()));
    if let Some(apart) = apart {
        world.violate(format!("members of a sync group are {apart:?}"));
    }
}

/// How long the cluster may take to settle: scripts notice, a master falls silent, the right one takes over.
pub(super) fn settle_time(world: &World) -> Micros {
    let of = |node: &Node| {
        let Some(config) = node.config() else {
            return Micros::ZERO;
        };
        let interval = world.longest_interval();
        let skew = if config.version == Version::V2 {
            Micros::SECOND
        } else {
            interval
        };
        interval.times(u64::from(config.down_timer_adverts.get())) + skew + node.notice_time() + config.preempt_delay
    };
    let longest = world.nodes.iter().map(of).max().unwrap_or(Micros::ZERO);
    longest + SLACK + world.slowest_kernel()
}

/// One reason for all: what the log says of a transition, what is told to whoever asks later, and what programs are told.
pub(super) fn reasons(world: &mut World, index: usize, action: &Action) {
    let Some(node) = world.nodes.get_mut(index) else { return };
    let seen = &mut node.seen;
    let mut wrong = None;
    if let Action::Log(LogEvent::Instance {
        name,
        line: InstanceLine::Because { to, reason },
    }) = action
    {
        seen.logged.insert(Arc::clone(name), (*to, reason.clone()));
    }
    if let Action::Happened(happened) = action {
        if let Happening::Transition(change) = &**happened {
            let logged = seen.logged.get(&change.name);
            if logged != Some(&(change.to, change.reason.clone())) {
                wrong = Some(format!("the log says {logged:?}, events say {:?}", change.reason));
            }
            let key = (Arc::clone(&change.name), change.sequence);
            seen.untold.insert(key, change.reason.clone());
        }
        if let Happening::Raised(problem) | Happening::Cleared(problem) = &**happened {
            let raised = matches!(**happened, Happening::Raised(_));
            seen.problems.push((raised, problem.code.clone()));
        }
    }
    if let Action::StateChanged(change) = action {
        let happened = seen.untold.remove(&(Arc::clone(&change.name), change.sequence));
        if happened.as_ref() != Some(&change.reason) {
            wrong = Some(format!(
                "events say {happened:?}, programs are told {:?}",
                change.reason
            ));
        }
    }
    if let Some(wrong) = wrong {
        world.violate(format!("node {index}: {wrong}"));
    }
}
