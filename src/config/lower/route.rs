//! One line of `virtual_routes` or `static_routes` (addresses-routes-rules §3).

use super::Context;
use super::address::prefix;
use super::names::{DSFIELDS, Names, PROTOCOLS, SCOPES, TABLES, print_realms, realms};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::schema::{Read, number};
use crate::config::tree::Node;
use crate::model::{Encap, Family, IfName, Metric, NextHop, PROTOCOL_KEEPALIVED, Prefix, Route, RoutePlace, RouteType};
use std::net::IpAddr;

/// Metrics that are a number: keyword, the kernel's number, whether `lock` may stand before the value.
const METRICS: [(&str, u8, bool); 14] = [
    ("mtu", 2, true),
    ("window", 3, false),
    ("rtt", 4, true),
    ("rttvar", 5, true),
    ("ssthresh", 6, true),
    ("cwnd", 7, true),
    ("advmss", 8, true),
    ("reordering", 9, true),
    ("hoplimit", 10, false),
    ("initcwnd", 11, false),
    ("rto_min", 13, true),
    ("initrwnd", 14, false),
    ("quickack", 15, false),
    ("fastopen_no_cookie", 17, false),
];
/// The kernel's number of `features`, and the bit of `ecn`.
const FEATURES: u8 = 12;
const ECN: u32 = 1;

/// Types of routes by name.
const TYPES: [(&str, u8); 13] = [
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("brd", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
    ("throw", 9),
    ("nat", 10),
    ("xresolve", 11),
    ("xresolv", 11),
];

/// The kernel's number of a type of route.
pub(super) fn route_type(word: &str) -> Option<RouteType> {
    let named = TYPES.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    named.map(RouteType)
}

struct Parser<'n, 'c, 'a> {
    node: &'n Node,
    ctx: &'c mut Context<'a>,
    index: usize,
    route: Route,
    family: Option<Family>,
    has_destination: bool,
    is_static: bool,
}

/// The entry is dropped; that has been told.
struct Dropped;

/// One line; `is_static`: of `static_routes`.
pub(in crate::config) fn line(node: &Node, is_static: bool, ctx: &mut Context<'_>) -> Option<Route> {
    let mut parser = Parser {
        node,
        ctx,
        index: 0,
        route: Route::new(Family::Ipv4, None),
        family: None,
        has_destination: false,
        is_static,
    };
    while let Some(word) = parser.node.word(parser.index) {
        if word == "nexthop" {
            parser.next_hops();
            break;
        }
        parser.word(word).ok()?;
        parser.index += 1;
    }
    parser.finish().ok()
}

impl<'n> Parser<'n, '_, '_> {
    fn drop(&mut self, message: String) -> Dropped {
        self.tell(message);
        Dropped
    }

    /// A number in this range; the route is dropped otherwise.
    fn in_range(&mut self, max: i64, complaint: impl Fn(&str) -> String) -> Result<i64, Dropped> {
        let text = self.value()?;
        match number(0, max).read(text, true) {
            Read::Good(value) => Ok(value),
            Read::Warned(_, detail) | Read::Bad(Some(detail)) => {
                let place = self.node.place_of(self.index);
                let diagnostic = self.ctx.reports.at(place, Code::Route, Class::General, complaint(text));
                diagnostic.detail = Some(detail);
                Err(Dropped)
            }
            Read::Bad(None) => Err(self.drop(complaint(text))),
        }
    }

    fn tell(&mut self, message: String) {
        let place = self.node.place_of(self.index);
        self.ctx.reports.at(place, Code::Route, Class::General, message);
    }

    /// The word behind an option. Without it keepalived ends at once.
    fn value(&mut self) -> Result<&'n str, Dropped> {
        self.index += 1;
        self.ctx.required(self.node, self.index).ok_or(Dropped)
    }

    fn next_is(&self, word: &str) -> bool {
        self.node.word(self.index + 1) == Some(word)
    }

    fn mixed(&mut self, of: &str) -> Dropped {
        let of = if of.is_empty() {
            String::new()
        } else {
            format!(" ({of})")
        };
        self.drop(format!("Cannot mix IPv4 and IPv6 addresses for route{of}"))
    }

    fn set_family(&mut self, family: Family, of: &str) -> Result<(), Dropped> {
        if *self.family.get_or_insert(family) == family {
            return Ok(());
        }
        Err(self.mixed(of))
    }

    /// `[inet|inet6] IP` behind an option.
    fn address(&mut self, what: &str) -> Result<IpAddr, Dropped> {
        if self.next_is("inet") || self.next_is("inet6") {
            let family = if self.next_is("inet") {
                Family::Ipv4
            } else {
                Family::Ipv6
            };
            self.index += 1;
            self.set_family(family, "")?;
        }
        let text = self.value()?;
        let Ok(address) = text.parse::<IpAddr>() else {
            return Err(self.drop(format!("invalid route {what} address {text}")));
        };
        self.set_family(Family::of(address), "")?;
        Ok(address)
    }

    fn word(&mut self, word: &str) -> Result<(), Dropped> {
        match word {
            "inet" => self.set_family(Family::Ipv4, "")?,
            "inet6" => self.set_family(Family::Ipv6, "")?,
            "to" => {
                let word = self.value()?;
                return self.destination(word);
            }
            "gw" => {
                self.tell("\"gw\" for routes is deprecated. Please use \"via\"".into());
                self.route.via = Some(self.address("via")?);
            }
            "via" => self.route.via = Some(self.address("via")?),
            "src" => self.route.prefsrc = Some(self.address("src")?),
            "from" => {
                let text = self.value()?;
                let Some(from) = prefix(text) else {
                    return Err(self.drop(format!("invalid route from address {text}")));
                };
                if from.address.is_ipv4() {
                    return Err(self.drop(format!("route from address only supported with IPv6 ({text})")));
                }
                self.set_family(Family::Ipv6, "")?;
                self.route.from = Some(from);
            }
            "dev" | "oif" => self.route.interface = Some(self.interface("VROUTE nexthop")?),
            "table" => {
                let text = self.value()?;
                let table = TABLES.wrapped(text, self.ctx.host);
                self.route.table =
                    Some(table.ok_or_else(|| self.drop(format!("Routing table {text} not found for route")))?);
            }
            "vrf" => {
                let text = self.value()?;
                let name = text
                    .parse::<IfName>()
                    .ok()
                    .filter(|name| self.ctx.interface(name).is_some());
                self.route.vrf = Some(name.ok_or_else(|| self.drop(format!("VRF {text} not found for route")))?);
            }
            "metric" | "priority" | "preference" => self.route.metric = Some(self.u32("metric")?),
            "tos" | "dsfield" => {
                let text = self.value()?;
                let tos = DSFIELDS.byte(text, self.ctx.host);
                self.route.tos = Some(tos.ok_or_else(|| self.drop(format!("TOS value {text} is invalid")))?);
            }
            "protocol" => {
                let text = self.value()?;
                let protocol = PROTOCOLS.byte(text, self.ctx.host);
                let complaint = format!("Protocol {text} not found or invalid for route");
                self.route.protocol = protocol.ok_or_else(|| self.drop(complaint))?;
            }
            "scope" => {
                let text = self.value()?;
                let scope = SCOPES.byte(text, self.ctx.host);
                self.route.scope =
                    Some(scope.ok_or_else(|| self.drop(format!("Scope {text} not found or invalid for route")))?);
            }
            "onlink" => self.route.onlink = true,
            "no_track" => self.route.no_track = true,
            "add" => self.route.place = RoutePlace::Add,
            "append" => self.route.place = RoutePlace::Append,
            "prepend" => self.route.place = RoutePlace::Prepend,
            _ => return self.rarer_word(word),
        }
        Ok(())
    }

    fn rarer_word(&mut self, word: &str) -> Result<(), Dropped> {
        match word {
            "encap" => self.route.encap = self.encap()?,
            "expires" => {
                if self.family == Some(Family::Ipv4) {
                    return Err(self.drop("expires is only valid for IPv6".into()));
                }
                self.route.expires = Some(self.u32("expires time")?);
            }
            "realms" | "realm" => {
                let text = self.value()?;
                let found = realms(text, self.ctx.host);
                self.route.realms = Some(found.ok_or_else(|| self.drop(format!("Invalid realms {text} for route")))?);
                if self.family == Some(Family::Ipv6) {
                    return Err(self.drop("realms are only valid for IPv4".into()));
                }
                self.family = Some(Family::Ipv4);
            }
            "features" => {
                let text = self.value()?;
                if text == "ecn" {
                    self.metric(FEATURES, ECN, false);
                } else {
                    self.tell(format!("feature {text} not supported"));
                }
            }
            "congctl" => {
                let lock = self.lock();
                let name = self.value()?.to_owned();
                self.route.congctl = Some((name, lock));
            }
            "pref" => {
                if self.family == Some(Family::Ipv4) {
                    return Err(self.drop("pref is only valid for IPv6".into()));
                }
                let named = match self.node.word(self.index + 1) {
                    Some("low") => Some(3),
                    Some("medium") => Some(0),
                    Some("high") => Some(1),
                    Some(_) | None => None,
                };
                self.route.pref = match named {
                    Some(_) => self.value().map(|_| named)?,
                    None => {
                        let complaint = |text: &str| format!("Invalid pref value {text} specified for route");
                        u8::try_from(self.in_range(255, complaint)?).ok()
                    }
                };
            }
            "ttl-propagate" => match self.value()? {
                "enabled" => self.route.ttl_propagate = Some(true),
                "disabled" => self.route.ttl_propagate = Some(false),
                other => self.tell(format!("ttl-propagate value {other} not recognised")),
            },
            "as" => {
                self.tell("\"as to\" for MPLS only - ignoring".into());
                if self.next_is("to") {
                    self.index += 1;
                }
            }
            "or" => {
                self.tell("\"or\" for routes is deprecated. Please use \"nexthop\"".into());
                let via = self.address("via")?;
                let hop = |via| NextHop {
                    via: Some(via),
                    ..NextHop::default()
                };
                let first = self.route.via.take().map(hop);
                self.route.next_hops.extend(first.into_iter().chain([hop(via)]));
            }
            "track_group" if self.is_static => {
                self.value()?;
                self.route.track_group = self.ctx.track_group(self.node, self.index);
            }
            word => {
                if let Some((_, kind, lockable)) = METRICS.iter().find(|(name, ..)| *name == word) {
                    return self.number_metric(word, *kind, *lockable);
                }
                return self.destination(word);
            }
        }
        Ok(())
    }

    fn u32(&mut self, what: &str) -> Result<u32, Dropped> {
        let complaint = |text: &str| format!("Invalid {what} {text} specified for route");
        let value = self.in_range(4_294_967_295, complaint)?;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    fn interface(&mut self, what: &str) -> Result<IfName, Dropped> {
        let text = self.value()?;
        let message = format!("WARNING - interface {text} for {what} doesn't exist");
        let Ok(name) = text.parse::<IfName>() else {
            return Err(self.drop(message));
        };
        if self.ctx.interface(&name).is_none() && !self.ctx.is_link(&name) {
            self.ctx.missing_interface(self.node, self.index, &name, message);
        }
        Ok(name)
    }

    fn lock(&mut self) -> bool {
        let lock = self.next_is("lock");
        self.index += usize::from(lock);
        lock
    }

    /// Metrics are kept in the order of the kernel's numbers; the last one of a kind counts.
    fn metric(&mut self, kind: u8, value: u32, lock: bool) {
        self.route.metrics.retain(|metric| metric.kind != kind);
        self.route.metrics.push(Metric { kind, value, lock });
        self.route.metrics.sort_by_key(|metric| metric.kind);
    }

    fn number_metric(&mut self, word: &str, kind: u8, lockable: bool) -> Result<(), Dropped> {
        let lock = lockable && self.lock();
        if matches!(word, "rtt" | "rttvar" | "rto_min") {
            let value = self.time(word)?;
            self.metric(kind, value, lock);
            return Ok(());
        }
        let max = match word {
            "hoplimit" => 255,
            "quickack" | "fastopen_no_cookie" => 1,
            _ => 4_294_967_295,
        };
        // Named as keepalived names them.
        let (what, value) = match word {
            "mtu" => ("MTU", ""),
            "advmss" | "hoplimit" => (word, ""),
            _ => (word, " value"),
        };
        let complaint = |text: &str| format!("Invalid {what}{value} {text} specified for route");
        let value = self.in_range(max, complaint)?;
        self.metric(kind, u32::try_from(value).unwrap_or(u32::MAX), lock);
        Ok(())
    }

    /// A time of a metric in the kernel's unit: 1/8 ms, 1/4 ms or 1 ms.
    fn time(&mut self, word: &str) -> Result<u32, Dropped> {
        // Named as keepalived names them.
        let (per_ms, word): (u64, _) = match word {
            "rtt" => (8, "rtt"),
            "rttvar" => (4, "rtt"),
            _ => (1, "rto"),
        };
        let text = self.value()?;
        if text.contains(['e', 'E'])
            && text.starts_with(|c: char| c.is_ascii_digit())
            && !text.ends_with("sec")
            && !text.ends_with("secs")
        {
            return Err(self.drop(format!("{word} value exponential form {text} no longer supported")));
        }
        let split = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let micros = |unit: u64| {
            let time = crate::config::schema::Time::seconds(6, 0, u64::MAX);
            match time.read(digits, true) {
                crate::config::schema::Read::Good(value) => value.0.checked_mul(unit),
                crate::config::schema::Read::Warned(..) | crate::config::schema::Read::Bad(_) => None,
            }
        };
        // In units of 1/1000000 of the unit written.
        let raw = match unit {
            "s" | "sec" | "secs" => micros(1).map(|value| value.saturating_mul(per_ms) / 1_000),
            "ms" | "msec" | "msecs" => micros(1).map(|value| value.saturating_mul(per_ms) / 1_000_000),
            "" => micros(1).map(|value| value / 1_000_000),
            _ => None,
        };
        let Some(raw) = raw else {
            return Err(self.drop(format!("Invalid {word} {text} specified for route")));
        };
        let (min, max) = (200 * per_ms, 120_000 * per_ms);
        if raw < min {
            self.tell(format!("{word} value {text} below minimum 200ms, resetting"));
        } else if raw > max {
            self.tell(format!("{word} value {text} exceeds maximum 120s, resetting"));
        }
        Ok(u32::try_from(raw.clamp(min, max)).unwrap_or(u32::MAX))
    }

    /// A word that is no option: a type of route, or the destination.
    fn destination(&mut self, word: &str) -> Result<(), Dropped> {
        let mut word = word;
        if let Some(kind) = route_type(word) {
            self.route.kind = kind;
            // A destination follows.
            word = self.value()?;
        }
        self.has_destination = true;
        match word {
            "default" | "any" | "all" => self.route.destination = None,
            "default6" => {
                self.set_family(Family::Ipv6, word)?;
                self.route.destination = None;
            }
            _ => {
                let Some(found) = prefix(word) else {
                    let shown = format!("VRRP parsed invalid IP {word}. skipping IP...");
                    let place = self.node.place_of(self.index);
                    let message = format!("unknown route keyword {word}");
                    self.ctx.reports.at(place, Code::Route, Class::General, message).detail = Some(shown);
                    return Err(Dropped);
                };
                self.set_family(Family::of(found.address), word)?;
                self.route.destination = Some(found);
            }
        }
        Ok(())
    }

    /// `None`: told, and the route is kept without.
    fn encap(&mut self) -> Result<Option<Encap>, Dropped> {
        let kind = self.node.word(self.index + 1).unwrap_or_default();
        let lacks = match (kind, self.node.word(self.index + 2)) {
            ("", _) => "Missing encap type",
            ("mpls", None) => "missing address for MPLS encapsulation",
            ("ila", None) => "missing locator for ILA encapsulation",
            _ => "",
        };
        self.index += 1;
        if !lacks.is_empty() {
            self.index = self.node.len();
            self.tell(lacks.to_owned());
            return Ok(None);
        }
        match kind {
            "ip" | "ip6" => self.ip_encap(if kind == "ip" { Family::Ipv4 } else { Family::Ipv6 }),
            "mpls" => {
                let text = self.value()?;
                let label = |text: &str| text.parse::<u32>().ok().filter(|label| *label < 1 << 20);
                let labels = text.split('/').map(label).collect::<Option<Vec<_>>>();
                if labels.is_none() {
                    self.tell(format!("invalid mpls address {text} for encapsulation"));
                }
                Ok(labels.map(Encap::Mpls))
            }
            "ila" => {
                let text = self.value()?;
                let group = |part: &str| u16::from_str_radix(part, 16).ok();
                let parts = text.split(':').map(group).collect::<Option<Vec<_>>>();
                let locator = parts.filter(|parts| parts.len() == 4);
                if locator.is_none() {
                    self.tell(format!("invalid locator {text} for ila encapsulation"));
                }
                let join = |parts: Vec<u16>| parts.into_iter().fold(0u64, |all, part| all << 16 | u64::from(part));
                Ok(locator.map(|parts| Encap::Ila(join(parts))))
            }
            other => {
                self.tell(format!("Unknown encap type - {other}"));
                Ok(None)
            }
        }
    }

    fn ip_encap(&mut self, family: Family) -> Result<Option<Encap>, Dropped> {
        let (mut id, mut dst, mut src, mut tos, mut ttl, mut flags) = (None, None, None, None, None, None);
        while let Some(word) = self.node.word(self.index + 1) {
            if !matches!(word, "id" | "dst" | "src" | "tos" | "tc" | "ttl" | "hoplimit" | "flags") {
                break;
            }
            self.index += 1;
            let Some(text) = self.node.word(self.index + 1) else {
                break;
            };
            self.index += 1;
            let number = crate::config::schema::c_number(text);
            let address = text
                .parse::<IpAddr>()
                .ok()
                .filter(|address| Family::of(*address) == family);
            let byte = number.and_then(|number| u8::try_from(number).ok());
            let good = match word {
                "id" => number.map(|number| id = Some(number)).is_some(),
                "dst" => address.map(|address| dst = Some(address)).is_some(),
                "src" => address.map(|address| src = Some(address)).is_some(),
                "tos" | "tc" => byte.map(|byte| tos = Some(byte)).is_some(),
                "flags" => {
                    let bits = number.and_then(|number| u16::try_from(number).ok());
                    bits.map(|bits| flags = Some(bits)).is_some()
                }
                _ => byte.map(|byte| ttl = Some(byte)).is_some(),
            };
            if !good {
                self.tell(format!("invalid {word} {text} for ip encapsulation"));
                return Ok(None);
            }
        }
        if id.is_none() && dst.is_none() {
            let name = if family == Family::Ipv4 { "ip" } else { "ip6" };
            self.tell(format!("address or id missing for {name} encapsulation"));
            return Ok(None);
        }
        Ok(Some(Encap::Ip {
            family,
            id,
            dst,
            src,
            tos,
            ttl,
            flags,
        }))
    }

    /// `nexthop`s stand at the end. What is wrong with one loses it and those behind it; the route is kept.
    fn next_hops(&mut self) {
        while self.node.word(self.index) == Some("nexthop") {
            let mut hop = NextHop::default();
            while let Some(word) = self.node.word(self.index + 1).filter(|word| *word != "nexthop") {
                self.index += 1;
                if self.next_hop_word(word, &mut hop).is_err() {
                    return;
                }
            }
            self.index += 1;
            self.route.next_hops.push(hop);
        }
    }

    fn next_hop_word(&mut self, word: &str, hop: &mut NextHop) -> Result<(), Dropped> {
        match word {
            "via" => {
                if self.next_is("inet") || self.next_is("inet6") {
                    self.index += 1;
                }
                let text = self.value()?;
                let Ok(address) = text.parse::<IpAddr>() else {
                    return Err(self.drop(format!("invalid nexthop address {text}")));
                };
                if *self.family.get_or_insert(Family::of(address)) != Family::of(address) {
                    return Err(self.drop("IPv4/6 mismatch for nexthop".into()));
                }
                hop.via = Some(address);
            }
            "dev" => hop.interface = Some(self.interface("VROUTE nexthop")?),
            "weight" => {
                let text = self.value()?;
                let weight = number(1, 256).exact(text).and_then(|weight| u16::try_from(weight).ok());
                hop.weight = weight.ok_or_else(|| self.drop(format!("Invalid weight {text} specified for route")))?;
            }
            "onlink" => hop.onlink = true,
            "encap" => hop.encap = self.encap()?,
            "realms" => {
                let text = self.value()?;
                if self.family == Some(Family::Ipv6) {
                    return Err(self.drop("realms are only supported for IPv4".into()));
                }
                let found = realms(text, self.ctx.host);
                hop.realms = Some(found.ok_or_else(|| self.drop(format!("Invalid realms {text} for route")))?);
            }
            "as" => return Err(self.drop("'as [to]' (nat) not supported".into())),
            _ => {
                let rest: Vec<_> = self.node.words().skip(self.index).collect();
                let message = format!("Route has trailing nonsense after nexthops - {}", rest.join(" "));
                return Err(self.drop(message));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Route, Dropped> {
        self.index = 0;
        if !self.has_destination {
            return Err(self.drop("Route must have a destination".into()));
        }
        self.route.family = self.family.unwrap_or(Family::Ipv4);
        if self.route.protocol != PROTOCOL_KEEPALIVED && !self.route.no_track {
            self.tell("Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol".into());
            self.route.protocol = PROTOCOL_KEEPALIVED;
        }
        if self.route.track_group.is_some() && self.route.interface.is_none() {
            self.tell("Static route cannot have track group if no oif specified".into());
            self.route.track_group = None;
        }
        Ok(self.route)
    }
}

/// The line so that it is read again.
pub(in crate::config) fn print(route: &Route, names: &Names<'_>) -> String {
    let mut words = vec![
        match route.family {
            Family::Ipv4 => "inet",
            Family::Ipv6 => "inet6",
        }
        .to_owned(),
    ];
    words.extend(match route.place {
        RoutePlace::Prepend => None,
        RoutePlace::Add => Some("add".to_owned()),
        RoutePlace::Append => Some("append".to_owned()),
    });
    words.push("to".into());
    if route.kind != RouteType::UNICAST {
        let name = TYPES
            .iter()
            .find(|(_, number)| *number == route.kind.0)
            .map(|(name, _)| *name);
        words.extend(name.map(str::to_owned));
    }
    let prefix = |prefix: Prefix| format!("{}/{}", prefix.address, prefix.len);
    words.push(route.destination.map_or_else(|| "default".into(), prefix));
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{word} {value}").trim_end().to_owned());
        }
    };
    let flag = |on: bool| on.then(String::new);
    add("via", route.via.map(|via| via.to_string()));
    add("src", route.prefsrc.map(|src| src.to_string()));
    add("from", route.from.map(prefix));
    add("dev", route.interface.as_ref().map(ToString::to_string));
    add("table", route.table.map(|table| table.to_string()));
    add("vrf", route.vrf.as_ref().map(ToString::to_string));
    add("metric", route.metric.map(|metric| metric.to_string()));
    add("tos", route.tos.map(|tos| tos.to_string()));
    add(
        "protocol",
        (route.protocol != PROTOCOL_KEEPALIVED).then(|| route.protocol.to_string()),
    );
    add("scope", route.scope.map(|scope| scope.to_string()));
    add("onlink", flag(route.onlink));
    add("encap", route.encap.as_ref().map(print_encap));
    add("expires", route.expires.map(|expires| expires.to_string()));
    for metric in &route.metrics {
        print_metric(metric, &mut add);
    }
    add(
        "congctl",
        route
            .congctl
            .as_ref()
            .map(|(name, lock)| format!("{}{name}", if *lock { "lock " } else { "" })),
    );
    add("realms", route.realms.map(print_realms));
    add("pref", route.pref.map(|pref| pref.to_string()));
    add(
        "ttl-propagate",
        route
            .ttl_propagate
            .map(|on| if on { "enabled" } else { "disabled" }.into()),
    );
    add("no_track", flag(route.no_track));
    let group = route.track_group.and_then(|id| names.track_group(id));
    add(
        "track_group",
        group.map(|group| crate::config::schema::global::quoted(&group.name)),
    );
    for hop in &route.next_hops {
        let mut parts = Vec::new();
        parts.extend(hop.via.map(|via| format!("via {via}")));
        parts.extend(hop.interface.as_ref().map(|name| format!("dev {name}")));
        parts.extend((hop.weight != 0).then(|| format!("weight {}", hop.weight)));
        parts.extend(hop.onlink.then(|| "onlink".to_owned()));
        parts.extend(hop.encap.as_ref().map(|encap| format!("encap {}", print_encap(encap))));
        parts.extend(hop.realms.map(|realms| format!("realms {}", print_realms(realms))));
        add("nexthop", Some(parts.join(" ")));
    }
    words.join(" ")
}

fn print_metric(metric: &Metric, add: &mut impl FnMut(&str, Option<String>)) {
    let lock = if metric.lock { "lock " } else { "" };
    if metric.kind == FEATURES {
        add("features", Some("ecn".into()));
    } else if let Some((name, ..)) = METRICS.iter().find(|(_, kind, _)| *kind == metric.kind) {
        add(name, Some(format!("{lock}{}", metric.value)));
    }
}

fn print_encap(encap: &Encap) -> String {
    match encap {
        Encap::Mpls(labels) => {
            let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
            format!("mpls {}", labels.join("/"))
        }
        Encap::Ila(locator) => {
            let part = |shift: u32| locator >> shift & 0xffff;
            format!("ila {:x}:{:x}:{:x}:{:x}", part(48), part(32), part(16), part(0))
        }
        Encap::Ip {
            family,
            id,
            dst,
            src,
            tos,
            ttl,
            flags,
        } => {
            let ipv4 = *family == Family::Ipv4;
            let mut words = vec![if ipv4 { "ip" } else { "ip6" }.to_owned()];
            words.extend(id.map(|id| format!("id {id}")));
            words.extend(dst.map(|dst| format!("dst {dst}")));
            words.extend(src.map(|src| format!("src {src}")));
            words.extend(tos.map(|tos| format!("{} {tos}", if ipv4 { "tos" } else { "tc" })));
            words.extend(ttl.map(|ttl| format!("{} {ttl}", if ipv4 { "ttl" } else { "hoplimit" })));
            words.extend(flags.map(|flags| format!("flags {flags}")));
            words.join(" ")
        }
    }
}
