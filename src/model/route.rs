//! Entries of `virtual_routes`, `virtual_rules` and their `static_` forms (addresses-routes-rules §3, §4).

use super::{Family, IfName, TrackGroupId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The protocol number that marks a route or rule as keepalived's.
pub const PROTOCOL_KEEPALIVED: u8 = 18;
/// The table that routes go to when none is written.
pub const TABLE_MAIN: u32 = 254;

/// An address with its prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The address; host bits are as written.
    pub address: IpAddr,
    /// Prefix length, at most 32 or 128.
    pub len: u8,
}

/// A type of route; the number is the kernel's (RTN_UNICAST = 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteType(pub u8);

impl RouteType {
    /// An ordinary route.
    pub const UNICAST: Self = Self(1);
}

/// `encap` of a route or next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encap {
    /// `encap ip` and `encap ip6`.
    Ip {
        /// IPv4 or IPv6.
        family: Family,
        /// `id`.
        id: Option<u64>,
        /// `dst`.
        dst: Option<IpAddr>,
        /// `src`.
        src: Option<IpAddr>,
        /// `tos` or `tc`.
        tos: Option<u8>,
        /// `ttl` or `hoplimit`.
        ttl: Option<u8>,
        /// `flags`.
        flags: Option<u16>,
    },
    /// `encap mpls`: labels.
    Mpls(Vec<u32>),
    /// `encap ila`: locator.
    Ila(u64),
}

/// A `nexthop` of a route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NextHop {
    /// `via`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// `dev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<IfName>,
    /// `weight`, 1 to 256; 0 = not written.
    #[serde(skip_serializing_if = "super::is_default")]
    pub weight: u16,
    /// `onlink`.
    #[serde(skip_serializing_if = "super::is_default")]
    pub onlink: bool,
    /// `encap`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encap: Option<Encap>,
    /// `realms`: FROM << 16 | TO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realms: Option<u32>,
}

/// How a route is put among those that are there (`add`, `append`, `prepend`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoutePlace {
    /// NLM_F_CREATE.
    #[default]
    Prepend,
    /// NLM_F_CREATE | NLM_F_EXCL.
    Add,
    /// NLM_F_CREATE | NLM_F_APPEND.
    Append,
}

/// One metric of a route (RTA_METRICS) as the kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Which one: the kernel's number (RTAX_MTU = 2 …).
    pub kind: u8,
    /// Its value.
    pub value: u32,
    /// `lock`.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub lock: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Family of all its addresses.
    pub family: Family,
    /// Destination; `None` = `default`.
    pub destination: Option<Prefix>,
    /// Type of route.
    pub kind: RouteType,
    /// `via`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// `src`: preferred source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefsrc: Option<IpAddr>,
    /// `from`, IPv6 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Prefix>,
    /// `dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<IfName>,
    /// `table`; `None`: main, or the table of `vrf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// `vrf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrf: Option<IfName>,
    /// `metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// `tos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos: Option<u8>,
    /// `protocol`; [`PROTOCOL_KEEPALIVED`] unless `no_track` allows another one.
    pub protocol: u8,
    /// `scope`; `None`: universe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<u8>,
    /// `onlink`.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub onlink: bool,
    /// `encap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encap: Option<Encap>,
    /// `expires`, seconds. IPv6 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u32>,
    /// `mtu`, `advmss`, `rtt` and so on, in ascending order of kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// `congctl`: name, and whether it is locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub congctl: Option<(String, bool)>,
    /// `realms`: FROM << 16 | TO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realms: Option<u32>,
    /// `pref`: the kernel's number (low 3, medium 0, high 1). IPv6 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pref: Option<u8>,
    /// `ttl-propagate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_propagate: Option<bool>,
    /// `add`, `append`, `prepend`.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub place: RoutePlace,
    /// `nexthop`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_hops: Vec<NextHop>,
    /// `no_track`: its loss does not matter.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub no_track: bool,
    /// `track_group`, `static_routes` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_group: Option<TrackGroupId>,
}

impl Route {
    /// A route without options.
    #[must_use]
    pub const fn new(family: Family, destination: Option<Prefix>) -> Self {
        Self {
            family,
            destination,
            kind: RouteType::UNICAST,
            via: None,
            prefsrc: None,
            from: None,
            interface: None,
            table: None,
            vrf: None,
            metric: None,
            tos: None,
            protocol: PROTOCOL_KEEPALIVED,
            scope: None,
            onlink: false,
            encap: None,
            expires: None,
            metrics: Vec::new(),
            congctl: None,
            realms: None,
            pref: None,
            ttl_propagate: None,
            place: RoutePlace::Prepend,
            next_hops: Vec::new(),
            no_track: false,
            track_group: None,
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// `table N`.
    Table(u32),
    /// `l3mdev`.
    L3mdev,
    /// `goto N`.
    Goto(u32),
    /// `nop`.
    Nop,
    /// `blackhole`.
    Blackhole,
    /// `unreachable`.
    Unreachable,
    /// `prohibit`.
    Prohibit,
}

/// A number and the bits of it that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The number.
    pub value: u32,
    /// The mask; `None`: all bits.
    pub mask: Option<u32>,
}

/// One policy rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Family.
    pub family: Family,
    /// What it does.
    pub action: RuleAction,
    /// `preference`; given by us when not written.
    pub preference: u32,
    /// `not`.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub invert: bool,
    /// `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Prefix>,
    /// `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Prefix>,
    /// `tos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos: Option<u8>,
    /// `fwmark`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fwmark: Option<Mark>,
    /// `realms`: FROM << 16 | TO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realms: Option<u32>,
    /// `iif`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iif: Option<IfName>,
    /// `oif`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oif: Option<IfName>,
    /// `suppress_prefixlength`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppress_prefixlength: Option<u32>,
    /// `suppress_ifgroup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppress_ifgroup: Option<u32>,
    /// `tunnel-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_id: Option<u64>,
    /// `uidrange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid_range: Option<(u32, u32)>,
    /// `protocol`; [`PROTOCOL_KEEPALIVED`] unless `no_track` allows another one.
    pub protocol: u8,
    /// `ipproto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_proto: Option<u8>,
    /// `sport`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<(u16, u16)>,
    /// `dport`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ports: Option<(u16, u16)>,
    /// `no_track`.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub no_track: bool,
    /// `track_group`, `static_rules` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track_group: Option<TrackGroupId>,
}

impl Rule {
    /// A rule without selectors.
    #[must_use]
    pub const fn new(family: Family, action: RuleAction, preference: u32) -> Self {
        Self {
            family,
            action,
            preference,
            invert: false,
            from: None,
            to: None,
            tos: None,
            fwmark: None,
            realms: None,
            iif: None,
            oif: None,
            suppress_prefixlength: None,
            suppress_ifgroup: None,
            tunnel_id: None,
            uid_range: None,
            protocol: PROTOCOL_KEEPALIVED,
            ip_proto: None,
            source_ports: None,
            destination_ports: None,
            no_track: false,
            track_group: None,
        }
    }
}
