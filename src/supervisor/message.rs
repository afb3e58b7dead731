//! The typed messages between the supervisor and the daemon: JSON, one message a datagram of a `SOCK_SEQPACKET` pair.
//!
//! The daemon asks for programs by their place in the configuration that both hold; it never sends a path.

use crate::model::{Circumstances, FifoKind, IfIndex, Model, NotifyKind, NotifyOwner, RunId, ScriptId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What the daemon gets in the memory file: the configuration as the supervisor read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedConfig {
    /// Counts the configurations that were put in force, from 1.
    pub generation: u32,
    /// The file as given on the command line.
    pub path: String,
    /// Hex digits that change when any byte of any file read changes.
    pub hash: String,
    /// Wall clock at the reading, seconds since 1970.
    pub loaded_at: i64,
    /// Why checks and notifications that it asks for do not happen.
    #[serde(default)]
    pub disabled: Vec<String>,
    /// Settings that count only after a restart of the whole daemon, because it was started with others.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// What it means.
    pub model: Arc<Model>,
}

/// A program that the configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProgramRef {
    /// Of which configuration.
    pub generation: u32,
    /// Which program of it.
    pub program: Program,
}

/// Which program of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Program {
    /// A `vrrp_script`.
    Script(ScriptId),
    /// A `notify*` of an instance or a group.
    Notify(NotifyOwner, NotifyKind),
}

/// Daemon → supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// Everything is set up and the instances have their first state.
    Ready,
    /// Start a program; exactly one [`ToDaemon::Ended`] answers.
    Run {
        /// Name of the run.
        run: RunId,
        /// Which program.
        program: ProgramRef,
        /// What a notify program is told; nothing else is passed to any program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told: Option<Box<Circumstances>>,
    },
    /// Signal the process group of a run.
    Kill {
        /// Which run.
        run: RunId,
        /// SIGKILL instead of SIGTERM.
        hard: bool,
    },
    /// About to be added: remove these should the daemon die.
    GuardAdd(Vec<GuardedAddress>),
    /// Confirmed removed: forget these.
    GuardWithdraw(Vec<GuardedAddress>),
    /// Keep this for the next daemon, should this one die; it replaces what had the same key.
    Keep {
        /// Which part of the memory.
        key: String,
        /// Its text.
        text: String,
    },
    /// Keep this line of what happened as well.
    Happened(String),
    /// Somebody sent SIGHUP to the daemon.
    ReloadRequested,
    /// Somebody asked on the control socket and waits for a [`ToDaemon::ReloadVerdict`].
    ReloadAsked {
        /// Who.
        ask: u64,
        /// Only what it would do.
        dry_run: bool,
    },
    /// The configuration of this generation is in force.
    ReloadDone {
        /// Which.
        generation: u32,
    },
    /// The configuration of this generation could not be taken; the one before stays in force.
    ReloadFailed {
        /// Which.
        generation: u32,
        /// What was wrong.
        why: String,
    },
    /// Somebody sent SIGTERM or SIGINT to the daemon.
    StopRequested,
    /// The daemon has stopped in order and exits now.
    Stopped,
}

/// Supervisor → daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// A program ended or could not be started.
    Ended {
        /// Which run.
        run: RunId,
        /// How.
        outcome: ProgramOutcome,
    },
    /// The notify FIFOs of a new configuration follow; those of the old one are to be closed.
    CloseFifos,
    /// A notify FIFO of the configuration that follows; its descriptor comes with the message.
    Fifo(FifoKind),
    /// What is observed under the old configuration counts no more.
    CloseObserver,
    /// Files and processes are observed for the configuration of this generation; the socket comes with the message.
    Observer {
        /// Which.
        generation: u32,
    },
    /// A new configuration; the memory file comes with the message.
    Reload {
        /// Its generation.
        generation: u32,
    },
    /// Somebody waits for the verdict on a reload, and this configuration can be put in force: its memory file comes with the
    /// message. What is to be expected of it is told with the next verdict.
    Foresee,
    /// A reload was refused; the old configuration stays in force.
    ReloadRefused {
        /// Every problem, one a line.
        problems: Vec<String>,
    },
    /// The answer to a [`ToSupervisor::ReloadAsked`]. A memory file with the [`super::ReloadReport`] comes with it, if the files
    /// could be read at all.
    ReloadVerdict {
        /// Who asked.
        ask: u64,
        /// Why it was refused, or would be; nothing: it was taken, or would be.
        refused: Vec<String>,
    },
    /// Stop in order.
    Stop,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramOutcome {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
    /// It could not be started; the kernel's error number.
    NotStarted(i32),
}

/// An address that must not outlive the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GuardedAddress {
    /// On which link.
    pub interface: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_len: u8,
    /// The other end of a point-to-point address, without which the kernel does not find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
}
