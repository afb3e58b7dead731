//! `vrrp_script`.

use super::global::program_user;
use super::values::{integer, seconds, small};
use super::{Context, Node};
use crate::config::diagnostic::Class;
use crate::config::keepalived::split_command;
use crate::config::program::{self, NotFound};
use crate::model::{Micros, ProgramUser, Script, Weight};

pub(super) fn block(node: &Node, ctx: &mut Context<'_>) {
    let Some(name) = ctx.required(node) else { return };
    let mut draft = Script::new(name, Vec::new());
    let mut user_failed = false;
    for child in &node.children {
        match child.key.as_str() {
            "script" => match split_command(&child.raw) {
                Ok((argv, _)) => draft.argv = argv,
                Err(quote) => {
                    let message = format!("String '{}': missing terminating {quote}", child.raw);
                    ctx.report(Class::UnmatchedQuote, &child.position, message);
                }
            },
            "interval" => time(child, name, "interval", ctx, |time| draft.interval = time),
            "timeout" => time(child, name, "timeout", ctx, |time| draft.timeout = Some(time)),
            "weight" => weight(child, &mut draft, ctx),
            "rise" => draft.rise = count(child, name, ctx),
            "fall" => draft.fall = count(child, name, ctx),
            "init_fail" => draft.init_fail = true,
            "user" => {
                draft.user = program_user(child, ctx);
                user_failed = draft.user.is_none();
            }
            _ => ctx.not_acted_on(child),
        }
    }
    if draft.argv.is_empty() {
        ctx.general(node, format!("No script set for vrrp_script {name} - removing"));
    } else if !user_failed {
        find_program(node, draft, ctx);
    }
}

/// Who runs it, which file that is, and whether that is safe (semantic-checks §3; the resolved path is judged).
fn find_program(node: &Node, mut draft: Script, ctx: &mut Context<'_>) {
    draft.user = draft
        .user
        .or(ctx.global.script_user)
        .or_else(|| ctx.host.user("keepalived_script"));
    let name = draft.name.clone();
    let program = draft.argv.first().cloned().unwrap_or_default();
    let user = draft.user.unwrap_or(ProgramUser { uid: 0, gid: 0 });
    let found = match program::find(&program, user, ctx.host) {
        Ok(found) => found,
        Err(NotFound::NotExecutable) => {
            let ProgramUser { uid, gid } = user;
            let message =
                format!("WARNING - script '{program}' is not executable for uid:gid {uid}:{gid} - disabling.");
            ctx.note(Some(node), message);
            return;
        }
        Err(NotFound::Inaccessible(why)) => {
            ctx.note(Some(node), format!("Script {program} cannot be accessed - {why}"));
            let message = format!("Disabling track script {name} since not found/accessible");
            ctx.report(Class::General, &node.position, message);
            return;
        }
    };
    ctx.any_program = true;
    let path = found.path;
    if found.searched {
        let message =
            format!("WARNING - script `{program}` resolved by path search to `{path}`. Please specify full path.");
        ctx.note(Some(node), message);
    }
    let as_root = user.uid == 0 || user.gid == 0 || found.set_root;
    if as_root && !found.secure {
        ctx.note(Some(node), format!("Unsafe permissions found for script '{path}'."));
        if ctx.global.script_security {
            let message = format!("Disabling track script {name} due to insecure");
            ctx.report(Class::General, &node.position, message);
            return;
        }
    }
    draft.path = Some(path);
    ctx.scripts.push(draft);
}

fn time(node: &Node, script: &str, what: &str, ctx: &mut Context<'_>, set: impl FnOnce(Micros)) {
    let Some(text) = ctx.required(node) else { return };
    match seconds(text, 3).filter(|time| *time <= Micros::from_secs(4294)) {
        Some(Micros::ZERO) => {
            ctx.general(
                node,
                format!("({script}): vrrp script {what} must be greater than 0, setting to 1"),
            );
            set(Micros::SECOND);
        }
        Some(time) => set(time),
        None => {
            let message = format!("({script}): vrrp script {what} '{text}' must be between 0.001 and 4294 - ignoring");
            ctx.general(node, message);
        }
    }
}

fn weight(node: &Node, draft: &mut Script, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node) else { return };
    let reverse = match node.args.get(1).map(String::as_str) {
        None => draft.weight.is_reverse(),
        Some("reverse") => true,
        Some(other) => {
            ctx.general(
                node,
                format!("vrrp_script {} unknown weight option {other}", draft.name),
            );
            draft.weight.is_reverse()
        }
    };
    let value = integer(text).filter(|value| (-253..=253).contains(value));
    if value.is_none() {
        ctx.general(
            node,
            format!("vrrp_script {} weight {text} must be in [-253, 253]", draft.name),
        );
    }
    let value = value.and_then(|value| i16::try_from(value).ok());
    if let Some(Ok(weight)) = value.map(|value| Weight::new(value, reverse)) {
        draft.weight = weight;
    }
}

fn count(node: &Node, script: &str, ctx: &mut Context<'_>) -> u32 {
    let Some(text) = ctx.required(node) else { return 1 };
    small(text, 1, i64::from(i32::MAX)).unwrap_or_else(|| {
        let key = &node.key;
        ctx.general(
            node,
            format!("({script}): vrrp script {key} value '{text}' invalid, defaulting to 1"),
        );
        1
    })
}
