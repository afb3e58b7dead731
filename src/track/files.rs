//! Tracked files: their directories are watched, the files are read when something happens to them there.

use super::Teller;
use super::number::{LOOKED_AT, read};
use crate::model::{Micros, TrackedFile, TrackedFileId};
use crate::proto::{FileReading, Observation};
use crate::sys::{Epoll, Events, Interest};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A directory that does not exist is looked for again after this time.
const LOOK_AGAIN: Micros = Micros::from_secs(1);

/// File systems whose files change without anybody being told (`linux/magic.h`).
const SILENT: [u32; 18] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6969,      // nfs
    0x6573_5546, // fuse
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x6265_6570, // configfs
    0x1cd1,      // devpts
    0x7363_6673, // securityfs
    0xf97c_ff8c, // selinuxfs
    0xff53_4d42, // cifs
    0xfe53_4d42, // smb2
    0x0102_1997, // 9p
    0x00c3_6400, // ceph
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
];

/// A tracked file, and where something may happen to it: where it was named, and where it really is.
struct Watched {
    id: TrackedFileId,
    path: PathBuf,
    places: Vec<(WatchDescriptor, OsString)>,
    /// Its directory is watched.
    complete: bool,
}

/// Tells what the files hold, until the daemon is gone.
pub(super) fn watch(files: &[TrackedFile], teller: &Teller) -> io::Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let watched = |(id, file): (u32, &TrackedFile)| Watched {
        id: TrackedFileId(id),
        path: file.path.clone().into(),
        places: Vec::new(),
        complete: false,
    };
    let mut files: Vec<Watched> = (0..).zip(files).map(watched).collect();
    for file in &mut files {
        file.look(&inotify, teller)?;
    }
    let epoll = Epoll::new()?;
    epoll.add(&inotify, 0, Interest::Readable)?;
    epoll.add(teller, 1, Interest::Nothing)?;
    let mut ready = Events::with_capacity(2);
    loop {
        let incomplete = files.iter().any(|file| !file.complete);
        epoll.wait(&mut ready, incomplete.then(|| LOOK_AGAIN.to_std()))?;
        if ready.iter().any(|ready| ready.token == 1 && ready.closed) {
            return Ok(());
        }
        let events = match inotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => Vec::new(),
            Err(errno) => return Err(errno.into()),
        };
        if events
            .iter()
            .any(|event| event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW))
        {
            tracing::warn!("News of files were lost: reading all of them again");
        }
        let before = places(&files);
        for file in &mut files {
            if !file.complete || events.iter().any(|event| file.concerns(event)) {
                file.look(&inotify, teller)?;
            }
        }
        let after = places(&files);
        for left in before.iter().filter(|watch| !after.contains(watch)) {
            // A directory that was deleted is watched no more by itself.
            if let Err(errno) = inotify.rm_watch(*left)
                && errno != Errno::EINVAL
            {
                return Err(errno.into());
            }
        }
    }
}

/// The directories that are watched.
fn places(files: &[Watched]) -> Vec<WatchDescriptor> {
    files
        .iter()
        .flat_map(|file| &file.places)
        .map(|(watch, _)| *watch)
        .collect()
}

impl Watched {
    /// Whether something happened to it, or something that may have been it: news were lost, or its directory is another one.
    fn concerns(&self, event: &InotifyEvent) -> bool {
        let place = |(watch, name): &(WatchDescriptor, OsString)| {
            *watch == event.wd && event.name.as_ref().is_none_or(|touched| touched == name)
        };
        event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) || self.places.iter().any(place)
    }

    /// Watches first and reads then, so that no change is missed.
    fn look(&mut self, inotify: &Inotify, teller: &Teller) -> io::Result<()> {
        let mut names = vec![self.path.clone()];
        names.extend(self.path.canonicalize().ok().filter(|real| *real != self.path));
        self.places.clear();
        self.complete = false;
        let mut silent = false;
        for (path, name) in names.iter().filter_map(|path| Some((path, path.file_name()?))) {
            let directory = path.parent().unwrap_or(Path::new("/"));
            silent |= is_silent(directory);
            if let Ok(watch) = inotify.add_watch(directory, wanted()) {
                self.places.push((watch, name.to_owned()));
                self.complete = true;
            }
        }
        let reading = if silent {
            FileReading::Unwatchable
        } else {
            number(&self.path)
        };
        let file = self.id;
        teller.tell(Observation::File { file, reading })
    }
}

/// What is told of a directory. That it is deleted or moved away itself comes without a name.
fn wanted() -> AddWatchFlags {
    AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

fn is_silent(directory: &Path) -> bool {
    let silent = statfs(directory).is_ok_and(|facts| {
        // The field's width differs between architectures; where it has 32 bits, some numbers are negative.
        let number = facts.f_type.to_le_bytes();
        SILENT.iter().any(|kind| number.starts_with(&kind.to_le_bytes()))
    });
    silent || statvfs(directory).is_ok_and(|facts| facts.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn number(path: &Path) -> FileReading {
    match first_bytes(path) {
        Ok(bytes) => read(&bytes),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            FileReading::Missing
        }
        Err(error) => FileReading::Unreadable(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO must not wait, and reading one must not take what belongs to somebody else.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(LOOKED_AT).unwrap_or(0);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `init_file`: what a file holds when the daemon starts.
pub(super) fn write_initial(tracked: &TrackedFile) {
    let Some(init) = tracked.init else { return };
    let exists = match std::fs::symlink_metadata(&tracked.path) {
        Ok(facts) if !facts.is_file() => {
            tracing::info!(
                "Cannot initialise track file {} - it is not a regular file",
                tracked.name
            );
            return;
        }
        Ok(_) => true,
        Err(_) => false,
    };
    if exists && !init.overwrite {
        return;
    }
    let mut options = File::options();
    options
        .write(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let opened = if exists { &mut options } else { options.create_new(true) }.open(&tracked.path);
    if let Err(error) = opened.and_then(|mut file| writeln!(file, "{}", init.value)) {
        tracing::info!("Unable to initialise track file {}: {error}", tracked.name);
    }
}
