//! `keepalived.stats`: every counter of every instance (interfaces §4.2).

use crate::proto::{Counters, DropReason, Snapshot};

/// One block an instance, in the order of the configuration.
#[must_use]
pub fn stats(snapshot: &Snapshot) -> String {
    snapshot
        .instances
        .iter()
        .map(|of| block(&of.name, &of.counters))
        .collect()
}

/// keepalived's packet error counters, made from ours: what was dropped and what was only noticed.
pub(super) struct Errors {
    pub(super) length: u64,
    pub(super) interval: u64,
    pub(super) ttl: u64,
    pub(super) packet_type: u64,
    pub(super) addresses: u64,
    pub(super) auth_type: u64,
    pub(super) auth_mismatch: u64,
    pub(super) auth_failure: u64,
}

impl Errors {
    pub(super) fn of(counters: &Counters) -> Self {
        let dropped = |reason| counters.dropped(reason);
        Self {
            length: dropped(DropReason::Length) + dropped(DropReason::TotalLength),
            interval: dropped(DropReason::Interval) + counters.interval_mismatches,
            ttl: dropped(DropReason::Ttl),
            packet_type: dropped(DropReason::Type),
            addresses: dropped(DropReason::Destination) + counters.address_list_mismatches,
            auth_type: dropped(DropReason::AuthType),
            auth_mismatch: dropped(DropReason::AuthMismatch),
            auth_failure: dropped(DropReason::AuthFailure),
        }
    }
}

fn block(name: &str, counters: &Counters) -> String {
    let errors = Errors::of(counters);
    format!(
        "VRRP Instance: {name}
  Advertisements:
    Received: {}
    Sent: {}
  Became master: {}
  Released master: {}
  Packet Errors:
    Length: {}
    TTL: {}
    Invalid Type: {}
    Advertisement Interval: {}
    Address List: {}
  Authentication Errors:
    Invalid Type: {}
    Type Mismatch: {}
    Failure: {}
  Authentication Extension Errors:
    Missing: 0
    Malformed: 0
    Unknown Key: 0
    Invalid HMAC: 0
    Stale: 0
    Replay: 0
  Priority Zero:
    Received: {}
    Sent: {}
",
        counters.adverts_received,
        counters.adverts_sent,
        counters.became_master,
        counters.released_master,
        errors.length,
        errors.ttl,
        errors.packet_type,
        errors.interval,
        errors.addresses,
        errors.auth_type,
        errors.auth_mismatch,
        errors.auth_failure,
        counters.priority_zero_received,
        counters.priority_zero_sent,
    )
}
