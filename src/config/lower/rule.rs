//! One line of `virtual_rules` or `static_rules` (addresses-routes-rules §4).

use super::Context;
use super::address::prefix;
use super::names::{DSFIELDS, GROUPS, Names, TABLES, print_realms, realms};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::schema::{c_number, strict};
use crate::config::tree::Node;
use crate::model::{Family, IfName, Mark, PROTOCOL_KEEPALIVED, Prefix, Rule, RuleAction};

/// A rule while its words are read.
struct Parser<'n, 'c, 'a> {
    node: &'n Node,
    ctx: &'c mut Context<'a>,
    index: usize,
    rule: Rule,
    family: Option<Family>,
    action: Option<RuleAction>,
    preference: Option<u32>,
    is_static: bool,
}

/// The entry is dropped; that has been told.
struct Dropped;

/// One line; `is_static`: of `static_rules`.
pub(in crate::config) fn line(node: &Node, is_static: bool, ctx: &mut Context<'_>) -> Option<Rule> {
    let mut parser = Parser {
        node,
        ctx,
        index: 0,
        rule: Rule::new(Family::Ipv4, RuleAction::Nop, 0),
        family: None,
        action: None,
        preference: None,
        is_static,
    };
    while parser.node.word(parser.index).is_some() {
        parser.word().ok()?;
        parser.index += 1;
    }
    parser.finish().ok()
}

impl<'n> Parser<'n, '_, '_> {
    fn drop(&mut self, message: String) -> Dropped {
        self.tell(message);
        Dropped
    }

    fn tell(&mut self, message: String) {
        let place = self.node.place_of(self.index);
        self.ctx.reports.at(place, Code::Rule, Class::General, message);
    }

    /// The word behind an option. Without it keepalived ends at once.
    fn value(&mut self) -> Result<&'n str, Dropped> {
        self.index += 1;
        self.ctx.required(self.node, self.index).ok_or(Dropped)
    }

    fn set_family(&mut self, family: Family) -> Result<(), Dropped> {
        if *self.family.get_or_insert(family) == family {
            return Ok(());
        }
        Err(self.drop("rule specification has mixed IPv4 and IPv6".into()))
    }

    fn prefix(&mut self, which: &str) -> Result<Option<Prefix>, Dropped> {
        let text = self.value()?;
        if matches!(text, "default" | "any" | "all") {
            return Ok(None);
        }
        let Some(prefix) = prefix(text) else {
            let place = self.node.place_of(self.index);
            let message = format!("Invalid rule {which} address {text}");
            let diagnostic = self.ctx.reports.at(place, Code::Rule, Class::General, message);
            diagnostic.detail = Some(format!("VRRP parsed invalid IP {text}. skipping IP..."));
            return Err(Dropped);
        };
        self.set_family(Family::of(prefix.address))?;
        Ok(Some(prefix))
    }

    fn act(&mut self, action: RuleAction) -> Result<(), Dropped> {
        if self.action.is_some() {
            let message = if action == RuleAction::L3mdev || self.action == Some(RuleAction::L3mdev) {
                "Cannot specify l3mdev with other action"
            } else {
                "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule"
            };
            return Err(self.drop(message.into()));
        }
        self.action = Some(action);
        Ok(())
    }

    /// A number in C notation; `Err` drops the rule.
    fn number<T: TryFrom<u64>>(&mut self, what: &str) -> Result<T, Dropped> {
        let text = self.value()?;
        let number = c_number(text).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| self.drop(format!("Invalid {what} {text} specified")))
    }

    fn interface(&mut self) -> Result<Option<IfName>, Dropped> {
        let text = self.value()?;
        let message = format!("WARNING - interface {text} for rule doesn't exist");
        let Ok(name) = text.parse::<IfName>() else {
            return Err(self.drop(message));
        };
        if self.ctx.interface(&name).is_none() && !self.ctx.is_link(&name) {
            self.ctx.missing_interface(self.node, self.index, &name, message);
        }
        Ok(Some(name))
    }

    fn word(&mut self) -> Result<(), Dropped> {
        match self.node.word(self.index).unwrap_or_default() {
            "inet" => self.set_family(Family::Ipv4)?,
            "inet6" => self.set_family(Family::Ipv6)?,
            "not" => self.rule.invert = true,
            "from" => self.rule.from = self.prefix("from")?,
            "to" => self.rule.to = self.prefix("to")?,
            "table" | "lookup" => {
                let text = self.value()?;
                match TABLES.wrapped(text, self.ctx.host) {
                    None => return Err(self.drop(format!("Routing table {text} not found for rule"))),
                    Some(0) => return Err(self.drop("Table 0 is not valid".into())),
                    Some(_) if self.action == Some(RuleAction::L3mdev) => {
                        return Err(self.drop("table cannot be specified for l3mdev rules".into()));
                    }
                    Some(table) => self.act(RuleAction::Table(table))?,
                }
            }
            "preference" | "priority" | "order" => {
                self.preference = Some(self.number("rule preference")?);
            }
            "tos" | "dsfield" => {
                let text = self.value()?;
                let tos = DSFIELDS.byte(text, self.ctx.host);
                self.rule.tos = Some(tos.ok_or_else(|| self.drop(format!("TOS value {text} is invalid")))?);
            }
            "fwmark" => self.fwmark()?,
            "realms" => {
                let text = self.value()?;
                let found = realms(text, self.ctx.host);
                self.rule.realms = Some(found.ok_or_else(|| self.drop(format!("invalid realms {text} for rule")))?);
                if self.set_family(Family::Ipv4).is_err() {
                    return Err(self.drop("realms is only valid for IPv4".into()));
                }
            }
            "iif" | "dev" => self.rule.iif = self.interface()?,
            "oif" => self.rule.oif = self.interface()?,
            _ => return self.rarer_word(),
        }
        Ok(())
    }

    fn rarer_word(&mut self) -> Result<(), Dropped> {
        match self.node.word(self.index).unwrap_or_default() {
            word @ ("suppress_prefixlength" | "sup_pl") => {
                let number: i32 = self.number(if word == "sup_pl" {
                    "suppress_prefixlength"
                } else {
                    word
                })?;
                self.rule.suppress_prefixlength = u32::try_from(number).ok();
            }
            "suppress_ifgroup" | "sup_group" => {
                let text = self.value()?;
                let group = GROUPS.number(text, self.ctx.host);
                self.rule.suppress_ifgroup =
                    Some(group.ok_or_else(|| self.drop(format!("suppress_group {text} is invalid")))?);
            }
            "tunnel-id" => self.rule.tunnel_id = Some(self.number("tunnel-id")?),
            "uidrange" => {
                let text = self.value()?;
                let range = range::<u32>(text);
                self.rule.uid_range =
                    Some(range.ok_or_else(|| self.drop(format!("Invalid uidrange {text} specified")))?);
            }
            "l3mdev" => self.act(RuleAction::L3mdev)?,
            "protocol" => {
                let text = self.value()?;
                match strict(0, 255).exact(text).and_then(|number| u8::try_from(number).ok()) {
                    Some(protocol) => self.rule.protocol = protocol,
                    None => self.tell(format!("Invalid protocol {text}")),
                }
            }
            "ipproto" => {
                let text = self.value()?;
                match ip_protocol(text) {
                    Some(protocol) => self.rule.ip_proto = Some(protocol),
                    None => self.tell(format!("Invalid ipproto {text}")),
                }
            }
            "sport" => self.rule.source_ports = self.ports("sport")?,
            "dport" => self.rule.destination_ports = self.ports("dport")?,
            "no_track" => self.rule.no_track = true,
            "track_group" if self.is_static => {
                self.value()?;
                self.rule.track_group = self.ctx.track_group(self.node, self.index);
            }
            "goto" => {
                let target = self.number("target")?;
                self.act(RuleAction::Goto(target))?;
            }
            "type" => {
                self.index += 1;
                return self.action_word();
            }
            _ => return self.action_word(),
        }
        Ok(())
    }

    fn action_word(&mut self) -> Result<(), Dropped> {
        match self.node.word(self.index).unwrap_or_default() {
            "nop" => self.act(RuleAction::Nop),
            "blackhole" => self.act(RuleAction::Blackhole),
            "unreachable" => self.act(RuleAction::Unreachable),
            "prohibit" => self.act(RuleAction::Prohibit),
            other
                if super::route::route_type(other)
                    .is_some_and(|_| !other.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                Err(self.drop(format!("Invalid rule action {other}")))
            }
            other => Err(self.drop(format!("Unknown rule option {other}"))),
        }
    }

    fn fwmark(&mut self) -> Result<(), Dropped> {
        let text = self.value()?;
        let (value, mask) = text
            .split_once('/')
            .map_or((text, None), |(value, mask)| (value, Some(mask)));
        let number = |text: &str| c_number(text).and_then(|number| u32::try_from(number).ok());
        let mark = number(value).and_then(|value| match mask {
            None => Some(Mark { value, mask: None }),
            Some(mask) => number(mask).map(|mask| Mark {
                value,
                mask: Some(mask),
            }),
        });
        self.rule.fwmark = Some(mark.ok_or_else(|| self.drop(format!("Invalid rule fwmark {text} specified")))?);
        Ok(())
    }

    /// `A-B`, or one port.
    fn ports(&mut self, word: &str) -> Result<Option<(u16, u16)>, Dropped> {
        let text = self.value()?;
        let ports = range::<u16>(text).or_else(|| text.parse().ok().map(|port| (port, port)));
        if ports.is_none() {
            self.tell(format!("invalid {word} range {text}"));
        }
        Ok(ports)
    }

    fn finish(mut self) -> Result<Rule, Dropped> {
        self.index = 0;
        let Some(action) = self.action else {
            return Err(self.drop("No action specified for rule - ignoring".into()));
        };
        self.rule.action = action;
        self.rule.family = self.family.unwrap_or(Family::Ipv4);
        let looks_up = matches!(action, RuleAction::Table(_) | RuleAction::L3mdev);
        let suppresses = self.rule.suppress_prefixlength.is_some()
            || self.rule.suppress_ifgroup.is_some()
            || self.rule.realms.is_some();
        if suppresses && !looks_up {
            return Err(self.drop("suppressor/realm specified for non table action - skipping".into()));
        }
        if let RuleAction::Goto(target) = action {
            match self.preference {
                None => {
                    let message = format!("Invalid rule - goto target {target} specified without preference");
                    return Err(self.drop(message));
                }
                Some(preference) if preference >= target => {
                    let message = format!("Invalid rule - preference {preference} >= goto target {target}");
                    return Err(self.drop(message));
                }
                Some(_) => {}
            }
        }
        if self.rule.protocol != PROTOCOL_KEEPALIVED && !self.rule.no_track {
            self.tell("Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol".into());
            self.rule.protocol = PROTOCOL_KEEPALIVED;
        }
        if self.rule.track_group.is_some() && self.rule.iif.is_none() {
            self.tell("Static rule cannot have track_group if dev/iif not specified".into());
            self.rule.track_group = None;
        }
        self.rule.preference = match self.preference {
            Some(preference) => preference,
            None => self.next_preference(),
        };
        Ok(self.rule)
    }

    fn next_preference(&mut self) -> u32 {
        let [ipv4, ipv6] = &mut self.ctx.next_preference;
        let next = match self.rule.family {
            Family::Ipv4 => ipv4,
            Family::Ipv6 => ipv6,
        };
        let preference = *next;
        *next = next.saturating_sub(1);
        self.tell(format!(
            "Rule has no preference specified - setting to {preference}. This is probably not what you want."
        ));
        preference
    }
}

/// `A-B`, with A not above B.
fn range<T: std::str::FromStr + PartialOrd>(text: &str) -> Option<(T, T)> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to).then_some((from, to))
}

/// Protocols of /etc/protocols that rules are written with.
fn ip_protocol(text: &str) -> Option<u8> {
    const NAMES: [(&str, u8); 14] = [
        ("ip", 0),
        ("icmp", 1),
        ("igmp", 2),
        ("ipencap", 4),
        ("tcp", 6),
        ("udp", 17),
        ("dccp", 33),
        ("ipv6", 41),
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("ipv6-icmp", 58),
        ("vrrp", 112),
        ("sctp", 132),
    ];
    let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    named.or_else(|| text.parse().ok())
}

/// The line so that it is read again.
pub(in crate::config) fn print(rule: &Rule, names: &Names<'_>) -> String {
    let mut words = vec![
        match rule.family {
            Family::Ipv4 => "inet",
            Family::Ipv6 => "inet6",
        }
        .to_owned(),
    ];
    if rule.invert {
        words.push("not".into());
    }
    let prefix = |prefix: Prefix| format!("{}/{}", prefix.address, prefix.len);
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{word} {value}"));
        }
    };
    add("from", rule.from.map(prefix));
    add("to", rule.to.map(prefix));
    add("tos", rule.tos.map(|tos| tos.to_string()));
    add(
        "fwmark",
        rule.fwmark.map(|mark| match mark.mask {
            None => format!("0x{:x}", mark.value),
            Some(mask) => format!("0x{:x}/0x{mask:x}", mark.value),
        }),
    );
    add("realms", rule.realms.map(print_realms));
    add("iif", rule.iif.as_ref().map(ToString::to_string));
    add("oif", rule.oif.as_ref().map(ToString::to_string));
    add(
        "suppress_prefixlength",
        rule.suppress_prefixlength.map(|n| n.to_string()),
    );
    add("suppress_ifgroup", rule.suppress_ifgroup.map(|n| n.to_string()));
    add("tunnel-id", rule.tunnel_id.map(|n| n.to_string()));
    add("uidrange", rule.uid_range.map(|(from, to)| format!("{from}-{to}")));
    add("ipproto", rule.ip_proto.map(|n| n.to_string()));
    add("sport", rule.source_ports.map(|(from, to)| format!("{from}-{to}")));
    add("dport", rule.destination_ports.map(|(from, to)| format!("{from}-{to}")));
    add(
        "protocol",
        (rule.protocol != PROTOCOL_KEEPALIVED).then(|| rule.protocol.to_string()),
    );
    let group = rule.track_group.and_then(|id| names.track_group(id));
    add(
        "track_group",
        group.map(|group| crate::config::schema::global::quoted(&group.name)),
    );
    add("preference", Some(rule.preference.to_string()));
    if rule.no_track {
        words.push("no_track".into());
    }
    words.push(match rule.action {
        RuleAction::Table(table) => format!("table {table}"),
        RuleAction::L3mdev => "l3mdev".into(),
        RuleAction::Goto(target) => format!("goto {target}"),
        RuleAction::Nop => "nop".into(),
        RuleAction::Blackhole => "blackhole".into(),
        RuleAction::Unreachable => "unreachable".into(),
        RuleAction::Prohibit => "prohibit".into(),
    });
    words.join(" ")
}
