//! `reload_time_file`: a file that holds the time of a reload. A process of its own watches it, because a disk may hang; when the
//! time has come it sends the supervisor SIGHUP, as a person would. Without `reload_repeat`, and when the file names a day, the
//! file is deleted then.

use super::fifo::Fifo;
use super::supervise::Supervisor;
use crate::model::{Instant, Micros};
use crate::sys::{self, Capability};
use crate::system::clock;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How long after its death it is started again, and how often a directory that does not exist is looked for.
const PAUSE: Micros = Micros::from_secs(1);
/// The wall clock is looked at this often: somebody may set it.
const LOOK: Micros = Micros::from_secs(10);
/// A time is shorter; what comes behind the first line does not count.
const LONGEST: u64 = 128;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watch {
    file: PathBuf,
    repeat: bool,
}

/// The process that watches.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    watch: Option<Watch>,
    pid: Option<i32>,
    again_at: Option<Instant>,
}

impl Schedule {
    /// When [`Supervisor::follow_schedule`] is to be called again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again_at
    }

    /// Whether the dead child was it.
    pub(super) fn died(&mut self, pid: i32) -> bool {
        let ours = self.pid == Some(pid);
        if ours {
            tracing::error!("The process that watches the reload timer file died: a new one follows");
            (self.pid, self.again_at) = (None, Some(clock::now() + PAUSE));
        }
        ours
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.again_at = None;
        self.watch = None;
        if let Some(pid) = self.pid.take()
            && let Err(error) = sys::send_signal(pid, libc::SIGKILL)
        {
            tracing::debug!("cannot end the watch on the reload timer file: {error}");
        }
    }
}

impl Supervisor {
    /// Watches the file that the configuration in force names, if it names one.
    pub(super) fn follow_schedule(&mut self) {
        let global = &self.brief.global;
        let wanted = global.reload_time_file.as_ref().map(|path| Watch {
            file: path.into(),
            repeat: global.reload_repeat,
        });
        if wanted == self.schedule.watch && (wanted.is_none() || self.schedule.pid.is_some()) {
            return;
        }
        self.schedule.stop();
        let Some(watch) = wanted else { return };
        let supervisor = nix::unistd::getpid();
        let seccomp = self.options.seccomp;
        let started = self.fork_bare(|| {
            let kept = prepare(supervisor, seccomp).and_then(|()| keep(&watch, supervisor));
            if let Err(error) = kept {
                tracing::error!("cannot watch the reload timer file {}: {error}", watch.file.display());
            }
            1
        });
        match started {
            Ok(pid) => self.schedule.pid = Some(pid),
            Err(error) => {
                tracing::error!("cannot watch the reload timer file: {error}");
                self.schedule.again_at = Some(clock::now() + PAUSE);
            }
        }
        self.schedule.watch = Some(watch);
    }

    /// Starts a process that has nothing of ours: no lock, no channel, no FIFO.
    fn fork_bare(&mut self, work: impl FnOnce() -> u8) -> io::Result<i32> {
        let (own, fifos, daemon) = (&mut self.own, &mut self.fifos, &mut self.daemon);
        let pid = sys::fork(|| {
            drop(own.take());
            fifos.drain(..).for_each(Fifo::leave);
            drop(daemon.take());
            work()
        })?;
        Ok(pid.as_raw())
    }
}

/// In the child: what remains is to read, to delete, and to signal.
fn prepare(supervisor: Pid, seccomp: bool) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != supervisor {
        return Err(io::Error::other("the supervisor died during the start"));
    }
    sys::keep_capabilities(&[Capability::DacOverride])?;
    if seccomp && let Err(error) = sys::forbid_exec() {
        tracing::warn!("the watch on the reload timer file keeps the right to execute programs: {error}");
    }
    Ok(())
}

/// Watches until the end.
fn keep(watch: &Watch, supervisor: Pid) -> io::Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let directory = watch.file.parent().unwrap_or(Path::new("/"));
    let mut watched = false;
    let mut plan: Option<Plan> = None;
    loop {
        if !watched {
            watched = inotify.add_watch(directory, wanted()).is_ok();
            plan = look(watch, plan.take());
        }
        let now = now();
        let left = plan.as_ref().map(|plan| plan.at.duration_since(now));
        if left.is_some_and(|left| !left.is_positive()) {
            plan = fire(watch, supervisor, plan.take())?;
            continue;
        }
        let limit = if watched { LOOK } else { PAUSE };
        let micros = left.and_then(|left| u64::try_from(left.as_micros()).ok()).map(Micros);
        let wait = micros.map_or(limit, |left| left.min(limit));
        // Without a time nothing but the file matters.
        let wait = (plan.is_some() || !watched).then_some(wait + Micros::MILLISECOND);
        let wait = wait.and_then(|wait| Timespec::try_from(wait.to_std()).ok());
        poll(
            &mut [PollFd::from_borrowed_fd(inotify.as_fd(), PollFlags::IN)],
            wait.as_ref(),
        )?;
        let events = match inotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let gone = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_IGNORED;
        if watched && events.iter().any(|event| event.mask.intersects(gone)) {
            tracing::info!("Directory of reload timer file has disappeared. It is looked for again");
            watched = false;
        }
        let ours =
            |name: &Option<std::ffi::OsString>| name.as_deref().is_none_or(|name| Some(name) == watch.file.file_name());
        if events.iter().any(|event| ours(&event.name)) {
            plan = look(watch, plan.take());
        }
    }
}

/// What is told of the directory.
fn wanted() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// The wall clock.
fn now() -> Timestamp {
    let micros = i64::try_from(clock::wall().0).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Reads the file, and tells what is new.
fn look(watch: &Watch, before: Option<Plan>) -> Option<Plan> {
    let text = read(&watch.file);
    let zone = TimeZone::system();
    let plan = match text
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| Plan::read(text, now(), &zone))
    {
        Some(Ok(plan)) => Some(plan),
        Some(Err(why)) => {
            for line in why {
                tracing::info!("{line}");
            }
            None
        }
        None => None,
    };
    match (&before, &plan) {
        (None, None) => {}
        (Some(before), None) => tracing::info!("Cancelling reload scheduled for {}", before.told(&zone)),
        (None, Some(plan)) => tracing::info!("Scheduling reload for {}", plan.told(&zone)),
        (Some(before), Some(plan)) if before.at == plan.at => {}
        (Some(before), Some(plan)) => {
            tracing::info!(
                "Reload time updated from {} to {}",
                before.told(&zone),
                plan.told(&zone)
            );
        }
    }
    plan
}

/// The first line, if there is a file; `None` also for what is no file.
fn read(path: &Path) -> Option<String> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    let mut bytes = Vec::new();
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some(text.lines().next().unwrap_or_default().to_owned())
}

/// The time has come: what is to come next.
fn fire(watch: &Watch, supervisor: Pid, plan: Option<Plan>) -> io::Result<Option<Plan>> {
    let Some(plan) = plan else { return Ok(None) };
    if !watch.repeat || plan.dated {
        if let Err(error) = std::fs::remove_file(&watch.file)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot delete the reload timer file {}: {error}", watch.file.display());
        }
        nix::sys::signal::kill(supervisor, Signal::SIGHUP)?;
        return Ok(None);
    }
    nix::sys::signal::kill(supervisor, Signal::SIGHUP)?;
    Ok(look(watch, None))
}

/// When a reload is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    at: Timestamp,
    /// The file names a day.
    dated: bool,
}

impl Plan {
    /// Understands `HH:MM:SS`, `YY-MM-DD HH:MM:SS` and `YYYY-MM-DD HH:MM:SS`, each with a `Z` behind it for UTC. A time of day that is
    /// over is tomorrow's. The error: two lines in keepalived's words.
    fn read(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Self, [String; 2]> {
        let ignored = |why: String| [why, format!("Invalid reload time '{text}' specified - ignoring")];
        let (bare, zone) = match text.strip_suffix('Z') {
            Some(bare) => (bare, &TimeZone::UTC),
            None => (text, zone),
        };
        let (day, time) = match bare.len() {
            8 => (None, Some(bare)),
            17 | 19 => (bare.get(..bare.len() - 9), bare.get(bare.len() - 8..)),
            _ => return Err(ignored(format!("Reload time {text} format is incorrect - ignoring"))),
        };
        let separated = bare.len() == 8 || bare.get(bare.len() - 9..bare.len() - 8) == Some(" ");
        let invalid = || ignored(format!("Reload date/time {text} invalid - ignoring"));
        let time = time
            .filter(|_| separated)
            .and_then(|time| numbers(time, ':'))
            .ok_or_else(invalid)?;
        let [hour, minute, second] = time;
        if hour > 23 || minute > 59 || second > 60 {
            return Err(invalid());
        }
        let not_valid = || ignored(format!("Reload time {text} is not valid - ignoring"));
        let clock_time = small(hour, minute, second, Time::new).ok_or_else(not_valid)?;
        let at = |date: Date| zone.to_timestamp(DateTime::from_parts(date, clock_time)).ok();
        let Some(day) = day else {
            let today = zone.to_datetime(now).date();
            let due = at(today).filter(|due| *due > now);
            let due = due
                .or_else(|| at(today.checked_add(1.day()).ok()?))
                .ok_or_else(not_valid)?;
            return Ok(Self { at: due, dated: false });
        };
        let [year, month, date] = numbers(day, '-').ok_or_else(invalid)?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&date) {
            return Err(invalid());
        }
        // As strptime reads two digits.
        let year = match year {
            year if day.len() > 8 => year,
            year @ 0..=68 => year + 2000,
            year => year + 1900,
        };
        let date = i16::try_from(year).ok().and_then(|year| {
            let (month, date) = (i8::try_from(month).ok()?, i8::try_from(date).ok()?);
            Date::new(year, month, date).ok()
        });
        let due = date.and_then(at).ok_or_else(not_valid)?;
        if due <= now {
            let first = format!("Reload time {text} is in the past - ignoring");
            return Err([first, "Reload date/time is in the past - ignoring".to_owned()]);
        }
        Ok(Self { at: due, dated: true })
    }

    /// For the log, in local time.
    fn told(&self, zone: &TimeZone) -> String {
        zone.to_datetime(self.at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

fn small(hour: u32, minute: u32, second: u32, make: fn(i8, i8, i8, i32) -> Result<Time, jiff::Error>) -> Option<Time> {
    let number = |number: u32| i8::try_from(number).ok();
    make(number(hour)?, number(minute)?, number(second)?, 0).ok()
}

/// Three numbers of decimal digits only.
fn numbers(text: &str, between: char) -> Option<[u32; 3]> {
    let mut parts = text.split(between).map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25 20:07:05 UTC, 15:07:05 in New York.
    fn read(text: &str) -> Result<(String, bool), [String; 2]> {
        let zone = TimeZone::get("America/New_York").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(-5)));
        let now: Timestamp = "2026-11-25T20:07:05Z".parse().unwrap();
        Plan::read(text, now, &zone).map(|plan| (plan.told(&zone), plan.dated))
    }

    /// What keepalived 2.2.7 made of these at that moment, in that zone.
    #[test]
    fn times_are_understood_as_keepalived_understands_them() {
        let good = [
            ("16:07:05", "2026-11-25 16:07:05", false),
            ("15:07:05", "2026-11-26 15:07:05", false),
            ("23:07:08Z", "2026-11-25 18:07:08", false),
            ("2026-11-25 17:07:11", "2026-11-25 17:07:11", true),
            ("26-11-25 21:38:00Z", "2026-11-25 16:38:00", true),
        ];
        for (text, at, dated) in good {
            assert_eq!(read(text), Ok((at.to_owned(), dated)), "{text}");
        }
        let format = |text: &str| format!("Reload time {text} format is incorrect - ignoring");
        let invalid = |text: &str| format!("Reload date/time {text} invalid - ignoring");
        let not_valid = |text: &str| format!("Reload time {text} is not valid - ignoring");
        let past = |text: &str| format!("Reload time {text} is in the past - ignoring");
        type Why<'a> = &'a dyn Fn(&str) -> String;
        let bad: [(&str, Why<'_>); 18] = [
            ("garbage", &format),
            ("9:05:00", &format),
            ("09:5:0", &format),
            ("2026-11-25 16:07:08 ", &format),
            ("23:07:09z", &format),
            (" 2026-11-25 17:07:09", &format),
            ("2026-11-25  17:07:10", &format),
            ("2026-11-25 17:07", &format),
            ("+3", &format),
            ("2026-11-25T16:07:08", &invalid),
            ("25:00:00", &invalid),
            ("24:00:00", &invalid),
            ("23:60:00", &invalid),
            ("2027-13-01 10:00:00", &invalid),
            ("2027-02-30 10:00:00", &not_valid),
            ("23:59:60", &not_valid),
            ("70-01-01 00:00:00", &past),
            ("99-01-01 00:00:00", &past),
        ];
        for (text, why) in bad {
            let [first, second] = read(text).unwrap_err();
            assert_eq!(first, why(text));
            assert!(second.starts_with("Invalid reload time") || second.ends_with("is in the past - ignoring"));
        }
        assert!(
            read("ä6-11-25 21:38:00").is_err() && read("").is_err(),
            "no panic inside of a letter"
        );
    }
}
