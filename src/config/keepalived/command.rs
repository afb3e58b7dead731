//! The second parser, for command lines (config-language §2b): shell-like quotes and escapes, but no shell.

/// Splits the raw text behind a keyword into the command's own words. Words after the first group (user, group) come second.
///
/// # Errors
/// The quote that is not closed.
pub(in crate::config) fn split(raw: &str) -> Result<(Vec<String>, Vec<String>), char> {
    let mut words = split_once(raw, false)?.into_iter().skip(1);
    let command = words.next().unwrap_or_default();
    Ok((split_once(&command, true)?, words.collect()))
}

fn split_once(text: &str, escapes: bool) -> Result<Vec<String>, char> {
    let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None::<char>);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (open, c) {
            (Some(quote), _) if c == quote => open = None,
            (_, '\\') => {
                let word = word.get_or_insert_default();
                let Some(next) = chars.next() else {
                    word.push('\\');
                    continue;
                };
                if escapes {
                    unescape(next, &mut chars, word);
                } else {
                    word.extend([c, next]);
                }
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                open = Some(c);
            }
            (None, ' ' | '\t' | '\x0b' | '\x0c' | '\r') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    open.map_or(Ok(words), Err)
}

fn unescape(c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>, word: &mut String) {
    let simple = match c {
        'a' => Some('\x07'),
        'b' => Some('\x08'),
        'E' => Some('\x1b'),
        'f' => Some('\x0c'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        _ => None,
    };
    if let Some(simple) = simple {
        word.push(simple);
        return;
    }
    let (radix, limit, first) = match c {
        '0'..='7' => (8, 2, c.to_digit(8)),
        'x' => (16, 2, None),
        'c' => {
            let control = chars.next().map(|c| char::from(u8::try_from(c).unwrap_or(b'@') & 0x1f));
            word.extend(control);
            return;
        }
        other => {
            word.push(other);
            return;
        }
    };
    let mut value = first.unwrap_or(0);
    for _ in 0..limit {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else {
            break;
        };
        value = value * radix + digit;
        chars.next();
    }
    word.extend(char::from_u32(value & 0xff));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Results of config-language section 2b, seen on keepalived 2.4.3.
    #[test]
    fn commands_are_split_as_keepalived_splits_them() {
        for (raw, words) in [
            (r#"script "/bin/a 'b c' d""#, vec!["/bin/a", "b c", "d"]),
            (r#"script '/bin/a "b c" d'"#, vec!["/bin/a", "b c", "d"]),
            (r#"script "/bin/a b\ c""#, vec!["/bin/a", "b c"]),
            (r#"script "/bin/a \"b c\" d""#, vec!["/bin/a", "\"b", "c\"", "d"]),
            (r"script /bin/a\ b", vec!["/bin/a b"]),
            ("script /bin/a b c", vec!["/bin/a"]),
        ] {
            let got = split(raw).unwrap().0;
            assert_eq!(got, words, "{raw}");
        }
        assert_eq!(split("script '/bin/a"), Err('\''));
    }
}
