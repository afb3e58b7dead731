//! What is told of other routers, true at every moment.

use super::*;
use crate::proto::counters::DropReason;
use crate::proto::log_event::{InstanceLine, Pace};
use crate::wire::auth::{Sequence, Trailer};
use crate::wire::vrrp::sign;

/// An advert that waited for so long in the socket.
fn waited(from: Ipv4Addr, priority: u8, age: u64) -> Event<'static> {
    let Event::Packet(packet) = advert(from, priority) else {
        unreachable!()
    };
    Event::Packet(Packet {
        age: Micros::from_millis(age),
        ..packet
    })
}

fn problems(rig: &Rig) -> Vec<String> {
    let problems = rig.core.snapshot(rig.now).problems.into_iter();
    problems.map(|problem| problem.code.into_owned()).collect()
}

#[test]
fn a_master_that_slept_does_not_blame_the_one_who_served_meanwhile() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(8_000_000);
    assert_eq!(rig.state(), StateName::Master);
    rig.now = Instant(SECOND + 20_000_000);
    rig.event(Event::Stalled {
        gap: Micros::from_secs(11),
    });
    for age in (0..8).rev() {
        rig.event(waited(HIGHER, 90, age * 1_000 + 10));
    }
    assert!(!problems(&rig).contains(&"one-way".into()), "{:?}", problems(&rig));
    // Who goes on although we are heard since, does not hear us.
    for second in 21..26 {
        rig.advance(second * SECOND);
        rig.hear(HIGHER, 90);
    }
    assert!(problems(&rig).contains(&"one-way".into()), "{:?}", problems(&rig));
}

#[test]
fn a_router_in_fault_knows_who_is_master() {
    let mut config = instance();
    config.track_interfaces = vec![TrackInterface {
        interface: "eth1".parse().unwrap(),
        weight: Weight::ZERO,
    }];
    let mut rig = Rig::new(model(config));
    assert_eq!(rig.state(), StateName::Fault);
    let master = |rig: &Rig| rig.core.snapshot(rig.now).instances[0].master.clone();
    assert_eq!(master(&rig), None);
    rig.take();
    rig.hear(HIGHER, 90);
    rig.hear_bytes(LOWER, b"\x21\x33\x01\x01garbage", 255);
    assert_eq!(master(&rig).map(|master| master.address), Some(HIGHER.into()));
    assert_eq!(rig.take(), [], "it only listens");
    rig.advance(4_000_000);
    assert_eq!(master(&rig), None, "that one is silent");
}

/// An advert of version 3 with this number, signed with the key of [`signed`].
fn signed_advert(from: Ipv4Addr, priority: u8, sequence: u64) -> Event<'static> {
    let group = Family::Ipv4.vrrp_group();
    let message = build(
        Version::V3,
        Family::Ipv4,
        Vrid::new(51).unwrap(),
        Priority(priority),
        AdvertInterval::DEFAULT,
        &Authentication::None,
        &["192.0.2.100".parse().unwrap()],
        ChecksumForm::PseudoHeader,
        from.into(),
        group,
    );
    let trailer = Trailer::new(1, Sequence(sequence));
    packet(from, &sign(&message, trailer, &[7; 32], from.into(), group), 255)
}

fn signed() -> Instance {
    let key = HmacKey {
        bytes: vec![7; 32],
        file: None,
    };
    Instance {
        version: Version::V3,
        hmac: Some(Box::new(HmacAuth {
            keys: [(1, key)].into(),
            active_key: 1,
            time_window: Micros::from_secs(5),
            anti_replay: AntiReplay::Monotonic,
            mode: HmacMode::Enforce,
        })),
        ..instance()
    }
}

/// keepalived reads nothing in fault, and believes afterwards whatever was sent meanwhile.
#[test]
fn a_router_in_fault_follows_the_numbers_of_authenticated_adverts() {
    let mut rig = Rig::new(model(signed()));
    rig.event(link(false));
    assert_eq!(rig.state(), StateName::Fault);
    let master = |rig: &Rig| rig.core.snapshot(rig.now).instances[0].master.clone();
    rig.event(signed_advert(HIGHER, 90, 5));
    assert!(master(&rig).is_some());
    rig.advance(4 * SECOND);
    assert_eq!(master(&rig), None, "that one is silent");
    rig.event(signed_advert(HIGHER, 90, 5));
    assert_eq!(master(&rig), None, "a replay says nothing of who is master");
    rig.event(link(true));
    rig.event(signed_advert(HIGHER, 90, 5));
    let dropped = |rig: &Rig| {
        rig.core.snapshot(rig.now).instances[0]
            .counters
            .dropped(DropReason::AuthReplay)
    };
    assert_eq!(dropped(&rig), 1, "nor does it after the fault");
    rig.event(signed_advert(HIGHER, 90, 6));
    assert!(master(&rig).is_some(), "a new one does");
}

/// One worse advert every 50 µs for so long, each from another address.
fn flood(rig: &mut Rig, seconds: u64) {
    let begun = rig.now.0 - SECOND;
    for i in 0..seconds * 20_000 {
        rig.advance(begun + i * 50);
        let from = Ipv4Addr::from(0x0a00_0000 + u32::try_from(i).unwrap());
        rig.hear(from, 50);
    }
}

#[test]
fn nobody_says_that_he_sends_what_an_interface_without_arp_does_not_send() {
    let paces = |no_arp: bool| {
        let Event::Link(link) = link(true) else { unreachable!() };
        let mut rig = Rig::unstarted(model(instance()));
        rig.event(Event::Link(Link { no_arp, ..link }));
        rig.event(Event::Start);
        rig.advance(8 * SECOND);
        assert_eq!(rig.state(), StateName::Master);
        let done = rig.take();
        let told = count(&done, |action| {
            matches!(
                action,
                Action::Log(LogEvent::Instance {
                    line: InstanceLine::ArpOff,
                    ..
                })
            )
        });
        let pace = done.iter().find_map(|action| match action {
            Action::Log(LogEvent::Announcing { addresses, .. }) => Some(addresses[0].2),
            _ => None,
        });
        (told, pace)
    };
    assert_eq!(paces(false), (0, Some(Pace::Direct)));
    assert_eq!(paces(true), (1, Some(Pace::Never)));
}

fn count(actions: &[Action], is: impl Fn(&Action) -> bool) -> usize {
    actions.iter().filter(|action| is(action)).count()
}

#[test]
fn a_master_answers_a_flood_of_worse_adverts_a_few_times_and_says_so_a_few_times() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(8 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    rig.take();
    flood(&mut rig, 10);
    assert_eq!(rig.state(), StateName::Master);
    assert!(!problems(&rig).contains(&"dual-master".into()), "{:?}", problems(&rig));
    let done = rig.take();
    let sent = count(&done, |action| matches!(action, Action::Transmit(_)));
    assert!((10..=50).contains(&sent), "{sent} adverts");
    let lines = count(&done, |action| matches!(action, Action::Log(_)));
    assert!(lines < 24, "{lines} lines");
    let told = count(&done, |action| {
        matches!(action, Action::Announce(_) | Action::Notify(_))
    });
    assert!(told < 100, "{told} announcements and notices");
}

#[test]
fn a_backup_that_is_flooded_says_that_its_master_fell_silent() {
    let mut rig = Rig::new(model(instance()));
    for second in 1..4 {
        rig.advance(second * SECOND);
        rig.hear(HIGHER, 150);
    }
    rig.take();
    flood(&mut rig, 5);
    let snapshot = rig.core.snapshot(rig.now);
    assert_eq!(snapshot.instances[0].state, StateName::Master);
    let reason = snapshot.instances[0].reason.to_string();
    assert!(reason.starts_with("master 192.0.2.9 fell silent"), "{reason}");
    assert!(snapshot.instances[0].peers.iter().any(|peer| peer.address == HIGHER));
    let lines = count(&rig.take(), |action| matches!(action, Action::Log(_)));
    assert!(lines < 30, "{lines} lines");
}

#[test]
fn a_change_of_priority_from_before_a_fault_is_no_cause_of_what_follows_it() {
    let mut rig = Rig::new(tracked(instance(), 20));
    rig.end_script(1);
    let reason = |rig: &Rig| rig.core.snapshot(rig.now).instances[0].reason.to_string();
    let hear_until_master = |rig: &mut Rig| {
        for _ in 0..40 {
            let next = rig.now.0 - SECOND + 100_000;
            rig.advance(next);
            if rig.state() == StateName::Master {
                return;
            }
            rig.hear(HIGHER, 110);
        }
        panic!("it does not take over");
    };
    rig.hear(HIGHER, 110);
    rig.advance_to_next_run();
    rig.end_script(0);
    hear_until_master(&mut rig);
    assert!(reason(&rig).contains("rose from 100 to 120"), "{}", reason(&rig));
    rig.event(link(false));
    rig.event(link(true));
    hear_until_master(&mut rig);
    let gone = "our last fault has gone: interface eth0 was down";
    assert!(reason(&rig).contains(gone), "{}", reason(&rig));
    assert!(!reason(&rig).contains("rose"), "{}", reason(&rig));
}

#[test]
fn a_start_is_why_a_worse_master_was_there_unless_a_better_one_was_meanwhile() {
    let reason = |rig: &Rig| rig.core.snapshot(rig.now).instances[0].reason.to_string();
    let preempt = |rig: &mut Rig| {
        while rig.state() != StateName::Master {
            rig.advance(rig.now.0 - SECOND + SECOND / 2);
            rig.hear(LOWER, 50);
        }
    };
    let mut rig = Rig::new(model(instance()));
    preempt(&mut rig);
    assert!(
        reason(&rig).ends_with("lower than ours, 100; the daemon started"),
        "{}",
        reason(&rig)
    );
    let mut rig = Rig::new(model(instance()));
    rig.hear(HIGHER, 150);
    preempt(&mut rig);
    assert!(!reason(&rig).contains("started"), "{}", reason(&rig));
}
