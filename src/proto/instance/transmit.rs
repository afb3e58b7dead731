//! What an instance sends: one advert a cycle, to the group or to every peer (behaviour §2.6).

use super::{Context, Instance};
use crate::model::{Family, OldUnicastChecksum, Priority, Transport, Version};
use crate::proto::action::{Action, Transmit};
use crate::proto::limiter::Cause;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::wire::vrrp::{ChecksumForm, build};
use std::net::IpAddr;
use std::sync::Arc;

/// The messages that were sent last, kept so that a steady master builds nothing.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    priority: Priority,
    source: IpAddr,
    messages: Vec<(IpAddr, Arc<[u8]>)>,
}

impl Instance {
    pub(super) fn send_release(&mut self, ctx: &mut Context<'_>) {
        if ctx.mutation.is(Mutant::ReleaseLeftOut) {
            return;
        }
        self.send_advert(Priority::RELEASE, ctx);
        self.counters.priority_zero_sent += 1;
        self.log(InstanceLine::SentPriorityZero, ctx.out);
    }

    /// One cycle: the group, or every peer.
    pub(super) fn send_advert(&mut self, priority: Priority, ctx: &mut Context<'_>) {
        let Some(source) = self.source else { return };
        let link = self.config.interface.as_ref().and_then(|name| ctx.world.index_of(name));
        if self.config.interface.is_some() && link.is_none() {
            return;
        }
        let carried = if priority != Priority::RELEASE && ctx.mutation.is(Mutant::BasePriorityAdvertised) {
            self.config.priority
        } else {
            priority
        };
        self.ip_id = self.ip_id.checked_add(1).unwrap_or(1);
        self.counters.adverts_sent += 1;
        if self
            .cache
            .as_ref()
            .is_none_or(|cache| cache.priority != carried || cache.source != source)
        {
            self.cache = Some(self.build_messages(carried, source));
        }
        let ttl = match &self.config.transport {
            Transport::Multicast { .. } => Some(255),
            Transport::Unicast { ttl, .. } => match self.config.family {
                Family::Ipv4 => Some(ttl.unwrap_or(255)),
                Family::Ipv6 => *ttl,
            },
        };
        let sequence = self.number_cycle(ctx);
        let seal = self.seal(sequence);
        for (destination, message) in self.cache.iter().flat_map(|cache| &cache.messages) {
            let (protocol, message) = seal.close(message, source, *destination, ttl, self.ip_id);
            ctx.out.push_back(Action::Transmit(Transmit {
                instance: self.id,
                interface: link,
                source,
                destination: *destination,
                ttl,
                ip_id: self.ip_id,
                priority: carried,
                protocol,
                message,
            }));
        }
    }

    fn build_messages(&self, priority: Priority, source: IpAddr) -> Cache {
        let config = &self.config;
        let vips: Vec<IpAddr> = config.vips.iter().map(|vip| vip.address).collect();
        let (destinations, old): (Vec<IpAddr>, bool) = match &config.transport {
            Transport::Multicast { group } => (vec![*group], false),
            Transport::Unicast {
                peers, old_checksum, ..
            } => {
                let old = *old_checksum == OldUnicastChecksum::Always || self.old_checksum;
                (peers.iter().map(|peer| peer.address).collect(), old)
            }
        };
        let form = match (config.version, config.v3_checksum_as_v2) {
            (Version::V2, _) | (Version::V3, true) => ChecksumForm::MessageOnly,
            (Version::V3, false) if old => ChecksumForm::OldUnicast,
            (Version::V3, false) => ChecksumForm::PseudoHeader,
        };
        let message = |to: IpAddr| {
            let (interval, auth) = (config.advert_interval, &config.authentication);
            let bytes = build(
                config.version,
                config.family,
                config.vrid,
                priority,
                interval,
                auth,
                &vips,
                form,
                source,
                to,
            );
            (to, Arc::from(bytes))
        };
        Cache {
            priority,
            source,
            messages: destinations.into_iter().map(message).collect(),
        }
    }

    pub(in crate::proto) fn on_transmit_failed(
        &mut self,
        destination: IpAddr,
        errno: i32,
        release: bool,
        ctx: &mut Context<'_>,
    ) {
        // A release on a link that is down cannot be sent, and nobody is there to hear it.
        if !release && self.limits.first(Cause::SendFailed, destination, ctx.now) {
            let to = self.config.transport.is_unicast().then_some(destination);
            self.log(InstanceLine::SendFailed { to, errno }, ctx.out);
        }
    }
}
