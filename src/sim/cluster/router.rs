//! Which instances of the nodes are one virtual router.
//!
//! Mistakes must not hide who belongs together, so several signs count: a common virtual address is the strongest, then the
//! same VRID on the same interface, then the same name. An instance joins at most one of another node.

use super::ClusterNode;
use crate::model::{Family, IfName, Instance, Vrid};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// An instance of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    /// Position of the node.
    pub(super) node: usize,
    /// Position of the instance in its model.
    pub(super) instance: usize,
}

/// The instances that are one virtual router, at most one a node, in the order of the nodes.
pub(super) type Router = Vec<Member>;

/// Something that two instances of one virtual router have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Address(IpAddr),
    Link(Family, Vrid, Option<IfName>),
    NamedVrid(Family, Vrid, Arc<str>),
    Name(Family, Arc<str>),
}

/// The signs that an instance gives, one kind after the other, the strongest kind first.
const KINDS: [fn(&Instance) -> Vec<Sign>; 4] = [
    |i| i.vips.iter().map(|vip| Sign::Address(vip.address)).collect(),
    |i| vec![Sign::Link(i.family, i.vrid, i.interface.clone())],
    |i| vec![Sign::NamedVrid(i.family, i.vrid, i.name.clone())],
    |i| vec![Sign::Name(i.family, i.name.clone())],
];

/// The virtual routers in the order of the first node that has them.
pub(super) fn routers(nodes: &[ClusterNode]) -> Vec<Router> {
    let mut routers: Vec<Router> = Vec::new();
    // Who gave a sign first is the one that is found by it.
    let mut seen: BTreeMap<Sign, usize> = BTreeMap::new();
    for (node, cluster_node) in nodes.iter().enumerate() {
        let instances = &cluster_node.model.instances;
        let mut joined: BTreeMap<usize, usize> = BTreeMap::new();
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for signs in KINDS {
            for (index, instance) in instances.iter().enumerate() {
                if joined.contains_key(&index) {
                    continue;
                }
                let found = signs(instance).iter().find_map(|sign| seen.get(sign).copied());
                if let Some(router) = found.filter(|router| taken.insert(*router)) {
                    joined.insert(index, router);
                }
            }
        }
        for (index, instance) in instances.iter().enumerate() {
            let router = joined.get(&index).copied().unwrap_or_else(|| {
                routers.push(Router::new());
                routers.len() - 1
            });
            if let Some(members) = routers.get_mut(router) {
                members.push(Member { node, instance: index });
            }
            for sign in KINDS.iter().flat_map(|signs| signs(instance)) {
                seen.entry(sign).or_insert(router);
            }
        }
    }
    routers
}

/// The members of the sync group that an instance is in, itself among them; only itself when it is in none.
pub(super) fn mates(nodes: &[ClusterNode], member: &Member) -> Vec<Member> {
    let node = member.node;
    let group = nodes.get(node).and_then(|cluster_node| {
        let id = cluster_node.model.instances.get(member.instance)?.sync_group?;
        cluster_node.model.groups.get(usize::try_from(id.0).ok()?)
    });
    let Some(group) = group else { return vec![*member] };
    let positions = group.members.iter().filter_map(|id| usize::try_from(id.0).ok());
    positions.map(|instance| Member { node, instance }).collect()
}

/// Virtual routers that a failure can move together, because sync groups tie them: each list is played on its own.
pub(super) fn islands(nodes: &[ClusterNode], routers: &[Router]) -> Vec<Vec<usize>> {
    let positions: BTreeMap<Member, usize> = (0..)
        .zip(routers)
        .flat_map(|(index, router)| router.iter().map(move |member| (*member, index)))
        .collect();
    let mut island_of: Vec<usize> = (0..routers.len()).collect();
    for member in positions.keys() {
        let tied: BTreeSet<usize> = mates(nodes, member)
            .iter()
            .filter_map(|mate| island_of.get(*positions.get(mate)?).copied())
            .collect();
        if let (Some(first), true) = (tied.first(), tied.len() > 1) {
            island_of
                .iter_mut()
                .filter(|island| tied.contains(island))
                .for_each(|island| *island = *first);
        }
    }
    let mut islands: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (router, island) in island_of.into_iter().enumerate() {
        islands.entry(island).or_default().push(router);
    }
    islands.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupId, InstanceId, Model, SyncGroup, VirtualAddress};

    fn node(name: &str, instances: &[(&str, u8, &str, &str)]) -> ClusterNode {
        let instances = instances.iter().map(|(name, vrid, interface, vip)| {
            let interface: IfName = interface.parse().unwrap();
            let vip = VirtualAddress::plain(vip.parse().unwrap(), 32, interface.clone());
            Instance::new(name, Vrid::new(*vrid).unwrap(), interface, vec![vip])
        });
        ClusterNode {
            name: name.into(),
            model: Model {
                instances: instances.collect(),
                ..Model::default()
            },
        }
    }

    fn found(nodes: &[ClusterNode]) -> Vec<Vec<(usize, usize)>> {
        let pairs = |router: Router| router.into_iter().map(|m| (m.node, m.instance)).collect();
        routers(nodes).into_iter().map(pairs).collect()
    }

    #[test]
    fn a_common_address_outweighs_names_and_order() {
        let a = node("a", &[("X", 1, "eth0", "10.0.0.1"), ("Y", 2, "eth0", "10.0.0.2")]);
        let b = node("b", &[("X", 2, "eth0", "10.0.0.2"), ("Y", 9, "ens3", "10.0.0.1")]);
        assert_eq!(found(&[a, b]), [vec![(0, 0), (1, 1)], vec![(0, 1), (1, 0)]]);
    }

    #[test]
    fn a_mistyped_address_is_found_by_vrid_then_by_name() {
        let a = node("a", &[("X", 1, "eth0", "10.0.0.1"), ("Y", 2, "eth0", "10.0.0.2")]);
        let b = node("b", &[("Z", 1, "eth0", "10.0.0.3"), ("Y", 7, "eth0", "10.0.0.4")]);
        assert_eq!(found(&[a, b]), [vec![(0, 0), (1, 0)], vec![(0, 1), (1, 1)]]);
    }

    #[test]
    fn a_sync_group_makes_one_island_of_its_members() {
        let instances = [
            ("X", 1, "eth0", "10.0.0.1"),
            ("Y", 2, "eth0", "10.0.0.2"),
            ("Z", 3, "eth0", "10.0.0.3"),
        ];
        let (a, mut b) = (node("a", &instances), node("b", &instances));
        assert_eq!(
            islands(&[a.clone(), b.clone()], &routers(&[a.clone(), b.clone()])).len(),
            3
        );
        b.model.groups.push(SyncGroup {
            members: vec![InstanceId(0), InstanceId(2)],
            ..SyncGroup::default()
        });
        for position in [0, 2] {
            b.model.instances[position].sync_group = Some(GroupId(0));
        }
        let nodes = [a, b];
        assert_eq!(islands(&nodes, &routers(&nodes)), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn strangers_stay_apart() {
        let a = node("a", &[("X", 1, "eth0", "10.0.0.1")]);
        let b = node("b", &[("Y", 2, "eth0", "10.0.0.2")]);
        assert_eq!(found(&[a, b]).len(), 2);
    }
}
