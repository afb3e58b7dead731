//! What interfaces count as: delays, polling, other names.

use super::*;

fn eth1() -> IfName {
    "eth1".parse().unwrap()
}

fn other(name: &str, running: bool, flags: u32) -> Event<'static> {
    Event::Link(Link {
        index: IfIndex(3),
        name: name.parse().unwrap(),
        running,
        mac: None,
        mtu: 1500,
        loopback: false,
        no_arp: false,
        multicast: true,
        flags,
    })
}

/// Tracks eth1 with this weight; the core knows eth1 as up.
fn rig(weight: i16, change: impl FnOnce(&mut Model)) -> Rig {
    let mut config = instance();
    config.track_interfaces = vec![TrackInterface {
        interface: eth1(),
        weight: Weight::new(weight, false).unwrap(),
    }];
    let mut model = model(config);
    change(&mut model);
    let mut rig = Rig::unstarted(model);
    rig.event(other("eth1", true, 0x11043));
    rig.event(Event::Start);
    rig
}

fn delayed(interface: &str, down: u64, up: u64) -> impl FnOnce(&mut Model) {
    let delay = InterfaceDelay {
        interface: interface.parse().unwrap(),
        down: Micros::from_millis(down),
        up: Micros::from_millis(up),
    };
    move |model| model.global.interface_delays = vec![delay]
}

fn priority(rig: &Rig) -> u8 {
    rig.core.snapshot(rig.now).instances[0].priority.effective.get()
}

fn lines(rig: &mut Rig) -> Vec<InterfaceLine> {
    let lines = rig.take().into_iter().filter_map(|action| match action {
        Action::Log(LogEvent::Interface { line, .. }) => Some(line),
        _ => None,
    });
    lines.collect()
}

#[test]
fn a_change_counts_after_its_delay_and_one_that_reverts_does_not() {
    let mut rig = rig(-20, delayed("eth1", 1_000, 2_000));
    assert_eq!(priority(&rig), 100);
    rig.take();
    rig.event(other("eth1", false, 0x1003));
    rig.advance(400_000);
    rig.event(other("eth1", true, 0x11043));
    rig.advance(3_000_000);
    assert_eq!(priority(&rig), 100);
    let delayed = InterfaceLine::Delayed {
        from: 0x11043,
        to: 0x1003,
        delay: Micros::SECOND,
    };
    assert_eq!(lines(&mut rig), [delayed.clone(), InterfaceLine::DelayCancelled]);
    rig.event(other("eth1", false, 0x1003));
    rig.advance(3_999_999);
    assert_eq!(priority(&rig), 100);
    rig.advance(4_000_000);
    assert_eq!(priority(&rig), 80);
    assert_eq!(lines(&mut rig), [delayed, InterfaceLine::Down]);
    rig.event(other("eth1", true, 0x11043));
    rig.advance(5_999_999);
    assert_eq!(priority(&rig), 80);
    rig.advance(6_000_000);
    assert_eq!(priority(&rig), 100);
}

#[test]
fn the_first_time_up_and_a_deletion_are_never_delayed() {
    let mut rig = rig(-20, delayed("eth1", 5_000, 5_000));
    rig.event(Event::LinkGone(IfIndex(3)));
    assert_eq!(priority(&rig), 80);
    rig.event(other("eth1", false, 0x1002));
    assert_eq!(priority(&rig), 80);
    rig.event(other("eth1", true, 0x11043));
    assert_eq!(priority(&rig), 100);
}

#[test]
fn a_delay_of_the_own_interface_ends_before_the_others_miss_an_advert() {
    // (3 - 1) adverts of 1 s, less a 256th of it (semantic-checks 54).
    let mut rig = rig(0, delayed("eth0", 60_000, 0));
    rig.take();
    rig.event(link(false));
    rig.advance(1_996_093);
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(1_996_094);
    assert_eq!(rig.state(), StateName::Fault);
    assert!(lines(&mut rig).contains(&InterfaceLine::DelayReduced));
}

#[test]
fn another_name_is_another_link_and_its_addresses_go_with_it() {
    let mut rig = rig(0, |_| {});
    rig.take();
    rig.event(other("eth9", true, 0x11043));
    assert_eq!(rig.state(), StateName::Fault);
    let renamed = InterfaceLine::Renamed {
        to: "eth9".parse().unwrap(),
    };
    assert_eq!(lines(&mut rig), [renamed]);
    rig.event(other("eth1", true, 0x11043));
    assert_eq!(rig.state(), StateName::Backup);
    let mut own = link(true);
    if let Event::Link(link) = &mut own {
        link.name = "old0".parse().unwrap();
    }
    rig.event(own);
    assert_eq!(rig.state(), StateName::Fault);
    rig.event(link(true));
    assert_eq!(rig.state(), StateName::Backup);
    assert_eq!(rig.core.snapshot(rig.now).instances[0].source, Some(OWN.into()));
}

#[test]
fn a_polled_interface_counts_as_what_it_answers() {
    let mut rig = rig(-20, |model| {
        model.global.linkbeat_interfaces = vec![LinkBeat {
            interface: eth1(),
            method: Some(LinkBeatMethod::Mii),
        }];
    });
    let asked = |rig: &mut Rig| {
        let actions = rig.take();
        let asked = actions.iter().filter_map(|action| match action {
            Action::AskLink { name, method, .. } => Some((name.clone(), *method)),
            _ => None,
        });
        asked.collect::<Vec<_>>()
    };
    rig.advance(0);
    assert_eq!(asked(&mut rig), [(eth1(), Some(LinkBeatMethod::Mii))]);
    let answer = |up| Event::LinkBeat {
        interface: IfIndex(3),
        up,
        method: LinkBeatMethod::Ethtool,
    };
    rig.event(answer(true));
    rig.event(answer(true));
    let otherwise = InterfaceLine::PolledOtherwise {
        configured: LinkBeatMethod::Mii,
        used: LinkBeatMethod::Ethtool,
    };
    assert_eq!(lines(&mut rig), [otherwise]);
    // The kernel's message is not believed, the answer is.
    rig.event(other("eth1", false, 0x1003));
    assert_eq!(priority(&rig), 100);
    rig.advance(1_000_000);
    assert_eq!(asked(&mut rig), [(eth1(), Some(LinkBeatMethod::Ethtool))]);
    rig.event(answer(false));
    assert_eq!(priority(&rig), 80);
    assert_eq!(lines(&mut rig), [InterfaceLine::AnswersDown]);
    // Without the poll the kernel is believed again.
    rig.event(other("eth1", true, 0x11043));
    let mut model = rig.core.model().clone();
    model.global.linkbeat_interfaces.clear();
    rig.event(Event::Reload(Arc::new(model)));
    assert_eq!(priority(&rig), 100);
    rig.advance(5_000_000);
    assert_eq!(asked(&mut rig), []);
}

#[test]
fn dont_track_primary_leaves_the_own_interface_out_but_not_a_missing_one() {
    let mut config = instance();
    config.dont_track_primary = true;
    let mut rig = Rig::new(model(config));
    rig.event(link(false));
    assert_eq!(rig.state(), StateName::Backup);
    rig.event(Event::LinkGone(IfIndex(2)));
    assert_eq!(rig.state(), StateName::Fault);
}

#[test]
fn interfaces_of_virtual_addresses_are_tracked_unless_they_say_otherwise() {
    for (no_track, state) in [(false, StateName::Fault), (true, StateName::Backup)] {
        let mut config = instance();
        let mut vip = VirtualAddress::plain("192.0.2.101".parse().unwrap(), 32, eth1());
        vip.no_track = no_track;
        config.excluded_vips = vec![vip];
        let mut rig = Rig::unstarted(model(config));
        rig.event(other("eth1", true, 0));
        rig.event(Event::Start);
        assert_eq!(rig.state(), StateName::Backup);
        rig.event(other("eth1", false, 0));
        assert_eq!(rig.state(), state, "no_track {no_track}");
    }
}

#[test]
fn a_configured_source_is_missed_only_if_it_is_tracked() {
    for (tracked, state) in [(true, StateName::Fault), (false, StateName::Backup)] {
        let mut config = instance();
        config.source = Some(OWN.into());
        config.track_source = tracked;
        let mut rig = Rig::new(model(config));
        let own = LinkAddress {
            index: IfIndex(2),
            address: OWN.into(),
            prefix_len: 24,
        };
        rig.event(Event::AddressGone(own));
        assert_eq!(rig.state(), state, "track_src_ip {tracked}");
        rig.event(Event::AddressAdded(own));
        assert_eq!(rig.state(), StateName::Backup);
    }
}

/// Seen from keepalived: of three members with priority 100, the one on the tracked interface stays at 100, the others are
/// at 103; so is one on it that has dont_track_primary.
#[test]
fn the_weight_of_a_group_does_not_count_for_a_member_on_the_tracked_interface() {
    for (own, dont_track_primary, expected) in [(false, false, 103), (true, false, 100), (true, true, 103)] {
        let rig = rig(0, |model| {
            model.instances[0].track_interfaces.clear();
            model.instances[0].dont_track_primary = dont_track_primary;
            model.instances[0].sync_group = Some(GroupId(0));
            model.groups = vec![SyncGroup {
                name: "SG".into(),
                members: vec![InstanceId(0)],
                tracking_weight: true,
                track_interfaces: vec![TrackInterface {
                    interface: if own { eth0() } else { eth1() },
                    weight: Weight::new(3, false).unwrap(),
                }],
                ..SyncGroup::default()
            }];
        });
        assert_eq!(
            priority(&rig),
            expected,
            "own {own}, dont_track_primary {dont_track_primary}"
        );
    }
}

#[test]
fn a_polled_interface_is_delayed_as_well() {
    let delays = delayed("eth1", 2_000, 0);
    let mut rig = rig(-20, |model| {
        delays(model);
        model.global.linkbeat_interfaces = vec![LinkBeat {
            interface: eth1(),
            method: None,
        }];
    });
    let answer = |up| Event::LinkBeat {
        interface: IfIndex(3),
        up,
        method: LinkBeatMethod::Mii,
    };
    rig.event(answer(true));
    rig.advance(1_000_000);
    rig.event(answer(false));
    rig.advance(2_999_999);
    assert_eq!(priority(&rig), 100);
    rig.advance(3_000_000);
    assert_eq!(priority(&rig), 80);
}

#[test]
fn an_interface_of_a_reversed_weight_of_0_is_a_fault_while_it_is_up() {
    // Seen with keepalived 2.2.7 (`netns-tests/links.rs`, reverse-fault).
    let mut config = instance();
    config.track_interfaces = vec![TrackInterface {
        interface: eth1(),
        weight: Weight::new(0, true).unwrap(),
    }];
    let mut rig = Rig::unstarted(model(config));
    rig.event(other("eth1", true, 0x11043));
    rig.event(Event::Start);
    let snapshot = rig.core.snapshot(rig.now);
    assert_eq!(snapshot.instances[0].state, StateName::Fault);
    let reason = snapshot.instances[0].reason.to_string();
    assert_eq!(
        reason,
        "interface eth1 failed (it is up, and its weight of 0 is reversed)"
    );
    rig.event(other("eth1", false, 0x1003));
    assert_eq!(rig.state(), StateName::Backup);
    rig.event(other("eth1", true, 0x11043));
    assert_eq!(rig.state(), StateName::Fault);
}
