//! Comments, quotes and words of one line (config-language §1, §2).

use std::borrow::Cow;

/// The text without its comment and without blanks around it, and whether a quote is open (config-language §12).
pub(super) fn strip_comment(line: &str) -> (Cow<'_, str>, bool) {
    let text = line.trim_matches([' ', '\t']);
    if !text.bytes().any(|b| matches!(b, b'#' | b'!' | b'\\' | b'"')) {
        return (Cow::Borrowed(text), false);
    }
    let (mut out, mut quoted, mut chars) = (String::with_capacity(text.len()), false, text.chars());
    let mut continued = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '\\' => match chars.next() {
                None => continued = true,
                // keepalived's second pass sees the comment character unescaped: the line ends here.
                Some('#' | '!') if !quoted => break,
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
    (Cow::Owned(out), quoted)
}

/// Ranges of the words in bytes: `"` groups and always splits, other quotes and backslashes are ordinary characters. Whether every quote is closed.
pub(super) fn split(line: &str, words: &mut Vec<(u32, u32)>) -> bool {
    words.clear();
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let bytes = line.as_bytes();
    let blank = |b: u8| matches!(b, b' ' | b'\t' | 0x0b | 0x0c | b'\r');
    let mut position = 0;
    loop {
        while bytes.get(position).copied().is_some_and(blank) {
            position += 1;
        }
        let Some(first) = bytes.get(position) else { return true };
        if *first == b'"' {
            let start = position + 1;
            let inside = bytes.get(start..).unwrap_or_default();
            let Some(length) = inside.iter().position(|b| *b == b'"') else {
                return false;
            };
            words.push((at(start), at(start + length)));
            position = start + length + 1;
        } else {
            let start = position;
            while bytes.get(position).is_some_and(|b| !blank(*b) && *b != b'"') {
                position += 1;
            }
            words.push((at(start), at(position)));
        }
    }
}

/// Ranges of the words of a line.
pub(in crate::config) fn word_ranges(line: &str) -> Vec<(u32, u32)> {
    let mut words = Vec::new();
    // An open quote loses what follows it, as in keepalived.
    split(line, &mut words);
    words
}

/// The words of a line.
pub(in crate::config) fn split_words(line: &str) -> Vec<String> {
    let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let word = |(start, end): (u32, u32)| line.get(at(start)..at(end)).map(str::to_owned);
    word_ranges(line).into_iter().filter_map(word).collect()
}

/// The first brace outside double quotes.
pub(super) fn find_brace(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.bytes().position(|b| {
        if b == b'"' {
            quoted = !quoted;
        }
        !quoted && matches!(b, b'{' | b'}')
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
            ("g\\#h i", "g"),
        ] {
            assert_eq!(strip_comment(line).0, text, "{line}");
        }
    }

    fn words(line: &str) -> (Vec<&str>, bool) {
        let mut ranges = Vec::new();
        let closed = split(line, &mut ranges);
        let word = |(start, end): &(u32, u32)| &line[*start as usize..*end as usize];
        (ranges.iter().map(word).collect(), closed)
    }

    #[test]
    fn words_are_split_as_keepalived_splits_them() {
        for (line, expected) in [
            ("a\"b c\"d", vec!["a", "b c", "d"]),
            ("'aa bb'", vec!["'aa", "bb'"]),
            ("k \"\" x", vec!["k", "", "x"]),
            ("a\tb\x0bc", vec!["a", "b", "c"]),
        ] {
            assert_eq!(words(line).0, expected, "{line}");
        }
        assert_eq!(words("a b \"c d"), (vec!["a", "b"], false));
    }
}
