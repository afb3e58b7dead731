//! Programs in nodes: started, watched, read, signalled.

use super::node::{Namespaces, NodeId};
use super::sandbox::context;
use crate::sys;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, execve, pipe2, setsid};
use std::collections::BTreeSet;
use std::ffi::{CString, NulError};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;

/// A program's place in its [`super::Lab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramId(pub usize);

/// A program that was started in a node.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) node: NodeId,
    /// What it is called in the story.
    pub(super) name: String,
    /// The process that was started, as the lab numbers it.
    pub(super) leader: Pid,
    /// Its stdout and stderr, until both are closed by everybody.
    pub(super) output: Option<OwnedFd>,
    /// The beginning of a line whose end has not come yet.
    pub(super) partial: Vec<u8>,
    /// How the leader ended.
    pub(super) ended: Option<i32>,
}

/// A process, as the lab sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// The last part of the path of its executable file; empty when it cannot be read.
    pub file: String,
    /// Its short name.
    pub name: String,
    /// The letter of its state: `T` = stopped, `Z` = dead and not yet buried.
    pub state: char,
}

/// What a new process does in the node.
pub(super) enum Work<'a> {
    /// Runs a program.
    Program(&'a [String]),
    /// Runs a function of ours.
    Function(&'a dyn Fn() -> u8),
}

/// Starts a process in a node: its own session, nothing on stdin, stdout and stderr in one pipe.
pub(super) fn start(node: &Namespaces, lab: &Namespaces, work: &Work<'_>) -> io::Result<(Pid, OwnedFd)> {
    let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
    nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    node.give_birth_here()?;
    let born = sys::fork(|| match prepare(node, &input) {
        Ok(()) => match work {
            Work::Program(words) => {
                complain(&execute(words));
                127
            }
            Work::Function(function) => function(),
        },
        Err(error) => {
            complain(&error);
            126
        }
    });
    lab.give_birth_here()?;
    Ok((born?, output))
}

/// Does something in the node's network, files and name, in a process of its own, and waits for it.
pub(super) fn inside(node: &Namespaces, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (answer, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let child = sys::fork(|| match node.enter().and_then(|()| work()) {
        Ok(()) => 0,
        Err(error) => {
            // Whoever waits for the answer has died if this fails.
            nix::unistd::write(&tell, error.to_string().as_bytes()).unwrap_or_default();
            1
        }
    })?;
    drop(tell);
    let mut text = String::new();
    File::from(answer).read_to_string(&mut text)?;
    if waitpid(child, None)? == WaitStatus::Exited(child, 0) {
        Ok(())
    } else {
        Err(io::Error::other(text))
    }
}

fn prepare(node: &Namespaces, output: &OwnedFd) -> io::Result<()> {
    node.enter()?;
    setsid()?;
    sys::default_signals()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(output)?;
    dup2_stderr(output)?;
    std::env::set_current_dir("/")
}

/// Becomes another program; returns only when that fails.
fn execute(words: &[String]) -> io::Error {
    let strings =
        || -> Result<Vec<CString>, NulError> { words.iter().map(|word| CString::new(word.as_str())).collect() };
    let environment = [
        c"PATH=/run/.programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        c"LANG=C",
        c"HOME=/",
    ];
    match strings() {
        Ok(words) => match words.first() {
            Some(path) => match execve(path, &words, &environment) {
                Ok(never) => match never {},
                Err(error) => context(&format!("run {}", path.to_string_lossy()), error),
            },
            None => io::Error::other("no program given"),
        },
        Err(error) => error.into(),
    }
}

/// On the new process's stderr, which is the program's output in the story.
fn complain(error: &io::Error) {
    nix::unistd::write(io::stderr(), format!("lab: {error}\n").as_bytes()).unwrap_or_default();
}

/// All living processes of a node but its process 1.
pub(super) fn of_node(init: Pid) -> io::Result<Vec<Process>> {
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid"));
    let ours = namespace(init.as_raw())?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // A process may end between two looks at it; then it is no more of interest.
        if pid == init.as_raw() || namespace(pid).map_or(true, |theirs| theirs != ours) {
            continue;
        }
        found.extend(read_process(pid));
    }
    Ok(found)
}

fn read_process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (front, back) = stat.rsplit_once(')')?;
    let mut fields = back.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let file = fs::read_link(format!("/proc/{pid}/exe"))
        .ok()
        .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .unwrap_or_default();
    Some(Process {
        pid,
        parent,
        // The kernel marks the file of a program that was replaced while it ran.
        file: file.trim_end_matches(" (deleted)").to_owned(),
        name: front.split_once('(')?.1.to_owned(),
        state,
    })
}

/// The processes of a program: the one that was started, and its descendants.
pub(super) fn family(all: &[Process], leader: Pid) -> Vec<Process> {
    let mut members: BTreeSet<i32> = all.iter().filter(|p| p.pid == leader.as_raw()).map(|p| p.pid).collect();
    loop {
        let before = members.len();
        members.extend(
            all.iter()
                .filter(|p| members.contains(&p.parent))
                .map(|p| p.pid)
                .collect::<Vec<_>>(),
        );
        if members.len() == before {
            break;
        }
    }
    all.iter()
        .filter(|p| members.contains(&p.pid) && p.state != 'Z')
        .cloned()
        .collect()
}

/// Sends a signal; a process that is gone already is no error.
pub(super) fn signal(pid: i32, signal: Signal) -> io::Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(context(&format!("send {signal} to process {pid}"), error)),
    }
}
