//! What a shard says about itself: its statistics, and its items page by page.

use std::collections::BTreeMap;

use crate::chunk::ChunkId;
use crate::class::ClassId;
use crate::item::{self, ChunkState, Item, RelTime};
use crate::shard::Shard;
use crate::stats::{ClassStats, StoreStats};

/// Different sizes of items that one step adds up.
const SIZES_PER_STEP: usize = 1024;

/// One item, as a dump shows it.
#[derive(Clone, Copy, Debug)]
pub struct ItemInfo<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Bytes of the value.
    pub value_len: u32,
    /// When its time is over; 0 is never.
    pub exptime: RelTime,
}

impl Shard {
    /// Adds this shard's numbers to `sum`.
    pub fn add_stats(&self, sum: &mut StoreStats, now: RelTime) {
        let tallies = &self.tallies;
        sum.curr_items += self.index.len() as u64;
        sum.total_items += tallies.total_items;
        sum.bytes += tallies.bytes;
        sum.index_bytes += self.index_bytes() as u64;
        sum.index_slots += self.index.slots() as u64;
        sum.index_resizing |= self.index.sparse() || !self.dead_indexes.is_empty();
        sum.index_entries_moved += self.index.moved;
        sum.index_entries_moved_max = sum.index_entries_moved_max.max(self.index.moved_max);
        sum.pages_moved += tallies.pages_moved;
        sum.items_rescued += tallies.items_rescued;
        sum.page_move_evictions += tallies.page_move_evictions;
        sum.pages_used += (self.slab.pages.mapped() - self.slab.empty_pages()) as u64;
        sum.pages_free += self.slab.empty_pages() as u64;
        sum.pinned_items += self.pins.len() as u64;
        sum.pins_revoked += tallies.pins_revoked;
        sum.pendings_revoked += tallies.pendings_revoked;
        sum.pending_bytes += tallies.pending_bytes;
        sum.get_expired += tallies.get_expired;
        sum.malloc_fails += self.slab.pages.refusals;
        for (class, entry) in self.slab.classes() {
            let mut stats = entry.stats;
            if let Some(first) = entry.ring.first() {
                stats.age_s = now.saturating_sub(self.slab.pages.page(first).stamp_s);
            }
            add_class(&mut sum.classes, class, stats);
        }
    }

    /// Adds how many items there are of each size above `from`, for a bounded number of sizes. Returns where to go on.
    pub fn add_sizes(&self, sum: &mut BTreeMap<usize, u64>, from: usize) -> Option<usize> {
        let sizes = self.sizes.range(from + 1..).take(SIZES_PER_STEP);
        let mut last = None;
        for (at, (&size, items)) in sizes.enumerate() {
            *sum.entry(size).or_default() += items;
            last = (at + 1 == SIZES_PER_STEP).then_some(size);
        }
        last
    }

    /// Calls `each` for the live items of a class on the next page that holds any, from page `from` on. Returns where
    /// to go on, or `None` at the end. One page at a time, so that no dump holds the shard for long.
    pub fn list_items(
        &self,
        class: u32,
        from: u32,
        now: RelTime,
        mut each: impl FnMut(ItemInfo<'_>),
    ) -> Option<u32> {
        let class = ClassId::from_id(class)?;
        let live = |id: &u32| {
            let page = self.slab.pages.page(*id);
            page.class == class && page.used > 0 && page.epoch == self.slab.epoch
        };
        let id = (from..self.slab.pages.slots()).find(live)?;
        for index in 0..self.slab.pages.page(id).fresh as usize {
            let bytes = self.slab.pages.chunk(ChunkId::new(id, index));
            if item::state(bytes) != ChunkState::Item || Item::new(bytes).expired(now) {
                continue;
            }
            let item = Item::new(bytes);
            each(ItemInfo {
                key: item.key(),
                value_len: item.value_len(),
                exptime: item.exptime(),
            });
        }
        Some(id + 1)
    }
}

/// Adds one shard's numbers of a class to the sum, which has an entry for each class that was ever used.
fn add_class(sum: &mut Vec<ClassStats>, class: ClassId, own: ClassStats) {
    let blank = ClassStats {
        id: own.id,
        chunk_size: own.chunk_size,
        chunks_per_page: own.chunks_per_page,
        ..ClassStats::default()
    };
    if own == blank {
        return;
    }
    let at = match sum.binary_search_by_key(&class.id(), |stats| stats.id) {
        Ok(at) => at,
        Err(at) => {
            sum.insert(at, blank);
            at
        }
    };
    sum[at].add(&own);
}
