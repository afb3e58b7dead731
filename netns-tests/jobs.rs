//! Runs as child processes, some at a time.

use crate::check::Check;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Mutex;

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

/// Runs at a time: they wait nearly always, two cores are enough.
const AT_ONCE: usize = 24;
/// Elections at a time: who wins one does not depend on how busy the machine is.
const ELECTIONS_AT_ONCE: usize = 48;

/// Runs that need the machine for themselves.
fn alone(job: &str) -> bool {
    job.starts_with("flood") || job.starts_with("replay 2000")
}

/// The runs of all checks and of their twins, each once.
pub(crate) fn run_all(checks: &[Check]) -> BTreeMap<Job, Outcome> {
    let mut jobs: Vec<Job> = checks
        .iter()
        .flat_map(|check| check.jobs.iter().chain(&check.twin.jobs).cloned())
        .collect();
    jobs.sort();
    jobs.dedup();
    let (last, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| alone(job));
    let (elections, together): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.starts_with("election "));
    let mut outcomes = run(together, AT_ONCE);
    outcomes.extend(run(elections, ELECTIONS_AT_ONCE));
    outcomes.extend(run(last, 1));
    outcomes
}

fn run(jobs: Vec<Job>, at_once: usize) -> BTreeMap<Job, Outcome> {
    let waiting = Mutex::new(VecDeque::from(jobs));
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(job) = waiting.lock().unwrap().pop_front() else {
                        break;
                    };
                    let outcome = one(&job);
                    done.lock().unwrap().insert(job, outcome);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn one(job: &str) -> Outcome {
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
            ["drain", rest @ ..] => crate::drain::play(rest),
            ["wire", rest @ ..] => crate::wire::play(rest),
            ["seed", rest @ ..] => crate::seed::play(rest),
            ["log-order", rest @ ..] => crate::log_order::play(rest),
            ["noise", rest @ ..] => crate::noise::play(rest),
            ["flood", rest @ ..] => crate::noise::flood(rest),
            ["replay", rest @ ..] => crate::replay::play(rest),
            ["processes", rest @ ..] => crate::processes::play(rest),
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
