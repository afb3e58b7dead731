//! The processes of a master end, in every order, or get signals: what stays behind, and who has the address.

use crate::check::{Check, Needs, Twin, in_range};
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use vrrpd::lab::{Happening, Lab, NodeId, Process};
use vrrpd::model::{Instant, Micros};

/// The backup's place, and the master's.
const BACKUP: usize = 0;
const MASTER: usize = 1;
/// How late anything may be on a busy machine, in milliseconds.
const SLACK: u64 = 500;
/// The guard: the last address is gone this long after the daemon's death.
const GUARD: u64 = 100;
/// Silence after which the backup takes over: 3 × 0.5 s + 156/256 × 0.5 s.
const MASTER_DOWN: u64 = 1_805;
/// After a priority 0 advert.
const SKEW: u64 = 305;

struct Case {
    name: &'static str,
    /// What happens, and what is seen then.
    play: fn(&mut Scene) -> io::Result<()>,
    twin: &'static str,
    /// What the judge says to the twin.
    sees: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "kill-daemon",
        play: kill_daemon,
        twin: "the supervisor is stopped, so nobody guards",
        sees: "address gone",
    },
    Case {
        name: "kill-supervisor",
        play: kill_supervisor,
        twin: "the daemon is stopped, so it cannot end",
        sees: "processes left",
    },
    Case {
        name: "kill-both",
        play: kill_both,
        twin: "the next daemon has another address",
        sees: "address gone",
    },
    Case {
        name: "term",
        play: term,
        twin: "SIGKILL to all processes instead of SIGTERM",
        sees: "address gone",
    },
    Case {
        name: "hangup-unchanged",
        play: hangup_unchanged,
        twin: "the file has another address",
        sees: "moves of the address",
    },
    Case {
        name: "hangup-bad-file",
        play: hangup_bad_file,
        twin: "keepalived, which ends by a bad file",
        sees: "the same processes",
    },
    Case {
        name: "other-signals",
        play: other_signals,
        twin: "SIGTERM is one of them",
        sees: "the same processes",
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |case: &Case| {
        let keepalived = case.twin.starts_with("keepalived");
        let twin = if keepalived { "k" } else { "v spoiled" };
        Check {
            name: format!("processes::{}", case.name),
            jobs: vec![format!("processes {} v", case.name)],
            judge: in_range,
            oracle: "addresses in the kernels, /proc, the wire",
            twin: Twin {
                what: case.twin.to_owned(),
                sees: case.sees,
                jobs: vec![format!("processes {} {twin}", case.name)],
            },
            needs: keepalived.then_some(Needs::Program(KEEPALIVED)).into_iter().collect(),
        }
    };
    CASES.iter().map(check).collect()
}

fn configuration(node: usize, vip: &str) -> String {
    let priority = [100, 150][node];
    format!(
        "global_defs {{\n router_id node\n enable_script_security\n script_user root\n}}\nvrrp_script slow {{\n script \"/bin/sleep 60\"\n interval 1\n timeout 50\n weight 1\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n priority {priority}\n advert_int 0.5\n virtual_ipaddress {{\n {vip}/24\n }}\n track_script {{\n slow\n }}\n}}\n"
    )
}

const VIP: &str = "192.0.2.100";

struct Scene {
    stage: Stage,
    speaker: Speaker,
    spoiled: bool,
    report: Vec<String>,
}

impl Scene {
    fn found(&mut self, what: &str, found: u64, lowest: u64, highest: u64) {
        self.report.push(format!("{what}: {found} {lowest} {highest}"));
    }

    /// Milliseconds from then to the first of these moments.
    fn found_after(&mut self, what: &str, since: Instant, moments: &[Instant], highest: u64) {
        let after = moments.first().map_or(u64::MAX, |at| at.since(since).as_millis());
        self.found(&format!("{what}, ms"), after, 0, highest + SLACK);
    }

    fn holders(&mut self, expected: u64) -> io::Result<()> {
        let holders = self.stage.settled()?.parse().unwrap_or(0);
        self.found("holders", holders, expected, expected);
        Ok(())
    }

    /// Supervisor and daemon of the master.
    fn pair(&self) -> io::Result<(Process, Process)> {
        let family = self.stage.lab.family(self.stage.daemon(MASTER))?;
        let supervisor = family.first().cloned();
        let supervisor = supervisor.ok_or_else(|| io::Error::other("no supervisor"))?;
        let is_daemon = |process: &&Process| process.parent == supervisor.pid && process.file == supervisor.file;
        let daemon = family.iter().find(is_daemon).cloned();
        Ok((supervisor, daemon.ok_or_else(|| io::Error::other("no daemon"))?))
    }

    /// Living processes of a node.
    fn alive(lab: &Lab, node: usize) -> Vec<Process> {
        let mut processes = lab.processes(NodeId(node)).unwrap_or_default();
        processes.retain(|process| process.state != 'Z');
        processes
    }

    fn nothing_left(&mut self) {
        let alive = Self::alive(&self.stage.lab, MASTER);
        self.stage.note(format!("left: {alive:?}"));
        self.found("processes left", alive.len() as u64, 0, 0);
    }

    fn send(&mut self, process: &Process, signal: i32) -> io::Result<Instant> {
        let at = self
            .stage
            .note(format!("signal {signal} to process {} ({})", process.pid, process.name));
        vrrpd::sys::send_signal(process.pid, signal)?;
        Ok(at)
    }

    /// Files below the master's `/run`.
    fn files(&self) -> io::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.stage.lab.node(NodeId(MASTER)).unwrap().run()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if !path.to_string_lossy().contains(".programs") {
                    found.insert(path.to_string_lossy().into_owned());
                }
            }
        }
        Ok(found)
    }

    /// The master has gone on as if nothing had happened since then, for so many seconds from then on.
    fn undisturbed(&mut self, since: Instant, seconds: u64, before: &(Process, Process)) -> io::Result<()> {
        self.stage.look_on(Micros::from_secs(seconds))?;
        let moves = |stage: &Stage| stage.moves(MASTER, since, false).len() + stage.moves(BACKUP, since, true).len();
        let moves = moves(&self.stage) as u64;
        self.found("moves of the address", moves, 0, 0);
        let end = since + Micros::from_secs(seconds);
        let adverts = self.stage.adverts(MASTER, since, false);
        let adverts = adverts.iter().filter(|at| **at <= end).count() as u64;
        self.found("adverts", adverts, 2 * seconds - 1, 2 * seconds + 1);
        let after = self.pair().map(|pair| (pair.0.pid, pair.1.pid)).unwrap_or_default();
        let same = u64::from(after == (before.0.pid, before.1.pid));
        self.found("the same processes", same, 1, 1);
        Ok(())
    }
}

const KILL: i32 = libc::SIGKILL;

/// The supervisor removes the address and starts the daemon again.
fn kill_daemon(scene: &mut Scene) -> io::Result<()> {
    let (supervisor, daemon) = scene.pair()?;
    if scene.spoiled {
        scene.send(&supervisor, libc::SIGSTOP)?;
    }
    let since = scene.send(&daemon, KILL)?;
    scene.stage.look_on(Micros::from_millis(1_000))?;
    let gone = scene.stage.moves(MASTER, since, false);
    scene.found_after("address gone", since, &gone, GUARD);
    let again = scene.pair().is_ok_and(|pair| pair.1.pid != daemon.pid);
    scene.found("another daemon runs", u64::from(again), 1, 1);
    scene.holders(2)
}

/// The daemon gives the address up and ends.
fn kill_supervisor(scene: &mut Scene) -> io::Result<()> {
    let (supervisor, daemon) = scene.pair()?;
    if scene.spoiled {
        scene.send(&daemon, libc::SIGSTOP)?;
    }
    let since = scene.send(&supervisor, KILL)?;
    scene
        .stage
        .lab
        .watch(Micros::from_secs(5), |lab| Scene::alive(lab, MASTER).is_empty())?;
    let gone = scene.stage.moves(MASTER, since, false);
    scene.found_after("address gone", since, &gone, GUARD);
    scene.nothing_left();
    let released = scene.stage.adverts(MASTER, since, true).len() as u64;
    scene.found("adverts with priority 0", released, 1, 1);
    scene.holders(1)?;
    let taken = scene.stage.moves(BACKUP, since, true);
    scene.found_after("taken over", since, &taken, SKEW);
    Ok(())
}

/// Nobody is left to clean up: the address stays in the dead node's kernel until the next start. The other node takes over
/// all the same.
fn kill_both(scene: &mut Scene) -> io::Result<()> {
    let since = scene.stage.note("kill both");
    scene.stage.crash(MASTER)?;
    scene.holders(12)?;
    let taken = scene.stage.moves(BACKUP, since, true);
    scene.found_after("taken over", since, &taken, MASTER_DOWN);
    // Its programs had a session of their own.
    let ours = scene.stage.lab.processes(NodeId(MASTER))?;
    let ours = ours
        .iter()
        .filter(|process| process.file == "vrrpd" && process.state != 'Z');
    let left = ours.count() as u64;
    scene.found("processes left", left, 0, 0);
    let since = scene.stage.note("start again");
    let vip = if scene.spoiled { "192.0.2.101" } else { VIP };
    let (speaker, text) = (scene.speaker, configuration(MASTER, vip));
    scene.stage.start(MASTER, speaker, &text)?;
    scene.holders(2)?;
    let gone = scene.stage.moves(MASTER, since, false);
    scene.found_after("address gone", since, &gone, 1_000);
    Ok(())
}

/// Nothing is left: no process, no address, no file.
fn term(scene: &mut Scene) -> io::Result<()> {
    let files = scene.files()?;
    scene.found("files in /run before", files.len() as u64, 2, 10);
    let since = scene.stage.note("end it");
    if scene.spoiled {
        scene.stage.crash(MASTER)?;
    } else {
        scene.stage.signal(MASTER, Signal::SIGTERM)?;
    }
    let daemon = scene.stage.daemon(MASTER);
    scene.stage.until("the daemon ends", 10, |lab| !lab.runs(daemon))?;
    let gone = scene.stage.moves(MASTER, since, false);
    scene.found_after("address gone", since, &gone, GUARD);
    let ended = scene.stage.lab.moments.iter().find_map(|moment| match &moment.what {
        Happening::Ended(node, name, status) if node.0 == MASTER && name == "vrrp" => Some((moment.at, *status)),
        _ => None,
    });
    let (at, status) = ended.ok_or_else(|| io::Error::other("the end was not seen"))?;
    // Without notify scripts 50 ms after the last removal; programs have 100 ms to end.
    scene.found_after("all over", since, &[at], 250);
    scene.found("exit status 0", u64::from(status == Some(0)), 1, 1);
    scene.nothing_left();
    let left = scene.files()?;
    scene.stage.note(format!("files left: {left:?}"));
    scene.found("files in /run after", left.len() as u64, 0, 0);
    let released = scene.stage.adverts(MASTER, since, true).len() as u64;
    scene.found("adverts with priority 0", released, 1, 1);
    scene.holders(1)?;
    let taken = scene.stage.moves(BACKUP, since, true);
    scene.found_after("taken over", since, &taken, SKEW);
    Ok(())
}

/// The same file again: not even an advert more.
fn hangup_unchanged(scene: &mut Scene) -> io::Result<()> {
    let pair = scene.pair()?;
    if scene.spoiled {
        scene
            .stage
            .write(MASTER, "vrrp.conf", &configuration(MASTER, "192.0.2.101"))?;
    }
    let since = scene.send(&pair.0, libc::SIGHUP)?;
    scene.undisturbed(since, 4, &pair)?;
    let lines = scene.stage.lines(MASTER, "vrrp", since);
    let complete = lines.iter().filter(|line| line.contains("Reload complete")).count() as u64;
    scene.found("reload complete", complete, 1, 1);
    scene.holders(2)
}

/// Three files that no daemon can use, then the good one.
fn hangup_bad_file(scene: &mut Scene) -> io::Result<()> {
    let pair = scene.pair()?;
    let good = configuration(MASTER, VIP);
    let bad = [
        ("without a VRID", Some(good.replace("virtual_router_id 51", ""))),
        (
            "with the same VRID twice",
            Some(
                format!(
                    "{good}{}",
                    good.split_once("vrrp_instance").map_or("", |(_, rest)| rest)
                )
                .replace("}\n VI_1", "}\nvrrp_instance VI_2"),
            ),
        ),
        ("that is not there", None),
    ];
    for (what, text) in bad {
        match text {
            Some(text) => scene.stage.write(MASTER, "vrrp.conf", &text)?,
            None => scene.stage.remove(MASTER, "vrrp.conf")?,
        }
        scene.stage.note(format!("a file {what}"));
        // A keepalived is dead by now.
        let Ok(since) = scene.send(&pair.0, libc::SIGHUP) else {
            scene.found("dead", 1, 0, 0);
            return Ok(());
        };
        scene.undisturbed(since, 2, &pair)?;
        let lines = scene.stage.lines(MASTER, "vrrp", since);
        let told = lines.iter().filter(|line| line.contains("stays in force")).count() as u64;
        scene.found(&format!("told of a file {what}"), told, 1, 1);
    }
    scene.stage.write(MASTER, "vrrp.conf", &good)?;
    let since = scene.send(&pair.0, libc::SIGHUP)?;
    scene.undisturbed(since, 2, &pair)?;
    let lines = scene.stage.lines(MASTER, "vrrp", since);
    let complete = lines.iter().filter(|line| line.contains("Reload complete")).count() as u64;
    scene.found("reload complete", complete, 1, 1);
    scene.holders(2)
}

/// SIGUSR1, SIGUSR2 and every real-time signal that the C library leaves to us, to both processes.
fn other_signals(scene: &mut Scene) -> io::Result<()> {
    let pair = scene.pair()?;
    let since = scene.stage.note("signals to both processes");
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    let deadly = scene.spoiled.then_some(libc::SIGTERM);
    for signal in [libc::SIGUSR1, libc::SIGUSR2]
        .into_iter()
        .chain(real_time)
        .chain(deadly)
    {
        for process in [&pair.0, &pair.1] {
            // The one before may have ended it.
            scene.send(process, signal).map(drop).unwrap_or_default();
        }
    }
    scene.undisturbed(since, 3, &pair)?;
    scene.holders(2)
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, speaker, spoiled @ ..] = words else {
        return Err(io::Error::other("case, speaker, perhaps spoiled"));
    };
    let case = CASES.iter().find(|case| case.name == *name).unwrap();
    let speaker = Speaker::of(speaker.chars().next().unwrap());
    let nodes = [node("node1", &["192.0.2.1/24"]), node("node2", &["192.0.2.2/24"])];
    let vip: Ipv4Addr = VIP.parse().map_err(io::Error::other)?;
    let stage = Stage::new(nodes.into(), vip.into(), Micros::from_millis(2_800))?;
    let mut scene = Scene {
        stage,
        speaker,
        spoiled: !spoiled.is_empty(),
        report: Vec::new(),
    };
    scene.stage.start(MASTER, speaker, &configuration(MASTER, VIP))?;
    scene.stage.until_held_by("2", 15)?;
    scene.stage.start(BACKUP, speaker, &configuration(BACKUP, VIP))?;
    scene.stage.settled()?;
    (case.play)(&mut scene)?;
    Ok(scene.report.join("\n"))
}
