//! Settings of the whole daemon, in words.

use super::said::{Said, seconds};
use crate::config::lower::account;
use crate::model::{
    AnnounceSettings, Dbus, Firewall, Global, LvsGlobal, Mail, NetlinkBuffer, NetlinkBuffers, NotifyFifo, PathOptions,
    ProcessSettings, ReceiveBufferPolicy, Snmp,
};

pub(super) fn global(config: &Global) -> Said {
    let mut said = Said::of("(top)");
    top(config, &mut said);
    said.inside("global_defs");
    said.some("router_id", config.router_id.as_ref());
    programs(config, &mut said);
    defaults(config, &mut said);
    notifications(config, &mut said);
    mail(&config.mail, &mut said);
    files(config, &mut said);
    processes(config, &mut said);
    buffers(config, &mut said);
    firewall(&config.firewall, &mut said);
    services(&config.snmp, &config.dbus, &mut said);
    lvs(&config.lvs, &mut said);
    said
}

fn top(config: &Global, said: &mut Said) {
    said.some("net_namespace", config.net_namespace.as_ref());
    said.some("net_namespace_ipvs", config.lvs.net_namespace.as_ref());
    said.flag("namespace_with_ipsets", config.namespace_with_ipsets);
    said.flag("use_pid_dir", config.paths.use_pid_dir);
    said.some("instance", config.instance_name.as_ref());
    said.time("child_wait_time", config.child_wait_time);
    said.flag("linkbeat_use_polling", config.linkbeat_use_polling);
    let delays = config.interface_delays.iter();
    let delay =
        |one: &crate::model::InterfaceDelay| format!("{} {} {}", one.interface, seconds(one.down), seconds(one.up));
    said.list("interface_up_down_delays", delays.map(delay).collect());
    let polled = |one: &crate::model::LinkBeat| match one.method {
        Some(method) => format!("{} {}", one.interface, method.as_str()),
        None => one.interface.to_string(),
    };
    said.list(
        "linkbeat_interfaces",
        config.linkbeat_interfaces.iter().map(polled).collect(),
    );
}

fn programs(config: &Global, said: &mut Said) {
    said.flag("use_symlink_paths", config.use_symlink_paths);
    said.flag("set_supplementary_groups", config.set_supplementary_groups);
    said.program("startup_script", config.startup.program.as_ref());
    said.time("startup_script_timeout", config.startup.timeout);
    said.program("shutdown_script", config.shutdown.program.as_ref());
    said.time("shutdown_script_timeout", config.shutdown.timeout);
    let ids = config.script_user.map(|user| format!("{}:{}", user.uid, user.gid));
    said.some("script_user", config.script_account.as_ref().map(account).or(ids));
    said.flag("enable_script_security", config.script_security);
}

/// What instances take over, and how the protocol is spoken.
fn defaults(config: &Global, said: &mut Said) {
    said.flag("dynamic_interfaces", config.dynamic_interfaces);
    said.flag("dynamic_interfaces allow_if_changes", config.allow_if_changes);
    said.some("default_interface", config.default_interface.as_ref());
    said.flag("disable_local_igmp", config.disable_local_igmp);
    said.flag("v3_checksum_as_v2", config.v3_checksum_as_v2);
    said.one("vrrp_mcast_group4", config.mcast_group4);
    said.one("vrrp_mcast_group6", config.mcast_group6);
    let AnnounceSettings {
        master_repeat,
        master_delay,
        refresh,
        refresh_repeat,
        lower_prio_repeat,
        lower_prio_delay,
    } = config.announce;
    said.time("vrrp_garp_master_delay", master_delay);
    said.one("vrrp_garp_master_repeat", master_repeat);
    said.time("vrrp_garp_master_refresh", refresh);
    said.one("vrrp_garp_master_refresh_repeat", refresh_repeat);
    said.time("vrrp_garp_lower_prio_delay", lower_prio_delay);
    said.one("vrrp_garp_lower_prio_repeat", lower_prio_repeat);
    said.one("vrrp_down_timer_adverts", config.down_timer_adverts.get());
    said.time("vrrp_garp_interval", config.garp_interval);
    said.time("vrrp_gna_interval", config.gna_interval);
    let all = if config.garp_extra.all { "all " } else { "" };
    said.one(
        "vrrp_garp_extra_if",
        format!("{all}{}", seconds(config.garp_extra.interval)),
    );
    said.flag("vrrp_lower_prio_no_advert", config.lower_prio_no_advert);
    said.flag("vrrp_higher_prio_send_advert", config.higher_prio_send_advert);
    said.flag("vrrp_listen_after_stall", config.listen_after_stall);
    said.one("vrrp_version", config.vrrp_version.number());
    said.flag("vrrp_check_unicast_src", config.check_unicast_src);
    said.flag("vrrp_skip_check_adv_addr", config.skip_check_adv_addr);
    said.flag("vrrp_strict", config.strict);
    said.time("vrrp_startup_delay", config.startup_delay);
    said.time("vrrp_delay_after_boot", config.delay_after_boot);
    said.flag("log_unknown_vrids", config.log_unknown_vrids);
    said.flag("vrrp_owner_ignore_adverts", config.owner_ignore_adverts);
    said.some("vmac_prefix", config.vmac_prefix.as_ref());
    said.some("vmac_addr_prefix", config.vmac_addr_prefix.as_ref());
}

fn fifo(fifo: &NotifyFifo, [path, script]: [&'static str; 2], said: &mut Said) {
    let place = fifo.path.as_ref().map(|path| match (&fifo.account, fifo.user) {
        (Some(owner), _) => format!("{path} {}", account(owner)),
        (None, Some(user)) => format!("{path} {}:{}", user.uid, user.gid),
        (None, None) => path.clone(),
    });
    said.some(path, place);
    said.program(script, fifo.program.as_ref());
}

fn notifications(config: &Global, said: &mut Said) {
    fifo(&config.notify_fifo, ["notify_fifo", "notify_fifo_script"], said);
    fifo(
        &config.vrrp_notify_fifo,
        ["vrrp_notify_fifo", "vrrp_notify_fifo_script"],
        said,
    );
    said.flag("vrrp_notify_priority_changes", config.notify_priority_changes);
    said.flag("fifo_write_vrrp_states_on_reload", config.fifo_states_on_reload);
    said.time("notify_order_timeout", config.notify_order_timeout);
    said.flag("notify_parallel", config.notify_parallel);
    said.flag("heartbeat_guard", config.heartbeat_guard);
}

fn mail(mail: &Mail, said: &mut Said) {
    let Mail {
        server,
        port,
        helo_name,
        connect_timeout,
        from,
        to,
        alert,
        alert_vrrp,
        alert_checker,
        no_faults,
    } = mail;
    said.some("notification_email_from", from.as_ref());
    said.some("smtp_server", server.as_ref().map(|server| format!("{server} {port}")));
    said.some("smtp_helo_name", helo_name.as_ref());
    said.time("smtp_connect_timeout", *connect_timeout);
    said.list("notification_email", to.clone());
    said.some("smtp_alert", *alert);
    said.some("smtp_alert_vrrp", *alert_vrrp);
    said.some("smtp_alert_checker", *alert_checker);
    said.flag("no_email_faults", *no_faults);
}

fn files(config: &Global, said: &mut Said) {
    said.some("reload_check_config", config.reload_check_config.as_ref());
    said.some("reload_time_file", config.reload_time_file.as_ref());
    said.flag("reload_repeat", config.reload_repeat);
    said.some("reload_file", config.reload_file.as_ref());
    let PathOptions {
        use_pid_dir: _,
        state_dump_file,
        stats_dump_file,
        json_dump_file,
        json_version_2,
        data_use_instance,
        config_save_dir,
        tmp_config_directory,
        iproute_usr_dir,
        iproute_etc_dir,
    } = &config.paths;
    said.some("config_save_dir", config_save_dir.as_ref());
    said.some("tmp_config_directory", tmp_config_directory.as_ref());
    said.flag("data_use_instance", *data_use_instance);
    said.one("json_version", if *json_version_2 { 2 } else { 1 });
    said.some("iproute_usr_dir", iproute_usr_dir.as_ref());
    said.some("iproute_etc_dir", iproute_etc_dir.as_ref());
    said.some("state_dump_file", state_dump_file.as_ref());
    said.some("stats_dump_file", stats_dump_file.as_ref());
    said.some("json_dump_file", json_dump_file.as_ref());
}

fn processes(config: &Global, said: &mut Said) {
    said.some("random_seed", config.random_seed);
    said.one("umask", format!("{:03o}", config.umask));
    said.some("max_auto_priority", config.max_auto_priority);
    said.one("min_auto_priority_delay", config.min_auto_priority_delay.0);
    said.flag("process_names", config.process_names);
    said.some("process_name", config.process_name.as_ref());
    let vrrp = [
        "vrrp_process_name",
        "vrrp_priority",
        "vrrp_no_swap",
        "vrrp_rt_priority",
        "vrrp_cpu_affinity",
        "vrrp_rlimit_rttime",
    ];
    let checker = [
        "checker_process_name",
        "checker_priority",
        "checker_no_swap",
        "checker_rt_priority",
        "checker_cpu_affinity",
        "checker_rlimit_rttime",
    ];
    let bfd = [
        "bfd_process_name",
        "bfd_priority",
        "bfd_no_swap",
        "bfd_rt_priority",
        "bfd_cpu_affinity",
        "bfd_rlimit_rttime",
    ];
    process(&config.vrrp, vrrp, said);
    process(&config.checker, checker, said);
    process(&config.bfd, bfd, said);
}

fn process(settings: &ProcessSettings, keywords: [&'static str; 6], said: &mut Said) {
    let ProcessSettings {
        name,
        nice,
        no_swap,
        rt_priority,
        cpu_affinity,
        rlimit_rttime,
    } = settings;
    let [of_name, of_nice, of_swap, of_rt, of_cpus, of_limit] = keywords;
    said.some(of_name, name.as_ref());
    said.some(of_nice, *nice);
    said.flag(of_swap, *no_swap);
    said.some(of_rt, *rt_priority);
    said.list(of_cpus, cpu_affinity.iter().map(ToString::to_string).collect());
    said.some(of_limit, rlimit_rttime.map(|limit| limit.0));
}

fn buffers(config: &Global, said: &mut Said) {
    let policy = match config.receive_buffers.policy {
        ReceiveBufferPolicy::System => "system".to_owned(),
        ReceiveBufferPolicy::Mtu => "MTU".to_owned(),
        ReceiveBufferPolicy::Advert => "ADVERT".to_owned(),
        ReceiveBufferPolicy::Bytes(bytes) => bytes.to_string(),
    };
    said.one("vrrp_rx_bufs_policy", policy);
    said.one("vrrp_rx_bufs_multiplier", config.receive_buffers.multiplier);
    let NetlinkBuffers {
        vrrp_command,
        vrrp_monitor,
        process_monitor,
        lvs_command,
        lvs_monitor,
    } = &config.netlink_buffers;
    let all: [(&NetlinkBuffer, [&'static str; 2]); 5] = [
        (
            vrrp_command,
            ["vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_cmd_rcv_bufs_force"],
        ),
        (
            vrrp_monitor,
            ["vrrp_netlink_monitor_rcv_bufs", "vrrp_netlink_monitor_rcv_bufs_force"],
        ),
        (
            process_monitor,
            ["process_monitor_rcv_bufs", "process_monitor_rcv_bufs_force"],
        ),
        (
            lvs_command,
            ["lvs_netlink_cmd_rcv_bufs", "lvs_netlink_cmd_rcv_bufs_force"],
        ),
        (
            lvs_monitor,
            ["lvs_netlink_monitor_rcv_bufs", "lvs_netlink_monitor_rcv_bufs_force"],
        ),
    ];
    for (buffer, [size, force]) in all {
        said.some(size, buffer.size);
        said.flag(force, buffer.force);
    }
}

fn firewall(firewall: &Firewall, said: &mut Said) {
    let Firewall {
        iptables,
        ipsets,
        nftables,
        nftables_priority,
        nftables_ifindex,
        nftables_counters,
    } = firewall;
    said.some(
        "vrrp_iptables",
        iptables.as_ref().map(|(input, output)| format!("{input} {output}")),
    );
    said.some("vrrp_ipsets", ipsets.as_ref().map(|names| names.join(" ")));
    said.some("nftables", nftables.as_ref());
    said.one("nftables_priority", nftables_priority);
    said.flag("nftables_ifindex", *nftables_ifindex);
    said.flag("nftables_counters", *nftables_counters);
}

fn services(snmp: &Snmp, dbus: &Dbus, said: &mut Said) {
    let Snmp {
        socket,
        traps,
        vrrp,
        rfc_v2,
        rfc_v3,
        checker,
        vs_stats_interval,
        rs_stats_interval,
    } = snmp;
    said.some("snmp_socket", socket.as_ref());
    said.flag("enable_traps", *traps);
    said.flag("enable_snmp_vrrp", *vrrp);
    said.flag("enable_snmp_rfcv2", *rfc_v2);
    said.flag("enable_snmp_rfcv3", *rfc_v3);
    said.flag("enable_snmp_checker", *checker);
    said.some("snmp_vs_stats_update_interval", vs_stats_interval.map(seconds));
    said.some("snmp_rs_stats_update_interval", rs_stats_interval.map(seconds));
    let Dbus {
        enabled,
        service_name,
        no_interface_name,
    } = dbus;
    said.flag("enable_dbus", *enabled);
    said.some("dbus_service_name", service_name.as_ref());
    said.some("dbus_no_interface_name", no_interface_name.as_ref());
}

/// Kept for keepalived.
fn lvs(lvs: &LvsGlobal, said: &mut Said) {
    let LvsGlobal {
        net_namespace: _,
        timeout_tcp,
        timeout_tcpfin,
        timeout_udp,
        flush,
        flush_on_stop,
        sync_daemon,
        notify_fifo,
        nftables,
        nftables_priority,
        nftables_start_fwmark,
        log_all_failures,
        rs_init_notifies,
        no_checker_emails,
    } = lvs;
    let timeouts = [("tcp", timeout_tcp), ("tcpfin", timeout_tcpfin), ("udp", timeout_udp)];
    let written = timeouts
        .into_iter()
        .filter_map(|(word, value)| Some(format!("{word} {}", (*value)?)));
    said.list("lvs_timeouts", written.collect());
    said.flag("lvs_flush", *flush);
    said.one("lvs_flush_on_stop", format!("{flush_on_stop:?}").to_lowercase());
    said.some(
        "lvs_sync_daemon",
        sync_daemon.as_ref().map(|daemon| format!("{daemon:?}")),
    );
    fifo(notify_fifo, ["lvs_notify_fifo", "lvs_notify_fifo_script"], said);
    said.some("nftables_ipvs", nftables.as_ref());
    said.some("nftables_ipvs_priority", *nftables_priority);
    said.some("nftables_ipvs_start_fwmark", *nftables_start_fwmark);
    said.flag("checker_log_all_failures", *log_all_failures);
    said.flag("rs_init_notifies", *rs_init_notifies);
    said.flag("no_checker_emails", *no_checker_emails);
}
