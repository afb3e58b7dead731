//! The engine: one epoll loop that owns the core and the VRRP sockets. It never waits for anything but its descriptors.

use super::foresight::Vision;
use super::kernel::{Command, Told, Wires};
use super::memory::Refresh;
use super::notices::Notices;
use super::services::{Asked, Services, Slow, Taken};
use super::{dump, signals, wording};
use crate::control::{Order, Verdict};
use crate::model::{Instant, Micros, Priority, ScriptId};
use crate::proto::{Action, Core, Event, KillSignal, LogEvent, RunNotify, RunOutcome, SocketSpec, State};
use crate::supervisor::{
    DaemonStart, LoadedConfig, Program, ProgramOutcome, ProgramRef, Received, ToDaemon, ToSupervisor, exit,
};
use crate::sys::{Epoll, Events, Interest, Seqpacket, SignalFd, Timer, give_back_memory};
use crate::system::clock;
use crate::system::desired::Goal;
use crate::system::socket::{ReceiveBuffer, ReceiveSocket, SendSockets};
use crate::track::{Observer, Seen};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Datagrams read from one socket, and from all, before deadlines are looked at.
const PACKETS_A_SOCKET: usize = 64;
const PACKETS_A_ROUND: usize = 512;
/// Observations taken before deadlines are looked at.
const OBSERVATIONS_A_ROUND: usize = 512;
/// Datagrams read from one socket when a deadline has passed: more than a socket keeps.
const PACKETS_BEFORE_DEADLINE: usize = 4096;
/// A heartbeat that is watched has to move at least this often.
const HEARTBEAT: Micros = Micros::from_millis(250);
/// Later than this is told to the core, which knows how long the others wait.
const LATE: Micros = Micros::from_millis(25);

/// How long the last lines for the notify FIFOs may take to be handed over.
const LAST_NEWS: Micros = Micros::from_millis(500);

/// How far the time of day may be from what the core believes.
const CLOCK_TOLERANCE: Micros = Micros::MILLISECOND;

/// Commands that room is kept for when none waits: a start or a stop of thousands of instances passes.
const ROOM: usize = 64;

const TOKEN_TOLD: u64 = 0;
const TOKEN_SIGNALS: u64 = 1;
const TOKEN_SUPERVISOR: u64 = 2;
const TOKEN_REQUESTS: u64 = 3;
const TOKEN_TIMER: u64 = 4;
const TOKEN_OBSERVER: u64 = 5;
const FIRST_SOCKET: u64 = 16;

/// An open socket of the core.
struct Receiver {
    spec: SocketSpec,
    socket: ReceiveSocket,
    /// When it was last found empty: nothing that it gives can be older.
    empty_at: Instant,
}

pub(super) struct Engine {
    core: Core,
    start: DaemonStart,
    sockets: SendSockets,
    wires: Wires,
    services: Services,
    epoll: Epoll,
    signals: SignalFd,
    receivers: BTreeMap<u64, Receiver>,
    observer: Option<Observer>,
    /// Observers of a configuration that is not in force yet.
    next_observer: Option<(u32, Observer)>,
    next_token: u64,
    buffer: ReceiveBuffer,
    /// Commands that did not fit into the ring; wishes must not be lost.
    backlog: VecDeque<Command>,
    suspended: Micros,
    /// The generation of a reload whose actions are not released yet.
    reloaded: Option<u32>,
    notices: Notices,
    refresh: Refresh,
    /// The generations of the configuration before this one and of this one, by the core's epoch.
    generations: [(u64, u32); 2],
    /// The time of day that the core knows, and when it was told.
    wall: (Instant, Micros),
    timer: Timer,
    /// What the timer is set to.
    armed: Option<Instant>,
    /// Until when the wait was to last at the latest; `None` = for ever.
    wake_at: Option<Instant>,
    stopped: bool,
}

impl Engine {
    pub(super) fn new(start: DaemonStart, sockets: SendSockets, wires: Wires, services: Services) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let signals = SignalFd::new(&signals())?;
        epoll.add(&wires.told, TOKEN_TOLD, Interest::Readable)?;
        epoll.add(&signals, TOKEN_SIGNALS, Interest::Readable)?;
        epoll.add(&start.channel, TOKEN_SUPERVISOR, Interest::Readable)?;
        epoll.add(&services.requests, TOKEN_REQUESTS, Interest::Readable)?;
        let timer = Timer::new()?;
        epoll.add(&timer, TOKEN_TIMER, Interest::Readable)?;
        let now = clock::now();
        let generation = start.config.generation;
        let global = &start.config.model.global;
        let notices = Notices::new(global.notify_fifo.path.is_some() || global.vrrp_notify_fifo.path.is_some());
        let mut start = start;
        let next_observer = start.observer.take().map(|socket| (generation, socket.into()));
        let model = Arc::clone(&start.config.model);
        let core = match start.former.take() {
            Some(former) => Core::import(Arc::clone(&model), &State::of(former.parts()), now),
            None => Core::new(Arc::clone(&model), 0, now),
        };
        Ok(Self {
            core,
            start,
            sockets,
            wires,
            services,
            epoll,
            signals,
            receivers: BTreeMap::new(),
            observer: None,
            next_observer,
            next_token: FIRST_SOCKET,
            buffer: ReceiveBuffer::default(),
            backlog: VecDeque::new(),
            suspended: clock::suspended(),
            reloaded: None,
            notices,
            refresh: Refresh::new(&model),
            generations: [(0, generation); 2],
            wall: (now, Micros::ZERO),
            timer,
            armed: None,
            wake_at: None,
            stopped: false,
        })
    }

    pub(super) fn run(&mut self) -> i32 {
        self.notice_clock(clock::now());
        self.adopt_observer();
        for event in std::mem::take(&mut self.wires.initial) {
            self.core.handle(event, clock::now());
        }
        self.core.handle(Event::Start, clock::now());
        self.release();
        self.tell_supervisor(&ToSupervisor::Ready);
        if self.start.options.dump_config {
            self.order_dump(dump::Kind::Log);
        }
        give_back_memory();
        let mut events = Events::with_capacity(64);
        while !self.stopped {
            self.start.heartbeat.beat();
            if let Err(error) = self.wait(&mut events) {
                tracing::error!("cannot wait for what comes next: {error}");
                self.services.stop();
                return exit::FATAL;
            }
            self.round(&events);
        }
        self.hand_over_last_news(&mut events);
        self.tell_supervisor(&ToSupervisor::Stopped);
        self.services.stop();
        exit::OK
    }

    /// The STOP lines of thousands of instances do not fit into the ring at once. A services thread that stands still does not
    /// hold the end up.
    fn hand_over_last_news(&mut self, events: &mut Events) {
        let give_up = clock::now() + LAST_NEWS;
        while self.notices.wait() && clock::now() < give_up && self.wait(events).is_ok() {
            self.notices.hand_over(&self.services.slow);
            self.services.slow.wake_for_news();
        }
    }

    /// Waits until something comes in or is due.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = clock::now();
        let backlog = (!self.backlog.is_empty() || self.notices.wait()).then(|| now + Micros::from_millis(1));
        let beat = self.start.heartbeat_watched.then(|| now + HEARTBEAT);
        let next = self.core.next_deadline().map(|(at, _)| at);
        self.wake_at = [backlog, beat, next].into_iter().flatten().min();
        let armed = self.armed.filter(|at| *at > now);
        match self.wake_at {
            // Earlier than needed does no harm: most deadlines move on before they come.
            Some(at) if armed.is_none_or(|armed| at < armed) => {
                self.timer.set(Duration::from_micros(at.0))?;
                self.armed = Some(at);
            }
            None if self.armed.is_some() && armed.is_none() => {
                self.timer.unset()?;
                self.armed = None;
            }
            Some(_) | None => {}
        }
        self.epoll.wait(events, None)
    }

    /// Everything that came in first, then deadlines, then what follows from both.
    fn round(&mut self, events: &Events) {
        let now = clock::now();
        let stalled = self.notice_stall(now);
        self.notice_clock(now);
        if events.iter().any(|ready| ready.token == TOKEN_TOLD) {
            self.wires.told.drain_wake();
        }
        self.drain_told();
        let (mut packets, mut more) = (0, false);
        for ready in events.iter() {
            match ready.token {
                TOKEN_TOLD | TOKEN_TIMER => {}
                TOKEN_SIGNALS => self.read_signals(),
                TOKEN_SUPERVISOR => self.read_supervisor(),
                TOKEN_REQUESTS => self.answer_requests(),
                TOKEN_OBSERVER => self.read_observer(),
                token => {
                    let left = PACKETS_A_ROUND.saturating_sub(packets);
                    let read = self.read_socket(token, left);
                    more |= read >= left.min(PACKETS_A_SOCKET);
                    packets += read;
                }
            }
        }
        // What waits behind a flood came before the deadline.
        let due = self.core.next_deadline().is_some_and(|(at, _)| at <= now);
        if stalled || more && due {
            self.drain_sockets();
        }
        self.core.handle_timeout(clock::now());
        self.release();
    }

    /// Lateness of this thread, or sleep of the whole machine.
    fn notice_stall(&mut self, now: Instant) -> bool {
        let late = self.wake_at.map_or(Micros::ZERO, |at| now.since(at));
        let suspended = clock::suspended();
        // The two clocks are not read at the same moment.
        let slept = suspended
            .saturating_sub(self.suspended)
            .saturating_sub(Micros::MILLISECOND);
        self.suspended = suspended;
        let gap = late + slept;
        if gap > LATE {
            self.core.handle(Event::Stalled { gap }, now);
        }
        gap > LATE
    }

    /// The core is told the time of day when it has moved against the monotonic clock.
    fn notice_clock(&mut self, now: Instant) {
        let wall = clock::wall();
        let (told_at, told) = self.wall;
        let expected = told + now.since(told_at);
        if wall.0.abs_diff(expected.0) > CLOCK_TOLERANCE.0 {
            self.wall = (now, wall);
            self.core.handle(Event::WallClock(wall), now);
        }
    }

    /// After a stall, and before a deadline while more has come than one round takes, every socket is read empty, also those
    /// that epoll had no room for.
    fn drain_sockets(&mut self) {
        let tokens: Vec<u64> = self.receivers.keys().copied().collect();
        for token in tokens {
            // A flood must not hold us for ever.
            for _ in 0..PACKETS_BEFORE_DEADLINE / PACKETS_A_SOCKET {
                if self.read_socket(token, PACKETS_A_SOCKET) < PACKETS_A_SOCKET {
                    break;
                }
            }
        }
    }

    fn drain_told(&mut self) {
        while let Some(told) = self.wires.told.pop() {
            match told {
                Told::Event(event) => self.core.handle(event, clock::now()),
                Told::Socket(spec, socket) => self.adopt(spec, socket),
            }
        }
    }

    /// A socket of the same key replaces the older one.
    fn adopt(&mut self, spec: SocketSpec, socket: ReceiveSocket) {
        self.drop_socket(&spec);
        let token = self.next_token;
        self.next_token += 1;
        match self.epoll.add(&socket, token, Interest::Readable) {
            Ok(()) => {
                let empty_at = clock::now();
                self.receivers.insert(token, Receiver { spec, socket, empty_at });
            }
            Err(error) => tracing::error!("cannot watch a socket: {error}"),
        }
    }

    /// The kernel thread would be the place to close it, but by then the link has been left already or the daemon ends.
    fn drop_socket(&mut self, spec: &SocketSpec) {
        let same = |open: &SocketSpec| {
            open.interface == spec.interface
                && open.family == spec.family
                && open.ah == spec.ah
                && open.receive == spec.receive
        };
        let tokens: Vec<_> = self
            .receivers
            .iter()
            .filter(|(_, open)| same(&open.spec))
            .map(|(t, _)| *t)
            .collect();
        for token in tokens {
            if let Some(old) = self.receivers.remove(&token)
                && let Err(error) = self.epoll.remove(&old.socket)
            {
                tracing::warn!("cannot stop watching a socket: {error}");
            }
        }
    }

    fn read_socket(&mut self, token: u64, left: usize) -> usize {
        let Some(receiver) = self.receivers.get_mut(&token) else {
            return 0;
        };
        let mut read = 0;
        while read < left.min(PACKETS_A_SOCKET) {
            let before = clock::now();
            // An error: the link is down, which is told by the monitor as well.
            let count = receiver.socket.receive(&mut self.buffer).unwrap_or(0);
            let now = clock::now();
            let since_empty = now.since(receiver.empty_at);
            for index in 0..count {
                if let Some(packet) = receiver.socket.packet(&self.buffer, index, since_empty) {
                    self.core.handle(Event::Packet(packet), now);
                }
            }
            read += count;
            if count < ReceiveBuffer::CAPACITY {
                receiver.empty_at = before;
                break;
            }
        }
        read
    }

    /// What is observed for the configuration in force is listened to from now on.
    fn adopt_observer(&mut self) {
        let current = self.start.config.generation;
        let Some((_, observer)) = self.next_observer.take_if(|(generation, _)| *generation == current) else {
            return;
        };
        self.close_observer();
        match self.epoll.add(&observer, TOKEN_OBSERVER, Interest::Readable) {
            Ok(()) => self.observer = Some(observer),
            Err(error) => tracing::error!("cannot listen to the observers: {error}"),
        }
    }

    fn close_observer(&mut self) {
        if let Some(observer) = self.observer.take()
            && let Err(error) = self.epoll.remove(&observer)
        {
            tracing::warn!("cannot stop listening to the observers: {error}");
        }
    }

    fn read_observer(&mut self) {
        for _ in 0..OBSERVATIONS_A_ROUND {
            match self.observer.as_ref().map(Observer::next) {
                Some(Ok(Seen::Observation(observation))) => {
                    self.core.handle(Event::Observed(observation), clock::now());
                }
                Some(Ok(Seen::Nothing)) | None => return,
                // The supervisor sends new ones.
                Some(Ok(Seen::Gone)) => return self.close_observer(),
                Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!("a message of the observers is unreadable: {error}");
                }
                Some(Err(error)) => {
                    tracing::error!("the observers cannot be listened to: {error}");
                    return self.close_observer();
                }
            }
        }
    }

    fn read_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read() {
            match signal.signal {
                libc::SIGHUP => self.tell_supervisor(&ToSupervisor::ReloadRequested),
                libc::SIGTERM | libc::SIGINT => {
                    self.tell_supervisor(&ToSupervisor::StopRequested);
                    self.shut_down();
                }
                other => self.dump(other),
            }
        }
    }

    /// Stops in order; with `-V` everything stays as it is and the other routers are told nothing.
    fn shut_down(&mut self) {
        let keep = self.start.options.keep_addresses;
        let event = if keep { Event::Leave } else { Event::Shutdown };
        self.core.handle(event, clock::now());
    }

    /// Hands over what a state file is made from; a signal that comes while that file is being written adds nothing.
    fn dump(&mut self, signal: i32) {
        let Some(kind) = dump::Kind::of_signal(signal) else {
            return;
        };
        self.order_dump(kind);
        if kind == dump::Kind::StatsAndClear {
            self.core.handle(Event::ClearCounters, clock::now());
        }
    }

    fn order_dump(&mut self, kind: dump::Kind) {
        if self.services.begin_dump(kind) {
            let order = dump::Order {
                kind,
                model: Arc::clone(&self.start.config.model),
                snapshot: self.core.snapshot(clock::now()),
                namespace: self.start.options.namespace.clone(),
            };
            if self.services.slow.push(Slow::Dump(Box::new(order))).is_err() {
                self.services.end_dump(kind);
            }
        }
    }

    fn read_supervisor(&mut self) {
        loop {
            match self.start.channel.receiver.receive() {
                Ok(Received::Message(message, fd)) => self.obey(message, fd),
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => {
                    // The supervisor is dead: stop in order, nobody else will clean up.
                    self.shut_down();
                    if let Err(error) = self.epoll.remove(&self.start.channel) {
                        tracing::warn!("cannot stop watching the supervisor: {error}");
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!("a message of the supervisor is unreadable: {error}");
                    return;
                }
            }
        }
    }

    fn obey(&mut self, message: ToDaemon, fd: Option<std::os::fd::OwnedFd>) {
        match message {
            ToDaemon::Ended { run, outcome } => {
                let outcome = match outcome {
                    ProgramOutcome::Exited(status) => RunOutcome::Exited(status),
                    ProgramOutcome::Signaled(signal) => RunOutcome::Signaled(signal),
                    ProgramOutcome::NotStarted(errno) => RunOutcome::NotStarted(errno),
                };
                self.core.handle(Event::ScriptEnded { run, outcome }, clock::now());
            }
            ToDaemon::Reload { generation } => self.take_configuration(generation, fd),
            ToDaemon::CloseObserver => self.close_observer(),
            ToDaemon::Observer { generation } => {
                self.next_observer = fd.map(|fd| (generation, Seqpacket::from(fd).into()));
                self.adopt_observer();
            }
            ToDaemon::CloseFifos => self.notices.close(),
            ToDaemon::Fifo(kind) => {
                if let Some(fd) = fd {
                    self.notices.open(kind, fd.into());
                }
            }
            ToDaemon::Foresee => {
                // A copy lives on elsewhere, so that nothing here waits for it.
                if let Some(fd) = fd {
                    let vision = Vision::new(self.core.clone(), clock::now(), fd.into());
                    self.services.slow.push_or_count(Slow::Foresee(Box::new(vision)));
                }
            }
            ToDaemon::ReloadRefused { problems } => {
                self.services.slow.push_or_count(Slow::Refused(problems));
            }
            ToDaemon::ReloadVerdict { ask, refused } => {
                let report = fd.map(std::fs::File::from);
                self.services
                    .slow
                    .push_or_count(Slow::Reloaded { ask, refused, report });
            }
            ToDaemon::Stop => self.shut_down(),
        }
    }

    fn take_configuration(&mut self, generation: u32, fd: Option<std::os::fd::OwnedFd>) {
        let nothing = || io::Error::new(io::ErrorKind::InvalidData, "it came without its file");
        let loaded = fd
            .ok_or_else(nothing)
            .and_then(|fd| LoadedConfig::read(&std::fs::File::from(fd)));
        let config = match loaded {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the new configuration cannot be read: {error}");
                let why = error.to_string();
                return self.tell_supervisor(&ToSupervisor::ReloadFailed { generation, why });
            }
        };
        tracing::info!("Reloading");
        self.core.handle(Event::Reload(Arc::clone(&config.model)), clock::now());
        self.generations = [self.generations[1], (self.core.epoch(), config.generation)];
        self.start.config = config;
        self.refresh = Refresh::new(self.core.model());
        self.services.slow.push_or_count(Slow::Refused(Vec::new()));
        let (disabled, waiting) = (self.start.config.disabled.clone(), self.start.config.waiting.clone());
        self.services.slow.push_or_count(Slow::Disabled { disabled, waiting });
        self.reloaded = Some(generation);
        self.adopt_observer();
    }

    fn answer_requests(&mut self) {
        self.services.requests.drain_wake();
        let mut snapshot = None;
        while let Some(asked) = self.services.requests.pop() {
            match asked {
                Asked::Snapshot => snapshot = Some(self.core.snapshot(clock::now())),
                Asked::Order(number, order) => {
                    let verdict = self.carry_out_order(order);
                    self.services.slow.push_or_count(Slow::Verdict(number, verdict));
                    self.services.slow.wake_for_news();
                }
            }
        }
        if let Some(snapshot) = snapshot {
            let config = &self.start.config;
            let report = Taken {
                snapshot,
                router_id: config.model.global.router_id.clone(),
                path: config.path.clone(),
                hash: config.hash.clone(),
                loaded_at: config.loaded_at,
            };
            self.services.slow.push_or_count(Slow::Taken(Box::new(report)));
            self.services.slow.wake_for_news();
        }
    }

    /// What somebody wants done; the actions follow with this round.
    fn carry_out_order(&mut self, order: Order) -> Verdict {
        let name = order.name().cloned();
        let instances: Vec<String> = self
            .core
            .meant(name.as_deref())
            .iter()
            .map(ToString::to_string)
            .collect();
        if instances.is_empty() {
            let text = name.map_or_else(
                || "there are no instances".into(),
                |name| format!("there is no instance and no sync group {name}"),
            );
            let code = "no-such-instance".into();
            return Verdict::Error { code, text };
        }
        let event = match order {
            Order::Drain { name, for_ms, force } => Event::Drain {
                name: name.map(Into::into),
                length: for_ms.map(Micros::from_millis),
                force,
            },
            Order::Resume { name } => Event::Resume {
                name: name.map(Into::into),
            },
        };
        self.core.handle(event, clock::now());
        Verdict::Done { instances }
    }

    fn release(&mut self) {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(command) = self.wires.commands.push(command) {
                self.backlog.push_front(command);
                break;
            }
        }
        if self.backlog.is_empty() {
            self.backlog.shrink_to(ROOM);
        }
        loop {
            while let Some(action) = self.core.poll_action() {
                self.carry_out(action);
            }
            if self.sockets.is_empty() {
                break;
            }
            self.send_adverts();
        }
        if let Some(generation) = self.reloaded.take() {
            self.tell_supervisor(&ToSupervisor::ReloadDone { generation });
            give_back_memory();
        }
        self.notices.hand_over(&self.services.slow);
        self.refresh.hand_over(&mut self.core, &self.services.slow);
        self.wires.commands.wake_for_news();
        self.services.slow.wake_for_news();
    }

    fn carry_out(&mut self, action: Action) {
        // Adverts that follow each other leave together, but nothing that was decided later happens before them.
        if !matches!(action, Action::Transmit(_) | Action::Log(_)) {
            self.send_adverts();
        }
        match action {
            Action::Transmit(transmit) => {
                if !self.sockets.push(transmit) {
                    self.send_adverts();
                }
            }
            Action::OpenSocket(spec) => self.command(Command::Open(spec)),
            Action::CloseSocket(spec) => {
                self.drop_socket(&spec);
                self.command(Command::Close(spec));
            }
            Action::SetAddresses(wish) => self.command(Command::Wish(wish, Goal::Present)),
            Action::ClearAddresses(wish) => self.command(Command::Wish(wish, Goal::Absent)),
            Action::RestoreAddress {
                instance,
                ticket,
                index,
            } => {
                self.command(Command::Restore(instance, ticket, index));
            }
            Action::Announce(announce) => self.command(Command::Announce(announce)),
            Action::AskLink {
                interface,
                name,
                method,
            } => self.command(Command::AskLink(interface, name, method)),
            Action::RunScript { run, script } => self.run_script(run, script),
            Action::KillScript { run, signal } => {
                let hard = signal == KillSignal::Kill;
                self.tell_supervisor(&ToSupervisor::Kill { run, hard });
            }
            Action::StateChanged(_) | Action::GroupChanged(_) => {}
            Action::Notify(told) => self.notices.push(told.notice),
            Action::RunNotify(told) => self.run_notify(*told),
            Action::Log(event) => self.log(event),
            Action::Happened(happened) => {
                let happened = Slow::Happened(clock::wall(), happened);
                self.services.slow.push_or_count(happened);
            }
            Action::Stopped => self.stopped = true,
        }
    }

    fn send_adverts(&mut self) {
        let core = &mut self.core;
        self.sockets.flush(|transmit, error| {
            let event = Event::TransmitFailed {
                instance: transmit.instance,
                destination: transmit.destination,
                errno: error.raw_os_error().unwrap_or(0),
                release: transmit.priority == Priority::RELEASE,
            };
            core.handle(event, clock::now());
        });
    }

    fn run_script(&mut self, run: crate::model::RunId, script: ScriptId) {
        let program = ProgramRef {
            generation: self.start.config.generation,
            program: Program::Script(script),
        };
        self.tell_supervisor(&ToSupervisor::Run {
            run,
            program,
            told: None,
        });
    }

    fn run_notify(&mut self, told: RunNotify) {
        // The newest two are enough: what a reload takes out is told at once.
        let generation = self.generations.iter().rev().find(|(epoch, _)| *epoch == told.epoch);
        let message = ToSupervisor::Run {
            run: told.run,
            program: ProgramRef {
                generation: generation.map_or(0, |(_, generation)| *generation),
                program: Program::Notify(told.owner, told.kind),
            },
            told: Some(Box::new(told.notice.what.clone())),
        };
        self.tell_supervisor(&message);
    }

    /// Hands a command over; what does not fit waits, and everything behind it.
    fn command(&mut self, command: Command) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(command);
        } else if let Err(command) = self.wires.commands.push(command) {
            self.backlog.push_back(command);
        }
    }

    fn log(&self, event: LogEvent) {
        if self.start.log.detail() > 0 || !wording::is_detail(&event) {
            self.services.slow.push_or_count(Slow::Line(event));
        }
    }

    fn tell_supervisor(&mut self, message: &ToSupervisor) {
        if let Err(error) = self.start.channel.sender.send(message) {
            tracing::warn!("the supervisor was not told {message:?}: {error}");
        }
    }
}
