//! What keepalived's `-t` says of virtual servers once all of them have been read (semantic-checks §10).

use super::general;
use crate::config::code::Code;
use crate::config::lower::Context;
use crate::config::lower::service::{Forwarding, Group, Server, Service, Services, Target};

/// Compares what belongs together. Services of a group that does not exist are left out, as with keepalived.
pub(super) fn judge(services: &mut Services, ctx: &mut Context<'_>) {
    let Services { list, groups, .. } = services;
    for service in list {
        match &service.target {
            Target::Group(name) => {
                let Some(group) = groups.iter().find(|group| group.name == *name) else {
                    continue;
                };
                Judged::of(service, Some(group)).judge(ctx);
            }
            Target::Address(..) | Target::Mark(_) => Judged::of(service, None).judge(ctx),
        }
    }
}

struct Judged<'s> {
    service: &'s mut Service,
    group: Option<&'s Group>,
    has_addresses: bool,
    has_marks: bool,
}

impl<'s> Judged<'s> {
    fn of(service: &'s mut Service, group: Option<&'s Group>) -> Self {
        let by_mark = matches!(service.target, Target::Mark(_));
        Self {
            has_addresses: group.map_or(!by_mark, |group| !group.ranges.is_empty()),
            has_marks: group.map_or(by_mark, |group| group.has_marks),
            service,
            group,
        }
    }

    fn say(&self, ctx: &mut Context<'_>, message: String) {
        general(ctx, self.service.place, Code::Lvs, message);
    }

    fn shown(&self, server: &Server) -> String {
        let protocol = self.service.protocol.unwrap_or("none");
        format!("[{}]:{protocol}:{}", server.address, server.port)
    }

    fn judge(mut self, ctx: &mut Context<'_>) {
        self.protocol(ctx);
        self.persistence(ctx);
        let name = self.service.name();
        if self.has_marks && !self.has_addresses && self.service.protocol.take().is_some() {
            let message =
                format!("Warning: Virtual server {name}: protocol specified for fwmark - protocol will be ignored");
            self.say(ctx, message);
        }
        if !self.service.has_scheduler {
            let message = format!("Virtual server {name}: no scheduler set, setting default 'wlc'");
            self.say(ctx, message);
        }
        self.duplicates(ctx);
        self.forwarding(ctx);
        self.like_sorry(ctx);
        self.quorum(ctx);
        self.ports(ctx);
    }

    fn protocol(&mut self, ctx: &mut Context<'_>) {
        let name = self.service.name();
        if self.service.ha_suspend && self.has_marks {
            let message = format!("Virtual server {name}: cannot use ha_suspend with fwmarks - clearing ha_suspend");
            self.say(ctx, message);
        }
        if !self.has_addresses {
            return;
        }
        if self.service.protocol.is_none() {
            let message = format!("Virtual server {name}: no protocol set - defaulting to UDP");
            self.say(ctx, message);
            self.service.protocol = Some("udp");
        }
        if self.service.one_packet && self.service.protocol != Some("udp") {
            let message = format!("Virtual server {name}: one packet scheduling requires UDP - resetting");
            self.say(ctx, message);
        }
    }

    fn persistence(&self, ctx: &mut Context<'_>) {
        let portless = match (&self.service.target, self.group) {
            (Target::Address(_, port), _) => *port == 0,
            (_, Some(group)) => group.ranges.iter().any(|(_, port)| *port == 0),
            (_, None) => false,
        };
        if portless && !self.service.persistent {
            let name = self.service.name();
            let message = format!("Virtual server {name}: zero port only valid for persistent services - setting");
            self.say(ctx, message);
        }
    }

    fn duplicates(&mut self, ctx: &mut Context<'_>) {
        let mut kept: Vec<Server> = Vec::new();
        for server in std::mem::take(&mut self.service.servers) {
            if kept.iter().any(|other| is_same(other, &server)) {
                let (name, shown) = (self.service.name(), self.shown(&server));
                let message = format!("VS {name}: real server {shown} is duplicated - removing second rs");
                self.say(ctx, message);
            } else {
                kept.push(server);
            }
        }
        self.service.servers = kept;
    }

    fn forwarding(&mut self, ctx: &mut Context<'_>) {
        let servers = self.service.servers.iter().chain(&self.service.sorry);
        if servers.into_iter().any(|server| server.forwarding.is_none()) && self.service.forwarding.is_none() {
            let name = self.service.name();
            let message = format!("Virtual server {name}: no forwarding method set, setting default NAT");
            self.say(ctx, message);
            self.service.forwarding = Some(Forwarding::Nat);
        }
        let default = self.service.forwarding;
        for server in self.service.servers.iter_mut().chain(&mut self.service.sorry) {
            server.forwarding = server.forwarding.or(default);
        }
    }

    /// A real server that is the sorry server too must have its inhibit setting.
    fn like_sorry(&self, ctx: &mut Context<'_>) {
        let Some(sorry) = &self.service.sorry else { return };
        let mut inhibit = sorry.inhibit.unwrap_or(false);
        for server in self.service.servers.iter().filter(|server| is_same(sorry, server)) {
            let own = server.inhibit.unwrap_or(self.service.inhibit);
            if std::mem::replace(&mut inhibit, own) != own {
                let (name, shown) = (self.service.name(), self.shown(server));
                let setting = if own { "setting" } else { "clearing" };
                let message = format!(
                    "Virtual server {name}: real server {shown} matches sorry server, but inhibit setting differs, {setting} on sorry server"
                );
                self.say(ctx, message);
            }
        }
    }

    fn quorum(&mut self, ctx: &mut Context<'_>) {
        let name = self.service.name();
        let weight = self.service.weight;
        let sum: i64 = self
            .service
            .servers
            .iter()
            .map(|server| server.weight.unwrap_or(weight))
            .sum();
        let Service { quorum, hysteresis, .. } = *self.service;
        if quorum > sum {
            let message = format!(
                "Warning - quorum {quorum} for {name} exceeds total weight of real servers {sum}, reducing quorum to {sum}"
            );
            self.say(ctx, message);
        }
        let quorum = quorum.min(sum);
        if hysteresis >= quorum {
            let message = format!(
                "Virtual server {name}: hysteresis {hysteresis} >= quorum {quorum}; setting hysteresis to {}",
                quorum - 1
            );
            self.say(ctx, message);
        }
    }

    /// Only NAT can change a port.
    fn ports(&self, ctx: &mut Context<'_>) {
        let name = self.service.name();
        let fixed = |server: &&Server| server.forwarding != Some(Forwarding::Nat) && server.port != 0;
        let servers = || self.service.servers.iter().filter(fixed);
        let sorry = self.service.sorry.as_ref().filter(fixed);
        if self.has_marks {
            let (end, whose) = match self.group {
                Some(_) => ("port will be ignored", "fwmark virtual server"),
                None => ("clearing", "virtual server"),
            };
            for server in servers() {
                let shown = self.shown(server);
                let message =
                    format!("WARNING - fwmark virtual server {name}, real server {shown} has port specified - {end}");
                self.say(ctx, message);
            }
            if sorry.is_some() {
                let message = format!("WARNING - {whose} {name}, sorry server has port specified - {end}");
                self.say(ctx, message);
            }
        }
        for (range, port) in self.group.iter().flat_map(|group| &group.ranges) {
            for server in servers().filter(|server| server.port != *port) {
                let shown = self.shown(server);
                let message =
                    format!("virtual server {name}:[{range},{port}] and real server {shown} ports don't match");
                self.say(ctx, message);
            }
            if sorry.is_some_and(|sorry| sorry.port != *port) {
                let message =
                    format!("WARNING - virtual server {name}, sorry server has port specified - port will be ignored");
                self.say(ctx, message);
            }
        }
        if let Target::Address(_, port) = self.service.target {
            for server in servers().filter(|server| server.port != port) {
                let shown = self.shown(server);
                let message =
                    format!("WARNING - virtual server {name} and real server {shown} ports don't match - resetting");
                self.say(ctx, message);
            }
            if sorry.is_some_and(|sorry| sorry.port != port) {
                let message = format!("WARNING - virtual server {name} and sorry server ports don't match - resetting");
                self.say(ctx, message);
            }
        }
    }
}

fn is_same(one: &Server, other: &Server) -> bool {
    one.address == other.address && one.port == other.port
}
