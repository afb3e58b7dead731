//! Pid files: names, locks, contents (interfaces §2).
//!
//! The lock is an OFD lock on byte 0 (keepalived 2.4 locks the whole file, so each keeps the other out). keepalived 2.2 takes
//! no lock; a living process of that name in the file counts as one. A supervisor that is stopping locks a second byte far
//! behind the content: whoever finds that waits for it, because a restart should not fail for want of some milliseconds.

use super::options::RunOptions;
use crate::sys::{Range, conflict, try_lock};
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Held as long as the process lives.
const ALIVE: Range = Range { start: 0, len: 1 };
/// Held while it cleans up.
const CLEANING: Range = Range { start: 1 << 32, len: 1 };

/// Where the pid files are, and which directory is made for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths {
    /// The supervisor's.
    pub(super) main: PathBuf,
    /// The daemon's.
    pub(super) vrrp: PathBuf,
    /// A directory that is made if need be and removed when empty.
    pub(super) directory: Option<PathBuf>,
}

impl Paths {
    /// By keepalived's rules; `directory` = `use_pid_dir`.
    pub(super) fn new(options: &RunOptions, namespace: Option<&str>, instance: Option<&str>, directory: bool) -> Self {
        let own = namespace.is_some() || instance.is_some() || directory;
        let base = match (own, namespace) {
            (false, _) => PathBuf::from(RUN),
            (true, None) => Path::new(RUN).join("keepalived"),
            (true, Some(namespace)) => Path::new(RUN).join("keepalived").join(namespace),
        };
        let file = |name: &str| match instance {
            Some(instance) => base.join(format!("{name}_{instance}.pid")),
            None => base.join(format!("{name}.pid")),
        };
        let given = options.pid_file.is_some() && options.vrrp_pid_file.is_some();
        Self {
            main: options.pid_file.clone().unwrap_or_else(|| file("keepalived")),
            vrrp: options.vrrp_pid_file.clone().unwrap_or_else(|| file("vrrp")),
            directory: (own && !given).then_some(base),
        }
    }

    /// Makes the directory, readable by all whatever the umask.
    ///
    /// # Errors
    /// When it is neither there nor can be made.
    pub(super) fn make_directory(&self) -> io::Result<()> {
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        for part in directory.ancestors().collect::<Vec<_>>().into_iter().rev() {
            match std::fs::create_dir(part) {
                Ok(()) => std::fs::set_permissions(part, Permissions::from_mode(0o755))?,
                Err(_) if part.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the directory if nobody else has files in it.
    pub(super) fn remove_directory(&self) {
        for part in self.directory.iter().flat_map(|directory| directory.ancestors()) {
            if !part.starts_with(Path::new(RUN).join("keepalived")) || std::fs::remove_dir(part).is_err() {
                break;
            }
        }
    }
}

const RUN: &str = "/run";

/// A locked pid file.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why a pid file was not locked.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another daemon lives; `cleaning` = it is about to end.
    Taken {
        /// Whether waiting makes sense.
        cleaning: bool,
    },
    /// The system refuses.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl PidFile {
    /// Opens, locks and empties the file.
    ///
    /// # Errors
    /// See [`LockError`].
    pub(super) fn lock(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        match try_lock(&file, ALIVE) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let cleaning = conflict(&file, CLEANING)? == Some(CLEANING);
                return Err(LockError::Taken { cleaning });
            }
            Err(error) => return Err(error.into()),
        }
        if !is_at(&file, path)? {
            // Its former owner unlinked it between our open and our lock: it is ending.
            return Err(LockError::Taken { cleaning: true });
        }
        if names_living_daemon(&file) {
            // keepalived 2.2, or our own daemon whose supervisor was killed and which is about to end.
            return Err(LockError::Taken { cleaning: true });
        }
        file.set_len(0)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Writes a pid. If somebody has deleted the file it is made again.
    ///
    /// # Errors
    /// When it can neither be written nor made again.
    pub(super) fn write(&mut self, pid: i32) -> Result<(), LockError> {
        if !is_at(&self.file, &self.path)? {
            *self = Self::lock(&self.path)?;
        }
        let text = format!("{pid}\n");
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(u64::try_from(text.len()).unwrap_or(0))?;
        Ok(())
    }

    /// Tells those who wait for the lock that it will be free soon.
    pub(super) fn announce_cleaning(&self) {
        if let Err(error) = try_lock(&self.file, CLEANING) {
            tracing::debug!("cannot mark {} as ending: {error}", self.path.display());
        }
    }

    /// Deletes the file, if it is still the one that was locked, and unlocks it.
    pub(super) fn remove(self) {
        if is_at(&self.file, &self.path).unwrap_or(false) {
            if let Err(error) = std::fs::remove_file(&self.path) {
                tracing::warn!("cannot remove the pid file {}: {error}", self.path.display());
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    options.open(path)
}

/// Whether the path still leads to the open file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the file names a living keepalived or vrrpd, which does not lock it.
fn names_living_daemon(mut file: &File) -> bool {
    let mut text = String::new();
    if file.by_ref().take(32).read_to_string(&mut text).is_err() {
        return false;
    }
    let Ok(pid) = text.trim().parse::<u32>() else {
        return false;
    };
    if pid == std::process::id() {
        return false;
    }
    // `PID (NAME) STATE ...`; a dead process that nobody reaps, as in a container without an init, does not count.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") ")) else {
        return false;
    };
    (name.starts_with("keepalived") || name.starts_with("vrrpd")) && !rest.starts_with(['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(namespace: Option<&str>, instance: Option<&str>, directory: bool) -> [String; 2] {
        let paths = Paths::new(&RunOptions::default(), namespace, instance, directory);
        [paths.main, paths.vrrp].map(|path| path.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_names_are_keepalived_s() {
        // interfaces.md §2, table of pid files.
        assert_eq!(paths(None, None, false), ["/run/keepalived.pid", "/run/vrrp.pid"]);
        assert_eq!(
            paths(None, Some("NAME"), false),
            ["/run/keepalived/keepalived_NAME.pid", "/run/keepalived/vrrp_NAME.pid"]
        );
        assert_eq!(
            paths(Some("NS"), None, false),
            ["/run/keepalived/NS/keepalived.pid", "/run/keepalived/NS/vrrp.pid"]
        );
        assert_eq!(
            paths(Some("NS"), Some("NAME"), true),
            [
                "/run/keepalived/NS/keepalived_NAME.pid",
                "/run/keepalived/NS/vrrp_NAME.pid"
            ]
        );
        assert_eq!(
            paths(None, None, true),
            ["/run/keepalived/keepalived.pid", "/run/keepalived/vrrp.pid"]
        );
    }

    fn temporary(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("vrrpd-pid-{}-{name}", std::process::id()));
        drop(std::fs::remove_file(&path));
        path
    }

    #[test]
    fn a_second_one_is_kept_out_until_the_first_is_gone_and_learns_when_waiting_helps() {
        let path = temporary("lock");
        let mut first = PidFile::lock(&path).unwrap();
        first.write(4711).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4711\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert!(matches!(
            PidFile::lock(&path),
            Err(LockError::Taken { cleaning: false })
        ));
        first.announce_cleaning();
        assert!(matches!(PidFile::lock(&path), Err(LockError::Taken { cleaning: true })));
        first.remove();
        assert!(!path.exists());
        PidFile::lock(&path).unwrap().remove();
    }

    #[test]
    fn keepalived_2_4_is_kept_out_and_keeps_us_out() {
        let path = temporary("whole");
        let theirs = open(&path).unwrap();
        try_lock(&theirs, Range { start: 0, len: 0 }).unwrap();
        assert!(matches!(
            PidFile::lock(&path),
            Err(LockError::Taken { cleaning: false })
        ));
        drop(theirs);
        let ours = PidFile::lock(&path).unwrap();
        assert!(try_lock(&open(&path).unwrap(), Range { start: 0, len: 0 }).is_err());
        ours.remove();
    }

    #[test]
    fn a_stale_file_and_a_deleted_one_are_no_obstacle() {
        let path = temporary("stale");
        std::fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        let mut file = PidFile::lock(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write(12).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "12\n");
        file.remove();
    }

    #[test]
    fn a_link_is_not_followed() {
        let (path, target) = (temporary("link"), temporary("target"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(PidFile::lock(&path), Err(LockError::Io(_))));
        assert!(!target.exists());
        std::fs::remove_file(path).unwrap();
    }
}
