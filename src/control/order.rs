//! What somebody may tell the daemon to do over the control socket, and its answer.

use serde::{Deserialize, Serialize};

/// An order, as it stands in a line of the control socket: `{"do":"drain","name":"VI_1","for_ms":1800000}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Hand mastership over and let others go first.
    Drain {
        /// An instance or a sync group; all without a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// For how long; until it is resumed without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        /// Stay out even when nobody else is master.
        #[serde(default)]
        force: bool,
    },
    /// Take part again.
    Resume {
        /// An instance or a sync group; all without a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl Order {
    /// Whom it is for.
    #[must_use]
    pub const fn name(&self) -> Option<&String> {
        match self {
            Self::Drain { name, .. } | Self::Resume { name } => name.as_ref(),
        }
    }
}

/// The answer to an order: one line of the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is carried out.
    Done {
        /// The instances that it concerns.
        instances: Vec<String>,
    },
    /// It is not.
    Error {
        /// A stable word.
        code: String,
        /// Why, and what to do.
        text: String,
    },
}

impl Verdict {
    pub(super) fn line(&self) -> String {
        // No type of the answer can fail to be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        format!("{text}\n")
    }
}
