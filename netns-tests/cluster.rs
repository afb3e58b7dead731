//! How the nodes of a cluster speak, and the configuration that makes them: keepalived and vrrpd read the same.

use crate::scripts::Scenario;
use std::net::IpAddr;
use vrrpd::model::Micros;

/// How the nodes speak.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// For a reader of the table.
    pub(crate) title: &'static str,
    pub(crate) version: u8,
    pub(crate) ipv6: bool,
    /// `auth_type` and `auth_pass`.
    auth: Option<(&'static str, &'static str)>,
    unicast: bool,
    /// Whether the long list of scripts is played with it, too.
    pub(crate) thorough: bool,
}

/// Multicast, version 2, without authentication.
const BASE: Kind = Kind {
    name: "v2",
    title: "version 2, IPv4, multicast",
    version: 2,
    ipv6: false,
    auth: None,
    unicast: false,
    thorough: false,
};

const PASS: Option<(&str, &str)> = Some(("PASS", "1111"));
const AH: Option<(&str, &str)> = Some(("AH", "s3cr3tAH"));

/// Everything that keepalived 2.2.7 can speak.
pub(crate) const KINDS: [Kind; 11] = [
    Kind {
        name: "v2-pass",
        title: "version 2, IPv4, multicast, password",
        auth: PASS,
        thorough: true,
        ..BASE
    },
    Kind {
        name: "v2-ah",
        title: "version 2, IPv4, multicast, AH",
        auth: AH,
        thorough: true,
        ..BASE
    },
    Kind {
        name: "v3-ipv4",
        title: "version 3, IPv4, multicast",
        version: 3,
        thorough: true,
        ..BASE
    },
    Kind {
        name: "v3-ipv6",
        title: "version 3, IPv6, multicast",
        version: 3,
        ipv6: true,
        thorough: true,
        ..BASE
    },
    Kind {
        name: "unicast",
        title: "version 3, IPv4, unicast",
        version: 3,
        unicast: true,
        thorough: true,
        ..BASE
    },
    BASE,
    Kind {
        name: "v2-ipv6",
        title: "version 2, IPv6 (which no RFC knows), multicast",
        ipv6: true,
        ..BASE
    },
    Kind {
        name: "unicast-v2",
        title: "version 2, IPv4, unicast",
        unicast: true,
        ..BASE
    },
    Kind {
        name: "unicast-v2-pass",
        title: "version 2, IPv4, unicast, password",
        auth: PASS,
        unicast: true,
        ..BASE
    },
    Kind {
        name: "unicast-v2-ah",
        title: "version 2, IPv4, unicast, AH",
        auth: AH,
        unicast: true,
        ..BASE
    },
    Kind {
        name: "unicast-ipv6",
        title: "version 3, IPv6, unicast",
        version: 3,
        ipv6: true,
        unicast: true,
        ..BASE
    },
];

impl Kind {
    /// The address that shows who is master.
    pub(crate) fn vip(&self) -> IpAddr {
        if self.ipv6 {
            "2001:db8:1::100".parse().unwrap()
        } else {
            "192.0.2.100".parse().unwrap()
        }
    }

    /// All addresses, the first one as the protocol wants it.
    pub(crate) fn vips(&self) -> &'static [&'static str] {
        if self.ipv6 {
            &["fe80::100/64", "2001:db8:1::100/64"]
        } else {
            &["192.0.2.100/24"]
        }
    }

    pub(crate) fn interval(&self) -> Micros {
        Micros::from_millis(if self.version == 2 { 1_000 } else { 500 })
    }

    /// Longer than any Master_Down_Interval: three intervals and a Skew_Time of less than one.
    pub(crate) fn longest_silence(&self) -> Micros {
        Micros(self.interval().0 * 4)
    }

    /// Whether FRR's vrrpd can take part: it knows no authentication and no unicast, and version 2 with IPv4 only.
    pub(crate) fn frr_speaks(&self) -> bool {
        self.auth.is_none() && !self.unicast && (self.version == 3 || !self.ipv6)
    }

    /// A node's own address.
    pub(crate) fn address(&self, node: usize) -> String {
        if self.ipv6 { six(node) } else { four(node) }
    }
}

fn four(node: usize) -> String {
    format!("192.0.2.{}", node + 1)
}

fn six(node: usize) -> String {
    format!("2001:db8:1::{}", node + 1)
}

/// The addresses of a node's link.
pub(crate) fn on_link(node: usize) -> [String; 2] {
    [format!("{}/24", four(node)), format!("{}/64", six(node))]
}

/// What differs between nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) priority: u8,
    pub(crate) vrid: u8,
    /// Further lines of `global_defs`.
    pub(crate) global: &'static str,
    /// Further blocks, for which `PRIORITY` is replaced.
    pub(crate) blocks: &'static str,
    /// Further lines of the instance, for which `OWN`, `PEER` and `SOURCE` are replaced by addresses: the node's, the next
    /// node's, and the node's second one.
    pub(crate) lines: &'static str,
    pub(crate) interface: bool,
    /// Weight of the check.
    pub(crate) tracker: Option<i16>,
}

impl Settings {
    /// Those of a node in a script.
    pub(crate) fn new(scenario: &Scenario, node: usize) -> Self {
        Self {
            priority: scenario.priorities[node],
            vrid: 51,
            global: scenario.global,
            blocks: scenario.blocks,
            lines: scenario.lines.get(node).copied().unwrap_or_default(),
            interface: scenario.interface,
            tracker: scenario.tracker,
        }
    }
}

/// A node's second address, which is the higher the lower its first one is, with its prefix.
pub(crate) fn source(kind: &Kind, node: usize) -> String {
    if kind.ipv6 {
        format!("fe80::{:x}/64", 0x31 - node)
    } else {
        format!("192.0.2.{}/24", 31 - node)
    }
}

/// The configuration of a node in a cluster of so many.
pub(crate) fn configuration(kind: &Kind, node: usize, nodes: usize, settings: Settings) -> String {
    let interval = if kind.version == 2 { "1" } else { "0.5" };
    let auth = kind.auth.map_or_else(String::new, |(how, secret)| {
        format!("authentication {{\n auth_type {how}\n auth_pass {secret}\n }}")
    });
    let peers: Vec<String> = (0..nodes)
        .filter(|other| *other != node)
        .map(|other| kind.address(other))
        .collect();
    let unicast = if kind.unicast {
        let (own, peers) = (kind.address(node), peers.join("\n "));
        format!("unicast_src_ip {own}\n unicast_peer {{\n {peers}\n }}")
    } else {
        String::new()
    };
    let (interface, link) = if settings.interface {
        ("interface eth0", "")
    } else {
        ("", " dev eth0")
    };
    let vips = kind.vips().join(&format!("{link}\n ")) + link;
    let (script, track) = match settings.tracker {
        Some(weight) => (
            format!("vrrp_script chk {{\n script \"/usr/bin/test -e /tmp/well\"\n interval 1\n weight {weight}\n}}\n"),
            "track_script {\n chk\n }",
        ),
        None => (String::new(), ""),
    };
    let Settings {
        priority, vrid, global, ..
    } = settings;
    let blocks = settings.blocks.replace("PRIORITY", &priority.to_string());
    let second = source(kind, node);
    let lines = settings
        .lines
        .replace("OWN", &kind.address(node))
        .replace("PEER", &kind.address((node + 1) % nodes))
        .replace("SOURCE", second.split('/').next().unwrap());
    let version = kind.version;
    format!(
        "global_defs {{\n router_id node\n enable_script_security\n script_user root\n {global}\n}}\n{script}{blocks}vrrp_instance VI_1 {{\n state BACKUP\n {interface}\n virtual_router_id {vrid}\n priority {priority}\n version {version}\n advert_int {interval}\n {auth}\n {unicast}\n virtual_ipaddress {{\n {vips}\n }}\n {track}\n {lines}\n}}\n"
    )
}
