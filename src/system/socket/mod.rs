//! VRRP sockets and announcements.

mod announce;
mod claims;
mod receive;
mod send;

pub use announce::Announcer;
pub use claims::{Claim, ClaimWatcher};
pub use receive::{ReceiveBuffer, ReceiveSocket};
pub use send::SendSockets;
