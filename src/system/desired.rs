//! Which addresses should be where, and what is still to be done for it.
//!
//! One entry an instance. Work is handed out in batches, round robin over the instances, so that one with a single address
//! does not wait for one with thousands; advertised addresses come before excluded ones because the wish lists them first.
//! A newer wish replaces what has not been carried out.

use crate::model::{IfIndex, InstanceId, Ticket, VirtualAddress};
use crate::proto::AddressWish;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Addresses in one batch.
pub const BATCH: usize = 32;

/// Everything that is wished.
#[derive(Debug, Default)]
pub struct Desired {
    entries: BTreeMap<InstanceId, Entry>,
    turn: VecDeque<InstanceId>,
}

#[derive(Debug)]
struct Entry {
    wish: AddressWish,
    goal: Goal,
    /// Positions of the wish that are done.
    done: usize,
    /// Where each of the wish's addresses is by our doing.
    set: Vec<Option<IfIndex>>,
    /// Addresses of older wishes that have to go first.
    leftovers: Vec<Target>,
}

/// An address and the link that it is known to be on. A link may have got another name since, or a new one the old name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: VirtualAddress,
    /// The link that it was set on by us; `None`: whichever has the name of `address`.
    pub link: Option<IfIndex>,
}

/// What is wished of the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// They are there.
    Present,
    /// They are not there.
    Absent,
}

/// Work for one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose.
    pub instance: InstanceId,
    /// Of which wish.
    pub ticket: Ticket,
    /// Position of the first address in the wish; `None` for leftovers of an older one.
    pub first: Option<usize>,
    /// What is to be done with them.
    pub goal: Goal,
    /// The addresses.
    pub targets: Vec<Target>,
}

/// What a finished batch means for its wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A newer wish has come: nobody waits for this any more.
    Superseded,
    /// There is more to do.
    More,
    /// The whole wish is carried out.
    Complete,
}

impl Desired {
    /// A new wish.
    pub fn wish(&mut self, wish: AddressWish, goal: Goal) {
        let id = wish.instance;
        let mut leftovers = Vec::new();
        let mut set = vec![None; wish.addresses.len()];
        if let Some(old) = self.entries.remove(&id) {
            leftovers = old.leftovers;
            let ours = old
                .wish
                .addresses
                .iter()
                .zip(old.set)
                .filter(|(_, link)| link.is_some());
            leftovers.extend(ours.map(|(vip, link)| Target {
                address: vip.clone(),
                link,
            }));
            // What the new wish speaks of itself is not a leftover; it only has to know where to remove it.
            let places: BTreeMap<_, usize> = wish.addresses.iter().map(object).zip(0..).collect();
            leftovers.retain(|target| {
                let place = places
                    .get(&object(&target.address))
                    .and_then(|place| set.get_mut(*place));
                let Some(place) = place else { return true };
                *place = target.link.filter(|_| goal == Goal::Absent);
                false
            });
        }
        self.entries.insert(
            id,
            Entry {
                wish,
                goal,
                done: 0,
                set,
                leftovers,
            },
        );
        if !self.turn.contains(&id) {
            self.turn.push_back(id);
        }
    }

    /// One address of a present wish is to be set once more.
    pub fn again(&mut self, instance: InstanceId, ticket: Ticket, index: usize) -> Option<Batch> {
        let entry = self
            .entries
            .get(&instance)
            .filter(|e| e.wish.ticket == ticket && e.goal == Goal::Present)?;
        let address = entry.wish.addresses.get(index)?.clone();
        Some(Batch {
            instance,
            ticket,
            first: Some(index),
            goal: Goal::Present,
            targets: vec![Target { address, link: None }],
        })
    }

    /// The next piece of work.
    pub fn next_batch(&mut self) -> Option<Batch> {
        while let Some(instance) = self.turn.pop_front() {
            let Some(entry) = self.entries.get_mut(&instance) else {
                continue;
            };
            let ticket = entry.wish.ticket;
            if !entry.leftovers.is_empty() {
                let targets = entry.leftovers.drain(..entry.leftovers.len().min(BATCH)).collect();
                self.turn.push_back(instance);
                return Some(Batch {
                    instance,
                    ticket,
                    first: None,
                    goal: Goal::Absent,
                    targets,
                });
            }
            let first = entry.done;
            let all = entry.wish.addresses.iter().zip(&entry.set);
            let targets: Vec<_> = all
                .skip(first)
                .take(BATCH)
                .map(|(address, link)| Target {
                    address: address.clone(),
                    link: *link,
                })
                .collect();
            if targets.is_empty() {
                continue;
            }
            entry.done += targets.len();
            if entry.done < entry.wish.addresses.len() {
                self.turn.push_back(instance);
            }
            return Some(Batch {
                instance,
                ticket,
                first: Some(first),
                goal: entry.goal,
                targets,
            });
        }
        None
    }

    /// A batch was carried out; `links` says for each of its addresses on which link it is now by our doing.
    pub fn finish(&mut self, batch: &Batch, links: &[Option<IfIndex>]) -> Progress {
        let Some(entry) = self
            .entries
            .get_mut(&batch.instance)
            .filter(|e| e.wish.ticket == batch.ticket)
        else {
            self.remember_late(batch, links);
            return Progress::Superseded;
        };
        let Some(first) = batch.first else {
            return Progress::More;
        };
        for (slot, link) in entry.set.iter_mut().skip(first).zip(links) {
            *slot = link.filter(|_| batch.goal == Goal::Present);
        }
        if first + batch.targets.len() >= entry.wish.addresses.len() {
            Progress::Complete
        } else {
            Progress::More
        }
    }

    /// An address that was set for a wish which has been replaced meanwhile must go with the new one.
    fn remember_late(&mut self, batch: &Batch, links: &[Option<IfIndex>]) {
        if batch.goal == Goal::Absent {
            return;
        }
        let Some(entry) = self.entries.get_mut(&batch.instance) else {
            return;
        };
        let late: Vec<Target> = batch
            .targets
            .iter()
            .zip(links)
            .filter(|(_, link)| link.is_some())
            .map(|(target, link)| Target {
                address: target.address.clone(),
                link: *link,
            })
            .filter(|target| {
                !entry
                    .wish
                    .addresses
                    .iter()
                    .any(|new| object(new) == object(&target.address))
            })
            .collect();
        entry.leftovers.extend(late);
        if !entry.leftovers.is_empty() && !self.turn.contains(&batch.instance) {
            self.turn.push_back(batch.instance);
        }
    }

    /// Who wants this address and has it: instance, wish and position. It is noted as not there any more.
    pub fn lost(&mut self, link: IfIndex, address: IpAddr, prefix_len: u8) -> Option<(InstanceId, Ticket, usize)> {
        self.entries
            .iter_mut()
            .filter(|(_, entry)| entry.goal == Goal::Present)
            .find_map(|(id, entry)| {
                let same = |(vip, set): (&VirtualAddress, &Option<IfIndex>)| {
                    *set == Some(link) && vip.address == address && vip.prefix_len == prefix_len
                };
                let index = entry.wish.addresses.iter().zip(&entry.set).position(same)?;
                *entry.set.get_mut(index)? = None;
                Some((*id, entry.wish.ticket, index))
            })
    }

    /// Whether this is the newest wish of its instance, and one for addresses to be there.
    #[must_use]
    pub fn is_present(&self, instance: InstanceId, ticket: Ticket) -> bool {
        self.entries
            .get(&instance)
            .is_some_and(|e| e.wish.ticket == ticket && e.goal == Goal::Present)
    }

    /// Whether there is work.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.turn.is_empty()
    }
}

/// What makes two entries the same address to the kernel.
fn object(vip: &VirtualAddress) -> (&str, IpAddr, u8) {
    (vip.interface.as_str(), vip.address, vip.prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IfName;
    use std::net::Ipv4Addr;

    const HERE: Option<IfIndex> = Some(IfIndex(2));

    fn wish(instance: u32, ticket: u64, from: u32, count: u32) -> AddressWish {
        let eth0: IfName = "eth0".parse().unwrap();
        let vip = |i| VirtualAddress::plain(Ipv4Addr::from(0x0a00_0000 + i).into(), 32, eth0.clone());
        AddressWish {
            instance: InstanceId(instance),
            ticket: Ticket(ticket),
            addresses: (from..from + count).map(vip).collect(),
            advertised: count,
        }
    }

    #[test]
    fn a_single_address_does_not_wait_for_five_thousand() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 5000), Goal::Present);
        let first = desired.next_batch().unwrap();
        assert_eq!((first.instance, first.targets.len()), (InstanceId(1), BATCH));
        desired.wish(wish(2, 2, 9000, 1), Goal::Present);
        let order: Vec<_> = (0..3).map(|_| desired.next_batch().unwrap().instance.0).collect();
        assert_eq!(order, [1, 2, 1]);
    }

    #[test]
    fn a_newer_wish_cancels_what_was_not_sent_and_removes_what_was() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 100), Goal::Present);
        let batch = desired.next_batch().unwrap();
        assert_eq!(desired.finish(&batch, &[HERE; BATCH]), Progress::More);
        desired.wish(wish(1, 2, 50, 10), Goal::Present);
        let removed = desired.next_batch().unwrap();
        assert_eq!(
            (removed.goal, removed.first, removed.targets.len()),
            (Goal::Absent, None, BATCH)
        );
        let set = desired.next_batch().unwrap();
        assert_eq!((set.goal, set.first, set.targets.len()), (Goal::Present, Some(0), 10));
        assert_eq!(desired.finish(&set, &[HERE; 10]), Progress::Complete);
        assert!(desired.is_idle());
        assert_eq!(desired.finish(&batch, &[HERE; BATCH]), Progress::Superseded);
        assert_eq!(
            desired.next_batch().unwrap().goal,
            Goal::Absent,
            "a late success is taken back"
        );
    }

    #[test]
    fn an_address_is_removed_from_the_link_that_it_was_set_on_whatever_that_is_called_now() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 2), Goal::Present);
        let batch = desired.next_batch().unwrap();
        desired.finish(&batch, &[HERE, None]);
        desired.wish(wish(1, 2, 0, 2), Goal::Absent);
        let links: Vec<_> = desired
            .next_batch()
            .unwrap()
            .targets
            .iter()
            .map(|target| target.link)
            .collect();
        assert_eq!(links, [HERE, None], "what we did not set is looked for by name");
        desired.wish(wish(1, 3, 5, 1), Goal::Present);
        let removed = desired.next_batch().unwrap();
        assert_eq!((removed.first, removed.targets[0].link), (None, HERE));
    }

    #[test]
    fn a_lost_address_is_found_once_and_only_while_it_is_wished() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 2), Goal::Present);
        let batch = desired.next_batch().unwrap();
        desired.finish(&batch, &[HERE, HERE]);
        let address = Ipv4Addr::new(10, 0, 0, 1).into();
        assert_eq!(
            desired.lost(IfIndex(2), address, 32),
            Some((InstanceId(1), Ticket(1), 1))
        );
        assert_eq!(desired.lost(IfIndex(2), address, 32), None);
        assert_eq!(desired.lost(IfIndex(3), Ipv4Addr::new(10, 0, 0, 0).into(), 32), None);
    }
}
