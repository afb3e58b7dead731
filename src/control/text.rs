//! Tables for people: aligned columns, plain text.

use super::Status;
use super::events::EventStatus;
use super::json::InstanceStatus;
use crate::proto::{Severity, StateName};
use jiff::Timestamp;

/// Rows in aligned columns.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// One line for each instance, and the problems below.
#[must_use]
pub fn overview(status: &Status) -> String {
    let mut rows = vec![row(&[
        "INSTANCE",
        "STATE",
        "SINCE",
        "PRIORITY",
        "INTERFACE",
        "VRID",
        "MASTER",
        "ADDRESSES",
        "REASON",
    ])];
    rows.extend(status.instances.iter().map(|instance| {
        vec![
            instance.name.clone(),
            instance.state.as_str().into(),
            ago(instance.since, status.taken_at),
            priority(instance),
            instance.interface.clone().unwrap_or_else(|| "-".into()),
            instance.vrid.to_string(),
            instance
                .master
                .as_ref()
                .map_or_else(|| "-".into(), |m| format!("{} ({})", m.address, m.priority)),
            addresses(instance),
            instance.reason_text.clone(),
        ]
    }));
    let mut text = table(&rows);
    for problem in &status.problems {
        let whose = problem
            .instance
            .as_ref()
            .map_or_else(String::new, |name| format!("{name}: "));
        text.push_str(&format!(
            "{}: {whose}{} [{}]\n",
            problem.severity.as_str(),
            problem.text,
            problem.code
        ));
    }
    text
}

/// One event, one line.
#[must_use]
pub fn event(event: &EventStatus) -> String {
    let whose = event
        .instance
        .as_deref()
        .map_or_else(String::new, |name| format!("({name}) "));
    format!("{:.3}  {:<15}  {whose}{}\n", event.at, event.kind, event.text)
}

/// Problems beside the worst that a monitoring plugin's line names.
const MORE: usize = 5;

/// One line as monitoring plugins print it, and their exit status: 0 all is well, 1 warnings, 2 errors.
#[must_use]
pub fn verdict(found: &[Status]) -> (String, u8) {
    let problems: Vec<_> = found.iter().flat_map(|status| &status.problems).collect();
    let worst = problems.iter().map(|problem| problem.severity).max();
    let (word, exit) = match worst {
        None | Some(Severity::Note) => ("OK", 0),
        Some(Severity::Warning) => ("WARNING", 1),
        Some(Severity::Error) => ("CRITICAL", 2),
    };
    let instances = || found.iter().flat_map(|status| &status.instances);
    let count = |state| instances().filter(|instance| instance.state == state).count();
    let (masters, backups, faults) = (
        count(StateName::Master),
        count(StateName::Backup),
        count(StateName::Fault),
    );
    let counted = problems
        .iter()
        .filter(|problem| problem.severity != Severity::Note)
        .count();
    let first = problems
        .iter()
        .find(|problem| Some(problem.severity) == worst)
        .filter(|_| exit > 0);
    let text = first.map_or_else(
        || format!("{} instances, {masters} master, {backups} backup", instances().count()),
        |problem| {
            let whose = problem
                .instance
                .as_ref()
                .map_or_else(String::new, |name| format!("{name}: "));
            let others = problems.iter().filter(|other| other.severity != Severity::Note);
            let others: Vec<&str> = others
                .filter(|other| !std::ptr::eq(**other, *problem))
                .map(|other| other.code.as_str())
                .take(MORE)
                .collect();
            let more = match counted {
                0 | 1 => String::new(),
                all => format!(" (and {} more: {})", all - 1, others.join(", ")),
            };
            format!("{whose}{} [{}]{more}", problem.text, problem.code)
        },
    );
    let line =
        format!("VRRP {word} - {text} | masters={masters} backups={backups} faults={faults} problems={counted}\n");
    (line, exit)
}

/// The peers heard.
#[must_use]
pub fn peers(status: &Status) -> String {
    let mut rows = vec![row(&[
        "INSTANCE",
        "PEER",
        "PRIORITY",
        "LAST SEEN",
        "ADVERTS",
        "VERDICT",
    ])];
    for instance in &status.instances {
        rows.extend(instance.peers.iter().map(|peer| {
            let verdict = match (&peer.dropped, peer.one_way) {
                (Some(why), _) => format!("dropped: {why}"),
                (None, true) => "one-way: it does not hear us".into(),
                (None, false) => peer.verdict.clone(),
            };
            let seen = format!("{} ms ago", peer.last_seen_ms);
            let name = instance.name.clone();
            vec![
                name,
                peer.address.to_string(),
                peer.priority.to_string(),
                seen,
                peer.adverts.to_string(),
                verdict,
            ]
        }));
        rows.extend(instance.silent_peers.iter().map(|peer| {
            let silent = "never heard (backups are silent)";
            row(&[&instance.name, &peer.to_string(), "-", "-", "0", silent])
        }));
    }
    table(&rows)
}

/// The trackers.
#[must_use]
pub fn trackers(status: &Status) -> String {
    let mut rows = vec![row(&[
        "KIND",
        "NAME",
        "STATUS",
        "SINCE",
        "LAST EXIT",
        "LAST RUN",
        "DETAIL",
    ])];
    rows.extend(status.trackers.iter().map(|tracker| {
        vec![
            tracker.kind.as_str().into(),
            tracker.name.clone(),
            tracker.status.as_str().into(),
            tracker
                .since
                .map_or_else(|| "-".into(), |since| ago(since, status.taken_at)),
            tracker.last_exit.map_or_else(|| "-".into(), |exit| exit.to_string()),
            tracker.last_run_ms.map_or_else(|| "-".into(), |ms| format!("{ms} ms")),
            match (&tracker.detail, tracker.watch) {
                (Some(detail), Some(watch)) => format!("{detail} (seen by {})", watch.as_str()),
                (Some(detail), None) => detail.clone(),
                (None, _) => "-".into(),
            },
        ]
    }));
    table(&rows)
}

/// The counters, one a line.
#[must_use]
pub fn stats(status: &Status) -> String {
    let mut rows = Vec::new();
    for instance in &status.instances {
        let c = &instance.counters;
        let mut add = |name: &str, value: u64| rows.push(row(&[&instance.name, name, &value.to_string()]));
        add("adverts sent", c.adverts_sent);
        add("adverts received", c.adverts_received);
        add("became master", c.became_master);
        add("released master", c.released_master);
        add("priority 0 sent", c.priority_zero_sent);
        add("priority 0 received", c.priority_zero_received);
        add("near fail-overs", c.near_failovers);
        add("skipped advert slots", c.skipped_slots);
        add("address list mismatches", c.address_list_mismatches);
        add("interval mismatches", c.interval_mismatches);
        for (reason, count) in c.dropped.iter().filter(|(_, count)| **count > 0) {
            add(&format!("dropped: {reason}"), *count);
        }
    }
    table(&rows)
}

/// `1 h 2 min`, `12 s`.
fn ago(since: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_millisecond() - since.as_millisecond()).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `100`, or `100+11=111`.
#[must_use]
pub fn priority(instance: &InstanceStatus) -> String {
    if instance.drain.is_some() {
        return format!("{} (drained)", instance.priority.effective);
    }
    let adds: Vec<String> = instance
        .priority
        .contributions
        .iter()
        .filter(|c| c.adds != 0)
        .map(|c| format!("{:+}", c.adds))
        .collect();
    if adds.is_empty() {
        return instance.priority.effective.to_string();
    }
    format!(
        "{}{}={}",
        instance.priority.base,
        adds.join(""),
        instance.priority.effective
    )
}

fn addresses(instance: &InstanceStatus) -> String {
    let present = instance.vips.iter().filter(|vip| vip.present).count();
    let Some(first) = instance.vips.first() else {
        return "-".into();
    };
    let held = instance.state == StateName::Master;
    let count = instance.vips.len();
    match (count, held) {
        (1, _) => first.address.clone(),
        (_, true) => format!("{} and {} more, {present} of {count} set", first.address, count - 1),
        (_, false) => format!("{} and {} more", first.address, count - 1),
    }
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_do_not_end_in_blanks() {
        let text = table(&[row(&["A", "LONG", ""]), row(&["long", "b", "c"])]);
        assert_eq!(text, "A     LONG\nlong  b     c\n");
    }
}
