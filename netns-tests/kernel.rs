//! What the kernel of a node knows of its addresses, asked from inside the node.

use crate::stage::{Stage, lines};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;
use vrrpd::lab::NodeId;

/// What the node's kernel knows of its addresses, a line each.
pub(crate) fn addresses(stage: &mut Stage, node: usize) -> io::Result<Vec<String>> {
    let since = stage.note("ask the kernel for its addresses");
    stage.lab.start_function(NodeId(node), "addresses", &print_addresses)?;
    stage.until("the kernel answers", 5, |lab| {
        lines(lab, node, "addresses", since).iter().any(|line| line == "end")
    })?;
    let lines = stage.lines(node, "addresses", since);
    Ok(lines.into_iter().filter(|line| line != "end").collect())
}

/// Prints one line for each address of the network namespace, with every attribute; a function for `Lab::start_function`.
fn print_addresses() -> u8 {
    match ask() {
        Ok(lines) => {
            for line in lines {
                println!("{line}");
            }
            println!("end");
            0
        }
        Err(error) => {
            println!("{error}");
            1
        }
    }
}

fn ask() -> io::Result<Vec<String>> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut packet = NetlinkMessage::from(RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    packet.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    packet.finalize();
    let mut buffer = vec![0; packet.buffer_len()];
    packet.serialize(&mut buffer);
    socket.send(&buffer, 0)?;
    let mut lines = Vec::new();
    loop {
        let (buffer, _) = socket.recv_from_full()?;
        let mut rest = buffer.as_slice();
        while !rest.is_empty() {
            let packet = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            rest = &rest[(packet.header.length as usize).next_multiple_of(4)..];
            match packet.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(address)) => lines.push(line(&address)),
                NetlinkPayload::Done(_) => return Ok(lines),
                other => return Err(io::Error::other(format!("the kernel answers {other:?}"))),
            }
        }
    }
}

/// `kernel.NAME=VALUE|...`, every name in every line. The times at which the address was made and changed are left out.
fn line(address: &AddressMessage) -> String {
    let header = &address.header;
    let value = |of: fn(&AddressAttribute) -> Option<String>| {
        let found = address.attributes.iter().find_map(of);
        found.unwrap_or_else(|| "-".into())
    };
    let fields = [
        ("link", header.index.to_string()),
        ("prefix", header.prefix_len.to_string()),
        ("scope", format!("{:?}", header.scope)),
        (
            "address",
            value(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(address.to_string()),
                _ => None,
            }),
        ),
        (
            "local",
            value(|attribute| match attribute {
                AddressAttribute::Local(address) => Some(address.to_string()),
                _ => None,
            }),
        ),
        (
            "label",
            value(|attribute| match attribute {
                AddressAttribute::Label(label) => Some(label.clone()),
                _ => None,
            }),
        ),
        (
            "broadcast",
            value(|attribute| match attribute {
                AddressAttribute::Broadcast(address) => Some(address.to_string()),
                _ => None,
            }),
        ),
        (
            "flags",
            value(|attribute| match attribute {
                AddressAttribute::Flags(flags) => Some(format!("{flags:?}").replace('|', "+")),
                _ => None,
            }),
        ),
        (
            "protocol",
            value(|attribute| match attribute {
                AddressAttribute::Protocol(protocol) => Some(format!("{protocol:?}")),
                _ => None,
            }),
        ),
        (
            "lifetimes",
            value(|attribute| match attribute {
                AddressAttribute::CacheInfo(info) => Some(format!("{} {}", info.ifa_preferred, info.ifa_valid)),
                _ => None,
            }),
        ),
    ];
    let fields = fields.map(|(name, value)| format!("kernel.{name}={value}"));
    fields.join("|")
}
