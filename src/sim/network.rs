//! The virtual LAN: who hears whom, how late, how often.

use super::random::Random;
use crate::model::{IfIndex, Instant, Micros};
use crate::proto::{Datagram, Transmit};
use crate::wire::ip::{Ipv4Header, TOS_CS6};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

/// Latest arrival on a healthy wire.
const QUICK: Micros = Micros(300);

/// State of the wires between the nodes.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// `cut[from][to]`: nothing arrives.
    cut: Vec<Vec<bool>>,
    /// Lost, in 1/1000.
    pub(super) loss: u64,
    /// Lost of what this node sends, in 1/1000: its adverts get through worse than those of the others.
    pub(super) loss_from: Option<(usize, u64)>,
    /// Arrives twice, in 1/1000.
    pub(super) duplication: u64,
    /// Only ARP and neighbour advertisements pass, no adverts.
    pub(super) deaf: bool,
    /// Adverts of this VRID do not pass.
    pub(super) muted: Option<u8>,
    /// Added to every arrival.
    pub(super) delay: Micros,
    /// Latest arrival; between 50 µs and this, so that packets overtake each other when it is long.
    pub(super) jitter: Micros,
    /// `newest[from][to]`: the latest arrival so far, to notice that a packet overtakes another one.
    newest: Vec<Vec<Instant>>,
    pub(super) effects: Effects,
}

/// What became of packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effects {
    /// Never arrived, by chance.
    pub lost: u64,
    /// Never arrived, because a wire was cut.
    pub cut: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Arrived more than 20 ms late.
    pub delayed: u64,
    /// Arrived before one that was sent earlier.
    pub reordered: u64,
}

/// The link of every node.
pub(super) const LINK: IfIndex = IfIndex(2);
/// Another link that a node may have.
pub(super) const OTHER_LINK: IfIndex = IfIndex(3);
/// A packet on its way.
#[derive(Debug)]
pub(super) struct Sent {
    /// What a raw socket gives: the whole datagram (IPv4), or the payload (IPv6).
    bytes: Vec<u8>,
    /// IPv6: source, destination and hop limit.
    v6: Option<(Ipv6Addr, Ipv6Addr, Option<u8>)>,
    /// Whether a node has sent it as it is.
    pub(super) intact: bool,
}

impl Sent {
    /// What somebody may have made or changed.
    pub(super) fn forged(datagram: &Datagram<'_>, intact: bool) -> Self {
        match datagram {
            Datagram::Ipv4(bytes) => Self {
                bytes: bytes.to_vec(),
                v6: None,
                intact,
            },
            Datagram::Ipv6 {
                source,
                destination,
                hop_limit,
                message,
            } => Self {
                bytes: message.to_vec(),
                v6: Some((*source, *destination, *hop_limit)),
                intact,
            },
        }
    }

    /// The bytes that a raw socket on the other side gives.
    pub(super) fn of(transmit: &Transmit) -> Option<Self> {
        match (transmit.source, transmit.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4Header {
                    tos: TOS_CS6,
                    total_len: 0,
                    id: transmit.ip_id,
                    fragment: 0,
                    ttl: transmit.ttl?,
                    protocol: transmit.protocol,
                    source,
                    destination,
                    header_len: 20,
                };
                let header = header.emit(u16::try_from(transmit.message.len()).ok()?);
                let mut bytes = Vec::with_capacity(header.len() + transmit.message.len());
                bytes.extend_from_slice(&header);
                bytes.extend_from_slice(&transmit.message);
                Some(Self {
                    bytes,
                    v6: None,
                    intact: true,
                })
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self {
                bytes: transmit.message.to_vec(),
                v6: Some((source, destination, Some(transmit.ttl.unwrap_or(64)))),
                intact: true,
            }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// As the other side reads it, for keeping.
    pub(super) fn into_datagram(self) -> Datagram<'static> {
        match self.v6 {
            None => Datagram::Ipv4(self.bytes.into()),
            Some((source, destination, hop_limit)) => Datagram::Ipv6 {
                source,
                destination,
                hop_limit,
                message: self.bytes.into(),
            },
        }
    }

    /// As the other side reads it.
    pub(super) fn datagram(&self) -> Datagram<'_> {
        let message = Cow::Borrowed(self.bytes.as_slice());
        match self.v6 {
            None => Datagram::Ipv4(message),
            Some((source, destination, hop_limit)) => Datagram::Ipv6 {
                source,
                destination,
                hop_limit,
                message,
            },
        }
    }
}

impl std::ops::AddAssign for Effects {
    fn add_assign(&mut self, more: Self) {
        self.lost += more.lost;
        self.cut += more.cut;
        self.duplicated += more.duplicated;
        self.delayed += more.delayed;
        self.reordered += more.reordered;
    }
}

impl Network {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            cut: vec![vec![false; nodes]; nodes],
            loss: 0,
            loss_from: None,
            duplication: 0,
            deaf: false,
            muted: None,
            delay: Micros::ZERO,
            jitter: QUICK,
            newest: vec![vec![Instant(0); nodes]; nodes],
            effects: Effects::default(),
        }
    }

    pub(super) fn set_cut(&mut self, from: usize, to: usize, cut: bool) {
        if let Some(slot) = self.cut.get_mut(from).and_then(|row| row.get_mut(to)) {
            *slot = cut;
        }
    }

    pub(super) fn heal(&mut self) {
        self.cut.iter_mut().flatten().for_each(|cut| *cut = false);
        self.loss = 0;
        self.loss_from = None;
        self.duplication = 0;
        self.deaf = false;
        self.muted = None;
        self.delay = Micros::ZERO;
        self.jitter = QUICK;
    }

    pub(super) fn hears(&self, from: usize, to: usize) -> bool {
        !self.cut.get(from).and_then(|row| row.get(to)).copied().unwrap_or(true)
    }

    /// Whether two nodes hear each other at once and nothing is lost.
    pub(super) fn is_clean_between(&self, a: usize, b: usize) -> bool {
        let quick = self.delay == Micros::ZERO && self.jitter <= Micros::from_millis(50);
        let lossless = self.loss == 0 && self.loss_from.is_none();
        self.hears(a, b) && self.hears(b, a) && lossless && quick && !self.deaf && self.muted.is_none()
    }

    /// When copies of a packet arrive that is sent now.
    pub(super) fn arrivals(
        &mut self,
        from: usize,
        to: usize,
        now: Instant,
        random: &mut Random,
    ) -> [Option<Instant>; 2] {
        if from == to || self.deaf {
            return [None; 2];
        }
        if !self.hears(from, to) {
            self.effects.cut += 1;
            return [None; 2];
        }
        let worse = self
            .loss_from
            .filter(|(sender, _)| *sender == from)
            .map_or(0, |(_, loss)| loss);
        let loss = self.loss.max(worse);
        if loss > 0 && random.below(1000) < loss {
            self.effects.lost += 1;
            return [None; 2];
        }
        let first = Some(self.arrival(from, to, now, random));
        if self.duplication > 0 && random.below(1000) < self.duplication {
            self.effects.duplicated += 1;
            return [first, Some(self.arrival(from, to, now, random))];
        }
        [first, None]
    }

    fn arrival(&mut self, from: usize, to: usize, now: Instant, random: &mut Random) -> Instant {
        let takes = self.delay + Micros(random.between(50, self.jitter.0.max(51)));
        let at = now + takes;
        self.effects.delayed += u64::from(takes > Micros::from_millis(20));
        if let Some(newest) = self.newest.get_mut(from).and_then(|row| row.get_mut(to)) {
            self.effects.reordered += u64::from(at < *newest);
            *newest = at.max(*newest);
        }
        at
    }
}
