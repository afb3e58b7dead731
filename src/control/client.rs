//! Asks a daemon. Blocking, for the short life of a subcommand.

use super::{DEFAULT_SOCKET, Status, asked_for};
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
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDaemon(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                write!(f, "no daemon answers at {}", paths.join(", "))
            }
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
    let beside = default
        .parent()
        .and_then(|directory| std::fs::read_dir(directory).ok())
        .into_iter()
        .flatten();
    let mut sockets: Vec<PathBuf> = beside
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_control(path))
        .collect();
    sockets.sort();
    let found: Vec<Status> = sockets.iter().filter_map(|path| ask(path).ok()).collect();
    if found.is_empty() {
        Err(AskError::NoDaemon(vec![default.to_owned()]))
    } else {
        Ok(found)
    }
}

fn is_control(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("control") && name.ends_with(".sock")
}

/// The line that asks for the status. Whoever cannot wait sends it over a connection of their own.
pub const STATUS_REQUEST: &[u8] = b"{\"get\":\"status\"}\n";

/// Understands the line that answers [`STATUS_REQUEST`]; `None` when it is no status.
#[must_use]
pub fn understand(line: &str) -> Option<Status> {
    serde_json::from_str(line).ok()
}

fn ask(path: &Path) -> Result<Status, AskError> {
    let line = converse(path).map_err(|_| AskError::NoDaemon(vec![path.to_owned()]))?;
    understand(&line).ok_or_else(|| AskError::Answer(path.to_owned(), line.trim().to_owned()))
}

fn converse(path: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(STATUS_REQUEST)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
