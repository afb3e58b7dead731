//! Locks on byte ranges of a file that belong to the open file, not to the process (OFD locks): they end when the last
//! descriptor of it is closed, however the process ends.

use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::io;

/// The byte range of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First byte. It need not exist in the file.
    pub start: i64,
    /// How many bytes; 0 = all the rest.
    pub len: i64,
}

/// Takes a write lock at once.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when somebody else has a lock on a byte of the range; others when the file system cannot lock.
pub fn try_lock(file: &File, range: Range) -> io::Result<()> {
    let lock = write_lock(range);
    match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Ok(()),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Err(io::ErrorKind::WouldBlock.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// The range of a lock of somebody else that stands in the way of `range`, if there is one.
///
/// # Errors
/// When the file system cannot lock.
pub fn conflict(file: &File, range: Range) -> io::Result<Option<Range>> {
    let mut lock = write_lock(range);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    let free = i32::from(lock.l_type) == libc::F_UNLCK;
    Ok((!free).then_some(Range {
        start: lock.l_start,
        len: lock.l_len,
    }))
}

fn write_lock(range: Range) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or(1),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or(0),
        l_start: range.start,
        l_len: range.len,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_keeps_others_out_of_its_range_only_and_ends_with_its_file() {
        let path = std::env::temp_dir().join(format!("vrrpd-lock-{}", std::process::id()));
        let open = || {
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .unwrap()
        };
        let (first, second) = (open(), open());
        let (low, high) = (Range { start: 0, len: 1 }, Range { start: 9, len: 1 });
        try_lock(&first, low).unwrap();
        assert_eq!(try_lock(&second, low).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(conflict(&second, Range { start: 0, len: 0 }).unwrap(), Some(low));
        try_lock(&second, high).unwrap();
        assert_eq!(conflict(&second, high).unwrap(), None, "one's own lock is no conflict");
        drop(first);
        try_lock(&second, low).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
