//! When a master tells its neighbours where its addresses are (behaviour §7.2).

use super::{Context, Instance, State};
use crate::model::{Family, IfName, Micros};
use crate::proto::action::{Action, Announce};
use crate::proto::log_event::{LogEvent, Pace};
use crate::proto::mutant::Mutant;
use std::net::IpAddr;

impl Instance {
    /// The first burst for addresses that have just been set; `restored` ones get theirs without a second burst.
    pub(super) fn announce_new(&mut self, new: &[usize], complete: bool, restored: bool, ctx: &mut Context<'_>) {
        let settings = self.config.announce;
        let addresses = self.names_of(new.iter().copied());
        let nothing = addresses.is_empty();
        if !ctx.mutation.is(Mutant::AnnouncementLeftOut) {
            self.announce(addresses, settings.master_repeat, complete && !restored, true, ctx);
        }
        if !complete || restored {
            return;
        }
        let now = ctx.now;
        let second = settings.master_delay > Micros::ZERO && !ctx.mutation.is(Mutant::SecondBurstLeftOut);
        if let State::Master(master) = &mut self.state {
            let wanted = second && master.newcomers.as_ref().is_none_or(|new| !new.is_empty());
            master.second_burst = wanted.then_some(now + settings.master_delay);
            let refresh = settings.refresh > Micros::ZERO;
            master.refresh = refresh.then_some(now + settings.master_delay + settings.refresh);
            if nothing || ctx.mutation.is(Mutant::AnnouncementLeftOut) {
                let ticket = master.ticket;
                self.on_announced(ticket, ctx);
            }
        }
    }

    pub(super) fn announce_timeout(&mut self, ctx: &mut Context<'_>) {
        let settings = self.config.announce;
        let now = ctx.now;
        let State::Master(master) = &mut self.state else { return };
        let second = master.second_burst.take_if(|at| *at <= now).is_some();
        let lower = master.lower_prio_burst.take_if(|at| *at <= now).is_some();
        let refresh = master.refresh.is_some_and(|at| at <= now);
        if refresh {
            let again = !ctx.mutation.is(Mutant::RefreshOnce);
            master.refresh = again.then_some(now + settings.refresh);
        }
        let newcomers = if second { master.newcomers.take() } else { None };
        if let Some(newcomers) = &newcomers {
            self.announce_present(Some(newcomers), settings.master_repeat, true, ctx);
        }
        for (due, rounds) in [
            (second && newcomers.is_none(), settings.master_repeat),
            (lower, settings.lower_prio_repeat),
            (refresh, settings.refresh_repeat),
        ] {
            if due {
                self.announce_all(rounds, ctx);
            }
        }
    }

    /// A worse master was heard: whoever listened to it must learn the truth.
    pub(in crate::proto) fn announce_after_worse(&mut self, ctx: &mut Context<'_>) {
        let settings = self.config.announce;
        if settings.lower_prio_repeat == 0 {
            return;
        }
        let told = self.may_say(ctx.now);
        self.announce_present(None, settings.lower_prio_repeat, told, ctx);
        let now = ctx.now;
        if let State::Master(master) = &mut self.state
            && settings.lower_prio_delay > Micros::ZERO
            && !ctx.mutation.is(Mutant::WorseToldOnce)
        {
            master.lower_prio_burst = Some(now + settings.lower_prio_delay);
        }
    }

    pub(super) fn announce_all(&mut self, rounds: u32, ctx: &mut Context<'_>) {
        self.announce_present(None, rounds, true, ctx);
    }

    /// Those of these positions, or of all, whose addresses are there. `told`: the log says so.
    fn announce_present(&mut self, only: Option<&[usize]>, rounds: u32, told: bool, ctx: &mut Context<'_>) {
        let Some(master) = self.master() else { return };
        let wanted = |at: &usize| only.is_none_or(|only| only.contains(at));
        let there = (0..).zip(&master.present).filter(|(at, there)| **there && wanted(at));
        let addresses = self.names_of(there.map(|(at, _)| at));
        self.announce(addresses, rounds, false, told, ctx);
    }

    fn names_of(&self, positions: impl Iterator<Item = usize>) -> Vec<(IpAddr, IfName)> {
        let vips = positions.filter_map(|at| self.addresses.get(at));
        vips.map(|vip| (vip.address, vip.interface.clone())).collect()
    }

    pub(super) fn announce(
        &mut self,
        addresses: Vec<(IpAddr, IfName)>,
        rounds: u32,
        report: bool,
        told: bool,
        ctx: &mut Context<'_>,
    ) {
        let Some(ticket) = self.master().map(|master| master.ticket) else {
            return;
        };
        if addresses.is_empty() {
            return;
        }
        let pacing = ctx.pacing;
        let distance = |address: IpAddr| match Family::of(address) {
            Family::Ipv4 => pacing.arp,
            Family::Ipv6 => pacing.na,
        };
        let line = |(address, interface): &(IpAddr, IfName)| {
            let link = ctx.world.link(interface);
            let pace = if link.is_some_and(|link| link.no_arp || link.mac.is_none()) {
                Pace::Never
            } else if distance(*address) > Micros::ZERO {
                Pace::Queued
            } else {
                Pace::Direct
            };
            (interface.clone(), *address, pace)
        };
        if told {
            ctx.out.push_back(Action::Log(LogEvent::Announcing {
                name: self.config.name.clone(),
                addresses: addresses.iter().map(line).collect(),
                rounds,
            }));
        }
        let (paced, direct): (Vec<_>, Vec<_>) = addresses
            .into_iter()
            .partition(|(address, _)| distance(*address) > Micros::ZERO);
        let nothing_direct = direct.is_empty();
        let request = Announce {
            instance: self.id,
            ticket,
            addresses: direct,
            rounds,
            report,
        };
        for (address, interface) in &paced {
            ctx.pacer.push(distance(*address), &request, interface, *address);
        }
        if !nothing_direct {
            ctx.out.push_back(Action::Announce(request));
        } else if report {
            // Announcements that are spread over seconds do not hold the news back.
            self.on_announced(ticket, ctx);
        }
    }
}
