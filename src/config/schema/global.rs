//! `global_defs`: who we are, mail, scripts, files, LVS. What concerns VRRP and the processes stands in the files beside.

use super::keyword::{Block, Keyword, Synonym, Table, Told, boolean, command, flag, int, time, word};
use super::value::{Time, c_number, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context, account, program_user};
use crate::config::source::{FileKind, Host};
use crate::config::tree::Node;
use crate::model::{Account, Global, Micros, ProgramUser};
use std::net::IpAddr;

/// `global_defs` as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) global: Global,
    pub(in crate::config) lower_prio_delay: Option<Micros>,
    pub(in crate::config) lower_prio_repeat: Option<u32>,
    pub(in crate::config) min_garp: bool,
    pub(in crate::config) startup: Option<Box<Command>>,
    pub(in crate::config) shutdown: Option<Box<Command>>,
    pub(in crate::config) fifo_program: Option<Box<Command>>,
    pub(in crate::config) vrrp_fifo_program: Option<Box<Command>>,
    pub(in crate::config) lvs_fifo_program: Option<Box<Command>>,
    /// `script_user` names nobody: every script that relies on it is dropped.
    pub(in crate::config) script_user_failed: bool,
}

impl Block for Draft {
    fn name(&self) -> &str {
        "global"
    }
}

impl Draft {
    /// The first script that names no user decides who runs such scripts, before a line that says otherwise: so in keepalived, and
    /// a program that it runs has to be run. Where root was decided on, `enable_script_security` comes too late to refuse it.
    pub(in crate::config) fn settle_users(&mut self, security: bool, host: &dyn Host) {
        if self.global.script_security || self.script_user_failed {
            return;
        }
        let named = |user: ProgramUser, name: &str| {
            let account = Account {
                user: name.into(),
                group: None,
            };
            (user, account)
        };
        let written = self.global.script_user.zip(self.global.script_account.clone());
        let (user, account) = written.unwrap_or_else(|| match host.user("keepalived_script") {
            Some(user) => named(user, "keepalived_script"),
            None => named(ProgramUser { uid: 0, gid: 0 }, "root"),
        });
        let programs = [
            &mut self.startup,
            &mut self.shutdown,
            &mut self.fifo_program,
            &mut self.vrrp_fifo_program,
            &mut self.lvs_fifo_program,
        ];
        let mut any = false;
        for program in programs.into_iter().flatten().filter(|program| program.user.is_none()) {
            any = true;
            program.user = Some(user);
            program.account = Some(account.clone());
        }
        if any && security {
            self.global.script_user = Some(user);
            self.global.script_account = Some(account);
        }
    }
}

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "global_defs",
    keywords: &[
        GENERAL,
        MAIL,
        FILES,
        super::global_vrrp::KEYWORDS,
        super::global_process::KEYWORDS,
        super::global_lvs::KEYWORDS,
    ],
};

const GENERAL: &[Keyword<Draft>] = &[
    Keyword::<Draft>::word("router_id", "STRING", word!(global.router_id))
        .missing("routerid name missing - ignoring")
        .doc("local host name", "Identifies the machine in mails and dumps."),
    // Before every script: the printed configuration is read in this order.
    Keyword::<Draft>::custom("script_user", "USER [[:]GROUP]", "", script_user, |d, _| {
        d.global.script_account.iter().map(account).collect()
    })
    .doc(
        "keepalived_script if that user exists, else the daemon's own user",
        "Runs scripts that name no user of their own.",
    ),
    Keyword::<Draft>::flag(
        "enable_script_security",
        (|d| d.global.script_security = true, |d| d.global.script_security),
    )
    .doc("off", "Does not run scripts as root that somebody else could change."),
    Keyword::<Draft>::boolean("use_symlink_paths", boolean!(global.use_symlink_paths = false))
        .bad("Invalid value '{v}' for global use_symlink_path specified")
        .doc(
            "false",
            "Runs scripts by the path as written instead of the path with links followed.",
        ),
    Keyword::<Draft>::boolean(
        "set_supplementary_groups",
        boolean!(global.set_supplementary_groups = false),
    )
    .bad("Invalid set_supplementary_groups parameter {v}")
    .later()
    .doc("false", "Gives scripts the supplementary groups of their user."),
    Keyword::<Draft>::command("startup_script", command!(startup))
        .first("startup script already specified")
        .missing("startup script missing")
        .bad("Invalid startup script")
        .nothing()
        .doc("none", "Run once before the daemon starts."),
    Keyword::<Draft>::time(
        "startup_script_timeout",
        Time::whole(1, 1000),
        time!(global.startup.timeout = Micros::from_secs(10)),
    )
    .missing("{k} requires value")
    .bad("{k} '{v}' must be in [1, 1000] - ignoring")
    .nothing()
    .doc("10", "When the startup script is killed."),
    Keyword::<Draft>::command("shutdown_script", command!(shutdown))
        .first("shutdown script already specified")
        .missing("shutdown script missing")
        .bad("Invalid shutdown script")
        .nothing()
        .doc("none", "Run once after the daemon has stopped."),
    Keyword::<Draft>::time(
        "shutdown_script_timeout",
        Time::whole(1, 1000),
        time!(global.shutdown.timeout = Micros::from_secs(10)),
    )
    .missing("{k} requires value")
    .bad("{k} '{v}' must be in [1, 1000] - ignoring")
    .nothing()
    .doc("10", "When the shutdown script is killed."),
    Keyword::<Draft>::word("snmp_socket", "ADDR", word!(global.snmp.socket))
        .missing("SNMP error : snmp socket name missing")
        .first("SNMP socket already set to {v} - ignoring")
        .later()
        .restart()
        .doc("unix:/var/agentx/master", "Where the SNMP master agent listens."),
    Keyword::<Draft>::flag("enable_traps", flag!(global.snmp.traps))
        .later()
        .doc("off", "Sends SNMP traps."),
    Keyword::<Draft>::flag("enable_snmp_vrrp", flag!(global.snmp.vrrp))
        .synonyms(&[Synonym {
            name: "enable_snmp_keepalived",
            told: Told::Silently,
        }])
        .later()
        .doc("off", "Serves KEEPALIVED-MIB's VRRP part."),
    Keyword::<Draft>::flag(
        "enable_snmp_rfc",
        (
            |d| {
                d.global.snmp.rfc_v2 = true;
                d.global.snmp.rfc_v3 = true;
            },
            |_| false,
        ),
    )
    .later()
    .doc("off", "Serves the MIBs of RFC 2787 and RFC 6527."),
    Keyword::<Draft>::flag("enable_snmp_rfcv2", flag!(global.snmp.rfc_v2))
        .later()
        .doc("off", "Serves the MIB of RFC 2787."),
    Keyword::<Draft>::flag("enable_snmp_rfcv3", flag!(global.snmp.rfc_v3))
        .later()
        .doc("off", "Serves the MIB of RFC 6527."),
    Keyword::<Draft>::flag("enable_snmp_checker", flag!(global.snmp.checker))
        .kept()
        .doc("off", "Serves KEEPALIVED-MIB's checker part."),
    Keyword::<Draft>::time(
        "snmp_vs_stats_update_interval",
        Time::seconds(6, 1_000, 30_000_000),
        time!(global.snmp.vs_stats_interval),
    )
    .bad("snmp stats vs update interval '{v}' invalid - ignoring")
    .kept()
    .doc("5", "How long statistics of virtual servers are cached."),
    Keyword::<Draft>::time(
        "snmp_rs_stats_update_interval",
        Time::seconds(6, 1_000, 30_000_000),
        time!(global.snmp.rs_stats_interval),
    )
    .bad("snmp stats vs update interval '{v}' invalid - ignoring")
    .kept()
    .doc("0", "How long statistics of real servers are cached."),
    Keyword::<Draft>::flag("enable_dbus", flag!(global.dbus.enabled))
        .later()
        .restart()
        .doc("off", "Serves the D-Bus interface."),
    Keyword::<Draft>::word("dbus_service_name", "NAME", word!(global.dbus.service_name))
        .missing("dbus_service_name missing - ignoring")
        .later()
        .restart()
        .doc("org.keepalived.Vrrp1", "Name on the bus."),
    Keyword::<Draft>::word("dbus_no_interface_name", "NAME", word!(global.dbus.no_interface_name))
        .missing("dbus_no_interface_name missing - ignoring")
        .later()
        .restart()
        .doc("none", "Stands for the interface in paths of instances without one."),
    Keyword::<Draft>::int("random_seed", "N", strict(0, 4_294_967_295), int!(global.random_seed))
        .bad("random_seed {v} invalid")
        .nothing()
        .doc(
            "time",
            "Meant as the beginning of ${_RANDOM}; has no effect, as in keepalived.",
        ),
    Keyword::<Draft>::custom("umask", "NUMBER|BITS", "0..0777", umask, |d, _| {
        let mask = d.global.umask;
        (mask != 0o177).then(|| format!("0{mask:o}")).into_iter().collect()
    })
    .nothing()
    .doc(
        "0177",
        "Permissions that new files do not get; a number or IRUSR, IWGRP … joined by |.",
    ),
];

fn script_user(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if node.first().is_none() {
        let message = "No script username specified".into();
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    }
    let words: Vec<_> = node.args().collect();
    match program_user(&words, ctx.host) {
        Some((user, account)) => {
            draft.global.script_user = Some(user);
            draft.global.script_account = Some(account);
            draft.script_user_failed = false;
        }
        None => {
            draft.script_user_failed = true;
            let message = "Error setting global script uid/gid".into();
            let diagnostic = ctx
                .reports
                .at(node.place_of(1), Code::ScriptUser, Class::General, message);
            diagnostic.hint = Some(format!("there is no user or group `{}`", words.join(" ")));
        }
    }
}

fn umask(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    const BITS: [(&str, u32); 12] = [
        ("IRUSR", 0o400),
        ("IWUSR", 0o200),
        ("IXUSR", 0o100),
        ("IRWXU", 0o700),
        ("IRGRP", 0o040),
        ("IWGRP", 0o020),
        ("IXGRP", 0o010),
        ("IRWXG", 0o070),
        ("IROTH", 0o004),
        ("IWOTH", 0o002),
        ("IXOTH", 0o001),
        ("IRWXO", 0o007),
    ];
    let Some(first) = ctx.required(node, 1) else { return };
    let bits = || -> Result<u32, String> {
        if first.starts_with(|c: char| c.is_ascii_digit()) {
            if node.len() > 2 {
                return Err("Extra parameter(s) to umask option".into());
            }
            let value = c_number(first).and_then(|value| u32::try_from(value).ok());
            return value
                .filter(|value| *value <= 0o777)
                .ok_or_else(|| format!("invalid umask value {first}"));
        }
        let mut mask = 0;
        // `|` between names, with or without blanks around it.
        let text = node.rest().replace('|', " | ");
        let mut words = text.split_whitespace();
        loop {
            let name = words.next().ok_or("umask missing bit value")?;
            let bit = BITS.iter().find(|(known, _)| *known == name);
            mask |= bit.ok_or_else(|| format!("Unknown umask bit {name}"))?.1;
            match words.next() {
                None => return Ok(mask),
                Some("|") => {}
                Some(other) => return Err(format!("Invalid umask syntax {other}")),
            }
        }
    };
    match bits() {
        Ok(mask) => draft.global.umask = mask,
        Err(message) => drop(
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message),
        ),
    }
}

const MAIL: &[Keyword<Draft>] = &[
    Keyword::<Draft>::custom("notification_email_from", "ADDR", "", mail_from, |d, _| {
        d.global.mail.from.iter().map(|from| quoted(from)).collect()
    })
    .later()
    .doc("user@host, when smtp_server is written", "Sender of mails."),
    Keyword::<Draft>::custom("smtp_server", "HOST [PORT]", "port 1..65535", smtp_server, |d, _| {
        let mail = &d.global.mail;
        let port = if mail.port == 25 {
            String::new()
        } else {
            format!(" {}", mail.port)
        };
        mail.server.iter().map(|server| format!("{server}{port}")).collect()
    })
    .later()
    .doc("none; port 25", "Mails go through this server."),
    Keyword::<Draft>::word("smtp_helo_name", "STRING", word!(global.mail.helo_name))
        .missing("")
        .later()
        .doc("local host name", "How we call ourselves to the mail server."),
    Keyword::<Draft>::time(
        "smtp_connect_timeout",
        Time::whole(0, 4294),
        time!(global.mail.connect_timeout = Micros::from_secs(30)),
    )
    // The name is written so by keepalived.
    .zero("smtp_conect_timeout must be greater than 0, setting to 1")
    .bad("smtp_connect_timeout '{v}' must be in [0, 4294] - ignoring")
    .later()
    .doc("30", "When a mail server that does not answer is given up."),
    Keyword::<Draft>::words("notification_email", "{ ADDR ... }", notification_email, |d, _| {
        d.global.mail.to.iter().map(|to| quoted(to)).collect()
    })
    .later()
    .doc("none", "Who gets mails."),
    Keyword::<Draft>::boolean("smtp_alert", boolean!(global.mail.alert))
        .bad("Invalid value '{v}' for global smtp_alert specified")
        .later()
        .doc("unset", "Default of smtp_alert everywhere."),
    Keyword::<Draft>::boolean("smtp_alert_vrrp", boolean!(global.mail.alert_vrrp))
        .bad("Invalid value '{v}' for global smtp_alert_vrrp specified")
        .later()
        .doc("smtp_alert", "Default of smtp_alert of instances and sync groups."),
    Keyword::<Draft>::boolean("smtp_alert_checker", boolean!(global.mail.alert_checker))
        .bad("Invalid value '{v}' for global smtp_alert_checker specified")
        .kept()
        .doc("smtp_alert", "Default of smtp_alert of checkers."),
    Keyword::<Draft>::flag("no_email_faults", flag!(global.mail.no_faults))
        .later()
        .doc("off", "Sends no mails about FAULT."),
];

/// A word as it has to be written to be read again.
pub(in crate::config) fn quoted(word: &str) -> String {
    let special = |c: char| c.is_ascii_whitespace() || matches!(c, '#' | '!' | '{' | '}');
    if word.is_empty() || word.contains(special) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

fn mail_from(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(from) = node.first() else {
        let message = "emailfrom missing - ignoring".into();
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    };
    if node.len() > 2 {
        let extra = node.args().nth(1).unwrap_or_default();
        let message = format!("emailfrom - ignoring extra entries '{extra}' ...");
        ctx.reports
            .at(node.place_of(2), Code::ExtraWords, Class::General, message);
    }
    draft.global.mail.from = Some(from.to_owned());
}

fn smtp_server(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(host) = ctx.required(node, 1) else { return };
    let read = node.word(2).map_or(Ok(25), |text| {
        ctx.number(number(1, 65_535).read(text, ctx.test), node, 2)
    });
    let detail = read.clone().err().flatten();
    let port = read.ok();
    let port = port.and_then(|port| u16::try_from(port).ok());
    let good = host.parse::<IpAddr>().is_ok() || ctx.host.resolves(host);
    let mail = &mut draft.global.mail;
    mail.server = None;
    match port.filter(|_| good) {
        Some(port) => {
            mail.server = Some(host.to_owned());
            mail.port = port;
        }
        None => {
            let message = format!("Invalid smtp server {host} {}", node.word(2).unwrap_or("25"));
            ctx.reports
                .at(node.place_of(1), Code::BadValue, Class::General, message)
                .detail = detail;
        }
    }
}

fn notification_email(node: &Node, draft: &mut Draft, _: &mut Context<'_>) {
    draft.global.mail.to.extend(node.words().map(str::to_owned));
}

/// A keyword with exactly one path.
fn one_path(node: &Node, complaint: &str, ctx: &mut Context<'_>) -> Option<String> {
    match node.first().filter(|path| node.len() == 2 && !path.is_empty()) {
        Some(path) => Some(path.to_owned()),
        None => {
            let message = complaint.replace("{k}", node.key());
            ctx.reports.at(node.place, Code::BadValue, Class::General, message);
            None
        }
    }
}

macro_rules! path {
    ($name:literal, $complaint:literal, $($field:ident).+) => {
        Keyword::<Draft>::custom(
            $name,
            "PATH",
            "",
            |node, d, ctx| {
                if let Some(path) = one_path(node, $complaint, ctx) {
                    d.$($field).+ = Some(path);
                }
            },
            |d, _| d.$($field).+.iter().map(|path| quoted(path)).collect(),
        )
    };
}

macro_rules! optional_path {
    ($name:literal, $default:literal, $($field:ident).+) => {
        Keyword::<Draft>::custom(
            $name,
            "[PATH]",
            "",
            |node, d, _| d.$($field).+ = Some(node.first().unwrap_or($default).to_owned()),
            |d, _| d.$($field).+.iter().map(|path| if path.is_empty() { String::new() } else { quoted(path) }).collect(),
        )
    };
}

const FILES: &[Keyword<Draft>] = &[
    optional_path!("reload_check_config", "/dev/null", global.reload_check_config)
        .nothing()
        .doc(
            "off; without a value: /dev/null",
            "Refuses a reload when the new configuration has any error; the messages go to this file.",
        ),
    path!("reload_time_file", "reload_time_file invalid", global.reload_time_file).doc(
        "none",
        "A file that holds the time of a reload: HH:MM:SS, or a day with it; Z behind it is UTC. It is deleted then.",
    ),
    Keyword::<Draft>::flag("reload_repeat", flag!(global.reload_repeat)).doc(
        "off",
        "Keeps a reload_time_file that names no day: the reload comes every day.",
    ),
    optional_path!("reload_file", "", global.reload_file).nothing().doc(
        "off; without a value: keepalived.reload in the pid directory",
        "A file that exists while the configuration is read.",
    ),
    Keyword::<Draft>::custom(
        "include_check",
        "[[+-]read] [[+-]match] [[+-]wildcard_match] [[+-]brace_match]",
        "",
        include_check,
        |_, _| Vec::new(),
    )
    .nothing()
    .doc(
        "none; without words: all",
        "Which problems of includes stop everything, from here on.",
    ),
    Keyword::<Draft>::custom("config_save_dir", "PATH", "", config_save_dir, |d, _| {
        d.global.paths.config_save_dir.iter().map(|path| quoted(path)).collect()
    })
    .kept()
    .nothing()
    .doc("off", "Where keepalived saves the whole configuration as read."),
    Keyword::<Draft>::word("tmp_config_directory", "DIR", word!(global.paths.tmp_config_directory))
        .missing("{k} missing directory name")
        .first("{k} already specified - ignoring")
        .kept()
        .restart()
        .doc("memory", "Where keepalived keeps its own copy of the configuration."),
    Keyword::<Draft>::boolean("data_use_instance", boolean!(global.paths.data_use_instance = false))
        .bad("Invalid value '{v}' for global date_use_instance specified")
        .doc(
            "false",
            "Puts the instance's and namespace's names into names of dump files.",
        ),
    Keyword::<Draft>::int(
        "json_version",
        "1|2",
        number(1, 2),
        (
            |d, n| d.global.paths.json_version_2 = n == 2,
            |d| d.global.paths.json_version_2.then_some(2),
        ),
    )
    .missing("{k} requires version")
    .bad("Invalid JSON version")
    .nothing()
    .doc("1", "Form of the JSON dump."),
    path!("iproute_usr_dir", "{k} requires path", global.paths.iproute_usr_dir)
        .nothing()
        .doc(
            "/usr/share/iproute2",
            "Where the names of tables, protocols and so on are looked up second.",
        ),
    path!("iproute_etc_dir", "{k} requires path", global.paths.iproute_etc_dir)
        .nothing()
        .doc(
            "/etc/iproute2",
            "Where the names of tables, protocols and so on are looked up first.",
        ),
    path!(
        "state_dump_file",
        "{k} requires a non-empty path",
        global.paths.state_dump_file
    )
    .synonyms(&[Synonym {
        name: "state_file_location",
        told: Told::Silently,
    }])
    .nothing()
    .doc("/tmp/keepalived.data", "Where the state is dumped on SIGUSR1."),
    path!(
        "stats_dump_file",
        "{k} requires a non-empty path",
        global.paths.stats_dump_file
    )
    .synonyms(&[Synonym {
        name: "stats_file_location",
        told: Told::Silently,
    }])
    .nothing()
    .doc("/tmp/keepalived.stats", "Where statistics are dumped on SIGUSR2."),
    path!(
        "json_dump_file",
        "{k} requires a non-empty path",
        global.paths.json_dump_file
    )
    .synonyms(&[Synonym {
        name: "json_file_location",
        told: Told::Silently,
    }])
    .nothing()
    .doc("/tmp/keepalived.json", "Where JSON is dumped."),
];

fn config_save_dir(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(path) = ctx.required(node, 1) else { return };
    let plain = |kind| matches!(kind, FileKind::File | FileKind::Other);
    if ctx.host.file(path).is_ok_and(|facts| plain(facts.kind)) {
        let message = format!("config_save_dir {path} exists and is not a directory");
        ctx.reports
            .at(node.place_of(1), Code::BadValue, Class::General, message);
        return;
    }
    draft.global.paths.config_save_dir = Some(path.to_owned());
}

fn include_check(node: &Node, _: &mut Draft, ctx: &mut Context<'_>) {
    for (index, word) in (1..).zip(node.args()) {
        let signed = word.starts_with(['+', '-']);
        let name = word.trim_start_matches(['+', '-']);
        let (code, message) = if index > 1 && !signed {
            let message = format!("Duplicate include_check '{name}' specified - ignoring");
            (Code::AlreadyDefined, message)
        } else if matches!(name, "read" | "match" | "wildcard_match" | "brace_match") {
            continue;
        } else {
            (
                Code::BadValue,
                format!("Unknown include_check type '{name}' - ignoring"),
            )
        };
        ctx.reports.at(node.place_of(index), code, Class::General, message);
    }
}
