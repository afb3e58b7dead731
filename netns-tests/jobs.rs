//! Runs as child processes, some at a time.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// One run: what it is, as words.
pub(crate) type Job = String;

/// Something to judge: the runs that it needs, and how what they printed is judged.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) jobs: Vec<Job>,
    pub(crate) judge: fn(&[&str]) -> Result<(), String>,
}

/// Runs at a time: they wait nearly always, two cores are enough.
const AT_ONCE: usize = 10;

/// All different jobs, each once; what each printed.
pub(crate) fn run_all(jobs: &[Job]) -> BTreeMap<Job, String> {
    let mut waiting: Vec<Job> = jobs.to_vec();
    waiting.sort();
    waiting.dedup();
    waiting.reverse();
    let mut running: Vec<(Job, Child)> = Vec::new();
    let mut done = BTreeMap::new();
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && let Some(job) = waiting.pop()
        {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--job", &job])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            running.push((job, child));
        }
        // Waits for the oldest: the others go on meanwhile.
        let (job, mut child) = running.remove(0);
        let (mut text, mut errors) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let status = child.wait().unwrap();
        let text = if status.success() {
            text.trim().to_owned()
        } else {
            format!("FAILED {status} {text} {errors}")
        };
        done.insert(job, text);
    }
    done
}

/// The inside of one run.
pub(crate) fn child(job: &str) -> u8 {
    let job = job.to_owned();
    let outcome = vrrpd::lab::enter(move || {
        let words: Vec<&str> = job.split(' ').collect();
        let result = match words.as_slice() {
            ["election", rest @ ..] => crate::scenario::play(rest),
            ["wire", rest @ ..] => crate::wire::play(rest),
            other => Err(std::io::Error::other(format!("no such job: {other:?}"))),
        };
        match result {
            Ok(text) => {
                println!("{text}");
                0
            }
            Err(error) => {
                eprintln!("{error}");
                1
            }
        }
    });
    match outcome {
        Ok(vrrpd::lab::Outcome::Exited(status)) => status,
        other => {
            eprintln!("{other:?}");
            1
        }
    }
}
