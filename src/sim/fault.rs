//! Faults of random runs, each from its beginning to its end.

mod reloads;

pub(super) use reloads::change_addresses;

use super::check;
use super::node::{well, well_link};
use super::random::Random;
use super::world::World;
use crate::model::{AntiReplay, MacAddr, Micros};
use crate::proto::{Event, FileReading, ProcessChange};

/// Kinds of faults. Steps of three from any start hit different ones.
pub const KINDS: [&str; 40] = [
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
    "flapping-service",
    "flapping-link",
    "tracked-link",
    "address",
    "sockets",
    "mute",
    "one-way-loss",
    "key-rotation",
    "reload-interval",
    "power-cut",
    "file",
    "flapping-file",
    "file-lost",
    "process",
    "flapping-process",
    "script-hangs",
    "deaf",
    "drain",
    "reload-under-fault",
    "reload-addresses",
    "reload-crash",
];

/// One fault; half of the time it hits the master.
pub(super) fn play(world: &mut World, kind: &'static str, random: &mut Random) {
    let count = world.nodes.len();
    let router = random.index(world.routers());
    let master = (0..count).find(|i| world.nodes.get(*i).is_some_and(|n| n.is_master_of(router)));
    let victim = if random.one_in(2) { master } else { None };
    let victim = victim.unwrap_or_else(|| random.index(count));
    let length = Micros(random.between(200_000, 12_000_000));
    world.disturb(&format!("{kind} of {victim} for {length} s"));
    match kind {
        "crash" | "stop" | "respawn" | "pause" | "suspend" | "power-cut" => process(world, kind, victim, length),
        "file-lost" => lose_file(world, victim, length, random),
        "process" | "flapping-process" => processes(world, kind, victim, length, random),
        "script-hangs" => hang(world, victim, random),
        "drain" => drain(world, victim, router, length, random),
        "file" | "flapping-file" => file(world, kind, victim, length, random),
        "service" | "flapping-service" => service(world, kind, victim, length, random),
        "link" | "flapping-link" | "tracked-link" | "slow-kernel" => links(world, kind, victim, length, random),
        "clock-step" => clock_step(world, victim, length, random),
        "address" | "sockets" => host(world, kind, victim, length),
        "reload" | "reload-same" => reloads::priority(world, kind, victim, random),
        "reload-under-fault" => reloads::under_fault(world, victim, random),
        "reload-interval" => reloads::interval(world, victim, random),
        "reload-addresses" => reloads::addresses(world, victim, random),
        "reload-crash" => reloads::crash(world, victim, random),
        "key-rotation" => reloads::rotate_keys(world, random),
        "theft" | "foreign-claim" => stranger(world, kind, victim, router, random),
        _ => network(world, kind, victim, router, length, random),
    }
    world.disturb("end of the fault");
}

fn process(world: &mut World, kind: &str, victim: usize, length: Micros) {
    match kind {
        "crash" | "stop" => {
            if kind == "crash" {
                world.crash(victim);
            } else {
                world.stop(victim);
                check_stop(world, victim);
            }
            world.advance(length.times(2) + Micros::SECOND);
            world.disturb("boot");
            world.boot(victim);
        }
        "power-cut" => {
            (0..world.nodes.len()).for_each(|index| world.crash(index));
            world.advance(length);
            for index in 0..world.nodes.len() {
                // They do not start at the same moment.
                world.advance(Micros(length.0 / 7 + 1_003));
                world.disturb("boot of one of them");
                world.boot(index);
            }
        }
        "respawn" => world.respawn(victim, Micros(length.0 / 8)),
        _ => {
            if kind == "suspend" {
                world.suspend(victim);
            } else {
                world.pause(victim, true);
            }
            world.advance(length);
            world.disturb("continue");
            world.pause(victim, false);
        }
    }
}

fn service(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    if kind == "flapping-service" {
        for well in [false, true]
            .into_iter()
            .cycle()
            .take(2 * usize::try_from(random.between(2, 6)).unwrap_or(2))
        {
            world.set_service(victim, well);
            world.disturb("the service flaps");
            world.advance(Micros(random.between(100_000, 3_000_000)));
        }
        return;
    }
    world.set_service(victim, false);
    // Sometimes the cluster settles meanwhile, sometimes not.
    if length > Micros::from_secs(4) {
        world.advance(check::settle_time(world));
        check::settled(world);
    } else {
        world.advance(length);
    }
    world.disturb("service well");
    world.set_service(victim, true);
}

/// Other numbers in the tracked file, up to such as are a fault; at the end all is well.
fn file(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    let times = if kind == "file" { 1 } else { random.between(2, 8) };
    for _ in 0..times {
        let number = i32::try_from(random.below(700)).unwrap_or(0) - 350;
        world.set_number(victim, number);
        world.disturb(&format!("the file holds {number}"));
        world.advance(Micros(length.0 / times));
        if kind == "file" && length > Micros::from_secs(4) {
            world.advance(check::settle_time(world));
            check::settled(world);
        }
    }
    world.disturb("the file is well");
    let number = world.nodes.get(victim).map_or(0, |node| well(&node.model));
    world.set_number(victim, number);
}

/// The tracked file is removed, or cannot be read or watched any more.
fn lose_file(world: &mut World, victim: usize, length: Micros, random: &mut Random) {
    let readings = [
        FileReading::Missing,
        FileReading::Unreadable(13),
        FileReading::Unwatchable,
    ];
    let reading = readings.get(random.index(readings.len())).copied();
    world.lose_file(victim, reading.unwrap_or(FileReading::Missing));
    world.advance(length);
    if length > Micros::from_secs(4) {
        world.advance(check::settle_time(world));
        check::settled(world);
    }
    world.disturb("the file is well");
    let number = world.nodes.get(victim).map_or(0, |node| well(&node.model));
    world.set_number(victim, number);
}

/// Other numbers of the tracked process run; at the end as many as should.
fn processes(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    let times = if kind == "process" { 1 } else { random.between(2, 8) };
    for _ in 0..times {
        let count = u32::try_from(random.below(4)).unwrap_or(0);
        world.set_running(victim, count, ways(random));
        world.disturb(&format!("{count} processes run"));
        world.advance(Micros(length.0 / times));
        if kind == "process" && length > Micros::from_secs(4) {
            world.advance(check::settle_time(world));
            check::settled(world);
        }
    }
    world.disturb("as many processes run as should");
    let node = world.nodes.get(victim);
    let quorum = node.and_then(|node| node.model.processes.first().map(|process| process.quorum));
    world.set_running(victim, quorum.unwrap_or(0), ways(random));
}

/// How processes come, and how they go.
pub(super) fn ways(random: &mut Random) -> (ProcessChange, ProcessChange) {
    let up = if random.one_in(2) {
        ProcessChange::Forked
    } else {
        ProcessChange::Became
    };
    let down = if random.one_in(2) {
        ProcessChange::Ended
    } else {
        ProcessChange::Ceased
    };
    (up, down)
}

/// The check does not end by itself; sometimes it does not even end when it is asked to.
fn hang(world: &mut World, victim: usize, random: &mut Random) {
    let stubborn = random.one_in(2);
    world.set_service(victim, false);
    if let Some(node) = world.nodes.get_mut(victim) {
        node.hangs = Some(stubborn);
    }
    // Started, asked, killed, and the slots meanwhile lost: three slots for each result.
    let slow = |world: &World| {
        world
            .nodes
            .get(victim)
            .map_or(Micros::ZERO, |node| node.notice_time().times(3))
    };
    world.advance(slow(world));
    world.disturb("it has hung for long enough");
    world.advance(check::settle_time(world));
    check::settled(world);
    world.disturb("the check is well");
    if let Some(node) = world.nodes.get_mut(victim) {
        node.hangs = None;
    }
    world.set_service(victim, true);
    world.advance(slow(world));
}

/// Out of service: the node or one instance, by force or not, for a time or until an order; meanwhile a reload, another
/// process, or nothing.
fn drain(world: &mut World, victim: usize, router: usize, length: Micros, random: &mut Random) {
    let node = world.nodes.get(victim);
    let config = node.and_then(|node| node.model.instances.get(router));
    let name = config.map(|config| config.name.clone()).filter(|_| random.one_in(2));
    let settle = check::settle_time(world);
    let timed = random.one_in(2).then(|| settle.times(3) + length);
    let over = world.now + settle.times(3) + length;
    world.tell(
        victim,
        Event::Drain {
            name: name.clone(),
            length: timed,
            force: random.one_in(3),
        },
    );
    world.advance(settle);
    check::settled(world);
    world.disturb("drained");
    match random.below(3) {
        0 => reloads::priority(world, "reload", victim, random),
        1 => world.respawn(victim, Micros(length.0 / 20)),
        _ => {}
    }
    world.disturb("it stays drained");
    world.advance(check::settle_time(world));
    check::settled(world);
    world.disturb("the drain is about to end");
    if timed.is_some() {
        world.advance(over.since(world.now) + Micros::MILLISECOND);
    } else {
        world.tell(victim, Event::Resume { name });
    }
}

fn links(world: &mut World, kind: &str, victim: usize, length: Micros, random: &mut Random) {
    let flaps = if kind == "flapping-link" {
        random.between(2, 8)
    } else {
        1
    };
    if kind == "slow-kernel" {
        let slow = Micros(random.between(100_000, 900_000));
        world.nodes.iter_mut().for_each(|node| node.kernel_delay = slow);
    }
    for _ in 0..flaps {
        let down = Micros(length.0 / flaps);
        if kind == "tracked-link" {
            let well = world.nodes.get(victim).is_some_and(|node| well_link(&node.model));
            world.set_other_link(victim, !well);
            world.advance(down);
            world.disturb("tracked link well");
            world.set_other_link(victim, well);
        } else {
            world.set_link(victim, false);
            world.advance(down);
            world.disturb("link up");
            world.set_link(victim, true);
        }
        if flaps > 1 {
            world.advance(Micros(random.between(10_000, 5_000_000)));
            world.disturb("the link flaps");
        }
    }
    if kind == "slow-kernel" {
        // What the slow kernel has begun it ends slowly.
        world.advance(check::settle_time(world));
        world
            .nodes
            .iter_mut()
            .for_each(|node| node.kernel_delay = Micros::MILLISECOND);
    }
}

/// A step while packets wait in the sockets is the worst one: their stamps are of another time.
fn clock_step(world: &mut World, victim: usize, length: Micros, random: &mut Random) {
    world.pause(victim, true);
    world.advance(Micros::from_millis(700));
    // Signed adverts stand a few seconds, and those with a counter no step back; everything else does not look at the time
    // of day.
    let signed = |replay: AntiReplay| {
        let instances = world.nodes.iter().flat_map(|node| &node.model.instances);
        let mut hmacs = instances.filter_map(|config| config.hmac.as_ref());
        hmacs.any(|hmac| hmac.anti_replay == replay)
    };
    let timed = signed(AntiReplay::Time);
    let reach = if timed { 2 } else { 1_000_000 };
    let now = world.nodes.get(victim).map_or(Micros::ZERO, |node| node.stepped).0 / 1_000_000;
    let middle = 1_700_000_000;
    let back = if signed(AntiReplay::Monotonic) {
        now
    } else {
        middle - reach
    };
    let step = Micros::from_secs(random.between(back.min(middle + reach), middle + reach));
    world.step_clock(victim, step);
    world.disturb("continue");
    world.pause(victim, false);
    world.advance(length);
}

/// Its own address vanishes, or its sockets fail.
fn host(world: &mut World, kind: &str, victim: usize, length: Micros) {
    for broken in [true, false] {
        world.disturb(if broken { "broken" } else { "well" });
        if kind == "address" {
            world.set_addresses(victim, !broken);
        } else {
            world.set_sockets(victim, !broken);
        }
        if broken {
            world.advance(length);
        }
    }
}

/// Somebody on the master's host deletes its addresses, or somebody on the network claims them.
fn stranger(world: &mut World, kind: &str, victim: usize, router: usize, random: &mut Random) {
    for _ in 0..random.between(1, 7) {
        if kind == "theft" {
            world.steal(victim, router);
        } else if let Some(address) = world.virtual_address() {
            for index in 0..world.nodes.len() {
                world.claim(index, address, MacAddr([2, 0, 0, 0, 9, 9]));
            }
        }
        world.advance(Micros::from_secs(2));
        world.disturb("again");
    }
}

fn network(world: &mut World, kind: &str, victim: usize, router: usize, length: Micros, random: &mut Random) {
    match kind {
        "partition" | "one-way" | "deaf" => {
            for other in (0..world.nodes.len()).filter(|other| *other != victim) {
                world.network.set_cut(victim, other, kind != "deaf");
                world.network.set_cut(other, victim, kind != "one-way");
            }
        }
        "loss" => world.network.loss = random.between(50, 600),
        "one-way-loss" => world.network.loss_from = Some((victim, random.between(200, 900))),
        "mute" => {
            let config = world
                .nodes
                .get(victim)
                .and_then(|node| node.model.instances.get(router));
            world.network.muted = config.map(|config| config.vrid.get());
        }
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
        .is_some_and(|n| n.seats.iter().any(|seat| seat.held) && n.releases == 0);
    world.advance(Micros::from_millis(50));
    let released = world.nodes.get(victim).is_some_and(|node| node.releases > 0);
    if was_master && !released {
        world.violate(format!("node {victim} stopped as master and did not release"));
    }
}

impl World {
    /// The sockets of a node fail, or are open again.
    pub(super) fn set_sockets(&mut self, index: usize, open: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.sockets_open = open;
        self.changed = true;
        for socket in node.sockets.clone() {
            let event = if open {
                Event::SocketOpen(socket)
            } else {
                Event::SocketFailed {
                    socket,
                    errno: 99,
                    call: "bind".into(),
                }
            };
            self.tell(index, event);
        }
    }
}
