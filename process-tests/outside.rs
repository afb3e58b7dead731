//! What a reload changes outside of the protocol's core: FIFOs, their readers, programs and their users, files, names. keepalived
//! does the same as the oracle where it can.

use crate::rig::{
    CONF, Daemon, KEEPALIVED, PATIENCE, VIP, VRRPD, ask, exists, has, ip, pause, script, status, text_of, until,
};
use crate::{Case, Needs};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, run, needs| Case { name, run, needs };
    vec![
        case(
            "outside::fifos_follow_reloads_as_keepalived_s",
            fifos,
            Needs::Keepalived,
        ),
        case(
            "outside::a_stop_that_keeps_addresses_tells_the_fifo",
            kept,
            Needs::Keepalived,
        ),
        case("outside::readers_of_fifos_follow_reloads", readers, Needs::Nothing),
        case("outside::names_and_files_follow_reloads", files, Needs::Nothing),
        case(
            "outside::programs_follow_their_user_and_security",
            programs,
            Needs::Root,
        ),
    ]
}

/// Reads a FIFO whoever makes it, again and again, until it is told to stop.
struct Reader {
    lines: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn of(paths: &'static [&'static str]) -> Self {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let (to, end) = (Arc::clone(&lines), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut open: Vec<Option<(u64, File, String)>> = paths.iter().map(|_| None).collect();
            loop {
                let last = end.load(Ordering::Acquire);
                for (path, fifo) in paths.iter().zip(&mut open) {
                    read_one(path, fifo, &to);
                }
                if last {
                    return;
                }
                pause(3);
            }
        });
        Self { lines, over, thread }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn until(&self, count: usize) {
        let give_up = Instant::now() + PATIENCE;
        while self.lines().len() < count {
            assert!(Instant::now() < give_up, "not {count} lines: {:#?}", self.lines());
            pause(5);
        }
    }

    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::Release);
        self.thread.join().unwrap();
        Arc::try_unwrap(self.lines).unwrap().into_inner().unwrap()
    }
}

/// Takes what is there; one that was replaced is read to its end first.
fn read_one(path: &str, fifo: &mut Option<(u64, File, String)>, to: &Mutex<Vec<String>>) {
    if let Some((_, file, rest)) = fifo {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = file.read(&mut bytes) {
            rest.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        let name = path.rsplit('/').next().unwrap();
        while let Some((line, more)) = rest.split_once('\n') {
            to.lock().unwrap().push(format!("{name}: {line}"));
            *rest = more.to_owned();
        }
    }
    let now = fs::metadata(path).map(|metadata| metadata.ino()).ok();
    if now != fifo.as_ref().map(|(inode, ..)| *inode) {
        let opened = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .ok();
        *fifo = now.zip(opened).map(|(inode, file)| (inode, file, String::new()));
    }
}

fn instance(number: u8, priority: u8, more: &str) -> String {
    CONF.replace("VI_1", &format!("VI_{number}"))
        .replace("router_id 51", &format!("router_id {}", 50 + number))
        .replace("priority 150", &format!("priority {priority}\n    {more}"))
        .replace(VIP, &format!("192.0.2.{}", 100 - number))
}

fn global(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n")
}

fn run(program: &str, directory: &str, conf: &str, more: &[&str]) -> Daemon {
    fs::write("/tmp/conf", conf).unwrap();
    let mut options = vec!["-n", "-l", "-G", "-D", "-f", "/tmp/conf"];
    options.extend(more);
    Daemon::run(program, directory, &options, |_| {})
}

fn reload(daemon: &Daemon, conf: &str, times: usize) {
    fs::write("/tmp/conf", conf).unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says_times("Reload complete", times);
    // The new FIFOs are there, and what the reload itself has to tell is told.
    pause(400);
}

/// What readers see of reloads: nothing changed, another name, instances removed with and without notify_deleted, states written.
fn fifo_story(program: &str, directory: &str) -> Vec<String> {
    let reader = Reader::of(&["/tmp/one", "/tmp/two"]);
    let group = "vrrp_sync_group G {\ngroup {\nVI_1\nVI_4\n}\n}\n";
    let conf = |fifo: &str, first: u8, removable: bool| {
        let removable = if removable {
            format!("{}{}", instance(2, 150, ""), instance(3, 150, "notify_deleted"))
        } else {
            String::new()
        };
        format!(
            "{}{}{}{group}{removable}",
            global(fifo),
            instance(1, first, ""),
            instance(4, first, "")
        )
    };
    let daemon = run(program, directory, &conf("vrrp_notify_fifo /tmp/one", 150, true), &[]);
    until("all addresses are set", || {
        (1..=4).all(|number| has(&format!("192.0.2.{}", 100 - number)))
    });
    reader.until(10);
    let mut steps = vec![("start", reader.lines().len())];
    reload(&daemon, &conf("vrrp_notify_fifo /tmp/one", 150, true), 1);
    steps.push(("nothing changed", reader.lines().len()));
    reload(&daemon, &conf("vrrp_notify_fifo /tmp/two", 160, true), 2);
    assert!(!exists("/tmp/one"), "{program}: the old one is gone");
    steps.push(("another name", reader.lines().len()));
    reload(&daemon, &conf("vrrp_notify_fifo /tmp/two", 160, false), 3);
    steps.push(("removed", reader.lines().len()));
    reload(
        &daemon,
        &conf(
            "vrrp_notify_fifo /tmp/two\nfifo_write_vrrp_states_on_reload",
            160,
            false,
        ),
        4,
    );
    steps.push(("states written", reader.lines().len()));
    reload(&daemon, &conf("", 160, false), 5);
    assert!(
        !exists("/tmp/two"),
        "{program}: taken out of the configuration, it is gone"
    );
    reload(&daemon, &conf("vrrp_notify_fifo /tmp/two", 160, false), 6);
    steps.push(("gone and back", reader.lines().len()));
    assert_eq!(daemon.stop(), 0);
    steps.push(("stop", usize::MAX));
    assert!(!exists("/tmp/two"), "{program}");
    let lines = reader.end();
    let mut told = Vec::new();
    let mut from = 0;
    for (step, to) in steps {
        let to = to.min(lines.len());
        let mut part: Vec<String> = lines[from..to].iter().map(|line| format!("{step}: {line}")).collect();
        // Members of a group, and instances that start at the same time, are in no order.
        part.sort();
        told.extend(part);
        from = to;
    }
    told
}

fn fifos() {
    let oracle = fifo_story(KEEPALIVED, "/tmp/k");
    for part in [
        "removed: two: INSTANCE \"VI_2\" FAULT",
        "removed: two: INSTANCE \"VI_3\" DELETED",
        "stop: two: INSTANCE \"VI_1\" STOP",
        "stop: two: GROUP \"G\" STOP",
    ] {
        assert!(
            oracle.iter().any(|line| line.starts_with(part)),
            "keepalived does not say {part:?}: {oracle:#?}"
        );
    }
    let ours = fifo_story(VRRPD, "/tmp/v");
    // On purpose: keepalived leaves the instances that are master out of the states that it writes.
    let written = |line: &&String| line.starts_with("states written: two: INSTANCE");
    let states: Vec<&String> = ours.iter().filter(written).collect();
    assert_eq!(
        states,
        [
            "states written: two: INSTANCE \"VI_1\" MASTER 160",
            "states written: two: INSTANCE \"VI_4\" MASTER 160"
        ]
    );
    assert_eq!(oracle.iter().filter(written).count(), 0);
    let rest: Vec<String> = ours.iter().filter(|line| !written(line)).cloned().collect();
    assert_eq!(rest, oracle);
}

/// With `-V`: addresses stay, and the FIFO gets its STOP lines, also after a reload.
fn kept() {
    let story = |program: &str, directory: &str| {
        let reader = Reader::of(&["/tmp/one", "/tmp/two"]);
        let conf = |fifo: &str| {
            format!(
                "{}{CONF}{}",
                global(&format!("vrrp_notify_fifo {fifo}")),
                instance(2, 150, "")
            )
        };
        let daemon = run(program, directory, &conf("/tmp/one"), &["-V"]);
        until("both addresses are set", || has(VIP) && has("192.0.2.98"));
        reader.until(4);
        reload(&daemon, &conf("/tmp/two"), 1);
        let before = reader.lines().len();
        assert_eq!(daemon.stop(), 0);
        let stay = has(VIP) && has("192.0.2.98");
        for address in [VIP, "192.0.2.98"] {
            ip(&format!("addr del {address}/32 dev eth0"));
        }
        let mut lines = reader.end();
        (stay, lines.split_off(before))
    };
    let oracle = story(KEEPALIVED, "/tmp/k");
    assert_eq!(oracle.1.len(), 2, "{oracle:?}");
    assert_eq!(story(VRRPD, "/tmp/v"), oracle);
}

/// The script that reads a FIFO is ended and started again with it, and sees every line of its own time.
fn readers() {
    script(
        "/tmp/read.sh",
        "#!/bin/sh\necho \"$1 begins at $2\" >>/tmp/read\nwhile read line; do echo \"$1 $line\" >>/tmp/read; done <\"$2\"\necho \"$1 ends\" >>/tmp/read\n",
    );
    let conf = |fifo: &str, tag: &str, priority: u8| {
        let lines =
            format!("script_user root\nvrrp_notify_fifo {fifo}\nvrrp_notify_fifo_script \"/tmp/read.sh {tag}\"");
        format!(
            "{}{}",
            global(&lines),
            instance(1, priority, "notify_priority_changes true")
        )
    };
    let read = || text_of("/tmp/read").lines().map(str::to_owned).collect::<Vec<_>>();
    let says = |line: &str| until(line, || exists("/tmp/read") && read().iter().any(|one| one == line));
    let daemon = Daemon::start(&conf("/tmp/one", "A", 150));
    says("A begins at /tmp/one");
    until("the address is set", || has(VIP));
    says("A INSTANCE \"VI_1\" MASTER 150");
    reload(&daemon, &conf("/tmp/two", "B", 160), 1);
    says("B begins at /tmp/two");
    // The news of the reload itself belong to the new one.
    says("B INSTANCE \"VI_1\" MASTER_PRIORITY 160");
    assert!(!exists("/tmp/one"));
    // A refused reload leaves the reader alone.
    let before = read().len();
    fs::write("/tmp/conf", "vrrp_instance VI_1 {\n    virtual_router_id 0\n").unwrap();
    daemon.signal(libc::SIGHUP);
    daemon.says("the one read before stays in force");
    pause(300);
    assert_eq!(read().len(), before, "{:#?}", read());
    assert_eq!(daemon.stop(), 0);
    says("B INSTANCE \"VI_1\" STOP 160");
    assert!(
        !read().iter().any(|line| line.starts_with("A ") && line.contains("160")),
        "{:#?}",
        read()
    );
}

/// `router_id`, `data_use_instance`, the state files, and what a reload must not do: run the startup script.
fn files() {
    script("/tmp/once.sh", "#!/bin/sh\necho \"$1\" >>/tmp/once\n");
    let daemon = Daemon::master();
    let lines = "router_id other\nstate_dump_file /tmp/state\nscript_user root\nstartup_script \"/tmp/once.sh begin\"\n\
                 shutdown_script \"/tmp/once.sh end\"\numask 027";
    fs::write("/tmp/conf", format!("{}{CONF}", global(lines))).unwrap();
    let (exit, text, errors) = ask("reload");
    assert_eq!(exit, 0, "{errors}");
    assert!(text.contains("router_id") && text.contains("none -> other"), "{text}");
    assert_eq!(status()["router_id"], "other");
    daemon.signal(libc::SIGUSR1);
    until("the state file", || exists("/tmp/state"));
    assert!(text_of("/tmp/state").contains("other"));
    assert!(!exists("/tmp/once"), "a reload is no start");
    let lines = format!("{lines}\ndata_use_instance\nstate_dump_file /tmp/second");
    fs::write("/tmp/conf", format!("{}{CONF}", global(&lines))).unwrap();
    assert_eq!(ask("reload").0, 0);
    daemon.signal(libc::SIGUSR1);
    until("the second state file", || {
        fs::read_dir("/tmp")
            .unwrap()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("second"))
    });
    assert_eq!(daemon.stop(), 0);
    assert_eq!(
        text_of("/tmp/once"),
        "end\n",
        "the shutdown script of the newest configuration, and nothing else"
    );
}

/// Who runs a check is a part of it: another default user is another program, and an insecure one does not run.
fn programs() {
    script("/tmp/who.sh", "#!/bin/sh\nid -un >>/tmp/who\n");
    fs::write("/tmp/who", "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions("/tmp/who", mode).unwrap();
    let checked = CONF.replace(
        "    virtual_ipaddress {",
        "    track_script {\n        chk\n    }\n    virtual_ipaddress {",
    );
    let conf = |lines: &str| {
        let check = "vrrp_script chk {\n    script /tmp/who.sh\n    interval 1\n}\n";
        format!("{}{check}{checked}", global(lines))
    };
    let last = || text_of("/tmp/who").lines().last().unwrap_or_default().to_owned();
    let daemon = Daemon::start(&conf("script_user root"));
    until("the address is set", || has(VIP) && last() == "root");
    let since = status()["instances"][0]["since"].clone();
    let change = |lines: &str, keyword: &str| {
        fs::write("/tmp/conf", conf(lines)).unwrap();
        let (exit, text, errors) = ask("reload");
        assert_eq!(exit, 0, "{errors}");
        assert!(text.contains(keyword), "{text}");
        text
    };
    let text = change("script_user nobody", "script_user");
    assert!(
        text.contains("script chk: adjusted\n  user  0:0 -> 65534:65534  adjust"),
        "{text}"
    );
    until("the check runs as nobody", || last() == "nobody");
    // Anybody may write it: with security on it does not run.
    fs::set_permissions("/tmp/who.sh", std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let text = change("script_user root\nenable_script_security", "enable_script_security");
    assert!(text.contains("script chk: "), "{text}");
    let runs = text_of("/tmp/who").lines().count();
    pause(2500);
    assert_eq!(
        text_of("/tmp/who").lines().count(),
        runs,
        "an insecure program does not run"
    );
    assert!(status()["problems"].to_string().contains("disabled-check"));
    fs::set_permissions("/tmp/who.sh", std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(ask("reload").0, 0);
    until("it runs again", || {
        last() == "root" && text_of("/tmp/who").lines().count() > runs
    });
    // Where a link leads to.
    script("/tmp/other.sh", "#!/bin/sh\necho other >>/tmp/who\n");
    let linked = conf("script_user root\nuse_symlink_paths").replace("/tmp/who.sh", "/tmp/link.sh");
    std::os::unix::fs::symlink("/tmp/who.sh", "/tmp/link.sh").unwrap();
    fs::write("/tmp/conf", linked).unwrap();
    let (exit, text, _) = ask("reload");
    assert_eq!(exit, 0);
    assert!(text.contains("use_symlink_paths"), "{text}");
    fs::remove_file("/tmp/link.sh").unwrap();
    std::os::unix::fs::symlink("/tmp/other.sh", "/tmp/link.sh").unwrap();
    until("the link is followed at every run", || last() == "other");
    assert_eq!(status()["instances"][0]["since"], since, "it was master all the time");
    assert_eq!(daemon.stop(), 0);
}
