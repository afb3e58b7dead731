//! What a lab for given configurations has to look like: which interfaces each node needs, which of them share a bridge, and
//! which addresses the nodes have. Everything comes from the configurations; what they leave open is chosen and said.

use crate::model::{Family, IfName, Instance, Ipvlan, Micros, Model, OwnLink, Transport, Vmac};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The whole lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The interfaces of each node, in the order of the files.
    pub(super) nodes: Vec<Vec<LinkPlan>>,
    /// How many bridges there are.
    pub(super) bridges: usize,
    /// The virtual routers.
    pub(super) routers: Vec<Router>,
    /// What a person should know, one sentence each.
    pub(super) notes: Vec<String>,
    /// When nothing has changed for so long, nothing more will.
    pub(super) calm: Micros,
}

/// An interface of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkPlan {
    pub(super) name: String,
    /// Which bridge, from 0.
    pub(super) bridge: usize,
    pub(super) addresses: Vec<(IpAddr, u8, Origin)>,
}

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// `unicast_src_ip` or `mcast_src_ip`.
    Source,
    /// The others' `unicast_peer`.
    Peers,
    /// Nobody names one.
    Chosen,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "named in the file",
            Self::Peers => "named in the others' unicast_peer",
            Self::Chosen => "chosen: the files name none",
        })
    }
}

/// A virtual router: what the instances of several nodes with one VRID on one bridge are together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Router {
    /// The name of the instance in the first file that has it.
    pub(super) name: String,
    pub(super) bridge: usize,
    pub(super) family: Family,
    pub(super) vrid: u8,
    /// The longest interval of its adverts.
    pub(super) interval: Micros,
    /// The nodes that have it, each with the addresses that it holds as master, in the order of its file.
    pub(super) vips: BTreeMap<usize, Vec<IpAddr>>,
    /// The interface that it lives on in each of them.
    pub(super) interfaces: BTreeMap<usize, String>,
}

impl Router {
    /// All its addresses.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        self.vips.values().flatten().copied().collect()
    }
}

/// Makes the plan for configurations, each with its node's name.
///
/// # Errors
/// What makes it impossible, one sentence each.
pub(super) fn plan(files: &[(String, Model)]) -> Result<Plan, Vec<String>> {
    let mut bridges = Bridges::default();
    for (node, (_, model)) in files.iter().enumerate() {
        interfaces(model).into_iter().for_each(|name| bridges.add(node, name));
    }
    bridges.join(files);
    let mut plan = Plan {
        nodes: vec![Vec::new(); files.len()],
        bridges: bridges.count(),
        routers: Vec::new(),
        notes: Vec::new(),
        calm: calm(files),
    };
    for ((node, name), bridge) in &bridges.of {
        if let Some(links) = plan.nodes.get_mut(*node) {
            links.push(LinkPlan {
                name: name.clone(),
                bridge: *bridge,
                addresses: Vec::new(),
            });
        }
    }
    plan.routers = routers(files, &bridges);
    let taken = give_named_addresses(files, &mut plan)?;
    choose_missing_addresses(files, &mut plan, taken);
    Ok(plan)
}

/// The interface that an instance lives on. One without an interface (unicast) has its source where its addresses are.
fn home(instance: &Instance) -> String {
    let named = instance
        .interface
        .as_ref()
        .or(instance.vips.first().map(|vip| &vip.interface));
    named.map_or_else(|| "eth0".to_owned(), IfName::to_string)
}

/// Every interface that a configuration uses, but for the loopback, which every node has.
fn interfaces(model: &Model) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for instance in &model.instances {
        names.insert(home(instance));
        let vips = instance.vips.iter().chain(&instance.excluded_vips);
        names.extend(vips.map(|vip| vip.interface.to_string()));
        names.extend(
            instance
                .track_interfaces
                .iter()
                .map(|track| track.interface.to_string()),
        );
    }
    names.remove("lo");
    // The daemon makes these itself.
    for own in model
        .instances
        .iter()
        .filter_map(|instance| instance.own_link.as_deref())
    {
        let (OwnLink::Vmac(Vmac { name, .. }) | OwnLink::Ipvlan(Ipvlan { name, .. })) = own;
        names.remove(name.as_str());
    }
    names
}

/// Which interfaces share a bridge.
#[derive(Debug, Default)]
struct Bridges {
    /// Node and interface → bridge.
    of: BTreeMap<(usize, String), usize>,
}

impl Bridges {
    fn add(&mut self, node: usize, name: String) {
        let next = self.of.len();
        self.of.entry((node, name)).or_insert(next);
    }

    fn count(&self) -> usize {
        self.of.values().max().map_or(0, |last| last + 1)
    }

    /// Joins what the same virtual router uses, whatever the interfaces are called, then what is called alike. Two
    /// interfaces of one node stay on two bridges.
    fn join(&mut self, files: &[(String, Model)]) {
        let mut first: BTreeMap<(Family, u8, IpAddr), usize> = BTreeMap::new();
        for (node, (_, model)) in files.iter().enumerate() {
            for instance in &model.instances {
                let Some(vip) = instance.vips.first() else { continue };
                let key = (instance.family, instance.vrid.get(), vip.address);
                let Some(bridge) = self.of.get(&(node, home(instance))).copied() else {
                    continue;
                };
                let other = *first.entry(key).or_insert(bridge);
                self.merge(other, bridge);
                first
                    .values_mut()
                    .filter(|known| **known == bridge)
                    .for_each(|known| *known = other);
            }
        }
        let all: Vec<(String, usize)> = self.of.iter().map(|((_, name), at)| (name.clone(), *at)).collect();
        for (name, _) in &all {
            let alike: Vec<usize> = self
                .of
                .iter()
                .filter(|((_, n), _)| n == name)
                .map(|(_, at)| *at)
                .collect();
            let Some((into, others)) = alike.split_first() else {
                continue;
            };
            others.iter().for_each(|other| self.merge(*into, *other));
        }
        let used: BTreeSet<usize> = self.of.values().copied().collect();
        let order: BTreeMap<usize, usize> = used.into_iter().zip(0..).collect();
        for bridge in self.of.values_mut() {
            *bridge = order.get(bridge).copied().unwrap_or(0);
        }
    }

    fn merge(&mut self, into: usize, other: usize) {
        let nodes = |bridge: usize| -> BTreeSet<usize> {
            self.of
                .iter()
                .filter(|(_, at)| **at == bridge)
                .map(|((node, _), _)| *node)
                .collect()
        };
        if into != other && nodes(into).is_disjoint(&nodes(other)) {
            self.of
                .values_mut()
                .filter(|at| **at == other)
                .for_each(|at| *at = into);
        }
    }
}

/// A take-over lasts as long as the longest Master_Down_Interval, a check's verdict as long as its runs.
fn calm(files: &[(String, Model)]) -> Micros {
    let mut longest = Micros::from_secs(1);
    for (_, model) in files {
        for instance in &model.instances {
            let silence = instance.advert_interval.duration().times(4);
            longest = longest.max(silence + instance.preempt_delay);
        }
        for script in &model.scripts {
            let runs = u64::from(script.rise.max(script.fall));
            longest = longest.max(script.interval.times(runs) + script.timeout.unwrap_or(script.interval));
        }
    }
    longest + Micros::from_secs(1)
}

fn routers(files: &[(String, Model)], bridges: &Bridges) -> Vec<Router> {
    let mut routers: Vec<Router> = Vec::new();
    for (node, (_, model)) in files.iter().enumerate() {
        for instance in &model.instances {
            let bridge = bridges.of.get(&(node, home(instance))).copied().unwrap_or(0);
            let (family, vrid) = (instance.family, instance.vrid.get());
            let at = routers
                .iter()
                .position(|known| (known.bridge, known.family, known.vrid) == (bridge, family, vrid));
            let router = match at.and_then(|at| routers.get_mut(at)) {
                Some(known) => known,
                None => {
                    routers.push(Router {
                        name: instance.name.to_string(),
                        bridge,
                        family,
                        vrid,
                        interval: Micros::ZERO,
                        vips: BTreeMap::new(),
                        interfaces: BTreeMap::new(),
                    });
                    let Some(new) = routers.last_mut() else { continue };
                    new
                }
            };
            router.interval = router.interval.max(instance.advert_interval.duration());
            router.interfaces.insert(node, home(instance));
            let vips = router.vips.entry(node).or_default();
            vips.extend(
                instance
                    .vips
                    .iter()
                    .chain(&instance.excluded_vips)
                    .map(|vip| vip.address),
            );
        }
    }
    routers
}

/// Gives the nodes the addresses that the files name. Returns every address that nobody else may have.
fn give_named_addresses(files: &[(String, Model)], plan: &mut Plan) -> Result<BTreeSet<IpAddr>, Vec<String>> {
    let mut taken: BTreeSet<IpAddr> = plan.routers.iter().flat_map(Router::addresses).collect();
    let mut owners: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    for (node, (name, model)) in files.iter().enumerate() {
        for instance in &model.instances {
            let Some(source) = instance.source else { continue };
            if let Some(other) = owners.insert(source, node).filter(|other| *other != node) {
                let other = files.get(other).map_or("?", |(name, _)| name.as_str());
                errors.push(format!("{other} and {name} both say that their address is {source}"));
            }
            plan.give(node, instance, source, Origin::Source);
        }
    }
    for router in plan.routers.clone() {
        give_addresses_of_peers(files, &router, &mut owners, plan);
    }
    taken.extend(owners.keys());
    let peers = files.iter().flat_map(|(_, model)| &model.instances).flat_map(peers);
    taken.extend(peers.collect::<BTreeSet<_>>());
    if errors.is_empty() { Ok(taken) } else { Err(errors) }
}

/// The addresses to which an instance sends.
fn peers(instance: &Instance) -> BTreeSet<IpAddr> {
    match &instance.transport {
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.address).collect(),
        Transport::Multicast { .. } => BTreeSet::new(),
    }
}

/// A node that does not say its own address is who the others name and it does not name itself.
fn give_addresses_of_peers(
    files: &[(String, Model)],
    router: &Router,
    owners: &mut BTreeMap<IpAddr, usize>,
    plan: &mut Plan,
) {
    let of_router = |(node, (_, model)): (usize, &'_ (String, Model))| -> Option<(usize, Instance)> {
        let mut instances = model.instances.iter();
        let instance = instances.find(|i| i.vrid.get() == router.vrid && i.family == router.family)?;
        router.vips.contains_key(&node).then(|| (node, instance.clone()))
    };
    let members: Vec<(usize, Instance)> = files.iter().enumerate().filter_map(of_router).collect();
    let named: BTreeSet<IpAddr> = members.iter().flat_map(|(_, instance)| peers(instance)).collect();
    for (node, instance) in &members {
        if instance.source.is_some() || !instance.transport.is_unicast() {
            continue;
        }
        // On this interface it may have said it in another instance.
        if owners
            .iter()
            .any(|(address, owner)| owner == node && named.contains(address))
        {
            continue;
        }
        let own = peers(instance);
        let free = |address: &&IpAddr| !own.contains(address) && !owners.contains_key(address);
        if let Some(address) = named.iter().find(free).copied() {
            owners.insert(address, *node);
            plan.give(*node, instance, address, Origin::Peers);
        }
    }
    for address in named.iter().filter(|address| !owners.contains_key(address)) {
        plan.notes.push(format!(
            "{}: unicast_peer names {address}, and no file is for it: nobody answers there",
            router.name
        ));
    }
}

impl Plan {
    /// Gives the interface of an instance an address.
    fn give(&mut self, node: usize, instance: &Instance, address: IpAddr, origin: Origin) {
        let home = home(instance);
        let links = self.nodes.get_mut(node).into_iter().flatten();
        for link in links.filter(|link| link.name == home) {
            if !link.addresses.iter().any(|(known, ..)| *known == address) {
                link.addresses.push((address, prefix_around(instance, address), origin));
            }
        }
    }
}

/// The prefix length of a node's own address: that of the virtual addresses' subnet when it lies in there.
fn prefix_around(instance: &Instance, address: IpAddr) -> u8 {
    let of_family = instance
        .vips
        .iter()
        .filter(|vip| Family::of(vip.address) == Family::of(address));
    let around = of_family
        .map(|vip| usual(vip.address, vip.prefix_len))
        .find(|(network, prefix)| masked(address, *prefix) == *network);
    around.map_or(usual(address, 128).1, |(_, prefix)| prefix)
}

/// The network of a virtual address. One that stands alone is thought of in the usual network around it.
fn usual(address: IpAddr, prefix: u8) -> (IpAddr, u8) {
    let prefix = match address {
        IpAddr::V4(_) if prefix > 30 => 24,
        IpAddr::V6(_) if prefix > 120 => 64,
        IpAddr::V4(_) | IpAddr::V6(_) => prefix,
    };
    (masked(address, prefix), prefix)
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// Every instance needs an address of its family on its interface. IPv6 has a link-local one anyway and gets one in the
/// virtual addresses' network beside it.
fn choose_missing_addresses(files: &[(String, Model)], plan: &mut Plan, mut taken: BTreeSet<IpAddr>) {
    for (node, (name, model)) in files.iter().enumerate() {
        for instance in &model.instances {
            let home = home(instance);
            let links = plan.nodes.get_mut(node).into_iter().flatten();
            let Some(link) = links.into_iter().find(|link| link.name == home) else {
                continue;
            };
            if link
                .addresses
                .iter()
                .any(|(known, ..)| Family::of(*known) == instance.family)
            {
                continue;
            }
            let networks = instance.vips.iter().map(|vip| vip.address).zip(instance.vips.iter());
            let network = networks
                .filter(|(address, _)| !is_link_local(*address) && Family::of(*address) == instance.family)
                .map(|(address, vip)| usual(address, vip.prefix_len))
                .next();
            let Some((network, prefix)) = network else { continue };
            match free_host(network, prefix, node, &taken) {
                Some(address) => {
                    taken.insert(address);
                    link.addresses.push((address, prefix, Origin::Chosen));
                }
                None => plan.notes.push(format!(
                    "{name} {home}: no address is free in {network}/{prefix}; it has to do without its own"
                )),
            }
        }
    }
}

const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => crate::model::is_ipv6_link_local(address),
    }
}

/// A host of the network that nobody has: the 11th for the first node if possible, so that the low ones, which people
/// give to gateways, stay free.
fn free_host(network: IpAddr, prefix: u8, node: usize, taken: &BTreeSet<IpAddr>) -> Option<IpAddr> {
    let (bits, begin) = match network {
        IpAddr::V4(_) => (32 - u32::from(prefix.min(32)), 11),
        // Written in hexadecimal: ::11.
        IpAddr::V6(_) => (128 - u32::from(prefix.min(128)), 0x11),
    };
    // Neither the network itself nor the broadcast address.
    let last = 1_u64.checked_shl(bits.min(16))?.checked_sub(2)?;
    let wanted = begin + u64::try_from(node).ok()?;
    let host = |number: u64| match network {
        IpAddr::V4(network) => Some(IpAddr::V4(Ipv4Addr::from_bits(
            network.to_bits() | u32::try_from(number).ok()?,
        ))),
        IpAddr::V6(network) => Some(IpAddr::V6(Ipv6Addr::from_bits(network.to_bits() | u128::from(number)))),
    };
    (wanted..=last)
        .chain(1..wanted.min(last + 1))
        .filter_map(host)
        .find(|address| !taken.contains(address))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
