//! Reads the configuration in a process of its own, which writes two memory files and ends: the configuration for the
//! daemon, and a summary for the supervisor.
//!
//! So the supervisor stays small however large the configuration is, keeps running programs and watching the daemon while a
//! file system hangs, and survives whatever a configuration does to the parser.

use super::fifo::FifoSpec;
use super::message::LoadedConfig;
use super::once::{OnceSpec, When};
use super::options::RunOptions;
use super::program::ProgramSpec;
use super::report::{ReloadReport, compare, waits};
use crate::config::{Diagnostic, waiting_for_restart};
use crate::model::{Global, Instance, Instant, Micros, Model};
use crate::sys;
use crate::system::clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

/// When a reading is given up.
const LIMIT: Micros = Micros::from_secs(120);

/// A configuration as read, before the supervisor has decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it means; `None` if it cannot run.
    pub model: Option<Model>,
    /// Hex digits that change when any byte of any file read changes.
    pub hash: String,
    /// Files read, the main one first.
    pub files: Vec<String>,
    /// Every problem, one line each, worded for the log.
    pub problems: Vec<String>,
    /// Every problem with its place.
    pub diagnostics: Vec<Diagnostic>,
    /// Those of them by which a check or a notification does not happen, although the configuration asks for it.
    pub disabled: Vec<String>,
    /// The exit status of a start with it, if it cannot run ([`super::exit`]).
    pub stop: Option<i32>,
    /// The exit status of `-t` with it; not 0 means that `reload_check_config` refuses it.
    pub test_status: i32,
}

/// Reads and judges the configuration that the options name; `true`: somebody looks at the text, so problems are told as exactly
/// as can be.
pub type ReadConfig = fn(&RunOptions, bool) -> Reading;

/// What the supervisor itself needs of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Brief {
    pub(super) generation: u32,
    pub(super) instances: usize,
    pub(super) programs: Vec<ProgramSpec>,
    pub(super) fifos: Vec<FifoSpec>,
    pub(super) startup: Option<OnceSpec>,
    pub(super) shutdown: Option<OnceSpec>,
    /// There are files or processes to observe.
    pub(super) observes: bool,
    pub(super) global: Global,
    /// What the next reload does beside reading.
    pub(super) reload: ReloadFiles,
    /// Capabilities beyond the usual ones.
    pub(super) realtime: bool,
    pub(super) no_swap: bool,
    /// `heartbeat_guard`.
    pub(super) heartbeat_guard: bool,
    /// How long the engine of a daemon may stand still with it.
    pub(super) heartbeat_limit: Micros,
    /// The addresses of `static_ipaddress` with their prefix lengths.
    pub(super) statics: Vec<(IpAddr, u8)>,
}

/// Files that a reload writes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ReloadFiles {
    /// `reload_check_config`: also small errors refuse a reload, and the messages stand here.
    pub(super) check_log: Option<String>,
    /// `reload_file`: it exists while the configuration is read.
    marker: Option<String>,
}

impl ReloadFiles {
    fn new(model: &Model) -> Self {
        let global = &model.global;
        let directory = if global.paths.use_pid_dir {
            "/run/keepalived"
        } else {
            "/run"
        };
        let marker = global.reload_file.as_ref().map(|path| match path.as_str() {
            "" => format!("{directory}/keepalived.reload"),
            path => path.to_owned(),
        });
        Self {
            check_log: global.reload_check_config.clone(),
            marker,
        }
    }

    /// Before the reading.
    fn begin(&self) {
        let made = self.marker.as_ref().map(|path| (path, create(path, 0o644)));
        if let Some((path, Err(error))) = made {
            let number = error.raw_os_error().unwrap_or(0);
            tracing::info!("Failed to create reload file ({path}) {number} - {error}");
        }
    }

    /// After it.
    fn end(&self, problems: &[String]) {
        if let Some(path) = &self.check_log {
            let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
            let written = create(path, 0o600).and_then(|mut file| file.write_all(lines.as_bytes()));
            if let Err(error) = written {
                tracing::warn!("cannot write {path}: {error}");
            }
        }
        self.unmark();
    }

    fn unmark(&self) {
        if let Some(Err(error)) = self.marker.as_ref().map(std::fs::remove_file)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the reload file: {error}");
        }
    }
}

/// Never through a link, as all files that the daemon writes.
fn create(path: &str, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(mode);
    let file = options.custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    Ok(file)
}

impl Brief {
    fn new(generation: u32, model: &Model) -> Self {
        let global = &model.global;
        Self {
            generation,
            instances: model.instances.len(),
            programs: ProgramSpec::all(model),
            fifos: FifoSpec::all(model),
            startup: OnceSpec::new(When::Startup.as_str(), &global.startup),
            shutdown: OnceSpec::new(When::Shutdown.as_str(), &global.shutdown),
            observes: !model.files.is_empty() || !model.processes.is_empty(),
            global: global.clone(),
            reload: ReloadFiles::new(model),
            realtime: global.vrrp.rt_priority.is_some() || global.vrrp.nice.is_some(),
            no_swap: global.vrrp.no_swap,
            heartbeat_guard: global.heartbeat_guard,
            heartbeat_limit: heartbeat_limit(model),
            statics: model
                .static_addresses
                .iter()
                .map(|fixed| (fixed.address.address, fixed.address.prefix_len))
                .collect(),
        }
    }
}

/// The time in which another node takes over, but never so short that a busy machine looks like a hanging daemon.
fn heartbeat_limit(model: &Model) -> Micros {
    let smallest = model.instances.iter().map(Instance::master_down_interval).min();
    smallest.unwrap_or(Micros::ZERO).max(Micros::from_secs(2))
}

/// What came out of a reading.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Summary {
    brief: Option<Brief>,
    problems: Vec<String>,
    /// What counts only after a restart.
    waiting: Vec<String>,
    stop: Option<i32>,
    test_status: i32,
}

/// What a reading is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    /// The settings that the daemon was started with.
    pub(super) started_with: &'a Global,
    /// The configuration in force, if somebody wants to know what becomes of it.
    pub(super) in_force: Option<&'a File>,
}

/// A configuration that can be put in force.
#[derive(Debug)]
pub(super) struct Usable {
    pub(super) brief: Brief,
    /// The [`LoadedConfig`], sealed.
    pub(super) file: File,
}

/// The verdict on a reading.
#[derive(Debug)]
pub(super) struct Verdict {
    /// What can be put in force, or the exit status of a start.
    pub(super) usable: Result<Usable, i32>,
    /// Every problem, one line each.
    pub(super) problems: Vec<String>,
    /// What counts only after a restart, a line each.
    pub(super) waiting: Vec<String>,
    /// The exit status of `-t`.
    pub(super) test_status: i32,
    /// The [`ReloadReport`], sealed, if it was wanted.
    pub(super) report: Option<File>,
}

/// A reading that is under way.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) pid: i32,
    summary: File,
    config: File,
    report: Option<File>,
    deadline: Instant,
    files: ReloadFiles,
}

impl Loader {
    /// Begins to read.
    ///
    /// # Errors
    /// When there is no memory or no process for it.
    pub(super) fn start(
        options: &RunOptions,
        generation: u32,
        read: ReadConfig,
        files: ReloadFiles,
        before: Option<Before<'_>>,
    ) -> io::Result<Self> {
        let summary = sys::memory_file("summary")?;
        let config = sys::memory_file("configuration")?;
        let wanted = before.and_then(|before| before.in_force);
        let report = wanted.map(|_| sys::memory_file("report")).transpose()?;
        let read = || {
            files.begin();
            let reading = read(options, report.is_some());
            files.end(&reading.problems);
            if let (Some(report), Some(before)) = (&report, before) {
                write(report, &report_on(options, &reading, before)?)?;
            }
            pass_on(options, generation, reading, before, &summary, &config)
        };
        let pid = sys::fork(|| match read() {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!("cannot pass the configuration on: {error}");
                1
            }
        })?;
        Ok(Self {
            pid: pid.as_raw(),
            summary,
            config,
            report,
            deadline: clock::now() + LIMIT,
            files,
        })
    }

    /// When it is to be given up.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Asks for another look later, after [`Self::kill`].
    pub(super) fn postpone(&mut self, now: Instant) {
        self.deadline = now + LIMIT;
    }

    /// Ends it; its death is still to come.
    pub(super) fn kill(&self) {
        if let Err(errno) = kill(Pid::from_raw(self.pid), Signal::SIGKILL) {
            tracing::debug!("cannot end the reading of the configuration: {errno}");
        }
    }

    /// What came out, after the process has ended like this.
    pub(super) fn finish(self, end: sys::End) -> Verdict {
        if end != sys::End::Exited(0) {
            self.files.unmark();
        }
        let summary: Summary = match end {
            sys::End::Exited(0) => serde_json::from_reader(sys::reader(&self.summary)).unwrap_or_default(),
            sys::End::Exited(_) | sys::End::Signaled(_) => Summary {
                problems: vec![describe(end)],
                stop: Some(super::exit::CONFIG),
                test_status: 5,
                ..Summary::default()
            },
        };
        let usable = match (summary.brief, summary.stop) {
            (Some(brief), None) => Ok(Usable {
                brief,
                file: self.config,
            }),
            (_, stop) => Err(stop.unwrap_or(super::exit::CONFIG)),
        };
        Verdict {
            usable,
            problems: summary.problems,
            waiting: summary.waiting,
            test_status: summary.test_status,
            report: self.report.filter(|_| end == sys::End::Exited(0)),
        }
    }
}

fn describe(end: sys::End) -> String {
    match end {
        sys::End::Signaled(9) => format!(
            "The configuration was not read within {} s; it is not used",
            LIMIT.as_millis() / 1000
        ),
        sys::End::Signaled(signal) => {
            format!(
                "Reading the configuration crashed (signal {signal}); it is not used. Please report it with the file"
            )
        }
        sys::End::Exited(status) => format!("Reading the configuration failed (status {status}); it is not used"),
    }
}

/// For whoever asked.
fn report_on(options: &RunOptions, reading: &Reading, before: Before<'_>) -> io::Result<ReloadReport> {
    let old = before.in_force.map(LoadedConfig::read).transpose()?;
    let changes = |model: &Model| waiting_for_restart(before.started_with, &model.global);
    Ok(ReloadReport {
        path: options.config.clone(),
        files: reading.files.clone(),
        hash: reading.hash.clone(),
        diagnostics: reading.diagnostics.clone(),
        difference: old.and_then(|old| compare(&old.model, reading.model.as_ref())),
        waits_for_restart: reading.model.as_ref().map(changes).unwrap_or_default(),
    })
}

fn pass_on(
    options: &RunOptions,
    generation: u32,
    reading: Reading,
    before: Option<Before<'_>>,
    summary_file: &File,
    config_file: &File,
) -> io::Result<()> {
    let changes = |model: &Model| before.map(|before| waiting_for_restart(before.started_with, &model.global));
    let waiting = reading.model.as_ref().and_then(changes).unwrap_or_default();
    let waiting: Vec<String> = waiting.iter().map(waits).collect();
    let summary = Summary {
        waiting: waiting.clone(),
        brief: reading.model.as_ref().map(|model| Brief::new(generation, model)),
        problems: reading.problems,
        stop: reading.stop,
        test_status: reading.test_status,
    };
    if let Some(model) = reading.model {
        let config = LoadedConfig {
            generation,
            path: options.config.clone(),
            hash: reading.hash,
            loaded_at: i64::try_from(clock::wall().0 / 1_000_000).unwrap_or(0),
            disabled: reading.disabled,
            waiting,
            model: model.into(),
        };
        write(config_file, &config)?;
    }
    write(summary_file, &summary)
}

fn write(file: &File, value: &impl Serialize) -> io::Result<()> {
    let mut writer = io::BufWriter::new(file);
    serde_json::to_writer(&mut writer, value)?;
    writer.flush()?;
    sys::seal(file)
}
