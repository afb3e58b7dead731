//! Who is told of what: notify programs of instances and groups. keepalived runs the same configuration as the oracle.

use crate::rig::{Daemon, KEEPALIVED, PATIENCE, VIP, VRRPD, alive, exists, has, ip, pause, script, text_of, until};
use crate::{Case, Needs};
use socket2::{Domain, Protocol, Socket, Type};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Instant;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case(
            "notify::programs_are_told_what_keepalived_tells",
            same_programs,
            Needs::Keepalived,
        ),
        case("notify::programs_run_one_at_a_time", in_order, Needs::Nothing),
        case(
            "notify::a_program_that_hangs_delays_nothing_for_long",
            hanging,
            Needs::Nothing,
        ),
        case(
            "notify::programs_get_the_reason_and_the_state_before",
            environment,
            Needs::Nothing,
        ),
        case(
            "notify::fifos_get_the_lines_that_keepalived_writes",
            same_lines,
            Needs::Keepalived,
        ),
        case(
            "notify::a_fifo_that_nobody_reads_loses_lines_and_says_so",
            full_fifo,
            Needs::Nothing,
        ),
        case("notify::a_file_that_is_no_fifo_is_left_alone", no_fifo, Needs::Nothing),
    ]
}

/// Appends its arguments to `/tmp/told`, one call a line.
const RECORD: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>/tmp/told\n";

/// An instance with every notify program, whose priority and addresses are those of the rig.
fn instance(name: &str, vrid: u8, address: &str, more: &str) -> String {
    let kinds = ["master", "backup", "fault", "stop", "master_rx_lower_pri"];
    let programs: String = kinds
        .map(|kind| format!("notify_{kind} \"/tmp/record.sh {name} {kind}\"\n"))
        .concat();
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\npriority 150\nversion 3\nadvert_int 0.1\n\
         virtual_ipaddress {{\n{address}/32\n}}\n{programs}notify \"/tmp/record.sh {name} any\"\n{more}\n}}\n"
    )
}

fn told() -> Vec<String> {
    if !exists("/tmp/told") {
        return Vec::new();
    }
    text_of("/tmp/told").lines().map(str::to_owned).collect()
}

fn until_told(daemon: &Daemon, line: &str, times: usize) {
    let give_up = Instant::now() + PATIENCE;
    while told().iter().filter(|told| *told == line).count() < times {
        assert!(
            Instant::now() < give_up,
            "nobody is told {line:?} {times} times: {:#?}\n{}",
            told(),
            daemon.log()
        );
        pause(5);
    }
}

fn run(program: &str, directory: &str, conf: &str) -> Daemon {
    fs::write("/tmp/conf", conf).unwrap();
    Daemon::run(program, directory, &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"], |_| {})
}

/// One valid advert of VRID 51 and priority 50 from 192.0.2.7 at the far end of the cable.
fn worse_advert() {
    let mut vrrp = vec![0x31, 51, 50, 1, 0, 10, 0, 0, 192, 0, 2, 99];
    let pseudo = [192, 0, 2, 7, 224, 0, 0, 18, 0, 112, 0, 12];
    let words = pseudo.iter().chain(&vrrp).copied().collect::<Vec<u8>>();
    let sum: u32 = words
        .chunks(2)
        .map(|two| u32::from(two[0]) << 8 | u32::from(two[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let sum = !u16::try_from(folded).unwrap();
    vrrp[6..8].copy_from_slice(&sum.to_be_bytes());
    // The kernel fills in what is 0 here.
    let mut packet = vec![
        0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0, 192, 0, 2, 7, 224, 0, 0, 18,
    ];
    packet.extend(vrrp);
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
    socket.bind_device(Some(b"far0")).unwrap();
    let target: SocketAddr = "224.0.0.18:0".parse().unwrap();
    socket.send_to(&packet, &target.into()).unwrap();
}

/// Start, take-over, a worse advert, a fault and its end, a reload that takes an instance out, and a stop.
fn story(program: &str, directory: &str) -> Vec<String> {
    if exists("/tmp/told") {
        fs::remove_file("/tmp/told").unwrap();
    }
    let one = instance("VI_1", 51, VIP, "");
    let two = instance(
        "VI_2",
        52,
        "192.0.2.98",
        "notify_deleted \"/tmp/record.sh VI_2 deleted\"",
    );
    let three = instance("VI_3", 53, "192.0.2.97", "");
    let daemon = run(program, directory, &format!("{one}{two}{three}"));
    for name in ["VI_1", "VI_2", "VI_3"] {
        until_told(&daemon, &format!("{name} any INSTANCE {name} MASTER 150"), 1);
        until_told(&daemon, &format!("{name} master"), 1);
    }
    worse_advert();
    until_told(&daemon, "VI_1 master_rx_lower_pri", 1);
    ip("link set eth0 down");
    for name in ["VI_1", "VI_2", "VI_3"] {
        until_told(&daemon, &format!("{name} any INSTANCE {name} FAULT 150"), 1);
        until_told(&daemon, &format!("{name} fault"), 1);
    }
    ip("link set eth0 up");
    for name in ["VI_1", "VI_2", "VI_3"] {
        until_told(&daemon, &format!("{name} any INSTANCE {name} MASTER 150"), 2);
        until_told(&daemon, &format!("{name} master"), 2);
    }
    fs::write("/tmp/conf", one).unwrap();
    daemon.signal(libc::SIGHUP);
    until_told(&daemon, "VI_2 any INSTANCE VI_2 DELETED 150", 1);
    until_told(&daemon, "VI_2 deleted", 1);
    until_told(&daemon, "VI_3 any INSTANCE VI_3 FAULT 150", 1);
    daemon.says("Reload complete");
    assert_eq!(daemon.stop(), 0);
    told()
}

/// The lines of each instance in their order; scripts of one moment may overtake each other in keepalived.
fn sorted(lines: &[String], name: &str) -> Vec<String> {
    let moment = |line: &str| -> &'static str {
        let words = ["MASTER ", "BACKUP ", "FAULT ", "STOP ", "DELETED "];
        words.into_iter().find(|word| line.contains(word)).unwrap_or("")
    };
    // `notify` alone has the state among its arguments; the special ones are counted apart.
    let mut special: Vec<String> = lines
        .iter()
        .filter(|line| line.starts_with(name) && moment(line).is_empty())
        .cloned()
        .collect();
    special.sort();
    let any = lines
        .iter()
        .filter(|line| line.starts_with(name) && !moment(line).is_empty())
        .cloned();
    any.chain(special).collect()
}

fn same_programs() {
    script("/tmp/record.sh", RECORD);
    let theirs = story(KEEPALIVED, "/tmp/k");
    let ours = story(VRRPD, "/tmp/v");
    for name in ["VI_1", "VI_2"] {
        assert_eq!(sorted(&ours, name), sorted(&theirs, name), "{name}");
    }
    // keepalived tells `notify` of the fault of a removed instance and leaves `notify_fault` out (T9).
    let with_fault = |mut lines: Vec<String>| {
        lines.push("VI_3 fault".into());
        lines.sort();
        lines
    };
    let (mut ours, theirs) = (sorted(&ours, "VI_3"), with_fault(sorted(&theirs, "VI_3")));
    ours.sort();
    assert_eq!(ours, theirs);
}

/// Says when it begins and when it ends.
const SLOW: &str = "#!/bin/sh\necho \"begin $*\" >>/tmp/told\nsleep 0.3\necho \"end $*\" >>/tmp/told\n";

fn in_order() {
    script("/tmp/slow.sh", SLOW);
    let conf = instance("VI_1", 51, VIP, "").replace("record.sh", "slow.sh");
    let daemon = run(VRRPD, "/tmp/v", &conf);
    until_told(&daemon, "end VI_1 any INSTANCE VI_1 MASTER 150", 1);
    let expected = [
        "VI_1 backup",
        "VI_1 any INSTANCE VI_1 BACKUP 150",
        "VI_1 master",
        "VI_1 any INSTANCE VI_1 MASTER 150",
    ];
    let expected: Vec<String> = expected
        .iter()
        .flat_map(|line| [format!("begin {line}"), format!("end {line}")])
        .collect();
    assert_eq!(told(), expected);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(
        told().last().unwrap().as_str().split(' ').next(),
        Some("end"),
        "a stop waits for its own"
    );
    assert_eq!(told().len(), expected.len() + 4);
}

fn hanging() {
    script(
        "/tmp/record.sh",
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>/tmp/told\ncase \"$*\" in *backup|*stop) echo $$ >>/tmp/pids; trap '' TERM; while :; do sleep 1; done;; esac\n",
    );
    let conf = format!(
        "global_defs {{\nnotify_order_timeout 1\n}}\n{}",
        instance("VI_1", 51, VIP, "")
    );
    let daemon = run(VRRPD, "/tmp/v", &conf);
    until("the address is set", || has(VIP));
    assert_eq!(told(), ["VI_1 backup"], "the others wait for it");
    until_told(&daemon, "VI_1 any INSTANCE VI_1 MASTER 150", 1);
    daemon.says("(VI_1) notify_backup script has been running for 1.");
    let pid: i32 = text_of("/tmp/pids").trim().parse().unwrap();
    assert!(alive(pid), "it is left running");
    let begun = Instant::now();
    assert_eq!(daemon.stop(), 0);
    let took = begun.elapsed();
    assert!(took.as_millis() < 1_900, "the stop took {took:?}");
    assert!(took.as_millis() >= 900, "it had a second: {took:?}");
    for pid in text_of("/tmp/pids").lines() {
        let pid = pid.parse().unwrap();
        until("nothing is left after the stop", || !alive(pid));
    }
    assert!(
        told().contains(&"VI_1 any INSTANCE VI_1 STOP 150".to_owned()),
        "{:?}",
        told()
    );
}

fn environment() {
    script(
        "/tmp/record.sh",
        "#!/bin/sh\nenv | grep ^VRRPD_ | sort >\"/tmp/env.$2.new\"\nmv \"/tmp/env.$2.new\" \"/tmp/env.$2\"\n",
    );
    let daemon = run(VRRPD, "/tmp/v", &instance("VI_1", 51, VIP, ""));
    until("it is told that it is master", || exists("/tmp/env.master"));
    let expected = "VRRPD_NAME=VI_1\nVRRPD_PREVIOUS_STATE=BACKUP\nVRRPD_PRIORITY=150\nVRRPD_REASON=master-down\n\
                    VRRPD_REASON_TEXT=no master was heard\nVRRPD_SEQUENCE=2\nVRRPD_STATE=MASTER\nVRRPD_TYPE=INSTANCE\n";
    assert_eq!(text_of("/tmp/env.master"), expected);
    ip("link set eth0 down");
    until("it is told of the fault", || exists("/tmp/env.fault"));
    let fault = text_of("/tmp/env.fault");
    assert!(fault.contains("VRRPD_REASON_TEXT=interface eth0 is down\n"), "{fault}");
    assert!(fault.contains("VRRPD_PREVIOUS_STATE=MASTER\n"), "{fault}");
    assert_eq!(daemon.stop(), 0);
}

/// Two FIFOs, one with a reader of its own, one read from outside; start, take-over, priority, fault, reload, stop.
fn fifo_story(program: &str, directory: &str) -> (Vec<String>, String, String) {
    fs::create_dir_all(directory).unwrap();
    fs::write("/tmp/good", "").unwrap();
    script("/tmp/check.sh", "#!/bin/sh\ntest -e /tmp/good\n");
    script(
        "/tmp/reader.sh",
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$1/args\"\nfor last; do :; done\nexec cat \"$last\" >>\"$1/lines\"\n",
    );
    let conf = |more: &str| {
        format!(
            "global_defs {{\nvrrp_notify_priority_changes\nnotify_fifo /tmp/all.fifo\nnotify_fifo_script \"/tmp/reader.sh {directory} x\"\n\
             vrrp_notify_fifo /tmp/vrrp.fifo\n}}\nvrrp_script chk {{\nscript /tmp/check.sh\ninterval 1\nweight 20\n}}\n{}{more}",
            instance("VI_1", 51, VIP, "track_script {\nchk\n}")
        )
    };
    let daemon = run(program, directory, &conf(&instance("VI_2", 52, "192.0.2.98", "")));
    until("the FIFO is made", || exists("/tmp/vrrp.fifo"));
    let mode = fs::metadata("/tmp/vrrp.fifo").unwrap();
    let facts = {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        format!(
            "{} {:o} {}",
            mode.file_type().is_fifo(),
            mode.mode() & 0o7777,
            mode.uid()
        )
    };
    let collect = |file: &str| {
        let command = format!("cat /tmp/vrrp.fifo >>{directory}/{file}");
        std::process::Command::new("sh").args(["-c", &command]).spawn().unwrap()
    };
    let read = |file: &str| fs::read_to_string(format!("{directory}/{file}")).unwrap_or_default();
    let until_line = |file: &str, line: &str| {
        until(&format!("{line} in {:?}", program), || {
            pause(20);
            read(file).contains(line)
        });
    };
    let mut outside = collect("outside");
    until_line("outside", "INSTANCE \"VI_1\" MASTER 170");
    fs::remove_file("/tmp/good").unwrap();
    until_line("outside", "INSTANCE \"VI_1\" MASTER_PRIORITY 150");
    worse_advert();
    until_line("outside", "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 150");
    ip("link set eth0 down");
    until_line("outside", "INSTANCE \"VI_1\" FAULT 150");
    ip("link set eth0 up");
    until("it is master again", || {
        read("outside").matches("INSTANCE \"VI_1\" MASTER 150").count() == 1
    });
    fs::write("/tmp/conf", conf("")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    // The old FIFO ends, the new one goes on.
    outside.wait().unwrap();
    let mut outside = collect("after");
    until_line("after", "INSTANCE \"VI_2\" FAULT 150");
    assert_eq!(daemon.stop(), 0);
    outside.wait().unwrap();
    assert!(
        !exists("/tmp/vrrp.fifo") && !exists("/tmp/all.fifo"),
        "what was made is removed"
    );
    let lines = format!("{}{}", read("outside"), read("after"));
    let first: Vec<String> = lines
        .lines()
        .filter(|l| l.contains("VI_1"))
        .map(str::to_owned)
        .collect();
    (first, read("args").replace(directory, "D"), facts)
}

fn same_lines() {
    script("/tmp/record.sh", RECORD);
    let theirs = fifo_story(KEEPALIVED, "/tmp/k");
    let ours = fifo_story(VRRPD, "/tmp/v");
    // A check that has reported before the first state tells a priority more or less; the story begins with MASTER.
    let story = |lines: &[String]| -> Vec<String> {
        let begin = lines.iter().position(|line| line.ends_with("MASTER 170")).unwrap();
        lines[begin..].to_vec()
    };
    assert_eq!(story(&ours.0), story(&theirs.0));
    assert_eq!(
        ours.1, theirs.1,
        "arguments of the reader, at the start and at the reload"
    );
    assert_eq!(ours.2, theirs.2, "kind, mode and owner");
    let inside = text_of("/tmp/v/lines");
    assert!(
        inside.contains("INSTANCE \"VI_1\" STOP 150"),
        "the reader sees the stop: {inside}"
    );
    assert!(inside.contains("INSTANCE \"VI_2\" FAULT 150"), "{inside}");
}

/// A worse advert that is answered is one line; the pipe is nearly full.
fn full_fifo() {
    let conf = format!("global_defs {{\nvrrp_notify_fifo /tmp/f\n}}\n{}", crate::rig::CONF);
    let daemon = run(VRRPD, "/tmp/v", &conf);
    until("the address is set", || has(VIP));
    let mut file = fs::File::options().read(true).write(true).open("/tmp/f").unwrap();
    // Somebody opens it and never reads.
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    file.write_all(&[b'\n'; 3_900]).unwrap();
    let wire = crate::rig::Wire::new();
    let begun = Instant::now();
    while !crate::rig::status()["problems"].to_string().contains("fifo-lines-lost") {
        assert!(begun.elapsed() < PATIENCE, "{}", daemon.log());
        worse_advert();
        pause(20);
    }
    let gap = wire.longest_gap(std::time::Duration::from_millis(500));
    assert!(gap < crate::rig::SILENCE, "{gap:?} without an advert");
    assert_eq!(daemon.stop(), 0);
}

fn no_fifo() {
    fs::write("/tmp/f", "mine").unwrap();
    let conf = format!("global_defs {{\nvrrp_notify_fifo /tmp/f\n}}\n{}", crate::rig::CONF);
    let daemon = run(VRRPD, "/tmp/v", &conf);
    until("the address is set", || has(VIP));
    daemon.says("vrrp notify fifo /tmp/f is not a fifo we own - not using");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(text_of("/tmp/f"), "mine");
}
