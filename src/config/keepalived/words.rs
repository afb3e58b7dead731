//! Comments, quotes and words of one line (config-language §1, §2).

/// The text without its comment and without blanks around it (config-language §12).
pub(super) fn strip_comment(line: &str) -> (String, bool) {
    let text = line.trim_matches([' ', '\t']);
    let (mut out, mut quoted, mut chars) = (String::with_capacity(text.len()), false, text.chars().peekable());
    let mut continued = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '\\' => match chars.next() {
                None => continued = true,
                Some(next @ ('#' | '!')) if !quoted => out.push(next),
                Some(next) => out.extend([c, next]),
            },
            '#' | '!' if !quoted => break,
            _ => out.push(c),
        }
    }
    out.truncate(out.trim_end_matches([' ', '\t']).len());
    if continued {
        out.push('\\');
    }
    (out, quoted)
}

/// Words: `"` groups and always splits, other quotes and backslashes are ordinary characters.
pub(super) fn split(line: &str) -> (Vec<String>, bool) {
    let (mut words, mut rest) = (Vec::new(), line);
    let blank = |c: char| matches!(c, ' ' | '\t' | '\x0b' | '\x0c' | '\r');
    loop {
        rest = rest.trim_start_matches(blank);
        if rest.is_empty() {
            return (words, true);
        }
        if let Some(inside) = rest.strip_prefix('"') {
            let Some((word, after)) = inside.split_once('"') else {
                return (words, false);
            };
            words.push(word.to_owned());
            rest = after;
        } else {
            let end = rest.find(|c: char| blank(c) || c == '"').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push(word.to_owned());
            rest = after;
        }
    }
}

/// The first brace outside double quotes.
pub(super) fn find_brace(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.char_indices().find_map(|(at, c)| {
        if c == '"' {
            quoted = !quoted;
        }
        (!quoted && matches!(c, '{' | '}')).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts of config-language sections 1 and 2, each seen on keepalived.
    #[test]
    fn comments_end_a_line_anywhere_outside_double_quotes() {
        for (line, text) in [
            ("b#c d", "b"),
            ("  a ! b", "a"),
            ("a \"# no !\" b # yes", "a \"# no !\" b"),
            ("'a # b'", "'a"),
            ("a b \\", "a b\\"),
            ("a \"x\\\" # y\" z", "a \"x\\\" # y\" z"),
        ] {
            assert_eq!(strip_comment(line).0, text, "{line}");
        }
    }

    #[test]
    fn words_are_split_as_keepalived_splits_them() {
        for (line, words) in [
            ("a\"b c\"d", vec!["a", "b c", "d"]),
            ("'aa bb'", vec!["'aa", "bb'"]),
            ("k \"\" x", vec!["k", "", "x"]),
            ("a\tb\x0bc", vec!["a", "b", "c"]),
        ] {
            assert_eq!(split(line).0, words, "{line}");
        }
        assert_eq!(split("a b \"c d"), (vec!["a".to_owned(), "b".to_owned()], false));
    }
}
