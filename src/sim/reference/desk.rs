//! The order of notify programs (behaviour §13, DESIGN difference 5): one at a time for each instance and group, in the order
//! of the news; after a limit the next one starts beside it; of too many news the oldest ones are skipped, the newest state
//! never.

use crate::model::{Instant, Micros, NoticeEvent, NotifyKind, NotifyOwner, NotifyPrograms, RunId};
use std::collections::{BTreeMap, VecDeque};

/// News of one owner that may wait.
const MOST: usize = 16;

/// Who waits for whom.
#[derive(Debug, Default)]
pub(in crate::sim) struct Desk {
    limit: Micros,
    parallel: bool,
    queues: BTreeMap<NotifyOwner, Queue>,
    /// Programs that have to be started now.
    due: Vec<(NotifyOwner, NotifyKind, NoticeEvent)>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The program that the others wait for, and since when it runs.
    runs: Option<(Option<RunId>, Instant)>,
    waiting: VecDeque<(NoticeEvent, VecDeque<NotifyKind>)>,
}

impl Desk {
    pub(in crate::sim) fn new(limit: Micros, parallel: bool) -> Self {
        Self {
            limit,
            parallel,
            ..Self::default()
        }
    }

    /// There is news for the programs of this owner.
    pub(in crate::sim) fn news(
        &mut self,
        owner: NotifyOwner,
        programs: Option<&NotifyPrograms>,
        event: NoticeEvent,
        now: Instant,
    ) {
        let Some(programs) = programs else { return };
        let wanted: &[NotifyKind] = match event {
            NoticeEvent::Master => &[NotifyKind::Master, NotifyKind::Any],
            NoticeEvent::Backup => &[NotifyKind::Backup, NotifyKind::Any],
            NoticeEvent::Fault => &[NotifyKind::Fault, NotifyKind::Any],
            NoticeEvent::MasterRxLowerPri => &[NotifyKind::MasterRxLowerPri],
            NoticeEvent::Stop | NoticeEvent::Deleted | NoticeEvent::MasterPriority | NoticeEvent::BackupPriority => &[],
        };
        let has = |kind: &&NotifyKind| programs.get(**kind).is_some();
        let kinds: VecDeque<NotifyKind> = wanted.iter().filter(has).copied().collect();
        if kinds.is_empty() {
            return;
        }
        if self.parallel {
            self.due.extend(kinds.into_iter().map(|kind| (owner, kind, event)));
            return;
        }
        let queue = self.queues.entry(owner).or_default();
        queue.waiting.push_back((event, kinds));
        if queue.waiting.len() > MOST {
            let is_state = |event: NoticeEvent| event != NoticeEvent::MasterRxLowerPri;
            let newest = queue.waiting.iter().rposition(|(event, _)| is_state(*event));
            queue.waiting.remove(usize::from(newest == Some(0)));
        }
        self.go_on(owner, now);
    }

    /// The next one starts, if none is in its way.
    fn go_on(&mut self, owner: NotifyOwner, now: Instant) {
        let Some(queue) = self.queues.get_mut(&owner).filter(|queue| queue.runs.is_none()) else {
            return;
        };
        if let Some((event, kinds)) = queue.waiting.front_mut() {
            let event = *event;
            let kind = kinds.pop_front();
            if kinds.is_empty() {
                queue.waiting.pop_front();
            }
            if let Some(kind) = kind {
                queue.runs = Some((None, now));
                self.due.push((owner, kind, event));
            }
        }
    }

    /// A program was started. What is wrong with that.
    pub(in crate::sim) fn starts(
        &mut self,
        run: RunId,
        owner: NotifyOwner,
        kind: NotifyKind,
        event: NoticeEvent,
    ) -> Option<String> {
        let place = self.due.iter().position(|(of, _, _)| *of == owner);
        let expected = place.map(|place| self.due.remove(place));
        if expected != Some((owner, kind, event)) {
            return Some(format!(
                "starts {kind:?} of {owner:?} for {event:?}, expected {expected:?}"
            ));
        }
        if let Some(Queue {
            runs: Some((of, _)), ..
        }) = self.queues.get_mut(&owner)
        {
            of.get_or_insert(run);
        }
        None
    }

    pub(in crate::sim) fn ended(&mut self, run: RunId, now: Instant) {
        let waited = |queue: &Queue| queue.runs.is_some_and(|(of, _)| of == Some(run));
        let owner = self
            .queues
            .iter()
            .find(|(_, queue)| waited(queue))
            .map(|(owner, _)| *owner);
        if let Some(owner) = owner {
            self.free(owner, now);
        }
    }

    fn free(&mut self, owner: NotifyOwner, now: Instant) {
        if let Some(queue) = self.queues.get_mut(&owner) {
            queue.runs = None;
        }
        self.go_on(owner, now);
    }

    /// Programs that were waited for long enough.
    pub(in crate::sim) fn time(&mut self, now: Instant) {
        let limit = self.limit;
        let slow = |queue: &Queue| {
            let late = queue.runs.is_some_and(|(_, since)| since + limit <= now);
            late && !queue.waiting.is_empty()
        };
        let slow = self.queues.iter().filter(|(_, queue)| slow(queue));
        for owner in slow.map(|(owner, _)| *owner).collect::<Vec<_>>() {
            self.free(owner, now);
        }
    }

    /// A stop: what waits is not told any more.
    pub(in crate::sim) fn close(&mut self) {
        self.queues.clear();
    }

    /// What should have been started by now.
    pub(in crate::sim) fn missing(&mut self) -> Option<String> {
        let missing = std::mem::take(&mut self.due);
        (!missing.is_empty()).then(|| format!("does not start {missing:?}"))
    }
}
