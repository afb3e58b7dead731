//! The kernel: clock, sockets, netlink. Decides nothing about the protocol.

pub mod clock;
pub mod host;
pub mod logsink;
