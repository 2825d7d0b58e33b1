//! The two dialects of numbers on a line.
//!
//! *Strict*: digits, a `-` where the number is signed, not too long. Used for everything but *C*: what `strtoul` and
//! `strtol` make of it, for `flags` and `exptime` of the storage commands. Clients have come to rely on both.

/// A word where a number belongs; each method reads it as one kind of number, `None` if it is none.
#[derive(Clone, Copy)]
pub(crate) enum Number<'a> {
    /// One to nine digits, in which both dialects and all kinds agree.
    Plain(u32),
    /// Anything else.
    Word(&'a [u8]),
}

/// Longest strict number of 32 bits, and of 64, whatever zeros lead it.
const STRICT_32_LEN_MAX: usize = 11;
const STRICT_64_LEN_MAX: usize = 22;

impl Number<'_> {
    /// Strict, unsigned, 32 bits.
    #[inline(always)]
    pub(crate) fn u32(self) -> Option<u32> {
        match self {
            Self::Plain(value) => Some(value),
            Self::Word(word) => u32::try_from(strict(word, STRICT_32_LEN_MAX)?).ok(),
        }
    }

    /// Strict, unsigned, 64 bits.
    #[inline(always)]
    pub(crate) fn u64(self) -> Option<u64> {
        match self {
            Self::Plain(value) => Some(u64::from(value)),
            Self::Word(word) => strict(word, STRICT_64_LEN_MAX),
        }
    }

    /// Strict, signed, 32 bits.
    #[inline(always)]
    pub(crate) fn i32(self) -> Option<i32> {
        match self {
            Self::Plain(value) => i32::try_from(value).ok(),
            Self::Word(word) => strict_signed(word),
        }
    }

    /// C, for client flags: cut to 32 bits; nothing below zero.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the cut is the dialect's")]
    pub(crate) fn c_flags(self) -> Option<u32> {
        match self {
            Self::Plain(value) => Some(value),
            Self::Word(word) => match c_integer(word)? {
                (true, 1..) => None,
                (_, magnitude) => Some(magnitude as u32),
            },
        }
    }

    /// C, for exptime: within 64 bits, then cut to 32, so that 2³¹ turns negative and means expired.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "the cut is the dialect's")]
    pub(crate) fn c_exptime(self) -> Option<i32> {
        match self {
            Self::Plain(value) => i32::try_from(value).ok(),
            Self::Word(word) => {
                let (negative, magnitude) = c_integer(word)?;
                let value = if negative {
                    0_i64.checked_sub_unsigned(magnitude)
                } else {
                    i64::try_from(magnitude).ok()
                };
                value.map(|value| value as i32)
            }
        }
    }
}

/// Digits only, at most `len_max` of them.
#[cold]
fn strict(word: &[u8], len_max: usize) -> Option<u64> {
    if word.is_empty() || word.len() > len_max {
        return None;
    }
    word.iter()
        .try_fold(0_u64, |value, &byte| push_digit(value, byte))
}

#[cold]
fn strict_signed(word: &[u8]) -> Option<i32> {
    match word {
        [b'-', digits @ ..] => {
            let magnitude = strict(digits, STRICT_32_LEN_MAX - 1)?;
            i32::try_from(0_i64.checked_sub_unsigned(magnitude)?).ok()
        }
        digits => i32::try_from(strict(digits, STRICT_32_LEN_MAX)?).ok(),
    }
}

/// Sign and magnitude of what `strtoull` would take: white space, a sign, digits, and then the end, white space or a
/// NUL, behind which anything may stand. White space can be had here, since only blanks split words.
#[cold]
fn c_integer(word: &[u8]) -> Option<(bool, u64)> {
    let word = &word[word.iter().take_while(|&&byte| is_c_space(byte)).count()..];
    let (negative, digits) = match word {
        [sign @ (b'-' | b'+'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    let len = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match digits.get(len) {
        None | Some(0) => {}
        Some(&byte) if is_c_space(byte) => {}
        Some(_) => return None,
    }
    if len == 0 {
        return None;
    }
    let magnitude = digits[..len]
        .iter()
        .try_fold(0_u64, |value, &byte| push_digit(value, byte))?;
    Some((negative, magnitude))
}

/// `isspace` of the C locale.
fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn push_digit(value: u64, byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: PartialEq + std::fmt::Debug>(
        read: fn(Number<'static>) -> Option<T>,
        cases: &[(&'static str, Option<T>)],
    ) {
        for (word, expected) in cases {
            assert_eq!(read(Number::Word(word.as_bytes())), *expected, "{word:?}");
        }
    }

    #[test]
    fn strict_dialect() {
        check(
            Number::u32,
            &[
                ("0", Some(0)),
                ("003", Some(3)),
                ("4294967295", Some(u32::MAX)),
                ("4294967296", None),
                ("00000000001", Some(1)),
                ("000000000001", None),
                ("-0", None),
                ("-1", None),
                ("+1", None),
                ("\t1", None),
                ("1\t", None),
                ("0x1", None),
                ("", None),
            ],
        );
        check(
            Number::i32,
            &[
                ("-1", Some(-1)),
                ("-0", Some(0)),
                ("2147483647", Some(i32::MAX)),
                ("2147483648", None),
                ("-2147483648", Some(i32::MIN)),
                ("-2147483649", None),
                ("-0000000001", Some(-1)),
                ("-00000000001", None),
                ("--1", None),
                ("-", None),
            ],
        );
        check(
            Number::u64,
            &[
                ("18446744073709551615", Some(u64::MAX)),
                ("18446744073709551616", None),
                ("0000000000000000000001", Some(1)),
                ("00000000000000000000001", None),
                ("-1", None),
                ("1.5", None),
            ],
        );
    }

    #[test]
    fn c_dialect() {
        check(
            Number::c_flags,
            &[
                ("+5", Some(5)),
                ("\t5", Some(5)),
                ("5\tz", Some(5)),
                ("5\0z", Some(5)),
                ("5\r", Some(5)),
                ("5z", None),
                ("+", None),
                ("+-5", None),
                ("\t", None),
                ("4294967296", Some(0)),
                ("4294967297", Some(1)),
                ("18446744073709551615", Some(u32::MAX)),
                ("18446744073709551616", None),
                ("-0", Some(0)),
                ("-1", None),
                ("000000000000000000000000000007", Some(7)),
            ],
        );
        check(
            Number::c_exptime,
            &[
                ("+60", Some(60)),
                ("-1", Some(-1)),
                ("2147483648", Some(i32::MIN)),
                ("4294967296", Some(0)),
                ("9223372036854775807", Some(-1)),
                ("9223372036854775808", None),
                ("-9223372036854775808", Some(0)),
                ("-9223372036854775809", None),
                ("1s", None),
            ],
        );
    }
}
