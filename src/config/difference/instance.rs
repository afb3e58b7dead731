//! An instance in words.

use super::said::{Said, Tracks, seconds};
use crate::config::lower::{Names, print_address, route, rule};
use crate::model::{
    AnnounceSettings, Authentication, HmacAuth, Instance, Ipvlan, Model, NotifyPrograms, OwnLink, Transport,
    UnicastPeer, VirtualAddress, Vmac, WantedState,
};

pub(super) fn instance(config: &Instance, model: &Model) -> Said {
    let mut said = Said::of("vrrp_instance");
    router(config, &mut said);
    behaviour(config, &mut said);
    addresses(config, model, &mut said);
    tracks(config, model, &mut said);
    announcements(config, &mut said);
    let notify = config.notify.as_deref().cloned().unwrap_or_default();
    programs(&notify, &mut said);
    match &notify.deleted_program {
        Some(program) => said.program("notify_deleted", Some(program)),
        None => said.flag("notify_deleted", notify.deleted),
    }
    said.program("notify_master_rx_lower_pri", notify.master_rx_lower_pri.as_ref());
    said.flag("smtp_alert", config.smtp_alert);
    said.flag("notify_priority_changes", config.notify_priority_changes);
    authentication(config, &mut said);
    said
}

/// What makes it the virtual router that it is, and what its adverts say.
fn router(config: &Instance, said: &mut Said) {
    said.one("virtual_router_id", config.vrid);
    said.one("native_ipv6", config.family);
    said.some("interface", config.interface.as_ref());
    said.some("vrf", config.vrf.as_ref());
    own_link(config.own_link.as_deref(), said);
    said.flag("use_vmac_addr", config.use_vmac_addr);
    let wanted = match config.state {
        WantedState::Master => "MASTER",
        WantedState::Backup => "BACKUP",
    };
    said.one("state", wanted);
    said.one("priority", config.priority);
    said.one("version", config.version.number());
    said.time("advert_int", config.advert_interval.duration());
    transport(config, said);
    said.flag("track_src_ip", config.track_source);
    said.flag("unicast_fault_no_peer", config.unicast_fault_no_peer);
    said.flag("linkbeat_use_polling", config.linkbeat_use_polling);
}

fn own_link(link: Option<&OwnLink>, said: &mut Said) {
    match link {
        None => {}
        Some(OwnLink::Vmac(Vmac {
            name,
            named: _,
            mac,
            xmit_base,
            netlink_notify,
            link_group,
        })) => {
            let mut words = vec![name.to_string()];
            words.extend(mac.map(|mac| mac.to_string()));
            words.extend(netlink_notify.then(|| "netlink_notify".to_owned()));
            words.extend(link_group.as_ref().map(|group| format!("group {group}")));
            said.one("use_vmac", words.join(" "));
            said.flag("vmac_xmit_base", *xmit_base);
        }
        Some(OwnLink::Ipvlan(Ipvlan {
            name,
            named: _,
            address,
            mode,
            xmit_base,
            link_group,
        })) => {
            let mut words = vec![name.to_string()];
            words.extend(address.map(|(address, len)| format!("{address}/{len}")));
            words.push(format!("{mode:?}").to_lowercase());
            words.extend(link_group.as_ref().map(|group| format!("group {group}")));
            said.one("use_ipvlan", words.join(" "));
            said.flag("vmac_xmit_base", *xmit_base);
        }
    }
}

fn transport(config: &Instance, said: &mut Said) {
    match &config.transport {
        Transport::Multicast { group } => {
            said.one("mcast_dst_ip", group);
            said.some("mcast_src_ip", config.source);
        }
        Transport::Unicast {
            peers,
            ttl,
            check_source,
            old_checksum,
        } => {
            let peer = |peer: &UnicastPeer| match (peer.min_ttl, peer.max_ttl) {
                (0, u8::MAX) => peer.address.to_string(),
                (min, max) => format!("{} min_ttl {min} max_ttl {max}", peer.address),
            };
            said.list("unicast_peer", peers.iter().map(peer).collect());
            said.some("unicast_src_ip", config.source);
            said.some("unicast_ttl", *ttl);
            said.flag("check_unicast_src", *check_source);
            said.one("old_unicast_checksum", format!("{old_checksum:?}").to_lowercase());
        }
    }
}

fn authentication(config: &Instance, said: &mut Said) {
    said.inside("vrrp_instance / authentication");
    let (kind, password) = match config.authentication {
        Authentication::None => (None, None),
        Authentication::Pass(password) => (Some("PASS"), Some(password)),
        Authentication::Ah(password) => (Some("AH"), Some(password)),
    };
    said.some("auth_type", kind);
    let bytes = password.map(|password| format!("{:?}", password.0));
    said.secret("auth_pass", bytes.into_iter().collect());
    said.inside("vrrp_instance / auth_hmac");
    if let Some(HmacAuth {
        keys,
        active_key,
        time_window,
        anti_replay,
        mode,
    }) = config.hmac.as_deref()
    {
        let key = |(id, key): (&u8, &crate::model::HmacKey)| format!("{id} {:?} {:?}", key.bytes, key.file);
        said.secret("key", keys.iter().map(key).collect());
        said.one("active_key", active_key);
        said.time("time_window", *time_window);
        said.one("anti_replay", format!("{anti_replay:?}").to_lowercase());
        said.one("mode", format!("{mode:?}").to_lowercase());
    }
}

fn addresses(config: &Instance, model: &Model, said: &mut Said) {
    let names = Names { model };
    let lines = |vips: &[VirtualAddress]| -> Vec<String> {
        vips.iter()
            .map(|vip| print_address(vip, Some(&vip.interface), None))
            .collect()
    };
    said.list("virtual_ipaddress", lines(&config.vips));
    said.list("virtual_ipaddress_excluded", lines(&config.excluded_vips));
    said.flag("no_virtual_ipaddress", config.no_vips);
    said.list(
        "virtual_routes",
        config.routes.iter().map(|one| route::print(one, &names)).collect(),
    );
    said.list(
        "virtual_rules",
        config.rules.iter().map(|one| rule::print(one, &names)).collect(),
    );
    said.flag("promote_secondaries", config.promote_secondaries);
}

fn tracks(config: &Instance, model: &Model, said: &mut Said) {
    let group = config
        .sync_group
        .and_then(|id| model.groups.get(usize::try_from(id.0).ok()?));
    said.inside("vrrp_sync_group");
    said.some("group", group.map(|group| &group.name));
    said.inside("vrrp_instance");
    let tracks = Tracks {
        interfaces: &config.track_interfaces,
        scripts: &config.track_scripts,
        files: &config.track_files,
        processes: &config.track_processes,
        bfds: &config.track_bfds,
    };
    tracks.say(model, said);
    said.flag("dont_track_primary", config.dont_track_primary);
}

fn behaviour(config: &Instance, said: &mut Said) {
    said.flag("preempt", config.preempt);
    said.time("preempt_delay", config.preempt_delay);
    said.some("timer_expired_backup", config.timer_expired_backup);
    said.flag("accept", config.accept);
    said.flag("strict_mode", config.strict);
    said.one("down_timer_adverts", config.down_timer_adverts.get());
    said.flag("skip_check_adv_addr", config.skip_check_adv_addr);
    said.flag("v3_checksum_as_v2", config.v3_checksum_as_v2);
    said.flag("lower_prio_no_advert", config.lower_prio_no_advert);
    said.flag("higher_prio_send_advert", config.higher_prio_send_advert);
    said.flag("listen_after_stall", config.listen_after_stall);
    said.flag("owner_ignore_adverts", config.owner_ignore_adverts);
    said.some("kernel_rx_buf_size", config.kernel_rx_buf_size);
    said.some("lvs_sync_daemon_interface", config.lvs_sync_daemon_interface.as_ref());
    said.one("debug", config.debug);
    // It follows from other keywords, and is a cause of FAULT.
    said.some("config_fault", config.config_fault.map(|fault| format!("{fault:?}")));
}

fn announcements(config: &Instance, said: &mut Said) {
    let AnnounceSettings {
        master_repeat,
        master_delay,
        refresh,
        refresh_repeat,
        lower_prio_repeat,
        lower_prio_delay,
    } = config.announce;
    said.one("garp_master_repeat", master_repeat);
    said.time("garp_master_delay", master_delay);
    said.time("garp_master_refresh", refresh);
    said.one("garp_master_refresh_repeat", refresh_repeat);
    said.one("garp_lower_prio_repeat", lower_prio_repeat);
    said.time("garp_lower_prio_delay", lower_prio_delay);
    let extra = format!(
        "{}{}",
        if config.garp_extra.all { "all " } else { "" },
        seconds(config.garp_extra.interval)
    );
    said.one("garp_extra_if", extra);
    said.flag("answer_foreign_claims", !config.ignore_foreign_claims);
}

/// `notify*` of an instance or a group.
pub(super) fn programs(notify: &NotifyPrograms, said: &mut Said) {
    let NotifyPrograms {
        master,
        backup,
        fault,
        stop,
        any,
        // Groups have none of these.
        deleted: _,
        deleted_program: _,
        master_rx_lower_pri: _,
    } = notify;
    said.program("notify_master", master.as_ref());
    said.program("notify_backup", backup.as_ref());
    said.program("notify_fault", fault.as_ref());
    said.program("notify_stop", stop.as_ref());
    said.program("notify", any.as_ref());
}
