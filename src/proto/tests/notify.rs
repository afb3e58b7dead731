//! Which notify programs run when, told by hand what the instances would tell.

use super::super::notify::MAX_WAITING;
use super::*;
use std::sync::Arc;

fn program(name: &str) -> Option<Program> {
    Some(Program {
        argv: vec![name.into()],
        path: Some(name.into()),
        user: None,
        account: None,
    })
}

struct Rig {
    core: Core,
    now: Instant,
}

impl Rig {
    fn new(change: impl FnOnce(&mut Model)) -> Self {
        let mut instance = Instance::new("VI_1", Vrid::new(51).unwrap(), "eth0".parse().unwrap(), Vec::new());
        instance.notify = Some(Box::new(NotifyPrograms {
            master: program("/m"),
            any: program("/any"),
            stop: program("/stop"),
            ..NotifyPrograms::default()
        }));
        let mut model = Model {
            instances: vec![instance],
            ..Model::default()
        };
        change(&mut model);
        Self {
            core: Core::new(model, 0, Instant(0)),
            now: Instant(0),
        }
    }

    /// Runs, kinds and events.
    fn runs(&mut self) -> Vec<(u64, NotifyKind, NoticeEvent)> {
        let mut runs = Vec::new();
        while let Some(action) = self.core.poll_action() {
            if let Action::RunNotify(told) = action {
                runs.push((told.run.0, told.kind, told.notice.what.event));
            }
        }
        runs
    }

    fn change(&mut self, to: StateName) -> Vec<(u64, NotifyKind, NoticeEvent)> {
        self.core.actions.push_back(Action::StateChanged(StateChange {
            instance: InstanceId(0),
            name: "VI_1".into(),
            from: StateName::Init,
            to,
            priority: Priority(100),
            reason: Reason::Startup,
            sequence: 1,
        }));
        self.runs()
    }

    fn end(&mut self, run: u64) -> Vec<(u64, NotifyKind, NoticeEvent)> {
        let (run, outcome) = (RunId(run), RunOutcome::Exited(0));
        self.core.handle(Event::ScriptEnded { run, outcome }, self.now);
        self.runs()
    }

    fn wait(&mut self, until: u64) -> Vec<(u64, NotifyKind, NoticeEvent)> {
        self.now = Instant(until);
        self.core.handle_timeout(self.now);
        self.runs()
    }
}

#[test]
fn programs_run_one_after_the_other_in_the_order_of_the_news() {
    let mut rig = Rig::new(|_| {});
    assert_eq!(
        rig.change(StateName::Backup),
        [(1, NotifyKind::Any, NoticeEvent::Backup)]
    );
    assert_eq!(rig.change(StateName::Master), []);
    assert_eq!(rig.end(1), [(2, NotifyKind::Master, NoticeEvent::Master)]);
    assert_eq!(rig.end(2), [(3, NotifyKind::Any, NoticeEvent::Master)]);
    assert_eq!(rig.end(3), []);
    assert_eq!(rig.core.next_deadline(), None);
}

#[test]
fn side_by_side_when_that_is_asked_for() {
    let mut rig = Rig::new(|model| model.global.notify_parallel = true);
    rig.change(StateName::Backup);
    let both = [
        (2, NotifyKind::Master, NoticeEvent::Master),
        (3, NotifyKind::Any, NoticeEvent::Master),
    ];
    assert_eq!(rig.change(StateName::Master), both);
}

#[test]
fn a_program_that_hangs_is_overtaken_after_five_seconds() {
    let mut rig = Rig::new(|_| {});
    rig.change(StateName::Backup);
    rig.change(StateName::Master);
    assert_eq!(rig.core.next_deadline(), Some((Instant(5_000_000), Timer::NotifyOrder)));
    assert_eq!(rig.wait(4_999_999), []);
    assert_eq!(rig.wait(5_000_000), [(2, NotifyKind::Master, NoticeEvent::Master)]);
    // The late end of the first one changes nothing for the second.
    assert_eq!(rig.end(1), []);
    assert_eq!(rig.end(2), [(3, NotifyKind::Any, NoticeEvent::Master)]);
}

#[test]
fn the_queue_is_bounded_and_keeps_the_newest_state() {
    let mut rig = Rig::new(|model| {
        model.instances[0].notify.as_mut().unwrap().master_rx_lower_pri = program("/rx");
    });
    for _ in 0..1_000 {
        rig.change(StateName::Master);
        rig.change(StateName::Backup);
    }
    // Worse adverts do not push the newest state out.
    let notice = Arc::new(rig.core.instances[0].notice(NoticeEvent::MasterRxLowerPri));
    for _ in 0..100 {
        let subject = Subject::Instance(InstanceId(0));
        let notice = notice.clone();
        rig.core.actions.push_back(Action::Notify(Notify { subject, notice }));
        rig.runs();
    }
    let mut seen = Vec::new();
    for run in 1.. {
        if !rig.core.notifier.owns(RunId(run)) {
            break;
        }
        seen.extend(rig.end(run));
    }
    assert!(seen.len() <= 2 * MAX_WAITING, "{seen:?}");
    let newest = seen.iter().rfind(|(_, _, event)| event.is_state()).unwrap();
    assert_eq!((newest.1, newest.2), (NotifyKind::Any, NoticeEvent::Backup));
    assert_eq!(seen.last().unwrap().1, NotifyKind::MasterRxLowerPri);
}

#[test]
fn a_stop_waits_for_its_own_programs_only_and_not_for_ever() {
    let mut rig = Rig::new(|_| {});
    rig.core.handle(Event::Start, rig.now);
    rig.runs();
    rig.change(StateName::Backup);
    rig.change(StateName::Master);
    rig.core.handle(Event::Shutdown, rig.now);
    let stop = rig.runs();
    let kinds: Vec<_> = stop.iter().map(|(_, kind, event)| (*kind, *event)).collect();
    let both = [
        (NotifyKind::Stop, NoticeEvent::Stop),
        (NotifyKind::Any, NoticeEvent::Stop),
    ];
    assert_eq!(kinds, both);
    rig.end(stop[0].0);
    assert_eq!(rig.core.next_deadline(), Some((Instant(1_000_000), Timer::StopLimit)));
    rig.core.handle_timeout(Instant(1_000_000));
    let mut end = Vec::new();
    while let Some(action) = rig.core.poll_action() {
        end.push(action);
    }
    let kill = Action::KillScript {
        run: RunId(stop[1].0),
        signal: KillSignal::Kill,
    };
    assert_eq!(end.first(), Some(&kill), "{end:?}");
    assert_eq!(end.last(), Some(&Action::Stopped), "{end:?}");
}
