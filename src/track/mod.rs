//! Observers of files and processes, in a process of their own; what they see goes to the daemon, which decides what it means.
//!
//! Scripts run in the supervisor, links are told by `system::netlink`. Nothing here counts or waits for a delay: that is
//! `proto::tracking`'s. Each kind has its own thread, because reading may hang: a file's disk, a process that holds its memory.

mod connector;
mod files;
mod matching;
mod number;
mod proc;
mod processes;
mod scan;

use crate::proto::Observation;
use crate::supervisor::ObserverStart;
use crate::sys::{self, Capability, Seqpacket};
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, mpsc};

/// The largest message, bytes.
const MAX_MESSAGE: usize = 512;

/// The observers' end: tells the daemon.
#[derive(Debug, Clone)]
struct Teller(Arc<Seqpacket>);

impl Teller {
    /// Waits until the daemon has room; what happens meanwhile waits in the kernel, or is lost there and looked at again.
    fn tell(&self, observation: Observation) -> io::Result<()> {
        let message = serde_json::to_vec(&observation)?;
        loop {
            match self.0.send(&message, None) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::OUT)], None)?;
                }
                other => return other,
            }
        }
    }
}

impl AsFd for Teller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The daemon's end.
#[derive(Debug)]
pub struct Observer {
    socket: Seqpacket,
}

impl From<Seqpacket> for Observer {
    fn from(socket: Seqpacket) -> Self {
        Self { socket }
    }
}

/// What came from the observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// This.
    Observation(Observation),
    /// Nothing at present.
    Nothing,
    /// They are gone; the supervisor starts them again.
    Gone,
}

impl Observer {
    /// Takes the next observation.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for what is none; it is consumed.
    pub fn next(&self) -> io::Result<Seen> {
        let mut buffer = [0; MAX_MESSAGE];
        match self.socket.receive(&mut buffer) {
            Ok(Some(datagram)) => {
                let bytes = buffer.get(..datagram.len).unwrap_or_default();
                let seen = serde_json::from_slice(bytes);
                let refused = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                Ok(Seen::Observation(seen.map_err(refused)?))
            }
            Ok(None) => Ok(Seen::Gone),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Seen::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Observer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Says that a thread has ended, however it did, and with which exit status of the process.
struct Farewell(mpsc::Sender<i32>, i32);

impl Farewell {
    /// The daemon is gone, nothing else.
    fn in_order(mut self) {
        self.1 = 0;
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens any more: the process ends already.
        self.0.send(self.1).unwrap_or_default();
    }
}

/// The observers' process: runs until the daemon has gone (0), or something cannot be observed any more (1).
#[must_use]
pub fn observer_main(start: ObserverStart) -> i32 {
    let teller = Teller(Arc::new(start.socket));
    if start.write_init_files {
        start.files.iter().for_each(files::write_initial);
    }
    let monitor = (!start.processes.is_empty())
        .then(|| connector::open(start.process_buffer))
        .flatten();
    // What remains is to read, also what is not ours.
    if let Err(error) = sys::keep_capabilities(&[Capability::DacReadSearch, Capability::SysPtrace]) {
        tracing::warn!("the observers cannot give capabilities up: {error}");
    }
    let (farewell, ended) = mpsc::channel();
    let spawn = |name: &str, work: Box<dyn FnOnce() -> io::Result<()> + Send>| {
        let farewell = Farewell(farewell.clone(), 1);
        let thread = move || match work() {
            Ok(()) => farewell.in_order(),
            Err(error) => tracing::error!("cannot observe any more: {error}"),
        };
        std::thread::Builder::new().name(name.into()).spawn(thread)
    };
    let (files, processes) = (start.files, start.processes);
    let mut started = Vec::new();
    if !files.is_empty() {
        let teller = teller.clone();
        started.push(spawn("files", Box::new(move || files::watch(&files, &teller))));
    }
    if !processes.is_empty() {
        let watch = move || match monitor {
            Some(monitor) => connector::watch(&processes, &monitor, &teller),
            None => scan::watch(&processes, &teller),
        };
        started.push(spawn("processes", Box::new(watch)));
    }
    if let Some(Err(error)) = started.into_iter().find(Result::is_err) {
        tracing::error!("cannot start a thread that observes: {error}");
        return 1;
    }
    ended.recv().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TrackedFileId;
    use crate::proto::FileReading;

    #[test]
    fn observations_arrive_in_order_rubbish_is_refused_and_the_end_is_seen() {
        let (ours, theirs) = Seqpacket::pair().unwrap();
        let (teller, observer) = (Teller(Arc::new(theirs)), Observer::from(ours));
        assert_eq!(observer.next().unwrap(), Seen::Nothing);
        let seen = |number| Observation::File {
            file: TrackedFileId(0),
            reading: FileReading::Number(number),
        };
        teller.tell(seen(1)).unwrap();
        for rubbish in [&b"{\"Shutdown\":null}"[..], b"{\"File\":", &[b' '; 2 * MAX_MESSAGE]] {
            teller.0.send(rubbish, None).unwrap_or_default();
        }
        teller.tell(seen(2)).unwrap();
        let mut numbers = Vec::new();
        let mut refused = 0;
        while numbers.len() < 2 {
            match observer.next() {
                Ok(Seen::Observation(observation)) => numbers.push(observation),
                Ok(other) => panic!("{other:?}"),
                Err(_) => refused += 1,
            }
        }
        assert_eq!((numbers, refused), (vec![seen(1), seen(2)], 3));
        drop(teller);
        assert_eq!(observer.next().unwrap(), Seen::Gone);
    }
}
