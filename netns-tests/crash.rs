//! A master is killed while it reloads, beside a backup: its VRRP process, its supervisor, or both. The oracle is the kernels' addresses
//! and the wire: never two masters and never none for longer than the protocol allows, and nothing is left.

use crate::ask::status;
use crate::check::{Check, Needs, Twin, in_range};
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use std::io;
use std::net::IpAddr;
use vrrpd::lab::{Happening, Seen};
use vrrpd::model::{Instant, Micros};

const VIP: &str = "192.0.2.100";
/// The node that is killed, and the backup.
const OURS: usize = 0;
const PEER: usize = 1;
/// Longer than a Master_Down_Interval of 1.5 s and a Skew_Time below 0.5 s.
const CALM: Micros = Micros::from_millis(2_500);
/// Nobody is master for this long at the most, in milliseconds: Master_Down_Interval, and what a busy machine adds.
const NOBODY: u64 = 2_600;
/// Two hold the address for this long at the most: the guard has 100 ms, a master that hears a better one does it at once.
const BOTH: u64 = 600;
/// Who is killed, and how long after the order to reload, in milliseconds.
const ROUNDS: [(&str, u32); 9] = [
    ("daemon", 0),
    ("supervisor", 4),
    ("both", 9),
    ("daemon", 13),
    ("supervisor", 18),
    ("both", 24),
    ("daemon", 31),
    ("supervisor", 43),
    ("both", 2),
];

pub(crate) fn checks() -> Vec<Check> {
    vec![Check {
        name: "crash::while_it_reloads".into(),
        jobs: vec!["crash v".into(), "crash k".into()],
        judge: in_range,
        oracle: "the addresses of both kernels, adverts on the wire; keepalived as the backup too",
        twin: Twin {
            what: "both are killed where the supervisor alone is meant: nobody cleans up".into(),
            sees: "two hold the address",
            jobs: vec!["crash v spoiled".into(), "crash k spoiled".into()],
        },
        needs: vec![Needs::Root, Needs::Program(KEEPALIVED)],
    }]
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
    stage.start(PEER, speaker, &configuration(100, ""))?;
    stage.start(OURS, Speaker::Vrrpd, &configuration(150, ""))?;
    let mut text = String::new();
    let rounds = if spoiled { &ROUNDS[1..2] } else { &ROUNDS[..] };
    for (number, (who, after)) in rounds.iter().enumerate() {
        stage.until_held_by("1", 20)?;
        stage.settled()?;
        let pid = status(&mut stage, OURS)?["pid"].as_u64().unwrap_or_default();
        // Another priority, and another address that comes and goes.
        let more = ["virtual_ipaddress_excluded {\n192.0.2.111/32 dev eth0\n}", ""][number % 2];
        let conf = configuration(150 + u8::try_from(number).unwrap_or(0), more);
        stage.write(OURS, "vrrp.conf", &conf)?;
        let begun = stage.note(format!("reload, and kill {who} after {after} ms"));
        let whom = match *who {
            "daemon" => "$daemon",
            "supervisor" if !spoiled => "$supervisor",
            _ => "$supervisor $daemon",
        };
        let script = format!(
            "daemon={pid}; supervisor=$(awk '{{print $4}}' /proc/{pid}/stat); kill -HUP $supervisor; sleep 0.{after:03}; kill -9 {whom}"
        );
        stage.run(OURS, "kill", &["/bin/sh", "-c", &script])?;
        stage.until("it is killed", 10, |lab| {
            let ended =
                |what: &Happening| matches!(what, Happening::Ended(on, name, _) if on.0 == OURS && name == "kill");
            lab.moments
                .iter()
                .any(|moment| moment.at >= begun && ended(&moment.what))
        })?;
        let mut from = begun;
        if *who != "daemon" {
            // The supervisor is gone: somebody starts it again. What both together leave behind nobody can remove until then.
            stage.until("the backup takes over", 10, |lab| {
                lab.holders(vip).iter().any(|on| on.0 == PEER)
            })?;
            stage.settled()?;
            let taken = round(&stage, begun);
            let name = format!("{who} {after}");
            text.push_str(&format!(
                "{name}: nobody holds the address, ms: {} 0 {NOBODY}\n",
                taken.nobody
            ));
            if *who == "supervisor" {
                text.push_str(&format!("{name}: two hold the address, ms: {} 0 {BOTH}\n", taken.both));
            }
            from = stage.note("it is started again");
            stage.start(OURS, Speaker::Vrrpd, &conf)?;
        }
        stage.until_held_by("1", 20)?;
        stage.settled()?;
        let seen = round(&stage, from);
        let name = format!("{who} {after} and back");
        let both = if *who == "both" { 1_500 } else { BOTH };
        text.push_str(&format!(
            "{name}: nobody holds the address, ms: {} 0 {NOBODY}\n",
            seen.nobody
        ));
        text.push_str(&format!("{name}: two hold the address, ms: {} 0 {both}\n", seen.both));
        text.push_str(&format!("{name}: the speaker changes: {} 0 3\n", seen.changes));
        text.push_str(&format!(
            "{name}: {} in the end: {} 1 1\n",
            stage.holders(),
            stage.holders().len()
        ));
    }
    Ok(text)
}

/// What was seen of a round.
struct Round {
    /// The longest time in which nobody held the address, and in which two did, in milliseconds.
    nobody: u64,
    both: u64,
    /// How often another node spoke than before.
    changes: u64,
}

fn round(stage: &Stage, begun: Instant) -> Round {
    let vip: IpAddr = VIP.parse().unwrap();
    let mut holds = [false; 2];
    let mut round = Round {
        nobody: 0,
        both: 0,
        changes: 0,
    };
    let (mut since, mut speaker) = (begun, None);
    let end = vrrpd::system::clock::now();
    let moments = stage.lab.moments.iter().map(|moment| (moment.at, Some(&moment.what)));
    for (at, what) in moments.chain([(end, None)]) {
        let (node, now) = match what {
            Some(Happening::Appeared(on, address)) if *address == vip => (on.0, true),
            Some(Happening::Vanished(on, address)) if *address == vip => (on.0, false),
            Some(Happening::Sent(from, frame)) if at >= begun => {
                if matches!(&frame.seen, Seen::Advert(advert) if advert.priority > 0) {
                    round.changes += u64::from(speaker.is_some_and(|before| before != from.0));
                    speaker = Some(from.0);
                }
                continue;
            }
            Some(_) => continue,
            None => (usize::MAX, false),
        };
        if at >= begun {
            let length = at.since(since).as_millis();
            match holds {
                [false, false] => round.nobody = round.nobody.max(length),
                [true, true] => round.both = round.both.max(length),
                _ => {}
            }
            since = at;
        }
        if let Some(slot) = holds.get_mut(node) {
            *slot = now;
        }
    }
    round
}
