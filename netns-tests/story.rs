//! Everything that a run saw, in the order of time, for a reader who wants to know why it failed.

use std::fmt::Write;
use vrrpd::lab::{Happening, Lab, Seen};
use vrrpd::model::Instant;

/// Lines that are told of a long story.
const BEGINNING: usize = 500;
const END: usize = 1_000;

/// The story of a lab; `notes` says what was done to it.
pub(crate) fn tell(lab: &Lab, notes: &[(Instant, String)]) -> String {
    let mut lines: Vec<(Instant, String)> = notes.iter().map(|(at, text)| (*at, format!("==== {text}"))).collect();
    lines.extend(
        lab.moments
            .iter()
            .map(|moment| (moment.at, happening(lab, &moment.what))),
    );
    lines.sort_by_key(|(at, _)| *at);
    // A flood of frames is no story.
    if lines.len() > BEGINNING + END {
        let left_out = lines.len() - BEGINNING - END;
        let (at, _) = lines[BEGINNING];
        lines.splice(
            BEGINNING..lines.len() - END,
            [(at, format!("... {left_out} lines left out"))],
        );
    }
    let mut text = String::new();
    let mut repeated = 0;
    for (index, (at, line)) in lines.iter().enumerate() {
        // A master's adverts are all the same; the first one says it.
        if index > 0 && lines[index - 1].1 == *line {
            repeated += 1;
            continue;
        }
        if repeated > 0 {
            writeln!(text, "{:>11}(the same {repeated} times more)", "").unwrap();
            repeated = 0;
        }
        let at = lab.elapsed(*at).0;
        writeln!(text, "{:>4}.{:03} s {line}", at / 1_000_000, at / 1_000 % 1_000).unwrap();
    }
    text
}

fn happening(lab: &Lab, what: &Happening) -> String {
    match what {
        Happening::Appeared(node, address) => format!("{}: + {address}", lab.name(*node)),
        Happening::Vanished(node, address) => format!("{}: - {address}", lab.name(*node)),
        Happening::Sent(node, frame) => match &frame.seen {
            Seen::Advert(advert) => format!(
                "{}: advert v{} vrid {} priority {} from {}",
                lab.name(*node),
                advert.version,
                advert.vrid,
                advert.priority,
                advert.source
            ),
            Seen::Announce { address, .. } => format!("{}: announces {address}", lab.name(*node)),
        },
        Happening::Line(node, program, text) => format!("{} {program}: {text}", lab.name(*node)),
        Happening::Ended(node, program, status) => format!("{} {program} ended: {status:?}", lab.name(*node)),
    }
}
