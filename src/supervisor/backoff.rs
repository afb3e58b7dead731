//! How long to wait before the daemon is started again (keepalived's rule): 0, 1, 2, 4, ... 60 s; from the start again once
//! it has lived for 60 s.

use crate::model::Micros;

/// A life that counts as healthy, and the longest wait.
const MINUTE: Micros = Micros::from_secs(60);

/// The waits so far.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    next: Micros,
}

impl Backoff {
    /// The wait after a death, given how long the daemon had lived.
    pub(super) fn after(&mut self, life: Micros) -> Micros {
        if life >= MINUTE {
            self.next = Micros::ZERO;
        }
        let wait = self.next;
        self.next = match wait {
            Micros::ZERO => Micros::SECOND,
            _ => wait.times(2).min(MINUTE),
        };
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_keepalived_s() {
        let mut backoff = Backoff::default();
        let short = Micros::SECOND;
        let waits: Vec<u64> = (0..9).map(|_| backoff.after(short).0 / 1_000_000).collect();
        // behaviour-lifecycle.md §11.6.
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.after(MINUTE), Micros::ZERO);
        assert_eq!(backoff.after(short), Micros::SECOND);
    }
}
