//! The stage that the nodes are played on: real cores, a network that loses nothing, and trackers that fail when told.
//!
//! It differs from `sim::world` in what it is for: any number of instances, links and transports a node, no chance, no checkers.

use super::ClusterNode;
use super::lan::{Lan, LanLink};
use super::trackers;
use crate::model::{
    IfIndex, IfName, InstanceId, Instant, MacAddr, Micros, Model, Priority, ProcessId, ScriptId, TrackedFileId, Version,
};
use crate::proto::{
    Action, AddressWish, Core, Event, Happening, InstanceSnapshot, Link, LinkAddress, Packet, Receive, RunOutcome,
    SocketSpec, StateChange, Transmit,
};
use crate::sim::network::Sent;
use crate::wire::auth::AH_LEN;
use crate::wire::ip::PROTO_AH;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// How long a packet is on its way.
const ON_THE_WAY: Micros = Micros(200);
/// How long the fake kernel takes for addresses.
const KERNEL: Micros = Micros::MILLISECOND;
/// How long a check runs.
const CHECK: Micros = Micros::from_millis(10);
/// The time of day when the stage is empty; all clocks of the stage go alike.
const SOME_DAY: Micros = Micros::from_secs(1_800_000_000);
/// Windows without a change after which the nodes are said not to settle.
const WINDOWS: usize = 8;

/// The nodes, the time, and what is on its way.
#[derive(Debug)]
pub(in crate::sim) struct Stage<'a> {
    now: Instant,
    nodes: Vec<Actor<'a>>,
    queue: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    changes: u64,
    quiet: Micros,
    /// Nodes that hear nobody, and are heard by nobody.
    alone: BTreeSet<usize>,
    /// What the nodes have done since this was looked at last.
    deeds: Vec<(usize, Deed)>,
}

/// What a node has done.
#[derive(Debug, Clone)]
pub(in crate::sim) enum Deed {
    /// An instance changed its state.
    Became(Instant, StateChange),
    /// It sent priority 0.
    Released(InstanceId),
}

#[derive(Debug)]
struct Actor<'a> {
    config: &'a ClusterNode,
    links: &'a [LanLink],
    down: BTreeSet<IfName>,
    failed: BTreeSet<ScriptId>,
    core: Option<Core>,
    /// The VRIDs that each socket takes.
    sockets: BTreeMap<SocketKey, Vec<u8>>,
}

/// Interface, whether adverts are inside AH, and what is received.
type SocketKey = (Option<IfIndex>, bool, Receive);

/// Something that will happen to a node.
#[derive(Debug)]
struct Due {
    node: usize,
    event: Event<'static>,
}

impl<'a> Stage<'a> {
    /// All nodes are off.
    pub(in crate::sim) fn new(nodes: &'a [ClusterNode], lan: &'a Lan) -> Self {
        let actor = |(config, links): (&'a ClusterNode, &'a Vec<LanLink>)| Actor {
            config,
            links,
            down: BTreeSet::new(),
            failed: BTreeSet::new(),
            core: None,
            sockets: BTreeMap::new(),
        };
        Self {
            now: Instant(1_000_000),
            nodes: nodes.iter().zip(lan).map(actor).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            changes: 0,
            quiet: quiet(nodes),
            alone: BTreeSet::new(),
            deeds: Vec::new(),
        }
    }

    /// The node starts.
    pub(in crate::sim) fn boot(&mut self, node: usize) {
        let now = self.now;
        let Some(actor) = self.nodes.get_mut(node) else { return };
        let mut core = Core::new(actor.config.model.clone(), 0, now);
        core.handle(Event::WallClock(SOME_DAY + Micros(now.0)), now);
        for (position, link) in actor.links.iter().enumerate() {
            core.handle(Event::Link(actor.link(position, link)), now);
            for address in &link.addresses {
                let added = LinkAddress {
                    index: index_of(position),
                    address: *address,
                    prefix_len: 24,
                };
                core.handle(Event::AddressAdded(added), now);
            }
        }
        for observed in trackers::well(&actor.config.model) {
            core.handle(observed, now);
        }
        core.handle(Event::Start, now);
        actor.core = Some(core);
        self.release(node);
    }

    /// The time on the stage.
    pub(in crate::sim) const fn now(&self) -> Instant {
        self.now
    }

    /// The time of day on the stage.
    pub(in crate::sim) fn wall(&self) -> Micros {
        SOME_DAY + Micros(self.now.0)
    }

    /// The core of a node.
    pub(in crate::sim) fn core(&self, node: usize) -> Option<&Core> {
        self.nodes.get(node)?.core.as_ref()
    }

    /// The node is cut off, or not any more.
    pub(in crate::sim) fn isolate(&mut self, node: usize, alone: bool) {
        if alone {
            self.alone.insert(node);
        } else {
            self.alone.remove(&node);
        }
    }

    /// The node reads another configuration.
    pub(in crate::sim) fn reload(&mut self, node: usize, model: Arc<Model>) {
        self.tell(node, Event::Reload(model));
    }

    /// What the nodes have done since this was asked last.
    pub(in crate::sim) fn take_deeds(&mut self) -> Vec<(usize, Deed)> {
        std::mem::take(&mut self.deeds)
    }

    /// The node dies without a word.
    pub(super) fn kill(&mut self, node: usize) {
        if let Some(actor) = self.nodes.get_mut(node) {
            actor.core = None;
            actor.sockets.clear();
        }
    }

    /// From now on runs of this script fail.
    pub(in crate::sim) fn fail_script(&mut self, node: usize, script: ScriptId) {
        if let Some(actor) = self.nodes.get_mut(node) {
            actor.failed.insert(script);
        }
    }

    /// The file speaks against the node.
    pub(super) fn fail_file(&mut self, node: usize, file: TrackedFileId) {
        let Some(actor) = self.nodes.get(node) else { return };
        self.tell(node, trackers::file_fails(&actor.config.model, file));
    }

    /// The processes are not as they should be.
    pub(super) fn fail_process(&mut self, node: usize, process: ProcessId) {
        let Some(actor) = self.nodes.get(node) else { return };
        for event in trackers::process_fails(&actor.config.model, process) {
            self.tell(node, event);
        }
    }

    /// The interface loses its carrier.
    pub(super) fn fail_link(&mut self, node: usize, name: &IfName) {
        let Some(actor) = self.nodes.get_mut(node) else { return };
        actor.down.insert(name.clone());
        let found = actor.links.iter().enumerate().find(|(_, link)| link.name == *name);
        if let Some((position, link)) = found {
            let event = Event::Link(actor.link(position, link));
            self.tell(node, event);
        }
    }

    /// Lets time pass until nothing changes any more; whether that happened.
    pub(in crate::sim) fn settle(&mut self) -> bool {
        (0..WINDOWS).any(|_| {
            let before = self.changes;
            self.advance(self.quiet);
            self.changes == before
        })
    }

    /// What an instance of a running node says of itself.
    pub(super) fn look(&self, node: usize, instance: usize) -> Option<InstanceSnapshot> {
        let core = self.nodes.get(node)?.core.as_ref()?;
        core.snapshot(self.now).instances.into_iter().nth(instance)
    }

    /// Lets this much time pass.
    pub(in crate::sim) fn advance(&mut self, length: Micros) {
        let until = self.now + length;
        while let Some(at) = self.next_moment().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let Due { node, event } = entry.remove();
                self.tell(node, event);
            }
            for node in 0..self.nodes.len() {
                let now = self.now;
                let core = self.nodes.get_mut(node).and_then(|actor| actor.core.as_mut());
                if let Some(core) = core.filter(|core| core.next_deadline().is_some_and(|(at, _)| at <= now)) {
                    core.handle_timeout(now);
                    self.release(node);
                }
            }
        }
        self.now = until;
    }

    fn next_moment(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let deadlines = self
            .nodes
            .iter()
            .filter_map(|actor| actor.core.as_ref()?.next_deadline());
        queued.into_iter().chain(deadlines.map(|(at, _)| at)).min()
    }

    fn later(&mut self, length: Micros, node: usize, event: Event<'static>) {
        self.sequence += 1;
        self.queue
            .insert((self.now + length, self.sequence), Due { node, event });
    }

    fn tell(&mut self, node: usize, event: Event<'static>) {
        let now = self.now;
        if let Some(core) = self.nodes.get_mut(node).and_then(|actor| actor.core.as_mut()) {
            core.handle(event, now);
            self.release(node);
        }
    }

    fn release(&mut self, node: usize) {
        while let Some(action) = self
            .nodes
            .get_mut(node)
            .and_then(|actor| actor.core.as_mut())
            .and_then(Core::poll_action)
        {
            self.carry_out(node, action);
        }
    }

    fn carry_out(&mut self, node: usize, action: Action) {
        match action {
            Action::Transmit(transmit) => self.send(node, &transmit),
            Action::OpenSocket(socket) => self.socket(node, socket, true),
            Action::CloseSocket(socket) => self.socket(node, socket, false),
            Action::SetAddresses(AddressWish {
                instance,
                ticket,
                addresses,
                ..
            }) => {
                let event = Event::AddressesPresent {
                    instance,
                    ticket,
                    first: 0,
                    count: u32::try_from(addresses.len()).unwrap_or(u32::MAX),
                    complete: true,
                };
                self.later(KERNEL, node, event);
            }
            Action::ClearAddresses(AddressWish { instance, ticket, .. }) => {
                self.later(KERNEL, node, Event::AddressesGone { instance, ticket });
            }
            Action::Announce(announce) => {
                if announce.report {
                    let (instance, ticket) = (announce.instance, announce.ticket);
                    self.later(Micros::ZERO, node, Event::Announced { instance, ticket });
                }
            }
            Action::RunScript { run, script } => {
                let failed = self.nodes.get(node).is_some_and(|actor| actor.failed.contains(&script));
                let outcome = RunOutcome::Exited(i32::from(failed));
                self.later(CHECK, node, Event::ScriptEnded { run, outcome });
            }
            Action::RunNotify(told) => {
                let (run, outcome) = (told.run, RunOutcome::Exited(0));
                self.later(Micros::ZERO, node, Event::ScriptEnded { run, outcome });
            }
            Action::StateChanged(_) => self.changes += 1,
            Action::Happened(happened) => {
                if let Happening::Transition(change) = *happened {
                    self.deeds.push((node, Deed::Became(self.now, change)));
                }
            }
            Action::GroupChanged(_)
            | Action::Notify(_)
            | Action::Stopped
            | Action::RestoreAddress { .. }
            | Action::KillScript { .. }
            | Action::AskLink { .. }
            | Action::Log(_) => {}
        }
    }

    fn socket(&mut self, node: usize, socket: SocketSpec, open: bool) {
        let Some(actor) = self.nodes.get_mut(node) else { return };
        let key = (socket.interface, socket.ah, socket.receive);
        if open {
            actor.sockets.insert(key, socket.vrids.clone());
            self.later(Micros::ZERO, node, Event::SocketOpen(socket));
        } else {
            actor.sockets.remove(&key);
        }
    }

    fn send(&mut self, from: usize, transmit: &Transmit) {
        let Some(datagram) = Sent::of(transmit).map(Sent::into_datagram) else {
            return;
        };
        let Some(sender) = self.nodes.get(from) else { return };
        let ah = transmit.protocol == PROTO_AH;
        let Some(vrid) = transmit.message.get(if ah { AH_LEN + 1 } else { 1 }).copied() else {
            return;
        };
        if transmit.priority == Priority::RELEASE {
            self.deeds.push((from, Deed::Released(transmit.instance)));
        }
        let outgoing = transmit
            .interface
            .and_then(|index| sender.links.get(position_of(index)));
        if outgoing.is_some_and(|link| sender.down.contains(&link.name)) {
            return;
        }
        let mut arrivals: Vec<(usize, Option<IfIndex>)> = Vec::new();
        let apart = |node: usize| node == from || self.alone.contains(&node) || self.alone.contains(&from);
        for (node, actor) in self.nodes.iter().enumerate().filter(|(node, _)| !apart(*node)) {
            if let Some(interface) = actor.hears(transmit.destination, ah, vrid, outgoing.map(|link| link.segment)) {
                arrivals.push((node, interface));
            }
        }
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

impl Actor<'_> {
    fn link(&self, position: usize, link: &LanLink) -> Link {
        let low = u8::try_from(position + 1).unwrap_or(u8::MAX);
        Link {
            index: index_of(position),
            name: link.name.clone(),
            running: !self.down.contains(&link.name),
            mac: Some(MacAddr([2, 0, 0, 0, 0, low])),
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0,
        }
    }

    /// Where a packet to this address arrives, if one of the sockets takes it.
    fn hears(&self, destination: IpAddr, ah: bool, vrid: u8, segment: Option<usize>) -> Option<Option<IfIndex>> {
        let takes = |interface: Option<IfIndex>, receive: Receive| {
            let vrids = self.sockets.get(&(interface, ah, receive));
            vrids.is_some_and(|vrids| vrids.contains(&vrid))
        };
        let up = |link: &&LanLink| !self.down.contains(&link.name);
        let mut links = self.links.iter().enumerate().filter(|(_, link)| up(link));
        if destination.is_multicast() {
            let receive = Receive::Group(destination);
            return links
                .filter(|(_, link)| Some(link.segment) == segment)
                .map(|(position, _)| Some(index_of(position)))
                .find(|interface| takes(*interface, receive));
        }
        let receive = Receive::Unicast(destination);
        let here = links.find(|(_, link)| link.addresses.contains(&destination));
        let here = here.map(|(position, _)| Some(index_of(position)));
        let by_link = here.filter(|interface| takes(*interface, receive));
        by_link.or_else(|| takes(None, receive).then_some(here.flatten()))
    }
}

fn index_of(position: usize) -> IfIndex {
    // 1 is the loopback everywhere.
    IfIndex(u32::try_from(position).unwrap_or(u32::MAX - 2) + 2)
}

fn position_of(index: IfIndex) -> usize {
    usize::try_from(index.0).unwrap_or(usize::MAX).saturating_sub(2)
}

/// In which time everything that a change sets in motion has begun to show: a check notices it, a master falls silent,
/// a delay passes.
fn quiet(nodes: &[ClusterNode]) -> Micros {
    let longest = |times: &mut dyn Iterator<Item = Micros>| times.max().unwrap_or(Micros::ZERO);
    let instances = || nodes.iter().flat_map(|node| &node.model.instances);
    let silent = longest(&mut instances().map(|i| {
        let interval = i.advert_interval.duration();
        let skew = match i.version {
            Version::V2 => Micros::SECOND,
            Version::V3 => interval,
        };
        interval.times(u64::from(i.down_timer_adverts.get()) + 1) + skew
    }));
    let delay = longest(&mut instances().map(|i| i.preempt_delay));
    let start = longest(&mut nodes.iter().map(|node| node.model.global.startup_delay));
    let notice = longest(&mut nodes.iter().flat_map(|node| &node.model.scripts).map(|script| {
        let runs = u64::from(script.rise.max(script.fall)) + 1;
        script.interval.max(script.limit()).times(runs)
    }));
    let processes = || nodes.iter().flat_map(|node| &node.model.processes);
    let ends = longest(&mut processes().map(|process| process.terminate_delay.max(process.fork_delay)));
    silent + delay + start + notice.max(ends) + Micros::SECOND
}
