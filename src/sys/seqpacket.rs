//! A pair of connected sockets that keep message boundaries and can carry a descriptor.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One end of a `SOCK_SEQPACKET` pair, non-blocking and close-on-exec. Several threads may use it at once: a message is
/// sent or received as a whole.
#[derive(Debug)]
pub struct Seqpacket(OwnedFd);

/// A message received.
#[derive(Debug)]
pub struct Datagram {
    /// How many bytes of the buffer are filled.
    pub len: usize,
    /// The descriptor that came with it, close-on-exec.
    pub fd: Option<OwnedFd>,
}

/// Room for messages on their way; the default would hold about 200 small ones.
const SEND_BUFFER: usize = 1 << 20;

impl Seqpacket {
    /// Two connected ends.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        for end in [&a, &b] {
            // Without CAP_NET_ADMIN the system's limit (net.core.wmem_max) caps the second call, which is good enough.
            if sockopt::set_socket_send_buffer_size_force(end, SEND_BUFFER).is_err() {
                sockopt::set_socket_send_buffer_size(end, SEND_BUFFER)?;
            }
        }
        Ok((Self(a), Self(b)))
    }

    /// Sends one message, with a copy of a descriptor if one is given.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the buffer is full, [`io::ErrorKind::BrokenPipe`] or
    /// [`io::ErrorKind::ConnectionReset`] when the other end is closed, `EMSGSIZE` when it is larger than the buffer.
    pub fn send(&self, message: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = fd.map(|fd| [fd]);
        let fits = fds
            .as_ref()
            .is_none_or(|fds| control.push(SendAncillaryMessage::ScmRights(fds)));
        if !fits {
            return Err(io::Error::other("no room for a descriptor"));
        }
        sendmsg(&self.0, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Takes one message; `None` when the other end is closed and everything that it sent has been read.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none, [`io::ErrorKind::InvalidData`] when it did not fit into `buffer`
    /// (it is lost then).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = loop {
            match recvmsg(
                &self.0,
                &mut [IoSliceMut::new(buffer)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Ok(message) => break message,
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        let fd = control.drain().find_map(|part| match part {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            RecvAncillaryMessage::ScmCredentials(_) | _ => None,
        });
        if message.flags.contains(ReturnFlags::TRUNC) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a message is larger than the buffer for it",
            ));
        }
        if message.bytes == 0 && fd.is_none() {
            return Ok(None);
        }
        Ok(Some(Datagram { len: message.bytes, fd }))
    }
}

impl From<OwnedFd> for Seqpacket {
    /// One end of a pair that came from elsewhere.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for Seqpacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::EventFd;

    #[test]
    fn messages_keep_their_boundaries_and_outlive_their_sender() {
        let (a, b) = Seqpacket::pair().unwrap();
        a.send(b"one", None).unwrap();
        a.send(b"three", None).unwrap();
        drop(a);
        let mut buffer = [0; 16];
        assert_eq!(b.receive(&mut buffer).unwrap().unwrap().len, 3);
        assert_eq!(b.receive(&mut buffer).unwrap().unwrap().len, 5);
        assert_eq!(&buffer[..5], b"three");
        assert!(b.receive(&mut buffer).unwrap().is_none(), "the end of the conversation");
        assert!(b.send(b"x", None).is_err());
    }

    #[test]
    fn a_descriptor_arrives_as_the_same_object() {
        let (a, b) = Seqpacket::pair().unwrap();
        let event = EventFd::new().unwrap();
        a.send(b"fd", Some(event.as_fd())).unwrap();
        let fd = b.receive(&mut [0; 4]).unwrap().unwrap().fd.unwrap();
        rustix::io::write(&fd, &3_u64.to_ne_bytes()).unwrap();
        assert_eq!(event.drain().unwrap(), 3);
    }

    #[test]
    fn an_empty_socket_would_block_and_a_full_one_too() {
        let (a, b) = Seqpacket::pair().unwrap();
        assert_eq!(b.receive(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut sent = 0;
        let error = loop {
            match a.send(&[0; 1024], None) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(sent > 20, "only {sent} messages fit");
    }

    #[test]
    fn a_message_that_does_not_fit_is_an_error_and_not_a_half_message() {
        let (a, b) = Seqpacket::pair().unwrap();
        a.send(b"too long", None).unwrap();
        assert_eq!(b.receive(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
