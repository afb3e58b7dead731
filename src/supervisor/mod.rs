//! The first process: it runs programs, guards what the daemon added, respawns the daemon, and keeps pid files and signals.

mod backoff;
mod client;
mod daemon_process;
mod fifo;
mod guard;
mod loader;
mod memory;
mod message;
mod observer;
mod once;
mod options;
mod pidfile;
mod program;
mod reload;
mod report;
mod run;
mod schedule;
mod scheduling;
mod supervise;
mod systemd;

pub use client::{
    Channel, DaemonMain, DaemonStart, MAX_BACKLOG, MAX_MESSAGE, Received, Receiver, SendError, Sender, Sent, channel,
    exit,
};
pub use loader::{ReadConfig, Reading};
pub use memory::Former;
pub use message::{GuardedAddress, LoadedConfig, Program, ProgramOutcome, ProgramRef, ToDaemon, ToSupervisor};
pub use observer::{ObserverMain, ObserverStart};
pub use options::{CalledAs, FOLLOWED, RunOptions};
pub use report::{ReloadAnswer, ReloadReport, unchangeable};
pub use run::{ParentData, Parts, enter_namespace, run};
