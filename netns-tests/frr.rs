//! FRR's vrrpd on a node. It speaks by a macvlan that has the addresses all the time and is held down while it is no master.

use crate::cluster::{Kind, Settings};
use crate::stage::{Stage, lines};
use std::fmt::Write;
use std::io;
use vrrpd::lab::NodeId;

pub(crate) const PROGRAM: &str = "/usr/lib/frr/vrrpd";
/// It tells the daemon about the links.
const ZEBRA: &str = "/usr/lib/frr/zebra";

/// Where a daemon of FRR has its sockets; it belongs to their user.
const DIRECTORY: &str = "/run/frr";

/// Starts the daemon of a node, the first time with its link and with zebra.
pub(crate) fn start(stage: &mut Stage, node: usize, kind: &Kind, settings: Settings) -> io::Result<()> {
    let directory = stage.lab.node(NodeId(node)).unwrap().run().join("frr");
    if !directory.exists() {
        prepare(stage, node, kind, settings.vrid)?;
    }
    stage.write(node, "frr.conf", &configuration(kind, settings))?;
    let words = daemon(PROGRAM, "vrrpd", "/tmp/frr.conf");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    stage.start_words(node, &words)
}

fn prepare(stage: &mut Stage, node: usize, kind: &Kind, vrid: u8) -> io::Result<()> {
    let (number, own) = if kind.ipv6 {
        (2, format!("ip addr add fe80::f:{}/64 dev vrrp nodad\n", node + 1))
    } else {
        (1, String::new())
    };
    let mut script = format!(
        "set -e\nmkdir {DIRECTORY}\nchown frr:frr {DIRECTORY}\nip link add vrrp link eth0 type macvlan mode bridge\n\
         ip link set vrrp addrgenmode none\nip link set vrrp address 00:00:5e:00:0{number}:{vrid:02x}\n{own}"
    );
    for vip in kind.vips() {
        let nodad = if kind.ipv6 { "nodad" } else { "" };
        writeln!(script, "ip addr add {vip} dev vrrp {nodad}").unwrap();
    }
    script += "ip link set vrrp up\necho prepared\n";
    let since = stage.note("make FRR's link");
    stage.write(node, "frr.sh", &script)?;
    stage.write(node, "zebra.conf", "")?;
    stage.run(node, "prepare", &["/bin/sh", "/tmp/frr.sh"])?;
    stage.until("FRR's link is there", 10, |lab| {
        lines(lab, node, "prepare", since).iter().any(|line| line == "prepared")
    })?;
    let words = daemon(ZEBRA, "zebra", "/tmp/zebra.conf");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    stage.run(node, "zebra", &words)?;
    let socket = stage.lab.node(NodeId(node)).unwrap().run().join("frr/zserv");
    stage.until("zebra listens", 10, |_| socket.exists())
}

/// How a daemon of FRR is called; it listens to nobody but `vtysh`.
fn daemon(program: &str, name: &str, configuration: &str) -> Vec<String> {
    let line = format!(
        "{program} -P 0 --vty_socket {DIRECTORY} -z {DIRECTORY}/zserv -i {DIRECTORY}/{name}.pid -f {configuration} --log stdout --log-level info"
    );
    line.split(' ').map(str::to_owned).collect()
}

fn configuration(kind: &Kind, settings: Settings) -> String {
    let Settings { priority, vrid, .. } = settings;
    let (version, interval) = (kind.version, kind.interval().as_millis());
    let mut text = format!(
        "interface eth0\n vrrp {vrid} version {version}\n vrrp {vrid} priority {priority}\n vrrp {vrid} advertisement-interval {interval}\n"
    );
    let keyword = if kind.ipv6 { "ipv6" } else { "ip" };
    for vip in kind.vips() {
        let address = vip.split('/').next().unwrap();
        writeln!(text, " vrrp {vrid} {keyword} {address}").unwrap();
    }
    text
}

/// Another priority while it runs.
pub(crate) fn set_priority(stage: &mut Stage, node: usize, settings: Settings) -> io::Result<()> {
    let Settings { priority, vrid, .. } = settings;
    let command = format!("vrrp {vrid} priority {priority}");
    let words = [
        "/usr/bin/vtysh",
        "--vty_socket",
        DIRECTORY,
        "-c",
        "configure terminal",
        "-c",
        "interface eth0",
        "-c",
        &command,
    ];
    let asked = stage.run(node, "vtysh", &words)?;
    stage.until("FRR takes the priority", 10, |lab| !lab.runs(asked))
}
