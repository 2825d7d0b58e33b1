//! How long an item lives, said so that it cannot be misread.
//!
//! On the wire a number up to 30 days is seconds from now, a larger one is a Unix time, and zero is for ever: a
//! programme that computes a number of seconds gets one of the three by accident. A [`Ttl`] says which one it means.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an item lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ttl {
    /// Until it is deleted or evicted.
    #[default]
    Never,
    /// So long from now. Servers count in whole seconds: parts of one are rounded up, and nothing at all means that the
    /// item is expired at once.
    After(Duration),
    /// Until this time by the server's clock. A time that has passed means that the item is expired at once.
    At(SystemTime),
}

/// The longest relative time of the protocol; beyond it a number is a Unix time (protocol.txt, "Expiration times").
const RELATIVE_MAX_S: u64 = 60 * 60 * 24 * 30;

/// What the protocol takes for "already expired".
const EXPIRED: i32 = -1;

impl Ttl {
    /// So many seconds from now.
    #[must_use]
    pub const fn secs(seconds: u64) -> Self {
        Self::After(Duration::from_secs(seconds))
    }

    /// The number to send, at the time `now`. Servers read 32 bits, so no item lives beyond the 19th of January 2038.
    #[must_use]
    pub fn exptime(self, now: SystemTime) -> i32 {
        match self {
            Self::Never => 0,
            Self::After(wait) => {
                let seconds = seconds_up(wait);
                match seconds {
                    0 => EXPIRED,
                    1..=RELATIVE_MAX_S => clamp(seconds),
                    _ => clamp(unix_s(now).saturating_add(seconds)),
                }
            }
            Self::At(time) if time <= now => EXPIRED,
            Self::At(time) => match unix_s(time) {
                // A clock that stands in January 1970: the number would be read as a relative one.
                0..=RELATIVE_MAX_S => EXPIRED,
                seconds => clamp(seconds),
            },
        }
    }

    /// This, but no longer than `cap`; "never" is longer than any cap.
    #[must_use]
    pub fn at_most(self, cap: Duration, now: SystemTime) -> Self {
        let is_longer = match self {
            Self::Never => true,
            Self::After(wait) => wait > cap,
            Self::At(time) => time.duration_since(now).is_ok_and(|wait| wait > cap),
        };
        if is_longer { Self::After(cap) } else { self }
    }
}

pub(crate) fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, seconds_up)
}

fn clamp(seconds: u64) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn numbers_on_the_wire() {
        for (ttl, expected) in [
            (Ttl::Never, 0),
            (Ttl::secs(0), -1),
            (Ttl::After(Duration::from_millis(1)), 1),
            (Ttl::After(Duration::from_millis(1001)), 2),
            (Ttl::secs(2_592_000), 2_592_000),
            (Ttl::secs(2_592_001), 1_802_592_001),
            (
                Ttl::After(Duration::from_millis(2_592_000_001)),
                1_802_592_001,
            ),
            (Ttl::After(Duration::MAX), i32::MAX),
            (Ttl::At(at(NOW_S)), -1),
            (Ttl::At(at(NOW_S + 1)), 1_800_000_001),
            (Ttl::At(at(0)), -1),
            (Ttl::At(at(1 << 40)), i32::MAX),
        ] {
            assert_eq!(ttl.exptime(at(NOW_S)), expected, "{ttl:?}");
        }
        assert_eq!(
            Ttl::At(at(100)).exptime(at(50)),
            -1,
            "not 100 seconds from now"
        );
    }

    #[test]
    fn a_cap_holds_for_ever_too() {
        let (cap, now) = (Duration::from_secs(60), at(NOW_S));
        for (ttl, expected) in [
            (Ttl::Never, Ttl::secs(60)),
            (Ttl::secs(61), Ttl::secs(60)),
            (Ttl::secs(59), Ttl::secs(59)),
            (Ttl::At(at(NOW_S + 61)), Ttl::secs(60)),
            (Ttl::At(at(NOW_S + 59)), Ttl::At(at(NOW_S + 59))),
            (Ttl::At(at(0)), Ttl::At(at(0))),
        ] {
            assert_eq!(ttl.at_most(cap, now), expected);
        }
    }
}
