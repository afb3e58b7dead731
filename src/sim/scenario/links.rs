//! Interfaces that flap: delays keep short changes back, and end in time.

use super::{Scenario, expect, expect_masters, instance, master_since, node, verdict, world};
use crate::model::{
    Family, IfName, InstanceId, InterfaceDelay, LinkBeat, Micros, StaticAddress, TrackGroup, TrackGroupId,
    TrackInterface, VirtualAddress,
};
use crate::proto::{Event, Link};
use crate::sim::node::{interface, weight};
use crate::sim::world::World;
use crate::sim::{Planted, Violation};
use std::net::Ipv4Addr;

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "an interface that flaps moves nothing until it stays down for its delay",
            delays as fn(Planted) -> _,
        ),
        scenario(
            "a delay of the own interface ends before the others take over",
            own_delay,
        ),
        scenario("a polled interface is noticed within a second", polled),
        scenario(
            "a router of a track group is in fault while the interface of a static address is down",
            track_group,
        ),
        scenario("who wakes late does in order what was due", late),
    ]
}

fn eth1() -> IfName {
    "eth1".parse().unwrap_or_else(|_| interface())
}

fn set_eth1(w: &mut World, running: bool) {
    let link = Link {
        index: crate::model::IfIndex(3),
        name: eth1(),
        running,
        mac: None,
        mtu: 1500,
        loopback: false,
        no_arp: false,
        multicast: true,
        flags: 0,
    };
    w.tell(0, Event::Link(link));
}

fn delays(planted: Planted) -> Result<(), Violation> {
    let mut better = instance(Family::Ipv4, 150);
    better.track_interfaces = vec![TrackInterface {
        interface: eth1(),
        weight: weight(-100),
    }];
    let mut better = node(better, 1, None);
    better.model.global.interface_delays = vec![InterfaceDelay {
        interface: eth1(),
        down: Micros::from_secs(2),
        up: Micros::from_secs(5),
    }];
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    set_eth1(&mut w, true);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master");
    for millis in [1, 500, 1_999] {
        w.disturb(&format!("eth1 is down for {millis} ms"));
        set_eth1(&mut w, false);
        w.advance(Micros::from_millis(millis));
        set_eth1(&mut w, true);
        w.advance(Micros::from_secs(6));
        expect_masters(&mut w, &[0], "a short flap moves nothing");
    }
    w.disturb("eth1 is down");
    set_eth1(&mut w, false);
    w.advance(Micros::from_millis(1_990));
    expect_masters(&mut w, &[0], "the delay has not passed");
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[1], "the other node is better now");
    let told = w.now;
    w.disturb("eth1 is up again");
    set_eth1(&mut w, true);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master again");
    // It is a backup of priority 150 whose timer ends before the delay: the next worse advert then starts nothing anew.
    let took = master_since(&w, 0).unwrap_or_default().since(told);
    let good = took >= Micros::from_secs(5) && took <= Micros::from_secs(5 + 4);
    expect(&mut w, good, &format!("took over {took} s after eth1 came up"));
    verdict(&w)
}

fn own_delay(planted: Planted) -> Result<(), Violation> {
    let mut better = node(instance(Family::Ipv4, 150), 1, None);
    better.model.global.interface_delays = vec![InterfaceDelay {
        interface: interface(),
        down: Micros::from_secs(60),
        up: Micros::ZERO,
    }];
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.advance(Micros::from_secs(12));
    w.disturb("the cable of 0 is pulled");
    w.set_link(0, false);
    w.advance(Micros::from_millis(1_900));
    expect_masters(&mut w, &[0], "the delay has not passed");
    w.advance(Micros::from_millis(200));
    expect_masters(&mut w, &[], "it has given up before the other one takes over");
    w.advance(Micros::from_secs(3));
    expect_masters(&mut w, &[1], "the other one took over");
    w.set_link(0, true);
    w.disturb("the cable is back");
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "the better node is master again");
    verdict(&w)
}

fn track_group(planted: Planted) -> Result<(), Violation> {
    let mut better = node(instance(Family::Ipv4, 150), 1, None);
    better.model.track_groups = vec![TrackGroup {
        name: "TG_1".into(),
        members: vec![InstanceId(0)],
    }];
    better.model.static_addresses = vec![StaticAddress {
        address: VirtualAddress::plain(Ipv4Addr::new(198, 51, 100, 1).into(), 24, eth1()),
        track_group: Some(TrackGroupId(0)),
    }];
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[1], "eth1 does not exist");
    let statics = |w: &World| {
        w.nodes
            .first()
            .and_then(|node| Some(node.statics.as_ref()?.addresses.len()))
    };
    let good = statics(&w).is_none();
    expect(&mut w, good, "the static address waits for eth1");
    w.disturb("eth1 appears");
    set_eth1(&mut w, true);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master");
    let good = statics(&w) == Some(1);
    expect(&mut w, good, "the static address is set");
    w.disturb("eth1 goes down");
    set_eth1(&mut w, false);
    w.advance(Micros::from_secs(1));
    expect_masters(&mut w, &[1], "the other node heard the release");
    w.tell(0, Event::Shutdown);
    w.advance(Micros::from_secs(1));
    let good = statics(&w).is_none();
    expect(&mut w, good, "the static address is removed at the stop");
    verdict(&w)
}

/// A backup whose interface goes down and that sleeps then: the delay is over before its master's silence is, so that it
/// does not become master, however late it wakes. Something that it has to look at every second changes nothing about that.
fn late(planted: Planted) -> Result<(), Violation> {
    let mut sleepy = node(instance(Family::Ipv4, 100), 2, None);
    sleepy.model.global.interface_delays = vec![InterfaceDelay {
        interface: interface(),
        down: Micros::from_millis(1_500),
        up: Micros::ZERO,
    }];
    let mut w = world(vec![node(instance(Family::Ipv4, 150), 1, None), sleepy], planted);
    w.advance(Micros::from_secs(12));
    w.disturb("adverts get lost");
    w.network.deaf = true;
    w.advance(Micros::from_millis(2_200));
    w.network.heal();
    w.advance(Micros::from_secs(5));
    let shown = w.problems(1);
    let near = shown.iter().any(|code| code == "near-failover");
    expect(&mut w, near, &format!("it has nearly taken over: {shown:?}"));
    let before = w.takeovers;
    w.disturb("the cable of 1 is pulled, and it falls asleep");
    w.set_link(1, false);
    w.advance(Micros::from_millis(100));
    w.pause(1, true);
    w.advance(Micros::from_secs(8));
    w.disturb("it goes on");
    w.pause(1, false);
    let (calm, (code, _)) = (
        w.takeovers == before && w.nodes.iter().all(|node| node.releases == 0),
        w.reason(1),
    );
    expect(
        &mut w,
        calm && code == "interface-down",
        &format!("it goes to fault and nowhere else: {code}"),
    );
    verdict(&w)
}

fn polled(planted: Planted) -> Result<(), Violation> {
    let mut better = node(instance(Family::Ipv4, 150), 1, None);
    better.model.global.linkbeat_interfaces = vec![LinkBeat {
        interface: interface(),
        method: None,
    }];
    let mut w = world(vec![better, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the better node is master");
    w.disturb("the cable of 0 is pulled");
    w.set_link(0, false);
    w.advance(Micros::from_millis(1_010));
    expect_masters(&mut w, &[], "it was asked within a second");
    w.advance(Micros::from_secs(5));
    w.set_link(0, true);
    w.disturb("the cable is back");
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "the better node is master again");
    verdict(&w)
}
