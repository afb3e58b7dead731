//! A configuration on its way: text of either language → tree → drafts → model.

use super::code::Code;
use super::diagnostic::Class;
use super::keepalived::{ReadOptions, Stopped};
use super::lower::Context;
use super::place::{Place, Reports};
use super::print::{self, Comments, Item, Marks};
use super::schema::{self, global, top};
use super::source::{Host, ReadError, Source};
use super::tree::Node;
use super::{LoadOptions, Loaded, Span, check, keepalived, lint, lower, pinpoint, toml};
use crate::model::Model;
use std::collections::BTreeMap;

/// The language of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// keepalived.conf.
    Keepalived,
    /// TOML.
    Toml,
}

impl Language {
    /// By the end of a file's name.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.ends_with(".toml") {
            Self::Toml
        } else {
            Self::Keepalived
        }
    }
}

/// Settings of `global_defs` that are safer than keepalived's defaults; they hold in TOML unless something else is written.
const SAFER: [(&str, &str); 4] = [
    // The loser of a dual master says once more that it is there, so that nobody else waits for it.
    ("vrrp_higher_prio_send_advert", "true"),
    // Neighbours that have missed the announcements of a take-over hear one within a minute.
    ("vrrp_garp_master_refresh", "60"),
    // A master that was asleep hears of another one before it speaks.
    ("vrrp_listen_after_stall", "true"),
    // A daemon that hangs does not keep its addresses.
    ("heartbeat_guard", "true"),
];

/// What was read so far.
pub(super) struct Reading<'h> {
    language: Language,
    host: &'h dyn Host,
    reports: Reports,
    ctx: Context<'h>,
    written: top::Draft,
    /// The tree, if it is kept.
    tree: Vec<Node>,
    files: Vec<String>,
    hash: u64,
    stopped: Option<Stopped>,
    /// Nothing may run, whatever else was read.
    refused: bool,
    /// Safer defaults than keepalived's hold.
    safer: bool,
}

impl<'h> Reading<'h> {
    /// Reads a file with everything that it includes. The tree is kept for those who look at the text again.
    pub(super) fn new(
        path: &str,
        source: &dyn Source,
        host: &'h dyn Host,
        options: &LoadOptions,
        keep_tree: bool,
    ) -> Self {
        let mut reading = Self {
            language: Language::of(path),
            host,
            reports: Reports::default(),
            ctx: Context::new(host, options.test),
            written: top::Draft::default(),
            tree: Vec::new(),
            files: Vec::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            stopped: None,
            refused: false,
            safer: false,
        };
        match reading.language {
            Language::Keepalived => reading.keepalived(path, source, options, keep_tree),
            Language::Toml => reading.toml(path, source, keep_tree),
        }
        reading
    }

    fn keepalived(&mut self, path: &str, source: &dyn Source, options: &LoadOptions, keep_tree: bool) {
        let config_id = options.config_id.clone().unwrap_or_else(|| {
            let name = self.host.node_name();
            name.split('.').next().unwrap_or_default().to_owned()
        });
        let how = ReadOptions {
            config_id: &config_id,
            text_limit: options.text_limit.unwrap_or(super::TEXT_LIMIT),
        };
        // The whole of global_defs counts before anything else is read, whatever the order in the file (config-language §0).
        let mut globals = GlobalsFirst::new(self.host, options.test);
        let sink = &mut |node: Node, _: &mut Reports| globals.read(&node);
        keepalived::read(path, source, self.host, &how, &mut Reports::default(), sink);
        globals.tell(&mut self.ctx);
        let Self {
            reports,
            ctx,
            written,
            tree,
            ..
        } = self;
        let text = keepalived::read(path, source, self.host, &how, reports, &mut |node, reports| {
            ctx.with(reports, |ctx| top::TABLE.read(&node, written, ctx));
            if keep_tree {
                tree.push(node);
            }
        });
        self.files = text.files;
        self.hash = text.hash;
        self.stopped = text.stopped;
    }

    fn toml(&mut self, path: &str, source: &dyn Source, keep_tree: bool) {
        let file = self.reports.add_file(path, None);
        let start = Place {
            file,
            line: 1,
            column: 1,
            ..Place::default()
        };
        let bytes = match source.read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let why = match why {
                    ReadError::IsDirectory => "it is a directory".to_owned(),
                    ReadError::NotPlain => "it is not a regular non-executable file".to_owned(),
                    ReadError::Refused(why) => why,
                };
                let message = format!("Configuration file '{path}' cannot be read: {why}");
                self.reports.whole(Code::FileMissing, Class::FileNotFound, message);
                return;
            }
        };
        self.files.push(path.to_owned());
        for byte in &bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let Ok(text) = String::from_utf8(bytes) else {
            self.refused = true;
            let message = format!("{path} is not UTF-8, as TOML has to be");
            self.reports.at(start, Code::TomlSyntax, Class::Fatal, message);
            return;
        };
        let mut read = toml::read(&text, file, &mut self.reports);
        self.refused = read.refused;
        self.safer = !read.as_keepalived;
        if self.safer {
            make_safer(&mut read.tree, start);
        }
        self.ctx.in_order = false;
        let mut globals = GlobalsFirst::new(self.host, true);
        globals.ctx.in_order = false;
        read.tree.iter().for_each(|node| globals.read(node));
        globals.tell(&mut self.ctx);
        for node in read.tree {
            let Self {
                reports, ctx, written, ..
            } = self;
            ctx.with(reports, |ctx| top::TABLE.read(&node, written, ctx));
            if keep_tree {
                self.tree.push(node);
            }
        }
        if let Some(lvs) = read.lvs {
            self.lvs(&lvs);
        }
    }

    /// LVS blocks, which stand in keepalived's language in TOML too.
    fn lvs(&mut self, text: &str) {
        let source = super::MemorySource::new("lvs", text);
        let Self {
            reports, ctx, written, ..
        } = self;
        let how = ReadOptions {
            config_id: "",
            text_limit: super::TEXT_LIMIT,
        };
        keepalived::read("lvs", &source, self.host, &how, reports, &mut |node, reports| {
            ctx.with(reports, |ctx| top::TABLE.read(&node, written, ctx));
        });
    }

    /// The configuration in either language, with the user's comments.
    pub(super) fn print(&self, source: &dyn Source, to: Language) -> String {
        let mut items: Vec<Item> = print::collect(&self.written);
        let text = |file: u16| {
            let name = self.reports.file_name(file)?;
            let marks = match Language::of(&name) {
                Language::Keepalived => Marks::Keepalived,
                Language::Toml => Marks::Toml,
            };
            let bytes = source.read(&name).ok()?;
            Some((String::from_utf8_lossy(&bytes).into_owned(), marks))
        };
        let rest = Comments::find(&self.tree, &text).place(&self.tree, &mut items);
        match to {
            Language::Keepalived => print::keepalived(&items, &rest),
            Language::Toml => print::toml(&items, &rest),
        }
    }

    /// The model and every problem.
    pub(super) fn finish(self, lints: bool) -> Loaded {
        let Self {
            host,
            mut reports,
            mut ctx,
            written,
            tree,
            files,
            hash,
            stopped,
            refused,
            safer,
            ..
        } = self;
        let mut model: Option<Model> = if files.is_empty() {
            None
        } else {
            ctx.with(&mut reports, |ctx| check::finish(written, ctx))
        };
        if let (true, Some(model)) = (lints, &model) {
            lint::lint(&tree, model, host, &mut reports);
        }
        pinpoint::pinpoint(&tree, &mut reports);
        if refused || stopped.is_some() || (safer && missing_programs(&mut reports)) {
            model = None;
        }
        let places = if lints {
            places(&tree, &reports)
        } else {
            BTreeMap::new()
        };
        Loaded {
            model,
            places,
            diagnostics: reports.finish(),
            stops_with: ctx.stops_with,
            incomplete: stopped.is_some(),
            include_failed: stopped == Some(Stopped::Include),
            files,
            hash: format!("{hash:016x}"),
        }
    }
}

/// Where the instances and their keywords stand. The last line of a keyword is the one that counts.
fn places(tree: &[Node], reports: &Reports) -> BTreeMap<(String, String), Span> {
    let mut places = BTreeMap::new();
    for block in tree.iter().filter(|node| node.key() == "vrrp_instance") {
        let name = block.first().unwrap_or_default();
        places.insert((name.to_owned(), String::new()), reports.span(block.place));
        for child in &block.children {
            places.insert((name.to_owned(), child.key().to_owned()), reports.span(child.place));
        }
    }
    places
}

/// What everything else needs to know of `global_defs` before it is read.
struct GlobalsFirst<'h> {
    host: &'h dyn Host,
    ctx: Context<'h>,
    draft: global::Draft,
}

impl<'h> GlobalsFirst<'h> {
    fn new(host: &'h dyn Host, test: bool) -> Self {
        Self {
            host,
            ctx: Context::new(host, test),
            draft: global::Draft::default(),
        }
    }

    fn read(&mut self, node: &Node) {
        if node.key() == "global_defs" {
            lower::blocks::global_defs(node, &mut self.draft, &mut self.ctx);
        }
    }

    fn tell(self, ctx: &mut Context<'_>) {
        ctx.dynamic_interfaces = self.draft.global.dynamic_interfaces;
        ctx.default_user = check::default_user(&self.draft, self.host);
        ctx.default_user_told = self.draft.script_user_failed;
    }
}

/// Adds the settings that are safer to `global_defs`, unless they are written.
fn make_safer(tree: &mut Vec<Node>, start: Place) {
    let top = schema::top();
    if !tree.iter().any(|node| node.key() == "global_defs") {
        let mut node = Node::from_words(&["global_defs"], start);
        node.row = top.find("global_defs");
        node.has_block = true;
        tree.insert(0, node);
    }
    let global = tree.iter_mut().find(|node| node.key() == "global_defs");
    let (Some(global), Some(info)) = (global, schema::block("global_defs")) else {
        return;
    };
    for (key, value) in SAFER {
        if global.children.iter().all(|child| child.key() != key) {
            let mut node = Node::from_words(&[key, value], start);
            node.row = info.find(key);
            global.children.push(node);
        }
    }
}

/// A program that is not there is an error where keepalived's leniency is not asked for. Whether there are such.
fn missing_programs(reports: &mut Reports) -> bool {
    let mut any = false;
    for diagnostic in reports.iter_mut() {
        let gone = diagnostic.message.contains("resolved by path search");
        if diagnostic.code == Code::ScriptMissing && !gone {
            diagnostic.class = Some(Class::Fatal);
            diagnostic.severity = super::Severity::Error;
            any = true;
        }
    }
    any
}
