//! The oracle is the kernel: `/proc` and what programs leave behind.

use super::*;
use crate::model::{Script, ScriptId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RUN: RunId = RunId(1);

fn script(argv: &[&str]) -> Script {
    Script {
        name: Arc::from("test"),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        path: Some(argv[0].to_owned()),
        user: None,
        interval: crate::model::Micros::SECOND,
        timeout: Some(crate::model::Micros::SECOND),
        weight: crate::model::Weight::ZERO,
        rise: 1,
        fall: 1,
        init_fail: false,
        account: None,
        opens: None,
        insecure: false,
    }
}

fn programs(scripts: Vec<Script>) -> Programs {
    let model = Model {
        scripts,
        ..Model::default()
    };
    let mut programs = Programs::new().unwrap();
    programs.learn(1, &ProgramSpec::all(&model));
    programs
}

fn reference(generation: u32, script: u32) -> ProgramRef {
    ProgramRef {
        generation,
        program: Program::Script(ScriptId(script)),
    }
}

/// Waits for the end of the only program that runs.
fn end(programs: &mut Programs) -> (RunId, ProgramOutcome) {
    let pid = *programs.running.keys().next().unwrap();
    let fd = rustix::process::pidfd_open(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::PidfdFlags::empty(),
    )
    .unwrap();
    let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
    let dead = sys::next_dead(sys::Which::Pid(pid)).unwrap().unwrap();
    let end = programs.ended(dead).unwrap();
    sys::reap(pid).unwrap();
    end
}

fn outcome(argv: &[&str]) -> ProgramOutcome {
    let mut programs = programs(vec![script(argv)]);
    match programs.start(RUN, reference(1, 0), None) {
        Some(outcome) => outcome,
        None => end(&mut programs).1,
    }
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("vrrpd-program-{}-{name}", std::process::id()))
}

fn wait_for(path: &Path) {
    // The only way to see that a program has come so far; bounded by the test runner.
    while !path.exists() {
        std::thread::yield_now();
    }
}

#[test]
fn the_four_ends_of_a_program_are_told_apart() {
    assert_eq!(outcome(&["/bin/true"]), ProgramOutcome::Exited(0));
    assert_eq!(outcome(&["/bin/sh", "-c", "exit 42"]), ProgramOutcome::Exited(42));
    assert_eq!(
        outcome(&["/bin/sh", "-c", "kill -TERM $$"]),
        ProgramOutcome::Signaled(15)
    );
    assert_eq!(outcome(&["/nonexistent"]), ProgramOutcome::NotStarted(libc::ENOENT));
    assert_eq!(outcome(&["/etc/passwd"]), ProgramOutcome::NotStarted(libc::EACCES));
}

#[test]
fn only_programs_of_a_known_configuration_can_be_started() {
    let mut programs = programs(vec![script(&["/bin/true"])]);
    let unknown = Some(ProgramOutcome::NotStarted(libc::ESRCH));
    assert_eq!(programs.start(RUN, reference(1, 1), None), unknown);
    assert_eq!(programs.start(RUN, reference(2, 0), None), unknown);
    programs.learn(2, &[]);
    assert_eq!(
        programs.start(RUN, reference(1, 0), None),
        None,
        "the older one still counts"
    );
    assert_eq!(end(&mut programs), (RUN, ProgramOutcome::Exited(0)));
    programs.forget_before(2);
    assert_eq!(programs.start(RUN, reference(1, 0), None), unknown);
}

#[test]
fn a_program_without_a_file_is_not_started() {
    let missing = Script {
        path: None,
        ..script(&["nothing"])
    };
    let mut programs = programs(vec![missing]);
    assert_eq!(
        programs.start(RUN, reference(1, 0), None),
        Some(ProgramOutcome::NotStarted(libc::ENOENT))
    );
}

#[test]
fn a_signal_reaches_the_whole_group_and_what_ignores_it_dies_with_the_program() {
    let (ready, child) = (temporary("ready"), temporary("child"));
    for path in [&ready, &child] {
        drop(std::fs::remove_file(path));
    }
    // The inner shell ignores SIGTERM; the outer one dies of it.
    let line = format!(
        "/bin/sh -c 'trap \"\" TERM; echo $$ > {child}.tmp; mv {child}.tmp {child}; while :; do sleep 1; done' & \
         while [ ! -e {child} ]; do :; done; > {ready}; wait",
        child = child.display(),
        ready = ready.display()
    );
    let mut programs = programs(vec![script(&["/bin/sh", "-c", &line])]);
    assert_eq!(programs.start(RUN, reference(1, 0), None), None);
    wait_for(&ready);
    let inner = std::fs::read_to_string(&child).unwrap().trim().to_owned();
    programs.kill(RUN, false);
    assert_eq!(end(&mut programs), (RUN, ProgramOutcome::Signaled(15)));
    let alive = || {
        std::fs::read_to_string(format!("/proc/{inner}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X']))
    };
    while alive() {
        std::thread::yield_now();
    }
    for path in [ready, child] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn the_environment_lacks_what_could_change_what_is_executed() {
    let programs = Programs::new().unwrap();
    let names: Vec<&[u8]> = programs
        .environment
        .iter()
        .map(|pair| pair.to_bytes().split(|byte| *byte == b'=').next().unwrap())
        .collect();
    assert!(names.contains(&b"PATH".as_slice()));
    // cargo sets it for its tests, so this shows that it is taken away.
    assert!(std::env::var_os("LD_LIBRARY_PATH").is_some());
    assert!(!names.contains(&b"LD_LIBRARY_PATH".as_slice()));
}

#[test]
fn the_umask_is_the_configured_one() {
    let path = temporary("umask");
    drop(std::fs::remove_file(&path));
    let line = format!("> {}", path.display());
    let mut programs = programs(vec![script(&["/bin/sh", "-c", &line])]);
    programs.set_umask(0o027);
    assert_eq!(programs.start(RUN, reference(1, 0), None), None);
    end(&mut programs);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
    std::fs::remove_file(path).unwrap();
}
