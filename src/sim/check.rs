//! The judges. They look from outside: at states as told, packets, and the addresses in the fake kernels.

use super::node::{Node, Seat};
use super::world::World;
use crate::model::{AntiReplay, Authentication, HmacMode, Instance, Instant, Micros, Version};
use crate::proto::{Action, Happening, InstanceLine, LogEvent, StateName, Transmit};
use std::collections::BTreeSet;
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

/// More announcements than this within a minute are a storm; a paced one is many.
const STORM: usize = 200;
const PACED_STORM: usize = 3_000;

/// An advert may leave 4 ms early together with another one; with AH the next one is 1 ms later.
const OFF_GRID: u64 = 5_000;

/// What has to hold at every moment. Says when it has to be looked at again although nothing has changed.
pub(super) fn always(world: &mut World) -> Instant {
    let mut next = dual_masters(world).min(orphans(world));
    for index in 0..world.nodes.len() {
        for router in 0..world.routers() {
            next = next
                .min(addresses(world, index, router))
                .min(announcements(world, index, router))
                .min(adverts(world, index, router));
        }
    }
    next
}

/// No moment.
const NEVER: Instant = Instant(u64::MAX);

fn config(world: &World, index: usize, router: usize) -> Option<&Instance> {
    world.nodes.get(index)?.model.instances.get(router)
}

/// Two masters that hear each other without loss settle it with the next advert of either; who was asleep may listen first.
fn dual_masters(world: &mut World) -> Instant {
    let mut next = NEVER;
    for router in 0..world.routers() {
        for a in 0..world.nodes.len() {
            for b in a + 1..world.nodes.len() {
                let both = |n: &Node| n.runs() && n.is_master_of(router) && n.link_up;
                let pair = world.nodes.get(a).zip(world.nodes.get(b));
                let dual = pair.is_some_and(|(x, y)| both(x) && both(y)) && settle_it(world, router, a, b);
                if !dual {
                    if !world.dual_since.is_empty() {
                        world.dual_since.remove(&(router, a, b));
                    }
                    continue;
                }
                let now = world.now;
                let since = *world.dual_since.entry((router, a, b)).or_insert(now);
                let window = world.longest_interval() + SLACK + longer(world, router, a, b);
                if now.since(since) > window {
                    world.violate(format!(
                        "nodes {a} and {b} are both master of router {router} since {since} s and hear each other"
                    ));
                }
                next = next.min(since + window + Micros(1));
            }
        }
    }
    next
}

/// Whether two masters hear each other, and the worse one listens.
fn settle_it(world: &World, router: usize, a: usize, b: usize) -> bool {
    let deaf_owner = |index| {
        let node: Option<&Node> = world.nodes.get(index);
        node.is_some_and(|node| {
            node.model
                .instances
                .iter()
                .any(|config| config.owner_ignore_adverts && config.is_owner())
        })
    };
    // Two owners of which one hears nobody are both master: that is what the keyword says.
    let stubborn = deaf_owner(a) && owns(world, router, b) || deaf_owner(b) && owns(world, router, a);
    !stubborn && world.network.is_clean_between(a, b) && understand(world, router, a, b)
}

fn owns(world: &World, router: usize, index: usize) -> bool {
    config(world, index, router).is_some_and(Instance::is_owner)
}

/// Who was asleep may first listen for its Skew_Time. With AH all speakers of a router share one row of numbers: the first
/// advert of a better one whose numbers are old (it was asleep, or is new) is a replay to the other one. It goes on with
/// the other's numbers when it hears them, an interval later at most; if it does not answer at once (it keeps quiet about
/// worse ones, an owner ignores them, its answers are used up), its own advert comes another interval later.
fn longer(world: &World, router: usize, a: usize, b: usize) -> Micros {
    let pair = [config(world, a, router), config(world, b, router)];
    let pair = || pair.into_iter().flatten();
    let mut longer = Micros::ZERO;
    if pair().any(|config| config.listen_after_stall) {
        longer = longer + world.longest_interval() + Micros::SECOND;
    }
    if pair().any(|config| matches!(config.authentication, Authentication::Ah(_))) {
        longer = longer + world.longest_interval();
    }
    longer
}

/// Whether what each of two nodes says is valid for the other one.
pub(super) fn understand(world: &World, router: usize, a: usize, b: usize) -> bool {
    let Some((x, y)) = config(world, a, router).zip(config(world, b, router)) else {
        return false;
    };
    let interval = x.version == Version::V3 || x.advert_interval == y.advert_interval;
    x.version == y.version && interval && same_password(x, y) && signatures_fit(world, a, b, x, y)
}

const fn kind(authentication: Authentication) -> u8 {
    match authentication {
        Authentication::None => 0,
        Authentication::Pass(_) => 1,
        Authentication::Ah(_) => 2,
    }
}

fn same_password(x: &Instance, y: &Instance) -> bool {
    kind(x.authentication) == kind(y.authentication)
}

fn signatures_fit(world: &World, a: usize, b: usize, x: &Instance, y: &Instance) -> bool {
    let (Some(x), Some(y)) = (&x.hmac, &y.hmac) else {
        return x.hmac.is_none() && y.hmac.is_none();
    };
    let clock = |index| {
        world
            .nodes
            .get(index)
            .map_or(Micros::ZERO, |node: &Node| node.wall(world.now))
    };
    let apart = clock(a).0.abs_diff(clock(b).0);
    let near = |window: Micros| apart + 1_000_000 <= window.0;
    let timed = [x, y]
        .into_iter()
        .all(|hmac| hmac.anti_replay == AntiReplay::Monotonic || near(hmac.time_window));
    let signed = |from: HmacMode, to: HmacMode| from != HmacMode::ReceiveOnly || to != HmacMode::Enforce;
    timed && signed(x.mode, y.mode) && signed(y.mode, x.mode)
}

/// While a node could be master of a router, somebody is.
fn orphans(world: &mut World) -> Instant {
    let mut next = NEVER;
    for router in 0..world.routers() {
        let backup = |node: &Node| {
            let seat = node.seats.get(router);
            seat.is_some_and(|seat| seat.state == Some(StateName::Backup))
        };
        let able = |node: &Node| node.runs() && backup(node) && node.reference_priority(router).is_some();
        let master = world.nodes.iter().any(|node| node.runs() && node.is_master_of(router));
        if master || !world.nodes.iter().any(able) {
            world.orphan_since.remove(&router);
            continue;
        }
        let now = world.now;
        let since = *world.orphan_since.entry(router).or_insert(now);
        let limit = since.max(world.undisturbed) + settle_time(world);
        if now > limit {
            world.violate(format!("nobody is master of router {router} since {since} s"));
        }
        next = next.min(limit + Micros(1));
    }
    next
}

/// Addresses are there while the node is master, and not otherwise.
fn addresses(world: &mut World, index: usize, router: usize) -> Instant {
    let now = world.now;
    let Some(node) = world.nodes.get_mut(index) else {
        return NEVER;
    };
    let right = node.paused.is_some() || node.is_master_of(router);
    let Some(seat) = node.seats.get_mut(router) else {
        return NEVER;
    };
    if right || !seat.held {
        seat.vips_without_master = None;
        return NEVER;
    }
    let since = *seat.vips_without_master.get_or_insert(now);
    // A kernel that was slow when it was asked may be quick again.
    let limit = since.max(seat.due) + Micros::from_millis(1) + SLACK;
    if now > limit {
        world.violate(format!(
            "node {index} holds the addresses of router {router} without being master since {since} s"
        ));
    }
    limit + Micros(1)
}

/// A take-over is announced, and once more after 5 s.
fn announcements(world: &mut World, index: usize, router: usize) -> Instant {
    let (now, limit) = (world.now, world.slowest_kernel() + SLACK);
    let node = world
        .nodes
        .get(index)
        .filter(|node| node.runs() && node.is_master_of(router));
    let Some((node, seat)) = node.and_then(|node| Some((node, node.seats.get(router)?))) else {
        return NEVER;
    };
    // Two bursts, a few refreshes, rows of ten answers: more is a storm.
    let paced = node.model.global.garp_interval > Micros::ZERO;
    let storm = if paced { PACED_STORM } else { STORM };
    if seat.announced.len() > storm {
        world.violate(format!("node {index} has announced {storm} times within a minute"));
        return NEVER;
    }
    let Some(since) = seat.master_since.filter(|since| *since >= world.undisturbed) else {
        return NEVER;
    };
    let count = |from: Micros, to: Micros| {
        let within = |at: &&Instant| **at >= since + from && **at <= since + to;
        seat.announced.iter().filter(within).count()
    };
    let held = now.since(since);
    let first = limit + Micros(1);
    if held < first {
        return since + first;
    }
    let second = node
        .model
        .instances
        .get(router)
        .map_or(Micros::ZERO, |config| config.announce.master_delay);
    let again = second + limit + Micros(1);
    let lacks = if held < again && count(Micros::ZERO, limit) == 0 {
        "has not announced it"
    } else if held >= again && second > Micros::ZERO && held < again + SLACK && count(second, second + limit) == 0 {
        "has not announced it a second time"
    } else {
        return if held < again { since + again } else { NEVER };
    };
    world.violate(format!(
        "node {index} has taken router {router} over at {since} s and {lacks}"
    ));
    NEVER
}

/// A master advertises at its interval.
fn adverts(world: &mut World, index: usize, router: usize) -> Instant {
    let now = world.now;
    let node = world
        .nodes
        .get(index)
        .filter(|n| n.runs() && n.is_master_of(router) && n.link_up);
    let Some((seat, config)) = node.and_then(|n| Some((n.seats.get(router)?, n.model.instances.get(router)?))) else {
        return NEVER;
    };
    let since = seat
        .advert_at
        .max(seat.master_since)
        .max(Some(world.undisturbed))
        .unwrap_or(now);
    let interval = config.advert_interval.duration();
    let listens = if config.listen_after_stall {
        interval + Micros::SECOND
    } else {
        Micros::ZERO
    };
    let limit = since + interval + Micros::from_millis(20) + listens;
    if now > limit {
        let what = format!("master {index} has sent no advert since {since} s, its interval is {interval} s");
        world.violate(what);
    }
    limit + Micros(1)
}

/// In a calm cluster adverts keep their grid: the gap that is wrong.
pub(super) fn off_grid(
    seat: &Seat,
    config: &Instance,
    advert: &Transmit,
    calm: Option<Instant>,
    now: Instant,
) -> Option<Micros> {
    let before = seat.advert_at.filter(|at| calm.is_some_and(|calm| *at >= calm))?;
    // The other peers of the same cycle.
    let same_cycle = seat
        .sent
        .as_ref()
        .is_some_and(|sent| sent.destination != advert.destination && before == now);
    let gap = now.since(before);
    let wrong = gap.0.abs_diff(config.advert_interval.duration().0) > OFF_GRID;
    (wrong && !same_cycle).then_some(gap)
}

/// What has to hold when nothing has happened for long enough; from then on nothing may change.
pub(super) fn settled(world: &mut World) {
    let mut agreed = true;
    for router in 0..world.routers() {
        for part in parts(world, router) {
            agreed &= one_master(world, router, &part);
        }
    }
    in_step(world);
    if agreed {
        nobody_else_is_master(world);
    }
    if agreed && world.violations.is_empty() && world.calm_since.is_none() {
        world.calm_since = Some(world.now);
    }
}

/// Where all understand each other and have settled, nobody shows another master or one that does not hear it any more.
fn nobody_else_is_master(world: &mut World) {
    // Who was heard is remembered for four intervals, and looked at once in a second.
    let fades = world.longest_interval().times(4) + Micros::from_secs(2);
    let fresh = world.now < world.undisturbed + settle_time(world) + fades;
    if fresh || (0..world.routers()).any(|router| parts(world, router).len() > 1) {
        return;
    }
    for index in 0..world.nodes.len() {
        let shown = world.problems(index);
        let wrong = shown
            .iter()
            .find(|code| matches!(code.as_str(), "dual-master" | "one-way"));
        if let Some(code) = wrong {
            world.violate(format!("all is well and node {index} shows {code}"));
        }
    }
}

/// Nodes that understand each other: a router that speaks two versions is two routers.
fn parts(world: &World, router: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for index in 0..world.nodes.len() {
        let with = |part: &Vec<usize>| {
            part.first()
                .is_some_and(|first| understand(world, router, *first, index))
        };
        match parts.iter_mut().find(|part| with(part)) {
            Some(part) => part.push(index),
            None => parts.push(vec![index]),
        }
    }
    parts
}

/// False where two owners do not agree, because one of them hears nobody.
fn one_master(world: &mut World, router: usize, part: &[usize]) -> bool {
    let nodes = |wanted: &dyn Fn(&Node) -> bool| -> Vec<usize> {
        let fits = |index: &usize| world.nodes.get(*index).is_some_and(wanted);
        part.iter().copied().filter(fits).collect()
    };
    let up = nodes(&|n| n.runs() && n.reference_priority(router).is_some());
    let masters = nodes(&|n| n.runs() && n.is_master_of(router));
    let holders = nodes(&|n| n.seats.get(router).is_some_and(|seat| seat.held));
    let stubborn: BTreeSet<usize> = nodes(&|n| {
        n.model
            .instances
            .iter()
            .any(|config| config.owner_ignore_adverts && config.is_owner())
    })
    .into_iter()
    .collect();
    if masters.len() > 1 && masters.iter().all(|master| owns(world, router, *master)) && !stubborn.is_empty() {
        return false;
    }
    let [master] = masters.as_slice() else {
        if !up.is_empty() || !masters.is_empty() {
            world.violate(format!(
                "all is well and nodes {masters:?} are master of router {router}; {up:?} could be"
            ));
        }
        return true;
    };
    is_right(world, router, *master, &up);
    if holders != [*master] {
        world.violate(format!(
            "node {master} is master of router {router}, the addresses are on {holders:?}"
        ));
    }
    for index in up.iter().filter(|i| *i != master) {
        let state = world
            .nodes
            .get(*index)
            .and_then(|node| node.seats.get(router))
            .and_then(|seat| seat.state);
        if state != Some(StateName::Backup) {
            world.violate(format!("node {index} should be backup of router {router}"));
        }
    }
    true
}

/// Nobody that pre-empts is better than the master, and the master says who it is.
fn is_right(world: &mut World, router: usize, master: usize, up: &[usize]) {
    let priority = |i: usize| world.nodes.get(i).and_then(|node| node.reference_priority(router));
    let Some(ours) = priority(master) else {
        world.violate(format!(
            "node {master} is master of router {router} although it cannot be"
        ));
        return;
    };
    let better = up
        .iter()
        .find(|i| preempts(world, **i, router) && priority(**i).is_some_and(|theirs| theirs > ours));
    if let Some(better) = better {
        let theirs = priority(*better);
        world.violate(format!(
            "node {master} with {ours} is master of router {router} although node {better} has {theirs:?}"
        ));
        return;
    }
    let seat = world.nodes.get(master).and_then(|node| node.seats.get(router));
    let advertised = seat.and_then(|seat| seat.advertised).map(|p| i32::from(p.get()));
    // An owner that has let another one win says so until it becomes master the next time.
    let yielding = ours == 255
        && advertised == Some(254)
        && (0..world.nodes.len()).filter(|i| owns(world, router, *i)).count() > 1;
    if advertised != Some(ours) && !yielding {
        world.violate(format!(
            "master {master} of router {router} advertises {advertised:?}, it should be {ours}"
        ));
    }
}

/// A member that does not pre-empt holds its whole group back.
fn preempts(world: &World, index: usize, router: usize) -> bool {
    let Some(node) = world.nodes.get(index) else {
        return false;
    };
    if node.model.groups.is_empty() {
        return config(world, index, router).is_some_and(|config| config.preempt);
    }
    node.model.instances.iter().all(|config| config.preempt)
}

/// The members of a sync group are in one state.
fn in_step(world: &mut World) {
    let states = |node: &Node| -> Vec<Option<StateName>> {
        let grouped = !node.model.groups.is_empty() && node.core.is_some();
        let states = node.seats.iter().filter(|_| grouped).map(|seat| seat.state);
        states.collect()
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
    let interval = world.longest_interval();
    let of = |node: &Node| {
        let instance = |config: &Instance| {
            let skew = if config.version == Version::V2 {
                Micros::SECOND
            } else {
                interval
            };
            let down = interval.times(u64::from(config.down_timer_adverts.get())) + skew;
            // Equals that rise at the same moment use the same numbers of AH, and may need two more adverts to hear each other.
            let down = match config.authentication {
                Authentication::Ah(_) => down + interval.times(2),
                Authentication::None | Authentication::Pass(_) => down,
            };
            // A delay begins when a worse master is heard, which first has to take over.
            let delayed = config.preempt_delay > Micros::ZERO;
            if delayed {
                down.times(2) + config.preempt_delay
            } else {
                down
            }
        };
        let longest = node.model.instances.iter().map(instance).max().unwrap_or(Micros::ZERO);
        longest + node.notice_time() + node.start_delay()
    };
    let longest = world.nodes.iter().map(of).max().unwrap_or(Micros::ZERO);
    longest + SLACK + world.slowest_kernel()
}

/// One reason for all: what the log says of a transition, what is told to whoever asks later, and what programs are told.
pub(super) fn reasons(world: &mut World, index: usize, action: &Action) {
    let Some(node) = world.nodes.get_mut(index) else { return };
    let seen = &mut node.told;
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
            seen.problems.push((raised, problem.code.to_string()));
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
