//! Walks over a shard's items, in bounded steps between which the shard goes on with its life.
//!
//! [`Shard::walk`] follows the index. A segment of it holds the items whose hash ends in certain bits; splitting it takes
//! one bit more, joining one less. Read from the lowest bit up, as if it came first, every hash has a fixed place in a
//! line, and each segment, however often split or joined, holds one stretch of that line. The walk goes along the line
//! and remembers only how far it has come: what was there all the time is met once, wherever it was moved meanwhile,
//! since the place of an item in the line is that of its key.
//!
//! [`Shard::list_items`] follows the pages of some slab classes, the order in which `stats cachedump` and dumps by class show
//! them. An item that is moved or rewritten meanwhile may be met twice or not at all.

use crate::chunk::{ChunkId, PageId};
use crate::class::ClassId;
use crate::hash::WALK_END;
use crate::item::{self, BINARY_KEY, ChunkState, Item, RelTime};
use crate::limits::{LIST_CHUNKS, LIST_PAGES, WALK_ITEMS};
use crate::shard::Shard;

/// One item, as a dump shows it.
#[derive(Clone, Copy, Debug)]
pub struct ItemInfo<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What else is known of it.
    pub facts: ItemFacts,
}

/// What is known of an item beside its key.
#[derive(Clone, Copy, Debug)]
pub struct ItemFacts {
    /// Bytes of the value.
    pub value_len: u32,
    /// When its time is over; 0 is never.
    pub exptime: RelTime,
    /// When it was last stored or fetched.
    pub accessed: RelTime,
    /// The CAS unique; 0 when they are switched off.
    pub cas: u64,
    /// The client flags.
    pub flags: u32,
    /// Whether whoever stored it wrote its key as base64.
    pub binary_key: bool,
    /// Whether it was ever fetched.
    pub fetched: bool,
    /// The 1-based slab class of its first chunk.
    pub class: u8,
    /// Bytes of header, client flags, key and value.
    pub size: u64,
}

/// How far a walk along the index has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalkAt(u32);

/// How far a walk over pages has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListAt {
    page: PageId,
    chunk: usize,
}

impl Shard {
    /// Calls `each` for the next live items along the index, [`WALK_ITEMS`] at most but for keys whose hashes are the same.
    /// Returns where to go on, or `None` at the end. Each item that is there from the first step to the last is shown
    /// exactly once.
    pub fn walk(
        &self,
        from: WalkAt,
        now: RelTime,
        mut each: impl FnMut(ItemInfo<'_>),
    ) -> Option<WalkAt> {
        let (entries, end) = self.index.stretch(from.0);
        let placed: Vec<(u32, ChunkId)> = entries
            .map(|id| (self.hash_of(id).walk_place(), id))
            .filter(|(place, _)| *place >= from.0)
            .collect();
        let mut to = end;
        while placed.iter().filter(|(place, _)| *place < to).count() > WALK_ITEMS && to - from.0 > 1
        {
            to -= (to - from.0) / 2;
        }
        for &(_, id) in placed.iter().filter(|(place, _)| *place < to) {
            self.show(id, now, &mut each);
        }
        (to < WALK_END).then_some(WalkAt(to))
    }

    /// Calls `each` for the next live items in pages of the classes whose bits are set (that of class 1 is 1 << 1).
    /// Looks into [`LIST_CHUNKS`] chunks at most. Returns where to go on, or `None` at the end.
    pub fn list_items(
        &self,
        classes: u64,
        from: ListAt,
        now: RelTime,
        mut each: impl FnMut(ItemInfo<'_>),
    ) -> Option<ListAt> {
        let last = self.slab.pages.slots();
        let to = last.min(from.page.saturating_add(LIST_PAGES));
        let wanted = |id: &PageId| {
            let page = self.slab.pages.page(*id);
            let asked_for = classes & page.class.bit() != 0;
            asked_for && page.used > 0 && page.epoch == self.slab.epoch
        };
        let Some(id) = (from.page..to).find(wanted) else {
            return (to < last).then_some(ListAt { page: to, chunk: 0 });
        };
        let begin = if id == from.page { from.chunk } else { 0 };
        let fresh = self.slab.pages.page(id).fresh as usize;
        let end = fresh.min(begin + LIST_CHUNKS);
        for index in begin..end {
            let chunk = ChunkId::new(id, index);
            if item::state(self.slab.pages.chunk(chunk)) == ChunkState::Item {
                self.show(chunk, now, &mut each);
            }
        }
        Some(match end < fresh {
            true => ListAt {
                page: id,
                chunk: end,
            },
            false => ListAt {
                page: id + 1,
                chunk: 0,
            },
        })
    }

    /// Shows an item that the index knows, unless its time is over.
    fn show(&self, id: ChunkId, now: RelTime, each: &mut impl FnMut(ItemInfo<'_>)) {
        let item = Item::new(self.slab.pages.chunk(id));
        if item.expired(now) {
            return;
        }
        each(self.info(id));
    }

    /// Everything about an item.
    pub(crate) fn info(&self, id: ChunkId) -> ItemInfo<'_> {
        let item = Item::new(self.slab.pages.chunk(id));
        let facts = ItemFacts {
            value_len: item.value_len(),
            exptime: item.exptime(),
            accessed: item.accessed(),
            cas: item.cas(),
            flags: item.flags(),
            binary_key: item.marks() & BINARY_KEY != 0,
            fetched: item.fetched(),
            class: self.slab.class_of(id).id(),
            size: item.size() as u64,
        };
        let key = item.key();
        ItemInfo { key, facts }
    }
}

impl ClassId {
    /// The class's bit in a set of classes.
    pub(crate) fn bit(self) -> u64 {
        1 << self.id()
    }
}
