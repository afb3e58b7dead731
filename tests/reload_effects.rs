//! Keywords outside of instances, each changed by one reload in the simulator: what is seen is the effect that the keyword table
//! names. `process-tests/effects.rs` plays the same keywords live; those whose effect is outside of the protocol's core are
//! tested where [`OUTSIDE`] says. Instances' own keywords are `sim.rs`'s.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says by a panic what is wrong"
)]

use std::collections::BTreeSet;
use vrrpd::config::{NoHost, Reload, keywords, load_text};
use vrrpd::model::Model;
use vrrpd::sim::{Planted, ReloadEffect, reload_between};

/// A configuration with a slot for one more line in each block: A and E track, C and D are a group, B is plain.
const BASE: &str = "\
{top}
global_defs {
    {global_defs}
}
vrrp_script chk {
    script /bin/true
    interval 2
    user root
    weight 5
    {vrrp_script}
}
track_file number {
    file /number
    weight 1
    {track_file}
}
vrrp_track_process server {
    process server
    weight 3
    {vrrp_track_process}
}
vrrp_instance A {
    interface eth0
    virtual_router_id 51
    track_script {
        chk
    }
    track_file {
        number
    }
    track_process {
        server
    }
    virtual_ipaddress {
        203.0.113.51 dev eth0
    }
}
vrrp_instance B {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        203.0.113.52 dev eth0
    }
}
vrrp_instance C {
    interface eth0
    virtual_router_id 53
    virtual_ipaddress {
        203.0.113.53 dev eth0
    }
}
vrrp_instance D {
    interface eth0
    virtual_router_id 54
    virtual_ipaddress {
        203.0.113.54 dev eth0
    }
}
vrrp_sync_group G {
    group {
        C
        D
    }
    {vrrp_sync_group}
}
vrrp_instance E {
    interface eth0
    virtual_router_id 55
    version 3
    track_interface {
        eth1 weight 5
    }
    virtual_ipaddress {
        203.0.113.55 dev eth0
    }
}
vrrp_instance F {
    interface eth0
    virtual_router_id 56
    native_ipv6
    virtual_ipaddress {
        fe80::56 dev eth0
    }
}
";

const SLOTS: [&str; 6] = [
    "top",
    "global_defs",
    "vrrp_script",
    "track_file",
    "vrrp_track_process",
    "vrrp_sync_group",
];

/// Keyword, what is replaced in [`BASE`] before and by the reload; a slot's name in braces: a line is added.
struct Case {
    block: &'static str,
    keyword: &'static str,
    /// Made in both configurations.
    both: &'static [(&'static str, &'static str)],
    /// Made in the new one only.
    change: (&'static str, &'static str),
}

const fn case(block: &'static str, keyword: &'static str, change: (&'static str, &'static str)) -> Case {
    Case {
        block,
        keyword,
        both: &[],
        change,
    }
}

const fn global(keyword: &'static str, line: &'static str) -> Case {
    case("global_defs", keyword, ("{global_defs}", line))
}

/// The script fails, from its first run on.
const BAD: (&str, &str) = ("vrrp_script chk", "vrrp_script bad");
const TRACKS_BAD: (&str, &str) = ("        chk\n", "        bad\n");
/// It takes 2.5 s.
const SLOW: (&str, &str) = ("vrrp_script chk", "vrrp_script slow");
const TRACKS_SLOW: (&str, &str) = ("        chk\n", "        slow\n");

/// A is still a backup when the reload comes.
const WAITING: (&str, &str) = ("virtual_router_id 51\n", "virtual_router_id 51\n    advert_int 10\n");
/// An instance whose link is down.
const DOWN: &str =
    "vrrp_instance X {\ninterface eth2\nvirtual_router_id 60\nvirtual_ipaddress {\n203.0.113.60 dev eth2\n}\n}";

const CASES: &[Case] = &[
    // Links.
    case("(top)", "linkbeat_use_polling", ("{top}", "linkbeat_use_polling")),
    case(
        "(top)",
        "linkbeat_interfaces",
        ("{top}", "linkbeat_interfaces {\n eth1\n}"),
    ),
    case(
        "(top)",
        "interface_up_down_delays",
        ("{top}", "interface_up_down_delays {\n eth1 2 1\n}"),
    ),
    // Instances take these over.
    global("v3_checksum_as_v2", "v3_checksum_as_v2"),
    global("vrrp_mcast_group4", "vrrp_mcast_group4 224.0.0.77"),
    global("vrrp_mcast_group6", "vrrp_mcast_group6 ff02::77"),
    global("vrrp_garp_master_delay", "vrrp_garp_master_delay 9"),
    global("vrrp_garp_master_repeat", "vrrp_garp_master_repeat 2"),
    global("vrrp_garp_master_refresh", "vrrp_garp_master_refresh 3"),
    global("vrrp_garp_master_refresh_repeat", "vrrp_garp_master_refresh_repeat 2"),
    global("vrrp_garp_lower_prio_delay", "vrrp_garp_lower_prio_delay 9"),
    global("vrrp_garp_lower_prio_repeat", "vrrp_garp_lower_prio_repeat 2"),
    global("vrrp_garp_interval", "vrrp_garp_interval 0.5"),
    global("vrrp_gna_interval", "vrrp_gna_interval 0.5"),
    global("vrrp_down_timer_adverts", "vrrp_down_timer_adverts 5").with(&[WAITING]),
    global("vrrp_lower_prio_no_advert", "vrrp_lower_prio_no_advert"),
    global("vrrp_higher_prio_send_advert", "vrrp_higher_prio_send_advert"),
    global("vrrp_listen_after_stall", "vrrp_listen_after_stall"),
    global("vrrp_version", "vrrp_version 3"),
    global("vrrp_check_unicast_src", "vrrp_check_unicast_src"),
    global("vrrp_skip_check_adv_addr", "vrrp_skip_check_adv_addr"),
    global("vrrp_strict", "vrrp_strict"),
    global("vrrp_owner_ignore_adverts", "vrrp_owner_ignore_adverts"),
    global("vrrp_notify_priority_changes", "vrrp_notify_priority_changes"),
    global("vrrp_startup_delay", "vrrp_startup_delay 20"),
    global("vrrp_delay_after_boot", "vrrp_delay_after_boot 30"),
    global("dynamic_interfaces", "dynamic_interfaces"),
    global("default_interface", "default_interface eth1"),
    global("log_unknown_vrids", "log_unknown_vrids"),
    global("notify_order_timeout", "notify_order_timeout 9"),
    global("notify_parallel", "notify_parallel"),
    // Files and processes of the daemon.
    global("random_seed", "random_seed 7"),
    global("umask", "umask 027"),
    global("reload_check_config", "reload_check_config /tmp/log"),
    global("reload_file", "reload_file /tmp/mark"),
    global("json_version", "json_version 2"),
    global("iproute_usr_dir", "iproute_usr_dir /tmp"),
    global("iproute_etc_dir", "iproute_etc_dir /tmp"),
    global("state_dump_file", "state_dump_file /tmp/state"),
    global("stats_dump_file", "stats_dump_file /tmp/stats"),
    global("json_dump_file", "json_dump_file /tmp/json"),
    global("startup_script", "startup_script /bin/true root"),
    global("startup_script_timeout", "startup_script_timeout 7"),
    global("shutdown_script", "shutdown_script /bin/true root"),
    global("shutdown_script_timeout", "shutdown_script_timeout 7"),
    global("heartbeat_guard", "heartbeat_guard"),
    global("process_names", "process_names"),
    global("process_name", "process_name router"),
    global("vrrp_process_name", "vrrp_process_name vrrp"),
    global("vrrp_cpu_affinity", "vrrp_cpu_affinity 0"),
    global("vrrp_priority", "vrrp_priority -3"),
    global("vrrp_no_swap", "vrrp_no_swap"),
    global("vrrp_netlink_cmd_rcv_bufs", "vrrp_netlink_cmd_rcv_bufs 100000"),
    global("vrrp_netlink_cmd_rcv_bufs_force", "vrrp_netlink_cmd_rcv_bufs_force"),
    global("vrrp_netlink_monitor_rcv_bufs", "vrrp_netlink_monitor_rcv_bufs 100000"),
    global(
        "vrrp_netlink_monitor_rcv_bufs_force",
        "vrrp_netlink_monitor_rcv_bufs_force",
    ),
    global("vrrp_rt_priority", "vrrp_rt_priority 50"),
    case("(top)", "use_pid_dir", ("{top}", "use_pid_dir")),
    // Groups.
    case(
        "vrrp_sync_group",
        "group",
        (
            "        C\n        D\n    }\n    {",
            "        C\n        D\n        X\n    }\n    {",
        ),
    )
    .with(&[("{top}", DOWN)]),
    case(
        "vrrp_sync_group",
        "track_interface",
        ("{vrrp_sync_group}", "track_interface {\n eth1\n}"),
    ),
    case(
        "vrrp_sync_group",
        "track_script",
        ("{vrrp_sync_group}", "track_script {\n bad weight 0\n}"),
    )
    .with(&[BAD, TRACKS_BAD]),
    case(
        "vrrp_sync_group",
        "track_file",
        ("{vrrp_sync_group}", "track_file {\n number weight 0\n}"),
    ),
    case(
        "vrrp_sync_group",
        "track_process",
        ("{vrrp_sync_group}", "track_process {\n server weight 0\n}"),
    ),
    case(
        "vrrp_sync_group",
        "sync_group_tracking_weight",
        ("{vrrp_sync_group}", "sync_group_tracking_weight"),
    )
    .with(&[(
        "virtual_router_id 53\n",
        "virtual_router_id 53\n    track_file {\n        number weight 7\n    }\n",
    )]),
    case(
        "vrrp_sync_group",
        "notify_backup",
        ("{vrrp_sync_group}", "notify_backup /bin/true root"),
    ),
    case(
        "vrrp_sync_group",
        "notify_master",
        ("{vrrp_sync_group}", "notify_master /bin/true root"),
    ),
    case(
        "vrrp_sync_group",
        "notify_fault",
        ("{vrrp_sync_group}", "notify_fault /bin/true root"),
    ),
    case(
        "vrrp_sync_group",
        "notify_stop",
        ("{vrrp_sync_group}", "notify_stop /bin/true root"),
    ),
    case(
        "vrrp_sync_group",
        "notify",
        ("{vrrp_sync_group}", "notify /bin/true root"),
    ),
    case(
        "vrrp_sync_group",
        "notify_priority_changes",
        ("{vrrp_sync_group}", "notify_priority_changes"),
    ),
    // Scripts.
    case(
        "vrrp_script",
        "script",
        ("script /bin/true", "script \"/bin/true now\""),
    )
    .with(&[BAD, TRACKS_BAD]),
    case("vrrp_script", "user", ("user root", "user 1:1")).with(&[BAD, TRACKS_BAD]),
    case("vrrp_script", "interval", ("interval 2", "interval 3")),
    case("vrrp_script", "timeout", ("{vrrp_script}", "timeout 1")).with(&[
        SLOW,
        TRACKS_SLOW,
        ("interval 2", "interval 4"),
    ]),
    case("vrrp_script", "weight", ("weight 5", "weight 9")),
    case("vrrp_script", "rise", ("rise 20", "rise 2")).with(&[("{vrrp_script}", "init_fail\nrise 20")]),
    case("vrrp_script", "fall", ("fall 20", "fall 2")).with(&[BAD, TRACKS_BAD, ("{vrrp_script}", "fall 20")]),
    case("vrrp_script", "init_fail", ("{vrrp_script}", "init_fail")),
    // Files.
    case("track_file", "file", ("file /number", "file /other")),
    case("track_file", "weight", ("    weight 1\n", "    weight 2\n")),
    case("track_file", "init_file", ("{track_file}", "init_file 5")),
    // Processes.
    case("vrrp_track_process", "process", ("process server", "process another")),
    case(
        "vrrp_track_process",
        "param_match",
        ("param_match initial", "param_match partial"),
    )
    .with(&[("process server", "process server now\nparam_match initial")]),
    case(
        "vrrp_track_process",
        "full_command",
        ("{vrrp_track_process}", "full_command"),
    ),
    case("vrrp_track_process", "weight", ("    weight 3\n", "    weight 4\n")),
    case("vrrp_track_process", "quorum", ("{vrrp_track_process}", "quorum 2")),
    case(
        "vrrp_track_process",
        "quorum_max",
        ("{vrrp_track_process}", "quorum 0\nquorum_max 0"),
    ),
    case("vrrp_track_process", "delay", ("{vrrp_track_process}", "delay 1")),
    case(
        "vrrp_track_process",
        "fork_delay",
        ("{vrrp_track_process}", "fork_delay 2"),
    ),
    case(
        "vrrp_track_process",
        "terminate_delay",
        ("{vrrp_track_process}", "terminate_delay 3"),
    ),
];

impl Case {
    const fn with(mut self, both: &'static [(&'static str, &'static str)]) -> Self {
        self.both = both;
        self
    }

    fn models(&self) -> [Model; 2] {
        let replace = |text: &str, (from, to): (&str, &str)| {
            assert!(
                text.contains(from),
                "{} {}: {from:?} is not there",
                self.block,
                self.keyword
            );
            text.replacen(from, to, 1)
        };
        let old = self
            .both
            .iter()
            .fold(BASE.to_owned(), |text, change| replace(&text, *change));
        let new = replace(&old, self.change);
        [old, new].map(|text| {
            let text = SLOTS
                .iter()
                .fold(text, |text, slot| text.replace(&format!("{{{slot}}}"), ""));
            load_text(&text, &NoHost).model.unwrap()
        })
    }
}

/// Where the effect is tested that is not the core's: `adjust` keywords of the supervisor and the services thread.
const OUTSIDE: [(&str, &str); 19] = [
    // No instance is touched by it.
    ("static_ipaddress", "netns-tests/statics.rs"),
    ("router_id", "process-tests/outside.rs"),
    ("data_use_instance", "process-tests/outside.rs"),
    ("script_user", "process-tests/outside.rs"),
    ("enable_script_security", "process-tests/outside.rs"),
    ("use_symlink_paths", "process-tests/outside.rs"),
    ("notify_fifo", "process-tests/outside.rs"),
    ("notify_fifo_script", "process-tests/outside.rs"),
    ("vrrp_notify_fifo", "process-tests/outside.rs"),
    ("vrrp_notify_fifo_script", "process-tests/outside.rs"),
    ("fifo_write_vrrp_states_on_reload", "process-tests/outside.rs"),
    ("reload_time_file", "process-tests/scheduled.rs"),
    ("reload_repeat", "process-tests/scheduled.rs"),
    ("net_namespace", "process-tests/asked.rs"),
    ("instance", "process-tests/asked.rs"),
    // The observers are started anew at every reload, with what is configured then.
    ("process_monitor_rcv_bufs", "netns-tests/connector.rs"),
    ("process_monitor_rcv_bufs_force", "netns-tests/connector.rs"),
    // It is about reading files.
    ("include_check", "src/config"),
    // Short for four others.
    ("vrrp_min_garp", "src/config"),
];

fn table(block: &str, keyword: &str) -> Reload {
    let block = keywords().into_iter().find(|info| info.path == block).unwrap();
    block.keywords.iter().find(|info| info.name == keyword).unwrap().reload
}

#[test]
fn each_keyword_outside_of_instances_has_the_effect_that_the_table_names() {
    let mut wrong = Vec::new();
    for case in CASES {
        let [old, new] = case.models();
        let seen = reload_between(&old, &new, Planted::nothing());
        let class = table(case.block, case.keyword);
        let tracker = matches!(case.block, "track_file" | "vrrp_track_process");
        let of_instances = case.keyword.starts_with("vrrp_mcast_group");
        let strongest = seen.strongest();
        let fits = match class {
            // Some of them are seen when something happens later.
            Reload::Nothing => {
                seen.at_once == ReloadEffect::Nothing && strongest <= ReloadEffect::Adjusted && !seen.trackers
            }
            Reload::Adjust => {
                strongest <= ReloadEffect::Adjusted && (strongest == ReloadEffect::Adjusted || seen.trackers)
            }
            // Another file or process is another tracker; the instance goes on.
            Reload::Restart if tracker => strongest == ReloadEffect::Adjusted,
            Reload::Restart if of_instances => strongest == ReloadEffect::Restarted,
            // The daemon has to be restarted: the reload does nothing.
            Reload::Restart => strongest == ReloadEffect::Nothing && !seen.trackers,
        };
        println!("{} {}: {class:?}, {seen:?}", case.block, case.keyword);
        if !fits || old == new {
            wrong.push(format!(
                "{} {}: the table says {class:?}, seen {seen:?}",
                case.block, case.keyword
            ));
        }
        // Whom it does not concern.
        let concerned = |name: &str| match case.block {
            "vrrp_script" | "track_file" | "vrrp_track_process" => name == "A",
            "vrrp_sync_group" => matches!(name, "B" | "C" | "D"),
            "(top)" => name == "E",
            _ => true,
        };
        for (name, effect) in &seen.instances {
            if !concerned(name) && *effect != ReloadEffect::Nothing {
                wrong.push(format!("{} {}: {name} is {effect:?}", case.block, case.keyword));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_keyword_outside_of_instances_that_acts_is_played() {
    let played: BTreeSet<_> = CASES.iter().map(|case| (case.block, case.keyword)).collect();
    let mut missing = Vec::new();
    for block in keywords() {
        let elsewhere = block.path.starts_with("vrrp_instance")
            || matches!(block.path, "bfd_instance" | "track_group" | "garp_group");
        for keyword in block
            .keywords
            .iter()
            .filter(|keyword| !elsewhere && keyword.acts.is_empty())
        {
            let is_block = keyword.example.contains("{ ... }");
            let outside = OUTSIDE.iter().any(|(name, _)| *name == keyword.name);
            if !is_block && !outside && !played.contains(&(block.path, keyword.name)) {
                missing.push((block.path, keyword.name));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// A core that restarts what it should adjust is noticed.
#[cfg(feature = "mutants")]
#[test]
fn a_core_that_touches_too_much_is_noticed() {
    use vrrpd::sim::Mutant;
    let case = CASES.iter().find(|case| case.keyword == "notify_parallel").unwrap();
    let [old, new] = case.models();
    for mutant in [Mutant::ReloadRestartsAll, Mutant::ReloadTouchesAll] {
        let seen = reload_between(&old, &new, Planted::mutant(mutant));
        assert_ne!(seen.strongest(), ReloadEffect::Nothing, "{mutant:?}: {seen:?}");
    }
}
