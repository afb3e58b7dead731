//! Lengths of time as a person writes them: `2s`, `500ms`, `250us`, `5m`, `1h`.

use crate::model::Micros;

/// Units, and how many microseconds one is, the shortest first.
const UNITS: [(&str, u64); 5] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

/// Reads a number with a unit; the number may have decimals.
#[must_use]
pub fn read_duration(text: &str) -> Option<Micros> {
    let text = text.trim();
    let end = text.bytes().position(|b| !b.is_ascii_digit() && b != b'.')?;
    let (number, unit) = text.split_at(end);
    let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') {
        return None;
    }
    let mut value = whole.parse::<u64>().ok()?.checked_mul(*micros)?;
    let mut place = *micros;
    for digit in fraction.bytes() {
        // A digit below a microsecond would be lost.
        if place % 10 != 0 {
            return None;
        }
        place /= 10;
        value = value.checked_add(u64::from(digit - b'0').checked_mul(place)?)?;
    }
    Some(Micros(value))
}

/// The shortest whole number with a unit up to seconds.
pub(in crate::config) fn print_duration(time: Micros) -> String {
    let units = UNITS.iter().take(3).rev();
    let fits = units.clone().find(|(_, micros)| time.0 % micros == 0);
    fits.map_or_else(
        || format!("{}us", time.0),
        |(unit, micros)| format!("{}{unit}", time.0 / micros),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, micros) in [
            ("2s", 2_000_000),
            ("500ms", 500_000),
            ("1.5s", 1_500_000),
            ("0.01 s", 10_000),
            ("250us", 250),
            ("5m", 300_000_000),
            ("1h", 3_600_000_000),
        ] {
            assert_eq!(read_duration(text), Some(Micros(micros)), "{text}");
            assert_eq!(read_duration(&print_duration(Micros(micros))), Some(Micros(micros)));
        }
        for text in [
            "",
            "2",
            "s",
            ".5s",
            "1.2.3s",
            "1d",
            "-1s",
            "0.5us",
            "99999999999999999999s",
            "1e3s",
        ] {
            assert_eq!(read_duration(text), None, "{text}");
        }
        assert_eq!(print_duration(Micros(0)), "0s");
        assert_eq!(print_duration(Micros(1_500_000)), "1500ms");
    }
}
