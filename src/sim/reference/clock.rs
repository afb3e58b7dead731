//! What is due when, in the order of time, however late the process wakes.

use super::router::Phase;
use super::{Deed, Host};
use crate::model::Instant;

/// Something that is due. At the same moment the order is the one of this list, then that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Advert(usize),
    TakeOver(usize),
    /// Another owner has been quiet for long enough.
    Quiet(usize),
    Announce(usize),
    Row(usize),
    Links,
    Poll,
    Script(usize),
    Process(usize),
    DrainEnd(usize),
}

impl Host {
    /// What is due by now. `early` says which routers have sent an advert a little early, as they may when they are
    /// awake anyway: at most 4 ms, at most a 64th of their interval.
    pub(in crate::sim) fn time(&mut self, now: Instant, early: impl Fn(usize) -> bool) {
        let now = now.0;
        if self.deaf_until.is_some_and(|until| until <= now) {
            self.deaf_until = None;
        }
        while let Some((at, what)) = self.due().filter(|(at, _)| *at <= now) {
            self.happen(what, at, now);
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

    fn due(&self) -> Option<(u64, Due)> {
        let routers = (0..self.routers.len()).filter_map(|router| self.due_of(router));
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter_map(|(at, row)| Some((row.due()?, Due::Row(at))));
        let links = self.links.values();
        let links = links.filter_map(|link| Some((link.due?, Due::Links)));
        let poll = self.poll_at.map(|at| (at, Due::Poll));
        let scripts = self.scripts.iter().enumerate();
        let scripts = scripts.filter_map(|(at, script)| Some((script.due()?, Due::Script(at))));
        let processes = self.processes.iter().enumerate();
        let processes = processes.filter_map(|(at, process)| Some((process.due?, Due::Process(at))));
        let watched = links
            .chain(poll)
            .chain(scripts)
            .chain(processes)
            .filter(|_| self.started && !self.stopping);
        routers.chain(rows).chain(watched).min()
    }

    fn due_of(&self, router: usize) -> Option<(u64, Due)> {
        let it = &self.routers[router];
        let drain = it.drained.and_then(|drain| drain.until);
        let drain = drain.map(|until| (until, Due::DrainEnd(router)));
        let timers = match &it.phase {
            Phase::Init | Phase::Fault => [None; 3],
            Phase::Backup { down_at, .. } => [Some((*down_at, Due::TakeOver(router))), None, None],
            Phase::Master { advert_at, rogue, .. } => {
                let quiet_at = rogue.as_ref().and_then(|rogue| rogue.quiet_at);
                [
                    Some((*advert_at, Due::Advert(router))),
                    quiet_at.map(|at| (at, Due::Quiet(router))),
                    it.voice.due().map(|at| (at, Due::Announce(router))),
                ]
            }
        };
        timers.into_iter().flatten().chain(drain).min()
    }

    /// `at`: since when it is due.
    fn happen(&mut self, what: Due, at: u64, now: u64) {
        match what {
            Due::Advert(router) => {
                let (wall, mut deeds) = (self.wall_at(now), Vec::new());
                self.routers[router].tick(now, wall, &mut deeds);
                self.did(router, deeds);
            }
            Due::TakeOver(router) => self.master_is_silent(router, now),
            Due::Quiet(router) => {
                if let Phase::Master { rogue, .. } = &mut self.routers[router].phase {
                    *rogue = None;
                }
            }
            Due::Announce(router) => {
                let it = &mut self.routers[router];
                for burst in it.voice.time(&it.rules, now) {
                    self.announce(router, burst);
                }
            }
            Due::Row(row) => {
                if let Some((router, address)) = self.rows[row].time(now) {
                    let addresses = vec![address];
                    self.did(router, vec![Deed::Announce { addresses, rounds: 1 }]);
                }
            }
            Due::Links => {
                let lasted = self
                    .links
                    .values_mut()
                    .filter(|link| link.due.is_some_and(|due| due <= at));
                lasted.for_each(super::Link::count);
                self.look_around(now);
            }
            Due::Poll => self.poll(now),
            Due::Script(script) => {
                let errands = self.scripts[script].time(script, now);
                self.errands.extend(errands);
            }
            Due::Process(process) => {
                self.processes[process].time();
                self.look_around(now);
            }
            Due::DrainEnd(router) => self.end_drain(router),
        }
    }

    /// Master_Down_Interval has passed: it takes over, unless others of its group hear theirs still, or it is to stay out.
    fn master_is_silent(&mut self, router: usize, now: u64) {
        let others = self.others(router);
        let hesitates = others.iter().any(|other| !self.routers[*other].wants_master);
        let it = &mut self.routers[router];
        let again = now + it.down();
        let stays_out = it.drained.is_some_and(|drain| drain.force);
        it.wants_master |= !stays_out;
        if !hesitates && !stays_out {
            let why = it.why_silent(now);
            self.take_over(router, why, now);
        } else if let Phase::Backup { down_at, .. } = &mut it.phase {
            *down_at = again;
        }
    }

    /// behaviour §6 "To MASTER": the last one whose master fell silent takes over, then the others in order.
    fn take_over(&mut self, router: usize, why: &'static str, now: u64) {
        let wall = self.wall_at(now);
        for member in std::iter::once(router).chain(self.others(router)) {
            let it = &mut self.routers[member];
            if it.is_backup() {
                let mut deeds = Vec::new();
                let why = if member == router { why } else { "group" };
                it.become_master(now, wall, why, &mut deeds);
                self.did(member, deeds);
            }
        }
    }
}
