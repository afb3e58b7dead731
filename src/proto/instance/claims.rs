//! Other nodes that claim our addresses by ARP or neighbour advertisement: a master tells the neighbours the truth again,
//! but two masters that cannot hear each other's adverts must not answer each other for ever (DESIGN difference 2).

use super::state::Claim;
use super::{Context, Instance, State};
use crate::model::{Family, IfName, Instant, MacAddr, Micros};
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use std::net::IpAddr;

/// The answer waits this long for an advert that explains the claim: a new master advertises before it announces, but the two
/// come by different sockets and may be read the other way round. To contradict it would send its neighbours back to us.
const HEED: Micros = Micros::from_millis(100);
/// At most one answer in this time for each address.
const PAUSE: Micros = Micros::SECOND;
/// This many answers in a row; then the claim is a problem that stays shown.
const ROW: u8 = 10;
/// A row ends when no claim was heard for this long.
const QUIET: Micros = Micros::from_secs(60);

impl Instance {
    pub(in crate::proto) fn on_neighbour_claim(
        &mut self,
        interface: &IfName,
        address: IpAddr,
        mac: MacAddr,
        ctx: &mut Context<'_>,
    ) {
        if self.config.ignore_foreign_claims || mac == MacAddr::virtual_router(Family::of(address), self.config.vrid) {
            return;
        }
        let State::Master(master) = &mut self.state else { return };
        let claimed = self
            .addresses
            .iter()
            .zip(&master.present)
            .position(|(vip, present)| *present && vip.address == address && vip.interface == *interface);
        let Some(position) = claimed else { return };
        self.counters.foreign_claims += 1;
        let claim = master
            .claims
            .entry(position)
            .or_insert_with(|| Claim::new(mac, ctx.now));
        let storms = ctx.mutation.is(Mutant::ClaimsAnsweredForEver);
        if !claim.may_be_answered(mac, ctx.now) && !storms || ctx.mutation.is(Mutant::ClaimsIgnored) {
            return;
        }
        self.dirty = true;
        let at = ctx.now + HEED;
        claim.answer_at.get_or_insert(at);
        master.claims_answer.get_or_insert(at);
    }

    /// We are master still, so the claims are wrong.
    pub(super) fn answer_claims(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let State::Master(master) = &mut self.state else { return };
        if master.claims_answer.is_none_or(|at| at > now) {
            return;
        }
        let mut due = Vec::new();
        for (position, claim) in &mut master.claims {
            if claim.answer_at.take_if(|at| *at <= now).is_some() {
                due.push((*position, claim.mac, claim.persists));
            }
        }
        master.claims_answer = master.claims.values().filter_map(|claim| claim.answer_at).min();
        for (position, mac, last) in due {
            let there = self.master().and_then(|master| master.present.get(position)) == Some(&true);
            let Some(vip) = self.addresses.get(position).filter(|_| there) else {
                continue;
            };
            let (address, interface) = (vip.address, vip.interface.clone());
            let line = InstanceLine::ForeignClaim {
                address,
                interface: interface.clone(),
                mac,
                last,
            };
            self.log(line, ctx.out);
            self.announce(vec![(address, interface)], 1, false, true, ctx);
        }
    }
}

impl Claim {
    const fn new(mac: MacAddr, now: Instant) -> Self {
        Self {
            mac,
            heard: now,
            answers: 0,
            answered: None,
            answer_at: None,
            persists: false,
        }
    }

    /// Counts an answer if one may be given now.
    fn may_be_answered(&mut self, mac: MacAddr, now: Instant) -> bool {
        if now.since(self.heard) > QUIET {
            self.answers = 0;
        }
        self.heard = now;
        self.mac = mac;
        let soon = self.answered.is_some_and(|at| now.since(at) < PAUSE);
        if soon || self.answers >= ROW {
            return false;
        }
        self.answers += 1;
        self.answered = Some(now);
        self.persists |= self.answers == ROW;
        true
    }
}
