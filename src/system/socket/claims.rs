//! Watches for other nodes that claim our addresses by ARP or neighbour advertisement.

use crate::model::{IfIndex, MacAddr};
use crate::wire::arp::ArpPacket;
use crate::wire::ndp::UnsolicitedNa;
use nix::sys::socket::{SockaddrStorage, recvfrom};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
/// Addresses that the kernel compares for us; with more of them every claim is read.
const FILTERED: usize = 2_000;
/// Claims read in one go.
const AT_ONCE: usize = 64;

/// Both families' sockets. They give nothing until addresses are watched.
#[derive(Debug)]
pub struct ClaimWatcher {
    arp: Socket,
    na: Socket,
}

/// Somebody says that an address is at a hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Link that it was heard on.
    pub interface: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: MacAddr,
}

impl ClaimWatcher {
    /// New sockets that watch nothing.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn new() -> io::Result<Self> {
        let open = |protocol: u16| -> io::Result<Socket> {
            // Packet sockets take their protocol in network order; what comes before the filter is thrown away.
            let protocol = Protocol::from(i32::from(protocol.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(protocol))?;
            socket.attach_filter(&[super::receive::drop_all()])?;
            let mut rest = [0; 64];
            while recvfrom::<SockaddrStorage>(socket.as_raw_fd(), &mut rest).is_ok() {}
            Ok(socket)
        };
        Ok(Self {
            arp: open(ETH_P_ARP)?,
            na: open(ETH_P_IPV6)?,
        })
    }

    /// The descriptors to wait for.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.arp.as_fd(), self.na.as_fd()]
    }

    /// From now on claims of these addresses are told, and no others as far as the kernel can tell.
    ///
    /// # Errors
    /// When the kernel refuses the filter.
    pub fn watch(&self, addresses: &[IpAddr]) -> io::Result<()> {
        let v4: Vec<u32> = addresses
            .iter()
            .filter_map(|a| {
                if let IpAddr::V4(v4) = a {
                    Some(v4.to_bits())
                } else {
                    None
                }
            })
            .collect();
        let low = |bits: u128| u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0);
        let v6: Vec<u32> = addresses
            .iter()
            .filter_map(|a| {
                if let IpAddr::V6(v6) = a {
                    Some(low(v6.to_bits()))
                } else {
                    None
                }
            })
            .collect();
        self.arp.attach_filter(&filter(Vec::new(), ARP_SENDER, &v4))?;
        // Next header ICMPv6, type 136.
        let neighbour_advert = vec![
            SockFilter::new(LOAD_BYTE, 0, 0, 20),
            SockFilter::new(JUMP_EQUAL, 1, 0, 58),
            super::receive::drop_all(),
            SockFilter::new(LOAD_BYTE, 0, 0, 54),
            SockFilter::new(JUMP_EQUAL, 1, 0, 136),
            super::receive::drop_all(),
        ];
        self.na.attach_filter(&filter(neighbour_advert, NA_TARGET_END, &v6))
    }

    /// Claims that have come, a limited number of them.
    pub fn read(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        read(&self.arp, &mut claims, |frame| {
            let arp = ArpPacket::parse(frame).ok()?;
            // A probe asks whether an address is free; it claims nothing (RFC 5227 section 1.1).
            (arp.sender != Ipv4Addr::UNSPECIFIED).then_some((IpAddr::V4(arp.sender), arp.sender_mac))
        });
        read(&self.na, &mut claims, |frame| {
            let na = UnsolicitedNa::parse(frame).ok()?;
            Some((IpAddr::V6(na.address), na.mac))
        });
        claims
    }
}

fn read(socket: &Socket, claims: &mut Vec<Claim>, parse: impl Fn(&[u8]) -> Option<(IpAddr, MacAddr)>) {
    let mut frame = [0; 128];
    for _ in 0..AT_ONCE {
        // An error is EAGAIN, or a link that went down, which the monitor tells as well.
        let Ok((len, from)) = recvfrom::<SockaddrStorage>(socket.as_raw_fd(), &mut frame) else {
            return;
        };
        let index = from.and_then(|from| u32::try_from(from.as_link_addr()?.ifindex()).ok());
        let parsed = frame.get(..len).and_then(&parse);
        if let (Some(index), Some((address, mac))) = (index, parsed) {
            let interface = IfIndex(index);
            claims.push(Claim {
                interface,
                address,
                mac,
            });
        }
    }
}

/// Sender address of an ARP packet behind its Ethernet header.
const ARP_SENDER: u32 = 28;
/// The last four bytes of a neighbour advertisement's target.
const NA_TARGET_END: u32 = 74;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Lets through what has one of these words there.
fn filter(mut program: Vec<SockFilter>, at: u32, words: &[u32]) -> Vec<SockFilter> {
    if words.len() > FILTERED {
        program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
        return program;
    }
    program.push(SockFilter::new(LOAD_WORD, 0, 0, at));
    for word in words {
        program.push(SockFilter::new(JUMP_EQUAL, 0, 1, *word));
        program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    }
    program.push(super::receive::drop_all());
    program
}
