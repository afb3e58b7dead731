//! What a node's daemon looks at, made to fail and to be well again: scripts, files, processes.

use super::cluster::{Answer, Cluster, Member};
use super::files::{GATE_SCRIPT, NUMBERS, Prepared};
use super::node::NodeId;
use super::programs;
use crate::model::{Model, TrackedProcess, Weight};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a stand-in for a service is called in the story.
pub(super) const STAND_IN: &str = "the stand-in";

/// Waits for ever, without a child: nobody ever writes into the FIFO.
const STAND_IN_SCRIPT: &str = "#!/bin/sh\nread line <>/run/.lab/never\n";

/// The kernel keeps so many bytes of a process's name.
const COMM: usize = 15;

/// What is made to fail, and what it was before.
#[derive(Debug)]
pub(super) enum Failed {
    Script,
    /// The content of the file, if there was one.
    File(Option<Vec<u8>>),
    Process,
}

/// Checks of a node that are made to fail, by kind and name.
pub(super) type FailedChecks = BTreeMap<(Kind, String), Failed>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Script,
    File,
    Process,
}

/// Everything of a node that can be made to fail.
pub(super) fn all(prepared: &Prepared) -> Vec<(Kind, String)> {
    let scripts = prepared.gates.keys().map(|name| (Kind::Script, name.clone()));
    let files = prepared.files.keys().map(|name| (Kind::File, name.clone()));
    let processes = prepared.model.processes.iter();
    let processes = processes.map(|process| (Kind::Process, process.name.to_string()));
    scripts.chain(files).chain(processes).collect()
}

/// Puts what checks need into a node's directory of the lab.
pub(super) fn furnish(run: &Path, prepared: &Prepared) -> io::Result<()> {
    let directory = run.join(".lab");
    let service = directory.join("service");
    fs::create_dir_all(&service)?;
    // Checks may run as any user.
    for path in [&directory, &service] {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    program(&directory.join("gate"), GATE_SCRIPT)?;
    nix::unistd::mkfifo(&directory.join("never"), Mode::from_bits_truncate(0o600))?;
    for process in prepared.model.processes.iter().filter(|process| can_stand_in(process)) {
        program(&service.join(&process.process), STAND_IN_SCRIPT)?;
    }
    for (name, number) in &prepared.files {
        let file = prepared.model.files.iter().find(|file| *file.name == **name);
        // One that does not exist counts as 0, in the node as on the machine.
        if let Some(content) = file.and_then(|file| fs::read(&file.path).ok()) {
            fs::write(run_file(run, *number), content)?;
        }
    }
    Ok(())
}

fn program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Where a tracked file is, seen from the lab.
fn run_file(run: &Path, number: usize) -> PathBuf {
    run.join(".lab")
        .join(format!("{}{number}", NUMBERS.rsplit('/').next().unwrap_or_default()))
}

/// Whether a script of this name looks like the process: one that is told by its command line does not.
fn can_stand_in(process: &TrackedProcess) -> bool {
    let plain = process.process.len() <= COMM && !process.process.contains('/');
    plain && !process.full_command && process.parameters.is_empty() && process.param_match.is_none()
}

/// A number that is a fault under the first weight that the file is tracked with.
fn bad_number(model: &Model, name: &str) -> i32 {
    let position = model.files.iter().position(|file| *file.name == *name);
    let is_it = |id: u32| usize::try_from(id).ok() == position;
    let instances = model.instances.iter().flat_map(|instance| &instance.track_files);
    let groups = model.groups.iter().flat_map(|group| &group.track_files);
    let tracked = instances.chain(groups).find(|track| is_it(track.file.0));
    let own = || {
        model
            .files
            .iter()
            .find(|file| *file.name == *name)
            .map(|file| file.weight)
    };
    let weight = tracked.map(|track| track.weight).or_else(own).unwrap_or(Weight::ZERO);
    match (weight.value(), weight.is_reverse()) {
        (0, reverse) => i32::from(!reverse),
        (value, reverse) if (value > 0) != reverse => -254,
        _ => 254,
    }
}

impl Cluster {
    /// Makes checks fail, or lets them be what they were; `None` = all of the node.
    pub(super) fn set_checks(&mut self, id: NodeId, check: Option<&str>, fail: bool) -> Answer {
        let name = self.lab.name(id).to_owned();
        let known = all(&self.member_mut(id)?.prepared);
        let chosen = |(_, known): &&(Kind, String)| check.is_none_or(|check| check == known);
        let chosen: Vec<(Kind, String)> = known.iter().filter(chosen).cloned().collect();
        if chosen.is_empty() {
            let known: Vec<&str> = known.iter().map(|(_, name)| name.as_str()).collect();
            return Ok(Err(match (check, known.as_slice()) {
                (_, []) => format!("{name} has no check that the lab can make fail"),
                (Some(check), known) => format!("{name} has no check {check}; there are: {}", known.join(", ")),
                (None, _) => format!("{name} has no check"),
            }));
        }
        let mut said = Vec::new();
        for (kind, check) in chosen {
            said.push(match kind {
                Kind::Script => self.set_gate(id, check, fail)?,
                Kind::File => self.set_file(id, check, fail)?,
                Kind::Process => match self.set_process(id, check, fail)? {
                    Ok(said) => said,
                    Err(refusal) => return Ok(Err(refusal)),
                },
            });
        }
        Ok(Ok(format!("on {name} {}", said.join(", "))))
    }

    fn directory(&self, id: NodeId) -> PathBuf {
        self.lab.node(id).map(super::node::Node::run).unwrap_or_default()
    }

    fn set_gate(&mut self, id: NodeId, check: String, fail: bool) -> io::Result<String> {
        let directory = self.directory(id).join(".lab");
        let member = self.member_mut(id)?;
        let Some(gate) = member.prepared.gates.get(&check) else {
            return Err(io::Error::other("no such gate"));
        };
        let file = directory.join(format!("closed.{gate}"));
        if fail {
            fs::write(file, "")?;
            member.failed.insert((Kind::Script, check.clone()), Failed::Script);
            return Ok(format!("{check} from now on fails"));
        }
        if member.failed.remove(&(Kind::Script, check.clone())).is_some() {
            fs::remove_file(file)?;
        }
        Ok(format!("{check} is again what it is"))
    }

    fn set_file(&mut self, id: NodeId, check: String, fail: bool) -> io::Result<String> {
        let run = self.directory(id);
        let member = self.member_mut(id)?;
        let number = member.prepared.files.get(&check).copied().unwrap_or(0);
        let file = run_file(&run, number);
        let key = (Kind::File, check.clone());
        if fail {
            let bad = bad_number(&member.prepared.model, &check);
            let before = fs::read(&file).ok();
            member.failed.entry(key).or_insert(Failed::File(before));
            replace(&file, format!("{bad}\n").as_bytes())?;
            return Ok(format!("{check} holds {bad}"));
        }
        match member.failed.remove(&key) {
            Some(Failed::File(Some(content))) => replace(&file, &content)?,
            Some(Failed::File(None)) => fs::remove_file(&file)?,
            Some(Failed::Script | Failed::Process) | None => {}
        }
        Ok(format!("{check} holds again what it held"))
    }

    fn set_process(&mut self, id: NodeId, check: String, fail: bool) -> Answer {
        let member = self.member_mut(id)?;
        let process = member
            .prepared
            .model
            .processes
            .iter()
            .find(|process| *process.name == *check);
        let Some(process) = process.cloned() else {
            return Err(io::Error::other("no such process"));
        };
        let key = (Kind::Process, check.clone());
        if fail {
            member.failed.insert(key, Failed::Process);
        } else {
            member.failed.remove(&key);
        }
        // One that none may run of fails by running.
        let wanted = match (process.quorum_max, fail) {
            (Some(0), true) => 1,
            (Some(0), false) | (_, true) => 0,
            (_, false) => process.quorum.max(1),
        };
        self.have_processes(id, &check, &process, wanted)
    }

    /// Ends processes of this name, or starts stand-ins, until so many run.
    fn have_processes(&mut self, id: NodeId, check: &str, process: &TrackedProcess, wanted: u32) -> Answer {
        let base = process.process.rsplit('/').next().unwrap_or_default();
        let comm = base.get(..COMM).unwrap_or(base);
        let running = self.lab.processes(id)?;
        let running: Vec<_> = running
            .iter()
            .filter(|one| one.name == comm && one.state != 'Z')
            .collect();
        if wanted == 0 {
            for one in &running {
                programs::signal(one.pid, Signal::SIGKILL)?;
            }
            return Ok(Ok(format!("{} of {check} ended (SIGKILL)", count(running.len(), base))));
        }
        let missing = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .saturating_sub(running.len());
        if missing > 0 && !can_stand_in(process) {
            return Ok(Err(format!(
                "{check} looks at the command line, and the lab can only make a process of that name: start it with `run {} ...`",
                self.lab.name(id)
            )));
        }
        for _ in 0..missing.min(MOST) {
            let path = format!("/run/.lab/service/{}", process.process);
            self.lab.start(id, STAND_IN, &[path])?;
        }
        Ok(Ok(format!(
            "{} of {check} started as a stand-in",
            count(missing.min(MOST), base)
        )))
    }
}

/// Stand-ins that are started at once, at most.
const MOST: usize = 100;

fn count(number: usize, name: &str) -> String {
    match number {
        1 => format!("1 process {name}"),
        _ => format!("{number} processes {name}"),
    }
}

impl Member {
    /// Whether a check of this name is made to fail.
    pub(super) fn fails(&self, name: &str) -> bool {
        self.failed.keys().any(|(_, failed)| failed == name)
    }
}

/// Never half written.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, content)?;
    fs::rename(new, file)
}

/// What has to be known of a node's checks before anything happens.
pub(super) fn notes(prepared: &Prepared) -> Vec<String> {
    let node = &prepared.name;
    let note = |process: &TrackedProcess| {
        let name = &process.name;
        if process.quorum_max == Some(0) {
            None
        } else if can_stand_in(process) {
            Some(format!(
                "no {} runs in the lab: `mend {node} {name}` starts a stand-in",
                process.process
            ))
        } else {
            Some(format!(
                "no {} runs in the lab, and {name} looks at its command line: start it with `run {node} ...`",
                process.process
            ))
        }
    };
    prepared.model.processes.iter().filter_map(note).collect()
}
