//! The crawler: takes back items whose time is over, without waiting for somebody to ask for them.
//!
//! Each page remembers a second before which none of its items expires. A pass goes over that list once a second and
//! looks into a page only when its second has come, so a shard without exptimes, or with distant ones, costs nothing. A
//! pass that was asked for looks into every page of the classes that were named.

use crate::chunk::{ChunkId, PageId};
use crate::item::{self, ChunkState, Item, RelTime};
use crate::shard::Shard;

/// Pages whose remembered second is read within one step, for each chunk of budget.
const PAGES_PER_CHUNK: usize = 4;

/// What a pass has to do with, beside where it stands. Classes are told by their bits.
#[derive(Debug, Default)]
pub(crate) struct Crawl {
    /// Classes of which every page is to be looked into: by the next pass, and by this one.
    asked: u64,
    all_of: u64,
    /// Whether this pass has looked into a page.
    looked: bool,
}

impl Shard {
    /// Asks for a pass that looks into every page of these classes (bit 1 << 1 is class 1). False if such a pass was asked
    /// for before and is not at its end.
    pub fn ask_crawl(&mut self, classes: u64) -> bool {
        if self.crawl.asked | self.crawl.all_of != 0 {
            return false;
        }
        self.crawl.asked = classes;
        true
    }

    /// Whether a pass is at work, or was asked for.
    pub(crate) fn is_crawling(&self) -> bool {
        self.crawl.asked | self.crawl.all_of != 0 || !self.is_between_passes()
    }

    fn is_between_passes(&self) -> bool {
        self.crawl_at == 0 && self.crawl_chunk == 0
    }

    /// Goes on with the pass, or begins one if a second has gone by since the last began, or one was asked for. Looks into
    /// about `budget` chunks. True if the pass is not at its end.
    pub(crate) fn crawl(&mut self, budget: usize, now: RelTime) -> bool {
        if self.is_between_passes() {
            if self.crawl_began == now && self.crawl.asked == 0 {
                return false;
            }
            self.crawl_began = now;
            self.crawl = Crawl {
                all_of: self.crawl.asked,
                ..Crawl::default()
            };
        }
        let mut chunks_left = budget;
        let mut pages_left = budget * PAGES_PER_CHUNK;
        while self.crawl_at < self.slab.pages.slots() {
            if chunks_left == 0 || pages_left == 0 {
                return true;
            }
            pages_left -= 1;
            let page = self.slab.pages.page(self.crawl_at);
            let due = page.due != 0 && page.due <= now || self.crawl.all_of & page.class.bit() != 0;
            let lives = page.used > 0 && page.epoch == self.slab.epoch;
            if lives && (due || self.crawl_chunk > 0) {
                chunks_left -= self.crawl_page(self.crawl_at, chunks_left, now);
                if self.crawl_chunk > 0 {
                    return true;
                }
            }
            self.crawl_chunk = 0;
            self.crawl_at += 1;
        }
        self.crawl_at = 0;
        self.crawl.all_of = 0;
        self.crawl.asked != 0
    }

    /// Goes on with a page, or begins it. Looks into `budget` chunks at most and says into how many; if the page was not
    /// at its end by then, `crawl_chunk` says where to go on.
    fn crawl_page(&mut self, id: PageId, budget: usize, now: RelTime) -> usize {
        let class = self.slab.pages.page(id).class;
        let fresh = self.slab.pages.page(id).fresh as usize;
        let from = self.crawl_chunk.min(fresh);
        let to = fresh.min(from + budget);
        self.crawl_chunk = if to < fresh { to } else { 0 };
        if !self.crawl.looked {
            self.crawl.looked = true;
            self.tallies.crawler_starts += 1;
        }
        if from == 0 {
            // Unlinking can empty the page and give it to nobody; it is not cut anew in here.
            self.slab.pages.page_mut(id).due = 0;
        }
        let (mut checked, mut reclaimed, mut unfetched) = (0, 0, 0);
        for index in from..to {
            let chunk = ChunkId::new(id, index);
            let bytes = self.slab.pages.chunk(chunk);
            if item::state(bytes) != ChunkState::Item {
                continue;
            }
            let item = Item::new(bytes);
            checked += 1;
            if item.expired(now) {
                reclaimed += 1;
                unfetched += u64::from(!item.fetched());
                self.unlink(self.hash_of(chunk), chunk);
            } else {
                let exptime = item.exptime();
                self.slab.pages.page_mut(id).expect_expiry(exptime);
            }
        }
        let stats = &mut self.slab.class_mut(class).stats;
        stats.crawler_items_checked += checked;
        stats.crawler_reclaimed += reclaimed;
        stats.reclaimed += reclaimed;
        stats.expired_unfetched += unfetched;
        to - from
    }
}
