//! A shard's own work, done by its owner between turns, and the pages it is granted.
//!
//! The process has one count of pages; a shard may hold as many as it was granted, the index counted in. It asks for
//! none itself: who borrows the shard sees [`Shard::spare_pages`] and grants what there is.

use slab::Slab as Numbered;

use crate::class::{ClassId, NO_CLASS};
use crate::index::Index;
use crate::item::{Item, RelTime};
use crate::page::Unused;
use crate::shard::Shard;

/// Segments of an index joined within one step.
const JOINS_PER_STEP: usize = 4;
/// Bytes of pages given up within one step. Giving them back to the system takes it some tens of microseconds.
const UNMAPPED_PER_STEP: usize = 256 * 1024;

impl Shard {
    /// Pages of its grant that the shard does not use, or that hold nothing.
    #[inline]
    pub fn spare_pages(&self) -> usize {
        (self.slab.grant + self.slab.empty_pages()).saturating_sub(self.slab.charged())
    }

    /// Pages that the shard may hold, the index counted in.
    pub fn granted(&self) -> usize {
        self.slab.grant
    }

    /// Lets the shard hold this many pages more.
    pub fn grant(&mut self, pages: usize) {
        self.slab.grant += pages;
    }

    /// Takes back what of the grant is not used, but for `keep` pages. Returns how many pages that is.
    pub fn take_back(&mut self, keep: usize) -> usize {
        let surplus = self.slab.grant.saturating_sub(self.slab.charged() + keep);
        self.slab.grant -= surplus;
        surplus
    }

    /// Makes the shard give up to `pages` of its grant, evicting what is on them. Returns how many it gave: fewer where
    /// nothing can go, or where what goes only pays for what the index has taken beyond the grant.
    pub fn give_up(&mut self, pages: usize, now: RelTime) -> usize {
        let mut given = 0;
        for _ in 0..pages {
            let has_room = self.slab.charged() < self.slab.grant
                || self.slab.unmap_any()
                || self.config.evictions && self.shed_page(now);
            if !has_room {
                break;
            }
            if self.slab.charged() < self.slab.grant {
                self.slab.grant -= 1;
                given += 1;
            }
        }
        given
    }

    /// Takes the memory of pages that were given up, to be dropped when the shard is lent no more.
    pub fn take_unused(&mut self) -> Unused {
        std::mem::take(&mut self.slab.pages.unused)
    }

    /// Takes over memory that another shard has given up: the next page that this one maps needs no system call.
    pub fn adopt(&mut self, unused: Unused) {
        self.slab.pages.adopt(unused);
    }

    /// Pages that a slab class has, by its 1-based id; 0 are those that no class has.
    pub fn pages_of(&self, class: u32) -> usize {
        match ClassId::from_id(class) {
            Some(class) => self.slab.class(class).ring.len(),
            None if class == 0 => self.slab.empty_pages(),
            None => 0,
        }
    }

    /// The class with the most pages, but for `other`.
    pub fn fullest_class_but(&self, other: u32) -> u32 {
        let ids = ClassId::all().map(|class| u32::from(class.id()));
        let others = ids.filter(|&id| id != other);
        others.max_by_key(|&id| self.pages_of(id)).unwrap_or(0)
    }

    /// Empties a page of a slab class, the one least worth keeping: its cold items go, warm ones move to other pages. It
    /// is free then for the next class that needs one. False if nothing can go, or nothing may (`-M`).
    pub fn free_page_of(&mut self, class: u32, now: RelTime) -> bool {
        match ClassId::from_id(class) {
            Some(class) => self.config.evictions && self.vacate_page_of(class, NO_CLASS, now),
            None => class == 0 && self.slab.empty_pages() > 0,
        }
    }

    /// Does a bounded share of the work that waits: gives back dead chunks, indexes and pages, joins sparse index
    /// segments, expires. `budget` is in chunks looked at. True if more waits.
    pub fn step(&mut self, budget: usize, now: RelTime) -> bool {
        self.reap();
        if let Some(dead) = self.dead_indexes.last_mut()
            && !dead.drop_block()
        {
            self.dead_indexes.pop();
        }
        self.join_segments();
        if self.chains.is_empty() {
            self.chains = Numbered::new();
        }
        self.charge_index();
        let crawling = self.crawl(budget, now);
        let mut unmaps = UNMAPPED_PER_STEP.div_ceil(self.slab.pages.page_bytes);
        while unmaps > 0 && self.slab.has_surplus() && self.slab.unmap_surplus() {
            unmaps -= 1;
        }
        crawling
            || unmaps == 0
            || !self.doomed.is_empty()
            || !self.dead_indexes.is_empty()
            || self.index.sparse()
    }

    fn join_segments(&mut self) {
        let Self {
            index,
            slab,
            hasher,
            ..
        } = self;
        for _ in 0..JOINS_PER_STEP {
            if index.sparse() {
                index.join(|id| hasher.hash(Item::new(slab.pages.chunk(id)).key()));
            }
        }
    }

    /// Bytes of the index and of those not yet dropped.
    pub(crate) fn index_bytes(&self) -> usize {
        self.index.bytes() + self.dead_indexes.iter().map(Index::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hint, KeyHasher, Moment, ShardConfig, StoreRequest, StoreVerb, Uniques, Value};

    struct Zero;

    impl Uniques for Zero {
        fn next(&self) -> u64 {
            0
        }
    }

    #[test]
    fn what_the_index_took_beyond_the_grant_is_paid_before_a_page_is_given() {
        let hasher = KeyHasher::with_seed(1);
        let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
        shard.grant(32);
        for number in 0_u32..1000 {
            let (verb, key) = (StoreVerb::Set, &number.to_le_bytes());
            let request = StoreRequest {
                verb,
                key,
                flags: 0,
                exptime: 0,
            };
            let at = Moment {
                now: 1,
                uniques: &Zero,
            };
            let value = Value::Bytes(&[0; 3000]);
            shard.store(hasher.hash(key), Hint::NONE, &request, value, at);
        }
        let charged = shard.slab.charged();
        assert_eq!(shard.granted(), 32);
        shard.slab.index_pages += 34 - charged;
        let given = [
            shard.give_up(1, 1),
            shard.give_up(1, 1),
            shard.give_up(1, 1),
        ];
        assert_eq!(given, [0, 0, 1]);
        assert_eq!((shard.slab.charged(), shard.granted()), (31, 31));
    }
}
