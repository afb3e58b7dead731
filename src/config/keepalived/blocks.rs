//! Lines of words → tree (config-language §3). One error for one mistake: an unknown block is skipped as a whole.

use super::TokenLine;
use crate::config::diagnostic::{Class, Diagnostic, Position};
use crate::config::schema::{Shape, nearest, shape};
use crate::config::tree::Node;

/// Where a keyword stands that no table has; its block is skipped.
const SKIPPED: &str = "(skipped)";

struct Builder {
    /// Open blocks: path of the block for the table, its node, and whether its lines are values.
    stack: Vec<Frame>,
    done: Vec<Node>,
    /// A header whose `{` has not come yet.
    header: Option<(String, Shape, Node)>,
    diagnostics: Vec<Diagnostic>,
}

struct Frame {
    path: String,
    values: bool,
    node: Node,
}

/// The tree, and what is wrong with its braces and keywords.
pub(in crate::config) fn build(lines: &[TokenLine]) -> (Vec<Node>, Vec<Diagnostic>) {
    let mut builder = Builder {
        stack: Vec::new(),
        done: Vec::new(),
        header: None,
        diagnostics: Vec::new(),
    };
    for line in lines {
        match line.words.first().map(String::as_str) {
            Some("{") => builder.open(&line.position),
            Some("}") => builder.close(&line.position),
            Some(_) => builder.line(line),
            None => {}
        }
    }
    builder.finish();
    (builder.done, builder.diagnostics)
}

impl Builder {
    fn report(&mut self, class: Class, position: Option<Position>, message: String, hint: Option<String>) {
        self.diagnostics.push(Diagnostic {
            class: Some(class),
            position,
            message,
            hint,
        });
    }

    fn line(&mut self, line: &TokenLine) {
        self.header_without_brace();
        let mut words = line.words.iter().cloned();
        let Some(key) = words.next() else { return };
        let args = words.collect();
        let node = Node {
            key,
            args,
            raw: line.raw.clone(),
            children: Vec::new(),
            position: line.position.clone(),
        };
        let (path, values) = match self.stack.last() {
            Some(frame) => (frame.path.clone(), frame.values),
            None => ("(top)".to_owned(), false),
        };
        if values || path == SKIPPED {
            self.push(node);
            return;
        }
        match shape(&path, &node.key) {
            Some(Shape::Line) => self.push(node),
            Some(shape @ (Shape::Block | Shape::Values | Shape::Foreign)) => {
                let inner = match shape {
                    Shape::Foreign => SKIPPED.to_owned(),
                    _ if path == "(top)" => node.key.clone(),
                    Shape::Line | Shape::Block | Shape::Values => format!("{path} / {}", node.key),
                };
                self.header = Some((inner, shape, node));
            }
            None => {
                let hint = nearest(&path, &node.key).map(|word| format!("did you mean `{word}`?"));
                let message = format!("Unknown keyword '{}'", node.key);
                self.report(Class::UnknownKeyword, Some(node.position.clone()), message, hint);
                self.header = Some((SKIPPED.to_owned(), Shape::Line, node));
            }
        }
    }

    fn push(&mut self, node: Node) {
        match self.stack.last_mut() {
            Some(frame) => frame.node.children.push(node),
            None => self.done.push(node),
        }
    }

    fn open(&mut self, position: &Position) {
        if let Some((path, shape, node)) = self.header.take() {
            if shape == Shape::Values && !node.args.is_empty() {
                let extra = node.args.join(" ");
                let message = format!("Block {} has extra parameters {extra} ...", node.key);
                self.report(Class::General, Some(node.position.clone()), message, None);
            }
            self.stack.push(Frame {
                path,
                values: shape == Shape::Values,
                node,
            });
            return;
        }
        if self.stack.last().is_none_or(|frame| frame.path != SKIPPED) {
            self.report(
                Class::UnexpectedOpen,
                Some(position.clone()),
                "Unexpected '{' - ignoring".into(),
                None,
            );
        }
        // Its block is skipped as a whole instead of being read as part of this one.
        let node = Node {
            key: SKIPPED.into(),
            args: Vec::new(),
            raw: String::new(),
            children: Vec::new(),
            position: position.clone(),
        };
        self.stack.push(Frame {
            path: SKIPPED.into(),
            values: false,
            node,
        });
    }

    fn close(&mut self, position: &Position) {
        self.header_without_brace();
        match self.stack.pop() {
            Some(frame) => self.keep(frame),
            None => self.report(
                Class::UnexpectedClose,
                Some(position.clone()),
                "Extra '}' found".into(),
                None,
            ),
        }
    }

    fn keep(&mut self, frame: Frame) {
        let inside_skipped = self.stack.last().is_some_and(|outer| outer.path == SKIPPED);
        let foreign = frame.path == SKIPPED && shape("(top)", &frame.node.key) == Some(Shape::Foreign);
        if (frame.path != SKIPPED || foreign) && !inside_skipped {
            self.push(frame.node);
        }
    }

    /// A header that was followed by something else than `{`.
    fn header_without_brace(&mut self) {
        let Some((path, shape, node)) = self.header.take() else {
            return;
        };
        match shape {
            Shape::Line => {}
            Shape::Block | Shape::Values | Shape::Foreign => {
                let message = "Missing '{' at beginning of configuration block".to_owned();
                self.report(Class::MissingOpen, Some(node.position.clone()), message, None);
                self.stack.push(Frame {
                    path,
                    values: shape == Shape::Values,
                    node,
                });
            }
        }
    }

    fn finish(&mut self) {
        self.header_without_brace();
        let open = self.stack.len();
        if open > 0 {
            let first = self.stack.first().map(|frame| frame.node.position.clone());
            let hint = first.map(|at| format!("the outermost open block begins at {at}"));
            let message = format!("There are {open} missing '}}'s or extra '{{'s");
            self.report(Class::MissingClose, None, message, hint);
        }
        while let Some(frame) = self.stack.pop() {
            self.keep(frame);
        }
    }
}
