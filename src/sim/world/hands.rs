//! The hands that carry the cores' actions out: packets to the network, wishes to the fake kernels, programs that end.

use super::{Told, What, World};
use crate::model::{Instance, LinkBeatMethod, Micros, NoticeEvent, NotifyOwner, Priority};
use crate::proto::{Action, AddressWish, Announce, Event, RunNotify, RunOutcome, SocketSpec, Transmit};
use crate::sim::check;
use crate::sim::network::Sent;
use crate::sim::node::{Input, Node};
use crate::sim::reference::Deed;
use crate::sim::story;
use std::rc::Rc;
use std::sync::Arc;

impl World {
    /// Carries out what the core of a node wants, and looks at what it has become.
    pub(super) fn release(&mut self, index: usize) {
        self.carry_out_all(index);
        self.observe(index);
    }

    pub(super) fn carry_out_all(&mut self, index: usize) {
        while let Some(action) = self
            .nodes
            .get_mut(index)
            .and_then(|n| n.core.as_mut())
            .and_then(crate::proto::Core::poll_action)
        {
            if self.story.is_some() {
                self.tell_story(|world| story::line(world, index, &action));
            }
            self.carry_out(index, action);
        }
    }

    fn carry_out(&mut self, index: usize, action: Action) {
        match action {
            Action::Transmit(transmit) => self.transmit(index, transmit),
            Action::SetAddresses(wish) => self.wish(index, wish, Deed::Set),
            Action::ClearAddresses(wish) => self.wish(index, wish, Deed::Clear),
            Action::RestoreAddress { instance, .. } => {
                let node = self.nodes.get(index);
                let seat = node.and_then(|node| node.seats.get(node.seat_of(instance)?));
                if let Some(wish) = seat.and_then(|seat| seat.wish.clone()) {
                    self.wish(index, wish, Deed::Restore);
                }
            }
            Action::Announce(announce) => self.announce(index, &announce),
            Action::AskLink { interface, method, .. } => {
                let up = self.nodes.get(index).is_some_and(|node| node.link_up);
                let method = method.unwrap_or(LinkBeatMethod::Ethtool);
                self.later_event(self.now, index, Event::LinkBeat { interface, up, method });
            }
            Action::RunScript { run, script } => {
                let delay = Micros(self.random.between(1_000, 40_000));
                let node = self.nodes.get_mut(index);
                let failure = node.as_ref().filter(|node| !node.service).map(|node| node.failure);
                if let Some(reference) = node.and_then(|node| node.reference.as_mut()) {
                    reference.runs(run, script);
                }
                let outcome = failure.unwrap_or(RunOutcome::Exited(0));
                self.later_event(self.now + delay, index, Event::ScriptEnded { run, outcome });
            }
            Action::RunNotify(told) => self.run_notify(index, &told),
            Action::Stopped => {
                self.changed = true;
                if let Some(node) = self.nodes.get_mut(index) {
                    node.core = None;
                    node.life += 1;
                }
            }
            Action::OpenSocket(socket) => self.socket(index, socket, true),
            Action::CloseSocket(socket) => self.socket(index, socket, false),
            Action::KillScript { .. } | Action::GroupChanged(_) | Action::Notify(_) => {}
            Action::StateChanged(_) | Action::Log(_) | Action::Happened(_) => check::reasons(self, index, &action),
        }
    }

    /// One program of an instance or group at a time, in the order of the news; a master's when its addresses are there.
    fn run_notify(&mut self, index: usize, told: &RunNotify) {
        let (now, what) = (self.now, &told.notice.what);
        let takes = Micros(self.random.between(1_000, 40_000));
        let event = Event::ScriptEnded {
            run: told.run,
            outcome: RunOutcome::Exited(0),
        };
        let takes = self.notify_time.unwrap_or(takes);
        self.later_event(now + takes, index, event);
        let Some(node) = self.nodes.get_mut(index) else { return };
        let limit = node.model.global.notify_order_timeout;
        let before = node
            .programs
            .insert(told.owner, (now + takes.min(limit), what.sequence));
        let ordered = what.event.is_state() && what.event != NoticeEvent::Stop;
        let early = before.is_some_and(|(until, sequence)| now < until || what.sequence < sequence);
        let seat = match told.owner {
            NotifyOwner::Instance(at) => usize::try_from(at).ok().and_then(|at| node.seats.get(at)),
            NotifyOwner::Group(_) => None,
        };
        let held = seat.is_some_and(|seat| seat.held);
        if ordered && early {
            self.violate(format!(
                "node {index} runs a notify program before the one before it has ended"
            ));
        }
        if self.notify_time.is_some() {
            let (kind, event) = (told.kind, what.event);
            self.told.push(Told {
                at: now,
                kind,
                event,
                held,
            });
        }
    }

    fn socket(&mut self, index: usize, socket: SocketSpec, open: bool) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let key = |spec: &SocketSpec| (spec.interface, spec.family, spec.ah, spec.receive);
        node.sockets.retain(|known| key(known) != key(&socket));
        if open {
            node.sockets.push(socket);
        }
    }

    fn transmit(&mut self, index: usize, transmit: Transmit) {
        self.adverts += 1;
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(at) = node.seat_of(transmit.instance) else {
            return;
        };
        let (trailer, ah) = node
            .model
            .instances
            .get(at)
            .map_or((None, None), |config| numbers(config, &transmit));
        node.done.push((
            at,
            Deed::Send {
                priority: transmit.priority.get(),
                to: transmit.destination,
                trailer,
                ah,
            },
            Arc::clone(&transmit.message),
        ));
        let link_up = node.link_up;
        let calm = self.calm_since;
        let mut off_grid = None;
        if transmit.priority == Priority::RELEASE {
            node.releases += 1;
        } else if let Some((seat, config)) = node.seats.get_mut(at).zip(node.model.instances.get(at)) {
            off_grid = check::off_grid(seat, config, &transmit, calm, now);
            seat.advert_at = Some(now);
            seat.advertised = Some(transmit.priority);
            seat.sent = Some(transmit.clone());
        }
        if let Some(gap) = off_grid {
            self.violate(format!("adverts of master {index} of router {at} are {gap} s apart"));
        }
        if link_up {
            self.send(index, &transmit);
        }
    }

    fn wish(&mut self, index: usize, wish: AddressWish, deed: Deed) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(at) = node.seat_of(wish.instance) else { return };
        let present = deed != Deed::Clear;
        let due = now + node.kernel_delay;
        node.done.push((at, deed, Arc::from([])));
        if let Some(seat) = node.seats.get_mut(at) {
            seat.ticket = Some(wish.ticket);
            if present {
                seat.wish = Some(wish.clone());
            }
        }
        self.later(due, index, What::Kernel(at, wish, present));
    }

    fn send(&mut self, index: usize, transmit: &Transmit) {
        let Some(sent) = Sent::of(transmit).map(Rc::new) else {
            return;
        };
        let vrid = transmit.message.get(if transmit.protocol == 51 { 25 } else { 1 });
        if self.network.muted.is_some() && vrid.copied() == self.network.muted {
            return;
        }
        let multicast = transmit.destination.is_multicast();
        for to in 0..self.nodes.len() {
            let hears = |node: &&Node| {
                let its = multicast || node.addresses.contains(&transmit.destination);
                its && node.core.is_some() && node.link_up
            };
            if to == index || self.nodes.get(to).filter(hears).is_none() {
                continue;
            }
            for at in self
                .network
                .arrivals(index, to, self.now, &mut self.random)
                .into_iter()
                .flatten()
            {
                self.later(at, to, What::Input(Input::Packet(Rc::clone(&sent))));
            }
        }
    }

    /// The neighbours hear an announcement, one of its rounds, as a claim.
    fn announce(&mut self, index: usize, announce: &Announce) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        if let Some(seat) = node.seat_of(announce.instance).and_then(|at| node.seats.get_mut(at)) {
            while seat
                .announced
                .front()
                .is_some_and(|at| now.since(*at) > Micros::from_secs(60))
            {
                seat.announced.pop_front();
            }
            seat.announced.push_back(now);
            seat.announcements += 1;
            self.changed = true;
        }
        if announce.report {
            let event = Event::Announced {
                instance: announce.instance,
                ticket: announce.ticket,
            };
            self.later_event(now, index, event);
        }
        let Some(mac) = self.nodes.get(index).filter(|node| node.link_up).map(Node::mac) else {
            return;
        };
        for to in 0..self.nodes.len() {
            if to == index || !self.network.hears(index, to) {
                continue;
            }
            for (address, _) in &announce.addresses {
                self.claim(to, *address, mac);
            }
        }
    }
}

/// The sequence of `auth_hmac` and the number of the AH header that an advert carries.
fn numbers(config: &Instance, transmit: &Transmit) -> (Option<u64>, Option<u32>) {
    let message = &transmit.message;
    let four = |at: usize| {
        let bytes = message.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes)
    };
    if transmit.protocol == 51 {
        return (None, four(8));
    }
    let plain = crate::wire::vrrp::AdvertView::new(config.family, message).map_or(0, |view| view.expected_len());
    let trailer = config.hmac.as_ref().filter(|_| message.len() > plain);
    let sequence = trailer.and_then(|_| Some(u64::from(four(plain + 4)?) << 32 | u64::from(four(plain + 8)?)));
    (sequence, None)
}
