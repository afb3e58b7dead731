//! Static addresses, and interfaces that instances need because something else stands on them.

use super::*;
use crate::proto::snapshot::Problem;

fn name(text: &str) -> IfName {
    text.parse().unwrap()
}

fn at(last: u8, interface: &str) -> StaticAddress {
    StaticAddress {
        address: VirtualAddress::plain(Ipv4Addr::new(198, 51, 100, last).into(), 24, name(interface)),
        track_group: None,
    }
}

fn statics(list: &[StaticAddress]) -> Model {
    Model {
        static_addresses: list.to_vec(),
        ..model(instance())
    }
}

fn eth1(running: bool) -> Event<'static> {
    Event::Link(Link {
        index: IfIndex(3),
        name: name("eth1"),
        running,
        mac: None,
        mtu: 1500,
        loopback: false,
        no_arp: false,
        multicast: true,
        flags: 0,
    })
}

/// What was wished for static addresses: their last bytes, `-` before a removal, `again` and positions.
fn wishes(rig: &mut Rig) -> Vec<String> {
    let last = |wish: &AddressWish| {
        let last = wish.addresses.iter().map(|one| one.address.to_string());
        last.map(|text| text.rsplit('.').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let of_statics = |wish: &AddressWish| wish.instance == InstanceId::STATIC;
    let told = rig.take().into_iter().filter_map(|action| match action {
        Action::SetAddresses(wish) if of_statics(&wish) => Some(last(&wish)),
        Action::ClearAddresses(wish) if of_statics(&wish) => Some(format!("-{}", last(&wish))),
        Action::RestoreAddress { instance, index, .. } if instance == InstanceId::STATIC => {
            Some(format!("again {index}"))
        }
        _ => None,
    });
    told.collect()
}

/// The ticket of the newest wish, which counts up with every wish of this core.
fn stolen(rig: &Rig, index: u32) -> Event<'static> {
    let newest = rig.log.iter().rev().find_map(|action| match action {
        Action::SetAddresses(wish) if wish.instance == InstanceId::STATIC => Some(wish.ticket),
        _ => None,
    });
    Event::AddressStolen {
        instance: InstanceId::STATIC,
        ticket: newest.unwrap(),
        index,
        culprit: Culprit {
            port: 4711,
            process: Some("ip".into()),
        },
    }
}

fn missing(rig: &Rig) -> Vec<Problem> {
    let problems = rig.core.snapshot(rig.now).problems.into_iter();
    problems
        .filter(|problem| problem.code == "static-address-missing")
        .collect()
}

fn present(rig: &Rig) -> Vec<bool> {
    let all = rig.core.snapshot(rig.now).static_addresses;
    all.iter().map(|one| one.present).collect()
}

#[test]
fn static_addresses_are_set_at_the_start_and_removed_at_the_stop_whatever_the_instances_do() {
    let mut rig = Rig::unstarted(statics(&[at(1, "eth0"), at(2, "eth0")]));
    rig.event(link(false));
    rig.event(Event::Start);
    assert_eq!((rig.state(), present(&rig)), (StateName::Fault, vec![true, true]));
    assert_eq!(wishes(&mut rig), ["1 2"]);
    rig.event(Event::Leave);
    assert_eq!(wishes(&mut rig), ["-1 2"], "also where virtual addresses are left");
    assert_eq!(rig.core.snapshot(rig.now).static_addresses.len(), 2);
}

#[test]
fn the_stop_waits_until_static_addresses_are_gone() {
    let mut core = Rig::new(statics(&[at(1, "eth0")])).core;
    core.handle(Event::Shutdown, Instant(SECOND));
    let mut gone = None;
    while let Some(action) = core.poll_action() {
        match action {
            Action::ClearAddresses(wish) if wish.instance == InstanceId::STATIC => {
                let (instance, ticket) = (wish.instance, wish.ticket);
                gone = Some(Event::AddressesGone { instance, ticket });
            }
            Action::ClearAddresses(wish) => {
                let (instance, ticket) = (wish.instance, wish.ticket);
                core.handle(Event::AddressesGone { instance, ticket }, Instant(SECOND));
            }
            Action::Stopped => panic!("it has not waited"),
            _ => {}
        }
    }
    core.handle(gone.unwrap(), Instant(SECOND));
    let mut rest = std::iter::from_fn(|| core.poll_action());
    assert!(rest.any(|action| action == Action::Stopped));
}

#[test]
fn one_waits_for_its_interface_and_is_set_when_that_appears_and_again_when_it_comes_back() {
    let mut rig = Rig::new(statics(&[at(1, "eth0"), at(2, "eth1")]));
    assert_eq!(wishes(&mut rig), ["1"]);
    let problems = missing(&rig);
    let words =
        "static address 198.51.100.2/24 is not there: the interface eth1 does not exist; it is set when it appears";
    assert_eq!(problems.iter().map(|p| &*p.text).collect::<Vec<_>>(), [words]);
    rig.event(eth1(false));
    assert_eq!(
        (wishes(&mut rig), present(&rig)),
        (vec!["1 2".into()], vec![true, true])
    );
    assert!(missing(&rig).is_empty());
    rig.event(eth1(true));
    assert_eq!(wishes(&mut rig), [""; 0], "nothing is missing");
    rig.event(Event::LinkGone(IfIndex(3)));
    assert_eq!((wishes(&mut rig), present(&rig)), (vec!["1".into()], vec![true, false]));
    rig.event(eth1(true));
    assert_eq!(wishes(&mut rig), ["1 2"]);
}

#[test]
fn one_that_was_refused_is_asked_for_again_with_the_next_news_of_its_interface() {
    let mut rig = Rig::new(statics(&[at(1, "eth0")]));
    let Event::AddressStolen { ticket, .. } = stolen(&rig, 0) else {
        panic!("no wish")
    };
    let refused = Event::AddressFailed {
        instance: InstanceId::STATIC,
        ticket,
        index: 0,
        errno: 13,
    };
    rig.event(refused);
    assert_eq!((missing(&rig).len(), present(&rig)), (1, vec![false]));
    rig.take();
    rig.event(link(false));
    assert_eq!((wishes(&mut rig), missing(&rig).len()), (vec!["1".into()], 0));
}

#[test]
fn one_that_somebody_deletes_is_put_back_unless_it_is_not_tracked() {
    let mut untracked = at(2, "eth0");
    untracked.address.no_track = true;
    let mut rig = Rig::new(statics(&[at(1, "eth0"), untracked]));
    let (first, second) = (stolen(&rig, 0), stolen(&rig, 1));
    rig.take();
    rig.event(first);
    rig.event(second);
    let lines = rig.log.iter().filter(|action| {
        let restored = StaticLine::Restored {
            culprit: Culprit {
                port: 4711,
                process: Some("ip".into()),
            },
        };
        matches!(action, Action::Log(LogEvent::Static { line, .. }) if *line == restored)
    });
    assert_eq!(lines.count(), 1);
    assert_eq!(wishes(&mut rig), ["again 0"]);
    assert_eq!(present(&rig), [false, false]);
    assert!(missing(&rig).is_empty(), "the loss of the second does not matter");
    rig.event(link(false));
    rig.event(link(true));
    // The rig's kernel does not answer what is set again.
    assert_eq!(
        wishes(&mut rig).last().map(String::as_str),
        Some("1"),
        "the second stays away"
    );
    assert_eq!(rig.core.static_snapshot().iter().filter(|one| one.present).count(), 1);
    rig.event(Event::LinkGone(IfIndex(2)));
    rig.event(link(true));
    assert_eq!(
        wishes(&mut rig).last().map(String::as_str),
        Some("1 2"),
        "a new interface"
    );
}

#[test]
fn losing_the_static_address_that_adverts_come_from_is_no_fault_while_it_is_put_back() {
    let fixed = StaticAddress {
        address: VirtualAddress::plain(OWN.into(), 24, eth0()),
        track_group: None,
    };
    let mut rig = Rig::new(statics(&[fixed]));
    rig.advance(4 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    let event = stolen(&rig, 0);
    let Event::AddressStolen { ticket, .. } = event else {
        panic!("no wish")
    };
    rig.event(event);
    assert_eq!(rig.state(), StateName::Master);
    rig.event(Event::AddressFailed {
        instance: InstanceId::STATIC,
        ticket,
        index: 0,
        errno: 13,
    });
    assert_eq!(rig.state(), StateName::Fault, "it could not be put back");
}

#[test]
fn a_reload_asks_for_what_is_new_and_says_what_is_no_more() {
    let mut rig = Rig::new(statics(&[at(1, "eth0"), at(2, "eth0"), at(3, "eth1")]));
    rig.take();
    rig.event(Event::Reload(
        statics(&[at(1, "eth0"), at(2, "eth0"), at(3, "eth1")]).into(),
    ));
    assert_eq!(wishes(&mut rig), [""; 0], "nothing has changed");
    let mut labelled = at(1, "eth0");
    labelled.address.label = Some("eth0:x".into());
    rig.event(Event::Reload(statics(&[at(4, "eth0"), labelled, at(5, "eth1")]).into()));
    let lines: Vec<String> = rig
        .log
        .iter()
        .filter_map(|action| match action {
            Action::Log(LogEvent::Static { address, line, .. }) => Some(format!("{address} {line:?}")),
            _ => None,
        })
        .collect();
    let leaves = |last: u8| format!("198.51.100.{last}/24 Leaves");
    assert_eq!(lines, [leaves(1), leaves(2), leaves(3), "198.51.100.5/24 Waits".into()]);
    assert_eq!(wishes(&mut rig), ["4 1"]);
    rig.event(Event::Reload(statics(&[]).into()));
    assert_eq!(wishes(&mut rig), [""], "a wish for nothing takes the others away");
}

type Change = fn(&mut Model);

/// An instance on eth0, and what makes it need eth1.
fn needing(change: impl FnOnce(&mut Model)) -> Rig {
    let mut model = model(instance());
    model.track_groups = vec![TrackGroup {
        name: "TG".into(),
        members: vec![InstanceId(0)],
    }];
    change(&mut model);
    let mut rig = Rig::unstarted(model);
    rig.event(eth1(true));
    rig.event(Event::Start);
    rig.advance(4 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    rig
}

fn route() -> Route {
    Route {
        interface: Some(name("eth1")),
        ..Route::new(Family::Ipv4, None)
    }
}

#[test]
fn an_interface_of_a_route_or_of_a_followed_static_address_that_goes_down_is_a_fault() {
    let group = Some(TrackGroupId(0));
    let cases: [(&str, Change); 2] = [
        ("virtual route default", |model| {
            model.instances[0].routes = vec![route()]
        }),
        ("static address 198.51.100.1/24 of track_group TG", |model| {
            model.static_addresses = vec![StaticAddress {
                track_group: Some(TrackGroupId(0)),
                ..at(1, "eth1")
            }];
        }),
    ];
    for (by, change) in cases {
        let mut rig = needing(change);
        rig.event(eth1(false));
        let shown = rig.core.snapshot(rig.now);
        let trackers: Vec<_> = shown.trackers.iter().map(|tracker| &*tracker.name).collect();
        assert_eq!(trackers, ["eth1"]);
        let reason = format!("interface eth1 is down ({by} is on it)");
        assert_eq!(
            (rig.state(), shown.instances[0].reason.to_string()),
            (StateName::Fault, reason)
        );
        rig.event(eth1(true));
        assert_eq!(rig.state(), StateName::Backup);
    }
    // The twin: nobody follows it.
    let mut rig = needing(|model| model.static_addresses = vec![at(1, "eth1")]);
    rig.event(eth1(false));
    assert_eq!(rig.state(), StateName::Master);
    // A reload makes it follow.
    let mut followed = rig.core.model().clone();
    followed.static_addresses[0].track_group = group;
    rig.event(Event::Reload(followed.into()));
    assert_eq!(rig.state(), StateName::Fault);
}

/// As keepalived 2.2.7 does, run with these settings.
#[test]
fn a_weight_does_not_count_for_an_interface_that_something_of_the_instance_is_on() {
    let tracked = |change: fn(&mut Model)| {
        let rig = needing(|model| {
            model.instances[0].track_interfaces = vec![TrackInterface {
                interface: name("eth1"),
                weight: Weight::new(10, false).unwrap(),
            }];
            change(model);
        });
        rig.core.snapshot(rig.now).instances[0].priority.effective.get()
    };
    assert_eq!(tracked(|_| {}), 110);
    assert_eq!(tracked(|model| model.instances[0].routes = vec![route()]), 100);
    assert_eq!(
        tracked(|model| {
            model.instances[0].excluded_vips =
                vec![VirtualAddress::plain("192.0.2.101".parse().unwrap(), 32, name("eth1"))];
        }),
        100
    );
}
