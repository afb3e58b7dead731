//! What a person sees: the story, and on a terminal below it a table that is drawn anew, and the line being typed.

use std::io;

/// The way to standard output.
pub(super) struct Screen<'a> {
    write: &'a mut dyn FnMut(&str),
    /// Lines drawn above the one that the cursor is in.
    drawn: usize,
    /// What was drawn last below the story.
    below: String,
}

/// What stands below the story.
#[derive(Debug, Default)]
pub(super) struct Below<'a> {
    /// The table.
    pub(super) table: &'a [String],
    /// The line being typed, with what stands before it.
    pub(super) prompt: &'a str,
}

impl<'a> Screen<'a> {
    pub(super) fn new(write: &'a mut dyn FnMut(&str)) -> Self {
        Self {
            write,
            drawn: 0,
            below: String::new(),
        }
    }

    /// Appends lines to the story.
    pub(super) fn append(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| (self.write)(line));
    }

    /// Appends lines to the story and draws what stands below it anew, in one piece.
    pub(super) fn draw(&mut self, lines: &[String], below: &Below<'_>, width: usize) {
        let mut drawn: String = below.table.iter().map(|line| format!("{line}\n")).collect();
        // A line that fills the terminal would move everything by one.
        let kept = below.prompt.chars().count().saturating_sub(width.saturating_sub(1));
        drawn.extend(below.prompt.chars().skip(kept));
        if lines.is_empty() && drawn == self.below {
            return;
        }
        let mut text = self.erase();
        text.extend(lines.iter().map(|line| styled(line)));
        text.push_str(&drawn);
        self.drawn = below.table.len();
        self.below = drawn;
        (self.write)(&text);
    }

    /// Leaves the story alone on the terminal.
    pub(super) fn clear(&mut self) {
        let text = self.erase();
        self.drawn = 0;
        (self.write)(&text);
    }

    fn erase(&self) -> String {
        match self.drawn {
            0 => "\r\x1b[J".to_owned(),
            drawn => format!("\r\x1b[{drawn}A\x1b[J"),
        }
    }
}

/// What a person did stands out, what the daemons say steps back.
fn styled(line: &str) -> String {
    let text = line.trim_end_matches('\n');
    let code = match text {
        text if text.contains("  says: ") => "2",
        text if text.contains("   > ") => "1",
        text if text.contains("   ERROR: ") => "1;31",
        _ => return line.to_owned(),
    };
    format!("\x1b[{code}m{text}\x1b[0m\n")
}

/// How wide and high the terminal on standard output is.
pub(super) fn size() -> (usize, usize) {
    let (width, height) = crate::sys::terminal_size(&io::stdout()).unwrap_or((80, 24));
    // A terminal that does not know says 0.
    (
        if width == 0 { 80 } else { width },
        if height == 0 { 24 } else { height },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_replaced_and_the_story_stays() {
        let mut written = String::new();
        let mut write = |text: &str| written.push_str(text);
        let mut screen = Screen::new(&mut write);
        let table = ["one".to_owned(), "two".to_owned()];
        let below = Below {
            table: &table,
            prompt: "> kill n1",
        };
        screen.draw(&["story\n".to_owned()], &below, 80);
        screen.draw(&[], &below, 80);
        screen.draw(&[], &below, 6);
        screen.clear();
        // `\x1b[2A` goes up two lines, `\x1b[J` clears from there.
        let whole = "\r\x1b[Jstory\none\ntwo\n> kill n1\r\x1b[2A\x1b[Jone\ntwo\nll n1\r\x1b[2A\x1b[J";
        assert_eq!(written, whole);
    }
}
