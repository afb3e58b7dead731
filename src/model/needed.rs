//! Interfaces that an instance needs although it does not run on them: those of its virtual routes and rules, and those of
//! the static entries that name a `track_group` which it is a member of (behaviour §5.4). keepalived tracks them with
//! weight 0, whether they are the instance's own or not.

use super::{IfName, Model, Prefix, TrackGroupId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An interface without which an instance is in fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Which.
    pub interface: IfName,
    /// What stands on it, for people: `static address 192.0.2.1/24 of track_group TG`.
    pub by: Arc<str>,
}

/// Collects the interfaces of one instance; the first thing that needs one is named.
#[derive(Debug, Default)]
struct List {
    known: BTreeSet<IfName>,
    needed: Vec<Needed>,
}

impl List {
    fn add(&mut self, interface: &IfName, by: impl FnOnce() -> Arc<str>) {
        if self.known.insert(interface.clone()) {
            self.needed.push(Needed {
                interface: interface.clone(),
                by: by(),
            });
        }
    }
}

impl Model {
    /// For each instance what it needs, each interface once, in the order of the configuration.
    #[must_use]
    pub fn needed_interfaces(&self) -> Vec<Arc<[Needed]>> {
        let bases = self.bases_of_own_links();
        let base = |interface: &IfName| bases.get(interface).unwrap_or(interface).clone();
        let mut lists: Vec<List> = Vec::new();
        lists.resize_with(self.instances.len(), List::default);
        for (instance, list) in self.instances.iter().zip(&mut lists) {
            for route in instance.routes.iter().filter(|route| !route.no_track) {
                let to = route.destination;
                if let Some(interface) = &route.interface {
                    list.add(&base(interface), || format!("virtual route {}", shown(to)).into());
                }
            }
            for rule in instance.rules.iter().filter(|rule| !rule.no_track) {
                for interface in rule.iif.iter().chain(&rule.oif) {
                    list.add(&base(interface), || {
                        format!("virtual rule of preference {}", rule.preference).into()
                    });
                }
            }
        }
        for (group, of_group) in self.needed_by_groups(base) {
            let Some(group) = self.track_group(group) else {
                continue;
            };
            for member in group.members.iter().filter_map(|id| usize::try_from(id.0).ok()) {
                let Some(list) = lists.get_mut(member) else { continue };
                for needed in &of_group.needed {
                    list.add(&needed.interface, || {
                        format!("{} of track_group {}", needed.by, group.name).into()
                    });
                }
            }
        }
        lists.into_iter().map(|list| list.needed.into()).collect()
    }

    /// What static entries need, by the group that follows them. Of a rule only `iif` counts here, as in keepalived.
    fn needed_by_groups(&self, base: impl Fn(&IfName) -> IfName) -> BTreeMap<TrackGroupId, List> {
        let mut groups: BTreeMap<TrackGroupId, List> = BTreeMap::new();
        for entry in &self.static_addresses {
            if let Some(group) = entry.track_group {
                let by = || format!("static address {}", entry.address.shown()).into();
                groups.entry(group).or_default().add(&entry.address.interface, by);
            }
        }
        for route in &self.static_routes {
            if let Some((group, interface)) = route.track_group.zip(route.interface.as_ref()) {
                let by = || format!("static route {}", shown(route.destination)).into();
                groups.entry(group).or_default().add(&base(interface), by);
            }
        }
        for rule in &self.static_rules {
            if let Some((group, interface)) = rule.track_group.zip(rule.iif.as_ref()) {
                let by = || format!("static rule of preference {}", rule.preference).into();
                groups.entry(group).or_default().add(&base(interface), by);
            }
        }
        groups
    }

    /// The links that instances make for themselves, with what they stand on: these go up and down with that.
    fn bases_of_own_links(&self) -> BTreeMap<IfName, IfName> {
        let made = self.instances.iter().filter(|instance| instance.own_link.is_some());
        made.filter_map(|instance| Some((instance.link()?.clone(), instance.interface.clone()?)))
            .collect()
    }
}

/// A destination as it is written; without one everything is meant.
fn shown(destination: Option<Prefix>) -> String {
    destination.map_or_else(|| "default".into(), |to| format!("{}/{}", to.address, to.len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Family, Instance, InstanceId, Route, Rule, RuleAction, StaticAddress, TrackGroup, VirtualAddress, Vrid,
    };

    fn name(text: &str) -> IfName {
        text.parse().unwrap()
    }

    fn instance(number: u8) -> Instance {
        Instance::new("V", Vrid::new(number).unwrap(), name("eth0"), Vec::new())
    }

    fn route(interface: &str) -> Route {
        Route {
            interface: Some(name(interface)),
            ..Route::new(Family::Ipv4, None)
        }
    }

    fn rule(iif: &str, oif: &str) -> Rule {
        Rule {
            iif: Some(name(iif)),
            oif: Some(name(oif)),
            ..Rule::new(Family::Ipv4, RuleAction::Table(100), 7)
        }
    }

    fn said(model: &Model) -> Vec<Vec<String>> {
        let one = |needed: &Needed| format!("{}: {}", needed.interface, needed.by);
        let lists = model.needed_interfaces();
        lists.iter().map(|list| list.iter().map(one).collect()).collect()
    }

    #[test]
    fn routes_and_rules_need_their_interfaces_unless_they_are_not_tracked() {
        let mut own = instance(1);
        own.routes = vec![
            route("r0"),
            route("r0"),
            Route {
                no_track: true,
                ..route("r1")
            },
        ];
        own.rules = vec![
            rule("i0", "o0"),
            Rule {
                no_track: true,
                ..rule("i1", "o1")
            },
        ];
        let model = Model {
            instances: vec![own, instance(2)],
            ..Model::default()
        };
        let rule = "virtual rule of preference 7";
        let own = [
            "r0: virtual route default".into(),
            format!("i0: {rule}"),
            format!("o0: {rule}"),
        ];
        assert_eq!(said(&model), [own.to_vec(), vec![]]);
    }

    #[test]
    fn all_members_of_a_group_need_what_its_entries_stand_on_and_of_a_rule_only_where_packets_come_in() {
        let group = Some(TrackGroupId(1));
        let address = |interface: &str, track_group| StaticAddress {
            address: VirtualAddress::plain("192.0.2.1".parse().unwrap(), 24, name(interface)),
            track_group,
        };
        let members = |ids: &[u32]| TrackGroup {
            name: "TG".into(),
            members: ids.iter().copied().map(InstanceId).collect(),
        };
        let model = Model {
            instances: vec![instance(1), instance(2), instance(3)],
            track_groups: vec![members(&[0]), members(&[1, 2])],
            static_addresses: vec![address("a0", None), address("a1", group)],
            static_routes: vec![Route {
                track_group: group,
                ..route("r0")
            }],
            static_rules: vec![Rule {
                track_group: group,
                ..rule("i0", "o0")
            }],
            ..Model::default()
        };
        let needed = [
            "a1: static address 192.0.2.1/24 of track_group TG",
            "r0: static route default of track_group TG",
            "i0: static rule of preference 7 of track_group TG",
        ];
        let needed = needed.map(String::from).to_vec();
        assert_eq!(said(&model), [vec![], needed.clone(), needed]);
    }
}
