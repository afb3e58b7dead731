//! The virtual world: time, what is on its way, and the hands that carry the cores' actions out.

use super::Planted;
use super::check::{self, Violation};
use super::network::{LINK, Network, datagram};
use super::node::Node;
use super::random::Random;
use crate::model::{Instant, LinkBeatMethod, MacAddr, Micros, Model};
use crate::proto::{
    Action, AddressWish, Announce, Culprit, Datagram, Event, InstanceSnapshot, Packet, RunOutcome, StateName,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Lines of the trace that are kept.
const TRACE: usize = 400;

/// The cluster.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) random: Random,
    pub(super) dual_since: BTreeMap<(usize, usize), Instant>,
    /// Since when no fault has been injected or ended.
    pub(super) undisturbed: Instant,
    pub(super) violations: Vec<Violation>,
    pub(super) takeovers: u64,
    pub(super) adverts: u64,
    planted: Planted,
    queue: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    trace: Vec<String>,
}

/// Something that will happen.
#[derive(Debug)]
enum Due {
    /// An event for this life of a node.
    Event(usize, u64, Event<'static>),
    /// The fake kernel has done what this wish asks for.
    Kernel(usize, u64, AddressWish, bool),
    /// The guard removes the addresses of a dead daemon.
    Guard(usize, u64),
}

impl World {
    pub(super) fn new(nodes: Vec<Node>, seed: u64, planted: Planted) -> Self {
        let network = Network::new(nodes.len());
        let mut world = Self {
            now: Instant(1_000_000),
            nodes,
            network,
            random: Random::new(seed),
            dual_since: BTreeMap::new(),
            undisturbed: Instant(0),
            violations: Vec::new(),
            takeovers: 0,
            adverts: 0,
            planted,
            queue: BTreeMap::new(),
            sequence: 0,
            trace: Vec::new(),
        };
        for index in 0..world.nodes.len() {
            world.boot(index);
        }
        world
    }

    pub(super) fn note(&mut self, text: &str) {
        if self.trace.len() >= TRACE {
            self.trace.remove(0);
        }
        self.trace.push(format!("{:>14}  {text}", self.now.to_string()));
    }

    /// The last lines of what happened.
    pub(super) fn trace(&self) -> String {
        self.trace.join("\n")
    }

    pub(super) fn violate(&mut self, what: String) {
        if self.violations.is_empty() {
            self.note(&format!("VIOLATION: {what}"));
            self.violations.push(Violation { at: self.now, what });
        }
    }

    /// A fault begins or ends.
    pub(super) fn disturb(&mut self, what: &str) {
        self.undisturbed = self.now;
        self.note(what);
    }

    pub(super) fn longest_interval(&self) -> Micros {
        let of = |node: &Node| {
            node.config()
                .map_or(Micros::ZERO, |config| config.advert_interval.duration())
        };
        self.nodes.iter().map(of).max().unwrap_or(Micros::SECOND)
    }

    pub(super) fn slowest_kernel(&self) -> Micros {
        self.nodes
            .iter()
            .map(|node| node.kernel_delay)
            .max()
            .unwrap_or(Micros::ZERO)
    }

    fn later(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), due);
    }

    pub(super) fn boot(&mut self, index: usize) {
        let (planted, now) = (self.planted, self.now);
        if let Some(node) = self.nodes.get_mut(index) {
            node.boot(planted, None, now);
        }
        self.release(index);
    }

    /// The daemon dies, its guard cleans up, and a new one goes on with what the old one knew.
    pub(super) fn respawn(&mut self, index: usize, after: Micros) {
        let now = self.now;
        let state = self
            .nodes
            .get(index)
            .and_then(|n| Some(n.core.as_ref()?.export(n.clock(now))));
        self.crash(index);
        self.advance(after);
        let (planted, now) = (self.planted, self.now);
        if let Some(node) = self.nodes.get_mut(index) {
            node.boot(planted, state.as_ref(), now);
        }
        self.release(index);
    }

    /// The process dies without a word; its guard cleans up.
    pub(super) fn crash(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.core = None;
        node.life += 1;
        node.seen.state = None;
        let life = node.life;
        self.later(self.now + Micros::from_millis(20), Due::Guard(index, life));
    }

    /// An orderly stop.
    pub(super) fn stop(&mut self, index: usize) {
        self.tell(index, Event::Shutdown);
    }

    /// The process stops, or goes on. Its sockets fill meanwhile.
    pub(super) fn pause(&mut self, index: usize, paused: bool) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        if paused {
            node.paused.get_or_insert(now);
            return;
        }
        let Some(since) = node.paused.take().filter(|_| node.core.is_some()) else {
            return;
        };
        let (slept, wall) = (now.since(since), node.wall(now));
        if node.suspended {
            node.resume(slept);
        }
        let inbox = std::mem::take(&mut node.inbox);
        self.hand(index, Event::WallClock(wall));
        self.hand(index, Event::Stalled { gap: slept });
        // Packets that arrived before a deadline are handled before it, however late the process wakes.
        for (stamp, event) in inbox {
            let event = if let Event::Packet(packet) = event {
                let age = Packet::age(wall, stamp, slept);
                Event::Packet(Packet { age, ..packet })
            } else {
                event
            };
            self.hand(index, event);
        }
        self.wake(index);
    }

    /// The whole machine sleeps: nothing is received, and its monotonic clock stands still.
    pub(super) fn suspend(&mut self, index: usize) {
        self.pause(index, true);
        if let Some(node) = self.nodes.get_mut(index) {
            node.suspended = true;
        }
    }

    /// The wall clock of a node is set.
    pub(super) fn step_clock(&mut self, index: usize, to: Micros) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.stepped = to;
            let event = Event::WallClock(node.wall(self.now));
            if node.paused.is_none() {
                self.tell(index, event);
            }
        }
    }

    fn hand(&mut self, index: usize, event: Event<'static>) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(index) {
            let now = node.clock(now);
            if let Some(core) = node.core.as_mut() {
                core.handle(event, now);
            }
        }
    }

    /// A node gets another configuration.
    pub(super) fn reload(&mut self, index: usize, change: impl FnOnce(&mut Model)) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        change(&mut node.model);
        let event = Event::Reload(Arc::new(node.model.clone()));
        self.tell(index, event);
    }

    pub(super) fn set_link(&mut self, index: usize, up: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.link_up = up;
        let event = node.link();
        self.tell(index, event);
    }

    pub(super) fn set_service(&mut self, index: usize, well: bool) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(index) {
            node.service = well;
            node.since_service = now;
        }
    }

    /// The service fails, and the script ends like this.
    pub(super) fn fail_service(&mut self, index: usize, outcome: RunOutcome) {
        self.set_service(index, false);
        if let Some(node) = self.nodes.get_mut(index) {
            node.failure = outcome;
        }
    }

    /// An event for a node's core now, or when it runs again.
    pub(super) fn tell(&mut self, index: usize, event: Event<'static>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.paused.is_some() {
            let stamp = node.wall(now);
            if !(node.suspended && matches!(event, Event::Packet(_))) {
                node.inbox.push_back((stamp, event));
            }
            return;
        }
        self.hand(index, event);
        self.release(index);
    }

    /// A forged datagram for everybody.
    pub(super) fn inject(&mut self, datagram: &Datagram<'static>) {
        for index in 0..self.nodes.len() {
            let packet = Packet {
                interface: Some(LINK),
                age: Micros::ZERO,
                datagram: datagram.clone(),
            };
            if self.nodes.get(index).is_some_and(|node| node.link_up) {
                self.tell(index, Event::Packet(packet));
            }
        }
    }

    /// Lets this much time pass.
    pub(super) fn advance(&mut self, length: Micros) {
        let until = self.now + length;
        while let Some(at) = self.next_moment().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.happen();
            if !self.violations.is_empty() {
                return;
            }
        }
        self.now = until;
        check::always(self);
    }

    fn next_moment(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let deadline = self.nodes.iter().filter_map(Node::deadline).min();
        queued.into_iter().chain(deadline).min()
    }

    fn happen(&mut self) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Due::Event(index, life, event) => {
                    if self.nodes.get(index).is_some_and(|node| node.life == life) {
                        self.tell(index, event);
                    }
                }
                Due::Kernel(index, life, wish, present) => self.kernel(index, life, &wish, present),
                Due::Guard(index, life) => {
                    if let Some(node) = self.nodes.get_mut(index).filter(|node| node.life == life) {
                        node.held.clear();
                    }
                }
            }
        }
        for index in 0..self.nodes.len() {
            let due = self.nodes.get(index).and_then(Node::deadline);
            if due.is_some_and(|at| at <= self.now) {
                self.wake(index);
            }
        }
        check::always(self);
    }

    fn wake(&mut self, index: usize) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(index) {
            let now = node.clock(now);
            if let Some(core) = node.core.as_mut() {
                core.handle_timeout(now);
            }
        }
        self.release(index);
    }

    fn kernel(&mut self, index: usize, life: u64, wish: &AddressWish, present: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.life != life || node.tickets.get(&wish.instance) != Some(&wish.ticket) {
            return;
        }
        if present {
            node.held.insert(wish.instance);
        } else {
            node.held.remove(&wish.instance);
        }
        let (instance, ticket) = (wish.instance, wish.ticket);
        let count = u32::try_from(wish.addresses.len()).unwrap_or(u32::MAX);
        self.tell(
            index,
            if present {
                Event::AddressesPresent {
                    instance,
                    ticket,
                    first: 0,
                    count,
                    complete: true,
                }
            } else {
                Event::AddressesGone { instance, ticket }
            },
        );
    }

    /// Carries out what the core of a node wants.
    fn release(&mut self, index: usize) {
        while let Some(action) = self
            .nodes
            .get_mut(index)
            .and_then(|n| n.core.as_mut())
            .and_then(crate::proto::Core::poll_action)
        {
            self.carry_out(index, action);
        }
        self.observe(index);
    }

    fn carry_out(&mut self, index: usize, action: Action) {
        let (now, life) = (self.now, self.nodes.get(index).map_or(0, |node| node.life));
        match action {
            Action::Transmit(transmit) => {
                self.adverts += 1;
                let Some(node) = self.nodes.get_mut(index) else { return };
                if transmit.priority == crate::model::Priority::RELEASE {
                    node.seen.releases += 1;
                } else {
                    node.seen.advert_at = Some(now);
                    node.seen.advertised = Some(transmit.priority);
                    node.seen.sent = Some(transmit.clone());
                }
                if !node.link_up {
                    return;
                }
                self.send(index, &transmit);
            }
            Action::SetAddresses(wish) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.seen.wish = Some(wish.clone());
                }
                self.wish(index, life, wish, true);
            }
            Action::ClearAddresses(wish) => self.wish(index, life, wish, false),
            Action::Announce(announce) => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.seen.announced.push(now);
                }
                self.announce(index, &announce);
                if announce.report {
                    let event = Event::Announced {
                        instance: announce.instance,
                        ticket: announce.ticket,
                    };
                    self.later(now, Due::Event(index, life, event));
                }
            }
            Action::AskLink { interface, method, .. } => {
                let up = self.nodes.get(index).is_some_and(|node| node.link_up);
                let method = method.unwrap_or(LinkBeatMethod::Ethtool);
                self.later(now, Due::Event(index, life, Event::LinkBeat { interface, up, method }));
            }
            Action::RunScript { run, .. } => {
                let delay = Micros(self.random.between(1_000, 40_000));
                let failure = self
                    .nodes
                    .get(index)
                    .filter(|node| !node.service)
                    .map(|node| node.failure);
                let outcome = failure.unwrap_or(RunOutcome::Exited(0));
                let event = Event::ScriptEnded { run, outcome };
                self.later(now + delay, Due::Event(index, life, event));
            }
            Action::RunNotify(told) => {
                let delay = Micros(self.random.between(1_000, 40_000));
                let event = Event::ScriptEnded {
                    run: told.run,
                    outcome: RunOutcome::Exited(0),
                };
                self.later(now + delay, Due::Event(index, life, event));
            }
            Action::Stopped => {
                if let Some(node) = self.nodes.get_mut(index) {
                    node.core = None;
                    node.life += 1;
                }
            }
            Action::RestoreAddress { .. } => {
                if let Some(wish) = self.nodes.get(index).and_then(|node| node.seen.wish.clone()) {
                    self.wish(index, life, wish, true);
                }
            }
            Action::OpenSocket(_)
            | Action::CloseSocket(_)
            | Action::KillScript { .. }
            | Action::GroupChanged(_)
            | Action::Notify(_) => {}
            Action::StateChanged(_) | Action::Log(_) | Action::Happened(_) => check::reasons(self, index, &action),
        }
    }

    fn wish(&mut self, index: usize, life: u64, wish: AddressWish, present: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.tickets.insert(wish.instance, wish.ticket);
        let at = self.now + node.kernel_delay;
        self.later(at, Due::Kernel(index, life, wish, present));
    }

    fn send(&mut self, index: usize, transmit: &crate::proto::Transmit) {
        let Some(datagram) = datagram(transmit) else { return };
        if self.network.muted.is_some() && transmit.message.get(1).copied() == self.network.muted {
            return;
        }
        for to in 0..self.nodes.len() {
            for at in self.network.arrivals(index, to, self.now, &mut self.random) {
                let Some(receiver) = self.nodes.get(to).filter(|node| node.core.is_some() && node.link_up) else {
                    continue;
                };
                let packet = Packet {
                    interface: Some(LINK),
                    age: Micros::ZERO,
                    datagram: datagram.clone(),
                };
                self.later(at, Due::Event(to, receiver.life, Event::Packet(packet)));
            }
        }
    }

    /// The neighbours hear an announcement, one of its rounds, as a claim.
    fn announce(&mut self, index: usize, announce: &Announce) {
        let Some(mac) = self.nodes.get(index).filter(|node| node.link_up).map(Node::mac) else {
            return;
        };
        for to in 0..self.nodes.len() {
            if to == index || !self.network.hears(index, to) {
                continue;
            }
            for (address, _) in &announce.addresses {
                self.claim(to, *address, mac);
            }
        }
    }

    /// A node hears that somebody claims an address.
    pub(super) fn claim(&mut self, to: usize, address: IpAddr, mac: MacAddr) {
        if let Some(life) = self
            .nodes
            .get(to)
            .filter(|n| n.core.is_some() && n.link_up)
            .map(|n| n.life)
        {
            let event = Event::NeighbourClaim {
                interface: LINK,
                address,
                mac,
            };
            self.later(self.now + Micros(100), Due::Event(to, life, event));
        }
    }

    /// The first virtual address of the cluster.
    pub(super) fn virtual_address(&self) -> Option<IpAddr> {
        let config = self.nodes.first().and_then(Node::config)?;
        config.vips.first().map(|vip| vip.address)
    }

    /// Codes of what a node shows as problems.
    pub(super) fn problems(&self, index: usize) -> Vec<String> {
        let snapshot = self
            .nodes
            .get(index)
            .and_then(|n| Some(n.core.as_ref()?.snapshot(n.clock(self.now))));
        snapshot.map_or_else(Vec::new, |s| {
            s.problems.into_iter().map(|problem| problem.code).collect()
        })
    }

    /// Why the first instance of a node is in its state: code and words.
    pub(super) fn reason(&self, index: usize) -> (String, String) {
        let reason = self.first_instance(index).map(|instance| instance.reason);
        reason.map_or_else(Default::default, |reason| {
            (reason.code().to_owned(), reason.to_string())
        })
    }

    /// What holds the first instance of a node back.
    pub(super) fn holds(&self, index: usize) -> Vec<String> {
        let holds = self
            .first_instance(index)
            .map(|instance| instance.holds)
            .unwrap_or_default();
        let word = |hold| format!("{hold:?}").split(' ').next().unwrap_or_default().to_owned();
        holds.into_iter().map(word).collect()
    }

    fn first_instance(&self, index: usize) -> Option<InstanceSnapshot> {
        let node = self.nodes.get(index)?;
        let snapshot = node.core.as_ref()?.snapshot(node.clock(self.now));
        snapshot.instances.into_iter().next()
    }

    /// Whether the last that was told of this problem is that it came up.
    pub(super) fn told_of(&self, index: usize, code: &str) -> Option<bool> {
        let problems = self.nodes.get(index).map(|node| &node.seen.problems)?;
        let last = problems.iter().rev().find(|(_, one)| one == code);
        last.map(|(raised, _)| *raised)
    }

    /// Somebody deletes the addresses of a node.
    pub(super) fn steal(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index).filter(|node| node.has_vips()) else {
            return;
        };
        let Some(wish) = node.seen.wish.clone() else { return };
        node.held.remove(&wish.instance);
        let culprit = Culprit {
            port: 4711,
            process: Some("ip".into()),
        };
        let (instance, ticket, index_of) = (wish.instance, wish.ticket, 0);
        let event = Event::AddressStolen {
            instance,
            ticket,
            index: index_of,
            culprit,
        };
        self.tell(index, event);
    }

    /// Notes what a node has become.
    fn observe(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let state = node.state();
        if state == node.seen.state {
            return;
        }
        let before = std::mem::replace(&mut node.seen.state, state);
        if state == Some(StateName::Master) {
            node.seen.master_since = Some(now);
            node.seen.announced.clear();
            self.takeovers += 1;
        }
        self.note(&format!("node {index}: {before:?} → {state:?}"));
    }
}
