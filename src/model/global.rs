//! `global_defs`: settings of the whole daemon.

use super::{AnnounceSettings, DownTimerAdverts, IfName, Micros, ProgramUser, Version};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Settings of `global_defs`. What an instance can override has been copied into it already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// `router_id`; the host name when not written.
    pub router_id: Option<String>,
    /// `instance`: name of this daemon beside others on the host (top level keyword).
    pub instance_name: Option<String>,
    /// `net_namespace`.
    pub net_namespace: Option<String>,
    /// `vrrp_version`: default of the instances.
    pub vrrp_version: Version,
    /// `vrrp_mcast_group4`.
    pub mcast_group4: IpAddr,
    /// `vrrp_mcast_group6`.
    pub mcast_group6: IpAddr,
    /// `vrrp_strict`.
    pub strict: bool,
    /// `dynamic_interfaces`.
    pub dynamic_interfaces: bool,
    /// `default_interface`.
    pub default_interface: Option<IfName>,
    /// `vrrp_garp_*`: defaults of the instances.
    pub announce: AnnounceSettings,
    /// `vrrp_garp_interval`: gap between two gratuitous ARPs on one interface; nothing = none.
    pub garp_interval: Micros,
    /// `vrrp_gna_interval`: gap between two unsolicited NAs on one interface.
    pub gna_interval: Micros,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: DownTimerAdverts,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_src: bool,
    /// `vrrp_startup_delay`.
    pub startup_delay: Micros,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `enable_script_security`.
    pub script_security: bool,
    /// `script_user`: who runs scripts that name no user. `None`: `keepalived_script` if it exists, else the daemon's own user.
    pub script_user: Option<ProgramUser>,
    /// `use_symlink_paths`.
    pub use_symlink_paths: bool,
    /// `umask`, octal in the file; default 0177.
    pub umask: u32,
    /// `vrrp_priority`: nice value of the daemon.
    pub nice: Option<i8>,
    /// `vrrp_rt_priority`: SCHED_RR priority of the engine thread.
    pub rt_priority: Option<u8>,
    /// `vrrp_no_swap`.
    pub no_swap: bool,
    /// `reload_check_config`; vrrpd always checks, so this only names the file that gets the messages.
    pub reload_check_config: Option<String>,
    /// `process_names`.
    pub process_names: bool,
    /// How the pid directory is chosen.
    pub paths: PathOptions,
}

/// Keywords that move the daemon's own files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PathOptions {
    /// `use_pid_dir`.
    pub use_pid_dir: bool,
    /// `state_dump_file` (also written `state_file_location`).
    pub state_dump_file: Option<String>,
    /// `stats_dump_file` (also written `stats_file_location`).
    pub stats_dump_file: Option<String>,
    /// `json_dump_file` (also written `json_file_location`).
    pub json_dump_file: Option<String>,
    /// `data_use_instance`.
    pub data_use_instance: bool,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            instance_name: None,
            net_namespace: None,
            vrrp_version: Version::V2,
            mcast_group4: super::Family::Ipv4.vrrp_group(),
            mcast_group6: super::Family::Ipv6.vrrp_group(),
            strict: false,
            dynamic_interfaces: false,
            default_interface: None,
            announce: AnnounceSettings::default(),
            garp_interval: Micros::ZERO,
            gna_interval: Micros::ZERO,
            down_timer_adverts: DownTimerAdverts::default(),
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            skip_check_adv_addr: false,
            check_unicast_src: false,
            startup_delay: Micros::ZERO,
            log_unknown_vrids: false,
            script_security: false,
            script_user: None,
            use_symlink_paths: false,
            umask: 0o177,
            nice: None,
            rt_priority: None,
            no_swap: false,
            reload_check_config: None,
            process_names: false,
            paths: PathOptions::default(),
        }
    }
}
