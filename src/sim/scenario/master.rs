//! What a master does that nobody else would notice for long: its grid of adverts, and another owner.

use super::{Scenario, advert, expect, expect_masters, instance, node, pair, verdict};
use crate::model::{Family, Instance, Micros, WantedState};
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "an advert that is so late that the next one is due serves both",
            late_advert as fn(Planted) -> _,
        ),
        scenario("a flood of worse adverts is answered a few times an interval", flood),
        scenario("an owner yields to another owner that does not hear it", deaf_owner),
    ]
}

/// It wakes 2 ms before a slot: two adverts within 2 ms would be one too many.
fn late_advert(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(150, 100, planted);
    w.advance(Micros::from_secs(12));
    let last = w.nodes.first().and_then(|node| node.seen().advert_at);
    let slot = last.unwrap_or_default() + Micros::from_secs(3);
    w.disturb("0 sleeps for two slots");
    w.pause(0, true);
    w.advance(slot.since(w.now).saturating_sub(Micros::from_millis(2)));
    let before = w.adverts;
    w.pause(0, false);
    w.advance(Micros::from_millis(500));
    let sent = w.adverts - before;
    expect(
        &mut w,
        sent == 1,
        &format!("one advert for the slot that is about to come, not {sent}"),
    );
    w.advance(Micros::from_millis(600));
    let sent = w.adverts - before;
    expect(
        &mut w,
        sent == 2,
        &format!("the next one in its slot, not {}", sent - 1),
    );
    verdict(&w)
}

/// Four at once and one in a quarter of an interval, and the announcements with them.
fn flood(planted: Planted) -> Result<(), Violation> {
    let mut w = pair(150, 100, planted);
    w.advance(Micros::from_secs(12));
    let worse = advert(50, 255, &instance(Family::Ipv4, 100).authentication, false);
    let before = w.adverts;
    w.disturb("somebody sends 500 worse adverts a second");
    for _ in 0..1_000 {
        w.inject(&worse, false);
        w.advance(Micros::from_millis(2));
    }
    let sent = w.adverts - before;
    let good = (8..=14).contains(&sent);
    expect(&mut w, good, &format!("12 answers in 2 s, not {sent}"));
    expect_masters(&mut w, &[0], "nobody else has become master");
    verdict(&w)
}

/// behaviour §2.7: after two adverts of ours and 1.2 intervals the other one should have yielded; whoever hears it does.
fn deaf_owner(planted: Planted) -> Result<(), Violation> {
    let owner = || -> Instance {
        let mut owner = instance(Family::Ipv4, 255);
        owner.state = WantedState::Master;
        owner
    };
    // The first one has the lower address and would yield, but hears nobody.
    let nodes = vec![node(owner(), 1, None), node(owner(), 2, None)];
    let mut w = World::asleep(nodes, 7, planted);
    w.network.set_cut(1, 0, true);
    w.boot(0);
    w.boot(1);
    w.disturb("0 hears nobody");
    w.advance(Micros::from_millis(2_500));
    expect_masters(&mut w, &[0, 1], "both are owners, and the other one is asked to yield");
    w.advance(Micros::from_secs(8));
    expect_masters(&mut w, &[0], "the one that hears yields");
    verdict(&w)
}
