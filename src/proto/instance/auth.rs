//! Authenticated adverts: which are fresh, and what ours carry (wire §6 and §7, behaviour §3.3 and §3.4).

use super::{Arrived, Context, Instance};
use crate::model::{AntiReplay, HmacAuth, HmacMode, Instance as Config, Micros, Password, Transport};
use crate::proto::log_event::{Difference, DropDetail};
use crate::proto::mutant::{Mutant, Mutation};
use crate::wire::auth::{AhHeader, Sequence, Trailer, is_same};
use crate::wire::ip::{Ipv4Header, PROTO_AH, PROTO_VRRP, TOS_CS6};
use crate::wire::vrrp::sign;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Multicast senders whose sequence is remembered.
const SENDERS: usize = 4;
/// An AH counter stops here and begins anew with the next time as master.
const LAST_AH: u32 = 0xffff_fffd;

/// What an instance remembers of authenticated adverts, sent and heard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::proto) struct Memory {
    /// AH: one counter for all speakers of the virtual router.
    ah_sequence: u32,
    /// Whether that is the number of an own advert. Then another speaker's with the same number is no replay: two masters
    /// that speak at the same moment use the same numbers and would never hear each other.
    ah_own: bool,
    /// `auth_hmac`: the last one sent.
    sent: Option<Sequence>,
    /// `auth_hmac`: the highest one heard of each sender, the one heard last at the end.
    marks: Vec<(IpAddr, Sequence)>,
}

/// The AH header of a datagram, and the IP header that its sum covers.
#[derive(Debug, Clone, Copy)]
pub(in crate::proto) struct Ah<'a> {
    pub(in crate::proto) header: AhHeader,
    pub(in crate::proto) ip_header: &'a [u8],
}

impl Memory {
    /// Whether there is nothing to remember.
    pub(in crate::proto) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the speaker of these adverts remembers itself.
    pub(in crate::proto) fn of_peer(heard: &Self, peer: IpAddr) -> Self {
        let mark = heard.marks.iter().find(|(address, _)| *address == peer);
        Self {
            ah_sequence: heard.ah_sequence,
            sent: mark.map(|(_, sequence)| *sequence),
            ..Self::default()
        }
    }

    /// Judges the AH header of an advert; a good one moves the counter.
    pub(super) fn check_ah(
        &mut self,
        ah: &Ah<'_>,
        password: Password,
        arrived: &Arrived<'_>,
        unicast: bool,
        mutation: Mutation,
    ) -> Result<(), DropDetail> {
        let header = &ah.header;
        if header.next_header != PROTO_VRRP {
            return Err(DropDetail::AhNextHeader {
                received: header.next_header,
            });
        }
        let right = header.sum(password, ah.ip_header, arrived.view.message(), unicast);
        if !is_same(right, header.icv) && !mutation.is(Mutant::AhSumUnchecked) {
            return Err(DropDetail::AhSum);
        }
        let expected = match arrived.source {
            IpAddr::V4(source) => source.to_bits(),
            IpAddr::V6(_) => 0,
        };
        if header.spi != expected {
            return Err(DropDetail::AhSpi {
                received: header.spi,
                expected,
            });
        }
        let tie = self.ah_own && header.sequence == self.ah_sequence && !mutation.is(Mutant::AhTieRefused);
        if header.sequence <= self.ah_sequence && !tie && !mutation.is(Mutant::AhReplayTaken) {
            return Err(DropDetail::AhSequence {
                received: header.sequence,
                last: self.ah_sequence,
            });
        }
        if !mutation.is(Mutant::AhCounterNotFollowed) {
            self.ah_sequence = header.sequence;
            self.ah_own = false;
        }
        Ok(())
    }

    /// Judges the trailer of an advert; a good one moves its sender's mark. `wall` is the time of day when it came.
    pub(super) fn check_hmac(
        &mut self,
        hmac: &HmacAuth,
        config: &Config,
        arrived: &Arrived<'_>,
        wall: Option<Micros>,
        mutation: Mutation,
    ) -> Result<Option<Difference>, DropDetail> {
        let Some(trailer) = arrived.view.trailer() else {
            return if hmac.mode == HmacMode::Enforce && !mutation.is(Mutant::MissingTrailerTaken) {
                Err(DropDetail::TrailerMissing)
            } else {
                Ok(None)
            };
        };
        let limit = match &config.transport {
            Transport::Multicast { .. } => SENDERS,
            Transport::Unicast { peers, .. } => {
                if !peers.iter().any(|peer| peer.address == arrived.source) {
                    return Err(DropDetail::NotAPeer);
                }
                peers.len()
            }
        };
        if trailer.kind != 1 || trailer.reserved != 0 {
            return Err(DropDetail::TrailerMalformed);
        }
        let skew = self.check_age(hmac, trailer, wall, mutation)?;
        let key = hmac
            .keys
            .get(&trailer.key_id)
            .ok_or(DropDetail::UnknownKey { id: trailer.key_id })?;
        let right = trailer.sum(&key.bytes, arrived.source, arrived.view.body());
        if !is_same(right, trailer.tag) && !mutation.is(Mutant::HmacUnchecked) {
            return Err(DropDetail::Hmac);
        }
        self.move_mark(hmac, arrived.source, trailer.sequence, wall, limit, mutation)?;
        Ok(skew)
    }

    /// With `anti_replay time` an advert may not be older or newer than the window.
    fn check_age(
        &self,
        hmac: &HmacAuth,
        trailer: Trailer,
        wall: Option<Micros>,
        mutation: Mutation,
    ) -> Result<Option<Difference>, DropDetail> {
        if hmac.anti_replay == AntiReplay::Monotonic || mutation.is(Mutant::StaleTaken) {
            return Ok(None);
        }
        let skew_s = seconds_between(wall, trailer.sequence);
        let window_s = window(hmac);
        if skew_s.unsigned_abs() > window_s {
            return Err(DropDetail::Stale { skew_s, window_s });
        }
        Ok((skew_s.unsigned_abs() > window_s / 2).then_some(Difference::ClockSkew { skew_s, window_s }))
    }

    fn move_mark(
        &mut self,
        hmac: &HmacAuth,
        source: IpAddr,
        sequence: Sequence,
        wall: Option<Micros>,
        limit: usize,
        mutation: Mutation,
    ) -> Result<(), DropDetail> {
        let known = self.marks.iter().position(|(address, _)| *address == source);
        let mark = known.map(|at| self.marks.remove(at).1);
        let timed = hmac.anti_replay == AntiReplay::Time && !mutation.is(Mutant::MarkKeptForEver);
        // A mark that is out of the window, for instance since a clock was set, says nothing any more.
        let mark = mark.filter(|mark| !timed || seconds_between(wall, *mark).unsigned_abs() <= window(hmac));
        if let Some(mark) = mark.filter(|mark| !sequence.is_after(*mark))
            && !mutation.is(Mutant::ReplayTaken)
        {
            self.marks.push((source, mark));
            return Err(DropDetail::Replayed);
        }
        if self.marks.len() >= limit.max(1) {
            self.marks.remove(0);
        }
        self.marks.push((source, sequence));
        Ok(())
    }

    /// The place of the next own advert.
    fn next_sequence(&mut self, hmac: &HmacAuth, wall: Option<Micros>, mutation: Mutation) -> Sequence {
        let clock = Sequence::of_clock(wall.unwrap_or(Micros::ZERO));
        let next = match self.sent {
            None => clock,
            Some(sent) if clock.is_after(sent) => clock,
            Some(_) if mutation.is(Mutant::SequenceGoesBack) => clock,
            // The clock was far ahead when it was sent, and has been set since.
            Some(sent)
                if hmac.anti_replay == AntiReplay::Time
                    && -seconds_between(wall, sent) > i64::try_from(window(hmac)).unwrap_or(i64::MAX) =>
            {
                clock
            }
            Some(sent) => sent.next(),
        };
        self.sent = Some(next);
        next
    }

    /// A worse advert was answered: the answer has to be newer than it for everybody who heard it.
    pub(super) fn skip_ah(&mut self) {
        self.ah_sequence = self.ah_sequence.saturating_add(1).min(LAST_AH);
    }

    /// A new time as master: a counter that has reached its end begins anew.
    pub(super) fn begin(&mut self) {
        if self.ah_sequence >= LAST_AH {
            self.ah_sequence = 0;
        }
    }
}

/// The window in whole seconds.
const fn window(hmac: &HmacAuth) -> u64 {
    hmac.time_window.0 / 1_000_000
}

/// Seconds of the clock minus seconds of a sequence, by the wire's 32 bits.
fn seconds_between(wall: Option<Micros>, sequence: Sequence) -> i64 {
    let now = wall.map_or(0, |wall| Sequence::of_clock(wall).seconds());
    match now.wrapping_sub(sequence.seconds()) {
        ahead @ 0..0x8000_0000 => i64::from(ahead),
        behind => i64::from(behind) - (1 << 32),
    }
}

/// What the adverts of one cycle carry beside the message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seal<'a> {
    Nothing,
    Ah(Password, u32),
    Hmac(&'a [u8], Trailer),
}

impl Instance {
    /// One number for a cycle, whatever the number of peers.
    pub(super) fn number_cycle(&mut self, ctx: &Context<'_>) -> Option<Sequence> {
        if matches!(self.config.authentication, crate::model::Authentication::Ah(_)) {
            self.memory.ah_sequence = self.memory.ah_sequence.saturating_add(1).min(LAST_AH);
            self.memory.ah_own = true;
        }
        let hmac = self.config.hmac.as_deref().filter(|hmac| signs(hmac, ctx.mutation))?;
        Some(self.memory.next_sequence(hmac, ctx.wall, ctx.mutation))
    }

    pub(super) fn seal(&self, sequence: Option<Sequence>) -> Seal<'_> {
        if let crate::model::Authentication::Ah(password) = self.config.authentication {
            return Seal::Ah(password, self.memory.ah_sequence);
        }
        let signing = self.config.hmac.as_deref().zip(sequence).and_then(|(hmac, sequence)| {
            let key = hmac.keys.get(&hmac.active_key)?;
            Some(Seal::Hmac(&key.bytes, Trailer::new(hmac.active_key, sequence)))
        });
        signing.unwrap_or(Seal::Nothing)
    }
}

fn signs(hmac: &HmacAuth, mutation: Mutation) -> bool {
    hmac.mode != HmacMode::ReceiveOnly && !mutation.is(Mutant::UnsignedSent)
}

impl Seal<'_> {
    /// The protocol number and the bytes behind the IP header.
    pub(super) fn close(
        self,
        message: &Arc<[u8]>,
        source: IpAddr,
        destination: IpAddr,
        ttl: Option<u8>,
        id: u16,
    ) -> (u8, Arc<[u8]>) {
        match (self, source, destination) {
            (Self::Hmac(key, trailer), ..) => (PROTO_VRRP, sign(message, trailer, key, source, destination).into()),
            (Self::Ah(password, sequence), IpAddr::V4(from), IpAddr::V4(to)) => {
                let header = AhHeader::new(from, sequence);
                let ip = Ipv4Header {
                    tos: TOS_CS6,
                    total_len: 0,
                    id,
                    fragment: 0,
                    ttl: ttl.unwrap_or(255),
                    protocol: PROTO_AH,
                    source: from,
                    destination: to,
                    header_len: 20,
                };
                let len = header.emit().len() + message.len();
                let ip = ip.emit(u16::try_from(len).unwrap_or(u16::MAX));
                let icv = header.sum(password, &ip, message, !to.is_multicast());
                let sealed = AhHeader { icv, ..header }.emit();
                let bytes: Vec<u8> = sealed.into_iter().chain(message.iter().copied()).collect();
                (PROTO_AH, bytes.into())
            }
            (Self::Nothing | Self::Ah(..), ..) => (PROTO_VRRP, Arc::clone(message)),
        }
    }
}
