//! From a datagram to the instance that it is for (behaviour §3.1).

use super::Core;
use super::action::SocketSpec;
use super::counters::DropReason;
use super::event::{Datagram, Packet};
use super::instance::{Ah, Arrived};
use super::sockets::Key;
use crate::model::{Family, IfIndex, Instant, Transport, Vrid};
use crate::wire::auth::{AH_LEN, AhHeader};
use crate::wire::ip::{Ipv4Header, PROTO_AH, PROTO_VRRP};
use crate::wire::vrrp::AdvertView;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Receivers by link, family and VRID.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    by_vrid: BTreeMap<(Option<IfIndex>, Family, u8), Vec<usize>>,
    by_socket: BTreeMap<Key, Vec<usize>>,
}

impl Lookup {
    pub(super) fn insert(&mut self, key: Key, vrid: Vrid, index: usize) {
        // Nearly always there is one.
        self.by_vrid
            .entry((key.interface, key.family, vrid.get()))
            .or_insert_with(|| Vec::with_capacity(1))
            .push(index);
        self.by_socket.entry(key).or_default().push(index);
    }

    /// Who listens on this socket.
    pub(super) fn users(&self, socket: &SocketSpec) -> Vec<usize> {
        let key = Key::of(socket);
        self.by_socket.get(&key).cloned().unwrap_or_default()
    }

    fn candidates(&self, interface: Option<IfIndex>, family: Family, vrid: u8) -> &[usize] {
        let of = |link| {
            self.by_vrid
                .get(&(link, family, vrid))
                .map(Vec::as_slice)
                .filter(|list| !list.is_empty())
        };
        of(interface).or_else(|| of(None)).unwrap_or_default()
    }
}

impl Core {
    pub(super) fn on_packet(&mut self, packet: &Packet<'_>, now: Instant) {
        if self.delayed_until.is_some() {
            return;
        }
        let Some(arrived) = self.open(&packet.datagram) else {
            return;
        };
        let Some(index) = self.receiver(packet.interface, &arrived) else {
            self.unknown_vrids += 1;
            return;
        };
        let at = if self.mutation.is(super::Mutant::AgeIgnored) {
            now
        } else {
            now.before(packet.age)
        };
        self.at(index, now, |instance, ctx| instance.on_advert(&arrived, at, ctx));
    }

    /// Reads the headers. A datagram too short to name a VRID is counted here, everything else by its instance.
    fn open<'p>(&mut self, datagram: &'p Datagram<'_>) -> Option<Arrived<'p>> {
        let arrived = match datagram {
            Datagram::Ipv4(bytes) => open_ipv4(bytes),
            Datagram::Ipv6 {
                source,
                destination,
                hop_limit,
                message,
            } => AdvertView::new(Family::Ipv6, message).ok().map(|view| Arrived {
                source: IpAddr::V6(*source),
                destination: IpAddr::V6(*destination),
                ttl: *hop_limit,
                stated_len: None,
                header_len: 0,
                ah: None,
                view,
            }),
        };
        if arrived.is_none() {
            self.stray.count_dropped(DropReason::Length);
        }
        arrived
    }

    /// The instance for this VRID; among several unicast ones the one whose master or peer sent it.
    fn receiver(&self, interface: Option<IfIndex>, arrived: &Arrived<'_>) -> Option<usize> {
        let (family, vrid) = (Family::of(arrived.source), arrived.view.vrid());
        let candidates = self.lookup.candidates(interface, family, vrid);
        let knows = |index: &&usize| {
            let Some(instance) = self.instances.get(**index) else {
                return false;
            };
            match &instance.config.transport {
                Transport::Multicast { .. } => false,
                Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.address == arrived.source),
            }
        };
        match candidates {
            [] => None,
            [only] => Some(*only),
            several => several.iter().find(knows).copied(),
        }
    }
}

fn open_ipv4(bytes: &[u8]) -> Option<Arrived<'_>> {
    let (header, payload) = Ipv4Header::parse(bytes).ok()?;
    let (ah, message) = match header.protocol {
        PROTO_AH => {
            let (ah, message) = AhHeader::parse(payload).ok()?;
            let ip_header = bytes.get(..header.header_len)?;
            (Some(Ah { header: ah, ip_header }), message)
        }
        PROTO_VRRP => (None, payload),
        _ => return None,
    };
    let extra = if ah.is_some() { AH_LEN } else { 0 };
    Some(Arrived {
        source: IpAddr::V4(header.source),
        destination: IpAddr::V4(header.destination),
        ttl: Some(header.ttl),
        stated_len: Some(usize::from(header.total_len).saturating_sub(extra)),
        header_len: header.header_len,
        ah,
        view: AdvertView::new(Family::Ipv4, message).ok()?,
    })
}
