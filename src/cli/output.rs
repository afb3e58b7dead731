//! Writing to people: a reader that has gone away is no error.

use clap::Parser;
use std::io::{self, Write};

/// Writes to standard output.
pub(super) fn stdout(text: &str) {
    let mut stream = io::stdout().lock();
    // A closed pipe means that nobody wants to read any more.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

/// Writes to standard error.
pub(super) fn stderr(text: &str) {
    // There is no other place to report it to.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Reads the words behind a subcommand. What is wrong with them is told; the exit status: 0 after help, 1 after an error.
pub(super) fn parse<T: Parser>(name: &str, words: &[String]) -> Result<T, u8> {
    let argv = std::iter::once(name.to_owned()).chain(words.iter().cloned());
    T::try_parse_from(argv).map_err(|error| {
        let help = !error.use_stderr();
        let text = error.render().to_string();
        if help {
            stdout(&text)
        } else {
            stderr(&text)
        }
        u8::from(!help)
    })
}
