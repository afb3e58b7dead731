//! What the core knows of the host: links and their addresses. It decides which address an instance sends from.

use super::event::{Link, LinkAddress};
use super::snapshot::LinkSnapshot;
use crate::model::{Family, IfIndex, IfName, Instance, Instant, MacAddr, is_ipv6_link_local};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Links by index, with their addresses in the order in which the kernel told them.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    links: BTreeMap<IfIndex, LinkEntry>,
    names: BTreeMap<IfName, IfIndex>,
}

#[derive(Debug, Clone)]
struct LinkEntry {
    link: Link,
    /// Whether it counts as up: what the kernel reports, unless a delay or a poll says otherwise.
    up: bool,
    /// Whether it has counted as up since it appeared.
    was_up: bool,
    /// Since when it counts as what it does.
    since: Instant,
    /// The kernel's flags at that time.
    flags: u32,
    addresses: Addresses,
}

/// Addresses in the order in which they came; there may be thousands, and any of them may go.
#[derive(Debug, Clone, Default)]
struct Addresses {
    in_order: BTreeMap<u64, IpAddr>,
    places: BTreeMap<IpAddr, u64>,
    next: u64,
}

impl Addresses {
    fn contains(&self, address: IpAddr) -> bool {
        self.places.contains_key(&address)
    }

    /// Whether it is new.
    fn push(&mut self, address: IpAddr) -> bool {
        if self.contains(address) {
            return false;
        }
        self.places.insert(address, self.next);
        self.in_order.insert(self.next, address);
        self.next += 1;
        true
    }

    /// Whether it was there.
    fn remove(&mut self, address: IpAddr) -> bool {
        let place = self.places.remove(&address);
        place.is_some_and(|place| self.in_order.remove(&place).is_some())
    }
}

/// What a link event meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkNews {
    /// A link that was not known.
    Added,
    /// It has another name, and counts as a new one with its addresses.
    Renamed {
        /// Its name before.
        from: IfName,
    },
    /// Something else changed.
    Changed,
    /// Nothing that matters changed.
    Same,
}

impl World {
    pub(super) fn put_link(&mut self, link: Link, now: Instant) -> LinkNews {
        if let Some(old) = self.names.get(&link.name).copied().filter(|old| *old != link.index) {
            self.remove_link(old);
        }
        let old = self.links.get_mut(&link.index);
        if let Some(entry) = old {
            if entry.link.name == link.name {
                if entry.link == link {
                    return LinkNews::Same;
                }
                entry.link = link;
                return LinkNews::Changed;
            }
        }
        let old = self.links.remove(&link.index);
        let from = old.as_ref().map(|old| old.link.name.clone());
        let addresses = old.map(|old| old.addresses).unwrap_or_default();
        if let Some(from) = &from {
            self.names.remove(from);
        }
        self.names.insert(link.name.clone(), link.index);
        let entry = LinkEntry {
            up: link.running,
            was_up: link.running,
            since: now,
            flags: link.flags,
            addresses,
            link,
        };
        self.links.insert(entry.link.index, entry);
        from.map_or(LinkNews::Added, |from| LinkNews::Renamed { from })
    }

    /// Name of a link, whether it has been up, and whether it counts as up.
    pub(super) fn standing(&self, index: IfIndex) -> Option<(&IfName, bool, bool)> {
        let entry = self.links.get(&index)?;
        Some((&entry.link.name, entry.was_up, entry.up))
    }

    /// The kernel's flags when the link began to count as what it does, and now.
    pub(super) fn flags(&self, index: IfIndex) -> (u32, u32) {
        self.links
            .get(&index)
            .map_or((0, 0), |entry| (entry.flags, entry.link.flags))
    }

    /// The link counts as up or down from now on; its name.
    pub(super) fn count(&mut self, index: IfIndex, up: bool, now: Instant) -> Option<&IfName> {
        let entry = self.links.get_mut(&index)?;
        entry.up = up;
        entry.was_up |= up;
        entry.since = now;
        entry.flags = entry.link.flags;
        Some(&entry.link.name)
    }

    /// Since when a link counts as what it does.
    pub(super) fn since(&self, name: &IfName) -> Option<Instant> {
        self.entry(name).map(|entry| entry.since)
    }

    pub(super) fn indices(&self) -> Vec<IfIndex> {
        self.links.keys().copied().collect()
    }

    fn entry(&self, name: &IfName) -> Option<&LinkEntry> {
        self.names.get(name).and_then(|index| self.links.get(index))
    }

    /// The name of the link that was removed.
    pub(super) fn remove_link(&mut self, index: IfIndex) -> Option<IfName> {
        let entry = self.links.remove(&index)?;
        self.names.remove(&entry.link.name);
        Some(entry.link.name)
    }

    /// Whether the address is new.
    pub(super) fn add_address(&mut self, address: LinkAddress) -> bool {
        let Some(entry) = self.links.get_mut(&address.index) else {
            return false;
        };
        entry.addresses.push(address.address)
    }

    /// Whether the address was there.
    pub(super) fn remove_address(&mut self, address: LinkAddress) -> bool {
        let Some(entry) = self.links.get_mut(&address.index) else {
            return false;
        };
        entry.addresses.remove(address.address)
    }

    /// All links with their addresses, for people.
    pub(super) fn snapshot(&self) -> Vec<LinkSnapshot> {
        let links = self.links.values().map(|entry| LinkSnapshot {
            link: entry.link.clone(),
            addresses: entry.addresses.in_order.values().copied().collect(),
        });
        links.collect()
    }

    pub(super) fn link(&self, name: &IfName) -> Option<&Link> {
        self.entry(name).map(|entry| &entry.link)
    }

    pub(super) fn index_of(&self, name: &IfName) -> Option<IfIndex> {
        self.names.get(name).copied()
    }

    pub(super) fn name_of(&self, index: IfIndex) -> Option<&IfName> {
        self.links.get(&index).map(|entry| &entry.link.name)
    }

    /// Whether a link counts as up.
    pub(super) fn runs(&self, name: &IfName) -> bool {
        self.entry(name).is_some_and(|entry| entry.up)
    }

    /// Whether one of our links has this hardware address.
    pub(super) fn has_mac(&self, mac: MacAddr) -> bool {
        self.links.values().any(|entry| entry.link.mac == Some(mac))
    }

    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.links.values().any(|entry| entry.addresses.contains(address))
    }

    /// The address that the instance's adverts come from: the configured one, else the first address of its interface
    /// that is none of its own virtual addresses; for IPv6 a link-local one (RFC 9568 section 5.1.2.1).
    pub(super) fn source_of(&self, instance: &Instance) -> Option<IpAddr> {
        if let Some(source) = instance.source {
            return (!instance.track_source || self.has_address(source)).then_some(source);
        }
        let entry = instance
            .interface
            .as_ref()
            .and_then(|name| self.names.get(name))
            .and_then(|i| self.links.get(i))?;
        let is_virtual = |a: &IpAddr| {
            instance
                .vips
                .iter()
                .chain(&instance.excluded_vips)
                .any(|vip| vip.address == *a)
        };
        entry
            .addresses
            .in_order
            .values()
            .copied()
            .filter(|a| !is_virtual(a))
            .find(|address| match (instance.family, address) {
                (Family::Ipv4, IpAddr::V4(_)) => true,
                (Family::Ipv6, IpAddr::V6(v6)) => is_ipv6_link_local(*v6),
                (Family::Ipv4, IpAddr::V6(_)) | (Family::Ipv6, IpAddr::V4(_)) => false,
            })
    }
}
