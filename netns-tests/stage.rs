//! Nodes, their daemons, and what is done to them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use vrrpd::lab::{Frame, Happening, Lab, NodeId, NodeSpec, ProgramId, Seen};
use vrrpd::model::{Instant, Micros};
use vrrpd::system::clock;

pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";
/// The binary under test, as a node sees it.
pub(crate) const VRRPD: &str = "/run/.programs/vrrpd";

/// The newer keepalived, as a node sees it.
const NEWER: &str = "/run/.programs/keepalived";

/// What speaks VRRP on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Keepalived,
    Vrrpd,
    Frr,
    /// The keepalived that [`newer`] names.
    Newer,
}

/// A keepalived that is newer than the installed one: `VRRPD_NEWER_KEEPALIVED` has its path.
pub(crate) fn newer() -> Option<PathBuf> {
    std::env::var_os("VRRPD_NEWER_KEEPALIVED").map(PathBuf::from)
}

impl Speaker {
    /// `k`, `v`, `f` or `n`.
    pub(crate) fn of(letter: char) -> Self {
        match letter {
            'k' => Self::Keepalived,
            'v' => Self::Vrrpd,
            'f' => Self::Frr,
            'n' => Self::Newer,
            other => panic!("no such speaker: {other}"),
        }
    }

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Keepalived => KEEPALIVED,
            Self::Vrrpd => VRRPD,
            Self::Frr => crate::frr::PROGRAM,
            Self::Newer => NEWER,
        }
    }
}

/// A lab with one daemon a node and a note of everything that is done. Tells its story when it is dropped.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    /// The address whose holders count.
    vip: IpAddr,
    /// When nothing changes for this long, nothing more will: longer than a Master_Down_Interval.
    calm: Micros,
    daemons: Vec<Option<ProgramId>>,
    notes: Vec<(Instant, String)>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        print!("{}", crate::story::tell(&self.lab, &self.notes));
    }
}

pub(crate) fn node(name: &str, addresses: &[&str]) -> NodeSpec {
    let parse = |text: &&str| {
        let (address, prefix) = text.split_once('/').unwrap();
        (address.parse().unwrap(), prefix.parse().unwrap())
    };
    NodeSpec {
        name: name.to_owned(),
        addresses: addresses.iter().map(parse).collect(),
        plugged: true,
    }
}

impl Stage {
    pub(crate) fn new(specs: Vec<NodeSpec>, vip: IpAddr, calm: Micros) -> io::Result<Self> {
        let daemons = vec![None; specs.len()];
        let mut programs = vec![PathBuf::from(env!("CARGO_BIN_EXE_vrrpd"))];
        programs.extend(newer());
        let lab = Lab::new(specs, &programs)?;
        Ok(Self {
            lab,
            vip,
            calm,
            daemons,
            notes: Vec::new(),
        })
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) -> Instant {
        let now = clock::now();
        self.notes.push((now, text.into()));
        now
    }

    /// Writes a file into the node's `/tmp`.
    pub(crate) fn write(&self, node: usize, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.lab.node(NodeId(node)).unwrap().tmp().join(file), text)
    }

    pub(crate) fn remove(&self, node: usize, file: &str) -> io::Result<()> {
        fs::remove_file(self.lab.node(NodeId(node)).unwrap().tmp().join(file))
    }

    /// Starts a program of a node.
    pub(crate) fn run(&mut self, node: usize, name: &str, words: &[&str]) -> io::Result<ProgramId> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.lab.start(NodeId(node), name, &words)
    }

    /// Starts a daemon with this configuration.
    pub(crate) fn start(&mut self, node: usize, speaker: Speaker, configuration: &str) -> io::Result<()> {
        self.start_with(node, speaker, configuration, &["-n", "-l", "-D", "-G"])
    }

    pub(crate) fn start_with(
        &mut self,
        node: usize,
        speaker: Speaker,
        configuration: &str,
        options: &[&str],
    ) -> io::Result<()> {
        self.note(format!("start {speaker:?} on {}", self.lab.name(NodeId(node))));
        self.write(node, "vrrp.conf", configuration)?;
        let mut words = vec![speaker.program()];
        words.extend(options);
        words.extend(["-f", "/tmp/vrrp.conf"]);
        self.start_words(node, &words)
    }

    /// Starts a daemon by these words.
    pub(crate) fn start_words(&mut self, node: usize, words: &[&str]) -> io::Result<()> {
        self.daemons[node] = Some(self.run(node, "vrrp", words)?);
        Ok(())
    }

    /// The daemon that was started last on a node.
    pub(crate) fn daemon(&self, node: usize) -> ProgramId {
        self.daemons[node].expect("a daemon was started")
    }

    /// A signal to the process that was started.
    pub(crate) fn signal(&mut self, node: usize, signal: Signal) -> io::Result<()> {
        self.note(format!("{signal} to the daemon of {}", self.lab.name(NodeId(node))));
        self.lab.signal(self.daemon(node), signal)
    }

    /// A signal to the process that was started and to its descendants.
    pub(crate) fn signal_all(&mut self, node: usize, signal: Signal) -> io::Result<()> {
        self.note(format!(
            "{signal} to all processes of the daemon of {}",
            self.lab.name(NodeId(node))
        ));
        self.lab.signal_all(self.daemon(node), signal)
    }

    /// Ends all processes of a daemon; stopped first, so that none of them lives to see another one die.
    pub(crate) fn crash(&mut self, node: usize) -> io::Result<()> {
        self.signal_all(node, Signal::SIGSTOP)?;
        self.signal_all(node, Signal::SIGKILL)
    }

    /// Waits for something that has to happen.
    pub(crate) fn until(&mut self, what: &str, seconds: u64, enough: impl FnMut(&Lab) -> bool) -> io::Result<()> {
        if self.lab.watch(Micros::from_secs(seconds), enough)? {
            return Ok(());
        }
        self.note(format!("waited {seconds} s in vain: {what}"));
        Err(io::Error::other(format!("waited {seconds} s in vain: {what}")))
    }

    /// Looks on for a while; the time itself is what is tested.
    pub(crate) fn look_on(&mut self, time: Micros) -> io::Result<()> {
        self.lab.watch(time, |_| false).map(drop)
    }

    /// Who holds the address now: `1`, `2`, `12` or `-`.
    pub(crate) fn holders(&self) -> String {
        names(&self.lab.holders(self.vip))
    }

    pub(crate) fn until_held_by(&mut self, holders: &str, seconds: u64) -> io::Result<()> {
        let vip = self.vip;
        self.until(&format!("{vip} is held by {holders}"), seconds, |lab| {
            names(&lab.holders(vip)) == holders
        })
    }

    /// Waits until the holders have not changed for the calm time, and names them.
    pub(crate) fn settled(&mut self) -> io::Result<String> {
        let vip = self.vip;
        self.calm(|lab| names(&lab.holders(vip))).map(|(holders, _)| holders)
    }

    /// Waits until what is looked at has not changed for the calm time: what it is, and when it changed last.
    pub(crate) fn calm(&mut self, look: impl Fn(&Lab) -> String) -> io::Result<(String, Instant)> {
        let mut changed = clock::now();
        for _ in 0..20 {
            let before = look(&self.lab);
            if !self.lab.watch(self.calm, |lab| look(lab) != before)? {
                self.note(format!("settled: {before}"));
                return Ok((before, changed));
            }
            changed = clock::now();
        }
        Ok(("unstable".into(), changed))
    }

    /// Times at which a node sent adverts (released: those of priority 0) since then.
    pub(crate) fn adverts(&self, node: usize, since: Instant, released: bool) -> Vec<Instant> {
        let own = |seen: &Seen| matches!(seen, Seen::Advert(advert) if (advert.priority == 0) == released);
        self.lab
            .moments
            .iter()
            .filter(|moment| moment.at >= since)
            .filter(|m| matches!(&m.what, Happening::Sent(from, frame) if from.0 == node && own(&frame.seen)))
            .map(|moment| moment.at)
            .collect()
    }

    /// All bytes of the last advert of a node.
    pub(crate) fn last_advert(&self, node: usize) -> Vec<u8> {
        let adverts = self.lab.moments.iter().rev().find_map(|moment| match &moment.what {
            Happening::Sent(from, frame) if from.0 == node && matches!(frame.seen, Seen::Advert(_)) => {
                Some(frame.bytes.clone())
            }
            _ => None,
        });
        adverts.expect("the node has spoken")
    }

    /// When the address appeared on a node (or vanished) since then.
    pub(crate) fn moves(&self, node: usize, since: Instant, appeared: bool) -> Vec<Instant> {
        let vip = self.vip;
        self.lab
            .moments
            .iter()
            .filter(|moment| moment.at >= since)
            .filter(|moment| match &moment.what {
                Happening::Appeared(on, address) => appeared && on.0 == node && *address == vip,
                Happening::Vanished(on, address) => !appeared && on.0 == node && *address == vip,
                _ => false,
            })
            .map(|moment| moment.at)
            .collect()
    }

    /// What a program of a node wrote since then.
    pub(crate) fn lines(&self, node: usize, program: &str, since: Instant) -> Vec<String> {
        lines(&self.lab, node, program, since)
    }
}

pub(crate) fn lines(lab: &Lab, node: usize, program: &str, since: Instant) -> Vec<String> {
    lab.moments
        .iter()
        .filter(|moment| moment.at >= since)
        .filter_map(|moment| match &moment.what {
            Happening::Line(from, name, text) if from.0 == node && name == program => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// Nodes whose last advert is not older than this and gives nothing up.
pub(crate) fn speaking(lab: &Lab, silence: Micros) -> Vec<NodeId> {
    let now = clock::now();
    let mut last: BTreeMap<NodeId, u8> = BTreeMap::new();
    for moment in lab.moments.iter().rev() {
        if now.since(moment.at) > silence {
            break;
        }
        if let Happening::Sent(
            node,
            Frame {
                seen: Seen::Advert(advert),
                ..
            },
        ) = &moment.what
        {
            last.entry(*node).or_insert(advert.priority);
        }
    }
    last.into_iter()
        .filter(|(_, priority)| *priority > 0)
        .map(|(node, _)| node)
        .collect()
}

/// Nodes as digits.
pub(crate) fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "-".into();
    }
    nodes.iter().map(|id| (id.0 + 1).to_string()).collect()
}
