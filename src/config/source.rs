//! What reading a configuration needs from outside, as traits.

use crate::model::{IfName, ProgramUser};
use std::collections::BTreeMap;

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is a directory.
    IsDirectory,
    /// It is not a regular file, or it is executable.
    NotPlain,
    /// The system refuses; in words.
    Refused(String),
}

/// Where files come from.
pub trait Source {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// The files that match a glob pattern, in order.
    fn glob(&self, pattern: &str) -> Vec<String>;
}

/// What is known of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Largest datagram, in bytes.
    pub mtu: u32,
    /// Whether it is a loopback.
    pub loopback: bool,
}

/// What the configuration asks of the host.
pub trait Host {
    /// `uname -n`.
    fn node_name(&self) -> String;
    /// Facts of an interface, if it exists.
    fn interface(&self, name: &IfName) -> Option<InterfaceFacts>;
    /// A user and its primary group.
    fn user(&self, name: &str) -> Option<ProgramUser>;
    /// A group's id.
    fn group(&self, name: &str) -> Option<u32>;
    /// The file that a program's name stands for: absolute, all links followed; `None` if there is none that can be executed.
    fn program(&self, name: &str) -> Option<String>;
    /// Whether root may run this resolved path without somebody else being able to replace it.
    fn is_secure(&self, path: &str) -> bool;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// A single file in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: BTreeMap<String, String>,
}

impl MemorySource {
    /// A source that holds this file.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            files: BTreeMap::from([(path.to_owned(), text.to_owned())]),
        }
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Source for MemorySource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let text = self
            .files
            .get(path)
            .ok_or_else(|| ReadError::Refused("No such file or directory".into()))?;
        Ok(text.clone().into_bytes())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.files.keys().filter(|name| *name == pattern).cloned().collect()
    }
}

/// A host on which everything that is asked for exists and belongs to root.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn node_name(&self) -> String {
        "localhost".into()
    }

    fn interface(&self, _name: &IfName) -> Option<InterfaceFacts> {
        Some(InterfaceFacts {
            mtu: 1500,
            loopback: false,
        })
    }

    fn user(&self, _name: &str) -> Option<ProgramUser> {
        Some(ProgramUser { uid: 0, gid: 0 })
    }

    fn group(&self, _name: &str) -> Option<u32> {
        Some(0)
    }

    fn program(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn is_secure(&self, _path: &str) -> bool {
        true
    }

    fn variable(&self, _name: &str) -> Option<String> {
        None
    }
}
