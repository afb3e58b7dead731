//! What a configuration means: the nouns and units that every other module shares.
//!
//! Both configuration languages end here. The `Default` of a type is keepalived's default. Nothing in this module
//! does I/O, logs, or knows a file's syntax.

mod addr;
mod global;
mod ids;
mod instance;
mod tracker;
mod units;

pub use addr::{
    Broadcast, Family, IfName, IfNameError, MacAddr, PreferredLifetime, VirtualAddress, is_ipv6_link_local,
};
pub use global::{Global, PathOptions};
pub use ids::{IfIndex, InstanceId, RunId, ScriptId, Ticket};
pub use instance::{
    AnnounceSettings, Authentication, Instance, OldUnicastChecksum, Password, Transport, UnicastPeer, Version,
    WantedState,
};
pub use tracker::{ProgramUser, Script, TrackInterface, TrackScript};
pub use units::{AdvertInterval, DownTimerAdverts, Instant, Micros, Priority, UnitError, Vrid, Weight};

use serde::{Deserialize, Serialize};

/// One whole configuration, checked and complete: names are resolved to ids and defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Model {
    /// Settings of `global_defs`.
    pub global: Global,
    /// `vrrp_script` blocks that an instance tracks; [`ScriptId`] indexes this list.
    pub scripts: Vec<Script>,
    /// `vrrp_instance` blocks in the order of the file.
    pub instances: Vec<Instance>,
}

impl Model {
    /// The script with this id, if the id belongs to this model.
    #[must_use]
    pub fn script(&self, id: ScriptId) -> Option<&Script> {
        self.scripts.get(usize::try_from(id.0).ok()?)
    }
}
