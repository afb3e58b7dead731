//! vrrpd: a VRRP daemon that reads `keepalived.conf`, elects, moves addresses, and says what it did.
//!
//! The modules by level; each imports only from levels below (`tests/architecture.rs` checks it):
//!
//! ```text
//!   4   cli                                              one file per subcommand
//!   3   daemon          lab                              drivers and the process tree
//!   2   system   track   notify   control   supervisor   sim    adapters that wait or call the kernel; the virtual driver
//!   1   proto    config    sys                           decisions; text → model; safe wrappers of the kernel
//!   0   model    wire                                    nouns; bytes
//! ```
//!
//! Life of an advert: `system::socket` reads it → [`proto::Event::Packet`] → `daemon::engine` adds the time →
//! [`proto::Core::handle`] → [`proto::Action`]s → `daemon::engine` hands them to `system`, `supervisor` and the logs.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod lab;
pub mod model;
pub mod notify;
pub mod proto;
pub mod sim;
pub mod supervisor;
pub mod sys;
pub mod system;
pub mod track;
pub mod wire;
