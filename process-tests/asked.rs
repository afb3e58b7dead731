//! `vrrpd reload` against a running daemon: what it says, what it does, and what it leaves alone. The oracle is the kernel, the
//! wire, and `vrrpd status` before and after.

use crate::rig::{CONF, Daemon, VIP, Wire, ask, exists, has, ip, pause, signal_to, status, text_of, until};
use crate::{Case, Needs};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("asked::a_reload_is_told_with_every_change", taken),
        case(
            "asked::a_refused_reload_changes_nothing_and_says_where_the_mistake_is",
            refused,
        ),
        case("asked::a_dry_run_tells_the_same_and_does_nothing", dry),
        case("asked::what_needs_a_restart_is_refused_or_told", restart),
        case("asked::requests_during_a_reload_are_answered_after_it", queued),
        case("asked::a_daemon_killed_during_a_reload_comes_back_whole", killed),
    ]
}

/// Two instances; the second one is never touched.
fn pair(priority: u8, more: &str) -> String {
    let first = CONF.replace("priority 150", &format!("priority {priority}\n    {more}"));
    format!("{first}{}", second())
}

fn second() -> String {
    CONF.replace("VI_1", "VI_2")
        .replace("router_id 51", "router_id 52")
        .replace(VIP, "192.0.2.98")
}

fn masters(conf: &str) -> Daemon {
    let daemon = Daemon::start(conf);
    until("both addresses are set", || has(VIP) && has("192.0.2.98"));
    daemon
}

fn json(words: &str) -> (i32, Value) {
    let (exit, text, errors) = ask(words);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words}: {error}: {text}{errors}"));
    (exit, value)
}

/// The object of a document with this name.
fn object<'v>(document: &'v Value, name: &str) -> &'v Value {
    let objects = document["objects"].as_array().unwrap();
    objects.iter().find(|object| object["name"] == name).unwrap()
}

/// What must not change of the second instance.
fn of_second() -> (Value, Value, Value) {
    let status = status();
    let second = &status["instances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "VI_2")
        .unwrap();
    (
        second["state"].clone(),
        second["since"].clone(),
        second["counters"]["became_master"].clone(),
    )
}

fn taken() {
    let daemon = masters(&pair(150, ""));
    let before = of_second();
    fs::write("/tmp/conf", pair(160, "garp_master_refresh 60")).unwrap();
    let (exit, text, errors) = ask("reload");
    assert_eq!((exit, &*errors), (0, ""), "{text}");
    let expected = "\
/tmp/conf: taken
instance VI_1: adjusted
  priority             150 -> 160  adjust
  garp_master_refresh  0 -> 60     adjust
  it stays MASTER with priority 160, and tells the others at once
    assumed: nobody else was heard, so nobody else is counted
untouched: 1 instance (VI_2)
";
    assert_eq!(text, expected);
    // It waited: what it says holds.
    assert_eq!(status()["instances"][0]["priority"]["base"], 160);
    daemon.says("Reload complete");
    // One is added, one removed, and the first one is another router now.
    let conf = pair(160, "garp_master_refresh 60").replace("router_id 51", "router_id 61");
    let third = second()
        .replace("VI_2", "VI_3")
        .replace("router_id 52", "router_id 53")
        .replace("2.98", "2.97");
    fs::write("/tmp/conf", format!("{conf}{third}")).unwrap();
    let (exit, document) = json("reload --json");
    assert_eq!((exit, &document["verdict"]), (0, &"taken".into()), "{document}");
    for (name, fate) in [("VI_1", "restarted"), ("VI_2", "untouched"), ("VI_3", "added")] {
        assert_eq!(object(&document, name)["fate"], fate, "{document}");
    }
    assert_eq!(object(&document, "VI_1")["changes"][0]["keyword"], "virtual_router_id");
    assert_eq!(object(&document, "VI_1")["changes"][0]["effect"], "restart");
    until("the third address is set", || has("192.0.2.97"));
    fs::write("/tmp/conf", &conf).unwrap();
    let (exit, text, _) = ask("reload");
    assert_eq!(exit, 0);
    assert!(
        text.contains("instance VI_3: removed\n  it is MASTER and leaves, with priority 0: its addresses are removed"),
        "{text}"
    );
    until("the third address is gone", || !has("192.0.2.97"));
    assert_eq!(of_second(), before);
    // Nothing changed.
    let (exit, text, _) = ask("reload");
    assert_eq!(
        (exit, &*text),
        (0, "/tmp/conf: taken\nuntouched: 2 instances (VI_1, VI_2)\n")
    );
    assert_eq!(daemon.stop(), 0);
    let (exit, _, errors) = ask("reload");
    assert_eq!(exit, 3, "{errors}");
    assert!(errors.contains("no daemon answers at"), "{errors}");
    assert_eq!(ask("reload /tmp/a /tmp/b").0, 1, "files without --dry-run");
}

fn refused() {
    let daemon = masters(&pair(150, ""));
    let (hash, before) = (status()["config"]["hash"].clone(), of_second());
    fs::write("/tmp/conf", pair(150, "").replace("router_id 52", "router_id 300")).unwrap();
    let (exit, text, errors) = ask("reload");
    assert_eq!((exit, &*text), (2, ""), "{errors}");
    let line = text_of("/tmp/conf")
        .lines()
        .position(|line| line.contains("300"))
        .unwrap()
        + 1;
    assert!(errors.contains(&format!("--> /tmp/conf:{line}:23")), "{errors}");
    assert!(
        errors.ends_with("vrrpd: /tmp/conf refused: nothing has changed\n"),
        "{errors}"
    );
    // As `check` prints it.
    let (_, check, _) = ask("check /tmp/conf");
    let first = check.lines().next().unwrap();
    assert!(errors.contains(first), "{first}\n{errors}");
    let (exit, document) = json("reload --json");
    assert_eq!((exit, &document["verdict"]), (2, &"refused".into()));
    let diagnostics = document["diagnostics"].as_array().unwrap();
    assert!(diagnostics.iter().any(|one| one["span"]["line"] == line), "{document}");
    assert_eq!(ask("reload --dry-run").0, 2);
    // What is found out when the whole block was read is told at its keyword too.
    let conf = pair(150, "strict_mode on\n    unicast_peer {\n        192.0.2.2\n    }");
    fs::write("/tmp/conf", &conf).unwrap();
    let line = conf.lines().position(|line| line.contains("unicast_peer")).unwrap() + 1;
    let place = format!("--> /tmp/conf:{line}:5");
    for words in ["reload", "reload --dry-run", "check /tmp/conf"] {
        let (exit, text, errors) = ask(words);
        assert_eq!(exit, 2, "{words}");
        assert!((text + &errors).contains(&place), "{words}: {place}: {errors}");
    }
    // A file that is gone.
    fs::remove_file("/tmp/conf").unwrap();
    let (exit, _, errors) = ask("reload");
    assert_eq!(exit, 2);
    assert!(errors.contains("/tmp/conf"), "{errors}");
    daemon.says_times("the one read before stays in force", 4);
    let now = status();
    assert_eq!((&now["config"]["hash"], of_second()), (&hash, before));
    let problems = now["problems"].as_array().unwrap();
    assert!(
        problems.iter().any(|problem| problem["code"] == "reload-refused"),
        "{now}"
    );
    assert!(has(VIP) && has("192.0.2.98"));
    assert_eq!(daemon.stop(), 0);
}

fn dry() {
    let daemon = masters(&pair(150, "advert_int 0.1"));
    let wire = Wire::new();
    fs::create_dir("/tmp/mark").unwrap();
    let marked = "global_defs {\n    reload_file /tmp/mark/reload\n    reload_check_config /tmp/mark/log\n}\n";
    fs::write("/tmp/conf", format!("{marked}{}", pair(150, ""))).unwrap();
    assert_eq!(ask("reload").0, 0);
    let untouched = |path: &str| fs::metadata(path).unwrap().modified().unwrap();
    let (before, mark) = (status(), untouched("/tmp/mark"));
    let logged = daemon.log().matches("Reloading").count();
    let conf = format!("{marked}{}", pair(90, "preempt_delay 5"));
    fs::write("/tmp/conf", &conf).unwrap();
    for _ in 0..3 {
        let (exit, text, errors) = ask("reload --dry-run");
        assert_eq!((exit, &*errors), (0, ""));
        let expected = "\
/tmp/conf: would be taken
instance VI_1: adjusted
  priority       150 -> 90  adjust
  preempt_delay  0 -> 5     adjust
  it stays MASTER with priority 90, and tells the others at once
    assumed: nobody else was heard, so nobody else is counted
untouched: 1 instance (VI_2)
";
        assert_eq!(text, expected);
    }
    // Nothing was done: no line, no mark, no other configuration, no other advert.
    assert_eq!(daemon.log().matches("Reloading").count(), logged);
    assert_eq!(untouched("/tmp/mark"), mark);
    let now = status();
    assert_eq!(now["config"], before["config"]);
    let adverts = wire.adverts(Duration::from_millis(300));
    assert!(
        !adverts.is_empty() && adverts.iter().all(|(_, priority)| *priority == 150),
        "{adverts:?}"
    );
    // The same without a daemon, but for what only the daemon knows.
    fs::write("/tmp/old", format!("{marked}{}", pair(150, ""))).unwrap();
    let (exit, alone) = json("reload --dry-run --json /tmp/old /tmp/conf");
    let (_, asked) = json("reload --dry-run --json");
    assert_eq!(exit, 0);
    assert_eq!(object(&alone, "VI_1")["changes"], object(&asked, "VI_1")["changes"]);
    // And the reload does what was told.
    let (exit, done) = json("reload --json");
    assert_eq!((exit, &done["objects"]), (0, &asked["objects"]));
    until("its adverts follow", || {
        wire.adverts(Duration::from_millis(150))
            .iter()
            .any(|(_, priority)| *priority == 90)
    });
    assert_eq!(daemon.stop(), 0);
}

fn restart() {
    let daemon = masters(&pair(150, ""));
    let begun = status()["config"]["hash"].clone();
    // keepalived refuses the whole reload for these.
    for (line, what) in [
        ("net_namespace blue\n", "network namespace"),
        ("net_namespace_ipvs blue\n", "IPVS network namespace"),
        ("instance two\n", "instance name"),
        ("global_defs {\nnftables other\n}\n", "nftables table name"),
        ("global_defs {\nnftables_ipvs other\n}\n", "IPVS nftables table name"),
        ("global_defs {\ntmp_config_directory /run\n}\n", "config_directory"),
        ("global_defs {\ndisable_local_igmp\n}\n", "disable_local_igmp"),
    ] {
        fs::write("/tmp/conf", format!("{line}{}", pair(160, ""))).unwrap();
        for words in ["reload --dry-run", "reload"] {
            let (exit, _, errors) = ask(words);
            assert_eq!(exit, 2, "{line}: {errors}");
            let reason = format!("Cannot change {what} at a reload - please restart vrrpd");
            assert!(errors.contains(&reason), "{errors}");
        }
        daemon.says(&format!("Cannot change {what} at a reload - please restart vrrpd"));
    }
    assert_eq!(status()["config"]["hash"], begun);
    // The rest is taken; what counts later is told, as long as it differs from the start.
    let waiting = |extra: &str| {
        fs::write(
            "/tmp/conf",
            format!(
                "use_pid_dir\nglobal_defs {{\nprocess_names\nvrrp_priority -5\n{extra}\n}}\n{}",
                pair(160, "")
            ),
        )
        .unwrap();
        json("reload --json").1["waits_for_restart"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["keyword"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(waiting(""), ["use_pid_dir", "process_names", "vrrp_priority"]);
    assert_eq!(
        waiting("router_id other")[..],
        ["use_pid_dir", "process_names", "vrrp_priority"]
    );
    daemon.says("process_names has another value now, which counts after a restart of the daemon");
    let shown = || -> Vec<String> {
        let status = status();
        let problems = status["problems"].as_array().unwrap().iter();
        let ours = problems.filter(|problem| problem["code"] == "restart-needed");
        ours.map(|problem| problem["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(shown().len(), 3);
    assert_eq!(status()["instances"][0]["priority"]["base"], 160);
    fs::write("/tmp/conf", pair(160, "")).unwrap();
    let (exit, text, _) = ask("reload");
    assert_eq!(exit, 0);
    assert!(!text.contains("after a restart"), "{text}");
    assert_eq!(shown(), Vec::<String>::new());
    assert_eq!(daemon.stop(), 0);
}

/// Signals while a reload is under way are done once, after it; questions get the verdict on a reading that began after them.
fn queued() {
    let daemon = masters(&pair(150, ""));
    // The VRRP process stands still: the reload is handed over and cannot end.
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    fs::write("/tmp/conf", pair(160, "")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Configuration file /tmp/conf", 2);
    for _ in 0..3 {
        daemon.signal(libc::SIGHUP);
        pause(20);
    }
    daemon.says("Reload already in progress, request queued");
    fs::write("/tmp/conf", pair(170, "")).unwrap();
    signal_to(vrrp, libc::SIGCONT);
    daemon.says_times("Reload complete", 2);
    daemon.says_times("Processing queued reload", 1);
    until("the last file counts", || {
        status()["instances"][0]["priority"]["base"] == 170
    });
    pause(300);
    assert_eq!(
        daemon.log().matches("Reload complete").count(),
        2,
        "several signals are one reload"
    );
    // Many ask at once: each gets an answer.
    let begun = (0..8).map(|number| {
        let words: &[&str] = if number % 2 == 0 {
            &["reload"]
        } else {
            &["reload", "--dry-run"]
        };
        let mut command = Command::new(crate::rig::VRRPD);
        command.args(words).stdout(Stdio::piped()).spawn().unwrap()
    });
    for child in begun.collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    // A stop ends a reload under way.
    signal_to(vrrp, libc::SIGSTOP);
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Reloading ...", 3);
    pause(100);
    signal_to(vrrp, libc::SIGCONT);
    assert_eq!(daemon.stop(), 0);
    assert!(!has(VIP));
}

/// The VRRP process dies while it takes a configuration, and before: what comes back is one configuration, whole.
fn killed() {
    let daemon = masters(&pair(150, ""));
    let bases = || -> Vec<i64> {
        let status = status();
        let all = status["instances"].as_array().unwrap().iter();
        all.map(|one| one["priority"]["base"].as_i64().unwrap()).collect()
    };
    // While it takes it: the new one counts.
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    fs::write("/tmp/conf", pair(160, "")).unwrap();
    let asked = Command::new(crate::rig::VRRPD)
        .arg("reload")
        .stderr(Stdio::piped())
        .spawn();
    // Its question waits in the socket of a process that stands: the signal is what reloads.
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Configuration file /tmp/conf", 2);
    signal_to(vrrp, libc::SIGKILL);
    let output = asked.unwrap().wait_with_output().unwrap();
    assert!(!output.status.success(), "nobody answered: {output:?}");
    daemon.says("Respawning");
    until("a new process", || {
        daemon.vrrp_pid() != vrrp && exists("/run/vrrpd/control.sock")
    });
    until("both are master again", || has(VIP) && has("192.0.2.98"));
    assert_eq!(bases(), [160, 150]);
    // The next reload works.
    fs::write("/tmp/conf", pair(170, "")).unwrap();
    assert_eq!(ask("reload").0, 0);
    assert_eq!(bases(), [170, 150]);
    // While the file is read: the reading goes on, and the process that was started meanwhile takes it, or was started with it.
    let many: String = (1..250)
        .map(|vrid| {
            CONF.replace("VI_1", &format!("V{vrid}"))
                .replace("router_id 51", &format!("router_id {vrid}"))
                .replace(VIP, &format!("198.51.100.{vrid}"))
        })
        .collect();
    fs::write("/tmp/conf", many).unwrap();
    let vrrp = daemon.vrrp_pid();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Reloading ...", 3);
    signal_to(vrrp, libc::SIGKILL);
    until("all of the new ones", || {
        let all = status()["instances"].as_array().unwrap().len();
        assert!(all == 2 || all == 249, "half a configuration: {all}");
        all == 249 && !has(VIP) && ip("-o addr show dev eth0").matches("198.51.100.").count() == 249
    });
    assert_eq!(daemon.stop(), 0);
    assert!(!ip("-o addr show").contains("198.51.100."), "nothing is left");
}
