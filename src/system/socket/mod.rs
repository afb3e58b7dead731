//! VRRP sockets and announcements.

mod announce;
mod receive;
mod send;

pub use announce::Announcer;
pub use receive::{ReceiveBuffer, ReceiveSocket};
pub use send::SendSockets;
