//! Items → keepalived.conf.

use super::{Content, Entry, Item, Remarks};
use crate::config::schema::quoted;
use crate::model::LvsBlock;

/// The text of a keepalived.conf with these items; comments that belong nowhere come last.
pub(in crate::config) fn keepalived(items: &[Item], rest: &[String]) -> String {
    let mut out = Writer::default();
    for (position, item) in items.iter().enumerate() {
        let is_block = !matches!(item.content, Content::Lines(_));
        if position > 0 && is_block {
            out.text.push('\n');
        }
        out.item(item);
    }
    if !rest.is_empty() {
        out.text.push('\n');
        out.above(rest);
    }
    out.text
}

#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str, behind: Option<&str>) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(text.trim_end());
        if let Some(behind) = behind {
            self.text.push_str("  # ");
            self.text.push_str(behind);
        }
        self.text.push('\n');
    }

    fn above(&mut self, comments: &[String]) {
        for comment in comments {
            self.line(format!("# {comment}").trim_end(), None);
        }
    }

    fn open(&mut self, header: &str, remarks: &Remarks) {
        self.line(&format!("{header} {{"), remarks.behind.as_deref());
        self.depth += 1;
    }

    fn close(&mut self, remarks: &Remarks) {
        self.above(&remarks.last);
        self.depth = self.depth.saturating_sub(1);
        self.line("}", remarks.end.as_deref());
    }

    fn item(&mut self, item: &Item) {
        self.above(&item.remarks.above);
        let key = item.row.name;
        match &item.content {
            Content::Lines(lines) => {
                for (position, line) in lines.iter().enumerate() {
                    let behind = item.remarks.behind.as_deref().filter(|_| position == 0);
                    self.line(&format!("{key} {line}"), behind);
                }
                self.above(&item.remarks.last);
            }
            Content::List(entries) => {
                self.open(key, &item.remarks);
                self.entries(entries);
                self.close(&item.remarks);
            }
            Content::Block { name, items } => {
                let name = name
                    .as_ref()
                    .map(|name| format!(" {}", quoted(name)))
                    .unwrap_or_default();
                self.open(&format!("{key}{name}"), &item.remarks);
                items.iter().for_each(|item| self.item(item));
                self.close(&item.remarks);
            }
            Content::Lvs(block) => self.lvs(block),
        }
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.above(&entry.remarks.above);
            self.line(&entry.text, entry.remarks.behind.as_deref());
        }
    }

    fn lvs(&mut self, block: &LvsBlock) {
        let words: Vec<String> = block.words.iter().map(|word| quoted(word)).collect();
        match &block.lines {
            None => self.line(&words.join(" "), None),
            Some(lines) => {
                self.open(&words.join(" "), &Remarks::default());
                lines.iter().for_each(|line| self.lvs(line));
                self.close(&Remarks::default());
            }
        }
    }
}

/// The text of an LVS block.
pub(super) fn lvs(block: &LvsBlock) -> String {
    let mut out = Writer::default();
    out.lvs(block);
    out.text
}
