//! Programs that the configuration names: who runs what.

use serde::{Deserialize, Serialize};

/// The user and group that a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProgramUser {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A user and group as written, so that a configuration can be written again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// The user's name.
    pub user: Box<str>,
    /// The group's name; the user's own group when not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<str>>,
}

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Words of the command as written: argv of the program.
    pub argv: Vec<String>,
    /// The file that is executed, every link followed; `None` while nothing was found.
    pub path: Option<String>,
    /// Who runs it. `None`: the daemon's own user.
    pub user: Option<ProgramUser>,
    /// Who runs it, as written at this program; `None`: `script_user` or its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}
