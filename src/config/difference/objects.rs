//! Groups, trackers, and what stands outside of all blocks, in words.

use super::instance::programs;
use super::said::{Said, Tracks, command};
use crate::config::lower::{Names, account, print_address, route, rule};
use crate::model::{
    BfdInstance, GarpGroup, InstanceId, LvsBlock, Model, Script, StaticAddress, SyncGroup, TrackedFile, TrackedProcess,
    Weight,
};

/// The names of instances.
fn members(ids: &[InstanceId], model: &Model) -> Vec<String> {
    let name = |id: &InstanceId| Some(model.instances.get(usize::try_from(id.0).ok()?)?.name.to_string());
    ids.iter().filter_map(name).collect()
}

fn weight(weight: Weight) -> String {
    format!(
        "{}{}",
        weight.value(),
        if weight.is_reverse() { " reverse" } else { "" }
    )
}

pub(super) fn group(group: &SyncGroup, model: &Model) -> Said {
    let SyncGroup {
        name: _,
        members: ids,
        tracking_weight,
        track_interfaces,
        track_scripts,
        track_files,
        track_processes,
        track_bfds,
        notify,
        smtp_alert,
        notify_priority_changes,
    } = group;
    let mut said = Said::of("vrrp_sync_group");
    said.list("group", members(ids, model));
    let tracks = Tracks {
        interfaces: track_interfaces,
        scripts: track_scripts,
        files: track_files,
        processes: track_processes,
        bfds: track_bfds,
    };
    tracks.say(model, &mut said);
    said.flag("sync_group_tracking_weight", *tracking_weight);
    programs(notify, &mut said);
    said.flag("smtp_alert", *smtp_alert);
    said.some("notify_priority_changes", *notify_priority_changes);
    said
}

pub(super) fn script(script: &Script) -> Said {
    let Script {
        name: _,
        argv,
        path,
        user,
        account: owner,
        opens,
        interval,
        timeout,
        weight: adds,
        rise,
        fall,
        init_fail,
        insecure,
    } = script;
    let mut said = Said::of("vrrp_script");
    let mut program = command(argv, path.as_deref(), None, None);
    if *insecure {
        program.push_str(" (insecure: not run)");
    }
    if let Some(file) = opens {
        program.push_str(&format!(" opens {file}"));
    }
    said.one("script", program);
    let ids = user.map(|user| format!("{}:{}", user.uid, user.gid));
    said.some("user", owner.as_ref().map(account).or(ids));
    said.time("interval", *interval);
    said.some("timeout", timeout.map(super::said::seconds));
    said.one("weight", weight(*adds));
    said.one("rise", rise);
    said.one("fall", fall);
    said.flag("init_fail", *init_fail);
    said
}

pub(super) fn file(file: &TrackedFile) -> Said {
    let TrackedFile {
        name: _,
        path,
        weight: adds,
        init,
    } = file;
    let mut said = Said::of("track_file");
    said.one("file", path);
    said.one("weight", weight(*adds));
    let init = init.map(|init| format!("{}{}", init.value, if init.overwrite { " overwrite" } else { "" }));
    said.some("init_file", init);
    said
}

pub(super) fn process(process: &TrackedProcess) -> Said {
    let TrackedProcess {
        name: _,
        process,
        parameters,
        param_match,
        weight: adds,
        quorum,
        quorum_max,
        fork_delay,
        terminate_delay,
        full_command,
    } = process;
    let mut said = Said::of("vrrp_track_process");
    let words: Vec<&str> = std::iter::once(&**process)
        .chain(parameters.iter().map(|one| &**one))
        .collect();
    said.one("process", words.join(" "));
    said.some("param_match", param_match.map(|how| format!("{how:?}").to_lowercase()));
    said.one("weight", weight(*adds));
    said.one("quorum", quorum);
    said.some("quorum_max", *quorum_max);
    said.time("fork_delay", *fork_delay);
    said.time("terminate_delay", *terminate_delay);
    said.flag("full_command", *full_command);
    said
}

pub(super) fn bfd(bfd: &BfdInstance) -> Said {
    let BfdInstance {
        name: _,
        neighbor,
        source,
        min_rx,
        min_tx,
        idle_tx,
        multiplier,
        passive,
        ttl,
        max_hops,
        multihop,
        weight: adds,
        for_vrrp,
        for_checker,
    } = bfd;
    let mut said = Said::of("bfd_instance");
    said.some("neighbor_ip", *neighbor);
    said.some("source_ip", *source);
    said.time("min_rx", *min_rx);
    said.time("min_tx", *min_tx);
    said.time("idle_tx", *idle_tx);
    said.one("multiplier", multiplier);
    said.flag("passive", *passive);
    said.one("ttl", ttl);
    said.some("max_hops", *max_hops);
    said.flag("multihop", *multihop);
    said.one("weight", weight(*adds));
    said.flag("vrrp", *for_vrrp);
    said.flag("checker", *for_checker);
    said
}

/// Blocks without a name of their own, and what is kept for keepalived.
pub(super) fn top(model: &Model) -> Said {
    let names = Names { model };
    let mut said = Said::of("(top)");
    let address = |one: &StaticAddress| {
        let group = one.track_group.and_then(|id| names.track_group(id));
        print_address(&one.address, Some(&one.address.interface), group)
    };
    said.list("static_ipaddress", model.static_addresses.iter().map(address).collect());
    said.list(
        "static_routes",
        model
            .static_routes
            .iter()
            .map(|one| route::print(one, &names))
            .collect(),
    );
    said.list(
        "static_rules",
        model.static_rules.iter().map(|one| rule::print(one, &names)).collect(),
    );
    let group =
        |group: &crate::model::TrackGroup| format!("{} {{ {} }}", group.name, members(&group.members, model).join(" "));
    said.list("track_group", model.track_groups.iter().map(group).collect());
    said.list("garp_group", model.global.garp_groups.iter().map(garp_group).collect());
    let mut services = Vec::new();
    for block in &model.lvs {
        flatten(block, &mut services);
    }
    said.list("virtual_server", services);
    said
}

fn garp_group(group: &GarpGroup) -> String {
    let GarpGroup {
        garp_interval,
        gna_interval,
        interfaces,
    } = group;
    let mut words: Vec<String> = Vec::new();
    words.extend(garp_interval.map(|length| format!("garp_interval {}", super::said::seconds(length))));
    words.extend(gna_interval.map(|length| format!("gna_interval {}", super::said::seconds(length))));
    words.extend(interfaces.iter().map(ToString::to_string));
    words.join(" ")
}

fn flatten(block: &LvsBlock, lines: &mut Vec<String>) {
    lines.push(block.words.join(" "));
    for inner in block.lines.iter().flatten() {
        flatten(inner, lines);
    }
}
