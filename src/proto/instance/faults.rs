//! What keeps an instance from taking part: faults, and first results that are missing.

use super::{Context, Instance};
use crate::model::{ConfigFault, IfName, TrackInterface, VirtualAddress};
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::{Reason, TrackerKind};
use crate::proto::tracking::Finding;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Instance {
    pub(super) fn log_start_faults(&self, ctx: &mut Context<'_>) {
        for fault in &self.faults {
            let line = match fault {
                Reason::InterfaceDown { interface, .. } => InstanceLine::FaultAtStartInterface {
                    interface: interface.clone(),
                },
                Reason::NoSourceAddress { .. } => InstanceLine::FaultAtStartNoAddress {
                    family: self.config.family,
                },
                Reason::TrackerFailed { kind, name, .. } => start_fault(*kind, name.clone(), ctx),
                other @ (Reason::Startup
                | Reason::AddressOwner
                | Reason::MasterDown { .. }
                | Reason::MasterReleased { .. }
                | Reason::Preempted { .. }
                | Reason::HigherPriority { .. }
                | Reason::HigherAddress { .. }
                | Reason::TrackerPending { .. }
                | Reason::FaultCleared { .. }
                | Reason::Group { .. }
                | Reason::AddressLost { .. }
                | Reason::Stalled { .. }
                | Reason::ConfigurationFault { .. }
                | Reason::Respawned
                | Reason::Drained { .. }
                | Reason::NotTakenOver
                | Reason::Reload
                | Reason::Shutdown) => InstanceLine::FaultConfiguration {
                    detail: other.to_string(),
                },
            };
            self.log(line, ctx.out);
        }
    }

    /// Files that have become a fault, or are none any more.
    pub(super) fn log_file_faults(&self, before: &[Reason], ctx: &mut Context<'_>) {
        for (of, than, begins) in [
            (self.faults.as_slice(), before, true),
            (before, self.faults.as_slice(), false),
        ] {
            for file in file_faults(of).filter(|file| !file_faults(than).any(|other| other == *file)) {
                let file = file.clone();
                self.log(InstanceLine::FileFault { file, begins }, ctx.out);
            }
        }
    }

    /// A first result that is missing, its own or its group's: the instance stays in Init until it has come (behaviour §5.1).
    pub(super) fn waits_for(&mut self, ctx: &Context<'_>) -> Option<Reason> {
        let own = self.own_waits_for(ctx);
        self.own_pending = own.clone().map(Box::new);
        own.or_else(|| ctx.others.pending.clone())
    }

    /// What keeps it from taking part: its own faults, and its group's.
    pub(super) fn find_faults(&mut self, ctx: &Context<'_>) -> Vec<Reason> {
        let mut faults = self.own_faults(ctx);
        self.own_fault = faults.first().cloned().map(Box::new);
        faults.extend(ctx.others.fault.clone());
        faults
    }

    /// Its own faults and missing results, for the others of its group.
    pub(in crate::proto) fn look(&mut self, ctx: &mut Context<'_>) {
        self.own_fault = self.own_faults(ctx).into_iter().next().map(Box::new);
        self.own_pending = self.own_waits_for(ctx).map(Box::new);
    }

    pub(super) fn own_waits_for(&self, ctx: &Context<'_>) -> Option<Reason> {
        ctx.trackers
            .findings(&self.config, ctx.mutation)
            .find_map(|finding| finding.pending())
    }

    /// Whether it waits to take its first state.
    pub(in crate::proto) const fn is_unread(&self) -> bool {
        self.unread.is_some()
    }

    /// What is there from the start of the daemon and not read yet: before, the instance cannot take its first state.
    pub(super) fn find_unread(&self, ctx: &Context<'_>) -> Option<Reason> {
        let mut findings = ctx.trackers.findings(&self.config, ctx.mutation);
        findings.find(Finding::holds_the_start)?.pending()
    }

    /// Every cause that keeps the instance from taking part. No bookkeeping: the causes are looked up when something changed.
    pub(super) fn own_faults(&self, ctx: &Context<'_>) -> Vec<Reason> {
        let mut faults = Vec::new();
        if let Some(fault) = self.config.config_fault {
            let detail = contradiction(fault).into();
            faults.push(Reason::ConfigurationFault { detail });
        }
        let own = self
            .config
            .interface
            .iter()
            .filter(|name| !self.config.dont_track_primary || ctx.world.link(name).is_none());
        let own = own.map(|name| (name, None));
        let tracked = self
            .config
            .track_interfaces
            .iter()
            .filter(|t| t.weight.is_fault() && !t.weight.is_reverse())
            .map(|t| (&t.interface, None));
        let needed = self.needed().filter(|_| !ctx.mutation.is(Mutant::NeededIgnored));
        let needed = needed.map(|(name, by)| (name, Some(by)));
        for (interface, by) in own.chain(needed).chain(tracked) {
            let known =
                |fault: &Reason| matches!(fault, Reason::InterfaceDown { interface: known, .. } if known == interface);
            if !ctx.world.runs(interface) && !faults.iter().any(known) {
                faults.push(Reason::InterfaceDown {
                    interface: interface.clone(),
                    missing: ctx.world.link(interface).is_none(),
                    needed_by: by
                        .filter(|_| self.config.interface.as_ref() != Some(interface))
                        .map(|by| by.shown()),
                });
            }
        }
        let reversed = |t: &&TrackInterface| t.weight.is_fault() && t.weight.is_reverse();
        let reversed = self.config.track_interfaces.iter().filter(reversed);
        faults.extend(
            reversed
                .filter(|t| ctx.world.runs(&t.interface))
                .map(|t| Reason::TrackerFailed {
                    kind: TrackerKind::Interface,
                    name: t.interface.as_str().into(),
                    detail: Some("it is up, and its weight of 0 is reversed".into()),
                }),
        );
        if ctx.world.source_of(&self.config).is_none() {
            faults.push(Reason::NoSourceAddress {
                interface: self.config.interface.clone(),
            });
        }
        if let Some((call, errno)) = self.socket_error.as_deref() {
            let detail = format!("cannot open its socket: {call}, error {errno}");
            faults.push(Reason::ConfigurationFault { detail });
        }
        if !ctx.mutation.is(Mutant::FaultIgnored) {
            let findings = ctx.trackers.findings(&self.config, ctx.mutation);
            faults.extend(findings.filter_map(|finding| finding.fault()));
        }
        faults
    }
}

/// What an interface is needed for.
pub(in crate::proto) enum NeededFor<'a> {
    /// A virtual address.
    Vip(&'a VirtualAddress),
    /// A route, a rule or a static entry.
    Other(&'a Arc<str>),
}

impl NeededFor<'_> {
    fn shown(self) -> Arc<str> {
        match self {
            Self::Vip(vip) => format!("virtual address {}", vip.shown()).into(),
            Self::Other(by) => Arc::clone(by),
        }
    }
}

impl Instance {
    /// Interfaces of what is configured to stand on them, with what that is; one may come more than once.
    pub(in crate::proto) fn needed(&self) -> impl Iterator<Item = (&IfName, NeededFor<'_>)> {
        let own = self
            .config
            .interface
            .as_ref()
            .filter(|_| self.config.dont_track_primary);
        let vips = self.addresses.iter().filter(|vip| !vip.no_track);
        let vips = vips.map(|vip| (&vip.interface, NeededFor::Vip(vip)));
        let vips = vips.filter(move |(name, _)| Some(*name) != own);
        let others = self.config.needed.iter();
        vips.chain(others.map(|one| (&one.interface, NeededFor::Other(&one.by))))
    }

    /// Interfaces other than its own that something of its configuration stands on, each once.
    pub(in crate::proto) fn needed_elsewhere(&self) -> BTreeSet<&IfName> {
        let names = self.needed().map(|(name, _)| name);
        names
            .filter(|name| self.config.interface.as_ref() != Some(*name))
            .collect()
    }

    /// Whether something of its configuration stands on this interface: what a `track_interface` says of its weight does
    /// not count then, as in keepalived.
    pub(in crate::proto) fn needs(&self, interface: &IfName) -> bool {
        self.needed().any(|(name, _)| name == interface)
    }
}

/// The files among the causes of a fault.
pub(super) fn file_faults(faults: &[Reason]) -> impl Iterator<Item = &Arc<str>> {
    faults.iter().filter_map(|fault| {
        if let Reason::TrackerFailed {
            kind: TrackerKind::File,
            name,
            ..
        } = fault
        {
            Some(name)
        } else {
            None
        }
    })
}

/// How a start into fault because of a tracker is told.
fn start_fault(kind: TrackerKind, name: Arc<str>, ctx: &Context<'_>) -> InstanceLine {
    match kind {
        TrackerKind::Script => InstanceLine::FaultAtStartScript { script: name },
        TrackerKind::File => InstanceLine::FaultAtStartFile {
            value: ctx.trackers.value_of_file(&name),
            file: name,
        },
        TrackerKind::Process => InstanceLine::FaultAtStartProcess { process: name },
        TrackerKind::Interface => InstanceLine::FaultConfiguration {
            detail: format!("interface {name}"),
        },
    }
}

/// A contradiction of the configuration in words.
const fn contradiction(fault: ConfigFault) -> &'static str {
    match fault {
        ConfigFault::NoPeers => "no unicast peers",
        ConfigFault::NotEthernet => "the link is not Ethernet, which a VMAC needs",
        ConfigFault::NoMulticast => "the interface cannot multicast and no unicast peers are named",
        ConfigFault::IpvlanWithoutAddress => "the ipvlan has no address",
        ConfigFault::IpvlanFamily => "the ipvlan's address is of the other family",
        ConfigFault::SharedVmac => "another instance has the same VMAC",
        ConfigFault::DuplicateVrid => "another instance has the same VRID on this interface",
    }
}
