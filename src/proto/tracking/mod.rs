//! Trackers: all their logic, so that the simulator sees it. Adapters only execute and observe.

mod script;

pub(super) use script::{ScriptNews, ScriptTracker};
