//! The plan for configurations as people write them.

use super::*;
use crate::config::{NoHost, load_text};

fn files(texts: &[&str]) -> Vec<(String, Model)> {
    let model = |text: &&str| load_text(text, &NoHost).model.unwrap();
    texts
        .iter()
        .enumerate()
        .map(|(at, text)| (format!("n{}", at + 1), model(text)))
        .collect()
}

fn made(texts: &[&str]) -> Plan {
    plan(&files(texts)).unwrap()
}

/// `n1 eth0@0 192.0.2.11/24 ...`, a line for each interface.
fn shown(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (node, links) in plan.nodes.iter().enumerate() {
        for link in links {
            let addresses = link
                .addresses
                .iter()
                .map(|(address, prefix, _)| format!(" {address}/{prefix}"));
            let addresses: String = addresses.collect();
            lines.push(format!("n{} {}@{}{addresses}", node + 1, link.name, link.bridge));
        }
    }
    lines
}

fn instance(interface: &str, vrid: u8, more: &str, vips: &str) -> String {
    format!(
        "vrrp_instance VI_{vrid} {{\n interface {interface}\n virtual_router_id {vrid}\n {more}\n virtual_ipaddress {{\n {vips}\n }}\n}}\n"
    )
}

#[test]
fn a_lone_address_lies_in_the_usual_network_around_it() {
    let seed = include_str!("../../conf/seed/node1.conf");
    let plan = made(&[seed, seed]);
    assert_eq!(
        shown(&plan),
        ["n1 eth0@0 172.16.106.11/24", "n2 eth0@0 172.16.106.12/24"]
    );
    assert_eq!(plan.bridges, 1);
    assert_eq!(plan.routers.len(), 1);
    assert_eq!(plan.routers[0].vips.keys().collect::<Vec<_>>(), [&0, &1]);
    assert_eq!(plan.nodes[0][0].addresses[0].2, Origin::Chosen);
    // The check runs every 2 s and may take as long; 4 s of silence are a take-over.
    assert_eq!(plan.calm, Micros::from_secs(5));
}

#[test]
fn a_chosen_address_collides_with_nothing() {
    let vips = "192.0.2.11/24\n 192.0.2.12/24";
    let one = instance("eth0", 1, "", vips);
    assert_eq!(
        shown(&made(&[&one, &one])),
        ["n1 eth0@0 192.0.2.13/24", "n2 eth0@0 192.0.2.14/24"]
    );
    // Hosts 1 and 2 of 1 to 2: 2 is the virtual address.
    let small = instance("eth0", 1, "", "192.0.2.2/30");
    assert_eq!(shown(&made(&[&small, &small])), ["n1 eth0@0 192.0.2.1/30", "n2 eth0@0"]);
    assert!(made(&[&small, &small]).notes[0].contains("no address is free in 192.0.2.0/30"));
}

#[test]
fn named_sources_are_the_nodes_own_addresses() {
    let one = instance(
        "eth0",
        1,
        "unicast_src_ip 192.0.2.1\n unicast_peer {\n 192.0.2.2\n }",
        "192.0.2.100/25",
    );
    let two = instance(
        "eth0",
        1,
        "unicast_src_ip 192.0.2.2\n unicast_peer {\n 192.0.2.1\n }",
        "192.0.2.100/25",
    );
    let plan = made(&[&one, &two]);
    assert_eq!(shown(&plan), ["n1 eth0@0 192.0.2.1/25", "n2 eth0@0 192.0.2.2/25"]);
    assert!(plan.notes.is_empty());
    let errors = super::plan(&files(&[&one, &one])).unwrap_err();
    assert_eq!(errors, ["n1 and n2 both say that their address is 192.0.2.1"]);
}

#[test]
fn who_does_not_say_its_address_is_who_the_others_name() {
    let of = |peers: &str| instance("eth0", 1, &format!("unicast_peer {{\n {peers}\n }}"), "192.0.2.100");
    let plan = made(&[
        &of("192.0.2.2\n 192.0.2.3\n 192.0.2.4"),
        &of("192.0.2.1\n 192.0.2.3\n 192.0.2.4"),
        &of("192.0.2.1\n 192.0.2.2\n 192.0.2.4"),
    ]);
    assert_eq!(
        shown(&plan),
        [
            "n1 eth0@0 192.0.2.1/24",
            "n2 eth0@0 192.0.2.2/24",
            "n3 eth0@0 192.0.2.3/24"
        ]
    );
    assert_eq!(plan.nodes[1][0].addresses[0].2, Origin::Peers);
    assert_eq!(plan.notes.len(), 1);
    assert!(plan.notes[0].contains("192.0.2.4"), "{:?}", plan.notes);
}

#[test]
fn one_virtual_router_is_on_one_bridge_whatever_its_interfaces_are_called() {
    let one = instance("eth0", 1, "", "192.0.2.100/24") + &instance("eth1", 2, "", "198.51.100.100/24");
    let two = instance("eth1", 1, "", "192.0.2.100/24") + &instance("eth0", 2, "", "198.51.100.100/24");
    let plan = made(&[&one, &two]);
    assert_eq!(
        shown(&plan),
        [
            "n1 eth0@0 192.0.2.11/24",
            "n1 eth1@1 198.51.100.11/24",
            "n2 eth0@1 198.51.100.12/24",
            "n2 eth1@0 192.0.2.12/24",
        ]
    );
    assert_eq!(plan.bridges, 2);
}

#[test]
fn interfaces_that_are_only_tracked_or_only_carry_addresses_exist_too() {
    let more = "track_interface {\n bond0\n }";
    let one = instance(
        "eth0",
        1,
        more,
        "192.0.2.100/24\n 203.0.113.1/32 dev eth9\n 203.0.113.2/32 dev lo",
    );
    assert_eq!(
        shown(&made(&[&one, &one])),
        [
            "n1 bond0@0",
            "n1 eth0@1 192.0.2.11/24",
            "n1 eth9@2",
            "n2 bond0@0",
            "n2 eth0@1 192.0.2.12/24",
            "n2 eth9@2",
        ]
    );
}

#[test]
fn ipv6_gets_an_address_in_the_network_of_the_first_global_one() {
    let one = instance("eth0", 1, "version 3", "fe80::100/64\n 2001:db8:1::100/64");
    let plan = made(&[&one, &one]);
    assert_eq!(
        shown(&plan),
        ["n1 eth0@0 2001:db8:1::11/64", "n2 eth0@0 2001:db8:1::12/64"]
    );
    // The kernel's own link-local address suffices.
    let one = instance("eth0", 1, "version 3", "fe80::100/64");
    assert_eq!(shown(&made(&[&one])), ["n1 eth0@0"]);
}

#[test]
fn both_families_on_one_interface_are_two_routers() {
    let one = instance("eth0", 1, "version 3", "192.0.2.100/24")
        + &instance("eth0", 2, "version 3", "fe80::1\n 2001:db8::100/64");
    let plan = made(&[&one]);
    assert_eq!(shown(&plan), ["n1 eth0@0 192.0.2.11/24 2001:db8::11/64"]);
    assert_eq!(plan.routers.len(), 2);
}

/// Whatever people write: every instance has its interface on a bridge, and nobody's chosen address is anybody else's.
#[test]
fn every_file_of_the_collection_gets_a_sound_plan() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/wild");
    let mut planned = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        let Some(model) = load_text(&String::from_utf8_lossy(&text), &NoHost).model else {
            continue;
        };
        // Twice the same file: two nodes with the same source address are refused, and that is sound.
        let twice = [("a".to_owned(), model.clone()), ("b".to_owned(), model.clone())];
        let Ok(plan) = plan(&twice) else { continue };
        planned += usize::from(!model.instances.is_empty());
        let mut owners: BTreeMap<IpAddr, (usize, String)> = BTreeMap::new();
        for (node, links) in plan.nodes.iter().enumerate() {
            for instance in &model.instances {
                let home = home(instance);
                assert!(home == "lo" || links.iter().any(|link| link.name == home), "{home}");
            }
            for link in links {
                assert!(link.bridge < plan.bridges);
                for (address, _, origin) in &link.addresses {
                    let vip = plan.routers.iter().any(|router| router.addresses().contains(address));
                    assert!(*origin != Origin::Chosen || !vip, "{address}");
                    let other = owners.insert(*address, (node, link.name.clone()));
                    assert!(*origin != Origin::Chosen || other.is_none(), "{address}");
                }
            }
        }
    }
    assert!(planned > 20, "{planned}");
}
