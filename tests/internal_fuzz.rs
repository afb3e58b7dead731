//! What comes in by other ways than the wire, recorded and then spoiled: messages of the kernel, requests on the control socket,
//! messages between supervisor and daemon, the memory of a dead daemon, claims of addresses. None may cause a panic, hang, or
//! grow anything beyond its limit. A few thousand texts each, from one seed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test says by a panic what is wrong"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;
use vrrpd::control::{Ask, ControlSocket, Desk, Journal, serve};
use vrrpd::model::{
    IfIndex, Instance, Instant, MacAddr, Micros, Model, RunId, Script, ScriptId, TrackScript, VirtualAddress, Vrid,
};
use vrrpd::proto::{Core, Event, Link, LinkAddress, State};
use vrrpd::supervisor::{
    GuardedAddress, Program, ProgramOutcome, ProgramRef, Received, ToDaemon, ToSupervisor, channel,
};
use vrrpd::system::netlink::{Monitor, News};
use vrrpd::wire::arp::{ArpPacket, GratuitousArp};
use vrrpd::wire::ndp::UnsolicitedNa;

/// How long one part may take; debug builds on a busy machine are slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// A small generator: the same seed gives the same texts.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Bytes that are changed, cut, doubled, or written over with extreme numbers.
    fn spoil(&mut self, bytes: &mut Vec<u8>, words: &[&[u8]]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 => {
                    let end = (at + self.below(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
                1 => {
                    let end = (at + self.below(60)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, piece);
                }
                2 if !words.is_empty() => {
                    let word = words[self.below(words.len())];
                    let end = (at + self.below(word.len() + 1)).min(bytes.len());
                    bytes.splice(at..end, word.iter().copied());
                }
                3 => bytes.truncate(at),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)];
                    }
                }
            }
        }
        bytes.truncate(64 << 10);
    }

    /// Another number in the place of one in a JSON text.
    fn renumber(&mut self, bytes: &mut Vec<u8>) {
        let is_number = |at: &usize| matches!(bytes[*at - 1], b':' | b'[' | b',') && bytes[*at].is_ascii_digit();
        let numbers: Vec<usize> = (1..bytes.len()).filter(is_number).collect();
        if numbers.is_empty() {
            return;
        }
        let at = numbers[self.below(numbers.len())];
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let extremes: [&[u8]; 6] = [b"0", b"null", b"18446744073709551615", b"4294967295", b"255", b"-1"];
        bytes.splice(at..end, extremes[self.below(extremes.len())].iter().copied());
    }
}

/// Runs a part on a thread of its own, which has to come back.
fn in_time(part: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        part();
        done.send(()).unwrap();
    });
    if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    thread.join().unwrap();
}

fn model() -> Model {
    let eth0: vrrpd::model::IfName = "eth0".parse().unwrap();
    let vip = VirtualAddress::plain("192.0.2.100".parse().unwrap(), 32, eth0.clone());
    let mut instance = Instance::new("VI_1", Vrid::new(51).unwrap(), eth0, vec![vip]);
    instance.track_scripts = vec![TrackScript {
        script: ScriptId(0),
        weight: vrrpd::model::Weight::ZERO,
    }];
    Model {
        scripts: vec![Script::new("chk", vec!["/bin/true".into()])],
        instances: vec![instance],
        ..Model::default()
    }
}

/// Lets time pass until nothing more is due within a minute.
fn settle(core: &mut Core, now: &mut Instant) {
    while core.poll_action().is_some() {}
    let end = *now + Micros::from_secs(10);
    for _ in 0..1_000 {
        let Some((at, _)) = core.next_deadline().filter(|(at, _)| *at <= end) else {
            break;
        };
        *now = (*now).max(at);
        core.handle_timeout(*now);
        while core.poll_action().is_some() {}
    }
}

fn event(news: News) -> Option<Event<'static>> {
    Some(match news {
        News::Link(link) => Event::Link(link),
        News::LinkGone(index) => Event::LinkGone(index),
        News::AddressAdded(address) => Event::AddressAdded(address),
        News::AddressGone(address, _) => Event::AddressGone(address),
        News::Overrun => return None,
    })
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn messages_of_the_kernel() {
    in_time(|| {
        let recorded = include_str!("fuzz/netlink.hex");
        let seeds: Vec<Vec<u8>> = recorded
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(bytes_of)
            .collect();
        let told: Vec<News> = seeds.iter().flat_map(|seed| Monitor::parse(seed)).collect();
        let links = told
            .iter()
            .filter(|news| matches!(news, News::Link(link) if link.name.as_str() == "eth0"))
            .count();
        let gone = told.iter().filter(|news| matches!(news, News::LinkGone(_))).count();
        assert!(
            told.len() > 40 && links > 2 && gone > 0,
            "the record is understood: {told:#?}"
        );
        let mut random = Random(0x51);
        let (mut core, mut now) = (Core::new(model(), 0, Instant(0)), Instant(1));
        core.handle(Event::Start, now);
        let mut understood = 0;
        for round in 0..20_000 {
            let mut bytes = seeds[random.below(seeds.len())].clone();
            random.spoil(&mut bytes, &[&[0xff; 4], &[0; 8], &[4, 0, 3, 0], &[0xff, 0x7f, 3, 0]]);
            let news: Vec<News> = Monitor::parse(&bytes).collect();
            assert!(
                news.len() <= bytes.len() / 16,
                "{} of {} bytes",
                news.len(),
                bytes.len()
            );
            understood += news.len();
            for event in news.into_iter().filter_map(event) {
                core.handle(event, now);
            }
            if round % 100 == 0 {
                now += Micros::SECOND;
                settle(&mut core, &mut now);
            }
        }
        assert!(understood > 1_000, "some of it is still understood: {understood}");
        assert_eq!(core.snapshot(now).instances.len(), 1);
    });
}

#[test]
fn requests_on_the_control_socket() {
    in_time(|| {
        let path = std::env::temp_dir().join(format!("vrrpd-fuzz-{}.sock", std::process::id()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (ready, bound) = mpsc::channel();
        let wanted = path.clone();
        let server = std::thread::spawn(move || {
            runtime.block_on(async {
                let socket = ControlSocket::bind(&wanted).await.unwrap();
                let (requests, mut asked) = tokio::sync::mpsc::channel::<Ask>(4);
                // Who asks the engine gets no report here, which is an answer too.
                tokio::spawn(async move { while asked.recv().await.is_some() {} });
                ready.send(()).unwrap();
                let desk = Desk {
                    asks: requests,
                    journal: Journal::new([]),
                };
                for number in 0..100 {
                    desk.journal
                        .remark("test", format!("event {number}"), Micros::from_secs(number));
                }
                serve(socket, desk, async { drop(stopped.await) }).await;
            });
        });
        bound.recv_timeout(PATIENCE).unwrap();
        let seeds: [&[u8]; 5] = [
            b"{\"get\":\"status\"}\n",
            b"{\"get\":\"events\",\"since_ms\":3600,\"name\":\"VI_1\",\"follow\":true}\n",
            b"{\"do\":\"drain\",\"name\":\"VI_1\",\"for_ms\":1800,\"force\":false}\n",
            b"{\"do\":\"reload\",\"dry_run\":true}\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        ];
        let words: [&[u8]; 8] = [b"\"", b"{", b"}", b"[", b"\\u0000", b"1e999", b"-1", b"\n"];
        let mut random = Random(0x52);
        for round in 0..600 {
            let mut client = UnixStream::connect(&path).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut bytes = seeds[random.below(seeds.len())].to_vec();
            random.spoil(&mut bytes, &words);
            if round % 50 == 0 {
                bytes = vec![b'['; 100_000];
            }
            // It may hang up in the middle of what is too long.
            drop(client.write_all(&bytes));
            drop(client.shutdown(std::net::Shutdown::Write));
            for line in BufReader::new(&client).lines().map_while(Result::ok) {
                assert!(line.len() < 8_192, "an answer of {} bytes", line.len());
                serde_json::from_str::<serde_json::Value>(&line).unwrap();
            }
        }
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"{\"get\":\"status\"}\n").unwrap();
        let answer = BufReader::new(&client).lines().next().unwrap().unwrap();
        assert!(answer.starts_with('{'), "it still answers: {answer}");
        drop(client);
        stop.send(()).unwrap();
        server.join().unwrap();
    });
}

/// Sends what is no message into one end, and reads the other end to its end.
fn through<In>(
    random: &mut Random,
    seeds: &[Vec<u8>],
    from: &impl AsFd,
    mut receive: impl FnMut() -> std::io::Result<Received<In>>,
) -> usize {
    let words: [&[u8]; 9] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b"null",
        b"18446744073709551615",
        b"-1",
        b"\\ud800",
        b"4294967296",
    ];
    let mut understood = 0;
    for _ in 0..5_000 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        if random.below(2) == 0 {
            random.renumber(&mut bytes);
        } else {
            random.spoil(&mut bytes, &words);
        }
        let fd = std::os::fd::AsRawFd::as_raw_fd(&from.as_fd());
        nix::sys::socket::send(fd, &bytes, nix::sys::socket::MsgFlags::MSG_DONTWAIT).unwrap();
        // An empty datagram would be the end.
        match receive() {
            Ok(Received::Message(..)) => understood += 1,
            Ok(Received::Nothing) => panic!("a message got lost"),
            Ok(Received::Closed) => assert!(bytes.is_empty(), "not closed"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}"),
        }
    }
    understood
}

#[test]
fn messages_between_supervisor_and_daemon() {
    in_time(|| {
        let guarded = GuardedAddress {
            interface: IfIndex(2),
            address: "192.0.2.100".parse().unwrap(),
            prefix_len: 32,
            peer: None,
        };
        let run = ToSupervisor::Run {
            run: RunId(7),
            program: ProgramRef {
                generation: 1,
                program: Program::Script(ScriptId(0)),
            },
            told: None,
        };
        let up = [
            ToSupervisor::Ready,
            run,
            ToSupervisor::Kill {
                run: RunId(7),
                hard: true,
            },
            ToSupervisor::GuardAdd(vec![guarded; 3]),
            ToSupervisor::ReloadAsked { ask: 3, dry_run: true },
            ToSupervisor::ReloadDone { generation: 2 },
            ToSupervisor::ReloadFailed {
                generation: 2,
                why: "no".into(),
            },
        ];
        let down = [
            ToDaemon::Ended {
                run: RunId(7),
                outcome: ProgramOutcome::Exited(1),
            },
            ToDaemon::Reload { generation: 2 },
            ToDaemon::Foresee,
            ToDaemon::ReloadRefused {
                problems: vec!["no".into()],
            },
            ToDaemon::ReloadVerdict {
                ask: 3,
                refused: vec!["no".into()],
            },
            ToDaemon::Stop,
        ];
        let up: Vec<Vec<u8>> = up.iter().map(|message| serde_json::to_vec(message).unwrap()).collect();
        let down: Vec<Vec<u8>> = down
            .iter()
            .map(|message| serde_json::to_vec(message).unwrap())
            .collect();
        let mut random = Random(0x53);
        let (mut supervisor, mut daemon) = channel().unwrap();
        let understood = through(&mut random, &up, &daemon.sender, || supervisor.receiver.receive())
            + through(&mut random, &down, &supervisor.sender, || daemon.receiver.receive());
        assert!(understood > 500, "some of it is still understood: {understood}");
    });
}

#[test]
fn the_memory_of_a_dead_daemon() {
    in_time(|| {
        let mut now = Instant(1_000_000);
        // Without a check it becomes master, which counts.
        let mut plain = model();
        plain.instances[0].track_scripts.clear();
        let mut core = Core::new(plain.clone(), 0, now);
        let link = Link {
            index: IfIndex(2),
            name: "eth0".parse().unwrap(),
            running: true,
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0x11043,
        };
        let own = LinkAddress {
            index: IfIndex(2),
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            prefix_len: 24,
        };
        let start = |core: &mut Core, now: &mut Instant| {
            core.handle(Event::Link(link.clone()), *now);
            core.handle(Event::AddressAdded(own), *now);
            core.handle(Event::Start, *now);
            settle(core, now);
        };
        start(&mut core, &mut now);
        let seed = serde_json::to_vec(&core.export(now)).unwrap();
        let words: [&[u8]; 8] = [
            b"0",
            b"null",
            b"18446744073709551615",
            b"65535",
            b"255",
            b"-1",
            b"\"up\"",
            b"\"\"",
        ];
        let mut random = Random(0x54);
        let mut understood = 0;
        for _ in 0..20_000 {
            let mut bytes = seed.clone();
            if random.below(2) == 0 {
                random.renumber(&mut bytes);
            } else {
                random.spoil(&mut bytes, &words);
            }
            let Ok(state) = serde_json::from_slice::<State>(&bytes) else {
                continue;
            };
            understood += 1;
            let mut now = Instant(1_000_000);
            let mut core = Core::import(plain.clone(), &state, now);
            start(&mut core, &mut now);
            assert_eq!(core.snapshot(now).instances.len(), 1);
            assert!(serde_json::to_vec(&core.export(now)).unwrap().len() < 2 * seed.len() + 4_096);
        }
        assert!(understood > 2_000, "some of it is still understood: {understood}");
    });
}

#[test]
fn claims_of_addresses() {
    in_time(|| {
        let mac = MacAddr([2, 0, 0, 0, 0, 9]);
        let arp = GratuitousArp {
            mac,
            address: Ipv4Addr::new(192, 0, 2, 100),
        };
        let na = UnsolicitedNa {
            mac,
            address: "2001:db8::100".parse().unwrap(),
            router: true,
        };
        let seeds = [arp.emit().to_vec(), na.emit().to_vec()];
        let mut random = Random(0x55);
        let (mut core, mut now) = (Core::new(model(), 0, Instant(0)), Instant(1));
        core.handle(Event::Start, now);
        let mut understood = 0;
        for _ in 0..50_000 {
            let mut frame = seeds[random.below(2)].clone();
            random.spoil(&mut frame, &[&[0xff; 6], &[0; 4]]);
            let arp = ArpPacket::parse(&frame)
                .ok()
                .map(|arp| (IpAddr::V4(arp.sender), arp.sender_mac));
            let na = UnsolicitedNa::parse(&frame)
                .ok()
                .map(|na| (IpAddr::V6(na.address), na.mac));
            for (address, mac) in arp.into_iter().chain(na) {
                understood += 1;
                let interface = IfIndex(random.below(3) as u32);
                core.handle(
                    Event::NeighbourClaim {
                        interface,
                        address,
                        mac,
                    },
                    now,
                );
                now += Micros::MILLISECOND;
            }
            while core.poll_action().is_some() {}
        }
        assert!(understood > 5_000, "some of it is still understood: {understood}");
    });
}
