//! Removes what the daemon has added, once the daemon is gone. The daemon tells of an address before it asks the kernel for
//! it, and withdraws it when its removal is confirmed, so the table is never too short.

use super::message::GuardedAddress;
use crate::system::clock;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Requests in one datagram to the kernel.
const BATCH: usize = 32;
/// Addresses that are guarded, at most; a daemon that tells of more is not believed.
pub(super) const MAX_GUARDED: usize = 1 << 18;

/// The table of what must not outlive the daemon.
#[derive(Debug, Default)]
pub(super) struct Guard {
    addresses: BTreeSet<GuardedAddress>,
    refused: u64,
}

/// What a clean-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cleaned {
    /// Addresses removed.
    pub(super) removed: usize,
    /// Addresses that were not there, or whose interface was not.
    pub(super) absent: usize,
    /// Addresses that the kernel would not remove, and the last reason.
    pub(super) failed: usize,
    /// The number of that reason, 0 if there is none.
    pub(super) errno: i32,
}

impl Guard {
    /// Remembers addresses.
    pub(super) fn add(&mut self, addresses: Vec<GuardedAddress>) {
        for address in addresses {
            if self.addresses.len() < MAX_GUARDED || self.addresses.contains(&address) {
                self.addresses.insert(address);
            } else {
                self.refused += 1;
            }
        }
    }

    /// Forgets addresses.
    pub(super) fn withdraw(&mut self, addresses: &[GuardedAddress]) {
        for address in addresses {
            self.addresses.remove(address);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.addresses.clear();
    }

    /// How many addresses are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// How many addresses were not taken into the full table.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Removes what a dead daemon has left, but the addresses that stay, and says so.
    pub(super) fn clean_up(&mut self, stays: &[(IpAddr, u8)]) {
        let begun = clock::now();
        match self.clean(stays) {
            Ok(cleaned) if cleaned == Cleaned::default() => {}
            Ok(cleaned) => {
                let took = clock::now().since(begun);
                tracing::warn!(
                    "Removed {} addresses that the VRRP process had left ({} were gone already) in {} us",
                    cleaned.removed,
                    cleaned.absent,
                    took.0
                );
                if cleaned.failed > 0 {
                    let reason = io::Error::from_raw_os_error(cleaned.errno);
                    tracing::error!(
                        "{} addresses of the dead VRRP process cannot be removed: {reason}",
                        cleaned.failed
                    );
                }
            }
            Err(error) => tracing::error!("cannot remove the addresses of the dead VRRP process: {error}"),
        }
    }

    /// Removes the addresses of the table from the kernel and forgets them, but those that stay.
    ///
    /// # Errors
    /// When there is no netlink socket; the table is kept then.
    fn clean(&mut self, stays: &[(IpAddr, u8)]) -> io::Result<Cleaned> {
        let mut cleaned = Cleaned::default();
        let stays: BTreeSet<_> = stays.iter().copied().collect();
        let (kept, all): (Vec<_>, Vec<_>) = self
            .addresses
            .iter()
            .partition(|guarded| stays.contains(&(guarded.address, guarded.prefix_len)));
        if all.is_empty() {
            return Ok(cleaned);
        }
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        for batch in all.chunks(BATCH) {
            remove_batch(&socket, batch, &mut cleaned)?;
        }
        self.addresses = kept.into_iter().collect();
        Ok(cleaned)
    }
}

/// Sends the requests in one datagram; the kernel has carried them out, and answered all, when the call returns.
fn remove_batch(socket: &Socket, batch: &[GuardedAddress], cleaned: &mut Cleaned) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(BATCH * 64);
    for (sequence, address) in (1..).zip(batch) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK;
        header.sequence_number = sequence;
        let request = RouteNetlinkMessage::DelAddress(deletion(*address));
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(bytes.get_mut(start..).unwrap_or_default());
    }
    socket.send(&bytes, 0)?;
    let mut answered = 0;
    let mut buffer = Vec::with_capacity(16 << 10);
    while answered < batch.len() {
        buffer.clear();
        socket.recv(&mut buffer, 0)?;
        answered += count_answers(&buffer, cleaned)?;
    }
    Ok(())
}

fn count_answers(mut bytes: &[u8], cleaned: &mut Cleaned) -> io::Result<usize> {
    let mut answers = 0;
    while !bytes.is_empty() {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let NetlinkPayload::Error(error) = &message.payload {
            answers += 1;
            match error.code.map_or(0, |code| -code.get()) {
                0 => cleaned.removed += 1,
                libc::EADDRNOTAVAIL | libc::ENODEV => cleaned.absent += 1,
                errno => {
                    cleaned.failed += 1;
                    cleaned.errno = errno;
                }
            }
        }
        let length = usize::try_from(message.header.length)
            .unwrap_or(0)
            .next_multiple_of(4)
            .max(16);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(answers)
}

/// `RTM_DELADDR`. With `IFA_LOCAL` alone the kernel would ignore the prefix length of an IPv4 address.
fn deletion(address: GuardedAddress) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.prefix_len = address.prefix_len;
    message.header.index = address.interface.0;
    message.header.family = match address.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(AddressAttribute::Local(address.address));
    message
        .attributes
        .push(AddressAttribute::Address(address.peer.unwrap_or(address.address)));
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IfIndex;
    use std::process::Command;

    fn guarded(interface: u32, address: &str, prefix_len: u8) -> GuardedAddress {
        GuardedAddress {
            interface: IfIndex(interface),
            address: address.parse().unwrap(),
            prefix_len,
            peer: None,
        }
    }

    #[test]
    fn what_is_withdrawn_is_forgotten() {
        let mut guard = Guard::default();
        guard.add(vec![guarded(2, "192.0.2.1", 32), guarded(2, "2001:db8::1", 128)]);
        guard.add(vec![guarded(2, "192.0.2.1", 32)]);
        guard.withdraw(&[guarded(2, "192.0.2.1", 32), guarded(3, "2001:db8::1", 128)]);
        assert_eq!(guard.len(), 1);
    }

    fn ip(arguments: &str) -> String {
        let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "ip {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `body` in a network namespace of its own; `false` when this user may not make one.
    fn in_namespace(body: impl FnOnce() + Send + 'static) -> bool {
        std::thread::spawn(|| {
            let made = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).is_ok();
            if made {
                body();
            }
            made
        })
        .join()
        .unwrap()
    }

    #[test]
    fn the_kernel_no_longer_has_the_addresses_and_keeps_the_others() {
        let ran = in_namespace(|| {
            ip("link add veth0 type veth peer name veth1");
            let index = ip("-o link show veth0").split(':').next().unwrap().parse().unwrap();
            let mut guard = Guard::default();
            for number in 0..100 {
                let address = format!("192.0.2.{number}");
                ip(&format!("addr add {address}/32 dev veth0"));
                guard.add(vec![guarded(index, &address, 32)]);
            }
            ip("addr add 192.0.2.7/24 dev veth0");
            ip("addr add 203.0.113.1 peer 203.0.113.2/32 dev veth0");
            guard.add(vec![GuardedAddress {
                peer: Some("203.0.113.2".parse().unwrap()),
                ..guarded(index, "203.0.113.1", 32)
            }]);
            ip("addr add 2001:db8::7/128 dev veth0 nodad");
            guard.add(vec![
                guarded(index, "2001:db8::7", 128),
                guarded(index, "198.51.100.1", 32),
                guarded(9999, "198.51.100.1", 32),
            ]);
            ip("addr add 192.0.2.250/32 dev veth0");
            guard.add(vec![guarded(index, "192.0.2.250", 32)]);
            let statics = [("192.0.2.250".parse().unwrap(), 32)];
            let cleaned = guard.clean(&statics).unwrap();
            let expected = Cleaned {
                removed: 102,
                absent: 2,
                ..Cleaned::default()
            };
            assert_eq!(
                (cleaned, guard.len()),
                (expected, 1),
                "the static one stays, and guarded"
            );
            let left = ip("-o addr show dev veth0");
            assert!(left.contains("192.0.2.250/32"), "{left}");
            assert_eq!(guard.clean(&[]).unwrap().removed, 1);
            let left = ip("-o addr show dev veth0");
            assert_eq!(left.matches("inet 192.0.2.").count(), 1, "{left}");
            assert!(left.contains("192.0.2.7/24") && !left.contains("2001:db8"), "{left}");
        });
        if !ran {
            eprintln!("NOT RUN: this user may not make a network namespace");
        }
    }
}
