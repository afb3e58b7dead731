//! Gratuitous ARP as keepalived sends it: a request for the address by the address, target hardware address all ones (wire §11).

use super::{ParseError, bytes_at};
use crate::model::MacAddr;
use std::net::Ipv4Addr;

/// "This address is at this hardware address", to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GratuitousArp {
    /// Where the address is.
    pub mac: MacAddr,
    /// The address.
    pub address: Ipv4Addr,
}

/// Any ARP packet for IPv4 over Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpPacket {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Sender's hardware address.
    pub sender_mac: MacAddr,
    /// Sender's address.
    pub sender: Ipv4Addr,
    /// Target's hardware address.
    pub target_mac: MacAddr,
    /// Target's address.
    pub target: Ipv4Addr,
}

const HEAD: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];

impl GratuitousArp {
    /// The whole Ethernet frame.
    #[must_use]
    pub fn emit(&self) -> [u8; 42] {
        let (mac, address) = (self.mac.0, self.address.octets());
        let fields = [0xff; 6].into_iter().chain(mac).chain([0x08, 0x06]).chain(HEAD);
        let fields = fields.chain(mac).chain(address).chain([0xff; 6]).chain(address);
        let mut frame = [0; 42];
        for (to, from) in frame.iter_mut().zip(fields) {
            *to = from;
        }
        frame
    }
}

impl ArpPacket {
    /// Reads an Ethernet frame.
    ///
    /// # Errors
    /// When it is no ARP packet for IPv4 over Ethernet.
    pub fn parse(frame: &[u8]) -> Result<Self, ParseError> {
        let read = || {
            let kind = bytes_at::<2>(frame, 12)?;
            let [h0, h1, p0, p1, hl, pl, o0, o1] = bytes_at::<8>(frame, 14)?;
            if kind != [0x08, 0x06] || [h0, h1, p0, p1, hl, pl] != [0, 1, 8, 0, 6, 4] {
                return None;
            }
            Some(Self {
                operation: u16::from_be_bytes([o0, o1]),
                sender_mac: MacAddr(bytes_at(frame, 22)?),
                sender: bytes_at::<4>(frame, 28)?.into(),
                target_mac: MacAddr(bytes_at(frame, 32)?),
                target: bytes_at::<4>(frame, 38)?.into(),
            })
        };
        read().ok_or(ParseError::NotArp)
    }

    /// Whether it announces its sender's own address.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_equals_keepaliveds() {
        // wire.md section 11, captured.
        let expected = "ffffffffffff02005e10000a0806000108000604000102005e10000ac0000264ffffffffffffc0000264";
        let arp = GratuitousArp {
            mac: MacAddr([2, 0, 0x5e, 0x10, 0, 0x0a]),
            address: Ipv4Addr::new(192, 0, 2, 100),
        };
        let frame = arp.emit();
        let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, expected);
        let read = ArpPacket::parse(&frame).unwrap();
        assert!(read.is_gratuitous() && read.operation == 1 && read.sender_mac == arp.mac);
        for len in 0..frame.len() {
            assert!(ArpPacket::parse(&frame[..len]).is_err(), "{len}");
        }
    }
}
