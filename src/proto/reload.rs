//! A new configuration (behaviour §11.2): unchanged instances keep everything and send nothing; those of which only settings
//! changed go on in their state; those whose place on the network or addresses changed start again; what left is released.

use super::group::Group;
use super::instance::{Instance, Settings};
use super::mutant::Mutant;
use super::reason::Reason;
use super::tracking::tracked_names;
use super::{Core, Life};
use crate::model::{GroupId, Instance as Config, InstanceId, Instant, Model, Transport};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Core {
    pub(super) fn reload(&mut self, model: Arc<Model>, now: Instant) {
        if self.life != Life::Running {
            return;
        }
        let configs: Vec<Settings> = Settings::all(&model).collect();
        let (unchanged, adjusted) = self.match_instances(&configs, &model);
        // What leaves or changes says good-bye under the old configuration.
        for index in 0..self.instances.len() {
            if !unchanged.contains(&Some(index)) {
                self.at_alone(index, now, |instance, ctx| instance.stop(Reason::Reload, ctx));
            }
        }
        let mut old: Vec<Option<Instance>> = self.instances.drain(..).map(Some).collect();
        let (mut fresh, mut successors) = (Vec::new(), BTreeMap::new());
        let old_groups = std::mem::take(&mut self.groups);
        for (config, kept) in configs.iter().zip(&unchanged) {
            let kept = kept.and_then(|index| old.get_mut(index)).and_then(Option::take);
            if let Some(instance) = kept {
                self.instances.push(instance);
            } else {
                let id = self.new_id();
                fresh.push(id);
                let before = old
                    .iter()
                    .position(|old| old.as_ref().is_some_and(|old| same_router(config, &old.config)));
                successors.extend(before.map(|before| (before, id)));
                self.instances.push(Instance::new(id, config.clone(), now));
            }
        }
        for (position, left) in old.iter().enumerate() {
            if let Some(left) = left {
                self.depart(left, position, successors.get(&position).copied());
            }
        }
        self.leaving
            .extend(old.into_iter().flatten().filter(Instance::is_clearing));
        self.adopt_trackers(&model, now);
        self.groups = model
            .groups
            .iter()
            .map(|config| Group::again(config, &old_groups))
            .collect();
        self.model = model;
        self.begin_epoch();
        self.configure_links(now);
        self.index();
        self.sync_sockets();
        for ((index, config), adjusted) in configs.into_iter().enumerate().zip(adjusted) {
            if adjusted {
                self.at_alone(index, now, |instance, ctx| instance.adjust(config, ctx));
            } else if let Some(instance) = self.instances.get_mut(index) {
                instance.adopt(config);
            }
        }
        self.look_at_members(now);
        self.start_fresh(&fresh, now);
        self.each(now, Instance::reconsider);
        self.settle_groups();
        if self.model.global.fifo_states_on_reload {
            self.repeat_states();
        }
    }

    fn start_fresh(&mut self, fresh: &[InstanceId], now: Instant) {
        for id in fresh {
            self.one(*id, now, Instance::start);
        }
        self.start_trackers(now);
    }

    /// For each new instance the position of the old one that it continues, and whether its settings are to be adjusted.
    fn match_instances(&self, configs: &[Settings], model: &Model) -> (Vec<Option<usize>>, Vec<bool>) {
        let find = |new: &Config, fits: &dyn Fn(&Config) -> bool| {
            let continues = |old: &Instance| same_router(new, &old.config) && fits(&old.config);
            self.instances.iter().position(continues)
        };
        let matched = configs.iter().map(|new| {
            let same = find(new, &|old| same_settings(new, model, old, &self.model));
            let alike = || find(new, &|old| same_place(new, model, old, &self.model));
            let alike = if same.is_some() || self.mutation.is(Mutant::ReloadRestarts) {
                None
            } else {
                alike()
            };
            let touched = alike.is_some() || self.mutation.is(Mutant::ReloadTouchesAll) && same.is_some();
            (same.or(alike), touched)
        });
        matched.unzip()
    }
}

/// keepalived's idea of the same instance: VRID, family, interface and where adverts go; the name is irrelevant.
fn same_router(new: &Config, old: &Config) -> bool {
    let transport = match (&new.transport, &old.transport) {
        (Transport::Multicast { group: a }, Transport::Multicast { group: b }) => a == b,
        (Transport::Unicast { .. }, Transport::Unicast { .. }) => new.source == old.source,
        (Transport::Multicast { .. }, Transport::Unicast { .. })
        | (Transport::Unicast { .. }, Transport::Multicast { .. }) => false,
    };
    new.vrid == old.vrid && new.family == old.family && new.interface == old.interface && transport
}

/// Whether an instance may go on in its state: nothing differs but what can be changed under way.
fn same_place(new: &Config, new_model: &Model, old: &Config, old_model: &Model) -> bool {
    let mut probe = new.clone();
    probe.priority = old.priority;
    probe.state = old.state;
    probe.advert_interval = old.advert_interval;
    probe.down_timer_adverts = old.down_timer_adverts;
    probe.preempt = old.preempt;
    probe.preempt_delay = old.preempt_delay;
    probe.timer_expired_backup = old.timer_expired_backup;
    probe.dont_track_primary = old.dont_track_primary;
    probe.linkbeat_use_polling = old.linkbeat_use_polling;
    probe.track_interfaces.clone_from(&old.track_interfaces);
    probe.skip_check_adv_addr = old.skip_check_adv_addr;
    probe.lower_prio_no_advert = old.lower_prio_no_advert;
    probe.higher_prio_send_advert = old.higher_prio_send_advert;
    probe.owner_ignore_adverts = old.owner_ignore_adverts;
    probe.announce = old.announce;
    probe.notify.clone_from(&old.notify);
    probe.smtp_alert = old.smtp_alert;
    probe.notify_priority_changes = old.notify_priority_changes;
    probe.ignore_foreign_claims = old.ignore_foreign_claims;
    probe.listen_after_stall = old.listen_after_stall;
    probe.debug = old.debug;
    let untracked = |config: &Config| Config {
        track_scripts: Vec::new(),
        track_files: Vec::new(),
        track_processes: Vec::new(),
        ..config.clone()
    };
    // An owner has rules of its own.
    new.is_owner() == old.is_owner() && same_settings(&untracked(&probe), new_model, &untracked(old), old_model)
}

/// Whether nothing but names and positions differ.
fn same_settings(new: &Config, new_model: &Model, old: &Config, old_model: &Model) -> bool {
    let mut renamed = new.clone();
    renamed.name = old.name.clone();
    let group = |config: &Config, model: &Model| -> Option<Arc<str>> {
        let GroupId(id) = config.sync_group?;
        Some(model.groups.get(usize::try_from(id).ok()?)?.name.clone())
    };
    renamed.sync_group = old.sync_group;
    renamed.track_scripts.clone_from(&old.track_scripts);
    renamed.track_files.clone_from(&old.track_files);
    renamed.track_processes.clone_from(&old.track_processes);
    renamed == *old
        && group(new, new_model) == group(old, old_model)
        && tracked_names(new, new_model) == tracked_names(old, old_model)
}
