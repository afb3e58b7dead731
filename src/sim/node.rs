//! One node: a core, a fake kernel that holds its addresses, and a service that its check script looks at.

use super::Planted;
use super::network::LINK;
use crate::model::{Instance, Instant, Micros, Model, Priority, Ticket, Weight};
use crate::proto::{Core, Event, Link, LinkAddress, StateName};
use std::collections::VecDeque;
use std::net::IpAddr;

/// A node of the cluster.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) model: Model,
    pub(super) address: IpAddr,
    pub(super) core: Option<Core>,
    /// Counts the lives of the daemon; what belongs to a former one is thrown away.
    pub(super) life: u64,
    pub(super) paused: bool,
    pub(super) link_up: bool,
    /// What came while the process did not run, with the time of arrival.
    pub(super) inbox: VecDeque<(Instant, Event<'static>)>,
    /// Whether the virtual addresses are on the interface.
    pub(super) has_vips: bool,
    /// The newest wish.
    pub(super) ticket: Ticket,
    /// Time that the fake kernel takes.
    pub(super) kernel_delay: Micros,
    /// Whether the service that the script checks is well.
    pub(super) service: bool,
    pub(super) since_service: Instant,
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
    pub(super) vips_without_master: Option<Instant>,
}

impl Node {
    pub(super) fn new(model: Model, address: IpAddr) -> Self {
        Self {
            model,
            address,
            core: None,
            life: 0,
            paused: false,
            link_up: true,
            inbox: VecDeque::new(),
            has_vips: false,
            ticket: Ticket(0),
            kernel_delay: Micros::MILLISECOND,
            service: true,
            since_service: Instant(0),
            seen: Seen::default(),
        }
    }

    pub(super) fn config(&self) -> Option<&Instance> {
        self.model.instances.first()
    }

    pub(super) fn boot(&mut self, planted: Planted, now: Instant) {
        let mut core = planted.into(Core::new(self.model.clone(), 0, now));
        core.handle(self.link(), now);
        let address = LinkAddress {
            index: LINK,
            address: self.address,
            prefix_len: 24,
        };
        core.handle(Event::AddressAdded(address), now);
        core.handle(Event::Start, now);
        self.core = Some(core);
        self.life += 1;
        self.paused = false;
        self.ticket = Ticket(0);
        self.inbox.clear();
        self.seen = Seen::default();
    }

    pub(super) fn link(&self) -> Event<'static> {
        Event::Link(Link {
            index: LINK,
            name: interface(),
            running: self.link_up,
            mac: Some(crate::model::MacAddr([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            loopback: false,
            no_arp: false,
            multicast: true,
        })
    }

    pub(super) const fn runs(&self) -> bool {
        self.core.is_some() && !self.paused
    }

    pub(super) fn state(&self, now: Instant) -> Option<StateName> {
        let snapshot = self.core.as_ref()?.snapshot(now);
        snapshot.instances.first().map(|instance| instance.state)
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
