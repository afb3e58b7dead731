//! Files and processes: what they mean for instances and groups. Their own rules are tested beside them.

use super::*;

/// Two members of a group or two loners; everybody tracks the file with this weight, the process with that one.
fn model(file_weight: i16, process_weight: i16, grouped: bool) -> Model {
    let weight = |value| Weight::new(value, false).unwrap();
    let files = vec![TrackFile {
        file: TrackedFileId(0),
        weight: weight(file_weight),
    }];
    let processes = vec![TrackProcess {
        process: ProcessId(0),
        weight: weight(process_weight),
    }];
    let mut instances = vec![instance(), instance()];
    instances[1].name = "VI_2".into();
    instances[1].vrid = Vrid::new(52).unwrap();
    let mut group = SyncGroup {
        name: "G".into(),
        members: vec![InstanceId(0), InstanceId(1)],
        ..SyncGroup::default()
    };
    if grouped {
        group.track_files = files;
        group.track_processes = processes;
        instances.iter_mut().for_each(|one| one.sync_group = Some(GroupId(0)));
    } else {
        for one in &mut instances {
            one.track_files.clone_from(&files);
            one.track_processes.clone_from(&processes);
        }
    }
    Model {
        files: vec![file("f")],
        processes: vec![TrackedProcess {
            name: "p".into(),
            process: "haproxy".into(),
            parameters: Vec::new(),
            param_match: None,
            weight: Weight::ZERO,
            quorum: 1,
            quorum_max: None,
            fork_delay: Micros::ZERO,
            terminate_delay: Micros::ZERO,
            full_command: false,
        }],
        groups: if grouped { vec![group] } else { Vec::new() },
        instances,
        ..Model::default()
    }
}

impl Rig {
    fn observe(&mut self, observation: Observation) {
        self.event(Event::Observed(observation));
    }

    fn holds(&mut self, number: i32) {
        self.observe(Observation::File {
            file: TrackedFileId(0),
            reading: FileReading::Number(number),
        });
    }

    /// All processes are told anew.
    fn processes(&mut self, pids: &[u32]) {
        self.observe(Observation::ProcessesBegin {
            watch: ProcessWatch::Connector,
            hidden: false,
        });
        for pid in pids {
            self.process(*pid, ProcessChange::Became);
        }
        self.observe(Observation::ProcessesTold);
    }

    fn process(&mut self, pid: u32, change: ProcessChange) {
        self.observe(Observation::Process {
            process: ProcessId(0),
            pid,
            change,
        });
    }

    fn states(&self) -> [StateName; 2] {
        [0, 1].map(|at| self.core.state(at).unwrap())
    }

    fn effective(&self) -> u8 {
        self.core.snapshot(self.now).instances[0].priority.effective.get()
    }

    /// What is said of the first instance in keepalived's words: reasons and problems are ours alone.
    fn lines(&mut self) -> Vec<InstanceLine> {
        let lines = self.take().into_iter().filter_map(|action| match action {
            Action::Log(LogEvent::Instance {
                line: InstanceLine::Because { .. } | InstanceLine::Problem { .. },
                ..
            }) => None,
            Action::Log(LogEvent::Instance { name, line }) if &*name == "VI_1" => Some(line),
            _ => None,
        });
        lines.collect()
    }
}

#[test]
fn an_instance_starts_when_everything_that_is_there_from_the_start_has_been_read() {
    for (grouped, waiting) in [(false, [StateName::Init; 2]), (true, [StateName::Init; 2])] {
        let mut rig = Rig::new(model(1, 10, grouped));
        rig.advance(SECOND);
        assert_eq!(rig.states(), waiting);
        let reason = rig.core.snapshot(rig.now).instances[0].reason.to_string();
        assert_eq!(reason, "file f has not reported yet");
        rig.holds(20);
        assert_eq!(rig.states(), waiting);
        assert!(rig.lines().is_empty(), "nothing is told before the start");
        rig.processes(&[7]);
        assert_eq!(rig.states(), [StateName::Backup; 2]);
        assert_eq!(rig.effective(), 130);
        // Told at the start, as keepalived tells it (ran).
        let changed = InstanceLine::EffectivePriority {
            from: Priority(100),
            to: Priority(130),
        };
        let lines = rig.lines();
        assert_eq!(lines.iter().filter(|line| **line == changed).count(), 1, "{lines:?}");
        rig.advance(6 * SECOND);
        assert_eq!(rig.states(), [StateName::Master; 2]);
        assert!(rig.adverts().iter().all(|priority| *priority == 130));
    }
}

#[test]
fn a_file_that_is_a_fault_keeps_the_old_priority_until_it_is_none_any_more() {
    // behaviour §4 and keepalived 2.2.7 beside it: 105 → 120 → fault → 107, told with "Setting effective priority to 107".
    let mut rig = Rig::new(model(1, 0, false));
    rig.holds(20);
    rig.processes(&[7]);
    rig.advance(6 * SECOND);
    rig.take();
    rig.holds(-254);
    assert_eq!((rig.states(), rig.effective()), ([StateName::Fault; 2], 120));
    assert_eq!(
        rig.lines()[..2],
        [
            InstanceLine::FileFault {
                file: "f".into(),
                begins: true
            },
            InstanceLine::EnteringFault
        ]
    );
    rig.holds(-300);
    assert_eq!(rig.lines(), []);
    rig.holds(7);
    assert_eq!((rig.states(), rig.effective()), ([StateName::Backup; 2], 107));
    assert_eq!(
        rig.lines(),
        [
            InstanceLine::FileFault {
                file: "f".into(),
                begins: false
            },
            InstanceLine::SettingPriority { to: Priority(107) },
            InstanceLine::EnteringBackup
        ]
    );
}

#[test]
fn a_process_that_ends_is_a_fault_of_every_member_of_the_group() {
    for grouped in [false, true] {
        let mut rig = Rig::new(model(1, 0, grouped));
        rig.holds(0);
        rig.processes(&[7]);
        rig.advance(6 * SECOND);
        assert_eq!(rig.states(), [StateName::Master; 2]);
        rig.process(7, ProcessChange::Ended);
        assert_eq!(rig.states(), [StateName::Fault; 2]);
        let reason = rig.core.snapshot(rig.now).instances[0].reason.to_string();
        assert_eq!(reason, "process p failed (0 haproxy running, at least 1 should)");
        rig.process(8, ProcessChange::Became);
        assert_eq!(rig.states(), [StateName::Backup; 2]);
    }
}

#[test]
fn a_member_that_tracks_nothing_starts_when_the_others_have_read_what_they_track() {
    let mut model = model(1, 0, false);
    model.groups = vec![SyncGroup {
        name: "G".into(),
        members: vec![InstanceId(0), InstanceId(1)],
        ..SyncGroup::default()
    }];
    for one in &mut model.instances {
        one.sync_group = Some(GroupId(0));
        one.track_processes.clear();
    }
    model.processes.clear();
    model.instances[0].track_files.clear();
    let mut rig = Rig::new(model);
    rig.advance(SECOND);
    assert_eq!(rig.states(), [StateName::Init; 2]);
    rig.holds(5);
    assert_eq!(rig.states(), [StateName::Backup; 2]);
    rig.advance(6 * SECOND);
    assert_eq!(rig.states(), [StateName::Master; 2]);
}

#[test]
fn a_start_with_bad_values_is_a_start_in_fault() {
    let mut rig = Rig::new(model(0, 0, false));
    rig.holds(3);
    rig.processes(&[]);
    assert_eq!(rig.states(), [StateName::Fault; 2]);
    let lines = rig.lines();
    let told = [
        InstanceLine::FaultAtStartFile {
            file: "f".into(),
            value: 3,
        },
        InstanceLine::FaultAtStartProcess { process: "p".into() },
    ];
    assert!(told.iter().all(|line| lines.contains(line)), "{lines:?}");
}

#[test]
fn a_reload_keeps_what_is_known_and_tells_nothing() {
    let mut rig = Rig::new(model(1, 0, false));
    rig.holds(20);
    rig.processes(&[7]);
    rig.advance(6 * SECOND);
    rig.take();
    // Another file and another process come in front: the positions change.
    let mut new = model(1, 0, false);
    new.files.insert(0, file("other"));
    new.processes.insert(0, new.processes[0].clone());
    new.processes[0].name = "q".into();
    for one in &mut new.instances {
        one.track_files[0].file = TrackedFileId(1);
        one.track_processes[0].process = ProcessId(1);
    }
    rig.event(Event::Reload(Arc::new(new)));
    assert_eq!((rig.states(), rig.effective()), ([StateName::Master; 2], 120));
    let told = rig.take();
    assert!(
        matches!(told.as_slice(), [Action::Happened(happened)] if matches!(**happened, Happening::Reloaded { .. })),
        "nothing is sent or told but that there was a reload: {told:?}"
    );
    // The observer begins anew; what is as before is no news.
    rig.observe(Observation::File {
        file: TrackedFileId(1),
        reading: FileReading::Number(20),
    });
    rig.observe(Observation::ProcessesBegin {
        watch: ProcessWatch::Scan,
        hidden: false,
    });
    rig.observe(Observation::Process {
        process: ProcessId(1),
        pid: 7,
        change: ProcessChange::Became,
    });
    rig.observe(Observation::ProcessesTold);
    // Only the new one is told of.
    let told = rig.take();
    let of_q = |action: &Action| match action {
        Action::Happened(happened) => matches!(&**happened, Happening::Tracker { name, .. } if &**name == "q"),
        _ => false,
    };
    assert!(told.iter().all(of_q), "{told:?}");
    rig.observe(Observation::Process {
        process: ProcessId(1),
        pid: 7,
        change: ProcessChange::Ended,
    });
    assert_eq!(rig.states(), [StateName::Fault; 2]);
}

#[test]
fn a_successor_starts_with_what_its_predecessor_knew() {
    let mut rig = Rig::new(model(1, 0, false));
    rig.holds(20);
    rig.processes(&[7]);
    let state = rig.core.export(rig.now);
    let mut again = Core::import(rig.core.model().clone(), &state, Instant(0));
    again.handle(link(true), Instant(0));
    again.handle(
        Event::AddressAdded(LinkAddress {
            index: IfIndex(2),
            address: OWN.into(),
            prefix_len: 24,
        }),
        Instant(0),
    );
    again.handle(Event::Start, Instant(0));
    assert_eq!(again.state(0), Some(StateName::Backup));
    assert_eq!(
        again.snapshot(Instant(0)).instances[0].priority.effective,
        Priority(120)
    );
}

#[test]
fn a_reversed_weight_0_makes_a_fault_of_what_is_well() {
    let mut model = tracked(instance(), 0);
    model.instances[0].track_scripts[0].weight = Weight::new(0, true).unwrap();
    let mut rig = Rig::new(model);
    rig.end_script(0);
    assert_eq!(rig.state(), StateName::Fault);
    rig.advance(2 * SECOND);
    rig.end_script(1);
    assert_eq!(rig.state(), StateName::Backup);
}

#[test]
fn the_weight_of_a_group_counts_for_a_member_unless_its_own_is_0() {
    // keepalived 2.2.7 beside it: 104 for the member that has no line of its own, 100 for the one with weight 0.
    let mut model = model(0, 4, true);
    model.instances[1].track_processes = vec![TrackProcess {
        process: ProcessId(0),
        weight: Weight::ZERO,
    }];
    let mut rig = Rig::new(model);
    rig.holds(0);
    rig.processes(&[7]);
    let effective = |rig: &Rig| {
        let instances = rig.core.snapshot(rig.now).instances;
        [0, 1].map(|at| instances[at].priority.effective.get())
    };
    assert_eq!(effective(&rig), [104, 100]);
    rig.process(7, ProcessChange::Ended);
    assert_eq!(rig.states(), [StateName::Fault; 2], "a fault of one is a fault of all");
}
