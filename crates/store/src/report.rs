//! What a shard says about itself: its statistics.

use std::collections::BTreeMap;

use crate::class::ClassId;
use crate::item::RelTime;
use crate::shard::Shard;
use crate::stats::{ClassStats, StoreStats};

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
        sum.crawler_starts += tallies.crawler_starts;
        sum.crawler_running |= self.is_crawling();
        sum.malloc_fails += self.slab.pages.refusals;
        for (class, entry) in self.slab.classes() {
            let mut stats = entry.stats;
            if let Some(first) = entry.ring.first() {
                stats.age_s = now.saturating_sub(self.slab.pages.page(first).stamp_s);
            }
            add_class(&mut sum.classes, class, stats);
        }
    }

    /// Adds how many items there are of each of the next `most` sizes above `after`: by sizes rounded up to a multiple of
    /// 32 bytes, if they are tracked.
    pub fn add_sizes(&self, sum: &mut BTreeMap<usize, u64>, after: usize, most: usize) {
        for (&size, items) in self.sizes.range(after + 1..).take(most) {
            *sum.entry(size).or_default() += items;
        }
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
