//! keepalived's options: their table, and what they make of a run.

use super::getopt::{Argument, Item, Opt, parse};
use crate::supervisor::{CalledAs, RunOptions};
use crate::sys::{realtime_max, realtime_min};
use clap::{Arg, ArgAction};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the command line asks for, and what is to be said about it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// For standard output.
    pub(super) stdout: String,
    /// For standard error.
    pub(super) stderr: String,
    /// What to do then.
    pub(super) action: Action,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but to exit.
    Exit(u8),
    /// Run.
    Run(Box<RunOptions>),
    /// `-t`: check the configuration; messages go to this file instead of standard error.
    Test(Box<RunOptions>, Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    UseFile,
    Vrrp,
    Check,
    NoBfd,
    All,
    LogConsole,
    LogDetail,
    LogFacility,
    LogFile,
    FlushLogFile,
    NoSyslog,
    Umask,
    ReleaseVips,
    DontReleaseVrrp,
    DontReleaseIpvs,
    DontRespawn,
    DontFork,
    DumpConf,
    Pid,
    VrrpPid,
    OtherPid,
    Genhash,
    AddressMonitoring,
    Namespace,
    AllConfig,
    ConfigId,
    Snmp,
    SnmpSocket,
    CoreDump,
    CorePattern,
    Signum,
    ConfigTest,
    IgnoreSigint,
    Control,
    NoSeccomp,
    Version,
    Help,
}

const fn flag(key: Key, short: char, long: &'static str, help: &'static str) -> Opt<Key> {
    Opt {
        key,
        short: if short == ' ' { None } else { Some(short) },
        long,
        argument: Argument::None,
        placeholder: "",
        help,
        ours: false,
    }
}

const fn with(key: Key, short: char, long: &'static str, placeholder: &'static str, help: &'static str) -> Opt<Key> {
    Opt {
        argument: Argument::Required,
        placeholder,
        ..flag(key, short, long, help)
    }
}

const fn perhaps(key: Key, short: char, long: &'static str, placeholder: &'static str, help: &'static str) -> Opt<Key> {
    Opt {
        argument: Argument::Optional,
        ..with(key, short, long, placeholder, help)
    }
}

const fn ours(option: Opt<Key>) -> Opt<Key> {
    Opt { ours: true, ..option }
}

const OPTIONS: [Opt<Key>; 40] = [
    with(
        Key::UseFile,
        'f',
        "use-file",
        "FILE",
        "configuration; default /etc/keepalived/keepalived.conf, or as vrrpd the first that exists of /etc/vrrpd/vrrpd.toml, /etc/vrrpd/vrrpd.conf and that one",
    ),
    flag(Key::Vrrp, 'P', "vrrp", "run VRRP only (vrrpd has nothing else)"),
    flag(Key::Check, 'C', "check", "do not run VRRP"),
    flag(Key::NoBfd, 'B', "no_bfd", "do not run BFD"),
    flag(Key::All, ' ', "all", "run the VRRP process even without any instance"),
    flag(
        Key::LogConsole,
        'l',
        "log-console",
        "log to standard error as well; only with -n",
    ),
    flag(Key::LogDetail, 'D', "log-detail", "log in detail; twice: more"),
    with(
        Key::LogFacility,
        'S',
        "log-facility",
        "0-7|local0-local7|user|daemon",
        "facility of syslog",
    ),
    perhaps(
        Key::LogFile,
        'g',
        "log-file",
        "FILE",
        "append the log to a file; default /tmp/keepalived.log",
    ),
    flag(
        Key::FlushLogFile,
        ' ',
        "flush-log-file",
        "accepted; every line is written at once",
    ),
    flag(Key::NoSyslog, 'G', "no-syslog", "do not log to syslog"),
    with(
        Key::Umask,
        'u',
        "umask",
        "MASK",
        "umask of files and scripts (0 = octal, 0x = hexadecimal); default 0177",
    ),
    flag(
        Key::ReleaseVips,
        'X',
        "release-vips",
        "remove addresses on leaving MASTER even when not set by this run",
    ),
    flag(
        Key::DontReleaseVrrp,
        'V',
        "dont-release-vrrp",
        "leave addresses in place at the end",
    ),
    flag(
        Key::DontReleaseIpvs,
        'I',
        "dont-release-ipvs",
        "accepted; vrrpd has no IPVS",
    ),
    flag(Key::DontRespawn, 'R', "dont-respawn", "end when the VRRP process dies"),
    flag(Key::DontFork, 'n', "dont-fork", "stay in the foreground"),
    flag(Key::DumpConf, 'd', "dump-conf", "log the configuration at the start"),
    with(Key::Pid, 'p', "pid", "FILE", "pid file"),
    with(Key::VrrpPid, 'r', "vrrp_pid", "FILE", "pid file of the VRRP process"),
    with(
        Key::OtherPid,
        'c',
        "checkers_pid",
        "FILE",
        "accepted; there is no checker process",
    ),
    with(
        Key::OtherPid,
        'b',
        "bfd_pid",
        "FILE",
        "accepted; there is no BFD process",
    ),
    flag(Key::Genhash, 'T', "genhash", "not in vrrpd"),
    flag(
        Key::AddressMonitoring,
        'a',
        "address-monitoring",
        "log every address change",
    ),
    with(Key::Namespace, 's', "namespace", "NAME", "network namespace to run in"),
    flag(Key::AllConfig, 'e', "all-config", "a missing include file is an error"),
    with(
        Key::ConfigId,
        'i',
        "config-id",
        "ID",
        "id for @id lines; default: the host name up to its first dot",
    ),
    flag(Key::Snmp, 'x', "snmp", "accepted; vrrpd has no SNMP yet"),
    with(
        Key::SnmpSocket,
        'A',
        "snmp-agent-socket",
        "ADDRESS",
        "accepted; vrrpd has no SNMP yet",
    ),
    flag(Key::CoreDump, 'm', "core-dump", "allow core dumps"),
    perhaps(
        Key::CorePattern,
        'M',
        "core-dump-pattern",
        "PATTERN",
        "as -m; the system's pattern stays as it is",
    ),
    with(
        Key::Signum,
        ' ',
        "signum",
        "NAME",
        "print the number of a signal: STOP RELOAD DATA STATS STATS_CLEAR JSON",
    ),
    perhaps(
        Key::ConfigTest,
        't',
        "config-test",
        "FILE",
        "check the configuration; messages to FILE, else standard error",
    ),
    flag(Key::IgnoreSigint, ' ', "ignore-sigint", "ignore SIGINT"),
    ours(with(
        Key::Control,
        ' ',
        "control",
        "PATH",
        "control socket; default /run/vrrpd/control.sock",
    )),
    ours(flag(
        Key::NoSeccomp,
        ' ',
        "no-seccomp",
        "do not forbid the VRRP process to execute programs",
    )),
    flag(Key::Version, 'v', "version", "print the version"),
    flag(Key::Help, 'h', "help", "print this"),
    // Internal to keepalived: its parent passes them to a validating child.
    ours(with(Key::OtherPid, ' ', "config-fd", "N", "accepted")),
    ours(flag(Key::FlushLogFile, ' ', "no-mem-check", "accepted")),
];

/// Reads a command line, the program's name first. `exists` tells whether a file does.
pub(super) fn read(argv: &[String], exists: impl Fn(&Path) -> bool) -> Request {
    let called_as = CalledAs::from_argv0(argv.first().map_or("vrrpd", String::as_str));
    let mut reading = Reading::new(RunOptions {
        argv: argv.to_vec(),
        called_as,
        ..RunOptions::default()
    });
    let mut strays = String::new();
    for item in parse(&OPTIONS, argv.get(1..).unwrap_or_default()) {
        match item {
            Item::Option { key, shown, value } => reading.take(key, &shown, value.unwrap_or_default()),
            Item::Unknown(shown) => reading.fail(&format!("Unknown option {shown}")),
            Item::Missing(shown) => reading.fail(&format!("Missing parameter for option {shown}")),
            Item::Stray(word) => strays.push_str(&format!("{word} ")),
        }
        if let (Some(status), false) = (reading.exit, reading.failed) {
            return reading.request(Action::Exit(status));
        }
    }
    if !strays.is_empty() {
        reading.stdout.push_str(&format!("Unexpected argument(s): {strays}\n"));
    }
    reading.finish(exists)
}

/// A command line half read.
#[derive(Debug)]
struct Reading {
    options: RunOptions,
    stdout: String,
    stderr: String,
    failed: bool,
    exit: Option<u8>,
    test: Option<Option<String>>,
    only_check: bool,
    only_vrrp: bool,
}

impl Reading {
    fn new(options: RunOptions) -> Self {
        Self {
            options,
            stdout: String::new(),
            stderr: String::new(),
            failed: false,
            exit: None,
            test: None,
            only_check: false,
            only_vrrp: false,
        }
    }

    fn request(self, action: Action) -> Request {
        Request {
            stdout: self.stdout,
            stderr: self.stderr,
            action,
        }
    }

    fn complain(&mut self, text: &str) {
        self.stderr.push_str(text);
        self.stderr.push('\n');
    }

    /// The program ends with 1 once all options have been read.
    fn fail(&mut self, text: &str) {
        self.complain(text);
        self.failed = true;
    }

    fn take(&mut self, key: Key, shown: &str, value: String) {
        let options = &mut self.options;
        let path = || Some(PathBuf::from(&value));
        match key {
            Key::UseFile => options.config = value,
            Key::Vrrp => self.only_vrrp = true,
            Key::Check => self.only_check = true,
            Key::All => options.all = true,
            Key::LogConsole => options.log_console = true,
            Key::LogDetail => options.log_detail = options.log_detail.saturating_add(1).min(2),
            Key::LogFacility => match facility(&value) {
                Some(number) => options.log_facility = number,
                None => self.complain(&format!("Invalid log facility '{value}'")),
            },
            Key::LogFile if value.is_empty() => options.log_file = Some("/tmp/keepalived.log".into()),
            Key::LogFile => options.log_file = path(),
            Key::NoSyslog => options.syslog = false,
            Key::Umask => match number(&value).filter(|mask| *mask <= 0o777) {
                Some(mask) => options.umask = Some(mask),
                None => self.complain(&format!("Invalid umask '{value}'")),
            },
            Key::ReleaseVips => options.release_vips = true,
            Key::DontReleaseVrrp => options.keep_addresses = true,
            Key::DontRespawn => options.respawn = false,
            Key::DontFork => options.foreground = true,
            Key::DumpConf => options.dump_config = true,
            Key::Pid => options.pid_file = path(),
            Key::VrrpPid => options.vrrp_pid_file = path(),
            Key::Genhash => self.fail("genhash is not part of vrrpd; use keepalived's"),
            Key::AddressMonitoring => options.address_monitoring = true,
            Key::Namespace => options.namespace = Some(value),
            Key::AllConfig => options.includes_must_exist = true,
            Key::ConfigId => options.config_id = Some(value),
            Key::Snmp | Key::SnmpSocket => options.ignored.push(format!("{shown} (SNMP)")),
            Key::CoreDump => options.core_dump = true,
            Key::CorePattern => {
                options.core_dump = true;
                options.ignored.push(format!("the pattern of {shown}"));
            }
            Key::Signum => self.print_signal(&value),
            Key::ConfigTest => self.test = Some(Some(value).filter(|file| !file.is_empty())),
            Key::IgnoreSigint => options.ignore_sigint = true,
            Key::Control => options.control = path(),
            Key::NoSeccomp => options.seccomp = false,
            Key::Version => {
                self.stderr.push_str(&version(self.options.called_as));
                self.exit = Some(0);
            }
            Key::Help => {
                self.stderr.push_str(&usage());
                self.exit = Some(0);
            }
            Key::NoBfd | Key::FlushLogFile | Key::DontReleaseIpvs | Key::OtherPid => {}
        }
    }

    fn print_signal(&mut self, name: &str) {
        match signal_number(name) {
            Some(number) => {
                self.stdout.push_str(&format!("{number}\n"));
                self.exit = Some(0);
            }
            None => {
                self.complain(&format!("Unknown sigfunc {name}"));
                self.exit = Some(1);
            }
        }
    }

    fn finish(mut self, exists: impl Fn(&Path) -> bool) -> Request {
        if self.failed {
            return self.request(Action::Exit(1));
        }
        self.options.vrrp = self.only_vrrp || !self.only_check;
        if self.options.config.is_empty() {
            default_config(self.options.called_as, exists).clone_into(&mut self.options.config);
        }
        let options = Box::new(self.options.clone());
        let test = self.test.clone();
        self.request(match test {
            Some(file) => Action::Test(options, file),
            None => Action::Run(options),
        })
    }
}

const KEEPALIVED_CONFIG: &str = "/etc/keepalived/keepalived.conf";
/// Ours, the first that exists.
const OWN_CONFIGS: [&str; 2] = ["/etc/vrrpd/vrrpd.toml", "/etc/vrrpd/vrrpd.conf"];

/// The configuration when none is named: under keepalived's name its path; under ours our own one, unless only keepalived's
/// exists, so that a host is changed over by starting another program.
fn default_config(called_as: CalledAs, exists: impl Fn(&Path) -> bool) -> &'static str {
    match called_as {
        CalledAs::Keepalived => KEEPALIVED_CONFIG,
        CalledAs::Vrrpd => {
            let mut all = OWN_CONFIGS.into_iter().chain([KEEPALIVED_CONFIG]);
            let [own, _] = OWN_CONFIGS;
            all.find(|path| exists(Path::new(path))).unwrap_or(own)
        }
    }
}

/// A number as `strtol` with base 0 reads it.
fn number(text: &str) -> Option<u32> {
    if let Some(hexadecimal) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hexadecimal, 16).ok();
    }
    let radix = if text.starts_with('0') { 8 } else { 10 };
    u32::from_str_radix(text, radix).ok()
}

/// Syslog's number of a facility: user 1, daemon 3, local0 to local7 16 to 23.
fn facility(name: &str) -> Option<u8> {
    let local = match name {
        "user" => return Some(1),
        "daemon" => return Some(3),
        _ => name.strip_prefix("local").unwrap_or(name),
    };
    let number: u8 = local.parse().ok()?;
    (number <= 7).then_some(16 + number)
}

/// interfaces §1.4.
fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "STATS_CLEAR" => realtime_max() - 1,
        "JSON" => realtime_min() + 2,
        _ => return None,
    })
}

/// The text of `--version`. Monitoring tools read the second word, from its second character on, and look for `--enable-json`
/// before they ask for `keepalived.json`.
fn version(called_as: CalledAs) -> String {
    let system = nix::sys::utsname::uname().map_or_else(
        |_| "Linux".to_owned(),
        |name| {
            let words = [name.sysname(), name.release(), name.version()];
            words.map(|word| word.to_string_lossy().into_owned()).join(" ")
        },
    );
    format!(
        "{}\n\nvrrpd: {}\n\nRunning on {system}\n\nconfigure options: --enable-json\n\nConfig options:  VRRP VRRP_AUTH JSON\n",
        called_as.banner(),
        env!("CARGO_PKG_DESCRIPTION"),
    )
}

/// The options for completions and the manual.
pub(super) fn arguments() -> impl Iterator<Item = Arg> {
    OPTIONS.iter().filter(|option| option.help != "accepted").map(|option| {
        let arg = Arg::new(option.long).long(option.long).help(option.help);
        let arg = option.short.into_iter().fold(arg, Arg::short);
        match option.argument {
            Argument::None => arg.action(ArgAction::SetTrue),
            Argument::Required => arg.action(ArgAction::Set).value_name(option.placeholder),
            Argument::Optional => arg
                .action(ArgAction::Set)
                .value_name(option.placeholder)
                .num_args(0..=1)
                .require_equals(true),
        }
    })
}

fn usage() -> String {
    let mut text = String::from(
        "Usage: vrrpd [OPTION...]          run\n       vrrpd SUBCOMMAND [OPTION...]   see `vrrpd SUBCOMMAND --help`\n\nOptions:\n",
    );
    for option in OPTIONS.iter().filter(|option| option.help != "accepted") {
        let short = option.short.map_or("   ".to_owned(), |letter| format!("-{letter},"));
        let argument = match option.argument {
            Argument::None => String::new(),
            Argument::Required => format!("={}", option.placeholder),
            Argument::Optional => format!("[={}]", option.placeholder),
        };
        let name = format!("--{}{argument}", option.long);
        // Writing to a String cannot fail.
        if writeln!(text, "  {short} {name:<28} {}", option.help).is_err() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Request {
        let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&argv, |_| false)
    }

    fn run(line: &str) -> RunOptions {
        match ask(line).action {
            Action::Run(options) => *options,
            other @ (Action::Exit(_) | Action::Test(..)) => panic!("{line}: {other:?}"),
        }
    }

    /// Every block of the transcript that needs no file: (words, status, stdout, stderr).
    fn transcript() -> Vec<(String, u8, String, String)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/spec/samples/cli/keepalived-2.2.7.txt");
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text.split("\n$ ").skip(1).filter_map(|block| {
            let mut lines = block.lines();
            let words = lines.next()?.to_owned();
            let status = lines.next()?.trim().strip_prefix("rc=")?.parse().ok()?;
            let unquote = |line: &str, name: &str| {
                let text = line.trim().strip_prefix(name)?.trim();
                Some(text.get(1..text.len() - 1)?.replace("\\n", "\n"))
            };
            let (stdout, stderr) = (unquote(lines.next()?, "stdout:")?, unquote(lines.next()?, "stderr:")?);
            Some((words, status, stdout, stderr))
        });
        blocks.collect()
    }

    #[test]
    fn signals_and_errors_are_answered_as_keepalived_answers_them() {
        let mut compared = 0;
        for (words, status, stdout, stderr) in transcript() {
            let ours = ask(&words);
            let Action::Exit(exit) = ours.action else { continue };
            // The version is ours; keepalived prints rubbish for a missing last argument; -g is built in here.
            if words.contains("-v") || words.ends_with("--signum") {
                continue;
            }
            assert_eq!(
                (exit, &ours.stdout, &ours.stderr),
                (status, &stdout, &stderr),
                "{words}"
            );
            compared += 1;
        }
        assert!(compared >= 15, "only {compared} blocks of the transcript were compared");
    }

    #[test]
    fn a_bad_facility_and_stray_words_do_not_stop_a_run() {
        let request = ask("keepalived -S 9 -t extra");
        assert_eq!(request.stderr, "Invalid log facility '9'\n");
        assert_eq!(request.stdout, "Unexpected argument(s): extra \n");
        assert!(matches!(request.action, Action::Test(_, None)));
    }

    #[test]
    fn the_options_of_the_seed_s_unit_are_understood() {
        let options =
            run("/usr/sbin/keepalived --dont-fork -lDGPV -f /a -p /p -r /r -c /c -b /b -s ns -i id -u 022 -S local3");
        assert!(options.foreground && options.log_console && options.keep_addresses && !options.syslog);
        assert_eq!(options.called_as, CalledAs::Keepalived);
        assert_eq!(
            (options.log_detail, options.log_facility, options.umask),
            (1, 19, Some(0o22))
        );
        assert_eq!(options.config, "/a");
        assert_eq!(
            (options.pid_file, options.vrrp_pid_file),
            (Some("/p".into()), Some("/r".into()))
        );
        assert_eq!(
            (options.namespace.as_deref(), options.config_id.as_deref()),
            (Some("ns"), Some("id"))
        );
    }

    #[test]
    fn vrrp_runs_unless_only_checkers_are_asked_for() {
        assert!(run("vrrpd").vrrp && run("vrrpd -P").vrrp && run("vrrpd -PC").vrrp && !run("vrrpd -C").vrrp);
    }

    #[test]
    fn the_default_file_depends_on_the_name_and_on_what_exists() {
        let [toml, conf] = OWN_CONFIGS;
        let conf_only = |path: &Path| path == Path::new(OWN_CONFIGS[1]);
        let theirs_only = |path: &Path| path == Path::new(KEEPALIVED_CONFIG);
        for (called_as, exists, expected) in [
            (CalledAs::Keepalived, conf_only as fn(&Path) -> bool, KEEPALIVED_CONFIG),
            (CalledAs::Vrrpd, conf_only, conf),
            (CalledAs::Vrrpd, theirs_only, KEEPALIVED_CONFIG),
            (CalledAs::Vrrpd, |_| true, toml),
            (CalledAs::Vrrpd, |_| false, toml),
        ] {
            assert_eq!(default_config(called_as, exists), expected);
        }
    }

    #[test]
    fn the_version_is_where_the_exporter_reads_it() {
        let request = ask("/usr/sbin/keepalived --version");
        assert!(request.stdout.is_empty());
        let second = request.stderr.lines().next().unwrap().split(' ').nth(1).unwrap();
        let number: Vec<u32> = second[1..].split('.').map(|part| part.parse().unwrap()).collect();
        assert_eq!(number.len(), 3, "{second}");
        assert!(request.stderr.lines().count() >= 2 && request.stderr.contains("--enable-json"));
    }

    #[test]
    fn every_option_of_the_specification_is_known() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/spec/interfaces.md");
        let text = std::fs::read_to_string(path).unwrap();
        let table = text
            .split("### 1.1 Options")
            .nth(1)
            .unwrap()
            .split("Errors (ran)")
            .next()
            .unwrap();
        let rows = table
            .lines()
            .filter_map(|row| row.split('|').nth(2)?.trim().strip_prefix("--"));
        let names: Vec<&str> = rows.map(|name| name.split(['[', ',']).next().unwrap()).collect();
        assert!(names.len() > 30, "{names:?}");
        let not_there = ["-", "perf"];
        for name in names.iter().filter(|name| !not_there.contains(name)) {
            assert!(OPTIONS.iter().any(|option| option.long == *name), "--{name}");
        }
    }
}
