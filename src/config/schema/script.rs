//! `vrrp_script`.

use super::keyword::{Block, Keyword, Table, flag, int, time};
use super::value::{Time, number};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::lower::{Command, Context, account, program_user};
use crate::config::place::Place;
use crate::config::tree::Node;
use crate::model::{Account, Micros, ProgramUser, Weight};
use std::sync::Arc;

/// A script as written.
#[derive(Debug, Default)]
pub(in crate::config) struct Draft {
    pub(in crate::config) name: Arc<str>,
    pub(in crate::config) place: Place,
    /// Where the block ends.
    pub(in crate::config) end: Option<Place>,
    pub(in crate::config) command: Option<Command>,
    pub(in crate::config) user: Option<ProgramUser>,
    pub(in crate::config) account: Option<Account>,
    pub(in crate::config) user_failed: bool,
    pub(in crate::config) interval: Option<Micros>,
    pub(in crate::config) timeout: Option<Micros>,
    pub(in crate::config) weight: Weight,
    pub(in crate::config) rise: Option<u32>,
    pub(in crate::config) fall: Option<u32>,
    pub(in crate::config) init_fail: bool,
}

impl Block for Draft {
    fn name(&self) -> &str {
        &self.name
    }
}

const TIME: Time = Time::seconds(3, 0, 4_294_000_000);

pub(in crate::config) const TABLE: Table<Draft> = Table {
    path: "vrrp_script",
    keywords: &[&[
        Keyword::<Draft>::custom("script", "COMMAND", "", script, |d, _| {
            d.command.iter().map(Command::print_words).collect()
        })
        .doc(
            "none, required",
            "Command to run; quote it when it has arguments. `</path`: can that file be opened?",
        ),
        Keyword::<Draft>::time("interval", TIME, time!(interval))
            .zero("({n}): vrrp script interval must be greater than 0, setting to 1")
            .bad("({n}): vrrp script interval '{v}' must be between 0.001 and 4294 - ignoring")
            .doc("1", "Time from start to start."),
        Keyword::<Draft>::time("timeout", TIME, time!(timeout))
            .zero("({n}): vrrp script timeout must be greater than 0, setting to 1")
            .bad("({n}): vrrp script timeout '{v}' invalid - ignoring")
            .doc("the interval", "When a run is ended."),
        Keyword::<Draft>::custom("weight", "N [reverse]", "-253..253", weight, |d, _| {
            print_weight(d.weight, 0)
        })
        .doc("0", "Default weight; 0: a failure is a fault."),
        Keyword::<Draft>::int("rise", "N", number(1, 2_147_483_647), int!(rise))
            .bad_then("({n}): vrrp script rise value '{v}' invalid, defaulting to 1", |d| {
                d.rise = Some(1)
            })
            .doc("1", "Successes needed to come up."),
        Keyword::<Draft>::int("fall", "N", number(1, 2_147_483_647), int!(fall))
            .bad_then("({n}): vrrp script fall value '{v}' invalid, defaulting to 1", |d| {
                d.fall = Some(1)
            })
            .doc("1", "Failures needed to go down."),
        Keyword::<Draft>::custom("user", "USER [[:]GROUP]", "", user, |d, _| {
            d.account.iter().map(account).collect()
        })
        .doc("script_user", "Who runs it."),
        Keyword::<Draft>::flag("init_fail", flag!(init_fail))
            .nothing()
            .doc("off", "Counts as failed until it has succeeded."),
    ]],
};

/// `N [reverse]` when it is not the default.
pub(in crate::config) fn print_weight(weight: Weight, default: i16) -> Vec<String> {
    match (weight.value(), weight.is_reverse()) {
        (value, false) if value == default => Vec::new(),
        (value, false) => vec![value.to_string()],
        (value, true) => vec![format!("{value} reverse")],
    }
}

fn script(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if node.first().is_some() {
        draft.command = Command::words(node, ctx);
    }
}

fn weight(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    let Some(text) = ctx.required(node, 1) else { return };
    let name = &draft.name;
    let reverse = match node.word(2) {
        None => draft.weight.is_reverse(),
        Some("reverse") => true,
        Some(other) => {
            let message = format!("vrrp_script {name} unknown weight option {other}");
            ctx.reports
                .at(node.place_of(2), Code::BadValue, Class::General, message);
            draft.weight.is_reverse()
        }
    };
    match ctx.number(number(-253, 253).read(text, ctx.test), node, 1) {
        Ok(value) => {
            draft.weight = i16::try_from(value)
                .ok()
                .and_then(|value| Weight::new(value, reverse).ok())
                .unwrap_or_default()
        }
        Err(detail) => {
            let message = format!("vrrp_script {name} weight {text} must be in [-253, 253]");
            ctx.reports
                .at(node.place_of(1), Code::WeightOutOfRange, Class::General, message)
                .detail = detail;
            // keepalived stores the value all the same.
            let value = number(-254, 254)
                .exact(text)
                .and_then(|value| i16::try_from(value).ok());
            if let Some(Ok(weight)) = value.map(|value| Weight::new(value, reverse)) {
                draft.weight = weight;
            }
        }
    }
}

fn user(node: &Node, draft: &mut Draft, ctx: &mut Context<'_>) {
    if ctx.required(node, 1).is_none() {
        return;
    }
    let words: Vec<_> = node.args().collect();
    match program_user(&words, ctx.host) {
        Some((user, account)) => {
            draft.user = Some(user);
            draft.account = Some(account);
            draft.user_failed = false;
        }
        None => {
            draft.user_failed = true;
            let words = draft.command.as_ref().map(Command::quoted_words).unwrap_or_default();
            let message = format!("Unable to set uid/gid for script {words}");
            let diagnostic = ctx
                .reports
                .at(node.place_of(1), Code::ScriptUser, Class::General, message);
            diagnostic.hint = Some(format!("there is no user or group `{}`", node.rest()));
        }
    }
}
