//! Who is told of what, and in what order (behaviour §13, DESIGN difference 5).
//!
//! FIFOs are told at once. Programs of one instance or group run one at a time in the order of what happened; one that takes
//! too long is left running and the next one starts beside it. The news of a stop wait for nothing.

use super::action::{Notify, RunNotify, StateChange, Subject};
use super::event::RunOutcome;
use super::instance::Instance;
use super::log_event::{LogEvent, NotifyLine};
use super::mutant::{Mutant, Mutation};
use super::reason::Reason;
use super::{Action, Core, GroupChange, KillSignal, StateName};
use crate::model::{
    Circumstances, InstanceId, Instant, Micros, Model, Notice, NoticeEvent, NoticeOf, NotifyKind, NotifyOwner,
    NotifyPrograms, RunId,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Changes of one instance or group that wait for their programs; beyond it the oldest superseded one is skipped.
pub(super) const MAX_WAITING: usize = 16;
/// How long the programs that are told of a stop may take.
const FAREWELL: Micros = Micros::SECOND;
/// The same, after a stop that waited in vain for the kernel.
const FAREWELL_LATE: Micros = Micros::from_millis(500);

/// All programs that wait and run because something was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifier {
    queues: BTreeMap<Subject, Queue>,
    runs: BTreeMap<RunId, Run>,
    /// Queues that wait for a slow program, and until when.
    blocked: BTreeSet<(Instant, Subject)>,
    /// Positions of the groups that have programs.
    groups: BTreeMap<Arc<str>, usize>,
    /// Instances that a reload has taken out, until their last news are told.
    departed: BTreeMap<InstanceId, Departed>,
    /// Reloads that were taken.
    epoch: u64,
    /// The programs that are told of the stop have been started.
    pub(super) has_said_farewell: bool,
}

#[derive(Debug, Clone, Default)]
struct Queue {
    /// The program that the next one waits for, and since when it runs.
    current: Option<(RunId, Instant)>,
    waiting: VecDeque<Waiting>,
    /// Changes skipped since the last line about it.
    skipped: u64,
}

#[derive(Debug, Clone)]
struct Waiting {
    notice: Arc<Notice>,
    /// What is left to run, last one first.
    kinds: Vec<NotifyKind>,
}

#[derive(Debug, Clone)]
struct Run {
    subject: Subject,
    name: Arc<str>,
    kind: NotifyKind,
    farewell: bool,
}

/// What is known of an instance that a reload has taken out.
#[derive(Debug, Clone)]
pub(super) struct Departed {
    position: usize,
    epoch: u64,
    programs: Option<Box<NotifyPrograms>>,
}

impl Notifier {
    /// After a reload, and at the beginning.
    pub(super) fn learn(&mut self, model: &Model) {
        let named = model.groups.iter().enumerate();
        self.groups = named
            .filter(|(_, group)| group.notify != NotifyPrograms::default())
            .map(|(at, group)| (group.name.clone(), at))
            .collect();
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.blocked.first().map(|(at, _)| *at)
    }

    pub(super) fn owns(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    fn unblock(&mut self, subject: &Subject) {
        self.blocked.retain(|(_, blocked)| blocked != subject);
    }

    fn is_saying_farewell(&self) -> bool {
        self.runs.values().any(|run| run.farewell)
    }
}

impl Queue {
    /// Whether something had to be skipped. The newest state is never skipped.
    fn push(&mut self, waiting: Waiting, mutation: Mutation) -> bool {
        self.waiting.push_back(waiting);
        if self.waiting.len() <= MAX_WAITING {
            return false;
        }
        if mutation.is(Mutant::NotifyNewestSkipped) {
            return self.waiting.pop_back().is_some();
        }
        let newest = self.waiting.iter().rposition(|w| w.notice.what.event.is_state());
        let victim = (0..self.waiting.len()).find(|at| Some(*at) != newest);
        victim.and_then(|at| self.waiting.remove(at)).is_some()
    }
}

impl Core {
    /// How many reloads were taken; names the configuration that a program belongs to.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.notifier.epoch
    }

    /// What follows from news that the driver is about to take: they come right behind them.
    pub(super) fn tell(&mut self, action: &Action) {
        let (subject, notice) = match action {
            Action::StateChanged(change) => match self.notice_of_change(change) {
                Some(notice) => (Subject::Instance(change.instance), notice),
                None => return,
            },
            Action::GroupChanged(change) => match notice_of_group(change) {
                Some(notice) => (Subject::Group(change.name.clone()), notice),
                None => return,
            },
            Action::Notify(notify) if notify.notice.what.event == NoticeEvent::MasterRxLowerPri => {
                let started = self.submit(&notify.subject, &notify.notice);
                self.put_first(started);
                return;
            }
            Action::Transmit(_)
            | Action::OpenSocket(_)
            | Action::CloseSocket(_)
            | Action::SetAddresses(_)
            | Action::ClearAddresses(_)
            | Action::RestoreAddress { .. }
            | Action::Announce(_)
            | Action::AskLink { .. }
            | Action::RunScript { .. }
            | Action::KillScript { .. }
            | Action::Notify(_)
            | Action::RunNotify(_)
            | Action::Log(_)
            | Action::Happened(_)
            | Action::Stopped => return,
        };
        let notice = Arc::new(notice);
        let mut actions = self.submit(&subject, &notice);
        actions.push(Action::Notify(Notify { subject, notice }));
        self.put_first(actions);
    }

    fn put_first(&mut self, actions: Vec<Action>) {
        for action in actions.into_iter().rev() {
            self.actions.push_front(action);
        }
        self.arm_notifier();
    }

    pub(super) fn arm_notifier(&mut self) {
        let next = self.notifier.next_deadline();
        let next = next.map(|at| (at, super::Timer::NotifyOrder));
        self.deadlines.set(super::deadlines::Owner::Notifier, next);
    }

    fn notice_of_change(&self, change: &StateChange) -> Option<Notice> {
        let event = match (change.to, &change.reason) {
            (StateName::Init, Reason::Reload) => {
                let departed = self.notifier.departed.get(&change.instance)?;
                let deleted = departed.programs.as_ref().is_some_and(|programs| programs.deleted);
                match (deleted, change.from) {
                    (true, _) => NoticeEvent::Deleted,
                    (false, StateName::Fault) => return None,
                    (false, StateName::Init | StateName::Backup | StateName::Master) => NoticeEvent::Fault,
                }
            }
            (to, _) => NoticeEvent::of_state(to)?,
        };
        Some(Notice {
            of: NoticeOf::Instance,
            name: change.name.clone(),
            what: Circumstances {
                event,
                priority: change.priority.get(),
                previous: change.from,
                code: change.reason.code().into(),
                detail: change.reason.to_string(),
                sequence: change.sequence,
            },
        })
    }

    /// The programs of a subject now, and what they are called outside.
    fn programs_of(&self, subject: &Subject) -> Option<(&NotifyPrograms, NotifyOwner, u64)> {
        let owner = |at: usize| u32::try_from(at).ok();
        match subject {
            Subject::Instance(id) => {
                if let Some(departed) = self.notifier.departed.get(id) {
                    let owner = NotifyOwner::Instance(owner(departed.position)?);
                    return Some((departed.programs.as_deref()?, owner, departed.epoch));
                }
                let at = *self.by_id.get(id)?;
                let programs = self.instances.get(at)?.config.notify.as_deref()?;
                Some((programs, NotifyOwner::Instance(owner(at)?), self.notifier.epoch))
            }
            Subject::Group(name) => {
                let at = *self.notifier.groups.get(name)?;
                let programs = &self.model.groups.get(at)?.notify;
                Some((programs, NotifyOwner::Group(owner(at)?), self.notifier.epoch))
            }
        }
    }

    /// Starts the programs that something is told to, or puts them into their queue.
    fn submit(&mut self, subject: &Subject, notice: &Arc<Notice>) -> Vec<Action> {
        let mut out = Vec::new();
        let Some((programs, ..)) = self.programs_of(subject) else {
            self.forget_departed(subject);
            return out;
        };
        let wanted = notice.what.event.programs().iter().rev();
        let mut kinds: Vec<NotifyKind> = wanted.copied().filter(|kind| programs.get(*kind).is_some()).collect();
        if self.mutation.is(Mutant::NotifyOrderTurned) {
            kinds.reverse();
        }
        let at_once = match subject {
            Subject::Instance(id) => self.notifier.departed.contains_key(id),
            Subject::Group(_) => false,
        };
        let parallel = self.model.global.notify_parallel || self.mutation.is(Mutant::NotifyAllAtOnce);
        if at_once || parallel || notice.what.event == NoticeEvent::Stop {
            for kind in kinds.into_iter().rev() {
                self.start_program(subject, kind, notice, &mut out);
            }
            self.forget_departed(subject);
        } else if !kinds.is_empty() {
            let waiting = Waiting {
                notice: notice.clone(),
                kinds,
            };
            let queue = self.notifier.queues.entry(subject.clone()).or_default();
            if queue.push(waiting, self.mutation) {
                queue.skipped += 1;
                if queue.skipped.is_power_of_two() {
                    out.push(log(notice, NotifyLine::Skipped { changes: queue.skipped }));
                }
            }
            self.advance(subject, &mut out);
        }
        out
    }

    fn forget_departed(&mut self, subject: &Subject) {
        if let Subject::Instance(id) = subject {
            self.notifier.departed.remove(id);
        }
    }

    /// Starts the next program of a queue if none is in its way.
    fn advance(&mut self, subject: &Subject, out: &mut Vec<Action>) {
        self.notifier.unblock(subject);
        while let Some(queue) = self.notifier.queues.get_mut(subject) {
            if let Some((_, since)) = queue.current {
                if !queue.waiting.is_empty() && !self.mutation.is(Mutant::NotifySlowWaitedFor) {
                    let until = since + self.model.global.notify_order_timeout;
                    self.notifier.blocked.insert((until, subject.clone()));
                }
                return;
            }
            let Some(front) = queue.waiting.front_mut() else {
                self.notifier.queues.remove(subject);
                return;
            };
            let notice = front.notice.clone();
            let kind = front.kinds.pop();
            // What has started waits no more: nobody is warned of a slow program that is in nobody's way.
            if front.kinds.is_empty() {
                queue.waiting.pop_front();
            }
            let Some(kind) = kind else { continue };
            let started = self.start_program(subject, kind, &notice, out);
            let now = self.clock;
            if let Some(queue) = self.notifier.queues.get_mut(subject) {
                queue.current = started.map(|run| (run, now));
            }
        }
    }

    /// `None` if it has been taken out of the configuration meanwhile.
    fn start_program(
        &mut self,
        subject: &Subject,
        kind: NotifyKind,
        notice: &Arc<Notice>,
        out: &mut Vec<Action>,
    ) -> Option<RunId> {
        let (programs, owner, epoch) = self.programs_of(subject)?;
        programs.get(kind)?;
        self.next_run += 1;
        let run = RunId(self.next_run);
        self.notifier.runs.insert(
            run,
            Run {
                subject: subject.clone(),
                name: notice.name.clone(),
                kind,
                farewell: notice.what.event == NoticeEvent::Stop,
            },
        );
        out.push(Action::RunNotify(Box::new(RunNotify {
            run,
            epoch,
            owner,
            kind,
            notice: notice.clone(),
        })));
        Some(run)
    }

    /// A program has ended: the next one of its queue may start.
    pub(super) fn on_notify_ended(&mut self, run: RunId, outcome: RunOutcome) {
        let Some(ended) = self.notifier.runs.remove(&run) else {
            return;
        };
        let mut out = Vec::new();
        if outcome != RunOutcome::Exited(0) {
            out.push(Action::Log(LogEvent::Notify {
                name: ended.name,
                line: NotifyLine::Ended {
                    kind: ended.kind,
                    outcome,
                },
            }));
        }
        if let Some(queue) = self.notifier.queues.get_mut(&ended.subject)
            && queue.current.is_some_and(|(current, _)| current == run)
        {
            queue.current = None;
            self.advance(&ended.subject, &mut out);
        }
        self.actions.extend(out);
        self.arm_notifier();
        if self.notifier.has_said_farewell && !self.notifier.is_saying_farewell() {
            self.stopped();
        }
    }

    /// Programs that were waited for long enough: the next ones start beside them.
    pub(super) fn notify_timeout(&mut self, now: Instant) {
        let mut out = Vec::new();
        while let Some((at, subject)) = self.notifier.blocked.first().cloned()
            && at <= now
        {
            let slow = self
                .notifier
                .queues
                .get_mut(&subject)
                .and_then(|queue| queue.current.take());
            if let Some((run, since)) = slow
                && let Some(run) = self.notifier.runs.get(&run)
            {
                out.push(Action::Log(LogEvent::Notify {
                    name: run.name.clone(),
                    line: NotifyLine::Slow {
                        kind: run.kind,
                        since: now.since(since),
                    },
                }));
            }
            self.advance(&subject, &mut out);
        }
        self.actions.extend(out);
        self.arm_notifier();
    }

    /// Everything is undone: whoever is to be told of the stop is told, in the order of the configuration, groups last.
    pub(super) fn say_farewell(&mut self, late: bool, now: Instant) {
        self.notifier.has_said_farewell = true;
        let instances = self.instances.iter().map(farewell_of);
        let groups = self.groups.iter().map(|group| {
            let what = Circumstances {
                event: NoticeEvent::Stop,
                priority: 0,
                previous: group.previous,
                code: Reason::Shutdown.code().into(),
                detail: Reason::Shutdown.to_string(),
                sequence: group.sequence,
            };
            let notice = Notice {
                of: NoticeOf::Group,
                name: group.name.clone(),
                what,
            };
            (Subject::Group(group.name.clone()), notice)
        });
        let notices: Vec<(Subject, Notice)> = instances.chain(groups).collect();
        for (subject, notice) in notices {
            if self.mutation.is(Mutant::NotifyStopLeftOut) {
                break;
            }
            let notice = Arc::new(notice);
            let started = self.submit(&subject, &notice);
            self.actions.extend(started);
            self.actions.push_back(Action::Notify(Notify { subject, notice }));
        }
        if self.notifier.is_saying_farewell() {
            let limit = if late { FAREWELL_LATE } else { FAREWELL };
            self.stop_deadline = Some(now + limit);
            self.index();
        } else {
            self.stopped();
        }
    }

    /// Programs that do not end with the stop are ended.
    pub(super) fn cut_farewell_short(&mut self) {
        for (run, told) in self.notifier.runs.iter().filter(|(_, run)| run.farewell) {
            self.actions.push_back(Action::KillScript {
                run: *run,
                signal: KillSignal::Kill,
            });
            self.actions.push_back(Action::Log(LogEvent::Notify {
                name: told.name.clone(),
                line: NotifyLine::Killed { kind: told.kind },
            }));
        }
    }

    /// A stop waits for no queue: what has not been told yet is superseded.
    pub(super) fn drop_queues(&mut self) {
        for queue in std::mem::take(&mut self.notifier.queues).into_values() {
            if let Some(front) = queue.waiting.front() {
                let changes = u64::try_from(queue.waiting.len()).unwrap_or(u64::MAX);
                self.actions
                    .push_back(log(&front.notice, NotifyLine::Skipped { changes }));
            }
        }
        self.notifier.blocked.clear();
        self.arm_notifier();
    }

    /// An instance leaves with a reload.
    pub(super) fn depart(&mut self, old: &Instance, position: usize) {
        let subject = Subject::Instance(old.id);
        let departed = Departed {
            position,
            epoch: self.notifier.epoch,
            programs: old.config.notify.clone(),
        };
        self.notifier.departed.insert(old.id, departed);
        self.notifier.unblock(&subject);
        // Its end is told at once, so what comes before it is as well.
        let waiting = self.notifier.queues.remove(&subject).map(|queue| queue.waiting);
        let mut out = Vec::new();
        for waiting in waiting.into_iter().flatten() {
            for kind in waiting.kinds.into_iter().rev() {
                self.start_program(&subject, kind, &waiting.notice, &mut out);
            }
        }
        self.actions.extend(out);
    }

    /// A new configuration is in force.
    pub(super) fn begin_epoch(&mut self) {
        self.notifier.epoch += 1;
        self.notifier.learn(&self.model);
        self.arm_notifier();
    }

    /// `fifo_write_vrrp_states_on_reload`.
    pub(super) fn repeat_states(&mut self) {
        let instances = self.instances.iter().filter_map(|instance| {
            let event = NoticeEvent::of_state(instance.state.name())?;
            Some((Subject::Instance(instance.id), instance.notice(event)))
        });
        let groups = self.groups.iter().filter_map(|group| {
            let change = GroupChange {
                name: group.name.clone(),
                from: group.previous,
                to: group.state,
                sequence: group.sequence,
            };
            Some((Subject::Group(group.name.clone()), notice_of_group(&change)?))
        });
        let notices: Vec<_> = instances.chain(groups).collect();
        for (subject, notice) in notices {
            let notice = Arc::new(notice);
            self.actions.push_back(Action::Notify(Notify { subject, notice }));
        }
    }
}

fn farewell_of(instance: &Instance) -> (Subject, Notice) {
    (Subject::Instance(instance.id), instance.notice(NoticeEvent::Stop))
}

fn notice_of_group(change: &GroupChange) -> Option<Notice> {
    Some(Notice {
        of: NoticeOf::Group,
        name: change.name.clone(),
        what: Circumstances {
            event: NoticeEvent::of_state(change.to)?,
            priority: 0,
            previous: change.from,
            code: "group".into(),
            detail: "its members changed".into(),
            sequence: change.sequence,
        },
    })
}

fn log(notice: &Notice, line: NotifyLine) -> Action {
    Action::Log(LogEvent::Notify {
        name: notice.name.clone(),
        line,
    })
}
