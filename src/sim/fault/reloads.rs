//! Reloads as faults: under way, at any moment, and in the middle of something else.

use super::ways;
use crate::model::{AdvertInterval, Instance, Micros, Model, Priority, Version, VirtualAddress};
use crate::sim::check;
use crate::sim::node::{interface, well, well_link};
use crate::sim::random::Random;
use crate::sim::world::World;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Another priority; or the same configuration again, of which nobody may notice anything.
pub(super) fn priority(world: &mut World, kind: &str, victim: usize, random: &mut Random) {
    let priority = u8::try_from(random.between(60, 220)).unwrap_or(100);
    let (changes, sent) = (kind == "reload", world.adverts);
    world.reload(victim, |model| {
        for instance in model
            .instances
            .iter_mut()
            .filter(|config| changes && !config.is_owner())
        {
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

/// What a node tracks flaps while it reads other configurations at any moment: priorities, and settings of the check.
pub(super) fn under_fault(world: &mut World, victim: usize, random: &mut Random) {
    for _ in 0..random.between(3, 9) {
        match random.below(4) {
            0 => world.set_service(victim, random.one_in(2)),
            1 => world.set_number(victim, i32::try_from(random.below(600)).unwrap_or(0) - 300),
            2 => world.set_running(victim, u32::try_from(random.below(4)).unwrap_or(1), ways(random)),
            _ => world.set_other_link(victim, random.one_in(2)),
        }
        world.disturb("a tracker flaps");
        world.advance(Micros(random.between(1_000, 4_000_000)));
        let priority = Priority(u8::try_from(random.between(60, 220)).unwrap_or(100));
        let (rise, fall) = (random.between(1, 3), random.between(1, 3));
        let number = |n: u64| u32::try_from(n).unwrap_or(1);
        let checks = random.one_in(2);
        world.reload(victim, |model| {
            let instances = model.instances.iter_mut().filter(|config| !config.is_owner());
            instances.for_each(|config| config.priority = priority);
            for script in model.scripts.iter_mut().filter(|_| checks) {
                (script.rise, script.fall) = (number(rise), number(fall));
                script.interval = Micros::from_secs(rise);
            }
        });
        world.disturb("and a reload");
        world.advance(Micros(random.between(1_000, 3_000_000)));
    }
    let node = world.nodes.get(victim);
    let number = node.map_or(0, |node| well(&node.model));
    let quorum = node.and_then(|node| node.model.processes.first().map(|process| process.quorum));
    world.set_service(victim, true);
    world.set_number(victim, number);
    world.set_running(victim, quorum.unwrap_or(0), ways(random));
    let link = world.nodes.get(victim).is_some_and(|node| well_link(&node.model));
    world.set_other_link(victim, link);
}

/// Another interval: one node's for version 3, everybody's for version 2.
pub(super) fn interval(world: &mut World, victim: usize, random: &mut Random) {
    let centiseconds = u16::try_from(random.between(30, 150)).unwrap_or(100);
    let seconds = u16::try_from(random.between(1, 3) * 100).unwrap_or(100);
    for index in 0..world.nodes.len() {
        world.reload(index, |model| {
            for instance in &mut model.instances {
                let to = match instance.version {
                    Version::V2 => seconds,
                    Version::V3 if index == victim => centiseconds,
                    Version::V3 => continue,
                };
                instance.advert_interval = AdvertInterval::from_centiseconds(to).unwrap_or_default();
            }
        });
        world.advance(Micros(random.between(1_000, 100_000)));
        world.disturb("reload of one of them");
    }
}

/// Node by node another key signs.
pub(super) fn rotate_keys(world: &mut World, random: &mut Random) {
    for index in 0..world.nodes.len() {
        world.reload(index, |model| {
            for hmac in model.instances.iter_mut().filter_map(|config| config.hmac.as_mut()) {
                hmac.active_key = 3 - hmac.active_key;
            }
        });
        world.disturb("reload of one of them");
        world.advance(Micros(random.between(1_000, 5_000_000)));
        world.disturb("the next one");
    }
}

/// One address more, one less, the same in another order, or others beside those of the advert.
pub(in crate::sim) fn change_addresses(config: &mut Instance, random: &mut Random) {
    let number = u8::try_from(random.between(150, 170)).unwrap_or(150);
    let address: IpAddr = match config.family {
        crate::model::Family::Ipv4 => Ipv4Addr::new(192, 0, 2, number).into(),
        crate::model::Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
    };
    let new = VirtualAddress::plain(address, config.family.max_prefix(), interface());
    let known = |list: &[VirtualAddress]| list.iter().any(|vip| vip.address == address);
    let is_new = !known(&config.vips) && !known(&config.excluded_vips);
    let listed = || config.vips.iter().cloned();
    match random.below(5) {
        0 if is_new && config.vips.len() < 8 => config.vips = listed().chain([new]).collect(),
        1 if config.vips.len() > 1 => config.vips = listed().skip(1).collect(),
        2 if is_new && config.excluded_vips.len() < 4 => config.excluded_vips.push(new),
        3 => config.excluded_vips.clear(),
        _ => config.vips = listed().rev().collect(),
    }
}

/// Other addresses, several times; the other nodes keep theirs.
pub(super) fn addresses(world: &mut World, victim: usize, random: &mut Random) {
    for _ in 0..random.between(1, 5) {
        world.reload(victim, |model| {
            model
                .instances
                .iter_mut()
                .for_each(|config| change_addresses(config, random));
        });
        world.disturb("other addresses");
        world.advance(Micros(random.between(1_000, 8_000_000)));
    }
}

/// Something that a reload changes without making another router of it.
fn change(model: &mut Model, random: &mut Random) {
    let priority = Priority(u8::try_from(random.between(60, 220)).unwrap_or(100));
    let what = random.below(3);
    for config in &mut model.instances {
        match what {
            0 if !config.is_owner() => config.priority = priority,
            1 => change_addresses(config, random),
            _ => {}
        }
    }
    for script in model.scripts.iter_mut().filter(|_| what == 2) {
        (script.rise, script.fall) = (script.fall, script.rise);
    }
}

/// The daemon dies in the middle of a reload: before it has taken the new configuration, while it carries it out, or just
/// after; what its successor knows is from before or after, or nothing. Meanwhile the other nodes read theirs again.
pub(super) fn crash(world: &mut World, victim: usize, random: &mut Random) {
    for _ in 0..random.between(1, 3) {
        let export = |world: &World| world.nodes.get(victim).and_then(|node| node.export(world.now));
        let mut legacy = export(world);
        if random.one_in(4) {
            // It has not read it, but whoever starts the next one has.
            if let Some(node) = world.nodes.get_mut(victim) {
                change(&mut node.model, random);
            }
        } else {
            world.reload(victim, |model| change(model, random));
            if random.one_in(2) {
                world.advance(Micros(random.below(30_000)));
            }
            if random.one_in(2) {
                legacy = export(world);
            }
        }
        legacy = legacy.filter(|_| !random.one_in(4));
        world.crash(victim);
        let other = random.index(world.nodes.len());
        if other != victim {
            world.reload(other, |model| change(model, random));
        }
        world.disturb("it dies in a reload");
        world.advance(Micros(random.between(25_000, 1_500_000)));
        world.succeed(victim, legacy.as_ref());
        world.disturb("it is there again");
        world.advance(Micros(random.between(1_000, 5_000_000)));
    }
}
