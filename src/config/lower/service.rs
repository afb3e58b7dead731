//! `virtual_server` and `virtual_server_group`, as far as keepalived's `-t` judges their lines (keywords-lvs).
//!
//! vrrpd runs none of it; but who checks a file for both wants one verdict. `check/service` compares afterwards what belongs
//! together.

use super::Context;
use super::command::Command;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::place::Place;
use crate::config::schema::{Number, Time, number, strict, truth};
use crate::config::tree::Node;
use crate::model::Family;
use std::net::IpAddr;

/// How packets reach a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Forwarding {
    Nat,
    Direct,
    Tunnel,
}

/// What a service is known by.
#[derive(Debug)]
pub(in crate::config) enum Target {
    Address(IpAddr, u16),
    Mark(i64),
    Group(String),
}

/// A real server or the sorry server.
#[derive(Debug)]
pub(in crate::config) struct Server {
    pub(in crate::config) address: IpAddr,
    pub(in crate::config) port: u16,
    pub(in crate::config) forwarding: Option<Forwarding>,
    pub(in crate::config) weight: Option<i64>,
    pub(in crate::config) inhibit: Option<bool>,
}

/// A `virtual_server`.
#[derive(Debug)]
pub(in crate::config) struct Service {
    pub(in crate::config) place: Place,
    pub(in crate::config) target: Target,
    family: Option<Family>,
    pub(in crate::config) protocol: Option<&'static str>,
    pub(in crate::config) has_scheduler: bool,
    pub(in crate::config) forwarding: Option<Forwarding>,
    pub(in crate::config) persistent: bool,
    pub(in crate::config) one_packet: bool,
    pub(in crate::config) ha_suspend: bool,
    pub(in crate::config) inhibit: bool,
    pub(in crate::config) quorum: i64,
    pub(in crate::config) hysteresis: i64,
    pub(in crate::config) weight: i64,
    pub(in crate::config) servers: Vec<Server>,
    pub(in crate::config) sorry: Option<Server>,
}

/// A `virtual_server_group`.
#[derive(Debug)]
pub(in crate::config) struct Group {
    pub(in crate::config) name: String,
    /// Ranges as written, and their ports.
    pub(in crate::config) ranges: Vec<(String, u16)>,
    pub(in crate::config) has_marks: bool,
}

/// All that is compared.
#[derive(Debug, Default)]
pub(in crate::config) struct Services {
    pub(in crate::config) list: Vec<Service>,
    pub(in crate::config) groups: Vec<Group>,
    /// Programs of services and their checkers.
    pub(in crate::config) programs: Vec<Command>,
}

const SCHEDULERS: [&str; 14] = [
    "rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos",
];

const ANY: i64 = 4_294_967_295;

/// A value that is only looked at.
enum Value {
    Count(Number),
    Period(Time),
    Truth,
}

type Row = (&'static str, Value, &'static str);

const fn period(min: u64, max: u64) -> Value {
    Value::Period(Time::seconds(6, min, max))
}

const DELAY: Value = period(0, 18_446_744_073_709_550_000);
const LOOP: Value = period(1, 18_446_744_073_709_550_000);
const CONNECT: Value = period(1, 4_294_967_295);

const OF_SERVICE: &[Row] = &[
    ("retry", Value::Count(strict(1, ANY)), "retry value invalid - {v}"),
    (
        "delay_before_retry",
        DELAY,
        "virtual server delay before retry '{v}' invalid - ignoring",
    ),
    ("warmup", DELAY, "virtual server warmup '{v}' invalid - ignoring"),
    (
        "connect_timeout",
        CONNECT,
        "virtual server connect_timeout {v} invalid - ignoring",
    ),
    ("delay_loop", LOOP, "virtual server delay loop '{v}' invalid - ignoring"),
    (
        "smtp_alert",
        Value::Truth,
        "Invalid virtual_server smtp_alert parameter {v}",
    ),
];

const OF_SERVER: &[Row] = &[
    (
        "uthreshold",
        Value::Count(number(0, ANY)),
        "Invalid real_server uthreshold '{v}' - ignoring",
    ),
    (
        "lthreshold",
        Value::Count(number(0, ANY)),
        "Invalid real_server lthreshold '{v}' - ignoring",
    ),
    ("alpha", Value::Truth, "Invalid alpha parameter {v}"),
    ("retry", Value::Count(strict(1, ANY)), "retry value invalid - {v}"),
    (
        "delay_before_retry",
        DELAY,
        "real server delay_before_retry '{v}' invalid - ignoring",
    ),
    ("warmup", DELAY, "real server warmup '{v}' invalid - ignoring"),
    (
        "connect_timeout",
        CONNECT,
        "real server connect_timeout {v} invalid - ignoring",
    ),
    ("delay_loop", LOOP, "real server delay_loop '{v}' invalid - ignoring"),
    (
        "smtp_alert",
        Value::Truth,
        "Invalid real_server smtp_alert parameter {v}",
    ),
];

const OF_CHECKER: &[Row] = &[
    (
        "retry",
        Value::Count(number(0, ANY)),
        "Invalid retry connection value '{v}'",
    ),
    (
        "nb_get_retry",
        Value::Count(number(0, ANY)),
        "Invalid retry connection value '{v}'",
    ),
    (
        "delay_before_retry",
        DELAY,
        "Invalid delay_before_retry connection value '{v}'",
    ),
    ("warmup", DELAY, "Invalid warmup connection value '{v}'"),
    ("delay_loop", LOOP, "delay_loop '{v}' is invalid - ignoring"),
    ("connect_timeout", CONNECT, "connect_timeout {v} invalid - ignoring"),
    (
        "connect_port",
        Value::Count(number(1, 65_535)),
        "Invalid checker connect_port '{v}'",
    ),
    (
        "bind_port",
        Value::Count(number(1, 65_535)),
        "Invalid checker bind_port '{v}'",
    ),
    (
        "fwmark",
        Value::Count(number(0, ANY)),
        "Invalid fwmark connection value '{v}'",
    ),
    (
        "misc_timeout",
        Value::Count(number(0, 4294)),
        "Invalid misc_timeout value '{v}'",
    ),
    ("alpha", Value::Truth, "Invalid alpha parameter {v}"),
    (
        "log_all_failures",
        Value::Truth,
        "Invalid log_all_failures parameter {v}",
    ),
    ("enable_sni", Value::Truth, "Invalid enable_sni parameter {v}"),
    ("fast_recovery", Value::Truth, "Invalid fast_recovery parameter {v}"),
];

/// Reads a block of the top level.
pub(in crate::config) fn read(node: &Node, all: &mut Services, ctx: &mut Context<'_>) {
    match node.key() {
        "virtual_server" => all.list.extend(service(node, &mut all.programs, ctx)),
        "virtual_server_group" => all.groups.extend(group(node, ctx)),
        _ => {}
    }
}

fn tell(node: &Node, index: usize, message: String, ctx: &mut Context<'_>) {
    ctx.reports
        .at(node.place_of(index), Code::BadValue, Class::General, message);
}

fn tell_end(node: &Node, message: String, ctx: &mut Context<'_>) {
    ctx.reports.at_end(node, Code::IncompleteBlock, Class::General, message);
}

/// The number behind a keyword; what is wrong with it is told.
fn count(node: &Node, range: Number, message: &str, ctx: &mut Context<'_>) -> Option<i64> {
    let text = ctx.required(node, 1)?;
    match ctx.number(range.read(text, ctx.test), node, 1) {
        Ok(value) => Some(value),
        Err(detail) => {
            bad(node, message, detail, ctx);
            None
        }
    }
}

fn bad(node: &Node, message: &str, detail: Option<String>, ctx: &mut Context<'_>) {
    let message = message.replace("{v}", node.first().unwrap_or_default());
    let diagnostic = ctx
        .reports
        .at(node.place_of(1), Code::BadNumber, Class::General, message);
    diagnostic.detail = detail;
}

/// Looks at a value that nothing else depends on.
fn look(node: &Node, rows: &[Row], ctx: &mut Context<'_>) {
    let Some((_, value, message)) = rows.iter().find(|(key, ..)| *key == node.key()) else {
        return;
    };
    match value {
        Value::Count(range) => drop(count(node, *range, message, ctx)),
        Value::Truth => {
            if truth(node.first()).is_none() {
                bad(node, message, None, ctx);
            }
        }
        Value::Period(time) => {
            if let Some(text) = ctx.required(node, 1)
                && let Err(detail) = ctx.number(time.read(text, ctx.test), node, 1)
            {
                bad(node, message, detail, ctx);
            }
        }
    }
}

/// An address, without a range or mask behind it, and a port; no port and zeros are 0.
fn endpoint(address: &str, port: Option<&str>) -> Option<(IpAddr, u16)> {
    let end = address.find(['/', '-']).unwrap_or(address.len());
    let address = address.get(..end)?.parse().ok()?;
    let port = match port.filter(|port| port.bytes().any(|b| b != b'0')) {
        None => 0,
        Some(port) => u16::try_from(strict(1, 65_535).exact(port)?).ok()?,
    };
    Some((address, port))
}

const fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::Ipv4,
        IpAddr::V6(_) => Family::Ipv6,
    }
}

fn forwarding(node: &Node, whose: &str, ctx: &mut Context<'_>) -> Option<Forwarding> {
    match ctx.required(node, 1)? {
        "NAT" => Some(Forwarding::Nat),
        "DR" => Some(Forwarding::Direct),
        "TUN" => Some(Forwarding::Tunnel),
        other => {
            let message = format!("PARSER : unknown [{other}] routing method for {whose} server.");
            tell(node, 1, message, ctx);
            None
        }
    }
}

/// What a `virtual_server` is for; `None`: the block is skipped.
fn target(node: &Node, ctx: &mut Context<'_>) -> Option<Target> {
    match ctx.required(node, 1)? {
        "group" => Some(Target::Group(ctx.required(node, 2)?.to_owned())),
        "fwmark" => {
            let text = ctx.required(node, 2)?;
            let mark = number(0, ANY).exact(text);
            if mark.is_none() {
                let message = format!("virtual server fwmark '{text}' must be in [0, {ANY}] - ignoring");
                tell(node, 2, message, ctx);
            }
            mark.map(Target::Mark)
        }
        address => {
            let port = node.word(2).filter(|port| port.bytes().any(|b| b != b'0'));
            let found = endpoint(address, port).map(|(address, port)| Target::Address(address, port));
            if found.is_none() {
                let shown = port.map_or(address.to_owned(), |port| format!("{address}/{port}"));
                let what = if port.is_some() { "address/port" } else { "address" };
                tell(
                    node,
                    1,
                    format!("Invalid virtual server IP {what} {shown} - skipping"),
                    ctx,
                );
            }
            found
        }
    }
}

fn service(node: &Node, programs: &mut Vec<Command>, ctx: &mut Context<'_>) -> Option<Service> {
    let target = target(node, ctx)?;
    let mut service = Service {
        place: node.place,
        family: match target {
            Target::Address(address, _) => Some(family(address)),
            Target::Mark(_) | Target::Group(_) => None,
        },
        target,
        protocol: None,
        has_scheduler: false,
        forwarding: None,
        persistent: false,
        one_packet: false,
        ha_suspend: false,
        inhibit: false,
        quorum: 1,
        hysteresis: 0,
        weight: 1,
        servers: Vec::new(),
        sorry: None,
    };
    let mut own = Vec::new();
    for line in &node.children {
        if line.key() == "real_server" {
            let server = server(line, &mut service, &mut own, ctx);
            service.servers.extend(server);
        } else {
            service_line(line, &mut service, &mut own, ctx);
        }
    }
    if service.servers.is_empty() {
        let message = format!("Virtual server {} has no real servers - ignoring", service.name());
        tell_end(node, message, ctx);
        return None;
    }
    service.sorry = service.sorry.take().filter(|sorry| {
        let tunnel = sorry.forwarding == Some(Forwarding::Tunnel);
        let fits = tunnel || *service.family.get_or_insert(family(sorry.address)) == family(sorry.address);
        if !fits {
            let message = format!(
                "Address family of virtual server and sorry server {} don't match - skipping sorry server.",
                sorry.address
            );
            tell_end(node, message, ctx);
        }
        fits
    });
    programs.append(&mut own);
    Some(service)
}

impl Service {
    /// As keepalived shows it.
    pub(in crate::config) fn name(&self) -> String {
        match &self.target {
            Target::Group(name) => format!("[{name}]:0"),
            Target::Mark(mark) => format!("FWM {mark}"),
            Target::Address(address, port) => format!("[{address}]:{}:{port}", self.protocol.unwrap_or("none")),
        }
    }
}

fn service_line(line: &Node, service: &mut Service, programs: &mut Vec<Command>, ctx: &mut Context<'_>) {
    match line.key() {
        "ip_family" => match ctx.required(line, 1) {
            Some("inet") => service.family = service.family.or(Some(Family::Ipv4)),
            Some("inet6") => service.family = service.family.or(Some(Family::Ipv6)),
            Some(other) => tell(line, 1, format!("unknown address family {other}"), ctx),
            None => {}
        },
        "lb_algo" | "lvs_sched" => match ctx.required(line, 1) {
            Some(name) if SCHEDULERS.contains(&name) => service.has_scheduler = true,
            Some(name) => tell(line, 1, format!("Invalid lvs_scheduler '{name}' - ignoring"), ctx),
            None => {}
        },
        "lb_kind" | "lvs_method" => service.forwarding = forwarding(line, "virtual", ctx).or(service.forwarding),
        "protocol" => {
            let Some(text) = ctx.required(line, 1) else { return };
            match ["tcp", "udp", "sctp"]
                .into_iter()
                .find(|name| name.eq_ignore_ascii_case(text))
            {
                Some(name) => service.protocol = Some(name),
                None => tell(line, 1, format!("Unknown protocol {text} - ignoring"), ctx),
            }
        }
        "persistence_timeout" if line.len() < 2 => service.persistent = true,
        "persistence_timeout" => {
            let seconds = count(line, strict(1, 2_678_400), "persistence_timeout invalid", ctx);
            service.persistent |= seconds.is_some();
        }
        "persistence_granularity" => service.persistent = true,
        "ops" => service.one_packet = true,
        "ha_suspend" => service.ha_suspend = true,
        "inhibit_on_failure" => service.inhibit = true,
        "quorum" => {
            let message = "Quorum {v} must be in [1, 4294967295]. Setting to 1.";
            service.quorum = count(line, number(1, ANY), message, ctx).unwrap_or(1);
        }
        "hysteresis" => {
            let message = "Hysteresis {v} must be in [0, 4294967295] - ignoring";
            service.hysteresis = count(line, number(0, ANY), message, ctx).unwrap_or(service.hysteresis);
        }
        "weight" => {
            let message = "Virtual server weight {v} is outside range 1-65535";
            service.weight = count(line, number(1, 65_535), message, ctx).unwrap_or(service.weight);
        }
        "sorry_server" => sorry_server(line, service, ctx),
        "sorry_server_inhibit" => match &mut service.sorry {
            Some(sorry) => sorry.inhibit = Some(true),
            None => {
                let message = "Ignoring sorry_server inhibit used before or without sorry_server";
                tell(line, 0, message.into(), ctx);
            }
        },
        "sorry_server_lvs_method" => {
            let found = service.sorry.is_some().then(|| forwarding(line, "sorry", ctx));
            match (&mut service.sorry, found) {
                (Some(sorry), Some(found)) => sorry.forwarding = found.or(sorry.forwarding),
                _ => tell(line, 0, "sorry_server forwarding used without sorry_server".into(), ctx),
            }
        }
        "quorum_up" | "quorum_down" => programs.extend(Command::quietly(line)),
        _ => look(line, OF_SERVICE, ctx),
    }
}

fn sorry_server(line: &Node, service: &mut Service, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(line, 1) else { return };
    match endpoint(text, line.word(2)) {
        Some((address, port)) => {
            service.sorry = Some(Server {
                address,
                port,
                forwarding: service.forwarding,
                weight: Some(1),
                inhibit: Some(false),
            });
        }
        None => tell(
            line,
            1,
            format!("Invalid sorry server IP address {text} - skipping"),
            ctx,
        ),
    }
}

fn server(node: &Node, service: &mut Service, programs: &mut Vec<Command>, ctx: &mut Context<'_>) -> Option<Server> {
    let text = ctx.required(node, 1)?;
    let Some((address, port)) = endpoint(text, node.word(2)) else {
        let port = node.word(2).unwrap_or("(null)");
        let message = format!("Invalid real server ip address/port {text}/{port} - skipping");
        tell(node, 1, message, ctx);
        return None;
    };
    let mut server = Server {
        address,
        port,
        forwarding: service.forwarding,
        weight: None,
        inhibit: None,
    };
    for line in &node.children {
        match line.key() {
            "weight" => {
                let message = "Real server weight {v} is outside range 0-65535";
                server.weight = count(line, number(0, 65_535), message, ctx).or(server.weight);
            }
            "lvs_method" => server.forwarding = forwarding(line, "real", ctx).or(server.forwarding),
            "inhibit_on_failure" => match truth(line.first()) {
                Some(on) => server.inhibit = Some(on),
                None => bad(line, "Invalid inhibit_on_failure parameter {v}", None, ctx),
            },
            "notify_up" | "notify_down" => programs.extend(Command::quietly(line)),
            key if key.ends_with("_CHECK") || key.ends_with("_GET") => checker(line, programs, ctx),
            _ => look(line, OF_SERVER, ctx),
        }
    }
    let tunnel = server.forwarding == Some(Forwarding::Tunnel);
    if !tunnel && *service.family.get_or_insert(family(address)) != family(address) {
        let message =
            format!("Address family of virtual server and real server {address} don't match - skipping real server.");
        tell_end(node, message, ctx);
        return None;
    }
    Some(server)
}

fn checker(node: &Node, programs: &mut Vec<Command>, ctx: &mut Context<'_>) {
    let lines = |key: &'static str| node.children.iter().filter(move |line| line.key() == key);
    for line in &node.children {
        look(line, OF_CHECKER, ctx);
        // Not of PING_CHECK and others, where it is an unknown keyword.
        if line.key() == "nb_get_retry" {
            let message = "nb_get_retry is deprecated - please use 'retry'".into();
            ctx.reports
                .at(line.place_of(0), Code::Deprecated, Class::Deprecated, message);
        }
    }
    match node.key() {
        "MISC_CHECK" => misc(node, programs, ctx),
        "HTTP_GET" | "SSL_GET" => {
            if lines("url").next().is_none() {
                tell_end(
                    node,
                    "HTTP/SSL_GET checker has no urls specified - ignoring".into(),
                    ctx,
                );
            }
            for url in lines("url") {
                if !url.children.iter().any(|line| line.key() == "path") {
                    tell_end(url, "HTTP/SSL_GET checker url has no path - ignoring".into(), ctx);
                }
            }
        }
        "FILE_CHECK" if lines("track_file").next().is_none() => {
            tell_end(node, "FILE_CHECK has no track_file specified - ignoring".into(), ctx);
        }
        "SMTP_CHECK" => {
            for again in lines("helo_name").skip(1) {
                tell(again, 0, "SMTP_CHECK helo name already specified".into(), ctx);
            }
        }
        "DNS_CHECK" => {
            for again in lines("name").skip(1) {
                tell(again, 0, "DNS_CHECK name already specified - ignoring".into(), ctx);
            }
        }
        "BFD_CHECK" if lines("name").next().is_none() => {
            let message = "No name has been specified for BFD_CHECKER - skipping";
            tell_end(node, message.into(), ctx);
        }
        _ => {}
    }
}

fn misc(node: &Node, programs: &mut Vec<Command>, ctx: &mut Context<'_>) {
    let of = |key: &str| node.children.iter().rfind(|line| line.key() == key);
    let Some(command) = of("misc_path").and_then(Command::quietly) else {
        tell_end(
            node,
            "No script path has been specified for MISC_CHECKER - skipping".into(),
            ctx,
        );
        return;
    };
    if of("user").is_none() && ctx.default_user.is_none() {
        ctx.no_default_user(node.place, node.end);
        let words = command.quoted_words();
        tell_end(
            node,
            format!("Unable to set default user for misc script {words} - removing"),
            ctx,
        );
        return;
    }
    programs.push(command);
}

/// What stands behind the last number of `ADDRESS-LAST`.
fn behind_range(text: &str, address: IpAddr) -> Option<&str> {
    let (_, last) = text.split_once('-')?;
    let digits = |c: char| match address {
        IpAddr::V4(_) => c.is_ascii_digit(),
        IpAddr::V6(_) => c.is_ascii_hexdigit(),
    };
    let surplus = last.trim_start_matches(digits);
    (!surplus.is_empty()).then_some(surplus)
}

fn group(node: &Node, ctx: &mut Context<'_>) -> Option<Group> {
    let name = ctx.required(node, 1)?;
    let mut group = Group {
        name: name.to_owned(),
        ranges: Vec::new(),
        has_marks: false,
    };
    for line in &node.children {
        if line.key() == "fwmark" {
            let text = ctx.required(line, 1)?;
            if number(0, ANY).exact(text).is_some() {
                group.has_marks = true;
            } else {
                let message = format!("({name}): fwmark '{text}' must be in [0, {ANY}] - ignoring");
                tell(line, 1, message, ctx);
            }
            continue;
        }
        let port = line.word(1).filter(|port| port.bytes().any(|b| b != b'0'));
        match endpoint(line.key(), port) {
            Some((address, port)) => {
                if let Some(surplus) = behind_range(line.key(), address) {
                    let message = format!(
                        "Virtual server group range '{}' has extra characters at end '{surplus}'",
                        line.key()
                    );
                    tell(line, 0, message, ctx);
                }
                group.ranges.push((line.key().to_owned(), port));
            }
            None => {
                let shown = port.map_or(String::new(), |port| format!("/port/{port}"));
                let message = format!(
                    "Invalid virtual server group IP address {} {shown} - skipping",
                    line.key()
                );
                tell(line, 0, message, ctx);
            }
        }
    }
    if group.ranges.is_empty() && !group.has_marks {
        tell_end(
            node,
            format!("virtual server group {name} has no entries - removing"),
            ctx,
        );
        return None;
    }
    Some(group)
}
