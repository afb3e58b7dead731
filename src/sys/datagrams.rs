//! Many datagrams by one call: `sendmmsg` with link and source for each, `recvmmsg` with what the kernel knows of each.
#![expect(
    unsafe_code,
    reason = "nix has one set of control messages for all datagrams and forgets to reset lengths, rustix has no packet information"
)]

use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

/// Datagrams in one call.
const TOGETHER: usize = 16;
/// Room for the control messages of one datagram, in units that are aligned as they have to be.
const CONTROL: usize = 16;

/// A datagram that is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Its bytes: first one part, then the other.
    pub parts: [&'a [u8]; 2],
    /// Where to.
    pub to: SocketAddr,
    /// Its source; of the same family.
    pub source: IpAddr,
    /// The link, 0 = as routed.
    pub interface: u32,
    /// IPv6 only: the hop limit, if it is not the socket's.
    pub hop_limit: Option<u8>,
}

/// Sends a datagram for each thing in order, none of which keeps another one back. `failed` is told the position and the error
/// of each that was not sent.
pub fn send_datagrams<T>(
    socket: impl AsFd,
    flags: libc::c_int,
    things: &[T],
    datagram: impl Fn(&T) -> Outgoing<'_>,
    mut failed: impl FnMut(usize, io::Error),
) {
    let fd = socket.as_fd().as_raw_fd();
    if let [_] = things {
        // A single one, which is the most frequent case, does not touch the room of the others.
        return send_together::<1, T>(fd, flags, things, datagram, failed);
    }
    for (chunk, start) in things.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
        send_together::<TOGETHER, T>(fd, flags, chunk, &datagram, |index, error| failed(start + index, error));
    }
}

/// Sends at most `N` datagrams.
fn send_together<const N: usize, T>(
    fd: RawFd,
    flags: libc::c_int,
    things: &[T],
    datagram: impl Fn(&T) -> Outgoing<'_>,
    mut failed: impl FnMut(usize, io::Error),
) {
    let mut rooms: [Room; N] = std::array::from_fn(|_| Room::default());
    // SAFETY: all-zero is a valid mmsghdr.
    let mut headers: [libc::mmsghdr; N] = unsafe { zeroed() };
    for ((thing, room), header) in things.iter().zip(&mut rooms).zip(&mut headers) {
        room.fill(&datagram(thing));
        header.msg_hdr = room.header();
    }
    let mut sent = 0;
    while let Some(rest) = headers.get_mut(sent..things.len()).filter(|rest| !rest.is_empty()) {
        let count = libc::c_uint::try_from(rest.len()).unwrap_or(0);
        // SAFETY: the headers point into `rooms` and into what the caller's things hold, which both outlive the call.
        let done = unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), count, flags) };
        // An error is told only for the first of a call.
        sent += usize::try_from(done).unwrap_or_else(|_| {
            failed(sent, io::Error::last_os_error());
            1
        });
    }
}

/// What the header of one outgoing datagram points to.
struct Room {
    parts: [libc::iovec; 2],
    name: libc::sockaddr_in6,
    name_len: libc::socklen_t,
    control: [u64; CONTROL],
    control_len: usize,
}

impl Default for Room {
    fn default() -> Self {
        // SAFETY: all-zero is a valid value of each of these plain structures.
        unsafe { zeroed() }
    }
}

impl Room {
    fn fill(&mut self, datagram: &Outgoing<'_>) {
        self.parts = datagram.parts.map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        });
        self.name_len = write_name(&mut self.name, datagram.to);
        let interface = datagram.interface;
        match datagram.source {
            IpAddr::V4(source) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: libc::c_int::try_from(interface).unwrap_or(0),
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(source.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(source) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: source.octets(),
                    },
                    ipi6_ifindex: interface,
                };
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
                if let Some(hops) = datagram.hop_limit {
                    self.push(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, libc::c_int::from(hops));
                }
            }
        }
    }

    /// Appends a control message.
    fn push<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        let size = libc::c_uint::try_from(size_of::<T>()).unwrap_or(0);
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, len) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
        let (Ok(space), Ok(len)) = (usize::try_from(space), usize::try_from(len)) else {
            return;
        };
        if self.control_len + space > size_of_val(&self.control) {
            return;
        }
        // SAFETY: there is room for `space` bytes from `control_len` on, which is a multiple of the alignment of a header
        // because CMSG_SPACE always is; the value is written behind the header, unaligned if need be.
        unsafe {
            let header: *mut libc::cmsghdr = self.control.as_mut_ptr().cast::<u8>().add(self.control_len).cast();
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = len;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.control_len += space;
    }

    fn header(&mut self) -> libc::msghdr {
        // SAFETY: all-zero is a valid msghdr.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_name = (&raw mut self.name).cast();
        header.msg_namelen = self.name_len;
        header.msg_iov = self.parts.as_mut_ptr();
        header.msg_iovlen = self.parts.len();
        header.msg_control = self.control.as_mut_ptr().cast();
        header.msg_controllen = self.control_len;
        header
    }
}

/// The kernel's form of an address, and its length.
fn write_name(name: &mut libc::sockaddr_in6, to: SocketAddr) -> libc::socklen_t {
    let len = match to {
        SocketAddr::V4(to) => {
            let short = libc::sockaddr_in {
                sin_family: u16::try_from(libc::AF_INET).unwrap_or(0),
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(to.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_in is shorter than a sockaddr_in6 and needs no stricter alignment; both are plain bytes.
            unsafe { std::ptr::from_mut(name).cast::<libc::sockaddr_in>().write(short) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(to) => {
            name.sin6_family = u16::try_from(libc::AF_INET6).unwrap_or(0);
            name.sin6_port = to.port().to_be();
            name.sin6_addr.s6_addr = to.ip().octets();
            name.sin6_scope_id = to.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    libc::socklen_t::try_from(len).unwrap_or(0)
}

/// Room for datagrams that are received together, made once.
pub struct Inbox {
    bytes: Vec<u8>,
    longest: usize,
    names: [libc::sockaddr_in6; TOGETHER],
    controls: Box<[[u64; CONTROL]; TOGETHER]>,
    headers: [libc::mmsghdr; TOGETHER],
    count: usize,
}

/// A datagram in an [`Inbox`].
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Its bytes; what is longer than the inbox's limit is cut.
    pub bytes: &'a [u8],
    /// IPv6: its source, if it was asked for.
    pub source: Option<Ipv6Addr>,
    /// IPv6: its destination, if IPV6_RECVPKTINFO is set.
    pub destination: Option<Ipv6Addr>,
    /// IPv6: its hop limit, if IPV6_RECVHOPLIMIT is set.
    pub hop_limit: Option<u8>,
    /// When it arrived, by the wall clock, if SO_TIMESTAMPNS is set.
    pub stamp: Option<Duration>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.count).map(|i| self.get(i))).finish()
    }
}

impl Inbox {
    /// Datagrams that fit in.
    pub const CAPACITY: usize = TOGETHER;

    /// Room for datagrams of at most so many bytes.
    #[must_use]
    pub fn new(longest: usize) -> Self {
        // SAFETY: all-zero is a valid value of each of these plain structures.
        let (names, headers) = unsafe { (zeroed(), zeroed()) };
        Self {
            bytes: vec![0; longest * TOGETHER],
            longest,
            names,
            controls: Box::new([[0; CONTROL]; TOGETHER]),
            headers,
            count: 0,
        }
    }

    /// Takes what has come, without waiting; how many datagrams there are now. Fewer than [`Inbox::CAPACITY`] means that there
    /// was no more. `named`: with the source of each, which a datagram of IPv4 has in its header.
    ///
    /// # Errors
    /// The socket's, such as ENETDOWN; there are no datagrams then.
    pub fn receive(&mut self, socket: impl AsFd, named: bool) -> io::Result<usize> {
        self.count = 0;
        let mut parts: [libc::iovec; TOGETHER] = {
            let mut rooms = self.bytes.chunks_mut(self.longest);
            std::array::from_fn(|_| {
                let room = rooms.next().unwrap_or_default();
                libc::iovec {
                    iov_base: room.as_mut_ptr().cast(),
                    iov_len: room.len(),
                }
            })
        };
        let rooms = self.names.iter_mut().zip(self.controls.iter_mut()).zip(&mut parts);
        for (header, ((name, control), part)) in self.headers.iter_mut().zip(rooms) {
            let header = &mut header.msg_hdr;
            (header.msg_name, header.msg_namelen) = (std::ptr::null_mut(), 0);
            if named {
                header.msg_name = std::ptr::from_mut(name).cast();
                header.msg_namelen = libc::socklen_t::try_from(size_of_val(name)).unwrap_or(0);
            }
            header.msg_iov = part;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = size_of_val(control);
        }
        let fd = socket.as_fd().as_raw_fd();
        let room = libc::c_uint::try_from(TOGETHER).unwrap_or(0);
        // SAFETY: every header points to memory of ours of the length that it states, which outlives the call.
        let got = unsafe {
            libc::recvmmsg(
                fd,
                self.headers.as_mut_ptr(),
                room,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(got) {
            Ok(count) => self.count = count,
            Err(_) => {
                let error = io::Error::last_os_error();
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    return Err(error);
                }
            }
        }
        Ok(self.count)
    }

    /// A datagram of the last call.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Incoming<'_>> {
        let header = self.headers.get(index).filter(|_| index < self.count)?;
        let len = usize::try_from(header.msg_len).ok()?;
        let bytes = self.bytes.chunks(self.longest).nth(index)?;
        let name = self.names.get(index)?;
        let is_named = !header.msg_hdr.msg_name.is_null();
        let is_ipv6 = is_named && libc::c_int::from(name.sin6_family) == libc::AF_INET6;
        let mut incoming = Incoming {
            bytes: bytes.get(..len.min(self.longest))?,
            source: is_ipv6.then(|| name.sin6_addr.s6_addr.into()),
            destination: None,
            hop_limit: None,
            stamp: None,
        };
        // SAFETY: the kernel has filled the control messages, whose memory `self.controls` is still where the header says: it
        // is boxed, and `receive` is the only one to change it.
        let mut control = unsafe { libc::CMSG_FIRSTHDR(&header.msg_hdr) };
        while !control.is_null() {
            // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a whole header within the control messages.
            let kind = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
            // SAFETY: as above; the data of each kind has the type that the kernel defines for it.
            unsafe { incoming.note(kind, libc::CMSG_DATA(control)) };
            // SAFETY: as above.
            control = unsafe { libc::CMSG_NXTHDR(&header.msg_hdr, control) };
        }
        Some(incoming)
    }
}

impl Incoming<'_> {
    /// # Safety
    /// `data` points to a value of the type that the kernel gives with this kind of control message.
    unsafe fn note(&mut self, (level, kind): (libc::c_int, libc::c_int), data: *const u8) {
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => {
                // SAFETY: by the contract, a timespec.
                let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
                self.stamp = Some(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: by the contract, an in6_pktinfo.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                self.destination = Some(info.ipi6_addr.s6_addr.into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                // SAFETY: by the contract, an int.
                let hops = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                self.hop_limit = u8::try_from(hops).ok();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn outgoing<'a>(bytes: &'a [u8], to: SocketAddr, source: IpAddr) -> Outgoing<'a> {
        Outgoing {
            parts: [&bytes[..1], &bytes[1..]],
            to,
            source,
            interface: 1,
            hop_limit: source.is_ipv6().then_some(77),
        }
    }

    #[test]
    fn forty_datagrams_arrive_in_order_and_a_bad_one_keeps_none_back() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = there.local_addr().unwrap();
        let source = to.ip();
        let bytes: Vec<[u8; 3]> = (0..40).map(|number| [number, 1, 2]).collect();
        let mut datagrams: Vec<Outgoing<'_>> = bytes.iter().map(|bytes| outgoing(bytes, to, source)).collect();
        // No link has this number.
        datagrams[20].interface = 4_000_000;
        let mut failed = Vec::new();
        send_datagrams(
            &here,
            0,
            &datagrams,
            |one| *one,
            |index, error| {
                failed.push((index, error.raw_os_error()));
            },
        );
        assert_eq!(failed, [(20, Some(libc::ENODEV))]);
        let mut inbox = Inbox::new(2);
        let mut first = Vec::new();
        while inbox.receive(&there, to.is_ipv6()).unwrap() > 0 {
            assert!(inbox.get(Inbox::CAPACITY).is_none());
            let got = (0..Inbox::CAPACITY).map_while(|i| inbox.get(i));
            first.extend(got.map(|incoming| (incoming.bytes.to_vec(), incoming.stamp)));
        }
        // Cut to what fits in.
        let expected: Vec<_> = (0..40).filter(|n| *n != 20).map(|n| (vec![n, 1], None)).collect();
        assert_eq!(first, expected);
    }

    #[test]
    fn what_the_kernel_knows_of_an_ipv6_datagram_is_told() {
        use nix::sys::socket::{setsockopt, sockopt};
        let Ok(there) = UdpSocket::bind("[::1]:0") else {
            eprintln!("NOT RUN: no IPv6 here");
            return;
        };
        setsockopt(&there, sockopt::Ipv6RecvPacketInfo, &true).unwrap();
        setsockopt(&there, sockopt::ReceiveTimestampns, &true).unwrap();
        socket2::SockRef::from(&there).set_recv_hoplimit_v6(true).unwrap();
        let here = UdpSocket::bind("[::1]:0").unwrap();
        let to = there.local_addr().unwrap();
        send_datagrams(
            &here,
            0,
            &[outgoing(b"abc", to, to.ip())],
            |one| *one,
            |_, error| panic!("{error}"),
        );
        let mut inbox = Inbox::new(100);
        assert_eq!(inbox.receive(&there, to.is_ipv6()).unwrap(), 1);
        let incoming = inbox.get(0).unwrap();
        let here = Some(Ipv6Addr::LOCALHOST);
        assert_eq!(
            (
                incoming.bytes,
                incoming.source,
                incoming.destination,
                incoming.hop_limit
            ),
            (&b"abc"[..], here, here, Some(77))
        );
        assert!(incoming.stamp.is_some());
    }
}
