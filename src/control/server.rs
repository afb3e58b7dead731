//! The control socket: who may ask, how much, how often.
//!
//! Runs inside the services thread's runtime. A client that is slow, silent or hostile costs one task and a few KiB until
//! its time is over, and nobody else waits for it. The engine is asked for at most ten snapshots a second in all; whoever
//! asks in between shares the next one, so an answer is never older than its question.
//!
//! The language is one JSON object a line: `{"get":"status"}` is answered by [`super::Status`], `{"get":"events"}` by a
//! line for each event and, unless it follows, `{"end":N}` behind the last of N, an [`Order`] by its [`Verdict`],
//! `{"do":"reload"}` by what became of it, when that is known, everything else by `{"error":{"code":…,"text":…}}`.

use super::events::{EventStatus, Journal, Wanted};
use super::{DaemonFacts, Order, Verdict, json};
use crate::proto::Snapshot;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Clients served at one time; one more is told so and sent away.
pub const MAX_CLIENTS: usize = 32;
/// Of them, those that follow events at most: they stay as long as they like.
pub const MAX_FOLLOWERS: usize = 16;
/// Longest request, in bytes.
pub const MAX_REQUEST: u64 = 4096;
/// Shortest time between two snapshots.
const SNAPSHOT_PERIOD: Duration = Duration::from_millis(100);
/// How long a client may take to ask, and how long to take its answer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a reload may take: files may lie on a slow disk, and another reload may have to end first.
const RELOAD_PATIENCE: Duration = Duration::from_secs(290);
/// How long the engine may take to answer.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);

/// What the engine's side answers with.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What the daemon knows of itself.
    pub facts: DaemonFacts,
    /// What the core knows.
    pub snapshot: Snapshot,
}

/// A question to the engine's side; dropping it unanswered is an answer too.
#[derive(Debug)]
pub struct ReportRequest {
    /// Where the answer goes. Nobody may be waiting any more.
    pub reply: oneshot::Sender<Report>,
}

/// An order to the engine's side.
#[derive(Debug)]
pub struct OrderRequest {
    /// What is to be done.
    pub order: Order,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Verdict>,
}

/// A reload that somebody waits for.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Only what it would do.
    pub dry_run: bool,
    /// Where the answer goes, a line.
    pub reply: oneshot::Sender<String>,
}

/// What is asked of the engine's side.
#[derive(Debug)]
pub enum Ask {
    /// How things are.
    Report(ReportRequest),
    /// To do something.
    Order(OrderRequest),
    /// To read the configuration again.
    Reload(ReloadRequest),
}

/// Where answers come from.
#[derive(Debug, Clone)]
pub struct Desk {
    /// To whoever can ask the engine; each question is answered once, or dropped.
    pub asks: mpsc::Sender<Ask>,
    /// What happened.
    pub journal: Journal,
}

/// Why there is no control socket. The daemon runs without one.
#[derive(Debug)]
pub struct BindError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "No control socket {}: cannot {}: {}. `vrrpd status` cannot ask this daemon; name another path with --control",
            self.path.display(),
            self.doing,
            self.source
        )
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A listening control socket. Its file is removed with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our file: somebody may have put another one in its place.
    identity: (u64, u64),
    /// Who we are: only the same user and root may ask.
    uid: u32,
    warning: Option<String>,
}

impl ControlSocket {
    /// Listens at `wanted`, or beside it while another daemon answers there. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// What could not be done, and why. A caller logs it as a warning.
    pub async fn bind(wanted: &Path) -> Result<Self, BindError> {
        let failed = |doing, source| BindError {
            path: wanted.to_owned(),
            doing,
            source,
        };
        make_directory(wanted).map_err(|e| failed("make its directory", e))?;
        let (path, warning) = match occupant(wanted).await {
            Occupant::Nobody => (wanted.to_owned(), None),
            Occupant::NotASocket => {
                let error = io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in the way");
                return Err(failed("listen", error));
            }
            Occupant::Daemon => {
                let path = beside(wanted, std::process::id());
                let warning = format!(
                    "Another daemon answers at {}; the control socket of this one is {}",
                    wanted.display(),
                    path.display()
                );
                (path, Some(warning))
            }
        };
        let (listener, metadata) = listen(&path).map_err(|e| failed("listen", e))?;
        Ok(Self {
            listener,
            path,
            identity: (metadata.dev(), metadata.ino()),
            uid: metadata.uid(),
            warning,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the operator should know: another daemon has the wanted path.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    fn may_ask(&self, client: &UnixStream) -> bool {
        client
            .peer_cred()
            .is_ok_and(|who| who.uid() == 0 || who.uid() == self.uid)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.identity);
        if ours {
            // What cannot be removed is found stale and replaced by the next daemon.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Answers questions until `shutdown` is ready, then removes the socket.
pub async fn serve(socket: ControlSocket, desk: Desk, shutdown: impl Future<Output = ()>) {
    let (status, questions) = mpsc::channel(MAX_CLIENTS);
    let counter = Counter {
        status,
        desk: desk.clone(),
        followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
    };
    tokio::select! {
        () = shutdown => {}
        () = accept(&socket, counter) => {}
        () = answer(questions, desk.asks) => {}
    }
}

/// What a client's task works with.
#[derive(Debug, Clone)]
struct Counter {
    status: mpsc::Sender<oneshot::Sender<Answer>>,
    desk: Desk,
    followers: Arc<Semaphore>,
}

/// One finished answer, shared by all who waited for it.
type Answer = Arc<str>;

/// Lets clients in. The tasks end with this future.
async fn accept(socket: &ControlSocket, counter: Counter) {
    let mut clients = JoinSet::new();
    loop {
        let Ok((client, _)) = socket.listener.accept().await else {
            // Out of descriptors, most likely: trying at once would only burn time.
            sleep(SNAPSHOT_PERIOD).await;
            continue;
        };
        while clients.try_join_next().is_some() {}
        if !socket.may_ask(&client) {
            refuse(&client, "not-allowed", "only root and the daemon's own user may ask");
        } else if clients.len() >= MAX_CLIENTS {
            refuse(&client, "busy", "too many clients, ask again later");
        } else {
            clients.spawn(converse(client, counter.clone()));
        }
    }
}

/// Says no without waiting: a line of this size fits into the buffer of a fresh connection.
fn refuse(client: &UnixStream, code: &str, text: &str) {
    drop(client.try_write(error_line(code, text).as_bytes()));
}

/// One client, until it hangs up, says nothing for too long, or does not listen.
async fn converse(mut client: UnixStream, counter: Counter) {
    let (reader, mut writer) = client.split();
    let mut reader = BufReader::with_capacity(1024, reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(MAX_REQUEST);
        let Ok(Ok(1..)) = timeout(CLIENT_PATIENCE, bounded.read_until(b'\n', &mut line)).await else {
            return;
        };
        let whole = line.ends_with(b"\n");
        let reply = match parse(&line, whole) {
            Ok(Request::Get(Get::Status)) => status(&counter.status).await,
            Ok(Request::Get(Get::Events(events))) if events.follow => match counter.followers.try_acquire() {
                Ok(_place) => return follow(reader, writer, &counter.desk.journal, &events.wanted()).await,
                Err(_) => error_line("busy", "too many clients follow the events already"),
            },
            Ok(Request::Get(Get::Events(events))) => {
                let kept = counter.desk.journal.kept(&events.wanted());
                format!("{}{{\"end\":{}}}\n", kept.concat(), kept.len()).into()
            }
            Ok(Request::Reload(Reload::Reload { dry_run })) => reload(&counter.desk.asks, dry_run).await,
            Ok(Request::Do(order)) => carry_out(&counter.desk.asks, order).await,
            Err(refusal) => refusal,
        };
        let sent = timeout(CLIENT_PATIENCE, writer.write_all(reply.as_bytes())).await;
        if !whole || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// Tells what happened, and what happens, until the client hangs up. Only this task waits for it.
async fn follow(mut reader: BufReader<ReadHalf<'_>>, mut writer: WriteHalf<'_>, journal: &Journal, wanted: &Wanted) {
    let mut feed = journal.follow();
    let kept = journal.kept(wanted).concat();
    if writer.write_all(kept.as_bytes()).await.is_err() {
        return;
    }
    let mut nothing = [0; 64];
    loop {
        let line = tokio::select! {
            // Whatever it says, only that it hangs up matters.
            said = reader.read(&mut nothing) => match said {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            },
            entry = feed.recv() => match entry {
                Ok(line) if wanted.takes(&line) => line,
                Ok(_) => continue,
                Err(RecvError::Lagged(lost)) => EventStatus::lost(lost).line(),
                Err(RecvError::Closed) => return,
            },
        };
        if writer.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A line of a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Request {
    /// It wants to know something.
    Get(Get),
    /// It wants the configuration to be read again.
    Reload(Reload),
    /// It wants something done.
    Do(Order),
}

/// `{"do":"reload"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Reload {
    Reload {
        /// Only what it would do.
        #[serde(default)]
        dry_run: bool,
    },
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "get", rename_all = "kebab-case")]
enum Get {
    /// The whole status document.
    Status,
    /// What happened.
    Events(Events),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Events {
    /// Not older than this.
    since_ms: Option<u64>,
    /// Of this instance, and of none.
    name: Option<String>,
    /// And everything that happens from now on.
    follow: bool,
}

impl Events {
    fn wanted(&self) -> Wanted {
        let ago = self
            .since_ms
            .map(|ms| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        Wanted {
            since: ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok()),
            name: self.name.clone(),
        }
    }
}

/// The request, or the line that says what is wrong with it.
fn parse(line: &[u8], whole: bool) -> Result<Request, Answer> {
    if !whole {
        let text = format!("a request is one line of at most {MAX_REQUEST} bytes");
        return Err(error_line("bad-request", &text));
    }
    serde_json::from_slice(line).map_err(|e| {
        let text = format!("expected {{\"get\":\"status\"}}, {{\"get\":\"events\"}}, {{\"do\":\"drain\"}}, {{\"do\":\"resume\"}} or {{\"do\":\"reload\"}}: {e}");
        error_line("bad-request", &text)
    })
}

async fn carry_out(asks: &mpsc::Sender<Ask>, order: Order) -> Answer {
    let question = async {
        let (reply, verdict) = oneshot::channel();
        asks.send(Ask::Order(OrderRequest { order, reply })).await.ok()?;
        verdict.await.ok()
    };
    match timeout(ENGINE_PATIENCE, question).await {
        Ok(Some(verdict)) => verdict.line().into(),
        Ok(None) => error_line("stopping", "the daemon stops"),
        Err(_) => error_line("engine-busy", "the engine has not answered within 2 seconds"),
    }
}

async fn reload(asks: &mpsc::Sender<Ask>, dry_run: bool) -> Answer {
    let question = async {
        let (reply, line) = oneshot::channel();
        asks.send(Ask::Reload(ReloadRequest { dry_run, reply })).await.ok()?;
        line.await.ok()
    };
    match timeout(RELOAD_PATIENCE, question).await {
        Ok(Some(line)) => line.into(),
        Ok(None) => error_line("stopping", "the daemon stops"),
        Err(_) => error_line(
            "no-verdict",
            "the reload has not come to an end within 290 seconds; the log says more",
        ),
    }
}

async fn status(ask: &mpsc::Sender<oneshot::Sender<Answer>>) -> Answer {
    let (reply, answer) = oneshot::channel();
    if ask.send(reply).await.is_err() {
        return error_line("stopping", "the daemon stops");
    }
    match answer.await {
        Ok(answer) => answer,
        Err(_) => error_line("stopping", "the daemon stops"),
    }
}

fn error_line(code: &str, text: &str) -> Answer {
    let error = serde_json::json!({"error": {"code": code, "text": text}});
    format!("{error}\n").into()
}

/// Collects questions, asks the engine once for all of them, and shares the answer.
async fn answer(mut questions: mpsc::Receiver<oneshot::Sender<Answer>>, requests: mpsc::Sender<Ask>) {
    let mut pace = interval(SNAPSHOT_PERIOD);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(first) = questions.recv().await {
        pace.tick().await;
        let mut waiting = vec![first];
        while let Ok(next) = questions.try_recv() {
            waiting.push(next);
        }
        let answer = ask_engine(&requests).await;
        for client in waiting {
            // A client that hung up meanwhile needs no answer.
            drop(client.send(answer.clone()));
        }
    }
}

async fn ask_engine(requests: &mpsc::Sender<Ask>) -> Answer {
    let question = async {
        let (reply, report) = oneshot::channel();
        requests.send(Ask::Report(ReportRequest { reply })).await.ok()?;
        report.await.ok()
    };
    match timeout(ENGINE_PATIENCE, question).await {
        Ok(Some(report)) => json::line(&json::Status::new(&report)),
        Ok(None) => error_line("stopping", "the engine does not answer any more"),
        Err(_) => error_line("engine-busy", "the engine has not answered within 2 seconds"),
    }
}

/// Makes the directory of the socket, for its owner only. An existing one is left as it is. The mode is set afterwards: the
/// usual umask of 0177 would leave a directory that its owner cannot enter.
fn make_directory(socket: &Path) -> io::Result<()> {
    let parents: Vec<&Path> = socket.ancestors().skip(1).collect();
    let missing = |parent: &&Path| !parent.as_os_str().is_empty() && !parent.is_dir();
    for parent in parents.into_iter().rev().filter(missing) {
        fs::create_dir(parent)?;
        fs::set_permissions(parent, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Who has the path.
enum Occupant {
    Nobody,
    Daemon,
    NotASocket,
}

async fn occupant(path: &Path) -> Occupant {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Occupant::Nobody;
    };
    if !metadata.file_type().is_socket() {
        return Occupant::NotASocket;
    }
    match UnixStream::connect(path).await {
        Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Occupant::Nobody,
        // A full queue and the like: somebody listens, however badly.
        Ok(_) | Err(_) => Occupant::Daemon,
    }
}

/// `control.sock` → `control.PID.sock`.
fn beside(wanted: &Path, pid: u32) -> PathBuf {
    let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
    let extension = wanted.extension().unwrap_or_default().to_string_lossy();
    wanted.with_file_name(format!("{stem}.{pid}.{extension}"))
}

/// Listens under a name of its own and moves it into place: whoever finds the file finds it with its final mode, and a
/// stale one is replaced in one step.
fn listen(path: &Path) -> io::Result<(UnixListener, fs::Metadata)> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    if fs::symlink_metadata(&fresh).is_ok_and(|m| m.file_type().is_socket()) {
        fs::remove_file(&fresh)?;
    }
    let listener = UnixListener::bind(&fresh)?;
    let placed = fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::symlink_metadata(&fresh))
        .and_then(|metadata| fs::rename(&fresh, path).map(|()| metadata));
    match placed {
        Ok(metadata) => Ok((listener, metadata)),
        Err(e) => {
            drop(fs::remove_file(&fresh));
            Err(e)
        }
    }
}
