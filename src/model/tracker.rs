//! What is watched, and what a result means for an instance.

use super::{IfName, Micros, ScriptId, Weight};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The user and group that a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramUser {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A `vrrp_script`: one check program, shared by all instances that track it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Name of the block.
    pub name: Arc<str>,
    /// Words of the command as written: argv of the program.
    pub argv: Vec<String>,
    /// The file that is executed; `None` while nothing was found.
    pub path: Option<String>,
    /// Who runs it. `None`: the daemon's own user.
    pub user: Option<ProgramUser>,
    /// Start to start of two runs; default 1 s, resolution 1 ms.
    pub interval: Micros,
    /// When a run is ended; default the interval.
    pub timeout: Micros,
    /// Default weight of those who track it.
    pub weight: Weight,
    /// Successes in a row to come up, at least 1.
    pub rise: u32,
    /// Failures in a row to go down, at least 1.
    pub fall: u32,
    /// `init_fail`: counts as failed until it has succeeded.
    pub init_fail: bool,
}

/// A line of `track_script`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    /// Which script.
    pub script: ScriptId,
    /// Weight here: the line's, else the script's.
    pub weight: Weight,
}

/// A line of `track_interface`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInterface {
    /// Which interface.
    pub interface: IfName,
    /// Weight; 0 = its being down is a fault.
    pub weight: Weight,
}
