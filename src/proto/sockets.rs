//! Which sockets the instances need: those with the same key share one pair (behaviour §10.1).

use super::action::{Action, Receive, SocketSpec};
use super::world::World;
use super::{Core, receive::Lookup};
use crate::model::{Authentication, Family, IfIndex, Instance, Transport};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What distinguishes sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) interface: Option<IfIndex>,
    pub(super) family: Family,
    pub(super) ah: bool,
    pub(super) receive: Receive,
}

impl Key {
    pub(super) const fn of(spec: &SocketSpec) -> Self {
        Self {
            interface: spec.interface,
            family: spec.family,
            ah: spec.ah,
            receive: spec.receive,
        }
    }
}

/// What is open now.
#[derive(Debug, Clone, Default)]
pub(super) struct Sockets {
    open: BTreeMap<Key, Vec<u8>>,
}

impl Sockets {
    pub(super) fn specs(&self) -> impl Iterator<Item = SocketSpec> + '_ {
        self.open.iter().map(|(key, vrids)| spec(*key, vrids.clone()))
    }

    pub(super) fn close_all(&mut self, out: &mut VecDeque<Action>) {
        for (key, vrids) in std::mem::take(&mut self.open) {
            out.push_back(Action::CloseSocket(spec(key, vrids)));
        }
    }
}

/// Where an instance listens; `None` while its link is missing or it has no source address.
pub(super) fn key_of(instance: &Instance, world: &World) -> Option<Key> {
    let interface = match &instance.interface {
        Some(name) => Some(world.index_of(name)?),
        None => None,
    };
    let receive = match &instance.transport {
        Transport::Multicast { group } => Receive::Group(*group),
        Transport::Unicast { .. } => Receive::Unicast(world.source_of(instance)?),
    };
    Some(Key {
        interface,
        family: instance.family,
        ah: matches!(instance.authentication, Authentication::Ah(_)),
        receive,
    })
}

const fn spec(key: Key, vrids: Vec<u8>) -> SocketSpec {
    SocketSpec {
        interface: key.interface,
        family: key.family,
        ah: key.ah,
        receive: key.receive,
        vrids,
    }
}

impl Core {
    /// Opens what is needed and closes what is not, and rebuilds the lookup of receivers.
    pub(super) fn sync_sockets(&mut self) {
        let mut wanted: BTreeMap<Key, BTreeSet<u8>> = BTreeMap::new();
        let mut lookup = Lookup::default();
        for (index, instance) in self.instances.iter().enumerate() {
            if let Some(key) = key_of(&instance.config, &self.world) {
                wanted.entry(key).or_default().insert(instance.config.vrid.get());
                lookup.insert(key, instance.config.vrid, index);
            }
        }
        self.lookup = lookup;
        let wanted: BTreeMap<Key, Vec<u8>> = wanted
            .into_iter()
            .map(|(key, vrids)| (key, vrids.into_iter().collect()))
            .collect();
        for (key, vrids) in &self.sockets.open {
            if !wanted.contains_key(key) {
                self.actions.push_back(Action::CloseSocket(spec(*key, vrids.clone())));
            }
        }
        for (key, vrids) in &wanted {
            if self.sockets.open.get(key) != Some(vrids) {
                self.actions.push_back(Action::OpenSocket(spec(*key, vrids.clone())));
            }
        }
        self.sockets.open = wanted;
    }
}
