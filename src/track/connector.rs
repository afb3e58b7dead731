//! Processes as the kernel tells them.

use super::processes::Known;
use super::{Teller, proc};
use crate::model::{NetlinkBuffer, TrackedProcess};
use crate::proto::{Observation, ProcessWatch};
use crate::sys::{Epoll, Events, Interest};
use crate::system::netlink::{ProcessMonitor, ProcessNews};
use std::io;

/// The kernel's news, if it tells any here.
pub(super) fn open(buffer: NetlinkBuffer) -> Option<ProcessMonitor> {
    match ProcessMonitor::new(buffer) {
        Ok(monitor) => {
            tracing::info!(detail = true, "proc_events has confirmed it is configured");
            Some(monitor)
        }
        Err(error) => {
            tracing::info!("The kernel does not tell of processes here ({error}): looking through /proc instead");
            None
        }
    }
}

/// Tells what the kernel tells, until the daemon is gone.
pub(super) fn watch(wanted: &[TrackedProcess], monitor: &ProcessMonitor, teller: &Teller) -> io::Result<()> {
    let epoll = Epoll::new()?;
    epoll.add(monitor, 0, Interest::Readable)?;
    epoll.add(teller, 1, Interest::Nothing)?;
    let mut events = Events::with_capacity(2);
    let mut known = Known::new(wanted);
    // What happens during the scan is told by the kernel after it, and changes nothing that is known already.
    teller.tell(Observation::ProcessesBegin {
        watch: ProcessWatch::Connector,
        hidden: proc::hides_others(),
    })?;
    known.scan(teller)?;
    teller.tell(Observation::ProcessesTold)?;
    loop {
        epoll.wait(&mut events, None)?;
        if events.iter().any(|ready| ready.token == 1 && ready.closed) {
            return Ok(());
        }
        let mut lost = false;
        for news in monitor.read()? {
            match news {
                ProcessNews::Confirmed => {}
                ProcessNews::Forked { parent, child } => known.forked(parent, child, teller)?,
                ProcessNews::Changed(pid) => known.changed(pid, teller)?,
                ProcessNews::Ended(pid) => known.ended(pid, teller)?,
                ProcessNews::Overrun => lost = true,
            }
        }
        if lost {
            make_good(monitor, &mut known, teller)?;
        }
    }
}

/// Some news are lost: what they told is looked up, and the next storm finds more room (behaviour §5.3).
fn make_good(monitor: &ProcessMonitor, known: &mut Known<'_>, teller: &Teller) -> io::Result<()> {
    tracing::warn!("News of processes were lost: looking at all of them again");
    match monitor.grow() {
        Ok(bytes) => tracing::info!(
            "Setting global_def process_monitor_rcv_bufs to {bytes} - recommend updating configuration file"
        ),
        Err(error) => tracing::info!("The buffer for news of processes stays as it is: {error}"),
    }
    known.scan(teller)
}
