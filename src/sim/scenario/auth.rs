//! Authenticated adverts: forged, replayed and stale ones move nothing, honest ones get through whatever the clocks do.

use super::{Scenario, expect, expect_masters, hmac, instance, master_since, node, verdict, world};
use crate::model::{Authentication, Family, HmacMode, Instance, Micros, Password, Priority, Version};
use crate::proto::{Datagram, Transmit};
use crate::sim::network::Sent;
use crate::sim::world::World;
use crate::sim::{Planted, Violation};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario(
            "AH: a backup goes on with the master's numbers",
            ah_take_over as fn(Planted) -> _,
        ),
        scenario("AH: two masters that speak at the same moment hear each other", ah_tie),
        scenario("AH: forged and replayed adverts hold no take-over up", ah_forged),
        scenario(
            "auth_hmac: forged and replayed adverts hold no take-over up",
            hmac_forged,
        ),
        scenario(
            "auth_hmac: an old advert is stale for a node that has just started",
            hmac_stale,
        ),
        scenario("auth_hmac: clocks may be set", hmac_clock_step),
        scenario("auth_hmac: keys and modes can be rolled out node by node", hmac_rollout),
    ]
}

fn ah(priority: u8) -> Instance {
    let mut config = instance(Family::Ipv4, priority);
    config.authentication = Authentication::Ah(Password::from_text("s3cr3tAH"));
    config
}

fn signed(family: Family, priority: u8, active_key: u8) -> Instance {
    let mut config = instance(family, priority);
    config.version = Version::V3;
    config.authentication = Authentication::None;
    config.hmac = Some(Box::new(hmac(active_key)));
    config
}

fn three(of: impl Fn(u8) -> Instance, planted: Planted) -> World {
    let nodes = (1..=3)
        .zip([200, 150, 100])
        .map(|(number, priority)| node(of(priority), number, None));
    world(nodes.collect(), planted)
}

fn ah_take_over(planted: Planted) -> Result<(), Violation> {
    let mut w = three(ah, planted);
    w.advance(Micros::from_secs(30));
    expect_masters(&mut w, &[0], "the best node is master");
    w.disturb("crash of 0");
    w.crash(0);
    w.advance(Micros::from_secs(15));
    expect_masters(&mut w, &[1], "the second best took over, and the third believes it");
    w.boot(0);
    w.disturb("boot of 0");
    w.advance(Micros::from_secs(15));
    expect_masters(&mut w, &[0], "the best node takes over again");
    verdict(&w)
}

fn ah_tie(planted: Planted) -> Result<(), Violation> {
    // Equal priorities and a start in the same microsecond: all take over at once, with the same numbers.
    let mut w = three(|_| ah(100), planted);
    w.advance(Micros::from_secs(6));
    expect_masters(&mut w, &[2], "the highest address wins");
    verdict(&w)
}

/// The last advert of a node, with bytes changed.
fn last_advert(w: &World, index: usize, change: impl Fn(&mut Vec<u8>)) -> Option<Datagram<'static>> {
    let sent: Transmit = w.nodes.get(index)?.seen().sent.clone()?;
    let mut bytes = sent.message.to_vec();
    change(&mut bytes);
    let sent = Sent::of(&Transmit {
        message: bytes.into(),
        ..sent
    })?;
    Some(sent.into_datagram())
}

/// As node 0 has sent it.
const REPLAYED: &str = "replayed";

/// Node 0 dies; somebody sends this every 0.2 s. The take-over comes in time all the same.
fn dies_under(w: &mut World, forged: &Datagram<'static>, what: &str) {
    let replayed = what == REPLAYED;
    let last = w
        .nodes
        .first()
        .and_then(|node| node.seen().advert_at)
        .unwrap_or_default();
    w.disturb("crash of 0");
    w.crash(0);
    for _ in 0..50 {
        w.inject(forged, replayed);
        w.advance(Micros(200_000));
    }
    let took = master_since(w, 1).unwrap_or_default().since(last);
    let good = took > Micros::ZERO && took < Micros(3_600_000);
    expect(
        w,
        good,
        &format!("{what}: took over {took} s after the last honest advert"),
    );
}

fn ah_forged(planted: Planted) -> Result<(), Violation> {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change); 2] = [
        (REPLAYED, |_| {}),
        // The first byte of the sequence: it is newer, but the sum is wrong.
        ("newer, with a wrong sum", |bytes| {
            if let Some(byte) = bytes.get_mut(9) {
                *byte = 1;
            }
        }),
    ];
    for (what, change) in cases {
        let mut w = three(ah, planted);
        w.advance(Micros::from_secs(12));
        expect_masters(&mut w, &[0], "the best node is master");
        if let Some(forged) = last_advert(&w, 0, change) {
            dies_under(&mut w, &forged, what);
        }
        verdict(&w)?;
    }
    Ok(())
}

fn hmac_forged(planted: Planted) -> Result<(), Violation> {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change); 3] = [
        (REPLAYED, |_| {}),
        // The counter of the sequence: it is newer, but the sum is wrong.
        ("newer, with a wrong sum", |bytes| {
            let at = bytes.len().saturating_sub(17);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = 9;
            }
        }),
        ("unsigned", |bytes| bytes.truncate(bytes.len().saturating_sub(28))),
    ];
    for (what, change) in cases {
        let mut w = three(|priority| signed(Family::Ipv4, priority, 1), planted);
        w.advance(Micros::from_secs(12));
        expect_masters(&mut w, &[0], "the best node is master");
        if let Some(forged) = last_advert(&w, 0, change) {
            dies_under(&mut w, &forged, what);
        }
        verdict(&w)?;
    }
    Ok(())
}

fn hmac_stale(planted: Planted) -> Result<(), Violation> {
    let mut w = three(|priority| signed(Family::Ipv4, priority, 1), planted);
    w.advance(Micros::from_secs(12));
    let recorded = last_advert(&w, 0, |_| {});
    w.advance(Micros::from_secs(60));
    for index in 1..3 {
        w.crash(index);
        w.boot(index);
    }
    w.disturb("1 and 2 are new");
    // They have no mark of node 0 unless they hear it before it dies.
    w.crash(0);
    if let Some(recorded) = recorded {
        for _ in 0..50 {
            w.inject(&recorded, true);
            w.advance(Micros(200_000));
        }
    }
    expect_masters(&mut w, &[1], "an advert of a minute ago does not hold the take-over up");
    verdict(&w)
}

fn hmac_clock_step(planted: Planted) -> Result<(), Violation> {
    let base = 1_700_000_000;
    // One clock by a little, within the window of 5 s; or all of them by as much as one likes.
    let steps: [(&str, &[usize], u64); 4] = [
        ("0 back by 4 s", &[0], base - 4),
        ("0 forward by 4 s", &[0], base + 4),
        ("all back by an hour", &[0, 1, 2], base - 3_600),
        ("all forward by an hour", &[0, 1, 2], base + 3_600),
    ];
    for (what, who, to) in steps {
        let mut w = three(|priority| signed(Family::Ipv6, priority, 1), planted);
        w.advance(Micros::from_secs(12));
        let before = w.takeovers;
        w.disturb(what);
        for index in who {
            w.step_clock(*index, Micros::from_secs(to));
        }
        w.advance(Micros::from_secs(30));
        expect_masters(&mut w, &[0], what);
        let calm = w.takeovers == before;
        expect(&mut w, calm, &format!("{what}: nobody took over"));
        verdict(&w)?;
    }
    Ok(())
}

fn hmac_rollout(planted: Planted) -> Result<(), Violation> {
    let modes = [HmacMode::ReceiveOnly, HmacMode::Permissive, HmacMode::Enforce];
    for (first, second, keys) in [
        (modes[0], modes[1], (1, 1)),
        (modes[1], modes[0], (1, 2)),
        (modes[1], modes[2], (2, 1)),
        (modes[2], modes[2], (1, 2)),
    ] {
        let config = |priority: u8, key, mode| {
            let mut config = signed(Family::Ipv4, priority, key);
            config.priority = Priority(priority);
            if let Some(hmac) = &mut config.hmac {
                hmac.mode = mode;
            }
            config
        };
        let nodes = vec![
            node(config(200, keys.0, first), 1, None),
            node(config(100, keys.1, second), 2, None),
        ];
        let mut w = world(nodes, planted);
        w.advance(Micros::from_secs(20));
        expect_masters(&mut w, &[0], &format!("{first:?} beside {second:?}"));
        w.disturb("crash of 0");
        w.crash(0);
        w.advance(Micros::from_secs(5));
        w.boot(0);
        w.disturb("boot of 0");
        w.advance(Micros::from_secs(10));
        expect_masters(&mut w, &[0], &format!("{first:?} beside {second:?}, taken back"));
        let signs = w
            .nodes
            .first()
            .and_then(|n| n.seen().sent.clone())
            .is_some_and(|sent| sent.message.len() > 12);
        expect(
            &mut w,
            signs == (first != HmacMode::ReceiveOnly),
            &format!("{first:?} signs: {signs}"),
        );
        verdict(&w)?;
    }
    Ok(())
}
