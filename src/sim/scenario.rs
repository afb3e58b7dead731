//! Directed scenarios: one rule of the protocol each, with the exact time at which it has to show.

mod auth;
mod causes;
mod drain;
mod group;
mod host;
mod injected;
mod links;
mod master;
mod notify;
mod tracked;

use super::check;
use super::node::{Node, interface, weight};
use super::world::World;
use super::{Planted, Violation};
use crate::model::{
    AdvertInterval, Authentication, Family, Instance, Instant, Micros, Model, Password, Priority, Script, ScriptId,
    TrackInterface, TrackScript, Version, VirtualAddress, Vrid, Weight,
};
use crate::proto::{Datagram, Event, Link, StateName};
use crate::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use crate::wire::vrrp::{ChecksumForm, build};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) use super::draw::hmac;
pub(super) use group::grouped;

/// A named scenario.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it shows.
    pub name: &'static str,
    play: fn(Planted) -> Result<(), Violation>,
}

impl Scenario {
    /// Plays it.
    ///
    /// # Errors
    /// What did not happen as it should.
    pub fn play(&self, planted: Planted) -> Result<(), Violation> {
        (self.play)(planted)
    }
}

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    let mut all = vec![
        scenario(
            "the better backup takes over after exactly its Master_Down_Interval",
            takes_over_in_time as fn(Planted) -> _,
        ),
        scenario(
            "a release makes the best backup take over after its Skew_Time",
            release_is_heard,
        ),
        scenario("among equals the higher address wins", higher_address_wins),
        scenario(
            "a worse master is preempted, unless nopreempt says otherwise",
            preemption,
        ),
        scenario(
            "a failing check moves the addresses, a healed one takes them back",
            check_moves_addresses,
        ),
        scenario("rise and fall are counted", rise_and_fall),
        scenario("two faults are two faults", two_faults),
        scenario("forged adverts change nothing", forged_adverts),
        scenario("version 3 learns the interval of its master", learned_interval),
        scenario("a stop releases mastership", stop_releases),
    ];
    all.extend(master::scenarios());
    all.extend(host::scenarios());
    all.extend(auth::scenarios());
    all.extend(group::scenarios());
    all.extend(drain::scenarios());
    all.extend(causes::scenarios());
    all.extend(injected::scenarios());
    all.extend(links::scenarios());
    all.extend(tracked::scenarios());
    all.extend(notify::scenarios());
    all
}

/// A plain instance of this priority.
pub(super) fn instance(family: Family, priority: u8) -> Instance {
    let vip: IpAddr = match family {
        Family::Ipv4 => Ipv4Addr::new(192, 0, 2, 100).into(),
        Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100).into(),
    };
    let vip = VirtualAddress::plain(vip, family.max_prefix(), interface());
    let vrid = Vrid::new(51).unwrap_or_else(|| unreachable!("51 is a VRID"));
    let mut instance = Instance::new("VI_1", vrid, interface(), vec![vip]);
    instance.priority = Priority(priority);
    if family == Family::Ipv4 {
        instance.authentication = Authentication::Pass(Password::from_text("1111"));
    }
    instance
}

/// A node with this address number and, if asked for, a script.
pub(super) fn node(mut config: Instance, number: u8, script: Option<(i16, u32, u32)>) -> Node {
    let address: IpAddr = match config.family {
        Family::Ipv4 => Ipv4Addr::new(192, 0, 2, number).into(),
        Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
    };
    let scripts = script.map(|(value, rise, fall)| Script {
        name: "chk".into(),
        argv: vec!["chk".into()],
        path: Some("/chk".into()),
        user: None,
        interval: Micros::from_secs(2),
        timeout: Some(Micros::from_secs(2)),
        weight: weight(value),
        rise,
        fall,
        init_fail: false,
        account: None,
        opens: None,
        insecure: false,
    });
    config.track_scripts = scripts
        .iter()
        .map(|script| TrackScript {
            script: ScriptId(0),
            weight: script.weight,
        })
        .collect();
    let model = Model {
        scripts: scripts.into_iter().collect(),
        instances: vec![config],
        ..Model::default()
    };
    Node::new(model, vec![address])
}

fn world(nodes: Vec<Node>, planted: Planted) -> World {
    World::new(nodes, 7, planted)
}

fn pair(a: u8, b: u8, planted: Planted) -> World {
    world(
        vec![
            node(instance(Family::Ipv4, a), 1, None),
            node(instance(Family::Ipv4, b), 2, None),
        ],
        planted,
    )
}

fn expect(world: &mut World, good: bool, what: &str) {
    if !good {
        world.violate(format!(
            "{what}; states {:?}",
            world.nodes.iter().map(|n| n.seen().state).collect::<Vec<_>>()
        ));
    }
}

fn expect_masters(world: &mut World, right: &[usize], what: &str) {
    let good = masters(world) == right;
    expect(world, good, what);
}

fn verdict(world: &World) -> Result<(), Violation> {
    world.violations.first().cloned().map_or(Ok(()), Err)
}

fn masters(world: &World) -> Vec<usize> {
    (0..world.nodes.len())
        .filter(|i| world.nodes.get(*i).is_some_and(|n| n.core.is_some() && n.is_master()))
        .collect()
}

/// When a node became master.
fn master_since(world: &World, index: usize) -> Option<Instant> {
    world
        .nodes
        .get(index)
        .filter(|node| node.is_master())
        .and_then(|node| node.seen().master_since)
}

/// 3 intervals and (256 - priority) / 256 s after the last advert (wire §9), give or take the network.
fn takes_over_in_time(planted: Planted) -> Result<(), Violation> {
    let mut w = world(
        vec![
            node(instance(Family::Ipv4, 200), 1, None),
            node(instance(Family::Ipv4, 100), 2, None),
            node(instance(Family::Ipv4, 50), 3, None),
        ],
        planted,
    );
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the best node is master");
    let last = w
        .nodes
        .first()
        .and_then(|node| node.seen().advert_at)
        .unwrap_or_default();
    w.disturb("crash of 0");
    w.crash(0);
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[1], "the second best took over");
    let took = master_since(&w, 1).unwrap_or_default().since(last);
    let expected = Micros(3_609_375);
    let good = took.0.abs_diff(expected.0) < 2_000;
    expect(
        &mut w,
        good,
        &format!("took over {took} s after the last advert, expected {expected}"),
    );
    verdict(&w)
}

fn release_is_heard(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    let stopped = w.now;
    w.disturb("stop of 0");
    w.stop(0);
    w.advance(Micros::from_secs(2));
    let took = master_since(&w, 1).unwrap_or_default().since(stopped);
    let good = masters(&w) == [1] && took.0.abs_diff(609_375) < 5_000;
    expect(
        &mut w,
        good,
        &format!("took over {took} s after the release, expected 0.609"),
    );
    verdict(&w)
}

fn higher_address_wins(planted: Planted) -> Result<(), Violation> {
    for (cut_from, cut_to) in [(0, 1), (1, 0)] {
        let mut w = pair(100, 100, planted);
        w.network.set_cut(cut_from, cut_to, true);
        w.network.set_cut(cut_to, cut_from, true);
        w.disturb("partition");
        w.advance(Micros::from_secs(6));
        expect_masters(&mut w, &[0, 1], "each is master for itself");
        w.network.heal();
        w.disturb("heal");
        w.advance(Micros::from_secs(3));
        expect_masters(&mut w, &[1], "192.0.2.2 beats 192.0.2.1");
        verdict(&w)?;
    }
    Ok(())
}

fn preemption(planted: Planted) -> Result<(), Violation> {
    for preempt in [true, false] {
        let mut better = instance(Family::Ipv4, 150);
        better.preempt = preempt;
        let mut w = world(
            vec![node(better, 1, None), node(instance(Family::Ipv4, 100), 2, None)],
            planted,
        );
        w.crash(0);
        w.disturb("only 1 runs");
        w.advance(Micros::from_secs(6));
        expect_masters(&mut w, &[1], "the only node is master");
        w.boot(0);
        w.disturb("boot of 0");
        let booted = w.now;
        w.advance(Micros::from_secs(10));
        if preempt {
            let took = master_since(&w, 0).unwrap_or_default().since(booted);
            let good = masters(&w) == [0] && took.0.abs_diff(3_414_062) < 2_000;
            expect(
                &mut w,
                good,
                &format!("preempts after its Master_Down_Interval, not {took}"),
            );
        } else {
            expect_masters(&mut w, &[1], "nopreempt leaves the worse master alone");
        }
        verdict(&w)?;
    }
    Ok(())
}

fn check_moves_addresses(planted: Planted) -> Result<(), Violation> {
    for value in [11, 0, -20] {
        let nodes = vec![
            node(instance(Family::Ipv4, 105), 1, Some((value, 1, 1))),
            node(instance(Family::Ipv4, 100), 2, Some((value, 1, 1))),
        ];
        let mut w = world(nodes, planted);
        w.advance(Micros::from_secs(12));
        check::settled(&mut w);
        for well in [false, true] {
            w.set_service(0, well);
            w.disturb("service of 0");
            w.advance(Micros::from_secs(14));
            check::settled(&mut w);
            let right = usize::from(!well);
            expect_masters(&mut w, &[right], &format!("weight {value}: node {right} is master"));
        }
        verdict(&w)?;
    }
    Ok(())
}

fn rise_and_fall(planted: Planted) -> Result<(), Violation> {
    let nodes = vec![
        node(instance(Family::Ipv4, 105), 1, Some((0, 3, 3))),
        node(instance(Family::Ipv4, 100), 2, None),
    ];
    let mut w = world(nodes, planted);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master");
    // One bad result every 2 s: the third one counts.
    w.set_service(0, false);
    w.disturb("service of 0 fails");
    w.advance(Micros(3_500_000));
    expect_masters(&mut w, &[0], "two failures are not enough");
    w.advance(Micros(3_500_000));
    expect_masters(&mut w, &[1], "three failures are");
    w.set_service(0, true);
    w.disturb("service of 0 is well");
    w.advance(Micros(3_500_000));
    let fault = w.nodes.first().and_then(|node| node.seen().state) == Some(StateName::Fault);
    expect(&mut w, fault, "two successes are not enough");
    w.advance(Micros(8_000_000));
    expect_masters(&mut w, &[0], "three successes are");
    verdict(&w)
}

fn two_faults(planted: Planted) -> Result<(), Violation> {
    let mut config = instance(Family::Ipv4, 105);
    let other: crate::model::IfName = "eth1".parse().unwrap_or_else(|_| interface());
    config.track_interfaces = vec![TrackInterface {
        interface: other.clone(),
        weight: Weight::ZERO,
    }];
    let mut w = world(
        vec![
            node(config, 1, Some((0, 1, 1))),
            node(instance(Family::Ipv4, 100), 2, None),
        ],
        planted,
    );
    let eth1 = |running| {
        Event::Link(Link {
            index: crate::model::IfIndex(3),
            name: other.clone(),
            running,
            mac: None,
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0,
        })
    };
    w.tell(0, eth1(true));
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master");
    w.disturb("eth1 and the service of 0 fail");
    w.tell(0, eth1(false));
    w.set_service(0, false);
    w.advance(Micros::from_secs(10));
    w.tell(0, eth1(true));
    w.disturb("eth1 is back");
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[1], "the other fault still holds");
    verdict(&w)
}

/// An advert of 192.0.2.77 for the router of [`instance`].
fn advert(priority: u8, ttl: u8, authentication: &Authentication, spoilt: bool) -> Datagram<'static> {
    let source = Ipv4Addr::new(192, 0, 2, 77);
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let config = instance(Family::Ipv4, 100);
    let vips: Vec<IpAddr> = config.vips.iter().map(|vip| vip.address).collect();
    let mut message = build(
        Version::V2,
        Family::Ipv4,
        config.vrid,
        Priority(priority),
        AdvertInterval::DEFAULT,
        authentication,
        &vips,
        ChecksumForm::MessageOnly,
        source.into(),
        group.into(),
    );
    if let Some(byte) = message.get_mut(6).filter(|_| spoilt) {
        *byte ^= 0x55;
    }
    let header = Ipv4Header {
        tos: TOS_CS6,
        total_len: 0,
        id: 1,
        fragment: 0,
        ttl,
        protocol: PROTO_VRRP,
        source,
        destination: group,
        header_len: 20,
    };
    let mut bytes = header.emit(u16::try_from(message.len()).unwrap_or(0)).to_vec();
    bytes.extend(message);
    Datagram::Ipv4(bytes.into())
}

/// What a stranger on the link could send: almost right, and of the highest priority.
pub(super) fn forgeries() -> Vec<Datagram<'static>> {
    let right = instance(Family::Ipv4, 100).authentication;
    let wrong = Authentication::Pass(Password::from_text("0000"));
    vec![
        advert(253, 254, &right, false),
        advert(253, 255, &wrong, false),
        advert(253, 255, &right, true),
    ]
}

fn forged_adverts(planted: Planted) -> Result<(), Violation> {
    for forged in forgeries() {
        let mut w = pair(150, 100, planted);
        w.advance(Micros::from_secs(12));
        expect_masters(&mut w, &[0], "the better node is master");
        for _ in 0..150 {
            w.inject(&forged, false);
            w.advance(Micros(66_000));
        }
        check::settled(&mut w);
        w.disturb("crash of 0");
        w.crash(0);
        for _ in 0..60 {
            w.inject(&forged, false);
            w.advance(Micros(66_000));
        }
        expect_masters(&mut w, &[1], "forged adverts do not hold a take-over up");
        verdict(&w)?;
    }
    Ok(())
}

fn learned_interval(planted: Planted) -> Result<(), Violation> {
    let mut slow = instance(Family::Ipv6, 200);
    slow.advert_interval = AdvertInterval::from_centiseconds(300).unwrap_or_default();
    let mut quick = instance(Family::Ipv6, 100);
    quick.advert_interval = AdvertInterval::from_centiseconds(50).unwrap_or_default();
    let mut w = world(vec![node(slow, 1, None), node(quick, 2, None)], planted);
    w.advance(Micros::from_secs(30));
    let calm = w.takeovers;
    w.advance(Micros::from_secs(60));
    expect_masters(&mut w, &[0], "the slow master keeps the quick backup quiet");
    let calm = w.takeovers == calm;
    expect(&mut w, calm, "no take-over without a cause");
    verdict(&w)
}

fn stop_releases(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    w.disturb("stop of 0");
    w.stop(0);
    w.advance(Micros::from_millis(100));
    let node = w.nodes.first();
    let good = node.is_some_and(|node| node.releases == 1 && node.core.is_none() && !node.has_vips());
    expect(&mut w, good, "one release, stopped, nothing left");
    verdict(&w)
}
