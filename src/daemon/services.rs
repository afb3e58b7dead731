//! The services thread: everything slow. The log and the control socket; a slow disk or client reaches nobody else.

use super::notices::ForFifos;
use super::ring::Ring;
use super::{dump, wording};
use crate::control::{self, ClockAnchor, ControlSocket, DaemonFacts, Report, ReportRequest};
use crate::notify::Fifos;
use crate::proto::{self, LogEvent, Problem, Snapshot};
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
    /// A line of an adapter.
    Text(Severity, String),
    /// An answer to a request.
    Taken(Box<Taken>),
    /// For the notify FIFOs.
    Fifos(ForFifos),
    /// A state file is to be written.
    Dump(Box<dump::Order>),
}

/// A snapshot and the configuration that was in force.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) snapshot: Snapshot,
    pub(super) router_id: Option<String>,
    pub(super) path: String,
    pub(super) hash: String,
    pub(super) loaded_at: i64,
    /// Why the newest configuration was not taken; empty if it was.
    pub(super) refused: Vec<String>,
}

/// The engine's ends.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) slow: Ring<Slow>,
    pub(super) requests: Ring<()>,
    ending: Arc<AtomicBool>,
    dumps: dump::Pending,
    thread: Option<JoinHandle<()>>,
}

impl Services {
    /// Whether this state file is not being written already; from now on it is.
    pub(super) fn begin_dump(&self, kind: dump::Kind) -> bool {
        self.dumps.begin(kind)
    }

    /// It is not going to be written.
    pub(super) fn end_dump(&self, kind: dump::Kind) {
        self.dumps.end(kind);
    }

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

pub(super) fn start(start: &mut DaemonStart) -> io::Result<Services> {
    let (slow, requests) = (Ring::<Slow>::new(RING)?, Ring::new(REQUESTS)?);
    let ending = Arc::new(AtomicBool::new(false));
    let dumps = dump::Pending::default();
    let desk = Desk {
        inbox: slow.clone(),
        engine: requests.clone(),
        ending: Arc::clone(&ending),
        log: start.log.clone(),
        dumps: dumps.clone(),
        lost: 0,
        fifos: Fifos::new(std::mem::take(&mut start.fifos)),
        waiting: Vec::new(),
    };
    defer_log(&start.log, &slow, &ending);
    let path = control::asked_for(start.options.control.clone()).unwrap_or_else(|| control::DEFAULT_SOCKET.into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("services".into())
        .spawn(move || runtime.block_on(run(desk, path)))?;
    Ok(Services {
        slow,
        requests,
        ending,
        dumps,
        thread: Some(thread),
    })
}

/// The engine and the kernel thread must not wait for a sink, not even for its lock: this thread writes their lines.
fn defer_log(log: &Log, slow: &Ring<Slow>, ending: &Arc<AtomicBool>) {
    let (slow, ending) = (slow.clone(), Arc::clone(ending));
    log.defer(move |severity, text| {
        let open = !ending.load(Ordering::Acquire);
        if open {
            slow.push_or_count(Slow::Text(severity, text.to_owned()));
        }
        open
    });
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
    dumps: dump::Pending,
    /// Lines that the ring had no room for.
    lost: u64,
    fifos: Fifos,
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
                        self.engine.wake_for_news();
                    }
                    None => open = false,
                },
            }
        }
    }

    fn take_all(&mut self) {
        while let Some(slow) = self.inbox.pop() {
            match slow {
                Slow::Line(event) => {
                    let severity = wording::severity(&event);
                    for line in wording::words(&event).lines() {
                        self.log.write(severity, line);
                    }
                }
                Slow::Text(severity, text) => self.log.write(severity, &text),
                Slow::Fifos(order) => self.serve_fifos(order),
                Slow::Taken(taken) => self.answer(*taken),
                Slow::Dump(order) => {
                    order.carry_out(&self.log);
                    self.dumps.end(order.kind);
                }
            }
        }
        let dropped = self.inbox.take_dropped();
        if dropped > 0 {
            self.lost += dropped;
            let text = format!("{dropped} log lines were lost: they came faster than they could be written");
            self.log.write(Severity::Warning, &text);
        }
    }

    fn serve_fifos(&mut self, order: ForFifos) {
        match order {
            ForFifos::Tell(notice) => self.fifos.tell(&notice),
            ForFifos::Lost(lines) => self.fifos.count_lost(lines),
            ForFifos::Close => self.fifos.close(),
            ForFifos::Open(kind, file) => self.fifos.add(kind, file),
        }
    }

    /// What an operator should look at and the core does not know.
    fn problems(&self, refused: &[String]) -> Vec<Problem> {
        let problem = |severity, code: &str, text| Problem {
            severity,
            code: code.into(),
            instance: None,
            text,
        };
        let lost = self.lost + self.log.lost();
        let lost = (lost > 0).then(|| {
            let text = format!("{lost} log lines were lost since the start: a log does not take them in time");
            problem(proto::Severity::Warning, "log-lines-lost", text)
        });
        let refused = refused.first().map(|first| {
            let text = match refused.len() {
                1 => format!("the configuration was changed and not taken: {first}"),
                all => format!(
                    "the configuration was changed and not taken: {first} (and {} more, see the log)",
                    all - 1
                ),
            };
            problem(proto::Severity::Error, "reload-refused", text)
        });
        let untold = self.fifos.lost();
        let untold = (untold > 0).then(|| {
            let text = format!("{untold} lines for notify FIFOs were lost since the start: nobody reads them in time");
            problem(proto::Severity::Warning, "fifo-lines-lost", text)
        });
        lost.into_iter().chain(untold).chain(refused).collect()
    }

    fn answer(&mut self, taken: Taken) {
        let facts = DaemonFacts {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            router_id: taken.router_id.unwrap_or_else(dump::host_name),
            config_path: taken.path,
            config_hash: taken.hash,
            config_loaded_at: taken.loaded_at,
            clock: ClockAnchor {
                instant: clock::now(),
                wall: clock::wall(),
            },
            problems: self.problems(&taken.refused),
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
