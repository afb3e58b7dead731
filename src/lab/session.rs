//! A lab in use: commands come in from a person or a script, are done, and what follows is told.

use super::ask::{Progress, Question};
use super::checks;
use super::chronicle::{Chronicle, seconds};
use super::cluster::{Answer, Cluster, Condition, DAEMON};
use super::command::{Command, HELP, HOW_CHECKS_FAIL, Names, Wait, Who, parse};
use super::editor::Editor;
use super::files::{Prepared, name_nodes, prepare};
use super::input::{Input, Reader};
use super::node::NodeId;
use super::plan::{Plan, plan};
use super::programs::ProgramId;
use super::screen::{Below, Screen, size};
use super::table;
use super::topology::Happening;
use crate::control::{Status, why};
use crate::model::{Instant, Micros};
use crate::system::clock;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// What a lab is to be made from: configurations that have been read.
#[derive(Debug)]
pub struct Cast {
    files: Vec<Prepared>,
    plan: Plan,
}

/// How a lab is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// Where commands come from.
    pub input: Input,
    /// Whether standard output is a terminal, on which a table is kept.
    pub live: bool,
    /// When it ends, however far the commands have come.
    pub limit: Option<Micros>,
}

/// Reads the files and makes the plan; nothing is started.
///
/// # Errors
/// Everything that hinders it, one line each.
pub fn cast(words: &[String]) -> Result<Cast, Vec<String>> {
    let ordinary = !nix::unistd::Uid::effective().is_root();
    let named = name_nodes(words).map_err(|error| vec![error])?;
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for (name, path) in named {
        match prepare(&name, &path, ordinary) {
            Ok(file) => files.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let models: Vec<_> = files
        .iter()
        .map(|file| (file.name.clone(), file.model.clone()))
        .collect();
    let plan = plan(&models)?;
    Ok(Cast { files, plan })
}

/// Plays; whether every command could be done and everything waited for came. To be called inside of [`super::enter`].
///
/// # Errors
/// When the lab itself does not work.
pub fn play_files(cast: Cast, manner: &Manner, vrrpd: &Path, say: &mut dyn FnMut(&str)) -> io::Result<bool> {
    let introduction = introduction(&cast);
    let Cast { files, plan } = cast;
    let cluster = Cluster::new(files, &plan, vrrpd)?;
    let names: Vec<String> = cluster
        .members
        .iter()
        .map(|member| member.prepared.name.clone())
        .collect();
    let now = clock::now();
    let mut session = Session {
        chronicle: Chronicle::new(names.clone(), plan.routers.clone(), now),
        cluster,
        plan,
        names,
        screen: Screen::new(say),
        live: manner.live,
        story: introduction,
        waiting: VecDeque::new(),
        pending: None,
        questions: Vec::new(),
        statuses: BTreeMap::new(),
        next_round: now,
        good: true,
        over: false,
    };
    session.play(manner)
}

/// Who is there, and what a person should know.
fn introduction(cast: &Cast) -> Vec<String> {
    let mut rows = Vec::new();
    for (file, links) in cast.files.iter().zip(&cast.plan.nodes) {
        for link in links {
            let shown = link
                .addresses
                .iter()
                .map(|(address, prefix, origin)| format!("{address}/{prefix} ({origin})"));
            let addresses: Vec<String> = shown.collect();
            let bridge = format!("bridge {}", link.bridge + 1);
            rows.push(vec![file.name.clone(), link.name.clone(), bridge, addresses.join(", ")]);
        }
    }
    let mut lines: Vec<String> = crate::control::text::table(&rows)
        .lines()
        .map(|line| format!("{line}\n"))
        .collect();
    lines.extend(cast.plan.notes.iter().map(|note| format!("note: {note}\n")));
    for file in &cast.files {
        lines.extend(file.notes.iter().map(|note| format!("note: {}: {note}\n", file.name)));
        lines.extend(
            file.problems
                .iter()
                .map(|problem| format!("note: {}: {problem}\n", file.name)),
        );
    }
    lines
}

/// What has to come before the next command is read.
#[derive(Debug)]
enum Pending {
    Until(Instant),
    Calm(Instant),
    Masters {
        who: Who,
        instance: Option<String>,
        since: Instant,
        end: Instant,
    },
    /// Answers of the daemons, for the table or for one node's reasons.
    Answers(Instant, Option<NodeId>),
    /// The end of a program.
    Run(ProgramId, Instant),
}

struct Session<'a> {
    cluster: Cluster,
    plan: Plan,
    chronicle: Chronicle,
    names: Vec<String>,
    screen: Screen<'a>,
    live: bool,
    /// Lines that are not shown yet.
    story: Vec<String>,
    /// Commands that are not done yet.
    waiting: VecDeque<String>,
    pending: Option<Pending>,
    questions: Vec<Question>,
    /// What the daemons have answered last.
    statuses: BTreeMap<NodeId, Status>,
    /// When the table is drawn anew.
    next_round: Instant,
    good: bool,
    over: bool,
}

/// The table is drawn, and the daemons are asked, this often.
const ROUND: Micros = Micros::from_millis(500);

/// After something has happened they are asked this soon; a daemon answers ten times a second.
const SOON: Micros = Micros::from_millis(120);

/// A command in a node may take this long.
const RUN_LIMIT: Micros = Micros::from_secs(60);

impl Session<'_> {
    fn play(&mut self, manner: &Manner) -> io::Result<bool> {
        let begun = clock::now();
        let stdin = io::stdin();
        let mut editor = (manner.input == Input::Terminal).then(Editor::default);
        let mut reader = Reader::new(&manner.input, &mut self.waiting);
        let all: Vec<NodeId> = self.cluster.lab.nodes().collect();
        self.done(Command::Start(all))?;
        if let Input::Terminal = manner.input {
            self.tell("type a command; `help` lists them, ctrl-c ends everything");
        }
        loop {
            let now = clock::now();
            let soon = if self.live { self.next_round.since(now) } else { ROUND };
            let mut others: Vec<BorrowedFd<'_>> = self.questions.iter().map(AsFd::as_fd).collect();
            if reader.open {
                others.push(stdin.as_fd());
            }
            self.cluster.lab.wait(soon, &others)?;
            self.take_in()?;
            self.hear_answers();
            let known = self.known_words(editor.is_some());
            reader.read(editor.as_mut(), &known, &mut self.waiting)?;
            self.go_on(&reader, manner)?;
            if manner.limit.is_some_and(|limit| clock::now().since(begun) >= limit) {
                self.run_out(&reader);
            }
            self.show(editor.as_ref());
            if self.over {
                break;
            }
        }
        if self.live {
            self.screen.clear();
        }
        Ok(self.good)
    }

    /// Time is up.
    fn run_out(&mut self, reader: &Reader) {
        let unfinished = !self.waiting.is_empty() || matches!(&self.pending, Some(pending) if !pending.is_last());
        if unfinished && !reader.is_person {
            self.good = false;
            self.tell("the time is up before all commands were done");
        }
        self.conclude();
        self.over = true;
    }

    /// Everything that was seen since the last time.
    fn take_in(&mut self) -> io::Result<()> {
        let mut moments = std::mem::take(&mut self.cluster.lab.moments);
        // Frames carry the kernel's stamp, addresses the time at which they were looked at.
        moments.sort_by_key(|moment| moment.at);
        for moment in &moments {
            match &moment.what {
                Happening::Line(node, program, text) if program == DAEMON => self.cluster.note_line(*node, text)?,
                Happening::Ended(node, program, _) if program == DAEMON => self.cluster.note_end(*node)?,
                Happening::Line(..)
                | Happening::Ended(..)
                | Happening::Appeared(..)
                | Happening::Vanished(..)
                | Happening::Sent(..) => {}
            }
        }
        self.story.extend(self.chronicle.take(&moments));
        if self.chronicle.quiet(clock::now()) >= self.plan.calm {
            self.conclude();
        }
        Ok(())
    }

    fn conclude(&mut self) {
        if let Some(text) = self.chronicle.conclude() {
            self.tell(&text);
        }
    }

    fn tell(&mut self, text: &str) {
        let line = self.chronicle.line(clock::now(), text);
        self.story.push(line);
    }

    /// Tells several lines, indented as the story's texts are.
    fn tell_all(&mut self, text: &str) {
        self.story.extend(text.lines().map(|line| format!("    {line}\n")));
    }

    fn refuse(&mut self, text: &str) {
        self.good = false;
        self.tell(&format!("ERROR: {text}"));
    }

    /// Asks, and shows what was asked for when the answers are there.
    fn ask_for(&mut self, asked: Option<NodeId>) {
        self.ask();
        self.pending = Some(Pending::Answers(clock::now() + Micros::from_secs(3), asked));
    }

    /// Asks every daemon that can answer.
    fn ask(&mut self) {
        let now = clock::now();
        let running: Vec<NodeId> = self.cluster.lab.nodes().collect();
        for id in running {
            let asked = self.questions.iter().any(|question| question.node == id);
            let runs = self
                .cluster
                .member(id)
                .is_some_and(|member| member.condition == Condition::Running);
            let Some(path) = self.cluster.lab.node(id).map(super::Node::control_socket) else {
                continue;
            };
            if !runs {
                self.statuses.remove(&id);
            } else if !asked && let Ok(question) = Question::ask(id, &path, now) {
                // Nobody who listens yet is no news: the table says that there is no answer.
                self.questions.push(question);
            }
        }
    }

    fn hear_answers(&mut self) {
        let now = clock::now();
        let statuses = &mut self.statuses;
        self.questions.retain_mut(|question| match question.progress(now) {
            Progress::Waiting => true,
            Progress::Silence => {
                statuses.remove(&question.node);
                false
            }
            Progress::Answer(status) => {
                statuses.insert(question.node, *status);
                false
            }
        });
    }

    /// Looks whether what is waited for has come, and does the commands that are due.
    fn go_on(&mut self, reader: &Reader, manner: &Manner) -> io::Result<()> {
        loop {
            if self.over || !self.has_come()? {
                return Ok(());
            }
            let Some(line) = self.waiting.pop_front() else {
                let ended = !reader.open && !reader.is_person && manner.limit.is_none();
                if ended && self.chronicle.quiet(clock::now()) >= self.plan.calm {
                    self.over = true;
                }
                return Ok(());
            };
            let instances: Vec<String> = self.plan.routers.iter().map(|router| router.name.clone()).collect();
            let names = Names {
                nodes: &self.names,
                instances: &instances,
            };
            match parse(&line, names) {
                Ok(None) => {}
                Ok(Some(command)) => {
                    self.tell(&format!("> {}", line.trim()));
                    self.done(command)?;
                }
                Err(error) => {
                    self.tell(&format!("> {}", line.trim()));
                    self.refuse(&error);
                }
            }
        }
    }

    /// Whether nothing is waited for (any more).
    fn has_come(&mut self) -> io::Result<bool> {
        let now = clock::now();
        let Some(pending) = self.pending.take() else {
            return Ok(true);
        };
        let come = match &pending {
            Pending::Until(end) => now >= *end,
            Pending::Calm(end) => {
                let calm = self.chronicle.quiet(now) >= self.plan.calm;
                if !calm && now >= *end {
                    self.refuse("it has not become calm in time");
                }
                calm || now >= *end
            }
            Pending::Masters {
                who,
                instance,
                since,
                end,
            } => self.masters_have_come(who, instance.as_deref(), *since, *end),
            Pending::Answers(end, asked) => {
                let come = self.questions.is_empty() || now >= *end;
                if come {
                    self.show_answers(*asked);
                }
                come
            }
            Pending::Run(program, end) => {
                let runs = self.cluster.lab.runs(*program);
                if runs && now >= *end {
                    self.cluster
                        .lab
                        .signal_all(*program, nix::sys::signal::Signal::SIGKILL)?;
                    self.refuse("it has taken too long and was killed");
                }
                !runs || now >= *end
            }
        };
        if !come {
            self.pending = Some(pending);
        }
        Ok(come)
    }

    fn masters_have_come(&mut self, who: &Who, instance: Option<&str>, since: Instant, end: Instant) -> bool {
        let now = clock::now();
        let mut all = true;
        let mut found = Vec::new();
        for (index, router) in self.plan.routers.iter().enumerate() {
            if instance.is_some_and(|name| name != router.name) {
                continue;
            }
            let masters = self.chronicle.masters(index, now);
            all &= match who {
                Who::One => masters.len() == 1,
                Who::These(nodes) => masters == *nodes,
            };
            let names: Vec<&str> = masters.iter().map(|id| self.cluster.lab.name(*id)).collect();
            let names = if names.is_empty() {
                "nobody".to_owned()
            } else {
                names.join(" and ")
            };
            found.push(format!("{}: {names}", router.name));
        }
        let found = found.join("; ");
        if all {
            self.tell(&format!(
                "master after {} s of waiting: {found}",
                seconds(now.since(since))
            ));
        } else if now >= end {
            let waited = seconds(now.since(since));
            self.refuse(&format!("this has not come within {waited} s; master is {found}"));
        }
        all || now >= end
    }

    /// The reasons of one node, or the table.
    fn show_answers(&mut self, asked: Option<NodeId>) {
        let Some(id) = asked else {
            let lines = table::lines(&self.rows(), None);
            return self.tell_all(&lines.join("\n"));
        };
        match self.statuses.get(&id) {
            Some(status) => {
                let text = why::stories(status);
                self.tell_all(&text);
            }
            None => self.refuse(&format!("the daemon of {} does not answer", self.cluster.lab.name(id))),
        }
    }

    fn rows(&self) -> Vec<Vec<table::Cell>> {
        table::rows(&self.cluster, &self.chronicle, &self.plan.routers, &self.statuses)
    }

    /// Does a command, or begins to.
    fn done(&mut self, command: Command) -> io::Result<()> {
        let now = clock::now();
        match command {
            Command::Fail(id, script) => self.fault(|c| c.set_checks(id, script.as_deref(), true)),
            Command::Mend(id, script) => self.fault(|c| c.set_checks(id, script.as_deref(), false)),
            Command::Kill(ids) => self.faults(&ids, Cluster::kill),
            Command::Stop(ids) => self.faults(&ids, Cluster::stop),
            Command::Start(ids) => self.faults(&ids, Cluster::start),
            Command::Pause(ids) => self.faults(&ids, Cluster::pause),
            Command::Resume(ids) => self.faults(&ids, Cluster::resume),
            Command::Heal(ids) => self.faults(&ids, Cluster::heal),
            Command::Cut(id, cut, link) => self.fault(|c| c.cut(id, cut, link.as_deref())),
            Command::Unplug(id, link) => self.fault(|c| c.unplug(id, link.as_deref())),
            Command::Wait(Wait::For(time)) => {
                self.pending = Some(Pending::Until(now + time));
                Ok(())
            }
            Command::Wait(Wait::Calm(within)) => {
                self.pending = Some(Pending::Calm(now + within));
                Ok(())
            }
            Command::Wait(Wait::Masters { who, instance, within }) => {
                self.pending = Some(Pending::Masters {
                    who,
                    instance,
                    since: now,
                    end: now + within,
                });
                Ok(())
            }
            Command::Status => {
                self.ask_for(None);
                Ok(())
            }
            Command::Why(id) => {
                self.ask_for(Some(id));
                Ok(())
            }
            Command::Log(id, count) => {
                let log = self.cluster.member(id).map(|member| &member.log);
                let lines: Vec<String> = log
                    .into_iter()
                    .flat_map(|log| log.iter().skip(log.len().saturating_sub(count)).cloned())
                    .collect();
                self.tell_all(&lines.join("\n"));
                Ok(())
            }
            Command::Run(id, command) => {
                let program = self.cluster.run(id, &command)?;
                self.pending = Some(Pending::Run(program, now + RUN_LIMIT));
                Ok(())
            }
            Command::Help => {
                self.tell_all(HELP);
                self.tell_all(HOW_CHECKS_FAIL);
                Ok(())
            }
            Command::Quit => {
                self.conclude();
                self.over = true;
                Ok(())
            }
        }
    }

    fn faults(&mut self, ids: &[NodeId], act: fn(&mut Cluster, NodeId) -> Answer) -> io::Result<()> {
        ids.iter().try_for_each(|id| self.fault(|cluster| act(cluster, *id)))
    }

    /// Does something to the cluster; from then on times are told since now.
    fn fault(&mut self, act: impl FnOnce(&mut Cluster) -> Answer) -> io::Result<()> {
        // What was seen before belongs to the cause before.
        self.take_in()?;
        let at = clock::now();
        match act(&mut self.cluster)? {
            Ok(text) => {
                self.chronicle.begin_cause(at);
                let line = self.chronicle.line(at, &text);
                self.story.push(line);
            }
            Err(refusal) => self.refuse(&refusal),
        }
        Ok(())
    }

    fn known_words(&self, wanted: bool) -> Vec<String> {
        if !wanted {
            return Vec::new();
        }
        let verbs = HELP.lines().filter(|line| !line.starts_with(' '));
        let verbs = verbs
            .filter_map(|line| line.split([' ', ',']).next())
            .map(str::to_owned);
        let more = ["quit", "master", "calm", "within", "both", "all"].map(str::to_owned);
        let mut words: Vec<String> = verbs.chain(more).chain(self.names.iter().cloned()).collect();
        words.extend(self.plan.routers.iter().map(|router| router.name.clone()));
        for member in &self.cluster.members {
            words.extend(checks::all(&member.prepared).into_iter().map(|(_, name)| name));
        }
        words.sort();
        words.dedup();
        words
    }

    /// Brings the story and the table onto the screen.
    fn show(&mut self, editor: Option<&Editor>) {
        let story = std::mem::take(&mut self.story);
        if !self.live {
            self.screen.append(&story);
            return;
        }
        let now = clock::now();
        if !story.is_empty() {
            // What has changed in the kernels and on the wire is about to change in the daemons' answers.
            self.next_round = self.next_round.min(now + SOON);
        }
        if now >= self.next_round {
            self.ask();
            self.next_round = now + ROUND;
        }
        let (width, height) = size();
        let mut table = vec!["─".repeat(width.saturating_sub(1))];
        table.extend(table::lines(&self.rows(), Some(width.saturating_sub(1))));
        // The story keeps half of the screen.
        let fits = (height / 2).max(3);
        if table.len() > fits {
            let hidden = table.len() - fits + 1;
            table.truncate(fits - 1);
            table.push(format!("... and {hidden} more rows: `status` shows all"));
        }
        let prompt = editor.map_or_else(String::new, |editor| format!("> {}", editor.text()));
        let below = Below {
            table: &table,
            prompt: &prompt,
        };
        self.screen.draw(&story, &below, width);
    }
}

impl Pending {
    /// Whether nothing is lost when the time is up: only time or calm was waited for.
    const fn is_last(&self) -> bool {
        matches!(self, Self::Until(_) | Self::Calm(_))
    }
}
