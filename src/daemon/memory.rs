//! What a successor of this process should know, on its way to the supervisor: changes at once, counters from time to time.

use super::ring::Ring;
use super::services::Slow;
use crate::model::{Authentication, Instance, Instant, Micros, Model};
use crate::proto::Core;
use crate::system::clock;

/// Every instance is told again within this time. Three threads and two processes take part, which costs as much as a dozen
/// adverts.
const PERIOD: Micros = Micros::from_secs(60);
/// The same where adverts are numbered against replays: what an instance forgets could be played back to it.
const NUMBERED: Micros = Micros::from_secs(10);
/// Instances told at once.
const BATCH: usize = 32;
/// Shortest time between two batches: thousands of instances take longer than a period.
const PAUSE: Micros = Micros::from_millis(100);

/// Where the round of the counters is.
#[derive(Debug)]
pub(super) struct Refresh {
    period: Micros,
    next: usize,
    at: Instant,
}

impl Refresh {
    /// From the first instance of a configuration on.
    pub(super) fn new(model: &Model) -> Self {
        let numbered = |of: &Instance| of.hmac.is_some() || matches!(of.authentication, Authentication::Ah(_));
        let any = model.instances.iter().any(numbered);
        Self {
            period: if any { NUMBERED } else { PERIOD },
            next: 0,
            at: Instant::default(),
        }
    }

    /// Hands over what has changed, and some of the counters when it is time. Nobody is woken for counters: nothing happens
    /// while they stand still.
    pub(super) fn hand_over(&mut self, core: &mut Core, slow: &Ring<Slow>) {
        let now = clock::now();
        for part in core.export_changes(now) {
            slow.push_or_count(Slow::Keep(part));
        }
        if now < self.at {
            return;
        }
        let (parts, next) = core.export_some(self.next, BATCH, now);
        for part in parts {
            slow.push_or_count(Slow::Keep(part));
        }
        let batches = core.model().instances.len().div_ceil(BATCH).max(1);
        let pause = Micros(self.period.0 / u64::try_from(batches).unwrap_or(u64::MAX)).max(PAUSE);
        (self.next, self.at) = (next, now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Password;

    #[test]
    fn counters_are_told_often_only_where_adverts_are_numbered() {
        let vrid = crate::model::Vrid::new(51).unwrap();
        let mut model = Model::default();
        model
            .instances
            .push(Instance::new("VI_1", vrid, "eth0".parse().unwrap(), Vec::new()));
        let period = |authentication| {
            let mut model = model.clone();
            model.instances[0].authentication = authentication;
            Refresh::new(&model).period
        };
        let password = Password::from_text("1111");
        assert_eq!(period(Authentication::None), PERIOD);
        assert_eq!(period(Authentication::Pass(password)), PERIOD);
        assert_eq!(period(Authentication::Ah(password)), NUMBERED);
    }
}
