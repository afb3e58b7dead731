//! Asks a daemon. Blocking, for the short life of a subcommand.

use super::events::EventStatus;
use super::{DEFAULT_SOCKET, Order, Status, Verdict, asked_for};
use serde::Serialize;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no status.
#[derive(Debug)]
pub enum AskError {
    /// Nobody answers at any of these sockets.
    NoDaemon(Vec<PathBuf>),
    /// A daemon answered, but not with a status.
    Answer(PathBuf, String),
    /// The daemon hung up, or let the time for an answer pass.
    NoAnswer(PathBuf),
    /// More than one daemon answers at sockets of this pattern, and only one can be meant.
    Several(PathBuf),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDaemon(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                write!(f, "no daemon answers at {}", paths.join(", "))
            }
            Self::Several(pattern) => {
                write!(
                    f,
                    "several daemons answer at {}: name one of them with --control",
                    pattern.display()
                )
            }
            Self::NoAnswer(path) => write!(f, "the daemon at {} ended before it answered", path.display()),
            Self::Answer(path, what) => write!(f, "the daemon at {} answers: {what}", path.display()),
        }
    }
}

impl std::error::Error for AskError {}

/// The status of the daemon that was asked for; without a wish of the default socket's, else of every
/// `control*.sock` beside it.
///
/// # Errors
/// When nobody answers, or not as expected.
pub fn status(option: Option<PathBuf>) -> Result<Vec<Status>, AskError> {
    if let Some(path) = asked_for(option) {
        return ask(&path).map(|status| vec![status]);
    }
    let default = Path::new(DEFAULT_SOCKET);
    match ask(default) {
        Err(AskError::NoDaemon(_)) => {}
        answer => return answer.map(|status| vec![status]),
    }
    let found: Vec<Status> = beside(default).iter().filter_map(|path| ask(path).ok()).collect();
    if found.is_empty() {
        Err(AskError::NoDaemon(vec![default.to_owned()]))
    } else {
        Ok(found)
    }
}

/// The control sockets beside this one.
fn beside(default: &Path) -> Vec<PathBuf> {
    let directory = default.parent().and_then(|directory| std::fs::read_dir(directory).ok());
    let paths = directory.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sockets: Vec<PathBuf> = paths.filter(|path| is_control(path)).collect();
    sockets.sort();
    sockets
}

fn is_control(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("control") && name.ends_with(".sock")
}

/// The socket of the one daemon that was asked for; without a wish the default one, else the only one that answers beside it.
///
/// # Errors
/// When nobody answers, or more than one.
pub fn find(option: Option<PathBuf>) -> Result<PathBuf, AskError> {
    if let Some(path) = asked_for(option) {
        return Ok(path);
    }
    let default = Path::new(DEFAULT_SOCKET);
    if UnixStream::connect(default).is_ok() {
        return Ok(default.to_owned());
    }
    let mut answering = beside(default)
        .into_iter()
        .filter(|path| UnixStream::connect(path).is_ok());
    match (answering.next(), answering.next()) {
        (Some(path), None) => Ok(path),
        (Some(_), Some(_)) => Err(AskError::Several(default.with_file_name("control*.sock"))),
        (None, _) => Err(AskError::NoDaemon(vec![default.to_owned()])),
    }
}

/// Gives the daemon at this socket an order.
///
/// # Errors
/// When nobody answers, or not as expected.
pub fn order(path: &Path, order: &Order) -> Result<Verdict, AskError> {
    let line = converse(path, order).map_err(|_| AskError::NoDaemon(vec![path.to_owned()]))?;
    serde_json::from_str(&line).map_err(|_| AskError::Answer(path.to_owned(), line.trim().to_owned()))
}

/// How long the verdict of a reload is waited for; the daemon gives up earlier.
const RELOAD_PATIENCE: Duration = Duration::from_secs(300);

/// Asks the daemon at this socket to read its configuration again, or what that would do; the line of the answer.
///
/// # Errors
/// When nobody answers, or the daemon ends before it has answered.
pub fn reload(path: &Path, dry_run: bool) -> Result<String, AskError> {
    let question = serde_json::json!({"do": "reload", "dry_run": dry_run});
    let stream = say(path, &question).map_err(|_| AskError::NoDaemon(vec![path.to_owned()]))?;
    let mut line = String::new();
    let read = stream
        .set_read_timeout(Some(RELOAD_PATIENCE))
        .and_then(|()| BufReader::new(stream).read_line(&mut line));
    match read {
        Ok(1..) => Ok(line),
        Ok(0) | Err(_) => Err(AskError::NoAnswer(path.to_owned())),
    }
}

/// Which events are wanted.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(tag = "get", rename = "events")]
pub struct EventQuestion {
    /// Not older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// Of this instance, and of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// And everything that happens from now on.
    pub follow: bool,
}

/// Why no more events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventsEnd {
    /// All that was asked for has been told.
    Told,
    /// Whoever they are told to has had enough.
    Enough,
    /// The daemon has gone.
    Gone,
}

/// Tells events to `each`, as the line that came and what it means, until it returns `false`, the last one has come, or the
/// daemon has gone.
///
/// # Errors
/// When nobody answers, or not as expected.
pub fn events(
    path: &Path,
    question: &EventQuestion,
    mut each: impl FnMut(&str, &EventStatus) -> bool,
) -> Result<EventsEnd, AskError> {
    let nobody = |_| AskError::NoDaemon(vec![path.to_owned()]);
    let stream = say(path, question).map_err(nobody)?;
    // What happens next may take any time.
    stream.set_read_timeout(None).map_err(nobody)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader.read_line(&mut line).unwrap_or(0);
        if read == 0 {
            return Ok(EventsEnd::Gone);
        }
        if line.starts_with("{\"end\":") {
            return Ok(EventsEnd::Told);
        }
        let event =
            serde_json::from_str(&line).map_err(|_| AskError::Answer(path.to_owned(), line.trim().to_owned()))?;
        if !each(&line, &event) {
            return Ok(EventsEnd::Enough);
        }
    }
}

/// The line that asks for the status. Whoever cannot wait sends it over a connection of their own.
pub const STATUS_REQUEST: &[u8] = b"{\"get\":\"status\"}\n";

/// Understands the line that answers [`STATUS_REQUEST`]; `None` when it is no status.
#[must_use]
pub fn understand(line: &str) -> Option<Status> {
    serde_json::from_str(line).ok()
}

/// The status of the daemon at this socket.
///
/// # Errors
/// When nobody answers, or not as expected.
pub fn ask(path: &Path) -> Result<Status, AskError> {
    let line =
        converse(path, &serde_json::json!({"get": "status"})).map_err(|_| AskError::NoDaemon(vec![path.to_owned()]))?;
    understand(&line).ok_or_else(|| AskError::Answer(path.to_owned(), line.trim().to_owned()))
}

fn say(path: &Path, what: &impl Serialize) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    Ok(stream)
}

fn converse(path: &Path, what: &impl Serialize) -> io::Result<String> {
    let stream = say(path, what)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
