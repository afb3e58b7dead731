//! Scripts for single settings: each shows in the masters what the setting does, and its twin lacks it.

use crate::cluster::Settings;
use crate::scripts::Step::{
    Answers, Change, Crash, Cut, Deafen, Fail, GiveSource, Heal, LastWord, Later, Listen, Mend, Pause, Plug, Reload,
    Replay, Start, StartAll, Stop, TakeSource, Told, Unplug,
};
use crate::scripts::{BASE, MEEK, Scenario, meek};

/// Priority 100 and 150, version 3, multicast.
const PLAIN: Scenario = Scenario {
    kinds: &["v3-ipv4"],
    ..BASE
};

const UNSET: &str = "without the setting";

/// The first key signs; `Later` brings what is to come.
const KEY_1: &str =
    "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n active_key 1\n }";
const BOTH_KEYS: &str = "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n key 2 this-is-an-ASCII-key-of-40-characters-ab\n active_key 1\n }";
const KEY_2_SIGNS: &str = "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n key 2 this-is-an-ASCII-key-of-40-characters-ab\n active_key 2\n }";
const KEY_2: &str = "auth_hmac {\n key 2 this-is-an-ASCII-key-of-40-characters-ab\n active_key 2\n }";
const RECEIVE_ONLY: &str = "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n active_key 1\n mode receive-only\n }";
const PERMISSIVE: &str = "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n active_key 1\n mode permissive\n }";
const MONOTONIC: &str = "auth_hmac {\n key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n active_key 1\n anti_replay monotonic\n }";

const UNSIGNED: &str = "the second node has another key";

fn other_key(settings: &mut [Settings]) {
    settings[1].lines = KEY_2;
}

/// Scripts that need a keepalived newer than 2.2.7.
pub(crate) const NEWER: &[Scenario] = &[
    Scenario {
        name: "hmac",
        kinds: &["v2", "v3-ipv4", "v3-ipv6", "unicast", "unicast-ipv6", "unicast-v2"],
        lines: [KEY_1; 2],
        steps: &[StartAll, Stop(1), Start(1), Crash(1), Start(1), Pause(1)],
        twin: UNSIGNED,
        spoil: other_key,
        ..PLAIN
    },
    Scenario {
        name: "hmac-monotonic",
        lines: [MONOTONIC; 2],
        steps: &[StartAll, Stop(1), Start(1), Crash(1), Start(1), Pause(1)],
        twin: UNSIGNED,
        spoil: other_key,
        ..PLAIN
    },
    Scenario {
        name: "hmac-other-keys",
        lines: [KEY_1, KEY_2],
        steps: &[StartAll],
        by_address: true,
        twin: "the same keys",
        spoil: |settings| settings[1].lines = KEY_1,
        ..PLAIN
    },
    Scenario {
        name: "hmac-rotation",
        lines: [BOTH_KEYS, BOTH_KEYS],
        steps: &[
            StartAll,
            Later(0, KEY_2_SIGNS),
            Later(1, KEY_2_SIGNS),
            Stop(1),
            Start(1),
            Later(0, KEY_2),
            Later(1, KEY_2),
        ],
        by_address: true,
        twin: "the second node signs with the second key from the start",
        spoil: |settings| (settings[0].lines, settings[1].lines) = (KEY_1, KEY_2_SIGNS),
        ..PLAIN
    },
    // A signature is believed again only when the key is known: the order of a rotation matters.
    Scenario {
        name: "hmac-rotation-in-the-wrong-order",
        lines: [KEY_1, KEY_1],
        steps: &[StartAll, Later(1, KEY_2), Later(0, KEY_2)],
        by_address: true,
        twin: "it has both keys from the start",
        spoil: |settings| settings[0].lines = BOTH_KEYS,
        ..PLAIN
    },
    Scenario {
        name: "hmac-roll-out",
        steps: &[
            StartAll,
            Later(0, RECEIVE_ONLY),
            Later(1, RECEIVE_ONLY),
            Later(0, PERMISSIVE),
            Later(1, PERMISSIVE),
            Later(0, KEY_1),
            Later(1, KEY_1),
            Stop(1),
            Start(1),
        ],
        by_address: true,
        ..PLAIN
    },
    Scenario {
        name: "hmac-enforced-alone",
        lines: [KEY_1, ""],
        steps: &[StartAll],
        by_address: true,
        twin: "it accepts what is not signed",
        spoil: |settings| settings[0].lines = PERMISSIVE,
        ..PLAIN
    },
    Scenario {
        name: "hmac-replay",
        kinds: &["v2", "v3-ipv4", "v3-ipv6"],
        lines: [KEY_1; 2],
        steps: &[StartAll, Replay(1, 0)],
        by_address: true,
        twin: "nothing is signed",
        spoil: |settings| settings.iter_mut().for_each(|of| of.lines = ""),
        ..PLAIN
    },
    Scenario {
        name: "hmac-replay-monotonic",
        lines: [MONOTONIC; 2],
        steps: &[StartAll, Replay(1, 0)],
        by_address: true,
        twin: "nothing is signed",
        spoil: |settings| settings.iter_mut().for_each(|of| of.lines = ""),
        ..PLAIN
    },
    Scenario {
        name: "checksum-as-v2",
        lines: ["v3_checksum_as_v2"; 2],
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "checksum-as-v2-of-one",
        lines: ["", "v3_checksum_as_v2"],
        steps: &[StartAll, Stop(1), Start(1)],
        by_address: true,
        twin: UNSET,
        spoil: |settings| settings[1].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "owner-ignores",
        priorities: &[254, 255],
        lines: ["", "state MASTER\n owner_ignore_adverts"],
        steps: &[Start(0), Start(1), Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "two-owners-ignore",
        priorities: &[255, 255],
        lines: ["state MASTER\n owner_ignore_adverts"; 2],
        steps: &[Start(0), Start(1), Stop(1)],
        by_address: true,
        twin: UNSET,
        spoil: |settings| settings.iter_mut().for_each(|of| of.lines = "state MASTER"),
        ..PLAIN
    },
    // A master that was paused finds somebody else in its place.
    Scenario {
        name: "timer-expired-backup",
        lines: ["", "nopreempt\n timer_expired_backup"],
        steps: &[Start(1), Start(0), Pause(1)],
        twin: UNSET,
        spoil: |settings| settings[1].lines = "",
        ..PLAIN
    },
];

/// Another instance in one sync group with the first one: blocks before them, further lines of the group and of the instance.
macro_rules! group {
    ($before:expr, $of_the_group:literal, $of_the_instance:literal) => {
        concat!(
            $before,
            "vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n",
            $of_the_group,
            "}\nvrrp_instance VI_2 {\n state BACKUP\n interface eth0\n virtual_router_id 61\n priority PRIORITY\n version 3\n",
            " advert_int 0.5\n virtual_ipaddress {\n 192.0.2.110\n }\n",
            $of_the_instance,
            "}\n"
        )
    };
}

macro_rules! check {
    () => {
        "vrrp_script chk {\n script \"/usr/bin/test -e /tmp/well\"\n interval 1\n weight 0\n}\n"
    };
}

const GROUP: &str = group!(check!(), "", "track_script {\n chk\n }\n");
const QUIET_GROUP: &str = group!("", "", "");
/// With weights of members, which only this setting allows; the check is that of the first instance.
const WEIGHING_GROUP: &str = group!(
    "",
    "sync_group_tracking_weight\n",
    "track_script {\n chk weight -60\n }\n"
);
const WEIGHTLESS_GROUP: &str = group!("", "", "track_script {\n chk weight -60\n }\n");
/// One member alone loses priority.
const HALF_WEIGHING_GROUP: &str = group!("", "sync_group_tracking_weight\n", "");
/// The group itself follows the check: every member loses the weight.
const TRACKING_GROUP: &str = group!(check!(), "track_script {\n chk weight -60\n }\n", "");

pub(crate) const OPTIONS: &[Scenario] = &[
    Scenario {
        name: "unicast-ttl",
        lines: ["unicast_src_ip OWN\n unicast_ttl 64\n unicast_peer {\n PEER min_ttl 60 max_ttl 64\n }"; 2],
        steps: &[StartAll, Stop(1), Start(1)],
        twin: "the first node asks for 65 to 70",
        spoil: |settings| {
            settings[0].lines = "unicast_src_ip OWN\n unicast_ttl 64\n unicast_peer {\n PEER min_ttl 65 max_ttl 70\n }"
        },
        ..PLAIN
    },
    Scenario {
        name: "unicast-ttl-too-low",
        lines: ["unicast_src_ip OWN\n unicast_ttl 64\n unicast_peer {\n PEER min_ttl 65\n }"; 2],
        steps: &[StartAll],
        twin: "64 is enough",
        spoil: |settings| {
            settings[0].lines = "unicast_src_ip OWN\n unicast_ttl 64\n unicast_peer {\n PEER min_ttl 64\n }"
        },
        by_address: true,
        ..PLAIN
    },
    Scenario {
        name: "unicast-ttl-too-high",
        lines: ["unicast_src_ip OWN\n unicast_peer {\n PEER max_ttl 254\n }"; 2],
        steps: &[StartAll],
        twin: "255 is not too much",
        spoil: |settings| settings[0].lines = "unicast_src_ip OWN\n unicast_peer {\n PEER max_ttl 255\n }",
        by_address: true,
        ..PLAIN
    },
    Scenario {
        name: "unicast-without-source",
        lines: ["unicast_peer {\n PEER\n }"; 2],
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "unicast-without-interface",
        lines: ["unicast_src_ip OWN\n unicast_peer {\n PEER\n }"; 2],
        interface: false,
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "unicast-stranger",
        lines: [
            "unicast_src_ip OWN\n check_unicast_src\n unicast_peer {\n 192.0.2.77\n PEER\n }",
            "unicast_src_ip OWN\n check_unicast_src\n unicast_peer {\n 192.0.2.77\n }",
        ],
        steps: &[StartAll],
        twin: "both know each other",
        spoil: |settings| settings[1].lines = settings[0].lines,
        by_address: true,
        ..PLAIN
    },
    Scenario {
        name: "fault-without-peers",
        lines: ["", "unicast_src_ip OWN\n unicast_fault_no_peer"],
        steps: &[StartAll, Stop(0)],
        twin: UNSET,
        spoil: |settings| settings[1].lines = "unicast_src_ip OWN",
        ..PLAIN
    },
    Scenario {
        name: "multicast-source",
        priorities: &[100, 100],
        lines: ["mcast_src_ip SOURCE"; 2],
        steps: &[GiveSource(0), GiveSource(1), Cut(0), Start(0), Start(1), Mend(0)],
        twin: UNSET,
        spoil: |settings| settings[0].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "multicast-source-ipv6",
        kinds: &["v3-ipv6"],
        priorities: &[100, 100],
        lines: ["mcast_src_ip SOURCE"; 2],
        steps: &[GiveSource(0), GiveSource(1), Cut(0), Start(0), Start(1), Mend(0)],
        ..PLAIN
    },
    Scenario {
        name: "multicast-group",
        lines: ["mcast_dst_ip 224.0.0.118"; 2],
        steps: &[StartAll, Stop(1), Start(1)],
        twin: "one node has another group",
        spoil: |settings| settings[0].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "tracked-source",
        lines: ["", "mcast_src_ip SOURCE\n track_src_ip"],
        steps: &[GiveSource(1), StartAll, TakeSource(1), GiveSource(1)],
        ..PLAIN
    },
    Scenario {
        name: "strict",
        kinds: &["v2", "v3-ipv4", "v3-ipv6"],
        global: "vrrp_strict",
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "old-checksum",
        kinds: &["unicast"],
        lines: ["old_unicast_checksum"; 2],
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "old-checksum-of-one",
        kinds: &["unicast"],
        lines: ["", "old_unicast_checksum"],
        steps: &[StartAll, Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "other-addresses",
        kinds: &["v2", "v3-ipv4"],
        lines: ["virtual_ipaddress {\n 192.0.2.101\n }", ""],
        steps: &[StartAll],
        twin: "the second node has priority 50",
        spoil: |settings| settings[1].priority = 50,
        by_address: true,
        ..PLAIN
    },
    Scenario {
        name: "other-addresses-not-looked-at",
        kinds: &["v2", "v3-ipv4"],
        lines: [
            "skip_check_adv_addr\n virtual_ipaddress {\n 192.0.2.101\n }",
            "skip_check_adv_addr",
        ],
        steps: &[StartAll, Stop(1), Start(1)],
        by_address: true,
        twin: MEEK,
        spoil: meek,
        ..PLAIN
    },
    // Version 2 asks for the same interval, version 3 learns the other one's.
    Scenario {
        name: "other-interval-v2",
        kinds: &["v2"],
        lines: ["", "advert_int 2"],
        steps: &[StartAll, Change, Stop(1), Start(1), Change],
        by_address: true,
        twin: "the same interval",
        spoil: |settings| settings[1].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "other-interval-v3",
        lines: ["", "advert_int 2"],
        steps: &[StartAll, Change, Stop(1), Start(1), Change],
        twin: "the second node has priority 50",
        spoil: |settings| settings[1].priority = 50,
        ..PLAIN
    },
    Scenario {
        name: "patient",
        lines: ["down_timer_adverts 20"; 2],
        steps: &[Start(1), Change, Start(0), Crash(1), Change],
        twin: UNSET,
        spoil: |settings| settings[0].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "answers-to-the-worse",
        lines: ["advert_int 1.1", ""],
        steps: &[Start(1), Deafen(0), Start(0), Change, Answers(0, 1)],
        twin: "the second node does not answer",
        spoil: |settings| settings[1].lines = "lower_prio_no_advert",
        ..PLAIN
    },
    Scenario {
        name: "no-answer-to-the-worse",
        lines: ["advert_int 1.1", "lower_prio_no_advert"],
        steps: &[Start(1), Deafen(0), Start(0), Change, Answers(0, 1)],
        twin: UNSET,
        spoil: |settings| settings[1].lines = "",
        ..PLAIN
    },
    Scenario {
        name: "silent-loser",
        lines: ["advert_int 2", ""],
        steps: &[Start(1), Deafen(0), Start(0), Change, Mend(0), LastWord(0)],
        twin: "it has the last word",
        spoil: |settings| settings[0].lines = "advert_int 2\n higher_prio_send_advert",
        ..PLAIN
    },
    Scenario {
        name: "last-word",
        lines: ["advert_int 2\n higher_prio_send_advert", ""],
        steps: &[Start(1), Deafen(0), Start(0), Change, Mend(0), LastWord(0)],
        twin: UNSET,
        spoil: |settings| settings[0].lines = "advert_int 2",
        ..PLAIN
    },
    Scenario {
        name: "startup-delay",
        global: "vrrp_startup_delay 7",
        steps: &[Start(0), Change, Start(1), Change],
        twin: UNSET,
        spoil: |settings| settings[0].global = "",
        ..PLAIN
    },
    Scenario {
        name: "owner",
        priorities: &[100, 255],
        lines: ["", "state MASTER"],
        steps: &[Start(0), Start(1), Stop(1), Start(1)],
        ..PLAIN
    },
    Scenario {
        name: "two-owners",
        kinds: &["v2", "v3-ipv4"],
        priorities: &[255, 255],
        lines: ["state MASTER"; 2],
        steps: &[Start(0), Start(1), Stop(1)],
        ..PLAIN
    },
    Scenario {
        name: "group",
        blocks: GROUP,
        steps: &[StartAll, Fail(1), Heal(1), Stop(1), Start(1)],
        twin: "no group",
        spoil: |settings| settings[1].blocks = "",
        ..PLAIN
    },
    Scenario {
        name: "group-weighs",
        tracker: Some(-60),
        blocks: WEIGHING_GROUP,
        steps: &[StartAll, Fail(1), Heal(1)],
        twin: "the group does not allow weights",
        spoil: |settings| settings.iter_mut().for_each(|of| of.blocks = WEIGHTLESS_GROUP),
        ..PLAIN
    },
    // The other member goes on hearing its better master, so nothing moves.
    Scenario {
        name: "group-half-weighs",
        tracker: Some(-60),
        blocks: HALF_WEIGHING_GROUP,
        steps: &[StartAll, Fail(1), Heal(1)],
        twin: "both members lose the weight",
        spoil: |settings| settings.iter_mut().for_each(|of| of.blocks = WEIGHING_GROUP),
        ..PLAIN
    },
    Scenario {
        name: "group-tracks",
        blocks: TRACKING_GROUP,
        steps: &[StartAll, Fail(1), Heal(1)],
        twin: "no group",
        spoil: |settings| settings[1].blocks = "",
        ..PLAIN
    },
    Scenario {
        name: "group-night",
        kinds: &["v2-pass", "v3-ipv4", "unicast"],
        blocks: QUIET_GROUP,
        steps: &[
            StartAll,
            Reload(1, 50),
            Reload(1, 150),
            Crash(1),
            Start(1),
            Pause(1),
            Unplug(1),
            Plug(1),
        ],
        twin: MEEK,
        spoil: meek,
        ..PLAIN
    },
    Scenario {
        name: "group-news",
        global: "vrrp_notify_fifo /run/fifo",
        blocks: QUIET_GROUP,
        steps: &[
            Listen(1),
            Start(1),
            Start(0),
            Reload(1, 50),
            Reload(1, 150),
            Stop(1),
            Told(1),
        ],
        twin: "no group",
        spoil: |settings| settings[1].blocks = "",
        ..PLAIN
    },
    Scenario {
        name: "group-news-with-a-check",
        global: "vrrp_notify_fifo /run/fifo",
        blocks: GROUP,
        steps: &[Listen(1), Start(1), Start(0), Fail(1), Heal(1), Stop(1), Told(1)],
        twin: "no group",
        spoil: |settings| settings[1].blocks = "",
        ..PLAIN
    },
];
