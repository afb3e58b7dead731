//! `track_file`: a number in a file, times a weight (behaviour §5.2).

use super::{Effect, News};
use crate::model::{Instant, TrackedFile, Weight};
use crate::proto::action::Action;
use crate::proto::event::FileReading;
use crate::proto::log_event::{FileLine, LogEvent};
use crate::proto::mutant::{Mutant, Mutation};
use crate::proto::reason::TrackerKind;
use crate::proto::snapshot::{Activity, Problem, Severity, TrackerSnapshot, TrackerStatus};
use std::collections::VecDeque;

/// What a file can add at most and at least; less is a fault.
const MOST: i64 = 253;
const LEAST: i64 = -254;

/// One file and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proto) struct FileTracker {
    pub(in crate::proto) file: TrackedFile,
    /// `None`: not read yet.
    value: Option<i32>,
    reading: Option<FileReading>,
    since: Option<Instant>,
}

impl FileTracker {
    pub(in crate::proto) fn new(file: TrackedFile) -> Self {
        Self {
            file,
            value: None,
            reading: None,
            since: None,
        }
    }

    pub(in crate::proto) const fn value(&self) -> Option<i32> {
        self.value
    }

    /// What it was read last.
    pub(super) fn on_reading(&mut self, reading: FileReading, now: Instant, out: &mut VecDeque<Action>) -> News {
        let line = match reading {
            FileReading::TooLarge(number) => Some(FileLine::OutOfRange {
                number,
                path: self.file.path.clone(),
            }),
            FileReading::Unreadable(errno) => Some(FileLine::Unreadable {
                errno,
                path: self.file.path.clone(),
            }),
            FileReading::Unwatchable => Some(FileLine::Unwatchable {
                path: self.file.path.clone(),
            }),
            FileReading::Number(_) | FileReading::Missing => None,
        };
        if let Some(line) = line.filter(|_| self.reading != Some(reading)) {
            out.push_back(Action::Log(LogEvent::File {
                name: self.file.name.clone(),
                line,
            }));
        }
        self.reading = Some(reading);
        let value = match reading {
            FileReading::Number(number) => number,
            // What it held before stays in force.
            FileReading::TooLarge(_) => self.value.unwrap_or(0),
            FileReading::Missing | FileReading::Unreadable(_) | FileReading::Unwatchable => 0,
        };
        if self.value == Some(value) {
            return News::None;
        }
        self.value = Some(value);
        self.since = Some(now);
        News::Value
    }

    /// What the number means under a weight.
    pub(super) fn effect(&self, weight: Weight, mutation: Mutation) -> Effect {
        let Some(value) = self.value else {
            return Effect::Unknown;
        };
        if weight.is_fault() {
            let bad = (value != 0) != weight.is_reverse();
            return if bad { Effect::Fault } else { Effect::Adds(0) };
        }
        let turned = weight.is_reverse() != mutation.is(Mutant::WeightTurned);
        let product = i64::from(value) * i64::from(weight.value()) * if turned { -1 } else { 1 };
        match i32::try_from(product.clamp(LEAST, MOST)) {
            Ok(adds) if i64::from(adds) > LEAST => Effect::Adds(adds),
            Ok(_) | Err(_) => Effect::Fault,
        }
    }

    /// What it holds, in words.
    pub(super) fn describe(&self) -> String {
        let value = self.value.unwrap_or(0);
        match self.reading {
            Some(FileReading::Missing) => format!("{} does not exist, which counts as 0", self.file.path),
            Some(FileReading::Unreadable(errno)) => {
                format!("{} cannot be read (error {errno}), which counts as 0", self.file.path)
            }
            Some(FileReading::Unwatchable) => {
                format!("{} cannot be watched, which counts as 0", self.file.path)
            }
            Some(FileReading::TooLarge(number)) => {
                format!(
                    "{} holds {number}, which is too large; {value} before that",
                    self.file.path
                )
            }
            Some(FileReading::Number(_)) | None => format!("{} holds {value}", self.file.path),
        }
    }

    /// A file that says nothing, although it is there.
    pub(super) fn problem(&self) -> Option<Problem> {
        match self.reading? {
            FileReading::Number(_) | FileReading::Missing => None,
            FileReading::TooLarge(_) | FileReading::Unreadable(_) | FileReading::Unwatchable => Some(Problem {
                severity: Severity::Warning,
                code: "file-without-number".into(),
                instance: None,
                subject: Some(self.file.name.to_string()),
                text: format!("track_file {}: {}", self.file.name, self.describe()).into(),
            }),
        }
    }

    pub(super) fn snapshot(&self) -> TrackerSnapshot {
        TrackerSnapshot {
            kind: TrackerKind::File,
            name: self.file.name.clone(),
            status: match self.effect(self.file.weight, Mutation::default()) {
                Effect::Unknown => TrackerStatus::Pending,
                Effect::Adds(_) => TrackerStatus::Up,
                Effect::Fault => TrackerStatus::Down,
            },
            last_exit: None,
            last_run: None,
            since: self.since,
            result: 0,
            activity: Activity::Idle,
            value: self.value.map(i64::from),
            watch: None,
            delayed: None,
            detail: self.reading.map(|_| self.describe()),
        }
    }

    pub(super) fn is_same(&self, old: &Self) -> bool {
        self.file.path == old.file.path
    }

    /// Its number stays in force until it has been read again.
    pub(super) fn inherit(&mut self, old: Self) {
        let file = std::mem::replace(self, old).file;
        self.file = file;
    }

    pub(super) fn remember(&mut self, value: Option<i32>) {
        self.value = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(value: i32, weight: i16, reverse: bool) -> Effect {
        let mut tracker = FileTracker::new(TrackedFile {
            name: "f".into(),
            path: "/f".into(),
            weight: Weight::ZERO,
            init: None,
        });
        let weight = Weight::new(weight, reverse).unwrap();
        assert_eq!(tracker.effect(weight, Mutation::default()), Effect::Unknown);
        tracker.on_reading(FileReading::Number(value), Instant(0), &mut VecDeque::new());
        tracker.effect(weight, Mutation::default())
    }

    #[test]
    fn a_number_counts_times_its_weight_within_the_bounds_of_the_specification() {
        // behaviour §5.2 (ran with base 100): 10 → 110, -30 → 70, 300 → +253, -254 → fault, -253 → effective 1.
        for (value, weight, reverse, expected) in [
            (10, 1, false, Effect::Adds(10)),
            (-30, 1, false, Effect::Adds(-30)),
            (300, 1, false, Effect::Adds(253)),
            (-254, 1, false, Effect::Fault),
            (-253, 1, false, Effect::Adds(-253)),
            (10, 1, true, Effect::Adds(-10)),
            (254, 1, true, Effect::Fault),
            (-300, 1, true, Effect::Adds(253)),
            (5, -3, false, Effect::Adds(-15)),
            (i32::MAX, 254, false, Effect::Adds(253)),
            (i32::MIN, 254, false, Effect::Fault),
            (i32::MIN, 254, true, Effect::Adds(253)),
            (0, 0, false, Effect::Adds(0)),
            (1, 0, false, Effect::Fault),
            (-1, 0, false, Effect::Fault),
            (0, 0, true, Effect::Fault),
            (7, 0, true, Effect::Adds(0)),
        ] {
            assert_eq!(
                effect(value, weight, reverse),
                expected,
                "{value} weight {weight} reverse {reverse}"
            );
        }
    }

    #[test]
    fn a_number_that_is_too_large_changes_nothing_and_is_told_once() {
        let mut out = VecDeque::new();
        let mut tracker = FileTracker::new(TrackedFile {
            name: "f".into(),
            path: "/f".into(),
            weight: Weight::new(1, false).unwrap(),
            init: None,
        });
        tracker.on_reading(FileReading::Number(7), Instant(0), &mut out);
        let large = FileReading::TooLarge(1 << 40);
        assert_eq!(tracker.on_reading(large, Instant(1), &mut out), News::None);
        assert_eq!(tracker.on_reading(large, Instant(2), &mut out), News::None);
        assert_eq!((tracker.value(), out.len()), (Some(7), 1));
        let problem = tracker.problem().unwrap();
        assert_eq!(
            problem.text,
            "track_file f: /f holds 1099511627776, which is too large; 7 before that"
        );
        assert_eq!(
            tracker.on_reading(FileReading::Missing, Instant(3), &mut out),
            News::Value
        );
        assert_eq!((tracker.value(), tracker.problem()), (Some(0), None));
    }
}
