//! Route netlink, blocking: requests with their answer, and a monitor that is read when it has something.
//!
//! Sockets stay in the network namespace in which they were opened. The daemon's own netlink code is not used on purpose:
//! the lab judges what the daemon did to the kernel, so it looks with eyes of its own.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums are the kernel's, and only a few of their values matter here"
)]

use super::sandbox::context;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

/// Requests.
#[derive(Debug)]
pub(super) struct Rtnl {
    socket: Socket,
    sequence: u32,
}

/// An address of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OnLink {
    /// The link.
    pub(super) index: u32,
    /// The address.
    pub(super) address: IpAddr,
    /// Its prefix length.
    pub(super) prefix_len: u8,
}

impl Rtnl {
    /// A socket in the present network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        self.socket.send(&buffer, 0)?;
        Ok(self.sequence)
    }

    /// Sends a request and reads until it is acknowledged or ended.
    fn transact(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        let sequence = self.send(message, flags)?;
        let mut answers = Vec::new();
        loop {
            let (buffer, _) = self.socket.recv_from_full()?;
            for packet in packets(&buffer) {
                let packet = packet?;
                if packet.header.sequence_number != sequence {
                    continue;
                }
                match packet.payload {
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::InnerMessage(message) => answers.push(message),
                    _ => {}
                }
            }
        }
    }

    fn change(&mut self, what: &str, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.transact(message, NLM_F_ACK | flags)
            .map(drop)
            .map_err(|error| context(what, error))
    }

    /// Makes a bridge that forwards everything at once: no spanning tree, no multicast snooping.
    pub(super) fn add_bridge(&mut self, name: &str) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
            ]),
        ];
        let new = NLM_F_CREATE | NLM_F_EXCL;
        self.change(
            &format!("make the bridge {name}"),
            RouteNetlinkMessage::NewLink(link),
            new,
        )
    }

    /// Makes a cable: `port` here, `peer` with `mac` in the network namespace behind `netns`.
    pub(super) fn add_veth(&mut self, port: &str, peer: &str, mac: [u8; 6], netns: RawFd) -> io::Result<()> {
        let mut there = LinkMessage::default();
        there.attributes = vec![
            LinkAttribute::IfName(peer.to_owned()),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::NetNsFd(netns),
        ];
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(port.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(there))),
            ]),
        ];
        let new = NLM_F_CREATE | NLM_F_EXCL;
        self.change(
            &format!("make the cable {port}"),
            RouteNetlinkMessage::NewLink(link),
            new,
        )
    }

    /// Makes `port` a port of the bridge.
    pub(super) fn enslave(&mut self, port: u32, bridge: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = port;
        link.attributes = vec![LinkAttribute::Controller(bridge)];
        self.change("plug a port into the bridge", RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Sets a link up or down.
    pub(super) fn set_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.change_mask = LinkFlags::Up;
        if up {
            link.header.flags = LinkFlags::Up;
        }
        self.change("set a link up or down", RouteNetlinkMessage::SetLink(link), 0)
    }

    /// Changes settings of a bridge port.
    pub(super) fn set_port(&mut self, port: u32, settings: Vec<InfoBridgePort>) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = port;
        link.attributes = vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(settings)),
        ])];
        self.change("change a bridge port", RouteNetlinkMessage::NewLink(link), 0)
    }

    /// Whether a bridge port is locked.
    pub(super) fn is_locked(&mut self, port: u32) -> io::Result<bool> {
        let mut link = LinkMessage::default();
        link.header.index = port;
        let links = self.transact(RouteNetlinkMessage::GetLink(link), NLM_F_ACK)?;
        let locked = |info: &LinkInfo| match info {
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => settings.contains(&InfoBridgePort::Locked(true)),
            _ => false,
        };
        Ok(links.iter().any(|message| match message {
            RouteNetlinkMessage::NewLink(link) => link.attributes.iter().any(|attribute| match attribute {
                LinkAttribute::LinkInfo(infos) => infos.iter().any(locked),
                _ => false,
            }),
            _ => false,
        }))
    }

    /// Gives a link an address.
    pub(super) fn add_address(&mut self, on: OnLink) -> io::Result<()> {
        let new = NLM_F_CREATE | NLM_F_EXCL;
        let mut message = address_message(on);
        if on.address.is_ipv6() {
            // An address that is still being checked cannot be bound, and a daemon that starts at once would fail.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        self.change(
            &format!("add the address {}/{}", on.address, on.prefix_len),
            RouteNetlinkMessage::NewAddress(message),
            new,
        )
    }

    /// The number of a link; `None` when there is none of this name.
    pub(super) fn index_of(&mut self, name: &str) -> io::Result<Option<u32>> {
        let links = self.transact(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP)?;
        Ok(links.iter().find_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => {
                let named = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::IfName(n) if n == name);
                link.attributes.iter().any(named).then_some(link.header.index)
            }
            _ => None,
        }))
    }
}

/// What changes in a network namespace.
#[derive(Debug)]
pub(super) struct Monitor(Socket);

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// An address is there.
    Added(OnLink),
    /// An address is gone.
    Removed(OnLink),
    /// A link has changed: its number, and whether it has a carrier.
    Link(u32, bool),
}

const MONITOR_BUFFER: usize = 16 << 20;

/// RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR.
const GROUPS: [u32; 3] = [1, 5, 9];

impl Monitor {
    /// Watches the present network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        // The default keeps 256 of 5,000 changes; a user namespace may not exceed the system's limit.
        let force = nix::sys::socket::sockopt::RcvBufForce;
        if nix::sys::socket::setsockopt(&socket.as_fd(), force, &MONITOR_BUFFER).is_err() {
            socket.set_rx_buf_sz(MONITOR_BUFFER)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// What has changed since the last call.
    pub(super) fn read(&self) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        loop {
            match self.0.recv_from_full() {
                Ok((buffer, _)) => {
                    for packet in packets(&buffer) {
                        changes.extend(change(&packet?));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(changes),
                Err(error) => return Err(context("watch a node's addresses", error)),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn change(packet: &NetlinkMessage<RouteNetlinkMessage>) -> Option<Change> {
    match &packet.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(address)) => on_link(address).map(Change::Added),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(address)) => on_link(address).map(Change::Removed),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Some(Change::Link(
            link.header.index,
            link.header.flags.contains(LinkFlags::LowerUp),
        )),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
            Some(Change::Link(link.header.index, false))
        }
        _ => None,
    }
}

/// The messages in a buffer.
fn packets(buffer: &[u8]) -> impl Iterator<Item = io::Result<NetlinkMessage<RouteNetlinkMessage>>> + '_ {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
            Ok(packet) => {
                let length = usize::try_from(packet.header.length).unwrap_or(usize::MAX);
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                Some(Ok(packet))
            }
            Err(error) => {
                rest = &[];
                Some(Err(io::Error::other(format!(
                    "a netlink message makes no sense: {error}"
                ))))
            }
        }
    })
}

fn address_message(on: OnLink) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match on.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = on.prefix_len;
    message.header.index = on.index;
    message.attributes = vec![
        AddressAttribute::Local(on.address),
        AddressAttribute::Address(on.address),
    ];
    message
}

fn on_link(message: &AddressMessage) -> Option<OnLink> {
    let find = |local: bool| {
        message.attributes.iter().find_map(move |attribute| match attribute {
            AddressAttribute::Local(address) if local => Some(*address),
            AddressAttribute::Address(address) if !local => Some(*address),
            _ => None,
        })
    };
    // IPv4 names the own address IFA_LOCAL (IFA_ADDRESS is a peer's); IPv6 without a peer has IFA_ADDRESS only.
    let address = find(true).or_else(|| find(false))?;
    Some(OnLink {
        index: message.header.index,
        address,
        prefix_len: message.header.prefix_len,
    })
}
