//! The socket that tells what changes on the host.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums are the kernel's, and only a few of their values matter here"
)]

use super::buffer::set_wanted;
use super::command::{CommandSocket, messages};
use crate::model::{Family, IfIndex, MacAddr, NetlinkBuffer};
use crate::proto::{Link, LinkAddress};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

const GROUP_LINK: u32 = 1;
const GROUP_IPV4_ADDRESS: u32 = 5;
const GROUP_IPV6_ADDRESS: u32 = 9;
/// The default keeps 256 of 5,000 events.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A change on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A link appeared or changed.
    Link(Link),
    /// A link was deleted.
    LinkGone(IfIndex),
    /// An address appeared, or became usable.
    AddressAdded(LinkAddress),
    /// An address vanished by the doing of this netlink port; 0 = the kernel.
    AddressGone(LinkAddress, u32),
    /// Something was lost: everything has to be read again.
    Overrun,
}

/// The monitor.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Watches links and addresses from now on. `wanted`: `vrrp_netlink_monitor_rcv_bufs` and its `_force`.
    ///
    /// # Errors
    /// When the kernel refuses the socket or a group.
    pub fn new(wanted: NetlinkBuffer) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        set_wanted(&socket, wanted, RECEIVE_BUFFER)?;
        for group in [GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS] {
            socket.add_membership(group)?;
        }
        Ok(Self { socket })
    }

    /// What has changed since the last call.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn read(&self) -> io::Result<Vec<News>> {
        let mut news = Vec::new();
        loop {
            let mut buffer = Vec::with_capacity(64 << 10);
            let from = match self.socket.recv_from(&mut buffer, libc::MSG_DONTWAIT) {
                Ok((_, address)) => address,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(news),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    news.push(News::Overrun);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // Only the kernel is believed.
            if from.port_number() == 0 {
                news.extend(Self::parse(&buffer));
            }
        }
    }

    /// What a datagram of the kernel says. What cannot be read, and what matters to nobody, is left out.
    pub fn parse(datagram: &[u8]) -> impl Iterator<Item = News> + '_ {
        messages(datagram).filter_map(|message| {
            let port = message.header.port_number;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => translate(inner, port),
                _ => None,
            }
        })
    }

    /// Everything that there is now.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn list(command: &mut CommandSocket) -> io::Result<Vec<News>> {
        let links = command.dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        let addresses = command.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
        Ok(links
            .into_iter()
            .chain(addresses)
            .filter_map(|message| translate(message, 0))
            .collect())
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn translate(message: RouteNetlinkMessage, port: u32) -> Option<News> {
    match message {
        RouteNetlinkMessage::NewLink(link) => link_of(&link).map(News::Link),
        RouteNetlinkMessage::DelLink(link) => Some(News::LinkGone(IfIndex(link.header.index))),
        RouteNetlinkMessage::NewAddress(address) => (!is_tentative(&address))
            .then(|| address_of(&address))
            .flatten()
            .map(News::AddressAdded),
        RouteNetlinkMessage::DelAddress(address) => address_of(&address).map(|a| News::AddressGone(a, port)),
        _ => None,
    }
}

fn link_of(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let (mut name, mut mac, mut mtu) = (None, None, 1500);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = text.parse().ok(),
            LinkAttribute::Address(bytes) => mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(MacAddr),
            LinkAttribute::Mtu(bytes) => mtu = *bytes,
            _ => {}
        }
    }
    Some(Link {
        index: IfIndex(message.header.index),
        name: name?,
        running: flags.contains(LinkFlags::Up | LinkFlags::Running),
        mac,
        mtu,
        loopback: flags.contains(LinkFlags::Loopback),
        no_arp: flags.contains(LinkFlags::Noarp),
        multicast: flags.contains(LinkFlags::Multicast),
        flags: flags.bits(),
    })
}

fn address_of(message: &AddressMessage) -> Option<LinkAddress> {
    let find = |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
    let local = find(|a| {
        if let AddressAttribute::Local(address) = a {
            Some(*address)
        } else {
            None
        }
    });
    let address = find(|a| {
        if let AddressAttribute::Address(address) = a {
            Some(*address)
        } else {
            None
        }
    });
    let address = local.or(address)?;
    // 127.0.0.1 and ::1 are of no use to anybody here, but harmless.
    let index = IfIndex(message.header.index);
    let prefix_len = message.header.prefix_len.min(Family::of(address).max_prefix());
    Some(LinkAddress {
        index,
        address,
        prefix_len,
    })
}

fn is_tentative(message: &AddressMessage) -> bool {
    let flags = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    let flags = flags.unwrap_or_else(|| AddressFlags::from_bits_retain(u32::from(message.header.flags.bits())));
    flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic)
}
