//! What keeps an instance from taking part: faults, and first results that are missing.

use super::{Context, Instance};
use crate::model::ConfigFault;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::{Reason, TrackerKind};
use crate::proto::snapshot::TrackerStatus;
use crate::proto::tracking::ScriptTracker;

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
                Reason::TrackerFailed { name, .. } => InstanceLine::FaultAtStartScript { script: name.clone() },
                other @ (Reason::Startup
                | Reason::AddressOwner
                | Reason::MasterDown { .. }
                | Reason::MasterReleased { .. }
                | Reason::Preempted { .. }
                | Reason::HigherPriority { .. }
                | Reason::HigherAddress { .. }
                | Reason::TrackerPending { .. }
                | Reason::FaultCleared
                | Reason::Group { .. }
                | Reason::AddressLost { .. }
                | Reason::Stalled { .. }
                | Reason::ConfigurationFault { .. }
                | Reason::Reload
                | Reason::Shutdown) => InstanceLine::FaultConfiguration {
                    detail: other.to_string(),
                },
            };
            self.log(line, ctx.out);
        }
    }

    /// A first result that is missing, its own or its group's: the instance stays in Init until it has come (behaviour §5.1).
    pub(super) fn waits_for(&mut self, ctx: &Context<'_>) -> Option<Reason> {
        self.own_pending = self.own_waits_for(ctx);
        self.own_pending.clone().or_else(|| ctx.others.pending.clone())
    }

    /// What keeps it from taking part: its own faults, and its group's.
    pub(super) fn find_faults(&mut self, ctx: &Context<'_>) -> Vec<Reason> {
        let mut faults = self.own_faults(ctx);
        self.own_fault = faults.first().cloned();
        faults.extend(ctx.others.fault.clone());
        faults
    }

    /// Its own faults and missing results, for the others of its group.
    pub(in crate::proto) fn look(&mut self, ctx: &mut Context<'_>) {
        self.own_fault = self.own_faults(ctx).into_iter().next();
        self.own_pending = self.own_waits_for(ctx);
    }

    pub(super) fn own_waits_for(&self, ctx: &Context<'_>) -> Option<Reason> {
        let pending = |script: &ScriptTracker| script.status == TrackerStatus::Pending;
        self.fault_scripts(ctx)
            .find(|s| pending(s))
            .map(|s| Reason::TrackerPending {
                name: s.script.name.clone(),
            })
    }

    /// Scripts of weight 0.
    pub(super) fn fault_scripts<'c>(&self, ctx: &Context<'c>) -> impl Iterator<Item = &'c ScriptTracker> {
        let scripts = ctx.scripts;
        let ids: Vec<_> = self
            .config
            .track_scripts
            .iter()
            .filter(|t| t.weight.is_fault())
            .map(|t| t.script)
            .collect();
        ids.into_iter()
            .filter_map(move |id| scripts.get(usize::try_from(id.0).ok()?))
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
        let vips = self
            .addresses
            .iter()
            .filter(|vip| !vip.no_track)
            .map(|vip| &vip.interface);
        let vips = vips.filter(|name| !self.config.dont_track_primary || Some(*name) != self.config.interface.as_ref());
        let tracked = self
            .config
            .track_interfaces
            .iter()
            .filter(|t| t.weight.is_fault())
            .map(|t| &t.interface);
        for interface in own.chain(vips).chain(tracked) {
            let missing = ctx.world.link(interface).is_none();
            let fault = Reason::InterfaceDown {
                interface: interface.clone(),
                missing,
            };
            if !ctx.world.runs(interface) && !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        if ctx.world.source_of(&self.config).is_none() {
            faults.push(Reason::NoSourceAddress {
                interface: self.config.interface.clone(),
            });
        }
        if let Some((call, errno)) = &self.socket_error {
            let detail = format!("cannot open its socket: {call}, error {errno}");
            faults.push(Reason::ConfigurationFault { detail });
        }
        let failed = self.fault_scripts(ctx).filter(|s| s.status == TrackerStatus::Down);
        if !ctx.mutation.is(Mutant::FaultIgnored) {
            faults.extend(failed.map(|s| Reason::TrackerFailed {
                kind: TrackerKind::Script,
                name: s.script.name.clone(),
                detail: s.last_failure.clone(),
            }));
        }
        faults
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
