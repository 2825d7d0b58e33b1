//! The crawler: takes back items whose time is over, without waiting for somebody to ask for them.
//!
//! Each page remembers a second before which none of its items expires. A pass goes over that list once a second and
//! looks into a page only when its second has come, so a shard without exptimes, or with distant ones, costs nothing.

use crate::chunk::{ChunkId, PageId};
use crate::item::{self, ChunkState, Item, RelTime};
use crate::shard::Shard;

/// Pages whose remembered second is read within one step, for each chunk of budget.
const PAGES_PER_CHUNK: usize = 4;

impl Shard {
    /// Goes on with the pass, or begins one if a second has gone by since the last began. Looks into about `budget`
    /// chunks. True if the pass is not at its end.
    pub(crate) fn crawl(&mut self, budget: usize, now: RelTime) -> bool {
        if self.crawl_at == 0 && self.crawl_chunk == 0 {
            if self.crawl_began == now {
                return false;
            }
            self.crawl_began = now;
        }
        let mut chunks_left = budget;
        let mut pages_left = budget * PAGES_PER_CHUNK;
        while self.crawl_at < self.slab.pages.slots() {
            if chunks_left == 0 || pages_left == 0 {
                return true;
            }
            pages_left -= 1;
            let page = self.slab.pages.page(self.crawl_at);
            let due = page.due != 0 && page.due <= now;
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
        false
    }

    /// Goes on with a page, or begins it. Looks into `budget` chunks at most and says into how many; if the page was not
    /// at its end by then, `crawl_chunk` says where to go on.
    fn crawl_page(&mut self, id: PageId, budget: usize, now: RelTime) -> usize {
        let class = self.slab.pages.page(id).class;
        let fresh = self.slab.pages.page(id).fresh as usize;
        let from = self.crawl_chunk.min(fresh);
        let to = fresh.min(from + budget);
        self.crawl_chunk = if to < fresh { to } else { 0 };
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
