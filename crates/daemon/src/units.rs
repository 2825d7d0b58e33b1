//! Numbers, sizes and times as people write them: `64`, `64m`, `1g`, `300s`.
//!
//! A plain number keeps the unit that memcached gives it for the option at hand. Blanks around a value are skipped.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::refusal::Refusal;

/// Bytes in a KiB, a MiB.
pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// Microseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000;

const SIZE_UNITS: &[(&str, u64)] = &[
    ("b", 1),
    ("k", KIB),
    ("kb", KIB),
    ("kib", KIB),
    ("m", MIB),
    ("mb", MIB),
    ("mib", MIB),
    ("g", 1 << 30),
    ("gb", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1 << 40),
    ("tb", 1 << 40),
    ("tib", 1 << 40),
];

const TIME_UNITS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
];

/// A number within `range`.
pub(crate) fn number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, Refusal>
where
    T: FromStr + PartialOrd + Display,
{
    let text = text.trim();
    match text.parse() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => {
            let has_unit = text.starts_with(|c: char| c.is_ascii_digit())
                && text.ends_with(|c: char| c.is_ascii_alphabetic());
            let hint = match has_unit {
                true => "; it counts, and takes no unit: write all digits",
                false => "",
            };
            Err(Refusal::value(format!(
                "`{text}` is not a number from {} to {}{hint}",
                range.start(),
                range.end()
            )))
        }
    }
}

/// A size in bytes; a plain number counts units of `plain` bytes.
pub(crate) fn size(text: &str, plain: u64) -> Result<u64, Refusal> {
    scaled(text, SIZE_UNITS, plain).ok_or_else(|| {
        let unit = match plain {
            1 => "bytes",
            KIB => "kilobytes",
            _ => "megabytes",
        };
        Refusal::value(format!(
            "`{}` is not a size: write a number of {unit}, or one with the unit b, k, m, g or t (64m, 1.5g)",
            text.trim()
        ))
    })
}

/// A size in bytes that fits in 32 bits, as most of memcached's do.
pub(crate) fn size32(text: &str, plain: u64) -> Result<u32, Refusal> {
    u32::try_from(size(text, plain)?)
        .map_err(|_| Refusal::value(format!("`{}` is more than 4g allows", text.trim())))
}

/// A time in units of `plain` microseconds, which is also what a plain number counts.
pub(crate) fn time(text: &str, plain: u64) -> Result<u32, Refusal> {
    let unit = if plain == SECOND {
        "seconds"
    } else {
        "microseconds"
    };
    scaled(text, TIME_UNITS, plain)
        .filter(|micros| micros % plain == 0)
        .and_then(|micros| u32::try_from(micros / plain).ok())
        .ok_or_else(|| {
            Refusal::value(format!(
                "`{}` is not a time: write a number of {unit}, or one with the unit us, ms, s, m, h or d (300s, 1.5h) \
                 that makes whole {unit}",
                text.trim()
            ))
        })
}

/// A finite decimal number.
pub(crate) fn decimal(text: &str) -> Result<f64, Refusal> {
    let text = text.trim();
    let value = text.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| Refusal::value(format!("`{text}` is not a number such as 1.25")))
}

/// Digits, with a decimal point or without, and a unit out of `units`, multiplied; without a unit, `plain` stands for it.
/// What is less than the smallest unit is left out.
fn scaled(text: &str, units: &[(&str, u64)], plain: u64) -> Option<u64> {
    let text = text.trim();
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let (count, unit) = text.split_at(text.bytes().take_while(is_of_number).count());
    let unit = unit.trim().to_ascii_lowercase();
    let factor = if unit.is_empty() {
        plain
    } else {
        units.iter().find(|(name, _)| *name == unit)?.1
    };
    let (whole, fraction) = count.split_once('.').unwrap_or((count, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    let digits = u32::try_from(fraction.len()).ok()?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
    let part = part / 10u128.checked_pow(digits)?;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table = [
            ("64", MIB, Some(64 * MIB)),
            (" 64", MIB, Some(64 * MIB)),
            ("64m", MIB, Some(64 * MIB)),
            ("64M", 1, Some(64 * MIB)),
            ("64mb", 1, Some(64 * MIB)),
            ("64 MiB", 1, Some(64 * MIB)),
            ("1g", MIB, Some(1 << 30)),
            ("1048576", 1, Some(MIB)),
            ("512k", KIB, Some(512 * KIB)),
            ("512", KIB, Some(512 * KIB)),
            ("100b", MIB, Some(100)),
            ("0", MIB, Some(0)),
            ("", MIB, None),
            ("m", MIB, None),
            ("-1", MIB, None),
            ("1.5g", MIB, Some(3 << 29)),
            ("0.5", MIB, Some(MIB / 2)),
            ("1.05k", 1, Some(1075)),
            ("1.", MIB, None),
            (".5g", MIB, None),
            ("1.5.5g", MIB, None),
            ("1.0000000000000000000000000000000000000000g", MIB, None),
            ("18446744073709551615.9", 1, Some(u64::MAX)),
            ("64x", MIB, None),
            ("64s", MIB, None),
            ("18446744073709551616", 1, None),
            ("18446744073709551615", MIB, None),
        ];
        for (text, plain, expected) in table {
            assert_eq!(size(text, plain).ok(), expected, "{text:?} by {plain}");
        }
        assert_eq!(size32("4g", 1).ok(), None);
    }

    #[test]
    fn times() {
        let table = [
            ("300", SECOND, Some(300)),
            ("300s", SECOND, Some(300)),
            ("5m", SECOND, Some(300)),
            ("1h", SECOND, Some(3_600)),
            ("1d", SECOND, Some(86_400)),
            ("100", 1, Some(100)),
            ("100us", 1, Some(100)),
            ("1ms", 1, Some(1_000)),
            ("1s", 1, Some(1_000_000)),
            ("1500ms", SECOND, None),
            ("1.5s", SECOND, None),
            ("1.5m", SECOND, Some(90)),
            ("-5", SECOND, None),
            ("5k", SECOND, None),
            ("4294967296", SECOND, None),
        ];
        for (text, plain, expected) in table {
            assert_eq!(time(text, plain).ok(), expected, "{text:?} by {plain}");
        }
    }

    #[test]
    fn numbers() {
        let table = [
            ("20", Some(20)),
            (" 20", Some(20)),
            ("0", None),
            ("-1", None),
            ("101", None),
            ("20x", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(number(text, 1..=100).ok(), expected, "{text:?}");
        }
        assert_eq!(decimal("1.25").ok(), Some(1.25));
        assert!(decimal("nan").is_err() && decimal("one").is_err());
    }
}
