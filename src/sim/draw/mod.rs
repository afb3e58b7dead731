//! Clusters drawn by lot, from everything that the protocol can be configured as.
//!
//! [`cluster`] gives the models of three to five nodes; the instance at one position of each of them is the same virtual
//! router. What a draw has used is told by name ([`KINDS`]), so that a test can see that nothing was never drawn.
//! A test of reloads takes one node's model and changes it.

mod router;

pub(super) use router::{hmac, programs};

use super::random::Random;
use crate::model::{
    GroupId, IfName, InstanceId, InterfaceDelay, LinkBeat, Micros, Model, ProcessId, Script, ScriptId, StaticAddress,
    SyncGroup, TrackFile, TrackGroup, TrackGroupId, TrackInterface, TrackProcess, TrackScript, TrackedFile,
    TrackedFileId, TrackedProcess, VirtualAddress, Weight,
};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Everything that can be drawn, by name.
pub const KINDS: [&str; 63] = [
    "accept-anything-v3-checksum",
    "address-lists-differ",
    "addresses-excluded",
    "ah",
    "check-unicast-source",
    "delay-after-boot",
    "differing-intervals",
    "down-timer-adverts",
    "equal-priorities",
    "garp-interval",
    "garp-refresh",
    "group",
    "group-of-versions",
    "group-trackers",
    "higher-prio-send-advert",
    "hmac",
    "hmac-monotonic",
    "hmac-rollout",
    "hmac-v2",
    "ignore-foreign-claims",
    "init-fail",
    "interface-delays",
    "ipv4",
    "ipv6",
    "listen-after-stall",
    "lower-prio-no-advert",
    "mcast-dst-ip",
    "mcast-src-ip",
    "multicast",
    "no-authentication",
    "nopreempt",
    "notify",
    "notify-group",
    "notify-parallel",
    "old-unicast-checksum",
    "one-router",
    "owner",
    "owner-ignores-adverts",
    "password",
    "polled-links",
    "preempt-delay",
    "process-delays",
    "script-fault",
    "script-negative",
    "script-positive",
    "script-reverse",
    "several-routers",
    "skip-check-adv-addr",
    "startup-delay",
    "strict",
    "timer-expired-backup",
    "track-file-fault",
    "track-file-weight",
    "track-group",
    "track-interface-fault",
    "track-interface-reverse",
    "track-interface-weight",
    "track-process-fault",
    "track-process-weight",
    "two-owners",
    "two-versions-on-one-vrid",
    "unicast",
    "v2",
];

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its nodes.
    pub nodes: Vec<DrawnNode>,
    /// What was drawn.
    pub kinds: BTreeSet<&'static str>,
}

/// One node of it.
#[derive(Debug, Clone)]
pub struct DrawnNode {
    /// Its configuration.
    pub model: Model,
    /// Addresses of its link `eth0`.
    pub addresses: Vec<IpAddr>,
}

/// What is drawn once for all nodes.
#[derive(Debug)]
struct Common {
    count: u8,
    routers: Vec<router::Router>,
    grouped: bool,
    group_tracks: bool,
    /// Nodes that own the addresses, by number from 1.
    owners: BTreeSet<u8>,
    equal: bool,
    scripts: Vec<Script>,
    tracks_link: Option<Weight>,
    /// A static address of their track group is on the other link.
    follows_static: bool,
    tracks_file: Option<Weight>,
    process: Option<TrackedProcess>,
    kinds: BTreeSet<&'static str>,
}

/// The link that a node may track beside its own.
#[must_use]
pub fn other_link() -> IfName {
    "eth1".parse().unwrap_or_else(|_| super::node::interface())
}

/// A static address on the other link, which every router of the node follows.
fn follow_static(model: &mut Model) {
    let members = (0..).map(InstanceId).take(model.instances.len());
    model.track_groups = vec![TrackGroup {
        name: "TG_1".into(),
        members: members.collect(),
    }];
    let address = Ipv4Addr::new(198, 51, 100, 1).into();
    model.static_addresses = vec![StaticAddress {
        address: VirtualAddress::plain(address, 24, other_link()),
        track_group: Some(TrackGroupId(0)),
    }];
}

/// Addresses of the link of the node with this number.
#[must_use]
pub fn addresses(number: u8) -> Vec<IpAddr> {
    vec![
        Ipv4Addr::new(192, 0, 2, number).into(),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
    ]
}

/// Draws a cluster.
#[must_use]
pub fn cluster(random: &mut Random) -> Cluster {
    let mut common = Common::draw(random);
    let nodes = (1..=common.count).map(|number| common.node(number, random)).collect();
    Cluster {
        nodes,
        kinds: common.kinds,
    }
}

impl Common {
    fn draw(random: &mut Random) -> Self {
        let count = u8::try_from(random.between(3, 5)).unwrap_or(3);
        let mut kinds = BTreeSet::new();
        let routers = if random.one_in(2) { 1 } else { random.between(2, 3) };
        let grouped = routers > 1 && random.one_in(2);
        let mut owners = BTreeSet::new();
        if random.one_in(7) {
            owners.insert(u8::try_from(random.between(1, u64::from(count))).unwrap_or(1));
            kinds.insert("owner");
            if random.one_in(3) {
                owners.insert(u8::try_from(random.between(1, u64::from(count))).unwrap_or(1));
            }
        }
        if owners.len() > 1 {
            kinds.insert("two-owners");
        }
        kinds.insert(if routers == 1 { "one-router" } else { "several-routers" });
        let mut common = Self {
            count,
            routers: Vec::new(),
            grouped,
            group_tracks: grouped && random.one_in(2),
            equal: random.one_in(4),
            scripts: Vec::new(),
            tracks_link: None,
            follows_static: false,
            tracks_file: None,
            process: None,
            owners,
            kinds,
        };
        if grouped {
            common.note("group");
        }
        for index in 0..routers {
            let drawn = router::Router::draw(u8::try_from(index).unwrap_or(0), random, &mut common);
            common.routers.push(drawn);
        }
        let versions: BTreeSet<_> = common.routers.iter().map(|router| router.version).collect();
        if grouped && versions.len() > 1 {
            common.note("group-of-versions");
        }
        if common.equal {
            common.note("equal-priorities");
        }
        common.draw_trackers(random);
        common
    }

    fn note(&mut self, kind: &'static str) {
        self.kinds.insert(kind);
    }

    fn draw_trackers(&mut self, random: &mut Random) {
        if !random.one_in(4) {
            let (weight, rise, fall) = match random.below(5) {
                0 => (11, 1, 1),
                1 => (0, 1, 1),
                2 => (-20, 2, 2),
                3 => (0, 2, 3),
                _ => (40, 1, 2),
            };
            let reverse = weight != 0 && random.one_in(4);
            let init_fail = random.one_in(5);
            self.note(match weight {
                0 => "script-fault",
                1.. => "script-positive",
                _ => "script-negative",
            });
            if reverse {
                self.note("script-reverse");
            }
            if init_fail {
                self.note("init-fail");
            }
            self.scripts.push(Script {
                path: Some("/chk".into()),
                interval: Micros::from_secs(2),
                weight: Weight::new(weight, reverse).unwrap_or(Weight::ZERO),
                rise,
                fall,
                init_fail,
                ..Script::new("chk", vec!["chk".into()])
            });
        }
        if random.one_in(4) {
            let (weight, reverse) = *[(0, false), (-30, false), (0, true), (-30, true), (20, true)]
                .get(random.index(5))
                .unwrap_or(&(0, false));
            self.note(if weight == 0 {
                "track-interface-fault"
            } else {
                "track-interface-weight"
            });
            if reverse {
                self.note("track-interface-reverse");
            }
            self.tracks_link = Weight::new(weight, reverse).ok();
            self.follows_static = !(self.grouped || reverse && weight == 0) && random.one_in(3);
            if self.follows_static {
                self.note("track-group");
            }
        }
        if random.one_in(4) {
            let (value, reverse) = *[(0, false), (0, true), (1, false), (-3, false), (2, true)]
                .get(random.index(5))
                .unwrap_or(&(1, false));
            self.note(if value == 0 {
                "track-file-fault"
            } else {
                "track-file-weight"
            });
            self.tracks_file = Weight::new(value, reverse).ok();
        }
        if random.one_in(4) {
            self.draw_process(random);
        }
        if self.group_tracks && (self.tracks_link.is_some() || !self.scripts.is_empty()) {
            self.note("group-trackers");
        }
    }

    fn draw_process(&mut self, random: &mut Random) {
        let weight = if random.one_in(2) { 0 } else { 25 };
        self.note(if weight == 0 {
            "track-process-fault"
        } else {
            "track-process-weight"
        });
        let quorum = u32::try_from(random.between(1, 2)).unwrap_or(1);
        let delay = |random: &mut Random| Micros::from_secs(random.below(3));
        let (fork_delay, terminate_delay) = (delay(random), delay(random));
        if fork_delay + terminate_delay > Micros::ZERO {
            self.note("process-delays");
        }
        self.process = Some(TrackedProcess {
            name: "proxy".into(),
            process: "haproxy".into(),
            parameters: Vec::new(),
            param_match: None,
            weight: Weight::new(weight, false).unwrap_or_default(),
            quorum,
            quorum_max: random.one_in(2).then_some(quorum),
            fork_delay,
            terminate_delay,
            full_command: false,
        });
    }

    fn node(&mut self, number: u8, random: &mut Random) -> DrawnNode {
        let priority = if self.equal {
            100
        } else {
            u8::try_from(random.between(60, 220)).unwrap_or(100)
        };
        let mut model = Model {
            scripts: self.scripts.clone(),
            ..Model::default()
        };
        let routers = std::mem::take(&mut self.routers);
        for router in &routers {
            // Members of a group are one router of several families; others are elected on their own.
            let priority = if self.grouped || self.equal || random.one_in(2) {
                priority
            } else {
                u8::try_from(random.between(60, 220)).unwrap_or(100)
            };
            let config = router.instance(number, priority, random, self);
            model.instances.push(config);
        }
        self.routers = routers;
        self.track(&mut model);
        self.track_file(&mut model);
        self.track_process(&mut model);
        self.global(&mut model, random);
        DrawnNode {
            model,
            addresses: addresses(number),
        }
    }

    /// Who tracks what. An owner's priority never changes, so its trackers have no weight.
    fn track(&self, model: &mut Model) {
        let owner = model.instances.iter().any(crate::model::Instance::is_owner);
        let weight = |weight: Weight| {
            if owner && !weight.is_fault() {
                Weight::ZERO
            } else {
                weight
            }
        };
        let scripts: Vec<TrackScript> = self
            .scripts
            .iter()
            .map(|script| TrackScript {
                script: ScriptId(0),
                weight: weight(script.weight),
            })
            .collect();
        let links: Vec<TrackInterface> = self
            .tracks_link
            .map(|tracked| TrackInterface {
                interface: other_link(),
                weight: weight(tracked),
            })
            .into_iter()
            .collect();
        if !self.grouped {
            for config in &mut model.instances {
                config.track_scripts.clone_from(&scripts);
                config.track_interfaces.clone_from(&links);
            }
            if self.follows_static {
                follow_static(model);
            }
            return;
        }
        let members: Vec<InstanceId> = (0..model.instances.len())
            .filter_map(|at| u32::try_from(at).ok().map(InstanceId))
            .collect();
        let mut group = SyncGroup {
            name: "VG_1".into(),
            members,
            ..SyncGroup::default()
        };
        if self.group_tracks {
            group.track_scripts = scripts;
            group.track_interfaces = links;
        } else if let Some(first) = model.instances.first_mut() {
            // Members may only track what is a fault.
            first.track_scripts = scripts.into_iter().filter(|track| track.weight.is_fault()).collect();
            first.track_interfaces = links.into_iter().filter(|track| track.weight.is_fault()).collect();
        }
        model.groups = vec![group];
        for config in &mut model.instances {
            config.sync_group = Some(GroupId(0));
        }
    }

    /// A number in a file that every router, or the group, tracks. Members of a group may only track what is a fault.
    fn track_file(&self, model: &mut Model) {
        let Some(weight) = self.tracks_file else { return };
        model.files = vec![TrackedFile {
            name: "load".into(),
            path: "/load".into(),
            weight,
            init: None,
        }];
        let owner = model.instances.iter().any(crate::model::Instance::is_owner);
        // Weight 0 means something else than a weight, so an owner tracks nothing else.
        let file = TrackedFileId(0);
        let track = (!owner || weight.is_fault()).then_some(TrackFile { file, weight });
        match model.groups.first_mut().filter(|_| self.group_tracks) {
            Some(group) => group.track_files.extend(track),
            None if self.grouped && !weight.is_fault() => {}
            None => model
                .instances
                .iter_mut()
                .for_each(|config| config.track_files.extend(track)),
        }
    }

    /// As a file; an owner's weight is 0.
    fn track_process(&self, model: &mut Model) {
        let Some(process) = self.process.clone() else { return };
        let owner = model.instances.iter().any(crate::model::Instance::is_owner);
        let weight = if owner { Weight::ZERO } else { process.weight };
        let of = ProcessId(0);
        let track = TrackProcess { process: of, weight };
        match model.groups.first_mut().filter(|_| self.group_tracks) {
            Some(group) => group.track_processes.push(track),
            None if self.grouped && !weight.is_fault() => {}
            None => model
                .instances
                .iter_mut()
                .for_each(|config| config.track_processes.push(track)),
        }
        model.processes = vec![process];
    }

    fn global(&mut self, model: &mut Model, random: &mut Random) {
        if random.one_in(8) {
            let mut seconds = || Micros::from_secs(random.below(4));
            let links = [super::node::interface(), other_link()];
            let delays = links.map(|interface| InterfaceDelay {
                interface,
                down: seconds(),
                up: seconds(),
            });
            model.global.interface_delays = delays.into();
            self.note("interface-delays");
        }
        if random.one_in(8) {
            let method = None;
            let polled = |interface| LinkBeat { interface, method };
            let links = [super::node::interface(), other_link()];
            model.global.linkbeat_interfaces = links.map(polled).into();
            self.note("polled-links");
        }
        if random.one_in(16) {
            model.global.notify_parallel = true;
            self.note("notify-parallel");
        }
        if let Some(group) = model.groups.first_mut().filter(|_| random.one_in(3)) {
            group.notify = programs();
            self.note("notify-group");
        }
        if random.one_in(12) {
            model.global.startup_delay = Micros::from_millis(random.between(500, 6_000));
            self.note("startup-delay");
        }
        if random.one_in(20) {
            model.global.delay_after_boot = Micros::from_secs(random.between(3, 10));
            self.note("delay-after-boot");
        }
        if random.one_in(16) {
            model.global.garp_interval = Micros::from_millis(random.between(5, 50));
            model.global.gna_interval = Micros::from_millis(random.between(5, 50));
            self.note("garp-interval");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Transport, Version};

    #[test]
    fn everything_is_drawn_and_has_a_name() {
        let mut random = Random::new(1);
        let mut drawn = BTreeSet::new();
        for _ in 0..2_000 {
            drawn.extend(cluster(&mut random).kinds);
        }
        assert_eq!(drawn, KINDS.into_iter().collect());
    }

    #[test]
    fn what_is_drawn_is_what_a_configuration_could_say() {
        let mut random = Random::new(2);
        for _ in 0..2_000 {
            let cluster = cluster(&mut random);
            let routers = cluster.nodes[0].model.instances.len();
            for node in &cluster.nodes {
                assert_eq!(node.model.instances.len(), routers);
                for config in &node.model.instances {
                    let v2 = config.version == Version::V2;
                    assert!(!v2 || config.advert_interval.centiseconds() % 100 == 0);
                    assert!(!v2 || config.family == crate::model::Family::Ipv4);
                    assert!(config.advert_interval.centiseconds() <= 4_095);
                    assert!(config.preempt || config.preempt_delay == Micros::ZERO);
                    assert!(!config.preempt || config.timer_expired_backup.is_none());
                    assert!(!config.is_owner() || config.preempt);
                    assert!(config.hmac.is_none() || config.authentication == crate::model::Authentication::None);
                    if let Transport::Unicast { peers, .. } = &config.transport {
                        assert_eq!(peers.len() + 1, cluster.nodes.len());
                        assert!(!config.strict);
                    }
                    let weighted = config.track_scripts.iter().any(|track| !track.weight.is_fault());
                    assert!(!weighted || config.sync_group.is_none());
                    assert!(!weighted || !config.is_owner());
                }
            }
        }
    }
}
