//! The whole command line as one value, for what is made of it: completions and manual pages.

use super::{SUBCOMMANDS, options};
use clap::Command;

/// `vrrpd` with keepalived's options and every subcommand.
pub(super) fn whole() -> Command {
    let command = Command::new("vrrpd")
        .bin_name("vrrpd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("VRRP daemon that reads keepalived.conf and says what it does")
        .disable_version_flag(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("SUBCOMMAND")
        .args(options::arguments());
    SUBCOMMANDS.iter().fold(command, |command, subcommand| {
        let name = format!("vrrpd {}", subcommand.name);
        command.subcommand((subcommand.command)().name(subcommand.name).bin_name(name))
    })
}
