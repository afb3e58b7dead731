//! Two configurations side by side: which instance of the new one continues which of the old one (behaviour §11.2), and
//! whether they mean the same although names and positions may differ.

use super::{BfdId, GroupId, Instance, Model, ProcessId, ScriptId, TrackedFileId, Transport};
use std::collections::BTreeMap;

impl Instance {
    /// Whether this is the same virtual router as keepalived understands it: VRID, family, interface with the link that it
    /// makes for itself, and where adverts go. The name is irrelevant. What is not the same begins anew at a reload.
    #[must_use]
    pub fn is_same_router(&self, other: &Self) -> bool {
        let transport = match (&self.transport, &other.transport) {
            (Transport::Multicast { group: a }, Transport::Multicast { group: b }) => a == b,
            (Transport::Unicast { .. }, Transport::Unicast { .. }) => self.source == other.source,
            (Transport::Multicast { .. }, Transport::Unicast { .. })
            | (Transport::Unicast { .. }, Transport::Multicast { .. }) => false,
        };
        self.vrid == other.vrid
            && self.family == other.family
            && self.interface == other.interface
            && self.own_link == other.own_link
            && self.use_vmac_addr == other.use_vmac_addr
            && self.vrf == other.vrf
            && transport
    }
}

/// For each instance of the new configuration the position of the old one that it continues. Each old one is continued once.
#[must_use]
pub fn continued(old: &Model, new: &Model) -> Vec<Option<usize>> {
    let mut known: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (position, instance) in old.instances.iter().enumerate() {
        let key = (instance.vrid, instance.family, &instance.interface);
        known.entry(key).or_default().push(position);
    }
    let mut found = Vec::with_capacity(new.instances.len());
    for instance in &new.instances {
        let same = |position: &usize| {
            old.instances
                .get(*position)
                .is_some_and(|old| old.is_same_router(instance))
        };
        let candidates = known.get_mut(&(instance.vrid, instance.family, &instance.interface));
        found.push(candidates.and_then(|all| Some(all.remove(all.iter().position(same)?))));
    }
    found
}

/// Positions of an old configuration's objects in a new one, by name.
#[derive(Debug, Default)]
pub struct Renumbering {
    scripts: Vec<Option<u32>>,
    files: Vec<Option<u32>>,
    processes: Vec<Option<u32>>,
    bfds: Vec<Option<u32>>,
    groups: Vec<Option<u32>>,
    /// Whether everything has kept its position.
    unmoved: bool,
}

/// A position that nothing has.
const NOWHERE: u32 = u32::MAX;

impl Renumbering {
    /// From one configuration to another.
    #[must_use]
    pub fn between(old: &Model, new: &Model) -> Self {
        let mut moves = Self {
            scripts: positions(
                old.scripts.iter().map(|s| &*s.name),
                new.scripts.iter().map(|s| &*s.name),
            ),
            files: positions(old.files.iter().map(|f| &*f.name), new.files.iter().map(|f| &*f.name)),
            processes: positions(
                old.processes.iter().map(|p| &*p.name),
                new.processes.iter().map(|p| &*p.name),
            ),
            bfds: positions(old.bfds.iter().map(|b| &*b.name), new.bfds.iter().map(|b| &*b.name)),
            groups: positions(old.groups.iter().map(|g| &*g.name), new.groups.iter().map(|g| &*g.name)),
            unmoved: true,
        };
        let lists = [
            &moves.scripts,
            &moves.files,
            &moves.processes,
            &moves.bfds,
            &moves.groups,
        ];
        moves.unmoved = lists
            .into_iter()
            .all(|list| list.iter().zip(0..).all(|(to, from)| *to == Some(from)));
        moves
    }

    /// Whether an instance of the new configuration means what this one of the old configuration meant, whatever it is called.
    #[must_use]
    pub fn is_same(&self, old: &Instance, new: &Instance) -> bool {
        if self.unmoved && old.name == new.name {
            return old == new;
        }
        let mut moved = old.clone();
        moved.name = new.name.clone();
        let to = |list: &[Option<u32>], from: u32| {
            let from = usize::try_from(from).ok();
            from.and_then(|from| list.get(from).copied().flatten())
                .unwrap_or(NOWHERE)
        };
        for track in &mut moved.track_scripts {
            track.script = ScriptId(to(&self.scripts, track.script.0));
        }
        for track in &mut moved.track_files {
            track.file = TrackedFileId(to(&self.files, track.file.0));
        }
        for track in &mut moved.track_processes {
            track.process = ProcessId(to(&self.processes, track.process.0));
        }
        for track in &mut moved.track_bfds {
            track.bfd = BfdId(to(&self.bfds, track.bfd.0));
        }
        moved.sync_group = moved.sync_group.map(|group| GroupId(to(&self.groups, group.0)));
        moved == *new
    }
}

fn positions<'m>(old: impl Iterator<Item = &'m str>, new: impl Iterator<Item = &'m str>) -> Vec<Option<u32>> {
    let new: BTreeMap<&str, u32> = new.zip(0..).collect();
    old.map(|name| new.get(name).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Script, TrackScript, Vrid, Weight};

    fn instance(name: &str, vrid: u8) -> Instance {
        Instance::new(name, Vrid::new(vrid).unwrap(), "eth0".parse().unwrap(), Vec::new())
    }

    fn model(instances: Vec<Instance>, scripts: &[&str]) -> Model {
        Model {
            scripts: scripts.iter().map(|name| Script::new(name, Vec::new())).collect(),
            instances,
            ..Model::default()
        }
    }

    #[test]
    fn instances_are_matched_by_what_they_are_and_not_by_what_they_are_called() {
        let mut moved = instance("C", 53);
        moved.interface = "eth1".parse().ok();
        let old = model(vec![instance("A", 51), instance("B", 52), instance("C", 53)], &[]);
        let new = model(
            vec![instance("B", 51), moved, instance("A", 52), instance("D", 54)],
            &[],
        );
        assert_eq!(continued(&old, &new), [Some(0), None, Some(1), None]);
    }

    #[test]
    fn one_old_instance_is_continued_once() {
        let old = model(vec![instance("A", 51)], &[]);
        let new = model(vec![instance("A", 51), instance("B", 51)], &[]);
        assert_eq!(continued(&old, &new), [Some(0), None]);
    }

    #[test]
    fn other_positions_and_names_are_no_difference_but_another_script_is() {
        let tracking = |name: &str, script| {
            let mut instance = instance(name, 51);
            instance.track_scripts = vec![TrackScript {
                script: ScriptId(script),
                weight: Weight::ZERO,
            }];
            instance
        };
        let same = |old: (&[&str], u32), new: (&[&str], u32)| {
            let (a, b) = (tracking("A", old.1), tracking("B", new.1));
            let moves = Renumbering::between(&model(vec![a.clone()], old.0), &model(vec![b.clone()], new.0));
            moves.is_same(&a, &b)
        };
        assert!(same((&["x", "y"], 1), (&["y"], 0)));
        assert!(same((&["x", "y"], 0), (&["x", "y"], 0)));
        assert!(!same((&["x", "y"], 0), (&["y", "x"], 0)));
        assert!(!same((&["x"], 0), (&["y"], 0)));
    }
}
