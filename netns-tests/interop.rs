//! `docs/interop.md`: what every cluster did under every script, made of what the runs saw.

use crate::cluster::{KINDS, Kind};
use crate::differences;
use crate::election::{After, COMPARISONS, Comparison, agrees, job};
use crate::jobs::{Job, Outcome};
use crate::scripts::Scenario;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Stands for a run that was not asked for.
const NOT_PLAYED: &str = "?";

/// Compares the page with what was seen; a run that was not asked for is no difference. With `VRRPD_REWRITE` in the
/// environment the page is written anew, for which all of it has to be there.
pub(crate) fn compare(outcomes: &BTreeMap<Job, Outcome>) -> Result<(), String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/interop.md");
    let page = page(outcomes);
    if std::env::var_os("VRRPD_REWRITE").is_some() {
        if page.contains(&format!("| {NOT_PLAYED} ")) {
            return Err("    not all runs were played, so docs/interop.md cannot be written anew".into());
        }
        return fs::write(&path, page).map_err(|error| format!("    {}: {error}", path.display()));
    }
    let written = fs::read_to_string(&path).map_err(|error| format!("    {}: {error}", path.display()))?;
    let stale: Vec<String> = different(&written, &page);
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "    docs/interop.md is stale; VRRPD_REWRITE=1 cargo test --test netns\n{}",
        stale.join("\n")
    ))
}

/// Lines that say something else than what was seen.
fn different(written: &str, seen: &str) -> Vec<String> {
    let (written, seen): (Vec<&str>, Vec<&str>) = (written.lines().collect(), seen.lines().collect());
    let mut stale = Vec::new();
    if written.len() != seen.len() {
        stale.push(format!(
            "    {} lines are written, {} were made",
            written.len(),
            seen.len()
        ));
    }
    let same = |old: &str, new: &str| {
        let cells: (Vec<&str>, Vec<&str>) = (old.split(" | ").collect(), new.split(" | ").collect());
        cells.0.len() == cells.1.len()
            && cells
                .0
                .iter()
                .zip(&cells.1)
                .all(|(old, new)| old == new || new.trim_end_matches(" |") == NOT_PLAYED)
    };
    let pairs = written.iter().zip(&seen).filter(|(old, new)| !same(old, new));
    stale.extend(pairs.map(|(old, new)| format!("    written {old}\n    seen    {new}")));
    stale
}

const HEAD: &str = "# How vrrpd gets on with keepalived and FRR

Made by `cargo test --test netns` of what its runs see, and compared with it by every such run; `VRRPD_REWRITE=1` writes it anew.
The peers are those of Debian 12: keepalived 2.2.7 and FRR 8.4.4.

Every cluster is a word with a letter for each node: `k` keepalived, `v` vrrpd, `f` FRR's vrrpd. The nodes have rising
priorities; the last one is the best. All clusters of a row play the same script of faults. *Masters* are those whose adverts
are on the wire once all is quiet again after each step (and in the middle of a pause, before it ends): as the cluster of
keepalived alone had them. `same` means: the same masters, the same nodes with the address in their kernels (beside FRR, whose
nodes have it on a link of their own all the time, this is not asked), and every change at the same time, but for a
Master_Down_Interval and a second. Anything else is a number of the list at the end, and there is an explanation for each.
";

fn page(outcomes: &BTreeMap<Job, Outcome>) -> String {
    let mut text = HEAD.to_owned();
    text += "\n## The scripts\n\n| script | what is done |\n|---|---|\n";
    let mut known = Vec::new();
    let published = || COMPARISONS.iter().filter(|of| of.is_published());
    for scenario in published().flat_map(|of| of.scripts) {
        if !known.contains(&scenario.name) {
            known.push(scenario.name);
            let (name, words) = (scenario.name, scenario.words());
            writeln!(text, "| {name} | {words} |").unwrap_or_default();
        }
    }
    for kind in &KINDS {
        write!(text, "\n## {}: {}\n", kind.name, kind.title).unwrap_or_default();
        for of in published().filter(|of| of.scripts_of(kind).next().is_some()) {
            text += &table(of, kind, outcomes);
        }
    }
    text += "\n## Differences\n\n";
    let mut any = false;
    // Those with a newer keepalived stand at the end of the file.
    let published = differences::explanations().take_while(|[_, _, cluster, ..]| !cluster.contains('>'));
    for (number, [kind, script, cluster, masters, why]) in published.enumerate() {
        any = true;
        let number = number + 1;
        writeln!(text, "{number}. {kind}, {script}, {cluster}: {masters}. {why}").unwrap_or_default();
    }
    if !any {
        text += "None.\n";
    }
    text
}

fn table(of: &Comparison, kind: &Kind, outcomes: &BTreeMap<Job, Outcome>) -> String {
    let clusters = of.clusters;
    let others = clusters.get(1..).unwrap_or_default();
    let mut text = format!(
        "\n| script | masters | {} |\n|---|---|{}\n",
        others.join(" | "),
        "---|".repeat(others.len())
    );
    for scenario in of.scripts_of(kind) {
        let played: Vec<&str> = of.clusters_for(scenario).collect();
        let theirs = outcomes.get(&job(kind, scenario, clusters[0]));
        let mut cells = vec![
            scenario.name.to_owned(),
            theirs.map_or_else(|| NOT_PLAYED.into(), masters),
        ];
        cells.extend(others.iter().map(|cluster| {
            if played.contains(cluster) {
                cell(kind, scenario, cluster, theirs, outcomes)
            } else {
                "-".into()
            }
        }));
        writeln!(text, "| {} |", cells.join(" | ")).unwrap_or_default();
    }
    text
}

fn cell(
    kind: &Kind,
    scenario: &Scenario,
    cluster: &str,
    theirs: Option<&Outcome>,
    outcomes: &BTreeMap<Job, Outcome>,
) -> String {
    match (theirs, outcomes.get(&job(kind, scenario, cluster))) {
        (Some(theirs), Some(ours)) if agrees(theirs, ours) => "same".into(),
        (Some(_), Some(ours)) => match differences::explained("k", ours) {
            Some((number, _)) => format!("difference {number}"),
            None => format!("{}, unexplained", masters(ours)),
        },
        _ => NOT_PLAYED.into(),
    }
}

/// Who was master after each step.
fn masters(outcome: &Outcome) -> String {
    let words = After::all(outcome).into_iter().map(|after| after.masters);
    words.collect::<Vec<_>>().join(", ")
}
