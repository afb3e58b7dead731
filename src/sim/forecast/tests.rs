use super::trial::{everybody_is_heard, lan, make};
use super::*;
use crate::model::{Authentication, Family, Instance, Password, Script, ScriptId, TrackScript, Vrid, Weight};
use crate::sim::cluster::ClusterNode;
use crate::sim::cluster::stage::Stage;
use crate::sim::scenario::instance;

/// The first node has these priorities, one an instance; the second one, if there is one, others.
struct Two {
    ours: Vec<Instance>,
    theirs: Vec<Instance>,
    scripts: Vec<Script>,
    /// The first script of the first node fails.
    fails: bool,
}

fn two(ours: u8, theirs: Option<u8>) -> Two {
    Two {
        ours: vec![instance(Family::Ipv4, ours)],
        theirs: theirs
            .map(|priority| instance(Family::Ipv4, priority))
            .into_iter()
            .collect(),
        scripts: Vec::new(),
        fails: false,
    }
}

impl Two {
    /// Foresees a reload of the first node and makes it: both are the same.
    fn reload(self, change: impl Fn(&mut Model)) -> Forecast {
        let model = |instances: &[Instance], scripts: &[Script]| Model {
            instances: instances.to_vec(),
            scripts: scripts.to_vec(),
            ..Model::default()
        };
        let node = |name: &str, model| ClusterNode {
            name: name.into(),
            model,
        };
        let mut nodes = vec![node("ours", model(&self.ours, &self.scripts))];
        if !self.theirs.is_empty() {
            nodes.push(node("theirs", model(&self.theirs, &[])));
        }
        let lan = lan(nodes.len());
        let mut stage = Stage::new(&nodes, &lan);
        (0..nodes.len()).for_each(|node| stage.boot(node));
        if self.fails {
            stage.fail_script(0, ScriptId(0));
        }
        stage.settle();
        everybody_is_heard(&mut stage, nodes.len());
        let mut new = nodes[0].model.clone();
        change(&mut new);
        make(&mut stage, 0, &new.into()).unwrap_or_else(|wrong| panic!("{wrong}"))
    }
}

fn first(forecast: &Forecast) -> &Outlook {
    assert!(forecast.settled);
    &forecast.instances[0]
}

fn priority(to: u8) -> impl Fn(&mut Model) {
    move |model| model.instances[0].priority = Priority(to)
}

#[test]
fn a_master_stays_while_it_is_the_best_that_was_heard() {
    let forecast = two(150, Some(100)).reload(priority(120));
    let one = first(&forecast);
    assert_eq!(
        (one.verdict, one.tells_at_once, one.releases),
        (Prospect::StaysMaster, true, false)
    );
    assert!(
        one.assumes[0].starts_with("192.0.2.2 listens with priority 100 (heard "),
        "{one:?}"
    );
    let forecast = two(150, Some(100)).reload(|_| {});
    assert!(!first(&forecast).tells_at_once);
    // Nobody was heard: it says so.
    let forecast = two(150, None).reload(priority(1));
    assert_eq!(first(&forecast).verdict, Prospect::StaysMaster);
    assert_eq!(first(&forecast).assumes, [around::NOBODY]);
}

#[test]
fn a_master_gives_up_to_a_better_one_that_preempts() {
    let forecast = two(150, Some(100)).reload(priority(90));
    let one = first(&forecast);
    assert_eq!(
        (one.verdict, one.to, one.releases),
        (Prospect::GivesUp, Some(StateName::Backup), false)
    );
    assert_eq!(one.steps[0].reason, "higher-priority");
    assert!(
        one.steps[0].detail.starts_with("192.0.2.2 advertises priority 100"),
        "{one:?}"
    );
}

#[test]
fn a_backup_takes_over_from_a_worse_master_or_waits() {
    let forecast = two(100, Some(150)).reload(priority(200));
    let one = first(&forecast);
    assert_eq!((one.verdict, one.from), (Prospect::TakesOver, Some(StateName::Backup)));
    assert!(
        one.assumes[0].starts_with("192.0.2.2 goes on as MASTER with priority 150"),
        "{one:?}"
    );
    let forecast = two(100, Some(150)).reload(priority(120));
    assert_eq!(first(&forecast).verdict, Prospect::StaysBackup);
    let forecast = two(100, Some(150)).reload(|model| {
        priority(200)(model);
        model.instances[0].preempt = false;
    });
    let one = first(&forecast);
    assert_eq!(one.verdict, Prospect::Waits);
    assert!(
        one.waits_for[0].starts_with("nopreempt: the master 192.0.2.2"),
        "{one:?}"
    );
    let forecast = two(100, Some(150)).reload(|model| {
        priority(200)(model);
        model.instances[0].preempt_delay = Micros::from_secs(900);
    });
    assert!(first(&forecast).waits_for[0].starts_with("preempt_delay, which ends "));
}

#[test]
fn a_backup_that_understands_the_master_no_more_takes_over_beside_it() {
    let forecast = two(100, Some(150)).reload(|model| {
        model.instances[0].authentication = Authentication::Pass(Password::from_text("other"));
    });
    let one = first(&forecast);
    assert_eq!(one.verdict, Prospect::TakesOver);
    assert!(one.steps[0].detail.contains("those that came were dropped"), "{one:?}");
}

#[test]
fn what_cannot_run_goes_to_fault_and_stays_there() {
    let forecast = two(150, Some(100)).reload(|model| model.instances[0].interface = "eth7".parse().ok());
    let one = first(&forecast);
    // Another link is another router: the old one releases.
    assert_eq!((one.verdict, one.releases), (Prospect::GoesToFault, true));
    assert!(
        one.steps.last().unwrap().detail.contains("eth7 does not exist"),
        "{one:?}"
    );
    let mut broken = two(150, Some(100));
    broken.ours[0].interface = "eth7".parse().ok();
    assert_eq!(first(&broken.reload(priority(90))).verdict, Prospect::StaysInFault);
}

#[test]
fn another_router_releases_the_old_one_and_begins_anew() {
    let forecast = two(150, None).reload(|model| model.instances[0].vrid = Vrid::new(77).unwrap());
    let one = first(&forecast);
    assert_eq!((one.verdict, one.releases), (Prospect::Interrupts, true));
    let states: Vec<StateName> = one.steps.iter().map(|step| step.to).collect();
    assert_eq!(states, [StateName::Init, StateName::Backup, StateName::Master]);
}

#[test]
fn what_leaves_is_told_last_and_what_comes_has_no_state_before() {
    let forecast = two(150, Some(100)).reload(|model| {
        let mut other = instance(Family::Ipv4, 90);
        (other.name, other.vrid) = ("VI_9".into(), Vrid::new(99).unwrap());
        model.instances = vec![other];
    });
    let told: Vec<_> = forecast
        .instances
        .iter()
        .map(|one| (&*one.name, one.verdict, one.from, one.releases))
        .collect();
    assert_eq!(
        told,
        [
            ("VI_9", Prospect::TakesOver, None, false),
            ("VI_1", Prospect::Leaves, Some(StateName::Master), true)
        ]
    );
}

#[test]
fn a_check_goes_on_as_it_ends_now_and_a_new_one_is_said_to_succeed() {
    let script = |name: &str| Script {
        path: Some("/chk".into()),
        ..Script::new(name, vec!["chk".into()])
    };
    let track = |model: &mut Model| {
        model.instances[0].track_scripts = vec![TrackScript {
            script: ScriptId(0),
            weight: Weight::ZERO,
        }];
    };
    // It has been failing, which has concerned nobody so far.
    let mut failing = two(150, Some(100));
    (failing.scripts, failing.fails) = (vec![script("chk")], true);
    let forecast = failing.reload(track);
    let one = first(&forecast);
    assert_eq!((one.verdict, one.releases), (Prospect::GoesToFault, true));
    assert_eq!(forecast.assumes, [""; 0]);
    let forecast = two(150, Some(100)).reload(|model| {
        model.scripts = vec![script("new")];
        track(model);
    });
    assert_eq!(first(&forecast).verdict, Prospect::StaysMaster);
    assert_eq!(forecast.assumes, ["the new script new succeeds"]);
}
