//! The kernel thread: drives addresses towards what is desired, watches links and addresses, opens VRRP sockets, announces.

use super::ring::Ring;
use crate::model::{IfIndex, IfName, InstanceId, LinkBeatMethod, NetlinkBuffers, Ticket, VirtualAddress};
use crate::proto::{AddressWish, Announce, Culprit, Event, Link, LinkAddress, SocketSpec};
use crate::supervisor::{GuardedAddress, Sender, ToSupervisor};
use crate::sys::{Epoll, Events, Interest};
use crate::system::desired::{Batch, Desired, Goal, Progress};
use crate::system::linkbeat::LinkBeat;
use crate::system::netlink::{CommandSocket, Monitor, News, add_request, delete_request};
use crate::system::socket::{Announcer, ClaimWatcher, ReceiveSocket};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

/// In the flag word of a link: somebody has set it up (linux/if.h).
const IFF_UP: u32 = 1;

/// Commands that wait for the kernel thread; the engine keeps what does not fit and tries again.
const COMMANDS: usize = 1024;
/// Events that wait for the engine.
const EVENTS: usize = 8192;
/// What room is kept for when nothing waits: a start of thousands of instances passes.
const ROOM: usize = 64;
/// Between two tries to open a socket.
const RETRY: Duration = Duration::from_secs(1);

/// What the engine asks for.
#[derive(Debug)]
pub(super) enum Command {
    Open(SocketSpec),
    Close(SocketSpec),
    Wish(AddressWish, Goal),
    Restore(InstanceId, Ticket, u32),
    Announce(Announce),
    AskLink(IfIndex, IfName, Option<LinkBeatMethod>),
}

/// What the engine is told.
#[derive(Debug)]
pub(super) enum Told {
    Event(Event<'static>),
    Socket(SocketSpec, ReceiveSocket),
}

/// The engine's ends.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) commands: Ring<Command>,
    pub(super) told: Ring<Told>,
    /// What there was at the start.
    pub(super) initial: Vec<Event<'static>>,
}

struct Kernel {
    command: CommandSocket,
    monitor: Monitor,
    announcer: Announcer,
    claims: ClaimWatcher,
    /// Whether the watcher's filter is older than the wishes.
    held_changed: bool,
    desired: Desired,
    links: BTreeMap<IfIndex, Link>,
    addresses: BTreeSet<(IfIndex, std::net::IpAddr, u8)>,
    announcements: VecDeque<Announce>,
    /// Announcements whose first round has been sent.
    repeats: VecDeque<Announce>,
    commands: Ring<Command>,
    told: Ring<Told>,
    /// What did not fit into the ring: nothing may be lost.
    backlog: VecDeque<Told>,
    guard: Sender<ToSupervisor>,
    /// `--address-monitoring`.
    tell_addresses: bool,
    waiting: Vec<SocketSpec>,
    /// Sockets that may be bound to a static address which is being set.
    early: Vec<SocketSpec>,
    beat: LinkBeat,
}

/// Starts the thread and lists what there is.
pub(super) fn start(buffers: &NetlinkBuffers, guard: Sender<ToSupervisor>, tell_addresses: bool) -> io::Result<Wires> {
    let (commands, told) = (Ring::new(COMMANDS)?, Ring::new(EVENTS)?);
    // The monitor is opened before the list is read, so that nothing falls between.
    let monitor = Monitor::new(buffers.vrrp_monitor)?;
    let mut kernel = Kernel {
        command: CommandSocket::new(buffers.vrrp_command)?,
        monitor,
        announcer: Announcer::new()?,
        claims: ClaimWatcher::new()?,
        held_changed: false,
        desired: Desired::default(),
        links: BTreeMap::new(),
        addresses: BTreeSet::new(),
        announcements: VecDeque::new(),
        repeats: VecDeque::new(),
        commands: commands.clone(),
        told: told.clone(),
        backlog: VecDeque::new(),
        guard,
        tell_addresses,
        waiting: Vec::new(),
        early: Vec::new(),
        beat: LinkBeat::default(),
    };
    for news in Monitor::list(&mut kernel.command)? {
        kernel.news(news);
    }
    let initial = kernel.backlog.drain(..).filter_map(|told| match told {
        Told::Event(event) => Some(event),
        Told::Socket(..) => None,
    });
    let initial = initial.collect();
    std::thread::Builder::new().name("kernel".into()).spawn(move || {
        if let Err(error) = kernel.run() {
            tracing::error!(direct = true, "the thread that talks to the kernel failed: {error}");
            // Without it no address can be moved; the supervisor cleans up and starts again.
            std::process::abort();
        }
    })?;
    Ok(Wires {
        commands,
        told,
        initial,
    })
}

impl Kernel {
    fn run(&mut self) -> io::Result<()> {
        let epoll = Epoll::new()?;
        epoll.add(&self.commands, 0, Interest::Readable)?;
        epoll.add(&self.monitor, 1, Interest::Readable)?;
        for (descriptor, token) in self.claims.descriptors().iter().zip(2..) {
            epoll.add(descriptor, token, Interest::Readable)?;
        }
        let mut events = Events::with_capacity(4);
        loop {
            let busy = !self.is_idle() || !self.backlog.is_empty();
            let timeout = match (busy, self.waiting.is_empty()) {
                (true, _) => Some(Duration::from_micros(if self.backlog.is_empty() { 0 } else { 500 })),
                (false, false) => Some(RETRY),
                (false, true) => None,
            };
            epoll.wait(&mut events, timeout)?;
            let retry = events.iter().next().is_none() && !busy;
            self.commands.drain_wake();
            while let Some(command) = self.commands.pop() {
                self.obey(command);
            }
            self.watch()?;
            if retry {
                for spec in std::mem::take(&mut self.waiting) {
                    self.open(spec);
                }
            }
            if let Some(batch) = self.desired.next_batch() {
                self.carry_out(&batch)?;
            }
            if !self.desired.has_work(InstanceId::STATIC) {
                for spec in std::mem::take(&mut self.early) {
                    self.open(spec);
                }
            }
            self.announce();
            if self.is_idle() {
                self.announcements.shrink_to(ROOM);
                self.repeats.shrink_to(ROOM);
            }
            self.watch_claims();
            self.flush();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(spec) => self.open(spec),
            Command::Close(spec) => {
                self.waiting.retain(|waiting| *waiting != spec);
                self.early.retain(|early| *early != spec);
            }
            Command::Wish(wish, goal) => {
                self.held_changed = true;
                self.desired.wish(wish, goal);
            }
            Command::Restore(instance, ticket, index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                self.desired.again(instance, ticket, index);
            }
            Command::Announce(announce) => self.announcements.push_back(announce),
            Command::AskLink(interface, name, method) => match self.beat.ask(&name, method) {
                Ok((up, method)) => self.tell(Told::Event(Event::LinkBeat { interface, up, method })),
                // A link that is gone is told by the monitor.
                Err(error) => tracing::debug!("{name} cannot be asked for its link: {error}"),
            },
        }
    }

    /// The filter follows when there is nothing more urgent: a claim in the meantime is answered by the announcement anyway.
    fn watch_claims(&mut self) {
        if self.held_changed && self.desired.is_idle() {
            self.held_changed = false;
            let held: Vec<_> = self.desired.held().collect();
            if let Err(error) = self.claims.watch(&held) {
                tracing::warn!("foreign claims of our addresses cannot be watched: {error}");
            }
        }
        for claim in self.claims.read() {
            self.tell(Told::Event(Event::NeighbourClaim {
                interface: claim.interface,
                address: claim.address,
                mac: claim.mac,
            }));
        }
    }

    fn open(&mut self, spec: SocketSpec) {
        match ReceiveSocket::open(&spec) {
            Ok(socket) => {
                self.tell(Told::Socket(spec.clone(), socket));
                self.tell(Told::Event(Event::SocketOpen(spec)));
            }
            Err((_, error))
                if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) && self.desired.has_work(InstanceId::STATIC) =>
            {
                self.early.push(spec);
            }
            Err((call, error)) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.tell(Told::Event(Event::SocketFailed {
                    socket: spec.clone(),
                    errno,
                    call: call.into(),
                }));
                self.waiting.push(spec);
            }
        }
    }

    /// Asks the kernel for one batch. The guard hears of additions before the kernel, of removals after it.
    fn carry_out(&mut self, batch: &Batch) -> io::Result<()> {
        let mut results = vec![(libc::ENODEV, None); batch.targets.len()];
        let (mut requests, mut positions, mut guarded) = (Vec::new(), Vec::new(), Vec::new());
        for (position, target) in batch.targets.iter().enumerate() {
            let vip = &target.address;
            let Some(link) = target.link.or_else(|| self.link_named(vip)) else {
                continue;
            };
            positions.push((position, link));
            guarded.push(GuardedAddress {
                interface: link,
                address: vip.address,
                prefix_len: vip.prefix_len,
                peer: vip.peer,
            });
            requests.push(match batch.goal {
                Goal::Present => add_request(vip, link),
                Goal::Absent => delete_request(vip, link),
            });
        }
        if batch.goal == Goal::Present {
            self.tell_guard(&guarded, false);
        }
        let errors = self.command.execute(requests)?;
        for ((position, link), errno) in positions.into_iter().zip(&errors) {
            if let Some(slot) = results.get_mut(position) {
                *slot = (*errno, Some(link));
            }
        }
        if batch.goal == Goal::Absent {
            let stuck = |errno: i32| !matches!(errno, 0 | libc::EADDRNOTAVAIL | libc::ENODEV);
            for (address, errno) in guarded.iter().zip(&errors).filter(|(_, errno)| stuck(**errno)) {
                let (address, reason) = (address.address, io::Error::from_raw_os_error(*errno));
                tracing::error!("cannot remove {address}: {reason}");
            }
            let mut errors = errors.iter();
            guarded.retain(|_| errors.next().is_some_and(|errno| !stuck(*errno)));
            self.tell_guard(&guarded, true);
        }
        self.report(batch, &results);
        Ok(())
    }

    fn report(&mut self, batch: &Batch, results: &[(i32, Option<IfIndex>)]) {
        let good: Vec<bool> = results
            .iter()
            .map(|(errno, _)| match batch.goal {
                Goal::Present => matches!(*errno, 0 | libc::EEXIST),
                Goal::Absent => true,
            })
            .collect();
        let links: Vec<_> = good
            .iter()
            .zip(results)
            .map(|(good, (_, link))| link.filter(|_| *good))
            .collect();
        let progress = self.desired.finish(batch, &links);
        let (Some(first), false) = (batch.first, progress == Progress::Superseded) else {
            return;
        };
        let (instance, ticket) = (batch.instance, batch.ticket);
        let complete = progress == Progress::Complete;
        if batch.goal == Goal::Absent {
            if complete {
                self.tell(Told::Event(Event::AddressesGone { instance, ticket }));
            }
            return;
        }
        for (offset, (errno, _)) in results.iter().enumerate() {
            if !good.get(offset).copied().unwrap_or(false) {
                let index = number(first + offset);
                self.tell(Told::Event(Event::AddressFailed {
                    instance,
                    ticket,
                    index,
                    errno: *errno,
                }));
            }
        }
        // Runs of addresses that are there; the last report says whether the wish is complete.
        let mut start = 0;
        let mut told_complete = false;
        for run in good.chunk_by(|a, b| a == b) {
            let (from, count) = (number(first + start), number(run.len()));
            start += run.len();
            if run.first() == Some(&true) {
                told_complete = complete && start == good.len();
                self.tell_present(instance, ticket, (from, count), told_complete);
            }
        }
        if complete && !told_complete {
            self.tell_present(instance, ticket, (number(first + batch.targets.len()), 0), true);
        }
    }

    fn tell_present(&mut self, instance: InstanceId, ticket: Ticket, (first, count): (u32, u32), complete: bool) {
        self.tell(Told::Event(Event::AddressesPresent {
            instance,
            ticket,
            first,
            count,
            complete,
        }));
    }

    fn tell_guard(&mut self, addresses: &[GuardedAddress], withdraw: bool) {
        if addresses.is_empty() {
            return;
        }
        if let Err(error) = self.guard.send_guard(addresses, withdraw) {
            tracing::warn!("the guard of addresses was not told: {error}");
        }
    }

    fn link_named(&self, vip: &VirtualAddress) -> Option<IfIndex> {
        self.links
            .values()
            .find(|link| link.name == vip.interface)
            .map(|link| link.index)
    }

    fn watch(&mut self) -> io::Result<()> {
        for news in self.monitor.read()? {
            if news == News::Overrun {
                self.resync()?;
            } else {
                self.news(news);
            }
        }
        Ok(())
    }

    /// Something was lost: read everything again and tell the difference.
    fn resync(&mut self) -> io::Result<()> {
        let listed = Monitor::list(&mut self.command)?;
        let (mut links, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for news in &listed {
            match news {
                News::Link(link) => drop(links.insert(link.index)),
                News::AddressAdded(a) => drop(addresses.insert((a.index, a.address, a.prefix_len))),
                News::LinkGone(_) | News::AddressGone(..) | News::Overrun => {}
            }
        }
        let gone: Vec<_> = self.addresses.difference(&addresses).copied().collect();
        for (index, address, prefix_len) in gone {
            self.news(News::AddressGone(
                LinkAddress {
                    index,
                    address,
                    prefix_len,
                },
                0,
            ));
        }
        let gone: Vec<_> = self
            .links
            .keys()
            .filter(|index| !links.contains(index))
            .copied()
            .collect();
        for index in gone {
            self.news(News::LinkGone(index));
        }
        for news in listed {
            self.news(news);
        }
        Ok(())
    }

    fn news(&mut self, news: News) {
        match news {
            News::Link(link) => {
                self.links.insert(link.index, link.clone());
                self.tell(Told::Event(Event::Link(link)));
            }
            News::LinkGone(index) => {
                self.links.remove(&index);
                self.addresses.retain(|(link, ..)| *link != index);
                self.tell(Told::Event(Event::LinkGone(index)));
            }
            News::AddressAdded(a) => {
                self.say_address(&a, "added to");
                self.addresses.insert((a.index, a.address, a.prefix_len));
                self.tell(Told::Event(Event::AddressAdded(a)));
            }
            News::AddressGone(a, port) => {
                self.say_address(&a, "removed from");
                self.addresses.remove(&(a.index, a.address, a.prefix_len));
                self.address_gone(a, port);
            }
            News::Overrun => {}
        }
    }

    /// `--address-monitoring`: every change, whoever made it.
    fn say_address(&self, change: &LinkAddress, what: &str) {
        if self.tell_addresses {
            let name = self.links.get(&change.index).map_or("?", |link| link.name.as_str());
            tracing::info!("Netlink reflector reports IP {} {what} {name}", change.address);
        }
    }

    /// Whether somebody deleted it, not the kernel by itself. Of IPv6 addresses the kernel never says who did; what it takes away
    /// by itself goes with the whole link, or with IPv6 on it.
    fn by_somebody(&self, gone: &LinkAddress, port: u32) -> bool {
        let stays = |link: &Link| link.flags & IFF_UP != 0 && ipv6_is_on(&link.name);
        port != 0 || gone.address.is_ipv6() && self.links.get(&gone.index).is_some_and(stays)
    }

    /// An address that somebody else deleted is stolen; one that the kernel took away by itself has vanished.
    fn address_gone(&mut self, gone: LinkAddress, port: u32) {
        let ours = port == self.command.port();
        let lost = (!ours).then(|| self.desired.lost(gone.index, gone.address, gone.prefix_len));
        match lost.flatten() {
            // A static address is put back whoever took it.
            Some((instance, ticket, index)) if instance == InstanceId::STATIC || self.by_somebody(&gone, port) => {
                let name = || std::fs::read_to_string(format!("/proc/{port}/comm")).ok();
                let process = (port != 0).then(name).flatten();
                let culprit = Culprit {
                    port,
                    process: process.map(|name| name.trim().to_owned()),
                };
                let index = number(index);
                self.tell(Told::Event(Event::AddressStolen {
                    instance,
                    ticket,
                    index,
                    culprit,
                }));
            }
            Some(_) | None => self.tell(Told::Event(Event::AddressGone(gone))),
        }
    }

    fn is_idle(&self) -> bool {
        self.desired.is_idle() && self.announcements.is_empty() && self.repeats.is_empty()
    }

    /// One announcement a turn, so that a long one does not hold addresses of other instances up; first rounds before
    /// repeats, so that thousands of addresses are all announced while they are being set.
    fn announce(&mut self) {
        if let Some(announce) = self.announcements.pop_front() {
            let rest = self.send_round(announce);
            self.repeats.extend(rest);
        } else if self.desired.is_idle()
            && let Some(announce) = self.repeats.pop_front()
            && let Some(rest) = self.send_round(announce)
        {
            self.repeats.push_front(rest);
        }
    }

    /// Sends each of the addresses once; what is left to be done.
    fn send_round(&mut self, mut announce: Announce) -> Option<Announce> {
        let (instance, ticket) = (announce.instance, announce.ticket);
        if !self.desired.is_present(instance, ticket) {
            return None;
        }
        for (address, interface) in &announce.addresses {
            let link = self.links.values().find(|link| link.name == *interface);
            if let Some(link) = link
                && let Err(error) = self.announcer.announce(link, *address)
            {
                tracing::info!("Error {error} sending gratuitous ARP on {interface} for {address}");
            }
        }
        announce.rounds = announce.rounds.saturating_sub(1);
        if announce.rounds > 0 {
            return Some(announce);
        }
        if announce.report {
            self.tell(Told::Event(Event::Announced { instance, ticket }));
        }
        None
    }

    fn tell(&mut self, told: Told) {
        self.backlog.push_back(told);
    }

    fn flush(&mut self) {
        while let Some(told) = self.backlog.pop_front() {
            if let Err(told) = self.told.push(told) {
                self.backlog.push_front(told);
                break;
            }
        }
        if self.backlog.is_empty() {
            self.backlog.shrink_to(ROOM);
        }
        self.told.wake_for_news();
    }
}

/// Whether the link may have IPv6 addresses at all (`net.ipv6.conf.NAME.disable_ipv6`).
fn ipv6_is_on(link: &IfName) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "0")
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
