//! What can go wrong: processes killed, stopped, paused; cables cut, one way or both.

use super::node::{Link, NodeId};
use super::programs::{self, ProgramId};
use super::rtnl::Rtnl;
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

    /// Cuts all cables of a node.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn cut(&mut self, id: NodeId, cut: Cut) -> io::Result<()> {
        self.cut_link(id, None, cut)
    }

    /// Mends all cables of a node.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn heal(&mut self, id: NodeId) -> io::Result<()> {
        self.heal_link(id, None)
    }

    /// Cuts the cable of one interface; cuts add up. `None` = of all.
    ///
    /// # Errors
    /// When the kernel refuses, or there is no such interface.
    pub fn cut_link(&mut self, id: NodeId, interface: Option<&str>, cut: Cut) -> io::Result<()> {
        self.each_link(id, interface, |rtnl, link| {
            link.deaf |= cut != Cut::Outbound;
            link.mute |= cut != Cut::Inbound;
            apply(rtnl, link)
        })
    }

    /// Mends the cable of one interface. `None` = of all.
    ///
    /// # Errors
    /// When the kernel refuses, or there is no such interface.
    pub fn heal_link(&mut self, id: NodeId, interface: Option<&str>) -> io::Result<()> {
        self.each_link(id, interface, |rtnl, link| {
            (link.deaf, link.mute) = (false, false);
            apply(rtnl, link)
        })
    }

    /// Pulls the plugs of a node, or puts them in again: its links go down.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_carrier(&mut self, id: NodeId, up: bool) -> io::Result<()> {
        self.set_link_carrier(id, None, up)
    }

    /// Pulls the plug of one interface, or puts it in again. `None` = of all.
    ///
    /// # Errors
    /// When the kernel refuses, or there is no such interface.
    pub fn set_link_carrier(&mut self, id: NodeId, interface: Option<&str>, up: bool) -> io::Result<()> {
        self.each_link(id, interface, |rtnl, link| {
            link.unplugged = !up;
            rtnl.set_up(link.port, up)
        })
    }

    fn each_link(
        &mut self,
        id: NodeId,
        interface: Option<&str>,
        mut act: impl FnMut(&mut Rtnl, &mut Link) -> io::Result<()>,
    ) -> io::Result<()> {
        let links = self.nodes.get_mut(id.0).map(|node| &mut node.links);
        let chosen = links.into_iter().flatten();
        let mut count = 0;
        for link in chosen.filter(|link| interface.is_none_or(|name| name == link.name)) {
            act(&mut self.rtnl, link)?;
            count += 1;
        }
        match (count, interface) {
            (0, Some(name)) => Err(io::Error::other(format!("there is no interface {name}"))),
            _ => Ok(()),
        }
    }
}

/// Makes a port as its link is to be.
fn apply(rtnl: &mut Rtnl, link: &Link) -> io::Result<()> {
    if link.deaf && link.mute {
        // A port that has left the bridge keeps its carrier.
        return rtnl.enslave(link.port, 0);
    }
    rtnl.enslave(link.port, link.bridge)?;
    // A bridge that does not know where a station is floods: nothing that is learned may lead to a deaf one. A locked port
    // takes frames of known stations only, and knows none.
    let settings = vec![
        InfoBridgePort::UnicastFlood(!link.deaf),
        InfoBridgePort::MulticastFlood(!link.deaf),
        InfoBridgePort::BroadcastFlood(!link.deaf),
        InfoBridgePort::Learning(!link.deaf && !link.mute),
        InfoBridgePort::Locked(link.mute),
        InfoBridgePort::Flush,
    ];
    rtnl.set_port(link.port, settings)?;
    // An older kernel passes over what it does not know.
    if link.mute && !rtnl.is_locked(link.port)? {
        return Err(io::Error::other(
            "this kernel cannot silence a node that goes on hearing (it needs Linux 5.16 or later)",
        ));
    }
    Ok(())
}
