//! keepalived's own options: run, or check the configuration with `-t`.

use super::options::{Action, read};
use super::output;
use crate::config::{Code, Diagnostic, LoadOptions, Loaded, load};
use crate::control::dump::{Paths, global};
use crate::supervisor::{self, Parts, Reading, RunOptions};
use crate::sys;
use crate::system::host::{RealHost, RealSource};
use crate::{daemon, model::Model, track};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Does what the command line asks for; the exit status.
pub(super) fn main(argv: &[String]) -> u8 {
    let request = read(argv, Path::exists);
    output::stdout(&request.stdout);
    output::stderr(&request.stderr);
    match request.action {
        Action::Exit(status) => status,
        Action::Test(options, file) => test(&options, file.as_deref()),
        Action::Run(options) => {
            let status = supervisor::run(
                *options,
                Parts {
                    read: read_config,
                    daemon: daemon::daemon_main,
                    observe: track::observer_main,
                    parent_data,
                },
            );
            u8::try_from(status).unwrap_or(u8::MAX)
        }
    }
}

fn load_config(options: &RunOptions, how: LoadOptions) -> Loaded {
    let load_options = LoadOptions {
        config_id: options.config_id.clone(),
        ..how
    };
    load(&options.config, &RealSource, &RealHost, &load_options)
}

/// The supervisor's [`supervisor::ParentData`].
fn parent_data(options: &RunOptions, model: &Model) -> (PathBuf, String) {
    let namespace = options.namespace.as_deref().or(model.global.net_namespace.as_deref());
    let paths = Paths::new(&model.global, namespace, &Paths::temporary());
    let host = || nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned());
    let router_id = model.global.router_id.clone().unwrap_or_else(host);
    (paths.parent, global(&model.global, &router_id))
}

/// The supervisor's [`supervisor::ReadConfig`].
fn read_config(options: &RunOptions, exact: bool) -> Reading {
    let how = LoadOptions {
        exact,
        ..LoadOptions::default()
    };
    let loaded = load_config(options, how);
    let disables = |problem: &&Diagnostic| {
        matches!(
            problem.code,
            Code::ScriptMissing | Code::ScriptInsecure | Code::ScriptUser
        )
    };
    Reading {
        disabled: loaded
            .diagnostics
            .iter()
            .filter(disables)
            .map(|problem| problem.message.clone())
            .collect(),
        problems: loaded
            .diagnostics
            .iter()
            .flat_map(|problem| problem.keepalived_lines())
            .collect(),
        files: loaded.files.clone(),
        stop: loaded.run_status().map(i32::from),
        test_status: i32::from(loaded.test_status()),
        diagnostics: loaded.diagnostics,
        hash: loaded.hash,
        model: loaded.model,
    }
}

/// Messages of a check that crashed: keepalived would have crashed or hung as well, or we have a defect.
const CRASHED: u8 = 5;

/// `-t`: says what keepalived would say, one message a line; the exit status of config-language §9.
fn test(options: &RunOptions, file: Option<&str>) -> u8 {
    umask(Mode::from_bits_truncate(options.umask.unwrap_or(0o177)));
    let mut target: Box<dyn Write> = match file.map(open_log).transpose() {
        Ok(Some(file)) => Box::new(file),
        Ok(None) => Box::new(io::stderr()),
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(0);
            let reason = nix::errno::Errno::from_raw(number).desc();
            let name = file.unwrap_or_default();
            output::stderr(&format!(
                "Unable to open config-test log file {name} {number} - {reason}\n"
            ));
            return 1;
        }
    };
    // In a process of its own, so that whatever a file does to the parser becomes a status.
    let child = sys::fork(|| check(options, &mut *target));
    match child.map(|pid| waitpid(pid, None)) {
        Ok(Ok(WaitStatus::Exited(_, status))) => u8::try_from(status)
            .ok()
            .filter(|status| *status != 101)
            .unwrap_or(CRASHED),
        Ok(_) => CRASHED,
        Err(error) => {
            output::stderr(&format!("cannot check the configuration: {error}\n"));
            1
        }
    }
}

fn open_log(path: &str) -> io::Result<File> {
    let mut options = File::options();
    options
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options.open(path)
}

fn check(options: &RunOptions, target: &mut dyn Write) -> u8 {
    // As keepalived, which says nothing about a namespace that cannot be entered.
    let entered = options.namespace.as_deref().map_or(Ok(()), supervisor::enter_namespace);
    if entered.is_err() {
        return 0;
    }
    let how = LoadOptions {
        test: true,
        ..LoadOptions::default()
    };
    let mut loaded = load_config(options, how.clone());
    let namespace = loaded
        .model
        .as_ref()
        .and_then(namespace_of)
        .filter(|_| options.namespace.is_none());
    if let Some(namespace) = namespace {
        if supervisor::enter_namespace(&namespace).is_err() {
            return 0;
        }
        loaded = load_config(options, how);
    }
    let messages = loaded.diagnostics.iter().filter(|problem| problem.class.is_some());
    let text: String = messages
        .flat_map(|problem| problem.keepalived_lines())
        .map(|line| line + "\n")
        .collect();
    // Nobody can be told that a message cannot be written; the status still says it.
    drop(target.write_all(text.as_bytes()));
    loaded.test_status()
}

fn namespace_of(model: &Model) -> Option<String> {
    model.global.net_namespace.clone()
}
