//! `keepalived.json`: one line, keepalived's names and order (interfaces §4.3).

use super::stats::Errors;
use super::{Source, address_line, command, seconds};
use crate::model::{Authentication, Instance, Micros};
use crate::proto::{InstanceSnapshot, StateName};
use serde::Serialize;
use serde_json::Number;

#[derive(Debug, Serialize)]
struct Entry {
    data: Data,
    stats: Stats,
}

/// Version 2 of the document.
#[derive(Debug, Serialize)]
struct Wrapped {
    vrrp: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
struct Data {
    iname: String,
    dont_track_primary: u8,
    skip_check_adv_addr: u8,
    strict_mode: u8,
    vmac_ifname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifp_ifname: Option<String>,
    master_priority: u8,
    last_transition: Number,
    garp_delay: Number,
    garp_refresh: Number,
    garp_rep: u32,
    garp_refresh_rep: u32,
    garp_lower_prio_delay: Number,
    garp_lower_prio_rep: u32,
    lower_prio_no_advert: u8,
    higher_prio_send_advert: u8,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    vipset: bool,
    promote_secondaries: bool,
    adver_int: Number,
    master_adver_int: Number,
    accept: u8,
    nopreempt: bool,
    preempt_delay: Number,
    state: u8,
    wantstate: u8,
    version: u8,
    smtp_alert: bool,
    notify_deleted: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_ifp: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_script: Vec<String>,
    auth_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_data: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Stats {
    advert_rcvd: u64,
    advert_sent: u64,
    become_master: u64,
    release_master: u64,
    packet_len_err: u64,
    advert_interval_err: u64,
    ip_ttl_err: u64,
    invalid_type_rcvd: u64,
    addr_list_err: u64,
    invalid_authtype: u64,
    authtype_mismatch: u64,
    auth_failure: u64,
    auth_ext_missing: u64,
    auth_ext_malformed: u64,
    auth_ext_unknown_key: u64,
    auth_ext_invalid_hmac: u64,
    auth_ext_stale: u64,
    auth_ext_replay: u64,
    pri_zero_rcvd: u64,
    pri_zero_sent: u64,
}

/// The document; `None` without any instance, as keepalived writes none then.
#[must_use]
pub fn json(source: &Source<'_>) -> Option<String> {
    let entries: Vec<Entry> = source
        .instances()
        .map(|(config, state)| Entry {
            data: data(source, config, state),
            stats: stats(state),
        })
        .collect();
    if entries.is_empty() {
        return None;
    }
    let text = if source.model.global.paths.json_version_2 {
        serde_json::to_string(&Wrapped { vrrp: entries })
    } else {
        serde_json::to_string(&entries)
    };
    // keepalived's library writes `/` as `\/`; a slash stands in strings only.
    text.ok().map(|text| text.replace('/', "\\/"))
}

fn data(source: &Source<'_>, config: &Instance, state: &InstanceSnapshot) -> Data {
    let (garp, auth) = (&config.announce, auth_type(config.authentication));
    let addresses = |excluded: bool| -> Vec<String> {
        let all = config.vips.iter().chain(&config.excluded_vips).zip(&state.vips);
        let wanted = all.filter(|(_, shown)| shown.excluded == excluded);
        wanted
            .map(|(vip, shown)| address_line(vip, None, shown.present))
            .collect()
    };
    let scripts = config.track_scripts.iter();
    let scripts = scripts.filter_map(|track| source.model.scripts.get(usize::try_from(track.script.0).ok()?));
    let backup = state.state == StateName::Backup;
    Data {
        iname: config.name.to_string(),
        dont_track_primary: config.dont_track_primary.into(),
        skip_check_adv_addr: config.skip_check_adv_addr.into(),
        strict_mode: config.strict.into(),
        vmac_ifname: String::new(),
        ifp_ifname: config.interface.as_ref().map(ToString::to_string),
        master_priority: state
            .master
            .as_ref()
            .filter(|_| backup)
            .map_or(0, |master| master.priority.get()),
        last_transition: number(&source.stamp(state.last_transition.as_ref().map_or(state.since, |(at, _)| *at))),
        garp_delay: length(garp.master_delay),
        garp_refresh: length(garp.refresh),
        garp_rep: garp.master_repeat,
        garp_refresh_rep: garp.refresh_repeat,
        garp_lower_prio_delay: length(garp.lower_prio_delay),
        garp_lower_prio_rep: garp.lower_prio_repeat,
        lower_prio_no_advert: config.lower_prio_no_advert.into(),
        higher_prio_send_advert: config.higher_prio_send_advert.into(),
        vrid: config.vrid.get(),
        base_priority: config.priority.get(),
        effective_priority: state.priority.effective.get(),
        vipset: state.vips.iter().any(|vip| vip.present),
        promote_secondaries: config.promote_secondaries,
        adver_int: length(state.advert_interval),
        master_adver_int: length(state.master_advert_interval),
        accept: config.accept.into(),
        nopreempt: !config.preempt,
        preempt_delay: length(config.preempt_delay),
        state: state_number(state.state),
        wantstate: state_number(state.state),
        version: config.version.number(),
        smtp_alert: config.smtp_alert,
        notify_deleted: config.notify.as_ref().is_some_and(|notify| notify.deleted),
        vips: addresses(false),
        evips: addresses(true),
        track_ifp: config
            .track_interfaces
            .iter()
            .map(|track| track.interface.to_string())
            .collect(),
        track_script: scripts.map(command).collect(),
        auth_type: auth,
        auth_data: (auth != 0).then_some("********"),
    }
}

fn stats(state: &InstanceSnapshot) -> Stats {
    let counters = &state.counters;
    let errors = Errors::of(counters);
    Stats {
        advert_rcvd: counters.adverts_received,
        advert_sent: counters.adverts_sent,
        become_master: counters.became_master,
        release_master: counters.released_master,
        packet_len_err: errors.length,
        advert_interval_err: errors.interval,
        ip_ttl_err: errors.ttl,
        invalid_type_rcvd: errors.packet_type,
        addr_list_err: errors.addresses,
        invalid_authtype: errors.auth_type,
        authtype_mismatch: errors.auth_mismatch,
        auth_failure: errors.auth_failure,
        auth_ext_missing: errors.extension.missing,
        auth_ext_malformed: errors.extension.malformed,
        auth_ext_unknown_key: errors.extension.unknown_key,
        auth_ext_invalid_hmac: errors.extension.invalid_hmac,
        auth_ext_stale: errors.extension.stale,
        auth_ext_replay: errors.extension.replay,
        pri_zero_rcvd: counters.priority_zero_received,
        pri_zero_sent: counters.priority_zero_sent,
    }
}

const fn auth_type(authentication: Authentication) -> u8 {
    match authentication {
        Authentication::None => 0,
        Authentication::Pass(_) => 1,
        Authentication::Ah(_) => 2,
    }
}

/// keepalived's number of a state.
const fn state_number(state: StateName) -> u8 {
    match state {
        StateName::Init => 0,
        StateName::Backup => 1,
        StateName::Master => 2,
        StateName::Fault => 3,
    }
}

/// Seconds: an integer when they are whole, because readers in Go decode them into one.
fn length(length: Micros) -> Number {
    number(&seconds(length))
}

fn number(text: &str) -> Number {
    let whole = text.parse::<u64>().ok().map(Number::from);
    let broken = || text.parse().ok().and_then(Number::from_f64);
    whole.or_else(broken).unwrap_or_else(|| 0.into())
}
