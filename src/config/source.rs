//! What reading a configuration needs from outside, as traits: files, and facts of the host.
//!
//! Nothing here opens anything. The real implementations are in `system::host`; the ones in memory serve tests, embedded
//! configurations, and judging a configuration for another machine.

use crate::model::{IfName, ProgramUser};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is a directory.
    IsDirectory,
    /// It is not a regular file, or it is executable.
    NotPlain,
    /// The system refuses; in the words of strerror(3).
    Refused(String),
}

/// Where files come from.
pub trait Source {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// The names that match a pattern of glob(7) without braces, sorted; directories too. A pattern without wildcards
    /// matches itself if it exists.
    fn glob(&self, pattern: &str) -> Vec<String>;

    /// The absolute name of a directory with links followed, for `${_PWD}`.
    fn absolute(&self, directory: &str) -> String {
        directory.to_owned()
    }
}

/// What is known of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Largest datagram, in bytes.
    pub mtu: u32,
    /// Whether it is a loopback.
    pub loopback: bool,
    /// Whether it can multicast.
    pub multicast: bool,
    /// Whether it has Ethernet frames.
    pub ethernet: bool,
    /// What it is, if that is known.
    pub kind: Option<LinkKind>,
}

/// Kinds of interfaces that differ for the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// macvlan.
    Macvlan,
    /// ipvlan.
    Ipvlan,
    /// Anything else.
    Other,
}

/// What stands in a file that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the group or others may read it.
    pub readable_by_others: bool,
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a socket, a FIFO.
    Other,
    /// Not known: counts as what it has to be. For judging without the machine.
    Unspecified,
}

/// What lstat(2) says of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with set-uid, set-gid and sticky: 0 to 0o7777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What the configuration asks of the host.
pub trait Host {
    /// `uname -n`.
    fn node_name(&self) -> String;
    /// Facts of an interface, if it exists.
    fn interface(&self, name: &IfName) -> Option<InterfaceFacts>;
    /// Whether no interface has this name, so that one can be made.
    fn is_free(&self, name: &IfName) -> bool {
        self.interface(name).is_none()
    }
    /// How many CPUs there can be.
    fn cpus(&self) -> u16 {
        u16::MAX
    }
    /// The addresses of an interface with their prefix lengths, as far as they are known.
    fn addresses(&self, _interface: &IfName) -> Vec<(IpAddr, u8)> {
        Vec::new()
    }
    /// A user and its primary group.
    fn user(&self, name: &str) -> Option<ProgramUser>;
    /// A group's id.
    fn group(&self, name: &str) -> Option<u32>;
    /// Facts of a directory entry; a link is not followed.
    ///
    /// # Errors
    /// Why there are none, in the words of strerror(3).
    fn file(&self, path: &str) -> Result<FileFacts, String>;
    /// What a symbolic link points to, as written in it.
    fn link(&self, path: &str) -> Option<String>;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// Whether the name of a mail server can be resolved. vrrpd resolves it when there is mail, so a host may say yes.
    fn resolves(&self, name: &str) -> bool {
        !name.is_empty()
    }
    /// The number of a name in a file of iproute2 (`rt_tables`, `rt_protos` and so on).
    fn number_of(&self, _file: &str, _name: &str) -> Option<u32> {
        None
    }
    /// The content of a file with a secret, at most 64 KiB.
    ///
    /// # Errors
    /// Why there is none, in the words of strerror(3).
    fn secret(&self, path: &str) -> Result<Secret, String> {
        Err(format!("{path}: No such file or directory"))
    }
    /// Where `${_RANDOM}` begins; keepalived takes the clock's seconds.
    fn seed(&self) -> u64 {
        0
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// A source that holds this file.
    #[must_use]
    pub fn new(path: &str, text: impl AsRef<[u8]>) -> Self {
        Self::default().with(path, text)
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), text.as_ref().to_vec());
        self
    }
}

impl Source for MemorySource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let refused = || ReadError::Refused("No such file or directory".into());
        self.files.get(path).cloned().ok_or_else(refused)
    }

    /// Knows `*` only.
    fn glob(&self, pattern: &str) -> Vec<String> {
        let matches = |name: &&String| match pattern.split_once('*') {
            None => *name == pattern,
            Some((before, after)) => {
                let rest = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                rest.is_some_and(|rest| !rest.contains('/'))
            }
        };
        self.files.keys().filter(matches).cloned().collect()
    }
}

/// A host on which everything that is asked for exists and belongs to root.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn node_name(&self) -> String {
        "localhost".into()
    }

    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        Some(InterfaceFacts {
            mtu: 1500,
            loopback: name.as_str() == "lo",
            multicast: true,
            ethernet: true,
            kind: None,
        })
    }

    fn is_free(&self, _name: &IfName) -> bool {
        true
    }

    fn user(&self, _name: &str) -> Option<ProgramUser> {
        Some(ProgramUser { uid: 0, gid: 0 })
    }

    fn group(&self, _name: &str) -> Option<u32> {
        Some(0)
    }

    fn file(&self, _path: &str) -> Result<FileFacts, String> {
        Ok(FileFacts {
            kind: FileKind::Unspecified,
            mode: 0o755,
            uid: 0,
            gid: 0,
        })
    }

    fn link(&self, _path: &str) -> Option<String> {
        None
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "PATH").then(|| "/usr/bin".to_owned())
    }
}
