//! What an operator has to look at, provoked with real daemons: `status --check`, `events`, `why` and the log tell it by the
//! same name, and tell when it is over. The oracle of the fault itself is the wire and the kernels' addresses.
//!
//! A twin is a fault that is nearly the same, and no problem.

use crate::ask::{ask, events, status, until_status};
use crate::check::{Check, Needs};
use crate::stage::{KEEPALIVED, Speaker, Stage, lines, node};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io;
use vrrpd::lab::{Cut, Happening, NodeId, Seen};
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
/// The node that is asked; the other one; somebody who does not belong to them.
const OWN: usize = 0;
const PEER: usize = 1;
const STRANGER: usize = 2;

struct Case {
    name: &'static str,
    /// As `status` shows it.
    code: &'static str,
    /// Exit status of `status --check` meanwhile.
    exit: i32,
    play: fn(&mut Scene) -> io::Result<()>,
    twin: &'static str,
    /// Who is on the other node.
    beside: Speaker,
    needs: &'static [Needs],
}

const CASE: Case = Case {
    name: "",
    code: "",
    exit: 1,
    play: dual_master,
    twin: "",
    beside: Speaker::Keepalived,
    needs: &[Needs::Program(KEEPALIVED)],
};

const CASES: &[Case] = &[
    Case {
        name: "dual-master",
        code: "dual-master",
        exit: 2,
        play: dual_master,
        twin: "the cable is cut both ways: two masters as well, and neither can know",
        ..CASE
    },
    Case {
        name: "one-way",
        code: "one-way",
        exit: 2,
        play: one_way,
        twin: "the cable is mended before four intervals are over",
        ..CASE
    },
    Case {
        name: "foreign-password",
        code: "foreign-vrid",
        play: foreign_password,
        twin: "the stranger has another VRID",
        ..CASE
    },
    Case {
        name: "foreign-version",
        code: "foreign-vrid",
        play: foreign_version,
        twin: "the stranger has another VRID",
        ..CASE
    },
    Case {
        name: "stalled",
        code: "stalled",
        play: stalled,
        twin: "it is stopped for less than the others wait",
        ..CASE
    },
    Case {
        name: "late-adverts",
        code: "near-failover",
        play: late_adverts,
        twin: "they are late by less than an interval",
        // A keepalived that ran late announces its addresses first, and may leave an advert out.
        beside: Speaker::Vrrpd,
        needs: &[],
        ..CASE
    },
    Case {
        name: "lost-adverts",
        code: "near-failover",
        play: lost_adverts,
        twin: "one is lost",
        ..CASE
    },
    Case {
        name: "never-heard",
        code: "peer-never-heard",
        exit: 0,
        play: never_heard,
        twin: "the other node was heard before",
        ..CASE
    },
    Case {
        name: "disabled-check",
        code: "disabled-check",
        play: disabled_check,
        twin: "the program is there",
        // For an ordinary user's lab the programs of the machine are nobody's, and insecure.
        needs: &[Needs::Root],
        ..CASE
    },
    Case {
        name: "file-without-number",
        code: "file-without-number",
        play: file_without_number,
        twin: "the file holds a number",
        needs: &[],
        ..CASE
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let oracle = "the wire and the kernels' addresses for the fault";
    let check = |case: &Case| {
        let twin = (case.twin, "raised in the status");
        Check::of_one_run(&format!("problems {}", case.name), oracle, twin, case.needs)
    };
    CASES.iter().map(check).collect()
}

/// An instance of version 3 with 0.5 s between its adverts.
fn instance(priority: u8, lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n advert_int 0.5\n priority {priority}\n virtual_ipaddress {{\n {VIP}/32\n }}\n {lines}\n}}\n"
    )
}

/// One of version 2 with a password and 1 s.
fn secret(vrid: u8, priority: u8, password: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {vrid}\n advert_int 1\n priority {priority}\n authentication {{\n auth_type PASS\n auth_pass {password}\n }}\n virtual_ipaddress {{\n {VIP}/32\n }}\n}}\n"
    )
}

struct Scene {
    stage: Stage,
    case: &'static Case,
    spoiled: bool,
    report: Vec<String>,
}

impl Scene {
    fn found(&mut self, what: &str, found: u64, lowest: u64, highest: u64) {
        self.report.push(format!("{what}: {found} {lowest} {highest}"));
    }

    fn holds(&mut self, what: &str, good: bool) {
        self.found(what, u64::from(good), 1, 1);
    }

    /// Who has the address, without waiting.
    fn holders(&mut self, expected: &str) {
        let holders = self.stage.holders();
        self.holds(
            &format!("{expected} holds the address, not {holders}"),
            holders == expected,
        );
    }

    /// vrrpd on the node that is asked, and the other one, the better of them first.
    fn start(&mut self, own: &str, peer: &str, master: &str) -> io::Result<()> {
        let order = if master == "1" { [OWN, PEER] } else { [PEER, OWN] };
        for node in order {
            if node == OWN {
                self.stage.start(OWN, Speaker::Vrrpd, own)?;
            } else {
                self.stage.start(PEER, self.case.beside, peer)?;
            }
            self.stage.until_held_by(master, 15)?;
        }
        // A backup that has heard nobody yet does not miss anybody.
        let heard = |status: &Value| !status["instances"][0]["master"].is_null();
        until_status(&mut self.stage, OWN, 10, heard).map(drop)
    }

    /// Nothing is told of it yet.
    fn quiet(&mut self) -> io::Result<()> {
        let code = self.case.code;
        let told = events(&mut self.stage, OWN)?;
        let told = told.iter().filter(|event| event["code"] == code).count() as u64;
        self.found("told before", told, 0, 0);
        let exit = ask(&mut self.stage, OWN, "status --check")?.exit;
        self.holds(&format!("all is well before ({exit})"), exit == 0);
        Ok(())
    }

    /// All four tell it, within this time.
    fn raised(&mut self, since: Instant, seconds: u64) -> io::Result<()> {
        if !self.shown(true, "raised in the status", seconds)? {
            // What has not come up cannot go.
            return Ok(());
        }
        let (code, exit) = (self.case.code, self.case.exit);
        let check = ask(&mut self.stage, OWN, "status --check")?;
        self.holds(&format!("exit status {exit}, not {}", check.exit), check.exit == exit);
        if exit > 0 {
            self.holds("raised in the plugin's line", check.text.contains(code));
        }
        let why = ask(&mut self.stage, OWN, "why VI_1")?.text;
        self.holds("raised in why", why.contains(&format!("[{code}]")));
        self.told("problem-raised", &format!("problem {code}: "), since)
    }

    /// It has gone everywhere.
    fn over(&mut self, since: Instant, seconds: u64) -> io::Result<()> {
        if !self.shown(false, "gone from the status", seconds)? {
            return Ok(());
        }
        let code = self.case.code;
        let check = ask(&mut self.stage, OWN, "status --check")?;
        self.holds("gone from the plugin's line", !check.text.contains(code));
        let why = ask(&mut self.stage, OWN, "why VI_1")?.text;
        self.holds("gone from why", !why.contains(&format!("[{code}]")));
        self.told("problem-cleared", &format!("problem {code}"), since)
    }

    /// Whether the status comes to show it, or no longer to, in this time.
    fn shown(&mut self, wanted: bool, what: &str, seconds: u64) -> io::Result<bool> {
        let code = self.case.code;
        let shows = |status: &Value| {
            let problems = status["problems"].as_array();
            problems.is_some_and(|problems| problems.iter().any(|problem| problem["code"] == code)) == wanted
        };
        let shown = until_status(&mut self.stage, OWN, seconds, shows)?;
        self.holds(what, shown);
        Ok(shown)
    }

    /// Among the events, and in the log.
    fn told(&mut self, kind: &str, line: &str, since: Instant) -> io::Result<()> {
        let code = self.case.code;
        let told = |event: &&Value| event["kind"] == kind && event["code"] == code;
        let count = events(&mut self.stage, OWN)?.iter().filter(told).count() as u64;
        self.found(&format!("{kind} among the events"), count, 1, 4);
        // A note is for those who ask.
        if self.case.exit > 0 {
            let lines = self.stage.lines(OWN, "vrrp", since);
            self.holds(&format!("logged: {line}"), lines.iter().any(|said| said.contains(line)));
        }
        Ok(())
    }
}

/// Who hears us no more takes over beside us, and we hear it.
fn dual_master(scene: &mut Scene) -> io::Result<()> {
    scene.start(&instance(150, ""), &instance(100, ""), "1")?;
    scene.quiet()?;
    let since = scene.stage.note("cut the cable");
    let cut = if scene.spoiled { Cut::Both } else { Cut::Outbound };
    scene.stage.lab.cut(NodeId(OWN), cut)?;
    scene.stage.until_held_by("12", 15)?;
    scene.raised(since, 5)?;
    scene.holders("12");
    heal(scene)
}

fn heal(scene: &mut Scene) -> io::Result<()> {
    let since = scene.stage.note("mend the cable");
    scene.stage.lab.heal(NodeId(OWN))?;
    scene.stage.until_held_by("1", 15)?;
    if scene.spoiled { Ok(()) } else { scene.over(since, 10) }
}

fn one_way(scene: &mut Scene) -> io::Result<()> {
    scene.start(&instance(150, ""), &instance(100, ""), "1")?;
    scene.quiet()?;
    let since = scene.stage.note("cut the cable");
    scene.stage.lab.cut(NodeId(OWN), Cut::Outbound)?;
    scene.stage.until_held_by("12", 15)?;
    if scene.spoiled {
        heal(scene)?;
        return scene.raised(since, 3);
    }
    scene.raised(since, 10)?;
    scene.holders("12");
    let own = status(&mut scene.stage, OWN)?["instances"][0]["peers"][0]["one_way"] == true;
    scene.holds("the peer is marked", own);
    heal(scene)
}

/// A stranger is told of while it advertises, and for a minute after that.
fn foreign(scene: &mut Scene, own: &str, peer: &str, stranger: &str) -> io::Result<()> {
    scene.start(own, peer, "1")?;
    scene.quiet()?;
    let since = scene.stage.note("a stranger comes");
    // Another cluster has another address.
    let stranger = stranger.replace(VIP, "192.0.2.200");
    scene.stage.start(STRANGER, Speaker::Keepalived, &stranger)?;
    scene.stage.until("the stranger advertises", 15, |lab| {
        crate::stage::speaking(lab, Micros::from_secs(2)).contains(&NodeId(STRANGER))
    })?;
    scene.raised(since, 10)?;
    scene.holders("1");
    let since = scene.stage.note("the stranger goes");
    scene.stage.signal(STRANGER, Signal::SIGTERM)?;
    if scene.spoiled {
        return Ok(());
    }
    scene.over(since, 75)?;
    let moves = scene.stage.moves(PEER, Instant(0), true).len() as u64;
    scene.found("moves to the peer", moves, 0, 0);
    Ok(())
}

fn foreign_password(scene: &mut Scene) -> io::Result<()> {
    let vrid = if scene.spoiled { 52 } else { 51 };
    let [own, peer] = [150, 100].map(|priority| secret(51, priority, "1111"));
    foreign(scene, &own, &peer, &secret(vrid, 200, "2222"))
}

fn foreign_version(scene: &mut Scene) -> io::Result<()> {
    let vrid = if scene.spoiled { 52 } else { 51 };
    let [own, peer] = [150, 100].map(|priority| instance(priority, ""));
    foreign(scene, &own, &peer, &secret(vrid, 200, "1111"))
}

/// A master that does not run for longer than the others wait; it ends with the next transition.
fn stalled(scene: &mut Scene) -> io::Result<()> {
    scene.start(&instance(150, ""), &instance(100, ""), "1")?;
    scene.quiet()?;
    let since = scene.stage.note("stop the processes");
    scene.stage.signal_all(OWN, Signal::SIGSTOP)?;
    if scene.spoiled {
        scene.stage.look_on(Micros::from_millis(600))?;
    } else {
        scene.stage.until_held_by("12", 15)?;
        // Longer than it waits for others itself: 3 × 0.5 s + 106/256 × 0.5 s.
        scene.stage.look_on(Micros::from_secs(1))?;
    }
    scene.stage.signal_all(OWN, Signal::SIGCONT)?;
    scene.stage.until_held_by("1", 15)?;
    // Until the other one had heard it again there were two of them.
    let alone = |status: &Value| !status["problems"].to_string().contains("dual-master");
    until_status(&mut scene.stage, OWN, 10, alone)?;
    scene.raised(since, 5)?;
    if scene.spoiled {
        return Ok(());
    }
    let silence = longest_silence(&scene.stage.adverts(OWN, since, false), since);
    scene.found("silence, ms", silence, 1_708, 60_000);
    let since = scene.stage.note("pull the plug");
    scene.stage.lab.set_carrier(NodeId(OWN), false)?;
    scene.over(since, 10)
}

/// Milliseconds.
fn longest_silence(adverts: &[Instant], since: Instant) -> u64 {
    let gaps = [since].into_iter().chain(adverts.iter().copied()).zip(adverts);
    gaps.map(|(before, after)| after.since(before).as_millis())
        .max()
        .unwrap_or(0)
}

/// Waits for the next advert of the peer, so that what follows falls between two of them.
fn next_advert(scene: &mut Scene) -> io::Result<Instant> {
    let since = scene.stage.note("until the next advert");
    scene.stage.until("an advert", 10, |lab| {
        lab.moments.iter().rev().take_while(|moment| moment.at >= since).any(|moment| {
            matches!(&moment.what, Happening::Sent(from, frame) if from.0 == PEER && matches!(frame.seen, Seen::Advert(_)))
        })
    })?;
    Ok(since)
}

/// The adverts of the master are late, or lost, and nobody takes over.
fn near(scene: &mut Scene, disturb: fn(&mut Scene) -> io::Result<()>) -> io::Result<()> {
    let slow = |priority| instance(priority, "").replace("advert_int 0.5", "advert_int 2");
    scene.start(&slow(100), &slow(150), "2")?;
    scene.quiet()?;
    let since = next_advert(scene)?;
    disturb(scene)?;
    scene.raised(since, 5)?;
    scene.holders("2");
    let moves = scene.stage.moves(OWN, since, true).len() as u64;
    scene.found("moves to the own node", moves, 0, 0);
    if scene.spoiled {
        return Ok(());
    }
    let since = scene.stage.note("the master goes");
    scene.stage.signal(PEER, Signal::SIGTERM)?;
    scene.stage.until_held_by("1", 15)?;
    scene.over(since, 5)
}

/// Two and a half intervals are 5 s, the Master_Down_Interval is 7.2 s.
fn late_adverts(scene: &mut Scene) -> io::Result<()> {
    near(scene, |scene| {
        let time = if scene.spoiled { 2_400 } else { 6_000 };
        scene.stage.signal_all(PEER, Signal::SIGSTOP)?;
        scene.stage.look_on(Micros::from_millis(time))?;
        scene.stage.signal_all(PEER, Signal::SIGCONT)
    })
}

fn lost_adverts(scene: &mut Scene) -> io::Result<()> {
    near(scene, |scene| {
        // One of them is sent meanwhile, or two.
        let time = if scene.spoiled { 3_000 } else { 5_000 };
        scene.stage.lab.cut(NodeId(PEER), Cut::Outbound)?;
        scene.stage.look_on(Micros::from_millis(time))?;
        scene.stage.lab.heal(NodeId(PEER))
    })
}

fn never_heard(scene: &mut Scene) -> io::Result<()> {
    let [own, peer] = [100, 150].map(|priority| instance(priority, ""));
    if scene.spoiled {
        scene.start(&own, &peer, "2")?;
        scene.stage.signal(PEER, Signal::SIGTERM)?;
    } else {
        scene.stage.start(OWN, Speaker::Vrrpd, &own)?;
    }
    scene.stage.until_held_by("1", 15)?;
    scene.quiet()?;
    let since = scene.stage.note("nobody is there");
    // Three Master_Down_Intervals of 1.8 s.
    scene.raised(since, 12)?;
    if scene.spoiled {
        return Ok(());
    }
    scene.stage.start(PEER, Speaker::Keepalived, &peer)?;
    scene.stage.until_held_by("2", 15)?;
    scene.over(since, 5)
}

/// Another configuration of the node alone.
fn reload(scene: &mut Scene, configuration: &str) -> io::Result<Instant> {
    scene.stage.write(OWN, "vrrp.conf", configuration)?;
    let since = scene.stage.note("reload");
    scene.stage.signal(OWN, Signal::SIGHUP)?;
    scene.stage.until("the reload", 15, |lab| {
        lines(lab, OWN, "vrrp", since)
            .iter()
            .any(|line| line.contains("Reload complete"))
    })?;
    Ok(since)
}

fn disabled_check(scene: &mut Scene) -> io::Result<()> {
    let plain = instance(150, "");
    scene.stage.start(OWN, Speaker::Vrrpd, &plain)?;
    scene.stage.until_held_by("1", 15)?;
    scene.quiet()?;
    let program = if scene.spoiled { "/bin/true" } else { "/tmp/absent" };
    let script = format!("vrrp_script chk {{\n script {program}\n interval 1\n weight 10\n}}\n");
    let since = reload(scene, &format!("{script}{}", instance(150, "track_script {\n chk\n }")))?;
    scene.raised(since, 5)?;
    if scene.spoiled {
        return Ok(());
    }
    let since = reload(scene, &plain)?;
    scene.over(since, 5)
}

fn file_without_number(scene: &mut Scene) -> io::Result<()> {
    let file = "track_file tf {\n file /tmp/tf\n}\n";
    scene.stage.write(OWN, "tf", "0")?;
    let own = format!("{file}{}", instance(150, "track_file {\n tf\n }"));
    scene.stage.start(OWN, Speaker::Vrrpd, &own)?;
    scene.stage.until_held_by("1", 15)?;
    scene.quiet()?;
    let since = scene.stage.note("write the file");
    let text = if scene.spoiled { "5" } else { "99999999999" };
    scene.stage.write(OWN, "tf", text)?;
    scene.raised(since, 5)?;
    if scene.spoiled {
        return Ok(());
    }
    let since = scene.stage.note("write it again");
    scene.stage.write(OWN, "tf", "0")?;
    scene.over(since, 5)
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, spoiled @ ..] = words else {
        return Err(io::Error::other("problem, perhaps spoiled"));
    };
    let case = CASES.iter().find(|case| case.name == *name).unwrap();
    let nodes = (1..=3).map(|number| node(&format!("node{number}"), &[&format!("192.0.2.{number}/24")]));
    let stage = Stage::new(nodes.collect(), VIP.parse().unwrap(), Micros::from_millis(2_800))?;
    let mut scene = Scene {
        stage,
        case,
        spoiled: !spoiled.is_empty(),
        report: Vec::new(),
    };
    (case.play)(&mut scene)?;
    Ok(scene.report.join("\n"))
}
