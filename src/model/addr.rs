//! Addresses, interface names and the entries of `virtual_ipaddress`.

use super::{TrackGroupId, Vrid, is_default};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::str::FromStr;

/// Address family of an instance: each family is a virtual router of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The longest prefix of the family: 32 or 128.
    #[must_use]
    pub const fn max_prefix(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }

    /// The group that adverts go to: 224.0.0.18 or ff02::12 (RFC 9568 sections 5.1.1.2 and 5.1.2.2).
    #[must_use]
    pub const fn vrrp_group(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// Whether an IPv6 address is link-local unicast (fe80::/10).
#[must_use]
pub const fn is_ipv6_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// A network interface's name: 1 to 15 bytes without `/`, white space or NUL, as the kernel wants it.
///
/// There are many copies of few names, so it needs no memory elsewhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName {
    /// The name, and zeroes behind it; first, for the order of names is that of their bytes.
    bytes: [u8; Self::MAX],
    length: NonZeroU8,
}

/// Why a word is no interface name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfNameError {
    /// Longer than 15 bytes.
    TooLong,
    /// Empty, `.` or `..`, or with a byte that the kernel refuses.
    NotAName,
}

impl fmt::Display for IfNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "interface names have at most 15 characters",
            Self::NotAName => "not an interface name",
        })
    }
}

impl std::error::Error for IfNameError {}

impl IfName {
    /// Longest name in bytes (IFNAMSIZ without the NUL).
    const MAX: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.bytes.get(..usize::from(self.length.get())).unwrap_or_default();
        // Only text was put in.
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IfName").field(&self.as_str()).finish()
    }
}

impl FromStr for IfName {
    type Err = IfNameError;

    fn from_str(text: &str) -> Result<Self, IfNameError> {
        let mut bytes = [0; Self::MAX];
        let room = bytes.get_mut(..text.len()).ok_or(IfNameError::TooLong)?;
        room.copy_from_slice(text.as_bytes());
        let refused = |b: u8| b == b'/' || b == 0 || b.is_ascii_whitespace();
        if matches!(text, "" | "." | "..") || text.bytes().any(refused) {
            return Err(IfNameError::NotAName);
        }
        let length = u8::try_from(text.len()).ok().and_then(NonZeroU8::new);
        length.map(|length| Self { bytes, length }).ok_or(IfNameError::NotAName)
    }
}

impl TryFrom<String> for IfName {
    type Error = IfNameError;
    fn try_from(text: String) -> Result<Self, IfNameError> {
        text.parse()
    }
}

impl From<IfName> for String {
    fn from(name: IfName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A six byte hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// 00:00:5e:00:01:VRID, for IPv6 :02:VRID (RFC 9568 section 7.3): the address of the virtual router, whoever is master.
    #[must_use]
    pub const fn virtual_router(family: Family, vrid: Vrid) -> Self {
        let family = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        Self([0, 0, 0x5e, 0, family, vrid.get()])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// `brd` of an address entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Broadcast {
    /// A literal address.
    Address(Ipv4Addr),
    /// `+`: the address with its host bits set.
    HostBitsSet,
    /// `-`: the address with its host bits cleared.
    HostBitsClear,
}

/// `preferred_lft`, IPv6 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreferredLifetime {
    /// Never deprecated.
    Forever,
    /// Deprecated after this many seconds; 0 = at once.
    Seconds(u32),
}

/// One line of `virtual_ipaddress` or `virtual_ipaddress_excluded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length; 32 or 128 when none was written.
    pub prefix_len: u8,
    /// Interface that carries it: `dev`, or the instance's interface.
    pub interface: IfName,
    /// `brd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Broadcast>,
    /// `scope`, the kernel's number; 0 = global. IPv4 only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: u8,
    /// `label`, at most 15 bytes. IPv4 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Box<str>>,
    /// `peer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// `home`: IFA_F_HOMEADDRESS.
    #[serde(default, skip_serializing_if = "is_default")]
    pub home: bool,
    /// Set unless `-nodad` is written: IFA_F_NODAD (IPv6).
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub nodad: bool,
    /// `mngtmpaddr`: IFA_F_MANAGETEMPADDR.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mngtmpaddr: bool,
    /// `noprefixroute`: IFA_F_NOPREFIXROUTE.
    #[serde(default, skip_serializing_if = "is_default")]
    pub noprefixroute: bool,
    /// `autojoin`: IFA_F_MCAUTOJOIN.
    #[serde(default, skip_serializing_if = "is_default")]
    pub autojoin: bool,
    /// `no_track`: its loss does not matter.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_track: bool,
    /// `preferred_lft`; `None` when not written (IPv6: deprecated for /128, else for ever).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_lifetime: Option<PreferredLifetime>,
    /// `use_vmac`: on a VMAC of its interface although the instance has none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub use_vmac: bool,
    /// The VMAC or ipvlan on top of `interface` that carries it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_link: Option<IfName>,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_yes(value: &bool) -> bool {
    *value
}

/// A line of `static_ipaddress`: set at the start, removed at the stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticAddress {
    /// The address.
    pub address: VirtualAddress,
    /// `track_group`.
    pub track_group: Option<TrackGroupId>,
}

impl VirtualAddress {
    /// `ADDRESS/PREFIX`, or the address alone where the prefix is full, as keepalived's messages show it.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.prefix_len == Family::of(self.address).max_prefix() {
            self.address.to_string()
        } else {
            self.to_string()
        }
    }

    /// An address with no options, as a plain line of `virtual_ipaddress` gives it.
    #[must_use]
    pub fn plain(address: IpAddr, prefix_len: u8, interface: IfName) -> Self {
        Self {
            address,
            prefix_len,
            interface,
            broadcast: None,
            scope: 0,
            label: None,
            peer: None,
            home: false,
            nodad: true,
            mngtmpaddr: false,
            noprefixroute: false,
            autojoin: false,
            no_track: false,
            preferred_lifetime: None,
            use_vmac: false,
            own_link: None,
        }
    }
}

impl VirtualAddress {
    /// The broadcast address that `brd` stands for.
    #[must_use]
    pub fn broadcast_address(&self) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address else { return None };
        let host_bits = u32::MAX.checked_shr(u32::from(self.prefix_len)).unwrap_or(0);
        self.broadcast.map(|broadcast| match broadcast {
            Broadcast::Address(address) => address,
            Broadcast::HostBitsSet => Ipv4Addr::from(u32::from(address) | host_bits),
            Broadcast::HostBitsClear => Ipv4Addr::from(u32::from(address) & !host_bits),
        })
    }

    /// What makes two entries the same address to the kernel.
    #[must_use]
    pub fn object(&self) -> (&str, IpAddr, u8) {
        (self.interface.as_str(), self.address, self.prefix_len)
    }

    /// Whether the kernel would hold the same for both: everything but what we do when it is lost.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        let no_track = self.no_track;
        self.address == other.address
            && *self
                == Self {
                    no_track,
                    ..other.clone()
                }
    }
}

impl fmt::Display for VirtualAddress {
    /// `ADDRESS/PREFIX`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}
