//! `vrrp_sync_group`: instances that change state together. `track_group`: instances that follow static entries.

use super::{InstanceId, NotifyPrograms, TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One sync group with at least one member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncGroup {
    /// Name of the block.
    pub name: Arc<str>,
    /// Members in the order of `group`: positions in [`crate::model::Model::instances`].
    pub members: Vec<InstanceId>,
    /// `sync_group_tracking_weight` (or the deprecated `global_tracking`): members may track with weights.
    pub tracking_weight: bool,
    /// `track_interface`: tracked for every member.
    pub track_interfaces: Vec<TrackInterface>,
    /// `track_script`.
    pub track_scripts: Vec<TrackScript>,
    /// `track_file`.
    pub track_files: Vec<TrackFile>,
    /// `track_process`.
    pub track_processes: Vec<TrackProcess>,
    /// `track_bfd`.
    pub track_bfds: Vec<TrackBfd>,
    /// `notify*`.
    pub notify: NotifyPrograms,
    /// `smtp_alert`, else the global default.
    pub smtp_alert: bool,
    /// `notify_priority_changes`: default of the members; `None`: the global one holds.
    pub notify_priority_changes: Option<bool>,
}

/// A `track_group`: the instances that a static address, route or rule puts into fault when it is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackGroup {
    /// Name of the block.
    pub name: Arc<str>,
    /// Members: positions in [`crate::model::Model::instances`].
    pub members: Vec<InstanceId>,
}
