//! Links and addresses: waiting for what is missing, renaming, keepalived's attributes, lost netlink messages.

use crate::rig::{CONF, Daemon, KEEPALIVED, VIP, ask, exists, has, ip, pause, state, status, until};
use crate::{Case, Needs};
use std::fs;
use std::process::Command;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case("kernel::a_missing_interface_is_waited_for", missing, Needs::Nothing),
        case(
            "kernel::a_renamed_interface_does_not_keep_the_address",
            renamed,
            Needs::Nothing,
        ),
        case(
            "kernel::addresses_have_keepalived_s_attributes",
            attributes,
            Needs::Keepalived,
        ),
        case(
            "kernel::netlink_buffers_are_as_large_as_keepalived_s",
            buffers,
            Needs::Keepalived,
        ),
        case("kernel::lost_messages_are_made_up_for", overrun, Needs::Nothing),
        case("kernel::a_deleted_address_is_put_back", put_back, Needs::Nothing),
        case(
            "kernel::a_deleted_ipv6_address_is_put_back_unless_ipv6_is_switched_off",
            put_back_ipv6,
            Needs::Nothing,
        ),
    ]
}

fn reasons() -> String {
    let status = status();
    status["instances"][0]["faults"].to_string() + &status["problems"].to_string()
}

fn missing() {
    ip("link set eth0 down");
    ip("link del eth0");
    let daemon = Daemon::start(CONF);
    until("it tells what it waits for", || {
        state() == "FAULT" && reasons().contains("eth0")
    });
    let (_, text, _) = ask("status");
    assert!(
        text.contains("eth0") && text.contains("FAULT") && text.contains("error: VI_1:"),
        "{text}"
    );
    ip("link add eth0 type veth peer name far0");
    pause(100);
    assert_eq!(state(), "FAULT", "it is there, but down and without an address");
    ip("link set far0 up");
    ip("link set eth0 up");
    ip("addr add 192.0.2.1/24 dev eth0");
    until("the address is set", || has(VIP));
    // Down, up, deleted, made again.
    ip("link set far0 down");
    until("a cable without a carrier is a fault", || {
        state() == "FAULT" && !has(VIP)
    });
    ip("link set far0 up");
    until("the address is set", || has(VIP));
    for _ in 0..2 {
        ip("link del eth0");
        until("a deleted interface is a fault", || state() == "FAULT");
        ip("link add eth0 type veth peer name far0");
        ip("link set far0 up");
        ip("link set eth0 up");
        ip("addr add 192.0.2.1/24 dev eth0");
        until("the address is set", || has(VIP));
        let wire = crate::rig::Wire::new();
        assert!(
            !wire.adverts(std::time::Duration::from_millis(500)).is_empty(),
            "adverts leave by the new interface"
        );
    }
    assert_eq!(daemon.stop(), 0);
}

fn renamed() {
    let daemon = Daemon::master();
    ip("link set eth0 name other0");
    until("the old name is missing", || state() == "FAULT");
    until("the address is gone from the renamed one", || !has(VIP));
    ip("link set other0 name eth0");
    until("the address is set", || has(VIP));
    assert_eq!(daemon.stop(), 0);
    assert!(!has(VIP));
}

/// Every attribute that the kernel shows of addresses that the daemon set, without times.
fn shown() -> Vec<String> {
    let text = ip("-o -d addr show");
    let lines = text
        .lines()
        .filter(|line| line.contains("keepalived") || line.contains("198.51.100") || line.contains("2001:db8"));
    lines.map(|line| line.split_once(": ").unwrap().1.to_owned()).collect()
}

/// How much room the kernel keeps for the rtnetlink sockets of programs in this namespace, in order.
fn rooms() -> Vec<u64> {
    let shown = Command::new("ss").args(["-f", "netlink", "-m"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let routes = shown
        .lines()
        .filter(|line| line.contains("rtnl:") && !line.contains("rtnl:kernel"));
    let room = |line: &str| line.split_once(",rb")?.1.split(',').next()?.parse().ok();
    let mut rooms: Vec<u64> = routes.filter_map(room).collect();
    rooms.sort_unstable();
    rooms.dedup();
    rooms
}

/// The kernel gives twice what is asked for. Only with `_force` it may be more than the system's limit.
fn buffers() {
    let limit: u64 = fs::read_to_string("/proc/sys/net/core/rmem_max")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let settings = |force: &str| {
        format!(
            "global_defs {{\n vrrp_netlink_cmd_rcv_bufs 100000\n vrrp_netlink_monitor_rcv_bufs {}\n {force}\n}}\n{CONF}",
            limit + 500_000
        )
    };
    for (force, most) in [
        ("", 2 * limit),
        ("vrrp_netlink_monitor_rcv_bufs_force", 2 * limit + 1_000_000),
    ] {
        let daemon = Daemon::start(&settings(force));
        until("the address is set", || has(VIP));
        let ours = rooms();
        assert!(!daemon.log().contains("does not act"), "{}", daemon.log());
        assert_eq!(daemon.stop(), 0);
        let options = ["-n", "-l", "-P", "-f", "/tmp/conf"];
        let keepalived = Daemon::run(KEEPALIVED, "/tmp/keepalived", &options, |_| {});
        until("the address is set", || has(VIP));
        assert_eq!(ours, rooms(), "{force}");
        assert_eq!(ours, [200_000, most], "{force}");
        keepalived.stop();
    }
    let daemon = Daemon::master();
    assert_eq!(rooms(), [2 << 20, 16 << 20], "without settings");
    assert_eq!(daemon.stop(), 0);
}

fn attributes() {
    let conf = "\
vrrp_instance V4 {
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        198.51.100.1
        198.51.100.2/24 brd + label eth0:web
        198.51.100.3/25 brd 198.51.100.127 scope link
        198.51.100.4/28 dev far0 scope site
        198.51.100.5 peer 198.51.100.200/32
        198.51.100.6/24 noprefixroute
    }
    virtual_ipaddress_excluded {
        198.51.100.7/26 brd - label eth0:ex
        2001:db8::7/64 -nodad
    }
}
vrrp_instance V6 {
    interface eth0
    virtual_router_id 52
    priority 150
    version 3
    virtual_ipaddress {
        fe80::aa:1
        2001:db8::1
        2001:db8::2/64
        2001:db8::3/64 preferred_lft 0
        2001:db8::4 preferred_lft forever
        2001:db8::5/64 home mngtmpaddr
        2001:db8::6/64 noprefixroute
    }
}
";
    fs::write("/tmp/conf", conf).unwrap();
    let wait = || {
        until("all addresses are set", || {
            let shown = shown().join("\n");
            // Duplicate address detection of the one with `-nodad` takes its time.
            !shown.contains("tentative")
                && (1..=7).all(|last| {
                    shown.contains(&format!("198.51.100.{last}")) && shown.contains(&format!("2001:db8::{last}/"))
                })
        });
        shown()
    };
    let options = ["-n", "-l", "-G", "-D", "-f", "/tmp/conf"];
    let theirs = Daemon::run(KEEPALIVED, "/tmp/k", &options, |_| {});
    let expected = wait();
    assert_eq!(theirs.stop(), 0);
    until("keepalived has removed them", || shown().is_empty());
    let ours = Daemon::start(conf);
    let found = wait();
    let bare = |lines: Vec<String>| -> Vec<String> {
        let mut lines: Vec<String> = lines
            .iter()
            .map(|line| line.replace(" proto keepalived", "").replace("  ", " "))
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(bare(found), bare(expected));
    assert_eq!(ours.stop(), 0);
    assert!(shown().is_empty(), "{:?}", shown());
}

/// While the daemon is stopped, more happens than its buffer of 8 MiB holds; the change that matters comes last.
fn overrun() {
    let slow = CONF
        .replace("advert_int 0.1", "advert_int 5")
        .replace("priority 150", "priority 255");
    let daemon = Daemon::start(&slow);
    until("the address is set", || has(VIP));
    let vrrp = daemon.vrrp_pid();
    crate::rig::signal_to(vrrp, libc::SIGSTOP);
    let mut batch = String::new();
    for _ in 0..10 {
        for verb in ["add", "del"] {
            for number in 0..1500 {
                batch.push_str(&format!(
                    "addr {verb} 10.{}.{}.1/32 dev lo\n",
                    number / 250,
                    number % 250
                ));
            }
        }
    }
    batch.push_str(&format!(
        "addr del {VIP}/32 dev eth0\nlink add new0 type veth peer name new1\n"
    ));
    fs::write("/tmp/batch", batch).unwrap();
    let done = Command::new("ip").args(["-batch", "/tmp/batch"]).status().unwrap();
    assert!(done.success() && !has(VIP));
    let drops = || -> u64 {
        let text = crate::rig::text_of("/proc/net/netlink");
        text.lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok())
            .sum()
    };
    assert!(drops() > 0, "the buffer was not overrun");
    crate::rig::signal_to(vrrp, libc::SIGCONT);
    until("the lost change is noticed and made good", || {
        has(VIP) || state() != "MASTER"
    });
    until("it is master with its address", || has(VIP) && state() == "MASTER");
    assert_eq!(daemon.stop(), 0);
}

/// The kernel does not say who deletes an IPv6 address, but that it took all away because IPv6 was switched off.
fn put_back_ipv6() {
    let conf = CONF.replace("192.0.2.99/32", "fe80::99/64\n2001:db8::99/64");
    let daemon = Daemon::start(&conf);
    let has_both = || has("fe80::99") && has("2001:db8::99");
    until("the addresses are set", has_both);
    for address in ["2001:db8::99", "fe80::99"] {
        ip(&format!("addr del {address}/64 dev eth0"));
        until("it is there again", has_both);
        daemon.says(&format!(
            "somebody whom the kernel does not name removed {address} from eth0 - putting it back"
        ));
    }
    assert_eq!(state(), "MASTER");
    assert_eq!(status()["instances"][0]["counters"]["became_master"], 1);
    let before = daemon.log().matches("putting it back").count();
    fs::write("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1").unwrap();
    until("it cannot be master", || state() == "FAULT");
    assert_eq!(daemon.log().matches("putting it back").count(), before);
    let transitions = ask("events").1;
    assert!(!transitions.contains("keeps deleting"), "{transitions}");
    assert_eq!(daemon.stop(), 0);
}

fn put_back() {
    let daemon = Daemon::master();
    ip(&format!("addr del {VIP}/32 dev eth0"));
    until("it is there again", || has(VIP));
    daemon.says(" removed 192.0.2.99 from eth0 - putting it back");
    assert_eq!(state(), "MASTER");
    assert_eq!(status()["instances"][0]["counters"]["became_master"], 1);
    assert!(!exists("/tmp/nothing"));
    assert_eq!(daemon.stop(), 0);
}
