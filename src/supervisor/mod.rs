//! The first process: it runs programs, guards what the daemon added, respawns the daemon, and keeps pid files and signals.

mod client;
mod guard;
mod message;
mod options;
mod program;

pub use client::{
    Channel, DaemonMain, DaemonStart, MAX_BACKLOG, MAX_MESSAGE, Received, Receiver, SendError, Sender, Sent, channel,
    exit,
};
pub use message::{GuardedAddress, LoadedConfig, Program, ProgramOutcome, ProgramRef, ToDaemon, ToSupervisor};
pub use options::{CalledAs, RunOptions};
