//! What a reload does to an instance that goes on: its state stays, and what runs follows the new settings (behaviour §11.2).

use super::{Context, Instance, Settings, State, Until, all_addresses};
use crate::model::{HmacMode, Instance as Config, Micros, OldUnicastChecksum, Transport, Version, VirtualAddress};
use crate::proto::action::Action;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::PriorityCause;
use std::collections::{BTreeMap, BTreeSet};

/// Within this time after the addresses were set, announcements of them may still be on their way.
const ANNOUNCING: Micros = Micros::SECOND;

impl Instance {
    /// A configuration that differs in nothing but names and positions.
    pub(in crate::proto) fn adopt(&mut self, config: Settings) {
        self.config = config;
    }

    /// Other settings. A master tells the others at once if its adverts change.
    pub(in crate::proto) fn adjust(&mut self, config: Settings, ctx: &mut Context<'_>) {
        let before = self.master_down_interval(ctx.mutation);
        let old = std::mem::replace(&mut self.config, config);
        let source = self.source;
        self.cache = None;
        self.limits.forget_causes();
        if !listens_alike(&old, &self.config) {
            self.socket_error = None;
        }
        self.adjust_interval(&old);
        self.lowered &= self.config.is_owner();
        self.old_checksum &= self.follows_old_checksum();
        self.look_for_source(ctx);
        let to = self.priority_of(ctx);
        let from = std::mem::replace(&mut self.effective, to);
        self.move_master_down(before, ctx);
        self.adds = self.contributed(ctx);
        (self.dirty, self.changed) = (true, true);
        if from != self.effective {
            self.tell_priority(from, false, PriorityCause::Configuration, ctx);
        }
        self.adjust_preempt_delay(old.preempt_delay);
        self.adjust_addresses(ctx);
        self.adjust_refresh(old.announce.refresh, ctx);
        let speaks_alike = speaks_alike(&old, &self.config) && from == self.effective && source == self.source;
        let keeps_quiet = speaks_alike || ctx.mutation.is(Mutant::ReloadKeepsQuiet);
        if self.is_master() && (!keeps_quiet || ctx.mutation.is(Mutant::ReloadTouchesAll)) {
            self.answer(ctx);
        }
    }

    /// A backup of version 3 goes on with the interval that it has learned from its master.
    fn adjust_interval(&mut self, old: &Config) {
        let new = &self.config;
        let changed = new.advert_interval != old.advert_interval || new.version != old.version;
        let learned = new.version == Version::V3 && old.version == Version::V3;
        if changed && !(learned && matches!(self.state, State::Backup(_))) {
            self.master_interval = new.advert_interval;
        }
    }

    /// A delay that runs counts from its beginning.
    fn adjust_preempt_delay(&mut self, before: Micros) {
        let delay = self.config.preempt_delay;
        if let State::Backup(backup) = &mut self.state {
            backup.preempt_after = backup.preempt_after.map(|end| end.before(before) + delay);
        }
    }

    fn adjust_refresh(&mut self, before: Micros, ctx: &Context<'_>) {
        let period = self.config.announce.refresh;
        if let State::Master(master) = &mut self.state
            && period != before
            && master.complete
        {
            master.refresh = (period > Micros::ZERO).then_some(ctx.now + period);
        }
    }

    /// New addresses are set and announced, old ones removed, the others are left alone.
    fn adjust_addresses(&mut self, ctx: &mut Context<'_>) {
        let addresses = all_addresses(&self.config);
        if addresses == self.addresses {
            return;
        }
        let old = std::mem::replace(&mut self.addresses, addresses);
        if ctx.mutation.is(Mutant::ReloadForgetsAddresses) {
            return;
        }
        if self.is_master() {
            self.exchange_addresses(&old, ctx);
        } else if self.addresses.iter().any(|vip| !old.contains(vip)) {
            // Somebody may have left them there, as before a start.
            self.clear_addresses(ctx);
        }
    }

    fn exchange_addresses(&mut self, old: &[VirtualAddress], ctx: &mut Context<'_>) {
        // Old position of each new address that is there already.
        let known: BTreeMap<_, usize> = old.iter().map(VirtualAddress::object).zip(0..).collect();
        let same = |vip: &VirtualAddress| {
            let at = *known.get(&vip.object())?;
            old.get(at).filter(|old| old.is_same_object(vip)).map(|_| at)
        };
        let kept: Vec<Option<usize>> = self.addresses.iter().map(same).collect();
        self.tell_leaving(old, &kept, ctx);
        let before = self.ticket;
        let ticket = self.new_ticket(ctx);
        for pending in self.pending.iter_mut().filter(|p| p.until == Until::Announced(before)) {
            pending.until = Until::Announced(ticket);
        }
        ctx.pacer.forget(self.id);
        let State::Master(master) = &mut self.state else { return };
        let moved = |at: &Option<usize>| at.and_then(|at| master.present.get(at).copied()).unwrap_or(false);
        master.present = kept.iter().map(moved).collect();
        let claims = std::mem::take(&mut master.claims);
        let place = |old: usize| kept.iter().position(|at| *at == Some(old));
        master.claims = claims
            .into_iter()
            .filter_map(|(at, claim)| Some((place(at)?, claim)))
            .collect();
        let new = (0..).zip(&kept).filter(|(_, at)| at.is_none()).map(|(at, _)| at);
        let announcing = !master.complete || master.second_burst.is_some();
        if ctx.mutation.is(Mutant::ReloadAnnouncesAll) {
            master.present.fill(false);
        }
        master.newcomers = (!announcing).then(|| new.collect());
        master.ticket = ticket;
        master.complete = self.addresses.is_empty();
        let under_way = ctx.now.since(self.since) < ANNOUNCING;
        ctx.out.push_back(Action::SetAddresses(self.wish(ticket)));
        if announcing && under_way {
            self.announce_all(self.config.announce.master_repeat, ctx);
        }
        if self.addresses.is_empty() {
            self.on_announced(ticket, ctx);
        }
    }

    /// Names the addresses that are no longer configured.
    fn tell_leaving(&self, old: &[VirtualAddress], kept: &[Option<usize>], ctx: &mut Context<'_>) {
        let stay: BTreeSet<usize> = kept.iter().flatten().copied().collect();
        for (_, vip) in (0..).zip(old).filter(|(at, _)| !stay.contains(at)) {
            let line = InstanceLine::AddressLeaves {
                address: vip.address,
                prefix_len: vip.prefix_len,
                interface: vip.interface.clone(),
            };
            self.log(line, ctx.out);
        }
    }
}

/// Whether both hear the same sockets.
fn listens_alike(old: &Config, new: &Config) -> bool {
    old.transport == new.transport && old.authentication == new.authentication && old.source == new.source
}

/// Whether adverts look the same under both, but for priority and source.
fn speaks_alike(old: &Config, new: &Config) -> bool {
    let listed = |config: &Config| config.vips.iter().map(|vip| vip.address).collect::<Vec<_>>();
    let sent = |config: &Config| match &config.transport {
        Transport::Multicast { .. } => None,
        Transport::Unicast {
            peers,
            ttl,
            old_checksum,
            ..
        } => {
            let peers: Vec<_> = peers.iter().map(|peer| peer.address).collect();
            Some((peers, *ttl, *old_checksum == OldUnicastChecksum::Always))
        }
    };
    let signed = |config: &Config| {
        let hmac = config
            .hmac
            .as_deref()
            .filter(|hmac| hmac.mode != HmacMode::ReceiveOnly)?;
        Some((hmac.active_key, hmac.keys.get(&hmac.active_key)?.bytes.clone()))
    };
    old.version == new.version
        && old.advert_interval == new.advert_interval
        && old.authentication == new.authentication
        && old.v3_checksum_as_v2 == new.v3_checksum_as_v2
        && sent(old) == sent(new)
        && signed(old) == signed(new)
        && listed(old) == listed(new)
}
