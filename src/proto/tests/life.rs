//! What happens to a daemon and its addresses: thefts, claims, stops, reloads, another process.

use super::*;

#[test]
fn a_stolen_address_is_put_back_five_times_and_then_given_up() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(4 * SECOND);
    for n in 1..=6 {
        let ticket = rig.core.instances[0].master_ticket().unwrap();
        rig.take();
        let culprit = Culprit {
            port: 77,
            process: Some("ip".into()),
        };
        rig.event(Event::AddressStolen {
            instance: InstanceId(0),
            ticket,
            index: 0,
            culprit,
        });
        let put_back = rig.log.iter().any(|a| matches!(a, Action::RestoreAddress { .. }));
        assert_eq!(put_back, n <= 5, "theft {n}");
    }
    assert_eq!(rig.state(), StateName::Backup);
    assert_eq!(rig.adverts(), [0]);
}

/// A new master sends its advert first, but its announcement may be read first: it must not be contradicted.
#[test]
fn a_claim_that_an_advert_explains_is_not_answered() {
    for explained in [true, false] {
        let mut rig = Rig::new(model(instance()));
        rig.advance(20 * SECOND);
        rig.take();
        rig.event(Event::NeighbourClaim {
            interface: IfIndex(2),
            address: "192.0.2.100".parse().unwrap(),
            mac: MacAddr([2, 0, 0, 0, 9, 9]),
        });
        rig.advance(20 * SECOND + 1_000);
        if explained {
            rig.hear(HIGHER, 200);
        }
        rig.advance(20 * SECOND + 200_000);
        let answers = rig.log.iter().filter(|a| matches!(a, Action::Announce(_))).count();
        assert_eq!(answers, usize::from(!explained), "explained: {explained}");
    }
}

#[test]
fn shutdown_releases_clears_and_then_stops() {
    let mut rig = Rig::new(model(instance()));
    rig.advance(4 * SECOND);
    rig.take();
    rig.event(Event::Shutdown);
    let order: Vec<_> = rig
        .take()
        .iter()
        .filter_map(|action| match action {
            Action::Transmit(t) => Some(format!("advert {}", t.priority)),
            Action::ClearAddresses(_) => Some("clear".into()),
            Action::Stopped => Some("stopped".into()),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["advert 0", "clear", "stopped"]);
    assert_eq!(rig.core.next_deadline(), None);
}

#[test]
fn an_unchanged_instance_notices_nothing_of_a_reload() {
    let mut other = instance();
    other.name = "VI_2".into();
    other.vrid = Vrid::new(52).unwrap();
    let before = Model {
        instances: vec![instance(), other.clone()],
        ..Model::default()
    };
    let mut rig = Rig::new(before);
    rig.advance(4 * SECOND);
    rig.take();
    other.priority = Priority(120);
    rig.event(Event::Reload(Arc::new(Model {
        instances: vec![instance(), other],
        ..Model::default()
    })));
    let touched: Vec<_> = rig
        .take()
        .into_iter()
        .filter(|a| !matches!(a, Action::Log(_) | Action::Happened(_)))
        .filter(|a| match a {
            Action::Transmit(t) => t.instance == InstanceId(0),
            Action::SetAddresses(w) | Action::ClearAddresses(w) => w.instance == InstanceId(0),
            Action::Announce(a) => a.instance == InstanceId(0),
            Action::StateChanged(c) => c.instance == InstanceId(0),
            Action::OpenSocket(_) | Action::CloseSocket(_) => true,
            _ => false,
        })
        .collect();
    assert_eq!(touched, []);
    assert_eq!(rig.state(), StateName::Master);
    assert_eq!(rig.core.snapshot(rig.now).instances[1].state, StateName::Master);
}

#[test]
fn same_model_and_events_give_the_same_actions() {
    let run = || {
        let mut rig = Rig::new(tracked(instance(), -20));
        rig.end_script(1);
        rig.advance(5 * SECOND);
        rig.hear(HIGHER, 90);
        rig.advance(9 * SECOND);
        rig.take()
    };
    assert_eq!(run(), run());
}

#[test]
fn source_is_never_a_virtual_address() {
    let mut rig = Rig::new(model(instance()));
    rig.event(Event::AddressGone(LinkAddress {
        index: IfIndex(2),
        address: OWN.into(),
        prefix_len: 24,
    }));
    assert_eq!(rig.state(), StateName::Fault);
    let vip: IpAddr = "192.0.2.100".parse().unwrap();
    rig.event(Event::AddressAdded(LinkAddress {
        index: IfIndex(2),
        address: vip,
        prefix_len: 32,
    }));
    assert_eq!(rig.state(), StateName::Fault);
}
