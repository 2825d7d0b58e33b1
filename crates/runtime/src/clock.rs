//! The only place where the process asks for the time.
//!
//! Seconds are counted from two seconds before the start, as memcached counts them: an exptime of 1 is then a second
//! that has passed, and 0 stays free to mean never.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder_store::RelTime;

/// Above this an exptime is an absolute Unix time (protocol.txt: 30 days).
const RELATIVE_EXPTIME_MAX: i32 = 60 * 60 * 24 * 30;

/// An exptime that has passed already.
const PASSED: RelTime = 1;

/// Tells seconds since the start, and what they are in Unix time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// Unix time at second 0.
    unix_origin: i64,
}

impl Clock {
    /// A clock that stands at second 2.
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        Self {
            start: Instant::now(),
            unix_origin: unix - 2,
        }
    }

    /// A clock for which the process started at this Unix time.
    #[cfg(any(test, feature = "harness"))]
    pub(crate) fn started_at(unix: i64) -> Self {
        Self {
            start: Instant::now(),
            unix_origin: unix - 2,
        }
    }

    /// Time since the start. Everything else about the present is told from such a reading, so that one is enough for
    /// a turn of a loop.
    #[inline]
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The present second.
    pub(crate) fn now(&self) -> RelTime {
        Self::second(self.elapsed())
    }

    /// The second that a reading falls in.
    #[inline]
    pub(crate) fn second(elapsed: Duration) -> RelTime {
        elapsed.as_secs() as RelTime + 2
    }

    /// How long after a reading the next second begins.
    #[inline]
    pub(crate) fn until_next_second(elapsed: Duration) -> Duration {
        Duration::from_nanos(1_000_000_000 - u64::from(elapsed.subsec_nanos()))
    }

    /// Seconds since the start.
    pub(crate) fn uptime_s(&self) -> u64 {
        self.elapsed().as_secs()
    }

    /// The present in Unix time, to the microsecond and as the system has it now.
    pub(crate) fn unix_time(&self) -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }

    /// A second in Unix time.
    pub(crate) fn unix(&self, second: RelTime) -> u64 {
        (self.unix_origin + i64::from(second)).max(0) as u64
    }

    /// The second that an exptime as sent means: 0 never, negative passed, up to 30 days from now, above that Unix time.
    #[inline]
    pub(crate) fn exptime(&self, sent: i32, now: RelTime) -> RelTime {
        match sent {
            0 => 0,
            ..0 => PASSED,
            1..=RELATIVE_EXPTIME_MAX => now + sent as RelTime,
            _ => self.second_of(i64::from(sent)),
        }
    }

    /// [`Self::exptime`] of the binary protocol, where the number is unsigned: what would be negative is far in the future.
    pub(crate) fn unsigned_exptime(&self, sent: u32, now: RelTime) -> RelTime {
        match i32::try_from(sent) {
            Ok(sent) => self.exptime(sent, now),
            Err(_) => self.second_of(i64::from(sent)),
        }
    }

    /// The second of a Unix time; the start and all before it have passed.
    fn second_of(&self, unix: i64) -> RelTime {
        let second = unix - self.unix_origin;
        if second <= 2 {
            PASSED
        } else {
            second as RelTime
        }
    }
}

/// Tells how long ago something was, to the daemon, which asks the system for no time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exptimes_mean_what_memcached_means() {
        let clock = Clock::started_at(1_700_000_002);
        let table = [
            (0, 0),
            (-1, PASSED),
            (i32::MIN, PASSED),
            (1, 101),
            (2_592_000, 2_592_100),
            (2_592_001, PASSED),
            (1_700_000_002, PASSED),
            (1_700_000_500, 500),
        ];
        for (sent, second) in table {
            assert_eq!(clock.exptime(sent, 100), second, "exptime {sent}");
        }
        assert_eq!(clock.unsigned_exptime(60, 100), 160);
        assert_eq!(clock.unsigned_exptime(u32::MAX, 100), 2_594_967_295);
    }
}
