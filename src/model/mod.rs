//! What a configuration means: the nouns and units that every other module shares.
//!
//! Both configuration languages end here. The `Default` of a type is keepalived's default. Nothing in this module
//! does I/O, logs, or knows a file's syntax.

mod addr;
mod auth;
mod bfd;
mod global;
mod group;
mod ids;
mod instance;
mod needed;
mod notice;
mod notify;
mod pairing;
mod program;
mod route;
mod tracker;
mod units;

pub use addr::{
    Broadcast, Family, IfName, IfNameError, MacAddr, PreferredLifetime, StaticAddress, VirtualAddress,
    is_ipv6_link_local,
};
pub use auth::{AntiReplay, Authentication, HmacAuth, HmacKey, HmacMode, Password};
pub use bfd::BfdInstance;
pub use global::{
    Dbus, Firewall, GarpGroup, Global, InterfaceDelay, LinkBeat, LinkBeatMethod, LvsFlush, LvsGlobal, LvsSyncDaemon,
    NetlinkBuffer, NetlinkBuffers, PathOptions, ProcessSettings, ReceiveBufferPolicy, ReceiveBuffers, Snmp,
};
pub use group::{SyncGroup, TrackGroup};
pub use ids::{BfdId, GroupId, IfIndex, InstanceId, ProcessId, RunId, ScriptId, Ticket, TrackGroupId, TrackedFileId};
pub use instance::{
    AnnounceSettings, ConfigFault, GarpExtra, Instance, Ipvlan, IpvlanMode, OldUnicastChecksum, OwnLink, Transport,
    UnicastPeer, Version, Vmac, WantedState,
};
pub use needed::Needed;
pub use notice::{Circumstances, FifoKind, Notice, NoticeEvent, NoticeOf, NotifyKind, NotifyOwner, StateName};
pub use notify::{Mail, NotifyFifo, NotifyPrograms, OnceProgram};
pub use pairing::{Renumbering, continued};
pub use program::{Account, Program, ProgramUser};
pub use route::{
    Encap, Mark, Metric, NextHop, PROTOCOL_KEEPALIVED, Prefix, Route, RoutePlace, RouteType, Rule, RuleAction,
    TABLE_MAIN,
};
pub use tracker::{
    FileInit, ParamMatch, Script, TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript, TrackedFile,
    TrackedProcess,
};
pub use units::{AdvertInterval, DownTimerAdverts, Instant, Micros, Priority, UnitError, Vrid, Weight};

use serde::{Deserialize, Serialize};

/// One whole configuration, checked and complete: names are resolved to ids and defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Settings of `global_defs`.
    pub global: Global,
    /// `vrrp_script` blocks that somebody tracks; [`ScriptId`] indexes this list.
    pub scripts: Vec<Script>,
    /// `track_file` blocks; [`TrackedFileId`] indexes this list.
    pub files: Vec<TrackedFile>,
    /// `vrrp_track_process` blocks; [`ProcessId`] indexes this list.
    pub processes: Vec<TrackedProcess>,
    /// `bfd_instance` blocks; [`BfdId`] indexes this list.
    pub bfds: Vec<BfdInstance>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Vec<Instance>,
    /// `vrrp_sync_group` blocks; [`GroupId`] indexes this list.
    pub groups: Vec<SyncGroup>,
    /// `track_group` blocks; [`TrackGroupId`] indexes this list.
    pub track_groups: Vec<TrackGroup>,
    /// `static_ipaddress`.
    pub static_addresses: Vec<StaticAddress>,
    /// `static_routes`.
    pub static_routes: Vec<Route>,
    /// `static_rules`.
    pub static_rules: Vec<Rule>,
    /// Blocks of keepalived's LVS side as they stand, for writing the configuration again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lvs: Vec<LvsBlock>,
}

/// A line of an LVS block with what stands inside its braces. vrrpd does not act on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LvsBlock {
    /// The line's words.
    pub words: Vec<String>,
    /// Lines inside; `None`: no braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<Self>>,
}

/// For serde: what has its default value need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Model {
    /// The script with this id, if the id belongs to this model.
    #[must_use]
    pub fn script(&self, id: ScriptId) -> Option<&Script> {
        self.scripts.get(usize::try_from(id.0).ok()?)
    }

    /// The track group with this id, if the id belongs to this model.
    #[must_use]
    pub fn track_group(&self, id: TrackGroupId) -> Option<&TrackGroup> {
        self.track_groups.get(usize::try_from(id.0).ok()?)
    }
}
