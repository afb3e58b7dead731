//! What a reload may change of an instance, by the keyword that says it.

use super::pairs::{peer, vip};
use crate::model::{
    AdvertInterval, AntiReplay, Authentication, ConfigFault, DownTimerAdverts, Family, HmacAuth, HmacMode, Instance,
    Micros, NotifyPrograms, OldUnicastChecksum, OwnLink, Password, Priority, ProcessId, Program, ScriptId, TrackFile,
    TrackInterface, TrackProcess, TrackScript, TrackedFileId, Transport, Version, Vmac, Vrid, WantedState,
};
use crate::sim::node::weight;
use crate::sim::random::Random;
use std::ops::Add;
use std::sync::Arc;

/// A change of one keyword.
#[derive(Debug)]
pub(in crate::sim) struct Touch {
    /// The block whose keyword it is.
    pub(super) block: &'static str,
    pub(in crate::sim) keyword: &'static str,
    /// Makes the change; `false` if this instance cannot have it.
    pub(in crate::sim) change: fn(&mut Instance, &mut Random) -> bool,
    /// Whether it may put the instance into fault, or end one.
    pub(super) decides_fault: bool,
}

const BLOCK: &str = "vrrp_instance";

const fn touch(keyword: &'static str, change: fn(&mut Instance, &mut Random) -> bool) -> Touch {
    Touch {
        block: BLOCK,
        keyword,
        change,
        decides_fault: false,
    }
}

const fn of(block: &'static str, touch: Touch) -> Touch {
    Touch { block, ..touch }
}

const fn fault(touch: Touch) -> Touch {
    Touch {
        decides_fault: true,
        ..touch
    }
}

/// A setting that is simply turned.
macro_rules! turned {
    ($field:ident) => {
        |i, _| {
            i.$field = !i.$field;
            true
        }
    };
}

/// A number or time of the announcements.
macro_rules! more {
    ($field:ident, $add:ident $by:expr) => {
        |i, _| {
            i.announce.$field = i.announce.$field.$add($by);
            true
        }
    };
}

/// A program that is told something.
macro_rules! told {
    ($field:ident) => {
        |i, _| {
            let mut programs = NotifyPrograms::clone(&i.notify.clone().unwrap_or_default());
            programs.$field = Some(program());
            i.notify = Some(Box::new(programs));
            true
        }
    };
}

pub(in crate::sim) const TOUCHES: &[Touch] = &[
    touch("state", |i, _| {
        i.state = match i.state {
            WantedState::Master => WantedState::Backup,
            WantedState::Backup => WantedState::Master,
        };
        !i.is_owner()
    }),
    touch("interface", interface),
    touch("virtual_router_id", |i, _| {
        let to = Vrid::new(i.vrid.get() + 100);
        i.vrid = to.unwrap_or(i.vrid);
        true
    }),
    touch("priority", |i, random| {
        i.priority = Priority(u8::try_from(random.between(30, 240)).unwrap_or(100));
        true
    }),
    touch("version", |i, _| {
        i.version = match i.version {
            Version::V2 => Version::V3,
            Version::V3 => Version::V2,
        };
        let centiseconds = i.advert_interval.seconds().max(1) * 100;
        i.advert_interval = AdvertInterval::from_centiseconds(centiseconds).unwrap_or_default();
        i.family == Family::Ipv4 && i.authentication == Authentication::None && i.hmac.is_none()
    }),
    touch("advert_int", |i, random| {
        let centiseconds = match i.version {
            Version::V2 => random.between(1, 4) * 100,
            Version::V3 => random.between(20, 300),
        };
        i.advert_interval = u16::try_from(centiseconds)
            .ok()
            .and_then(AdvertInterval::from_centiseconds)
            .unwrap_or_default();
        true
    }),
    of("vrrp_instance / authentication", touch("auth_type", auth_type)),
    of("vrrp_instance / authentication", touch("auth_pass", auth_pass)),
    of(
        "vrrp_instance / auth_hmac",
        touch("key", |i, _| {
            hmac(i, |hmac| {
                if let Some(key) = hmac.keys.get_mut(&hmac.active_key) {
                    key.bytes.reverse();
                }
            })
        }),
    ),
    of(
        "vrrp_instance / auth_hmac",
        touch("active_key", |i, _| hmac(i, |hmac| hmac.active_key = 2)),
    ),
    of(
        "vrrp_instance / auth_hmac",
        touch("time_window", |i, _| {
            hmac(i, |hmac| hmac.time_window = Micros::from_secs(9))
        }),
    ),
    of(
        "vrrp_instance / auth_hmac",
        touch("anti_replay", |i, _| {
            hmac(i, |hmac| hmac.anti_replay = AntiReplay::Monotonic)
        }),
    ),
    of(
        "vrrp_instance / auth_hmac",
        touch("mode", |i, _| hmac(i, |hmac| hmac.mode = HmacMode::ReceiveOnly)),
    ),
    touch("virtual_ipaddress", addresses),
    touch("virtual_ipaddress_excluded", |i, random| {
        if i.excluded_vips.is_empty() || random.one_in(2) {
            let number = u8::try_from(random.between(100, 120)).unwrap_or(100);
            i.excluded_vips.extend(vip(i, number));
        } else {
            i.excluded_vips.clear();
        }
        true
    }),
    touch("no_virtual_ipaddress", turned!(no_vips)),
    touch("unicast_peer", |i, random| {
        let Transport::Unicast { peers, .. } = &mut i.transport else {
            return false;
        };
        match random.below(2) {
            0 => peers.push(peer(210)),
            _ => drop(peers.pop()),
        }
        true
    }),
    touch("unicast_ttl", |i, _| match &mut i.transport {
        Transport::Unicast { ttl, .. } => {
            *ttl = Some(64);
            true
        }
        Transport::Multicast { .. } => false,
    }),
    touch("check_unicast_src", |i, _| match &mut i.transport {
        Transport::Unicast { check_source, .. } => {
            *check_source = !*check_source;
            true
        }
        Transport::Multicast { .. } => false,
    }),
    touch("old_unicast_checksum", |i, _| match &mut i.transport {
        Transport::Unicast { old_checksum, .. } => {
            *old_checksum = OldUnicastChecksum::Always;
            i.version == Version::V3 && !i.v3_checksum_as_v2
        }
        Transport::Multicast { .. } => false,
    }),
    touch("unicast_src_ip", |i, _| {
        i.source = "192.0.0.9".parse().ok();
        i.transport.is_unicast()
    }),
    touch("mcast_src_ip", |i, _| {
        i.source = match i.family {
            Family::Ipv4 => "192.0.0.9".parse().ok(),
            Family::Ipv6 => "fe80::9".parse().ok(),
        };
        !i.transport.is_unicast()
    }),
    touch("mcast_dst_ip", |i, _| {
        let group = match i.family {
            Family::Ipv4 => "224.0.0.66".parse(),
            Family::Ipv6 => "ff02::66".parse(),
        };
        let multicast = !i.transport.is_unicast();
        if let Ok(group) = group {
            i.transport = Transport::Multicast { group };
        }
        multicast
    }),
    fault(touch("track_src_ip", turned!(track_source))),
    fault(touch("unicast_fault_no_peer", |i, _| {
        i.unicast_fault_no_peer = true;
        if let Transport::Unicast { peers, .. } = &i.transport {
            i.config_fault = Some(ConfigFault::NoPeers).filter(|_| !peers.is_empty());
        }
        i.transport.is_unicast()
    })),
    fault(touch("dont_track_primary", turned!(dont_track_primary))),
    fault(touch("track_interface", |i, random| {
        let link = if random.one_in(2) { "eth1" } else { "eth2" };
        let weight = weight(if random.one_in(2) { 0 } else { -7 });
        let link = link.parse().ok().map(|interface| TrackInterface { interface, weight });
        i.track_interfaces.extend(link);
        true
    })),
    fault(touch("track_script", |i, random| {
        let script = ScriptId(u32::try_from(random.below(3)).unwrap_or(0));
        if i.track_scripts.iter().any(|track| track.script == script) {
            i.track_scripts.clear();
        } else {
            let weight = weight(if random.one_in(3) { 0 } else { 9 });
            i.track_scripts.push(TrackScript { script, weight });
        }
        true
    })),
    fault(touch("track_file", |i, random| {
        let weight = weight(if random.one_in(3) { 0 } else { 2 });
        let file = TrackedFileId(0);
        i.track_files.push(TrackFile { file, weight });
        true
    })),
    fault(touch("track_process", |i, _| {
        let (process, weight) = (ProcessId(0), weight(4));
        i.track_processes.push(TrackProcess { process, weight });
        true
    })),
    touch("accept", turned!(accept)),
    touch("strict_mode", turned!(strict)),
    touch("skip_check_adv_addr", turned!(skip_check_adv_addr)),
    touch("preempt", turned!(preempt)),
    touch("nopreempt", turned!(preempt)),
    touch("preempt_delay", |i, _| {
        i.preempt_delay = Micros::from_secs(1);
        true
    }),
    touch("timer_expired_backup", |i, _| {
        i.timer_expired_backup = Some(Priority(200));
        true
    }),
    touch("debug", |i, _| {
        i.debug += 1;
        true
    }),
    touch("answer_foreign_claims", turned!(ignore_foreign_claims)),
    touch("v3_checksum_as_v2", |i, _| {
        i.v3_checksum_as_v2 = !i.v3_checksum_as_v2;
        i.family == Family::Ipv4 && i.version == Version::V3
    }),
    touch("down_timer_adverts", |i, random| {
        let number = u8::try_from(random.between(2, 9)).unwrap_or(3);
        i.down_timer_adverts = DownTimerAdverts::new(number).unwrap_or_default();
        true
    }),
    touch("listen_after_stall", turned!(listen_after_stall)),
    touch("lower_prio_no_advert", turned!(lower_prio_no_advert)),
    touch("higher_prio_send_advert", turned!(higher_prio_send_advert)),
    touch("owner_ignore_adverts", turned!(owner_ignore_adverts)),
    touch("garp_master_delay", more!(master_delay, add Micros::SECOND)),
    touch("garp_master_refresh", more!(refresh, add Micros::from_secs(2))),
    touch("garp_master_repeat", more!(master_repeat, saturating_add 1)),
    touch("garp_master_refresh_repeat", more!(refresh_repeat, saturating_add 1)),
    touch("garp_lower_prio_delay", more!(lower_prio_delay, add Micros::SECOND)),
    touch("garp_lower_prio_repeat", more!(lower_prio_repeat, saturating_add 1)),
    touch("notify_backup", told!(backup)),
    touch("notify_master", told!(master)),
    touch("notify_fault", told!(fault)),
    touch("notify_stop", told!(stop)),
    touch("notify_deleted", told!(deleted_program)),
    touch("notify", told!(any)),
    touch("notify_master_rx_lower_pri", told!(master_rx_lower_pri)),
    touch("notify_priority_changes", turned!(notify_priority_changes)),
    touch("use_vmac", |i, _| {
        i.own_link = "vrrp.1".parse().ok().map(|name| {
            Box::new(OwnLink::Vmac(Vmac {
                name,
                named: true,
                mac: None,
                xmit_base: false,
                netlink_notify: false,
                link_group: None,
            }))
        });
        true
    }),
    touch("use_vmac_addr", turned!(use_vmac_addr)),
];

/// Keywords that [`TOUCHES`] knows.
pub(super) fn keywords() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOUCHES.iter().map(|touch| (touch.block, touch.keyword))
}

fn program() -> Program {
    Program {
        argv: vec!["/bin/true".into()],
        path: Some("/bin/true".into()),
        user: None,
        account: None,
    }
}

fn interface(i: &mut Instance, _: &mut Random) -> bool {
    let other = if i.interface.as_ref().is_some_and(|name| name.as_str() == "eth0") {
        "eth1"
    } else {
        "eth0"
    };
    i.interface = other.parse().ok();
    for vip in Arc::make_mut(&mut i.vips) {
        vip.interface = other.parse().unwrap_or_else(|_| vip.interface.clone());
    }
    true
}

fn auth_type(i: &mut Instance, _: &mut Random) -> bool {
    i.authentication = match i.authentication {
        Authentication::Ah(password) => Authentication::Pass(password),
        Authentication::Pass(password) => Authentication::Ah(password),
        Authentication::None => Authentication::Pass(Password::from_text("3333")),
    };
    i.version == Version::V2
}

fn auth_pass(i: &mut Instance, _: &mut Random) -> bool {
    let password = Password::from_text("4444");
    i.authentication = match i.authentication {
        Authentication::Ah(_) => Authentication::Ah(password),
        Authentication::Pass(_) => Authentication::Pass(password),
        Authentication::None => return false,
    };
    true
}

fn hmac(i: &mut Instance, change: fn(&mut HmacAuth)) -> bool {
    i.hmac.as_deref_mut().map(change).is_some()
}

/// One address more, one less, others, or another order.
fn addresses(i: &mut Instance, random: &mut Random) -> bool {
    let number = u8::try_from(random.between(10, 90)).unwrap_or(10);
    match random.below(4) {
        0 => i.vips = i.vips.iter().cloned().chain(vip(i, number)).collect(),
        1 => i.vips = i.vips.iter().take(i.vips.len().saturating_sub(1)).cloned().collect(),
        2 => i.vips = vip(i, number).into_iter().collect(),
        _ => i.vips = i.vips.iter().rev().cloned().collect(),
    }
    !i.vips.is_empty()
}
