//! Characters → lines of words → tree, by the rules of keepalived.conf.

mod blocks;
mod command;
mod define;
mod expand;
mod words;

pub(super) use blocks::build;
pub(super) use command::split as split_command;
pub(super) use expand::{TokenLine, read};
