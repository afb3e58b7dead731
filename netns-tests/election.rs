//! Elections under a script of faults: who is master after each step. keepalived is the oracle: a cluster of it first, then
//! the mixed clusters in all roles, then vrrpd alone. `docs/interop.md` is made of the same runs.

use crate::check::{Check, Needs, Twin};
use crate::cluster::{KINDS, Kind, Settings, configuration, on_link, source};
use crate::differences;
use crate::frr;
use crate::jobs::{Job, Outcome};
use crate::options::{NEWER, OPTIONS};
use crate::scripts::{BEST, COMMON, PAIRED, Scenario, Step};
use crate::seed::needs;
use crate::stage::{KEEPALIVED, Speaker, Stage, names, newer, node};
use nix::sys::signal::Signal;
use std::io;
use vrrpd::lab::{Cut, Lab, NodeId};
use vrrpd::model::{Instant, Micros};

/// Clusters that are compared, each a node a letter; the first one is the oracle.
pub(crate) struct Comparison {
    /// The first part of the check's name, and what the table calls it.
    pub(crate) name: &'static str,
    pub(crate) clusters: &'static [&'static str],
    pub(crate) scripts: &'static [Scenario],
    /// Which kinds speak so.
    pub(crate) speak: fn(&Kind) -> bool,
}

pub(crate) const COMPARISONS: &[Comparison] = &[
    Comparison {
        name: "election",
        clusters: &["kk", "kv", "vk", "vv"],
        scripts: PAIRED,
        speak: |kind| kind.thorough,
    },
    Comparison {
        name: "trio",
        clusters: &["kkk", "kvk", "vkv", "vvv"],
        scripts: COMMON,
        speak: |_| true,
    },
    Comparison {
        name: "option",
        clusters: &["kk", "kv", "vk", "vv"],
        scripts: OPTIONS,
        speak: |_| true,
    },
    Comparison {
        name: "newer",
        clusters: &["nn", "nv", "vn", "vv"],
        scripts: OPTIONS,
        speak: asked_for_newer,
    },
    Comparison {
        name: "newest",
        clusters: &["nn", "nv", "vn", "vv"],
        scripts: NEWER,
        speak: asked_for_newer,
    },
    // With keepalived beside it, FRR shows which differences are its own.
    Comparison {
        name: "frr",
        clusters: &["kk", "fk", "kf", "fv", "vf"],
        scripts: COMMON,
        speak: Kind::frr_speaks,
    },
    Comparison {
        name: "frr-trio",
        clusters: &["kkk", "kfv", "vkf", "fvk"],
        scripts: COMMON,
        speak: Kind::frr_speaks,
    },
];

fn asked_for_newer(_: &Kind) -> bool {
    newer().is_some()
}

impl Comparison {
    /// Whether it stands in `docs/interop.md`, which only speaks of what is installed.
    pub(crate) fn is_published(&self) -> bool {
        !self.clusters[0].starts_with('n')
    }

    /// The scripts that are played with a kind.
    pub(crate) fn scripts_of<'a>(&'a self, kind: &'a Kind) -> impl Iterator<Item = &'static Scenario> + use<'a> {
        let spoken = (self.speak)(kind);
        self.scripts
            .iter()
            .filter(move |scenario| spoken && scenario.is_for(kind))
    }

    /// The clusters that can play a script.
    pub(crate) fn clusters_for<'a>(&self, scenario: &'a Scenario) -> impl Iterator<Item = &'static str> + use<'a> {
        // FRR has no checks.
        let clusters = self.clusters.iter().copied();
        clusters.filter(|cluster| scenario.tracker.is_none() || !cluster.ends_with('f'))
    }
}

/// The run of a cluster.
pub(crate) fn job(kind: &Kind, scenario: &Scenario, cluster: &str) -> Job {
    format!("election {} {} {cluster}", kind.name, scenario.name)
}

/// Every script of every kind that a comparison plays.
pub(crate) fn rows() -> impl Iterator<Item = (&'static Comparison, &'static Kind, &'static Scenario)> {
    COMPARISONS.iter().flat_map(|of| {
        let kinds = KINDS.iter().filter(|kind| (of.speak)(kind));
        kinds.flat_map(move |kind| of.scripts_of(kind).map(move |scenario| (of, kind, scenario)))
    })
}

pub(crate) fn checks() -> Vec<Check> {
    rows().map(|(of, kind, scenario)| check(of, kind, scenario)).collect()
}

fn check(of: &Comparison, kind: &Kind, scenario: &Scenario) -> Check {
    let clusters: Vec<&str> = of.clusters_for(scenario).collect();
    let ours = "v".repeat(clusters[0].len());
    let with_frr = of.clusters.iter().any(|cluster| cluster.contains('f'));
    Check {
        name: format!("{}::{}::{}", of.name, kind.name, scenario.name),
        jobs: clusters.iter().map(|cluster| job(kind, scenario, cluster)).collect(),
        judge: same,
        oracle: "as many keepalived nodes; adverts on the wire, addresses in the nodes' kernels",
        twin: Twin {
            what: scenario.twin.to_owned(),
            sees: "spoiled",
            jobs: vec![
                job(kind, scenario, clusters[0]),
                format!("{} spoiled", job(kind, scenario, &ours)),
            ],
        },
        needs: match scenario.runs_checks() {
            _ if with_frr => needs(&[KEEPALIVED, frr::PROGRAM]),
            true => needs(&[KEEPALIVED]),
            false => vec![Needs::Program(KEEPALIVED)],
        },
    }
}

/// What was seen after a step, as a run prints it: `MASTERS/HOLDERS@MILLISECONDS`. The masters are those whose adverts are on
/// the wire; the holders have the address, which a dead node of keepalived keeps. The time is that of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After<'a> {
    pub(crate) masters: &'a str,
    /// Nothing beside FRR, whose nodes have the address on a link of their own all the time.
    pub(crate) holders: &'a str,
    millis: Option<u64>,
}

impl<'a> After<'a> {
    fn of(word: &'a str) -> Self {
        let (who, millis) = word.split_once('@').unwrap_or((word, ""));
        let (masters, holders) = who.split_once('/').unwrap_or((who, ""));
        Self {
            masters,
            holders,
            millis: millis.parse().ok(),
        }
    }

    /// All steps of a run.
    pub(crate) fn all(outcome: &'a Outcome) -> Vec<Self> {
        outcome.text.split_whitespace().map(Self::of).collect()
    }

    fn agrees(&self, other: &Self, slack: Micros) -> bool {
        let in_time = match (self.millis, other.millis) {
            (Some(one), Some(other)) => one.abs_diff(other) <= slack.as_millis(),
            _ => true,
        };
        let holders = self.holders.is_empty() || other.holders.is_empty() || self.holders == other.holders;
        self.masters == other.masters && holders && in_time
    }
}

/// The notify FIFO of a node.
const FIFO: &str = "/run/fifo";

/// An answer comes at once, and much sooner than the next advert.
const AT_ONCE: Micros = Micros::from_millis(150);

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.into()
}

/// How much a busy machine may be late, beside what the protocol's timers leave open.
const LATE: Micros = Micros::from_secs(1);

/// Whether a run did what keepalived's did: same masters and holders, each change within a Master_Down_Interval of when
/// keepalived's came, for nobody can say when in its interval the last advert was sent.
pub(crate) fn agrees(theirs: &Outcome, ours: &Outcome) -> bool {
    let kind = KINDS
        .iter()
        .find(|kind| Some(kind.name) == ours.job.split(' ').nth(1))
        .unwrap();
    let slack = kind.longest_silence() + LATE;
    let (theirs, ours) = (After::all(theirs), After::all(ours));
    !theirs.is_empty()
        && theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(their, our)| our.agrees(their, slack))
}

/// All did what the first one did, but for what is known and explained.
fn same(seen: &[&Outcome]) -> Result<(), String> {
    let oracle = seen[0].job.rsplit(' ').next().unwrap_or_default();
    let excused = |other: &Outcome| differences::explained(oracle, other).is_some();
    let agreed = |other: &&Outcome| agrees(seen[0], other) || excused(other);
    if seen.iter().all(agreed) {
        return Ok(());
    }
    let lines = seen.iter().map(|of| format!("    {}: {}", of.job, of.text));
    Err(lines.collect::<Vec<_>>().join("\n"))
}

struct Election {
    stage: Stage,
    kind: &'static Kind,
    speakers: Vec<Speaker>,
    settings: Vec<Settings>,
    seen: Vec<String>,
    by_address: bool,
    /// When the last fault was made.
    fault: Instant,
}

impl Election {
    fn start(&mut self, node: usize) -> io::Result<()> {
        let (speaker, mut settings) = (self.speakers[node], self.settings[node]);
        // keepalived 2.2.7 ends without one.
        settings.interface |= speaker == Speaker::Keepalived;
        if speaker == Speaker::Frr {
            return frr::start(&mut self.stage, node, self.kind, settings);
        }
        let text = configuration(self.kind, node, self.speakers.len(), settings);
        self.stage.start(node, speaker, &text)
    }

    fn reload(&mut self, node: usize) -> io::Result<()> {
        let settings = self.settings[node];
        if self.speakers[node] == Speaker::Frr {
            return frr::set_priority(&mut self.stage, node, settings);
        }
        let text = configuration(self.kind, node, self.speakers.len(), settings);
        self.stage.write(node, "vrrp.conf", &text)?;
        self.stage.signal(node, Signal::SIGHUP)
    }

    /// Masters and holders of the address now.
    fn who(&self) -> impl Fn(&Lab) -> String + use<> {
        let vip = self.kind.vip();
        let silence = Micros(self.kind.interval().0 * 2);
        let holders_count = !self.speakers.contains(&Speaker::Frr);
        let by_address = self.by_address;
        move |lab| {
            if by_address {
                return names(&lab.holders(vip));
            }
            let mut who = names(&crate::stage::speaking(lab, silence));
            if holders_count {
                who += "/";
                who += &names(&lab.holders(vip));
            }
            who
        }
    }

    fn second_address(&mut self, node: usize, verb: &str) -> io::Result<()> {
        let address = source(self.kind, node);
        let mut words = vec!["/usr/sbin/ip", "address", verb, &address, "dev", "eth0"];
        if self.kind.ipv6 && verb == "add" {
            words.push("nodad");
        }
        let asked = self.stage.run(node, "ip", &words)?;
        self.stage.until("ip ends", 10, |lab| !lab.runs(asked))
    }

    fn listen(&mut self, node: usize) -> io::Result<()> {
        let fifo = self.stage.lab.node(NodeId(node)).unwrap().run().join("fifo");
        let script = format!("umask 077; mkfifo {FIFO} && exec cat <>{FIFO}");
        self.stage.run(node, "reader", &["/bin/sh", "-c", &script])?;
        self.stage.until("the FIFO is there", 10, |_| fifo.exists())
    }

    /// The answer to a step that only asks.
    fn question(&mut self, step: Step) -> io::Result<Option<String>> {
        match step {
            Step::Answers(one, other) => {
                let since = self.stage.note(step.to_string());
                self.stage.look_on(Micros::from_secs(8))?;
                let asked = self.stage.adverts(one, since, false);
                let answers = self.stage.adverts(other, since, false);
                let answered = |at: &&Instant| {
                    answers
                        .iter()
                        .any(|answer| answer.since(**at) <= AT_ONCE && answer >= *at)
                };
                // The last one may still be answered.
                let asked = asked.get(..asked.len().saturating_sub(1)).unwrap_or_default();
                let answers = asked.iter().filter(answered).count();
                // Now and then an advert of its own comes at the right time.
                Ok(Some(yes(answers * 5 >= asked.len() * 4 && !asked.is_empty())))
            }
            Step::Replay(one, other) => {
                let since = self.stage.note(step.to_string());
                let last = self.stage.last_advert(one);
                self.stage.crash(one)?;
                // Longer than a Master_Down_Interval.
                for _ in 0..30 {
                    self.stage.lab.inject(NodeId(other), &last)?;
                    self.stage.look_on(Micros::from_millis(200))?;
                }
                Ok(Some(yes(!self.stage.adverts(other, since, false).is_empty())))
            }
            Step::LastWord(node) => {
                let better = self.speakers.len() - 1;
                let heard = self.stage.adverts(better, self.fault, false).first().copied();
                let said = heard.map_or(0, |heard| self.stage.adverts(node, heard, false).len());
                Ok(Some(yes(said > 0)))
            }
            Step::Told(node) => {
                let lines = self.stage.lines(node, "reader", Instant(0));
                let short = |line: &String| {
                    let words: Vec<&str> = line.split(' ').collect();
                    // Which member goes first is a question of the clock.
                    format!("{}:{}", words[0], words.get(2).copied().unwrap_or_default())
                };
                Ok(Some(lines.iter().map(short).collect::<Vec<_>>().join(",")))
            }
            _ => Ok(None),
        }
    }

    fn step(&mut self, step: Step) -> io::Result<()> {
        self.stage.note(format!("{step}"));
        let best = self.speakers.len() - 1;
        let of = |node: usize| if node == BEST { best } else { node };
        let lab = &mut self.stage.lab;
        match step {
            Step::Start(node) => self.start(of(node)),
            Step::StartAll => (0..=best).try_for_each(|node| self.start(node)),
            Step::Stop(node) => self.stage.signal(of(node), Signal::SIGTERM),
            Step::Crash(node) => self.stage.crash(of(node)),
            Step::Pause(node) => {
                self.stage.signal_all(of(node), Signal::SIGSTOP)?;
                // The pause is the fault itself: 5 s, whatever happens meanwhile.
                self.stage.look_on(Micros::from_secs(5))?;
                self.seen.push(self.who()(&self.stage.lab));
                self.stage.signal_all(of(node), Signal::SIGCONT)
            }
            Step::Fail(node) => self.stage.remove(of(node), "well"),
            Step::Heal(node) => self.stage.write(of(node), "well", ""),
            Step::Cut(node) => lab.cut(NodeId(of(node)), Cut::Both),
            Step::Mend(node) => lab.heal(NodeId(of(node))),
            Step::Unplug(node) => lab.set_carrier(NodeId(of(node)), false),
            Step::Plug(node) => lab.set_carrier(NodeId(of(node)), true),
            Step::Reload(node, priority) => {
                self.settings[of(node)].priority = priority;
                self.reload(of(node))
            }
            Step::Deafen(node) => lab.cut(NodeId(of(node)), Cut::Inbound),
            Step::GiveSource(node) => self.second_address(of(node), "add"),
            Step::TakeSource(node) => self.second_address(of(node), "del"),
            Step::Listen(node) => self.listen(of(node)),
            Step::Later(node, lines) => {
                self.settings[of(node)].lines = lines;
                self.reload(of(node))
            }
            Step::Answers(..) | Step::Replay(..) | Step::LastWord(_) | Step::Told(_) => Ok(()),
            Step::Change => {
                let (before, vip) = (lab.holders(self.kind.vip()), self.kind.vip());
                lab.watch(Micros::from_secs(15), |lab| lab.holders(vip) != before)
                    .map(drop)
            }
        }
    }
}

fn find(name: &str) -> &'static Scenario {
    let mut all = COMPARISONS.iter().flat_map(|of| of.scripts);
    all.find(|scenario| scenario.name == name).unwrap()
}

pub(crate) fn play(words: &[&str]) -> io::Result<String> {
    let [kind, name, cluster, spoiled @ ..] = words else {
        return Err(io::Error::other("kind, scenario, cluster, perhaps spoiled"));
    };
    let kind = KINDS.iter().find(|known| known.name == *kind).unwrap();
    let scenario = find(name);
    let nodes = cluster.len();
    let mut settings: Vec<Settings> = (0..nodes).map(|node| Settings::new(scenario, node)).collect();
    if !spoiled.is_empty() {
        (scenario.spoil)(&mut settings);
    }
    let specs = (0..nodes).map(|index| {
        let [four, six] = on_link(index);
        node(&format!("node{}", index + 1), &[&four, &six])
    });
    // A check may need its interval to notice; nothing changes any more after a Master_Down_Interval; the rest is for a busy
    // machine.
    let notice = Micros::from_secs(u64::from(scenario.tracker.is_some()));
    let calm = notice + kind.longest_silence() + Micros::from_millis(600);
    let stage = Stage::new(specs.collect(), kind.vip(), calm)?;
    for index in 0..nodes {
        stage.write(index, "well", "")?;
    }
    let mut election = Election {
        stage,
        kind,
        speakers: cluster.chars().map(Speaker::of).collect(),
        settings,
        seen: Vec::new(),
        by_address: scenario.by_address,
        fault: Instant(0),
    };
    for step in scenario.steps {
        if let Some(answer) = election.question(*step)? {
            election.seen.push(answer);
            continue;
        }
        let began = vrrpd::system::clock::now();
        election.fault = began;
        election.step(*step)?;
        let who = election.who();
        let (who, changed) = election.stage.calm(who)?;
        let who = match (scenario.either, who.as_str()) {
            (true, "1/1" | "2/2") => "one".to_owned(),
            _ => who,
        };
        let millis = changed.since(began).as_millis();
        election.seen.push(format!("{who}@{millis}"));
    }
    Ok(election.seen.join(" "))
}
