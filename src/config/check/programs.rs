//! Which files are run, by whom, and whether somebody else could change them (semantic-checks §3).

use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context};
use crate::config::place::Place;
use crate::config::program::{self, Found, NotFound};
use crate::config::schema::{global, instance, script};
use crate::config::source::Host;
use crate::model::{NotifyPrograms, Program, ProgramUser, Script};
use std::collections::BTreeSet;

/// What is known of programs while they are looked for.
pub(super) struct Programs {
    security: bool,
    /// `use_symlink_paths`: links are followed at every run, and not once. Who may change one is judged all the same.
    links: bool,
    /// Who runs what names nobody; `None` inside: the daemon's own user; `None`: such programs are refused.
    default: Option<Option<ProgramUser>>,
    /// Whether there are instances; keepalived looks at their programs only then.
    wanted: bool,
    /// Whether there are virtual servers.
    services: bool,
    any: bool,
    any_once: bool,
    any_check: bool,
    insecure: bool,
}

/// Why a program is not used.
enum Refused {
    Insecure,
    Missing,
    NotExecutable,
}

const ROOT: ProgramUser = ProgramUser { uid: 0, gid: 0 };

impl Programs {
    pub(super) fn new(draft: &global::Draft, wanted: bool, services: bool, ctx: &Context<'_>) -> Self {
        let security = draft.global.script_security;
        let default = default_user(draft, ctx.host);
        Self {
            security,
            links: draft.global.use_symlink_paths,
            default,
            wanted,
            services,
            any: false,
            any_once: false,
            any_check: false,
            insecure: false,
        }
    }

    /// Completes the scripts. All of them keep their position; the positions of those that are not used come back.
    pub(super) fn scripts(
        &mut self,
        drafts: Vec<script::Draft>,
        scripts: &mut Vec<Script>,
        ctx: &mut Context<'_>,
    ) -> BTreeSet<usize> {
        let mut disabled = BTreeSet::new();
        for draft in drafts {
            let index = scripts.len();
            let (script, usable) = self.script(draft, ctx);
            if !usable {
                disabled.insert(index);
            }
            scripts.push(script);
        }
        disabled
    }

    fn script(&mut self, draft: script::Draft, ctx: &mut Context<'_>) -> (Script, bool) {
        let argv = draft.command.map(|command| command.argv).unwrap_or_default();
        let name = draft.name;
        let mut script = Script::new(&name, argv);
        script.account = draft.account;
        script.interval = draft.interval.unwrap_or(script.interval);
        script.timeout = draft.timeout;
        script.weight = draft.weight;
        script.rise = draft.rise.unwrap_or(1);
        script.fall = draft.fall.unwrap_or(1);
        script.init_fail = draft.init_fail;
        script.opens = opened(&script.argv);
        let Some(user) = draft.user.map_or(self.default, |user| Some(Some(user))) else {
            let message = format!("Unable to set default user for vrrp script {name} - removing");
            ctx.reports
                .end(draft.place, draft.end, Code::ScriptUser, Class::General, message);
            return (script, false);
        };
        script.user = user;
        let user = user.unwrap_or(ROOT);
        if let Some(path) = &script.opens {
            self.any |= self.wanted && ctx.host.file(path).is_ok();
            return (script, true);
        }
        if !self.wanted {
            return (script, true);
        }
        match self.find(script.argv.first().map_or("", String::as_str), user, draft.place, ctx) {
            Ok(found) => {
                self.any = true;
                script.insecure = !found.secure && runs_as_root(user, &found);
                script.path = Some(found.path);
                (script, true)
            }
            Err(refused) => {
                let message = match refused {
                    Refused::Insecure => format!("Disabling track script {name} due to insecure"),
                    Refused::Missing => format!("Disabling track script {name} since not found/accessible"),
                    Refused::NotExecutable => return (script, false),
                };
                let code = if matches!(refused, Refused::Insecure) {
                    Code::ScriptInsecure
                } else {
                    Code::ScriptMissing
                };
                ctx.check(draft.place, code, Class::General, message);
                (script, false)
            }
        }
    }

    /// A program that is told about something; `None` if it cannot be used.
    pub(super) fn notify(&mut self, command: Command, ctx: &mut Context<'_>) -> Option<Program> {
        let program = self.program(command, ctx)?;
        self.any |= self.wanted;
        Some(program)
    }

    /// The program that reads a FIFO: of the VRRP side, of the services, or of both.
    pub(super) fn reader(&mut self, command: Command, vrrp: bool, lvs: bool, ctx: &mut Context<'_>) -> Option<Program> {
        let program = self.program(command, ctx)?;
        self.any |= self.wanted && vrrp;
        self.any_check |= self.services && lvs;
        Some(program)
    }

    /// A program that runs at the start or the end.
    pub(super) fn once(&mut self, command: Command, ctx: &mut Context<'_>) -> Option<Program> {
        let program = self.program(command, ctx)?;
        self.any_once = true;
        Some(program)
    }

    /// A program of an LVS checker: vrrpd does not run it, but whether it is there counts.
    pub(super) fn checker(&mut self, command: &Command, ctx: &mut Context<'_>) {
        let user = command.user.map_or(self.default, |user| Some(Some(user)));
        let name = command.argv.first().map_or("", String::as_str);
        let found = user.is_some_and(|user| program::find(name, user.unwrap_or(ROOT), ctx.host).is_ok());
        self.any_check |= found;
    }

    fn program(&mut self, command: Command, ctx: &mut Context<'_>) -> Option<Program> {
        let Some(user) = command.user.map_or(self.default, |user| Some(Some(user))) else {
            ctx.no_default_user(command.place, None);
            return None;
        };
        let name = command.argv.first().map_or("", String::as_str);
        let found = self.find(name, user.unwrap_or(ROOT), command.place, ctx).ok()?;
        Some(Program {
            argv: command.argv,
            path: Some(found.path),
            user,
            account: command.account,
        })
    }

    /// The programs of an instance or a group.
    pub(super) fn notify_all(&mut self, draft: instance::Notify, ctx: &mut Context<'_>) -> NotifyPrograms {
        let mut one = |command: Option<Box<Command>>| command.and_then(|command| self.notify(*command, ctx));
        NotifyPrograms {
            master: one(draft.master),
            backup: one(draft.backup),
            fault: one(draft.fault),
            stop: one(draft.stop),
            any: one(draft.any),
            deleted: draft.deleted,
            deleted_program: one(draft.deleted_program),
            master_rx_lower_pri: one(draft.master_rx_lower_pri),
        }
    }

    fn find(&mut self, name: &str, user: ProgramUser, place: Place, ctx: &mut Context<'_>) -> Result<Found, Refused> {
        let mut found = match program::find(name, user, ctx.host) {
            Ok(found) => found,
            Err(NotFound::NotExecutable) => {
                let ProgramUser { uid, gid } = user;
                let message =
                    format!("WARNING - script '{name}' is not executable for uid:gid {uid}:{gid} - disabling.");
                ctx.check(place, Code::ScriptMissing, None, message);
                return Err(Refused::NotExecutable);
            }
            Err(NotFound::Inaccessible(why)) => {
                let message = format!("Script {name} cannot be accessed - {why}");
                ctx.check(place, Code::ScriptMissing, None, message);
                return Err(Refused::Missing);
            }
        };
        if found.searched {
            let path = &found.path;
            let message =
                format!("WARNING - script `{name}` resolved by path search to `{path}`. Please specify full path.");
            ctx.check(place, Code::ScriptMissing, None, message);
        }
        if runs_as_root(user, &found) && !found.secure {
            self.insecure = true;
            let message = format!("Unsafe permissions found for script '{}'.", found.path);
            ctx.check(place, Code::ScriptInsecure, None, message);
            if self.security {
                return Err(Refused::Insecure);
            }
        }
        if self.links {
            found.path.clone_from(&found.named);
        }
        Ok(found)
    }

    /// Programs are run without `enable_script_security`.
    pub(super) fn report(&self, ctx: &mut Context<'_>) {
        if self.security {
            return;
        }
        let insecure = if self.insecure {
            " There are insecure scripts."
        } else {
            ""
        };
        for (any, what) in [
            (self.any, "scripts"),
            (self.any_once, "start/shutdown scripts"),
            (self.any_check, "check scripts"),
        ] {
            if any {
                let message = format!(
                    "SECURITY VIOLATION - {what} are being executed but script_security not enabled.{insecure}"
                );
                let diagnostic = ctx.reports.whole(Code::ScriptSecurity, Class::Security, message);
                diagnostic.hint = Some("write enable_script_security into global_defs".into());
            }
        }
    }
}

/// Who runs what names nobody; `None` inside: the daemon's own user; `None`: such programs are refused.
pub(in crate::config) fn default_user(draft: &global::Draft, host: &dyn Host) -> Option<Option<ProgramUser>> {
    match draft.global.script_user {
        _ if draft.script_user_failed => None,
        Some(user) => Some(Some(user)),
        None => match host.user("keepalived_script") {
            Some(user) => Some(Some(user)),
            None => (!draft.global.script_security).then_some(None),
        },
    }
}

fn runs_as_root(user: ProgramUser, found: &Found) -> bool {
    user.uid == 0 || user.gid == 0 || found.set_root
}

/// The file of a command `</path`.
fn opened(argv: &[String]) -> Option<String> {
    let first = argv.first()?.strip_prefix('<')?.trim_start();
    let path = if first.is_empty() { argv.get(1)?.as_str() } else { first };
    Some(path.to_owned())
}
