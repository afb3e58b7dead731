//! Which file a program's name stands for, and whether somebody else could replace it (semantic-checks §3).
//!
//! Everything is asked through [`Host`]; nothing is run. keepalived 2.4.3 judges the path as written, which refuses every
//! program below a link such as `/bin`; here the resolved path is judged, as 2.2.7 does.

use super::source::{FileFacts, FileKind, Host};
use crate::model::ProgramUser;

/// Most links that a path may lead over, as the kernel's own limit.
const MAX_LINKS: u32 = 40;

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The file, absolute, every link followed.
    pub(super) path: String,
    /// The same, with its links.
    pub(super) named: String,
    /// The name without `/` was searched in PATH.
    pub(super) searched: bool,
    /// Whether only root can change what is run.
    pub(super) secure: bool,
    /// Whether the file itself makes it run as root.
    pub(super) set_root: bool,
}

/// Why there is no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotFound {
    /// No such file, or no way to it; in the words of strerror(3).
    Inaccessible(String),
    /// There is a file, but this user may not execute it.
    NotExecutable,
}

/// The file that a user would run by this name.
pub(super) fn find(name: &str, user: ProgramUser, host: &dyn Host) -> Result<Found, NotFound> {
    let missing = || NotFound::Inaccessible("No such file or directory".into());
    if name.is_empty() {
        return Err(missing());
    }
    if name.contains('/') {
        return check(name, user, host, false);
    }
    // execvp(3) goes on searching over files that it may not execute, and remembers them.
    let path = host.variable("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let mut result = Err(missing());
    for directory in path.split(':').filter(|directory| directory.starts_with('/')) {
        match check(&format!("{directory}/{name}"), user, host, true) {
            Ok(found) => return Ok(found),
            Err(NotFound::NotExecutable) => result = Err(NotFound::NotExecutable),
            Err(NotFound::Inaccessible(_)) => {}
        }
    }
    result
}

fn check(named: &str, user: ProgramUser, host: &dyn Host, searched: bool) -> Result<Found, NotFound> {
    let (path, facts, secure) = resolve(named, user, host).map_err(NotFound::Inaccessible)?;
    let is_file = matches!(facts.kind, FileKind::File | FileKind::Unspecified);
    if !is_file || !may(facts, user, 0o1) {
        return Err(NotFound::NotExecutable);
    }
    let set_root = (facts.mode & 0o4000 != 0 && facts.uid == 0) || (facts.mode & 0o2000 != 0 && facts.gid == 0);
    Ok(Found {
        path,
        named: named.to_owned(),
        searched,
        secure,
        set_root,
    })
}

/// realpath(3) as this user, with the facts of the end and whether every part of the way is safe.
fn resolve(path: &str, user: ProgramUser, host: &dyn Host) -> Result<(String, FileFacts, bool), String> {
    if !path.starts_with('/') {
        return Err("a relative path has no fixed meaning; write it from / on".into());
    }
    let mut done = String::new();
    let mut facts = host.file("/")?;
    let mut secure = is_safe(facts);
    let mut links = 0;
    let mut todo: Vec<String> = parts(path);
    while let Some(part) = todo.pop() {
        if part == ".." {
            done.truncate(done.rfind('/').unwrap_or(0));
            continue;
        }
        let is_directory = matches!(facts.kind, FileKind::Directory | FileKind::Unspecified);
        if !is_directory && !done.is_empty() {
            return Err("Not a directory".into());
        }
        if !may(facts, user, 0o1) {
            return Err("Permission denied".into());
        }
        let next = format!("{done}/{part}");
        let entry = host.file(&next)?;
        if entry.kind == FileKind::Link {
            links += 1;
            if links > MAX_LINKS {
                return Err("Too many levels of symbolic links".into());
            }
            // The link itself cannot be judged by its mode; who may replace it is judged at its directory.
            let target = host.link(&next).ok_or("No such file or directory")?;
            if target.starts_with('/') {
                done.clear();
                facts = host.file("/")?;
            }
            todo.extend(parts(&target));
            continue;
        }
        secure &= is_safe(entry);
        (done, facts) = (next, entry);
    }
    Ok((done, facts, secure))
}

/// The parts of a path, last one first.
fn parts(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.rev().map(str::to_owned).collect()
}

/// Whether this user has these permissions (rwx bits of one class).
fn may(facts: FileFacts, user: ProgramUser, wanted: u32) -> bool {
    let granted = match user {
        // Root needs any execute bit.
        ProgramUser { uid: 0, .. } => facts.mode | facts.mode >> 3 | facts.mode >> 6,
        ProgramUser { uid, .. } if uid == facts.uid => facts.mode >> 6,
        ProgramUser { gid, .. } if gid == facts.gid => facts.mode >> 3,
        ProgramUser { .. } => facts.mode,
    };
    granted & wanted == wanted
}

/// Whether only root can change it.
fn is_safe(facts: FileFacts) -> bool {
    let sticky = facts.kind == FileKind::Directory && facts.mode & 0o1000 != 0;
    let by_group = facts.mode & 0o020 != 0 && facts.gid != 0;
    let by_all = facts.mode & 0o002 != 0;
    facts.uid == 0 && (sticky || (!by_group && !by_all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::InterfaceFacts;
    use crate::model::IfName;
    use std::collections::BTreeMap;

    const ROOT: ProgramUser = ProgramUser { uid: 0, gid: 0 };
    const NOBODY: ProgramUser = ProgramUser {
        uid: 65_534,
        gid: 65_534,
    };

    /// Path, mode, owner, group, link target.
    struct Files(BTreeMap<&'static str, (FileKind, u32, u32, u32, &'static str)>);

    impl Host for Files {
        fn node_name(&self) -> String {
            String::new()
        }
        fn interface(&self, _: &IfName) -> Option<InterfaceFacts> {
            None
        }
        fn user(&self, _: &str) -> Option<ProgramUser> {
            None
        }
        fn group(&self, _: &str) -> Option<u32> {
            None
        }
        fn file(&self, path: &str) -> Result<FileFacts, String> {
            let (kind, mode, uid, gid, _) = *self.0.get(path).ok_or("No such file or directory")?;
            Ok(FileFacts { kind, mode, uid, gid })
        }
        fn link(&self, path: &str) -> Option<String> {
            self.0.get(path).map(|entry| entry.4.to_owned())
        }
        fn variable(&self, _: &str) -> Option<String> {
            Some("/bin:/usr/bin:relative".into())
        }
    }

    fn files() -> Files {
        use FileKind::{Directory, File, Link};
        Files(BTreeMap::from([
            ("/", (Directory, 0o755, 0, 0, "")),
            ("/bin", (Link, 0o777, 0, 0, "usr/bin")),
            ("/usr", (Directory, 0o755, 0, 0, "")),
            ("/usr/bin", (Directory, 0o755, 0, 0, "")),
            ("/usr/bin/true", (File, 0o755, 0, 0, "")),
            ("/usr/bin/secret", (File, 0o700, 0, 0, "")),
            ("/usr/bin/loop", (Link, 0o777, 0, 0, "/usr/bin/loop")),
            ("/usr/bin/su", (File, 0o4755, 0, 0, "")),
            ("/tmp", (Directory, 0o1777, 0, 0, "")),
            ("/tmp/check", (File, 0o755, 0, 0, "")),
            ("/home", (Directory, 0o755, 0, 0, "")),
            ("/home/joe", (Directory, 0o755, 1000, 1000, "")),
            ("/home/joe/check", (File, 0o755, 0, 0, "")),
            ("/home/joe/note", (File, 0o644, 1000, 1000, "")),
            ("/shared", (Directory, 0o775, 0, 50, "")),
            ("/shared/check", (File, 0o755, 0, 0, "")),
        ]))
    }

    #[test]
    fn a_program_below_a_link_is_found_and_judged_where_it_really_is() {
        let found = find("/bin/true", ROOT, &files()).unwrap();
        assert_eq!((found.path.as_str(), found.secure), ("/usr/bin/true", true));
        let found = find("true", NOBODY, &files()).unwrap();
        assert_eq!((found.path.as_str(), found.searched), ("/usr/bin/true", true));
        assert_eq!(
            find("/usr/../bin/./true", ROOT, &files()).unwrap().path,
            "/usr/bin/true"
        );
    }

    #[test]
    fn a_program_is_insecure_when_somebody_else_owns_a_part_of_its_way() {
        for (path, secure) in [
            ("/tmp/check", true),
            ("/home/joe/check", false),
            ("/shared/check", false),
        ] {
            assert_eq!(find(path, ROOT, &files()).unwrap().secure, secure, "{path}");
        }
        assert!(find("/usr/bin/su", NOBODY, &files()).unwrap().set_root);
    }

    #[test]
    fn what_cannot_be_run_says_why() {
        let missing = NotFound::Inaccessible("No such file or directory".into());
        let loops = NotFound::Inaccessible("Too many levels of symbolic links".into());
        for (name, user, why) in [
            ("/nowhere", ROOT, missing.clone()),
            ("nowhere", ROOT, missing),
            ("/usr/bin/loop", ROOT, loops),
            ("/usr/bin/secret", NOBODY, NotFound::NotExecutable),
            ("secret", NOBODY, NotFound::NotExecutable),
            ("/home/joe/note", ROOT, NotFound::NotExecutable),
            ("/usr/bin", ROOT, NotFound::NotExecutable),
            (
                "/usr/bin/true/x",
                ROOT,
                NotFound::Inaccessible("Not a directory".into()),
            ),
        ] {
            assert_eq!(find(name, user, &files()), Err(why), "{name}");
        }
    }
}
