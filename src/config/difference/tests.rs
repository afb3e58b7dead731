use super::*;
use crate::config::schema::{self, Acts, Shape};
use crate::config::{NoHost, load_text};
use crate::model::{BfdInstance, Instance, OldUnicastChecksum, OwnLink, Script, Transport, Vmac};
use std::collections::BTreeSet;

fn model(text: &str) -> Model {
    load_text(text, &NoHost).model.unwrap()
}

fn instance(name: &str, vrid: u8, more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\nvirtual_ipaddress {{\n192.0.2.{vrid}\n}}\n}}\n"
    )
}

/// Kind, name, fate, and the changed keywords with their values.
fn told(difference: &Difference) -> Vec<String> {
    let change = |change: &Change| {
        format!(
            "{} {} {:?}->{:?}",
            change.keyword,
            change.effect.as_str(),
            change.old,
            change.new
        )
    };
    let object = |object: &Object| {
        let mut words = vec![object.name.clone(), object.fate.as_str().to_owned()];
        words.extend(object.formerly.as_ref().map(|name| format!("was {name}")));
        words.extend(object.changes.iter().map(change));
        words.join(" ")
    };
    let global = difference.global.iter().map(change);
    global.chain(difference.objects.iter().map(object)).collect()
}

#[test]
fn every_object_has_its_fate_and_every_changed_keyword_its_values() {
    let old = [
        instance("A", 1, "priority 100"),
        instance("B", 2, ""),
        instance("C", 3, ""),
        instance("D", 4, ""),
        instance("E", 5, "advert_int 1"),
    ];
    let new = [
        instance("A", 1, "priority 150"),
        instance("renamed", 2, ""),
        instance("C", 33, ""),
        instance("E", 5, "advert_int 2"),
        instance("F", 6, ""),
    ];
    let difference = difference(&model(&old.concat()), &model(&new.concat()));
    let vip = |number| format!("[\"192.0.2.{number}/32 dev eth0\"]");
    assert_eq!(
        told(&difference),
        [
            "A adjusted priority adjust [\"100\"]->[\"150\"]".to_owned(),
            "renamed untouched was B".to_owned(),
            format!(
                "C restarted virtual_router_id restart [\"3\"]->[\"33\"] virtual_ipaddress adjust {}->{}",
                vip(3),
                vip(33)
            ),
            "E adjusted advert_int adjust [\"1\"]->[\"2\"]".to_owned(),
            "F added".to_owned(),
            "D removed".to_owned(),
        ]
    );
}

#[test]
fn a_global_default_is_told_where_it_stands_and_where_it_counts() {
    let text = |delay| {
        format!(
            "global_defs {{\nvrrp_garp_master_refresh {delay}\n}}\n{}",
            instance("A", 1, "")
        )
    };
    assert_eq!(
        told(&difference(&model(&text(0)), &model(&text(60)))),
        [
            "vrrp_garp_master_refresh adjust [\"0\"]->[\"60\"]",
            "A adjusted garp_master_refresh adjust [\"0\"]->[\"60\"]"
        ]
    );
}

#[test]
fn secrets_are_compared_and_not_told() {
    let text = |word| {
        instance(
            "A",
            1,
            &format!("authentication {{\nauth_type PASS\nauth_pass {word}\n}}"),
        )
    };
    let told = told(&difference(&model(&text("tiger")), &model(&text("panda"))));
    assert_eq!(
        told,
        ["A adjusted auth_pass adjust [\"(not shown)\"]->[\"(not shown)\"]"]
    );
}

#[test]
fn trackers_and_groups_are_matched_by_name() {
    let script = |interval| format!("vrrp_script chk {{\nscript /bin/true\ninterval {interval}\n}}\n");
    let tracking = instance("A", 1, "track_script {\nchk\n}") + &instance("B", 2, "");
    let group = |members| format!("vrrp_sync_group G {{\ngroup {{\n{members}\n}}\n}}\n");
    let old = model(&[script(1), tracking.clone(), group("A\nB")].concat());
    let new = model(&[script(5), tracking].concat());
    assert_eq!(
        told(&difference(&old, &new)),
        [
            "A adjusted group adjust [\"G\"]->[]",
            "B adjusted group adjust [\"G\"]->[]",
            "G removed",
            "chk adjusted interval adjust [\"1\"]->[\"5\"]"
        ]
    );
}

/// The line of `track_script` is the same, but what it adds is not.
#[test]
fn the_weight_of_a_tracker_is_told_where_it_counts() {
    let text = |weight| {
        let script = format!("vrrp_script chk {{\nscript /bin/true\nweight {weight}\n}}\n");
        script + &instance("A", 1, "track_script {\nchk\n}")
    };
    assert_eq!(
        told(&difference(&model(&text(11)), &model(&text(20)))),
        [
            "A adjusted track_script adjust [\"chk weight 11\"]->[\"chk weight 20\"]",
            "chk adjusted weight adjust [\"11\"]->[\"20\"]"
        ]
    );
}

#[test]
fn nothing_changed_is_untouched_whatever_the_order() {
    let (a, b) = (instance("A", 1, ""), instance("B", 2, ""));
    let difference = difference(&model(&format!("{a}{b}")), &model(&format!("{b}{a}")));
    assert!(difference.global.is_empty());
    assert!(
        difference.objects.iter().all(|object| object.fate == Fate::Untouched),
        "{difference:?}"
    );
}

#[test]
fn what_counts_after_a_restart_only_is_named() {
    let global = |text: &str| model(&format!("global_defs {{\n{text}\n}}\n")).global;
    let waiting = |old: &str, new: &str| -> Vec<String> {
        let changes = waiting_for_restart(&global(old), &global(new));
        changes.into_iter().map(|change| change.keyword).collect()
    };
    assert_eq!(
        waiting("", "process_names\nrouter_id x\nvrrp_no_swap"),
        ["process_names", "vrrp_no_swap"]
    );
    // Instances follow at once.
    assert!(waiting("", "vrrp_mcast_group4 224.0.0.77").is_empty());
}

/// Words that are said and are no keywords: what follows from others, and a word behind a keyword.
const NO_KEYWORDS: [&str; 2] = ["config_fault", "dynamic_interfaces allow_if_changes"];
/// What reading alone acts on, and what is said by another keyword: `vrrp_min_garp` by four others, `accept` and `preempt` by
/// their opposites, `delay` by the two delays that it sets.
const UNSAID: [&str; 7] = [
    "include_check",
    "vrrp_min_garp",
    "no_accept",
    "nopreempt",
    "delay",
    "authentication",
    "auth_hmac",
];

/// Everything that can be said.
fn all_said() -> BTreeSet<(&'static str, &'static str)> {
    let plain = Instance::new(
        "A",
        crate::model::Vrid::new(1).unwrap(),
        "eth0".parse().unwrap(),
        Vec::new(),
    );
    let mut unicast = plain.clone();
    unicast.transport = Transport::Unicast {
        peers: Vec::new(),
        ttl: None,
        check_source: false,
        old_checksum: OldUnicastChecksum::Auto,
    };
    let vmac = Vmac {
        name: "vrrp.1".parse().unwrap(),
        named: false,
        mac: None,
        xmit_base: false,
        netlink_notify: false,
        link_group: None,
    };
    unicast.own_link = Some(Box::new(OwnLink::Vmac(vmac)));
    let keyed =
        "auth_hmac {\nkey 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\nactive_key 1\n}";
    let keyed = model(&format!(
        "global_defs {{\nvrrp_version 3\n}}\n{}",
        instance("A", 1, keyed)
    ));
    let empty = Model::default();
    let process = "vrrp_track_process p {\nprocess sh\n}\n";
    let tracked = model(&format!("{process}{}", instance("A", 1, "track_process {\np\n}")));
    let said = [
        super::global::global(&empty.global),
        objects::top(&empty),
        super::instance::instance(&plain, &empty),
        super::instance::instance(&unicast, &empty),
        super::instance::instance(&keyed.instances[0], &keyed),
        objects::group(&crate::model::SyncGroup::default(), &empty),
        objects::script(&Script::new("s", Vec::new())),
        objects::file(&crate::model::TrackedFile {
            name: "f".into(),
            path: "/f".into(),
            weight: crate::model::Weight::ZERO,
            init: None,
        }),
        objects::process(&tracked.processes[0]),
        objects::bfd(&BfdInstance::new("b", None)),
    ];
    said.iter().flat_map(Said::keywords).collect()
}

#[test]
fn every_word_is_a_keyword_and_every_keyword_that_acts_has_a_word() {
    let said = all_said();
    let unknown: Vec<_> = said
        .iter()
        .filter(|(block, keyword)| {
            let known = schema::block(block).is_some_and(|block| block.find(keyword).is_some());
            !known && !NO_KEYWORDS.contains(keyword)
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let blocks = schema::blocks().iter();
    let rows = blocks.flat_map(|block| block.rows().iter().map(|row| (block.path, *row)));
    let missing: Vec<_> = rows
        .filter(|(path, row)| {
            let inside =
                matches!(row.shape, Shape::Block(_) | Shape::Lvs) || matches!(*path, "track_group" | "garp_group");
            row.acts == Acts::Yes && !inside && !said.contains(&(*path, row.name)) && !UNSAID.contains(&row.name)
        })
        .map(|(path, row)| (path, row.name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Keywords whose example alone changes nothing of a plain instance: what stands in an instance before and after.
const IN_CONTEXT: &[(&str, &str, &str)] = &[
    ("interface", "", "interface eth1"),
    ("version", "", "version 3"),
    ("native_ipv6", V6, "native_ipv6\nno_virtual_ipaddress"),
    (
        "check_unicast_src",
        UNICAST,
        "unicast_peer {\n192.0.2.9\n}\ncheck_unicast_src",
    ),
    (
        "old_unicast_checksum",
        UNICAST,
        "unicast_peer {\n192.0.2.9\n}\nold_unicast_checksum",
    ),
    (
        "unicast_src_ip",
        UNICAST,
        "unicast_peer {\n192.0.2.9\n}\nunicast_src_ip 192.0.2.8",
    ),
    ("mcast_dst_ip", "", "mcast_dst_ip 224.0.0.77"),
    (
        "track_src_ip",
        "mcast_src_ip 192.0.2.8",
        "mcast_src_ip 192.0.2.8\ntrack_src_ip",
    ),
    ("unicast_ttl", UNICAST, "unicast_peer {\n192.0.2.9\n}\nunicast_ttl 9"),
    ("track_interface", "", "track_interface {\neth1\n}"),
    ("track_script", "", "track_script {\nchk\n}"),
    ("track_file", "", "track_file {\nnumber\n}"),
    ("track_process", "", "track_process {\nserver\n}"),
    ("accept", "version 3\nno_accept", "version 3\naccept"),
    ("preempt", "nopreempt", "preempt"),
    (
        "timer_expired_backup",
        "nopreempt",
        "nopreempt\ntimer_expired_backup 10",
    ),
    (
        "owner_ignore_adverts",
        "priority 255",
        "priority 255\nowner_ignore_adverts",
    ),
    ("auth_type", "", "authentication {\nauth_type PASS\nauth_pass a\n}"),
    (
        "auth_pass",
        "authentication {\nauth_type PASS\nauth_pass b\n}",
        "authentication {\nauth_type PASS\nauth_pass a\n}",
    ),
    (
        "key",
        KEYED,
        "version 3\nauth_hmac {\nkey 1 hex:0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\nactive_key 1\n}",
    ),
    (
        "active_key",
        KEYED,
        "version 3\nauth_hmac {\nkey 2 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\nactive_key 2\n}",
    ),
    ("time_window", KEYED, "time_window 9"),
    ("anti_replay", KEYED, "anti_replay monotonic"),
    ("mode", KEYED, "mode permissive"),
];
const V6: &str = "no_virtual_ipaddress";
const UNICAST: &str = "unicast_peer {\n192.0.2.9\n}";
const KEYED: &str = "version 3\nauth_hmac {\nkey 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\nactive_key 1\n}";
/// Short for their opposites.
const OPPOSITES: [(&str, &str); 2] = [("no_accept", "accept"), ("nopreempt", "preempt")];

/// An instance with these lines, and what it may track.
fn with(lines: &str) -> Option<Model> {
    let given = |keyword: &str| lines.starts_with(keyword);
    let interface = if given("interface") { "" } else { "interface eth0\n" };
    let address = if lines.contains("no_virtual_ipaddress") {
        ""
    } else {
        "virtual_ipaddress {\n192.0.2.1\n}\n"
    };
    let text = format!(
        "vrrp_script chk {{\nscript /bin/true\n}}\ntrack_file number {{\nfile /number\n}}\nvrrp_track_process server {{\nprocess sh\n}}\n\
         vrrp_instance A {{\n{interface}virtual_router_id 1\n{address}{lines}\n}}\n"
    );
    load_text(&text, &NoHost).model
}

/// The keyword's lines, before and after.
fn contexts(block: &str, keyword: &crate::config::KeywordInfo) -> Vec<(String, String)> {
    let inside = |line: &str| match block.split_once(" / ") {
        Some((_, inner)) => format!("{inner} {{\n{line}\n}}"),
        None => line.to_owned(),
    };
    let of_its_own = IN_CONTEXT.iter().filter(|(name, ..)| *name == keyword.name);
    let of_its_own = of_its_own.map(|(_, before, after)| match *before {
        // One more line in the block.
        KEYED if !after.contains('\n') => (
            KEYED.to_owned(),
            KEYED.replace("active_key 1", &format!("active_key 1\n{after}")),
        ),
        before => (before.to_owned(), (*after).to_owned()),
    });
    let examples = std::iter::once(&keyword.example).chain(&keyword.more);
    of_its_own
        .chain(examples.map(|line| (String::new(), inside(line))))
        .collect()
}

/// The compiler asks for no word where fields are read by their names; this does, for every keyword of an instance that acts.
/// Those of other blocks are played by `process-tests/effects.rs`.
#[test]
fn a_changed_value_of_every_keyword_of_an_instance_is_named() {
    let (mut played, mut unnamed) = (0, Vec::new());
    for block in crate::config::keywords() {
        let keywords = block
            .keywords
            .iter()
            .filter(|keyword| keyword.acts.is_empty() && !keyword.example.contains("{ ... }"));
        for keyword in keywords.filter(|_| block.path.starts_with("vrrp_instance")) {
            let by = OPPOSITES.iter().find(|(short, _)| *short == keyword.name);
            let by = by.map_or(keyword.name, |(_, by)| by);
            let named = contexts(block.path, keyword).iter().any(|(before, after)| {
                let (Some(before), Some(after)) = (with(before), with(after)) else {
                    return false;
                };
                let objects = difference(&before, &after).objects;
                let mut changes = objects.iter().flat_map(|object| &object.changes);
                changes.any(|change| change.block == block.path && change.keyword == by)
            });
            played += 1;
            if !named {
                unnamed.push(format!(
                    "{} {}: {} {:?}",
                    block.path, keyword.name, keyword.example, keyword.more
                ));
            }
        }
    }
    assert!(unnamed.is_empty() && played > 50, "{played} {unnamed:#?}");
}
