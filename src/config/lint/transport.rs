//! Peers.

use super::Linter;
use crate::config::code::Code;
use crate::model::{Instance, Transport};
use std::net::IpAddr;

pub(super) fn lint(instance: &Instance, linter: &mut Linter<'_>) {
    let Transport::Unicast { peers, .. } = &instance.transport else {
        return;
    };
    let host: Vec<IpAddr> = match &instance.interface {
        Some(interface) => linter
            .host
            .addresses(interface)
            .into_iter()
            .map(|(address, _)| address)
            .collect(),
        None => Vec::new(),
    };
    for peer in peers {
        let address = peer.address;
        let what = if instance.source == Some(address) {
            "the address that it sends from"
        } else if host.contains(&address) {
            "an address of this host"
        } else {
            continue;
        };
        let place = linter.entry(instance, "unicast_peer", &address.to_string());
        let message = format!("({}) the peer {address} is {what}", instance.name);
        linter.warn(place, Code::OwnAddressAmongPeers, message).hint =
            Some("a node sends to itself then; name only the other nodes".into());
    }
}
