//! Names for numbers of iproute2 (addresses-routes-rules §2), and the names of a model's objects.

use crate::config::schema::c_number;
use crate::config::source::Host;
use crate::model::{
    BfdId, BfdInstance, Model, ProcessId, TrackGroup, TrackGroupId, TrackedFile, TrackedFileId, TrackedProcess,
};

/// What is needed to write drafts of a model: its objects by their ids.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Names<'a> {
    pub(in crate::config) model: &'a Model,
}

impl<'a> Names<'a> {
    pub(in crate::config) fn file(&self, id: TrackedFileId) -> Option<&'a TrackedFile> {
        self.model.files.get(usize::try_from(id.0).ok()?)
    }

    pub(in crate::config) fn process(&self, id: ProcessId) -> Option<&'a TrackedProcess> {
        self.model.processes.get(usize::try_from(id.0).ok()?)
    }

    pub(in crate::config) fn bfd(&self, id: BfdId) -> Option<&'a BfdInstance> {
        self.model.bfds.get(usize::try_from(id.0).ok()?)
    }

    pub(in crate::config) fn track_group(&self, id: TrackGroupId) -> Option<&'a TrackGroup> {
        self.model.track_group(id)
    }
}

/// A kind of names, with those that are built in.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct NameTable {
    /// The file below /etc/iproute2.
    file: &'static str,
    max: u32,
    built_in: &'static [(&'static str, u32)],
}

pub(in crate::config) const TABLES: NameTable = NameTable {
    file: "rt_tables",
    max: u32::MAX,
    built_in: &[("default", 253), ("main", 254), ("local", 255)],
};
pub(in crate::config) const SCOPES: NameTable = NameTable {
    file: "rt_scopes",
    max: 255,
    built_in: &[
        ("global", 0),
        ("universe", 0),
        ("site", 200),
        ("link", 253),
        ("host", 254),
        ("nowhere", 255),
    ],
};
pub(in crate::config) const PROTOCOLS: NameTable = NameTable {
    file: "rt_protos",
    max: 255,
    built_in: &[
        ("none", 0),
        ("redirect", 1),
        ("kernel", 2),
        ("boot", 3),
        ("static", 4),
        ("gated", 8),
        ("ra", 9),
        ("mrt", 10),
        ("zebra", 11),
        ("bird", 12),
        ("dnrouted", 13),
        ("xorp", 14),
        ("ntk", 15),
        ("dhcp", 16),
        ("keepalived", 18),
        ("babel", 42),
    ],
};
pub(in crate::config) const DSFIELDS: NameTable = NameTable {
    file: "rt_dsfield",
    max: 255,
    built_in: &[],
};
pub(in crate::config) const REALMS: NameTable = NameTable {
    file: "rt_realms",
    max: 255,
    built_in: &[("cosmos", 0)],
};
pub(in crate::config) const GROUPS: NameTable = NameTable {
    file: "group",
    max: i32::MAX as u32,
    built_in: &[("default", 0)],
};

impl NameTable {
    /// The number of a name, or the number itself.
    pub(in crate::config) fn number(&self, text: &str, host: &dyn Host) -> Option<u32> {
        if let Some(number) = c_number(text) {
            return u32::try_from(number).ok().filter(|number| *number <= self.max);
        }
        let built_in = self
            .built_in
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, number)| *number);
        host.number_of(self.file, text)
            .or(built_in)
            .filter(|number| *number <= self.max)
    }

    /// A number of which keepalived keeps the lower 32 bits, as of routing tables: -1 is the largest one.
    pub(in crate::config) fn wrapped(&self, text: &str, host: &dyn Host) -> Option<u32> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let Some(number) = c_number(digits).or_else(|| too_large(digits)) else {
            return self.number(text, host);
        };
        // As strtoul(3): beyond its range it gives the largest number, whatever the sign.
        let number = if text.starts_with('-') && number < u64::MAX {
            number.wrapping_neg()
        } else {
            number
        };
        u32::try_from(number & u64::from(u32::MAX)).ok()
    }

    /// A number of one byte.
    pub(in crate::config) fn byte(&self, text: &str, host: &dyn Host) -> Option<u8> {
        self.number(text, host).and_then(|number| u8::try_from(number).ok())
    }
}

/// What C makes of a number beyond 64 bits.
fn too_large(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'))
        .then_some(u64::MAX)
}

/// `R` or `FROM/TO` of realms as the kernel has it.
pub(in crate::config) fn realms(text: &str, host: &dyn Host) -> Option<u32> {
    match text.split_once('/') {
        None => REALMS.number(text, host),
        Some((from, to)) => Some(REALMS.number(from, host)? << 16 | REALMS.number(to, host)?),
    }
}

pub(in crate::config) fn print_realms(realms: u32) -> String {
    match realms >> 16 {
        0 => (realms & 0xffff).to_string(),
        from => format!("{from}/{}", realms & 0xffff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::NoHost;

    /// What keepalived 2.2.7 makes of them: it takes the negative and the large ones, and says of multiples of 2^32 in rules
    /// that table 0 is not valid.
    #[test]
    fn tables_are_numbers_modulo_2_to_32() {
        for (text, number) in [
            ("10", Some(10)),
            ("+5", Some(5)),
            ("0x10", Some(16)),
            ("main", Some(254)),
            ("-1", Some(u32::MAX)),
            ("-4294967296", Some(0)),
            ("4294967296", Some(0)),
            ("4294967297", Some(1)),
            ("0x1ffffffff", Some(u32::MAX)),
            ("99999999999999999999999", Some(u32::MAX)),
            ("-99999999999999999999", Some(u32::MAX)),
            ("08", None),
            ("5x", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(TABLES.wrapped(text, &NoHost), number, "{text}");
        }
    }
}
