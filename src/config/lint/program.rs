//! Check scripts: missing, insecure, too slow.

use super::Linter;
use crate::config::code::Code;
use crate::config::diagnostic::Severity;
use crate::config::toml::duration::print_duration;

pub(super) fn lint(linter: &mut Linter<'_>) {
    timeouts(linter);
    loudly(linter);
}

fn timeouts(linter: &mut Linter<'_>) {
    for script in &linter.model.scripts {
        let limit = script.limit();
        if limit <= script.interval {
            continue;
        }
        let (place, other) = (
            linter.script_place(script, "timeout"),
            linter.script_place(script, "interval"),
        );
        let related = linter.reports.related("the interval", other);
        let name = &script.name;
        let message = format!(
            "vrrp_script {name}: a run may take longer ({}) than the interval ({})",
            print_duration(limit),
            print_duration(script.interval)
        );
        let diagnostic = linter.warn(place, Code::TimeoutAboveInterval, message);
        diagnostic.related.push(related);
        diagnostic.hint = Some(
            "while a run goes on no other one is started, so that a check that hangs is noticed late; let the timeout be at most the interval"
                .into(),
        );
    }
}

/// keepalived goes on without a check that it cannot run, and nobody notices until the node fails.
fn loudly(linter: &mut Linter<'_>) {
    for diagnostic in linter.reports.iter_mut() {
        let hint = if diagnostic.code == Code::ScriptMissing {
            "keepalived goes on WITHOUT this check or notification: what it is for does not happen"
        } else if diagnostic.code == Code::ScriptInsecure {
            "somebody else than root can change what runs as root; mend owner and mode of the file and of every directory above it"
        } else {
            continue;
        };
        if diagnostic.severity == Severity::Note {
            diagnostic.severity = Severity::Warning;
        }
        if diagnostic.hint.is_none() {
            diagnostic.hint = Some(hint.into());
        }
    }
}
