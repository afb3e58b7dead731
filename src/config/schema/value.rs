//! Numbers, times and booleans as keepalived reads them (config-language §8).

use crate::model::Micros;

/// What came out of reading a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Read<T> {
    /// A value.
    Good(T),
    /// A value, but something is wrong with the text.
    Warned(T, String),
    /// No value; what is wrong with the number.
    Bad(Option<String>),
}

/// A whole number and its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Number {
    pub(in crate::config) min: i64,
    pub(in crate::config) max: i64,
    /// Outside `-t` a number with something behind it counts, with a warning.
    lenient: bool,
    /// Read as a number that may have a sign, whatever its range.
    signed: bool,
}

/// A number that allows nothing behind it.
pub(in crate::config) const fn strict(min: i64, max: i64) -> Number {
    Number {
        min,
        max,
        lenient: false,
        signed: min < 0,
    }
}

/// A number with the `~` of the table: something behind it is a warning, outside `-t`.
pub(in crate::config) const fn number(min: i64, max: i64) -> Number {
    Number {
        min,
        max,
        lenient: true,
        signed: min < 0,
    }
}

impl Number {
    /// The same, but a number below 0 is only outside of its range.
    pub(in crate::config) const fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// Reads decimal digits with an optional sign. Leading blanks are fine; empty = 0.
    pub(in crate::config) fn read(self, text: &str, test: bool) -> Read<i64> {
        let trimmed = text.trim_start();
        let (sign, digits) = match trimmed.split_at_checked(1) {
            Some(("-", digits)) => ("-", digits),
            Some(("+", digits)) => ("", digits),
            _ => ("", trimmed),
        };
        if sign == "-" && !self.signed {
            return Read::Bad(Some(format!("negative number '{text}'")));
        }
        let end = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
        let (digits, garbage) = digits.split_at(end);
        if digits.is_empty() && !trimmed.is_empty() {
            return Read::Bad(Some(format!("invalid number '{text}'")));
        }
        let kind = if self.signed { "integer" } else { "unsigned integer" };
        let value = if digits.is_empty() {
            Ok(0)
        } else {
            format!("{sign}{digits}").parse::<i64>()
        };
        let limits = if self.signed {
            i64::from(i32::MIN)..=i64::from(i32::MAX)
        } else {
            0..=i64::from(u32::MAX)
        };
        let Some(value) = value
            .ok()
            .filter(|value| limits.contains(value) || (self.min..=self.max).contains(value))
        else {
            return Read::Bad(Some(format!("number '{text}' outside {kind} range")));
        };
        if !garbage.is_empty() && (test || !self.lenient) {
            return Read::Bad(Some(format!("invalid number '{text}'")));
        }
        if !(self.min..=self.max).contains(&value) {
            return Read::Bad(Some(format!(
                "number '{text}' outside range [{}, {}]",
                self.min, self.max
            )));
        }
        if garbage.is_empty() {
            Read::Good(value)
        } else {
            Read::Warned(value, format!("WARNING - invalid number '{text}'"))
        }
    }

    /// The value, if the text is exactly a number in range.
    pub(in crate::config) fn exact(self, text: &str) -> Option<i64> {
        match self.read(text, true) {
            Read::Good(value) => Some(value),
            Read::Warned(..) | Read::Bad(_) => None,
        }
    }

    /// What may be written, in words.
    pub(in crate::config) fn hint(self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

/// A length of time: its unit, digits behind the point, and range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Time {
    /// Microseconds of one unit.
    unit: u64,
    /// Digits behind the point.
    digits: u32,
    pub(in crate::config) min: Micros,
    pub(in crate::config) max: Micros,
}

impl Time {
    /// Whole seconds.
    pub(in crate::config) const fn whole(min: u64, max: u64) -> Self {
        Self {
            unit: 1_000_000,
            digits: 0,
            min: Micros::from_secs(min),
            max: Micros::from_secs(max),
        }
    }

    /// Seconds with decimals; the range in microseconds.
    pub(in crate::config) const fn seconds(digits: u32, min: u64, max: u64) -> Self {
        Self {
            unit: 1_000_000,
            digits,
            min: Micros(min),
            max: Micros(max),
        }
    }

    /// Milliseconds with up to three decimals; the range in milliseconds.
    pub(in crate::config) const fn millis(min: u64, max: u64) -> Self {
        Self {
            unit: 1_000,
            digits: 3,
            min: Micros::from_millis(min),
            max: Micros::from_millis(max),
        }
    }

    /// Whole microseconds.
    pub(in crate::config) const fn micros(min: u64, max: u64) -> Self {
        Self {
            unit: 1,
            digits: 0,
            min: Micros(min),
            max: Micros(max),
        }
    }

    /// How the argument is called.
    pub(in crate::config) const fn args(self) -> &'static str {
        match self.unit {
            1 => "USECS",
            1_000 => "MSECS",
            _ => "SECS",
        }
    }

    fn plain(self, time: Micros, digits: u32) -> String {
        let whole = time.0 / self.unit;
        let Some(digits) = usize::try_from(digits).ok().filter(|digits| *digits > 0) else {
            return whole.to_string();
        };
        let fraction = format!("{:06}", (time.0 % self.unit) * (1_000_000 / self.unit));
        format!("{whole}.{}", fraction.get(..digits).unwrap_or_default())
    }

    /// The number as it is written, as short as possible.
    pub(in crate::config) fn print(self, time: Micros) -> String {
        let text = self.plain(time, self.digits);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    }

    /// Reads a number with decimals, rounded half up.
    pub(in crate::config) fn read(self, text: &str, test: bool) -> Read<Micros> {
        if self.digits == 0 {
            let number = |time: Micros| i64::try_from(time.0 / self.unit).unwrap_or(i64::MAX);
            let whole = Number {
                min: number(self.min),
                max: number(self.max),
                lenient: true,
                signed: false,
            };
            let micros = |value: i64| Micros(u64::try_from(value).unwrap_or(0).saturating_mul(self.unit));
            return match whole.read(text, test) {
                Read::Good(value) => Read::Good(micros(value)),
                Read::Warned(value, why) => Read::Warned(micros(value), why),
                Read::Bad(why) => Read::Bad(why),
            };
        }
        let trimmed = text.trim_start();
        if trimmed.starts_with('-') {
            return Read::Bad(Some(format!("negative number '{text}'")));
        }
        let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
        let (number, garbage) = digits.split_at(decimal_length(digits));
        if (number.trim_matches('.').is_empty() && !digits.is_empty()) || (!garbage.is_empty() && test) {
            return Read::Bad(Some(format!("invalid number '{text}'")));
        }
        let Some((value, surplus)) = self.decimal(number) else {
            return Read::Bad(Some(format!("number '{text}' outside unsigned decimal range")));
        };
        if value < self.min || value > self.max {
            let (min, max) = (self.plain(self.min, self.digits), self.plain(self.max, self.digits));
            return Read::Bad(Some(format!("number '{text}' outside range [{min}, {max}]")));
        }
        if !garbage.is_empty() {
            return Read::Warned(value, format!("WARNING - invalid number '{text}'"));
        }
        if surplus {
            return Read::Warned(value, format!("number '{text}' has too many decimal places"));
        }
        Read::Good(value)
    }

    /// The value, and whether there were more decimals than count.
    fn decimal(self, number: &str) -> Option<(Micros, bool)> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut value = whole.checked_mul(self.unit)?;
        let (mut place, mut surplus) = (self.unit, false);
        for (index, digit) in (0..self.digits.saturating_add(1)).zip(fraction.bytes()) {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            if index < self.digits {
                place /= 10;
                value = value.checked_add(digit * place)?;
            } else {
                surplus = true;
                value = value.checked_add(if digit >= 5 { place } else { 0 })?;
            }
        }
        Some((Micros(value), surplus))
    }

    /// What may be written, in words.
    pub(in crate::config) fn hint(self) -> String {
        let unit = match self.unit {
            1 => "microseconds",
            1_000 => "milliseconds",
            _ => "seconds",
        };
        format!("{unit} from {} to {}", self.print(self.min), self.print(self.max))
    }
}

/// How many bytes at the start are digits with at most one point.
fn decimal_length(text: &str) -> usize {
    let mut points = 0;
    let ends = |b: u8| {
        points += usize::from(b == b'.');
        !(b.is_ascii_digit() || (b == b'.' && points == 1))
    };
    text.bytes().position(ends).unwrap_or(text.len())
}

/// `true on yes` / `false off no`; nothing = true.
pub(in crate::config) fn truth(text: Option<&str>) -> Option<bool> {
    match text {
        None | Some("true" | "on" | "yes") => Some(true),
        Some("false" | "off" | "no") => Some(false),
        Some(_) => None,
    }
}

/// A number as C writes it: decimal, `0x` hexadecimal, `0` octal.
pub(in crate::config) fn c_number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_keepalived_reads_them() {
        let bad = |why: &str| Read::Bad(Some(why.to_owned()));
        for (text, value) in [
            ("010", Read::Good(10)),
            ("+5", Read::Good(5)),
            (" 5", Read::Good(5)),
            ("", Read::Good(0)),
            ("-3", Read::Good(-3)),
            ("0x10", bad("invalid number '0x10'")),
            ("5a", bad("invalid number '5a'")),
            ("x", bad("invalid number 'x'")),
            ("256", bad("number '256' outside range [-5, 255]")),
            ("99999999999", bad("number '99999999999' outside integer range")),
        ] {
            assert_eq!(strict(-5, 255).read(text, false), value, "{text:?}");
        }
        assert_eq!(strict(1, 5).read("-1", false), bad("negative number '-1'"));
        assert_eq!(
            number(1, 5).read("3s", false),
            Read::Warned(3, "WARNING - invalid number '3s'".into())
        );
        assert_eq!(number(1, 5).read("3s", true), bad("invalid number '3s'"));
    }

    #[test]
    fn times_are_read_as_keepalived_reads_them() {
        let time = Time::seconds(6, 0, 1_000_000_000);
        for (text, micros) in [("1.5", 1_500_000), (".5", 500_000), ("1.", 1_000_000), ("", 0)] {
            assert_eq!(time.read(text, true), Read::Good(Micros(micros)), "{text:?}");
        }
        for text in ["1e3", "1,5", "-1", "."] {
            assert!(matches!(time.read(text, true), Read::Bad(_)), "{text:?}");
        }
        assert!(matches!(
            time.read("1.12345678", true),
            Read::Warned(Micros(1_123_457), _)
        ));
        assert!(matches!(
            Time::seconds(3, 0, 9_000_000).read("0.0005", true),
            Read::Warned(Micros(1_000), _)
        ));
        let advert = Time::seconds(6, 10_000, 255_000_000);
        let outside = "number '0' outside range [0.010000, 255.000000]";
        assert_eq!(advert.read("0", true), Read::Bad(Some(outside.into())));
        assert_eq!(advert.print(Micros(1_250_000)), "1.25");
        assert_eq!(Time::whole(0, 10).print(Micros::from_secs(10)), "10");
        assert_eq!(truth(Some("YES")), None);
        assert_eq!(
            (c_number("0x10"), c_number("010"), c_number("9")),
            (Some(16), Some(8), Some(9))
        );
    }
}
