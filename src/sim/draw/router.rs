//! One virtual router drawn by lot: what all its nodes have in common, and what each has of its own.

use super::Common;
use crate::model::{
    AdvertInterval, AntiReplay, Authentication, DownTimerAdverts, Family, HmacAuth, HmacKey, HmacMode, Instance,
    Micros, NotifyPrograms, OldUnicastChecksum, Password, Priority, Program, Transport, UnicastPeer, Version,
    VirtualAddress, Vrid, WantedState,
};
use crate::sim::node::interface;
use crate::sim::random::Random;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the nodes of a virtual router have in common.
#[derive(Debug)]
pub(super) struct Router {
    index: u8,
    vrid: Vrid,
    pub(super) version: Version,
    family: Family,
    authentication: Authentication,
    hmac: Option<HmacAuth>,
    rollout: bool,
    unicast: bool,
    /// Another group than the protocol's.
    group: Option<IpAddr>,
    checks_source: bool,
    old_checksum: OldUnicastChecksum,
    interval: u16,
    /// Version 3: each node has its own interval.
    spread: bool,
    /// Some nodes speak the other version still.
    two_versions: bool,
    vips: u8,
    excluded: u8,
    lists_differ: bool,
    strict: bool,
    nopreempt: bool,
}

/// `auth_hmac` with two keys, of which this one signs.
pub(in crate::sim) fn hmac(active_key: u8) -> HmacAuth {
    let key = |first: u8| HmacKey {
        bytes: (first..first + 32).collect(),
        file: None,
    };
    HmacAuth {
        keys: [(1, key(0)), (2, key(100))].into(),
        active_key,
        time_window: Micros::from_secs(5),
        anti_replay: AntiReplay::Time,
        mode: HmacMode::Enforce,
    }
}

impl Router {
    pub(super) fn draw(index: u8, random: &mut Random, common: &mut Common) -> Self {
        let v3 = random.one_in(2);
        let family = if v3 && random.one_in(2) {
            Family::Ipv6
        } else {
            Family::Ipv4
        };
        let version = if v3 { Version::V3 } else { Version::V2 };
        let unicast = random.one_in(3);
        let strict = !unicast && random.one_in(10);
        let mut router = Self {
            index,
            vrid: Vrid::new(51 + index).unwrap_or_else(|| unreachable!("51 and more are VRIDs")),
            version,
            family,
            authentication: Authentication::None,
            hmac: None,
            rollout: false,
            unicast,
            group: None,
            checks_source: unicast && random.one_in(2),
            old_checksum: OldUnicastChecksum::Auto,
            interval: 0,
            spread: v3 && random.one_in(3),
            two_versions: family == Family::Ipv4 && !strict && !common.grouped && random.one_in(16),
            vips: u8::try_from(random.between(1, 3)).unwrap_or(1),
            excluded: u8::try_from(random.below(2)).unwrap_or(0),
            lists_differ: random.one_in(10),
            strict,
            nopreempt: !strict && random.one_in(4),
        };
        router.interval = if v3 {
            u16::try_from(random.between(30, 120)).unwrap_or(100)
        } else {
            u16::try_from(random.between(1, 2) * 100).unwrap_or(100)
        };
        router.draw_authentication(random, common);
        router.draw_transport(random, common);
        router.note(common);
        router
    }

    fn draw_authentication(&mut self, random: &mut Random, common: &mut Common) {
        let v2 = self.version == Version::V2;
        if self.two_versions || self.strict {
            common.note("no-authentication");
            return;
        }
        match random.below(4) {
            0 if v2 => {
                self.authentication = Authentication::Pass(Password::from_text("1111"));
                common.note("password");
            }
            1 if v2 => {
                self.authentication = Authentication::Ah(Password::from_text("s3cr3tAH"));
                common.note("ah");
            }
            2 | 3 => {
                let mut auth = hmac(1);
                common.note("hmac");
                if v2 {
                    common.note("hmac-v2");
                }
                if random.one_in(3) {
                    auth.anti_replay = AntiReplay::Monotonic;
                    common.note("hmac-monotonic");
                }
                self.rollout = random.one_in(3);
                if self.rollout {
                    common.note("hmac-rollout");
                }
                self.hmac = Some(auth);
            }
            _ => common.note("no-authentication"),
        }
    }

    fn draw_transport(&mut self, random: &mut Random, common: &mut Common) {
        common.note(if self.unicast { "unicast" } else { "multicast" });
        if !self.unicast && random.one_in(8) {
            self.group = Some(match self.family {
                Family::Ipv4 => Ipv4Addr::new(224, 0, 0, 180).into(),
                Family::Ipv6 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x180).into(),
            });
            common.note("mcast-dst-ip");
        }
        if self.unicast && self.version == Version::V3 && self.family == Family::Ipv4 && random.one_in(4) {
            self.old_checksum = OldUnicastChecksum::Always;
            common.note("old-unicast-checksum");
        }
        if self.checks_source {
            common.note("check-unicast-source");
        }
    }

    fn note(&self, common: &mut Common) {
        let kinds = [
            (self.version == Version::V2, "v2"),
            (self.family == Family::Ipv4, "ipv4"),
            (self.family == Family::Ipv6, "ipv6"),
            (self.spread, "differing-intervals"),
            (self.two_versions, "two-versions-on-one-vrid"),
            (self.excluded > 0, "addresses-excluded"),
            (self.lists_differ, "address-lists-differ"),
            (self.strict, "strict"),
            (self.nopreempt, "nopreempt"),
        ];
        for (drawn, kind) in kinds {
            if drawn {
                common.note(kind);
            }
        }
    }

    fn address(&self, number: u8) -> IpAddr {
        match self.family {
            Family::Ipv4 => Ipv4Addr::new(192, 0, 2, number).into(),
            Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)).into(),
        }
    }

    /// The instance of the node with this number.
    pub(super) fn instance(&self, number: u8, priority: u8, random: &mut Random, common: &mut Common) -> Instance {
        let vip = |at: u8| {
            let address = self.address(100 + self.index * 10 + at);
            VirtualAddress::plain(address, self.family.max_prefix(), interface())
        };
        let name = format!("VI_{}", self.index + 1);
        let mut config = Instance::new(&name, self.vrid, interface(), (0..self.vips).map(vip).collect());
        config.excluded_vips = (self.vips..self.vips + self.excluded).map(vip).collect();
        if self.lists_differ && random.one_in(2) {
            config.vips = config.vips.iter().rev().take(2).cloned().collect();
        }
        config.version = self.version;
        config.priority = Priority(priority);
        config.authentication = self.authentication;
        config.advert_interval = AdvertInterval::from_centiseconds(self.interval).unwrap_or_default();
        if self.spread && random.one_in(2) {
            let own = u16::try_from(random.between(20, 200)).unwrap_or(100);
            config.advert_interval = AdvertInterval::from_centiseconds(own).unwrap_or_default();
        }
        if self.two_versions && random.one_in(2) {
            config.version = match self.version {
                Version::V2 => Version::V3,
                Version::V3 => Version::V2,
            };
            config.advert_interval = AdvertInterval::DEFAULT;
        }
        config.hmac = self.hmac_of(number, random);
        self.transport(&mut config, number, random, common);
        self.preemption(&mut config, random, common);
        self.options(&mut config, random, common);
        if common.owners.contains(&number) {
            own(&mut config, random, common);
        }
        config
    }

    /// A roll-out: keys and modes differ from node to node, in ways that go together.
    fn hmac_of(&self, number: u8, random: &mut Random) -> Option<Box<HmacAuth>> {
        let mut auth = self.hmac.clone()?;
        if self.rollout {
            auth.active_key = number % 2 + 1;
            let unsigned = self.vrid.get() % 2 == 0 && random.one_in(2);
            auth.mode = if unsigned {
                HmacMode::ReceiveOnly
            } else {
                HmacMode::Permissive
            };
        }
        Some(Box::new(auth))
    }

    fn transport(&self, config: &mut Instance, number: u8, random: &mut Random, common: &mut Common) {
        if let Some(group) = self.group {
            config.transport = Transport::Multicast { group };
        }
        if self.unicast {
            let ttl = (self.family == Family::Ipv4 && random.one_in(3)).then_some(64);
            let peer = |address| UnicastPeer {
                address,
                min_ttl: if self.checks_source { 60 } else { 0 },
                max_ttl: 255,
            };
            let others = (1..=common.count).filter(|other| *other != number);
            config.transport = Transport::Unicast {
                peers: others.map(|other| peer(self.address(other))).collect(),
                ttl,
                check_source: self.checks_source,
                old_checksum: self.old_checksum,
            };
            config.source = Some(self.address(number));
        } else if random.one_in(8) {
            config.source = Some(self.address(number));
            config.track_source = random.one_in(2);
            common.note("mcast-src-ip");
        }
        if self.version == Version::V3 && self.family == Family::Ipv4 && random.one_in(6) {
            config.v3_checksum_as_v2 = true;
            common.note("accept-anything-v3-checksum");
        }
    }

    fn preemption(&self, config: &mut Instance, random: &mut Random, common: &mut Common) {
        if self.nopreempt {
            config.preempt = false;
            if random.one_in(2) {
                config.timer_expired_backup = Some(Priority(254));
                common.note("timer-expired-backup");
            }
        } else if !self.strict && random.one_in(6) {
            config.preempt_delay = Micros::from_millis(random.between(500, 8_000));
            common.note("preempt-delay");
        }
    }

    fn options(&self, config: &mut Instance, random: &mut Random, common: &mut Common) {
        if self.strict {
            config.strict = true;
            config.lower_prio_no_advert = true;
            config.announce.lower_prio_repeat = 0;
            config.announce.lower_prio_delay = Micros::ZERO;
        } else {
            if random.one_in(8) {
                let adverts = u8::try_from(random.between(2, 5)).unwrap_or(3);
                config.down_timer_adverts = DownTimerAdverts::new(adverts).unwrap_or_default();
                common.note("down-timer-adverts");
            }
            if random.one_in(8) {
                config.lower_prio_no_advert = true;
                common.note("lower-prio-no-advert");
            }
            if random.one_in(8) {
                config.higher_prio_send_advert = true;
                common.note("higher-prio-send-advert");
            }
        }
        if random.one_in(8) {
            config.skip_check_adv_addr = true;
            common.note("skip-check-adv-addr");
        }
        if random.one_in(6) {
            config.listen_after_stall = true;
            common.note("listen-after-stall");
        }
        if random.one_in(10) {
            config.ignore_foreign_claims = true;
            common.note("ignore-foreign-claims");
        }
        if random.one_in(10) {
            config.announce.refresh = Micros::from_secs(10);
            common.note("garp-refresh");
        }
        if random.one_in(4) {
            config.notify = Some(Box::new(programs()));
            common.note("notify");
        }
    }
}

/// The node with this instance owns the addresses.
fn own(config: &mut Instance, random: &mut Random, common: &mut Common) {
    config.priority = Priority::OWNER;
    config.state = WantedState::Master;
    config.preempt = true;
    config.preempt_delay = Micros::ZERO;
    config.timer_expired_backup = None;
    if config.strict || random.one_in(3) {
        config.owner_ignore_adverts = true;
        common.note("owner-ignores-adverts");
    }
}

/// Programs that are told of everything, of becoming master, and of the stop.
pub(in crate::sim) fn programs() -> NotifyPrograms {
    NotifyPrograms {
        any: Some(program("/notify")),
        master: Some(program("/master")),
        stop: Some(program("/stop")),
        ..NotifyPrograms::default()
    }
}

fn program(path: &str) -> Program {
    Program {
        argv: vec![path.into()],
        path: Some(path.into()),
        user: None,
        account: None,
    }
}
