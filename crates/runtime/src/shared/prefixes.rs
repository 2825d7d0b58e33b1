//! Commands counted by their keys' prefixes, for `stats detail`: one map for each worker, which counts there alone.
//!
//! Whoever lists or clears the counts borrows each map for a small step. A worker that finds its map taken puts the count
//! by and makes it at the end of its turn, so that none is lost.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::Shared;
use crate::limits::{PREFIXES_MAX, PREFIXES_PER_STEP};

/// Counts by prefix, in the prefixes' order.
pub(crate) type Prefixes = BTreeMap<Box<[u8]>, PrefixCounts>;

/// What `stats detail dump` says of a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PrefixCounts {
    pub(crate) gets: u64,
    pub(crate) hits: u64,
    pub(crate) sets: u64,
    pub(crate) deletes: u64,
}

impl PrefixCounts {
    fn add(&mut self, other: &Self) {
        self.gets += other.gets;
        self.hits += other.hits;
        self.sets += other.sets;
        self.deletes += other.deletes;
    }
}

/// Counts that a worker could not make at once. They are its own.
#[derive(Default)]
pub(crate) struct LateCounts(RefCell<Prefixes>);

impl LateCounts {
    fn add(&self, prefix: &[u8], counts: &PrefixCounts) {
        let mut late = self.0.borrow_mut();
        match late.get_mut(prefix) {
            Some(sum) => sum.add(counts),
            None => {
                late.insert(prefix.into(), *counts);
            }
        }
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl Shared {
    /// Counts a command for a worker, or puts the count by where the worker's map is taken.
    pub(crate) fn count_prefix(
        &self,
        worker: usize,
        late: &LateCounts,
        prefix: &[u8],
        counts: &PrefixCounts,
    ) {
        match self.workers[worker].prefixes.borrow() {
            Some(mut prefixes) => self.add_prefix(&mut prefixes, prefix, counts),
            None => late.add(prefix, counts),
        }
    }

    /// Makes a worker's late counts; false if its map is still taken.
    pub(crate) fn count_late_prefixes(&self, worker: usize, late: &LateCounts) -> bool {
        if late.is_empty() {
            return true;
        }
        let Some(mut prefixes) = self.workers[worker].prefixes.borrow() else {
            return false;
        };
        for (prefix, counts) in late.0.take() {
            self.add_prefix(&mut prefixes, &prefix, &counts);
        }
        true
    }

    /// A prefix beyond the most that are kept is not counted.
    fn add_prefix(&self, prefixes: &mut Prefixes, prefix: &[u8], counts: &PrefixCounts) {
        if let Some(sum) = prefixes.get_mut(prefix) {
            return sum.add(counts);
        }
        let one_more = |kept| (kept < PREFIXES_MAX).then_some(kept + 1);
        if self.globals.prefixes.update(one_more) {
            prefixes.insert(prefix.into(), *counts);
        }
    }

    /// The next prefixes behind `after`, [`PREFIXES_PER_STEP`] at most, with the counts of all workers, and whether these
    /// were the last. `None` if a worker's map is taken.
    pub(crate) fn prefixes_behind(&self, after: Option<&[u8]>) -> Option<(Prefixes, bool)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut sums = Prefixes::new();
        for worker in &self.workers {
            let prefixes = worker.prefixes.borrow()?;
            let behind = prefixes.range::<[u8], _>((from, Bound::Unbounded));
            for (prefix, counts) in behind.take(PREFIXES_PER_STEP) {
                sums.entry(prefix.clone()).or_default().add(counts);
            }
            // The first so many of all are among the first so many of each.
            while sums.len() > PREFIXES_PER_STEP {
                sums.pop_last();
            }
        }
        let last = sums.len() < PREFIXES_PER_STEP;
        Some((sums, last))
    }

    /// Forgets all counts; false, and some are left, if a worker's map is taken.
    pub(crate) fn clear_prefixes(&self) -> bool {
        self.workers.iter().all(|worker| {
            let Some(mut prefixes) = worker.prefixes.borrow() else {
                return false;
            };
            self.globals.prefixes.take(prefixes.len() as u64);
            prefixes.clear();
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Globals;
    use crate::tunables::Tunables;

    const ONE_SET: PrefixCounts = PrefixCounts {
        gets: 0,
        hits: 0,
        sets: 1,
        deletes: 0,
    };

    fn shared(workers: usize) -> Shared {
        let globals = Globals::new(true, Tunables::default());
        let mut shared = Shared::new(Vec::new(), 0, 1, globals);
        shared.workers = (0..workers).map(|_| Default::default()).collect();
        shared
    }

    fn all(shared: &Shared) -> Prefixes {
        let (mut all, mut after) = (Prefixes::new(), None::<Box<[u8]>>);
        loop {
            let (mut more, last) = shared.prefixes_behind(after.as_deref()).expect("free");
            assert!(more.len() <= PREFIXES_PER_STEP);
            after = more.last_key_value().map(|(prefix, _)| prefix.clone());
            all.append(&mut more);
            if last {
                return all;
            }
        }
    }

    #[test]
    fn steps_list_each_prefix_once_with_all_workers_counts() {
        let shared = shared(3);
        let late = LateCounts::default();
        let count = 5 * PREFIXES_PER_STEP;
        for number in 0..count {
            // One worker knows all, one half of them, one a few far behind.
            let shares = [true, number % 2 == 0, number > count - 3];
            for worker in (0..3).filter(|&worker| shares[worker]) {
                let prefix = format!("{number:06}");
                shared.count_prefix(worker, &late, prefix.as_bytes(), &ONE_SET);
            }
        }
        let all = all(&shared);
        assert_eq!(all.len(), count);
        let sets: u64 = all.values().map(|counts| counts.sets).sum();
        assert_eq!(sets as usize, count + count / 2 + 2);
        assert!(shared.clear_prefixes());
        assert_eq!(shared.prefixes_behind(None), Some((Prefixes::new(), true)));
        assert_eq!(shared.globals.prefixes.get(), 0);
    }

    #[test]
    fn prefixes_are_bounded_and_those_known_go_on_counting() {
        let shared = shared(2);
        let late = LateCounts::default();
        for number in 0..PREFIXES_MAX + 10 {
            let worker = (number % 2) as usize;
            shared.count_prefix(worker, &late, &number.to_be_bytes(), &ONE_SET);
        }
        shared.count_prefix(0, &late, &0_u64.to_be_bytes(), &ONE_SET);
        let all = all(&shared);
        assert_eq!(all.len() as u64, PREFIXES_MAX);
        assert_eq!(all[&0_u64.to_be_bytes()[..]].sets, 2);
    }

    #[test]
    fn what_is_counted_while_the_map_is_taken_is_not_lost() {
        let shared = shared(1);
        let late = LateCounts::default();
        shared.count_prefix(0, &late, b"a", &ONE_SET);
        let taken = shared.workers[0].prefixes.borrow().expect("free");
        shared.count_prefix(0, &late, b"a", &ONE_SET);
        shared.count_prefix(0, &late, b"b", &ONE_SET);
        assert!(!shared.count_late_prefixes(0, &late));
        assert_eq!(shared.prefixes_behind(None), None);
        assert!(!shared.clear_prefixes());
        drop(taken);
        assert!(shared.count_late_prefixes(0, &late) && late.is_empty());
        let all = all(&shared);
        assert_eq!((all[&b"a"[..]].sets, all[&b"b"[..]].sets), (2, 1));
    }
}
