//! One VRRP instance: its state, what it knows of the others, and the transitions.
//!
//! `advert` judges packets, `backup` and `master` act on them, `announce` tells the neighbours; this file holds the
//! shared parts: timers, priority, faults, and the one function that assigns the state.

mod adjust;
mod advert;
mod announce;
mod auth;
mod backup;
mod claims;
mod drain;
mod faults;
mod heard;
mod master;
mod member;
mod peers;
mod priority;
mod problems;
mod respawn;
mod settings;
mod state;
mod transmit;
mod view;

pub(super) use advert::{Arrived, Heard, judge};
pub(super) use auth::{Ah, Memory};
pub(super) use drain::Drain;
pub use peers::PeerState;
pub(super) use peers::Peers;
pub(super) use settings::Settings;
pub(super) use state::State;

use super::action::{Action, AddressWish, Notify, StateChange, StateName, Subject};
use super::counters::Counters;
use super::event::Event;
use super::group::Others;
use super::happening::Happening;
use super::limiter::{Bucket, Limits};
use super::log_event::{InstanceLine, LogEvent};
use super::mutant::{Mutant, Mutation};
use super::pacer::Pacer;
use super::reason::{PriorityChange, Reason, Transition};
use super::snapshot::Problem;
use super::timer::Timer;
use super::tracking::Trackers;
use super::world::World;
use crate::model::{
    AdvertInterval, Circumstances, Family, IfName, InstanceId, Instant, Micros, Notice, NoticeEvent, NoticeOf,
    Priority, Ticket, VirtualAddress,
};
use state::{Backup, Master};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use transmit::Cache;

/// `IFF_POINTOPOINT` of netdevice(7).
const POINT_TO_POINT: u32 = 0x10;

/// What an instance may look at and write to while it handles something.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) world: &'a World,
    pub(super) trackers: &'a Trackers,
    pub(super) out: &'a mut VecDeque<Action>,
    pub(super) pacer: &'a mut Pacer,
    pub(super) pacing: Pacing,
    pub(super) next_ticket: &'a mut u64,
    /// The time of day, for `auth_hmac` only.
    pub(super) wall: Option<Micros>,
    /// The rest of its sync group.
    pub(super) others: Others,
    /// Timers begin here: now, or the end of the delay after the start.
    pub(super) not_before: Instant,
    pub(super) mutation: Mutation,
}

/// Distances between announcements (`vrrp_garp_interval`, `vrrp_gna_interval`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pacing {
    pub(super) arp: Micros,
    pub(super) na: Micros,
}

/// News that wait for the kernel.
#[derive(Debug, Clone)]
struct Pending {
    change: StateChange,
    until: Until,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Now,
    Announced(Ticket),
    Gone(Ticket),
}

/// One virtual router.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) config: Settings,
    pub(super) state: State,
    since: Instant,
    reason: Reason,
    pub(super) faults: Vec<Reason>,
    /// The first fault and the first missing result that are its own, not its group's.
    pub(super) own_fault: Option<Box<Reason>>,
    pub(super) own_pending: Option<Box<Reason>>,
    /// What it waits for before it takes its first state.
    unread: Option<Box<Reason>>,
    /// Its master is silent; it takes over when its whole group may.
    pub(super) wants_master: bool,
    /// A worse advert was answered with announcements.
    pub(super) heard_worse: bool,
    last_transition: Option<(Instant, Transition)>,
    sequence: u64,
    pub(super) effective: Priority,
    /// An owner that has lowered itself to 254 (behaviour §2.7).
    lowered: bool,
    /// Master_Adver_Interval.
    master_interval: AdvertInterval,
    pub(super) source: Option<IpAddr>,
    socket_error: Option<Box<(String, i32)>>,
    addresses: Arc<[VirtualAddress]>,
    ticket: Ticket,
    clearing: Option<Ticket>,
    pending: VecDeque<Pending>,
    last_master: Option<IpAddr>,
    peers: Peers,
    pub(super) counters: Counters,
    limits: Limits,
    /// Lines that adverts make us write.
    chatter: Bucket<16>,
    ip_id: u16,
    old_checksum: bool,
    cache: Option<Cache>,
    memory: Memory,
    /// How long it was asleep as master, the last time that this was too long, and when it woke.
    stalled: Option<(Micros, Instant)>,
    /// Out of service on purpose.
    pub(super) drain: Option<Box<Drain>>,
    /// What each tracker added to the priority when it was computed last.
    adds: Vec<i32>,
    last_priority: Option<Box<(Instant, PriorityChange)>>,
    /// When a master was silent for nearly too long, the last time.
    near_at: Option<Instant>,
    /// Problems that are shown.
    raised: Vec<Problem>,
    /// When problems are looked at again, because some fade.
    look_at: Option<Instant>,
    /// Something happened that problems may follow from.
    dirty: bool,
    /// Something happened that a successor of this process should know.
    pub(super) changed: bool,
    /// Why it takes its first state, if not because the daemon started.
    origin: Option<Box<Reason>>,
}

/// The advertised ones first. Where there are no others, they are the model's own.
fn all_addresses(config: &Settings) -> Arc<[VirtualAddress]> {
    if config.excluded_vips.is_empty() {
        return Arc::clone(&config.vips);
    }
    config.vips.iter().chain(&config.excluded_vips).cloned().collect()
}

impl Instance {
    pub(super) fn new(id: InstanceId, config: Settings, now: Instant) -> Self {
        Self {
            id,
            state: State::Init,
            since: now,
            reason: Reason::Startup,
            faults: Vec::new(),
            own_fault: None,
            own_pending: None,
            unread: None,
            wants_master: false,
            heard_worse: false,
            last_transition: None,
            sequence: 0,
            effective: config.priority,
            lowered: false,
            master_interval: config.advert_interval,
            source: None,
            socket_error: None,
            addresses: all_addresses(&config),
            ticket: Ticket(0),
            clearing: None,
            pending: VecDeque::new(),
            last_master: None,
            peers: Peers::default(),
            counters: Counters::default(),
            limits: Limits::default(),
            chatter: Bucket::new(now),
            ip_id: 0,
            old_checksum: false,
            cache: None,
            memory: Memory::default(),
            stalled: None,
            drain: None,
            adds: Vec::new(),
            last_priority: None,
            near_at: None,
            raised: Vec::new(),
            look_at: None,
            dirty: false,
            changed: true,
            origin: None,
            config,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        let drain_end = self.drain.as_ref().and_then(|drain| drain.until);
        let drain_end = drain_end.map(|at| (at, Timer::DrainEnd));
        let look = self.look_at.map(|at| (at, Timer::Look));
        self.state
            .next_deadline()
            .into_iter()
            .chain(drain_end)
            .chain(look)
            .min()
    }

    pub(super) const fn is_master(&self) -> bool {
        matches!(self.state, State::Master(_))
    }

    /// Whether a removal of addresses has not been confirmed yet.
    pub(super) const fn is_clearing(&self) -> bool {
        self.clearing.is_some()
    }

    /// Takes the first state (behaviour §1.3).
    pub(super) fn start(&mut self, ctx: &mut Context<'_>) {
        self.source = ctx.world.source_of(&self.config);
        self.unread = self.find_unread(ctx).map(Box::new);
        if let Some(reason) = &self.unread {
            self.own_pending = Some(reason.clone());
            self.reason = (**reason).clone();
            return;
        }
        self.effective = self.priority_of(ctx);
        self.adds = self.contributed(ctx);
        self.faults = self.find_faults(ctx);
        self.log_no_arp(ctx);
        let owner_starts = self.starts_as_master() && !ctx.others.not_all_owners;
        if self.faults.is_empty() && owner_starts && self.waits_for(ctx).is_none() {
            if ctx.not_before > ctx.now {
                self.clear_addresses(ctx);
                let waits = State::Backup(Backup::waiting_until(ctx.not_before));
                self.set_state(waits, Reason::AddressOwner, Until::Now, ctx);
            } else {
                self.enter_master(Reason::AddressOwner, ctx);
            }
            return;
        }
        self.clear_addresses(ctx);
        if !self.faults.is_empty() {
            self.log_start_faults(ctx);
            self.log_start_priority(ctx);
            self.enter_fault(ctx);
        } else if let Some(reason) = self.waits_for(ctx) {
            self.reason = reason;
        } else {
            self.log_start_priority(ctx);
            self.enter_backup_at_start(ctx);
        }
    }

    /// What is there from the start of the daemon may make it differ from the configured one.
    fn log_no_arp(&self, ctx: &mut Context<'_>) {
        let link = self.config.interface.as_ref().and_then(|name| ctx.world.link(name));
        if link.is_some_and(|link| link.no_arp && link.flags & POINT_TO_POINT == 0) {
            self.log(InstanceLine::ArpOff, ctx.out);
        }
    }

    fn log_start_priority(&self, ctx: &mut Context<'_>) {
        let (from, to) = (self.config.priority, self.effective);
        if from != to {
            self.log(InstanceLine::EffectivePriority { from, to }, ctx.out);
        }
    }

    /// Something that instances depend on has changed: trackers, links, addresses or sockets.
    pub(super) fn reconsider(&mut self, ctx: &mut Context<'_>) {
        if self.unread.is_some() {
            return self.start(ctx);
        }
        self.look_for_source(ctx);
        let faults = self.find_faults(ctx);
        let before = std::mem::replace(&mut self.faults, faults);
        self.dirty |= before != self.faults;
        self.log_file_faults(&before, ctx);
        self.follow_trackers(&before, ctx);
        let one_gone = ctx.mutation.is(Mutant::OneCauseEndsFault) && self.faults.len() < before.len();
        let faulty = !self.faults.is_empty() && !one_gone;
        let waits_for = self.waits_for(ctx);
        match &self.state {
            State::Init if faulty => self.enter_fault(ctx),
            State::Init => match waits_for {
                Some(reason) => self.reason = reason,
                None if self.clearing.is_some() && self.sequence > 0 => {}
                None => self.enter_backup(self.start_reason(), ctx),
            },
            State::Backup(_) | State::Master(_) if faulty => {
                let release = self.is_master();
                self.log(InstanceLine::EnteringFault, ctx.out);
                if release {
                    self.send_release(ctx);
                }
                self.enter_fault(ctx);
            }
            State::Fault if !faulty && waits_for.is_none() => {
                if !ctx.mutation.is(Mutant::IntervalKeptAfterFault) {
                    self.master_interval = self.config.advert_interval;
                }
                let fault = Some(self.reason.clone().into());
                self.enter_backup(Reason::FaultCleared { fault }, ctx);
            }
            State::Fault => {
                if let Some(first) = self.faults.first() {
                    self.reason = first.clone();
                }
            }
            State::Backup(_) | State::Master(_) => {}
        }
    }

    /// Where its adverts come from now.
    fn look_for_source(&mut self, ctx: &mut Context<'_>) {
        let source = ctx.world.source_of(&self.config);
        if source == self.source {
            return;
        }
        self.source = source;
        self.cache = None;
        if !matches!(self.state, State::Init) {
            self.log(InstanceLine::SourceChanged { to: source }, ctx.out);
        }
    }

    /// What there is to tell of it at this moment.
    pub(super) fn notice(&self, event: NoticeEvent) -> Notice {
        let previous = self.last_transition.as_ref().map(|(_, last)| last.from);
        Notice {
            of: NoticeOf::Instance,
            name: self.config.name.clone(),
            what: Circumstances {
                event,
                priority: self.effective.get(),
                previous: previous.unwrap_or(StateName::Init),
                code: self.reason.code().into(),
                detail: self.reason.to_string(),
                sequence: self.sequence,
            },
        }
    }

    /// Tells of something that is no change of state.
    pub(super) fn notify(&self, event: NoticeEvent, out: &mut VecDeque<Action>) {
        out.push_back(Action::Notify(Notify {
            subject: Subject::Instance(self.id),
            notice: Arc::new(self.notice(event)),
        }));
    }

    /// Skew_Time: lower priorities wait longer (RFC 9568 section 6.1; version 2: RFC 3768 section 6.1).
    pub(super) fn skew_time(&self, mutation: Mutation) -> Micros {
        let skew = self.skew_of(self.timer_priority());
        if mutation.is(Mutant::SkewTruncated) {
            return Micros(skew.0 / 1_000_000 * 1_000_000);
        }
        if mutation.is(Mutant::SkewLeftOut) {
            Micros::ZERO
        } else {
            skew
        }
    }

    fn timer_priority(&self) -> Priority {
        if self.config.is_owner() && self.drain.is_none() {
            Priority::OWNER
        } else {
            self.effective
        }
    }

    /// Skew_Time of a router of this priority.
    pub(super) fn skew_of(&self, priority: Priority) -> Micros {
        self.config.skew_time(priority, self.master_interval)
    }

    /// Active_Down_Interval: `down_timer_adverts` intervals of the master and Skew_Time.
    pub(super) fn master_down_interval(&self, mutation: Mutation) -> Micros {
        let adverts = if mutation.is(Mutant::DownAfterTwo) {
            2
        } else {
            self.config.down_timer_adverts.get()
        };
        self.master_interval.duration().times(u64::from(adverts)) + self.skew_time(mutation)
    }

    /// The longest delay of its interface's changes, at the interval that is in force.
    pub(super) fn longest_delay(&self) -> Micros {
        self.config.longest_delay_at(self.master_interval)
    }

    /// Runs one thing that is due, and nothing else: what something else has waited for since an earlier moment comes first,
    /// however late the process wakes.
    pub(super) fn on_timeout(&mut self, timer: Timer, horizon: Instant, ctx: &mut Context<'_>) {
        match timer {
            Timer::Advert => self.advert_tick(horizon, ctx),
            Timer::MasterDown => self.master_down(ctx),
            Timer::RogueOwner => self.rogue_owner_gone(ctx),
            Timer::Announce => {
                self.announce_timeout(ctx);
                self.answer_claims(ctx);
            }
            Timer::DrainEnd => self.end_drain(true, ctx),
            Timer::Look => {
                self.look_at = None;
                self.dirty = true;
                let silent = matches!(&self.state, State::Backup(backup) if backup.master_down <= ctx.now);
                if silent && ctx.mutation.is(Mutant::LateOutOfOrder) {
                    self.master_down(ctx);
                }
            }
            // Those of others than instances.
            Timer::LinkDelay
            | Timer::LinkPoll
            | Timer::ScriptStart
            | Timer::ScriptTimeout
            | Timer::ProcessDelay
            | Timer::StartupDelay
            | Timer::NotifyOrder
            | Timer::StopLimit => {}
        }
    }

    fn enter_backup_at_start(&mut self, ctx: &mut Context<'_>) {
        let until = ctx.not_before + self.master_down_interval(ctx.mutation);
        self.log(InstanceLine::EnteringBackupInit, ctx.out);
        let reason = self.start_reason();
        self.set_state(State::Backup(Backup::waiting_until(until)), reason, Until::Now, ctx);
    }

    /// To Backup with a full Master_Down_Interval; from Master the addresses go first.
    fn enter_backup(&mut self, reason: Reason, ctx: &mut Context<'_>) {
        let until = ctx.not_before + self.master_down_interval(ctx.mutation);
        self.enter_backup_until(until, reason, ctx);
    }

    fn enter_backup_until(&mut self, until: Instant, reason: Reason, ctx: &mut Context<'_>) {
        self.log(InstanceLine::EnteringBackup, ctx.out);
        let wait = self.leave_state(ctx);
        self.set_state(State::Backup(Backup::waiting_until(until)), reason, wait, ctx);
    }

    fn enter_fault(&mut self, ctx: &mut Context<'_>) {
        let reason = self.faults.first().cloned().unwrap_or(Reason::Startup);
        let wait = self.leave_state(ctx);
        self.set_state(State::Fault, reason, wait, ctx);
    }

    pub(super) fn enter_master(&mut self, reason: Reason, ctx: &mut Context<'_>) {
        self.limits.forget_causes();
        self.lowered = false;
        self.memory.begin();
        self.master_interval = self.config.advert_interval;
        if self.config.is_owner() && self.drain.is_none() {
            self.effective = Priority::OWNER;
        }
        let ticket = self.new_ticket(ctx);
        let next_advert = ctx.now + self.config.advert_interval.duration();
        let complete = self.addresses.is_empty();
        let state = State::Master(Master {
            next_advert,
            advertised: ctx.now,
            ticket,
            present: vec![false; self.addresses.len()],
            complete,
            second_burst: None,
            newcomers: None,
            refresh: None,
            lower_prio_burst: None,
            listens_until: None,
            rogue: None,
            stolen_at: Vec::new(),
            claims: BTreeMap::new(),
            claims_answer: None,
        });
        self.last_master = None;
        self.send_advert(self.effective, ctx);
        self.log(InstanceLine::EnteringMaster, ctx.out);
        self.counters.became_master += 1;
        let wait = if complete { Until::Now } else { Until::Announced(ticket) };
        self.set_state(state, reason, wait, ctx);
        if !self.config.vips.is_empty() {
            self.log(InstanceLine::SettingVips { excluded: false }, ctx.out);
        }
        if !self.config.excluded_vips.is_empty() {
            self.log(InstanceLine::SettingVips { excluded: true }, ctx.out);
        }
        if !complete {
            self.clearing = None;
            ctx.out.push_back(Action::SetAddresses(self.wish(ticket)));
        }
    }

    /// What has to be undone before the state changes; what the news wait for.
    fn leave_state(&mut self, ctx: &mut Context<'_>) -> Until {
        if !self.is_master() {
            return Until::Now;
        }
        self.limits.forget_causes();
        self.counters.released_master += 1;
        ctx.pacer.forget(self.id);
        if ctx.mutation.is(Mutant::VipKeptInBackup) {
            return Until::Now;
        }
        self.clear_addresses(ctx).map_or(Until::Now, Until::Gone)
    }

    /// Wishes the addresses away, whether or not they are there.
    fn clear_addresses(&mut self, ctx: &mut Context<'_>) -> Option<Ticket> {
        if self.addresses.is_empty() {
            return None;
        }
        if !self.config.vips.is_empty() {
            self.log(InstanceLine::RemovingVips { excluded: false }, ctx.out);
        }
        if !self.config.excluded_vips.is_empty() {
            self.log(InstanceLine::RemovingVips { excluded: true }, ctx.out);
        }
        let ticket = self.new_ticket(ctx);
        self.clearing = Some(ticket);
        ctx.out.push_back(Action::ClearAddresses(self.wish(ticket)));
        Some(ticket)
    }

    fn new_ticket(&mut self, ctx: &mut Context<'_>) -> Ticket {
        *ctx.next_ticket += 1;
        self.ticket = Ticket(*ctx.next_ticket);
        self.ticket
    }

    fn wish(&self, ticket: Ticket) -> AddressWish {
        let advertised = u32::try_from(self.config.vips.len()).unwrap_or(u32::MAX);
        AddressWish {
            instance: self.id,
            ticket,
            addresses: Arc::clone(&self.addresses),
            advertised,
        }
    }

    /// The only place that assigns the state.
    fn set_state(&mut self, state: State, reason: Reason, until: Until, ctx: &mut Context<'_>) {
        let (from, to) = (self.state.name(), state.name());
        self.wants_master = to == StateName::Master;
        self.state = state;
        self.since = ctx.now;
        self.stalled = None;
        (self.dirty, self.changed) = (true, true);
        self.reason = reason.clone();
        self.sequence += 1;
        self.last_transition = Some((
            ctx.now,
            Transition {
                from,
                to,
                reason: reason.clone(),
            },
        ));
        let change = StateChange {
            instance: self.id,
            name: self.config.name.clone(),
            from,
            to,
            priority: self.effective,
            reason: reason.clone(),
            sequence: self.sequence,
        };
        self.log(InstanceLine::Because { to, reason }, ctx.out);
        ctx.out
            .push_back(Action::Happened(Happening::Transition(change.clone()).into()));
        let until = if ctx.mutation.is(Mutant::NotifyBeforeAddresses) {
            Until::Now
        } else {
            until
        };
        self.pending.push_back(Pending { change, until });
        self.release_news(None, ctx.out);
    }

    /// Tells the news in order, each when the kernel has done what comes before it.
    fn release_news(&mut self, done: Option<Until>, out: &mut VecDeque<Action>) {
        if let Some(done) = done {
            for pending in self.pending.iter_mut().filter(|p| p.until == done) {
                pending.until = Until::Now;
            }
        }
        while let Some(front) = self.pending.front() {
            let superseded = match front.until {
                Until::Now => true,
                Until::Announced(ticket) | Until::Gone(ticket) => ticket < self.ticket,
            };
            if !superseded {
                return;
            }
            let Some(front) = self.pending.pop_front() else { return };
            out.push_back(Action::StateChanged(front.change));
        }
        // Most of the time nothing waits, in any of thousands of instances.
        self.pending.shrink_to_fit();
    }

    /// Tells what still waits.
    pub(super) fn tell_all(&mut self, out: &mut VecDeque<Action>) {
        out.extend(
            self.pending
                .drain(..)
                .map(|pending| Action::StateChanged(pending.change)),
        );
    }

    /// What the kernel has not confirmed yet, as it will confirm it.
    pub(super) fn unconfirmed(&self) -> Option<Event<'static>> {
        let instance = self.id;
        if let Some(ticket) = self.clearing {
            return Some(Event::AddressesGone { instance, ticket });
        }
        let State::Master(Master {
            ticket,
            complete: false,
            present,
            ..
        }) = &self.state
        else {
            return None;
        };
        Some(Event::AddressesPresent {
            instance,
            ticket: *ticket,
            first: 0,
            count: u32::try_from(present.len()).unwrap_or(u32::MAX),
            complete: true,
        })
    }

    pub(super) fn on_addresses_gone(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        if self.clearing == Some(ticket) {
            self.clearing = None;
        }
        self.release_news(Some(Until::Gone(ticket)), ctx.out);
    }

    pub(super) fn on_announced(&mut self, ticket: Ticket, ctx: &mut Context<'_>) {
        self.release_news(Some(Until::Announced(ticket)), ctx.out);
    }

    pub(super) fn on_socket_failed(&mut self, call: &str, errno: i32, ctx: &mut Context<'_>) {
        if self.socket_error.is_none() {
            self.log(
                InstanceLine::SocketFailed {
                    call: call.into(),
                    errno,
                },
                ctx.out,
            );
        }
        self.socket_error = Some((call.into(), errno).into());
        self.reconsider(ctx);
    }

    pub(super) fn on_socket_open(&mut self, ctx: &mut Context<'_>) {
        if self.socket_error.take().is_some() {
            self.reconsider(ctx);
        }
    }

    /// The daemon stops, or the instance leaves the configuration.
    pub(super) fn stop(&mut self, reason: Reason, ctx: &mut Context<'_>) {
        if self.is_master() {
            self.send_release(ctx);
        }
        let wait = self.leave_state(ctx);
        self.set_state(State::Init, reason, wait, ctx);
    }

    fn log(&self, line: InstanceLine, out: &mut VecDeque<Action>) {
        out.push_back(Action::Log(LogEvent::Instance {
            name: self.config.name.clone(),
            line,
        }));
    }

    pub(super) const fn master_interval(&self) -> AdvertInterval {
        self.master_interval
    }

    pub(super) const fn last_master(&self) -> Option<IpAddr> {
        self.last_master
    }

    pub(super) fn clear_counters(&mut self) {
        self.counters = Counters::default();
    }

    /// Whether this is the newest wish.
    pub(super) fn wish_is(&self, ticket: Ticket) -> bool {
        self.ticket == ticket
    }

    /// Whether this is one of its virtual addresses.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|vip| vip.address == address)
    }

    /// Its virtual addresses.
    pub(super) fn virtual_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().map(|vip| vip.address)
    }

    /// Whether its adverts could come from this address, if it is on the right link.
    pub(super) fn could_send_from(&self, address: IpAddr) -> bool {
        Family::of(address) == self.config.family && !self.has_address(address) || self.config.source == Some(address)
    }

    /// Whether it depends on this interface.
    pub(super) fn uses(&self, name: &IfName) -> bool {
        self.config.interface.as_ref() == Some(name)
            || self.addresses.iter().any(|vip| vip.interface == *name)
            || self
                .config
                .track_interfaces
                .iter()
                .any(|track| track.interface == *name)
            || self.config.needed.iter().any(|needed| needed.interface == *name)
    }
}
