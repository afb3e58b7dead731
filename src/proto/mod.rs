//! The protocol: a plain struct that never does I/O, never reads a clock and never waits.
//!
//! One direction: event → core → actions → adapters. Results of actions come back only as new events.
//!
//! Contract between the core and its driver: one [`Core::handle`] or [`Core::handle_timeout`], then [`Core::poll_action`]
//! until `None`, then [`Core::next_deadline`], then wait. Calling too early or too often is harmless. The same model,
//! seed and events give the same actions.

mod action;
mod counters;
mod deadlines;
mod drain;
mod event;
mod foresight;
mod group;
mod happening;
mod instance;
mod limiter;
mod links;
mod log_event;
mod mutant;
mod notify;
mod pacer;
mod reason;
mod receive;
mod reload;
mod snapshot;
mod sockets;
mod startup;
mod state;
mod statics;
#[cfg(test)]
mod tests;
mod timer;
mod tracking;
mod world;

pub use action::{
    Action, AddressWish, Announce, GroupChange, KillSignal, Notify, Receive, RunNotify, SocketSpec, StateChange,
    StateName, Subject, Transmit,
};
pub use counters::{Counters, DropReason, Drops};
pub use event::{
    Culprit, Datagram, Event, FileReading, Link, LinkAddress, Observation, Packet, ProcessChange, ProcessWatch,
    RunOutcome,
};
pub use happening::Happening;
pub use instance::PeerState;
pub use log_event::{
    Difference, DropDetail, FileLine, GroupLine, InstanceLine, InterfaceLine, LogEvent, NotifyLine, Pace, ProcessLine,
    ScriptLine, StaticLine,
};
pub use mutant::Mutant;
pub use reason::{Evidence, Past, PriorityCause, PriorityChange, Reason, Span, TrackerKind, Transition};
pub use snapshot::{
    Activity, Brief, Contribution, DrainSnapshot, GroupSnapshot, Hold, InstanceSnapshot, LinkSnapshot, MasterSnapshot,
    PeerSnapshot, PrioritySnapshot, Problem, Severity, Snapshot, TimerSnapshot, TrackerSnapshot, TrackerStatus,
    Verdict, VipSnapshot,
};
pub use state::{DrainState, InstanceState, Phase, Remembered, State, TrackerState};
pub use timer::Timer;

use crate::model::{IfIndex, IfName, InstanceId, Instant, MacAddr, Micros, Model, Ticket};
use deadlines::{Deadlines, Owner};
use instance::{Context, Instance, Pacing, Settings};
use mutant::Mutation;
use pacer::Pacer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use tracking::LinkTracking;
use world::World;

/// A stop that takes longer than this ends without the confirmations that are missing.
const STOP_LIMIT: Micros = Micros::from_secs(4);
/// Adverts that are due this soon leave together with one that is due now: early, never late.
const TOGETHER: Micros = Micros::from_millis(4);

/// Actions that room is kept for when none waits; a start of thousands of instances needs it once.
const ROOM: usize = 512;

/// The state machines of one daemon. A copy lives on by itself, which is how a reload is foreseen.
#[derive(Debug, Clone)]
pub struct Core {
    model: Arc<Model>,
    world: World,
    statics: statics::Statics,
    links: LinkTracking,
    trackers: tracking::Trackers,
    instances: Vec<Instance>,
    groups: Vec<group::Group>,
    /// Which group an instance is a member of, by positions.
    group_index: BTreeMap<usize, usize>,
    /// Members that found something out about themselves while they followed another one.
    surprised: Vec<(usize, group::Shown)>,
    by_id: BTreeMap<InstanceId, usize>,
    /// Every virtual address of every instance: thousands of them come and go, and must be known at once.
    virtuals: BTreeSet<IpAddr>,
    notifier: notify::Notifier,
    sockets: sockets::Sockets,
    lookup: receive::Lookup,
    deadlines: Deadlines,
    pacer: Pacer,
    actions: VecDeque<Action>,
    next_ticket: u64,
    next_run: u64,
    next_instance: u32,
    /// Dropped datagrams that no instance can be named for.
    stray: Counters,
    unknown_vrids: u64,
    life: Life,
    stop_deadline: Option<Instant>,
    /// Until when adverts are neither heard nor sent after the start.
    delayed_until: Option<Instant>,
    /// When something was handled last.
    clock: Instant,
    /// The time of day, and when it was told.
    wall: Option<(Instant, Micros)>,
    mutation: Mutation,
    /// Old masters that leave with a reload, until their addresses are gone.
    leaving: Vec<Instance>,
    /// The drain of the whole node; what a reload adds is drained as well.
    node_drain: Option<instance::Drain>,
    /// What a successor has not been told yet.
    changes: drain::Changes,
}

/// Where the core is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Before [`Event::Start`].
    New,
    /// At work.
    Running,
    /// After [`Event::Shutdown`].
    Stopping,
    /// After [`Action::Stopped`].
    Stopped,
}

impl Core {
    /// A core that has not started: it waits for links, addresses and then [`Event::Start`].
    ///
    /// `seed` decides whatever is arbitrary (today: nothing).
    #[must_use]
    pub fn new(model: impl Into<Arc<Model>>, _seed: u64, now: Instant) -> Self {
        let model: Arc<Model> = model.into();
        let mut core = Self {
            trackers: tracking::Trackers::new(&model),
            world: World::default(),
            statics: statics::Statics::new(),
            links: LinkTracking::default(),
            instances: Vec::new(),
            group_index: BTreeMap::new(),
            surprised: Vec::new(),
            groups: model.groups.iter().map(group::Group::new).collect(),
            by_id: BTreeMap::new(),
            virtuals: BTreeSet::new(),
            notifier: notify::Notifier::default(),
            sockets: sockets::Sockets::default(),
            lookup: receive::Lookup::default(),
            deadlines: Deadlines::default(),
            pacer: Pacer::default(),
            actions: VecDeque::new(),
            next_ticket: 0,
            next_run: 0,
            next_instance: 0,
            stray: Counters::default(),
            unknown_vrids: 0,
            life: Life::New,
            stop_deadline: None,
            delayed_until: None,
            clock: now,
            wall: None,
            mutation: Mutation::default(),
            leaving: Vec::new(),
            node_drain: None,
            changes: drain::Changes::default(),
            model,
        };
        for config in Settings::all(&core.model) {
            let id = core.new_id();
            core.instances.push(Instance::new(id, config, now));
        }
        core.notifier.learn(&core.model);
        core.links.configure(&core.model);
        core.index();
        core
    }

    /// A core with a defect, to prove that a test notices it.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_mutant(mut self, mutant: Mutant) -> Self {
        self.mutation = Mutation::of(mutant);
        self
    }

    /// The configuration in force.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes one input in. `now` must not go back; a packet says by its age when it arrived.
    pub fn handle(&mut self, event: Event<'_>, now: Instant) {
        if self.life == Life::Stopped {
            return;
        }
        self.clock = now;
        match event {
            Event::Start => self.start(now),
            Event::Packet(packet) => self.on_packet(&packet, now),
            Event::Link(link) => self.on_link(link, now),
            Event::LinkGone(index) => self.on_link_gone(index, now),
            Event::LinkBeat { interface, up, method } => self.on_link_beat(interface, up, method, now),
            Event::AddressAdded(address) => self.on_address_added(address, now),
            Event::AddressGone(address) => self.on_address_gone(address, now),
            Event::SocketOpen(_) | Event::SocketFailed { .. } if self.life != Life::Running => {}
            Event::SocketOpen(socket) => {
                let ids = self.lookup.users(&socket);
                self.each_of(&ids, now, |instance, ctx| instance.on_socket_open(ctx));
            }
            Event::SocketFailed { socket, errno, call } => {
                let ids = self.lookup.users(&socket);
                self.each_of(&ids, now, |instance, ctx| instance.on_socket_failed(&call, errno, ctx));
            }
            Event::TransmitFailed {
                instance,
                destination,
                errno,
                release,
            } => {
                self.one(instance, now, |i, ctx| {
                    i.on_transmit_failed(destination, errno, release, ctx)
                });
            }
            event if event.is_of_statics() => self.on_static(event, now),
            Event::AddressesPresent {
                instance,
                ticket,
                first,
                count,
                complete,
            } => {
                self.one_wish(instance, ticket, now, |i, ctx| {
                    i.on_addresses_present(first, count, complete, ctx)
                });
            }
            Event::AddressFailed {
                instance,
                ticket,
                index,
                errno,
            } => {
                self.one_wish(instance, ticket, now, |i, ctx| i.on_address_failed(index, errno, ctx));
            }
            Event::AddressesGone { instance, ticket } => {
                self.leave(instance, ticket);
                self.one(instance, now, |i, ctx| i.on_addresses_gone(ticket, ctx));
                self.finish_stop(now);
            }
            Event::AddressStolen {
                instance,
                ticket,
                index,
                culprit,
            } => {
                self.one_wish(instance, ticket, now, |i, ctx| i.on_address_stolen(index, culprit, ctx));
            }
            Event::Announced { instance, ticket } => {
                self.one(instance, now, |i, ctx| i.on_announced(ticket, ctx));
            }
            Event::ScriptEnded { run, outcome } => self.on_script_ended(run, outcome, now),
            Event::Observed(observation) => self.on_observed(observation, now),
            Event::NeighbourClaim {
                interface,
                address,
                mac,
            } => self.on_neighbour_claim(interface, address, mac, now),
            Event::Stalled { gap } => {
                if gap >= Micros::SECOND {
                    self.actions.push_back(Action::Log(LogEvent::TimerLate { late: gap }));
                }
                self.each(now, |instance, ctx| instance.on_stalled(gap, ctx));
            }
            Event::ClearCounters => self.instances.iter_mut().for_each(Instance::clear_counters),
            Event::WallClock(wall) => self.wall = Some((now, wall)),
            Event::Reload(model) => self.reload(model, now),
            Event::Leave => self.shutdown(true, now),
            Event::Shutdown => self.shutdown(false, now),
            Event::Drain { name, length, force } => self.drain(name.as_deref(), length, force, now),
            Event::Resume { name } => self.resume(name.as_deref(), now),
        }
    }

    /// Runs every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.clock = now;
        let horizon = now + TOGETHER;
        let mut woken = false;
        // Each deadline is later than `now`, or gone, after it ran, so the loop ends; the bound is for a defect.
        for _ in 0..self.instances.len() * 8 + self.trackers.len() * 4 + 16 {
            let Some((at, timer, owner)) = self.deadlines.first() else {
                return;
            };
            if at > now && !(woken && timer == Timer::Advert && at <= self.together(owner, now, horizon)) {
                return;
            }
            match owner {
                Owner::Instance(index) => {
                    woken |= timer == Timer::Advert;
                    let until = self.together(owner, now, horizon);
                    self.at(index, now, |instance, ctx| instance.on_timeout(timer, until, ctx));
                }
                Owner::Tracker(position) => self.tracker_timeout(position, now),
                Owner::Pacer => {
                    self.pacer.run(at, now, &mut self.actions);
                    self.arm_pacer(now);
                }
                Owner::Notifier => self.notify_timeout(now),
                Owner::Links => self.links_timeout(at, now),
                Owner::Core if self.stop_deadline.is_none() => self.end_delay(),
                Owner::Core => self.stop_overdue(now),
            }
        }
    }

    /// Until when an owner's advert may leave early: min(4 ms, interval / 64).
    fn together(&self, owner: Owner, now: Instant, horizon: Instant) -> Instant {
        let Owner::Instance(index) = owner else { return now };
        let interval = self
            .instances
            .get(index)
            .map_or(Micros::ZERO, |i| i.config.advert_interval.duration());
        horizon.min(now + Micros(interval.0 / 64))
    }

    /// The next effect to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        let Some(action) = self.actions.pop_front() else {
            self.actions.shrink_to(ROOM);
            return None;
        };
        self.tell(&action);
        Some(action)
    }

    /// When [`Core::handle_timeout`] is to be called at the latest, and for whom.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Timer)> {
        self.deadlines.first().map(|(at, timer, _)| (at, timer))
    }

    /// State of the instance at this position of the configuration: what [`Core::snapshot`] tells, without its cost.
    #[must_use]
    pub fn state(&self, position: usize) -> Option<StateName> {
        self.instances.get(position).map(|instance| instance.state.name())
    }

    /// The same with priority and main timer.
    #[must_use]
    pub fn brief(&self, position: usize) -> Option<Brief> {
        self.instances.get(position).map(Instance::brief)
    }

    /// The instance with this number, by its position in the configuration.
    #[must_use]
    pub fn position(&self, instance: InstanceId) -> Option<usize> {
        self.by_id.get(&instance).copied()
    }

    /// The numbers of all instances, in the order of the configuration.
    pub fn ids(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.instances.iter().map(|instance| instance.id)
    }

    /// A view for people and machines.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let instances = self
            .instances
            .iter()
            .map(|i| i.snapshot(now, &self.world, &self.trackers, self.mutation));
        let mut instances: Vec<_> = instances.collect();
        if let Some(until) = self.delayed_until.filter(|until| *until > now) {
            let remaining = until.since(now);
            let held = |instance: &mut InstanceSnapshot| instance.holds.push(Hold::StartupDelay { remaining });
            instances.iter_mut().for_each(held);
        }
        Snapshot {
            taken_at: now,
            instances,
            groups: self.groups.iter().map(|group| self.group_snapshot(group)).collect(),
            trackers: self
                .trackers
                .iter()
                .map(tracking::Tracker::snapshot)
                .chain(self.link_trackers())
                .collect(),
            links: self.world.snapshot(),
            problems: self
                .instances
                .iter()
                .flat_map(|i| i.problems(now))
                .chain(self.common_problems())
                .collect(),
            static_addresses: self.static_snapshot(),
        }
    }

    fn group_snapshot(&self, group: &group::Group) -> GroupSnapshot {
        let member = |index: &usize| self.instances.get(*index).map(|i| i.config.name.clone());
        GroupSnapshot {
            name: group.name.clone(),
            state: group.state,
            members: group.members.iter().filter_map(member).collect(),
        }
    }

    /// Datagrams dropped before an instance could be named, by reason; and how many were for VRIDs that are not configured.
    #[must_use]
    pub const fn stray(&self) -> (&Counters, u64) {
        (&self.stray, self.unknown_vrids)
    }

    fn new_id(&mut self) -> InstanceId {
        let id = InstanceId(self.next_instance);
        self.next_instance += 1;
        id
    }

    fn index(&mut self) {
        self.by_id = self
            .instances
            .iter()
            .enumerate()
            .map(|(i, instance)| (instance.id, i))
            .collect();
        self.virtuals = self.instances.iter().flat_map(Instance::virtual_addresses).collect();
        let members = |(at, group): (usize, &group::Group)| {
            let members = group.members.clone();
            members.into_iter().map(move |member| (member, at))
        };
        self.group_index = self.groups.iter().enumerate().flat_map(members).collect();
        self.deadlines.clear();
        for index in 0..self.instances.len() {
            self.arm(index);
        }
        self.arm_trackers();
        self.arm_core();
        self.arm_notifier();
        self.arm_links();
    }

    fn arm(&mut self, index: usize) {
        let next = self.instances.get(index).and_then(Instance::next_deadline);
        self.deadlines.set(Owner::Instance(index), next);
    }

    fn arm_pacer(&mut self, now: Instant) {
        if self.pacer.is_unused() {
            return;
        }
        let next = self.pacer.next(now).map(|at| (at, Timer::Announce));
        self.deadlines.set(Owner::Pacer, next);
    }

    /// Lets one instance handle something, with everything it may look at.
    fn at(&mut self, index: usize, now: Instant, handle: impl FnOnce(&mut Instance, &mut Context<'_>)) {
        let Some(before) = self.instances.get(index).map(group::Shown::of) else {
            return;
        };
        self.at_alone(index, now, handle);
        if !self.groups.is_empty() {
            self.follow(index, before, now);
        }
    }

    /// The same, and the other members of its group do not follow.
    fn at_alone(&mut self, index: usize, now: Instant, handle: impl FnOnce(&mut Instance, &mut Context<'_>)) {
        let others = if self.groups.is_empty() {
            group::Others::default()
        } else {
            self.others(index)
        };
        let Some(instance) = self.instances.get_mut(index) else {
            return;
        };
        let mut ctx = Context {
            now,
            world: &self.world,
            trackers: &self.trackers,
            out: &mut self.actions,
            pacer: &mut self.pacer,
            pacing: Pacing {
                arp: self.model.global.garp_interval,
                na: self.model.global.gna_interval,
            },
            next_ticket: &mut self.next_ticket,
            wall: self.wall.map(|(told, wall)| wall + now.since(told)),
            others,
            not_before: self.delayed_until.map_or(now, |until| until.max(now)),
            mutation: self.mutation,
        };
        handle(instance, &mut ctx);
        instance.look_at_problems(&mut ctx);
        self.note_change(index);
        self.arm(index);
        self.arm_pacer(now);
    }

    fn one(&mut self, id: InstanceId, now: Instant, handle: impl FnOnce(&mut Instance, &mut Context<'_>)) {
        if let Some(index) = self.by_id.get(&id).copied() {
            self.at(index, now, handle);
        }
    }

    /// Like `one`, if the wish is still the instance's newest.
    fn one_wish(
        &mut self,
        id: InstanceId,
        ticket: Ticket,
        now: Instant,
        handle: impl FnOnce(&mut Instance, &mut Context<'_>),
    ) {
        self.one(id, now, |instance, ctx| {
            if instance.wish_is(ticket) {
                handle(instance, ctx);
            }
        });
    }

    fn each(&mut self, now: Instant, mut handle: impl FnMut(&mut Instance, &mut Context<'_>)) {
        for index in 0..self.instances.len() {
            self.at(index, now, &mut handle);
        }
    }

    fn each_of(&mut self, ids: &[usize], now: Instant, mut handle: impl FnMut(&mut Instance, &mut Context<'_>)) {
        for index in ids {
            self.at(*index, now, &mut handle);
        }
    }

    fn start(&mut self, now: Instant) {
        if self.life != Life::New {
            return;
        }
        self.life = Life::Running;
        self.tell_waiting_statics(&Model::default());
        self.wish_statics();
        self.sync_sockets();
        self.links.start(now);
        self.arm_links();
        self.begin_delay(now);
        self.look_at_members(now);
        self.begin_groups();
        for index in 0..self.instances.len() {
            self.at_alone(index, now, Instance::start);
        }
        self.settle_groups();
        self.start_trackers(now);
    }

    fn on_address_added(&mut self, added: LinkAddress, now: Instant) {
        if !self.world.add_address(added) {
            return;
        }
        let address = added.address;
        self.log_address(added, InterfaceLine::AddressAssigned { address });
        // It is the last of its link, so it changes nothing for those who have a source already.
        let matters = self
            .instances
            .iter()
            .any(|i| i.source.is_none() && i.could_send_from(address));
        if matters {
            self.world_changed(now);
        }
    }

    fn on_address_gone(&mut self, gone: LinkAddress, now: Instant) {
        if !self.world.remove_address(gone) {
            return;
        }
        let address = gone.address;
        if self.virtuals.contains(&address) {
            let interface = self.world.name_of(gone.index).cloned();
            for index in 0..self.instances.len() {
                if self
                    .instances
                    .get(index)
                    .is_some_and(|i| i.is_master() && i.has_address(address))
                {
                    self.at(index, now, |i, ctx| {
                        i.on_address_vanished(address, interface.as_ref(), ctx)
                    });
                }
            }
        }
        self.log_address(gone, InterfaceLine::AddressDeassigned { address });
        if self.instances.iter().any(|i| i.source == Some(address)) {
            self.world_changed(now);
        }
    }

    /// Our own comings and goings of virtual addresses are told elsewhere.
    fn log_address(&mut self, on: LinkAddress, line: InterfaceLine) {
        if self.virtuals.contains(&on.address) || self.is_static(on.address) {
            return;
        }
        if let Some(name) = self.world.name_of(on.index).cloned() {
            self.log_interface(name, line);
        }
    }

    /// A claim with the hardware address of one of our own links is our own frame.
    fn on_neighbour_claim(&mut self, index: IfIndex, address: IpAddr, mac: MacAddr, now: Instant) {
        let Some(interface) = self.world.name_of(index).cloned() else {
            return;
        };
        if !self.world.has_mac(mac) {
            self.each(now, |instance, ctx| {
                instance.on_neighbour_claim(&interface, address, mac, ctx);
            });
        }
    }

    fn world_changed(&mut self, now: Instant) {
        if self.life == Life::Running {
            self.sync_sockets();
            self.each(now, Instance::reconsider);
        }
    }

    /// Only of interfaces that somebody uses, and not while the host is told for the first time.
    fn log_interface(&mut self, name: IfName, line: InterfaceLine) {
        let used = self.instances.iter().any(|instance| instance.uses(&name)) || self.has_statics_on(&name);
        if self.life != Life::New && used {
            self.actions.push_back(Action::Log(LogEvent::Interface { name, line }));
        }
    }

    /// `keep`: what is on the interfaces stays there.
    fn shutdown(&mut self, keep: bool, now: Instant) {
        match self.life {
            Life::Stopping | Life::Stopped => return,
            Life::New => {
                self.life = Life::Stopping;
                self.stopped();
                return;
            }
            Life::Running => self.life = Life::Stopping,
        }
        self.stop_trackers();
        self.drop_queues();
        if !keep {
            self.each(now, |instance, ctx| instance.stop(Reason::Shutdown, ctx));
        }
        self.clear_statics();
        self.stop_deadline = Some(now + STOP_LIMIT);
        self.index();
        self.finish_stop(now);
    }

    /// An instance that left with a reload has nothing more on the interfaces: its last news are told.
    fn leave(&mut self, id: InstanceId, ticket: Ticket) {
        let is_gone = |old: &Instance| old.id == id && old.wish_is(ticket);
        for old in self.leaving.iter_mut().filter(|old| is_gone(old)) {
            old.tell_all(&mut self.actions);
        }
        self.leaving.retain(|old| !is_gone(old));
    }

    fn finish_stop(&mut self, now: Instant) {
        let instances = self.instances.iter().any(Instance::is_clearing) || !self.leaving.is_empty();
        let waiting = instances || self.statics.is_clearing;
        if self.life == Life::Stopping && !waiting && !self.notifier.has_said_farewell {
            self.say_farewell(false, now);
        }
    }

    /// What a stop waits for has not come in time.
    fn stop_overdue(&mut self, now: Instant) {
        self.stop_deadline = None;
        self.deadlines.set(Owner::Core, None);
        if self.notifier.has_said_farewell {
            self.cut_farewell_short();
            self.stopped();
        } else {
            self.say_farewell(true, now);
        }
    }

    fn stopped(&mut self) {
        if self.life != Life::Stopping {
            return;
        }
        self.life = Life::Stopped;
        self.stop_deadline = None;
        self.sockets.close_all(&mut self.actions);
        self.actions.push_back(Action::Stopped);
        self.deadlines.clear();
    }
}
