//! An advert for this VRID: judged, counted, and given to the state that it concerns.

use super::{Arrived, Context, Heard, Instance, State, judge};
use crate::model::{AdvertInterval, Instant, Micros, OldUnicastChecksum, Priority, Transport};
use crate::proto::action::Action;
use crate::proto::limiter::Cause;
use crate::proto::log_event::{Difference, DropDetail, InstanceLine, LogEvent};
use crate::proto::mutant::Mutant;
use crate::proto::snapshot::Verdict;
use crate::wire::vrrp::ChecksumForm;

/// Beyond the first few, what adverts make us write comes as often as this.
const CHATTER: Micros = Micros::from_secs(6);

impl Instance {
    /// An advert for this VRID, judged.
    pub(in crate::proto) fn on_advert(&mut self, arrived: &Arrived<'_>, at: Instant, ctx: &mut Context<'_>) {
        match self.state {
            State::Init => return,
            State::Fault => return self.overhear(arrived, at, ctx),
            State::Backup(_) | State::Master(_) => {}
        }
        if self.source == Some(arrived.source) && !ctx.mutation.is(Mutant::OwnAdvertsHeard) {
            self.own_address_heard(arrived, at, ctx);
            return;
        }
        let known_sender = self.last_master == Some(arrived.source);
        let compare = self.is_master() || !known_sender || !self.config.skip_check_adv_addr;
        let owner_ignores = self.config.owner_ignore_adverts && self.effective.is_owner();
        let wall = wall_at(at, ctx);
        let memory = &mut self.memory;
        match judge(
            &self.config,
            memory,
            owner_ignores,
            compare,
            arrived,
            wall,
            ctx.mutation,
        ) {
            Ok(heard) => self.on_heard(&heard, at, ctx),
            Err(why) => self.on_dropped(why, arrived, at, ctx),
        }
    }

    /// An advert that can move nothing, for those who ask who is master meanwhile. Nothing of it is counted; its number is
    /// remembered, so that a replay shows no master now and is not believed after the fault.
    fn overhear(&mut self, arrived: &Arrived<'_>, at: Instant, ctx: &Context<'_>) {
        if self.source == Some(arrived.source) || ctx.mutation.is(Mutant::FaultIsDeaf) {
            return;
        }
        let (memory, wall) = (&mut self.memory, wall_at(at, ctx));
        if let Ok(heard) = judge(&self.config, memory, false, false, arrived, wall, ctx.mutation) {
            self.note_peer(&heard, Verdict::Accepted, at);
        }
    }

    /// Our own advert came back, or somebody else has our address: neither may move anything.
    pub(super) fn own_address_heard(&mut self, arrived: &Arrived<'_>, at: Instant, ctx: &mut Context<'_>) {
        let equal = self.is_master() && arrived.view.priority() == self.effective;
        if equal && self.limits.first(Cause::OwnAddress, arrived.source, ctx.now) {
            self.log(InstanceLine::EqualPriorityOwnAddress, ctx.out);
        }
        self.on_dropped(DropDetail::OwnAdvert, arrived, at, ctx);
    }

    pub(super) fn on_dropped(&mut self, why: DropDetail, arrived: &Arrived<'_>, at: Instant, ctx: &mut Context<'_>) {
        let reason = why.reason();
        self.counters.count_dropped(reason);
        let (verdict, interval) = (Verdict::Dropped(reason), self.config.advert_interval.duration());
        self.peers
            .note(arrived.source, arrived.view.priority(), verdict, at, interval);
        if self.limits.first(Cause::Dropped(reason), arrived.source, ctx.now) {
            self.dirty = true;
            self.log(
                InstanceLine::Dropped {
                    from: arrived.source,
                    why,
                },
                ctx.out,
            );
        }
        let mdi = self.master_down_interval(ctx.mutation);
        match &mut self.state {
            State::Backup(backup) if ctx.mutation.is(Mutant::InvalidRearmsBackup) => backup.master_down = at + mdi,
            State::Master(master) if ctx.mutation.is(Mutant::InvalidRearmsMaster) => {
                master.next_advert = at + self.config.advert_interval.duration();
            }
            State::Init | State::Backup(_) | State::Master(_) | State::Fault => {}
        }
    }

    pub(super) fn on_heard(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        self.counters.adverts_received += 1;
        if heard.priority == Priority::RELEASE {
            self.counters.priority_zero_received += 1;
        }
        self.note_differences(heard, ctx);
        if heard.form == ChecksumForm::OldUnicast && !self.old_checksum && self.follows_old_checksum() {
            self.old_checksum = true;
            self.cache = None;
            self.log(InstanceLine::OldUnicastChecksum, ctx.out);
        }
        match &self.state {
            State::Backup(_) => self.backup_heard(heard, at, ctx),
            State::Master(_) => self.master_heard(heard, at, ctx),
            State::Init | State::Fault => {}
        }
    }

    pub(super) fn note_peer(&mut self, heard: &Heard, verdict: Verdict, at: Instant) {
        let interval = self.slower_interval(heard);
        self.peers.note(heard.source, heard.priority, verdict, at, interval);
    }

    /// Theirs or ours, whichever is longer.
    pub(super) fn slower_interval(&self, heard: &Heard) -> Micros {
        let (theirs, ours) = (
            AdvertInterval::from_centiseconds(heard.interval_cs),
            self.config.advert_interval,
        );
        theirs.unwrap_or(ours).max(ours).duration()
    }

    /// A line that a neighbour's adverts make us write, as often as it may be.
    pub(super) fn say(&mut self, line: InstanceLine, at: Instant, ctx: &mut Context<'_>) {
        if !self.may_say(at) {
            return;
        }
        if let Some((lines, within)) = self.chatter.take_suppressed(at) {
            ctx.out.push_back(Action::Log(LogEvent::Suppressed {
                name: self.config.name.clone(),
                lines,
                within,
            }));
        }
        self.log(line, ctx.out);
    }

    pub(super) fn may_say(&mut self, at: Instant) -> bool {
        self.chatter.take(at, CHATTER)
    }

    pub(super) fn follows_old_checksum(&self) -> bool {
        matches!(
            self.config.transport,
            Transport::Unicast {
                old_checksum: OldUnicastChecksum::Auto,
                ..
            }
        )
    }

    pub(super) fn note_differences(&mut self, heard: &Heard, ctx: &mut Context<'_>) {
        for what in &heard.differences {
            let (cause, counter) = match what {
                Difference::AddressCount { .. } => (Cause::AddressCount, &mut self.counters.address_list_mismatches),
                Difference::AddressMissing { .. } => {
                    (Cause::AddressMissing, &mut self.counters.address_list_mismatches)
                }
                Difference::Interval { .. } => (Cause::Interval, &mut self.counters.interval_mismatches),
                Difference::ClockSkew { .. } => (Cause::ClockSkew, &mut self.counters.clock_skews),
            };
            *counter += 1;
            if self.limits.first(cause, heard.source, ctx.now) {
                self.log(
                    InstanceLine::Differs {
                        from: heard.source,
                        what: what.clone(),
                    },
                    ctx.out,
                );
            }
        }
    }
}

/// The time of day when it arrived.
fn wall_at(at: Instant, ctx: &Context<'_>) -> Option<Micros> {
    ctx.wall.map(|wall| wall.saturating_sub(ctx.now.since(at)))
}
