//! Drafts → items: every keyword of every table is asked for its value.

use super::{Content, Entry, Item, Remarks};
use crate::config::lower::{Command, Names};
use crate::config::schema::{
    Access, Block, BlockInfo, Keyword, Row, Shape, Table, Value, bfd, global, group, instance, quoted, script, top,
    tracker,
};
use crate::model::{BfdInstance, Model, Script, TrackGroup, TrackedFile, TrackedProcess};

/// Everything that is written, in such an order that what is referred to comes before what refers to it.
pub(in crate::config) fn collect(draft: &top::Draft) -> Vec<Item> {
    let model = named(draft);
    let names = Names { model: &model };
    let (lists, mut items): (Vec<Item>, Vec<Item>) = of(&top::TABLE, draft, &names)
        .into_iter()
        .partition(|item| matches!(item.content, Content::List(_)));
    let defs = of(&global::TABLE, &draft.global, &names);
    if !defs.is_empty() {
        items.extend(block("global_defs", None, defs));
    }
    for garp in &draft.global.global.garp_groups {
        let garp = group::Garp {
            group: garp.clone(),
            ..group::Garp::default()
        };
        items.extend(block("garp_group", None, of(&group::GARP_GROUP, &garp, &names)));
    }
    for group in &draft.track_groups {
        items.extend(block(
            "track_group",
            Some(&group.name),
            of(&group::TRACK_GROUP, group, &names),
        ));
    }
    items.extend(lists);
    for script in &draft.scripts {
        items.extend(block(
            "vrrp_script",
            Some(&script.name),
            of(&script::TABLE, script, &names),
        ));
    }
    for file in &draft.files {
        items.extend(block("track_file", Some(&file.name), of(&tracker::FILE, file, &names)));
    }
    for process in &draft.processes {
        let inside = of(&tracker::PROCESS, process, &names);
        items.extend(block("vrrp_track_process", Some(&process.name), inside));
    }
    for session in &draft.bfds {
        items.extend(block(
            "bfd_instance",
            Some(&session.name),
            of(&bfd::TABLE, session, &names),
        ));
    }
    for group in &draft.groups {
        items.extend(block(
            "vrrp_sync_group",
            Some(&group.name),
            of(&group::TABLE, group, &names),
        ));
    }
    for instance in &draft.instances {
        items.extend(block(
            "vrrp_instance",
            Some(&instance.name),
            of_instance(instance, &names),
        ));
    }
    items.extend(draft.lvs.iter().filter_map(|lvs| {
        let row = row_of(crate::config::schema::top(), lvs.words.first()?)?;
        Some(item(row, Content::Lvs(lvs.clone())))
    }));
    items
}

/// The names behind the ids of the drafts: ids count all drafts, also those that the model will not keep.
fn named(draft: &top::Draft) -> Model {
    let file = |file: &tracker::File| TrackedFile {
        name: file.name.clone(),
        path: String::new(),
        weight: file.weight.unwrap_or_default(),
        init: None,
    };
    let process = |process: &tracker::Process| TrackedProcess {
        name: process.name.clone(),
        process: String::new(),
        parameters: Vec::new(),
        param_match: None,
        weight: process.weight,
        quorum: 1,
        quorum_max: None,
        fork_delay: crate::model::Micros::ZERO,
        terminate_delay: crate::model::Micros::ZERO,
        full_command: false,
    };
    let session = |session: &bfd::Draft| {
        let mut named = BfdInstance::new(&session.name, None);
        named.weight = session.weight;
        named
    };
    let track_group = |group: &group::TrackGroup| TrackGroup {
        name: group.name.clone(),
        members: Vec::new(),
    };
    let script = |script: &script::Draft| {
        let mut named = Script::new(&script.name, Vec::new());
        named.weight = script.weight;
        named
    };
    Model {
        scripts: draft.scripts.iter().map(script).collect(),
        files: draft.files.iter().map(file).collect(),
        processes: draft.processes.iter().map(process).collect(),
        bfds: draft.bfds.iter().map(session).collect(),
        track_groups: draft.track_groups.iter().map(track_group).collect(),
        ..Model::default()
    }
}

fn row_of(info: &'static BlockInfo, name: &str) -> Option<&'static Row> {
    info.find(name).map(|found| info.row(found))
}

fn item(row: &'static Row, content: Content) -> Item {
    Item {
        row,
        content,
        remarks: Remarks::default(),
    }
}

fn block(key: &str, name: Option<&str>, items: Vec<Item>) -> Option<Item> {
    let row = row_of(crate::config::schema::top(), key)?;
    let name = name.map(str::to_owned);
    Some(item(row, Content::Block { name, items }))
}

/// An instance with the blocks inside of it.
fn of_instance(draft: &instance::Draft, names: &Names<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for keyword in instance::TABLE.keywords() {
        let inner = match keyword.row.name {
            "authentication" if draft.auth_type.is_some() || draft.auth_pass.is_some() => &instance::AUTHENTICATION,
            "auth_hmac" if draft.hmac.is_some() => &instance::AUTH_HMAC,
            _ => {
                items.extend(value(keyword, draft, names));
                continue;
            }
        };
        let items_inside = of(inner, draft, names);
        items.push(item(
            &keyword.row,
            Content::Block {
                name: None,
                items: items_inside,
            },
        ));
    }
    items
}

/// What is written of a block.
fn of<D: Block>(table: &'static Table<D>, draft: &D, names: &Names<'_>) -> Vec<Item> {
    table
        .keywords()
        .filter_map(|keyword| value(keyword, draft, names))
        .collect()
}

/// What is written of a keyword.
fn value<D: Block>(keyword: &'static Keyword<D>, draft: &D, names: &Names<'_>) -> Option<Item> {
    let row = &keyword.row;
    let one = |text: String| Content::Lines(vec![text]);
    let content = match keyword.access {
        Access::Flag { get, .. } => get(draft).then(|| one(String::new())),
        Access::Bool { get, .. } => get(draft).map(|on| one(on.to_string())),
        Access::Int { get, .. } => get(draft).map(|number| one(number.to_string())),
        Access::Time { get, .. } => {
            let Value::Time(time) = row.value else { return None };
            get(draft).map(|value| one(time.print(value)))
        }
        Access::Word { get, .. } => get(draft).map(|word| one(quoted(&word))),
        Access::Command { get, .. } => get(draft).map(|command: &Command| one(command.print())),
        Access::Lines { print, .. } => {
            let entries: Vec<Entry> = print(draft, names).into_iter().map(entry).collect();
            (!entries.is_empty()).then_some(Content::List(entries))
        }
        Access::Custom { print, .. } if matches!(row.shape, Shape::Line) => {
            let lines = print(draft, names);
            (!lines.is_empty()).then_some(Content::Lines(lines))
        }
        Access::Custom { .. } => None,
    };
    content.map(|content| item(row, content))
}

fn entry(text: String) -> Entry {
    Entry {
        text,
        remarks: Remarks::default(),
    }
}
