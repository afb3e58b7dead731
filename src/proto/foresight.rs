//! What is needed to play a copy of a running core forward: what it has under way outside, and the routers around it as they are
//! imagined from here.

use super::action::SocketSpec;
use super::event::Event;
use super::instance::{Context, Instance, Memory, State as InstancePhase};
use super::reason::Reason;
use super::state::{InstanceState, Phase};
use super::tracking::Tracker;
use super::{Core, Remembered, State};
use crate::model::{Instant, RunId};
use std::net::IpAddr;
use std::sync::Arc;

impl Core {
    /// The sockets that it has asked for.
    pub fn open_sockets(&self) -> impl Iterator<Item = SocketSpec> + '_ {
        self.sockets.specs()
    }

    /// The check programs that run now, with the names of their scripts.
    pub fn runs(&self) -> impl Iterator<Item = (RunId, Arc<str>)> + '_ {
        self.trackers.iter().filter_map(|tracker| match tracker {
            Tracker::Script(script) => Some((script.run()?, Arc::clone(tracker.name()))),
            Tracker::File(_) | Tracker::Process(_) => None,
        })
    }

    /// What the kernel has been asked for and has not confirmed, as it will confirm it.
    pub fn unconfirmed(&self) -> impl Iterator<Item = Event<'static>> + '_ {
        self.instances.iter().filter_map(Instance::unconfirmed)
    }

    /// Puts instances that have just started as backups into the phases of this state at once, without what leads there: other
    /// routers are imagined in the middle of their lives. A core that stands for a real one begins with [`Core::import`] alone.
    pub fn take_up(&mut self, state: &State, now: Instant) {
        for part in &state.parts {
            let Remembered::Instance(wanted) = part else { continue };
            let is_meant = |one: &Instance| one.config.name == wanted.name;
            if let Some(index) = self.instances.iter().position(is_meant) {
                self.at_alone(index, now, |instance, ctx| instance.take_up(wanted.phase, ctx));
            }
        }
    }
}

impl Instance {
    fn take_up(&mut self, phase: Phase, ctx: &mut Context<'_>) {
        match (phase, &mut self.state) {
            (Phase::Backup { master_down_in }, InstancePhase::Backup(backup)) => {
                backup.master_down = ctx.now + master_down_in;
            }
            (Phase::Master { advert_in }, InstancePhase::Backup(_)) => {
                self.enter_master(Reason::Startup, ctx);
                if let InstancePhase::Master(master) = &mut self.state {
                    master.next_advert = ctx.now + advert_in;
                }
            }
            _ => {}
        }
    }
}

impl InstanceState {
    /// The same virtual router on the other end, as far as this end can tell: what a peer remembers of its own adverts is what was
    /// heard of them.
    #[must_use]
    pub fn seen_from(&self, peer: IpAddr, name: Arc<str>, phase: Phase) -> Self {
        Self {
            name,
            phase,
            drain: None,
            peers: Vec::new(),
            memory: Memory::of_peer(&self.memory, peer),
            ..self.clone()
        }
    }
}
