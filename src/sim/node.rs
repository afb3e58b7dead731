//! One node: a core and the reference model beside it, a fake kernel that holds its addresses, and a service that its check
//! script looks at.

use super::Planted;
use super::draw::other_link;
use super::network::{LINK, OTHER_LINK, Sent};
use super::observe::everything;
use super::reference::{Deed, Desk, Errand, Host};
use crate::model::{
    IfIndex, IfName, Instance, InstanceId, Instant, MacAddr, Micros, Model, Priority, RunId, Ticket, Weight,
};
use crate::proto::{
    AddressWish, Core, Event, Link, LinkAddress, Reason, RunOutcome, SocketSpec, State, StateName, Transmit,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// A node of the cluster.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) model: Model,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) core: Option<Core>,
    /// Judges every step of the core.
    pub(super) reference: Option<Host>,
    /// Counts the lives of the daemon; what belongs to a former one is thrown away.
    pub(super) life: u64,
    /// Since when the process does not run, in world time.
    pub(super) paused: Option<Instant>,
    /// Whether the whole machine sleeps: nothing is received, and its monotonic clock stands still.
    pub(super) suspended: bool,
    /// How far its monotonic clock is behind the world's.
    lag: Micros,
    /// How far its wall clock has been stepped forward.
    pub(super) stepped: Micros,
    pub(super) link_up: bool,
    /// Another link, if there is one.
    pub(super) other_link_up: Option<bool>,
    /// Whether its own address is on the link.
    pub(super) has_address: bool,
    /// The sockets that it wants, and whether they are open.
    pub(super) sockets: Vec<SocketSpec>,
    pub(super) sockets_open: bool,
    /// What came while the process did not run, with the kernel's stamp by the wall clock.
    pub(super) inbox: VecDeque<(Micros, Input)>,
    /// Time that the fake kernel takes.
    pub(super) kernel_delay: Micros,
    /// Whether the service that the script checks is well.
    pub(super) service: bool,
    pub(super) since_service: Instant,
    /// What the tracked file holds.
    pub(super) number: i32,
    /// How many of the tracked processes run.
    pub(super) running: u32,
    /// How the script ends while the service is not well.
    pub(super) failure: RunOutcome,
    /// The script does not end by itself; whether it has to be killed.
    pub(super) hangs: Option<bool>,
    /// Runs of scripts.
    pub(super) checks: BTreeMap<RunId, usize>,
    /// What it has told of causes.
    pub(super) told: Told,
    /// Which instances are out of service: until when by its own clock, and whether by force.
    drains: BTreeMap<usize, (Option<Instant>, bool)>,
    /// Releases sent in this life.
    pub(super) releases: u64,
    /// What the checkers know of each instance.
    pub(super) seats: Vec<Seat>,
    /// Instances that a reload has replaced.
    pub(super) former: BTreeMap<InstanceId, usize>,
    /// Judges the order of notify programs.
    pub(super) desk: Desk,
    /// What the core has done in this step, for the reference.
    pub(super) done: Vec<(usize, Deed, Arc<[u8]>)>,
    pub(super) errands: Vec<Errand>,
    /// The static addresses that its kernel has.
    pub(super) statics: Option<AddressWish>,
}

/// What a node has told of causes.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Problems, in the order in which they came up (`true`) and went.
    pub(super) problems: Vec<(bool, String)>,
    /// The reason of the last transition of each instance, as the log had it.
    pub(super) logged: BTreeMap<Arc<str>, (StateName, Reason)>,
    /// The reason of each transition that its programs have not been told yet, by name and number.
    pub(super) untold: BTreeMap<(Arc<str>, u64), Reason>,
}

/// What comes to a node.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// An advert.
    Packet(Rc<Sent>),
    /// Something else.
    Event(Box<Event<'static>>),
}

/// What a daemon that died has left.
pub(super) type Legacy = (State, Host);

/// What the checkers remember of one instance of a node.
#[derive(Debug, Default)]
pub(super) struct Seat {
    pub(super) state: Option<StateName>,
    pub(super) master_since: Option<Instant>,
    /// Announcements of the last minute as master.
    pub(super) announced: VecDeque<Instant>,
    /// All of them.
    pub(super) announcements: usize,
    pub(super) advert_at: Option<Instant>,
    pub(super) advertised: Option<Priority>,
    /// The last advert sent that is no release.
    pub(super) sent: Option<Transmit>,
    /// The newest wish for addresses, and its name.
    pub(super) wish: Option<AddressWish>,
    pub(super) ticket: Option<Ticket>,
    /// When the fake kernel has carried it out.
    pub(super) due: Instant,
    /// Whether the virtual addresses are on the interface.
    pub(super) held: bool,
    pub(super) vips_without_master: Option<Instant>,
}

impl Node {
    pub(super) fn new(model: Model, addresses: Vec<IpAddr>) -> Self {
        let number = well(&model);
        let running = model.processes.first().map_or(0, |process| process.quorum);
        Self {
            seats: model.instances.iter().map(|_| Seat::default()).collect(),
            model,
            addresses,
            core: None,
            reference: None,
            life: 0,
            paused: None,
            suspended: false,
            lag: Micros::ZERO,
            // Steps go both ways from here.
            stepped: Micros::from_secs(1_700_000_000),
            link_up: true,
            other_link_up: None,
            has_address: true,
            sockets: Vec::new(),
            sockets_open: true,
            inbox: VecDeque::new(),
            kernel_delay: Micros::MILLISECOND,
            service: true,
            since_service: Instant(0),
            number,
            running,
            failure: RunOutcome::Exited(1),
            hangs: None,
            checks: BTreeMap::new(),
            told: Told::default(),
            drains: BTreeMap::new(),
            releases: 0,
            former: BTreeMap::new(),
            desk: Desk::default(),
            done: Vec::new(),
            errands: Vec::new(),
            statics: None,
        }
    }

    pub(super) fn config(&self) -> Option<&Instance> {
        self.model.instances.first()
    }

    /// What is known of its first instance.
    pub(super) fn seen(&self) -> &Seat {
        #[expect(clippy::indexing_slicing, reason = "every model of a simulation has an instance")]
        &self.seats[0]
    }

    /// The instance that an action is about, by position.
    pub(super) fn seat_of(&self, instance: InstanceId) -> Option<usize> {
        let now = self.core.as_ref().and_then(|core| core.position(instance));
        now.or_else(|| self.former.get(&instance).copied())
    }

    /// Its monotonic clock.
    pub(super) fn clock(&self, world: Instant) -> Instant {
        world.before(self.lag)
    }

    /// Its wall clock.
    pub(super) fn wall(&self, world: Instant) -> Micros {
        Micros(world.0) + self.stepped
    }

    /// When it wants to be woken, in world time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (at, _) = self.core.as_ref().filter(|_| self.runs())?.next_deadline()?;
        Some(at + self.lag)
    }

    /// The machine wakes after this time.
    pub(super) fn resume(&mut self, slept: Micros) {
        self.suspended = false;
        self.lag = self.lag + slept;
    }

    /// What a daemon leaves for its successor, and what the reference knew then.
    pub(super) fn export(&self, world: Instant) -> Option<Legacy> {
        let state = self.core.as_ref()?.export(self.clock(world));
        Some((state, self.reference.clone()?))
    }

    /// Starts the daemon.
    pub(super) fn boot(&mut self, planted: Planted, legacy: Option<&Legacy>, world: Instant) {
        let now = self.clock(world);
        let (core, reference) = match legacy {
            Some((state, former)) => (
                Core::import(self.model.clone(), state, now),
                former.successor(&self.model, now),
            ),
            None => (Core::new(self.model.clone(), 0, now), Host::new(&self.model, now)),
        };
        self.core = Some(planted.into(core));
        self.reference = Some(reference);
        if legacy.is_none() {
            self.drains.clear();
        }
        self.life += 1;
        self.paused = None;
        self.sockets.clear();
        self.sockets_open = true;
        self.inbox.clear();
        self.releases = 0;
        self.told = Told::default();
        self.former.clear();
        let global = &self.model.global;
        self.desk = Desk::new(global.notify_order_timeout, global.notify_parallel);
        self.checks.clear();
        self.done.clear();
        self.errands.clear();
        for seat in &mut self.seats {
            *seat = Seat {
                held: seat.held,
                ..Seat::default()
            };
        }
        self.handle(&Event::WallClock(self.wall(world)), now);
        for event in self.surroundings() {
            self.handle(&event, now);
        }
        self.handle(&Event::Start, now);
    }

    /// All that a daemon is told of its host: links, addresses, files, processes.
    pub(super) fn surroundings(&self) -> Vec<Event<'static>> {
        let mut events = vec![self.link()];
        events.extend(self.other_link_up.map(|_| self.other_link()));
        let addresses = self.addresses.iter().filter(|_| self.has_address);
        events.extend(addresses.map(|address| Event::AddressAdded(on_link(*address))));
        events.extend(everything(&self.model, |_| self.number, |_| self.running));
        events
    }

    /// Gives an event to the core and to the reference.
    pub(super) fn handle(&mut self, event: &Event<'static>, now: Instant) {
        let of = self.subject(event);
        self.note_drain(event, now);
        if let Event::ScriptEnded { run, .. } = event {
            self.checks.remove(run);
            self.desk.ended(*run, now);
        }
        if matches!(event, Event::Shutdown | Event::Leave) {
            self.desk.close();
        }
        if let Some(reference) = &mut self.reference {
            reference.take(event, false, of, now);
        }
        if let Some(core) = &mut self.core {
            core.handle(event.clone(), now);
        }
    }

    /// Whose addresses, or which script, by position.
    fn subject(&self, event: &Event<'static>) -> Option<usize> {
        if let Event::AddressStolen { instance, .. } | Event::AddressesPresent { instance, .. } = event {
            return self.seat_of(*instance);
        }
        if let Event::ScriptEnded { run, .. } = event {
            return self.checks.get(run).copied();
        }
        None
    }

    fn note_drain(&mut self, event: &Event<'static>, now: Instant) {
        let (Event::Drain { name, .. } | Event::Resume { name }) = event else {
            return;
        };
        for (at, config) in self.model.instances.iter().enumerate() {
            // A group is drained as a whole, and in a simulation all instances are in it.
            let meant = name.as_ref().is_none_or(|name| *name == config.name) || config.sync_group.is_some();
            if let Event::Drain { length, force, .. } = event {
                if meant {
                    self.drains.insert(at, (length.map(|length| now + length), *force));
                }
            } else if meant {
                self.drains.remove(&at);
            }
        }
    }

    /// Drains whose time is over have ended.
    pub(super) fn end_drains(&mut self, now: Instant) {
        self.drains
            .retain(|_, (until, _)| until.is_none_or(|until| until > now));
    }

    /// Compares what the core has done and become with what the reference says.
    pub(super) fn judge(&mut self) -> Option<String> {
        let (core, reference) = (self.core.as_ref()?, self.reference.as_mut()?);
        let verdict = reference.compare(|at| core.brief(at), &mut self.done, &self.errands);
        self.done.clear();
        self.errands.clear();
        verdict
    }

    pub(super) fn link(&self) -> Event<'static> {
        Event::Link(self.describe(LINK, interface(), self.link_up))
    }

    pub(super) fn other_link(&self) -> Event<'static> {
        Event::Link(self.describe(OTHER_LINK, other_link(), self.other_link_up == Some(true)))
    }

    fn describe(&self, index: IfIndex, name: IfName, running: bool) -> Link {
        Link {
            index,
            name,
            running,
            mac: Some(self.mac()),
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0,
        }
    }

    /// Its hardware address.
    pub(super) fn mac(&self) -> MacAddr {
        let number = match self.addresses.first() {
            Some(IpAddr::V4(v4)) => v4.octets()[3],
            Some(IpAddr::V6(v6)) => v6.octets()[15],
            None => 0,
        };
        MacAddr([2, 0, 0, 0, 0, number])
    }

    pub(super) const fn runs(&self) -> bool {
        self.core.is_some() && self.paused.is_none()
    }

    /// Whether any virtual address is on the interface.
    pub(super) fn has_vips(&self) -> bool {
        self.seats.iter().any(|seat| seat.held)
    }

    pub(super) fn is_master(&self) -> bool {
        self.is_master_of(0)
    }

    /// Whether it is master of the virtual router at this position.
    pub(super) fn is_master_of(&self, router: usize) -> bool {
        let seat = self.seats.get(router);
        self.core.is_some() && seat.is_some_and(|seat| seat.state == Some(StateName::Master))
    }

    /// The priority that the instance should have by the configuration and the node's health: the plain sum, without the
    /// core's arithmetic. `None` when it cannot be master at all.
    pub(super) fn reference_priority(&self, router: usize) -> Option<i32> {
        let config = self.model.instances.get(router)?;
        let group = config
            .sync_group
            .and_then(|id| self.model.groups.get(usize::try_from(id.0).ok()?));
        let fault = |config: &Instance| self.fault_by_trackers(config, group);
        let faulty = match group {
            Some(_) => self.model.instances.iter().any(fault),
            None => fault(config),
        };
        if !self.link_up || !self.has_address || !self.sockets_open || faulty {
            return None;
        }
        if let Some((_, force)) = self.drains.get(&router) {
            return (!force).then_some(1);
        }
        let base = i32::from(config.priority.get());
        if config.is_owner() {
            return Some(255);
        }
        let weights = self.weights(config, group);
        let sum: i32 = weights.into_iter().map(|(weight, up)| adds(weight, up)).sum();
        let files = self.files(config, group);
        Some((base + sum + files.into_iter().flatten().sum::<i32>()).clamp(1, 254))
    }

    /// What an instance tracks by itself and by its group, and whether it is up. An owner has no weights.
    fn weights(&self, config: &Instance, group: Option<&crate::model::SyncGroup>) -> Vec<(Weight, bool)> {
        let scripts = config
            .track_scripts
            .iter()
            .chain(group.into_iter().flat_map(|g| &g.track_scripts));
        let links = config.track_interfaces.iter();
        let links = links.chain(group.into_iter().flat_map(|g| &g.track_interfaces));
        // What is on it makes it a fault, whatever its weight is.
        let followed = self
            .model
            .static_addresses
            .iter()
            .any(|fixed| fixed.track_group.is_some());
        let links = links.map(|track| if followed { Weight::ZERO } else { track.weight });
        let links = links.map(|weight| (weight, self.other_link_up != Some(false)));
        let processes = config.track_processes.iter();
        let processes = processes.chain(group.into_iter().flat_map(|g| &g.track_processes));
        let processes = processes.map(|track| (track.weight, self.has_quorum()));
        let all = scripts.map(|track| (track.weight, self.service));
        let all = all.chain(links).chain(processes);
        let owner = config.is_owner();
        let counts = |weight: Weight| {
            if owner && !weight.is_fault() {
                Weight::ZERO
            } else {
                weight
            }
        };
        all.map(|(weight, up)| (counts(weight), up)).collect()
    }

    fn fault_by_trackers(&self, config: &Instance, group: Option<&crate::model::SyncGroup>) -> bool {
        let weights = self.weights(config, group);
        let files = self.files(config, group);
        let bad = |(weight, up): (Weight, bool)| weight.value() == 0 && up == weight.is_reverse();
        weights.into_iter().any(bad) || files.contains(&None)
    }

    fn has_quorum(&self) -> bool {
        self.model.processes.first().is_none_or(|process| {
            self.running >= process.quorum && process.quorum_max.is_none_or(|most| self.running <= most)
        })
    }

    /// What the tracked file adds; `None`: a fault.
    fn files(&self, config: &Instance, group: Option<&crate::model::SyncGroup>) -> Vec<Option<i32>> {
        let all = config
            .track_files
            .iter()
            .chain(group.into_iter().flat_map(|group| &group.track_files));
        let effect = |weight: Weight| {
            let sign = if weight.is_reverse() { -1 } else { 1 };
            match (weight.value(), self.number, weight.is_reverse()) {
                (0, 0, reverse) => (!reverse).then_some(0),
                (0, _, reverse) => reverse.then_some(0),
                (value, number, _) => {
                    Some((number * i32::from(value) * sign).clamp(-254, 253)).filter(|adds| *adds > -254)
                }
            }
        };
        all.map(|track| effect(track.weight)).collect()
    }

    /// How long it takes to notice what its trackers watch: its script, changes of processes and links that have to last.
    pub(super) fn notice_time(&self) -> Micros {
        let script = self.model.scripts.first();
        let script = script.map_or(Micros::ZERO, |script| {
            script.interval.times(u64::from(script.rise.max(script.fall)) + 1)
        });
        let processes = self.model.processes.iter();
        let processes = processes.map(|process| process.fork_delay.max(process.terminate_delay));
        let links = self.model.global.interface_delays.iter();
        let links = links.map(|of| of.down.max(of.up));
        let polls = Micros::from_secs(u64::from(!self.model.global.linkbeat_interfaces.is_empty()));
        script + processes.max().unwrap_or(Micros::ZERO) + links.max().unwrap_or(Micros::ZERO) + polls
    }

    /// How long after its start it neither speaks nor listens.
    pub(super) fn start_delay(&self) -> Micros {
        let global = &self.model.global;
        global.startup_delay.max(global.delay_after_boot)
    }
}

/// What the tracked file holds when all is well: 0, or 1 where 0 is a fault.
pub(super) fn well(model: &Model) -> i32 {
    let turned = |file: &crate::model::TrackedFile| file.weight.is_fault() && file.weight.is_reverse();
    i32::from(model.files.iter().any(turned))
}

/// Whether the other link is up when all is well: not where up is a fault.
pub(super) fn well_link(model: &Model) -> bool {
    let groups = model.groups.iter().flat_map(|group| &group.track_interfaces);
    let own = model.instances.iter().flat_map(|config| &config.track_interfaces);
    !own.chain(groups)
        .any(|track| track.weight.is_fault() && track.weight.is_reverse())
}

/// behaviour §4.
fn adds(weight: Weight, up: bool) -> i32 {
    let value = i32::from(weight.value());
    let counts = if value > 0 { up } else { !up };
    match (counts, weight.is_reverse()) {
        (false, _) => 0,
        (true, false) => value,
        (true, true) => -value,
    }
}

/// An address on the link of every node.
pub(super) const fn on_link(address: IpAddr) -> LinkAddress {
    LinkAddress {
        index: LINK,
        address,
        prefix_len: 24,
    }
}

/// The name of every node's link.
pub(super) fn interface() -> IfName {
    // A constant of four letters is a name.
    "eth0"
        .parse()
        .unwrap_or_else(|_| unreachable!("eth0 is an interface name"))
}

/// A weight, 0 if it is out of range.
pub(super) fn weight(value: i16) -> Weight {
    Weight::new(value, false).unwrap_or(Weight::ZERO)
}
