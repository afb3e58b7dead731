//! Netlink: links and addresses of the host, watched and changed; processes, watched.

mod address;
mod buffer;
mod command;
mod monitor;
mod process;

pub use address::{add_request, delete_request};
pub use command::CommandSocket;
pub use monitor::{Monitor, News};
pub use process::{ProcessMonitor, ProcessNews};
