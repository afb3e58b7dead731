//! Lines for notify FIFOs. A FIFO that is full loses lines, as keepalived's does; here they are counted.

use crate::model::{FifoKind, Notice};
use std::fs::File;
use std::io::{self, Write};

/// The kernel writes so many bytes to a pipe in one piece or not at all (POSIX: `PIPE_BUF`).
const LONGEST: usize = 4096;

/// The FIFOs in force.
#[derive(Debug, Default)]
pub struct Fifos {
    open: Vec<(FifoKind, File)>,
    lost: u64,
    failed: bool,
}

impl Fifos {
    /// These FIFOs, which must be open without waiting.
    #[must_use]
    pub fn new(open: Vec<(FifoKind, File)>) -> Self {
        Self {
            open,
            ..Self::default()
        }
    }

    /// Closes all of them; others follow by [`Self::add`].
    pub fn close(&mut self) {
        self.open.clear();
    }

    /// One more.
    pub fn add(&mut self, kind: FifoKind, file: File) {
        self.open.push((kind, file));
    }

    /// Writes a line to each of them, without waiting.
    pub fn tell(&mut self, notice: &Notice) {
        let line = notice.line();
        for (kind, file) in &self.open {
            if line.len() > LONGEST {
                self.lost += 1;
                continue;
            }
            if let Err(error) = (&*file).write_all(line.as_bytes()) {
                self.lost += 1;
                if error.kind() != io::ErrorKind::WouldBlock && !self.failed {
                    self.failed = true;
                    tracing::warn!("{}notify fifo write error: {error}", kind.prefix());
                }
            }
        }
    }

    /// Counts lines that were lost before they came here.
    pub fn count_lost(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Lines lost since the start.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}
