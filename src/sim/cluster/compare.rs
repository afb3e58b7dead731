//! What does not fit together as written: the nodes of a virtual router side by side.

use super::finding::{Code, Finding, Place, Severity};
use super::lan::{segments, sources};
use super::router::{Member, Router};
use super::{ClusterNode, instance_of, listed, name_of};
use crate::model::{Authentication, Family, HmacMode, Instance, OldUnicastChecksum, Transport, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Everything that is wrong as written.
pub(super) fn compare(nodes: &[ClusterNode], routers: &[Router]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for router in routers {
        let side_by_side = SideBySide { nodes, router };
        side_by_side.compare(&mut findings);
    }
    vrid_twice(nodes, routers, &mut findings);
    sync_groups(nodes, routers, &mut findings);
    findings
}

/// The nodes of one virtual router.
struct SideBySide<'a> {
    nodes: &'a [ClusterNode],
    router: &'a Router,
}

impl<'a> SideBySide<'a> {
    fn instances(&self) -> impl Iterator<Item = (&'a str, &'a Instance)> {
        let nodes = self.nodes;
        self.router
            .iter()
            .filter_map(move |member| Some((name_of(nodes, member.node), instance_of(nodes, member)?)))
    }

    fn name(&self) -> &'a str {
        self.instances().next().map_or("?", |(_, instance)| &instance.name)
    }

    fn finding(&self, severity: Severity, code: Code, keyword: Option<&'static str>, message: String) -> Finding {
        Finding {
            severity,
            code,
            message,
            hint: None,
            places: places(self.nodes, self.router, keyword),
        }
    }

    fn compare(&self, findings: &mut Vec<Finding>) {
        if let ([only], true) = (self.router.as_slice(), self.nodes.len() > 1) {
            let (name, node) = (self.name(), name_of(self.nodes, only.node));
            let message = format!("({name}) only {node} has this virtual router; when it fails, nobody takes over");
            findings.push(self.finding(Severity::Warning, Code::OnlyOneNode, None, message));
            return;
        }
        let v2 = self.instances().any(|(_, i)| i.version == Version::V2);
        let interval = if v2 { Severity::Error } else { Severity::Warning };
        let all = [
            self.differs(Severity::Error, Code::VridDiffers, "virtual_router_id", |i| {
                i.vrid.to_string()
            }),
            self.differs(interval, Code::IntervalDiffers, "advert_int", |i| {
                let text = i.advert_interval.duration().to_string();
                format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
            }),
            self.differs(Severity::Error, Code::VersionDiffers, "version", |i| {
                i.version.number().to_string()
            }),
            self.differs(Severity::Error, Code::TransportDiffers, "unicast_peer", |i| {
                if i.transport.is_unicast() {
                    "to peers"
                } else {
                    "to a group"
                }
                .to_owned()
            }),
            self.group(),
            self.authentication(),
            self.hmac(),
            self.checksum(),
            self.owners(),
        ];
        findings.extend(all.into_iter().flatten());
        findings.extend(self.bfd());
        self.vips(findings);
        // Who is who is not known while two nodes claim one address, or one of them speaks to a group.
        let all_unicast = self.instances().all(|(_, i)| i.transport.is_unicast());
        if !self.same_source(findings) && all_unicast {
            self.peers(findings);
        }
    }

    /// Nobody runs BFD sessions yet: that they are tracked must not be taken for a protection.
    fn bfd(&self) -> Option<Finding> {
        let tracks = |member: &&Member| {
            let model = &self.nodes.get(member.node)?.model;
            let instance = model.instances.get(member.instance)?;
            let group = instance
                .sync_group
                .and_then(|id| model.groups.get(usize::try_from(id.0).ok()?));
            let by_group = group.is_some_and(|group| !group.track_bfds.is_empty());
            (by_group || !instance.track_bfds.is_empty()).then_some(())
        };
        let nodes: Vec<&str> = self
            .router
            .iter()
            .filter(|member| tracks(member).is_some())
            .map(|member| name_of(self.nodes, member.node))
            .collect();
        if nodes.is_empty() {
            return None;
        }
        let name = self.name();
        let message = format!(
            "({name}) BFD sessions are tracked on {}, but this version runs none: their failure moves nothing",
            listed(&nodes, "and")
        );
        Some(self.finding(Severity::Warning, Code::BfdNotPlayed, Some("track_bfd"), message))
    }

    /// The nodes by what an instance has, in the order of the nodes.
    fn by<K: PartialEq>(&self, key: impl Fn(&Instance) -> K) -> Vec<(K, Vec<&'a str>)> {
        let mut groups: Vec<(K, Vec<&'a str>)> = Vec::new();
        for (node, instance) in self.instances() {
            let key = key(instance);
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, nodes)) => nodes.push(node),
                None => groups.push((key, vec![node])),
            }
        }
        groups
    }

    fn differs(
        &self,
        severity: Severity,
        code: Code,
        keyword: &'static str,
        value: impl Fn(&Instance) -> String,
    ) -> Option<Finding> {
        let groups = self.by(value);
        if groups.len() < 2 {
            return None;
        }
        let parts = groups
            .iter()
            .map(|(value, nodes)| format!("{value} on {}", listed(nodes, "and")));
        let message = format!(
            "({}) {keyword} differs: {}",
            self.name(),
            parts.collect::<Vec<_>>().join(", ")
        );
        Some(self.finding(severity, code, Some(keyword), message))
    }

    fn group(&self) -> Option<Finding> {
        if self.instances().any(|(_, i)| i.transport.is_unicast()) {
            return None;
        }
        self.differs(Severity::Error, Code::GroupDiffers, "mcast_dst_ip", |i| {
            match &i.transport {
                Transport::Multicast { group } => group.to_string(),
                Transport::Unicast { .. } => String::new(),
            }
        })
    }

    /// Passwords are compared, never shown.
    fn authentication(&self) -> Option<Finding> {
        let groups = self.by(|i| i.authentication);
        if groups.len() < 2 {
            return None;
        }
        let kind = |authentication: &Authentication| match authentication {
            Authentication::None => "none",
            Authentication::Pass(_) => "PASS",
            Authentication::Ah(_) => "AH",
        };
        let mut seen = BTreeSet::new();
        let part = |(authentication, nodes): &(Authentication, Vec<&str>)| {
            let kind = kind(authentication);
            let again = if seen.insert(kind) {
                ""
            } else {
                " with another auth_pass"
            };
            format!("{kind}{again} on {}", listed(nodes, "and"))
        };
        let parts: Vec<String> = groups.iter().map(part).collect();
        let message = format!("({}) authentication differs: {}", self.name(), parts.join(", "));
        Some(self.finding(
            Severity::Error,
            Code::AuthenticationDiffers,
            Some("authentication"),
            message,
        ))
    }

    /// Whether every node can check what every other one signs. Keys are compared, never shown.
    fn hmac(&self) -> Option<Finding> {
        let trouble = |(from, sender): (&str, &Instance), (to, receiver): (&str, &Instance)| {
            let signs = sender.hmac.as_ref().filter(|hmac| hmac.mode != HmacMode::ReceiveOnly);
            match (signs, &receiver.hmac) {
                (None, None) => None,
                (None, Some(hmac)) => {
                    (hmac.mode == HmacMode::Enforce).then(|| format!("{from} does not sign, {to} wants a signature"))
                }
                (Some(_), None) => Some(format!("{from} signs, {to} has no auth_hmac")),
                (Some(ours), Some(theirs)) => {
                    let id = ours.active_key;
                    let same = ours.keys.get(&id).map(|key| &key.bytes) == theirs.keys.get(&id).map(|key| &key.bytes);
                    (!same).then(|| format!("{from} signs with key {id}, {to} has not this key"))
                }
            }
        };
        let pairs = self
            .instances()
            .flat_map(|from| self.instances().map(move |to| (from, to)));
        let found = pairs
            .filter(|(from, to)| from.0 != to.0)
            .find_map(|(from, to)| trouble(from, to))?;
        let message = format!("({}) auth_hmac does not fit together: {found}", self.name());
        Some(self.finding(Severity::Error, Code::HmacDiffers, Some("auth_hmac"), message))
    }

    fn checksum(&self) -> Option<Finding> {
        let pseudo_header = self
            .instances()
            .any(|(_, i)| i.version == Version::V3 && i.family == Family::Ipv4);
        if !pseudo_header {
            return None;
        }
        let by_keyword = self.differs(Severity::Warning, Code::ChecksumDiffers, "v3_checksum_as_v2", |i| {
            if i.v3_checksum_as_v2 { "on" } else { "off" }.to_owned()
        });
        let old = |i: &Instance| match &i.transport {
            Transport::Unicast { old_checksum, .. } => Some(*old_checksum),
            Transport::Multicast { .. } => None,
        };
        let always = self
            .instances()
            .any(|(_, i)| old(i) == Some(OldUnicastChecksum::Always));
        let never = self.instances().any(|(_, i)| old(i) == Some(OldUnicastChecksum::Never));
        by_keyword.or_else(|| {
            (always && never).then(|| {
                let message = format!(
                    "({}) old_unicast_checksum is asked for on one node and forbidden on another",
                    self.name()
                );
                self.finding(
                    Severity::Warning,
                    Code::ChecksumDiffers,
                    Some("old_unicast_checksum"),
                    message,
                )
            })
        })
    }

    fn owners(&self) -> Option<Finding> {
        let owners: Vec<&str> = self
            .instances()
            .filter(|(_, i)| i.is_owner())
            .map(|(node, _)| node)
            .collect();
        (owners.len() > 1).then(|| {
            let message = format!(
                "({}) {} have priority 255: each says that it owns the addresses",
                self.name(),
                listed(&owners, "and")
            );
            self.finding(Severity::Error, Code::TwoOwners, Some("priority"), message)
        })
    }

    fn vips(&self, findings: &mut Vec<Finding>) {
        let name = self.name();
        for (keyword, excluded) in [("virtual_ipaddress", false), ("virtual_ipaddress_excluded", true)] {
            let of = |i: &'a Instance| if excluded { &i.excluded_vips[..] } else { &i.vips[..] };
            let mut holders: BTreeMap<IpAddr, BTreeMap<u8, Vec<&str>>> = BTreeMap::new();
            for (node, instance) in self.instances() {
                for vip in of(instance) {
                    let prefixes = holders.entry(vip.address).or_default();
                    prefixes.entry(vip.prefix_len).or_default().push(node);
                }
            }
            let everybody = self.router.len();
            for (address, prefixes) in holders {
                let have: Vec<&str> = prefixes.values().flatten().copied().collect();
                if have.len() < everybody {
                    let lack = self
                        .instances()
                        .map(|(node, _)| node)
                        .filter(|node| !have.contains(node));
                    let lack: Vec<&str> = lack.collect();
                    let verb = if lack.len() > 1 { "lack" } else { "lacks" };
                    let message = format!(
                        "({name}) {} {verb} {address}, which {} in {keyword}",
                        listed(&lack, "and"),
                        match have.as_slice() {
                            [only] => format!("{only} has"),
                            several => format!("{} have", listed(several, "and")),
                        }
                    );
                    let severity = if excluded { Severity::Warning } else { Severity::Error };
                    findings.push(self.finding(severity, Code::VipsDiffer, Some(keyword), message));
                }
                if prefixes.len() > 1 {
                    let parts = prefixes
                        .iter()
                        .map(|(prefix, nodes)| format!("/{prefix} on {}", listed(nodes, "and")));
                    let message = format!("({name}) {address} is {}", parts.collect::<Vec<_>>().join(", "));
                    findings.push(self.finding(Severity::Warning, Code::PrefixDiffers, Some(keyword), message));
                }
            }
        }
    }

    /// Each node names all others and nobody else.
    fn peers(&self, findings: &mut Vec<Finding>) {
        let name = self.name();
        let sources = sources(self.nodes, self.router);
        let everybody: BTreeSet<IpAddr> = sources.iter().flatten().copied().collect();
        for ((node, instance), own) in self.instances().zip(&sources) {
            let Transport::Unicast { peers, .. } = &instance.transport else {
                continue;
            };
            let named: BTreeSet<IpAddr> = peers.iter().map(|peer| peer.address).collect();
            for ((other, _), source) in self.instances().zip(&sources) {
                let Some(source) = source.filter(|source| other != node && !named.contains(source)) else {
                    continue;
                };
                let message = format!(
                    "({name}) {node} does not name {other} ({source}) in unicast_peer, so {other} does not hear it"
                );
                findings.push(self.finding(Severity::Error, Code::PeerMissing, Some("unicast_peer"), message));
            }
            for stranger in named.difference(&everybody).filter(|stranger| Some(**stranger) != *own) {
                let message = format!("({name}) {node} names the peer {stranger}, which none of the nodes is");
                findings.push(self.finding(Severity::Warning, Code::PeerUnknown, Some("unicast_peer"), message));
            }
        }
    }

    /// Whether there are such.
    fn same_source(&self, findings: &mut Vec<Finding>) -> bool {
        let before = findings.len();
        let groups = self.by(|i| i.source);
        for (source, nodes) in groups {
            if let (Some(source), true) = (source, nodes.len() > 1) {
                let message = format!("({}) {} all send from {source}", self.name(), listed(&nodes, "and"));
                findings.push(self.finding(Severity::Error, Code::SourceTwice, Some("unicast_src_ip"), message));
            }
        }
        findings.len() > before
    }
}

/// Where the members of a virtual router stand.
pub(super) fn places(nodes: &[ClusterNode], router: &[Member], keyword: Option<&'static str>) -> Vec<Place> {
    router
        .iter()
        .map(|member| Place {
            node: member.node,
            instance: instance_of(nodes, member)
                .map(|i| i.name.to_string())
                .unwrap_or_default(),
            keyword,
        })
        .collect()
}

/// Two virtual routers on one link with one VRID; twice on the same node is the single file's affair.
fn vrid_twice(nodes: &[ClusterNode], routers: &[Router], findings: &mut Vec<Finding>) {
    let segments = segments(nodes, routers);
    let mut users: BTreeMap<(usize, Family, u8), Vec<(usize, Member)>> = BTreeMap::new();
    for (index, router) in routers.iter().enumerate() {
        for member in router {
            let Some(instance) = instance_of(nodes, member).filter(|i| !i.transport.is_unicast()) else {
                continue;
            };
            let Some(interface) = instance.interface.clone() else {
                continue;
            };
            let Some(segment) = segments.get(&(member.node, interface)) else {
                continue;
            };
            let key = (*segment, instance.family, instance.vrid.get());
            users.entry(key).or_default().push((index, *member));
        }
    }
    for ((_, _, vrid), users) in users {
        let Some((first_router, first)) = users.first() else {
            continue;
        };
        let Some((_, second)) = users
            .iter()
            .find(|(router, member)| router != first_router && member.node != first.node)
        else {
            continue;
        };
        let pair = [*first, *second];
        let names: Vec<String> = pair
            .iter()
            .filter_map(|member| {
                Some(format!(
                    "{} of {}",
                    instance_of(nodes, member)?.name,
                    name_of(nodes, member.node)
                ))
            })
            .collect();
        findings.push(Finding {
            severity: Severity::Error,
            code: Code::VridTwice,
            message: format!(
                "{} are different virtual routers with the same virtual_router_id {vrid} on one link",
                names.join(" and ")
            ),
            hint: None,
            places: places(nodes, &pair, Some("virtual_router_id")),
        });
    }
}

/// Instances that are one sync group on one node and not on another one.
fn sync_groups(nodes: &[ClusterNode], routers: &[Router], findings: &mut Vec<Finding>) {
    let positions: BTreeMap<Member, usize> = (0..)
        .zip(routers)
        .flat_map(|(index, router)| router.iter().map(move |member| (*member, index)))
        .collect();
    for router in routers.iter().filter(|router| router.len() > 1) {
        // A virtual router that a node lacks is told as such.
        let everywhere = |index: &usize| routers.get(*index).is_some_and(|other| other.len() >= router.len());
        let tied = |member: &Member| -> BTreeSet<usize> {
            let mates = super::router::mates(nodes, member).into_iter();
            mates
                .filter_map(|mate| positions.get(&mate).copied())
                .filter(everywhere)
                .collect()
        };
        let name = |member: &Member| {
            instance_of(nodes, member)
                .map(|i| i.name.to_string())
                .unwrap_or_default()
        };
        let Some((first, rest)) = router.split_first() else {
            continue;
        };
        let Some(other) = rest.iter().find(|member| tied(member) != tied(first)) else {
            continue;
        };
        let words = |member: &Member| {
            let mates = super::router::mates(nodes, member);
            let names: Vec<String> = mates.iter().filter(|mate| *mate != member).map(name).collect();
            match names.as_slice() {
                [] => "with none".to_owned(),
                names => format!("with {}", names.join(", ")),
            }
        };
        findings.push(Finding {
            severity: Severity::Warning,
            code: Code::SyncGroupDiffers,
            message: format!(
                "({}) it changes its state together {} on {}, {} on {}",
                name(first),
                words(first),
                name_of(nodes, first.node),
                words(other),
                name_of(nodes, other.node)
            ),
            hint: None,
            places: places(nodes, &[*first, *other], None),
        });
    }
}
