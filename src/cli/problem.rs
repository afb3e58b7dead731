//! Problems of a configuration, for the printer.

use super::render::{Message, Spot, Weight};
use crate::config::{Class, Code, Diagnostic, Loaded, Severity, Span};
use std::collections::BTreeMap;

/// Whether a file could not be read.
pub(super) fn is_unreadable(loaded: &Loaded) -> bool {
    loaded.diagnostics.iter().any(|d| d.class == Some(Class::FileNotFound))
}

/// Problems as they are printed: one for a brace or an unknown block, not one for each line that is misread after it.
pub(super) fn messages<'d>(diagnostics: impl Iterator<Item = &'d Diagnostic>) -> Vec<Message> {
    let mut following: BTreeMap<&Span, usize> = BTreeMap::new();
    let mut roots = Vec::new();
    for diagnostic in diagnostics {
        match &diagnostic.follows {
            Some(cause) => *following.entry(cause).or_default() += 1,
            None => roots.push(diagnostic),
        }
    }
    let told = |diagnostic: &&Diagnostic| {
        let mut message = message(diagnostic);
        let more = diagnostic.span.as_ref().and_then(|span| following.remove(span));
        if let Some(more) = more {
            let plural = if more == 1 { " follows" } else { "s follow" };
            let why = match diagnostic.class {
                Some(Class::UnexpectedClose) => "",
                _ => ", as its lines count for the block around it and its `}` ends that block (with keepalived too)",
            };
            let note = format!("{more} more problem{plural} from this one{why}; `vrrpd -t` shows all");
            message.hint = Some(message.hint.map_or(note.clone(), |hint| format!("{hint}\n{note}")));
        }
        message
    };
    // Whatever comes after a missing brace is read wrongly, but only the end of the file shows that it is missing.
    roots.sort_by_key(|diagnostic| diagnostic.code != Code::MissingBrace);
    roots.iter().map(told).collect()
}

/// A problem as it is printed.
fn message(diagnostic: &Diagnostic) -> Message {
    let related = diagnostic.related.iter().chain(&diagnostic.origin);
    let mut text = diagnostic.message.clone();
    if let Some(detail) = &diagnostic.detail {
        text.push_str(&format!(": {detail}"));
    }
    Message {
        weight: match diagnostic.severity {
            Severity::Note => Weight::Note,
            Severity::Warning => Weight::Warning,
            Severity::Error => Weight::Error,
        },
        code: diagnostic.code.to_string(),
        text,
        at: diagnostic.span.as_ref().map(spot),
        related: related
            .map(|related| (spot(&related.span), related.message.clone()))
            .collect(),
        hint: diagnostic.hint.clone(),
    }
}

pub(super) fn spot(span: &Span) -> Spot {
    Spot {
        file: span.file.to_string(),
        line: span.line,
        column: span.column,
        length: span.length,
    }
}
