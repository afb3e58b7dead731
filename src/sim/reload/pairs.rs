//! Random pairs of configurations, and what the network around a node does to each of its instances.

use super::touches::{TOUCHES, Touch};
use crate::model::{
    AdvertInterval, Authentication, Family, GroupId, IfName, Instance, InstanceId, Micros, Model, Password, Priority,
    Script, ScriptId, SyncGroup, TrackScript, TrackedFile, TrackedProcess, Transport, UnicastPeer, Version,
    VirtualAddress, Vrid,
};
use crate::sim::node::weight;
use crate::sim::random::Random;
use crate::sim::scenario::hmac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Links of the host, and whether they are up.
pub(super) const LINKS: [(&str, bool); 3] = [("eth0", true), ("eth1", true), ("eth2", false)];

/// Addresses of a link.
pub(super) fn address_of(link: &IfName) -> Vec<IpAddr> {
    let number = LINKS.iter().position(|(name, _)| *name == link.as_str()).unwrap_or(0);
    let number = u8::try_from(number).unwrap_or(0);
    vec![
        Ipv4Addr::new(192, 0, number, 1).into(),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(number), 1).into(),
    ]
}

/// Another router that is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Nobody: the instance becomes master.
    Nobody,
    /// A better master.
    Better,
    /// A worse master.
    Worse,
}

/// What becomes of an instance of the old configuration.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It stays as it is.
    Kept,
    /// This is changed.
    Touched(&'static Touch),
    /// Something that it depends on is changed.
    Concerned,
    /// It leaves.
    Removed,
}

/// An old and a new configuration.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) old: Model,
    pub(super) new: Model,
    /// Of each old instance what becomes of it, and who is around it.
    pub(super) fates: Vec<Fate>,
    pub(super) around: Vec<Around>,
    /// Position in the new configuration of each old instance.
    pub(super) moved_to: Vec<Option<usize>>,
    /// Whether scripts are the same.
    pub(super) same_scripts: bool,
    pub(super) kind: &'static str,
}

impl Pair {
    pub(super) fn random(random: &mut Random) -> Self {
        let (old, around) = configuration(random);
        let mut pair = Self {
            new: old.clone(),
            fates: vec![Fate::Kept; old.instances.len()],
            moved_to: (0..old.instances.len()).map(Some).collect(),
            around,
            same_scripts: true,
            kind: "one instance changed",
            old,
        };
        match random.below(14) {
            0 => pair.kind = "nothing changed",
            1 => pair.remove(random),
            2 => pair.add(random),
            3 => pair.change_script(random),
            4 => pair.change_group(),
            5 => {
                pair.kind = "several instances changed";
                for _ in 0..3 {
                    pair.touch(random);
                }
            }
            _ => pair.touch(random),
        }
        if random.one_in(3) {
            pair.shuffle(random);
        }
        if random.one_in(4) {
            pair.rename(random);
        }
        pair
    }

    /// Changes one thing of one instance that is still untouched.
    fn touch(&mut self, random: &mut Random) {
        let at = random.index(self.fates.len());
        if !matches!(self.fates.get(at), Some(Fate::Kept)) {
            return;
        }
        // Some cannot be applied to every instance.
        for _ in 0..100 {
            let Some(touch) = TOUCHES.get(random.index(TOUCHES.len())) else {
                continue;
            };
            let (Some(instance), Some(fate)) = (self.new.instances.get_mut(at), self.fates.get_mut(at)) else {
                return;
            };
            let before = instance.clone();
            if (touch.change)(instance, random) && *instance != before {
                *fate = Fate::Touched(touch);
                // What becomes of it may move the rest of its group.
                if self.old.instances.get(at).is_some_and(|old| old.sync_group.is_some()) {
                    self.concern_group();
                }
                return;
            }
            *instance = before;
        }
    }

    fn remove(&mut self, random: &mut Random) {
        self.kind = "one instance removed";
        let at = random.index(self.fates.len());
        self.new.instances.remove(at);
        self.replace_fate(at, Fate::Removed);
        for (old, to) in self.moved_to.iter_mut().enumerate() {
            *to = match old.cmp(&at) {
                std::cmp::Ordering::Less => Some(old),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(old - 1),
            };
        }
        self.renumber(&|member| member.checked_sub(usize::from(member > at)).filter(|_| member != at));
        let in_group = self.old.groups.iter().any(|group| group.members.contains(&id(at)));
        if in_group {
            self.concern_group();
        }
    }

    fn add(&mut self, random: &mut Random) {
        self.kind = "one instance added";
        let fresh = instance(90, random);
        let at = random.index(self.fates.len() + 1);
        self.new.instances.insert(at, fresh);
        for to in self.moved_to.iter_mut().flatten() {
            *to += usize::from(*to >= at);
        }
        self.renumber(&|member| Some(member + usize::from(member >= at)));
    }

    /// Another interval or another program.
    fn change_script(&mut self, random: &mut Random) {
        self.kind = "a script changed";
        self.same_scripts = false;
        if let Some(script) = self.new.scripts.first_mut() {
            if random.one_in(2) {
                script.interval = Micros::from_secs(7);
            } else {
                script.argv.push("-v".into());
            }
        }
        for (fate, instance) in self.fates.iter_mut().zip(&self.old.instances) {
            if instance.track_scripts.iter().any(|track| track.script == ScriptId(0)) {
                *fate = Fate::Concerned;
            }
        }
    }

    fn change_group(&mut self) {
        self.kind = "a sync group changed";
        for instance in &mut self.new.instances {
            instance.sync_group = None;
        }
        self.new.groups.clear();
        self.concern_group();
    }

    fn concern_group(&mut self) {
        let members: Vec<usize> = self
            .old
            .groups
            .iter()
            .flat_map(|group| &group.members)
            .map(position)
            .collect();
        for member in members {
            if matches!(self.fates.get(member), Some(Fate::Kept)) {
                self.replace_fate(member, Fate::Concerned);
            }
        }
    }

    fn replace_fate(&mut self, at: usize, new: Fate) {
        if let Some(fate) = self.fates.get_mut(at) {
            *fate = new;
        }
    }

    /// Groups name their members by position.
    fn renumber(&mut self, to: &dyn Fn(usize) -> Option<usize>) {
        for group in &mut self.new.groups {
            let members = group.members.iter().filter_map(|member| to(position(member)));
            group.members = members.map(id).collect();
        }
    }

    /// Another order in the file.
    fn shuffle(&mut self, random: &mut Random) {
        let (a, b) = (
            random.index(self.new.instances.len()),
            random.index(self.new.instances.len()),
        );
        if a >= self.new.instances.len() || b >= self.new.instances.len() {
            return;
        }
        self.new.instances.swap(a, b);
        let swap = |at: usize| match at {
            at if at == a => b,
            at if at == b => a,
            at => at,
        };
        for to in self.moved_to.iter_mut().flatten() {
            *to = swap(*to);
        }
        self.renumber(&|member| Some(swap(member)));
    }

    fn rename(&mut self, random: &mut Random) {
        let at = random.index(self.new.instances.len());
        // Reasons of a group name its members.
        if let Some(instance) = self.new.instances.get_mut(at).filter(|one| one.sync_group.is_none()) {
            instance.name = format!("{}_renamed", instance.name).into();
        }
    }
}

fn id(position: usize) -> InstanceId {
    InstanceId(u32::try_from(position).unwrap_or(u32::MAX))
}

fn position(id: &InstanceId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

fn script(name: &str, interval: u64) -> Script {
    Script {
        path: Some("/chk".into()),
        interval: Micros::from_secs(interval),
        timeout: Some(Micros::SECOND),
        ..Script::new(name, vec!["chk".into()])
    }
}

fn process(name: &str) -> TrackedProcess {
    TrackedProcess {
        name: name.into(),
        process: name.into(),
        parameters: Vec::new(),
        param_match: None,
        weight: weight(0),
        quorum: 1,
        quorum_max: None,
        fork_delay: Micros::ZERO,
        terminate_delay: Micros::ZERO,
        full_command: false,
    }
}

/// A host with 2 to 6 instances.
fn configuration(random: &mut Random) -> (Model, Vec<Around>) {
    let count = random.between(2, 6);
    let mut model = Model {
        scripts: vec![script("good", 2), script("bad", 3), script("good too", 5)],
        files: vec![TrackedFile {
            name: "number".into(),
            path: "/number".into(),
            weight: weight(1),
            init: None,
        }],
        processes: vec![process("server")],
        ..Model::default()
    };
    let mut around = Vec::new();
    for number in 1..=count {
        let mut config = instance(u8::try_from(number).unwrap_or(1), random);
        let sealed = config.hmac.is_some() || matches!(config.authentication, Authentication::Ah(_));
        let who = match random.below(4) {
            0 if !sealed => Around::Better,
            1 if !sealed => Around::Worse,
            _ => Around::Nobody,
        };
        if who == Around::Worse {
            config.preempt_delay = Micros::from_secs(60);
        }
        around.push(who);
        model.instances.push(config);
    }
    if random.one_in(4) {
        for (member, who) in model.instances.iter_mut().zip(&mut around).take(2) {
            member.sync_group = Some(GroupId(0));
            *who = Around::Nobody;
        }
        model.groups.push(SyncGroup {
            name: "VG".into(),
            members: vec![InstanceId(0), InstanceId(1)],
            ..SyncGroup::default()
        });
    }
    (model, around)
}

/// A virtual address of an instance.
pub(super) fn vip(config: &Instance, number: u8) -> Option<VirtualAddress> {
    let vrid = config.vrid.get();
    let address: IpAddr = match config.family {
        Family::Ipv4 => Ipv4Addr::new(203, 0, vrid, number).into(),
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, u16::from(vrid), 0, 0, 0, 0, u16::from(number)).into(),
    };
    let interface = config.interface.clone()?;
    Some(VirtualAddress::plain(address, config.family.max_prefix(), interface))
}

fn instance(number: u8, random: &mut Random) -> Instance {
    let link = match random.below(6) {
        0 => "eth2",
        1 | 2 => "eth1",
        _ => "eth0",
    };
    let link: IfName = link.parse().unwrap_or_else(|_| crate::sim::node::interface());
    let vrid = Vrid::new(number).unwrap_or_else(|| unreachable!("numbers begin at 1"));
    let mut config = Instance::new(&format!("VI_{number}"), vrid, link, Vec::new());
    if random.one_in(4) {
        config.family = Family::Ipv6;
        config.transport = Transport::Multicast {
            group: Family::Ipv6.vrrp_group(),
        };
    }
    config.version = match config.family {
        Family::Ipv4 if random.one_in(2) => Version::V2,
        Family::Ipv4 | Family::Ipv6 => Version::V3,
    };
    config.vips = (1..=random.between(1, 4))
        .filter_map(|at| vip(&config, u8::try_from(at).ok()?))
        .collect();
    config.priority = Priority(u8::try_from(random.between(50, 200)).unwrap_or(100));
    authenticate(&mut config, random);
    if config.version == Version::V3 {
        let centiseconds = u16::try_from(random.between(30, 120)).unwrap_or(100);
        config.advert_interval = AdvertInterval::from_centiseconds(centiseconds).unwrap_or_default();
    }
    if config.family == Family::Ipv4 && random.one_in(4) {
        config.transport = Transport::Unicast {
            peers: (0..3).map(|at| peer(200 + at)).collect(),
            ttl: None,
            check_source: false,
            old_checksum: crate::model::OldUnicastChecksum::Auto,
        };
    }
    if config.family == Family::Ipv4 && !config.transport.is_unicast() && random.one_in(6) {
        // Nobody on the host has it, which matters with `track_src_ip` only.
        config.source = Some(Ipv4Addr::new(192, 0, 0, 9).into());
    }
    config.track_scripts = match random.below(8) {
        0 => vec![(0, 10)],
        1 => vec![(1, 10)],
        2 => vec![(1, 0)],
        3 => vec![(2, -10), (0, 0)],
        _ => Vec::new(),
    }
    .into_iter()
    .map(|(script, value)| TrackScript {
        script: ScriptId(script),
        weight: weight(value),
    })
    .collect();
    config
}

fn authenticate(config: &mut Instance, random: &mut Random) {
    match (config.version, random.below(3)) {
        (Version::V2, 0) => config.authentication = Authentication::Pass(Password::from_text("1111")),
        (Version::V2, 1) => config.authentication = Authentication::Ah(Password::from_text("2222")),
        (Version::V3, 0) => config.hmac = Some(Box::new(hmac(1))),
        _ => {}
    }
}

pub(super) fn peer(number: u8) -> UnicastPeer {
    UnicastPeer {
        address: Ipv4Addr::new(192, 0, 0, number).into(),
        min_ttl: 0,
        max_ttl: 255,
    }
}
