//! The first process: it runs programs, guards what the daemon added, respawns the daemon, and keeps pid files and signals.

mod message;

pub use message::{GuardedAddress, LoadedConfig, Program, ProgramOutcome, ProgramRef, ToDaemon, ToSupervisor};
