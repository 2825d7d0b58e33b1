//! Chains of pieces: the values that fit no chunk. How a value comes in is `pending`'s, how it is read is `pin`'s.
//!
//! A chain has a number; its pieces carry the number, so that from any piece the item is found, and a chain becomes
//! an item's, or a part of another chain, by one assignment however long it is. What becomes of a chain:
//!
//! ```text
//! begin ── append … append ── stored: the item's ── item removed ── doomed, given back a few pieces at a time
//!                         ├── joined to another, which is an item's: goes with that
//!                         └── abandoned, revoked ───────────────────┘
//! ```
//!
//! A chain grows at either end. Its last piece may have room behind what it holds, its first one room before it.

use crate::chunk::ChunkId;
use crate::class::{ClassId, PAGE_CLASS};
use crate::item::{CHAIN, Item, PIECE_HEADER, Piece, PieceMut, RelTime};
use crate::limits::{CHUNK_MAX, REAP_PIECES};
use crate::shard::Shard;

/// The pieces of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The item's head; none while the value is on its way in, or when the chain is doomed.
    pub(crate) head: ChunkId,
    pub(crate) first: ChunkId,
    /// Of a chain that was joined to another: the last piece that carries its number.
    pub(crate) last: ChunkId,
    /// Whether its pieces only wait to be given back.
    pub(crate) doomed: bool,
    /// The chain that it was joined to. Its pieces are that one's, though they carry its number.
    pub(crate) joined_to: Option<u32>,
    /// Readers that have the item pinned.
    pub(crate) pins: u32,
}

impl Chain {
    const EMPTY: Self = Self {
        head: ChunkId::NONE,
        first: ChunkId::NONE,
        last: ChunkId::NONE,
        doomed: false,
        joined_to: None,
        pins: 0,
    };
}

/// Bytes that a chain takes in the table of chains: itself and the table's own mark.
pub(crate) const CHAIN_BYTES: usize = size_of::<Chain>() + size_of::<usize>();

/// No memory could be found for a value, with nothing left to evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Values from this size on put their head and their last piece in chunks of the largest size too. In small ones many
/// such values would meet on one page, and all go with it when it is taken.
const ROOMY: usize = 4 * CHUNK_MAX;

/// The class of the next piece of a value of `total` bytes, when `left` are to be placed.
pub(crate) fn piece_class(total: usize, left: usize, page_bytes: usize) -> ClassId {
    if left + PIECE_HEADER >= page_bytes {
        PAGE_CLASS
    } else if total >= ROOMY {
        ClassId::for_size(CHUNK_MAX)
    } else {
        ClassId::for_size((left + PIECE_HEADER).min(CHUNK_MAX))
    }
}

/// The class of a chunked item's head that takes `front` bytes.
pub(crate) fn head_class(front: usize, value_len: usize) -> ClassId {
    ClassId::for_size(if value_len >= ROOMY {
        CHUNK_MAX
    } else {
        front + CHAIN
    })
}

/// What a chain is to become, from which the size of its next piece follows.
#[derive(Clone, Copy)]
pub(crate) struct Growth {
    /// Bytes of the value that it will be, or be part of.
    pub(crate) whole: usize,
    /// Bytes of the chain that are to come.
    pub(crate) left: usize,
    /// Bytes that there should be room for beyond those, since a value that has grown will grow again.
    pub(crate) spare: usize,
}

impl Shard {
    /// A chain of no piece.
    pub(crate) fn new_chain(&mut self) -> usize {
        self.chains.insert(Chain::EMPTY)
    }

    /// The chain that a piece is part of.
    pub(crate) fn chain_of(&self, piece: Piece<'_>) -> Option<&Chain> {
        let own = self.chains.get(piece.chain())?;
        match own.joined_to {
            None => Some(own),
            Some(number) => self.chains.get(number as usize),
        }
    }

    /// Adds an empty piece to an end of a chain.
    fn add_piece(
        &mut self,
        number: usize,
        class: ClassId,
        in_front: bool,
        now: RelTime,
    ) -> Result<(), NoMemory> {
        let id = self.alloc(class, now).ok_or(NoMemory)?;
        PieceMut(self.slab.pages.chunk_mut(id)).start(number, in_front);
        let chain = &mut self.chains[number];
        let (first, last) = (chain.first, chain.last);
        if first == ChunkId::NONE {
            (chain.first, chain.last) = (id, id);
        } else if in_front {
            chain.first = id;
            PieceMut(self.slab.pages.chunk_mut(id)).set_next(first);
        } else {
            chain.last = id;
            PieceMut(self.slab.pages.chunk_mut(last)).set_next(id);
        }
        Ok(())
    }

    /// Adds bytes to an end of a chain.
    pub(crate) fn extend(
        &mut self,
        chain: usize,
        bytes: &[u8],
        in_front: bool,
        growth: Growth,
        now: RelTime,
    ) -> Result<(), NoMemory> {
        let Growth { whole, left, spare } = growth;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self.fill(chain, rest, in_front);
            if taken == 0 {
                let left = left - (bytes.len() - rest.len());
                let class = piece_class(whole, left.max(spare), self.slab.pages.page_bytes);
                self.add_piece(chain, class, in_front, now)?;
            }
            rest = match in_front {
                true => &rest[..rest.len() - taken],
                false => &rest[taken..],
            };
        }
        Ok(())
    }

    /// A chain that holds `bytes`, to be all of a value of `whole` bytes or one of its ends.
    pub(crate) fn build_chain(
        &mut self,
        bytes: &[u8],
        whole: usize,
        in_front: bool,
        now: RelTime,
    ) -> Result<usize, NoMemory> {
        let chain = self.new_chain();
        let left = bytes.len();
        let spare = if whole > left { whole / 8 } else { 0 };
        let growth = Growth { whole, left, spare };
        match self.extend(chain, bytes, in_front, growth, now) {
            Ok(()) => Ok(chain),
            Err(no_memory) => {
                self.doom(chain);
                Err(no_memory)
            }
        }
    }

    /// The piece at an end of a chain.
    fn end_piece(&self, chain: usize, in_front: bool) -> Option<ChunkId> {
        let chain = &self.chains[chain];
        let piece = if in_front { chain.first } else { chain.last };
        (piece != ChunkId::NONE).then_some(piece)
    }

    /// Bytes that still fit into the piece at an end of a chain.
    pub(crate) fn room_at(&self, chain: usize, in_front: bool) -> usize {
        self.end_piece(chain, in_front).map_or(0, |piece| {
            let piece = Piece(self.slab.pages.chunk(piece));
            match in_front {
                true => piece.begin(),
                false => piece.room_behind(),
            }
        })
    }

    /// Puts as many bytes as there is room for into the piece at an end of a chain; returns how many: the last ones of
    /// `bytes` in front, the first ones behind. Who reads the value does not notice: he knows where it began, and how long
    /// it was.
    pub(crate) fn fill(&mut self, chain: usize, bytes: &[u8], in_front: bool) -> usize {
        self.end_piece(chain, in_front).map_or(0, |piece| {
            let mut piece = PieceMut(self.slab.pages.chunk_mut(piece));
            match in_front {
                true => piece.prepend(bytes),
                false => piece.append(bytes),
            }
        })
    }

    /// Joins the pieces of `added` to the front or the end of `chain`, of which they become part.
    pub(crate) fn splice(&mut self, chain: usize, added: usize, in_front: bool) {
        let new = self.chains[added];
        if new.first == ChunkId::NONE {
            self.chains.remove(added);
            return;
        }
        self.chains[added].joined_to = Some(chain as u32);
        let old = self.chains[chain];
        if old.first == ChunkId::NONE {
            self.chains[chain].first = new.first;
            self.chains[chain].last = new.last;
            return;
        }
        let (left, right) = if in_front { (new, old) } else { (old, new) };
        PieceMut(self.slab.pages.chunk_mut(left.last)).set_next(right.first);
        self.chains[chain].first = left.first;
        self.chains[chain].last = right.last;
    }

    /// The chain's pieces are no longer needed. Unless others are waiting for it some are given back at once, the rest by
    /// and by.
    pub(crate) fn doom(&mut self, chain: usize) {
        let entry = &mut self.chains[chain];
        entry.doomed = true;
        entry.head = ChunkId::NONE;
        self.doomed.push(chain);
        if self.doomed.len() == 1 {
            self.reap();
        }
    }

    /// Gives back a few pieces of doomed chains. False if there were none.
    pub(crate) fn reap(&mut self) -> bool {
        let mut freed = 0;
        while let Some(&number) = self.doomed.last() {
            if freed == REAP_PIECES {
                break;
            }
            let id = self.chains[number].first;
            if id == ChunkId::NONE {
                self.chains.remove(number);
                self.doomed.pop();
                continue;
            }
            let piece = Piece(self.slab.pages.chunk(id));
            let (own, next) = (piece.chain(), piece.next());
            if own != number && self.chains[own].last == id {
                self.chains.remove(own);
            }
            self.chains[number].first = next;
            self.slab.put_chunk(id);
            freed += 1;
        }
        freed > 0
    }

    /// Copies a chunked item's whole value behind `out`.
    pub(crate) fn copy_chain(&self, item: Item<'_>, out: &mut Vec<u8>) {
        let mut left = item.value_len() as usize;
        let mut id = self
            .chains
            .get(item.chain())
            .map_or(ChunkId::NONE, |chain| chain.first);
        while left > 0 && id != ChunkId::NONE {
            let piece = Piece(self.slab.pages.chunk(id));
            out.extend_from_slice(piece.bytes());
            left -= piece.len();
            id = piece.next();
        }
    }
}
