//! What a node's daemon says when it is asked, by the program that a user runs.

use crate::stage::{Stage, VRRPD, lines};
use serde_json::Value;
use std::io;
use vrrpd::model::Micros;

/// What a program printed, and its exit status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: i32,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> io::Result<Value> {
        Ok(serde_json::from_str(&self.text)?)
    }
}

/// Runs `vrrpd WORDS` in the node.
pub(crate) fn ask(stage: &mut Stage, node: usize, words: &str) -> io::Result<Answer> {
    let since = stage.note(format!("vrrpd {words} on node {}", node + 1));
    // A document on one line does not fill the story. The last line says that there are no more.
    let run = if words.starts_with("status --json") {
        format!("text=$({VRRPD} {words}); code=$?; echo $text")
    } else {
        format!("{VRRPD} {words}; code=$?")
    };
    let command = format!("{run}; echo exit $code");
    stage.run(node, "asked", &["/bin/sh", "-c", &command])?;
    let exit = |lines: &[String]| lines.last()?.strip_prefix("exit ")?.parse().ok();
    stage.until("the answer", 20, |lab| {
        exit(&lines(lab, node, "asked", since)).is_some()
    })?;
    let mut lines = stage.lines(node, "asked", since);
    let exit = exit(&lines).unwrap_or(-1);
    lines.pop();
    Ok(Answer {
        exit,
        text: lines.join("\n"),
    })
}

/// The whole document of `vrrpd status`.
pub(crate) fn status(stage: &mut Stage, node: usize) -> io::Result<Value> {
    ask(stage, node, "status --json")?.json()
}

/// Everything that `vrrpd events` lists.
pub(crate) fn events(stage: &mut Stage, node: usize) -> io::Result<Vec<Value>> {
    let text = ask(stage, node, "events --json")?.text;
    let event = |line: &str| serde_json::from_str(line).map_err(io::Error::from);
    text.lines().map(event).collect()
}

/// Asks for the status until it shows something; whether it did in this time.
pub(crate) fn until_status(
    stage: &mut Stage,
    node: usize,
    seconds: u64,
    shows: impl Fn(&Value) -> bool,
) -> io::Result<bool> {
    let end = stage.note("until the status shows it") + Micros::from_secs(seconds);
    loop {
        // It may have no socket yet.
        let status = ask(stage, node, "status --json")?.json().unwrap_or_default();
        if shows(&status) {
            return Ok(true);
        }
        if vrrpd::system::clock::now() > end {
            return Ok(false);
        }
        // Nothing tells that a status has changed.
        stage.look_on(Micros::from_millis(100))?;
    }
}
