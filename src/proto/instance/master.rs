//! Master: advertise, hold the addresses, yield to a better router (behaviour §2.4, §2.6, §2.7, RFC 9568 section 6.4.3).

use super::state::{Master, Rogue};
use super::{Context, Heard, Instance, State};
use crate::model::{Authentication, IfName, Instant, Micros, NoticeEvent, Priority, VirtualAddress};
use crate::proto::action::Action;
use crate::proto::event::Culprit;
use crate::proto::happening::Happening;
use crate::proto::limiter::Cause;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::{Evidence, PriorityCause, Reason};
use crate::proto::snapshot::Verdict;
use std::cmp::Ordering;
use std::net::IpAddr;

/// After this many deletions of addresses within [`STOLEN_WINDOW`] the instance does as keepalived does (DESIGN difference 1).
const STOLEN_LIMIT: usize = 5;
const STOLEN_WINDOW: Micros = Micros::from_secs(60);
/// Answers to worse adverts are no nearer to each other than this, apart from the first few: each is told to every neighbour.
const ANSWER: Micros = Micros::from_millis(250);

impl Instance {
    pub(super) fn master_heard(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        let verdict = if heard.priority < self.effective {
            Verdict::LowerPriority
        } else {
            Verdict::Accepted
        };
        self.note_peer(heard, verdict, at);
        if heard.priority == Priority::RELEASE {
            if self.may_answer(at, ctx) {
                self.say(InstanceLine::MasterPriorityZero, at, ctx);
                self.answer(ctx);
            }
            return;
        }
        let Some(own) = self.source else { return };
        let both_owners = heard.priority.is_owner() && self.effective.is_owner();
        if both_owners && self.limits.first(Cause::TwoOwners, heard.source, ctx.now) {
            self.log(InstanceLine::TwoOwners { other: heard.source }, ctx.out);
        }
        match self.compare(heard, own, ctx) {
            Ordering::Less => self.master_heard_worse(heard, both_owners, at, ctx),
            Ordering::Equal | Ordering::Greater => self.master_yields(heard, at, ctx),
        }
    }

    /// Theirs against ours: priority, then address (RFC 9568 section 6.4.3).
    fn compare(&self, heard: &Heard, own: IpAddr, ctx: &Context<'_>) -> Ordering {
        if ctx.mutation.is(Mutant::MasterNeverYields) {
            return Ordering::Less;
        }
        if ctx.mutation.is(Mutant::MasterAlwaysYields) {
            return Ordering::Greater;
        }
        let tie = heard.source.cmp(&own);
        let tie = if ctx.mutation.is(Mutant::TieTurned) {
            tie.reverse()
        } else {
            tie
        };
        heard.priority.cmp(&self.effective).then(tie)
    }

    fn master_yields(&mut self, heard: &Heard, at: Instant, ctx: &mut Context<'_>) {
        let (from, theirs, ours) = (heard.source, heard.priority, self.effective);
        let (line, reason) = if theirs > ours {
            (
                InstanceLine::MasterHeardHigher { from, theirs, ours },
                Reason::HigherPriority {
                    from,
                    theirs,
                    ours,
                    because: self.why_worse(theirs, ctx),
                },
            )
        } else {
            (
                InstanceLine::MasterHeardHigherAddress { from, priority: theirs },
                Reason::HigherAddress { from, priority: theirs },
            )
        };
        if self.config.higher_prio_send_advert {
            self.send_advert(self.effective, ctx);
        }
        self.log(line, ctx.out);
        self.learn_interval(heard, at, ctx);
        self.enter_backup(reason, ctx);
        self.last_master = Some(from);
        let now = ctx.now;
        if let State::Backup(backup) = &mut self.state {
            backup.accepted = Some((from, theirs, now));
        }
    }

    fn why_worse(&self, theirs: Priority, ctx: &Context<'_>) -> Vec<Evidence> {
        let asleep = self.stalled.map(|(gap, _)| Evidence::Asleep { gap });
        self.evidence_of_ours(theirs, ctx).into_iter().chain(asleep).collect()
    }

    fn master_heard_worse(&mut self, heard: &Heard, both_owners: bool, at: Instant, ctx: &mut Context<'_>) {
        // While it is known, it is looked at from time to time; a flood must not make us look at each advert.
        self.dirty |= !self.shows("dual-master") && self.peers.is_settled(heard.source);
        if both_owners {
            self.rogue_owner(heard, ctx);
            return;
        }
        if !self.may_answer(at, ctx) {
            self.chatter.leave_out(at);
            return;
        }
        let answered = !self.config.lower_prio_no_advert;
        if answered {
            self.memory.skip_ah();
        }
        let (from, theirs, ours) = (heard.source, heard.priority, self.effective);
        let line = InstanceLine::MasterHeardLower {
            from,
            theirs,
            ours,
            answered,
        };
        self.say(line, at, ctx);
        if answered {
            self.answer(ctx);
        }
        self.heard_worse = true;
        self.announce_after_worse(ctx);
        self.notify(NoticeEvent::MasterRxLowerPri, ctx.out);
    }

    /// A neighbour that floods us with adverts gets a few answers an interval and a second, not one each.
    fn may_answer(&mut self, at: Instant, ctx: &mut Context<'_>) -> bool {
        let period = Micros(self.config.advert_interval.duration().0 / 4).max(ANSWER);
        let until = self.master().and_then(|master| master.listens_until);
        if until.is_some_and(|until| ctx.now < until) {
            return false;
        }
        self.limits.answers().take(at, period) || ctx.mutation.is(Mutant::AnswersUnlimited)
    }

    /// An advert out of turn; the next one is due an interval later.
    pub(super) fn answer(&mut self, ctx: &mut Context<'_>) {
        self.send_advert(self.effective, ctx);
        let next = ctx.now + self.config.advert_interval.duration();
        if let State::Master(master) = &mut self.state {
            master.next_advert = next;
            master.advertised = ctx.now;
        }
    }

    fn rogue_owner(&mut self, heard: &Heard, ctx: &mut Context<'_>) {
        let interval = self.slower_interval(heard);
        let State::Master(master) = &mut self.state else { return };
        match &master.rogue {
            None => {
                let rogue = Rogue {
                    other: heard.source,
                    interval,
                    adverts_left: 2,
                    quiet_until: None,
                };
                master.rogue = Some(rogue.into());
            }
            Some(rogue) if rogue.quiet_until.is_some() && !ctx.mutation.is(Mutant::OtherOwnerIgnored) => {
                master.rogue = None;
                self.lowered = true;
                self.effective = Priority::MAX;
                self.log(InstanceLine::OwnerYields { other: heard.source }, ctx.out);
                self.note_priority(Priority::OWNER, Priority::MAX, PriorityCause::OtherOwner, ctx);
            }
            Some(_) => {}
        }
    }

    /// The other owner has been quiet for long enough.
    pub(super) fn rogue_owner_gone(&mut self, ctx: &mut Context<'_>) {
        if let State::Master(master) = &mut self.state {
            master.rogue = None;
            self.log(InstanceLine::RogueOwnerGone, ctx.out);
        }
    }

    /// Adverts keep an absolute grid: a late wake-up sends one, the slots that it missed are counted. A slot before the
    /// horizon, for which an advert may leave early, is served by it too.
    pub(super) fn advert_tick(&mut self, horizon: Instant, ctx: &mut Context<'_>) {
        let interval = self.config.advert_interval.duration();
        let now = ctx.now;
        self.send_advert(self.effective, ctx);
        // A keepalived that is master too and takes our numbers for old ones is silenced by every advert of ours (trap T1), until
        // one comes later than its timer: with AH the grid moves on a little each time.
        let is_ah = matches!(self.config.authentication, Authentication::Ah(_));
        let drift = if is_ah { Micros::MILLISECOND } else { Micros::ZERO };
        let every_other = ctx.mutation.is(Mutant::AdvertEveryOther);
        let State::Master(master) = &mut self.state else { return };
        let twice = ctx.mutation.is(Mutant::LateAdvertTwice);
        let served = if twice { now } else { now.max(horizon) };
        let missed = served.since(master.next_advert).0 / interval.0.max(1);
        self.counters.skipped_slots += missed;
        master.advertised = now;
        master.next_advert += interval.times(missed + if every_other { 4 } else { 1 }) + drift;
        if let Some(rogue) = &mut master.rogue
            && rogue.quiet_until.is_none()
        {
            rogue.adverts_left = rogue.adverts_left.saturating_sub(1);
            if rogue.adverts_left == 0 {
                rogue.quiet_until = Some(now + Micros(rogue.interval.0 / 10 * 12));
            }
        }
    }

    /// Addresses `first .. first + count` are there: announce them at once, the others of the wish may still take a while.
    pub(in crate::proto) fn on_addresses_present(
        &mut self,
        first: u32,
        count: u32,
        complete: bool,
        ctx: &mut Context<'_>,
    ) {
        let Some((from, to)) = range(first, count, self.addresses.len()) else {
            return;
        };
        let State::Master(master) = &mut self.state else { return };
        let restored = master.complete;
        let reported = (0..).zip(&mut master.present).take(to).skip(from);
        // While a wish is being carried out, those that it took over from the one before are known to the neighbours.
        let new: Vec<usize> = reported
            .filter_map(|(at, present)| (!std::mem::replace(present, true) || restored).then_some(at))
            .collect();
        master.complete |= complete;
        self.dirty = true;
        self.announce_new(&new, complete, restored, ctx);
    }

    pub(in crate::proto) fn on_address_failed(&mut self, index: u32, errno: i32, ctx: &mut Context<'_>) {
        let Some(vip) = usize::try_from(index).ok().and_then(|i| self.addresses.get(i)) else {
            return;
        };
        let line = InstanceLine::AddressFailed {
            address: vip.address,
            interface: vip.interface.clone(),
            errno,
        };
        self.log(line, ctx.out);
        self.dirty = true;
    }

    /// Somebody else deleted an address: it is put back without giving mastership up, unless that happens again and again.
    pub(in crate::proto) fn on_address_stolen(&mut self, index: u32, culprit: Culprit, ctx: &mut Context<'_>) {
        let Ok(position) = usize::try_from(index) else { return };
        let Some(vip) = self.addresses.get(position).cloned() else {
            return;
        };
        let now = ctx.now;
        let State::Master(master) = &mut self.state else { return };
        if let Some(present) = master.present.get_mut(position) {
            *present = false;
        }
        if vip.no_track {
            return;
        }
        master.stolen_at.retain(|at| now.since(*at) < STOLEN_WINDOW);
        master.stolen_at.push(now);
        let restored = master.stolen_at.len() <= STOLEN_LIMIT;
        let ticket = master.ticket;
        self.dirty = true;
        let happened = Happening::AddressStolen {
            instance: self.config.name.clone(),
            address: vip.address,
            interface: vip.interface.clone(),
            culprit: culprit.clone(),
            restored,
        };
        ctx.out.push_back(Action::Happened(happened.into()));
        self.log(
            InstanceLine::AddressStolen {
                address: vip.address,
                interface: vip.interface.clone(),
                port: culprit.port,
                process: culprit.process,
                restored,
            },
            ctx.out,
        );
        if ctx.mutation.is(Mutant::PutBackLeftOut) {
            return;
        }
        if restored {
            ctx.out.push_back(Action::RestoreAddress {
                instance: self.id,
                ticket,
                index,
            });
        } else {
            self.lose_address(vip.address, false, ctx);
        }
    }

    /// `timer_expired_backup`: the last advert is so old that a router of this priority has taken over (behaviour §2.8).
    fn expired(&self, ctx: &Context<'_>) -> bool {
        let (Some(priority), Some(master)) = (self.config.timer_expired_backup, self.master()) else {
            return false;
        };
        let interval = self.config.advert_interval.duration();
        let silent = ctx.now.since(master.advertised);
        silent >= interval.times(3) + self.skew_of(priority) && !ctx.mutation.is(Mutant::ExpiredStaysMaster)
    }

    /// The process did not run for a while. The sockets are drained before the next advert is due, so a master that was
    /// replaced meanwhile learns of it first; `timer_expired_backup` and `listen_after_stall` go further.
    pub(in crate::proto) fn on_stalled(&mut self, gap: Micros, ctx: &mut Context<'_>) {
        let (skew, limit) = (self.skew_time(ctx.mutation), self.master_down_interval(ctx.mutation));
        let listens = self.config.listen_after_stall && !ctx.mutation.is(Mutant::ListenLeftOut);
        if self.expired(ctx) {
            self.log(InstanceLine::Stalled { gap, listens: false }, ctx.out);
            self.enter_backup(Reason::Stalled { gap }, ctx);
            return;
        }
        let State::Master(master) = &mut self.state else { return };
        if gap <= limit {
            return;
        }
        self.stalled = Some((gap, ctx.now));
        self.dirty = true;
        if listens {
            master.listens_until = Some(ctx.now + skew);
            master.next_advert = master.next_advert.max(ctx.now + skew);
        }
        self.log(InstanceLine::Stalled { gap, listens }, ctx.out);
    }

    /// The kernel itself removed an address of ours, for instance with its primary address.
    pub(in crate::proto) fn on_address_vanished(
        &mut self,
        address: IpAddr,
        interface: Option<&IfName>,
        ctx: &mut Context<'_>,
    ) {
        let State::Master(master) = &self.state else { return };
        let here = |(vip, present): (&VirtualAddress, &bool)| {
            *present && vip.address == address && !vip.no_track && Some(&vip.interface) == interface
        };
        if self.addresses.iter().zip(&master.present).any(here) {
            self.lose_address(address, true, ctx);
        }
    }

    /// As keepalived: release, everything removed, and a new try after Skew_Time (behaviour §8.4).
    fn lose_address(&mut self, address: IpAddr, vanished: bool, ctx: &mut Context<'_>) {
        self.send_release(ctx);
        let until = ctx.now + self.skew_time(ctx.mutation);
        self.enter_backup_until(until, Reason::AddressLost { address, vanished }, ctx);
    }

    #[cfg(test)]
    pub(in crate::proto) fn master_ticket(&self) -> Option<crate::model::Ticket> {
        self.master().map(|master| master.ticket)
    }

    pub(super) const fn master(&self) -> Option<&Master> {
        match &self.state {
            State::Master(master) => Some(master),
            State::Init | State::Backup(_) | State::Fault => None,
        }
    }
}

fn range(first: u32, count: u32, len: usize) -> Option<(usize, usize)> {
    let from = usize::try_from(first).ok()?;
    let to = from.checked_add(usize::try_from(count).ok()?)?;
    (to <= len).then_some((from, to))
}
