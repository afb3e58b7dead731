//! What somebody who asked for a reload is told: what was read, what is wrong with it, and what it makes of the configuration
//! in force. The reading writes it into a memory file, which goes to whoever asked, through the daemon.

use crate::config::{Change, Diagnostic, Difference, difference};
use crate::model::{Global, Model};
use serde::{Deserialize, Serialize};

/// What came out of a reading, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The file as given on the command line.
    pub path: String,
    /// Files read, the main one first.
    pub files: Vec<String>,
    /// Hex digits that change when any byte of any file read changes.
    pub hash: String,
    /// Every problem.
    pub diagnostics: Vec<Diagnostic>,
    /// What a reload makes of it; `None`: it cannot run.
    pub difference: Option<Difference>,
    /// What counts only after a restart of the whole daemon, also from earlier reloads.
    pub waits_for_restart: Vec<Change>,
}

/// The line of the control socket that answers `{"do":"reload"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// Why it was refused, or would be; nothing: it was taken, or would be.
    pub refused: Vec<String>,
    /// `None`: nothing could be read.
    pub report: Option<ReloadReport>,
    /// What is to be expected of it for who is master, as `sim::Forecast` writes it; `None`: it was refused, or the daemon has none.
    #[serde(default)]
    pub forecast: Option<serde_json::Value>,
}

impl ReloadAnswer {
    /// The line, with the report as the reading wrote it and the forecast as whoever played it wrote it.
    #[must_use]
    pub fn line(refused: &[String], report: Option<&str>, forecast: Option<&str>) -> String {
        // A list of texts can always be written.
        let refused = serde_json::to_string(refused).unwrap_or_default();
        let (report, forecast) = (report.unwrap_or("null"), forecast.unwrap_or("null"));
        format!("{{\"refused\":{refused},\"report\":{report},\"forecast\":{forecast}}}\n")
    }
}

/// A keyword that counts only after a restart, for the log and for the status.
#[must_use]
pub(super) fn waits(change: &Change) -> String {
    format!(
        "{} has another value now, which counts after a restart of the daemon",
        change.keyword
    )
}

/// What a reload cannot change, in keepalived's words: the whole reload is refused.
#[must_use]
pub fn unchangeable(old: &Global, new: &Global, namespace_counts: bool, product: &str) -> Vec<String> {
    let same = [
        (
            !namespace_counts || old.net_namespace == new.net_namespace,
            "network namespace",
        ),
        (old.lvs.net_namespace == new.lvs.net_namespace, "IPVS network namespace"),
        (old.instance_name == new.instance_name, "instance name"),
        (old.firewall.nftables == new.firewall.nftables, "nftables table name"),
        (old.lvs.nftables == new.lvs.nftables, "IPVS nftables table name"),
        (
            old.paths.tmp_config_directory == new.paths.tmp_config_directory,
            "config_directory",
        ),
        (old.disable_local_igmp == new.disable_local_igmp, "disable_local_igmp"),
    ];
    let changed = same.into_iter().filter(|(same, _)| !same);
    changed
        .map(|(_, what)| format!("Cannot change {what} at a reload - please restart {product}"))
        .collect()
}

/// What the new configuration makes of the one in force.
pub(super) fn compare(old: &Model, new: Option<&Model>) -> Option<Difference> {
    new.map(|new| difference(old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keepalived_cannot_change_is_refused_in_its_words() {
        let old = Global::default();
        type Change = fn(&mut Global);
        let changes: [(Change, &str); 7] = [
            (|g| g.net_namespace = Some("blue".into()), "network namespace"),
            (|g| g.lvs.net_namespace = Some("blue".into()), "IPVS network namespace"),
            (|g| g.instance_name = Some("two".into()), "instance name"),
            (|g| g.firewall.nftables = Some("other".into()), "nftables table name"),
            (|g| g.lvs.nftables = Some("other".into()), "IPVS nftables table name"),
            (
                |g| g.paths.tmp_config_directory = Some("/run".into()),
                "config_directory",
            ),
            (|g| g.disable_local_igmp = true, "disable_local_igmp"),
        ];
        for (change, what) in changes {
            let mut new = old.clone();
            change(&mut new);
            let line = format!("Cannot change {what} at a reload - please restart Keepalived");
            assert_eq!(unchangeable(&old, &new, true, "Keepalived"), [line]);
        }
        let mut elsewhere = old.clone();
        elsewhere.net_namespace = Some("blue".into());
        assert!(
            unchangeable(&old, &elsewhere, false, "vrrpd").is_empty(),
            "-s says which one"
        );
        assert!(unchangeable(&old, &old, true, "vrrpd").is_empty());
    }

    #[test]
    fn an_answer_is_one_line_that_can_be_read() {
        let report = ReloadReport {
            path: "/etc/vrrpd/vrrpd.toml".into(),
            ..ReloadReport::default()
        };
        let text = serde_json::to_string(&report).unwrap();
        let line = ReloadAnswer::line(&["\"quoted\"\nline".into()], Some(&text), Some("{\"played_ms\":7}"));
        assert_eq!(line.matches('\n').count(), 1);
        let answer: ReloadAnswer = serde_json::from_str(&line).unwrap();
        assert_eq!(answer.report, Some(report));
        assert_eq!(answer.forecast, Some(serde_json::json!({"played_ms": 7})));
        let nothing: ReloadAnswer = serde_json::from_str(&ReloadAnswer::line(&[], None, None)).unwrap();
        assert_eq!(
            (nothing.refused, nothing.report, nothing.forecast),
            (Vec::new(), None, None)
        );
    }
}
