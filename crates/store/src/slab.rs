//! Slab classes: which pages belong to whom, and free chunks.
//!
//! Each page is in exactly one place: in the ring of its class, among the empty pages, or in a grave. `flush_all`
//! puts whole rings into a grave, in one step however much they hold; their pages are used again or given back one
//! by one, unless someone still reads or writes a value there.

use std::collections::VecDeque;

use crate::chunk::{ChunkId, PageId};
use crate::class::ClassId;
use crate::item::RelTime;
use crate::limits::EMPTY_PAGES_KEPT;
use crate::list::{List, Which};
use crate::page::Pages;
use crate::stats::ClassStats;

/// One slab class.
pub(crate) struct Class {
    pub(crate) ring: List,
    pub(crate) partial: List,
    /// Where in the ring's first page eviction looks next.
    pub(crate) hand: u16,
    pub(crate) stats: ClassStats,
}

impl Class {
    fn new(id: ClassId, page_bytes: usize) -> Self {
        let chunk_size = id.chunk_size(page_bytes);
        let stats = ClassStats {
            id: id.id(),
            chunk_size: chunk_size as u32,
            chunks_per_page: (page_bytes / chunk_size) as u32,
            ..ClassStats::default()
        };
        Self {
            ring: List::new(Which::Ring),
            partial: List::new(Which::Partial),
            hand: 0,
            stats,
        }
    }
}

/// Pages of before a flush.
struct Grave {
    rings: Vec<List>,
    /// Values in these pages that are still being read, or were still being written when the flush came.
    holds: usize,
    epoch: u64,
}

/// All pages and classes of a shard.
pub(crate) struct Slab {
    pub(crate) pages: Pages,
    classes: Vec<Class>,
    empties: Vec<PageId>,
    graves: VecDeque<Grave>,
    /// Pages that the shard may hold, the index counted in.
    pub(crate) grant: usize,
    /// Pages of the grant that the index and the table of pages take.
    pub(crate) index_pages: usize,
    /// Counts flushes: chunks of an earlier epoch are dead.
    pub(crate) epoch: u64,
    /// Values of this epoch that are being read or written, see [`Grave::holds`].
    holds: usize,
    /// Bytes stored so far: the clock by which pages age.
    pub(crate) clock: u64,
}

impl Slab {
    pub(crate) fn new(page_bytes: usize) -> Self {
        Self {
            pages: Pages::new(page_bytes),
            classes: ClassId::all()
                .map(|id| Class::new(id, page_bytes))
                .collect(),
            empties: Vec::new(),
            graves: VecDeque::new(),
            grant: 0,
            index_pages: 0,
            epoch: 0,
            holds: 0,
            clock: 0,
        }
    }

    #[inline]
    pub(crate) fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.index()]
    }
    #[inline]
    pub(crate) fn class_mut(&mut self, id: ClassId) -> &mut Class {
        &mut self.classes[id.index()]
    }
    /// The class of the page that the chunk lies in.
    #[inline]
    pub(crate) fn class_of(&self, chunk: ChunkId) -> ClassId {
        self.pages.page(chunk.page()).class
    }
    /// The bytes of a chunk and the statistics of its class, at one look.
    #[inline]
    pub(crate) fn chunk_and_stats(&mut self, chunk: ChunkId) -> (&mut [u8], &mut ClassStats) {
        let (bytes, class) = self.pages.chunk_and_class(chunk);
        (bytes, &mut self.classes[class.index()].stats)
    }
    /// The statistics of the class that the chunk lies in.
    #[inline]
    pub(crate) fn stats_of(&mut self, chunk: ChunkId) -> &mut ClassStats {
        let class = self.class_of(chunk);
        &mut self.class_mut(class).stats
    }

    /// Pages that count against the grant.
    #[inline]
    pub(crate) fn charged(&self) -> usize {
        self.pages.mapped() + self.index_pages
    }
    /// Pages mapped that hold nothing.
    pub(crate) fn empty_pages(&self) -> usize {
        self.empties.len()
    }

    /// A free chunk of the class, if it has one.
    #[inline]
    pub(crate) fn take_chunk(&mut self, class: ClassId) -> Option<ChunkId> {
        let entry = &mut self.classes[class.index()];
        let page = entry.partial.last()?;
        let chunk = self.pages.take_chunk(page);
        let taken = self.pages.page_mut(page);
        // Eviction is not the only one to free chunks: where items are overwritten or deleted, or are parts of larger
        // ones, the page grows younger without a visit of the hand. Its stamp follows the mean age of what is on it.
        taken.stamp += (self.clock - taken.stamp) / u64::from(taken.total);
        if taken.full() {
            entry.partial.remove(&mut self.pages, page);
        }
        entry.stats.used_chunks += 1;
        Some(chunk)
    }

    /// A free chunk of the class that `chunk` lies in, on another page.
    pub(crate) fn take_chunk_elsewhere(&mut self, chunk: ChunkId) -> Option<ChunkId> {
        let class = self.class_of(chunk);
        let partial = self.class(class).partial;
        let page = [partial.last()?, partial.first()?]
            .into_iter()
            .find(|&page| page != chunk.page())?;
        let taken = self.pages.take_chunk(page);
        let entry = &mut self.classes[class.index()];
        if self.pages.page(page).full() {
            entry.partial.remove(&mut self.pages, page);
        }
        entry.stats.used_chunks += 1;
        Some(taken)
    }

    /// Puts a chunk back. A page that is left with nothing leaves its class.
    pub(crate) fn put_chunk(&mut self, chunk: ChunkId) {
        let page = chunk.page();
        let was_full = self.pages.page(page).full();
        self.pages.put_chunk(chunk);
        let class = self.pages.page(page).class;
        let entry = &mut self.classes[class.index()];
        entry.stats.used_chunks -= 1;
        if was_full {
            entry.partial.push_back(&mut self.pages, page);
        }
        if self.pages.page(page).used == 0 {
            self.retire(page);
        }
    }

    /// Takes an emptied page out of its class.
    fn retire(&mut self, page: PageId) {
        let entry = &mut self.classes[self.pages.page(page).class.index()];
        if entry.ring.first() == Some(page) {
            entry.hand = 0;
        }
        entry.partial.remove(&mut self.pages, page);
        entry.ring.remove(&mut self.pages, page);
        entry.stats.pages -= 1;
        self.empties.push(page);
    }

    /// Gives the class one more page: an empty one, one from a grave, or one more within the grant.
    pub(crate) fn add_page(&mut self, class: ClassId, now: RelTime) -> bool {
        let page = match self.empties.pop().or_else(|| self.exhume()) {
            Some(page) => page,
            None if self.charged() < self.grant => match self.pages.map() {
                Some(page) => page,
                None => return false,
            },
            None => return false,
        };
        let stamp = self.clock;
        let epoch = self.epoch;
        self.pages.page_mut(page).cut(class, epoch, stamp, now);
        let entry = &mut self.classes[class.index()];
        entry.ring.push_back(&mut self.pages, page);
        entry.partial.push_back(&mut self.pages, page);
        entry.stats.pages += 1;
        true
    }

    /// Moves the first page of the class's ring to its end: eviction has seen all of it. `lent` if that was for another
    /// class's sake.
    pub(crate) fn rotate(&mut self, class: ClassId, lent: bool, now: RelTime) {
        let entry = &mut self.classes[class.index()];
        entry.hand = 0;
        let stamp = self.clock;
        if let Some(page) = entry.ring.pop_front(&mut self.pages) {
            entry.ring.push_back(&mut self.pages, page);
            let page = self.pages.page_mut(page);
            page.stamp = stamp;
            page.stamp_s = now;
            page.lent_visit = lent;
        }
    }

    /// Everything of before is dead: all rings go to a grave.
    pub(crate) fn bury(&mut self) {
        let mut rings = Vec::new();
        for entry in &mut self.classes {
            if entry.ring.len() > 0 {
                rings.push(std::mem::replace(&mut entry.ring, List::new(Which::Ring)));
            }
            entry.partial = List::new(Which::Partial);
            entry.hand = 0;
            entry.stats.pages = 0;
            entry.stats.used_chunks = 0;
            entry.stats.items = 0;
            entry.stats.mem_requested = 0;
        }
        self.graves.push_back(Grave {
            rings,
            holds: self.holds,
            epoch: self.epoch,
        });
        self.holds = 0;
        self.epoch += 1;
    }

    /// A page of a grave in which nobody has business any more.
    fn exhume(&mut self) -> Option<PageId> {
        while let Some(at) = self.graves.iter().position(|grave| grave.holds == 0) {
            let grave = &mut self.graves[at];
            let Some(ring) = grave.rings.last_mut() else {
                self.graves.remove(at);
                continue;
            };
            if let Some(page) = ring.pop_front(&mut self.pages) {
                return Some(page);
            }
            grave.rings.pop();
        }
        None
    }

    /// A value of the present epoch is being read or written from now on.
    pub(crate) fn hold(&mut self) -> u64 {
        self.holds += 1;
        self.epoch
    }

    /// The end of what [`Self::hold`] began.
    pub(crate) fn release(&mut self, epoch: u64) {
        if epoch == self.epoch {
            self.holds -= 1;
        } else if let Some(grave) = self.graves.iter_mut().find(|grave| grave.epoch == epoch) {
            grave.holds -= 1;
        }
    }

    /// Whether [`Self::unmap_surplus`] would find a page.
    pub(crate) fn has_surplus(&self) -> bool {
        self.empties.len() > EMPTY_PAGES_KEPT || self.graves.iter().any(|grave| grave.holds == 0)
    }

    /// Gives an unused page back to the system, beyond the few that are kept for the next class in need.
    pub(crate) fn unmap_surplus(&mut self) -> bool {
        let page = match self.exhume() {
            Some(page) => Some(page),
            None if self.empties.len() > EMPTY_PAGES_KEPT => self.empties.pop(),
            None => None,
        };
        self.unmap(page)
    }

    /// Gives any unused page back to the system.
    pub(crate) fn unmap_any(&mut self) -> bool {
        let page = self.empties.pop().or_else(|| self.exhume());
        self.unmap(page)
    }

    fn unmap(&mut self, page: Option<PageId>) -> bool {
        match page {
            Some(page) => {
                self.pages.unmap(page);
                true
            }
            None => false,
        }
    }

    /// Values being read or written, of whatever epoch, for the consistency check.
    pub(crate) fn all_holds(&self) -> usize {
        let buried = self.graves.iter().map(|grave| grave.holds);
        self.holds + buried.sum::<usize>()
    }

    /// Pages in graves, for the consistency check.
    pub(crate) fn buried_pages(&self) -> usize {
        self.graves
            .iter()
            .flat_map(|grave| &grave.rings)
            .map(List::len)
            .sum()
    }

    /// Every class with its id.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        ClassId::all().zip(&self.classes)
    }
}
