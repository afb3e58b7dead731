//! Runs the programs that the configuration names, for the daemon: start, signal, report the end. When to run one, how long
//! it may take, and what its result means is decided by the core.
//!
//! Every program has its own process group. When it ends after a signal of ours, whatever is left of its group is killed, as
//! keepalived does.

use super::fifo::FifoSpec;
use super::message::{Program, ProgramOutcome, ProgramRef};
use crate::model::{
    Circumstances, FifoKind, Model, NoticeOf, NotifyKind, NotifyOwner, NotifyPrograms, ProgramUser, RunId, ScriptId,
};
use crate::sys;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
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

/// Environment variables that a notify program gets, in this order.
const TOLD: [&str; 8] = [
    "VRRPD_TYPE",
    "VRRPD_NAME",
    "VRRPD_STATE",
    "VRRPD_PRIORITY",
    "VRRPD_PREVIOUS_STATE",
    "VRRPD_REASON",
    "VRRPD_REASON_TEXT",
    "VRRPD_SEQUENCE",
];
/// Characters of a reason in words, at most.
const MAX_DETAIL: usize = 512;

/// What the supervisor needs to know of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProgramSpec {
    /// How the daemon asks for it; `None`: it may not.
    program: Option<Program>,
    /// The name of its block.
    name: std::sync::Arc<str>,
    /// Its words.
    argv: Vec<String>,
    /// The file; `None` if there is none.
    path: Option<String>,
    /// Who runs it; `None` = we ourselves.
    user: Option<ProgramUser>,
}

impl ProgramSpec {
    /// The programs of a configuration that the daemon may ask for.
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let scripts = (0_u32..).zip(&model.scripts).map(|(at, script)| Self {
            program: Some(Program::Script(ScriptId(at))),
            name: script.name.clone(),
            argv: script.argv.clone(),
            path: script.path.clone(),
            user: script.user,
        });
        let instances = (0_u32..).zip(&model.instances).flat_map(|(at, instance)| {
            let notify = instance.notify.as_deref();
            let notify = notify.map(|notify| Self::of(NotifyOwner::Instance(at), &instance.name, notify));
            notify.into_iter().flatten()
        });
        let groups = (0_u32..)
            .zip(&model.groups)
            .flat_map(|(at, group)| Self::of(NotifyOwner::Group(at), &group.name, &group.notify));
        scripts.chain(instances).chain(groups).collect()
    }

    fn of<'m>(
        owner: NotifyOwner,
        name: &'m std::sync::Arc<str>,
        notify: &'m NotifyPrograms,
    ) -> impl Iterator<Item = Self> + 'm {
        NotifyKind::ALL.into_iter().filter_map(move |kind| {
            let program = notify.get(kind)?;
            Some(Self {
                program: Some(Program::Notify(owner, kind)),
                name: name.clone(),
                argv: program.argv.clone(),
                path: program.path.clone(),
                user: program.user,
            })
        })
    }

    /// The reader of a FIFO: its path is the last argument.
    pub(super) fn reader(program: &crate::model::Program, fifo: &str) -> Self {
        Self {
            program: None,
            name: fifo.into(),
            argv: program.argv.iter().cloned().chain([fifo.to_owned()]).collect(),
            path: program.path.clone(),
            user: program.user,
        }
    }

    /// `startup_script` or `shutdown_script`.
    pub(super) fn once(name: &'static str, program: &crate::model::Program) -> Self {
        Self {
            program: None,
            name: name.into(),
            argv: program.argv.clone(),
            path: program.path.clone(),
            user: program.user,
        }
    }

    /// The first word of its command.
    pub(super) fn command(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// The keyword and the name of its block.
    pub(super) fn describe(&self) -> String {
        match self.program {
            None => format!("the reader of {}", self.name),
            Some(Program::Script(_)) => format!("vrrp_script {}", self.name),
            Some(Program::Notify(_, kind)) => format!("{} of {}", kind.keyword(), self.name),
        }
    }

    /// Who runs it, if that is not who we are.
    pub(super) fn foreign_user(&self) -> Option<ProgramUser> {
        self.user.filter(|user| !is_ours(*user))
    }
}

/// The programs of the configurations in force, and those that run.
#[derive(Debug)]
pub(super) struct Programs {
    tables: BTreeMap<u32, BTreeMap<Program, Prepared>>,
    running: BTreeMap<i32, Running>,
    environment: Vec<CString>,
    null: File,
    umask: u32,
}

/// A program ready to start.
#[derive(Debug)]
struct Prepared {
    name: std::sync::Arc<str>,
    path: Option<CString>,
    argv: Vec<CString>,
    user: Option<ProgramUser>,
}

#[derive(Debug)]
struct Running {
    /// `None` when the daemon that wanted it is gone.
    run: Option<RunId>,
    /// It reads this FIFO.
    reads: Option<FifoKind>,
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
        let prepared = specs
            .iter()
            .filter_map(|spec| Some((spec.program?, Prepared::new(spec))))
            .collect();
        self.tables.insert(generation, prepared);
    }

    /// Forgets the programs of configurations before this one. What runs goes on.
    pub(super) fn forget_before(&mut self, generation: u32) {
        self.tables = self.tables.split_off(&generation);
    }

    /// Starts a program; a notify program is told what happened. Returns how it ended if that is known at once, because it
    /// could not be started.
    pub(super) fn start(
        &mut self,
        run: RunId,
        program: ProgramRef,
        told: Option<&Circumstances>,
    ) -> Option<ProgramOutcome> {
        match self.try_start(program, told) {
            Ok(pid) => {
                self.running.insert(
                    pid,
                    Running {
                        run: Some(run),
                        reads: None,
                        signalled: false,
                    },
                );
                None
            }
            Err(error) => Some(ProgramOutcome::NotStarted(error.raw_os_error().unwrap_or(libc::EINVAL))),
        }
    }

    fn try_start(&self, program: ProgramRef, told: Option<&Circumstances>) -> io::Result<i32> {
        let error = io::Error::from_raw_os_error;
        if self.running.len() >= MAX_RUNNING {
            return Err(error(libc::EAGAIN));
        }
        let table = self.tables.get(&program.generation);
        let prepared = table.and_then(|table| table.get(&program.program));
        let prepared = prepared.ok_or_else(|| error(libc::ESRCH))?;
        let path = prepared.path.as_ref().ok_or_else(|| error(libc::ENOENT))?;
        let (mut argv, mut environment) = (Cow::from(&prepared.argv), Cow::from(&self.environment));
        if let Program::Notify(owner, kind) = program.program {
            let told = told.filter(|told| is_plain(told)).ok_or_else(|| error(libc::EINVAL))?;
            let facts = facts(owner, &prepared.name, told);
            if kind == NotifyKind::Any {
                argv.to_mut().extend(facts.iter().take(4).map(|fact| word(fact)));
            }
            let pairs = TOLD
                .iter()
                .zip(&facts)
                .map(|(name, fact)| word(&format!("{name}={fact}")));
            environment.to_mut().extend(pairs);
        }
        self.spawn(prepared, path, &argv, &environment)
    }

    /// Starts the reader of a FIFO.
    pub(super) fn start_reader(&mut self, spec: &FifoSpec) {
        let Some(program) = &spec.program else { return };
        let prepared = Prepared::new(program);
        let Some(path) = &prepared.path else { return };
        match self.spawn(&prepared, path, &prepared.argv, &self.environment) {
            Ok(pid) => {
                let running = Running {
                    run: None,
                    reads: Some(spec.kind),
                    signalled: false,
                };
                self.running.insert(pid, running);
            }
            Err(error) => tracing::error!("{}notify fifo script cannot be started: {error}", spec.kind.prefix()),
        }
    }

    /// Starts a program that is run once.
    pub(super) fn start_once(&mut self, spec: &ProgramSpec) -> io::Result<i32> {
        let prepared = Prepared::new(spec);
        let path = prepared.path.as_ref();
        let path = path.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        let pid = self.spawn(&prepared, path, &prepared.argv, &self.environment)?;
        let running = Running {
            run: None,
            reads: None,
            signalled: false,
        };
        self.running.insert(pid, running);
        Ok(pid)
    }

    /// Signals the process group of a program that is run once.
    pub(super) fn signal(&mut self, pid: i32, hard: bool) {
        if let Some(running) = self.running.get_mut(&pid) {
            running.signalled = true;
            signal_group(pid, hard);
        }
    }

    /// Ends the readers of the FIFOs.
    pub(super) fn end_readers(&mut self) {
        for (pid, running) in self.running.iter_mut().filter(|(_, running)| running.reads.is_some()) {
            running.signalled = true;
            signal_group(*pid, false);
        }
    }

    /// Whether somebody still reads a FIFO.
    pub(super) fn has_readers(&self) -> bool {
        self.running.values().any(|running| running.reads.is_some())
    }

    fn spawn(&self, prepared: &Prepared, path: &CString, argv: &[CString], environment: &[CString]) -> io::Result<i32> {
        sys::spawn(&sys::Program {
            path,
            argv,
            environment,
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
        } else if let Some(kind) = running.reads {
            tracing::info!("{}notify fifo script terminated", kind.prefix());
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
        Self {
            name: spec.name.clone(),
            path: spec.path.as_deref().map(word),
            argv: spec.argv.iter().map(|text| word(text)).collect(),
            user: spec.user,
        }
    }
}

/// A word with a zero byte cannot be passed; the lexer lets none through.
fn word(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// What a notify program is told, in the order of [`TOLD`]; the first four are the arguments of `notify`.
fn facts(owner: NotifyOwner, name: &str, told: &Circumstances) -> [String; 8] {
    let of = match owner {
        NotifyOwner::Instance(_) => NoticeOf::Instance,
        NotifyOwner::Group(_) => NoticeOf::Group,
    };
    [
        of.as_str().into(),
        name.into(),
        told.event.as_str().into(),
        told.priority.to_string(),
        told.previous.as_str().into(),
        told.code.clone(),
        told.detail.clone(),
        told.sequence.to_string(),
    ]
}

/// Whether the daemon keeps to the grammar: a word for the reason, and a line of printable characters.
fn is_plain(told: &Circumstances) -> bool {
    let code = told.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let detail = !told.detail.chars().any(char::is_control);
    code && detail && told.code.len() <= 32 && told.detail.chars().count() <= MAX_DETAIL
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
