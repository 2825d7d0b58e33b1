//! Finding a chunk for a write: what is free, else what is least worth keeping.
//!
//! Within a slab class a hand goes round the chunks of its pages (the *page clock*): an item that was fetched since
//! the hand last came by is let off, once for each of up to three fetches; one that was not is evicted. No links, no
//! lists, nothing to do on a hit but to raise two bits in the header that the hit has touched anyway.
//!
//! Between classes, pages move. The page that a class's hand comes to next stands for what the class would lose;
//! it is worth the less, the longer ago the hand was there (counted in bytes stored by the shard) and the larger
//! its items, for then a byte of it brings fewer hits. When a hand is about to begin a page, and another
//! class's is worth less than half, that one is taken instead: its cold items go, warm ones move.
//! A page that was not looked at while three times the shard's memory was stored is *stale* and goes before any that
//! is not, or small values would be held whatever happens. But if most of it was fetched meanwhile it is let off once.
//! After a visit for another class's sake, such as this one, it is stale again when the shard's memory was stored once.
//!
//! What was tried, by replaying the two traces (five memory sizes, four shards, everything charged; miss ratio at the
//! least memory of orm-busy / scarab; memcached 1.6.18 at the same resident size: .0367 / .3485):
//!
//! | rule | orm-busy | scarab |
//! |---|---|---|
//! | **this one** | **.01645** | **.25642** |
//! | the same, pages not weighed by item size | .02107 | .29605 |
//! | the same, by the square root of it | .01839 | .26439 |
//! | the same, a margin of 1.1, 1.5, 4 instead of 2 (an earlier form: .01690 / .25611) | .01729, .01706, .01661 | .25995, .25682, .25735 |
//! | the same, 1, 2 or 7 fetches remembered instead of 3 | .01657, .01654, .01672 | .25893, .25671, .25652 |
//! | the same, warm items of a taken page evicted | .01710 | .26310 |
//! | the same, a probation ring of 10 % and a ghost table (S3-FIFO's idea) | .01707 | .25783 |
//! | no moving of pages | .01719 | .27948 |
//! | without slab classes: exact LRU | .01692 | .28556 |
//! | without slab classes: SIEVE, S3-FIFO | .01690, .01698 | .29627, .28051 |
//! | without slab classes: GDSF, which knows every item's size and count | .01567 | .24887 |
//! | nothing evicted at all | .01527 | .20749 |
//!
//! Sizes in these traces are drawn by rule, independent of popularity, which flatters weighing by size; differences
//! under half a percent are noise.

use crate::chunk::{ChunkId, PageId};
use crate::class::{ClassId, NO_CLASS};
use crate::item::{self, ChunkState, Item, ItemMut, Piece, RelTime};
use crate::limits::{EVICT_LOOKS, RESCUE_LOOKS, RESCUE_LOOKS_PER_PAGE};
use crate::shard::Shard;

/// How many times less another class's page must be worth to be taken in place of one's own.
const DONOR_MARGIN: u64 = 2;

/// A page is stale when the shard has stored this many times its memory since the page was last looked at.
const STALE_AFTER: u64 = 3;

/// The same if that look was for another class's sake: its own class has been without need of it for longer.
const STALE_AFTER_LENT: u64 = 1;

/// Pages of a class that are tried before it is held to have none that can be taken.
const DONOR_PAGES_TRIED: usize = 4;

/// How little a page is worth: stale pages before all others, then by age times chunk size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Staleness {
    stale: bool,
    score: u64,
}

/// What to do with a chunk that the hand has come to.
enum Verdict {
    /// Not an item that could be evicted now.
    Pass,
    /// It was fetched since: one more round.
    Cool(ChunkId),
    /// Evict this item.
    Evict(ChunkId),
}

impl Shard {
    /// A chunk of the class. `None` when there is no memory and nothing may be evicted, or nothing can be.
    pub(crate) fn alloc(&mut self, class: ClassId, now: RelTime) -> Option<ChunkId> {
        if let Some(chunk) = self.slab.take_chunk(class) {
            return Some(chunk);
        }
        self.settle_index(now);
        let mut pins = 1;
        loop {
            if let Some(chunk) = self.slab.take_chunk(class) {
                return Some(chunk);
            }
            let found = self.slab.add_page(class, now)
                || self.reap()
                || self.limit_orphans()
                || self.config.evictions && self.make_room(class, now);
            if found {
                continue;
            }
            // An item may have any number of readers: one by one, as many looks for room would follow.
            if self.config.evictions && self.revoke_slowest(pins) {
                pins *= 2;
            } else if !self.revoke_stalled_pendings(now) {
                return None;
            }
        }
    }

    /// The index may have grown beyond the grant: a page makes room for it.
    fn settle_index(&mut self, now: RelTime) {
        if self.slab.charged() > self.slab.grant && !self.slab.unmap_any() && self.config.evictions
        {
            self.shed_page(now);
        }
        // What may not be mapped again now is not to wait for the owner's next step, though the shard is lent: the index
        // grows by a page's worth seldom enough.
        if self.slab.charged() >= self.slab.grant {
            drop(self.take_unused());
        }
    }

    /// Frees a chunk of the class, or a page. False if all that is left is in use.
    fn make_room(&mut self, class: ClassId, now: RelTime) -> bool {
        if self.at_page_start(class, now)
            && let Some(donor) = self.donor(class)
            && !self.let_off_page_of(donor, now)
            && self.vacate_page_of(donor, class.id(), now)
        {
            return true;
        }
        self.evict_one(class, EVICT_LOOKS, now)
            || self.force_out(class, now)
            || self.vacate_any_page(class.id(), now)
    }

    /// Whether the class's hand is about to begin a page, or has none.
    fn at_page_start(&mut self, class: ClassId, now: RelTime) -> bool {
        let own = self.slab.class(class);
        let Some(first) = own.ring.first() else {
            return true;
        };
        if own.hand >= self.slab.pages.page(first).fresh {
            self.slab.rotate(class, false, now);
        }
        self.slab.class(class).hand == 0
    }

    /// How little the page that the class's hand comes to next is worth. `None` if the class has no page.
    fn staleness(&self, class: ClassId) -> Option<Staleness> {
        let first = self.slab.class(class).ring.first()?;
        let page = self.slab.pages.page(first);
        let age = self.slab.clock - page.stamp;
        let score = age * u64::from(self.slab.class(class).stats.chunk_size);
        let memory = (self.slab.grant * self.slab.pages.page_bytes) as u64;
        let stale_after = if page.lent_visit {
            STALE_AFTER_LENT
        } else {
            STALE_AFTER
        };
        Some(Staleness {
            stale: age > stale_after * memory,
            score,
        })
    }

    /// Lets the class's next page off if it is stale and most of its items were fetched since it was last looked at:
    /// it goes to the end of the ring, its items a little cooler.
    fn let_off_page_of(&mut self, class: ClassId, now: RelTime) -> bool {
        let stale = self.staleness(class).is_some_and(|donor| donor.stale);
        let Some(page) = self.slab.class(class).ring.first().filter(|_| stale) else {
            return false;
        };
        let (mut warm, mut cold) = (0, 0);
        for index in 0..self.slab.pages.page(page).fresh as usize {
            match self.judge(ChunkId::new(page, index), now) {
                Verdict::Pass => {}
                Verdict::Cool(id) => {
                    ItemMut(self.slab.pages.chunk_mut(id)).cool();
                    warm += 1;
                }
                Verdict::Evict(_) => cold += 1,
            }
        }
        if warm <= cold {
            return false;
        }
        self.slab.rotate(class, true, now);
        true
    }

    /// The class whose next page is worth least, if that is clearly less than what `class` would evict of its own.
    fn donor(&self, class: ClassId) -> Option<ClassId> {
        let others = ClassId::all().filter(|&other| other != class);
        let (worst, donor) = others
            .filter_map(|other| Some((self.staleness(other)?, other)))
            .max_by_key(|(worst, _)| *worst)?;
        let taken = match self.staleness(class) {
            None => true,
            Some(own) if worst.stale != own.stale => worst.stale,
            Some(own) => worst.score > own.score.saturating_mul(DONOR_MARGIN),
        };
        taken.then_some(donor)
    }

    /// Lets the hand of the class look at up to `looks` chunks, until an item is evicted.
    fn evict_one(&mut self, class: ClassId, looks: usize, now: RelTime) -> bool {
        // Thrice round, all are cold that were not fetched meanwhile.
        let round = self.slab.class(class).stats.used_chunks as usize;
        for _ in 0..looks.min(4 * round) {
            let Some(chunk) = self.advance_hand(class, now) else {
                return false;
            };
            match self.judge(chunk, now) {
                Verdict::Pass => {}
                Verdict::Cool(id) => {
                    ItemMut(self.slab.pages.chunk_mut(id)).cool();
                    self.slab.stats_of(id).moves_within_lru += 1;
                }
                Verdict::Evict(id) => {
                    self.slab.class_mut(class).stats.direct_reclaims += 1;
                    self.evict(id, now);
                    return true;
                }
            }
        }
        false
    }

    /// Nothing cold turned up within bounds: evicts the next item that may go at all.
    fn force_out(&mut self, class: ClassId, now: RelTime) -> bool {
        let round = self.slab.class(class).stats.used_chunks as usize;
        for _ in 0..EVICT_LOOKS.min(round) {
            let Some(chunk) = self.advance_hand(class, now) else {
                return false;
            };
            if let Some(id) = self.evictable(chunk) {
                self.evict(id, now);
                return true;
            }
        }
        false
    }

    /// The next chunk in use under the hand of the class; `None` if the class has no page.
    fn advance_hand(&mut self, class: ClassId, now: RelTime) -> Option<ChunkId> {
        loop {
            let entry = self.slab.class_mut(class);
            let page = entry.ring.first()?;
            let index = entry.hand as usize;
            entry.hand += 1;
            if index >= self.slab.pages.page(page).fresh as usize {
                let lent = self.moving != ChunkId::NONE;
                self.slab.rotate(class, lent, now);
                continue;
            }
            let chunk = ChunkId::new(page, index);
            if item::state(self.slab.pages.chunk(chunk)) != ChunkState::Free {
                return Some(chunk);
            }
        }
    }

    /// What eviction may do with a chunk. A chunked item is judged wherever one of its chunks is met, but cools only at
    /// its first piece, or its many chunks would cool it many times a round.
    fn judge(&self, chunk: ChunkId, now: RelTime) -> Verdict {
        let Some(id) = self.evictable(chunk) else {
            return Verdict::Pass;
        };
        let item = Item::new(self.slab.pages.chunk(id));
        if item.heat() == 0 || item.expired(now) {
            return Verdict::Evict(id);
        }
        let counts = !item.chunked()
            || self
                .chains
                .get(item.chain())
                .is_some_and(|chain| chain.first == chunk);
        if counts {
            Verdict::Cool(id)
        } else {
            Verdict::Pass
        }
    }

    /// The item that the chunk is part of, if it may be evicted.
    fn evictable(&self, chunk: ChunkId) -> Option<ChunkId> {
        let id = self.item_of(chunk)?;
        let held =
            id == self.guard || id == self.moving || Item::new(self.slab.pages.chunk(id)).pinned();
        (!held).then_some(id)
    }

    /// The findable item that the chunk is part of.
    fn item_of(&self, chunk: ChunkId) -> Option<ChunkId> {
        let bytes = self.slab.pages.chunk(chunk);
        match item::state(bytes) {
            ChunkState::Item => Some(chunk),
            ChunkState::Piece => {
                let head = self.chain_of(Piece(bytes))?.head;
                (head != ChunkId::NONE && self.is_linked(head)).then_some(head)
            }
            ChunkState::Free | ChunkState::Orphan => None,
        }
    }

    /// Removes an item to make room, and counts what it was.
    pub(crate) fn evict(&mut self, id: ChunkId, now: RelTime) {
        let item = Item::new(self.slab.pages.chunk(id));
        let unfetched = u64::from(!item.fetched());
        let (expired, exptime, hot) = (item.expired(now), item.exptime(), item.heat() > 0);
        let idle_s = now.saturating_sub(item.accessed());
        if !expired {
            self.note_evicted(id, now);
        }
        let stats = self.slab.stats_of(id);
        if expired {
            stats.reclaimed += 1;
            stats.expired_unfetched += unfetched;
        } else {
            stats.evicted += 1;
            stats.evicted_nonzero += u64::from(exptime != 0);
            stats.evicted_time_s = idle_s;
            stats.evicted_unfetched += unfetched;
            stats.evicted_active += u64::from(hot);
        }
        self.unlink(self.hash_of(id), id);
    }

    /// Empties the page of the class that is worth least and can be emptied, for the class of id `to` or, by 0, for none.
    pub(crate) fn vacate_page_of(&mut self, class: ClassId, to: u8, now: RelTime) -> bool {
        for _ in 0..DONOR_PAGES_TRIED.min(self.slab.class(class).ring.len()) {
            let Some(page) = self.slab.class(class).ring.first() else {
                return false;
            };
            if self.vacate(page, now) {
                self.note_page_moved(class.id(), to);
                return true;
            }
            self.slab.rotate(class, true, now);
        }
        false
    }

    /// Empties a page of any class, the least worth keeping first; `to` as in [`Self::vacate_page_of`].
    fn vacate_any_page(&mut self, to: u8, now: RelTime) -> bool {
        let mut classes: Vec<(Staleness, ClassId)> = ClassId::all()
            .filter_map(|class| Some((self.staleness(class)?, class)))
            .collect();
        classes.sort_unstable();
        classes
            .into_iter()
            .rev()
            .any(|(_, class)| self.vacate_page_of(class, to, now))
    }

    /// Empties a page, or others of the large values that were on it: what is warm moves to free chunks of its class, the
    /// rest is evicted. False, with nothing done, if something on it cannot go now.
    fn vacate(&mut self, page: PageId, now: RelTime) -> bool {
        if self.page_is_held(page) {
            return false;
        }
        let epoch = self.slab.epoch;
        let mut looks_left = RESCUE_LOOKS_PER_PAGE;
        for index in 0..self.slab.pages.page(page).fresh as usize {
            let entry = self.slab.pages.page(page);
            if entry.used == 0 || entry.epoch != epoch {
                break;
            }
            let chunk = ChunkId::new(page, index);
            let Some(id) = self.item_of(chunk) else {
                continue;
            };
            if id != chunk || !self.rescue(chunk, &mut looks_left, now) {
                self.tallies.page_move_evictions += 1;
                self.evict(id, now);
            }
        }
        // Of large values that were on it, pieces are given back until there is a page, this one or another: not all of
        // them, which may be any number.
        while self.slab.empty_pages() == 0 && self.reap() {}
        self.tallies.pages_moved += 1;
        true
    }

    /// Whether a page holds something that can be neither evicted nor moved: a value on its way in, one being read.
    fn page_is_held(&self, page: PageId) -> bool {
        (0..self.slab.pages.page(page).fresh as usize).any(|index| {
            let chunk = ChunkId::new(page, index);
            let bytes = self.slab.pages.chunk(chunk);
            match item::state(bytes) {
                ChunkState::Free => false,
                ChunkState::Orphan => true,
                ChunkState::Item => Item::new(bytes).pinned() || chunk == self.guard,
                ChunkState::Piece => match self.chain_of(Piece(bytes)) {
                    Some(chain) if chain.head != ChunkId::NONE => {
                        let head = Item::new(self.slab.pages.chunk(chain.head));
                        head.pinned() || chain.head == self.guard
                    }
                    Some(chain) => !chain.doomed,
                    None => false,
                },
            }
        })
    }

    /// Moves a warm item, a little cooler, to another page of its class: to a free chunk, or one that the hand frees.
    fn rescue(&mut self, chunk: ChunkId, looks_left: &mut usize, now: RelTime) -> bool {
        let item = Item::new(self.slab.pages.chunk(chunk));
        if item.heat() == 0 || item.expired(now) {
            return false;
        }
        let to = match self.slab.take_chunk_elsewhere(chunk) {
            Some(to) => to,
            None => {
                let looks = RESCUE_LOOKS.min(*looks_left);
                *looks_left -= looks;
                let evicted = looks > 0 && self.evict_elsewhere(chunk, looks, now);
                let Some(to) = evicted
                    .then(|| self.slab.take_chunk_elsewhere(chunk))
                    .flatten()
                else {
                    return false;
                };
                to
            }
        };
        let hash = self.hash_of(chunk);
        self.slab.pages.copy_chunk(chunk, to);
        ItemMut(self.slab.pages.chunk_mut(to)).cool();
        let item = Item::new(self.slab.pages.chunk(to));
        let exptime = item.exptime();
        if item.chunked() {
            let chain = item.chain();
            self.chains[chain].head = to;
        }
        self.slab.pages.page_mut(to.page()).expect_expiry(exptime);
        self.index.replace(hash, chunk, to);
        self.slab.put_chunk(chunk);
        self.tallies.items_rescued += 1;
        true
    }

    /// Lets the hand go on over the other pages of the class that `chunk` lies in, which must stay itself.
    fn evict_elsewhere(&mut self, chunk: ChunkId, looks: usize, now: RelTime) -> bool {
        let class = self.slab.class_of(chunk);
        if self.slab.class(class).ring.first() == Some(chunk.page()) {
            self.slab.rotate(class, true, now);
        }
        if self.slab.class(class).ring.first() == Some(chunk.page()) {
            return false;
        }
        self.moving = chunk;
        let evicted = self.evict_one(class, looks, now);
        self.moving = ChunkId::NONE;
        evicted
    }

    /// Gives one page back to the system, emptying one if need be.
    pub(crate) fn shed_page(&mut self, now: RelTime) -> bool {
        self.slab.unmap_any()
            || self.limit_orphans() && self.slab.unmap_any()
            || (self.reap() | self.vacate_any_page(NO_CLASS, now)
                || self.revoke_slowest(1)
                || self.revoke_stalled_pendings(now))
                && self.slab.unmap_any()
    }
}
