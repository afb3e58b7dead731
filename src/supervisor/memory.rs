//! What a daemon leaves for its successor. It tells the supervisor as it goes, because it may die at any moment; the supervisor
//! keeps the texts and does not understand them.

use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Events that are kept, as many as the daemon itself keeps.
const EVENTS: usize = 1024;
/// Bytes of all parts together; what does not fit is not kept.
const BYTES: usize = 64 << 20;

/// The memory of the daemon that runs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    parts: BTreeMap<Box<str>, Box<str>>,
    bytes: usize,
    events: VecDeque<Box<str>>,
}

impl Memory {
    /// Keeps a part instead of the older one of the same key.
    pub(super) fn keep(&mut self, key: String, text: String) {
        if let Some(old) = self.parts.remove(&*key) {
            self.bytes -= key.len() + old.len();
        }
        let size = key.len() + text.len();
        if self.bytes + size <= BYTES {
            self.bytes += size;
            self.parts.insert(key.into(), text.into());
        }
    }

    /// Keeps an event, and forgets the oldest beyond the bound.
    pub(super) fn happened(&mut self, line: String) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(line.into());
    }

    /// For the next daemon, which is forked from us.
    pub(super) fn former(&self, death: String) -> Former {
        Former {
            death,
            parts: self.parts.values().map(|text| Arc::from(&**text)).collect(),
            events: self.events.iter().map(|text| Arc::from(&**text)).collect(),
        }
    }
}

/// What a daemon learns of the one before it.
#[derive(Debug, Clone)]
pub struct Former {
    /// How it ended, in words.
    pub death: String,
    /// What it had told of its state.
    parts: Vec<Arc<str>>,
    /// What had happened, one JSON object each.
    pub events: Vec<Arc<str>>,
}

impl Former {
    /// The parts of its state. One that cannot be read is left out: a part that is missing is better than no daemon.
    #[must_use]
    pub fn parts<T: DeserializeOwned>(&self) -> Vec<T> {
        let read = |text: &Arc<str>| {
            serde_json::from_str(text)
                .inspect_err(|error| tracing::warn!("a part of the former process's memory is unreadable: {error}"))
                .ok()
        };
        self.parts.iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_part_replaces_the_older_one_and_the_bounds_hold() {
        let mut memory = Memory::default();
        for number in 0..3000 {
            memory.keep("a".into(), number.to_string());
            memory.happened(number.to_string());
        }
        memory.keep("b".into(), "x".repeat(BYTES));
        memory.keep("c".into(), "7".into());
        let former = memory.former(String::new());
        assert_eq!(former.parts::<u32>(), [2999, 7]);
        assert_eq!((former.events.len(), &*former.events[0]), (EVENTS, "1976"));
        assert_eq!(memory.bytes, "a2999c7".len());
    }
}
