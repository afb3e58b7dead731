//! The two daemons that are compared. Both get the same configuration and the same options.

use std::fs;
use std::io;
use std::path::PathBuf;
use vrrpd::lab::{Lab, NodeId, NodeSpec, ProgramId};

pub(crate) const KEEPALIVED: &str = "/usr/sbin/keepalived";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Keepalived,
    Vrrpd,
}

impl Speaker {
    pub(crate) const BOTH: [Self; 2] = [Self::Keepalived, Self::Vrrpd];

    /// Its place in an array of two.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Keepalived => 0,
            Self::Vrrpd => 1,
        }
    }

    /// Starts it in a node, with the options of Debian's unit file and the log on stdout.
    pub(crate) fn start(self, lab: &mut Lab, node: NodeId, configuration: &str) -> io::Result<ProgramId> {
        let place = lab.node(node).ok_or_else(|| io::Error::other("no such node"))?;
        fs::write(place.tmp().join("vrrp.conf"), configuration)?;
        let program = match self {
            Self::Keepalived => KEEPALIVED,
            Self::Vrrpd => "/run/.programs/vrrpd",
        };
        let words = [program, "-n", "-l", "-G", "-f", "/tmp/vrrp.conf"].map(str::to_owned);
        lab.start(node, "vrrp", &words)
    }
}

/// A lab with nodes of these names; plugged ones have the addresses 192.0.2.1, .2 and so on.
pub(crate) fn lab(names: &[&str], plugged: bool) -> io::Result<Lab> {
    let spec = |(index, name): (usize, &&str)| NodeSpec {
        name: (*name).to_owned(),
        addresses: vec![(format!("192.0.2.{}", index + 1).parse().unwrap(), 24)],
        plugged,
    };
    let specs = names.iter().enumerate().map(spec).collect();
    Lab::new(specs, &[PathBuf::from(env!("CARGO_BIN_EXE_vrrpd"))])
}
