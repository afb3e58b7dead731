//! What an instance counts. Every reason to drop an advert is one variant, one counter, one log text.

use crate::model::is_default;
use serde::{Deserialize, Serialize};

/// Why a received advert was not given to the state machine, or was counted as faulty (behaviour §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Too short for its headers, or its length does not fit its own count.
    Length,
    /// The IPv4 total length differs from what arrived.
    TotalLength,
    /// Multicast with TTL or hop limit other than 255; unicast outside the peer's limits.
    Ttl,
    /// The version differs from the configured one.
    Version,
    /// The type is not ADVERTISEMENT.
    Type,
    /// The checksum is wrong in every form that we accept.
    Checksum,
    /// Authentication type unknown.
    AuthType,
    /// Authentication type (or AH header) other than configured.
    AuthMismatch,
    /// Wrong password, or an AH header with a wrong sum, SPI or sequence.
    AuthFailure,
    /// No `auth_hmac` trailer although one is enforced.
    AuthMissing,
    /// A trailer of an unknown type or with reserved bits.
    AuthMalformed,
    /// A trailer whose time is outside the window.
    AuthStale,
    /// A trailer of a key that is not configured.
    AuthUnknownKey,
    /// A trailer with a wrong sum.
    AuthHmac,
    /// A trailer that is not newer than the sender's last one.
    AuthReplay,
    /// Version 2 with another interval than ours, or an interval of 0.
    Interval,
    /// Multicast advert for a unicast instance or the reverse.
    Destination,
    /// Source address is none (0.0.0.0, ::, multicast, loopback), or for IPv6 multicast not link-local.
    Source,
    /// Unicast advert from nobody in `unicast_peer`.
    NotAPeer,
    /// The address owner ignores adverts (`owner_ignore_adverts`).
    OwnerIgnores,
    /// Our own advert came back.
    OwnAdvert,
}

impl DropReason {
    /// All reasons, in the order of the counters.
    pub const ALL: [Self; 21] = [
        Self::Length,
        Self::TotalLength,
        Self::Ttl,
        Self::Version,
        Self::Type,
        Self::Checksum,
        Self::AuthType,
        Self::AuthMismatch,
        Self::AuthFailure,
        Self::AuthMissing,
        Self::AuthMalformed,
        Self::AuthStale,
        Self::AuthUnknownKey,
        Self::AuthHmac,
        Self::AuthReplay,
        Self::Interval,
        Self::Destination,
        Self::Source,
        Self::NotAPeer,
        Self::OwnerIgnores,
        Self::OwnAdvert,
    ];

    /// The field of `dropped` in `status --json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::TotalLength => "total_length",
            Self::Ttl => "ttl",
            Self::Version => "version",
            Self::Type => "type",
            Self::Checksum => "checksum",
            Self::AuthType => "auth_type",
            Self::AuthMismatch => "auth_mismatch",
            Self::AuthFailure => "auth",
            Self::AuthMissing => "auth_missing",
            Self::AuthMalformed => "auth_malformed",
            Self::AuthStale => "auth_stale",
            Self::AuthUnknownKey => "auth_unknown_key",
            Self::AuthHmac => "auth_hmac",
            Self::AuthReplay => "auth_replay",
            Self::Interval => "interval",
            Self::Destination => "destination",
            Self::Source => "source",
            Self::NotAPeer => "not_a_peer",
            Self::OwnerIgnores => "owner_ignores",
            Self::OwnAdvert => "own_advert",
        }
    }

    /// Whether a sender of such adverts is most likely a router of another cluster with the same VRID, or a peer with
    /// another configuration.
    #[must_use]
    pub const fn is_of_another_cluster(self) -> bool {
        match self {
            Self::Version
            | Self::AuthType
            | Self::AuthMismatch
            | Self::AuthFailure
            | Self::AuthMissing
            | Self::AuthUnknownKey
            | Self::AuthHmac
            | Self::Interval
            | Self::Destination
            | Self::NotAPeer => true,
            Self::Length
            | Self::TotalLength
            | Self::Ttl
            | Self::Type
            | Self::Checksum
            | Self::AuthMalformed
            | Self::AuthStale
            | Self::AuthReplay
            | Self::Source
            | Self::OwnerIgnores
            | Self::OwnAdvert => false,
        }
    }

    /// The statistics field of keepalived that counts this, where it has one (`captures/BAD.tsv`, column counter_keepalived).
    #[must_use]
    pub const fn keepalived_counter(self) -> Option<&'static str> {
        match self {
            Self::Length | Self::TotalLength => Some("packet_len_err"),
            Self::Ttl => Some("ip_ttl_err"),
            Self::Version => Some("vers_err"),
            Self::Type => Some("invalid_type_rcvd"),
            Self::Checksum => Some("chk_err"),
            Self::AuthType => Some("invalid_authtype"),
            Self::AuthMismatch => Some("authtype_mismatch"),
            Self::AuthFailure => Some("auth_failure"),
            Self::AuthMissing => Some("auth_ext_missing"),
            Self::AuthMalformed => Some("auth_ext_malformed"),
            Self::AuthStale => Some("auth_ext_stale"),
            Self::AuthUnknownKey => Some("auth_ext_unknown_key"),
            Self::AuthHmac => Some("auth_ext_invalid_hmac"),
            Self::AuthReplay => Some("auth_ext_replay"),
            Self::Interval => Some("advert_interval_err"),
            Self::Destination => Some("addr_list_err"),
            Self::Source | Self::NotAPeer | Self::OwnerIgnores | Self::OwnAdvert => None,
        }
    }
}

/// Counters of one instance since it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Advert cycles sent (one for all peers).
    #[serde(default, skip_serializing_if = "is_default")]
    pub adverts_sent: u64,
    /// Adverts that passed validation.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adverts_received: u64,
    /// Times it became master.
    #[serde(default, skip_serializing_if = "is_default")]
    pub became_master: u64,
    /// Times it left master.
    #[serde(default, skip_serializing_if = "is_default")]
    pub released_master: u64,
    /// Priority 0 adverts heard.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority_zero_received: u64,
    /// Priority 0 adverts sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority_zero_sent: u64,
    /// Adverts whose address list differs from ours (accepted all the same).
    #[serde(default, skip_serializing_if = "is_default")]
    pub address_list_mismatches: u64,
    /// Version 3 adverts whose interval differs from ours (accepted all the same).
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval_mismatches: u64,
    /// Signed adverts whose clock differs from ours by more than half the window (accepted all the same).
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_skews: u64,
    /// Times that a master was silent for more than two and a half intervals and was then heard again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub near_failovers: u64,
    /// ARP packets and neighbour advertisements of other nodes that claimed an address of ours while we held it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub foreign_claims: u64,
    /// Advert slots that a late wake-up skipped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skipped_slots: u64,
    /// Dropped adverts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: Drops,
}

/// Dropped adverts by reason; without room while none was dropped, which is how it nearly always is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Drops(Option<Box<[u64; DropReason::ALL.len()]>>);

impl Drops {
    /// The counts in the order of [`DropReason::ALL`]; nothing if all are 0.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|counts| counts.iter().copied())
    }
}

/// Whether any process can have counted so far.
const fn can_be_counted(count: u64) -> bool {
    count < 1 << 62
}

/// This count from outside, or 0 where no process can have counted so far: it goes on.
pub(super) const fn believable(count: u64) -> u64 {
    if can_be_counted(count) { count } else { 0 }
}

impl Counters {
    /// These counters, or none where no process can have counted so far: they come from outside, and go on.
    #[must_use]
    pub(super) fn believable(self) -> Self {
        let own = [
            self.adverts_sent,
            self.adverts_received,
            self.became_master,
            self.released_master,
            self.priority_zero_received,
            self.priority_zero_sent,
            self.address_list_mismatches,
            self.interval_mismatches,
            self.clock_skews,
            self.near_failovers,
            self.foreign_claims,
            self.skipped_slots,
        ];
        if own.into_iter().chain(self.dropped.iter()).all(can_be_counted) {
            self
        } else {
            Self::default()
        }
    }

    /// How many adverts were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        DropReason::ALL
            .iter()
            .position(|r| *r == reason)
            .and_then(|i| self.dropped.iter().nth(i))
            .unwrap_or(0)
    }

    pub(crate) fn count_dropped(&mut self, reason: DropReason) {
        let counts = self.dropped.0.get_or_insert_default();
        let slot = DropReason::ALL
            .iter()
            .position(|r| *r == reason)
            .and_then(|i| counts.get_mut(i));
        if let Some(slot) = slot {
            *slot += 1;
        }
    }
}
