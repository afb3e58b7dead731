//! One socket a family sends for all interfaces: link and source go with each message, and adverts that are due together leave
//! by one call.

use super::receive::drop_all;
use crate::proto::Transmit;
use crate::sys::{Outgoing, send_datagrams};
use crate::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Adverts that wait for others to leave with.
const WAITING: usize = 64;

/// The sending sockets.
#[derive(Debug)]
pub struct SendSockets {
    ipv4: Socket,
    ipv6: Option<Socket>,
    waiting: Vec<Waiting>,
}

/// An advert and the header that goes before it.
#[derive(Debug)]
struct Waiting {
    transmit: Transmit,
    header: [u8; 20],
}

/// What one call of the kernel may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// Of source and destination.
    ipv4: [bool; 2],
    multicast: bool,
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
        Ok(Self {
            ipv4,
            ipv6,
            waiting: Vec::with_capacity(WAITING),
        })
    }

    /// Adds an advert to those that wait for [`SendSockets::flush`], which has to come soon. `false`: there is no more room.
    pub fn push(&mut self, transmit: Transmit) -> bool {
        let header = match (transmit.source, transmit.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => header(&transmit, source, destination),
            (IpAddr::V4(_) | IpAddr::V6(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => [0; 20],
        };
        self.waiting.push(Waiting { transmit, header });
        self.waiting.len() < WAITING
    }

    /// Whether no advert waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends all that wait, in order. `failed` is told of each that the kernel did not take.
    pub fn flush(&mut self, mut failed: impl FnMut(&Transmit, io::Error)) {
        for run in self.waiting.chunk_by(|a, b| a.way() == b.way()) {
            let way = run.first().map(Waiting::way);
            let socket = match way {
                Some(Way { ipv4: [true, true], .. }) => Some(&self.ipv4),
                Some(Way {
                    ipv4: [false, false], ..
                }) => self.ipv6.as_ref(),
                Some(Way {
                    ipv4: [true, false] | [false, true],
                    ..
                })
                | None => None,
            };
            let Some(socket) = socket else {
                for waiting in run {
                    failed(&waiting.transmit, io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
                }
                continue;
            };
            // A group is always on the link itself; a peer may be behind a router.
            let flags = if way.is_some_and(|way| way.multicast) {
                libc::MSG_DONTROUTE
            } else {
                0
            };
            send_datagrams(socket, flags, run, Waiting::outgoing, |index, error| {
                if let Some(waiting) = run.get(index) {
                    failed(&waiting.transmit, error);
                }
            });
        }
        self.waiting.clear();
    }
}

impl Waiting {
    fn way(&self) -> Way {
        let (from, to) = (self.transmit.source, self.transmit.destination);
        Way {
            ipv4: [from.is_ipv4(), to.is_ipv4()],
            multicast: to.is_multicast(),
        }
    }

    fn outgoing(&self) -> Outgoing<'_> {
        let transmit = &self.transmit;
        let interface = transmit.interface.map_or(0, |index| index.0);
        let (header, to, hop_limit) = match transmit.destination {
            IpAddr::V4(to) => (&self.header[..], SocketAddr::from(SocketAddrV4::new(to, 0)), None),
            IpAddr::V6(to) => (&[][..], SocketAddr::from(scoped(to, interface)), transmit.ttl),
        };
        Outgoing {
            parts: [header, &transmit.message],
            to,
            source: transmit.source,
            interface,
            hop_limit,
        }
    }
}

fn scoped(to: Ipv6Addr, interface: u32) -> SocketAddrV6 {
    let on_link = to.is_multicast() || to.is_unicast_link_local();
    SocketAddrV6::new(to, 0, 0, if on_link { interface } else { 0 })
}

fn header(transmit: &Transmit, source: Ipv4Addr, destination: Ipv4Addr) -> [u8; 20] {
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
    header.emit(u16::try_from(transmit.message.len()).unwrap_or(u16::MAX))
}
