//! Which processes are wanted ones at present, and what has changed about that: what both ways of watching share.

use super::matching::{matches, wants_command_line};
use super::{Teller, proc};
use crate::model::{ProcessId, TrackedProcess};
use crate::proto::{Observation, ProcessChange};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// The wanted processes that run.
#[derive(Debug)]
pub(super) struct Known<'a> {
    wanted: &'a [TrackedProcess],
    needs_command_line: bool,
    running: BTreeMap<u32, Vec<ProcessId>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(wanted: &'a [TrackedProcess]) -> Self {
        Self {
            wanted,
            needs_command_line: wanted.iter().any(wants_command_line),
            running: BTreeMap::new(),
        }
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        self.running.contains_key(&pid)
    }

    /// What this process is.
    fn look(&self, pid: u32) -> Vec<ProcessId> {
        let Some(name) = proc::name(pid) else {
            return Vec::new();
        };
        let line = if self.needs_command_line {
            proc::command_line(pid)
        } else {
            Vec::new()
        };
        let wanted = (0..).map(ProcessId).zip(self.wanted);
        wanted
            .filter(|(_, wanted)| matches(wanted, &name, &line))
            .map(|(id, _)| id)
            .collect()
    }

    /// Looks at a process that is another one now, or may be.
    pub(super) fn changed(&mut self, pid: u32, teller: &Teller) -> io::Result<()> {
        let new = self.look(pid);
        let old = self.running.remove(&pid).unwrap_or_default();
        tell(
            teller,
            old.iter().filter(|id| !new.contains(id)),
            pid,
            ProcessChange::Ceased,
        )?;
        tell(
            teller,
            new.iter().filter(|id| !old.contains(id)),
            pid,
            ProcessChange::Became,
        )?;
        if !new.is_empty() {
            self.running.insert(pid, new);
        }
        Ok(())
    }

    /// A child is what its parent is, until it executes something.
    pub(super) fn forked(&mut self, parent: u32, child: u32, teller: &Teller) -> io::Result<()> {
        if let Some(parents) = self.running.get(&parent).cloned() {
            tell(teller, parents.iter(), child, ProcessChange::Forked)?;
            self.running.insert(child, parents);
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, pid: u32, teller: &Teller) -> io::Result<()> {
        let old = self.running.remove(&pid).unwrap_or_default();
        tell(teller, old.iter(), pid, ProcessChange::Ended)
    }

    /// Looks at every process there is.
    pub(super) fn scan(&mut self, teller: &Teller) -> io::Result<()> {
        let present: BTreeSet<u32> = proc::all()?.into_iter().collect();
        let gone: Vec<u32> = self
            .running
            .keys()
            .copied()
            .filter(|pid| !present.contains(pid))
            .collect();
        for pid in gone {
            self.ended(pid, teller)?;
        }
        for pid in present {
            if self.contains(pid) && proc::name(pid).is_none() {
                self.ended(pid, teller)?;
            } else {
                self.changed(pid, teller)?;
            }
        }
        Ok(())
    }

    pub(super) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.running.keys().copied()
    }
}

fn tell<'i>(
    teller: &Teller,
    ids: impl Iterator<Item = &'i ProcessId>,
    pid: u32,
    change: ProcessChange,
) -> io::Result<()> {
    for process in ids.copied() {
        teller.tell(Observation::Process { process, pid, change })?;
    }
    Ok(())
}
