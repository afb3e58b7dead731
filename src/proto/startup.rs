//! `vrrp_startup_delay` and `vrrp_delay_after_boot`: after the start nobody is listened to and nothing is sent for a while
//! (behaviour §1.5).

use super::action::Action;
use super::deadlines::Owner;
use super::log_event::LogEvent;
use super::timer::Timer;
use super::{Core, Mutant};
use crate::model::{Instant, Micros};

impl Core {
    /// The longer of both delays counts. The monotonic clock began with the machine.
    pub(super) fn begin_delay(&mut self, now: Instant) {
        let global = &self.model.global;
        let after_boot = global.delay_after_boot.saturating_sub(Micros(now.0));
        let delay = global.startup_delay.max(after_boot);
        if delay > Micros::ZERO && !self.mutation.is(Mutant::StartupDelayLeftOut) {
            self.delayed_until = Some(now + delay);
            self.actions
                .push_back(Action::Log(LogEvent::StartupDelay { delay: Some(delay) }));
            self.arm_core();
        }
    }

    pub(super) fn end_delay(&mut self) {
        self.delayed_until = None;
        self.actions
            .push_back(Action::Log(LogEvent::StartupDelay { delay: None }));
        self.arm_core();
    }

    /// The core's own deadline: the limit of a stop, else the end of the delay.
    pub(super) fn arm_core(&mut self) {
        let delay = self.delayed_until.map(|at| (at, Timer::StartupDelay));
        let next = self.stop_deadline.map(|at| (at, Timer::StopLimit)).or(delay);
        self.deadlines.set(Owner::Core, next);
    }
}
