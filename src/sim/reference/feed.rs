//! The core's events in the words of the reference model.

use super::router::{Phase, Router};
use super::rules::{Rules, Seal};
use super::{Deed, Host, Script};
use crate::model::{Instant, Model, RunId, ScriptId};
use crate::proto::{Event, FileReading, Observation, Receive, RunOutcome, SocketSpec};
use std::rc::Rc;

impl Host {
    /// Takes an event in. `intact` says of an advert that a node of the cluster has sent it as it is, `stolen` of a deleted
    /// address whose it was.
    pub(in crate::sim) fn take(&mut self, event: &Event<'_>, intact: bool, stolen: Option<usize>, now: Instant) {
        let now = now.0;
        match event {
            Event::Start => self.start(now),
            Event::Packet(packet) => self.hear(&packet.datagram, intact, now.saturating_sub(packet.age.0), now),
            Event::Link(link) => {
                let name = link.name.as_str().to_owned();
                let entry = self.links.entry(link.index.0).or_insert((name, false, Vec::new()));
                entry.1 = link.running;
                self.look_around(now);
            }
            Event::LinkGone(index) => {
                self.links.remove(&index.0);
                self.look_around(now);
            }
            Event::AddressAdded(added) => {
                if let Some((_, _, addresses)) = self.links.get_mut(&added.index.0)
                    && !addresses.contains(&added.address)
                {
                    addresses.push(added.address);
                    self.look_around(now);
                }
            }
            Event::AddressGone(gone) => {
                if let Some((_, _, addresses)) = self.links.get_mut(&gone.index.0) {
                    addresses.retain(|address| *address != gone.address);
                    self.look_around(now);
                }
            }
            Event::SocketFailed { .. } | Event::SocketOpen(_) if self.stopping || !self.started => {}
            Event::SocketFailed { socket, .. } => self.sockets(socket, true, now),
            Event::SocketOpen(socket) => self.sockets(socket, false, now),
            Event::AddressStolen { .. } => {
                if let Some(router) = stolen {
                    self.stolen(router, now);
                }
            }
            Event::ScriptEnded { run, outcome } => {
                let script = self.runs.remove(run).filter(|_| !self.stopping);
                if script.is_some_and(|script| self.scripts[script].result(*outcome == RunOutcome::Exited(0))) {
                    self.look_around(now);
                }
            }
            Event::Stalled { gap } => self.stalled(gap.0, now),
            Event::WallClock(wall) => self.wall = (now, wall.0),
            Event::Reload(model) => self.reload(model, now),
            Event::Leave => self.stop(true, now),
            Event::Shutdown => self.stop(false, now),
            Event::Observed(Observation::File { file, reading }) => {
                let at = usize::try_from(file.0).unwrap_or(usize::MAX);
                if let Some(known) = self.files.get_mut(at) {
                    *known = match reading {
                        FileReading::Number(number) => Some(*number),
                        FileReading::TooLarge(_) => Some(known.unwrap_or(0)),
                        FileReading::Missing | FileReading::Unreadable(_) | FileReading::Unwatchable => Some(0),
                    };
                    self.look_around(now);
                }
            }
            Event::LinkBeat { .. }
            | Event::Drain { .. }
            | Event::Resume { .. }
            | Event::Observed(_)
            | Event::TransmitFailed { .. }
            | Event::AddressesPresent { .. }
            | Event::AddressFailed { .. }
            | Event::AddressesGone { .. }
            | Event::Announced { .. }
            | Event::NeighbourClaim { .. }
            | Event::ClearCounters => {}
        }
    }

    /// A check program was started.
    pub(in crate::sim) fn runs(&mut self, run: RunId, script: ScriptId) {
        if let Ok(script) = usize::try_from(script.0) {
            self.runs.insert(run, script);
        }
    }

    fn sockets(&mut self, socket: &SocketSpec, failed: bool, now: u64) {
        for it in &mut self.routers {
            let receives = match socket.receive {
                Receive::Group(group) => it.rules.peers.is_none() && it.rules.destinations == [group],
                Receive::Unicast(own) => it.rules.peers.is_some() && it.source == Some(own),
            };
            if receives && socket.family == it.rules.family && socket.ah == (it.rules.seal == Seal::Ah) {
                it.socket_failed = failed;
            }
        }
        self.look_around(now);
    }

    /// A new configuration: who differs in nothing does nothing; who differs in what can be changed under way goes on, and
    /// a master tells at once what its adverts say now; another router starts anew (behaviour §11.2, differences).
    fn reload(&mut self, model: &Model, now: u64) {
        if !self.started || self.stopping {
            return;
        }
        let rules: Vec<Rules> = model.instances.iter().map(|config| Rules::of(config, model)).collect();
        let wall = self.wall_at(now);
        let mut again = Vec::new();
        for (router, new) in rules.into_iter().enumerate() {
            let it = &mut self.routers[router];
            if *it.rules == new {
                continue;
            }
            let mut deeds = Vec::new();
            if !is_same_router(&it.rules, &new) {
                if it.is_master() {
                    it.release(wall, &mut deeds);
                    deeds.push(Deed::Clear);
                }
                self.did(router, deeds);
                self.routers[router] = Router::new(new, now);
                again.push(router);
                continue;
            }
            let interval_differs = it.rules.interval != new.interval;
            let version_differs = it.rules.v3 != new.v3;
            let learned = it.rules.v3 && new.v3 && it.is_backup();
            let signs_differently = signing_key(&it.rules) != signing_key(&new) || it.rules.seal != new.seal;
            let speaks_differently =
                signs_differently || interval_differs || version_differs || it.rules.vips != new.vips;
            let (before, priority) = (it.down(), it.priority);
            let delay = it.rules.preempt_delay;
            it.rules = Rc::new(new);
            if (interval_differs || version_differs) && !learned {
                it.master_interval = it.rules.interval;
            }
            let to = self.priority_of(router);
            let it = &mut self.routers[router];
            it.priority = to;
            let after = it.down();
            if let Phase::Backup { down_at, .. } = &mut it.phase {
                *down_at = (*down_at + after).saturating_sub(before);
            }
            // A delay that runs counts from its beginning.
            if let Phase::Backup {
                delay_ends: Some(ends), ..
            } = &mut it.phase
            {
                *ends = *ends - delay + it.rules.preempt_delay;
            }
            if it.is_master() && (priority != to || speaks_differently) {
                it.answer(now, wall, &mut deeds);
            }
            self.did(router, deeds);
        }
        self.adopt_scripts(model);
        for router in again {
            self.begin(router, now);
        }
        self.look_around(now);
    }

    fn adopt_scripts(&mut self, model: &Model) {
        for (script, new) in self.scripts.iter_mut().zip(&model.scripts) {
            *script = Script {
                rise: new.rise,
                fall: new.fall,
                ..script.clone()
            };
        }
    }
}

/// The key that signs, if one does.
fn signing_key(rules: &Rules) -> Option<u8> {
    rules
        .hmac
        .as_ref()
        .filter(|hmac| hmac.signs)
        .map(|hmac| hmac.active_key)
}

/// Whether it is still the same virtual router (behaviour §11.2); everything else can be changed under way.
fn is_same_router(old: &Rules, new: &Rules) -> bool {
    let heard_alike = match (&old.peers, &new.peers) {
        (None, None) => old.destinations == new.destinations,
        (Some(_), Some(_)) => old.source == new.source,
        (None, Some(_)) | (Some(_), None) => false,
    };
    (old.vrid, old.family, &old.link) == (new.vrid, new.family, &new.link) && heard_alike
}
