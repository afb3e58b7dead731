//! Command lines, and who runs them.

use super::Context;
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::keepalived::split_command;
use crate::config::place::Place;
use crate::config::source::Host;
use crate::config::tree::Node;
use crate::model::{Account, ProgramUser};

/// A command as written. Which file it is, is found out when everything has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Command {
    pub(in crate::config) argv: Vec<String>,
    pub(in crate::config) user: Option<ProgramUser>,
    pub(in crate::config) account: Option<Account>,
    pub(in crate::config) place: Place,
}

impl Command {
    /// `SCRIPT [USER [GROUP]]` behind a keyword.
    pub(in crate::config) fn read(node: &Node, ctx: &mut Context<'_>) -> Option<Self> {
        let (mut command, words) = Self::split(node, ctx)?;
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        if !words.is_empty() {
            let Some((user, account)) = program_user(&words, ctx.host) else {
                let script = command.argv.first().map_or("", String::as_str);
                let message = format!("Invalid user/group for {} script {script} - ignoring", node.key());
                let diagnostic = ctx.reports.at(node.place_of(2), Code::ScriptUser, None, message);
                diagnostic.hint = Some(format!("there is no user or group `{}`", words.join(" ")));
                return None;
            };
            command.user = Some(user);
            command.account = Some(account);
        }
        Some(command)
    }

    /// The command, if it is one; nothing is told.
    pub(in crate::config) fn quietly(node: &Node) -> Option<Self> {
        let (argv, _) = split_command(node.text()).ok()?;
        argv.first().is_some_and(|word| !word.is_empty()).then_some(Self {
            argv,
            user: None,
            account: None,
            place: node.place,
        })
    }

    /// The command behind a keyword that takes no user.
    pub(in crate::config) fn words(node: &Node, ctx: &mut Context<'_>) -> Option<Self> {
        Self::split(node, ctx).map(|(command, _)| command)
    }

    fn split(node: &Node, ctx: &mut Context<'_>) -> Option<(Self, Vec<String>)> {
        match split_command(node.text()) {
            Ok((argv, words)) if argv.first().is_some_and(|word| !word.is_empty()) => {
                let command = Self {
                    argv,
                    user: None,
                    account: None,
                    place: node.place,
                };
                Some((command, words))
            }
            Ok(_) => None,
            Err(quote) => {
                let message = format!("String '{}': missing terminating {quote}", node.text());
                ctx.reports
                    .at(node.place, Code::UnmatchedQuote, Class::UnmatchedQuote, message);
                None
            }
        }
    }

    /// Every word in single quotes, as keepalived shows commands.
    pub(in crate::config) fn quoted_words(&self) -> String {
        let words: Vec<_> = self.argv.iter().map(|word| format!("'{word}'")).collect();
        words.join(" ")
    }

    /// The command's words so that they are read again.
    pub(in crate::config) fn print_words(&self) -> String {
        print_argv(&self.argv)
    }

    /// Command, user and group so that they are read again.
    pub(in crate::config) fn print(&self) -> String {
        let owner = self.account.as_ref().map(|owner| format!(" {}", account(owner)));
        format!("{}{}", self.print_words(), owner.unwrap_or_default())
    }
}

/// A command line that is split into these words again: the line's own quotes, and escapes inside.
pub(in crate::config) fn print_argv(argv: &[String]) -> String {
    let inner: Vec<_> = argv.iter().map(|word| escape(word)).collect();
    let joined = inner.join(" ");
    let plain = !joined.is_empty()
        && joined
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'#' | b'!' | b'{' | b'}'));
    if plain { joined } else { format!("\"{joined}\"") }
}

/// One word inside of a command line: what could be taken for something else is written as an octal escape.
fn escape(word: &str) -> String {
    if word.is_empty() {
        return "''".into();
    }
    let mut after_dollar = word.split('$').skip(1).map(|rest| rest.chars().next());
    let definition = after_dollar.any(|c| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '{')));
    let quotable = |c: char| !matches!(c, '\'' | '"' | '\\' | '\0'..='\x1f' | '\x7f');
    if !definition && word.contains([' ', '\t', '#', '!', '{', '}', '$']) && word.chars().all(quotable) {
        return format!("'{word}'");
    }
    let mut text = String::new();
    for c in word.chars() {
        match c {
            ' '
            | '\t'
            | '\''
            | '"'
            | '\\'
            | '\n'
            | '\r'
            | '\x0b'
            | '\x0c'
            | '#'
            | '!'
            | '{'
            | '}'
            | '$'
            | '\0'..='\x1f'
            | '\x7f' => {
                text.push_str(&format!("\\{:03o}", u32::from(c)));
            }
            c => text.push(c),
        }
    }
    text
}

/// A user and group as written.
pub(in crate::config) fn account(account: &Account) -> String {
    match &account.group {
        None => account.user.to_string(),
        Some(group) => format!("{} {group}", account.user),
    }
}

/// `USER [[:]GROUP]`; without a group the user's own. `None`: there is no such user or group.
pub(in crate::config) fn program_user(words: &[&str], host: &dyn Host) -> Option<(ProgramUser, Account)> {
    let name = *words.first()?;
    let (name, joined) = name
        .split_once(':')
        .map_or((name, None), |(name, group)| (name, Some(group)));
    let user = host.user(name)?;
    let group = joined.or_else(|| words.get(1).map(|group| group.trim_start_matches(':')));
    let gid = match group {
        None => user.gid,
        Some(group) => host.group(group)?,
    };
    let account = Account {
        user: name.into(),
        group: group.map(Into::into),
    };
    Some((ProgramUser { uid: user.uid, gid }, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_commands_are_split_into_the_same_words() {
        for argv in [
            vec!["/bin/a"],
            vec!["/bin/a", "b c", "d"],
            vec!["/bin/a", "it's", "\"x\"", "a\\b", "#", "{}", "", "$X"],
            vec![
                "/bin/bash",
                "-c",
                "if [[ $(netstat -nlp | grep 9443) ]]; then exit 0; fi",
            ],
        ] {
            let words: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            let line = format!("script {}", print_argv(&words));
            assert_eq!(split_command(&line).unwrap().0, words, "{line}");
        }
    }
}
