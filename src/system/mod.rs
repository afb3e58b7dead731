//! The kernel: clock, sockets, netlink. Decides nothing about the protocol.

pub mod clock;
pub mod desired;
pub mod dumpfile;
pub mod host;
pub mod linkbeat;
pub mod logsink;
pub mod netlink;
pub mod socket;
