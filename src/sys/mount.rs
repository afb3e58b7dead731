//! Mounts that nobody may write to, with everything mounted below them.
#![expect(unsafe_code, reason = "mount_setattr has no safe form in the libraries")]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Makes the mount at `path` and every mount below it read-only, in this mount namespace (Linux 5.12 and later).
///
/// # Errors
/// When the kernel refuses: no right to, or too old.
pub fn make_read_only(path: &Path) -> io::Result<()> {
    set_attributes(path, libc::AT_RECURSIVE, libc::MOUNT_ATTR_RDONLY, 0)
}

/// Makes the mount at `path` writable again, but none below it.
///
/// # Errors
/// When the kernel refuses: no right to, or too old, or the mount came read-only from another mount namespace.
pub fn make_writable(path: &Path) -> io::Result<()> {
    set_attributes(path, 0, 0, libc::MOUNT_ATTR_RDONLY)
}

fn set_attributes(path: &Path, flags: libc::c_int, set: u64, clear: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: clear,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path ends in NUL, and the structure is initialised and as long as is said.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
