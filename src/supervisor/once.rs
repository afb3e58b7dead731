//! `startup_script` and `shutdown_script`: run once, before the daemon is started and after it has stopped. Each is given its
//! time; what goes beyond it is killed, and nobody waits for what cannot be killed.

use super::program::ProgramSpec;
use super::supervise::Supervisor;
use crate::model::{Instant, Micros, OnceProgram};
use crate::sys;
use crate::system::clock;
use serde::{Deserialize, Serialize};

/// From SIGTERM to SIGKILL, and from there to the next one.
const GRACE: Micros = Micros::from_secs(2);
/// From the second SIGKILL until nobody waits any longer.
const LAST: Micros = Micros::from_secs(10);

/// Such a program as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OnceSpec {
    program: ProgramSpec,
    timeout: Micros,
}

impl OnceSpec {
    /// `name`: `startup script` or `shutdown script`.
    pub(super) fn new(name: &'static str, once: &OnceProgram) -> Option<Self> {
        let program = once.program.as_ref()?;
        Some(Self {
            program: ProgramSpec::once(name, program),
            timeout: once.timeout,
        })
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Startup,
    Shutdown,
}

impl When {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup script",
            Self::Shutdown => "shutdown script",
        }
    }
}

/// The one that runs.
#[derive(Debug)]
pub(super) struct Once {
    pub(super) pid: i32,
    when: When,
    stage: Stage,
    pub(super) deadline: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Working,
    Terminated,
    Killed,
    KilledAgain,
}

impl Supervisor {
    /// Runs the program of this moment. Whether one runs now.
    pub(super) fn start_once(&mut self, when: When) -> bool {
        let spec = match when {
            When::Startup => self.brief.startup.clone(),
            When::Shutdown => self.brief.shutdown.clone(),
        };
        let Some(spec) = spec else { return false };
        let (what, path) = (when.as_str(), spec.program.command());
        tracing::info!(detail = true, "Running {what} {path}");
        match self.programs.start_once(&spec.program) {
            Ok(pid) => {
                self.once = Some(Once {
                    pid,
                    when,
                    stage: Stage::Working,
                    deadline: clock::now() + spec.timeout,
                });
                true
            }
            Err(error) => {
                tracing::info!("Call of {what} {path} failed: {error}");
                false
            }
        }
    }

    /// It has ended.
    pub(super) fn on_once_end(&mut self, end: sys::End) {
        let Some(once) = self.once.take() else { return };
        let what = once.when.as_str();
        match end {
            _ if once.stage != Stage::Working => {}
            sys::End::Exited(0) => tracing::info!(detail = true, "{what} script succeeded"),
            sys::End::Exited(status) => tracing::info!("{what} script failed, status {status}"),
            sys::End::Signaled(signal) => tracing::info!("{what} script failed, signal {signal}"),
        }
        self.after_once(once.when);
    }

    /// Its time, or the time that it has to die in, is over.
    pub(super) fn run_once_deadline(&mut self, now: Instant) {
        let Some(once) = self.once.as_mut().filter(|once| once.deadline <= now) else {
            return;
        };
        let (stage, hard, wait) = match once.stage {
            Stage::Working => {
                tracing::info!("{} timed out", once.when.as_str());
                (Stage::Terminated, false, GRACE)
            }
            Stage::Terminated => (Stage::Killed, true, GRACE),
            Stage::Killed => (Stage::KilledAgain, true, LAST),
            Stage::KilledAgain => {
                let (when, pid) = (once.when, once.pid);
                tracing::error!("{} (PID {pid}) cannot be killed: nobody waits for it", when.as_str());
                self.once = None;
                return self.after_once(when);
            }
        };
        once.stage = stage;
        once.deadline = now + wait;
        self.programs.signal(once.pid, hard);
    }

    fn after_once(&mut self, when: When) {
        if when == When::Startup && !self.is_stopping() {
            self.begin();
        }
    }
}
