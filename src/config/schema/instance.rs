//! `vrrp_instance`, `authentication`, `auth_hmac`: what is written. What follows from it is in `check`.

use super::instance_links as links;
use super::keyword::{Block, Keyword, Synonym, Table, Told, boolean, command, flag, int, time};
use super::value::{Time, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context, Tracks, address, route, rule};
use crate::config::place::Place;
use crate::config::seldom::{Seldom, Unwritten};
use crate::config::tree::Node;
use crate::model::{
    AntiReplay, Family, GarpExtra, HmacKey, HmacMode, IfName, Micros, OldUnicastChecksum, Route, Rule, UnicastPeer,
    Version, WantedState,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// An instance as written; `None` = not written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) place: Place,
    pub(in crate::config) vrid: Option<u8>,
    pub(in crate::config) interface: Option<IfName>,
    pub(in crate::config) vrf: Option<IfName>,
    pub(in crate::config) state: Option<WantedState>,
    pub(in crate::config) priority: Option<u8>,
    pub(in crate::config) version: Option<Version>,
    pub(in crate::config) family: Option<Family>,
    pub(in crate::config) advert_int: Option<Micros>,
    pub(in crate::config) auth_type: Option<AuthType>,
    pub(in crate::config) auth_pass: Option<Box<str>>,
    pub(in crate::config) hmac: Option<Box<Hmac>>,
    pub(in crate::config) unicast: bool,
    pub(in crate::config) unicast_fault_no_peer: bool,
    pub(in crate::config) peers: Vec<UnicastPeer>,
    pub(in crate::config) unicast_ttl: Option<u8>,
    pub(in crate::config) check_unicast_src: bool,
    pub(in crate::config) old_checksum: OldUnicastChecksum,
    pub(in crate::config) group: Option<IpAddr>,
    pub(in crate::config) source: Option<IpAddr>,
    /// `unicast_src_ip` was the keyword of `source`.
    pub(in crate::config) unicast_source: bool,
    pub(in crate::config) track_source: bool,
    pub(in crate::config) vips: Vec<address::Draft>,
    pub(in crate::config) excluded: Vec<address::Draft>,
    pub(in crate::config) no_vips: bool,
    pub(in crate::config) preempt: Option<bool>,
    pub(in crate::config) preempt_delay: Option<Micros>,
    pub(in crate::config) timer_expired_backup: Option<u8>,
    pub(in crate::config) accept: Option<bool>,
    pub(in crate::config) strict: Option<bool>,
    pub(in crate::config) dont_track_primary: bool,
    pub(in crate::config) tracks: Tracks,
    pub(in crate::config) skip_check_adv_addr: bool,
    pub(in crate::config) v3_checksum_as_v2: Option<bool>,
    pub(in crate::config) lower_prio_no_advert: Option<bool>,
    pub(in crate::config) higher_prio_send_advert: Option<bool>,
    pub(in crate::config) listen_after_stall: Option<bool>,
    pub(in crate::config) owner_ignore_adverts: Option<bool>,
    pub(in crate::config) promote_secondaries: bool,
    pub(in crate::config) linkbeat_use_polling: bool,
    pub(in crate::config) down_timer_adverts: Option<u8>,
    pub(in crate::config) garp: Seldom<Garp>,
    pub(in crate::config) link: Option<Box<links::Draft>>,
    pub(in crate::config) vmac_xmit_base: bool,
    pub(in crate::config) use_vmac_addr: bool,
    pub(in crate::config) routes: Vec<Route>,
    pub(in crate::config) rules: Vec<Rule>,
    pub(in crate::config) notify: Seldom<Notify>,
    pub(in crate::config) smtp_alert: Option<bool>,
    pub(in crate::config) notify_priority_changes: Option<bool>,
    pub(in crate::config) kernel_rx_buf_size: Option<u32>,
    pub(in crate::config) lvs_sync_daemon_interface: Option<IfName>,
    pub(in crate::config) debug: Option<u8>,
    pub(in crate::config) answer_foreign_claims: Option<bool>,
}

impl Block for Draft {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Draft {
    /// Gives back the room for more entries when there will be none: there may be very many instances.
    pub(in crate::config) fn shrink(&mut self) {
        self.vips.shrink_to_fit();
        self.excluded.shrink_to_fit();
        self.peers.shrink_to_fit();
        self.routes.shrink_to_fit();
        self.rules.shrink_to_fit();
        self.tracks.shrink();
    }
}

/// `garp_*` of an instance as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Garp {
    pub(in crate::config) master_delay: Option<Micros>,
    pub(in crate::config) master_refresh: Option<Micros>,
    pub(in crate::config) master_repeat: Option<u32>,
    pub(in crate::config) master_refresh_repeat: Option<u32>,
    pub(in crate::config) lower_prio_delay: Option<Micros>,
    pub(in crate::config) lower_prio_repeat: Option<u32>,
    pub(in crate::config) extra: Option<GarpExtra>,
}

impl Unwritten for Garp {
    const NOTHING: &'static Self = &Self {
        master_delay: None,
        master_refresh: None,
        master_repeat: None,
        master_refresh_repeat: None,
        lower_prio_delay: None,
        lower_prio_repeat: None,
        extra: None,
    };
}

/// The programs of an instance or a group as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Notify {
    pub(in crate::config) master: Option<Box<Command>>,
    pub(in crate::config) backup: Option<Box<Command>>,
    pub(in crate::config) fault: Option<Box<Command>>,
    pub(in crate::config) stop: Option<Box<Command>>,
    pub(in crate::config) any: Option<Box<Command>>,
    pub(in crate::config) deleted: bool,
    pub(in crate::config) deleted_program: Option<Box<Command>>,
    pub(in crate::config) master_rx_lower_pri: Option<Box<Command>>,
}

impl Unwritten for Notify {
    const NOTHING: &'static Self = &Self {
        master: None,
        backup: None,
        fault: None,
        stop: None,
        any: None,
        deleted: false,
        deleted_program: None,
        master_rx_lower_pri: None,
    };
}

/// `auth_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum AuthType {
    /// `PASS`.
    Pass,
    /// `AH`.
    Ah,
}

/// `auth_hmac` as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Hmac {
    pub(in crate::config) keys: BTreeMap<u8, HmacKey>,
    pub(in crate::config) active_key: Option<u8>,
    pub(in crate::config) time_window: Option<Micros>,
    pub(in crate::config) anti_replay: AntiReplay,
    pub(in crate::config) mode: HmacMode,
}

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "vrrp_instance",
    keywords: &[ROUTER, links::KEYWORDS, HELD, ACTS, TOLD],
};

/// Longest time of a timer that has whole seconds in 32 bits.
const LONG: u64 = 4_294_967_295;

const ROUTER: &[Keyword<Draft>] = &[
    Keyword::<Draft>::custom("state", "MASTER|BACKUP", "", state, |d, _| match d.state {
        None => Vec::new(),
        Some(WantedState::Master) => vec!["MASTER".into()],
        Some(WantedState::Backup) => vec!["BACKUP".into()],
    })
    .nothing()
    .doc(
        "MASTER if the priority is 255, else BACKUP",
        "How the instance wants to begin.",
    ),
    Keyword::<Draft>::custom(
        "interface",
        "IFNAME",
        "at most 15 characters",
        links::interface,
        |d, _| d.interface.iter().map(ToString::to_string).collect(),
    )
    .restart()
    .doc("none, required unless unicast", "Interface that it runs on."),
    Keyword::<Draft>::int("virtual_router_id", "N", strict(1, 255), int!(vrid))
        .bad("({n}): VRID '{v}' not valid - must be between 1 & 255")
        .restart()
        .doc("none, required", "Number of the virtual router."),
    Keyword::<Draft>::int("priority", "N", strict(1, 255), int!(priority))
        .bad_then(
            "({n}) Priority not valid! must be between 1 & 255. Using default 100",
            |d| d.priority = Some(100),
        )
        .doc(
            "255 if `state MASTER`, else 100",
            "Who becomes master: the highest. 255 = owner of the addresses.",
        ),
    Keyword::<Draft>::custom("version", "2|3", "2..3", version, |d, _| {
        d.version.iter().map(|version| version.number().to_string()).collect()
    })
    .doc("vrrp_version; 3 for IPv6", "Version of VRRP."),
    Keyword::<Draft>::custom("native_ipv6", "", "", native_ipv6, |d, _| {
        (d.family == Some(Family::Ipv6) && d.vips.is_empty())
            .then(String::new)
            .into_iter()
            .collect()
    })
    .restart()
    .doc("off", "Says that the family is IPv6."),
    Keyword::<Draft>::time("advert_int", Time::seconds(6, 10_000, 255_000_000), time!(advert_int))
        .bad("({n}) Advert interval ({v}) not valid! Must be > 0 - ignoring")
        .doc("1", "Time between two adverts; version 2: whole seconds."),
    Keyword::<Draft>::block(
        "authentication",
        "{ ... }",
        "vrrp_instance / authentication",
        |node, d, ctx| AUTHENTICATION.read_all(node, d, ctx),
    )
    .doc("none", "Authentication of version 2."),
    Keyword::<Draft>::block("auth_hmac", "{ ... }", "vrrp_instance / auth_hmac", |node, d, ctx| {
        d.hmac.get_or_insert_default();
        AUTH_HMAC.read_all(node, d, ctx);
    })
    .doc("none", "HMAC-SHA256 behind each advert, an extension of keepalived."),
];

pub(in crate::config) const AUTHENTICATION: Table<Draft> = Table {
    path: "vrrp_instance / authentication",
    keywords: &[&[
        Keyword::<Draft>::custom("auth_type", "PASS|AH", "", auth_type, |d, _| match d.auth_type {
            None => Vec::new(),
            Some(AuthType::Pass) => vec!["PASS".into()],
            Some(AuthType::Ah) => vec!["AH".into()],
        })
        .toml("type")
        .doc("none", "A password in each advert, or an authentication header."),
        Keyword::<Draft>::custom("auth_pass", "STRING", "8 bytes count", auth_pass, |d, _| {
            d.auth_pass
                .iter()
                .map(|password| super::global::quoted(password))
                .collect()
        })
        .toml("password")
        .doc("none", "The password."),
    ]],
};

pub(in crate::config) const AUTH_HMAC: Table<Draft> = Table {
    path: "vrrp_instance / auth_hmac",
    keywords: &[&[
        Keyword::<Draft>::custom(
            "key",
            "ID VALUE|hex:DIGITS|file:PATH",
            "ID 1..255; 32..64 bytes",
            links::hmac_key,
            links::print_hmac_keys,
        )
        .doc("none", "A key; several may be known, so that keys can be changed."),
        Keyword::<Draft>::int(
            "active_key",
            "ID",
            strict(1, 255),
            (
                |d, n| d.hmac.get_or_insert_default().active_key = u8::try_from(n).ok(),
                |d| d.hmac.as_ref().and_then(|hmac| hmac.active_key).map(i64::from),
            ),
        )
        .bad("({n}) auth_hmac active_key '{v}' must be between 1 and 255")
        .doc("none, required", "The key that signs."),
        Keyword::<Draft>::time(
            "time_window",
            Time::whole(1, 300),
            (
                |d, time| d.hmac.get_or_insert_default().time_window = Some(time),
                |d| d.hmac.as_ref().and_then(|hmac| hmac.time_window),
            ),
        )
        .bad("({n}) auth_hmac time_window '{v}' must be between 1 and 300 seconds")
        .nothing()
        .doc("three adverts, at least 5", "How old an advert may be."),
        Keyword::<Draft>::custom("anti_replay", "time|monotonic", "", links::anti_replay, |d, _| match d
            .hmac
            .as_ref()
            .map(|hmac| hmac.anti_replay)
        {
            Some(AntiReplay::Monotonic) => vec!["monotonic".into()],
            Some(AntiReplay::Time) | None => Vec::new(),
        })
        .nothing()
        .doc("time", "What keeps a recorded advert from being played again."),
        Keyword::<Draft>::custom(
            "mode",
            "enforce|permissive|receive-only",
            "",
            links::hmac_mode,
            |d, _| match d.hmac.as_ref().map(|hmac| hmac.mode) {
                Some(HmacMode::Permissive) => vec!["permissive".into()],
                Some(HmacMode::ReceiveOnly) => vec!["receive-only".into()],
                Some(HmacMode::Enforce) | None => Vec::new(),
            },
        )
        .doc("enforce", "For taking it into use step by step."),
    ]],
};

fn state(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    match (text, draft.state) {
        ("MASTER", _) => draft.state = Some(WantedState::Master),
        ("BACKUP", Some(WantedState::Master)) => {
            let message = format!("({name}) state previously set as MASTER - ignoring BACKUP");
            ctx.reports
                .at(node.place_of(1), Code::AlreadyDefined, Class::General, message);
        }
        ("BACKUP", _) => draft.state = Some(WantedState::Backup),
        (other, _) => {
            let message = format!("({name}) unknown state '{other}', defaulting to BACKUP");
            let diagnostic = ctx
                .reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
            diagnostic.hint = Some("use MASTER or BACKUP, in capitals".into());
            draft.state = Some(WantedState::Backup);
        }
    }
}

fn version(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let version = match ctx.number(number(2, 3).signed().read(text, ctx.test), node, 1) {
        Ok(2) => Version::V2,
        Ok(_) => Version::V3,
        Err(detail) => {
            let message = format!("({}): Version must be either 2 or 3", draft.name);
            ctx.reports
                .at(node.place_of(1), Code::BadNumber, Class::General, message)
                .detail = detail;
            return;
        }
    };
    match draft.version.filter(|known| *known != version) {
        Some(known) => {
            let (name, new, old) = (&draft.name, version.number(), known.number());
            let message =
                format!("({name}) vrrp_version {new} conflicts with configured or deduced version {old}; ignoring.");
            ctx.reports
                .at(node.place_of(1), Code::Conflict, Class::General, message);
        }
        None => draft.version = Some(version),
    }
}

fn native_ipv6(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if draft.family == Some(Family::Ipv4) {
        let message = format!("({}) Cannot specify native_ipv6 with IPv4 addresses", draft.name);
        ctx.reports
            .at(node.place, Code::FamilyMismatch, Class::General, message);
    } else {
        draft.family = Some(Family::Ipv6);
        draft.version.get_or_insert(Version::V3);
    }
}

fn auth_type(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    match text {
        "PASS" => draft.auth_type = Some(AuthType::Pass),
        "AH" => draft.auth_type = Some(AuthType::Ah),
        other => {
            let message = format!("({}) unknown authentication type '{other}'", draft.name);
            let diagnostic = ctx
                .reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
            diagnostic.hint = Some("use PASS or AH, in capitals".into());
        }
    }
}

fn auth_pass(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    if text.len() > 8 {
        let message = "Truncating auth_pass to 8 characters".into();
        ctx.reports
            .at(node.place_of(1), Code::Authentication, Class::General, message);
    }
    let end = (0..=8).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let kept = if text.len() > 8 {
        text.get(..end).unwrap_or_default()
    } else {
        text
    };
    draft.auth_pass = Some(kept.into());
}

const HELD: &[Keyword<Draft>] = &[
    Keyword::<Draft>::lines("virtual_ipaddress", "{ ADDRESS ... }", address::vip, |d, names| {
        address::print_all(&d.vips, names)
    })
    .doc("none", "Addresses that the master holds, in the order of the advert."),
    Keyword::<Draft>::lines(
        "virtual_ipaddress_excluded",
        "{ ADDRESS ... }",
        address::excluded,
        |d, names| address::print_all(&d.excluded, names),
    )
    .doc("none", "Addresses that the master holds but does not advertise."),
    Keyword::<Draft>::flag("no_virtual_ipaddress", flag!(no_vips))
        .nothing()
        .doc("off", "Says that no addresses are needed."),
    Keyword::<Draft>::lines(
        "virtual_routes",
        "{ ROUTE ... }",
        |node, d, ctx| d.routes.extend(route::line(node, false, ctx)),
        |d, names| d.routes.iter().map(|route| route::print(route, names)).collect(),
    )
    .interfaces_only()
    .doc("none", "Routes that the master sets."),
    Keyword::<Draft>::lines(
        "virtual_rules",
        "{ RULE ... }",
        |node, d, ctx| d.rules.extend(rule::line(node, false, ctx)),
        |d, names| d.rules.iter().map(|rule| rule::print(rule, names)).collect(),
    )
    .interfaces_only()
    .doc("none", "Policy rules that the master sets."),
    Keyword::<Draft>::flag("promote_secondaries", flag!(promote_secondaries))
        .later()
        .doc("off", "Sets the sysctl promote_secondaries of the interface."),
    Keyword::<Draft>::flag("dont_track_primary", flag!(dont_track_primary))
        .doc("off", "Faults of the own interface do not count."),
    Keyword::<Draft>::lines(
        "track_interface",
        "{ IFNAME [weight N [reverse]] ... }",
        |node, d, ctx| {
            let name = d.name.clone();
            d.tracks.interface(node, &name, ctx);
        },
        |d, names| d.tracks.print_interfaces(names),
    )
    .doc("none", "Interfaces that have to be up; -254..254."),
    Keyword::<Draft>::lines(
        "track_script",
        "{ NAME [weight N [reverse|noreverse]] ... }",
        |node, d, ctx| {
            let name = d.name.clone();
            d.tracks.script(node, &name, ctx);
        },
        |d, names| d.tracks.print_scripts(names),
    )
    .doc("none", "Scripts that have to succeed."),
    Keyword::<Draft>::lines(
        "track_file",
        "{ NAME [weight N [reverse|noreverse]] ... }",
        |node, d, ctx| {
            let name = d.name.clone();
            d.tracks.file(node, &name, ctx);
        },
        |d, names| d.tracks.print_files(names),
    )
    .doc("none", "Files whose number changes the priority."),
    Keyword::<Draft>::lines(
        "track_process",
        "{ NAME [weight N [reverse|noreverse]] ... }",
        |node, d, ctx| {
            let name = d.name.clone();
            d.tracks.process(node, &name, ctx);
        },
        |d, names| d.tracks.print_processes(names),
    )
    .doc("none", "Processes that have to run."),
    Keyword::<Draft>::lines(
        "track_bfd",
        "{ NAME [weight N [reverse|noreverse]] ... }",
        |node, d, ctx| {
            let name = d.name.clone();
            d.tracks.bfd(node, &name, ctx);
        },
        |d, names| d.tracks.print_bfds(names),
    )
    .later()
    .doc("none", "BFD sessions that have to be up."),
];

const ACTS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::flag("accept", (|d| d.accept = Some(true), |d| d.accept == Some(true)))
        .nothing()
        .doc(
            "on; off in strict mode unless priority 255",
            "The master accepts packets for its addresses.",
        ),
    Keyword::<Draft>::flag("no_accept", (|d| d.accept = Some(false), |d| d.accept == Some(false)))
        .later()
        .doc("off", "The master drops packets for its addresses."),
    Keyword::<Draft>::boolean(
        "skip_check_adv_addr",
        (
            |d, _| d.skip_check_adv_addr = true,
            |d| d.skip_check_adv_addr.then_some(true),
        ),
    )
    .bad("({n}) invalid skip_check_adv_addr {v} specified")
    .nothing()
    .doc(
        "vrrp_skip_check_adv_addr",
        "Does not compare the address list of each advert; any valid value switches it on, as in keepalived.",
    ),
    Keyword::<Draft>::boolean("strict_mode", boolean!(strict))
        .bad("({n}) invalid strict_mode {v} specified")
        .nothing()
        .doc("vrrp_strict", "Allows only what the RFC allows."),
    Keyword::<Draft>::flag("preempt", (|d| d.preempt = Some(true), |d| d.preempt == Some(true)))
        .nothing()
        .doc("on", "A higher priority takes mastership from a lower one."),
    Keyword::<Draft>::flag("nopreempt", (|d| d.preempt = Some(false), |d| d.preempt == Some(false)))
        .nothing()
        .doc(
            "off",
            "A higher priority does not take mastership from a living master.",
        ),
    Keyword::<Draft>::time(
        "preempt_delay",
        Time::seconds(6, 0, 1_000_000_000),
        time!(preempt_delay),
    )
    .bad_then("({n}) Preempt_delay not valid! must be between 0-1000", |d| {
        d.preempt_delay = Some(Micros::ZERO)
    })
    .doc("0", "How long a higher priority waits before it takes mastership."),
    Keyword::<Draft>::int(
        "timer_expired_backup",
        "[PRIO]",
        strict(1, 254),
        (
            |d, n| d.timer_expired_backup = u8::try_from(n).ok(),
            |d| d.timer_expired_backup.map(i64::from),
        ),
    )
    .alone(254)
    .bad("({n}) timer_expired_backup highest_other_priority not valid! must be between 1 & 254")
    .synonyms(&[Synonym {
        name: "thread_timer_expired",
        told: Told::Error(
            Class::Deprecated,
            "({n}) thread_timer_expired - please replace with keyword 'timer_expired_backup'",
        ),
    }])
    .nothing()
    .doc(
        "off; without a value: 254",
        "A master that was stopped too long becomes backup; needs nopreempt.",
    ),
    Keyword::<Draft>::int("debug", "N", number(0, 4), int!(debug))
        .bad("({n}) Debug value '{v}' not valid; must be between 0-4")
        .nothing()
        .doc("0", "Has no effect, as in keepalived."),
    Keyword::<Draft>::boolean("answer_foreign_claims", boolean!(answer_foreign_claims))
        .bad("({n}) invalid {k} {v} specified")
        .nothing()
        .doc(
            "true",
            "A master answers when another node claims one of its addresses. Not known to keepalived.",
        ),
    Keyword::<Draft>::boolean("v3_checksum_as_v2", boolean!(v3_checksum_as_v2))
        .bad("({n}) invalid v3_checksum_as_v2 {v} specified")
        .doc(
            "v3_checksum_as_v2 of global_defs",
            "Version 3 over IPv4 is sent without the pseudo-header in the checksum.",
        ),
    Keyword::<Draft>::int("down_timer_adverts", "N", number(1, 100), int!(down_timer_adverts))
        .bad("({n}): Invalid down_timer_adverts [1:100] '{v}'")
        .doc("3", "So many adverts may be missed."),
    Keyword::<Draft>::boolean("lower_prio_no_advert", boolean!(lower_prio_no_advert))
        .bad("({n}) invalid lower_prio_no_advert {v} specified")
        .nothing()
        .doc(
            "vrrp_lower_prio_no_advert; true in strict mode",
            "A worse advert is not answered at once.",
        ),
    Keyword::<Draft>::boolean("higher_prio_send_advert", boolean!(higher_prio_send_advert))
        .bad("({n}) invalid higher_prio_send_advert {v} specified")
        .nothing()
        .doc(
            "vrrp_higher_prio_send_advert; false in strict mode",
            "The loser of two masters sends one more advert.",
        ),
    Keyword::<Draft>::boolean("listen_after_stall", boolean!(listen_after_stall))
        .bad("({n}) invalid {k} {v} specified")
        .nothing()
        .doc(
            "vrrp_listen_after_stall",
            "A master that stood still for longer than a Master_Down_Interval listens for one Skew_Time before it advertises again. Not known to keepalived.",
        ),
    Keyword::<Draft>::boolean("owner_ignore_adverts", boolean!(owner_ignore_adverts))
        .bad("({n}) invalid {k} {v} specified")
        .nothing()
        .doc(
            "vrrp_owner_ignore_adverts; true in strict mode",
            "An address owner ignores the adverts of others.",
        ),
    Keyword::<Draft>::time("garp_master_delay", Time::whole(0, 4294), time!(garp.master_delay))
        .bad("({n}): garp_master_delay '{v}' invalid - ignoring")
        .nothing()
        .doc(
            "vrrp_garp_master_delay (5)",
            "The second burst of announcements; 0 = none.",
        ),
    Keyword::<Draft>::time("garp_master_refresh", Time::whole(0, LONG), time!(garp.master_refresh))
        .bad_then("({n}): Invalid garp_master_refresh '{v}' - ignoring", |d| {
            d.garp.master_refresh = Some(Micros::ZERO)
        })
        .doc(
            "vrrp_garp_master_refresh (0)",
            "Period of further announcements; 0 = none.",
        ),
    Keyword::<Draft>::int(
        "garp_master_repeat",
        "N",
        number(0, 4_294_967_295),
        int!(garp.master_repeat),
    )
    .zero("({n}): garp_master_repeat must be greater than 0, setting to 1")
    .bad("({n}): garp_master_repeat '{v}' invalid - ignoring")
    .nothing()
    .doc("vrrp_garp_master_repeat (5)", "Announcements of a burst."),
    Keyword::<Draft>::int(
        "garp_master_refresh_repeat",
        "N",
        number(0, 4_294_967_295),
        int!(garp.master_refresh_repeat),
    )
    .zero("({n}): garp_master_refresh_repeat must be greater than 0, setting to 1")
    .bad("({n}): garp_master_refresh_repeat '{v}' invalid - ignoring")
    .nothing()
    .doc("vrrp_garp_master_refresh_repeat (1)", "Announcements of a refresh."),
    Keyword::<Draft>::time(
        "garp_lower_prio_delay",
        Time::whole(0, 4294),
        time!(garp.lower_prio_delay),
    )
    .bad("({n}): garp_lower_prio_delay '{v}' invalid - ignoring")
    .nothing()
    .doc(
        "vrrp_garp_lower_prio_delay; 0 in strict mode",
        "The second burst after a worse advert.",
    ),
    Keyword::<Draft>::int(
        "garp_lower_prio_repeat",
        "N",
        number(0, 2_147_483_647),
        int!(garp.lower_prio_repeat),
    )
    .bad("({n}): Invalid garp_lower_prio_repeat '{v}'")
    .nothing()
    .doc(
        "vrrp_garp_lower_prio_repeat; 0 in strict mode",
        "Announcements after a worse advert.",
    ),
    Keyword::<Draft>::custom(
        "garp_extra_if",
        "[all] SECS",
        "0..86400",
        |node, d, ctx| {
            let mut extra = GarpExtra::default();
            let prefix = format!("({}): ", d.name);
            super::global_vrrp::extra_interfaces(node, &mut extra, 0, &prefix, ctx);
            d.garp.extra = Some(extra);
        },
        |d, _| d.garp.extra.as_ref().map_or_else(Vec::new, links::print_extra),
    )
    .synonyms(&[Synonym {
        name: "vmac_garp_intvl",
        told: Told::Error(
            Class::Deprecated,
            "Keyword \"vmac_garp_intvl\" is deprecated - please use \"garp_extra_if\"",
        ),
    }])
    .later()
    .doc(
        "vrrp_garp_extra_if",
        "Period of announcements on the other interfaces of the instance.",
    ),
];

const TOLD: &[Keyword<Draft>] = &[
    Keyword::<Draft>::command("notify_backup", command!(notify.backup))
        .first("({n}) notify_backup script already specified - ignoring {v}")
        .nothing()
        .doc("none", "Run on becoming backup."),
    Keyword::<Draft>::command("notify_master", command!(notify.master))
        .first("({n}) notify_master script already specified - ignoring {v}")
        .nothing()
        .doc("none", "Run on becoming master."),
    Keyword::<Draft>::command("notify_fault", command!(notify.fault))
        .first("({n}) notify_fault script already specified - ignoring {v}")
        .nothing()
        .doc("none", "Run on a fault."),
    Keyword::<Draft>::command("notify_stop", command!(notify.stop))
        .first("({n}) notify_stop script already specified - ignoring {v}")
        .nothing()
        .doc("none", "Run at the stop."),
    Keyword::<Draft>::custom(
        "notify_deleted",
        "[SCRIPT [USER [[:]GROUP]]]",
        "",
        links::notify_deleted,
        |d, _| {
            let script = d
                .notify
                .deleted_program
                .as_deref()
                .map(Command::print)
                .unwrap_or_default();
            d.notify.deleted.then_some(script).into_iter().collect()
        },
    )
    .nothing()
    .doc(
        "none",
        "Tells DELETED instead of FAULT when a reload removes the instance.",
    ),
    Keyword::<Draft>::command("notify", command!(notify.any))
        .first("({n}) notify script already specified - ignoring {v}")
        .nothing()
        .doc(
            "none",
            "Run at every change; kind, name, state and priority are appended.",
        ),
    Keyword::<Draft>::command("notify_master_rx_lower_pri", command!(notify.master_rx_lower_pri))
        .first("({n}) notify_master_rx_lower_pri script already specified - ignoring {v}")
        .nothing()
        .doc("none", "Run when a master hears a worse advert."),
    Keyword::<Draft>::boolean("smtp_alert", boolean!(smtp_alert))
        .bad("Invalid vrrp_instance smtp_alert parameter {v}")
        .later()
        .nothing()
        .doc("smtp_alert_vrrp, else smtp_alert, else false", "Mails changes."),
    Keyword::<Draft>::boolean("notify_priority_changes", boolean!(notify_priority_changes))
        .bad("({n}) Invalid value '{v}' for notify_priority_changes specified")
        .nothing()
        .doc(
            "the sync group's, else vrrp_notify_priority_changes",
            "Tells the FIFO about changes of the priority.",
        ),
    Keyword::<Draft>::custom(
        "lvs_sync_daemon_interface",
        "IFNAME",
        "",
        links::lvs_sync_daemon_interface,
        |d, _| d.lvs_sync_daemon_interface.iter().map(ToString::to_string).collect(),
    )
    .told(Told::Error(
        Class::General,
        "({n}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.",
    ))
    .kept()
    .nothing()
    .doc("none", "IPVS synchronisation daemon that follows this instance."),
    Keyword::<Draft>::int(
        "kernel_rx_buf_size",
        "BYTES",
        strict(0, 4_294_967_295),
        int!(kernel_rx_buf_size),
    )
    .bad("({n}) invalid kernel_rx_buf_size specified")
    .only("({n}) invalid kernel_rx_buf_size specified")
    .later()
    .doc(
        "from vrrp_rx_bufs_policy",
        "This instance's share of the receive buffer.",
    ),
];
