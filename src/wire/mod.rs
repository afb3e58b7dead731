//! Bytes ↔ values: VRRP versions 2 and 3, the IPv4 header around them, gratuitous ARP and unsolicited NA.
//!
//! Nothing here panics on any input, and nothing allocates by a length that a packet states before that length is checked.

pub mod arp;
pub mod auth;
pub mod checksum;
pub mod ip;
pub mod ndp;
pub mod vrrp;

use std::fmt;

/// Why bytes are not what they should be: one variant per reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// Fewer bytes than the fixed part needs.
    TooShort {
        /// Bytes there.
        len: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The version nibble of the IP header is not 4.
    NotIpv4,
    /// The IPv4 header length is below 20 bytes or beyond the datagram.
    HeaderLength,
    /// Not an ARP packet for IPv4 over Ethernet.
    NotArp,
    /// Not a neighbour advertisement with a target link-layer address.
    NotNeighbourAdvert,
    /// The version is neither 2 nor 3.
    Version(u8),
    /// The type is not ADVERTISEMENT.
    Type(u8),
    /// VRID 0.
    ZeroVrid,
    /// The length does not fit the version, the family and the number of addresses.
    Length {
        /// Bytes there.
        len: usize,
        /// Bytes that the header asks for.
        expected: usize,
    },
    /// The checksum is wrong in every form.
    Checksum,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { len, need } => write!(f, "{len} bytes where at least {need} are needed"),
            Self::NotIpv4 => f.write_str("not an IPv4 header"),
            Self::HeaderLength => f.write_str("impossible IPv4 header length"),
            Self::NotArp => f.write_str("not an ARP packet for IPv4 over Ethernet"),
            Self::NotNeighbourAdvert => f.write_str("not a neighbour advertisement"),
            Self::Version(version) => write!(f, "VRRP version {version} is neither 2 nor 3"),
            Self::Type(kind) => write!(f, "VRRP type {kind} is not ADVERTISEMENT (1)"),
            Self::ZeroVrid => f.write_str("VRID 0"),
            Self::Length { len, expected } => write!(f, "{len} bytes where the header asks for {expected}"),
            Self::Checksum => f.write_str("wrong checksum"),
        }
    }
}

impl std::error::Error for ParseError {}

/// `N` bytes at `at`.
pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
