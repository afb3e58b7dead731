//! What can fail in a cluster, every combination of it, and what then happens: played on the stage.

use super::lan::{AddressOrder, lan};
use super::router::{Member, Router};
use super::stage::Stage;
use super::trackers::Tracked;
use super::{ClusterNode, RouterReport, Severity, instance_of, judge, name_of};
use super::{Code, Finding};
use crate::model::{
    IfName, Instance, InstanceId, Model, Needed, ProcessId, ScriptId, TrackInterface, TrackedFileId, Weight,
};
use crate::proto::{InstanceSnapshot, StateName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most plays for one virtual router. Beyond it, combinations of more than two failures, then of more than one are left out.
const MOST_PLAYS: usize = 2_000;

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Failure {
    /// A check script of a node fails.
    Script {
        /// The node.
        node: String,
        /// Name of the `vrrp_script`.
        name: Arc<str>,
    },
    /// A tracked file of a node speaks against it.
    File {
        /// The node.
        node: String,
        /// Name of the `track_file`.
        name: Arc<str>,
    },
    /// The processes that a node tracks are not as they should be.
    Process {
        /// The node.
        node: String,
        /// Name of the `vrrp_track_process`.
        name: Arc<str>,
    },
    /// An interface of a node goes down.
    Interface {
        /// The node.
        node: String,
        /// The interface.
        name: IfName,
    },
    /// A node dies.
    Death {
        /// The node.
        node: String,
    },
}

impl Failure {
    /// The node that it happens on.
    #[must_use]
    pub fn node(&self) -> &str {
        match self {
            Self::Script { node, .. }
            | Self::File { node, .. }
            | Self::Process { node, .. }
            | Self::Interface { node, .. }
            | Self::Death { node } => node,
        }
    }

    /// Whether the whole node is gone.
    #[must_use]
    pub const fn is_death(&self) -> bool {
        matches!(self, Self::Death { .. })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Script { node, name } => write!(f, "{name} fails on {node}"),
            Self::File { node, name } => write!(f, "file {name} fails on {node}"),
            Self::Process { node, name } => write!(f, "process {name} fails on {node}"),
            Self::Interface { node, name } => write!(f, "{name} goes down on {node}"),
            Self::Death { node } => write!(f, "{node} dies"),
        }
    }
}

/// A node that can be master when all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// The node.
    pub master: String,
    /// The priority that it then advertises.
    pub priority: u8,
}

/// What one failure does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Who was master.
    pub before: String,
    /// What failed.
    pub failure: Failure,
    /// Who is master then: nobody, one node, or one of several nodes whose addresses decide and are not known.
    pub after: Vec<String>,
    /// In words.
    pub text: String,
}

/// Which node starts first; `None`: all at once.
type First = Option<usize>;

/// How the nodes are started.
type Setting = (First, AddressOrder);

/// Failures of one play: positions in [`Play::failures`].
pub(super) type Set = BTreeSet<usize>;

/// What an instance of a node has come to; `None` for a dead node.
pub(super) type Seen = Option<(StateName, u8)>;

/// How a virtual router ended, by the members of the router; `None` if it never came to rest.
pub(super) type Outcome = Option<Vec<Seen>>;

/// The virtual routers that are played together.
pub(super) struct Play {
    pub(super) nodes: Vec<ClusterNode>,
    pub(super) routers: Vec<Router>,
    pub(super) failures: Vec<Failure>,
    /// Combinations, the smaller ones first; whether these are all.
    sets: Vec<Set>,
    complete: bool,
}

/// Plays an island; the reports with the position of their router.
pub(super) fn play(
    nodes: &[ClusterNode],
    routers: &[Router],
    island: &[usize],
) -> (Vec<(usize, RouterReport)>, Vec<Finding>) {
    let play = Play::new(nodes, routers, island);
    let starts = play.starts();
    let mut findings = Vec::new();
    let mut reports = Vec::new();
    let settled = judge::starts(&play, &starts, &mut findings);
    let mut outcomes: Vec<judge::Played> = Vec::new();
    if settled && play.nodes.len() > 1 {
        for (masters, settings) in play.distinct(&starts) {
            for set in &play.sets {
                let outcomes_of_set = settings.iter().map(|setting| play.run(*setting, Some(set))).collect();
                outcomes.push(judge::Played {
                    masters: masters.clone(),
                    set: set.clone(),
                    outcomes: outcomes_of_set,
                });
            }
        }
        judge::outcomes(&play, &outcomes, &starts, &mut findings);
    }
    for (position, router) in island.iter().enumerate() {
        let members = play.routers.get(position).map(Vec::as_slice).unwrap_or_default();
        let first = members.first().and_then(|member| instance_of(&play.nodes, member));
        let Some(first) = first else { continue };
        let report = RouterReport {
            name: first.name.to_string(),
            vrid: first.vrid,
            family: first.family,
            vips: first.vips.iter().map(|vip| vip.address).collect(),
            nodes: members
                .iter()
                .map(|m| name_of(&play.nodes, m.node).to_owned())
                .collect(),
            all_well: judge::all_well(&play, position, &starts),
            at_once: judge::at_once(&play, position, &starts),
            failures: judge::rows(&play, position, &outcomes),
            played: outcomes.len(),
            complete: play.complete,
        };
        reports.push((*router, report));
    }
    // The caller's nodes are more than those that were played.
    for place in findings
        .iter_mut()
        .flat_map(|finding: &mut Finding| &mut finding.places)
    {
        let name = name_of(&play.nodes, place.node);
        place.node = nodes.iter().position(|node| node.name == name).unwrap_or(place.node);
    }
    (reports, findings)
}

impl Play {
    fn new(nodes: &[ClusterNode], routers: &[Router], island: &[usize]) -> Self {
        let members: BTreeSet<Member> = island
            .iter()
            .filter_map(|r| routers.get(*r))
            .flatten()
            .copied()
            .collect();
        let mut played: Vec<ClusterNode> = Vec::new();
        let mut positions: BTreeMap<Member, Member> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            let own: Vec<Member> = members.iter().filter(|member| member.node == index).copied().collect();
            if own.is_empty() {
                continue;
            }
            let needed = node.model.needed_interfaces();
            let mut model = node.model.clone();
            model.instances.clear();
            // What follows them is told by the instances themselves.
            model.track_groups.clear();
            model.static_addresses.clear();
            model.static_routes.clear();
            model.static_rules.clear();
            model.groups.iter_mut().for_each(|group| group.members.clear());
            for member in own {
                if let Some(instance) = instance_of(nodes, &member) {
                    let position = Member {
                        node: played.len(),
                        instance: model.instances.len(),
                    };
                    positions.insert(member, position);
                    let group = instance.sync_group.and_then(|id| usize::try_from(id.0).ok());
                    if let Some(group) = group.and_then(|group| model.groups.get_mut(group)) {
                        group.members.extend(u32::try_from(position.instance).map(InstanceId));
                    }
                    let needed = needed.get(member.instance).map(|needed| &**needed);
                    model.instances.push(essence(instance, needed.unwrap_or_default()));
                }
            }
            let name = node.name.clone();
            played.push(ClusterNode { name, model });
        }
        let routers: Vec<Router> = island
            .iter()
            .filter_map(|r| routers.get(*r))
            .map(|router| {
                router
                    .iter()
                    .filter_map(|member| positions.get(member).copied())
                    .collect()
            })
            .collect();
        let by_node: Vec<Vec<Failure>> = played.iter().map(failures).collect();
        let failures: Vec<Failure> = by_node.iter().flatten().cloned().collect();
        let (sets, complete) = sets(&by_node);
        Self {
            nodes: played,
            routers,
            failures,
            sets,
            complete,
        }
    }

    /// Every way to start, and how the routers then are.
    fn starts(&self) -> Vec<(Setting, Vec<Outcome>)> {
        let firsts = std::iter::once(None).chain((0..self.nodes.len()).map(Some));
        let known = |member: &Member| {
            instance_of(&self.nodes, member).is_some_and(|i| i.source.is_some() || i.transport.is_unicast())
        };
        let all_known = self.routers.iter().flatten().all(known);
        let orders: &[AddressOrder] = if all_known {
            &[AddressOrder::Ascending]
        } else {
            &[AddressOrder::Ascending, AddressOrder::Descending]
        };
        firsts
            .flat_map(|first| orders.iter().map(move |order| (first, *order)))
            .map(|setting| (setting, self.run(setting, None)))
            .collect()
    }

    /// One way to start for each way in which the masters can stand when all is well, for each order of unknown addresses.
    fn distinct(&self, starts: &[(Setting, Vec<Outcome>)]) -> Vec<(Vec<Option<usize>>, Vec<Setting>)> {
        let mut distinct: Vec<(Vec<Option<usize>>, Vec<Setting>)> = Vec::new();
        for (setting, outcomes) in starts {
            let masters: Vec<Option<usize>> = outcomes
                .iter()
                .map(|outcome| judge::masters(outcome).first().copied())
                .collect();
            match distinct.iter_mut().find(|(known, _)| *known == masters) {
                Some((_, settings)) => {
                    if settings.iter().all(|(_, order)| *order != setting.1) {
                        settings.push(*setting);
                    }
                }
                None => distinct.push((masters, vec![*setting])),
            }
        }
        distinct
    }

    /// Starts the nodes, lets these failures happen, and looks.
    fn run(&self, (first, order): Setting, set: Option<&Set>) -> Vec<Outcome> {
        let lan = lan(&self.nodes, &self.routers, order);
        let mut stage = Stage::new(&self.nodes, &lan);
        let mut settled = true;
        if let Some(first) = first {
            stage.boot(first);
            settled &= stage.settle();
        }
        for node in (0..self.nodes.len()).filter(|node| Some(*node) != first) {
            stage.boot(node);
        }
        settled &= stage.settle();
        let mut dead = BTreeSet::new();
        for failure in set.into_iter().flatten().filter_map(|index| self.failures.get(*index)) {
            let Some(node) = self.nodes.iter().position(|node| node.name == failure.node()) else {
                continue;
            };
            match failure {
                Failure::Script { name, .. } => {
                    let script = self.numbered(node, |model| model.scripts.iter().position(|s| s.name == *name));
                    script
                        .map(ScriptId)
                        .into_iter()
                        .for_each(|script| stage.fail_script(node, script));
                }
                Failure::File { name, .. } => {
                    let file = self.numbered(node, |model| model.files.iter().position(|f| f.name == *name));
                    file.map(TrackedFileId)
                        .into_iter()
                        .for_each(|file| stage.fail_file(node, file));
                }
                Failure::Process { name, .. } => {
                    let process = self.numbered(node, |model| model.processes.iter().position(|p| p.name == *name));
                    let process = process.map(ProcessId);
                    process
                        .into_iter()
                        .for_each(|process| stage.fail_process(node, process));
                }
                Failure::Interface { name, .. } => stage.fail_link(node, name),
                Failure::Death { .. } => {
                    stage.kill(node);
                    dead.insert(node);
                }
            }
        }
        if set.is_some() {
            settled &= stage.settle();
        }
        let seen = |member: &Member| -> Seen {
            let look = |snapshot: InstanceSnapshot| (snapshot.state, snapshot.priority.effective.get());
            stage.look(member.node, member.instance).map(look)
        };
        let outcome = |router: &Router| settled.then(|| router.iter().map(seen).collect());
        self.routers.iter().map(outcome).collect()
    }

    /// Where something stands in a list of a node's model.
    fn numbered(&self, node: usize, position: impl Fn(&Model) -> Option<usize>) -> Option<u32> {
        let position = position(&self.nodes.get(node)?.model)?;
        u32::try_from(position).ok()
    }

    /// A finding about a router of this play.
    pub(super) fn finding(&self, router: usize, severity: Severity, code: Code, message: String) -> Finding {
        let members = self.routers.get(router).map(Vec::as_slice).unwrap_or_default();
        Finding {
            severity,
            code,
            message,
            hint: None,
            places: super::compare::places(&self.nodes, members, None),
        }
    }
}

/// What of an instance matters for who is master. An interface that it needs is tracked without weight.
fn essence(instance: &Instance, needed: &[Needed]) -> Instance {
    let mut instance = instance.clone();
    let vips = instance.vips.iter().chain(&instance.excluded_vips);
    let vips = vips.filter(|vip| !vip.no_track).map(|vip| &vip.interface);
    let vips = vips.filter(|name| instance.interface.as_ref() != Some(*name));
    let needed: BTreeSet<IfName> = needed
        .iter()
        .map(|needed| &needed.interface)
        .chain(vips)
        .cloned()
        .collect();
    instance
        .track_interfaces
        .retain(|track| !needed.contains(&track.interface));
    instance
        .track_interfaces
        .extend(needed.into_iter().map(|interface| TrackInterface {
            interface,
            weight: Weight::ZERO,
        }));
    // The addresses of the stage are the node's own; whether the source exists is the host's affair.
    instance.track_source = false;
    instance.own_link = None;
    instance.routes.clear();
    instance.rules.clear();
    instance
}

/// What can fail on a node: its trackers, its links if it has several, itself.
fn failures(node: &ClusterNode) -> Vec<Failure> {
    let model = &node.model;
    let tracked = Tracked::of(model);
    let own: BTreeSet<IfName> = model.instances.iter().filter_map(|i| i.interface.clone()).collect();
    let mut links = tracked.interfaces;
    if own.len() > 1 {
        links.extend(own);
    }
    let at = |id: u32| usize::try_from(id).unwrap_or(usize::MAX);
    let mut all = Vec::new();
    let scripts = tracked.scripts.iter().filter_map(|id| model.script(*id));
    all.extend(scripts.map(|script| Failure::Script {
        node: node.name.clone(),
        name: script.name.clone(),
    }));
    let files = tracked.files.iter().filter_map(|id| model.files.get(at(id.0)));
    all.extend(files.map(|file| Failure::File {
        node: node.name.clone(),
        name: file.name.clone(),
    }));
    let processes = tracked.processes.iter().filter_map(|id| model.processes.get(at(id.0)));
    all.extend(processes.map(|process| Failure::Process {
        node: node.name.clone(),
        name: process.name.clone(),
    }));
    all.extend(links.into_iter().map(|name| Failure::Interface {
        node: node.name.clone(),
        name,
    }));
    all.push(Failure::Death {
        node: node.name.clone(),
    });
    all
}

/// Combinations of failures, at least one and never of all nodes; a dead node has no other failure.
fn sets(by_node: &[Vec<Failure>]) -> (Vec<Set>, bool) {
    let ways =
        |failures: &Vec<Failure>| 2usize.saturating_pow(u32::try_from(failures.len() - 1).unwrap_or(u32::MAX)) + 1;
    let all = by_node.iter().map(ways).fold(1, usize::saturating_mul);
    let count: usize = by_node.iter().map(Vec::len).sum();
    let limit = match () {
        () if all <= MOST_PLAYS => usize::MAX,
        () if count.saturating_mul(count) / 2 <= MOST_PLAYS => 2,
        () => 1,
    };
    let mut sets: Vec<Set> = vec![Set::new()];
    let mut position = 0;
    for failures in by_node {
        let trackers: Vec<usize> = (position..position + failures.len() - 1).collect();
        let death = position + failures.len() - 1;
        let before = sets.clone();
        for tracker in trackers {
            let more: Vec<Set> = sets
                .iter()
                .filter(|set| set.len() < limit)
                .map(|set| with(set, tracker))
                .collect();
            sets.extend(more);
        }
        sets.extend(
            before
                .iter()
                .filter(|set| set.len() < limit)
                .map(|set| with(set, death)),
        );
        position = death + 1;
    }
    let deaths: Vec<usize> = by_node
        .iter()
        .scan(0, |end, failures| {
            *end += failures.len();
            Some(*end - 1)
        })
        .collect();
    sets.retain(|set| !set.is_empty() && !deaths.iter().all(|death| set.contains(death)));
    sets.sort_by_key(|set| (set.len(), set.clone()));
    (sets, limit == usize::MAX)
}

fn with(set: &Set, failure: usize) -> Set {
    let mut set = set.clone();
    set.insert(failure);
    set
}
