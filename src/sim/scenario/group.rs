//! Sync groups: all members are master on one node, or none of them (behaviour §6).

use super::{Scenario, expect, instance, node, verdict, world};
use crate::model::{Family, GroupId, IfName, InstanceId, Micros, Priority, SyncGroup, TrackInterface, Vrid, Weight};
use crate::proto::{Event, Link, StateName};
use crate::sim::node::{Node, interface};
use crate::sim::world::World;
use crate::sim::{Planted, Violation};
use std::sync::Arc;

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "sync group: a fault of one member moves all of them",
            one_fault_moves_all as fn(Planted) -> _,
        ),
        scenario("sync group: nobody takes over before all may", all_or_none),
        scenario("sync group: when one member yields, all do", yields_together),
    ]
}

/// A second instance with this priority beside the first one, both in one group.
pub(in crate::sim) fn grouped(mut node: Node, priority: u8) -> Node {
    let mut second = node
        .model
        .instances
        .first()
        .cloned()
        .unwrap_or_else(|| instance(Family::Ipv4, priority));
    second.name = "VI_2".into();
    second.vrid = Vrid::new(52).unwrap_or(second.vrid);
    second.priority = Priority(priority);
    // Another address than the first one's.
    for vip in Arc::make_mut(&mut second.vips) {
        vip.address = match vip.address {
            std::net::IpAddr::V4(v4) => std::net::Ipv4Addr::from(v4.to_bits() + 1).into(),
            std::net::IpAddr::V6(v6) => std::net::Ipv6Addr::from(v6.to_bits() + 1).into(),
        };
    }
    second.track_interfaces.clear();
    let group = SyncGroup {
        name: "VG_1".into(),
        members: vec![InstanceId(0), InstanceId(1)],
        track_scripts: second.track_scripts.clone(),
        ..SyncGroup::default()
    };
    node.model.instances.push(second);
    for member in &mut node.model.instances {
        member.sync_group = Some(GroupId(0));
    }
    node.model.groups = vec![group];
    node
}

fn states(w: &World, node: usize) -> Vec<Option<StateName>> {
    let core = w.nodes.get(node).and_then(|node| node.core.as_ref());
    (0..2).map(|at| core.and_then(|core| core.state(at))).collect()
}

fn expect_states(w: &mut World, node: usize, state: StateName, what: &str) {
    let got = states(w, node);
    let good = got.iter().all(|one| *one == Some(state));
    expect(w, good, &format!("{what}: members of node {node} are {got:?}"));
    let now = w.now;
    let group = w
        .nodes
        .get(node)
        .and_then(|n| Some(n.core.as_ref()?.snapshot(n.clock(now)).groups.first()?.state));
    expect(
        w,
        group == Some(state),
        &format!("{what}: the group of node {node} is {group:?}"),
    );
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

fn one_fault_moves_all(planted: Planted) -> Result<(), Violation> {
    let mut first = instance(Family::Ipv4, 150);
    first.track_interfaces = vec![TrackInterface {
        interface: eth1(),
        weight: Weight::ZERO,
    }];
    let nodes = vec![
        grouped(node(first, 1, None), 150),
        grouped(node(instance(Family::Ipv4, 100), 2, None), 100),
    ];
    let mut w = world(nodes, planted);
    w.advance(Micros::from_secs(1));
    expect_states(&mut w, 0, StateName::Fault, "eth1 is missing at the start");
    set_eth1(&mut w, true);
    w.advance(Micros::from_secs(12));
    expect_states(&mut w, 0, StateName::Master, "all is well");
    expect_states(&mut w, 1, StateName::Backup, "all is well");
    let releases = w.nodes.first().map_or(0, |n| n.releases);
    w.disturb("eth1 of 0 fails");
    set_eth1(&mut w, false);
    w.advance(Micros::from_secs(3));
    expect_states(&mut w, 0, StateName::Fault, "eth1 is down");
    expect_states(&mut w, 1, StateName::Master, "eth1 is down");
    let said = w.nodes.first().map_or(0, |n| n.releases) - releases;
    expect(
        &mut w,
        said == 2,
        &format!("each member releases once, not {said} in all"),
    );
    set_eth1(&mut w, true);
    w.disturb("eth1 of 0 is well");
    w.advance(Micros::from_secs(6));
    expect_states(&mut w, 0, StateName::Master, "eth1 is back");
    expect_states(&mut w, 1, StateName::Backup, "eth1 is back");
    verdict(&w)
}

fn all_or_none(planted: Planted) -> Result<(), Violation> {
    // VI_1 is better on node 0, VI_2 on node 1: each group waits for its other member for ever, and who has begun stays.
    let nodes = vec![
        grouped(node(instance(Family::Ipv4, 150), 1, None), 90),
        grouped(node(instance(Family::Ipv4, 100), 2, None), 100),
    ];
    let mut w = world(nodes, planted);
    w.crash(0);
    w.disturb("only 1 runs");
    w.advance(Micros::from_secs(8));
    expect_states(&mut w, 1, StateName::Master, "only 1 runs");
    w.boot(0);
    w.disturb("boot of 0");
    w.advance(Micros::from_secs(30));
    expect_states(&mut w, 0, StateName::Backup, "VI_2 still hears its master");
    expect_states(&mut w, 1, StateName::Master, "VI_2 is the better one here");
    verdict(&w)
}

fn yields_together(planted: Planted) -> Result<(), Violation> {
    let nodes = vec![
        grouped(node(instance(Family::Ipv4, 150), 1, None), 150),
        grouped(node(instance(Family::Ipv4, 100), 2, None), 100),
    ];
    let mut w = world(nodes, planted);
    w.network.set_cut(0, 1, true);
    w.network.set_cut(1, 0, true);
    w.disturb("partition");
    w.advance(Micros::from_secs(8));
    expect_states(&mut w, 0, StateName::Master, "partition");
    expect_states(&mut w, 1, StateName::Master, "partition");
    w.network.heal();
    w.network.muted = Some(52);
    w.disturb("adverts of VI_1 get through again");
    let released = w.nodes.get(1).map_or(0, |n| n.releases);
    w.advance(Micros::from_secs(2));
    expect_states(&mut w, 1, StateName::Backup, "VI_1 has to yield");
    let quiet = w.nodes.get(1).is_some_and(|n| n.releases == released);
    expect(&mut w, quiet, "yielding to a better router needs no release");
    w.network.heal();
    w.disturb("heal");
    w.advance(Micros::from_secs(5));
    expect_states(&mut w, 0, StateName::Master, "healed");
    verdict(&w)
}
