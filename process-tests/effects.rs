//! Every keyword that acts, changed by a reload of a running master: `vrrpd reload` names it with the effect of the keyword table,
//! and an instance that it does not concern notices nothing. The oracle of the latter is the wire and the kernel.

use crate::reload::{Ear, Monitor};
use crate::rig::{Daemon, ask, has, status, until};
use crate::{Case, Needs};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;
use vrrpd::config::{KeywordInfo, Reload, keywords};

pub(crate) fn cases() -> Vec<Case> {
    vec![Case {
        name: "effects::every_keyword_that_acts_has_its_effect_and_no_other",
        run: every_keyword,
        needs: Needs::Root,
    }]
}

/// VRID and address of the instance that nothing concerns.
const QUIET: u8 = 52;
const QUIET_VIP: &str = "198.51.52.1";
/// Master_Down_Interval of its backups: three intervals and the rest of one.
const SILENCE: Duration = Duration::from_millis(1_900);

/// A configuration with a slot for one more line in each block.
const BASE: &str = "\
{(top)}
global_defs {
    enable_script_security
    {global_defs}
}
vrrp_script chk {
    script /bin/true
    interval 1
    user root
    {vrrp_script}
}
track_file number {
    file /tmp/number
    weight 1
    {track_file}
}
vrrp_track_process server {
    process no_such_server
    weight 2
    {vrrp_track_process}
}
vrrp_instance A {
    interface eth0
    virtual_router_id 51
    priority 100
    version 3
    advert_int 0.5
    track_script {
        chk weight 3
    }
    track_file {
        number
    }
    track_process {
        server
    }
    virtual_ipaddress {
        198.51.51.1 dev eth0
    }
}
vrrp_instance C {
    interface eth0
    virtual_router_id 53
    version 3
    advert_int 0.5
    virtual_ipaddress {
        198.51.53.1 dev eth0
    }
}
vrrp_instance D {
    interface eth0
    virtual_router_id 54
    version 3
    advert_int 0.5
    virtual_ipaddress {
        198.51.54.1 dev eth0
    }
}
vrrp_sync_group G {
    group {
        C
        D
    }
    {vrrp_sync_group}
}
vrrp_instance B {
    interface eth0
    virtual_router_id 52
    priority 100
    version 3
    advert_int 0.5
    mcast_dst_ip 224.0.0.18
    garp_master_delay 1
    garp_master_repeat 1
    garp_master_refresh 0
    garp_master_refresh_repeat 1
    garp_lower_prio_delay 1
    garp_lower_prio_repeat 1
    down_timer_adverts 3
    lower_prio_no_advert false
    higher_prio_send_advert false
    listen_after_stall false
    owner_ignore_adverts false
    v3_checksum_as_v2 false
    notify_priority_changes false
    strict_mode false
    skip_check_adv_addr false
    virtual_ipaddress {
        198.51.52.1 dev eth0
    }
}
";

/// Where the example of the documentation does not do: a line of [`BASE`], or the slot, and what stands there instead.
const SPECIAL: &[(&str, &str, &str, &str)] = &[
    (
        "global_defs",
        "vrrp_garp_master_delay",
        "{global_defs}",
        "vrrp_garp_master_delay 7",
    ),
    (
        "global_defs",
        "vrrp_garp_lower_prio_delay",
        "{global_defs}",
        "vrrp_garp_lower_prio_delay 7",
    ),
    (
        "global_defs",
        "notify_order_timeout",
        "{global_defs}",
        "notify_order_timeout 9",
    ),
    (
        "vrrp_sync_group",
        "notify_backup",
        "{vrrp_sync_group}",
        "notify_backup /bin/true root",
    ),
    (
        "vrrp_sync_group",
        "notify_master",
        "{vrrp_sync_group}",
        "notify_master /bin/true root",
    ),
    (
        "vrrp_sync_group",
        "notify_fault",
        "{vrrp_sync_group}",
        "notify_fault /bin/true root",
    ),
    (
        "vrrp_sync_group",
        "notify_stop",
        "{vrrp_sync_group}",
        "notify_stop /bin/true root",
    ),
    (
        "vrrp_sync_group",
        "notify",
        "{vrrp_sync_group}",
        "notify /bin/true root",
    ),
    (
        "(top)",
        "linkbeat_interfaces",
        "{(top)}",
        "linkbeat_interfaces {\n eth0\n}",
    ),
    (
        "(top)",
        "interface_up_down_delays",
        "{(top)}",
        "interface_up_down_delays {\n eth0 2 1\n}",
    ),
    (
        "(top)",
        "static_ipaddress",
        "{(top)}",
        "static_ipaddress {\n 198.51.99.1/24 dev eth0\n}",
    ),
    (
        "global_defs",
        "enable_script_security",
        "    enable_script_security\n",
        "",
    ),
    ("global_defs", "script_user", "{global_defs}", "script_user root"),
    (
        "global_defs",
        "startup_script",
        "{global_defs}",
        "startup_script /bin/true root",
    ),
    (
        "global_defs",
        "shutdown_script",
        "{global_defs}",
        "shutdown_script /bin/true root",
    ),
    (
        "global_defs",
        "startup_script_timeout",
        "{global_defs}",
        "startup_script /bin/true root\nstartup_script_timeout 7",
    ),
    (
        "global_defs",
        "shutdown_script_timeout",
        "{global_defs}",
        "shutdown_script /bin/true root\nshutdown_script_timeout 7",
    ),
    ("global_defs", "notify_fifo", "{global_defs}", "notify_fifo /tmp/fifo"),
    (
        "global_defs",
        "notify_fifo_script",
        "{global_defs}",
        "notify_fifo /tmp/fifo\nnotify_fifo_script /bin/true root",
    ),
    (
        "global_defs",
        "vrrp_notify_fifo",
        "{global_defs}",
        "vrrp_notify_fifo /tmp/fifo",
    ),
    (
        "global_defs",
        "vrrp_notify_fifo_script",
        "{global_defs}",
        "vrrp_notify_fifo /tmp/fifo\nvrrp_notify_fifo_script /bin/true root",
    ),
    (
        "global_defs",
        "vrrp_mcast_group4",
        "{global_defs}",
        "vrrp_mcast_group4 224.0.0.77",
    ),
    (
        "global_defs",
        "vrrp_mcast_group6",
        "{global_defs}",
        "vrrp_mcast_group6 ff02::77",
    ),
    ("global_defs", "vrrp_priority", "{global_defs}", "vrrp_priority -3"),
    (
        "global_defs",
        "dynamic_interfaces",
        "{global_defs}",
        "dynamic_interfaces",
    ),
    ("global_defs", "vrrp_version", "{global_defs}", "vrrp_version 3"),
    ("global_defs", "json_version", "{global_defs}", "json_version 2"),
    ("global_defs", "umask", "{global_defs}", "umask 027"),
    (
        "vrrp_sync_group",
        "group",
        "        C\n        D\n",
        "        D\n        C\n",
    ),
    (
        "vrrp_sync_group",
        "track_interface",
        "{vrrp_sync_group}",
        "track_interface {\n lo\n}",
    ),
    (
        "vrrp_sync_group",
        "track_script",
        "{vrrp_sync_group}",
        "track_script {\n chk weight 1\n}",
    ),
    (
        "vrrp_sync_group",
        "track_file",
        "{vrrp_sync_group}",
        "track_file {\n number weight 2\n}",
    ),
    (
        "vrrp_sync_group",
        "track_process",
        "{vrrp_sync_group}",
        "track_process {\n server weight 3\n}",
    ),
    ("vrrp_script", "script", "script /bin/true", "script \"/bin/true now\""),
    ("vrrp_script", "interval", "    interval 1\n", "    interval 2\n"),
    ("vrrp_script", "user", "user root", "user nobody"),
    ("vrrp_script", "weight", "{vrrp_script}", "weight 4"),
    ("track_file", "file", "file /tmp/number", "file /tmp/other"),
    ("track_file", "weight", "    weight 1\n", "    weight 3\n"),
    ("vrrp_track_process", "process", "no_such_server", "no_other_server"),
    ("vrrp_track_process", "weight", "    weight 2\n", "    weight 3\n"),
    (
        "vrrp_track_process",
        "param_match",
        "no_such_server",
        "no_such_server now\nparam_match initial",
    ),
    ("vrrp_track_process", "quorum", "{vrrp_track_process}", "quorum 2"),
    ("vrrp_track_process", "delay", "{vrrp_track_process}", "delay 4"),
];

/// Instances of the simulator are changed by every keyword of theirs (`tests/sim.rs`); blocks are made of their keywords.
/// `include_check` speaks of files, `vrrp_min_garp` and `delay` are short for others, BFD is kept for later.
const NOT_HERE: [&str; 5] = [
    "include_check",
    "random_seed",
    "iproute_usr_dir",
    "iproute_etc_dir",
    "init_file",
];
/// Said by what they set.
const BY_OTHERS: [(&str, &str); 2] = [("vrrp_min_garp", "vrrp_garp_master_repeat"), ("delay", "fork_delay")];
/// The whole reload is refused.
const REFUSED: [&str; 2] = ["net_namespace", "instance"];

fn base() -> String {
    let mut text = BASE.to_owned();
    for block in [
        "(top)",
        "global_defs",
        "vrrp_script",
        "track_file",
        "vrrp_track_process",
        "vrrp_sync_group",
    ] {
        text = text.replace(&format!("{{{block}}}"), "");
    }
    text
}

/// [`BASE`] with one keyword changed.
fn with(block: &str, keyword: &KeywordInfo) -> String {
    let special = SPECIAL
        .iter()
        .find(|(of, name, ..)| *of == block && *name == keyword.name);
    let slot = format!("{{{block}}}");
    let (from, to) = special.map_or((&*slot, &*keyword.example), |(_, _, from, to)| (*from, *to));
    let changed = BASE.replacen(from, to, 1);
    assert_ne!(changed, BASE, "{block} {}", keyword.name);
    [
        "(top)",
        "global_defs",
        "vrrp_script",
        "track_file",
        "vrrp_track_process",
        "vrrp_sync_group",
    ]
    .iter()
    .fold(changed, |text, block| text.replace(&format!("{{{block}}}"), ""))
}

fn reload(text: &str) -> (i32, Value) {
    fs::write("/tmp/conf", text).unwrap();
    let (exit, text, errors) = ask("reload --json");
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"));
    (exit, value)
}

/// Everything that is said to be changed, with its effect.
fn changes(document: &Value) -> BTreeMap<String, String> {
    let lists = document["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| &object["changes"]);
    let all = lists.chain([&document["global"]]).filter_map(Value::as_array).flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|change| {
        (
            format!("{} {}", text(&change["block"]), text(&change["keyword"])),
            text(&change["effect"]),
        )
    })
    .collect()
}

/// State, since when, and how often master.
fn story(name: &str) -> (Value, Value, Value) {
    let status = status();
    let one = status["instances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name)
        .unwrap()
        .clone();
    (
        one["state"].clone(),
        one["since"].clone(),
        one["counters"]["became_master"].clone(),
    )
}

fn every_keyword() {
    fs::write("/tmp/number", "5").unwrap();
    fs::write("/tmp/other", "5").unwrap();
    let (monitor, ear, neighbour) = (Monitor::start(), Ear::listen(0x0800), Ear::listen(0x0806));
    let daemon = Daemon::start(&base());
    for vip in [QUIET_VIP, "198.51.51.1", "198.51.53.1"] {
        until("the address is set", || has(vip));
    }
    let quiet = story("B");
    let (mut played, mut wrong) = (0, Vec::new());
    for block in keywords() {
        if block.path.starts_with("vrrp_instance")
            || matches!(block.path, "bfd_instance" | "track_group" | "garp_group")
        {
            continue;
        }
        for keyword in block.keywords.iter().filter(|keyword| keyword.acts.is_empty()) {
            if keyword.example.contains("{ ... }") || NOT_HERE.contains(&keyword.name) {
                continue;
            }
            played += 1;
            let before = story("A");
            let (exit, document) = reload(&with(block.path, keyword));
            let name = format!("{} {}", block.path, keyword.name);
            if exit != i32::from(REFUSED.contains(&keyword.name)) * 2 {
                wrong.push(format!("{name}: exit status {exit}: {document}"));
                continue;
            }
            if exit != 0 {
                continue;
            }
            let by = BY_OTHERS
                .iter()
                .find(|(short, _)| *short == keyword.name)
                .map_or(keyword.name, |(_, by)| *by);
            let found = changes(&document);
            let effect = found.get(&format!("{} {by}", block.path)).map(String::as_str);
            let expected = if by == keyword.name {
                Some(keyword.reload.as_str())
            } else {
                effect
            };
            if effect.is_none() || effect != expected {
                wrong.push(format!(
                    "{name}: the table says {:?}, the reload {found:?}",
                    keyword.reload
                ));
            }
            let objects = document["objects"].as_array().unwrap();
            let fate = &objects.iter().find(|object| object["name"] == "B").unwrap()["fate"];
            if fate != "untouched" {
                wrong.push(format!("{name}: B is {fate}: {document}"));
            }
            let waits = document["waits_for_restart"]
                .as_array()
                .unwrap()
                .iter()
                .any(|change| change["keyword"] == keyword.name);
            let of_instances = keyword.name.starts_with("vrrp_mcast_group");
            let global = matches!(block.path, "(top)" | "global_defs");
            if waits != (keyword.reload == Reload::Restart && global && !of_instances) {
                wrong.push(format!("{name}: waits for a restart: {waits}"));
            }
            // What is used the next time, or after a restart, touches nobody now.
            let quiet_now = keyword.reload == Reload::Nothing || waits;
            if quiet_now && story("A") != before {
                wrong.push(format!("{name}: {before:?} became {:?}", story("A")));
            }
            let (exit, document) = reload(&base());
            assert_eq!(exit, 0, "{document}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(played > 90, "{played}");
    assert_eq!(story("B"), quiet);
    let (heard, claimed, (came, went)) = (ear.end(), neighbour.end().claims, monitor.end());
    eprintln!(
        "{played} keywords; longest silences {:?}, {} addresses went",
        heard.silence,
        went.len()
    );
    assert_eq!((came.get(QUIET_VIP), went.get(QUIET_VIP)), (Some(&1), None));
    // When it became master, and a second later; never again.
    assert_eq!(claimed.get(QUIET_VIP), Some(&2));
    assert_eq!(heard.releases.get(&QUIET), None);
    assert!(heard.silence[&QUIET] < SILENCE, "{:?}", heard.silence);
    let released: BTreeSet<u8> = heard.releases.keys().copied().collect();
    assert!(
        released.contains(&51),
        "another multicast group is another router: {released:?}"
    );
    assert_eq!(daemon.stop(), 0);
}
