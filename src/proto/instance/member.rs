//! What an instance does as a member of a sync group when another one leads (behaviour §6).

use super::{Context, Instance, State};
use crate::proto::reason::Reason;

impl Instance {
    /// Whether it is an address owner that does not wait.
    pub(in crate::proto) fn starts_as_master(&self) -> bool {
        self.config.is_owner() && self.config.state == crate::model::WantedState::Master && self.drain.is_none()
    }

    /// Another member of its group has become master.
    pub(in crate::proto) fn follow_to_master(&mut self, reason: Reason, ctx: &mut Context<'_>) {
        if matches!(self.state, State::Backup(_)) && !self.stays_out(ctx.mutation) {
            self.enter_master(reason, ctx);
        }
    }

    /// Another member of its group has left master: for a better router, or because it lost an address.
    pub(in crate::proto) fn follow_to_backup(&mut self, reason: Reason, lost: bool, ctx: &mut Context<'_>) {
        if !self.is_master() {
            return;
        }
        if lost {
            self.send_release(ctx);
            let until = ctx.now + self.skew_time(ctx.mutation);
            self.enter_backup_until(until, reason, ctx);
        } else {
            self.enter_backup(reason, ctx);
        }
    }

    /// Whether it went to Backup because an address was lost.
    pub(in crate::proto) const fn lost_address(&self) -> bool {
        matches!(self.reason, Reason::AddressLost { .. })
    }

    /// Why it is as it is, without going round in its group.
    pub(in crate::proto) fn root_cause(&self) -> Option<Box<Reason>> {
        if let Reason::Group { because, .. } = &self.reason {
            return because.clone();
        }
        Some(Box::new(self.reason.clone()))
    }

    /// Whether all its news have been told.
    pub(in crate::proto) fn has_told(&self) -> bool {
        self.pending.is_empty()
    }
}
