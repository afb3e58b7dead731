//! Every kind of fault that random runs inject, and what is said of it: `why` of the node that it moves, or that nothing
//! moves. A kind without a row here is told.

use super::tracked::{with_file, with_process};
use super::{Scenario, expect, hmac, instance, node, verdict};
use crate::model::{
    AdvertInterval, Authentication, Family, Instant, MacAddr, Micros, Priority, TrackInterface, Weight,
};
use crate::proto::{Event, FileReading, ProcessChange};
use crate::sim::draw::other_link;
use crate::sim::fault::KINDS;
use crate::sim::node::Node;
use crate::sim::world::World;
use crate::sim::{Planted, Violation};
use std::net::Ipv4Addr;

pub(super) fn scenarios() -> Vec<Scenario> {
    let play: fn(Planted) -> _ = every_kind;
    vec![Scenario {
        name: "the cause is named: every kind of fault of the random runs",
        play,
    }]
}

/// What is said afterwards: of which node, code, words of the reason, and problems that it shows. Nothing: nothing moves.
type Said = (usize, &'static str, &'static [&'static str], &'static [&'static str]);

struct Case {
    inject: fn(&mut World),
    said: &'static [Said],
}

const SILENT: Said = (1, "master-down", &["192.0.2.1 fell silent"], &[]);
const DOWN: Said = (0, "interface-down", &["interface eth0 is down"], &["interface-down"]);
const RELEASED: Said = (1, "master-released", &["192.0.2.1 gave mastership up"], &[]);
const FAILED: Said = (0, "tracker-failed", &["script chk failed", "exited with status 1"], &[]);
const HOLDS: Said = (0, "tracker-failed", &["file f failed", "/f holds 7"], &[]);
const NONE_RUN: Said = (0, "tracker-failed", &["process p failed", "0 haproxy running"], &[]);
const OUTDONE: Said = (1, "higher-priority", &["192.0.2.1", "150, higher than ours, 100"], &[]);
const ASLEEP: Said = (0, "master-down", &[], &["stalled"]);

#[expect(clippy::too_many_lines, reason = "a table, a row a kind")]
fn case(kind: &str) -> Option<Case> {
    let case = |inject, said| Some(Case { inject, said });
    match kind {
        "crash" => case(|w| w.crash(0), &[SILENT]),
        "stop" => case(|w| w.stop(0), &[RELEASED]),
        "power-cut" => case(power_cut, &[(0, "master-down", &["no master was heard"], &[])]),
        "respawn" => case(respawn, &[(0, "respawned", &["the VRRP process died"], &[])]),
        "pause" => case(|w| sleep(w, World::pause_for_good), &[OUTDONE, ASLEEP]),
        "suspend" => case(|w| sleep(w, World::suspend), &[OUTDONE, ASLEEP]),
        "reload" => case(
            lower,
            &[
                (
                    0,
                    "higher-priority",
                    &["fell from 150 to 90 because the configuration changed"],
                    &[],
                ),
                (
                    1,
                    "preempted",
                    &["has priority 90, lower than ours, 100", "theirs was 150 before"],
                    &[],
                ),
            ],
        ),
        "reload-under-fault" => case(
            |w| {
                w.set_service(0, false);
                w.advance(Micros::from_secs(3));
                lower(w);
            },
            &[FAILED, RELEASED],
        ),
        "reload-same" => case(|w| w.reload(0, |_| ()), &[]),
        "reload-interval" => case(slower, &[]),
        "reload-addresses" => case(exchange, &[]),
        "reload-crash" => case(
            die_in_reload,
            &[
                (0, "respawned", &["the VRRP process died"], &[]),
                (
                    1,
                    "preempted",
                    &["has priority 90, lower than ours, 100", "theirs was 150 before"],
                    &[],
                ),
            ],
        ),
        "key-rotation" => case(rotate, &[]),
        "service" | "flapping-service" => case(|w| w.set_service(0, false), &[FAILED, RELEASED]),
        "script-hangs" => case(
            hang,
            &[
                (0, "tracker-failed", &["script chk failed", "timed out"], &[]),
                RELEASED,
            ],
        ),
        "file" | "flapping-file" => case(|w| w.set_number(0, 7), &[HOLDS, RELEASED]),
        "file-lost" => case(
            |w| w.lose_file(0, FileReading::Unreadable(13)),
            &[(0, "master-down", &[], &["file-without-number"])],
        ),
        "process" | "flapping-process" => case(end_process, &[NONE_RUN, RELEASED]),
        "link" | "flapping-link" => case(|w| w.set_link(0, false), &[DOWN, SILENT]),
        "slow-kernel" => case(slow_link, &[DOWN, SILENT]),
        "tracked-link" => case(
            |w| w.set_other_link(0, false),
            &[
                (0, "interface-down", &["interface eth1 is down"], &["interface-down"]),
                RELEASED,
            ],
        ),
        "address" => case(
            |w| w.set_addresses(0, false),
            &[(0, "no-source-address", &["eth0"], &["no-source-address"])],
        ),
        "sockets" => case(
            |w| w.set_sockets(0, false),
            &[(0, "configuration-fault", &["bind"], &[])],
        ),
        "theft" => case(
            steal,
            &[(0, "address-lost", &["somebody keeps deleting 192.0.2.100"], &[])],
        ),
        "foreign-claim" => case(claim, &[(0, "master-down", &[], &["foreign-claim"])]),
        "drain" => case(drain, &[(0, "drained", &[], &["drained"]), RELEASED]),
        "partition" => case(|w| cut(w, true, true), &[SILENT]),
        "one-way" => case(
            |w| cut(w, true, false),
            &[SILENT, (0, "master-down", &[], &["one-way", "dual-master"])],
        ),
        // The backup hears nobody; the master hears it, and that it does not hear.
        "deaf" => case(
            |w| cut(w, true, false),
            &[
                (1, "master-down", &["192.0.2.1 fell silent"], &[]),
                (0, "master-down", &[], &["one-way"]),
            ],
        ),
        "loss" => case(|w| w.network.loss = 1_000, &[SILENT]),
        "one-way-loss" => case(
            |w| w.network.loss_from = Some((0, 1_000)),
            &[SILENT, (0, "master-down", &[], &["one-way", "dual-master"])],
        ),
        "mute" => case(|w| w.network.muted = Some(51), &[SILENT]),
        "clock-step" => case(
            step,
            &[(
                1,
                "master-down",
                &["no valid advert of master 192.0.2.1", "dropped (auth_stale)"],
                &[],
            )],
        ),
        "delay" => case(|w| w.network.delay = Micros::from_millis(250), &[]),
        "reordering" => case(|w| w.network.jitter = Micros(1_500_000), &[]),
        "duplication" => case(|w| w.network.duplication = 500, &[]),
        _ => None,
    }
}

/// The better node tracks everything that can fail, each as a fault.
fn nodes(signed: bool) -> Vec<Node> {
    let config = |priority| {
        let mut config = instance(Family::Ipv4, priority);
        if signed {
            config.authentication = Authentication::None;
            config.hmac = Some(Box::new(hmac(1)));
        }
        config
    };
    let mut better = config(150);
    better.track_interfaces = vec![TrackInterface {
        interface: other_link(),
        weight: Weight::ZERO,
    }];
    let better = node(better, 1, Some((0, 1, 1)));
    let mut better = with_process(with_file(better, Weight::ZERO), 1, None);
    better.other_link_up = Some(true);
    vec![better, node(config(100), 2, None)]
}

fn every_kind(planted: Planted) -> Result<(), Violation> {
    for kind in KINDS {
        let signed = matches!(kind, "clock-step" | "key-rotation");
        let mut w = World::new(nodes(signed), 7, planted);
        w.advance(Micros::from_secs(12));
        let Some(case) = case(kind) else {
            expect(&mut w, false, &format!("nobody has said which cause {kind} has"));
            return verdict(&w);
        };
        let before = w.takeovers;
        w.disturb(kind);
        (case.inject)(&mut w);
        let still = w.takeovers == before;
        if !matches!(kind, "respawn" | "theft" | "foreign-claim") {
            w.advance(Micros::from_secs(10));
        }
        if case.said.is_empty() {
            let calm = still && w.takeovers == before;
            expect(&mut w, calm, &format!("{kind} moves nothing"));
        }
        for (index, code, words, problems) in case.said {
            let (got, text) = w.reason(*index);
            let named = got == *code && words.iter().all(|word| text.contains(word));
            let shown = w.problems(*index);
            let shows = problems.iter().all(|code| shown.iter().any(|one| one == code));
            let what = format!("{kind}, node {index}: {code} {words:?} {problems:?}, not {got}: {text}, {shown:?}");
            expect(&mut w, named && shows, &what);
        }
        verdict(&w)?;
    }
    Ok(())
}

fn power_cut(w: &mut World) {
    (0..2).for_each(|index| w.crash(index));
    w.advance(Micros::from_secs(1));
    (0..2).for_each(|index| w.boot(index));
}

fn respawn(w: &mut World) {
    w.respawn(0, Micros::from_millis(100));
    w.advance(Micros::from_millis(100));
}

fn sleep(w: &mut World, fall_asleep: fn(&mut World, usize)) {
    fall_asleep(w, 0);
    w.advance(Micros::from_secs(6));
    w.disturb("it goes on");
    w.pause(0, false);
}

fn lower(w: &mut World) {
    w.reload(0, |model| {
        model.instances.iter_mut().for_each(|i| i.priority = Priority(90))
    });
}

fn exchange(w: &mut World) {
    w.reload(0, |model| {
        for config in &mut model.instances {
            let more = config.vips.first().cloned().map(|mut vip| {
                vip.address = Ipv4Addr::new(192, 0, 2, 150).into();
                vip
            });
            config.vips = config.vips.iter().cloned().chain(more).collect();
        }
    });
}

/// What its successor knows is from before the reload.
fn die_in_reload(w: &mut World) {
    let legacy = w.nodes.first().and_then(|node| node.export(w.now));
    lower(w);
    w.crash(0);
    w.advance(Micros::from_millis(100));
    w.succeed(0, legacy.as_ref());
}

fn slower(w: &mut World) {
    for index in 0..2 {
        let two = AdvertInterval::from_centiseconds(200).unwrap_or_default();
        w.reload(index, |model| {
            model.instances.iter_mut().for_each(|i| i.advert_interval = two);
        });
    }
}

fn rotate(w: &mut World) {
    for index in 0..2 {
        w.reload(index, |model| {
            let hmacs = model.instances.iter_mut().filter_map(|config| config.hmac.as_mut());
            hmacs.for_each(|hmac| hmac.active_key = 2);
        });
        w.advance(Micros::from_secs(3));
    }
}

fn hang(w: &mut World) {
    if let Some(node) = w.nodes.first_mut() {
        node.hangs = Some(true);
    }
}

fn end_process(w: &mut World) {
    w.set_running(0, 0, (ProcessChange::Became, ProcessChange::Ceased));
}

fn slow_link(w: &mut World) {
    w.nodes
        .iter_mut()
        .for_each(|node| node.kernel_delay = Micros::from_millis(400));
    w.set_link(0, false);
}

fn steal(w: &mut World) {
    for _ in 0..6 {
        w.steal(0, 0);
        w.advance(Micros::from_millis(200));
    }
}

fn claim(w: &mut World) {
    for _ in 0..40 {
        if let Some(address) = w.virtual_address() {
            w.claim(0, address, MacAddr([2, 0, 0, 0, 9, 9]));
        }
        w.advance(Micros::from_millis(500));
    }
}

fn drain(w: &mut World) {
    let (name, length, force) = (None, None, false);
    w.tell(0, Event::Drain { name, length, force });
}

fn cut(w: &mut World, there: bool, back: bool) {
    w.network.set_cut(0, 1, there);
    w.network.set_cut(1, 0, back);
}

/// The other one takes its adverts for old ones.
fn step(w: &mut World) {
    let to = w.nodes.first().map_or(Micros::ZERO, |node| node.wall(Instant(0)));
    w.step_clock(0, to.saturating_sub(Micros::from_secs(1_000)));
}
