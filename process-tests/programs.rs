//! Check scripts: what they are started with, and what happens to bad ones. keepalived runs the same script as the oracle.

use crate::rig::{
    CONF, Daemon, KEEPALIVED, SILENCE, VIP, VRRPD, Wire, alive, exists, has, ip, pause, script, state, text_of, until,
};
use crate::{Case, Needs};
use std::fs;
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case(
            "programs::are_started_as_keepalived_starts_them",
            surroundings,
            Needs::Keepalived,
        ),
        case(
            "programs::that_hang_are_killed_with_all_their_children",
            hanging,
            Needs::Nothing,
        ),
        case(
            "programs::that_flood_or_fork_do_not_delay_adverts",
            flooding,
            Needs::Nothing,
        ),
        case(
            "programs::without_an_interpreter_line_run_in_a_shell",
            no_interpreter,
            Needs::Nothing,
        ),
    ]
}

fn with_script(settings: &str) -> String {
    format!("vrrp_script chk {{\n{settings}\n}}\n{CONF}").replace(
        "    virtual_ipaddress {",
        "    track_script {\n        chk\n    }\n    virtual_ipaddress {",
    )
}

/// Reports its surroundings into `$1/report`, once.
const REPORT: &str = r#"#!/bin/sh
[ -e "$1/report" ] && exit 0
{
  for word in "$0" "$@"; do echo "arg <$word>"; done
  id
  umask
  pwd
  cut -d' ' -f1,5 /proc/self/stat | { read pid group; [ -n "$group" ] && echo "group is ours: $(( group == $$ ))"; }
  tr '\0' '\n' </proc/$$/environ | sort
  readlink /proc/$$/fd/0
  grep -E '^SigBlk' /proc/self/status
  ulimit -n
} >"$1/new" 2>&1
mv "$1/new" "$1/report"
"#;

fn surroundings() {
    script("/tmp/report.sh", REPORT);
    let report = |program: &str, directory: &str, user: &str| -> String {
        fs::create_dir_all(directory).unwrap();
        fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let words = format!("script \"/tmp/report.sh {directory} 'two words' $HOME ; |\"\ninterval 1\n{user}");
        fs::write("/tmp/conf", with_script(&words)).unwrap();
        let daemon = Daemon::run(
            program,
            &format!("{directory}.log"),
            &["-n", "-l", "-G", "-D", "-f", "/tmp/conf"],
            |command| {
                command.env_clear().envs([
                    ("PATH", "/usr/bin:/bin"),
                    ("HOME", "/root"),
                    ("LD_LIBRARY_PATH", "/x"),
                    ("OWN", "1"),
                ]);
                command.current_dir("/tmp");
            },
        );
        let path = format!("{directory}/report");
        until(&format!("a report: {}", daemon.log()), || exists(&path));
        let text = text_of(&path).replace(directory, "DIRECTORY");
        assert_eq!(daemon.stop(), 0);
        text
    };
    // LD_LIBRARY_PATH is withheld since keepalived 2.4; 2.2 passes it on.
    let theirs = |text: String| text.replace("LD_LIBRARY_PATH=/x\n", "");
    for (number, user) in ["", "user daemon", "user daemon games"].into_iter().enumerate() {
        let expected = theirs(report(KEEPALIVED, &format!("/tmp/k{number}"), user));
        let ours = report(VRRPD, &format!("/tmp/v{number}"), user);
        assert_eq!(ours, expected, "{user}");
        assert!(
            ours.contains("arg <two words>") && ours.contains("group is ours: 1"),
            "{ours}"
        );
    }
}

fn hanging() {
    script(
        "/tmp/hang.sh",
        "#!/bin/sh\ntrap '' TERM\necho $$ >>/tmp/pids\nsh -c 'trap \"\" TERM; echo $$ >>/tmp/pids; exec sleep 1000' &\nsleep 1000\nsleep 1000\n",
    );
    let daemon = Daemon::start(&with_script("script \"/tmp/hang.sh\"\ninterval 1\ntimeout 1"));
    daemon.says("VRRP_Script(chk) timed_out");
    let pids: Vec<i32> = text_of("/tmp/pids")
        .lines()
        .take(2)
        .map(|line| line.parse().unwrap())
        .collect();
    until("the whole group is gone", || pids.iter().all(|pid| !alive(*pid)));
    assert_eq!(state(), "FAULT", "weight 0: a check that hangs is a fault");
    daemon.says("Track script chk is being timed out, expect idle - skipping run");
    assert_eq!(daemon.stop(), 0);
    let pids: Vec<i32> = text_of("/tmp/pids").lines().map(|line| line.parse().unwrap()).collect();
    until("nothing is left after the stop", || pids.iter().all(|pid| !alive(*pid)));
}

fn flooding() {
    script(
        "/tmp/flood.sh",
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do (sleep 30 &) ; done\nhead -c 20000000 /dev/zero\nhead -c 20000000 /dev/zero >&2\nexit 0\n",
    );
    let daemon = Daemon::start(&with_script("script \"/tmp/flood.sh\"\ninterval 1\nweight 10"));
    until("the address is set", || has(VIP));
    let wire = Wire::new();
    let gap = wire.longest_gap(Duration::from_secs(3));
    assert!(gap < SILENCE, "{gap:?} without an advert");
    daemon.says("VRRP_Script(chk) succeeded");
    assert_eq!(daemon.stop(), 0);
    pause(1);
    ip("link show");
}

fn no_interpreter() {
    script("/tmp/plain.sh", "echo \"$1\" >/tmp/ran\nexit 0\n");
    let daemon = Daemon::start(&with_script("script \"/tmp/plain.sh here\"\ninterval 1"));
    until("the script ran", || exists("/tmp/ran"));
    daemon.says("VRRP_Script(chk) succeeded");
    assert_eq!(text_of("/tmp/ran"), "here\n");
    assert_eq!(daemon.stop(), 0);
}
