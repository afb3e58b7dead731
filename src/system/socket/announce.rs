//! Gratuitous ARPs and unsolicited NAs as whole frames.

use crate::model::{IfName, Instant, Micros};
use crate::proto::Link;
use crate::sys::FrameSender;
use crate::system::clock;
use crate::wire::arp::GratuitousArp;
use crate::wire::ndp::UnsolicitedNa;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

/// The forwarding switch of an interface is read again after this long.
const ROUTER_FLAG_AGE: Micros = Micros::from_secs(5);

/// Sends announcements on all interfaces.
#[derive(Debug)]
pub struct Announcer {
    socket: FrameSender,
    routers: BTreeMap<IfName, (Instant, bool)>,
}

impl Announcer {
    /// A new sender.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            socket: FrameSender::new()?,
            routers: BTreeMap::new(),
        })
    }

    /// Announces one address on one link. A link without ARP or without a hardware address is left out.
    ///
    /// # Errors
    /// The kernel's.
    pub fn announce(&mut self, link: &Link, address: IpAddr) -> io::Result<()> {
        let Some(mac) = link.mac.filter(|_| !link.no_arp) else {
            return Ok(());
        };
        match address {
            IpAddr::V4(address) => self.socket.send(link.index.0, &GratuitousArp { mac, address }.emit()),
            IpAddr::V6(address) => {
                let router = self.is_router(&link.name);
                self.socket
                    .send(link.index.0, &UnsolicitedNa { mac, address, router }.emit())
            }
        }
    }

    fn is_router(&mut self, name: &IfName) -> bool {
        let now = clock::now();
        if let Some((read, router)) = self.routers.get(name)
            && now.since(*read) < ROUTER_FLAG_AGE
        {
            return *router;
        }
        let path = format!("/proc/sys/net/ipv6/conf/{name}/forwarding");
        let router = std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0");
        self.routers.insert(name.clone(), (now, router));
        router
    }
}
