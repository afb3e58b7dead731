//! A new configuration (behaviour §11.2): unchanged instances keep everything and send nothing; changed ones go on in their
//! state while what runs follows the new settings; what is another virtual router now begins anew; what left is released.

use super::group::Group;
use super::happening::Happening;
use super::instance::{Instance, Settings};
use super::mutant::Mutant;
use super::reason::Reason;
use super::{Action, Core, Life};
use crate::model::{InstanceId, Instant, Model, Renumbering, continued};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What becomes of an instance of the new configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is new, or another router than the one that it was.
    Begins,
    /// It continues the old one at this position, as it was or with other settings.
    GoesOn(usize, bool),
}

impl Fate {
    const fn continues(self) -> Option<usize> {
        match self {
            Self::Begins => None,
            Self::GoesOn(at, _) => Some(at),
        }
    }
}

impl Core {
    pub(super) fn reload(&mut self, model: Arc<Model>, now: Instant) {
        if self.life != Life::Running {
            return;
        }
        let configs: Vec<Settings> = Settings::all(&model).collect();
        let fates = self.fates(&configs, &model);
        // What leaves says good-bye under the old configuration.
        let stay: BTreeSet<usize> = fates.iter().filter_map(|fate| fate.continues()).collect();
        for index in 0..self.instances.len() {
            if !stay.contains(&index) {
                self.at_alone(index, now, |instance, ctx| instance.stop(Reason::Reload, ctx));
            }
        }
        let happened = self.happened(&fates);
        let old: Vec<Option<Instance>> = self.instances.drain(..).map(Some).collect();
        let fresh = self.line_up(old, &configs, &fates, now);
        self.adopt_trackers(&model, now);
        let old_groups = std::mem::take(&mut self.groups);
        self.groups = model
            .groups
            .iter()
            .map(|config| Group::again(config, &old_groups))
            .collect();
        self.forget_node_drain(now);
        self.restore_drains();
        let older = std::mem::replace(&mut self.model, model);
        self.tell_leaving_statics(&older);
        self.tell_waiting_statics(&older);
        self.wish_statics();
        self.begin_epoch();
        self.configure_links(now);
        self.index();
        for ((index, config), fate) in configs.into_iter().enumerate().zip(fates) {
            match fate {
                Fate::Begins => {}
                Fate::GoesOn(_, true) => self.at_alone(index, now, |instance, ctx| instance.adjust(config, ctx)),
                Fate::GoesOn(_, false) => self.adopt(index, config),
            }
        }
        self.index();
        self.sync_sockets();
        self.look_at_members(now);
        self.start_fresh(&fresh, now);
        self.each(now, Instance::reconsider);
        self.part_mixed_groups(now);
        self.settle_groups();
        self.actions.push_back(Action::Happened(happened.into()));
        if self.model.global.fifo_states_on_reload {
            self.repeat_states();
        }
    }

    /// What is told of a reload.
    fn happened(&self, fates: &[Fate]) -> Happening {
        let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
        let continued = count(|fate| fate.continues().is_some());
        Happening::Reloaded {
            unchanged: count(|fate| matches!(fate, Fate::GoesOn(_, false))),
            adjusted: count(|fate| matches!(fate, Fate::GoesOn(_, true))),
            started: fates.len() - continued,
            removed: self.instances.len().saturating_sub(continued),
        }
    }

    fn fates(&self, configs: &[Settings], model: &Model) -> Vec<Fate> {
        let moves = Renumbering::between(&self.model, model);
        let fate = |(config, before): (&Settings, Option<usize>)| {
            let Some((at, old)) = before.and_then(|at| Some((at, self.instances.get(at)?))) else {
                return Fate::Begins;
            };
            let changed = !moves.is_same(&old.config, config);
            let restarts = self.mutation.is(Mutant::ReloadRestarts) && changed;
            if restarts || self.mutation.is(Mutant::ReloadRestartsAll) {
                return Fate::Begins;
            }
            Fate::GoesOn(at, changed || self.mutation.is(Mutant::ReloadTouchesAll))
        };
        configs.iter().zip(continued(&self.model, model)).map(fate).collect()
    }

    /// Puts the instances in the order of the new configuration; which of them have to be started.
    fn line_up(
        &mut self,
        mut old: Vec<Option<Instance>>,
        configs: &[Settings],
        fates: &[Fate],
        now: Instant,
    ) -> Vec<InstanceId> {
        let mut fresh = Vec::new();
        for (config, fate) in configs.iter().zip(fates) {
            let kept = fate.continues().and_then(|at| old.get_mut(at)).and_then(Option::take);
            let mut instance = kept.unwrap_or_else(|| {
                let id = self.new_id();
                fresh.push(id);
                let mut instance = Instance::new(id, config.clone(), now);
                instance.begins_by(Reason::Reload);
                // Another router, but for an operator it is the one that was drained.
                let before = old.iter().flatten().find(|old| old.config.name == config.name);
                instance.drain = before.and_then(|old| old.drain.clone());
                instance
            });
            if self.mutation.is(Mutant::DrainLostAtReload) {
                instance.drain = None;
            }
            self.instances.push(instance);
        }
        for (position, left) in old.iter().enumerate() {
            if let Some(left) = left {
                self.depart(left, position);
            }
        }
        self.leaving
            .extend(old.into_iter().flatten().filter(Instance::is_clearing));
        fresh
    }

    fn adopt(&mut self, index: usize, config: Settings) {
        let forgets = self.mutation.is(Mutant::ReloadLosesCounters);
        if let Some(instance) = self.instances.get_mut(index) {
            instance.adopt(config);
            if forgets {
                instance.clear_counters();
            }
        }
    }

    fn start_fresh(&mut self, fresh: &[InstanceId], now: Instant) {
        for id in fresh {
            self.one(*id, now, Instance::start);
        }
        self.start_trackers(now);
    }
}
