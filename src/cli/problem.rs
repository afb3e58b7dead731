//! Problems of a configuration, for the printer.

use super::render::{Message, Spot, Weight};
use crate::config::{Class, Diagnostic, Loaded, Severity, Span};

/// Whether a file could not be read.
pub(super) fn is_unreadable(loaded: &Loaded) -> bool {
    loaded.diagnostics.iter().any(|d| d.class == Some(Class::FileNotFound))
}

/// A problem as it is printed.
pub(super) fn message(diagnostic: &Diagnostic) -> Message {
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
