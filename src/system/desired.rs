//! Which addresses should be where, and what is still to be done for it.
//!
//! One entry an instance, and one for the static addresses. Work is handed out in batches, round robin over the entries, so
//! that one with a single address does not wait for one with thousands; advertised addresses come before excluded ones because
//! the wish lists them first.
//! A newer wish replaces what has not been carried out.

use crate::model::{IfIndex, InstanceId, Ticket, VirtualAddress};
use crate::proto::AddressWish;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

/// Addresses in one batch.
pub const BATCH: usize = 32;

/// Everything that is wished.
#[derive(Debug, Default)]
pub struct Desired {
    entries: BTreeMap<InstanceId, Entry>,
    turn: VecDeque<InstanceId>,
    /// In how many wishes for presence an address stands.
    wanted: BTreeMap<IpAddr, usize>,
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
    /// Positions that are to be set once more.
    again: BTreeSet<usize>,
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
    /// The addresses, without those to be removed that another instance wants.
    pub targets: Vec<Target>,
    /// How many positions of the wish are done with it.
    pub covers: usize,
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
    /// A new wish. What an older one has set and the new one wants as well stays as it is.
    pub fn wish(&mut self, wish: AddressWish, goal: Goal) {
        let id = wish.instance;
        let mut leftovers = Vec::new();
        let mut set = vec![None; wish.addresses.len()];
        if let Some(old) = self.entries.remove(&id) {
            self.count(&old, false);
            let stays = goal == old.goal;
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
            let places: BTreeMap<_, usize> = wish.addresses.iter().map(VirtualAddress::object).zip(0..).collect();
            leftovers.retain(|target| {
                let Some(at) = places.get(&target.address.object()).copied() else {
                    return true;
                };
                let same = wish
                    .addresses
                    .get(at)
                    .is_some_and(|vip| vip.is_same_object(&target.address));
                if goal == Goal::Present && !same {
                    // It has to be set anew, with its new attributes.
                    return true;
                }
                if let Some(place) = set.get_mut(at) {
                    // Only what was watched all the time is known to be there.
                    *place = target.link.filter(|_| goal == Goal::Absent || stays);
                }
                false
            });
        }
        let entry = Entry {
            wish,
            goal,
            done: 0,
            set,
            leftovers,
            again: BTreeSet::new(),
        };
        self.count(&entry, true);
        self.entries.insert(id, entry);
        if !self.turn.contains(&id) {
            self.turn.push_back(id);
        }
    }

    fn count(&mut self, entry: &Entry, comes: bool) {
        if entry.goal == Goal::Absent {
            return;
        }
        for vip in entry.wish.addresses.iter() {
            let count = self.wanted.entry(vip.address).or_default();
            *count = if comes { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.wanted.remove(&vip.address);
            }
        }
    }

    /// Whether an instance wants this address to be there: a reload may have moved it from one instance to another.
    fn is_wanted(&self, target: &Target) -> bool {
        self.wanted.contains_key(&target.address.address)
            && self
                .entries
                .values()
                .filter(|entry| entry.goal == Goal::Present)
                .any(|entry| {
                    entry
                        .wish
                        .addresses
                        .iter()
                        .any(|vip| vip.is_same_object(&target.address))
                })
    }

    /// One address of a present wish is to be set once more, before anything else.
    pub fn again(&mut self, instance: InstanceId, ticket: Ticket, index: usize) {
        let entry = self.entries.get_mut(&instance);
        let entry = entry.filter(|e| e.wish.ticket == ticket && e.goal == Goal::Present);
        let Some(entry) = entry.filter(|e| index < e.wish.addresses.len()) else {
            return;
        };
        entry.again.insert(index);
        if !self.turn.contains(&instance) {
            self.turn.push_front(instance);
        }
    }

    /// The next piece of work.
    pub fn next_batch(&mut self) -> Option<Batch> {
        while let Some(instance) = self.turn.pop_front() {
            let Some(entry) = self.entries.get_mut(&instance) else {
                continue;
            };
            let (ticket, goal) = (entry.wish.ticket, entry.goal);
            if !entry.leftovers.is_empty() {
                let mut targets: Vec<_> = entry.leftovers.drain(..entry.leftovers.len().min(BATCH)).collect();
                targets.retain(|target| !self.is_wanted(target));
                self.turn.push_back(instance);
                if targets.is_empty() {
                    continue;
                }
                return Some(Batch {
                    instance,
                    ticket,
                    first: None,
                    goal: Goal::Absent,
                    covers: 0,
                    targets,
                });
            }
            if let Some((first, targets)) = entry.next_again() {
                self.turn.push_back(instance);
                return Some(Batch {
                    instance,
                    ticket,
                    first: Some(first),
                    goal,
                    covers: targets.len(),
                    targets,
                });
            }
            if entry.done > entry.wish.addresses.len() {
                continue;
            }
            entry.skip_set();
            let first = entry.done;
            let mut targets = entry.next_targets();
            let covers = targets.len();
            entry.done += covers;
            entry.skip_set();
            if entry.done < entry.wish.addresses.len() {
                self.turn.push_back(instance);
            } else {
                // Handed out to the end.
                entry.done = entry.wish.addresses.len() + 1;
            }
            if entry.wish.addresses.is_empty() {
                continue;
            }
            if goal == Goal::Absent {
                targets.retain(|target| !self.is_wanted(target));
            }
            return Some(Batch {
                instance,
                ticket,
                first: Some(first),
                goal,
                targets,
                covers,
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
        let end = first + batch.covers;
        let mut links = links.iter();
        for slot in entry.set.iter_mut().take(end).skip(first) {
            *slot = links.next().copied().flatten().filter(|_| batch.goal == Goal::Present);
        }
        if end < entry.wish.addresses.len() && !entry.is_set_from(end) {
            return Progress::More;
        }
        if batch.goal == Goal::Absent && entry.leftovers.is_empty() {
            // Nothing of it is on any link: a thousand backups need no table.
            self.entries.remove(&batch.instance);
        }
        Progress::Complete
    }

    /// The virtual addresses that are wished to be there.
    pub fn held(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let present = self.entries.values().filter(|entry| entry.goal == Goal::Present);
        let present = present.filter(|entry| entry.wish.instance != InstanceId::STATIC);
        present.flat_map(|entry| entry.wish.addresses.iter().map(|vip| vip.address))
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
                let object = target.address.object();
                !entry.wish.addresses.iter().any(|new| new.object() == object)
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

    /// Whether there is work for this owner.
    #[must_use]
    pub fn has_work(&self, instance: InstanceId) -> bool {
        self.turn.contains(&instance)
    }

    /// Whether there is work.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.turn.is_empty()
    }
}

impl Entry {
    /// Whether everything from this position on is there already.
    fn is_set_from(&self, position: usize) -> bool {
        self.goal == Goal::Present && self.set.iter().skip(position).all(Option::is_some)
    }

    /// Passes what is there already.
    fn skip_set(&mut self) {
        if self.goal == Goal::Present {
            self.done += self
                .set
                .iter()
                .skip(self.done)
                .take_while(|link| link.is_some())
                .count();
        }
    }

    /// The first addresses in a row that are to be set once more, with the position of the first one.
    fn next_again(&mut self) -> Option<(usize, Vec<Target>)> {
        let first = *self.again.first()?;
        let mut targets = Vec::new();
        for address in self.wish.addresses.iter().skip(first).take(BATCH) {
            if !self.again.remove(&(first + targets.len())) {
                break;
            }
            let address = address.clone();
            targets.push(Target { address, link: None });
        }
        Some((first, targets))
    }

    /// The next addresses in a row that have to be dealt with.
    fn next_targets(&self) -> Vec<Target> {
        let rest = self.wish.addresses.iter().zip(&self.set).skip(self.done);
        let open = rest.take_while(|(_, link)| self.goal == Goal::Absent || link.is_none());
        open.take(BATCH)
            .map(|(address, link)| Target {
                address: address.clone(),
                link: *link,
            })
            .collect()
    }
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

    fn set_all(desired: &mut Desired) {
        while let Some(batch) = desired.next_batch() {
            let links = vec![HERE; batch.targets.len()];
            desired.finish(&batch, &links);
        }
    }

    /// What the kernel is asked for from now on: `+` sets, `-` removes, by the last byte of the address.
    fn asked(desired: &mut Desired) -> (Vec<String>, Option<Progress>) {
        let (mut asked, mut last) = (Vec::new(), None);
        while let Some(batch) = desired.next_batch() {
            let sign = if batch.goal == Goal::Present { '+' } else { '-' };
            for target in &batch.targets {
                let text = target.address.address.to_string();
                asked.push(format!("{sign}{}", text.rsplit('.').next().unwrap()));
            }
            last = Some(desired.finish(&batch, &vec![HERE; batch.targets.len()]));
        }
        (asked, last)
    }

    #[test]
    fn addresses_that_a_reload_keeps_are_not_asked_for_again() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 4), Goal::Present);
        set_all(&mut desired);
        desired.wish(wish(1, 2, 2, 4), Goal::Present);
        let (did, last) = asked(&mut desired);
        assert_eq!(did, ["-0", "-1", "+4", "+5"]);
        assert_eq!(last, Some(Progress::Complete));
        desired.wish(wish(1, 3, 3, 2), Goal::Present);
        let (did, last) = asked(&mut desired);
        assert_eq!(did, ["-2", "-5"]);
        assert_eq!(last, Some(Progress::Complete), "told although nothing had to be set");
        let mut labelled = wish(1, 4, 3, 2);
        labelled.addresses = labelled
            .addresses
            .iter()
            .map(|vip| VirtualAddress {
                label: Some("eth0:1".into()),
                ..vip.clone()
            })
            .collect();
        desired.wish(labelled, Goal::Present);
        assert_eq!(asked(&mut desired).0, ["-3", "-4", "+3", "+4"], "other attributes");
        // A gap in the middle.
        desired.lost(IfIndex(2), Ipv4Addr::new(10, 0, 0, 4).into(), 32);
        desired.wish(wish(1, 5, 3, 2), Goal::Present);
        assert_eq!(asked(&mut desired).0, ["-3", "+3", "+4"]);
    }

    #[test]
    fn an_address_that_moves_to_another_instance_is_not_taken_away() {
        for order in [[1, 2], [2, 1]] {
            let mut desired = Desired::default();
            desired.wish(wish(1, 1, 0, 2), Goal::Present);
            desired.wish(wish(2, 2, 8, 1), Goal::Present);
            set_all(&mut desired);
            for instance in order {
                let new = if instance == 1 {
                    wish(1, 3, 0, 1)
                } else {
                    wish(2, 4, 1, 1)
                };
                desired.wish(new, Goal::Present);
            }
            let (mut did, _) = asked(&mut desired);
            did.sort();
            assert_eq!(did, ["+1", "-8"], "{order:?}");
        }
    }

    #[test]
    fn static_addresses_take_turns_with_instances_and_are_no_claims_to_answer() {
        let mut desired = Desired::default();
        desired.wish(wish(InstanceId::STATIC.0, 1, 0, 5000), Goal::Present);
        desired.next_batch().unwrap();
        desired.wish(wish(1, 2, 9000, 1), Goal::Present);
        let order: Vec<_> = (0..3).map(|_| desired.next_batch().unwrap().instance).collect();
        assert_eq!(order, [InstanceId::STATIC, InstanceId(1), InstanceId::STATIC]);
        let held: Vec<_> = desired.held().collect();
        assert_eq!(held, [Ipv4Addr::from(0x0a00_0000 + 9000)]);
    }

    #[test]
    fn what_is_to_be_set_once_more_comes_first_in_batches_and_leaves_the_others_their_turn() {
        let mut desired = Desired::default();
        desired.wish(wish(1, 1, 0, 100), Goal::Present);
        desired.wish(wish(2, 2, 200, 100), Goal::Present);
        set_all(&mut desired);
        desired.wish(wish(2, 3, 300, 100), Goal::Present);
        for index in (0..40).chain([99, 100]) {
            desired.again(InstanceId(1), Ticket(1), index);
        }
        desired.again(InstanceId(1), Ticket(9), 50);
        let seen: Vec<_> = (0..5).map(|_| desired.next_batch().unwrap()).collect();
        let of_first = seen.iter().filter(|batch| batch.instance == InstanceId(1));
        let of_first: Vec<_> = of_first.map(|batch| (batch.first, batch.targets.len())).collect();
        assert_eq!(of_first, [(Some(0), BATCH), (Some(32), 8), (Some(99), 1)]);
        let order: Vec<_> = seen.iter().map(|batch| batch.instance.0).collect();
        assert_eq!(order, [1, 2, 1, 2, 1]);
        assert_eq!(desired.finish(&seen[0], &[HERE; BATCH]), Progress::Complete);
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
