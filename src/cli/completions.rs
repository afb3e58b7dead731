//! `vrrpd completions SHELL`: completions of the command line for a shell.

use super::command;
use super::output::{parse, stdout};
use clap::{Arg, Command, CommandFactory, Parser, ValueHint};
use clap_complete::Shell;

/// Print completions of the command line for a shell, to be put where that shell looks for them.
#[derive(Debug, Parser)]
#[command(name = "vrrpd completions", disable_version_flag = true)]
struct CompletionsOptions {
    /// The shell.
    shell: Shell,
}

pub(super) fn completions(words: &[String]) -> u8 {
    let options: CompletionsOptions = match parse("vrrpd completions", words) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let mut whole = command::whole();
    let mut bytes = Vec::new();
    clap_complete::generate(options.shell, &mut whole, "vrrpd", &mut bytes);
    let mut script = String::from_utf8_lossy(&bytes).into_owned();
    if options.shell == Shell::Bash {
        script = with_files(script, &whole);
    }
    stdout(&script);
    0
}

/// The generator for bash knows no arguments but options: where a file may stand, bash itself completes.
fn with_files(mut script: String, whole: &Command) -> String {
    for subcommand in whole.get_subcommands() {
        let takes_file = |arg: &&Arg| arg.is_positional() && arg.get_value_hint() == ValueHint::FilePath;
        if !subcommand.get_arguments().any(|arg| takes_file(&arg)) {
            continue;
        }
        let valued = subcommand.get_arguments().filter(|arg| arg.get_action().takes_values());
        let mut options: Vec<String> = valued
            .filter_map(Arg::get_long)
            .map(|long| format!("--{long}"))
            .collect();
        options.push("-i".into());
        let begin = format!("        vrrpd__subcmd__{})\n", subcommand.get_name());
        let files = format!(
            "            case \"${{prev}}\" in\n                {})\n                    ;;\n                *)\n                    \
             if [[ ${{cur}} != -* ]] ; then\n                        COMPREPLY=()\n                        return 0\n                    \
             fi\n                    ;;\n            esac\n",
            options.join("|")
        );
        script = script.replacen(&begin, &format!("{begin}{files}"), 1);
    }
    script
}

pub(super) fn command() -> Command {
    CompletionsOptions::command()
}
