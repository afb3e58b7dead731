//! State files: names, form, masks, links. The oracle is what keepalived wrote in `spec/samples`.

use crate::rig::{CONF, Daemon, VRRPD, exists, pause, text_of, until};
use crate::{Case, Needs};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("files::state_files_have_keepalived_s_form", forms),
        case("files::links_are_not_followed_and_directories_are_honoured", links),
        Case {
            needs: Needs::Keepalived,
            ..case("files::what_is_tracked_is_told_as_keepalived_tells_it", tracked)
        },
    ]
}

/// Everything that can be tracked, by instances and by a group. No such process runs: keepalived is told of none here.
const TRACKED: &str = "\
global_defs {
    enable_script_security
    script_user root
}
vrrp_script chk {
    script \"/usr/bin/true\"
    interval 1
    weight 3
}
track_file tf {
    file /tmp/tf
}
track_file tg {
    file /tmp/tg
    weight -2 reverse
}
vrrp_track_process tp {
    process nothere
    quorum_max 3
    delay 1.5
}
vrrp_track_process tq {
    process /bin/nothere 77
    param_match initial
    weight 10 reverse
    quorum 2
    fork_delay 2
    terminate_delay 0.25
}
vrrp_sync_group G {
    group {
        VI_1
        VI_2
    }
    track_interface {
        eth1 weight 5
        far0
    }
    track_script {
        chk weight 7
    }
    track_file {
        tf weight 2 reverse
        tg
    }
    track_process {
        tp
        tq weight 3
    }
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    track_file {
        tf
    }
    virtual_ipaddress {
        192.0.2.100
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        192.0.2.101
    }
}
vrrp_instance VI_3 {
    interface eth0
    virtual_router_id 53
    track_interface {
        eth1 weight -3 reverse
    }
    track_script {
        chk weight 4
    }
    track_process {
        tp weight 5
    }
    track_file {
        tg weight 4
    }
    virtual_ipaddress {
        192.0.2.102
    }
}
";

/// The lines of `keepalived.data` about who tracks what, and how that is.
fn told_of_tracked(program: &str, directory: &str, conf: &str) -> Vec<String> {
    fs::write("/tmp/conf", conf).unwrap();
    let daemon = Daemon::run(program, directory, &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"], |_| {});
    daemon.says("Startup complete");
    daemon.says("VRRP_Script(chk) succeeded");
    let path = "/tmp/keepalived.data";
    fs::remove_file(path).unwrap_or_default();
    daemon.signal(libc::SIGUSR1);
    until("the file is complete", || {
        exists(path) && text_of(path).contains("------< Interfaces >------")
    });
    let data = text_of(path);
    assert_eq!(daemon.stop(), 0);
    let (mut section, mut block, mut list) = (String::new(), String::new(), String::new());
    let mut kept = Vec::new();
    for line in data.lines() {
        if line.starts_with('-') {
            section = line.to_owned();
        } else if line.starts_with(" VRRP Instance") {
            block = line.to_owned();
        }
        if !line.starts_with("     ") {
            list = line.to_owned();
        }
        // Of an instance its lists; of the sections all but what only this version of keepalived says.
        let topology = section.contains("Topology") && (list.contains("Tracked") || line.contains("Sync group"));
        let sections = ["Sync groups", "Scripts", "Track files", "Track processes"];
        let whole = sections.iter().any(|name| section.contains(name)) && !line.contains("Init state");
        if topology {
            kept.push(format!("{block}: {line}"));
        } else if whole {
            kept.push(line.to_owned());
        }
    }
    kept
}

fn tracked() {
    crate::rig::ip("link add eth1 type veth peer name far1");
    for name in ["eth1", "far1"] {
        crate::rig::ip(&format!("link set {name} up"));
    }
    fs::write("/tmp/tf", "5").unwrap();
    fs::write("/tmp/tg", "7").unwrap();
    let theirs = told_of_tracked(crate::rig::KEEPALIVED, "/tmp/k", TRACKED);
    assert!(theirs.len() > 70, "{theirs:#?}");
    assert_eq!(told_of_tracked(VRRPD, "/tmp/v", TRACKED), theirs);
    // Another weight of the group is seen.
    let other = TRACKED.replace("chk weight 7", "chk weight 8");
    assert_ne!(told_of_tracked(VRRPD, "/tmp/w", &other), theirs);
}

const SEED: &str = "\
vrrp_script chk {
    script \"/bin/true\"
    interval 2
    weight 11
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 50
    priority 100
    authentication {
        auth_type PASS
        auth_pass 1111secr
    }
    virtual_ipaddress {
        192.0.2.99
        192.0.2.98/24 label eth0:x
    }
    virtual_ipaddress_excluded {
        192.0.2.97
    }
    track_script {
        chk
    }
}
";

/// A file of the sample run of keepalived 2.4.3 whose script works.
fn sample(name: &str) -> String {
    let directory = "../shared/spec/samples/a2-seed-usr-bin-bash/keepalived-2.4.3";
    text_of(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(directory)
            .join(name)
            .to_str()
            .unwrap(),
    )
}

/// The text before ` = ` or `:` with its blanks, of each line.
fn keys(text: &str) -> Vec<&str> {
    text.lines()
        .map(|line| line.split([':', '=', '(']).next().unwrap().trim_end())
        .collect()
}

fn block<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let begin = text.find(from).unwrap_or_else(|| panic!("no {from} in\n{text}"));
    let rest = &text[begin..];
    &rest[..rest.find(to).unwrap_or(rest.len())]
}

fn forms() {
    let daemon = Daemon::start(SEED);
    daemon.says("Entering MASTER STATE");
    daemon.says("setting E-VIPs");
    pause(100);
    for (signal, said, file) in [
        (libc::SIGUSR1, "Printing VRRP data for process(", "/tmp/keepalived.data"),
        (
            libc::SIGUSR2,
            "Printing VRRP stats for process(",
            "/tmp/keepalived.stats",
        ),
        // keepalived 2.4 writes this one silently.
        (libc::SIGRTMIN() + 2, "", "/tmp/keepalived.json"),
    ] {
        daemon.signal(signal);
        until(file, || exists(file));
        daemon.says(said);
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600, "the umask is 0177");
    }
    daemon.says("Printing parent data for process(");
    until("the parent's file", || exists("/tmp/keepalived_parent.data"));
    assert!(text_of("/tmp/keepalived_parent.data").starts_with("------< Global definitions >------\n"));

    judge_data();
    let stats = text_of("/tmp/keepalived.stats");
    assert_eq!(keys(&stats), keys(&sample("node1-1-steady.stats")));
    assert!(stats.contains("  Became master: 1\n"));

    judge_json();

    // The clearing signal writes the values before, then they begin anew.
    fs::remove_file("/tmp/keepalived.stats").unwrap();
    daemon.signal(libc::SIGRTMAX() - 1);
    until("a new file", || exists("/tmp/keepalived.stats"));
    daemon.says("Printing and clearing VRRP stats");
    assert!(text_of("/tmp/keepalived.stats").contains("  Became master: 1\n"));
    fs::remove_file("/tmp/keepalived.stats").unwrap();
    daemon.signal(libc::SIGUSR2);
    until("a new file", || exists("/tmp/keepalived.stats"));
    assert!(text_of("/tmp/keepalived.stats").contains("  Became master: 0\n"));
    // A link without a carrier, as the sample shows it.
    crate::rig::ip("link set far0 down");
    daemon.says("Entering FAULT STATE");
    fs::remove_file("/tmp/keepalived.data").unwrap();
    daemon.signal(libc::SIGUSR1);
    until("a new file", || exists("/tmp/keepalived.data"));
    let (ours, theirs) = (text_of("/tmp/keepalived.data"), sample("node1-4-link-down.data"));
    for line in [
        "   State = FAULT",
        "   Wantstate = FAULT",
        "   Flags of interface faults:",
        "     i/f down",
        "   Read timeout = DISABLED",
    ] {
        let has = |text: &str| text.lines().any(|other| other == line);
        assert!(has(&ours) && has(&theirs), "no {line:?} in\n{ours}");
    }
    assert_eq!(daemon.stop(), 0);
}

/// `keepalived.data`.
fn judge_data() {
    let data = text_of("/tmp/keepalived.data");
    let theirs = sample("node1-1-steady.data");
    assert!(!data.contains("1111") && data.contains("   Password = ********\n"));
    // Every line of ours is one of theirs, in their order.
    for (from, to) in [(" VRRP Instance =", "------"), (" VRRP Script =", "------")] {
        let expected = keys(block(&theirs, from, to));
        let mut left = expected.iter();
        // That sample has neither excluded addresses nor a script behind a link.
        let more = ["   Virtual IP Excluded", "   Path"];
        for key in keys(block(&data, from, to)) {
            let item = key.starts_with("     ") || more.contains(&key);
            assert!(
                item || left.any(|other| *other == key),
                "{key:?} is not where keepalived has it in\n{data}"
            );
        }
    }
    // What tools read (interfaces §10).
    for line in [
        " VRRP Instance = VI_1",
        "   State = MASTER",
        "   Wantstate = MASTER",
        "   Interface = eth0",
        "   Using src_ip = 192.0.2.1",
        "   Gratuitous ARP delay = 5",
        "   Virtual Router ID = 50",
        "   Priority = 100",
        "   Effective priority = 111",
        "   Advert interval = 1 sec",
        "   Virtual IP (2):",
        "     192.0.2.99 dev eth0 scope global set",
        "     192.0.2.98/24 dev eth0 scope global label eth0:x set",
        "   Virtual IP Excluded :",
        "     192.0.2.97 dev eth0 scope global set",
        " VRRP Script = chk",
        "   Status = GOOD",
        "   State = idle",
    ] {
        assert!(data.lines().any(|other| other == line), "no {line:?} in\n{data}");
    }
    let topology: Vec<&str> = block(&data, "------< VRRP Topology", "\n------")
        .lines()
        .take(7)
        .collect();
    assert!(
        topology.iter().any(|line| line.starts_with("   State = ")),
        "tools use grep -A 6: {topology:?}"
    );
}

/// `keepalived.json`.
fn judge_json() {
    let json = text_of("/tmp/keepalived.json");
    assert!(!json.ends_with('\n') && json.contains("192.0.2.98\\/24") && !json.contains("1111"));
    let names = |text: &str| -> Vec<String> {
        let quoted = text
            .split('"')
            .skip(1)
            .step_by(2)
            .zip(text.split('"').skip(2).step_by(2));
        quoted
            .filter(|(_, after)| after.starts_with(':'))
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let mut expected = names(&sample("node1-1-steady.json"));
    let vips = expected.iter().position(|name| name == "vips").unwrap();
    expected.insert(vips + 1, "evips".into());
    assert_eq!(names(&json), expected);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let shown = &document[0]["data"];
    assert_eq!(
        (
            shown["state"].as_u64(),
            shown["garp_delay"].as_u64(),
            shown["adver_int"].as_u64()
        ),
        (Some(2), Some(5), Some(1))
    );
    assert_eq!(shown["auth_data"], "********");
}

fn links() {
    fs::write("/tmp/precious", "precious").unwrap();
    fs::create_dir("/tmp/own").unwrap();
    fs::create_dir("/tmp/tmp").unwrap();
    for name in [
        "/tmp/tmp/keepalived.stats",
        "/tmp/own/keepalived.data",
        "/tmp/own/keepalived_parent.data",
    ] {
        symlink("/tmp/precious", name).unwrap();
    }
    let conf = format!("global_defs {{\n state_dump_file /tmp/own/\n umask 022\n}}\n{CONF}");
    fs::write("/tmp/conf", conf).unwrap();
    let daemon = Daemon::run(VRRPD, "/tmp/node", &["-n", "-l", "-G", "-f", "/tmp/conf"], |command| {
        command.env("TMPDIR", "/tmp/tmp");
    });
    daemon.says("Startup complete");
    daemon.signal(libc::SIGUSR1);
    daemon.signal(libc::SIGUSR2);
    for name in [
        "/tmp/tmp/keepalived.stats",
        "/tmp/own/keepalived.data",
        "/tmp/own/keepalived_parent.data",
    ] {
        until(name, || fs::symlink_metadata(name).is_ok_and(|facts| facts.is_file()));
        assert_eq!(fs::metadata(name).unwrap().mode() & 0o777, 0o644);
    }
    assert_eq!(text_of("/tmp/precious"), "precious");
    assert_eq!(
        fs::read_dir("/tmp/tmp").unwrap().count(),
        1,
        "nothing half written is left"
    );
    assert_eq!(daemon.stop(), 0);
}
