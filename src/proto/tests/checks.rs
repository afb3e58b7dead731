//! Check scripts of weights and of weight 0: what their results do to priority, timers and state.

use super::*;

#[test]
fn a_weighted_script_moves_the_priority_and_the_running_timer() {
    let mut rig = Rig::new(tracked(instance(), 11));
    assert_eq!(
        rig.core.snapshot(rig.now).instances[0].priority.effective,
        Priority(100)
    );
    rig.end_script(0);
    let shown = rig.core.snapshot(rig.now).instances[0].clone();
    assert_eq!(shown.priority.effective, Priority(111));
    assert_eq!(shown.priority.contributions[0].adds, 11);
    // (256 - 111) / 256 s instead of (256 - 100) / 256 s.
    assert_eq!(rig.core.next_deadline().unwrap().0, Instant(SECOND + 2 * SECOND));
    rig.advance(3_566_407);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Master);
    rig.take();
    rig.advance(4 * SECOND);
    rig.end_script(1);
    assert!(
        rig.adverts().is_empty(),
        "no advert out of turn for a change of priority"
    );
    rig.advance(5 * SECOND);
    assert_eq!(rig.adverts(), [100]);
}

#[test]
fn a_timer_that_ends_soon_after_the_boot_moves_with_the_priority_too() {
    let mut rig = Rig::new(tracked(instance(), -50));
    rig.advance(200_000);
    rig.hear(HIGHER, 0);
    let timer = |rig: &Rig| rig.core.brief(0).unwrap().timer;
    assert_eq!(timer(&rig), Some(Instant(1_200_000 + 609_375)));
    // Skew_Time of priority 50 instead of 100; the machine has not been up for a Master_Down_Interval.
    rig.end_script(1);
    assert_eq!(timer(&rig), Some(Instant(1_200_000 + 804_687)));
}

#[test]
fn a_script_of_weight_0_holds_the_start_back_and_its_failure_is_a_fault() {
    let mut rig = Rig::new(tracked(instance(), 0));
    assert_eq!(rig.state(), StateName::Init);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Backup);
    rig.advance(4 * SECOND);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Master);
    rig.take();
    rig.advance(6 * SECOND);
    rig.end_script(1);
    assert_eq!(rig.state(), StateName::Fault);
    assert_eq!(rig.adverts().last(), Some(&0));
    assert!(rig.take().iter().any(|a| matches!(a, Action::ClearAddresses(_))));
    rig.advance(8 * SECOND);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Backup);
}

#[test]
fn one_of_two_faults_gone_is_still_a_fault() {
    // Trap T3.
    let mut config = instance();
    let eth1: IfName = "eth1".parse().unwrap();
    config.track_interfaces = vec![TrackInterface {
        interface: eth1,
        weight: Weight::ZERO,
    }];
    let mut rig = Rig::new(model(config));
    assert_eq!(rig.state(), StateName::Fault);
    rig.event(link(false));
    rig.event(link(true));
    assert_eq!(rig.state(), StateName::Fault);
    assert!(matches!(
        rig.core.snapshot(rig.now).instances[0].reason,
        Reason::InterfaceDown { missing: true, .. }
    ));
}

/// Whoever stops ends the checks as well; their end is no news.
#[test]
fn a_check_that_ends_during_a_stop_says_nothing() {
    let mut rig = Rig::new(tracked(instance(), 11));
    rig.end_script(0);
    rig.advance(5 * SECOND);
    assert_eq!(rig.state(), StateName::Master);
    // The kernel has not confirmed yet that the addresses are gone.
    rig.core.handle(Event::Shutdown, rig.now);
    let ended = Event::ScriptEnded {
        run: rig.runs().unwrap(),
        outcome: RunOutcome::Exited(1),
    };
    rig.core.handle(ended, rig.now);
    rig.take();
    rig.drain();
    let said = |action: &Action| matches!(action, Action::Log(LogEvent::Script { .. }));
    assert!(!rig.log.iter().any(said), "{:?}", rig.log);
}

#[test]
fn the_first_result_decides_also_when_a_reload_asks_for_more_before_it() {
    let mut rig = Rig::new(tracked(instance(), 20));
    let mut new = tracked(instance(), 20);
    new.scripts[0].rise = 3;
    rig.event(Event::Reload(Arc::new(new)));
    rig.end_script(0);
    assert_eq!(
        rig.core.snapshot(rig.now).instances[0].priority.effective,
        Priority(120)
    );
}
