//! Writing to people: a reader that has gone away is no error.

use crate::config::read_duration;
use crate::model::Micros;
use clap::Parser;
use std::io::{self, Write};

/// Writes to standard output.
pub(super) fn stdout(text: &str) {
    let mut stream = io::stdout().lock();
    // A closed pipe means that nobody wants to read any more.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

/// Writes to standard output; whether anybody still reads.
pub(super) fn try_stdout(text: &str) -> bool {
    let mut stream = io::stdout().lock();
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok()
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

/// Waits; for a person who looks on, and for what only time shows.
#[expect(
    clippy::disallowed_methods,
    reason = "a subcommand has nothing else to do, and no event comes"
)]
pub(super) fn pause(length: Micros) {
    std::thread::sleep(length.to_std());
}

/// Reads a length of time of the command line; a plain number is seconds.
pub(super) fn length(text: &str) -> Result<Micros, String> {
    let seconds = || text.parse().ok().map(Micros::from_secs);
    read_duration(text)
        .or_else(seconds)
        .filter(|length| *length > Micros::ZERO)
        .ok_or_else(|| "expected a length of time such as 90s, 30m or 2h".to_owned())
}
