//! Every state × every event, with what has to come of it written down (RFC 9568 section 6.4, behaviour §2, DESIGN).
//!
//! A cell says: the state after, the actions in order, and the change of the state's main timer. `tx N` an advert of
//! priority N, `set`/`clear` a wish for addresses, `again` one address put back, `ann N` an announcement of N addresses,
//! `open`/`close` sockets, `run`/`kill` a script, `news S` a transition told, `stopped` the end. `down N`/`next N`: the
//! master down or advert timer now ends in N ms, left out when it did not move. Log lines are left out.

use super::*;

const STATES: [&str; 6] = ["new", "init", "backup", "master", "fault", "stopped"];

/// Event, and what it does in each of [`STATES`].
const TABLE: &[(&str, [&str; 6])] = &[
    // Only the first start counts.
    ("start", ["INIT: open clear run", "=", "=", "=", "=", "="]),
    // Adverts: Init and Fault listen to nobody.
    (
        "advert 200",
        [
            "=",
            "=",
            "BACKUP: down 3609",
            "BACKUP: clear news BACKUP down 3609",
            "=",
            "=",
        ],
    ),
    (
        "advert 100 from above",
        [
            "=",
            "=",
            "BACKUP: down 3609",
            "BACKUP: clear news BACKUP down 3609",
            "=",
            "=",
        ],
    ),
    (
        "advert 100 from below",
        [
            "=",
            "=",
            "BACKUP: down 3609",
            "MASTER: tx 100 ann 1 next 1000",
            "=",
            "=",
        ],
    ),
    ("advert 50", ["=", "=", "=", "MASTER: tx 100 ann 1 next 1000", "=", "="]),
    (
        "advert 0",
        ["=", "=", "BACKUP: down 609", "MASTER: tx 100 next 1000", "=", "="],
    ),
    ("invalid advert", ["=", "=", "=", "=", "=", "="]),
    ("own advert", ["=", "=", "=", "=", "=", "="]),
    ("advert for another vrid", ["=", "=", "=", "=", "=", "="]),
    ("short datagram", ["=", "=", "=", "=", "=", "="]),
    // The world.
    ("link same", ["=", "=", "=", "=", "=", "="]),
    (
        "link down",
        [
            "=",
            "FAULT: news FAULT",
            "FAULT: news FAULT",
            "FAULT: tx 0 clear news FAULT",
            "=",
            "=",
        ],
    ),
    (
        "link gone",
        [
            "=",
            "FAULT: close news FAULT",
            "FAULT: close news FAULT",
            // Its link is gone: the release cannot leave.
            "FAULT: close clear news FAULT",
            "FAULT: close",
            "=",
        ],
    ),
    // Nobody asked.
    ("link beat", ["=", "=", "=", "=", "=", "="]),
    ("another link appears", ["=", "=", "=", "=", "=", "="]),
    ("another address appears", ["=", "=", "=", "=", "=", "="]),
    ("another address goes", ["=", "=", "=", "=", "=", "="]),
    (
        "own address goes",
        [
            "=",
            "FAULT: news FAULT",
            "FAULT: news FAULT",
            // It has no address to send a release from.
            "FAULT: clear news FAULT",
            "=",
            "=",
        ],
    ),
    (
        "virtual address vanishes",
        ["=", "=", "=", "BACKUP: tx 0 clear news BACKUP down 609", "=", "="],
    ),
    ("socket open", ["=", "=", "=", "=", "=", "="]),
    (
        "socket failed",
        [
            "=",
            "FAULT: news FAULT",
            "FAULT: news FAULT",
            "FAULT: tx 0 clear news FAULT",
            "=",
            "=",
        ],
    ),
    ("transmit failed", ["=", "=", "=", "=", "=", "="]),
    // The kernel thread's answers. Those of an old wish mean nothing.
    ("addresses present", ["=", "=", "=", "MASTER: ann 1", "=", "="]),
    ("addresses present, old wish", ["=", "=", "=", "=", "=", "="]),
    ("address failed", ["=", "=", "=", "=", "=", "="]),
    ("addresses gone", ["=", "=", "=", "=", "=", "="]),
    ("address stolen", ["=", "=", "=", "MASTER: again", "=", "="]),
    ("announced", ["=", "=", "=", "=", "=", "="]),
    // An answer waits for an advert that explains the claim.
    ("foreign claim", ["=", "=", "=", "=", "=", "="]),
    ("own claim", ["=", "=", "=", "=", "=", "="]),
    // Scripts.
    (
        "script fails",
        [
            "=",
            "FAULT: news FAULT",
            "FAULT: news FAULT",
            "FAULT: tx 0 clear news FAULT",
            "=",
            "=",
        ],
    ),
    (
        "script succeeds",
        [
            "=",
            "BACKUP: news BACKUP down 3609",
            "=",
            "=",
            "BACKUP: news BACKUP down 3609",
            "=",
        ],
    ),
    ("old run ends", ["=", "=", "=", "=", "=", "="]),
    // Files; processes are told in the same way.
    (
        "file holds 5",
        [
            "=",
            "FAULT: news FAULT",
            "FAULT: news FAULT",
            "FAULT: tx 0 clear news FAULT",
            "=",
            "=",
        ],
    ),
    ("file holds 0", ["=", "=", "=", "=", "=", "="]),
    ("file of nobody", ["=", "=", "=", "=", "=", "="]),
    ("process of nobody", ["=", "=", "=", "=", "=", "="]),
    // Time and the operator.
    ("time of day", ["=", "=", "=", "=", "=", "="]),
    ("stalled 1 s", ["=", "=", "=", "=", "=", "="]),
    ("stalled 60 s", ["=", "=", "=", "=", "=", "="]),
    ("clear counters", ["=", "=", "=", "=", "=", "="]),
    ("reload, same", ["=", "=", "=", "=", "=", "="]),
    (
        "reload, other priority",
        [
            "=",
            "=",
            // (256 - 200) / 256 s instead of (256 - 100) / 256 s, 0.5 s after the timer was set.
            "BACKUP: down 1718",
            "MASTER: tx 200 next 1000",
            "=",
            "=",
        ],
    ),
    (
        "reload, without it",
        [
            "=",
            ": news INIT close",
            ": news INIT close",
            ": tx 0 clear close news INIT",
            ": news INIT close",
            "=",
        ],
    ),
    // `-V`.
    (
        "leave",
        [
            "INIT: stopped",
            "INIT: kill close stopped",
            "BACKUP: close stopped",
            "MASTER: close stopped",
            "FAULT: close stopped",
            "=",
        ],
    ),
    // Priority 1 from now on. A master gives its successor Skew_Time of that priority and one interval.
    (
        "drain",
        [
            "=",
            "=",
            "BACKUP: down 2496",
            "BACKUP: tx 0 clear news BACKUP down 1996",
            "=",
            "=",
        ],
    ),
    ("resume", ["=", "=", "=", "=", "=", "="]),
    (
        "shutdown",
        [
            "INIT: stopped",
            "INIT: kill news INIT close stopped",
            "INIT: news INIT close stopped",
            "INIT: tx 0 clear news INIT close stopped",
            "INIT: news INIT close stopped",
            "=",
        ],
    ),
];

/// Which row of [`TABLE`] an event must have at least one of. No wildcard: a new event does not compile without a row.
const fn kind(event: &Event<'_>) -> &'static str {
    match event {
        Event::Start => "start",
        Event::Packet(_) => "advert",
        Event::Link(_) => "link",
        Event::LinkGone(_) => "link gone",
        Event::LinkBeat { .. } => "link beat",
        Event::AddressAdded(_) => "another address appears",
        Event::AddressGone(_) => "own address goes",
        Event::SocketOpen(_) => "socket open",
        Event::SocketFailed { .. } => "socket failed",
        Event::TransmitFailed { .. } => "transmit failed",
        Event::AddressesPresent { .. } => "addresses present",
        Event::AddressFailed { .. } => "address failed",
        Event::AddressesGone { .. } => "addresses gone",
        Event::AddressStolen { .. } => "address stolen",
        Event::Announced { .. } => "announced",
        Event::NeighbourClaim { .. } => "foreign claim",
        Event::ScriptEnded { .. } => "script",
        Event::Observed(_) => "file",
        Event::Stalled { .. } => "stalled",
        Event::ClearCounters => "clear counters",
        Event::WallClock(_) => "time of day",
        Event::Reload(_) => "reload",
        Event::Leave => "leave",
        Event::Drain { .. } => "drain",
        Event::Resume { .. } => "resume",
        Event::Shutdown => "shutdown",
    }
}

/// A script and a file of weight 0.
fn everything(mut config: Instance) -> Model {
    config.track_files = vec![TrackFile {
        file: TrackedFileId(0),
        weight: Weight::ZERO,
    }];
    Model {
        files: vec![super::file("f")],
        ..tracked(config, 0)
    }
}

fn holds(file: u32, number: i32) -> Event<'static> {
    Event::Observed(Observation::File {
        file: TrackedFileId(file),
        reading: FileReading::Number(number),
    })
}

/// A core in a state, half a second after something happened to it; its script has weight 0 and a run under way or due.
fn prepared(state: &str) -> Rig {
    let mut rig = Rig::unstarted(everything(instance()));
    rig.event(holds(0, 0));
    if state == "new" {
        return rig;
    }
    rig.event(Event::Start);
    if state == "init" {
        rig.advance(500_000);
        return rig;
    }
    rig.end_script(i32::from(state == "fault"));
    match state {
        "master" => {
            // In Master since 3.609 s; the fourth run began at 6 s.
            for second in [2, 4, 6] {
                rig.advance(second * SECOND);
                rig.end_script(0);
            }
            rig.advance(6 * SECOND + 500_000);
        }
        "stopped" => rig.event(Event::Shutdown),
        _ => rig.advance(1_500_000),
    }
    rig
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn event_of(rig: &mut Rig, row: &str) -> Event<'static> {
    let ticket = rig
        .core
        .instances
        .first()
        .and_then(|i| i.master_ticket())
        .unwrap_or(Ticket(1));
    let (instance, old) = (InstanceId(0), Ticket(0));
    let eth0_spec = SocketSpec {
        interface: Some(IfIndex(2)),
        family: Family::Ipv4,
        ah: false,
        receive: Receive::Group(Family::Ipv4.vrrp_group()),
        vrids: vec![51],
    };
    let address = |address: &str| LinkAddress {
        index: IfIndex(2),
        address: address.parse().unwrap(),
        prefix_len: 24,
    };
    let present = |ticket| Event::AddressesPresent {
        instance,
        ticket,
        first: 0,
        count: 1,
        complete: true,
    };
    let claim = |mac| Event::NeighbourClaim {
        interface: IfIndex(2),
        address: "192.0.2.100".parse().unwrap(),
        mac,
    };
    let reload = |priority| {
        let mut config = super::instance();
        config.priority = Priority(priority);
        Event::Reload(Arc::new(everything(config)))
    };
    match row {
        "start" => Event::Start,
        "advert 200" => advert(HIGHER, 200),
        "advert 100 from above" => advert(HIGHER, 100),
        "advert 100 from below" => advert(LOWER, 100),
        "advert 50" => advert(HIGHER, 50),
        "advert 0" => advert(HIGHER, 0),
        "own advert" => advert(OWN, 200),
        "invalid advert" => packet(HIGHER, &advert_bytes(HIGHER, 200), 254),
        "advert for another vrid" => packet(
            HIGHER,
            &{
                let mut b = advert_bytes(HIGHER, 200);
                b[1] = 52;
                b
            },
            255,
        ),
        "short datagram" => packet(HIGHER, &[0x21, 51, 200], 255),
        "link same" => link(true),
        "link down" => link(false),
        "link gone" => Event::LinkGone(IfIndex(2)),
        "link beat" => Event::LinkBeat {
            interface: IfIndex(2),
            up: false,
            method: LinkBeatMethod::Ethtool,
        },
        "another link appears" => Event::Link(Link {
            index: IfIndex(7),
            name: "eth7".parse().unwrap(),
            running: true,
            mac: None,
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0,
        }),
        "another address appears" => Event::AddressAdded(address("192.0.2.77")),
        "another address goes" => Event::AddressGone(address("192.0.2.78")),
        "own address goes" => Event::AddressGone(address("192.0.2.1")),
        "virtual address vanishes" => {
            rig.event(Event::AddressAdded(address("192.0.2.100")));
            rig.take();
            Event::AddressGone(address("192.0.2.100"))
        }
        "socket open" => Event::SocketOpen(eth0_spec),
        "socket failed" => Event::SocketFailed {
            socket: eth0_spec,
            errno: 99,
            call: "bind".into(),
        },
        "transmit failed" => Event::TransmitFailed {
            instance,
            destination: Family::Ipv4.vrrp_group(),
            errno: 101,
            release: false,
        },
        "addresses present" => present(ticket),
        "addresses present, old wish" => present(old),
        "address failed" => Event::AddressFailed {
            instance,
            ticket,
            index: 0,
            errno: 13,
        },
        "addresses gone" => Event::AddressesGone { instance, ticket },
        "address stolen" => Event::AddressStolen {
            instance,
            ticket,
            index: 0,
            culprit: Culprit { port: 7, process: None },
        },
        "announced" => Event::Announced { instance, ticket },
        "foreign claim" => claim(MacAddr([2, 0, 0, 0, 9, 9])),
        "own claim" => claim(MacAddr([2, 0, 0, 0, 0, 1])),
        "script fails" | "script succeeds" => {
            if rig.runs().is_none() {
                // The next run begins in its slot.
                rig.core.handle_timeout(rig.now);
            }
            let run = rig.runs().unwrap_or(RunId(9));
            let outcome = RunOutcome::Exited(i32::from(row == "script fails"));
            Event::ScriptEnded { run, outcome }
        }
        "old run ends" => Event::ScriptEnded {
            run: RunId(99),
            outcome: RunOutcome::Exited(1),
        },
        "file holds 5" => holds(0, 5),
        "file holds 0" => holds(0, 0),
        "file of nobody" => holds(9, 5),
        "process of nobody" => Event::Observed(Observation::Process {
            process: ProcessId(9),
            pid: 1,
            change: ProcessChange::Ended,
        }),
        "time of day" => Event::WallClock(Micros::from_secs(1_700_000_000)),
        "stalled 1 s" => Event::Stalled { gap: Micros::SECOND },
        "stalled 60 s" => Event::Stalled {
            gap: Micros::from_secs(60),
        },
        "clear counters" => Event::ClearCounters,
        "reload, same" => reload(100),
        "reload, other priority" => reload(200),
        "reload, without it" => Event::Reload(Arc::new(Model {
            scripts: vec![script(0)],
            ..Model::default()
        })),
        "leave" => Event::Leave,
        "drain" => Event::Drain {
            name: None,
            length: None,
            force: false,
        },
        "resume" => Event::Resume { name: None },
        "shutdown" => Event::Shutdown,
        other => panic!("{other}"),
    }
}

/// What a cell of the table says.
fn outcome(state: &str, row: &str, seen: &mut Vec<&'static str>) -> String {
    let mut rig = prepared(state);
    if row.starts_with("script") && state != "init" && state != "new" && state != "stopped" {
        rig.advance_to_next_run();
    }
    let event = event_of(&mut rig, row);
    seen.push(kind(&event));
    rig.take();
    let before = (rig.core.state(0), timer(&rig.core));
    rig.event(event);
    let mut words: Vec<String> = rig.log.iter().filter_map(word).collect();
    let after = timer(&rig.core);
    if let Some((at, name)) = after.filter(|_| after != before.1) {
        words.push(format!("{name} {}", at.since(rig.now).0 / 1000));
    }
    let state_after = rig.core.state(0);
    if words.is_empty() && state_after == before.0 {
        return "=".into();
    }
    let name = state_after.map_or("", StateName::as_str);
    format!("{name}: {}", words.join(" ")).trim_end().to_owned()
}

fn timer(core: &Core) -> Option<(Instant, &'static str)> {
    match &core.instances.first()?.state {
        instance::State::Backup(backup) => Some((backup.master_down, "down")),
        instance::State::Master(master) => Some((master.next_advert, "next")),
        instance::State::Init | instance::State::Fault => None,
    }
}

fn word(action: &Action) -> Option<String> {
    Some(match action {
        Action::Transmit(t) => format!("tx {}", t.priority),
        Action::OpenSocket(_) => "open".into(),
        Action::CloseSocket(_) => "close".into(),
        Action::SetAddresses(_) => "set".into(),
        Action::ClearAddresses(_) => "clear".into(),
        Action::RestoreAddress { .. } => "again".into(),
        Action::Announce(a) => format!("ann {}", a.addresses.len()),
        Action::AskLink { .. } => "ask".into(),
        Action::RunScript { .. } => "run".into(),
        Action::KillScript { .. } => "kill".into(),
        Action::StateChanged(change) => format!("news {}", change.to.as_str()),
        Action::GroupChanged(change) => format!("group {}", change.to.as_str()),
        Action::Log(_) | Action::Happened(_) | Action::Notify(_) => return None,
        Action::RunNotify(told) => told.kind.keyword().into(),
        Action::Stopped => "stopped".into(),
    })
}

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let (mut wrong, mut seen) = (Vec::new(), Vec::new());
    for (row, cells) in TABLE {
        for (state, expected) in STATES.iter().zip(cells) {
            let got = outcome(state, row, &mut seen);
            if got != *expected {
                wrong.push(format!("{row} in {state}: {got:?}, the table says {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 26, "every kind of event is in the table: {seen:?}");
}
