//! Times as people write them.

use std::time::Duration;

use larder_client::Ttl;

/// Reads a whole number with `ms`, `s`, `m`, `h` or `d` behind it; without any it is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    let product = number
        .zip(millis)
        .and_then(|(number, millis)| number.checked_mul(millis));
    product
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a time such as 500ms, 30s, 5m, 12h or 7d".to_owned())
}

/// Reads how long an item lives, from now: a time, or `never` for until it is deleted or evicted.
pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "never" => Ok(Ttl::Never),
        _ => duration(text).map(Ttl::After),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, millis) in [
            ("0", 0),
            ("90", 90_000),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("31d", 2_678_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "+1",
            "1.5s",
            "1 s",
            "1w",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(ttl("never"), Ok(Ttl::Never));
        assert_eq!(ttl("60"), Ok(Ttl::After(Duration::from_secs(60))));
        assert!(ttl("soon").is_err());
    }
}
