//! Lines of `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd` (semantic-checks §2).

use super::{Context, Kind, Names};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::schema::number;
use crate::config::tree::Node;
use crate::model::{
    BfdId, IfName, Model, ProcessId, ScriptId, TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript,
    TrackedFileId, Weight,
};

/// What an instance or a group tracks, as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Tracks {
    pub(in crate::config) interfaces: Vec<TrackInterface>,
    pub(in crate::config) scripts: Vec<TrackScript>,
    pub(in crate::config) files: Vec<TrackFile>,
    pub(in crate::config) processes: Vec<TrackProcess>,
    pub(in crate::config) bfds: Vec<TrackBfd>,
}

/// How a kind of line words its problems.
struct Words {
    /// `track script`.
    what: &'static str,
    /// `track_script`.
    keyword: &'static str,
    /// An option that nobody knows: before `option`, is the name told?
    names_in_option: bool,
    max: i64,
    /// 254 becomes 253.
    no_254: bool,
    /// A word behind the weight that nobody knows drops the entry.
    drops: bool,
    noreverse: bool,
    /// How an impossible weight is told: `{n}` the block, `{w}` the weight, `{t}` the tracked thing.
    range: &'static str,
}

const INTERFACE: Words = Words {
    what: "track_interface",
    keyword: "track_interace",
    names_in_option: true,
    max: 254,
    no_254: true,
    drops: false,
    noreverse: false,
    range: "({n}) weight {w} for {t} must be between [-253..253] inclusive. Ignoring...",
};
const SCRIPT: Words = Words {
    what: "track script",
    keyword: "track_script",
    names_in_option: false,
    max: 254,
    no_254: true,
    drops: false,
    noreverse: true,
    range: "({n}) track script {t}: weight must be between [-253..253] inclusive, ignoring...",
};
const FILE: Words = Words {
    what: "track file",
    keyword: "track_file",
    names_in_option: false,
    max: 254,
    no_254: false,
    drops: true,
    noreverse: true,
    range: "({n}) weight for track file {t} must be in [-254..254] inclusive. Ignoring...",
};
const PROCESS: Words = Words {
    what: "track process",
    keyword: "track_process",
    names_in_option: false,
    max: 254,
    no_254: false,
    drops: false,
    noreverse: true,
    range: "({n}) weight for track process {t} must be in [-254..254] inclusive. Ignoring...",
};
const BFD: Words = Words {
    what: "track bfd",
    keyword: "track_bfd",
    names_in_option: true,
    max: 253,
    no_254: false,
    drops: true,
    noreverse: true,
    range: "({n}) weight for track bfd {t} must be in [-253..253] inclusive. Ignoring...",
};

impl Tracks {
    /// Gives back the room for more entries.
    pub(in crate::config) fn shrink(&mut self) {
        self.interfaces.shrink_to_fit();
        self.scripts.shrink_to_fit();
        self.files.shrink_to_fit();
        self.processes.shrink_to_fit();
        self.bfds.shrink_to_fit();
    }

    pub(in crate::config) fn interface(&mut self, node: &Node, name: &str, ctx: &mut Context<'_>) {
        let text = node.key();
        let Ok(interface) = text.parse::<IfName>() else {
            let message = format!("({name}) tracked interface {text} doesn't exist");
            ctx.reports.at(node.place_of(0), Code::BadName, Class::General, message);
            return;
        };
        if ctx.interface(&interface).is_none() && !ctx.is_link(&interface) {
            let message = format!("({name}) tracked interface {text} doesn't exist");
            ctx.missing_interface(node, 0, &interface, message);
        }
        let duplicate = self.interfaces.iter().any(|track| track.interface == interface);
        if is_duplicate(duplicate, node, "track_interface", name, ctx) {
            return;
        }
        if let Some(weight) = weight(node, &INTERFACE, Weight::ZERO, name, ctx) {
            self.interfaces.push(TrackInterface { interface, weight });
        }
    }

    pub(in crate::config) fn script(&mut self, node: &Node, name: &str, ctx: &mut Context<'_>) {
        let Some(known) = ctx.scripts.get(node.key()) else {
            return not_found(node, &SCRIPT, Kind::Script, name, ctx);
        };
        let script = ScriptId(known.id);
        let duplicate = self.scripts.iter().any(|track| track.script == script);
        if is_duplicate(duplicate, node, "track_script", name, ctx) {
            return;
        }
        if let Some(weight) = weight(node, &SCRIPT, known.weight, name, ctx) {
            self.scripts.push(TrackScript { script, weight });
        }
    }

    pub(in crate::config) fn file(&mut self, node: &Node, name: &str, ctx: &mut Context<'_>) {
        let Some(known) = ctx.files.get(node.key()) else {
            return not_found(node, &FILE, Kind::File, name, ctx);
        };
        let file = TrackedFileId(known.id);
        let duplicate = self.files.iter().any(|track| track.file == file);
        if is_duplicate(duplicate, node, "track_file", name, ctx) {
            return;
        }
        if let Some(weight) = weight(node, &FILE, known.weight, name, ctx) {
            self.files.push(TrackFile { file, weight });
        }
    }

    pub(in crate::config) fn process(&mut self, node: &Node, name: &str, ctx: &mut Context<'_>) {
        let Some(known) = ctx.processes.get(node.key()) else {
            return not_found(node, &PROCESS, Kind::Process, name, ctx);
        };
        let process = ProcessId(known.id);
        let duplicate = self.processes.iter().any(|track| track.process == process);
        if is_duplicate(duplicate, node, "track_process", name, ctx) {
            return;
        }
        if let Some(weight) = weight(node, &PROCESS, known.weight, name, ctx) {
            self.processes.push(TrackProcess { process, weight });
        }
    }

    pub(in crate::config) fn bfd(&mut self, node: &Node, name: &str, ctx: &mut Context<'_>) {
        let Some(known) = ctx.bfds.get(node.key()) else {
            return not_found(node, &BFD, Kind::Bfd, name, ctx);
        };
        let bfd = BfdId(known.id);
        let duplicate = self.bfds.iter().any(|track| track.bfd == bfd);
        if is_duplicate(duplicate, node, "track_bfd", name, ctx) {
            return;
        }
        if let Some(weight) = weight(node, &BFD, known.weight, name, ctx) {
            self.bfds.push(TrackBfd { bfd, weight });
        }
    }

    pub(in crate::config) fn print_interfaces(&self, _: &Names<'_>) -> Vec<String> {
        interfaces(&self.interfaces)
    }

    pub(in crate::config) fn print_scripts(&self, names: &Names<'_>) -> Vec<String> {
        scripts(&self.scripts, names.model)
    }

    pub(in crate::config) fn print_files(&self, names: &Names<'_>) -> Vec<String> {
        files(&self.files, names.model)
    }

    pub(in crate::config) fn print_processes(&self, names: &Names<'_>) -> Vec<String> {
        processes(&self.processes, names.model)
    }

    pub(in crate::config) fn print_bfds(&self, names: &Names<'_>) -> Vec<String> {
        bfds(&self.bfds, names.model)
    }
}

/// Lines of `track_interface`.
fn interfaces(tracks: &[TrackInterface]) -> Vec<String> {
    let print = |track: &TrackInterface| line(track.interface.as_str(), track.weight, Weight::ZERO);
    tracks.iter().map(print).collect()
}

/// Lines of `track_script`.
fn scripts(tracks: &[TrackScript], model: &Model) -> Vec<String> {
    let one = |track: &TrackScript| {
        let script = model.script(track.script)?;
        Some(line(&script.name, track.weight, script.weight))
    };
    tracks.iter().filter_map(one).collect()
}

/// Lines of `track_file`.
fn files(tracks: &[TrackFile], model: &Model) -> Vec<String> {
    let one = |track: &TrackFile| {
        let file = Names { model }.file(track.file)?;
        Some(line(&file.name, track.weight, file.weight))
    };
    tracks.iter().filter_map(one).collect()
}

/// Lines of `track_process`.
fn processes(tracks: &[TrackProcess], model: &Model) -> Vec<String> {
    let one = |track: &TrackProcess| {
        let process = Names { model }.process(track.process)?;
        Some(line(&process.name, track.weight, process.weight))
    };
    tracks.iter().filter_map(one).collect()
}

/// Lines of `track_bfd`.
fn bfds(tracks: &[TrackBfd], model: &Model) -> Vec<String> {
    let one = |track: &TrackBfd| {
        let bfd = Names { model }.bfd(track.bfd)?;
        Some(line(&bfd.name, track.weight, bfd.weight))
    };
    tracks.iter().filter_map(one).collect()
}

fn line(name: &str, weight: Weight, default: Weight) -> String {
    let name = crate::config::schema::global::quoted(name);
    if weight == default {
        return name;
    }
    let word = match (weight.is_reverse(), default.is_reverse()) {
        (true, _) => " reverse",
        (false, true) => " noreverse",
        (false, false) => "",
    };
    format!("{name} weight {}{word}", weight.value())
}

fn not_found(node: &Node, words: &Words, kind: Kind, name: &str, ctx: &mut Context<'_>) {
    let tracked = node.key();
    let message = format!("({name}) {} {tracked} not found, ignoring...", words.what);
    ctx.unknown_name(node, 0, tracked, kind, message);
}

fn is_duplicate(duplicate: bool, node: &Node, keyword: &str, name: &str, ctx: &mut Context<'_>) -> bool {
    if duplicate {
        let message = format!("({name}) duplicate {keyword} {} - ignoring", node.key());
        ctx.reports
            .at(node.place_of(0), Code::AlreadyDefined, Class::General, message);
    }
    duplicate
}

/// `[weight N [reverse|noreverse]]`; `None` if the entry is dropped.
fn weight(node: &Node, words: &Words, default: Weight, name: &str, ctx: &mut Context<'_>) -> Option<Weight> {
    let (what, tracked) = (words.what, node.key());
    match node.word(1) {
        None => return Some(default),
        Some("weight") => {}
        Some(other) => {
            let named = if words.names_in_option {
                format!(" {tracked}")
            } else {
                String::new()
            };
            let message = format!("({name}) unknown {what}{named} option {other} - ignoring");
            let diagnostic = ctx
                .reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
            diagnostic.hint = Some(format!("write `{tracked} weight N`"));
            return None;
        }
    }
    let Some(text) = node.word(2) else {
        let message = format!("({name}) weight without value specified for {what} {tracked} - ignoring");
        ctx.reports
            .at(node.place_of(1), Code::MissingParameter, Class::General, message);
        return None;
    };
    let range = number(-words.max, words.max);
    let mut value = match ctx.number(range.read(text, ctx.test), node, 2) {
        Ok(value) => value,
        Err(detail) => {
            let message = words
                .range
                .replace("{n}", name)
                .replace("{w}", text)
                .replace("{t}", tracked);
            ctx.reports
                .at(node.place_of(2), Code::WeightOutOfRange, Class::General, message)
                .detail = detail;
            return Some(default);
        }
    };
    if words.no_254 && value.abs() == 254 {
        let message = format!("({name}) weight for {tracked} cannot be +/-254. Setting to +/-253");
        ctx.reports
            .at(node.place_of(2), Code::WeightOutOfRange, Class::General, message);
        value = value.signum() * 253;
    }
    let reverse = match node.word(3) {
        Some("reverse") => true,
        Some("noreverse") if words.noreverse => false,
        None => default.is_reverse(),
        Some(other) => {
            // With blanks where the entry is dropped.
            let keyword = if words.drops {
                words.keyword.replace('_', " ")
            } else {
                words.keyword.to_owned()
            };
            let message = format!("({name}) unknown {keyword} {tracked} weight option {other} - ignoring");
            ctx.reports
                .at(node.place_of(3), Code::BadValue, Class::General, message);
            if words.drops {
                return None;
            }
            default.is_reverse()
        }
    };
    i16::try_from(value)
        .ok()
        .and_then(|value| Weight::new(value, reverse).ok())
}
