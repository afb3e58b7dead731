//! Lines of words → tree (config-language §3).
//!
//! Braces mean what they mean to keepalived, in broken text too: routers that read one file in two ways do not hear each
//! other. So the lines of an unknown block are read as lines of the block around it, and its `}` ends that block. What
//! follows from such a mistake is marked, so that a reader sees one error for it.

use crate::config::code::Code;
use crate::config::diagnostic::{BLOCK_BEGINS, Class, Span};
use crate::config::place::{Place, Reports};
use crate::config::schema::{self, BlockInfo, LvsInfo, Shape};
use crate::config::tree::Node;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Deepest nesting of blocks; keepalived's language needs five.
const MAX_DEPTH: usize = 32;

/// What stands inside of a block.
#[derive(Clone, Copy)]
enum Inside {
    /// Lines that begin with keywords of this table.
    Keywords(&'static BlockInfo),
    /// Lines that are data.
    Values,
    /// Lines of keepalived's LVS side; `None`: of a block that nobody knows the keywords of.
    Lvs(Option<&'static LvsInfo>),
}

struct Frame {
    inside: Inside,
    node: Node,
    /// Whether the first line inside is indented more than the block; only then the lines after it say something.
    indented: Option<bool>,
}

impl Frame {
    const fn new(inside: Inside, node: Node) -> Self {
        Self {
            inside,
            node,
            indented: None,
        }
    }
}

/// A header whose `{` has not come yet.
struct Header {
    /// `None`: nobody knows the keyword.
    inside: Option<Inside>,
    node: Node,
}

/// A block that seems to lack its `}`, and the line that shows it.
#[derive(Clone, Copy)]
struct Unclosed {
    block: Place,
    seen_at: Place,
}

/// Puts lines and braces together. Every complete block at the top level goes to the sink.
pub(super) struct Builder<'b> {
    stack: Vec<Frame>,
    header: Option<Header>,
    /// Braces that are open in a block that is skipped: an unknown one of LVS, or one too deep.
    skipping: usize,
    /// Braces that are open, as keepalived counts: every one, whatever it belongs to.
    depth: usize,
    /// The mistake that lines are misread for.
    misread: Option<Place>,
    unclosed: Option<Unclosed>,
    /// Hashes of keyword and name of the blocks so far that may be there once.
    named: BTreeSet<u64>,
    sink: &'b mut dyn FnMut(Node, &mut Reports),
}

impl<'b> Builder<'b> {
    pub(super) fn new(sink: &'b mut dyn FnMut(Node, &mut Reports)) -> Self {
        Self {
            stack: Vec::new(),
            header: None,
            skipping: 0,
            depth: 0,
            misread: None,
            unclosed: None,
            named: BTreeSet::new(),
            sink,
        }
    }

    /// A line of words.
    pub(super) fn line(&mut self, mut node: Node, reports: &mut Reports) {
        if self.skipping > 0 {
            return;
        }
        self.header_without_brace(Some(node.place), reports);
        self.watch_indentation(node.place);
        match self
            .stack
            .last()
            .map_or(Inside::Keywords(schema::top()), |frame| frame.inside)
        {
            Inside::Values => self.push(node, reports),
            Inside::Lvs(info) => self.lvs_line(info, node, reports),
            Inside::Keywords(info) => match info.find(node.key()) {
                Some(found) => {
                    node.row = Some(found);
                    if self.stack.is_empty() {
                        self.misread = None;
                    }
                    let inside = match info.row(found).shape {
                        Shape::Line => return self.push(node, reports),
                        Shape::Block(path) => schema::block(path).map(Inside::Keywords),
                        Shape::Values => Some(Inside::Values),
                        Shape::Lvs => Some(Inside::Lvs(schema::lvs(node.key()))),
                    };
                    self.header = Some(Header { inside, node });
                }
                None => self.unknown(info.path, |key| info.nearest(key), node, reports),
            },
        }
    }

    /// Inside of LVS blocks every line may have a block.
    fn lvs_line(&mut self, info: Option<&'static LvsInfo>, mut node: Node, reports: &mut Reports) {
        if let Some(info) = info.filter(|info| !info.knows(node.key())) {
            node.unknown = true;
            self.unknown(info.path, |key| info.nearest(key), node, reports);
            // It is kept all the same: these lines are another program's.
            if let Some(header) = &mut self.header {
                header.inside = Some(Inside::Lvs(None));
            }
            return;
        }
        let inner = info.and_then(|info| schema::lvs_inside(info, node.key()));
        self.header = Some(Header {
            inside: Some(Inside::Lvs(inner)),
            node,
        });
    }

    fn unknown(
        &mut self,
        path: &str,
        nearest: impl FnOnce(&str) -> Option<&'static str>,
        node: Node,
        reports: &mut Reports,
    ) {
        let key = node.key();
        let message = format!("Unknown keyword '{key}'");
        // What was meant costs more to find out than that it is wrong.
        let is_shown = reports.has_room();
        let opened = self.stack.last().map(|frame| frame.node.place);
        let related = opened.map(|place| reports.related(BLOCK_BEGINS, place));
        let cause = self.cause(reports);
        let diagnostic = reports.at(node.place_of(0), Code::UnknownKeyword, Class::UnknownKeyword, message);
        if is_shown {
            diagnostic.related.extend(related);
            diagnostic.follows = cause;
            diagnostic.hint = match (schema::elsewhere(path, key), nearest(key)) {
                (Some(block), _) if block != "(top)" => Some(format!("`{key}` belongs into a `{block}` block")),
                (_, Some(word)) => Some(format!("did you mean `{word}`?")),
                (Some(_), None) => Some(format!(
                    "`{key}` belongs outside of all blocks; is a `}}` missing before it?"
                )),
                (None, None) => None,
            };
        }
        self.header = Some(Header { inside: None, node });
    }

    fn push(&mut self, node: Node, reports: &mut Reports) {
        match self.stack.last_mut() {
            Some(frame) => frame.node.children.push(node),
            None => (self.sink)(node, reports),
        }
    }

    pub(super) fn open(&mut self, place: Place, reports: &mut Reports) {
        self.depth += 1;
        if self.skipping > 0 {
            self.skipping += 1;
            return;
        }
        match self.header.take() {
            Some(Header {
                inside: Some(inside),
                node,
            }) if self.stack.len() >= MAX_DEPTH => {
                // What is only kept need not be kept so deep.
                if !matches!(inside, Inside::Lvs(None)) {
                    let message = format!("blocks are nested more than {MAX_DEPTH} deep - skipping");
                    reports.at(node.place, Code::UnexpectedBrace, Class::General, message);
                }
                self.skipping = 1;
            }
            Some(Header {
                inside: Some(inside),
                mut node,
            }) => {
                if matches!(inside, Inside::Values) {
                    extra_words(&node, reports);
                }
                node.has_block = true;
                if self.is_refused(&node) {
                    self.skipping = 1;
                    return self.push(node, reports);
                }
                self.stack.push(Frame::new(inside, node));
            }
            header => match self.stack.last().map(|frame| frame.inside) {
                Some(Inside::Values) => self.push(Node::from_words(&["{"], place), reports),
                // LVS blocks are another process's: keepalived's VRRP side only counts their braces.
                Some(Inside::Lvs(_)) => self.skipping = 1,
                Some(Inside::Keywords(_)) | None => self.unexpected(header, place, reports),
            },
        }
    }

    /// A block that is refused as a whole, for its name: keepalived only counts its braces. What is wrong is told by who reads it.
    fn is_refused(&mut self, node: &Node) -> bool {
        if !self.stack.is_empty() || !matches!(node.key(), "vrrp_instance" | "vrrp_sync_group" | "track_group") {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (node.key(), node.first()).hash(&mut hasher);
        node.len() != 2 || !self.named.insert(hasher.finish())
    }

    /// A `{` that opens nothing: what comes is read as part of the block that is open.
    fn unexpected(&mut self, header: Option<Header>, place: Place, reports: &mut Reports) {
        let unknown = header.map(|header| header.node.place_of(0));
        let cause = self.cause(reports).or(unknown.map(|place| reports.span(place)));
        let message = "Unexpected '{' - ignoring".into();
        let diagnostic = reports.at(place, Code::UnexpectedBrace, Class::UnexpectedOpen, message);
        diagnostic.follows = cause;
        self.misread = self.misread.or(unknown).or(Some(place));
    }

    /// The mistake that what is read now probably comes from.
    fn cause(&self, reports: &Reports) -> Option<Span> {
        self.misread.map(|place| reports.span(place))
    }

    pub(super) fn close(&mut self, place: Place, reports: &mut Reports) {
        let extra = self.depth == 0;
        self.depth = self.depth.saturating_sub(1);
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        self.header_without_brace(Some(place), reports);
        if extra {
            let cause = self.cause(reports);
            let message = "Extra '}' found".into();
            let diagnostic = reports.at(place, Code::UnexpectedBrace, Class::UnexpectedClose, message);
            diagnostic.follows = cause;
            self.misread = self.misread.or(Some(place));
        }
        // A missing `{` may have opened a block just now.
        match self.stack.pop() {
            Some(mut frame) => {
                self.watch_brace(&frame, place);
                frame.node.end = Some(place);
                self.push(frame.node, reports);
            }
            None => {
                let cause = self.cause(reports);
                let message = "Unknown keyword '}'".into();
                let diagnostic = reports.at(place, Code::UnknownKeyword, Class::UnknownKeyword, message);
                diagnostic.follows = cause;
            }
        }
        if self.depth == 0 {
            self.misread = None;
        }
    }

    /// A line that stands as far left as the beginning of the block that it is in: the block's `}` is probably missing.
    fn watch_indentation(&mut self, line: Place) {
        let Some(frame) = self.stack.last_mut() else { return };
        let block = frame.node.place;
        let inside = comparable(block, line) && line.column > block.column;
        let indented = *frame.indented.get_or_insert(inside);
        if indented && !inside && comparable(block, line) && self.unclosed.is_none() {
            self.unclosed = Some(Unclosed { block, seen_at: line });
        }
    }

    /// A `}` that stands under the beginning of the block around the one that it ends.
    fn watch_brace(&mut self, frame: &Frame, brace: Place) {
        let block = frame.node.place;
        let around = self.stack.last().map(|frame| frame.node.place);
        let under = around.is_some_and(|around| comparable(around, brace) && around.column == brace.column);
        let before = comparable(block, brace) && brace.column < block.column;
        if self.unclosed.is_none() && under && before && frame.indented == Some(true) {
            self.unclosed = Some(Unclosed { block, seen_at: brace });
        }
    }

    /// A header that was followed by something else than `{`.
    fn header_without_brace(&mut self, here: Option<Place>, reports: &mut Reports) {
        let Some(Header { inside, mut node }) = self.header.take() else {
            return;
        };
        match inside {
            None => {}
            Some(Inside::Lvs(_)) if !self.stack.is_empty() => self.push(node, reports),
            Some(inside @ Inside::Values) => {
                extra_words(&node, reports);
                let message = format!("'{{' missing from beginning of block {}", node.key());
                reports.at(node.place, Code::MissingBrace, None, message);
                node.has_block = true;
                self.stack.push(Frame::new(inside, node));
            }
            Some(inside) => {
                let message = "Missing '{' at beginning of configuration block".to_owned();
                reports.end(node.place, here, Code::MissingBrace, Class::MissingOpen, message);
                node.has_block = true;
                self.stack.push(Frame::new(inside, node));
            }
        }
    }

    /// The end of the text: open blocks are closed, and what they hold counts.
    pub(super) fn finish(mut self, reports: &mut Reports) {
        self.header_without_brace(None, reports);
        if self.depth > 0 {
            let places: Vec<_> = self.stack.iter().map(|frame| frame.node.place).collect();
            let related = match self.unclosed {
                Some(found) => vec![reports.related("this already stands beside it", found.seen_at)],
                None => places
                    .iter()
                    .map(|place| reports.related("this block is not closed", *place))
                    .collect(),
            };
            let message = format!("There are {} missing '}}'s or extra '{{'s", self.depth);
            let diagnostic = match self.unclosed {
                Some(found) => reports.check(found.block, Code::MissingBrace, Class::MissingClose, message),
                None => reports.whole(Code::MissingBrace, Class::MissingClose, message),
            };
            diagnostic.related = related;
            diagnostic.hint = Some(match self.unclosed {
                Some(_) => "the `}` of this block seems to be missing".into(),
                None => "a `}` is missing in this block, at its end or in a block inside".into(),
            });
        }
        while let Some(frame) = self.stack.pop() {
            self.push(frame.node, reports);
        }
    }
}

/// Words between the keyword of a block of values and its brace.
fn extra_words(node: &Node, reports: &mut Reports) {
    if let Some(first) = node.first() {
        let message = format!("Block {} has extra parameters {first} ...", node.key());
        reports.at(node.place_of(1), Code::ExtraWords, Class::General, message);
    }
}

/// Whether the columns of two pieces of text say something about each other.
fn comparable(one: Place, other: Place) -> bool {
    one.exact && other.exact && one.via == 0 && other.via == 0 && one.file == other.file && one.line < other.line
}
