//! What `vrrpd reload --dry-run` foresees beside a peer, and what the reload does then. The oracle is the kernel: who holds the address.

use crate::ask::ask;
use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use std::io;
use std::net::IpAddr;
use vrrpd::model::Micros;

const VIP: &str = "192.0.2.100";
/// The node that is reloaded, and its peer.
const OURS: usize = 0;
const PEER: usize = 1;
/// Longer than a Master_Down_Interval.
const CALM: Micros = Micros::from_millis(3_000);

/// Priority and another line of each step, and what comes of it beside a peer of priority 100.
const STEPS: [(u8, &str, &str); 6] = [
    (120, "", "stays-master"),
    (90, "", "gives-up"),
    (95, "", "stays-backup"),
    (200, "nopreempt", "waits"),
    (200, "", "takes-over"),
    (150, "", "stays-master"),
];

pub(crate) fn checks() -> Vec<Check> {
    vec![Check {
        name: "foresight::comes_true".into(),
        jobs: vec!["foresight v".into(), "foresight k".into()],
        judge,
        oracle: "the kernels of both nodes: who holds the address before and after",
        twin: Twin {
            what: "the peer ends between the forecast and the reload".into(),
            sees: "foreseen gives-up",
            jobs: vec!["foresight v spoiled".into(), "foresight k spoiled".into()],
        },
        needs: vec![Needs::Root, Needs::Program(KEEPALIVED)],
    }]
}

/// Lines `PRIORITY: foreseen VERDICT, as told after it VERDICT, expected VERDICT, held BEFORE and AFTER`.
fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let mut wrong = Vec::new();
    for outcome in seen {
        let lines: Vec<&str> = outcome.text.lines().collect();
        if lines.len() != STEPS.len() {
            wrong.push(format!("    {}: {} steps", outcome.job, lines.len()));
        }
        let odd = lines.into_iter().filter(|line| line.starts_with("wrong "));
        wrong.extend(odd.map(|line| format!("    {}: {line}", outcome.job)));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn configuration(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority {priority}\nversion 3\nadvert_int 0.5\n{more}\n\
         virtual_ipaddress {{\n{VIP}/32\n}}\n}}\n"
    )
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let (speaker, spoiled) = (Speaker::of(words[0].chars().next().unwrap()), words.len() > 1);
    let specs = (1..=2).map(|n| node(&format!("n{n}"), &[&format!("192.0.2.{n}/24")]));
    let vip: IpAddr = VIP.parse().unwrap();
    let mut stage = Stage::new(specs.collect(), vip, CALM)?;
    // The peer is heard as master first.
    stage.start(PEER, speaker, &configuration(100, ""))?;
    stage.until_held_by("2", 20)?;
    stage.start(OURS, Speaker::Vrrpd, &configuration(150, ""))?;
    stage.until_held_by("1", 20)?;
    let mut text = String::new();
    for (priority, more, expected) in STEPS {
        stage.settled()?;
        let before = stage.holders();
        stage.write(OURS, "vrrp.conf", &configuration(priority, more))?;
        let foreseen = verdict(&mut stage, "reload --dry-run --json")?;
        if spoiled && expected == "gives-up" {
            stage.signal(PEER, Signal::SIGTERM)?;
            stage.settled()?;
        }
        let told = verdict(&mut stage, "reload --json")?;
        let after = stage.settled()?;
        let came_true = match (&*before, &*after) {
            ("1", "1") => foreseen == "stays-master",
            ("1", _) => foreseen == "gives-up",
            ("2", "1") => foreseen == "takes-over",
            _ => foreseen == "stays-backup" || foreseen == "waits",
        };
        let good = came_true && (foreseen == told || spoiled) && foreseen == expected;
        let mark = if good { "" } else { "wrong " };
        text.push_str(&format!(
            "{mark}{priority}: foreseen {foreseen}, told after it {told}, expected {expected}, held by {before} and {after}\n"
        ));
    }
    Ok(text)
}

fn verdict(stage: &mut Stage, words: &str) -> io::Result<String> {
    let document = ask(stage, OURS, words)?.json()?;
    let verdict = document["objects"][0]["forecast"]["verdict"].as_str();
    Ok(verdict.unwrap_or("nothing").to_owned())
}
