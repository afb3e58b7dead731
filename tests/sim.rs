//! Thousands of random clusters on a virtual clock, directed scenarios, and the proof that planted defects are noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::BTreeMap;
use vrrpd::sim::{Planted, random_run, scenarios};

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
        assert!(
            report.takeovers > 0 && report.faults.len() >= 3 && report.simulated.0 >= 300_000_000,
            "{report:?}"
        );
        for (kind, count) in report.faults {
            *faults.entry(kind).or_insert(0) += count;
        }
    }
    println!(
        "{} runs, {takeovers} take-overs, {adverts} adverts, {simulated} simulated seconds, faults {faults:?}",
        seeds.len()
    );
}

#[cfg(feature = "mutants")]
#[test]
fn every_planted_defect_is_noticed() {
    use vrrpd::sim::Mutant;
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let planted = Planted::mutant(mutant);
        let by_scenario = scenarios().into_iter().find(|scenario| scenario.play(planted).is_err());
        let by_run = (0..40u64).find(|seed| random_run(*seed, planted).is_err());
        match (by_scenario, by_run) {
            (None, None) => survivors.push(mutant),
            (scenario, seed) => println!("{mutant:?}: scenario {:?}, run {seed:?}", scenario.map(|s| s.name)),
        }
    }
    assert!(survivors.is_empty(), "nobody notices {survivors:?}");
}
