//! Small numbers that stand for objects, so that one cannot be taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A VRRP instance. Stable for the life of the instance, also over a reload; never reused by the same core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId(pub u32);

impl InstanceId {
    /// The holder of the static addresses in wishes for addresses: no instance ever has this number.
    pub const STATIC: Self = Self(u32::MAX);
}

/// A `vrrp_script`: its position in [`crate::model::Model::scripts`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptId(pub u32);

/// A `track_file` block: its position in [`crate::model::Model::files`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackedFileId(pub u32);

/// A `vrrp_track_process` block: its position in [`crate::model::Model::processes`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId(pub u32);

/// A `bfd_instance`: its position in [`crate::model::Model::bfds`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BfdId(pub u32);

/// A `vrrp_sync_group`: its position in [`crate::model::Model::groups`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// A `track_group`: its position in [`crate::model::Model::track_groups`] of the model in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackGroupId(pub u32);

/// One run of a program. Counted up by the core and never reused, so a late result cannot be taken for a newer run's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// One wish for kernel objects (addresses set, addresses gone, announced). A newer ticket of the same instance replaces an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// The kernel's number of a network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IfIndex(pub u32);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instance#{}", self.0)
    }
}

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
