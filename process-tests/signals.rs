//! Signals, reload, stop, and the death of either process.

use crate::rig::{
    CONF, Daemon, SILENCE, VIP, VRRPD, Wire, alive, ask, has, ip, pause, signal_to, state, status, until,
};
use crate::{Case, Needs};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run| Case {
        name,
        run,
        needs: Needs::Nothing,
    };
    vec![
        case("signals::none_of_them_kills_and_adverts_go_on", harmless),
        case("signals::a_bad_file_changes_nothing_and_says_so", bad_reload),
        case("signals::a_reload_leaves_unchanged_instances_alone", good_reload),
        case("signals::a_stop_says_good_bye_and_leaves_nothing", stop),
        case("signals::a_daemon_that_hangs_does_not_keep_the_address", hung),
        case("signals::a_daemon_that_hangs_is_ended_where_that_is_asked_for", guarded),
        case("signals::the_daemon_is_killed", daemon_killed),
        case("signals::the_supervisor_is_killed", supervisor_killed),
        case("signals::the_service_manager_is_told", service_manager),
    ]
}

fn harmless() {
    let daemon = Daemon::master();
    let (vrrp, wire) = (daemon.vrrp_pid(), Wire::new());
    let deadly = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];
    let storm = std::thread::spawn(move || {
        let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
        let signals = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGPIPE, libc::SIGCHLD]
            .into_iter()
            .chain(real_time);
        for signal in signals.filter(|signal| !deadly.contains(signal)) {
            for pid in [daemon.pid(), vrrp] {
                for _ in 0..5 {
                    signal_to(pid, signal);
                }
            }
        }
        for pid in [daemon.pid(), vrrp, daemon.pid()] {
            signal_to(pid, libc::SIGHUP);
        }
        daemon
    });
    let gap = wire.longest_gap(Duration::from_secs(2));
    let daemon = storm.join().unwrap();
    daemon.says("Reload complete");
    assert!(alive(daemon.pid()) && alive(vrrp) && has(VIP));
    assert_eq!(daemon.vrrp_pid(), vrrp);
    assert!(gap < SILENCE, "{gap:?} without an advert");
    assert_eq!(daemon.stop(), 0);
}

fn bad_reload() {
    let daemon = Daemon::master();
    let (before, wire) = (status(), Wire::new());
    for (round, bad) in [
        CONF.replace("virtual_router_id 51", ""),
        CONF.replace("interface eth0", ""),
        format!("instance other\n{CONF}"),
    ]
    .iter()
    .enumerate()
    {
        fs::write("/tmp/conf", bad).unwrap();
        daemon.signal(libc::SIGHUP);
        daemon.says_times(
            "The new configuration is not used: the one read before stays in force",
            round + 1,
        );
    }
    fs::remove_file("/tmp/conf").unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("The new configuration is not used", 4);
    assert!(wire.longest_gap(Duration::from_secs(1)) < SILENCE);
    let after = status();
    assert_eq!(after["instances"][0]["since"], before["instances"][0]["since"]);
    assert_eq!(after["config"], before["config"]);
    let problem = &after["problems"][0];
    assert_eq!(
        (problem["code"].as_str(), problem["severity"].as_str()),
        (Some("reload-refused"), Some("error"))
    );
    assert_eq!(ask("status --check").0, 2);
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    until("nothing is wrong any more", || ask("status --check").0 == 0);
    assert_eq!(daemon.stop(), 0);
}

fn good_reload() {
    let daemon = Daemon::master();
    let before = status();
    let second = CONF.replace("VI_1", "VI_2").replace("51", "52").replace(".99", ".98");
    fs::write("/tmp/conf", format!("{CONF}{second}")).unwrap();
    let wire = Wire::new();
    daemon.signal(libc::SIGHUP);
    until("the new address is set", || has("192.0.2.98"));
    let after = status();
    let first = |status: &serde_json::Value| status["instances"][0]["since"].clone();
    assert_eq!(first(&before), first(&after));
    assert_eq!(after["instances"][0]["counters"]["became_master"], 1);
    assert!(
        !daemon.log().contains("(VI_1) removing VIPs.\n(VI_1)"),
        "{}",
        daemon.log()
    );
    assert!(wire.longest_gap(Duration::from_millis(500)) < SILENCE);
    // The second one leaves again; the first still does not notice.
    fs::write("/tmp/conf", CONF).unwrap();
    daemon.signal(libc::SIGHUP);
    until("the address is gone", || !has("192.0.2.98"));
    assert!(first(&status()) == first(&before) && has(VIP));
    assert_eq!(daemon.stop(), 0);
}

fn stop() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut daemon = Daemon::master();
        let (vrrp, wire) = (daemon.vrrp_pid(), Wire::new());
        daemon.signal(signal);
        let begun = Instant::now();
        assert_eq!(daemon.status(), 0);
        assert!(begun.elapsed() < Duration::from_secs(2));
        let last = wire
            .adverts(Duration::from_millis(300))
            .last()
            .map(|(_, priority)| *priority);
        assert_eq!(last, Some(0), "the last advert gives mastership up");
        assert!(!has(VIP) && !alive(vrrp));
    }
}

fn hung() {
    let mut daemon = Daemon::master();
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    daemon.signal(libc::SIGTERM);
    assert_eq!(daemon.status(), 0);
    daemon.says("vrrp process failed to die - forcing termination");
    assert!(!has(VIP) && !alive(vrrp));
}

fn guarded() {
    let limit = Duration::from_secs(2);
    // Nobody asked: it keeps its address, as keepalived's.
    let daemon = Daemon::master();
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    let begun = Instant::now();
    while begun.elapsed() < limit + limit {
        assert!(alive(vrrp) && has(VIP));
        pause(50);
    }
    signal_to(vrrp, libc::SIGCONT);
    assert_eq!(daemon.stop(), 0);
    // A reload is too late to ask: this daemon does not move its heartbeat.
    let daemon = Daemon::master();
    let vrrp = daemon.vrrp_pid();
    let guarded = format!("global_defs {{\n    heartbeat_guard\n}}\n{CONF}");
    fs::write("/tmp/conf", &guarded).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("Reload complete");
    let begun = Instant::now();
    while begun.elapsed() < limit + limit {
        assert!(alive(vrrp) && has(VIP), "{}", daemon.log());
        pause(50);
    }
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&guarded);
    until("the address is set", || has(VIP));
    let vrrp = daemon.vrrp_pid();
    signal_to(vrrp, libc::SIGSTOP);
    let begun = Instant::now();
    until("the guard has removed the address", || !has(VIP));
    // It looks four times in that time, and the daemon may have moved half a second before it was stopped.
    let took = begun.elapsed();
    assert!(
        took > limit - Duration::from_secs(1) && took < limit + limit,
        "{took:?}"
    );
    daemon.says(&format!("VRRP child process({vrrp}) stands still: killing it"));
    until("the next one is master", || has(VIP) && daemon.vrrp_pid() != vrrp);
    assert_eq!(daemon.stop(), 0);
}

fn daemon_killed() {
    let daemon = Daemon::master();
    // keepalived's back-off: at once, then after 1 s, then 2 s.
    for (round, wait) in [0, 1, 2].into_iter().enumerate() {
        let vrrp = daemon.vrrp_pid();
        until("the address is set", || has(VIP));
        let begun = Instant::now();
        signal_to(vrrp, libc::SIGKILL);
        until("the guard has removed the address", || !has(VIP));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        daemon.says(&format!("VRRP child process({vrrp}) died: Respawning"));
        daemon.says(&format!(
            "Restart of VRRP process delayed {wait} seconds to limit respawn rate"
        ));
        daemon.says_times("Startup complete", round + 2);
        assert!(begun.elapsed() >= Duration::from_secs(wait));
    }
    assert_eq!(daemon.stop(), 0);
    // -R: it ends instead.
    let mut daemon = Daemon::run(VRRPD, "/tmp/r", &["-n", "-l", "-G", "-R", "-f", "/tmp/conf"], |_| {});
    until("the address is set", || has(VIP));
    signal_to(daemon.vrrp_pid(), libc::SIGKILL);
    assert_eq!(daemon.status(), 0);
    assert!(!has(VIP));
}

fn supervisor_killed() {
    let mut daemon = Daemon::master();
    let (vrrp, wire) = (daemon.vrrp_pid(), Wire::new());
    signal_to(daemon.pid(), libc::SIGKILL);
    daemon.status();
    until("the daemon ends", || !alive(vrrp));
    assert!(!has(VIP));
    let last = wire
        .adverts(Duration::from_millis(300))
        .last()
        .map(|(_, priority)| *priority);
    assert_eq!(last, Some(0));
    // Its pid files are no obstacle.
    let again = Daemon::master();
    assert_eq!((state().as_str(), again.stop()), ("MASTER", 0));
}

fn service_manager() {
    let manager = UnixDatagram::bind("/tmp/notify").unwrap();
    manager.set_read_timeout(Some(crate::rig::PATIENCE)).unwrap();
    let next = || {
        let mut buffer = [0; 512];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    };
    fs::write("/tmp/conf", CONF).unwrap();
    let run = || {
        Daemon::run(VRRPD, "/tmp/node", &["-n", "-l", "-G", "-f", "/tmp/conf"], |command| {
            command.env("NOTIFY_SOCKET", "/tmp/notify");
        })
    };
    let daemon = run();
    let ready = format!("READY=1\nMAINPID={}\n", daemon.pid());
    assert!(next().starts_with(&ready));
    daemon.signal(libc::SIGHUP);
    assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(next().starts_with(&ready));
    fs::write("/tmp/conf", "vrrp_instance x {\n}\n").unwrap();
    daemon.signal(libc::SIGHUP);
    assert!(next().starts_with("RELOADING=1"));
    assert!(next().starts_with(&ready), "the old configuration is still in force");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(run().status(), 2);
    assert_eq!(next(), "ERRNO=22");
    pause(1);
    ip("link show");
}
