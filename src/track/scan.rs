//! Processes where the kernel does not tell: `/proc` is looked through every [`INTERVAL`], the end of a process that is known
//! is told at once by its pidfd.

use super::processes::Known;
use super::{Teller, proc};
use crate::model::Micros;
use crate::model::TrackedProcess;
use crate::proto::{Observation, ProcessWatch};
use crate::sys::{Epoll, Events, Interest};
use crate::system::clock;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

/// A new process is seen this late at most. Looking through a thousand processes takes some ten milliseconds.
const INTERVAL: Micros = Micros::from_secs(2);
/// The token of the daemon's socket; others are process ids.
const DAEMON: u64 = 0;

/// Looks again and again, until the daemon is gone.
pub(super) fn watch(wanted: &[TrackedProcess], teller: &Teller) -> io::Result<()> {
    let epoll = Epoll::new()?;
    epoll.add(teller, DAEMON, Interest::Nothing)?;
    let mut events = Events::with_capacity(64);
    let mut known = Known::new(wanted);
    let mut ends: BTreeMap<u32, OwnedFd> = BTreeMap::new();
    teller.tell(Observation::ProcessesBegin {
        watch: ProcessWatch::Scan,
        hidden: proc::hides_others(),
    })?;
    known.scan(teller)?;
    teller.tell(Observation::ProcessesTold)?;
    let mut next = clock::now() + INTERVAL;
    loop {
        ends.retain(|pid, _| known.contains(*pid));
        for pid in known.pids().filter(|pid| !ends.contains_key(pid)).collect::<Vec<_>>() {
            // Without a descriptor, the next look sees that it is gone.
            if let Some(end) = open(pid)
                && epoll.add(&end, u64::from(pid), Interest::Readable).is_ok()
            {
                ends.insert(pid, end);
            }
        }
        epoll.wait(&mut events, Some(next.since(clock::now()).to_std()))?;
        for ready in events.iter() {
            if ready.token == DAEMON {
                return Ok(());
            }
            if let Ok(pid) = u32::try_from(ready.token) {
                ends.remove(&pid);
                known.ended(pid, teller)?;
            }
        }
        if clock::now() >= next {
            known.scan(teller)?;
            next = clock::now() + INTERVAL;
        }
    }
}

fn open(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()
}
