//! Nodes, their daemons, and what is done to them.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use vrrpd::lab::{Happening, Lab, NodeId, NodeSpec, ProgramId, Seen};
use vrrpd::model::{Instant, Micros};
use vrrpd::system::clock;

pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";
/// The binary under test, as a node sees it.
pub(crate) const VRRPD: &str = "/run/.programs/vrrpd";

/// What speaks VRRP on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Keepalived,
    Vrrpd,
}

impl Speaker {
    /// `k` or `v`.
    pub(crate) fn of(letter: char) -> Self {
        match letter {
            'k' => Self::Keepalived,
            'v' => Self::Vrrpd,
            other => panic!("no such speaker: {other}"),
        }
    }

    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Keepalived => KEEPALIVED,
            Self::Vrrpd => VRRPD,
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
        let lab = Lab::new(specs, &[PathBuf::from(env!("CARGO_BIN_EXE_vrrpd"))])?;
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
        self.daemons[node] = Some(self.run(node, "vrrp", &words)?);
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
        for _ in 0..20 {
            let before = self.lab.holders(vip);
            if !self.lab.watch(self.calm, |lab| lab.holders(vip) != before)? {
                self.note(format!("settled: {}", names(&before)));
                return Ok(names(&before));
            }
        }
        Ok("unstable".into())
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

/// Nodes as digits.
pub(crate) fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "-".into();
    }
    nodes.iter().map(|id| (id.0 + 1).to_string()).collect()
}
