//! The index: from a key's hash to the chunk of its item. Keys are not stored here.
//!
//! It is a linear hash table of small hashbrown tables, the *segments*. When the segments hold more than
//! [`SPLIT_LOAD`] items on average, the next one in order is split in two by one more bit of the hash; when far fewer,
//! the last is joined to the one it came from. So one insertion never moves more than one segment's entries
//! (two hundred, some microseconds), however large the index is; a single table would stop the shard for
//! milliseconds each time it doubled.
//!
//! A place costs 5 bytes (a 4-byte chunk id, hashbrown's control byte), 10 to 12 per item with the room to grow once
//! items have come and gone for long. Filled twice over with 16-byte keys and values, an item takes 70 to 75 bytes of
//! resident memory in all, at any `-m` from 40 to 112 MB; with equal segments and tables that grow as hashbrown has it,
//! it took 73 to 81 (see [`clean`], [`SHRINK_BELOW`] and [`KeyHash::segment_bits`]).
//!
//! Keeping 32 bits of hash beside the id would save reading the item when a segment is split, and cost 4 to 8 bytes
//! more for each item; at 16-byte keys and values that is a tenth of the memory, so the item is read instead.

use hashbrown::HashTable;

use crate::chunk::ChunkId;
use crate::hash::{KeyHash, WALK_END, walk_place};

/// Average items per segment at which one more segment is made. Twice as many, what a segment of middle weight holds
/// just before its own split, still fit the 7/8 of 256 buckets that hashbrown fills.
const SPLIT_LOAD: usize = 98;

/// Average items per segment under which segments are joined again.
const JOIN_LOAD: usize = 40;

/// A table of which less than one in so many places is taken is made smaller. The numbers of items in a segment go up
/// and down as they come and go, and hashbrown only doubles: by and by most tables were twice as large as need be.
const SHRINK_BELOW: usize = 3;

/// Segments per block of the directory: the directory grows by blocks, so that it is never copied as a whole.
const BLOCK: usize = 256;

type Segment = HashTable<ChunkId>;

/// Of a size known when compiling, so that a place in it needs no check: some 4 instructions of each search.
type Block = Box<[Segment; BLOCK]>;

/// Finds items by the hash of their key.
pub(crate) struct Index {
    /// What of the last is beyond `segments` is empty.
    blocks: Vec<Block>,
    segments: usize,
    /// As many bits as the segments that are split already take.
    wide_mask: usize,
    items: usize,
    /// Counts whatever changes which entries there are; never 0.
    pub(crate) changes: u64,
    /// Bytes allocated for the segments' tables and the directory.
    bytes: usize,
    /// Entries moved by splits, joins and tables that were cleaned or grew, ever and at most by one insertion or join.
    pub(crate) moved: u64,
    pub(crate) moved_max: u64,
}

impl Index {
    /// An empty index that takes the place of one with so many `changes`.
    pub(crate) fn after(changes: u64) -> Self {
        let mut index = Self {
            blocks: Vec::new(),
            segments: 0,
            wide_mask: 0,
            items: 0,
            changes: changes + 1,
            bytes: 0,
            moved: 0,
            moved_max: 0,
        };
        index.push_segment();
        index
    }

    pub(crate) fn len(&self) -> usize {
        self.items
    }

    /// Bytes that the index takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Items at which the next segment would be split.
    pub(crate) fn slots(&self) -> usize {
        self.segments * SPLIT_LOAD
    }

    /// Segment of a hash: by as many bits as all segments have, or by one more where the split has already been.
    #[inline]
    fn segment_of(&self, hash: KeyHash) -> usize {
        let bits = hash.segment_bits();
        let wide = bits & self.wide_mask;
        if wide < self.segments {
            wide
        } else {
            bits & (self.wide_mask >> 1)
        }
    }

    #[inline]
    fn segment(&self, at: usize) -> &Segment {
        &self.blocks[at / BLOCK][at % BLOCK]
    }

    #[inline]
    fn segment_mut(&mut self, at: usize) -> &mut Segment {
        &mut self.blocks[at / BLOCK][at % BLOCK]
    }

    /// The item whose hash is `hash` and for which `is_key` holds.
    #[inline(always)]
    pub(crate) fn find(&self, hash: KeyHash, is_key: impl Fn(ChunkId) -> bool) -> Option<ChunkId> {
        let segment = self.segment(self.segment_of(hash));
        segment.find(hash.table_bits(), |&id| is_key(id)).copied()
    }

    /// Adds an item that is not there yet, and makes room for more if it is time. `hash_of` gives the hash of the
    /// key of any item in the index.
    pub(crate) fn insert(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        hash_of: impl Fn(ChunkId) -> KeyHash,
    ) {
        self.changes += 1;
        let mut moved = self.insert_into(self.segment_of(hash), hash, id, &hash_of);
        self.items += 1;
        if self.items > self.segments * SPLIT_LOAD {
            moved += self.split(&hash_of);
        }
        self.count_moved(moved);
    }

    fn count_moved(&mut self, moved: usize) {
        self.moved += moved as u64;
        self.moved_max = self.moved_max.max(moved as u64);
    }

    /// Returns how many entries had to be moved because the segment's own table grew.
    fn insert_into(
        &mut self,
        at: usize,
        hash: KeyHash,
        id: ChunkId,
        hash_of: &impl Fn(ChunkId) -> KeyHash,
    ) -> usize {
        let segment = &mut self.blocks[at / BLOCK][at % BLOCK];
        let before = segment.allocation_size();
        let mut moved = 0;
        if segment.len() == segment.capacity() {
            moved = segment.len();
            clean(segment, hash_of);
        }
        segment.insert_unique(hash.table_bits(), id, |&id| hash_of(id).table_bits());
        self.bytes = self.bytes + segment.allocation_size() - before;
        moved
    }

    /// Replaces the place of an item that is in the index: it has moved, or was written anew elsewhere.
    pub(crate) fn replace(&mut self, hash: KeyHash, old: ChunkId, new: ChunkId) -> bool {
        self.changes += 1;
        let at = self.segment_of(hash);
        match self
            .segment_mut(at)
            .find_mut(hash.table_bits(), |&id| id == old)
        {
            Some(place) => {
                *place = new;
                true
            }
            None => false,
        }
    }

    /// Removes an item, and makes less of a table that holds few by then. False if it was not there.
    pub(crate) fn remove(
        &mut self,
        hash: KeyHash,
        id: ChunkId,
        hash_of: impl Fn(ChunkId) -> KeyHash,
    ) -> bool {
        self.changes += 1;
        let at = self.segment_of(hash);
        let segment = self.segment_mut(at);
        let Ok(entry) = segment.find_entry(hash.table_bits(), |&other| other == id) else {
            return false;
        };
        entry.remove();
        if segment.len() < segment.num_buckets() / SHRINK_BELOW {
            self.shrink(at, hash_of);
        }
        self.items -= 1;
        true
    }

    /// Gives a segment a smaller table.
    #[cold]
    fn shrink(&mut self, at: usize, hash_of: impl Fn(ChunkId) -> KeyHash) {
        let segment = self.segment_mut(at);
        let before = segment.allocation_size();
        let moved = segment.len();
        segment.shrink_to_fit(|&id| hash_of(id).table_bits());
        let after = segment.allocation_size();
        self.bytes = self.bytes + after - before;
        self.count_moved(moved);
    }

    fn push_segment(&mut self) {
        if self.segments.is_multiple_of(BLOCK) {
            self.blocks
                .push(Box::new([const { Segment::new() }; BLOCK]));
            self.bytes += size_of::<[Segment; BLOCK]>();
        }
        self.segments += 1;
        self.set_mask();
    }

    fn set_mask(&mut self) {
        self.wide_mask = (self.segments + 1).next_power_of_two().max(2) - 1;
    }

    /// Splits the next segment in order. Returns the entries moved.
    fn split(&mut self, hash_of: &impl Fn(ChunkId) -> KeyHash) -> usize {
        let level = usize::BITS - 1 - self.segments.leading_zeros();
        let from = self.segments - (1 << level);
        self.push_segment();
        self.scatter(from, hash_of)
    }

    /// Whether there are so many more segments than items that [`Self::join`] is due.
    pub(crate) fn sparse(&self) -> bool {
        self.segments > 1 && self.items < self.segments * JOIN_LOAD
    }

    /// Joins the last segment to the one that it was split from.
    pub(crate) fn join(&mut self, hash_of: impl Fn(ChunkId) -> KeyHash) {
        if self.segments == 1 {
            return;
        }
        self.segments -= 1;
        let last = std::mem::take(self.segment_mut(self.segments));
        self.set_mask();
        if self.segments.is_multiple_of(BLOCK) {
            self.blocks.pop();
            self.bytes -= size_of::<[Segment; BLOCK]>();
        }
        self.bytes -= last.allocation_size();
        let mut moved = last.len();
        for id in last {
            let hash = hash_of(id);
            moved += self.insert_into(self.segment_of(hash), hash, id, &hash_of);
        }
        self.count_moved(moved);
    }

    /// Puts the entries of one segment where they belong now.
    fn scatter(&mut self, from: usize, hash_of: &impl Fn(ChunkId) -> KeyHash) -> usize {
        let entries = std::mem::take(self.segment_mut(from));
        self.bytes -= entries.allocation_size();
        let mut moved = entries.len();
        // Half of them will stay: room for that many is made at once, in both.
        for at in [from, self.segments - 1] {
            let half = Segment::with_capacity(entries.len() / 2);
            self.bytes += half.allocation_size();
            *self.segment_mut(at) = half;
        }
        for id in entries {
            let hash = hash_of(id);
            moved += self.insert_into(self.segment_of(hash), hash, id, hash_of);
        }
        moved
    }

    /// The entries of the segment that covers a place in the walk, and where its stretch of it ends.
    pub(crate) fn stretch(&self, place: u32) -> (impl Iterator<Item = ChunkId> + '_, u32) {
        let bits = walk_place(place as usize) as usize;
        // As many bits as the segment's own split took: one more if the other half exists as well.
        let top = self.wide_mask - (self.wide_mask >> 1);
        let mask = match bits & self.wide_mask | top {
            half if half < self.segments => self.wide_mask,
            _ => self.wide_mask >> 1,
        };
        let at = bits & mask;
        let end = walk_place(at) + (WALK_END >> mask.count_ones());
        (self.segment(at).iter().copied(), end)
    }

    /// Whether it has so few segments that all of it may be dropped at once.
    pub(crate) fn is_small(&self) -> bool {
        self.blocks.len() == 1
    }

    /// Drops up to one block of segments, of an index that is no longer used. True while some are left.
    pub(crate) fn drop_block(&mut self) -> bool {
        if let Some(block) = self.blocks.pop() {
            self.bytes -= size_of::<[Segment; BLOCK]>();
            self.bytes -= block.iter().map(Segment::allocation_size).sum::<usize>();
        }
        !self.blocks.is_empty()
    }

    /// Every entry, for the consistency check.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ChunkId> + '_ {
        self.blocks
            .iter()
            .flat_map(|block| block.iter())
            .flat_map(|segment| segment.iter().copied())
    }
}

/// Frees the places that removed entries still take in a table without a free place, if that makes room enough.
/// hashbrown would double such a table as soon as it is more than half full: under eviction, sooner or later each.
#[cold]
fn clean(segment: &mut Segment, hash_of: &impl Fn(ChunkId) -> KeyHash) {
    let places = segment.num_buckets() / 8 * 7;
    if segment.len() > places / 8 * 7 {
        return;
    }
    let table_bits = |&id: &ChunkId| hash_of(id).table_bits();
    let mut clean = Segment::with_capacity(places);
    for id in segment.drain() {
        clean.insert_unique(table_bits(&id), id, table_bits);
    }
    *segment = clean;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;

    fn hash_of(hasher: &KeyHasher) -> impl Fn(ChunkId) -> KeyHash + '_ {
        |id| hasher.hash(&id.0.to_le_bytes())
    }

    /// No insertion moves more than a few segments' entries, and all together move each item three times at most.
    #[test]
    fn grows_to_twenty_million_a_little_at_a_time() {
        let hasher = KeyHasher::with_seed(3);
        let hash_of = hash_of(&hasher);
        let mut index = Index::after(0);
        for n in 0..20_000_000 {
            index.insert(hash_of(ChunkId(n)), ChunkId(n), &hash_of);
        }
        let (most, all) = (index.moved_max, index.moved);
        assert!(most <= 700, "one insertion moved {most} entries");
        assert!(all <= 3 * 20_000_000, "{all} entries were moved");
    }

    #[test]
    fn grows_and_shrinks_a_little_at_a_time() {
        let hasher = KeyHasher::with_seed(1);
        let hash_of = hash_of(&hasher);
        let mut index = Index::after(0);
        let count = 200_000;
        for n in 0..count {
            index.insert(hash_of(ChunkId(n)), ChunkId(n), &hash_of);
        }
        assert!(
            index.moved_max <= 700,
            "one insertion moved {} entries",
            index.moved_max
        );
        let per_item = index.bytes() as f64 / f64::from(count);
        assert!(per_item < 12.0, "{per_item} bytes of index per item");
        for n in 0..count {
            assert_eq!(
                index.find(hash_of(ChunkId(n)), |id| id == ChunkId(n)),
                Some(ChunkId(n))
            );
        }
        for n in 1000..count {
            assert!(index.remove(hash_of(ChunkId(n)), ChunkId(n), &hash_of));
        }
        while index.sparse() {
            index.join(&hash_of);
        }
        assert_eq!(index.len(), 1000);
        assert!(index.bytes() < 40_000, "{} bytes left", index.bytes());
        for n in 0..1000 {
            assert_eq!(
                index.find(hash_of(ChunkId(n)), |id| id == ChunkId(n)),
                Some(ChunkId(n))
            );
        }
        assert_eq!(index.bytes(), counted(&index));
    }

    /// The bytes of an index, table by table.
    fn counted(index: &Index) -> usize {
        let tables: usize = index
            .blocks
            .iter()
            .flat_map(|block| block.iter())
            .map(Segment::allocation_size)
            .sum();
        tables + index.blocks.len() * size_of::<[Segment; BLOCK]>()
    }

    /// As under eviction: each item has gone and another has come many times, for four counts on the way from one
    /// doubling of the segments to the next. Tables that never become smaller take up to 13.5 bytes per item here; of
    /// those, equal segments took up to 14.7, tables that are not cleaned 18.8, and both together 20.7.
    #[test]
    fn stays_small_while_items_come_and_go() {
        let hasher = KeyHasher::with_seed(2);
        let hash_of = hash_of(&hasher);
        let mut figures = Vec::new();
        for count in [32_000, 38_000, 45_000, 54_000] {
            let mut index = Index::after(0);
            for n in 0..20 * count {
                index.insert(hash_of(ChunkId(n)), ChunkId(n), &hash_of);
                if let Some(old) = n.checked_sub(count) {
                    assert!(index.remove(hash_of(ChunkId(old)), ChunkId(old), &hash_of));
                }
            }
            assert_eq!(index.bytes(), counted(&index));
            figures.push(index.bytes() as f64 / f64::from(count));
        }
        assert!(figures.iter().all(|bytes| *bytes < 12.0), "{figures:?}");
    }
}
