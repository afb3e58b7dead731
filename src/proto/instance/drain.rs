//! Out of service on purpose: a drained instance hands mastership over and has priority 1 from then on, so that every other
//! router goes first. It is the last resort all the same, unless it is told to stay out whatever happens.

use super::{Context, Instance};
use crate::model::{Instant, Micros, Priority};
use crate::proto::action::Action;
use crate::proto::happening::Happening;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::{Mutant, Mutation};
use crate::proto::reason::{PriorityCause, Reason};
use crate::proto::snapshot::DrainSnapshot;
use serde::{Deserialize, Serialize};

/// A drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::proto) struct Drain {
    /// Since when.
    pub(in crate::proto) since: Instant,
    /// When it ends by itself.
    pub(in crate::proto) until: Option<Instant>,
    /// Whether it stays out even when nobody else is master.
    pub(in crate::proto) force: bool,
}

impl Drain {
    pub(in crate::proto) const fn snapshot(&self) -> DrainSnapshot {
        DrainSnapshot {
            since: self.since,
            until: self.until,
            force: self.force,
        }
    }
}

impl Instance {
    /// Takes it out of service. One that is drained already gets the new end.
    pub(in crate::proto) fn start_drain(&mut self, mut drain: Drain, ctx: &mut Context<'_>) {
        if ctx.mutation.is(Mutant::DrainNeverEnds) {
            drain.until = None;
        }
        self.drain = Some(drain.into());
        self.dirty = true;
        let length = drain.until.map(|until| until.since(ctx.now));
        let (instance, force) = (self.config.name.clone(), drain.force);
        self.log(InstanceLine::Drained { length, force }, ctx.out);
        let happened = Happening::Drained {
            instance,
            length,
            force,
        };
        ctx.out.push_back(Action::Happened(happened.into()));
        self.change_priority(PriorityCause::Drained, ctx);
        if self.is_master() && !ctx.mutation.is(Mutant::DrainIgnored) {
            self.hand_over(length, ctx);
        }
    }

    /// Another router takes over within its Skew_Time, which is at most that of priority 1. If nobody does, we are needed.
    fn hand_over(&mut self, length: Option<Micros>, ctx: &mut Context<'_>) {
        if !ctx.mutation.is(Mutant::DrainUnannounced) {
            self.send_release(ctx);
        }
        let mut patience = self.skew_of(Priority::MIN) + self.config.advert_interval.duration();
        if ctx.mutation.is(Mutant::DrainImpatient) {
            patience = self.skew_of(Priority::MIN);
        }
        let until = ctx.now + patience;
        self.enter_backup_until(until, Reason::Drained { length }, ctx);
    }

    /// Takes part again.
    pub(in crate::proto) fn end_drain(&mut self, time_over: bool, ctx: &mut Context<'_>) {
        if self.drain.take().is_none() {
            return;
        }
        self.dirty = true;
        let instance = self.config.name.clone();
        self.log(InstanceLine::Resumed { time_over }, ctx.out);
        ctx.out
            .push_back(Action::Happened(Happening::Resumed { instance, time_over }.into()));
        self.change_priority(PriorityCause::Resumed, ctx);
    }

    /// Whether it stays out although nobody else is master.
    pub(super) fn stays_out(&self, mutation: Mutation) -> bool {
        let leaves_nobody = self.drain.is_some() && mutation.is(Mutant::DrainLeavesNobody);
        let forced = self.drain.as_ref().is_some_and(|drain| drain.force);
        leaves_nobody || forced && !mutation.is(Mutant::ForcedDrainServes)
    }
}
