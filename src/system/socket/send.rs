//! One socket a family sends for all interfaces: link and source go with each message.

use super::receive::drop_all;
use crate::proto::Transmit;
use crate::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn, SockaddrIn6, sendmsg};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

/// The sending sockets.
#[derive(Debug)]
pub struct SendSockets {
    ipv4: Socket,
    ipv6: Option<Socket>,
}

impl SendSockets {
    /// Opens both. A host without IPv6 has only the first.
    ///
    /// # Errors
    /// Without CAP_NET_RAW, or when no descriptors are left.
    pub fn open() -> io::Result<Self> {
        let raw = Type::RAW.nonblocking().cloexec();
        let ipv4 = Socket::new(Domain::IPV4, raw, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        ipv4.attach_filter(&[drop_all()])?;
        ipv4.set_header_included_v4(true)?;
        ipv4.set_multicast_loop_v4(false)?;
        let ipv6 = match Socket::new(Domain::IPV6, raw, Some(Protocol::from(i32::from(PROTO_VRRP)))) {
            Ok(socket) => {
                socket.attach_filter(&[drop_all()])?;
                socket.set_multicast_loop_v6(false)?;
                socket.set_multicast_hops_v6(255)?;
                socket.set_tclass_v6(u32::from(TOS_CS6))?;
                Some(socket)
            }
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { ipv4, ipv6 })
    }

    /// Sends one advert.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, transmit: &Transmit) -> io::Result<()> {
        match (transmit.source, transmit.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.send_ipv4(transmit, source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.send_ipv6(transmit, source, destination),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
            }
        }
    }

    fn send_ipv4(&self, transmit: &Transmit, source: Ipv4Addr, destination: Ipv4Addr) -> io::Result<()> {
        let header = Ipv4Header {
            tos: TOS_CS6,
            total_len: 0,
            id: transmit.ip_id,
            fragment: 0,
            ttl: transmit.ttl.unwrap_or(255),
            protocol: transmit.protocol,
            source,
            destination,
            header_len: 20,
        };
        let header = header.emit(u16::try_from(transmit.message.len()).unwrap_or(u16::MAX));
        let info = libc::in_pktinfo {
            ipi_ifindex: interface(transmit),
            ipi_spec_dst: libc::in_addr {
                s_addr: u32::from_ne_bytes(source.octets()),
            },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let parts = [IoSlice::new(&header), IoSlice::new(&transmit.message)];
        let flags = flags(destination.is_multicast());
        let to = SockaddrIn::from(SocketAddrV4::new(destination, 0));
        sendmsg(
            self.ipv4.as_raw_fd(),
            &parts,
            &[ControlMessage::Ipv4PacketInfo(&info)],
            flags,
            Some(&to),
        )?;
        Ok(())
    }

    fn send_ipv6(&self, transmit: &Transmit, source: Ipv6Addr, destination: Ipv6Addr) -> io::Result<()> {
        let Some(socket) = &self.ipv6 else {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        };
        let index = interface(transmit);
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr {
                s6_addr: source.octets(),
            },
            ipi6_ifindex: u32::try_from(index).unwrap_or(0),
        };
        let hops = transmit.ttl.map(libc::c_int::from);
        let mut control = vec![ControlMessage::Ipv6PacketInfo(&info)];
        control.extend(hops.as_ref().map(ControlMessage::Ipv6HopLimit));
        let flags = flags(destination.is_multicast());
        let scoped = destination.is_multicast() || destination.is_unicast_link_local();
        let scope = if scoped { u32::try_from(index).unwrap_or(0) } else { 0 };
        let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, scope));
        sendmsg(
            socket.as_raw_fd(),
            &[IoSlice::new(&transmit.message)],
            &control,
            flags,
            Some(&to),
        )?;
        Ok(())
    }
}

fn interface(transmit: &Transmit) -> libc::c_int {
    transmit
        .interface
        .and_then(|index| libc::c_int::try_from(index.0).ok())
        .unwrap_or(0)
}

/// A group is always on the link itself; a peer may be behind a router.
const fn flags(multicast: bool) -> MsgFlags {
    MsgFlags::from_bits_retain(if multicast { libc::MSG_DONTROUTE } else { 0 })
}
