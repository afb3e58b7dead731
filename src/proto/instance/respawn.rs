//! What an instance takes over from a former process (`proto::state` says why).

use super::{Instance, Memory, Peers};
use crate::model::Version;
use crate::proto::counters::believable;
use crate::proto::reason::Reason;
use crate::proto::state::InstanceState;

impl Instance {
    /// Its process is not the first one.
    pub(in crate::proto) fn is_respawned(&mut self) {
        self.begins_by(Reason::Respawned);
    }

    /// Why there is such an instance at all, if not because the daemon started.
    pub(in crate::proto) fn begins_by(&mut self, reason: Reason) {
        self.origin = Some(reason.clone().into());
        self.reason = reason;
    }

    /// Goes on where an instance of a former process ended.
    pub(in crate::proto) fn remember(&mut self, old: &InstanceState) {
        if self.config.version == Version::V3 {
            self.master_interval = old.master_interval;
        }
        self.last_master = old.last_master;
        self.counters = old.counters.clone().believable();
        self.sequence = believable(old.sequence);
        self.peers = Peers::import(&old.peers, old.taken_at);
        self.memory = old.memory.clone();
    }

    /// Why it takes its first state.
    pub(super) fn start_reason(&self) -> Reason {
        self.origin.as_deref().cloned().unwrap_or(Reason::Startup)
    }

    pub(in crate::proto) const fn peers(&self) -> &Peers {
        &self.peers
    }

    pub(in crate::proto) const fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(in crate::proto) const fn sequence(&self) -> u64 {
        self.sequence
    }
}
