//! How this run was asked for: keepalived's options as values. `cli::run` makes them from the command line.

use std::path::PathBuf;

/// What the program was called; it decides names and default paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CalledAs {
    /// `vrrpd`.
    #[default]
    Vrrpd,
    /// `keepalived`, through a symbolic link or copy of that name.
    Keepalived,
}

impl CalledAs {
    /// The name by the first word of the command line.
    #[must_use]
    pub fn from_argv0(argv0: &str) -> Self {
        let name = argv0.rsplit('/').next().unwrap_or(argv0);
        if name == "keepalived" {
            Self::Keepalived
        } else {
            Self::Vrrpd
        }
    }

    /// The product name in log lines.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::Vrrpd => "vrrpd",
            Self::Keepalived => "Keepalived",
        }
    }

    /// Product and version. Under keepalived's name the second word is the version of keepalived whose behaviour is
    /// followed, because monitoring tools read it there.
    #[must_use]
    pub fn banner(self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        match self {
            Self::Vrrpd => format!("vrrpd v{version}"),
            Self::Keepalived => format!("Keepalived v{FOLLOWED} (vrrpd v{version})"),
        }
    }

    /// The supervisor's name in syslog.
    #[must_use]
    pub const fn ident(self) -> &'static str {
        self.product()
    }

    /// The daemon's name in syslog.
    #[must_use]
    pub const fn daemon_ident(self) -> &'static str {
        match self {
            Self::Vrrpd => "vrrpd_vrrp",
            Self::Keepalived => "Keepalived_vrrp",
        }
    }
}

/// The version of keepalived whose behaviour is followed.
pub const FOLLOWED: &str = "2.4.3";

/// The options of a run. The default is a run without any option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// The whole command line, for the log.
    pub argv: Vec<String>,
    /// What the program was called.
    pub called_as: CalledAs,
    /// `-f`: the configuration file.
    pub config: String,
    /// `-n`: stay in the foreground.
    pub foreground: bool,
    /// `-l`: log to standard error as well; only with `-n`.
    pub log_console: bool,
    /// `-D`: 1, given twice: 2.
    pub log_detail: u8,
    /// `-S`: syslog's number of the facility, default 3 (daemon).
    pub log_facility: u8,
    /// Not `-G`.
    pub syslog: bool,
    /// `-g`: a file that the log is appended to.
    pub log_file: Option<PathBuf>,
    /// `-u`: umask of files and programs; beats the keyword.
    pub umask: Option<u32>,
    /// Whether the VRRP part runs: not `-C` without `-P`.
    pub vrrp: bool,
    /// `--all`: run the daemon even when the configuration has no instance.
    pub all: bool,
    /// `-X`: remove addresses on leaving mastership even when this run did not set them.
    pub release_vips: bool,
    /// `-V`: leave addresses in place at the end. Also switches the guard off.
    pub keep_addresses: bool,
    /// Not `-R`: start the daemon again when it dies.
    pub respawn: bool,
    /// `-d`: log the configuration at the start.
    pub dump_config: bool,
    /// `-p`: pid file of the supervisor.
    pub pid_file: Option<PathBuf>,
    /// `-r`: pid file of the daemon.
    pub vrrp_pid_file: Option<PathBuf>,
    /// `-a`: log every address change.
    pub address_monitoring: bool,
    /// `-s`: network namespace; beats the keyword.
    pub namespace: Option<String>,
    /// `-e`: a missing include file is an error.
    pub includes_must_exist: bool,
    /// `-i`: the id for `@id` lines; default: the host name up to its first dot.
    pub config_id: Option<String>,
    /// `-m`: allow core dumps.
    pub core_dump: bool,
    /// `--ignore-sigint`.
    pub ignore_sigint: bool,
    /// `--control`: the control socket; `None` = the default.
    pub control: Option<PathBuf>,
    /// Options that were accepted and have no effect, as text for the log.
    pub ignored: Vec<String>,
    /// Not `--no-seccomp`: the daemon forbids itself to execute programs.
    pub seccomp: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            argv: Vec::new(),
            called_as: CalledAs::Vrrpd,
            config: String::new(),
            foreground: false,
            log_console: false,
            log_detail: 0,
            log_facility: 3,
            syslog: true,
            log_file: None,
            umask: None,
            vrrp: true,
            all: false,
            release_vips: false,
            keep_addresses: false,
            respawn: true,
            dump_config: false,
            pid_file: None,
            vrrp_pid_file: None,
            address_monitoring: false,
            namespace: None,
            includes_must_exist: false,
            config_id: None,
            core_dump: false,
            ignore_sigint: false,
            control: None,
            ignored: Vec::new(),
            seccomp: true,
        }
    }
}
