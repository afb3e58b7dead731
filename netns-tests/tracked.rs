//! Tracked files and processes. keepalived is the oracle: who holds the address after each step, with the same files in every
//! cluster. Its proc connector answers in the initial namespaces only; what it says there is compared by `connector`, and here
//! vrrpd, which then looks through `/proc`, is judged by the kernels' addresses alone.

use crate::check::{Check, Needs, Twin, alike};
use crate::jobs::Outcome;
use crate::stage::{KEEPALIVED, Speaker, Stage, node};
use nix::sys::signal::Signal;
use std::io;
use std::net::IpAddr;
use vrrpd::lab::{NodeId, ProgramId};
use vrrpd::model::Micros;

/// The better node, to which everything happens.
const BETTER: usize = 1;
const VIP: &str = "192.0.2.100";

#[derive(Debug, Clone, Copy)]
enum Step {
    /// `echo TEXT > FILE`.
    Write(&'static str),
    /// The same by a new file that is moved over it.
    Replace(&'static str),
    Remove,
    /// A directory comes or goes.
    Shell(&'static str),
    Reload,
    /// The service that is tracked starts.
    Start,
    /// It ends; nothing may change before the delay.
    Stop(Micros),
    /// It ends, and is back at once.
    Restart,
}

use Step::{Reload, Remove, Replace, Restart, Shell, Start, Stop, Write};

struct Scenario {
    name: &'static str,
    /// Blocks, and lines of the instance.
    blocks: &'static str,
    lines: &'static str,
    steps: &'static [Step],
    twin: &'static str,
    /// What is taken out of the configuration.
    without: &'static str,
    /// What is right where keepalived cannot say it.
    expected: Option<&'static str>,
}

const FILE: Scenario = Scenario {
    name: "",
    blocks: "track_file tf {\n file /tmp/tf\n }",
    lines: "track_file {\n tf\n }",
    steps: &[],
    twin: "the file is not tracked",
    without: "track_file {\n tf\n }",
    expected: None,
};

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "file-weight",
        steps: &[
            Write("-60"),
            Replace("-0x31 and more"),
            Write("-063"),
            Remove,
            Write("-99999999999"),
        ],
        ..FILE
    },
    Scenario {
        name: "file-fault",
        steps: &[Write("-254"), Write("-30"), Write("-300"), Write("up")],
        ..FILE
    },
    Scenario {
        name: "file-weight-0",
        lines: "track_file {\n tf weight 0\n }",
        without: "track_file {\n tf weight 0\n }",
        steps: &[Write("1"), Write("0"), Replace("-1"), Remove],
        ..FILE
    },
    Scenario {
        name: "file-reverse",
        lines: "track_file {\n tf weight 2 reverse\n }",
        without: " reverse",
        twin: "not reversed",
        steps: &[Write("30"), Write("-30"), Write("127")],
        ..FILE
    },
    Scenario {
        name: "file-group",
        blocks: "track_file tf {\n file /tmp/tf\n }\nvrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n track_file {\n tf weight 0\n }\n}\nvrrp_instance VI_2 {\n state BACKUP\n interface eth0\n virtual_router_id 52\n version 3\n advert_int 0.5\n priority 150\n virtual_ipaddress {\n 192.0.2.101/32\n }\n}",
        lines: "",
        without: "track_file {\n tf weight 0\n }",
        steps: &[Write("1"), Write("0")],
        ..FILE
    },
    Scenario {
        name: "file-init",
        blocks: "track_file tf {\n file /tmp/tf\n init_file -60 overwrite\n }",
        steps: &[Write("0"), Reload, Write("-60")],
        ..FILE
    },
    Scenario {
        name: "file-directory",
        blocks: "track_file tf {\n file /tmp/d/tf\n }",
        steps: &[
            Shell("echo -60 > /tmp/d/tf"),
            Shell("rm -r /tmp/d"),
            Shell("mkdir /tmp/e; echo -60 > /tmp/e/tf; mv /tmp/e /tmp/d"),
            Shell("mv /tmp/d /tmp/e"),
            // A link to where the number is written.
            Shell("ln -s /tmp/e /tmp/d"),
            Shell("echo 0 > /tmp/e/tf"),
        ],
        // keepalived loses sight of a file whose directory goes.
        expected: Some("2 1 2 1 2 1 2"),
        ..FILE
    },
    Scenario {
        name: "process-scan",
        blocks: "vrrp_track_process tp {\n process /bin/sleep 12345\n terminate_delay 3\n }",
        lines: "track_process {\n tp\n }",
        steps: &[Start, Restart, Stop(Micros::from_secs(3))],
        twin: "the process is not tracked",
        without: "track_process {\n tp\n }",
        expected: Some("1 2 2 1"),
    },
];

pub(crate) fn checks() -> Vec<Check> {
    let check = |scenario: &Scenario| {
        let job = |pair: &str| format!("tracked {} {pair}", scenario.name);
        let pairs: &[&str] = if scenario.expected.is_some() {
            &["vv"]
        } else {
            &["kk", "kv", "vk", "vv"]
        };
        Check {
            name: format!("tracked::{}", scenario.name),
            jobs: pairs.iter().map(|pair| job(pair)).collect(),
            judge: right,
            oracle: if scenario.expected.is_some() {
                "addresses in the nodes' kernels"
            } else {
                "two keepalived nodes with the same files; addresses in the nodes' kernels"
            },
            twin: Twin {
                what: scenario.twin.to_owned(),
                sees: "spoiled",
                jobs: vec![job(pairs[0]), format!("{} spoiled", job("vv"))],
            },
            needs: vec![Needs::Program(KEEPALIVED)],
        }
    };
    SCENARIOS.iter().map(check).collect()
}

fn right(seen: &[&Outcome]) -> Result<(), String> {
    let name = seen[0].job.split(' ').nth(1);
    let scenario = SCENARIOS.iter().find(|scenario| Some(scenario.name) == name).unwrap();
    let Some(expected) = scenario.expected else {
        return alike(seen);
    };
    let wrong = seen.iter().find(|outcome| outcome.text != expected);
    wrong.map_or(Ok(()), |wrong| {
        Err(format!("    {}: {}, {expected} is right", wrong.job, wrong.text))
    })
}

fn configuration(node: usize, scenario: &Scenario, spoiled: bool) -> String {
    let (blocks, lines, priority) = if node == BETTER {
        (scenario.blocks, scenario.lines, 150)
    } else {
        ("", "", 100)
    };
    let text = format!(
        "{blocks}\nvrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n advert_int 0.5\n priority {priority}\n virtual_ipaddress {{\n {VIP}/32\n }}\n {lines}\n}}\n"
    );
    if spoiled {
        text.replacen(scenario.without, "", 1)
    } else {
        text
    }
}

fn act(stage: &mut Stage, step: Step, service: &mut Option<ProgramId>) -> io::Result<()> {
    let start = |stage: &mut Stage| stage.run(BETTER, "service", &["/bin/sleep", "12345"]).map(Some);
    let stop = |stage: &mut Stage, service: &mut Option<ProgramId>| {
        let running = service.take().expect("it runs");
        stage.lab.signal(running, Signal::SIGKILL)
    };
    match step {
        Write(text) => stage.write(BETTER, "tf", text),
        Replace(text) => {
            stage.write(BETTER, "new", text)?;
            let tmp = stage.lab.node(NodeId(BETTER)).unwrap().tmp();
            std::fs::rename(tmp.join("new"), tmp.join("tf"))
        }
        Remove => stage.remove(BETTER, "tf"),
        Shell(words) => {
            let run = stage.run(BETTER, "shell", &["/bin/sh", "-c", words])?;
            stage.until("the shell ends", 5, |lab| !lab.runs(run))
        }
        Reload => stage.signal(BETTER, Signal::SIGHUP),
        Start => {
            *service = start(stage)?;
            Ok(())
        }
        Stop(_) => stop(stage, service),
        Restart => {
            stop(stage, service)?;
            *service = start(stage)?;
            Ok(())
        }
    }
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [name, pair, spoiled @ ..] = words else {
        return Err(io::Error::other("scenario, pair, perhaps spoiled"));
    };
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name).unwrap();
    let vip: IpAddr = VIP.parse().unwrap();
    let specs = (1..=2).map(|number| node(&format!("node{number}"), &[&format!("192.0.2.{number}/24")]));
    let mut stage = Stage::new(specs.collect(), vip, Micros::from_millis(5_500))?;
    std::fs::create_dir(stage.lab.node(NodeId(BETTER)).unwrap().tmp().join("d"))?;
    for (index, speaker) in pair.chars().map(Speaker::of).enumerate() {
        stage.start(index, speaker, &configuration(index, scenario, !spoiled.is_empty()))?;
    }
    let mut seen = vec![stage.settled()?];
    let mut service = None;
    for step in scenario.steps {
        let before = stage.lab.holders(vip);
        stage.note(format!("{step:?}"));
        act(&mut stage, *step, &mut service)?;
        if let Stop(delay) = step {
            // What is late by the machine's doing is not early.
            let early = delay.saturating_sub(Micros::from_millis(100));
            if stage.lab.watch(early, |lab| lab.holders(vip) != before)? {
                seen.push("early".into());
            }
        }
        seen.push(stage.settled()?);
    }
    Ok(seen.join(" "))
}
