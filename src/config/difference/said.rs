//! A part of a model in the words of the keyword table.

use super::Change;
use crate::config::lower::{Names, account};
use crate::config::schema::{self, Acts, Reload};
use crate::model::{
    Account, Micros, Model, Program, ProgramUser, TrackBfd, TrackFile, TrackInterface, TrackProcess, TrackScript,
    Weight,
};
use std::fmt::Display;

/// What is said of one keyword.
#[derive(Debug)]
struct Word {
    block: &'static str,
    keyword: &'static str,
    items: Vec<String>,
    secret: bool,
}

/// Keywords with their values, in the order of the table.
#[derive(Debug)]
pub(super) struct Said {
    block: &'static str,
    words: Vec<Word>,
}

/// Instead of a secret.
const HIDDEN: &str = "(not shown)";

impl Said {
    pub(super) const fn of(block: &'static str) -> Self {
        Self {
            block,
            words: Vec::new(),
        }
    }

    /// Goes on with the keywords of another block.
    pub(super) fn inside(&mut self, block: &'static str) {
        self.block = block;
    }

    /// A value a line.
    pub(super) fn list(&mut self, keyword: &'static str, items: Vec<String>) {
        self.words.push(Word {
            block: self.block,
            keyword,
            items,
            secret: false,
        });
    }

    pub(super) fn one(&mut self, keyword: &'static str, value: impl Display) {
        self.list(keyword, vec![value.to_string()]);
    }

    /// What need not be there.
    pub(super) fn some(&mut self, keyword: &'static str, value: Option<impl Display>) {
        self.list(keyword, value.iter().map(ToString::to_string).collect());
    }

    pub(super) fn flag(&mut self, keyword: &'static str, on: bool) {
        self.one(keyword, if on { "on" } else { "off" });
    }

    pub(super) fn time(&mut self, keyword: &'static str, length: Micros) {
        self.one(keyword, seconds(length));
    }

    /// What nobody may read.
    pub(super) fn secret(&mut self, keyword: &'static str, items: Vec<String>) {
        self.list(keyword, items);
        if let Some(word) = self.words.last_mut() {
            word.secret = true;
        }
    }

    pub(super) fn program(&mut self, keyword: &'static str, program: Option<&Program>) {
        let words = |program: &Program| {
            command(
                &program.argv,
                program.path.as_deref(),
                program.user,
                program.account.as_ref(),
            )
        };
        self.some(keyword, program.map(words));
    }

    /// What the other one says otherwise.
    pub(super) fn changes(&self, new: &Self) -> Vec<Change> {
        let key = |word: &Word| (word.block, word.keyword);
        let only_new = new
            .words
            .iter()
            .filter(|word| !self.words.iter().any(|old| key(old) == key(word)));
        let keys: Vec<_> = self.words.iter().chain(only_new).map(key).collect();
        let find = |said: &Self, wanted| {
            let found = said.words.iter().find(|word| key(word) == wanted);
            found.map_or((Vec::new(), Vec::new()), |word| (word.items.clone(), word.shown()))
        };
        let change = |wanted: (&'static str, &'static str)| {
            let ((old, old_shown), (new, new_shown)) = (find(self, wanted), find(new, wanted));
            (old != new).then(|| Change {
                block: wanted.0.to_owned(),
                keyword: wanted.1.to_owned(),
                effect: effect(wanted),
                old: old_shown,
                new: new_shown,
            })
        };
        keys.into_iter().filter_map(change).collect()
    }

    /// What the keywords are called, with their blocks.
    #[cfg(test)]
    pub(super) fn keywords(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.words.iter().map(|word| (word.block, word.keyword))
    }
}

impl Word {
    fn shown(&self) -> Vec<String> {
        match self.secret {
            true => self.items.iter().map(|_| HIDDEN.to_owned()).collect(),
            false => self.items.clone(),
        }
    }
}

/// What the table says; a keyword that this version does not act on has no effect.
fn effect((block, keyword): (&str, &str)) -> Reload {
    let row = schema::block(block).and_then(|block| Some(block.row(block.find(keyword)?)));
    match row {
        Some(row) if matches!(row.acts, Acts::Yes | Acts::Interfaces) => row.reload,
        Some(_) => Reload::Nothing,
        None => Reload::Adjust,
    }
}

/// Seconds as a person writes them.
pub(super) fn seconds(length: Micros) -> String {
    let text = length.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Something that is tracked, always with its weight: the tracker's own may be what was changed.
pub(super) fn tracked(name: &str, weight: Weight) -> String {
    let reverse = if weight.is_reverse() { " reverse" } else { "" };
    format!("{name} weight {}{reverse}", weight.value())
}

/// What an instance or a group tracks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracks<'a> {
    pub(super) interfaces: &'a [TrackInterface],
    pub(super) scripts: &'a [TrackScript],
    pub(super) files: &'a [TrackFile],
    pub(super) processes: &'a [TrackProcess],
    pub(super) bfds: &'a [TrackBfd],
}

impl Tracks<'_> {
    pub(super) fn say(self, model: &Model, said: &mut Said) {
        let names = Names { model };
        let interfaces = self.interfaces.iter();
        said.list(
            "track_interface",
            interfaces
                .map(|one| tracked(one.interface.as_str(), one.weight))
                .collect(),
        );
        let scripts = self.scripts.iter();
        let script = |one: &TrackScript| Some(tracked(&model.script(one.script)?.name, one.weight));
        said.list("track_script", scripts.filter_map(script).collect());
        let file = |one: &TrackFile| Some(tracked(&names.file(one.file)?.name, one.weight));
        said.list("track_file", self.files.iter().filter_map(file).collect());
        let process = |one: &TrackProcess| Some(tracked(&names.process(one.process)?.name, one.weight));
        said.list("track_process", self.processes.iter().filter_map(process).collect());
        let bfd = |one: &TrackBfd| Some(tracked(&names.bfd(one.bfd)?.name, one.weight));
        said.list("track_bfd", self.bfds.iter().filter_map(bfd).collect());
    }
}

/// A command line with who runs it, and what really runs if that is another file.
pub(super) fn command(
    argv: &[String],
    path: Option<&str>,
    user: Option<ProgramUser>,
    owner: Option<&Account>,
) -> String {
    let mut text = argv.join(" ");
    match (owner, user) {
        (Some(owner), _) => text.push_str(&format!(" as {}", account(owner))),
        (None, Some(user)) => text.push_str(&format!(" as {}:{}", user.uid, user.gid)),
        (None, None) => {}
    }
    match path {
        Some(path) if argv.first().is_none_or(|first| first != path) => text.push_str(&format!(" ({path})")),
        Some(_) => {}
        None => text.push_str(" (cannot run)"),
    }
    text
}
