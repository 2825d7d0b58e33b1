//! The whole-store consistency check: every chunk is free, an item's, a chain's, or an orphan's, exactly once.
//!
//! Called by the model test after each step; it costs as much as the store holds.

use std::collections::{HashMap, HashSet};

use crate::chunk::{ChunkId, PageId};
use crate::class::ClassId;
use crate::item::{self, ChunkState, Item, Piece};
use crate::list::List;
use crate::shard::Shard;

/// What was found in pages.
#[derive(Default)]
struct InPages {
    items: usize,
    pieces: usize,
    used: usize,
}

impl Shard {
    /// Says what is wrong with the shard, if anything is.
    ///
    /// # Errors
    /// The first inconsistency found, in words.
    pub fn check(&self) -> Result<(), String> {
        let linked = self.check_index()?;
        self.check_chains(&linked)?;
        self.check_pages(&linked)?;
        self.check_counts(&linked)
    }

    fn check_index(&self) -> Result<HashSet<u32>, String> {
        let mut linked = HashSet::new();
        let mut bytes = 0;
        for id in self.index.iter() {
            if !self.is_linked(id) {
                return Err(format!("the index knows {id:?}, which is no item"));
            }
            if !linked.insert(id.0) {
                return Err(format!("the index knows {id:?} twice"));
            }
            let item = Item::new(self.slab.pages.chunk(id));
            bytes += item.size() as u64;
            let found = self.index.find(self.hash_of(id), |other| other == id);
            if found != Some(id) {
                return Err(format!("{id:?} is in the wrong place of the index"));
            }
        }
        if linked.len() != self.index.len() || bytes != self.tallies.bytes {
            return Err(format!(
                "the index counts {} items and {} bytes, and holds {} and {bytes}",
                self.index.len(),
                self.tallies.bytes,
                linked.len()
            ));
        }
        Ok(linked)
    }

    fn check_chains(&self, linked: &HashSet<u32>) -> Result<(), String> {
        let mut seen = HashSet::new();
        let (mut joined, mut joined_seen) = (HashMap::new(), HashMap::new());
        for (number, chain) in &self.chains {
            if let Some(whole) = chain.joined_to {
                joined.insert(number, whole as usize);
                continue;
            }
            let mut length = 0;
            let (mut id, mut last) = (chain.first, ChunkId::NONE);
            while id != ChunkId::NONE {
                let bytes = self.slab.pages.chunk(id);
                let is_piece = item::state(bytes) == ChunkState::Piece;
                if !is_piece {
                    return Err(format!(
                        "chain {number} leads to {id:?}, which is no piece of it"
                    ));
                }
                let own = Piece(bytes).chain();
                if own != number {
                    joined_seen.insert(own, number);
                }
                if !seen.insert(id.0) {
                    return Err(format!("{id:?} is in two chains"));
                }
                length += Piece(bytes).len();
                (last, id) = (id, Piece(bytes).next());
            }
            if chain.first != ChunkId::NONE && last != chain.last {
                return Err(format!("chain {number} ends elsewhere than it says"));
            }
            if chain.head != ChunkId::NONE {
                let head = Item::new(self.slab.pages.chunk(chain.head));
                let known = linked.contains(&chain.head.0) || head.state() == ChunkState::Orphan;
                if !known
                    || !head.chunked()
                    || head.chain() != number
                    || head.value_len() as usize != length
                {
                    return Err(format!(
                        "chain {number} and its head {:?} disagree",
                        chain.head
                    ));
                }
            }
        }
        match joined == joined_seen {
            true => Ok(()),
            false => Err(format!(
                "chains are joined as {joined:?}, their pieces as {joined_seen:?}"
            )),
        }
    }

    fn check_pages(&self, linked: &HashSet<u32>) -> Result<(), String> {
        let mut in_all = InPages::default();
        let mut in_rings = 0;
        for (class, entry) in self.slab.classes() {
            let partial = self.list(&entry.partial);
            let ring = self.list(&entry.ring);
            let used_before = in_all.used;
            for &id in &ring {
                self.check_page(id, class, partial.contains(&id), linked, &mut in_all)?;
            }
            let used = in_all.used - used_before;
            if used as u64 != entry.stats.used_chunks || ring.len() as u64 != entry.stats.pages {
                return Err(format!(
                    "{class:?} counts {} chunks in use and has {used}",
                    entry.stats.used_chunks
                ));
            }
            in_rings += ring.len();
        }
        let whole = self.chains.iter().map(|(_, chain)| chain);
        let whole = whole.filter(|chain| chain.joined_to.is_none());
        let chained: usize = whole.map(|chain| self.chain_len(chain.first)).sum();
        let InPages { items, pieces, .. } = in_all;
        if items != linked.len() || pieces != chained {
            return Err(format!(
                "{items} items and {pieces} pieces in pages, {} and {chained} known",
                linked.len()
            ));
        }
        let held = in_rings + self.slab.empty_pages() + self.slab.buried_pages();
        if held != self.slab.pages.mapped() {
            return Err(format!(
                "{} pages are mapped and {held} are accounted for",
                self.slab.pages.mapped()
            ));
        }
        Ok(())
    }

    /// One page of a class, which is said to be among those with a free chunk or not. Counts what is on it.
    fn check_page(
        &self,
        id: PageId,
        class: ClassId,
        partial: bool,
        linked: &HashSet<u32>,
        counts: &mut InPages,
    ) -> Result<(), String> {
        let page = self.slab.pages.page(id);
        let chunks = (0..page.fresh as usize).map(|index| ChunkId::new(id, index));
        let mut free = 0;
        for chunk in chunks {
            match item::state(self.slab.pages.chunk(chunk)) {
                ChunkState::Free => free += 1,
                ChunkState::Item if linked.contains(&chunk.0) => counts.items += 1,
                ChunkState::Piece => counts.pieces += 1,
                ChunkState::Item | ChunkState::Orphan => {}
            }
        }
        let used = page.fresh as usize - free;
        counts.used += used;
        if page.class != class || used != page.used as usize || used == 0 {
            return Err(format!(
                "page {id} of {class:?} has {used} chunks in use and says {}",
                page.used
            ));
        }
        if free != self.slab.pages.count_free_list(id) || partial == page.full() {
            return Err(format!(
                "the free chunks of page {id} are not where they should be"
            ));
        }
        Ok(())
    }

    /// What is counted as it goes, counted anew.
    fn check_counts(&self, linked: &HashSet<u32>) -> Result<(), String> {
        let same = |what: &str, says: u64, is: u64| match says == is {
            true => Ok(()),
            false => Err(format!("{what}: the shard says {says}, and it is {is}")),
        };
        for (class, entry) in self.slab.classes() {
            let items = linked.iter().map(|&id| ChunkId(id));
            let own = items.filter(|&id| self.slab.class_of(id) == class);
            let sizes = own.map(|id| Item::new(self.slab.pages.chunk(id)).size() as u64);
            let (items, bytes) = sizes.fold((0, 0), |(n, sum), size| (n + 1, sum + size));
            same(&format!("items of {class:?}"), entry.stats.items, items)?;
            same(
                &format!("bytes of {class:?}"),
                entry.stats.mem_requested,
                bytes,
            )?;
        }
        let (pending, held_by_pendings) = self.pending_counts();
        same("bytes on their way in", self.tallies.pending_bytes, pending)?;
        let mut orphans = 0;
        for (_, entry) in self.slab.classes() {
            for id in self.list(&entry.ring) {
                for index in 0..self.slab.pages.page(id).fresh as usize {
                    let bytes = self.slab.pages.chunk(ChunkId::new(id, index));
                    if item::state(bytes) == ChunkState::Orphan {
                        orphans += u64::from(Item::new(bytes).value_len());
                    }
                }
            }
        }
        same("bytes of orphans", self.tallies.orphan_bytes, orphans)?;
        let held = (held_by_pendings + self.pins.len()) as u64;
        same("holds", self.slab.all_holds() as u64, held)?;
        let sized = if self.config.track_sizes {
            linked.len()
        } else {
            0
        };
        same("items by size", self.sizes.values().sum(), sized as u64)
    }

    fn chain_len(&self, mut id: ChunkId) -> usize {
        let mut count = 0;
        while id != ChunkId::NONE {
            count += 1;
            id = Piece(self.slab.pages.chunk(id)).next();
        }
        count
    }

    fn list(&self, list: &List) -> Vec<u32> {
        std::iter::successors(list.first(), |&id| list.after(&self.slab.pages, id)).collect()
    }
}
