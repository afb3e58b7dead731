//! What can go wrong: processes killed, stopped, paused; cables cut, one way or both.

use super::node::NodeId;
use super::programs::{self, ProgramId};
use super::topology::Lab;
use netlink_packet_route::link::InfoBridgePort;
use nix::sys::signal::Signal;
use std::io;

/// Which way a cable is cut. The node's own link stays up: it cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The node hears nothing and is not heard.
    Both,
    /// The node is heard, but hears nothing.
    Inbound,
    /// The node hears, but is not heard.
    Outbound,
}

impl Lab {
    /// Sends a signal to the process that was started, and to nothing else.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, program: ProgramId, signal: Signal) -> io::Result<()> {
        let Some(program) = self.programs.get(program.0).filter(|program| program.ended.is_none()) else {
            return Ok(());
        };
        programs::signal(program.leader.as_raw(), signal)
    }

    /// Sends a signal to every process of a program: the one that was started and its descendants.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal_all(&self, program: ProgramId, signal: Signal) -> io::Result<()> {
        for process in self.family(program)? {
            programs::signal(process.pid, signal)?;
        }
        Ok(())
    }

    /// The living processes of a program, the oldest first.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn family(&self, program: ProgramId) -> io::Result<Vec<programs::Process>> {
        let Some(program) = self.programs.get(program.0) else {
            return Ok(Vec::new());
        };
        let Some(node) = self.nodes.get(program.node.0) else {
            return Ok(Vec::new());
        };
        let mut family = programs::family(&programs::of_node(node.init)?, program.leader);
        family.sort_by_key(|process| process.pid);
        Ok(family)
    }

    /// Every process of a node.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn processes(&self, id: NodeId) -> io::Result<Vec<programs::Process>> {
        self.nodes
            .get(id.0)
            .map_or_else(|| Ok(Vec::new()), |node| programs::of_node(node.init))
    }

    /// Cuts a node's cable.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn cut(&mut self, id: NodeId, cut: Cut) -> io::Result<()> {
        match cut {
            // A port that has left the bridge keeps its carrier.
            Cut::Both => self.set_bridge(id, 0),
            Cut::Inbound => self.set_port(id, flood(false)),
            // A locked port takes frames of known stations only, and it learns none.
            Cut::Outbound => {
                let settings = vec![
                    InfoBridgePort::Learning(false),
                    InfoBridgePort::Locked(true),
                    InfoBridgePort::Flush,
                ];
                self.set_port(id, settings)
            }
        }
    }

    /// Mends a node's cable.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn heal(&mut self, id: NodeId) -> io::Result<()> {
        self.set_bridge(id, self.bridge)?;
        let mut settings = flood(true);
        settings.extend([InfoBridgePort::Locked(false), InfoBridgePort::Learning(true)]);
        self.set_port(id, settings)
    }

    fn set_bridge(&mut self, id: NodeId, bridge: u32) -> io::Result<()> {
        match self.nodes.get(id.0).and_then(|node| node.port) {
            Some(port) => self.rtnl.enslave(port, bridge),
            None => Ok(()),
        }
    }

    /// Pulls the plug of a node, or puts it in again: its link goes down.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_carrier(&mut self, id: NodeId, up: bool) -> io::Result<()> {
        match self.nodes.get(id.0).and_then(|node| node.port) {
            Some(port) => self.rtnl.set_up(port, up),
            None => Ok(()),
        }
    }

    fn set_port(&mut self, id: NodeId, settings: Vec<InfoBridgePort>) -> io::Result<()> {
        match self.nodes.get(id.0).and_then(|node| node.port) {
            Some(port) => self.rtnl.set_port(port, settings),
            None => Ok(()),
        }
    }
}

fn flood(on: bool) -> Vec<InfoBridgePort> {
    vec![
        InfoBridgePort::UnicastFlood(on),
        InfoBridgePort::MulticastFlood(on),
        InfoBridgePort::BroadcastFlood(on),
    ]
}
