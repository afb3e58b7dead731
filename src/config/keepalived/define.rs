//! `$definitions`, `~SEQ` and `~LST` (config-language §6, §7).

use crate::config::place::Place;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A line may not grow beyond this by substitution, in bytes; keepalived's lines end at 1024.
pub(super) const MAX_LINE: usize = 4096;
/// Most definitions of one line that are remembered.
const MAX_PARTS: usize = 4;
/// More replacements than this in one line mean that a definition contains itself.
const MAX_REPLACEMENTS: usize = 1000;

/// A line of a definition, and where it stands.
pub(super) type Part = (Rc<str>, Place);

/// Definitions in force.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    values: BTreeMap<String, Rc<[Part]>>,
    random: u64,
}

/// What came out of a substitution.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    /// The line.
    pub(super) text: String,
    /// Where it stands, and the definition's name, if the whole line was one reference.
    pub(super) whole: Option<(String, Place)>,
    /// The definitions that became parts of it.
    pub(super) parts: Vec<(String, Place)>,
    /// Lines that follow it: a definition of several lines was named at its end.
    pub(super) following: Vec<(String, Part)>,
}

/// A problem with a substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Too long, or without end.
    TooLong,
    /// A predefined name was used in a wrong way; in keepalived's words.
    Wrong(String),
}

/// What predefined names stand for: the name and its arguments → the value.
pub(super) type Outside<'a> = &'a dyn Fn(&str, &[&str]) -> Option<String>;

impl Definitions {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            values: BTreeMap::new(),
            random: seed,
        }
    }

    pub(super) fn set(&mut self, name: &str, parts: Vec<Part>) {
        match self.values.get_mut(name) {
            Some(value) => *value = parts.into(),
            None => drop(self.values.insert(name.to_owned(), parts.into())),
        }
    }

    /// Replaces `${NAME}` anywhere, and `$NAME` before a blank, `,`, `)` or the end. Unknown names stay.
    ///
    /// # Errors
    /// When the line becomes too long, or a predefined name is used in a wrong way.
    pub(super) fn substitute(&mut self, line: &str, outside: Outside<'_>) -> Result<Option<Replaced>, Problem> {
        if !line.contains('$') {
            return Ok(None);
        }
        let mut done = Replaced {
            text: line.to_owned(),
            whole: None,
            parts: Vec::new(),
            following: Vec::new(),
        };
        let (mut from, mut replacements) = (0, 0);
        // Results are scanned again, so that definitions nest; a definition that contains itself runs into the limit.
        while let Some(at) = done
            .text
            .get(from..)
            .and_then(|rest| rest.find('$'))
            .map(|at| at + from)
        {
            let Some((end, name, parts)) = self.reference(&done.text, at, outside)? else {
                from = at + 1;
                continue;
            };
            let Some((first, place)) = parts.first() else { continue };
            replacements += 1;
            if done.text.len() + first.len() > MAX_LINE || replacements > MAX_REPLACEMENTS {
                return Err(Problem::TooLong);
            }
            done.whole = (at == 0 && end == done.text.len()).then(|| (name.clone(), *place));
            if done.parts.len() < MAX_PARTS && !done.parts.iter().any(|(_, known)| known == place) {
                done.parts.push((name.clone(), *place));
            }
            done.text.replace_range(at..end, first);
            let following = parts.iter().skip(1).map(|part| (name.clone(), part.clone()));
            done.following.splice(0..0, following);
            from = at;
        }
        Ok((replacements > 0).then_some(done))
    }

    /// The end of the reference at `at`, its name, and its value.
    #[expect(clippy::type_complexity, reason = "three things, used once")]
    fn reference(
        &mut self,
        text: &str,
        at: usize,
        outside: Outside<'_>,
    ) -> Result<Option<(usize, String, Rc<[Part]>)>, Problem> {
        let rest = text.get(at + 1..).unwrap_or_default();
        let (end, name, args) = if let Some((inside, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            let mut words = inside.split([' ', '\t']).filter(|word| !word.is_empty());
            let Some(name) = words.next() else { return Ok(None) };
            (at + 1 + inside.len() + 2, name, words.collect::<Vec<_>>())
        } else {
            let Some(length) = name_len(rest) else { return Ok(None) };
            let (name, after) = rest.split_at(length);
            let ends = after.chars().next().is_none_or(|c| matches!(c, ' ' | '\t' | ',' | ')'));
            if !ends {
                return Ok(None);
            }
            (at + 1 + length, name, Vec::new())
        };
        let value = self.value(name, &args, outside)?;
        // A definition of several lines can only be named at the end of a line.
        let at_end = text
            .get(end..)
            .is_none_or(|after| after.trim_matches([' ', '\t']).is_empty());
        let value = value.filter(|value| value.len() == 1 || at_end);
        Ok(value.map(|value| (end, name.to_owned(), value)))
    }

    fn value(&mut self, name: &str, args: &[&str], outside: Outside<'_>) -> Result<Option<Rc<[Part]>>, Problem> {
        if let Some(value) = self.values.get(name) {
            return Ok(Some(Rc::clone(value)));
        }
        let value = match name {
            "_HASH" => Some("#".to_owned()),
            "_BANG" => Some("!".to_owned()),
            "_RANDOM" => Some(self.random(args)?),
            "_ENV" if args.len() != 1 => return Err(wrong_count(name, 1, 1, args.len())),
            "_ENV" => Some(outside(name, args).unwrap_or_default()),
            _ => outside(name, args),
        };
        Ok(value.map(|value| Rc::from([(Rc::from(value), Place::default())])))
    }

    fn random(&mut self, args: &[&str]) -> Result<String, Problem> {
        if args.len() > 2 {
            return Err(wrong_count("_RANDOM", 0, 2, args.len()));
        }
        let number = |index: usize, default: u64| {
            let numeric = || Problem::Wrong("Definition _RANDOM requires numeric parameters only.".into());
            args.get(index)
                .map_or(Ok(default), |text| text.parse().map_err(|_| numeric()))
        };
        let (min, max) = (number(0, 0)?, number(1, 32_767)?);
        if min > max {
            return Err(Problem::Wrong(format!(
                "${{_RANDOM}}: min {min} exceeds max {max}, using {min}"
            )));
        }
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let span = max.saturating_sub(min).saturating_add(1);
        Ok((min + (self.random >> 33) % span).to_string())
    }
}

fn wrong_count(name: &str, min: usize, max: usize, got: usize) -> Problem {
    Problem::Wrong(format!(
        "Definition {name} requires between {min} and {max} parameters, {got} specified."
    ))
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

/// The rounds of a `~SEQ` or `~LST` that are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rounds {
    /// A number that counts.
    Numbers {
        name: String,
        next: i64,
        step: i64,
        end: i64,
        hex: bool,
    },
    /// Values of several variables; the rounds are in reverse order.
    List {
        names: Vec<String>,
        values: Vec<Vec<String>>,
    },
}

impl Rounds {
    /// The variables and values of the next round.
    pub(super) fn next(&mut self) -> Option<Vec<(String, String)>> {
        match self {
            Self::Numbers {
                name,
                next,
                step,
                end,
                hex,
            } => {
                if (*step > 0 && *next > *end) || (*step < 0 && *next < *end) {
                    return None;
                }
                let text = if *hex { format!("{next:x}") } else { next.to_string() };
                *next += *step;
                Some(vec![(name.clone(), text)])
            }
            Self::List { names, values } => {
                let round = values.pop()?;
                let value = |index: usize| round.get(index).cloned().unwrap_or_default();
                Some(
                    names
                        .iter()
                        .enumerate()
                        .map(|(index, name)| (name.clone(), value(index)))
                        .collect(),
                )
            }
        }
    }
}

/// `~SEQ(...)` or `~LST(...)`, without the text behind it.
///
/// # Errors
/// The message of keepalived.
pub(super) fn sequence(head: &str) -> Result<Rounds, String> {
    if let Some(rest) = head.strip_prefix("~LST(") {
        return list(rest.trim_end_matches(')')).map_err(|why| format!("{why} '{head}'"));
    }
    let (hex, rest) = match head.strip_prefix("~SEQx(") {
        Some(rest) => (true, Some(rest)),
        None => (false, head.strip_prefix("~SEQ(")),
    };
    let rest = rest.ok_or_else(|| format!("Invalid ~SEQ definition '{head}'"))?;
    numbers(rest.trim_end_matches(')'), hex).map_err(|why| format!("{why} '{head}'"))
}

/// More values than this are not expanded.
const MAX_VALUES: u64 = 1_000_000;

fn numbers(inside: &str, hex: bool) -> Result<Rounds, &'static str> {
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
        Some([_, 0, _]) => return Err("Invalid ~SEQ values"),
        Some([start, step, end]) => (*start, *step, *end),
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
    Ok(Rounds::Numbers {
        name: name.to_owned(),
        next: start,
        step,
        end,
        hex,
    })
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
    // A bound that leaves room for every sum.
    (value.abs() < 1 << 40).then_some(if negative { -value } else { value })
}

fn list(inside: &str) -> Result<Rounds, &'static str> {
    let mut items = Vec::new();
    let mut rest = inside;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        if let Some(braced) = rest.strip_prefix('{') {
            let (braced, after) = braced.split_once('}').ok_or("Invalid ~LST specification")?;
            items.push(
                braced
                    .split(',')
                    .map(|value| value.trim().to_owned())
                    .collect::<Vec<_>>(),
            );
            rest = after;
        } else {
            let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
            let (item, after) = rest.split_at(end);
            items.push(vec![item.to_owned()]);
            rest = after;
        }
    }
    let mut items = items.into_iter();
    let names = items.next().ok_or("Invalid ~LST specification")?;
    let values: Vec<_> = items.rev().collect();
    if values.iter().any(|round| round.len() > names.len()) {
        return Err("~LST specification has too many values");
    }
    Ok(Rounds::List { names, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(head: &str) -> Vec<String> {
        let mut rounds = sequence(head).unwrap();
        std::iter::from_fn(|| rounds.next())
            .map(|round| round[0].1.clone())
            .collect()
    }

    /// Examples of config-language section 7, seen on keepalived.
    #[test]
    fn sequences_count_as_keepalived_counts() {
        assert_eq!(values("~SEQ(i,0)"), ["1", "0"]);
        assert_eq!(values("~SEQ(i,10,-3,1)"), ["10", "7", "4", "1"]);
        assert_eq!(values("~SEQ(i,-2)"), ["-1", "-2"]);
        assert_eq!(values("~SEQx(i,0x9,0xb)"), ["9", "a", "b"]);
        assert!(sequence("~SEQ(i,1,0,5)").is_err());
        assert!(sequence("~SEQ(i,1,-1,5)").is_err());
        assert!(sequence("~SEQ(i,1,99999999)").is_err(), "a bomb is refused");
        assert!(sequence("~tilde").is_err());
    }

    #[test]
    fn lists_set_several_variables() {
        let mut rounds = sequence("~LST({x,y}, {a,1}, {b})").unwrap();
        let pair = |x: &str, y: &str| vec![("x".to_owned(), x.to_owned()), ("y".to_owned(), y.to_owned())];
        assert_eq!(rounds.next(), Some(pair("a", "1")));
        assert_eq!(rounds.next(), Some(pair("b", "")));
        assert_eq!(rounds.next(), None);
        assert!(sequence("~LST({x}, {a,1})").is_err());
    }

    #[test]
    fn references_are_replaced_only_where_keepalived_replaces_them() {
        let mut definitions = Definitions::default();
        let one = |text: &str| vec![(Rc::from(text), Place::default())];
        definitions.set("A", one("hello"));
        definitions.set("B", one("${A} world"));
        let mut sub = |line: &str| {
            let replaced = definitions.substitute(line, &|_, _| None).unwrap();
            replaced.map_or_else(|| line.to_owned(), |replaced| replaced.text)
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
        definitions.set("I", one("$I"));
        assert_eq!(definitions.substitute("$I", &|_, _| None), Err(Problem::TooLong));
        definitions.set("S", one("x${S}"));
        assert_eq!(definitions.substitute("$S", &|_, _| None), Err(Problem::TooLong));
    }

    #[test]
    fn a_definition_of_several_lines_counts_only_at_the_end_of_a_line() {
        let mut definitions = Definitions::default();
        definitions.set(
            "M",
            vec![("a".into(), Place::default()), ("b".into(), Place::default())],
        );
        let replaced = definitions.substitute("pre $M", &|_, _| None).unwrap().unwrap();
        assert_eq!((replaced.text.as_str(), replaced.following.len()), ("pre a", 1));
        assert_eq!(definitions.substitute("${M} post", &|_, _| None), Ok(None));
    }
}
