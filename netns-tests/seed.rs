//! The first user's cluster with a real haproxy and a client of its address: three nodes of keepalived, three of vrrpd, and
//! mixed ones have to agree on the master, and the client's connections have to succeed again in the computed time.

use crate::check::{Check, Needs, Twin};
use crate::jobs::Outcome;
use crate::stage::{KEEPALIVED, Speaker, Stage, lines, node};
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use vrrpd::lab::{Cut, Happening, NodeId, NodeSpec, ProgramId};
use vrrpd::model::{Instant, Micros};

pub(crate) const HAPROXY: &str = "/usr/sbin/haproxy";
pub(crate) const NETSTAT: &str = "/usr/bin/netstat";
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 106, 187);
/// Longer than the seed's Master_Down_Interval and the time to the next check together.
pub(crate) const CALM: Micros = Micros::from_millis(6_500);
const CONFIGURATIONS: [&str; 3] = [
    include_str!("../conf/seed/node1.conf"),
    include_str!("../conf/seed/node2.conf"),
    include_str!("../conf/seed/node3.conf"),
];
const HAPROXY_CFG: &str = include_str!("../conf/seed/haproxy.cfg");
/// The node of the client.
const WORKER: usize = 3;

/// What happens; what is wrong in the twin, and what the judge says to that.
const FAULTS: [(&str, &str, &str); 4] = [
    (
        "haproxy",
        "the check on the first node never fails",
        "client without connection",
    ),
    ("kill", "the other nodes run no daemon", "client without connection"),
    ("cut", "the other nodes run no daemon", "client without connection"),
    (
        "cut-told",
        "without higher_prio_send_advert nobody is told",
        "not served at the end",
    ),
];
/// The oracle, vrrpd alone, and the address moving from either to the other.
const TRIOS: [&str; 4] = ["kkk", "vvv", "kvv", "vkk"];

pub(crate) fn checks() -> Vec<Check> {
    let check = |(name, twin, sees): (&str, &str, &'static str), files: &str, trios: &[&str]| {
        let job = |trio: &str| format!("seed {name} {files} {trio}");
        Check {
            name: format!("seed::{name}::{files}"),
            jobs: trios.iter().map(|trio| job(trio)).collect(),
            judge,
            oracle: "a TCP client of VIP:9443; three keepalived nodes; addresses in the kernels",
            twin: Twin {
                what: twin.to_owned(),
                sees,
                jobs: vec![job("kkk"), format!("{} spoiled", job("vvv"))],
            },
            needs: needs(&[KEEPALIVED, HAPROXY, NETSTAT]),
        }
    };
    let ranked = FAULTS.iter().map(|fault| check(*fault, "ranked", &TRIOS));
    // With the user's files all are equal, and which of the others wins is a race.
    let equal = check(FAULTS[0], "equal", &["kkk", "vvv"]);
    ranked.chain([equal]).collect()
}

/// keepalived cannot run a check as the root of a user namespace, and takes that for success.
pub(crate) fn needs(programs: &[&'static str]) -> Vec<Needs> {
    let programs = programs.iter().copied().map(Needs::Program);
    [Needs::Root].into_iter().chain(programs).collect()
}

/// Same masters as three of keepalived; the client is served again in time.
fn judge(seen: &[&Outcome]) -> Result<(), String> {
    let masters = |outcome: &Outcome| {
        let lines = outcome.text.lines().filter(|line| line.starts_with("master "));
        lines.collect::<Vec<_>>().join(", ")
    };
    let mut wrong = Vec::new();
    for outcome in seen {
        if masters(outcome) != masters(seen[0]) {
            wrong.push(format!("    {}: {}", outcome.job, masters(outcome)));
            wrong.push(format!("    {}: {}", seen[0].job, masters(seen[0])));
        }
        for line in outcome.text.lines().filter(|line| line.starts_with("client ")) {
            let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            if !matches!(numbers.as_slice(), [outage, limit] if outage <= limit && *outage > 0) {
                wrong.push(format!("    {}: {line}", outcome.job));
            }
        }
        if !outcome.text.ends_with("served at the end") {
            wrong.push(format!("    {}: the client is not served at the end", outcome.job));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// The nodes as the seed's haproxy.cfg has them, and the client's.
pub(crate) fn nodes() -> Vec<NodeSpec> {
    vec![
        node("k8s-master-1", &["172.16.106.208/24"]),
        node("k8s-master-2", &["172.16.106.80/24"]),
        node("k8s-master-3", &["172.16.106.14/24"]),
        node("worker", &["172.16.106.50/24"]),
    ]
}

pub(crate) fn start_haproxy(stage: &mut Stage, node: usize) -> io::Result<ProgramId> {
    stage.note(format!("start haproxy on {}", stage.lab.name(NodeId(node))));
    stage.write(node, "haproxy.cfg", HAPROXY_CFG)?;
    stage.run(node, "haproxy", &[HAPROXY, "-db", "-f", "/tmp/haproxy.cfg"])
}

struct Seed {
    stage: Stage,
    speakers: Vec<Speaker>,
    ranked: bool,
    spoiled: bool,
    haproxy: Vec<Option<ProgramId>>,
}

impl Seed {
    /// What runs on a node beside the daemon.
    fn start_services(&mut self, node: usize) -> io::Result<()> {
        let name = self.stage.lab.name(NodeId(node)).to_owned();
        self.stage
            .lab
            .start_function(NodeId(node), "backend", &move || backend(&name))?;
        self.haproxy[node] = Some(start_haproxy(&mut self.stage, node)?);
        Ok(())
    }

    fn start_daemon(&mut self, node: usize, fault: &str) -> io::Result<()> {
        let mut text = CONFIGURATIONS[node].to_owned();
        if self.ranked {
            text = text.replace("priority 100", &format!("priority {}", 100 - node));
        }
        if fault == "cut-told" && !self.spoiled {
            text = text.replace("state ", "higher_prio_send_advert\n state ");
        }
        match fault {
            "haproxy" if self.spoiled && node == 0 => text = text.replace("grep 9443", "grep ."),
            "kill" | "cut" if self.spoiled && node != 0 => return Ok(()),
            _ => {}
        }
        self.stage.start(node, self.speakers[node], &text)
    }

    /// The fault happens to the first node.
    fn break_it(&mut self, fault: &str) -> io::Result<Instant> {
        let at = self.stage.note(format!("the fault: {fault}"));
        match fault {
            "haproxy" => self.stage.lab.signal(self.haproxy[0].unwrap(), Signal::SIGTERM)?,
            "cut" | "cut-told" => self.stage.lab.cut(NodeId(0), Cut::Both)?,
            // A machine that has lost its power: nothing runs there, nothing is heard of it.
            "kill" => {
                self.stage.lab.cut(NodeId(0), Cut::Both)?;
                // Stopped first, so that none of them lives to see another one die.
                for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
                    for process in self.stage.lab.processes(NodeId(0))? {
                        // It may have ended by itself.
                        kill(Pid::from_raw(process.pid), signal).unwrap_or_default();
                    }
                }
            }
            other => panic!("no such fault: {other}"),
        }
        Ok(at)
    }

    fn mend_it(&mut self, fault: &str) -> io::Result<()> {
        self.stage.note("mend it");
        match fault {
            "haproxy" => self.haproxy[0] = Some(start_haproxy(&mut self.stage, 0)?),
            // Two masters meet. When the worse one is heard first, the better one announces its addresses again; when the
            // better one is heard first, the worse one leaves in silence and nobody is told, unless it is set to answer.
            "cut" => self.heal_after_advert_of(0)?,
            "cut-told" => self.heal_after_advert_of(1)?,
            _ => {
                self.stage.lab.heal(NodeId(0))?;
                self.start_services(0)?;
                self.start_daemon(0, fault)?;
            }
        }
        Ok(())
    }

    /// The other master is due next: they are about half an interval apart.
    fn heal_after_advert_of(&mut self, node: usize) -> io::Result<()> {
        if !self.spoiled || self.stage.holders() == "12" {
            let now = self.stage.note("wait for an advert");
            let heard = |moment: &vrrpd::lab::Moment| {
                moment.at > now && matches!(moment.what, Happening::Sent(from, _) if from.0 == node)
            };
            self.stage
                .until("an advert", 3, |lab| lab.moments.iter().rev().take(50).any(heard))?;
        }
        self.stage.lab.heal(NodeId(0))
    }

    fn master(&mut self) -> io::Result<String> {
        let settled = self.stage.settled()?;
        Ok(match settled.as_str() {
            "2" | "3" if !self.ranked => "another".to_owned(),
            _ => settled,
        })
    }

    /// From the fault to the first of the attempts that all succeeded.
    fn outage(&self, since: Instant, succeeded: fn(&str) -> bool) -> u64 {
        let attempts = self.stage.lab.moments.iter().filter_map(|moment| match &moment.what {
            Happening::Line(node, name, text) if node.0 == WORKER && name == "client" => Some((moment.at, text)),
            _ => None,
        });
        let mut end = since;
        let mut well = true;
        for (at, text) in attempts.filter(|(at, _)| *at >= since) {
            let now = succeeded(text);
            if !(now && well) {
                end = at;
            }
            well = now;
        }
        if well { end.since(since).as_millis() } else { u64::MAX }
    }
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [fault, files, trio, spoiled @ ..] = words else {
        return Err(io::Error::other("fault, files, trio, perhaps spoiled"));
    };
    let mut seed = Seed {
        stage: Stage::new(nodes(), VIP.into(), CALM)?,
        speakers: trio.chars().map(Speaker::of).collect(),
        ranked: *files == "ranked",
        spoiled: !spoiled.is_empty(),
        haproxy: vec![None; 3],
    };
    for node in 0..3 {
        seed.start_services(node)?;
    }
    seed.stage.lab.start_function(NodeId(WORKER), "client", &client)?;
    // One after the other: which of several equals is the first is a race.
    seed.start_daemon(0, fault)?;
    seed.stage.until_held_by("1", 15)?;
    seed.start_daemon(1, fault)?;
    seed.start_daemon(2, fault)?;
    let mut report = vec![format!("master before {}", seed.master()?)];
    served(&mut seed.stage, 20)?;
    let broken = seed.break_it(fault)?;
    report.push(format!("master after {}", seed.master()?));
    if seed.spoiled {
        // What has not happened by now is too late.
        seed.stage.look_on(Micros::from_secs(5))?;
    } else {
        served(&mut seed.stage, 30)?;
    }
    // Two equals may rise in the same instant. The client's kernel then believes the first announcement, perhaps that of the
    // one who steps down at once, and for a second (locktime) no other; the next comes garp_master_delay later.
    let race = if seed.ranked { 0 } else { 5_000 };
    // Check interval, Master_Down_Interval, an attempt of the client, a busy machine.
    let limit = if *fault == "haproxy" { 2_000 } else { 0 } + 3_567 + race + 500 + 1_500;
    let outage = seed.outage(broken, |text| !text.starts_with("no connection"));
    report.push(format!("client without connection {outage} ms of {limit} ms"));
    // haproxy itself needs three failed checks, two seconds each and two apart, to leave a dead backend out.
    let limit = limit + if *fault == "haproxy" { 500 } else { 12_000 };
    let outage = seed.outage(broken, |text| text.starts_with("served"));
    report.push(format!("client not served {outage} ms of {limit} ms"));
    seed.mend_it(fault)?;
    report.push(format!("master at the end {}", seed.master()?));
    if served(&mut seed.stage, 10).is_ok() {
        report.push("served at the end".into());
    }
    Ok(report.join("\n"))
}

/// Waits until the client has been served for ten attempts in a row from now on.
fn served(stage: &mut Stage, seconds: u64) -> io::Result<()> {
    let since = stage.note("the client has to be served");
    stage.until("the client is served ten times in a row", seconds, |lab| {
        let attempts = lines(lab, WORKER, "client", since);
        attempts.len() >= 10 && attempts.iter().rev().take(10).all(|line| line.starts_with("served"))
    })
}

/// A server behind haproxy: says which one it is.
fn backend(name: &str) -> u8 {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 6443)) else {
        return 1;
    };
    for mut connection in listener.incoming().flatten() {
        // A health check does not wait for the answer.
        connection.write_all(name.as_bytes()).unwrap_or_default();
    }
    0
}

/// Connects to the address ten times a second, each time anew, and says what comes of it.
fn client() -> u8 {
    loop {
        println!("{}", attempt());
        if poll(&mut [], PollTimeout::from(100_u8)).is_err() {
            return 1;
        }
    }
}

fn attempt() -> String {
    let patience = Duration::from_millis(400);
    let mut connection = match TcpStream::connect_timeout(&SocketAddr::from((VIP, 9443)), patience) {
        Ok(connection) => connection,
        Err(error) => return format!("no connection: {error}"),
    };
    let mut answer = String::new();
    match connection
        .set_read_timeout(Some(patience))
        .and_then(|()| connection.read_to_string(&mut answer))
    {
        Ok(count) if count > 0 => format!("served by {answer}"),
        Ok(_) => "no answer: closed".into(),
        Err(error) => format!("no answer: {error}"),
    }
}
