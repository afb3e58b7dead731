//! Notify programs: which one runs when, and in which order (behaviour §13, DESIGN difference 5).
//!
//! One program at a time for each instance and group, in the order of the news. One that has not ended after
//! [`ORDER_TIMEOUT`] is overtaken, not killed. STOP waits for nobody.

use super::action::{Action, NotifyKind, NotifyRun, NotifySlot, StateName};
use super::log_event::{LogEvent, NotifyLine};
use crate::model::{Instant, Micros, Model, NotifyPrograms, Priority, RunId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How long the next program waits for the one before it (`notify_order_timeout`).
const ORDER_TIMEOUT: Micros = Micros::from_secs(5);
/// Programs that wait for each instance or group.
const WAITING: usize = 16;

/// Instances and groups have names of their own each.
type Owner = (NotifyKind, Arc<str>);

/// All queues.
#[derive(Debug, Default)]
pub(super) struct Notify {
    queues: BTreeMap<Owner, Queue>,
    /// Runs under way that somebody may wait for.
    running: BTreeMap<RunId, Owner>,
    /// STOP programs under way.
    stopping: Vec<RunId>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Wanted>,
    /// The newest run, and until when the next one waits for it.
    current: Option<(RunId, Instant)>,
    skipped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    slot: NotifySlot,
    state: StateName,
    priority: Priority,
}

/// What the core lends.
pub(super) struct Hands<'a> {
    pub(super) model: &'a Model,
    pub(super) now: Instant,
    pub(super) next_run: &'a mut u64,
    pub(super) out: &'a mut VecDeque<Action>,
}

impl Notify {
    /// An instance or group has a new state.
    pub(super) fn on_change(
        &mut self,
        kind: NotifyKind,
        name: &Arc<str>,
        state: StateName,
        priority: Priority,
        hands: &mut Hands<'_>,
    ) {
        let Some(programs) = programs(hands.model, kind, name) else {
            return;
        };
        let slot = match state {
            StateName::Init => return,
            StateName::Backup => (NotifySlot::Backup, programs.backup.is_some()),
            StateName::Master => (NotifySlot::Master, programs.master.is_some()),
            StateName::Fault => (NotifySlot::Fault, programs.fault.is_some()),
        };
        // First the state's own program, then the one for all states (behaviour §13.1).
        let wanted = [slot, (NotifySlot::Any, programs.any.is_some())];
        let owner = (kind, name.clone());
        let queue = self.queues.entry(owner.clone()).or_default();
        for (slot, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            queue.waiting.push_back(Wanted { slot, state, priority });
        }
        // What is oldest is superseded first; the newest state is never left out.
        while queue.waiting.len() > WAITING {
            queue.waiting.pop_front();
            queue.skipped += 1;
        }
        self.advance(&owner, hands);
    }

    /// Starts what may run now.
    fn advance(&mut self, owner: &Owner, hands: &mut Hands<'_>) {
        let Some(queue) = self.queues.get_mut(owner) else {
            return;
        };
        while queue.current.is_none_or(|(_, until)| until <= hands.now) {
            let Some(wanted) = queue.waiting.pop_front() else {
                return;
            };
            if queue.current.is_some() {
                hands.out.push_back(Action::Log(LogEvent::Notify {
                    name: owner.1.clone(),
                    line: NotifyLine::Overtaken { after: ORDER_TIMEOUT },
                }));
            }
            let Some(run) = start(owner, wanted.slot, wanted.state, wanted.priority, hands) else {
                continue;
            };
            queue.current = Some((run, hands.now + ORDER_TIMEOUT));
            self.running.insert(run, owner.clone());
        }
    }

    /// Whether this run was one of ours; what waited for it goes on.
    pub(super) fn on_ended(&mut self, run: RunId, hands: &mut Hands<'_>) -> bool {
        if let Some(at) = self.stopping.iter().position(|stopping| *stopping == run) {
            self.stopping.swap_remove(at);
            return true;
        }
        let Some(owner) = self.running.remove(&run) else {
            return false;
        };
        if let Some(queue) = self.queues.get_mut(&owner)
            && queue.current.is_some_and(|(current, _)| current == run)
        {
            queue.current = None;
        }
        self.advance(&owner, hands);
        true
    }

    pub(super) fn on_timeout(&mut self, hands: &mut Hands<'_>) {
        let due: Vec<Owner> = self
            .queues
            .iter()
            .filter(|(_, q)| q.due().is_some_and(|at| at <= hands.now))
            .map(|(o, _)| o.clone())
            .collect();
        for owner in due {
            self.advance(&owner, hands);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.queues.values().filter_map(Queue::due).min()
    }

    /// The daemon stops: STOP for every instance, then for every group, at once.
    pub(super) fn stop(&mut self, priorities: &BTreeMap<Arc<str>, Priority>, hands: &mut Hands<'_>) {
        self.queues.clear();
        let model = hands.model;
        let instances = model.instances.iter().map(|i| (NotifyKind::Instance, i.name.clone()));
        let groups = model.groups.iter().map(|g| (NotifyKind::Group, g.name.clone()));
        for (kind, name) in instances.chain(groups) {
            let Some(programs) = programs(model, kind, &name) else {
                continue;
            };
            let wanted = [
                (NotifySlot::Stop, programs.stop.is_some()),
                (NotifySlot::Any, programs.any.is_some()),
            ];
            let priority = priorities.get(&name).copied().filter(|_| kind == NotifyKind::Instance);
            let owner = (kind, name);
            for (slot, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
                let state = StateName::Init;
                let run = start(&owner, slot, state, priority.unwrap_or(Priority::RELEASE), hands);
                self.stopping.extend(run);
            }
        }
    }

    /// STOP programs that have not ended.
    pub(super) fn stopping(&self) -> &[RunId] {
        &self.stopping
    }
}

impl Queue {
    fn due(&self) -> Option<Instant> {
        self.current
            .filter(|_| !self.waiting.is_empty())
            .map(|(_, until)| until)
    }
}

fn programs<'m>(model: &'m Model, kind: NotifyKind, name: &str) -> Option<&'m NotifyPrograms> {
    match kind {
        NotifyKind::Instance => model.instances.iter().find(|i| *i.name == *name)?.notify.as_deref(),
        NotifyKind::Group => model.groups.iter().find(|g| *g.name == *name).map(|g| &g.notify),
    }
}

/// `None` when the owner has left the configuration.
fn start(
    owner: &Owner,
    slot: NotifySlot,
    state: StateName,
    priority: Priority,
    hands: &mut Hands<'_>,
) -> Option<RunId> {
    let (kind, name) = owner;
    let position = match kind {
        NotifyKind::Instance => hands.model.instances.iter().position(|i| i.name == *name)?,
        NotifyKind::Group => hands.model.groups.iter().position(|g| g.name == *name)?,
    };
    *hands.next_run += 1;
    let run = RunId(*hands.next_run);
    hands.out.push_back(Action::RunNotify(NotifyRun {
        run,
        kind: *kind,
        position: u32::try_from(position).ok()?,
        slot,
        state,
        priority,
    }));
    Some(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Instance, Program, Vrid};

    fn model() -> Model {
        let program = |name: &str| {
            Some(Program {
                argv: vec![name.into()],
                path: Some(name.into()),
                user: None,
                account: None,
            })
        };
        let mut instance = Instance::new("VI_1", Vrid::new(51).unwrap(), "eth0".parse().unwrap(), Vec::new());
        instance.notify = Some(Box::new(NotifyPrograms {
            master: program("/m"),
            any: program("/any"),
            stop: program("/stop"),
            ..NotifyPrograms::default()
        }));
        Model {
            instances: vec![instance],
            ..Model::default()
        }
    }

    struct Rig {
        notify: Notify,
        model: Model,
        next_run: u64,
        out: VecDeque<Action>,
        now: Instant,
    }

    impl Rig {
        fn new() -> Self {
            Self {
                notify: Notify::default(),
                model: model(),
                next_run: 0,
                out: VecDeque::new(),
                now: Instant(0),
            }
        }

        fn with(&mut self, act: impl FnOnce(&mut Notify, &mut Hands<'_>)) -> Vec<(u64, NotifySlot, StateName)> {
            let mut hands = Hands {
                model: &self.model,
                now: self.now,
                next_run: &mut self.next_run,
                out: &mut self.out,
            };
            act(&mut self.notify, &mut hands);
            let runs = self.out.drain(..).filter_map(|action| {
                if let Action::RunNotify(run) = action {
                    Some((run.run.0, run.slot, run.state))
                } else {
                    None
                }
            });
            runs.collect()
        }

        fn change(&mut self, state: StateName) -> Vec<(u64, NotifySlot, StateName)> {
            self.with(|n, h| n.on_change(NotifyKind::Instance, &"VI_1".into(), state, Priority(100), h))
        }

        fn end(&mut self, run: u64) -> Vec<(u64, NotifySlot, StateName)> {
            self.with(|n, h| assert!(n.on_ended(RunId(run), h)))
        }
    }

    #[test]
    fn programs_run_one_after_the_other_in_the_order_of_the_news() {
        let mut rig = Rig::new();
        assert_eq!(rig.change(StateName::Backup), [(1, NotifySlot::Any, StateName::Backup)]);
        assert_eq!(rig.change(StateName::Master), []);
        assert_eq!(rig.end(1), [(2, NotifySlot::Master, StateName::Master)]);
        assert_eq!(rig.end(2), [(3, NotifySlot::Any, StateName::Master)]);
        assert_eq!(rig.end(3), []);
        assert_eq!(rig.notify.next_deadline(), None);
    }

    #[test]
    fn a_program_that_hangs_is_overtaken_after_five_seconds() {
        let mut rig = Rig::new();
        rig.change(StateName::Backup);
        rig.change(StateName::Master);
        assert_eq!(rig.notify.next_deadline(), Some(Instant(5_000_000)));
        rig.now = Instant(4_999_999);
        assert_eq!(rig.with(Notify::on_timeout), []);
        rig.now = Instant(5_000_000);
        assert_eq!(
            rig.with(Notify::on_timeout),
            [(2, NotifySlot::Master, StateName::Master)]
        );
        // The late end of the first one changes nothing for the second.
        assert_eq!(rig.end(1), []);
        assert_eq!(rig.end(2), [(3, NotifySlot::Any, StateName::Master)]);
    }

    #[test]
    fn the_queue_is_bounded_and_keeps_the_newest_state() {
        let mut rig = Rig::new();
        for _ in 0..1_000 {
            rig.change(StateName::Master);
            rig.change(StateName::Backup);
        }
        let mut last = None;
        let mut runs = 0;
        for run in 1.. {
            if !rig.notify.running.contains_key(&RunId(run)) {
                break;
            }
            last = rig.end(run).pop().or(last);
            runs += 1;
        }
        assert!(runs <= WAITING + 1, "{runs}");
        assert_eq!(
            last.map(|(_, slot, state)| (slot, state)),
            Some((NotifySlot::Any, StateName::Backup))
        );
    }

    #[test]
    fn stop_waits_for_nobody() {
        let mut rig = Rig::new();
        rig.change(StateName::Master);
        let runs = rig.with(|n, h| n.stop(&BTreeMap::new(), h));
        assert_eq!(
            runs.iter().map(|(_, slot, _)| *slot).collect::<Vec<_>>(),
            [NotifySlot::Stop, NotifySlot::Any]
        );
        assert_eq!(rig.notify.stopping().len(), 2);
        rig.end(2);
        rig.end(3);
        assert!(rig.notify.stopping().is_empty());
    }
}
