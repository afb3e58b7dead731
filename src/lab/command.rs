//! What a person may type in a lab, or write in a script for it: one command a line.

use super::faults::Cut;
use super::node::NodeId;
use crate::model::Micros;

/// A command, with the nodes that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Shows the table.
    Status,
    /// Makes scripts, files and processes fail; `None` = all of the node.
    Fail(NodeId, Option<String>),
    /// Lets checks be what they are again.
    Mend(NodeId, Option<String>),
    /// SIGKILL to every process of the daemon.
    Kill(Vec<NodeId>),
    /// SIGTERM.
    Stop(Vec<NodeId>),
    /// Starts the daemon.
    Start(Vec<NodeId>),
    /// SIGSTOP to every process of the daemon.
    Pause(Vec<NodeId>),
    /// SIGCONT.
    Resume(Vec<NodeId>),
    /// Cuts cables without anybody noticing; `None` = all of the node.
    Cut(NodeId, Cut, Option<String>),
    /// Pulls plugs: the links go down.
    Unplug(NodeId, Option<String>),
    /// Mends cables and puts plugs in.
    Heal(Vec<NodeId>),
    /// Waits.
    Wait(Wait),
    /// Tells why the instances of a node are in their states.
    Why(NodeId),
    /// Shows the end of the daemon's log.
    Log(NodeId, usize),
    /// Runs a shell command in a node.
    Run(NodeId, String),
    /// Shows this list.
    Help,
    /// Ends the lab.
    Quit,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wait {
    /// A time.
    For(Micros),
    /// Nothing has changed for so long that nothing more will; at most this long.
    Calm(Micros),
    /// These nodes are masters; at most this long.
    Masters {
        /// Which.
        who: Who,
        /// Of this instance; `None` = of every one.
        instance: Option<String>,
        /// The longest wait.
        within: Micros,
    },
}

/// Who is to be master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// Exactly one node, whichever.
    One,
    /// Exactly these, none when empty.
    These(Vec<NodeId>),
}

/// The longest that `wait master` and `wait calm` wait when nothing else is said.
pub(super) const PATIENCE: Micros = Micros::from_secs(60);

/// Lines that `log` shows when nothing else is said.
const LINES: usize = 20;

/// The list of commands.
pub const HELP: &str = "\
status                      the table: state and priority from the daemons, addresses from the kernels
fail NODE [CHECK]           make a script, a tracked file or a tracked process fail (all of the node without CHECK)
mend NODE [CHECK]           let it be what it is again; a process gets a stand-in
stop NODE...                end the daemon in order (SIGTERM)
kill NODE...                kill every process of the daemon at once (SIGKILL): nobody cleans up
start NODE...               start it again
pause NODE...               stop every process of the daemon (SIGSTOP), as a machine that hangs
resume NODE...              let them go on
cut NODE [in|out|both] [INTERFACE]
                            cut the cable while the link stays up: in = the node hears nothing,
                            out = it is not heard, both = neither (default)
unplug NODE [INTERFACE]     pull the plug: the link goes down, and the node knows
heal NODE...                mend all cables of the node, put all plugs in
wait DURATION               500ms, 30s, 2m
wait calm [within DURATION] until nothing has changed for so long that nothing more will follow
wait master NODE[+NODE...]|one|none [INSTANCE] [within DURATION]
                            until exactly these send adverts and hold the addresses (default: within 60s)
why NODE                    why its instances are in their states
log NODE [LINES]            the end of its log
run NODE COMMAND...         a shell command in the node, e.g. run n1 ip addr
help, quit
";

/// How `fail` works, for `help` and the manual.
pub const HOW_CHECKS_FAIL: &str = "\
`fail` works by a gate: each daemon gets its file with one change, the command of each vrrp_script is run by
/run/.lab/gate, which fails at once while the gate is closed and otherwise becomes the command itself, as the same
user. Tracked files are /run/.lab/file.N in the nodes, with what the machine's hold; `fail` writes a number that is a
fault there. Processes of a tracked name are ended by `fail`, `mend` starts a stand-in of that name. The lab has read
the changed file and compared: nothing else differs.
";

/// What the words of a command are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    /// The nodes, in order.
    pub(super) nodes: &'a [String],
    /// The instances.
    pub(super) instances: &'a [String],
}

impl Names<'_> {
    fn node(&self, word: &str) -> Result<NodeId, String> {
        let by_name = self.nodes.iter().position(|name| name == word);
        let number = || {
            word.parse::<usize>()
                .ok()?
                .checked_sub(1)
                .filter(|at| *at < self.nodes.len())
        };
        by_name
            .or_else(number)
            .map(NodeId)
            .ok_or_else(|| format!("there is no node {word}; there are: {}", self.nodes.join(", ")))
    }

    fn nodes(&self, words: &[&str]) -> Result<Vec<NodeId>, String> {
        match words {
            [] => Err("name a node, or `all`".into()),
            ["all"] => Ok((0..self.nodes.len()).map(NodeId).collect()),
            words => words.iter().map(|word| self.node(word)).collect(),
        }
    }

    fn one<'w>(&self, words: &[&'w str]) -> Result<(NodeId, Option<&'w str>), String> {
        match words {
            [node] => Ok((self.node(node)?, None)),
            [node, what] => Ok((self.node(node)?, Some(what))),
            [] => Err("name a node".into()),
            [_, _, more, ..] => Err(format!("what is `{more}`?")),
        }
    }
}

/// Reads a line; `None` when there is nothing on it but blanks and a comment.
///
/// # Errors
/// What cannot be understood, in a sentence.
pub(super) fn parse(line: &str, names: Names<'_>) -> Result<Option<Command>, String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let Some((verb, _)) = words.split_first().filter(|(verb, _)| !verb.starts_with('#')) else {
        return Ok(None);
    };
    if *verb == "run" {
        return run(line, names).map(Some);
    }
    let end = words
        .iter()
        .position(|word| word.starts_with('#'))
        .unwrap_or(words.len());
    let rest = words.get(1..end).unwrap_or_default();
    let owned = |(node, what): (NodeId, Option<&str>)| (node, what.map(str::to_owned));
    let command = match *verb {
        "status" => nothing(rest, Command::Status)?,
        "help" | "?" => nothing(rest, Command::Help)?,
        "quit" | "exit" => nothing(rest, Command::Quit)?,
        "fail" => names
            .one(rest)
            .map(owned)
            .map(|(node, script)| Command::Fail(node, script))?,
        "mend" => names
            .one(rest)
            .map(owned)
            .map(|(node, script)| Command::Mend(node, script))?,
        "kill" => Command::Kill(names.nodes(rest)?),
        "stop" => Command::Stop(names.nodes(rest)?),
        "start" => Command::Start(names.nodes(rest)?),
        "pause" => Command::Pause(names.nodes(rest)?),
        "resume" => Command::Resume(names.nodes(rest)?),
        "heal" => Command::Heal(names.nodes(rest)?),
        "cut" => cut(rest, names)?,
        "unplug" => names
            .one(rest)
            .map(owned)
            .map(|(node, link)| Command::Unplug(node, link))?,
        "wait" => Command::Wait(wait(rest, names)?),
        "why" => match names.one(rest)? {
            (node, None) => Command::Why(node),
            (_, Some(more)) => return Err(format!("what is `{more}`?")),
        },
        "log" => log(rest, names)?,
        other => return Err(format!("there is no command `{other}`; `help` lists them")),
    };
    Ok(Some(command))
}

fn nothing(rest: &[&str], command: Command) -> Result<Command, String> {
    rest.first()
        .map_or(Ok(command), |more| Err(format!("what is `{more}`?")))
}

/// Everything behind the node is the shell's.
fn run(line: &str, names: Names<'_>) -> Result<Command, String> {
    let after = |text: &str| {
        let text = text.trim_start();
        let end = text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        (word.to_owned(), rest.trim().to_owned())
    };
    let (node, command) = after(&after(line).1);
    if command.is_empty() {
        return Err("say in which node, and what: run NODE COMMAND...".into());
    }
    Ok(Command::Run(names.node(&node)?, command))
}

fn cut(rest: &[&str], names: Names<'_>) -> Result<Command, String> {
    let (node, rest) = rest.split_first().ok_or("name a node")?;
    let node = names.node(node)?;
    let way = |word: &str| match word {
        "in" => Some(Cut::Inbound),
        "out" => Some(Cut::Outbound),
        "both" => Some(Cut::Both),
        _ => None,
    };
    let link = |word: &str| Some(word.to_owned());
    match rest {
        [] => Ok(Command::Cut(node, Cut::Both, None)),
        [word] => Ok(way(word).map_or_else(
            || Command::Cut(node, Cut::Both, link(word)),
            |way| Command::Cut(node, way, None),
        )),
        [first, second] => way(first)
            .map(|way| Command::Cut(node, way, link(second)))
            .ok_or_else(|| format!("`{first}` is no way; there are in, out, both")),
        [_, _, more, ..] => Err(format!("what is `{more}`?")),
    }
}

fn log(rest: &[&str], names: Names<'_>) -> Result<Command, String> {
    let (node, lines) = names.one(rest)?;
    let number = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number of lines"));
    Ok(Command::Log(node, lines.map_or(Ok(LINES), number)?))
}

fn wait(rest: &[&str], names: Names<'_>) -> Result<Wait, String> {
    let (rest, within) = match rest {
        [rest @ .., "within", limit] => (rest, duration(limit)?),
        rest => (rest, PATIENCE),
    };
    match rest {
        ["calm"] => Ok(Wait::Calm(within)),
        ["master", who] => Ok(Wait::Masters {
            who: masters(who, names)?,
            instance: None,
            within,
        }),
        ["master", who, instance] => {
            if !names.instances.iter().any(|name| name == instance) {
                let known = names.instances.join(", ");
                return Err(format!("there is no instance {instance}; there are: {known}"));
            }
            Ok(Wait::Masters {
                who: masters(who, names)?,
                instance: Some((*instance).to_owned()),
                within,
            })
        }
        [time] => duration(time).map(Wait::For),
        _ => Err("wait for what? a DURATION, `calm`, or `master NODE`".into()),
    }
}

fn masters(word: &str, names: Names<'_>) -> Result<Who, String> {
    match word {
        "one" => Ok(Who::One),
        "none" => Ok(Who::These(Vec::new())),
        word => {
            let mut nodes: Vec<NodeId> = word.split('+').map(|name| names.node(name)).collect::<Result<_, _>>()?;
            nodes.sort_unstable();
            nodes.dedup();
            Ok(Who::These(nodes))
        }
    }
}

/// Reads `500ms`, `1.5s`, `2m`, `1h`; a number without a unit is seconds.
///
/// # Errors
/// When it is none.
pub fn duration(word: &str) -> Result<Micros, String> {
    let digits = word
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let unit = match unit {
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        _ => 0_u64,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(unit));
    // Six digits are as fine as the clock.
    let fraction = format!("{fraction:0<6}")
        .get(..6)
        .and_then(|digits| digits.parse::<u64>().ok());
    match (whole, fraction) {
        (Some(whole), Some(fraction)) if unit > 0 => Ok(Micros(whole.saturating_add(fraction * unit / 1_000_000))),
        _ => Err(format!("`{word}` is no duration; write 500ms, 30s, 2m or 1h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Command>, String> {
        let nodes = ["n1", "n2", "k8s-3"].map(str::to_owned);
        let instances = ["VI_1", "VI_2"].map(str::to_owned);
        parse(
            line,
            Names {
                nodes: &nodes,
                instances: &instances,
            },
        )
    }

    fn good(line: &str) -> Command {
        read(line).unwrap().unwrap()
    }

    const N1: NodeId = NodeId(0);
    const N2: NodeId = NodeId(1);

    #[test]
    fn nodes_are_named_by_name_by_number_or_all_at_once() {
        assert_eq!(good("kill n1"), Command::Kill(vec![N1]));
        assert_eq!(good("  stop 2 n1 # both"), Command::Stop(vec![N2, N1]));
        assert_eq!(good("start all"), Command::Start(vec![N1, N2, NodeId(2)]));
        assert_eq!(good("why k8s-3"), Command::Why(NodeId(2)));
    }

    #[test]
    fn faults_take_what_they_are_about() {
        assert_eq!(good("fail n1"), Command::Fail(N1, None));
        assert_eq!(good("fail n1 chk"), Command::Fail(N1, Some("chk".into())));
        assert_eq!(good("cut n1"), Command::Cut(N1, Cut::Both, None));
        assert_eq!(good("cut n1 in"), Command::Cut(N1, Cut::Inbound, None));
        assert_eq!(good("cut n1 eth1"), Command::Cut(N1, Cut::Both, Some("eth1".into())));
        assert_eq!(
            good("cut n1 out eth1"),
            Command::Cut(N1, Cut::Outbound, Some("eth1".into()))
        );
        assert_eq!(good("unplug n2 eth1"), Command::Unplug(N2, Some("eth1".into())));
        assert_eq!(good("log n2 5"), Command::Log(N2, 5));
        assert_eq!(
            good("run n2 ip -4 addr # shown"),
            Command::Run(N2, "ip -4 addr # shown".into())
        );
    }

    #[test]
    fn waits_are_for_a_time_for_calm_or_for_masters() {
        assert_eq!(good("wait 1.5s"), Command::Wait(Wait::For(Micros::from_millis(1_500))));
        assert_eq!(
            good("wait calm within 5s"),
            Command::Wait(Wait::Calm(Micros::from_secs(5)))
        );
        let masters = |who, instance: Option<&str>, within| {
            Command::Wait(Wait::Masters {
                who,
                instance: instance.map(str::to_owned),
                within,
            })
        };
        let both = Who::These(vec![N1, N2]);
        assert_eq!(good("wait master n2+n1"), masters(both, None, PATIENCE));
        assert_eq!(good("wait master one VI_2"), masters(Who::One, Some("VI_2"), PATIENCE));
        let nobody = Who::These(Vec::new());
        assert_eq!(
            good("wait master none within 2m"),
            masters(nobody, None, Micros::from_secs(120))
        );
    }

    #[test]
    fn blank_lines_and_comments_are_nothing() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("  # kill n1"), Ok(None));
    }

    #[test]
    fn what_cannot_be_understood_is_said_in_a_sentence() {
        for (line, part) in [
            ("destroy n1", "no command `destroy`"),
            ("kill", "name a node"),
            ("kill n9", "no node n9; there are: n1, n2, k8s-3"),
            ("kill 0", "no node 0"),
            ("fail n1 chk more", "what is `more`?"),
            ("status now", "what is `now`?"),
            ("cut n1 up eth0", "`up` is no way"),
            ("wait", "wait for what?"),
            ("wait soon", "`soon` is no duration"),
            ("wait 5 parsecs", "wait for what?"),
            ("wait master n1 VI_9", "no instance VI_9"),
            ("wait master n1+n9", "no node n9"),
            ("run n1", "run NODE COMMAND"),
            ("log n1 few", "no number of lines"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (word, millis) in [
            ("250ms", 250),
            ("3", 3_000),
            ("0.5s", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(word), Ok(Micros::from_millis(millis)), "{word}");
        }
        for word in ["", "s", "5d", "-1s", "1.2.3s", "99999999999999999999s"] {
            assert!(duration(word).is_err(), "{word}");
        }
    }
}
