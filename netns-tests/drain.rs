//! A drain beside keepalived: the best of its nodes takes over within its Skew_Time, nobody else moves, and it stays so.

use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::stage::{KEEPALIVED, Speaker, Stage, VRRPD, node};
use std::io;
use std::net::IpAddr;
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
/// The node that is drained, the one that has to take over, and the one that may not move.
const DRAINED: usize = 0;
const NEXT: usize = 1;
const LAST: usize = 2;
/// (256 - 100) / 256 s.
const SKEW: Micros = Micros(609_375);

pub(crate) fn checks() -> Vec<Check> {
    vec![Check {
        name: "drain::keepalived_takes_over".into(),
        jobs: vec!["drain kk".into(), "drain kv".into(), "drain vk".into()],
        judge,
        oracle: "the kernels of the nodes, adverts on the wire, keepalived as the other nodes",
        twin: Twin {
            what: "nobody gives the order".into(),
            sees: "the other node holds the address",
            jobs: vec!["drain kk unordered".into()],
        },
        needs: vec![Needs::Root, Needs::Program(KEEPALIVED)],
    }]
}

fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let wrong: Vec<String> = seen
        .iter()
        .flat_map(|outcome| outcome.text.lines().filter(|line| line.starts_with("wrong: ")))
        .map(|line| format!("    {line}"))
        .collect();
    let silent = seen.iter().any(|outcome| !outcome.text.contains("took over after"));
    if wrong.is_empty() && !silent {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn configuration(priority: u8) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority {priority}\nadvert_int 1\n\
         authentication {{\nauth_type PASS\nauth_pass 1111\n}}\nvirtual_ipaddress {{\n{VIP}/32\n}}\n}}\n"
    )
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let (pair, ordered) = (words[0], words.len() == 1);
    let specs = (1..=3).map(|n| node(&format!("n{n}"), &[&format!("192.0.2.{n}/24")]));
    let vip: IpAddr = VIP.parse().unwrap();
    let mut stage = Stage::new(specs.collect(), vip, Micros::from_secs(5))?;
    let mut wrong = Vec::new();
    for (position, letter) in pair.chars().enumerate() {
        let priority = [100, 50][position];
        stage.start(position + 1, Speaker::of(letter), &configuration(priority))?;
    }
    stage.start(DRAINED, Speaker::Vrrpd, &configuration(150))?;
    stage.until_held_by("1", 20)?;
    stage.settled()?;
    let given = stage.note("vrrpd drain");
    if ordered {
        stage.run(DRAINED, "drain", &[VRRPD, "drain"])?;
    }
    stage.look_on(Micros::from_secs(3))?;
    if stage.holders() != "2" {
        wrong.push(format!("the other node holds the address, not {}", stage.holders()));
    }
    let left = stage.moves(DRAINED, given, false);
    let came = stage.moves(NEXT, given, true);
    let mut text = String::new();
    if let (Some(left), Some(came)) = (left.first(), came.first()) {
        let (left, came) = (left.since(given), came.since(given));
        text = format!("left after {left} s, took over after {came} s\n");
        // From the priority 0 advert, which is sent before the address goes; the rest is starting a program.
        if came > left + SKEW + Micros::from_millis(300) {
            wrong.push(format!(
                "it took over {came} s after the order, the address left after {left} s"
            ));
        }
    }
    if stage.adverts(DRAINED, given, true).len() != 1 && ordered {
        wrong.push("not one advert of priority 0".into());
    }
    // The drained node and the third one are quiet, also when the master is reloaded.
    let later = stage.note("nobody moves");
    stage.look_on(Micros::from_secs(8))?;
    for node in [DRAINED, LAST] {
        let moved = !stage.moves(node, given, true).is_empty() || !stage.adverts(node, later, false).is_empty();
        if moved && ordered {
            wrong.push(format!("node {} moved", node + 1));
        }
    }
    if ordered {
        let said = stage.lines(DRAINED, "drain", Instant(0)).join(" ");
        if !said.contains("192.0.2.2 took over with priority 100") {
            wrong.push(format!("it said {said:?}"));
        }
        stage.run(DRAINED, "resume", &[VRRPD, "resume"])?;
        stage.until_held_by("1", 20)?;
    }
    let wrong: String = wrong.iter().map(|line| format!("wrong: {line}\n")).collect();
    Ok(format!("{text}{wrong}"))
}
