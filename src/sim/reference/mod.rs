//! The reference model: what a node's virtual routers do, as simple as it can be said.
//!
//! Written from RFC 9568, RFC 5798, RFC 3768 and the facts about keepalived (behaviour §2, §3, §4, §6), not from
//! [`crate::proto`]: own reading of packets, own arithmetic, nothing remembered that can be looked up. It takes the same
//! events as a core and says after each of them in which state, with which priority and until when every router is, and
//! what it has sent and wished. [`Host::compare`] finds the first difference.
//!
//! It judges: states, effective priorities, Master_Down and advert timers to the microsecond, adverts byte by byte apart
//! from sums made with keys, wishes for addresses; elections with ties, priority 0, pre-emption and its delay, learned
//! intervals, owners and two of them, answers and their limit, stalls, start-up delays, validity of packets, AH and
//! `auth_hmac` numbers, faults, missing first results, rise and fall, weights, sync groups, stolen addresses, stops,
//! reloads of adjustable settings. It leaves to others: announcements, notify programs, the schedule of scripts, logs.

#![expect(
    clippy::indexing_slicing,
    reason = "positions come from the model's own lists and lengths are checked before; a mistake here must be loud"
)]

mod feed;
mod packet;
mod router;
mod rules;

pub(super) use router::Deed;

use crate::model::{Family, Instant, Model, RunId};
use crate::proto::{Brief, Datagram, StateName};
use packet::Heard;
use router::{Phase, Router};
use rules::Rules;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Host {
    routers: Vec<Router>,
    groups: Vec<Vec<usize>>,
    scripts: Vec<Script>,
    /// Whether a link runs, and its addresses in the order in which they came.
    links: BTreeMap<u32, (String, bool, Vec<IpAddr>)>,
    /// What tracked files hold; not read yet: `None`.
    files: Vec<Option<i32>>,
    runs: BTreeMap<RunId, usize>,
    /// Time of day at a moment.
    wall: (u64, u64),
    /// Adverts are neither heard nor sent before.
    deaf_until: Option<u64>,
    delay: (u64, u64),
    started: bool,
    stopping: bool,
    /// What was done since the last comparison.
    deeds: Vec<(usize, Deed, Rc<Rules>)>,
}

/// A check program: `rise` successes in a row bring it up, `fall` failures down; the first result decides (behaviour §5.1).
#[derive(Debug, Clone)]
struct Script {
    rise: u32,
    fall: u32,
    /// Nothing known yet: `None`.
    up: Option<bool>,
    /// Opposite results in a row.
    opposite: u32,
}

impl Script {
    /// Whether its condition has changed, or become known.
    fn result(&mut self, good: bool) -> bool {
        let needed = match self.up {
            None => 1,
            Some(up) if up == good => {
                self.opposite = 0;
                return false;
            }
            Some(true) => self.fall,
            Some(false) => self.rise,
        };
        self.opposite += 1;
        if self.opposite < needed {
            return false;
        }
        self.up = Some(good);
        self.opposite = 0;
        true
    }
}

impl Host {
    pub(super) fn new(model: &Model, now: Instant) -> Self {
        let routers = model
            .instances
            .iter()
            .map(|config| Router::new(Rules::of(config, model), now.0));
        let members = |group: &crate::model::SyncGroup| -> Vec<usize> {
            group
                .members
                .iter()
                .filter_map(|id| usize::try_from(id.0).ok())
                .collect()
        };
        let scripts = model.scripts.iter().map(|script| Script {
            rise: script.rise,
            fall: script.fall,
            up: script.init_fail.then_some(false),
            opposite: 0,
        });
        Self {
            routers: routers.collect(),
            groups: model.groups.iter().map(members).collect(),
            scripts: scripts.collect(),
            links: BTreeMap::new(),
            files: vec![None; model.files.len()],
            runs: BTreeMap::new(),
            wall: (0, 0),
            deaf_until: None,
            delay: (model.global.startup_delay.0, model.global.delay_after_boot.0),
            started: false,
            stopping: false,
            deeds: Vec::new(),
        }
    }

    /// Whether it knows all that this model asks for: processes, delays and polling of links have tests of their own.
    pub(super) fn can_judge(model: &Model) -> bool {
        let links = model.global.interface_delays.is_empty() && model.global.linkbeat_interfaces.is_empty();
        links && model.processes.is_empty()
    }

    /// A daemon that goes on with what this one has learned: intervals and results of scripts.
    pub(super) fn successor(&self, model: &Model, now: Instant) -> Self {
        let mut next = Self::new(model, now);
        for (new, old) in next.routers.iter_mut().zip(&self.routers) {
            if new.rules.v3 {
                new.master_interval = old.master_interval;
            }
            new.go_on_counting(old);
        }
        for (new, old) in next.scripts.iter_mut().zip(&self.scripts) {
            new.up = old.up.or(new.up);
        }
        next
    }

    fn wall_at(&self, now: u64) -> u64 {
        let (told, wall) = self.wall;
        wall + now - told
    }

    /// Timers that start now end no earlier than if they started at the end of the delay.
    fn not_before(&self, now: u64) -> u64 {
        self.deaf_until.unwrap_or(now)
    }

    fn did(&mut self, router: usize, deeds: Vec<Deed>) {
        let rules = &self.routers[router].rules;
        self.deeds
            .extend(deeds.into_iter().map(|deed| (router, deed, Rc::clone(rules))));
    }

    fn others(&self, router: usize) -> Vec<usize> {
        let group = self.groups.iter().find(|group| group.contains(&router));
        group.map_or_else(Vec::new, |group| {
            group.iter().copied().filter(|other| *other != router).collect()
        })
    }

    fn link(&self, name: &str) -> Option<&(String, bool, Vec<IpAddr>)> {
        self.links.values().find(|(known, _, _)| known == name)
    }

    /// The configured address, else the first of the link that is none of its own virtual ones; IPv6: a link-local one.
    fn source_of(&self, router: usize) -> Option<IpAddr> {
        let rules = &self.routers[router].rules;
        let exists = |address: &IpAddr| self.links.values().any(|(_, _, has)| has.contains(address));
        if let Some(source) = rules.source {
            return (!rules.tracks_source || exists(&source)).then_some(source);
        }
        let (_, _, addresses) = self.link(&rules.link)?;
        let fits = |address: &&IpAddr| match address {
            IpAddr::V4(_) => rules.family == Family::Ipv4,
            IpAddr::V6(v6) => rules.family == Family::Ipv6 && v6.segments()[0] >> 6 == 0xfe80 >> 6,
        };
        addresses
            .iter()
            .filter(|address| !rules.addresses.contains(address))
            .find(fits)
            .copied()
    }

    fn has_own_fault(&self, router: usize) -> bool {
        let (it, rules) = (&self.routers[router], &self.routers[router].rules);
        let bad = |(name, weight): &(String, rules::Weight)| {
            weight.faults(self.link(name).is_some_and(|(_, running, _)| *running))
        };
        let script = |(at, weight): &(usize, rules::Weight)| self.scripts[*at].up.is_some_and(|up| weight.faults(up));
        it.source.is_none()
            || it.socket_failed
            || rules.links.iter().any(bad)
            || rules.scripts.iter().any(script)
            || rules
                .files
                .iter()
                .any(|(at, weight)| self.files[*at].is_some_and(|number| weight.of_file(number).is_none()))
    }

    /// A script of weight 0 has not reported yet.
    fn has_own_pending(&self, router: usize) -> bool {
        let rules = &self.routers[router].rules;
        rules
            .scripts
            .iter()
            .any(|(at, weight)| weight.is_fault() && self.scripts[*at].up.is_none())
    }

    /// base + Σ contributions, 1 to 254; an owner has 255, or 254 while it lets another one win.
    fn priority_of(&self, router: usize) -> u8 {
        let (it, rules) = (&self.routers[router], &self.routers[router].rules);
        if rules.is_owner() {
            return if it.lowered { 254 } else { 255 };
        }
        let scripts = rules
            .scripts
            .iter()
            .map(|(at, weight)| self.scripts[*at].up.map_or(0, |up| weight.adds(up)));
        let links = rules.weighted_links.iter().map(|(name, weight)| {
            let up = self.link(name).is_some_and(|(_, running, _)| *running);
            weight.adds(up)
        });
        let files = rules.files.iter().map(|(at, weight)| {
            let number = self.files[*at];
            number.and_then(|number| weight.of_file(number)).unwrap_or(0)
        });
        let sum = i32::from(rules.base) + scripts.chain(links).chain(files).sum::<i32>();
        u8::try_from(sum.clamp(1, 254)).unwrap_or(254)
    }

    fn start(&mut self, now: u64) {
        if self.started || self.stopping {
            return;
        }
        self.started = true;
        let (startup, after_boot) = self.delay;
        let delay = startup.max(after_boot.saturating_sub(now));
        self.deaf_until = (delay > 0).then_some(now + delay);
        for router in 0..self.routers.len() {
            self.routers[router].source = self.source_of(router);
            self.routers[router].own_fault = self.has_own_fault(router);
            self.routers[router].own_pending = self.has_own_pending(router);
        }
        for router in 0..self.routers.len() {
            self.begin(router, now);
        }
    }

    /// The first state (behaviour §1.3): only an owner that wants to be master does not wait; in a group, if all do.
    fn begin(&mut self, router: usize, now: u64) {
        self.routers[router].source = self.source_of(router);
        self.routers[router].priority = self.priority_of(router);
        self.routers[router].own_fault = self.has_own_fault(router);
        self.routers[router].own_pending = self.has_own_pending(router);
        let (faulty, pending) = (self.is_faulty(router), self.is_pending(router));
        let at_once = |it: &Router| it.rules.is_owner() && it.rules.wants_master;
        let all =
            at_once(&self.routers[router]) && self.others(router).iter().all(|other| at_once(&self.routers[*other]));
        let mut deeds = Vec::new();
        if all && !faulty && !pending && self.deaf_until.is_none() {
            let wall = self.wall_at(now);
            self.routers[router].become_master(now, wall, &mut deeds);
            return self.did(router, deeds);
        }
        deeds.push(Deed::Clear);
        if faulty {
            self.routers[router].become_fault(&mut deeds);
        } else if !pending {
            let begins = self.not_before(now);
            let down = if all { 0 } else { self.routers[router].down() };
            self.routers[router].become_backup(begins + down, &mut deeds);
        }
        self.did(router, deeds);
    }

    fn is_faulty(&self, router: usize) -> bool {
        self.routers[router].own_fault || self.others(router).iter().any(|other| self.routers[*other].own_fault)
    }

    fn is_pending(&self, router: usize) -> bool {
        self.routers[router].own_pending || self.others(router).iter().any(|other| self.routers[*other].own_pending)
    }

    /// Links, addresses, scripts or settings have changed.
    fn look_around(&mut self, now: u64) {
        if self.started && !self.stopping {
            (0..self.routers.len()).for_each(|router| self.look(router, now));
        }
    }

    fn look(&mut self, router: usize, now: u64) {
        let source = self.source_of(router);
        let it = &mut self.routers[router];
        it.source = source;
        self.set_priority(router);
        let before = (self.routers[router].own_fault, self.routers[router].own_pending);
        let after = (self.has_own_fault(router), self.has_own_pending(router));
        (self.routers[router].own_fault, self.routers[router].own_pending) = after;
        let (faulty, pending) = (self.is_faulty(router), self.is_pending(router));
        let (begins, wall) = (self.not_before(now), self.wall_at(now));
        let it = &mut self.routers[router];
        let mut deeds = Vec::new();
        match it.phase {
            Phase::Backup { .. } | Phase::Master { .. } if !faulty => {}
            Phase::Init | Phase::Backup { .. } | Phase::Master { .. } if faulty => {
                it.release(wall, &mut deeds);
                it.become_fault(&mut deeds);
            }
            Phase::Fault if !faulty && !pending => {
                it.master_interval = it.rules.interval;
                it.become_backup(begins + it.down(), &mut deeds);
            }
            Phase::Init if !pending => it.become_backup(begins + it.down(), &mut deeds),
            Phase::Init | Phase::Fault | Phase::Backup { .. } | Phase::Master { .. } => {}
        }
        self.did(router, deeds);
        if before != after {
            for other in self.others(router) {
                self.look(other, now);
            }
        }
    }

    /// A backup's timer moves by the change of its Master_Down_Interval (behaviour §4).
    /// While a file's number is a fault the old priority stays.
    fn set_priority(&mut self, router: usize) {
        let mut files = self.routers[router].rules.files.iter();
        if files.any(|(at, weight)| self.files[*at].is_some_and(|number| weight.of_file(number).is_none())) {
            return;
        }
        let priority = self.priority_of(router);
        let it = &mut self.routers[router];
        let before = it.down();
        it.priority = priority;
        let after = it.down();
        if let Phase::Backup { down_at, .. } = &mut it.phase {
            *down_at = (*down_at + after).saturating_sub(before);
        }
    }

    /// An advert. `intact`: it is as one of the cluster's nodes has sent it.
    fn hear(&mut self, datagram: &Datagram<'_>, intact: bool, at: u64, now: u64) {
        if self.deaf_until.is_some() {
            return;
        }
        let Some(heard) = Heard::read(datagram) else { return };
        let is_for = |it: &Router| it.rules.vrid == heard.vrid && it.rules.family == heard.family();
        let Some(router) = self.routers.iter().position(is_for) else {
            return;
        };
        let (wall, wall_then) = (self.wall_at(now), self.wall_at(now) - (now - at));
        let it = &mut self.routers[router];
        let listens = it.is_master() || it.is_backup();
        if !listens || it.source == Some(heard.from) || !it.is_valid(&heard, intact, wall_then / 1_000_000) {
            return;
        }
        let was_master = it.is_master();
        let mut deeds = Vec::new();
        if was_master {
            it.master_hears(&heard, at, now, wall, &mut deeds);
        } else {
            it.backup_hears(&heard, at);
        }
        self.did(router, deeds);
        self.others_yield(router, was_master, now);
    }

    /// behaviour §6 "To BACKUP": when one member leaves master, the others do; if it lost an address they release as well.
    fn others_yield(&mut self, router: usize, was_master: bool, now: u64) {
        if !was_master || !self.routers[router].is_backup() {
            return;
        }
        let (lost, wall, begins) = (
            self.routers[router].lost_address,
            self.wall_at(now),
            self.not_before(now),
        );
        for other in self.others(router) {
            let it = &mut self.routers[other];
            if !it.is_master() {
                continue;
            }
            let mut deeds = Vec::new();
            if lost {
                it.release(wall, &mut deeds);
                it.become_backup(now + it.skew(), &mut deeds);
            } else {
                it.become_backup(begins + it.down(), &mut deeds);
            }
            self.did(other, deeds);
        }
    }

    /// What is due by now. `early` says which routers have sent an advert a little early, as they may when they are
    /// awake anyway: at most 4 ms, at most a 64th of their interval.
    pub(super) fn time(&mut self, now: Instant, early: impl Fn(usize) -> bool) {
        let now = now.0;
        if self.deaf_until.is_some_and(|until| until <= now) {
            self.deaf_until = None;
        }
        while let Some((_, _, router)) = (0..self.routers.len()).filter_map(|at| self.due(at, now)).min() {
            self.expire(router, now);
        }
        for router in 0..self.routers.len() {
            let Phase::Master { advert_at, .. } = self.routers[router].phase else {
                continue;
            };
            let allowance = (self.routers[router].rules.interval / 64).min(4_000);
            let has_sent = self.deeds.iter().any(|(of, deed, _)| *of == router && deed.is_advert());
            if advert_at <= now + allowance && !has_sent && early(router) {
                let wall = self.wall_at(now);
                let mut deeds = Vec::new();
                self.routers[router].tick(now, wall, &mut deeds);
                self.did(router, deeds);
            }
        }
    }

    /// The earliest timer of a router that has ended: adverts before take-overs, then the order of the file.
    fn due(&self, router: usize, now: u64) -> Option<(u64, u8, usize)> {
        let (at, order) = match &self.routers[router].phase {
            Phase::Init | Phase::Fault => return None,
            Phase::Backup { down_at, .. } => (*down_at, 1),
            Phase::Master { advert_at, rogue, .. } => {
                let quiet_at = rogue.as_ref().and_then(|rogue| rogue.quiet_at);
                match quiet_at {
                    Some(at) if at < *advert_at => (at, 2),
                    _ => (*advert_at, 0),
                }
            }
        };
        (at <= now).then_some((at, order, router))
    }

    fn expire(&mut self, router: usize, now: u64) {
        let wall = self.wall_at(now);
        let hesitates = self
            .others(router)
            .iter()
            .any(|other| !self.routers[*other].wants_master);
        let it = &mut self.routers[router];
        let mut deeds = Vec::new();
        match &mut it.phase {
            Phase::Master { advert_at, .. } if *advert_at <= now => it.tick(now, wall, &mut deeds),
            Phase::Master { rogue, .. } => *rogue = None,
            Phase::Init | Phase::Fault => {}
            Phase::Backup { .. } => {
                it.wants_master = true;
                let again = now + it.down();
                if !hesitates {
                    return self.take_over(router, now);
                }
                if let Phase::Backup { down_at, .. } = &mut it.phase {
                    *down_at = again;
                }
            }
        }
        // Who is late finds that the other owner had to be quiet meanwhile.
        if let Phase::Master { rogue, .. } = &mut self.routers[router].phase
            && rogue
                .as_ref()
                .and_then(|rogue| rogue.quiet_at)
                .is_some_and(|at| at <= now)
        {
            *rogue = None;
        }
        self.did(router, deeds);
    }

    /// behaviour §6 "To MASTER": the last one whose master fell silent takes over, then the others in order.
    fn take_over(&mut self, router: usize, now: u64) {
        let wall = self.wall_at(now);
        for member in std::iter::once(router).chain(self.others(router)) {
            let it = &mut self.routers[member];
            if it.is_backup() {
                let mut deeds = Vec::new();
                it.become_master(now, wall, &mut deeds);
                self.did(member, deeds);
            }
        }
    }

    fn stalled(&mut self, gap: u64, now: u64) {
        for router in 0..self.routers.len() {
            let was_master = self.routers[router].is_master();
            let mut deeds = Vec::new();
            self.routers[router].stalled(gap, now, &mut deeds);
            self.did(router, deeds);
            self.others_yield(router, was_master, now);
        }
    }

    /// Somebody deleted an address: it is put back, five times a minute; then it is given up (difference 1).
    fn stolen(&mut self, router: usize, now: u64) {
        let it = &mut self.routers[router];
        if !it.is_master() {
            return;
        }
        while it.stolen.front().is_some_and(|at| now - at >= 60_000_000) {
            it.stolen.pop_front();
        }
        it.stolen.push_back(now);
        if it.stolen.len() <= 5 {
            self.did(router, vec![Deed::Restore]);
        } else {
            self.lose(router, now);
        }
    }

    /// As keepalived: a release, everything removed, and a new try after Skew_Time (behaviour §8.4).
    fn lose(&mut self, router: usize, now: u64) {
        let wall = self.wall_at(now);
        let it = &mut self.routers[router];
        let mut deeds = Vec::new();
        it.release(wall, &mut deeds);
        it.become_backup(now + it.skew(), &mut deeds);
        it.lost_address = true;
        self.did(router, deeds);
        self.others_yield(router, true, now);
    }

    /// `quietly`: the addresses stay and nobody is told (`-V`).
    fn stop(&mut self, quietly: bool, now: u64) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        if quietly {
            return;
        }
        let wall = self.wall_at(now);
        for router in 0..self.routers.len() {
            let it = &mut self.routers[router];
            let mut deeds = Vec::new();
            if it.is_master() {
                it.release(wall, &mut deeds);
                deeds.push(Deed::Clear);
            }
            it.phase = Phase::Init;
            self.did(router, deeds);
        }
    }

    /// Compares with what the core says of itself and has done since the last time.
    pub(super) fn compare(
        &mut self,
        core: impl Fn(usize) -> Option<Brief>,
        done: &mut [(usize, Deed, Arc<[u8]>)],
    ) -> Option<String> {
        // Within a router the order counts.
        self.deeds.sort_by_key(|(router, _, _)| *router);
        done.sort_by_key(|(router, _, _)| *router);
        let pairs = || self.deeds.iter().zip(&*done);
        if self.deeds.len() != done.len()
            || pairs().any(|((router, deed, _), (of, done, _))| router != of || deed != done)
        {
            let expected: Vec<_> = self.deeds.iter().map(|(router, deed, _)| (router, deed)).collect();
            let done: Vec<_> = done.iter().map(|(router, deed, _)| (router, deed)).collect();
            return Some(format!("reference: {expected:?}, core: {done:?}"));
        }
        for ((_, _, rules), (_, deed, bytes)) in pairs() {
            if let Deed::Send {
                priority, trailer, ah, ..
            } = deed
                && let Some(flaw) = packet::flaw(rules, *priority, *trailer, *ah, bytes)
            {
                return Some(flaw);
            }
        }
        self.deeds.clear();
        (0..self.routers.len()).find_map(|router| self.differs(router, core(router)))
    }

    fn differs(&self, router: usize, core: Option<Brief>) -> Option<String> {
        let it = &self.routers[router];
        let (state, timer) = match it.phase {
            Phase::Init => (StateName::Init, None),
            Phase::Backup { down_at, .. } => (StateName::Backup, Some(Instant(down_at))),
            Phase::Master { advert_at, .. } => (StateName::Master, Some(Instant(advert_at))),
            Phase::Fault => (StateName::Fault, None),
        };
        let ours = Brief {
            state,
            priority: crate::model::Priority(it.priority),
            timer,
        };
        (Some(ours) != core).then(|| format!("router {router}: reference {ours:?}, core {core:?}"))
    }
}
