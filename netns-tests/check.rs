//! What is judged: the runs that it needs, the judge, the oracle, and the twin that has to be rejected.

use crate::jobs::{Job, Outcome};
use std::collections::BTreeMap;
use std::fmt;

/// What a check needs of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needs {
    /// The real root, not one of a user namespace.
    Root,
    /// The first process and user namespaces of the kernel, outside of any container.
    FirstNamespaces,
    Program(&'static str),
}

/// Runs that the judge has to reject.
#[derive(Debug, Clone)]
pub(crate) struct Twin {
    /// What is wrong in them.
    pub(crate) what: String,
    /// What the judge has to name: a twin that is rejected for another reason shows nothing.
    pub(crate) sees: &'static str,
    pub(crate) jobs: Vec<Job>,
}

/// Sees what the runs printed, in their order; says what is wrong.
pub(crate) type Judge = fn(&[&Outcome]) -> Result<(), String>;

pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) jobs: Vec<Job>,
    pub(crate) judge: Judge,
    /// Who says what is right, outside of the daemon.
    pub(crate) oracle: &'static str,
    pub(crate) twin: Twin,
    pub(crate) needs: Vec<Needs>,
}

impl Check {
    /// One run, `AREA NAME` or `AREA NAME SPEAKER`, whose lines have to be in their ranges; the twin is the same one `spoiled`.
    pub(crate) fn of_one_run(
        job: &str,
        oracle: &'static str,
        (what, sees): (&str, &'static str),
        needs: &[Needs],
    ) -> Self {
        let mut words = job.split(' ');
        let (area, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Self {
            name: format!("{area}::{name}"),
            jobs: vec![job.to_owned()],
            judge: in_range,
            oracle,
            twin: Twin {
                what: what.to_owned(),
                sees,
                jobs: vec![format!("{job} spoiled")],
            },
            needs: needs.to_vec(),
        }
    }

    /// Judges the check's runs, and that its twin is noticed.
    pub(crate) fn verdict(&self, outcomes: &BTreeMap<Job, Outcome>) -> Result<(), String> {
        let seen = |jobs: &[Job]| jobs.iter().map(|job| &outcomes[job]).collect::<Vec<_>>();
        let own = seen(&self.jobs);
        let twin = seen(&self.twin.jobs);
        if let Some(broken) = own.iter().chain(&twin).find(|outcome| outcome.broken) {
            return Err(format!("    the run itself failed\n{broken}"));
        }
        if let Err(why) = (self.judge)(&own) {
            let runs: String = own.iter().map(|outcome| outcome.to_string()).collect();
            return Err(format!("{why}\n{runs}"));
        }
        match (self.judge)(&twin) {
            Err(why) if why.contains(self.twin.sees) => Ok(()),
            other => {
                let runs: String = twin.iter().map(|outcome| outcome.to_string()).collect();
                let Twin { what, sees, .. } = &self.twin;
                let said = other.err().unwrap_or_else(|| "    nothing".into());
                Err(format!(
                    "    its twin ({what}) should be rejected for `{sees}`; the judge says\n{said}\n{runs}"
                ))
            }
        }
    }
}

/// A row of the table of `--list`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<44} oracle: {:<60} twin: {}",
            self.name, self.oracle, self.twin.what
        )
    }
}

/// A judge of runs that have to print the same as the first one.
pub(crate) fn alike(seen: &[&Outcome]) -> Result<(), String> {
    if seen.iter().all(|other| other.text == seen[0].text) && !seen[0].text.is_empty() {
        return Ok(());
    }
    let lines = seen.iter().map(|of| format!("    {}: {}", of.job, of.text));
    Err(lines.collect::<Vec<_>>().join("\n"))
}

/// A judge of lines `WHAT: FOUND LOWEST HIGHEST`: everything is in its range.
pub(crate) fn in_range(seen: &[&Outcome]) -> Result<(), String> {
    let good = |line: &str| {
        let numbers = line.rsplit(' ').take(3).map(str::parse::<u64>);
        let numbers: Result<Vec<u64>, _> = numbers.collect();
        matches!(numbers.as_deref(), Ok([highest, lowest, found]) if (lowest..=highest).contains(&found))
    };
    let mut bad = Vec::new();
    for outcome in seen {
        if outcome.text.lines().count() < 3 {
            bad.push(format!("    {}: it says next to nothing", outcome.job));
        }
        let lines = outcome.text.lines().filter(|line| !good(line));
        bad.extend(lines.map(|line| format!("    {}: {line}", outcome.job)));
    }
    if bad.is_empty() { Ok(()) } else { Err(bad.join("\n")) }
}
