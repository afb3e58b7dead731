//! The socket that requests go out on: many requests a send, errors read from the replies.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums are the kernel's, and only a few of their values matter here"
)]

use super::buffer::set_wanted;
use crate::model::NetlinkBuffer;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;

/// Requests in one send: more would keep the kernel's lock for long.
const BATCH: usize = 32;
/// Room for the replies to a batch, and to a dump.
const RECEIVE_BUFFER: usize = 1 << 20;
/// How often a dump is repeated that the kernel calls interrupted.
const DUMP_TRIES: u32 = 10;

/// A blocking netlink socket.
#[derive(Debug)]
pub struct CommandSocket {
    socket: Socket,
    port: u32,
    sequence: u32,
}

impl CommandSocket {
    /// A new socket, bound to a port of its own. `wanted`: `vrrp_netlink_cmd_rcv_bufs` and its `_force`.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn new(wanted: NetlinkBuffer) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        set_wanted(&socket, wanted, RECEIVE_BUFFER)?;
        // Acknowledgements need not repeat the request.
        socket.set_cap_ack(true)?;
        Ok(Self {
            socket,
            port,
            sequence: 0,
        })
    }

    /// The port id by which the monitor knows our own changes.
    #[must_use]
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Carries requests out, in order. For each: 0, or the kernel's error number.
    ///
    /// # Errors
    /// When the socket itself fails.
    pub fn execute(&mut self, requests: Vec<RouteNetlinkMessage>) -> io::Result<Vec<i32>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let first = self.sequence.wrapping_add(1);
            let (mut bytes, mut count) = (Vec::new(), 0u32);
            for request in requests.by_ref().take(BATCH) {
                self.sequence = self.sequence.wrapping_add(1);
                append(&mut bytes, request, NLM_F_REQUEST | NLM_F_ACK, self.sequence);
                count += 1;
            }
            self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
            self.collect(first, count, &mut results)?;
        }
        Ok(results)
    }

    fn collect(&self, first: u32, count: u32, results: &mut Vec<i32>) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let (bytes, from) = self.socket.recv_from_full()?;
            if from.port_number() != 0 {
                continue;
            }
            for message in messages(&bytes) {
                let sequence = message.header.sequence_number;
                if sequence.wrapping_sub(first) >= count {
                    continue;
                }
                if let NetlinkPayload::Error(error) = message.payload
                    && left > 0
                {
                    results.push(error.code.map_or(0, |code| code.get().saturating_neg()));
                    left -= 1;
                }
            }
        }
        Ok(())
    }

    /// All objects of a kind.
    ///
    /// # Errors
    /// When the socket fails, or the kernel cannot give a consistent answer.
    pub fn dump(&mut self, request: &RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..DUMP_TRIES {
            if let Some(found) = self.dump_once(request.clone())? {
                return Ok(found);
            }
        }
        Err(io::Error::other("the kernel's list changes faster than it can be read"))
    }

    /// `None` when the list changed while it was read.
    fn dump_once(&mut self, request: RouteNetlinkMessage) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        append(&mut bytes, request, NLM_F_REQUEST | NLM_F_DUMP, self.sequence);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let (mut found, mut consistent) = (Vec::new(), true);
        loop {
            let (bytes, from) = self.socket.recv_from_full()?;
            if from.port_number() != 0 {
                continue;
            }
            for message in messages(&bytes) {
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                consistent &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(consistent.then_some(found)),
                    NetlinkPayload::Error(error) => {
                        return Err(io::Error::from_raw_os_error(
                            error.code.map_or(0, |code| code.get().saturating_neg()),
                        ));
                    }
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    _ => {}
                }
            }
        }
    }
}

fn append(bytes: &mut Vec<u8>, request: RouteNetlinkMessage, flags: u16, sequence: u32) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
    message.finalize();
    let start = bytes.len();
    bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
    if let Some(room) = bytes.get_mut(start..) {
        message.serialize(room);
    }
}

/// The messages of a datagram; what cannot be read is left out.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = NetlinkMessage<RouteNetlinkMessage>> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let stated = rest.first_chunk::<4>().map(|len| u32::from_ne_bytes(*len))?;
        let len = usize::try_from(stated)
            .ok()
            .filter(|len| *len >= 16 && *len <= rest.len())?;
        let (message, _) = rest.split_at(len);
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(message).ok())
    })
    .flatten()
}
