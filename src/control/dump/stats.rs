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
    pub(super) extension: Extension,
}

/// Errors of the `auth_hmac` trailer.
pub(super) struct Extension {
    pub(super) missing: u64,
    pub(super) malformed: u64,
    pub(super) unknown_key: u64,
    pub(super) invalid_hmac: u64,
    pub(super) stale: u64,
    pub(super) replay: u64,
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
            extension: Extension {
                missing: dropped(DropReason::AuthMissing),
                malformed: dropped(DropReason::AuthMalformed),
                unknown_key: dropped(DropReason::AuthUnknownKey),
                invalid_hmac: dropped(DropReason::AuthHmac),
                stale: dropped(DropReason::AuthStale),
                replay: dropped(DropReason::AuthReplay),
            },
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
    Missing: {}
    Malformed: {}
    Unknown Key: {}
    Invalid HMAC: {}
    Stale: {}
    Replay: {}
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
        errors.extension.missing,
        errors.extension.malformed,
        errors.extension.unknown_key,
        errors.extension.invalid_hmac,
        errors.extension.stale,
        errors.extension.replay,
        counters.priority_zero_received,
        counters.priority_zero_sent,
    )
}
