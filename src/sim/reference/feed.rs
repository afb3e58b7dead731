//! The core's events in the words of the reference model.

use super::Host;
use super::router::{Phase, Router};
use super::rules::{Rules, Seal};
use super::trackers::{self, Errand, Link};
use crate::model::{Instant, Model};
use crate::proto::{Event, FileReading, Observation, Receive, RunOutcome, SocketSpec};
use std::rc::Rc;

impl Host {
    /// Takes an event in. `intact` says of an advert that a node of the cluster has sent it as it is, `of` of addresses whose
    /// they are, and of a check program which one it is.
    pub(in crate::sim) fn take(&mut self, event: &Event<'_>, intact: bool, of: Option<usize>, now: Instant) {
        let now = now.0;
        match event {
            Event::Start => self.start(now),
            Event::Packet(packet) => self.hear(&packet.datagram, intact, now.saturating_sub(packet.age.0), now),
            Event::Link(link) => {
                let new = || Link::new(link.name.as_str().to_owned(), link.running);
                self.links.entry(link.index.0).or_insert_with(new).kernel_says = link.running;
                self.judge_links(now);
                self.look_around(now);
            }
            Event::LinkGone(index) => {
                self.links.remove(&index.0);
                self.look_around(now);
            }
            Event::AddressAdded(added) => {
                if let Some(link) = self.links.get_mut(&added.index.0)
                    && !link.addresses.contains(&added.address)
                {
                    link.addresses.push(added.address);
                    self.look_around(now);
                }
            }
            Event::AddressGone(gone) => {
                if let Some(link) = self.links.get_mut(&gone.index.0) {
                    link.addresses.retain(|address| *address != gone.address);
                    self.look_around(now);
                }
            }
            Event::SocketFailed { .. } | Event::SocketOpen(_) if self.stopping || !self.started => {}
            Event::SocketFailed { socket, .. } => self.sockets(socket, true, now),
            Event::SocketOpen(socket) => self.sockets(socket, false, now),
            Event::AddressStolen { index, ticket, .. } => {
                if let Some(router) = of.filter(|router| self.routers[*router].ticket == Some(*ticket)) {
                    self.stolen(router, usize::try_from(*index).unwrap_or(usize::MAX), now);
                }
            }
            Event::AddressesPresent {
                ticket,
                first,
                count,
                complete,
                ..
            } => {
                let router = of.filter(|router| self.routers[*router].ticket == Some(*ticket));
                if let Some(router) = router.filter(|router| self.routers[*router].is_master()) {
                    self.present(router, (*first, *count), *complete, now);
                }
            }
            Event::NeighbourClaim { address, mac, .. } => {
                for it in self.routers.iter_mut().filter(|it| it.is_master()) {
                    let rules = Rc::clone(&it.rules);
                    it.voice.claimed(&rules, *address, *mac, now);
                }
            }
            Event::ScriptEnded { outcome, .. } => {
                let script = of.filter(|_| !self.stopping);
                if script.is_some_and(|script| self.scripts[script].ended(*outcome == RunOutcome::Exited(0))) {
                    self.look_around(now);
                }
            }
            Event::Stalled { gap } => self.stalled(gap.0, now),
            Event::WallClock(wall) => self.wall = (now, wall.0),
            Event::Reload(model) => self.reload(model, now),
            Event::Leave => self.stop(true, now),
            Event::Shutdown => self.stop(false, now),
            Event::Observed(observation) => self.observed(observation, now),
            Event::Drain { name, length, force } => {
                self.drain(name.as_deref(), length.map(|length| length.0), *force, now);
            }
            Event::Resume { name } => self.resume(name.as_deref()),
            Event::LinkBeat { interface, up, .. } => {
                let link = self.links.get_mut(&interface.0);
                if let Some(link) = link.filter(|link| self.polled.contains(&link.name)) {
                    link.answered = Some(*up);
                }
                self.judge_links(now);
                self.look_around(now);
            }
            Event::TransmitFailed { .. }
            | Event::AddressFailed { .. }
            | Event::AddressesGone { .. }
            | Event::Announced { .. }
            | Event::ClearCounters => {}
        }
    }

    fn present(&mut self, router: usize, (first, count): (u32, u32), complete: bool, now: u64) {
        let number = |n: u32| usize::try_from(n).unwrap_or(0);
        let it = &mut self.routers[router];
        let burst = it.voice.present(&it.rules, number(first), number(count), complete, now);
        self.announce(router, burst);
    }

    fn observed(&mut self, observation: &Observation, now: u64) {
        if self.stopping {
            return;
        }
        match observation {
            Observation::File { file, reading } => {
                let at = usize::try_from(file.0).unwrap_or(usize::MAX);
                let Some(known) = self.files.get_mut(at) else { return };
                *known = match reading {
                    FileReading::Number(number) => Some(*number),
                    FileReading::TooLarge(_) => Some(known.unwrap_or(0)),
                    FileReading::Missing | FileReading::Unreadable(_) | FileReading::Unwatchable => Some(0),
                };
            }
            Observation::ProcessesBegin { .. } => {
                return self.processes.iter_mut().for_each(super::Process::forget);
            }
            Observation::ProcessesTold => self.processes.iter_mut().for_each(super::Process::all_told),
            Observation::Process { process, pid, change } => {
                let at = usize::try_from(process.0).unwrap_or(usize::MAX);
                let Some(known) = self.processes.get_mut(at) else {
                    return;
                };
                known.change(*pid, *change, now);
            }
        }
        self.look_around(now);
    }

    fn judge_links(&mut self, now: u64) {
        for index in self.links.keys().copied().collect::<Vec<_>>() {
            let delays = self.delays_of(&self.links[&index].name);
            let link = self.links.get_mut(&index);
            link.into_iter().for_each(|link| link.judge(delays, now));
        }
    }

    /// Once a second, while there is a link to be asked.
    pub(super) fn begin_to_poll(&mut self, now: u64) {
        self.poll_at = (!self.polled.is_empty()).then(|| self.poll_at.unwrap_or(now));
    }

    pub(super) fn poll(&mut self, now: u64) {
        self.poll_at = Some(now + 1_000_000);
        let used = |name: &String| {
            let mut rules = self.routers.iter().map(|it| &it.rules);
            rules.any(|rules| {
                rules
                    .links
                    .iter()
                    .chain(&rules.weighted_links)
                    .any(|(used, _)| used == name)
            })
        };
        let asked = self
            .links
            .iter()
            .filter(|(_, link)| self.polled.contains(&link.name) && used(&link.name));
        self.errands.extend(asked.map(|(index, _)| Errand::Ask(*index)));
    }

    /// How long a link has to be down, and up, to count: while a backup would wait for the next advert still.
    fn delays_of(&self, name: &str) -> (u64, u64) {
        let Some((_, down, up)) = self.delays.iter().find(|(known, _, _)| known == name) else {
            return (0, 0);
        };
        let own = self.routers.iter().filter(|it| it.rules.link == name);
        let limit = own.map(|it| (it.rules.down_adverts - 1) * it.master_interval - it.master_interval / 256);
        let limit = limit.min().unwrap_or(u64::MAX);
        (limit.min(*down), limit.min(*up))
    }

    fn sockets(&mut self, socket: &SocketSpec, failed: bool, now: u64) {
        for router in 0..self.routers.len() {
            let it = &mut self.routers[router];
            let receives = match socket.receive {
                Receive::Group(group) => it.rules.peers.is_none() && it.rules.destinations == [group],
                Receive::Unicast(own) => it.rules.peers.is_some() && it.source == Some(own),
            };
            if receives && socket.family == it.rules.family && socket.ah == (it.rules.seal == Seal::Ah) {
                it.socket_failed = failed;
                self.look(router, now);
            }
        }
    }

    /// A new configuration: who differs in nothing does nothing; who differs in what can be changed under way goes on, and
    /// a master tells at once what its adverts say now; another router starts anew (behaviour §11.2, differences).
    fn reload(&mut self, model: &Model, now: u64) {
        if !self.started || self.stopping {
            return;
        }
        self.delays = trackers::delays(model);
        self.polled = trackers::polled(model);
        let others = self.links.values_mut().filter(|link| !self.polled.contains(&link.name));
        others.for_each(|link| link.answered = None);
        self.begin_to_poll(now);
        self.judge_links(now);
        let rules: Vec<Rules> = model.instances.iter().map(|config| Rules::of(config, model)).collect();
        let wall = self.wall_at(now);
        let mut again = Vec::new();
        for (router, new) in rules.into_iter().enumerate() {
            let it = &mut self.routers[router];
            if *it.rules == new {
                continue;
            }
            let mut deeds = Vec::new();
            if !is_same_router(&it.rules, &new) {
                it.stop("reload", wall, &mut deeds);
                let drained = it.drained;
                *it = Router::new(new, now);
                (it.drained, it.origin) = (drained, "reload");
                self.did(router, deeds);
                again.push(router);
                continue;
            }
            let interval_differs = it.rules.interval != new.interval;
            let version_differs = it.rules.v3 != new.v3;
            let learned = it.rules.v3 && new.v3 && it.is_backup();
            let signs_differently = signing_key(&it.rules) != signing_key(&new) || it.rules.seal != new.seal;
            let speaks_differently =
                signs_differently || interval_differs || version_differs || it.rules.vips != new.vips;
            let (before, priority) = (it.down(), it.priority);
            let old = std::mem::replace(&mut it.rules, Rc::new(new));
            if (interval_differs || version_differs) && !learned {
                it.master_interval = it.rules.interval;
            }
            let to = self.priority_of(router);
            let it = &mut self.routers[router];
            it.priority = to;
            let after = it.down();
            if let Phase::Backup { down_at, .. } = &mut it.phase {
                *down_at = (*down_at + after).saturating_sub(before);
            }
            // A delay that runs counts from its beginning.
            if let Phase::Backup {
                delay_ends: Some(ends), ..
            } = &mut it.phase
            {
                *ends = *ends - old.preempt_delay + it.rules.preempt_delay;
            }
            let mut burst = None;
            if it.rules.addresses != old.addresses {
                burst = it.exchange(&old.addresses, now, &mut deeds);
            }
            if it.is_master() && (priority != to || speaks_differently) {
                it.answer(now, wall, &mut deeds);
            }
            self.did(router, deeds);
            if let Some(burst) = burst {
                self.rows.iter_mut().for_each(|row| row.forget(router));
                self.announce(router, burst);
            }
        }
        for (script, new) in self.scripts.iter_mut().zip(&model.scripts) {
            script.adopt(new, now);
        }
        self.drain_newcomers(now);
        for router in again {
            self.begin(router, now);
        }
        self.look_around(now);
    }
}

/// The key that signs, if one does.
fn signing_key(rules: &Rules) -> Option<u8> {
    rules
        .hmac
        .as_ref()
        .filter(|hmac| hmac.signs)
        .map(|hmac| hmac.active_key)
}

/// Whether it is still the same virtual router (behaviour §11.2); everything else can be changed under way.
fn is_same_router(old: &Rules, new: &Rules) -> bool {
    let heard_alike = match (&old.peers, &new.peers) {
        (None, None) => old.destinations == new.destinations,
        (Some(_), Some(_)) => old.source == new.source,
        (None, Some(_)) | (Some(_), None) => false,
    };
    (old.vrid, old.family, &old.link) == (new.vrid, new.family, &new.link) && heard_alike
}
