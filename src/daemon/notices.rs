//! Lines for the notify FIFOs on their way to the services thread, in order; none is lost because log lines fill the ring.

use super::ring::Ring;
use super::services::Slow;
use crate::model::{FifoKind, Notice};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

/// What waits at most: one line of each instance of a very large configuration.
const WAITING: usize = 65_536;

/// What the services thread is to do with the FIFOs.
#[derive(Debug)]
pub(super) enum ForFifos {
    /// Write this.
    Tell(Arc<Notice>),
    /// Count lines that were lost here.
    Lost(u64),
    /// Close all of them.
    Close,
    /// Open one more.
    Open(FifoKind, File),
}

#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Whether there is a FIFO at all.
    wanted: bool,
    waiting: VecDeque<ForFifos>,
    lost: u64,
}

impl Notices {
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, notice: Arc<Notice>) {
        if !self.wanted {
            return;
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back(ForFifos::Tell(notice));
        } else {
            self.lost += 1;
        }
    }

    pub(super) fn close(&mut self) {
        self.wanted = false;
        self.waiting.push_back(ForFifos::Close);
    }

    pub(super) fn open(&mut self, kind: FifoKind, file: File) {
        self.wanted = true;
        self.waiting.push_back(ForFifos::Open(kind, file));
    }

    /// Whether something did not fit into the ring.
    pub(super) fn wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands over as much as the ring takes.
    pub(super) fn hand_over(&mut self, slow: &Ring<Slow>) {
        if self.lost > 0 && self.waiting.len() < WAITING {
            self.waiting.push_back(ForFifos::Lost(std::mem::take(&mut self.lost)));
        }
        while let Some(next) = self.waiting.pop_front() {
            if let Err(Slow::Fifos(next)) = slow.push(Slow::Fifos(next)) {
                self.waiting.push_front(next);
                return;
            }
        }
    }
}
