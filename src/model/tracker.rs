//! What is watched, and what a result means for an instance.

use super::{Account, BfdId, IfName, Micros, ProcessId, ProgramUser, ScriptId, TrackedFileId, Weight};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// `user` as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// `script "</path"`: nothing is run, the check is whether this file can be opened for reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// Start to start of two runs; default 1 s, resolution 1 ms.
    pub interval: Micros,
    /// `timeout`: when a run is ended; `None`: after the interval, see [`Script::limit`].
    pub timeout: Option<Micros>,
    /// Default weight of those who track it.
    pub weight: Weight,
    /// Successes in a row to come up, at least 1.
    pub rise: u32,
    /// Failures in a row to go down, at least 1.
    pub fall: u32,
    /// `init_fail`: counts as failed until it has succeeded.
    pub init_fail: bool,
    /// It runs as root and somebody else could change it (semantic-checks §3).
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub insecure: bool,
}

impl Script {
    /// A script with keepalived's defaults.
    #[must_use]
    pub fn new(name: &str, argv: Vec<String>) -> Self {
        Self {
            name: name.into(),
            argv,
            path: None,
            user: None,
            account: None,
            opens: None,
            interval: Micros::SECOND,
            timeout: None,
            weight: Weight::ZERO,
            rise: 1,
            fall: 1,
            init_fail: false,
            insecure: false,
        }
    }

    /// How long a run may take.
    #[must_use]
    pub fn limit(&self) -> Micros {
        self.timeout.unwrap_or(self.interval)
    }
}

/// A `track_file` block: a number in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedFile {
    /// Name of the block.
    pub name: Arc<str>,
    /// `file`.
    pub path: String,
    /// Default weight: the file's number is multiplied by it; 0: a number other than 0 is a fault.
    pub weight: Weight,
    /// `init_file`: written when the daemon starts.
    pub init: Option<FileInit>,
}

/// `init_file` of a `track_file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInit {
    /// The number written.
    pub value: i32,
    /// `overwrite`: also if the file exists.
    pub overwrite: bool,
}

/// `param_match` of a `vrrp_track_process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamMatch {
    /// All parameters are the same.
    Exact,
    /// The process may have more parameters behind these.
    Partial,
    /// These parameters may end in the middle of one of the process's.
    Initial,
}

/// A `vrrp_track_process` block: how many processes of a name run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedProcess {
    /// Name of the block.
    pub name: Arc<str>,
    /// The program of `process`.
    pub process: String,
    /// The other words of `process`.
    pub parameters: Vec<String>,
    /// How `parameters` are compared; `None`: they are not.
    pub param_match: Option<ParamMatch>,
    /// Default weight.
    pub weight: Weight,
    /// `quorum`: so many have to run.
    pub quorum: u32,
    /// `quorum_max`: no more may run; `None`: no limit.
    pub quorum_max: Option<u32>,
    /// `fork_delay`: after the quorum is reached.
    pub fork_delay: Micros,
    /// `terminate_delay`: after the quorum is lost.
    pub terminate_delay: Micros,
    /// `full_command`: the first word of the command line counts, not the name that the kernel keeps.
    pub full_command: bool,
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

/// A line of a `track_file` block in an instance or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    /// Which file.
    pub file: TrackedFileId,
    /// Weight here: the line's, else the file's.
    pub weight: Weight,
}

/// A line of `track_process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    /// Which process.
    pub process: ProcessId,
    /// Weight here: the line's, else the process's.
    pub weight: Weight,
}

/// A line of `track_bfd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackBfd {
    /// Which session.
    pub bfd: BfdId,
    /// Weight here: the line's, else the session's.
    pub weight: Weight,
}
