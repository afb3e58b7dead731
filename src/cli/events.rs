//! `vrrpd events`: what happened, and with `-f` what happens.
//!
//! Exit statuses: 0, also when the reader of a pipe has gone; 1 bad options; 3 nobody answers; 4 no such instance. `-f` outlives the daemon: it
//! waits for the next one.

use super::output::{length, parse, pause, stderr, try_stdout};
use super::status::{NO_DAEMON, NO_INSTANCE};
use crate::control::client::{AskError, EventsEnd};
use crate::control::{EventStatus, client, text};
use crate::model::Micros;
use clap::{Command, CommandFactory, Parser};
use std::path::PathBuf;

/// Between two attempts to find a daemon that has gone.
const AGAIN: Micros = Micros::from_millis(200);

/// Tell what happened: transitions with their reasons, trackers, problems, reloads, drains.
///
/// The daemon keeps the last 1,024 events, also when its VRRP process dies and is started again.
#[derive(Debug, Parser)]
#[command(name = "vrrpd events", disable_version_flag = true)]
struct EventsOptions {
    /// Only events of this instance, and of none.
    name: Option<String>,
    /// Go on with what happens, until interrupted; also with the next daemon when this one has ended.
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line, schema 1.
    #[arg(long)]
    json: bool,
    /// Only what is not older than this: 90s, 30m, 1h.
    #[arg(long, value_name = "TIME", value_parser = length)]
    since: Option<Micros>,
    /// The control socket.
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
}

pub(super) fn events(words: &[String]) -> u8 {
    let options: EventsOptions = match parse("vrrpd events", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    if let Some(name) = &options.name {
        match is_known(options.control.clone(), name) {
            Ok(true) => {}
            Ok(false) => {
                stderr(&format!(
                    "vrrpd: there is no instance {name}, and nothing is kept of one\n"
                ));
                return NO_INSTANCE;
            }
            Err(error) => return nobody(&error),
        }
    }
    let question = client::EventQuestion {
        since_ms: options.since.map(Micros::as_millis),
        name: options.name,
        follow: options.follow,
    };
    let mut teller = Teller {
        json: options.json,
        last: None,
    };
    let mut waits = false;
    loop {
        let ended = client::find(options.control.clone())
            .and_then(|path| client::events(&path, &question, |line, event| teller.tell(line, event)));
        let answered = match ended {
            Ok(EventsEnd::Gone) if options.follow => true,
            Ok(_) => return 0,
            Err(AskError::NoDaemon(_)) if waits => false,
            Err(error) => return nobody(&error),
        };
        if answered {
            stderr("vrrpd: the daemon has ended; its events go on when it is back\n");
        }
        waits = true;
        pause(AGAIN);
    }
}

fn nobody(error: &AskError) -> u8 {
    stderr(&format!("vrrpd: {error}\n"));
    NO_DAEMON
}

/// Whether the daemon has an instance of this name, or had one of which something is kept.
fn is_known(control: Option<PathBuf>, name: &str) -> Result<bool, AskError> {
    let path = client::find(control)?;
    if client::ask(&path)?.only(name).is_some() {
        return Ok(true);
    }
    let question = client::EventQuestion {
        name: Some(name.to_owned()),
        ..client::EventQuestion::default()
    };
    let mut known = false;
    client::events(&path, &question, |_, event| {
        known = event.instance.as_deref() == Some(name);
        !known
    })?;
    Ok(known)
}

/// Tells each event once, also when a later daemon tells those of an earlier one again.
struct Teller {
    json: bool,
    last: Option<EventStatus>,
}

impl Teller {
    /// Whether anybody still reads.
    fn tell(&mut self, line: &str, event: &EventStatus) -> bool {
        // A new process of the same daemon counts on; a new daemon counts from 1, later.
        let told = |last: &EventStatus| event.sequence <= last.sequence && event.at <= last.at;
        if !event.is_gap() {
            if self.last.as_ref().is_some_and(told) {
                return true;
            }
            self.last = Some(event.clone());
        }
        if self.json {
            try_stdout(line)
        } else {
            try_stdout(&text::event(event))
        }
    }
}

pub(super) fn command() -> Command {
    EventsOptions::command()
}
