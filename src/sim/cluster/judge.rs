//! What the plays mean: who is master when all is well, what every failure does, and what of it is a mistake.

use super::failures::{Failure, Outcome, Play, Row, Seen, Set, Start};
use super::lan::AddressOrder;
use super::{Code, Finding, Severity, instance_of, listed, name_of};
use crate::proto::StateName;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// One combination of failures from one way in which the masters stood.
pub(super) struct Played {
    /// Who was master of each router, as a position among its members.
    pub(super) masters: Vec<Option<usize>>,
    pub(super) set: Set,
    /// How the routers ended, for each order of unknown addresses.
    pub(super) outcomes: Vec<Vec<Outcome>>,
}

type Starts = [((Option<usize>, AddressOrder), Vec<Outcome>)];

/// The members that are master.
pub(super) fn masters(outcome: &Outcome) -> Vec<usize> {
    let seen = outcome.iter().flatten().enumerate();
    seen.filter(|(_, seen)| matches!(seen, Some((StateName::Master, _))))
        .map(|(member, _)| member)
        .collect()
}

/// Whether every way to start ends with one master a router.
pub(super) fn starts(play: &Play, starts: &Starts, findings: &mut Vec<Finding>) -> bool {
    let mut good = true;
    for router in 0..play.routers.len() {
        let bad = starts
            .iter()
            .filter_map(|(_, outcomes)| outcomes.get(router))
            .find(|outcome| masters(outcome).len() != 1);
        let Some(bad) = bad else { continue };
        good = false;
        let name = play.router_name(router);
        let (code, what) = match (bad, masters(bad).as_slice()) {
            (None, _) => (
                Code::NeverSettles,
                "the nodes do not come to rest when all is well".to_owned(),
            ),
            (Some(_), []) => (Code::NoMaster, "no node becomes master when all is well".to_owned()),
            (Some(_), several) => {
                let names = play.member_names(router, several);
                (
                    Code::TwoMasters,
                    format!("{} are master at the same time when all is well", listed(&names, "and")),
                )
            }
        };
        findings.push(play.finding(router, Severity::Error, code, format!("({name}) {what}")));
    }
    good
}

/// The nodes that can be master of a router when all is well.
pub(super) fn all_well(play: &Play, router: usize, starts: &Starts) -> Vec<Start> {
    let mut found: Vec<(usize, Start)> = Vec::new();
    for outcome in starts.iter().filter_map(|(_, outcomes)| outcomes.get(router)) {
        for member in masters(outcome) {
            let priority = seen(outcome, member).map_or(0, |(_, priority)| priority);
            let master = play.member_name(router, member).to_owned();
            if found.iter().all(|(known, _)| *known != member) {
                found.push((member, Start { master, priority }));
            }
        }
    }
    found.sort_by_key(|(member, _)| *member);
    found.into_iter().map(|(_, start)| start).collect()
}

/// The nodes that are master when all start at once.
pub(super) fn at_once(play: &Play, router: usize, starts: &Starts) -> Vec<String> {
    let together = starts.iter().filter(|((first, _), _)| first.is_none());
    let outcomes = together.filter_map(|(_, outcomes)| outcomes.get(router));
    let found: BTreeSet<usize> = outcomes.flat_map(masters).collect();
    let name = |member: &usize| play.member_name(router, *member).to_owned();
    found.iter().map(name).collect()
}

/// What every single failure does to a router.
pub(super) fn rows(play: &Play, router: usize, played: &[Played]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for play_of_set in played.iter().filter(|played| played.set.len() == 1) {
        let Some(Some(before)) = play_of_set.masters.get(router).copied() else {
            continue;
        };
        let Some(failure) = play_of_set.set.first().and_then(|index| play.failures.get(*index)) else {
            continue;
        };
        let row = Row {
            before: play.member_name(router, before).to_owned(),
            failure: failure.clone(),
            after: after(play_of_set, router)
                .iter()
                .map(|m| play.member_name(router, *m).to_owned())
                .collect(),
            text: describe(play, router, before, play_of_set),
        };
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// Every member that is master in one of the outcomes.
fn after(played: &Played, router: usize) -> BTreeSet<usize> {
    played
        .outcomes
        .iter()
        .filter_map(|outcomes| outcomes.get(router))
        .flat_map(masters)
        .collect()
}

fn seen(outcome: &Outcome, member: usize) -> Seen {
    outcome.as_ref()?.get(member).copied().flatten()
}

/// `100 < 111, node2 takes over`.
fn describe(play: &Play, router: usize, before: usize, played: &Played) -> String {
    let after: Vec<usize> = after(played, router).into_iter().collect();
    let outcome = played.outcomes.first().and_then(|outcomes| outcomes.get(router));
    let Some(outcome) = outcome else { return String::new() };
    if outcome.is_none() {
        return "the nodes do not come to rest".to_owned();
    }
    let old = play.member_name(router, before);
    let unequal = played
        .outcomes
        .iter()
        .filter_map(|outcomes| outcomes.get(router))
        .any(|outcome| masters(outcome).len() > 1);
    let names = play.member_names(router, &after);
    if unequal {
        return format!("{} are all master", listed(&names, "and"));
    }
    let state = match seen(outcome, before) {
        None => None,
        Some((StateName::Fault | StateName::Init, _)) => Some(format!("{old} cannot be master")),
        Some((StateName::Backup | StateName::Master, ours)) => {
            let theirs = after
                .iter()
                .filter(|m| **m != before)
                .filter_map(|m| seen(outcome, *m))
                .map(|(_, priority)| priority)
                .max();
            theirs.or_else(|| best_other(outcome, before)).map(|theirs| {
                let sign = match ours.cmp(&theirs) {
                    Ordering::Less => "<",
                    Ordering::Equal => "=",
                    Ordering::Greater => ">",
                };
                format!("{ours} {sign} {theirs}")
            })
        }
    };
    let what = match after.as_slice() {
        [] => "nobody is master".to_owned(),
        [only] if *only == before => format!("{old} stays master"),
        several => {
            let names = listed(&names, "or");
            let addresses = if several.len() > 1 {
                ", whose address is higher,"
            } else {
                ""
            };
            format!("{names}{addresses} takes over")
        }
    };
    state.map_or(what.clone(), |state| format!("{state}, {what}"))
}

/// The best priority among the other members that could be master.
fn best_other(outcome: &Outcome, member: usize) -> Option<u8> {
    let others = outcome
        .as_ref()?
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != member);
    others
        .filter_map(|(_, seen)| seen.filter(|(state, _)| matches!(state, StateName::Backup | StateName::Master)))
        .map(|(_, priority)| priority)
        .max()
}

/// What of the outcomes is a mistake. The smaller combinations come first; what they show is not shown again.
pub(super) fn outcomes(play: &Play, played: &[Played], starts: &Starts, findings: &mut Vec<Finding>) {
    for router in 0..play.routers.len() {
        let mut told: Vec<(Code, Set)> = Vec::new();
        let mut blamed: BTreeSet<usize> = BTreeSet::new();
        for one in played {
            let Some(Some(before)) = one.masters.get(router).copied() else {
                continue;
            };
            for outcome in one.outcomes.iter().filter_map(|outcomes| outcomes.get(router)) {
                let healthy = play.healthy(router, &one.set);
                let now = masters(outcome);
                let code = match (outcome, now.as_slice()) {
                    (None, _) => Some(Code::NeverSettles),
                    (Some(_), []) if !healthy.is_empty() => Some(Code::FailureLeavesNobody),
                    (Some(_), [_, _, ..]) => Some(Code::FailureLeavesTwoMasters),
                    (Some(_), [] | [_]) => None,
                };
                if let Some(code) = code {
                    if told
                        .iter()
                        .all(|(known, set)| *known != code || !set.is_subset(&one.set))
                    {
                        told.push((code, one.set.clone()));
                        findings.push(broken(play, router, code, one, outcome, &healthy));
                    }
                    continue;
                }
                let [master] = now.as_slice() else { continue };
                if *master == before && !healthy.contains(master) && !healthy.is_empty() {
                    for tracker in useless(play, router, one, played) {
                        if blamed.insert(tracker) {
                            findings.push(moves_nothing(play, router, *master, one, outcome, &healthy, starts));
                        }
                    }
                }
            }
        }
    }
}

/// The failed trackers of the master that would not move it with any other failures of the same node either, while the
/// other nodes are as they are.
fn useless(play: &Play, router: usize, one: &Played, played: &[Played]) -> Vec<usize> {
    let Some(Some(before)) = one.masters.get(router).copied() else {
        return Vec::new();
    };
    let node = play.member_name(router, before);
    let own = |index: &usize| {
        play.failures
            .get(*index)
            .is_some_and(|failure| failure.node() == node && !failure.is_death())
    };
    let elsewhere: Set = one.set.iter().filter(|index| !own(index)).copied().collect();
    let context: Vec<&Played> = played
        .iter()
        .filter(|other| other.masters == one.masters)
        .filter(|other| other.set.iter().filter(|index| !own(index)).copied().collect::<Set>() == elsewhere)
        .collect();
    let stays = |set: &Set| {
        let found = context.iter().find(|other| other.set == *set);
        // What was not played, the empty set among it, leaves the master where it is.
        found.is_none_or(|other| after(other, router).contains(&before))
    };
    let matters = |tracker: &usize| {
        context.iter().any(|other| {
            let mut without = other.set.clone();
            without.remove(tracker) && !stays(&other.set) && stays(&without)
        })
    };
    one.set
        .iter()
        .filter(|index| own(index))
        .filter(|tracker| !matters(tracker))
        .copied()
        .collect()
}

fn broken(play: &Play, router: usize, code: Code, one: &Played, outcome: &Outcome, healthy: &[usize]) -> Finding {
    let name = play.router_name(router);
    let failed = play.words(&one.set);
    let what = match (code, masters(outcome)) {
        (Code::FailureLeavesNobody, _) => {
            let well = play.member_names(router, healthy);
            let verb = if well.len() > 1 { "are" } else { "is" };
            format!("nobody is master, although {} {verb} well", listed(&well, "and"))
        }
        (Code::FailureLeavesTwoMasters, now) => {
            format!("{} are all master", listed(&play.member_names(router, &now), "and"))
        }
        (_, _) => "the nodes do not come to rest".to_owned(),
    };
    play.finding(router, Severity::Error, code, format!("({name}) when {failed}, {what}"))
}

fn moves_nothing(
    play: &Play,
    router: usize,
    master: usize,
    one: &Played,
    outcome: &Outcome,
    healthy: &[usize],
    starts: &Starts,
) -> Finding {
    let ours = seen(outcome, master).map_or(0, |(_, priority)| priority);
    let theirs = |member: &usize| seen(outcome, *member).map_or(0, |(_, priority)| priority);
    let best = healthy.iter().copied().max_by_key(theirs).unwrap_or(master);
    let (own, other) = (play.member_name(router, master), play.member_name(router, best));
    let theirs = theirs(&best);
    let word = if ours > theirs { "still has" } else { "has" };
    let message = format!(
        "({}) when {}, {own} {word} {ours} and stays master; {other} is well and has {theirs}",
        play.router_name(router),
        play.words(&one.set)
    );
    let mut finding = play.finding(router, Severity::Warning, Code::FailureMovesNothing, message);
    let member = play.routers.get(router).and_then(|members| members.get(best));
    let nopreempt = member
        .and_then(|member| instance_of(&play.nodes, member))
        .is_some_and(|i| !i.preempt);
    let well = starts
        .iter()
        .filter_map(|(_, outcomes)| outcomes.get(router))
        .find(|outcome| masters(outcome) == [master])
        .and_then(|outcome| seen(outcome, master));
    finding.hint = if theirs > ours && nopreempt {
        Some(format!(
            "{other} has nopreempt, so it does not take over from a master that lives, whatever the priorities are; with weight 0 the failure would be a fault and the addresses would move"
        ))
    } else {
        well.map(|(_, well)| {
            format!(
                "the weight has to be more than {} (the priorities are {well} and {theirs}), or 0, which makes the failure a fault",
                well.saturating_sub(theirs)
            )
        })
    };
    finding
}

impl Play {
    pub(super) fn router_name(&self, router: usize) -> &str {
        let first = self.routers.get(router).and_then(|members| members.first());
        first
            .and_then(|member| instance_of(&self.nodes, member))
            .map_or("?", |instance| &instance.name)
    }

    /// The node of a member.
    pub(super) fn member_name(&self, router: usize, member: usize) -> &str {
        let member = self.routers.get(router).and_then(|members| members.get(member));
        member.map_or("?", |member| name_of(&self.nodes, member.node))
    }

    pub(super) fn member_names(&self, router: usize, members: &[usize]) -> Vec<&str> {
        members.iter().map(|member| self.member_name(router, *member)).collect()
    }

    /// The members whose nodes have no failure of this set that concerns the router.
    fn healthy(&self, router: usize, set: &Set) -> Vec<usize> {
        let failed: Vec<&Failure> = set.iter().filter_map(|index| self.failures.get(*index)).collect();
        let members = self.routers.get(router).map(Vec::as_slice).unwrap_or_default();
        let is_well = |member: &usize| {
            let node = self.member_name(router, *member);
            failed.iter().all(|failure| failure.node() != node)
        };
        (0..members.len()).filter(is_well).collect()
    }

    /// `chk fails on a and b dies`.
    fn words(&self, set: &Set) -> String {
        let words: Vec<String> = set
            .iter()
            .filter_map(|index| self.failures.get(*index))
            .map(Failure::to_string)
            .collect();
        listed(&words.iter().map(String::as_str).collect::<Vec<_>>(), "and")
    }
}
