//! A `vrrp_instance`, complete: what is written, what `global_defs` gives, and keepalived's defaults.

use super::{
    AdvertInterval, DownTimerAdverts, Family, IfName, Micros, Priority, TrackInterface, TrackScript, VirtualAddress,
    Vrid,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// VRRP version of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 9568.
    V3,
}

impl Version {
    /// 2 or 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl From<Version> for u8 {
    fn from(version: Version) -> Self {
        version.number()
    }
}

impl TryFrom<u8> for Version {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            2 => Ok(Self::V2),
            3 => Ok(Self::V3),
            other => Err(format!("VRRP version {other} is neither 2 nor 3")),
        }
    }
}

/// `state`: what the instance wants to begin as. Only an address owner acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedState {
    /// `state MASTER`.
    Master,
    /// `state BACKUP`.
    Backup,
}

/// The 8 bytes of `auth_pass`, padded with NUL. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(pub [u8; 8]);

impl Password {
    /// The first 8 bytes of `text`, padded with NUL.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// `authentication`, version 2 only (RFC 2338).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Authentication {
    /// Type 0.
    #[default]
    None,
    /// Type 1, `auth_type PASS`.
    Pass(Password),
    /// Type 2, `auth_type AH`. Configured and shown; sending and receiving it is not built yet, see `docs/limits.md`.
    Ah(Password),
}

/// `old_unicast_checksum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OldUnicastChecksum {
    /// Not written: the new form, until a peer is heard that uses the old one.
    #[default]
    Auto,
    /// `old_unicast_checksum`.
    Always,
    /// `old_unicast_checksum never`.
    Never,
}

/// A line of `unicast_peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnicastPeer {
    /// Its address.
    pub address: IpAddr,
    /// `min_ttl`, default 0.
    pub min_ttl: u8,
    /// `max_ttl`, default 255.
    pub max_ttl: u8,
}

/// Where adverts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To a group (`mcast_dst_ip`, else the global group).
    Multicast {
        /// The group.
        group: IpAddr,
    },
    /// To each of `unicast_peer`.
    Unicast {
        /// The peers in the order of the file.
        peers: Vec<UnicastPeer>,
        /// `unicast_ttl`; `None`: 255 for IPv4, the kernel's default for IPv6.
        ttl: Option<u8>,
        /// `check_unicast_src`, or implied by min_ttl/max_ttl.
        check_source: bool,
        /// `old_unicast_checksum`.
        old_checksum: OldUnicastChecksum,
    },
}

impl Transport {
    /// Whether adverts go to named peers.
    #[must_use]
    pub const fn is_unicast(&self) -> bool {
        matches!(self, Self::Unicast { .. })
    }
}

/// How a master announces its addresses (`garp_*`; the same numbers hold for unsolicited NAs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceSettings {
    /// `garp_master_repeat`: rounds of a burst, at least 1.
    pub master_repeat: u32,
    /// `garp_master_delay`: the second burst comes this long after the first; nothing = none.
    pub master_delay: Micros,
    /// `garp_master_refresh`: period of the refresh; nothing = none.
    pub refresh: Micros,
    /// `garp_master_refresh_repeat`: rounds of a refresh.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_repeat`: rounds after a worse advert was heard; 0 = none.
    pub lower_prio_repeat: u32,
    /// `garp_lower_prio_delay`: a second burst this long after that one; nothing = none.
    pub lower_prio_delay: Micros,
}

impl Default for AnnounceSettings {
    fn default() -> Self {
        Self {
            master_repeat: 5,
            master_delay: Micros::from_secs(5),
            refresh: Micros::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Micros::from_secs(5),
        }
    }
}

/// One VRRP instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Name of the block.
    pub name: Arc<str>,
    /// VRID.
    pub vrid: Vrid,
    /// Family of the adverts and of `vips`.
    pub family: Family,
    /// Version of the adverts.
    pub version: Version,
    /// `interface`; `None` for unicast without one.
    pub interface: Option<IfName>,
    /// `state`.
    pub state: WantedState,
    /// `priority`; [`Priority::OWNER`] = address owner.
    pub priority: Priority,
    /// `advert_int`, rounded for the version.
    pub advert_interval: AdvertInterval,
    /// `down_timer_adverts`.
    pub down_timer_adverts: DownTimerAdverts,
    /// Password or nothing.
    pub authentication: Authentication,
    /// Multicast or unicast.
    pub transport: Transport,
    /// `mcast_src_ip` or `unicast_src_ip`; `None`: the interface's primary address.
    pub source: Option<IpAddr>,
    /// `track_src_ip`: losing the configured source is a fault.
    pub track_source: bool,
    /// `virtual_ipaddress`, in the order of the advert.
    pub vips: Vec<VirtualAddress>,
    /// `virtual_ipaddress_excluded`: set by the master, not in the advert.
    pub excluded_vips: Vec<VirtualAddress>,
    /// Whether a better priority takes mastership from a worse master (`nopreempt` clears it).
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Micros,
    /// `accept`.
    pub accept: bool,
    /// `strict_mode`.
    pub strict: bool,
    /// `dont_track_primary`.
    pub dont_track_primary: bool,
    /// `track_script`.
    pub track_scripts: Vec<TrackScript>,
    /// `track_interface`, without the instance's own.
    pub track_interfaces: Vec<TrackInterface>,
    /// `skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`: sent without the pseudo-header.
    pub v3_checksum_as_v2: bool,
    /// `lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `promote_secondaries`.
    pub promote_secondaries: bool,
    /// `garp_*`.
    pub announce: AnnounceSettings,
}

impl Instance {
    /// An instance as keepalived makes it from the least that it accepts: name, VRID, interface and addresses.
    #[must_use]
    pub fn new(name: &str, vrid: Vrid, interface: IfName, vips: Vec<VirtualAddress>) -> Self {
        let family = vips.first().map_or(Family::Ipv4, |vip| Family::of(vip.address));
        Self {
            name: name.into(),
            vrid,
            family,
            version: match family {
                Family::Ipv4 => Version::V2,
                Family::Ipv6 => Version::V3,
            },
            interface: Some(interface),
            state: WantedState::Backup,
            priority: Priority::DEFAULT,
            advert_interval: AdvertInterval::DEFAULT,
            down_timer_adverts: DownTimerAdverts::default(),
            authentication: Authentication::None,
            transport: Transport::Multicast {
                group: family.vrrp_group(),
            },
            source: None,
            track_source: false,
            vips,
            excluded_vips: Vec::new(),
            preempt: true,
            preempt_delay: Micros::ZERO,
            accept: true,
            strict: false,
            dont_track_primary: false,
            track_scripts: Vec::new(),
            track_interfaces: Vec::new(),
            skip_check_adv_addr: false,
            v3_checksum_as_v2: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            promote_secondaries: false,
            announce: AnnounceSettings::default(),
        }
    }

    /// Whether this instance is the address owner (priority 255).
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        self.priority.is_owner()
    }
}
