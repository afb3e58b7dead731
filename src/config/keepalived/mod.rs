//! Characters → lines of words → tree, by the rules of keepalived.conf.

mod blocks;
mod command;
mod define;
mod expand;
mod include;
mod words;

pub(super) use command::split as split_command;
pub(super) use expand::{ReadOptions, Stopped, read};
pub(super) use words::{split_words, word_ranges};
