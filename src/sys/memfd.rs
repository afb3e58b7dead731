//! Memory files: written once, sealed, then read by whoever gets the descriptor.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

/// A new empty memory file, close-on-exec. `name` is only seen in `/proc/PID/fd`.
///
/// # Errors
/// When no descriptors or no memory are left.
pub fn memory_file(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// Forbids for ever to change the file, for every holder of a descriptor.
///
/// # Errors
/// When it is not a memory file, or is mapped writable somewhere.
pub fn seal(file: &impl AsFd) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    Ok(fcntl_add_seals(file, seals)?)
}

/// Reads the file from its beginning. Several readers, also in several processes, do not disturb each other although they
/// share the descriptor's position.
pub fn reader(file: &File) -> impl Read + '_ {
    BufReader::with_capacity(64 << 10, Positioned { file, offset: 0 })
}

struct Positioned<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.offset)?;
        self.offset += u64::try_from(got).unwrap_or(0);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_sealed_file_is_read_from_the_beginning_by_everybody_and_written_by_nobody() {
        let mut file = memory_file("test").unwrap();
        file.write_all(b"what it says").unwrap();
        seal(&file).unwrap();
        assert!(file.write_all(b"more").is_err());
        assert!(file.set_len(0).is_err());
        for _ in 0..2 {
            let mut text = String::new();
            reader(&file).read_to_string(&mut text).unwrap();
            assert_eq!(text, "what it says");
        }
    }
}
