//! Lines of words → tree (config-language §3). One error for one mistake: an unknown block is skipped as a whole.

use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::place::{Place, Reports};
use crate::config::schema::{self, BlockInfo, LvsInfo, Shape};
use crate::config::tree::Node;

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
}

/// A header whose `{` has not come yet.
struct Header {
    /// `None`: nobody knows the keyword, or its block is skipped for another reason.
    inside: Option<Inside>,
    node: Node,
}

/// Puts lines and braces together. Every complete block at the top level goes to the sink.
pub(super) struct Builder<'b> {
    stack: Vec<Frame>,
    header: Option<Header>,
    /// Braces that are open in a block that is skipped.
    skipping: usize,
    sink: &'b mut dyn FnMut(Node, &mut Reports),
}

impl<'b> Builder<'b> {
    pub(super) fn new(sink: &'b mut dyn FnMut(Node, &mut Reports)) -> Self {
        Self {
            stack: Vec::new(),
            header: None,
            skipping: 0,
            sink,
        }
    }

    /// A line of words.
    pub(super) fn line(&mut self, mut node: Node, reports: &mut Reports) {
        if self.skipping > 0 {
            return;
        }
        self.header_without_brace(Some(node.place), reports);
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
                    let inside = match info.row(found).shape {
                        Shape::Line => return self.push(node, reports),
                        Shape::Block(path) => schema::block(path).map(Inside::Keywords),
                        Shape::Values => Some(Inside::Values),
                        Shape::Lvs => Some(Inside::Lvs(schema::lvs(node.key()))),
                    };
                    self.header = Some(Header { inside, node });
                }
                None => self.unknown(info.path, info.nearest(node.key()), node, reports),
            },
        }
    }

    /// Inside of LVS blocks every line may have a block.
    fn lvs_line(&mut self, info: Option<&'static LvsInfo>, node: Node, reports: &mut Reports) {
        if let Some(info) = info.filter(|info| !info.knows(node.key())) {
            return self.unknown(info.path, info.nearest(node.key()), node, reports);
        }
        let inner = info.and_then(|info| schema::lvs_inside(info, node.key()));
        self.header = Some(Header {
            inside: Some(Inside::Lvs(inner)),
            node,
        });
    }

    fn unknown(&mut self, path: &str, nearest: Option<&'static str>, node: Node, reports: &mut Reports) {
        let key = node.key();
        let elsewhere = schema::elsewhere(path, key);
        let opened = self.stack.last().map(|frame| frame.node.place);
        let message = format!("Unknown keyword '{key}'");
        let related = opened.map(|place| reports.related("in the block that begins here", place));
        let diagnostic = reports.at(node.place_of(0), Code::UnknownKeyword, Class::UnknownKeyword, message);
        diagnostic.related.extend(related);
        diagnostic.hint = match (elsewhere, nearest) {
            (Some(block), _) if block != "(top)" => Some(format!("`{key}` belongs into a `{block}` block")),
            (_, Some(word)) => Some(format!("did you mean `{word}`?")),
            (Some(_), None) => Some(format!(
                "`{key}` belongs outside of all blocks; is a `}}` missing before it?"
            )),
            (None, None) => None,
        };
        self.header = Some(Header { inside: None, node });
    }

    fn push(&mut self, node: Node, reports: &mut Reports) {
        match self.stack.last_mut() {
            Some(frame) => frame.node.children.push(node),
            None => (self.sink)(node, reports),
        }
    }

    pub(super) fn open(&mut self, place: Place, reports: &mut Reports) {
        if self.skipping > 0 {
            self.skipping += 1;
            return;
        }
        match self.header.take() {
            Some(Header { inside: Some(_), node }) if self.stack.len() >= MAX_DEPTH => {
                let message = format!("blocks are nested more than {MAX_DEPTH} deep - skipping");
                reports.at(node.place, Code::UnexpectedBrace, Class::General, message);
                self.skipping = 1;
            }
            Some(Header {
                inside: Some(inside),
                mut node,
            }) => {
                if matches!(inside, Inside::Values) && node.len() > 1 {
                    let message = format!("Block {} has extra parameters {} ...", node.key(), node.rest());
                    reports.at(node.place_of(1), Code::ExtraWords, Class::General, message);
                }
                node.has_block = true;
                self.stack.push(Frame { inside, node });
            }
            Some(Header { inside: None, .. }) => self.skipping = 1,
            None => {
                // Its block is skipped as a whole instead of being read as part of this one.
                let message = "Unexpected '{' - ignoring".into();
                reports.at(place, Code::UnexpectedBrace, Class::UnexpectedOpen, message);
                self.skipping = 1;
            }
        }
    }

    pub(super) fn close(&mut self, place: Place, reports: &mut Reports) {
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        self.header_without_brace(Some(place), reports);
        // A missing `{` may have opened a block just now.
        match self.stack.pop() {
            Some(mut frame) => {
                frame.node.end = Some(place);
                self.push(frame.node, reports);
            }
            None => {
                let message = "Extra '}' found".into();
                reports.at(place, Code::UnexpectedBrace, Class::UnexpectedClose, message);
            }
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
                let message = format!("'{{' missing from beginning of block {}", node.key());
                reports.at(node.place, Code::MissingBrace, None, message);
                node.has_block = true;
                self.stack.push(Frame { inside, node });
            }
            Some(inside) => {
                let message = "Missing '{' at beginning of configuration block".to_owned();
                reports.end(node.place, here, Code::MissingBrace, Class::MissingOpen, message);
                node.has_block = true;
                self.stack.push(Frame { inside, node });
            }
        }
    }

    /// The end of the text: open blocks are closed, and what they hold counts.
    pub(super) fn finish(mut self, reports: &mut Reports) {
        self.header_without_brace(None, reports);
        let open = self.stack.len() + self.skipping;
        if open > 0 {
            let places: Vec<_> = self.stack.iter().map(|frame| frame.node.place).collect();
            let related = places
                .iter()
                .map(|place| reports.related("this block is not closed", *place))
                .collect();
            let message = format!("There are {open} missing '}}'s or extra '{{'s");
            let diagnostic = reports.whole(Code::MissingBrace, Class::MissingClose, message);
            diagnostic.related = related;
        }
        while let Some(frame) = self.stack.pop() {
            self.push(frame.node, reports);
        }
    }
}
