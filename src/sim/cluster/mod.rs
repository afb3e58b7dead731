//! The cluster lint: what several nodes do together, found out with the real core on the virtual clock.
//!
//! `router` finds out which instances of the nodes are one virtual router, `lan` which links they share and which addresses
//! they have, `compare` what does not fit together as written. `stage` plays the nodes; `failures` asks it who becomes
//! master when all is well and what every failure does, and judges the answers; `trackers` knows what can fail of a node's trackers. Nothing here computes a priority.

mod compare;
mod failures;
mod finding;
mod judge;
pub(super) mod lan;
mod router;
pub(super) mod stage;
pub(super) mod trackers;

pub use failures::{Failure, Row, Start};
pub use finding::{Code, Finding, Place, Severity};

use crate::model::{Family, Model, Vrid};
use router::Member;
use serde::Serialize;
use std::net::IpAddr;

/// One node of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterNode {
    /// How people call it.
    pub name: String,
    /// Its configuration.
    pub model: Model,
}

/// What was found out about a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterReport {
    /// The virtual routers in the order of the first file that has them.
    pub routers: Vec<RouterReport>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
}

/// What was found out about one virtual router.
#[derive(Debug, Clone, Serialize)]
pub struct RouterReport {
    /// Name of the instance, of the first node that has it.
    pub name: String,
    /// Its VRID, of the first node.
    pub vrid: Vrid,
    /// Its family.
    pub family: Family,
    /// Its addresses, of the first node.
    pub vips: Vec<IpAddr>,
    /// The nodes that have it.
    pub nodes: Vec<String>,
    /// Who is master when all is well, one entry for each possible one.
    pub all_well: Vec<Start>,
    /// Who is master when all nodes start at once: several when addresses decide that no file tells.
    pub at_once: Vec<String>,
    /// What every single failure does.
    pub failures: Vec<Row>,
    /// How many combinations of failures were played.
    pub played: usize,
    /// Whether these were all that there are.
    pub complete: bool,
}

/// Judges a cluster.
#[must_use]
pub fn judge(nodes: &[ClusterNode]) -> ClusterReport {
    let routers = router::routers(nodes);
    let mut findings = compare::compare(nodes, &routers);
    let mut reports = Vec::new();
    for island in router::islands(nodes, &routers) {
        let (mut island_reports, mut island_findings) = failures::play(nodes, &routers, &island);
        reports.append(&mut island_reports);
        findings.append(&mut island_findings);
    }
    reports.sort_by_key(|(index, _)| *index);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    ClusterReport {
        routers: reports.into_iter().map(|(_, report)| report).collect(),
        findings,
    }
}

/// The name of a node.
fn name_of(nodes: &[ClusterNode], index: usize) -> &str {
    nodes.get(index).map_or("?", |node| node.name.as_str())
}

/// The instance behind a member.
fn instance_of<'n>(nodes: &'n [ClusterNode], member: &Member) -> Option<&'n crate::model::Instance> {
    nodes.get(member.node)?.model.instances.get(member.instance)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [head @ .., tail] => format!("{} {last} {tail}", head.join(", ")),
    }
}
