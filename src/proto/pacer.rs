//! `garp_interval` and `gna_interval`: announcements that have to keep a distance wait here, one queue for each link and family.

use super::action::{Action, Announce};
use crate::model::{Family, IfName, InstanceId, Instant, Micros, Ticket};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// The queues of all links.
#[derive(Debug, Clone, Default)]
pub(super) struct Pacer {
    queues: BTreeMap<(IfName, Family), Queue>,
}

#[derive(Debug, Clone)]
struct Queue {
    interval: Micros,
    last_sent: Option<Instant>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Clone)]
struct Waiting {
    instance: InstanceId,
    ticket: Ticket,
    address: IpAddr,
    left: u32,
}

impl Pacer {
    /// Queues `rounds` announcements of an address; a request for one that already waits only raises its count.
    pub(super) fn push(&mut self, interval: Micros, request: &Announce, interface: &IfName, address: IpAddr) {
        let queue = self
            .queues
            .entry((interface.clone(), Family::of(address)))
            .or_insert_with(|| Queue {
                interval,
                last_sent: None,
                waiting: VecDeque::new(),
            });
        queue.interval = interval;
        match queue
            .waiting
            .iter_mut()
            .find(|w| w.instance == request.instance && w.address == address)
        {
            Some(waiting) => waiting.left = waiting.left.max(request.rounds),
            None => queue.waiting.push_back(Waiting {
                instance: request.instance,
                ticket: request.ticket,
                address,
                left: request.rounds,
            }),
        }
    }

    /// Forgets what an instance wanted to announce.
    pub(super) fn forget(&mut self, instance: InstanceId) {
        for queue in self.queues.values_mut() {
            queue.waiting.retain(|w| w.instance != instance);
        }
    }

    /// Whether nothing has ever had to keep a distance: the common case, which costs nothing.
    pub(super) fn is_unused(&self) -> bool {
        self.queues.is_empty()
    }

    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.queues
            .values()
            .filter(|q| !q.waiting.is_empty())
            .map(|q| q.due().unwrap_or(now))
            .min()
    }

    /// Sends the head of every queue whose time had come at this moment; what has rounds left goes to the tail.
    pub(super) fn run(&mut self, at: Instant, now: Instant, out: &mut VecDeque<Action>) {
        for ((interface, _), queue) in &mut self.queues {
            if queue.due().is_some_and(|due| due > at) {
                continue;
            }
            let Some(mut head) = queue.waiting.pop_front() else {
                continue;
            };
            queue.last_sent = Some(now);
            out.push_back(Action::Announce(Announce {
                instance: head.instance,
                ticket: head.ticket,
                addresses: vec![(head.address, interface.clone())],
                rounds: 1,
                report: false,
            }));
            head.left = head.left.saturating_sub(1);
            if head.left > 0 {
                queue.waiting.push_back(head);
            }
        }
    }
}

impl Queue {
    fn due(&self) -> Option<Instant> {
        self.last_sent.map(|at| at + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_alternate_at_the_configured_distance() {
        // behaviour §7.2, ran: 2 VIPs × repeat 3, interval 0.2 → .121 at 0, then .122,.121,.122,.121,.122.
        let eth0: IfName = "eth0".parse().unwrap();
        let (a, b): (IpAddr, IpAddr) = ("192.0.2.121".parse().unwrap(), "192.0.2.122".parse().unwrap());
        let request = Announce {
            instance: InstanceId(0),
            ticket: Ticket(1),
            addresses: Vec::new(),
            rounds: 3,
            report: false,
        };
        let mut pacer = Pacer::default();
        pacer.push(Micros::from_millis(200), &request, &eth0, a);
        pacer.push(Micros::from_millis(200), &request, &eth0, b);
        let (mut sent, mut now, mut out) = (Vec::new(), Instant(5), VecDeque::new());
        while let Some(at) = pacer.next(now) {
            now = now.max(at);
            pacer.run(now, now, &mut out);
            for action in out.drain(..) {
                let Action::Announce(announce) = action else {
                    panic!("{action:?}")
                };
                sent.push((now.0, announce.addresses[0].0));
            }
        }
        let expected: Vec<_> = [a, b, a, b, a, b]
            .into_iter()
            .enumerate()
            .map(|(i, x)| (5 + i as u64 * 200_000, x))
            .collect();
        assert_eq!(sent, expected);
    }
}
