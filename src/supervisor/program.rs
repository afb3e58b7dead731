//! Runs the programs that the configuration names, for the daemon: start, signal, report the end. When to run one, how long
//! it may take, and what its result means is decided by the core.
//!
//! Every program has its own process group. When it ends after a signal of ours, whatever is left of its group is killed, as
//! keepalived does.

use super::message::{NotifySlot, Program, ProgramOutcome, ProgramRef};
use crate::model::{Model, NotifyPrograms, ProgramUser, RunId};
use crate::sys;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;

/// Programs that run at the same time, at most; more are refused with `EAGAIN`.
const MAX_RUNNING: usize = 4096;

/// Variables that programs do not inherit: they could change what a program executes or loads.
const WITHHELD: [&str; 3] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"];

/// What the supervisor needs to know of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProgramSpec {
    /// Which one it is.
    key: Key,
    /// The name of its block.
    name: std::sync::Arc<str>,
    /// Its words.
    argv: Vec<String>,
    /// The file; `None` if there is none.
    path: Option<String>,
    /// Who runs it; `None` = we ourselves.
    user: Option<ProgramUser>,
}

/// A program of a configuration, without what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    /// A `vrrp_script`.
    Script(u32),
    /// Whether a group's, position, which.
    Notify(bool, u32, NotifySlot),
}

impl Key {
    const fn of(program: Program) -> Self {
        match program {
            Program::Script(id) => Self::Script(id.0),
            Program::Notify(notify) => Self::Notify(notify.group, notify.position, notify.slot),
        }
    }
}

impl ProgramSpec {
    /// The programs of a configuration.
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let scripts = (0..).zip(&model.scripts).map(|(id, script)| Self {
            key: Key::Script(id),
            name: script.name.clone(),
            argv: script.argv.clone(),
            path: script.path.clone(),
            user: script.user,
        });
        let instances = (0..).zip(&model.instances).flat_map(|(position, instance)| {
            let programs = instance
                .notify
                .as_deref()
                .map(|programs| Self::notify(false, position, &instance.name, programs));
            programs.unwrap_or_default()
        });
        let groups = (0..)
            .zip(&model.groups)
            .flat_map(|(position, group)| Self::notify(true, position, &group.name, &group.notify));
        scripts.chain(instances).chain(groups).collect()
    }

    fn notify(group: bool, position: u32, name: &std::sync::Arc<str>, programs: &NotifyPrograms) -> Vec<Self> {
        let slots = [
            (NotifySlot::Master, &programs.master),
            (NotifySlot::Backup, &programs.backup),
            (NotifySlot::Fault, &programs.fault),
            (NotifySlot::Stop, &programs.stop),
            (NotifySlot::Any, &programs.any),
        ];
        let spec = |(slot, program): (NotifySlot, &Option<crate::model::Program>)| {
            let program = program.as_ref()?;
            Some(Self {
                key: Key::Notify(group, position, slot),
                name: name.clone(),
                argv: program.argv.clone(),
                path: program.path.clone(),
                user: program.user,
            })
        };
        slots.into_iter().filter_map(spec).collect()
    }

    /// The name of its block.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Who runs it, if that is not who we are.
    pub(super) fn foreign_user(&self) -> Option<ProgramUser> {
        self.user.filter(|user| !is_ours(*user))
    }
}

/// The programs of the configurations in force, and those that run.
#[derive(Debug)]
pub(super) struct Programs {
    tables: BTreeMap<u32, BTreeMap<Key, Prepared>>,
    running: BTreeMap<i32, Running>,
    environment: Vec<CString>,
    null: File,
    umask: u32,
}

/// A program ready to start.
#[derive(Debug)]
struct Prepared {
    name: CString,
    path: Option<CString>,
    argv: Vec<CString>,
    user: Option<ProgramUser>,
}

#[derive(Debug)]
struct Running {
    /// `None` when the daemon that wanted it is gone.
    run: Option<RunId>,
    /// We have sent it a signal.
    signalled: bool,
}

impl Programs {
    /// No programs yet. The environment is taken as it is now.
    ///
    /// # Errors
    /// When `/dev/null` cannot be opened.
    pub(super) fn new() -> io::Result<Self> {
        let environment = std::env::vars_os()
            .filter(|(name, _)| !WITHHELD.iter().any(|withheld| name == withheld))
            .filter_map(|(name, value)| {
                let mut pair = name.into_vec();
                pair.push(b'=');
                pair.append(&mut value.into_vec());
                CString::new(pair).ok()
            });
        Ok(Self {
            tables: BTreeMap::new(),
            running: BTreeMap::new(),
            environment: environment.collect(),
            null: File::options().read(true).write(true).open("/dev/null")?,
            umask: 0o177,
        })
    }

    /// The umask of programs started from now on.
    pub(super) fn set_umask(&mut self, umask: u32) {
        self.umask = umask;
    }

    /// Makes the programs of a configuration known. Those of older ones stay known until [`Self::forget_before`].
    pub(super) fn learn(&mut self, generation: u32, specs: &[ProgramSpec]) {
        let prepared = specs.iter().map(|spec| (spec.key, Prepared::new(spec))).collect();
        self.tables.insert(generation, prepared);
    }

    /// Forgets the programs of configurations before this one. What runs goes on.
    pub(super) fn forget_before(&mut self, generation: u32) {
        self.tables = self.tables.split_off(&generation);
    }

    /// Starts a program. Returns how it ended if that is known at once, because it could not be started.
    pub(super) fn start(&mut self, run: RunId, program: ProgramRef) -> Option<ProgramOutcome> {
        match self.try_start(program) {
            Ok(pid) => {
                self.running.insert(
                    pid,
                    Running {
                        run: Some(run),
                        signalled: false,
                    },
                );
                None
            }
            Err(error) => Some(ProgramOutcome::NotStarted(error.raw_os_error().unwrap_or(libc::EINVAL))),
        }
    }

    fn try_start(&self, program: ProgramRef) -> io::Result<i32> {
        let error = io::Error::from_raw_os_error;
        if self.running.len() >= MAX_RUNNING {
            return Err(error(libc::EAGAIN));
        }
        let key = Key::of(program.program);
        let prepared = self.tables.get(&program.generation).and_then(|table| table.get(&key));
        let prepared = prepared.ok_or_else(|| error(libc::ESRCH))?;
        let path = prepared.path.as_ref().ok_or_else(|| error(libc::ENOENT))?;
        let argv: Vec<CString> = prepared
            .argv
            .iter()
            .cloned()
            .chain(prepared.told(program.program))
            .collect();
        sys::spawn(&sys::Program {
            path,
            argv: &argv,
            environment: &self.environment,
            user: prepared.user.filter(|user| !is_ours(*user)).map(|user| sys::User {
                uid: user.uid,
                gid: user.gid,
                groups: &[],
            }),
            umask: self.umask,
            stdio: self.null.as_fd(),
        })
    }

    /// Signals the process group of a run. A run that has ended already is no error: its end is on the way.
    pub(super) fn kill(&mut self, run: RunId, hard: bool) {
        for (pid, running) in &mut self.running {
            if running.run == Some(run) {
                running.signalled = true;
                signal_group(*pid, hard);
            }
        }
    }

    /// Signals every process group.
    pub(super) fn kill_all(&mut self, hard: bool) {
        for (pid, running) in &mut self.running {
            running.signalled = true;
            signal_group(*pid, hard);
        }
    }

    /// Takes note of a dead child that has not been reaped yet; the run and its outcome if it was a program of ours.
    pub(super) fn ended(&mut self, dead: sys::Dead) -> Option<(RunId, ProgramOutcome)> {
        let running = self.running.remove(&dead.pid)?;
        let outcome = match dead.end {
            sys::End::Exited(status) => ProgramOutcome::Exited(status),
            sys::End::Signaled(signal) => ProgramOutcome::Signaled(signal),
        };
        if running.signalled {
            signal_group(dead.pid, true);
        }
        running.run.map(|run| (run, outcome))
    }

    /// Whether a dead child is a program of ours.
    pub(super) fn owns(&self, pid: i32) -> bool {
        self.running.contains_key(&pid)
    }

    /// Ends all programs; nobody is told how they end, because the daemon that wanted them is gone.
    pub(super) fn abandon(&mut self) {
        self.kill_all(false);
        for running in self.running.values_mut() {
            running.run = None;
        }
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }
}

impl Prepared {
    fn new(spec: &ProgramSpec) -> Self {
        // A word with a zero byte cannot be passed; the lexer lets none through.
        let word = |text: &String| CString::new(text.as_str()).unwrap_or_default();
        Self {
            name: CString::new(&*spec.name).unwrap_or_default(),
            path: spec.path.as_ref().map(word),
            argv: spec.argv.iter().map(word).collect(),
            user: spec.user,
        }
    }

    /// What a `notify` program gets behind its own words (behaviour §13.1).
    fn told(&self, program: Program) -> Vec<CString> {
        let Program::Notify(notify) = program else {
            return Vec::new();
        };
        if notify.slot != NotifySlot::Any {
            return Vec::new();
        }
        let kind = if notify.group { c"GROUP" } else { c"INSTANCE" };
        let priority = if notify.group { 0 } else { notify.priority };
        let word = |text: String| CString::new(text).unwrap_or_default();
        vec![
            kind.to_owned(),
            self.name.clone(),
            word(notify.state.as_str().to_owned()),
            word(priority.to_string()),
        ]
    }
}

/// Whether it is who we are, so that nothing has to be changed: an ordinary user may not, root need not.
fn is_ours(user: ProgramUser) -> bool {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    !uid.is_root() && user.uid == uid.as_raw() && user.gid == gid.as_raw()
}

fn signal_group(pid: i32, hard: bool) {
    let signal = if hard { Signal::SIGKILL } else { Signal::SIGTERM };
    // ESRCH: nobody is left. EPERM cannot happen to root, and nothing could be done about it.
    if let Err(errno) = killpg(Pid::from_raw(pid), signal) {
        tracing::debug!("cannot signal the process group {pid}: {errno}");
    }
}

#[cfg(test)]
mod tests;
