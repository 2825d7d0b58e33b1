//! Who gives wrong passwords again and again has to wait: longer each time, and for all its connections together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::limits::{FAILURE_ADDRESSES_MAX, FAILURE_DELAY, FAILURE_DELAY_MAX, FAILURE_MEMORY};
use crate::shared::ConnInfo;

/// Where connections come from: an address, of IPv6 the network of 64 bits that one site has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(IpAddr);

impl Address {
    /// Of a connection; those by the Unix socket have none.
    pub(super) fn of(info: &ConnInfo) -> Option<Self> {
        Some(Self(match info.remote?.ip().to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
            v4 => v4,
        }))
    }
}

/// The failures of an address.
struct Failures {
    count: u32,
    /// Nothing of it is judged before; on the clock of the process.
    until: Duration,
}

/// All addresses with failures of late.
#[derive(Default)]
pub(super) struct Slow(HashMap<Address, Failures>);

impl Slow {
    /// When the next attempt of an address may be judged.
    pub(super) fn due(&self, address: Option<Address>) -> Duration {
        let failures = address.and_then(|address| self.0.get(&address));
        failures.map_or(Duration::ZERO, |failures| failures.until)
    }

    /// Takes note of a failure.
    pub(super) fn failed(&mut self, address: Option<Address>, now: Duration) {
        let Some(address) = address else { return };
        self.forget(now);
        let failures = self.0.entry(address).or_insert(Failures {
            count: 0,
            until: now,
        });
        let delay = FAILURE_DELAY.saturating_mul(1 << failures.count.min(10));
        failures.count += 1;
        failures.until = now + delay.min(FAILURE_DELAY_MAX);
    }

    /// Forgets what is long ago; and if that leaves too many, the one that is let go soonest.
    fn forget(&mut self, now: Duration) {
        if self.0.len() < FAILURE_ADDRESSES_MAX {
            return;
        }
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
        Some(Address(IpAddr::from([10, 0, 0, last])))
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
        slow.failed(None, now);
        assert_eq!(slow.due(None), Duration::ZERO);
    }

    #[test]
    fn no_more_addresses_are_kept_than_may_be() {
        let mut slow = Slow::default();
        for number in 0..2 * FAILURE_ADDRESSES_MAX as u32 {
            let address = Address(IpAddr::from(number.to_be_bytes()));
            slow.failed(Some(address), Duration::from_millis(number.into()));
        }
        assert_eq!(slow.0.len(), FAILURE_ADDRESSES_MAX);
        slow.failed(address(1), Duration::from_secs(10_000));
        assert_eq!(slow.0.len(), 1);
    }

    #[test]
    fn a_site_of_ipv6_is_one_address() {
        let of = |text: &str| {
            let remote = text.parse().expect("an address");
            Address::of(&ConnInfo::new(
                3,
                Some(remote),
                String::new(),
                String::new(),
                2,
                0,
            ))
        };
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:2]:9"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("[::ffff:10.0.0.1]:1"), of("10.0.0.1:2"));
    }
}
