//! One virtual router: RFC 9568 section 6.4, behaviour §2.

use super::packet::{Heard, Trailer};
use super::rules::{Rules, Seal};
use super::voice::{Burst, Voice};
use crate::model::Ticket;
use crate::proto::StateName;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

/// State and timers; times are absolute microseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    Init,
    Backup {
        down_at: u64,
        /// Until when worse masters are put up with, once one was heard.
        delay_ends: Option<u64>,
        news: News,
    },
    Master {
        advert_at: u64,
        sent_at: u64,
        silent_until: u64,
        rogue: Option<Rogue>,
    },
    Fault,
}

/// What a backup has heard since it is one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct News {
    /// The master that it put up with.
    master: Option<IpAddr>,
    /// A worse one, the last time.
    worse: Option<(IpAddr, u64)>,
    /// The master has left since.
    left: bool,
}

/// Another owner of the addresses that has to be quiet after two more adverts of ours and 1.2 intervals.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rogue {
    interval: u64,
    adverts_left: u32,
    pub(super) quiet_at: Option<u64>,
}

/// One virtual router of a node.
#[derive(Debug, Clone)]
pub(super) struct Router {
    pub(super) rules: Rc<Rules>,
    pub(super) phase: Phase,
    /// Master_Adver_Interval.
    pub(super) master_interval: u64,
    pub(super) priority: u8,
    pub(super) lowered: bool,
    pub(super) source: Option<IpAddr>,
    pub(super) wants_master: bool,
    /// Why it is in its state, and why it takes its first one.
    pub(super) why: &'static str,
    pub(super) origin: &'static str,
    /// What the others of its group know of it.
    pub(super) own_fault: Option<&'static str>,
    pub(super) own_pending: bool,
    pub(super) socket_failed: bool,
    /// Out of service on purpose.
    pub(super) drained: Option<Drain>,
    /// When it became master the last time.
    pub(super) taken_at: u64,
    /// What it tells its neighbours while it is master.
    pub(super) voice: Voice,
    /// The name of its newest wish for addresses.
    pub(super) ticket: Option<Ticket>,
    answers_left: u64,
    answers_since: u64,
    pub(super) stolen: VecDeque<u64>,
    ah_last: u32,
    ah_is_own: bool,
    hmac_sent: Option<u64>,
    hmac_marks: Vec<(IpAddr, u64)>,
}

/// Out of service: until when, and whether even if nobody else is master.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drain {
    pub(super) until: Option<u64>,
    pub(super) force: bool,
}

/// What a router does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim) enum Deed {
    /// It sends an advert to one destination.
    Send {
        /// Priority inside.
        priority: u8,
        /// Where to.
        to: IpAddr,
        /// Sequence of `auth_hmac`.
        trailer: Option<u64>,
        /// Number of the AH header.
        ah: Option<u32>,
    },
    /// It wants these addresses, and no others.
    Set(Vec<IpAddr>),
    /// It does not want them.
    Clear(Vec<IpAddr>),
    /// It wants one of them back that somebody has deleted.
    Restore,
    /// It changes its state, for this reason.
    Turn {
        /// To which.
        to: StateName,
        /// Code of the reason.
        why: &'static str,
    },
    /// It tells the neighbours where these addresses are.
    Announce {
        /// Which.
        addresses: Vec<IpAddr>,
        /// How often.
        rounds: u32,
    },
}

impl Deed {
    /// Whether it sends an advert.
    pub(in crate::sim) const fn is_advert(&self) -> bool {
        matches!(self, Self::Send { .. })
    }

    /// Whether it tells the neighbours something.
    pub(super) const fn is_announcement(&self) -> bool {
        matches!(self, Self::Announce { .. })
    }
}

impl Router {
    /// Numbers of authentication go on in the next process: the others would take lower ones for replays.
    pub(super) fn go_on_counting(&mut self, old: &Self) {
        (self.ah_last, self.ah_is_own) = (old.ah_last, old.ah_is_own);
        self.hmac_sent = old.hmac_sent;
        self.hmac_marks.clone_from(&old.hmac_marks);
    }

    pub(super) fn new(rules: Rules, now: u64) -> Self {
        Self {
            phase: Phase::Init,
            master_interval: rules.interval,
            priority: rules.base,
            lowered: false,
            source: None,
            wants_master: false,
            why: "startup",
            origin: "startup",
            own_fault: None,
            own_pending: false,
            socket_failed: false,
            taken_at: now,
            drained: None,
            voice: Voice::default(),
            ticket: None,
            answers_left: 4,
            answers_since: 0,
            stolen: VecDeque::new(),
            ah_last: 0,
            ah_is_own: false,
            hmac_sent: None,
            hmac_marks: Vec::new(),
            rules: Rc::new(rules),
        }
    }

    pub(super) const fn is_master(&self) -> bool {
        matches!(self.phase, Phase::Master { .. })
    }

    pub(super) const fn is_backup(&self) -> bool {
        matches!(self.phase, Phase::Backup { .. })
    }

    /// Version 2: (256 - P) / 256 s; version 3: (256 - P) · Master_Adver_Interval / 256. An owner's P is always 255,
    /// unless it is drained.
    pub(super) fn skew_of(&self, priority: u8) -> u64 {
        let steps = 256 - u64::from(priority);
        if self.rules.v3 {
            steps * self.master_interval / 256
        } else {
            steps * 1_000_000 / 256
        }
    }

    pub(super) fn skew(&self) -> u64 {
        let owner = self.rules.is_owner() && self.drained.is_none();
        self.skew_of(if owner { 255 } else { self.priority })
    }

    /// Master_Down_Interval.
    pub(super) fn down(&self) -> u64 {
        self.rules.down_adverts * self.master_interval + self.skew()
    }

    pub(super) fn clear(&self, deeds: &mut Vec<Deed>) {
        if !self.rules.addresses.is_empty() {
            deeds.push(Deed::Clear(self.rules.addresses.clone()));
        }
    }

    /// Whoever leaves master lets its addresses go first.
    fn turn(&mut self, phase: Phase, why: &'static str, deeds: &mut Vec<Deed>) {
        if self.is_master() {
            self.clear(deeds);
        }
        let to = match &phase {
            Phase::Init => StateName::Init,
            Phase::Backup { .. } => StateName::Backup,
            Phase::Master { .. } => StateName::Master,
            Phase::Fault => StateName::Fault,
        };
        self.wants_master = to == StateName::Master;
        self.phase = phase;
        self.why = why;
        deeds.push(Deed::Turn { to, why });
    }

    pub(super) fn become_backup(&mut self, down_at: u64, why: &'static str, deeds: &mut Vec<Deed>) {
        let (delay_ends, news) = (None, News::default());
        let backup = Phase::Backup {
            down_at,
            delay_ends,
            news,
        };
        self.turn(backup, why, deeds);
    }

    pub(super) fn become_fault(&mut self, why: &'static str, deeds: &mut Vec<Deed>) {
        self.turn(Phase::Fault, why, deeds);
    }

    /// It leaves, with a good-bye if it is master.
    pub(super) fn stop(&mut self, why: &'static str, wall: u64, deeds: &mut Vec<Deed>) {
        self.release(wall, deeds);
        self.turn(Phase::Init, why, deeds);
    }

    /// Why a backup takes over whose Master_Down_Interval has passed.
    pub(super) fn why_silent(&self, now: u64) -> &'static str {
        let Phase::Backup { news, .. } = &self.phase else {
            return self.why;
        };
        let its = |from| news.master.is_none_or(|master| master == from);
        if news.left {
            "master-released"
        } else if news.worse.is_some_and(|(from, at)| its(from) && now - at < self.down()) {
            "preempted"
        } else if news.master.is_none() && self.drained.is_some() && self.why == "drained" {
            "not-taken-over"
        } else {
            "master-down"
        }
    }

    /// behaviour §2.2: first the advert, then the addresses.
    pub(super) fn become_master(&mut self, now: u64, wall: u64, why: &'static str, deeds: &mut Vec<Deed>) {
        self.lowered = false;
        if self.rules.is_owner() && self.drained.is_none() {
            self.priority = 255;
        }
        self.voice = Voice::default();
        self.taken_at = now;
        self.master_interval = self.rules.interval;
        self.stolen.clear();
        self.send(self.priority, wall, deeds);
        let master = Phase::Master {
            advert_at: now + self.rules.interval,
            sent_at: now,
            silent_until: 0,
            rogue: None,
        };
        self.turn(master, why, deeds);
        self.set(deeds);
    }

    /// Other addresses by a reload: a master wants the new ones and no others; who is none makes sure that none of the new
    /// ones is left there. What a master has to announce again.
    pub(super) fn exchange(&mut self, old: &[IpAddr], now: u64, deeds: &mut Vec<Deed>) -> Option<Burst> {
        if self.is_master() {
            self.set(deeds);
            let recent = now - self.taken_at < 1_000_000;
            return Some(self.voice.exchange(old, &self.rules, recent));
        }
        if self.rules.addresses.iter().any(|address| !old.contains(address)) {
            self.clear(deeds);
        }
        None
    }

    fn set(&self, deeds: &mut Vec<Deed>) {
        deeds.push(Deed::Set(self.rules.addresses.clone()));
    }

    pub(super) fn release(&mut self, wall: u64, deeds: &mut Vec<Deed>) {
        if self.is_master() {
            self.send(0, wall, deeds);
        }
    }

    /// One cycle: the same number for every destination.
    fn send(&mut self, priority: u8, wall: u64, deeds: &mut Vec<Deed>) {
        if self.source.is_none() {
            return;
        }
        let ah = (self.rules.seal == Seal::Ah).then(|| {
            self.ah_last += 1;
            self.ah_is_own = true;
            self.ah_last
        });
        let signing = self.rules.hmac.as_ref().filter(|hmac| hmac.signs);
        let trailer = signing.map(|hmac| {
            let clock = (wall / 1_000_000) << 32 | ((wall % 1_000_000) * 65_536 / 1_000_000) << 16;
            // Never back, unless the clock was so far ahead that nobody takes the old numbers any more.
            match self.hmac_sent {
                Some(sent) if sent >= clock => {
                    let ahead = (sent >> 32).saturating_sub(wall / 1_000_000);
                    if hmac.timed && ahead > hmac.window {
                        clock
                    } else {
                        sent + 1
                    }
                }
                _ => clock,
            }
        });
        self.hmac_sent = trailer.or(self.hmac_sent);
        deeds.extend(self.rules.destinations.iter().map(|to| Deed::Send {
            priority,
            to: *to,
            trailer,
            ah,
        }));
    }

    /// An advert out of turn.
    pub(super) fn answer(&mut self, now: u64, wall: u64, deeds: &mut Vec<Deed>) {
        self.send(self.priority, wall, deeds);
        if let Phase::Master { advert_at, sent_at, .. } = &mut self.phase {
            *advert_at = now + self.rules.interval;
            *sent_at = now;
        }
    }

    /// The advert timer: an absolute grid, one advert however late, also for a slot that is due within the time that an
    /// advert may be early; with AH each is 1 ms later.
    pub(super) fn tick(&mut self, now: u64, wall: u64, deeds: &mut Vec<Deed>) {
        self.send(self.priority, wall, deeds);
        let drift = if self.rules.seal == Seal::Ah { 1_000 } else { 0 };
        let interval = self.rules.interval;
        let Phase::Master {
            advert_at,
            sent_at,
            rogue,
            ..
        } = &mut self.phase
        else {
            return;
        };
        *sent_at = now;
        *advert_at += interval;
        while *advert_at <= now + interval.min(256_000) / 64 {
            *advert_at += interval;
        }
        *advert_at += drift;
        if let Some(rogue) = rogue.as_mut().filter(|rogue| rogue.quiet_at.is_none()) {
            rogue.adverts_left -= 1;
            if rogue.adverts_left == 0 {
                rogue.quiet_at = Some(now + rogue.interval * 12 / 10);
            }
        }
    }

    /// At most four answers in a row, and then one in a quarter of an interval, or of a second if that is longer.
    fn may_answer(&mut self, at: u64, now: u64) -> bool {
        if matches!(self.phase, Phase::Master { silent_until, .. } if now < silent_until) {
            return false;
        }
        let quarters = at.saturating_sub(self.answers_since) / (self.rules.interval / 4).max(250_000);
        if quarters > 0 {
            self.answers_left = (self.answers_left + quarters).min(4);
            self.answers_since = at;
        }
        let may = self.answers_left > 0;
        self.answers_left -= u64::from(may);
        may
    }

    /// Checks of behaviour §3.2 in their order. `intact`: nobody has changed the bytes, so sums made with a key are right.
    pub(super) fn is_valid(&mut self, heard: &Heard, intact: bool, wall_s: u64) -> bool {
        if !heard.is_well_addressed(&self.rules) {
            return false;
        }
        if self.rules.hmac.is_some() && !self.hmac_is_valid(heard, intact, wall_s) {
            return false;
        }
        if !self.rules.v3 {
            if !heard.password_is_right(&self.rules) {
                return false;
            }
            if let Some(ah) = heard.ah
                && !self.ah_is_valid(ah, heard.from, intact)
            {
                return false;
            }
        }
        let ignores = self.rules.owner_ignores && self.priority == 255;
        heard.is_right(&self.rules) && !ignores
    }

    /// One counter for all speakers. Two that speak at the same moment use the same number: ours is no replay of theirs.
    fn ah_is_valid(&mut self, (next, _, spi, sequence): (u8, u8, u32, u32), from: IpAddr, intact: bool) -> bool {
        let IpAddr::V4(from) = from else { return false };
        let fresh = sequence > self.ah_last || self.ah_is_own && sequence == self.ah_last;
        if next != 112 || !intact || spi != from.to_bits() || !fresh {
            return false;
        }
        self.ah_last = sequence;
        self.ah_is_own = false;
        true
    }

    fn hmac_is_valid(&mut self, heard: &Heard, intact: bool, wall_s: u64) -> bool {
        let Some(hmac) = &self.rules.hmac else { return true };
        let Some(Trailer {
            well_formed,
            key,
            seconds,
            sequence,
        }) = heard.trailer()
        else {
            return !hmac.enforces;
        };
        if let Some(peers) = &self.rules.peers
            && !peers.iter().any(|(peer, _, _)| *peer == heard.from)
        {
            return false;
        }
        let near = |seconds: u64| !hmac.timed || wall_s.abs_diff(seconds) <= hmac.window;
        if !well_formed || !near(seconds) || !hmac.keys.contains(&key) || !intact {
            return false;
        }
        let mark = self.hmac_marks.iter().position(|(from, _)| *from == heard.from);
        if let Some(mark) = mark {
            let (_, before) = self.hmac_marks.remove(mark);
            if near(before >> 32) && sequence <= before {
                self.hmac_marks.push((heard.from, before));
                return false;
            }
        }
        // The four senders heard last, or all peers.
        let room = self.rules.peers.as_ref().map_or(4, Vec::len);
        if self.hmac_marks.len() >= room {
            self.hmac_marks.remove(0);
        }
        self.hmac_marks.push((heard.from, sequence));
        true
    }

    /// A valid advert in Backup (RFC 9568 section 6.4.2, behaviour §2.3).
    pub(super) fn backup_hears(&mut self, heard: &Heard, at: u64) {
        let skew = self.skew();
        if self.lowered && heard.priority != 255 && heard.priority != 0 && self.drained.is_none() {
            self.lowered = false;
            self.priority = 255;
        }
        let Phase::Backup {
            down_at,
            delay_ends,
            news,
        } = &mut self.phase
        else {
            return;
        };
        if heard.priority == 0 {
            *down_at = at + skew;
            news.left = true;
            return;
        }
        let accepts = if heard.priority >= self.priority {
            *delay_ends = None;
            true
        } else if !self.rules.preempts {
            true
        } else {
            self.rules.preempt_delay > 0 && at < *delay_ends.get_or_insert(at + self.rules.preempt_delay)
        };
        if !accepts {
            news.worse = Some((heard.from, at));
            return;
        }
        (news.master, news.left) = (Some(heard.from), false);
        self.learn(heard);
        self.wants_master = false;
        let down = self.down();
        if let Phase::Backup { down_at, .. } = &mut self.phase {
            *down_at = at + down;
        }
    }

    fn learn(&mut self, heard: &Heard) {
        if self.rules.v3 {
            self.master_interval = heard.interval_cs() * 10_000;
        }
    }

    /// A valid advert in Master (RFC 9568 section 6.4.3, behaviour §2.4, §2.7). Whether the neighbours have to be told that a
    /// worse master is none.
    pub(super) fn master_hears(&mut self, heard: &Heard, at: u64, now: u64, wall: u64, deeds: &mut Vec<Deed>) -> bool {
        if heard.priority == 0 {
            if self.may_answer(at, now) {
                self.answer(now, wall, deeds);
            }
            return false;
        }
        let Some(own) = self.source else { return false };
        let better = heard.priority > self.priority || heard.priority == self.priority && heard.from > own;
        if better {
            if self.rules.higher_sends {
                self.send(self.priority, wall, deeds);
            }
            self.learn(heard);
            let why = if heard.priority > self.priority {
                "higher-priority"
            } else {
                "higher-address"
            };
            self.become_backup(now + self.down(), why, deeds);
            if let Phase::Backup { news, .. } = &mut self.phase {
                news.master = Some(heard.from);
            }
        } else if heard.priority == 255 {
            self.hear_other_owner(heard);
        } else if self.may_answer(at, now) {
            if !self.rules.lower_quiet {
                if self.rules.seal == Seal::Ah {
                    self.ah_last += 1;
                }
                self.answer(now, wall, deeds);
            }
            return true;
        }
        false
    }

    fn hear_other_owner(&mut self, heard: &Heard) {
        let interval = self.rules.interval.max(heard.interval_cs() * 10_000);
        let Phase::Master { rogue, .. } = &mut self.phase else {
            return;
        };
        match rogue {
            None => {
                *rogue = Some(Rogue {
                    interval,
                    adverts_left: 2,
                    quiet_at: None,
                });
            }
            Some(Rogue { quiet_at: None, .. }) => {}
            Some(Rogue { quiet_at: Some(_), .. }) => {
                *rogue = None;
                self.lowered = true;
                self.priority = 254;
            }
        }
    }

    /// The process did not run for this long (behaviour §2.8; DESIGN "Time").
    pub(super) fn stalled(&mut self, gap: u64, now: u64, deeds: &mut Vec<Deed>) {
        let (skew, down) = (self.skew(), self.down());
        let limit = self
            .rules
            .expires
            .map(|priority| 3 * self.rules.interval + self.skew_of(priority));
        let Phase::Master {
            advert_at,
            sent_at,
            silent_until,
            ..
        } = &mut self.phase
        else {
            return;
        };
        if limit.is_some_and(|limit| now - *sent_at >= limit) {
            self.become_backup(now + down, "stalled", deeds);
        } else if gap > down && self.rules.listens {
            *silent_until = now + skew;
            *advert_at = (*advert_at).max(now + skew);
        }
    }
}
