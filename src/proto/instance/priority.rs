//! The effective priority: what it is made of, and why it changed.

use super::faults::file_faults;
use super::{Context, Instance, State};
use crate::model::{Micros, NoticeEvent, Priority};
use crate::proto::action::Action;
use crate::proto::happening::Happening;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::{Evidence, PriorityCause, PriorityChange, Reason};

impl Instance {
    /// `base + Σ contributions`, 1 to 254; an owner has always 255 (behaviour §4). One that is drained has 1.
    pub(super) fn priority_of(&self, ctx: &Context<'_>) -> Priority {
        if self.drain.is_some() && !ctx.mutation.is(Mutant::DrainKeepsPriority) {
            return Priority::MIN;
        }
        if self.config.is_owner() {
            return if self.lowered { Priority::MAX } else { Priority::OWNER };
        }
        let sum: i32 = self.contributed(ctx).iter().sum();
        Priority::clamped(i32::from(self.config.priority.get()) + sum)
    }

    /// What each tracker adds.
    pub(super) fn contributed(&self, ctx: &Context<'_>) -> Vec<i32> {
        let contributions = self.contributions(ctx.world, ctx.trackers, ctx.mutation);
        contributions.iter().map(|c| c.adds).collect()
    }

    /// Trackers have changed. `before`: the faults before this one, while which the old priority stays if a file caused them
    /// (behaviour §4).
    pub(super) fn follow_trackers(&mut self, before: &[Reason], ctx: &mut Context<'_>) {
        if file_faults(&self.faults).next().is_some() {
            return;
        }
        let recovers = file_faults(before).next().is_some();
        self.set_priority(None, recovers, ctx);
    }

    /// Something that the priority is made of may have changed. A backup's timer moves by the change of its
    /// Master_Down_Interval; a master's next advert carries the new value.
    pub(super) fn change_priority(&mut self, cause: PriorityCause, ctx: &mut Context<'_>) {
        self.set_priority(Some(cause), false, ctx);
    }

    /// `recovers`: from a fault that a file caused, for which there are other words.
    fn set_priority(&mut self, cause: Option<PriorityCause>, recovers: bool, ctx: &mut Context<'_>) {
        let adds = self.contributed(ctx);
        let before = std::mem::replace(&mut self.adds, adds);
        let (from, to) = (self.effective, self.priority_of(ctx));
        if from == to {
            return;
        }
        let cause = cause
            .or_else(|| self.guilty(&before, ctx))
            .unwrap_or(PriorityCause::Configuration);
        let before = self.master_down_interval(ctx.mutation);
        self.effective = to;
        self.move_master_down(before, ctx);
        self.tell_priority(from, recovers, cause, ctx);
    }

    /// Active_Down_Timer follows a change of its interval, which was this long before.
    pub(super) fn move_master_down(&mut self, before: Micros, ctx: &Context<'_>) {
        let after = self.master_down_interval(ctx.mutation);
        if let State::Backup(backup) = &mut self.state
            && !ctx.mutation.is(Mutant::PriorityShiftLeftOut)
        {
            backup.shift(before, after);
        }
    }

    /// The effective priority has changed; `recovers`: with the end of a fault that a file caused.
    pub(super) fn tell_priority(
        &mut self,
        from: Priority,
        recovers: bool,
        cause: PriorityCause,
        ctx: &mut Context<'_>,
    ) {
        let to = self.effective;
        let line = if recovers {
            InstanceLine::SettingPriority { to }
        } else {
            InstanceLine::EffectivePriority { from, to }
        };
        self.log(line, ctx.out);
        self.note_priority(from, to, cause, ctx);
        if self.config.notify_priority_changes {
            let event = if self.is_master() {
                NoticeEvent::MasterPriority
            } else {
                NoticeEvent::BackupPriority
            };
            self.notify(event, ctx.out);
        }
    }

    /// The first tracker that adds something else than before.
    fn guilty(&self, before: &[i32], ctx: &Context<'_>) -> Option<PriorityCause> {
        let now = self.contributions(ctx.world, ctx.trackers, ctx.mutation);
        let one = now.iter().zip(before).find(|(now, before)| now.adds != **before)?.0;
        let tracker = ctx
            .trackers
            .iter()
            .find(|t| t.kind() == one.kind && *t.name() == one.name);
        let detail = tracker.and_then(|tracker| tracker.snapshot().detail);
        Some(PriorityCause::Tracker {
            kind: one.kind,
            name: one.name.clone(),
            status: one.status,
            detail,
        })
    }

    /// Remembers a change for reasons, and tells it.
    pub(super) fn note_priority(&mut self, from: Priority, to: Priority, cause: PriorityCause, ctx: &mut Context<'_>) {
        let change = PriorityChange { from, to, cause };
        self.changed = true;
        self.last_priority = Some((ctx.now, change.clone()).into());
        let instance = self.config.name.clone();
        ctx.out
            .push_back(Action::Happened(Happening::Priority { instance, change }.into()));
    }

    /// Why a comparison with another priority ended as it did, if it would have ended otherwise before our last change in this
    /// state.
    pub(super) fn evidence_of_ours(&self, theirs: Priority, ctx: &Context<'_>) -> Option<Evidence> {
        let (at, change) = self.last_priority.as_deref()?;
        let turned = change.from >= theirs && change.to < theirs || change.from <= theirs && change.to > theirs;
        let ours = *at >= self.since && change.to == self.effective && turned && !ctx.mutation.is(Mutant::CauseLeftOut);
        ours.then(|| Evidence::Ours(change.clone()))
    }
}
