//! `/proc`: who runs, under which name and command line.

use crate::sys::{Capability, has_capability};
use std::fs::{self, File};
use std::io::{self, Read};

/// A command line is looked at this far, in bytes; a longer one is cut.
const MAX_COMMAND_LINE: u64 = 16 << 10;

/// The processes at present.
pub(super) fn all() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(Result::ok).filter_map(pid).collect())
}

/// The short name; `None` when it does not run, or has ended and nobody has asked for its status yet.
pub(super) fn name(pid: u32) -> Option<Vec<u8>> {
    name_in(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// `PID (NAME) STATE ...`; a name may contain anything, brackets too.
fn name_in(stat: &[u8]) -> Option<Vec<u8>> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(close + 2)?;
    let ended = matches!(state, b'Z' | b'X' | b'x');
    let name = stat.get(open + 1..close)?;
    (!ended).then(|| name.to_vec())
}

/// The command line; empty for a thread of the kernel, or when the process has ended meanwhile.
pub(super) fn command_line(pid: u32) -> Vec<u8> {
    let mut line = Vec::new();
    let file = File::open(format!("/proc/{pid}/cmdline"));
    let read = file.and_then(|file| file.take(MAX_COMMAND_LINE).read_to_end(&mut line));
    if read.is_err() {
        line.clear();
    }
    line
}

/// Whether `/proc` shows us our own processes only, or without their names (proc(5), `hidepid`).
pub(super) fn hides_others() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let groups = rustix::process::getgroups().unwrap_or_default();
    let own = [rustix::process::getegid()].into_iter().chain(groups);
    let own: Vec<u32> = own.map(rustix::process::Gid::as_raw).collect();
    hidden_by(&mounts, &own) && !has_capability(Capability::SysPtrace).unwrap_or(false)
}

/// Whether the mount of `/proc` hides processes from members of these groups.
fn hidden_by(mountinfo: &str, groups: &[u32]) -> bool {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT ... - TYPE SOURCE OPTIONS; of several at one place the last one is seen.
    let at_proc = |line: &&str| line.split(' ').nth(4) == Some("/proc");
    let Some(mount) = mountinfo.lines().rfind(at_proc) else {
        return false;
    };
    let options = mount.rsplit(' ').next().unwrap_or_default();
    let value = |name: &str| options.split(',').find_map(|option| option.strip_prefix(name));
    let group = value("gid=").and_then(|gid| gid.parse().ok()).unwrap_or(0);
    match value("hidepid=") {
        None | Some("0" | "off") => false,
        Some("4" | "ptraceable") => true,
        Some(_) => !groups.contains(&group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_hides_processes_is_known() {
        let mounts = |options: &str| {
            format!(
                "21 1 0:20 / / rw - ext4 /dev/vda rw\n22 21 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc rw,nosuid shared:7 - proc proc {options}\n"
            )
        };
        for (options, groups, hides) in [
            ("rw", &[7][..], false),
            ("rw,hidepid=0", &[7], false),
            ("rw,hidepid=off", &[7], false),
            ("rw,hidepid=2", &[7], true),
            ("rw,hidepid=invisible", &[7], true),
            ("rw,hidepid=noaccess", &[7, 0], false),
            ("rw,gid=7,hidepid=2", &[7], false),
            ("rw,gid=7,hidepid=2", &[0], true),
            ("rw,hidepid=ptraceable", &[0], true),
        ] {
            assert_eq!(hidden_by(&mounts(options), groups), hides, "{options} {groups:?}");
        }
        assert!(!hidden_by("", &[7]));
    }

    #[test]
    fn names_are_read_and_the_dead_have_none() {
        assert_eq!(name_in(b"7 (sleep) S 1 7").as_deref(), Some(&b"sleep"[..]));
        assert_eq!(name_in(b"7 (a) (b) R 1 7").as_deref(), Some(&b"a) (b"[..]));
        assert_eq!(name_in(b"7 (sleep) Z 1 7"), None);
        for broken in [&b""[..], b"7", b"7 (", b"7 )(", b"7 ()", b"7 () "] {
            assert_eq!(name_in(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn this_process_runs() {
        let own = std::process::id();
        assert!(all().unwrap().contains(&own));
        assert!(name(own).is_some() && !command_line(own).is_empty());
    }
}
