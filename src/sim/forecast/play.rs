//! The node and the routers around it on a virtual network: what a core wants is done at once, what it sends arrives a little later.

use super::Step;
use super::around::Around;
use super::host::{self, Checks};
use crate::model::{Family, IfIndex, InstanceId, Instant, Micros, Model, Priority};
use crate::proto::{
    Action, Core, Event, Happening, Link, Packet, Receive, Snapshot, SocketSpec, StateChange, Transmit,
};
use crate::sim::network::Sent;
use crate::wire::auth::AH_LEN;
use crate::wire::ip::PROTO_AH;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a packet is on its way.
const ON_THE_WAY: Micros = Micros(200);
/// How long a program runs.
const PROGRAM: Micros = Micros::from_millis(10);
/// Steps after which the play ends, however it stands: some seconds of one processor.
const MOST: usize = 1_000_000;
/// How often the time in which everything shows may pass.
const WINDOWS: u64 = 6;

/// All that lives.
pub(super) struct Play {
    now: Instant,
    begun: Instant,
    before: Snapshot,
    /// The node itself is the first one.
    nodes: Vec<Node>,
    /// Links that are up.
    running: Vec<IfIndex>,
    checks: Checks,
    queue: BTreeMap<(Instant, u64), (usize, Event<'static>)>,
    sequence: u64,
    changed: Instant,
    deeds: BTreeMap<InstanceId, Deeds>,
}

struct Node {
    core: Core,
    sockets: Vec<SocketSpec>,
}

/// What an instance of the node has done.
#[derive(Debug, Clone, Default)]
pub(super) struct Deeds {
    pub(super) steps: Vec<Step>,
    pub(super) released: bool,
    /// It sent an advert in the moment of the reload.
    pub(super) told: bool,
}

impl Deeds {
    /// Those of another router that takes its place.
    pub(super) fn then(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self.released |= next.released;
        self.told |= next.told;
        self
    }
}

impl Play {
    pub(super) fn new(core: Core, around: Around, before: &Snapshot, now: Instant, wall: Micros) -> Self {
        let running = before
            .links
            .iter()
            .filter(|one| one.link.running)
            .map(|one| one.link.index);
        let sockets = core.open_sockets().collect();
        let mut play = Self {
            now,
            begun: now,
            before: before.clone(),
            nodes: vec![Node { core, sockets }],
            running: running.collect(),
            checks: Checks::of(before),
            queue: BTreeMap::new(),
            sequence: 0,
            changed: now,
            deeds: BTreeMap::new(),
        };
        for other in around.nodes {
            let mut core = other.core(now);
            core.handle(Event::WallClock(wall), now);
            for shown in &before.links {
                let link = Link {
                    running: true,
                    ..shown.link.clone()
                };
                core.handle(Event::Link(link), now);
            }
            core.handle(Event::Start, now);
            core.take_up(&crate::proto::State::of(other.state), now);
            let sockets = core.open_sockets().collect();
            play.nodes.push(Node { core, sockets });
        }
        // What led them here is over.
        for node in 0..play.nodes.len() {
            play.release(node, false);
        }
        play.deeds.clear();
        play.finish_what_is_under_way();
        play
    }

    /// What the node itself has asked the host for before.
    fn finish_what_is_under_way(&mut self) {
        let Some(node) = self.nodes.first() else { return };
        let ends = node.core.runs().map(|(run, name)| {
            let outcome = self.checks.end_of(&name);
            (PROGRAM, Event::ScriptEnded { run, outcome })
        });
        let confirmed = node.core.unconfirmed().map(|event| (Micros::ZERO, event));
        let events: Vec<_> = ends.chain(confirmed).collect();
        for (after, event) in events {
            self.later(after, 0, event);
        }
    }

    /// The reload, and what comes of it; whether it comes to rest.
    pub(super) fn reload(&mut self, model: &Arc<Model>) -> bool {
        let all = self.nodes.iter().map(|node| quiet(node.core.model()));
        let quiet = all.chain([quiet(model)]).max().unwrap_or(Micros::SECOND);
        self.tell(0, Event::Reload(Arc::clone(model)));
        for event in host::observed(&self.before, model) {
            self.tell(0, event);
        }
        let end = self.begun + quiet.times(WINDOWS);
        for _ in 0..MOST {
            let rest = (self.changed + quiet).min(end);
            let Some(at) = self.next().filter(|at| *at <= rest) else {
                self.now = self.now.max(rest);
                return rest < end;
            };
            self.now = self.now.max(at);
            if let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (node, event) = entry.remove();
                self.tell(node, event);
                continue;
            }
            for node in 0..self.nodes.len() {
                self.wake(node);
            }
        }
        false
    }

    pub(super) fn played(&self) -> Micros {
        self.now.since(self.begun)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.nodes.first().into_iter().flat_map(|node| node.core.ids())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.nodes
            .first()
            .map_or_else(|| self.before.clone(), |node| node.core.snapshot(self.now))
    }

    pub(super) fn deeds(&self, id: InstanceId) -> Deeds {
        self.deeds.get(&id).cloned().unwrap_or_default()
    }

    fn next(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let deadlines = self.nodes.iter().filter_map(|node| node.core.next_deadline());
        queued.into_iter().chain(deadlines.map(|(at, _)| at)).min()
    }

    fn wake(&mut self, node: usize) {
        let now = self.now;
        let Some(one) = self.nodes.get_mut(node) else { return };
        if one.core.next_deadline().is_some_and(|(at, _)| at <= now) {
            one.core.handle_timeout(now);
            self.release(node, true);
        }
    }

    fn tell(&mut self, node: usize, event: Event<'static>) {
        let now = self.now;
        if let Some(one) = self.nodes.get_mut(node) {
            one.core.handle(event, now);
            self.release(node, true);
        }
    }

    fn later(&mut self, after: Micros, node: usize, event: Event<'static>) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), (node, event));
    }

    /// `speaks`: what is sent arrives.
    fn release(&mut self, node: usize, speaks: bool) {
        while let Some(action) = self.nodes.get_mut(node).and_then(|one| one.core.poll_action()) {
            if let Action::Transmit(sent) = &action {
                if speaks {
                    self.send(node, sent);
                }
            } else {
                self.carry_out(node, action);
            }
        }
    }

    fn carry_out(&mut self, node: usize, action: Action) {
        let (after, event) = match action {
            Action::OpenSocket(spec) => {
                self.close(node, &spec);
                if let Some(one) = self.nodes.get_mut(node) {
                    one.sockets.push(spec.clone());
                }
                (Micros::ZERO, Event::SocketOpen(spec))
            }
            Action::CloseSocket(spec) => return self.close(node, &spec),
            Action::SetAddresses(wish) => {
                let event = Event::AddressesPresent {
                    instance: wish.instance,
                    ticket: wish.ticket,
                    first: 0,
                    count: u32::try_from(wish.addresses.len()).unwrap_or(u32::MAX),
                    complete: true,
                };
                (Micros::ZERO, event)
            }
            Action::ClearAddresses(wish) => {
                let (instance, ticket) = (wish.instance, wish.ticket);
                (Micros::ZERO, Event::AddressesGone { instance, ticket })
            }
            Action::Announce(burst) if burst.report => {
                let (instance, ticket) = (burst.instance, burst.ticket);
                (Micros::ZERO, Event::Announced { instance, ticket })
            }
            Action::RunScript { run, script } => {
                let Some(one) = self.nodes.get(node) else { return };
                let outcome = self.checks.end(one.core.model(), script);
                (PROGRAM, Event::ScriptEnded { run, outcome })
            }
            Action::RunNotify(told) => {
                let (run, outcome) = (told.run, crate::proto::RunOutcome::Exited(0));
                (PROGRAM, Event::ScriptEnded { run, outcome })
            }
            Action::AskLink { interface, method, .. } => {
                let up = self.running.contains(&interface);
                let method = method.unwrap_or(crate::model::LinkBeatMethod::Ethtool);
                (Micros::ZERO, Event::LinkBeat { interface, up, method })
            }
            Action::Happened(happened) => {
                if let Happening::Transition(change) = *happened {
                    self.note(node, change);
                }
                return;
            }
            Action::Transmit(_)
            | Action::Announce(_)
            | Action::KillScript { .. }
            | Action::RestoreAddress { .. }
            | Action::StateChanged(_)
            | Action::GroupChanged(_)
            | Action::Notify(_)
            | Action::Log(_)
            | Action::Stopped => return,
        };
        self.later(after, node, event);
    }

    fn close(&mut self, node: usize, spec: &SocketSpec) {
        let same = |open: &SocketSpec| {
            let link = open.interface == spec.interface && open.family == spec.family;
            link && open.ah == spec.ah && open.receive == spec.receive
        };
        if let Some(one) = self.nodes.get_mut(node) {
            one.sockets.retain(|open| !same(open));
        }
    }

    fn note(&mut self, node: usize, change: StateChange) {
        self.changed = self.now;
        if node != 0 {
            return;
        }
        let step = Step {
            after_ms: self.played().as_millis(),
            from: change.from,
            to: change.to,
            reason: change.reason.code().to_owned(),
            detail: change.reason.to_string(),
        };
        self.deeds.entry(change.instance).or_default().steps.push(step);
    }

    fn send(&mut self, from: usize, sent: &Transmit) {
        if from == 0 {
            let at_once = self.now == self.begun;
            let deeds = self.deeds.entry(sent.instance).or_default();
            deeds.released |= sent.priority == Priority::RELEASE;
            deeds.told |= at_once && sent.priority != Priority::RELEASE;
        }
        let is_up = |link: Option<IfIndex>| link.is_none_or(|link| self.running.contains(&link));
        let Some(datagram) = Sent::of(sent)
            .map(Sent::into_datagram)
            .filter(|_| is_up(sent.interface))
        else {
            return;
        };
        let arrives = |(node, one): (usize, &Node)| {
            let socket = one.sockets.iter().find(|socket| takes(socket, sent))?;
            let interface = sent.interface.or(socket.interface);
            is_up(interface).then_some((node, interface))
        };
        let others = self.nodes.iter().enumerate().filter(|(node, _)| *node != from);
        let arrivals: Vec<_> = others.filter_map(arrives).collect();
        for (node, interface) in arrivals {
            let packet = Packet {
                interface,
                age: Micros::ZERO,
                datagram: datagram.clone(),
            };
            self.later(ON_THE_WAY, node, Event::Packet(packet));
        }
    }
}

/// Whether this socket receives it.
fn takes(socket: &SocketSpec, sent: &Transmit) -> bool {
    let ah = sent.protocol == PROTO_AH;
    let header = if ah { AH_LEN } else { 0 };
    let wanted = sent
        .message
        .get(header + 1)
        .is_some_and(|vrid| socket.vrids.contains(vrid));
    let link = socket.interface.is_none() || sent.interface.is_none() || socket.interface == sent.interface;
    let to = match socket.receive {
        Receive::Group(group) => group == sent.destination,
        Receive::Unicast(own) => own == sent.destination,
    };
    socket.family == Family::of(sent.destination) && socket.ah == ah && wanted && link && to
}

/// In which time everything that a change sets in motion has begun to show: a master falls silent, a check counts.
fn quiet(model: &Model) -> Micros {
    let silent = model.instances.iter().map(|one| {
        let interval = one.advert_interval.duration();
        interval.times(u64::from(one.down_timer_adverts.get()) + 1) + interval.max(Micros::SECOND)
    });
    let notice = model.scripts.iter().map(|script| {
        let runs = u64::from(script.rise.max(script.fall)) + 1;
        script.interval.times(runs) + PROGRAM
    });
    let silent = silent.max().unwrap_or(Micros::SECOND);
    silent + notice.max().unwrap_or(Micros::ZERO)
}
