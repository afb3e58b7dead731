//! Model → text. The drafts that would give the model are written keyword by keyword with the table.

mod drafts;

use super::lower::Names;
use super::schema::{Access, Block, Table, Value, bfd, global, group, instance, script, top, tracker};
use crate::model::{GarpGroup, LvsBlock, Model};

/// The model in keepalived's language. Reading it again gives the same model.
#[must_use]
pub fn print_keepalived(model: &Model) -> String {
    let names = Names { model };
    let draft = drafts::of(model);
    let mut out = Writer::default();
    out.keywords(&top::TABLE, &draft, &names, |value| {
        !matches!(value, Value::Lines | Value::Words)
    });
    out.block("global_defs", "", |out| {
        out.table(&global::TABLE, &draft.global, &names)
    });
    for script in &draft.scripts {
        out.block("vrrp_script", &script.name, |out| {
            out.table(&script::TABLE, script, &names)
        });
    }
    for file in &draft.files {
        out.block("track_file", &file.name, |out| out.table(&tracker::FILE, file, &names));
    }
    for process in &draft.processes {
        out.block("vrrp_track_process", &process.name, |out| {
            out.table(&tracker::PROCESS, process, &names)
        });
    }
    for session in &draft.bfds {
        out.block("bfd_instance", &session.name, |out| {
            out.table(&bfd::TABLE, session, &names)
        });
    }
    for group in &draft.track_groups {
        out.block("track_group", &group.name, |out| {
            out.table(&group::TRACK_GROUP, group, &names)
        });
    }
    out.keywords(&top::TABLE, &draft, &names, |value| {
        matches!(value, Value::Lines | Value::Words)
    });
    for garp in &model.global.garp_groups {
        let draft = garp_draft(garp);
        out.block("garp_group", "", |out| out.table(&group::GARP_GROUP, &draft, &names));
    }
    for group in &draft.groups {
        out.block("vrrp_sync_group", &group.name, |out| {
            out.table(&group::TABLE, group, &names)
        });
    }
    for instance in &draft.instances {
        out.block("vrrp_instance", &instance.name, |out| {
            out.table(&instance::TABLE, instance, &names);
            out.block("authentication", "", |out| {
                out.table(&instance::AUTHENTICATION, instance, &names)
            });
            out.block("auth_hmac", "", |out| out.table(&instance::AUTH_HMAC, instance, &names));
        });
    }
    draft.lvs.iter().for_each(|block| out.lvs(block));
    out.text
}

fn garp_draft(group: &GarpGroup) -> group::Garp {
    group::Garp {
        group: group.clone(),
        ..group::Garp::default()
    }
}

/// Text that grows line by line.
#[derive(Debug, Default)]
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, words: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(words.trim_end());
        self.text.push('\n');
    }

    /// A block; without a name and with nothing inside it is not written.
    fn block(&mut self, keyword: &str, name: &str, inside: impl FnOnce(&mut Self)) {
        let before = self.text.len();
        let head = match name {
            "" => format!("{keyword} {{"),
            name => format!("{keyword} {} {{", global::quoted(name)),
        };
        self.line(&head);
        let begun = self.text.len();
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        if name.is_empty() && self.text.len() == begun {
            self.text.truncate(before);
        } else {
            self.line("}");
        }
    }

    fn table<D: Block>(&mut self, table: &Table<D>, draft: &D, names: &Names<'_>) {
        self.keywords(table, draft, names, |_| true);
    }

    fn keywords<D: Block>(&mut self, table: &Table<D>, draft: &D, names: &Names<'_>, wanted: impl Fn(Value) -> bool) {
        for keyword in table.keywords().filter(|keyword| wanted(keyword.row.value)) {
            let name = keyword.row.name;
            match keyword.access {
                Access::Flag { get, .. } => {
                    if get(draft) {
                        self.line(name);
                    }
                }
                Access::Bool { get, .. } => {
                    if let Some(on) = get(draft) {
                        self.line(&format!("{name} {on}"));
                    }
                }
                Access::Int { get, .. } => {
                    if let Some(number) = get(draft) {
                        self.line(&format!("{name} {number}"));
                    }
                }
                Access::Time { get, .. } => {
                    if let (Some(time), Value::Time(unit)) = (get(draft), keyword.row.value) {
                        self.line(&format!("{name} {}", unit.print(time)));
                    }
                }
                Access::Word { get, .. } => {
                    if let Some(word) = get(draft) {
                        self.line(&format!("{name} {}", global::quoted(&word)));
                    }
                }
                Access::Command { get, .. } => {
                    if let Some(command) = get(draft) {
                        self.line(&format!("{name} {}", command.print()));
                    }
                }
                Access::Lines { print, .. } => {
                    self.block(name, "", |out| {
                        print(draft, names).iter().for_each(|line| out.line(line))
                    });
                }
                Access::Custom { print, .. } => {
                    for text in print(draft, names) {
                        self.line(&format!("{name} {text}"));
                    }
                }
            }
        }
    }

    fn lvs(&mut self, block: &LvsBlock) {
        let words: Vec<_> = block.words.iter().map(|word| global::quoted(word)).collect();
        let words = words.join(" ");
        match &block.lines {
            None => self.line(&words),
            Some(lines) => {
                self.line(&format!("{words} {{"));
                self.depth += 1;
                lines.iter().for_each(|line| self.lvs(line));
                self.depth -= 1;
                self.line("}");
            }
        }
    }
}
