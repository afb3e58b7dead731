//! Authentication: the AH header of version 2 (RFC 2402 with HMAC-MD5-96, RFC 2403) and keepalived's `auth_hmac` trailer
//! (wire §6 and §7). Bytes and sums only; which sequence is fresh is for the core to judge.

use super::{ParseError, bytes_at};
use crate::model::{Micros, Password};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::net::IpAddr;

/// Length of an AH header with a 96 bit sum.
pub const AH_LEN: usize = 24;
/// Length of a trailer.
pub const TRAILER_LEN: usize = 28;
/// Where the sum begins in a trailer.
const TAG_AT: usize = 12;

/// The AH header in front of a version 2 advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AhHeader {
    /// Protocol of what follows: 112.
    pub next_header: u8,
    /// Length in words of four bytes, less two: 4.
    pub payload_len: u8,
    /// Reserved bytes, 0 when sent.
    pub reserved: u16,
    /// Security parameters index: the IPv4 source address.
    pub spi: u32,
    /// Counts up.
    pub sequence: u32,
    /// First 12 bytes of the HMAC-MD5.
    pub icv: [u8; 12],
}

impl AhHeader {
    /// A header as keepalived sends it, its sum still 0.
    #[must_use]
    pub const fn new(source: std::net::Ipv4Addr, sequence: u32) -> Self {
        Self {
            next_header: super::ip::PROTO_VRRP,
            payload_len: 4,
            reserved: 0,
            spi: source.to_bits(),
            sequence,
            icv: [0; 12],
        }
    }

    /// Reads a header; the rest is what follows its 24 bytes.
    ///
    /// # Errors
    /// When there are fewer bytes.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        let short = ParseError::TooShort {
            len: bytes.len(),
            need: AH_LEN,
        };
        let [next_header, payload_len, r0, r1] = bytes_at::<4>(bytes, 0).ok_or(short)?;
        let header = Self {
            next_header,
            payload_len,
            reserved: u16::from_be_bytes([r0, r1]),
            spi: u32::from_be_bytes(bytes_at(bytes, 4).ok_or(short)?),
            sequence: u32::from_be_bytes(bytes_at(bytes, 8).ok_or(short)?),
            icv: bytes_at(bytes, 12).ok_or(short)?,
        };
        Ok((header, bytes.get(AH_LEN..).ok_or(short)?))
    }

    /// The 24 bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; AH_LEN] {
        let mut bytes = [0; AH_LEN];
        let fields = [self.next_header, self.payload_len]
            .into_iter()
            .chain(self.reserved.to_be_bytes())
            .chain(self.spi.to_be_bytes())
            .chain(self.sequence.to_be_bytes())
            .chain(self.icv);
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    /// The sum that this header should carry between an IPv4 header, as sent, and a message. keepalived takes the TTL as
    /// it is for a group, as 0 for a peer (wire §6).
    #[must_use]
    pub fn sum(&self, password: Password, ip_header: &[u8], message: &[u8], unicast: bool) -> [u8; 12] {
        let mut ip = ip_header.to_vec();
        // Type of service, flags and fragment offset, header checksum: they may change on the way.
        let zeroed = [1, 6, 7, 10, 11].into_iter().chain(unicast.then_some(8));
        for position in zeroed {
            if let Some(byte) = ip.get_mut(position) {
                *byte = 0;
            }
        }
        let mut mac = keyed::<Hmac<Md5>>(&password.0);
        mac.update(&ip);
        mac.update(&Self { icv: [0; 12], ..*self }.emit());
        mac.update(message);
        first(&mac.finalize().into_bytes())
    }
}

/// A place in the order of signed adverts: seconds, 1/65536 seconds and a counter in one number (RFC 1982 order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The wall clock's, with counter 0.
    #[must_use]
    pub fn of_clock(wall: Micros) -> Self {
        let (seconds, micros) = (wall.0 / 1_000_000, wall.0 % 1_000_000);
        let fraction = (micros << 16) / 1_000_000;
        Self(seconds << 32 | fraction << 16)
    }

    /// Its seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// Whether it comes after another one, also across the end of the numbers.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        matches!(self.0.wrapping_sub(other.0), 1..=0x7fff_ffff_ffff_ffff)
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// `auth_hmac`'s 28 bytes behind an advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// 1: HMAC-SHA256 cut to 128 bits.
    pub kind: u8,
    /// Which key.
    pub key_id: u8,
    /// 0; anything else is malformed.
    pub reserved: u16,
    /// Place in the order.
    pub sequence: Sequence,
    /// First 16 bytes of the HMAC-SHA256.
    pub tag: [u8; 16],
}

impl Trailer {
    /// A trailer whose sum is still 0.
    #[must_use]
    pub const fn new(key_id: u8, sequence: Sequence) -> Self {
        Self {
            kind: 1,
            key_id,
            reserved: 0,
            sequence,
            tag: [0; 16],
        }
    }

    /// Reads exactly 28 bytes.
    ///
    /// # Errors
    /// When there are more or fewer.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Length {
            len: bytes.len(),
            expected: TRAILER_LEN,
        };
        if bytes.len() != TRAILER_LEN {
            return Err(wrong);
        }
        let [kind, key_id, r0, r1] = bytes_at::<4>(bytes, 0).ok_or(wrong)?;
        Ok(Self {
            kind,
            key_id,
            reserved: u16::from_be_bytes([r0, r1]),
            sequence: Sequence(u64::from_be_bytes(bytes_at(bytes, 4).ok_or(wrong)?)),
            tag: bytes_at(bytes, TAG_AT).ok_or(wrong)?,
        })
    }

    /// The 28 bytes.
    #[must_use]
    pub fn emit(&self) -> [u8; TRAILER_LEN] {
        let mut bytes = [0; TRAILER_LEN];
        let fields = [self.kind, self.key_id]
            .into_iter()
            .chain(self.reserved.to_be_bytes())
            .chain(self.sequence.0.to_be_bytes())
            .chain(self.tag);
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    /// The sum that this trailer should carry behind a message of at least 8 bytes. The destination is not signed, so
    /// one sum serves every peer.
    #[must_use]
    pub fn sum(&self, key: &[u8], source: IpAddr, message: &[u8]) -> [u8; 16] {
        let mut pseudo = [0; 20];
        let (first_byte, vrid) = (
            message.first().copied().unwrap_or(0),
            message.get(1).copied().unwrap_or(0),
        );
        let family = if source.is_ipv4() { 4 } else { 6 };
        let source = match source {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let fields = [family, first_byte >> 4, vrid, 0].into_iter().chain(source);
        for (to, from) in pseudo.iter_mut().zip(fields) {
            *to = from;
        }
        let mut unsummed = message.to_vec();
        if let Some(checksum) = unsummed.get_mut(6..8) {
            checksum.fill(0);
        }
        let mut mac = keyed::<Hmac<Sha256>>(key);
        mac.update(&pseudo);
        mac.update(&unsummed);
        mac.update(&Self { tag: [0; 16], ..*self }.emit());
        first(&mac.finalize().into_bytes())
    }
}

/// In constant time.
#[must_use]
pub fn is_same<const N: usize>(a: [u8; N], b: [u8; N]) -> bool {
    a.iter().zip(b).fold(0, |different, (x, y)| different | (x ^ y)) == 0
}

/// HMAC takes keys of any length, so there is no error to speak of; an empty key would stand for the impossible.
fn keyed<M: Mac + KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).unwrap_or_else(|_| M::new(&hmac::digest::Key::<M>::default()))
}

fn first<const N: usize>(sum: &[u8]) -> [u8; N] {
    bytes_at(sum, 0).unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// The complete frame of wire.md section 6, made by keepalived.
    #[test]
    fn ah_sum_equals_keepaliveds() {
        let ip = unhex("45c0004000010000ff3318b6c0000201e0000012");
        let ah = unhex("70040000c000020100000001e3681ed1fcb25f24b2470b7c");
        let message = unhex("2133960102018465c00002640000000000000000");
        let (header, rest) = AhHeader::parse(&ah).unwrap();
        assert!(rest.is_empty());
        assert_eq!((header.next_header, header.payload_len, header.sequence), (112, 4, 1));
        assert_eq!(header.spi, Ipv4Addr::new(192, 0, 2, 1).to_bits());
        let password = Password::from_text("s3cr3tAH");
        assert_eq!(header.sum(password, &ip, &message, false), header.icv);
        assert_eq!(header.emit().as_slice(), ah);
        assert_ne!(
            header.sum(password, &ip, &message, true),
            header.icv,
            "the TTL counts for a group"
        );
        assert_ne!(
            header.sum(Password::from_text("other"), &ip, &message, false),
            header.icv
        );
        for len in 0..AH_LEN {
            assert!(AhHeader::parse(&ah[..len]).is_err(), "{len}");
        }
    }

    /// The test vectors of wire.md section 7.
    #[test]
    fn trailer_sum_equals_the_test_vectors() {
        let key: Vec<u8> = (0..32).collect();
        let v6: Ipv6Addr = "fe80::10".parse().unwrap();
        let cases: [(IpAddr, &str, &str); 2] = [
            (
                Ipv4Addr::new(198, 51, 100, 10).into(),
                "3133c80100644402c0000264",
                "1b84bc4e8e43892dc6d98448f8ee2265",
            ),
            (
                v6.into(),
                "3133c8010064a2e9fe800000000000000000000000000100",
                "c8c56146ebfd66ee10ec4d8186461b78",
            ),
        ];
        for (source, message, tag) in cases {
            let message = unhex(message);
            let trailer = Trailer::parse(&unhex(&format!("010100006800000080000000{tag}"))).unwrap();
            assert_eq!(trailer.sequence, Sequence(0x6800_0000_8000_0000));
            assert_eq!(trailer.sum(&key, source, &message), trailer.tag);
            // Every byte of the message but the checksum is signed.
            for byte in 0..message.len() {
                let mut flipped = message.clone();
                flipped[byte] ^= 0x10;
                let same = trailer.sum(&key, source, &flipped) == trailer.tag;
                assert_eq!(same, byte == 6 || byte == 7, "byte {byte}");
            }
            let other = Trailer {
                sequence: trailer.sequence.next(),
                ..trailer
            };
            assert_ne!(other.sum(&key, source, &message), trailer.tag);
        }
    }

    #[test]
    fn sequences_have_a_serial_order() {
        let clock = Sequence::of_clock(Micros(1_700_000_000_500_000));
        assert_eq!(clock.0, 1_700_000_000 << 32 | 0x8000 << 16);
        assert_eq!(clock.seconds(), 1_700_000_000);
        assert!(clock.next().is_after(clock) && !clock.is_after(clock) && !clock.is_after(clock.next()));
        assert!(Sequence(0).is_after(Sequence(u64::MAX)), "beyond the end it goes on");
    }
}
