//! Reloads of random pairs of configurations. Two cores live through the same: one is given the new configuration, its twin
//! is not. What the reload does not concern must not differ by anything; what it does concern shows the effect of its keyword.

mod bench;
mod between;
mod pairs;
mod touches;

pub(super) use touches::TOUCHES;

pub use between::{ReloadSeen, reload_between};

use super::random::Random;
use super::{Planted, Violation};
use crate::model::{Family, IfIndex, Instance, InstanceId, Instant, Micros, Priority, Transport, Version};
use crate::proto::{Datagram, InstanceSnapshot, Packet, StateName, Transmit};
use crate::sim::network::Sent;
use crate::wire::ip::PROTO_VRRP;
use crate::wire::vrrp::{ChecksumForm, build};
use bench::{Bench, Object, Record, What};
use pairs::{Around, Fate, LINKS, Pair};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Adverts that are due nearly together may leave together, never late.
const TOGETHER: Micros = Micros::from_millis(4);

/// What a reload does to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadEffect {
    /// Nothing that runs is touched; the new value is used from then on.
    Nothing,
    /// An advert, a timer, an address or a socket follows; the state stays.
    Adjusted,
    /// The instance ends and begins anew.
    Restarted,
}

/// What a run of [`random_reload`] has seen.
#[derive(Debug, Clone)]
pub struct ReloadReport {
    /// What was different.
    pub kind: &'static str,
    /// Instances that the reload did not concern.
    pub untouched: usize,
    /// Block and keyword of each changed setting, the state of its instance, and what the core did.
    pub touched: Vec<(&'static str, &'static str, StateName, ReloadEffect)>,
}

/// Block and keyword of every setting that [`random_reload`] changes.
pub fn reload_keywords() -> impl Iterator<Item = (&'static str, &'static str)> {
    touches::keywords()
}

/// One reload of a random pair of configurations.
///
/// # Errors
/// What was not as it should be.
pub fn random_reload(seed: u64, planted: Planted) -> Result<ReloadReport, Violation> {
    let mut random = Random::new(seed);
    let pair = Pair::random(&mut random);
    let mut scene = Scene::new(&pair, planted, &mut random);
    scene.run_until(Instant(1_000_000) + Micros(random.between(12_000_000, 15_000_000)));
    let before = scene.changed.instances();
    let then = scene.now;
    scene.reload(&pair);
    let after = scene.changed.instances();
    Judge::new(&pair, then, (&before, &after), &scene).at_once()?;
    scene.run_until(then + Micros(9_300_000));
    Judge::new(&pair, then, (&before, &after), &scene).in_the_end()
}

/// Both cores, and the routers around them.
struct Scene {
    now: Instant,
    twin: Bench,
    changed: Bench,
    peers: BTreeMap<(Instant, usize), (Packet<'static>, Micros)>,
}

impl Scene {
    fn new(pair: &Pair, planted: Planted, random: &mut Random) -> Self {
        let now = Instant(1_000_000);
        let mut peers = BTreeMap::new();
        for (at, (config, around)) in pair.old.instances.iter().zip(&pair.around).enumerate() {
            if let Some(packet) = advert(config, *around) {
                let period = config.advert_interval.duration();
                let first = now + Micros(random.below(period.0));
                peers.insert((first, at), (packet, period));
            }
        }
        Self {
            now,
            twin: Bench::new(pair.old.clone(), planted, now),
            changed: Bench::new(pair.old.clone(), planted, now),
            peers,
        }
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let heard = self.peers.keys().next().map(|(at, _)| *at);
            let due = [self.twin.next(), self.changed.next(), heard];
            let Some(at) = due.into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            self.twin.now = self.now;
            self.changed.now = self.now;
            while let Some(entry) = self.peers.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let ((at, whose), (packet, period)) = entry.remove_entry();
                for bench in [&mut self.twin, &mut self.changed] {
                    bench.hand(crate::proto::Event::Packet(packet.clone()));
                }
                self.peers.insert((at + period, whose), (packet, period));
            }
            self.twin.step(self.now);
            self.changed.step(self.now);
        }
        self.now = end;
        self.twin.step(end);
        self.changed.step(end);
    }

    fn reload(&mut self, pair: &Pair) {
        let ids = pair.moved_to.iter().zip(0..).filter_map(|(to, id)| {
            let config = pair.new.instances.get((*to)?)?;
            Some((Arc::clone(&config.name), InstanceId(id)))
        });
        self.changed.reload(pair.new.clone(), ids.collect());
        // What the fake host does at once belongs to the reload.
        self.changed.step(self.now);
    }
}

/// What another router sends for this instance.
fn advert(config: &Instance, around: Around) -> Option<Packet<'static>> {
    let priority = match around {
        Around::Nobody => return None,
        Around::Better => Priority(250),
        Around::Worse => Priority(10),
    };
    let link = config.interface.as_ref()?.as_str();
    let number = LINKS.iter().position(|(name, _)| *name == link)?;
    let octet = u8::try_from(number).ok()?;
    let source: IpAddr = match (config.family, &config.transport) {
        (Family::Ipv4, Transport::Unicast { .. }) => Ipv4Addr::new(192, 0, 0, 200).into(),
        (Family::Ipv4, Transport::Multicast { .. }) => Ipv4Addr::new(192, 0, octet, 200).into(),
        (Family::Ipv6, _) => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(octet), 200).into(),
    };
    let destination: IpAddr = match &config.transport {
        Transport::Multicast { group } => *group,
        Transport::Unicast { .. } => Ipv4Addr::new(192, 0, octet, 1).into(),
    };
    let form = match config.version {
        Version::V2 => ChecksumForm::MessageOnly,
        Version::V3 => ChecksumForm::PseudoHeader,
    };
    let vips: Vec<IpAddr> = config.vips.iter().map(|vip| vip.address).collect();
    let message = build(
        config.version,
        config.family,
        config.vrid,
        priority,
        config.advert_interval,
        &config.authentication,
        &vips,
        form,
        source,
        destination,
    );
    let interface = Some(IfIndex(u32::try_from(number).ok()? + 1));
    let datagram: Datagram<'static> = Sent::of(&Transmit {
        instance: InstanceId(0),
        interface,
        source,
        destination,
        ttl: Some(255),
        ip_id: 1,
        priority,
        protocol: PROTO_VRRP,
        message: message.into(),
    })
    .map(Sent::into_datagram)?;
    Some(Packet {
        interface,
        age: Micros::ZERO,
        datagram,
    })
}

/// Compares the two cores.
struct Judge<'a> {
    pair: &'a Pair,
    then: Instant,
    before: &'a [InstanceSnapshot],
    after: &'a [InstanceSnapshot],
    twin: &'a Bench,
    changed: &'a Bench,
}

/// An instance of the old configuration.
struct Case<'a> {
    id: InstanceId,
    fate: Fate,
    old: &'a Instance,
    new: Option<&'a Instance>,
    before: &'a InstanceSnapshot,
    /// Right after the reload.
    after: Option<&'a InstanceSnapshot>,
}

impl<'a> Judge<'a> {
    fn new(
        pair: &'a Pair,
        then: Instant,
        (before, after): (&'a [InstanceSnapshot], &'a [InstanceSnapshot]),
        scene: &'a Scene,
    ) -> Self {
        Self {
            pair,
            then,
            before,
            after,
            twin: &scene.twin,
            changed: &scene.changed,
        }
    }

    fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let of = |(at, id): (usize, u32)| {
            let to = self.pair.moved_to.get(at).copied().flatten();
            Some(Case {
                id: InstanceId(id),
                fate: *self.pair.fates.get(at)?,
                old: self.pair.old.instances.get(at)?,
                new: to.and_then(|to| self.pair.new.instances.get(to)),
                before: self.before.get(at)?,
                after: to.and_then(|to| self.after.get(to)),
            })
        };
        (0..self.pair.fates.len()).zip(0..).filter_map(of)
    }

    fn violation(&self, case: &Case<'_>, what: &str) -> Violation {
        let what = format!(
            "{} ({}, {:?}, {:?}): {what}",
            case.old.name, self.pair.kind, case.fate, case.before.state
        );
        Violation {
            at: self.changed.now,
            what,
        }
    }

    /// Right after the reload.
    fn at_once(&self) -> Result<(), Violation> {
        for case in self.cases() {
            match case.fate {
                Fate::Kept => {
                    if let Some(record) = self
                        .changed
                        .since(case.id, self.then)
                        .find(|r| !self.twin_did(&case, r))
                    {
                        return Err(self.violation(&case, &format!("the reload did {record:?}")));
                    }
                }
                Fate::Touched(touch) => {
                    let goes_on = !self.changed.ended.contains(&case.id);
                    let same = case.after.is_some_and(|after| after.state == case.before.state);
                    if goes_on && !same && !touch.decides_fault && case.old.sync_group.is_none() {
                        return Err(self.violation(&case, "the reload changed its state"));
                    }
                }
                Fate::Concerned => {}
                Fate::Removed => self.said_farewell(&case)?,
            }
        }
        self.addresses_are_right()
    }

    fn twin_did(&self, case: &Case<'_>, record: &Record) -> bool {
        self.twin.since(case.id, self.then).any(|other| other == record)
    }

    fn said_farewell(&self, case: &Case<'_>) -> Result<(), Violation> {
        let was_master = case.before.state == StateName::Master;
        let released = self
            .changed
            .since(case.id, self.then)
            .any(|record| matches!(&record.what, What::Sent(sent) if sent.priority == Priority::RELEASE));
        if was_master != released && case.before.source.is_some() {
            return Err(self.violation(case, "a master releases, nobody else does"));
        }
        Ok(())
    }

    /// Masters hold what they are configured to hold, and nobody else holds anything.
    fn addresses_are_right(&self) -> Result<(), Violation> {
        let held: BTreeSet<&Object> = self.changed.held.values().flatten().collect();
        let configured = |at: usize| self.changed.model.instances.get(at);
        let mut right = BTreeSet::new();
        for (at, now) in self.changed.instances().iter().enumerate() {
            if let Some(config) = configured(at).filter(|_| now.state == StateName::Master) {
                right.extend(config.vips.iter().chain(&config.excluded_vips).map(bench::object));
            }
        }
        if held == right.iter().collect() {
            return Ok(());
        }
        Err(Violation {
            at: self.changed.now,
            what: format!(
                "addresses on the host {held:?}, masters have {right:?} ({})",
                self.pair.kind
            ),
        })
    }

    /// After a while.
    fn in_the_end(&self) -> Result<ReloadReport, Violation> {
        let mut report = ReloadReport {
            kind: self.pair.kind,
            untouched: 0,
            touched: Vec::new(),
        };
        for case in self.cases() {
            match case.fate {
                Fate::Kept => {
                    self.noticed_nothing(&case)?;
                    report.untouched += 1;
                }
                Fate::Touched(touch) => {
                    let effect = self.effect(&case);
                    if effect == ReloadEffect::Adjusted {
                        self.told_at_once(&case)?;
                        self.announced_new_ones(&case)?;
                    }
                    report
                        .touched
                        .push((touch.block, touch.keyword, case.before.state, effect));
                }
                Fate::Concerned | Fate::Removed => {}
            }
        }
        if self.pair.same_scripts && self.changed.runs != self.twin.runs {
            return Err(Violation {
                at: self.changed.now,
                what: format!("scripts were run at other times ({})", self.pair.kind),
            });
        }
        self.addresses_are_right()?;
        Ok(report)
    }

    /// An instance that the reload does not concern did what its twin did, and is what its twin is.
    fn noticed_nothing(&self, case: &Case<'_>) -> Result<(), Violation> {
        if let Some(difference) = self.difference(case) {
            return Err(self.violation(case, &difference));
        }
        let named = |bench: &Bench, name: &str| bench.instances().into_iter().find(|one| &*one.name == name);
        let twin = named(self.twin, &case.old.name);
        let changed = case.new.and_then(|new| named(self.changed, &new.name));
        let (Some(mut twin), Some(mut changed)) = (twin, changed) else {
            return Err(self.violation(case, "it is gone"));
        };
        changed.name = Arc::clone(&twin.name);
        let left = [&twin, &changed].map(|one| one.timer.as_ref().map_or(0, |timer| timer.remaining.0));
        if left[0].abs_diff(left[1]) > TOGETHER.0 {
            return Err(self.violation(case, &format!("its timer has {left:?} us left")));
        }
        twin.timer = None;
        changed.timer = None;
        if twin != changed {
            return Err(self.violation(case, &format!("it is {changed:?}, its twin {twin:?}")));
        }
        Ok(())
    }

    /// The first thing that an instance and its twin did differently since the reload.
    fn difference(&self, case: &Case<'_>) -> Option<String> {
        let renamed = case.new.is_none_or(|new| new.name != case.old.name);
        let counts = |record: &&Record| !(renamed && matches!(record.what, What::Said(_) | What::Told(_)));
        let mut twin = self.twin.since(case.id, self.then).filter(counts);
        let mut changed = self.changed.since(case.id, self.then).filter(counts);
        loop {
            let (ours, theirs) = (changed.next(), twin.next());
            let same = match (ours, theirs) {
                (None, None) => return None,
                (Some(ours), Some(theirs)) => is_same(ours, theirs, case.old.hmac.is_some()),
                // The last advert may be on one side of the end only.
                (Some(one), None) | (None, Some(one)) => {
                    self.changed.now.since(one.at) <= TOGETHER && matches!(one.what, What::Sent(_))
                }
            };
            if !same {
                return Some(format!("it did {ours:?}, its twin {theirs:?}"));
            }
        }
    }

    fn effect(&self, case: &Case<'_>) -> ReloadEffect {
        if self.changed.ended.contains(&case.id) {
            return ReloadEffect::Restarted;
        }
        let timer = |bench: &Bench, name: Option<&Arc<str>>| {
            let of = |one: &InstanceSnapshot| one.timer.as_ref().map(|timer| timer.remaining);
            bench
                .instances()
                .iter()
                .find(|one| Some(&one.name) == name)
                .and_then(of)
        };
        let ours = timer(self.changed, case.new.map(|new| &new.name)).unwrap_or_default();
        let twins = timer(self.twin, Some(&case.old.name)).unwrap_or_default();
        if self.difference(case).is_some() || ours.0.abs_diff(twins.0) > TOGETHER.0 {
            ReloadEffect::Adjusted
        } else {
            ReloadEffect::Nothing
        }
    }

    /// A master whose adverts are others now says so at once.
    fn told_at_once(&self, case: &Case<'_>) -> Result<(), Violation> {
        let is_master = |state| state == StateName::Master;
        if !is_master(case.before.state) || !case.after.is_some_and(|after| is_master(after.state)) {
            return Ok(());
        }
        let first = |bench: &Bench| {
            let sent = bench
                .since(case.id, self.then)
                .find_map(|record| Some((record.at, look_of(record.sent()?))));
            sent.map(|(at, look)| (at == self.then, look))
        };
        let (Some((at_once, ours)), Some((_, twins))) = (first(self.changed), first(self.twin)) else {
            return Ok(());
        };
        if ours != twins && !at_once {
            return Err(self.violation(case, "its adverts changed, and it did not say so at once"));
        }
        Ok(())
    }

    /// Announcements right after the reload are for new addresses only.
    fn announced_new_ones(&self, case: &Case<'_>) -> Result<(), Violation> {
        let Some(new) = case.new.filter(|_| case.before.state == StateName::Master) else {
            return Ok(());
        };
        let of = |config: &Instance| -> BTreeSet<Object> {
            config
                .vips
                .iter()
                .chain(&config.excluded_vips)
                .map(bench::object)
                .collect()
        };
        let (old, new) = (of(case.old), of(new));
        let wanted: BTreeSet<IpAddr> = new.difference(&old).map(|(_, address, _)| *address).collect();
        let soon = self.then + Micros::SECOND;
        let bursts = self.changed.since(case.id, self.then).filter(|record| record.at < soon);
        let announced: BTreeSet<IpAddr> = bursts.flat_map(|record| record.announced()).copied().collect();
        let still_master = case.after.is_some_and(|after| after.state == StateName::Master);
        if announced != wanted && still_master {
            return Err(self.violation(case, &format!("announced {announced:?}, new are {wanted:?}")));
        }
        Ok(())
    }
}

/// What others see of an advert, without the numbers and sums that change from one to the next.
fn look_of(sent: &Transmit) -> (IpAddr, Option<u8>, u8, Priority, IpAddr, Vec<u8>) {
    let sealed = sent.protocol != PROTO_VRRP;
    let shown = sent.message.iter().take(if sealed { 0 } else { 20 });
    let shown = (0..).zip(shown).filter(|(at, _)| !CHECKSUM.contains(at));
    let message = shown.map(|(_, byte)| *byte).collect();
    (
        sent.source,
        sent.ttl,
        sent.protocol,
        sent.priority,
        sent.destination,
        message,
    )
}

/// Where the checksum stands in a message.
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// `signed`: a signature carries the time.
fn is_same(ours: &Record, theirs: &Record, signed: bool) -> bool {
    match (&ours.what, &theirs.what) {
        (What::Sent(a), What::Sent(b)) => {
            let near = ours.at.since(theirs.at) <= TOGETHER && theirs.at.since(ours.at) <= TOGETHER;
            let same = look_of(a) == look_of(b) && a.message.len() == b.message.len();
            near && same && a.ip_id == b.ip_id && (signed || a.message == b.message)
        }
        (a, b) => ours.at == theirs.at && a == b,
    }
}
