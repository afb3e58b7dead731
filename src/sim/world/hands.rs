//! The hands that carry the cores' actions out: packets to the network, wishes to the fake kernels, programs that end.

use super::{Told, What, World};
use crate::model::{Instance, InstanceId, LinkBeatMethod, Micros, NoticeEvent, NotifyOwner, Priority, RunId, ScriptId};
use crate::proto::{
    Action, AddressWish, Announce, Event, Happening, KillSignal, RunNotify, RunOutcome, SocketSpec, StateChange,
    Subject, Transmit,
};
use crate::sim::check;
use crate::sim::network::{OTHER_LINK, Sent};
use crate::sim::node::{Input, Node};
use crate::sim::reference::{Deed, Errand};
use crate::sim::story;
use std::net::IpAddr;
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
            Action::SetAddresses(wish) => {
                let deed = Deed::Set(addresses(&wish));
                self.wish(index, wish, deed);
            }
            Action::ClearAddresses(wish) => {
                let deed = Deed::Clear(addresses(&wish));
                self.wish(index, wish, deed);
            }
            Action::RestoreAddress { instance, .. } => {
                let node = self.nodes.get(index);
                let fixed = node.filter(|_| instance == InstanceId::STATIC);
                if let Some(wish) = fixed.and_then(|node| node.statics.clone()) {
                    return self.wish(index, wish, Deed::Restore);
                }
                let seat = node.and_then(|node| node.seats.get(node.seat_of(instance)?));
                if let Some(wish) = seat.and_then(|seat| seat.wish.clone()) {
                    self.wish(index, wish, Deed::Restore);
                }
            }
            Action::Announce(announce) => self.announce(index, &announce),
            Action::AskLink { interface, method, .. } => {
                let Some(node) = self.nodes.get_mut(index) else { return };
                node.errands.push(Errand::Ask(interface.0));
                let up = if interface == OTHER_LINK {
                    node.other_link_up == Some(true)
                } else {
                    node.link_up
                };
                let method = method.unwrap_or(LinkBeatMethod::Ethtool);
                self.later_event(self.now, index, Event::LinkBeat { interface, up, method });
            }
            Action::RunScript { run, script } => self.run_script(index, run, script),
            Action::KillScript { run, signal } => self.kill_script(index, run, signal),
            Action::RunNotify(told) => self.run_notify(index, &told),
            Action::Stopped => {
                self.changed = true;
                let Some(node) = self.nodes.get_mut(index) else { return };
                node.core = None;
                node.life += 1;
                if node.statics.is_some() {
                    self.violate(format!("node {index} has left its static addresses behind"));
                }
            }
            Action::OpenSocket(socket) => self.socket(index, socket, true),
            Action::CloseSocket(socket) => self.socket(index, socket, false),
            Action::GroupChanged(change) => self.news_of_group(index, &change.name, NoticeEvent::of_state(change.to)),
            Action::Notify(told) => {
                let event = told.notice.what.event;
                let worse = (event == NoticeEvent::MasterRxLowerPri).then_some(event);
                if let Subject::Instance(id) = told.subject {
                    self.news_of_instance(index, id, worse);
                }
            }
            Action::StateChanged(ref change) => {
                self.news_of_instance(index, change.instance, NoticeEvent::of_state(change.to));
                check::reasons(self, index, &action);
            }
            Action::Log(_) => check::reasons(self, index, &action),
            Action::Happened(ref happened) => {
                if let Happening::Transition(change) = &**happened {
                    self.turn(index, change);
                }
                check::reasons(self, index, &action);
            }
        }
    }

    fn turn(&mut self, index: usize, change: &StateChange) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if let Some(at) = node.seat_of(change.instance) {
            let (to, why) = (change.to, change.reason.code());
            node.done.push((at, Deed::Turn { to, why }, Arc::from([])));
        }
    }

    fn run_script(&mut self, index: usize, run: RunId, script: ScriptId) {
        let delay = Micros(self.random.between(1_000, 40_000));
        let Some(node) = self.nodes.get_mut(index) else { return };
        let script = usize::try_from(script.0).unwrap_or(usize::MAX);
        node.checks.insert(run, script);
        node.errands.push(Errand::Run(script));
        if node.hangs.is_some() {
            return;
        }
        let outcome = if node.service {
            RunOutcome::Exited(0)
        } else {
            node.failure
        };
        self.later_event(self.now + delay, index, Event::ScriptEnded { run, outcome });
    }

    /// Who hangs ends when it is asked to, or only when it is killed.
    fn kill_script(&mut self, index: usize, run: RunId, signal: KillSignal) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(script) = node.checks.get(&run).copied() else {
            return;
        };
        let (errand, number) = match signal {
            KillSignal::Terminate => (Errand::Terminate(script), 15),
            KillSignal::Kill => (Errand::Kill(script), 9),
        };
        node.errands.push(errand);
        if signal == KillSignal::Kill || node.hangs != Some(true) {
            let outcome = RunOutcome::Signaled(number);
            self.later_event(self.now + Micros(700), index, Event::ScriptEnded { run, outcome });
        }
    }

    /// News for the programs of an instance: the desk knows which of them have to start, and when.
    fn news_of_instance(&mut self, index: usize, id: InstanceId, event: Option<NoticeEvent>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let at = node.core.as_ref().and_then(|core| core.position(id));
        let programs = at.and_then(|at| node.model.instances.get(at)?.notify.as_deref());
        let owner = at.and_then(|at| u32::try_from(at).ok()).map(NotifyOwner::Instance);
        if let Some((owner, event)) = owner.zip(event) {
            let now = node.clock(now);
            node.desk.news(owner, programs, event, now);
        }
    }

    fn news_of_group(&mut self, index: usize, name: &str, event: Option<NoticeEvent>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let mut groups = node.model.groups.iter().zip(0..);
        let group = groups.find(|(group, _)| *group.name == *name);
        if let Some(((group, at), event)) = group.zip(event) {
            let now = node.clock(now);
            node.desk.news(NotifyOwner::Group(at), Some(&group.notify), event, now);
        }
    }

    fn run_notify(&mut self, index: usize, told: &RunNotify) {
        let (now, what) = (self.now, &told.notice.what);
        // Most are quick, some take so long that they are not waited for.
        let takes = if self.random.one_in(16) {
            Micros(self.random.between(1_000_000, 12_000_000))
        } else {
            Micros(self.random.between(1_000, 40_000))
        };
        let event = Event::ScriptEnded {
            run: told.run,
            outcome: RunOutcome::Exited(0),
        };
        self.later_event(now + self.notify_time.unwrap_or(takes), index, event);
        let Some(node) = self.nodes.get_mut(index) else { return };
        let seat = match told.owner {
            NotifyOwner::Instance(at) => usize::try_from(at).ok().and_then(|at| node.seats.get(at)),
            NotifyOwner::Group(_) => None,
        };
        let held = seat.is_some_and(|seat| seat.held);
        // A stop waits for nobody, and so does what a reload has taken out.
        let current = node.core.as_ref().is_some_and(|core| core.epoch() == told.epoch);
        let ordered = current && !matches!(what.event, NoticeEvent::Stop | NoticeEvent::Deleted);
        let wrong = ordered.then(|| node.desk.starts(told.run, told.owner, told.kind, what.event));
        if let Some(wrong) = wrong.flatten() {
            self.violate(format!("node {index} {wrong}"));
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
        if wish.instance == InstanceId::STATIC {
            return self.wish_statics(index, wish, deed);
        }
        let now = self.now;
        let Some(node) = self.nodes.get_mut(index) else { return };
        let Some(at) = node.seat_of(wish.instance) else { return };
        let present = !matches!(deed, Deed::Clear(_));
        let due = now + node.kernel_delay;
        node.done.push((at, deed, Arc::from([])));
        if let Some(reference) = &mut node.reference {
            reference.names_wish(at, wish.ticket);
        }
        if let Some(seat) = node.seats.get_mut(at) {
            seat.ticket = Some(wish.ticket);
            seat.due = due;
            if present {
                seat.wish = Some(wish.clone());
            }
        }
        self.later(due, index, What::Kernel(at, wish, present));
    }

    /// Static addresses, which no instance has: set and removed as they are asked for.
    fn wish_statics(&mut self, index: usize, wish: AddressWish, deed: Deed) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let due = self.now + node.kernel_delay;
        let (instance, ticket) = (wish.instance, wish.ticket);
        let event = if matches!(deed, Deed::Clear(_)) {
            node.statics = None;
            Event::AddressesGone { instance, ticket }
        } else {
            let count = u32::try_from(wish.addresses.len()).unwrap_or(u32::MAX);
            node.statics = (count > 0).then_some(wish);
            Event::AddressesPresent {
                instance,
                ticket,
                first: 0,
                count,
                complete: true,
            }
        };
        self.later_event(due, index, event);
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
        let at = node.seat_of(announce.instance);
        if let Some(at) = at {
            let deed = Deed::Announce {
                addresses: announce.addresses.iter().map(|(address, _)| *address).collect(),
                rounds: announce.rounds,
            };
            node.done.push((at, deed, Arc::from([])));
        }
        if let Some(seat) = at.and_then(|at| node.seats.get_mut(at)) {
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

fn addresses(wish: &AddressWish) -> Vec<IpAddr> {
    wish.addresses.iter().map(|vip| vip.address).collect()
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
