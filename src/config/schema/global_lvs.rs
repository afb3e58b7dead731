//! `global_defs`: what concerns keepalived's LVS side. It is read and kept.

use super::global::Draft;
use super::keyword::{Keyword, Synonym, Told, boolean, command, flag, int};
use super::value::strict;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Context, Names};
use crate::config::tree::Node;
use crate::model::{LvsFlush, LvsSyncDaemon};

pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::boolean(
        "checker_log_all_failures",
        boolean!(global.lvs.log_all_failures = false),
    )
    .bad("Invalid value for checker_log_all_failures specified")
    .kept()
    .doc("false", "Logs every failed check."),
    Keyword::<Draft>::custom(
        "lvs_timeouts",
        "[tcp SECS] [tcpfin SECS] [udp SECS]",
        "0..2678400",
        lvs_timeouts,
        |d, _| {
            let lvs = &d.global.lvs;
            let all = [
                ("tcp", lvs.timeout_tcp),
                ("tcpfin", lvs.timeout_tcpfin),
                ("udp", lvs.timeout_udp),
            ];
            let written = all
                .iter()
                .filter_map(|(name, value)| value.map(|value| format!("{name} {value}")));
            let text = written.collect::<Vec<_>>().join(" ");
            (!text.is_empty()).then_some(text).into_iter().collect()
        },
    )
    .kept()
    .doc("unchanged", "Time-outs of IPVS connections."),
    Keyword::<Draft>::flag("lvs_flush", flag!(global.lvs.flush))
        .kept()
        .doc("off", "Flushes IPVS at the start."),
    Keyword::<Draft>::custom("lvs_flush_on_stop", "[VS]", "", lvs_flush_on_stop, |d, _| {
        match d.global.lvs.flush_on_stop {
            LvsFlush::No => Vec::new(),
            LvsFlush::All => vec![String::new()],
            LvsFlush::Services => vec!["VS".into()],
        }
    })
    .synonyms(&[Synonym {
        name: "lvs_flush_onstop",
        told: Told::Silently,
    }])
    .kept()
    .doc("off", "Flushes IPVS at the stop; VS: only virtual services."),
    Keyword::<Draft>::custom(
        "lvs_sync_daemon",
        "IFNAME [[inst] VRRP_INSTANCE] [id SYNCID] [maxlen N] [port N] [ttl N] [group IP]",
        "id 0..255; maxlen 1..65507; port 1..65535; ttl 1..255",
        lvs_sync_daemon,
        print_sync_daemon,
    )
    .kept()
    .doc("none", "The IPVS connection synchronisation daemon."),
    Keyword::<Draft>::custom(
        "lvs_notify_fifo",
        "PATH [USER [GROUP]]",
        "",
        |node, d, ctx| {
            super::global_vrrp::fifo(node, &mut d.global.lvs.notify_fifo, ctx);
        },
        |d, _| super::global_vrrp::print_fifo(&d.global.lvs.notify_fifo),
    )
    .kept()
    .doc("none", "FIFO for checkers."),
    Keyword::<Draft>::command("lvs_notify_fifo_script", command!(lvs_fifo_program))
        .first("lvs_notify_fifo_script already specified - ignoring {v}")
        .missing("No lvs_notify_fifo_script specified")
        .kept()
        .doc("none", "Reads that FIFO."),
    Keyword::<Draft>::custom(
        "nftables_ipvs",
        "[TABLE]",
        "at most 254 characters",
        nftables_ipvs,
        |d, _| d.global.lvs.nftables.iter().cloned().collect(),
    )
    .kept()
    .restart()
    .doc(
        "off; without a name: keepalived_ipvs",
        "Table for firewall marks of IPVS.",
    ),
    Keyword::<Draft>::int(
        "nftables_ipvs_priority",
        "N",
        strict(-2_147_483_648, 2_147_483_647),
        int!(global.lvs.nftables_priority),
    )
    .bad("invalid ipvs nftables chain priority '{v}'")
    .kept()
    .doc("-1", "Priority of its chains."),
    Keyword::<Draft>::int(
        "nftables_ipvs_start_fwmark",
        "N",
        strict(1, 4_294_967_295),
        int!(global.lvs.nftables_start_fwmark),
    )
    .bad("invalid ipvs nftables start_fwmark priority '{v}'")
    .kept()
    .doc("1000", "First firewall mark that is used."),
    Keyword::<Draft>::boolean("rs_init_notifies", boolean!(global.lvs.rs_init_notifies = false))
        .bad("Invalid value '{v}' for global rs_init_notifies specified")
        .kept()
        .doc("false", "Tells about real servers that come up at the start."),
    Keyword::<Draft>::boolean("no_checker_emails", boolean!(global.lvs.no_checker_emails = false))
        .bad("Invalid value '{v}' for global no_checker_emails specified")
        .kept()
        .doc("false", "Mails only when a real server is added or removed."),
];

fn lvs_timeouts(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if node.len() < 3 {
        let message = "lvs_timeouts requires at least one option".into();
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    }
    let mut index = 1;
    while let Some(word) = node.word(index) {
        let value = node.word(index + 1).unwrap_or_default();
        let lvs = &mut draft.global.lvs;
        let target = match word {
            "tcp" => &mut lvs.timeout_tcp,
            "tcpfin" => &mut lvs.timeout_tcpfin,
            "udp" => &mut lvs.timeout_udp,
            _ => {
                let message = format!("Unknown option {word} specified for lvs_timeouts");
                ctx.reports
                    .at(node.place_of(index), Code::BadValue, Class::General, message);
                index += 1;
                continue;
            }
        };
        match strict(0, 2_678_400)
            .exact(value)
            .and_then(|value| u32::try_from(value).ok())
        {
            Some(value) => *target = Some(value),
            None => {
                let message = format!("Invalid lvs_timeout {word} ({value}) - ignoring");
                ctx.reports
                    .at(node.place_of(index + 1), Code::BadNumber, Class::General, message);
            }
        }
        index += 2;
    }
}

fn lvs_flush_on_stop(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    match node.first() {
        None => draft.global.lvs.flush_on_stop = LvsFlush::All,
        Some("VS") => draft.global.lvs.flush_on_stop = LvsFlush::Services,
        Some(other) => {
            let message = format!("Unknown lvs_flush_on_stop type {other}");
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message);
        }
    }
}

fn nftables_ipvs(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let lvs = &mut draft.global.lvs;
    if lvs.nftables.is_some() {
        let message = "ipvs nftables already specified - ignoring".into();
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    match node.first() {
        Some(name) if name.is_empty() || name.len() > 254 => {
            let message = format!("ipvs nftables table name {name} is empty or too long - ignoring");
            ctx.reports.at(node.place_of(1), Code::BadName, Class::General, message);
        }
        name => {
            lvs.nftables = Some(name.unwrap_or_default().to_owned());
            lvs.nftables_start_fwmark = None;
        }
    }
}

fn lvs_sync_daemon(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(interface) = ctx.required(node, 1) else { return };
    if let Some(old) = &draft.global.lvs.sync_daemon {
        let instance = old.instance.as_deref().unwrap_or_default();
        let message = format!(
            "lvs_sync_daemon has already been specified as {} {instance} - ignoring",
            old.interface
        );
        ctx.reports
            .at(node.place, Code::AlreadyDefined, Class::General, message);
        return;
    }
    let mut daemon = LvsSyncDaemon {
        interface: interface.to_owned(),
        instance: None,
        sync_id: None,
        max_len: None,
        port: None,
        ttl: None,
        group: None,
    };
    let keyword = |word: &str| matches!(word, "inst" | "id" | "maxlen" | "port" | "ttl" | "group");
    let mut index = 2;
    if let Some(instance) = node.word(2).filter(|word| !keyword(word)) {
        daemon.instance = Some(instance.to_owned());
        index = 3;
    }
    while let Some(word) = node.word(index) {
        let value = node.word(index + 1).unwrap_or_default();
        let within = |min, max| strict(min, max).exact(value);
        let mut good = true;
        match word {
            "inst" => daemon.instance = Some(value.to_owned()),
            "id" => daemon.sync_id = within(0, 255).and_then(|n| n.try_into().ok()),
            "maxlen" => daemon.max_len = within(1, 65_507).and_then(|n| n.try_into().ok()),
            "port" => daemon.port = within(1, 65_535).and_then(|n| n.try_into().ok()),
            "ttl" => daemon.ttl = within(1, 255).and_then(|n| n.try_into().ok()),
            "group" => daemon.group = value.parse().ok(),
            _ => good = false,
        }
        let set = match word {
            "id" => daemon.sync_id.is_some(),
            "maxlen" => daemon.max_len.is_some(),
            "port" => daemon.port.is_some(),
            "ttl" => daemon.ttl.is_some(),
            "group" => daemon.group.is_some(),
            _ => good,
        };
        if !good {
            let message = format!("Unknown option {word} specified for lvs_sync_daemon");
            ctx.reports
                .at(node.place_of(index), Code::BadValue, Class::General, message);
        } else if !set {
            let message = format!("Invalid {word} ({value}) specified for lvs_sync_daemon - ignoring");
            ctx.reports
                .at(node.place_of(index + 1), Code::BadValue, Class::General, message);
        }
        index += if good { 2 } else { 1 };
    }
    draft.global.lvs.sync_daemon = Some(daemon);
}

fn print_sync_daemon(draft: &Draft, _: &Names<'_>) -> Vec<String> {
    let one = |daemon: &LvsSyncDaemon| {
        let mut text = daemon.interface.clone();
        let mut add = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!(" {word} {value}"));
            }
        };
        add("inst", daemon.instance.clone());
        add("id", daemon.sync_id.map(|n| n.to_string()));
        add("maxlen", daemon.max_len.map(|n| n.to_string()));
        add("port", daemon.port.map(|n| n.to_string()));
        add("ttl", daemon.ttl.map(|n| n.to_string()));
        add("group", daemon.group.map(|n| n.to_string()));
        text
    };
    draft.global.lvs.sync_daemon.iter().map(one).collect()
}
