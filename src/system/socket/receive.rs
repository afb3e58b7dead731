//! One socket for each link, family and group or own address (behaviour §10.2).
use crate::model::{Family, IfIndex, Micros};
use crate::proto::{Datagram, Packet, Receive, SocketSpec};
use crate::sys::Inbox;
use crate::system::clock;
use crate::wire::auth::AH_LEN;
use crate::wire::ip::{PROTO_AH, PROTO_VRRP};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockFilter, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

/// What a socket keeps until it is read, in the kernel's way of counting.
const RECEIVE_BYTES: usize = 1 << 20;

/// An open socket that gives adverts.
#[derive(Debug)]
pub struct ReceiveSocket {
    socket: Socket,
    interface: Option<IfIndex>,
    family: Family,
}

/// Longer than any advert: 255 IPv6 addresses are 4,088 bytes.
const LONGEST: usize = 4_608;

/// Room for datagrams and what the kernel knows of them, made once.
#[derive(Debug)]
pub struct ReceiveBuffer {
    inbox: Inbox,
    /// The wall clock when they were read.
    read_at: Micros,
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self {
            inbox: Inbox::new(LONGEST),
            read_at: Micros::ZERO,
        }
    }
}

impl ReceiveBuffer {
    /// Datagrams that one call of [`ReceiveSocket::receive`] can give.
    pub const CAPACITY: usize = Inbox::CAPACITY;
}

impl ReceiveSocket {
    /// Opens, binds and joins. This can wait for the kernel's lock of its network configuration.
    ///
    /// # Errors
    /// The call that failed, and why.
    pub fn open(spec: &SocketSpec) -> Result<Self, (&'static str, io::Error)> {
        let domain = if spec.family == Family::Ipv4 {
            Domain::IPV4
        } else {
            Domain::IPV6
        };
        let protocol = Protocol::from(i32::from(if spec.ah { PROTO_AH } else { PROTO_VRRP }));
        let socket =
            Socket::new(domain, Type::RAW.nonblocking().cloexec(), Some(protocol)).map_err(|e| ("socket", e))?;
        keep_more(&socket).map_err(|e| ("SO_RCVBUF", e))?;
        // Nothing is queued before the socket is bound to its link and has its filter.
        socket
            .attach_filter(&[drop_all()])
            .map_err(|e| ("SO_ATTACH_FILTER", e))?;
        let index = spec.interface.map_or(0, |index| index.0);
        if index != 0 {
            let name = nix::net::if_::if_indextoname(index).map_err(|e| ("if_indextoname", e.into()))?;
            socket
                .bind_device(Some(name.as_bytes()))
                .map_err(|e| ("SO_BINDTODEVICE", e))?;
        }
        match spec.family {
            Family::Ipv4 => prepare_ipv4(&socket, spec, index)?,
            Family::Ipv6 => prepare_ipv6(&socket, spec, index)?,
        }
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(|e| ("SO_TIMESTAMPNS", e.into()))?;
        let this = Self {
            socket,
            interface: spec.interface,
            family: spec.family,
        };
        this.filter(&spec.vrids, spec.ah).map_err(|e| ("SO_ATTACH_FILTER", e))?;
        Ok(this)
    }

    /// Lets only these VRIDs through.
    ///
    /// # Errors
    /// When the kernel refuses the filter.
    pub fn filter(&self, vrids: &[u8], ah: bool) -> io::Result<()> {
        self.socket.attach_filter(&vrid_filter(self.family, vrids, ah))
    }

    /// Reads what has come; how many datagrams. Fewer than [`ReceiveBuffer::CAPACITY`] means that there are no more.
    ///
    /// # Errors
    /// The socket's, such as ENETDOWN.
    pub fn receive(&self, buffer: &mut ReceiveBuffer) -> io::Result<usize> {
        let count = buffer.inbox.receive(&self.socket, self.family == Family::Ipv6)?;
        buffer.read_at = clock::wall();
        Ok(count)
    }

    /// One of the datagrams that were read last; `since_empty` is how long ago there was none.
    #[must_use]
    pub fn packet<'b>(&self, buffer: &'b ReceiveBuffer, index: usize, since_empty: Micros) -> Option<Packet<'b>> {
        let incoming = buffer.inbox.get(index)?;
        let datagram = match self.family {
            Family::Ipv4 => Datagram::Ipv4(incoming.bytes.into()),
            Family::Ipv6 => Datagram::Ipv6 {
                source: incoming.source.unwrap_or(Ipv6Addr::UNSPECIFIED),
                destination: incoming.destination.unwrap_or(Ipv6Addr::UNSPECIFIED),
                hop_limit: incoming.hop_limit,
                message: incoming.bytes.into(),
            },
        };
        // The kernel stamps with the wall clock; how long ago that was is all that is used of it.
        let age = incoming.stamp.map_or(Micros::ZERO, |stamp| {
            let stamp = u64::try_from(stamp.as_micros()).unwrap_or(u64::MAX);
            Packet::age(buffer.read_at, Micros(stamp), since_empty)
        });
        Some(Packet {
            interface: self.interface,
            age,
            datagram,
        })
    }
}

/// A flood must not push adverts out while the machine is busy: some 2,700 datagrams instead of 270.
fn keep_more(socket: &Socket) -> io::Result<()> {
    let force = setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BYTES);
    // Without CAP_NET_ADMIN the system's limit holds.
    force.or_else(|_| setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BYTES))?;
    Ok(())
}

impl AsFd for ReceiveSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

type Step = Result<(), (&'static str, io::Error)>;

fn prepare_ipv4(socket: &Socket, spec: &SocketSpec, index: u32) -> Step {
    socket
        .set_multicast_all_v4(false)
        .map_err(|e| ("IP_MULTICAST_ALL", e))?;
    let address = match spec.receive {
        Receive::Group(IpAddr::V4(group)) => {
            let link = InterfaceIndexOrAddress::Index(index);
            socket
                .join_multicast_v4_n(&group, &link)
                .map_err(|e| ("IP_ADD_MEMBERSHIP", e))?;
            group
        }
        Receive::Unicast(IpAddr::V4(own)) => own,
        Receive::Group(IpAddr::V6(_)) | Receive::Unicast(IpAddr::V6(_)) => Ipv4Addr::UNSPECIFIED,
    };
    socket.set_freebind_v4(true).map_err(|e| ("IP_FREEBIND", e))?;
    socket
        .bind(&SockAddr::from(SocketAddrV4::new(address, 0)))
        .map_err(|e| ("bind", e))
}

fn prepare_ipv6(socket: &Socket, spec: &SocketSpec, index: u32) -> Step {
    socket
        .set_multicast_all_v6(false)
        .map_err(|e| ("IPV6_MULTICAST_ALL", e))?;
    let address = match spec.receive {
        Receive::Group(IpAddr::V6(group)) => {
            socket
                .join_multicast_v6(&group, index)
                .map_err(|e| ("IPV6_ADD_MEMBERSHIP", e))?;
            group
        }
        Receive::Unicast(IpAddr::V6(own)) => own,
        Receive::Group(IpAddr::V4(_)) | Receive::Unicast(IpAddr::V4(_)) => Ipv6Addr::UNSPECIFIED,
    };
    socket
        .set_recv_hoplimit_v6(true)
        .map_err(|e| ("IPV6_RECVHOPLIMIT", e))?;
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true).map_err(|e| ("IPV6_RECVPKTINFO", e.into()))?;
    socket.set_freebind_v6(true).map_err(|e| ("IPV6_FREEBIND", e))?;
    let scope = if address.is_unicast_link_local() || address.is_multicast() {
        index
    } else {
        0
    };
    socket
        .bind(&SockAddr::from(SocketAddrV6::new(address, 0, 0, scope)))
        .map_err(|e| ("bind", e))
}

const LOAD_BYTE: u16 = 0x30;
const LOAD_BYTE_INDEXED: u16 = 0x50;
const LOAD_INDEX_IP_HEADER: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

pub(super) const fn drop_all() -> SockFilter {
    SockFilter::new(RETURN, 0, 0, 0)
}

/// Byte 1 of the VRRP message is the VRID. Over IPv4 the message begins behind the IP header and, with AH, behind that.
fn vrid_filter(family: Family, vrids: &[u8], ah: bool) -> Vec<SockFilter> {
    let vrid_at = if ah { u32::try_from(AH_LEN + 1).unwrap_or(1) } else { 1 };
    let mut program = match family {
        Family::Ipv4 => vec![
            SockFilter::new(LOAD_INDEX_IP_HEADER, 0, 0, 0),
            SockFilter::new(LOAD_BYTE_INDEXED, 0, 0, vrid_at),
        ],
        Family::Ipv6 => vec![SockFilter::new(LOAD_BYTE, 0, 0, 1)],
    };
    for vrid in vrids {
        program.push(SockFilter::new(JUMP_EQUAL, 0, 1, u32::from(*vrid)));
        program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    }
    program.push(drop_all());
    program
}
