//! How much room the kernel keeps for what has not been read from a netlink socket.

use crate::model::NetlinkBuffer;
use netlink_sys::Socket;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::AsFd;

/// What is configured (`*_rcv_bufs` and its `_force`), else so many bytes.
pub(super) fn set_wanted(socket: &Socket, wanted: NetlinkBuffer, otherwise: usize) -> io::Result<()> {
    match wanted.size.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)) {
        Some(bytes) if wanted.force => set_as_far_as_allowed(socket, bytes),
        Some(bytes) => Ok(setsockopt(&socket.as_fd(), sockopt::RcvBuf, &bytes)?),
        None => set_as_far_as_allowed(socket, otherwise),
    }
}

/// Beyond the system's limit where that is allowed, else up to it.
pub(super) fn set_as_far_as_allowed(socket: &Socket, bytes: usize) -> io::Result<()> {
    if setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &bytes).is_err() {
        setsockopt(&socket.as_fd(), sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}
