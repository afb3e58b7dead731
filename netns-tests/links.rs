//! Interfaces that an instance depends on: delays, polling, other names, and what is not tracked. keepalived is the oracle, as
//! in `election`: who holds the address after each step, and whether it moved before a delay was over.

use crate::check::{Check, Needs, Twin, alike};
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use std::io;
use std::net::IpAddr;
use vrrpd::lab::NodeId;
use vrrpd::model::Micros;

/// The better node, to which everything happens.
const BETTER: usize = 1;
const VIP: &str = "192.0.2.100";

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The interface loses its carrier.
    Unplug(&'static str),
    Plug(&'static str),
    /// It is without carrier for 0.5 s.
    Flap(&'static str),
    /// `ip` with these words.
    Ip(&'static str),
}

use Step::{Flap, Ip, Plug, Unplug};

struct Scenario {
    name: &'static str,
    /// Lines outside of the instance, and in it.
    global: &'static str,
    lines: &'static str,
    steps: &'static [Step],
    /// A change before this time after a step is early.
    early: Micros,
    twin: &'static str,
    /// What is taken out of the configuration.
    without: &'static str,
    /// Pairs that end alike.
    pairs: &'static [&'static str],
}

const BASE: Scenario = Scenario {
    name: "",
    global: "",
    lines: "track_interface {\n eth1 weight -100\n }",
    steps: &[],
    early: Micros::ZERO,
    twin: "the interface is not tracked",
    without: "eth1 weight -100",
    pairs: &["kk", "kv", "vk", "vv"],
};

/// The static entry is followed by a group.
const OF_GROUP: Scenario = Scenario {
    lines: "",
    steps: &[Unplug("eth1"), Plug("eth1")],
    twin: "the entry names no group",
    without: " track_group TG",
    ..BASE
};

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "down-delay",
        global: "interface_up_down_delays {\n eth1 2\n }",
        steps: &[Flap("eth1"), Unplug("eth1"), Plug("eth1")],
        early: Micros::from_secs(2),
        twin: "without the delay",
        without: "eth1 2",
        ..BASE
    },
    Scenario {
        name: "up-delay",
        global: "interface_up_down_delays {\n eth1 0 5\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        early: Micros::from_secs(5),
        twin: "without the delay",
        without: "eth1 0 5",
        ..BASE
    },
    Scenario {
        name: "polled",
        global: "linkbeat_interfaces {\n eth1 ETHTOOL\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        ..BASE
    },
    Scenario {
        name: "reverse",
        lines: "track_interface {\n eth1 weight -100 reverse\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "not reversed",
        without: " reverse",
        ..BASE
    },
    Scenario {
        name: "reverse-fault",
        lines: "track_interface {\n eth1 weight 0 reverse\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "not reversed",
        without: " reverse",
        ..BASE
    },
    Scenario {
        name: "renamed",
        lines: "track_interface {\n eth1\n }",
        steps: &[
            Ip("link set eth1 down"),
            Ip("link set eth1 name other"),
            Ip("link set other up"),
            Ip("link set other down"),
            Ip("link set other name eth1"),
            Ip("link set eth1 up"),
        ],
        without: "eth1",
        ..BASE
    },
    Scenario {
        name: "dont-track-primary",
        lines: "dont_track_primary",
        steps: &[Unplug("eth0"), Plug("eth0")],
        twin: "the own interface is tracked",
        without: "dont_track_primary",
        ..BASE
    },
    Scenario {
        name: "address-elsewhere",
        lines: "virtual_ipaddress_excluded {\n 198.51.100.9/24 dev eth1\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "the address is on the own interface",
        without: " dev eth1",
        ..BASE
    },
    Scenario {
        name: "no-track",
        lines: "virtual_ipaddress_excluded {\n 198.51.100.9/24 dev eth1 no_track\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "the address is tracked",
        without: " no_track",
        ..BASE
    },
    Scenario {
        name: "weight-and-address",
        lines: "virtual_ipaddress_excluded {\n 198.51.100.9/24 dev eth1\n }\n track_interface {\n eth1 weight -100 reverse\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "the address is on the own interface, so that the weight counts",
        without: " dev eth1",
        ..BASE
    },
    Scenario {
        name: "virtual-route",
        lines: "virtual_routes {\n 203.0.113.64/28 via 198.51.100.254 dev eth1\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "the route names no interface",
        without: " dev eth1",
        ..BASE
    },
    Scenario {
        name: "virtual-rule",
        lines: "virtual_rules {\n from 203.0.113.64/28 oif eth1 table 100 preference 500\n }",
        steps: &[Unplug("eth1"), Plug("eth1")],
        twin: "the rule names no interface",
        without: " oif eth1",
        ..BASE
    },
    Scenario {
        name: "group-of-static-address",
        global: "track_group TG {\n group {\n VI_1\n }\n }\n static_ipaddress {\n 198.51.100.9/24 dev eth1 track_group TG\n }",
        ..OF_GROUP
    },
    Scenario {
        name: "group-of-static-route",
        global: "track_group TG {\n group {\n VI_1\n }\n }\n static_routes {\n 203.0.113.64/28 dev eth1 track_group TG\n }",
        ..OF_GROUP
    },
    Scenario {
        name: "group-of-static-rule",
        global: "track_group TG {\n group {\n VI_1\n }\n }\n static_rules {\n from 203.0.113.64/28 iif eth1 table 100 preference 500 track_group TG\n }",
        ..OF_GROUP
    },
    Scenario {
        name: "group-not-tracked",
        global: "track_group TG {\n group {\n VI_1\n }\n }\n static_ipaddress {\n 198.51.100.9/24 dev eth1 track_group TG no_track\n }",
        twin: "the entry is tracked",
        without: " no_track",
        ..OF_GROUP
    },
    Scenario {
        name: "source",
        lines: "mcast_src_ip 192.0.2.2\n track_src_ip",
        steps: &[
            Ip("addr del 192.0.2.2/24 dev eth0"),
            Ip("addr add 192.0.2.2/24 dev eth0"),
        ],
        twin: "another source, which stays",
        without: "mcast_src_ip 192.0.2.2\n track_src_ip",
        // keepalived 2.2.7 goes on with a source that it no longer has.
        pairs: &["kv", "vv"],
        ..BASE
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |scenario: &Scenario| {
        let job = |pair: &str| format!("links {} {pair}", scenario.name);
        Check {
            name: format!("links::{}", scenario.name),
            jobs: scenario.pairs.iter().map(|pair| job(pair)).collect(),
            judge: alike,
            oracle: "addresses in the nodes' kernels; where they are in `pairs`, two keepalived nodes",
            twin: Twin {
                what: scenario.twin.to_owned(),
                sees: "spoiled",
                jobs: vec![job(scenario.pairs[0]), format!("{} spoiled", job("vv"))],
            },
            needs: vec![Needs::Program(KEEPALIVED)],
        }
    };
    SCENARIOS.iter().map(check).collect()
}

fn configuration(node: usize, scenario: &Scenario, spoiled: bool) -> String {
    let (global, lines, priority) = if node == BETTER {
        (scenario.global, scenario.lines, 150)
    } else {
        ("", "", 100)
    };
    let text = format!(
        "{global}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n advert_int 0.5\n priority {priority}\n virtual_ipaddress {{\n {VIP}/32\n }}\n {lines}\n}}\n"
    );
    if spoiled {
        text.replacen(scenario.without, "", 1)
    } else {
        text
    }
}

fn act(stage: &mut Stage, step: Step) -> io::Result<()> {
    let carrier = |stage: &mut Stage, link: &str, up| stage.lab.set_link_carrier(NodeId(BETTER), Some(link), up);
    match step {
        Unplug(link) => carrier(stage, link, false),
        Plug(link) => carrier(stage, link, true),
        Flap(link) => {
            carrier(stage, link, false)?;
            // The flap itself is the fault.
            stage.look_on(Micros::from_millis(500))?;
            carrier(stage, link, true)
        }
        Ip(words) => {
            let words: Vec<&str> = ["/sbin/ip"].into_iter().chain(words.split(' ')).collect();
            let run = stage.run(BETTER, "ip", &words)?;
            stage.until("ip ends", 5, |lab| !lab.runs(run))
        }
    }
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, pair, spoiled @ ..] = words else {
        return Err(io::Error::other("scenario, pair, perhaps spoiled"));
    };
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).unwrap();
    let vip: IpAddr = VIP.parse().unwrap();
    let specs = (1..=2).map(|number| {
        // With a second address the interface never is without one.
        let addresses = [format!("192.0.2.{number}/24"), format!("203.0.113.{number}/24")];
        node(&format!("node{number}"), &addresses.each_ref().map(String::as_str))
    });
    let mut stage = Stage::new(specs.collect(), vip, Micros::from_millis(3_500))?;
    let other = stage.lab.add_bridge()?;
    for index in 0..2 {
        let address = format!("198.51.100.{}", index + 1).parse().unwrap();
        stage.lab.plug_into(NodeId(index), other, "eth1", &[(address, 24)])?;
    }
    for (index, speaker) in pair.chars().map(Speaker::of).enumerate() {
        stage.start(index, speaker, &configuration(index, scenario, !spoiled.is_empty()))?;
    }
    let mut seen = vec![stage.settled()?];
    for step in scenario.steps {
        let before = stage.lab.holders(vip);
        stage.note(format!("{step:?}"));
        act(&mut stage, *step)?;
        // What is late by the machine's doing is not early.
        let early = scenario.early.saturating_sub(Micros::from_millis(100));
        if early > Micros::ZERO && stage.lab.watch(early, |lab| lab.holders(vip) != before)? {
            seen.push("early".into());
        }
        seen.push(stage.settled()?);
    }
    Ok(seen.join(" "))
}
