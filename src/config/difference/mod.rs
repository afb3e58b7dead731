//! What a reload makes of two configurations: which object is untouched, adjusted, begun anew, new or gone, and by which
//! keyword. `vrrpd reload` tells it; `proto::reload` does it, by the same pairing of instances ([`continued`]).
//!
//! `instance`, `global` and `objects` say a model in the words of the keyword table. Tests ask for a word when a keyword that acts
//! is added: each is changed, and has to be named.

mod global;
mod instance;
mod objects;
mod said;

use super::schema::Reload;
use crate::model::{Model, Renumbering, continued};
use said::Said;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two configurations compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// What stands outside of the blocks of [`Self::objects`].
    pub global: Vec<Change>,
    /// Everything that has a name, in the order of the new configuration; what is gone comes last of its kind.
    pub objects: Vec<Object>,
}

/// Something with a name, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its name in the new configuration; in the old one, if it is gone.
    pub name: String,
    /// Its name before, if it was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// What becomes of it.
    pub fate: Fate,
    /// What was changed of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `vrrp_instance`.
    Instance,
    /// `vrrp_sync_group`.
    Group,
    /// `vrrp_script`.
    Script,
    /// `track_file`.
    File,
    /// `vrrp_track_process`.
    Process,
    /// `bfd_instance`.
    Bfd,
}

impl Kind {
    /// For people, one and several.
    #[must_use]
    pub const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Instance => ["instance", "instances"],
            Self::Group => ["sync group", "sync groups"],
            Self::Script => ["script", "scripts"],
            Self::File => ["track_file", "track_files"],
            Self::Process => ["track_process", "track_processes"],
            Self::Bfd => ["bfd_instance", "bfd_instances"],
        }
    }
}

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It means the same: nothing happens to it.
    Untouched,
    /// It goes on in its state with other settings.
    Adjusted,
    /// It ends and begins anew.
    Restarted,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

impl Fate {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Adjusted => "adjusted",
            Self::Restarted => "restarted",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// A keyword whose value is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The block whose keyword it is; `(top)` outside of all blocks.
    pub block: String,
    /// The keyword.
    pub keyword: String,
    /// What a changed value of it needs.
    pub effect: Reload,
    /// The value before, one for each line or word; none: there was none.
    pub old: Vec<String>,
    /// The value from now on.
    pub new: Vec<String>,
}

impl Change {
    /// Whether it counts only after a restart of the whole daemon.
    #[must_use]
    pub fn waits_for_restart(&self) -> bool {
        // The multicast groups of instances are global too: these begin anew by themselves.
        let of_instances = self.keyword.starts_with("vrrp_mcast_group");
        let outside = matches!(self.block.as_str(), "(top)" | "global_defs");
        self.effect == Reload::Restart && outside && !of_instances
    }
}

/// What a reload from one configuration to the other does.
#[must_use]
pub fn difference(old: &Model, new: &Model) -> Difference {
    let mut objects = instances(old, new);
    objects.extend(paired(
        Kind::Group,
        &old.groups,
        &new.groups,
        |one| &one.name,
        |group, is_new| objects::group(group, if is_new { new } else { old }),
    ));
    objects.extend(paired(
        Kind::Script,
        &old.scripts,
        &new.scripts,
        |one| &one.name,
        |one, _| objects::script(one),
    ));
    objects.extend(paired(
        Kind::File,
        &old.files,
        &new.files,
        |one| &one.name,
        |one, _| objects::file(one),
    ));
    objects.extend(paired(
        Kind::Process,
        &old.processes,
        &new.processes,
        |one| &one.name,
        |one, _| objects::process(one),
    ));
    objects.extend(paired(
        Kind::Bfd,
        &old.bfds,
        &new.bfds,
        |one| &one.name,
        |one, _| objects::bfd(one),
    ));
    let mut outside = global::global(&old.global).changes(&global::global(&new.global));
    outside.extend(objects::top(old).changes(&objects::top(new)));
    Difference {
        global: outside,
        objects,
    }
}

/// What counts only after a restart of the daemon, of the settings outside of all instances.
#[must_use]
pub fn waiting_for_restart(started_with: &crate::model::Global, new: &crate::model::Global) -> Vec<Change> {
    let changes = global::global(started_with).changes(&global::global(new));
    changes.into_iter().filter(Change::waits_for_restart).collect()
}

fn instances(old: &Model, new: &Model) -> Vec<Object> {
    let moves = Renumbering::between(old, new);
    let before = continued(old, new);
    let mut left: Vec<Option<&crate::model::Instance>> = old.instances.iter().map(Some).collect();
    let mut taken = |at: usize| left.get_mut(at).and_then(Option::take);
    let goes_on: Vec<_> = before.iter().map(|at| at.and_then(&mut taken)).collect();
    let mut named: BTreeMap<&str, _> = left.into_iter().flatten().map(|one| (&*one.name, one)).collect();
    let mut objects = Vec::new();
    for (now, before) in new.instances.iter().zip(goes_on) {
        let (fate, old_one) = match before {
            Some(before) if moves.is_same(before, now) => (Fate::Untouched, Some(before)),
            Some(before) => (Fate::Adjusted, Some(before)),
            None => match named.remove(&*now.name) {
                Some(namesake) => (Fate::Restarted, Some(namesake)),
                None => (Fate::Added, None),
            },
        };
        let changes = match (fate, old_one) {
            (Fate::Adjusted | Fate::Restarted, Some(before)) => {
                instance::instance(before, old).changes(&instance::instance(now, new))
            }
            _ => Vec::new(),
        };
        objects.push(Object {
            kind: Kind::Instance,
            name: now.name.to_string(),
            formerly: old_one
                .filter(|one| one.name != now.name)
                .map(|one| one.name.to_string()),
            fate,
            changes,
        });
    }
    // In the order of the old configuration.
    let gone = old
        .instances
        .iter()
        .filter(|one| named.get(&*one.name).is_some_and(|left| std::ptr::eq(*left, *one)));
    objects.extend(gone.map(|one| removed(Kind::Instance, &one.name)));
    objects
}

/// Objects that are matched by their names.
fn paired<T: PartialEq>(
    kind: Kind,
    old: &[T],
    new: &[T],
    name: fn(&T) -> &str,
    say: impl Fn(&T, bool) -> Said,
) -> Vec<Object> {
    let mut before: BTreeMap<&str, &T> = old.iter().map(|one| (name(one), one)).collect();
    let mut objects = Vec::new();
    for now in new {
        let known = before.remove(name(now));
        let changes = known.map(|known| say(known, false).changes(&say(now, true)));
        let fate = match &changes {
            None => Fate::Added,
            Some(changes) if changes.iter().any(|change| change.effect == Reload::Restart) => Fate::Restarted,
            Some(changes) if changes.is_empty() => Fate::Untouched,
            Some(_) => Fate::Adjusted,
        };
        objects.push(Object {
            kind,
            name: name(now).to_owned(),
            formerly: None,
            fate,
            changes: changes.unwrap_or_default(),
        });
    }
    let gone = old.iter().map(name).filter(|one| before.contains_key(one));
    objects.extend(gone.map(|one| removed(kind, one)));
    objects
}

fn removed(kind: Kind, name: &str) -> Object {
    Object {
        kind,
        name: name.to_owned(),
        formerly: None,
        fate: Fate::Removed,
        changes: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
