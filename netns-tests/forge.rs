//! Adverts that nobody may believe, built by hand and sent by a stranger on the LAN; and an ear that hears one node only.

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, sendmmsg};
use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::util::{checksum, ipv4_checksum, ipv6_checksum};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use vrrpd::model::{Instant, Micros};
use vrrpd::system::clock;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
pub(crate) const VRID: u8 = 51;
/// The priority of every forgery but [`Wrong::Worse`].
const FORGED: u8 = 200;
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
pub(crate) const VIP6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100);

/// What is wrong with an advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Checksum,
    Ttl,
    Version,
    Kind,
    Length,
    Password,
    AuthType,
    Interval,
    /// A VRID that nobody has, another one each time.
    Vrid,
    /// A wrong checksum, from another address each time.
    Source,
    /// A wrong checksum, in the name of the master.
    Name,
    /// Nothing but a priority that is worse than everybody's, from another address each time.
    Worse,
}

impl Wrong {
    /// What can be wrong in every version, then what only version 2 has.
    const ALL: [Self; 8] = [
        Self::Checksum,
        Self::Ttl,
        Self::Version,
        Self::Kind,
        Self::Length,
        Self::Password,
        Self::AuthType,
        Self::Interval,
    ];
    const OF_BOTH: usize = 5;
    /// What is mixed with that where the sender's address can be made up.
    pub(crate) const OF_STRANGERS: [Self; 3] = [Self::Vrid, Self::Source, Self::Name];

    /// The counter of `vrrpd status --json` that has to move.
    pub(crate) fn counter(self) -> Option<&'static str> {
        let counter = match self {
            Self::Vrid | Self::Worse => return None,
            Self::Checksum | Self::Source | Self::Name => "checksum",
            Self::Ttl => "ttl",
            Self::Version => "version",
            Self::Kind => "type",
            Self::Length => "length",
            Self::Password => "auth",
            Self::AuthType => "auth_mismatch",
            Self::Interval => "interval",
        };
        Some(counter)
    }

    /// How many of this kind are sent before it begins anew.
    pub(crate) fn variants(self) -> u8 {
        match self {
            Self::Vrid => 200,
            Self::Source => 100,
            Self::Worse => 150,
            _ => 1,
        }
    }
}

/// The protocol of the nodes that are disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lan {
    V2,
    V3,
    V3Ipv6,
    /// Version 3, from peer to peer.
    Unicast,
}

impl Lan {
    pub(crate) fn version(self) -> u8 {
        if self == Self::V2 { 2 } else { 3 }
    }

    /// What can be wrong with an advert here.
    pub(crate) fn wrongs(self) -> &'static [Wrong] {
        if self == Self::V2 {
            &Wrong::ALL
        } else {
            &Wrong::ALL[..Wrong::OF_BOTH]
        }
    }
}

/// An advert that is right but for one thing. Version 2 has the password `1111`.
fn message(lan: Lan, source: IpAddr, to: IpAddr, (wrong, variant): (Wrong, u8)) -> Vec<u8> {
    let version = if wrong == Wrong::Version {
        5 - lan.version()
    } else {
        lan.version()
    };
    let kind = if wrong == Wrong::Kind { 2 } else { 1 };
    let vrid = if wrong == Wrong::Vrid { VRID + 1 + variant } else { VRID };
    let priority = if wrong == Wrong::Worse { 50 } else { FORGED };
    let mut message = vec![version << 4 | kind, vrid, priority, 1];
    match version {
        2 => message.extend([
            u8::from(wrong != Wrong::AuthType),
            if wrong == Wrong::Interval { 7 } else { 1 },
        ]),
        _ => message.extend([0, 100]),
    }
    message.extend([0, 0]);
    match lan {
        Lan::V3Ipv6 => message.extend(VIP6.octets()),
        Lan::V2 | Lan::V3 | Lan::Unicast => message.extend(VIP.octets()),
    }
    if version == 2 {
        message.extend(if wrong == Wrong::Password { b"2222" } else { b"1111" });
        message.extend([0; 4]);
    }
    if wrong == Wrong::Length {
        message.truncate(10);
    }
    let sum = match (source, to) {
        (IpAddr::V6(source), IpAddr::V6(to)) => {
            ipv6_checksum(&message, 3, &[], &source, &to, IpNextHeaderProtocol(112))
        }
        (IpAddr::V4(source), IpAddr::V4(to)) if version == 3 => {
            ipv4_checksum(&message, 3, &[], &source, &to, IpNextHeaderProtocol(112))
        }
        _ => checksum(&message, 3),
    };
    let wrong_sum = matches!(wrong, Wrong::Checksum | Wrong::Source | Wrong::Name);
    let sum = if wrong_sum { sum ^ 0x0101 } else { sum };
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    message
}

/// With an IPv4 header; the kernel fills in identification and checksum.
fn packet(lan: Lan, own: Ipv4Addr, to: Ipv4Addr, wrong: (Wrong, u8)) -> Vec<u8> {
    let source = match wrong {
        (Wrong::Source | Wrong::Worse, variant) => Ipv4Addr::new(192, 0, 2, 101 + variant),
        // The second node is the master.
        (Wrong::Name, _) => Ipv4Addr::new(192, 0, 2, 2),
        _ => own,
    };
    let message = message(lan, source.into(), to.into(), wrong);
    let length = u16::try_from(20 + message.len()).unwrap().to_be_bytes();
    let ttl = if wrong.0 == Wrong::Ttl { 64 } else { 255 };
    let mut packet = vec![0x45, 0xc0, length[0], length[1], 0, 0, 0, 0, ttl, 112, 0, 0];
    packet.extend(source.octets());
    packet.extend(to.octets());
    packet.extend(message);
    packet
}

/// Sends one after the other of them at this rate for this time, and prints how many.
pub(crate) fn send(lan: Lan, source: IpAddr, wrongs: &[Wrong], a_second: u64, time: Micros) -> u8 {
    match try_send(lan, source, wrongs, a_second, time) {
        Ok(sent) => {
            println!("sent {sent}");
            0
        }
        Err(error) => {
            println!("{error}");
            1
        }
    }
}

fn try_send(lan: Lan, source: IpAddr, wrongs: &[Wrong], a_second: u64, time: Micros) -> io::Result<u64> {
    let (socket, to) = match source {
        IpAddr::V4(source) => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
            socket.set_multicast_if_v4(&source)?;
            (socket, SocketAddr::from((GROUP, 0)))
        }
        IpAddr::V6(source) => {
            let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(112)))?;
            let eth0 = nix::net::if_::if_nametoindex("eth0")?;
            socket.bind(&SocketAddrV6::new(source, 0, 0, eth0).into())?;
            (socket, SocketAddrV6::new(GROUP6, 0, 0, eth0).into())
        }
    };
    let targets: Vec<SocketAddr> = match lan {
        Lan::Unicast => [1, 2]
            .map(|node| SocketAddr::from((Ipv4Addr::new(192, 0, 2, node), 0)))
            .into(),
        _ => vec![to],
    };
    // All kinds in turn, and within a kind all variants.
    let mut packets = Vec::new();
    let longest = wrongs.iter().map(|wrong| wrong.variants()).max().unwrap_or(1);
    for variant in 0..longest {
        for (wrong, target) in wrongs
            .iter()
            .flat_map(|wrong| targets.iter().map(move |to| (*wrong, *to)))
        {
            let wrong = (wrong, variant % wrong.variants());
            let bytes = match (source, target) {
                (IpAddr::V4(own), SocketAddr::V4(to)) => packet(lan, own, *to.ip(), wrong),
                _ => message(lan, source, GROUP6.into(), wrong),
            };
            packets.push((wrong.0, target, bytes));
        }
    }
    let start = clock::now();
    let mut sent = 0;
    let batch = if source.is_ipv4() && a_second >= FAST { BATCH } else { 1 };
    let mut headers = MultiHeaders::preallocate(batch, None);
    let mut next = packets.iter().cycle();
    while clock::now().since(start) < time {
        while gone_before(start, sent, a_second) {
            nix::poll::poll(&mut [], nix::poll::PollTimeout::from(1_u8))?;
        }
        let batch: Vec<&Packet> = next.by_ref().take(batch).collect();
        match (source, batch.first()) {
            (IpAddr::V6(_), Some((wrong, to, packet))) => {
                socket.set_multicast_hops_v6(if *wrong == Wrong::Ttl { 64 } else { 255 })?;
                socket.send_to(packet, &(*to).into())?;
            }
            _ => send_together(&socket, &mut headers, &batch)?,
        }
        sent += batch.len() as u64;
    }
    Ok(sent)
}

/// One packet costs one call of the system up to this rate.
const FAST: u64 = 1_000;
/// Packets a call beyond it.
const BATCH: usize = 64;

/// What is wrong with it, where it goes, its bytes.
type Packet = (Wrong, SocketAddr, Vec<u8>);

fn send_together(socket: &Socket, headers: &mut MultiHeaders<SockaddrIn>, packets: &[&Packet]) -> io::Result<()> {
    let parts: Vec<[IoSlice<'_>; 1]> = packets.iter().map(|(_, _, bytes)| [IoSlice::new(bytes)]).collect();
    let to = |packet: &&Packet| match packet.1 {
        SocketAddr::V4(to) => Some(SockaddrIn::from(to)),
        SocketAddr::V6(_) => None,
    };
    let to: Vec<Option<SockaddrIn>> = packets.iter().map(to).collect();
    // A host that has no such address answers nothing; that is no reason to stop.
    sendmmsg(socket.as_raw_fd(), headers, &parts, &to, [], MsgFlags::empty())?;
    Ok(())
}

/// Whether the next packet is not due yet.
fn gone_before(start: Instant, sent: u64, a_second: u64) -> bool {
    clock::now().since(start).0 * a_second / 1_000_000 < sent
}

/// Prints the time of every advert of this source, whatever else is on the LAN.
pub(crate) fn hear(own: Ipv4Addr, source: Ipv4Addr) -> u8 {
    match try_hear(own, source) {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            1
        }
    }
}

fn try_hear(own: Ipv4Addr, source: Ipv4Addr) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    // Compare the source address of the IP header, and the priority behind it with that of no forgery; take all or nothing.
    socket.attach_filter(&[
        SockFilter::new(0x20, 0, 0, 12),
        SockFilter::new(0x15, 0, 3, u32::from(source)),
        SockFilter::new(0x30, 0, 0, 22),
        SockFilter::new(0x15, 1, 0, u32::from(FORGED)),
        SockFilter::new(0x06, 0, 0, u32::MAX),
        SockFilter::new(0x06, 0, 0, 0),
    ])?;
    socket.join_multicast_v4(&GROUP, &own)?;
    println!("listens");
    let mut buffer = [MaybeUninit::uninit(); 256];
    loop {
        socket.recv(&mut buffer)?;
        println!("{}", clock::now().0);
    }
}

/// A time that [`hear`] printed.
pub(crate) fn heard(line: &str) -> Option<Instant> {
    line.parse().ok().map(Instant)
}
