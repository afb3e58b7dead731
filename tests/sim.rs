//! Thousands of random clusters on a virtual clock, directed scenarios, and the proof that planted defects are noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::{BTreeMap, BTreeSet};
use vrrpd::config::{Reload, keywords};
use vrrpd::model::Micros;
use vrrpd::sim::{
    EVENTS, Effects, FAULTS, Planted, ReloadEffect, ReloadReport, Report, calm_run, draw, golden_stories, random_duel,
    random_forecast, random_reload, random_run, reload_keywords, scenarios, simulated,
};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_directed_scenario_ends_as_the_protocol_says() {
    for scenario in scenarios() {
        let (began, before) = (worked(), simulated());
        if let Err(violation) = scenario.play(Planted::nothing()) {
            panic!("{}: {violation}", scenario.name);
        }
        let (took, seconds) = (worked() - began, (simulated().0 - before.0) / 1_000_000);
        let speed = u128::from(seconds) * 1_000_000 / 3_600 / took.as_micros().max(1);
        println!("{speed:>5} hours a second, {seconds:>6} s: {}", scenario.name);
    }
}

/// What many runs have gone through.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    takeovers: u64,
    adverts: u64,
    judged: u64,
    seconds: u64,
    faults: BTreeMap<&'static str, u64>,
    drawn: BTreeMap<&'static str, u64>,
    effects: Effects,
}

impl Sum {
    fn add(&mut self, seed: u64, report: Report) {
        let events: u64 = report.faults.values().sum();
        let enough = report.takeovers > 0 && report.faults.len() >= 3 && events >= 4;
        let long = report.simulated.0 >= 300_000_000 && (3..=5).contains(&report.nodes);
        assert!(enough && long, "seed {seed}: {report:?}");
        self.runs += 1;
        self.takeovers += report.takeovers;
        self.adverts += report.adverts;
        self.judged += report.judged;
        self.seconds += report.simulated.0 / 1_000_000;
        self.effects += report.effects;
        for (kind, count) in report.faults {
            *self.faults.entry(kind).or_insert(0) += count;
        }
        for kind in report.drawn {
            *self.drawn.entry(kind).or_insert(0) += 1;
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.takeovers += other.takeovers;
        self.adverts += other.adverts;
        self.judged += other.judged;
        self.seconds += other.seconds;
        self.effects += other.effects;
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_insert(0) += count;
        }
        for (kind, count) in other.drawn {
            *self.drawn.entry(kind).or_insert(0) += count;
        }
        self
    }

    fn print(&self, took: std::time::Duration) {
        let hours = u128::from(self.seconds / 3_600);
        let speed = u128::from(self.seconds) * 1_000 / 3_600 / took.as_millis().max(1);
        println!(
            "{} runs, {hours} simulated hours in {} s ({speed} hours a second), {} take-overs, {} adverts, {} steps judged by the \
             reference model",
            self.runs,
            took.as_secs(),
            self.takeovers,
            self.adverts,
            self.judged
        );
        println!("faults {:?}", self.faults);
        println!("drawn {:?}", self.drawn);
        println!("{:?}", self.effects);
    }

    /// Nothing that can be drawn or played may be missing.
    fn misses_nothing(&self) {
        for kind in FAULTS {
            assert!(self.faults.contains_key(kind), "the fault {kind} was never played");
        }
        for kind in draw::KINDS {
            assert!(self.drawn.contains_key(kind), "{kind} was never drawn");
        }
        let effects = &self.effects;
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

/// Plays every `threads`-th run from this seed on until there is none left or the time is over.
fn play(seeds: impl Iterator<Item = u64>, until: Option<std::time::Instant>) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds {
        if until.is_some_and(|until| now() >= until) {
            break;
        }
        match random_run(seed, Planted::nothing()) {
            Ok(report) => sum.add(seed, report),
            Err((violation, trace)) => panic!("{trace}\nseed {seed}: {violation}\nreplay with VRRPD_SIM_SEED={seed}"),
        }
    }
    sum
}

#[expect(clippy::disallowed_methods, reason = "a test may say how long it took")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// `VRRPD_SIM_SEED=n` replays one run; `VRRPD_SIM_RUNS=n` plays another number of them, `VRRPD_SIM_FROM=n` from this seed
/// on, `VRRPD_SIM_MINUTES=n` as many as end in this time.
#[test]
fn random_clusters_keep_every_promise() {
    let began = now();
    if let Some(seed) = number("VRRPD_SIM_SEED") {
        play(std::iter::once(seed), None).print(began.elapsed());
        return;
    }
    let until = number("VRRPD_SIM_MINUTES").map(|minutes| began + std::time::Duration::from_secs(minutes * 60));
    let default = if cfg!(debug_assertions) { 300 } else { 10_000 };
    let default = if until.is_some() { u64::MAX / 2 } else { default };
    let (from, runs) = (
        number("VRRPD_SIM_FROM").unwrap_or(0),
        number("VRRPD_SIM_RUNS").unwrap_or(default),
    );
    let threads: Vec<_> = (0..2)
        .map(|first| std::thread::spawn(move || play((from + first..from + runs).step_by(2), until)))
        .collect();
    let sum = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .fold(Sum::default(), Sum::join);
    sum.print(began.elapsed());
    if sum.runs >= 100 {
        sum.misses_nothing();
    }
}

/// One node and whatever may come, step by step as the reference model says. `VRRPD_SIM_SEED=n` replays one, `VRRPD_SIM_RUNS=n`
/// plays another number, `VRRPD_SIM_FROM=n` from this seed on.
#[test]
fn a_node_does_whatever_comes_what_the_reference_says() {
    let began = now();
    let default = if cfg!(debug_assertions) { 500 } else { 10_000 };
    let seeds = match number("VRRPD_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("VRRPD_SIM_FROM").unwrap_or(0);
            from..from + number("VRRPD_SIM_RUNS").unwrap_or(default)
        }
    };
    let (runs, mut judged, mut events, mut states) = (seeds.end - seeds.start, 0, BTreeMap::new(), BTreeMap::new());
    for seed in seeds {
        let duel = random_duel(seed, Planted::nothing()).unwrap_or_else(|(violation, trace)| {
            panic!("{trace}\nseed {seed}: {violation}\nreplay with VRRPD_SIM_SEED={seed}")
        });
        judged += duel.judged;
        for (kind, count) in duel.events {
            *events.entry(kind).or_insert(0) += count;
        }
        for (state, count) in duel.states {
            *states.entry(state).or_insert(0) += count;
        }
    }
    println!(
        "{runs} duels, {judged} steps judged in {} s: {events:?}, {states:?}",
        began.elapsed().as_secs()
    );
    if runs >= 100 {
        assert!(EVENTS.iter().all(|event| events.contains_key(event)), "{events:?}");
        assert!(
            ["INIT", "BACKUP", "MASTER", "FAULT"]
                .iter()
                .all(|state| states.contains_key(state)),
            "{states:?}"
        );
    }
}

/// Processor time of this thread: other work on the machine does not count.
fn worked() -> std::time::Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap())
}

/// `VRRPD_SIM_HOURS=n` for another length. Everything that judges is switched on, and every advert is bytes.
#[test]
fn three_quiet_nodes_are_fast() {
    let hours = number("VRRPD_SIM_HOURS").unwrap_or(if cfg!(debug_assertions) { 1 } else { 100 });
    let began = worked();
    let report = calm_run(Micros::from_secs(3_600 * hours)).unwrap_or_else(|(violation, _)| panic!("{violation}"));
    let took = worked() - began;
    assert_eq!(report.takeovers, 1);
    assert!(report.adverts >= 3_600 * hours);
    println!(
        "{hours} hours of three nodes in {} ms of processor time: {} hours a second",
        took.as_millis(),
        u128::from(hours) * 1_000 / took.as_millis().max(1)
    );
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
    // One instance was really changed, and at least one other was there to notice nothing.
    let mut one_of_several = 0;
    for (seed, result) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
        let report: ReloadReport = match result {
            Ok(report) => report,
            Err(violation) => panic!("pair {seed}: {violation}\nreplay with VRRPD_SIM_SEED={seed}"),
        };
        *kinds.entry(report.kind).or_insert(0_u64) += 1;
        untouched += report.untouched;
        one_of_several += usize::from(report.touched.len() == 1 && report.untouched > 0);
        for (block, keyword, _, effect) in report.touched {
            *seen.entry((block, keyword)).or_default().entry(effect).or_insert(0) += 1;
        }
    }
    println!(
        "{} reloads, {one_of_several} of one instance among others, {untouched} untouched instances, {kinds:?}",
        seeds.len()
    );
    for ((_, keyword), effects) in &seen {
        println!("  {keyword}: {effects:?}");
    }
    compare_with_the_table(&seen, seeds.len());
    assert!(
        seeds.len() < 100 || one_of_several * 2 >= seeds.len(),
        "{one_of_several}, {kinds:?}"
    );
}

/// A reload that a node has foreseen becomes what it foresaw, in a cluster of which it knows everybody.
#[test]
fn what_a_node_foresees_of_a_reload_comes_true() {
    let seeds: Vec<u64> = match number("VRRPD_SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("VRRPD_SIM_FORECASTS").unwrap_or(480)).collect(),
    };
    let mut compared = 0;
    let (mut verdicts, mut changes, mut wrong) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for seed in seeds.iter().copied() {
        match random_forecast(seed) {
            Ok(trial) => {
                let Some(come_true) = trial.verdicts else { continue };
                compared += 1;
                *changes.entry(trial.changed).or_insert(0_u64) += 1;
                for verdict in come_true {
                    *verdicts.entry(verdict).or_insert(0_u64) += 1;
                }
            }
            Err(violation) => wrong.push(format!("VRRPD_SIM_SEED={seed}: {violation}")),
        }
    }
    println!("{compared} of {} compared: {verdicts:?}, {changes:?}", seeds.len());
    assert!(wrong.is_empty(), "{} wrong, the first one {}", wrong.len(), wrong[0]);
    assert!(
        seeds.len() < 480 || compared >= 200 && verdicts.len() >= 8,
        "{compared} {verdicts:?}"
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

/// Everything that the nodes do in a few canonical stories. `VRRPD_REWRITE=1` writes them anew; a person reads the difference.
#[test]
fn golden_stories_are_told_as_before() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let rewrite = std::env::var_os("VRRPD_REWRITE").is_some();
    for (name, text) in golden_stories() {
        let path = folder.join(name).with_extension("txt");
        if rewrite {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = text
            .lines()
            .zip(expected.lines())
            .position(|(told, before)| told != before);
        let line = differs.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
        let at = |text: &str| text.lines().nth(line).unwrap_or("the end").to_owned();
        assert!(
            text == expected,
            "{}, line {}:\n  {}\nwas\n  {}\nVRRPD_REWRITE=1 writes it anew",
            path.display(),
            line + 1,
            at(&text),
            at(&expected)
        );
    }
    let known = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(known, golden_stories().len(), "a file without a story");
}

/// Who notices each planted defect: scenarios without the reference model, pairs of reloads, the model alone; and, if none of
/// the first two does, random runs without it.
#[cfg(feature = "mutants")]
fn who_notices(mutant: vrrpd::sim::Mutant) -> (Vec<String>, bool) {
    use vrrpd::sim::Judges;
    let planted = Planted::mutant(mutant);
    let (blind, alone) = (
        planted.judged_by(Judges::Checkers),
        planted.judged_by(Judges::Reference),
    );
    let seeds = || 0..40u64;
    let scenario = scenarios().into_iter().find(|scenario| scenario.play(blind).is_err());
    let scenario = scenario.map(|scenario| format!("scenario \"{}\"", scenario.name));
    let reload = (0..300u64).find(|seed| random_reload(*seed, planted).is_err());
    let reload = reload.map(|seed| format!("reload of pair {seed}"));
    let is_open = scenario.is_none() && reload.is_none();
    let run = seeds().find(|seed| is_open && random_run(*seed, blind).is_err());
    let run = run.map(|seed| format!("random run {seed}"));
    let model = seeds()
        .find(|seed| random_duel(*seed, alone).is_err())
        .map(|seed| format!("the reference in duel {seed}"));
    let model = model.or_else(|| {
        let seed = seeds().find(|seed| random_run(*seed, alone).is_err())?;
        Some(format!("the reference in random run {seed}"))
    });
    let by_model = model.is_some();
    ([scenario, reload, run, model].into_iter().flatten().collect(), by_model)
}

#[cfg(feature = "mutants")]
#[test]
fn every_planted_defect_is_noticed() {
    use vrrpd::sim::Mutant;
    let halves = Mutant::ALL.chunks(Mutant::ALL.len().div_ceil(2));
    let threads: Vec<_> = halves
        .map(|half| std::thread::spawn(move || half.iter().map(|mutant| (*mutant, who_notices(*mutant))).collect()))
        .collect();
    let found: Vec<Vec<_>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (mut survivors, mut by_model) = (Vec::new(), 0);
    for (mutant, (by, model)) in found.into_iter().flatten() {
        by_model += u32::from(model);
        if by.is_empty() {
            println!("{mutant:?}: NOBODY");
            survivors.push(mutant);
        } else {
            println!("{mutant:?}: {}", by.join(", "));
        }
    }
    println!(
        "{} defects, the reference model alone notices {by_model}",
        Mutant::ALL.len()
    );
    assert!(survivors.is_empty(), "nobody notices {survivors:?}");
}
