//! A look at what each node sends: a packet socket on the bridge's ports, before the bridge or a cut can drop anything.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of the kernel's control messages only the time matters"
)]

use super::sandbox::context;
use super::topology::BridgeId;
use crate::model::{Family, Instant, Micros};
use crate::sys::FrameSender;
use crate::system::clock;
use crate::wire::arp::ArpPacket;
use crate::wire::auth::AhHeader;
use crate::wire::ip::{Ipv4Header, PROTO_AH, PROTO_VRRP};
use crate::wire::ndp::UnsolicitedNa;
use crate::wire::vrrp::{Addresses, Advert};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket, sockopt,
};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Thousands of addresses are announced five times each within a second.
const BUFFER: usize = 32 << 20;

/// The packet sockets: one to look, one to send what no node has sent.
#[derive(Debug)]
pub(super) struct Observer {
    fd: OwnedFd,
    sender: FrameSender,
}

/// A frame of interest, as the node sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub seen: Seen,
    /// The bridge that it was sent to.
    pub bridge: BridgeId,
    /// All its bytes, from the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A VRRP advert.
    Advert(AdvertSeen),
    /// "This address is here."
    Announce {
        /// The address.
        address: IpAddr,
        /// By which protocol.
        kind: AnnounceKind,
    },
}

/// The protocols that announce addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnounceKind {
    /// Gratuitous ARP.
    Arp,
    /// Unsolicited neighbour advertisement.
    NeighbourAdvert,
}

/// An advert and the addresses of its packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertSeen {
    /// The version of the protocol.
    pub version: u8,
    /// The VRID.
    pub vrid: u8,
    /// The priority; 0 gives mastership up.
    pub priority: u8,
    /// Sender.
    pub source: IpAddr,
    /// Receiver or group.
    pub destination: IpAddr,
    /// The addresses it speaks for.
    pub addresses: Vec<IpAddr>,
}

/// A frame with the number of the port that it came in by, and when.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) port: u32,
    pub(super) at: Instant,
    pub(super) frame: Frame,
}

impl Observer {
    /// Listens on all interfaces of the present network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
            .map_err(|error| context("open a packet socket", error))?;
        setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
        // A user namespace may not exceed the system's limit; then the limit has to do.
        if setsockopt(&fd, sockopt::RcvBufForce, &BUFFER).is_err() {
            setsockopt(&fd, sockopt::RcvBuf, &BUFFER)?;
        }
        let sender = FrameSender::new().map_err(|error| context("open a packet socket", error))?;
        Ok(Self { fd, sender })
    }

    /// Sends a frame out by a port, to the node behind it.
    pub(super) fn send(&self, port: u32, frame: &[u8]) -> io::Result<()> {
        self.sender.send(port, frame)
    }

    /// The next frame of interest, if one has come.
    pub(super) fn next(&self) -> io::Result<Option<Caught>> {
        loop {
            let mut buffer = [0; 2048];
            let mut slices = [IoSliceMut::new(&mut buffer)];
            let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
            let fd = self.fd.as_raw_fd();
            let message = match recvmsg::<LinkAddr>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
                Ok(message) => message,
                Err(nix::errno::Errno::EAGAIN) => return Ok(None),
                Err(nix::errno::Errno::EINTR) => continue,
                // A port went down.
                Err(nix::errno::Errno::ENETDOWN) => continue,
                Err(error) => return Err(context("listen on the bridge", error)),
            };
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(time) => Some(clock::micros(time)),
                _ => None,
            });
            let (from, length) = (message.address, message.bytes);
            let Some(from) = from.filter(|from| from.pkttype() != libc::PACKET_OUTGOING) else {
                continue;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            if let Some(seen) = decode(bytes) {
                let age = stamp.map_or(Micros(0), |at| Micros(clock::wall().0.saturating_sub(at.0)));
                return Ok(Some(Caught {
                    port: u32::try_from(from.ifindex()).unwrap_or(0),
                    at: clock::now().before(age),
                    frame: Frame {
                        seen,
                        // The socket knows the port; the lab knows the bridge.
                        bridge: BridgeId(0),
                        bytes: bytes.to_vec(),
                    },
                }));
            }
        }
    }
}

impl AsFd for Observer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Reads a frame; `None` when it is neither an advert nor an announcement.
fn decode(frame: &[u8]) -> Option<Seen> {
    match frame.get(12..14)? {
        [0x08, 0x00] => {
            let (header, rest) = Ipv4Header::parse(frame.get(14..)?).ok()?;
            let length = usize::from(header.total_len).checked_sub(header.header_len)?;
            let message = match header.protocol {
                PROTO_VRRP => rest.get(..length)?,
                // Who may have sent it is for the nodes to find out.
                PROTO_AH => AhHeader::parse(rest.get(..length)?).ok()?.1,
                _ => return None,
            };
            advert(Family::Ipv4, message, header.source.into(), header.destination.into())
        }
        [0x86, 0xdd] => ipv6(frame),
        [0x08, 0x06] => {
            let arp = ArpPacket::parse(frame).ok()?;
            arp.is_gratuitous().then(|| Seen::Announce {
                address: arp.sender.into(),
                kind: AnnounceKind::Arp,
            })
        }
        _ => None,
    }
}

fn ipv6(frame: &[u8]) -> Option<Seen> {
    if let Ok(na) = UnsolicitedNa::parse(frame) {
        return Some(Seen::Announce {
            address: na.address.into(),
            kind: AnnounceKind::NeighbourAdvert,
        });
    }
    let address = |at: usize| -> Option<Ipv6Addr> {
        let bytes: [u8; 16] = frame.get(at..at + 16)?.try_into().ok()?;
        Some(bytes.into())
    };
    let length: [u8; 2] = frame.get(18..20)?.try_into().ok()?;
    let message = frame.get(54..)?.get(..usize::from(u16::from_be_bytes(length)))?;
    let is_vrrp = frame.get(20) == Some(&PROTO_VRRP);
    is_vrrp.then(|| advert(Family::Ipv6, message, address(22)?.into(), address(38)?.into()))?
}

fn advert(family: Family, message: &[u8], source: IpAddr, destination: IpAddr) -> Option<Seen> {
    let advert = Advert::parse(family, message, source, destination).ok()?;
    Some(Seen::Advert(AdvertSeen {
        version: message.first()? >> 4,
        vrid: advert.vrid.get(),
        priority: advert.priority.get(),
        source,
        destination,
        addresses: match advert.addresses {
            Addresses::Ipv4(list) => list.into_iter().map(IpAddr::V4).collect(),
            Addresses::Ipv6(list) => list.into_iter().map(IpAddr::V6).collect(),
        },
    }))
}
