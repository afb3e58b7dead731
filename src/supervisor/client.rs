//! The two ends of the channel between supervisor and daemon, and what the daemon is started with.
//!
//! Messages are JSON, one a datagram. Nothing here waits: what the socket does not take is kept in a bounded backlog and
//! sent later. A thread of the daemon that sends has its own clone of the [`Sender`]; messages of one clone keep their
//! order, and reach the supervisor even if the daemon dies right after they were sent.

use super::memory::Former;
use super::message::{LoadedConfig, ToDaemon, ToSupervisor};
use super::options::RunOptions;
use crate::model::FifoKind;
use crate::sys::{self, Heartbeat, Seqpacket};
use crate::system::logsink::Log;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What the daemon gets at its start. It owns all of it.
#[derive(Debug)]
pub struct DaemonStart {
    /// Its end of the channel.
    pub channel: Channel<ToSupervisor, ToDaemon>,
    /// The configuration in force.
    pub config: LoadedConfig,
    /// What the daemon before this one has left, if it died.
    pub former: Option<Former>,
    /// Its notify FIFOs.
    pub fifos: Vec<(FifoKind, File)>,
    /// Where observations of files and processes come from, if there are any.
    pub observer: Option<Seqpacket>,
    /// How the run was asked for.
    pub options: RunOptions,
    /// To be moved on by the engine whenever it wakes.
    pub heartbeat: Heartbeat,
    /// Whether the supervisor kills a daemon whose heartbeat stands still; then it has to move at least twice a second.
    pub heartbeat_watched: bool,
    /// The log, open and installed, with the daemon's own name.
    pub log: Log,
}

/// The daemon's main function: runs until it is to stop, and returns the exit status. It is called in a process with one
/// thread, with SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE and all real-time signals blocked; SIGTERM comes
/// when the supervisor dies.
pub type DaemonMain = fn(DaemonStart) -> i32;

/// Exit statuses of the daemon and of the whole program with a meaning (keepalived's).
pub mod exit {
    /// In order.
    pub const OK: i32 = 0;
    /// A bad option, or something that starting again would not heal.
    pub const FATAL: i32 = 1;
    /// The configuration cannot be run.
    pub const CONFIG: i32 = 2;
    /// A right is missing.
    pub const MISSING_PERMISSION: i32 = 4;
    /// There is no configuration file.
    pub const NO_CONFIG: i32 = 6;
}

/// The largest message either way, bytes.
pub const MAX_MESSAGE: usize = 64 << 10;
/// Messages that one sender keeps while the other side does not read.
pub const MAX_BACKLOG: usize = 4096;
/// Addresses in one message; longer lists are split by [`Sender::send_guard`].
const GUARD_CHUNK: usize = 256;

/// One end: sends `Out`, receives `In`.
#[derive(Debug)]
pub struct Channel<Out, In> {
    /// The sending half; clone it for further threads.
    pub sender: Sender<Out>,
    /// The receiving half.
    pub receiver: Receiver<In>,
}

/// Both ends of a new channel: the supervisor's and the daemon's.
///
/// # Errors
/// When no descriptors are left.
pub fn channel() -> io::Result<(Channel<ToDaemon, ToSupervisor>, Channel<ToSupervisor, ToDaemon>)> {
    let (a, b) = Seqpacket::pair()?;
    Ok((Channel::new(a), Channel::new(b)))
}

impl<Out: Serialize, In: DeserializeOwned> Channel<Out, In> {
    fn new(socket: Seqpacket) -> Self {
        let socket = Arc::new(socket);
        Self {
            sender: Sender {
                socket: Arc::clone(&socket),
                backlog: VecDeque::new(),
                messages: PhantomData,
            },
            receiver: Receiver {
                socket,
                buffer: vec![0; MAX_MESSAGE],
                messages: PhantomData,
            },
        }
    }
}

impl<Out, In> AsFd for Channel<Out, In> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Sender<Out> {
    socket: Arc<Seqpacket>,
    backlog: VecDeque<Vec<u8>>,
    messages: PhantomData<fn(&Out)>,
}

impl<Out> Clone for Sender<Out> {
    /// Another sender on the same socket, with an empty backlog.
    fn clone(&self) -> Self {
        Self {
            socket: Arc::clone(&self.socket),
            backlog: VecDeque::new(),
            messages: PhantomData,
        }
    }
}

/// What became of a message that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The other side will read it whatever happens to us.
    Now,
    /// It waits; call [`Sender::flush`] when the socket is writable.
    Later,
}

/// Why a message was not sent.
#[derive(Debug)]
pub enum SendError {
    /// The other side is gone.
    Closed,
    /// [`MAX_BACKLOG`] messages wait already.
    Full,
    /// It is longer than [`MAX_MESSAGE`], or cannot be written as JSON.
    TooLarge,
    /// The kernel refused.
    Io(io::Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other process is gone"),
            Self::Full => write!(f, "the other process does not read: {MAX_BACKLOG} messages wait"),
            Self::TooLarge => write!(f, "a message is longer than {MAX_MESSAGE} bytes"),
            Self::Io(error) => write!(f, "send to the other process: {error}"),
        }
    }
}

impl std::error::Error for SendError {}

impl<Out: Serialize> Sender<Out> {
    /// Sends a message, after those that wait.
    ///
    /// # Errors
    /// See [`SendError`]; the message is not kept then.
    pub fn send(&mut self, message: &Out) -> Result<Sent, SendError> {
        let bytes = serde_json::to_vec(message).map_err(|_| SendError::TooLarge)?;
        if bytes.len() > MAX_MESSAGE {
            return Err(SendError::TooLarge);
        }
        if self.flush()? == Sent::Now {
            match self.socket.send(&bytes, None) {
                Ok(()) => return Ok(Sent::Now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.backlog.len() >= MAX_BACKLOG {
            return Err(SendError::Full);
        }
        self.backlog.push_back(bytes);
        Ok(Sent::Later)
    }

    /// Sends a message with a descriptor, or not at all.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::Full`] also when the message would have to wait.
    pub fn send_with(&mut self, message: &Out, fd: impl AsFd) -> Result<(), SendError> {
        let bytes = serde_json::to_vec(message).map_err(|_| SendError::TooLarge)?;
        if self.flush()? == Sent::Later {
            return Err(SendError::Full);
        }
        match self.socket.send(&bytes, Some(fd.as_fd())) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Sends what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// When the other side is gone.
    pub fn flush(&mut self) -> Result<Sent, SendError> {
        while let Some(first) = self.backlog.front() {
            match self.socket.send(first, None) {
                Ok(()) => drop(self.backlog.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Later),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Sent::Now)
    }
}

impl Sender<ToSupervisor> {
    /// Tells the guard of addresses, in as many messages as it takes. `false` adds, `true` withdraws.
    ///
    /// # Errors
    /// See [`SendError`]; a part may have been sent then.
    pub fn send_guard(
        &mut self,
        addresses: &[super::message::GuardedAddress],
        withdraw: bool,
    ) -> Result<Sent, SendError> {
        let mut sent = Sent::Now;
        for chunk in addresses.chunks(GUARD_CHUNK) {
            let chunk = chunk.to_vec();
            sent = self.send(&if withdraw {
                ToSupervisor::GuardWithdraw(chunk)
            } else {
                ToSupervisor::GuardAdd(chunk)
            })?;
        }
        Ok(sent)
    }
}

impl Sender<ToSupervisor> {
    /// Gives the supervisor a part of our memory to keep.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn keep(&mut self, key: String, part: &impl Serialize) -> Result<Sent, SendError> {
        let text = serde_json::to_string(part).map_err(|_| SendError::TooLarge)?;
        self.send(&ToSupervisor::Keep { key, text })
    }
}

impl<Out> AsFd for Sender<Out> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<io::Error> for SendError {
    fn from(error: io::Error) -> Self {
        const CLOSED: [io::ErrorKind; 3] = [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::NotConnected,
        ];
        if CLOSED.contains(&error.kind()) {
            Self::Closed
        } else {
            Self::Io(error)
        }
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver<In> {
    socket: Arc<Seqpacket>,
    buffer: Vec<u8>,
    messages: PhantomData<fn() -> In>,
}

/// What came.
#[derive(Debug)]
pub enum Received<In> {
    /// A message, perhaps with a descriptor.
    Message(In, Option<OwnedFd>),
    /// Nothing at present.
    Nothing,
    /// The other side is gone, and everything that it sent has been read.
    Closed,
}

impl<In: DeserializeOwned> Receiver<In> {
    /// Takes the next message.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for one that is no message; it is consumed, so that the next call goes on behind it.
    pub fn receive(&mut self) -> io::Result<Received<In>> {
        let datagram = match self.socket.receive(&mut self.buffer) {
            Ok(Some(datagram)) => datagram,
            Ok(None) => return Ok(Received::Closed),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) => return Err(error),
        };
        let bytes = self.buffer.get(..datagram.len).unwrap_or_default();
        // Whatever is wrong with it, a text that ends too early as well.
        let message =
            serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Received::Message(message, datagram.fd))
    }
}

impl<In> AsFd for Receiver<In> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl LoadedConfig {
    /// Reads a configuration from the memory file that came with [`ToDaemon::Reload`].
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(file: &File) -> io::Result<Self> {
        Ok(serde_json::from_reader(sys::reader(file))?)
    }

    /// Writes it into a new memory file, which nobody can change any more.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn to_memory_file(&self) -> io::Result<File> {
        let file = sys::memory_file("configuration")?;
        let mut writer = io::BufWriter::new(&file);
        serde_json::to_writer(&mut writer, self)?;
        io::Write::flush(&mut writer)?;
        drop(writer);
        sys::seal(&file)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IfIndex, Model, RunId};
    use crate::supervisor::{GuardedAddress, ProgramOutcome};

    #[test]
    fn messages_arrive_in_order_and_survive_their_sender() {
        let (mut supervisor, mut daemon) = channel().unwrap();
        assert_eq!(daemon.sender.send(&ToSupervisor::Ready).unwrap(), Sent::Now);
        let addresses: Vec<GuardedAddress> = (0..600)
            .map(|number| GuardedAddress {
                interface: IfIndex(number),
                address: "2001:db8::1".parse().unwrap(),
                prefix_len: 64,
                peer: None,
            })
            .collect();
        daemon.sender.send_guard(&addresses, false).unwrap();
        drop(daemon);
        let mut guarded = Vec::new();
        let mut messages = 0;
        loop {
            match supervisor.receiver.receive().unwrap() {
                Received::Message(ToSupervisor::GuardAdd(some), None) => guarded.extend(some),
                Received::Message(message, _) => assert_eq!(message, ToSupervisor::Ready),
                Received::Closed => break,
                Received::Nothing => panic!("an end must be reported"),
            }
            messages += 1;
        }
        assert_eq!((messages, guarded), (4, addresses));
        assert!(matches!(
            supervisor.sender.send(&ToDaemon::Stop),
            Err(SendError::Closed)
        ));
    }

    #[test]
    fn what_the_socket_does_not_take_waits_in_order_and_within_a_bound() {
        let (mut supervisor, mut daemon) = channel().unwrap();
        let ended = |run| ToDaemon::Ended {
            run: RunId(run),
            outcome: ProgramOutcome::Exited(0),
        };
        let mut sent = 0;
        let error = loop {
            match supervisor.sender.send(&ended(sent)) {
                Ok(_) => sent += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SendError::Full), "{error}");
        for run in 0..sent {
            let message = match daemon.receiver.receive().unwrap() {
                Received::Nothing => {
                    supervisor.sender.flush().unwrap();
                    daemon.receiver.receive().unwrap()
                }
                other @ (Received::Message(..) | Received::Closed) => other,
            };
            assert!(matches!(message, Received::Message(message, None) if message == ended(run)));
        }
        assert!(matches!(daemon.receiver.receive().unwrap(), Received::Nothing));
    }

    #[test]
    fn a_configuration_arrives_as_it_was_sent() {
        let config = LoadedConfig {
            generation: 3,
            path: "/etc/vrrpd/vrrpd.conf".to_owned(),
            hash: "ab".to_owned(),
            loaded_at: 7,
            disabled: Vec::new(),
            waiting: Vec::new(),
            model: Model::default().into(),
        };
        let (mut supervisor, mut daemon) = channel().unwrap();
        let file = config.to_memory_file().unwrap();
        supervisor
            .sender
            .send_with(&ToDaemon::Reload { generation: 3 }, &file)
            .unwrap();
        let Received::Message(ToDaemon::Reload { generation: 3 }, Some(fd)) = daemon.receiver.receive().unwrap() else {
            panic!("no reload came");
        };
        assert_eq!(LoadedConfig::read(&fd.into()).unwrap(), config);
    }

    #[test]
    fn rubbish_is_refused_and_the_next_message_still_comes() {
        let (a, b) = Seqpacket::pair().unwrap();
        let mut receiver = Channel::<ToSupervisor, ToDaemon>::new(b).receiver;
        a.send(b"{\"Launch\":\"/bin/sh\"}", None).unwrap();
        a.send(b"\"Stop\"", None).unwrap();
        assert_eq!(receiver.receive().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(matches!(
            receiver.receive().unwrap(),
            Received::Message(ToDaemon::Stop, None)
        ));
    }
}
