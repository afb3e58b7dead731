//! What happens on the host and to its neighbours' memory: thefts of addresses, foreign claims, stalls.

use super::{Scenario, expect, expect_masters, instance, master_since, masters, node, pair, verdict, world};
use crate::model::{Family, MacAddr, Micros, Priority, WantedState};
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "a deleted address is put back without giving mastership up",
            theft as fn(Planted) -> _,
        ),
        scenario("a foreign claim is answered, but not for ever", foreign_claims),
        scenario("two masters that only hear each other's ARP do not storm", no_storm),
        scenario(
            "packets that waited count from the time at which they came",
            late_packets,
        ),
        scenario(
            "a master that was asleep listens first, if it is told to",
            listens_first,
        ),
        scenario(
            "a reload with another priority moves nothing but the election",
            reload_adjusts,
        ),
        scenario(
            "a delayed start takes over a delay later, the owner at its end",
            startup_delay,
        ),
        scenario("timer_expired_backup: a master that was asleep is a backup", expired),
        scenario("a step of the wall clock moves nothing", clock_step),
    ]
}

fn theft(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    let (takeovers, releases) = (w.takeovers, w.nodes.first().map_or(0, |n| n.releases));
    for _ in 0..5 {
        w.disturb("theft");
        w.steal(0, 0);
        w.advance(Micros::from_millis(10));
        let back = w.nodes.first().is_some_and(|node| node.has_vips());
        expect(&mut w, back, "the address is back within 10 ms");
        w.advance(Micros::from_secs(1));
    }
    let quiet = w.takeovers == takeovers && w.nodes.first().is_some_and(|n| n.releases == releases);
    expect(&mut w, quiet, "nobody else took over, nothing was released");
    w.disturb("sixth theft within a minute");
    w.steal(0, 0);
    w.advance(Micros::from_millis(10));
    let released = w.nodes.first().is_some_and(|node| node.releases == releases + 1);
    expect(&mut w, released, "the sixth theft releases, as keepalived does");
    verdict(&w)
}

/// Announcements of node 0 within this time.
fn announcements(w: &mut World, length: Micros, every: Option<Micros>) -> usize {
    let before = w.nodes.first().map_or(0, |node| node.seen().announcements);
    let end = w.now + length;
    while w.now < end && w.violations.is_empty() {
        if let (Some(_), Some(address)) = (every, w.virtual_address()) {
            w.claim(0, address, MacAddr([2, 0, 0, 0, 9, 9]));
        }
        w.advance(every.unwrap_or(length));
    }
    w.nodes.first().map_or(0, |node| node.seen().announcements) - before
}

fn foreign_claims(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(30));
    expect_masters(&mut w, &[0], "the better node is master");
    let one = announcements(&mut w, Micros::from_millis(900), Some(Micros::from_millis(300)));
    expect(
        &mut w,
        one == 1,
        &format!("three claims within a second get one answer, not {one}"),
    );
    let row = announcements(&mut w, Micros::from_secs(40), Some(Micros::from_millis(500)));
    expect(
        &mut w,
        row == 9,
        &format!("ten answers in a row, these were {row} more"),
    );
    let problem = w.problems(0).iter().any(|code| code == "foreign-claim");
    expect(&mut w, problem, "then it is a problem");
    announcements(&mut w, Micros::from_secs(70), None);
    let again = announcements(&mut w, Micros::from_secs(1), Some(Micros::from_millis(500)));
    expect(&mut w, again == 1, "after a minute of quiet it is answered again");
    verdict(&w)
}

fn no_storm(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    w.network.deaf = true;
    w.disturb("no advert arrives any more, ARP does");
    w.advance(Micros::from_secs(300));
    expect_masters(&mut w, &[0, 1], "each is master for itself");
    let sent: usize = w.nodes.iter().map(|node| node.seen().announcements).sum();
    // Two bursts for each take-over, and at most a row of ten answers each.
    expect(
        &mut w,
        sent <= 2 * 2 + 2 * 10,
        &format!("{sent} announcements in five minutes"),
    );
    verdict(&w)
}

fn late_packets(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    let before = w
        .nodes
        .first()
        .and_then(|node| node.seen().advert_at)
        .unwrap_or_default();
    w.advance((before + Micros(1_100_000)).since(w.now));
    let last = w
        .nodes
        .first()
        .and_then(|node| node.seen().advert_at)
        .unwrap_or_default();
    w.disturb("1 sleeps, 0 dies after two more adverts");
    w.pause(1, true);
    w.advance(Micros(1_950_000));
    w.crash(0);
    w.advance(Micros(550_000));
    w.pause(1, false);
    w.advance(Micros::from_secs(6));
    let took = master_since(&w, 1).unwrap_or_default().since(last);
    // Two more adverts left at +1 s and +2 s; 3.609 s after the second one, which waited in the socket.
    let good = masters(&w) == [1] && took.0.abs_diff(2_000_000 + 3_609_375) < 2_000;
    expect(
        &mut w,
        good,
        &format!("took over {took} s after the last advert that it read at once"),
    );
    verdict(&w)
}

fn listens_first(planted: Planted) -> Result<(), Violation> {
    for listens in [false, true] {
        let mut sleepy = instance(Family::Ipv4, 100);
        sleepy.listen_after_stall = listens;
        let mut w = world(
            vec![node(sleepy, 1, None), node(instance(Family::Ipv4, 90), 2, None)],
            planted,
        );
        w.advance(Micros::from_secs(12));
        expect_masters(&mut w, &[0], "the better node is master");
        w.disturb("the machine of 0 sleeps");
        w.suspend(0);
        w.advance(Micros::from_secs(10));
        expect_masters(&mut w, &[0, 1], "the other one took over; the sleeper does not know");
        w.disturb("it wakes");
        let woke = w.now;
        w.pause(0, false);
        // Its Skew_Time is 0.609 s.
        w.advance(Micros(600_000));
        let spoke = w
            .nodes
            .first()
            .and_then(|n| n.seen().advert_at)
            .is_some_and(|at| at >= woke);
        expect(
            &mut w,
            spoke != listens,
            &format!("listens {listens}, spoke within its Skew_Time: {spoke}"),
        );
        w.advance(Micros::from_secs(10));
        expect_masters(&mut w, &[0], "the better node is master again");
        verdict(&w)?;
    }
    Ok(())
}

fn clock_step(planted: Planted) -> Result<(), Violation> {
    for to in [1_600_000_000, 1_700_003_600, 1_800_000_000] {
        let mut w = pair(200, 100, planted);
        w.advance(Micros::from_secs(12));
        let takeovers = w.takeovers;
        w.disturb("the clock of 1 is set while adverts wait in its socket");
        w.pause(1, true);
        w.advance(Micros(1_500_000));
        w.step_clock(1, Micros::from_secs(to));
        w.pause(1, false);
        w.advance(Micros::from_secs(20));
        expect_masters(&mut w, &[0], "the master is still master");
        let calm = w.takeovers == takeovers;
        expect(&mut w, calm, "nobody took over");
        verdict(&w)?;
    }
    Ok(())
}

fn reload_adjusts(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(200, 100, planted);
    w.advance(Micros::from_secs(12));
    let releases = |w: &World| w.nodes.iter().map(|n| n.releases).sum::<u64>();
    let (takeovers, before) = (w.takeovers, releases(&w));
    w.advance(Micros(300_000));
    let sent = w.adverts;
    w.reload(0, |_| {});
    let quiet = w.adverts == sent;
    expect(&mut w, quiet, "a reload that changes nothing sends nothing");
    w.disturb("reload of 0 with priority 150");
    w.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(150))
    });
    let told = w
        .nodes
        .first()
        .and_then(|n| n.seen().sent.clone())
        .map(|sent| sent.priority);
    let good = w.adverts == sent + 1 && told == Some(Priority(150));
    expect(&mut w, good, "one advert tells the new priority at once");
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[0], "it stays master");
    let calm = w.takeovers == takeovers && releases(&w) == before;
    expect(&mut w, calm, "nobody took over, nothing was released");
    w.disturb("reload of 1 with priority 220");
    w.reload(1, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(220))
    });
    w.advance(Micros::from_secs(10));
    expect_masters(&mut w, &[1], "the better one takes over");
    verdict(&w)
}

fn startup_delay(planted: Planted) -> Result<(), Violation> {
    for (priority, after) in [(100, 5_000_000 + 3_609_375), (255, 5_000_000)] {
        let mut config = instance(Family::Ipv4, priority);
        if priority == 255 {
            config.state = WantedState::Master;
        }
        let mut node = node(config, 1, None);
        node.model.global.startup_delay = Micros::from_secs(5);
        let mut w = world(vec![node], planted);
        let start = w.now;
        w.advance(Micros::from_secs(12));
        let took = master_since(&w, 0).unwrap_or_default().since(start);
        let good = took.0.abs_diff(after) < 1_000;
        expect(&mut w, good, &format!("priority {priority} took over after {took} s"));
        verdict(&w)?;
    }
    Ok(())
}

fn expired(planted: Planted) -> Result<(), Violation> {
    let mut sleepy = instance(Family::Ipv4, 150);
    sleepy.preempt = false;
    sleepy.timer_expired_backup = Some(Priority(254));
    let mut w = world(
        vec![node(sleepy, 1, None), node(instance(Family::Ipv4, 100), 2, None)],
        planted,
    );
    w.crash(1);
    w.advance(Micros::from_secs(6));
    expect_masters(&mut w, &[0], "the only node is master");
    w.boot(1);
    w.disturb("boot of 1");
    w.advance(Micros::from_secs(6));
    w.disturb("0 sleeps");
    w.pause(0, true);
    w.advance(Micros::from_secs(10));
    w.disturb("it wakes");
    w.pause(0, false);
    w.advance(Micros::from_secs(6));
    expect_masters(&mut w, &[1], "who took over meanwhile stays");
    verdict(&w)
}
