//! The Internet checksum (RFC 1071) and the pseudo-headers that go into it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The checksum of these parts, each of which begins on an even byte. 0 means that parts which hold their own checksum are right.
#[must_use]
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        let mut pairs = part.chunks_exact(2);
        for pair in &mut pairs {
            if let [high, low] = pair {
                sum += u64::from(u16::from_be_bytes([*high, *low]));
            }
        }
        if let [last] = pairs.remainder() {
            sum += u64::from(u16::from_be_bytes([*last, 0]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// Pseudo-header of RFC 5798 section 5.2.8 for `len` bytes of protocol 112.
#[must_use]
pub fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, len: u16) -> [u8; 12] {
    let ([a, b, c, d], [e, f, g, h], [i, j]) = (source.octets(), destination.octets(), len.to_be_bytes());
    [a, b, c, d, e, f, g, h, 0, super::ip::PROTO_VRRP, i, j]
}

/// Pseudo-header of RFC 8200 section 8.1 for `len` bytes of this next header.
#[must_use]
pub fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, len: u32, next_header: u8) -> [u8; 40] {
    let mut bytes = [0; 40];
    let fields = source
        .octets()
        .into_iter()
        .chain(destination.octets())
        .chain(len.to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(fields.chain([0, 0, 0, next_header])) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_1071_section_3() {
        // 0001 f203 f4f5 f6f7 sums to 2ddf0 → ddf2; the checksum is its complement.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2]]), !(0x0001 + 0xf200));
    }
}
