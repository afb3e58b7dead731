//! Where commands come from: a person at a terminal, standard input, or a script.

use super::editor::{Editor, Typed};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

/// Where commands come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A person at a terminal that gives each key at once.
    Terminal,
    /// Standard input, line by line.
    Lines,
    /// This text.
    Script(String),
}

/// Standard input, as far as commands come from there.
pub(super) struct Reader {
    /// Whether more may come.
    pub(super) open: bool,
    /// Whether a person types at a terminal.
    pub(super) is_person: bool,
    partial: Vec<u8>,
}

impl Reader {
    pub(super) fn new(input: &Input, waiting: &mut VecDeque<String>) -> Self {
        if let Input::Script(text) = input {
            waiting.extend(text.lines().map(str::to_owned));
        }
        Self {
            open: !matches!(input, Input::Script(_)),
            is_person: *input == Input::Terminal,
            partial: Vec::new(),
        }
    }

    /// Reads what has come, without waiting.
    pub(super) fn read(
        &mut self,
        editor: Option<&mut Editor>,
        known: &[String],
        waiting: &mut VecDeque<String>,
    ) -> io::Result<()> {
        if !self.open || !can_be_read()? {
            return Ok(());
        }
        let mut buffer = [0; 4096];
        // Not through the standard library's buffer, which would keep lines that nobody is told about.
        let count = match nix::unistd::read(io::stdin(), &mut buffer) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            // The terminal is somebody else's, or gone.
            Err(_) => 0,
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if count == 0 {
            self.open = false;
            if self.is_person {
                waiting.push_back("quit".into());
            } else if !self.partial.is_empty() {
                waiting.push_back(String::from_utf8_lossy(&self.partial).into_owned());
            }
            return Ok(());
        }
        if let Some(editor) = editor {
            waiting.extend(editor.feed(bytes, known).into_iter().map(|typed| match typed {
                Typed::Line(line) => line,
                Typed::End => "quit".to_owned(),
            }));
            return Ok(());
        }
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            waiting.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        Ok(())
    }
}

fn can_be_read() -> io::Result<bool> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO)?;
    Ok(fds.iter().any(|fd| fd.any().unwrap_or(false)))
}
