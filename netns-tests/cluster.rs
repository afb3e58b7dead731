//! Nodes that run keepalived or vrrpd on the same configuration.

use nix::sys::signal::Signal;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use vrrpd::lab::{Lab, NodeId, NodeSpec, ProgramId};
use vrrpd::model::Micros;

pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";

/// What speaks VRRP on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Keepalived,
    Vrrpd,
}

impl Speaker {
    pub(crate) fn of(letter: char) -> Self {
        if letter == 'k' { Self::Keepalived } else { Self::Vrrpd }
    }
}

/// How the nodes speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    V2Pass,
    V3Ipv4,
    V3Ipv6,
    Unicast,
}

impl Kind {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("v2-pass", Self::V2Pass),
        ("v3-ipv4", Self::V3Ipv4),
        ("v3-ipv6", Self::V3Ipv6),
        ("unicast", Self::Unicast),
    ];

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.iter().find(|(known, _)| *known == name).unwrap().1
    }

    pub(crate) fn vip(self) -> IpAddr {
        match self {
            Self::V3Ipv6 => "2001:db8:1::100".parse().unwrap(),
            _ => "192.0.2.100".parse().unwrap(),
        }
    }

    /// When nothing changes for this long, nothing more will: longer than a Master_Down_Interval.
    pub(crate) fn calm(self) -> Micros {
        match self {
            Self::V2Pass => Micros::from_millis(4_700),
            _ => Micros::from_millis(2_500),
        }
    }
}

/// What differs between the nodes of a scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) priority: u8,
    pub(crate) nopreempt: bool,
    pub(crate) tracker: bool,
}

fn address(node: usize) -> String {
    format!("192.0.2.{}", node + 1)
}

/// The configuration of a node; keepalived and vrrpd read the same.
pub(crate) fn configuration(kind: Kind, node: usize, settings: Settings) -> String {
    let interval = if kind == Kind::V2Pass { "1" } else { "0.5" };
    let version = if kind == Kind::V2Pass { 2 } else { 3 };
    let authentication = "authentication {\n auth_type PASS\n auth_pass 1111\n }";
    let extra = match kind {
        Kind::V2Pass => authentication.to_owned(),
        Kind::V3Ipv4 | Kind::V3Ipv6 => String::new(),
        Kind::Unicast => {
            let peer = address(1 - node);
            format!("unicast_src_ip {}\n unicast_peer {{\n {peer}\n }}", address(node))
        }
    };
    let vips = match kind {
        Kind::V3Ipv6 => "fe80::100/64\n 2001:db8:1::100/64",
        _ => "192.0.2.100/24",
    };
    let preempt = if settings.nopreempt { "nopreempt" } else { "" };
    let (script, track) = if settings.tracker {
        (
            "vrrp_script chk {\n script \"/usr/bin/test -e /tmp/well\"\n interval 1\n weight -60\n}\n",
            "track_script {\n chk\n }",
        )
    } else {
        ("", "")
    };
    format!(
        "global_defs {{\n router_id node\n enable_script_security\n script_user root\n}}\n{script}vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {}\n version {version}\n advert_int {interval}\n {preempt}\n {extra}\n virtual_ipaddress {{\n {vips}\n }}\n {track}\n}}\n",
        settings.priority
    )
}

/// A lab of nodes and what they run.
pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    pub(crate) kind: Kind,
    speakers: Vec<Speaker>,
    settings: Vec<Settings>,
    programs: Vec<Option<ProgramId>>,
}

impl Cluster {
    pub(crate) fn new(kind: Kind, speakers: &str, settings: &[Settings]) -> io::Result<Self> {
        let speakers: Vec<Speaker> = speakers.chars().map(Speaker::of).collect();
        let spec = |index: usize| NodeSpec {
            name: format!("node{}", index + 1),
            addresses: vec![
                (address(index).parse().unwrap(), 24),
                (format!("2001:db8:1::{}", index + 1).parse().unwrap(), 64),
            ],
            plugged: true,
        };
        let vrrpd = PathBuf::from(env!("CARGO_BIN_EXE_vrrpd"));
        let lab = Lab::new((0..speakers.len()).map(spec).collect(), &[vrrpd])?;
        let programs = vec![None; speakers.len()];
        let cluster = Self {
            lab,
            kind,
            speakers,
            settings: settings.to_vec(),
            programs,
        };
        for index in 0..cluster.speakers.len() {
            cluster.set_well(index, true)?;
        }
        Ok(cluster)
    }

    /// Whether the check of a node succeeds.
    pub(crate) fn set_well(&self, node: usize, well: bool) -> io::Result<()> {
        let file = self.lab.node(NodeId(node)).unwrap().tmp().join("well");
        if well {
            fs::write(file, "")
        } else {
            fs::remove_file(file)
        }
    }

    pub(crate) fn start(&mut self, node: usize) -> io::Result<()> {
        let id = NodeId(node);
        let text = configuration(self.kind, node, self.settings[node]);
        fs::write(self.lab.node(id).unwrap().tmp().join("vrrp.conf"), text)?;
        let program = match self.speakers[node] {
            Speaker::Keepalived => KEEPALIVED,
            Speaker::Vrrpd => "/run/.programs/vrrpd",
        };
        let words = [program, "-n", "-l", "-D", "-G", "-f", "/tmp/vrrp.conf"].map(str::to_owned);
        self.programs[node] = Some(self.lab.start(id, "vrrp", &words)?);
        Ok(())
    }

    pub(crate) fn signal(&self, node: usize, signal: Signal) -> io::Result<()> {
        self.programs[node].map_or(Ok(()), |program| self.lab.signal(program, signal))
    }

    pub(crate) fn signal_all(&self, node: usize, signal: Signal) -> io::Result<()> {
        self.programs[node].map_or(Ok(()), |program| self.lab.signal_all(program, signal))
    }

    /// Waits until the holders have not changed for the calm time, and names them: `1`, `2`, `12` or `-`.
    pub(crate) fn holders(&mut self) -> io::Result<String> {
        let vip = self.kind.vip();
        for _ in 0..20 {
            let before = self.lab.holders(vip);
            if !self.lab.watch(self.kind.calm(), |lab| lab.holders(vip) != before)? {
                let names: String = before.iter().map(|id| (id.0 + 1).to_string()).collect();
                return Ok(if names.is_empty() { "-".into() } else { names });
            }
        }
        Ok("unstable".into())
    }
}
