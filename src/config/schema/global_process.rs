//! `global_defs`: how the system treats the processes.

use super::global::Draft;
use super::keyword::{Keyword, Reload, Synonym, Told, boolean, flag, int, time};
use super::value::{Read, Time, number, strict};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::Context;
use crate::config::tree::Node;
use crate::model::{Micros, ProcessSettings};

/// The kernel's limit of a process's name.
const NAME: usize = 15;

macro_rules! process_name {
    ($name:literal, $($field:ident).+) => {
        Keyword::<Draft>::custom(
            $name,
            "NAME",
            "at most 15 characters",
            |node, d, ctx| {
                if let Some(name) = process_name(node, ctx) {
                    d.$($field).+ = Some(name);
                }
            },
            |d, _| d.$($field).+.iter().cloned().collect(),
        )
    };
}

macro_rules! nice {
    ($name:literal, $what:literal, $process:ident) => {
        Keyword::<Draft>::int($name, "N", number(-20, 19), int!(global.$process.nice))
            .missing(concat!("No ", $what, " process priority specified"))
            .bad_then(concat!("Invalid ", $what, " process priority specified"), |d| {
                d.global.$process.nice = None
            })
    };
}

macro_rules! rt_priority {
    ($name:literal, $process:ident) => {
        Keyword::<Draft>::custom(
            $name,
            "N",
            "1..99",
            |node, d, ctx| rt_priority(node, &mut d.global.$process, ctx),
            |d, _| d.global.$process.rt_priority.iter().map(ToString::to_string).collect(),
        )
    };
}

macro_rules! cpu_affinity {
    ($name:literal, $what:literal, $process:ident) => {
        Keyword::<Draft>::custom(
            $name,
            "CPU ...",
            "0..65535",
            |node, d, ctx| cpu_affinity(node, $what, &mut d.global.$process, ctx),
            |d, _| {
                let cpus: Vec<_> = d.global.$process.cpu_affinity.iter().map(ToString::to_string).collect();
                (!cpus.is_empty()).then(|| cpus.join(" ")).into_iter().collect()
            },
        )
    };
}

macro_rules! rlimit {
    ($name:literal, $old:literal, $what:literal, $process:ident) => {
        Keyword::<Draft>::time(
            $name,
            Time::micros(1, 4_294_967_295),
            time!(global.$process.rlimit_rttime),
        )
        .bad_then(concat!("Invalid ", $what, " real-time limit - {v}"), |d| {
            d.global.$process.rlimit_rttime = None;
        })
        .synonyms(&[Synonym {
            name: $old,
            told: Told::Log(concat!("Keyword '", $old, "' is deprecated - please use '", $name, "'")),
        }])
    };
}

macro_rules! netlink_size {
    ($name:literal, $buffer:ident) => {
        Keyword::<Draft>::int(
            $name,
            "BYTES",
            strict(0, 4_294_967_295),
            (
                |d, n| d.global.netlink_buffers.$buffer.size = u32::try_from(n).ok().filter(|n| *n > 0),
                |d| d.global.netlink_buffers.$buffer.size.map(i64::from),
            ),
        )
        .missing("{k} size missing")
        .bad("{k} size ({v}) invalid")
        .restart()
    };
}

pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    Keyword::<Draft>::flag("process_names", flag!(global.process_names))
        .restart()
        .doc("off", "Gives each process a name of its own."),
    process_name!("process_name", global.process_name)
        .restart()
        .doc("keepalived", "Name of the first process."),
    process_name!("vrrp_process_name", global.vrrp.name)
        .restart()
        .doc("process_name", "Name of the daemon."),
    process_name!("checker_process_name", global.checker.name)
        .synonyms(&[Synonym {
            name: "lvs_process_name",
            told: Told::Log("'lvs_process_name' is deprecated - please use 'checker_process_name'"),
        }])
        .kept()
        .doc("process_name", "Name of keepalived's checker process."),
    process_name!("bfd_process_name", global.bfd.name)
        .kept()
        .doc("process_name", "Name of keepalived's BFD process."),
    Keyword::<Draft>::int(
        "max_auto_priority",
        "[N]",
        number(-1, 99),
        (
            |d, n| d.global.max_auto_priority = u8::try_from(n).ok(),
            |d| match d.global.max_auto_priority {
                None => Some(-1),
                Some(0) => None,
                Some(priority) => Some(i64::from(priority)),
            },
        ),
    )
    .alone(99)
    .bad("max_auto_priority '{v}' must be in [0, 99] (or -1 to disable) - ignoring")
    .later()
    .doc(
        "0",
        "How far the real-time priority is raised by itself when timers are late.",
    ),
    Keyword::<Draft>::time(
        "min_auto_priority_delay",
        Time::micros(1, 10_000_000),
        time!(global.min_auto_priority_delay = Micros::SECOND),
    )
    .missing("min_auto_priority_delay requires delay time")
    .bad("min_auto_priority_delay '{v}' must be in [1, 10000000] - ignoring")
    .later()
    .doc("1000000", "Lateness that raises it."),
    nice!("vrrp_priority", "vrrp", vrrp)
        .restart()
        .doc("0", "Nice value of the daemon."),
    Keyword::<Draft>::flag("vrrp_no_swap", flag!(global.vrrp.no_swap))
        .restart()
        .doc("off", "Locks the daemon's memory."),
    rt_priority!("vrrp_rt_priority", vrrp)
        .restart()
        .doc("none", "Real-time priority of the daemon's engine."),
    cpu_affinity!("vrrp_cpu_affinity", "vrrp", vrrp)
        .restart()
        .doc("all", "CPUs that the daemon may run on."),
    rlimit!("vrrp_rlimit_rttime", "vrrp_rlimit_rtime", "vrrp", vrrp)
        .later()
        .restart()
        .doc("10000", "How long the daemon may run in real time without waiting."),
    nice!("checker_priority", "checker", checker)
        .kept()
        .doc("0", "Nice value of keepalived's checker process."),
    Keyword::<Draft>::flag("checker_no_swap", flag!(global.checker.no_swap))
        .kept()
        .doc("off", "Locks its memory."),
    rt_priority!("checker_rt_priority", checker)
        .kept()
        .doc("none", "Its real-time priority."),
    cpu_affinity!("checker_cpu_affinity", "checker", checker)
        .kept()
        .doc("all", "CPUs that it may run on."),
    rlimit!("checker_rlimit_rttime", "checker_rlimit_rtime", "checker", checker)
        .kept()
        .doc("10000", "How long it may run in real time."),
    nice!("bfd_priority", "bfd", bfd)
        .kept()
        .doc("0", "Nice value of keepalived's BFD process."),
    Keyword::<Draft>::flag("bfd_no_swap", flag!(global.bfd.no_swap))
        .kept()
        .doc("off", "Locks its memory."),
    rt_priority!("bfd_rt_priority", bfd)
        .kept()
        .doc("none", "Its real-time priority."),
    cpu_affinity!("bfd_cpu_affinity", "bfd", bfd)
        .kept()
        .doc("all", "CPUs that it may run on."),
    rlimit!("bfd_rlimit_rttime", "bfd_rlimit_rtime", "bfd", bfd)
        .kept()
        .doc("10000", "How long it may run in real time."),
    netlink_size!("vrrp_netlink_cmd_rcv_bufs", vrrp_command).doc("1 MiB", "Buffer of the netlink command socket."),
    Keyword::<Draft>::boolean(
        "vrrp_netlink_cmd_rcv_bufs_force",
        boolean!(global.netlink_buffers.vrrp_command.force = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .restart()
    .doc("false", "Also beyond the system's limit."),
    netlink_size!("vrrp_netlink_monitor_rcv_bufs", vrrp_monitor).doc("8 MiB", "Buffer of the netlink monitor socket."),
    Keyword::<Draft>::boolean(
        "vrrp_netlink_monitor_rcv_bufs_force",
        boolean!(global.netlink_buffers.vrrp_monitor.force = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .restart()
    .doc("false", "Also beyond the system's limit."),
    netlink_size!("process_monitor_rcv_bufs", process_monitor)
        .reload(Reload::Adjust)
        .doc(
            "4 MiB",
            "Buffer of the process event socket. It is doubled each time that news are lost.",
        ),
    Keyword::<Draft>::boolean(
        "process_monitor_rcv_bufs_force",
        boolean!(global.netlink_buffers.process_monitor.force = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .reload(Reload::Adjust)
    .doc("false", "Also beyond the system's limit."),
    netlink_size!("lvs_netlink_cmd_rcv_bufs", lvs_command)
        .kept()
        .doc("kernel", "Buffer of the checkers' command socket."),
    Keyword::<Draft>::boolean(
        "lvs_netlink_cmd_rcv_bufs_force",
        boolean!(global.netlink_buffers.lvs_command.force = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .kept()
    .doc("false", "Also beyond the system's limit."),
    netlink_size!("lvs_netlink_monitor_rcv_bufs", lvs_monitor)
        .kept()
        .doc("kernel", "Buffer of the checkers' monitor socket."),
    Keyword::<Draft>::boolean(
        "lvs_netlink_monitor_rcv_bufs_force",
        boolean!(global.netlink_buffers.lvs_monitor.force = false),
    )
    .bad("Invalid value '{v}' for global {k} specified")
    .kept()
    .doc("false", "Also beyond the system's limit."),
];

fn process_name(node: &Node, ctx: &mut Context<'_>) -> Option<String> {
    let name = ctx.required(node, 1)?;
    if name.len() <= NAME {
        return Some(name.to_owned());
    }
    let message = format!("Process name {name} more than {NAME} characters, truncating");
    ctx.reports.at(node.place_of(1), Code::BadName, Class::General, message);
    let end = (0..=NAME).rev().find(|end| name.is_char_boundary(*end))?;
    name.get(..end).map(str::to_owned)
}

fn rt_priority(node: &Node, process: &mut ProcessSettings, ctx: &mut Context<'_>) {
    let what = node.key().trim_end_matches("_rt_priority");
    let Some(text) = node.first() else {
        let message = format!("No {what} process real-time priority specified");
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    };
    let (detail, message, value) = match number(-2_147_483_648, 2_147_483_647).read(text, ctx.test) {
        Read::Bad(detail) => (detail, format!("priority '{text}' invalid"), None),
        Read::Good(value @ 1..=99) => return process.rt_priority = u8::try_from(value).ok(),
        Read::Good(value) if value < 1 => {
            let message = format!("priority {value} less than minimum 1 - setting to minimum");
            (None, message, Some(1))
        }
        Read::Good(value) | Read::Warned(value, _) => {
            let message = format!("priority {value} greater than maximum 99 - setting to maximum");
            (None, message, Some(99))
        }
    };
    process.rt_priority = value.or(process.rt_priority);
    let message = format!("{what} process real-time {message}");
    let diagnostic = ctx
        .reports
        .at(node.place_of(1), Code::BadNumber, Class::General, message);
    diagnostic.detail = detail;
}

fn cpu_affinity(node: &Node, what: &str, process: &mut ProcessSettings, ctx: &mut Context<'_>) {
    if node.first().is_none() {
        let message = format!("No {what} cpu_id set specified");
        ctx.reports
            .at(node.place, Code::MissingParameter, Class::General, message);
        return;
    }
    process.cpu_affinity.clear();
    for (index, text) in (1..).zip(node.args()) {
        let cpus = number(0, i64::from(ctx.host.cpus()) - 1).signed();
        match cpus.read(text, true) {
            Read::Good(cpu) => process.cpu_affinity.extend(u16::try_from(cpu)),
            Read::Warned(..) | Read::Bad(_) => {
                let detail = match cpus.read(text, true) {
                    Read::Bad(detail) => detail,
                    Read::Good(_) | Read::Warned(..) => None,
                };
                // What keepalived has read of the number up to there.
                let end = text
                    .bytes()
                    .position(|b| !b.is_ascii_digit() && b != b'-')
                    .unwrap_or(text.len());
                let begin: i64 = text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0);
                let message = format!("Invalid cpu_id:{begin} specified for {what} process");
                let diagnostic = ctx
                    .reports
                    .at(node.place_of(index), Code::BadNumber, Class::General, message);
                diagnostic.detail = detail;
                diagnostic.hint = Some(cpus.hint());
                return process.cpu_affinity.clear();
            }
        }
    }
}
