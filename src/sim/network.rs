//! The virtual LAN: who hears whom, how late, how often.

use super::random::Random;
use crate::model::{IfIndex, Micros};
use crate::proto::{Datagram, Transmit};
use crate::wire::ip::{Ipv4Header, PROTO_VRRP, TOS_CS6};
use std::net::IpAddr;

/// State of the wires between the nodes.
#[derive(Debug, Clone)]
pub(super) struct Network {
    /// `cut[from][to]`: nothing arrives.
    cut: Vec<Vec<bool>>,
    /// Lost, in 1/1000.
    pub(super) loss: u64,
    /// Arrives twice, in 1/1000.
    pub(super) duplication: u64,
    /// Latest arrival; between 50 µs and this, so that packets overtake each other.
    pub(super) jitter: Micros,
}

/// The link of every node.
pub(super) const LINK: IfIndex = IfIndex(2);

impl Network {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            cut: vec![vec![false; nodes]; nodes],
            loss: 0,
            duplication: 0,
            jitter: Micros(300),
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
        self.duplication = 0;
        self.jitter = Micros(300);
    }

    pub(super) fn hears(&self, from: usize, to: usize) -> bool {
        !self.cut.get(from).and_then(|row| row.get(to)).copied().unwrap_or(true)
    }

    /// Whether two nodes hear each other and nothing is lost.
    pub(super) fn is_clean_between(&self, a: usize, b: usize) -> bool {
        self.hears(a, b) && self.hears(b, a) && self.loss == 0
    }

    /// When copies of a packet arrive.
    pub(super) fn delays(&self, from: usize, to: usize, random: &mut Random) -> Vec<Micros> {
        if from == to || !self.hears(from, to) || random.below(1000) < self.loss {
            return Vec::new();
        }
        let mut delay = || Micros(random.between(50, self.jitter.0.max(51)));
        let first = delay();
        let second = delay();
        if random.below(1000) < self.duplication {
            vec![first, second]
        } else {
            vec![first]
        }
    }
}

/// The bytes that a raw socket on the other side gives.
pub(super) fn datagram(transmit: &Transmit) -> Option<Datagram<'static>> {
    match (transmit.source, transmit.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = Ipv4Header {
                tos: TOS_CS6,
                total_len: 0,
                id: transmit.ip_id,
                fragment: 0,
                ttl: transmit.ttl?,
                protocol: PROTO_VRRP,
                source,
                destination,
                header_len: 20,
            };
            let mut bytes = header.emit(u16::try_from(transmit.message.len()).ok()?).to_vec();
            bytes.extend_from_slice(&transmit.message);
            Some(Datagram::Ipv4(bytes.into()))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let message = transmit.message.to_vec().into();
            Some(Datagram::Ipv6 {
                source,
                destination,
                hop_limit: Some(transmit.ttl.unwrap_or(64)),
                message,
            })
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}
