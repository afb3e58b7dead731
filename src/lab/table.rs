//! The table of nodes: state and priority as the daemons give them, addresses as the kernels have them.

use super::chronicle::Chronicle;
use super::cluster::{Cluster, Condition, Member};
use super::node::NodeId;
use super::plan::Router;
use crate::control::json::InstanceStatus;
use crate::control::{Status, text};
use std::collections::BTreeMap;

/// A cell: words and how they look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell(pub(super) String, pub(super) Look);

/// How a cell looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Faint,
    Good,
    Odd,
    Bad,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Good => "\x1b[1;32m",
            Self::Odd => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

/// Addresses named in a cell.
const ADDRESSES: usize = 2;

/// One row for each virtual router on each node that has it.
pub(super) fn rows(
    cluster: &Cluster,
    chronicle: &Chronicle,
    routers: &[Router],
    statuses: &BTreeMap<NodeId, Status>,
) -> Vec<Vec<Cell>> {
    let titles = ["INSTANCE", "NODE", "STATE", "PRIORITY", "ADDRESSES", "LINK", "CHECKS"];
    let mut rows = vec![titles.map(|title| Cell(title.into(), Look::Faint)).to_vec()];
    for router in routers {
        for (at, (node, vips)) in router.vips.iter().enumerate() {
            let id = NodeId(*node);
            let Some(member) = cluster.member(id) else { continue };
            let status = statuses.get(&id).filter(|_| member.condition != Condition::Gone);
            let instance = status.and_then(|status| instance_of(status, router));
            let held = chronicle.held(router, id);
            let first = if at == 0 { router.name.clone() } else { String::new() };
            rows.push(vec![
                Cell(first, Look::Plain),
                Cell(cluster.lab.name(id).into(), Look::Plain),
                state(member, instance),
                Cell(instance.map_or_else(|| "-".into(), text::priority), Look::Plain),
                addresses(&held, vips.len(), member),
                link(cluster, router, id),
                checks(member, instance),
            ]);
        }
    }
    rows
}

fn instance_of<'a>(status: &'a Status, router: &Router) -> Option<&'a InstanceStatus> {
    let mut instances = status.instances.iter();
    instances.find(|instance| instance.vrid == router.vrid && instance.family == router.family)
}

fn state(member: &Member, instance: Option<&InstanceStatus>) -> Cell {
    match (member.condition, instance) {
        (Condition::Gone, _) => Cell("not running".into(), Look::Bad),
        (Condition::Paused, _) => Cell("paused".into(), Look::Odd),
        (Condition::Running, None) => Cell("no answer".into(), Look::Odd),
        (Condition::Running, Some(instance)) => {
            let word = instance.state.as_str();
            let look = match word {
                "MASTER" => Look::Good,
                "FAULT" => Look::Bad,
                _ => Look::Plain,
            };
            Cell(word.into(), look)
        }
    }
}

fn addresses(held: &[std::net::IpAddr], all: usize, member: &Member) -> Cell {
    if held.is_empty() {
        return Cell("-".into(), Look::Plain);
    }
    let mut words: Vec<String> = held.iter().take(ADDRESSES).map(ToString::to_string).collect();
    if all > ADDRESSES || held.len() < all {
        words.push(format!("({} of {all})", held.len()));
    }
    if member.condition == Condition::Gone {
        words.push("(left behind)".into());
        return Cell(words.join(" "), Look::Odd);
    }
    Cell(words.join(" "), Look::Good)
}

/// The cable of the router's own interface, and those of others when they are not as they should be.
fn link(cluster: &Cluster, router: &Router, id: NodeId) -> Cell {
    let own = router.interfaces.get(&id.0).map_or("", String::as_str);
    let cables = cluster.lab.node(id).map(super::Node::cables).unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    for (interface, state) in cables {
        if interface == own {
            words.insert(0, state.to_owned());
        } else if state != "up" {
            words.push(format!("{interface} {state}"));
        }
    }
    let look = if words == ["up"] { Look::Plain } else { Look::Bad };
    Cell(words.join(", "), look)
}

fn checks(member: &Member, instance: Option<&InstanceStatus>) -> Cell {
    let Some(instance) = instance else {
        return Cell("-".into(), Look::Plain);
    };
    let mut look = Look::Plain;
    let words = instance.priority.contributions.iter().map(|check| {
        let status = check.status.as_str();
        if status != "up" {
            look = Look::Odd;
        }
        let failed = if member.fails(&check.name) {
            " (made to fail)"
        } else {
            ""
        };
        format!("{} {status}{failed}", check.name)
    });
    let words: Vec<String> = words.collect();
    Cell(if words.is_empty() { "-".into() } else { words.join(", ") }, look)
}

/// Aligned lines without line ends; with colours and not wider than a terminal when there is one.
pub(super) fn lines(rows: &[Vec<Cell>], terminal: Option<usize>) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.0.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter().map(|row| line(row, &widths, terminal)).collect()
}

fn line(row: &[Cell], widths: &[usize], terminal: Option<usize>) -> String {
    let (mut line, mut left) = (String::new(), terminal.unwrap_or(usize::MAX));
    for (Cell(words, look), width) in row.iter().zip(widths) {
        let words: String = words.chars().take(left).collect();
        let padding = (width + 2)
            .saturating_sub(words.chars().count())
            .min(left - words.chars().count());
        left = left.saturating_sub(width + 2);
        match terminal {
            Some(_) if *look != Look::Plain => line.push_str(&format!("{}{words}\x1b[0m", look.code())),
            _ => line.push_str(&words),
        }
        line.push_str(&" ".repeat(padding));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_end_where_the_terminal_ends() {
        let cell = |text: &str, look| Cell(text.into(), look);
        let rows = [
            vec![
                cell("A", Look::Plain),
                cell("LONG", Look::Faint),
                cell("C", Look::Plain),
            ],
            vec![
                cell("long", Look::Good),
                cell("b", Look::Plain),
                cell("cccc", Look::Plain),
            ],
        ];
        assert_eq!(lines(&rows, None), ["A     LONG  C", "long  b     cccc"]);
        let coloured = lines(&rows, Some(14));
        assert_eq!(
            coloured,
            ["A     \x1b[2mLONG\x1b[0m  C", "\x1b[1;32mlong\x1b[0m  b     cc"]
        );
    }
}
