//! What a row of the table says, and how the value behind a keyword is read by it.
#![allow(
    dead_code,
    reason = "names of the other language and the documentation are read by what is built on this table"
)]

use super::value::{Number, Read, Time, truth};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context, Names};
use crate::config::tree::Node;
use crate::model::Micros;
use serde::{Deserialize, Serialize};

/// What may follow a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Shape {
    /// Arguments on the same line.
    Line,
    /// A block of keywords, with this path.
    Block(&'static str),
    /// A block of values.
    Values,
    /// A block of keepalived's LVS side.
    Lvs,
}

/// What kind of value stands behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Value {
    /// Nothing: the keyword switches something on.
    Flag,
    /// `true on yes`, `false off no`; nothing = true.
    Bool,
    /// A number.
    Int(Number),
    /// A length of time.
    Time(Time),
    /// One word.
    Word,
    /// A command line with user and group.
    Command,
    /// A block whose lines are items.
    Lines,
    /// A block whose words are items.
    Words,
    /// A block of keywords.
    Block,
    /// A block of keepalived's LVS side.
    Lvs,
    /// Something of its own; the row's `args` say what, the text here says the range.
    Custom(&'static str),
}

/// What happens when a keyword comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Repeat {
    /// The last one counts, without a word.
    Last,
    /// The first one counts; the message for the others.
    First(&'static str),
    /// Values are added.
    Append,
}

/// Whether this build does something about a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Acts {
    /// Yes.
    Yes,
    /// It is read and kept; the rest comes later.
    NotYet,
    /// The interfaces that it names are followed; the rest comes later.
    Interfaces,
    /// It belongs to a part of keepalived that vrrpd has no counterpart of.
    Kept,
}

/// What a changed value needs at a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reload {
    /// Nothing: the new value is used the next time.
    Nothing,
    /// Something running is adjusted, without a change of state.
    Adjust,
    /// The instance begins anew; a global setting needs a restart of the daemon.
    Restart,
}

impl Reload {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Adjust => "adjust",
            Self::Restart => "restart",
        }
    }
}

/// How an old form is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Told {
    /// Not at all.
    Silently,
    /// By a line in the log.
    Log(&'static str),
    /// By a configuration error of this class.
    Error(Class, &'static str),
}

/// Another name of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Synonym {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) told: Told,
}

/// What is to be known of a keyword, whatever its block's draft is.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Row {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) synonyms: &'static [Synonym],
    /// Arguments as a person writes them: `SECS`, `NAME [weight N]`.
    pub(in crate::config) args: &'static str,
    pub(in crate::config) value: Value,
    pub(in crate::config) shape: Shape,
    /// Default in words.
    pub(in crate::config) default: &'static str,
    pub(in crate::config) repeat: Repeat,
    /// One sentence.
    pub(in crate::config) doc: &'static str,
    pub(in crate::config) acts: Acts,
    pub(in crate::config) reload: Reload,
    /// Name in the other language; empty: the same.
    pub(in crate::config) toml: &'static str,
    /// What is said whenever it is written.
    pub(in crate::config) told: Told,
    /// Without an argument: what is said instead of ending; `Some("")`: nothing is said.
    pub(in crate::config) missing: Option<&'static str>,
    /// Without an argument: the number that it stands for.
    pub(in crate::config) alone: Option<i64>,
    /// A value that cannot be used: what is said. `{n}` the block's name, `{v}` the value, `{k}` the keyword, `{a}` all arguments.
    pub(in crate::config) bad: &'static str,
    /// 0 counts as 1, and this is said.
    pub(in crate::config) zero: Option<&'static str>,
    /// What is said when there is not exactly one argument; the line is ignored then.
    pub(in crate::config) only: Option<&'static str>,
}

/// How a value gets into a draft and out of it.
pub(in crate::config) enum Access<D: 'static> {
    /// [`Value::Flag`].
    Flag { set: fn(&mut D), get: fn(&D) -> bool },
    /// [`Value::Bool`].
    Bool {
        set: fn(&mut D, bool),
        get: fn(&D) -> Option<bool>,
    },
    /// [`Value::Int`].
    Int {
        set: fn(&mut D, i64),
        get: fn(&D) -> Option<i64>,
    },
    /// [`Value::Time`].
    Time {
        set: fn(&mut D, Micros),
        get: fn(&D) -> Option<Micros>,
    },
    /// [`Value::Word`].
    Word {
        set: fn(&mut D, &str),
        get: fn(&D) -> Option<String>,
    },
    /// [`Value::Command`].
    Command {
        at: fn(&mut D) -> &mut Option<Box<Command>>,
        get: fn(&D) -> Option<&Command>,
    },
    /// [`Value::Lines`] and [`Value::Words`]: `read` gets one line, `print` gives lines.
    Lines {
        read: fn(&Node, &mut D, &mut Context<'_>),
        print: Print<D>,
    },
    /// Everything else: `read` gets the keyword's line with its block, `print` gives what stands behind the keyword, once a line.
    Custom {
        read: fn(&Node, &mut D, &mut Context<'_>),
        print: Print<D>,
    },
}

/// Writes values of a draft in keepalived's language.
pub(in crate::config) type Print<D> = fn(&D, &Names<'_>) -> Vec<String>;

impl<D> Clone for Access<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Access<D> {}

/// One keyword of a block.
pub(in crate::config) struct Keyword<D: 'static> {
    pub(in crate::config) row: Row,
    pub(in crate::config) access: Access<D>,
    /// What a bad value does beside being told.
    on_bad: Option<fn(&mut D)>,
}

impl<D> Clone for Keyword<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Keyword<D> {}

/// The keywords of one block; in parts, so that a long table can stand in several files.
pub(in crate::config) struct Table<D: 'static> {
    pub(in crate::config) path: &'static str,
    pub(in crate::config) keywords: &'static [&'static [Keyword<D>]],
}

/// A draft of a block: what is written, before defaults.
pub(in crate::config) trait Block: 'static {
    /// The block's name, for messages.
    fn name(&self) -> &str;
}

const fn row(name: &'static str, args: &'static str, value: Value, shape: Shape) -> Row {
    Row {
        name,
        synonyms: &[],
        args,
        value,
        shape,
        default: "",
        repeat: Repeat::Last,
        doc: "",
        acts: Acts::Yes,
        reload: Reload::Adjust,
        toml: "",
        told: Told::Silently,
        missing: None,
        alone: None,
        bad: "",
        zero: None,
        only: None,
    }
}

/// How a word is set and got.
pub(in crate::config) type Word<D> = (fn(&mut D, &str), fn(&D) -> Option<String>);
/// How a flag is set and got.
pub(in crate::config) type Flag<D> = (fn(&mut D), fn(&D) -> bool);
/// How a value is set and got.
pub(in crate::config) type Field<D, T> = (fn(&mut D, T), fn(&D) -> Option<T>);
/// How a command is set and got.
pub(in crate::config) type CommandField<D> = (fn(&mut D) -> &mut Option<Box<Command>>, fn(&D) -> Option<&Command>);

impl<D> Keyword<D> {
    const fn new(row: Row, access: Access<D>) -> Self {
        Self {
            row,
            access,
            on_bad: None,
        }
    }

    pub(in crate::config) const fn flag(name: &'static str, (set, get): Flag<D>) -> Self {
        Self::new(row(name, "", Value::Flag, Shape::Line), Access::Flag { set, get })
    }

    pub(in crate::config) const fn boolean(name: &'static str, (set, get): Field<D, bool>) -> Self {
        Self::new(row(name, "[BOOL]", Value::Bool, Shape::Line), Access::Bool { set, get })
    }

    pub(in crate::config) const fn int(
        name: &'static str,
        args: &'static str,
        number: Number,
        (set, get): Field<D, i64>,
    ) -> Self {
        Self::new(
            row(name, args, Value::Int(number), Shape::Line),
            Access::Int { set, get },
        )
    }

    pub(in crate::config) const fn time(name: &'static str, time: Time, (set, get): Field<D, Micros>) -> Self {
        Self::new(
            row(name, time.args(), Value::Time(time), Shape::Line),
            Access::Time { set, get },
        )
    }

    pub(in crate::config) const fn word(name: &'static str, args: &'static str, (set, get): Word<D>) -> Self {
        Self::new(row(name, args, Value::Word, Shape::Line), Access::Word { set, get })
    }

    pub(in crate::config) const fn command(name: &'static str, (at, get): CommandField<D>) -> Self {
        let args = "SCRIPT [USER [[:]GROUP]]";
        Self::new(
            row(name, args, Value::Command, Shape::Line),
            Access::Command { at, get },
        )
    }

    pub(in crate::config) const fn lines(
        name: &'static str,
        args: &'static str,
        read: fn(&Node, &mut D, &mut Context<'_>),
        print: Print<D>,
    ) -> Self {
        let keyword = Self::new(
            row(name, args, Value::Lines, Shape::Values),
            Access::Lines { read, print },
        );
        keyword.repeat(Repeat::Append)
    }

    pub(in crate::config) const fn words(
        name: &'static str,
        args: &'static str,
        read: fn(&Node, &mut D, &mut Context<'_>),
        print: Print<D>,
    ) -> Self {
        let keyword = Self::new(
            row(name, args, Value::Words, Shape::Values),
            Access::Lines { read, print },
        );
        keyword.repeat(Repeat::Append)
    }

    pub(in crate::config) const fn custom(
        name: &'static str,
        args: &'static str,
        range: &'static str,
        read: fn(&Node, &mut D, &mut Context<'_>),
        print: Print<D>,
    ) -> Self {
        let access = Access::Custom { read, print };
        Self::new(row(name, args, Value::Custom(range), Shape::Line), access)
    }

    pub(in crate::config) const fn block(
        name: &'static str,
        args: &'static str,
        path: &'static str,
        read: fn(&Node, &mut D, &mut Context<'_>),
    ) -> Self {
        let access = Access::Custom {
            read,
            print: |_, _| Vec::new(),
        };
        Self::new(row(name, args, Value::Block, Shape::Block(path)), access)
    }

    pub(in crate::config) const fn lvs(
        name: &'static str,
        args: &'static str,
        read: fn(&Node, &mut D, &mut Context<'_>),
    ) -> Self {
        let access = Access::Custom {
            read,
            print: |_, _| Vec::new(),
        };
        Self::new(row(name, args, Value::Lvs, Shape::Lvs), access).acts(Acts::Kept)
    }

    pub(in crate::config) const fn doc(mut self, default: &'static str, doc: &'static str) -> Self {
        self.row.default = default;
        self.row.doc = doc;
        self
    }

    pub(in crate::config) const fn bad(mut self, message: &'static str) -> Self {
        self.row.bad = message;
        self
    }

    pub(in crate::config) const fn bad_then(mut self, message: &'static str, then: fn(&mut D)) -> Self {
        self.row.bad = message;
        self.on_bad = Some(then);
        self
    }

    /// 0 counts as 1.
    pub(in crate::config) const fn zero(mut self, message: &'static str) -> Self {
        self.row.zero = Some(message);
        self
    }

    /// Nothing may stand behind the argument, nor may it be missing.
    pub(in crate::config) const fn only(mut self, message: &'static str) -> Self {
        self.row.only = Some(message);
        self
    }

    pub(in crate::config) const fn missing(mut self, message: &'static str) -> Self {
        self.row.missing = Some(message);
        self
    }

    /// Without an argument it stands for this number, and nothing is said.
    pub(in crate::config) const fn alone(mut self, number: i64) -> Self {
        (self.row.missing, self.row.alone) = (Some(""), Some(number));
        self
    }

    pub(in crate::config) const fn repeat(mut self, repeat: Repeat) -> Self {
        self.row.repeat = repeat;
        self
    }

    pub(in crate::config) const fn first(self, message: &'static str) -> Self {
        self.repeat(Repeat::First(message))
    }

    pub(in crate::config) const fn synonyms(mut self, synonyms: &'static [Synonym]) -> Self {
        self.row.synonyms = synonyms;
        self
    }

    pub(in crate::config) const fn told(mut self, told: Told) -> Self {
        self.row.told = told;
        self
    }

    pub(in crate::config) const fn acts(mut self, acts: Acts) -> Self {
        self.row.acts = acts;
        self
    }

    /// Read and kept, not acted on yet.
    pub(in crate::config) const fn later(self) -> Self {
        self.acts(Acts::NotYet)
    }

    /// Only the interfaces that it names are followed yet.
    pub(in crate::config) const fn interfaces_only(self) -> Self {
        self.acts(Acts::Interfaces)
    }

    /// For keepalived's other parts.
    pub(in crate::config) const fn kept(self) -> Self {
        self.acts(Acts::Kept)
    }

    pub(in crate::config) const fn reload(mut self, reload: Reload) -> Self {
        self.row.reload = reload;
        self
    }

    pub(in crate::config) const fn restart(self) -> Self {
        self.reload(Reload::Restart)
    }

    pub(in crate::config) const fn nothing(self) -> Self {
        self.reload(Reload::Nothing)
    }

    pub(in crate::config) const fn toml(mut self, name: &'static str) -> Self {
        self.row.toml = name;
        self
    }
}

/// `{n}`, `{v}`, `{k}` and `{a}` filled in.
fn fill(template: &str, name: &str, value: &str, node: &Node) -> String {
    let mut text = template
        .replace("{n}", name)
        .replace("{k}", node.key())
        .replace("{v}", value);
    if text.contains("{a}") {
        text = text.replace("{a}", &node.rest());
    }
    text
}

impl<D: Block> Table<D> {
    /// The keyword at a position.
    fn keyword(&self, mut index: usize) -> Option<&'static Keyword<D>> {
        for part in self.keywords {
            match part.get(index) {
                Some(keyword) => return Some(keyword),
                None => index -= part.len(),
            }
        }
        None
    }

    /// All keywords in order.
    pub(in crate::config) fn keywords(&self) -> impl Iterator<Item = &'static Keyword<D>> {
        self.keywords.iter().flat_map(|part| part.iter())
    }

    /// Reads every line inside of a block into its draft.
    pub(in crate::config) fn read_all(&self, block: &Node, draft: &mut D, ctx: &mut Context<'_>) {
        for child in &block.children {
            self.read(child, draft, ctx);
        }
    }

    /// Reads one line.
    pub(in crate::config) fn read(&self, node: &Node, draft: &mut D, ctx: &mut Context<'_>) {
        let Some((found, keyword)) = node.row.and_then(|found| Some((found, self.keyword(found.index())?))) else {
            return;
        };
        let row = &keyword.row;
        let synonym = found.synonym().and_then(|index| row.synonyms.get(index));
        for told in [row.told, synonym.map_or(Told::Silently, |synonym| synonym.told)] {
            let (class, message) = match told {
                Told::Silently => continue,
                Told::Log(message) => (None, message),
                Told::Error(class, message) => (Some(class), message),
            };
            let message = fill(message, draft.name(), "", node);
            ctx.reports.at(node.place_of(0), Code::Deprecated, class, message);
        }
        match row.acts {
            Acts::NotYet => ctx.not_acted_on(node, "does not act on"),
            Acts::Interfaces => ctx.not_acted_on(node, "follows the interfaces but does not set the entries of"),
            Acts::Yes | Acts::Kept => {}
        }
        keyword.take(node, draft, ctx);
    }
}

impl<D: Block> Keyword<D> {
    fn take(&self, node: &Node, draft: &mut D, ctx: &mut Context<'_>) {
        match self.access {
            Access::Flag { set, .. } => set(draft),
            Access::Bool { set, .. } => match truth(node.first()) {
                Some(on) => set(draft, on),
                None => self.refuse(node, draft, ctx, None, Code::BadValue),
            },
            Access::Int { set, .. } => {
                let Value::Int(number) = self.row.value else { return };
                let Some(text) = self.argument(node, draft, ctx) else {
                    return self.row.alone.into_iter().for_each(|number| set(draft, number));
                };
                let read = self.not_zero(number.read(text, ctx.test), 0, 1, node, draft, ctx);
                self.put(read, node, draft, ctx, set);
            }
            Access::Time { set, .. } => {
                let Value::Time(time) = self.row.value else { return };
                let Some(text) = self.argument(node, draft, ctx) else {
                    return;
                };
                let read = time.read(text, ctx.test);
                let read = self.not_zero(read, Micros::ZERO, Micros::SECOND, node, draft, ctx);
                self.put(read, node, draft, ctx, set);
            }
            Access::Word { set, get } => {
                let Some(text) = self.argument(node, draft, ctx) else {
                    return;
                };
                if get(draft).is_some() && self.is_first(node, text, draft, ctx) {
                    return;
                }
                set(draft, text);
            }
            Access::Command { at, get } => {
                let Some(text) = self.argument(node, draft, ctx) else {
                    return;
                };
                if get(draft).is_some() && self.is_first(node, text, draft, ctx) {
                    return;
                }
                let command = Command::read(node, ctx);
                let is_missing = command.is_none();
                *at(draft) = command.map(Box::new);
                if is_missing && !self.row.bad.is_empty() {
                    self.refuse(node, draft, ctx, None, Code::ScriptUser);
                }
            }
            Access::Lines { read, .. } => {
                // keepalived collects words and looks at them at the end of the block.
                ctx.told_at = node.end.filter(|_| self.row.value == Value::Words);
                node.children.iter().for_each(|child| read(child, draft, ctx));
                ctx.told_at = None;
            }
            Access::Custom { read, .. } => read(node, draft, ctx),
        }
    }

    /// The first argument. Without it keepalived ends at once; we go on collecting.
    fn argument<'n>(&self, node: &'n Node, draft: &D, ctx: &mut Context<'_>) -> Option<&'n str> {
        let text = node.first();
        if let Some(message) = self.row.only.filter(|_| node.len() != 2) {
            let message = fill(message, draft.name(), text.unwrap_or_default(), node);
            ctx.reports.at(node.place, Code::ExtraWords, Class::General, message);
            return None;
        }
        match (text, self.row.missing) {
            (None, None) => drop(ctx.required(node, 1)),
            (None, Some("")) | (Some(_), _) => {}
            (None, Some(message)) => {
                let message = fill(message, draft.name(), "", node);
                ctx.reports
                    .at(node.place, Code::MissingParameter, Class::General, message);
            }
        }
        text
    }

    fn not_zero<T: PartialEq>(
        &self,
        read: Read<T>,
        zero: T,
        one: T,
        node: &Node,
        draft: &D,
        ctx: &mut Context<'_>,
    ) -> Read<T> {
        match (read, self.row.zero) {
            (Read::Good(value), Some(message)) if value == zero => {
                let message = fill(message, draft.name(), node.first().unwrap_or_default(), node);
                ctx.reports
                    .at(node.place_of(1), Code::BadNumber, Class::General, message);
                Read::Good(one)
            }
            (read, _) => read,
        }
    }

    fn put<T>(&self, read: Read<T>, node: &Node, draft: &mut D, ctx: &mut Context<'_>, set: fn(&mut D, T)) {
        match read {
            Read::Good(value) => set(draft, value),
            Read::Warned(value, detail) => {
                ctx.reports
                    .at(node.place_of(1), Code::BadNumber, Class::InvalidNumber, detail);
                set(draft, value);
            }
            Read::Bad(detail) => self.refuse(node, draft, ctx, detail, Code::BadNumber),
        }
    }

    /// Whether the first one counts and this is another one.
    fn is_first(&self, node: &Node, text: &str, draft: &D, ctx: &mut Context<'_>) -> bool {
        let Repeat::First(message) = self.row.repeat else {
            return false;
        };
        let message = fill(message, draft.name(), text, node);
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        true
    }

    fn refuse(&self, node: &Node, draft: &mut D, ctx: &mut Context<'_>, detail: Option<String>, code: Code) {
        let value = node.first().unwrap_or_default();
        let message = match self.row.bad {
            "" => format!("{} '{value}' is invalid - ignoring", node.key()),
            template => fill(template, draft.name(), value, node),
        };
        let hint = match self.row.value {
            Value::Int(number) => Some(number.hint()),
            Value::Time(time) => Some(time.hint()),
            Value::Bool => Some("use true, on, yes, or false, off, no".into()),
            Value::Flag
            | Value::Word
            | Value::Command
            | Value::Lines
            | Value::Words
            | Value::Block
            | Value::Lvs
            | Value::Custom(_) => None,
        };
        let diagnostic = ctx.reports.at(node.place_of(1), code, Class::General, message);
        diagnostic.detail = detail;
        diagnostic.hint = hint;
        if let Some(then) = self.on_bad {
            then(draft);
        }
    }
}

/// A flag in a field of the draft.
macro_rules! flag {
    ($($field:ident).+) => {
        (|d| d.$($field).+ = true, |d| d.$($field).+)
    };
}

/// A boolean in an `Option` field; after `=` a plain field with that default.
macro_rules! boolean {
    ($($field:ident).+) => {
        (|d, on| d.$($field).+ = Some(on), |d| d.$($field).+)
    };
    ($($field:ident).+ = $default:literal) => {
        (|d, on| d.$($field).+ = on, |d| (d.$($field).+ != $default).then_some(d.$($field).+))
    };
}

/// A number in an `Option` field; after `=` a plain field with that default.
macro_rules! int {
    ($($field:ident).+) => {
        (|d, n| d.$($field).+ = n.try_into().ok(), |d| d.$($field).+.map(i64::from))
    };
    ($($field:ident).+ = $default:expr) => {
        (
            |d, n| if let Ok(n) = n.try_into() { d.$($field).+ = n },
            |d| (d.$($field).+ != $default).then(|| i64::from(d.$($field).+)),
        )
    };
}

/// A time in an `Option` field; after `=` a plain field with that default.
macro_rules! time {
    ($($field:ident).+) => {
        (|d, time| d.$($field).+ = Some(time), |d| d.$($field).+)
    };
    ($($field:ident).+ = $default:expr) => {
        (|d, time| d.$($field).+ = time, |d| (d.$($field).+ != $default).then_some(d.$($field).+))
    };
}

/// A text in an `Option` field.
macro_rules! word {
    ($($field:ident).+) => {
        (|d, text| d.$($field).+ = Some(text.into()), |d| d.$($field).+.as_ref().map(ToString::to_string))
    };
}

/// A command in an `Option` field.
macro_rules! command {
    ($($field:ident).+) => {
        (|d| &mut d.$($field).+, |d| d.$($field).+.as_deref())
    };
}

pub(super) use {boolean, command, flag, int, time, word};
