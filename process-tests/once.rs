//! `startup_script`, `shutdown_script`, and what `-V` leaves. keepalived runs the same configuration as the oracle.

use crate::rig::{
    CONF, Daemon, KEEPALIVED, PATIENCE, VIP, VRRPD, alive, exists, has, ip, pause, script, text_of, until,
};
use crate::{Case, Needs};
use std::fs;
use std::time::Instant;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case("once::scripts_run_as_in_keepalived", same, Needs::Keepalived),
        case("once::a_script_that_hangs_is_killed", hanging, Needs::Keepalived),
        case("once::bad_scripts_hold_nothing_up", bad, Needs::Nothing),
        case(
            "once::a_stop_does_not_wait_for_the_startup_script",
            stop,
            Needs::Nothing,
        ),
        case("once::reload_changes_the_shutdown_script", reload, Needs::Nothing),
        case(
            "once::v_leaves_the_address_and_tells_the_stop",
            leave,
            Needs::Keepalived,
        ),
    ]
}

/// Writes down what it sees: its words, whether the address is set, who runs it, and the pid file.
const RECORD: &str = r#"#!/bin/sh
{
  echo "$*"
  ip -o addr show | grep -c 192.0.2.99/
  id -u
  umask
  cut -d' ' -f1,5 /proc/self/stat | { read pid group; echo "group is ours: $(( group == $$ ))"; }
  ls /run/keepalived.pid
} >>/tmp/told
exit $2
"#;

fn conf(startup: &str, shutdown: &str, more: &str) -> String {
    format!(
        "global_defs {{\nscript_user root\nenable_script_security\nstartup_script \"{startup}\"\nshutdown_script \"{shutdown}\"\n{more}\n}}\n{CONF}"
    )
}

fn run(program: &str, conf: &str, options: &[&str]) -> Daemon {
    fs::write("/tmp/conf", conf).unwrap();
    let directory = if program == VRRPD { "/tmp/v" } else { "/tmp/k" };
    let options: Vec<&str> = ["-n", "-l", "-G", "-D", "-f", "/tmp/conf"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    Daemon::run(program, directory, &options, |_| {})
}

/// What the program says of these scripts and of its start and stop, without times and process ids.
fn lines(daemon: &Daemon) -> Vec<String> {
    let about = ["Starting VRRP child process", "Stopping", "script"];
    let log = daemon.log();
    let lines = log.lines().filter(|line| about.iter().any(|word| line.contains(word)));
    // A date and a time come first.
    let words = lines.map(|line| line.split_once(": ").map_or(line, |(_, words)| words));
    let words = words.filter(|words| !words.starts_with("Script user"));
    words
        .map(|words| words.split(", pid").next().unwrap().to_owned())
        .collect()
}

fn same() {
    // Below /tmp, where everybody may write, keepalived would find the script insecure.
    script("/run/record.sh", RECORD);
    let story = |program: &str| {
        fs::write("/tmp/told", "").unwrap();
        let daemon = run(
            program,
            &conf("/run/record.sh start 0 'two words'", "/run/record.sh stop 3", ""),
            &[],
        );
        until("the address is set", || has(VIP));
        let log = format!("{}/log", daemon.directory);
        assert_eq!(daemon.stop(), 0);
        let ended = Daemon {
            child: std::process::Command::new("true").spawn().unwrap(),
            directory: log.trim_end_matches("/log").to_owned(),
        };
        (text_of("/tmp/told"), lines(&ended))
    };
    let theirs = story(KEEPALIVED);
    let ours = story(VRRPD);
    assert_eq!(ours, theirs);
    assert!(
        ours.0.starts_with("start 0 two words\n0\n0\n0177\ngroup is ours: 1\n"),
        "{}",
        ours.0
    );
    assert!(
        ours.1.contains(&"shutdown script script failed, status 3".to_owned()),
        "{:?}",
        ours.1
    );
}

const HANG: &str = "#!/bin/sh\ntrap '' TERM\necho $$ >>/tmp/pids\n(trap '' TERM; while :; do sleep 1; done) &\necho $! >>/tmp/pids\nwhile :; do sleep 1; done\n";

fn hanging() {
    script("/run/hang.sh", HANG);
    let mut took = Vec::new();
    for program in [KEEPALIVED, VRRPD] {
        let begun = Instant::now();
        let text = conf(
            "/run/hang.sh",
            "/run/hang.sh",
            "startup_script_timeout 1\nshutdown_script_timeout 1",
        );
        let daemon = run(program, &text, &[]);
        daemon.says("startup script timed out");
        until("the address is set", || has(VIP));
        let start = begun.elapsed();
        let directory = daemon.directory.clone();
        let begun = Instant::now();
        assert_eq!(daemon.stop(), 0);
        took.push((start, begun.elapsed()));
        let log = text_of(&format!("{directory}/log"));
        assert!(log.contains("shutdown script timed out"), "{program}: {log}");
        if program == VRRPD {
            for pid in text_of("/tmp/pids").lines() {
                let pid = pid.parse().unwrap();
                until("the whole group is gone", || !alive(pid));
            }
        }
        fs::remove_file("/tmp/pids").unwrap();
    }
    // A second until SIGTERM, two more until SIGKILL; then 0.4 s until it is master.
    let [theirs, ours] = took[..] else { panic!("{took:?}") };
    for (ours, theirs) in [(ours.0, theirs.0), (ours.1, theirs.1)] {
        assert!(ours.as_millis() >= 3_000, "{ours:?}");
        assert!(
            ours < theirs + std::time::Duration::from_secs(2),
            "{ours:?}, keepalived {theirs:?}"
        );
    }
}

fn bad() {
    script("/run/signal.sh", "#!/bin/sh\nkill -9 $$\n");
    script("/run/nobody.sh", "#!/no/such/interpreter\n");
    script(
        "/run/flood.sh",
        "#!/bin/sh\nhead -c 1000000000 /dev/zero\nhead -c 1000000000 /dev/zero >&2\n",
    );
    script(
        "/run/leave.sh",
        "#!/bin/sh\nsleep 1000 &\necho $! >/tmp/left\nexec <&- >&- 2>&-\nexit 0\n",
    );
    for (name, said) in [
        ("signal", "startup script script failed, signal 9"),
        (
            "nobody",
            "Call of startup script /run/nobody.sh failed: No such file or directory",
        ),
        ("flood", "startup script script succeeded"),
        ("leave", "startup script script succeeded"),
    ] {
        let path = format!("/run/{name}.sh");
        let begun = Instant::now();
        let daemon = run(VRRPD, &conf(&path, &path, ""), &[]);
        daemon.says(said);
        until("the address is set", || has(VIP));
        assert!(begun.elapsed() < PATIENCE, "{name}");
        assert_eq!(daemon.stop(), 0, "{name}");
        assert!(!has(VIP) && !exists("/run/keepalived.pid"), "{name}");
        fs::remove_file("/tmp/v/log").unwrap();
    }
    let left = text_of("/tmp/left").trim().parse().unwrap();
    vrrpd::sys::send_signal(left, libc::SIGKILL).unwrap_or_default();
}

fn stop() {
    script("/run/hang.sh", HANG);
    script("/run/record.sh", RECORD);
    fs::write("/tmp/told", "").unwrap();
    let daemon = run(VRRPD, &conf("/run/hang.sh", "/run/record.sh stop 0", ""), &[]);
    daemon.says("Running startup script /run/hang.sh");
    until("it runs", || {
        exists("/tmp/pids") && text_of("/tmp/pids").lines().count() == 2
    });
    // A reload meanwhile must not start the daemon.
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    assert!(!daemon.log().contains("Starting VRRP child"), "{}", daemon.log());
    let begun = Instant::now();
    let directory = daemon.directory.clone();
    assert_eq!(daemon.stop(), 0);
    assert!(begun.elapsed().as_millis() < 3_000, "{:?}", begun.elapsed());
    let log = text_of(&format!("{directory}/log"));
    assert!(!log.contains("Starting VRRP child"), "{log}");
    assert!(
        text_of("/tmp/told").starts_with("stop 0\n"),
        "what was begun is undone: {log}"
    );
    for pid in text_of("/tmp/pids").lines() {
        let pid = pid.parse().unwrap();
        until("the whole group is gone", || !alive(pid));
    }
}

fn reload() {
    script("/run/record.sh", RECORD);
    fs::write("/tmp/told", "").unwrap();
    let daemon = run(VRRPD, &conf("/run/record.sh start 0", "/run/record.sh old 0", ""), &[]);
    until("the address is set", || has(VIP));
    fs::write("/tmp/conf", conf("/run/record.sh again 0", "/run/record.sh new 0", "")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    assert_eq!(daemon.stop(), 0);
    let told = text_of("/tmp/told");
    let words: Vec<&str> = told.lines().filter(|line| line.ends_with(" 0")).collect();
    assert_eq!(words, ["start 0", "new 0"]);
}

fn leave() {
    script("/run/record.sh", "#!/bin/sh\necho \"$*\" >>/tmp/told\n");
    let text = CONF.replace(
        "    virtual_ipaddress",
        "    notify \"/run/record.sh any\"\n    notify_stop \"/run/record.sh stop\"\n    virtual_ipaddress",
    );
    let story = |program: &str| {
        fs::write("/tmp/told", "").unwrap();
        let daemon = run(program, &text, &["-V"]);
        until("the address is set", || has(VIP));
        until("it is told", || text_of("/tmp/told").contains("MASTER"));
        assert_eq!(daemon.stop(), 0);
        assert!(has(VIP), "{program} left the address");
        ip(&format!("addr del {VIP}/32 dev eth0"));
        pause(1);
        let mut told: Vec<String> = text_of("/tmp/told").lines().map(str::to_owned).collect();
        // The scripts of one moment overtake each other in keepalived.
        told.sort();
        told
    };
    let theirs = story(KEEPALIVED);
    let ours = story(VRRPD);
    assert_eq!(ours, theirs);
    assert!(
        ours.contains(&"stop".to_owned()) && ours.contains(&"any INSTANCE VI_1 STOP 150".to_owned()),
        "{ours:?}"
    );
}
