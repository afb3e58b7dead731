//! How adverts are authenticated.

use super::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The 8 bytes of `auth_pass`, padded with NUL. Never printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(pub [u8; 8]);

impl Password {
    /// The first 8 bytes of `text`, padded with NUL.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// `authentication`, version 2 only (RFC 2338).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Authentication {
    /// Type 0.
    #[default]
    None,
    /// Type 1, `auth_type PASS`.
    Pass(Password),
    /// Type 2, `auth_type AH`: version 2 over IPv4 only.
    Ah(Password),
}

/// `auth_hmac`: keepalived's HMAC-SHA256 trailer behind an advert of either version. Excludes [`Authentication`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacAuth {
    /// `key` lines: id 1 to 255 → key, 32 to 64 bytes.
    pub keys: BTreeMap<u8, HmacKey>,
    /// `active_key`: the key that signs.
    pub active_key: u8,
    /// `time_window`: how old an advert may be, 1 to 300 s.
    pub time_window: Micros,
    /// `anti_replay`.
    pub anti_replay: AntiReplay,
    /// `mode`.
    pub mode: HmacMode,
}

/// A key of `auth_hmac`. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey {
    /// The bytes that sign.
    pub bytes: Vec<u8>,
    /// `file:PATH`, if the key stands in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// `anti_replay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiReplay {
    /// Adverts carry the time of day.
    #[default]
    Time,
    /// Adverts carry a counter.
    Monotonic,
}

/// `mode` of `auth_hmac`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacMode {
    /// Signs, and takes signed adverts only.
    #[default]
    Enforce,
    /// Signs, and takes unsigned adverts too.
    Permissive,
    /// Does not sign, and takes both.
    ReceiveOnly,
}
