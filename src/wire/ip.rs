//! The IPv4 header, as raw sockets give it and as we send it.

use super::{ParseError, bytes_at, checksum::checksum};
use std::net::Ipv4Addr;

/// IP protocol number of VRRP.
pub const PROTO_VRRP: u8 = 112;
/// IP protocol number of AH.
pub const PROTO_AH: u8 = 51;
/// DSCP CS6, as keepalived marks its adverts.
pub const TOS_CS6: u8 = 0xc0;

/// An IPv4 header without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4Header {
    /// Type of service.
    pub tos: u8,
    /// Total length as stated.
    pub total_len: u16,
    /// Identification.
    pub id: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol.
    pub protocol: u8,
    /// Source.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
    /// Length of the header with options, in bytes.
    pub header_len: usize,
}

impl Ipv4Header {
    /// Reads a header; the rest is what follows it. Whether the stated total length fits is for the caller to judge.
    ///
    /// # Errors
    /// When there is no whole header.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let short = ParseError::TooShort {
            len: bytes.len(),
            need: 20,
        };
        let [first, tos, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _] = bytes_at::<12>(bytes, 0).ok_or(short)?;
        let source = bytes_at::<4>(bytes, 12).ok_or(short)?;
        let destination = bytes_at::<4>(bytes, 16).ok_or(short)?;
        if first >> 4 != 4 {
            return Err(ParseError::NotIpv4);
        }
        let header_len = usize::from(first & 0x0f) * 4;
        if header_len < 20 {
            return Err(ParseError::HeaderLength);
        }
        let payload = bytes.get(header_len..).ok_or(ParseError::HeaderLength)?;
        let header = Self {
            tos,
            total_len: u16::from_be_bytes([l0, l1]),
            id: u16::from_be_bytes([i0, i1]),
            fragment: u16::from_be_bytes([f0, f1]),
            ttl,
            protocol,
            source: source.into(),
            destination: destination.into(),
            header_len,
        };
        Ok((header, payload))
    }

    /// The 20 bytes of a header without options before a payload of this length, checksum included.
    #[must_use]
    pub fn emit(&self, payload_len: u16) -> [u8; 20] {
        let [l0, l1] = payload_len.saturating_add(20).to_be_bytes();
        let ([i0, i1], [f0, f1]) = (self.id.to_be_bytes(), self.fragment.to_be_bytes());
        let ([a, b, c, d], [e, f, g, h]) = (self.source.octets(), self.destination.octets());
        let mut bytes = [
            0x45,
            self.tos,
            l0,
            l1,
            i0,
            i1,
            f0,
            f1,
            self.ttl,
            self.protocol,
            0,
            0,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
        ];
        let [s0, s1] = checksum(&[&bytes]).to_be_bytes();
        bytes[10] = s0;
        bytes[11] = s1;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wire.md section 3, seen in a capture of keepalived.
    const HEADER: [u8; 20] = [
        0x45, 0xc0, 0x00, 0x28, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x18, 0x91, 0xc0, 0x00, 0x02, 0x01, 0xe0, 0x00,
        0x00, 0x12,
    ];

    #[test]
    fn a_captured_header_is_read_and_written() {
        let (header, rest) = Ipv4Header::parse(&HEADER).unwrap();
        assert_eq!(
            (header.tos, header.ttl, header.protocol, header.id),
            (TOS_CS6, 255, PROTO_VRRP, 1)
        );
        assert_eq!(header.source, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(header.destination, Ipv4Addr::new(224, 0, 0, 18));
        assert!(rest.is_empty());
        assert_eq!(header.emit(20), HEADER);
    }

    #[test]
    fn every_truncation_is_refused() {
        for len in 0..HEADER.len() {
            assert!(Ipv4Header::parse(&HEADER[..len]).is_err(), "{len}");
        }
        let mut options = HEADER;
        options[0] = 0x46;
        assert_eq!(Ipv4Header::parse(&options).unwrap_err(), ParseError::HeaderLength);
    }
}
