//! Tests of a single core, driven by hand.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for the few actions that it is about"
)]

mod checks;
mod election;
mod group;
mod life;
mod links;
mod notify;
mod others;
mod statics;
mod table;
mod trackers;

use super::*;
use crate::model::Instance;
use crate::model::*;
use crate::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use crate::wire::vrrp::{ChecksumForm, build};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const LOWER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 0x00);
const HIGHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const SECOND: u64 = 1_000_000;

fn eth0() -> IfName {
    "eth0".parse().unwrap()
}

fn instance() -> Instance {
    let vip = VirtualAddress::plain("192.0.2.100".parse().unwrap(), 32, eth0());
    Instance::new("VI_1", Vrid::new(51).unwrap(), eth0(), vec![vip])
}

fn script(weight: i16) -> Script {
    Script {
        name: "chk".into(),
        argv: vec!["/bin/true".into()],
        path: Some("/bin/true".into()),
        user: None,
        interval: Micros::from_secs(2),
        timeout: Some(Micros::from_secs(2)),
        weight: Weight::new(weight, false).unwrap(),
        rise: 1,
        fall: 1,
        init_fail: false,
        account: None,
        opens: None,
        insecure: false,
    }
}

fn file(name: &str) -> TrackedFile {
    TrackedFile {
        name: name.into(),
        path: format!("/run/{name}"),
        weight: Weight::ZERO,
        init: None,
    }
}

fn model(config: Instance) -> Model {
    Model {
        instances: vec![config],
        ..Model::default()
    }
}

fn tracked(mut config: Instance, weight: i16) -> Model {
    config.track_scripts = vec![TrackScript {
        script: ScriptId(0),
        weight: Weight::new(weight, false).unwrap(),
    }];
    Model {
        scripts: vec![script(weight)],
        ..model(config)
    }
}

fn link(running: bool) -> Event<'static> {
    Event::Link(Link {
        index: IfIndex(2),
        name: eth0(),
        running,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu: 1500,
        loopback: false,
        no_arp: false,
        multicast: true,
        flags: 0,
    })
}

/// A core on a link that is up, with the address 192.0.2.1.
struct Rig {
    core: Core,
    now: Instant,
    log: Vec<Action>,
}

impl Rig {
    fn new(model: Model) -> Self {
        let mut rig = Self::unstarted(model);
        rig.event(Event::Start);
        rig
    }

    /// Links and addresses are told, the start is not.
    fn unstarted(model: Model) -> Self {
        let mut rig = Self {
            core: Core::new(model, 0, Instant(SECOND)),
            now: Instant(SECOND),
            log: Vec::new(),
        };
        rig.event(link(true));
        rig.event(Event::AddressAdded(LinkAddress {
            index: IfIndex(2),
            address: OWN.into(),
            prefix_len: 24,
        }));
        rig
    }

    fn event(&mut self, event: Event<'_>) {
        self.core.handle(event, self.now);
        self.drain();
    }

    /// Carries actions out as a kernel that does everything at once.
    fn drain(&mut self) {
        while let Some(action) = self.core.poll_action() {
            let answer = match &action {
                Action::SetAddresses(wish) => Some(Event::AddressesPresent {
                    instance: wish.instance,
                    ticket: wish.ticket,
                    first: 0,
                    count: u32::try_from(wish.addresses.len()).unwrap(),
                    complete: true,
                }),
                Action::ClearAddresses(w) => Some(Event::AddressesGone {
                    instance: w.instance,
                    ticket: w.ticket,
                }),
                Action::Announce(a) if a.report => Some(Event::Announced {
                    instance: a.instance,
                    ticket: a.ticket,
                }),
                _ => None,
            };
            self.log.push(action);
            if let Some(answer) = answer {
                self.core.handle(answer, self.now);
            }
        }
    }

    /// Moves to a time given in microseconds after the start, running what is due on the way.
    fn advance(&mut self, micros: u64) {
        let until = Instant(SECOND + micros);
        while let Some((at, _)) = self.core.next_deadline().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn hear(&mut self, from: Ipv4Addr, priority: u8) {
        self.event(advert(from, priority));
    }

    fn hear_bytes(&mut self, from: Ipv4Addr, message: &[u8], ttl: u8) {
        self.event(packet(from, message, ttl));
    }

    /// The run that was begun last.
    fn runs(&self) -> Option<RunId> {
        self.log.iter().rev().find_map(|a| match a {
            Action::RunScript { run, .. } => Some(*run),
            _ => None,
        })
    }

    /// To the next start of the script, 2 s after the last one.
    fn advance_to_next_run(&mut self) {
        let before = self.runs();
        for _ in 0..30 {
            let next = self.now.0 - SECOND + 100_000;
            self.advance(next);
            if self.runs() != before {
                return;
            }
        }
    }

    fn end_script(&mut self, status: i32) {
        let run = self.log.iter().rev().find_map(|a| match a {
            Action::RunScript { run, .. } => Some(*run),
            _ => None,
        });
        self.event(Event::ScriptEnded {
            run: run.unwrap(),
            outcome: RunOutcome::Exited(status),
        });
    }

    fn state(&self) -> StateName {
        self.core.snapshot(self.now).instances[0].state
    }

    fn adverts(&self) -> Vec<u8> {
        self.log
            .iter()
            .filter_map(|a| {
                if let Action::Transmit(t) = a {
                    Some(t.priority.get())
                } else {
                    None
                }
            })
            .collect()
    }

    fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.log)
    }
}

fn advert_bytes(from: Ipv4Addr, priority: u8) -> Vec<u8> {
    build(
        Version::V2,
        Family::Ipv4,
        Vrid::new(51).unwrap(),
        Priority(priority),
        AdvertInterval::DEFAULT,
        &Authentication::None,
        &["192.0.2.100".parse().unwrap()],
        ChecksumForm::MessageOnly,
        from.into(),
        Family::Ipv4.vrrp_group(),
    )
}

fn advert(from: Ipv4Addr, priority: u8) -> Event<'static> {
    packet(from, &advert_bytes(from, priority), 255)
}

fn packet(from: Ipv4Addr, message: &[u8], ttl: u8) -> Event<'static> {
    let header = Ipv4Header {
        tos: TOS_CS6,
        total_len: 0,
        id: 1,
        fragment: 0,
        ttl,
        protocol: PROTO_VRRP,
        source: from,
        destination: Ipv4Addr::new(224, 0, 0, 18),
        header_len: 20,
    };
    let mut bytes = header.emit(u16::try_from(message.len()).unwrap()).to_vec();
    bytes.extend(message);
    Event::Packet(Packet {
        interface: Some(IfIndex(2)),
        age: Micros::ZERO,
        datagram: Datagram::Ipv4(bytes.into()),
    })
}

#[test]
fn what_is_exported_is_imported() {
    let mut config = instance();
    config.version = Version::V3;
    let mut rig = Rig::new(tracked(config, 11));
    rig.end_script(0);
    rig.advance(2 * SECOND);
    let state = rig.core.export(rig.now);
    let json = serde_json::to_string(&state).unwrap();
    let again = Core::import(
        rig.core.model().clone(),
        &serde_json::from_str(&json).unwrap(),
        Instant(0),
    );
    let exported = again.export(Instant(0));
    let counters = |state: &State| match &state.parts[0] {
        Remembered::Instance(instance) => instance.counters.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(counters(&exported), counters(&state));
    assert_eq!(exported.parts[1..], state.parts[1..]);
    let Remembered::Instance(old) = &state.parts[0] else {
        panic!("{state:?}")
    };
    assert!(matches!(old.phase, Phase::Backup { master_down_in } if master_down_in < Micros::from_secs(2)));
}
