//! What is counted when an item comes, goes, or is written anew where it lies.

use std::collections::btree_map::Entry;

use crate::chunk::ChunkId;
use crate::item::Item;
use crate::shard::Shard;

impl Shard {
    /// Counts an item that was linked.
    pub(crate) fn count_in(&mut self, id: ChunkId) {
        let size = Item::new(self.slab.pages.chunk(id)).size();
        let stats = self.slab.stats_of(id);
        stats.items += 1;
        stats.mem_requested += size as u64;
        self.tallies.bytes += size as u64;
        self.slab.clock += size as u64;
        if self.config.track_sizes {
            self.count_size(size);
        }
    }

    /// The opposite of [`Self::count_in`].
    pub(crate) fn count_out(&mut self, id: ChunkId) {
        let size = Item::new(self.slab.pages.chunk(id)).size();
        let stats = self.slab.stats_of(id);
        stats.items -= 1;
        stats.mem_requested -= size as u64;
        self.tallies.bytes -= size as u64;
        if self.config.track_sizes {
            self.uncount_size(size);
        }
    }

    /// Counts an item that was written anew where it lies; its class's `mem_requested` is the caller's to change.
    #[inline]
    pub(crate) fn count_resized(&mut self, old_size: usize, size: usize) {
        self.tallies.bytes = self.tallies.bytes - old_size as u64 + size as u64;
        self.slab.clock += size as u64;
        if self.config.track_sizes {
            self.uncount_size(old_size);
            self.count_size(size);
        }
    }

    #[cold]
    fn count_size(&mut self, size: usize) {
        *self.sizes.entry(size_step(size)).or_default() += 1;
    }

    #[cold]
    fn uncount_size(&mut self, size: usize) {
        if let Entry::Occupied(mut items) = self.sizes.entry(size_step(size)) {
            *items.get_mut() -= 1;
            if *items.get() == 0 {
                items.remove();
            }
        }
    }
}

/// The step of `stats sizes` that a size falls in: the next multiple of 32 bytes.
fn size_step(size: usize) -> usize {
    size.next_multiple_of(32)
}
