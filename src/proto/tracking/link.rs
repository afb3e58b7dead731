//! What an interface counts as (behaviour §5.4): `interface_up_down_delays` keep a change back until it has lasted, and the
//! interfaces of `linkbeat_interfaces` are asked for their link instead of believing the kernel's messages.

use crate::model::{IfIndex, IfName, Instant, LinkBeatMethod, Micros, Model};
use crate::proto::mutant::{Mutant, Mutation};
use crate::proto::timer::Timer;
use std::collections::BTreeMap;

/// From one question to the next.
const POLL_INTERVAL: Micros = Micros::SECOND;

/// Delays and polled interfaces of a configuration, and the changes that are kept back.
#[derive(Debug, Clone, Default)]
pub(in crate::proto) struct LinkTracking {
    delays: BTreeMap<IfName, Delay>,
    polled: BTreeMap<IfName, Polled>,
    kept_back: BTreeMap<IfIndex, KeptBack>,
    next_poll: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Delay {
    down: Micros,
    up: Micros,
}

#[derive(Debug, Clone, Copy, Default)]
struct Polled {
    /// As configured.
    method: Option<LinkBeatMethod>,
    /// What answered last.
    works: Option<LinkBeatMethod>,
    up: Option<bool>,
}

#[derive(Debug, Clone, Copy)]
struct KeptBack {
    up: bool,
    at: Instant,
}

/// A link as the kernel or a question reports it, and what it counts as.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto) struct Reported {
    pub(in crate::proto) index: IfIndex,
    pub(in crate::proto) up: bool,
    pub(in crate::proto) counts_up: bool,
    /// Whether it has been up since it appeared: the first time is never delayed.
    pub(in crate::proto) was_up: bool,
}

/// What a report leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proto) enum Ruling {
    /// Nothing changes.
    AsBefore,
    /// It counts as what it is reported as.
    Counts,
    /// It has to last for this long.
    KeptBack(Micros),
    /// It did not last.
    Reverted,
}

impl LinkTracking {
    /// Takes the settings of a configuration. Changes that are kept back stay so.
    pub(in crate::proto) fn configure(&mut self, model: &Model) {
        let global = &model.global;
        let delay = |of: &crate::model::InterfaceDelay| {
            let Delay { down, up } = Delay {
                down: of.down,
                up: of.up,
            };
            (of.interface.clone(), Delay { down, up })
        };
        self.delays = global.interface_delays.iter().map(delay).collect();
        let old = std::mem::take(&mut self.polled);
        let of_instances = model
            .instances
            .iter()
            .filter(|i| (i.linkbeat_use_polling || global.linkbeat_use_polling) && i.own_link.is_none())
            .filter_map(|i| Some((i.interface.clone()?, None)));
        let named = global.linkbeat_interfaces.iter();
        let named = named.map(|beat| (beat.interface.clone(), beat.method));
        for (interface, method) in of_instances.chain(named) {
            let known = old.get(&interface).filter(|known| known.method == method);
            let polled = known.copied().unwrap_or(Polled {
                method,
                ..Polled::default()
            });
            self.polled.insert(interface, polled);
        }
    }

    /// Begins to ask, if there is anybody to be asked.
    pub(in crate::proto) fn start(&mut self, now: Instant) {
        self.next_poll = (!self.polled.is_empty()).then(|| self.next_poll.unwrap_or(now));
    }

    /// Whether this interface is asked for its link, or delayed.
    pub(in crate::proto) fn concerns(&self, name: &IfName) -> bool {
        self.polled.contains_key(name) || self.delays.contains_key(name)
    }

    pub(in crate::proto) fn is_polled(&self, name: &IfName) -> bool {
        self.polled.contains_key(name)
    }

    /// What the interface answered last, if it is asked.
    pub(in crate::proto) fn answer(&self, name: &IfName) -> Option<bool> {
        self.polled.get(name)?.up
    }

    /// Takes an answer. What was configured, if another way had to be used and nobody was told yet.
    pub(in crate::proto) fn take_answer(
        &mut self,
        name: &IfName,
        up: bool,
        method: LinkBeatMethod,
    ) -> Option<LinkBeatMethod> {
        let polled = self.polled.get_mut(name)?;
        polled.up = Some(up);
        let first = polled.works.replace(method) != Some(method);
        polled.method.filter(|configured| first && *configured != method)
    }

    /// The interface is gone: what it answered means nothing for the next one of its name.
    pub(in crate::proto) fn forget(&mut self, index: IfIndex, name: &IfName) {
        self.kept_back.remove(&index);
        if let Some(polled) = self.polled.get_mut(name) {
            polled.up = None;
        }
    }

    /// Judges a report. `limit`: no delay is longer.
    pub(in crate::proto) fn judge(
        &mut self,
        name: &IfName,
        link: Reported,
        limit: Option<Micros>,
        now: Instant,
        mutation: Mutation,
    ) -> Ruling {
        if link.up == link.counts_up {
            if mutation.is(Mutant::LinkDelayKept) {
                return Ruling::AsBefore;
            }
            let reverted = self.kept_back.remove(&link.index).is_some();
            return if reverted { Ruling::Reverted } else { Ruling::AsBefore };
        }
        if self.kept_back.contains_key(&link.index) {
            return Ruling::AsBefore;
        }
        let delay = self.delays.get(name).map_or(Micros::ZERO, |delay| match link.up {
            true if link.was_up => delay.up,
            true => Micros::ZERO,
            false => delay.down,
        });
        let limit = limit.filter(|_| !mutation.is(Mutant::LinkDelayUnlimited));
        let delay = limit.map_or(delay, |limit| delay.min(limit));
        if delay == Micros::ZERO || mutation.is(Mutant::LinkDelayLeftOut) {
            return Ruling::Counts;
        }
        let kept_back = KeptBack {
            up: link.up,
            at: now + delay,
        };
        self.kept_back.insert(link.index, kept_back);
        Ruling::KeptBack(delay)
    }

    /// Whether this delay was cut short by a limit.
    pub(in crate::proto) fn is_cut(&self, name: &IfName, up: bool, delay: Micros) -> bool {
        let wanted = self.delays.get(name);
        wanted.is_some_and(|wanted| delay < if up { wanted.up } else { wanted.down })
    }

    /// Changes that had lasted at this moment.
    pub(in crate::proto) fn lasted(&mut self, at: Instant) -> Vec<(IfIndex, bool)> {
        let due = self.kept_back.iter().filter(|(_, kept)| kept.at <= at);
        let due: Vec<_> = due.map(|(index, kept)| (*index, kept.up)).collect();
        for (index, _) in &due {
            self.kept_back.remove(index);
        }
        due
    }

    /// The interfaces that were to be asked at this moment, and how.
    pub(in crate::proto) fn due_polls(&mut self, at: Instant, now: Instant) -> Vec<(IfName, Option<LinkBeatMethod>)> {
        if self.next_poll.is_none_or(|next| next > at) {
            return Vec::new();
        }
        self.next_poll = Some(now + POLL_INTERVAL);
        let polled = self.polled.iter();
        polled
            .map(|(name, polled)| (name.clone(), polled.works.or(polled.method)))
            .collect()
    }

    pub(in crate::proto) fn next_deadline(&self) -> Option<(Instant, Timer)> {
        let delay = self.kept_back.values().map(|kept| (kept.at, Timer::LinkDelay)).min();
        let poll = self.next_poll.map(|at| (at, Timer::LinkPoll));
        delay.into_iter().chain(poll).min()
    }
}
