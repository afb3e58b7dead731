//! Whether a process is one of those that a `vrrp_track_process` looks for (behaviour §5.3).

use crate::model::{ParamMatch, TrackedProcess};

/// The kernel keeps so many bytes of a name.
const COMM: usize = 15;

/// Whether the short name is not enough to decide.
pub(super) fn wants_command_line(wanted: &TrackedProcess) -> bool {
    let long = wanted.process.len() > COMM;
    wanted.full_command || long || !wanted.parameters.is_empty() || wanted.param_match.is_some()
}

/// `name` as the kernel keeps it; `command_line` as `/proc/PID/cmdline` has it: every word ends in NUL.
pub(super) fn matches(wanted: &TrackedProcess, name: &[u8], command_line: &[u8]) -> bool {
    if !wants_command_line(wanted) {
        return name == wanted.process.as_bytes();
    }
    let Some(parameters) = command_line
        .strip_prefix(wanted.process.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"\0"))
    else {
        return false;
    };
    let mut expected: Vec<u8> = Vec::new();
    for word in &wanted.parameters {
        expected.extend(word.as_bytes());
        expected.push(0);
    }
    match wanted.param_match {
        None => true,
        Some(ParamMatch::Exact) => parameters == expected,
        Some(ParamMatch::Partial) => parameters.starts_with(&expected),
        Some(ParamMatch::Initial) => parameters.starts_with(expected.strip_suffix(b"\0").unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Micros, Weight};

    fn wanted(words: &[&str], param_match: Option<ParamMatch>, full_command: bool) -> TrackedProcess {
        TrackedProcess {
            name: "p".into(),
            process: words[0].into(),
            parameters: words[1..].iter().map(|word| (*word).to_owned()).collect(),
            param_match,
            weight: Weight::ZERO,
            quorum: 1,
            quorum_max: None,
            fork_delay: Micros::ZERO,
            terminate_delay: Micros::ZERO,
            full_command,
        }
    }

    #[test]
    fn names_and_command_lines_are_compared_as_the_specification_says() {
        // `|` stands for NUL.
        use ParamMatch::{Exact, Initial, Partial};
        for (words, how, full, name, line, expected) in [
            (&["haproxy"][..], None, false, "haproxy", "/usr/sbin/haproxy|-Ws|", true),
            (&["haproxy"], None, false, "haproxy2", "haproxy|", false),
            (&["haproxy"], None, true, "haproxy", "/usr/sbin/haproxy|", false),
            (
                &["/usr/sbin/haproxy"],
                None,
                true,
                "haproxy",
                "/usr/sbin/haproxy|-Ws|",
                true,
            ),
            // Longer than what the kernel keeps.
            (
                &["a-very-long-program"],
                None,
                false,
                "a-very-long-pro",
                "a-very-long-program|x|",
                true,
            ),
            (
                &["a-very-long-program"],
                None,
                false,
                "a-very-long-pro",
                "a-very-long-progress|",
                false,
            ),
            (&["sleep", "5"], Some(Exact), true, "sleep", "sleep|5|", true),
            (&["sleep", "5"], Some(Exact), true, "sleep", "sleep|5|6|", false),
            (&["sleep", "5"], Some(Exact), true, "sleep", "sleep|50|", false),
            (&["sleep", "5"], Some(Partial), true, "sleep", "sleep|5|6|", true),
            (&["sleep", "5"], Some(Partial), true, "sleep", "sleep|50|", false),
            (&["sleep", "5"], Some(Initial), true, "sleep", "sleep|50|", true),
            (&["sleep", "5"], Some(Initial), true, "sleep", "sleep|6|", false),
            // No parameters, but `param_match`: there must be none.
            (&["sleep"], Some(Exact), false, "sleep", "sleep|", true),
            (&["sleep"], Some(Exact), false, "sleep", "sleep|5|", false),
            // A kernel thread has no command line.
            (&["kthreadd"], None, false, "kthreadd", "", true),
            (&["kthreadd"], None, true, "kthreadd", "", false),
        ] {
            let wanted = wanted(words, how, full);
            assert_eq!(
                matches(&wanted, name.as_bytes(), line.replace('|', "\0").as_bytes()),
                expected,
                "{words:?} {how:?} {line:?}"
            );
        }
    }
}
