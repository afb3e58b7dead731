//! Numbers that are taken from outside of the daemons: distributions, CPU time and memory of processes.

use std::fs;
use std::io;
use vrrpd::lab::{Lab, ProgramId};

/// Values of one kind, microseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<i64>);

impl Samples {
    pub(crate) fn push(&mut self, value: i64) {
        self.0.push(value);
    }

    pub(crate) fn extend(&mut self, others: impl IntoIterator<Item = i64>) {
        self.0.extend(others);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that at least `per_mille` thousandths of all do not exceed.
    pub(crate) fn quantile(&self, per_mille: usize) -> Option<i64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
        sorted.get(rank - 1).copied()
    }

    pub(crate) fn median(&self) -> Option<i64> {
        self.quantile(500)
    }
}

/// By how much each distance between two of these times is longer than the interval.
pub(crate) fn delays(times: &[u64], interval: u64) -> impl Iterator<Item = i64> + '_ {
    times
        .windows(2)
        .map(move |pair| difference(pair[1], pair[0] + interval).max(0))
}

/// `a - b`.
pub(crate) fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(i64::MAX)
}

/// Processor time that all threads of all processes of a program have used, nanoseconds: the scheduler's exact account,
/// not the ticks of `stat`.
pub(crate) fn cpu(lab: &Lab, program: ProgramId) -> io::Result<u64> {
    let mut sum = 0;
    for process in lab.family(program)? {
        for thread in fs::read_dir(format!("/proc/{}/task", process.pid))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split_ascii_whitespace().next().unwrap_or_default();
            sum += first
                .parse::<u64>()
                .map_err(|error| io::Error::other(format!("schedstat: {error}")))?;
        }
    }
    Ok(sum)
}

/// Memory that exists because of the program: anonymous pages of all its processes, each counted by its share, KiB.
pub(crate) fn memory(lab: &Lab, program: ProgramId) -> io::Result<u64> {
    let mut sum = 0;
    for process in lab.family(program)? {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
        let number = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<u64>().ok());
        sum += number.ok_or_else(|| io::Error::other("smaps_rollup has no Pss_Anon"))?;
    }
    Ok(sum)
}
