//! The protocol: a plain struct that never does I/O, never reads a clock and never waits.
//!
//! One direction: event → core → actions → adapters. Results of actions come back only as new events.
//!
//! Contract between the core and its driver: one [`Core::handle`] or [`Core::handle_timeout`], then [`Core::poll_action`]
//! until `None`, then [`Core::next_deadline`], then wait. Calling too early or too often is harmless. The same model,
//! seed and events give the same actions.

mod action;
mod counters;
mod event;
mod log_event;
mod reason;
mod snapshot;
mod timer;

pub use action::{Action, AddressWish, Announce, KillSignal, Receive, SocketSpec, StateChange, StateName, Transmit};
pub use counters::{Counters, DropReason};
pub use event::{Culprit, Datagram, Event, Link, LinkAddress, Packet, RunOutcome};
pub use log_event::{Difference, DropDetail, InstanceLine, InterfaceLine, LogEvent, ScriptLine};
pub use reason::{Reason, TrackerKind, Transition};
pub use snapshot::{
    Contribution, InstanceSnapshot, MasterSnapshot, PeerSnapshot, PrioritySnapshot, Problem, Severity, Snapshot,
    TimerSnapshot, TrackerSnapshot, TrackerStatus, Verdict, VipSnapshot,
};
pub use timer::Timer;

use crate::model::{Instant, Model};
use std::collections::VecDeque;

/// The state machines of one daemon.
#[derive(Debug)]
pub struct Core {
    actions: VecDeque<Action>,
}

impl Core {
    /// A core that has not started: it waits for links, addresses and then [`Event::Start`].
    ///
    /// `seed` decides whatever is arbitrary (today: nothing).
    #[must_use]
    pub fn new(_model: Model, _seed: u64, _now: Instant) -> Self {
        Self {
            actions: VecDeque::new(),
        }
    }

    /// Takes one input in. `now` must not go back; a packet says by its age when it arrived.
    pub fn handle(&mut self, _event: Event<'_>, _now: Instant) {}

    /// Runs every deadline that has passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next effect to carry out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Core::handle_timeout`] is to be called at the latest, and for whom.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Instant, Timer)> {
        None
    }

    /// A view for people and machines.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            taken_at: now,
            instances: Vec::new(),
            trackers: Vec::new(),
            problems: Vec::new(),
        }
    }
}
