//! The real files and the real host behind the traits of `config`.

use crate::config::{FileFacts, FileKind, Host, InterfaceFacts, LinkKind, ReadError, Secret, Source};
use crate::model::{IfName, ProgramUser};
use crate::system::clock;
use nix::unistd::{Group, User};
use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealSource;

impl Source for RealSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let refused = |error: io::Error| ReadError::Refused(words(&error));
        let facts = fs::metadata(path).map_err(refused)?;
        if facts.is_dir() {
            return Err(ReadError::IsDirectory);
        }
        // A FIFO or a device is read as keepalived reads it under `-f /dev/stdin`: not at all.
        if !facts.is_file() || facts.permissions().mode() & 0o111 != 0 {
            return Err(ReadError::NotPlain);
        }
        fs::read(path).map_err(refused)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        if !pattern.contains(['*', '?', '[']) {
            let exists = Path::new(pattern).symlink_metadata().is_ok();
            return exists.then(|| pattern.to_owned()).into_iter().collect();
        }
        // As glob(3): wildcards match neither `/` nor a leading dot.
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let matches = glob::glob_with(pattern, options).into_iter().flatten();
        matches
            .filter_map(Result::ok)
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    fn absolute(&self, directory: &str) -> String {
        let directory = if directory.is_empty() { "." } else { directory };
        let absolute = fs::canonicalize(directory);
        absolute.map_or_else(|_| directory.to_owned(), |path| path.to_string_lossy().into_owned())
    }
}

/// Flags and kind of an interface as the kernel tells them.
const IFF_LOOPBACK: u32 = 0x8;
const IFF_MULTICAST: u32 = 0x1000;
const ARPHRD_ETHER: u32 = 1;

/// Most bytes of a file with a secret.
const MAX_SECRET: u64 = 65_536;

fn ip(address: nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// This machine, in the network namespace of the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealHost;

impl Host for RealHost {
    fn node_name(&self) -> String {
        let name = nix::sys::utsname::uname().map(|names| names.nodename().to_string_lossy().into_owned());
        name.unwrap_or_else(|_| "localhost".into())
    }

    fn interface(&self, name: &IfName) -> Option<InterfaceFacts> {
        nix::net::if_::if_nametoindex(name.as_str()).ok()?;
        // The mount of /sys may belong to another network namespace: what is not there has Ethernet's values.
        let fact = |what: &str| fs::read_to_string(format!("/sys/class/net/{name}/{what}")).ok();
        let mtu = fact("mtu").and_then(|text| text.trim().parse().ok());
        let flags = fact("flags").and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        let kind = fact("type").and_then(|text| text.trim().parse::<u32>().ok());
        Some(InterfaceFacts {
            mtu: mtu.unwrap_or(1500),
            loopback: name.as_str() == "lo" || flags.is_some_and(|flags| flags & IFF_LOOPBACK != 0),
            multicast: flags.is_none_or(|flags| flags & IFF_MULTICAST != 0),
            ethernet: kind.is_none_or(|kind| kind == ARPHRD_ETHER),
            kind: fact("uevent").map(
                |text| match text.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
                    Some("macvlan") => LinkKind::Macvlan,
                    Some("ipvlan") => LinkKind::Ipvlan,
                    Some(_) | None => LinkKind::Other,
                },
            ),
        })
    }

    fn cpus(&self) -> u16 {
        // A list such as `0-3`, or `0`.
        let list = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
        let last = list
            .trim()
            .rsplit(['-', ','])
            .next()
            .and_then(|last| last.parse::<u16>().ok());
        last.map_or(u16::MAX, |last| last.saturating_add(1))
    }

    fn addresses(&self, name: &IfName) -> Vec<(IpAddr, u8)> {
        // Without a list nothing is known, which is no error: only lints ask.
        let Ok(all) = nix::ifaddrs::getifaddrs() else {
            return Vec::new();
        };
        let ours = all.filter(|entry| entry.interface_name == name.as_str());
        ours.filter_map(|entry| {
            let (address, mask) = (ip(entry.address?)?, ip(entry.netmask?)?);
            let prefix = match mask {
                IpAddr::V4(mask) => mask.to_bits().leading_ones(),
                IpAddr::V6(mask) => mask.to_bits().leading_ones(),
            };
            Some((address, u8::try_from(prefix).ok()?))
        })
        .collect()
    }

    fn user(&self, name: &str) -> Option<ProgramUser> {
        let user = User::from_name(name).ok()??;
        Some(ProgramUser {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
    }

    fn group(&self, name: &str) -> Option<u32> {
        Some(Group::from_name(name).ok()??.gid.as_raw())
    }

    fn file(&self, path: &str) -> Result<FileFacts, String> {
        let facts = fs::symlink_metadata(path).map_err(|error| words(&error))?;
        let kind = facts.file_type();
        Ok(FileFacts {
            kind: match () {
                () if kind.is_dir() => FileKind::Directory,
                () if kind.is_symlink() => FileKind::Link,
                () if kind.is_file() => FileKind::File,
                () => FileKind::Other,
            },
            mode: facts.mode() & 0o7777,
            uid: facts.uid(),
            gid: facts.gid(),
        })
    }

    fn link(&self, path: &str) -> Option<String> {
        fs::read_link(path).ok().map(|to| to.to_string_lossy().into_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// As iproute2: /etc before /usr/share, the main file before those of the `.d` directory.
    fn number_of(&self, file: &str, name: &str) -> Option<u32> {
        let directories = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"];
        let main = directories.iter().map(|directory| format!("{directory}/{file}"));
        let mut files: Vec<String> = main.filter(|path| Path::new(path).exists()).take(1).collect();
        for directory in directories {
            files.extend(RealSource.glob(&format!("{directory}/{file}.d/*.conf")));
        }
        let texts = files.iter().filter_map(|path| fs::read_to_string(path).ok());
        texts
            .flat_map(|text| text.lines().filter_map(|line| number_in(line, name)).next())
            .next()
    }

    fn secret(&self, path: &str) -> Result<Secret, String> {
        let file = fs::File::open(path).map_err(|error| words(&error))?;
        let mode = file.metadata().map_err(|error| words(&error))?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(MAX_SECRET)
            .read_to_end(&mut bytes)
            .map_err(|error| words(&error))?;
        Ok(Secret {
            bytes,
            readable_by_others: mode & 0o077 != 0,
        })
    }

    fn seed(&self) -> u64 {
        clock::wall().0 / 1_000_000
    }
}

/// The number of this name, if the line `NUMBER NAME` of a file of iproute2 gives it.
fn number_in(line: &str, name: &str) -> Option<u32> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_whitespace();
    let (number, found) = (words.next()?, words.next()?);
    let value = match number.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    };
    value.filter(|_| found == name)
}

/// The words of strerror(3), without the number that the standard library adds.
fn words(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or(0);
    nix::errno::Errno::from_raw(number).desc().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_and_a_program_are_no_configuration_files() {
        assert_eq!(RealSource.read("/etc"), Err(ReadError::IsDirectory));
        assert_eq!(RealSource.read("/bin/sh"), Err(ReadError::NotPlain));
        let missing = Err(ReadError::Refused("No such file or directory".into()));
        assert_eq!(RealSource.read("/nowhere/at/all"), missing);
    }

    #[test]
    fn patterns_match_what_the_shell_matches() {
        let found = RealSource.glob(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/seed/node[12].co*"));
        let names: Vec<_> = found.iter().filter_map(|path| path.rsplit('/').next()).collect();
        assert_eq!(names, ["node1.conf", "node2.conf"]);
        assert_eq!(RealSource.glob("/etc"), ["/etc"]);
        assert_eq!(RealSource.glob("/nowhere"), [""; 0]);
    }

    #[test]
    fn facts_of_files_are_those_of_the_link_itself() {
        let root = RealHost.file("/").unwrap();
        assert_eq!((root.kind, root.uid), (FileKind::Directory, 0));
        assert_eq!(RealHost.file("/proc/self/exe").unwrap().kind, FileKind::Link);
        assert!(RealHost.link("/proc/self/exe").is_some());
        assert_eq!(RealHost.file("/dev/null").unwrap().kind, FileKind::Other);
    }
}
