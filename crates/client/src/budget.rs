//! How many calls may be tried again: a share of those that go well, so that retries never multiply an outage.

use std::sync::atomic::{AtomicU32, Ordering};

/// Hundredths of a retry that are left.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU32);

/// What each good call pays in: one retry for ten of them.
const EARNED: u32 = 10;
/// What a retry costs.
const COST: u32 = 100;
/// The most that can be saved up: ten retries.
const SAVED_MAX: u32 = 1000;

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(SAVED_MAX))
    }
}

impl Budget {
    /// A call went well.
    pub(crate) fn earn(&self) {
        // A full budget, the usual case, is only read.
        if self.0.load(Ordering::Relaxed) < SAVED_MAX {
            let add = |left: u32| Some((left + EARNED).min(SAVED_MAX));
            let _ = self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    /// Whether a call may be tried again.
    pub(crate) fn spend(&self) -> bool {
        let take = |left: u32| left.checked_sub(COST);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_one_in_ten() {
        let budget = Budget::default();
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 10);
        let retried = (0..100).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(retried.count(), 10);
        (0..1000).for_each(|_| budget.earn());
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 10);
    }
}
