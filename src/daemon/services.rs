//! The services thread: everything slow. Today the log and snapshots; a slow disk or client reaches nobody else.

use super::ring::Ring;
use super::wording;
use crate::proto::{LogEvent, Snapshot};
use crate::supervisor::DaemonStart;
use crate::sys::{Epoll, Events, Interest};
use crate::system::logsink::Severity;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Log lines and answers that wait.
const RING: usize = 4096;
/// Requests for a snapshot that wait for the engine.
const REQUESTS: usize = 16;

/// What the engine hands over.
#[derive(Debug)]
pub(super) enum Slow {
    /// A line for the log.
    Line(LogEvent),
    /// An answer to a request, and the path of the configuration.
    #[expect(dead_code, reason = "the control socket that reads it is being built")]
    Snapshot(Box<Snapshot>, String),
}

/// The engine's ends.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) slow: Ring<Slow>,
    pub(super) requests: Ring<()>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Services {
    /// Writes what waits and ends the thread.
    pub(super) fn stop(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.slow.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the services thread failed");
        }
    }
}

pub(super) fn start(start: &DaemonStart) -> io::Result<Services> {
    let (slow, requests) = (Ring::<Slow>::new(RING)?, Ring::new(REQUESTS)?);
    let ending = Arc::new(AtomicBool::new(false));
    let (log, inbox, end) = (start.log.clone(), slow.clone(), Arc::clone(&ending));
    let epoll = Epoll::new()?;
    epoll.add(&inbox, 0, Interest::Readable)?;
    let thread = std::thread::Builder::new().name("services".into()).spawn(move || {
        let mut events = Events::with_capacity(2);
        loop {
            let ending = end.load(Ordering::Acquire);
            inbox.drain_wake();
            while let Some(slow) = inbox.pop() {
                match slow {
                    Slow::Line(event) => log.write(wording::severity(&event), &wording::words(&event)),
                    Slow::Snapshot(..) => {}
                }
            }
            let dropped = inbox.take_dropped();
            if dropped > 0 {
                log.write(
                    Severity::Warning,
                    &format!("{dropped} log lines were lost: they came faster than they could be written"),
                );
            }
            if ending || epoll.wait(&mut events, None).is_err() {
                return;
            }
        }
    })?;
    Ok(Services {
        slow,
        requests,
        ending,
        thread: Some(thread),
    })
}
