//! What an operator asks and orders: events, causes, drains, problems, status in its forms, and what survives a death of the
//! VRRP process. The oracle is outside: the kernel's addresses, the wire, the environment of programs, the log.

use crate::rig::{
    CONF, Daemon, PATIENCE, SILENCE, VIP, VRRPD, Wire, alive, ask, exists, has, ip, pause, script, signal_to, status,
    text_of, until,
};
use crate::{Case, Needs};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("operate::a_new_vrrp_process_knows_what_the_dead_one_knew", respawn),
        case("operate::a_follower_stays_when_the_daemon_goes", patient_follower),
        case("operate::one_reason_in_log_status_why_and_environment", reasons),
        case("operate::a_follower_that_does_not_read_holds_nobody_up", slow_follower),
        case("operate::a_drain_is_given_shown_and_ended", drain),
        case("operate::status_is_shown_again_and_again", watch),
        case("operate::check_is_a_monitoring_plugin", check),
        case("operate::problems_of_the_daemon_come_and_go", problems),
    ]
}

const SOCKET: &str = "/run/vrrpd/control.sock";

fn events(words: &str) -> Vec<Value> {
    let (code, text, errors) = ask(&format!("events --json{words}"));
    assert_eq!(code, 0, "{errors}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn until_event(what: &str, wanted: impl Fn(&Value) -> bool) {
    until(what, || events("").iter().any(&wanted));
}

fn tracked(weight: i16, script: &str) -> String {
    let instance = CONF.replace(
        "advert_int 0.1",
        "advert_int 0.1\ntrack_script {\nchk\n}\nnotify /tmp/told.sh",
    );
    format!("vrrp_script chk {{\nscript {script}\ninterval 1\ntimeout 1\nweight {weight}\n}}\n{instance}")
}

fn respawn() {
    script("/tmp/check.sh", "#!/bin/sh\nexit 0\n");
    script(
        "/tmp/told.sh",
        "#!/bin/sh\necho \"$VRRPD_SEQUENCE $VRRPD_STATE $VRRPD_REASON\" >>/tmp/told\n",
    );
    // Where adverts are numbered the counters are told often.
    let numbered = format!(
        "advert_int 0.1\nauth_hmac {{\nkey 1 hex:{}\nactive_key 1\n}}",
        "5a".repeat(32)
    );
    let config = tracked(10, "/tmp/check.sh").replace("advert_int 0.1", &numbered);
    let daemon = Daemon::start(&config);
    until("the address is set", || has(VIP));
    until_event("the check has reported", |event| event["kind"] == "tracker");
    let (code, _, errors) = ask("drain VI_1 --for 1h");
    assert_eq!(code, 2, "nobody else is there: {errors}");
    until("the last resort", || has(VIP));
    // The counters are kept from time to time only.
    until("counters are kept", || {
        status()["instances"][0]["counters"]["adverts_sent"].as_u64().unwrap() > 120
    });
    let before = status();
    let instance = before["instances"][0].clone();
    let last = events("").last().unwrap()["sequence"].as_u64().unwrap();
    let told = text_of("/tmp/told");
    let old = daemon.vrrp_pid();
    signal_to(old, libc::SIGKILL);
    until("the old process has gone", || !alive(old));
    until("a new process answers", || {
        status()["pid"].as_u64() != before["pid"].as_u64()
    });
    until("the last resort again", || has(VIP));
    let after = status()["instances"][0].clone();
    let sent = |instance: &Value| instance["counters"]["adverts_sent"].as_u64().unwrap();
    assert!(sent(&after) > 60, "{after}");
    assert!(
        after["counters"]["became_master"].as_u64().unwrap() > instance["counters"]["became_master"].as_u64().unwrap(),
        "{after}"
    );
    assert_eq!(after["drain"]["since"], instance["drain"]["since"]);
    assert_eq!(after["drain"]["until"], instance["drain"]["until"]);
    assert_eq!(after["priority"]["effective"], 1);
    let trackers = status()["trackers"].clone();
    assert_eq!(trackers[0]["status"], "up", "{trackers}");
    let all = events("");
    let numbers: Vec<u64> = all.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{numbers:?}");
    let news: Vec<&Value> = all
        .iter()
        .filter(|event| event["sequence"].as_u64().unwrap() > last)
        .collect();
    assert_eq!(news[0]["kind"], "respawned", "{news:#?}");
    let text = news[0]["text"].as_str().unwrap();
    assert!(
        text.contains(&format!("process {old} exited due to signal 9 (SIGKILL)")),
        "{text}"
    );
    let back = news.iter().find(|event| event["to"] == "BACKUP").unwrap();
    assert_eq!(back["code"], "respawned");
    // The numbers that programs are told go on as well.
    let number = |line: &str| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    let before = number(told.lines().last().unwrap());
    until("programs are told", || {
        text_of("/tmp/told").lines().count() > told.lines().count()
    });
    let next = text_of("/tmp/told")
        .lines()
        .nth(told.lines().count())
        .unwrap()
        .to_owned();
    assert_eq!(
        (number(&next), next.contains("BACKUP respawned")),
        (before + 1, true),
        "{next}"
    );
    assert_eq!(ask("resume").0, 0);
    until("the priority is back", || {
        status()["instances"][0]["priority"]["effective"] == 160
    });
    assert_eq!(daemon.stop(), 0);
}

/// What the programs of a transition to this state were told: reason and text.
fn environment(state: &str) -> Option<(String, String)> {
    let text = fs::read_to_string(format!("/tmp/env.{state}")).ok()?;
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line[name.len()..].to_owned())
    };
    Some((value("VRRPD_REASON=")?, value("VRRPD_REASON_TEXT=")?))
}

/// The cause of the present state of VI_1 in its four places, the same in all, with these words.
fn same_everywhere(daemon: &Daemon, state: &str, code: &str, words: &[&str]) {
    until(&format!("{state} because {code}"), || {
        let instance = &status()["instances"][0];
        instance["state"] == state && instance["reason"] == code
    });
    let instance = status()["instances"][0].clone();
    let text = instance["reason_text"].as_str().unwrap().to_owned();
    assert!(
        words.iter().all(|word| text.contains(word)),
        "{state}: {text}, expected {words:?}"
    );
    daemon.says(&format!("(VI_1) is {state} because {text}"));
    let (_, why, _) = ask("why VI_1");
    assert!(why.starts_with(&format!("VI_1 is {state} since ")), "{why}");
    assert!(why.contains(&format!("because {text}.")), "{why}");
    until(&format!("programs are told of {state}: {text}"), || {
        environment(state) == Some((code.to_owned(), text.clone()))
    });
    until_event("the event", |event| {
        event["to"] == state && event["code"] == code && event["text"].as_str().unwrap().ends_with(&text)
    });
}

/// The same for a state that may have passed: in the log, in what programs were told, and among the events.
fn same_where_kept(daemon: &Daemon, state: &str, code: &str, text: &str) {
    daemon.says(&format!("(VI_1) is {state} because {text}"));
    until(&format!("programs are told of {state}: {text}"), || {
        environment(state) == Some((code.to_owned(), text.to_owned()))
    });
    let ends = |event: &Value| event["text"].as_str().unwrap().ends_with(text);
    until_event("the event", |event| {
        event["to"] == state && event["code"] == code && ends(event)
    });
}

fn reasons() {
    script(
        "/tmp/told.sh",
        "#!/bin/sh\nenv | grep ^VRRPD_REASON >/tmp/env.$VRRPD_STATE.new\nmv /tmp/env.$VRRPD_STATE.new /tmp/env.$VRRPD_STATE\n",
    );
    script(
        "/tmp/check.sh",
        "#!/bin/sh\ncase $(cat /tmp/how 2>/dev/null) in\nfail) exit 7;;\ndie) kill -SEGV $$;;\nhang) sleep 60;;\nesac\nexit 0\n",
    );
    let how = |what: &str| {
        fs::write("/tmp/how.new", what).unwrap();
        fs::rename("/tmp/how.new", "/tmp/how").unwrap();
    };
    let daemon = Daemon::start(&tracked(0, "/tmp/check.sh"));
    same_everywhere(&daemon, "MASTER", "master-down", &["no master was heard"]);
    for (what, words) in [
        ("fail", "exited with status 7"),
        ("die", "ended by signal 11"),
        ("hang", "timed out"),
    ] {
        how(what);
        same_everywhere(&daemon, "FAULT", "tracker-failed", &["script chk failed", words]);
        how("well");
        same_everywhere(&daemon, "MASTER", "master-down", &[]);
    }
    ip("link set eth0 down");
    same_everywhere(&daemon, "FAULT", "interface-down", &["interface eth0 is down"]);
    ip("link set eth0 up");
    same_everywhere(&daemon, "MASTER", "master-down", &[]);
    for _ in 0..6 {
        until("the address is back", || has(VIP));
        ip("addr del 192.0.2.99/32 dev eth0");
        pause(30);
    }
    // It lasts for a Skew_Time only.
    same_where_kept(&daemon, "BACKUP", "address-lost", "somebody keeps deleting 192.0.2.99");
    same_everywhere(&daemon, "MASTER", "master-down", &[]);
    assert_eq!(ask("drain VI_1 --force").0, 2);
    same_everywhere(&daemon, "BACKUP", "drained", &["drained for maintenance"]);
    assert_eq!(ask("resume VI_1").0, 0);
    same_everywhere(&daemon, "MASTER", "master-down", &[]);
    // A reload of another priority is no transition, and `why` knows it all the same.
    fs::write(
        "/tmp/conf",
        tracked(0, "/tmp/check.sh").replace("priority 150", "priority 120"),
    )
    .unwrap();
    daemon.signal(libc::SIGHUP);
    until("the new priority", || {
        status()["instances"][0]["priority"]["effective"] == 120
    });
    let (_, why, _) = ask("why VI_1");
    assert!(why.contains("changed from 150 to 120"), "{why}");
    assert!(why.contains("the configuration changed"), "{why}");
    assert_eq!(daemon.stop(), 0);
}

/// Hundreds of events, made by drains and their ends.
fn make_events(cycles: usize) {
    let mut socket = UnixStream::connect(SOCKET).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap());
    for _ in 0..cycles {
        for order in [r#"{"do":"drain","force":true}"#, r#"{"do":"resume"}"#] {
            writeln!(socket, "{order}").unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert!(answer.contains("done"), "{answer}");
        }
    }
}

/// It tells everything once, over the death of a process and over a stop and a start of the daemon.
fn patient_follower() {
    let daemon = Daemon::start(CONF);
    until("the address is set", || has(VIP));
    let told = fs::File::create("/tmp/followed").unwrap();
    let mut follower = Command::new(VRRPD)
        .args(["events", "-f", "--json"])
        .stdout(told)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let followed = || -> Vec<Value> {
        let text = text_of("/tmp/followed");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let master = |process: usize| {
        until("the follower knows the master", || {
            let masters = followed().iter().filter(|event| event["to"] == "MASTER").count();
            masters == process && has(VIP)
        });
    };
    master(1);
    let (code, text, errors) = ask("events VI_9");
    assert_eq!((code, text.as_str()), (4, ""), "{errors}");
    assert!(errors.contains("there is no instance VI_9"), "{errors}");
    assert!(events(" VI_1").iter().any(|event| event["to"] == "MASTER"));
    signal_to(daemon.vrrp_pid(), libc::SIGKILL);
    master(2);
    until("nothing twice, nothing lost", || followed() == events(""));
    assert_eq!(daemon.stop(), 0);
    let before = followed().len();
    let daemon = Daemon::start(CONF);
    master(3);
    until("the next daemon counts from 1 again, and nothing is lost", || {
        followed()[before..] == events("")
    });
    follower.kill().unwrap();
    let mut errors = String::new();
    follower.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    follower.wait().unwrap();
    assert_eq!(errors.matches("the daemon has ended").count(), 2, "{errors}");
    assert_eq!(daemon.stop(), 0);
}

fn slow_follower() {
    let daemon = Daemon::start(&CONF.replace("priority 150", "priority 255\nstate MASTER"));
    until("the address is set", || has(VIP));
    let mut follower = Command::new(VRRPD)
        .args(["events", "-f", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let first = events("").last().unwrap()["sequence"].as_u64().unwrap();
    make_events(1500);
    let last = events("").last().unwrap()["sequence"].as_u64().unwrap();
    assert!(last - first > 5000, "{first} to {last}");
    assert!(events("").len() <= 1024);
    let begun = Instant::now();
    assert_eq!(ask("status").0, 0);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "others are answered at once: {:?}",
        begun.elapsed()
    );
    // It reads at last: what it has lost is counted, and nothing else is missing.
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (mut lost, mut next) = (0, None);
    loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let sequence = event["sequence"].as_u64().unwrap();
        if event["kind"] == "lost" {
            lost += sequence;
            next = next.map(|next: u64| next + sequence);
            continue;
        }
        assert!(next.is_none_or(|next| next == sequence), "{next:?}, got {sequence}");
        next = Some(sequence + 1);
        if sequence == last {
            break;
        }
    }
    assert!(lost > 0, "nothing was lost: the test shows nothing");
    eprintln!("{last} events, {lost} lost by the follower");
    // A reader that goes away is no error.
    drop(lines);
    make_events(1);
    until("the follower ends", || follower.try_wait().unwrap().is_some());
    assert_eq!(follower.wait().unwrap().code(), Some(0));
    let head = Command::new("sh")
        .args(["-c", &format!("{VRRPD} events | head -n 1; exit ${{PIPESTATUS:-0}}")])
        .output()
        .unwrap();
    assert!(head.status.success() && head.stderr.is_empty(), "{head:?}");
    assert_eq!(daemon.stop(), 0);
}

fn drain() {
    let conf = "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n".to_owned()
        + CONF
        + &CONF
            .replace("VI_1", "VI_2")
            .replace("id 51", "id 52")
            .replace(".99", ".98");
    let daemon = Daemon::start(&conf);
    until("both addresses are set", || has(VIP) && has("192.0.2.98"));
    let (code, _, errors) = ask("drain VI_9");
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("no instance and no sync group VI_9"), "{errors}");
    assert_eq!(ask("drain VI_1 --for soon").0, 1);
    let wire = Wire::new();
    let begun = Instant::now();
    let (code, text, _) = ask("drain VI_1 --force");
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("VI_1: drained, and nobody is master") && text.contains("VI_2: "),
        "{text}"
    );
    assert!(!has(VIP) && !has("192.0.2.98"), "the group is drained as a whole");
    eprintln!("{text}took {:?}", begun.elapsed());
    let shown = status();
    for (position, instance) in shown["instances"].as_array().unwrap().iter().enumerate() {
        assert_eq!(instance["drain"]["force"], true, "{position}");
    }
    assert!(ask("why VI_1").1.contains("It stays out until it is resumed"));
    let problems = shown["problems"].to_string();
    assert!(
        problems.contains("drained-alone") && problems.contains("vrrpd resume VI_1"),
        "{problems}"
    );
    assert!(ask("status").1.contains("1 (drained)"));
    // Priority 0 was sent by both, and nothing since.
    assert!(
        wire.adverts(Duration::from_millis(300))
            .iter()
            .any(|(_, priority)| *priority == 0)
    );
    assert!(wire.adverts(Duration::from_millis(500)).is_empty());
    fs::write("/tmp/conf", conf.replace("priority 150", "priority 151")).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    assert_eq!(status()["instances"][1]["drain"]["force"], true, "it survives a reload");
    // A new order replaces the old one, and ends by itself.
    assert_eq!(ask("drain G --for 2s").0, 2);
    until("the time is over", || status()["instances"][0]["drain"].is_null());
    until("both are master again", || has(VIP) && has("192.0.2.98"));
    until_event("its end is told", |event| {
        event["kind"] == "resumed" && event["text"].as_str().unwrap().contains("time of its drain")
    });
    let log = daemon.log();
    assert!(log.contains("(VI_2) drained, stays out whatever happens"), "{log}");
    assert!(log.contains("(VI_2) takes part again"), "{log}");
    assert_eq!(daemon.stop(), 0);
}

/// `script` needs them.
fn terminals() {
    let options = Some("newinstance,ptmxmode=0666");
    fs::create_dir("/dev/pts").unwrap();
    nix::mount::mount(
        Some("devpts"),
        "/dev/pts",
        Some("devpts"),
        nix::mount::MsFlags::empty(),
        options,
    )
    .unwrap();
    std::os::unix::fs::symlink("pts/ptmx", "/dev/ptmx").unwrap();
}

fn watch() {
    terminals();
    let daemon = Daemon::master();
    let shown = |words: &[&str], enough: &dyn Fn(&str) -> bool| {
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (mut text, begun) = (String::new(), Instant::now());
        while !enough(&text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?}");
            let mut buffer = [0; 4096];
            let len = output.read(&mut buffer).unwrap();
            text.push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
        drop(output);
        signal_to(i32::try_from(child.id()).unwrap(), libc::SIGTERM);
        child.wait().unwrap();
        text
    };
    let twice = |text: &str| text.matches("INSTANCE").count() >= 2;
    let plain = shown(&[VRRPD, "status", "--watch"], &twice);
    assert!(!plain.contains('\x1b') && plain.contains("VI_1"), "{plain:?}");
    let command = format!("stty cols 160; {VRRPD} status --watch");
    let terminal = shown(&["script", "-qec", &command, "/dev/null"], &twice);
    assert!(
        terminal.contains("\x1b[H") && terminal.contains("\x1b[32mMASTER\x1b[0m"),
        "{terminal:?}"
    );
    for (what, word) in [("--peers", "PEER"), ("--trackers", "KIND"), ("--stats", "adverts sent")] {
        let command = format!("{VRRPD} status {what}");
        let text = shown(&["script", "-qec", &command, "/dev/null"], &|text| text.contains('\n'));
        assert!(text.contains(word), "{what}: {text:?}");
        assert!(ask(&format!("status {what} --json")).1.contains("\"schema\": 1"));
    }
    assert_eq!(ask("status VI_1").0, 0);
    assert_eq!(ask("status VI_2").0, 4);
    assert_eq!(daemon.stop(), 0);
}

fn check() {
    let plugin = || {
        let (code, text, errors) = ask("status --check");
        assert!(errors.is_empty(), "{errors}");
        assert_eq!(text.lines().count(), 1, "{text}");
        (code, text)
    };
    let (code, text) = plugin();
    assert_eq!(code, 3);
    assert!(text.starts_with("VRRP UNKNOWN - no daemon answers at"), "{text}");
    let daemon = Daemon::master();
    let (code, text) = plugin();
    assert_eq!(
        (code, text.as_str()),
        (
            0,
            "VRRP OK - 1 instances, 1 master, 0 backup | masters=1 backups=0 faults=0 problems=0\n"
        )
    );
    until_event("nobody was heard, which is worth a note", |event| {
        event["code"] == "peer-never-heard"
    });
    assert_eq!(plugin().0, 0, "a note is no warning");
    ip("link set eth0 down");
    until("a fault is critical", || plugin().0 == 2);
    let (_, text) = plugin();
    assert!(
        text.starts_with("VRRP CRITICAL - VI_1: it cannot take part: interface eth0 is down [interface-down]"),
        "{text}"
    );
    ip("link set eth0 up");
    until("all is well again", || plugin().0 == 0);
    fs::write("/tmp/conf", "vrrp_instance VI_1 {\n").unwrap();
    assert_eq!(ask("drain --force").0, 2);
    assert_eq!(plugin().0, 2, "nobody is master");
    assert_eq!(ask("resume").0, 0);
    until("all is well after the drain", || plugin().0 == 0);
    assert_eq!(daemon.stop(), 0);
}

/// A refused reload is a problem until one succeeds, and both are told.
fn problems() {
    let daemon = Daemon::master();
    fs::write("/tmp/conf", "vrrp_instance VI_1 {\nvirtual_router_id 300\n").unwrap();
    daemon.signal(libc::SIGHUP);
    until_event("it is told", |event| {
        event["kind"] == "problem-raised" && event["code"] == "reload-refused"
    });
    assert_eq!(ask("status --check").0, 2);
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    until_event("its end is told", |event| {
        event["kind"] == "problem-cleared" && event["code"] == "reload-refused"
    });
    assert_eq!(ask("status --check").0, 0);
    // A check that is not there: keepalived goes on without it, and so do we, but not in silence.
    fs::write("/tmp/conf", tracked(10, "/tmp/absent.sh")).unwrap();
    daemon.signal(libc::SIGHUP);
    until_event("the check is missing", |event| {
        event["kind"] == "problem-raised" && event["code"] == "disabled-check"
    });
    let (code, text, _) = ask("status --check");
    assert_eq!(code, 1, "{text}");
    let shown = status()["problems"].to_string();
    assert!(
        shown.contains("track script chk") && shown.contains("does not happen"),
        "{shown}"
    );
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    until_event("it is not asked for any more", |event| {
        event["kind"] == "problem-cleared" && event["code"] == "disabled-check"
    });
    assert_eq!(ask("status --check").0, 0);
    let wire = Wire::new();
    let gap = wire.longest_gap(Duration::from_millis(500));
    assert!(gap < SILENCE, "{gap:?}");
    assert!(exists(SOCKET));
    assert_eq!(daemon.stop(), 0);
}
