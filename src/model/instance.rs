//! A `vrrp_instance`, complete: what is written, what `global_defs` gives, and keepalived's defaults.

use super::{
    AdvertInterval, Authentication, DownTimerAdverts, Family, GroupId, HmacAuth, IfName, MacAddr, Micros,
    NotifyPrograms, Priority, Route, Rule, TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript,
    VirtualAddress, Vrid, is_default,
};
use serde::{Deserialize, Serialize};
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

/// `garp_extra_if`: announcements on the other interfaces of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GarpExtra {
    /// Period; nothing = none.
    pub interval: Micros,
    /// `all`: also on interfaces that are no VMACs.
    pub all: bool,
}

/// `use_vmac`: the instance runs on a macvlan with the virtual MAC (RFC 9568 section 7.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// Name of the macvlan: written, or generated from prefix, VRID and family.
    pub name: IfName,
    /// Whether the name was written.
    pub named: bool,
    /// A MAC that is not the RFC's; `None`: 00:00:5e:00:01:VRID or 00:00:5e:00:02:VRID.
    pub mac: Option<MacAddr>,
    /// `vmac_xmit_base`: adverts go through the base interface.
    pub xmit_base: bool,
    /// `netlink_notify_msg`.
    pub netlink_notify: bool,
    /// `group`: the link's group, as written.
    pub link_group: Option<Box<str>>,
}

/// Mode of an ipvlan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// `bridge`.
    #[default]
    Bridge,
    /// `private`.
    Private,
    /// `vepa`.
    Vepa,
}

/// `use_ipvlan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipvlan {
    /// Name of the link: written, or generated as a VMAC's.
    pub name: IfName,
    /// Whether the name was written.
    pub named: bool,
    /// Its address with the prefix length.
    pub address: Option<(IpAddr, u8)>,
    /// Mode.
    pub mode: IpvlanMode,
    /// `vmac_xmit_base`.
    pub xmit_base: bool,
    /// `group`: the link's group, as written.
    pub link_group: Option<Box<str>>,
}

/// The link that an instance makes for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnLink {
    /// `use_vmac`.
    Vmac(Vmac),
    /// `use_ipvlan`.
    Ipvlan(Ipvlan),
}

/// A contradiction that keeps an instance in FAULT ("config fault" of keepalived).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigFault {
    /// `unicast_fault_no_peer` and no peers.
    NoPeers,
    /// A VMAC or ipvlan on a link that is not Ethernet.
    NotEthernet,
    /// The interface cannot multicast and no peers are named.
    NoMulticast,
    /// An IPv4 ipvlan without an address.
    IpvlanWithoutAddress,
    /// The ipvlan's address is of the other family.
    IpvlanFamily,
    /// Another instance would share the VMAC.
    SharedVmac,
    /// Another instance has the same VRID on this interface (`dynamic_interfaces allow_if_changes`).
    DuplicateVrid,
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
    /// `interface`; `None` for unicast without one. With a VMAC this is its base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<IfName>,
    /// `use_vmac` or `use_ipvlan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_link: Option<Box<OwnLink>>,
    /// `use_vmac_addr`: VMACs also for addresses on other interfaces.
    #[serde(default, skip_serializing_if = "is_default")]
    pub use_vmac_addr: bool,
    /// `vrf`: for unicast without an interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrf: Option<IfName>,
    /// `linkbeat_use_polling`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub linkbeat_use_polling: bool,
    /// Why it stays in FAULT whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_fault: Option<ConfigFault>,
    /// The sync group it is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_group: Option<GroupId>,
    /// `state`.
    pub state: WantedState,
    /// `priority`; [`Priority::OWNER`] = address owner.
    pub priority: Priority,
    /// `advert_int`, rounded for the version.
    pub advert_interval: AdvertInterval,
    /// `down_timer_adverts`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub down_timer_adverts: DownTimerAdverts,
    /// Password or nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authentication: Authentication,
    /// `auth_hmac`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<Box<HmacAuth>>,
    /// Multicast or unicast.
    pub transport: Transport,
    /// `mcast_src_ip` or `unicast_src_ip`; `None`: the interface's primary address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<IpAddr>,
    /// `unicast_fault_no_peer`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unicast_fault_no_peer: bool,
    /// `track_src_ip`: losing the configured source is a fault.
    #[serde(default, skip_serializing_if = "is_default")]
    pub track_source: bool,
    /// `virtual_ipaddress`, in the order of the advert.
    pub vips: Arc<[VirtualAddress]>,
    /// `virtual_ipaddress_excluded`: set by the master, not in the advert.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excluded_vips: Vec<VirtualAddress>,
    /// `no_virtual_ipaddress`: it needs none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_vips: bool,
    /// `virtual_routes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// `virtual_rules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Whether a better priority takes mastership from a worse master (`nopreempt` clears it).
    pub preempt: bool,
    /// `preempt_delay`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preempt_delay: Micros,
    /// `timer_expired_backup`: a master that finds its advert timer too late becomes backup if another router may have this priority or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer_expired_backup: Option<Priority>,
    /// `accept`.
    pub accept: bool,
    /// `strict_mode`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
    /// `dont_track_primary`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dont_track_primary: bool,
    /// `track_script`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub track_scripts: Vec<TrackScript>,
    /// `track_interface`, without the instance's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub track_interfaces: Vec<TrackInterface>,
    /// `track_file`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track_files: Vec<TrackFile>,
    /// `track_process`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track_processes: Vec<TrackProcess>,
    /// `track_bfd`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub track_bfds: Vec<TrackBfd>,
    /// `skip_check_adv_addr`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_check_adv_addr: bool,
    /// `v3_checksum_as_v2`: sent without the pseudo-header.
    #[serde(default, skip_serializing_if = "is_default")]
    pub v3_checksum_as_v2: bool,
    /// `lower_prio_no_advert`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub owner_ignore_adverts: bool,
    /// `promote_secondaries`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub promote_secondaries: bool,
    /// `garp_*`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub announce: AnnounceSettings,
    /// `garp_extra_if`, else the global one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub garp_extra: GarpExtra,
    /// `notify*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Box<NotifyPrograms>>,
    /// `smtp_alert`, else the global default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub smtp_alert: bool,
    /// `notify_priority_changes`, else the group's, else the global one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify_priority_changes: bool,
    /// `kernel_rx_buf_size`, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_rx_buf_size: Option<u32>,
    /// `lvs_sync_daemon_interface`, kept for keepalived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lvs_sync_daemon_interface: Option<IfName>,
    /// `debug`, 0 to 4: has no effect, also in keepalived.
    #[serde(default, skip_serializing_if = "is_default")]
    pub debug: u8,
    /// `answer_foreign_claims off`: a master leaves other nodes' claims of its addresses alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_foreign_claims: bool,
    /// After a stall longer than Master_Down_Interval a master listens for one Skew_Time before it advertises again.
    /// keepalived does not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub listen_after_stall: bool,
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
            own_link: None,
            use_vmac_addr: false,
            vrf: None,
            linkbeat_use_polling: false,
            config_fault: None,
            sync_group: None,
            state: WantedState::Backup,
            priority: Priority::DEFAULT,
            advert_interval: AdvertInterval::DEFAULT,
            down_timer_adverts: DownTimerAdverts::default(),
            authentication: Authentication::None,
            hmac: None,
            transport: Transport::Multicast {
                group: family.vrrp_group(),
            },
            source: None,
            unicast_fault_no_peer: false,
            track_source: false,
            vips: vips.into(),
            excluded_vips: Vec::new(),
            no_vips: false,
            routes: Vec::new(),
            rules: Vec::new(),
            preempt: true,
            preempt_delay: Micros::ZERO,
            timer_expired_backup: None,
            accept: true,
            strict: false,
            dont_track_primary: false,
            track_scripts: Vec::new(),
            track_interfaces: Vec::new(),
            track_files: Vec::new(),
            track_processes: Vec::new(),
            track_bfds: Vec::new(),
            skip_check_adv_addr: false,
            v3_checksum_as_v2: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            promote_secondaries: false,
            announce: AnnounceSettings::default(),
            garp_extra: GarpExtra::default(),
            notify: None,
            smtp_alert: false,
            notify_priority_changes: false,
            kernel_rx_buf_size: None,
            lvs_sync_daemon_interface: None,
            debug: 0,
            ignore_foreign_claims: false,
            listen_after_stall: false,
        }
    }

    /// The link that adverts and the addresses without `dev` use: the VMAC or ipvlan if there is one, else the interface.
    #[must_use]
    pub fn link(&self) -> Option<&IfName> {
        match self.own_link.as_deref() {
            Some(OwnLink::Vmac(vmac)) => Some(&vmac.name),
            Some(OwnLink::Ipvlan(ipvlan)) => Some(&ipvlan.name),
            None => self.interface.as_ref(),
        }
    }

    /// The longest delay of its interface's changes that leaves the others no time to miss it, when adverts come at this
    /// interval: as many as they wait for but one, and a little less.
    #[must_use]
    pub fn longest_delay_at(&self, interval: AdvertInterval) -> Micros {
        let interval = interval.duration();
        let adverts = u64::from(self.down_timer_adverts.get()).saturating_sub(1);
        interval.times(adverts).saturating_sub(Micros(interval.0 / 256))
    }

    /// The same at its own interval.
    #[must_use]
    pub fn longest_delay(&self) -> Micros {
        self.longest_delay_at(self.advert_interval)
    }

    /// Skew_Time of a router of this priority whose master sends at this interval (RFC 9568 section 6.1; version 2: RFC 3768
    /// section 6.1).
    #[must_use]
    pub fn skew_time(&self, priority: Priority, interval: AdvertInterval) -> Micros {
        let steps = 256 - u64::from(priority.get());
        Micros(match self.version {
            Version::V2 => steps * 1_000_000 / 256,
            Version::V3 => steps * u64::from(interval.centiseconds()) * 625 / 16,
        })
    }

    /// Master_Down_Interval while nothing has changed the priority and no master has told another interval.
    #[must_use]
    pub fn master_down_interval(&self) -> Micros {
        let adverts = u64::from(self.down_timer_adverts.get());
        self.advert_interval.duration().times(adverts) + self.skew_time(self.priority, self.advert_interval)
    }

    /// Whether this instance is the address owner (priority 255).
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        self.priority.is_owner()
    }
}
