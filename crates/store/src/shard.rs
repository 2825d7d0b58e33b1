//! One shard: the whole store for the keys of one hash partition.
//!
//! All of it is plain data under `&mut self`: no locks, no clock, no I/O. Who may call when is the runtime's matter.
//! This file holds the state and what the other files share: looking up, linking, taking out.

use std::collections::BTreeMap;

use slab::Slab as Numbered;

use crate::chain::{CHAIN_BYTES, Chain};
use crate::chunk::{ChunkId, PageId};
use crate::events::Events;
use crate::expire::Crawl;
use crate::found::{Found, Place};
use crate::hash::{KeyHash, KeyHasher};
use crate::hint::Hint;
use crate::index::Index;
use crate::item::{self, ChunkState, Item, ItemMut, RelTime};
use crate::limits::PAGE_BYTES_MIN;
use crate::pending::{Ahead, PendingEntry};
use crate::pin::Pins;
use crate::slab::Slab;

/// How a shard is to behave; the same for all shards of a process.
#[derive(Clone, Copy, Debug)]
pub struct ShardConfig {
    /// Bytes of a page, see [`crate::page_bytes_for`].
    pub page_bytes: usize,
    /// Largest item in bytes, counted as memcached counts (`-I`), see [`Self::fits`].
    pub item_size_max: u32,
    /// Whether live items may be evicted to make room (off by `-M`).
    pub evictions: bool,
    /// Whether items get a CAS unique (off by `-C`: all are 0).
    pub cas: bool,
    /// Whether items are counted by size, for `stats sizes`.
    pub track_sizes: bool,
    /// Bytes that the heap may take beyond what the index asks of it before they are charged to the grant.
    pub heap_allowance: usize,
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            page_bytes: PAGE_BYTES_MIN,
            item_size_max: 1 << 20,
            evictions: true,
            cas: true,
            track_sizes: false,
            heap_allowance: 0,
        }
    }
}

impl ShardConfig {
    /// Whether an item may be stored under `-I`, by memcached's own reckoning (48 bytes of header, 8 for the CAS
    /// unique, the key and a zero byte, 4 for client flags, the value and its line end), so that a value which
    /// memcached takes is taken here.
    pub fn fits(&self, key_len: usize, flags: u32, value_len: u32) -> bool {
        let cas = if self.cas { 8 } else { 0 };
        let front = 48 + cas + key_len as u64 + 1 + if flags == 0 { 0 } else { 4 };
        front + u64::from(value_len) + 2 <= u64::from(self.item_size_max)
    }
}

/// Where CAS uniques come from: one sequence for the whole process, so that they tell the order of all stores.
pub trait Uniques {
    /// The next number; never 0, never the same twice.
    fn next(&self) -> u64;
}

/// What the moment of a command is to the store.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The present second.
    pub now: RelTime,
    /// The process's sequence of CAS uniques.
    pub uniques: &'a dyn Uniques,
}

/// Numbers that are not kept per slab class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) total_items: u64,
    pub(crate) bytes: u64,
    pub(crate) get_expired: u64,
    pub(crate) crawler_starts: u64,
    pub(crate) pages_moved: u64,
    pub(crate) items_rescued: u64,
    pub(crate) page_move_evictions: u64,
    pub(crate) pins_revoked: u64,
    pub(crate) pendings_revoked: u64,
    pub(crate) pending_bytes: u64,
    /// Bytes of values that nobody can find any more but somebody still reads.
    pub(crate) orphan_bytes: u64,
}

/// One hash partition of the cache.
pub struct Shard {
    pub(crate) config: ShardConfig,
    pub(crate) hasher: KeyHasher,
    pub(crate) slab: Slab,
    pub(crate) index: Index,
    /// Indexes of before a flush, dropped block by block.
    pub(crate) dead_indexes: Vec<Index>,
    /// The chunked items' pieces, and values on their way in.
    pub(crate) chains: Numbered<Chain>,
    /// Chains whose item is gone, given back piece by piece.
    pub(crate) doomed: Vec<usize>,
    /// Values on their way in, which of them may go beyond their half of the shard, and when they were last looked over.
    pub(crate) pendings: Numbered<PendingEntry>,
    pub(crate) ahead: Option<Ahead>,
    pub(crate) pendings_judged: RelTime,
    pub(crate) pins: Pins,
    /// Tells apart pins and pendings that had the same number one after the other.
    pub(crate) generation: u64,
    /// An item that eviction must leave alone while it is being rewritten.
    pub(crate) guard: ChunkId,
    /// Another, while it is being moved.
    pub(crate) moving: ChunkId,
    pub(crate) tallies: Tallies,
    /// What is to be told of the shard's own doings, if somebody listens.
    pub(crate) events: Option<Box<Events>>,
    /// Items by size in steps of 32 bytes, if they are to be counted.
    pub(crate) sizes: BTreeMap<usize, u64>,
    /// The page that the crawler looks at next, and when its last pass began.
    pub(crate) crawl_at: PageId,
    /// The chunk of that page, if the last step ended in its midst.
    pub(crate) crawl_chunk: usize,
    pub(crate) crawl_began: RelTime,
    /// What this pass has to do with.
    pub(crate) crawl: Crawl,
}

/// The `SITE` of the callers that share one copy of the search for an item. Callers with a number of their own have it
/// written into them, see [`Shard::get`].
pub const SHARED: u8 = 0;

/// What came of a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The item is gone.
    Deleted,
    /// There was none.
    NotFound,
    /// Its CAS unique is another.
    Exists,
}

impl Shard {
    /// An empty shard that may hold nothing until it is granted pages.
    pub fn new(config: ShardConfig, hasher: KeyHasher) -> Self {
        Self {
            config,
            hasher,
            slab: Slab::new(config.page_bytes),
            index: Index::after(0),
            dead_indexes: Vec::new(),
            chains: Numbered::new(),
            doomed: Vec::new(),
            pendings: Numbered::new(),
            ahead: None,
            pendings_judged: 0,
            pins: Pins::default(),
            generation: 0,
            guard: ChunkId::NONE,
            moving: ChunkId::NONE,
            tallies: Tallies::default(),
            events: None,
            sizes: BTreeMap::new(),
            crawl_at: 0,
            crawl_chunk: 0,
            crawl_began: 0,
            crawl: Crawl::default(),
        }
    }

    /// Fetches an item and counts it as used. One that lies in one piece is shown at once; of a chunked one the place is
    /// given, for [`Self::at`].
    ///
    /// `SITE` changes nothing: a caller with a number of its own gets a copy of its own, with the whole search inlined; the
    /// others say [`SHARED`].
    #[inline(always)]
    pub fn get<const SITE: u8>(
        &mut self,
        hash: KeyHash,
        hint: Hint,
        key: &[u8],
        now: RelTime,
    ) -> Option<Result<Found<'_>, Place>> {
        let id = self.find::<SITE>(hash, hint, key)?;
        if Item::new(self.slab.pages.chunk(id)).expired(now) {
            self.expire(hash, id);
            return None;
        }
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        stats.get_hits += 1;
        ItemMut(chunk).fetch(now);
        let item = Item::new(chunk);
        if item.chunked() {
            return Some(Err(Place(id)));
        }
        Some(Ok(Found::in_chunk(item)))
    }

    /// [`Self::get`] for callers that are seldom: nothing of it is inlined.
    #[inline(never)]
    pub fn fetch(&mut self, hash: KeyHash, key: &[u8], now: RelTime) -> Option<Found<'_>> {
        let id = self.lookup(hash, key, now)?;
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        stats.get_hits += 1;
        ItemMut(chunk).fetch(now);
        let chunked = Item::new(chunk).chunked();
        Some(self.found(id, chunked))
    }

    /// Gives an item a new exptime, which is a fetch as well; its CAS unique stays.
    pub fn touch(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        exptime: RelTime,
        now: RelTime,
    ) -> Option<Found<'_>> {
        let id = self.lookup(hash, key, now)?;
        let (chunk, stats) = self.slab.chunk_and_stats(id);
        stats.touch_hits += 1;
        let mut item = ItemMut(chunk);
        item.set_exptime(exptime);
        item.fetch(now);
        self.slab.pages.page_mut(id.page()).expect_expiry(exptime);
        let chunked = Item::new(self.slab.pages.chunk(id)).chunked();
        Some(self.found(id, chunked))
    }

    /// Removes an item, if it has this CAS unique; 0 is any.
    pub fn delete(&mut self, hash: KeyHash, key: &[u8], unique: u64, now: RelTime) -> Deleted {
        let Some(id) = self.lookup(hash, key, now) else {
            return Deleted::NotFound;
        };
        if !Item::new(self.slab.pages.chunk(id)).has_cas(unique) {
            return Deleted::Exists;
        }
        self.slab.stats_of(id).delete_hits += 1;
        self.unlink(hash, id);
        Deleted::Deleted
    }

    /// Removes whatever is stored under the key, without counting a delete: a `set` of it could not be kept, and
    /// the old value must not be taken for the new one.
    pub fn forget(&mut self, hash: KeyHash, key: &[u8], now: RelTime) {
        if let Some(id) = self.lookup(hash, key, now) {
            self.unlink(hash, id);
        }
    }

    /// The item under the key, its time over or not.
    #[inline(always)]
    pub(crate) fn find<const SITE: u8>(
        &self,
        hash: KeyHash,
        hint: Hint,
        key: &[u8],
    ) -> Option<ChunkId> {
        // The first comparison is for callers without a hint: the compiler leaves all of this out.
        if hint.id != ChunkId::NONE
            && hint.changes == self.index.changes
            && self.has_key(hint.id, key)
        {
            return Some(hint.id);
        }
        self.index.find(hash, |id| self.has_key(id, key))
    }

    /// [`Self::find`] for callers that are seldom.
    pub(crate) fn seek(&self, hash: KeyHash, key: &[u8]) -> Option<ChunkId> {
        self.find::<SHARED>(hash, Hint::NONE, key)
    }

    #[inline(always)]
    fn has_key(&self, id: ChunkId, key: &[u8]) -> bool {
        same_key(Item::new(self.slab.pages.chunk(id)).key(), key)
    }

    /// The live item under the key. One whose time is over is taken out.
    #[inline(never)]
    pub(crate) fn lookup(&mut self, hash: KeyHash, key: &[u8], now: RelTime) -> Option<ChunkId> {
        self.lookup_hinted(hash, Hint::NONE, key, now)
    }

    /// [`Self::lookup`] with a hint.
    #[inline(always)]
    pub(crate) fn lookup_hinted(
        &mut self,
        hash: KeyHash,
        hint: Hint,
        key: &[u8],
        now: RelTime,
    ) -> Option<ChunkId> {
        self.find_live::<SHARED>(hash, hint, key, now)
    }

    /// [`Self::find`], of live items only. One whose time is over is taken out.
    #[inline(always)]
    pub(crate) fn find_live<const SITE: u8>(
        &mut self,
        hash: KeyHash,
        hint: Hint,
        key: &[u8],
        now: RelTime,
    ) -> Option<ChunkId> {
        let id = self.find::<SITE>(hash, hint, key)?;
        if Item::new(self.slab.pages.chunk(id)).expired(now) {
            self.expire(hash, id);
            return None;
        }
        Some(id)
    }

    /// A command has come upon an item whose time is over.
    #[cold]
    fn expire(&mut self, hash: KeyHash, id: ChunkId) {
        self.tallies.get_expired += 1;
        self.reclaim(hash, id);
    }

    /// Takes out an item whose time is over.
    fn reclaim(&mut self, hash: KeyHash, id: ChunkId) {
        let fetched = Item::new(self.slab.pages.chunk(id)).fetched();
        let stats = self.slab.stats_of(id);
        stats.reclaimed += 1;
        stats.expired_unfetched += u64::from(!fetched);
        self.unlink(hash, id);
    }

    /// The hash of the key of an item.
    #[inline]
    pub(crate) fn hash_of(&self, id: ChunkId) -> KeyHash {
        self.hasher.hash(Item::new(self.slab.pages.chunk(id)).key())
    }

    /// Makes an item that is wholly written findable.
    pub(crate) fn link(&mut self, hash: KeyHash, id: ChunkId) {
        let Self {
            index,
            slab,
            hasher,
            ..
        } = self;
        index.insert(hash, id, |id| {
            hasher.hash(Item::new(slab.pages.chunk(id)).key())
        });
        self.charge_index();
        self.count_in(id);
    }

    /// Takes an item out of the index and gives back its memory, unless somebody reads it.
    pub(crate) fn unlink(&mut self, hash: KeyHash, id: ChunkId) {
        let Self {
            index,
            slab,
            hasher,
            ..
        } = self;
        let hash_of = |id| hasher.hash(Item::new(slab.pages.chunk(id)).key());
        let removed = index.remove(hash, id, hash_of);
        debug_assert!(removed, "unlinked an item that was not linked");
        self.count_out(id);
        self.discard(id);
    }

    /// Gives back the memory of an item that is no longer in the index, or leaves it to its readers.
    pub(crate) fn discard(&mut self, id: ChunkId) {
        let item = Item::new(self.slab.pages.chunk(id));
        if item.pinned() {
            self.tallies.orphan_bytes += u64::from(item.value_len());
            ItemMut(self.slab.pages.chunk_mut(id)).set_orphan();
        } else {
            self.free_item(id);
        }
    }

    /// Gives back an item's chunks.
    pub(crate) fn free_item(&mut self, id: ChunkId) {
        let item = Item::new(self.slab.pages.chunk(id));
        if item.chunked() {
            let chain = item.chain();
            self.doom(chain);
        }
        self.slab.put_chunk(id);
    }

    /// Keeps that part of the grant which is not pages in step with its size: the index, the table of pages, chains.
    ///
    /// The heap takes more than it is asked for: with an index of 12 million items in two shards, 91 MB, resident memory
    /// was 22 MB above everything that was asked for and the 5 MB of an empty process. So a quarter is added, but for
    /// [`ShardConfig::heap_allowance`].
    #[inline]
    pub(crate) fn charge_index(&mut self) {
        let dead: usize = self.dead_indexes.iter().map(Index::bytes).sum();
        let chains = self.chains.capacity() * CHAIN_BYTES;
        let heap = self.index.bytes() + dead + chains;
        let around = (heap / 4).saturating_sub(self.config.heap_allowance);
        let beside = heap + around + self.slab.pages.table_bytes();
        self.slab.index_pages = beside.div_ceil(self.slab.pages.page_bytes);
    }

    /// Removes everything at once, however much it is. The memory is used again, or given back by [`Self::step`].
    ///
    /// A value that is being sent is sent to its end; one that is on its way in counts as stored before.
    pub fn flush(&mut self) {
        if self.index.len() == 0 && self.slab.pages.mapped() == self.slab.empty_pages() {
            return;
        }
        let changes = self.index.changes;
        let old = std::mem::replace(&mut self.index, Index::after(changes));
        // A small one is dropped at once, or a client that flushes all the time would pile them up.
        if !old.is_small() {
            self.dead_indexes.push(old);
        }
        self.charge_index();
        self.slab.bury();
        self.chains = Numbered::new();
        self.doomed.clear();
        self.tallies.bytes = 0;
        self.tallies.pending_bytes = 0;
        self.ahead = None;
        self.tallies.orphan_bytes = 0;
        self.sizes.clear();
    }

    /// Whether the chunk holds an item that the index knows.
    pub(crate) fn is_linked(&self, id: ChunkId) -> bool {
        item::state(self.slab.pages.chunk(id)) == ChunkState::Item
    }
}

/// Whether two keys are the same: in steps of 8 or 16 bytes, the last reaching back over the one before. For keys of
/// usual length that is a third of what a call of memcmp costs.
#[inline(always)]
fn same_key(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && match one.len() {
            ..8 => one == other,
            8..=16 => {
                one.first_chunk::<8>() == other.first_chunk::<8>()
                    && one.last_chunk::<8>() == other.last_chunk::<8>()
            }
            17.. => {
                one.last_chunk::<16>() == other.last_chunk::<16>()
                    && one.as_chunks::<16>().0 == other.as_chunks::<16>().0
            }
        }
}
