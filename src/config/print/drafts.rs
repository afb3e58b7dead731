//! The drafts that would give a model: what is as it would be without being written is left out.

use crate::config::lower::service::Services;
use crate::config::lower::{Command, Tracks, address};
use crate::config::place::Place;
use crate::config::schema::instance::{self, AuthType, Garp, Hmac, Notify};
use crate::config::schema::instance_links::{self, Mac};
use crate::config::schema::{bfd, global, group, script, top, tracker};
use crate::model::{
    Authentication, BfdInstance, Family, Global, Instance, Micros, Model, NotifyPrograms, OwnLink, Priority, Program,
    Script, SyncGroup, TrackedProcess, Transport, Version, VirtualAddress, WantedState,
};
use std::sync::Arc;

/// Everything that would have to be written.
pub(super) fn of(model: &Model) -> top::Draft {
    let name_of = |id: u32| {
        model
            .instances
            .get(usize::try_from(id).unwrap_or(usize::MAX))
            .map(|instance| Arc::clone(&instance.name))
    };
    let member = |id: &crate::model::InstanceId| name_of(id.0).map(|name| (name, Place::default()));
    top::Draft {
        global: global(&model.global),
        scripts: model.scripts.iter().map(script).collect(),
        files: model
            .files
            .iter()
            .map(|file| tracker::File {
                name: Arc::clone(&file.name),
                path: Some(file.path.clone()),
                weight: Some(file.weight),
                init: file.init,
            })
            .collect(),
        processes: model.processes.iter().map(process).collect(),
        bfds: model.bfds.iter().map(bfd).collect(),
        instances: model
            .instances
            .iter()
            .map(|instance| self::instance(instance, model))
            .collect(),
        groups: model
            .groups
            .iter()
            .map(|group| sync_group(group, group.members.iter().filter_map(member).collect(), &model.global))
            .collect(),
        track_groups: model
            .track_groups
            .iter()
            .map(|group| group::TrackGroup {
                name: Arc::clone(&group.name),
                members: group.members.iter().filter_map(member).collect(),
                has_group: true,
            })
            .collect(),
        garp: group::Garp::default(),
        static_addresses: model
            .static_addresses
            .iter()
            .map(|fixed| address::Draft {
                interface: fixed
                    .address
                    .own_link
                    .clone()
                    .or_else(|| Some(fixed.address.interface.clone())),
                track_group: fixed.track_group,
                ..self::address(&fixed.address, None)
            })
            .collect(),
        static_routes: model.static_routes.clone(),
        static_rules: model.static_rules.clone(),
        lvs: model.lvs.clone(),
        services: Services::default(),
    }
}

/// `Some` if it is not what it would be anyway.
fn other<T: PartialEq>(value: T, default: T) -> Option<T> {
    (value != default).then_some(value)
}

fn command(program: &Program) -> Box<Command> {
    Box::new(Command {
        argv: program.argv.clone(),
        user: program.user,
        account: program.account.clone(),
        place: Place::default(),
    })
}

fn global(global: &Global) -> global::Draft {
    let announce = &global.announce;
    let reader = |program: &Option<Program>| program.as_ref().map(command);
    global::Draft {
        lower_prio_delay: other(announce.lower_prio_delay, announce.master_delay),
        lower_prio_repeat: other(announce.lower_prio_repeat, announce.master_repeat),
        // No other keyword gives 0.
        min_garp: announce.refresh_repeat == 0,
        startup: reader(&global.startup.program),
        shutdown: reader(&global.shutdown.program),
        fifo_program: reader(&global.notify_fifo.program),
        vrrp_fifo_program: reader(&global.vrrp_notify_fifo.program),
        lvs_fifo_program: reader(&global.lvs.notify_fifo.program),
        script_user_failed: false,
        global: global.clone(),
    }
}

fn script(script: &Script) -> script::Draft {
    script::Draft {
        name: Arc::clone(&script.name),
        command: Some(Command {
            argv: script.argv.clone(),
            user: None,
            account: None,
            place: Place::default(),
        }),
        user: script.user,
        account: script.account.clone(),
        interval: other(script.interval, Micros::SECOND),
        timeout: script.timeout,
        weight: script.weight,
        rise: other(script.rise, 1),
        fall: other(script.fall, 1),
        init_fail: script.init_fail,
        ..script::Draft::default()
    }
}

fn process(process: &TrackedProcess) -> tracker::Process {
    tracker::Process {
        name: Arc::clone(&process.name),
        process: Some(process.process.clone()),
        parameters: process.parameters.clone(),
        param_match: process.param_match,
        weight: process.weight,
        // 0 comes with a `quorum_max` of 0 only.
        quorum: other(process.quorum, 1).filter(|quorum| *quorum > 0),
        quorum_max: process.quorum_max,
        terminate_delay: process.terminate_delay,
        fork_delay: process.fork_delay,
        full_command: process.full_command,
    }
}

fn bfd(session: &BfdInstance) -> bfd::Draft {
    let default = BfdInstance::new("", session.neighbor);
    let one = session.for_vrrp != session.for_checker;
    bfd::Draft {
        name: Arc::clone(&session.name),
        neighbor: session.neighbor,
        source: session.source,
        failed: false,
        min_rx: other(session.min_rx, default.min_rx),
        min_tx: other(session.min_tx, default.min_tx),
        idle_tx: other(session.idle_tx, default.idle_tx),
        multiplier: other(session.multiplier, default.multiplier),
        passive: session.passive,
        ttl: other(session.ttl, default.ttl),
        max_hops: match session.max_hops {
            None => Some(-1),
            Some(hops) => other(i16::from(hops), 0),
        },
        multihop: session.multihop,
        weight: session.weight,
        vrrp: one && session.for_vrrp,
        checker: one && session.for_checker,
    }
}

fn notify(programs: &NotifyPrograms) -> Notify {
    let one = |program: &Option<Program>| program.as_ref().map(command);
    Notify {
        master: one(&programs.master),
        backup: one(&programs.backup),
        fault: one(&programs.fault),
        stop: one(&programs.stop),
        any: one(&programs.any),
        deleted: programs.deleted,
        deleted_program: one(&programs.deleted_program),
        master_rx_lower_pri: one(&programs.master_rx_lower_pri),
    }
}

fn alert(global: &Global) -> bool {
    global.mail.alert_vrrp.or(global.mail.alert).unwrap_or(false)
}

fn sync_group(group: &SyncGroup, members: Vec<(Arc<str>, Place)>, global: &Global) -> group::Draft {
    group::Draft {
        name: Arc::clone(&group.name),
        members,
        has_group: true,
        tracking_weight: group.tracking_weight,
        tracks: Tracks {
            interfaces: group.track_interfaces.clone(),
            scripts: group.track_scripts.clone(),
            files: group.track_files.clone(),
            processes: group.track_processes.clone(),
            bfds: group.track_bfds.clone(),
        },
        notify: notify(&group.notify),
        smtp_alert: other(group.smtp_alert, alert(global)),
        notify_priority_changes: group.notify_priority_changes,
    }
}

/// A line of addresses; `own`: the interface that it would have without `dev`.
fn address(address: &VirtualAddress, own: Option<&crate::model::IfName>) -> address::Draft {
    address::Draft {
        address: address.clone(),
        interface: (own != Some(&address.interface)).then(|| address.interface.clone()),
        track_group: None,
        place: Place::default(),
    }
}

fn link(own: &OwnLink) -> (instance_links::Draft, bool) {
    match own {
        OwnLink::Vmac(vmac) => (
            instance_links::Draft {
                name: vmac.named.then(|| vmac.name.clone()),
                mac: vmac.mac.map(Mac::Whole),
                netlink_notify: vmac.netlink_notify,
                group: vmac.link_group.clone(),
                ..instance_links::Draft::default()
            },
            vmac.xmit_base,
        ),
        OwnLink::Ipvlan(ipvlan) => (
            instance_links::Draft {
                ipvlan: true,
                name: ipvlan.named.then(|| ipvlan.name.clone()),
                address: ipvlan.address,
                mode: ipvlan.mode,
                group: ipvlan.link_group.clone(),
                ..instance_links::Draft::default()
            },
            ipvlan.xmit_base,
        ),
    }
}

fn garp(instance: &Instance, global: &Global) -> Garp {
    let (announce, defaults) = (&instance.announce, &global.announce);
    let lower = !instance.strict;
    Garp {
        master_delay: other(announce.master_delay, defaults.master_delay),
        master_refresh: other(announce.refresh, defaults.refresh),
        master_repeat: other(announce.master_repeat, defaults.master_repeat),
        master_refresh_repeat: other(announce.refresh_repeat, defaults.refresh_repeat),
        lower_prio_delay: other(announce.lower_prio_delay, defaults.lower_prio_delay).filter(|_| lower),
        lower_prio_repeat: other(announce.lower_prio_repeat, defaults.lower_prio_repeat).filter(|_| lower),
        extra: other(instance.garp_extra, global.garp_extra),
    }
}

fn instance(instance: &Instance, model: &Model) -> instance::Draft {
    let global = &model.global;
    let owner = instance.priority.is_owner();
    let by_priority = if owner {
        WantedState::Master
    } else {
        WantedState::Backup
    };
    let group = instance
        .sync_group
        .and_then(|id| model.groups.get(usize::try_from(id.0).ok()?));
    let version = match instance.family {
        Family::Ipv4 => global.vrrp_version,
        Family::Ipv6 => Version::V3,
    };
    let (own_link, xmit_base) = instance.own_link.as_deref().map(link).unzip();
    let own = instance.interface.as_ref();
    let strict = instance.strict;
    let mut draft = instance::Draft {
        name: Arc::clone(&instance.name),
        vrid: Some(instance.vrid.get()),
        interface: instance.interface.clone(),
        vrf: instance.vrf.clone(),
        state: other(instance.state, by_priority),
        priority: other(instance.priority, Priority::DEFAULT).map(Priority::get),
        version: other(instance.version, version),
        family: Some(instance.family),
        advert_int: other(instance.advert_interval.duration(), Micros::SECOND),
        unicast_fault_no_peer: instance.unicast_fault_no_peer,
        source: instance.source,
        // Without an interface only a unicast keyword makes it an instance, whether there are peers or not.
        unicast_source: instance.transport.is_unicast() || instance.interface.is_none(),
        track_source: instance.track_source,
        vips: instance.vips.iter().map(|vip| address(vip, own)).collect(),
        excluded: instance.excluded_vips.iter().map(|vip| address(vip, own)).collect(),
        no_vips: instance.no_vips,
        preempt: other(instance.preempt, true),
        preempt_delay: other(instance.preempt_delay, Micros::ZERO),
        timer_expired_backup: instance.timer_expired_backup.map(Priority::get),
        accept: other(instance.accept, owner || !strict),
        strict: other(strict, global.strict),
        dont_track_primary: instance.dont_track_primary,
        tracks: Tracks {
            interfaces: instance.track_interfaces.clone(),
            scripts: instance.track_scripts.clone(),
            files: instance.track_files.clone(),
            processes: instance.track_processes.clone(),
            bfds: instance.track_bfds.clone(),
        },
        skip_check_adv_addr: instance.skip_check_adv_addr && !global.skip_check_adv_addr,
        v3_checksum_as_v2: other(instance.v3_checksum_as_v2, global.v3_checksum_as_v2),
        lower_prio_no_advert: other(instance.lower_prio_no_advert, strict || global.lower_prio_no_advert),
        higher_prio_send_advert: other(
            instance.higher_prio_send_advert,
            !strict && global.higher_prio_send_advert,
        ),
        listen_after_stall: other(instance.listen_after_stall, global.listen_after_stall),
        owner_ignore_adverts: other(
            instance.owner_ignore_adverts,
            owner && (strict || global.owner_ignore_adverts),
        ),
        promote_secondaries: instance.promote_secondaries,
        linkbeat_use_polling: instance.linkbeat_use_polling,
        down_timer_adverts: other(instance.down_timer_adverts, global.down_timer_adverts)
            .filter(|_| !strict)
            .map(crate::model::DownTimerAdverts::get),
        garp: garp(instance, global).into(),
        link: own_link.map(Box::new),
        vmac_xmit_base: xmit_base.unwrap_or(false),
        use_vmac_addr: instance.use_vmac_addr,
        routes: instance.routes.clone(),
        rules: instance.rules.clone(),
        notify: instance
            .notify
            .as_deref()
            .map(|programs| notify(programs).into())
            .unwrap_or_default(),
        smtp_alert: other(instance.smtp_alert, alert(global)),
        notify_priority_changes: other(
            instance.notify_priority_changes,
            group
                .and_then(|group| group.notify_priority_changes)
                .unwrap_or(global.notify_priority_changes),
        ),
        kernel_rx_buf_size: instance.kernel_rx_buf_size,
        lvs_sync_daemon_interface: instance.lvs_sync_daemon_interface.clone(),
        debug: other(instance.debug, 0),
        answer_foreign_claims: other(!instance.ignore_foreign_claims, true),
        ..instance::Draft::default()
    };
    // Without a priority, MASTER would mean that it owns the addresses.
    if draft.state == Some(WantedState::Master) {
        draft.priority = Some(instance.priority.get());
    }
    authentication(instance, &mut draft);
    transport(instance, global, &mut draft);
    draft
}

fn authentication(instance: &Instance, draft: &mut instance::Draft) {
    let (kind, password) = match instance.authentication {
        Authentication::None => (None, None),
        Authentication::Pass(password) => (Some(AuthType::Pass), Some(password)),
        Authentication::Ah(password) => (Some(AuthType::Ah), Some(password)),
    };
    draft.auth_type = kind;
    draft.auth_pass = password.map(|password| {
        let end = password
            .0
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(password.0.len());
        String::from_utf8_lossy(password.0.get(..end).unwrap_or_default()).into()
    });
    draft.hmac = instance.hmac.as_ref().map(|hmac| {
        Box::new(Hmac {
            keys: hmac.keys.clone(),
            active_key: Some(hmac.active_key),
            time_window: Some(hmac.time_window),
            anti_replay: hmac.anti_replay,
            mode: hmac.mode,
        })
    });
}

fn transport(instance: &Instance, global: &Global, draft: &mut instance::Draft) {
    match &instance.transport {
        Transport::Multicast { group } => {
            let default = match instance.family {
                Family::Ipv4 => global.mcast_group4,
                Family::Ipv6 => global.mcast_group6,
            };
            draft.group = other(*group, default);
        }
        Transport::Unicast {
            peers,
            ttl,
            check_source,
            old_checksum,
        } => {
            draft.unicast = true;
            draft.peers.clone_from(peers);
            draft.unicast_ttl = *ttl;
            draft.check_unicast_src = *check_source && !global.check_unicast_src;
            draft.old_checksum = *old_checksum;
        }
    }
}
