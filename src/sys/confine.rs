//! Takes rights away from this process: capabilities, and the right to execute programs.
#![expect(unsafe_code, reason = "installing a seccomp filter has no safe form")]

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};
use std::fmt;
use std::io;

/// The capabilities that a part of ours has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Give files away.
    Chown,
    /// Write where the mode forbids it.
    DacOverride,
    /// Read where the mode forbids it.
    DacReadSearch,
    /// Lock memory.
    IpcLock,
    /// Signal processes of others.
    Kill,
    /// Change addresses, links, routes, firewall rules, network sysctls.
    NetAdmin,
    /// Raw and packet sockets.
    NetRaw,
    /// Change group.
    SetGid,
    /// Change user.
    SetUid,
    /// Enter a network namespace.
    SysAdmin,
    /// Real-time scheduling, negative nice values.
    SysNice,
    /// See the processes of others where `/proc` is mounted with `hidepid`.
    SysPtrace,
    /// Raise resource limits.
    SysResource,
}

impl Capability {
    const fn set(self) -> CapabilitySet {
        match self {
            Self::Chown => CapabilitySet::CHOWN,
            Self::DacOverride => CapabilitySet::DAC_OVERRIDE,
            Self::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
            Self::IpcLock => CapabilitySet::IPC_LOCK,
            Self::Kill => CapabilitySet::KILL,
            Self::NetAdmin => CapabilitySet::NET_ADMIN,
            Self::NetRaw => CapabilitySet::NET_RAW,
            Self::SetGid => CapabilitySet::SETGID,
            Self::SetUid => CapabilitySet::SETUID,
            Self::SysAdmin => CapabilitySet::SYS_ADMIN,
            Self::SysNice => CapabilitySet::SYS_NICE,
            Self::SysPtrace => CapabilitySet::SYS_PTRACE,
            Self::SysResource => CapabilitySet::SYS_RESOURCE,
        }
    }
}

impl fmt::Display for Capability {
    /// The name that unit files and `capsh` know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chown => "CAP_CHOWN",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::IpcLock => "CAP_IPC_LOCK",
            Self::Kill => "CAP_KILL",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::SetGid => "CAP_SETGID",
            Self::SetUid => "CAP_SETUID",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysNice => "CAP_SYS_NICE",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysResource => "CAP_SYS_RESOURCE",
        })
    }
}

/// Whether the calling thread may use a capability now.
///
/// # Errors
/// When the kernel does not tell.
pub fn has_capability(capability: Capability) -> io::Result<bool> {
    Ok(capabilities(None)?.effective.contains(capability.set()))
}

/// Gives up every capability but these; what the thread does not have it does not get. Programs that it executes as root
/// get the full set again, unless [`forbid_exec`] was called.
///
/// # Errors
/// None that a thread can cause by giving up what it has.
pub fn keep_capabilities(wanted: &[Capability]) -> io::Result<()> {
    let wanted = wanted.iter().fold(CapabilitySet::empty(), |set, one| set | one.set());
    let permitted = capabilities(None)?.permitted & wanted;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: permitted,
            permitted,
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// Uses no capability but these from now on; the others stay permitted. For a thread that starts programs as root: the
/// kernel forgets a program's parent-death signal when `execve` gives it more than its parent's thread was permitted.
///
/// # Errors
/// None that a thread can cause by using less than it has.
pub fn use_capabilities(wanted: &[Capability]) -> io::Result<()> {
    let wanted = wanted.iter().fold(CapabilitySet::empty(), |set, one| set | one.set());
    let permitted = capabilities(None)?.permitted;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: permitted & wanted,
            permitted,
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// Makes `execve` and `execveat` fail with `EPERM` for this thread and all that it will start, for ever. Other system call
/// tables of the same machine (32 bit, x32), which would offer a way round, are closed.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] on an architecture whose numbers are not known here; others when the kernel has no seccomp.
pub fn forbid_exec() -> io::Result<()> {
    set_no_new_privs(true)?;
    let Some(architecture) = AUDIT_ARCHITECTURE else {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "no seccomp filter for this architecture",
        ));
    };
    let number = |syscall: libc::c_long| u32::try_from(syscall).unwrap_or(u32::MAX);
    // Offsets into struct seccomp_data: the number at 0, the architecture at 4.
    let filter = [
        load(4),
        jump(libc::BPF_JEQ, architecture, 0, 5),
        load(0),
        jump(libc::BPF_JGE, X32_BIT, 3, 0),
        jump(libc::BPF_JEQ, number(libc::SYS_execve), 2, 0),
        jump(libc::BPF_JEQ, number(libc::SYS_execveat), 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or(0),
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the program and its instructions live during the call; the kernel copies and checks them and writes nothing.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, FILTER_MODE, &raw const program) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// `SECCOMP_MODE_FILTER` in the width that prctl reads.
const FILTER_MODE: libc::c_ulong = 2;

/// `AUDIT_ARCH_*` of `linux/audit.h`.
const AUDIT_ARCHITECTURE: Option<u32> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
    Some(0xC000_003E)
} else if cfg!(target_arch = "aarch64") {
    Some(0xC000_00B7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xC000_00F3)
} else {
    None
};

/// `__X32_SYSCALL_BIT`: numbers from here on are the x32 table on x86-64, and nothing elsewhere.
const X32_BIT: u32 = 0x4000_0000;

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt,
        jf,
        k,
    }
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(condition: u32, value: u32, then: u8, otherwise: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | condition | libc::BPF_K, value, then, otherwise)
}

fn answer(verdict: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, verdict, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_thread_cannot_start_programs_and_others_still_can() {
        let confined = std::thread::spawn(|| {
            forbid_exec().unwrap();
            // Fork of the standard library's Command, exec refused: its error comes back through a pipe.
            std::process::Command::new("/bin/true")
                .status()
                .map_err(|error| error.raw_os_error())
        });
        assert_eq!(confined.join().unwrap().unwrap_err(), Some(libc::EPERM));
        assert!(std::process::Command::new("/bin/true").status().unwrap().success());
    }

    #[test]
    fn capabilities_given_up_are_gone_in_the_kernels_eyes() {
        let seen = std::thread::spawn(|| {
            keep_capabilities(&[Capability::NetRaw]).unwrap();
            assert!(!has_capability(Capability::NetAdmin).unwrap());
            std::fs::read_to_string("/proc/thread-self/status").unwrap()
        })
        .join()
        .unwrap();
        let effective = seen
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .unwrap()
            .trim();
        let effective = u64::from_str_radix(effective, 16).unwrap();
        assert_eq!(
            effective & !(1 << 13),
            0,
            "only bit 13, CAP_NET_RAW, may be left: {effective:x}"
        );
    }
}
