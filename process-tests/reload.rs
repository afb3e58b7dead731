//! Reloads of a running master: each changes one thing, and nobody else may notice.

use crate::rig::{Daemon, exists, has, ip, pause, status, text_of, until};
use crate::{Case, Needs};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vrrpd::sim::Random;

/// Reloads of the long case that are taken; refused ones come on top.
const RELOADS: usize = 200;
/// VRIDs of the instances. The last one is never touched.
const VRIDS: [u8; 4] = [51, 52, 53, 54];
/// Announcements of an address that has been set (`garp_master_repeat`, no second burst).
const ROUNDS: u64 = 3;
const INTERVAL: Duration = Duration::from_millis(250);

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("reload::two_hundred_of_them_touch_what_they_concern", many),
        case("reload::the_check_writes_its_file_and_the_mark_goes", files),
    ]
}

/// One instance as configured.
#[derive(Clone)]
struct Router {
    vrid: u8,
    priority: u8,
    addresses: Vec<u8>,
    refresh_repeat: u8,
}

impl Router {
    fn text(&self) -> String {
        let address = |last: &u8| format!("        198.51.{}.{last}/32\n", self.vrid);
        let addresses: String = self.addresses.iter().map(address).collect();
        format!(
            "vrrp_instance VI_{} {{\n    interface eth0\n    virtual_router_id {}\n    priority {}\n    version 3\n    advert_int 0.25\n    \
             garp_master_delay 0\n    garp_master_repeat {ROUNDS}\n    garp_master_refresh_repeat {}\n    virtual_ipaddress {{\n{addresses}    }}\n}}\n",
            self.vrid, self.vrid, self.priority, self.refresh_repeat
        )
    }
}

fn write(routers: &[Router]) {
    let text: String = routers.iter().map(Router::text).collect();
    fs::write("/tmp/conf", text).unwrap();
}

/// What has to be seen from outside, counted along.
#[derive(Default)]
struct Expected {
    /// How often each address was set and removed.
    set: BTreeMap<String, u64>,
    removed: BTreeMap<String, u64>,
    /// Adverts out of turn, at most.
    extra: BTreeMap<u8, u64>,
}

impl Expected {
    fn count(map: &mut BTreeMap<String, u64>, router: &Router, address: u8) {
        *map.entry(format!("198.51.{}.{address}", router.vrid)).or_default() += 1;
    }

    /// Changes one thing of a router at random.
    fn change(&mut self, router: &mut Router, random: &mut Random) {
        match random.below(5) {
            0 => router.refresh_repeat = 3 - router.refresh_repeat,
            1 => {
                router.priority = u8::try_from(random.between(100, 200)).unwrap();
                *self.extra.entry(router.vrid).or_default() += 1;
            }
            2 if router.addresses.len() > 1 => {
                let gone = router.addresses.remove(random.index(router.addresses.len()));
                Self::count(&mut self.removed, router, gone);
                *self.extra.entry(router.vrid).or_default() += 1;
            }
            _ => {
                let new = u8::try_from(random.between(1, 20)).unwrap();
                if !router.addresses.contains(&new) {
                    router.addresses.push(new);
                    Self::count(&mut self.set, router, new);
                    *self.extra.entry(router.vrid).or_default() += 1;
                }
            }
        }
    }
}

/// What came out of the far end of the cable.
#[derive(Default)]
pub(crate) struct Heard {
    /// Adverts by VRID, and those of priority 0.
    adverts: BTreeMap<u8, u64>,
    pub(crate) releases: BTreeMap<u8, u64>,
    /// Gratuitous ARPs by address.
    pub(crate) claims: BTreeMap<String, u64>,
    /// Longest silence of each VRID.
    pub(crate) silence: BTreeMap<u8, Duration>,
}

pub(crate) struct Ear {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Heard>,
}

impl Ear {
    /// For one kind of frames: so each is seen once, where it comes in.
    pub(crate) fn listen(ethertype: u16) -> Self {
        let protocol = Protocol::from(i32::from(ethertype.to_be()));
        let socket = Socket::new(Domain::from(libc::AF_PACKET), Type::RAW, Some(protocol)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        // Nothing may be lost although the machine is busy.
        socket.set_recv_buffer_size(8 << 20).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let thread = std::thread::spawn(move || hear(&socket, &end));
        Self { over, thread }
    }

    pub(crate) fn end(self) -> Heard {
        self.over.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

fn hear(mut socket: &Socket, end: &AtomicBool) -> Heard {
    let (mut heard, mut last) = (Heard::default(), BTreeMap::<u8, Instant>::new());
    let mut buffer = [0; 2048];
    while !end.load(Ordering::Acquire) {
        let Ok(len) = socket.read(&mut buffer) else { continue };
        let frame = &buffer[..len];
        if len >= 42 && frame[12..14] == [0x08, 0x00] && frame[23] == 112 {
            let (vrid, now) = (frame[35], Instant::now());
            *heard.adverts.entry(vrid).or_default() += 1;
            if frame[36] == 0 {
                *heard.releases.entry(vrid).or_default() += 1;
            }
            if let Some(before) = last.insert(vrid, now) {
                let silence = heard.silence.entry(vrid).or_default();
                *silence = (*silence).max(now - before);
            }
        } else if len >= 42 && frame[12..14] == [0x08, 0x06] && frame[28..32] == frame[38..42] {
            let [.., a, b, c, d] = frame[..32] else { continue };
            *heard.claims.entry(format!("{a}.{b}.{c}.{d}")).or_default() += 1;
        }
    }
    heard
}

/// `ip monitor address`, which writes down every address that comes or goes.
pub(crate) struct Monitor(Child);

impl Monitor {
    pub(crate) fn start() -> Self {
        let log = fs::File::create("/tmp/monitor").unwrap();
        let mut command = Command::new("ip");
        command
            .args(["-o", "monitor", "address"])
            .stdout(log)
            .stderr(Stdio::null());
        let monitor = Self(command.spawn().unwrap());
        // It is there when it sees an address come.
        until("the monitor listens", || {
            ip("addr add 203.0.113.7/32 dev lo");
            ip("addr del 203.0.113.7/32 dev lo");
            text_of("/tmp/monitor").contains("203.0.113.7")
        });
        monitor
    }

    /// How often each of our addresses came, and went.
    pub(crate) fn end(mut self) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        let (mut came, mut went) = (BTreeMap::new(), BTreeMap::new());
        for line in text_of("/tmp/monitor").lines() {
            let Some(address) = line.split_whitespace().find(|word| word.starts_with("198.51.")) else {
                continue;
            };
            let map = if line.starts_with("Deleted") {
                &mut went
            } else {
                &mut came
            };
            let address = address.split('/').next().unwrap().to_owned();
            *map.entry(address).or_default() += 1;
        }
        (came, went)
    }
}

fn many() {
    let router = |vrid| Router {
        vrid,
        priority: 150,
        addresses: vec![99],
        refresh_repeat: 1,
    };
    let mut routers: Vec<Router> = VRIDS.into_iter().map(router).collect();
    let mut expected = Expected::default();
    for router in &routers {
        Expected::count(&mut expected.set, router, 99);
    }
    let (monitor, ear, neighbour) = (Monitor::start(), Ear::listen(0x0800), Ear::listen(0x0806));
    write(&routers);
    let begun = Instant::now();
    let daemon = Daemon::run(
        crate::rig::VRRPD,
        "/tmp/node",
        &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"],
        |_| {},
    );
    for vrid in VRIDS {
        until("the address is set", || has(&format!("198.51.{vrid}.99")));
    }
    let before = status();
    let mut random = Random::new(4711);
    let (mut taken, mut refused) = (0, 0);
    while taken < RELOADS {
        if random.one_in(8) {
            fs::write(
                "/tmp/conf",
                "vrrp_instance VI_51 {\n    interface eth0\n    virtual_router_id 0\n",
            )
            .unwrap();
            daemon.signal(libc::SIGHUP);
            refused += 1;
            daemon.says_times("the one read before stays in force", refused);
            continue;
        }
        // The last one is never touched.
        let at = random.index(routers.len() - 1);
        expected.change(&mut routers[at], &mut random);
        write(&routers);
        daemon.signal(libc::SIGHUP);
        taken += 1;
        daemon.says_times("Reload complete", taken);
    }
    let addresses_are_there = || {
        routers.iter().all(|router| {
            router
                .addresses
                .iter()
                .all(|last| has(&format!("198.51.{}.{last}", router.vrid)))
        })
    };
    until("all addresses are there", addresses_are_there);
    let after = status();
    pause(500);
    let elapsed = begun.elapsed();
    let (heard, claimed, (came, went)) = (ear.end(), neighbour.end().claims, monitor.end());
    eprintln!(
        "{taken} taken, {refused} refused in {elapsed:?}; longest silences {:?}",
        heard.silence
    );
    assert_eq!(
        came, expected.set,
        "every address came as often as it was configured anew"
    );
    assert_eq!(went, expected.removed, "and went as often as it was taken out");
    let claims: BTreeMap<String, u64> = expected
        .set
        .iter()
        .map(|(at, times)| (at.clone(), times * ROUNDS))
        .collect();
    assert_eq!(claimed, claims, "only new addresses are announced");
    assert_eq!(heard.releases, BTreeMap::new());
    let slots = u64::try_from(elapsed.as_millis() / INTERVAL.as_millis()).unwrap() + 2;
    for (vrid, adverts) in &heard.adverts {
        let most = slots + expected.extra.get(vrid).copied().unwrap_or(0);
        assert!(
            *adverts <= most,
            "VRID {vrid}: {adverts} adverts, at most {most} are due"
        );
    }
    for (at, router) in routers.iter().enumerate() {
        let (old, new) = (&before["instances"][at], &after["instances"][at]);
        assert_eq!(new["state"], "MASTER");
        assert_eq!(
            (&old["since"], 1),
            (&new["since"], new["counters"]["became_master"].as_u64().unwrap())
        );
        assert_eq!(new["priority"]["base"], router.priority);
    }
    assert_eq!(daemon.stop(), 0);
    assert!(!ip("-o addr show").contains("198.51."), "nothing is left");
}

fn files() {
    fs::create_dir("/tmp/mark").unwrap();
    let conf = "global_defs {\n    reload_check_config /tmp/check.log\n    reload_file /tmp/mark/reload\n}\n";
    let good = format!("{conf}{}", crate::rig::CONF);
    let daemon = Daemon::start(&good);
    until("the address is set", || has(crate::rig::VIP));
    let touched = || fs::metadata("/tmp/mark").unwrap().modified().unwrap();
    let begun = touched();
    // A wrong keyword alone does not keep it from running, but the check refuses it.
    fs::write("/tmp/conf", format!("{good}no_such_keyword 1\n")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("New config failed validation, see /tmp/check.log for details");
    daemon.says("the one read before stays in force");
    assert!(
        text_of("/tmp/check.log").contains("no_such_keyword"),
        "{}",
        text_of("/tmp/check.log")
    );
    assert!(touched() > begun, "the mark was there");
    assert!(!exists("/tmp/mark/reload"));
    fs::write("/tmp/conf", &good).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    assert_eq!(text_of("/tmp/check.log"), "", "nothing to complain about");
    assert!(!exists("/tmp/mark/reload") && has(crate::rig::VIP));
    assert_eq!(daemon.stop(), 0);
}
