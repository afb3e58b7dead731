//! Runs as child processes, some at a time.

use crate::check::Check;
use nix::poll::{PollTimeout, poll};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use vrrpd::model::Micros;
use vrrpd::system::clock;

/// One run: what it is, as words.
pub(crate) type Job = String;

/// What a run printed.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) job: Job,
    /// What it saw.
    pub(crate) text: String,
    /// Everything that happened, for a reader.
    story: String,
    /// It could not do its work.
    pub(crate) broken: bool,
    took: Micros,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    ---- {}", self.job)?;
        for line in self.text.lines().chain(self.story.lines()) {
            writeln!(f, "    {line}")?;
        }
        Ok(())
    }
}

/// Between the story and the result.
const END_OF_STORY: char = '\x0c';

/// Runs at a time, however busy the machine is: they wait nearly always, two cores are enough.
const FEW: usize = 24;
/// Runs at a time while the machine has room for another one.
const MANY: usize = 128;
/// Between the starts of two runs: only the start is work.
const APART: Micros = Micros::from_millis(100);

/// Runs that need the machine for themselves.
fn alone(job: &str) -> bool {
    job.starts_with("flood") || job.starts_with("replay 2000")
}

/// Runs that begin first, because everything else is over before they are.
fn is_long(job: &str) -> bool {
    ["seed ", "problems foreign", "crash ", "foresight "]
        .iter()
        .any(|long| job.starts_with(long))
}

/// The runs of all checks and of their twins, each once.
pub(crate) fn run_all(checks: &[Check]) -> BTreeMap<Job, Outcome> {
    let mut jobs: Vec<Job> = checks
        .iter()
        .flat_map(|check| check.jobs.iter().chain(&check.twin.jobs).cloned())
        .collect();
    jobs.sort();
    jobs.dedup();
    let (last, mut together): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| alone(job));
    together.sort_by_key(|job| !is_long(job));
    let mut outcomes = run(together, MANY);
    outcomes.extend(run(last, 1));
    outcomes
}

/// How long the runs took, the longest first.
pub(crate) fn times(outcomes: &BTreeMap<Job, Outcome>) -> Vec<(Micros, &str)> {
    let mut times: Vec<_> = outcomes
        .values()
        .map(|outcome| (outcome.took, outcome.job.as_str()))
        .collect();
    times.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    times
}

/// What has not begun yet.
struct Waiting {
    jobs: VecDeque<Job>,
    load: Load,
}

impl Waiting {
    /// The next run, when it may begin.
    fn next(&mut self, running: &AtomicUsize) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        loop {
            // Whoever takes the one after this waits for the lock.
            poll(&mut [], PollTimeout::try_from(APART.as_millis()).unwrap()).unwrap();
            let room = self.load.has_room();
            if room || running.load(Ordering::Relaxed) < FEW {
                running.fetch_add(1, Ordering::Relaxed);
                return Some(job);
            }
        }
    }
}

/// What the processors did so far, in the kernel's ticks.
#[derive(Clone, Copy, Default)]
struct Load {
    free: u64,
    all: u64,
}

impl Load {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let ticks: Vec<u64> = ticks.filter_map(|ticks| ticks.parse().ok()).take(8).collect();
        Self {
            // Idle, waiting for a disk, and what gives way to everything else (nice).
            free: [3, 4, 1].iter().filter_map(|at| ticks.get(*at)).sum(),
            all: ticks.iter().sum(),
        }
    }

    /// Whether the processors could have done as much again since the last time.
    fn has_room(&mut self) -> bool {
        let before = std::mem::replace(self, Self::now());
        2 * self.free.saturating_sub(before.free) >= self.all.saturating_sub(before.all)
    }
}

fn run(jobs: Vec<Job>, at_once: usize) -> BTreeMap<Job, Outcome> {
    let waiting = Mutex::new(Waiting {
        jobs: jobs.into(),
        load: Load::now(),
    });
    let running = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let next = || waiting.lock().unwrap().next(&running);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(job) = next() {
                    let outcome = one(&job);
                    done.lock().unwrap().insert(job, outcome);
                    running.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn one(job: &str) -> Outcome {
    let begun = clock::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--job", job])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (story, text) = printed.split_once(END_OF_STORY).unwrap_or((&printed, ""));
    let mut text = text.trim().to_owned();
    let broken = !output.status.success();
    if broken {
        text = format!("{} {text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Outcome {
        job: job.to_owned(),
        text,
        story: story.to_owned(),
        broken,
        took: clock::now().since(begun),
    }
}

/// The inside of one run. The stage prints its story when it is dropped, also by a panic; then the result follows.
pub(crate) fn child(job: &str) -> u8 {
    if let Some(rest) = job.strip_prefix("connector ") {
        // In namespaces of its own the kernel would tell nothing.
        return report(crate::connector::play(&rest.split(' ').collect::<Vec<_>>()));
    }
    let job = job.to_owned();
    let outcome = vrrpd::lab::enter(move || {
        let words: Vec<&str> = job.split(' ').collect();
        let result = match words.as_slice() {
            ["election", rest @ ..] => crate::election::play(rest),
            ["links", rest @ ..] => crate::links::play(rest),
            ["tracked", rest @ ..] => crate::tracked::play(rest),
            ["statics", rest @ ..] => crate::statics::play(rest),
            ["drain", rest @ ..] => crate::drain::play(rest),
            ["reload", rest @ ..] => crate::reload::play(rest),
            ["foresight", rest @ ..] => crate::foresight::play(rest),
            ["crash", rest @ ..] => crate::crash::play(rest),
            ["wire", rest @ ..] => crate::wire::play(rest),
            ["seed", rest @ ..] => crate::seed::play(rest),
            ["log-order", rest @ ..] => crate::log_order::play(rest),
            ["noise", rest @ ..] => crate::noise::play(rest),
            ["flood", rest @ ..] => crate::noise::flood(rest),
            ["replay", rest @ ..] => crate::replay::play(rest),
            ["processes", rest @ ..] => crate::processes::play(rest),
            ["clocks", rest @ ..] => crate::clocks::play(rest),
            ["blind", rest @ ..] => crate::blind::play(rest),
            ["causes", rest @ ..] => crate::causes::play(rest),
            ["problems", rest @ ..] => crate::problems::play(rest),
            ["script-user", rest @ ..] => crate::script_user::play(rest),
            other => Err(std::io::Error::other(format!("no such job: {other:?}"))),
        };
        report(result)
    });
    match outcome {
        Ok(vrrpd::lab::Outcome::Exited(status)) => status,
        other => {
            eprintln!("{other:?}");
            1
        }
    }
}

fn report(result: std::io::Result<String>) -> u8 {
    match result {
        Ok(text) => {
            println!("{END_OF_STORY}{text}");
            0
        }
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}
