//! `linkbeat_interfaces`: asks an interface for its link. When to ask and what follows is decided by the core.

use crate::model::{IfName, LinkBeatMethod};
use crate::sys;
use std::io;
use std::net::UdpSocket;

/// Asks interfaces.
#[derive(Debug, Default)]
pub struct LinkBeat {
    /// Any socket will do for these calls; made when the first question comes.
    socket: Option<UdpSocket>,
}

impl LinkBeat {
    /// Whether the interface is up and has a link, and by which way this was found out: `method` if it works, else the first
    /// of MII, ETHTOOL and the flags that does.
    ///
    /// # Errors
    /// When there is no such interface, or no socket.
    pub fn ask(&mut self, name: &IfName, method: Option<LinkBeatMethod>) -> io::Result<(bool, LinkBeatMethod)> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(UdpSocket::bind("0.0.0.0:0")?),
        };
        let name = name.as_str();
        let (up, running) = sys::link_flags(socket, name)?;
        let all = [LinkBeatMethod::Mii, LinkBeatMethod::Ethtool];
        for method in method.into_iter().chain(all) {
            let link = match method {
                LinkBeatMethod::Mii => sys::mii_link(socket, name),
                LinkBeatMethod::Ethtool => sys::ethtool_link(socket, name),
                LinkBeatMethod::Ioctl => Ok(running),
            };
            if let Ok(link) = link {
                return Ok((up && link, method));
            }
        }
        Ok((up && running, LinkBeatMethod::Ioctl))
    }
}
