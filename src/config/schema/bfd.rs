//! `bfd_instance`.

use super::keyword::{Block, Keyword, Synonym, Table, Told, boolean, flag, int, time};
use super::script::print_weight;
use super::value::{Time, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::Context;
use crate::config::tree::Node;
use crate::model::{Micros, Weight};
use std::net::IpAddr;
use std::sync::Arc;

/// A BFD session as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) neighbor: Option<IpAddr>,
    pub(in crate::config) source: Option<IpAddr>,
    /// The neighbour's address is malformed: the session is dropped.
    pub(in crate::config) failed: bool,
    pub(in crate::config) min_rx: Option<Micros>,
    pub(in crate::config) min_tx: Option<Micros>,
    pub(in crate::config) idle_tx: Option<Micros>,
    pub(in crate::config) multiplier: Option<u8>,
    pub(in crate::config) passive: bool,
    pub(in crate::config) ttl: Option<u8>,
    pub(in crate::config) max_hops: Option<i16>,
    pub(in crate::config) multihop: bool,
    pub(in crate::config) weight: Weight,
    pub(in crate::config) vrrp: bool,
    pub(in crate::config) checker: bool,
}

impl Block for Draft {
    fn name(&self) -> &str {
        &self.name
    }
}

const INTERVAL: &str =
    "Configuration error: BFD instance {n} {k} value {v} is not valid (must be in range [1-4294967]), ignoring";

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "bfd_instance",
    keywords: &[&[
        Keyword::<Draft>::custom("neighbor_ip", "IP", "", neighbor, |d, _| d.neighbor.iter().map(ToString::to_string).collect())
            .synonyms(&[Synonym {
                name: "neighbour_ip",
                told: Told::Silently,
            }])
            .later()
            .restart()
            .doc("none, required", "Address of the other end."),
        Keyword::<Draft>::custom("source_ip", "IP", "", source, |d, _| d.source.iter().map(ToString::to_string).collect())
            .later()
            .restart()
            .doc("the kernel's choice", "Our address."),
        Keyword::<Draft>::time("min_rx", Time::millis(1, 4_294_967), time!(min_rx)).bad(INTERVAL).later().doc("10", "We want no packets faster than this."),
        Keyword::<Draft>::time("min_tx", Time::millis(1, 4_294_967), time!(min_tx)).bad(INTERVAL).later().doc("10", "We send no packets faster than this."),
        Keyword::<Draft>::time("idle_tx", Time::millis(1000, 4_294_967), time!(idle_tx))
            .bad("Configuration error: BFD instance {n} idle_tx value {v} is not valid (must be in range [1000-4294967]), ignoring")
            .later()
            .doc("1000", "How often we send while the session is not up."),
        Keyword::<Draft>::int("multiplier", "N", strict(1, 255), int!(multiplier))
            .bad("Configuration error: BFD instance {n} multiplier value {v} not valid (must be in range [1-255]), ignoring")
            .later()
            .doc("5", "So many packets may be missed."),
        Keyword::<Draft>::flag("passive", flag!(passive)).later().restart().doc("off", "Waits for the other end to begin."),
        Keyword::<Draft>::int("ttl", "N", strict(1, 255), int!(ttl))
            .bad("Configuration error: BFD instance {n} {k} value {v} not valid (must be in range [1-255]), ignoring")
            .synonyms(&[Synonym {
                name: "hoplimit",
                told: Told::Silently,
            }])
            .later()
            .restart()
            .doc("255 (IPv4), 64 (IPv6)", "TTL of what we send."),
        Keyword::<Draft>::int("max_hops", "N", strict(-1, 255), int!(max_hops))
            .bad("Configuration error: BFD instance {n} max_hops value {v} not valid (must be in range [-1-255]), ignoring")
            .later()
            .restart()
            .doc("0", "What we receive has at least TTL - max_hops; -1: not checked."),
        Keyword::<Draft>::boolean("multihop", boolean!(multihop = false))
            .bad("Configuration error: BFD instance {n} multihop setting not valid - {v}")
            .later()
            .restart()
            .doc("false", "Over several hops (RFC 5883), port 4784."),
        Keyword::<Draft>::custom("weight", "N [reverse]", "-253..253", weight, |d, _| print_weight(d.weight, 0))
            .later()
            .doc("0", "Default weight of track_bfd."),
        Keyword::<Draft>::flag("vrrp", flag!(vrrp)).later().doc("both", "Tells instances only, unless `checker` is written too."),
        Keyword::<Draft>::flag("checker", flag!(checker)).kept().doc("both", "Tells checkers only, unless `vrrp` is written too."),
    ]],
};

fn neighbor(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    draft.neighbor = without_length(text).parse().ok();
    draft.failed = draft.neighbor.is_none();
    if draft.failed {
        let message = format!(
            "Configuration error: BFD instance {} has malformed neighbor address {text}, ignoring instance",
            draft.name
        );
        ctx.reports
            .at(node.place_of(1), Code::BadAddress, Class::General, message);
    }
}

fn source(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    match without_length(text).parse() {
        Ok(address) => draft.source = Some(address),
        Err(_) => {
            let message = format!(
                "Configuration error: BFD instance {} has malformed source address {text}, ignoring",
                draft.name
            );
            ctx.reports
                .at(node.place_of(1), Code::BadAddress, Class::General, message);
        }
    }
}

fn weight(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    let reverse = match node.word(2) {
        None => false,
        Some("reverse") => true,
        Some(other) => {
            let message = format!("Configuration error: BFD instance {name} unknown weight option {other}");
            ctx.reports
                .at(node.place_of(2), Code::BadValue, Class::General, message);
            false
        }
    };
    match ctx.number(number(-253, 253).read(text, ctx.test), node, 1) {
        Ok(value) => {
            draft.weight = i16::try_from(value)
                .ok()
                .and_then(|value| Weight::new(value, reverse).ok())
                .unwrap_or_default()
        }
        Err(detail) => {
            let message =
                format!("Configuration error: BFD instance {name} weight {text} must be in [-253, 253], ignoring");
            ctx.reports
                .at(node.place_of(1), Code::WeightOutOfRange, Class::General, message)
                .detail = detail;
        }
    }
}

/// keepalived passes over a prefix length.
fn without_length(text: &str) -> &str {
    text.split_once('/').map_or(text, |(address, _)| address)
}
