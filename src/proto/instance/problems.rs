//! What an operator should look at: found anew whenever something happened that it may follow from, and compared with what
//! was shown before, so that each problem is told when it comes up and when it has gone.

use super::{Context, Instance, State};
use crate::model::{Instant, Micros, Priority};
use crate::proto::action::Action;
use crate::proto::log_event::InstanceLine;
use crate::proto::mutant::Mutant;
use crate::proto::reason::Span;
use crate::proto::snapshot::{Problem, Severity};
use std::borrow::Cow;
use std::fmt::Display;

/// Problems that only time ends are looked at again after this time.
const AGAIN: Micros = Micros::from_secs(1);
/// A near fail-over, a stall, a foreign claim is shown for this long after the last one.
const SHOWN: Micros = Micros::from_secs(600);
/// So many others are named.
const NAMED: usize = 3;
/// A master that has heard nobody for this many of its Master_Down_Intervals says so.
const PATIENCE: u64 = 3;

/// The first few of them, and how many more there are.
fn named(all: &[impl Display]) -> String {
    let mut names: Vec<_> = all.iter().take(NAMED).map(ToString::to_string).collect();
    if all.len() > NAMED {
        names.push(format!("{} more", all.len() - NAMED));
    }
    names.join(", ")
}

/// Said of masters of which a node may have thousands.
const ALONE: &str = "no other router has been heard since the start. Backups are silent, so this is normal for a master that started first; `vrrpd status` on the others shows whether they hear this one";

/// Collects problems of one instance.
struct Found<'a> {
    instance: &'a Instance,
    problems: Vec<Problem>,
    /// Whether time alone can change something.
    fades: bool,
}

impl Found<'_> {
    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        subject: Option<String>,
        text: impl Into<Cow<'static, str>>,
    ) {
        self.problems.push(Problem {
            severity,
            code: code.into(),
            instance: Some(self.instance.config.name.clone()),
            subject,
            text: text.into(),
        });
    }

    fn fading(&mut self, severity: Severity, code: &'static str, subject: Option<String>, text: String) {
        self.fades = true;
        self.add(severity, code, subject, text);
    }
}

impl Instance {
    /// What an operator should look at: what has been told as having come up and not as having gone, in the words of now.
    pub(in crate::proto) fn problems(&self, now: Instant) -> Vec<Problem> {
        let found = self.find_problems(now).problems;
        let worded = |told: &Problem| found.iter().find(|new| new.is_same(told)).unwrap_or(told).clone();
        self.raised.iter().map(worded).collect()
    }

    /// Whether a problem of this code is shown.
    pub(super) fn shows(&self, code: &str) -> bool {
        self.raised.iter().any(|problem| problem.code == code)
    }

    /// Tells what has come up and what has gone, if something happened that may matter.
    pub(in crate::proto) fn look_at_problems(&mut self, ctx: &mut Context<'_>) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let found = self.find_problems(ctx.now);
        let next = found.fades.then(|| ctx.now + AGAIN);
        let (problems, look_at) = (found.problems, next.or_else(|| self.first_look(ctx.now)));
        self.look_at = look_at;
        let is_in = |list: &[Problem], one: &Problem| list.iter().any(|p| p.is_same(one));
        let keeps = ctx.mutation.is(Mutant::ProblemNeverClears);
        let shown = std::mem::take(&mut self.raised);
        let (kept, gone): (Vec<_>, Vec<_>) = shown.into_iter().partition(|old| keeps || is_in(&problems, old));
        self.raised = kept;
        for problem in gone {
            self.tell_problem(false, problem, ctx);
        }
        for problem in problems {
            if !is_in(&self.raised, &problem) {
                self.raised.push(problem.clone());
                self.tell_problem(true, problem, ctx);
            }
        }
        self.raised.shrink_to_fit();
    }

    fn tell_problem(&self, raised: bool, problem: Problem, ctx: &mut Context<'_>) {
        ctx.out.push_back(Action::problem(raised, problem.clone()));
        // A note is for those who ask; the log is for what somebody has to do.
        if problem.severity > Severity::Note {
            self.log(InstanceLine::Problem { raised, problem }, ctx.out);
        }
    }

    /// A master that has heard nobody yet is looked at once when it might have.
    fn first_look(&self, now: Instant) -> Option<Instant> {
        let at = self.silence_counts_from();
        (self.master().is_some() && at > now).then_some(at)
    }

    fn silence_counts_from(&self) -> Instant {
        let mdi = self.master_down_interval(crate::proto::mutant::Mutation::default());
        self.since + mdi.times(PATIENCE)
    }

    fn find_problems(&self, now: Instant) -> Found<'_> {
        let mut found = Found {
            instance: self,
            problems: Vec::new(),
            fades: false,
        };
        for fault in &self.faults {
            let text = format!("it cannot take part: {fault}");
            found.add(Severity::Error, fault.code(), Some(fault.subject()), text);
        }
        self.problems_of_others(&mut found, now);
        self.problems_of_addresses(&mut found, now);
        self.problems_of_time(&mut found, now);
        self.problems_of_drain(&mut found);
        found
    }

    /// Dual masters, peers that do not hear us, strangers, nobody.
    fn problems_of_others(&self, found: &mut Found<'_>, now: Instant) {
        if self.master().is_some() {
            let deaf = self.deaf_peers(now);
            let others = self.peers.recent(now, self.since, self.config.advert_interval, 3);
            if !others.is_empty() {
                let text = format!(
                    "{} {} as master beside us: traffic goes to both. If it lasts, they do not hear each other: look at the network between the two, and at firewalls for protocol 112",
                    named(&others),
                    if others.len() == 1 { "advertises" } else { "advertise" }
                );
                found.fading(Severity::Error, "dual-master", None, text);
            }
            if !deaf.is_empty() {
                let text = format!(
                    "we hear {}, and evidently are not heard there: our priority is higher, and the adverts go on. Look at what drops ours on the way (firewall, multicast snooping, unicast_peer there)",
                    named(&deaf)
                );
                found.fading(Severity::Error, "one-way", None, text);
            }
            self.problem_of_silence(found, now);
        }
        let strangers = self.peers.strangers(now);
        if !strangers.is_empty() {
            let names: Vec<_> = strangers
                .iter()
                .map(|(address, reason)| format!("{address} ({})", reason.as_str()))
                .collect();
            let text = format!(
                "somebody else uses VRID {} and is not understood: {}. If it is another cluster, give one of both another virtual_router_id; if it is ours, compare the configurations (vrrpd check A B)",
                self.config.vrid,
                named(&names)
            );
            found.fading(Severity::Warning, "foreign-vrid", None, text);
        }
    }

    /// Backups are silent, so this is a note: only an operator can know whether somebody should have been heard.
    fn problem_of_silence(&self, found: &mut Found<'_>, now: Instant) {
        if now < self.silence_counts_from() || self.peers.has_heard_anybody() {
            return;
        }
        let silent = self.silent_peers();
        let text: Cow<'static, str> = if silent.is_empty() {
            ALONE.into()
        } else {
            let none = format!("none of its peers ({})", named(&silent));
            ALONE.replace("no other router", &none).into()
        };
        found.add(Severity::Note, "peer-never-heard", None, text);
    }

    fn problems_of_addresses(&self, found: &mut Found<'_>, now: Instant) {
        let Some(master) = self.master() else { return };
        for vip in self.vips().iter().filter(|vip| master.complete && !vip.present) {
            let text = format!(
                "{} is not on {} although we are master: the log says what the kernel or another program did",
                vip.address, vip.interface
            );
            found.add(Severity::Error, "address-missing", Some(vip.address.to_string()), text);
        }
        for (position, claim) in &master.claims {
            let persists = claim.persists && now.since(claim.heard) < SHOWN;
            if let Some(vip) = self.addresses.get(*position).filter(|_| persists) {
                let text = format!(
                    "{} claims {} on {} again and again: another host has this address, find it by its hardware address",
                    claim.mac, vip.address, vip.interface
                );
                found.fading(Severity::Error, "foreign-claim", Some(vip.address.to_string()), text);
            }
        }
    }

    fn problems_of_time(&self, found: &mut Found<'_>, now: Instant) {
        if let Some((gap, _)) = self.stalled.filter(|(_, woke)| now.since(*woke) < SHOWN) {
            let text = format!(
                "it was asleep for {} as master, longer than the others wait: look at the load of this machine, or at what suspends it",
                Span(gap)
            );
            found.fading(Severity::Warning, "stalled", None, text);
        }
        if let State::Backup(backup) = &self.state
            && self.near_at.is_some_and(|at| now.since(at) < SHOWN)
            && backup
                .accepted
                .is_some_and(|(_, priority, _)| priority != Priority::RELEASE)
        {
            let text = format!(
                "the master was silent for more than two and a half intervals, {} times so far: one more lost advert moves the addresses. Look at its load and at the network",
                self.counters.near_failovers
            );
            found.fading(Severity::Warning, "near-failover", None, text);
        }
    }

    fn problems_of_drain(&self, found: &mut Found<'_>) {
        let Some(drain) = self.drain.as_deref() else { return };
        let name = &self.config.name;
        let text = format!("it is drained for maintenance; `vrrpd resume {name}` ends that");
        found.add(Severity::Warning, "drained", None, text);
        let alone = match &self.state {
            State::Master(_) => true,
            // The timer has run out since somebody was heard.
            State::Backup(backup) => drain.force && backup.nobody_since.is_some(),
            State::Init | State::Fault => false,
        };
        if alone && self.is_master() {
            let text = "it is drained, and master all the same because nobody else is: the other nodes are down, or do not hear this one".to_owned();
            found.add(Severity::Error, "drained-alone", None, text);
        } else if alone {
            let text = format!(
                "nobody is master, and this node stays out because it was drained with --force: `vrrpd resume {name}` brings it back"
            );
            found.add(Severity::Error, "drained-alone", None, text);
        }
    }
}
