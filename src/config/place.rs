//! Where text stands and how it came there, in a form that costs little while all is well; and the list of problems.

use super::code::Code;
use super::diagnostic::{Class, Diagnostic, INCLUDED, Related, Span};
use super::tree::Node;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// Most problems that are kept.
const MAX_DIAGNOSTICS: usize = 10_000;
/// With more problems than this reading is given up.
const HOPELESS: usize = 100_000;

/// Most steps from a text outwards that are told.
const MAX_STEPS: usize = 16;

/// Most definitions in the middle of a line that are remembered; very large configurations repeat few of them.
const MAX_PARTS: usize = 50_000;

/// A piece of text. Small: every line of the tree has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) line: u32,
    /// Position in [`Reports::origins`] plus one; 0: the text stands in the line that was read.
    pub(super) via: u32,
    /// Position in [`Reports::files`].
    pub(super) file: u16,
    /// From 1; what is further right than the type counts is taken to stand there.
    pub(super) column: u16,
    pub(super) length: u16,
    /// Whether columns inside the text can be counted; not after a substitution.
    pub(super) exact: bool,
    /// Read elsewhere, or more than once: a definition's line, or a `~SEQ`.
    pub(super) moved: bool,
}

impl Place {
    /// A part of the text, if its columns can be counted.
    pub(super) fn part(self, start: usize, length: usize) -> Self {
        if !self.exact {
            return self;
        }
        Self {
            column: self.column.saturating_add(columns(start)),
            length: columns(length),
            ..self
        }
    }
}

/// A count of bytes in a line, as a place has it.
pub(super) fn columns(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

/// How text came to be read as it was.
#[derive(Debug)]
struct Origin {
    /// "`$BLK` is used here", "`~SEQ` gives n=3 here", "`$PRIO` is defined here".
    what: Rc<str>,
    at: Place,
    /// The origin outside of this one.
    outside: u32,
    /// Where the text is used that stands elsewhere, or where a part of it comes from.
    step: Step,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Use,
    Part,
}

#[derive(Debug)]
struct File {
    name: Arc<str>,
    included_from: Option<Place>,
}

/// All problems found, and what is needed to say where they are.
#[derive(Debug, Default)]
pub(super) struct Reports {
    list: Vec<Diagnostic>,
    files: Vec<File>,
    origins: Vec<Origin>,
    /// The texts of `origins`: there are few, even where there are very many origins.
    steps: BTreeSet<Rc<str>>,
    /// Origins that are parts.
    parts: usize,
    lost: usize,
    worst_lost: Option<Class>,
}

impl Reports {
    pub(super) fn add_file(&mut self, name: &str, included_from: Option<Place>) -> u16 {
        self.files.push(File {
            name: name.into(),
            included_from,
        });
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }

    /// The name of a file.
    pub(super) fn file_name(&self, file: u16) -> Option<Arc<str>> {
        let file = self.files.get(usize::from(file))?;
        Some(Arc::clone(&file.name))
    }

    /// Text that stands elsewhere is used here.
    pub(super) fn add_origin(&mut self, what: &str, used_at: Place) -> u32 {
        self.push_origin(what, used_at, used_at.via, Step::Use)
    }

    /// Definitions, each with its place, that became parts of the line at `place`.
    pub(super) fn add_parts(&mut self, definitions: &[(String, Place)], place: Place) -> u32 {
        let mut via = place.via;
        for (name, at) in definitions {
            // What a `~SEQ` set stands nowhere.
            if at.line > 0 && self.parts < MAX_PARTS {
                self.parts += 1;
                via = self.push_origin(&format!("`${name}` is defined here"), *at, via, Step::Part);
            }
        }
        via
    }

    fn push_origin(&mut self, what: &str, at: Place, outside: u32, step: Step) -> u32 {
        let known = self.steps.get(what).map(Rc::clone);
        let what = known.unwrap_or_else(|| {
            let new = Rc::from(what);
            self.steps.insert(Rc::clone(&new));
            new
        });
        self.origins.push(Origin {
            what,
            at,
            outside,
            step,
        });
        u32::try_from(self.origins.len()).unwrap_or(0)
    }

    fn origin_of(&self, place: Place) -> Option<&Origin> {
        let via = usize::try_from(place.via).ok()?;
        self.origins.get(via.wrapping_sub(1))
    }

    pub(super) fn span(&self, place: Place) -> Span {
        let file = self.files.get(usize::from(place.file));
        Span {
            file: file.map_or_else(|| "".into(), |file| Arc::clone(&file.name)),
            line: place.line,
            column: place.column.into(),
            length: place.length.into(),
        }
    }

    /// From the text outwards; and where parts of it are defined.
    pub(super) fn origin(&self, place: Place) -> (Vec<Related>, Vec<Related>) {
        let (mut steps, mut parts) = (Vec::new(), Vec::new());
        let mut outermost = None;
        let mut at = place;
        while let Some(origin) = self.origin_of(at) {
            if origin.step == Step::Part {
                if parts.len() < MAX_STEPS {
                    parts.insert(0, self.related(&origin.what, origin.at));
                }
                at.via = origin.outside;
                continue;
            }
            at = origin.at;
            // A definition that uses itself makes chains as long as the text: the first steps and the outermost are told.
            if steps.len() < MAX_STEPS {
                steps.push(self.related(&origin.what, at));
            } else {
                outermost = Some(origin);
            }
        }
        steps.extend(outermost.map(|origin| self.related(&origin.what, at)));
        // Most includes are a few deep; a chain cannot be longer than the list of files.
        for _ in 0..self.files.len() {
            let file = self.files.get(usize::from(at.file));
            let Some(from) = file.and_then(|file| file.included_from) else {
                break;
            };
            steps.push(Related {
                message: INCLUDED.into(),
                span: self.span(from),
            });
            at = from;
        }
        (steps, parts)
    }

    /// A problem at this place. The caller may add to it.
    pub(super) fn at(
        &mut self,
        place: Place,
        code: Code,
        class: impl Into<Option<Class>>,
        message: String,
    ) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(code, class.into(), message);
        // Where it is costs more than what it is.
        if self.has_room() {
            diagnostic.span = Some(self.span(place));
            (diagnostic.origin, diagnostic.related) = self.origin(place);
        }
        self.push(diagnostic)
    }

    /// A problem that shows at the end of a block: it is about the block, keepalived tells the line of its end.
    pub(super) fn at_end(
        &mut self,
        block: &Node,
        code: Code,
        class: impl Into<Option<Class>>,
        message: String,
    ) -> &mut Diagnostic {
        let diagnostic = self.end(block.place, block.end, code, class, message);
        // The end of the text ended it: keepalived tells no line.
        diagnostic.after_reading |= block.has_block && block.end.is_none() && diagnostic.reported_at.is_none();
        diagnostic
    }

    /// As [`Self::at_end`], when the block itself is gone.
    pub(super) fn end(
        &mut self,
        place: Place,
        end: Option<Place>,
        code: Code,
        class: impl Into<Option<Class>>,
        message: String,
    ) -> &mut Diagnostic {
        let read = end.map(|end| self.read_at(end));
        let diagnostic = self.at(place, code, class, message);
        diagnostic.reported_at = read;
        diagnostic
    }

    /// The place in the file that is being read when this text comes.
    fn read_at(&self, mut place: Place) -> Span {
        while let Some(origin) = self.origin_of(place) {
            match origin.step {
                Step::Use => place = origin.at,
                Step::Part => place.via = origin.outside,
            }
        }
        self.span(place)
    }

    /// A problem found after the blocks: it has a place, but keepalived tells no line.
    pub(super) fn check(
        &mut self,
        place: Place,
        code: Code,
        class: impl Into<Option<Class>>,
        message: String,
    ) -> &mut Diagnostic {
        let diagnostic = self.at(place, code, class, message);
        diagnostic.after_reading = true;
        diagnostic
    }

    /// All problems so far.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Diagnostic> {
        self.list.iter_mut()
    }

    /// Lets somebody look at each problem once more.
    pub(super) fn revise(&mut self, mut change: impl FnMut(&mut Diagnostic, &Self)) {
        let mut list = std::mem::take(&mut self.list);
        list.iter_mut().for_each(|problem| change(problem, self));
        self.list = list;
    }

    /// A problem of the whole, or found after the end of the blocks.
    pub(super) fn whole(&mut self, code: Code, class: impl Into<Option<Class>>, message: String) -> &mut Diagnostic {
        self.push(Diagnostic::new(code, class.into(), message))
    }

    /// Puts a problem into the list; what is beyond the limit is only counted.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        if self.list.len() > MAX_DIAGNOSTICS {
            self.lost += 1;
            self.worst_lost = self.worst_lost.max(diagnostic.class);
            self.list.truncate(MAX_DIAGNOSTICS);
        }
        self.list.push(diagnostic);
        let last = self.list.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed just now")]
        &mut self.list[last]
    }

    /// Whether another problem is listed, not only counted.
    pub(super) fn has_room(&self) -> bool {
        self.list.len() < MAX_DIAGNOSTICS
    }

    /// Whether there are so many problems that more of them help nobody.
    pub(super) fn is_hopeless(&self) -> bool {
        self.lost > HOPELESS
    }

    /// The problems in the order in which they were found.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        if self.lost > 0 {
            // Why reading was given up is not lost among the others.
            let given_up = self.list.pop().filter(|last| last.code == Code::TooMuchText);
            self.list.truncate(MAX_DIAGNOSTICS);
            self.list.extend(given_up);
            let message = format!(
                "{} more problems are not listed (at most {MAX_DIAGNOSTICS})",
                self.lost + 1
            );
            self.list
                .push(Diagnostic::new(Code::TooManyProblems, self.worst_lost, message));
        }
        self.list
    }

    pub(super) fn related(&self, message: &str, place: Place) -> Related {
        Related {
            message: message.into(),
            span: self.span(place),
        }
    }
}
