//! Problems as a good compiler prints them: what, where, the line with a caret, related places, what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::ops::Range;

/// Places that are at most so many lines apart are shown in one piece.
const NEAR: u32 = 40;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Worth knowing.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// Does not count, or does not work.
    Error,
}

/// A piece of a line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) file: String,
    /// From 1.
    pub(super) line: u32,
    /// Of the first byte, from 1.
    pub(super) column: u32,
    /// In bytes; 0: up to the end of the line.
    pub(super) length: u32,
}

/// One problem, whoever found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) weight: Weight,
    pub(super) code: String,
    pub(super) text: String,
    pub(super) at: Option<Spot>,
    /// Other places, and what is there.
    pub(super) related: Vec<(Spot, String)>,
    pub(super) hint: Option<String>,
}

/// Turns problems into text. Reads the files that they point into, each once.
pub(super) struct Printer<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    files: BTreeMap<String, Option<Lines>>,
    renderer: Renderer,
}

/// A file and where its lines begin.
struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    fn new(text: String) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// Where a line begins.
    fn start(&self, number: u32) -> Option<usize> {
        self.starts.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    fn line(&self, number: u32) -> Option<&str> {
        let text = self.text.get(self.start(number)?..)?;
        text.split(['\n', '\r']).next()
    }
}

impl<'a> Printer<'a> {
    /// `read` gives the text of a file. Colours where standard output is a terminal.
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let renderer = if std::io::stdout().is_terminal() {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        Self {
            read,
            files: BTreeMap::new(),
            renderer: renderer.decor_style(DecorStyle::Ascii),
        }
    }

    pub(super) fn print(&mut self, message: &Message) -> String {
        let spots = message.at.iter().chain(message.related.iter().map(|(spot, _)| spot));
        for spot in spots {
            let read = self.read;
            let file = &spot.file;
            self.files
                .entry(file.clone())
                .or_insert_with(|| read(file).map(Lines::new));
        }
        let level = match message.weight {
            Weight::Note => Level::NOTE,
            Weight::Warning => Level::WARNING,
            Weight::Error => Level::ERROR,
        };
        let title = level.primary_title(&message.text).id(&message.code);
        let mut group = Group::with_title(title);
        let primary = message.at.iter().map(|spot| (spot, "", AnnotationKind::Primary));
        let related = message.related.iter();
        let related = related.map(|(spot, label)| (spot, label.as_str(), AnnotationKind::Context));
        for near in windows(primary.chain(related)) {
            if let Some(snippet) = self.snippet(&near) {
                group = group.element(snippet);
            }
        }
        if let Some(hint) = &message.hint {
            group = group.element(Level::HELP.message(hint));
        }
        format!("{}\n\n", self.renderer.render(&[group]))
    }

    /// A piece of one file with everything in it that is marked; what is not there is left out.
    fn snippet<'s>(&'s self, marks: &[Mark<'s>]) -> Option<Snippet<'s, annotate_snippets::Annotation<'s>>> {
        let (one, ..) = marks.first()?;
        let lines = self.files.get(&one.file)?.as_ref()?;
        let there = || marks.iter().filter(|(spot, ..)| lines.line(spot.line).is_some());
        let numbers = || there().map(|(spot, ..)| spot.line);
        let (first, last) = (numbers().min()?, numbers().max()?);
        let begin = lines.start(first)?;
        let annotations = there().filter_map(|(spot, label, kind)| {
            let at = range(lines.line(spot.line)?, spot);
            let offset = lines.start(spot.line)? - begin;
            let annotation = kind.span(at.start + offset..at.end + offset);
            Some(if label.is_empty() {
                annotation
            } else {
                annotation.label(*label)
            })
        });
        let end = lines.start(last)? + lines.line(last)?.len();
        Some(
            Snippet::source(lines.text.get(begin..end)?)
                .line_start(usize::try_from(first).ok()?)
                .path(&one.file)
                .annotations(annotations),
        )
    }
}

/// A place, what is there, and of which kind.
type Mark<'s> = (&'s Spot, &'s str, AnnotationKind);

/// Marks that are shown together: those of one file that are not far from the first.
fn windows<'s>(marks: impl Iterator<Item = Mark<'s>>) -> Vec<Vec<Mark<'s>>> {
    let mut windows: Vec<Vec<Mark<'s>>> = Vec::new();
    for mark in marks {
        let near = |window: &&mut Vec<Mark<'s>>| {
            let first = window.first();
            first.is_some_and(|(spot, ..)| spot.file == mark.0.file && spot.line.abs_diff(mark.0.line) <= NEAR)
        };
        match windows.iter_mut().find(near) {
            Some(window) => window.push(mark),
            None => windows.push(vec![mark]),
        }
    }
    windows
}

/// The bytes of a line that a spot means, on borders of characters.
fn range(line: &str, spot: &Spot) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(line.len());
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let start = floor(number(spot.column.saturating_sub(1)));
    let end = match spot.length {
        0 => line.trim_end().len().max(start),
        length => floor(start.saturating_add(number(length))),
    };
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(line: u32, column: u32, length: u32) -> Spot {
        Spot {
            file: "a.conf".into(),
            line,
            column,
            length,
        }
    }

    #[test]
    fn a_problem_is_shown_with_its_line_its_relations_and_what_to_do() {
        let read = |_: &str| Some("vrrp_script chk {\n    raise 2\n}\n".to_owned());
        let message = Message {
            weight: Weight::Error,
            code: "unknown-keyword".into(),
            text: "Unknown keyword 'raise'".into(),
            at: Some(spot(2, 5, 5)),
            related: vec![(spot(1, 1, 0), "in this block".into())],
            hint: Some("did you mean `rise`?".into()),
        };
        let text = Printer::new(&read).print(&message);
        assert_eq!(
            text,
            "error[unknown-keyword]: Unknown keyword 'raise'\n --> a.conf:2:5\n  |\n1 | vrrp_script chk {\n  | ----------------- in this block\n2 |     raise 2\n  |     ^^^^^\n  |\n  = help: did you mean `rise`?\n\n"
        );
    }

    #[test]
    fn a_place_that_is_not_there_does_not_hide_the_problem() {
        let read = |file: &str| (file == "a.conf").then(|| "é é".to_owned());
        for at in [
            spot(9, 1, 1),
            spot(1, 2, 1),
            spot(1, 99, 99),
            spot(1, 0, 0),
            spot(0, 0, 0),
        ] {
            let message = Message {
                weight: Weight::Note,
                code: "c".into(),
                text: "something".into(),
                at: Some(at),
                related: Vec::new(),
                hint: None,
            };
            assert!(Printer::new(&read).print(&message).starts_with("note[c]: something\n"));
        }
    }
}
