//! The environment of the answers: interfaces, programs, users and files as the corpus describes them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use vrrpd::config::{FileFacts, FileKind, Host, InterfaceFacts, ReadError, Source};
use vrrpd::model::{IfName, ProgramUser};

/// Which programs and users exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Every program, every user but `keepalived_script`.
    Root,
    /// No program; root and nobody.
    Bare,
}

pub(crate) struct Environment {
    variant: Variant,
    /// The configuration: programs have stubs where it names them, others in /usr/bin.
    text: String,
    interfaces: BTreeSet<String>,
    users: RefCell<BTreeMap<String, u32>>,
}

/// Directories of PATH before /usr/bin.
const SEARCHED: [&str; 3] = ["/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/"];

/// Directories of every system.
const DIRECTORIES: [&str; 13] = [
    "/",
    "/bin",
    "/etc",
    "/run",
    "/sbin",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/var",
    "/etc/keepalived",
    "/run/keepalived",
    "/var/run/keepalived",
];

impl Environment {
    pub(crate) fn new(variant: Variant, list: &str, text: &str) -> Self {
        let lines = list
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut interfaces: BTreeSet<String> = lines.flat_map(expand).collect();
        interfaces.insert("lo".into());
        let users = BTreeMap::from([("root".to_owned(), 0)]);
        Self {
            variant,
            text: text.to_owned(),
            interfaces,
            users: RefCell::new(users),
        }
    }

    /// The name of a user or group; both have the same numbers here.
    pub(crate) fn name_of(&self, id: u32) -> String {
        let users = self.users.borrow();
        users
            .iter()
            .find(|(_, number)| **number == id)
            .map_or_else(|| id.to_string(), |(name, _)| name.clone())
    }

    fn id(&self, name: &str) -> Option<u32> {
        let exists = match self.variant {
            Variant::Root => name != "keepalived_script" && !name.is_empty(),
            Variant::Bare => matches!(name, "root" | "nobody"),
        };
        let mut users = self.users.borrow_mut();
        let next = 1000 + u32::try_from(users.len()).unwrap();
        exists.then(|| *users.entry(name.to_owned()).or_insert(next))
    }
}

/// `a{1..3}b` → `a1b`, `a2b`, `a3b`.
fn expand(line: &str) -> Vec<String> {
    let Some((before, rest)) = line.split_once('{') else {
        return vec![line.to_owned()];
    };
    let (range, after) = rest.split_once('}').unwrap();
    let (from, to) = range.split_once("..").unwrap();
    let numbers = from.parse::<u32>().unwrap()..=to.parse().unwrap();
    numbers
        .flat_map(|number| expand(&format!("{before}{number}{after}")))
        .collect()
}

impl Host for Environment {
    fn node_name(&self) -> String {
        "node1".into()
    }

    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        self.interfaces.contains(name.as_str()).then(|| InterfaceFacts {
            mtu: 1500,
            loopback: name.as_str() == "lo",
            multicast: true,
            ethernet: true,
            kind: None,
        })
    }

    fn user(&self, name: &str) -> Option<ProgramUser> {
        self.id(name).map(|id| ProgramUser { uid: id, gid: id })
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.id(name)
    }

    fn file(&self, path: &str) -> Result<FileFacts, String> {
        let facts = |kind| FileFacts {
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
        };
        match self.variant {
            _ if DIRECTORIES.contains(&path) => Ok(facts(FileKind::Directory)),
            // The recording made the directories of track files, but not one that is only named by way of another.
            Variant::Root if path.contains("/../") => Err("No such file or directory".into()),
            Variant::Root if SEARCHED.iter().any(|place| path.starts_with(place)) && !self.text.contains(path) => {
                Err("No such file or directory".into())
            }
            Variant::Root => Ok(facts(FileKind::Unspecified)),
            Variant::Bare => Err("No such file or directory".into()),
        }
    }

    fn link(&self, _: &str) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "PATH" => Some("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
            "LANG" => Some("C".into()),
            _ => None,
        }
    }

    /// There is no name service.
    fn resolves(&self, name: &str) -> bool {
        name == "localhost"
    }
}

/// The corpus as a file system of its own.
pub(crate) struct Files {
    pub(crate) root: PathBuf,
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let path = self.root.join(path.trim_start_matches("./"));
        if path.is_dir() {
            return Err(ReadError::IsDirectory);
        }
        std::fs::read(path).map_err(|_| ReadError::Refused("No such file or directory".into()))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if pattern.starts_with('/') {
            return Vec::new();
        }
        if !pattern.contains(['*', '?', '[']) {
            return self
                .root
                .join(pattern)
                .exists()
                .then(|| pattern.to_owned())
                .into_iter()
                .collect();
        }
        let (directory, name) = pattern.rsplit_once('/').unwrap();
        let (before, after) = name.split_once('*').unwrap_or((name, ""));
        let Ok(entries) = std::fs::read_dir(self.root.join(directory)) else {
            return Vec::new();
        };
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        let matching = names.filter(|name| name.starts_with(before) && name.ends_with(after) && !name.starts_with('.'));
        let mut found: Vec<_> = matching.map(|name| format!("{directory}/{name}")).collect();
        found.sort();
        found
    }
}
