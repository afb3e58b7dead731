//! Why an instance is in its state, in plain words: the causes in their order, the arithmetic of the priority, who else is
//! there, and what would change it.

use super::json::{InstanceStatus, ProblemStatus, Status};
use super::text::priority;
use crate::proto::{Evidence, InstanceSnapshot, Past, PriorityChange, Reason, StateName};

/// The causes of a state, the first one first; the last one is the state.
pub(super) fn chain(of: &InstanceSnapshot) -> Vec<String> {
    let mut chain = Vec::new();
    causes(&of.reason, &mut chain);
    // A priority that changed since, or that is low, explains why a backup stays one; the reason does not know of it.
    if let Some((at, change)) = &of.last_priority
        && of.state == StateName::Backup
        && change.to == of.priority.effective
        && (*at >= of.since || change.to < of.priority.base)
        && !chain.iter().any(|link| link.contains(&change.cause.to_string()))
    {
        priority_links(change, &mut chain);
    }
    let (state, reason) = (of.state.as_str(), of.reason.bare());
    chain.push(format!("it is {state} because {reason}"));
    chain
}

/// What lies behind a reason, without the reason itself.
fn causes(reason: &Reason, chain: &mut Vec<String>) {
    if let Reason::Preempted { because, .. } | Reason::HigherPriority { because, .. } = reason {
        for evidence in because {
            match evidence {
                Evidence::Ours(change) => priority_links(change, chain),
                other @ (Evidence::Theirs { .. }
                | Evidence::Asleep { .. }
                | Evidence::Absent(_)
                | Evidence::Waited { .. }) => {
                    chain.push(other.to_string());
                }
            }
        }
    }
    if let Reason::FaultCleared { fault: Some(fault) } = reason {
        chain.push(Past(fault).to_string());
    }
    if let Reason::Group {
        member,
        because: Some(because),
        ..
    } = reason
    {
        causes(because, chain);
        chain.push(format!("member {member}: {because}"));
    }
}

fn priority_links(change: &PriorityChange, chain: &mut Vec<String>) {
    chain.push(change.cause.to_string());
    let how = if change.to < change.from { "fell" } else { "rose" };
    chain.push(format!("its priority {how} from {} to {}", change.from, change.to));
}

/// The whole story of each instance, then what is wrong with the daemon itself.
#[must_use]
pub fn stories(status: &Status) -> String {
    let of = |instance: &InstanceStatus| story(instance, &status.problems);
    let mut text: String = status.instances.iter().map(of).collect();
    for problem in status.problems.iter().filter(|problem| problem.instance.is_none()) {
        text.push_str(&format!("{}\n", worded(problem)));
    }
    text
}

fn worded(problem: &ProblemStatus) -> String {
    let ProblemStatus {
        severity, text, code, ..
    } = problem;
    format!("{}: {text} [{code}]", severity.as_str())
}

/// The whole story of one instance.
fn story(instance: &InstanceStatus, problems: &[ProblemStatus]) -> String {
    let mut lines = vec![format!(
        "{} is {} since {}, because {}.",
        instance.name,
        instance.state.as_str(),
        instance.since,
        instance.reason_text
    )];
    if instance.chain.len() > 1 {
        lines.push("  What led to it:".into());
        let numbered = instance.chain.iter().enumerate();
        lines.extend(numbered.map(|(at, link)| format!("    {}. {link}", at + 1)));
    }
    if let Some(last) = instance
        .last_transition
        .as_ref()
        .filter(|last| last.reason != instance.reason)
    {
        lines.push(format!(
            "  Its last change was {} → {}, because {}.",
            last.from.as_str(),
            last.to.as_str(),
            last.detail
        ));
    }
    let faults = instance.faults.iter();
    lines.extend(faults.map(|fault| format!("  It cannot take part while {}.", fault.text)));
    // A fault has been told.
    let told = |problem: &&ProblemStatus| instance.faults.iter().any(|fault| fault.code == problem.code);
    let own = problems
        .iter()
        .filter(|problem| problem.instance.as_ref() == Some(&instance.name));
    lines.extend(
        own.filter(|problem| !told(problem))
            .map(|problem| format!("  {}", worded(problem))),
    );
    lines.extend(instance.holds.iter().map(|hold| format!("  Note: {}.", hold.text)));
    if let Some(until) = instance.drain.as_ref().and_then(|drain| drain.until) {
        lines.push(format!("  Its drain ends by itself at {until}."));
    }
    lines.extend(arithmetic(instance));
    lines.extend(others(instance));
    lines.push(format!("  {}", what_next(instance)));
    lines.push(String::new());
    lines.join("\n")
}

fn arithmetic(instance: &InstanceStatus) -> Vec<String> {
    let mut lines = vec![format!("  Priority {}.", priority(instance))];
    for c in &instance.priority.contributions {
        let (kind, name, status) = (c.tracker.as_str(), &c.name, c.status.as_str());
        let effect = match (c.weight, c.adds) {
            (0, _) => "its failure is a fault".to_owned(),
            (weight, 0) => format!("adds nothing now (weight {weight})"),
            (weight, adds) => format!("adds {adds:+} (weight {weight})"),
        };
        lines.push(format!("    {kind} {name} is {status}: {effect}"));
    }
    if let Some(change) = &instance.last_priority {
        let (from, to, at) = (change.from, change.to, change.at);
        lines.push(format!(
            "    It last changed from {from} to {to} at {at}, because {}.",
            change.cause
        ));
    }
    lines
}

fn others(instance: &InstanceStatus) -> Vec<String> {
    let mut lines = vec![match (&instance.master, instance.state) {
        (Some(_), StateName::Master) => "  It is the master itself.".into(),
        (Some(master), _) => format!("  The master is {} with priority {}.", master.address, master.priority),
        (None, _) => "  No master is known.".into(),
    }];
    for peer in &instance.peers {
        let verdict = match (&peer.dropped, peer.one_way) {
            (Some(dropped), _) => format!(", not understood ({dropped})"),
            (None, true) => ", and it does not hear us".into(),
            (None, false) => String::new(),
        };
        lines.push(format!(
            "    heard {} with priority {}, {} ms ago{verdict}",
            peer.address, peer.priority, peer.last_seen_ms
        ));
    }
    let silent = instance.silent_peers.iter();
    lines.extend(silent.map(|peer| format!("    never heard {peer} (backups are silent)")));
    lines
}

fn what_next(instance: &InstanceStatus) -> String {
    let timer = instance.timer.as_ref().map_or(0, |timer| timer.remaining_ms);
    let forced = instance.drain.as_ref().is_some_and(|drain| drain.force);
    match instance.state {
        StateName::Master => {
            "It gives mastership up to a higher priority, to the same priority from a higher address, or by a fault."
                .into()
        }
        StateName::Backup if forced => "It stays out until it is resumed, even when nobody else is master.".into(),
        StateName::Backup if instance.preempt => format!(
            "It takes over when it hears no advert of at least its own priority for {} ms; at present {timer} ms are left.",
            instance.master_down_interval_ms
        ),
        StateName::Backup => format!(
            "It takes over when it hears no master at all for {} ms (nopreempt); at present {timer} ms are left.",
            instance.master_down_interval_ms
        ),
        StateName::Fault => "It becomes backup when the last fault has gone.".into(),
        StateName::Init => "It waits for what is told above.".into(),
    }
}
