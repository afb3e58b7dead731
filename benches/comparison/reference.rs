//! The measures beside the daemons: a sender that does nothing but send on time, and the bare calls for addresses.

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vrrpd::model::{AdvertInterval, Authentication, Family, Priority, Version, Vrid};
use vrrpd::sys::FrameSender;
use vrrpd::system::clock;
use vrrpd::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use vrrpd::wire::vrrp::{ChecksumForm, build};

/// A VRRPv3 advert as a whole frame.
pub(crate) struct Advert {
    pub(crate) source: Ipv4Addr,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) interval: Duration,
    pub(crate) address: IpAddr,
}

impl Advert {
    pub(crate) fn frame(&self) -> Vec<u8> {
        let group = Ipv4Addr::new(224, 0, 0, 18);
        let centiseconds = u16::try_from(self.interval.as_millis() / 10).unwrap();
        let message = build(
            Version::V3,
            Family::Ipv4,
            Vrid::new(self.vrid).unwrap(),
            Priority(self.priority),
            AdvertInterval::from_centiseconds(centiseconds).unwrap(),
            &Authentication::None,
            &[self.address],
            ChecksumForm::PseudoHeader,
            self.source.into(),
            group.into(),
        );
        let header = Ipv4Header {
            tos: TOS_CS6,
            total_len: 0,
            id: 1,
            fragment: 0,
            ttl: 255,
            protocol: PROTO_VRRP,
            source: self.source,
            destination: group,
            header_len: 20,
        };
        let ethernet = [1, 0, 0x5e, 0, 0, 0x12, 2, 0, 0x5e, 0x30, 0, 1, 8, 0];
        let header = header.emit(u16::try_from(message.len()).unwrap());
        [&ethernet[..], &header, &message].concat()
    }
}

/// Sends these frames, each with the name of its link, back to back once an interval, for ever, each round when it is due.
pub(crate) fn send_on_time(interval: Duration, frames: &[(&str, Vec<u8>)]) -> io::Result<()> {
    let sender = FrameSender::new()?;
    let frames: Vec<(u32, &[u8])> = frames
        .iter()
        .map(|(link, frame)| Ok((nix::net::if_::if_nametoindex(*link)?, frame.as_slice())))
        .collect::<io::Result<_>>()?;
    let mut due = Duration::from_micros(clock::now().0);
    loop {
        due += interval;
        clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &TimeSpec::from(due),
        )?;
        for (link, frame) in &frames {
            sender.send(*link, frame)?;
        }
    }
}

/// Requests in one send, as many as vrrpd puts into one.
const BATCH: usize = 32;

/// Sets these addresses on a link and removes them again, by nothing but the calls, with a monitor that is read meanwhile.
/// Waits for `pause` between.
pub(crate) fn bare_addresses(link: &str, addresses: &[Ipv4Addr], pause: Duration) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(link)?;
    let mut monitor = Socket::new(NETLINK_ROUTE)?;
    monitor.bind_auto()?;
    monitor.set_rx_buf_sz(8usize << 20)?;
    monitor.add_membership(5)?;
    monitor.set_non_blocking(true)?;
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.set_cap_ack(true)?;
    let batches = |add: bool| -> Vec<Vec<u8>> {
        addresses
            .chunks(BATCH)
            .map(|chunk| chunk.iter().flat_map(|address| request(add, *address, index)).collect())
            .collect()
    };
    let (adding, removing) = (batches(true), batches(false));
    run(&socket, &monitor, &adding)?;
    std::thread::park_timeout(pause);
    run(&socket, &monitor, &removing)
}

fn run(socket: &Socket, monitor: &Socket, batches: &[Vec<u8>]) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(64 << 10);
    for batch in batches {
        socket.send_to(batch, &SocketAddr::new(0, 0), 0)?;
        let mut left = batch.len() / request(true, Ipv4Addr::UNSPECIFIED, 1).len();
        while left > 0 {
            buffer.clear();
            socket.recv(&mut buffer, 0)?;
            // An acknowledgement without the request is 36 bytes long.
            left = left.saturating_sub(buffer.len().div_ceil(36));
        }
        loop {
            buffer.clear();
            if monitor.recv(&mut buffer, libc::MSG_DONTWAIT).is_err() {
                break;
            }
        }
    }
    Ok(())
}

fn request(add: bool, address: Ipv4Addr, index: u32) -> Vec<u8> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(address.into()),
        AddressAttribute::Address(address.into()),
    ];
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | if add { NLM_F_CREATE } else { 0 };
    header.sequence_number = 1;
    let request = if add {
        RouteNetlinkMessage::NewAddress(message)
    } else {
        RouteNetlinkMessage::DelAddress(message)
    };
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
