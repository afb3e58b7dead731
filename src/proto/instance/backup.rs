//! Backup: listen to the master, take over when it falls silent (behaviour §2.3, RFC 9568 section 6.4.2).

use super::{Context, Heard, Instance, State};
use crate::model::{AdvertInterval, Instant, Micros, Priority, Version};
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::{Evidence, Reason};
use crate::proto::snapshot::Verdict;
use std::net::IpAddr;

impl Instance {
    pub(super) fn backup_heard(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        if heard.priority == Priority::RELEASE {
            self.backup_heard_release(heard, at, ctx);
            return;
        }
        if self.lowered && !heard.priority.is_owner() && self.drain.is_none() {
            self.lowered = false;
            self.effective = Priority::OWNER;
            self.log(InstanceLine::OwnerRestored { lower_heard: true }, ctx.out);
        }
        self.note_master(heard, at, ctx);
        if self.accepts(heard, at, ctx) {
            self.backup_accepts(heard, at, ctx);
        } else {
            self.backup_discards(heard, at, ctx);
        }
    }

    fn backup_heard_release(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        self.say(InstanceLine::BackupPriorityZero, at, ctx);
        self.note_peer(heard, Verdict::Accepted, at);
        if ctx.mutation.is(Mutant::PriorityZeroIgnored) {
            return;
        }
        let skew = self.skew_time(ctx.mutation);
        if let State::Backup(backup) = &mut self.state {
            backup.master_down = at + skew;
            backup.released = Some(heard.source);
        }
    }

    /// Whether an advert of this priority keeps us in Backup; runs `preempt_delay`.
    fn accepts(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) -> bool {
        if ctx.mutation.is(Mutant::PreemptIgnored) {
            return true;
        }
        let preempts = self.config.preempt || ctx.mutation.is(Mutant::NoPreemptIgnored);
        let delay = self.config.preempt_delay;
        let State::Backup(backup) = &mut self.state else {
            return false;
        };
        if heard.priority >= self.effective {
            if backup.preempt_after.take().is_some() {
                self.say(InstanceLine::PreemptDelayStop, at, ctx);
            }
            return true;
        }
        if !preempts {
            return true;
        }
        if delay == Micros::ZERO || ctx.mutation.is(Mutant::PreemptDelayForgotten) {
            return false;
        }
        match backup.preempt_after {
            Some(end) => at < end,
            None => {
                backup.preempt_after = Some(at + delay);
                self.say(InstanceLine::PreemptDelayStart { delay }, at, ctx);
                true
            }
        }
    }

    fn backup_accepts(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        self.learn_interval(heard, at, ctx);
        self.wants_master = false;
        let mdi = self.master_down_interval(ctx.mutation);
        let near = Micros(self.master_interval.duration().0.saturating_mul(5) / 2);
        if let State::Backup(backup) = &mut self.state {
            let silent = backup.accepted.map_or(Micros::ZERO, |(_, _, before)| at.since(before));
            if silent > near {
                self.counters.near_failovers += 1;
                self.near_at = Some(at);
                self.dirty = true;
            }
            backup.master_down = at + mdi;
            backup.accepted = Some((heard.source, heard.priority, at));
            backup.released = None;
            self.dirty |= backup.nobody_since.take().is_some();
        }
        self.note_peer(heard, Verdict::Accepted, at);
    }

    fn backup_discards(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        let mdi = self.master_down_interval(ctx.mutation);
        if let State::Backup(backup) = &mut self.state {
            backup.discarded = Some((heard.source, heard.priority, at));
            if ctx.mutation.is(Mutant::DiscardedRearms) {
                backup.master_down = at + mdi;
            }
        }
        self.note_peer(heard, Verdict::LowerPriority, at);
        let line = InstanceLine::LowerPriorityDiscarded {
            priority: heard.priority,
            from: heard.source,
        };
        self.say(line, at, ctx);
    }

    /// Version 3 learns the interval of its master (RFC 9568 section 6.4.2).
    pub(super) fn learn_interval(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        if self.config.version == Version::V2 || ctx.mutation.is(Mutant::IntervalNotLearned) {
            return;
        }
        let Some(theirs) = AdvertInterval::from_centiseconds(heard.interval_cs) else {
            return;
        };
        let from = self.master_interval;
        if theirs != from {
            self.master_interval = theirs;
            let line = InstanceLine::IntervalLearned {
                from: from.duration(),
                to: theirs.duration(),
            };
            self.say(line, at, ctx);
        }
    }

    fn note_master(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        let line = match self.last_master.replace(heard.source) {
            Some(before) if before == heard.source => return,
            Some(from) => InstanceLine::MasterChanged { from, to: heard.source },
            None => InstanceLine::MasterSet { to: heard.source },
        };
        self.say(line, at, ctx);
        self.limits.forget_causes();
    }

    /// Active_Down_Timer fired.
    pub(super) fn master_down(&mut self, ctx: &mut Context<'_>) {
        let recent = self.master_down_interval(ctx.mutation);
        let stays_out = self.stays_out(ctx.mutation);
        let State::Backup(backup) = &mut self.state else { return };
        if stays_out {
            // It listens on, so that it knows when somebody is there again.
            backup.master_down = ctx.now + recent;
            backup.nobody_since.get_or_insert(ctx.now);
            self.dirty = true;
            return;
        }
        self.wants_master = true;
        if ctx.others.hesitate {
            // The group takes over when the last member's master has fallen silent (behaviour §6).
            backup.master_down = ctx.now + recent;
            self.log(InstanceLine::ReceiveTimeout, ctx.out);
            return;
        }
        let reason = self.take_over_reason(recent, ctx);
        self.log(InstanceLine::ReceiveTimeout, ctx.out);
        if self.lowered {
            self.log(InstanceLine::OwnerRestored { lower_heard: false }, ctx.out);
        }
        self.enter_master(reason, ctx);
    }

    /// What the silence of a whole Master_Down_Interval means.
    fn take_over_reason(&self, recent: Micros, ctx: &Context<'_>) -> Reason {
        let State::Backup(backup) = &self.state else {
            return self.reason.clone();
        };
        // A worse advert of somebody else is no news while there is a master that may fall silent.
        let worse = backup
            .discarded
            .filter(|(from, ..)| backup.accepted.is_none_or(|(master, ..)| master == *from));
        let misnamed = ctx.mutation.is(Mutant::PreemptionMisnamed);
        match (worse, backup.released, backup.accepted) {
            (Some((master, theirs, at)), None, _) if ctx.now.since(at) < recent && !misnamed => Reason::Preempted {
                master,
                theirs,
                ours: self.effective,
                because: self.why_preempted(master, theirs, ctx),
            },
            (_, Some(master), _) => Reason::MasterReleased { master },
            (_, None, Some((master, _, at))) => Reason::MasterDown {
                master: Some(master),
                silent_for: Some(ctx.now.since(at)),
                dropped: self.peers.refused_since(master, at),
            },
            (_, None, None) if self.drain.is_some() && matches!(self.reason, Reason::Drained { .. }) => {
                Reason::NotTakenOver
            }
            (_, None, None) => Reason::MasterDown {
                master: None,
                silent_for: None,
                dropped: None,
            },
        }
    }

    fn why_preempted(&self, master: IpAddr, theirs: Priority, ctx: &Context<'_>) -> Vec<Evidence> {
        let State::Backup(backup) = &self.state else {
            return Vec::new();
        };
        let before = backup
            .accepted
            .filter(|(from, before, _)| *from == master && *before > theirs);
        let theirs_before = before.map(|(_, before, _)| Evidence::Theirs { before });
        let waited = backup.preempt_after.map(|_| Evidence::Waited {
            delay: self.config.preempt_delay,
        });
        let ours = self.evidence_of_ours(theirs, ctx);
        let nothing_else = theirs_before.is_none() && ours.is_none();
        let no_other = backup.accepted.is_none_or(|(from, ..)| from == master);
        let absent = matches!(
            self.reason,
            Reason::FaultCleared { .. } | Reason::Startup | Reason::Respawned | Reason::Reload | Reason::Stalled { .. }
        );
        let absent = absent && nothing_else && no_other;
        let absent = absent.then(|| Evidence::Absent(self.reason.clone().into()));
        let compared = theirs_before.into_iter().chain(ours);
        compared.chain(absent).chain(waited).collect()
    }
}
