//! 5,000 virtual addresses: how long until they are there and announced, what the adverts suffer meanwhile, whether another
//! instance's single address has to wait, and how long the removal takes when the daemon stops.
//!
//! The other router is this process: it sends adverts with a higher priority for the instance with the many addresses and for
//! the one with a single address, and gives both up with priority 0 when it is time. A third instance is master all the time
//! and sends every 10 ms.

use crate::measure::{Samples, delays, difference};
use crate::reference::{Advert, bare_addresses, send_on_time};
use crate::speaker::{Speaker, lab};
use crate::table::{Row, Target, millis};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vrrpd::lab::{Cut, Happening, Lab, NodeId, ProgramId, Seen};
use vrrpd::model::{Instant, Micros};
use vrrpd::system::clock;

const RAW: NodeId = NodeId(2);
const REFERENCE: NodeId = NodeId(3);
const MANY: u8 = 11;
const SINGLE: u8 = 12;
const STEADY: u8 = 13;
const REFERENCE_VRID: u8 = 14;
const SINGLE_VIP: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 1);
/// Interval of the instance that is master all the time, and of the reference sender.
const FAST: Duration = Duration::from_millis(10);
/// How long after the many addresses the single one is taken.
const MEANWHILE: Micros = Micros::from_millis(100);
/// Adverts of the higher router leave at least this often; its interval is a second.
const REMINDER: Micros = Micros::from_millis(700);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) addresses: u32,
    pub(crate) takeovers: u32,
    pub(crate) stops: u32,
}

/// What was measured of one daemon, or of the bare calls.
#[derive(Debug, Default)]
struct Results {
    present: Samples,
    /// Of each take-over the address that waited longest between its presence and its first announcement.
    announced: Samples,
    single: Samples,
    adverts: Samples,
    removed: Samples,
    gone: Samples,
}

struct Bench {
    lab: Lab,
    amount: Amount,
    /// Whether the higher router speaks for the many and for the single address of each daemon.
    suppressed: [[bool; 2]; 2],
    reminded: Instant,
}

fn many(count: u32) -> impl Iterator<Item = Ipv4Addr> {
    (0..count).map(|number| Ipv4Addr::from(0x0a01_0000 + number + 1))
}

fn configuration(count: u32) -> String {
    let instance = |name: &str, vrid: u8, interval: &str, addresses: &str| {
        format!(
            "vrrp_instance {name} {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n priority 100\n version 3\n advert_int {interval}\n {addresses}\n}}\n"
        )
    };
    let mut list = many(count).map(|address| format!("{address}/32\n"));
    let first = list.next().unwrap();
    let rest: String = list.collect();
    let addresses = format!("virtual_ipaddress {{\n {first} }}\n virtual_ipaddress_excluded {{\n {rest} }}");
    let single = format!("virtual_ipaddress {{\n {SINGLE_VIP}/32\n }}");
    [
        instance("MANY", MANY, "1", &addresses),
        instance("SINGLE", SINGLE, "1", &single),
        instance("STEADY", STEADY, "0.01", "virtual_ipaddress {\n 10.3.0.2/32\n }"),
    ]
    .concat()
}

impl Bench {
    /// An advert of the higher router into a daemon's node.
    fn say(&self, speaker: Speaker, vrid: u8, priority: u8) -> io::Result<()> {
        let address = if vrid == MANY {
            Ipv4Addr::new(10, 1, 0, 1)
        } else {
            SINGLE_VIP
        };
        let advert = Advert {
            source: Ipv4Addr::new(192, 0, 2, 200),
            vrid,
            priority,
            interval: Duration::from_secs(1),
            address: address.into(),
        };
        self.lab.inject(NodeId(speaker.index()), &advert.frame())
    }

    fn remind(&mut self) -> io::Result<()> {
        self.reminded = clock::now();
        for speaker in Speaker::BOTH {
            let [many, single] = self.suppressed[speaker.index()];
            if many {
                self.say(speaker, MANY, 200)?;
            }
            if single {
                self.say(speaker, SINGLE, 200)?;
            }
        }
        Ok(())
    }

    /// Watches like [`Lab::watch`], while the higher router goes on speaking.
    fn watch(&mut self, limit: Micros, mut enough: impl FnMut(&Lab) -> bool) -> io::Result<bool> {
        let end = clock::now() + limit;
        while clock::now() < end {
            if clock::now().since(self.reminded) >= REMINDER {
                self.remind()?;
            }
            let next = (self.reminded + REMINDER).min(end);
            if self.lab.watch(next.since(clock::now()).max(Micros(1)), &mut enough)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn need(&mut self, what: &str, limit: Micros, enough: impl FnMut(&Lab) -> bool) -> io::Result<()> {
        if self.watch(limit, enough)? {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "{what}: not seen within {} ms",
                limit.as_millis()
            )))
        }
    }

    fn start(&mut self, speaker: Speaker, text: &str) -> io::Result<ProgramId> {
        self.suppressed[speaker.index()] = [true; 2];
        let program = speaker.start(&mut self.lab, NodeId(speaker.index()), text)?;
        self.lab.moments.clear();
        let mut steady = Counter::new(NodeId(speaker.index()), Of::Advert(STEADY));
        self.need("the first adverts", Micros::from_secs(30), |lab| steady.count(lab) > 20)?;
        Ok(program)
    }

    /// One take-over of a daemon, which has the addresses afterwards.
    fn take_over(&mut self, speaker: Speaker, results: &mut Results, bare: &mut Samples) -> io::Result<()> {
        let node = NodeId(speaker.index());
        self.lab.moments.clear();
        self.suppressed[speaker.index()][0] = false;
        self.say(speaker, MANY, 0)?;
        self.watch(MEANWHILE, |_| false)?;
        self.suppressed[speaker.index()][1] = false;
        self.say(speaker, SINGLE, 0)?;
        let count = usize::try_from(self.amount.addresses).unwrap();
        let mut present = Counter::new(node, Of::Appeared);
        let mut announced = Counter::new(node, Of::Announced);
        let done = |lab: &Lab| present.count(lab) > count && announced.count(lab) > count;
        self.need("the addresses and their announcements", Micros::from_secs(30), done)?;
        // The next advert of the many has to be seen, too.
        self.watch(Micros::from_millis(1_100), |_| false)?;
        let story = Story::of(&self.lab, node);
        let (begun, single_begun) = (story.first(MANY)?, story.first(SINGLE)?);
        let many: Vec<u64> = story
            .appeared
            .iter()
            .filter(|(ip, _)| **ip != IpAddr::V4(SINGLE_VIP))
            .map(|(_, at)| *at)
            .collect();
        let last = many.iter().max().copied().unwrap_or(0);
        results.present.push(difference(last, begun));
        let waits = story.appeared.iter().map(|(address, at)| {
            story
                .announced
                .get(address)
                .map_or(i64::MAX, |told| difference(*told, *at).max(0))
        });
        results.announced.push(waits.max().unwrap_or(i64::MAX));
        let single = story.appeared.get(&SINGLE_VIP.into()).copied().unwrap_or(0);
        results.single.push(difference(single, single_begun));
        let end = last.max(begun + 1_100_000);
        let within =
            |times: &[u64]| -> Vec<u64> { times.iter().copied().filter(|at| (begun..=end).contains(at)).collect() };
        results.adverts.extend(delays(&within(story.adverts(STEADY)), 10_000));
        results.adverts.extend(delays(&within(story.adverts(MANY)), 1_000_000));
        let reference = Story::of(&self.lab, REFERENCE);
        bare.extend(delays(&within(reference.adverts(REFERENCE_VRID)), 10_000));
        Ok(())
    }

    /// The higher router comes back: everything is given up.
    fn give_back(&mut self, speaker: Speaker) -> io::Result<()> {
        self.lab.moments.clear();
        self.suppressed[speaker.index()] = [true; 2];
        self.remind()?;
        let count = usize::try_from(self.amount.addresses).unwrap();
        let mut vanished = Counter::new(NodeId(speaker.index()), Of::Vanished);
        self.need("the removal", Micros::from_secs(30), |lab| vanished.count(lab) > count)
    }

    fn stop(&mut self, speaker: Speaker, program: ProgramId, results: &mut Results) -> io::Result<()> {
        self.lab.moments.clear();
        let asked = clock::now();
        self.lab.signal(program, Signal::SIGTERM)?;
        self.need("the end", Micros::from_secs(30), |lab| !lab.runs(program))?;
        let mut last = 0;
        for moment in &self.lab.moments {
            match &moment.what {
                Happening::Vanished(node, _) if node.0 == speaker.index() => last = moment.at.0,
                Happening::Ended(node, ..) if node.0 == speaker.index() => {
                    results.removed.push(difference(last, asked.0));
                    results.gone.push(difference(moment.at.0, last));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The calls alone, in a node without a daemon.
    fn bare(&mut self, results: &mut Results) -> io::Result<()> {
        self.lab.moments.clear();
        let addresses: Vec<Ipv4Addr> = many(self.amount.addresses).collect();
        let calls = || u8::from(bare_addresses("eth0", &addresses, Duration::from_millis(100)).is_err());
        let program = self.lab.start_function(RAW, "raw", &calls)?;
        self.need("the bare calls", Micros::from_secs(30), |lab| !lab.runs(program))?;
        let times = |of: Of| -> Vec<u64> {
            self.lab
                .moments
                .iter()
                .filter(|m| of.is(RAW, &m.what))
                .map(|m| m.at.0)
                .collect()
        };
        let length = |times: Vec<u64>| {
            difference(
                times.iter().max().copied().unwrap_or(0),
                times.iter().min().copied().unwrap_or(0),
            )
        };
        results.present.push(length(times(Of::Appeared)));
        results.removed.push(length(times(Of::Vanished)));
        Ok(())
    }
}

/// Moments of one kind.
#[derive(Debug, Clone, Copy)]
enum Of {
    Appeared,
    Vanished,
    Advert(u8),
    /// Addresses that were announced, each once.
    Announced,
}

impl Of {
    fn is(self, node: NodeId, what: &Happening) -> bool {
        match (self, what) {
            (Self::Appeared, Happening::Appeared(from, _)) | (Self::Vanished, Happening::Vanished(from, _)) => {
                *from == node
            }
            (Self::Advert(vrid), Happening::Sent(from, frame)) => {
                *from == node && matches!(&frame.seen, Seen::Advert(advert) if advert.vrid == vrid)
            }
            (Self::Announced, Happening::Sent(from, frame)) => {
                *from == node && matches!(&frame.seen, Seen::Announce { .. })
            }
            _ => false,
        }
    }
}

/// Counts moments of one kind, each looked at once.
struct Counter {
    node: NodeId,
    of: Of,
    looked: usize,
    count: usize,
    announced: std::collections::BTreeSet<IpAddr>,
}

impl Counter {
    fn new(node: NodeId, of: Of) -> Self {
        Self {
            node,
            of,
            looked: 0,
            count: 0,
            announced: std::collections::BTreeSet::new(),
        }
    }

    fn count(&mut self, lab: &Lab) -> usize {
        for moment in lab.moments.iter().skip(self.looked) {
            let counts = self.of.is(self.node, &moment.what);
            let new = match (&self.of, &moment.what) {
                (Of::Announced, Happening::Sent(_, frame)) => match &frame.seen {
                    Seen::Announce { address, .. } if counts => self.announced.insert(*address),
                    _ => false,
                },
                _ => counts,
            };
            self.count += usize::from(new);
        }
        self.looked = lab.moments.len();
        self.count
    }
}

/// What a node did.
#[derive(Default)]
struct Story {
    adverts: BTreeMap<u8, Vec<u64>>,
    appeared: BTreeMap<IpAddr, u64>,
    announced: BTreeMap<IpAddr, u64>,
}

impl Story {
    fn of(lab: &Lab, node: NodeId) -> Self {
        let mut story = Self::default();
        for moment in &lab.moments {
            let at = moment.at.0;
            match &moment.what {
                Happening::Appeared(on, address) if *on == node => drop(story.appeared.insert(*address, at)),
                Happening::Sent(from, frame) if *from == node => match &frame.seen {
                    Seen::Advert(advert) => story.adverts.entry(advert.vrid).or_default().push(at),
                    Seen::Announce { address, .. } => drop(story.announced.entry(*address).or_insert(at)),
                },
                _ => {}
            }
        }
        story
    }

    fn adverts(&self, vrid: u8) -> &[u64] {
        self.adverts.get(&vrid).map_or(&[], Vec::as_slice)
    }

    fn first(&self, vrid: u8) -> io::Result<u64> {
        let first = self.adverts(vrid).first().copied();
        first.ok_or_else(|| io::Error::other(format!("no advert of VRID {vrid}")))
    }
}

pub(crate) fn run(amount: Amount) -> io::Result<()> {
    let mut lab = lab(&["k", "v", "raw", "reference"], true)?;
    // Nobody else is to be flooded by what one node announces; the packets are seen at the ports.
    for node in lab.nodes() {
        lab.cut(node, Cut::Both)?;
    }
    let reference = Advert {
        source: Ipv4Addr::new(192, 0, 2, 4),
        vrid: REFERENCE_VRID,
        priority: 100,
        interval: FAST,
        address: Ipv4Addr::new(10, 3, 0, 3).into(),
    };
    let frames = [("eth0", reference.frame())];
    lab.start_function(REFERENCE, "reference", &|| {
        u8::from(send_on_time(FAST, &frames).is_err())
    })?;
    let mut bench = Bench {
        lab,
        amount,
        suppressed: [[false; 2]; 2],
        reminded: clock::now(),
    };
    let text = configuration(amount.addresses);
    let (mut results, mut raw, mut bare) = (
        [Results::default(), Results::default()],
        Results::default(),
        Samples::default(),
    );
    for stop in 0..amount.stops {
        let programs = [
            bench.start(Speaker::Keepalived, &text)?,
            bench.start(Speaker::Vrrpd, &text)?,
        ];
        let rounds = (stop + 1) * amount.takeovers / amount.stops - stop * amount.takeovers / amount.stops;
        for round in 0..rounds {
            bench.bare(&mut raw)?;
            for speaker in Speaker::BOTH {
                let index = speaker.index();
                bench.take_over(speaker, &mut results[index], &mut bare)?;
                if round + 1 < rounds {
                    bench.give_back(speaker)?;
                } else {
                    bench.stop(speaker, programs[index], &mut results[index])?;
                }
            }
        }
    }
    report(amount, &results, &raw, &bare);
    Ok(())
}

fn report(amount: Amount, results: &[Results; 2], raw: &Results, bare: &Samples) {
    let [keepalived, vrrpd] = results;
    let Amount {
        addresses,
        takeovers,
        stops,
    } = amount;
    let row = |work: String, pick: fn(&Results) -> &Samples, bare: Option<&Samples>, target: Target| {
        Row {
            work,
            bare: bare.and_then(|bare| millis(bare.median())),
            keepalived: millis(pick(keepalived).median()),
            vrrpd: millis(pick(vrrpd).median()),
            unit: "ms",
            target,
        }
        .print();
    };
    row(
        format!("{addresses} VIPs present, median of {takeovers}"),
        |r| &r.present,
        Some(&raw.present),
        Target::TimesBare(1.15),
    );
    row(
        format!("each announced after presence, slowest, median of {takeovers}"),
        |r| &r.announced,
        None,
        Target::AtMost(20.0),
    );
    row(
        format!("another instance's VIP meanwhile, median of {takeovers}"),
        |r| &r.single,
        None,
        Target::AtMost(10.0),
    );
    Row {
        work: format!("adverts late meanwhile, 99.9th percentile of {}", vrrpd.adverts.len()),
        bare: millis(bare.quantile(999)),
        keepalived: millis(keepalived.adverts.quantile(999)),
        vrrpd: millis(vrrpd.adverts.quantile(999)),
        unit: "ms",
        target: Target::OverBare(5.0),
    }
    .print();
    row(
        format!("{addresses} VIPs removed on stop, median of {stops}"),
        |r| &r.removed,
        Some(&raw.removed),
        Target::TimesBare(1.5),
    );
    row(
        format!("process gone after the last removal, median of {stops}"),
        |r| &r.gone,
        None,
        Target::AtMost(50.0),
    );
}
