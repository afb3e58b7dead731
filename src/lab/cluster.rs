//! The nodes with their daemons: started, stopped, paused, killed; their checks made to fail.

use super::checks::{self, FailedChecks};
use super::faults::Cut;
use super::files::Prepared;
use super::node::{HostFiles, NodeId, NodeSpec, PROGRAMS};
use super::plan::Plan;
use super::programs::ProgramId;
use super::topology::{BridgeId, Lab};
use nix::sys::signal::Signal;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

/// What the daemon is called in the story.
pub(super) const DAEMON: &str = "vrrpd";

/// What a person's command in a node is called.
pub(super) const RUN: &str = "the command";

/// Log lines kept for each node; the oldest go first.
const LOG_LINES: usize = 10_000;

/// How a daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Running,
    Paused,
    /// It was told to end, or to be killed, or has ended by itself.
    Gone,
}

/// A node and its daemon.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) prepared: Prepared,
    pub(super) condition: Condition,
    daemon: Option<ProgramId>,
    /// Checks that are made to fail.
    pub(super) failed: FailedChecks,
    /// Its log.
    pub(super) log: VecDeque<String>,
}

/// The lab with what runs in it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) lab: Lab,
    pub(super) members: Vec<Member>,
    vrrpd: String,
}

/// A cluster's refusal: what the person can do nothing about is an error, the rest a sentence.
pub(super) type Answer = io::Result<Result<String, String>>;

impl Cluster {
    /// Makes the nodes with their interfaces, addresses and files; starts nothing.
    pub(super) fn new(files: Vec<Prepared>, plan: &Plan, vrrpd: &Path) -> io::Result<Self> {
        let specs = files.iter().map(|file| NodeSpec {
            name: file.name.clone(),
            addresses: Vec::new(),
            plugged: false,
        });
        let host_files = HostFiles {
            programs: vec![vrrpd.to_owned()],
            below_tmp: below_tmp(&files),
            read_only: true,
        };
        let mut lab = Lab::with_files(specs.collect(), &host_files)?;
        for _ in 1..plan.bridges {
            lab.add_bridge()?;
        }
        for (id, links) in lab.nodes().zip(&plan.nodes) {
            for link in links {
                let addresses: Vec<_> = link
                    .addresses
                    .iter()
                    .map(|(address, prefix, _)| (*address, *prefix))
                    .collect();
                lab.plug_into(id, BridgeId(link.bridge), &link.name, &addresses)?;
            }
        }
        for (id, file) in lab.nodes().zip(&files) {
            show_files(&mut lab, id, file)?;
        }
        let name = vrrpd.file_name().unwrap_or_default().to_string_lossy();
        let members = files.into_iter().map(|prepared| Member {
            prepared,
            condition: Condition::Gone,
            daemon: None,
            failed: FailedChecks::new(),
            log: VecDeque::new(),
        });
        Ok(Self {
            lab,
            members: members.collect(),
            vrrpd: format!("{PROGRAMS}/{name}"),
        })
    }

    pub(super) fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.get(id.0)
    }

    pub(super) fn member_mut(&mut self, id: NodeId) -> io::Result<&mut Member> {
        self.members
            .get_mut(id.0)
            .ok_or_else(|| io::Error::other("no such node"))
    }

    pub(super) fn start(&mut self, id: NodeId) -> Answer {
        if self.member_mut(id)?.daemon.is_some_and(|daemon| self.lab.runs(daemon)) {
            return Ok(Err(format!("vrrpd runs on {} already", self.lab.name(id))));
        }
        let path = self.member_mut(id)?.prepared.path.to_string_lossy().into_owned();
        let words = [&self.vrrpd, "-n", "-l", "-D", "-G", "-f", &path].map(str::to_owned);
        let daemon = self.lab.start(id, DAEMON, &words)?;
        let member = self.member_mut(id)?;
        member.daemon = Some(daemon);
        member.condition = Condition::Running;
        Ok(Ok(format!("start vrrpd on {}", self.lab.name(id))))
    }

    /// SIGTERM, to the process that was started.
    pub(super) fn stop(&mut self, id: NodeId) -> Answer {
        let Some(daemon) = self.living(id)? else {
            return self.nothing_runs(id);
        };
        self.lab.signal(daemon, Signal::SIGTERM)?;
        // One that stands still would never get to read it.
        self.lab.signal_all(daemon, Signal::SIGCONT)?;
        Ok(Ok(format!("stop vrrpd on {} (SIGTERM)", self.lab.name(id))))
    }

    /// SIGKILL to all.
    pub(super) fn kill(&mut self, id: NodeId) -> Answer {
        let Some(daemon) = self.living(id)? else {
            return self.nothing_runs(id);
        };
        let count = self.lab.family(daemon)?.len();
        // Stopped first, so that none of them lives to see another one die.
        self.lab.signal_all(daemon, Signal::SIGSTOP)?;
        self.lab.signal_all(daemon, Signal::SIGKILL)?;
        self.member_mut(id)?.condition = Condition::Gone;
        let name = self.lab.name(id);
        Ok(Ok(format!(
            "kill -9 all {count} processes of vrrpd on {name}: nobody is left to clean up"
        )))
    }

    pub(super) fn pause(&mut self, id: NodeId) -> Answer {
        let Some(daemon) = self.living(id)? else {
            return self.nothing_runs(id);
        };
        self.lab.signal_all(daemon, Signal::SIGSTOP)?;
        self.member_mut(id)?.condition = Condition::Paused;
        Ok(Ok(format!("pause vrrpd on {} (SIGSTOP)", self.lab.name(id))))
    }

    pub(super) fn resume(&mut self, id: NodeId) -> Answer {
        let Some(daemon) = self.living(id)? else {
            return self.nothing_runs(id);
        };
        self.lab.signal_all(daemon, Signal::SIGCONT)?;
        self.member_mut(id)?.condition = Condition::Running;
        Ok(Ok(format!("resume vrrpd on {} (SIGCONT)", self.lab.name(id))))
    }

    fn living(&mut self, id: NodeId) -> io::Result<Option<ProgramId>> {
        let daemon = self.member_mut(id)?.daemon;
        Ok(daemon.filter(|daemon| self.lab.runs(*daemon)))
    }

    fn nothing_runs(&self, id: NodeId) -> Answer {
        Ok(Err(format!("vrrpd does not run on {}", self.lab.name(id))))
    }

    /// The daemon's first process has ended.
    pub(super) fn note_end(&mut self, id: NodeId) -> io::Result<()> {
        self.member_mut(id)?.condition = Condition::Gone;
        Ok(())
    }

    /// Keeps a line of the daemon.
    pub(super) fn note_line(&mut self, id: NodeId, line: &str) -> io::Result<()> {
        let log = &mut self.member_mut(id)?.log;
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(line.to_owned());
        Ok(())
    }

    pub(super) fn cut(&mut self, id: NodeId, cut: Cut, interface: Option<&str>) -> Answer {
        if let Some(refusal) = self.unknown_interface(id, interface) {
            return Ok(Err(refusal));
        }
        self.lab.cut_link(id, interface, cut)?;
        let text = match cut {
            Cut::Both => "hears nothing and is not heard",
            Cut::Inbound => "hears nothing, but is heard",
            Cut::Outbound => "is not heard, but hears",
        };
        let on = interface.map_or_else(String::new, |interface| format!(" on {interface}"));
        Ok(Ok(format!("{}{on} {text}; its link stays up", self.lab.name(id))))
    }

    pub(super) fn unplug(&mut self, id: NodeId, interface: Option<&str>) -> Answer {
        if let Some(refusal) = self.unknown_interface(id, interface) {
            return Ok(Err(refusal));
        }
        self.lab.set_link_carrier(id, interface, false)?;
        let what = interface.unwrap_or("all interfaces");
        Ok(Ok(format!("unplug {what} of {}: no carrier", self.lab.name(id))))
    }

    pub(super) fn heal(&mut self, id: NodeId) -> Answer {
        self.lab.set_link_carrier(id, None, true)?;
        self.lab.heal(id)?;
        Ok(Ok(format!("mend the cables of {}", self.lab.name(id))))
    }

    fn unknown_interface(&self, id: NodeId, interface: Option<&str>) -> Option<String> {
        let node = self.lab.node(id)?;
        let interface = interface?;
        let known: Vec<&str> = node.links().collect();
        let missing = !known.contains(&interface);
        missing.then(|| {
            format!(
                "{} has no interface {interface}; there are: {}",
                node.name(),
                known.join(", ")
            )
        })
    }

    /// Runs a shell command in a node.
    pub(super) fn run(&mut self, id: NodeId, command: &str) -> io::Result<ProgramId> {
        let words = ["/bin/sh", "-c", command].map(str::to_owned);
        self.lab.start(id, RUN, &words)
    }
}

/// Directories below `/tmp` that the configurations and their checks lie in. `/tmp` itself is each node's own.
fn below_tmp(files: &[Prepared]) -> Vec<PathBuf> {
    let mut directories = BTreeSet::new();
    for file in files {
        let programs = file.model.scripts.iter().filter_map(|script| script.path.as_deref());
        let paths = programs.map(Path::new).chain([file.path.as_path()]);
        let parents = paths.filter_map(Path::parent);
        directories.extend(
            parents
                .filter(|path| path.starts_with("/tmp") && *path != Path::new("/tmp"))
                .map(Path::to_owned),
        );
    }
    directories.into_iter().collect()
}

fn show_files(lab: &mut Lab, id: NodeId, file: &Prepared) -> io::Result<()> {
    let run = lab.node(id).map(super::node::Node::run).unwrap_or_default();
    checks::furnish(&run, file)?;
    for (path, text) in &file.texts {
        lab.show_file(id, path, text, 0o600)?;
    }
    Ok(())
}
