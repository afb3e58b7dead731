//! One node: a core, a fake kernel that holds its addresses, and a service that its check script looks at.

use super::Planted;
use super::network::LINK;
use super::observe::all_well;
use crate::model::{Instance, InstanceId, Instant, MacAddr, Micros, Model, Priority, Ticket, Weight};
use crate::proto::{AddressWish, Core, Event, Link, LinkAddress, Reason, RunOutcome, State, StateName, Transmit};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// A node of the cluster.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) model: Model,
    pub(super) address: IpAddr,
    pub(super) core: Option<Core>,
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
    /// What came while the process did not run, with the kernel's stamp by the wall clock.
    pub(super) inbox: VecDeque<(Micros, Event<'static>)>,
    /// Instances whose virtual addresses are on the interface.
    pub(super) held: BTreeSet<InstanceId>,
    /// The newest wish of each instance.
    pub(super) tickets: BTreeMap<InstanceId, Ticket>,
    /// Time that the fake kernel takes.
    pub(super) kernel_delay: Micros,
    /// Whether the service that the script checks is well.
    pub(super) service: bool,
    pub(super) since_service: Instant,
    /// How the script ends while the service is not well.
    pub(super) failure: RunOutcome,
    pub(super) seen: Seen,
}

/// What the checkers remember of a node.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) state: Option<StateName>,
    pub(super) master_since: Option<Instant>,
    pub(super) announced: Vec<Instant>,
    pub(super) advert_at: Option<Instant>,
    pub(super) advertised: Option<Priority>,
    pub(super) releases: u64,
    /// The last advert sent that is no release.
    pub(super) sent: Option<Transmit>,
    /// The newest wish for addresses.
    pub(super) wish: Option<AddressWish>,
    pub(super) vips_without_master: Option<Instant>,
    /// Problems, in the order in which they came up (`true`) and went.
    pub(super) problems: Vec<(bool, String)>,
    /// The reason of the last transition of each instance, as the log had it.
    pub(super) logged: BTreeMap<Arc<str>, (StateName, Reason)>,
    /// The reason of each transition that its programs have not been told yet, by name and number.
    pub(super) untold: BTreeMap<(Arc<str>, u64), Reason>,
}

impl Node {
    pub(super) fn new(model: Model, address: IpAddr) -> Self {
        Self {
            model,
            address,
            core: None,
            life: 0,
            paused: None,
            suspended: false,
            lag: Micros::ZERO,
            // Steps go both ways from here.
            stepped: Micros::from_secs(1_700_000_000),
            link_up: true,
            inbox: VecDeque::new(),
            held: BTreeSet::new(),
            tickets: BTreeMap::new(),
            kernel_delay: Micros::MILLISECOND,
            service: true,
            since_service: Instant(0),
            failure: RunOutcome::Exited(1),
            seen: Seen::default(),
        }
    }

    pub(super) fn config(&self) -> Option<&Instance> {
        self.model.instances.first()
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

    /// Starts the daemon; `state` is what a former one left for its successor.
    pub(super) fn boot(&mut self, planted: Planted, state: Option<&State>, world: Instant) {
        let now = self.clock(world);
        let core = match state {
            Some(state) => Core::import(self.model.clone(), state, now),
            None => Core::new(self.model.clone(), 0, now),
        };
        let mut core = planted.into(core);
        core.handle(Event::WallClock(self.wall(world)), now);
        core.handle(self.link(), now);
        let address = LinkAddress {
            index: LINK,
            address: self.address,
            prefix_len: 24,
        };
        core.handle(Event::AddressAdded(address), now);
        for observed in all_well(&self.model) {
            core.handle(observed, now);
        }
        core.handle(Event::Start, now);
        self.core = Some(core);
        self.life += 1;
        self.paused = None;
        self.tickets.clear();
        self.inbox.clear();
        self.seen = Seen::default();
    }

    pub(super) fn link(&self) -> Event<'static> {
        Event::Link(Link {
            index: LINK,
            name: interface(),
            running: self.link_up,
            mac: Some(self.mac()),
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
            flags: 0,
        })
    }

    /// Its hardware address.
    pub(super) const fn mac(&self) -> MacAddr {
        let number = match self.address {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        };
        MacAddr([2, 0, 0, 0, 0, number])
    }

    pub(super) const fn runs(&self) -> bool {
        self.core.is_some() && self.paused.is_none()
    }

    /// Whether any virtual address is on the interface.
    pub(super) fn has_vips(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn state(&self) -> Option<StateName> {
        self.core.as_ref()?.state(0)
    }

    pub(super) fn is_master(&self) -> bool {
        self.core.is_some() && self.seen.state == Some(StateName::Master)
    }

    /// The priority that it should have by the configuration and its service: the plain sum, without the core's arithmetic.
    /// `None` when it cannot be master at all.
    pub(super) fn reference_priority(&self) -> Option<i32> {
        if !self.link_up {
            return None;
        }
        let config = self.config()?;
        let base = i32::from(config.priority.get());
        let Some(track) = config.track_scripts.first() else {
            return Some(base);
        };
        match (track.weight.value(), self.service) {
            (0, false) => None,
            (weight, true) if weight > 0 => Some((base + i32::from(weight)).min(254)),
            (weight, false) if weight < 0 => Some((base + i32::from(weight)).max(1)),
            (_, _) => Some(base),
        }
    }

    /// How long its script needs to notice that the service has changed.
    pub(super) fn notice_time(&self) -> Micros {
        let Some(script) = self.model.scripts.first() else {
            return Micros::ZERO;
        };
        script.interval.times(u64::from(script.rise.max(script.fall)) + 1)
    }
}

/// The name of every node's link.
pub(super) fn interface() -> crate::model::IfName {
    // A constant of four letters is a name.
    "eth0"
        .parse()
        .unwrap_or_else(|_| unreachable!("eth0 is an interface name"))
}

/// A weight, 0 if it is out of range.
pub(super) fn weight(value: i16) -> Weight {
    Weight::new(value, false).unwrap_or(Weight::ZERO)
}
