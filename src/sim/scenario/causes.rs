//! Every fault that can be played, and the cause that is named for it: the same in the log, in the state, in what programs
//! are told (`sim::check` compares those at every transition), and the right one here.

use super::group::grouped;
use super::{Scenario, expect, instance, node, pair, verdict, world};
use crate::model::{Family, Micros, Priority, TrackInterface, Weight};
use crate::proto::{Event, Link, RunOutcome};
use crate::sim::node::interface;
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario("the cause is named: trackers", trackers as fn(Planted) -> _),
        scenario("the cause is named: other routers", others),
        scenario("the cause is named: the host and the operator", host),
        scenario("the cause is named: a member of the sync group", member),
        scenario("what holds an instance back is named", holds),
    ]
}

/// The reason of the first instance of a node has this code and all of these words.
fn names(w: &mut World, index: usize, code: &str, words: &[&str]) {
    let (got, text) = w.reason(index);
    let good = got == code && words.iter().all(|word| text.contains(word));
    expect(
        w,
        good,
        &format!("node {index}: {code} with {words:?}, not {got}: {text}"),
    );
}

fn settled(planted: Planted, a: u8, b: u8, weight: i16) -> World {
    let nodes = vec![
        node(instance(Family::Ipv4, a), 1, Some((weight, 1, 1))),
        node(instance(Family::Ipv4, b), 2, None),
    ];
    let mut w = world(nodes, planted);
    w.advance(Micros::from_secs(12));
    w
}

fn trackers(planted: Planted) -> Result<(), Violation> {
    let failures = [
        (RunOutcome::Exited(3), "exited with status 3"),
        (RunOutcome::Signaled(9), "ended by signal 9"),
        (RunOutcome::NotStarted(2), "could not be started, error 2"),
    ];
    for (outcome, words) in failures {
        let mut w = settled(planted, 100, 105, 11);
        w.disturb("the service of 0 fails");
        w.fail_service(0, outcome);
        w.advance(Micros::from_secs(10));
        names(
            &mut w,
            0,
            "higher-priority",
            &[
                "105, higher than ours, 100",
                "fell from 111 to 100 because script chk is down",
                words,
            ],
        );
        names(
            &mut w,
            1,
            "preempted",
            &["has priority 100, lower than ours, 105", "theirs was 111 before"],
        );
        w.disturb("it is well again");
        w.set_service(0, true);
        w.advance(Micros::from_secs(10));
        names(
            &mut w,
            0,
            "preempted",
            &["rose from 100 to 111 because script chk is up"],
        );
        names(&mut w, 1, "higher-priority", &["111, higher than ours, 105"]);
        verdict(&w)?;
        let mut w = settled(planted, 110, 105, 0);
        w.disturb("the service of 0 fails");
        w.fail_service(0, outcome);
        w.advance(Micros::from_secs(10));
        names(&mut w, 0, "tracker-failed", &["script chk failed", words]);
        names(&mut w, 1, "master-released", &["192.0.2.1"]);
        verdict(&w)?;
    }
    Ok(())
}

fn others(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(110, 100, planted);
    w.advance(Micros::from_secs(12));
    names(&mut w, 0, "master-down", &["no master was heard"]);
    w.disturb("crash of 0");
    w.crash(0);
    w.advance(Micros::from_secs(8));
    names(
        &mut w,
        1,
        "master-down",
        &["192.0.2.1 fell silent", "no advert for 3.6"],
    );
    w.disturb("boot of 0");
    w.boot(0);
    w.advance(Micros::from_secs(8));
    names(
        &mut w,
        0,
        "preempted",
        &["192.0.2.2 has priority 100, lower than ours, 110"],
    );
    names(
        &mut w,
        1,
        "higher-priority",
        &["192.0.2.1 advertises priority 110, higher than ours, 100"],
    );
    w.disturb("stop of 0");
    w.stop(0);
    w.advance(Micros::from_secs(4));
    names(&mut w, 1, "master-released", &["192.0.2.1 gave mastership up"]);
    verdict(&w)?;
    let mut w = pair(100, 100, planted);
    w.network.set_cut(0, 1, true);
    w.network.set_cut(1, 0, true);
    w.disturb("partition");
    w.advance(Micros::from_secs(6));
    w.network.heal();
    w.disturb("heal");
    w.advance(Micros::from_secs(3));
    names(
        &mut w,
        0,
        "higher-address",
        &["192.0.2.2 advertises the same priority 100"],
    );
    verdict(&w)
}

fn host(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(110, 100, planted);
    w.advance(Micros::from_secs(12));
    w.disturb("the link of 0 goes down");
    w.set_link(0, false);
    w.advance(Micros::from_secs(6));
    names(&mut w, 0, "interface-down", &["interface eth0 is down"]);
    names(&mut w, 1, "master-down", &["192.0.2.1 fell silent"]);
    w.disturb("up");
    w.set_link(0, true);
    w.advance(Micros::from_secs(8));
    names(&mut w, 0, "preempted", &[]);
    for _ in 0..6 {
        w.disturb("theft");
        w.steal(0, 0);
        w.advance(Micros::from_millis(200));
    }
    names(&mut w, 0, "address-lost", &["somebody keeps deleting 192.0.2.100"]);
    w.advance(Micros::from_secs(10));
    w.disturb("0 dies and comes again");
    w.respawn(0, Micros::from_millis(100));
    w.advance(Micros::from_millis(100));
    names(&mut w, 0, "respawned", &["the VRRP process died"]);
    w.advance(Micros::from_secs(10));
    w.disturb("reload of 0 with priority 90");
    w.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(90))
    });
    w.advance(Micros::from_secs(8));
    let because = "fell from 110 to 90 because the configuration changed";
    names(&mut w, 0, "higher-priority", &["100, higher than ours, 90", because]);
    verdict(&w)?;
    let mut sleepy = instance(Family::Ipv4, 150);
    sleepy.timer_expired_backup = Some(Priority(254));
    let mut w = world(
        vec![node(sleepy, 1, None), node(instance(Family::Ipv4, 100), 2, None)],
        planted,
    );
    w.advance(Micros::from_secs(12));
    w.disturb("0 sleeps");
    w.pause(0, true);
    w.advance(Micros::from_secs(10));
    w.pause(0, false);
    w.advance(Micros::from_millis(10));
    names(&mut w, 0, "stalled", &["did not run for 10"]);
    verdict(&w)
}

fn member(planted: Planted) -> Result<(), Violation> {
    let mut first = instance(Family::Ipv4, 150);
    let other: crate::model::IfName = "eth1".parse().unwrap_or_else(|_| interface());
    first.track_interfaces = vec![TrackInterface {
        interface: other.clone(),
        weight: Weight::ZERO,
    }];
    let mut node_of = grouped(node(first, 1, None), 150);
    // The second member tracks it, the first one follows.
    let (tracked, rest) = (Vec::new(), &mut node_of.model.instances);
    if let [first, second] = rest.as_mut_slice() {
        second.track_interfaces = std::mem::replace(&mut first.track_interfaces, tracked);
    }
    let mut w = world(
        vec![node_of, grouped(node(instance(Family::Ipv4, 100), 2, None), 100)],
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
    w.disturb("eth1 of 0 goes down");
    w.tell(0, eth1(false));
    w.advance(Micros::from_secs(4));
    let words = ["VG_1 follows its member VI_2", "interface eth1 is down"];
    names(&mut w, 0, "group", &words);
    w.advance(Micros::from_secs(4));
    let words = ["VG_1 follows its member VI_2", "192.0.2.1 gave mastership up"];
    names(&mut w, 1, "group", &words);
    verdict(&w)
}

fn holds(planted: Planted) -> Result<(), Violation> {
    let mut patient = instance(Family::Ipv4, 150);
    patient.preempt_delay = Micros::from_secs(20);
    let mut late = node(patient, 1, None);
    late.model.global.startup_delay = Micros::from_secs(5);
    let mut w = world(vec![late, node(instance(Family::Ipv4, 100), 2, None)], planted);
    w.crash(0);
    w.disturb("only 1 runs");
    w.advance(Micros::from_secs(6));
    w.disturb("boot of 0");
    w.boot(0);
    w.advance(Micros::from_secs(2));
    let held = w.holds(0);
    expect(
        &mut w,
        held == ["StartupDelay"],
        &format!("the start is delayed: {held:?}"),
    );
    w.advance(Micros::from_secs(8));
    let held = w.holds(0);
    expect(
        &mut w,
        held == ["PreemptDelay"],
        &format!("preempt_delay runs: {held:?}"),
    );
    w.advance(Micros::from_secs(25));
    names(
        &mut w,
        0,
        "preempted",
        &["lower than ours, 150", "after a preempt_delay of 20"],
    );
    verdict(&w)?;
    let mut modest = instance(Family::Ipv4, 150);
    modest.preempt = false;
    let mut w = world(
        vec![node(modest, 1, None), node(instance(Family::Ipv4, 100), 2, None)],
        planted,
    );
    w.crash(0);
    w.disturb("only 1 runs");
    w.advance(Micros::from_secs(6));
    w.boot(0);
    w.disturb("boot of 0");
    w.advance(Micros::from_secs(6));
    let held = w.holds(0);
    expect(&mut w, held == ["NoPreempt"], &format!("nopreempt: {held:?}"));
    verdict(&w)
}
