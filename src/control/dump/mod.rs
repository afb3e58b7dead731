//! keepalived's state files: `keepalived.data`, `keepalived.stats`, `keepalived.json` (interfaces §4), as text.
//!
//! Monitoring tools read them line by line, so names, blanks and order are keepalived's. What the model has no word for yet is
//! left out; secrets are masked. Where the files lie is decided here too; writing them is `system::dumpfile`'s.

mod data;
mod json;
mod paths;
mod stats;
mod tracked;

pub use data::{data, global};
pub use json::json;
pub use paths::Paths;
pub use stats::stats;

use super::ClockAnchor;
use crate::model::{Instance, Instant, Micros, Model, Script, VirtualAddress};
use crate::proto::{InstanceSnapshot, Snapshot};

/// What the files are made from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The configuration in force.
    pub model: &'a Model,
    /// The state, taken under this configuration.
    pub snapshot: &'a Snapshot,
    /// What ties the state's times to the wall clock.
    pub clock: ClockAnchor,
    /// `router_id`, or the host name.
    pub router_id: &'a str,
}

impl<'a> Source<'a> {
    /// Each instance's configuration with its state.
    fn instances(&self) -> impl Iterator<Item = (&'a Instance, &'a InstanceSnapshot)> {
        self.model.instances.iter().zip(&self.snapshot.instances)
    }

    /// `sec.usec` on the wall clock.
    fn stamp(&self, at: Instant) -> String {
        seconds_micros(self.clock.micros_at(at))
    }
}

fn seconds_micros(wall: Micros) -> String {
    format!("{}.{:06}", wall.0 / 1_000_000, wall.0 % 1_000_000)
}

/// Seconds as `%g` prints them: `5`, `0.5`.
fn seconds(length: Micros) -> String {
    let text = seconds_micros(length);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An address with everything that is configured of it: `ADDR[/LEN] dev IF scope SCOPE ... [set]`. `group`: the `track_group`
/// that follows it.
#[must_use]
pub fn address_line(vip: &VirtualAddress, group: Option<&str>, set: bool) -> String {
    let mut text = vip.address.to_string();
    let full = crate::model::Family::of(vip.address).max_prefix();
    if let Some(peer) = vip.peer {
        text.push_str(&format!(" peer {peer}"));
    }
    if vip.prefix_len != full {
        text.push_str(&format!("/{}", vip.prefix_len));
    }
    if let Some(broadcast) = vip.broadcast_address() {
        text.push_str(&format!(" brd {broadcast}"));
    }
    text.push_str(&format!(" dev {} scope {}", vip.interface, scope(vip.scope)));
    if let Some(label) = &vip.label {
        text.push_str(&format!(" label {label}"));
    }
    if vip.address.is_ipv6() {
        use crate::model::PreferredLifetime::{Forever, Seconds};
        match (vip.preferred_lifetime, vip.prefix_len == full) {
            (None, true) | (Some(Seconds(0)), _) => text.push_str(" deprecated"),
            (None, false) | (Some(Forever), _) => text.push_str(" preferred_lft forever"),
            (Some(Seconds(number)), _) => text.push_str(&format!(" preferred_lft {number}")),
        }
    }
    if vip.no_track {
        text.push_str(" no_track");
    }
    if let Some(group) = group {
        text.push_str(&format!(" track_group {group}"));
    }
    if set {
        text.push_str(" set");
    }
    text
}

/// The kernel's scopes with iproute2's words.
fn scope(number: u8) -> String {
    match number {
        0 => "global".into(),
        200 => "site".into(),
        253 => "link".into(),
        254 => "host".into(),
        255 => "nowhere".into(),
        other => other.to_string(),
    }
}

/// The words of a command in single quotes.
fn command(script: &Script) -> String {
    let words: Vec<String> = script.argv.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}
