//! Who is master: timers, adverts of every kind, and moments that are late.

use super::*;

/// Table of wire.md section 9: priority, interval in centiseconds, Master_Down_Interval in microseconds.
#[test]
fn master_down_interval_equals_keepaliveds_table() {
    for (version, priority, cs, down) in [
        (Version::V2, 1, 100, 3_996_093),
        (Version::V2, 100, 100, 3_609_375),
        (Version::V2, 150, 100, 3_414_062),
        (Version::V2, 254, 100, 3_007_812),
        (Version::V2, 100, 500, 15_609_375),
        (Version::V3, 100, 100, 3_609_375),
        (Version::V3, 200, 25, 804_687),
        (Version::V3, 1, 1, 39_960),
        (Version::V3, 254, 4095, 123_169_921),
    ] {
        let mut config = instance();
        config.version = version;
        config.priority = Priority(priority);
        config.advert_interval = AdvertInterval::from_centiseconds(cs).unwrap();
        let rig = Rig::new(model(config));
        let got = rig.core.snapshot(rig.now).instances[0].master_down_interval;
        assert!(got.0.abs_diff(down) <= 3, "{version:?} {priority} {cs}: {got:?}");
    }
}

#[test]
fn alone_it_waits_a_whole_master_down_interval_and_then_advertises_first() {
    let mut rig = Rig::new(model(instance()));
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(3_609_374);
    assert_eq!(rig.state(), StateName::Backup);
    rig.take();
    rig.advance(3_609_375);
    assert_eq!(rig.state(), StateName::Master);
    // behaviour §7.1: advert, addresses, announcement, news.
    let order: Vec<_> = rig
        .take()
        .iter()
        .filter_map(|action| match action {
            Action::Transmit(t) => Some(format!("advert {}", t.priority)),
            Action::SetAddresses(_) => Some("set".into()),
            Action::Announce(a) => Some(format!("announce ×{}", a.rounds)),
            Action::StateChanged(change) => Some(format!("news {}", change.to.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["advert 100", "set", "announce ×5", "news MASTER"]);
    rig.advance(8_609_374);
    assert!(!rig.take().iter().any(|a| matches!(a, Action::Announce(_))));
    rig.advance(8_609_375);
    assert!(
        rig.take()
            .iter()
            .any(|a| matches!(a, Action::Announce(a) if a.rounds == 5)),
        "second burst after 5 s"
    );
}

#[test]
fn owner_is_master_at_once_and_only_at_the_start() {
    let mut config = instance();
    config.priority = Priority::OWNER;
    config.state = WantedState::Master;
    let mut rig = Rig::new(model(config));
    assert_eq!(rig.state(), StateName::Master);
    rig.event(link(false));
    assert_eq!(rig.state(), StateName::Fault);
    rig.event(link(true));
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(3_003_905);
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(3_003_907);
    assert_eq!(rig.state(), StateName::Master);
}

/// RFC 9568 section 6.4 and behaviour §2.3, §2.4: what each advert does in each state.
#[test]
fn state_by_event_table() {
    use StateName::{Backup, Master};
    for (start, preempt, from, priority, after) in [
        (Backup, true, HIGHER, 200, Backup),
        (Backup, true, HIGHER, 100, Backup),
        (Backup, true, HIGHER, 50, Master),
        (Backup, false, HIGHER, 50, Backup),
        (Backup, true, HIGHER, 0, Master),
        (Master, true, HIGHER, 200, Backup),
        (Master, true, HIGHER, 100, Backup),
        (Master, true, LOWER, 100, Master),
        (Master, true, LOWER, 200, Backup),
        (Master, true, HIGHER, 50, Master),
        (Master, false, HIGHER, 50, Master),
        (Master, false, HIGHER, 200, Backup),
        (Master, true, HIGHER, 0, Master),
    ] {
        let mut config = instance();
        config.preempt = preempt;
        let mut rig = Rig::new(model(config));
        if start == Master {
            rig.advance(4 * SECOND);
        } else {
            rig.advance(2 * SECOND);
        }
        assert_eq!(rig.state(), start);
        rig.hear(from, priority);
        // Long enough for what was armed before the advert, too short for what an accepted one arms (3.6 s).
        rig.advance(if start == Master { 4 * SECOND } else { 2 * SECOND } + 3 * SECOND);
        assert_eq!(
            rig.state(),
            after,
            "{start:?} preempt {preempt} hears {priority} from {from}"
        );
    }
}

#[test]
fn priority_zero_makes_a_backup_wait_skew_time_only() {
    let mut rig = Rig::new(model(instance()));
    rig.hear(HIGHER, 200);
    rig.hear(HIGHER, 0);
    rig.advance(609_374);
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(609_375);
    assert_eq!(rig.state(), StateName::Master);
    assert!(matches!(
        rig.core.snapshot(rig.now).instances[0].reason,
        Reason::MasterReleased { .. }
    ));
}

#[test]
fn invalid_adverts_change_no_timer_in_any_state() {
    // Trap T1: keepalived's master falls silent under a stream of these.
    for (name, break_it) in [
        ("checksum", 6),
        ("vrid count", 3),
        ("interval", 5),
        ("auth type", 4),
        ("version", 0),
    ] {
        let mut rig = Rig::new(model(instance()));
        let mut message = build(
            Version::V2,
            Family::Ipv4,
            Vrid::new(51).unwrap(),
            Priority(250),
            AdvertInterval::DEFAULT,
            &Authentication::None,
            &["192.0.2.100".parse().unwrap()],
            ChecksumForm::MessageOnly,
            HIGHER.into(),
            Family::Ipv4.vrrp_group(),
        );
        message[break_it] ^= 0x10;
        for tenth in 1..=100 {
            rig.advance(tenth * SECOND / 10);
            rig.hear_bytes(HIGHER, &message, 255);
        }
        assert_eq!(rig.state(), StateName::Master, "{name}");
        // Master at 3.609 s, then one a second until 10 s.
        assert_eq!(rig.adverts(), vec![100; 7], "{name}");
        let dropped: u64 = rig.core.snapshot(rig.now).instances[0].counters.dropped.iter().sum();
        assert_eq!(dropped, 100, "{name}");
        let lines = rig
            .log
            .iter()
            .filter(|a| {
                matches!(
                    a,
                    Action::Log(LogEvent::Instance {
                        line: InstanceLine::Dropped { .. },
                        ..
                    })
                )
            })
            .count();
        assert!(lines <= 3, "{name}: {lines} lines");
    }
}

#[test]
fn a_late_wake_up_sends_one_advert_and_keeps_the_grid() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(3_609_375);
    rig.take();
    rig.now = Instant(SECOND + 3_609_375 + 3_400_000);
    rig.core.handle_timeout(rig.now);
    rig.drain();
    assert_eq!(rig.adverts().len(), 1);
    let counters = rig.core.snapshot(rig.now).instances[0].counters.clone();
    assert_eq!(counters.skipped_slots, 2);
    assert_eq!(
        rig.core.next_deadline(),
        Some((Instant(SECOND + 3_609_375 + 4_000_000), Timer::Advert))
    );
}

#[test]
fn a_late_advert_serves_the_slot_that_is_about_to_come() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(4 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    let next = rig.core.brief(0).unwrap().timer.unwrap();
    rig.take();
    // 2 ms before the next slot: adverts may leave 4 ms early together with others, but never two of one instance.
    rig.now = next + Micros(998_000);
    rig.core.handle_timeout(rig.now);
    rig.drain();
    assert_eq!(rig.adverts(), [100]);
    assert_eq!(rig.core.brief(0).unwrap().timer, Some(next + Micros::from_secs(2)));
}

#[test]
fn a_packet_that_arrived_before_the_deadline_counts_however_late_we_wake() {
    let mut rig = Rig::new(model(instance()));
    rig.now = Instant(SECOND + 3_700_000);
    let message = build(
        Version::V2,
        Family::Ipv4,
        Vrid::new(51).unwrap(),
        Priority(200),
        AdvertInterval::DEFAULT,
        &Authentication::None,
        &["192.0.2.100".parse().unwrap()],
        ChecksumForm::MessageOnly,
        HIGHER.into(),
        Family::Ipv4.vrrp_group(),
    );
    let header = Ipv4Header {
        tos: TOS_CS6,
        total_len: 0,
        id: 1,
        fragment: 0,
        ttl: 255,
        protocol: PROTO_VRRP,
        source: HIGHER,
        destination: Ipv4Addr::new(224, 0, 0, 18),
        header_len: 20,
    };
    let mut bytes = header.emit(20).to_vec();
    bytes.extend(message);
    let packet = Packet {
        interface: Some(IfIndex(2)),
        age: Micros(200_000),
        datagram: Datagram::Ipv4(bytes.into()),
    };
    rig.event(Event::Packet(packet));
    rig.core.handle_timeout(rig.now);
    rig.drain();
    assert_eq!(rig.state(), StateName::Backup);
    assert_eq!(
        rig.core.next_deadline(),
        Some((Instant(SECOND + 3_500_000 + 3_609_375), Timer::MasterDown))
    );
}

#[test]
fn preempt_delay_counts_from_the_first_worse_advert() {
    // behaviour §2.3, ran: delay 4 s, interval 1 s → take-over 6.4 s after the first advert (priority 150).
    let mut config = instance();
    config.priority = Priority(150);
    config.preempt_delay = Micros::from_secs(4);
    let mut rig = Rig::new(model(config));
    let mut master_at = None;
    for second in 1..=12 {
        rig.advance(second * SECOND);
        if rig.state() == StateName::Master && master_at.is_none() {
            master_at = rig.core.snapshot(rig.now).instances[0].since.0.checked_sub(2 * SECOND);
        }
        rig.hear(HIGHER, 100);
    }
    assert_eq!(master_at, Some(6_414_063 - 1), "after the first worse advert at 1 s");
}

#[test]
fn a_flood_of_worse_adverts_gets_few_answers() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(4 * SECOND);
    rig.take();
    for i in 0..5_000 {
        rig.advance(4 * SECOND + i * 200);
        rig.hear(HIGHER, 50);
    }
    assert_eq!(rig.state(), StateName::Master);
    let sent = rig.adverts().len();
    assert!((1..=9).contains(&sent), "{sent} adverts in one second");
    assert!(rig.take().len() < 200);
}
