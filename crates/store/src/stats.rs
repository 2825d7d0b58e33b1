//! The numbers a shard keeps about itself, and their sum over shards.
//!
//! Names are memcached's (`stats`, `stats items`, `stats slabs`); a field that memcached has and that means
//! nothing here is absent, and the daemon prints memcached's idle value for it.

/// One slab class of one shard, or the sum over shards of the same class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// 1-based slab class id, as `stats slabs` prints it.
    pub id: u8,
    /// Bytes of one chunk.
    pub chunk_size: u32,
    /// Chunks that one page is cut into.
    pub chunks_per_page: u32,
    /// Pages held now.
    pub pages: u64,
    /// Chunks that hold an item or part of one.
    pub used_chunks: u64,
    /// Items whose header lies in this class.
    pub items: u64,
    /// Bytes that those items asked for (header, key, client flags and value), over all their chunks.
    pub mem_requested: u64,
    /// Seconds since the oldest page of the class was last looked over by eviction.
    pub age_s: u32,
    /// Live items removed to make room (counter).
    pub evicted: u64,
    /// Those of `evicted` that had an exptime (counter).
    pub evicted_nonzero: u64,
    /// Seconds since the last access of the most recently evicted item.
    pub evicted_time_s: u32,
    /// Those of `evicted` that were never fetched (counter).
    pub evicted_unfetched: u64,
    /// Those of `evicted` that had been fetched since eviction last looked at them (counter).
    pub evicted_active: u64,
    /// Writes refused for lack of memory (counter).
    pub outofmemory: u64,
    /// Expired items whose memory was taken back on access or by eviction (counter).
    pub reclaimed: u64,
    /// Expired items never fetched (counter).
    pub expired_unfetched: u64,
    /// Expired items taken back by the crawler (counter).
    pub crawler_reclaimed: u64,
    /// Items the crawler looked at (counter).
    pub crawler_items_checked: u64,
    /// Items that were kept by eviction because they had been fetched (memcached: moves_within_lru; counter).
    pub moves_within_lru: u64,
    /// Evictions done on a request's own time (counter).
    pub direct_reclaims: u64,
    /// Hits by get, gets, gat, gats, and their meta and binary kin (counter).
    pub get_hits: u64,
    /// Items stored by any of the store commands (counter).
    pub cmd_set: u64,
    /// delete hits (counter).
    pub delete_hits: u64,
    /// incr hits (counter).
    pub incr_hits: u64,
    /// decr hits (counter).
    pub decr_hits: u64,
    /// cas hits (counter).
    pub cas_hits: u64,
    /// cas refused because the CAS unique differed (counter).
    pub cas_badval: u64,
    /// touch and gat hits (counter).
    pub touch_hits: u64,
}

impl ClassStats {
    /// Adds another shard's numbers of the same class; of the two ages the greater stands.
    pub(crate) fn add(&mut self, other: &Self) {
        self.age_s = self.age_s.max(other.age_s);
        self.evicted_time_s = self.evicted_time_s.max(other.evicted_time_s);
        self.pages += other.pages;
        self.used_chunks += other.used_chunks;
        self.items += other.items;
        self.mem_requested += other.mem_requested;
        let mut other = *other;
        for (sum, own) in self.counters_mut().into_iter().zip(other.counters_mut()) {
            *sum += *own;
        }
    }

    /// What has been counted since `baseline`; what is a state and no count stays.
    fn since(mut self, mut baseline: Self) -> Self {
        for (count, before) in self.counters_mut().into_iter().zip(baseline.counters_mut()) {
            *count = count.saturating_sub(*before);
        }
        self
    }

    fn counters_mut(&mut self) -> [&mut u64; 19] {
        [
            &mut self.evicted,
            &mut self.evicted_nonzero,
            &mut self.evicted_unfetched,
            &mut self.evicted_active,
            &mut self.outofmemory,
            &mut self.reclaimed,
            &mut self.expired_unfetched,
            &mut self.crawler_reclaimed,
            &mut self.crawler_items_checked,
            &mut self.moves_within_lru,
            &mut self.direct_reclaims,
            &mut self.get_hits,
            &mut self.cmd_set,
            &mut self.delete_hits,
            &mut self.incr_hits,
            &mut self.decr_hits,
            &mut self.cas_hits,
            &mut self.cas_badval,
            &mut self.touch_hits,
        ]
    }
}

impl StoreStats {
    /// What has been counted since `baseline` was taken; what is a state and no count stays.
    #[must_use]
    pub fn since(mut self, baseline: &Self) -> Self {
        for (count, before) in [
            (&mut self.total_items, baseline.total_items),
            (&mut self.index_entries_moved, baseline.index_entries_moved),
            (&mut self.pages_moved, baseline.pages_moved),
            (&mut self.items_rescued, baseline.items_rescued),
            (&mut self.page_move_evictions, baseline.page_move_evictions),
            (&mut self.pins_revoked, baseline.pins_revoked),
            (&mut self.pendings_revoked, baseline.pendings_revoked),
            (&mut self.get_expired, baseline.get_expired),
            (&mut self.malloc_fails, baseline.malloc_fails),
            (&mut self.crawler_starts, baseline.crawler_starts),
        ] {
            *count = count.saturating_sub(before);
        }
        for class in &mut self.classes {
            if let Some(before) = baseline.classes.iter().find(|before| before.id == class.id) {
                *class = class.since(*before);
            }
        }
        self
    }
}

/// One shard, or the sum over all shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Items now, expired but not yet taken back included.
    pub curr_items: u64,
    /// Items ever stored (counter).
    pub total_items: u64,
    /// Bytes of all items, headers included.
    pub bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Item places in the index before it grows.
    pub index_slots: u64,
    /// Whether the index is being grown or shrunk now.
    pub index_resizing: bool,
    /// Index entries moved by growing or shrinking (counter).
    pub index_entries_moved: u64,
    /// The most index entries that any one command moved.
    pub index_entries_moved_max: u64,
    /// Pages moved from one slab class to another (counter).
    pub pages_moved: u64,
    /// Items copied out of a page that was moved (counter).
    pub items_rescued: u64,
    /// Items evicted because their page was moved (counter).
    pub page_move_evictions: u64,
    /// Pages held by slab classes.
    pub pages_used: u64,
    /// Pages held free, ready for any class.
    pub pages_free: u64,
    /// Values pinned by readers now.
    pub pinned_items: u64,
    /// Readers whose pin was taken away to make room (counter).
    pub pins_revoked: u64,
    /// Values on their way in whose client stood in the way of others (counter).
    pub pendings_revoked: u64,
    /// Bytes of values on their way in.
    pub pending_bytes: u64,
    /// Looked up but expired (counter).
    pub get_expired: u64,
    /// Passes of the crawler that had something to look into, each shard's counted (counter).
    pub crawler_starts: u64,
    /// Whether a pass is at work, or was asked for.
    pub crawler_running: bool,
    /// Allocations that the system refused (counter).
    pub malloc_fails: u64,
    /// One entry per slab class that holds a page or an item, or ever did; ordered by id.
    pub classes: Vec<ClassStats>,
}
