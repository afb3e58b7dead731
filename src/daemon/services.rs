//! The services thread: everything slow. The log and the control socket; a slow disk or client reaches nobody else.

use super::ring::Ring;
use super::wording;
use crate::control::{self, ClockAnchor, ControlSocket, DaemonFacts, Report, ReportRequest};
use crate::proto::{LogEvent, Snapshot};
use crate::supervisor::DaemonStart;
use crate::system::clock;
use crate::system::logsink::{Log, Severity};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

/// Log lines and answers that wait.
const RING: usize = 4096;
/// Requests for a snapshot that wait for the engine.
const REQUESTS: usize = 16;

/// What the engine hands over.
#[derive(Debug)]
pub(super) enum Slow {
    /// A line for the log.
    Line(LogEvent),
    /// An answer to a request.
    Taken(Box<Taken>),
}

/// A snapshot and the configuration that was in force.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) snapshot: Snapshot,
    pub(super) router_id: Option<String>,
    pub(super) path: String,
    pub(super) hash: String,
    pub(super) loaded_at: i64,
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
    let desk = Desk {
        inbox: slow.clone(),
        engine: requests.clone(),
        ending: Arc::clone(&ending),
        log: start.log.clone(),
        waiting: Vec::new(),
    };
    let path = control::asked_for(start.options.control.clone()).unwrap_or_else(|| control::DEFAULT_SOCKET.into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("services".into())
        .spawn(move || runtime.block_on(run(desk, path)))?;
    Ok(Services {
        slow,
        requests,
        ending,
        thread: Some(thread),
    })
}

/// Serves the control socket, if there can be one, and the log until the end.
async fn run(desk: Desk, path: PathBuf) {
    let (ask, questions) = mpsc::channel(REQUESTS);
    let (end, ended) = oneshot::channel::<()>();
    let control = async {
        match ControlSocket::bind(&path).await {
            Ok(socket) => {
                if let Some(warning) = socket.warning() {
                    tracing::warn!("{warning}");
                }
                let stop = async {
                    // An error means that the other end was dropped, which says the same.
                    ended.await.unwrap_or_default();
                };
                control::serve(socket, ask, stop).await;
            }
            Err(error) => tracing::warn!("{error}"),
        }
    };
    tokio::join!(control, desk.work(questions, end));
}

/// Takes what the engine hands over.
struct Desk {
    inbox: Ring<Slow>,
    engine: Ring<()>,
    ending: Arc<AtomicBool>,
    log: Log,
    waiting: Vec<ReportRequest>,
}

impl Desk {
    async fn work(mut self, mut questions: mpsc::Receiver<ReportRequest>, end: oneshot::Sender<()>) {
        #[expect(
            deprecated,
            reason = "its successor is no safe function; this ring keeps its descriptor as long as it lives"
        )]
        let registered = AsyncFd::new(self.inbox.clone());
        let readable = match registered {
            Ok(readable) => readable,
            Err(error) => {
                self.log.write(
                    Severity::Error,
                    &format!("the services thread cannot wait for the engine: {error}"),
                );
                return;
            }
        };
        let mut open = true;
        loop {
            let ending = self.ending.load(Ordering::Acquire);
            self.inbox.drain_wake();
            self.take_all();
            if ending {
                // Ends the control socket as well; nobody may be there any more.
                drop(end);
                return;
            }
            tokio::select! {
                ready = readable.readable() => {
                    if let Ok(mut guard) = ready {
                        guard.clear_ready();
                    }
                }
                question = questions.recv(), if open => match question {
                    Some(question) => {
                        self.waiting.push(question);
                        self.engine.push_or_count(());
                    }
                    None => open = false,
                },
            }
        }
    }

    fn take_all(&mut self) {
        while let Some(slow) = self.inbox.pop() {
            match slow {
                Slow::Line(event) => self.log.write(wording::severity(&event), &wording::words(&event)),
                Slow::Taken(taken) => self.answer(*taken),
            }
        }
        let dropped = self.inbox.take_dropped();
        if dropped > 0 {
            let text = format!("{dropped} log lines were lost: they came faster than they could be written");
            self.log.write(Severity::Warning, &text);
        }
    }

    fn answer(&mut self, taken: Taken) {
        let host = || nix::unistd::gethostname().map_or_else(|_| String::new(), |n| n.to_string_lossy().into_owned());
        let facts = DaemonFacts {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            router_id: taken.router_id.unwrap_or_else(host),
            config_path: taken.path,
            config_hash: taken.hash,
            config_loaded_at: taken.loaded_at,
            clock: ClockAnchor {
                instant: clock::now(),
                wall: clock::wall(),
            },
            problems: Vec::new(),
        };
        let report = Report {
            facts,
            snapshot: taken.snapshot,
        };
        for question in self.waiting.drain(..) {
            // Who asked may have hung up.
            drop(question.reply.send(report.clone()));
        }
    }
}
