//! Asks daemons for their status without ever waiting for one: a daemon that hangs must not stop the lab's clock.

use super::node::NodeId;
use crate::control::{Status, client};
use crate::model::{Instant, Micros};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 20;

/// When an answer is no longer waited for.
const PATIENCE: Micros = Micros::from_secs(2);

/// A question that is under way.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) node: NodeId,
    stream: UnixStream,
    answer: Vec<u8>,
    asked: Instant,
}

/// What has become of a question.
#[derive(Debug)]
pub(super) enum Progress {
    /// The answer may still come.
    Waiting,
    /// There is none.
    Silence,
    /// This is it.
    Answer(Box<Status>),
}

impl Question {
    /// Asks the daemon behind a control socket.
    ///
    /// # Errors
    /// When nobody listens, or nobody has taken the last questions.
    pub(super) fn ask(node: NodeId, path: &Path, now: Instant) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        let mut stream = UnixStream::from(fd);
        stream.write_all(client::STATUS_REQUEST)?;
        Ok(Self {
            node,
            stream,
            answer: Vec::new(),
            asked: now,
        })
    }

    /// Reads what has come.
    pub(super) fn progress(&mut self, now: Instant) -> Progress {
        let mut buffer = [0; 16_384];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Progress::Silence,
                Ok(count) => self.answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Progress::Silence,
            }
            if self.answer.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.answer);
                return client::understand(&line)
                    .map_or(Progress::Silence, |status| Progress::Answer(Box::new(status)));
            }
            if self.answer.len() > LONGEST {
                return Progress::Silence;
            }
        }
        if now.since(self.asked) > PATIENCE {
            Progress::Silence
        } else {
            Progress::Waiting
        }
    }
}

impl AsFd for Question {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
