//! `global_defs`: settings of the whole daemon.

use super::{Account, Family};
use super::{
    AnnounceSettings, DownTimerAdverts, GarpExtra, IfName, Mail, Micros, NotifyFifo, OnceProgram, ProgramUser, Version,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Settings of `global_defs`. What an instance can override has been copied into it already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Global {
    /// `router_id`; the host name when not written.
    pub router_id: Option<String>,
    /// `instance`: name of this daemon beside others on the host (top level keyword).
    pub instance_name: Option<String>,
    /// `net_namespace`.
    pub net_namespace: Option<String>,
    /// `namespace_with_ipsets`: ipsets although the kernel is older than 3.13.
    pub namespace_with_ipsets: bool,
    /// `child_wait_time`: how long the daemon's end is waited for.
    pub child_wait_time: Micros,
    /// `linkbeat_use_polling` at the top level: the interfaces of all instances are polled.
    pub linkbeat_use_polling: bool,
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
    /// `dynamic_interfaces allow_if_changes`: an interface may come back as another kind of link.
    pub allow_if_changes: bool,
    /// `default_interface`.
    pub default_interface: Option<IfName>,
    /// `disable_local_igmp`.
    pub disable_local_igmp: bool,
    /// `vrrp_garp_*`: defaults of the instances.
    pub announce: AnnounceSettings,
    /// `vrrp_garp_interval`: gap between two gratuitous ARPs on one interface; nothing = none.
    pub garp_interval: Micros,
    /// `vrrp_gna_interval`: gap between two unsolicited NAs on one interface.
    pub gna_interval: Micros,
    /// `vrrp_garp_extra_if`: default of the instances.
    pub garp_extra: GarpExtra,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: DownTimerAdverts,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_listen_after_stall`.
    pub listen_after_stall: bool,
    /// `vrrp_owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_src: bool,
    /// `vrrp_startup_delay`.
    pub startup_delay: Micros,
    /// `vrrp_delay_after_boot`: the same, counted from the boot of the machine.
    pub delay_after_boot: Micros,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `enable_script_security`.
    pub script_security: bool,
    /// `script_user`: who runs scripts that name no user. `None`: `keepalived_script` if it exists, else the daemon's own user.
    pub script_user: Option<ProgramUser>,
    /// `script_user` as written.
    pub script_account: Option<Account>,
    /// `set_supplementary_groups`: programs get the supplementary groups of their user.
    pub set_supplementary_groups: bool,
    /// `use_symlink_paths`.
    pub use_symlink_paths: bool,
    /// `umask`, octal in the file; default 0177.
    pub umask: u32,
    /// `random_seed`.
    pub random_seed: Option<u32>,
    /// `max_auto_priority`: how far the real-time priority may be raised by itself; `None` (-1): never, and nothing is said about it.
    pub max_auto_priority: Option<u8>,
    /// `min_auto_priority_delay`: lateness that raises it.
    pub min_auto_priority_delay: Micros,
    /// `process_name`: of the supervisor.
    pub process_name: Option<String>,
    /// `process_names`.
    pub process_names: bool,
    /// `vrrp_*` process settings: of the daemon.
    pub vrrp: ProcessSettings,
    /// `checker_*` process settings, kept for keepalived.
    pub checker: ProcessSettings,
    /// `bfd_*` process settings, kept for keepalived.
    pub bfd: ProcessSettings,
    /// `vrrp_rx_bufs_policy` and `vrrp_rx_bufs_multiplier`.
    pub receive_buffers: ReceiveBuffers,
    /// `*_netlink_*_rcv_bufs` and `process_monitor_rcv_bufs`.
    pub netlink_buffers: NetlinkBuffers,
    /// `vmac_prefix`: begin of generated VMAC names.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`: the same for VMACs of addresses on other interfaces.
    pub vmac_addr_prefix: Option<String>,
    /// `vrrp_iptables`, `nftables` and so on.
    pub firewall: Firewall,
    /// Mail.
    pub mail: Mail,
    /// `startup_script`.
    pub startup: OnceProgram,
    /// `shutdown_script`.
    pub shutdown: OnceProgram,
    /// `notify_fifo`.
    pub notify_fifo: NotifyFifo,
    /// `vrrp_notify_fifo`.
    pub vrrp_notify_fifo: NotifyFifo,
    /// `vrrp_notify_priority_changes`: default of the instances.
    pub notify_priority_changes: bool,
    /// `fifo_write_vrrp_states_on_reload`.
    pub fifo_states_on_reload: bool,
    /// `notify_order_timeout`: how long the next notify program of an instance or group waits for the one before it.
    pub notify_order_timeout: Micros,
    /// `notify_parallel`: no notify program waits for another one.
    pub notify_parallel: bool,
    /// `heartbeat_guard`: a daemon that stands still is killed and started again.
    pub heartbeat_guard: bool,
    /// SNMP.
    pub snmp: Snmp,
    /// D-Bus.
    pub dbus: Dbus,
    /// What concerns LVS only, kept for keepalived.
    pub lvs: LvsGlobal,
    /// `reload_check_config`; vrrpd always checks, so this only names the file that gets the messages.
    pub reload_check_config: Option<String>,
    /// `reload_time_file`.
    pub reload_time_file: Option<String>,
    /// `reload_repeat`.
    pub reload_repeat: bool,
    /// `reload_file`; empty: `keepalived.reload` in the pid directory.
    pub reload_file: Option<String>,
    /// Where the daemon's own files are.
    pub paths: PathOptions,
    /// `interface_up_down_delays`, in the order of the file.
    pub interface_delays: Vec<InterfaceDelay>,
    /// `linkbeat_interfaces`, in the order of the file.
    pub linkbeat_interfaces: Vec<LinkBeat>,
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
}

/// Keywords that move the daemon's own files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathOptions {
    /// `use_pid_dir`.
    pub use_pid_dir: bool,
    /// `state_dump_file` (also written `state_file_location`).
    pub state_dump_file: Option<String>,
    /// `stats_dump_file` (also written `stats_file_location`).
    pub stats_dump_file: Option<String>,
    /// `json_dump_file` (also written `json_file_location`).
    pub json_dump_file: Option<String>,
    /// `json_version` 2; else 1.
    pub json_version_2: bool,
    /// `data_use_instance`.
    pub data_use_instance: bool,
    /// `config_save_dir`.
    pub config_save_dir: Option<String>,
    /// `tmp_config_directory`.
    pub tmp_config_directory: Option<String>,
    /// `iproute_usr_dir`.
    pub iproute_usr_dir: Option<String>,
    /// `iproute_etc_dir`.
    pub iproute_etc_dir: Option<String>,
}

/// How the system shall treat one of keepalived's processes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessSettings {
    /// `*_process_name`.
    pub name: Option<String>,
    /// `*_priority`: nice value.
    pub nice: Option<i8>,
    /// `*_no_swap`: memory is locked.
    pub no_swap: bool,
    /// `*_rt_priority`: SCHED_RR priority of the engine thread.
    pub rt_priority: Option<u8>,
    /// `*_cpu_affinity`: CPUs it may run on; empty: all.
    pub cpu_affinity: Vec<u16>,
    /// `*_rlimit_rttime`: RLIMIT_RTTIME.
    pub rlimit_rttime: Option<Micros>,
}

/// How large the receive buffers of the VRRP sockets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceiveBuffers {
    /// The policy or the size.
    pub policy: ReceiveBufferPolicy,
    /// Multiplier of the policy, at least 1.
    pub multiplier: u32,
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        Self {
            policy: ReceiveBufferPolicy::System,
            multiplier: 3,
        }
    }
}

/// `vrrp_rx_bufs_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiveBufferPolicy {
    /// The system's default size.
    #[default]
    System,
    /// `MTU`: the interface's MTU counts for every instance.
    Mtu,
    /// `ADVERT`: the size of an advert counts.
    Advert,
    /// So many bytes.
    Bytes(u32),
}

/// Sizes of netlink receive buffers in bytes; `None`: the kernel's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetlinkBuffers {
    /// `vrrp_netlink_cmd_rcv_bufs` and its `_force`.
    pub vrrp_command: NetlinkBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs` and its `_force`.
    pub vrrp_monitor: NetlinkBuffer,
    /// `process_monitor_rcv_bufs` and its `_force`.
    pub process_monitor: NetlinkBuffer,
    /// `lvs_netlink_cmd_rcv_bufs` and its `_force`.
    pub lvs_command: NetlinkBuffer,
    /// `lvs_netlink_monitor_rcv_bufs` and its `_force`.
    pub lvs_monitor: NetlinkBuffer,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NetlinkBuffer {
    /// Bytes.
    pub size: Option<u32>,
    /// SO_RCVBUFFORCE instead of SO_RCVBUF.
    pub force: bool,
}

/// What keeps packets from addresses that do not accept them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Firewall {
    /// `vrrp_iptables`: chains for incoming and outgoing packets.
    pub iptables: Option<(String, String)>,
    /// `vrrp_ipsets`: the names written; `Some` and empty: no ipsets; `None`: not written.
    pub ipsets: Option<Vec<String>>,
    /// `nftables`: name of the table; `None`: not written, then table `keepalived` if one is needed.
    pub nftables: Option<String>,
    /// `nftables_priority`.
    pub nftables_priority: i32,
    /// `nftables_ifindex`.
    pub nftables_ifindex: bool,
    /// `nftables_counters`.
    pub nftables_counters: bool,
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            iptables: None,
            ipsets: None,
            nftables: None,
            nftables_priority: -1,
            nftables_ifindex: false,
            nftables_counters: false,
        }
    }
}

/// `snmp_*` and `enable_snmp_*`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snmp {
    /// `snmp_socket`.
    pub socket: Option<String>,
    /// `enable_traps`.
    pub traps: bool,
    /// `enable_snmp_vrrp`.
    pub vrrp: bool,
    /// `enable_snmp_rfcv2`.
    pub rfc_v2: bool,
    /// `enable_snmp_rfcv3`.
    pub rfc_v3: bool,
    /// `enable_snmp_checker`.
    pub checker: bool,
    /// `snmp_vs_stats_update_interval`.
    pub vs_stats_interval: Option<Micros>,
    /// `snmp_rs_stats_update_interval`.
    pub rs_stats_interval: Option<Micros>,
}

/// `enable_dbus` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Dbus {
    /// `enable_dbus`.
    pub enabled: bool,
    /// `dbus_service_name`; `None`: org.keepalived.Vrrp1.
    pub service_name: Option<String>,
    /// `dbus_no_interface_name`.
    pub no_interface_name: Option<String>,
}

/// Settings that only keepalived's LVS side acts on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LvsGlobal {
    /// `net_namespace_ipvs`; empty: the default namespace.
    pub net_namespace: Option<String>,
    /// `lvs_timeouts tcp`, seconds.
    pub timeout_tcp: Option<u32>,
    /// `lvs_timeouts tcpfin`, seconds.
    pub timeout_tcpfin: Option<u32>,
    /// `lvs_timeouts udp`, seconds.
    pub timeout_udp: Option<u32>,
    /// `lvs_flush`.
    pub flush: bool,
    /// `lvs_flush_on_stop`.
    pub flush_on_stop: LvsFlush,
    /// `lvs_sync_daemon`.
    pub sync_daemon: Option<LvsSyncDaemon>,
    /// `lvs_notify_fifo`.
    pub notify_fifo: NotifyFifo,
    /// `nftables_ipvs`: the table's name; empty: keepalived_ipvs.
    pub nftables: Option<String>,
    /// `nftables_ipvs_priority`.
    pub nftables_priority: Option<i32>,
    /// `nftables_ipvs_start_fwmark`.
    pub nftables_start_fwmark: Option<u32>,
    /// `checker_log_all_failures`.
    pub log_all_failures: bool,
    /// `rs_init_notifies`.
    pub rs_init_notifies: bool,
    /// `no_checker_emails`.
    pub no_checker_emails: bool,
}

/// `lvs_flush_on_stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LvsFlush {
    /// Not written.
    #[default]
    No,
    /// Everything.
    All,
    /// `VS`: the virtual services only.
    Services,
}

/// `lvs_sync_daemon`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LvsSyncDaemon {
    /// Interface.
    pub interface: String,
    /// The instance whose state it follows.
    pub instance: Option<String>,
    /// `id`.
    pub sync_id: Option<u8>,
    /// `maxlen`.
    pub max_len: Option<u16>,
    /// `port`.
    pub port: Option<u16>,
    /// `ttl`.
    pub ttl: Option<u8>,
    /// `group`.
    pub group: Option<IpAddr>,
}

/// A line of `interface_up_down_delays`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceDelay {
    /// Interface.
    pub interface: IfName,
    /// How long it has to be down to count as down.
    pub down: Micros,
    /// How long it has to be up to count as up.
    pub up: Micros,
}

/// A line of `linkbeat_interfaces`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkBeat {
    /// Interface.
    pub interface: IfName,
    /// How it is asked; `None`: the first way that works.
    pub method: Option<LinkBeatMethod>,
}

/// How an interface is asked for its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkBeatMethod {
    /// `MII`.
    Mii,
    /// `ETHTOOL`.
    Ethtool,
    /// `IOCTL`.
    Ioctl,
}

impl LinkBeatMethod {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mii => "MII",
            Self::Ethtool => "ETHTOOL",
            Self::Ioctl => "IOCTL",
        }
    }
}

/// A `garp_group`: interfaces that share one pace of announcements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GarpGroup {
    /// `garp_interval`.
    pub garp_interval: Option<Micros>,
    /// `gna_interval`.
    pub gna_interval: Option<Micros>,
    /// `interface` and `interfaces`.
    pub interfaces: Vec<IfName>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            instance_name: None,
            net_namespace: None,
            namespace_with_ipsets: false,
            child_wait_time: Micros::from_secs(5),
            linkbeat_use_polling: false,
            vrrp_version: Version::V2,
            mcast_group4: Family::Ipv4.vrrp_group(),
            mcast_group6: Family::Ipv6.vrrp_group(),
            strict: false,
            dynamic_interfaces: false,
            allow_if_changes: false,
            default_interface: None,
            disable_local_igmp: false,
            announce: AnnounceSettings::default(),
            garp_interval: Micros::ZERO,
            gna_interval: Micros::ZERO,
            garp_extra: GarpExtra::default(),
            down_timer_adverts: DownTimerAdverts::default(),
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            listen_after_stall: false,
            owner_ignore_adverts: false,
            v3_checksum_as_v2: false,
            skip_check_adv_addr: false,
            check_unicast_src: false,
            startup_delay: Micros::ZERO,
            delay_after_boot: Micros::ZERO,
            log_unknown_vrids: false,
            script_security: false,
            script_user: None,
            script_account: None,
            set_supplementary_groups: false,
            use_symlink_paths: false,
            umask: 0o177,
            random_seed: None,
            max_auto_priority: Some(0),
            min_auto_priority_delay: Micros::from_secs(1),
            process_name: None,
            process_names: false,
            vrrp: ProcessSettings::default(),
            checker: ProcessSettings::default(),
            bfd: ProcessSettings::default(),
            receive_buffers: ReceiveBuffers::default(),
            netlink_buffers: NetlinkBuffers::default(),
            vmac_prefix: None,
            vmac_addr_prefix: None,
            firewall: Firewall::default(),
            mail: Mail::default(),
            startup: OnceProgram::default(),
            shutdown: OnceProgram::default(),
            notify_fifo: NotifyFifo::default(),
            vrrp_notify_fifo: NotifyFifo::default(),
            notify_priority_changes: false,
            fifo_states_on_reload: false,
            notify_order_timeout: Micros::from_secs(5),
            notify_parallel: false,
            heartbeat_guard: false,
            snmp: Snmp::default(),
            dbus: Dbus::default(),
            lvs: LvsGlobal::default(),
            reload_check_config: None,
            reload_time_file: None,
            reload_repeat: false,
            reload_file: None,
            paths: PathOptions::default(),
            interface_delays: Vec::new(),
            linkbeat_interfaces: Vec::new(),
            garp_groups: Vec::new(),
        }
    }
}
