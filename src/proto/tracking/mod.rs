//! Trackers: all their logic, so that the simulator sees it. Adapters only execute and observe.

mod link;
mod script;

pub(super) use link::{LinkTracking, Reported, Ruling};
pub(super) use script::{ScriptNews, ScriptTracker};
