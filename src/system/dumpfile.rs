//! Replaces a file as a whole: whoever opens the path reads the old file or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Names that are tried beside the final one; more than one is in the way only when somebody plays tricks.
const TRIES: u32 = 16;

/// Writes a new file under a name of its own, then moves it to `path`. What is there goes, a link itself and not what it
/// leads to. The mode follows the umask.
///
/// # Errors
/// When the directory does not allow it, or the disk is full; the old file is untouched then.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let (mut file, fresh) = create_beside(path)?;
    let moved = file.write_all(text).and_then(|()| fs::rename(&fresh, path));
    if moved.is_err() {
        // The error that matters is the first one.
        fs::remove_file(&fresh).unwrap_or_default();
    }
    moved
}

fn create_beside(path: &Path) -> io::Result<(File, std::path::PathBuf)> {
    let mut options = File::options();
    // Exclusive: neither an existing file nor a link is opened.
    options
        .write(true)
        .create_new(true)
        .mode(0o666)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..TRIES {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{number}.new", std::process::id()));
        let fresh = path.with_file_name(name);
        match options.open(&fresh) {
            Ok(file) => return Ok((file, fresh)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_untouched() {
        let directory = std::env::temp_dir().join(format!("vrrpd-dump-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (target, link) = (directory.join("target"), directory.join("link"));
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let before = fs::symlink_metadata(&link).unwrap();
        // Somebody guesses the name under which the new file is made.
        let guessed = directory.join(format!("link.{}-0.new", std::process::id()));
        std::os::unix::fs::symlink(&target, guessed).unwrap();
        replace(&link, b"dump").unwrap();
        assert!(before.is_symlink() && fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read_to_string(&link).unwrap(), "dump");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        replace(&link, b"newer").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "newer");
        assert!(replace(&directory.join("no/such/directory"), b"").is_err());
        fs::remove_dir_all(directory).unwrap();
    }
}
