//! Unsolicited neighbour advertisement as keepalived sends it (wire §11, RFC 4861 section 4.4).

use super::{ParseError, bytes_at, checksum};
use crate::model::MacAddr;
use std::net::Ipv6Addr;

/// "This address is at this hardware address", to all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnsolicitedNa {
    /// Where the address is.
    pub mac: MacAddr,
    /// The address.
    pub address: Ipv6Addr,
    /// Whether we forward IPv6 (flag R).
    pub router: bool,
}

const ICMPV6: u8 = 58;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl UnsolicitedNa {
    /// The whole Ethernet frame.
    #[must_use]
    pub fn emit(&self) -> [u8; 86] {
        let (mac, address) = (self.mac.0, self.address.octets());
        let flags = if self.router { 0xa0 } else { 0x20 };
        let mut icmp = [0; 32];
        let fields = [136, 0, 0, 0, flags, 0, 0, 0]
            .into_iter()
            .chain(address)
            .chain([2, 1])
            .chain(mac);
        for (to, from) in icmp.iter_mut().zip(fields) {
            *to = from;
        }
        let pseudo = checksum::pseudo_v6(self.address, ALL_NODES, 32, ICMPV6);
        let [s0, s1] = checksum::checksum(&[&pseudo, &icmp]).to_be_bytes();
        icmp[2] = s0;
        icmp[3] = s1;
        let ethernet = [0x33, 0x33, 0, 0, 0, 1].into_iter().chain(mac).chain([0x86, 0xdd]);
        let ip = [0x60, 0, 0, 0, 0, 32, ICMPV6, 255]
            .into_iter()
            .chain(address)
            .chain(ALL_NODES.octets());
        let mut frame = [0; 86];
        for (to, from) in frame.iter_mut().zip(ethernet.chain(ip).chain(icmp)) {
            *to = from;
        }
        frame
    }

    /// Reads an Ethernet frame.
    ///
    /// # Errors
    /// When it is no neighbour advertisement with a target link-layer address.
    pub fn parse(frame: &[u8]) -> Result<Self, ParseError> {
        let read = || {
            let ethernet = bytes_at::<2>(frame, 12)?;
            let [kind, code] = bytes_at::<2>(frame, 54)?;
            let [option, length] = bytes_at::<2>(frame, 78)?;
            if ethernet != [0x86, 0xdd]
                || *frame.get(20)? != ICMPV6
                || (kind, code) != (136, 0)
                || (option, length) != (2, 1)
            {
                return None;
            }
            Some(Self {
                mac: MacAddr(bytes_at(frame, 80)?),
                address: bytes_at::<16>(frame, 62)?.into(),
                router: frame.get(58)? & 0x80 != 0,
            })
        };
        read().ok_or(ParseError::NotNeighbourAdvert)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_frame_is_read_back_and_its_checksum_is_right() {
        let na = UnsolicitedNa {
            mac: MacAddr([2, 0, 0x5e, 0x10, 0, 0x0a]),
            address: "2001:db8:1::100".parse().unwrap(),
            router: true,
        };
        let frame = na.emit();
        assert_eq!(UnsolicitedNa::parse(&frame), Ok(na));
        let pseudo = checksum::pseudo_v6(na.address, ALL_NODES, 32, ICMPV6);
        assert_eq!(checksum::checksum(&[&pseudo, &frame[54..]]), 0);
        for len in 0..frame.len() {
            assert!(UnsolicitedNa::parse(&frame[..len]).is_err(), "{len}");
        }
    }
}
