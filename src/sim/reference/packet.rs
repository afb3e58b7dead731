//! Reading and writing adverts by hand, from RFC 9568 section 5.2, RFC 3768 section 5.3 and wire §3 to §7.

use super::rules::{Rules, Seal};
use crate::model::{Family, Transport};
use crate::proto::Datagram;
use std::net::IpAddr;

/// One advert as it came.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) from: IpAddr,
    to: IpAddr,
    ttl: Option<u8>,
    /// Whether the IP header states the length that is there.
    stated_right: bool,
    /// Next header, length, SPI and sequence of an AH header.
    pub(super) ah: Option<(u8, u8, u32, u32)>,
    message: Vec<u8>,
    pub(super) vrid: u8,
    pub(super) priority: u8,
}

/// What stands behind an advert with `auth_hmac`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trailer {
    pub(super) well_formed: bool,
    pub(super) key: u8,
    pub(super) seconds: u64,
    pub(super) sequence: u64,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The sum of RFC 1071 over 16-bit words, not complemented.
fn words(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

fn folds_to_ones(mut sum: u64) -> bool {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum == 0xffff
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl Heard {
    /// `None`: too short to name a VRID, or no VRRP at all.
    pub(super) fn read(datagram: &Datagram<'_>) -> Option<Self> {
        match datagram {
            Datagram::Ipv4(bytes) => {
                if bytes.len() < 20 || bytes[0] >> 4 != 4 {
                    return None;
                }
                let header_len = usize::from(bytes[0] & 15) * 4;
                if header_len < 20 || bytes.len() < header_len {
                    return None;
                }
                let mut message = bytes[header_len..].to_vec();
                let mut ah = None;
                match bytes[9] {
                    112 => {}
                    51 if message.len() >= 24 => {
                        let spi = u32::try_from(number(&message[4..8])).ok()?;
                        let sequence = u32::try_from(number(&message[8..12])).ok()?;
                        ah = Some((message[0], message[1], spi, sequence));
                        message.drain(..24);
                    }
                    _ => return None,
                }
                if message.len() < 8 {
                    return None;
                }
                let address = |at: usize| -> IpAddr {
                    std::net::Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]).into()
                };
                Some(Self {
                    from: address(12),
                    to: address(16),
                    ttl: Some(bytes[8]),
                    stated_right: number(&bytes[2..4]) == u64::try_from(bytes.len()).ok()?,
                    ah,
                    vrid: message[1],
                    priority: message[2],
                    message,
                })
            }
            Datagram::Ipv6 {
                source,
                destination,
                hop_limit,
                message,
            } => (message.len() >= 8).then(|| Self {
                from: (*source).into(),
                to: (*destination).into(),
                ttl: *hop_limit,
                stated_right: true,
                ah: None,
                vrid: message[1],
                priority: message[2],
                message: message.to_vec(),
            }),
        }
    }

    pub(super) const fn family(&self) -> Family {
        match self.from {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    fn version(&self) -> u8 {
        self.message[0] >> 4
    }

    /// Without what may stand behind it.
    fn expected_len(&self) -> usize {
        let address = if self.family() == Family::Ipv4 { 4 } else { 16 };
        let password = if self.version() == 2 && address == 4 { 8 } else { 0 };
        8 + usize::from(self.message[3]) * address + password
    }

    pub(super) fn interval_cs(&self) -> u64 {
        if self.version() == 2 {
            u64::from(self.message[5]) * 100
        } else {
            u64::from(self.message[4] & 15) << 8 | u64::from(self.message[5])
        }
    }

    pub(super) fn trailer(&self) -> Option<Trailer> {
        let bytes = self.message.get(self.expected_len()..)?;
        (bytes.len() == 28).then(|| Trailer {
            well_formed: bytes[0] == 1 && bytes[2] == 0 && bytes[3] == 0,
            key: bytes[1],
            seconds: number(&bytes[4..8]),
            sequence: number(&bytes[4..12]),
        })
    }

    /// Whether everything before authentication is right: source, AH or not, version, length, TTL.
    pub(super) fn is_well_addressed(&self, rules: &Rules) -> bool {
        let impossible = match self.from {
            IpAddr::V4(v4) => v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.is_loopback(),
            IpAddr::V6(v6) => {
                let link_local = v6.segments()[0] >> 6 == 0xfe80 >> 6;
                v6.is_unspecified() || v6.is_multicast() || v6.is_loopback() || rules.peers.is_none() && !link_local
            }
        };
        let len = self.message.len();
        let fits = len == self.expected_len() || rules.hmac.is_some() && len == self.expected_len() + 28;
        !impossible
            && self.ah.is_some() == (rules.seal == Seal::Ah)
            && self.ah.is_none_or(|(_, len, _, _)| len == 4)
            && self.version() == rules.version()
            && fits
            && (rules.peers.is_some() || self.ttl.is_none_or(|ttl| ttl == 255))
    }

    /// Version 2: type and password of RFC 2338.
    pub(super) fn password_is_right(&self, rules: &Rules) -> bool {
        let (kind, password) = match rules.seal {
            Seal::None => (0, None),
            Seal::Password(password) => (1, Some(password)),
            Seal::Ah => (2, None),
        };
        let end = self.expected_len();
        self.message[4] == kind && password.is_none_or(|password| self.message[end - 8..end] == password)
    }

    /// Whether everything behind authentication is right.
    pub(super) fn is_right(&self, rules: &Rules) -> bool {
        let interval = if rules.v3 {
            self.interval_cs() > 0
        } else {
            self.interval_cs() * 10_000 == rules.interval
        };
        interval && self.message[0] & 15 == 1 && self.stated_right && self.sum_is_right(rules) && self.is_for(rules)
    }

    /// Version 3 over IPv4 is taken with and without pseudo-header (difference 7).
    fn sum_is_right(&self, rules: &Rules) -> bool {
        let (from, to) = (octets(self.from), octets(self.to));
        if self.family() == Family::Ipv6 {
            let len = u64::try_from(self.message.len()).unwrap_or(0);
            return folds_to_ones(words(&self.message) + words(&from) + words(&to) + len + 112);
        }
        let plain = &self.message[..self.expected_len()];
        let len = u64::try_from(plain.len()).unwrap_or(0);
        let pseudo = |to: &[u8]| folds_to_ones(words(plain) + words(&from) + words(to) + len + 112);
        let old = rules.peers.is_some() && rules.takes_old_checksum && pseudo(&[224, 0, 0, 18]);
        folds_to_ones(words(plain)) || rules.v3 && (pseudo(&to) || old)
    }

    fn is_for(&self, rules: &Rules) -> bool {
        let to_group = match self.to {
            IpAddr::V4(v4) => v4.is_multicast(),
            IpAddr::V6(v6) => v6.is_multicast(),
        };
        let Some(peers) = &rules.peers else { return to_group };
        let known = |(address, min, max): &(IpAddr, u8, u8)| {
            *address == self.from && self.ttl.is_none_or(|ttl| (*min..=*max).contains(&ttl))
        };
        !to_group && (!rules.checks_peers || peers.iter().any(known))
    }
}

/// What is wrong with the bytes of an advert that this router sent; nothing if they are right.
pub(super) fn flaw(rules: &Rules, priority: u8, trailer: Option<u64>, ah: Option<u32>, sent: &[u8]) -> Option<String> {
    let mut expected = vec![
        rules.version() << 4 | 1,
        rules.vrid,
        priority,
        u8::try_from(rules.vips.len()).unwrap_or(255),
    ];
    let centiseconds = rules.interval / 10_000;
    match (rules.v3, rules.seal) {
        (true, _) => expected.extend(centiseconds.to_be_bytes().split_at(6).1),
        (false, seal) => {
            let kind = match seal {
                Seal::None => 0,
                Seal::Password(_) => 1,
                Seal::Ah => 2,
            };
            expected.extend([kind, u8::try_from(centiseconds / 100).unwrap_or(255)]);
        }
    }
    let head = 6;
    expected.extend([0, 0]);
    expected.extend(rules.vips.iter().flat_map(|vip| octets(*vip)));
    if !rules.v3 && rules.family == Family::Ipv4 {
        let password = if let Seal::Password(password) = rules.seal {
            password
        } else {
            [0; 8]
        };
        expected.extend(password);
    }
    if let Some(sequence) = trailer {
        let key = rules.hmac.as_ref().map_or(0, |hmac| hmac.active_key);
        expected.extend([1, key, 0, 0]);
        expected.extend(sequence.to_be_bytes());
        expected.extend([0; 16]);
    }
    let message = if let Some(sequence) = ah {
        let number = sent.get(8..12).map(number);
        if number != Some(u64::from(sequence)) {
            return Some(format!("AH number {number:?} instead of {sequence}"));
        }
        sent.get(24..)?
    } else {
        sent
    };
    let end = expected.len() - if trailer.is_some() { 16 } else { 0 };
    let right =
        message.len() == expected.len() && message[..head] == expected[..head] && message[8..end] == expected[8..end];
    (!right).then(|| format!("sent {message:02x?} instead of {expected:02x?} with a checksum"))
}

/// Where adverts go.
pub(super) fn destinations(transport: &Transport) -> Vec<IpAddr> {
    match transport {
        Transport::Multicast { group } => vec![*group],
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.address).collect(),
    }
}
