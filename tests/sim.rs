//! Thousands of random clusters on a virtual clock, directed scenarios, and the proof that planted defects are noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::BTreeMap;
use vrrpd::sim::{Effects, Planted, random_run, scenarios};

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

#[cfg(feature = "mutants")]
#[test]
fn every_planted_defect_is_noticed() {
    use vrrpd::sim::Mutant;
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let planted = Planted::mutant(mutant);
        let by_scenario = scenarios().into_iter().find(|scenario| scenario.play(planted).is_err());
        let noticed = by_scenario.map(|scenario| scenario.name.to_owned()).or_else(|| {
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
