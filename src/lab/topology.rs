//! The bridge, the nodes on it, the programs in them, and everything that is seen to happen.

use super::node::{self, HostFiles, Link, Namespaces, Node, NodeId, NodeSpec};
use super::observer::{Frame, Observer};
use super::programs::{self, Program, ProgramId, Work};
use super::rtnl::{Change, OnLink, Rtnl};
use super::sandbox::{context, mount_bind};
use crate::model::{Instant, Micros};
use crate::system::clock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Frames that are read before the nodes' kernels are looked at again.
const FRAMES: usize = 32;

/// Something that was seen, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The kernel of a node has an address now.
    Appeared(NodeId, IpAddr),
    /// The kernel of a node has lost an address.
    Vanished(NodeId, IpAddr),
    /// A node sent an advert or an announcement.
    Sent(NodeId, Frame),
    /// A program wrote a line.
    Line(NodeId, String, String),
    /// A program ended with this status; `None` = by a signal.
    Ended(NodeId, String, Option<i32>),
}

/// A bridge's place in its [`Lab`]; the first one is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeId(pub usize);

/// Bridges with nodes.
#[derive(Debug)]
pub struct Lab {
    pub(super) namespaces: Namespaces,
    pub(super) rtnl: Rtnl,
    observer: Observer,
    bridges: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    pub(super) programs: Vec<Program>,
    /// Everything seen so far.
    pub moments: Vec<Moment>,
    started: Instant,
}

impl Lab {
    /// Makes the bridge and the nodes. To be called inside of [`super::enter`]. `programs` are files that are shown in every
    /// node although they do not lie in a system directory.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new(specs: Vec<NodeSpec>, programs: &[PathBuf]) -> io::Result<Self> {
        Self::with_files(
            specs,
            &HostFiles {
                programs: programs.to_vec(),
                ..HostFiles::default()
            },
        )
    }

    /// Makes the bridge and the nodes, with this view of the machine's files.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn with_files(specs: Vec<NodeSpec>, files: &HostFiles) -> io::Result<Self> {
        let namespaces = Namespaces::of("self")?;
        let mut rtnl = Rtnl::open()?;
        rtnl.set_up(1, true)?;
        let mut lab = Self {
            namespaces,
            rtnl,
            observer: Observer::open()?,
            bridges: Vec::new(),
            nodes: Vec::new(),
            programs: Vec::new(),
            moments: Vec::new(),
            started: clock::now(),
        };
        lab.add_bridge()?;
        for spec in specs {
            let node = node::create(spec, &lab.namespaces, files)?;
            let id = NodeId(lab.nodes.len());
            let plugged = node.spec.plugged;
            lab.nodes.push(node);
            if plugged {
                lab.plug(id)?;
            }
        }
        Ok(lab)
    }

    /// Makes another bridge.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn add_bridge(&mut self) -> io::Result<BridgeId> {
        let id = BridgeId(self.bridges.len());
        let name = format!("lab{}", id.0);
        self.rtnl.add_bridge(&name)?;
        let bridge = self
            .rtnl
            .index_of(&name)?
            .ok_or_else(|| io::Error::other("the bridge is not there"))?;
        self.rtnl.set_up(bridge, true)?;
        self.bridges.push(bridge);
        Ok(id)
    }

    /// Gives a node its `eth0`, on the first bridge, with its addresses.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn plug(&mut self, id: NodeId) -> io::Result<()> {
        let addresses = self.nodes.get(id.0).map(|node| node.spec.addresses.clone());
        self.plug_into(id, BridgeId(0), "eth0", &addresses.unwrap_or_default())
    }

    /// Gives a node an interface on a bridge, with addresses.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn plug_into(
        &mut self,
        id: NodeId,
        bridge: BridgeId,
        interface: &str,
        addresses: &[(IpAddr, u8)],
    ) -> io::Result<()> {
        let number = u8::try_from(id.0 + 1).map_err(|_| io::Error::other("too many nodes"))?;
        let rtnl = &mut self.rtnl;
        let node = self.nodes.get_mut(id.0);
        let (Some(node), Some(bridge)) = (node, self.bridges.get(bridge.0)) else {
            return Err(io::Error::other("no such node or bridge"));
        };
        let cable = u8::try_from(node.links.len()).map_err(|_| io::Error::other("too many interfaces"))?;
        let port_name = format!("port{number}-{cable}");
        let mac = [2, 0, 0x5e, 0x10, cable, number];
        rtnl.add_veth(&port_name, interface, mac, node.namespaces.net.as_raw_fd())?;
        let port = rtnl
            .index_of(&port_name)?
            .ok_or_else(|| io::Error::other("the port is not there"))?;
        rtnl.enslave(port, *bridge)?;
        rtnl.set_up(port, true)?;
        let index = node
            .rtnl
            .index_of(interface)?
            .ok_or_else(|| io::Error::other(format!("{interface} is not there")))?;
        node.rtnl.set_up(index, true)?;
        for (address, prefix_len) in addresses.iter().copied() {
            node.rtnl.add_address(OnLink {
                index,
                address,
                prefix_len,
            })?;
        }
        node.links.push(Link {
            name: interface.to_owned(),
            bridge: *bridge,
            port,
            deaf: false,
            mute: false,
            unplugged: false,
        });
        Ok(())
    }

    /// Lays a cable between two nodes that is no part of the bridge, so nobody else hears what goes over it: `name` is the link
    /// at either end, each with its address.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn connect(&mut self, ends: [(NodeId, &str, IpAddr); 2], prefix_len: u8) -> io::Result<()> {
        let [(here, here_name, _), (there, there_name, _)] = ends;
        let missing = || io::Error::other("no such node");
        let far = self.nodes.get(there.0).ok_or_else(missing)?.namespaces.net.as_raw_fd();
        let mac = [2, 0, 0x5e, 0x20, number(there), last_byte(there_name)];
        let near = &mut self.nodes.get_mut(here.0).ok_or_else(missing)?.rtnl;
        near.add_veth(here_name, there_name, mac, far)?;
        for (id, name, address) in ends {
            let rtnl = &mut self.nodes.get_mut(id.0).ok_or_else(missing)?.rtnl;
            let index = rtnl
                .index_of(name)?
                .ok_or_else(|| io::Error::other(format!("{name} is not there")))?;
            rtnl.set_up(index, true)?;
            rtnl.add_address(OnLink {
                index,
                address,
                prefix_len,
            })?;
        }
        Ok(())
    }

    /// Sends a frame into a node, as if the bridge had passed it on.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn inject(&self, id: NodeId, frame: &[u8]) -> io::Result<()> {
        let port = self
            .nodes
            .get(id.0)
            .and_then(|node| node.links.first())
            .map(|link| link.port);
        self.observer.send(
            port.ok_or_else(|| io::Error::other("the node is not plugged in"))?,
            frame,
        )
    }

    /// The nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0)
    }

    /// A node's name.
    #[must_use]
    pub fn name(&self, id: NodeId) -> &str {
        self.nodes.get(id.0).map_or("?", Node::name)
    }

    /// How long ago the lab was made.
    #[must_use]
    pub fn elapsed(&self, at: Instant) -> Micros {
        at.since(self.started)
    }

    /// Nodes whose kernel has this address.
    #[must_use]
    pub fn holders(&self, address: IpAddr) -> Vec<NodeId> {
        self.nodes()
            .filter(|id| self.node(*id).is_some_and(|node| node.has(address)))
            .collect()
    }

    /// Starts a program in a node.
    ///
    /// # Errors
    /// When no process can be made. A program that cannot be executed says so in its output and ends with 127.
    pub fn start(&mut self, id: NodeId, name: &str, words: &[String]) -> io::Result<ProgramId> {
        self.start_work(id, name, &Work::Program(words))
    }

    /// Starts a function of ours in a node, in a process of its own.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start_function(&mut self, id: NodeId, name: &str, function: &dyn Fn() -> u8) -> io::Result<ProgramId> {
        self.start_work(id, name, &Work::Function(function))
    }

    fn start_work(&mut self, id: NodeId, name: &str, work: &Work<'_>) -> io::Result<ProgramId> {
        let node = self.nodes.get(id.0).ok_or_else(|| io::Error::other("no such node"))?;
        let (leader, output) = programs::start(&node.namespaces, &self.namespaces, work)?;
        let name = name.to_owned();
        let program = Program {
            node: id,
            name,
            leader,
            output: Some(output),
            partial: Vec::new(),
            ended: None,
        };
        self.programs.push(program);
        Ok(ProgramId(self.programs.len() - 1))
    }

    /// Shows a file of the lab's own in a node at `path`, in the place of the one that is there.
    ///
    /// # Errors
    /// When it cannot be written or shown. Below `/run` and `/tmp` it is made; elsewhere it has to exist.
    pub fn show_file(&mut self, id: NodeId, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let node = self
            .nodes
            .get_mut(id.0)
            .ok_or_else(|| io::Error::other("no such node"))?;
        node.shown += 1;
        let name = format!(".lab/shown.{}", node.shown);
        let file = node.run().join(&name);
        fs::create_dir_all(node.run().join(".lab"))?;
        fs::write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        let from = Path::new("/run").join(&name);
        programs::inside(&node.namespaces, || {
            if !path.exists() {
                fs::create_dir_all(path.parent().unwrap_or(path))?;
                File::create_new(path)?;
            }
            mount_bind(&from, path)
        })
    }

    /// Whether a program still runs.
    #[must_use]
    pub fn runs(&self, id: ProgramId) -> bool {
        self.programs.get(id.0).is_some_and(|program| program.ended.is_none())
    }

    /// Watches until `enough` says so, at most `limit`; whether it did.
    ///
    /// # Errors
    /// When something that is watched fails.
    pub fn watch(&mut self, limit: Micros, mut enough: impl FnMut(&Self) -> bool) -> io::Result<bool> {
        let end = clock::now() + limit;
        loop {
            self.look()?;
            if enough(self) {
                return Ok(true);
            }
            let left = end.since(clock::now());
            if left == Micros::ZERO {
                return Ok(false);
            }
            self.pause(left, &[])?;
        }
    }

    /// Waits until something can be seen or one of `others` can be read, at most `limit`, and takes in what has happened.
    ///
    /// # Errors
    /// When something that is watched fails.
    pub fn wait(&mut self, limit: Micros, others: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.pause(limit, others)?;
        self.look()
    }

    /// Waits until something can be seen, at most this long.
    fn pause(&self, limit: Micros, others: &[BorrowedFd<'_>]) -> io::Result<()> {
        use std::os::fd::AsFd;
        let mut fds = vec![PollFd::new(self.observer.as_fd(), PollFlags::POLLIN)];
        fds.extend(others.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        fds.extend(
            self.nodes
                .iter()
                .map(|node| PollFd::new(node.monitor.as_fd(), PollFlags::POLLIN)),
        );
        let outputs = self.programs.iter().filter_map(|program| program.output.as_ref());
        fds.extend(outputs.map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)));
        // The end of a process without output is not seen here, so nobody waits longer than this.
        let millis = i32::try_from(limit.as_millis().clamp(1, 50)).unwrap_or(50);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(context("wait for something to happen", error)),
        }
    }

    /// Takes in everything that has happened.
    fn look(&mut self) -> io::Result<()> {
        // Frames carry their time, changes of addresses do not: a flood of frames must not make those late.
        while self.look_at_frames()? == FRAMES {
            self.look_at_kernels()?;
        }
        self.look_at_kernels()?;
        let now = clock::now();
        for program in &mut self.programs {
            read_lines(program, now, &mut self.moments);
        }
        self.bury(now)
    }

    /// At most [`FRAMES`] frames; how many there were.
    fn look_at_frames(&mut self) -> io::Result<usize> {
        for count in 0..FRAMES {
            let Some(caught) = self.observer.next()? else {
                return Ok(count);
            };
            let nodes = self.nodes.iter().enumerate();
            let sender = nodes
                .filter_map(|(at, node)| Some((at, node.bridge_behind(caught.port)?)))
                .next();
            if let Some((from, bridge)) = sender {
                let bridge = self.bridges.iter().position(|index| *index == bridge).unwrap_or(0);
                let frame = Frame {
                    bridge: BridgeId(bridge),
                    ..caught.frame
                };
                self.moments.push(Moment {
                    at: caught.at,
                    what: Happening::Sent(NodeId(from), frame),
                });
            }
        }
        Ok(FRAMES)
    }

    fn look_at_kernels(&mut self) -> io::Result<()> {
        let now = clock::now();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            for change in node.monitor.read()? {
                match change {
                    Change::Added(on) => {
                        if node.present.insert(on) {
                            self.moments.push(Moment {
                                at: now,
                                what: Happening::Appeared(NodeId(index), on.address),
                            });
                        }
                    }
                    Change::Removed(on) => {
                        if node.present.remove(&on) {
                            self.moments.push(Moment {
                                at: now,
                                what: Happening::Vanished(NodeId(index), on.address),
                            });
                        }
                    }
                    Change::Link(..) => {}
                }
            }
        }
        Ok(())
    }

    fn bury(&mut self, now: Instant) -> io::Result<()> {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, Some(status)),
                Ok(WaitStatus::Signaled(pid, ..)) => (pid, None),
                Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(()),
                Ok(_) | Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(context("look after the dead", error)),
            };
            if let Some(program) = self.programs.iter_mut().find(|p| p.leader == pid && p.ended.is_none()) {
                program.ended = Some(status.unwrap_or(-1));
                let what = Happening::Ended(program.node, program.name.clone(), status);
                self.moments.push(Moment { at: now, what });
            }
        }
    }
}

/// One byte of a hardware address: the node's.
fn number(id: NodeId) -> u8 {
    u8::try_from(id.0 + 1).unwrap_or(u8::MAX)
}

/// One byte of a hardware address: the link's.
fn last_byte(name: &str) -> u8 {
    name.bytes().last().unwrap_or(0)
}

/// Whole lines of a program's output.
fn read_lines(program: &mut Program, now: Instant, moments: &mut Vec<Moment>) {
    let Some(output) = &program.output else { return };
    let mut buffer = [0; 4096];
    loop {
        match nix::unistd::read(output, &mut buffer) {
            Ok(0) => break,
            Ok(count) => program
                .partial
                .extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => {
                take_lines(program, now, moments);
                return;
            }
        }
    }
    take_lines(program, now, moments);
    program.output = None;
}

fn take_lines(program: &mut Program, now: Instant, moments: &mut Vec<Moment>) {
    while let Some(end) = program.partial.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = program.partial.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        moments.push(Moment {
            at: now,
            what: Happening::Line(program.node, program.name.clone(), text),
        });
    }
}
