//! `vrrpd lab`: a cluster on this machine, with real daemons in throw-away network namespaces.
//!
//! Exit statuses: 0 everything went as expected, 1 bad options or something did not, 2 the lab cannot be made.

use super::output::{stderr, stdout};
use crate::lab::{Outcome, enter, play_seed};
use clap::Command;

pub(super) fn lab(words: &[String]) -> u8 {
    if let Some(word) = words.first() {
        let help = matches!(word.as_str(), "-h" | "--help");
        let text = "Usage: vrrpd lab\n\nPlays the first user's three-node cluster in throw-away network namespaces: a check that fails,\na master that dies, a cable that is cut. Files of your own are not built yet.\n";
        if help {
            stdout(text)
        } else {
            stderr(text)
        }
        return u8::from(!help);
    }
    let vrrpd = match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => {
            stderr(&format!("vrrpd lab: cannot find this program's own file: {error}\n"));
            return 2;
        }
    };
    let played = enter(|| match play_seed(&vrrpd, &mut stdout) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            stderr(&format!("vrrpd lab: {error}\n"));
            2
        }
    });
    match played {
        Ok(Outcome::Exited(status)) => status,
        Ok(Outcome::Failed) => 2,
        Err(error) => {
            stderr(&format!("vrrpd lab: {error}\n"));
            2
        }
    }
}

pub(super) fn command() -> Command {
    Command::new("vrrpd lab").about("Play the first user's cluster in throw-away network namespaces")
}
