//! The network that the nodes of a cluster share, as far as their configurations tell: which interfaces are on one link, and
//! which addresses the nodes have. What no file tells is assumed, and said to be assumed.

use super::router::{Member, Router};
use super::trackers::Tracked;
use super::{ClusterNode, instance_of};
use crate::model::{Family, IfName, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An interface of a node.
#[derive(Debug, Clone)]
pub(in crate::sim) struct LanLink {
    pub(in crate::sim) name: IfName,
    /// Interfaces of the same segment hear each other.
    pub(in crate::sim) segment: usize,
    pub(in crate::sim) addresses: Vec<IpAddr>,
}

/// The links of every node.
pub(in crate::sim) type Lan = Vec<Vec<LanLink>>;

/// In which order addresses are given that no file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AddressOrder {
    /// The first node has the lowest.
    Ascending,
    /// The first node has the highest.
    Descending,
}

/// An interface of a node.
pub(super) type Port = (usize, IfName);

/// The network of these nodes.
pub(super) fn lan(nodes: &[ClusterNode], routers: &[Router], order: AddressOrder) -> Lan {
    let segments = segments(nodes, routers);
    let sources: BTreeMap<(usize, usize), IpAddr> = routers
        .iter()
        .flat_map(|router| router.iter().zip(sources(nodes, router)))
        .filter_map(|(member, source)| Some(((member.node, member.instance), source?)))
        .collect();
    let mut lan: Lan = vec![Vec::new(); nodes.len()];
    for ((node, name), segment) in segments {
        let instances = nodes
            .get(node)
            .map(|n| n.model.instances.as_slice())
            .unwrap_or_default();
        let here = instances
            .iter()
            .enumerate()
            .filter(|(_, i)| i.interface.as_ref() == Some(&name));
        let mut addresses: Vec<IpAddr> = here.filter_map(|(i, _)| sources.get(&(node, i)).copied()).collect();
        for family in [Family::Ipv4, Family::Ipv6] {
            if !addresses.iter().any(|address| Family::of(*address) == family) {
                addresses.push(assumed(family, segment, node, nodes.len(), order));
            }
        }
        if let Some(links) = lan.get_mut(node) {
            links.push(LanLink {
                name,
                segment,
                addresses,
            });
        }
    }
    lan
}

/// An address that no file tells: from the range for benchmarks (RFC 2544), or link-local.
fn assumed(family: Family, segment: usize, node: usize, nodes: usize, order: AddressOrder) -> IpAddr {
    let number = match order {
        AddressOrder::Ascending => node + 1,
        AddressOrder::Descending => nodes - node,
    };
    let word = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    match family {
        Family::Ipv4 => {
            let [high, low] = word(number).to_be_bytes();
            let [_, segment] = word(segment).to_be_bytes();
            Ipv4Addr::new(198, 18 | (high & 1), segment, low).into()
        }
        Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5e55, word(segment), word(number)).into(),
    }
}

/// The segment of every interface that is used.
pub(super) fn segments(nodes: &[ClusterNode], routers: &[Router]) -> BTreeMap<Port, usize> {
    let mut segments: BTreeMap<Port, usize> = BTreeMap::new();
    let mut next = 0;
    // The members of one virtual router are on one link, whatever their interfaces are called.
    for router in routers {
        let port = |member: &Member| Some((member.node, instance_of(nodes, member)?.interface.clone()?));
        let ports: Vec<Port> = router.iter().filter_map(port).collect();
        let known: BTreeSet<usize> = ports.iter().filter_map(|port| segments.get(port).copied()).collect();
        let segment = known.first().copied().unwrap_or(next);
        next += 1;
        segments
            .values_mut()
            .filter(|s| known.contains(s))
            .for_each(|s| *s = segment);
        segments.extend(ports.into_iter().map(|port| (port, segment)));
    }
    // Tracked interfaces carry no adverts, so that they may be anywhere.
    for (node, cluster_node) in nodes.iter().enumerate() {
        for interface in Tracked::of(&cluster_node.model).interfaces {
            segments.entry((node, interface)).or_insert(next);
            next += 1;
        }
    }
    segments
}

/// The address that each member of a virtual router sends from: as written, or for unicast as the others name it.
pub(super) fn sources(nodes: &[ClusterNode], router: &Router) -> Vec<Option<IpAddr>> {
    let instances: Vec<_> = router.iter().map(|member| instance_of(nodes, member)).collect();
    let mut sources: Vec<Option<IpAddr>> = instances.iter().map(|i| i.and_then(|i| i.source)).collect();
    let peers: Vec<BTreeSet<IpAddr>> = instances
        .iter()
        .map(|instance| match instance.map(|i| &i.transport) {
            Some(Transport::Unicast { peers, .. }) => peers.iter().map(|peer| peer.address).collect(),
            Some(Transport::Multicast { .. }) | None => BTreeSet::new(),
        })
        .collect();
    for own in 0..sources.len() {
        let known: BTreeSet<IpAddr> = sources.iter().flatten().copied().collect();
        let is_known = sources.get(own).is_some_and(Option::is_some);
        if is_known || peers.get(own).is_none_or(BTreeSet::is_empty) {
            continue;
        }
        let mut votes: BTreeMap<IpAddr, usize> = BTreeMap::new();
        let others = peers.iter().enumerate().filter(|(other, _)| *other != own);
        for address in others.flat_map(|(_, peers)| peers).filter(|a| !known.contains(*a)) {
            *votes.entry(*address).or_insert(0) += 1;
        }
        // A node does not name itself, as a rule.
        let named = |address: &IpAddr| peers.get(own).is_some_and(|peers| peers.contains(address));
        let best = votes
            .iter()
            .max_by_key(|(address, count)| (!named(address), **count, std::cmp::Reverse(**address)));
        if let (Some((address, _)), Some(source)) = (best, sources.get_mut(own)) {
            *source = Some(*address);
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::super::router;
    use super::*;
    use crate::model::{Instance, Model, OldUnicastChecksum, UnicastPeer, VirtualAddress, Vrid};

    fn node(source: Option<&str>, peers: &[&str]) -> ClusterNode {
        let interface: IfName = "eth0".parse().unwrap();
        let vip = VirtualAddress::plain("10.0.0.100".parse().unwrap(), 32, interface.clone());
        let mut instance = Instance::new("VI", Vrid::new(1).unwrap(), interface, vec![vip]);
        instance.source = source.map(|source| source.parse().unwrap());
        let peer = |text: &&str| UnicastPeer {
            address: text.parse().unwrap(),
            min_ttl: 0,
            max_ttl: 255,
        };
        instance.transport = Transport::Unicast {
            peers: peers.iter().map(peer).collect(),
            ttl: None,
            check_source: false,
            old_checksum: OldUnicastChecksum::Auto,
        };
        ClusterNode {
            name: "n".into(),
            model: Model {
                instances: vec![instance],
                ..Model::default()
            },
        }
    }

    fn found(nodes: &[ClusterNode]) -> Vec<String> {
        let routers = router::routers(nodes);
        let sources = sources(nodes, &routers[0]);
        sources
            .into_iter()
            .map(|s| s.map_or("?".into(), |s| s.to_string()))
            .collect()
    }

    #[test]
    fn a_node_is_known_by_the_address_that_the_others_name() {
        let (a, b, c) = ("10.0.0.1", "10.0.0.2", "10.0.0.3");
        let full = [node(None, &[b, c]), node(None, &[a, c]), node(None, &[a, b])];
        assert_eq!(found(&full), [a, b, c]);
        let same = [node(None, &[a, b]), node(None, &[a, b])];
        assert_eq!(found(&same), [a, b]);
        let mistyped = [node(None, &["10.0.0.22", c]), node(None, &[a, c]), node(None, &[a, b])];
        assert_eq!(found(&mistyped), [a, b, c]);
        let alone = [node(None, &[b])];
        assert_eq!(found(&alone), ["?"]);
    }
}
