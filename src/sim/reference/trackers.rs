//! What a host watches: check programs and their times, processes against a quorum, links that have to last (behaviour §5.1,
//! §5.3, §5.4).

use crate::model::{self, Model};
use crate::proto::ProcessChange;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// From SIGTERM to SIGKILL, and to the next one; from then on.
const GRACE: u64 = 2_000_000;
const AGAIN: u64 = 10_000_000;

/// Something that is done to find out how things are, to a check program by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Errand {
    /// It is started.
    Run(usize),
    /// It is asked to end.
    Terminate(usize),
    /// It is killed.
    Kill(usize),
    /// Something else: a link is asked for its state, by its index.
    Ask(u32),
}

/// A check program: `rise` successes in a row bring it up, `fall` failures down; the first result decides.
#[derive(Debug, Clone)]
pub(super) struct Script {
    interval: u64,
    limit: u64,
    rise: u32,
    fall: u32,
    /// Nothing known yet: `None`.
    pub(super) up: Option<bool>,
    /// Opposite results in a row.
    opposite: u32,
    /// Its next slot.
    next: Option<u64>,
    /// While it runs: how often it was told to end, and when it is told again.
    runs: Option<(u32, u64)>,
}

impl Script {
    pub(super) fn new(script: &model::Script) -> Self {
        Self {
            interval: script.interval.0,
            limit: script.timeout.unwrap_or(script.interval).0,
            rise: script.rise,
            fall: script.fall,
            up: script.init_fail.then_some(false),
            opposite: 0,
            next: None,
            runs: None,
        }
    }

    /// Other settings of the same program: its condition stays, and it runs at once.
    pub(super) fn adopt(&mut self, script: &model::Script, now: u64) {
        let new = Self::new(script);
        if (new.interval, new.limit, new.rise, new.fall) != (self.interval, self.limit, self.rise, self.fall) {
            *self = Self {
                up: self.up,
                next: Some(now),
                runs: self.runs,
                ..new
            };
        }
    }

    pub(super) fn start(&mut self, now: u64) {
        self.next = Some(now);
    }

    /// When something is done to it.
    pub(super) fn due(&self) -> Option<u64> {
        self.next.into_iter().chain(self.runs.map(|(_, at)| at)).min()
    }

    /// A slot starts it unless it runs still; who runs for too long is told to end, and killed.
    pub(super) fn time(&mut self, position: usize, now: u64) -> Vec<Errand> {
        let mut errands = Vec::new();
        if self.next.is_some_and(|slot| slot <= now) {
            while let Some(slot) = self.next.filter(|slot| *slot <= now) {
                self.next = Some(slot + self.interval);
            }
            if self.runs.is_none() {
                self.runs = Some((0, now + self.limit));
                errands.push(Errand::Run(position));
            }
        }
        if let Some((told, at)) = self.runs.filter(|(_, at)| *at <= now) {
            debug_assert!(at <= now);
            self.runs = Some((told + 1, now + if told < 2 { GRACE } else { AGAIN }));
            errands.push(if told == 0 {
                Errand::Terminate(position)
            } else {
                Errand::Kill(position)
            });
        }
        errands
    }

    /// A stop of the daemon ends what runs.
    pub(super) fn stop(&mut self, position: usize) -> Option<Errand> {
        self.next = None;
        self.runs.take().map(|_| Errand::Terminate(position))
    }

    /// Whether its condition has changed, or become known.
    pub(super) fn ended(&mut self, good: bool) -> bool {
        if self.runs.take().is_none() {
            return false;
        }
        let needed = match self.up {
            None => 1,
            Some(up) if up == good => {
                self.opposite = 0;
                return false;
            }
            Some(true) => self.fall,
            Some(false) => self.rise,
        };
        self.opposite += 1;
        if self.opposite < needed {
            return false;
        }
        self.up = Some(good);
        self.opposite = 0;
        true
    }
}

/// Processes of one name.
#[derive(Debug, Clone)]
pub(super) struct Process {
    quorum: usize,
    most: usize,
    fork_delay: u64,
    end_delay: u64,
    pids: BTreeSet<u32>,
    /// Everything that runs has been told.
    told: bool,
    pub(super) up: Option<bool>,
    /// When a change counts.
    pub(super) due: Option<u64>,
}

impl Process {
    pub(super) fn new(process: &model::TrackedProcess) -> Self {
        let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            quorum: number(process.quorum),
            most: process.quorum_max.map_or(usize::MAX, number),
            fork_delay: process.fork_delay.0,
            end_delay: process.terminate_delay.0,
            pids: BTreeSet::new(),
            told: false,
            up: None,
            due: None,
        }
    }

    fn is_right(&self) -> bool {
        (self.quorum..=self.most).contains(&self.pids.len())
    }

    pub(super) fn forget(&mut self) {
        self.pids.clear();
        self.told = false;
    }

    /// A change that has to last goes on lasting.
    pub(super) fn all_told(&mut self) {
        self.told = true;
        if self.due.is_none() || Some(self.is_right()) == self.up {
            self.count();
        }
    }

    /// A change has lasted; what it is now says who counts them, if he does not count at this moment.
    pub(super) fn time(&mut self) {
        self.due = None;
        if self.told {
            self.count();
        }
    }

    /// What runs now counts now.
    pub(super) fn count(&mut self) {
        self.due = None;
        self.up = Some(self.is_right());
    }

    /// A fork and an end wait for their delays and are cancelled by the opposite; another program, another name count at once.
    pub(super) fn change(&mut self, pid: u32, change: ProcessChange, now: u64) {
        let (news, delay) = match change {
            ProcessChange::Forked => (self.pids.insert(pid), self.fork_delay),
            ProcessChange::Became => (self.pids.insert(pid), 0),
            ProcessChange::Ended => (self.pids.remove(&pid), self.end_delay),
            ProcessChange::Ceased => (self.pids.remove(&pid), 0),
        };
        if !news || !self.told {
            return;
        }
        if Some(self.is_right()) == self.up {
            self.due = None;
        } else if delay == 0 {
            self.count();
        } else if self.due.is_none() {
            self.due = Some(now + delay);
        }
    }
}

/// A link: what the kernel says of it, what it has answered if it is polled, and what it counts as.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) kernel_says: bool,
    pub(super) answered: Option<bool>,
    pub(super) counts: bool,
    was_up: bool,
    /// When a change counts that has to last.
    pub(super) due: Option<u64>,
    /// In the order in which they came.
    pub(super) addresses: Vec<IpAddr>,
}

impl Link {
    pub(super) const fn new(name: String, runs: bool) -> Self {
        Self {
            name,
            kernel_says: runs,
            answered: None,
            counts: runs,
            was_up: runs,
            due: None,
            addresses: Vec::new(),
        }
    }

    fn runs(&self) -> bool {
        self.answered.unwrap_or(self.kernel_says)
    }

    /// There is news of it. `delays`: for down and for up; coming up for the first time is never delayed.
    pub(super) fn judge(&mut self, delays: (u64, u64), now: u64) {
        if self.runs() == self.counts {
            self.due = None;
            return;
        }
        let delay = match (self.runs(), self.was_up) {
            (true, true) => delays.1,
            (true, false) => 0,
            (false, _) => delays.0,
        };
        if self.due.is_some() {
            return;
        }
        if delay == 0 {
            self.count();
        } else {
            self.due = Some(now + delay);
        }
    }

    pub(super) fn count(&mut self) {
        self.due = None;
        self.counts = self.runs();
        self.was_up |= self.counts;
    }
}

/// The links that are asked for their state: those of `linkbeat_interfaces` and those of routers that want it so.
pub(super) fn polled(model: &Model) -> BTreeSet<String> {
    let named = model.global.linkbeat_interfaces.iter().map(|beat| &beat.interface);
    let all = model.global.linkbeat_use_polling;
    let own = model
        .instances
        .iter()
        .filter(|config| all || config.linkbeat_use_polling);
    let own = own.filter_map(|config| config.interface.as_ref());
    named.chain(own).map(|name| name.as_str().to_owned()).collect()
}

/// `interface_up_down_delays`: name, down, up.
pub(super) fn delays(model: &Model) -> Vec<(String, u64, u64)> {
    let all = model.global.interface_delays.iter();
    all.map(|of| (of.interface.as_str().to_owned(), of.down.0, of.up.0))
        .collect()
}
