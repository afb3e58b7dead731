//! The services thread: everything slow. The log and the control socket; a slow disk or client reaches nobody else.

use super::foresight::{Foresight, Vision};
use super::notices::ForFifos;
use super::ring::Ring;
use super::{dump, wording};
use crate::control::{
    self, Ask, ClockAnchor, ControlSocket, DaemonFacts, Journal, Order, ReloadRequest, Report, ReportRequest, Verdict,
};
use crate::model::{Instant, Micros};
use crate::notify::Fifos;
use crate::proto::{self, Happening, LogEvent, Problem, Remembered, Snapshot};
use crate::supervisor::{DaemonStart, ReloadAnswer, Sender, ToSupervisor};
use crate::sys;
use crate::system::clock;
use crate::system::logsink::{Log, Severity};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

/// Log lines and answers that wait.
const RING: usize = 4096;
/// Requests for a snapshot that wait for the engine.
const REQUESTS: usize = 16;
/// So many lines and events are a burst: a start or a take-over of many instances.
const BURST: usize = 256;
/// What a burst has left free is given back when nothing has come for so long.
const CALM: Duration = Duration::from_secs(2);
/// How often a problem of our own is looked at again while there is one.
const LOOK: Duration = Duration::from_secs(10);

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
    /// Something happened, at this time of day.
    Happened(Micros, Box<Happening>),
    /// A part of the memory that the supervisor keeps.
    Keep(Remembered),
    /// Why the newest configuration was not taken; empty when one is.
    Refused(Vec<String>),
    /// What of the configuration in force does not happen.
    Disabled {
        /// Why checks and notifications do not.
        disabled: Vec<String>,
        /// What counts only after a restart.
        waiting: Vec<String>,
    },
    /// What a reload means is wanted; the next [`Self::Reloaded`] tells it.
    Foresee(Box<Vision>),
    /// What became of a reload that somebody asked for.
    Reloaded {
        /// Who.
        ask: u64,
        /// Why it was refused, or would be.
        refused: Vec<String>,
        /// The report.
        report: Option<File>,
    },
    /// The answer to the order of this number.
    Verdict(u64, Verdict),
}

/// What the engine is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// How things are.
    Snapshot,
    /// To do something; the number comes back with the answer.
    Order(u64, Order),
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
    pub(super) requests: Ring<Asked>,
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
    let lines = start
        .former
        .iter()
        .flat_map(|former| former.events.iter().map(|line| &**line));
    let mut desk = Desk {
        inbox: slow.clone(),
        engine: requests.clone(),
        ending: Arc::clone(&ending),
        log: start.log.clone(),
        dumps: dumps.clone(),
        lost: 0,
        burst: 0,
        fifos: Fifos::new(std::mem::take(&mut start.fifos)),
        waiting: Vec::new(),
        orders: BTreeMap::new(),
        next_order: 0,
        journal: Journal::new(lines),
        keeper: start.channel.sender.clone(),
        refused: Vec::new(),
        disabled: start.config.disabled.clone(),
        restart: start.config.waiting.clone(),
        reloads: BTreeMap::new(),
        foresight: None,
        raised: Vec::new(),
        losses: [Loss::default(); 2],
    };
    let begun = match &start.former {
        None => ("started", format!("vrrpd started with {}", start.config.path)),
        Some(former) => (
            "respawned",
            format!("the VRRP process died ({}) and was started again", former.death),
        ),
    };
    desk.remark(begun.0, begun.1);
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
    let (asks, questions) = mpsc::channel(REQUESTS);
    let counter = control::Desk {
        asks,
        journal: desk.journal.clone(),
    };
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
                control::serve(socket, counter, stop).await;
            }
            Err(error) => tracing::warn!("{error}"),
        }
    };
    tokio::join!(control, desk.work(questions, end));
}

/// Takes what the engine hands over.
struct Desk {
    inbox: Ring<Slow>,
    engine: Ring<Asked>,
    ending: Arc<AtomicBool>,
    log: Log,
    dumps: dump::Pending,
    /// Lines that the ring had no room for.
    lost: u64,
    /// Lines and events since memory was given back.
    burst: usize,
    fifos: Fifos,
    waiting: Vec<ReportRequest>,
    /// Orders that the engine has not answered, by number.
    orders: BTreeMap<u64, oneshot::Sender<Verdict>>,
    next_order: u64,
    journal: Journal,
    /// The way to the supervisor, who keeps what a successor should know.
    keeper: Sender<ToSupervisor>,
    refused: Vec<String>,
    disabled: Vec<String>,
    /// What counts only after a restart.
    restart: Vec<String>,
    /// Who waits for the verdict on a reload, by number.
    reloads: BTreeMap<u64, oneshot::Sender<String>>,
    /// What the reload means that is judged next.
    foresight: Option<Foresight>,
    /// Problems of our own that are shown.
    raised: Vec<Problem>,
    /// Log lines and FIFO lines that were lost.
    losses: [Loss; 2],
}

/// A count of losses, and when it last grew.
#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    count: u64,
    grew: Option<Instant>,
}

/// A loss is a problem for this long after the last one.
const SHOWN: Micros = Micros::from_secs(600);

impl Loss {
    fn now(&mut self, count: u64, now: Instant) -> Option<u64> {
        if count > self.count {
            *self = Self { count, grew: Some(now) };
        }
        self.grew.filter(|at| now.since(*at) < SHOWN).map(|_| self.count)
    }
}

impl Desk {
    async fn work(mut self, mut questions: mpsc::Receiver<Ask>, end: oneshot::Sender<()>) {
        #[expect(
            deprecated,
            reason = "its successor is no safe function; this ring keeps its descriptor as long as it lives"
        )]
        let registered = AsyncFd::with_interest(self.inbox.clone(), Interest::READABLE);
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
                    Some(Ask::Report(question)) => {
                        self.waiting.push(question);
                        self.engine.push_or_count(Asked::Snapshot);
                        self.engine.wake_for_news();
                    }
                    Some(Ask::Order(request)) => {
                        self.next_order += 1;
                        // Dropped when there is no room, which tells whoever asked.
                        if self.engine.push(Asked::Order(self.next_order, request.order)).is_ok() {
                            self.orders.insert(self.next_order, request.reply);
                        }
                        self.engine.wake_for_news();
                    }
                    Some(Ask::Reload(request)) => self.ask_for_reload(request),
                    None => open = false,
                },
                () = tokio::time::sleep(CALM), if self.burst >= BURST => {
                    self.burst = 0;
                    sys::give_back_memory();
                }
                () = tokio::time::sleep(LOOK), if !self.raised.is_empty() => {}
            }
        }
    }

    fn take_all(&mut self) {
        while let Some(slow) = self.inbox.pop() {
            match slow {
                Slow::Line(event) => {
                    self.burst += 1;
                    let severity = wording::severity(&event);
                    for line in wording::words(&event).lines() {
                        self.log.write(severity, line);
                    }
                }
                Slow::Text(severity, text) => self.log.write(severity, &text),
                Slow::Fifos(order) => self.serve_fifos(order),
                Slow::Taken(taken) => self.answer(*taken),
                Slow::Happened(wall, happened) => {
                    self.burst += 1;
                    let line = self.journal.add(&happened, wall);
                    self.keep_line(&line);
                }
                Slow::Keep(part) => {
                    let kept = self.keeper.keep(part.key(), &part);
                    if let Err(error) = kept {
                        tracing::debug!("the supervisor does not keep our memory: {error}");
                    }
                }
                Slow::Refused(refused) => self.refused = refused,
                Slow::Disabled { disabled, waiting } => (self.disabled, self.restart) = (disabled, waiting),
                // One at a time: what is asked for meanwhile is answered without a forecast.
                Slow::Foresee(vision) => {
                    let busy = self.foresight.take().is_some_and(|before| before.is_under_way());
                    self.foresight = if busy { None } else { vision.begin() };
                }
                Slow::Reloaded { ask, refused, report } => self.answer_reload(ask, refused, report.as_ref()),
                Slow::Verdict(number, verdict) => {
                    // Who gave the order may have hung up.
                    drop(self.orders.remove(&number).map(|reply| reply.send(verdict)));
                }
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
        self.look();
    }

    /// The supervisor answers, however long it takes; without it nobody waits.
    fn ask_for_reload(&mut self, request: ReloadRequest) {
        self.next_order += 1;
        let (ask, dry_run) = (self.next_order, request.dry_run);
        if self.reloads.is_empty() {
            self.foresight.take_if(|before| !before.is_under_way());
        }
        match self.keeper.send(&ToSupervisor::ReloadAsked { ask, dry_run }) {
            Ok(_) => drop(self.reloads.insert(ask, request.reply)),
            Err(error) => tracing::warn!("the supervisor was not asked for a reload: {error}"),
        }
    }

    fn answer_reload(&mut self, ask: u64, refused: Vec<String>, report: Option<&File>) {
        let text = report.map(|report| io::read_to_string(sys::reader(report)));
        let text = match text.transpose() {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!("the report on a reload cannot be read: {error}");
                None
            }
        };
        let Some(reply) = self.reloads.remove(&ask) else { return };
        let foresight = self.foresight.clone().filter(|_| refused.is_empty());
        tokio::spawn(async move {
            let forecast = match foresight {
                Some(foresight) => foresight.told().await,
                None => None,
            };
            let line = ReloadAnswer::line(&refused, text.as_deref(), forecast.as_deref());
            // Who asked may have hung up.
            drop(reply.send(line));
        });
    }

    /// Tells which problems of our own have come up and which have gone.
    fn look(&mut self) {
        let problems = self.problems();
        let is_in = |list: &[Problem], one: &Problem| list.iter().any(|problem| problem.is_same(one));
        let before = std::mem::replace(&mut self.raised, problems.clone());
        let gone = before
            .iter()
            .filter(|old| !is_in(&problems, old))
            .cloned()
            .map(Happening::Cleared);
        let come = problems
            .iter()
            .filter(|new| !is_in(&before, new))
            .cloned()
            .map(Happening::Raised);
        for happened in gone.chain(come) {
            if let Happening::Raised(problem) = &happened {
                self.log
                    .write(wording::severity_of(problem), &wording::told_problem(true, problem));
            } else if let Happening::Cleared(problem) = &happened {
                self.log.write(Severity::Info, &wording::told_problem(false, problem));
            }
            let line = self.journal.add(&happened, clock::wall());
            self.keep_line(&line);
        }
    }

    fn remark(&mut self, kind: &str, text: String) {
        let line = self.journal.remark(kind, text, clock::wall());
        self.keep_line(&line);
    }

    fn keep_line(&mut self, line: &str) {
        let kept = self.keeper.send(&ToSupervisor::Happened(line.trim_end().to_owned()));
        if let Err(error) = kept {
            tracing::debug!("the supervisor does not keep our events: {error}");
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
    fn problems(&mut self) -> Vec<Problem> {
        let problem = |severity, code: &'static str, text: String| Problem {
            severity,
            code: code.into(),
            instance: None,
            subject: None,
            text: text.into(),
        };
        let now = clock::now();
        let [log, fifo] = &mut self.losses;
        let lost = log.now(self.lost + self.log.lost(), now).map(|lost| {
            let text = format!("{lost} log lines were lost since the start: a log does not take them in time. Look at syslog, and at the disk of the log file");
            problem(proto::Severity::Warning, "log-lines-lost", text)
        });
        let refused = &self.refused;
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
        let untold = fifo.now(self.fifos.lost(), now).map(|untold| {
            let text = format!("{untold} lines for notify FIFOs were lost since the start: nobody reads them in time. Look at the program that should read them");
            problem(proto::Severity::Warning, "fifo-lines-lost", text)
        });
        let disabled = self.disabled.iter().map(|why| {
            let text = format!("{why}: the configuration asks for it and it does not happen. Correct the program or the configuration, then reload");
            let mut problem = problem(proto::Severity::Warning, "disabled-check", text);
            problem.subject = Some(why.clone());
            problem
        });
        let restart = self.restart.iter().map(|what| {
            let mut problem = problem(proto::Severity::Note, "restart-needed", what.clone());
            problem.subject = Some(what.clone());
            problem
        });
        let lasting = disabled.chain(restart);
        lost.into_iter().chain(untold).chain(refused).chain(lasting).collect()
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
            problems: self.problems(),
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
