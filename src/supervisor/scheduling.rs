//! How the system treats the VRRP process: its name, processors, urgency and memory, as the configuration wants it.

use super::loader::Brief;
use super::options::RunOptions;
use crate::model::ProcessSettings;
use crate::sys::{become_real_time, lock_memory};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rustix::process::setpriority_process;
use std::ffi::CString;
use std::io;

/// Called in the VRRP process while it has one thread and all rights. What cannot be had is a warning, and it runs without.
pub(super) fn treat_daemon(options: &RunOptions, brief: &Brief) {
    let settings = &brief.global.vrrp;
    let usual = brief.global.process_names;
    let usual = usual.then(|| options.called_as.daemon_ident().to_lowercase());
    if let Some(name) = settings.name.clone().or(usual) {
        name_process(&name);
    }
    warn(
        "vrrp_cpu_affinity",
        "those of these CPUs that it may run on",
        choose_processors(settings),
    );
    // As under keepalived, a real-time priority makes the nice value meaningless.
    match (settings.rt_priority, settings.nice) {
        (Some(priority), _) => warn("vrrp_rt_priority", "CAP_SYS_NICE", become_real_time(priority)),
        (None, Some(nice)) => {
            let set = setpriority_process(None, nice.into()).map_err(io::Error::from);
            warn("vrrp_priority", "CAP_SYS_NICE", set);
        }
        (None, None) => {}
    }
    if settings.no_swap {
        warn("vrrp_no_swap", "CAP_IPC_LOCK", lock_memory());
    }
}

/// What `ps` and `pgrep` see of the calling process.
pub(super) fn name_process(name: &str) {
    let name = CString::new(name).unwrap_or_default();
    if let Err(errno) = nix::sys::prctl::set_name(&name) {
        tracing::debug!("cannot name the process: {errno}");
    }
}

fn choose_processors(settings: &ProcessSettings) -> io::Result<()> {
    if settings.cpu_affinity.is_empty() {
        return Ok(());
    }
    let mut chosen = CpuSet::new();
    for cpu in &settings.cpu_affinity {
        chosen.set(usize::from(*cpu))?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &chosen)?)
}

fn warn(keyword: &str, needs: &str, done: io::Result<()>) {
    if let Err(error) = done {
        tracing::warn!("{keyword} has no effect: {error}. It needs {needs}");
    }
}
