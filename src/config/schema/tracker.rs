//! `track_file` and `vrrp_track_process`.

use super::keyword::{Block, Keyword, Table, flag, time};
use super::script::print_weight;
use super::value::{Read, Time, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::Context;
use crate::config::tree::Node;
use crate::model::{FileInit, Micros, ParamMatch, Weight};
use std::sync::Arc;

/// A tracked file as written.
#[derive(Debug, Default)]
pub(in crate::config) struct File {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) path: Option<String>,
    pub(in crate::config) weight: Option<Weight>,
    pub(in crate::config) init: Option<FileInit>,
}

impl Block for File {
    fn name(&self) -> &str {
        &self.name
    }
}

pub(in crate::config) const FILE: Table<File> = Table {
    path: "track_file",
    keywords: &[&[
        Keyword::<File>::custom("file", "PATH", "", file_path, |d, _| {
            d.path.iter().map(|path| super::global::quoted(path)).collect()
        })
        .restart()
        .doc("none, required", "The file, which holds a number."),
        Keyword::<File>::custom("weight", "N [reverse]", "-254..254", file_weight, |d, _| {
            d.weight.map_or_else(Vec::new, |weight| print_weight(weight, 1))
        })
        .doc(
            "1",
            "The number is multiplied by it; 0: a number other than 0 is a fault.",
        ),
        Keyword::<File>::custom("init_file", "[VALUE] [overwrite]", "-254..254", init_file, |d, _| {
            let print = |init: FileInit| format!("{}{}", init.value, if init.overwrite { " overwrite" } else { "" });
            d.init.map(print).into_iter().collect()
        })
        .nothing()
        .doc("not written", "Makes the file at the start, with this number."),
    ]],
};

fn file_path(node: &Node, draft: &mut File, ctx: &mut Context<'_>) {
    let name = &draft.name;
    match node.first() {
        None => {
            let message = "track file file name missing".into();
            ctx.reports
                .at(node.place, Code::MissingParameter, Class::General, message);
        }
        Some(path) if draft.path.is_some() => {
            let message = format!("File already set for track file {name} - ignoring {path}");
            ctx.reports
                .at(node.place_of(1), Code::AlreadyDefined, Class::General, message);
        }
        Some(path) => draft.path = Some(path.to_owned()),
    }
}

fn file_weight(node: &Node, draft: &mut File, ctx: &mut Context<'_>) {
    let name = &draft.name;
    let Some(text) = node.first() else {
        let message = format!("No weight specified for track file {name} - ignoring");
        return no_weight(node, message, ctx);
    };
    if draft.weight.is_some_and(|weight| weight.value() != 1) {
        let message = format!("Weight already set for track file {name} - ignoring {text}");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    let value = match ctx.number(number(-254, 254).read(text, ctx.test), node, 1) {
        Ok(value) => value,
        Err(detail) => {
            let message =
                format!("Weight ({text}) for track_file {name} must be between [-254..254] inclusive. Ignoring...");
            ctx.reports
                .at(node.place_of(1), Code::WeightOutOfRange, Class::General, message)
                .detail = detail;
            1
        }
    };
    draft.weight = with_reverse(value, node, "track_file", name, ctx);
}

fn no_weight(node: &Node, message: String, ctx: &mut Context<'_>) {
    ctx.reports
        .at(node.place, Code::MissingParameter, Class::General, message);
}

/// A weight with the word behind it.
fn with_reverse(value: i64, node: &Node, kind: &str, name: &str, ctx: &mut Context<'_>) -> Option<Weight> {
    let reverse = match node.word(2) {
        None => false,
        Some("reverse") => true,
        Some(other) => {
            let message = format!("{kind} {name} unknown weight option {other}");
            ctx.reports
                .at(node.place_of(2), Code::BadValue, Class::General, message);
            false
        }
    };
    i16::try_from(value)
        .ok()
        .and_then(|value| Weight::new(value, reverse).ok())
}

fn init_file(node: &Node, draft: &mut File, ctx: &mut Context<'_>) {
    let mut init = FileInit {
        value: 0,
        overwrite: false,
    };
    for (index, word) in (1..).zip(node.args()) {
        if word == "overwrite" {
            init.overwrite = true;
        } else if word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
            let read = number(-2_147_483_648, 2_147_483_647).read(word, true);
            match read {
                Read::Good(value) => {
                    if !(-254..=254).contains(&value) {
                        let message = format!(
                            "Track file {} init value {value} is outside sensible range [-254, 254]",
                            draft.name
                        );
                        ctx.reports
                            .at(node.place_of(index), Code::BadNumber, Class::General, message);
                    }
                    init.value = i32::try_from(value).unwrap_or(0);
                }
                Read::Warned(_, why) => told_init(node, index, word, Some(why), draft, ctx),
                Read::Bad(why) => told_init(node, index, word, why, draft, ctx),
            }
        } else {
            let message = format!("Unknown track file init option {word}");
            ctx.reports
                .at(node.place_of(index), Code::BadValue, Class::General, message);
        }
    }
    draft.init = Some(init);
}

fn told_init(node: &Node, index: usize, word: &str, why: Option<String>, draft: &File, ctx: &mut Context<'_>) {
    let message = format!("Track file {} init value {word} is invalid", draft.name);
    let diagnostic = ctx
        .reports
        .at(node.place_of(index), Code::BadNumber, Class::General, message);
    diagnostic.detail = why;
}

/// A tracked process as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Process {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) process: Option<String>,
    pub(in crate::config) parameters: Vec<String>,
    pub(in crate::config) param_match: Option<ParamMatch>,
    pub(in crate::config) weight: Weight,
    pub(in crate::config) quorum: Option<u32>,
    pub(in crate::config) quorum_max: Option<u32>,
    pub(in crate::config) terminate_delay: Micros,
    pub(in crate::config) fork_delay: Micros,
    pub(in crate::config) full_command: bool,
}

impl Block for Process {
    fn name(&self) -> &str {
        &self.name
    }
}

const DELAY: Time = Time::seconds(6, 1, 3_600_000_000);
const BAD_DELAY: &str = "{k} ({v}) for vrrp_track_process {n} must be between [0.000001..3600] inclusive. Ignoring...";

pub(in crate::config) const PROCESS: Table<Process> = Table {
    path: "vrrp_track_process",
    keywords: &[&[
        Keyword::<Process>::custom("process", "PATH [PARAM ...]", "", process, |d, _| {
            let words = d
                .process
                .iter()
                .chain(&d.parameters)
                .map(|word| super::global::quoted(word));
            let text = words.collect::<Vec<_>>().join(" ");
            d.process.iter().map(|_| text.clone()).collect()
        })
        .restart()
        .doc("none, required", "Name of the program, or its path and parameters."),
        Keyword::<Process>::custom("param_match", "[initial|partial]", "", param_match, |d, _| {
            match d.param_match {
                None => Vec::new(),
                Some(ParamMatch::Exact) => vec![String::new()],
                Some(ParamMatch::Initial) => vec!["initial".into()],
                Some(ParamMatch::Partial) => vec!["partial".into()],
            }
        })
        .restart()
        .doc("exact, if parameters are written", "How parameters are compared."),
        Keyword::<Process>::custom("weight", "N [reverse]", "-254..254", process_weight, |d, _| {
            print_weight(d.weight, 0)
        })
        .doc("0", "Default weight; 0: too few processes are a fault."),
        Keyword::<Process>::int(
            "quorum",
            "N",
            number(1, 65_535),
            (|d, n| d.quorum = u32::try_from(n).ok(), |d| d.quorum.map(i64::from)),
        )
        .bad("Quorum ({v}) for vrrp_track_process {n} must be between [1..65535] inclusive. Ignoring...")
        .doc("1", "So many have to run."),
        Keyword::<Process>::custom("quorum_max", "N", "0..65535", quorum_max, |d, _| {
            d.quorum_max.iter().map(ToString::to_string).collect()
        })
        .doc("unlimited", "No more may run."),
        Keyword::<Process>::time(
            "delay",
            DELAY,
            (
                |d, time| {
                    d.terminate_delay = time;
                    d.fork_delay = time;
                },
                |_| None,
            ),
        )
        .bad(BAD_DELAY)
        .doc("0", "Both delays."),
        Keyword::<Process>::time("terminate_delay", DELAY, time!(terminate_delay = Micros::ZERO))
            .bad(BAD_DELAY)
            .doc("0", "Delay after too few run."),
        Keyword::<Process>::time("fork_delay", DELAY, time!(fork_delay = Micros::ZERO))
            .bad(BAD_DELAY)
            .doc("0", "Delay after enough run."),
        Keyword::<Process>::flag("full_command", flag!(full_command))
            .restart()
            .doc("off", "Compares the command line instead of the short name."),
    ]],
};

fn process(node: &Node, draft: &mut Process, ctx: &mut Context<'_>) {
    let Some(program) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    if draft.process.is_some() {
        let message = format!("Process already set for track process {name} - ignoring {program}");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    draft.process = Some(program.to_owned());
    draft.parameters = node.args().skip(1).map(str::to_owned).collect();
    if !draft.parameters.is_empty() {
        draft.full_command = true;
        draft.param_match.get_or_insert(ParamMatch::Exact);
    }
}

fn param_match(node: &Node, draft: &mut Process, ctx: &mut Context<'_>) {
    match node.first() {
        None => draft.param_match = Some(ParamMatch::Exact),
        Some("initial") => draft.param_match = Some(ParamMatch::Initial),
        Some("partial") => draft.param_match = Some(ParamMatch::Partial),
        Some(other) => {
            let message = format!("Invalid param_match type {other} - ignoring");
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

fn process_weight(node: &Node, draft: &mut Process, ctx: &mut Context<'_>) {
    let name = draft.name.clone();
    let Some(text) = node.first() else {
        let message = format!("No weight specified for track process {name} - ignoring");
        return no_weight(node, message, ctx);
    };
    if draft.weight.value() != 0 {
        let message = format!("Weight already set for track process {name} - ignoring {text}");
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    match ctx.number(number(-254, 254).read(text, ctx.test), node, 1) {
        Ok(value) => draft.weight = with_reverse(value, node, "vrrp_track_process", &name, ctx).unwrap_or_default(),
        Err(detail) => {
            let message = format!(
                "Weight ({text}) for vrrp_track_process {name} must be between [-254..254] inclusive. Ignoring..."
            );
            ctx.reports
                .at(node.place_of(1), Code::WeightOutOfRange, Class::General, message)
                .detail = detail;
        }
    }
}

fn quorum_max(node: &Node, draft: &mut Process, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    let read = strict(0, 65_535).read(text, true);
    let Read::Good(max) = read else {
        let message = format!(
            "quorum_max ({text}) for vrrp_track_process {name} must be between [0..65535] inclusive. Ignoring..."
        );
        let diagnostic = ctx
            .reports
            .at(node.place_of(1), Code::BadNumber, Class::General, message);
        if let Read::Bad(why) = read {
            diagnostic.detail = why;
        }
        return;
    };
    let max = u32::try_from(max).unwrap_or(0);
    if max == 0 {
        draft.quorum = Some(0);
    } else if draft.quorum.is_some_and(|quorum| max < quorum) {
        let message = "quorum_max is less than quorum - ignoring".into();
        ctx.reports
            .at(node.place_of(1), Code::Conflict, Class::General, message);
        return;
    }
    draft.quorum_max = Some(max);
}
