//! Snapshots for people and machines: the control socket, its one document, and the words made from it.
//!
//! The path of a question: `vrrpd status` → [`client`] → socket → [`server`] → the engine, which answers with a [`Report`] →
//! [`json::Status`], the one document of the socket → [`text`] or [`why`] in the asking process. Nothing here holds the
//! core, and nothing but [`json`] knows how a snapshot becomes fields.

pub mod client;
pub mod dump;
pub mod events;
pub mod json;
mod order;
pub mod server;
pub mod text;
pub mod why;

pub use events::{EventStatus, Journal};
pub use json::Status;
pub use order::{Order, Verdict};
pub use server::{Ask, BindError, ControlSocket, Desk, OrderRequest, ReloadRequest, Report, ReportRequest, serve};

use crate::model::{Instant, Micros};
use crate::proto::Problem;
use std::path::PathBuf;

/// Where a daemon listens and a client asks when nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/vrrpd/control.sock";

/// Environment variable that replaces [`DEFAULT_SOCKET`].
pub const SOCKET_VARIABLE: &str = "VRRPD_CONTROL";

/// The socket that was asked for: by `--control`, else by [`SOCKET_VARIABLE`]; `None` when neither says anything.
#[must_use]
pub fn asked_for(option: Option<PathBuf>) -> Option<PathBuf> {
    let variable = || std::env::var_os(SOCKET_VARIABLE).filter(|value| !value.is_empty());
    option.or_else(|| variable().map(PathBuf::from))
}

/// What the daemon knows of itself beside its core. Gathered anew for every report: a reload and a clock step change it.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonFacts {
    /// Version of vrrpd.
    pub version: String,
    /// Process id of the daemon.
    pub pid: u32,
    /// `router_id`, or the host name.
    pub router_id: String,
    /// The configuration file as given on the command line.
    pub config_path: String,
    /// Hex digits that change when any byte of any file read changes.
    pub config_hash: String,
    /// Wall clock at the reading of the configuration, seconds since 1970.
    pub config_loaded_at: i64,
    /// What ties the core's time to the wall clock.
    pub clock: ClockAnchor,
    /// What an operator should look at and the core does not know: lost log lines, missing rights, a busy ring.
    pub problems: Vec<Problem>,
}

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockAnchor {
    /// Monotonic.
    pub instant: Instant,
    /// Wall clock, since 1970.
    pub wall: Micros,
}

impl ClockAnchor {
    /// The wall clock's reading at another instant, to the millisecond. Moments that no calendar can hold become 1970.
    #[must_use]
    pub fn wall_at(&self, instant: Instant) -> jiff::Timestamp {
        let millis = i64::try_from(self.micros_at(instant).as_millis()).unwrap_or(0);
        jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// The wall clock's reading at another instant, since 1970.
    #[must_use]
    pub fn micros_at(&self, instant: Instant) -> Micros {
        if instant >= self.instant {
            self.wall + instant.since(self.instant)
        } else {
            self.wall.saturating_sub(self.instant.since(instant))
        }
    }
}
