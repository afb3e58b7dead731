//! `vrrpd check`: what is wrong with a configuration, and with several nodes together.
//!
//! Exit statuses: 0 clean, 1 warnings (with `--strict`), 2 errors, also on the command line, 3 a file cannot be read.

use super::output::{stderr, stdout};
use crate::config::{Class, Diagnostic, LoadOptions, Loaded, NoHost, load};
use crate::sim::cluster::{self, ClusterNode, ClusterReport, Code, RouterReport, Row, Severity};
use crate::system::host::{RealHost, RealSource};
use clap::Parser;
use serde_json::json;
use std::path::Path;

const WARNINGS: u8 = 1;
const ERRORS: u8 = 2;
const UNREADABLE: u8 = 3;

/// Say what is wrong with a configuration. Several files are the nodes of one cluster, a file each: then also what they do
/// together, who becomes master, and what every failure does.
#[derive(Debug, Parser)]
#[command(name = "vrrpd check", disable_version_flag = true)]
struct CheckOptions {
    /// Configuration files.
    #[arg(required_unless_present = "explain")]
    files: Vec<String>,
    /// A document for machines, schema 1.
    #[arg(long)]
    json: bool,
    /// Exit with 1 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Explain a code.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

pub(super) fn check(words: &[String]) -> u8 {
    let argv = std::iter::once("vrrpd check".to_owned()).chain(words.iter().cloned());
    let options = match CheckOptions::try_parse_from(argv) {
        Ok(options) => options,
        Err(error) => {
            let text = error.render().to_string();
            if error.use_stderr() {
                stderr(&text);
                return ERRORS;
            }
            stdout(&text);
            return 0;
        }
    };
    if let Some(code) = &options.explain {
        return explain(code);
    }
    let files: Vec<CheckedFile> = options
        .files
        .iter()
        .map(|path| CheckedFile::read(path, options.files.len()))
        .collect();
    let cluster = (files.len() > 1).then(|| judge(&files)).flatten();
    if options.json {
        stdout(&document(&files, cluster.as_ref()));
    } else {
        print(&files, cluster.as_ref());
    }
    status(&files, cluster.as_ref(), options.strict)
}

fn explain(code: &str) -> u8 {
    match Code::ALL.into_iter().find(|known| known.as_str() == code) {
        Some(code) => {
            stdout(&format!("{code}\n\n{}\n", code.explanation()));
            0
        }
        None => {
            stderr(&format!("vrrpd check: there is no code `{code}`\n"));
            ERRORS
        }
    }
}

/// One file, read.
struct CheckedFile {
    path: String,
    loaded: Loaded,
}

impl CheckedFile {
    /// One of several files is for another machine: whether interfaces and programs exist is not asked of this one.
    fn read(path: &str, count: usize) -> Self {
        let options = LoadOptions::default();
        let loaded = if count > 1 {
            load(path, &RealSource, &NoHost, &options)
        } else {
            load(path, &RealSource, &RealHost, &options)
        };
        Self {
            path: path.to_owned(),
            loaded,
        }
    }

    fn unreadable(&self) -> bool {
        self.loaded
            .diagnostics
            .iter()
            .any(|d| d.class == Some(Class::FileNotFound))
    }

    fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.loaded.diagnostics.iter().filter(|d| is_error(d))
    }

    fn warnings(&self) -> usize {
        self.loaded
            .diagnostics
            .iter()
            .filter(|d| d.class.is_some() && !is_error(d))
            .count()
    }
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    !matches!(
        diagnostic.class,
        None | Some(Class::Warning | Class::Deprecated | Class::Security)
    )
}

fn judge(files: &[CheckedFile]) -> Option<ClusterReport> {
    let names = names(&files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>());
    let nodes: Option<Vec<ClusterNode>> = files
        .iter()
        .zip(names)
        .map(|(file, name)| {
            Some(ClusterNode {
                name,
                model: file.loaded.model.clone()?,
            })
        })
        .collect();
    Some(cluster::judge(&nodes?))
}

/// Short names of the nodes: the file's, else its folder's, else the whole path.
fn names(paths: &[&str]) -> Vec<String> {
    let stem = |path: &&str| Some(Path::new(path).file_stem()?.to_string_lossy().into_owned());
    let folder = |path: &&str| Some(Path::new(path).parent()?.file_name()?.to_string_lossy().into_owned());
    let all_differ = |names: &Option<Vec<String>>| {
        let mut sorted = names.clone().unwrap_or_default();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == paths.len()
    };
    let stems = Some(paths.iter().map(stem).collect::<Option<Vec<String>>>()).flatten();
    let folders = Some(paths.iter().map(folder).collect::<Option<Vec<String>>>()).flatten();
    [stems, folders]
        .into_iter()
        .find(all_differ)
        .flatten()
        .unwrap_or_else(|| {
            paths
                .iter()
                .enumerate()
                .map(|(n, path)| format!("{path}#{}", n + 1))
                .collect()
        })
}

fn status(files: &[CheckedFile], cluster: Option<&ClusterReport>, strict: bool) -> u8 {
    let found = |severity| cluster.is_some_and(|report| report.findings.iter().any(|f| f.severity == severity));
    let errors = files.iter().any(|file| file.errors().next().is_some()) || found(Severity::Error);
    let warnings = files.iter().any(|file| file.warnings() > 0) || found(Severity::Warning);
    match () {
        () if files.iter().any(CheckedFile::unreadable) => UNREADABLE,
        () if errors => ERRORS,
        () if warnings && strict => WARNINGS,
        () => 0,
    }
}

fn document(files: &[CheckedFile], cluster: Option<&ClusterReport>) -> String {
    let files: Vec<_> = files
        .iter()
        .map(|file| json!({ "path": file.path, "diagnostics": file.loaded.diagnostics }))
        .collect();
    let document = json!({ "schema": 1, "files": files, "cluster": cluster });
    // No type of the document can fail to be written.
    format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default())
}

fn print(files: &[CheckedFile], cluster: Option<&ClusterReport>) {
    for file in files {
        let alone = files.len() == 1;
        for problem in &file.loaded.diagnostics {
            if alone || is_error(problem) {
                stdout(&format!("{problem}\n"));
            }
        }
        if !alone && file.warnings() > 0 {
            let count = file.warnings();
            stdout(&format!(
                "{}: {count} warning{} of its own; `vrrpd check {}` shows {}\n",
                file.path,
                if count == 1 { "" } else { "s" },
                file.path,
                if count == 1 { "it" } else { "them" }
            ));
        }
        if file.loaded.model.is_none() {
            stdout(&format!("{}: cannot run as it is\n", file.path));
        }
    }
    if let Some(report) = cluster {
        report
            .routers
            .iter()
            .for_each(|router| stdout(&format!("\n{}", table(router))));
        if !report.findings.is_empty() {
            stdout("\n");
        }
        for finding in &report.findings {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            stdout(&format!("{severity}[{}]: {}\n", finding.code, finding.message));
            if let Some(hint) = &finding.hint {
                stdout(&format!("  = help: {hint}\n"));
            }
        }
    }
}

/// Who becomes master, and what every single failure of it does.
fn table(router: &RouterReport) -> String {
    let vips: Vec<String> = router.vips.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{}  {} VRID {}  {}  on {}\n",
        router.name,
        router.family,
        router.vrid,
        vips.join(" "),
        router.nodes.join(", ")
    );
    let masters: Vec<String> = router
        .all_well
        .iter()
        .map(|s| format!("{} ({})", s.master, s.priority))
        .collect();
    text.push_str(&match masters.as_slice() {
        [] => "  when all is well, nobody is master\n".to_owned(),
        [only] => format!("  when all is well, {only} is master\n"),
        [rest @ .., last] => format!(
            "  when all is well, {} or {last} is master: whichever starts first\n",
            rest.join(", ")
        ),
    });
    let stays = |row: &&Row| row.after == [row.before.clone()] && row.failure.node() != row.before;
    let told: Vec<&Row> = router.failures.iter().filter(|row| !stays(row)).collect();
    let width = told.iter().map(|row| row.failure.to_string().len()).max().unwrap_or(0);
    for start in &router.all_well {
        let rows: Vec<&&Row> = told.iter().filter(|row| row.before == start.master).collect();
        if rows.is_empty() {
            continue;
        }
        if masters.len() > 1 {
            text.push_str(&format!("  while {} is master\n", start.master));
        }
        for row in rows {
            text.push_str(&format!("    {:<width$}  {}\n", row.failure.to_string(), row.text));
        }
    }
    if router.failures.iter().any(|row| stays(&row)) {
        text.push_str("    any other single failure leaves the master where it is\n");
    }
    if router.played > 0 {
        let all = if router.complete { "all" } else { "not all" };
        text.push_str(&format!(
            "  {} combinations of failures played, {all} that there are\n",
            router.played
        ));
    }
    text
}
