//! BFD sessions that are tracked, while this version runs none.

use super::Linter;
use crate::config::code::Code;
use crate::model::{BfdId, Model, TrackBfd};

pub(super) fn lint(linter: &mut Linter<'_>) {
    let model: &Model = linter.model;
    for instance in &model.instances {
        tell(&instance.name, &instance.track_bfds, linter, |linter, bfd| {
            linter.entry(instance, "track_bfd", bfd)
        });
    }
    for group in &model.groups {
        tell(&group.name, &group.track_bfds, linter, |linter, _| {
            let block = linter.block("vrrp_sync_group", &group.name);
            block.map(|node| node.place).unwrap_or_default()
        });
    }
}

fn tell(name: &str, tracks: &[TrackBfd], linter: &mut Linter<'_>, place: impl Fn(&Linter<'_>, &str) -> super::Place) {
    for track in tracks {
        let BfdId(index) = track.bfd;
        let sessions = &linter.model.bfds;
        let session = usize::try_from(index).ok().and_then(|index| sessions.get(index));
        let bfd = session.map_or("?", |session| &session.name).to_owned();
        let place = place(linter, &bfd);
        let message = format!(
            "({name}) the BFD session {bfd} is tracked, but this version runs no BFD: its failure moves nothing"
        );
        linter.warn(place, Code::NotActedOn, message).hint =
            Some("track an interface, or a script that asks the neighbour, until it does".into());
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Code, LoadOptions, MemorySource, NoHost, Severity, load};

    #[test]
    fn a_tracked_session_is_no_protection_and_that_is_said_where_it_is_tracked() {
        let text = "bfd_instance B {\nneighbor_ip 192.0.2.7\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 1\n\
                    virtual_ipaddress {\n192.0.2.9/24\n}\ntrack_bfd {\nB weight 10\n}\n}\n";
        let options = LoadOptions {
            lint: true,
            ..LoadOptions::default()
        };
        let read = |text: &str| load("f", &MemorySource::new("f", text), &NoHost, &options).diagnostics;
        let warnings = |text: &str| -> Vec<u32> {
            let all = read(text).into_iter();
            let told = all.filter(|d| d.severity == Severity::Warning && d.code == Code::NotActedOn);
            told.filter_map(|d| d.span.map(|span| span.line)).collect()
        };
        assert_eq!(warnings(text), [11]);
        assert!(warnings(&text.replace("track_bfd {\nB weight 10\n}\n", "")).is_empty());
    }
}
