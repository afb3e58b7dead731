//! What is due when: adverts before take-overs, announcements, links, check programs, processes, the ends of drains.

use super::router::Phase;
use super::{Deed, Host};
use crate::model::Instant;

/// Something that is due, in the order in which it is done at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Router(usize),
    Script(usize),
    Process(usize),
    Row(usize),
    Link(u32),
}

impl Host {
    /// What is due by now. `early` says which routers have sent an advert a little early, as they may when they are
    /// awake anyway: at most 4 ms, at most a 64th of their interval.
    pub(in crate::sim) fn time(&mut self, now: Instant, early: impl Fn(usize) -> bool) {
        let now = now.0;
        if self.deaf_until.is_some_and(|until| until <= now) {
            self.deaf_until = None;
        }
        while let Some((_, _, what)) = self.due().filter(|(at, _, _)| *at <= now) {
            self.happen(what, now);
        }
        for router in 0..self.routers.len() {
            let Phase::Master { advert_at, .. } = self.routers[router].phase else {
                continue;
            };
            let allowance = (self.routers[router].rules.interval / 64).min(4_000);
            let has_sent = self.deeds.iter().any(|(of, deed, _)| *of == router && deed.is_advert());
            if advert_at <= now + allowance && !has_sent && early(router) {
                let wall = self.wall_at(now);
                let mut deeds = Vec::new();
                self.routers[router].tick(now, wall, &mut deeds);
                self.did(router, deeds);
            }
        }
    }

    /// What is due first: adverts before take-overs, then the order of the list, then of the file.
    fn due(&self) -> Option<(u64, u8, Due)> {
        let routers = (0..self.routers.len()).filter_map(|router| {
            let (at, order) = self.due_of(router)?;
            Some((at, order, Due::Router(router)))
        });
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter_map(|(at, row)| Some((row.due()?, 3, Due::Row(at))));
        let links = self.links.iter();
        let links = links.filter_map(|(index, link)| Some((link.due?, 4, Due::Link(*index))));
        let scripts = self.scripts.iter().enumerate();
        let scripts = scripts.filter_map(|(at, script)| Some((script.due()?, 6, Due::Script(at))));
        let processes = self.processes.iter().enumerate();
        let processes = processes.filter_map(|(at, process)| Some((process.due?, 8, Due::Process(at))));
        let watched = links
            .chain(scripts)
            .chain(processes)
            .filter(|_| self.started && !self.stopping);
        routers.chain(rows).chain(watched).min()
    }

    fn due_of(&self, router: usize) -> Option<(u64, u8)> {
        let it = &self.routers[router];
        let drain = it.drained.and_then(|drain| drain.until).map(|until| (until, 11));
        let timers = match &it.phase {
            Phase::Init | Phase::Fault => [None; 3],
            Phase::Backup { down_at, .. } => [Some((*down_at, 1)), None, None],
            Phase::Master { advert_at, rogue, .. } => [
                Some((*advert_at, 0)),
                rogue.as_ref().and_then(|rogue| rogue.quiet_at).map(|at| (at, 2)),
                it.voice.due().map(|at| (at, 3)),
            ],
        };
        timers.into_iter().flatten().chain(drain).min()
    }

    fn happen(&mut self, what: Due, now: u64) {
        match what {
            Due::Router(router) => self.expire(router, now),
            Due::Row(at) => {
                if let Some((router, address)) = self.rows[at].time(now) {
                    let addresses = vec![address];
                    self.did(router, vec![Deed::Announce { addresses, rounds: 1 }]);
                }
            }
            Due::Link(index) => {
                if let Some(link) = self.links.get_mut(&index) {
                    link.count();
                }
                self.look_around(now);
            }
            Due::Script(at) => {
                let errands = self.scripts[at].time(at, now);
                self.errands.extend(errands);
            }
            Due::Process(at) => {
                self.processes[at].count();
                self.look_around(now);
            }
        }
    }

    fn expire(&mut self, router: usize, now: u64) {
        let wall = self.wall_at(now);
        let hesitates = self
            .others(router)
            .iter()
            .any(|other| !self.routers[*other].wants_master);
        if self.routers[router]
            .drained
            .is_some_and(|drain| drain.until.is_some_and(|until| until <= now))
        {
            self.end_drain(router);
        }
        let it = &mut self.routers[router];
        let mut deeds = Vec::new();
        match &mut it.phase {
            Phase::Master { advert_at, .. } if *advert_at <= now => it.tick(now, wall, &mut deeds),
            Phase::Backup { down_at, .. } if *down_at <= now => {
                let again = now + it.down();
                let stays_out = it.drained.is_some_and(|drain| drain.force);
                it.wants_master |= !stays_out;
                if !hesitates && !stays_out {
                    return self.take_over(router, now);
                }
                if let Phase::Backup { down_at, .. } = &mut it.phase {
                    *down_at = again;
                }
            }
            Phase::Init | Phase::Fault | Phase::Backup { .. } | Phase::Master { .. } => {}
        }
        // Who is late finds that the other owner had to be quiet meanwhile.
        let it = &mut self.routers[router];
        let mut bursts = Vec::new();
        if let Phase::Master { rogue, .. } = &mut it.phase {
            rogue.take_if(|rogue| rogue.quiet_at.is_some_and(|at| at <= now));
            bursts = it.voice.time(&it.rules, now);
        }
        self.did(router, deeds);
        for burst in bursts {
            self.announce(router, burst);
        }
    }

    /// behaviour §6 "To MASTER": the last one whose master fell silent takes over, then the others in order.
    fn take_over(&mut self, router: usize, now: u64) {
        let wall = self.wall_at(now);
        for member in std::iter::once(router).chain(self.others(router)) {
            let it = &mut self.routers[member];
            if it.is_backup() {
                let mut deeds = Vec::new();
                it.become_master(now, wall, &mut deeds);
                self.did(member, deeds);
            }
        }
    }
}
