//! From the command line to a running daemon: background, pid files, names, rights, exit statuses.

use crate::rig::{
    CONF, Daemon, KEEPALIVED, VIP, VRRPD, Wire, ask, called, exists, has, ip, pid_in, read_syslog, roomy_syslog,
    signal_to, state, status, text_of, until,
};
use crate::{Case, Needs};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case("start::on_a_host_where_nothing_is_prepared", bare_host, Needs::Nothing),
        case("start::in_the_background", background, Needs::Nothing),
        case("start::under_keepalived_s_name", by_link, Needs::Keepalived),
        case(
            "start::a_second_one_says_so_and_leaves_the_first_alone",
            second,
            Needs::Nothing,
        ),
        case(
            "start::keepalived_and_vrrpd_keep_each_other_out",
            each_other,
            Needs::Keepalived,
        ),
        case("start::statuses_of_starts_that_fail", failures, Needs::Nothing),
        case("start::by_the_unit_file", unit_file, Needs::Nothing),
        case("start::by_debian_s_init_script", init_script, Needs::Keepalived),
        case("start::what_d_a_and_upper_v_do", showing, Needs::Nothing),
        case("start::two_daemons_on_one_host", two, Needs::Nothing),
        case(
            "start::the_system_treats_it_as_it_treats_keepalived",
            treatment,
            Needs::Keepalived,
        ),
        case("start::in_a_named_namespace", namespace, Needs::Root),
        case("start::a_missing_right_is_named", rights, Needs::Root),
        case(
            "start::as_an_ordinary_user_with_two_capabilities",
            ordinary_user,
            Needs::Root,
        ),
    ]
}

fn bare_host() {
    let daemon = Daemon::master();
    assert_eq!(state(), "MASTER");
    let directory = fs::metadata("/run/vrrpd").unwrap();
    assert_eq!(directory.mode() & 0o777, 0o700);
    assert_eq!(fs::metadata("/run/vrrpd/control.sock").unwrap().mode() & 0o777, 0o600);
    let (pid, vrrp) = (daemon.pid(), daemon.vrrp_pid());
    assert_eq!(text_of("/run/keepalived.pid"), format!("{pid}\n"));
    assert_eq!(fs::metadata("/run/vrrp.pid").unwrap().mode() & 0o777, 0o644);
    assert_eq!(status()["pid"], vrrp);
    assert_eq!(daemon.stop(), 0);
    let left: Vec<_> = fs::read_dir("/run")
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let ours = |name: &&std::ffi::OsString| !["dev", "vrrpd", "vrrpd-lab"].contains(&name.to_str().unwrap());
    assert_eq!(left.iter().find(ours), None, "{left:?}");
    assert!(!exists("/run/vrrpd/control.sock") && !has(VIP));
    let (status, _, error) = ask("status");
    assert_eq!(
        (status, error.as_str()),
        (3, "vrrpd: no daemon answers at /run/vrrpd/control.sock\n")
    );
}

fn background() {
    fs::write("/tmp/conf", CONF).unwrap();
    let syslog = roomy_syslog();
    let mut starter = Daemon::run(VRRPD, "/tmp/node", &["-D", "-f", "conf"], |command| {
        command.current_dir("/tmp");
    });
    assert_eq!(starter.status(), 0);
    until("the pid file", || pid_in("/run/keepalived.pid").is_some());
    let pid = pid_in("/run/keepalived.pid").unwrap();
    until("the address is set", || has(VIP));
    assert_ne!(pid, starter.pid());
    let stat = text_of(&format!("/proc/{pid}/stat"));
    let session: i32 = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(session, pid, "a session of its own");
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
    assert_eq!(link("cwd").to_str(), Some("/"));
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(stream).to_str(), Some("/dev/null"));
    }
    let lines = read_syslog(&syslog, "Entering MASTER STATE");
    assert!(
        lines[0].starts_with("<30>") && lines[0].contains(" vrrpd["),
        "{}",
        lines[0]
    );
    assert!(lines.last().unwrap().contains(" vrrpd_vrrp["), "{lines:?}");
    // A relative path still means the same file at a reload, although the directory is the root now.
    signal_to(pid, libc::SIGHUP);
    read_syslog(&syslog, "Reload complete");
    signal_to(pid, libc::SIGTERM);
    read_syslog(&syslog, "Stopped vrrpd");
    until("the pid file is gone", || !exists("/run/keepalived.pid"));
    assert!(!has(VIP) && starter.log().is_empty(), "{}", starter.log());
}

fn by_link() {
    crate::rig::mount_tmpfs("/etc/keepalived");
    fs::write("/etc/keepalived/keepalived.conf", CONF).unwrap();
    std::os::unix::fs::symlink(VRRPD, "/tmp/keepalived").unwrap();
    let syslog = roomy_syslog();
    // As Debian's unit does it.
    let daemon = Daemon::run("/tmp/keepalived", "/tmp/node", &["--dont-fork"], |_| {});
    let lines = read_syslog(&syslog, "Entering MASTER STATE");
    assert!(
        lines[0].contains(" Keepalived[") && lines[0].contains("Starting Keepalived v2."),
        "{}",
        lines[0]
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("Opening file '/etc/keepalived/keepalived.conf'."))
    );
    assert!(lines.last().unwrap().contains(" Keepalived_vrrp["), "{lines:?}");
    assert_eq!(
        text_of(&format!("/proc/{}/comm", daemon.pid())),
        "keepalived\n",
        "killall finds it"
    );
    assert_eq!(text_of(&format!("/proc/{}/comm", daemon.vrrp_pid())), "keepalived\n");
    assert_eq!(daemon.stop(), 0);
}

fn second() {
    let first = Daemon::master();
    let mut second = Daemon::run(
        VRRPD,
        "/tmp/second",
        &["-n", "-l", "-G", "-f", "/tmp/conf"],
        called("keepalived"),
    );
    assert_eq!(second.status(), 0);
    second.says("Another process has pid file /run/keepalived.pid locked");
    second.says("daemon is already running");
    assert_eq!(text_of("/run/keepalived.pid"), format!("{}\n", first.pid()));
    assert!(has(VIP) && state() == "MASTER");
    // One that is stopping is waited for: a restart does not fail for want of some milliseconds.
    first.signal(libc::SIGTERM);
    let third = Daemon::run(VRRPD, "/tmp/third", &["-n", "-l", "-G", "-f", "/tmp/conf"], |_| {});
    third.says("Entering MASTER STATE");
    assert_eq!((first.stop(), third.stop()), (0, 0));
}

/// keepalived 2.2 locks nothing: it looks for a living process, and so do we.
fn each_other() {
    fs::write("/tmp/conf", CONF).unwrap();
    let options = ["-n", "-l", "-G", "-f", "/tmp/conf"];
    for (first, second) in [(KEEPALIVED, VRRPD), (VRRPD, KEEPALIVED)] {
        let there = Daemon::run(first, &format!("/tmp/first{}", first.len()), &options, |_| {});
        until("the address is set", || has(VIP));
        let mut late = Daemon::run(second, &format!("/tmp/late{}", second.len()), &options, |_| {});
        assert_eq!(late.status(), 0);
        late.says("daemon is already running");
        assert_eq!(text_of("/run/keepalived.pid"), format!("{}\n", there.pid()));
        assert_eq!(there.stop(), 0);
        until("the address is gone", || !has(VIP));
    }
}

fn failures() {
    let run = |conf: Option<&str>, expected: i32, text: &str| {
        let path = conf.map_or("/nowhere/at/all", |conf| {
            fs::write("/tmp/bad", conf).unwrap();
            "/tmp/bad"
        });
        let mut daemon = Daemon::run(VRRPD, "/tmp/bad.d", &["-n", "-l", "-G", "-f", path], |_| {});
        assert_eq!(daemon.status(), expected, "{}", daemon.log());
        daemon.says(text);
        assert!(!exists("/run/keepalived.pid") || pid_in("/run/keepalived.pid").is_none());
    };
    run(None, 6, "/nowhere/at/all");
    run(
        Some(&CONF.replace("virtual_router_id 51", "")),
        2,
        "(VI_1) the virtual router id must be set",
    );
    // Every problem of a file in one run, with file and line.
    let (status, _, error) = ask("-t -f /tmp/conf2");
    assert_eq!((status, error.is_empty()), (4, false));
    fs::write("/tmp/conf2", CONF.replace("priority 150", "priority 999\nbogus_word 1")).unwrap();
    let (status, _, error) = ask("-t -f /tmp/conf2");
    assert_eq!(status, 5);
    assert!(error.contains("Line 4") && error.contains("Line 5"), "{error}");
    // Without any instance it stays and waits for a reload.
    let daemon = Daemon::start("! nothing\n");
    daemon.says("has no configuration to run");
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    until("the address is set", || has(VIP));
    assert_eq!(daemon.stop(), 0);
}

fn unit_file() {
    let text = text_of(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/vrrpd.service"));
    let unit = text.replace("/usr/sbin/vrrpd", VRRPD);
    fs::write("/tmp/vrrpd.service", &unit).unwrap();
    if let Ok(verified) = Command::new("systemd-analyze")
        .args(["verify", "/tmp/vrrpd.service"])
        .output()
    {
        assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
    }
    // As systemd runs it: the variables of the environment files, split at blanks.
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    fs::write("/tmp/conf", CONF).unwrap();
    let daemon = Daemon::run("sh", "/tmp/node", &["-c", &format!("exec {line}")], |command| {
        command.envs([
            ("DAEMON_ARGS", "-D -G"),
            ("KEEPALIVED_OPTIONS", "-l"),
            ("VRRPD_OPTIONS", "-f /tmp/conf"),
        ]);
    });
    until("the address is set", || has(VIP));
    let reload = unit.lines().find_map(|line| line.strip_prefix("ExecReload=")).unwrap();
    let reloaded = Command::new("sh")
        .args(["-c", reload])
        .env("MAINPID", daemon.pid().to_string())
        .status();
    assert!(reloaded.unwrap().success());
    daemon.says("Reload complete");
    assert_eq!(daemon.stop(), 0);
}

/// Debian's own script, with our program in keepalived's place.
fn init_script() {
    crate::rig::mount_tmpfs("/etc/keepalived");
    fs::write("/etc/keepalived/keepalived.conf", CONF).unwrap();
    fs::write(
        "/tmp/init",
        text_of("/etc/init.d/keepalived").replace("/lib/lsb/init-functions", "/tmp/functions"),
    )
    .unwrap();
    // Without lsb's functions, which would hand everything to systemd.
    fs::write(
        "/tmp/functions",
        "log_daemon_msg() { :; }\nlog_end_msg() { return $1; }\n",
    )
    .unwrap();
    File::create("/tmp/keepalived").unwrap();
    crate::rig::bind(VRRPD, "/usr/sbin/keepalived");
    let run = |verb: &str| Command::new("sh").args(["/tmp/init", verb]).output().unwrap();
    let started = run("start");
    assert!(started.status.success(), "{started:?}");
    until("the address is set", || has(VIP));
    let pid = pid_in("/run/keepalived.pid").unwrap();
    assert!(run("reload").status.success());
    assert!(run("stop").status.success());
    until("the address is gone", || !has(VIP));
    until("the daemon ends", || !crate::rig::alive(pid));
}

fn showing() {
    fs::write("/tmp/conf", CONF).unwrap();
    let options = ["-n", "-l", "-G", "-D", "-d", "-a", "-V", "-f", "/tmp/conf"];
    let daemon = Daemon::run(VRRPD, "/tmp/node", &options, |_| {});
    until("the address is set", || has(VIP));
    for text in [
        "------< Global definitions >------",
        " VRRP Instance = VI_1",
        "   Virtual Router ID = 51",
        "     192.0.2.99 dev eth0 scope global",
        "Netlink reflector reports IP 192.0.2.1 added to eth0",
        "Netlink reflector reports IP 192.0.2.99 added to eth0",
    ] {
        daemon.says(text);
    }
    assert!(!daemon.log().contains("State = "), "the state is no configuration");
    ip("addr add 192.0.2.77/32 dev far0");
    ip("addr del 192.0.2.77/32 dev far0");
    daemon.says("Netlink reflector reports IP 192.0.2.77 removed from far0");
    // -V: everything stays, and nobody is told that we leave.
    let wire = Wire::new();
    assert_eq!(daemon.stop(), 0);
    let seen = wire.adverts(std::time::Duration::from_millis(200));
    assert!(
        has(VIP) && seen.iter().all(|(_, priority)| *priority == 150),
        "{seen:?}"
    );
}

fn two() {
    let first = Daemon::master();
    let conf = CONF.replace("VI_1", "VI_2").replace("51", "52").replace(".99", ".98");
    fs::write("/tmp/conf2", conf).unwrap();
    let options = [
        "-n",
        "-l",
        "-G",
        "-f",
        "/tmp/conf2",
        "-p",
        "/run/k2.pid",
        "-r",
        "/run/v2.pid",
    ];
    let second = Daemon::run(VRRPD, "/tmp/second", &options, |_| {});
    until("both addresses are set", || has(VIP) && has("192.0.2.98"));
    let socket = format!("/run/vrrpd/control.{}.sock", pid_in("/run/v2.pid").unwrap());
    second.says(&socket);
    assert_eq!(status()["instances"][0]["name"], "VI_1");
    let (code, text, _) = ask(&format!("status --json --control {socket}"));
    assert!(code == 0 && text.contains("VI_2"), "{text}");
    assert_eq!(first.stop(), 0);
    // Without the first one, whoever is there answers.
    let (code, text, _) = ask("status");
    assert!(code == 0 && text.contains("VI_2"), "{text}");
    let (code, _, error) = ask("status VI_1");
    assert_eq!((code, error.as_str()), (4, "vrrpd: there is no instance VI_1\n"));
    assert_eq!(second.stop(), 0);
}

fn namespace() {
    ip("netns add inner");
    ip("link add in0 type veth peer name out0");
    ip("link set in0 netns inner name eth0");
    for command in [
        "link set out0 up",
        "-n inner link set eth0 up",
        "-n inner addr add 192.0.2.1/24 dev eth0",
    ] {
        ip(command);
    }
    fs::write("/tmp/conf", CONF).unwrap();
    let syslog = roomy_syslog();
    let daemon = Daemon::run(
        VRRPD,
        "/tmp/node",
        &["-n", "-D", "-s", "inner", "-f", "/tmp/conf"],
        called("keepalived"),
    );
    until("the address is set inside", || {
        ip("-n inner -o addr show").contains(VIP)
    });
    assert!(!has(VIP));
    let lines = read_syslog(&syslog, "Entering MASTER STATE");
    assert!(lines.last().unwrap().contains(" Keepalived_vrrp_inner["), "{lines:?}");
    assert_eq!(
        text_of("/run/keepalived/inner/keepalived.pid"),
        format!("{}\n", daemon.pid())
    );
    assert_eq!(daemon.stop(), 0);
    assert!(!exists("/run/keepalived") && !ip("-n inner -o addr show").contains(VIP));
}

fn rights() {
    fs::write("/tmp/conf", CONF).unwrap();
    for (words, named) in [
        (
            "--bounding-set=-net_raw",
            vec!["CAP_NET_RAW is missing: adverts can neither be sent nor received"],
        ),
        (
            "--bounding-set=-net_admin",
            vec!["CAP_NET_ADMIN is missing: addresses cannot be set"],
        ),
        (
            "--reuid=65534 --regid=65534 --clear-groups",
            vec!["CAP_NET_ADMIN is missing", "CAP_NET_RAW is missing"],
        ),
    ] {
        let directory = format!("/tmp/rights{}", words.len());
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        let options: Vec<&str> = words
            .split(' ')
            .chain([VRRPD, "-n", "-l", "-G", "-f", "/tmp/conf"])
            .collect();
        let mut daemon = Daemon::run("setpriv", &directory, &options, |_| {});
        assert_eq!(daemon.status(), 4, "{words}: {}", daemon.log());
        for text in named {
            daemon.says(text);
        }
        assert!(!exists("/run/keepalived.pid"));
    }
}

/// Name of the first process; of the VRRP process name, nice value, real-time priority, policy, CPUs, and whether its memory is
/// locked. By proc(5).
fn treated(pid: i32, vrrp: i32) -> Vec<String> {
    let stat = text_of(&format!("/proc/{vrrp}/stat"));
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let status = text_of(&format!("/proc/{vrrp}/status"));
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    vec![
        text_of(&format!("/proc/{pid}/comm")),
        text_of(&format!("/proc/{vrrp}/comm")),
        fields[16].into(),
        fields[37].into(),
        fields[38].into(),
        value("Cpus_allowed_list:").into(),
        (value("VmLck:") != "0 kB").to_string(),
    ]
}

/// Threads that are no engine are not urgent.
fn urgent_threads(vrrp: i32) -> usize {
    let threads = fs::read_dir(format!("/proc/{vrrp}/task")).unwrap();
    let policy = |stat: String| stat.rsplit(") ").next().unwrap().split(' ').nth(38) == Some("2");
    threads
        .filter(|thread| policy(text_of(thread.as_ref().unwrap().path().join("stat").to_str().unwrap())))
        .count()
}

fn treatment() {
    let mut seen = Vec::new();
    for settings in [
        "process_name first\n vrrp_process_name second",
        "process_name first",
        "process_name first\n process_names\n vrrp_process_name second",
        "process_name first\n vrrp_priority -5",
        "process_name first\n vrrp_priority 7",
        "process_name first\n vrrp_rt_priority 20\n vrrp_priority -5",
        "process_name first\n vrrp_cpu_affinity 0",
        "process_name first\n vrrp_no_swap",
    ] {
        fs::write("/tmp/conf", format!("global_defs {{\n {settings}\n}}\n{CONF}")).unwrap();
        let options = ["-n", "-l", "-P", "-f", "/tmp/conf"];
        let [theirs, ours] = [KEEPALIVED, VRRPD].map(|program| {
            let daemon = Daemon::run(program, "/tmp/node", &options, |_| {});
            until("the address is set", || has(VIP));
            let treated = treated(daemon.pid(), daemon.vrrp_pid());
            assert!(urgent_threads(daemon.vrrp_pid()) <= 1, "{settings}");
            daemon.stop();
            until("the address is gone", || !has(VIP));
            treated
        });
        assert_eq!(ours, theirs, "{settings}");
        seen.push(ours);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7, "each setting but one makes a difference: {seen:?}");
}

fn ordinary_user() {
    let conf = format!("vrrp_script s {{\n script \"/bin/true\"\n user daemon\n}}\n{CONF}").replace(
        "    virtual_ipaddress {",
        "    track_script {\n        s\n    }\n    virtual_ipaddress {",
    );
    fs::write("/tmp/conf", conf).unwrap();
    fs::set_permissions("/tmp/conf", fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir("/tmp/home").unwrap();
    fs::set_permissions("/tmp/home", fs::Permissions::from_mode(0o777)).unwrap();
    let words = "--reuid=65534 --regid=65534 --clear-groups --inh-caps=+net_admin,+net_raw \
                 --ambient-caps=+net_admin,+net_raw";
    let own = "-n -l -G -D -f /tmp/conf -p /tmp/home/k.pid -r /tmp/home/v.pid --control /tmp/home/c.sock";
    let options: Vec<&str> = words.split_whitespace().chain([VRRPD]).chain(own.split(' ')).collect();
    let daemon = Daemon::run("setpriv", "/tmp/log", &options, |_| {});
    daemon.says("CAP_SETUID is missing: vrrp_script s cannot run as user 1");
    daemon.says("VRRP_Script(s) failed (could not be started: ");
    assert!(!has(VIP), "a check that cannot run has not succeeded");
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    until("the address is set", || has(VIP));
    let (status, text, _) = ask("status --control /tmp/home/c.sock");
    assert_eq!(status, 0, "{text}");
    let vrrp = pid_in("/tmp/home/v.pid").unwrap();
    let capabilities = text_of(&format!("/proc/{vrrp}/status"));
    let effective = capabilities.lines().find(|line| line.starts_with("CapEff:")).unwrap();
    assert_eq!(
        effective.split_whitespace().nth(1).unwrap(),
        "0000000000003000",
        "NET_ADMIN and NET_RAW, nothing else"
    );
    assert_eq!(daemon.stop(), 0);
    assert!(!has(VIP));
    drop(Command::new("true").status());
    ip("link show");
}
