//! One core with a fake host that does everything at once, and a record of what it did for whom.

use super::pairs::{LINKS, address_of};
use crate::model::{
    IfIndex, IfName, InstanceId, Instant, MacAddr, Micros, Model, ProcessId, TrackedFileId, VirtualAddress,
};
use crate::proto::{
    Action, Core, Event, FileReading, InstanceSnapshot, Link, LinkAddress, LogEvent, Observation, ProcessChange,
    ProcessWatch, Reason, RunOutcome, StateName, Subject, Transmit,
};
use crate::sim::Planted;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Time that programs take, and those whose name begins with `slow`.
const PROGRAM: Micros = Micros::from_millis(5);
const SLOW: Micros = Micros::from_millis(2_500);
/// A process that is tracked.
pub(super) const PID: u32 = 77;

/// An address as the kernel holds it.
pub(super) type Object = (String, IpAddr, u8);

/// Something that a core did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) at: Instant,
    pub(super) what: What,
}

/// What a core did, without the names of runs and wishes, which count over all instances.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Sent(Transmit),
    Set(Vec<VirtualAddress>),
    Cleared(Vec<VirtualAddress>),
    Announced(Vec<IpAddr>, u32),
    Became(StateName, StateName, u64),
    Told(String),
    Said(String),
}

impl Record {
    /// The advert, if it was one.
    pub(super) const fn sent(&self) -> Option<&Transmit> {
        if let What::Sent(sent) = &self.what {
            Some(sent)
        } else {
            None
        }
    }

    /// The addresses of an announcement.
    pub(super) fn announced(&self) -> &[IpAddr] {
        if let What::Announced(addresses, _) = &self.what {
            addresses
        } else {
            &[]
        }
    }
}

#[derive(Debug)]
pub(super) struct Bench {
    pub(super) core: Core,
    pub(super) now: Instant,
    pub(super) model: Arc<Model>,
    queue: BTreeMap<(Instant, u64), Event<'static>>,
    sequence: u64,
    /// What was done for each instance.
    pub(super) records: BTreeMap<InstanceId, Vec<Record>>,
    /// When each script was run.
    pub(super) runs: BTreeMap<Arc<str>, Vec<Instant>>,
    /// When a link was asked for its state.
    pub(super) asked: Vec<Instant>,
    /// Ids by names now.
    ids: BTreeMap<Arc<str>, InstanceId>,
    /// Addresses on the fake host.
    pub(super) held: BTreeMap<InstanceId, BTreeSet<Object>>,
    /// Instances that a reload has ended.
    pub(super) ended: BTreeSet<InstanceId>,
}

impl Bench {
    pub(super) fn new(model: Model, planted: Planted, now: Instant) -> Self {
        let ids = model.instances.iter().zip(0..);
        let ids = ids
            .map(|(instance, id)| (Arc::clone(&instance.name), InstanceId(id)))
            .collect();
        let model = Arc::new(model);
        let mut bench = Self {
            core: planted.into(Core::new(Arc::clone(&model), 0, now)),
            now,
            model,
            queue: BTreeMap::new(),
            sequence: 0,
            records: BTreeMap::new(),
            runs: BTreeMap::new(),
            asked: Vec::new(),
            ids,
            held: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        bench.hand(Event::WallClock(Micros::from_secs(1_700_000_000)));
        for (index, (name, running)) in (1..).map(IfIndex).zip(LINKS) {
            let Ok(name) = name.parse::<IfName>() else { continue };
            bench.hand(Event::Link(link(index, name.clone(), running)));
            for address in address_of(&name) {
                bench.hand(Event::AddressAdded(LinkAddress {
                    index,
                    address,
                    prefix_len: 24,
                }));
            }
        }
        bench.hand(Event::Start);
        bench.observe();
        bench
    }

    /// What files hold and which processes run.
    pub(super) fn observe(&mut self) {
        let reading = FileReading::Number(3);
        let (file, process) = (TrackedFileId(0), ProcessId(0));
        let watch = ProcessWatch::Connector;
        let (pid, change) = (PID, ProcessChange::Became);
        for observation in [
            Observation::File { file, reading },
            Observation::ProcessesBegin { watch, hidden: false },
            Observation::Process { process, pid, change },
            Observation::ProcessesTold,
        ] {
            self.hand(Event::Observed(observation));
        }
    }

    pub(super) fn hand(&mut self, event: Event<'_>) {
        self.core.handle(event, self.now);
        self.carry_out();
    }

    /// Another configuration; `ids` are those of the instances that go on, by their new names.
    pub(super) fn reload(&mut self, model: Model, ids: BTreeMap<Arc<str>, InstanceId>) {
        self.model = Arc::new(model);
        self.ids = ids;
        self.hand(Event::Reload(Arc::clone(&self.model)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        let deadline = self.core.next_deadline().map(|(at, _)| at);
        queued.into_iter().chain(deadline).min()
    }

    /// Does what is due.
    pub(super) fn step(&mut self, now: Instant) {
        self.now = now;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
            let event = entry.remove();
            self.hand(event);
        }
        self.core.handle_timeout(now);
        self.carry_out();
    }

    pub(super) fn instances(&self) -> Vec<InstanceSnapshot> {
        self.core.snapshot(self.now).instances
    }

    /// Everything that was done for an instance since then.
    pub(super) fn since(&self, id: InstanceId, then: Instant) -> impl Iterator<Item = &Record> {
        let records = self.records.get(&id).into_iter().flatten();
        records.filter(move |record| record.at >= then)
    }

    fn later(&mut self, after: Micros, event: Event<'static>) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), event);
    }

    fn record(&mut self, id: InstanceId, what: What) {
        let at = self.now;
        self.records.entry(id).or_default().push(Record { at, what });
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.core.poll_action() {
            self.one(action);
        }
    }

    fn one(&mut self, action: Action) {
        match action {
            Action::Transmit(sent) => self.record(sent.instance, What::Sent(sent)),
            Action::SetAddresses(wish) => {
                let objects = wish.addresses.iter().map(object).collect();
                self.held.insert(wish.instance, objects);
                self.record(wish.instance, What::Set(wish.addresses.to_vec()));
                let event = Event::AddressesPresent {
                    instance: wish.instance,
                    ticket: wish.ticket,
                    first: 0,
                    count: u32::try_from(wish.addresses.len()).unwrap_or(u32::MAX),
                    complete: true,
                };
                self.later(Micros::ZERO, event);
            }
            Action::ClearAddresses(wish) => {
                self.held.remove(&wish.instance);
                self.record(wish.instance, What::Cleared(wish.addresses.to_vec()));
                let (instance, ticket) = (wish.instance, wish.ticket);
                self.later(Micros::ZERO, Event::AddressesGone { instance, ticket });
            }
            Action::Announce(burst) => {
                let addresses = burst.addresses.iter().map(|(address, _)| *address).collect();
                self.record(burst.instance, What::Announced(addresses, burst.rounds));
                if burst.report {
                    let (instance, ticket) = (burst.instance, burst.ticket);
                    self.later(Micros::ZERO, Event::Announced { instance, ticket });
                }
            }
            Action::RunScript { run, script } => {
                let name = self
                    .model
                    .script(script)
                    .map(|script| Arc::clone(&script.name))
                    .unwrap_or_default();
                let status = i32::from(name.starts_with("bad"));
                let takes = if name.starts_with("slow") { SLOW } else { PROGRAM };
                self.runs.entry(name).or_default().push(self.now);
                self.later(takes, ended(run, status));
            }
            Action::KillScript { run, .. } => {
                let of_run =
                    |event: &Event<'_>| matches!(event, Event::ScriptEnded { run: other, .. } if *other == run);
                let running = self.queue.iter().find(|(_, event)| of_run(event)).map(|(at, _)| *at);
                if running.and_then(|at| self.queue.remove(&at)).is_some() {
                    let outcome = RunOutcome::Signaled(15);
                    self.later(Micros::ZERO, Event::ScriptEnded { run, outcome });
                }
            }
            Action::AskLink { .. } => self.asked.push(self.now),
            Action::RunNotify(told) => self.later(PROGRAM, ended(told.run, 0)),
            Action::StateChanged(change) => {
                if change.to == StateName::Init && change.reason == Reason::Reload {
                    self.ended.insert(change.instance);
                }
                self.record(change.instance, What::Became(change.from, change.to, change.sequence));
            }
            Action::Notify(notify) => {
                if let Subject::Instance(id) = notify.subject {
                    self.record(id, What::Told(format!("{:?}", notify.notice.what)));
                }
            }
            Action::Log(LogEvent::Instance { name, line }) => {
                if let Some(id) = self.ids.get(&name).copied() {
                    self.record(id, What::Said(format!("{line:?}")));
                }
            }
            Action::Log(_)
            | Action::Happened(_)
            | Action::GroupChanged(_)
            | Action::OpenSocket(_)
            | Action::CloseSocket(_)
            | Action::RestoreAddress { .. }
            | Action::Stopped => {}
        }
    }
}

pub(super) fn link(index: IfIndex, name: IfName, running: bool) -> Link {
    Link {
        index,
        name,
        running,
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        mtu: 1500,
        flags: 0,
        loopback: false,
        no_arp: false,
        multicast: true,
    }
}

fn ended(run: crate::model::RunId, status: i32) -> Event<'static> {
    Event::ScriptEnded {
        run,
        outcome: RunOutcome::Exited(status),
    }
}

pub(super) fn object(vip: &VirtualAddress) -> Object {
    (vip.interface.to_string(), vip.address, vip.prefix_len)
}
