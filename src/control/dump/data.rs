//! `keepalived.data`: configuration and state, line by line (interfaces §4.1).

use super::{Source, address_line, command, seconds};
use crate::model::{
    AnnounceSettings, Authentication, Family, Global, Instance, Micros, Script, ScriptId, Transport, Version,
    WantedState,
};
use crate::proto::{Activity, InstanceSnapshot, LinkSnapshot, Reason, StateName, TrackerKind, TrackerSnapshot};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Display;

/// Collects lines.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn section(&mut self, title: &str) {
        self.line(&format!("------< {title} >------"));
    }

    /// A line of a block's head: one blank.
    pub(super) fn head(&mut self, key: &str, value: impl Display) {
        self.line(&format!(" {key} = {value}"));
    }

    /// A line of a block: three blanks.
    pub(super) fn entry(&mut self, key: &str, value: impl Display) {
        self.line(&format!("   {key} = {value}"));
    }

    pub(super) fn title(&mut self, title: &str) {
        self.line(&format!("   {title}"));
    }

    /// A line below a title: five blanks.
    pub(super) fn item(&mut self, text: impl Display) {
        self.line(&format!("     {text}"));
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// The whole file.
#[must_use]
pub fn data(source: &Source<'_>) -> String {
    let mut page = Page::default();
    write_global(&mut page, &source.model.global, source.router_id);
    statics(&mut page, source);
    if !source.model.instances.is_empty() {
        page.section("VRRP Topology");
    }
    for (config, state) in source.instances() {
        instance(&mut page, source, config, state);
    }
    super::tracked::groups(&mut page, source);
    if !source.model.scripts.is_empty() {
        page.section("VRRP Scripts");
    }
    for (index, script) in source.model.scripts.iter().enumerate() {
        let tracker = source.tracker(TrackerKind::Script, &script.name);
        if let (Some(tracker), Ok(index)) = (tracker, u32::try_from(index)) {
            write_script(&mut page, source, ScriptId(index), script, tracker);
        }
    }
    super::tracked::sections(&mut page, source);
    page.section("Interfaces");
    for link in &source.snapshot.links {
        write_link(&mut page, source, link);
    }
    page.text
}

/// Static addresses, and the instances that follow static entries.
fn statics(page: &mut Page, source: &Source<'_>) {
    let model = source.model;
    if !model.static_addresses.is_empty() {
        page.section("Static Addresses");
    }
    for (fixed, shown) in model.static_addresses.iter().zip(&source.snapshot.static_addresses) {
        let group = fixed.track_group.and_then(|id| model.track_group(id));
        page.item(address_line(
            &fixed.address,
            group.map(|group| &*group.name),
            shown.present,
        ));
    }
    if !model.track_groups.is_empty() {
        page.section("Static Track groups");
    }
    for group in &model.track_groups {
        page.head("Static Track Group", &group.name);
        page.title("VRRP member instances :");
        let members = group
            .members
            .iter()
            .filter_map(|id| super::tracked::at(&model.instances, id.0));
        members.for_each(|member| page.item(&member.name));
    }
}

/// The section of the global settings: the whole of `keepalived_parent.data`.
#[must_use]
pub fn global(global: &Global, router_id: &str) -> String {
    let mut page = Page::default();
    write_global(&mut page, global, router_id);
    page.text
}

fn write_global(page: &mut Page, global: &Global, router_id: &str) {
    page.section("Global definitions");
    page.head(
        "Network namespace",
        global.net_namespace.as_deref().unwrap_or("(default)"),
    );
    if let Some(name) = &global.instance_name {
        page.head("Instance name", name);
    }
    page.line(if global.use_symlink_paths {
        " Use symlinks in script paths"
    } else {
        " Replace symlinks in script paths"
    });
    page.head("Router ID", router_id);
    page.head("Dynamic interfaces", global.dynamic_interfaces);
    if let Some(interface) = &global.default_interface {
        page.head("Default interface", interface);
    }
    page.head("VRRP IPv4 mcast group", global.mcast_group4);
    page.head("VRRP IPv6 mcast group", global.mcast_group6);
    announcements(page, " ", &global.announce, "refresh timer");
    page.head("Num adverts before down", global.down_timer_adverts.get());
    page.head(
        "Send advert after receive lower priority advert",
        !global.lower_prio_no_advert,
    );
    page.head(
        "Send advert after receive higher priority advert",
        global.higher_prio_send_advert,
    );
    page.head("Gratuitous ARP interval", fraction(global.garp_interval));
    page.head("Gratuitous NA interval", fraction(global.gna_interval));
    page.head("VRRP default protocol version", global.vrrp_version.number());
    page.head("VRRP check unicast_src", global.check_unicast_src);
    page.head("VRRP skip check advert addresses", global.skip_check_adv_addr);
    page.head("VRRP strict mode", global.strict);
    page.head("VRRP process priority", global.vrrp.nice.unwrap_or(0));
    page.head("VRRP don't swap", global.vrrp.no_swap);
    page.head("VRRP realtime priority", global.vrrp.rt_priority.unwrap_or(0));
    let security = if global.script_security { "enabled" } else { "disabled" };
    page.line(&format!(" Script security {security}"));
    if let Some(user) = global.script_user {
        page.line(&format!(" Default script uid:gid {}:{}", user.uid, user.gid));
    }
    page.head("umask", format!("0{:o}", global.umask));
    page.line(&format!(
        " json_version {}",
        if global.paths.json_version_2 { 2 } else { 1 }
    ));
}

/// The six numbers of the announcements; `indent` is that of the block.
fn announcements(page: &mut Page, indent: &str, settings: &AnnounceSettings, refresh: &str) {
    let mut add = |key: &str, value: String| page.line(&format!("{indent}Gratuitous ARP {key} = {value}"));
    add("delay", whole(settings.master_delay));
    add("repeat", settings.master_repeat.to_string());
    add(refresh, whole(settings.refresh));
    add("refresh repeat", settings.refresh_repeat.to_string());
    add("lower priority delay", whole(settings.lower_prio_delay));
    add("lower priority repeat", settings.lower_prio_repeat.to_string());
}

fn instance(page: &mut Page, source: &Source<'_>, config: &Instance, state: &InstanceSnapshot) {
    page.head("VRRP Instance", &config.name);
    page.entry("VRRP Version", config.version.number());
    if let Some(group) = config
        .sync_group
        .and_then(|id| super::tracked::at(&source.model.groups, id.0))
    {
        page.entry("Sync group", &group.name);
    }
    if config.family == Family::Ipv6 {
        page.title("Using Native IPv6");
    }
    page.entry("State", state.state.as_str());
    if let (StateName::Backup, Some(master)) = (state.state, &state.master) {
        page.entry("Master router", master.address);
        page.entry("Master priority", master.priority);
        if config.version == Version::V3 {
            let millis = state.master_advert_interval.as_millis();
            page.entry("Master advert interval", format!("{millis} milli-sec"));
        }
    }
    page.title("Flags: none");
    page.entry("Wantstate", wanted(config, state));
    faults(page, state);
    let last = state.last_transition.as_ref().map_or(state.since, |(at, _)| *at);
    page.entry("Last transition", source.dated(last));
    let deadline = state.timer.as_ref().filter(|_| state.state != StateName::Fault);
    let deadline = deadline.map(|timer| source.dated(source.snapshot.taken_at + timer.remaining));
    page.entry("Read timeout", deadline.unwrap_or_else(|| "DISABLED".into()));
    page.entry("Master down timer", format!("{} usecs", state.master_down_interval.0));
    if let Some(interface) = &config.interface {
        page.entry("Interface", interface);
    }
    if let Some(address) = state.source {
        page.entry("Using src_ip", address);
    }
    settings(page, source, config, state);
    addresses(page, config, state);
    super::tracked::of_instance(page, source, config);
    page.entry("Using smtp notification", yes_no(config.smtp_alert));
    let deleted = config.notify.as_ref().is_some_and(|notify| notify.deleted);
    page.entry("Notify deleted", if deleted { "Deleted" } else { "Fault" });
    page.entry("Notify priority changes", config.notify_priority_changes);
}

/// keepalived's wish follows the state, except that `state MASTER` is wished until it was reached once.
fn wanted(config: &Instance, state: &InstanceSnapshot) -> &'static str {
    let never = state.counters.became_master == 0 && state.state == StateName::Backup;
    if never && config.state == WantedState::Master {
        StateName::Master.as_str()
    } else {
        state.state.as_str()
    }
}

fn faults(page: &mut Page, state: &InstanceSnapshot) {
    let count = |wanted: fn(&Reason) -> bool| state.faults.iter().filter(|fault| wanted(fault)).count();
    let config = count(|fault| matches!(fault, Reason::ConfigurationFault { .. }));
    let trackers = count(|fault| matches!(fault, Reason::TrackerFailed { .. }));
    let down = count(|fault| matches!(fault, Reason::InterfaceDown { .. })) > 0;
    let no_source = count(|fault| matches!(fault, Reason::NoSourceAddress { .. })) > 0;
    page.entry("Number of config faults", config);
    page.entry("Number of tracker faults", trackers);
    if down || no_source {
        page.title("Flags of interface faults:");
        if down {
            page.item("i/f down");
        }
        if no_source {
            page.item("no source IP address");
        }
    } else {
        page.title("Flags of interface faults - (none)");
    }
    let pending = count(|fault| matches!(fault, Reason::TrackerPending { .. }));
    page.entry("Number of track scripts init", pending);
}

fn settings(page: &mut Page, source: &Source<'_>, config: &Instance, state: &InstanceSnapshot) {
    if let Transport::Multicast { group } = &config.transport {
        let link = config.interface.as_ref().filter(|_| group.is_ipv6());
        let link = link.and_then(|name| source.snapshot.links.iter().find(|link| link.link.name == *name));
        let link = link.map_or_else(String::new, |link| format!(", ifindex {}", link.link.index.0));
        page.title(&format!("Multicast address {group}{link}"));
    }
    announcements(page, "   ", &config.announce, "refresh");
    page.entry("Down timer adverts", config.down_timer_adverts.get());
    page.entry(
        "Send advert after receive lower priority advert",
        !config.lower_prio_no_advert,
    );
    page.entry(
        "Send advert after receive higher priority advert",
        config.higher_prio_send_advert,
    );
    page.entry("Virtual Router ID", config.vrid.get());
    page.entry("Priority", config.priority);
    page.entry("Effective priority", state.priority.effective);
    let total = state.priority.contributions.iter().map(|c| c.adds).sum::<i32>() + i32::from(config.priority.get());
    page.entry("Total priority", total);
    page.entry(
        "Advert interval",
        match config.version {
            Version::V2 => format!("{} sec", whole(state.advert_interval)),
            Version::V3 => format!("{} milli-sec", state.advert_interval.as_millis()),
        },
    );
    page.entry("Accept", enabled(config.accept));
    page.entry("Preempt", enabled(config.preempt));
    if config.preempt_delay > Micros::ZERO {
        page.entry("Preempt delay", format!("{} secs", seconds(config.preempt_delay)));
    }
    page.entry("Promote_secondaries", enabled(config.promote_secondaries));
    if config.version == Version::V2 {
        let (name, secret) = match config.authentication {
            Authentication::None => ("none", false),
            Authentication::Pass(_) => ("SIMPLE_PASSWORD", true),
            Authentication::Ah(_) => ("IPSEC_AH", true),
        };
        page.entry("Authentication type", name);
        if secret {
            page.entry("Password", "********");
        }
    }
}

fn addresses(page: &mut Page, config: &Instance, state: &InstanceSnapshot) {
    let all: Vec<String> = config
        .vips
        .iter()
        .chain(&config.excluded_vips)
        .zip(&state.vips)
        .map(|(vip, shown)| address_line(vip, None, shown.present))
        .collect();
    let (vips, excluded) = all.split_at(config.vips.len().min(all.len()));
    page.title(&format!("Virtual IP ({}):", vips.len()));
    vips.iter().for_each(|vip| page.item(vip));
    if !excluded.is_empty() {
        page.title("Virtual IP Excluded :");
        excluded.iter().for_each(|vip| page.item(vip));
    }
    if let Transport::Unicast { peers, .. } = &config.transport {
        page.title("Unicast Peer :");
        peers.iter().for_each(|peer| page.item(peer.address));
    }
}

fn write_script(page: &mut Page, source: &Source<'_>, id: ScriptId, script: &Script, tracker: &TrackerSnapshot) {
    page.head("VRRP Script", &script.name);
    page.entry("Command", command(script));
    if let Some(path) = script.path.as_ref().filter(|path| script.argv.first() != Some(path)) {
        page.entry("Path", path);
    }
    page.entry("Interval", format!("{} sec", seconds(script.interval)));
    page.entry(
        "Timeout",
        format!("{} sec", seconds(script.timeout.unwrap_or_default())),
    );
    page.entry("Weight", format!("{}{}", script.weight.value(), reverse(script.weight)));
    page.entry("Rise", script.rise);
    page.entry("Fall", script.fall);
    page.entry("Result", tracker.result);
    page.entry("Insecure", yes_no(script.insecure));
    page.entry("Status", if tracker.result >= script.rise { "GOOD" } else { "BAD" });
    if let Some(user) = script.user {
        page.entry("Script uid:gid", format!("{}:{}", user.uid, user.gid));
    }
    page.title("VRRP instances :");
    super::tracked::instances_of_script(page, source, id);
    page.entry(
        "State",
        match tracker.activity {
            Activity::Idle => "idle",
            Activity::Running => "running",
            Activity::Terminating => "requested termination",
            Activity::Killing => "forcing termination",
        },
    );
}

fn write_link(page: &mut Page, source: &Source<'_>, shown: &LinkSnapshot) {
    let link = &shown.link;
    page.head("Name", &link.name);
    page.entry("index", link.index.0);
    for (name, ipv4) in [("IPv4 address", true), ("IPv6 address", false)] {
        let first = shown.addresses.iter().find(|address| address.is_ipv4() == ipv4);
        page.entry(name, first.map_or_else(|| "(none)".into(), ToString::to_string));
    }
    if let Some(mac) = link.mac.filter(|_| !link.loopback) {
        page.entry("MAC", mac);
    }
    let mut state = String::from(if link.running { "UP, RUNNING" } else { "not RUNNING" });
    for (holds, text) in [
        (link.loopback, ", loopback"),
        (!link.multicast, ", no multicast"),
        (link.no_arp, ", no arp"),
    ] {
        if holds {
            state.push_str(text);
        }
    }
    page.entry("State", state);
    page.entry("MTU", link.mtu);
    let users: Vec<_> = source
        .model
        .instances
        .iter()
        .filter(|config| config.interface.as_ref() == Some(&link.name))
        .collect();
    if !users.is_empty() {
        page.title("Tracking VRRP instances :");
        users
            .iter()
            .for_each(|config| page.item(format!("{}, weight 0", config.name)));
    }
}

impl Source<'_> {
    /// `sec.usec (Mon Nov 23 06:22:14.101643 2026)`.
    fn dated(&self, at: crate::model::Instant) -> String {
        let wall = self.clock.micros_at(at);
        let stamp = Timestamp::from_microsecond(i64::try_from(wall.0).unwrap_or(0)).unwrap_or_default();
        let local = stamp.to_zoned_datetime(TimeZone::system());
        format!(
            "{} ({}.{:06} {})",
            self.stamp(at),
            local.strftime("%a %b %e %H:%M:%S"),
            wall.0 % 1_000_000,
            local.strftime("%Y")
        )
    }
}

/// Whole seconds: readers take these fields for integers.
fn whole(length: Micros) -> String {
    (length.0 / 1_000_000).to_string()
}

fn fraction(length: Micros) -> String {
    super::seconds_micros(length)
}

pub(super) fn reverse(weight: crate::model::Weight) -> &'static str {
    if weight.is_reverse() { " reverse" } else { "" }
}

pub(super) const fn yes_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

const fn enabled(is: bool) -> &'static str {
    if is { "enabled" } else { "disabled" }
}
