//! `bfd_instance`: one BFD session (RFC 5880 to 5883).

use super::{Micros, Weight};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdInstance {
    /// Name of the block, at most 31 bytes.
    pub name: Arc<str>,
    /// `neighbor_ip`; `None`: what is written contradicts itself, the session cannot run and is never up.
    pub neighbor: Option<IpAddr>,
    /// `source_ip`; `None`: the kernel chooses.
    pub source: Option<IpAddr>,
    /// `min_rx`, 1 ms to 4294967 ms.
    pub min_rx: Micros,
    /// `min_tx`, 1 ms to 4294967 ms.
    pub min_tx: Micros,
    /// `idle_tx`: interval while the session is not up, at least 1 s.
    pub idle_tx: Micros,
    /// `multiplier`, at least 1.
    pub multiplier: u8,
    /// `passive`: waits for the other end to begin.
    pub passive: bool,
    /// `ttl` or `hoplimit` of what is sent.
    pub ttl: u8,
    /// `max_hops`: what is received has at least `ttl - max_hops`; `None` (-1): not checked.
    pub max_hops: Option<u8>,
    /// `multihop`: RFC 5883, port 4784.
    pub multihop: bool,
    /// Default weight of those who track it.
    pub weight: Weight,
    /// Whether instances are told.
    pub for_vrrp: bool,
    /// Whether keepalived's checkers would be told.
    pub for_checker: bool,
}

impl BfdInstance {
    /// A session with keepalived's defaults.
    #[must_use]
    pub fn new(name: &str, neighbor: Option<IpAddr>) -> Self {
        Self {
            name: name.into(),
            neighbor,
            source: None,
            min_rx: Micros::from_millis(10),
            min_tx: Micros::from_millis(10),
            idle_tx: Micros::from_millis(1000),
            multiplier: 5,
            passive: false,
            ttl: if neighbor.is_none_or(|neighbor| neighbor.is_ipv4()) {
                255
            } else {
                64
            },
            max_hops: Some(0),
            multihop: false,
            weight: Weight::ZERO,
            for_vrrp: true,
            for_checker: true,
        }
    }
}
