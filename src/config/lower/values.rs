//! Numbers, times and booleans as keepalived reads them (config-language §8).

use crate::model::Micros;

/// Decimal digits with an optional sign; leading blanks are fine, anything behind the number is not. Empty = 0.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    text.strip_prefix('+').unwrap_or(text).parse().ok()
}

/// A number within a range.
pub(super) fn within(text: &str, min: i64, max: i64) -> Option<i64> {
    integer(text).filter(|value| (min..=max).contains(value))
}

/// A number of a small type within a range.
pub(super) fn small<T: TryFrom<i64>>(text: &str, min: i64, max: i64) -> Option<T> {
    within(text, min, max).and_then(|value| T::try_from(value).ok())
}

/// Seconds with decimals, rounded half up to this many digits (at most 6).
pub(super) fn seconds(text: &str, digits: u32) -> Option<Micros> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut micros = whole.checked_mul(1_000_000)?;
    let mut unit = 100_000;
    for (position, digit) in fraction.bytes().enumerate() {
        let digit = u64::from(digit - b'0');
        let kept = u32::try_from(position).ok()? < digits;
        if kept {
            micros = micros.checked_add(digit * unit)?;
            unit /= 10;
        } else {
            // Half up at the first digit that does not fit.
            let last_unit = 10u64.pow(6 - digits);
            micros += if digit >= 5 { last_unit } else { 0 };
            break;
        }
    }
    Some(Micros(micros))
}

/// `true on yes` / `false off no`; nothing = true.
pub(super) fn boolean(text: Option<&str>) -> Option<bool> {
    match text {
        None | Some("true" | "on" | "yes") => Some(true),
        Some("false" | "off" | "no") => Some(false),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_keepalived_reads_them() {
        for (text, value) in [
            ("010", Some(10)),
            ("+5", Some(5)),
            (" 5", Some(5)),
            ("", Some(0)),
            ("0x10", None),
            ("5a", None),
        ] {
            assert_eq!(integer(text), value, "{text:?}");
        }
        for (text, value) in [
            ("1.5", Some(1_500_000)),
            (".5", Some(500_000)),
            ("1.", Some(1_000_000)),
            ("1e3", None),
            ("1,5", None),
            ("1.12345678", Some(1_123_457)),
            ("-1", None),
        ] {
            assert_eq!(seconds(text, 6), value.map(Micros), "{text:?}");
        }
        assert_eq!(seconds("0.0005", 3), Some(Micros(1_000)));
        assert_eq!(
            (boolean(None), boolean(Some("off")), boolean(Some("YES"))),
            (Some(true), Some(false), None)
        );
    }
}
