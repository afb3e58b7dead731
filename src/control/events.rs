//! What happened, as lines of JSON: a bounded ring for those who ask later, and a feed for those who follow.
//!
//! Nobody waits for a reader. One that is too slow for the feed loses lines and is told how many. The ring survives the
//! process: each line also goes to the supervisor, and the next daemon begins with the lines of the last one.

use super::json::SCHEMA;
use crate::model::Micros;
use crate::proto::{Happening, StateName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// Events that are kept.
pub const KEPT: usize = 1024;
/// Events that wait for a follower before it loses the oldest.
const FEED: usize = 256;

/// The kind of a line that says how many events a follower has lost.
const LOST: &str = "lost";

/// One event: a line of the control socket, and of `vrrpd events --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventStatus {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Counts the events from 1, over respawns.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What kind of event: `transition`, `priority`, `tracker`, ... (docs/operations.md).
    pub kind: String,
    /// The instance that it happened to, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Of a transition: the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StateName>,
    /// Of a transition: the state now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StateName>,
    /// The stable word of the reason, or the code of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In words.
    pub text: String,
}

impl EventStatus {
    /// An event of the core.
    fn of(happening: &Happening, at: Timestamp) -> Self {
        let mut event = Self::plain(happening.kind(), happening.to_string(), at);
        event.instance = happening.instance().map(ToString::to_string);
        if let Happening::Transition(change) = happening {
            (event.from, event.to) = (Some(change.from), Some(change.to));
            event.code = Some(change.reason.code().into());
        }
        if let Happening::Group(change) = happening {
            (event.from, event.to) = (Some(change.from), Some(change.to));
        }
        if let Happening::Raised(problem) | Happening::Cleared(problem) = happening {
            event.code = Some(problem.code.to_string());
        }
        event
    }

    fn plain(kind: &str, text: String, at: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            sequence: 0,
            at,
            kind: kind.into(),
            instance: None,
            from: None,
            to: None,
            code: None,
            text,
        }
    }

    /// What a follower is told that was too slow.
    #[must_use]
    pub(super) fn lost(count: u64) -> Self {
        let text = format!("{count} events were lost here: they came faster than this reader took them");
        let mut event = Self::plain(LOST, text, Timestamp::now());
        event.sequence = count;
        event
    }

    /// Whether this is no event, but the number of those that this reader has lost.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.kind == LOST
    }

    pub(super) fn line(&self) -> Arc<str> {
        // No type of the event can fail to be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        format!("{text}\n").into()
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) since: Option<Timestamp>,
    pub(super) name: Option<String>,
}

impl Wanted {
    /// Whether a line belongs to it: events of that instance, and those of none. Only the line is kept of an event, so it is
    /// read again where something of it matters.
    pub(super) fn takes(&self, line: &str) -> bool {
        if self.since.is_none() && self.name.is_none() {
            return true;
        }
        let Ok(event) = serde_json::from_str::<EventStatus>(line) else {
            return false;
        };
        let of = |name: &String| event.instance.as_ref().is_none_or(|instance| instance == name);
        self.since.is_none_or(|since| event.at >= since) && self.name.as_ref().is_none_or(of)
    }
}

/// The ring and the feed. Clones share both.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    ring: VecDeque<Arc<str>>,
    next: u64,
    /// Only while somebody follows.
    feed: Option<broadcast::Sender<Arc<str>>>,
}

impl Journal {
    /// A journal that goes on behind these lines; what is no event is left out.
    #[must_use]
    pub fn new<'a>(former: impl IntoIterator<Item = &'a str>) -> Self {
        let mut next = 1;
        let mut kept = |line: &'a str| {
            let event: EventStatus = serde_json::from_str(line).ok()?;
            next = event.sequence + 1;
            Some(format!("{}\n", line.trim_end()).into())
        };
        let ring = former.into_iter().filter_map(&mut kept).collect();
        Self(Arc::new(Mutex::new(Inner { ring, next, feed: None })))
    }

    /// Adds something that happened in the core; the line that the supervisor is to keep.
    pub fn add(&self, happening: &Happening, wall: Micros) -> Arc<str> {
        self.put(EventStatus::of(happening, timestamp(wall)))
    }

    /// Adds something that happened elsewhere.
    pub fn remark(&self, kind: &str, text: String, wall: Micros) -> Arc<str> {
        self.put(EventStatus::plain(kind, text, timestamp(wall)))
    }

    fn put(&self, mut event: EventStatus) -> Arc<str> {
        let mut inner = self.lock();
        event.sequence = inner.next;
        inner.next += 1;
        let line = event.line();
        if inner.ring.len() >= KEPT {
            inner.ring.pop_front();
        }
        inner.ring.push_back(Arc::clone(&line));
        let sent = inner.feed.as_ref().map(|feed| feed.send(Arc::clone(&line)));
        if sent.is_some_and(|sent| sent.is_err()) {
            inner.feed = None;
        }
        line
    }

    /// What is kept of what somebody asks for.
    pub(super) fn kept(&self, wanted: &Wanted) -> Vec<Arc<str>> {
        let inner = self.lock();
        inner.ring.iter().filter(|line| wanted.takes(line)).cloned().collect()
    }

    /// Everything from now on, behind what [`Journal::kept`] gives.
    pub(super) fn follow(&self) -> broadcast::Receiver<Arc<str>> {
        let mut inner = self.lock();
        inner
            .feed
            .get_or_insert_with(|| broadcast::Sender::new(FEED))
            .subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn timestamp(wall: Micros) -> Timestamp {
    let millis = i64::try_from(wall.as_millis()).unwrap_or(0);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Micros {
        Micros::from_secs(number)
    }

    #[test]
    fn the_ring_is_bounded_and_its_numbers_go_on_in_the_next_process() {
        let journal = Journal::new([]);
        for number in 1..=2000 {
            journal.remark("test", number.to_string(), second(number));
        }
        let kept = journal.kept(&Wanted::default());
        assert_eq!(kept.len(), KEPT);
        let next = Journal::new(kept.iter().map(|line| &**line));
        let line = next.remark("test", "more".into(), second(2001));
        let event: EventStatus = serde_json::from_str(&line).unwrap();
        assert_eq!(event.sequence, 2001);
        let wanted = Wanted {
            since: Some(timestamp(second(1999))),
            name: None,
        };
        let texts = next
            .kept(&wanted)
            .iter()
            .map(|line| serde_json::from_str::<EventStatus>(line).unwrap().text)
            .collect::<Vec<_>>();
        assert_eq!(texts, ["1999", "2000", "more"]);
    }

    #[test]
    fn a_follower_that_does_not_read_loses_the_oldest_and_learns_how_many() {
        let journal = Journal::new([]);
        let mut follower = journal.follow();
        for number in 0..1000 {
            journal.remark("test", String::new(), second(number));
        }
        let lost = match follower.try_recv() {
            Err(broadcast::error::TryRecvError::Lagged(lost)) => lost,
            other => panic!("{other:?}"),
        };
        let mut got = 0;
        while follower.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(lost + got, 1000);
        assert!(got >= u64::try_from(FEED).unwrap());
    }
}
