//! Who gives wrong passwords again and again has to wait: longer each time, and for all its connections together.

use std::collections::HashMap;
use std::time::Duration;

use crate::address::Address;
use crate::limits::{
    FAILURE_ADDRESSES_MAX, FAILURE_DELAY, FAILURE_DELAY_MAX, FAILURE_MEMORY, FAILURES_COUNTED,
};

const _: () = assert!(
    FAILURES_COUNTED < u32::BITS,
    "the delay is doubled so often"
);

/// The failures of an address.
struct Failures {
    count: u32,
    /// Nothing of it is judged before; on the clock of the process.
    until: Duration,
}

/// All addresses with failures of late; all clients of Unix sockets are one, which has none.
#[derive(Default)]
pub(super) struct Slow(HashMap<Option<Address>, Failures>);

impl Slow {
    /// When the next attempt of an address may be judged.
    pub(super) fn due(&self, address: Option<Address>) -> Duration {
        let failures = self.0.get(&address);
        failures.map_or(Duration::ZERO, |failures| failures.until)
    }

    /// Takes note of a failure.
    pub(super) fn failed(&mut self, address: Option<Address>, now: Duration) {
        self.forget(now);
        let failures = self.0.entry(address).or_insert(Failures {
            count: 0,
            until: now,
        });
        let delay = FAILURE_DELAY * (1 << failures.count);
        failures.count = (failures.count + 1).min(FAILURES_COUNTED);
        failures.until = now + delay.min(FAILURE_DELAY_MAX);
    }

    /// Takes note of a right password: half of the address's failures are forgiven. Not all of them, or whoever knows one
    /// password could guess at others without delay.
    pub(super) fn succeeded(&mut self, address: Option<Address>) {
        if let Some(failures) = self.0.get_mut(&address) {
            failures.count /= 2;
            if failures.count == 0 {
                self.0.remove(&address);
            }
        }
    }

    /// Forgets what is long ago; and if that leaves too many, the one that is let go soonest.
    fn forget(&mut self, now: Duration) {
        self.0
            .retain(|_, failures| failures.until + FAILURE_MEMORY > now);
        if self.0.len() < FAILURE_ADDRESSES_MAX {
            return;
        }
        let soonest = self.0.iter().min_by_key(|(_, failures)| failures.until);
        if let Some(address) = soonest.map(|(address, _)| *address) {
            self.0.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<Address> {
        Address::of(Some(([10, 0, 0, last], 1).into()))
    }

    #[test]
    fn each_failure_costs_more_and_costs_nobody_else() {
        let mut slow = Slow::default();
        let mut now = Duration::from_secs(100);
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            slow.failed(address(1), now);
            let delay = slow.due(address(1)) - now;
            assert!(delay >= last && delay <= FAILURE_DELAY_MAX);
            (last, now) = (delay, now + delay);
        }
        assert_eq!(last, FAILURE_DELAY_MAX);
        assert_eq!(slow.due(address(2)), Duration::ZERO);
    }

    #[test]
    fn clients_of_unix_sockets_are_one_address() {
        let mut slow = Slow::default();
        let now = Duration::from_secs(100);
        slow.failed(None, now);
        assert_eq!(slow.due(None), now + FAILURE_DELAY);
        assert_eq!(slow.due(address(1)), Duration::ZERO);
    }

    #[test]
    fn failures_are_forgotten_by_age_and_forgiven_by_halves() {
        let mut slow = Slow::default();
        let now = Duration::from_secs(100);
        (0..20).for_each(|_| slow.failed(address(1), now));
        let later = now + FAILURE_DELAY_MAX + FAILURE_MEMORY;
        slow.failed(address(1), later);
        assert_eq!(slow.due(address(1)) - later, FAILURE_DELAY);
        (0..20).for_each(|_| slow.failed(address(1), later));
        for _ in 0..2 {
            slow.succeeded(address(1));
        }
        slow.failed(address(1), later);
        assert!(slow.due(address(1)) - later < FAILURE_DELAY_MAX);
        for _ in 0..10 {
            slow.succeeded(address(1));
        }
        assert_eq!(slow.due(address(1)), Duration::ZERO);
    }

    #[test]
    fn no_more_addresses_are_kept_than_may_be() {
        let mut slow = Slow::default();
        for number in 0..2 * FAILURE_ADDRESSES_MAX as u32 {
            let address = Address::of(Some((number.to_be_bytes(), 1).into()));
            slow.failed(address, Duration::from_millis(number.into()));
        }
        assert_eq!(slow.0.len(), FAILURE_ADDRESSES_MAX);
        slow.failed(address(1), Duration::from_secs(10_000));
        assert_eq!(slow.0.len(), 1);
    }
}
