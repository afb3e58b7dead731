//! One instance: defaults, and contradictions resolved as keepalived resolves them (semantic-checks §4, §6).

use super::programs::Programs;
use super::{fatal, general, link, tracks};
use crate::config::code::Code;
use crate::config::diagnostic::{Class, Diagnostic, Severity};
use crate::config::lower::{Context, address};
use crate::config::place::Place;
use crate::config::schema::instance::{AuthType, Draft};
use crate::config::schema::instance_links::is_link_local;
use crate::model::{
    AdvertInterval, AnnounceSettings, Authentication, ConfigFault, DownTimerAdverts, Family, Global, GroupId, HmacAuth,
    HmacMode, Instance, Micros, Model, Password, Priority, Transport, Version, VirtualAddress, Vrid, WantedState,
};
use std::sync::Arc;

/// What makes an instance a unicast one.
const UNICAST: &[&str] = &["unicast_peer", "unicast_src_ip", "unicast_ttl", "check_unicast_src"];

/// What an instance gets from its sync group.
pub(super) struct Surroundings {
    pub(super) group: Option<GroupId>,
    /// Weights may be tracked; always so without a group.
    pub(super) group_weights: bool,
    pub(super) group_priority_changes: Option<bool>,
}

/// What no instance can do without (semantic-checks §4).
pub(super) fn minimal(draft: &Draft, ctx: &mut Context<'_>) {
    let name = &draft.name;
    if draft.vrid.is_none() {
        let message = format!("({name}) the virtual router id must be set");
        fatal(ctx, draft.place, Code::NoVrid, message);
    }
    if draft.interface.is_none() && !draft.unicast {
        fatal(
            ctx,
            draft.place,
            Code::NoInterface,
            format!("({name}) Unknown interface!"),
        );
    }
}

/// An instance while it is completed.
struct Completion<'m> {
    draft: Draft,
    global: &'m Global,
    name: Arc<str>,
    place: Place,
    strict: bool,
    family: Family,
    version: Version,
    priority: Priority,
    state: WantedState,
    fault: Option<ConfigFault>,
}

/// The instance, unless it cannot run.
#[expect(clippy::too_many_lines, reason = "one field after another")]
pub(super) fn complete(
    draft: Draft,
    around: &Surroundings,
    model: &Model,
    programs: &mut Programs,
    ctx: &mut Context<'_>,
) -> Option<Instance> {
    let vrid = draft.vrid.and_then(Vrid::new)?;
    if draft.interface.is_none() && !draft.unicast {
        return None;
    }
    let global = &model.global;
    let mut it = Completion {
        name: Arc::clone(&draft.name),
        place: draft.place,
        strict: draft.strict.unwrap_or(global.strict),
        family: draft.family.unwrap_or(Family::Ipv4),
        version: Version::V2,
        priority: Priority::DEFAULT,
        state: WantedState::Backup,
        fault: None,
        draft,
        global,
    };
    it.version(ctx);
    it.state_and_priority(ctx);
    let authentication = it.authentication(ctx);
    let hmac = it.hmac(ctx);
    let authentication = it.one_authentication(authentication, hmac.is_some(), ctx);
    let transport = it.transport(ctx)?;
    it.interface(&transport, ctx);
    let own_link = link::own(&mut it.draft, vrid, it.family, it.strict, &mut it.fault, global, ctx);
    it.first_ipv6(&transport, ctx);
    it.vrf(&transport, ctx);
    it.excess(authentication, hmac.is_some(), ctx);
    let (preempt, preempt_delay) = it.preemption(ctx);
    let down_timer_adverts = it.down_timer_adverts(ctx);
    let timer_expired_backup = it.timer_expired(preempt, ctx);
    let accept = it.accept(ctx);
    let transport = it.destination(transport, ctx);
    let announce = it.announce(ctx);
    let (lower_prio_no_advert, higher_prio_send_advert) = it.replies(ctx);
    let owner_ignore_adverts = it.owner_ignores(ctx);
    let advert_interval = it.advert_interval(ctx);
    let (vips, excluded_vips) = it.place_addresses(own_link.as_deref(), vrid, ctx);
    it.enough_addresses(vips.is_empty(), ctx)?;
    let owner = it.priority.is_owner();
    tracks::keep_what_counts(&mut it.draft, owner, around.group_weights, model, ctx);
    let alert = global.mail.alert_vrrp.or(global.mail.alert).unwrap_or(false);
    let draft = it.draft;
    let notify = programs.notify_all(draft.notify.into_inner(), ctx);
    Some(Instance {
        name: it.name,
        vrid,
        family: it.family,
        version: it.version,
        promote_secondaries: draft.promote_secondaries && own_link.is_none(),
        own_link,
        use_vmac_addr: draft.use_vmac_addr,
        vrf: draft.vrf,
        linkbeat_use_polling: draft.linkbeat_use_polling,
        config_fault: it.fault,
        sync_group: around.group,
        interface: draft.interface,
        state: it.state,
        priority: it.priority,
        advert_interval,
        down_timer_adverts,
        authentication,
        hmac,
        transport,
        source: draft.source,
        unicast_fault_no_peer: draft.unicast_fault_no_peer,
        track_source: draft.track_source && draft.source.is_some(),
        vips: vips.into(),
        excluded_vips,
        no_vips: draft.no_vips && !it.strict,
        routes: draft.routes,
        rules: draft.rules,
        preempt,
        preempt_delay,
        timer_expired_backup,
        accept,
        strict: it.strict,
        dont_track_primary: draft.dont_track_primary,
        track_scripts: draft.tracks.scripts,
        track_interfaces: draft.tracks.interfaces,
        track_files: draft.tracks.files,
        track_processes: draft.tracks.processes,
        track_bfds: draft.tracks.bfds,
        skip_check_adv_addr: draft.skip_check_adv_addr || global.skip_check_adv_addr,
        v3_checksum_as_v2: draft.v3_checksum_as_v2.unwrap_or(global.v3_checksum_as_v2),
        lower_prio_no_advert,
        higher_prio_send_advert,
        owner_ignore_adverts,
        announce,
        garp_extra: draft.garp.extra.unwrap_or(global.garp_extra),
        notify: (notify != Default::default()).then(|| Box::new(notify)),
        smtp_alert: draft.smtp_alert.unwrap_or(alert),
        notify_priority_changes: draft
            .notify_priority_changes
            .or(around.group_priority_changes)
            .unwrap_or(global.notify_priority_changes),
        kernel_rx_buf_size: draft.kernel_rx_buf_size,
        lvs_sync_daemon_interface: draft.lvs_sync_daemon_interface,
        debug: draft.debug.unwrap_or(0),
        ignore_foreign_claims: draft.answer_foreign_claims == Some(false),
        listen_after_stall: draft.listen_after_stall.unwrap_or(global.listen_after_stall),
    })
}

impl Completion<'_> {
    /// A check without class: keepalived only logs it.
    fn log(&self, code: Code, about: &'static [&'static str], message: String, ctx: &mut Context<'_>) {
        ctx.check(self.place, code, None, message).about(about).severity = Severity::Warning;
    }

    /// `about`: the keywords that it is about, see [`Diagnostic::about`].
    fn tell<'c>(
        &self,
        code: Code,
        about: &'static [&'static str],
        message: &str,
        ctx: &'c mut Context<'_>,
    ) -> &'c mut Diagnostic {
        let message = format!("({}) {message}", self.name);
        general(ctx, self.place, code, message).about(about)
    }

    fn version(&mut self, ctx: &mut Context<'_>) {
        self.version = match (self.family, self.draft.version) {
            (Family::Ipv6, Some(Version::V2)) if self.strict => {
                self.tell(
                    Code::StrictMode,
                    &["version"],
                    "cannot use IPv6 with VRRP version 2; setting version 3",
                    ctx,
                );
                Version::V3
            }
            (_, Some(version)) => version,
            (Family::Ipv6, None) => Version::V3,
            (Family::Ipv4, None) => self.global.vrrp_version,
        };
    }

    fn state_and_priority(&mut self, ctx: &mut Context<'_>) {
        let wants_master = self.draft.state == Some(WantedState::Master);
        let default = if wants_master {
            Priority::OWNER
        } else {
            Priority::DEFAULT
        };
        self.priority = self.draft.priority.map_or(default, Priority);
        let by_priority = if self.priority.is_owner() {
            WantedState::Master
        } else {
            WantedState::Backup
        };
        self.state = self.draft.state.unwrap_or(by_priority);
        if self.strict && self.state != by_priority {
            self.tell(
                Code::StrictMode,
                &["state", "priority"],
                "State MASTER must match being address owner",
                ctx,
            );
            self.state = by_priority;
        }
    }

    fn authentication(&mut self, ctx: &mut Context<'_>) -> Authentication {
        let Some(kind) = self.draft.auth_type else {
            return Authentication::None;
        };
        let password = self.draft.auth_pass.as_deref().filter(|password| !password.is_empty());
        let complaint = match (password, kind) {
            _ if self.strict => "Strict mode does not support authentication. Ignoring.",
            _ if self.version == Version::V3 => "VRRP version 3 does not support authentication. Ignoring.",
            (None, _) => "Authentication specified but no password given. Ignoring",
            (Some(_), AuthType::Ah) if self.family == Family::Ipv6 => {
                "Cannot use AH authentication with IPv6. ignoring"
            }
            (Some(text), AuthType::Pass) => return Authentication::Pass(Password::from_text(text)),
            (Some(text), AuthType::Ah) => {
                let password = Password::from_text(text);
                if self.state == WantedState::Master && !self.priority.is_owner() {
                    let why = "Initial state master is incompatible with AH authentication - clearing";
                    self.tell(Code::Authentication, &["state", "auth_type"], why, ctx);
                    self.state = WantedState::Backup;
                }
                return Authentication::Ah(password);
            }
        };
        self.tell(Code::Authentication, &["auth_type"], complaint, ctx);
        Authentication::None
    }

    fn one_authentication(&self, old: Authentication, hmac: bool, ctx: &mut Context<'_>) -> Authentication {
        if hmac && old != Authentication::None {
            let why = "auth_hmac cannot be combined with authentication, dropping legacy auth";
            self.tell(Code::AuthHmac, &["authentication", "auth_hmac"], why, ctx);
            return Authentication::None;
        }
        old
    }

    fn hmac(&mut self, ctx: &mut Context<'_>) -> Option<Box<HmacAuth>> {
        let draft = self.draft.hmac.take()?;
        let active_key = draft.active_key.unwrap_or(0);
        if !draft.keys.contains_key(&active_key) {
            let why = format!("auth_hmac active_key {active_key} is not defined, disabling extension");
            self.tell(Code::AuthHmac, &["active_key"], &why, ctx);
            return None;
        }
        let mut mode = draft.mode;
        if self.strict && mode != HmacMode::Enforce {
            self.tell(
                Code::StrictMode,
                &["mode"],
                "strict mode requires auth_hmac mode enforce",
                ctx,
            );
            mode = HmacMode::Enforce;
        }
        let adverts = self.draft.advert_int.unwrap_or(Micros::ZERO).times(3).0 / 1_000_000;
        Some(Box::new(HmacAuth {
            keys: draft.keys,
            active_key,
            time_window: draft.time_window.unwrap_or(Micros::from_secs(adverts.clamp(5, 300))),
            anti_replay: draft.anti_replay,
            mode,
        }))
    }

    /// Unicast or multicast; the group of multicast is settled later.
    fn transport(&mut self, ctx: &mut Context<'_>) -> Option<Transport> {
        let name = &self.name;
        let no_peers = self.draft.unicast && self.draft.peers.is_empty();
        if no_peers && self.draft.unicast_fault_no_peer {
            let message = format!("({name}) Cannot use unicast without any peers - going to fault state");
            self.log(Code::NoPeers, UNICAST, message, ctx);
            self.fault = Some(ConfigFault::NoPeers);
        } else if no_peers {
            let message = format!(
                "({name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration."
            );
            ctx.check(self.place, Code::NoPeers, Class::Deprecated, message)
                .about(UNICAST)
                .hint =
                Some("name the other nodes in unicast_peer; without it the adverts go to the multicast group".into());
        }
        let unicast = self.fault == Some(ConfigFault::NoPeers) || !self.draft.peers.is_empty();
        let facts = self.draft.interface.as_ref().and_then(|name| ctx.interface(name));
        if self.strict && unicast && facts.is_some_and(|facts| facts.multicast) {
            let message = format!("({name}) Unicast peers are not supported in strict mode");
            fatal(ctx, self.place, Code::StrictMode, message).about(&["unicast_peer", "strict_mode"]);
            return None;
        }
        if self.draft.interface.is_none() {
            let complaint = match self.draft.source {
                None => ": Unicast instances must have unicast_src_ip or interface",
                Some(source) if is_link_local(source) => " Non link-local address required if interface omitted",
                Some(_) => "",
            };
            if !complaint.is_empty() {
                fatal(ctx, self.place, Code::NoInterface, format!("({name}){complaint}"));
                return None;
            }
        }
        if !unicast {
            let group = match self.family {
                Family::Ipv4 => self.global.mcast_group4,
                Family::Ipv6 => self.global.mcast_group6,
            };
            return Some(Transport::Multicast { group });
        }
        Some(Transport::Unicast {
            peers: std::mem::take(&mut self.draft.peers),
            ttl: self.draft.unicast_ttl,
            check_source: self.draft.check_unicast_src || self.global.check_unicast_src,
            old_checksum: self.draft.old_checksum,
        })
    }

    fn interface(&mut self, transport: &Transport, ctx: &mut Context<'_>) {
        let Some(interface) = self.draft.interface.clone() else {
            return;
        };
        let Some(facts) = ctx.interface(&interface) else { return };
        if !facts.multicast && !transport.is_unicast() {
            let why = format!("interface {interface} does not support multicast, specify unicast peers - disabling");
            self.tell(Code::Unicast, &["interface"], &why, ctx);
            self.fault = Some(ConfigFault::NoMulticast);
        }
    }

    fn first_ipv6(&self, transport: &Transport, ctx: &mut Context<'_>) {
        let first = self.draft.vips.first().map(|vip| vip.address.address);
        if self.family != Family::Ipv6 || transport.is_unicast() || first.is_none_or(is_link_local) {
            return;
        }
        let name = &self.name;
        if self.strict {
            self.tell(
                Code::FirstIpv6NotLinkLocal,
                &["virtual_ipaddress"],
                "the first IPv6 VIP address must be link local",
                ctx,
            );
        } else {
            let message = format!("({name}) the first IPv6 VIP address should be link local");
            self.log(Code::FirstIpv6NotLinkLocal, &["virtual_ipaddress"], message, ctx);
        }
    }

    fn vrf(&mut self, transport: &Transport, ctx: &mut Context<'_>) {
        if self.draft.vrf.is_none() {
            return;
        }
        let why = if self.draft.interface.is_some() {
            "out interface"
        } else if !transport.is_unicast() {
            " unicast"
        } else {
            return;
        };
        self.tell(
            Code::Conflict,
            &["vrf"],
            &format!("vrf can only be specified with{why} - clearing"),
            ctx,
        );
        self.draft.vrf = None;
    }

    /// Moves to the excluded addresses what does not fit into an advert.
    fn excess(&mut self, authentication: Authentication, hmac: bool, ctx: &mut Context<'_>) {
        let facts = self
            .draft
            .interface
            .as_ref()
            .and_then(|interface| ctx.interface(interface));
        let mtu = facts.map_or(1500, |facts| facts.mtu);
        // keepalived subtracts the Ethernet header although the MTU does not count it; both ends have to agree on the cut.
        let (header, size) = match self.family {
            Family::Ipv4 => (20, 4),
            Family::Ipv6 => (40, 16),
        };
        let old = if self.version == Version::V2 && self.family == Family::Ipv4 {
            8
        } else {
            0
        };
        let ah = if matches!(authentication, Authentication::Ah(_)) {
            24
        } else {
            0
        };
        let overhead = 14 + 8 + header + old + ah + if hmac { 28 } else { 0 };
        let most = usize::try_from(mtu.saturating_sub(overhead) / size)
            .unwrap_or(255)
            .min(255);
        let count = self.draft.vips.len();
        if count > most {
            let why = format!(
                "Number of VIPs ({count}) exceeds maximum/space available in packet (max {most} addresses) - excess moved to eVIPs"
            );
            self.tell(Code::TooManyVips, &["virtual_ipaddress"], &why, ctx);
            let moved = self.draft.vips.split_off(most);
            self.draft.excluded.splice(0..0, moved);
        }
    }

    fn preemption(&self, ctx: &mut Context<'_>) -> (bool, Micros) {
        let mut preempt = self.draft.preempt.unwrap_or(true);
        let mut delay = self.draft.preempt_delay.unwrap_or(Micros::ZERO);
        let master = self.state == WantedState::Master;
        if !preempt && self.priority.is_owner() {
            self.tell(
                Code::Preemption,
                &["nopreempt", "priority"],
                "nopreempt is incompatible with priority 255. resetting nopreempt",
                ctx,
            );
            preempt = true;
        }
        if !preempt && master {
            let why = "Warning - nopreempt will not work with initial state MASTER - clearing";
            self.tell(Code::Preemption, &["nopreempt", "state"], why, ctx).hint =
                Some("write `state BACKUP` on every node: whoever is master then stays it".into());
            preempt = true;
        }
        if delay > Micros::ZERO {
            let (why, about): (_, &[_]) = if master {
                let why = "Warning - preempt delay will not work with initial state MASTER - clearing";
                (why, &["preempt_delay", "state"])
            } else if self.strict {
                let why = "preempt_delay is incompatible with strict mode - resetting";
                (why, &["preempt_delay", "strict_mode"])
            } else if !preempt {
                let why = "preempt_delay is incompatible with nopreempt mode - resetting";
                (why, &["preempt_delay", "nopreempt"])
            } else {
                return (preempt, delay);
            };
            self.tell(Code::Preemption, about, why, ctx);
            delay = Micros::ZERO;
        }
        (preempt, delay)
    }

    fn down_timer_adverts(&self, ctx: &mut Context<'_>) -> DownTimerAdverts {
        let written = self.draft.down_timer_adverts.and_then(DownTimerAdverts::new);
        let adverts = written.unwrap_or(self.global.down_timer_adverts);
        if self.strict && adverts != DownTimerAdverts::default() {
            self.tell(
                Code::StrictMode,
                &["down_timer_adverts", "strict_mode"],
                "down_timer_adverts is incompatible with strict mode - resetting",
                ctx,
            );
            return DownTimerAdverts::default();
        }
        adverts
    }

    fn timer_expired(&self, preempt: bool, ctx: &mut Context<'_>) -> Option<Priority> {
        let priority = self.draft.timer_expired_backup.map(Priority)?;
        if preempt {
            self.tell(
                Code::Preemption,
                &["timer_expired_backup"],
                "expired_timer_backup requires nopreempt - resetting",
                ctx,
            );
            return None;
        }
        Some(priority)
    }

    fn accept(&self, ctx: &mut Context<'_>) -> bool {
        let owner = self.priority.is_owner();
        let accept = self.draft.accept.unwrap_or(owner || !self.strict);
        if accept && self.strict && self.version == Version::V2 && !owner {
            let why = "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting";
            self.tell(Code::StrictMode, &["accept", "strict_mode"], why, ctx);
            return false;
        }
        accept
    }

    fn destination(&self, transport: Transport, ctx: &mut Context<'_>) -> Transport {
        match (transport, self.draft.group) {
            (Transport::Multicast { .. }, Some(group)) => Transport::Multicast { group },
            (unicast @ Transport::Unicast { .. }, Some(_)) => {
                self.tell(
                    Code::Unicast,
                    &["mcast_dst_ip", "unicast_peer"],
                    "multicast destination specified with unicast - ignoring",
                    ctx,
                );
                unicast
            }
            (transport, None) => transport,
        }
    }

    fn announce(&self, ctx: &mut Context<'_>) -> AnnounceSettings {
        let (draft, global) = (&self.draft, &self.global.announce);
        let mut settings = AnnounceSettings {
            master_repeat: draft.garp.master_repeat.unwrap_or(global.master_repeat),
            master_delay: draft.garp.master_delay.unwrap_or(global.master_delay),
            refresh: draft.garp.master_refresh.unwrap_or(global.refresh),
            refresh_repeat: draft.garp.master_refresh_repeat.unwrap_or(global.refresh_repeat),
            lower_prio_repeat: draft.garp.lower_prio_repeat.unwrap_or(global.lower_prio_repeat),
            lower_prio_delay: draft.garp.lower_prio_delay.unwrap_or(global.lower_prio_delay),
        };
        if self.strict {
            if draft.garp.lower_prio_repeat.is_some_and(|repeat| repeat > 0) {
                self.tell(
                    Code::StrictMode,
                    &["garp_lower_prio_repeat", "strict_mode"],
                    "Strict mode requires no repeat garps. resetting",
                    ctx,
                );
            }
            if draft.garp.lower_prio_delay.is_some_and(|delay| delay > Micros::ZERO) {
                self.tell(
                    Code::StrictMode,
                    &["garp_lower_prio_delay", "strict_mode"],
                    "Strict mode requires no repeat garp delay. resetting",
                    ctx,
                );
            }
            settings.lower_prio_repeat = 0;
            settings.lower_prio_delay = Micros::ZERO;
        }
        settings
    }

    /// Whether a worse advert stays unanswered, and whether the loser of two masters sends once more.
    fn replies(&self, ctx: &mut Context<'_>) -> (bool, bool) {
        let (lower, higher) = (self.draft.lower_prio_no_advert, self.draft.higher_prio_send_advert);
        if !self.strict {
            return (
                lower.unwrap_or(self.global.lower_prio_no_advert),
                higher.unwrap_or(self.global.higher_prio_send_advert),
            );
        }
        if lower == Some(false) {
            self.tell(
                Code::StrictMode,
                &["lower_prio_no_advert", "strict_mode"],
                "Strict mode requires no lower priority advert. resetting",
                ctx,
            );
        }
        if higher == Some(true) {
            self.tell(
                Code::StrictMode,
                &["higher_prio_send_advert", "strict_mode"],
                "strict mode requires higher_prio_send_advert to be clear. resetting",
                ctx,
            );
        }
        (true, false)
    }

    fn owner_ignores(&self, ctx: &mut Context<'_>) -> bool {
        match (self.priority.is_owner(), self.draft.owner_ignore_adverts) {
            (false, Some(true)) => {
                self.tell(
                    Code::Conflict,
                    &["owner_ignore_adverts", "priority"],
                    "ignoring owner_ignore_adverts since priority is not 255",
                    ctx,
                );
                false
            }
            (false, _) => false,
            (true, Some(false)) => {
                self.tell(
                    Code::StrictMode,
                    &["owner_ignore_adverts", "priority"],
                    "strict_mode with priority 255 requires owner_ignore_adverts",
                    ctx,
                );
                true
            }
            (true, Some(true)) => true,
            (true, None) => self.strict || self.global.owner_ignore_adverts,
        }
    }

    /// Version 2 carries whole seconds, version 3 at most 4095 centiseconds.
    fn advert_interval(&self, ctx: &mut Context<'_>) -> AdvertInterval {
        let written = self.draft.advert_int.unwrap_or(Micros::SECOND);
        let centiseconds = match self.version {
            Version::V2 => ((written.0 + 500_000) / 1_000_000).clamp(1, 255) * 100,
            Version::V3 => ((written.0 + 5_000) / 10_000).clamp(1, 4095),
        };
        if centiseconds * 10_000 != written.0 {
            let why = match self.version {
                Version::V2 => format!("VRRPv2 advertisement interval {written}s must be an integer. rounding"),
                Version::V3 if written.0 >= 40_960_000 => {
                    let short = format!("{}.{:02}", written.0 / 1_000_000, written.0 % 1_000_000 / 10_000);
                    format!(
                        "VRRPv3 advertisement interval {short}s is out of range. Must be less than 40.96s. Setting to 40.95s"
                    )
                }
                Version::V3 => format!("VRRPv3 advertisement interval {written}s must be in units of 10ms - rounding"),
            };
            let sent = format!("{}.{:02}", centiseconds / 100, centiseconds % 100);
            self.tell(Code::AdvertInterval, &["advert_int", "version"], &why, ctx)
                .hint = Some(match self.version {
                Version::V2 => format!("it is sent every {sent} s; only version 3 knows fractions of a second"),
                Version::V3 => format!("it is sent every {sent} s"),
            });
        }
        let interval = u16::try_from(centiseconds)
            .ok()
            .and_then(AdvertInterval::from_centiseconds);
        interval.unwrap_or_default()
    }

    /// Gives every address its interface.
    fn place_addresses(
        &mut self,
        own: Option<&crate::model::OwnLink>,
        vrid: Vrid,
        ctx: &mut Context<'_>,
    ) -> (Vec<VirtualAddress>, Vec<VirtualAddress>) {
        let vips = std::mem::take(&mut self.draft.vips);
        let excluded = std::mem::take(&mut self.draft.excluded);
        let place = |list: Vec<address::Draft>, which: &str, ctx: &mut Context<'_>| -> Vec<VirtualAddress> {
            let mut placed = Vec::with_capacity(list.len());
            for vip in list {
                let Some(interface) = vip.interface.as_ref().or(self.draft.interface.as_ref()) else {
                    let shown = vip.address.shown();
                    let message = format!("({}): no interface for {which}vip {shown} - removing", self.name);
                    general(ctx, vip.place, Code::NoInterface, message);
                    continue;
                };
                let mut address = VirtualAddress {
                    interface: interface.clone(),
                    ..vip.address
                };
                link::of_address(
                    &mut address,
                    &self.draft,
                    own,
                    self.family,
                    vrid,
                    vip.place,
                    self.global,
                    ctx,
                );
                placed.push(address);
            }
            placed
        };
        (place(vips, "", ctx), place(excluded, "e", ctx))
    }

    /// Version 3 and strict mode need an address; version 2 only warns.
    fn enough_addresses(&mut self, none: bool, ctx: &mut Context<'_>) -> Option<()> {
        let name = &self.name;
        if self.draft.no_vips && self.strict {
            let message =
                format!("({name}) no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress");
            ctx.check(self.place, Code::StrictMode, Class::Warning, message)
                .about(&["no_virtual_ipaddress", "strict_mode"]);
            self.draft.no_vips = false;
        }
        if !none || self.draft.no_vips {
            return Some(());
        }
        if self.version == Version::V3 || self.strict {
            let message = format!("({name}) No VIP specified; at least one is required");
            fatal(ctx, self.place, Code::NoVips, message);
            return None;
        }
        let message = format!("({name}) No VIP specified; at least one is sensible");
        ctx.check(self.place, Code::NoVips, Class::Warning, message);
        Some(())
    }
}
