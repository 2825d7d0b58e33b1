//! Pages: where the bytes are, and which chunks of them are free.
//!
//! A page is mapped from the kernel by itself and unmapped when it is given up, so that memory that is no longer
//! used really leaves the process; the heap would keep it. Pages are larger in a larger process, so that even with
//! every other one given up they are fewer mappings than the kernel allows.

use memmap2::MmapMut;

use crate::chunk::{ChunkId, PageId};
use crate::class::{ClassId, PAGE_CLASS};
use crate::item::{self, RelTime};
use crate::limits::SHARD_PAGES_MAX;
use crate::list::Links;

const NO_CHUNK: u16 = u16::MAX;

/// One page and what is known of its chunks.
pub(crate) struct Page {
    /// The memory; none while the slot waits for its next page.
    bytes: Option<MmapMut>,
    chunk_size: u32,
    pub(crate) class: ClassId,
    /// Chunks that the page is cut into.
    pub(crate) total: u16,
    pub(crate) used: u16,
    /// Chunks from here on were never used since the page came to its class.
    pub(crate) fresh: u16,
    free_head: u16,
    /// No item of the page expires before this; 0 if none expires at all.
    pub(crate) due: RelTime,
    /// The flushes before the page was cut; chunks of an earlier epoch than the shard's are dead.
    pub(crate) epoch: u64,
    /// The shard's count of bytes stored when eviction last finished with the page, or when its class got it.
    pub(crate) stamp: u64,
    /// The second at that moment.
    pub(crate) stamp_s: RelTime,
    /// Whether that visit was for another class's sake.
    pub(crate) lent_visit: bool,
    /// Place in the ring of its class, and in the list of pages with a free chunk.
    pub(crate) ring: Links,
    pub(crate) partial: Links,
}

impl Page {
    fn vacant() -> Self {
        Self {
            bytes: None,
            chunk_size: 0,
            class: PAGE_CLASS,
            total: 0,
            used: 0,
            fresh: 0,
            free_head: NO_CHUNK,
            due: 0,
            epoch: 0,
            stamp: 0,
            stamp_s: 0,
            lent_visit: false,
            ring: Links::NONE,
            partial: Links::NONE,
        }
    }

    #[inline]
    pub(crate) fn full(&self) -> bool {
        self.used == self.total
    }

    /// An item with this exptime was put on the page.
    #[inline]
    pub(crate) fn expect_expiry(&mut self, exptime: RelTime) {
        if exptime != 0 && (self.due == 0 || exptime < self.due) {
            self.due = exptime;
        }
    }

    /// Cuts the page, whatever was on it, into chunks of `class`.
    pub(crate) fn cut(&mut self, class: ClassId, epoch: u64, stamp: u64, now: RelTime) {
        let page_bytes = self.bytes.as_ref().map_or(0, |bytes| bytes.len());
        let chunk_size = class.chunk_size(page_bytes);
        self.chunk_size = chunk_size as u32;
        self.class = class;
        self.total = (page_bytes / chunk_size) as u16;
        self.used = 0;
        self.fresh = 0;
        self.free_head = NO_CHUNK;
        self.due = 0;
        self.epoch = epoch;
        self.stamp = stamp;
        self.stamp_s = now;
        self.lent_visit = false;
    }
}

/// All pages of a shard.
pub(crate) struct Pages {
    pub(crate) page_bytes: usize,
    slots: Vec<Page>,
    vacant: Vec<PageId>,
    mapped: usize,
    /// Memory of pages that were given up, until it is mapped again, dropped, or taken by a shard in need.
    pub(crate) unused: Unused,
    pub(crate) refusals: u64,
}

/// Memory of pages that a shard has given up. Dropped, it goes back to the system, which takes a system call or more:
/// to be done while no shard is lent.
#[derive(Default)]
#[must_use = "dropping it takes system calls, for which no shard should be lent"]
pub struct Unused(Vec<MmapMut>);

impl Pages {
    pub(crate) fn new(page_bytes: usize) -> Self {
        Self {
            page_bytes,
            slots: Vec::new(),
            vacant: Vec::new(),
            mapped: 0,
            unused: Unused::default(),
            refusals: 0,
        }
    }

    /// Bytes that the table of pages takes beside them.
    pub(crate) fn table_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Page>()
    }

    /// Pages that have memory.
    pub(crate) fn mapped(&self) -> usize {
        self.mapped
    }

    /// Slots, with memory or without; page ids are below this.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Maps one more page, of memory that was given up if there is any. Else that is a system call, though the shard is
    /// lent: 0.4 µs, measured, where the faults of the page's first use take 5 µs for 16 KiB and 78 µs for 256 KiB.
    /// `None` when the system refuses or page ids have run out.
    pub(crate) fn map(&mut self) -> Option<PageId> {
        if self.vacant.is_empty() && self.slots.len() >= SHARD_PAGES_MAX - 1 {
            return None;
        }
        let bytes = match self.unused.0.pop() {
            Some(bytes) => bytes,
            None => match MmapMut::map_anon(self.page_bytes) {
                Ok(bytes) => bytes,
                Err(_) => {
                    self.refusals += 1;
                    return None;
                }
            },
        };
        self.mapped += 1;
        let id = match self.vacant.pop() {
            Some(id) => id,
            None => {
                self.slots.push(Page::vacant());
                self.slots() - 1
            }
        };
        self.slots[id as usize].bytes = Some(bytes);
        Some(id)
    }

    /// Takes over memory that another shard has given up.
    pub(crate) fn adopt(&mut self, unused: Unused) {
        self.unused.0.extend(unused.0);
    }

    /// Gives the page up; its memory is [`Self::unused`] now.
    pub(crate) fn unmap(&mut self, id: PageId) {
        let page = std::mem::replace(&mut self.slots[id as usize], Page::vacant());
        debug_assert!(page.bytes.is_some(), "page {id} unmapped twice");
        self.unused.0.extend(page.bytes);
        self.mapped -= 1;
        self.vacant.push(id);
    }

    #[inline]
    pub(crate) fn page(&self, id: PageId) -> &Page {
        &self.slots[id as usize]
    }
    #[inline]
    pub(crate) fn page_mut(&mut self, id: PageId) -> &mut Page {
        &mut self.slots[id as usize]
    }

    /// The bytes of a chunk.
    #[inline]
    pub(crate) fn chunk(&self, id: ChunkId) -> &[u8] {
        let page = &self.slots[id.page() as usize];
        let size = page.chunk_size as usize;
        let start = id.index() * size;
        match &page.bytes {
            Some(bytes) => &bytes[start..start + size],
            None => &[],
        }
    }

    /// The bytes of a chunk, to be changed.
    #[inline]
    pub(crate) fn chunk_mut(&mut self, id: ChunkId) -> &mut [u8] {
        self.chunk_and_class(id).0
    }

    /// The bytes of a chunk, to be changed, and its class.
    #[inline]
    pub(crate) fn chunk_and_class(&mut self, id: ChunkId) -> (&mut [u8], ClassId) {
        let page = &mut self.slots[id.page() as usize];
        let size = page.chunk_size as usize;
        let start = id.index() * size;
        let bytes = match &mut page.bytes {
            Some(bytes) => &mut bytes[start..start + size],
            None => &mut [],
        };
        (bytes, page.class)
    }

    /// Copies a chunk to another of the same size on another page.
    pub(crate) fn copy_chunk(&mut self, from: ChunkId, to: ChunkId) {
        let size = self.page(from.page()).chunk_size as usize;
        let slots = self
            .slots
            .get_disjoint_mut([from.page() as usize, to.page() as usize]);
        if let Ok(
            [
                Page {
                    bytes: Some(source),
                    ..
                },
                Page {
                    bytes: Some(target),
                    ..
                },
            ],
        ) = slots
        {
            let (from, to) = (from.index() * size, to.index() * size);
            target[to..to + size].copy_from_slice(&source[from..from + size]);
        }
    }

    /// Takes a chunk of the page, which must not be full.
    pub(crate) fn take_chunk(&mut self, id: PageId) -> ChunkId {
        let page = &mut self.slots[id as usize];
        debug_assert!(!page.full());
        page.used += 1;
        if page.free_head == NO_CHUNK {
            page.fresh += 1;
            return ChunkId::new(id, page.fresh as usize - 1);
        }
        let chunk = ChunkId::new(id, page.free_head as usize);
        let next = item::next_free(self.chunk(chunk));
        self.slots[id as usize].free_head = next;
        chunk
    }

    /// Puts a chunk back among the free ones of its page.
    pub(crate) fn put_chunk(&mut self, chunk: ChunkId) {
        let head = self.slots[chunk.page() as usize].free_head;
        item::set_free(self.chunk_mut(chunk), head);
        let page = &mut self.slots[chunk.page() as usize];
        page.free_head = chunk.index() as u16;
        page.used -= 1;
    }

    /// Free chunks that the page's free list really holds, for the consistency check.
    pub(crate) fn count_free_list(&self, id: PageId) -> usize {
        let page = self.page(id);
        let mut count = 0;
        let mut next = page.free_head;
        while next != NO_CHUNK && count <= page.total as usize {
            count += 1;
            next = item::next_free(self.chunk(ChunkId::new(id, next as usize)));
        }
        count
    }
}
