//! The reference model: what a node's virtual routers do, as simple as it can be said.
//!
//! Written from RFC 9568, RFC 5798, RFC 3768 and the facts about keepalived (behaviour §2, §3, §4, §6), not from
//! [`crate::proto`]: own reading of packets, own arithmetic, nothing remembered that can be looked up. It takes the same
//! events as a core and says after each of them in which state, with which priority and until when every router is, and
//! what it has sent and wished. [`Host::compare`] finds the first difference.
//!
//! It judges: states, effective priorities, Master_Down and advert timers to the microsecond, adverts byte by byte apart
//! from sums made with keys, wishes for addresses, announcements with their repeats, pauses and answers to claims, starts and
//! ends of check programs; elections with ties, priority 0, pre-emption and its delay, learned intervals, owners and two of
//! them, answers and their limit, stalls, start-up delays, validity of packets, AH and `auth_hmac` numbers, faults, missing
//! first results, rise and fall, files, processes with quorum and delays, links with delays and polled ones, weights, sync
//! groups, drains, stolen addresses, stops, reloads of adjustable settings and of addresses, and the code of the reason of
//! every transition. [`Desk`] judges the order of notify programs. It leaves to others: other log lines, and the evidence
//! that a reason carries.

#![expect(
    clippy::indexing_slicing,
    reason = "positions come from the model's own lists and lengths are checked before; a mistake here must be loud"
)]

mod clock;
mod desk;
mod drain;
mod feed;
mod packet;
mod router;
mod rules;
mod trackers;
mod voice;

pub(super) use desk::Desk;
pub(super) use router::Deed;
pub(super) use trackers::Errand;

use crate::model::{Family, Instant, Model, Ticket};
use crate::proto::{Brief, Datagram, StateName};
use packet::Heard;
use router::{Drain, Phase, Router};
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use trackers::{Link, Process, Script};
use voice::{Burst, Row};

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Host {
    routers: Vec<Router>,
    names: Vec<String>,
    groups: Vec<Vec<usize>>,
    group_names: Vec<String>,
    scripts: Vec<Script>,
    processes: Vec<Process>,
    links: BTreeMap<u32, Link>,
    /// `interface_up_down_delays`.
    delays: Vec<(String, u64, u64)>,
    /// Links that are asked for their state, and when for the next time.
    polled: BTreeSet<String>,
    poll_at: Option<u64>,
    /// What tracked files hold; not read yet: `None`.
    files: Vec<Option<i32>>,
    /// Announcements of IPv4 and of IPv6 that keep a distance.
    rows: [Row; 2],
    /// The whole node is out of service.
    drained: Option<Drain>,
    /// Time of day at a moment.
    wall: (u64, u64),
    /// Adverts are neither heard nor sent before.
    deaf_until: Option<u64>,
    delay: (u64, u64),
    started: bool,
    stopping: bool,
    /// What was done since the last comparison.
    deeds: Vec<(usize, Deed, Rc<Rules>)>,
    errands: Vec<Errand>,
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
        Self {
            routers: routers.collect(),
            names: model.instances.iter().map(|config| config.name.to_string()).collect(),
            groups: model.groups.iter().map(members).collect(),
            group_names: model.groups.iter().map(|group| group.name.to_string()).collect(),
            scripts: model.scripts.iter().map(Script::new).collect(),
            processes: model.processes.iter().map(Process::new).collect(),
            links: BTreeMap::new(),
            delays: trackers::delays(model),
            polled: trackers::polled(model),
            poll_at: None,
            files: vec![None; model.files.len()],
            rows: [model.global.garp_interval.0, model.global.gna_interval.0].map(Row::new),
            drained: None,
            wall: (0, 0),
            deaf_until: None,
            delay: (model.global.startup_delay.0, model.global.delay_after_boot.0),
            started: false,
            stopping: false,
            deeds: Vec::new(),
            errands: Vec::new(),
        }
    }

    /// A daemon that goes on with what this one has learned: intervals, results of trackers, drains.
    pub(super) fn successor(&self, model: &Model, now: Instant) -> Self {
        let mut next = Self::new(model, now);
        for (new, old) in next.routers.iter_mut().zip(&self.routers) {
            if new.rules.v3 {
                new.master_interval = old.master_interval;
            }
            new.go_on_counting(old);
            new.origin = "respawned";
            new.drained = old.drained;
        }
        next.drained = self.drained;
        for (new, old) in next.scripts.iter_mut().zip(&self.scripts) {
            new.up = old.up.or(new.up);
        }
        for (new, old) in next.processes.iter_mut().zip(&self.processes) {
            new.up = old.up;
        }
        next.drain_newcomers(now.0);
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
        self.fall_silent(router, &deeds);
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

    fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    fn runs(&self, name: &str) -> bool {
        self.link(name).is_some_and(|link| link.counts)
    }

    /// The neighbours are told at once, or one after the other.
    fn announce(&mut self, router: usize, (addresses, rounds): Burst) {
        let mut at_once = Vec::new();
        for address in addresses {
            let row = &mut self.rows[usize::from(address.is_ipv6())];
            if row.interval > 0 {
                row.push(router, address, rounds);
            } else {
                at_once.push(address);
            }
        }
        if !at_once.is_empty() {
            let addresses = at_once;
            self.did(router, vec![Deed::Announce { addresses, rounds }]);
        }
    }

    /// A master that has heard a worse one tells the neighbours, and so do the other members of its group.
    fn contradict(&mut self, router: usize, now: u64) {
        for member in std::iter::once(router).chain(self.others(router)) {
            let it = &mut self.routers[member];
            if it.is_master() {
                let burst = it.voice.heard_worse(&it.rules, now);
                self.announce(member, burst);
            }
        }
    }

    /// The configured address, else the first of the link that is none of its own virtual ones; IPv6: a link-local one.
    fn source_of(&self, router: usize) -> Option<IpAddr> {
        let rules = &self.routers[router].rules;
        let exists = |address: &IpAddr| self.links.values().any(|link| link.addresses.contains(address));
        if let Some(source) = rules.source {
            return (!rules.tracks_source || exists(&source)).then_some(source);
        }
        let addresses = &self.link(&rules.link)?.addresses;
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

    /// The first thing that keeps it from taking part.
    fn own_fault(&self, router: usize) -> Option<&'static str> {
        let (it, rules) = (&self.routers[router], &self.routers[router].rules);
        let link = |up: bool| {
            let mut links = rules.links.iter();
            links.any(|(name, weight)| self.runs(name) == up && weight.faults(up))
        };
        let script = |(at, weight): &(usize, rules::Weight)| self.scripts[*at].up.is_some_and(|up| weight.faults(up));
        let process =
            |(at, weight): &(usize, rules::Weight)| self.processes[*at].up.is_some_and(|up| weight.faults(up));
        let mut files = rules.files.iter();
        let file = |(at, weight): &(usize, rules::Weight)| {
            let number = self.files[*at];
            number.is_some_and(|number| weight.of_file(number).is_none())
        };
        let tracked = rules.scripts.iter().any(script) || rules.processes.iter().any(process) || files.any(file);
        if link(false) {
            Some("interface-down")
        } else if link(true) {
            // It is up and should not be.
            Some("tracker-failed")
        } else if it.source.is_none() {
            Some("no-source-address")
        } else if it.socket_failed {
            Some("configuration-fault")
        } else {
            tracked.then_some("tracker-failed")
        }
    }

    /// A script of weight 0 has not reported yet.
    fn has_own_pending(&self, router: usize) -> bool {
        let rules = &self.routers[router].rules;
        rules
            .scripts
            .iter()
            .any(|(at, weight)| weight.is_fault() && self.scripts[*at].up.is_none())
    }

    /// base + Σ contributions, 1 to 254; an owner has 255, or 254 while it lets another one win; who is
    /// drained has 1.
    fn priority_of(&self, router: usize) -> u8 {
        let (it, rules) = (&self.routers[router], &self.routers[router].rules);
        if it.drained.is_some() {
            return 1;
        }
        if rules.is_owner() {
            return if it.lowered { 254 } else { 255 };
        }
        let scripts = rules
            .scripts
            .iter()
            .map(|(at, weight)| self.scripts[*at].up.map_or(0, |up| weight.adds(up)));
        let links = rules
            .weighted_links
            .iter()
            .map(|(name, weight)| weight.adds(self.runs(name)));
        let processes = rules
            .processes
            .iter()
            .map(|(at, weight)| self.processes[*at].up.map_or(0, |up| weight.adds(up)));
        let files = rules.files.iter().map(|(at, weight)| {
            let number = self.files[*at];
            number.and_then(|number| weight.of_file(number)).unwrap_or(0)
        });
        let sum = i32::from(rules.base) + scripts.chain(links).chain(files).chain(processes).sum::<i32>();
        u8::try_from(sum.clamp(1, 254)).unwrap_or(254)
    }

    fn start(&mut self, now: u64) {
        if self.started || self.stopping {
            return;
        }
        self.started = true;
        self.begin_to_poll(now);
        let (startup, after_boot) = self.delay;
        let delay = startup.max(after_boot.saturating_sub(now));
        self.deaf_until = (delay > 0).then_some(now + delay);
        for router in 0..self.routers.len() {
            self.routers[router].source = self.source_of(router);
            self.routers[router].own_fault = self.own_fault(router);
            self.routers[router].own_pending = self.has_own_pending(router);
        }
        for router in 0..self.routers.len() {
            self.begin(router, now);
        }
        for (position, script) in self.scripts.iter_mut().enumerate() {
            script.start(now);
            self.errands.extend(script.time(position, now));
        }
    }

    /// The first state (behaviour §1.3): only an owner that wants to be master does not wait; in a group, if all do.
    fn begin(&mut self, router: usize, now: u64) {
        self.routers[router].source = self.source_of(router);
        self.routers[router].priority = self.priority_of(router);
        self.routers[router].own_fault = self.own_fault(router);
        self.routers[router].own_pending = self.has_own_pending(router);
        let (fault, pending) = (self.fault(router), self.is_pending(router));
        let at_once = |it: &Router| it.rules.is_owner() && it.rules.wants_master && it.drained.is_none();
        let all =
            at_once(&self.routers[router]) && self.others(router).iter().all(|other| at_once(&self.routers[*other]));
        let mut deeds = Vec::new();
        let (begins, wall) = (self.not_before(now), self.wall_at(now));
        let it = &mut self.routers[router];
        if all && fault.is_none() && !pending && self.deaf_until.is_none() {
            it.become_master(now, wall, "address-owner", &mut deeds);
            return self.did(router, deeds);
        }
        it.clear(&mut deeds);
        if let Some(fault) = fault {
            it.become_fault(fault, &mut deeds);
        } else if !pending && all {
            it.become_backup(begins, "address-owner", &mut deeds);
        } else if !pending {
            it.become_backup(begins + it.down(), it.origin, &mut deeds);
        }
        self.did(router, deeds);
    }

    /// Its own fault, or its group's.
    fn fault(&self, router: usize) -> Option<&'static str> {
        let faulty = |other: &usize| self.routers[*other].own_fault.is_some();
        let group = || self.others(router).iter().any(faulty).then_some("group");
        self.routers[router].own_fault.or_else(group)
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
        let after = (self.own_fault(router), self.has_own_pending(router));
        (self.routers[router].own_fault, self.routers[router].own_pending) = after;
        let (fault, pending) = (self.fault(router), self.is_pending(router));
        let (begins, wall) = (self.not_before(now), self.wall_at(now));
        let it = &mut self.routers[router];
        let mut deeds = Vec::new();
        match (&it.phase, fault) {
            (Phase::Init | Phase::Backup { .. } | Phase::Master { .. }, Some(fault)) => {
                it.release(wall, &mut deeds);
                it.become_fault(fault, &mut deeds);
            }
            (Phase::Fault, None) if !pending => {
                it.master_interval = it.rules.interval;
                it.become_backup(begins + it.down(), "fault-cleared", &mut deeds);
            }
            (Phase::Init, None) if !pending => it.become_backup(begins + it.down(), it.origin, &mut deeds),
            (Phase::Init | Phase::Backup { .. } | Phase::Master { .. } | Phase::Fault, _) => {}
        }
        self.did(router, deeds);
        let shown = |(fault, pending): (Option<_>, bool)| (fault.is_some(), pending);
        if shown(before) != shown(after) {
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
        self.give_priority(router);
    }

    fn give_priority(&mut self, router: usize) {
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
        if it.phase == Phase::Init || it.source == Some(heard.from) {
            return;
        }
        // Also in fault the numbers of authenticated adverts are followed.
        let valid = it.is_valid(&heard, intact, wall_then / 1_000_000);
        if !valid || it.phase == Phase::Fault {
            return;
        }
        let was_master = it.is_master();
        let mut deeds = Vec::new();
        let worse = was_master && it.master_hears(&heard, at, now, wall, &mut deeds);
        if !was_master {
            it.backup_hears(&heard, at);
        }
        self.did(router, deeds);
        if worse {
            self.contradict(router, now);
        }
        self.others_yield(router, was_master, now);
    }

    /// behaviour §6 "To BACKUP": when one member leaves master, the others do; if it lost an address they release as well.
    fn others_yield(&mut self, router: usize, was_master: bool, now: u64) {
        if !was_master || !self.routers[router].is_backup() {
            return;
        }
        let lost = self.routers[router].why == "address-lost";
        let (wall, begins) = (self.wall_at(now), self.not_before(now));
        for other in self.others(router) {
            let it = &mut self.routers[other];
            if !it.is_master() {
                continue;
            }
            let mut deeds = Vec::new();
            if lost {
                it.release(wall, &mut deeds);
                it.become_backup(now + it.skew(), "group", &mut deeds);
            } else {
                it.become_backup(begins + it.down(), "group", &mut deeds);
            }
            self.did(other, deeds);
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
    fn stolen(&mut self, router: usize, address: usize, now: u64) {
        let it = &mut self.routers[router];
        if !it.is_master() {
            return;
        }
        it.voice.stolen(it.rules.addresses[address]);
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
        it.become_backup(now + it.skew(), "address-lost", &mut deeds);
        self.did(router, deeds);
        self.others_yield(router, true, now);
    }

    /// `quietly`: the addresses stay and nobody is told (`-V`).
    fn stop(&mut self, quietly: bool, now: u64) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        let stopped = self.scripts.iter_mut().enumerate();
        self.errands
            .extend(stopped.filter_map(|(position, script)| script.stop(position)));
        if quietly {
            return;
        }
        let wall = self.wall_at(now);
        for router in 0..self.routers.len() {
            let it = &mut self.routers[router];
            let mut deeds = Vec::new();
            it.stop("shutdown", wall, &mut deeds);
            it.drained = None;
            self.did(router, deeds);
        }
    }

    /// The name of the newest wish of a router.
    pub(super) fn names_wish(&mut self, router: usize, ticket: Ticket) {
        self.routers[router].ticket = Some(ticket);
    }

    /// Compares with what the core says of itself and has done since the last time.
    pub(super) fn compare(
        &mut self,
        core: impl Fn(usize) -> Option<Brief>,
        done: &mut [(usize, Deed, Arc<[u8]>)],
        errands: &[Errand],
    ) -> Option<String> {
        if self.errands != errands {
            return Some(format!(
                "check programs, reference: {:?}, core: {errands:?}",
                self.errands
            ));
        }
        self.errands.clear();
        // Within a router the order counts, of adverts and wishes, and of announcements.
        self.deeds
            .sort_by_key(|(router, deed, _)| (*router, deed.is_announcement()));
        done.sort_by_key(|(router, deed, _)| (*router, deed.is_announcement()));
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
