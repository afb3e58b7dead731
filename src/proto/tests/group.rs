//! In which order members and their group are told.

use super::*;

/// Two instances in one group; `wait` = the first one has a check whose first result is not known yet.
fn grouped(wait: bool, change: impl Fn(&mut Instance)) -> Model {
    let vip = VirtualAddress::plain("192.0.2.101".parse().unwrap(), 32, eth0());
    let mut second = Instance::new("VI_2", Vrid::new(52).unwrap(), eth0(), vec![vip]);
    let mut model = if wait {
        tracked(instance(), 0)
    } else {
        model(instance())
    };
    for member in [&mut model.instances[0], &mut second] {
        member.sync_group = Some(GroupId(0));
        change(member);
    }
    model.instances.push(second);
    model.groups = vec![SyncGroup {
        name: "G".into(),
        members: vec![InstanceId(0), InstanceId(1)],
        ..SyncGroup::default()
    }];
    model
}

/// Who is told of which state, in order.
fn told(rig: &Rig) -> Vec<String> {
    let said = |action: &Action| match action {
        Action::StateChanged(change) => Some(format!("{} {}", change.name, change.to.as_str())),
        Action::GroupChanged(change) => Some(format!("{} {}", change.name, change.to.as_str())),
        _ => None,
    };
    rig.log.iter().filter_map(said).collect()
}

#[test]
fn a_group_that_starts_in_backup_is_told_before_its_members() {
    let rig = Rig::new(grouped(false, |_| {}));
    assert_eq!(told(&rig), ["G BACKUP", "VI_1 BACKUP", "VI_2 BACKUP"]);
}

#[test]
fn a_group_whose_member_waits_for_a_check_is_told_after_its_members() {
    let mut rig = Rig::new(grouped(true, |_| {}));
    assert_eq!(told(&rig), Vec::<String>::new());
    let run = rig.log.iter().find_map(|action| match action {
        Action::RunScript { run, .. } => Some(*run),
        _ => None,
    });
    rig.event(Event::ScriptEnded {
        run: run.unwrap(),
        outcome: RunOutcome::Exited(0),
    });
    assert_eq!(told(&rig), ["VI_1 BACKUP", "VI_2 BACKUP", "G BACKUP"]);
}

#[test]
fn a_group_that_starts_in_fault_is_told_after_its_members() {
    let mut rig = Rig::unstarted(grouped(false, |_| {}));
    rig.event(link(false));
    rig.event(Event::Start);
    assert_eq!(told(&rig), ["VI_1 FAULT", "VI_2 FAULT", "G FAULT"]);
}

#[test]
fn a_group_of_owners_is_told_after_its_members_as_masters() {
    let rig = Rig::new(grouped(false, |member| {
        member.priority = Priority::OWNER;
        member.state = WantedState::Master;
    }));
    assert_eq!(told(&rig), ["VI_1 MASTER", "VI_2 MASTER", "G MASTER"]);
}
