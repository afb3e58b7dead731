//! The addresses of `static_ipaddress`: wished for from the start to the stop, whatever state the instances are in.
//!
//! One wish holds all of them whose interfaces exist, so that one whose interface is missing waits for it. One that somebody
//! deletes, or that the kernel takes away with an interface that goes down, is set again at once unless it says `no_track`
//! (behaviour §8.4); what could not be set is tried again with the next news of its interface.

use super::action::AddressWish;
use super::event::{Culprit, Event, LinkAddress};
use super::happening::Happening;
use super::log_event::{LogEvent, StaticLine};
use super::mutant::Mutant;
use super::snapshot::{Problem, Severity, VipSnapshot};
use super::{Action, Core, Life};
use crate::model::{IfName, InstanceId, Instant, Model, StaticAddress, Ticket, VirtualAddress};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The kernel's number for a link that is gone (ENODEV).
const NO_SUCH_DEVICE: i32 = 19;
/// Addresses that a problem names.
const NAMED: usize = 3;

/// What is known of the static addresses.
#[derive(Debug, Clone)]
pub(super) struct Statics {
    /// The model that the rest is about.
    model: Arc<Model>,
    /// Of each address of the model, in its order.
    standings: Vec<Standing>,
    /// The newest wish, and the positions in the model of its addresses.
    addresses: Arc<[VirtualAddress]>,
    wished: Vec<usize>,
    ticket: Ticket,
    /// The removal at the stop has not been confirmed yet.
    pub(super) is_clearing: bool,
}

/// Where one address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its interface does not exist.
    Waits,
    /// It is being set.
    Asked,
    /// It is there.
    Present,
    /// The kernel refused it with this error number.
    Refused(i32),
    /// Somebody deleted it, and that does not matter (`no_track`): it comes back with its interface or the next start.
    Left,
}

impl Statics {
    pub(super) fn new() -> Self {
        Self {
            model: Arc::default(),
            standings: Vec::new(),
            addresses: Arc::from([]),
            wished: Vec::new(),
            ticket: Ticket(0),
            is_clearing: false,
        }
    }

    fn wish(&self, ticket: Ticket) -> AddressWish {
        AddressWish {
            instance: InstanceId::STATIC,
            ticket,
            addresses: Arc::clone(&self.addresses),
            advertised: 0,
        }
    }

    /// The standing of an address of the newest wish.
    fn standing(&mut self, index: u32) -> Option<&mut Standing> {
        let at = self.wished.get(usize::try_from(index).ok()?)?;
        self.standings.get_mut(*at)
    }
}

impl Event<'_> {
    /// Whether it is an answer to a wish for static addresses.
    pub(super) const fn is_of_statics(&self) -> bool {
        matches!(
            self,
            Self::AddressesPresent {
                instance: InstanceId::STATIC,
                ..
            } | Self::AddressFailed {
                instance: InstanceId::STATIC,
                ..
            } | Self::AddressesGone {
                instance: InstanceId::STATIC,
                ..
            } | Self::AddressStolen {
                instance: InstanceId::STATIC,
                ..
            }
        )
    }
}

impl Core {
    /// What became of a wish for static addresses.
    pub(super) fn on_static(&mut self, event: Event<'_>, now: Instant) {
        if let Event::AddressesPresent {
            ticket, first, count, ..
        } = event
        {
            self.on_statics_present(ticket, first, count);
        } else if let Event::AddressFailed {
            ticket, index, errno, ..
        } = event
        {
            self.on_static_failed(ticket, index, errno, now);
        } else if let Event::AddressesGone { ticket, .. } = event {
            self.on_statics_gone(ticket, now);
        } else if let Event::AddressStolen {
            ticket, index, culprit, ..
        } = event
        {
            self.on_static_stolen(ticket, index, culprit, now);
        }
    }

    /// Whether something of `static_ipaddress` belongs on this interface.
    pub(super) fn has_statics_on(&self, name: &IfName) -> bool {
        let mut all = self.model.static_addresses.iter();
        all.any(|fixed| fixed.address.interface == *name)
    }

    /// Whether this is one of the static addresses that were wished for last.
    pub(super) fn is_static(&self, address: IpAddr) -> bool {
        self.statics.addresses.iter().any(|fixed| fixed.address == address)
    }

    /// The links or the configuration have changed: asks for what is not there. What is there already is left alone.
    pub(super) fn wish_statics(&mut self) {
        if self.life != Life::Running {
            return;
        }
        let old = &self.statics.model.static_addresses;
        let known: BTreeMap<_, usize> = old.iter().map(|old| old.address.object()).zip(0..).collect();
        let before = |address: &VirtualAddress| {
            let at = *known.get(&address.object())?;
            let same = old.get(at)?.address.is_same_object(address);
            self.statics.standings.get(at).copied().filter(|_| same)
        };
        let (mut addresses, mut wished, mut standings) = (Vec::new(), Vec::new(), Vec::new());
        for (position, fixed) in self.model.static_addresses.iter().enumerate() {
            let exists = self.world.link(&fixed.address.interface).is_some();
            let standing = match before(&fixed.address) {
                _ if !exists => Standing::Waits,
                Some(known @ (Standing::Present | Standing::Left)) => known,
                Some(Standing::Waits | Standing::Asked | Standing::Refused(_)) | None => Standing::Asked,
            };
            standings.push(standing);
            // For one that is left away there is no new wish: news that are on their way belong to the old one.
            let left = standing == Standing::Left && self.statics.addresses.contains(&fixed.address);
            if left || matches!(standing, Standing::Asked | Standing::Present) {
                addresses.push(fixed.address.clone());
                wished.push(position);
            }
        }
        let complete = !standings.contains(&Standing::Asked);
        let same = *self.statics.addresses == *addresses;
        self.statics.standings = standings;
        self.statics.wished = wished;
        self.statics.model = Arc::clone(&self.model);
        self.expect_statics();
        if !(same && complete) {
            let standings = &self.statics.standings;
            self.statics
                .wished
                .retain(|at| standings.get(*at) != Some(&Standing::Left));
            let all = &self.model.static_addresses;
            let wished = self.statics.wished.iter().filter_map(|at| all.get(*at));
            self.statics.addresses = wished.map(|fixed| fixed.address.clone()).collect();
            self.statics.ticket = self.new_ticket();
            let wish = self.statics.wish(self.statics.ticket);
            self.actions.push_back(Action::SetAddresses(wish));
        }
        self.look_at_common_problems();
    }

    /// What is asked for counts as there until the kernel says otherwise: it is set before anything is sent, and an instance
    /// whose only address it is needs no fault at the start. An address that looks for duplicates first is told when it is usable.
    fn expect_statics(&mut self) {
        for (fixed, standing) in self.model.static_addresses.iter().zip(&self.statics.standings) {
            let VirtualAddress {
                address,
                prefix_len,
                interface,
                nodad,
                ..
            } = &fixed.address;
            let at_once = *standing == Standing::Asked && (address.is_ipv4() || *nodad);
            if let Some(index) = self.world.index_of(interface).filter(|_| at_once) {
                let (address, prefix_len) = (*address, *prefix_len);
                self.world.add_address(LinkAddress {
                    index,
                    address,
                    prefix_len,
                });
            }
        }
    }

    /// Says which addresses begin to wait for their interfaces, but those of an older configuration.
    pub(super) fn tell_waiting_statics(&mut self, older: &Model) {
        let all = self.model.static_addresses.iter();
        let waiting: Vec<StaticAddress> = all
            .filter(|fixed| {
                self.world.link(&fixed.address.interface).is_none() && !older.static_addresses.contains(fixed)
            })
            .cloned()
            .collect();
        for fixed in &waiting {
            self.log_static(fixed, StaticLine::Waits);
        }
    }

    /// Says which addresses of an older configuration are no more.
    pub(super) fn tell_leaving_statics(&mut self, older: &Model) {
        let new = Arc::clone(&self.model);
        let stays: BTreeMap<_, _> = new
            .static_addresses
            .iter()
            .map(|fixed| (fixed.address.object(), &fixed.address))
            .collect();
        for fixed in &older.static_addresses {
            let stays = stays.get(&fixed.address.object());
            if !stays.is_some_and(|new| new.is_same_object(&fixed.address)) {
                self.log_static(fixed, StaticLine::Leaves);
            }
        }
    }

    /// Addresses `first .. first + count` of the wish are there.
    fn on_statics_present(&mut self, ticket: Ticket, first: u32, count: u32) {
        if ticket != self.statics.ticket {
            return;
        }
        for index in first..first.saturating_add(count) {
            let Some(standing) = self.statics.standing(index) else {
                break;
            };
            *standing = Standing::Present;
        }
        self.look_at_common_problems();
    }

    /// The kernel refused an address. That its link is gone is told by the link itself.
    fn on_static_failed(&mut self, ticket: Ticket, index: u32, errno: i32, now: Instant) {
        let Some(fixed) = self.static_at(ticket, index).filter(|_| errno != NO_SUCH_DEVICE) else {
            return;
        };
        if let Some(standing) = self.statics.standing(index) {
            *standing = Standing::Refused(errno);
        }
        self.log_static(&fixed, StaticLine::Refused { errno });
        self.forget_static(&fixed.address, now);
        self.look_at_common_problems();
    }

    /// Somebody else, or the kernel, took an address away.
    fn on_static_stolen(&mut self, ticket: Ticket, index: u32, culprit: Culprit, now: Instant) {
        let Some(fixed) = self.static_at(ticket, index).filter(|_| self.life == Life::Running) else {
            return;
        };
        let restored = !fixed.address.no_track;
        if let Some(standing) = self.statics.standing(index) {
            *standing = if restored { Standing::Asked } else { Standing::Left };
        }
        let (address, interface) = (fixed.address.address, fixed.address.interface.clone());
        if !restored {
            return self.forget_static(&fixed.address, now);
        }
        let happened = Happening::StaticRestored {
            address,
            interface,
            culprit: culprit.clone(),
        };
        self.actions.push_back(Action::Happened(happened.into()));
        self.log_static(&fixed, StaticLine::Restored { culprit });
        self.actions.push_back(Action::RestoreAddress {
            instance: InstanceId::STATIC,
            ticket,
            index,
        });
    }

    /// The stop: static addresses go, also where virtual ones are left (`-V`), as with keepalived.
    pub(super) fn clear_statics(&mut self) {
        if self.statics.addresses.is_empty() || self.mutation.is(Mutant::StaticsKept) {
            return;
        }
        self.statics.ticket = self.new_ticket();
        self.statics.is_clearing = true;
        let wish = self.statics.wish(self.statics.ticket);
        self.actions.push_back(Action::ClearAddresses(wish));
    }

    fn on_statics_gone(&mut self, ticket: Ticket, now: Instant) {
        if ticket == self.statics.ticket {
            self.statics.is_clearing = false;
            self.finish_stop(now);
        }
    }

    /// What there is to show of them.
    pub(super) fn static_snapshot(&self) -> Vec<VipSnapshot> {
        let all = self.model.static_addresses.iter().enumerate();
        let one = |(at, fixed): (usize, &StaticAddress)| VipSnapshot {
            address: fixed.address.address,
            prefix_len: fixed.address.prefix_len,
            interface: fixed.address.interface.clone(),
            present: self.statics.standings.get(at) == Some(&Standing::Present),
            excluded: false,
        };
        all.map(one).collect()
    }

    /// What is missing, one problem for an interface and a cause.
    pub(super) fn static_problems(&self) -> Vec<Problem> {
        let mut missing: BTreeMap<(&IfName, i32), Vec<String>> = BTreeMap::new();
        for (fixed, standing) in self.model.static_addresses.iter().zip(&self.statics.standings) {
            let errno = match standing {
                Standing::Waits => 0,
                Standing::Refused(errno) => *errno,
                Standing::Asked | Standing::Present | Standing::Left => continue,
            };
            let of_cause = missing.entry((&fixed.address.interface, errno)).or_default();
            of_cause.push(fixed.address.shown());
        }
        let problem = |((interface, errno), addresses): ((&IfName, i32), Vec<String>)| {
            let named = addresses.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = match addresses.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let why = match errno {
                0 => format!("the interface {interface} does not exist; it is set when it appears"),
                errno => format!("the kernel refused it on {interface} (error {errno}); see the log"),
            };
            Problem {
                severity: Severity::Warning,
                code: "static-address-missing".into(),
                instance: None,
                subject: Some(format!("{interface}{}", if errno == 0 { "" } else { " refused" })),
                text: format!("static address {named}{more} is not there: {why}").into(),
            }
        };
        missing.into_iter().map(problem).collect()
    }

    fn static_at(&self, ticket: Ticket, index: u32) -> Option<StaticAddress> {
        let at = usize::try_from(index).ok().filter(|_| ticket == self.statics.ticket)?;
        self.model.static_addresses.get(*self.statics.wished.get(at)?).cloned()
    }

    /// It may have been the address that adverts come from.
    fn forget_static(&mut self, address: &VirtualAddress, now: Instant) {
        if let Some(index) = self.world.index_of(&address.interface) {
            let (address, prefix_len) = (address.address, address.prefix_len);
            self.on_address_gone(
                LinkAddress {
                    index,
                    address,
                    prefix_len,
                },
                now,
            );
        }
    }

    fn log_static(&mut self, fixed: &StaticAddress, line: StaticLine) {
        let group = fixed.track_group.and_then(|id| self.model.track_group(id));
        self.actions.push_back(Action::Log(LogEvent::Static {
            address: fixed.address.clone().into(),
            group: group.map(|group| Arc::clone(&group.name)),
            line,
        }));
    }

    fn new_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }
}
