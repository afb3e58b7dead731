//! The line that a person types on a terminal which does not edit lines itself, because a table is redrawn around it.

/// Lines remembered.
const HISTORY: usize = 200;

/// The longest line, in characters.
const LONGEST: usize = 500;

/// A line being typed.
#[derive(Debug, Default)]
pub(super) struct Editor {
    text: String,
    /// The beginning of a character or of a key's sequence.
    pending: Vec<u8>,
    history: Vec<String>,
    /// Which line of the history is shown, counted from the end; 0 = none.
    back: usize,
}

/// What a key has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A whole line.
    Line(String),
    /// The end of all lines.
    End,
}

impl Editor {
    /// The line so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes in what was read; `known` are words that the tabulator completes.
    pub(super) fn feed(&mut self, bytes: &[u8], known: &[String]) -> Vec<Typed> {
        let mut typed = Vec::new();
        for byte in bytes {
            self.pending.push(*byte);
            typed.extend(self.key(known));
        }
        typed
    }

    fn key(&mut self, known: &[String]) -> Option<Typed> {
        let typed = match self.pending.as_slice() {
            [0x1b] | [0x1b, b'[' | b'O'] => return None,
            // Sequences end in a letter or `~`.
            [0x1b, b'[', .., last] if last.is_ascii_digit() || *last == b';' => return None,
            [0x1b, b'[' | b'O', b'A'] => {
                self.recall(self.back + 1);
                None
            }
            [0x1b, b'[' | b'O', b'B'] => {
                self.recall(self.back.saturating_sub(1));
                None
            }
            [b'\r' | b'\n'] => Some(Typed::Line(self.take())),
            [4] => self.text.is_empty().then_some(Typed::End),
            [8 | 0x7f] => {
                self.text.pop();
                None
            }
            [0x15] => {
                self.text.clear();
                None
            }
            [0x17] => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
                None
            }
            [b'\t'] => {
                self.complete(known);
                None
            }
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    let printable = text.chars().all(|c| !c.is_control());
                    if printable && self.text.chars().count() < LONGEST {
                        self.text.push_str(text);
                    }
                    None
                }
                // A character has at most four bytes.
                Err(error) if error.error_len().is_none() && bytes.len() < 4 => return None,
                Err(_) => None,
            },
        };
        self.pending.clear();
        typed
    }

    fn take(&mut self) -> String {
        let line = std::mem::take(&mut self.text);
        self.back = 0;
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            let surplus = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..surplus);
        }
        line
    }

    fn recall(&mut self, back: usize) {
        if back == 0 {
            self.text.clear();
            self.back = 0;
        } else if let Some(line) = self.history.len().checked_sub(back).and_then(|at| self.history.get(at)) {
            self.text.clone_from(line);
            self.back = back;
        }
    }

    /// Completes the last word as far as all known words that begin with it agree.
    fn complete(&mut self, known: &[String]) {
        let begun = self.text.rsplit([' ', '+']).next().unwrap_or_default();
        let mut fitting = known.iter().filter(|word| word.starts_with(begun));
        let Some(first) = fitting.next() else { return };
        let mut common = first.clone();
        let mut several = false;
        for word in fitting.filter(|word| *word != first) {
            several = true;
            let alike = common.chars().zip(word.chars()).take_while(|(a, b)| a == b);
            common = alike.map(|(a, _)| a).collect();
        }
        if !several {
            common.push(' ');
        }
        let more = common.get(begun.len()..).unwrap_or_default().to_owned();
        self.text.push_str(&more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["kill", "status", "start", "stop", "node1", "node2"]
            .map(str::to_owned)
            .to_vec()
    }

    fn after(bytes: &[u8]) -> String {
        let mut editor = Editor::default();
        assert_eq!(editor.feed(bytes, &known()), []);
        editor.text().to_owned()
    }

    #[test]
    fn what_is_typed_is_the_line() {
        assert_eq!(after(b"kill n1"), "kill n1");
        assert_eq!(after("kän\u{7f}l".as_bytes()), "käl");
        assert_eq!(after(b"kill n1\x17"), "kill ");
        assert_eq!(after(b"kill n1\x15x"), "x");
        assert_eq!(after(b"a\x1b[3~b\x1b[1;5Cc\x01"), "abc");
        assert_eq!(after(b"a\xff\xffb"), "ab");
    }

    #[test]
    fn lines_end_and_are_remembered() {
        let mut editor = Editor::default();
        let line = |text: &str| Typed::Line(text.into());
        assert_eq!(editor.feed(b"one\ntwo\r", &[]), [line("one"), line("two")]);
        editor.feed(b"\x1b[A\x1b[A\x1b[A", &[]);
        assert_eq!(editor.text(), "one");
        editor.feed(b"\x1bOB", &[]);
        assert_eq!(editor.text(), "two");
        assert_eq!(editor.feed(b"\x1b[B\x04", &[]), [Typed::End]);
        // In the middle of a line the end-of-file key does nothing.
        assert_eq!(editor.feed(b"x\x04", &[]), []);
    }

    #[test]
    fn the_tabulator_completes_words_as_far_as_they_are_alike() {
        assert_eq!(after(b"k\t"), "kill ");
        assert_eq!(after(b"kill n\t1"), "kill node1");
        assert_eq!(after(b"sta\t"), "sta");
        assert_eq!(after(b"wait master node1+node2\t"), "wait master node1+node2 ");
        assert_eq!(after(b"zz\t"), "zz");
    }
}
