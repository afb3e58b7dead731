//! Tests of a single core, driven by hand.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for the few actions that it is about"
)]

mod group;
mod links;
mod notify;
mod others;
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
fn a_weighted_script_moves_the_priority_and_the_running_timer() {
    let mut rig = Rig::new(tracked(instance(), 11));
    assert_eq!(
        rig.core.snapshot(rig.now).instances[0].priority.effective,
        Priority(100)
    );
    rig.end_script(0);
    let shown = rig.core.snapshot(rig.now).instances[0].clone();
    assert_eq!(shown.priority.effective, Priority(111));
    assert_eq!(shown.priority.contributions[0].adds, 11);
    // (256 - 111) / 256 s instead of (256 - 100) / 256 s.
    assert_eq!(rig.core.next_deadline().unwrap().0, Instant(SECOND + 2 * SECOND));
    rig.advance(3_566_407);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Master);
    rig.take();
    rig.advance(4 * SECOND);
    rig.end_script(1);
    assert!(
        rig.adverts().is_empty(),
        "no advert out of turn for a change of priority"
    );
    rig.advance(5 * SECOND);
    assert_eq!(rig.adverts(), [100]);
}

#[test]
fn a_timer_that_ends_soon_after_the_boot_moves_with_the_priority_too() {
    let mut rig = Rig::new(tracked(instance(), -50));
    rig.advance(200_000);
    rig.hear(HIGHER, 0);
    let timer = |rig: &Rig| rig.core.brief(0).unwrap().timer;
    assert_eq!(timer(&rig), Some(Instant(1_200_000 + 609_375)));
    // Skew_Time of priority 50 instead of 100; the machine has not been up for a Master_Down_Interval.
    rig.end_script(1);
    assert_eq!(timer(&rig), Some(Instant(1_200_000 + 804_687)));
}

#[test]
fn a_script_of_weight_0_holds_the_start_back_and_its_failure_is_a_fault() {
    let mut rig = Rig::new(tracked(instance(), 0));
    assert_eq!(rig.state(), StateName::Init);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(4 * SECOND);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Master);
    rig.take();
    rig.advance(6 * SECOND);
    rig.end_script(1);
    assert_eq!(rig.state(), StateName::Fault);
    assert_eq!(rig.adverts().last(), Some(&0));
    assert!(rig.take().iter().any(|a| matches!(a, Action::ClearAddresses(_))));
    rig.advance(8 * SECOND);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Backup);
}

#[test]
fn one_of_two_faults_gone_is_still_a_fault() {
    // Trap T3.
    let mut config = instance();
    let eth1: IfName = "eth1".parse().unwrap();
    config.track_interfaces = vec![TrackInterface {
        interface: eth1,
        weight: Weight::ZERO,
    }];
    let mut rig = Rig::new(model(config));
    assert_eq!(rig.state(), StateName::Fault);
    rig.event(link(false));
    rig.event(link(true));
    assert_eq!(rig.state(), StateName::Fault);
    assert!(matches!(
        rig.core.snapshot(rig.now).instances[0].reason,
        Reason::InterfaceDown { missing: true, .. }
    ));
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

/// Whoever stops ends the checks as well; their end is no news.
#[test]
fn a_check_that_ends_during_a_stop_says_nothing() {
    let mut rig = Rig::new(tracked(instance(), 11));
    rig.end_script(0);
    rig.advance(5 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    // The kernel has not confirmed yet that the addresses are gone.
    rig.core.handle(Event::Shutdown, rig.now);
    let ended = Event::ScriptEnded {
        run: rig.runs().unwrap(),
        outcome: RunOutcome::Exited(1),
    };
    rig.core.handle(ended, rig.now);
    rig.take();
    rig.drain();
    let said = |action: &Action| matches!(action, Action::Log(LogEvent::Script { .. }));
    assert!(!rig.log.iter().any(said), "{:?}", rig.log);
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
