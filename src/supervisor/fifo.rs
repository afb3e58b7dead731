//! Notify FIFOs: made here, because that needs rights; written by the daemon through descriptors that never wait
//! (behaviour §13.3).

use super::program::ProgramSpec;
use crate::model::{FifoKind, Model, NotifyFifo, ProgramUser};
use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Gid, Uid, fchown, geteuid, mkfifo};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

/// A FIFO that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FifoSpec {
    pub(super) kind: FifoKind,
    pub(super) path: String,
    user: Option<ProgramUser>,
    pub(super) program: Option<ProgramSpec>,
}

impl FifoSpec {
    /// Both of them, as far as they are configured.
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let spec = |(kind, fifo): (FifoKind, &NotifyFifo)| {
            let path = fifo.path.clone()?;
            let reader = fifo.program.as_ref().filter(|program| program.path.is_some());
            let program = reader.map(|program| ProgramSpec::reader(program, &path));
            Some(Self {
                kind,
                path,
                user: fifo.user,
                program,
            })
        };
        let global = &model.global;
        [
            (FifoKind::Global, &global.notify_fifo),
            (FifoKind::Vrrp, &global.vrrp_notify_fifo),
        ]
        .into_iter()
        .filter_map(spec)
        .collect()
    }
}

/// An open FIFO. Dropping it removes the file, if it was made here.
#[derive(Debug)]
pub(super) struct Fifo {
    pub(super) kind: FifoKind,
    pub(super) file: File,
    path: String,
    made: bool,
}

impl Fifo {
    /// Makes it, or takes one that is there and ours. What is wrong is logged.
    pub(super) fn open(spec: &FifoSpec) -> Option<Self> {
        let (kind, path) = (spec.kind.prefix(), spec.path.as_str());
        let made = match mkfifo(path, Mode::from_bits_truncate(0o644)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => {
                tracing::info!("Unable to create {kind}notify fifo {path}: {}", io::Error::from(errno));
                return None;
            }
        };
        match Self::take(spec, made) {
            Ok(fifo) => Some(fifo),
            Err(problem) => {
                tracing::info!("{problem}");
                if made {
                    remove(path);
                }
                None
            }
        }
    }

    fn take(spec: &FifoSpec, made: bool) -> Result<Self, String> {
        let (kind, path) = (spec.kind.prefix(), spec.path.as_str());
        let foreign = || format!("{kind}notify fifo {path} is not a fifo we own - not using");
        // Opening a device or a link could do something.
        let is_fifo = std::fs::symlink_metadata(path).is_ok_and(|facts| facts.file_type().is_fifo());
        if !is_fifo {
            return Err(foreign());
        }
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        // Open for reading as well: it can be opened without a reader, lines wait in it, and a reader that leaves is no error.
        let opened = File::options().read(true).write(true).custom_flags(flags).open(path);
        let file = opened.map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(0);
            format!("Unable to open {kind}notify fifo {path} - errno {errno}")
        })?;
        let facts = fstat(&file).map_err(|_| foreign())?;
        let owners = [Some(geteuid().as_raw()), spec.user.map(|user| user.uid)];
        let is_fifo = SFlag::from_bits_truncate(facts.st_mode).contains(SFlag::S_IFIFO);
        if !is_fifo || !owners.contains(&Some(facts.st_uid)) {
            return Err(foreign());
        }
        if let Some(user) = spec.user {
            fchown(&file, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
                .map_err(|_| format!("Failed to set uid:gid for fifo {path}"))?;
        }
        Ok(Self {
            kind: spec.kind,
            file,
            path: path.to_owned(),
            made,
        })
    }
}

impl Fifo {
    /// In a forked process: closes it and leaves the file to the supervisor.
    pub(super) fn leave(mut self) {
        self.made = false;
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        if self.made {
            remove(&self.path);
        }
    }
}

fn remove(path: &str) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!("cannot remove the FIFO {path}: {error}");
    }
}
