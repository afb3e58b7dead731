//! The state files that signals ask for: which one, when, and what the log says. `control::dump` makes the text.

use crate::control::ClockAnchor;
use crate::control::dump::{Paths, Source, data, json, stats};
use crate::model::Model;
use crate::proto::Snapshot;
use crate::sys;
use crate::system::clock;
use crate::system::dumpfile::replace;
use crate::system::logsink::{Log, Severity};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// SIGUSR1: `keepalived.data`.
    Data,
    /// SIGUSR2: `keepalived.stats`.
    Stats,
    /// SIGRTMAX-1: the same, and the counters begin anew.
    StatsAndClear,
    /// SIGRTMIN+2: `keepalived.json`.
    Json,
    /// `--dump-conf`: what does not change of `keepalived.data`, into the log.
    Log,
}

/// Lines of `keepalived.data` that tell the state, not the configuration.
const STATE: [&str; 12] = [
    "State",
    "Master router",
    "Master priority",
    "Master advert interval",
    "Number of tracker faults",
    "Number of track scripts init",
    "Last transition",
    "Read timeout",
    "Master down timer",
    "Effective priority",
    "Total priority",
    "Status",
];

impl Kind {
    pub(super) fn of_signal(signal: i32) -> Option<Self> {
        match signal {
            libc::SIGUSR1 => Some(Self::Data),
            libc::SIGUSR2 => Some(Self::Stats),
            clear if clear == sys::realtime_max() - 1 => Some(Self::StatsAndClear),
            document if document == sys::realtime_min() + 2 => Some(Self::Json),
            _ => None,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Stats => 2,
            Self::StatsAndClear => 4,
            Self::Json => 8,
            Self::Log => 16,
        }
    }

    /// What the log says first.
    const fn announcement(self) -> Option<&'static str> {
        match self {
            Self::Data => Some("Printing VRRP data"),
            Self::Stats => Some("Printing VRRP stats"),
            Self::StatsAndClear => Some("Printing and clearing VRRP stats"),
            // keepalived 2.4 writes it silently; 2.2 does not.
            Self::Json | Self::Log => None,
        }
    }
}

/// Which files are being written: at most one of each, so that a storm of signals costs no memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending(Arc<AtomicU8>);

impl Pending {
    /// Whether it was not pending before.
    pub(super) fn begin(&self, kind: Kind) -> bool {
        self.0.fetch_or(kind.bit(), Ordering::AcqRel) & kind.bit() == 0
    }

    pub(super) fn end(&self, kind: Kind) {
        self.0.fetch_and(!kind.bit(), Ordering::AcqRel);
    }
}

/// One file to write, with everything that it is made from.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) model: Arc<Model>,
    pub(super) snapshot: Snapshot,
    /// `-s`.
    pub(super) namespace: Option<String>,
}

impl Order {
    /// Writes it. Runs where waiting is allowed.
    pub(super) fn carry_out(&self, log: &Log) {
        if let Some(what) = self.kind.announcement() {
            let said = format!("{what} for process({}) on signal", std::process::id());
            log.write(Severity::Info, &said);
        }
        let global = &self.model.global;
        let namespace = self.namespace.as_deref().or(global.net_namespace.as_deref());
        let paths = Paths::new(global, namespace, &Paths::temporary());
        let router_id = global.router_id.clone().unwrap_or_else(host_name);
        let source = Source {
            model: &self.model,
            snapshot: &self.snapshot,
            clock: ClockAnchor {
                instant: clock::now(),
                wall: clock::wall(),
            },
            router_id: &router_id,
        };
        let (path, text): (&Path, _) = match self.kind {
            Kind::Data => (&paths.data, Some(data(&source))),
            Kind::Stats | Kind::StatsAndClear => (&paths.stats, Some(stats(&self.snapshot))),
            Kind::Json => (&paths.json, json(&source)),
            Kind::Log => {
                let text = data(&source);
                let told = |line: &&str| {
                    !STATE
                        .iter()
                        .any(|key| line.trim_start().starts_with(&format!("{key} =")))
                };
                text.lines()
                    .filter(told)
                    .for_each(|line| log.write(Severity::Info, line));
                return;
            }
        };
        if let Some(text) = text
            && let Err(error) = replace(path, text.as_bytes())
        {
            let text = format!("cannot write {}: {error}", path.display());
            log.write(Severity::Warning, &text);
        }
    }
}

/// The name of this host, which stands for a `router_id` that is not written.
pub(super) fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}
