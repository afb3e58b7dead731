//! Drains: mastership is handed over and stays away, and nobody is left without a master.

use super::group::grouped;
use super::{Scenario, expect, expect_masters, instance, master_since, masters, node, pair, verdict, world};
use crate::model::{Family, Micros, Priority};
use crate::proto::{Event, StateName};
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "drain: the next one takes over after its Skew_Time, and it stays so",
            hands_over as fn(Planted) -> _,
        ),
        scenario("drain: the last node serves on, unless it is forced out", last_resort),
        scenario("drain: it ends when its time is over, or by an order", ends),
        scenario("drain: it survives a reload, a respawn and its own fault", survives),
        scenario("drain: a sync group is drained as a whole", of_a_group),
        scenario("drain: an address owner can be drained", of_an_owner),
        scenario("problems are told when they come up and when they have gone", problems),
    ]
}

fn drain(w: &mut World, index: usize, length: Option<u64>, force: bool) {
    drain_by_name(w, index, None, length, force);
}

fn drain_by_name(w: &mut World, index: usize, name: Option<&str>, length: Option<u64>, force: bool) {
    w.disturb(&format!("drain of {index}"));
    let event = Event::Drain {
        name: name.map(Into::into),
        length: length.map(Micros::from_secs),
        force,
    };
    w.tell(index, event);
}

fn resume(w: &mut World, index: usize) {
    w.disturb(&format!("resume of {index}"));
    w.tell(index, Event::Resume { name: None });
}

fn hands_over(planted: Planted) -> Result<(), Violation> {
    let nodes = [200, 100, 50].into_iter().zip(1..);
    let nodes = nodes.map(|(priority, number)| node(instance(Family::Ipv4, priority), number, None));
    let mut w = world(nodes.collect(), planted);
    w.advance(Micros::from_secs(12));
    let (takeovers, drained) = (w.takeovers, w.now);
    drain(&mut w, 0, None, false);
    w.advance(Micros::from_secs(2));
    let took = master_since(&w, 1).unwrap_or_default().since(drained);
    let good = masters(&w) == [1] && took.0.abs_diff(609_375) < 5_000;
    expect(
        &mut w,
        good,
        &format!("the second best took over after {took} s, not after its Skew_Time"),
    );
    w.advance(Micros::from_secs(60));
    expect_masters(&mut w, &[1], "it stays so");
    let calm = w.takeovers == takeovers + 1;
    expect(&mut w, calm, "nobody else took over");
    // The third is better than the drained one now.
    w.disturb("crash of 1");
    w.crash(1);
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[2], "every other node goes first");
    resume(&mut w, 0);
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[0], "after the drain the best one is master again");
    verdict(&w)
}

fn last_resort(planted: Planted) -> Result<(), Violation> {
    for force in [false, true] {
        let mut w = pair(200, 100, planted);
        w.crash(1);
        w.advance(Micros::from_secs(12));
        drain(&mut w, 0, None, force);
        // Skew_Time of priority 1 and one interval: then nobody can have taken over.
        w.advance(Micros::from_millis(2_100));
        let alone: &[usize] = if force { &[] } else { &[0] };
        expect_masters(&mut w, alone, &format!("alone, forced out {force}"));
        if !force {
            let (code, _) = w.reason(0);
            expect(&mut w, code == "not-taken-over", &format!("the reason is {code}"));
        }
        w.advance(Micros::from_secs(6));
        let shown = w.problems(0).iter().any(|code| code == "drained-alone");
        expect(&mut w, shown, "a problem says that nobody else is there");
        w.disturb("boot of 1");
        w.boot(1);
        w.advance(Micros::from_secs(8));
        expect_masters(&mut w, &[1], "whoever comes goes first");
        let gone = !w.problems(0).iter().any(|code| code == "drained-alone");
        expect(&mut w, gone, "the problem has gone");
        w.disturb("crash of 1");
        w.crash(1);
        w.advance(Micros::from_secs(10));
        expect_masters(&mut w, alone, &format!("alone again, forced out {force}"));
        verdict(&w)?;
    }
    Ok(())
}

fn ends(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    drain(&mut w, 0, Some(30), false);
    w.advance(Micros::from_secs(29));
    expect_masters(&mut w, &[1], "drained");
    w.disturb("the time is over");
    w.advance(Micros::from_secs(6));
    expect_masters(&mut w, &[0], "its time is over");
    w.disturb("respawn");
    w.respawn(0, Micros::from_millis(100));
    let brief = w.nodes.first().and_then(|node| node.core.as_ref()?.brief(0));
    let whole = brief.is_some_and(|brief| brief.priority == Priority(200));
    expect(
        &mut w,
        whole,
        &format!("the next process is not drained any more: {brief:?}"),
    );
    w.advance(Micros::from_secs(8));
    drain(&mut w, 0, Some(3600), false);
    w.advance(Micros::from_secs(5));
    expect_masters(&mut w, &[1], "drained again");
    resume(&mut w, 0);
    w.advance(Micros::from_secs(6));
    expect_masters(&mut w, &[0], "resumed");
    verdict(&w)
}

/// The drain of the whole node is remembered by the node, that of an instance by the instance.
fn survives(planted: Planted) -> Result<(), Violation> {
    survives_of(None, planted)?;
    survives_of(Some("VI_1"), planted)
}

fn survives_of(name: Option<&str>, planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    drain_by_name(&mut w, 0, name, Some(600), false);
    w.advance(Micros::from_secs(5));
    let other = |w: &mut World, what: &str| {
        w.advance(Micros::from_secs(8));
        expect_masters(w, &[1], what);
    };
    w.disturb("reload that adjusts");
    w.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(220))
    });
    other(&mut w, "drained after a reload with another priority");
    w.disturb("reload that starts it again");
    w.reload(0, |model| {
        let group = std::net::Ipv4Addr::new(224, 0, 0, 18).into();
        model.instances.iter_mut().for_each(|i| {
            i.transport = crate::model::Transport::Multicast { group };
            i.authentication = crate::model::Authentication::None;
        });
    });
    w.reload(1, |model| {
        model
            .instances
            .iter_mut()
            .for_each(|i| i.authentication = crate::model::Authentication::None)
    });
    other(&mut w, "drained after a reload with another authentication");
    w.disturb("respawn");
    w.respawn(0, Micros::from_millis(500));
    other(&mut w, "drained in the next process");
    w.disturb("its link fails and comes back");
    w.set_link(0, false);
    w.advance(Micros::from_secs(3));
    w.set_link(0, true);
    other(&mut w, "drained after a fault");
    w.disturb("the time is over");
    w.advance(Micros::from_secs(600));
    expect_masters(&mut w, &[0], "the time still counts from the beginning");
    verdict(&w)
}

fn of_a_group(planted: Planted) -> Result<(), Violation> {
    let nodes = vec![
        grouped(node(instance(Family::Ipv4, 150), 1, None), 150),
        grouped(node(instance(Family::Ipv4, 100), 2, None), 100),
    ];
    let mut w = world(nodes, planted);
    w.advance(Micros::from_secs(12));
    w.disturb("drain of VI_2 of 0");
    let name = Some("VI_2".into());
    w.tell(
        0,
        Event::Drain {
            name,
            length: None,
            force: false,
        },
    );
    let states = |w: &World, node: usize| -> Vec<Option<StateName>> {
        let core = w.nodes.get(node).and_then(|node| node.core.as_ref());
        (0..2).map(|at| core.and_then(|core| core.state(at))).collect()
    };
    let both = |state| vec![Some(state); 2];
    let together = states(&w, 0) == both(StateName::Backup);
    expect(&mut w, together, "both members leave at once");
    w.advance(Micros::from_secs(20));
    let (here, there) = (states(&w, 0), states(&w, 1));
    let good = here == both(StateName::Backup) && there == both(StateName::Master);
    expect(&mut w, good, &format!("both are at the other node: {here:?} {there:?}"));
    w.disturb("resume of the group");
    w.tell(
        0,
        Event::Resume {
            name: Some("VG_1".into()),
        },
    );
    w.advance(Micros::from_secs(20));
    let back = states(&w, 0) == both(StateName::Master);
    expect(&mut w, back, "both are back");
    verdict(&w)
}

fn of_an_owner(planted: Planted) -> Result<(), Violation> {
    let mut owner = instance(Family::Ipv4, 255);
    owner.state = crate::model::WantedState::Master;
    let mut w = world(
        vec![node(owner, 1, None), node(instance(Family::Ipv4, 100), 2, None)],
        planted,
    );
    w.advance(Micros::from_secs(12));
    expect_masters(&mut w, &[0], "the owner is master");
    drain(&mut w, 0, None, false);
    w.advance(Micros::from_secs(20));
    expect_masters(&mut w, &[1], "a drained owner is no master");
    w.disturb("respawn");
    w.respawn(0, Micros::from_millis(500));
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[1], "nor in its next process");
    resume(&mut w, 0);
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[0], "the owner is master again");
    verdict(&w)
}

/// Each problem of the core is provoked, told, and told again when it has gone.
fn problems(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(30));
    told(&mut w, 0, true, "peer-never-heard")?;
    w.disturb("0 is not heard any more, it hears");
    w.network.set_cut(0, 1, true);
    w.advance(Micros::from_secs(15));
    told(&mut w, 0, false, "peer-never-heard")?;
    told(&mut w, 0, true, "dual-master")?;
    told(&mut w, 0, true, "one-way")?;
    w.disturb("heal");
    w.network.heal();
    w.advance(Micros::from_secs(15));
    told(&mut w, 0, false, "dual-master")?;
    told(&mut w, 0, false, "one-way")?;
    w.disturb("two adverts are lost");
    w.network.set_cut(0, 1, true);
    w.advance(Micros(2_500_000));
    w.network.heal();
    w.advance(Micros::from_secs(5));
    told(&mut w, 1, true, "near-failover")?;
    w.disturb("strangers");
    // The wrong password.
    if let Some(forged) = super::forgeries().get(1) {
        w.inject(forged, false);
    }
    w.advance(Micros::from_secs(2));
    told(&mut w, 0, true, "foreign-vrid")?;
    told(&mut w, 1, true, "foreign-vrid")?;
    w.disturb("0 sleeps for a while");
    w.pause(0, true);
    w.advance(Micros::from_secs(6));
    w.pause(0, false);
    w.advance(Micros::from_secs(5));
    told(&mut w, 0, true, "stalled")?;
    for _ in 0..40 {
        if let Some(address) = w.virtual_address() {
            w.claim(0, address, crate::model::MacAddr([2, 0, 0, 0, 9, 9]));
        }
        w.advance(Micros::from_millis(500));
    }
    told(&mut w, 0, true, "foreign-claim")?;
    w.advance(Micros::from_secs(700));
    for code in ["foreign-vrid", "stalled", "foreign-claim"] {
        told(&mut w, 0, false, code)?;
    }
    told(&mut w, 1, false, "near-failover")?;
    drain(&mut w, 0, None, false);
    w.advance(Micros::from_secs(5));
    told(&mut w, 0, true, "drained")?;
    resume(&mut w, 0);
    w.disturb("its link fails");
    w.set_link(0, false);
    w.advance(Micros::from_secs(5));
    told(&mut w, 0, false, "drained")?;
    told(&mut w, 0, true, "interface-down")?;
    w.set_link(0, true);
    w.advance(Micros::from_secs(5));
    told(&mut w, 0, false, "interface-down")?;
    verdict(&w)
}

/// The last that was told of this problem is that it came up, or that it has gone; and the list of problems agrees.
fn told(w: &mut World, index: usize, raised: bool, code: &str) -> Result<(), Violation> {
    let last = w.told_of(index, code);
    let shown = w.problems(index).iter().any(|one| one == code);
    let good = last == Some(raised) && shown == raised;
    expect(
        w,
        good,
        &format!("node {index}, {code} raised {raised}: told {last:?}, shown {shown}"),
    );
    verdict(w)
}
