//! The other driver of [`crate::proto::Core`]: many nodes on a virtual LAN and a virtual clock.
//!
//! It carries bytes, so the codec is always in the loop. Everything random comes from one seed: a run can be replayed.
//! Checkers look at the nodes from outside, at the packets and at the fake kernels' addresses.

mod check;
pub mod cluster;
pub mod draw;
mod duel;
mod fault;
mod forecast;
mod golden;
mod network;
mod node;
mod observe;
mod queue;
mod random;
mod reference;
mod reload;
mod run;
mod scenario;
mod story;
mod world;

pub use check::Violation;
pub use duel::{Duel, EVENTS, random_duel};
pub use fault::KINDS as FAULTS;
pub use forecast::{Forecast, ForecastTrial, Outlook, Prospect, Step, foresee, random_forecast};
pub use golden::golden_stories;
pub use network::Effects;
pub use random::Random;
pub use reload::{ReloadEffect, ReloadReport, ReloadSeen, random_reload, reload_between, reload_keywords};
pub use run::{Report, calm_run, random_run};
pub use scenario::{Scenario, scenarios};
pub use world::simulated;

#[cfg(feature = "mutants")]
pub use crate::proto::Mutant;

/// The defect to plant; nothing without the feature. And who judges.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planted {
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
    judges: Judges,
}

/// Who judges what the nodes do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Judges {
    /// The reference model and the checkers.
    #[default]
    All,
    /// The checkers and what scenarios expect.
    Checkers,
    /// The reference model.
    Reference,
}

impl Planted {
    /// No defect.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// This defect, in every node.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn mutant(mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
            judges: Judges::All,
        }
    }

    /// The same with other judges.
    #[must_use]
    pub const fn judged_by(mut self, judges: Judges) -> Self {
        self.judges = judges;
        self
    }

    #[cfg(feature = "mutants")]
    fn into(self, core: crate::proto::Core) -> crate::proto::Core {
        match self.mutant {
            Some(mutant) => core.with_mutant(mutant),
            None => core,
        }
    }

    #[cfg(not(feature = "mutants"))]
    const fn into(self, core: crate::proto::Core) -> crate::proto::Core {
        core
    }
}
