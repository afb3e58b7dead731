//! Where the state files lie (interfaces §4).

use crate::model::Global;
use std::path::{Path, PathBuf};

/// The paths under one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `keepalived.data`.
    pub data: PathBuf,
    /// `keepalived_parent.data`.
    pub parent: PathBuf,
    /// `keepalived.stats`.
    pub stats: PathBuf,
    /// `keepalived.json`.
    pub json: PathBuf,
}

impl Paths {
    /// The paths; `temporary` is `$TMPDIR` where it names an existing directory by an absolute path, else `/tmp`.
    #[must_use]
    pub fn new(global: &Global, namespace: Option<&str>, temporary: &Path) -> Self {
        let paths = &global.paths;
        let suffix = if paths.data_use_instance {
            let parts = [namespace, global.instance_name.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join("_")
        } else {
            String::new()
        };
        let path = |configured: &Option<String>, name: &str, part: &str, extension: &str| {
            place(configured.as_deref(), temporary, name, part, &suffix, extension)
        };
        Self {
            data: path(&paths.state_dump_file, "keepalived", "", "data"),
            parent: path(&paths.state_dump_file, "keepalived", "_parent", "data"),
            stats: path(&paths.stats_dump_file, "keepalived", "", "stats"),
            json: path(&paths.json_dump_file, "keepalived", "", "json"),
        }
    }

    /// The directory of files without one.
    #[must_use]
    pub fn temporary() -> PathBuf {
        let named = std::env::var_os("TMPDIR").map(PathBuf::from);
        let usable = named.filter(|path| path.is_absolute() && path.is_dir());
        usable.unwrap_or_else(|| "/tmp".into())
    }
}

/// A configured path that ends in `/` is a directory; else `part` goes before the last dot of its name. A relative one lies in
/// the temporary directory.
fn place(configured: Option<&str>, temporary: &Path, name: &str, part: &str, suffix: &str, extension: &str) -> PathBuf {
    let (directory, stem, extension) = match configured {
        None => (PathBuf::new(), name, extension),
        Some(directory) if directory.ends_with('/') => (PathBuf::from(directory), name, extension),
        Some(file) => {
            let (directory, file) = file.rsplit_once('/').map_or(("", file), |(directory, file)| {
                (if directory.is_empty() { "/" } else { directory }, file)
            });
            let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
            (PathBuf::from(directory), stem, extension)
        }
    };
    let mut file = format!("{stem}{part}");
    for end in [suffix, extension] {
        if !end.is_empty() {
            file.push('.');
            file.push_str(end);
        }
    }
    // An absolute directory replaces the temporary one.
    temporary.join(directory).join(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_keepalived_s_rules() {
        // interfaces.md §4: the directory, the template, `_parent` before the last dot, `data_use_instance`.
        let names = |configured: Option<&str>, instance: Option<&str>| {
            let mut global = Global {
                instance_name: instance.map(str::to_owned),
                ..Global::default()
            };
            global.paths.state_dump_file = configured.map(str::to_owned);
            global.paths.data_use_instance = instance.is_some();
            let paths = Paths::new(&global, Some("ns"), Path::new("/tmp"));
            [paths.data, paths.parent].map(|path| path.to_str().unwrap().to_owned())
        };
        assert_eq!(
            names(None, None),
            ["/tmp/keepalived.data", "/tmp/keepalived_parent.data"]
        );
        assert_eq!(
            names(Some("/run/k/"), None),
            ["/run/k/keepalived.data", "/run/k/keepalived_parent.data"]
        );
        assert_eq!(
            names(Some("/run/a.b.txt"), None),
            ["/run/a.b.txt", "/run/a.b_parent.txt"]
        );
        assert_eq!(names(Some("x"), None), ["/tmp/x", "/tmp/x_parent"]);
        assert_eq!(
            names(None, Some("inst1")),
            ["/tmp/keepalived.ns_inst1.data", "/tmp/keepalived_parent.ns_inst1.data"]
        );
    }
}
