//! Thousands of random clusters on a virtual clock, directed scenarios, and the proof that planted defects are noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::{BTreeMap, BTreeSet};
use vrrpd::config::{Reload, keywords};
use vrrpd::sim::{Effects, Planted, ReloadEffect, ReloadReport, random_reload, random_run, reload_keywords, scenarios};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_directed_scenario_ends_as_the_protocol_says() {
    for scenario in scenarios() {
        if let Err(violation) = scenario.play(Planted::nothing()) {
            panic!("{}: {violation}", scenario.name);
        }
    }
}

/// `VRRPD_SIM_SEED=n` replays one run, `VRRPD_SIM_RUNS=n` plays another number of them.
#[test]
fn random_clusters_keep_every_promise() {
    let default = if cfg!(debug_assertions) { 300 } else { 10_000 };
    let seeds: Vec<u64> = match number("VRRPD_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("VRRPD_SIM_RUNS").unwrap_or(default)).collect(),
    };
    let (mut takeovers, mut adverts, mut simulated, mut faults) = (0, 0, 0, BTreeMap::new());
    let mut effects = Effects::default();
    let halves: Vec<_> = seeds.chunks(seeds.len().div_ceil(2)).map(<[u64]>::to_vec).collect();
    let threads: Vec<_> = halves
        .into_iter()
        .map(|seeds| {
            std::thread::spawn(move || {
                seeds
                    .into_iter()
                    .map(|seed| (seed, random_run(seed, Planted::nothing())))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    for (seed, result) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        let report = match result {
            Ok(report) => report,
            Err((violation, trace)) => panic!("seed {seed}: {violation}\n{trace}\nreplay with VRRPD_SIM_SEED={seed}"),
        };
        takeovers += report.takeovers;
        adverts += report.adverts;
        simulated += report.simulated.0 / 1_000_000;
        let events: u64 = report.faults.values().sum();
        let enough = report.takeovers > 0 && report.faults.len() >= 3 && events >= 4;
        let long = report.simulated.0 >= 300_000_000 && (3..=5).contains(&report.nodes);
        assert!(enough && long, "seed {seed}: {report:?}");
        effects += report.effects;
        for (kind, count) in report.faults {
            *faults.entry(kind).or_insert(0) += count;
        }
    }
    println!(
        "{} runs, {takeovers} take-overs, {adverts} adverts, {simulated} simulated seconds, faults {faults:?}, {effects:?}",
        seeds.len()
    );
    if seeds.len() >= 100 {
        assert_eq!(faults.len(), 19, "every kind of fault has been played: {faults:?}");
        let all = [
            effects.lost,
            effects.cut,
            effects.duplicated,
            effects.delayed,
            effects.reordered,
        ];
        assert!(
            all.iter().all(|n| *n > 100),
            "every effect on packets has been seen: {effects:?}"
        );
    }
}

/// What instances do at a reload when a keyword of theirs changes, as the keyword table says.
fn table() -> BTreeMap<(&'static str, &'static str), (Reload, bool)> {
    let blocks = keywords().into_iter();
    let ours = blocks.filter(|block| block.path.starts_with("vrrp_instance"));
    ours.flat_map(|block| {
        block
            .keywords
            .into_iter()
            .map(move |keyword| ((block.path, keyword.name), (keyword.reload, keyword.acts.is_empty())))
    })
    .collect()
}

/// `VRRPD_SIM_SEED=n` replays one pair, `VRRPD_SIM_RELOADS=n` plays another number of them.
#[test]
fn a_reload_touches_what_it_concerns_and_nothing_else() {
    let default = if cfg!(debug_assertions) { 400 } else { 10_000 };
    let seeds: Vec<u64> = match number("VRRPD_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("VRRPD_SIM_RELOADS").unwrap_or(default)).collect(),
    };
    let halves: Vec<_> = seeds.chunks(seeds.len().div_ceil(2)).map(<[u64]>::to_vec).collect();
    let threads: Vec<_> = halves
        .into_iter()
        .map(|seeds| {
            let play = |seed| (seed, random_reload(seed, Planted::nothing()));
            std::thread::spawn(move || seeds.into_iter().map(play).collect::<Vec<_>>())
        })
        .collect();
    let (mut kinds, mut untouched, mut seen) = (BTreeMap::new(), 0, BTreeMap::<_, BTreeMap<_, u64>>::new());
    for (seed, result) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        let report: ReloadReport = match result {
            Ok(report) => report,
            Err(violation) => panic!("pair {seed}: {violation}\nreplay with VRRPD_SIM_SEED={seed}"),
        };
        *kinds.entry(report.kind).or_insert(0_u64) += 1;
        untouched += report.untouched;
        for (block, keyword, _, effect) in report.touched {
            *seen.entry((block, keyword)).or_default().entry(effect).or_insert(0) += 1;
        }
    }
    println!("{} reloads, {untouched} untouched instances, {kinds:?}", seeds.len());
    for ((_, keyword), effects) in &seen {
        println!("  {keyword}: {effects:?}");
    }
    compare_with_the_table(&seen, seeds.len());
    let one = kinds.get("one instance changed").copied().unwrap_or(0);
    assert!(
        seeds.len() < 100 || one * 2 >= u64::try_from(seeds.len()).unwrap(),
        "{kinds:?}"
    );
}

/// What was seen of each keyword is what the table says; with enough runs every keyword that acts was seen.
fn compare_with_the_table(seen: &BTreeMap<(&str, &str), BTreeMap<ReloadEffect, u64>>, runs: usize) {
    let (table, mut wrong) = (table(), Vec::new());
    for (keyword, effects) in seen {
        let (class, _) = table.get(keyword).copied().unwrap();
        let seen: BTreeSet<_> = effects.keys().copied().collect();
        let fits = match class {
            Reload::Nothing => seen == [ReloadEffect::Nothing].into(),
            // Not every setting matters in every state.
            Reload::Adjust => {
                !seen.contains(&ReloadEffect::Restarted) && (runs < 3_000 || seen.contains(&ReloadEffect::Adjusted))
            }
            Reload::Restart => seen == [ReloadEffect::Restarted].into(),
        };
        if !fits {
            wrong.push(format!("{keyword:?}: the table says {class:?}, seen {effects:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if runs >= 3_000 {
        let played: BTreeSet<_> = reload_keywords().collect();
        let unseen: Vec<_> = played.iter().filter(|keyword| !seen.contains_key(*keyword)).collect();
        assert!(unseen.is_empty(), "never changed: {unseen:?}");
    }
}

/// Blocks are made of their keywords; a family cannot be changed without everything else; polling is the interface's matter.
const NOT_PLAYED: [&str; 4] = ["authentication", "auth_hmac", "native_ipv6", "linkbeat_use_polling"];

#[test]
fn every_keyword_of_an_instance_that_acts_is_played_at_reloads() {
    let played: BTreeSet<_> = reload_keywords().collect();
    let missing: Vec<_> = table()
        .into_iter()
        .filter(|(keyword, (_, acts))| *acts && !played.contains(keyword) && !NOT_PLAYED.contains(&keyword.1))
        .map(|(keyword, _)| keyword)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[cfg(feature = "mutants")]
#[test]
fn every_planted_defect_is_noticed() {
    use vrrpd::sim::Mutant;
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let planted = Planted::mutant(mutant);
        let by_scenario = scenarios().into_iter().find(|scenario| scenario.play(planted).is_err());
        let noticed = by_scenario.map(|scenario| scenario.name.to_owned()).or_else(|| {
            let seed = (0..300u64).find(|seed| random_reload(*seed, planted).is_err())?;
            Some(format!("reload of pair {seed}"))
        });
        let noticed = noticed.or_else(|| {
            let seed = (0..40u64).find(|seed| random_run(*seed, planted).is_err())?;
            Some(format!("random run {seed}"))
        });
        match noticed {
            None => survivors.push(mutant),
            Some(by) => println!("{mutant:?}: {by}"),
        }
    }
    assert!(survivors.is_empty(), "nobody notices {survivors:?}");
}
