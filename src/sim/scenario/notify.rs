//! Who is told of what: notify programs one at a time and in order, the newest state always, a stop at once (behaviour §13,
//! DESIGN difference 5).

use super::{Scenario, expect, instance, node, verdict, world};
use crate::model::{Family, Micros, NoticeEvent, NotifyKind};
use crate::sim::draw::programs;
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "notify: a master is told when its addresses are there, one program after the other",
            in_order as fn(Planted) -> _,
        ),
        scenario("notify: the next program starts beside one that takes too long", slow),
        scenario("notify: of many changes at least the last one is told", newest),
        scenario("notify: a stop waits for nobody", stop),
    ]
}

/// One node whose check can fail; its programs take this long.
fn told(planted: Planted, takes: Micros) -> World {
    let mut config = instance(Family::Ipv4, 150);
    config.notify = Some(Box::new(programs()));
    let mut w = world(vec![node(config, 1, Some((0, 1, 1)))], planted);
    w.notify_time = Some(takes);
    w
}

/// What `notify` was told of, in order.
fn states(w: &World) -> Vec<NoticeEvent> {
    let any = w.told.iter().filter(|told| told.kind == NotifyKind::Any);
    any.map(|told| told.event).collect()
}

fn in_order(planted: Planted) -> Result<(), Violation> {
    let mut w = told(planted, Micros::from_millis(300));
    w.advance(Micros::from_secs(10));
    w.disturb("the service fails");
    w.set_service(0, false);
    w.advance(Micros::from_secs(5));
    w.disturb("it is well");
    w.set_service(0, true);
    w.advance(Micros::from_secs(10));
    let right = [
        NoticeEvent::Backup,
        NoticeEvent::Master,
        NoticeEvent::Fault,
        NoticeEvent::Backup,
        NoticeEvent::Master,
    ];
    let got = states(&w);
    expect(&mut w, got == right, &format!("notify was told {got:?}"));
    let there = w
        .told
        .iter()
        .all(|told| told.held == (told.event == NoticeEvent::Master));
    expect(
        &mut w,
        there,
        "the addresses were there when a master was told, and not otherwise",
    );
    let masters = w.told.iter().filter(|told| told.kind == NotifyKind::Master).count();
    expect(&mut w, masters == 2, "notify_master was told each time");
    verdict(&w)
}

fn slow(planted: Planted) -> Result<(), Violation> {
    let mut w = told(planted, Micros::from_secs(600));
    w.advance(Micros::from_secs(20));
    let times: Vec<_> = w.told.iter().map(|told| (told.kind, told.at)).collect();
    // BACKUP at the start; MASTER 3.4 s later waits until the program of BACKUP has had its 5 s, notify_master 5 s more.
    let gaps: Vec<u64> = times
        .windows(2)
        .map(|pair| match pair {
            [(_, a), (_, b)] => b.since(*a).as_millis(),
            _ => 0,
        })
        .collect();
    expect(&mut w, gaps == [5_000, 5_000], &format!("{times:?}"));
    verdict(&w)
}

fn newest(planted: Planted) -> Result<(), Violation> {
    let mut w = told(planted, Micros::from_secs(4));
    w.advance(Micros::from_secs(10));
    for well in [false, true].into_iter().cycle().take(40) {
        w.set_service(0, well);
        w.disturb("the service flaps");
        w.advance(Micros::from_millis(2_100));
    }
    w.set_service(0, false);
    w.disturb("the service fails for good");
    w.advance(Micros::from_secs(120));
    let last = states(&w).last().copied();
    expect(
        &mut w,
        last == Some(NoticeEvent::Fault),
        &format!("the last news were {last:?}"),
    );
    verdict(&w)
}

fn stop(planted: Planted) -> Result<(), Violation> {
    let mut w = told(planted, Micros::from_millis(400));
    w.advance(Micros::from_secs(10));
    w.set_service(0, false);
    w.disturb("the service fails");
    w.advance(Micros::from_millis(2_100));
    w.disturb("stop");
    let asked = w.now;
    w.stop(0);
    w.advance(Micros::from_millis(600));
    let stopped = w.told.iter().find(|told| told.kind == NotifyKind::Stop);
    let at_once = stopped.is_some_and(|told| told.at.since(asked) < Micros::from_millis(20));
    expect(&mut w, at_once, "notify_stop was told at once");
    let gone = w.nodes.first().is_some_and(|node| node.core.is_none());
    expect(&mut w, gone, "the daemon ends when it has ended");
    verdict(&w)
}
