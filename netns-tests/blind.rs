//! What the observers of files and processes cannot see: they look again, or say so.

use crate::ask::{status, until_status};
use crate::check::{Check, Needs};
use crate::stage::{Speaker, Stage, VRRPD, lines, node};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io;
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
const NODE: usize = 0;

struct Case {
    name: &'static str,
    play: fn(&mut Scene) -> io::Result<()>,
    oracle: &'static str,
    twin: &'static str,
    sees: &'static str,
    needs: &'static [Needs],
}

const CASES: &[Case] = &[
    Case {
        name: "news-of-files-lost",
        play: files,
        oracle: "the number in the file",
        twin: "less happens than the kernel remembers",
        sees: "lost news are said",
        needs: &[],
    },
    Case {
        name: "processes-hidden",
        play: hidden_from_groups,
        oracle: "what another program without the right sees in /proc",
        twin: "/proc hides nothing",
        sees: "first process is hidden",
        // A group that is nobody's has to exist.
        needs: &[Needs::Root],
    },
    Case {
        name: "processes-hidden-in-a-container",
        play: hidden_from_all,
        oracle: "what another program without the right sees in /proc",
        twin: "/proc hides nothing",
        sees: "first process is hidden",
        needs: &[],
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |case: &Case| {
        let twin = (case.twin, case.sees);
        Check::of_one_run(&format!("blind {}", case.name), case.oracle, twin, case.needs)
    };
    CASES.iter().map(check).collect()
}

fn configuration(blocks: &str, lines: &str) -> String {
    format!(
        "{blocks}vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n advert_int 0.5\n priority 100\n virtual_ipaddress {{\n {VIP}/32\n }}\n {lines}\n}}\n"
    )
}

struct Scene {
    stage: Stage,
    spoiled: bool,
    report: Vec<String>,
}

impl Scene {
    fn found(&mut self, what: &str, found: u64, lowest: u64, highest: u64) {
        self.report.push(format!("{what}: {found} {lowest} {highest}"));
    }

    fn shell(&mut self, name: &str, command: &str) -> io::Result<Instant> {
        let since = self.stage.note(command);
        let run = self.stage.run(NODE, name, &["/bin/sh", "-c", command])?;
        self.stage.until("the shell ends", 30, |lab| !lab.runs(run))?;
        Ok(since)
    }

    fn effective(&mut self, wanted: u64) -> io::Result<()> {
        let is = |status: &Value| status["instances"][0]["priority"]["effective"] == wanted;
        until_status(&mut self.stage, NODE, 10, is)?;
        let found = status(&mut self.stage, NODE)?["instances"][0]["priority"]["effective"].as_u64();
        self.found("priority", found.unwrap_or(0), wanted, wanted);
        Ok(())
    }
}

/// The file is written while nobody reads the news, behind more of them than the kernel keeps (16,384, unless somebody has
/// set `fs.inotify.max_queued_events`). Two names in turn, because the same news twice are one.
fn files(scene: &mut Scene) -> io::Result<()> {
    let limit: usize = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")?
        .trim()
        .parse()
        .map_err(io::Error::other)?;
    let rounds = if scene.spoiled { 100 } else { limit / 2 + 100 };
    scene.stage.write(NODE, "tf", "0")?;
    let blocks = "track_file tf {\n file /tmp/tf\n}\n";
    let text = configuration(blocks, "track_file {\n tf\n }");
    scene.stage.start(NODE, Speaker::Vrrpd, &text)?;
    scene.stage.until_held_by("1", 15)?;
    scene.effective(100)?;
    scene.stage.signal_all(NODE, Signal::SIGSTOP)?;
    let since = scene.shell(
        "storm",
        &format!("i=0; while [ $i -lt {rounds} ]; do : >/tmp/a; : >/tmp/b; i=$((i+1)); done; echo 20 >/tmp/tf"),
    )?;
    scene.stage.signal_all(NODE, Signal::SIGCONT)?;
    scene.effective(120)?;
    // What comes after it is told by the kernel again.
    scene.stage.write(NODE, "tf", "30")?;
    scene.effective(130)?;
    let said = scene.stage.lines(NODE, "vrrp", since);
    let said = said
        .iter()
        .filter(|line| line.contains("News of files were lost"))
        .count();
    scene.found("lost news are said", said as u64, 1, 20);
    Ok(())
}

/// The daemon may not look at the processes of others, and `/proc` shows those only to a group that nobody is in.
fn hidden_from_groups(scene: &mut Scene) -> io::Result<()> {
    hidden(
        scene,
        "hidepid=2,gid=54321",
        "--inh-caps=-sys_ptrace --bounding-set=-sys_ptrace",
    )
}

/// The daemon has the rights that it cannot do without and no others, and `/proc` shows no group more than that.
fn hidden_from_all(scene: &mut Scene) -> io::Result<()> {
    hidden(
        scene,
        "hidepid=4",
        "--inh-caps=-all --bounding-set=-all,+net_admin,+net_raw",
    )
}

fn hidden(scene: &mut Scene, options: &str, rights: &str) -> io::Result<()> {
    let options = if scene.spoiled { "rw" } else { options };
    let service = scene.stage.run(NODE, "service", &["/bin/sleep", "54321"])?;
    let blocks = "vrrp_track_process tp {\n process /bin/sleep 54321\n weight 10\n}\n";
    let text = configuration(blocks, "track_process {\n tp\n }");
    scene.stage.write(NODE, "vrrp.conf", &text)?;
    let without = format!("setpriv {rights}");
    let look = "test -e /proc/1; echo looked:$?";
    let start = format!(
        "mount -t proc -o {options} proc /proc && {without} /bin/sh -c '{look}' && exec {without} {VRRPD} -n -l -D -G -f /tmp/vrrp.conf"
    );
    let words = [
        "/usr/bin/unshare",
        "--mount",
        "--propagation",
        "private",
        "/bin/sh",
        "-c",
        &start,
    ];
    scene.stage.note(&start);
    scene.stage.start_words(NODE, &words)?;
    scene.stage.until_held_by("1", 15)?;
    let said = lines(&scene.stage.lab, NODE, "vrrp", Instant(0));
    let hides = said.iter().any(|line| line == "looked:1");
    scene.found("the node's first process is hidden", u64::from(hides), 1, 1);
    let shows = |status: &Value| status["problems"].to_string().contains("processes-hidden");
    let shown = until_status(&mut scene.stage, NODE, 5, shows)?;
    scene.found("processes-hidden is shown", u64::from(shown), 1, 1);
    scene.effective(100)?;
    scene.stage.lab.signal(service, Signal::SIGKILL)
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, spoiled @ ..] = words else {
        return Err(io::Error::other("case, perhaps spoiled"));
    };
    let case = CASES.iter().find(|case| case.name == *name).unwrap();
    let nodes = [node("node1", &["192.0.2.1/24"])];
    let stage = Stage::new(nodes.into(), VIP.parse().unwrap(), Micros::from_millis(2_800))?;
    let mut scene = Scene {
        stage,
        spoiled: !spoiled.is_empty(),
        report: Vec::new(),
    };
    (case.play)(&mut scene)?;
    Ok(scene.report.join("\n"))
}
