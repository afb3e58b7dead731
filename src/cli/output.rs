//! Writing to people: a reader that has gone away is no error.

use std::io::{self, Write};

/// Writes to standard output.
pub(super) fn stdout(text: &str) {
    let mut stream = io::stdout().lock();
    // A closed pipe means that nobody wants to read any more.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

/// Writes to standard error.
pub(super) fn stderr(text: &str) {
    // There is no other place to report it to.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
