//! Links come, go, change their name, and are up or down: what of it counts, and who has to know.

use super::deadlines::Owner;
use super::event::Link;
use super::log_event::InterfaceLine;
use super::mutant::Mutant;
use super::reason::TrackerKind;
use super::snapshot::{Activity, TrackerSnapshot, TrackerStatus};
use super::tracking::{Reported, Ruling};
use super::world::LinkNews;
use super::{Action, Core, Instance, Life};
use crate::model::{IfIndex, IfName, Instant, LinkBeatMethod, Micros};
use std::collections::BTreeSet;

impl Core {
    pub(super) fn on_link(&mut self, link: Link, now: Instant) {
        let (index, name) = (link.index, link.name.clone());
        let mut for_statics = self.has_statics_on(&name);
        match self.world.put_link(link, now) {
            LinkNews::Same => return,
            LinkNews::Added => self.log_interface(name, InterfaceLine::Added),
            LinkNews::Renamed { from } => {
                for_statics |= self.has_statics_on(&from);
                self.links.forget(index, &from);
                self.log_interface(from, InterfaceLine::Renamed { to: name.clone() });
                self.log_interface(name, InterfaceLine::Added);
            }
            LinkNews::Changed => {}
        }
        if for_statics {
            self.wish_statics();
        }
        self.judge_link(index, now);
        self.arm_links();
        self.world_changed(now);
    }

    pub(super) fn on_link_gone(&mut self, index: IfIndex, now: Instant) {
        if let Some(name) = self.world.remove_link(index) {
            self.links.forget(index, &name);
            self.arm_links();
            if self.has_statics_on(&name) {
                self.wish_statics();
            }
            self.log_interface(name, InterfaceLine::Deleted);
            self.world_changed(now);
        }
    }

    /// A polled interface has answered.
    pub(super) fn on_link_beat(&mut self, index: IfIndex, up: bool, method: LinkBeatMethod, now: Instant) {
        let Some(name) = self.world.name_of(index).cloned() else {
            return;
        };
        if self.mutation.is(Mutant::PollIgnored) {
            return;
        }
        if let Some(configured) = self.links.take_answer(&name, up, method) {
            let line = InterfaceLine::PolledOtherwise {
                configured,
                used: method,
            };
            self.log_interface(name, line);
        }
        if self.judge_link(index, now) {
            self.world_changed(now);
        }
        self.arm_links();
    }

    /// What a link is reported as against what it counts as; whether that changed.
    fn judge_link(&mut self, index: IfIndex, now: Instant) -> bool {
        let Some((name, was_up, counts_up)) = self.world.standing(index) else {
            return false;
        };
        let name = name.clone();
        let up = self
            .links
            .answer(&name)
            .unwrap_or_else(|| self.world.link(&name).is_some_and(|link| link.running));
        let reported = Reported {
            index,
            up,
            counts_up,
            was_up,
        };
        let limit = self.delay_limit(&name);
        match self.links.judge(&name, reported, limit, now, self.mutation) {
            Ruling::AsBefore => return false,
            Ruling::Counts => {
                self.count_link(index, up, now);
                return true;
            }
            Ruling::Reverted => self.log_interface(name, InterfaceLine::DelayCancelled),
            Ruling::KeptBack(delay) => {
                if self.links.is_cut(&name, up, delay) {
                    self.log_interface(name.clone(), InterfaceLine::DelayReduced);
                }
                let (from, to) = self.world.flags(index);
                self.log_interface(name, InterfaceLine::Delayed { from, to, delay });
            }
        }
        false
    }

    /// From now on the link counts as up or down.
    fn count_link(&mut self, index: IfIndex, up: bool, now: Instant) {
        let Some(name) = self.world.count(index, up, now).cloned() else {
            return;
        };
        let line = match (self.links.is_polled(&name), up) {
            (false, true) => InterfaceLine::Up,
            (false, false) => InterfaceLine::Down,
            (true, true) => InterfaceLine::AnswersUp,
            (true, false) => InterfaceLine::AnswersDown,
        };
        self.log_interface(name, line);
    }

    /// A delay has to end while a backup would still wait for the next advert (semantic-checks 53, 54; behaviour §2.1).
    fn delay_limit(&self, name: &IfName) -> Option<Micros> {
        let own = self.instances.iter();
        let own = own.filter(|instance| instance.config.interface.as_ref() == Some(name));
        own.map(super::Instance::longest_delay).min()
    }

    /// Changes that have lasted, and questions that are due, since this moment and no later one.
    pub(super) fn links_timeout(&mut self, since: Instant, now: Instant) {
        let lasted = self.links.lasted(since);
        for (index, up) in &lasted {
            self.count_link(*index, *up, now);
        }
        for (name, method) in self.links.due_polls(since, now) {
            let used = self.instances.iter().any(|instance| instance.uses(&name));
            if let Some(interface) = self.world.index_of(&name).filter(|_| used) {
                self.actions.push_back(Action::AskLink {
                    interface,
                    name,
                    method,
                });
            }
        }
        self.arm_links();
        if !lasted.is_empty() {
            self.world_changed(now);
        }
    }

    pub(super) fn arm_links(&mut self) {
        let next = self.links.next_deadline().filter(|_| self.life == Life::Running);
        self.deadlines.set(Owner::Links, next);
    }

    /// A new configuration: other delays, other interfaces that are asked.
    pub(super) fn configure_links(&mut self, now: Instant) {
        self.links.configure(&self.model);
        self.links.start(now);
        for index in self.world.indices() {
            self.judge_link(index, now);
        }
        self.arm_links();
    }

    /// The interfaces that instances track by name or because something stands on them, and those that are delayed or polled.
    pub(super) fn link_trackers(&self) -> Vec<TrackerSnapshot> {
        let tracked = self
            .instances
            .iter()
            .flat_map(|instance| &instance.config.track_interfaces);
        let tracked = tracked.map(|track| &track.interface);
        let used = self
            .instances
            .iter()
            .filter_map(|instance| instance.config.interface.as_ref());
        let needed = self.instances.iter().flat_map(Instance::needed_elsewhere);
        let own = used.filter(|name| self.links.concerns(name));
        let names: BTreeSet<&IfName> = tracked.chain(own).chain(needed).collect();
        let snapshot = |name: &IfName| TrackerSnapshot {
            kind: TrackerKind::Interface,
            name: name.as_str().into(),
            status: if self.world.runs(name) {
                TrackerStatus::Up
            } else {
                TrackerStatus::Down
            },
            last_exit: None,
            last_run: None,
            since: self.world.since(name),
            result: 0,
            activity: Activity::Idle,
            value: None,
            watch: None,
            delayed: None,
            detail: None,
        };
        names.into_iter().map(snapshot).collect()
    }
}
