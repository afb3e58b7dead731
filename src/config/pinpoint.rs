//! What was found out after a block had been read is told at the line that it is about, for those who look at the text.

use super::diagnostic::{BLOCK_BEGINS, Span};
use super::place::Reports;
use super::tree::Node;
use std::collections::BTreeMap;

/// Moves problems from the beginning of their block to the keywords that they name, if the tree was kept.
pub(super) fn pinpoint(tree: &[Node], reports: &mut Reports) {
    if tree.is_empty() || reports.iter_mut().all(|problem| problem.about.is_empty()) {
        return;
    }
    let blocks: BTreeMap<Span, &Node> = tree.iter().map(|node| (reports.span(node.place), node)).collect();
    reports.revise(|problem, reports| {
        let Some(begins) = problem.span.clone() else { return };
        let Some(block) = blocks.get(&begins) else { return };
        let mut lines = problem.about.iter().filter_map(|key| Some((*key, last(block, key)?)));
        let Some((_, first)) = lines.next() else { return };
        for (key, line) in lines {
            problem
                .related
                .push(reports.related(&format!("`{key}` is written here"), line.place));
        }
        problem.related.push(reports.related(BLOCK_BEGINS, block.place));
        problem.span = Some(reports.span(first.place));
        let (origin, parts) = reports.origin(first.place);
        problem.origin = origin;
        problem.related.extend(parts);
    });
}

/// The last line with this keyword at any depth of a block: the one that counts.
fn last<'n>(block: &'n Node, key: &str) -> Option<&'n Node> {
    let lines = block.children.iter().rev();
    lines
        .clone()
        .find(|line| line.key() == key)
        .or_else(|| lines.clone().find_map(|line| last(line, key)))
}
