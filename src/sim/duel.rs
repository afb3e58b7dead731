//! One node against anything that may come: adverts of every kind, right and wrong, and everything that a host can tell,
//! in any order and at any moment. The reference model judges every step.

use super::draw;
use super::fault::{change_addresses, ways};
use super::network::Sent;
use super::node::{Node, well, well_link};
use super::random::Random;
use super::world::World;
use super::{Judges, Planted, Violation};
use crate::model::{
    AdvertInterval, AntiReplay, Authentication, Family, HmacMode, Instance, MacAddr, Micros, Password, Priority,
    Version,
};
use crate::proto::{Datagram, ProcessChange, StateName, Transmit};
use crate::wire::auth::{AhHeader, Sequence, Trailer};
use crate::wire::ip::{Ipv4Header, PROTO_AH, PROTO_VRRP, TOS_CS6};
use crate::wire::vrrp::{ChecksumForm, build, sign};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What comes to the node, by name.
pub const EVENTS: [&str; 23] = [
    "advert",
    "advert-priority-0",
    "advert-of-an-owner",
    "advert-from-our-address",
    "advert-of-a-stranger",
    "advert-replayed",
    "advert-with-a-flipped-bit",
    "advert-cut",
    "advert-with-another-ttl",
    "advert-with-another-interval",
    "address",
    "claim",
    "clock",
    "file",
    "link",
    "pause",
    "process",
    "reload",
    "service",
    "sockets",
    "suspend",
    "theft",
    "tracked-link",
];

/// What a duel has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duel {
    /// Steps that were compared.
    pub judged: u64,
    /// Events by name.
    pub events: BTreeMap<&'static str, u64>,
    /// Steps at which an instance was in this state.
    pub states: BTreeMap<&'static str, u64>,
}

/// Plays one of them: 300 events.
///
/// # Errors
/// Where core and reference differ, with the end of the trace.
pub fn random_duel(seed: u64, planted: Planted) -> Result<Duel, (Violation, String)> {
    let mut random = Random::new(seed ^ 0x5eed);
    let drawn = draw::cluster(&mut random).nodes.into_iter().next();
    let Some(drawn) = drawn else {
        return Ok(Duel::default());
    };
    let well = well_link(&drawn.model);
    let mut node = Node::new(drawn.model, drawn.addresses);
    node.other_link_up = Some(well);
    let mut duel = Duel::default();
    let mut arena = Arena {
        // The checkers look at clusters; here the others are made up.
        world: World::new(vec![node], random.next(), planted.judged_by(Judges::Reference)),
        random,
        ah: 0,
        last: None,
    };
    for _ in 0..300 {
        arena.wait();
        let event = EVENTS
            .get(arena.random.index(EVENTS.len()))
            .copied()
            .unwrap_or("advert");
        // Half of all are plain adverts: they are what routers live of.
        let event = if arena.random.one_in(2) { "advert" } else { event };
        *duel.events.entry(event).or_insert(0) += 1;
        if arena.random.one_in(4) {
            arena.mend();
        }
        arena.world.disturb(event);
        arena.play(event);
        if let Some(violation) = arena.world.violations.first() {
            return Err((violation.clone(), arena.world.trace()));
        }
        for seat in arena.world.nodes.iter().flat_map(|node| &node.seats) {
            *duel
                .states
                .entry(seat.state.map_or("GONE", StateName::as_str))
                .or_insert(0) += 1;
        }
    }
    duel.judged = arena.world.judged;
    Ok(duel)
}

struct Arena {
    world: World,
    random: Random,
    /// The number of the last AH header, and the last advert, for replays.
    ah: u32,
    last: Option<Datagram<'static>>,
}

impl Arena {
    /// Often to the next deadline, or just before or behind it; sometimes much longer.
    fn wait(&mut self) {
        let now = self.world.now;
        let deadline = self.world.nodes.iter().filter_map(Node::deadline).min();
        let to_deadline = deadline.map_or(Micros(500_000), |at| at.since(now));
        let length = match self.random.below(8) {
            0 => Micros::ZERO,
            1 | 2 => to_deadline,
            3 => to_deadline + Micros(self.random.below(5_000)),
            4 => to_deadline.saturating_sub(Micros(self.random.below(5_000))),
            5 => Micros(self.random.below(300_000)),
            6 => Micros(self.random.below(2_000_000)),
            _ => Micros(self.random.below(9_000_000)),
        };
        self.world.advance(length);
    }

    /// All that keeps the node from taking part ends, so that it is not in fault nearly always.
    fn mend(&mut self) {
        let (link, number, quorum) = self.node(|node| {
            let process = node.model.processes.first();
            (
                well_link(&node.model),
                well(&node.model),
                process.map_or(0, |process| process.quorum),
            )
        });
        self.world.set_addresses(0, true);
        self.world.set_link(0, true);
        self.world.set_other_link(0, link);
        self.world.set_sockets(0, true);
        self.world.set_service(0, true);
        self.world.set_number(0, number);
        let how = (ProcessChange::Became, ProcessChange::Ceased);
        self.world.set_running(0, quorum, how);
    }

    fn play(&mut self, event: &'static str) {
        let length = Micros(self.random.below(6_000_000));
        match event {
            "address" => {
                let there = self.node(|node| node.has_address);
                self.world.set_addresses(0, !there);
            }
            "claim" => {
                if let Some(address) = self.world.virtual_address() {
                    self.world.claim(0, address, MacAddr([2, 0, 0, 0, 9, 9]));
                }
            }
            "clock" => {
                let middle = 1_700_000_000_000_000;
                let reach = *[1_000_000, 4_000_000, 90_000_000_000]
                    .get(self.random.index(3))
                    .unwrap_or(&0);
                let to = Micros(self.random.between(middle - reach, middle + reach));
                self.world.step_clock(0, to);
            }
            "file" => {
                let number = i32::try_from(self.random.below(700)).unwrap_or(0) - 350;
                let number = if self.random.one_in(3) { 0 } else { number };
                self.world.set_number(0, number);
            }
            "link" => {
                let up = self.node(|node| node.link_up);
                self.world.set_link(0, !up);
            }
            "tracked-link" => {
                let up = self.node(|node| node.other_link_up == Some(true));
                self.world.set_other_link(0, !up);
            }
            "sockets" => {
                let open = self.node(|node| node.sockets_open);
                self.world.set_sockets(0, !open);
            }
            "pause" | "suspend" => {
                if event == "suspend" {
                    self.world.suspend(0);
                } else {
                    self.world.pause(0, true);
                }
                for _ in 0..self.random.below(3) {
                    self.world.advance(Micros(length.0 / 3));
                    self.hear("advert");
                }
                self.world.advance(Micros(length.0 / 3));
                self.world.disturb("goes on");
                self.world.pause(0, false);
            }
            "process" => {
                let count = u32::try_from(self.random.below(4)).unwrap_or(0);
                let how = ways(&mut self.random);
                self.world.set_running(0, count, how);
            }
            "reload" => self.reload(),
            "service" => {
                let well = self.node(|node| node.service);
                self.world.set_service(0, !well);
            }
            "theft" => {
                let router = self.random.index(self.world.routers());
                self.world.steal(0, router);
            }
            _ => self.hear(event),
        }
    }

    fn node<T>(&self, look: impl FnOnce(&Node) -> T) -> T {
        #[expect(clippy::indexing_slicing, reason = "the arena has exactly one node")]
        look(&self.world.nodes[0])
    }

    /// Settings that can be changed under way.
    fn reload(&mut self) {
        let (what, number) = (self.random.below(9), self.random.between(1, 254));
        let random = &mut self.random;
        self.world.reload(0, |model| {
            if what == 5 {
                let delays = &mut model.global.interface_delays;
                delays
                    .iter_mut()
                    .for_each(|of| std::mem::swap(&mut of.up, &mut of.down));
            } else if what == 6 {
                model.global.linkbeat_interfaces.pop();
            }
            for config in model.instances.iter_mut().filter(|_| what > 6) {
                change_addresses(config, random);
            }
            for config in model.instances.iter_mut().filter(|config| !config.is_owner()) {
                match what {
                    0 => config.priority = Priority(u8::try_from(number).unwrap_or(100)),
                    1 => config.preempt = config.preempt_delay > Micros::ZERO || !config.preempt,
                    2 => config.lower_prio_no_advert = !config.lower_prio_no_advert,
                    3 => config.higher_prio_send_advert = !config.higher_prio_send_advert,
                    4 => {
                        let v2 = config.version == Version::V2;
                        let centiseconds = if v2 { number % 3 * 100 + 100 } else { number + 20 };
                        let centiseconds = u16::try_from(centiseconds).unwrap_or(100);
                        config.advert_interval = AdvertInterval::from_centiseconds(centiseconds).unwrap_or_default();
                    }
                    _ => {}
                }
            }
        });
    }

    fn hear(&mut self, kind: &str) {
        let router = self.random.index(self.world.routers());
        let Some(config) = self.node(|node| node.model.instances.get(router).cloned()) else {
            return;
        };
        if kind == "advert-replayed" {
            if let Some(last) = self.last.clone() {
                self.world.inject(&last, true);
            }
            return;
        }
        let from = match kind {
            "advert-from-our-address" => 1,
            "advert-of-a-stranger" => 77,
            _ => u8::try_from(self.random.between(2, 4)).unwrap_or(2),
        };
        let ours = self.node(|node| {
            node.core
                .as_ref()
                .and_then(|core| core.brief(router))
                .map(|brief| brief.priority.get())
        });
        let priority = match (kind, self.random.below(4)) {
            ("advert-priority-0", _) => 0,
            ("advert-of-an-owner", _) => 255,
            (_, 0) => ours.unwrap_or(100),
            (_, 1) => ours.unwrap_or(100).saturating_sub(1).max(1),
            (_, 2) => ours.unwrap_or(100).saturating_add(1),
            _ => u8::try_from(self.random.between(1, 255)).unwrap_or(100),
        };
        let interval =
            if kind == "advert-with-another-interval" || config.version == Version::V3 && self.random.one_in(4) {
                u16::try_from(self.random.below(400)).unwrap_or(100)
            } else {
                config.advert_interval.centiseconds()
            };
        let ttl = if kind == "advert-with-another-ttl" { 254 } else { 255 };
        let Some(mut transmit) = self.advert(&config, from, priority, interval, ttl) else {
            return;
        };
        let intact = self.spoil(kind, &config, &mut transmit);
        if let Some(datagram) = Sent::of(&transmit).map(Sent::into_datagram) {
            self.world.inject(&datagram, intact);
            if intact {
                self.last = Some(datagram);
            }
        }
    }

    /// Changes bytes. Whether sums made with keys are right still.
    fn spoil(&mut self, kind: &str, config: &Instance, transmit: &mut Transmit) -> bool {
        let mut bytes = transmit.message.to_vec();
        match kind {
            "advert-with-a-flipped-bit" => {
                let begin = if transmit.protocol == PROTO_AH { 24 } else { 0 };
                let at = begin + self.random.index(bytes.len() - begin);
                // The checksum is not part of the signature.
                let at = if config.hmac.is_some() && (6..8).contains(&at) {
                    8
                } else {
                    at
                };
                let bit = self.random.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            "advert-cut" if self.random.one_in(2) => bytes.truncate(self.random.index(bytes.len())),
            "advert-cut" => bytes.extend([0; 3]),
            _ => return true,
        }
        transmit.message = bytes.into();
        false
    }

    /// An advert as another node of the router would send it.
    fn advert(&mut self, config: &Instance, from: u8, priority: u8, interval: u16, ttl: u8) -> Option<Transmit> {
        let (source, own): (IpAddr, IpAddr) = match config.family {
            Family::Ipv4 => (
                Ipv4Addr::new(192, 0, 2, from).into(),
                Ipv4Addr::new(192, 0, 2, 1).into(),
            ),
            Family::Ipv6 => {
                let address = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
                (address(u16::from(from)).into(), address(1).into())
            }
        };
        let destination = match &config.transport {
            crate::model::Transport::Multicast { group } => *group,
            crate::model::Transport::Unicast { .. } => own,
        };
        let wrong = matches!(config.authentication, Authentication::Pass(_)) && self.random.one_in(12);
        let password = if wrong {
            Authentication::Pass(Password::from_text("0000"))
        } else {
            config.authentication
        };
        let vips: Vec<IpAddr> = config.vips.iter().map(|vip| vip.address).collect();
        let form = match (config.version, self.random.below(3)) {
            (Version::V3, 0 | 1) => ChecksumForm::PseudoHeader,
            _ => ChecksumForm::MessageOnly,
        };
        let interval = AdvertInterval::from_centiseconds(interval).unwrap_or_default();
        let message = build(
            config.version,
            config.family,
            config.vrid,
            Priority(priority),
            interval,
            &password,
            &vips,
            form,
            source,
            destination,
        );
        let (protocol, message) = self.seal(config, message, source, destination, ttl)?;
        Some(Transmit {
            instance: crate::model::InstanceId(0),
            interface: None,
            source,
            destination,
            ttl: Some(ttl),
            ip_id: 1,
            priority: Priority(priority),
            protocol,
            message: message.into(),
        })
    }

    fn seal(
        &mut self,
        config: &Instance,
        message: Vec<u8>,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
    ) -> Option<(u8, Vec<u8>)> {
        if let (Authentication::Ah(password), IpAddr::V4(from), IpAddr::V4(to)) =
            (config.authentication, source, destination)
        {
            self.ah += u32::try_from(self.random.below(3)).unwrap_or(1);
            let header = AhHeader::new(from, self.ah);
            let ip = Ipv4Header {
                tos: TOS_CS6,
                total_len: 0,
                id: 1,
                fragment: 0,
                ttl,
                protocol: PROTO_AH,
                source: from,
                destination: to,
                header_len: 20,
            };
            let ip = ip.emit(u16::try_from(24 + message.len()).ok()?);
            let icv = header.sum(password, &ip, &message, !to.is_multicast());
            let mut bytes = AhHeader { icv, ..header }.emit().to_vec();
            bytes.extend(message);
            return Some((PROTO_AH, bytes));
        }
        let Some(hmac) = &config.hmac else {
            return Some((PROTO_VRRP, message));
        };
        if hmac.mode != HmacMode::Enforce && self.random.one_in(3) || self.random.one_in(15) {
            return Some((PROTO_VRRP, message));
        }
        let keys = if self.random.one_in(8) { 3 } else { 2 };
        let key = u8::try_from(self.random.between(1, keys)).ok()?;
        let bytes = hmac.keys.get(&key).map_or(vec![7; 32], |key| key.bytes.clone());
        let wall = self.node(|node| node.wall(self.world.now));
        let skew = Micros(self.random.below(if hmac.anti_replay == AntiReplay::Time {
            7_000_000
        } else {
            100
        }));
        let clock = if self.random.one_in(2) {
            wall + skew
        } else {
            wall.saturating_sub(skew)
        };
        let trailer = Trailer::new(key, Sequence::of_clock(clock));
        Some((PROTO_VRRP, sign(&message, trailer, &bytes, source, destination)))
    }
}
