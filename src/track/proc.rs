//! `/proc`: who runs, under which name and command line.

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

#[cfg(test)]
mod tests {
    use super::*;

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
