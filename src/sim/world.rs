//! The virtual world: time, what is on its way, and the hands that carry the cores' actions out.

mod hands;

use super::check::{self, Violation};
use super::network::{LINK, Network, Sent};
use super::node::{Input, Legacy, Node, on_link};
use super::observe::holds;
use super::queue::Queue;
use super::random::Random;
use super::{Judges, Planted};
use crate::model::{Instant, MacAddr, Micros, Model, NoticeEvent, NotifyKind, ProcessId, TrackedFileId};
use crate::proto::{
    AddressWish, Culprit, Datagram, Event, FileReading, InstanceSnapshot, Observation, Packet, ProcessChange,
    RunOutcome, StateName,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    /// Time that has passed in the worlds of this thread.
    static SIMULATED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How much time has passed in all worlds of this thread.
#[must_use]
pub fn simulated() -> Micros {
    Micros(SIMULATED.get())
}

/// New observers have told everything so long after a reload.
const RETOLD: Micros = Micros::from_millis(5);

/// Lines of the trace that are kept.
const TRACE: usize = 400;

/// The cluster.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) random: Random,
    /// Since when two nodes are both master of a router and hear each other.
    pub(super) dual_since: BTreeMap<(usize, usize, usize), Instant>,
    /// Since when nobody is master of a router.
    pub(super) orphan_since: BTreeMap<usize, Instant>,
    /// Since when no fault has been injected or ended.
    pub(super) undisturbed: Instant,
    /// Since when the cluster is settled: until the next fault nothing may change.
    pub(super) calm_since: Option<Instant>,
    pub(super) violations: Vec<Violation>,
    pub(super) takeovers: u64,
    pub(super) adverts: u64,
    /// Steps that the reference model has judged.
    pub(super) judged: u64,
    /// How long notify programs take; nothing: a few milliseconds by chance.
    pub(super) notify_time: Option<Micros>,
    /// Which notify programs were started.
    pub(super) told: Vec<Told>,
    /// Everything that the nodes do is written down.
    pub(super) story: Option<super::story::Story>,
    planted: Planted,
    queue: Queue<Due>,
    /// Something that the checkers look at has changed.
    pub(super) changed: bool,
    /// When they have to look at the latest.
    check_at: Instant,
    trace: VecDeque<(Instant, String)>,
}

/// A notify program that was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) kind: NotifyKind,
    pub(super) event: NoticeEvent,
    /// Whether the instance's addresses were there.
    pub(super) held: bool,
}

/// Something that will happen to this life of a node.
#[derive(Debug)]
struct Due {
    node: usize,
    life: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Something comes to it.
    Input(Input),
    /// The fake kernel has done what this wish asks for.
    Kernel(usize, AddressWish, bool),
    /// The guard removes the addresses of a dead daemon.
    Guard,
    /// The observers of a new configuration tell all that they see.
    Observers,
}

impl World {
    pub(super) fn new(nodes: Vec<Node>, seed: u64, planted: Planted) -> Self {
        let mut world = Self::asleep(nodes, seed, planted);
        for index in 0..world.nodes.len() {
            world.boot(index);
        }
        world
    }

    /// A world in which no daemon runs yet.
    pub(super) fn asleep(mut nodes: Vec<Node>, seed: u64, planted: Planted) -> Self {
        for node in &mut nodes {
            node.seats.resize_with(node.model.instances.len(), Default::default);
        }
        let network = Network::new(nodes.len());
        Self {
            now: Instant(1_000_000),
            nodes,
            network,
            random: Random::new(seed),
            dual_since: BTreeMap::new(),
            orphan_since: BTreeMap::new(),
            undisturbed: Instant(0),
            calm_since: None,
            violations: Vec::new(),
            takeovers: 0,
            adverts: 0,
            judged: 0,
            notify_time: None,
            told: Vec::new(),
            story: None,
            planted,
            queue: Queue::default(),
            changed: true,
            check_at: Instant(0),
            trace: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        if self.trace.len() >= TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back((self.now, text.into()));
    }

    /// The nodes' configurations, and the last lines of what happened.
    pub(super) fn trace(&self) -> String {
        let nodes = self.nodes.iter().enumerate();
        let configs = nodes.flat_map(|(index, node)| {
            let instances = node.model.instances.iter();
            instances.map(move |config| format!("node {index}: {config:?}"))
        });
        let lines = self
            .trace
            .iter()
            .map(|(at, what)| format!("{:>14}  {what}", at.to_string()));
        configs.chain(lines).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn violate(&mut self, what: String) {
        if self.planted.judges != Judges::Reference {
            self.convict(what);
        }
    }

    fn convict(&mut self, what: String) {
        if self.violations.is_empty() {
            self.note(format!("VIOLATION: {what}"));
            self.violations.push(Violation { at: self.now, what });
        }
    }

    /// A fault begins or ends.
    pub(super) fn disturb(&mut self, what: &str) {
        self.undisturbed = self.now;
        self.calm_since = None;
        self.changed = true;
        self.tell_story(|_| Some(format!("* {what}")));
        self.note(what);
    }

    pub(super) fn tell_story(&mut self, line: impl FnOnce(&Self) -> Option<String>) {
        if self.story.is_some()
            && let Some(line) = line(self)
            && let Some(story) = &mut self.story
        {
            story.write(self.now, &line);
        }
    }

    pub(super) fn routers(&self) -> usize {
        self.nodes.first().map_or(0, |node| node.seats.len())
    }

    pub(super) fn longest_interval(&self) -> Micros {
        let of = |node: &Node| {
            let intervals = node
                .model
                .instances
                .iter()
                .map(|config| config.advert_interval.duration());
            intervals.max().unwrap_or(Micros::ZERO)
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

    fn later(&mut self, at: Instant, node: usize, what: What) {
        let life = self.nodes.get(node).map_or(0, |node| node.life);
        self.queue.push(at, Due { node, life, what });
    }

    fn later_event(&mut self, at: Instant, node: usize, event: Event<'static>) {
        self.later(at, node, What::Input(Input::Event(Box::new(event))));
    }

    pub(super) fn boot(&mut self, index: usize) {
        self.succeed(index, None);
    }

    /// The daemon dies, its guard cleans up, and a new one goes on with what the old one knew.
    pub(super) fn respawn(&mut self, index: usize, after: Micros) {
        let legacy = self.nodes.get(index).and_then(|node| node.export(self.now));
        self.crash(index);
        self.advance(after);
        self.succeed(index, legacy.as_ref());
    }

    /// Another daemon begins with what a former one left.
    pub(super) fn succeed(&mut self, index: usize, legacy: Option<&Legacy>) {
        let (planted, now) = (self.planted, self.now);
        if let Some(node) = self.nodes.get_mut(index) {
            node.boot(planted, legacy, now);
        }
        self.release(index);
    }

    /// The process dies without a word; its guard cleans up.
    pub(super) fn crash(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.core = None;
        node.life += 1;
        node.seats.iter_mut().for_each(|seat| seat.state = None);
        self.changed = true;
        self.later(self.now + Micros::from_millis(20), index, What::Guard);
    }

    /// An orderly stop.
    pub(super) fn stop(&mut self, index: usize) {
        self.tell(index, Event::Shutdown);
    }

    /// The process stops, or goes on. Its sockets fill meanwhile.
    pub(super) fn pause(&mut self, index: usize, paused: bool) {
        let now = self.now;
        self.changed = true;
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
        let now = node.clock(now);
        node.handle(&Event::WallClock(wall), now);
        node.handle(&Event::Stalled { gap: slept }, now);
        // Packets that arrived before a deadline are handled before it, however late the process wakes.
        for (stamp, input) in inbox {
            match input {
                Input::Packet(sent) => self.receive(index, &sent, Packet::age(wall, stamp, slept)),
                Input::Event(event) => self.hand(index, *event),
            }
        }
        self.wake(index);
    }

    /// The process stops, and does not go on by itself.
    pub(super) fn pause_for_good(&mut self, index: usize) {
        self.pause(index, true);
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
            node.handle(&event, now);
        }
    }

    /// An advert is read, this long after it came.
    fn receive(&mut self, index: usize, sent: &Sent, age: Micros) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let now = node.clock(self.now);
        let event = Event::Packet(Packet {
            interface: Some(LINK),
            age,
            datagram: sent.datagram(),
        });
        if let Some(reference) = &mut node.reference {
            reference.take(&event, sent.intact, None, now);
        }
        if let Some(core) = &mut node.core {
            core.handle(event, now);
        }
    }

    /// A node gets another configuration.
    pub(super) fn reload(&mut self, index: usize, change: impl FnOnce(&mut Model)) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        change(&mut node.model);
        if let Some(core) = &node.core {
            let ids = core.ids().enumerate().map(|(at, id)| (id, at));
            node.former.extend(ids);
        }
        let event = Event::Reload(Arc::new(node.model.clone()));
        self.tell(index, event);
        self.later(self.now + RETOLD, index, What::Observers);
    }

    pub(super) fn set_link(&mut self, index: usize, up: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.link_up = up;
        let event = node.link();
        self.changed = true;
        self.tell(index, event);
    }

    /// The link beside its own goes down or comes up.
    pub(super) fn set_other_link(&mut self, index: usize, up: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.other_link_up = Some(up);
        let event = node.other_link();
        self.changed = true;
        self.tell(index, event);
    }

    /// Its own addresses vanish from the link, or come back.
    pub(super) fn set_addresses(&mut self, index: usize, there: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.has_address = there;
        self.changed = true;
        for address in node.addresses.clone() {
            let address = on_link(address);
            let event = if there {
                Event::AddressAdded(address)
            } else {
                Event::AddressGone(address)
            };
            self.tell(index, event);
        }
    }

    /// Something else stands in the tracked file.
    pub(super) fn set_number(&mut self, index: usize, number: i32) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.number = number;
        self.changed = true;
        if !node.model.files.is_empty() {
            self.tell(index, holds(TrackedFileId(0), number));
        }
    }

    /// The tracked file has gone, or cannot be read: that counts as 0.
    pub(super) fn lose_file(&mut self, index: usize, reading: FileReading) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.number = 0;
        self.changed = true;
        if !node.model.files.is_empty() {
            let file = TrackedFileId(0);
            self.tell(index, Event::Observed(Observation::File { file, reading }));
        }
    }

    /// So many of the tracked processes run, one change after the other.
    pub(super) fn set_running(&mut self, index: usize, count: u32, changes: (ProcessChange, ProcessChange)) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let before = std::mem::replace(&mut node.running, count);
        self.changed = true;
        if node.model.processes.is_empty() {
            return;
        }
        let (up, down) = changes;
        let (pids, change) = if count > before {
            (before..count, up)
        } else {
            (count..before, down)
        };
        for pid in pids {
            let process = ProcessId(0);
            self.tell(index, Event::Observed(Observation::Process { process, pid, change }));
        }
    }

    pub(super) fn set_service(&mut self, index: usize, well: bool) {
        let now = self.now;
        self.changed = true;
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
        self.give(index, Input::Event(Box::new(event)));
    }

    fn give(&mut self, index: usize, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.paused.is_some() {
            let stamp = node.wall(now);
            if !(node.suspended && matches!(input, Input::Packet(_))) {
                node.inbox.push_back((stamp, input));
            }
            return;
        }
        match input {
            Input::Packet(sent) => self.receive(index, &sent, Micros::ZERO),
            Input::Event(event) => self.hand(index, *event),
        }
        self.release(index);
    }

    /// A datagram for everybody that somebody has made. `replayed`: it is as a node has sent it once.
    pub(super) fn inject(&mut self, datagram: &Datagram<'_>, replayed: bool) {
        let sent = Rc::new(Sent::forged(datagram, replayed));
        for index in 0..self.nodes.len() {
            if self.nodes.get(index).is_some_and(|node| node.link_up) {
                self.give(index, Input::Packet(Rc::clone(&sent)));
            }
        }
    }

    /// Lets this much time pass.
    pub(super) fn advance(&mut self, length: Micros) {
        let until = self.now + length;
        SIMULATED.set(SIMULATED.get() + length.0);
        self.changed = true;
        while let Some(at) = self.next_moment().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.happen();
            self.check();
            if !self.violations.is_empty() {
                return;
            }
        }
        self.now = until;
        self.changed = true;
        self.check();
    }

    fn check(&mut self) {
        if self.changed || self.now >= self.check_at {
            self.changed = false;
            self.check_at = check::always(self);
        }
    }

    fn next_moment(&self) -> Option<Instant> {
        let queued = self.queue.next();
        let deadline = self.nodes.iter().filter_map(Node::deadline).min();
        queued.into_iter().chain(deadline).min()
    }

    fn happen(&mut self) {
        while let Some(Due {
            node: index,
            life,
            what,
        }) = self.queue.pop(self.now)
        {
            let lives = self.nodes.get(index).is_some_and(|node| node.life == life);
            match what {
                _ if !lives => {}
                What::Input(input) => self.give(index, input),
                What::Kernel(seat, wish, present) => self.kernel(index, seat, &wish, present),
                What::Observers => self.tell_everything(index),
                What::Guard => {
                    self.changed = true;
                    if let Some(node) = self.nodes.get_mut(index) {
                        node.seats.iter_mut().for_each(|seat| seat.held = false);
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
    }

    fn tell_everything(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index) else { return };
        for event in node.surroundings() {
            self.tell(index, event);
        }
    }

    fn wake(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let now = node.clock(now);
        node.end_drains(now);
        node.desk.time(now);
        if let Some(core) = node.core.as_mut() {
            core.handle_timeout(now);
        }
        self.carry_out_all(index);
        // The core may send a little early what the reference sends on time: it is told which.
        if let Some(node) = self.nodes.get_mut(index)
            && let Some(reference) = &mut node.reference
        {
            let done = &node.done;
            reference.time(now, |router| {
                done.iter().any(|(of, deed, _)| *of == router && deed.is_advert())
            });
        }
        self.observe(index);
    }

    fn kernel(&mut self, index: usize, seat: usize, wish: &AddressWish, present: bool) {
        let Some(held) = self.nodes.get_mut(index).and_then(|node| node.seats.get_mut(seat)) else {
            return;
        };
        if held.ticket != Some(wish.ticket) {
            return;
        }
        held.held = present;
        self.changed = true;
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

    /// A node hears that somebody claims an address.
    pub(super) fn claim(&mut self, to: usize, address: IpAddr, mac: MacAddr) {
        if self
            .nodes
            .get(to)
            .is_some_and(|node| node.core.is_some() && node.link_up)
        {
            let event = Event::NeighbourClaim {
                interface: LINK,
                address,
                mac,
            };
            self.later_event(self.now + Micros(100), to, event);
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
            s.problems
                .into_iter()
                .map(|problem| problem.code.into_owned())
                .collect()
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
        let problems = self.nodes.get(index).map(|node| &node.told.problems)?;
        let last = problems.iter().rev().find(|(_, one)| one == code);
        last.map(|(raised, _)| *raised)
    }

    /// Somebody deletes the addresses of one instance of a node.
    pub(super) fn steal(&mut self, index: usize, router: usize) {
        let seat = self.nodes.get_mut(index).and_then(|node| node.seats.get_mut(router));
        let Some(seat) = seat.filter(|seat| seat.held) else {
            return;
        };
        let Some(wish) = seat.wish.clone() else { return };
        seat.held = false;
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
        let calm = self.calm_since.is_some();
        let Some(node) = self.nodes.get_mut(index) else { return };
        self.judged += 1;
        if let Some(difference) = node.judge().filter(|_| self.planted.judges != Judges::Checkers) {
            self.convict(format!("node {index} is not as the reference model: {difference}"));
            return;
        }
        let Some(node) = self.nodes.get_mut(index) else { return };
        if let Some(missing) = node.desk.missing() {
            self.violate(format!("node {index} {missing}"));
        }
        for at in 0..self.routers() {
            let Some(node) = self.nodes.get_mut(index) else { return };
            let state = node.core.as_ref().and_then(|core| core.state(at));
            let Some(seat) = node.seats.get_mut(at) else { return };
            if state == seat.state {
                continue;
            }
            let before = std::mem::replace(&mut seat.state, state);
            if state == Some(StateName::Master) {
                seat.master_since = Some(now);
                seat.announced.clear();
                seat.announcements = 0;
                self.takeovers += 1;
            }
            self.changed = true;
            self.note(format!("node {index}, router {at}: {before:?} → {state:?}"));
            if calm {
                self.violate(format!(
                    "node {index}, router {at}: {before:?} → {state:?} without a cause"
                ));
            }
        }
    }
}
