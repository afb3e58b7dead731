//! What a router is configured as, in plain numbers: microseconds, priorities, centiseconds only on the wire.

use crate::model::{
    AntiReplay, Authentication, Family, HmacMode, Instance, Model, OldUnicastChecksum, SyncGroup, TrackGroupId,
    Transport, Version, WantedState,
};
use std::net::IpAddr;

/// One virtual router's configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rules {
    pub(super) family: Family,
    pub(super) v3: bool,
    pub(super) vrid: u8,
    pub(super) base: u8,
    pub(super) wants_master: bool,
    pub(super) interval: u64,
    pub(super) down_adverts: u64,
    pub(super) preempts: bool,
    pub(super) preempt_delay: u64,
    pub(super) expires: Option<u8>,
    pub(super) listens: bool,
    pub(super) lower_quiet: bool,
    pub(super) higher_sends: bool,
    pub(super) owner_ignores: bool,
    pub(super) seal: Seal,
    pub(super) hmac: Option<Hmac>,
    pub(super) destinations: Vec<IpAddr>,
    /// Unicast: peers with the TTLs that they may have.
    pub(super) peers: Option<Vec<(IpAddr, u8, u8)>>,
    pub(super) checks_peers: bool,
    pub(super) takes_old_checksum: bool,
    pub(super) vips: Vec<IpAddr>,
    /// All its virtual addresses, those that are not in the advert too.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) tracks_source: bool,
    pub(super) link: String,
    /// Links that have to be up.
    pub(super) links: Vec<(String, Weight)>,
    /// Scripts by position: weight with its sign as it counts, and whether it counts while the script is down.
    pub(super) scripts: Vec<(usize, Weight)>,
    pub(super) weighted_links: Vec<(String, Weight)>,
    pub(super) files: Vec<(usize, Weight)>,
    pub(super) processes: Vec<(usize, Weight)>,
    pub(super) says: Says,
    /// Claims of its addresses by others are answered.
    pub(super) answers_claims: bool,
}

/// Announcements: how often in a row, and how long after each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Says {
    pub(super) repeat: u32,
    pub(super) delay: u64,
    pub(super) refresh: u64,
    pub(super) refresh_repeat: u32,
    pub(super) worse_repeat: u32,
    pub(super) worse_delay: u64,
}

/// What a tracker does to the priority.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight {
    value: i32,
    reverse: bool,
}

/// Authentication of version 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Seal {
    None,
    Password([u8; 8]),
    Ah,
}

/// `auth_hmac`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hmac {
    pub(super) signs: bool,
    pub(super) enforces: bool,
    pub(super) timed: bool,
    /// Seconds.
    pub(super) window: u64,
    pub(super) keys: Vec<u8>,
    pub(super) active_key: u8,
}

impl Weight {
    /// Down is a fault.
    const FAULT: Self = Self {
        value: 0,
        reverse: false,
    };

    pub(super) const fn is_fault(self) -> bool {
        self.value == 0
    }

    /// behaviour §4: weight 0: down is a fault; reverse: up is one.
    pub(super) const fn faults(self, up: bool) -> bool {
        self.value == 0 && up == self.reverse
    }

    /// behaviour §4 and §5.2: a file's number times the weight, at most 253; -254 and less is a fault, and so is a number other
    /// than 0 under weight 0 (reverse: 0).
    pub(super) fn of_file(self, number: i32) -> Option<i32> {
        if self.value == 0 {
            return ((number == 0) != self.reverse).then_some(0);
        }
        let m = if self.reverse { -1 } else { 1 };
        let adds = (i64::from(number) * i64::from(self.value) * m).clamp(-254, 253);
        i32::try_from(adds).ok().filter(|adds| *adds > -254)
    }

    /// behaviour §4: up and w > 0 → w·m, down and w < 0 → w·m, otherwise 0; m = -1 with `reverse`.
    pub(super) const fn adds(self, up: bool) -> i32 {
        let m = if self.reverse { -1 } else { 1 };
        if up && self.value > 0 || !up && self.value < 0 {
            self.value * m
        } else {
            0
        }
    }
}

fn weight(of: crate::model::Weight) -> Weight {
    Weight {
        value: i32::from(of.value()),
        reverse: of.is_reverse(),
    }
}

impl Rules {
    pub(super) const fn version(&self) -> u8 {
        if self.v3 { 3 } else { 2 }
    }

    pub(super) const fn is_owner(&self) -> bool {
        self.base == 255
    }

    pub(super) fn of(config: &Instance, model: &Model) -> Self {
        let group = config
            .sync_group
            .and_then(|id| model.groups.get(usize::try_from(id.0).ok()?));
        let name = |name: &crate::model::IfName| name.as_str().to_owned();
        let link = config.interface.as_ref().map(name).unwrap_or_default();
        let mut all_links = links(config, group);
        for followed in followed(config, model) {
            // No weight counts for it.
            all_links.retain(|(link, _)| *link != followed);
            all_links.push((followed, Weight::FAULT));
        }
        let (weighted_links, mut links): (Vec<_>, Vec<_>) =
            all_links.into_iter().partition(|(_, weight)| !weight.is_fault());
        links.push((link.clone(), Weight::FAULT));
        let (peers, checks_peers, takes_old_checksum) = match &config.transport {
            Transport::Multicast { .. } => (None, false, false),
            Transport::Unicast {
                peers,
                check_source,
                old_checksum,
                ..
            } => {
                let peers = peers.iter().map(|peer| (peer.address, peer.min_ttl, peer.max_ttl));
                let old = *old_checksum != OldUnicastChecksum::Never;
                (Some(peers.collect()), *check_source, old)
            }
        };
        let vips: Vec<IpAddr> = config.vips.iter().map(|vip| vip.address).collect();
        let excluded = config.excluded_vips.iter().map(|vip| vip.address);
        Self {
            family: config.family,
            v3: config.version == Version::V3,
            vrid: config.vrid.get(),
            base: config.priority.get(),
            wants_master: config.state == WantedState::Master,
            interval: u64::from(config.advert_interval.centiseconds()) * 10_000,
            down_adverts: u64::from(config.down_timer_adverts.get()),
            preempts: config.preempt,
            preempt_delay: config.preempt_delay.0,
            expires: config.timer_expired_backup.map(crate::model::Priority::get),
            listens: config.listen_after_stall,
            lower_quiet: config.lower_prio_no_advert,
            higher_sends: config.higher_prio_send_advert,
            owner_ignores: config.owner_ignore_adverts,
            seal: match config.authentication {
                Authentication::None => Seal::None,
                Authentication::Pass(password) => Seal::Password(password.0),
                Authentication::Ah(_) => Seal::Ah,
            },
            hmac: config.hmac.as_ref().map(|hmac| Hmac {
                signs: hmac.mode != HmacMode::ReceiveOnly,
                enforces: hmac.mode == HmacMode::Enforce,
                timed: hmac.anti_replay == AntiReplay::Time,
                window: hmac.time_window.0 / 1_000_000,
                keys: hmac.keys.keys().copied().collect(),
                active_key: hmac.active_key,
            }),
            destinations: super::packet::destinations(&config.transport),
            peers,
            checks_peers,
            takes_old_checksum,
            addresses: vips.iter().copied().chain(excluded).collect(),
            vips,
            source: config.source,
            tracks_source: config.track_source,
            link,
            links,
            scripts: scripts(config, group),
            weighted_links,
            files: files(config, group),
            processes: processes(config, group),
            says: Says {
                repeat: config.announce.master_repeat,
                delay: config.announce.master_delay.0,
                refresh: config.announce.refresh.0,
                refresh_repeat: config.announce.refresh_repeat,
                worse_repeat: config.announce.lower_prio_repeat,
                worse_delay: config.announce.lower_prio_delay.0,
            },
            answers_claims: !config.ignore_foreign_claims,
        }
    }
}

/// Trackers of a group count for every member in place of its own, but where its own is a fault already; an owner's priority
/// does not change, so for an owner they are faults.
fn merged<K: PartialEq>(
    config: &Instance,
    own: impl Iterator<Item = (K, crate::model::Weight)>,
    groups: impl Iterator<Item = (K, crate::model::Weight)>,
) -> Vec<(K, Weight)> {
    let mut all: Vec<(K, Weight)> = own.map(|(what, of)| (what, unless_owner(config, of))).collect();
    for (what, of) in groups {
        if all.iter().any(|(known, weight)| *known == what && weight.is_fault()) {
            continue;
        }
        all.retain(|(known, _)| *known != what);
        all.push((what, unless_owner(config, of)));
    }
    all
}

fn position(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

fn scripts(config: &Instance, group: Option<&SyncGroup>) -> Vec<(usize, Weight)> {
    let groups = group.into_iter().flat_map(|group| &group.track_scripts);
    let one = |track: &crate::model::TrackScript| (position(track.script.0), track.weight);
    merged(config, config.track_scripts.iter().map(one), groups.map(one))
}

fn links(config: &Instance, group: Option<&SyncGroup>) -> Vec<(String, Weight)> {
    let groups = group.into_iter().flat_map(|group| &group.track_interfaces);
    let one = |track: &crate::model::TrackInterface| (track.interface.as_str().to_owned(), track.weight);
    merged(config, config.track_interfaces.iter().map(one), groups.map(one))
}

/// Links of the static addresses that name a track group of its.
fn followed(config: &Instance, model: &Model) -> Vec<String> {
    let is_member = |group: &TrackGroupId| {
        let members = model.track_groups.get(position(group.0)).map(|group| &group.members);
        let mut members = members.into_iter().flatten();
        members.any(|id| {
            model
                .instances
                .get(position(id.0))
                .is_some_and(|one| one.name == config.name)
        })
    };
    let all = model.static_addresses.iter();
    all.filter(|fixed| fixed.track_group.as_ref().is_some_and(is_member))
        .map(|fixed| fixed.address.interface.as_str().to_owned())
        .collect()
}

fn files(config: &Instance, group: Option<&SyncGroup>) -> Vec<(usize, Weight)> {
    let groups = group.into_iter().flat_map(|group| &group.track_files);
    let one = |track: &crate::model::TrackFile| (position(track.file.0), track.weight);
    merged(config, config.track_files.iter().map(one), groups.map(one))
}

fn processes(config: &Instance, group: Option<&SyncGroup>) -> Vec<(usize, Weight)> {
    let groups = group.into_iter().flat_map(|group| &group.track_processes);
    let one = |track: &crate::model::TrackProcess| (position(track.process.0), track.weight);
    merged(config, config.track_processes.iter().map(one), groups.map(one))
}

fn unless_owner(config: &Instance, of: crate::model::Weight) -> Weight {
    let of = weight(of);
    if config.is_owner() && !of.is_fault() {
        Weight::FAULT
    } else {
        of
    }
}
