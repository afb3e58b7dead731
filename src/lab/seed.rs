//! The first user's cluster as a story: three nodes, the check that moves the address, and what else can happen at night.

use super::chronicle::seconds;
use super::node::{NodeId, NodeSpec};
use super::programs::ProgramId;
use super::topology::Lab;
use super::{Cut, Happening};
use crate::model::{Instant, Micros};
use crate::system::clock;
use nix::sys::signal::Signal;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

/// A configuration that is built in.
pub type SeedFile = (&'static str, &'static str);

/// The first user's three files.
pub const SEED: [SeedFile; 3] = [
    ("k8s-master-1", include_str!("../../conf/seed/node1.conf")),
    ("k8s-master-2", include_str!("../../conf/seed/node2.conf")),
    ("k8s-master-3", include_str!("../../conf/seed/node3.conf")),
];

/// Its haproxy.cfg.
const HAPROXY: &str = include_str!("../../conf/seed/haproxy.cfg");

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 16, 106, 187));
/// The nodes' own addresses, as the seed's haproxy.cfg has them.
const ADDRESSES: [Ipv4Addr; 3] = [
    Ipv4Addr::new(172, 16, 106, 208),
    Ipv4Addr::new(172, 16, 106, 80),
    Ipv4Addr::new(172, 16, 106, 14),
];
/// The longest that a take-over may last: script interval, Master_Down_Interval, and room for a busy machine.
const PATIENCE: Micros = Micros::from_secs(15);

struct Story<'a> {
    lab: Lab,
    daemons: Vec<ProgramId>,
    haproxies: Vec<ProgramId>,
    /// The real program, when it is installed.
    haproxy: Option<String>,
    vrrpd: String,
    say: &'a mut dyn FnMut(&str),
    broken: u32,
    told: usize,
    /// When the killed daemon was started again.
    restarted: Instant,
}

/// Plays the story; whether everything went as expected. To be called inside of [`super::enter`].
///
/// # Errors
/// When the lab itself does not work.
pub fn play_seed(vrrpd: &Path, say: &mut dyn FnMut(&str)) -> io::Result<bool> {
    let spec = |(index, (name, _)): (usize, &SeedFile)| NodeSpec {
        name: (*name).into(),
        addresses: ADDRESSES
            .get(index)
            .map(|address| (IpAddr::V4(*address), 24))
            .into_iter()
            .collect(),
        plugged: true,
    };
    let specs = SEED.iter().enumerate().map(spec).collect();
    let lab = Lab::new(specs, &[vrrpd.to_owned()])?;
    let file = vrrpd.file_name().unwrap_or_default().to_string_lossy();
    let vrrpd = format!("{}/{file}", super::node::PROGRAMS);
    let mut story = Story {
        lab,
        daemons: Vec::new(),
        haproxies: Vec::new(),
        haproxy: installed("haproxy"),
        vrrpd,
        say,
        broken: 0,
        told: 0,
        restarted: clock::now(),
    };
    story.begin()?;
    story.check_fails()?;
    story.master_dies()?;
    story.cable_is_cut()?;
    story.end()?;
    Ok(story.broken == 0)
}

impl Story<'_> {
    fn tell(&mut self, text: &str) {
        let at = self.lab.elapsed(clock::now());
        (self.say)(&format!("{:>9} s  {text}\n", seconds(at)));
    }

    fn expect(&mut self, good: bool, text: &str) {
        if !good {
            self.broken += 1;
        }
        let mark = if good { "as expected" } else { "NOT AS EXPECTED" };
        self.tell(&format!("{mark}: {text}"));
    }

    /// Shows the daemons' important lines that have come since the last call.
    fn retell(&mut self) {
        let lines: Vec<(Instant, String)> = self
            .lab
            .moments
            .iter()
            .skip(self.told)
            .filter_map(|moment| match &moment.what {
                Happening::Line(node, name, text) if name == "vrrpd" => {
                    let text = text.get(26..).unwrap_or(text).to_owned();
                    let important = [
                        "VRRP_Script",
                        "priority from",
                        "Entering",
                        "higher",
                        "left in",
                        "Respawning",
                    ];
                    let shown = important.iter().any(|word| text.contains(word));
                    shown.then(|| (moment.at, format!("    {}: {text}", self.lab.name(*node))))
                }
                Happening::Line(..)
                | Happening::Appeared(..)
                | Happening::Vanished(..)
                | Happening::Sent(..)
                | Happening::Ended(..) => None,
            })
            .collect();
        self.told = self.lab.moments.len();
        for (at, text) in lines {
            let at = self.lab.elapsed(at);
            (self.say)(&format!("{:>9} s  {text}\n", seconds(at)));
        }
    }

    fn start_daemon(&mut self, node: NodeId) -> io::Result<ProgramId> {
        let path = "/tmp/vrrpd.conf";
        if let (Some((_, text)), Some(place)) = (SEED.get(node.0), self.lab.node(node)) {
            fs::write(place.tmp().join("vrrpd.conf"), text)?;
        }
        let words: Vec<String> = [self.vrrpd.as_str(), "-n", "-l", "-D", "-G", "-f", path]
            .iter()
            .map(|w| (*w).to_owned())
            .collect();
        self.lab.start(node, "vrrpd", &words)
    }

    fn start_haproxy(&mut self, node: NodeId) -> io::Result<ProgramId> {
        let Some(haproxy) = self.haproxy.clone() else {
            return self.lab.start_function(node, "haproxy", &listen);
        };
        if let Some(place) = self.lab.node(node) {
            fs::write(place.tmp().join("haproxy.cfg"), HAPROXY)?;
        }
        let words = [haproxy.as_str(), "-db", "-f", "/tmp/haproxy.cfg"].map(str::to_owned);
        self.lab.start(node, "haproxy", &words)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.tell(&match &self.haproxy {
            Some(path) => format!("three nodes on a bridge; on each {path} with the seed's haproxy.cfg, then vrrpd on the seed's file"),
            None => "three nodes on a bridge; on each a listener on port 9443 in the place of haproxy, which is not installed, then vrrpd on the seed's file".into(),
        });
        if installed("netstat").is_none() {
            self.tell("netstat is not installed here, and the seed's check needs it: every check will fail (install net-tools)");
        }
        let nodes: Vec<NodeId> = self.lab.nodes().collect();
        for node in &nodes {
            let haproxy = self.start_haproxy(*node)?;
            self.haproxies.push(haproxy);
        }
        for node in nodes {
            let daemon = self.start_daemon(node)?;
            self.daemons.push(daemon);
        }
        self.expect_master("the cluster elects a master", None, clock::now())
    }

    /// Waits until one node, other than `not`, is the only holder of the address and stays it, and tells how long it took.
    fn expect_master(&mut self, text: &str, not: Option<NodeId>, since: Instant) -> io::Result<()> {
        let end = clock::now() + PATIENCE;
        while clock::now() < end {
            let only = |lab: &Lab| match lab.holders(VIP).as_slice() {
                [only] if Some(*only) != not => Some(*only),
                _ => None,
            };
            if !self.lab.watch(PATIENCE, |lab| only(lab).is_some())? {
                break;
            }
            let (took, holder) = (clock::now().since(since), only(&self.lab));
            // Two equals may rise at the same moment; the next advert settles it.
            let moved = self.lab.watch(Micros::from_millis(300), |lab| only(lab) != holder)?;
            if let Some(node) = holder.filter(|_| !moved) {
                self.retell();
                let (name, took) = (self.lab.name(node).to_owned(), seconds(took));
                self.expect(true, &format!("{text}: {VIP} is on {name} after {took} s"));
                return Ok(());
            }
        }
        self.retell();
        self.expect(false, &format!("{text}: the address is on {:?}", self.lab.holders(VIP)));
        Ok(())
    }

    fn master(&self) -> Option<NodeId> {
        self.lab.holders(VIP).first().copied()
    }

    /// The user's own destructive test.
    fn check_fails(&mut self) -> io::Result<()> {
        let Some(master) = self.master() else { return Ok(()) };
        let name = self.lab.name(master).to_owned();
        self.tell(&format!("stop haproxy on {name}"));
        let since = clock::now();
        if let Some(haproxy) = self.haproxies.get(master.0) {
            self.lab.signal_all(*haproxy, Signal::SIGKILL)?;
        }
        self.expect_master("the address moves", Some(master), since)?;
        self.tell(&format!("start haproxy on {name} again"));
        let haproxy = self.start_haproxy(master)?;
        if let Some(slot) = self.haproxies.get_mut(master.0) {
            *slot = haproxy;
        }
        let healed = self.lab.watch(Micros::from_secs(6), |lab| {
            lab.moments.iter().rev().take(400).any(|moment| {
                moment.at > since
                    && matches!(&moment.what, Happening::Line(node, _, text) if *node == master && text.contains("from 100 to 111"))
            })
        })?;
        self.retell();
        self.expect(healed, &format!("the check on {name} succeeds again"));
        Ok(())
    }

    fn master_dies(&mut self) -> io::Result<()> {
        let Some(master) = self.master() else { return Ok(()) };
        let name = self.lab.name(master).to_owned();
        self.tell(&format!(
            "kill -9 every process of vrrpd on {name}: nobody is left to clean up"
        ));
        let since = clock::now();
        if let Some(daemon) = self.daemons.get(master.0).copied() {
            // Stopped first, so that none of them lives to see another one die.
            self.lab.signal_all(daemon, Signal::SIGSTOP)?;
            self.lab.signal_all(daemon, Signal::SIGKILL)?;
        }
        let moved = self
            .lab
            .watch(PATIENCE, |lab| lab.holders(VIP).iter().any(|holder| *holder != master))?;
        self.retell();
        let took = clock::now().since(since);
        self.expect(moved, &format!("another node takes over after {} s", seconds(took)));
        self.tell(&format!(
            "start vrrpd on {name} again: it removes what its predecessor left"
        ));
        self.restarted = clock::now();
        let daemon = self.start_daemon(master)?;
        if let Some(slot) = self.daemons.get_mut(master.0) {
            *slot = daemon;
        }
        self.expect_master("one node holds the address", None, clock::now())
    }

    fn cable_is_cut(&mut self) -> io::Result<()> {
        let restarted = self.restarted;
        let settled =
            self.lab.watch(Micros::from_secs(8), |lab| {
                lab.moments.iter().rev().take_while(|moment| moment.at >= restarted).any(|moment| {
                matches!(&moment.what, Happening::Line(_, _, text) if text.contains("from 100 to 111"))
            })
            })?;
        self.expect(settled, "the restarted node's check succeeds");
        let Some(master) = self.master() else { return Ok(()) };
        let name = self.lab.name(master).to_owned();
        self.tell(&format!(
            "cut the cable of {name} both ways; its link stays up, so it cannot know"
        ));
        let since = clock::now();
        self.lab.cut(master, Cut::Both)?;
        let moved = self
            .lab
            .watch(PATIENCE, |lab| lab.holders(VIP).iter().any(|holder| *holder != master))?;
        self.retell();
        let took = clock::now().since(since);
        self.expect(moved, &format!("another node takes over after {} s", seconds(took)));
        self.tell("mend the cable: two masters hear each other");
        self.lab.heal(master)?;
        self.expect_master("one node holds the address", None, clock::now())
    }

    fn end(&mut self) -> io::Result<()> {
        self.tell("stop all");
        for daemon in self.daemons.clone() {
            self.lab.signal(daemon, Signal::SIGTERM)?;
        }
        let daemons = self.daemons.clone();
        let ended = self
            .lab
            .watch(PATIENCE, |lab| daemons.iter().all(|daemon| !lab.runs(*daemon)))?;
        self.retell();
        let clean = self.lab.holders(VIP).is_empty();
        self.expect(ended && clean, "all have ended and the address is nowhere");
        Ok(())
    }
}

/// Where a program is installed.
fn installed(name: &str) -> Option<String> {
    let places = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    places
        .map(|place| format!("{place}/{name}"))
        .into_iter()
        .find(|path| Path::new(path).exists())
}

/// A listener on port 9443 that answers nobody.
fn listen() -> u8 {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9443)) else {
        return 1;
    };
    for connection in listener.incoming() {
        drop(connection);
    }
    0
}
