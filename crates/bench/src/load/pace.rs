//! When the requests of an open loop are due, and a timer that wakes the loop for the next.
//!
//! `epoll_wait` counts in milliseconds, which is a hundred requests at a rate of 100,000 a second; a timerfd counts in
//! nanoseconds.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::run::Arrivals;
use crate::workload::Random;

/// The schedule of one thread's requests.
pub(crate) struct Pace {
    arrivals: Arrivals,
    interval_ns: f64,
    due_ns: f64,
    random: Random,
    timer: OwnedFd,
    armed_for: Option<u64>,
}

impl Pace {
    /// `rate` requests a second, the first of them after `offset` of an interval, so that threads take turns.
    pub(crate) fn new(rate: f64, arrivals: Arrivals, offset: f64, seed: u64) -> Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )
        .context("cannot make a timer")?;
        let interval_ns = 1e9 / rate;
        Ok(Self {
            arrivals,
            interval_ns,
            due_ns: offset * interval_ns,
            random: Random::new(seed),
            timer,
            armed_for: None,
        })
    }

    pub(crate) fn register(&self, registry: &Registry, token: Token) -> std::io::Result<()> {
        registry.register(
            &mut SourceFd(&self.timer.as_raw_fd()),
            token,
            Interest::READABLE,
        )
    }

    /// When the next request is due.
    pub(crate) fn due_ns(&self) -> u64 {
        self.due_ns as u64
    }

    /// The next request was sent, or will not be.
    pub(crate) fn advance(&mut self) {
        self.due_ns += match self.arrivals {
            Arrivals::Even => self.interval_ns,
            Arrivals::Poisson => -(1.0 - self.random.unit()).ln() * self.interval_ns,
        };
    }

    /// How many requests fall due until `end_ns`, all of them too late to be sent.
    pub(crate) fn due_until(&mut self, end_ns: u64) -> u64 {
        let mut count = 0;
        while self.due_ns() < end_ns {
            self.advance();
            count += 1;
        }
        count
    }

    /// Wakes the loop when the next request is due. Setting the timer also clears a time that has passed, so it need
    /// not be read.
    pub(crate) fn arm(&mut self, now_ns: u64) -> Result<()> {
        let due = self.due_ns();
        if self.armed_for == Some(due) {
            return Ok(());
        }
        // Zero would turn the timer off.
        let wait = Duration::from_nanos(due.saturating_sub(now_ns).max(1));
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let wait =
            Timespec::try_from(wait).context("the next request is due too far in the future")?;
        let spec = Itimerspec {
            it_interval: zero,
            it_value: wait,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)
            .context("cannot set a timer")?;
        self.armed_for = Some(due);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_arrivals_keep_the_rate() {
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let mut pace = Pace::new(1000.0, arrivals, 0.0, 1).unwrap();
            let count = pace.due_until(100_000_000_000);
            assert!(
                (98_500..=101_500).contains(&count),
                "{arrivals:?}: {count} in 100 s"
            );
        }
    }
}
