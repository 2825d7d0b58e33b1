//! Who has the pages: the process's limit, what is free of it, what each shard was granted.
//!
//! Nobody keeps a table of pages: a page is granted by a number that goes up here and down there, and a shard that needs
//! one takes it from the free ones or makes the fullest other shard give one up.

use std::cmp::Reverse;

use larder_store::{Events, RelTime, Shard, Unused, shard_bytes_max};

use super::{Lent, Shared};

/// Pages of its grant that a shard need not give back though it does not use them.
const SPARE_PAGES: usize = 4;

/// Pages that a shard is left with when another needs them for one large value.
const LEFT_TO_OTHERS: usize = 8;

/// Bytes of pages that a shard gives up in one step when the limit was lowered.
const BYTES_GIVEN_PER_STEP: u64 = 256 * 1024;

/// Steps of housekeeping that one turn has time for.
const STEPS_PER_TURN: usize = 4;

impl Shared {
    /// Makes sure that a lent shard has `pages` more pages of grant, as far as there are any: free ones first, then
    /// from the fullest shard, if this one has less than its share or needs more than that for one value.
    #[inline]
    pub(crate) fn provide(
        &self,
        index: usize,
        lent: &mut Lent,
        pages: usize,
        value_pages: usize,
        now: RelTime,
    ) {
        if lent.shard.spare_pages() < pages {
            self.provide_slow(index, lent, pages, value_pages, now);
        }
    }

    #[cold]
    fn provide_slow(
        &self,
        index: usize,
        lent: &mut Lent,
        pages: usize,
        value_pages: usize,
        now: RelTime,
    ) {
        let before = lent.shard.granted();
        let share = self.share();
        // A quarter more than the value, for the heads and the rest of what the shard holds.
        let wanted = if value_pages == 0 {
            0
        } else {
            value_pages + value_pages / 4 + 4
        };
        while lent.shard.spare_pages() < pages {
            let granted = lent.shard.granted();
            if !self.take_free() {
                let from_fullest = |left| self.take_from_fullest(index, left, now);
                let given = (granted < share)
                    .then(|| from_fullest(share))
                    .flatten()
                    .or_else(|| (granted < wanted).then(|| from_fullest(LEFT_TO_OTHERS))?);
                match given {
                    Some(memory) => lent.shard.adopt(memory),
                    None => break,
                }
            }
            lent.shard.grant(1);
        }
        if lent.shard.granted() != before {
            self.publish(index, &lent.shard);
        }
    }

    /// Pages of each shard, were all the same.
    fn share(&self) -> usize {
        (self.total_pages().max(0) as usize).div_ceil(self.shards())
    }

    /// Pages that a shard may count on: what it has, and at least its share.
    pub(crate) fn room(&self, shard: &Shard) -> usize {
        shard.granted().max(self.share())
    }

    fn take_free(&self) -> bool {
        let one_less = |free: u64| (free as i64 > 0).then(|| free - 1);
        self.free_pages() > 0 && self.free_pages.update(one_less)
    }

    fn free_pages(&self) -> i64 {
        self.free_pages.get() as i64
    }

    /// Makes the fullest other shard that has more than `left`, is not taken just now and has something to give up, give
    /// up a page. Its memory comes along, unless it was the index's.
    fn take_from_fullest(&self, index: usize, left: usize, now: RelTime) -> Option<Unused> {
        let granted = |other: usize| self.granted[other].get() as usize;
        let mut others: Vec<usize> = (0..self.shards())
            .filter(|&other| other != index && granted(other) > left)
            .collect();
        others.sort_by_key(|&other| Reverse(granted(other)));
        others.into_iter().find_map(|other| {
            let mut lent = self.borrow(other)?;
            let given = lent.shard.give_up(1, now) == 1;
            self.publish(other, &lent.shard);
            given.then(|| lent.shard.take_unused())
        })
    }

    fn publish(&self, index: usize, shard: &Shard) {
        self.granted[index].set(shard.granted() as u64);
    }

    /// The owner's own work on a shard, in steps. True if more waits. What the shard has noted goes to `events`.
    pub(crate) fn keep_house(
        &self,
        index: usize,
        budget: usize,
        now: RelTime,
        events: &mut Vec<Events>,
    ) -> bool {
        for _ in 0..STEPS_PER_TURN {
            let Some(mut lent) = self.borrow(index) else {
                return true;
            };
            let more = self.step(index, &mut lent, budget, now);
            let unused = lent.shard.take_unused();
            events.extend(lent.shard.take_events());
            // What gives memory back to the system is not to be done while the shard is lent.
            drop(lent);
            drop(unused);
            if !more {
                return false;
            }
        }
        true
    }

    /// A step of a shard's housekeeping, then of what the process wants of its pages. True if more waits.
    fn step(&self, index: usize, lent: &mut Lent, budget: usize, now: RelTime) -> bool {
        let mut more = lent.shard.step(budget, now);
        let back = lent.shard.take_back(SPARE_PAGES);
        self.free_pages.add(back as u64);
        let debt = -self.free_pages();
        if debt > 0 {
            let excess = lent.shard.granted().saturating_sub(self.share());
            let at_once = BYTES_GIVEN_PER_STEP.div_ceil(self.page_bytes) as usize;
            let given = lent
                .shard
                .give_up(excess.min(debt as usize).min(at_once), now);
            self.free_pages.add(given as u64);
            more |= given > 0 && (given as i64) < debt;
        }
        self.publish(index, &lent.shard);
        more
    }

    fn total_pages(&self) -> i64 {
        self.pages_in(self.limit_bytes.get())
    }

    fn pages_in(&self, bytes: u64) -> i64 {
        (bytes / self.page_bytes) as i64
    }

    /// Bytes for items and index.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes.get()
    }

    /// Moves the limit. Shards follow in steps. False, and nothing is changed, for more than the shards can ever hold.
    pub(crate) fn set_limit_bytes(&self, bytes: u64) -> bool {
        if bytes > shard_bytes_max(self.page_bytes as usize) * self.shards() as u64 {
            return false;
        }
        let old = self.limit_bytes.swap(bytes);
        let more = self.pages_in(bytes) - self.pages_in(old);
        self.free_pages.add(more as u64);
        true
    }
}
