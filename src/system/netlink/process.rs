//! The proc connector: the kernel tells of every fork, exec, new name and exit (`linux/cn_proc.h`).
//!
//! It exists in the initial network, process and user namespace only, and wants CAP_NET_ADMIN.

use super::buffer::{set_as_far_as_allowed, set_wanted};
use crate::model::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `CN_IDX_PROC` and `CN_VAL_PROC`; the first is the multicast group as well.
const PROC: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// Lengths of `nlmsghdr`, `cn_msg` and of the fixed part of `proc_event`.
const HEADER: usize = 16;
const CONNECTOR: usize = 20;
const EVENT: usize = 16;
/// Room for some ten thousand events while the reader is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// News that are lost even with so much room will be lost with any.
const MAX_RECEIVE_BUFFER: usize = 64 << 20;
/// How long the kernel may take to confirm (keepalived's time).
const CONFIRMATION: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// What happened to a process. Threads are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessNews {
    /// The kernel confirms that it tells.
    Confirmed,
    /// A process made another one.
    Forked {
        /// Who.
        parent: u32,
        /// The new one.
        child: u32,
    },
    /// It executes another program, or has another name.
    Changed(u32),
    /// It ended.
    Ended(u32),
    /// Some news are lost: everything has to be looked at again.
    Overrun,
}

/// The socket that tells.
#[derive(Debug)]
pub struct ProcessMonitor {
    socket: Socket,
}

impl ProcessMonitor {
    /// Asks the kernel to tell, and waits for its confirmation. `wanted`: `process_monitor_rcv_bufs` and its `_force`.
    ///
    /// # Errors
    /// When the kernel refuses, or does not confirm, as outside of the initial namespaces.
    pub fn new(wanted: NetlinkBuffer) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        set_wanted(&socket, wanted, RECEIVE_BUFFER)?;
        socket.bind(&SocketAddr::new(0, PROC))?;
        socket.set_non_blocking(true)?;
        socket.send_to(&request(LISTEN), &SocketAddr::new(0, 0), 0)?;
        let monitor = Self { socket };
        let mut fds = [PollFd::from_borrowed_fd(monitor.socket.as_fd(), PollFlags::IN)];
        if poll(&mut fds, Some(&CONFIRMATION))? == 0 || monitor.read()?.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel does not confirm that it tells of processes",
            ));
        }
        Ok(monitor)
    }

    /// Twice the room for the next time; how many bytes that is now.
    ///
    /// # Errors
    /// When the kernel refuses, or the room is as large as it may become.
    pub fn grow(&self) -> io::Result<usize> {
        let get = |socket: &Socket| getsockopt(&socket.as_fd(), sockopt::RcvBuf);
        // The kernel tells twice what was asked for, so asking for that is twice as much.
        let wanted = get(&self.socket)?;
        if wanted > MAX_RECEIVE_BUFFER {
            return Err(io::Error::other(format!("it has {wanted} bytes already")));
        }
        set_as_far_as_allowed(&self.socket, wanted)?;
        Ok(get(&self.socket)? / 2)
    }

    /// What has happened since the last call.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn read(&self) -> io::Result<Vec<ProcessNews>> {
        let mut news = Vec::new();
        loop {
            let mut buffer = Vec::with_capacity(4096);
            match self.socket.recv_from(&mut buffer, libc::MSG_DONTWAIT) {
                // Only the kernel is believed.
                Ok((_, from)) if from.port_number() == 0 => news.extend(parse(&buffer)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(news),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => news.push(ProcessNews::Overrun),
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for ProcessMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn request(operation: u32) -> Vec<u8> {
    let length = u32::try_from(HEADER + CONNECTOR + 4).unwrap_or(0);
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(DONE.to_ne_bytes());
    message.extend([0; 10]); // flags, sequence, port
    message.extend(PROC.to_ne_bytes());
    message.extend(PROC.to_ne_bytes());
    message.extend([0; 8]); // sequence, acknowledgement
    message.extend(4_u16.to_ne_bytes());
    message.extend([0; 2]); // flags
    message.extend(operation.to_ne_bytes());
    message
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

/// What a datagram says. Anything that is no such message is left out.
fn parse(datagram: &[u8]) -> Option<ProcessNews> {
    let length = usize::try_from(number(datagram, 0)?).ok()?;
    let message = datagram.get(..length)?.get(HEADER..)?;
    if (number(message, 0)?, number(message, 4)?) != (PROC, PROC) {
        return None;
    }
    let event = message.get(CONNECTOR..)?;
    let field = |index: usize| number(event, EVENT + 4 * index);
    match number(event, 0)? {
        0 => Some(ProcessNews::Confirmed),
        // parent's thread and process, child's thread and process
        1 if field(2)? == field(3)? => Some(ProcessNews::Forked {
            parent: field(1)?,
            child: field(3)?,
        }),
        // thread and process. Exec makes the calling thread the process's first.
        2 => Some(ProcessNews::Changed(field(1)?)),
        0x200 if field(0)? == field(1)? => Some(ProcessNews::Changed(field(1)?)),
        0x8000_0000 if field(0)? == field(1)? => Some(ProcessNews::Ended(field(1)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: u32, fields: &[u32]) -> Vec<u8> {
        let mut message = request(0);
        message.truncate(HEADER + CONNECTOR);
        message.extend(what.to_ne_bytes());
        message.extend([0; 12]);
        fields.iter().for_each(|field| message.extend(field.to_ne_bytes()));
        let length = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&length.to_ne_bytes());
        message
    }

    #[test]
    fn news_of_processes_are_read_and_those_of_threads_are_not() {
        for (what, fields, expected) in [
            (0, &[0_u32, 0, 0, 0][..], Some(ProcessNews::Confirmed)),
            (1, &[8, 7, 9, 9], Some(ProcessNews::Forked { parent: 7, child: 9 })),
            (1, &[8, 7, 9, 7], None),
            (2, &[8, 7], Some(ProcessNews::Changed(7))),
            (0x200, &[7, 7, 0, 0, 0, 0], Some(ProcessNews::Changed(7))),
            (0x200, &[8, 7, 0, 0, 0, 0], None),
            (0x8000_0000, &[7, 7, 0, 17, 1, 1], Some(ProcessNews::Ended(7))),
            (0x8000_0000, &[8, 7, 0, 17, 1, 1], None),
            (4, &[7, 7, 0, 0], None),
        ] {
            assert_eq!(parse(&event(what, fields)), expected, "{what} {fields:?}");
        }
    }

    #[test]
    fn no_bytes_whatever_make_it_panic() {
        let mut random = 7_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let kinds = [0, 1, 2, 0x200, 0x8000_0000];
        let mut understood = 0;
        for round in 0..100_000 {
            let mut message = event(kinds[round % kinds.len()], &[1, 1, 2, 2]);
            for _ in 0..next() % 4 {
                let at = usize::try_from(next()).unwrap() % message.len();
                message[at] = next().to_ne_bytes()[0];
            }
            message.truncate(usize::try_from(next()).unwrap() % (message.len() + 1));
            understood += usize::from(parse(&message).is_some());
        }
        assert!((1..100_000).contains(&understood), "{understood} were understood");
    }
}
