//! Route netlink: links and addresses of the host, watched and changed.

mod address;
mod command;
mod monitor;

pub use address::{add_request, delete_request};
pub use command::CommandSocket;
pub use monitor::{Monitor, News};
