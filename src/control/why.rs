//! Why an instance is in its state, in plain words: the cause with its evidence, the arithmetic of the priority, who else is
//! there, and what would change it.

use super::json::InstanceStatus;
use super::text::priority;
use crate::proto::StateName;
use std::fmt::Write as _;

/// The whole story of one instance.
#[must_use]
pub fn story(instance: &InstanceStatus) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let state = instance.state.as_str();
    say(format!(
        "{} is {state} since {}, because {}.",
        instance.name, instance.since, instance.reason_text
    ));
    if let Some(last) = instance
        .last_transition
        .as_ref()
        .filter(|last| last.reason != instance.reason)
    {
        say(format!(
            "  Its last change was {} → {}, because {}.",
            last.from.as_str(),
            last.to.as_str(),
            last.detail
        ));
    }
    for fault in &instance.faults {
        say(format!("  It cannot take part while {}.", fault.text));
    }
    say(format!("  Priority {}.", priority(instance)));
    for c in &instance.priority.contributions {
        let (kind, name, status) = (c.tracker.as_str(), &c.name, c.status.as_str());
        let effect = match (c.weight, c.adds) {
            (0, _) => "its failure is a fault".to_owned(),
            (weight, 0) => format!("adds nothing now (weight {weight})"),
            (weight, adds) => format!("adds {adds:+} (weight {weight})"),
        };
        say(format!("    {kind} {name} is {status}: {effect}"));
    }
    match (&instance.master, instance.state) {
        (Some(_), StateName::Master) => say("  It is the master itself.".into()),
        (Some(master), _) => say(format!(
            "  The master is {} with priority {}.",
            master.address, master.priority
        )),
        (None, _) => say("  No master is known.".into()),
    }
    for peer in &instance.peers {
        let mut line = String::new();
        // Writing to a string cannot fail.
        if write!(
            line,
            "    heard {} with priority {}, {} ms ago",
            peer.address, peer.priority, peer.last_seen_ms
        )
        .is_ok()
        {
            say(line);
        }
    }
    say(format!("  {}", what_next(instance)));
    text
}

fn what_next(instance: &InstanceStatus) -> String {
    let timer = instance.timer.as_ref().map_or(0, |timer| timer.remaining_ms);
    match instance.state {
        StateName::Master => {
            "It gives mastership up to a higher priority, to the same priority from a higher address, or by a fault."
                .into()
        }
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
