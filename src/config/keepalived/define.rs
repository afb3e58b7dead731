//! `$definitions`, `~SEQ` and `~LST` (config-language §6, §7).

use std::collections::BTreeMap;

/// A line may not grow beyond this by substitution, in bytes.
pub(super) const MAX_LINE: usize = 1 << 16;
/// More replacements than this in one line mean that a definition contains itself.
const MAX_REPLACEMENTS: usize = 10_000;

/// Definitions in force.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    values: BTreeMap<String, String>,
    random: u64,
}

/// A problem with a substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLong;

impl Definitions {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Replaces `${NAME}` anywhere, and `$NAME` before a blank, `,`, `)` or the end. Unknown names stay.
    pub(super) fn substitute(
        &mut self,
        line: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, TooLong> {
        if !line.contains('$') {
            return Ok(None);
        }
        let (mut text, mut changed) = (line.to_owned(), false);
        let (mut from, mut replacements) = (0, 0);
        // Results are scanned again, so that definitions nest; a definition that contains itself runs into the limit.
        while let Some(at) = text.get(from..).and_then(|rest| rest.find('$')).map(|at| at + from) {
            let Some((end, value)) = self.reference(&text, at, environment) else {
                from = at + 1;
                continue;
            };
            replacements += 1;
            if text.len() + value.len() > MAX_LINE || replacements > MAX_REPLACEMENTS {
                return Err(TooLong);
            }
            text.replace_range(at..end, &value);
            from = at;
            changed = true;
        }
        Ok(changed.then_some(text))
    }

    /// The end of the reference at `at`, and its value.
    fn reference(&mut self, text: &str, at: usize, env: &dyn Fn(&str) -> Option<String>) -> Option<(usize, String)> {
        let rest = text.get(at + 1..)?;
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, _) = inside.split_once('}')?;
            let mut words = inside.split([' ', '\t']).filter(|word| !word.is_empty());
            let name = words.next()?;
            let value = self.value(name, &words.collect::<Vec<_>>(), env)?;
            return Some((at + 1 + inside.len() + 2, value));
        }
        let name_len = name_len(rest)?;
        let (name, after) = rest.split_at(name_len);
        let ends = after.chars().next().is_none_or(|c| matches!(c, ' ' | '\t' | ',' | ')'));
        if !ends {
            return None;
        }
        Some((at + 1 + name_len, self.value(name, &[], env)?))
    }

    fn value(&mut self, name: &str, args: &[&str], env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        match name {
            "_HASH" => Some("#".into()),
            "_BANG" => Some("!".into()),
            "_ENV" => Some(args.first().and_then(|name| env(name)).unwrap_or_default()),
            "_RANDOM" => {
                let bound = |i: usize, default: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
                let (min, max) = (bound(0, 0), bound(1, 32_767));
                self.random = self
                    .random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let span = max.saturating_sub(min).saturating_add(1);
                Some((min + (self.random >> 33) % span).to_string())
            }
            _ => None,
        }
    }
}

/// Length of a name at the start of the text.
fn name_len(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let first = text.chars().next()?;
    (end > 0 && !first.is_ascii_digit()).then_some(end)
}

/// `$NAME=TEXT`.
pub(super) fn definition(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('$')?;
    let len = name_len(rest)?;
    let (name, rest) = rest.split_at(len);
    Some((name, rest.strip_prefix('=')?.trim_start_matches([' ', '\t'])))
}

/// One round of a `~SEQ` or `~LST`: the variables and their values.
pub(super) type Round = Vec<(String, String)>;

/// `~SEQ(...) text` or `~LST(...) text`: the rounds and the text.
///
/// # Errors
/// The message of keepalived.
pub(super) fn sequence(line: &str) -> Option<Result<(Vec<Round>, String), String>> {
    let (hex, rest) = if let Some(rest) = line.strip_prefix("~SEQx(") {
        (true, rest)
    } else if let Some(rest) = line.strip_prefix("~SEQ(") {
        (false, rest)
    } else {
        let rest = line.strip_prefix("~LST(")?;
        return Some(list(rest).ok_or_else(|| format!("Invalid ~LST specification '{line}'")));
    };
    Some(numbers(rest, hex).map_err(|why| format!("{why} '{line}'")))
}

/// More values than this are not expanded.
const MAX_VALUES: u64 = 1_000_000;

fn numbers(rest: &str, hex: bool) -> Result<(Vec<Round>, String), &'static str> {
    let (inside, text) = rest.split_once(')').ok_or("~SEQ missing terminating ')'")?;
    let mut parts = inside.split(',').map(str::trim);
    let name = parts
        .next()
        .filter(|name| name_len(name) == Some(name.len()))
        .ok_or("Invalid ~SEQ definition")?;
    let values: Option<Vec<i64>> = parts.map(parse_c_number).collect();
    let (start, step, end) = match values.as_deref() {
        Some([end]) if *end < 0 => (-1, -1, *end),
        Some([end]) => (1, if *end < 1 { -1 } else { 1 }, *end),
        Some([start, end]) => (*start, if end < start { -1 } else { 1 }, *end),
        Some([start, step, end]) => match step {
            // Three values are start, step, end; keepalived also takes start, end, step when only that fits.
            0 => return Err("Invalid ~SEQ values"),
            _ => (*start, *step, *end),
        },
        _ => return Err("Invalid ~SEQ definition"),
    };
    if (end - start).signum() * step.signum() < 0 {
        return Err("Invalid ~SEQ values");
    }
    if hex && (start < 0 || end < 0) {
        return Err("~SEQx is only valid for positive numbers");
    }
    if (end - start).unsigned_abs() / step.unsigned_abs() >= MAX_VALUES {
        return Err("~SEQ has more than 1000000 values");
    }
    let mut rounds = Vec::new();
    let mut value = start;
    while (step > 0 && value <= end) || (step < 0 && value >= end) {
        let text = if hex { format!("{value:x}") } else { value.to_string() };
        rounds.push(vec![(name.to_owned(), text)]);
        value += step;
    }
    Ok((rounds, text.trim_start_matches([' ', '\t']).to_owned()))
}

fn parse_c_number(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    // A bound that leaves room for every sum below.
    (value.abs() < 1 << 40).then_some(if negative { -value } else { value })
}

fn list(rest: &str) -> Option<(Vec<Round>, String)> {
    let mut items = Vec::new();
    let mut rest = rest;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix(')') {
            rest = after;
            break;
        }
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}')?;
            items.push(inside.split(',').map(|v| v.trim().to_owned()).collect::<Vec<_>>());
            rest = after;
        } else {
            let end = rest.find([' ', '\t', ',', ')'])?;
            let (item, after) = rest.split_at(end);
            items.push(vec![item.to_owned()]);
            rest = after;
        }
    }
    let mut items = items.into_iter();
    let names = items.next()?;
    let mut rounds = Vec::new();
    for values in items {
        if values.len() > names.len() {
            return None;
        }
        let value = |i: usize| values.get(i).cloned().unwrap_or_default();
        rounds.push(
            names
                .iter()
                .enumerate()
                .map(|(i, name)| (name.clone(), value(i)))
                .collect(),
        );
    }
    Some((rounds, rest.trim_start_matches([' ', '\t']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &str) -> Vec<String> {
        let (rounds, _) = sequence(line).unwrap().unwrap();
        rounds.into_iter().map(|round| round[0].1.clone()).collect()
    }

    /// Examples of config-language section 7, seen on keepalived.
    #[test]
    fn sequences_count_as_keepalived_counts() {
        assert_eq!(values("~SEQ(i,0) x"), ["1", "0"]);
        assert_eq!(values("~SEQ(i,10,-3,1) x"), ["10", "7", "4", "1"]);
        assert_eq!(values("~SEQ(i,-2) x"), ["-1", "-2"]);
        assert_eq!(values("~SEQx(i,0x9,0xb) x"), ["9", "a", "b"]);
        assert!(sequence("~SEQ(i,1,0,5) x").unwrap().is_err());
        assert!(sequence("~SEQ(i,1,-1,5) x").unwrap().is_err());
        assert!(sequence("~SEQ(i,1,99999999) x").unwrap().is_err(), "a bomb is refused");
        assert!(sequence("~tilde").is_none());
    }

    #[test]
    fn lists_set_several_variables() {
        let (rounds, text) = sequence("~LST({x,y}, {a,1}, {b}) t $x").unwrap().unwrap();
        let pair = |x: &str, y: &str| vec![("x".to_owned(), x.to_owned()), ("y".to_owned(), y.to_owned())];
        assert_eq!((rounds, text.as_str()), (vec![pair("a", "1"), pair("b", "")], "t $x"));
    }

    #[test]
    fn references_are_replaced_only_where_keepalived_replaces_them() {
        let mut definitions = Definitions::default();
        definitions.set("A", "hello");
        definitions.set("B", "${A} world");
        let mut sub = |line: &str| {
            definitions
                .substitute(line, &|_| None)
                .unwrap()
                .unwrap_or_else(|| line.to_owned())
        };
        for (line, text) in [
            ("x $A y", "x hello y"),
            ("x${A}y", "xhelloy"),
            ("$Ab $A. '$A' $A$A", "$Ab $A. '$A' $Ahello"),
            ("($A,$A)", "(hello,hello)"),
            ("$B", "hello world"),
            ("${NOPE} $NOPE", "${NOPE} $NOPE"),
            ("\\$A", "\\hello"),
        ] {
            assert_eq!(sub(line), text, "{line}");
        }
        definitions.set("I", "$I");
        assert_eq!(definitions.substitute("$I", &|_| None), Err(TooLong));
        definitions.set("S", "x${S}");
        assert_eq!(definitions.substitute("$S", &|_| None), Err(TooLong));
    }
}
