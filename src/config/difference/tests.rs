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
