//! The number at the beginning of a file, as strtol(3) with base 0 reads it.

use crate::proto::FileReading;

/// So many bytes of a file are looked at.
pub(super) const LOOKED_AT: usize = 127;

/// The number; 0 if there is none.
pub(super) fn read(bytes: &[u8]) -> FileReading {
    let mut rest = bytes;
    // isspace(3) knows the vertical tab, Rust's notion of ASCII white space does not.
    while let [b' ' | b'\t'..=b'\r', after @ ..] = rest {
        rest = after;
    }
    let (negative, rest) = match rest {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, digits) = match rest {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => (16, digits),
        [b'0', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let mut sum: i64 = 0;
    for digit in digits.iter().map_while(|byte| char::from(*byte).to_digit(base)) {
        let digit = i64::from(if negative { 0 } else { digit }) - i64::from(if negative { digit } else { 0 });
        sum = sum.saturating_mul(i64::from(base)).saturating_add(digit);
    }
    i32::try_from(sum).map_or(FileReading::TooLarge(sum), FileReading::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_c_library_reads_them() {
        for (text, expected) in [
            ("10", 10),
            ("10\n", 10),
            ("  -30 rest", -30),
            ("\x0b\x0c\r\n\t +7", 7),
            ("0x1f", 31),
            ("-0X1F", -31),
            ("010", 8),
            ("08", 0),
            ("0x", 0),
            ("0xg", 0),
            ("", 0),
            ("-", 0),
            ("up", 0),
            ("2147483647", i32::MAX),
            ("-2147483648", i32::MIN),
        ] {
            assert_eq!(read(text.as_bytes()), FileReading::Number(expected), "{text:?}");
        }
        assert_eq!(read(b"99999999999"), FileReading::TooLarge(99_999_999_999));
        assert_eq!(read(b"-2147483649"), FileReading::TooLarge(-2_147_483_649));
        assert_eq!(read(&[b'9'; 100]), FileReading::TooLarge(i64::MAX));
        assert_eq!(
            read(&[&b"-"[..], &[b'9'; 100]].concat()),
            FileReading::TooLarge(i64::MIN)
        );
    }

    /// The C library is the judge.
    #[test]
    fn random_bytes_are_read_as_the_c_library_reads_them() {
        let mut random = 11_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below).unwrap()
        };
        let alphabet = b" \t\n\x0b-+0012345678999xXabcdefg\xff";
        for _ in 0..50_000 {
            let length = next(30);
            let bytes: Vec<u8> = (0..length).map(|_| alphabet[next(alphabet.len() as u64)]).collect();
            let judge = crate::sys::strtol(&bytes);
            let expected = i32::try_from(judge).map_or(FileReading::TooLarge(judge), FileReading::Number);
            assert_eq!(read(&bytes), expected, "{bytes:?}");
        }
    }
}
