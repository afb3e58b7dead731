//! Sync groups: instances that change state together (behaviour §6). An instance never touches another one: after each step
//! of a member the core looks at what became of it and lets the others follow, in the order of the group.

use super::happening::Happening;
use super::instance::{Instance, State};
use super::log_event::{GroupLine, LogEvent};
use super::mutant::Mutant;
use super::reason::Reason;
use super::{Action, Core, GroupChange, StateName};
use crate::model::{
    GroupId, Instance as Config, Instant, SyncGroup, TrackFile, TrackInterface, TrackProcess, TrackScript, Weight,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// One group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: Arc<str>,
    /// Positions of its members, in the order of the file.
    pub(super) members: Vec<usize>,
    pub(super) state: StateName,
    /// Before that.
    pub(super) previous: StateName,
    pub(super) sequence: u64,
    /// News that wait for those of the members.
    pending: Option<GroupChange>,
}

/// What a member may know of the others while it handles something.
#[derive(Debug, Clone, Default)]
pub(super) struct Others {
    /// Why the group is in fault without this member.
    pub(super) fault: Option<Reason>,
    /// What the group waits for without this member.
    pub(super) pending: Option<Reason>,
    /// Whether another member has not asked to be master yet.
    pub(super) hesitate: bool,
    /// Whether another member is no address owner that wants to be master.
    pub(super) not_all_owners: bool,
}

/// What matters to the others about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    state: StateName,
    faulty: bool,
    pending: bool,
}

impl Shown {
    pub(super) fn of(instance: &Instance) -> Self {
        Self {
            state: instance.state.name(),
            faulty: instance.own_fault.is_some(),
            pending: instance.own_pending.is_some(),
        }
    }
}

impl Group {
    pub(super) fn new(config: &SyncGroup) -> Self {
        Self {
            name: config.name.clone(),
            members: config
                .members
                .iter()
                .filter_map(|id| usize::try_from(id.0).ok())
                .collect(),
            state: StateName::Init,
            previous: StateName::Init,
            sequence: 0,
            pending: None,
        }
    }

    /// A new state, and the news about it.
    fn change_to(&mut self, state: StateName, out: &mut VecDeque<Action>) {
        if state == self.state {
            return;
        }
        self.sequence += 1;
        let change = GroupChange {
            name: self.name.clone(),
            from: self.state,
            to: state,
            sequence: self.sequence,
        };
        out.push_back(Action::Happened(Happening::Group(change.clone()).into()));
        self.pending = Some(change);
        self.previous = self.state;
        self.state = state;
    }

    /// After a reload: a group of the same name goes on.
    pub(super) fn again(config: &SyncGroup, old: &[Self]) -> Self {
        let mut group = Self::new(config);
        if let Some(old) = old.iter().find(|old| old.name == group.name) {
            (group.state, group.previous, group.sequence) = (old.state, old.previous, old.sequence);
        }
        group
    }
}

/// A member's configuration with the trackers of its group, which count for every member, but where its own weight is 0.
/// `None`: it is as it stands in the model.
pub(super) fn with_group(config: &Config, groups: &[SyncGroup]) -> Option<Config> {
    let GroupId(id) = config.sync_group?;
    let group = groups.get(usize::try_from(id).ok()?)?;
    let SyncGroup {
        track_interfaces,
        track_scripts,
        track_files,
        track_processes,
        ..
    } = group;
    if track_interfaces.is_empty() && track_scripts.is_empty() && track_files.is_empty() && track_processes.is_empty() {
        return None;
    }
    let mut config = config.clone();
    // An owner's priority never changes. What is a fault already stays as it is, reversed or not.
    let owner = config.is_owner();
    let weight = |weight: Weight| {
        if owner && !weight.is_fault() {
            Weight::ZERO
        } else {
            weight
        }
    };
    let primary = config.interface.clone().filter(|_| !config.dont_track_primary);
    for track in track_interfaces {
        if config
            .track_interfaces
            .iter()
            .any(|own| own.interface == track.interface && own.weight.is_fault())
        {
            continue;
        }
        config.track_interfaces.retain(|own| own.interface != track.interface);
        // The member's own interface is tracked without weight already, and that wins (keepalived says so, and does it).
        let is_primary = primary.as_ref() == Some(&track.interface);
        config.track_interfaces.push(TrackInterface {
            weight: if is_primary { Weight::ZERO } else { weight(track.weight) },
            ..track.clone()
        });
    }
    for track in track_scripts {
        if config
            .track_scripts
            .iter()
            .any(|own| own.script == track.script && own.weight.is_fault())
        {
            continue;
        }
        config.track_scripts.retain(|own| own.script != track.script);
        config.track_scripts.push(TrackScript {
            weight: weight(track.weight),
            ..*track
        });
    }
    for track in track_files {
        if config
            .track_files
            .iter()
            .any(|own| own.file == track.file && own.weight.is_fault())
        {
            continue;
        }
        config.track_files.retain(|own| own.file != track.file);
        config.track_files.push(TrackFile {
            weight: weight(track.weight),
            ..*track
        });
    }
    for track in track_processes {
        if config
            .track_processes
            .iter()
            .any(|own| own.process == track.process && own.weight.is_fault())
        {
            continue;
        }
        config.track_processes.retain(|own| own.process != track.process);
        config.track_processes.push(TrackProcess {
            weight: weight(track.weight),
            ..*track
        });
    }
    Some(config)
}

impl Core {
    /// The group that an instance is a member of.
    pub(super) fn group_of(&self, index: usize) -> Option<usize> {
        self.group_index.get(&index).copied()
    }

    /// What an instance may know of its group.
    pub(super) fn others(&self, index: usize) -> Others {
        let Some(group) = self.group_of(index).and_then(|at| self.groups.get(at)) else {
            return Others::default();
        };
        let mut others = Others::default();
        for (at, member) in group
            .members
            .iter()
            .filter_map(|at| Some((*at, self.instances.get(*at)?)))
        {
            if at == index {
                continue;
            }
            let because = |why: &Option<Box<Reason>>| Reason::Group {
                group: group.name.clone(),
                member: member.config.name.clone(),
                because: why.clone(),
            };
            if member.own_fault.is_some() && !self.mutation.is(Mutant::GroupFaultIgnored) {
                others.fault.get_or_insert_with(|| because(&member.own_fault));
            }
            if member.own_pending.is_some() {
                others.pending.get_or_insert_with(|| because(&member.own_pending));
            }
            others.hesitate |= !member.wants_master;
            others.not_all_owners |= !member.starts_as_master();
        }
        if self.mutation.is(Mutant::GroupDoesNotWait) {
            others.hesitate = false;
        }
        others
    }

    /// A member has handled something: the others follow.
    pub(super) fn follow(&mut self, index: usize, before: Shown, now: Instant) {
        let Some((at, shown)) = self.group_of(index).zip(self.instances.get(index).map(Shown::of)) else {
            return;
        };
        if shown != before {
            self.lead(at, index, before, shown, now);
        }
        // What a member found out about itself on the way may let the others go on; each can do so a few times at most.
        for _ in 0..self.groups.get(at).map_or(0, |group| group.members.len() * 2) {
            let Some((member, before)) = self.surprised.pop() else {
                break;
            };
            if let Some(shown) = self.instances.get(member).map(Shown::of) {
                self.lead(at, member, before, shown, now);
            }
        }
        self.surprised.clear();
        self.burst(at, index, now);
        self.settle_group(at);
    }

    fn lead(&mut self, at: usize, index: usize, before: Shown, shown: Shown, now: Instant) {
        let Some(group) = self.groups.get(at) else { return };
        let (name, others) = (group.name.clone(), group.members.clone());
        let others: Vec<usize> = others.into_iter().filter(|other| *other != index).collect();
        if (before.faulty, before.pending) != (shown.faulty, shown.pending) {
            let to = if shown.faulty {
                StateName::Fault
            } else {
                StateName::Backup
            };
            self.log_syncing(&name, to, before.faulty != shown.faulty);
            for other in &others {
                let before = self.instances.get(*other).map(Shown::of);
                self.at_alone(*other, now, Instance::reconsider);
                let after = self.instances.get(*other).map(Shown::of);
                if let (Some(before), Some(after)) = (before, after)
                    && (before.faulty, before.pending) != (after.faulty, after.pending)
                {
                    self.surprised.push((*other, before));
                }
            }
        }
        let member = self.instances.get(index).map(|member| member.config.name.clone());
        let reason = Reason::Group {
            group: name.clone(),
            member: member.unwrap_or_default(),
            because: self.instances.get(index).and_then(Instance::root_cause),
        };
        match (before.state, shown.state) {
            (before, StateName::Master) if before != StateName::Master => {
                self.log_syncing(&name, StateName::Master, true);
                for other in others {
                    self.at_alone(other, now, |i, ctx| i.follow_to_master(reason.clone(), ctx));
                }
            }
            (StateName::Master, StateName::Backup) if !self.mutation.is(Mutant::GroupStaysMaster) => {
                self.log_syncing(&name, StateName::Backup, true);
                let lost = self.instances.get(index).is_some_and(Instance::lost_address);
                for other in others {
                    self.at_alone(other, now, |i, ctx| i.follow_to_backup(reason.clone(), lost, ctx));
                }
            }
            _ => {}
        }
    }

    /// The neighbours of the other members hear the truth as well after a worse advert.
    fn burst(&mut self, at: usize, index: usize, now: Instant) {
        let heard = self
            .instances
            .get_mut(index)
            .is_some_and(|i| std::mem::take(&mut i.heard_worse));
        if !heard {
            return;
        }
        for other in self
            .groups
            .get(at)
            .map(|group| group.members.clone())
            .unwrap_or_default()
        {
            if other != index {
                self.at_alone(other, now, Instance::announce_after_worse);
            }
        }
    }

    /// A group whose members can all start at once is in Backup before them and is told first, as keepalived does. Every other
    /// change of a group follows its members.
    pub(super) fn begin_groups(&mut self) {
        for group in &mut self.groups {
            let mut members = group.members.iter().filter_map(|at| self.instances.get(*at));
            let starts = members
                .clone()
                .all(|i| i.own_fault.is_none() && i.own_pending.is_none());
            if starts && !members.all(Instance::starts_as_master) {
                group.change_to(StateName::Backup, &mut self.actions);
                self.actions.extend(group.pending.take().map(Action::GroupChanged));
            }
        }
    }

    /// The state of a group is what its members show together. It is told after them.
    fn settle_group(&mut self, at: usize) {
        let Some(group) = self.groups.get_mut(at) else { return };
        let members: Vec<&Instance> = group.members.iter().filter_map(|i| self.instances.get(*i)).collect();
        let any = |state| members.iter().any(|member| member.state.name() == state);
        let all_masters = members.iter().all(|member| matches!(member.state, State::Master(_)));
        let state = if any(StateName::Fault) {
            StateName::Fault
        } else if any(StateName::Init) {
            StateName::Init
        } else if all_masters {
            StateName::Master
        } else {
            StateName::Backup
        };
        group.change_to(state, &mut self.actions);
        if members.iter().all(|member| member.has_told()) {
            self.actions.extend(group.pending.take().map(Action::GroupChanged));
        }
    }

    fn log_syncing(&mut self, name: &Arc<str>, to: StateName, really: bool) {
        if really {
            self.actions.push_back(Action::Log(LogEvent::Group {
                name: name.clone(),
                line: GroupLine::Syncing { to },
            }));
        }
    }

    /// Every member's own faults have to be known before the first one starts.
    pub(super) fn look_at_members(&mut self, now: Instant) {
        for index in self
            .groups
            .iter()
            .flat_map(|group| group.members.clone())
            .collect::<Vec<_>>()
        {
            self.at_alone(index, now, Instance::look);
        }
    }

    /// After a reload: a group that is not entirely master, because its members are other ones now, has no master (behaviour §11.2).
    pub(super) fn part_mixed_groups(&mut self, now: Instant) {
        let groups: Vec<_> = self
            .groups
            .iter()
            .map(|g| (g.name.clone(), g.members.clone()))
            .collect();
        for (group, members) in groups {
            let is_master = |at: &usize| self.instances.get(*at).is_some_and(Instance::is_master);
            let Some(other) = members.iter().find(|at| !is_master(at)).copied() else {
                continue;
            };
            let masters: Vec<usize> = members.into_iter().filter(is_master).collect();
            let member = self.instances.get(other).map(|member| member.config.name.clone());
            let reason = Reason::Group {
                group,
                member: member.unwrap_or_default(),
                because: self.instances.get(other).and_then(Instance::root_cause),
            };
            for at in masters {
                self.at_alone(at, now, |i, ctx| i.follow_to_backup(reason.clone(), false, ctx));
            }
        }
    }

    pub(super) fn settle_groups(&mut self) {
        for at in 0..self.groups.len() {
            self.settle_group(at);
        }
    }
}
