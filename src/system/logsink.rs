//! Where log lines go: syslog, standard error, a file. Both processes use it; what a line says is decided elsewhere.
//!
//! A sink that does not take a line loses it, the loss is counted, and the first line that gets through again is preceded by
//! one that tells the count. Nothing here waits but for a syslog that is there and behind, and for that only a moment, once,
//! until it takes lines again: without it a burst would be cut where the kernel's queue of 10 lines ends.
//!
//! Code of the adapters logs through the macros of `tracing`; only the message is written, without fields. Three fields have a
//! meaning: `detail = true` marks a line that is written with `--log-detail` only, `alert = true` one of syslog's level alert
//! (keepalived uses it for dead processes), `direct = true` the last words of a process, which are never deferred.

use crate::system::clock;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

/// Importance of a line, with syslog's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Act at once.
    Alert,
    /// We cannot do our job.
    Error,
    /// An operator should look.
    Warning,
    /// What happened.
    Info,
    /// For developers.
    Debug,
}

/// Which sinks, and under what name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Syslog: the socket, or `None` for none.
    pub syslog: Option<PathBuf>,
    /// Syslog's facility: 3 = daemon, 16 to 23 = local0 to local7.
    pub facility: u8,
    /// Whether lines also go to standard error.
    pub console: bool,
    /// A file that lines are appended to as well.
    pub file: Option<PathBuf>,
    /// 0 = plain, 1 = `--log-detail`, 2 = given twice.
    pub detail: u8,
    /// The name before the process id in syslog.
    pub ident: String,
}

/// The zone of the times in the log. The usual case does without the list of all zones, which would stay in memory.
fn zone() -> TimeZone {
    let named = std::env::var_os("TZ").is_some();
    let local = std::fs::read("/etc/localtime").ok().filter(|_| !named);
    let local = local.and_then(|bytes| TimeZone::tzif("Local", &bytes).ok());
    local.unwrap_or_else(TimeZone::system)
}

/// Syslog's socket.
pub const DEV_LOG: &str = "/dev/log";

/// How long a line waits for a syslog that took the lines before it.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Longest line; with its prefix it fits into what a pipe takes whole (`PIPE_BUF`).
const MAX_TEXT: usize = 4000;

/// The open sinks of this process. Clones share them.
#[derive(Debug, Clone)]
pub struct Log {
    sinks: Arc<Mutex<Sinks>>,
    detail: u8,
    deferred: Arc<OnceLock<Deferred>>,
}

/// Takes lines of the `tracing` macros instead of the sinks; says whether it took this one.
type TakeLine = dyn Fn(Severity, &str) -> bool + Send + Sync;

struct Deferred(Box<TakeLine>);

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}

#[derive(Debug)]
struct Sinks {
    ident: String,
    facility: u8,
    zone: TimeZone,
    syslog: Option<Syslog>,
    console: Option<Sink<Stream>>,
    file: Option<Sink<Stream>>,
}

impl Log {
    /// Opens the sinks. Syslog may be absent; it is looked for again with every line.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(settings: LogSettings) -> io::Result<Self> {
        let file = settings.file.as_ref().map(|path| open_file(path)).transpose()?;
        let console = if settings.console {
            Some(Stream::classify(io::stderr().as_fd().try_clone_to_owned()?))
        } else {
            None
        };
        Ok(Self {
            detail: settings.detail,
            deferred: Arc::default(),
            sinks: Arc::new(Mutex::new(Sinks {
                ident: settings.ident,
                facility: settings.facility,
                zone: zone(),
                syslog: settings.syslog.map(Syslog::new),
                console: console.map(Sink::new),
                file: file.map(Sink::new),
            })),
        })
    }

    /// A log without any sink.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            detail: 0,
            deferred: Arc::default(),
            sinks: Arc::new(Mutex::new(Sinks {
                ident: String::new(),
                facility: 3,
                zone: TimeZone::UTC,
                syslog: None,
                console: None,
                file: None,
            })),
        }
    }

    /// 0 = plain, 1 = `--log-detail`, 2 = given twice.
    #[must_use]
    pub fn detail(&self) -> u8 {
        self.detail
    }

    /// Another name from now on, for a process that was forked from the one that opened the log.
    pub fn rename(&self, ident: &str) {
        ident.clone_into(&mut self.lock().ident);
    }

    /// Writes one line. Line breaks in it become blanks; what is longer than 4,000 bytes is cut.
    pub fn write(&self, severity: Severity, text: &str) {
        let now = Timestamp::from_microsecond(i64::try_from(clock::wall().0).unwrap_or(0)).unwrap_or_default();
        self.lock().write(severity, &clean(text), now);
    }

    /// From now on lines of the `tracing` macros in this process go to `take`, and to the sinks only where it refuses: a thread
    /// that must not wait hands them to one that may. [`Self::write`] is not touched. Only the first call counts.
    pub fn defer(&self, take: impl Fn(Severity, &str) -> bool + Send + Sync + 'static) {
        if self.deferred.set(Deferred(Box::new(take))).is_err() {
            self.write(Severity::Debug, "lines of the log are deferred already");
        }
    }

    /// How many lines a sink has lost since the log was opened, told or not.
    ///
    /// A syslog that has never been there, as in most containers, loses nothing while the console or a file has the lines.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let sinks = self.lock();
        let streams = [&sinks.console, &sinks.file];
        let elsewhere = streams.iter().any(|sink| sink.is_some());
        let missed = |syslog: &Syslog| if syslog.was_there || !elsewhere { syslog.lost } else { 0 };
        let streams: u64 = streams.into_iter().flatten().map(|sink| sink.lost).sum();
        streams + sinks.syslog.as_ref().map_or(0, missed)
    }

    /// Makes this the log of the `tracing` macros in this process and all that are forked from it. Only the first call counts.
    pub fn install(&self) {
        // An error means that there is one already, as in tests.
        drop(tracing::subscriber::set_global_default(self.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sinks {
    fn write(&mut self, severity: Severity, text: &str, now: Timestamp) {
        let now = now.to_zoned_datetime(self.zone.clone());
        if let Some(syslog) = &mut self.syslog {
            syslog.write(self.facility, &self.ident, severity, text, &now);
        }
        for stream in [&mut self.console, &mut self.file].into_iter().flatten() {
            stream.write(text, &now);
        }
    }
}

/// A sink of bytes with its losses.
#[derive(Debug)]
struct Sink<S> {
    stream: S,
    lost: u64,
    untold: u64,
}

impl Sink<Stream> {
    const fn new(stream: Stream) -> Self {
        Self {
            stream,
            lost: 0,
            untold: 0,
        }
    }

    fn write(&mut self, text: &str, now: &ZonedDateTime) {
        let stamp = now.strftime("%a %b %e %H:%M:%S %Y");
        if self.untold > 0 {
            let told = self
                .stream
                .write(format!("{stamp}: {}\n", loss(self.untold)).as_bytes());
            if told.is_ok() {
                self.untold = 0;
            }
        }
        if self.untold > 0 || self.stream.write(format!("{stamp}: {text}\n").as_bytes()).is_err() {
            self.lost += 1;
            self.untold += 1;
        }
    }
}

/// What a line of the stream can be written to without waiting depends on what is behind the descriptor.
#[derive(Debug)]
enum Stream {
    /// A regular file.
    File(File),
    /// A socket, as systemd connects services to the journal.
    Socket(OwnedFd),
    /// A pipe or terminal that was opened anew, so that being non-blocking does not touch those who share the old one.
    NonBlocking(File),
    /// A pipe or terminal that could not be opened anew.
    Polled(File),
}

impl Stream {
    fn classify(fd: OwnedFd) -> Self {
        let file = File::from(fd);
        let Ok(kind) = file.metadata().map(|metadata| metadata.file_type()) else {
            return Self::Polled(file);
        };
        if kind.is_file() {
            return Self::File(file);
        }
        if kind.is_socket() {
            return Self::Socket(file.into());
        }
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_APPEND;
        match File::options().write(true).custom_flags(flags).open(path) {
            Ok(own) => Self::NonBlocking(own),
            Err(_) => Self::Polled(file),
        }
    }

    /// Writes all or counts as failed.
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let written = match self {
            Self::File(file) | Self::NonBlocking(file) => file.write(line)?,
            Self::Socket(socket) => send(&*socket, line, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?,
            Self::Polled(file) => {
                let mut fds = [PollFd::new(&*file, PollFlags::OUT)];
                if poll(&mut fds, Some(&Timespec::default()))? == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                file.write(line)?
            }
        };
        if written == line.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }
}

/// RFC 3164 datagrams.
#[derive(Debug)]
struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    patience: Timespec,
    /// It has taken a line.
    was_there: bool,
    lost: u64,
    untold: u64,
}

impl Syslog {
    const fn new(path: PathBuf) -> Self {
        Self {
            path,
            socket: None,
            patience: PATIENCE,
            was_there: false,
            lost: 0,
            untold: 0,
        }
    }

    fn write(&mut self, facility: u8, ident: &str, severity: Severity, text: &str, now: &ZonedDateTime) {
        let line = |severity: Severity, text: &str| {
            let code = u32::from(facility) * 8 + severity.code();
            let stamp = now.strftime("%b %e %H:%M:%S");
            format!("<{code}>{stamp} {ident}[{}]: {text}", std::process::id())
        };
        if self.untold > 0 && self.send(&line(Severity::Warning, &loss(self.untold))).is_ok() {
            self.untold = 0;
        }
        if self.untold > 0 || self.send(&line(severity, text)).is_err() {
            self.lost += 1;
            self.untold += 1;
        }
    }

    /// Sends, after connecting anew if the daemon behind the socket has been restarted.
    fn send(&mut self, line: &str) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            let mut sent = socket.send(line.as_bytes());
            let is_full =
                |sent: &io::Result<usize>| sent.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
            if is_full(&sent) && self.untold == 0 {
                poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&self.patience))?;
                sent = socket.send(line.as_bytes());
            }
            match sent {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => self.socket = None,
            }
        }
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.path)?;
        socket.send(line.as_bytes())?;
        self.socket = Some(socket);
        self.was_there = true;
        Ok(())
    }
}

impl Severity {
    const fn code(self) -> u32 {
        match self {
            Self::Alert => 1,
            Self::Error => 3,
            Self::Warning => 4,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

fn open_file(path: &std::path::Path) -> io::Result<Stream> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options()
        .append(true)
        .create(true)
        .custom_flags(flags)
        .open(path)?;
    Ok(Stream::classify(file.into()))
}

fn loss(lines: u64) -> String {
    format!("{lines} log lines were lost here because this log did not take them in time")
}

/// One line of bounded length.
fn clean(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    kept.trim_end().replace(['\n', '\r', '\0'], " ")
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("vrrpd");
        let limit = match (ours, self.detail) {
            (true, 0 | 1) => Level::INFO,
            (true, _) => Level::DEBUG,
            (false, _) => Level::WARN,
        };
        *metadata.level() <= limit
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.detail && self.detail == 0 {
            return;
        }
        let severity = match *event.metadata().level() {
            _ if line.alert => Severity::Alert,
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            Level::DEBUG | Level::TRACE => Severity::Debug,
        };
        let deferred = self.deferred.get().filter(|_| !line.direct);
        if !deferred.is_some_and(|deferred| (deferred.0)(severity, &line.message)) {
            self.write(severity, &line.message);
        }
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// What an event carries for us.
#[derive(Debug, Default)]
struct Line {
    message: String,
    detail: bool,
    alert: bool,
    direct: bool,
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "detail" => self.detail = value,
            "alert" => self.alert = value,
            "direct" => self.direct = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests;
