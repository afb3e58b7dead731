//! `include` and which of its problems count as errors (config-language §4).

use super::expand::{Reader, Stopped};
use crate::config::code::Code;
use crate::config::diagnostic::Class;
use crate::config::place::Place;

/// Deepest and widest brace pattern.
const MAX_PATTERNS: usize = 1000;

/// Problems of an include that stop everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct IncludeCheck {
    read: bool,
    matches: bool,
    wildcard: bool,
    brace: bool,
}

impl IncludeCheck {
    /// `include_check`: words with a sign change the setting, the first one without replaces it.
    pub(super) fn set<'w>(&mut self, words: impl Iterator<Item = &'w str>) {
        let mut any = false;
        for word in words {
            let (on, name) = match word.split_at_checked(1) {
                Some(("-", name)) => (false, name),
                Some(("+", name)) => (true, name),
                // keepalived calls it a duplicate, and ignores it.
                _ if any => continue,
                _ => {
                    *self = Self {
                        read: true,
                        ..Self::default()
                    };
                    (true, word)
                }
            };
            any = true;
            match name {
                "read" => self.read = on,
                "match" => self.matches = on,
                "wildcard_match" => self.wildcard = on,
                "brace_match" => self.brace = on,
                _ => {}
            }
        }
        if !any {
            *self = Self {
                read: true,
                matches: true,
                wildcard: true,
                brace: true,
            };
        }
    }

    /// With the letter of `includeX` for one line.
    fn with_letter(mut self, letter: &str) -> Self {
        let all = letter == "a";
        self.read |= !letter.is_empty();
        self.matches |= all || letter == "m" || letter == "w";
        self.wildcard |= all || letter == "w";
        self.brace |= all || letter == "b";
        self
    }
}

impl Reader<'_, '_> {
    /// Whether the line is an include; its files have been read then.
    pub(super) fn include(&mut self, line: &str, place: Place, path: &str) -> bool {
        let Some((word, pattern)) = line.split_once([' ', '\t']) else {
            return false;
        };
        let Some(letter) = word.strip_prefix("include") else {
            return false;
        };
        if !matches!(letter, "" | "r" | "m" | "w" | "b" | "a") {
            return false;
        }
        let check = self.include_check.with_letter(letter);
        let pattern = pattern.trim_start_matches([' ', '\t']);
        let mut alternatives = Vec::new();
        expand_braces(pattern, &mut alternatives);
        let braced = alternatives.len() > 1;
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for one in &alternatives {
            let full = match path.rsplit_once('/') {
                Some((directory, _)) if !one.starts_with('/') => format!("{directory}/{one}"),
                _ => one.clone(),
            };
            let found = self.source.glob(&full);
            if found.is_empty() {
                missing.push(one.as_str());
            }
            files.extend(found);
        }
        let wild = pattern.contains(['*', '?', '[']);
        if files.is_empty() {
            let in_force = if braced {
                check.brace
            } else if wild {
                check.wildcard
            } else {
                check.matches
            };
            let directory = pattern.rsplit_once('/').map_or("", |(directory, _)| directory);
            let nowhere =
                !directory.is_empty() && !directory.contains(['*', '?', '[']) && self.source.glob(directory).is_empty();
            if nowhere {
                self.include_problem(place, in_force, format!("Config files missing '{pattern}'."));
            } else if wild && in_force {
                self.include_problem(place, in_force, format!("No config files matched '{pattern}'."));
            } else if !wild {
                self.include_problem(place, in_force, format!("Config files missing '{pattern}'."));
            }
        } else if !missing.is_empty() && !wild {
            let message = format!("Some config files missing: \"{}\".", missing.join(", "));
            self.include_problem(place, check.brace, message);
        }
        for file in files {
            self.file(&file, Some(place), check.read);
        }
        true
    }

    fn include_problem(&mut self, place: Place, in_force: bool, message: String) {
        self.reports.at(place, Code::FileMissing, Class::FileNotFound, message);
        if in_force {
            self.text.stopped = Some(Stopped::Include);
        }
    }
}

/// `a{b,c}d` → `abd`, `acd`, as csh.
fn expand_braces(pattern: &str, out: &mut Vec<String>) {
    if out.len() >= MAX_PATTERNS {
        return;
    }
    let Some((before, rest)) = pattern.split_once('{') else {
        out.push(pattern.to_owned());
        return;
    };
    let (mut depth, mut end, mut commas) = (0usize, None, Vec::new());
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = Some(at);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => commas.push(at),
            _ => {}
        }
    }
    let Some(end) = end else {
        out.push(pattern.to_owned());
        return;
    };
    let after = rest.get(end + 1..).unwrap_or_default();
    let mut start = 0;
    for stop in commas.into_iter().chain([end]) {
        let item = rest.get(start..stop).unwrap_or_default();
        expand_braces(&format!("{before}{item}{after}"), out);
        start = stop + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_expanded_as_csh_does() {
        let mut out = Vec::new();
        expand_braces("a{b,c{1,2}}d", &mut out);
        assert_eq!(out, ["abd", "ac1d", "ac2d"]);
        out.clear();
        expand_braces("a{b", &mut out);
        assert_eq!(out, ["a{b"]);
    }

    #[test]
    fn words_with_a_sign_change_and_the_first_without_replaces() {
        let mut check = IncludeCheck::default();
        check.set(["+match"].into_iter());
        assert!(check.matches && !check.read);
        check.set(["brace_match"].into_iter());
        assert!(check.read && check.brace && !check.matches);
        check.set([].into_iter());
        check.set(["-wildcard_match"].into_iter());
        assert!(check.matches && !check.wildcard);
    }
}
