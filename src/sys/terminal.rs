//! How large a terminal is.

use std::os::fd::AsFd;

/// Columns and rows of the terminal behind a descriptor; `None` when there is none.
#[must_use]
pub fn terminal_size(fd: &impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    Some((usize::from(size.ws_col), usize::from(size.ws_row)))
}
