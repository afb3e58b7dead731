//! One node: a set of namespaces (net, mount, host name, processes) that a process 1 of ours keeps, and its own `/run` and `/tmp`.

use super::rtnl::{Monitor, OnLink, Rtnl};
use super::sandbox::{ROOT, context, mount_bind, mount_fs, mount_private};
use crate::sys;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2, sethostname};
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A node's place in its [`super::Lab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// What a node is to be.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Its name, also its host name: letters, digits and `-`.
    pub name: String,
    /// The addresses of its `eth0`, with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Whether it has its `eth0` from the start; [`super::Lab::plug`] gives it one later.
    pub plugged: bool,
}

/// A cable between an interface of a node and a bridge.
#[derive(Debug)]
pub(super) struct Link {
    /// The interface's name in the node.
    pub(super) name: String,
    /// The bridge's number in the bridges' namespace.
    pub(super) bridge: u32,
    /// The bridge's port, in the same namespace.
    pub(super) port: u32,
    /// Whether the node hears nothing.
    pub(super) deaf: bool,
    /// Whether the node is not heard.
    pub(super) mute: bool,
    /// Whether the plug is pulled.
    pub(super) unplugged: bool,
}

/// A node.
#[derive(Debug)]
pub struct Node {
    /// What it was made from.
    pub(super) spec: NodeSpec,
    pub(super) namespaces: Namespaces,
    pub(super) init: Pid,
    pub(super) rtnl: Rtnl,
    pub(super) monitor: Monitor,
    /// Its cables.
    pub(super) links: Vec<Link>,
    /// How many files of the lab's own were shown in it.
    pub(super) shown: u32,
    /// Addresses that the kernel holds now.
    pub(super) present: BTreeSet<OnLink>,
}

impl Node {
    /// Where the daemon's control socket is seen from the lab.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.run().join("vrrpd/control.sock")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Where its `/tmp` is seen from the lab.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        directory(&self.spec.name).join("tmp")
    }

    /// Where its `/run` is seen from the lab.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        directory(&self.spec.name).join("run")
    }

    /// The names of its interfaces on bridges.
    pub fn links(&self) -> impl Iterator<Item = &str> + '_ {
        self.links.iter().map(|link| link.name.as_str())
    }

    /// Its interfaces, each with what its cable is like, in a word or two.
    pub(super) fn cables(&self) -> Vec<(&str, &'static str)> {
        let words = |link: &Link| match (link.unplugged, link.deaf, link.mute) {
            (true, ..) => "unplugged",
            (_, true, true) => "cut",
            (_, true, false) => "cut in",
            (_, false, true) => "cut out",
            (false, false, false) => "up",
        };
        self.links
            .iter()
            .map(|link| (link.name.as_str(), words(link)))
            .collect()
    }

    /// The bridge of a port, when it is one of this node's.
    pub(super) fn bridge_behind(&self, port: u32) -> Option<u32> {
        self.links.iter().find(|link| link.port == port).map(|link| link.bridge)
    }

    /// Whether the kernel has this address on any link of the node.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.present.iter().any(|on| on.address == address)
    }

    /// How many packets the kernel has sent by this link of the node.
    ///
    /// # Errors
    /// When `/proc` cannot be read, or has no such link.
    pub fn packets_sent(&self, link: &str) -> io::Result<u64> {
        self.counter(link, 9)
    }

    /// How many packets the kernel has received by this link of the node.
    ///
    /// # Errors
    /// When `/proc` cannot be read, or has no such link.
    pub fn packets_received(&self, link: &str) -> io::Result<u64> {
        self.counter(link, 1)
    }

    fn counter(&self, link: &str, column: usize) -> io::Result<u64> {
        let path = format!("/proc/{}/net/dev", self.init);
        let text = fs::read_to_string(&path).map_err(|error| context(&format!("read {path}"), error))?;
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(link)?.strip_prefix(':'));
        line.and_then(|line| line.split_ascii_whitespace().nth(column)?.parse().ok())
            .ok_or_else(|| io::Error::other(format!("{path} has no counter of {link}")))
    }

    /// Every address that the node has, with its prefix length.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u8)> + '_ {
        self.present.iter().map(|on| (on.address, on.prefix_len))
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// The way in for later processes.
#[derive(Debug)]
pub(super) struct Namespaces {
    pub(super) net: OwnedFd,
    pub(super) mount: OwnedFd,
    pub(super) name: OwnedFd,
    pub(super) process: OwnedFd,
}

impl Namespaces {
    /// Those of the process with this number, or of this one.
    pub(super) fn of(process: &str) -> io::Result<Self> {
        let open = |kind: &str| {
            let path = format!("/proc/{process}/ns/{kind}");
            File::open(&path)
                .map(OwnedFd::from)
                .map_err(|error| context(&format!("open {path}"), error))
        };
        Ok(Self {
            net: open("net")?,
            mount: open("mnt")?,
            name: open("uts")?,
            process: open("pid")?,
        })
    }

    /// Moves this process into the network namespace.
    pub(super) fn enter_net(&self) -> io::Result<()> {
        setns(self.net.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|error| context("enter a network namespace", error))
    }

    /// Moves this process into all but the process namespace, in which only a new process can be born.
    pub(super) fn enter(&self) -> io::Result<()> {
        self.enter_net()?;
        setns(self.name.as_fd(), CloneFlags::CLONE_NEWUTS)?;
        setns(self.mount.as_fd(), CloneFlags::CLONE_NEWNS)?;
        Ok(())
    }

    /// From now on children are born into the process namespace.
    pub(super) fn give_birth_here(&self) -> io::Result<()> {
        setns(self.process.as_fd(), CloneFlags::CLONE_NEWPID)
            .map_err(|error| context("choose a process namespace", error))
    }
}

/// What a node sees of the machine's files. `/run` and `/tmp` are its own.
#[derive(Debug, Clone, Default)]
pub struct HostFiles {
    /// Programs that do not lie in a system directory: shown in `/run/.programs`.
    pub programs: Vec<PathBuf>,
    /// Directories below `/tmp` that are shown nevertheless.
    pub below_tmp: Vec<PathBuf>,
    /// Whether nobody in the node may change any of them. Otherwise rights alone decide.
    pub read_only: bool,
}

/// Where a program that does not lie in a system directory is shown inside every node.
pub(super) const PROGRAMS: &str = "/run/.programs";

/// Makes the namespaces of a node and its process 1.
pub(super) fn create(spec: NodeSpec, lab: &Namespaces, files: &HostFiles) -> io::Result<Node> {
    let (run, tmp) = (directory(&spec.name).join("run"), directory(&spec.name).join("tmp"));
    fs::create_dir_all(run.join(".programs"))?;
    fs::create_dir_all(&tmp)?;
    fs::set_permissions(&tmp, Permissions::from_mode(0o1777))?;
    fs::set_permissions(&run, Permissions::from_mode(0o755))?;
    let (ready, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let name = spec.name.clone();
    sys::fork(|| {
        let made = unshare(
            CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWPID,
        )
        .map_err(|error| context("make a node's namespaces", error))
        .and_then(|()| sys::fork(|| be_process_one(&name, &run, &tmp, files, &tell)));
        answer(&tell, &made.map(|pid| format!("{pid}\n")));
        0
    })?;
    drop(tell);
    let mut text = String::new();
    File::from(ready).read_to_string(&mut text)?;
    let init = understand(&text).ok_or_else(|| io::Error::other(format!("cannot make node {}: {text}", spec.name)))?;
    let namespaces = Namespaces::of(&init.to_string())?;
    namespaces.enter_net()?;
    let sockets = without_address_checks().and_then(|()| Ok((Rtnl::open()?, Monitor::open()?)));
    lab.enter_net()?;
    let (mut rtnl, monitor) = sockets?;
    // Loopback is number 1 in every network namespace.
    rtnl.set_up(1, true)?;
    Ok(Node {
        spec,
        namespaces,
        init: Pid::from_raw(init),
        rtnl,
        monitor,
        links: Vec::new(),
        shown: 0,
        present: BTreeSet::new(),
    })
}

/// Duplicate address detection would keep IPv6 addresses unusable for a second after each plugging.
fn without_address_checks() -> io::Result<()> {
    for file in ["all", "default"] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{file}/accept_dad"), "0") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(|error| context("switch duplicate address detection off", error))?,
        }
    }
    Ok(())
}

/// Process numbers of the node's process 1 and the word that it is ready, in whichever order they came.
fn understand(text: &str) -> Option<i32> {
    let mut lines = text.lines().collect::<Vec<_>>();
    lines.sort_unstable();
    match lines.as_slice() {
        [number, "ready"] => number.parse().ok(),
        _ => None,
    }
}

fn answer(tell: &OwnedFd, result: &io::Result<String>) {
    let text = match result {
        Ok(text) => text.clone(),
        Err(error) => format!("{error}\n"),
    };
    // Whoever waits for the answer has died if this fails; then this process is about to be killed, too.
    nix::unistd::write(tell, text.as_bytes()).unwrap_or_default();
}

/// Prepares the node's files, says so, and then only buries the dead.
fn be_process_one(name: &str, run: &Path, tmp: &Path, files: &HostFiles, tell: &OwnedFd) -> u8 {
    let children = SigSet::from(Signal::SIGCHLD);
    let prepared = node_files(name, run, tmp, files).and_then(|()| Ok(children.thread_block()?));
    answer(
        tell,
        &prepared
            .as_ref()
            .map(|()| "ready\n".to_owned())
            .map_err(|e| io::Error::other(e.to_string())),
    );
    if prepared.is_err() {
        return 1;
    }
    // The pipe's end has to be closed here for the reader to see its end; nothing else is open that matters.
    nix::unistd::close(std::os::fd::AsRawFd::as_raw_fd(tell)).unwrap_or_default();
    loop {
        while !matches!(
            waitpid(None, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive) | Err(_)
        ) {}
        if children.wait().is_err() {
            return 1;
        }
    }
}

fn node_files(name: &str, run: &Path, tmp: &Path, files: &HostFiles) -> io::Result<()> {
    mount_private()?;
    sethostname(name)?;
    for directory in &files.below_tmp {
        let at = tmp.join(directory.strip_prefix("/tmp").unwrap_or(directory));
        fs::create_dir_all(&at)?;
        mount_bind(directory, &at)?;
    }
    for program in &files.programs {
        let file = program
            .file_name()
            .ok_or_else(|| io::Error::other("a program without a name"))?;
        let at = run.join(".programs").join(file);
        File::create(&at)?;
        mount_bind(program, &at)?;
    }
    mount_bind(tmp, Path::new("/tmp"))?;
    mount_bind(run, Path::new("/run"))?;
    if files.read_only {
        let protect = || {
            sys::make_read_only(Path::new("/"))?;
            sys::make_writable(Path::new("/tmp"))?;
            sys::make_writable(Path::new("/run"))
        };
        protect().map_err(|error| context("make the machine's files read-only", error))?;
    }
    mount_fs("proc", "/proc")
}
