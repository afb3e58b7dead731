//! `vrrpd lab FILE...` with real daemons in real namespaces. The oracle is `ip` of iproute2, run in each node: it knows nothing
//! of the lab's judgement nor of the daemons' words. Works as root and as an ordinary user who may make user namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what is wrong"
)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const VIP: &str = "192.0.2.100";

/// Two nodes' files in a directory of their own.
struct Files(PathBuf);

impl Files {
    /// `weight` is that of the first node's check, whose failure is to move the address.
    fn new(name: &str, weight: i16) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let files = Self(directory);
        fs::write(files.path("n1"), configuration(100, weight)).unwrap();
        fs::write(files.path("n2"), configuration(90, weight)).unwrap();
        files
    }

    /// The same nodes, but they send to each other's address, which switches learn.
    fn unicast(name: &str) -> Self {
        let files = Self::new(name, -50);
        for (name, peer) in [("n1", "192.0.2.2"), ("n2", "192.0.2.1")] {
            let text = fs::read_to_string(files.path(name)).unwrap();
            let peers = format!("advert_int 0.5\n unicast_peer {{\n {peer}\n }}\n");
            fs::write(files.path(name), text.replace("advert_int 0.5\n", &peers)).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.conf"))
    }

    fn lab(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrrpd"));
        command.args(["lab"]).args([self.path("n1"), self.path("n2")]);
        command
    }

    /// Plays a script to its end.
    fn play(&self, script: &str) -> Output {
        let path = self.path("script");
        fs::write(&path, script).unwrap();
        self.lab()
            .arg("--script")
            .arg(path)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn configuration(priority: u8, weight: i16) -> String {
    format!(
        "vrrp_script chk {{\n script \"/bin/sh -c 'exit 0'\"\n interval 1\n weight {weight}\n}}\n\
         vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n version 3\n advert_int 0.5\n \
         virtual_ipaddress {{\n {VIP}/24\n }}\n track_script {{\n chk\n }}\n}}\n"
    )
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// For each look at a node, in order: whether `ip` has listed the virtual address.
fn looks(story: &str) -> Vec<bool> {
    let mut looks = Vec::new();
    let mut looking = false;
    for line in story.lines() {
        if line.contains("  > ") {
            looking = line.contains("> run ");
            if looking {
                looks.push(false);
            }
        } else if looking && line.contains(&format!("{VIP}/24")) {
            *looks.last_mut().unwrap() = true;
        }
    }
    looks
}

/// What is done, and who has the address then: first node, second node.
const FAULTS: &[(&str, [bool; 2])] = &[
    ("wait master n1", [true, false]),
    ("fail n1\nwait master n2", [false, true]),
    ("mend n1\nwait master n1", [true, false]),
    // Heard by nobody, it goes on; the other one takes over as well.
    ("cut n1 out\nwait master n1+n2", [true, true]),
    ("heal n1\nwait master n1", [true, false]),
    // A master that hears nothing changes nothing.
    ("cut n1 in\nwait 3s", [true, false]),
    ("heal n1\ncut n2 in\nwait master n1+n2", [true, true]),
    ("heal n2\nwait master n1", [true, false]),
    // A backup that nobody hears changes nothing.
    ("cut n2 out\nwait 3s", [true, false]),
    ("heal n2\ncut n1\nwait master n1+n2", [true, true]),
    ("heal n1\nwait master n1", [true, false]),
    // One that stands still sends nothing, but has its address.
    ("pause n1\nwait master n2", [true, true]),
    ("resume n1\nwait master n1", [true, false]),
    // Nobody is left to remove it.
    ("kill n1\nwait master n2", [true, true]),
    ("start n1\nwait master n1", [true, false]),
    ("unplug n1\nwait master n2", [false, true]),
    ("heal n1\nwait master n1", [true, false]),
    ("stop n1\nwait master n2", [false, true]),
    ("stop n2\nwait master none", [false, false]),
];

/// Plays faults and looks after each; what was told.
fn play_and_look(files: &Files, faults: &[(&str, [bool; 2])]) -> String {
    let look = "run n1 ip -o addr show dev eth0\nrun n2 ip -o addr show dev eth0\n";
    let script: String = faults.iter().map(|(act, _)| format!("{act}\n{look}")).collect();
    let output = files.play(&format!("{script}wait calm\nstatus\n"));
    let story = text(&output);
    let wanted: Vec<bool> = faults.iter().flat_map(|(_, wanted)| *wanted).collect();
    assert_eq!(looks(&story), wanted, "{story}");
    assert_eq!(output.status.code(), Some(0), "{story}");
    story
}

#[test]
fn cables_are_cut_for_stations_that_the_bridge_knows_too() {
    let files = Files::unicast("unicast");
    let story = play_and_look(
        &files,
        &[
            ("wait master n1", [true, false]),
            ("cut n2 in\nwait master n1+n2", [true, true]),
            ("heal n2\nwait master n1", [true, false]),
            ("cut n1 out\nwait master n1+n2", [true, true]),
            ("heal n1\nwait master n1", [true, false]),
            ("cut n2 out\nwait 3s", [true, false]),
        ],
    );
    assert!(
        story.contains("192.0.2.1/24 (named in the others' unicast_peer)"),
        "{story}"
    );
}

#[test]
fn what_faults_do_is_what_the_kernels_say() {
    let story = play_and_look(&Files::new("faults", -50), FAULTS);
    // The times of a take-over: after the fault, and after the last advert, which is at least three intervals ago.
    assert!(story.contains("s after the last one of n1"), "{story}");
    assert!(story.contains("announces 192.0.2.100 (gratuitous ARP)"), "{story}");
    assert!(story.contains("nobody is left to clean up"), "{story}");
}

/// A tracked file, which holds 10 on this machine, and a service of which one has to run.
#[test]
fn files_and_processes_are_made_to_fail_and_are_well_again() {
    let files = Files::new("tracked", -50);
    let number = files.0.join("number");
    fs::write(&number, "10\n").unwrap();
    let blocks = format!(
        "track_file tf {{\n file {}\n}}\nvrrp_track_process tp {{\n process haproxy\n}}\n",
        number.display()
    );
    let tracked = "track_file {\n tf\n }\n track_process {\n tp\n }\n track_script {";
    let text = configuration(85, -50).replace("track_script {", tracked);
    fs::write(files.path("n1"), format!("{blocks}{text}")).unwrap();
    let story = play_and_look(
        &files,
        &[
            // 85 and 10 from the file, against 90; but the service does not run.
            ("wait master n2", [false, true]),
            ("mend n1 tp\nwait master n1", [true, false]),
            ("fail n1 tp\nwait master n2", [false, true]),
            ("mend n1 tp\nwait master n1", [true, false]),
            ("fail n1 tf\nwait master n2", [false, true]),
            ("mend n1 tf\nwait master n1", [true, false]),
            ("fail n1\nwait master n2", [false, true]),
            // One of three is not enough.
            ("mend n1 tf\nwait 4s", [false, true]),
            ("mend n1\nwait master n1", [true, false]),
        ],
    );
    assert!(
        story.contains("on n1 1 process haproxy of tp ended (SIGKILL)") && story.contains("on n1 tf holds -254"),
        "{story}"
    );
    assert_eq!(fs::read_to_string(number).unwrap(), "10\n", "the machine's own file");
}

/// The same faults where they cannot do the same: a check too light to change the order, a cable that is not cut.
#[test]
fn a_wait_for_what_does_not_come_fails() {
    let files = Files::new("twin", -5);
    let output = files.play("wait master n1\nfail n1\nwait master n2 within 4s\nquit\n");
    let story = text(&output);
    assert_eq!(output.status.code(), Some(1), "{story}");
    assert!(
        story.contains("ERROR: this has not come within 4.0") && story.contains("VI_1: n1"),
        "{story}"
    );
    let output = files.play("wait master n1\nheal n1\nwait master n1+n2 within 3s\nquit\n");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    // So does a command that cannot be done, and time that is up.
    let output = files.play("cut n1 in eth7\nfail n1 other\nquit\n");
    let story = text(&output);
    assert_eq!(output.status.code(), Some(1), "{story}");
    assert!(story.contains("n1 has no interface eth7; there are: eth0"), "{story}");
    assert!(story.contains("n1 has no check other; there are: chk"), "{story}");
}

#[test]
fn commands_come_by_standard_input_and_time_ends_it() {
    let files = Files::new("stdin", -50);
    let mut lab = files.lab();
    let mut lab = lab
        .args(["--for", "6s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    lab.stdin
        .take()
        .unwrap()
        .write_all(b"wait master one\nwhy n1\nstatus\nlog n1 3")
        .unwrap();
    let output = lab.wait_with_output().unwrap();
    let story = text(&output);
    assert_eq!(output.status.code(), Some(0), "{story}");
    assert!(story.contains("VI_1 is MASTER since"), "{story}");
    assert!(story.contains("INSTANCE  NODE  STATE"), "{story}");
    assert!(story.contains("> log n1 3"), "{story}");
}

#[test]
fn files_that_cannot_be_used_are_named_and_nothing_is_started() {
    let files = Files::new("bad", -50);
    let missing = files.path("missing");
    let output = files.lab().arg(&missing).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("missing.conf"), "{}", text(&output));
    assert!(output.stdout.is_empty(), "{}", text(&output));
}

/// A living process with all its descendants, and the namespaces that they are in and we are not.
fn family(of: u32) -> (BTreeSet<u32>, BTreeSet<String>) {
    let mut members = BTreeSet::from([of]);
    let processes = || {
        let entries = fs::read_dir("/proc").unwrap();
        entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok())
    };
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    loop {
        let before = members.len();
        members.extend(
            processes()
                .filter(|pid| parent(*pid).is_some_and(|parent| members.contains(&parent)))
                .collect::<Vec<_>>(),
        );
        if members.len() == before {
            break;
        }
    }
    let ours = namespaces(std::process::id());
    let theirs = members
        .iter()
        .flat_map(|pid| namespaces(*pid))
        .filter(|namespace| !ours.contains(namespace));
    (members.clone(), theirs.collect())
}

fn namespaces(pid: u32) -> BTreeSet<String> {
    let kinds = ["net", "mnt", "pid", "uts", "ipc", "user"];
    let link = |kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    kinds
        .into_iter()
        .filter_map(link)
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}

/// Every namespace that any process is in.
fn all_namespaces() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    pids.flat_map(namespaces).collect()
}

#[test]
fn nothing_is_left_however_it_ends() {
    let files = Files::new("signals", -50);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let links = fs::read_to_string("/proc/net/dev").unwrap().lines().count();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        let mut lab = files.lab();
        let mut lab = lab
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut story = BufReader::new(lab.stdout.take().unwrap()).lines();
        // The master has its address: every process there is has been started.
        let has = format!("has {VIP}");
        assert!(story.any(|line| line.unwrap().contains(&has)), "{signal}");
        let (processes, spaces) = family(lab.id());
        // Caller, keeper, worker, and in each of two nodes process 1, supervisor and daemon.
        assert!(processes.len() >= 9, "{signal}: {processes:?}");
        assert!(spaces.len() >= 3 + 2 * 4, "{signal}: {spaces:?}");
        kill(Pid::from_raw(i32::try_from(lab.id()).unwrap()), signal).unwrap();
        let status = lab.wait().unwrap();
        if signal == Signal::SIGKILL {
            assert_eq!(status.signal(), Some(signal as i32));
            // Nobody is left who could wait for the kernel: the story's pipe ends with the last process that holds it.
            assert!(story.all(|line| line.is_ok()));
            wait_until(|| processes.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
        } else {
            assert_eq!(status.code(), Some(128 + signal as i32));
        }
        let living: Vec<&u32> = processes
            .iter()
            .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
            .collect();
        assert!(living.is_empty(), "{signal}: {living:?}");
        assert!(all_namespaces().is_disjoint(&spaces), "{signal}");
    }
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    assert_eq!(fs::read_to_string("/proc/net/dev").unwrap().lines().count(), links);
    assert!(!Path::new("/run/vrrpd-lab").exists());
}

/// Looks again and again, for ten seconds at most.
fn wait_until(come: impl Fn() -> bool) {
    for _ in 0..1000 {
        if come() {
            return;
        }
        nix::poll::poll(&mut [], 10_u8).unwrap();
    }
}

/// Root gives its rights away and plays; everybody else has played the other tests as what they are.
#[test]
fn an_ordinary_user_plays_too() {
    if !Uid::effective().is_root() {
        return;
    }
    let files = Files::new("nobody", -50);
    // Where everybody may read it: the way to the build directory may be closed.
    let place = std::env::temp_dir().join(format!("vrrpd-lab-{}", std::process::id()));
    fs::create_dir_all(&place).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    let vrrpd = place.join("vrrpd");
    fs::copy(env!("CARGO_BIN_EXE_vrrpd"), &vrrpd).unwrap();
    for name in ["n1", "n2"] {
        let user = if name == "n1" {
            "global_defs {\n script_user daemon\n enable_script_security\n}\n"
        } else {
            ""
        };
        let conf = fs::read_to_string(files.path(name)).unwrap();
        fs::write(place.join(name), format!("{user}{conf}")).unwrap();
    }
    let script = place.join("script");
    fs::write(
        &script,
        "wait master n1\nfail n1\nwait master n2\nrun n2 ip -o addr show dev eth0\nrun n1 touch /etc/x\nquit\n",
    )
    .unwrap();
    let output = Command::new(&vrrpd)
        .arg("lab")
        .args([place.join("n1"), place.join("n2")])
        .arg("--script")
        .arg(script)
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    fs::remove_dir_all(&place).unwrap();
    let story = text(&output);
    if output.status.code() == Some(2) {
        // Where the machine forbids it, it says so.
        assert!(story.contains("user namespaces are not to be had here"), "{story}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{story}");
    assert!(looks(&story)[0], "{story}");
    assert!(story.contains("all scripts run as you"), "{story}");
    assert!(story.contains("Read-only file system"), "{story}");
}
